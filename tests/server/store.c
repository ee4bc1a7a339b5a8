/* SPDX-License-Identifier: MIT */
/* Buckets, objects and multipart uploads behind one lock. */
#include "store.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/path.h"
#include "disk.h"
#include "index.h"
#include "text.h"

struct upload {
	struct upload *next;
	char id[STORE_UPLOAD_ID_MAX];
	char *key;
	size_t key_len;
	struct strbuf headers;
	int64_t begun_ms;
	struct part *parts; /* by number */
	size_t n_parts, room;
};

struct bucket {
	struct bucket *next; /* by name */
	char *name;
	int64_t created_ms;
	struct index *index;
	struct synthetic synthetic; /* count 0: none */
	struct upload *uploads;     /* by key, then by age */
};

struct store {
	char *dir; /* NULL: in memory */
	pthread_rwlock_t lock;
	struct bucket *buckets;
	uint64_t serial;
};

static struct bucket *find_bucket(const struct store *s, const char *name)
{
	struct bucket *b = s->buckets;

	while (b && strcmp(b->name, name) != 0)
		b = b->next;
	return b;
}

static struct bucket *add_bucket(struct store *s, const char *name,
    int64_t created_ms)
{
	struct bucket **at = &s->buckets;
	struct bucket *b = alloc_zero(1, sizeof(*b));

	while (*at && strcmp((*at)->name, name) < 0)
		at = &(*at)->next;
	b->next = *at;
	*at = b;
	b->name = alloc_string(name);
	b->created_ms = created_ms;
	b->index = index_new();
	return b;
}

struct loaded {
	struct store *store;
	struct bucket *bucket;
};

static void load_bucket(void *arg, const char *name, int64_t created_ms)
{
	struct loaded *loaded = arg;

	loaded->bucket = add_bucket(loaded->store, name, created_ms);
}

static void load_object(void *arg, struct object *o)
{
	struct loaded *loaded = arg;

	object_unref(index_put(loaded->bucket->index, o));
}

struct store *store_open(const char *dir, struct error *err)
{
	struct store *s = alloc_zero(1, sizeof(*s));
	struct loaded loaded = { s, NULL };

	pthread_rwlock_init(&s->lock, NULL);
	if (!dir)
		return s;
	s->dir = alloc_string(dir);
	if (disk_load(dir, load_bucket, load_object, &loaded, err) == 0)
		return s;
	store_close(s);
	return NULL;
}

static void free_upload(struct upload *u)
{
	for (size_t i = 0; i < u->n_parts; i++)
		object_unref(u->parts[i].object);
	free(u->parts);
	strbuf_release(&u->headers);
	free(u->key);
	free(u);
}

void store_close(struct store *s)
{
	struct bucket *b;
	struct upload *u;

	if (!s)
		return;
	while ((b = s->buckets)) {
		s->buckets = b->next;
		while ((u = b->uploads)) {
			b->uploads = u->next;
			free_upload(u);
		}
		index_free(b->index);
		synthetic_release(&b->synthetic);
		free(b->name);
		free(b);
	}
	pthread_rwlock_destroy(&s->lock);
	free(s->dir);
	free(s);
}

struct bucket *store_bucket(struct store *s, const char *name)
{
	struct bucket *b;

	pthread_rwlock_rdlock(&s->lock);
	b = find_bucket(s, name);
	pthread_rwlock_unlock(&s->lock);
	return b;
}

int store_make_bucket(struct store *s, const char *name,
    const struct synthetic *synthetic, struct error *err)
{
	struct bucket *b;
	int result = 0;

	pthread_rwlock_wrlock(&s->lock);
	b = find_bucket(s, name);
	if (b)
		result = 1;
	else if (s->dir)
		result = disk_make_bucket(s->dir, name, err);
	if (result == 0)
		b = add_bucket(s, name, clock_wall_ns() / CLOCK_MS);
	if (result >= 0 && synthetic && b->synthetic.count == 0)
		b->synthetic = *synthetic;
	pthread_rwlock_unlock(&s->lock);
	return result;
}

void store_each_bucket(struct store *s,
    void (*each)(void *arg, const char *name, int64_t created_ms), void *arg)
{
	pthread_rwlock_rdlock(&s->lock);
	for (struct bucket *b = s->buckets; b; b = b->next)
		each(arg, b->name, b->created_ms);
	pthread_rwlock_unlock(&s->lock);
}

