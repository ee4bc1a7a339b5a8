/* SPDX-License-Identifier: MIT */
/* Which statement of a policy would help. */
#include "sync/check_policy.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "s3/endpoint.h"

#define ARN_MAX ((size_t)16384)

/* "*", "?" and "$" are "${*}", "${?}" and "${$}" there. */
static void add_literal(struct strbuf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (strchr("*?$", *text) != NULL)
			strbuf_addf(out, "${%c}", *text);
		else
			strbuf_addc(out, *text);
	}
}

static void add_bucket(struct strbuf *out, const struct check_policy *p)
{
	if (strncmp(p->bucket, "arn:", 4) != 0)
		strbuf_addf(out, "arn:%s:s3:::", p->region != NULL ?
		    endpoint_aws_partition(p->region) : "aws");
	strbuf_adds(out, p->bucket);
}

/* Of an access point objects are below "object/". */
static void add_objects(struct strbuf *out, const struct check_policy *p)
{
	add_bucket(out, p);
	if (strncmp(p->bucket, "arn:", 4) == 0)
		strbuf_adds(out, "/object");
	strbuf_addc(out, '/');
	add_literal(out, p->prefix);
	strbuf_addc(out, '*');
}

static json_t *condition_of(const struct check_policy *p)
{
	struct strbuf keys = STRBUF_INIT(ARN_MAX);
	json_t *condition = json_object();
	json_t *like = json_object();

	add_literal(&keys, p->prefix);
	strbuf_addc(&keys, '*');
	json_put_text(like, "s3:prefix", strbuf_text(&keys));
	json_object_set_new(condition, "StringLike", like);
	strbuf_release(&keys);
	return condition;
}

void check_policy_statement(const struct check_policy *p, const char *action,
    enum check_policy_scope scope, struct strbuf *out)
{
	struct strbuf arn = STRBUF_INIT(ARN_MAX);
	json_t *statement = json_object();
	char *text;

	if (scope == CHECK_POLICY_OBJECTS)
		add_objects(&arn, p);
	else
		add_bucket(&arn, p);
	json_put_text(statement, "Effect", "Allow");
	if (p->everybody)
		json_put_text(statement, "Principal", "*");
	json_put_text(statement, "Action", action);
	json_put_text(statement, "Resource", strbuf_text(&arn));
	if (scope == CHECK_POLICY_LISTING && p->prefix[0] != '\0')
		json_object_set_new(statement, "Condition", condition_of(p));
	text = json_text(statement);
	strbuf_adds(out, text);
	free(text);
	strbuf_release(&arn);
}
