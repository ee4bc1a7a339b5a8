/* SPDX-License-Identifier: MIT */
/* Each failure has one meaning, one wait and one sentence. */
#include "s3/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <curl/curl.h>
#include <openssl/x509_vfy.h>

#include "base/clock.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* LIST, GET, PUT, PUT_NEW, PUT_SAME: what each of them ends with. */
static const enum retry_asked kinds[] = { RETRY_LIST, RETRY_GET, RETRY_PUT,
	RETRY_PUT_NEW, RETRY_PUT_SAME };
#define ALL(outcome) { outcome, outcome, outcome, outcome, outcome }
#define DONE_FOR ALL(S3_REFUSED)
#define FAILED ALL(S3_FAILED)
#define DENIED ALL(S3_DENIED)

static const struct {
	int curl, status;
	const char *code;
	enum retry_class class;
	enum s3_outcome outcome[5];
	enum error_kind kind; /* of a GET */
} cases[] = {
	/* transient */
	{ 0, 500, "InternalError", RETRY_TRANSIENT, FAILED, ERROR_NETWORK },
	{ 0, 200, "InternalError", RETRY_TRANSIENT, FAILED, ERROR_NETWORK },
	{ 0, 500, "", RETRY_TRANSIENT, FAILED, ERROR_NETWORK },
	{ 0, 502, "", RETRY_TRANSIENT, FAILED, ERROR_NETWORK },
	{ 0, 503, "", RETRY_TRANSIENT, FAILED, ERROR_NETWORK },
	{ 0, 503, "ServiceUnavailable", RETRY_TRANSIENT, FAILED,
	  ERROR_NETWORK },
	{ 0, 504, "", RETRY_TRANSIENT, FAILED, ERROR_NETWORK },
	{ 0, 408, "", RETRY_TRANSIENT, FAILED, ERROR_NETWORK },
	{ 0, 509, "", RETRY_TRANSIENT, FAILED, ERROR_NETWORK },
	{ 0, 400, "RequestTimeout", RETRY_TRANSIENT, FAILED, ERROR_NETWORK },
	{ 0, 400, "IncompleteBody", RETRY_TRANSIENT, FAILED, ERROR_NETWORK },
	{ 0, 400, "BadDigest", RETRY_TRANSIENT, FAILED, ERROR_CHANGED },
	{ 0, 400, "XAmzContentSHA256Mismatch", RETRY_TRANSIENT, FAILED,
	  ERROR_CHANGED },
	{ 0, 409, "OperationAborted", RETRY_TRANSIENT,
	  { S3_FAILED, S3_FAILED, S3_FAILED, S3_EXISTS, S3_CHANGED },
	  ERROR_NETWORK },
	{ 0, 409, "ConditionalRequestConflict", RETRY_TRANSIENT,
	  { S3_FAILED, S3_FAILED, S3_FAILED, S3_EXISTS, S3_CHANGED },
	  ERROR_NETWORK },
	{ CURLE_COULDNT_RESOLVE_HOST, 0, "", RETRY_TRANSIENT, FAILED,
	  ERROR_NETWORK },
	{ CURLE_COULDNT_CONNECT, 0, "", RETRY_TRANSIENT, FAILED,
	  ERROR_NETWORK },
	{ CURLE_PARTIAL_FILE, 200, "", RETRY_TRANSIENT, FAILED,
	  ERROR_NETWORK },
	{ CURLE_OPERATION_TIMEDOUT, 0, "", RETRY_TRANSIENT, FAILED,
	  ERROR_NETWORK },
	{ CURLE_SSL_CONNECT_ERROR, 0, "", RETRY_TRANSIENT, FAILED,
	  ERROR_NETWORK },
	{ CURLE_GOT_NOTHING, 0, "", RETRY_TRANSIENT, FAILED, ERROR_NETWORK },
	{ CURLE_SEND_ERROR, 0, "", RETRY_TRANSIENT, FAILED, ERROR_NETWORK },
	{ CURLE_RECV_ERROR, 0, "", RETRY_TRANSIENT, FAILED, ERROR_NETWORK },
	{ CURLE_SEND_FAIL_REWIND, 0, "", RETRY_TRANSIENT, FAILED,
	  ERROR_NETWORK },
	{ RETRY_GARBLED, 200, "", RETRY_TRANSIENT, FAILED, ERROR_NETWORK },
	/* throttle */
	{ 0, 503, "SlowDown", RETRY_THROTTLE, FAILED, ERROR_NETWORK },
	{ 0, 429, "", RETRY_THROTTLE, FAILED, ERROR_NETWORK },
	{ 0, 400, "ThrottlingException", RETRY_THROTTLE, FAILED,
	  ERROR_NETWORK },
	/* clock */
	{ 0, 403, "RequestTimeTooSkewed", RETRY_CLOCK, DONE_FOR,
	  ERROR_CREDENTIALS },
	/* credentials */
	{ 0, 403, "InvalidAccessKeyId", RETRY_CREDENTIALS, DONE_FOR,
	  ERROR_CREDENTIALS },
	{ 0, 400, "ExpiredToken", RETRY_CREDENTIALS, DONE_FOR,
	  ERROR_CREDENTIALS },
	{ 0, 400, "InvalidToken", RETRY_CREDENTIALS, DONE_FOR,
	  ERROR_CREDENTIALS },
	{ 0, 401, "", RETRY_CREDENTIALS, DONE_FOR, ERROR_CREDENTIALS },
	{ 0, 403, "SignatureDoesNotMatch", RETRY_FATAL, DONE_FOR,
	  ERROR_CREDENTIALS },
	/* region */
	{ 0, 301, "PermanentRedirect", RETRY_REGION, DONE_FOR, ERROR_BUCKET },
	{ 0, 301, "", RETRY_REGION, DONE_FOR, ERROR_BUCKET },
	{ 0, 307, "TemporaryRedirect", RETRY_REGION, DONE_FOR, ERROR_BUCKET },
	{ 0, 400, "AuthorizationHeaderMalformed", RETRY_REGION, DONE_FOR,
	  ERROR_BUCKET },
	{ 0, 400, "IllegalLocationConstraintException", RETRY_REGION, DONE_FOR,
	  ERROR_BUCKET },
	/* conflict */
	{ 0, 412, "PreconditionFailed", RETRY_CONFLICT,
	  { S3_CHANGED, S3_CHANGED, S3_CHANGED, S3_EXISTS, S3_CHANGED },
	  ERROR_CHANGED },
	{ 0, 412, "", RETRY_CONFLICT,
	  { S3_CHANGED, S3_CHANGED, S3_CHANGED, S3_EXISTS, S3_CHANGED },
	  ERROR_CHANGED },
	/* one key */
	{ 0, 404, "NoSuchKey", RETRY_KEY, ALL(S3_ABSENT), ERROR_CHANGED },
	{ 0, 404, "NoSuchLifecycleConfiguration", RETRY_KEY, ALL(S3_ABSENT),
	  ERROR_REMOTE },
	{ 0, 404, "ServerSideEncryptionConfigurationNotFoundError", RETRY_KEY,
	  ALL(S3_ABSENT), ERROR_REMOTE },
	{ 0, 404, "ObjectLockConfigurationNotFoundError", RETRY_KEY,
	  ALL(S3_ABSENT), ERROR_REMOTE },
	{ 0, 403, "InvalidObjectState", RETRY_KEY, ALL(S3_ARCHIVED),
	  ERROR_REMOTE },
	{ 0, 400, "EntityTooLarge", RETRY_KEY, FAILED, ERROR_BLOCKED },
	{ 0, 400, "KeyTooLongError", RETRY_KEY, FAILED, ERROR_BLOCKED },
	{ 0, 416, "InvalidRange", RETRY_KEY, FAILED, ERROR_REMOTE },
	{ 0, 501, "NotImplemented", RETRY_KEY,
	  { S3_FAILED, S3_FAILED, S3_FAILED, S3_REJECTED, S3_REJECTED },
	  ERROR_REMOTE },
	{ 0, 400, "SomethingNew", RETRY_KEY, FAILED, ERROR_REMOTE },
	{ 0, 404, "", RETRY_KEY, FAILED, ERROR_REMOTE },
	{ 0, 418, "", RETRY_KEY, FAILED, ERROR_REMOTE },
	{ CURLE_URL_MALFORMAT, 0, "", RETRY_KEY, FAILED, ERROR_REMOTE },
	{ 0, 403, "AccessDenied", RETRY_KEY, DENIED, ERROR_DENIED },
	{ 0, 403, "", RETRY_KEY, DENIED, ERROR_DENIED },
	/* all keys */
	{ 0, 404, "NoSuchBucket", RETRY_FATAL, DONE_FOR, ERROR_BUCKET },
	{ 0, 400, "InvalidRegionName", RETRY_FATAL, DONE_FOR, ERROR_BUCKET },
	{ 0, 400, "InvalidBucketName", RETRY_FATAL, DONE_FOR, ERROR_BUCKET },
	{ 0, 403, "AllAccessDisabled", RETRY_FATAL, DONE_FOR, ERROR_BUCKET },
	{ 0, 402, "PaymentRequired", RETRY_FATAL, DONE_FOR, ERROR_BUCKET },
	{ CURLE_PEER_FAILED_VERIFICATION, 0, "", RETRY_FATAL, DONE_FOR,
	  ERROR_NETWORK },
	{ CURLE_SSL_CACERT_BADFILE, 0, "", RETRY_FATAL, DONE_FOR,
	  ERROR_NETWORK },
	{ RETRY_PROXY, 403, "", RETRY_FATAL, DONE_FOR, ERROR_NETWORK },
	{ RETRY_PROXY, 407, "", RETRY_FATAL, DONE_FOR, ERROR_NETWORK },
	{ RETRY_PROXY, 502, "", RETRY_TRANSIENT, FAILED, ERROR_NETWORK },
};

