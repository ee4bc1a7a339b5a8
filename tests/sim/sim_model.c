/* SPDX-License-Identifier: MIT */
/* The model of doc/sync-model.md over whole sets. */
#include "sim_model.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"

enum here { HERE_NOTHING, HERE_FILE, HERE_OTHER, HERE_BLOCKED, HERE_UNKNOWN };

/* The whole sets. */
struct sets {
	const struct sim_model *model;
	const struct sim_table *before;
	struct sim_keys names;   /* files and others that the scan shows */
	struct sim_keys unknown; /* what it says it cannot see … */
	struct sim_keys blocked; /* … or will not enter */
	struct sim_keys objects; /* visible ones */
	struct sim_keys all;     /* whatever has a row, too */
};

static bool is_excluded(const struct sets *s, const char *key, size_t len)
{
	struct filter_memo memo = { 0 };

	return filter_excludes_key(s->model->filter, &memo, key, len);
}

static bool has_reserved(const char *key, size_t len)
{
	size_t start = 0;

	for (size_t i = 0; i <= len; i++) {
		if (i < len && key[i] != '/')
			continue;
		if (i - start == strlen(PATH_RESERVED) &&
		    memcmp(key + start, PATH_RESERVED, i - start) == 0)
			return true;
		start = i + 1;
	}
	return false;
}

/* The verdict names the first fault of a key; ours only where it is first. */
static bool is_reserved(const char *key, size_t len)
{
	return has_reserved(key, len) &&
	    path_check(key, len, 0) == PATH_RESERVED_NAME;
}

static void add_once(struct sim_keys *keys, const char *key, size_t len)
{
	if (!sim_keys_has(keys, key, len))
		sim_keys_add(keys, key, len);
}

static void add_all(struct sim_keys *keys, const struct sim_keys *more)
{
	for (size_t i = 0; i < more->count; i++)
		add_once(keys, more->items[i].bytes, more->items[i].len);
}

static bool is_hidden(const struct sets *s, const char *key, size_t len)
{
	return sim_keys_covers(&s->unknown, key, len) ||
	    sim_keys_covers(&s->blocked, key, len);
}

/* Directories that the scan cannot or will not enter, and files that it
 * cannot look at. */
static void collect_hidden(struct sets *s)
{
	const struct sim_tree *t = s->model->tree;

	for (size_t i = 0; i < t->count; i++) {
		const struct sim_node *n = &t->nodes[i];
		bool dir = n->kind == SIM_DIR;
		bool blocked = dir && path_check(n->key, n->len, 0) != PATH_OK;
		char *key = alloc_bytes(n->len + 1);

		memcpy(key, n->key, n->len);
		key[n->len] = '/';
		if ((n->locked || blocked) && !has_reserved(n->key, n->len) &&
		    !is_excluded(s, key, n->len + dir) &&
		    !is_hidden(s, n->key, n->len))
			sim_keys_add(blocked ? &s->blocked : &s->unknown, key,
			    n->len + dir);
		free(key);
	}
}

static void collect(struct sets *s)
{
	const struct sim_tree *t = s->model->tree;
	const struct sim_store *store = s->model->store;

	collect_hidden(s);
	for (size_t i = 0; i < t->count; i++) {
		const struct sim_node *n = &t->nodes[i];

		if (n->kind != SIM_DIR && !has_reserved(n->key, n->len) &&
		    !is_excluded(s, n->key, n->len) &&
		    !is_hidden(s, n->key, n->len))
			sim_keys_add(&s->names, n->key, n->len);
	}
	for (size_t i = 0; i < store->count; i++) {
		const struct sim_object *o = &store->objects[i];

		if (o->len > 0 && !is_excluded(s, o->key, o->len) &&
		    !is_reserved(o->key, o->len))
			sim_keys_add(&s->objects, o->key, o->len);
	}
	add_all(&s->all, &s->names);
	add_all(&s->all, &s->unknown);
	add_all(&s->all, &s->blocked);
	add_all(&s->all, &s->objects);
	for (size_t i = 0; i < s->before->count; i++)
		add_once(&s->all, s->before->rows[i].key,
		    s->before->rows[i].len);
}

static void sets_release(struct sets *s)
{
	sim_keys_release(&s->names);
	sim_keys_release(&s->unknown);
	sim_keys_release(&s->blocked);
	sim_keys_release(&s->objects);
	sim_keys_release(&s->all);
}

/*
 * One key
 */

struct facts {
	const char *key;
	size_t len;
	enum here here;
	const struct sim_inode *file;    /* HERE_FILE */
	const struct sim_object *object; /* NULL: absent */
	const struct sim_row *row;       /* NULL: none */
	bool based;
	bool spoken_for; /* HERE_UNKNOWN: by the row of a directory above it */
};