const char *store_bucket_name(const struct bucket *b)
{
	return b->name;
}

/* ---- one object ---- */

struct object *store_stage(struct store *s, const char *key, size_t key_len,
    const struct strbuf *headers, int64_t size)
{
	struct object *o = object_new(key, key_len, strbuf_text(headers),
	    headers->len, size, !s->dir);

	if (!s->dir || disk_stage(s->dir, o) == 0)
		return o;
	object_unref(o);
	return NULL;
}

int store_append(struct object *staged, const void *bytes, size_t len)
{
	if (staged->filled + (int64_t)len > staged->size)
		return -1;
	if (staged->body)
		memcpy(staged->body + staged->filled, bytes, len);
	else if (disk_append(staged, bytes, len) < 0)
		return -1;
	staged->filled += (int64_t)len;
	return 0;
}

/* What GET would show for a key: an object with a reference, or NULL. */
static struct object *look_up(struct bucket *b, const char *key, size_t key_len)
{
	struct object *o = index_find(b->index, key, key_len);
	const struct synthetic *syn = &b->synthetic;

	if (o)
		return o->deleted ? NULL : object_ref(o);
	if (syn->count == 0 || synthetic_find(syn, key, key_len) < 0)
		return NULL;
	o = object_new(key, key_len, NULL, 0, syn->size, false);
	o->body = syn->bytes;
	o->mtime_ms = SYNTHETIC_MTIME_MS;
	memcpy(o->etag, syn->etag, sizeof(syn->etag));
	return o;
}

static bool is_same_etag(const char *text, size_t len, const char *etag)
{
	if (len >= 2 && text[0] == '"' && text[len - 1] == '"') {
		text++;
		len -= 2;
	}
	return (len == 1 && *text == '*') ||
	    (strlen(etag) == len && memcmp(text, etag, len) == 0);
}

bool store_etag_matches(const char *header, const char *etag)
{
	while (*header) {
		size_t len;

		header += strspn(header, " \t,");
		len = strcspn(header, ",");
		while (len > 0 && (header[len - 1] == ' '))
			len--;
		if (len > 0 && is_same_etag(header, len, etag))
			return true;
		header += len;
	}
	return false;
}

static enum store_result check(struct bucket *b, const char *key,
    size_t key_len, const struct condition *condition)
{
	enum store_result result = STORE_DONE;
	struct object *o;

	if (!condition->if_match && !condition->if_none_match)
		return STORE_DONE;
	o = look_up(b, key, key_len);
	if (condition->if_match && !o)
		result = STORE_MISSING;
	else if (condition->if_match &&
	    !store_etag_matches(condition->if_match, o->etag))
		result = STORE_REFUSED;
	else if (condition->if_none_match && o &&
	    store_etag_matches(condition->if_none_match, o->etag))
		result = STORE_REFUSED;
	object_unref(o);
	return result;
}

enum store_result store_check(struct store *s, struct bucket *b,
    const char *key, size_t key_len, const struct condition *condition)
{
	enum store_result result;

	pthread_rwlock_rdlock(&s->lock);
	result = check(b, key, key_len, condition);
	pthread_rwlock_unlock(&s->lock);
	return result;
}

enum store_result store_commit(struct store *s, struct bucket *b,
    struct object *staged, const struct condition *condition)
{
	struct object *loser = staged;
	enum store_result result;

	if (s->dir && disk_seal(staged) < 0) {
		object_unref(staged);
		return STORE_FAILED;
	}
	pthread_rwlock_wrlock(&s->lock);
	result = check(b, object_key(staged), staged->key_len, condition);
	if (result == STORE_DONE && s->dir &&
	    disk_publish(s->dir, b->name, staged) < 0)
		result = STORE_FAILED;
	if (result == STORE_DONE)
		loser = index_put(b->index, staged);
	pthread_rwlock_unlock(&s->lock);
	object_unref(loser);
	return result;
}

