/* SPDX-License-Identifier: MIT */
/* A check as a whole: what it looks at, in which order, and what it all means. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "sync/check_internal.h"

#define GRACE_NS (2 * CLOCK_SECOND) /* after all of it, to clean up */
#define WAIT_NS (100 * CLOCK_MS)

static const struct {
	const char *name, *title;
	bool essential; /* without it no cycle can run */
} items[CHECK_ITEMS] = {
	[CHECK_CONFIGURATION] = { "configuration", "configuration", true },
	[CHECK_ROOT] = { "root", "root", true },
	[CHECK_MANIFEST] = { "manifest", "manifest", true },
	[CHECK_MARKER] = { "marker", "marker", true },
	[CHECK_CREDENTIALS] = { "credentials", "credentials", true },
	[CHECK_ENDPOINT] = { "endpoint", "endpoint", true },
	[CHECK_SIGNATURE] = { "signature", "signature", true },
	[CHECK_REGION] = { "region", "region", true },
	[CHECK_CLOCK] = { "clock", "clock", false },
	[CHECK_BUCKET] = { "bucket", "bucket", true },
	[CHECK_LIST] = { "list", "LIST", true },
	[CHECK_ORDER] = { "order", "listing order", true },
	[CHECK_ENCODING] = { "encoding", "encoding", false },
	[CHECK_START_AFTER] = { "start_after", "start-after", false },
	[CHECK_DELETE] = { "delete", "DELETE", false },
	[CHECK_PUT] = { "put", "PUT", false },
	[CHECK_GET] = { "get", "GET", false },
	[CHECK_MULTIPART] = { "multipart", "large uploads", false },
	[CHECK_LIST_PARTS] = { "list_parts", "resuming them", false },
	[CHECK_ABORT] = { "abort", "aborting them", false },
	[CHECK_CONDITIONS] = { "conditions", "conditions", false },
	[CHECK_VERSIONING] = { "versioning", "versioning", false },
	[CHECK_OBJECT_LOCK] = { "object_lock", "object lock", false },
	[CHECK_ENCRYPTION] = { "encryption", "encryption", false },
	[CHECK_LIFECYCLE] = { "lifecycle", "lifecycle", false },
	[CHECK_WRITTEN] = { "written", "written", false },
};

static const char *const verdicts[CHECK_VERDICTS] = {
	[CHECK_OK] = "ok",
	[CHECK_HINT] = "hint",
	[CHECK_WARNING] = "warning",
	[CHECK_FAILED] = "failed",
	[CHECK_SKIPPED] = "skipped",
};

const char *check_name(enum check_item item)
{
	return items[item].name;
}

const char *check_title(enum check_item item)
{
	return items[item].title;
}

const char *check_verdict_name(enum check_verdict verdict)
{
	return verdicts[verdict];
}

/*
 * Telling
 */

static int status_of(const struct check_result *result)
{
	if (result->verdict == CHECK_FAILED)
		return items[result->item].essential ? 3 : 1;
	return result->verdict == CHECK_WARNING ? 1 : 0;
}

static void tell(struct check *c, const struct check_result *result)
{
	int status = status_of(result);

	if (status > c->status)
		c->status = status;
	c->request->result(c->request->arg, result);
	c->next = (enum check_item)(result->item + 1);
}

static void skip_until(struct check *c, enum check_item item)
{
	while (c->next < item)
		tell(c, &(const struct check_result){ .item = c->next,
		        .verdict = CHECK_SKIPPED });
}

void check_tell(struct check *c, enum check_item item,
    enum check_verdict verdict, const char *remedy, const char *statement,
    const char *format, ...)
{
	struct strbuf found = STRBUF_INIT(CHECK_TEXT_MAX);
	va_list ap;

	va_start(ap, format);
	strbuf_vaddf(&found, format, ap);
	va_end(ap);
	skip_until(c, item);
	tell(c, &(const struct check_result){
	        .item = item,
	        .verdict = verdict,
	        .found = strbuf_text(&found),
	        .remedy = remedy,
	        .statement = statement,
	    });
	strbuf_release(&found);
}

void check_split(const char *text, char **found, char **remedy)
{
	const char *end = strstr(text, "): ");

	if (end != NULL)
		end++;
	else
		end = strstr(text, "; ");
	*found = end != NULL ? strndup(text, (size_t)(end - text)) :
	    alloc_string(text);
	*remedy = end != NULL ? alloc_string(end + 2) : NULL;
	if (*found == NULL)
		alloc_failed();
}

