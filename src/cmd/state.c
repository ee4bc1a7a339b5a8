/* SPDX-License-Identifier: MIT */
/* What the commands of s3sync-state share: texts of keys, times and sizes. */
#include "cmd/state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/human.h"
#include "base/path.h"

const char *state_run_outcome(const struct state_view *view,
    const struct manifest_run *run)
{
	/* Before and after the run was read: one may have come or gone. */
	if (strcmp(run->outcome, "running") == 0 && view->writer == 0 &&
	    manifest_writer(view->manifest) == 0)
		return "killed";
	return run->outcome;
}

json_t *state_json(const struct state_view *view)
{
	json_t *object = json_object();

	json_put_text(object, "pair", view->pair);
	return object;
}

void state_run_json(const struct state_view *view,
    const struct manifest_run *run, json_t *object)
{
	const struct {
		const char *name;
		int64_t value;
	} numbers[] = {
		{ "local_keys", run->local_keys },
		{ "remote_keys", run->remote_keys },
		{ "uploaded", run->uploaded },
		{ "downloaded", run->downloaded },
		{ "adopted", run->adopted },
		{ "bytes_up", run->bytes_up },
		{ "bytes_down", run->bytes_down },
		{ "failed", run->failed },
		{ "waiting", run->waiting },
		{ "blocked", run->blocked },
		{ "differing", run->differing },
		{ "retries", run->retries },
		{ "wire_up", run->wire_up },
		{ "wire_down", run->wire_down },
		{ "survey_ns", run->survey_ns },
		{ "transfer_ns", run->transfer_ns },
	};

	json_put_int(object, "id", run->id);
	json_put_time(object, "started", run->started_ns);
	json_put_time(object, "ended", run->ended_ns);
	json_put_text(object, "outcome", state_run_outcome(view, run));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		json_put_int(object, numbers[i].name, numbers[i].value);
	for (int i = 0; i < MANIFEST_REQUEST_COUNT; i++) {
		char name[STATE_TEXT_MAX];

		snprintf(name, sizeof(name), "%s_requests",
		    manifest_run_request_name((enum manifest_request)i));
		json_put_int(object, name, run->requests[i]);
	}
	json_put_text(object, "error", run->error);
}

void state_print_key(FILE *out, const char *key, size_t len)
{
	char *text = path_printable(key, len);

	fputs(text, out);
	free(text);
}

void state_print_text(FILE *out, const char *text)
{
	if (text != NULL && text[0] != '\0')
		state_print_key(out, text, strlen(text));
	else
		fputc('-', out);
}

const char *state_time(const struct state_view *view, int64_t wall_ns,
    char out[STATE_TEXT_MAX])
{
	if (wall_ns == 0)
		snprintf(out, STATE_TEXT_MAX, "-");
	else if (view->form == STATE_FOR_PEOPLE)
		clock_format_local(wall_ns, out);
	else
		clock_format_utc(wall_ns, out);
	return out;
}

const char *state_size(const struct state_view *view, int64_t bytes,
    char out[STATE_TEXT_MAX])
{
	if (view->form == STATE_FOR_PEOPLE)
		return human_bytes(bytes, out);
	snprintf(out, STATE_TEXT_MAX, "%" PRId64, bytes);
	return out;
}

/* In the largest unit of which there are two. */
static void add_rough(int64_t ns, char *out, size_t size)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = {
		{ "days", 24 * 60 * 60 * CLOCK_SECOND },
		{ "h", 60 * 60 * CLOCK_SECOND },
		{ "min", 60 * CLOCK_SECOND },
		{ "s", CLOCK_SECOND },
	};
	size_t i = 0;

	while (i < 3 && ns < 2 * units[i].ns)
		i++;
	snprintf(out, size, "%" PRId64 " %s",
	    (ns + units[i].ns / 2) / units[i].ns, units[i].name);
}

const char *state_distance(int64_t wall_ns, char out[STATE_TEXT_MAX])
{
	int64_t ahead = wall_ns - clock_wall_ns();
	char rough[STATE_TEXT_MAX / 2];

	add_rough(ahead < 0 ? -ahead : ahead, rough, sizeof(rough));
	if (ahead < 0)
		snprintf(out, STATE_TEXT_MAX, "%s ago", rough);
	else
		snprintf(out, STATE_TEXT_MAX, "in %s", rough);
	return out;
}

const char *state_duration(int64_t ns, char out[STATE_TEXT_MAX])
{
	if (ns >= 60 * CLOCK_SECOND)
		return human_duration(ns, out);
	snprintf(out, STATE_TEXT_MAX, "%.1f s", (double)ns / CLOCK_SECOND);
	return out;
}
