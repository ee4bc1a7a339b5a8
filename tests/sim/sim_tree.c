/* SPDX-License-Identifier: MIT */
/* The simulated tree: what users do to it, and what the program may do. */
#include "sim_tree.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"

#define WHY_LOCKED "Permission denied"

/*
 * Inodes
 */

static int64_t stamp(struct sim_tree *t)
{
	sim_pass(t->sim, 1); /* no two stamps are alike: assumption 5 */
	return t->sim->wall_ns;
}

static struct sim_inode *inode_new(struct sim_tree *t,
    struct sim_content *content)
{
	struct sim_inode *i = alloc_zero(1, sizeof(*i));
	int64_t now_ns = stamp(t);

	i->refs = 1;
	i->content = sim_content_ref(content);
	i->sig = (struct local_sig){
		.size = content->size,
		.mtime_ns = now_ns,
		.ctime_ns = now_ns,
		.ino = ++t->next_ino,
	};
	return i;
}

static struct sim_inode *inode_ref(struct sim_inode *i)
{
	i->refs++;
	return i;
}

static void inode_unref(struct sim_inode *i)
{
	if (i == NULL || --i->refs > 0)
		return;
	sim_content_unref(i->content);
	sim_content_unref(i->whole);
	free(i);
}

static void inode_set(struct sim_tree *t, struct sim_inode *i,
    struct sim_content *content)
{
	sim_content_unref(i->content);
	i->content = sim_content_ref(content);
	i->sig.size = content->size;
	i->sig.mtime_ns = i->sig.ctime_ns = stamp(t);
}

/* A slow writer is cut short: what it has written is what there is. */
static void inode_stop_writer(struct sim_inode *i)
{
	sim_content_unref(i->whole);
	i->whole = NULL;
	i->whole_at_ns = 0;
}

/*
 * Names
 */

static void temp_free(struct sim_temp *f)
{
	free(f->bytes);
	free(f->synced);
	free(f);
}

void sim_tree_release(struct sim_tree *t)
{
	for (size_t i = 0; i < t->temp_count; i++)
		temp_free(t->temps[i]);
	free(t->temps);
	t->temps = NULL;
	t->temp_count = t->temp_room = 0;
	for (size_t i = 0; i < t->count; i++) {
		free(t->nodes[i].key);
		inode_unref(t->nodes[i].inode);
	}
	free(t->nodes);
	sim_history_release(&t->history);
	t->nodes = NULL;
	t->count = t->room = 0;
}

struct sim_node *sim_tree_find(struct sim_tree *t, const char *key, size_t len)
{
	for (size_t i = 0; i < t->count; i++)
		if (path_compare(t->nodes[i].key, t->nodes[i].len, key, len) ==
		    0)
			return &t->nodes[i];
	return NULL;
}

bool sim_tree_is_directory(struct sim_tree *t, const char *key, size_t len)
{
	const struct sim_node *n = sim_tree_find(t, key, len);

	return n != NULL && n->kind == SIM_DIR;
}

static void note(struct sim_tree *t, const struct sim_node *n)
{
	if (n->kind == SIM_FILE)
		sim_history_add_local(&t->history, n->key, n->len,
		    &n->inode->sig, n->inode->content);
}

/* All names of an inode are noted, so that hard links could be. */
static void note_inode(struct sim_tree *t, const struct sim_inode *inode)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->nodes[i].inode == inode)
			note(t, &t->nodes[i]);
}

/* Takes ${inode} over. */
static void insert(struct sim_tree *t, const char *key, size_t len,
    enum sim_kind kind, struct sim_inode *inode)
{
	size_t at = t->count;

	ALLOC_GROW(t->nodes, t->count + 1, t->room);
	while (at > 0 &&
	    path_compare(t->nodes[at - 1].key, t->nodes[at - 1].len, key, len) >
		0)
		at--;
	memmove(t->nodes + at + 1, t->nodes + at,
	    (t->count - at) * sizeof(*t->nodes));
	t->count++;
	t->nodes[at] = (struct sim_node){
		.key = alloc_copy(key, len),
		.len = len,
		.kind = kind,
		.inode = inode,
	};
	note(t, &t->nodes[at]);
}

