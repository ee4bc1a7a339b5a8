/* SPDX-License-Identifier: MIT */
/* What a check finds, as lines or as JSON. */
#include "cmd/check_print.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/path.h"

struct print {
	const struct check_request *request;
	FILE *out;
	json_t *checks; /* NULL: for people */
	int counts[CHECK_VERDICTS];
	int needing; /* of the skipped, for want of another */
};

static void print_text(const struct print *p, const char *text)
{
	char *shown = path_printable(text, strlen(text));

	fputs(shown, p->out);
	free(shown);
}

static void print_below(const struct print *p, const char *text)
{
	if (text == NULL)
		return;
	fputs("             ", p->out);
	print_text(p, text);
	fputc('\n', p->out);
}

static void print_lines(struct print *p, const struct check_result *r)
{
	if (r->found == NULL) {
		p->needing++;
		return;
	}
	fprintf(p->out, "  %-7s  %s: ", check_verdict_name(r->verdict),
	    check_title(r->item));
	print_text(p, r->found);
	fputc('\n', p->out);
	print_below(p, r->remedy);
	if (r->statement != NULL)
		print_below(p, "the statement that a policy lacks:");
	print_below(p, r->statement);
	fflush(p->out);
}

static json_t *new_json(const struct check_result *r)
{
	json_t *object = json_object();

	json_put_text(object, "name", check_name(r->item));
	json_put_text(object, "verdict", check_verdict_name(r->verdict));
	json_put_text(object, "found", r->found);
	json_put_text(object, "remedy", r->remedy);
	json_object_set_new(object, "statement", r->statement != NULL ?
	    json_loads(r->statement, 0, NULL) : json_null());
	return object;
}

static void on_result(void *arg, const struct check_result *r)
{
	struct print *p = arg;

	p->counts[r->verdict]++;
	if (p->checks != NULL)
		json_array_append_new(p->checks, new_json(r));
	else
		print_lines(p, r);
}

static void print_count(const struct print *p, enum check_verdict verdict,
    const char *one, const char *many, const char **between)
{
	int count = p->counts[verdict];

	if (count == 0)
		return;
	fprintf(p->out, "%s%d %s", *between, count, count == 1 ? one : many);
	*between = ", ";
}

static void end_lines(const struct print *p)
{
	const char *between = "";

	if (p->needing > 0)
		fprintf(p->out, "  skipped  %d more that %s what failed\n",
		    p->needing, p->needing == 1 ? "needs" : "need");
	fprintf(p->out, "%s: ", p->request->pair->name);
	print_count(p, CHECK_FAILED, "failed", "failed", &between);
	print_count(p, CHECK_WARNING, "warning", "warnings", &between);
	if (between[0] == '\0')
		fputs("all is well", p->out);
	between = ", ";
	print_count(p, CHECK_HINT, "hint", "hints", &between);
	fputc('\n', p->out);
}

static void end_json(struct print *p, int status)
{
	json_t *object = json_object();

	json_put_text(object, "event", "check");
	json_put_text(object, "pair", p->request->pair->name);
	json_put_time(object, "time", clock_wall_ns());
	json_put_int(object, "status", status);
	json_object_set_new(object, "checks", p->checks);
	json_print(p->out, object);
}

int check_print_run(const struct check_request *request, bool json, FILE *out)
{
	struct print p = { .request = request, .out = out };
	struct check_request check = *request;
	int status;

	if (json)
		p.checks = json_array();
	else
		fprintf(out, "%s:\n", request->pair->name);
	check.result = on_result;
	check.arg = &p;
	status = check_run(&check);
	if (json)
		end_json(&p, status);
	else
		end_lines(&p);
	fflush(out);
	return status;
}
