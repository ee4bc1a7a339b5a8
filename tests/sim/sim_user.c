/* SPDX-License-Identifier: MIT */
/* The users, and the names they think of. */
#include "sim_user.h"

#include <string.h>

#include "base/path.h"

#define PARTS_MAX 100

#define NAME_255                                                           \
	"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn" \
	"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn" \
	"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn" \
	"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
#define KEY(text)                                \
	{                                        \
		(char *)(text), sizeof(text) - 1 \
	}

/* Neighbours in every order there is, and what cannot be a path. */
static const struct sim_key pool[] = {
	KEY("a"),
	KEY("a-"),
	KEY("a/"),
	KEY("a/b"),
	KEY("a/b/c"),
	KEY("a0"),
	KEY("a.completed"),
	KEY("a.failed"),
	KEY("a.completed/x"),
	KEY("a/b.completed"),
	KEY("a/b-"),
	KEY("a/b0"),
	KEY("a.completed.failed"),
	KEY("b"),
	KEY("b/"),
	KEY("b//c"),
	KEY("b/c"),
	KEY("bb"),
	KEY("d"),
	KEY("d/e/f/g"),
	KEY("d/e"),
	KEY("d/e/"),
	KEY("d/e/f"),
	KEY("d "),
	KEY("../x"),
	KEY(".."),
	KEY("."),
	KEY("/a"),
	KEY("a/./b"),
	KEY("a/../b"),
	KEY("x\xff"),
	KEY("x\xff/y"),
	KEY("x"),
	KEY("\xff"),
	KEY("\xc3\xa9"),
	KEY("e\xcc\x81"),
	KEY("\xf0\x9f\x98\x80/z"),
	KEY("\xef\xbf\xbf"),
	KEY("nul\0byte"),
	KEY("line\nfeed"),
	KEY("\x01"),
	KEY("%41"),
	KEY("A"),
	KEY("a+b c"),
	KEY("temp_x"),
	KEY("temp_d/f"),
	KEY("a/temp_y"),
	KEY("tem"),
	KEY(".s3sync/root"),
	KEY("a/.s3sync/x"),
	KEY(".s3syncx"),
	KEY(NAME_255),
	KEY(NAME_255 "n"),
	KEY(NAME_255 "/" NAME_255 "/" NAME_255 "/" NAME_255),
	KEY(NAME_255 "/" NAME_255 "/" NAME_255 "/" NAME_255 "/m"),
};
#define POOL_SIZE (sizeof(pool) / sizeof(pool[0]))

/* Half of the worlds crowd around "a": that is where the rules meet. */
void sim_user_init(struct sim_user *user, struct sim_store *store)
{
	struct sim *sim = store->sim;
	size_t among = sim_chance(sim, 500) ? POOL_SIZE : 16;

	*user = (struct sim_user){ .sim = sim, .store = store };
	user->key_count = 1 + sim_below(sim, SIM_USER_KEYS);
	for (size_t i = 0; i < user->key_count; i++)
		user->keys[i] = pool[sim_below(sim, among)];
}

static const struct sim_key *some_key(struct sim_user *user)
{
	return &user->keys[sim_below(user->sim, user->key_count)];
}

/* A content that nobody else has; small sizes are often the same. */
static struct sim_content *some_content(struct sim_user *user)
{
	static const int64_t sizes[] = { 0, 1, 5, 5, 5, 9, 1000, 70000 };
	struct sim *sim = user->sim;
	int64_t size = sizes[sim_below(sim, sizeof(sizes) / sizeof(sizes[0]))];

	if (user->large && sim_chance(sim, 250))
		size = 256 * 1024 + 1 + (int64_t)sim_below(sim, 400 * 1024);
	if (user->large && sim_chance(sim, 2))
		size = 9 * 1024 * 1024;
	return sim_content_new(sim_random(sim), size);
}

/*
 * Acts on a tree
 */

typedef void act_fn(struct sim_user *user, struct sim_tree *t,
    const struct sim_key *key);

static void act_write(struct sim_user *user, struct sim_tree *t,
    const struct sim_key *key)
{
	struct sim_content *c = some_content(user);

	if (sim_tree_is_directory(t, key->bytes, key->len) &&
	    sim_chance(user->sim, 200))
		sim_tree_remove(t, key->bytes, key->len);
	sim_tree_write(t, key->bytes, key->len, c);
	sim_content_unref(c);
}

static void act_write_slowly(struct sim_user *user, struct sim_tree *t,
    const struct sim_key *key)
{
	struct sim_content *c = some_content(user);

	if (user->settle_ns > 0)
		sim_tree_write_slowly(t, key->bytes, key->len, c,
		    (int64_t)sim_below(user->sim,
			(uint64_t)user->settle_ns * 9 / 10));
	sim_content_unref(c);
}

static void act_edit(struct sim_user *user, struct sim_tree *t,
    const struct sim_key *key)
{
	struct sim_content *c = some_content(user);

	sim_tree_edit(t, key->bytes, key->len, c);
	sim_content_unref(c);
}

/* The same size, and a modification time that does not move. */
static void act_edit_in_secret(struct sim_user *user, struct sim_tree *t,
    const struct sim_key *key)
{
	const struct sim_node *n = sim_tree_find(t, key->bytes, key->len);
	struct sim_content *c;
	int64_t mtime_ns;

	if (n == NULL || n->kind != SIM_FILE || n->inode->whole != NULL)
		return;
	mtime_ns = n->inode->sig.mtime_ns;
	c = sim_content_new(sim_random(user->sim), n->inode->sig.size);
	sim_tree_edit(t, key->bytes, key->len, c);
	sim_tree_set_mtime(t, key->bytes, key->len, mtime_ns);
	sim_content_unref(c);
}

