/* SPDX-License-Identifier: MIT */
/* What may be done with objects: each permission by itself, tried on keys of
 * our own. Nothing is made before it is known that it can be removed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/human.h"
#include "base/path.h"
#include "sync/check_internal.h"
#include "sync/probe.h"

#define KEY_BEGIN PATH_RESERVED "/check-"
#define KEY_DIGITS 16
#define COPY_SUFFIX ".copy" /* of the probe */
/* No check takes longer: what is older is of one that was killed. */
#define LEFT_NS (60 * CLOCK_SECOND)
#define LEFT_MAX ((size_t)65536) /* bytes of keys */

static const char not_tried[] =
    "not tried: what would be made could not be removed again";

/* Nothing may be written. */
static const char *why_not(const struct check *c)
{
	return c->request->read_only ? "not tried: --read-only" :
	    "not tried: probe = no";
}

/*
 * Requests
 */

static void ask_delete(struct check *c, const char *key,
    struct check_answer *answer)
{
	const struct s3_delete request = {
		.key = key,
		.key_len = strlen(key),
		.done = check_on_done,
		.arg = answer,
	};

	check_ask(c, answer);
	c->bucket->ops->delete(c->bucket, &request);
}

struct put {
	struct check_answer answer;
	struct probe_content content;
};

static void ask_put(struct check *c, bool if_none_match, struct put *put)
{
	struct s3_put request = {
		.key = c->key,
		.key_len = strlen(c->key),
		.if_none_match = if_none_match,
		.mtime_ns = INT64_MIN,
		.done = check_on_done,
		.arg = &put->answer,
	};

	probe_content_fill(&put->content, c->bucket,
	    (enum s3_checksum)c->pair->checksum, &request);
	c->may_be_there = true;
	check_ask(c, &put->answer);
	c->bucket->ops->put(c->bucket, &request);
}

static int get_begin(void *arg, const struct s3_head *head, struct error *err)
{
	(void)arg;
	(void)head;
	(void)err;
	return 0;
}

static int get_data(void *arg, const void *bytes, size_t len,
    struct error *err)
{
	(void)arg;
	(void)bytes;
	(void)len;
	(void)err;
	return 0;
}

/* ${length} 0: all of it. */
static void ask_get(struct check *c, const char *key, size_t len,
    int64_t length, struct check_answer *answer)
{
	const struct s3_get request = {
		.key = key,
		.key_len = len,
		.length = length,
		.begin = get_begin,
		.data = get_data,
		.done = check_on_done,
		.arg = answer,
	};

	check_ask(c, answer);
	c->bucket->ops->get(c->bucket, &request);
}

struct upload {
	struct check_answer answer;
	char token[S3_MULTIPART_TOKEN_SIZE];
	char *id; /* NULL: none */
};

static void create_done(void *arg, const struct s3_result *result,
    const char *id)
{
	struct upload *u = arg;

	check_answered(&u->answer, result);
	if (id != NULL)
		u->id = alloc_string(id);
}

static void ask_create(struct check *c, struct upload *u)
{
	const struct s3_multipart_create request = {
		.key = c->key,
		.key_len = strlen(c->key),
		.token = u->token,
		.mtime_ns = INT64_MIN,
		.done = create_done,
		.arg = u,
	};

	s3_multipart_token(u->token);
	check_ask(c, &u->answer);
	c->bucket->ops->create(c->bucket, &request);
}

static void ask_abort(struct check *c, const char *id,
    struct check_answer *answer)
{
	const struct s3_multipart_abort request = {
		.key = c->key,
		.key_len = strlen(c->key),
		.upload_id = id,
		.done = check_on_done,
		.arg = answer,
	};

	check_ask(c, answer);
	c->bucket->ops->abort(c->bucket, &request);
}

static void parts_done(void *arg, const struct s3_result *result,
    const struct s3_part *parts, size_t count, int next)
{
	(void)parts;
	(void)count;
	(void)next;
	check_answered(arg, result);
}