static void remove_at(struct sim_tree *t, size_t at)
{
	free(t->nodes[at].key);
	inode_unref(t->nodes[at].inode);
	t->count--;
	memmove(t->nodes + at, t->nodes + at + 1,
	    (t->count - at) * sizeof(*t->nodes));
}

void sim_tree_remove(struct sim_tree *t, const char *key, size_t len)
{
	for (size_t i = t->count; i-- > 0;) {
		const struct sim_node *n = &t->nodes[i];

		if (path_compare(n->key, n->len, key, len) == 0 ||
		    path_is_below(n->key, n->len, key, len))
			remove_at(t, i);
	}
}

/* Can a file system have this name? It knows nothing of UTF-8. */
static bool is_name(const char *key, size_t len)
{
	switch (path_check(key, len, 0)) {
	case PATH_OK:
	case PATH_NOT_UTF8:
	case PATH_RESERVED_NAME:
	case PATH_TOO_LONG:
		return true;
	case PATH_EMPTY:
	case PATH_MARKER:
	case PATH_ABSOLUTE:
	case PATH_EMPTY_SEGMENT:
	case PATH_DOT_SEGMENT:
	case PATH_SEGMENT_TOO_LONG:
	case PATH_NUL:
		return false;
	}
	return false;
}

/* What stands in the way on the road to ${key}; NULL: nothing. */
static struct sim_node *obstacle(struct sim_tree *t, const char *key,
    size_t len)
{
	for (size_t i = 0; i < len; i++) {
		struct sim_node *n;

		if (key[i] != '/')
			continue;
		n = sim_tree_find(t, key, i);
		if (n != NULL && (n->kind != SIM_DIR || n->locked))
			return n;
	}
	return NULL;
}

static void make_parents(struct sim_tree *t, const char *key, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (key[i] == '/' && sim_tree_find(t, key, i) == NULL)
			insert(t, key, i, SIM_DIR, NULL);
}

/* Makes way for a new name; false: that cannot be. */
static bool clear_way(struct sim_tree *t, const char *key, size_t len)
{
	const struct sim_node *n = sim_tree_find(t, key, len);

	if (!is_name(key, len) || obstacle(t, key, len) != NULL ||
	    (n != NULL && n->kind == SIM_DIR))
		return false;
	sim_tree_remove(t, key, len);
	make_parents(t, key, len);
	return true;
}

/*
 * Users
 */

bool sim_tree_write(struct sim_tree *t, const char *key, size_t len,
    struct sim_content *content)
{
	if (!clear_way(t, key, len))
		return false;
	insert(t, key, len, SIM_FILE, inode_new(t, content));
	return true;
}

bool sim_tree_write_slowly(struct sim_tree *t, const char *key, size_t len,
    struct sim_content *content, int64_t takes_ns)
{
	struct sim_content *begun = sim_content_partial(content);
	struct sim_node *n;

	if (sim_tree_write(t, key, len, begun)) {
		n = sim_tree_find(t, key, len);
		n->inode->whole = sim_content_ref(content);
		n->inode->whole_at_ns = n->inode->sig.ctime_ns + takes_ns;
	}
	sim_content_unref(begun);
	return true;
}

void sim_tree_settle(struct sim_tree *t)
{
	for (size_t i = 0; i < t->count; i++) {
		struct sim_inode *inode = t->nodes[i].inode;

		if (inode == NULL || inode->whole == NULL ||
		    inode->whole_at_ns > t->sim->wall_ns)
			continue;
		inode_set(t, inode, inode->whole);
		inode_stop_writer(inode);
		note_inode(t, inode);
	}
}

static struct sim_node *find_file(struct sim_tree *t, const char *key,
    size_t len)
{
	struct sim_node *n = sim_tree_find(t, key, len);

	return n != NULL && n->kind == SIM_FILE ? n : NULL;
}

bool sim_tree_edit(struct sim_tree *t, const char *key, size_t len,
    struct sim_content *content)
{
	struct sim_node *n = find_file(t, key, len);

	if (n == NULL)
		return false;
	inode_stop_writer(n->inode);
	inode_set(t, n->inode, content);
	note_inode(t, n->inode);
	return true;
}

bool sim_tree_set_mtime(struct sim_tree *t, const char *key, size_t len,
    int64_t mtime_ns)
{
	struct sim_node *n = find_file(t, key, len);

	if (n == NULL || n->inode->whole != NULL)
		return false;
	n->inode->sig.ctime_ns = stamp(t);
	n->inode->sig.mtime_ns = mtime_ns;
	note_inode(t, n->inode);
	return true;
}