static enum here look_here(const struct sets *s, const char *key, size_t len)
{
	if (sim_keys_has(&s->blocked, key, len))
		return HERE_BLOCKED;
	if (is_hidden(s, key, len))
		return HERE_UNKNOWN;
	if (!sim_keys_has(&s->names, key, len))
		return HERE_NOTHING;
	return sim_tree_find(s->model->tree, key, len)->kind == SIM_FILE
	    ? HERE_FILE
	    : HERE_OTHER;
}

static const struct sim_object *look_there(const struct sets *s,
    const char *key, size_t len)
{
	return sim_keys_has(&s->objects, key, len)
	    ? sim_store_find(s->model->store, key, len)
	    : NULL;
}

static struct facts facts_of(const struct sets *s, const char *key, size_t len)
{
	struct facts f = {
		.key = key,
		.len = len,
		.here = look_here(s, key, len),
		.object = look_there(s, key, len),
		.row = sim_table_find(s->before, key, len),
	};

	if (f.here == HERE_FILE)
		f.file = sim_tree_find(s->model->tree, key, len)->inode;
	f.based = f.row != NULL && f.row->has_entry;
	f.spoken_for =
	    f.here == HERE_UNKNOWN && !sim_keys_has(&s->unknown, key, len);
	return f;
}

struct verdict {
	enum decide_action action;
	enum decide_reason reason;
};

/* Both sides are there. */
static struct verdict judge_both(const struct facts *f)
{
	bool here_same, there_same;

	if (!f->based)
		return f->file->sig.size == f->object->sig.size
		    ? (struct verdict){ ACTION_ADOPT, REASON_BOTH_NEW }
		    : (struct verdict){ ACTION_NONE, REASON_DIFFERENT };
	here_same = signature_local_equal(&f->file->sig, &f->row->base_local);
	there_same =
	    signature_remote_equal(&f->object->sig, &f->row->base_remote);
	if (here_same && there_same)
		return (struct verdict){ ACTION_NONE, REASON_AGREED };
	if (here_same)
		return (struct verdict){ ACTION_NONE, REASON_REMOTE_CHANGED };
	if (there_same)
		return (struct verdict){ ACTION_NONE, REASON_LOCAL_CHANGED };
	return (struct verdict){ ACTION_NONE, REASON_BOTH_CHANGED };
}

static bool is_no_file(const struct facts *f)
{
	return f->here == HERE_OTHER || f->here == HERE_BLOCKED;
}

/* What would be done if nothing stood in the way. What is no file would go
 * up if nothing is there: so it is reported. */
static struct verdict judge(const struct facts *f)
{
	bool here =
	    f->here == HERE_FILE || (is_no_file(f) && f->object == NULL);

	if (f->here == HERE_UNKNOWN)
		return (struct verdict){ ACTION_NONE, REASON_UNKNOWN };
	if (here && f->object != NULL)
		return judge_both(f);
	if (here)
		return (struct verdict){ ACTION_UPLOAD,
			f->based && f->here == HERE_FILE ? REASON_MISSING_REMOTE
							 : REASON_NEW_LOCAL };
	if (f->object != NULL)
		return (struct verdict){ ACTION_DOWNLOAD,
			f->based ? REASON_MISSING_LOCAL : REASON_NEW_REMOTE };
	return (struct verdict){ ACTION_FORGET, REASON_GONE };
}

/*
 * What stands in the way
 */

static bool name_is_bad(const struct sets *s, const struct facts *f)
{
	return path_check(f->key, f->len, strlen(s->model->store->prefix)) !=
	    PATH_OK;
}

/* Objects below "KEY/" that could come here. */
static bool objects_below(const struct sets *s, const struct facts *f)
{
	for (size_t i = 0; i < s->objects.count; i++) {
		const struct sim_key *k = &s->objects.items[i];

		if (path_is_below(k->bytes, k->len, f->key, f->len) &&
		    path_check(k->bytes, k->len,
			strlen(s->model->store->prefix)) == PATH_OK)
			return true;
	}
	return false;
}

/* Is a parent of a key that would come down no directory? */
static bool parent_blocks_download(const struct sets *s, const struct facts *f)
{
	for (size_t i = 0; i < f->len; i++) {
		enum here here;
		const struct sim_object *o;

		if (f->key[i] != '/')
			continue;
		here = look_here(s, f->key, i);
		if (here == HERE_FILE || here == HERE_OTHER)
			return true;
		o = look_there(s, f->key, i);
		if (o != NULL && o->sig.size > 0 &&
		    !sim_tree_is_directory(s->model->tree, f->key, i))
			return true;
	}
	return false;
}

