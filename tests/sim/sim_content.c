/* SPDX-License-Identifier: MIT */
/* Contents that tell themselves apart, and who saw them where. */
#include "sim_content.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"

static struct sim_content *content_new(int64_t size)
{
	struct sim_content *c = alloc_bytes(sizeof(*c) + (size_t)size + 1);

	c->refs = 1;
	c->partial = false;
	c->size = size;
	return c;
}

static struct sim_content *finish(struct sim_content *c)
{
	digest_once(DIGEST_MD5, c->bytes, (size_t)c->size, c->md5);
	return c;
}

/* xorshift, eight bytes at a time. */
struct sim_content *sim_content_new(uint64_t id, int64_t size)
{
	struct sim_content *c = content_new(size);
	uint64_t x = id * UINT64_C(0x9e3779b97f4a7c15) | 1;
	size_t at = 0, left;

	while ((left = (size_t)size - at) > 0) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(c->bytes + at, &x, left < 8 ? left : 8);
		at += left < 8 ? left : 8;
	}
	return finish(c);
}

struct sim_content *sim_content_copy(const void *bytes, int64_t size)
{
	struct sim_content *c = content_new(size);

	if (size > 0)
		memcpy(c->bytes, bytes, (size_t)size);
	return finish(c);
}

struct sim_content *sim_content_partial(const struct sim_content *whole)
{
	struct sim_content *c = sim_content_copy(whole->bytes, whole->size / 2);

	c->partial = true;
	return c;
}

struct sim_content *sim_content_ref(struct sim_content *c)
{
	c->refs++;
	return c;
}

void sim_content_unref(struct sim_content *c)
{
	if (c != NULL && --c->refs == 0)
		free(c);
}

static struct sim_sighting *add(struct sim_history *h, const char *key,
    size_t len, struct sim_content *content)
{
	struct sim_sighting *s;

	ALLOC_GROW(h->items, h->count + 1, h->room);
	s = &h->items[h->count++];
	memset(s, 0, offsetof(struct sim_sighting, etag));
	s->key = alloc_copy(key, len);
	s->key_len = len;
	s->content = sim_content_ref(content);
	return s;
}

void sim_history_add_local(struct sim_history *h, const char *key, size_t len,
    const struct local_sig *sig, struct sim_content *content)
{
	add(h, key, len, content)->local = *sig;
}

void sim_history_add_remote(struct sim_history *h, const char *key, size_t len,
    const struct remote_sig *sig, struct sim_content *content)
{
	struct sim_sighting *s = add(h, key, len, content);

	s->remote = *sig;
	signature_etag_keep(&s->remote.etag, s->etag);
}

static bool is_key(const struct sim_sighting *s, const char *key, size_t len)
{
	return path_compare(s->key, s->key_len, key, len) == 0;
}

const struct sim_content *sim_history_local(const struct sim_history *h,
    const char *key, size_t len, const struct local_sig *sig)
{
	for (size_t i = h->count; i-- > 0;)
		if (is_key(&h->items[i], key, len) &&
		    signature_local_equal(&h->items[i].local, sig))
			return h->items[i].content;
	return NULL;
}

const struct sim_content *sim_history_remote(const struct sim_history *h,
    const char *key, size_t len, const struct remote_sig *sig)
{
	for (size_t i = h->count; i-- > 0;) {
		struct sim_sighting *s = &h->items[i];

		s->remote.etag.bytes = s->etag; /* the array may have moved */
		if (is_key(s, key, len) &&
		    signature_remote_equal(&s->remote, sig))
			return s->content;
	}
	return NULL;
}

bool sim_history_whole(const struct sim_history *h, const char *key, size_t len,
    const unsigned char md5[DIGEST_MD5_SIZE], int64_t size)
{
	for (size_t i = 0; i < h->count; i++) {
		const struct sim_content *c = h->items[i].content;

		if (!c->partial && c->size == size &&
		    memcmp(c->md5, md5, DIGEST_MD5_SIZE) == 0 &&
		    is_key(&h->items[i], key, len))
			return true;
	}
	return false;
}

void sim_history_release(struct sim_history *h)
{
	for (size_t i = 0; i < h->count; i++) {
		free(h->items[i].key);
		sim_content_unref(h->items[i].content);
	}
	free(h->items);
	*h = (struct sim_history){ 0 };
}
