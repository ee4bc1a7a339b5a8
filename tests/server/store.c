/* SPDX-License-Identifier: MIT */
/* Buckets and objects behind one lock. */
#include "store.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "disk.h"
#include "index.h"
#include "store_internal.h"

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

void store_close(struct store *s)
{
	struct bucket *b;

	if (!s)
		return;
	while ((b = s->buckets)) {
		s->buckets = b->next;
		parts_free_uploads(b);
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
    struct synthetic *synthetic, struct error *err)
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
	if (synthetic && b && b->synthetic.count == 0)
		b->synthetic = *synthetic;
	else if (synthetic)
		synthetic_release(synthetic);
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
	object_set_etag(o, syn->etag);
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
		struct object *hole =
		    object_new(key, key_len, NULL, 0, 0, false);

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
	if (o && object_is_in_file(o) && fd) {
		*fd = disk_open(s->dir, b->name, o);
		if (*fd < 0) {
			object_unref(o);
			o = NULL;
		}
	}
	pthread_rwlock_unlock(&s->lock);
	return o;
}