void check_tell_error(struct check *c, enum check_item item,
    enum check_verdict verdict, const struct error *err,
    const char *statement)
{
	char *found, *remedy;

	check_split(err->text, &found, &remedy);
	check_tell(c, item, verdict, remedy, statement, "%s", found);
	free(found);
	free(remedy);
}

/* Of AWS a statement says where; others take the same. */
static void add_statement(const struct check *c, const char *action,
    enum check_policy_scope scope, struct strbuf *out)
{
	const struct check_policy policy = {
		.bucket = c->pair->bucket,
		.prefix = c->pair->prefix,
		.region = c->pair->endpoint_url == NULL ? s3_region(c->s3) :
		    NULL,
		.everybody = c->pair->sign == S3_SIGNING_NONE,
	};

	check_policy_statement(&policy, action, scope, out);
}

void check_tell_answer(struct check *c, enum check_item item,
    enum check_verdict verdict, const struct check_answer *answer,
    const char *action, enum check_policy_scope scope)
{
	struct strbuf statement = STRBUF_INIT(CHECK_TEXT_MAX);

	if (answer->outcome == S3_DENIED)
		add_statement(c, action, scope, &statement);
	if (answer->outcome == S3_ABORTED && answer->late)
		check_tell(c, item, CHECK_SKIPPED, NULL, NULL,
		    "not tried: no time was left");
	else if (answer->outcome == S3_ABORTED)
		check_tell(c, item, verdict, "check the network and the "
		    "server, or try again", NULL, "no answer in time");
	else
		check_tell_error(c, item, verdict, &answer->error,
		    statement.len > 0 ? strbuf_text(&statement) : NULL);
	strbuf_release(&statement);
}

/*
 * Asking
 */

void check_answered(struct check_answer *answer,
    const struct s3_result *result)
{
	answer->outcome = result->outcome;
	answer->error = result->error;
	answer->done = true;
}

void check_on_done(void *arg, const struct s3_result *result)
{
	check_answered(arg, result);
}

static bool is_stopped(const struct check *c)
{
	return c->request->stop != NULL && *c->request->stop != 0;
}

bool check_is_over(const struct check *c)
{
	return is_stopped(c) || clock_mono_ns() >= c->until_ns;
}

void check_clean(struct check *c)
{
	int64_t grace_ns = clock_mono_ns() + GRACE_NS;

	c->cleaning = true;
	if (c->until_ns < grace_ns)
		c->until_ns = grace_ns;
}

void check_ask(const struct check *c, struct check_answer *answer)
{
	*answer = (struct check_answer){ .late = check_is_over(c) };
}

void check_await(struct check *c, struct check_answer *answer)
{
	const struct bucket_ops *ops = c->bucket->ops;
	struct error err = ERROR_INIT;

	while (!answer->done) {
		if (clock_mono_ns() >= c->until_ns || err.kind != ERROR_NONE ||
		    (is_stopped(c) && !c->cleaning))
			ops->abort_all(c->bucket);
		ops->wait(c->bucket, WAIT_NS, &err);
	}
}

/*
 * The check as a whole
 */

static void release(struct check *c)
{
	for (int i = 0; i < S3_SETTING_COUNT; i++)
		free(c->settings[i].value);
	free(c->first);
	free(c->second);
	free(c->smallest);
	strbuf_release(&c->left);
	if (c->bucket != NULL)
		c->bucket->ops->free(c->bucket);
	keyring_close(c->keyring);
	manifest_close(c->manifest);
	if (c->tree != NULL)
		c->tree->ops->free(c->tree);
	free(c->endpoint);
}

int check_run(const struct check_request *request)
{
	struct check c = {
		.request = request,
		.pair = request->pair,
		.writes = !request->read_only && request->pair->probe != 0,
		.until_ns = clock_mono_ns() + CHECK_PATIENCE_NS,
	};

	check_local(&c);
	if (check_access(&c)) {
		check_bucket_ask(&c);
		check_object_ask(&c);
		check_bucket(&c);
		check_object(&c);
		check_bucket_settings(&c);
		check_object_written(&c);
	}
	skip_until(&c, CHECK_ITEMS);
	release(&c);
	return c.status;
}
