/* SPDX-License-Identifier: MIT */
/* The simulated bucket: objects, and requests that take their time. */
#include "sim_bucket.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "s3/etag.h"

#define PIECE_MAX (64 * 1024)
#define SMALL 4096
#define PAUSE_MAX_NS (20 * CLOCK_MS)

/*
 * The store
 */

void sim_store_init(struct sim_store *store, struct sim *sim,
    const char *prefix)
{
	*store = (struct sim_store){
		.sim = sim,
		.prefix = prefix,
	};
}

static void object_release(struct sim_object *o)
{
	free(o->key);
	sim_content_unref(o->content);
}

static void upload_free(struct sim_upload *u)
{
	for (size_t i = 0; i < u->count; i++)
		sim_content_unref(u->parts[i].content);
	free(u->parts);
	free(u->id);
	free(u->key);
	free(u);
}

void sim_store_release(struct sim_store *store)
{
	for (size_t i = 0; i < store->upload_count; i++)
		upload_free(store->uploads[i]);
	free(store->uploads);
	store->uploads = NULL;
	store->upload_count = store->upload_room = 0;
	for (size_t i = 0; i < store->count; i++)
		object_release(&store->objects[i]);
	free(store->objects);
	sim_keys_release(&store->corrupted);
	sim_history_release(&store->history);
	store->objects = NULL;
	store->count = store->room = 0;
}

/* The place of ${key}, or of what comes after it. */
static size_t place(const struct sim_store *store, const char *key, size_t len)
{
	size_t at = 0;

	while (at < store->count &&
	    path_compare(store->objects[at].key, store->objects[at].len, key,
		len) < 0)
		at++;
	return at;
}

struct sim_object *sim_store_find(struct sim_store *store, const char *key,
    size_t len)
{
	size_t at = place(store, key, len);

	if (at == store->count ||
	    path_compare(store->objects[at].key, store->objects[at].len, key,
		len) != 0)
		return NULL;
	store->objects[at].sig.etag.bytes = store->objects[at].etag;
	return &store->objects[at];
}

/* The MD5s of the parts that an object came in; count 0: in one piece. */
struct parts_md5s {
	unsigned char *bytes;
	size_t count;
};

static void md5s_add(struct parts_md5s *md5s, const unsigned char *md5)
{
	md5s->bytes =
	    alloc_resize(md5s->bytes, md5s->count + 1, DIGEST_MD5_SIZE);
	memcpy(md5s->bytes + md5s->count++ * DIGEST_MD5_SIZE, md5,
	    DIGEST_MD5_SIZE);
}

/* "HEX-N": of what, is for the store to say. */
static void name_parts(const struct sim_store *store,
    const struct parts_md5s *md5s, const uint64_t id[2], struct etag *etag,
    unsigned char *room)
{
	unsigned char md5[DIGEST_MD5_SIZE];
	char hex[2 * DIGEST_MD5_SIZE + 1];

	if (store->etags == SIM_ETAGS_MD5 && !store->parts_made_up)
		digest_once(DIGEST_MD5, md5s->bytes,
		    md5s->count * DIGEST_MD5_SIZE, md5);
	else
		memcpy(md5, id, sizeof(md5));
	digest_hex(md5, sizeof(md5), hex);
	etag->len = (uint16_t)snprintf((char *)room, ETAG_MAX, "%s-%zu", hex,
	    md5s->count);
}

static void make_etag(struct sim_store *store, const struct sim_content *c,
    const struct parts_md5s *md5s, unsigned char *room, struct etag *etag)
{
	uint64_t id[2] = { sim_random(store->sim), sim_random(store->sim) };

	*etag = (struct etag){ .bytes = room };
	if (store->etags == SIM_ETAGS_OPAQUE) {
		etag->len = (uint16_t)snprintf((char *)room, ETAG_MAX,
		    "%016" PRIx64 "-%zu", id[0],
		    md5s != NULL ? md5s->count : 2);
	} else if (md5s != NULL) {
		name_parts(store, md5s, id, etag, room);
	} else {
		memcpy(room,
		    store->etags == SIM_ETAGS_MD5 ? (const void *)c->md5 : id,
		    DIGEST_MD5_SIZE);
		etag->len = DIGEST_MD5_SIZE;
		etag->binary = true;
	}
}

void sim_store_remove(struct sim_store *store, const char *key, size_t len)
{
	size_t at = place(store, key, len);

	if (sim_store_find(store, key, len) == NULL)
		return;
	object_release(&store->objects[at]);
	store->count--;
	memmove(store->objects + at, store->objects + at + 1,
	    (store->count - at) * sizeof(*store->objects));
}

/* ${md5s} NULL: in one piece. */
static struct sim_object *store_put(struct sim_store *store, const char *key,
    size_t len, struct sim_content *content, const struct parts_md5s *md5s)
{
	size_t at;
	struct sim_object *o;

	sim_store_remove(store, key, len);
	at = place(store, key, len);
	ALLOC_GROW(store->objects, store->count + 1, store->room);
	memmove(store->objects + at + 1, store->objects + at,
	    (store->count - at) * sizeof(*store->objects));
	store->count++;
	o = &store->objects[at];
	memset(o, 0, sizeof(*o));
	o->key = alloc_copy(key, len);
	o->len = len;
	o->content = sim_content_ref(content);
	sim_pass(store->sim, CLOCK_MS);
	o->born = ++store->writes;
	o->sig.size = content->size;
	o->sig.mtime_ms = store->sim->wall_ns / CLOCK_MS;
	o->meta_mtime_ns = INT64_MIN;
	o->etag_not_md5 = store->etags == SIM_ETAGS_KMS;
	make_etag(store, content, md5s, o->etag, &o->sig.etag);
	sim_history_add_remote(&store->history, key, len, &o->sig, content);
	return o;
}

struct sim_object *sim_store_put(struct sim_store *store, const char *key,
    size_t len, struct sim_content *content)
{
	return store_put(store, key, len, content, NULL);
}

struct sim_object *sim_store_put_parts(struct sim_store *store,
    const char *key, size_t len, struct sim_content *content,
    int64_t part_size)
{
	struct parts_md5s md5s = { 0 };
	unsigned char md5[DIGEST_MD5_SIZE];
	struct sim_object *o;
	int64_t at = 0;

	do {
		int64_t left = content->size - at;

		digest_once(DIGEST_MD5, content->bytes + at,
		    (size_t)(left < part_size ? left : part_size), md5);
		md5s_add(&md5s, md5);
		at += part_size;
	} while (at < content->size);
	o = store_put(store, key, len, content, &md5s);
	free(md5s.bytes);
	return o;
}

/*
 * Requests
 */

struct sim_request {
	enum s3_kind kind;
	union {
		struct s3_list list;
		struct s3_get get;
		struct s3_put put;
		struct s3_delete delete;
		struct s3_copy copy;
		struct s3_multipart_create create;
		struct s3_multipart_complete complete;
		struct s3_multipart_abort abort;
		struct s3_multipart_parts parts;
	} of;
	int attempts;
	bool posthumous; /* asked for by nobody: its program is dead */
	int64_t offset, end; /* of what is next, and behind the last */
	bool begun;                  /* GET: begin was called */
	bool sent;                   /* PUT: all bytes are with the server */
	bool lost_412;               /* PUT: stored by the attempt before … */
	uint64_t stored;             /* … as this write of the store */
	bool looked;                 /* before a write: what is there, … */
	uint64_t seen;               /* … of so many writes */
	unsigned char *body;         /* PUT: as far as sent */
	struct sim_content *content; /* GET: of the object when it began */
};

