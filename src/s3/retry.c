/* SPDX-License-Identifier: MIT */
/* What each failure means: one table, and how its rows are read. */
#include "s3/retry.h"

#include <string.h>
#include <curl/curl.h>
#include <openssl/x509_vfy.h>

#include "base/clock.h"
#include "base/strbuf.h"

#define TRANSIENT_BASE_NS (50 * CLOCK_MS)
#define TRANSIENT_MAX_NS (20 * CLOCK_SECOND)
/* What relieves a server that is too busy is the window, for all requests;
 * one of them that is refused by chance need not wait much longer for it. */
#define THROTTLE_BASE_NS CLOCK_SECOND
#define THROTTLE_MAX_NS (5 * CLOCK_SECOND)
#define LEAST_MAX_NS (20 * CLOCK_SECOND)
#define WISH_MAX_NS (5 * CLOCK_SECOND)
#define MESSAGE_MAX ((size_t)2048)

#define PUTS (RETRY_PUT | RETRY_PUT_NEW | RETRY_PUT_SAME)
#define CONDITIONS (RETRY_PUT_NEW | RETRY_PUT_SAME | RETRY_DELETE_SAME)

/* Columns that many rows share. */
#define NETWORK .outcome = S3_FAILED, .kind = ERROR_NETWORK
#define THROTTLED(text)                                                        \
	{ .code = text, .class = RETRY_THROTTLE, NETWORK,                      \
	  .what = "the server is busy and asks for fewer requests",            \
	  .remedy = "lower jobs, or try later" }
#define TROUBLED(text)                                                         \
	{ .code = text, .class = RETRY_TRANSIENT, NETWORK,                     \
	  .what = "the server has trouble" }
#define BROKEN(number)                                                         \
	{ .curl = number, .class = RETRY_TRANSIENT, NETWORK,                   \
	  .what = "the connection to {server} broke" }
#define STALE(text)                                                            \
	{ .code = text, .class = RETRY_CREDENTIALS, .outcome = S3_REFUSED,     \
	  .kind = ERROR_CREDENTIALS, .what = "the session token is no longer " \
	  "good", .remedy = "set new credentials" }
#define FORBIDDEN(who_asked, deed, permission)                                 \
	{ .code = "AccessDenied", .asked = who_asked, .class = RETRY_KEY,      \
	  .outcome = S3_DENIED, .kind = ERROR_DENIED,                          \
	  .what = "{who} may not " deed, .remedy = "{grant} " permission }
#define ELSEWHERE                                                              \
	.class = RETRY_REGION, .outcome = S3_REFUSED, .kind = ERROR_BUCKET,    \
	.what = "bucket '{bucket}' is in {region}, and was asked for in "      \
	"{own}", .remedy = "set region to the bucket's own"
#define UNTRUSTED(result, text, advice)                                        \
	{ .curl = CURLE_PEER_FAILED_VERIFICATION, .verify = result,            \
	  .class = RETRY_FATAL, .outcome = S3_REFUSED, .kind = ERROR_NETWORK,  \
	  .what = text, .remedy = advice }
#define CONTENDED(text, who, ends, why)                                        \
	{ .code = text, .asked = who, .class = RETRY_TRANSIENT,                \
	  .outcome = ends, .kind = why, .what = "another writer is at this "   \
	  "key" }
#define CORRUPTED(text)                                                        \
	{ .code = text, .class = RETRY_TRANSIENT, .outcome = S3_FAILED,        \
	  .kind = ERROR_CHANGED, .attempts = 2,                                \
	  .what = "what arrived is not what was announced",                    \
	  .remedy = "the file changed while it was sent, or the line is bad" }
#define UNCONDITIONAL(text, names)                                             \
	{ .code = text, .asked = CONDITIONS, .names_condition = names,         \
	  .class = RETRY_KEY, .outcome = S3_REJECTED, .kind = ERROR_REMOTE,    \
	  .what = "the server cannot write under a condition "                 \
	  "(If-None-Match, If-Match)",                                         \
	  .remedy = "nothing was written: without it another writer's object " \
	  "could be lost" }
#define UNSET(text)                                                            \
	{ .code = text, .class = RETRY_KEY, .outcome = S3_ABSENT,              \
	  .kind = ERROR_REMOTE, .what = "nothing of the kind is set" }
