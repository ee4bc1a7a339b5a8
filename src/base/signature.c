/* SPDX-License-Identifier: MIT */
/* Equality of signatures, and the two forms of an ETag. */
#include "base/signature.h"

#include <string.h>

#include "base/digest.h"

bool signature_local_equal(const struct local_sig *a, const struct local_sig *b)
{
	return a->size == b->size && a->mtime_ns == b->mtime_ns &&
	    a->ctime_ns == b->ctime_ns && a->ino == b->ino;
}

bool signature_etag_equal(const struct etag *a, const struct etag *b)
{
	if (a->len != b->len || a->binary != b->binary)
		return false;
	return a->len == 0 || memcmp(a->bytes, b->bytes, a->len) == 0;
}

void signature_etag_keep(struct etag *etag, unsigned char *room)
{
	if (etag->len > 0)
		memcpy(room, etag->bytes, etag->len);
	etag->bytes = room;
}

bool signature_remote_equal(const struct remote_sig *a,
    const struct remote_sig *b)
{
	if (a->size != b->size || !signature_etag_equal(&a->etag, &b->etag))
		return false;
	return a->etag.len > 0 || a->mtime_ms == b->mtime_ms;
}

/* Upper case does not count: the text form must come back as it was sent. */
static bool is_lower_hex(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (!((text[i] >= '0' && text[i] <= '9') ||
			(text[i] >= 'a' && text[i] <= 'f')))
			return false;
	return true;
}

static void drop_quotes(const char **text, size_t *len)
{
	if (*len >= 3 && memcmp(*text, "W/\"", 3) == 0) {
		*text += 2;
		*len -= 2;
	}
	if (*len >= 1 && **text == '"') {
		(*text)++;
		(*len)--;
	}
	if (*len >= 1 && (*text)[*len - 1] == '"')
		(*len)--;
}

bool signature_etag_parse(const char *text, size_t len, unsigned char *room,
    struct etag *etag)
{
	*etag = (struct etag){ .bytes = room };
	drop_quotes(&text, &len);
	if (len > ETAG_MAX)
		return false;
	if (len == 2 * DIGEST_MD5_SIZE && is_lower_hex(text, len)) {
		digest_unhex(text, len, room, DIGEST_MD5_SIZE);
		etag->len = DIGEST_MD5_SIZE;
		etag->binary = true;
	} else if (len > 0) {
		memcpy(room, text, len);
		etag->len = (uint16_t)len;
	}
	return true;
}

void signature_etag_text(const struct etag *etag, char *out)
{
	if (etag->binary) {
		digest_hex(etag->bytes, etag->len, out);
		return;
	}
	if (etag->len > 0)
		memcpy(out, etag->bytes, etag->len);
	out[etag->len] = '\0';
}

bool signature_etag_may_be_md5(const struct etag *etag)
{
	return etag->binary && etag->len == DIGEST_MD5_SIZE;
}