static struct sim_bucket *of(struct bucket *b)
{
	return (struct sim_bucket *)b;
}

static struct sim_request *submit(struct sim_bucket *b, enum s3_kind kind)
{
	struct sim_request *r = alloc_zero(1, sizeof(*r));

	r->kind = kind;
	r->attempts = 1;
	r->posthumous = b->sim->dead;
	b->usage.requests[kind]++;
	ALLOC_GROW(b->requests, b->count + 1, b->room);
	b->requests[b->count++] = r;
	return r;
}

static void take_out(struct sim_bucket *b, const struct sim_request *r)
{
	size_t at = 0;

	while (b->requests[at] != r)
		at++;
	b->count--;
	memmove(b->requests + at, b->requests + at + 1,
	    (b->count - at) * sizeof(*b->requests));
}

/* All but listings and copies begin with their key. */
static const char *request_text(const struct sim_request *r)
{
	static const char *const names[S3_KIND_COUNT] = {
		[S3_KIND_GET] = "GET",
		[S3_KIND_PUT] = "PUT",
		[S3_KIND_DELETE] = "DELETE",
		[S3_KIND_COPY] = "COPY to",
		[S3_KIND_CREATE_UPLOAD] = "CREATE",
		[S3_KIND_UPLOAD_PART] = "PART",
		[S3_KIND_COMPLETE_UPLOAD] = "COMPLETE",
		[S3_KIND_ABORT_UPLOAD] = "ABORT",
		[S3_KIND_LIST_PARTS] = "PARTS",
	};
	static char text[300];

	if (r->kind == S3_KIND_LIST)
		return r->of.list.prefix_len > 0 ? "LIST of a key" : "LIST";
	if (r->kind == S3_KIND_COPY) {
		snprintf(text, sizeof(text), "%s %s", names[r->kind],
		    sim_text(r->of.copy.key, r->of.copy.key_len));
		return text;
	}
	snprintf(text, sizeof(text), "%s %s", names[r->kind],
	    sim_text(r->of.get.key, r->of.get.key_len));
	return text;
}

/* What some requests bring beside their result. */
struct extra {
	struct s3_page *page;
	const char *upload_id;
	const struct s3_part *parts;
	size_t count;
	int next;
};

static void tell(const struct sim_request *r, const struct s3_result *result,
    const struct extra *extra)
{
	switch (r->kind) {
	case S3_KIND_LIST:
		r->of.list.done(r->of.list.arg, result, extra->page);
		break;
	case S3_KIND_GET:
		r->of.get.done(r->of.get.arg, result);
		break;
	case S3_KIND_PUT:
	case S3_KIND_UPLOAD_PART:
		r->of.put.done(r->of.put.arg, result);
		break;
	case S3_KIND_CREATE_UPLOAD:
		r->of.create.done(r->of.create.arg, result, extra->upload_id);
		break;
	case S3_KIND_COMPLETE_UPLOAD:
		r->of.complete.done(r->of.complete.arg, result);
		break;
	case S3_KIND_ABORT_UPLOAD:
		r->of.abort.done(r->of.abort.arg, result);
		break;
	case S3_KIND_LIST_PARTS:
		r->of.parts.done(r->of.parts.arg, result, extra->parts,
		    extra->count, extra->next);
		break;
	case S3_KIND_DELETE:
		r->of.delete.done(r->of.delete.arg, result);
		break;
	case S3_KIND_COPY:
		r->of.copy.done(r->of.copy.arg, result);
		break;
	case S3_KIND_HEAD:
	case S3_KIND_HEAD_BUCKET:
	case S3_KIND_SETTING:
	case S3_KIND_COUNT:
		abort();
	}
}

static void answer(struct sim_bucket *b, struct sim_request *r,
    struct s3_result *result, const struct extra *extra)
{
	const struct extra none = { 0 };

	take_out(b, r);
	sim_event(b->sim, "%s: outcome %d", request_text(r),
	    (int)result->outcome);
	result->attempts = r->attempts;
	tell(r, result, extra != NULL ? extra : &none);
	sim_content_unref(r->content);
	free(r->body);
	free(r);
}

static const struct {
	enum error_kind kind;
	const char *text;
} outcomes[] = {
	[S3_EXISTS] = { ERROR_EXISTS, "the key is there" },
	[S3_CHANGED] = { ERROR_CHANGED, "the object has changed" },
	[S3_ABSENT] = { ERROR_CHANGED, "NoSuchKey" },
	[S3_ARCHIVED] = { ERROR_REMOTE, "InvalidObjectState" },
	[S3_DENIED] = { ERROR_DENIED, "AccessDenied" },
	[S3_REJECTED] = { ERROR_REMOTE, "501 NotImplemented" },
	[S3_REFUSED] = { ERROR_CREDENTIALS, "InvalidAccessKeyId" },
	[S3_FAILED] = { ERROR_NETWORK, "no usable answer" },
	[S3_ABORTED] = { ERROR_STOPPED, "aborted" },
};

static void end(struct sim_bucket *b, struct sim_request *r,
    enum s3_outcome outcome)
{
	struct s3_result result = { .outcome = outcome };

	if (outcome == S3_FAILED && sim_chance(b->sim, 300))
		error_set(&result.error, ERROR_REMOTE, "500 InternalError");
	else
		error_set(&result.error, outcomes[outcome].kind, "%s",
		    outcomes[outcome].text);
	answer(b, r, &result, NULL);
}

/* A callback said stop. */
static void end_aborted(struct sim_bucket *b, struct sim_request *r,
    const struct error *error)
{
	struct s3_result result = { .outcome = S3_ABORTED, .error = *error };

	answer(b, r, &result, NULL);
}

/* The faults that any transfer may meet before anything has happened. */
static bool fails_at_once(struct sim_bucket *b, struct sim_request *r)
{
	static const struct {
		enum sim_fault fault;
		enum s3_outcome outcome;
	} faults[] = {
		{ FAULT_FAILED, S3_FAILED },
		{ FAULT_DENIED, S3_DENIED },
		{ FAULT_REFUSED, S3_REFUSED },
	};

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (sim_fault(b->sim, faults[i].fault)) {
			end(b, r, faults[i].outcome);
			return true;
		}
	return false;
}

static void try_again(struct sim_bucket *b, struct sim_request *r)
{
	r->attempts++;
	r->offset = 0;
	r->begun = r->sent = false;
	b->usage.retries++;
	b->usage.requests[r->kind]++;
}

static size_t piece(struct sim *sim, int64_t left)
{
	size_t max = left > 8 * PIECE_MAX ? 8 * PIECE_MAX : PIECE_MAX;
	size_t len = left > SMALL ? max - (size_t)sim_below(sim, max / 2)
				  : 1 + (size_t)sim_below(sim, SMALL);

	return (int64_t)len < left ? len : (size_t)left;
}

/*
 * LIST
 */

struct page_maker {
	struct s3_page *page;
	struct strbuf text;
	size_t room;
};