static void ask_parts(struct check *c, const char *id,
    struct check_answer *answer)
{
	const struct s3_multipart_parts request = {
		.key = c->key,
		.key_len = strlen(c->key),
		.upload_id = id,
		.done = parts_done,
		.arg = answer,
	};

	check_ask(c, answer);
	c->bucket->ops->parts(c->bucket, &request);
}

static bool is_gone(const struct check_answer *answer)
{
	return answer->outcome == S3_DONE || answer->outcome == S3_ABSENT;
}

/*
 * What a killed check has left
 */

/* Only what a check can have made is ever deleted. */
static bool is_own_key(const char *key, size_t len)
{
	size_t begin = strlen(KEY_BEGIN), end = begin + KEY_DIGITS;

	return len >= end && memcmp(key, KEY_BEGIN, begin) == 0 &&
	    strspn(key + begin, "0123456789abcdef") >= KEY_DIGITS &&
	    (len == end || (len == end + strlen(COPY_SUFFIX) &&
	        memcmp(key + end, COPY_SUFFIX, len - end) == 0));
}

static void left_done(void *arg, const struct s3_result *result,
    struct s3_page *page)
{
	struct check *c = arg;
	size_t skip = c->bucket->prefix_len;
	int64_t offset_ns = 0, oldest_ms;

	s3_clock_told_ns(c->s3, &offset_ns);
	oldest_ms = (clock_wall_ns() + offset_ns - LEFT_NS) / CLOCK_MS;
	for (size_t i = 0; page != NULL && i < page->count; i++) {
		const struct s3_object *o = &page->objects[i];

		if (o->key_len < skip || o->sig.mtime_ms > oldest_ms ||
		    !is_own_key(o->key + skip, o->key_len - skip))
			continue;
		strbuf_add(&c->left, o->key + skip, o->key_len - skip);
		strbuf_addc(&c->left, '\0');
	}
	s3_page_free(page);
	check_answered(&c->list_left, result);
}

static void ask_left(struct check *c)
{
	const struct s3_list list = {
		.prefix = KEY_BEGIN,
		.prefix_len = strlen(KEY_BEGIN),
		.done = left_done,
		.arg = c,
	};

	strbuf_init(&c->left, LEFT_MAX);
	check_ask(c, &c->list_left);
	c->bucket->ops->list(c->bucket, &list);
}

static void sweep(struct check *c)
{
	check_await(c, &c->list_left);
	for (size_t at = 0; at < c->left.len && !check_is_over(c);) {
		struct check_answer answer;

		ask_delete(c, c->left.buf + at, &answer);
		check_await(c, &answer);
		if (is_gone(&answer))
			c->swept++;
		else
			c->stays = answer.error;
		at += strlen(c->left.buf + at) + 1;
	}
}

/*
 * What is told of each permission
 */

static void tell_delete(struct check *c)
{
	if (c->may_delete)
		check_tell(c, CHECK_DELETE, CHECK_OK, NULL, NULL, "allowed");
	else
		check_tell_answer(c, CHECK_DELETE, CHECK_WARNING,
		    &c->delete_none,
		    "s3:DeleteObject", CHECK_POLICY_OBJECTS);
}

/* What uploads are to look like may take more than s3:PutObject. */
static void mention_more(const struct check *c, struct check_answer *answer)
{
	char *text = answer->error.text;
	size_t size = sizeof(answer->error.text);

	if (answer->outcome != S3_DENIED)
		return;
	if (c->pair->acl != NULL)
		snprintf(text + strlen(text), size - strlen(text),
		    "; acl = %s takes s3:PutObjectAcl, too", c->pair->acl);
	if (c->pair->sse != NULL && strncmp(c->pair->sse, "aws:kms", 7) == 0)
		snprintf(text + strlen(text), size - strlen(text),
		    "; sse = %s takes kms:GenerateDataKey on its key, too",
		    c->pair->sse);
}

