/* SPDX-License-Identifier: MIT */
/* Who asks, where, and what the very first answer says of all that. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/human.h"
#include "s3/endpoint.h"
#include "sync/check_internal.h"
#include "sync/client.h"

/* A cycle is patient; whoever asks what is wrong is not. */
#define ATTEMPTS 2
#define IDLE_NS (4 * CLOCK_SECOND)
#define IN_FLIGHT 16

#define CLOCK_WARN_S 60
#define CLOCK_FAIL_S (15 * 60)

#define DEFAULT_REGION "us-east-1"

#define SHOWN 4 /* characters of a key, at either end */

static int64_t at_most(int64_t value, int64_t limit)
{
	return value < limit ? value : limit;
}

/*
 * Credentials
 */

void check_access_mask(const char *key, struct strbuf *out)
{
	size_t len = strlen(key);

	if (len >= 4 * SHOWN)
		strbuf_addf(out, "%.*s\xe2\x80\xa6%s", SHOWN, key,
		    key + len - SHOWN);
	else
		strbuf_addf(out, "%.*s\xe2\x80\xa6", len < 2 ? 0 : 2, key);
}

static void add_expiry(struct strbuf *out, int64_t expires_ns, int64_t now_ns)
{
	char until[CLOCK_ISO_MAX], left[HUMAN_MAX];

	if (expires_ns == 0) {
		strbuf_adds(out, "without an end");
		return;
	}
	clock_format_utc(expires_ns, until);
	human_duration(llabs(expires_ns - now_ns), left);
	strbuf_addf(out, expires_ns > now_ns ? "good for %s more (until %s)" :
	    "expired %s ago (at %s)", left, until);
}

static void tell_credentials(struct check *c)
{
	struct strbuf key = STRBUF_INIT(CHECK_TEXT_MAX);
	struct strbuf end = STRBUF_INIT(CHECK_TEXT_MAX);
	struct s3_credentials keys;
	int64_t now_ns = clock_wall_ns();
	bool expired;

	keyring_get(c->keyring, &keys);
	expired = keys.expires_ns != 0 && keys.expires_ns <= now_ns;
	check_access_mask(keys.access_key, &key);
	add_expiry(&end, keys.expires_ns, now_ns);
	check_tell(c, CHECK_CREDENTIALS, expired ? CHECK_WARNING : CHECK_OK,
	    expired ? "renew them" : NULL, NULL, "%s from %s, %s",
	    strbuf_text(&key), keys.source, strbuf_text(&end));
	s3_credentials_release(&keys);
	strbuf_release(&key);
	strbuf_release(&end);
}

static bool is_stopped(void *arg)
{
	return check_is_over(arg);
}

/* Without any, what can be told is asked unsigned. */
static void open_keyring(struct check *c)
{
	struct s3_credentials_request request = client_credentials(c->pair);
	struct error err = ERROR_INIT;

	if (c->pair->sign == S3_SIGNING_NONE) {
		check_tell(c, CHECK_CREDENTIALS, CHECK_OK, NULL, NULL,
		    "none: requests are not signed (sign = no)");
		return;
	}
	request.timeout_ns = at_most(request.timeout_ns, CHECK_PATIENCE_NS);
	request.stopped = is_stopped;
	request.arg = c;
	if (keyring_open(&c->keyring, &request, &err) < 0)
		check_tell_error(c, CHECK_CREDENTIALS, CHECK_FAILED, &err,
		    NULL);
	else
		tell_credentials(c);
}

/*
 * The bucket
 */

static bool open_bucket(struct check *c)
{
	struct s3_options options = client_options(c->pair, c->keyring, NULL);
	struct error err = ERROR_INIT;

	options.attempts = ATTEMPTS;
	options.idle_timeout_ns = at_most(options.idle_timeout_ns, IDLE_NS);
	options.patience_ns = 0;
	options.in_flight = IN_FLIGHT;
	if (c->keyring == NULL)
		options.signing = S3_SIGNING_NONE;
	if (s3_new(&c->s3, &options, &err) < 0 ||
	    (c->manifest != NULL && client_recall(c->pair, c->s3, c->manifest,
	        &err) < 0)) {
		check_tell_error(c, CHECK_ENDPOINT, CHECK_FAILED, &err, NULL);
		s3_free(c->s3);
		c->s3 = NULL;
		return false;
	}
	c->bucket = bucket_s3_new(c->s3);
	return true;
}

struct first {
	struct check *check;
	struct check_answer answer;
};

static char *keep_key(const struct check *c, const struct s3_page *page,
    size_t i, size_t *len)
{
	size_t skip = c->bucket->prefix_len;
	char *key;

	*len = 0;
	if (i >= page->count || page->objects[i].key_len < skip)
		return NULL;
	*len = page->objects[i].key_len - skip;
	key = alloc_zero(1, *len + 1);
	memcpy(key, page->objects[i].key + skip, *len);
	return key;
}

static void first_done(void *arg, const struct s3_result *result,
    struct s3_page *page)
{
	struct first *first = arg;
	struct check *c = first->check;

	check_answered(&first->answer, result);
	if (page != NULL) {
		c->listable = true;
		c->url_encoded = page->url_encoded;
		c->first = keep_key(c, page, 0, &c->first_len);
		c->second = keep_key(c, page, 1, &c->second_len);
	}
	s3_page_free(page);
}

/* Two keys tell whether a listing can begin after the first. */
static void ask_first(struct first *first)
{
	struct check *c = first->check;
	const struct s3_list list = {
		.max_keys = 2,
		.done = first_done,
		.arg = first,
	};

	check_ask(c, &first->answer);
	c->bucket->ops->list(c->bucket, &list);
	check_await(c, &first->answer);
}