#define CLOSED(text)                                                           \
	{ .code = text, .class = RETRY_FATAL, .outcome = S3_REFUSED,           \
	  .kind = ERROR_BUCKET, .what = "the account that pays for bucket "    \
	  "'{bucket}' is closed to requests" }

/* The first row that fits counts: codes of S3's own, then what libcurl says,
 * then bare HTTP. facts: the error tables of the AWS tools and of others. */
static const struct retry_rule rules[] = {
	/* ask less */
	THROTTLED("SlowDown"),
	THROTTLED("SlowDownRead"),
	THROTTLED("SlowDownWrite"),
	THROTTLED("Throttling"),
	THROTTLED("ThrottlingException"),
	THROTTLED("ThrottledException"),
	THROTTLED("RequestThrottled"),
	THROTTLED("RequestThrottledException"),
	THROTTLED("TooManyRequests"),
	THROTTLED("TooManyRequestsException"),
	THROTTLED("ProvisionedThroughputExceededException"),
	THROTTLED("TransactionInProgressException"),
	THROTTLED("RequestLimitExceeded"),
	THROTTLED("BandwidthLimitExceeded"),
	THROTTLED("LimitExceededException"),
	THROTTLED("EC2ThrottledException"),

	/* ask again */
	TROUBLED("InternalError"),
	TROUBLED("InternalErrors"),
	TROUBLED("InternalServerError"),
	TROUBLED("ServiceUnavailable"),
	TROUBLED("RequestTimeout"),
	TROUBLED("RequestTimeoutException"),
	TROUBLED("PriorRequestNotComplete"),
	TROUBLED("IncompleteBody"),
	CORRUPTED("BadDigest"),
	CORRUPTED("XAmzContentSHA256Mismatch"),
	/* a completion cannot be tried again: its upload is spoilt */
	{ .code = "ConditionalRequestConflict", .asked = RETRY_COMPLETE,
	  .class = RETRY_CONFLICT, .outcome = S3_EXISTS, .kind = ERROR_EXISTS,
	  .what = "another writer is at this key",
	  .remedy = "it is looked at again in the next cycle" },
	CONTENDED("ConditionalRequestConflict", RETRY_PUT_NEW, S3_EXISTS,
	    ERROR_EXISTS),
	CONTENDED("ConditionalRequestConflict", RETRY_PUT_SAME, S3_CHANGED,
	    ERROR_CHANGED),
	CONTENDED("OperationAborted", RETRY_PUT_NEW, S3_EXISTS, ERROR_EXISTS),
	CONTENDED("OperationAborted", RETRY_PUT_SAME, S3_CHANGED,
	    ERROR_CHANGED),
	TROUBLED("ConditionalRequestConflict"),
	TROUBLED("OperationAborted"),

	/* ask at another time */
	{ .code = "RequestTimeTooSkewed", .class = RETRY_CLOCK,
	  .outcome = S3_REFUSED, .kind = ERROR_CREDENTIALS,
	  .what = "the server refuses this machine's time, and its own too",
	  .remedy = "set the clocks of both (this machine: timedatectl "
	  "set-ntp true)" },

	/* ask with other keys */
	{ .code = "SignatureDoesNotMatch", .class = RETRY_FATAL,
	  .outcome = S3_REFUSED, .kind = ERROR_CREDENTIALS,
	  .what = "credentials refused",
	  .remedy = "check AWS_SECRET_ACCESS_KEY" },
	{ .code = "InvalidAccessKeyId", .class = RETRY_CREDENTIALS,
	  .outcome = S3_REFUSED, .kind = ERROR_CREDENTIALS,
	  .what = "credentials refused",
	  .remedy = "the server does not know AWS_ACCESS_KEY_ID: check it, "
	  "and the endpoint" },
	STALE("ExpiredToken"),
	STALE("InvalidToken"),
	STALE("TokenRefreshRequired"),
	{ .code = "AccessDenied", .asked = RETRY_LIST, .class = RETRY_FATAL,
	  .outcome = S3_DENIED, .kind = ERROR_BUCKET,
	  .what = "{who} may not list bucket '{bucket}'",
	  .remedy = "{grant} s3:ListBucket on it" },
	FORBIDDEN(RETRY_GET, "read it", "s3:GetObject"),
	FORBIDDEN(PUTS, "write it", "s3:PutObject"),
	FORBIDDEN(RETRY_DELETE, "delete it", "s3:DeleteObject"),
	FORBIDDEN(RETRY_ABORT, "abort an upload", "s3:AbortMultipartUpload"),
	FORBIDDEN(RETRY_PARTS, "list the parts of an upload",
	    "s3:ListMultipartUploadParts"),

	/* ask elsewhere */
	{ .code = "AuthorizationHeaderMalformed", .class = RETRY_REGION,
	  .outcome = S3_REFUSED, .kind = ERROR_BUCKET,
	  .what = "the server does not accept requests signed for {own}" },
	{ .code = "InvalidRegionName", .class = RETRY_FATAL, /* R2 */
	  .outcome = S3_REFUSED, .kind = ERROR_BUCKET,
	  .what = "the server has no region {own}" },
	{ .code = "PermanentRedirect", ELSEWHERE },
	{ .code = "TemporaryRedirect", ELSEWHERE },
	{ .code = "IllegalLocationConstraintException", ELSEWHERE },
	{ .status = 301, ELSEWHERE },
	{ .status = 307, ELSEWHERE },
	{ .status = 308, ELSEWHERE },

	/* ask for nothing more */
	{ .code = "NoSuchBucket", .class = RETRY_FATAL, .outcome = S3_REFUSED,
	  .kind = ERROR_BUCKET,
	  .what = "bucket '{bucket}' does not exist at {endpoint}",
	  .remedy = "create it or correct the remote" },
	{ .code = "InvalidBucketName", .class = RETRY_FATAL,
	  .outcome = S3_REFUSED, .kind = ERROR_BUCKET,
	  .what = "'{bucket}' is no name for a bucket at {endpoint}",
	  .remedy = "correct the remote" },
	CLOSED("AllAccessDisabled"),
	CLOSED("AccountProblem"),
	CLOSED("NotSignedUp"),
	CLOSED("PaymentRequired"),

	/* a condition did not hold */
	{ .status = 412, .asked = RETRY_PUT_NEW, .class = RETRY_CONFLICT,
	  .outcome = S3_EXISTS, .kind = ERROR_EXISTS,
	  .what = "the bucket has an object of this key by now",
	  .remedy = "it was left as it is" },
	{ .status = 412, .class = RETRY_CONFLICT, .outcome = S3_CHANGED,
	  .kind = ERROR_CHANGED,
	  .what = "the object is another one by now",
	  .remedy = "it is looked at again in the next cycle" },

	/* this key only */
	{ .code = "NoSuchKey", .class = RETRY_KEY, .outcome = S3_ABSENT,
	  .kind = ERROR_CHANGED, .what = "the object is gone",
	  .remedy = "it is looked at again in the next cycle" },
	{ .code = "NoSuchUpload", .class = RETRY_KEY, .outcome = S3_ABSENT,
	  .kind = ERROR_CHANGED, .what = "the upload is gone",
	  .remedy = "it begins anew in the next cycle" },
	UNSET("NoSuchLifecycleConfiguration"),
	UNSET("ServerSideEncryptionConfigurationNotFoundError"),
	UNSET("ObjectLockConfigurationNotFoundError"),
	{ .code = "InvalidPart", .class = RETRY_KEY, .outcome = S3_ABSENT,
	  .kind = ERROR_CHANGED, .what = "a part of the upload is gone",
	  .remedy = "it begins anew in the next cycle" },
	{ .code = "InvalidPartOrder", .class = RETRY_KEY, .outcome = S3_ABSENT,
	  .kind = ERROR_CHANGED, .what = "a part of the upload is gone",
	  .remedy = "it begins anew in the next cycle" },
	{ .code = "EntityTooSmall", .class = RETRY_KEY, .outcome = S3_FAILED,
	  .kind = ERROR_REMOTE,
	  .what = "the parts are smaller than the server takes",
	  .remedy = "raise part_size" },
	{ .code = "InvalidObjectState", .class = RETRY_KEY,
	  .outcome = S3_ARCHIVED, .kind = ERROR_REMOTE,
	  .what = "the object is archived",
	  .remedy = "restore it before it can be read" },
	{ .code = "EntityTooLarge", .class = RETRY_KEY, .outcome = S3_FAILED,
	  .kind = ERROR_BLOCKED,
	  .what = "the file is too large for this server" },
	{ .code = "KeyTooLongError", .class = RETRY_KEY,
	  .outcome = S3_FAILED, .kind = ERROR_BLOCKED,
	  .what = "the key is too long for this server",
	  .remedy = "shorten the path, or exclude it" },
	UNCONDITIONAL("NotImplemented", false),
	UNCONDITIONAL("InvalidArgument", true),
	UNCONDITIONAL("InvalidRequest", true),

	/* no whole reply */
	{ .curl = RETRY_GARBLED, .asked = RETRY_LIST, .class = RETRY_TRANSIENT,
	  .outcome = S3_FAILED, .kind = ERROR_BUCKET, .what = "{detail}",
	  .remedy = "check that {endpoint} is an S3 server" },
	{ .curl = RETRY_GARBLED, .class = RETRY_TRANSIENT, NETWORK,
	  .what = "{detail}",
	  .remedy = "check that {endpoint} is an S3 server" },
	{ .status = 407, .class = RETRY_FATAL, .outcome = S3_REFUSED,
	  .kind = ERROR_NETWORK, .what = "the proxy {proxy} wants credentials",
	  .remedy = "put them into {variable}, as "
	  "http://USER:PASSWORD@HOST:PORT" },
	{ .curl = RETRY_PROXY, .status = 403, .class = RETRY_FATAL,
	  .outcome = S3_REFUSED, .kind = ERROR_NETWORK,
	  .what = "the proxy {proxy} refuses to connect to {server}",
	  .remedy = "have it allowed there, or name the server in no_proxy" },
	{ .curl = RETRY_PROXY, .class = RETRY_TRANSIENT, NETWORK,
	  .what = "the proxy {proxy} does not connect to {server}",
	  .remedy = "check the endpoint and the proxy ({variable}), or name "
	  "the server in no_proxy" },
	{ .curl = RETRY_NO_PROXY, .class = RETRY_TRANSIENT, NETWORK,
	  .what = "the proxy {proxy} cannot be reached",
	  .remedy = "correct {variable}, or name {server} in no_proxy" },
	{ .curl = CURLE_COULDNT_RESOLVE_HOST, .class = RETRY_TRANSIENT,
	  NETWORK, .first_attempts = 2, .what = "the name of {server} cannot be resolved",
	  .remedy = "check the endpoint, the region and the network" },
	{ .curl = CURLE_COULDNT_CONNECT, .class = RETRY_TRANSIENT, NETWORK,
	  .what = "cannot connect to {server}",
	  .remedy = "check that the server runs, and the endpoint" },
	{ .curl = CURLE_OPERATION_TIMEDOUT, .class = RETRY_TRANSIENT, NETWORK,
	  .what = "{server} does not answer",
	  .remedy = "check the network and the endpoint" },
	{ .curl = CURLE_SSL_CONNECT_ERROR, .class = RETRY_TRANSIENT, NETWORK,
	  .what = "TLS with {server} failed",
	  .remedy = "check that it speaks https" },
	UNTRUSTED(X509_V_ERR_CERT_HAS_EXPIRED,
	    "the certificate of {server} has expired",
	    "have it renewed; or set this machine's clock, if that is wrong"),
	UNTRUSTED(X509_V_ERR_CERT_NOT_YET_VALID,
	    "the certificate of {server} is not valid yet",
	    "set this machine's clock (timedatectl set-ntp true)"),
	UNTRUSTED(X509_V_ERR_HOSTNAME_MISMATCH,
	    "the certificate of {server} is for another name",
	    "use that name in endpoint_url; a bucket in the host's name needs "
	    "a certificate for that, or addressing = path"),
	UNTRUSTED(X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
	    "the certificate of {server} is signed by itself",
	    "if that is meant to be, give its file as ca_bundle"),
	UNTRUSTED(0, "the certificate of {server} is not signed by a CA that "
	    "is trusted here", "give the file of its CA as ca_bundle"),
	{ .curl = CURLE_SSL_CACERT_BADFILE, .class = RETRY_FATAL,
	  .outcome = S3_REFUSED, .kind = ERROR_NETWORK,
	  .what = "the file of CA certificates cannot be read, or holds none",
	  .remedy = "correct ca_bundle (AWS_CA_BUNDLE)" },
	BROKEN(CURLE_WEIRD_SERVER_REPLY),
	BROKEN(CURLE_HTTP2),
	BROKEN(CURLE_PARTIAL_FILE),
	BROKEN(CURLE_GOT_NOTHING),
	BROKEN(CURLE_SEND_ERROR),
	BROKEN(CURLE_RECV_ERROR),
	BROKEN(CURLE_SEND_FAIL_REWIND),
	BROKEN(CURLE_HTTP2_STREAM),
	{ .curl = CURLE_UNSUPPORTED_PROTOCOL, .class = RETRY_TRANSIENT,
	  NETWORK, .what = "{server} does not speak HTTP",
	  .remedy = "check the endpoint: http or https, and the port" },

	/* no code, or one that is not known */
	{ .status = 429, .class = RETRY_THROTTLE, NETWORK,
	  .what = "the server is busy and asks for fewer requests",
	  .remedy = "lower jobs, or try later" },
	{ .status = 408, .class = RETRY_TRANSIENT, NETWORK,
	  .what = "the server has trouble" },
	{ .status = 500, .class = RETRY_TRANSIENT, NETWORK,
	  .what = "the server has trouble" },
	{ .status = 502, .class = RETRY_TRANSIENT, NETWORK,
	  .what = "the server has trouble" },
	{ .status = 503, .class = RETRY_TRANSIENT, NETWORK,
	  .what = "the server has trouble" },
	{ .status = 504, .class = RETRY_TRANSIENT, NETWORK,
	  .what = "the server has trouble" },
	{ .status = 509, .class = RETRY_TRANSIENT, NETWORK,
	  .what = "the server has trouble" },
	{ .status = 401, .class = RETRY_CREDENTIALS, .outcome = S3_REFUSED,
	  .kind = ERROR_CREDENTIALS, .what = "credentials refused" },
	{ .status = 403, .asked = RETRY_LIST, .class = RETRY_FATAL,
	  .outcome = S3_DENIED, .kind = ERROR_BUCKET,
	  .what = "listing bucket '{bucket}' is refused" },
	{ .status = 404, .asked = RETRY_HEAD, .class = RETRY_KEY,
	  .outcome = S3_ABSENT, .kind = ERROR_CHANGED,
	  .what = "the object is gone" },
	{ .status = 403, .class = RETRY_KEY, .outcome = S3_DENIED,
	  .kind = ERROR_DENIED, .what = "the server refuses it" },
	{ .asked = RETRY_LIST, .class = RETRY_FATAL, .outcome = S3_FAILED,
	  .kind = ERROR_BUCKET,
	  .what = "{endpoint} gives no listing of bucket '{bucket}'" },
	{ .class = RETRY_KEY, .outcome = S3_FAILED, .kind = ERROR_REMOTE,
	  .what = "the server refuses the request" },
};
#define RULES (sizeof(rules) / sizeof(*rules))

