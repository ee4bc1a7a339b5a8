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
#define GLOBAL_REGION "aws-global" /* its host has no region in its name */
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
		CURLUPART_PASSWORD, CURLUPART_QUERY, CURLUPART_FRAGMENT,
		CURLUPART_ZONEID };
	CURLUcode code = curl_url_set(handle, CURLUPART_URL, url,
	    CURLU_PATH_AS_IS | CURLU_NON_SUPPORT_SCHEME);

	/* The text is not repeated: it may hold a password. */
	for (size_t i = 0; !code && i < COUNT(strange); i++) {
		char *part = NULL;

		if (curl_url_get(handle, strange[i], &part, 0))
			continue;
		curl_free(part);
		return error_set(err, ERROR_CONFIG, "endpoint_url: user, "
		    "password, '?', '#' and the zone of an IPv6 address "
		    "have no place in it");
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

/* AWS's partitions by the beginning of a region's name. */
static const struct partition {
	const char *region;
	const char *arn;    /* as an ARN names it */
	const char *suffix;
	const char *dual_suffix; /* dual-stack, of all services but S3 */
	const char *home;   /* the same for all regions: see endpoint_home */
	bool fips, accelerate;
} partitions[] = {
	{ "cn-", "aws-cn", "amazonaws.com.cn",
	  "api.amazonwebservices.com.cn", "s3.amazonaws.com.cn", false, false },
	{ "eusc-", "aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu",
	  "s3.amazonaws.eu", true, true },
	{ "us-gov-", "aws-us-gov", "amazonaws.com", "api.aws",
	  "s3.us-gov-west-1.amazonaws.com", true, true },
	{ "us-iso-", "aws-iso", "c2s.ic.gov", "api.aws.ic.gov",
	  "s3.c2s.ic.gov", true, true },
	{ "us-isob-", "aws-iso-b", "sc2s.sgov.gov", "api.aws.scloud",
	  "s3.sc2s.sgov.gov", true, true },
	{ "us-isof-", "aws-iso-f", "csp.hci.ic.gov", "api.aws.hci.ic.gov",
	  "s3.csp.hci.ic.gov", true, true },
	{ "eu-isoe-", "aws-iso-e", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk",
	  "s3.cloud.adc-e.uk", true, true },
	{ "", "aws", "amazonaws.com", "api.aws", "s3.amazonaws.com", true, true },
};

static const struct partition *partition_of(const char *region)
{
	const struct partition *p = partitions;

	while (strncmp(region, p->region, strlen(p->region)) != 0)
		p++;
	return p;
}

const char *endpoint_aws_partition(const char *region)
{
	return partition_of(region)->arn;
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

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len > end_len && strcmp(text + len - end_len, end) == 0;
}

static int check_bucket(const char *bucket, struct error *err)
{
	size_t len = strlen(bucket);
	bool good = len > 0 && len <= BUCKET_MAX && strcmp(bucket, ".") != 0 &&
	    strcmp(bucket, "..") != 0;

	if (ends_with(bucket, "--x-s3") || ends_with(bucket, "--xa-s3"))
		return error_set(err, ERROR_CONFIG,
		    "'%.200s' is a directory bucket (S3 Express): it lists in "
		    "no order and cannot be synced; use a general purpose "
		    "bucket", bucket);
	if (ends_with(bucket, "--op-s3"))
		return error_set(err, ERROR_CONFIG,
		    "'%.200s' is a bucket on an S3 Outpost, which has a "
		    "protocol of its own; use a bucket in a region", bucket);
	for (const char *c = bucket; *c; c++)
		good = good &&
		    (isalnum((unsigned char)*c) || strchr(".-_", *c));
	if (!good)
		return error_set(err, ERROR_CONFIG,
		    "'%.200s' is not the name of a bucket", bucket);
	return 0;
}

/* ---- access points ------------------------------------------------------ */

/* arn:PARTITION:SERVICE:REGION:ACCOUNT:accesspoint:NAME, cut up. */
struct arn {
	char *copy;
	const char *partition, *service, *region, *account, *kind, *name;
};

static bool is_label(const char *text)
{
	size_t len = strlen(text);

	for (const char *c = text; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '-')
			return false;
	return len > 0 && len <= LABEL_MAX && *text != '-';
}

static void arn_split(struct arn *a, const char *text)
{
	const char **parts[] = { &a->partition, &a->service, &a->region,
		&a->account };
	char *rest = alloc_string(text + strlen("arn:"));

	a->copy = rest;
	a->kind = a->name = "";
	for (size_t i = 0; i < COUNT(parts); i++) {
		*parts[i] = strsep(&rest, ":");
		if (!*parts[i])
			*parts[i] = "";
	}
	if (!rest)
		return;
	a->kind = rest; /* then ':' or '/' */
	rest += strcspn(rest, ":/");
	if (*rest) {
		*rest = '\0';
		a->name = rest + 1;
	}
}

/* What is an access point, but of another kind than this program speaks to. */
static const char *wrong_with_kind(const struct arn *a)
{
	if (strcmp(a->service, "s3-object-lambda") == 0)
		return "leads to an Object Lambda, whose objects are not those "
		    "that were listed; use the access point beneath it";
	if (strcmp(a->service, "s3-outposts") == 0)
		return "is on an S3 Outpost, which has a protocol of its own; "
		    "use a bucket in a region";
	if (strcmp(a->service, "s3") != 0 || strcmp(a->kind, "accesspoint") != 0)
		return "is not the ARN of an access point of S3: expected "
		    "arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME, or a "
		    "bucket's name";
	if (!*a->region)
		return "is a Multi-Region Access Point, which needs signatures "
		    "of another kind (SigV4A); use the bucket in the nearest "
		    "region";
	return NULL;
}

static const char *wrong_with_arn(const struct arn *a,
    const struct endpoint_options *o)
{
	const char *wrong = wrong_with_kind(a);

	if (wrong)
		return wrong;
	if (!is_label(a->region) || !is_label(a->account) || !is_label(a->name))
		return "is not the ARN of an access point: REGION, ACCOUNT and "
		    "NAME are made of a-z, 0-9 and '-'";
	if (strcmp(partition_of(a->region)->arn, a->partition) != 0)
		return "names a region of another partition than its own";
	if (o->accelerate)
		return "is an access point, and those are not accelerated: "
		    "unset use_accelerate_endpoint";
	if (o->addressing == S3_ADDRESSING_PATH)
		return "is an access point, which is always addressed by host "
		    "name: unset addressing = path";
	return NULL;
}

/* ---- AWS ---------------------------------------------------------------- */

static bool is_ip(const char *host)
{
	return *host == '[' || host[strspn(host, "0123456789.")] == '\0';
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

char *endpoint_of_service(const char *service, const char *region,
    bool dualstack, bool fips)
{
	const struct partition *p = partition_of(region);
	/* That of STS in GovCloud is one anyway, and has no other name. */
	bool named = fips && (dualstack || strcmp(service, "sts") != 0 ||
	    strcmp(p->arn, "aws-us-gov") != 0);

	return format("https://%s%s.%s.%s", service, named ? "-fips" : "",
	    region, dualstack ? p->dual_suffix : p->suffix);
}

/* May the bucket be part of the host's name, and shall it? */
static bool is_virtual(const struct parts *p, const struct endpoint_options *o)
{
	if (o->addressing == S3_ADDRESSING_PATH || is_ip(p->host) ||
	    !is_dns_safe(o->bucket) ||
	    (o->url && o->addressing == S3_ADDRESSING_AUTO))
		return false;
	return strcmp(p->scheme, "http") == 0 || !strchr(o->bucket, '.');
}

/* Options of AWS's own addresses, which another server's cannot have. */
static int check_options(const struct endpoint_options *o, const char *region,
    struct error *err)
{
	const struct partition *partition = partition_of(region);
	const char *wrong = NULL;

	if (o->url && (o->dualstack || o->fips || o->accelerate))
		wrong = "an endpoint_url is used as it is: unset "
		    "use_dualstack_endpoint, use_fips_endpoint and "
		    "use_accelerate_endpoint (AWS_USE_DUALSTACK_ENDPOINT, "
		    "AWS_USE_FIPS_ENDPOINT)";
	else if (o->fips && !partition->fips)
		wrong = "there are no FIPS endpoints in China: unset "
		    "use_fips_endpoint";
	else if (o->fips && o->accelerate)
		wrong = "no accelerated endpoint is a FIPS endpoint: unset "
		    "use_accelerate_endpoint or use_fips_endpoint";
	else if (o->accelerate && !partition->accelerate)
		wrong = "nothing is accelerated in China: unset "
		    "use_accelerate_endpoint";
	else if (o->accelerate && (!is_dns_safe(o->bucket) ||
	    strchr(o->bucket, '.') || o->addressing == S3_ADDRESSING_PATH))
		wrong = "only a bucket that is addressed by host name can be "
		    "accelerated: unset use_accelerate_endpoint";
	return wrong ? error_set(err, ERROR_CONFIG, "%s", wrong) : 0;
}

/* ${service}: "s3" or "s3-accesspoint". */
static char *aws_url(const struct endpoint_options *o, const char *service,
    const char *region)
{
	const struct partition *partition = partition_of(region);
	const char *dualstack = o->dualstack ? ".dualstack" : "";

	if (o->accelerate)
		return format("https://s3-accelerate%s.%s", dualstack,
		    partition->suffix);
	if (strcmp(region, GLOBAL_REGION) == 0 && !o->fips && !o->dualstack)
		return format("https://%s.%s", service, partition->suffix);
	if (strcmp(region, GLOBAL_REGION) == 0)
		region = DEFAULT_REGION;
	return format("https://%s%s%s.%s.%s", service, o->fips ? "-fips" : "",
	    dualstack, region, partition->suffix);
}

/* ${sub}: what goes before the host's name; "" nothing. */
static void assemble(struct endpoint *e, const struct parts *p, const char *sub,
    const char *bucket)
{
	const char *own_port = e->tls ? "443" : "80";
	bool has_port = p->port && strcmp(p->port, own_port) != 0;
	const char *port = has_port ? p->port : "";
	const char *colon = has_port ? ":" : "";
	const char *dot = *sub ? "." : "";
	struct strbuf base = STRBUF_INIT(TEXT_MAX);

	sigv4_encode(&base, p->base, strlen(p->base), true);
	e->url = format("%s://%s%s%s%s", p->scheme, p->host, colon, port,
	    strbuf_text(&base));
	e->host = format("%s%s%s%s%s", sub, dot, p->host, colon, port);
	e->origin = format("%s://%s", p->scheme, e->host);
	e->authority = format("%s%s%s:%s", sub, dot, p->host,
	    has_port ? port : own_port);
	e->path = format("%s%s%s", strbuf_text(&base), *sub ? "" : "/",
	    *sub ? "" : bucket);
	strbuf_release(&base);
}

static int init_bucket(struct endpoint *e, const struct endpoint_options *o,
    const char *region, struct error *err)
{
	char *aws = o->url ? NULL : aws_url(o, "s3", region);
	struct parts parts = { 0 };
	int rc = -1;

	if (check_bucket(o->bucket, err) || check_options(o, region, err) ||
	    parse_url(o->url ? o->url : aws, &parts, err))
		goto out;
	e->tls = strcmp(parts.scheme, "https") == 0;
	e->region = alloc_string(strcmp(region, GLOBAL_REGION) == 0 ?
	    DEFAULT_REGION : region);
	assemble(e, &parts, is_virtual(&parts, o) ? o->bucket : "", o->bucket);
	rc = 0;
out:
	parts_release(&parts);
	free(aws);
	return rc;
}

static int init_access_point(struct endpoint *e,
    const struct endpoint_options *o, struct error *err)
{
	struct parts parts = { 0 };
	struct arn arn;
	const char *wrong;
	char *aws = NULL, *sub = NULL;
	int rc = -1;

	arn_split(&arn, o->bucket);
	wrong = wrong_with_arn(&arn, o);
	if (wrong) {
		error_set(err, ERROR_CONFIG, "'%.200s' %s", o->bucket, wrong);
		goto out;
	}
	if (!o->url)
		aws = aws_url(o, "s3-accesspoint", arn.region);
	if (check_options(o, arn.region, err) ||
	    parse_url(o->url ? o->url : aws, &parts, err))
		goto out;
	if (is_ip(parts.host)) {
		error_set(err, ERROR_CONFIG, "an access point has a name of "
		    "its own below the host's: endpoint_url cannot be an IP "
		    "address");
		goto out;
	}
	e->tls = strcmp(parts.scheme, "https") == 0;
	e->region = alloc_string(arn.region);
	sub = format("%s-%s", arn.name, arn.account);
	assemble(e, &parts, sub, NULL);
	rc = 0;
out:
	parts_release(&parts);
	free(arn.copy);
	free(aws);
	free(sub);
	return rc;
}

int endpoint_init(struct endpoint *e, const struct endpoint_options *options,
    struct error *err)
{
	const char *region = options->region ? options->region :
	    DEFAULT_REGION;

	memset(e, 0, sizeof(*e));
	if (check_region(region, err))
		return -1;
	if (strncmp(options->bucket, "arn:", 4) == 0)
		return init_access_point(e, options, err);
	return init_bucket(e, options, region, err);
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

/* "s3", "s3-fips.eu-west-1", "s3.dualstack.eu-west-1": the part before the
 * partition's suffix. */
static bool is_home_of(const struct partition *p, const char *host, size_t len)
{
	size_t suffix = strlen(p->suffix);
	const char *end, *region;

	if (len < suffix + 3 || strncmp(host + len - suffix, p->suffix,
	    suffix) != 0 || host[len - suffix - 1] != '.' ||
	    strncmp(host, "s3", 2) != 0 || !strchr(".-", host[2]))
		return false;
	end = host + len - suffix - 1;
	region = memrchr(host, '.', (size_t)(end - host));
	region = region ? region + 1 : DEFAULT_REGION;
	return strncmp(region, p->region, strlen(p->region)) == 0;
}

char *endpoint_home(const char *url)
{
	static const char https[] = "https://";
	const char *host = url + strlen(https);

	for (size_t i = 0; i < COUNT(partitions); i++)
		if (strncmp(url, https, strlen(https)) == 0 &&
		    is_home_of(&partitions[i], host, strcspn(host, "/")))
			return format("%s%s", https, partitions[i].home);
	return alloc_string(url);
}