/* Offsets first; addresses when the text no longer moves. */
static void page_add(struct page_maker *m, const char *prefix,
    const struct sim_object *o)
{
	struct s3_object *out;

	ALLOC_GROW(m->page->objects, m->page->count + 1, m->room);
	out = &m->page->objects[m->page->count++];
	memset(out, 0, sizeof(*out));
	out->sig = o->sig;
	out->archived = o->archived;
	out->key_len = strlen(prefix) + o->len;
	strbuf_adds(&m->text, prefix);
	strbuf_add(&m->text, o->key, o->len);
	strbuf_add(&m->text, o->etag, o->sig.etag.len);
}

static struct s3_page *page_finish(struct page_maker *m)
{
	struct s3_page *page = m->page;
	const char *at;

	page->memory = strbuf_detach(&m->text);
	at = page->memory;
	for (size_t i = 0; i < page->count; i++) {
		struct s3_object *o = &page->objects[i];

		o->key = at;
		o->sig.etag.bytes = (const unsigned char *)at + o->key_len;
		at += o->key_len + o->sig.etag.len;
	}
	return page;
}

/*
 * A token says after which key to go on, in hex. It is never the same twice,
 * and remembers whether this listing has lied already.
 */
#define TOKEN_LIED ".lied"

static bool has_lied(const char *token)
{
	return token != NULL && strstr(token, TOKEN_LIED) != NULL;
}

static char *make_token(struct sim_bucket *b, const char *after, size_t len,
    bool lied)
{
	struct strbuf token = STRBUF_INIT(64 * 1024);

	for (size_t i = 0; i < len; i++)
		strbuf_addf(&token, "%02x", (unsigned char)after[i]);
	strbuf_addf(&token, ".%" PRIu64 "%s", ++b->tokens,
	    lied ? TOKEN_LIED : "");
	return strbuf_detach(&token);
}

/* The first object after the key that the token is about. */
static size_t token_place(const struct sim_store *store, const char *token)
{
	unsigned char key[4096];
	size_t hex_len, at;

	if (token == NULL)
		return 0;
	hex_len = strcspn(token, ".");
	assert(hex_len / 2 <= sizeof(key));
	digest_unhex(token, hex_len, key, hex_len / 2);
	at = place(store, (char *)key, hex_len / 2);
	if (at < store->count &&
	    path_compare(store->objects[at].key, store->objects[at].len,
		(char *)key, hex_len / 2) == 0)
		at++;
	return at;
}

static void set_token(struct s3_page *page, char *token)
{
	free(page->token);
	page->token = token;
}

static void swap_first_two(struct s3_page *page)
{
	struct s3_object first = page->objects[0];

	page->objects[0] = page->objects[1];
	page->objects[1] = first;
}

/* A page's objects are made to lie. */
static bool spoil_objects(struct sim_bucket *b, struct s3_page *page)
{
	bool lied = false;

	if (page->count >= 2 && sim_fault(b->sim, FAULT_PAGE_UNORDERED)) {
		swap_first_two(page);
		lied = true;
	}
	if (page->count >= 2 && sim_fault(b->sim, FAULT_PAGE_DUPLICATE)) {
		page->objects[1] = page->objects[0];
		lied = true;
	}
	if (page->count >= 1 && b->base.prefix_len > 0 &&
	    sim_fault(b->sim, FAULT_PAGE_OUTSIDE)) {
		page->objects[page->count - 1].key++;
		page->objects[page->count - 1].key_len--;
		lied = true;
	}
	return lied;
}

/* Gives ${page} its token, or a lie; ${led_here} is the request's own. */
static bool spoil_token(struct sim_bucket *b, struct s3_page *page,
    const char *led_here)
{
	if (page->truncated && sim_fault(b->sim, FAULT_PAGE_NO_TOKEN)) {
		set_token(page, NULL);
		return true;
	}
	if (led_here != NULL && sim_fault(b->sim, FAULT_PAGE_LOOPS)) {
		set_token(page, alloc_string(led_here));
		page->truncated = true;
		return true;
	}
	return false;
}

/* A listing of one key, before a write to it; all others are of all. */
static bool is_look(const struct s3_list *list)
{
	return list->prefix_len > 0;
}

static bool is_listed(const struct sim_store *store, size_t at,
    const struct s3_list *list)
{
	return at < store->count &&
	    store->objects[at].len >= list->prefix_len &&
	    (list->prefix_len == 0 ||
		memcmp(store->objects[at].key, list->prefix,
		    list->prefix_len) == 0);
}

/* Up to ${max} objects from ${at} on. */
static struct s3_page *make_page(struct sim_bucket *b,
    const struct s3_list *list, size_t at, size_t max)
{
	struct page_maker m = {
		.page = alloc_zero(1, sizeof(*m.page)),
		.text = STRBUF_INIT(1024 * 1024),
	};

	for (; is_listed(b->store, at, list) && m.page->count < max; at++) {
		const struct sim_object *o = &b->store->objects[at];

		page_add(&m, b->base.prefix, o);
		if (b->shown != NULL && !is_look(list))
			sim_keys_add(&b->shown->remote, o->key, o->len);
	}
	m.page->truncated = is_listed(b->store, at, list) || max == 0;
	return page_finish(&m);
}

static size_t most_keys(struct sim_bucket *b, const struct s3_list *list)
{
	if (list->max_keys > 0)
		return (size_t)list->max_keys;
	return b->page_keys > 0 ? (size_t)b->page_keys
				: 1 + (size_t)sim_below(b->sim, 4);
}

static size_t first_of(const struct sim_store *store,
    const struct s3_list *list)
{
	size_t at = token_place(store, list->token);
	size_t first = is_look(list)
	    ? place(store, list->prefix, list->prefix_len)
	    : 0;

	return at > first ? at : first;
}

/* Of a survey's listing every lie must be found out; one of a single key shows
 * too little for that. */
static struct s3_page *next_page(struct sim_bucket *b,
    const struct s3_list *list)
{
	const char *token = list->token;
	size_t at = first_of(b->store, list);
	size_t max = most_keys(b, list);
	bool empty = sim_fault(b->sim, FAULT_PAGE_EMPTY);
	struct s3_page *page = make_page(b, list, at, empty ? 0 : max);
	bool spoilt = !is_look(list) && spoil_objects(b, page);
	bool lied = spoilt || has_lied(token);
	size_t end = at + page->count;

	if (page->truncated)
		set_token(page,
		    end == 0 ? make_token(b, "", 0, lied)
			     : make_token(b, b->store->objects[end - 1].key,
				   b->store->objects[end - 1].len, lied));
	lied |= spoil_token(b, page, token);
	if (lied)
		sim_event(b->sim, "LIST: a lie");
	if (b->shown != NULL && !page->truncated && !is_look(list))
		b->shown->listed = !lied;
	return page;
}

/* The program has asked what is there, and will believe the answer. */
static void note_look(struct sim_bucket *b, const struct s3_list *list,
    const struct s3_page *page)
{
	if (page->truncated && page->count == 0)
		return;
	if (page->count > 0 &&
	    page->objects->key_len == b->base.prefix_len + list->prefix_len)
		return;
	ALLOC_GROW(b->looks, b->look_count + 1, b->look_room);
	b->looks[b->look_count++] = (struct sim_look){
		.key = alloc_copy(list->prefix, list->prefix_len),
		.len = list->prefix_len,
		.writes = b->store->writes,
	};
}

