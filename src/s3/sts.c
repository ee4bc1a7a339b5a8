/* SPDX-License-Identifier: MIT */
/* AWS Security Token Service. */
#include "s3/sts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "s3/credentials_internal.h"
#include "s3/fetch.h"
#include "s3/sigv4.h"
#include "s3/xml_document.h"

#define TEXT_MAX ((size_t)256 << 10)
#define VERSION "2011-06-15"
#define FORM "application/x-www-form-urlencoded"
#define ATTEMPTS 3

/* ---- what it says ------------------------------------------------------- */

static const char *action(const struct sts_assume *a)
{
	return a->web_token ? "AssumeRoleWithWebIdentity" : "AssumeRole";
}

static const char *none_if_empty(const char *text)
{
	return *text ? text : NULL;
}

/* <ACTIONResponse><ACTIONResult><Credentials>… */
static int take_keys(const struct sts_assume *a,
    const struct fetch_reply *reply, struct s3_credentials *out,
    struct error *err)
{
	char response[64], result[64];
	struct credentials_part parts[] = { { .name = "AccessKeyId" },
		{ .name = "SecretAccessKey" }, { .name = "SessionToken" },
		{ .name = "Expiration" } };
	struct xml_document *d;
	struct xml_error error;
	int rc;

	snprintf(response, sizeof(response), "%sResponse", action(a));
	snprintf(result, sizeof(result), "%sResult", action(a));
	switch (xml_document_parse(&d, response, strbuf_text(&reply->body),
	    reply->body.len, &error, err)) {
	case XML_SOUND:
		break;
	case XML_ERROR:
		return error_set(err, ERROR_CREDENTIALS, "it is an error");
	case XML_BROKEN:
		return -1;
	}
	if (xml_document_enter(d, result) &&
	    xml_document_enter(d, "Credentials"))
		for (size_t i = 0; i < 4; i++)
			parts[i].value = none_if_empty(xml_document_text(d,
			    parts[i].name));
	rc = credentials_set(out, &parts[0], &parts[1], &parts[2], &parts[3],
	    err);
	xml_document_free(d);
	return rc;
}

struct said { /* "" where it did not */
	char code[128];
	char message[512];
};

static void keep(char *room, size_t size, const char *text)
{
	struct strbuf line = STRBUF_INIT(size - 1);

	credentials_add_foreign(&line, text);
	snprintf(room, size, "%s", strbuf_text(&line));
	strbuf_release(&line);
}

/* <ErrorResponse><Error>…, or an <Error> as S3 has it. */
static struct said what_it_says(const struct fetch_reply *reply)
{
	struct error unused = ERROR_INIT;
	struct xml_document *d;
	struct xml_error error;
	struct said said = { "", "" };

	if (xml_document_parse(&d, "ErrorResponse", strbuf_text(&reply->body),
	    reply->body.len, &error, &unused) != XML_SOUND) {
		keep(said.code, sizeof(said.code), error.code);
		keep(said.message, sizeof(said.message), error.message);
	} else if (xml_document_enter(d, "Error")) {
		keep(said.code, sizeof(said.code),
		    xml_document_text(d, "Code"));
		keep(said.message, sizeof(said.message),
		    xml_document_text(d, "Message"));
	}
	xml_document_free(d);
	return said;
}

/* An identity provider that could not be reached just now; a busy STS. */
static bool is_no_answer(const struct fetch_reply *reply)
{
	struct said said;

	if (reply->status == 200)
		return false;
	said = what_it_says(reply);
	return reply->status == 429 || reply->status >= 500 ||
	    strcmp(said.code, "IDPCommunicationError") == 0 ||
	    strncmp(said.code, "Throttl", 7) == 0;
}

/* What is the matter, and what to do, by STS's code. */
static const char *remedy(const char *code)
{
	static const struct {
		const char *code, *remedy;
	} remedies[] = {
		{ "AccessDenied", "the role's trust policy must allow it "
		    "(external_id?), and the caller's own policy, too" },
		{ "ExpiredTokenException", "the token is too old: whoever "
		    "writes it does so no longer" },
		{ "ExpiredToken", "the keys that assume the role have expired" },
		{ "InvalidIdentityToken", "the token is not of a provider that "
		    "the role trusts" },
		{ "InvalidClientTokenId", "the keys that assume the role are "
		    "not known" },
		{ "SignatureDoesNotMatch", "check the secret key that assumes "
		    "the role, and this machine's clock" },
		{ "RegionDisabledException", "set region to one that the "
		    "account has STS in" },
	};

	for (size_t i = 0; i < sizeof(remedies) / sizeof(*remedies); i++)
		if (strcmp(remedies[i].code, code) == 0)
			return remedies[i].remedy;
	return NULL;
}

static int refused(const struct sts_assume *a, const struct fetch_reply *reply,
    struct error *err)
{
	struct said said = what_it_says(reply);
	const char *what = remedy(said.code);

	return error_set(err, ERROR_CREDENTIALS,
	    "STS does not give role %s (HTTP %d%s%s)%s%s%s%s", a->role_arn,
	    reply->status, *said.code ? " " : "", said.code,
	    *said.message ? ": " : "", said.message, what ? ": " : "",
	    what ? what : "");
}

