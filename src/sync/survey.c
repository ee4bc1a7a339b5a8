/* SPDX-License-Identifier: MIT */
/*
 * The ordered merge. Four streams (scan, listing, entries, pending rows) are
 * read side by side; each key is judged once.
 *
 * A key that is not agreed is not settled at once: it waits on the chain,
 * the stack of keys that are byte-prefixes of the current one. In key order
 * everything that could still bear on "a" ("a/b", which makes a directory of
 * it; "a.completed", which declares it done) begins with "a", so it comes
 * while "a" is on the chain; what leaves the chain is decided for good.
 */
#include "sync/survey.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/path.h"
#include "sync/listing.h"

#define COMMIT_ROWS 1000
#define WAIT_NS (200 * CLOCK_MS)
#define PROGRESS_KEYS 4096

/* Details stay the same from cycle to cycle, or rows would be written anew. */
#define PARENT_IN_WAY "a parent directory is a file or an object"
#define DIRECTORY_IN_WAY "a directory has this name, here or in the bucket"
const char survey_archived[] = "archived: restore it first";
const char survey_restoring[] = "a restore is in progress";
static const char not_entered[] = "a directory above it was not entered";

/* What is known of a key when it is met, kept until it is settled. */
struct plan {
	struct decide_input input;
	const char *detail;        /* why it is held or unknown; static text */
	char *detail_copy;         /* the same, where it had to be copied */
	bool has_local, has_remote, has_entry, has_pending;
	struct local_sig local;
	struct remote_sig remote;
	unsigned char etag[ETAG_MAX];
	/* The pending row that is there already: */
	int old_action, old_reason;
	bool old_same;             /* it saw the same signatures */
	char *old_detail;
};

struct link {
	size_t key_len;
	bool local_in_way;   /* a file (or symlink, …) has this name here */
	bool local_unknown;  /* nothing below is known */
	bool remote;         /* an object has this key there */
	bool directory_here; /* … but a directory has the name here */
	int64_t remote_size;
	bool open;           /* the plan is to be settled */
	struct plan plan;
};

struct survey {
	const struct survey_request *request;
	struct survey_result *result;
	struct error *err;
	int64_t now_ns;
	int64_t seen;

	struct tree_scan *scan;
	struct listing *listing;
	struct manifest_reader *entries, *pendings;

	/* The heads of the streams; false: at its end. */
	bool has_local, has_remote, has_entry, has_pending;
	struct tree_entry local;
	struct s3_object remote;
	struct manifest_entry entry;
	struct manifest_pending pending;
	struct filter_memo memo;

	struct link *links; /* the chain, shortest key first */
	size_t link_count, link_room;
	char *chain_key;    /* bytes of the longest key on it */
	size_t chain_room;
};

/* The parts of the current key: which heads carry it. */
struct met {
	const char *key;
	size_t key_len;
	bool local, remote, entry, pending;
};

static bool stopped(const struct survey *s)
{
	return s->request->stop != NULL && *s->request->stop != 0;
}

/*
 * Streams
 */

static int wait_for_more(struct survey *s)
{
	struct bucket *b = s->request->bucket;

	if (stopped(s))
		return error_set(s->err, ERROR_STOPPED, "stopped");
	return b->ops->wait(b, WAIT_NS, s->err);
}

static int next_local(struct survey *s)
{
	for (;;) {
		switch (s->request->tree->ops->scan_next(s->scan, &s->local,
		    s->err)) {
		case TREE_ENTRY:
			s->has_local = true;
			s->result->local_keys += s->local.kind == TREE_FILE;
			return 0;
		case TREE_END:
			s->has_local = false;
			return 0;
		case TREE_FAILED:
			return -1;
		case TREE_WAIT:
			if (wait_for_more(s) < 0)
				return -1;
		}
	}
}

static int next_remote(struct survey *s)
{
	for (;;) {
		switch (listing_next(s->listing, &s->remote, s->err)) {
		case LISTING_OBJECT:
			s->has_remote = true;
			return 0;
		case LISTING_END:
			s->has_remote = false;
			return 0;
		case LISTING_FAILED:
			return -1;
		case LISTING_WAIT:
			if (wait_for_more(s) < 0)
				return -1;
		}
	}
}

