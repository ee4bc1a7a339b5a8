/* SPDX-License-Identifier: MIT */
/* Which keys may be paths; UTF-8; the order and the printing of keys. */
#include "base/path.h"

#include <stdint.h>
#include <string.h>

#include "base/strbuf.h"

static const char *const verdict_texts[] = {
	[PATH_OK] = "the path can exist on both sides",
	[PATH_RESERVED_NAME] =
	    "the name '" PATH_RESERVED "' belongs to the program itself",
	[PATH_EMPTY] = "a path must not be empty",
	[PATH_MARKER] = "a path that ends in '/' is a directory marker",
	[PATH_ABSOLUTE] = "a path must not begin with '/'",
	[PATH_EMPTY_SEGMENT] = "a path must not contain '//'",
	[PATH_DOT_SEGMENT] = "a path must not contain the name '.' or '..'",
	[PATH_SEGMENT_TOO_LONG] = "a name must not exceed 255 bytes",
	[PATH_TOO_LONG] = "prefix and path together must not exceed 1024 bytes",
	[PATH_NUL] = "a path must not contain a NUL byte",
	[PATH_NOT_UTF8] = "a path must be valid UTF-8",
};

const char *path_verdict_text(enum path_verdict verdict)
{
	return verdict_texts[verdict];
}

/* The well-formed sequences of the Unicode standard, table 3-7. */
size_t path_utf8_char(const char *bytes, size_t len)
{
	const unsigned char *p = (const unsigned char *)bytes;
	unsigned char low = 0x80, high = 0xbf; /* of the second byte */
	size_t need, i;

	if (len == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	need = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xe0)
		low = 0xa0; /* no overlong form */
	else if (p[0] == 0xed)
		high = 0x9f; /* no surrogate */
	else if (p[0] == 0xf0)
		low = 0x90; /* no overlong form */
	else if (p[0] == 0xf4)
		high = 0x8f; /* nothing above U+10FFFF */
	if (len < need || p[1] < low || p[1] > high)
		return 0;
	for (i = 2; i < need; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return need;
}

bool path_is_utf8(const char *bytes, size_t len)
{
	size_t at = 0, step;
	uint64_t word;

	while (at < len) {
		if (len - at >= sizeof(word)) {
			memcpy(&word, bytes + at, sizeof(word));
			if ((word & UINT64_C(0x8080808080808080)) == 0) {
				at += sizeof(word);
				continue;
			}
		}
		step = path_utf8_char(bytes + at, len - at);
		if (step == 0)
			return false;
		at += step;
	}
	return true;
}

static enum path_verdict check_segment(const char *name, size_t len)
{
	if (len == 0)
		return PATH_EMPTY_SEGMENT;
	if (len > PATH_NAME_MAX)
		return PATH_SEGMENT_TOO_LONG;
	if (name[0] != '.')
		return PATH_OK;
	if (len == 1 || (len == 2 && name[1] == '.'))
		return PATH_DOT_SEGMENT;
	if (len == strlen(PATH_RESERVED) &&
	    memcmp(name, PATH_RESERVED, len) == 0)
		return PATH_RESERVED_NAME;
	return PATH_OK;
}

static enum path_verdict check_segments(const char *key, size_t len)
{
	const char *end = key + len, *name = key, *slash;
	enum path_verdict verdict;

	while ((slash = memchr(name, '/', (size_t)(end - name))) != NULL) {
		verdict = check_segment(name, (size_t)(slash - name));
		if (verdict != PATH_OK)
			return verdict;
		name = slash + 1;
		if (name == end)
			return PATH_MARKER;
	}
	return check_segment(name, (size_t)(end - name));
}

enum path_verdict path_check(const char *key, size_t len, size_t prefix_len)
{
	enum path_verdict verdict;

	if (len == 0)
		return PATH_EMPTY;
	if (key[0] == '/')
		return PATH_ABSOLUTE;
	verdict = check_segments(key, len);
	if (verdict != PATH_OK)
		return verdict;
	if (len > PATH_KEY_MAX || prefix_len > PATH_KEY_MAX - len)
		return PATH_TOO_LONG;
	if (memchr(key, '\0', len) != NULL)
		return PATH_NUL;
	return path_is_utf8(key, len) ? PATH_OK : PATH_NOT_UTF8;
}

int path_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t shorter = a_len < b_len ? a_len : b_len;
	int order = shorter > 0 ? memcmp(a, b, shorter) : 0;

	return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

bool path_is_below(const char *key, size_t len, const char *dir, size_t dir_len)
{
	if (dir_len == 0)
		return len > 0;
	return len > dir_len + 1 && key[dir_len] == '/' &&
	    memcmp(key, dir, dir_len) == 0;
}

size_t path_parent_len(const char *key, size_t len)
{
	while (len > 0 && key[len - 1] != '/')
		len--;
	return len > 0 ? len - 1 : 0;
}

/* Bytes of the character at ${p} if it may be shown as it is, else 0. */
static size_t shown_char(const char *p, size_t len)
{
	size_t n = path_utf8_char(p, len);
	unsigned char first = (unsigned char)p[0];

	if (n == 1 && (first < 0x20 || first == 0x7f))
		return 0;
	if (n == 2 && first == 0xc2 && (unsigned char)p[1] < 0xa0)
		return 0; /* C1: some terminals obey them */
	return n;
}

char *path_printable(const char *key, size_t len)
{
	struct strbuf out = STRBUF_INIT(4 * len);
	size_t at = 0, n;

	while (at < len) {
		n = shown_char(key + at, len - at);
		if (n > 0) {
			strbuf_add(&out, key + at, n);
			at += n;
		} else {
			strbuf_addf(&out, "\\x%02x", (unsigned char)key[at]);
			at++;
		}
	}
	return strbuf_detach(&out);
}