static struct retry_reply make_reply(enum retry_asked asked, int curl,
    int status, const char *code)
{
	struct retry_reply reply = {
		.asked = asked,
		.curl = curl,
		.status = status,
		.detail = "what libcurl says",
		.own_region = "us-east-1",
		.bucket = "photos",
		.endpoint = "http://127.0.0.1:9000",
		.server = "127.0.0.1:9000",
		.attempts = 1,
	};

	snprintf(reply.error.code, sizeof(reply.error.code), "%s", code);
	return reply;
}

#define SET(field, text) snprintf(field, sizeof(field), "%s", text)

static void every_failure_has_its_meaning(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (size_t k = 0; k < COUNT(kinds); k++) {
			struct retry_reply reply = make_reply(kinds[k],
			    cases[i].curl, cases[i].status, cases[i].code);
			const struct retry_rule *rule = retry_find(&reply);
			bool fatal_list = kinds[k] == RETRY_LIST &&
			    cases[i].class == RETRY_KEY;

			if (rule->outcome != cases[i].outcome[k])
				fail_msg("%d %s", cases[i].status,
				    cases[i].code);
			if (!fatal_list)
				assert_int_equal(rule->class, cases[i].class);
			if (kinds[k] == RETRY_GET)
				assert_int_equal(rule->kind, cases[i].kind);
			assert_int_not_equal(rule->kind, ERROR_NONE);
		}
	}
}