enum store_result store_delete(struct store *s, struct bucket *b,
    const char *key, size_t key_len, const struct condition *condition)
{
	struct object *gone = NULL;
	enum store_result result;

	pthread_rwlock_wrlock(&s->lock);
	result = check(b, key, key_len, condition);
	if (result == STORE_DONE)
		gone = index_remove(b->index, key, key_len);
	if (gone && s->dir && !gone->deleted)
		disk_remove(s->dir, b->name, gone);
	if (result == STORE_DONE && b->synthetic.count > 0 &&
	    synthetic_find(&b->synthetic, key, key_len) >= 0) {
		struct object *hole = object_new(key, key_len, NULL, 0, 0,
		    false);

		hole->deleted = true;
		index_put(b->index, hole);
	}
	pthread_rwlock_unlock(&s->lock);
	object_unref(gone);
	return result;
}

struct object *store_get(struct store *s, struct bucket *b, const char *key,
    size_t key_len, int *fd)
{
	struct object *o;

	if (fd)
		*fd = -1;
	pthread_rwlock_rdlock(&s->lock);
	o = look_up(b, key, key_len);
	if (o && !o->body && fd) {
		*fd = disk_open(s->dir, b->name, o);
		if (*fd < 0) {
			object_unref(o);
			o = NULL;
		}
	}
	pthread_rwlock_unlock(&s->lock);
	return o;
}

/* ---- the keys in order ---- */

struct cursor {
	struct store *store;
	struct bucket *bucket;
	struct index_place place;
	struct object *stored;   /* the next key of each source; NULL: none */
	int64_t i;
	int order;               /* stored against synthetic: which is next */
	char key[SYNTHETIC_KEY_MAX + 1];
};

struct cursor *cursor_begin(struct store *s, struct bucket *b)
{
	struct cursor *c = alloc_bytes(sizeof(*c));

	c->store = s;
	c->bucket = b;
	pthread_rwlock_rdlock(&s->lock);
	cursor_seek(c, "", 0);
	return c;
}

void cursor_end(struct cursor *c)
{
	pthread_rwlock_unlock(&c->store->lock);
	free(c);
}

static void advance(struct cursor *c)
{
	if (c->order <= 0)
		index_step(c->bucket->index, &c->place);
	if (c->order >= 0)
		c->i++;
}

/* Finds which source has the next key; skips what is deleted. */
static void settle(struct cursor *c)
{
	const struct synthetic *syn = &c->bucket->synthetic;

	for (;;) {
		c->stored = index_at(c->bucket->index, c->place);
		if (c->i == syn->count) {
			c->order = -1;
		} else {
			synthetic_key(syn, c->i, c->key);
			c->order = !c->stored ? 1 : path_compare(
			    object_key(c->stored), c->stored->key_len, c->key,
			    syn->key_len);
		}
		if (!c->stored || !c->stored->deleted || c->order > 0)
			return;
		advance(c);
	}
}

void cursor_seek(struct cursor *c, const char *key, size_t len)
{
	c->place = index_seek(c->bucket->index, key, len);
	c->i = synthetic_seek(&c->bucket->synthetic, key, len);
	settle(c);
}

void cursor_step(struct cursor *c)
{
	advance(c);
	settle(c);
}

bool cursor_entry(struct cursor *c, struct entry *entry)
{
	const struct synthetic *syn = &c->bucket->synthetic;
	const struct object *o = c->stored;

	if (c->order > 0) {
		*entry = (struct entry){ c->key, syn->key_len, syn->size,
			SYNTHETIC_MTIME_MS, syn->etag, "STANDARD", false };
		return true;
	}
	if (!o)
		return false;
	*entry = (struct entry){ object_key(o), o->key_len, o->size,
		o->mtime_ms, o->etag, o->storage_class, true };
	return true;
}

/* ---- multipart uploads ---- */

static struct upload **find_upload(struct bucket *b, const char *id,
    const char *key, size_t key_len)
{
	struct upload **at = &b->uploads;

	while (*at && (strcmp((*at)->id, id) != 0 ||
	    path_compare((*at)->key, (*at)->key_len, key, key_len) != 0))
		at = &(*at)->next;
	return at;
}

void store_begin_upload(struct store *s, struct bucket *b, const char *key,
    size_t key_len, const struct strbuf *headers,
    char id[STORE_UPLOAD_ID_MAX])
{
	struct upload *u = alloc_zero(1, sizeof(*u));
	struct upload **at = &b->uploads;

	u->key = alloc_copy(key, key_len);
	u->key_len = key_len;
	strbuf_init(&u->headers, headers->max);
	strbuf_add(&u->headers, strbuf_text(headers), headers->len);
	u->begun_ms = clock_wall_ns() / CLOCK_MS;
	pthread_rwlock_wrlock(&s->lock);
	snprintf(u->id, sizeof(u->id), "upload-%016" PRIx64, ++s->serial);
	memcpy(id, u->id, sizeof(u->id));
	while (*at && path_compare((*at)->key, (*at)->key_len, key,
	    key_len) <= 0)
		at = &(*at)->next;
	u->next = *at;
	*at = u;
	pthread_rwlock_unlock(&s->lock);
}