static bool parent_is_object(const struct sets *s, const struct facts *f)
{
	for (size_t i = 0; i < f->len; i++)
		if (f->key[i] == '/' && look_there(s, f->key, i) != NULL)
			return true;
	return false;
}

static bool type_blocks(const struct sets *s, const struct facts *f,
    enum decide_action action)
{
	if (action == ACTION_DOWNLOAD)
		return sim_tree_is_directory(s->model->tree, f->key, f->len) ||
		    parent_blocks_download(s, f) ||
		    (f->object->sig.size == 0 && objects_below(s, f));
	return (action == ACTION_UPLOAD && parent_is_object(s, f)) ||
	    objects_below(s, f);
}

static bool is_done(const struct sets *s, const struct facts *f)
{
	const struct conf_words *words = s->model->done_suffixes;
	bool done = false;

	for (size_t i = 0; words != NULL && i < words->count && !done; i++) {
		size_t extra = strlen(words->items[i]);
		char *key = alloc_bytes(f->len + extra);

		memcpy(key, f->key, f->len);
		memcpy(key + f->len, words->items[i], extra);
		done = sim_keys_has(&s->names, key, f->len + extra) ||
		    sim_keys_has(&s->unknown, key, f->len + extra) ||
		    sim_keys_has(&s->objects, key, f->len + extra);
		free(key);
	}
	return done;
}

/* Our own upload of this very file made this very object, and a wrong one. */
static bool is_damaged(const struct facts *f)
{
	const struct sim_row *row = f->row;

	return row != NULL && row->has_pending &&
	    row->reason == REASON_DAMAGED && row->has_local &&
	    row->has_remote &&
	    signature_local_equal(&row->local, &f->file->sig) &&
	    signature_remote_equal(&row->remote, &f->object->sig);
}

static struct verdict withhold(const struct sets *s, const struct facts *f,
    struct verdict v)
{
	if (v.action == ACTION_NONE || v.action == ACTION_FORGET)
		return v;
	if (is_no_file(f))
		return (struct verdict){ ACTION_NONE, REASON_BLOCKED_TYPE };
	if (name_is_bad(s, f))
		return (struct verdict){ ACTION_NONE, REASON_BLOCKED_NAME };
	if (type_blocks(s, f, v.action))
		return (struct verdict){ ACTION_NONE, REASON_BLOCKED_TYPE };
	if (v.action != ACTION_ADOPT && is_done(s, f))
		return (struct verdict){ ACTION_NONE, REASON_DONE };
	if (v.action == ACTION_DOWNLOAD && f->object->archived)
		return (struct verdict){ ACTION_NONE, REASON_ARCHIVED };
	if (v.action == ACTION_ADOPT && is_damaged(f))
		return (struct verdict){ ACTION_NONE, REASON_DAMAGED };
	return v;
}

/*
 * Comparing
 */

static void count(struct survey_result *r, const struct facts *f,
    struct verdict v)
{
	r->local_keys += f->here == HERE_FILE;
	r->remote_keys += f->object != NULL;
	r->adopted += v.action == ACTION_ADOPT;
	r->agreed += v.reason == REASON_AGREED;
	switch (decide_reason_class(v.reason)) {
	case CLASS_AGREED:
		break;
	case CLASS_PLANNED:
		if (v.action == ACTION_UPLOAD) {
			r->up++;
			r->bytes_up += f->file->sig.size;
		} else {
			r->down++;
			r->bytes_down += f->object->sig.size;
		}
		break;
	case CLASS_WAITING:
		r->waiting++;
		break;
	case CLASS_DIFFERING:
		r->differing++;
		break;
	case CLASS_BLOCKED:
		r->blocked++;
		break;
	}
}

static void check_entry(struct sim *sim, const struct facts *f,
    const struct sim_row *now, struct verdict v)
{
	bool has = now != NULL && now->has_entry;
	bool should =
	    v.action == ACTION_ADOPT || (f->based && v.action != ACTION_FORGET);

	if (has != should)
		sim_broken(sim, "model: %s should have %s entry",
		    sim_text(f->key, f->len), should ? "an" : "no");
	else if (v.action == ACTION_ADOPT &&
	    (now->synced ||
		!signature_local_equal(&now->base_local, &f->file->sig) ||
		!signature_remote_equal(&now->base_remote, &f->object->sig)))
		sim_broken(sim, "model: %s is adopted otherwise",
		    sim_text(f->key, f->len));
}

