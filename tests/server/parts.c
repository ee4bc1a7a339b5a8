/* SPDX-License-Identifier: MIT */
/* Multipart uploads in the making. */
#include "parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/path.h"
#include "store_internal.h"

struct upload {
	struct upload *next;
	char id[PARTS_ID_MAX];
	char *key;
	size_t key_len;
	struct strbuf headers;
	int64_t begun_ms;
	struct part *parts; /* by number */
	size_t n_parts, room;
};

static void free_upload(struct upload *u)
{
	for (size_t i = 0; i < u->n_parts; i++)
		object_unref(u->parts[i].object);
	free(u->parts);
	strbuf_release(&u->headers);
	free(u->key);
	free(u);
}

void parts_free_uploads(struct bucket *b)
{
	struct upload *u;

	while ((u = b->uploads)) {
		b->uploads = u->next;
		free_upload(u);
	}
}

static struct upload **find_upload(struct bucket *b, const char *id,
    const char *key, size_t key_len)
{
	struct upload **at = &b->uploads;

	while (*at &&
	    (strcmp((*at)->id, id) != 0 ||
		path_compare((*at)->key, (*at)->key_len, key, key_len) != 0))
		at = &(*at)->next;
	return at;
}

void parts_begin(struct store *s, struct bucket *b, const char *key,
    size_t key_len, const struct strbuf *headers, char id[PARTS_ID_MAX])
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
	while (
	    *at && path_compare((*at)->key, (*at)->key_len, key, key_len) <= 0)
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

bool parts_add(struct store *s, struct bucket *b, const char *id,
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

bool parts_abort(struct store *s, struct bucket *b, const char *id,
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

int parts_get(struct store *s, struct bucket *b, const char *id,
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

void parts_release(struct part *parts, int count)
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

static struct object *join_files(struct store *s, const char *key,
    size_t key_len, const struct strbuf *headers, struct object *const *parts,
    uint32_t count)
{
	struct object *whole;
	int64_t size = 0;

	for (uint32_t i = 0; i < count; i++)
		size += parts[i]->size;
	whole = store_stage(s, key, key_len, headers, size);
	for (uint32_t i = 0; whole && i < count; i++)
		if (append_file(whole, parts[i]) < 0) {
			object_unref(whole);
			whole = NULL;
		}
	return whole;
}

struct object *parts_join(struct store *s, const char *key, size_t key_len,
    const struct strbuf *headers, const struct part *parts, int count)
{
	struct object **objects = alloc_zero((size_t)count, sizeof(*objects));
	struct object *whole;

	for (int i = 0; i < count; i++)
		objects[i] = parts[i].object;
	if (object_is_in_file(objects[0]))
		whole = join_files(s, key, key_len, headers, objects,
		    (uint32_t)count);
	else
		whole = object_join(key, key_len, strbuf_text(headers),
		    headers->len, objects, (uint32_t)count);
	free(objects);
	return whole;
}

void parts_each_upload(struct store *s, struct bucket *b,
    void (*each)(void *arg, const char *key, size_t key_len, const char *id,
	int64_t begun_ms),
    void *arg)
{
	pthread_rwlock_rdlock(&s->lock);
	for (struct upload *u = b->uploads; u; u = u->next)
		each(arg, u->key, u->key_len, u->id, u->begun_ms);
	pthread_rwlock_unlock(&s->lock);
}