/* Puts a part in its place; returns what was there. */
static struct object *put_part(struct upload *u, int number,
    struct object *part)
{
	size_t at = u->n_parts;

	while (at > 0 && u->parts[at - 1].number >= number)
		at--;
	if (at < u->n_parts && u->parts[at].number == number) {
		struct object *old = u->parts[at].object;

		u->parts[at].object = part;
		return old;
	}
	ALLOC_GROW(u->parts, u->n_parts + 1, u->room);
	memmove(u->parts + at + 1, u->parts + at,
	    (u->n_parts - at) * sizeof(*u->parts));
	u->parts[at] = (struct part){ number, part };
	u->n_parts++;
	return NULL;
}

bool store_add_part(struct store *s, struct bucket *b, const char *id,
    const char *key, size_t key_len, int number, struct object *part)
{
	struct object *loser = part;
	struct upload *u;

	pthread_rwlock_wrlock(&s->lock);
	u = *find_upload(b, id, key, key_len);
	if (u)
		loser = put_part(u, number, part);
	pthread_rwlock_unlock(&s->lock);
	object_unref(loser);
	return u != NULL;
}

bool store_abort_upload(struct store *s, struct bucket *b, const char *id,
    const char *key, size_t key_len)
{
	struct upload **at, *u;

	pthread_rwlock_wrlock(&s->lock);
	at = find_upload(b, id, key, key_len);
	u = *at;
	if (u)
		*at = u->next;
	pthread_rwlock_unlock(&s->lock);
	if (u)
		free_upload(u);
	return u != NULL;
}

int store_parts(struct store *s, struct bucket *b, const char *id,
    const char *key, size_t key_len, struct part **parts,
    struct strbuf *headers)
{
	struct upload *u;
	int count = -1;

	*parts = NULL;
	pthread_rwlock_rdlock(&s->lock);
	u = *find_upload(b, id, key, key_len);
	if (u) {
		count = (int)u->n_parts;
		*parts = alloc_zero(u->n_parts + 1, sizeof(**parts));
		for (int i = 0; i < count; i++) {
			(*parts)[i].number = u->parts[i].number;
			(*parts)[i].object = object_ref(u->parts[i].object);
		}
		if (headers)
			strbuf_add(headers, strbuf_text(&u->headers),
			    u->headers.len);
	}
	pthread_rwlock_unlock(&s->lock);
	return count;
}

void store_parts_release(struct part *parts, int count)
{
	for (int i = 0; i < count; i++)
		object_unref(parts[i].object);
	free(parts);
}

static int append_file(struct object *whole, const struct object *part)
{
	off_t from = 0;

	while (from < part->size) {
		ssize_t n = sendfile(whole->fd, part->fd, &from,
		    (size_t)(part->size - from));

		if (n <= 0)
			return -1;
	}
	whole->filled += part->size;
	return 0;
}

struct object *store_join(struct store *s, const char *key, size_t key_len,
    const struct strbuf *headers, const struct part *parts, int count)
{
	struct object *whole;
	int64_t size = 0;

	for (int i = 0; i < count; i++)
		size += parts[i].object->size;
	whole = store_stage(s, key, key_len, headers, size);
	for (int i = 0; whole && i < count; i++) {
		const struct object *part = parts[i].object;

		if ((part->body ?
		    store_append(whole, part->body, (size_t)part->size) :
		    append_file(whole, part)) < 0) {
			object_unref(whole);
			whole = NULL;
		}
	}
	return whole;
}

void store_each_upload(struct store *s, struct bucket *b,
    void (*each)(void *arg, const char *key, size_t key_len, const char *id,
	int64_t begun_ms), void *arg)
{
	pthread_rwlock_rdlock(&s->lock);
	for (struct upload *u = b->uploads; u; u = u->next)
		each(arg, u->key, u->key_len, u->id, u->begun_ms);
	pthread_rwlock_unlock(&s->lock);
}