/* The look that belongs to this write; it serves no other. */
static void take_look(struct sim_bucket *b, struct sim_request *r,
    const char *key, size_t len)
{
	for (size_t i = 0; i < b->look_count; i++) {
		struct sim_look *look = &b->looks[i];

		if (path_compare(look->key, look->len, key, len) != 0)
			continue;
		r->looked = true;
		r->seen = look->writes;
		free(look->key);
		*look = b->looks[--b->look_count];
		return;
	}
}

static void forget_looks(struct sim_bucket *b)
{
	for (size_t i = 0; i < b->look_count; i++)
		free(b->looks[i].key);
	free(b->looks);
	b->looks = NULL;
	b->look_count = b->look_room = 0;
	sim_keys_release(&b->rejected);
}

static void write_rival(struct sim_bucket *b, const char *key, size_t len,
    int64_t size);

static void list_step(struct sim_bucket *b, struct sim_request *r)
{
	const struct s3_list *list = &r->of.list;
	struct s3_result result = { .outcome = S3_DONE };
	struct extra extra = { 0 };

	if (is_look(list) && sim_fault(b->sim, FAULT_LOOK_RIVAL))
		write_rival(b, list->prefix, list->prefix_len, 100);
	if (sim_fault(b->sim, FAULT_PAGE_FAILED)) {
		end(b, r, S3_FAILED);
	} else if (sim_fault(b->sim, FAULT_PAGE_DENIED)) {
		end(b, r, S3_DENIED);
	} else {
		extra.page = next_page(b, list);
		if (is_look(list))
			note_look(b, list, extra.page);
		answer(b, r, &result, &extra);
	}
}

/*
 * GET
 */

/* Somebody else writes there, often as many bytes. */
static void write_rival(struct sim_bucket *b, const char *key, size_t len,
    int64_t size)
{
	struct sim_content *c = sim_content_new(sim_random(b->sim),
	    sim_chance(b->sim, 700) ? size : size / 2);

	sim_store_put(b->store, key, len, c);
	sim_content_unref(c);
}

/* What of the object comes. */
static void set_range(struct sim_bucket *b, struct sim_request *r, int64_t size)
{
	const struct s3_get *get = &r->of.get;

	r->offset = 0;
	r->end = size;
	if (get->length == 0 || sim_fault(b->sim, FAULT_GET_NO_RANGES))
		return;
	r->offset = get->offset;
	if (get->length < size - get->offset)
		r->end = get->offset + get->length;
}

/* False: the request has ended. */
static bool get_begin(struct sim_bucket *b, struct sim_request *r)
{
	const struct s3_get *get = &r->of.get;
	const struct sim_object *o;
	struct error error = ERROR_INIT;
	struct s3_head head;

	if (fails_at_once(b, r))
		return false;
	o = sim_store_find(b->store, get->key, get->key_len);
	if (o != NULL && sim_fault(b->sim, FAULT_GET_RIVAL)) {
		write_rival(b, get->key, get->key_len, o->sig.size);
		o = sim_store_find(b->store, get->key, get->key_len);
	}
	if (o == NULL || o->archived) {
		end(b, r, o == NULL ? S3_ABSENT : S3_ARCHIVED);
		return false;
	}
	if (get->if_match != NULL && get->if_match->len > 0 &&
	    !signature_etag_equal(get->if_match, &o->sig.etag)) {
		end(b, r, S3_CHANGED);
		return false;
	}
	set_range(b, r, o->sig.size);
	head = (struct s3_head){
		.size = o->sig.size + sim_fault(b->sim, FAULT_GET_SIZE),
		.offset = r->offset,
		.length = r->end - r->offset,
		.mtime_ms = o->sig.mtime_ms,
		.meta_mtime_ns = o->meta_mtime_ns,
		.etag = o->sig.etag,
		.etag_not_md5 = o->etag_not_md5,
	};
	sim_content_unref(r->content);
	r->content = sim_content_ref(o->content);
	r->begun = true;
	if (get->begin(get->arg, &head, &error) == 0)
		return true;
	end_aborted(b, r, &error);
	return false;
}

/* Damage can be found out only where the ETag is the MD5, or of parts that
 * somebody may have cut so, once it is known that ETags are MD5s. */
static bool is_judged(const struct sim_bucket *b, const struct etag *etag,
    int64_t size)
{
	int64_t sizes[S3_ETAG_SIZES_MAX];
	int parts = s3_etag_parts(etag);

	if (b->store->etags != SIM_ETAGS_MD5)
		return false;
	if (parts == 0)
		return signature_etag_may_be_md5(etag);
	return b->judges_parts > 0 &&
	    s3_etag_sizes(size, parts, b->judges_parts, sizes) > 0;
}

/* One byte, and another damage each time: what comes twice the same is
 * believed, and is no accident. Nor does it undo that of a PUT, which is 1. */
static void corrupt(struct sim_bucket *b, const struct sim_request *r,
    unsigned char *bytes, size_t len)
{
	struct sim_store *store = b->store;
	const struct etag *etag = r->of.get.if_match;
	bool parts;

	if (etag == NULL || !is_judged(b, etag, r->content->size))
		return;
	parts = s3_etag_parts(etag) > 0;
	if (!sim_fault(b->sim,
		parts ? FAULT_GET_CORRUPT_PARTS : FAULT_GET_CORRUPT))
		return;
	bytes[sim_below(b->sim, len)] ^=
	    (unsigned char)(2 + store->damages++ % 254);
	store->damaged_parts += parts;
}

static void get_step(struct sim_bucket *b, struct sim_request *r)
{
	struct s3_result result = { .outcome = S3_DONE };
	struct error error = ERROR_INIT;
	unsigned char *bytes;
	size_t len;
	int status;

	if (!r->begun) {
		if (!get_begin(b, r))
			return;
	} else if (sim_fault(b->sim, FAULT_RETRIED)) {
		try_again(b, r);
		return;
	} else if (sim_fault(b->sim, FAULT_GET_CUT)) {
		end(b, r, S3_FAILED);
		return;
	}
	if (r->offset == r->end) {
		answer(b, r, &result, NULL);
		return;
	}
	len = piece(b->sim, r->end - r->offset);
	bytes = alloc_copy(r->content->bytes + r->offset, len);
	corrupt(b, r, bytes, len);
	r->offset += (int64_t)len;
	b->usage.bytes_in += (int64_t)len;
	status = r->of.get.data(r->of.get.arg, bytes, len, &error);
	free(bytes);
	if (status < 0)
		end_aborted(b, r, &error);
}

/*
 * PUT
 */

static bool is_probe(const char *key, size_t len)
{
	return sim_conditions_probe_key(key, len);
}

/* The program may send what was whole in its tree, and nothing else. */
static void audit_body(struct sim_bucket *b, const char *key, size_t len,
    const struct sim_content *c)
{
	if (b->files != NULL && !is_probe(key, len) &&
	    !sim_history_whole(b->files, key, len, c->md5, c->size))
		sim_broken(b->sim, "sent a content as %s that no file ever had",
		    sim_text(key, len));
}

/* What others have written is never replaced, but where the documents say that
 * it may be; and what the probe has made is the probe's. */