static void tell_put(struct check *c, struct check_answer *answer)
{
	if (!c->may_delete && !c->may_abort) {
		check_tell(c, CHECK_PUT, CHECK_SKIPPED, NULL, NULL, "%s",
		    not_tried);
	} else if (c->may_put) {
		check_tell(c, CHECK_PUT, CHECK_OK, NULL, NULL, "%s",
		    c->may_delete ? "allowed" :
		    "allowed, as far as beginning an upload in parts shows");
	} else {
		mention_more(c, answer);
		check_tell_answer(c, CHECK_PUT, CHECK_FAILED, answer,
		    "s3:PutObject", CHECK_POLICY_OBJECTS);
	}
}

/* Where the listing is allowed, "there is no such key" is said to those only
 * who might read it. False: there is nothing to try it with. */
static bool ask_some_get(struct check *c, struct check_answer *answer)
{
	if ((c->may_be_there && c->may_put) ||
	    (c->smallest == NULL && c->listable))
		ask_get(c, c->key, strlen(c->key), 0, answer);
	else if (c->smallest != NULL)
		ask_get(c, c->smallest, c->smallest_len, c->smallest_size > 0,
		    answer);
	else
		return false;
	return true;
}

/* NULL: it was not tried. */
static void tell_get(struct check *c, struct check_answer *answer)
{
	if (answer == NULL)
		check_tell(c, CHECK_GET, CHECK_SKIPPED, NULL, NULL,
		    "there is no object to try it with");
	else if (is_gone(answer) || answer->outcome == S3_ARCHIVED)
		check_tell(c, CHECK_GET, CHECK_OK, NULL, NULL, "allowed");
	else
		check_tell_answer(c, CHECK_GET, CHECK_FAILED, answer,
		    "s3:GetObject", CHECK_POLICY_OBJECTS);
}

static void tell_multipart(struct check *c, const struct upload *u)
{
	if (!c->may_abort)
		check_tell(c, CHECK_MULTIPART, CHECK_SKIPPED, NULL, NULL,
		    "%s", not_tried);
	else if (u->id != NULL)
		check_tell(c, CHECK_MULTIPART, CHECK_OK, NULL, NULL,
		    "allowed");
	else
		check_tell_answer(c, CHECK_MULTIPART, CHECK_FAILED, &u->answer,
		    "s3:PutObject", CHECK_POLICY_OBJECTS);
}

static void tell_parts(struct check *c, const struct upload *u,
    const struct check_answer *parts)
{
	if (u->id == NULL)
		return;
	if (parts->outcome == S3_DONE)
		check_tell(c, CHECK_LIST_PARTS, CHECK_OK, NULL, NULL,
		    "allowed");
	else
		check_tell_answer(c, CHECK_LIST_PARTS, CHECK_WARNING, parts,
		    "s3:ListMultipartUploadParts", CHECK_POLICY_OBJECTS);
}

static void tell_abort(struct check *c)
{
	if (c->may_abort)
		check_tell(c, CHECK_ABORT, CHECK_OK, NULL, NULL, "allowed");
	else
		check_tell_answer(c, CHECK_ABORT, CHECK_WARNING,
		    &c->abort_none, "s3:AbortMultipartUpload",
		    CHECK_POLICY_OBJECTS);
}

/*
 * Conditional writes
 */

/* "honoured: PUT If-None-Match; ignored: …" */
static void describe(const struct capability *found, struct strbuf *out)
{
	static const enum capability_verdict order[] = { CAPABILITY_HONOURED,
		CAPABILITY_IGNORED, CAPABILITY_REJECTED, CAPABILITY_UNKNOWN };

	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
		struct strbuf list = STRBUF_INIT(CHECK_TEXT_MAX);

		capability_list(found, order[i], &list);
		if (list.len > 0)
			strbuf_addf(out, "%s%s: %s", out->len > 0 ? "; " : "",
			    capability_verdict_name(order[i]),
			    strbuf_text(&list));
		strbuf_release(&list);
	}
}