static bool names_condition(const struct xml_error *error)
{
	return strcasestr(error->header, "-Match") ||
	    strcasestr(error->message, "If-Match") ||
	    strcasestr(error->message, "If-None-Match");
}

static bool fits(const struct retry_rule *rule, const struct retry_reply *reply)
{
	return (!rule->curl || rule->curl == reply->curl) &&
	    (!rule->verify || rule->verify == reply->verify) &&
	    (!rule->status || rule->status == reply->status) &&
	    (!rule->code || strcmp(rule->code, reply->error.code) == 0) &&
	    (!rule->asked || (rule->asked & reply->asked)) &&
	    (!rule->names_condition || names_condition(&reply->error));
}

const struct retry_rule *retry_find(const struct retry_reply *reply)
{
	size_t i = 0;

	while (i < RULES - 1 && !fits(&rules[i], reply))
		i++;
	return &rules[i];
}

bool retry_is_trouble(const struct retry_rule *rule)
{
	return rule->class == RETRY_THROTTLE ||
	    (rule->class == RETRY_TRANSIENT && rule->outcome == S3_FAILED &&
	    rule->kind != ERROR_CHANGED);
}

int64_t retry_delay_ns(enum retry_class class, int failures,
    const struct retry_wish *wish, uint64_t random)
{
	int64_t span = class == RETRY_THROTTLE ? THROTTLE_BASE_NS :
	    TRANSIENT_BASE_NS;
	int64_t most = class == RETRY_THROTTLE ? THROTTLE_MAX_NS :
	    TRANSIENT_MAX_NS;
	int64_t least = wish->least_ns, about = wish->about_ns;
	int64_t delay;

	for (int i = 1; i < failures && span < most; i++)
		span *= 2;
	if (span > most)
		span = most;
	delay = (int64_t)(random % (uint64_t)(span + 1));
	if (about > delay + WISH_MAX_NS)
		about = delay + WISH_MAX_NS;
	if (least > LEAST_MAX_NS)
		least = LEAST_MAX_NS;
	if (delay < about)
		delay = about;
	return delay > least ? delay : least;
}