bool sim_tree_make_dir(struct sim_tree *t, const char *key, size_t len)
{
	if (sim_tree_find(t, key, len) != NULL || !clear_way(t, key, len))
		return false;
	insert(t, key, len, SIM_DIR, NULL);
	return true;
}

bool sim_tree_make_other(struct sim_tree *t, const char *key, size_t len)
{
	if (!clear_way(t, key, len))
		return false;
	insert(t, key, len, SIM_OTHER, NULL);
	return true;
}

bool sim_tree_rename(struct sim_tree *t, const char *from, size_t from_len,
    const char *to, size_t to_len)
{
	struct sim_node *n = find_file(t, from, from_len);
	struct sim_inode *inode;

	if (n == NULL || n->inode->whole != NULL ||
	    path_compare(from, from_len, to, to_len) == 0)
		return false;
	inode = inode_ref(n->inode);
	if (!clear_way(t, to, to_len)) {
		inode_unref(inode);
		return false;
	}
	sim_tree_remove(t, from, from_len);
	inode->sig.ctime_ns = stamp(t);
	insert(t, to, to_len, SIM_FILE, inode);
	return true;
}

void sim_tree_lock(struct sim_tree *t, const char *key, size_t len, bool lock)
{
	struct sim_node *n = sim_tree_find(t, key, len);

	if (n != NULL && n->kind != SIM_OTHER)
		n->locked = lock;
}

/*
 * The scan: the names of a directory are read when it is entered, and looked
 * at one by one later, while the world goes on.
 */

struct scan_name {
	char *key;
	size_t len;
	bool is_dir;
};

struct scan_frame {
	struct scan_name *names;
	size_t count, next, room;
};

struct tree_scan {
	struct sim_tree *t;
	const struct filter *filter;
	void (*wake)(void *arg);
	void *wake_arg;
	struct scan_frame *frames;
	size_t depth, room;
	char *shown; /* the key handed out last: gone at the next call */
	bool failed;
};

static int compare_names(const void *a, const void *b)
{
	const struct scan_name *p = a, *q = b;
	size_t shorter = p->len < q->len ? p->len : q->len;
	int order = memcmp(p->key, q->key, shorter);
	int p_next, q_next;

	if (order != 0)
		return order;
	p_next = p->len > shorter ? (unsigned char)p->key[shorter]
	    : p->is_dir           ? '/'
				  : -1;
	q_next = q->len > shorter ? (unsigned char)q->key[shorter]
	    : q->is_dir           ? '/'
				  : -1;
	return p_next - q_next;
}

static void sort_rest(struct scan_frame *f)
{
	qsort(f->names + f->next, f->count - f->next, sizeof(*f->names),
	    compare_names);
}

static bool is_child(const struct sim_node *n, const char *dir, size_t dir_len)
{
	return path_is_below(n->key, n->len, dir, dir_len) &&
	    path_parent_len(n->key, n->len) == dir_len;
}

static bool is_ours(const struct sim_node *n)
{
	size_t parent = path_parent_len(n->key, n->len);
	size_t at = parent > 0 ? parent + 1 : 0;

	return path_compare(n->key + at, n->len - at, PATH_RESERVED,
		   strlen(PATH_RESERVED)) == 0;
}

static void enter(struct tree_scan *s, const char *dir, size_t dir_len)
{
	struct scan_frame f = { 0 };

	for (size_t i = 0; i < s->t->count; i++) {
		const struct sim_node *n = &s->t->nodes[i];

		if (!is_child(n, dir, dir_len) || is_ours(n))
			continue;
		ALLOC_GROW(f.names, f.count + 1, f.room);
		f.names[f.count++] = (struct scan_name){
			.key = alloc_copy(n->key, n->len),
			.len = n->len,
			.is_dir = n->kind == SIM_DIR,
		};
	}
	if (f.count > 0)
		sort_rest(&f);
	ALLOC_GROW(s->frames, s->depth + 1, s->room);
	s->frames[s->depth++] = f;
}

static void leave(struct tree_scan *s)
{
	struct scan_frame *f = &s->frames[--s->depth];

	for (size_t i = 0; i < f->count; i++)
		free(f->names[i].key);
	free(f->names);
}