static int next_entry(struct survey *s)
{
	int got = manifest_reader_entry(s->entries, &s->entry, s->err);

	s->has_entry = got > 0;
	return got < 0 ? -1 : 0;
}

static int next_pending(struct survey *s)
{
	int got = manifest_reader_pending_row(s->pendings, &s->pending, s->err);

	s->has_pending = got > 0;
	return got < 0 ? -1 : 0;
}

/* The least key of the four heads, and which of them carry it. */
static bool meet(const struct survey *s, struct met *met)
{
	const struct {
		bool has;
		const char *key;
		size_t len;
		bool *carries;
	} heads[] = {
		{ s->has_local, s->local.key, s->local.key_len, &met->local },
		{ s->has_remote, s->remote.key, s->remote.key_len,
		    &met->remote },
		{ s->has_entry, s->entry.key, s->entry.key_len, &met->entry },
		{ s->has_pending, s->pending.key, s->pending.key_len,
		    &met->pending },
	};
	int order;

	*met = (struct met){ 0 };
	for (size_t i = 0; i < 4; i++) {
		if (!heads[i].has)
			continue;
		order = met->key == NULL ? -1 : path_compare(heads[i].key,
		    heads[i].len, met->key, met->key_len);
		if (order < 0) {
			met->local = met->remote = met->entry = false;
			met->key = heads[i].key;
			met->key_len = heads[i].len;
		}
		*heads[i].carries = order <= 0;
	}
	return met->key != NULL;
}

static int advance(struct survey *s, const struct met *met)
{
	if (met->local && next_local(s) < 0)
		return -1;
	if (met->remote && next_remote(s) < 0)
		return -1;
	if (met->entry && next_entry(s) < 0)
		return -1;
	return met->pending ? next_pending(s) : 0;
}

/*
 * Settling: what leaves the chain goes into the manifest.
 */