/*
 * What the first answer says
 */

static bool is_of_network(const struct check_answer *a)
{
	return a->outcome == S3_ABORTED || a->error.kind == ERROR_NETWORK;
}

/* Not S3's, be it whole. */
static bool is_foreign(const struct check_answer *a)
{
	return a->outcome == S3_FAILED;
}

static void tell_endpoint(struct check *c)
{
	check_tell(c, CHECK_ENDPOINT, CHECK_OK, NULL, NULL,
	    "%s answers (%s)", s3_endpoint(c->s3),
	    c->pair->endpoint_url != NULL ? "as configured" :
	    "AWS, by region");
}

static void tell_signature(struct check *c, const struct check_answer *a)
{
	if (a->error.kind == ERROR_CREDENTIALS)
		check_tell_error(c, CHECK_SIGNATURE, CHECK_FAILED, &a->error,
		    NULL);
	else if (c->keyring != NULL)
		check_tell(c, CHECK_SIGNATURE, CHECK_OK, NULL, NULL,
		    "the server knows these credentials");
}

/* ${began}: where the bucket was asked for first. */
static const char *how_region(const char *region, const char *began)
{
	if (strcmp(region, began) != 0)
		return "as the server says";
	return strcmp(began, DEFAULT_REGION) != 0 ?
	    "found by an earlier cycle" : "by default";
}

static void tell_region(struct check *c, const char *began)
{
	const char *region = s3_region(c->s3);

	if (c->pair->region == NULL)
		check_tell(c, CHECK_REGION, CHECK_OK, NULL, NULL, "%s (%s)",
		    region, how_region(region, began));
	else if (strcmp(c->pair->region, region) != 0)
		check_tell(c, CHECK_REGION, CHECK_HINT, "set region to that: "
		    "each new process asks in vain first", NULL,
		    "the bucket is in %s, not in %s", region, c->pair->region);
	else
		check_tell(c, CHECK_REGION, CHECK_OK, NULL, NULL,
		    "%s (as configured)", region);
}

enum check_verdict check_access_clock(int64_t offset_ns)
{
	int64_t off_s = llabs(offset_ns) / CLOCK_SECOND;

	if (off_s > CLOCK_FAIL_S)
		return CHECK_FAILED;
	return off_s > CLOCK_WARN_S ? CHECK_WARNING : CHECK_OK;
}

static void tell_clock(struct check *c)
{
	enum check_verdict verdict;
	int64_t offset_ns;

	if (!s3_clock_told_ns(c->s3, &offset_ns)) {
		check_tell(c, CHECK_CLOCK, CHECK_SKIPPED, NULL, NULL,
		    "the server does not tell its time");
		return;
	}
	verdict = check_access_clock(offset_ns);
	if (verdict == CHECK_OK)
		check_tell(c, CHECK_CLOCK, verdict, NULL, NULL,
		    "within %lld s of the server's",
		    llabs(offset_ns) / CLOCK_SECOND + 1);
	else
		check_tell(c, CHECK_CLOCK, verdict, "set it: timedatectl "
		    "set-ntp true (servers refuse what is 15 minutes off; the "
		    "program takes the server's time then, other programs do "
		    "not)", NULL,
		    "this machine's clock is %lld s %s that of the server",
		    llabs(offset_ns) / CLOCK_SECOND,
		    offset_ns < 0 ? "ahead of" : "behind");
}

/* Whatever the answer, somebody was there. Is it of use to ask on? */
static bool tell_bucket(struct check *c, const struct check_answer *a)
{
	if (a->error.kind == ERROR_CREDENTIALS)
		return false;
	if (a->outcome == S3_REFUSED) {
		check_tell_error(c, CHECK_BUCKET, CHECK_FAILED, &a->error,
		    NULL);
		return false;
	}
	if (c->listable) {
		check_tell(c, CHECK_BUCKET, CHECK_OK, NULL, NULL,
		    "%s is there", c->pair->bucket);
		return true;
	}
	check_tell(c, CHECK_BUCKET, CHECK_SKIPPED, NULL, NULL,
	    "cannot be told without the listing");
	if (c->keyring != NULL || c->pair->sign == S3_SIGNING_NONE)
		check_tell_answer(c, CHECK_LIST, CHECK_FAILED, a,
		    "s3:ListBucket", CHECK_POLICY_LISTING);
	return c->keyring != NULL;
}

static bool tell_first(struct check *c, const struct check_answer *a,
    const char *began)
{
	if (is_of_network(a) || is_foreign(a)) {
		check_tell_answer(c, CHECK_ENDPOINT, CHECK_FAILED, a, NULL,
		    CHECK_POLICY_BUCKET);
		return false;
	}
	tell_endpoint(c);
	tell_signature(c, a);
	if (a->error.kind != ERROR_CREDENTIALS)
		tell_region(c, began);
	tell_clock(c);
	return tell_bucket(c, a);
}

bool check_access(struct check *c)
{
	struct first first = { .check = c };
	char *began;
	bool more;

	open_keyring(c);
	c->until_ns = clock_mono_ns() + CHECK_PATIENCE_NS;
	if (!open_bucket(c))
		return false;
	began = alloc_string(s3_region(c->s3));
	ask_first(&first);
	more = tell_first(c, &first.answer, began);
	free(began);
	return more && (c->keyring != NULL ||
	    c->pair->sign == S3_SIGNING_NONE);
}