static void audit_loss(struct sim_bucket *b, const struct sim_request *r,
    enum capability_write write, const struct sim_object *there)
{
	struct sim_store *store = b->store;
	enum sim_loss loss = SIM_LOSS_NONE;

	if (there == NULL || (r->stored > 0 && there->born == r->stored) ||
	    (is_probe(there->key, there->len) && there->by == b))
		return;
	if (b->capability != NULL)
		loss = sim_conditions_loss(&store->conditions, b->capability,
		    write, r->looked && there->born > r->seen);
	store->losses[loss]++;
	sim_event(b->sim, "a loss of kind %d", (int)loss);
	if (loss == SIM_LOSS_NONE)
		sim_broken(b->sim, "replaced the object %s",
		    sim_text(there->key, there->len));
}

/* What becomes of a write under its condition; S3_DONE: it may be done now. */
static enum s3_outcome judge(struct sim_bucket *b, const struct sim_request *r,
    enum capability_write write, const char *key, size_t len,
    const struct etag *if_match, bool if_none_match)
{
	const struct sim_object *there = sim_store_find(b->store, key, len);
	enum s3_outcome outcome = sim_conditions_judge(&b->store->conditions,
	    write, if_match, if_none_match,
	    there != NULL ? &there->sig.etag : NULL);

	if (outcome == S3_DONE)
		audit_loss(b, r, write, there);
	if (outcome == S3_REJECTED && !is_probe(key, len))
		sim_keys_add(&b->rejected, key, len);
	return outcome;
}

/* An object by the program. */
static struct sim_object *store_ours(struct sim_bucket *b,
    struct sim_request *r, const char *key, size_t len, struct sim_content *c,
    const struct parts_md5s *md5s, int64_t mtime_ns)
{
	struct sim_object *o;

	o = store_put(b->store, key, len, c, md5s);
	o->meta_mtime_ns = mtime_ns;
	o->by = b;
	r->stored = o->born;
	b->store->written_by_program++;
	return o;
}

/* By what came with it: its signature, or else its Content-MD5. */
static bool is_signed_right(const struct sim_request *r)
{
	const struct s3_put *put = &r->of.put;
	const unsigned char *promised = put->sha256 ? put->sha256 : put->md5;
	enum digest_kind kind = put->sha256 ? DIGEST_SHA256 : DIGEST_MD5;
	unsigned char sum[DIGEST_MAX];

	digest_once(kind, r->body, (size_t)put->size, sum);
	return memcmp(sum, promised, digest_size(kind)) == 0;
}

static struct sim_object *store_body(struct sim_bucket *b,
    struct sim_request *r)
{
	const struct s3_put *put = &r->of.put;
	struct sim_content *c = sim_content_copy(r->body, put->size);
	struct sim_object *o;

	audit_body(b, put->key, put->key_len, c);
	if (b->store->etags == SIM_ETAGS_MD5 && put->size > 0 &&
	    !is_probe(put->key, put->key_len) &&
	    sim_fault(b->sim, FAULT_PUT_CORRUPT)) {
		sim_keys_add(&b->store->corrupted, put->key, put->key_len);
		sim_content_unref(c);
		r->body[sim_below(b->sim, (uint64_t)put->size)] ^= 1;
		c = sim_content_copy(r->body, put->size);
	}
	o = store_ours(b, r, put->key, put->key_len, c, NULL, put->mtime_ns);
	sim_content_unref(c);
	return o;
}

/* Does this server tell (409) that another writer is at the key? Nobody else
 * is ever at a probe's. */
static bool tells_conflicts(const struct sim_bucket *b,
    enum capability_write write, const char *key, size_t len,
    bool if_none_match)
{
	return if_none_match && !is_probe(key, len) &&
	    b->store->conditions.natures[write][CAPABILITY_NEW] ==
	    SIM_HONOURS;
}

static enum s3_outcome put_judge(struct sim_bucket *b,
    const struct sim_request *r)
{
	const struct s3_put *put = &r->of.put;

	return judge(b, r, CAPABILITY_PUT, put->key, put->key_len,
	    put->if_match, put->if_none_match);
}

/* All bytes are with the server: it decides. */
static void put_decide(struct sim_bucket *b, struct sim_request *r)
{
	const struct s3_put *put = &r->of.put;
	struct s3_result result = { .outcome = S3_DONE };
	bool probe = is_probe(put->key, put->key_len);
	bool conflicts = tells_conflicts(b, CAPABILITY_PUT, put->key,
	    put->key_len, put->if_none_match);
	const struct sim_object *o;
	enum s3_outcome outcome;

	if (!is_signed_right(r)) {
		end(b, r, S3_FAILED);
		return;
	}
	if (!probe && sim_fault(b->sim, FAULT_PUT_RIVAL))
		write_rival(b, put->key, put->key_len, put->size);
	if (conflicts &&
	    (r->lost_412 || sim_fault(b->sim, FAULT_PUT_CONFLICT))) {
		end(b, r, S3_EXISTS);
		return;
	}
	outcome = put_judge(b, r);
	if (outcome != S3_DONE) {
		end(b, r, outcome);
		return;
	}
	o = store_body(b, r);
	if (sim_fault(b->sim, FAULT_PUT_LOST_REPLY)) {
		end(b, r, S3_FAILED);
		return;
	}
	if (!probe && !r->lost_412 &&
	    sim_fault(b->sim, FAULT_PUT_SELF_412)) {
		r->lost_412 = true;
		try_again(b, r);
		return;
	}
	result.etag = o->sig.etag;
	result.etag.bytes = o->etag;
	result.etag_not_md5 = o->etag_not_md5;
	answer(b, r, &result, NULL);
}

static void part_decide(struct sim_bucket *b, struct sim_request *r);

static void put_step(struct sim_bucket *b, struct sim_request *r)
{
	const struct s3_put *put = &r->of.put;
	struct error error = ERROR_INIT;
	size_t len;
	ssize_t got;

	if (r->sent) {
		if (r->kind == S3_KIND_UPLOAD_PART)
			part_decide(b, r);
		else
			put_decide(b, r);
		return;
	}
	if (r->offset == 0 && fails_at_once(b, r))
		return;
	if (sim_fault(b->sim, FAULT_RETRIED)) {
		try_again(b, r);
		return;
	}
	if (r->offset < put->size) {
		len = piece(b->sim, put->size - r->offset);
		got = put->read(put->arg, r->offset, r->body + r->offset, len,
		    &error);
		if (got < 0) {
			end_aborted(b, r, &error);
			return;
		}
		assert(got > 0 && (size_t)got <= len);
		r->offset += got;
		b->usage.bytes_out += got;
	}
	r->sent = r->offset == put->size;
}

/*
 * Uploads in parts
 */

static struct sim_upload *upload_find(struct sim_bucket *b, const char *id)
{
	for (size_t i = 0; i < b->store->upload_count; i++)
		if (strcmp(b->store->uploads[i]->id, id) == 0)
			return b->store->uploads[i];
	return NULL;
}

static void upload_remove(struct sim_bucket *b, struct sim_upload *u)
{
	struct sim_store *store = b->store;
	size_t at = 0;

	while (store->uploads[at] != u)
		at++;
	store->uploads[at] = store->uploads[--store->upload_count];
	upload_free(u);
}