static struct tree_scan *scan_start(struct tree *tree,
    const struct filter *filter, void (*wake)(void *arg), void *arg)
{
	struct tree_scan *s = alloc_zero(1, sizeof(*s));

	s->t = (struct sim_tree *)tree;
	s->filter = filter;
	s->wake = wake;
	s->wake_arg = arg;
	sim_step(s->t->sim);
	enter(s, "", 0);
	return s;
}

static void scan_free(struct tree_scan *s)
{
	if (s == NULL)
		return;
	while (s->depth > 0)
		leave(s);
	free(s->frames);
	free(s->shown);
	free(s);
}

static enum tree_step show(struct tree_scan *s, const struct scan_name *name,
    enum tree_kind kind, bool slash, const char *why, struct tree_entry *out)
{
	struct sim_shown *shown = s->t->shown;

	free(s->shown);
	s->shown = alloc_bytes(name->len + 1);
	memcpy(s->shown, name->key, name->len);
	s->shown[name->len] = '/';
	*out = (struct tree_entry){
		.key = s->shown,
		.key_len = name->len + slash,
		.kind = kind,
		.why = why,
	};
	sim_event(s->t->sim, "scan %s %d", sim_text(out->key, out->key_len),
	    (int)kind);
	if (shown != NULL)
		sim_keys_add(kind == TREE_UNKNOWN || kind == TREE_BLOCKED
			? &shown->unknown
			: &shown->local,
		    out->key, out->key_len);
	return TREE_ENTRY;
}

/* 0: nothing to show. */
static int visit_dir(struct tree_scan *s, const struct scan_name *name,
    const struct sim_node *n, struct tree_entry *out)
{
	enum path_verdict verdict = path_check(name->key, name->len, 0);

	if (verdict != PATH_OK)
		show(s, name, TREE_BLOCKED, true, path_verdict_text(verdict),
		    out);
	else if (n == NULL)
		show(s, name, TREE_UNKNOWN, true, "it vanished", out);
	else if (n->kind != SIM_DIR)
		show(s, name, TREE_UNKNOWN, true, "it was replaced", out);
	else if (n->locked)
		show(s, name, TREE_UNKNOWN, true, WHY_LOCKED, out);
	else {
		enter(s, name->key, name->len);
		return 0;
	}
	return 1;
}

/* What was a file has become a directory: its place is further on. */
static void postpone(struct scan_frame *f)
{
	f->names[--f->next].is_dir = true;
	sort_rest(f);
}

static int visit_file(struct tree_scan *s, struct scan_frame *f,
    const struct scan_name *name, const struct sim_node *n,
    struct tree_entry *out)
{
	if (n == NULL)
		return 0;
	if (n->kind == SIM_DIR) {
		postpone(f);
		return 0;
	}
	if (n->kind == SIM_OTHER) {
		show(s, name, TREE_OTHER, false, "a symlink", out);
	} else if (n->locked) {
		show(s, name, TREE_UNKNOWN, false, WHY_LOCKED, out);
	} else {
		show(s, name, TREE_FILE, false, NULL, out);
		out->sig = n->inode->sig;
	}
	return 1;
}

/* The next name, wherever it leads: 1 shown, 0 go on, -1 the end. */
static int visit(struct tree_scan *s, struct tree_entry *out)
{
	struct scan_frame *f;
	struct scan_name name;
	const struct sim_node *n;

	if (s->depth == 0)
		return -1;
	f = &s->frames[s->depth - 1];
	if (f->next == f->count) {
		leave(s);
		return 0;
	}
	name = f->names[f->next++];
	if (filter_excludes(s->filter, name.key, name.len, name.is_dir))
		return 0;
	n = sim_tree_find(s->t, name.key, name.len);
	if (obstacle(s->t, name.key, name.len) != NULL) {
		show(s, &name, TREE_UNKNOWN, name.is_dir, "cut off", out);
		return 1;
	}
	return name.is_dir ? visit_dir(s, &name, n, out)
			   : visit_file(s, f, &name, n, out);
}

static enum tree_step scan_next(struct tree_scan *s, struct tree_entry *out,
    struct error *err)
{
	struct sim *sim = s->t->sim;
	int shown;