static void check_pending(struct sim *sim, const struct facts *f,
    const struct sim_row *now, struct verdict v)
{
	bool has = now != NULL && now->has_pending;
	bool should = v.action != ACTION_ADOPT && v.action != ACTION_FORGET &&
	    v.reason != REASON_AGREED &&
	    !(v.reason == REASON_UNKNOWN && f->based && f->spoken_for);

	if (has != should)
		sim_broken(sim, "model: %s should have %s pending row (%s)",
		    sim_text(f->key, f->len), should ? "a" : "no",
		    decide_reason_name(v.reason));
	else if (has &&
	    (now->action != (int)v.action || now->reason != (int)v.reason))
		sim_broken(sim, "model: %s is %s/%s, should be %s/%s",
		    sim_text(f->key, f->len),
		    decide_action_name((enum decide_action)now->action),
		    decide_reason_name((enum decide_reason)now->reason),
		    decide_action_name(v.action), decide_reason_name(v.reason));
}

static void check_result(struct sim *sim, const struct survey_result *is,
    const struct survey_result *should)
{
	const struct {
		const char *name;
		int64_t is, should;
	} numbers[] = {
		{ "local_keys", is->local_keys, should->local_keys },
		{ "remote_keys", is->remote_keys, should->remote_keys },
		{ "agreed", is->agreed, should->agreed },
		{ "adopted", is->adopted, should->adopted },
		{ "up", is->up, should->up },
		{ "down", is->down, should->down },
		{ "bytes_up", is->bytes_up, should->bytes_up },
		{ "bytes_down", is->bytes_down, should->bytes_down },
		{ "waiting", is->waiting, should->waiting },
		{ "differing", is->differing, should->differing },
		{ "blocked", is->blocked, should->blocked },
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i].is != numbers[i].should)
			sim_broken(sim, "model: %s is %lld, should be %lld",
			    numbers[i].name, (long long)numbers[i].is,
			    (long long)numbers[i].should);
}

void sim_model_check(const struct sim_model *model,
    const struct sim_table *before, const struct sim_table *after,
    const struct survey_result *result)
{
	struct sets s = { .model = model, .before = before };
	struct survey_result should = { 0 };
	struct sim *sim = model->tree->sim;

	collect(&s);
	for (size_t i = 0; i < s.all.count; i++) {
		const struct sim_key *k = &s.all.items[i];
		struct facts f = facts_of(&s, k->bytes, k->len);
		struct verdict v = withhold(&s, &f, judge(&f));
		const struct sim_row *now =
		    sim_table_find(after, k->bytes, k->len);

		count(&should, &f, v);
		check_entry(sim, &f, now, v);
		check_pending(sim, &f, now, v);
	}
	for (size_t i = 0; i < after->count; i++)
		if (!sim_keys_has(&s.all, after->rows[i].key,
			after->rows[i].len))
			sim_broken(sim, "model: a row of %s came from nowhere",
			    sim_text(after->rows[i].key, after->rows[i].len));
	check_result(sim, result, &should);
	sets_release(&s);
}

/*
 * Convergence
 */

static void check_settled(struct sim *sim, const struct facts *f)
{
	bool here = f->here == HERE_FILE || is_no_file(f);
	bool pending = f->row != NULL && f->row->has_pending;

	if (pending &&
	    decide_reason_class((enum decide_reason)f->row->reason) ==
		CLASS_PLANNED)
		sim_broken(sim, "%s is still to be done (%s)",
		    sim_text(f->key, f->len),
		    decide_reason_name((enum decide_reason)f->row->reason));
	if (f->here == HERE_UNKNOWN)
		return;
	if (here != (f->object != NULL) && !pending)
		sim_broken(sim, "%s is on one side only, and no row tells why",
		    sim_text(f->key, f->len));
	if ((here || f->object != NULL) && f->row == NULL)
		sim_broken(sim, "%s has no row", sim_text(f->key, f->len));
}

/* What the manifest calls synced, and nobody has touched, is the same. */
static void check_content(struct sim *sim, const struct facts *f)
{
	if (!f->based || !f->row->synced || f->row->racy || f->file == NULL ||
	    f->object == NULL ||
	    !signature_local_equal(&f->file->sig, &f->row->base_local) ||
	    !signature_remote_equal(&f->object->sig, &f->row->base_remote))
		return;
	if (f->file->content->size != f->object->content->size ||
	    memcmp(f->file->content->md5, f->object->content->md5,
		DIGEST_MD5_SIZE) != 0)
		sim_broken(sim, "%s is called synced and differs",
		    sim_text(f->key, f->len));
}

void sim_model_check_converged(const struct sim_model *model,
    const struct sim_table *table)
{
	struct sets s = { .model = model, .before = table };

	collect(&s);
	for (size_t i = 0; i < s.all.count; i++) {
		struct facts f =
		    facts_of(&s, s.all.items[i].bytes, s.all.items[i].len);

		check_settled(model->tree->sim, &f);
		check_content(model->tree->sim, &f);
	}
	sets_release(&s);
}