/* Without a listing nothing works: what is one key's failure elsewhere ends
 * the cycle here. */
static void a_refused_listing_is_the_buckets_failure(void **state)
{
	static const struct {
		int curl, status;
		const char *code;
	} refusals[] = { { 0, 403, "AccessDenied" }, { 0, 403, "" },
		{ 0, 404, "" }, { 0, 405, "MethodNotAllowed" },
		{ RETRY_GARBLED, 200, "" } };

	(void)state;
	for (size_t i = 0; i < COUNT(refusals); i++) {
		struct retry_reply reply = make_reply(RETRY_LIST,
		    refusals[i].curl, refusals[i].status, refusals[i].code);

		assert_int_equal(retry_find(&reply)->kind, ERROR_BUCKET);
	}
}

/* Some servers have another code for it, but name the header. */
static void a_condition_may_be_rejected(void **state)
{
	static const struct {
		const char *code, *header, *message;
		unsigned asked;
		enum s3_outcome outcome;
	} rejections[] = {
		{ "NotImplemented", "", "", RETRY_DELETE | RETRY_DELETE_SAME,
		  S3_REJECTED },
		{ "NotImplemented", "", "", RETRY_DELETE, S3_FAILED },
		{ "NotImplemented", "", "", RETRY_COMPLETE | RETRY_PUT_NEW,
		  S3_REJECTED },
		{ "InvalidArgument", "If-None-Match", "", RETRY_PUT_NEW,
		  S3_REJECTED },
		{ "InvalidArgument", "if-match", "", RETRY_PUT_SAME,
		  S3_REJECTED },
		{ "InvalidRequest", "", "Unsupported header: If-None-Match",
		  RETRY_PUT_NEW, S3_REJECTED },
		{ "InvalidArgument", "x-amz-acl", "no such ACL",
		  RETRY_PUT_NEW, S3_FAILED },
		{ "InvalidArgument", "If-None-Match", "", RETRY_PUT,
		  S3_FAILED },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rejections); i++) {
		struct retry_reply reply = make_reply(RETRY_PUT, 0, 400,
		    rejections[i].code);

		reply.asked = rejections[i].asked;
		SET(reply.error.header, rejections[i].header);
		SET(reply.error.message, rejections[i].message);
		assert_int_equal(retry_find(&reply)->outcome,
		    rejections[i].outcome);
	}
}