static void act_remove(struct sim_user *user, struct sim_tree *t,
    const struct sim_key *key)
{
	(void)user;
	sim_tree_remove(t, key->bytes, key->len);
}

static void act_make_dir(struct sim_user *user, struct sim_tree *t,
    const struct sim_key *key)
{
	if (sim_chance(user->sim, 500))
		sim_tree_remove(t, key->bytes, key->len);
	sim_tree_make_dir(t, key->bytes, key->len);
}

static void act_make_other(struct sim_user *user, struct sim_tree *t,
    const struct sim_key *key)
{
	(void)user;
	sim_tree_make_other(t, key->bytes, key->len);
}

static void act_rename(struct sim_user *user, struct sim_tree *t,
    const struct sim_key *key)
{
	const struct sim_key *to = some_key(user);

	sim_tree_rename(t, key->bytes, key->len, to->bytes, to->len);
}

/* Backwards, or far into the future. */
static void act_set_mtime(struct sim_user *user, struct sim_tree *t,
    const struct sim_key *key)
{
	int64_t by_ns = (int64_t)sim_below(user->sim, 1000) * CLOCK_SECOND;

	sim_tree_set_mtime(t, key->bytes, key->len,
	    user->sim->wall_ns + (sim_chance(user->sim, 500) ? by_ns : -by_ns));
}

/* The key itself, or its first directory. */
static void act_lock(struct sim_user *user, struct sim_tree *t,
    const struct sim_key *key)
{
	const char *slash = memchr(key->bytes, '/', key->len);
	size_t len = slash != NULL && sim_chance(user->sim, 700)
	    ? (size_t)(slash - key->bytes)
	    : key->len;

	sim_tree_lock(t, key->bytes, len, sim_chance(user->sim, 500));
}

void sim_user_act_on_tree(struct sim_user *user, struct sim_tree *t)
{
	static const struct {
		unsigned weight;
		act_fn *act;
	} acts[] = {
		{ 30, act_write },
		{ 8, act_write_slowly },
		{ 10, act_edit },
		{ 5, act_edit_in_secret },
		{ 20, act_remove },
		{ 8, act_make_dir },
		{ 4, act_make_other },
		{ 8, act_rename },
		{ 4, act_set_mtime },
		{ 8, act_lock },
	};
	const struct sim_key *key = some_key(user);
	unsigned pick = (unsigned)sim_below(user->sim, 105);
	size_t i = 0;

	while (pick >= acts[i].weight)
		pick -= acts[i++].weight;
	sim_event(user->sim, "user act %zu on %s", i,
	    sim_text(key->bytes, key->len));
	acts[i].act(user, t, key);
}

/*
 * Acts on the bucket
 */

/* In the size of the program's own parts, in one that others use, or in one
 * that nobody can guess. */
static int64_t some_cut(struct sim_user *user, int64_t size)
{
	struct sim *sim = user->sim;
	int64_t least = (size + PARTS_MAX - 1) / PARTS_MAX;
	int64_t parts = 1 + (int64_t)sim_below(sim, 4);
	int64_t cut;

	if (sim_chance(sim, 500))
		cut = user->part_size;
	else if (sim_chance(sim, 500))
		cut = (size + parts - 1) / parts;
	else
		cut = 1 + (int64_t)sim_below(sim, (uint64_t)size);
	return cut > least ? cut : least;
}

static struct sim_object *upload(struct sim_user *user,
    const struct sim_key *key, struct sim_content *c)
{
	if (user->part_size > 0 && c->size > 0 && sim_chance(user->sim, 700))
		return sim_store_put_parts(user->store, key->bytes, key->len,
		    c, some_cut(user, c->size));
	return sim_store_put(user->store, key->bytes, key->len, c);
}

void sim_user_act_on_store(struct sim_user *user)
{
	struct sim *sim = user->sim;
	const struct sim_key *key = some_key(user);
	struct sim_object *o;
	struct sim_content *c;

	sim_event(sim, "somebody else: %s", sim_text(key->bytes, key->len));
	if (sim_chance(sim, 350)) {
		sim_store_remove(user->store, key->bytes, key->len);
		return;
	}
	c = key->bytes[key->len - 1] == '/' ? sim_content_new(0, 0)
					    : some_content(user);
	o = upload(user, key, c);
	o->archived = sim_chance(sim, 50);
	if (sim_chance(sim, 200))
		o->meta_mtime_ns = sim->wall_ns - CLOCK_SECOND;
	sim_content_unref(c);
}

void sim_user_act(struct sim_user *user)
{
	if (sim_chance(user->sim, 300))
		sim_user_act_on_store(user);
	else
		sim_user_act_on_tree(user,
		    user->trees[sim_below(user->sim, user->tree_count)]);
}

void sim_user_leave(struct sim_user *user)
{
	for (size_t i = 0; i < user->tree_count; i++) {
		struct sim_tree *t = user->trees[i];

		for (size_t n = 0; n < t->count; n++)
			if (sim_chance(user->sim, 700))
				t->nodes[n].locked = false;
	}
}