/* A server may repeat what we sent to prove who we are. */
static bool may_be_shown(const char *text)
{
	return *text && !strstr(text, "AWS4-HMAC-SHA256") &&
	    !strstr(text, "Signature=");
}

/* What others wrote, as one line of printable text. */
static void add_foreign(struct strbuf *out, const char *text)
{
	for (; *text; text++)
		strbuf_addc(out, (unsigned char)*text < ' ' ||
		    *text == 0x7f ? ' ' : *text);
}

/* {name} in a sentence of the table. */
static const char *lookup(const struct retry_reply *reply, const char *name,
    size_t len)
{
	const struct {
		const char *name;
		const char *text;
	} words[] = {
		{ "bucket", reply->bucket },
		{ "endpoint", reply->endpoint },
		{ "server", reply->server },
		{ "own", reply->own_region },
		{ "region", *reply->error.region ? reply->error.region :
		    "another region" },
		{ "detail", reply->detail },
		{ "proxy", reply->proxy ? reply->proxy : "in between" },
		{ "variable", reply->proxy_variable ? reply->proxy_variable :
		    "http_proxy and https_proxy" },
		{ "who", reply->is_public ? "the public" :
		    "these credentials" },
		{ "grant", reply->is_public ? "nobody signs (sign = no): sign, "
		    "or let a policy of the bucket grant everybody" : "grant" },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strlen(words[i].name) == len &&
		    strncmp(words[i].name, name, len) == 0)
			return words[i].text;
	return "?";
}