static void count_pending(struct survey *s, const struct decision *d,
    const struct plan *p)
{
	struct survey_result *r = s->result;

	switch (decide_reason_class(d->reason)) {
	case CLASS_AGREED:
		break;
	case CLASS_PLANNED:
		if (d->action == ACTION_UPLOAD) {
			r->up++;
			r->bytes_up += p->local.size;
		} else {
			r->down++;
			r->bytes_down += p->remote.size;
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

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* The row of the directory that was not entered speaks for what it holds. */
static bool is_spoken_for(const struct plan *p)
{
	return p->detail == not_entered;
}

/* Is it news for the log that this key is left alone? */
static bool is_notable(const struct decision *d, const struct plan *p)
{
	switch (decide_reason_class(d->reason)) {
	case CLASS_AGREED:
	case CLASS_PLANNED:
		return false;
	case CLASS_WAITING:
		return !is_spoken_for(p);
	case CLASS_DIFFERING:
	case CLASS_BLOCKED:
		break;
	}
	return true;
}

static int settle_pending(struct survey *s, const char *key, size_t key_len,
    const struct decision *d, const struct plan *p)
{
	const struct survey_request *req = s->request;
	struct manifest_pending row = {
		.key = key,
		.key_len = key_len,
		.action = decide_action_name(d->action),
		.reason = decide_reason_name(d->reason),
		.detail = p->detail,
		.has_local = p->has_local,
		.has_remote = p->has_remote,
		.local = p->local,
		.remote = p->remote,
		.since_ns = s->now_ns,
	};

	count_pending(s, d, p);
	if (p->old_same && p->old_action == (int)d->action &&
	    p->old_reason == (int)d->reason &&
	    same_text(p->old_detail, p->detail))
		return 0;
	if (d->action == ACTION_UPLOAD) {
		int64_t at = survey_settled_at(&p->local, req->settle_ns,
		    s->now_ns);

		row.next_at_ns = at > s->now_ns ? at : 0;
	}
	if (req->noticed != NULL && is_notable(d, p))
		req->noticed(req->arg, d->reason, key, key_len, p->detail);
	return manifest_pending_put(req->manifest, &row);
}

static int settle_adopted(struct survey *s, const char *key, size_t key_len,
    const struct decision *d, const struct plan *p)
{
	const struct manifest_entry entry = {
		.key = key,
		.key_len = key_len,
		.state = d->adopt_as == BASE_SYNCED ? MANIFEST_SYNCED :
		    MANIFEST_ASSUMED,
		.local = p->local,
		.remote = p->remote,
	};

	s->result->adopted++;
	return s->request->dry ? 0 :
	    manifest_entry_put(s->request->manifest, &entry);
}

static int settle_plan(struct survey *s, const char *key, size_t key_len,
    struct plan *p)
{
	struct manifest *m = s->request->manifest;
	const struct decision d = decide(&p->input);
	bool keep_row = false;
	int failed = 0;

	p->remote.etag.bytes = p->etag; /* the chain may have moved */
	switch (d.action) {
	case ACTION_FORGET:
		if (p->has_entry && !s->request->dry)
			failed = manifest_entry_drop(m, key, key_len);
		break;
	case ACTION_ADOPT:
		failed = settle_adopted(s, key, key_len, &d, p);
		break;
	case ACTION_NONE:
		if (d.reason == REASON_AGREED) {
			s->result->agreed++;
			break;
		}
		if (d.reason == REASON_UNKNOWN && p->has_entry &&
		    is_spoken_for(p)) {
			s->result->waiting++;
			break;
		}
		keep_row = true;
		break;
	case ACTION_UPLOAD:
	case ACTION_DOWNLOAD:
		keep_row = true;
		break;
	case ACTION_COUNT:
		break;
	}
	if (keep_row)
		failed |= settle_pending(s, key, key_len, &d, p);
	else if (p->has_pending)
		failed |= manifest_pending_drop(m, key, key_len);
	free(p->old_detail);
	free(p->detail_copy);
	if (failed != 0 || manifest_uncommitted(m) >= COMMIT_ROWS)
		return manifest_commit(m, s->err);
	return 0;
}

/*
 * The chain
 */

static int pop(struct survey *s)
{
	struct link *link = &s->links[--s->link_count];

	return link->open ?
	    settle_plan(s, s->chain_key, link->key_len, &link->plan) : 0;
}

/* Settles every link that is not a prefix of ${key}. */
static int pop_until_prefix(struct survey *s, const char *key, size_t key_len)
{
	while (s->link_count > 0) {
		const struct link *top = &s->links[s->link_count - 1];

		if (top->key_len < key_len &&
		    memcmp(s->chain_key, key, top->key_len) == 0)
			return 0;
		if (pop(s) < 0)
			return -1;
	}
	return 0;
}

static struct link *push(struct survey *s, const char *key, size_t key_len)
{
	struct link *link;

	ALLOC_GROW(s->links, s->link_count + 1, s->link_room);
	ALLOC_GROW(s->chain_key, key_len + 1, s->chain_room);
	memcpy(s->chain_key, key, key_len);
	link = &s->links[s->link_count++];
	/* Not the plan: it is large, and filled only where it is open. */
	link->key_len = key_len;
	link->local_in_way = link->local_unknown = false;
	link->remote = link->directory_here = link->open = false;
	return link;
}

/* Would ${link} have to be a directory for the key to exist? */
static bool is_parent(const struct survey *s, const struct link *link,
    const struct met *met)
{
	return link->key_len < met->key_len &&
	    (met->key[link->key_len] == '/' ||
	        s->chain_key[link->key_len - 1] == '/');
}

/* Of the holds that withhold the plan's action, the first in the table tells
 * why, whatever was found first. */
static void hold(struct plan *p, enum decide_hold why, const char *detail)
{
	struct decide_input held = p->input, free = p->input;

	held.hold = why;
	free.hold = HOLD_NONE;
	if (decide(&held).row == decide(&free).row ||
	    (p->input.hold != HOLD_NONE && p->input.hold <= why))
		return;
	p->input.hold = why;
	p->detail = detail;
}

/*
 * What the keys on the chain mean for this one: a parent that is no
 * directory. A side's parents count only for what would be made on that
 * side. An empty object that has others below it is a folder marker, and
 * gives way; every machine decides alike, whatever arrived first.
 */
static void hold_by_parents(const struct survey *s, const struct met *met,
    struct plan *p)
{
	for (size_t i = 0; i < s->link_count; i++) {
		struct link *parent = &s->links[i];

		if (!is_parent(s, parent, met))
			continue;
		if (p->has_local && !p->has_remote && parent->remote)
			hold(p, HOLD_TYPE, PARENT_IN_WAY);
		if (!p->has_remote || p->has_local)
			continue;
		if (parent->local_in_way) {
			hold(p, HOLD_TYPE, PARENT_IN_WAY);
			if (parent->open)
				hold(&parent->plan, HOLD_TYPE,
				    DIRECTORY_IN_WAY);
		} else if (parent->remote && !parent->directory_here) {
			if (parent->remote_size > 0)
				hold(p, HOLD_TYPE, PARENT_IN_WAY);
			else if (parent->open)
				hold(&parent->plan, HOLD_TYPE,
				    DIRECTORY_IN_WAY);
		}
	}
}

/* K is done when K + suffix exists: K is a prefix of it, so on the chain. */
static void finish_by_suffix(struct survey *s, const struct met *met)
{
	const struct conf_words *suffixes = s->request->done_suffixes;

	for (size_t w = 0; suffixes != NULL && w < suffixes->count; w++) {
		size_t suffix_len = strlen(suffixes->items[w]);

		if (met->key_len <= suffix_len || memcmp(met->key +
		    met->key_len - suffix_len, suffixes->items[w],
		    suffix_len) != 0)
			continue;
		for (size_t i = 0; i < s->link_count; i++) {
			struct link *link = &s->links[i];

			if (link->open &&
			    link->key_len == met->key_len - suffix_len)
				hold(&link->plan, HOLD_DONE, NULL);
		}
	}
}

/*
 * One key
 */

static bool parent_unknown(const struct survey *s, const struct met *met)
{
	for (size_t i = 0; i < s->link_count; i++)
		if (s->links[i].local_unknown &&
		    is_parent(s, &s->links[i], met))
			return true;
	return false;
}

static enum decide_side local_side(const struct survey *s,
    const struct met *met)
{
	if (!met->local)
		return parent_unknown(s, met) ? SIDE_UNKNOWN : SIDE_ABSENT;
	switch (s->local.kind) {
	case TREE_UNKNOWN:
		return SIDE_UNKNOWN;
	case TREE_OTHER:
	case TREE_BLOCKED:
		/* In the way of the object, or, alone, a name that never
		 * becomes one: either way an action that is held. */
		return met->remote ? SIDE_ABSENT : SIDE_PRESENT;
	case TREE_FILE:
		break;
	}
	if (!met->entry)
		return SIDE_PRESENT;
	return signature_local_equal(&s->local.sig, &s->entry.local) ?
	    SIDE_SAME : SIDE_CHANGED;
}

static enum decide_side remote_side(const struct survey *s,
    const struct met *met)
{
	if (!met->remote)
		return SIDE_ABSENT;
	if (!met->entry)
		return SIDE_PRESENT;
	return signature_remote_equal(&s->remote.sig, &s->entry.remote) ?
	    SIDE_SAME : SIDE_CHANGED;
}

static enum decide_base base_of(const struct survey *s, const struct met *met)
{
	/* A name that is no file's now has no part in what its file was. */
	if (!met->entry ||
	    (met->local && s->local.kind != TREE_FILE && !met->remote))
		return BASE_NONE;
	return s->entry.state == MANIFEST_SYNCED ? BASE_SYNCED : BASE_ASSUMED;
}

static void remember_pending(const struct survey *s, struct plan *p)
{
	const struct manifest_pending *row = &s->pending;

	p->old_action = decide_action_parse(row->action);
	p->old_reason = decide_reason_parse(row->reason);
	p->old_same = row->has_local == p->has_local &&
	    row->has_remote == p->has_remote &&
	    (!p->has_local || signature_local_equal(&row->local, &p->local)) &&
	    (!p->has_remote ||
	        signature_remote_equal(&row->remote, &p->remote));
	p->old_detail = row->detail == NULL ? NULL : alloc_string(row->detail);
}

static void remember(const struct survey *s, const struct met *met,
    struct plan *p)
{
	memset(p, 0, offsetof(struct plan, etag));
	p->old_same = false;
	p->old_detail = NULL;
	p->has_local = met->local && s->local.kind == TREE_FILE;
	p->has_remote = met->remote;
	p->has_entry = met->entry;
	p->has_pending = met->pending;
	if (p->has_local)
		p->local = s->local.sig;
	if (p->has_remote) {
		p->remote = s->remote.sig;
		signature_etag_keep(&p->remote.etag, p->etag);
	}
	if (met->pending)
		remember_pending(s, p);
	p->input = (struct decide_input){
		.local = local_side(s, met),
		.remote = remote_side(s, met),
		.base = base_of(s, met),
		.content = p->has_local && p->has_remote &&
		        p->local.size != p->remote.size ?
		    CONTENT_DIFFERENT : CONTENT_SAME_SIZE,
		.policy = s->request->policy,
	};
}

/* A download's name, as the disk has it now. */
static void hold_by_probe(const struct survey *s, const struct met *met,
    struct link *link)
{
	struct tree *tree = s->request->tree;
	struct plan *p = &link->plan;

	switch (tree->ops->probe(tree, met->key, met->key_len)) {
	case TREE_FREE:
		break;
	case TREE_HAS_FILE:
	case TREE_CANNOT_TELL:
		p->input.local = SIDE_UNKNOWN;
		p->detail = "the name was taken or unreadable after the scan";
		break;
	case TREE_HAS_DIRECTORY:
		link->directory_here = true;
		hold(p, HOLD_TYPE, DIRECTORY_IN_WAY);
		break;
	case TREE_PARENT_IN_WAY:
		hold(p, HOLD_TYPE, PARENT_IN_WAY);
		break;
	}
}

/* Was it archived when it was asked for last, a while ago? Longer than that
 * means that the clock was set back. */
static bool was_archived(const struct survey *s, const struct plan *p)
{
	int64_t left_ns = s->pending.next_at_ns - s->now_ns;

	return p->has_pending && p->old_same &&
	    p->old_reason == REASON_ARCHIVED && left_ns > 0 &&
	    left_ns <= SURVEY_ARCHIVED_PAUSE_NS;
}

static void find_holds(const struct survey *s, const struct met *met,
    struct link *link)
{
	struct plan *p = &link->plan;
	enum path_verdict verdict = path_check(met->key, met->key_len,
	    s->request->bucket->prefix_len);
	enum decide_action action;

	if (met->local && s->local.kind != TREE_FILE) {
		p->detail_copy = alloc_string(s->local.why);
		hold(p, HOLD_TYPE, p->detail_copy);
		return;
	}
	if (verdict != PATH_OK) {
		hold(p, HOLD_NAME, path_verdict_text(verdict));
		return;
	}
	if (met->pending && p->old_reason == REASON_DAMAGED && p->old_same) {
		p->detail_copy = p->old_detail == NULL ? NULL :
		    alloc_string(p->old_detail);
		hold(p, HOLD_DAMAGED, p->detail_copy);
	}
	hold_by_parents(s, met, p);
	action = decide(&p->input).action;
	if (action != ACTION_DOWNLOAD)
		return;
	if (s->remote.archived || was_archived(s, p))
		hold(p, HOLD_ARCHIVED, s->remote.restoring ? survey_restoring :
		    survey_archived);
	hold_by_probe(s, met, link);
}

static void open_plan(struct survey *s, const struct met *met,
    struct link *link)
{
	struct plan *p = &link->plan;

	link->open = true;
	remember(s, met, p);
	if (p->input.local == SIDE_UNKNOWN)
		p->detail = !met->local ? not_entered :
		    (p->detail_copy = alloc_string(s->local.why));
	if (decide(&p->input).action != ACTION_NONE)
		find_holds(s, met, link);
}

/* Excluded keys and our own are not seen: as if they were not there. */
static bool is_invisible(struct survey *s, const struct met *met)
{
	if (met->local)
		return false; /* the scan has filtered */
	return filter_excludes_key(s->request->filter, &s->memo, met->key,
	           met->key_len) ||
	    path_check(met->key, met->key_len,
	        s->request->bucket->prefix_len) == PATH_RESERVED_NAME;
}

static bool is_agreed(const struct survey *s, const struct met *met)
{
	return met->local && met->remote && met->entry && !met->pending &&
	    s->local.kind == TREE_FILE &&
	    signature_local_equal(&s->local.sig, &s->entry.local) &&
	    signature_remote_equal(&s->remote.sig, &s->entry.remote);
}

static int judge(struct survey *s, struct met *met)
{
	struct link *link;

	if (met->remote && is_invisible(s, met))
		met->remote = false;
	if (pop_until_prefix(s, met->key, met->key_len) < 0)
		return -1;
	if (!met->local && !met->remote && !met->entry && !met->pending)
		return 0;
	s->result->remote_keys += met->remote;
	if (met->local || met->remote)
		finish_by_suffix(s, met);

	link = push(s, met->key, met->key_len);
	link->local_unknown = met->local && (s->local.kind == TREE_UNKNOWN ||
	    s->local.kind == TREE_BLOCKED);
	link->local_in_way = met->local && !link->local_unknown;
	link->remote = met->remote && met->key[met->key_len - 1] != '/';
	link->remote_size = met->remote ? s->remote.sig.size : 0;
	if (is_agreed(s, met))
		s->result->agreed++;
	else
		open_plan(s, met, link);
	return 0;
}

static int merge(struct survey *s)
{
	struct met met, heads;

	if (next_local(s) < 0 || next_remote(s) < 0 || next_entry(s) < 0 ||
	    next_pending(s) < 0)
		return -1;
	while (meet(s, &heads)) {
		met = heads;
		if (judge(s, &met) < 0 || advance(s, &heads) < 0)
			return -1;
		if (++s->seen % PROGRESS_KEYS == 0) {
			if (stopped(s))
				return error_set(s->err, ERROR_STOPPED,
				    "stopped");
			if (s->request->progress != NULL)
				s->request->progress(s->request->arg, s->seen);
		}
	}
	while (s->link_count > 0)
		if (pop(s) < 0)
			return -1;
	return manifest_commit(s->request->manifest, s->err);
}

static void scan_wakes(void *arg)
{
	struct bucket *b = arg;

	b->ops->wake(b);
}

int survey_run(const struct survey_request *request,
    struct survey_result *result, struct error *err)
{
	struct survey s = {
		.request = request,
		.result = result,
		.err = err,
		.now_ns = clock_wall_ns(),
	};
	int status;

	*result = (struct survey_result){ 0 };
	s.listing = listing_start(request->bucket);
	s.scan = request->tree->ops->scan_start(request->tree,
	    request->filter, scan_wakes, request->bucket);
	s.entries = manifest_reader_entries(request->manifest, NULL, 0);
	s.pendings = manifest_reader_pending(request->manifest, NULL, 0);

	status = merge(&s);

	while (s.link_count > 0) { /* left only by a failure */
		struct link *link = &s.links[--s.link_count];

		if (link->open) {
			free(link->plan.old_detail);
			free(link->plan.detail_copy);
		}
	}
	manifest_reader_free(s.pendings);
	manifest_reader_free(s.entries);
	request->tree->ops->scan_free(s.scan);
	listing_free(s.listing);
	free(s.links);
	free(s.chain_key);
	return status;
}

int64_t survey_settled_at(const struct local_sig *sig, int64_t settle_ns,
    int64_t now_ns)
{
	int64_t changed = sig->ctime_ns;

	if (sig->mtime_ns > changed && sig->mtime_ns <= now_ns + CLOCK_SECOND)
		changed = sig->mtime_ns;
	return changed > now_ns + CLOCK_SECOND ? 0 : changed + settle_ns;
}