	sim_step(sim);
	if (sim->dead || s->failed || sim_fault(sim, FAULT_SCAN_FAILED)) {
		s->failed = true;
		error_set(err, ERROR_ROOT, "the root could not be read");
		return TREE_FAILED;
	}
	if (!sim->still && sim_chance(sim, 100)) {
		s->wake(s->wake_arg);
		return TREE_WAIT;
	}
	while ((shown = visit(s, out)) == 0)
		;
	if (shown > 0)
		return TREE_ENTRY;
	if (s->t->shown != NULL)
		s->t->shown->scanned = true;
	return TREE_END;
}

/*
 * Looking and reading
 */

static enum tree_probe probe(struct tree *tree, const char *key, size_t len)
{
	struct sim_tree *t = (struct sim_tree *)tree;
	const struct sim_node *n;

	sim_step(t->sim);
	n = obstacle(t, key, len);
	if (n != NULL)
		return n->kind == SIM_DIR ? TREE_CANNOT_TELL
					  : TREE_PARENT_IN_WAY;
	n = sim_tree_find(t, key, len);
	if (n == NULL)
		return TREE_FREE;
	return n->kind == SIM_DIR ? TREE_HAS_DIRECTORY : TREE_HAS_FILE;
}

struct tree_reader {
	struct sim_tree *t;
	struct sim_inode *inode;
	char *key;
	size_t len;
};

static int dead(const struct sim_tree *t, struct error *err)
{
	return t->sim->dead ? error_set(err, ERROR_STOPPED, "killed") : 0;
}

/* What was planned to be sent is being written anew. */
static void rewrite(struct sim_tree *t, const char *key, size_t len)
{
	struct sim_content *c;

	if (t->slow_ns == 0 || !sim_fault(t->sim, FAULT_READ_REWRITTEN))
		return;
	c = sim_content_new(sim_random(t->sim),
	    1 + (int64_t)sim_below(t->sim, 1000));
	sim_tree_write_slowly(t, key, len, c, t->slow_ns);
	sim_content_unref(c);
}

static int read_open(struct tree *tree, const char *key, size_t len,
    struct tree_reader **reader, struct local_sig *sig, struct error *err)
{
	struct sim_tree *t = (struct sim_tree *)tree;
	const struct sim_node *n;
	struct tree_reader *r;

	*reader = NULL;
	sim_step(t->sim);
	if (dead(t, err) < 0)
		return -1;
	rewrite(t, key, len);
	n = sim_tree_find(t, key, len);
	if (n == NULL)
		return error_set(err, ERROR_CHANGED, "the file vanished");
	if (n->kind != SIM_FILE)
		return error_set(err, ERROR_BLOCKED, "not a regular file");
	if (n->locked || obstacle(t, key, len) != NULL ||
	    sim_fault(t->sim, FAULT_READ_OPEN))
		return error_set(err, ERROR_LOCAL, WHY_LOCKED);
	sim_event(t->sim, "open %s", sim_text(key, len));
	r = alloc_zero(1, sizeof(*r));
	r->t = t;
	r->inode = inode_ref(n->inode);
	r->key = alloc_copy(key, len);
	r->len = len;
	t->open_readers++;
	*sig = n->inode->sig;
	*reader = r;
	return 0;
}

static ssize_t read_content(struct sim *sim, const struct sim_content *c,
    int64_t offset, void *buf, size_t len)
{
	int64_t left = c->size - offset;

	if (left <= 0)
		return 0;
	if ((int64_t)len > left)
		len = (size_t)left;
	if (len > 1 && sim_chance(sim, 100))
		len = 1 + (size_t)sim_below(sim, len);
	memcpy(buf, c->bytes + offset, len);
	return (ssize_t)len;
}

/* Somebody writes while the program reads. */
static void disturb(struct tree_reader *r)
{
	struct sim *sim = r->t->sim;
	bool replaced = sim_fault(sim, FAULT_READ_REPLACED);
	bool edited = sim_fault(sim, FAULT_READ_EDITED);
	struct sim_content *c;

	if (!replaced && !edited)
		return;
	c = sim_content_new(sim_random(sim),
	    sim_chance(sim, 800) ? r->inode->sig.size
				 : (int64_t)sim_below(sim, 1000));
	if (replaced)
		sim_tree_write(r->t, r->key, r->len, c);
	if (edited)
		sim_tree_edit(r->t, r->key, r->len, c);
	sim_content_unref(c);
}

