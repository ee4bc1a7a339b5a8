/* SPDX-License-Identifier: MIT */
/* One stored object: allocation, references, storage classes. */
#include "object.h"

#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "text.h"

struct object *object_new(const char *key, size_t key_len, const char *headers,
    size_t headers_len, int64_t size, bool in_memory)
{
	size_t fixed = sizeof(struct object) + key_len + headers_len;
	struct object *o = alloc_bytes(fixed + (in_memory ? (size_t)size : 0));

	*o = (struct object){ .refs = 1,
		.key_len = (uint32_t)key_len,
		.headers_len = (uint32_t)headers_len,
		.size = size,
		.fd = -1,
		.storage_class = object_storage_class("STANDARD") };
	o->etag = o->etag_room;
	memcpy(o->bytes, key, key_len);
	if (headers_len)
		memcpy(o->bytes + key_len, headers, headers_len);
	if (in_memory)
		o->body = (unsigned char *)o->bytes + key_len + headers_len;
	return o;
}

struct object *object_join(const char *key, size_t key_len,
    const char *headers, size_t headers_len, struct object *const *parts,
    uint32_t count)
{
	struct object *o;
	int64_t size = 0;

	for (uint32_t i = 0; i < count; i++)
		size += parts[i]->size;
	o = object_new(key, key_len, headers, headers_len, size, false);
	o->filled = size;
	o->parts = alloc_zero(count, sizeof(*o->parts));
	o->part_count = count;
	for (uint32_t i = 0; i < count; i++)
		o->parts[i] = object_ref(parts[i]);
	return o;
}

bool object_is_in_file(const struct object *o)
{
	return !o->body && !o->parts;
}

size_t object_bytes(const struct object *o, int64_t from,
    const unsigned char **bytes)
{
	uint32_t i = 0;

	if (o->body) {
		*bytes = o->body + from;
		return (size_t)(o->size - from);
	}
	while (from >= o->parts[i]->size)
		from -= o->parts[i++]->size;
	return object_bytes(o->parts[i], from, bytes);
}

struct object *object_ref(struct object *o)
{
	atomic_fetch_add(&o->refs, 1);
	return o;
}

void object_unref(struct object *o)
{
	if (!o || atomic_fetch_sub(&o->refs, 1) > 1)
		return;
	if (o->fd >= 0)
		close(o->fd);
	if (o->staged_path)
		unlink(o->staged_path);
	free(o->staged_path);
	for (uint32_t i = 0; i < o->part_count; i++)
		object_unref(o->parts[i]);
	free(o->parts);
	object_set_etag(o, "");
	free(o);
}

void object_set_etag(struct object *o, const char *etag)
{
	if (o->etag != o->etag_room)
		free((char *)o->etag);
	o->etag = o->etag_room;
	if (strlen(etag) < sizeof(o->etag_room))
		memcpy(o->etag_room, etag, strlen(etag) + 1);
	else
		o->etag = alloc_string(etag);
}

const char *object_storage_class(const char *name)
{
	static const char *const classes[] = { "STANDARD", "STANDARD_IA",
		"ONEZONE_IA", "INTELLIGENT_TIERING", "REDUCED_REDUNDANCY",
		"GLACIER", "GLACIER_IR", "DEEP_ARCHIVE" };

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (strcmp(classes[i], name) == 0)
			return classes[i];
	return NULL;
}

bool object_is_archived(const struct object *o)
{
	return strcmp(o->storage_class, "GLACIER") == 0 ||
	    strcmp(o->storage_class, "DEEP_ARCHIVE") == 0;
}

const char *object_restore(const struct object *o)
{
	return text_pair_value(object_headers(o), o->headers_len,
	    "x-amz-restore");
}

bool object_is_readable(const struct object *o)
{
	const char *restore =
	    object_is_archived(o) ? object_restore(o) : "expiry-date";

	return restore && strstr(restore, "expiry-date");
}
