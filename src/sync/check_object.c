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

static struct check_answer delete(struct check *c, const char *key)
{
	struct check_answer answer = { .done = false };
	const struct s3_delete request = {
		.key = key,
		.key_len = strlen(key),
		.done = check_on_done,
		.arg = &answer,
	};

	c->bucket->ops->delete(c->bucket, &request);
	check_await(c, &answer);
	return answer;
}

static struct check_answer put(struct check *c, bool if_none_match)
{
	struct check_answer answer = { .done = false };
	struct probe_content content;
	struct s3_put request = {
		.key = c->key,
		.key_len = strlen(c->key),
		.if_none_match = if_none_match,
		.mtime_ns = INT64_MIN,
		.done = check_on_done,
		.arg = &answer,
	};

	probe_content_fill(&content, c->bucket,
	    (enum s3_checksum)c->pair->checksum, &request);
	c->may_be_there = true;
	c->bucket->ops->put(c->bucket, &request);
	check_await(c, &answer);
	return answer;
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
static struct check_answer get(struct check *c, const char *key, size_t len,
    int64_t length)
{
	struct check_answer answer = { .done = false };
	const struct s3_get request = {
		.key = key,
		.key_len = len,
		.length = length,
		.begin = get_begin,
		.data = get_data,
		.done = check_on_done,
		.arg = &answer,
	};

	c->bucket->ops->get(c->bucket, &request);
	check_await(c, &answer);
	return answer;
}

struct upload {
	struct check_answer answer;
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

static void create(struct check *c, struct upload *u)
{
	char token[S3_MULTIPART_TOKEN_SIZE];
	const struct s3_multipart_create request = {
		.key = c->key,
		.key_len = strlen(c->key),
		.token = token,
		.mtime_ns = INT64_MIN,
		.done = create_done,
		.arg = u,
	};

	s3_multipart_token(token);
	c->bucket->ops->create(c->bucket, &request);
	check_await(c, &u->answer);
}

static struct check_answer abort_upload(struct check *c, const char *id)
{
	struct check_answer answer = { .done = false };
	const struct s3_multipart_abort request = {
		.key = c->key,
		.key_len = strlen(c->key),
		.upload_id = id,
		.done = check_on_done,
		.arg = &answer,
	};

	c->bucket->ops->abort(c->bucket, &request);
	check_await(c, &answer);
	return answer;
}

static void parts_done(void *arg, const struct s3_result *result,
    const struct s3_part *parts, size_t count, int next)
{
	(void)parts;
	(void)count;
	(void)next;
	check_answered(arg, result);
}

static struct check_answer list_parts(struct check *c, const char *id)
{
	struct check_answer answer = { .done = false };
	const struct s3_multipart_parts request = {
		.key = c->key,
		.key_len = strlen(c->key),
		.upload_id = id,
		.done = parts_done,
		.arg = &answer,
	};

	c->bucket->ops->parts(c->bucket, &request);
	check_await(c, &answer);
	return answer;
}

static bool is_gone(const struct check_answer *answer)
{
	return answer->outcome == S3_DONE || answer->outcome == S3_ABSENT;
}

/*
 * What a killed check has left
 */

struct left {
	const struct check *check;
	struct check_answer answer;
	struct strbuf keys; /* each with its NUL */
};

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
	struct left *left = arg;
	const struct check *c = left->check;
	size_t skip = c->bucket->prefix_len;
	int64_t offset_ns = 0, oldest_ms;

	s3_clock_told_ns(c->s3, &offset_ns);
	oldest_ms = (clock_wall_ns() + offset_ns - LEFT_NS) / CLOCK_MS;
	for (size_t i = 0; page != NULL && i < page->count; i++) {
		const struct s3_object *o = &page->objects[i];

		if (o->key_len < skip || o->sig.mtime_ms > oldest_ms ||
		    !is_own_key(o->key + skip, o->key_len - skip))
			continue;
		strbuf_add(&left->keys, o->key + skip, o->key_len - skip);
		strbuf_addc(&left->keys, '\0');
	}
	s3_page_free(page);
	check_answered(&left->answer, result);
}

static void sweep(struct check *c)
{
	struct left left = { .check = c, .keys = STRBUF_INIT(LEFT_MAX) };
	const struct s3_list list = {
		.prefix = KEY_BEGIN,
		.prefix_len = strlen(KEY_BEGIN),
		.done = left_done,
		.arg = &left,
	};

	c->bucket->ops->list(c->bucket, &list);
	check_await(c, &left.answer);
	for (size_t at = 0; at < left.keys.len && !check_is_over(c);) {
		struct check_answer answer = delete(c, left.keys.buf + at);

		if (is_gone(&answer))
			c->swept++;
		else
			c->stays = answer.error;
		at += strlen(left.keys.buf + at) + 1;
	}
	strbuf_release(&left.keys);
}

/*
 * One permission after the other
 */

/* Of a key that never was: nothing is made, be it that the bucket keeps a
 * mark of it. */
static void check_delete(struct check *c)
{
	struct check_answer answer = delete(c, c->key);

	c->may_delete = is_gone(&answer);
	if (c->may_delete)
		check_tell(c, CHECK_DELETE, CHECK_OK, NULL, NULL, "allowed");
	else
		check_tell_answer(c, CHECK_DELETE, CHECK_WARNING, &answer,
		    "s3:DeleteObject", CHECK_POLICY_OBJECTS);
}

/* As a cycle writes: under a condition, where the server takes one. */
static struct check_answer put_new(struct check *c)
{
	struct check_answer answer = put(c, true);