static ssize_t read_at(struct tree_reader *r, int64_t offset, void *buf,
    size_t len, struct error *err)
{
	struct sim *sim = r->t->sim;

	sim_step(sim);
	if (dead(r->t, err) < 0)
		return -1;
	if (sim_fault(sim, FAULT_READ))
		return error_sys(err, ERROR_LOCAL, EIO, "cannot read");
	disturb(r);
	return read_content(sim, r->inode->content, offset, buf, len);
}

static int read_check(struct tree_reader *r, const struct local_sig *sig,
    struct error *err)
{
	const struct sim_node *n;

	sim_step(r->t->sim);
	if (dead(r->t, err) < 0)
		return -1;
	disturb(r);
	n = sim_tree_find(r->t, r->key, r->len);
	if (n == NULL || n->inode != r->inode ||
	    !signature_local_equal(&r->inode->sig, sig))
		return error_set(err, ERROR_CHANGED, "the file was modified");
	return 0;
}

static void read_close(struct tree_reader *r)
{
	r->t->open_readers--;
	inode_unref(r->inode);
	free(r->key);
	free(r);
}

/*
 * Writing and publishing
 */

struct tree_writer {
	struct sim_tree *t;
	struct sim_temp *file;
	int64_t mtime_ns;
	bool finished;
};

static struct sim_temp *temp_new(int64_t room)
{
	struct sim_temp *f = alloc_zero(1, sizeof(*f));

	f->room = room;
	f->synced_size = -1;
	f->bytes = alloc_zero(1, (size_t)room + 1);
	f->synced = alloc_zero(1, (size_t)room + 1);
	return f;
}

static struct sim_temp *temp_find(struct sim_tree *t, const char *name)
{
	for (size_t i = 0; i < t->temp_count; i++)
		if (strcmp(t->temps[i]->name, name) == 0)
			return t->temps[i];
	return NULL;
}

/* It loses its name; the file is still there. */
static void temp_unlink(struct sim_tree *t, struct sim_temp *f)
{
	size_t at = 0;

	while (t->temps[at] != f)
		at++;
	t->temps[at] = t->temps[--t->temp_count];
	f->name[0] = '\0';
}

void sim_tree_sweep(struct sim_tree *t, bool (*keep)(void *arg,
    const char *name), void *arg)
{
	for (size_t i = t->temp_count; i-- > 0;) {
		struct sim_temp *f = t->temps[i];

		if (keep(arg, f->name))
			continue;
		temp_unlink(t, f);
		temp_free(f);
	}
}

void sim_tree_lose_power(struct sim_tree *t)
{
	for (size_t i = t->temp_count; i-- > 0;) {
		struct sim_temp *f = t->temps[i];

		if (f->synced_size < 0) {
			temp_unlink(t, f);
			temp_free(f);
			continue;
		}
		memcpy(f->bytes, f->synced, (size_t)f->room);
		f->size = f->synced_size;
	}
}

static int open_fails(struct sim_tree *t, struct error *err)
{
	sim_step(t->sim);
	if (dead(t, err) < 0)
		return -1;
	if (sim_fault(t->sim, FAULT_WRITE_OPEN))
		return error_sys(err, ERROR_LOCAL, EACCES, "no temporary file");
	return 0;
}

static struct tree_writer *writer_new(struct sim_tree *t, struct sim_temp *f)
{
	struct tree_writer *w = alloc_zero(1, sizeof(*w));

	w->t = t;
	w->file = f;
	t->open_writers++;
	return w;
}

static int write_open(struct tree *tree, int64_t size, struct tree_writer **w,
    struct error *err)
{
	struct sim_tree *t = (struct sim_tree *)tree;

	*w = NULL;
	if (open_fails(t, err) < 0)
		return -1;
	*w = writer_new(t, temp_new(size));
	return 0;
}