/* ---- what it is asked --------------------------------------------------- */

static void add_field(struct strbuf *form, const char *name, const char *value)
{
	strbuf_addf(form, "&%s=", name);
	sigv4_encode(form, value, strlen(value), false);
}

static void make_form(const struct sts_assume *a, struct strbuf *form)
{
	char name[64];

	snprintf(name, sizeof(name), "s3sync-%lld",
	    (long long)(clock_wall_ns() / CLOCK_SECOND));
	strbuf_addf(form, "Action=%s&Version=" VERSION, action(a));
	add_field(form, "RoleArn", a->role_arn);
	add_field(form, "RoleSessionName",
	    a->session_name ? a->session_name : name);
	if (a->web_token)
		add_field(form, "WebIdentityToken", a->web_token);
	if (a->external_id)
		add_field(form, "ExternalId", a->external_id);
	if (a->duration_s)
		add_field(form, "DurationSeconds", a->duration_s);
}

struct post { /* one request's memory */
	struct strbuf url, form, host, date, token, authorization;
};

static void post_init(struct post *p)
{
	struct strbuf *texts[] = { &p->url, &p->form, &p->host, &p->date,
		&p->token, &p->authorization };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		strbuf_init(texts[i], TEXT_MAX);
}

static void post_release(struct post *p)
{
	struct strbuf *texts[] = { &p->url, &p->form, &p->host, &p->date,
		&p->token, &p->authorization };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		strbuf_wipe(texts[i]);
}

/* The path of a URL, as it is signed: STS has none but "/", and stand-ins for
 * it have what was configured. */
static const char *path_of(const char *url)
{
	const char *host = strstr(url, "://");
	const char *path = host ? strchr(host + 3, '/') : NULL;

	return path ? path : "/";
}

static void sign(const struct sts_assume *a, const char *host, struct post *p)
{
	unsigned char sum[DIGEST_SHA256_SIZE];
	char payload[2 * DIGEST_SHA256_SIZE + 1], date[CLOCK_ISO_MAX];
	struct sigv4 *signer = sigv4_new(a->by, a->region, "sts");
	struct sigv4_header headers[4] = {
		{ "content-type", FORM },
		{ "host", host },
		{ "x-amz-date", date },
		{ "x-amz-security-token", a->by->session_token },
	};
	struct sigv4_request r = { .method = "POST",
		.path = path_of(strbuf_text(&p->url)), .query = "",
		.headers = headers, .payload = payload,
		.header_count = a->by->session_token ? 4 : 3 };

	clock_format_basic(clock_wall_ns(), date);
	digest_once(DIGEST_SHA256, strbuf_text(&p->form), p->form.len, sum);
	digest_hex(sum, sizeof(sum), payload);
	strbuf_adds(&p->authorization, "Authorization: ");
	sigv4_sign(signer, &r, date, &p->authorization);
	strbuf_addf(&p->date, "X-Amz-Date: %s", date);
	if (a->by->session_token)
		strbuf_addf(&p->token, "X-Amz-Security-Token: %s",
		    a->by->session_token);
	sigv4_free(signer);
}

static int send_post(const struct sts_assume *a, struct post *p,
    struct fetch_reply *reply, struct error *err)
{
	struct fetch_request request = {
		.method = "POST",
		.url = strbuf_text(&p->url),
		.headers = { "Content-Type: " FORM, strbuf_text(&p->host) },
		.body = strbuf_text(&p->form),
		.ca_bundle = a->ca_bundle,
		.env = a->env,
		.timeout_ns = a->timeout_ns,
		.attempts = ATTEMPTS,
		.again = is_no_answer,
		.stopped = a->stopped,
		.arg = a->arg,
	};

	if (a->by) {
		request.headers[2] = strbuf_text(&p->authorization);
		request.headers[3] = strbuf_text(&p->date);
	}
	if (p->token.len > 0)
		request.headers[4] = strbuf_text(&p->token);
	return fetch_run(&request, reply, err);
}

static int take_reply(const struct sts_assume *a,
    const struct fetch_reply *reply, struct s3_credentials *out,
    struct error *err)
{
	if (reply->status != 200)
		return refused(a, reply, err);
	if (take_keys(a, reply, out, err))
		return error_prefix(err, "the reply of STS is not to be used");
	return 0;
}

int sts_assume(const struct sts_assume *a, struct s3_credentials *out,
    struct error *err)
{
	struct fetch_reply reply = { 0 };
	struct post p;
	char *host;
	int rc = -1;

	post_init(&p);
	strbuf_adds(&p.url, a->url);
	host = fetch_host(a->url);
	if (!host) {
		error_set(err, ERROR_CREDENTIALS, "the URL of STS is none");
		goto out;
	}
	make_form(a, &p.form);
	strbuf_addf(&p.host, "Host: %s", host);
	if (a->by)
		sign(a, host, &p);
	rc = send_post(a, &p, &reply, err);
	if (rc == 0)
		rc = take_reply(a, &reply, out, err);
out:
	fetch_release(&reply);
	post_release(&p);
	free(host);
	return rc;
}