static void tell_capability(struct check *c, const struct capability *found,
    const char *when)
{
	bool safe = capability_protects(found, CAPABILITY_PUT,
	    CAPABILITY_NEW) && capability_protects(found,
	    CAPABILITY_COMPLETE, CAPABILITY_NEW);
	struct strbuf text = STRBUF_INIT(CHECK_TEXT_MAX);

	describe(found, &text);
	check_tell(c, CHECK_CONDITIONS, safe ? CHECK_OK : CHECK_WARNING,
	    safe ? NULL : "there is nothing to set here: before each upload "
	    "it is looked whether the key is there by now; what another "
	    "writer puts there after that look is lost (s3sync(1), "
	    "CONDITIONAL WRITES)", NULL, "%s%s", strbuf_text(&text), when);
	strbuf_release(&text);
}

static void try_conditions(struct check *c, struct capability *found,
    const char *of)
{
	const struct probe_request request = {
		.bucket = c->bucket,
		.of = of,
		.checksum = (enum s3_checksum)c->pair->checksum,
		.stop = c->request->stop,
		.until_ns = c->until_ns,
	};
	char key[CHECK_KEY_MAX];
	struct error err = ERROR_INIT;
	int rc;

	snprintf(key, sizeof(key), KEY_BEGIN "%016" PRIx64, clock_random());
	c->made += 2; /* it writes to one key, and copies from another */
	rc = probe_try(&request, key, found, &err);
	if (rc == 0)
		tell_capability(c, found, "");
	else
		check_tell_error(c, CHECK_CONDITIONS, CHECK_WARNING, &err,
		    NULL);
	if (rc < 0)
		c->stays = err;
}

static void check_conditions(struct check *c)
{
	struct capability found = { .probed_ns = 0 };
	struct strbuf of = STRBUF_INIT(CHECK_TEXT_MAX);
	struct error err = ERROR_INIT;
	char when[CLOCK_ISO_MAX + 16], day[CLOCK_ISO_MAX];

	strbuf_addf(&of, "%s/%s", c->endpoint, c->pair->bucket);
	if (c->manifest != NULL && probe_recall(c->manifest,
	        strbuf_text(&of), &found, &err) == 0 &&
	    !capability_is_due(&found, clock_wall_ns())) {
		clock_format_utc(found.probed_ns, day);
		snprintf(when, sizeof(when), " (tried on %.10s)", day);
		tell_capability(c, &found, when);
	} else if (c->writes && c->may_delete && c->may_put &&
	    !check_is_over(c)) {
		try_conditions(c, &found, strbuf_text(&of));
	} else {
		check_tell(c, CHECK_CONDITIONS, CHECK_SKIPPED, NULL, NULL,
		    "%s", c->writes ? "not tried: that takes PUT and DELETE" :
		    why_not(c));
	}
	strbuf_release(&of);
}

/*
 * All of it: what makes nothing is asked first, all at once
 */

/* In a bucket that keeps versions nothing is ever quite gone. */
static const char *what_remains(const struct check *c)
{
	const char *versioning = c->settings[S3_SETTING_VERSIONING].value;

	return versioning != NULL && strcmp(versioning, "Enabled") == 0 ?
	    ", but for the versions that the bucket keeps" : "";
}

void check_object_written(struct check *c)
{
	struct strbuf text = STRBUF_INIT(CHECK_TEXT_MAX);

	if (c->made == 0)
		strbuf_adds(&text, "nothing");
	else
		strbuf_addf(&text, "%" PRId64 " probe%s below %s" KEY_BEGIN
		    "; %s", c->made, c->made == 1 ? "" : "s", c->pair->remote,
		    c->stays.kind != ERROR_NONE ? "not " :
		    "");
	if (c->made > 0)
		strbuf_addf(&text, "all removed again%s", what_remains(c));
	if (c->swept > 0)
		strbuf_addf(&text, "; %" PRId64 " more removed that a killed "
		    "check had left", c->swept);
	if (c->stays.kind != ERROR_NONE)
		check_tell(c, CHECK_WRITTEN, CHECK_WARNING,
		    "the next check tries again", NULL, "%s: %s",
		    strbuf_text(&text), c->stays.text);
	else
		check_tell(c, CHECK_WRITTEN, CHECK_OK, NULL, NULL, "%s",
		    strbuf_text(&text));
	strbuf_release(&text);
}