static int write_open_named(struct tree *tree, int64_t size,
    char name[TREE_TEMPORARY_SIZE], struct tree_writer **w, struct error *err)
{
	struct sim_tree *t = (struct sim_tree *)tree;
	struct sim_temp *f;
	bool kept;

	*w = NULL;
	if (open_fails(t, err) < 0)
		return -1;
	f = temp_find(t, name);
	kept = f != NULL;
	if (!kept) {
		f = temp_new(size);
		snprintf(f->name, sizeof(f->name), "get-%016" PRIx64,
		    sim_random(t->sim));
		snprintf(name, TREE_TEMPORARY_SIZE, "%s", f->name);
		ALLOC_GROW(t->temps, t->temp_count + 1, t->temp_room);
		t->temps[t->temp_count++] = f;
	}
	if (f->room != size)
		sim_broken(t->sim, "went on in another object's file");
	sim_event(t->sim, "%s %s", kept ? "gone on in" : "begun", name);
	*w = writer_new(t, f);
	return kept;
}

static int write_at(struct tree_writer *w, int64_t offset, const void *buf,
    size_t len, struct error *err)
{
	struct sim_temp *f = w->file;

	sim_step(w->t->sim);
	if (dead(w->t, err) < 0)
		return -1;
	assert(!w->finished && offset + (int64_t)len <= f->room);
	if (sim_fault(w->t->sim, FAULT_NO_SPACE))
		return error_sys(err, ERROR_LOCAL, ENOSPC, "cannot write");
	if (sim_fault(w->t->sim, FAULT_WRITE))
		return error_sys(err, ERROR_LOCAL, EIO, "cannot write");
	memcpy(f->bytes + offset, buf, len);
	if (f->size < offset + (int64_t)len)
		f->size = offset + (int64_t)len;
	return 0;
}

static ssize_t write_read_at(struct tree_writer *w, int64_t offset, void *buf,
    size_t len, struct error *err)
{
	int64_t left = w->file->size - offset;

	sim_step(w->t->sim);
	if (dead(w->t, err) < 0)
		return -1;
	if (sim_fault(w->t->sim, FAULT_REREAD))
		return error_sys(err, ERROR_LOCAL, EIO, "cannot read back");
	if (left <= 0)
		return 0;
	if ((int64_t)len > left)
		len = (size_t)left;
	memcpy(buf, w->file->bytes + offset, len);
	return (ssize_t)len;
}

static int write_sync(struct tree_writer *w, struct error *err)
{
	struct sim_temp *f = w->file;

	sim_step(w->t->sim);
	if (dead(w->t, err) < 0)
		return -1;
	if (sim_fault(w->t->sim, FAULT_SYNC))
		return error_sys(err, ERROR_NO_SPACE, EIO, "cannot sync");
	memcpy(f->synced, f->bytes, (size_t)f->room);
	f->synced_size = f->size;
	return 0;
}

static int write_finish(struct tree_writer *w, int64_t mtime_ns,
    struct error *err)
{
	sim_step(w->t->sim);
	if (dead(w->t, err) < 0)
		return -1;
	w->mtime_ns = mtime_ns;
	w->finished = true;
	return 0;
}

/* A name outlives who is killed. */
static void write_keep(struct tree_writer *w)
{
	if (w == NULL)
		return;
	w->t->open_writers--;
	if (w->file->name[0] == '\0')
		temp_free(w->file);
	free(w);
}

static void write_abandon(struct tree_writer *w)
{
	if (w != NULL && w->file->name[0] != '\0' && !w->t->sim->dead)
		temp_unlink(w->t, w->file);
	write_keep(w);
}

static void write_forget(struct tree *tree, const char *name)
{
	struct sim_tree *t = (struct sim_tree *)tree;
	struct sim_temp *f;

	sim_step(t->sim);
	f = t->sim->dead ? NULL : temp_find(t, name);
	if (f == NULL)
		return;
	temp_unlink(t, f);
	temp_free(f);
}

static int publish_check(struct sim_tree *t, struct tree_publication *p)
{
	const struct sim_node *n = obstacle(t, p->key, p->key_len);

	if (dead(t, &p->error) < 0)
		return -1;
	if (sim_fault(t->sim, FAULT_PUBLISH))
		return error_sys(&p->error, ERROR_LOCAL, EIO, "cannot link");
	if (n != NULL && n->kind == SIM_DIR)
		return error_set(&p->error, ERROR_LOCAL, WHY_LOCKED);
	if (n != NULL)
		return error_set(&p->error, ERROR_BLOCKED,
		    "a parent is no directory");
	if (!is_name(p->key, p->key_len) ||
	    path_check(p->key, p->key_len, 0) != PATH_OK) {
		sim_broken(t->sim, "published at %s, which is no path",
		    sim_text(p->key, p->key_len));
		return error_set(&p->error, ERROR_BLOCKED, "no path");
	}
	return 0;
}