static struct sim_upload *upload_begin(struct sim_bucket *b,
    const struct s3_multipart_create *create)
{
	struct sim_store *store = b->store;
	struct sim_upload *u = alloc_zero(1, sizeof(*u));
	char id[32];

	snprintf(id, sizeof(id), "u%016" PRIx64, sim_random(b->sim));
	u->id = alloc_string(id);
	u->key = alloc_copy(create->key, create->key_len);
	u->len = create->key_len;
	u->by = b;
	u->mtime_ns = create->mtime_ns;
	ALLOC_GROW(store->uploads, store->upload_count + 1,
	    store->upload_room);
	store->uploads[store->upload_count++] = u;
	return u;
}

static void create_step(struct sim_bucket *b, struct sim_request *r)
{
	struct s3_result result = { .outcome = S3_DONE };
	struct extra extra = { 0 };
	struct sim_upload *u;

	if (fails_at_once(b, r))
		return;
	u = upload_begin(b, &r->of.create);
	u->stray = sim_fault(b->sim, FAULT_PUT_LOST_REPLY);
	if (u->stray) {
		end(b, r, S3_FAILED); /* nobody knows of it */
		return;
	}
	extra.upload_id = u->id;
	answer(b, r, &result, &extra);
}

static struct sim_part *part_at(struct sim_upload *u, int number)
{
	size_t at = 0;

	while (at < u->count && u->parts[at].number < number)
		at++;
	if (at < u->count && u->parts[at].number == number) {
		sim_content_unref(u->parts[at].content);
		return &u->parts[at];
	}
	ALLOC_GROW(u->parts, u->count + 1, u->room);
	memmove(u->parts + at + 1, u->parts + at,
	    (u->count - at) * sizeof(*u->parts));
	u->count++;
	return &u->parts[at];
}

/* It checks what arrives, by its MD5. */
static const struct sim_part *store_part(struct sim_bucket *b,
    const struct sim_request *r, struct sim_upload *u)
{
	const struct s3_put *put = &r->of.put;
	struct sim_part *part = part_at(u, put->part_number);

	part->number = put->part_number;
	part->content = sim_content_copy(r->body, put->size);
	make_etag(b->store, part->content, NULL, part->etag, &part->named);
	return part;
}

/* All bytes of a part are with the server. */
static void part_decide(struct sim_bucket *b, struct sim_request *r)
{
	struct s3_result result = { .outcome = S3_DONE };
	struct sim_upload *u = upload_find(b, r->of.put.upload_id);
	const struct sim_part *part;

	if (u == NULL || !is_signed_right(r)) {
		end(b, r, u == NULL ? S3_ABSENT : S3_FAILED);
		return;
	}
	part = store_part(b, r, u);
	if (sim_fault(b->sim, FAULT_PUT_LOST_REPLY)) {
		end(b, r, S3_FAILED);
		return;
	}
	result.etag = part->named;
	result.etag.bytes = part->etag;
	result.etag_not_md5 = b->store->etags == SIM_ETAGS_KMS;
	answer(b, r, &result, NULL);
}

/* What is completed is what the program says it has sent, part by part. */
static struct sim_content *join(struct sim_bucket *b,
    const struct s3_multipart_complete *complete, const struct sim_upload *u,
    struct parts_md5s *md5s)
{
	struct strbuf all = STRBUF_INIT(64 * 1024 * 1024);
	struct sim_content *c;

	if (complete->count != u->count)
		sim_broken(b->sim, "completed %zu of %zu parts of %s",
		    complete->count, u->count, sim_text(u->key, u->len));
	for (size_t i = 0; i < u->count && i < complete->count; i++) {
		struct sim_part *part = &u->parts[i];

		part->named.bytes = part->etag;
		if (part->number != complete->parts[i].number ||
		    !signature_etag_equal(&part->named,
			&complete->parts[i].etag))
			sim_broken(b->sim, "part %d of %s is not the one sent",
			    part->number, sim_text(u->key, u->len));
		strbuf_add(&all, part->content->bytes,
		    (size_t)part->content->size);
		md5s_add(md5s, part->content->md5);
	}
	c = sim_content_copy(all.buf, (int64_t)all.len);
	strbuf_release(&all);
	return c;
}

static struct sim_object *store_joined(struct sim_bucket *b,
    struct sim_request *r, struct sim_upload *u)
{
	struct parts_md5s md5s = { 0 };
	struct sim_content *c = join(b, &r->of.complete, u, &md5s);
	struct sim_object *o;

	audit_body(b, u->key, u->len, c);
	o = store_ours(b, r, u->key, u->len, c, &md5s, u->mtime_ns);
	free(md5s.bytes);
	sim_content_unref(c);
	upload_remove(b, u);
	return o;
}

static enum s3_outcome complete_judge(struct sim_bucket *b,
    const struct sim_request *r)
{
	const struct s3_multipart_complete *complete = &r->of.complete;

	return judge(b, r, CAPABILITY_COMPLETE, complete->key,
	    complete->key_len, complete->if_match, complete->if_none_match);
}

static void complete_step(struct sim_bucket *b, struct sim_request *r)
{
	const struct s3_multipart_complete *complete = &r->of.complete;
	struct s3_result result = { .outcome = S3_DONE };
	bool conflicts = tells_conflicts(b, CAPABILITY_COMPLETE,
	    complete->key, complete->key_len, complete->if_none_match);
	struct sim_upload *u;
	const struct sim_object *o;
	enum s3_outcome outcome;

	if (fails_at_once(b, r))
		return;
	u = upload_find(b, complete->upload_id);
	if (u == NULL) {
		end(b, r, S3_ABSENT);
		return;
	}
	if (!is_probe(complete->key, complete->key_len) &&
	    sim_fault(b->sim, FAULT_PUT_RIVAL))
		write_rival(b, complete->key, complete->key_len, 100);
	outcome = conflicts && sim_fault(b->sim, FAULT_PUT_CONFLICT)
	    ? S3_EXISTS
	    : complete_judge(b, r);
	if (outcome != S3_DONE) {
		if (b->store->spoils && outcome != S3_REJECTED)
			upload_remove(b, u);
		end(b, r, outcome);
		return;
	}
	o = store_joined(b, r, u);
	if (sim_fault(b->sim, FAULT_PUT_LOST_REPLY)) {
		end(b, r, S3_FAILED);
		return;
	}
	result.etag = o->sig.etag;
	result.etag.bytes = o->etag;
	answer(b, r, &result, NULL);
}

static void abort_step(struct sim_bucket *b, struct sim_request *r)
{
	struct s3_result result = { .outcome = S3_DONE };
	struct sim_upload *u;

	if (fails_at_once(b, r))
		return;
	u = upload_find(b, r->of.abort.upload_id);
	if (u == NULL) {
		end(b, r, S3_ABSENT);
		return;
	}
	upload_remove(b, u);
	answer(b, r, &result, NULL);
}

/*
 * What only a probe asks for
 */

static struct sim_object *store_copy(struct sim_bucket *b,
    struct sim_request *r, const struct sim_object *from)
{
	const struct s3_copy *copy = &r->of.copy;
	struct sim_content *c = sim_content_ref(from->content);
	struct sim_object *o = store_ours(b, r, copy->key, copy->key_len, c,
	    NULL, from->meta_mtime_ns);