/* All that takes a write. */
static void tell_untried(struct check *c)
{
	static const enum check_item before[] = { CHECK_DELETE, CHECK_PUT },
	    after[] = { CHECK_MULTIPART, CHECK_LIST_PARTS, CHECK_ABORT };
	struct check_answer get = CHECK_NOT_ASKED;
	bool got = ask_some_get(c, &get);

	check_await(c, &get);
	for (size_t i = 0; i < 2; i++)
		check_tell(c, before[i], CHECK_SKIPPED, NULL, NULL, "%s",
		    why_not(c));
	tell_get(c, got ? &get : NULL);
	for (size_t i = 0; i < 3; i++)
		check_tell(c, after[i], CHECK_SKIPPED, NULL, NULL, "%s",
		    why_not(c));
	check_conditions(c);
}

/* Nothing is made yet. There is no upload "none": whatever the server says to
 * that but "denied" is said to those only who might abort one. Nor is there the
 * key, be it that the bucket keeps a mark of its removal. */
void check_object_ask(struct check *c)
{
	snprintf(c->key, sizeof(c->key), KEY_BEGIN "%016" PRIx64,
	    clock_random());
	if (!c->writes)
		return;
	ask_left(c);
	ask_abort(c, "none", &c->abort_none);
	ask_delete(c, c->key, &c->delete_none);
}

/* As a cycle writes: under a condition, where the server takes one. */
static void await_put(struct check *c, struct put *put)
{
	check_await(c, &put->answer);
	if (put->answer.outcome == S3_REJECTED) {
		ask_put(c, false, put);
		check_await(c, &put->answer);
	}
	c->made += put->answer.outcome == S3_DONE;
	if (put->answer.outcome == S3_DENIED)
		c->may_be_there = false;
}

/* Of what is made each kind by itself can be removed again. */
static void make(struct check *c, struct put *put, struct upload *u)
{
	check_await(c, &c->abort_none);
	check_await(c, &c->delete_none);
	c->may_abort = is_gone(&c->abort_none) ||
	    c->abort_none.error.kind == ERROR_REMOTE;
	c->may_delete = is_gone(&c->delete_none);
	if (c->may_abort)
		ask_create(c, u);
	if (c->may_delete)
		ask_put(c, true, put);
	check_await(c, &u->answer);
	c->made += u->id != NULL;
	/* To begin an upload in parts takes the same permission. */
	if (c->may_delete)
		await_put(c, put);
	else
		put->answer = u->answer;
	c->may_put = (c->may_delete || c->may_abort) &&
	    (put->answer.outcome == S3_DONE ||
	    put->answer.outcome == S3_EXISTS);
}

static void unmake(struct check *c, struct upload *u)
{
	struct check_answer abort = CHECK_NOT_ASKED, delete = abort;

	if (u->id != NULL || c->may_be_there)
		check_clean(c);
	if (u->id != NULL)
		ask_abort(c, u->id, &abort);
	if (c->may_be_there)
		ask_delete(c, c->key, &delete);
	check_await(c, &abort);
	check_await(c, &delete);
	if (!is_gone(&abort))
		c->stays = abort.error;
	if (!is_gone(&delete))
		c->stays = delete.error;
	free(u->id);
}

static void try_writes(struct check *c)
{
	struct check_answer parts = CHECK_NOT_ASKED, get = parts;
	struct upload u = { .answer = CHECK_NOT_ASKED };
	struct put put;
	bool got;

	sweep(c);
	make(c, &put, &u);
	if (u.id != NULL)
		ask_parts(c, u.id, &parts);
	got = ask_some_get(c, &get);
	check_await(c, &parts);
	check_await(c, &get);
	tell_delete(c);
	tell_put(c, &put.answer);
	tell_get(c, got ? &get : NULL);
	tell_multipart(c, &u);
	tell_parts(c, &u, &parts);
	tell_abort(c);
	check_conditions(c);
	unmake(c, &u);
}

void check_object(struct check *c)
{
	if (c->writes)
		try_writes(c);
	else
		tell_untried(c);
}
