/* SPDX-License-Identifier: MIT */
/* s3://BUCKET/PREFIX: what is an address, and what is wrong with one. */
#include "sync/conf.h"

#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/strbuf.h"

#define SCHEME "s3://"
#define ARN "arn:"
#define BUCKET_MIN 3
#define BUCKET_MAX 255 /* 63 today; the oldest buckets may be longer */
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static int refuse(const char *text, const char *why, struct error *err)
{
	return error_set(err, ERROR_CONFIG, "'%s' %s", text, why);
}

static int check_scheme(const char *text, struct error *err)
{
	if (strncmp(text, SCHEME, strlen(SCHEME)) == 0)
		return 0;
	if (strncmp(text, "http://", 7) == 0 ||
	    strncmp(text, "https://", 8) == 0)
		return refuse(text,
		    "is a web address: write s3://BUCKET/PREFIX, and name "
		    "the server with endpoint_url (--endpoint-url)",
		    err);
	if (strncasecmp(text, "s3:", 3) == 0)
		return refuse(text,
		    "does not begin with s3:// (lower case, two slashes)", err);
	return refuse(text, "is not an address: expected s3://BUCKET/PREFIX",
	    err);
}

static bool is_ip_address(const char *name)
{
	return strspn(name, DIGITS ".") == strlen(name) &&
	    strchr(name, '.') != NULL;
}

/* Upper case and '_' are the oldest buckets' and some servers'. */
static const char *wrong_with_bucket(const char *name)
{
	size_t len = strlen(name);

	if (len == 0)
		return "names no bucket: expected s3://BUCKET/PREFIX";
	if (strncmp(name, ARN, strlen(ARN)) == 0)
		return NULL; /* endpoint_init knows them */
	if (len < BUCKET_MIN || len > BUCKET_MAX)
		return "has a bucket name that is not from 3 to 63 "
		       "characters long";
	if (strspn(name, LOWER UPPER DIGITS ".-_") != len)
		return "has a bucket name with characters other than a-z, "
		       "0-9, '.' and '-'";
	if (strchr(".-", name[0]) != NULL ||
	    strchr(".-", name[len - 1]) != NULL)
		return "has a bucket name that begins or ends with '.' or '-'";
	if (strstr(name, "..") != NULL || is_ip_address(name))
		return "has a bucket name that is an IP address or holds '..'";
	if (len > 6 && strcmp(name + len - 6, "--x-s3") == 0)
		return "is a directory bucket: this version does not know "
		       "their protocol";
	return NULL;
}

/* A prefix follows the rules of keys, so that it means the same to all
 * servers and proxies. ${prefix} does not end in '/'. */
static int check_prefix(const char *text, const char *prefix, size_t len,
    struct error *err)
{
	enum path_verdict verdict;

	if (len == 0)
		return 0;
	verdict = path_check(prefix, len, 0);
	if (verdict == PATH_OK)
		return 0;
	return error_set(err, ERROR_CONFIG, "'%s' has a bad prefix: %s", text,
	    path_verdict_text(verdict));
}

static char *copy_prefix(const char *prefix, size_t len)
{
	char *copy = alloc_bytes(len + 2);

	memcpy(copy, prefix, len);
	if (len > 0)
		copy[len++] = '/';
	copy[len] = '\0';
	return copy;
}

/* An ARN may hold one '/' itself: arn:…:accesspoint/NAME. */
static size_t bucket_len(const char *name)
{
	static const char kind[] = ":accesspoint/";
	size_t len = strcspn(name, "/");

	if (strncmp(name, ARN, strlen(ARN)) == 0 && len >= sizeof(kind) - 2 &&
	    strncmp(name + len + 2 - sizeof(kind), kind,
		sizeof(kind) - 1) == 0)
		len += 1 + strcspn(name + len + 1, "/");
	return len;
}

int conf_remote_parse(const char *text, char **bucket, char **prefix,
    struct error *err)
{
	const char *name, *rest, *why;
	size_t len;

	*bucket = *prefix = NULL;
	if (check_scheme(text, err) < 0)
		return -1;
	name = text + strlen(SCHEME);
	len = bucket_len(name);
	rest = name + len;
	rest += *rest == '/';

	*bucket = alloc_copy(name, len + 1);
	(*bucket)[len] = '\0';
	why = wrong_with_bucket(*bucket);
	len = strlen(rest);
	if (len > 1 && rest[len - 1] == '/')
		len--;
	if (why != NULL)
		refuse(text, why, err);
	if (why != NULL || check_prefix(text, rest, len, err) < 0) {
		free(*bucket);
		*bucket = NULL;
		return -1;
	}
	*prefix = copy_prefix(rest, len);
	return 0;
}