	sim_content_unref(c);
	return o;
}

static enum s3_outcome copy_judge(struct sim_bucket *b,
    const struct sim_request *r)
{
	const struct s3_copy *copy = &r->of.copy;

	return judge(b, r, CAPABILITY_COPY, copy->key, copy->key_len,
	    copy->if_match, copy->if_none_match);
}

static void copy_step(struct sim_bucket *b, struct sim_request *r)
{
	const struct s3_copy *copy = &r->of.copy;
	struct s3_result result = { .outcome = S3_DONE };
	const struct sim_object *o;
	enum s3_outcome outcome;

	if (fails_at_once(b, r))
		return;
	o = sim_store_find(b->store, copy->from, copy->from_len);
	outcome = o == NULL ? S3_ABSENT : copy_judge(b, r);
	if (outcome != S3_DONE) {
		end(b, r, outcome);
		return;
	}
	o = store_copy(b, r, o);
	if (sim_fault(b->sim, FAULT_PUT_LOST_REPLY)) {
		end(b, r, S3_FAILED);
		return;
	}
	if (!b->store->silent_copies) {
		result.etag = o->sig.etag;
		result.etag.bytes = o->etag;
	}
	answer(b, r, &result, NULL);
}

static enum s3_outcome delete_judge(struct sim_bucket *b,
    const struct sim_request *r)
{
	const struct s3_delete *delete = &r->of.delete;

	return judge(b, r, CAPABILITY_DELETE, delete->key, delete->key_len,
	    delete->if_match, false);
}

static void delete_step(struct sim_bucket *b, struct sim_request *r)
{
	const struct s3_delete *delete = &r->of.delete;
	struct s3_result result = { .outcome = S3_DONE };
	enum s3_outcome outcome;

	if (fails_at_once(b, r))
		return;
	outcome = delete_judge(b, r);
	if (outcome == S3_DONE)
		sim_store_remove(b->store, delete->key, delete->key_len);
	if (outcome != S3_DONE || sim_fault(b->sim, FAULT_PUT_LOST_REPLY))
		end(b, r, outcome != S3_DONE ? outcome : S3_FAILED);
	else
		answer(b, r, &result, NULL);
}

/* One to four at a time. */
static void parts_step(struct sim_bucket *b, struct sim_request *r)
{
	struct s3_result result = { .outcome = S3_DONE };
	struct s3_part listed[4];
	struct extra extra = { .parts = listed };
	size_t most = 1 + (size_t)sim_below(b->sim, 4), at = 0;
	struct sim_upload *u;

	if (fails_at_once(b, r))
		return;
	u = upload_find(b, r->of.parts.upload_id);
	if (u == NULL) {
		end(b, r, S3_ABSENT);
		return;
	}
	while (at < u->count && u->parts[at].number <= r->of.parts.after)
		at++;
	for (; at < u->count && extra.count < most; at++) {
		struct sim_part *part = &u->parts[at];

		part->named.bytes = part->etag;
		listed[extra.count++] = (struct s3_part){
			.number = part->number,
			.size = part->content->size,
			.etag = part->named,
		};
	}
	if (at < u->count)
		extra.next = listed[extra.count - 1].number;
	answer(b, r, &result, &extra);
}

/*
 * The interface
 */

static void list(struct bucket *bucket, const struct s3_list *request)
{
	struct sim_request *r = submit(of(bucket), S3_KIND_LIST);

	r->of.list = *request;
}

/* Whoever acts must have seen both sides whole, and the other one empty. */
static void audit_seen(struct sim_bucket *b, const char *what, const char *key,
    size_t len)
{
	const struct sim_shown *shown = b->shown;

	if (shown == NULL)
		return;
	if (!shown->listed || !shown->scanned)
		sim_broken(b->sim, "%s %s without having seen both sides", what,
		    sim_text(key, len));
	if (sim_keys_covers(&shown->unknown, key, len))
		sim_broken(b->sim, "%s %s, which is unknown here", what,
		    sim_text(key, len));
}

static void get(struct bucket *bucket, const struct s3_get *request)
{
	struct sim_bucket *b = of(bucket);
	struct sim_request *r = submit(b, S3_KIND_GET);

	r->of.get = *request;
	audit_seen(b, "GET", request->key, request->key_len);
	if (request->length > 0 &&
	    (request->if_match == NULL || request->if_match->len == 0))
		sim_broken(b->sim, "a range of %s, of whatever is there",
		    sim_text(request->key, request->key_len));
	/* but for what is read back, as it did not arrive as it was sent */
	if (b->shown != NULL &&
	    sim_keys_has(&b->shown->local, request->key, request->key_len) &&
	    !sim_keys_has(&b->store->corrupted, request->key,
		request->key_len))
		sim_broken(b->sim, "GET %s, which is here",
		    sim_text(request->key, request->key_len));
}

/* A write without its condition comes after a look, and only where the server
 * would not take it otherwise; and a condition that does not protect comes
 * after a look, too. */
static void audit_condition(struct sim_bucket *b, struct sim_request *r,
    enum capability_write write, const char *key, size_t len, bool is_new)
{
	const struct capability *known = b->capability;
	enum sim_nature nature =
	    b->store->conditions.natures[write][CAPABILITY_NEW];

	if (is_probe(key, len))
		return;
	take_look(b, r, key, len);
	if (is_new && sim_keys_has(&b->rejected, key, len))
		sim_broken(b->sim, "PUT %s under a condition that was rejected",
		    sim_text(key, len));
	if (!is_new &&
	    (known == NULL || !r->looked ||
		(nature != SIM_REJECTS && nature != SIM_REFUSES &&
		    known->verdicts[write][CAPABILITY_NEW] !=
			CAPABILITY_REJECTED)))
		sim_broken(b->sim, "PUT %s without If-None-Match",
		    sim_text(key, len));
	if (known != NULL && sim_conditions_want_look(known, write) &&
	    !r->looked)
		sim_broken(b->sim, "PUT %s without a look what is there",
		    sim_text(key, len));
}

static void audit_upload(struct sim_bucket *b, const char *key, size_t len)
{
	if (is_probe(key, len))
		return;
	audit_seen(b, "PUT", key, len);
	if (b->shown != NULL && sim_keys_has(&b->shown->remote, key, len))
		sim_broken(b->sim, "PUT %s, which is in the bucket",
		    sim_text(key, len));
}

static void put(struct bucket *bucket, const struct s3_put *request)
{
	struct sim_bucket *b = of(bucket);
	struct sim_request *r = submit(b,
	    request->upload_id != NULL ? S3_KIND_UPLOAD_PART : S3_KIND_PUT);

	r->of.put = *request;
	r->body = alloc_zero(1, (size_t)request->size + 1);
	audit_upload(b, request->key, request->key_len);
	if (request->upload_id == NULL)
		audit_condition(b, r, CAPABILITY_PUT, request->key,
		    request->key_len,
		    request->if_none_match && request->if_match == NULL);
	assert(!b->store->signs || request->sha256 != NULL);
	assert(request->sha256 != NULL || request->md5 != NULL);
}

static void create(struct bucket *bucket,
    const struct s3_multipart_create *request)
{
	submit(of(bucket), S3_KIND_CREATE_UPLOAD)->of.create = *request;
	audit_upload(of(bucket), request->key, request->key_len);
}

