/* SPDX-License-Identifier: MIT */
/* What a test asks of the server itself, under /_test/. */
#include "control.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "body.h"
#include "cursor.h"
#include "identity.h"
#include "operation.h"
#include "reply.h"
#include "request.h"
#include "setting.h"
#include "stats.h"
#include "text.h"
#include "verb.h"

static void reply_ok(struct request *r)
{
	reply_text(r, 200, "text/plain");
}

static void refuse(struct request *r, const char *message)
{
	reply_text(r, 400, "text/plain");
	strbuf_addf(&r->body, "%s\n", message);
}

static void get_counts(struct request *r)
{
	reply_text(r, 200, "application/json");
	stats_print_counts(r->server->stats, operation_kind, &r->body);
}

static void reset_counts(struct request *r)
{
	stats_reset(r->server->stats);
	reply_ok(r);
}

static void get_log(struct request *r)
{
	reply_ok(r);
	stats_print_log(r->server->stats, &r->body);
}

static void get_faults(struct request *r)
{
	reply_ok(r);
	faults_print(r->server->faults, &r->body);
}

static void add_faults(struct request *r)
{
	struct error err = ERROR_INIT;

	if (faults_add(r->server->faults, strbuf_text(&r->text), &err) < 0)
		refuse(r, err.text);
	else
		reply_ok(r);
}

static void clear_faults(struct request *r)
{
	faults_clear(r->server->faults);
	reply_ok(r);
}

static void get_objects(struct request *r)
{
	const struct param *name = request_param(r, "bucket");
	struct bucket *b =
	    name ? store_bucket(r->server->store, name->value) : NULL;
	struct entry entry;
	struct cursor *c;

	if (!b) {
		refuse(r, "no such bucket");
		return;
	}
	reply_ok(r);
	c = cursor_begin(r->server->store, b);
	for (; cursor_entry(c, &entry); cursor_step(c)) {
		text_escape(&r->body, TEXT_PATH, entry.key, entry.key_len);
		strbuf_addf(&r->body, " %" PRId64 " %s\n", entry.size,
		    entry.etag);
	}
	cursor_end(c);
}

static void make_bucket(struct request *r)
{
	const struct param *spec = request_param(r, "synthetic");
	const struct param *name = request_param(r, "bucket");
	struct synthetic synthetic = { .count = 0 };
	struct error err = ERROR_INIT;

	if (!name) {
		refuse(r, "bucket= is missing");
		return;
	}
	if ((spec && synthetic_parse(spec->value, &synthetic, &err) < 0) ||
	    store_make_bucket(r->server->store, name->value,
		spec ? &synthetic : NULL, &err) < 0)
		refuse(r, err.text);
	else
		reply_ok(r);
}

static void get_identity(struct request *r)
{
	reply_ok(r);
	identity_print(r->server->identity, &r->body);
}

static void command_identity(struct request *r)
{
	struct error err = ERROR_INIT;

	if (identity_command(r->server->identity, strbuf_text(&r->text),
		&err) < 0)
		refuse(r, err.text);
	else
		reply_ok(r);
}

static void set_setting(struct request *r)
{
	const struct param *name = request_param(r, "name");

	if (!name || setting_set(r, name->value) < 0)
		refuse(r, "no such setting");
	else
		reply_ok(r);
}

static void stop(struct request *r)
{
	reply_ok(r);
	r->ends_server = true;
}

static const struct command {
	const char *method, *path;
	void (*run)(struct request *r);
} commands[] = {
	{ "GET", "counts", get_counts },
	{ "POST", "counts/reset", reset_counts },
	{ "GET", "log", get_log },
	{ "GET", "faults", get_faults },
	{ "POST", "faults", add_faults },
	{ "DELETE", "faults", clear_faults },
	{ "GET", "objects", get_objects },
	{ "POST", "bucket", make_bucket },
	{ "GET", "identity", get_identity },
	{ "POST", "identity", command_identity },
	{ "POST", "setting", set_setting },
	{ "POST", "stop", stop },
};

/* ---- objects past all checks, by any key ---- */

#define OBJECT "object/"

/* Turns "object/BUCKET/KEY" into bucket and key. */
static int route_object(struct request *r)
{
	size_t name_at = strlen(OBJECT), len;
	char *slash;

	slash = memchr(r->key + name_at, '/', r->key_len - name_at);
	len = slash ? (size_t)(slash - r->key) - name_at : 0;
	if (len == 0 || len >= sizeof(r->bucket_name)) {
		refuse(r, "/_test/object/BUCKET/KEY");
		return -1;
	}
	memcpy(r->bucket_name, r->key + name_at, len);
	r->bucket_name[len] = '\0';
	r->key_len -= name_at + len + 1;
	memmove(r->key, slash + 1, r->key_len + 1);
	r->bucket = store_bucket(r->server->store, r->bucket_name);
	if (r->bucket)
		return 0;
	refuse(r, "no such bucket");
	return -1;
}

static const struct verb {
	const char *method;
	int (*begin)(struct request *r);
	void (*finish)(struct request *r);
} verbs[] = {
	{ "PUT", verb_put_begin, verb_put },
	{ "GET", NULL, verb_get },
	{ "HEAD", NULL, verb_get },
	{ "DELETE", NULL, verb_delete },
};

static const struct verb *find_verb(const struct request *r)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].method, r->method) == 0)
			return &verbs[i];
	return NULL;
}

void control_begin(struct request *r)
{
	const struct verb *verb = find_verb(r);

	r->fault = (struct fault)FAULT_NONE;
	r->is_object = text_begins(r->key, OBJECT) && verb;
	if (!r->is_object)
		body_to_text(r);
	else if (route_object(r) == 0 && verb->begin)
		verb->begin(r);
}

void control_finish(struct request *r)
{
	if (r->status != 0)
		return;
	if (r->is_object) {
		if (body_verify(r) == 0)
			find_verb(r)->finish(r);
		return;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].method, r->method) == 0 &&
		    strcmp(commands[i].path, r->key) == 0) {
			commands[i].run(r);
			return;
		}
	}
	reply_text(r, 404, "text/plain");
	strbuf_adds(&r->body, "no such command\n");
}