static void expand(struct strbuf *out, const char *sentence,
    const struct retry_reply *reply)
{
	const char *open;

	while ((open = strchr(sentence, '{'))) {
		size_t len = strcspn(open + 1, "}");

		strbuf_add(out, sentence, (size_t)(open - sentence));
		add_foreign(out, lookup(reply, open + 1, len));
		sentence = open + len + 2;
	}
	strbuf_adds(out, sentence);
}

/* "(HTTP 503 SlowDown, request 4442587FB7D0A2F9, 8 attempts)" */
static void add_evidence(struct strbuf *out, const struct retry_reply *reply)
{
	strbuf_adds(out, " (");
	if (reply->curl == RETRY_GARBLED ||
	    (reply->curl == RETRY_PROXY && reply->status))
		strbuf_addf(out, "HTTP %d", reply->status);
	else if (reply->curl)
		add_foreign(out, reply->sys ? strerror(reply->sys) :
		    reply->detail);
	else
		strbuf_addf(out, "HTTP %d", reply->status);
	if (may_be_shown(reply->error.code)) {
		strbuf_addc(out, ' ');
		add_foreign(out, reply->error.code);
	}
	if (may_be_shown(reply->error.request_id)) {
		strbuf_adds(out, ", request ");
		add_foreign(out, reply->error.request_id);
	}
	if (reply->attempts > 1)
		strbuf_addf(out, ", %d attempts", reply->attempts);
	strbuf_addc(out, ')');
}

void retry_explain(const struct retry_rule *rule,
    const struct retry_reply *reply, struct error *err)
{
	struct strbuf text = STRBUF_INIT(MESSAGE_MAX);

	expand(&text, rule->what, reply);
	add_evidence(&text, reply);
	if (rule->remedy) {
		strbuf_adds(&text, ": ");
		expand(&text, rule->remedy, reply);
	} else if (reply->error.foreign) {
		strbuf_addf(&text, ": the reply is %s, not S3's: check that ",
		    reply->error.foreign);
		expand(&text, "{endpoint} is an S3 server", reply);
	} else if (may_be_shown(reply->error.message)) {
		strbuf_adds(&text, ": ");
		add_foreign(&text, reply->error.message);
	}
	error_set(err, rule->kind, "%s", strbuf_text(&text));
	strbuf_release(&text);
}