static void complete(struct bucket *bucket,
    const struct s3_multipart_complete *request)
{
	struct sim_bucket *b = of(bucket);
	struct sim_request *r = submit(b, S3_KIND_COMPLETE_UPLOAD);

	r->of.complete = *request;
	audit_upload(b, request->key, request->key_len);
	audit_condition(b, r, CAPABILITY_COMPLETE, request->key,
	    request->key_len,
	    request->if_none_match && request->if_match == NULL);
}

static void audit_probe(struct sim_bucket *b, const char *what,
    const char *key, size_t len)
{
	if (!is_probe(key, len))
		sim_broken(b->sim, "%s %s, which is no probe's", what,
		    sim_text(key, len));
}

static void delete(struct bucket *bucket, const struct s3_delete *request)
{
	submit(of(bucket), S3_KIND_DELETE)->of.delete = *request;
	audit_probe(of(bucket), "DELETE", request->key, request->key_len);
}

static void copy(struct bucket *bucket, const struct s3_copy *request)
{
	submit(of(bucket), S3_KIND_COPY)->of.copy = *request;
	audit_probe(of(bucket), "COPY to", request->key, request->key_len);
	audit_probe(of(bucket), "COPY", request->from, request->from_len);
}

static void abort_upload(struct bucket *bucket,
    const struct s3_multipart_abort *request)
{
	submit(of(bucket), S3_KIND_ABORT_UPLOAD)->of.abort = *request;
}

static void list_parts(struct bucket *bucket,
    const struct s3_multipart_parts *request)
{
	submit(of(bucket), S3_KIND_LIST_PARTS)->of.parts = *request;
}

static bool signs_payload(const struct bucket *bucket)
{
	return ((const struct sim_bucket *)bucket)->store->signs;
}

static enum s3_digests part_digests(const struct bucket *bucket)
{
	return signs_payload(bucket) ? S3_DIGESTS_SHA256 : S3_DIGESTS_MD5;
}

static void abort_all(struct bucket *bucket)
{
	struct sim_bucket *b = of(bucket);

	while (b->count > 0)
		end(b, b->requests[sim_below(b->sim, b->count)], S3_ABORTED);
	forget_looks(b);
}

/* What has reached the server is done, and nobody hears of it. */
static void finish_dead(struct sim_bucket *b, struct sim_request *r)
{
	const struct sim_object *o;
	struct sim_upload *u;

	if (r->kind == S3_KIND_UPLOAD_PART && r->sent &&
	    (u = upload_find(b, r->of.put.upload_id)) != NULL &&
	    is_signed_right(r))
		store_part(b, r, u);
	if (r->kind == S3_KIND_COMPLETE_UPLOAD &&
	    (u = upload_find(b, r->of.complete.upload_id)) != NULL &&
	    complete_judge(b, r) == S3_DONE)
		store_joined(b, r, u);
	if (r->kind == S3_KIND_PUT && r->sent && !r->lost_412 &&
	    is_signed_right(r) && put_judge(b, r) == S3_DONE)
		store_body(b, r);
	if (r->kind == S3_KIND_CREATE_UPLOAD)
		upload_begin(b, &r->of.create)->stray = true;
	if (r->kind == S3_KIND_COPY &&
	    (o = sim_store_find(b->store, r->of.copy.from,
		 r->of.copy.from_len)) != NULL &&
	    copy_judge(b, r) == S3_DONE)
		store_copy(b, r, o);
	if (r->kind == S3_KIND_DELETE && delete_judge(b, r) == S3_DONE)
		sim_store_remove(b->store, r->of.delete.key,
		    r->of.delete.key_len);
}

/* The program is dead. What has reached the server may still be stored. */
static int wait_dead(struct sim_bucket *b, struct error *err)
{
	for (size_t i = 0; i < b->count; i++)
		if (!b->requests[i]->posthumous && sim_chance(b->sim, 500))
			finish_dead(b, b->requests[i]);
	abort_all(&b->base);
	return error_set(err, ERROR_STOPPED, "killed");
}

static void step_one(struct sim_bucket *b)
{
	static void (*const steps[])(struct sim_bucket *,
	    struct sim_request *) = {
		[S3_KIND_LIST] = list_step,
		[S3_KIND_GET] = get_step,
		[S3_KIND_PUT] = put_step,
		[S3_KIND_UPLOAD_PART] = put_step,
		[S3_KIND_DELETE] = delete_step,
		[S3_KIND_COPY] = copy_step,
		[S3_KIND_CREATE_UPLOAD] = create_step,
		[S3_KIND_COMPLETE_UPLOAD] = complete_step,
		[S3_KIND_ABORT_UPLOAD] = abort_step,
		[S3_KIND_LIST_PARTS] = parts_step,
	};
	struct sim_request *r = b->requests[sim_below(b->sim, b->count)];

	steps[r->kind](b, r);
}

static int bucket_wait(struct bucket *bucket, int64_t timeout_ns,
    struct error *err)
{
	struct sim_bucket *b = of(bucket);
	struct sim *sim = b->sim;
	unsigned steps =
	    b->steps > 0 ? b->steps : 1 + (unsigned)sim_below(sim, 4);
	bool nothing = b->count == 0 || sim_chance(sim, 50);

	sim_step(sim);
	if (sim->dead)
		return wait_dead(b, err);
	if (sim_fault(sim, FAULT_WAIT))
		return error_set(err, ERROR_NETWORK, "the event loop failed");
	if (b->woken || !nothing)
		sim_pass(sim, (int64_t)sim_below(sim, PAUSE_MAX_NS));
	else
		sim_pass(sim, timeout_ns);
	b->woken = false;
	while (!nothing && b->count > 0 && steps-- > 0)
		step_one(b);
	return 0;
}

static void wake(struct bucket *bucket)
{
	of(bucket)->woken = true;
}

static const struct s3_usage *usage(const struct bucket *bucket)
{
	return &((const struct sim_bucket *)bucket)->usage;
}

static void bucket_free(struct bucket *bucket)
{
	sim_bucket_release(of(bucket));
}

static const struct bucket_ops ops = {
	.list = list,
	.get = get,
	.put = put,
	.delete = delete,
	.copy = copy,
	.create = create,
	.complete = complete,
	.abort = abort_upload,
	.parts = list_parts,
	.signs_payload = signs_payload,
	.part_digests = part_digests,
	.wait = bucket_wait,
	.wake = wake,
	.abort_all = abort_all,
	.usage = usage,
	.free = bucket_free,
};

void sim_bucket_init(struct sim_bucket *b, struct sim_store *store)
{
	*b = (struct sim_bucket){
		.base = {
			.ops = &ops,
			.prefix = store->prefix,
			.prefix_len = strlen(store->prefix),
		},
		.sim = store->sim,
		.store = store,
	};
}

void sim_bucket_release(struct sim_bucket *b)
{
	abort_all(&b->base);
	forget_looks(b);
	free(b->requests);
	b->requests = NULL;
	b->room = 0;
}

bool sim_bucket_is_listing(const struct sim_bucket *b, size_t i)
{
	return b->requests[i]->kind == S3_KIND_LIST &&
	    !is_look(&b->requests[i]->of.list);
}