/* At the last moment: after the program has looked, before it links. */
static void take_name(struct sim_tree *t, const char *key, size_t len)
{
	struct sim_content *c = sim_content_new(sim_random(t->sim), 3);

	if (sim_tree_find(t, key, len) == NULL)
		sim_tree_write(t, key, len, c);
	sim_content_unref(c);
}

/* Users never see anything but contents that were whole. */
static void audit_publication(struct sim_tree *t,
    const struct tree_publication *p, const struct sim_content *c)
{
	if (!p->writer->finished)
		sim_broken(t->sim, "published unfinished: %s",
		    sim_text(p->key, p->key_len));
	if (t->objects != NULL &&
	    !sim_history_whole(t->objects, p->key, p->key_len, c->md5, c->size))
		sim_broken(t->sim,
		    "published a content at %s that no object "
		    "ever had",
		    sim_text(p->key, p->key_len));
}

static void give_name(struct sim_tree *t, struct tree_publication *p,
    const struct tree_writer *w)
{
	struct sim_content *c =
	    sim_content_copy(w->file->bytes, w->file->size);
	struct sim_inode *inode = inode_new(t, c);
	struct local_sig set;

	if (sim_tree_find(t, p->key, p->key_len) != NULL)
		sim_broken(t->sim, "published over what was at %s",
		    sim_text(p->key, p->key_len));
	audit_publication(t, p, c);
	inode->sig.mtime_ns = w->mtime_ns;
	set = inode->sig;
	make_parents(t, p->key, p->key_len);
	insert(t, p->key, p->key_len, SIM_FILE, inode);
	t->published++;
	sim_event(t->sim, "published %s", sim_text(p->key, p->key_len));
	if (sim_fault(t->sim, FAULT_PUBLISH_EDITED)) {
		struct sim_content *edit =
		    sim_content_new(sim_random(t->sim), c->size);

		sim_tree_edit(t, p->key, p->key_len, edit);
		sim_content_unref(edit);
	}
	p->sig = inode->sig;
	p->racy = p->sig.size != set.size || p->sig.mtime_ns != set.mtime_ns;
	sim_content_unref(c);
}

static void publish_one(struct sim_tree *t, struct tree_publication *p)
{
	sim_step(t->sim);
	error_clear(&p->error);
	p->racy = false;
	if (publish_check(t, p) < 0)
		return;
	if (sim_fault(t->sim, FAULT_PUBLISH_EXISTS))
		take_name(t, p->key, p->key_len);
	if (sim_tree_find(t, p->key, p->key_len) != NULL) {
		error_set(&p->error, ERROR_EXISTS, "the name is taken");
		return;
	}
	give_name(t, p, p->writer);
	if (sim_fault(t->sim, FAULT_PUBLISH_UNSURE))
		error_sys(&p->error, ERROR_NO_SPACE, EIO, "cannot sync");
}

static void publish(struct tree *tree, struct tree_publication *batch,
    size_t count)
{
	struct sim_tree *t = (struct sim_tree *)tree;

	for (size_t i = 0; i < count; i++)
		publish_one(t, &batch[i]);
	for (size_t i = 0; i < count; i++) {
		write_abandon(batch[i].writer);
		batch[i].writer = NULL;
	}
}

static void tree_free(struct tree *tree)
{
	sim_tree_release((struct sim_tree *)tree);
}

static const struct tree_ops ops = {
	.scan_start = scan_start,
	.scan_next = scan_next,
	.scan_free = scan_free,
	.probe = probe,
	.read_open = read_open,
	.read_at = read_at,
	.read_check = read_check,
	.read_close = read_close,
	.write_open = write_open,
	.write_at = write_at,
	.write_read_at = write_read_at,
	.write_finish = write_finish,
	.write_abandon = write_abandon,
	.write_open_named = write_open_named,
	.write_sync = write_sync,
	.write_keep = write_keep,
	.write_forget = write_forget,
	.publish = publish,
	.free = tree_free,
};

void sim_tree_init(struct sim_tree *t, struct sim *sim)
{
	*t = (struct sim_tree){
		.base.ops = &ops,
		.sim = sim,
		.next_ino = 1000,
	};
}