static void waits_grow_up_to_a_limit(void **state)
{
	static const struct {
		enum retry_class class;
		int failures;
		int64_t most_ms;
	} waits[] = {
		{ RETRY_TRANSIENT, 1, 50 }, { RETRY_TRANSIENT, 2, 100 },
		{ RETRY_TRANSIENT, 8, 6400 }, { RETRY_TRANSIENT, 9, 12800 },
		{ RETRY_TRANSIENT, 10, 20000 },
		{ RETRY_TRANSIENT, 1000, 20000 },
		{ RETRY_THROTTLE, 1, 1000 }, { RETRY_THROTTLE, 3, 4000 },
		{ RETRY_THROTTLE, 4, 5000 }, { RETRY_THROTTLE, 60, 5000 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(waits); i++) {
		const struct retry_wish none = { 0 };
		int64_t most = waits[i].most_ms * CLOCK_MS;
		uint64_t random = (uint64_t)most; /* modulo most + 1 */

		assert_true(retry_delay_ns(waits[i].class, waits[i].failures,
		    &none, random) == most);
		assert_true(retry_delay_ns(waits[i].class, waits[i].failures,
		    &none, random + 1) == 0);
		assert_true(retry_delay_ns(waits[i].class, waits[i].failures,
		    &none, UINT64_MAX) <= most);
	}
}

static void what_the_server_asks_for_is_the_least(void **state)
{
	static const struct {
		int64_t asked_s;
		int failures;
		uint64_t random_s;
		int64_t wait_s;
	} least[] = {
		{ 3, 1, 0, 3 },
		{ 3, 4, 4, 4 },
		{ 3600, 1, 0, 20 }, /* but not without reason */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(least); i++) {
		const struct retry_wish wish = {
			.least_ns = least[i].asked_s * CLOCK_SECOND };

		assert_true(retry_delay_ns(RETRY_THROTTLE, least[i].failures,
		    &wish, least[i].random_s * (uint64_t)CLOCK_SECOND) ==
		    least[i].wait_s * CLOCK_SECOND);
	}
}

/* x-amz-retry-after stands between our own delay and 5 s more. */
static void amazons_wish_is_granted_within_five_seconds(void **state)
{
	static const struct {
		int64_t asked_ms;
		uint64_t random_ms;
		int64_t wait_ms;
	} about[] = {
		{ 0, 700, 700 },
		{ 300, 700, 700 },
		{ 1500, 700, 1500 },
		{ 90000, 700, 5700 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(about); i++) {
		const struct retry_wish wish = {
			.about_ns = about[i].asked_ms * CLOCK_MS };

		assert_true(retry_delay_ns(RETRY_THROTTLE, 1, &wish,
		    about[i].random_ms * (uint64_t)CLOCK_MS) ==
		    about[i].wait_ms * CLOCK_MS);
	}
}

/* What the server says about a key is no trouble of the server's. */
static void trouble_is_what_says_nothing_of_the_key(void **state)
{
	static const struct {
		int curl, status;
		const char *code;
		bool trouble;
	} replies[] = {
		{ 0, 503, "SlowDown", true },
		{ 0, 429, "", true },
		{ 0, 500, "InternalError", true },
		{ CURLE_RECV_ERROR, 0, "", true },
		{ RETRY_GARBLED, 200, "", true },
		{ 0, 409, "ConditionalRequestConflict", false },
		{ 0, 400, "BadDigest", false },
		{ 0, 412, "", false },
		{ 0, 404, "NoSuchKey", false },
		{ 0, 403, "AccessDenied", false },
		{ 0, 403, "RequestTimeTooSkewed", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(replies); i++) {
		struct retry_reply reply = make_reply(RETRY_PUT_NEW,
		    replies[i].curl, replies[i].status, replies[i].code);

		assert_true(retry_is_trouble(retry_find(&reply)) ==
		    replies[i].trouble);
	}
}

static void a_name_that_was_never_found_is_looked_up_twice(void **state)
{
	struct retry_reply reply = make_reply(RETRY_LIST,
	    CURLE_COULDNT_RESOLVE_HOST, 0, "");

	(void)state;
	assert_int_equal(retry_find(&reply)->first_attempts, 2);
	assert_int_equal(retry_find(&reply)->attempts, 0);
}

static void check_text(struct retry_reply *reply, const char *text)
{
	struct error err = ERROR_INIT;
	const struct retry_rule *rule = retry_find(reply);

	retry_explain(rule, reply, &err);
	assert_int_equal(err.kind, rule->kind);
	assert_string_equal(err.text, text);
}

static void a_message_says_what_failed_and_what_to_do(void **state)
{
	struct retry_reply reply = make_reply(RETRY_LIST, 0, 404,
	    "NoSuchBucket");

	(void)state;
	SET(reply.error.request_id, "4442587FB7D0A2F9");
	check_text(&reply, "bucket 'photos' does not exist at "
	    "http://127.0.0.1:9000 (HTTP 404 NoSuchBucket, request "
	    "4442587FB7D0A2F9): create it or correct the remote");

	reply = make_reply(RETRY_GET, 0, 403, "SignatureDoesNotMatch");
	check_text(&reply, "credentials refused (HTTP 403 "
	    "SignatureDoesNotMatch): check AWS_SECRET_ACCESS_KEY");

	reply = make_reply(RETRY_GET, CURLE_COULDNT_CONNECT, 0, "");
	reply.sys = ECONNREFUSED;
	reply.attempts = 8;
	check_text(&reply, "cannot connect to 127.0.0.1:9000 (Connection "
	    "refused, 8 attempts): check that the server runs, and the "
	    "endpoint");

	reply = make_reply(RETRY_GET, CURLE_RECV_ERROR, 0, "");
	check_text(&reply, "the connection to 127.0.0.1:9000 broke (what "
	    "libcurl says)");

	reply = make_reply(RETRY_LIST, 0, 301, "PermanentRedirect");
	SET(reply.error.region, "eu-west-1");
	check_text(&reply, "bucket 'photos' is in eu-west-1, and was asked for "
	    "in us-east-1 (HTTP 301 PermanentRedirect): set region to the "
	    "bucket's own");
	*reply.error.region = '\0';
	check_text(&reply, "bucket 'photos' is in another region, and was "
	    "asked for in us-east-1 (HTTP 301 PermanentRedirect): set region "
	    "to the bucket's own");
}

/* Of certificates that were refused: what, and what to do. */
static void a_certificate_is_refused_for_its_own_reason(void **state)
{
	static const struct {
		long verify;
		const char *text;
	} refused[] = {
		{ X509_V_ERR_CERT_HAS_EXPIRED,
		  "the certificate of 127.0.0.1:9000 has expired (what libcurl "
		  "says): have it renewed; or set this machine's clock, if "
		  "that is wrong" },
		{ X509_V_ERR_CERT_NOT_YET_VALID,
		  "the certificate of 127.0.0.1:9000 is not valid yet (what "
		  "libcurl says): set this machine's clock (timedatectl "
		  "set-ntp true)" },
		{ X509_V_ERR_HOSTNAME_MISMATCH,
		  "the certificate of 127.0.0.1:9000 is for another name (what "
		  "libcurl says): use that name in endpoint_url; a bucket in "
		  "the host's name needs a certificate for that, or "
		  "addressing = path" },
		{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
		  "the certificate of 127.0.0.1:9000 is signed by itself (what "
		  "libcurl says): if that is meant to be, give its file as "
		  "ca_bundle" },
		{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
		  "the certificate of 127.0.0.1:9000 is not signed by a CA "
		  "that is trusted here (what libcurl says): give the file of "
		  "its CA as ca_bundle" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		struct retry_reply reply = make_reply(RETRY_GET,
		    CURLE_PEER_FAILED_VERIFICATION, 0, "");

		reply.verify = refused[i].verify;
		check_text(&reply, refused[i].text);
	}
}

static void who_does_not_sign_has_no_credentials_to_blame(void **state)
{
	struct retry_reply reply = make_reply(RETRY_GET, 0, 403,
	    "AccessDenied");

	(void)state;
	check_text(&reply, "these credentials may not read it (HTTP 403 "
	    "AccessDenied): grant s3:GetObject");
	reply.is_public = true;
	check_text(&reply, "the public may not read it (HTTP 403 "
	    "AccessDenied): nobody signs (sign = no): sign, or let a policy "
	    "of the bucket grant everybody s3:GetObject");
	reply.asked = RETRY_LIST;
	check_text(&reply, "the public may not list bucket 'photos' (HTTP 403 "
	    "AccessDenied): nobody signs (sign = no): sign, or let a policy "
	    "of the bucket grant everybody s3:ListBucket on it");
}

static void a_proxy_that_refuses_is_told_from_the_server(void **state)
{
	struct retry_reply reply = make_reply(RETRY_GET, RETRY_PROXY, 403, "");

	(void)state;
	reply.proxy = "10.0.0.1:3128";
	reply.proxy_variable = "https_proxy";
	check_text(&reply, "the proxy 10.0.0.1:3128 refuses to connect to "
	    "127.0.0.1:9000 (HTTP 403): have it allowed there, or name the "
	    "server in no_proxy");
	reply.status = 504;
	check_text(&reply, "the proxy 10.0.0.1:3128 does not connect to "
	    "127.0.0.1:9000 (HTTP 504): check the endpoint and the proxy "
	    "(https_proxy), or name the server in no_proxy");
	reply.status = 0;
	check_text(&reply, "the proxy 10.0.0.1:3128 does not connect to "
	    "127.0.0.1:9000 (what libcurl says): check the endpoint and the "
	    "proxy (https_proxy), or name the server in no_proxy");
	reply.status = 407;
	check_text(&reply, "the proxy 10.0.0.1:3128 wants credentials (HTTP "
	    "407): put them into https_proxy, as "
	    "http://USER:PASSWORD@HOST:PORT");
	reply = make_reply(RETRY_GET, 0, 407, "");
	check_text(&reply, "the proxy in between wants credentials (HTTP "
	    "407): put them into http_proxy and https_proxy, as "
	    "http://USER:PASSWORD@HOST:PORT");
}

static void without_a_remedy_the_server_has_the_word(void **state)
{
	struct retry_reply reply = make_reply(RETRY_GET, 0, 418, "Teapot");

	(void)state;
	SET(reply.error.message, "I am\na teapot\x1b[31m");
	check_text(&reply, "the server refuses the request (HTTP 418 Teapot): "
	    "I am a teapot [31m");
	reply = make_reply(RETRY_GET, 0, 502, "");
	reply.error.foreign = "an HTML page";
	check_text(&reply, "the server has trouble (HTTP 502): the reply is an "
	    "HTML page, not S3's: check that http://127.0.0.1:9000 is an S3 "
	    "server");
}

static void what_we_sent_to_prove_who_we_are_is_not_repeated(void **state)
{
	struct retry_reply reply = make_reply(RETRY_GET, 0, 400, "X");

	(void)state;
	SET(reply.error.message, "bad header AWS4-HMAC-SHA256 Credential=a");
	check_text(&reply, "the server refuses the request (HTTP 400 X)");
	SET(reply.error.message, "Signature=abc");
	SET(reply.error.request_id, "Signature=abc");
	check_text(&reply, "the server refuses the request (HTTP 400 X)");
}

/* Every sentence of the table, with every word in it filled in. */
static void no_sentence_is_left_open(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (size_t k = 0; k < COUNT(kinds); k++) {
			struct retry_reply reply = make_reply(kinds[k],
			    cases[i].curl, cases[i].status, cases[i].code);
			struct error err = ERROR_INIT;

			retry_explain(retry_find(&reply), &reply, &err);
			assert_null(strpbrk(err.text, "{}?"));
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_failure_has_its_meaning),
		cmocka_unit_test(a_refused_listing_is_the_buckets_failure),
		cmocka_unit_test(waits_grow_up_to_a_limit),
		cmocka_unit_test(what_the_server_asks_for_is_the_least),
		cmocka_unit_test(amazons_wish_is_granted_within_five_seconds),
		cmocka_unit_test(trouble_is_what_says_nothing_of_the_key),
		cmocka_unit_test(
		    a_name_that_was_never_found_is_looked_up_twice),
		cmocka_unit_test(a_condition_may_be_rejected),
		cmocka_unit_test(a_message_says_what_failed_and_what_to_do),
		cmocka_unit_test(a_certificate_is_refused_for_its_own_reason),
		cmocka_unit_test(
		    who_does_not_sign_has_no_credentials_to_blame),
		cmocka_unit_test(a_proxy_that_refuses_is_told_from_the_server),
		cmocka_unit_test(without_a_remedy_the_server_has_the_word),
		cmocka_unit_test(
		    what_we_sent_to_prove_who_we_are_is_not_repeated),
		cmocka_unit_test(no_sentence_is_left_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