	if (answer.outcome == S3_REJECTED)
		answer = put(c, false);
	c->made += answer.outcome == S3_DONE;
	if (answer.outcome == S3_DENIED)
		c->may_be_there = false;
	return answer;
}

/* To begin an upload in parts takes the same permission as a PUT. */
static struct check_answer answer_to_put(struct check *c,
    const struct upload *u)
{
	return c->may_delete ? put_new(c) : u->answer;
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

static void check_put(struct check *c, const struct upload *u)
{
	struct check_answer answer;

	if (!c->may_delete && !c->may_abort) {
		check_tell(c, CHECK_PUT, CHECK_SKIPPED, NULL, NULL, "%s",
		    not_tried);
		return;
	}
	answer = answer_to_put(c, u);
	c->may_put = answer.outcome == S3_DONE ||
	    answer.outcome == S3_EXISTS;
	if (c->may_put) {
		check_tell(c, CHECK_PUT, CHECK_OK, NULL, NULL, "%s",
		    c->may_delete ? "allowed" :
		    "allowed, as far as beginning an upload in parts shows");
	} else {
		mention_more(c, &answer);
		check_tell_answer(c, CHECK_PUT, CHECK_FAILED, &answer,
		    "s3:PutObject", CHECK_POLICY_OBJECTS);
	}
}

/* Where the listing is allowed, "there is no such key" is said to those only
 * who might read it. */
static void check_get(struct check *c)
{
	struct check_answer answer;

	if (c->may_be_there && c->may_put)
		answer = get(c, c->key, strlen(c->key), 0);
	else if (c->smallest != NULL)
		answer = get(c, c->smallest, c->smallest_len,
		    c->smallest_size > 0);
	else if (c->listable)
		answer = get(c, c->key, strlen(c->key), 0);
	else {
		check_tell(c, CHECK_GET, CHECK_SKIPPED, NULL, NULL,
		    "there is no object to try it with");
		return;
	}
	if (is_gone(&answer) || answer.outcome == S3_ARCHIVED)
		check_tell(c, CHECK_GET, CHECK_OK, NULL, NULL, "allowed");
	else
		check_tell_answer(c, CHECK_GET, CHECK_FAILED, &answer,
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

static void tell_abort(struct check *c, const struct check_answer *answer)
{
	if (c->may_abort)
		check_tell(c, CHECK_ABORT, CHECK_OK, NULL, NULL, "allowed");
	else
		check_tell_answer(c, CHECK_ABORT, CHECK_WARNING, answer,
		    "s3:AbortMultipartUpload", CHECK_POLICY_OBJECTS);
}

static void end_upload(struct check *c, struct upload *u)
{
	struct check_answer answer;

	if (u->id == NULL)
		return;
	c->made++;
	check_clean(c);
	answer = abort_upload(c, u->id);
	if (!is_gone(&answer))
		c->stays = answer.error;
	free(u->id);
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
 * All of it
 */

static void remove_object(struct check *c)
{
	struct check_answer answer;

	if (!c->may_be_there)
		return;
	check_clean(c);
	answer = delete(c, c->key);
	if (!is_gone(&answer))
		c->stays = answer.error;
}

/* In a bucket that keeps versions nothing is ever quite gone. */
static const char *what_remains(const struct check *c)
{
	const char *versioning = c->settings[S3_SETTING_VERSIONING].value;

	return versioning != NULL && strcmp(versioning, "Enabled") == 0 ?
	    ", but for the versions that the bucket keeps" : "";
}

static void tell_written(struct check *c)
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

	for (size_t i = 0; i < 2; i++)
		check_tell(c, before[i], CHECK_SKIPPED, NULL, NULL, "%s",
		    why_not(c));
	check_get(c);
	for (size_t i = 0; i < 3; i++)
		check_tell(c, after[i], CHECK_SKIPPED, NULL, NULL, "%s",
		    why_not(c));
	check_conditions(c);
}

/* There is no upload "none": whatever the server says to that but "denied" is
 * said to those only who might abort one. */
static void try_writes(struct check *c)
{
	struct upload u = { .id = NULL };
	struct check_answer abort, parts = { .done = false };

	sweep(c);
	abort = abort_upload(c, "none");
	c->may_abort = is_gone(&abort) || abort.error.kind == ERROR_REMOTE;
	if (c->may_abort)
		create(c, &u);
	if (u.id != NULL)
		parts = list_parts(c, u.id);
	check_delete(c);
	check_put(c, &u);
	check_get(c);
	tell_multipart(c, &u);
	tell_parts(c, &u, &parts);
	tell_abort(c, &abort);
	check_conditions(c);
	end_upload(c, &u);
	remove_object(c);
}

void check_object(struct check *c)
{
	snprintf(c->key, sizeof(c->key), KEY_BEGIN "%016" PRIx64,
	    clock_random());
	if (c->writes)
		try_writes(c);
	else
		tell_untried(c);
	check_bucket_settings(c);
	tell_written(c);
}
