/* SPDX-License-Identifier: MIT */
/* Members of JSON objects, and objects as lines. */
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/path.h"
#include "base/strbuf.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

static void put(json_t *object, const char *name, json_t *value)
{
	if (json_object_set_new(object, name, value) != 0)
		alloc_failed();
}

/* Each byte that is not UTF-8 becomes one U+FFFD. */
static json_t *repaired_string(const char *bytes, size_t len)
{
	struct strbuf out = STRBUF_INIT(len * strlen(REPLACEMENT));
	size_t at = 0, n;
	json_t *value;

	while (at < len) {
		n = path_utf8_char(bytes + at, len - at);
		if (n > 0) {
			strbuf_add(&out, bytes + at, n);
			at += n;
		} else {
			strbuf_adds(&out, REPLACEMENT);
			at++;
		}
	}
	value = json_stringn_nocheck(strbuf_text(&out), out.len);
	strbuf_release(&out);
	return value;
}

static json_t *string(const char *bytes, size_t len)
{
	if (path_is_utf8(bytes, len))
		return json_stringn_nocheck(bytes, len);
	return repaired_string(bytes, len);
}

void json_put_text(json_t *object, const char *name, const char *text)
{
	put(object, name,
	    text != NULL ? string(text, strlen(text)) : json_null());
}

void json_put_int(json_t *object, const char *name, int64_t value)
{
	put(object, name, json_integer(value));
}

void json_put_bool(json_t *object, const char *name, int value)
{
	put(object, name, json_boolean(value));
}

void json_put_key(json_t *object, const char *key, size_t len)
{
	char *base64;

	put(object, "key", string(key, len));
	if (path_is_utf8(key, len))
		return;
	base64 = alloc_bytes(4 * ((len + 2) / 3) + 1);
	digest_base64((const unsigned char *)key, len, base64);
	put(object, "key_base64", json_string_nocheck(base64));
	free(base64);
}

void json_put_time(json_t *object, const char *name, int64_t wall_ns)
{
	char text[CLOCK_ISO_MAX];

	clock_format_utc(wall_ns, text);
	put(object, name,
	    wall_ns != 0 ? json_string_nocheck(text) : json_null());
}

void json_free_secret(json_t *value)
{
	const char *text = json_string_value(value);
	const char *name;
	json_t *member;
	size_t i;

	if (text != NULL)
		explicit_bzero((char *)(uintptr_t)text,
		    json_string_length(value));
	json_object_foreach(value, name, member) {
		json_incref(member);
		json_free_secret(member);
	}
	json_array_foreach(value, i, member) {
		json_incref(member);
		json_free_secret(member);
	}
	json_decref(value);
}

void json_print(FILE *out, json_t *object)
{
	char *text = json_text(object);

	fprintf(out, "%s\n", text);
	free(text);
}

char *json_text(json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);

	if (text == NULL)
		alloc_failed();
	json_decref(object);
	return text;
}
