/* SPDX-License-Identifier: MIT */
/* Where a bucket lives: URL, Host header and path from what was configured. */
#include "s3/endpoint.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <curl/curl.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "s3/sigv4.h"

#define DEFAULT_REGION "us-east-1"
#define TEXT_MAX ((size_t)1 << 16)
#define LABEL_MAX 63
#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define BUCKET_MAX 255 /* what path style servers have ever allowed */

/* The parts of endpoint_url, as they were given. */
struct parts {
	char *scheme;
	char *host; /* an IPv6 address in its brackets */
	char *port; /* NULL: the scheme's own */
	char *base; /* decoded, without a '/' at its end */
};

static void parts_release(struct parts *p)
{
	curl_free(p->scheme);
	curl_free(p->host);
	curl_free(p->port);
	curl_free(p->base);
}

static int split_url(CURLU *handle, const char *url, struct parts *p,
    struct error *err)
{
	static const CURLUPart strange[] = { CURLUPART_USER,
		CURLUPART_PASSWORD, CURLUPART_QUERY, CURLUPART_FRAGMENT };
	CURLUcode code = curl_url_set(handle, CURLUPART_URL, url,
	    CURLU_PATH_AS_IS | CURLU_NON_SUPPORT_SCHEME);

	/* The text is not repeated: it may hold a password. */
	for (size_t i = 0; !code && i < COUNT(strange); i++) {
		char *part = NULL;

		if (curl_url_get(handle, strange[i], &part, 0))
			continue;
		curl_free(part);
		return error_set(err, ERROR_CONFIG, "endpoint_url: user, "
		    "password, '?' and '#' have no place in it");
	}
	if (!code)
		code = curl_url_get(handle, CURLUPART_SCHEME, &p->scheme, 0);
	if (!code)
		code = curl_url_get(handle, CURLUPART_HOST, &p->host, 0);
	if (!code)
		code = curl_url_get(handle, CURLUPART_PATH, &p->base,
		    CURLU_URLDECODE);
	if (!code) /* none is no error */
		curl_url_get(handle, CURLUPART_PORT, &p->port,
		    CURLU_NO_DEFAULT_PORT);
	if (code || (strcmp(p->scheme, "http") && strcmp(p->scheme, "https")))
		return error_set(err, ERROR_CONFIG,
		    "endpoint_url: write it as http://HOST[:PORT] or "
		    "https://HOST[:PORT]");
	for (size_t len = strlen(p->base); len && p->base[len - 1] == '/';)
		p->base[--len] = '\0';
	for (char *c = p->host; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return 0;
}

static int parse_url(const char *url, struct parts *p, struct error *err)
{
	CURLU *handle = curl_url();
	int rc;

	if (!handle)
		alloc_failed();
	rc = split_url(handle, url, p, err);
	curl_url_cleanup(handle);
	return rc;
}

const char *endpoint_aws_suffix(const char *region)
{
	static const struct {
		const char *region;
		const char *suffix;
	} partitions[] = {
		{ "cn-", "amazonaws.com.cn" },
		{ "eusc-", "amazonaws.eu" },
		{ "us-iso-", "c2s.ic.gov" },
		{ "us-isob-", "sc2s.sgov.gov" },
		{ "us-isof-", "csp.hci.ic.gov" },
		{ "eu-isoe-", "cloud.adc-e.uk" },
		{ "", "amazonaws.com" }, /* us-gov- among them */
	};
	size_t i = 0;

	while (strncmp(region, partitions[i].region,
	    strlen(partitions[i].region)) != 0)
		i++;
	return partitions[i].suffix;
}

static int check_region(const char *region, struct error *err)
{
	size_t len = strlen(region);

	for (const char *c = region; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_')
			len = 0;
	if (len == 0 || len > LABEL_MAX)
		return error_set(err, ERROR_CONFIG,
		    "region '%.64s' is not the name of a region", region);
	return 0;
}

/* The rule of AWS for names of today, which are also host names. */
static bool is_dns_safe(const char *bucket)
{
	size_t len = strlen(bucket);

	if (len < 3 || len > LABEL_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		bool edge = i == 0 || i == len - 1 || bucket[i - 1] == '.' ||
		    bucket[i + 1] == '.';

		if (!islower((unsigned char)bucket[i]) &&
		    !isdigit((unsigned char)bucket[i]) &&
		    (edge || (bucket[i] != '-' && bucket[i] != '.')))
			return false;
	}
	return true;
}

static int check_bucket(const char *bucket, struct error *err)
{
	size_t len = strlen(bucket);
	bool good = len > 0 && len <= BUCKET_MAX && strcmp(bucket, ".") != 0 &&
	    strcmp(bucket, "..") != 0;

	if (strncmp(bucket, "arn:", 4) == 0)
		return error_set(err, ERROR_CONFIG,
		    "'%.200s' is an access point: only buckets by name are "
		    "supported", bucket);
	if (len > 6 && strcmp(bucket + len - 6, "--x-s3") == 0)
		return error_set(err, ERROR_CONFIG,
		    "'%.200s' is a directory bucket (S3 Express): it lists in "
		    "no order and cannot be synced; use a general purpose "
		    "bucket", bucket);
	for (const char *c = bucket; *c; c++)
		good = good &&
		    (isalnum((unsigned char)*c) || strchr(".-_", *c));
	if (!good)
		return error_set(err, ERROR_CONFIG,
		    "'%.200s' is not the name of a bucket", bucket);
	return 0;
}

static bool is_ip(const char *host)
{
	return *host == '[' || host[strspn(host, "0123456789.")] == '\0';
}

/* Is the bucket part of the host name, rather than of the path? */
static int choose_style(const struct parts *p, bool aws, const char *bucket,
    enum s3_addressing addressing, bool *virtual, struct error *err)
{
	bool safe = is_dns_safe(bucket);

	*virtual = false;
	if (addressing == S3_ADDRESSING_PATH || is_ip(p->host))
		return 0;
	if (addressing == S3_ADDRESSING_VIRTUAL && !safe)
		return error_set(err, ERROR_CONFIG,
		    "bucket '%s' cannot be part of a host name: use "
		    "addressing = path", bucket);
	*virtual = addressing == S3_ADDRESSING_VIRTUAL ||
	    (aws && safe && !strchr(bucket, '.'));
	return 0;
}

static char *format(const char *form, ...)
    __attribute__((format(printf, 1, 2)));

static char *format(const char *form, ...)
{
	struct strbuf s = STRBUF_INIT(TEXT_MAX);
	va_list ap;

	va_start(ap, form);
	strbuf_vaddf(&s, form, ap);
	va_end(ap);
	return strbuf_detach(&s);
}

static void assemble(struct endpoint *e, const struct parts *p, bool virtual,
    const char *bucket)
{
	const char *own_port = e->tls ? "443" : "80";
	bool has_port = p->port && strcmp(p->port, own_port) != 0;
	const char *port = has_port ? p->port : "";
	const char *colon = has_port ? ":" : "";
	const char *sub = virtual ? bucket : "";
	const char *dot = virtual ? "." : "";
	struct strbuf base = STRBUF_INIT(TEXT_MAX);

	sigv4_encode(&base, p->base, strlen(p->base), true);
	e->url = format("%s://%s%s%s%s", p->scheme, p->host, colon, port,
	    strbuf_text(&base));
	e->host = format("%s%s%s%s%s", sub, dot, p->host, colon, port);
	e->origin = format("%s://%s", p->scheme, e->host);
	e->authority = format("%s%s%s:%s", sub, dot, p->host,
	    has_port ? port : own_port);
	e->path = format("%s%s%s", strbuf_text(&base), virtual ? "" : "/",
	    virtual ? "" : bucket);
	strbuf_release(&base);
}

int endpoint_init(struct endpoint *e, const char *url, const char *region,
    const char *bucket, enum s3_addressing addressing, struct error *err)
{
	struct parts parts = { 0 };
	char *aws = NULL;
	bool virtual;
	int rc = -1;

	memset(e, 0, sizeof(*e));
	if (!region)
		region = DEFAULT_REGION;
	if (check_region(region, err) || check_bucket(bucket, err))
		goto out;
	if (!url)
		url = aws = format("https://s3.%s.%s", region,
		    endpoint_aws_suffix(region));
	if (parse_url(url, &parts, err) ||
	    choose_style(&parts, aws != NULL, bucket, addressing, &virtual,
	    err))
		goto out;
	e->tls = strcmp(parts.scheme, "https") == 0;
	e->region = alloc_string(region);
	assemble(e, &parts, virtual, bucket);
	rc = 0;
out:
	parts_release(&parts);
	free(aws);
	return rc;
}

void endpoint_release(struct endpoint *e)
{
	free(e->url);
	free(e->origin);
	free(e->host);
	free(e->authority);
	free(e->path);
	free(e->region);
	memset(e, 0, sizeof(*e));
}
