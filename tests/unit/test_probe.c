/* SPDX-License-Identifier: MIT */
/* The probe finds out what a server honours, and leaves nothing behind. */
#include "manifest_fixture.h"

#include "server_fixture.h"

#include "base/clock.h"
#include "base/log.h"
#include "sync/probe.h"

#define HOME "http://127.0.0.1:9000/photos"
#define REQUESTS 18 /* of a probe, where all is honoured */
#define FOREIGN ".s3sync/probe-notes"

static struct server *server;
static struct capability known;
static volatile sig_atomic_t stop;
static struct probe_request request;
static struct strbuf said = STRBUF_INIT(64 * 1024);

static void hear(enum log_level level, const char *line, void *arg)
{
	(void)arg;
	if (level <= LOG_LEVEL_WARNING)
		strbuf_addf(&said, "%s\n", line);
}

static int begin(void **state)
{
	if (set_up(state) < 0)
		return -1;
	server = server_new();
	known = (struct capability){ .probed_ns = 0 };
	stop = 0;
	request = (struct probe_request){
		.bucket = &server->base,
		.manifest = m,
		.of = HOME,
		.writes = true,
		.allowed = true,
		.stop = &stop,
	};
	strbuf_clear(&said);
	log_capture(hear, NULL);
	return 0;
}

static int end(void **state)
{
	log_capture(NULL, NULL);
	server->base.ops->free(&server->base);
	return tear_down(state);
}

static void run(int expected)
{
	server->requests = 0;
	error_clear(&err);
	assert_int_equal(probe_run(&request, &known, &err), expected);
}

/* As another process would: from the manifest alone. */
static void run_anew(int expected)
{
	known = (struct capability){ .probed_ns = 0 };
	run(expected);
}

static void meta_is(const char *name, const char *expected)
{
	struct strbuf value = STRBUF_INIT(4096);

	assert_true(manifest_meta_get(m, name, &value, &err) >= 0);
	assert_string_equal(strbuf_text(&value), expected);
	strbuf_release(&value);
}

static bool meta_holds(const char *name, const char *text)
{
	struct strbuf value = STRBUF_INIT(4096);
	bool holds;

	assert_true(manifest_meta_get(m, name, &value, &err) >= 0);
	holds = strstr(strbuf_text(&value), text) != NULL;
	strbuf_release(&value);
	return holds;
}

static void forget_record(void)
{
	assert_int_equal(manifest_meta_set(m, "capabilities", "", &err), 0);
	commit();
}

static void nothing_is_left(void)
{
	assert_int_equal(server_count(server), 0);
	assert_false(server->upload);
	meta_is("probe", "");
	assert_int_equal(manifest_uncommitted(m), 0);
}

static void says(const char *text)
{
	if (strstr(strbuf_text(&said), text) == NULL)
		fail_msg("no '%s' in: %s", text, strbuf_text(&said));
}

static void eighteen_requests_tell_what_is_honoured(void **state)
{
	(void)state;
	run(0);
	for (int w = 0; w < CAPABILITY_WRITES; w++)
		for (int n = 0; n < CAPABILITY_CONDITIONS; n++)
			if (capability_word(w, n) != NULL)
				assert_int_equal(known.verdicts[w][n],
				    CAPABILITY_HONOURED);
	assert_int_equal(server->requests, REQUESTS);
	assert_int_equal(said.len, 0);
	assert_true(meta_holds("capabilities", "of=" HOME " at=20"));
	nothing_is_left();
}

/* Every verdict of every condition by itself, all others honoured. */
static void each_verdict_is_found_by_itself(void **state)
{
	(void)state;
	for (int i = 0; i < CAPABILITY_WRITES * 2 * 3; i++) {
		int w = i / 6, n = i / 3 % 2;
		bool never = i % 3 == 2;
		enum capability_verdict verdict =
		    i % 3 == 0 ? CAPABILITY_IGNORED : CAPABILITY_REJECTED;

		if (capability_word(w, n) == NULL ||
		    (never && n == CAPABILITY_NEW && w != CAPABILITY_PUT))
			continue;
		if (never)
			server->never[w][n] = true;
		else
			server->verdicts[w][n] = verdict;
		known.probed_ns = 0;
		forget_record();
		run(0);
		for (int v = 0; v < CAPABILITY_WRITES; v++)
			for (int k = 0; k < CAPABILITY_CONDITIONS; k++)
				if (capability_word(v, k) != NULL)
					assert_int_equal(known.verdicts[v][k],
					    v == w && k == n ? verdict :
					    CAPABILITY_HONOURED);
		nothing_is_left();
		server->never[w][n] = false;
		server->verdicts[w][n] = CAPABILITY_HONOURED;
	}
}

/* Some say that it is damaged, some that its signature is. Who fails says
 * nothing. */
static void a_body_is_checked_where_another_one_is_refused(void **state)
{
	static const struct {
		int status;
		enum capability_verdict verdict;
	} cases[] = {
		{ 400, CAPABILITY_HONOURED },
		{ 403, CAPABILITY_HONOURED },
		{ 500, CAPABILITY_UNKNOWN },
		{ 0, CAPABILITY_UNKNOWN },
	};

	(void)state;
	for (int signs = 0; signs < 2; signs++)
		for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
			server->signs = signs;
			server->body_status = cases[i].status;
			forget_record();
			run_anew(0);
			assert_int_equal(
			    known.verdicts[CAPABILITY_PUT][CAPABILITY_BODY],
			    cases[i].verdict);
			assert_int_equal(
			    known.verdicts[CAPABILITY_DELETE][CAPABILITY_SAME],
			    cases[i].status == 0 ? CAPABILITY_UNKNOWN
						 : CAPABILITY_HONOURED);
			nothing_is_left();
		}
}

static void a_server_that_ignores_all_is_found_out(void **state)
{
	(void)state;
	for (int w = 0; w < CAPABILITY_WRITES; w++)
		for (int n = 0; n < CAPABILITY_CONDITIONS; n++)
			server->verdicts[w][n] = CAPABILITY_IGNORED;
	run(0);
	for (int w = 0; w < CAPABILITY_WRITES; w++)
		for (int n = 0; n < CAPABILITY_CONDITIONS; n++)
			if (capability_word(w, n) != NULL)
				assert_int_equal(known.verdicts[w][n],
				    CAPABILITY_IGNORED);
	says("(of single uploads: ignored; of uploads in parts: ignored)");
	nothing_is_left();
}

static void the_warning_names_what_is_not_honoured(void **state)
{
	(void)state;
	server->verdicts[CAPABILITY_COMPLETE][CAPABILITY_NEW] =
	    CAPABILITY_IGNORED;
	run(0);
	says(HOME " does not honour each If-None-Match");
	says("(of single uploads: honoured; of uploads in parts: ignored)");
	strbuf_clear(&said);
	run_anew(0);
	assert_int_equal(server->requests, 0);
	assert_int_equal(said.len, 0);
}

static void what_cannot_be_deleted_again_is_not_made(void **state)
{
	(void)state;
	server->denies[S3_KIND_DELETE] = true;
	run(0);
	assert_int_equal(server->requests, 1);
	says("for want of s3:DeleteObject on p/.s3sync/");
	assert_false(
	    capability_protects(&known, CAPABILITY_PUT, CAPABILITY_NEW));
	nothing_is_left();
	run_anew(0);
	assert_int_equal(server->requests, 0);
	assert_string_equal(known.missing, "s3:DeleteObject");
}

static void what_may_not_be_put_is_known_after_one_try(void **state)
{
	(void)state;
	server->denies[S3_KIND_PUT] = true;
	run(0);
	assert_int_equal(server->requests, 2);
	says("for want of s3:PutObject on p/.s3sync/");
	nothing_is_left();
}

/* Of what a server has not, or does not allow, nothing is known. */
static void what_cannot_be_tried_stays_unknown(void **state)
{
	static const enum s3_kind kinds[] = { S3_KIND_COPY,
		S3_KIND_CREATE_UPLOAD, S3_KIND_UPLOAD_PART,
		S3_KIND_COMPLETE_UPLOAD };

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		int w = i == 0 ? CAPABILITY_COPY : CAPABILITY_COMPLETE;

		server->denies[kinds[i]] = true;
		known.doubted = true;
		run(0);
		assert_int_equal(known.verdicts[w][CAPABILITY_NEW],
		    CAPABILITY_UNKNOWN);
		assert_int_equal(known.verdicts[w][CAPABILITY_SAME],
		    CAPABILITY_UNKNOWN);
		assert_int_equal(
		    known.verdicts[CAPABILITY_DELETE][CAPABILITY_SAME],
		    CAPABILITY_HONOURED);
		server->denies[kinds[i]] = false;
		nothing_is_left();
	}
}

/* It is not a matter of permission: the server wants none of our objects. */
static void where_nothing_can_be_put_all_stays_unknown(void **state)
{
	(void)state;
	server->wants_none = true;
	run(0);
	assert_int_equal(server->requests, 4);
	says("(of single uploads: unknown; of uploads in parts: unknown)");
	nothing_is_left();
	run_anew(0);
	assert_int_equal(server->requests, 0);
	assert_false(
	    capability_protects(&known, CAPABILITY_PUT, CAPABILITY_NEW));
}

static void a_cycle_that_writes_nothing_asks_nothing(void **state)
{
	(void)state;
	request.writes = false;
	run(0);
	assert_int_equal(server->requests, 0);
	meta_is("capabilities", "");
}

static void without_leave_nothing_is_asked_and_all_is_trusted(void **state)
{
	(void)state;
	request.allowed = false;
	run(0);
	assert_int_equal(server->requests, 0);
	assert_true(
	    capability_protects(&known, CAPABILITY_PUT, CAPABILITY_NEW));
}

static void one_probe_is_enough(void **state)
{
	(void)state;
	server->verdicts[CAPABILITY_PUT][CAPABILITY_NEW] = CAPABILITY_IGNORED;
	run(0);
	run(0);
	assert_int_equal(server->requests, 0);
	run_anew(0);
	assert_int_equal(server->requests, 0);
	assert_int_equal(known.verdicts[CAPABILITY_PUT][CAPABILITY_NEW],
	    CAPABILITY_IGNORED);
}

static void another_bucket_has_a_probe_of_its_own(void **state)
{
	(void)state;
	run(0);
	request.of = HOME "2";
	run_anew(0);
	assert_int_equal(server->requests, REQUESTS);
}

static void an_old_record_is_renewed(void **state)
{
	(void)state;
	assert_int_equal(manifest_meta_set(m, "capabilities", "of=" HOME
	    " at=2020-01-01T00:00:00Z put_new=ignored", &err), 0);
	run(0);
	assert_int_equal(server->requests, REQUESTS);
	assert_int_equal(known.verdicts[CAPABILITY_PUT][CAPABILITY_NEW],
	    CAPABILITY_HONOURED);
}

static void a_doubted_record_is_renewed(void **state)
{
	(void)state;
	run(0);
	capability_learn_rejected(&known, CAPABILITY_PUT, CAPABILITY_NEW);
	assert_int_equal(probe_end(&request, &known, &err), 0);
	meta_is("capabilities", "");
	run(0);
	assert_int_equal(server->requests, REQUESTS);
	assert_false(known.doubted);
	assert_int_equal(probe_end(&request, &known, &err), 0);
	assert_true(meta_holds("capabilities", "put_new=honoured"));
}

/* The n-th request gets no answer, for each n: what was made is removed all
 * the same, and only what was found out is recorded. */
static void a_lost_answer_leaves_nothing_behind(void **state)
{
	(void)state;
	for (int n = 1; n <= REQUESTS; n++) {
		server->fails_at = n;
		run_anew(0);
		if (n <= 3) {
			meta_is("capabilities", "");
			says("tried again in the next cycle");
		} else {
			assert_true(meta_holds("capabilities",
			    "put_new=honoured"));
		}
		for (int w = 0; w < CAPABILITY_WRITES; w++)
			for (int k = 0; k < CAPABILITY_CONDITIONS; k++)
				assert_true(known.verdicts[w][k] ==
				        CAPABILITY_UNKNOWN ||
				    known.verdicts[w][k] ==
				        CAPABILITY_HONOURED);
		assert_int_equal(known.verdicts[CAPABILITY_DELETE]
		    [CAPABILITY_SAME], n == REQUESTS ? CAPABILITY_HONOURED :
		    CAPABILITY_UNKNOWN);
		strbuf_clear(&said);
		forget_record();
		server->fails_at = 0;
		request.writes = false;
		run_anew(0); /* where the lost answer was the cleaning's own */
		request.writes = true;
		nothing_is_left();
	}
	run_anew(0);
	assert_int_equal(server->requests, REQUESTS);
}

/* From the n-th request on there is silence, for each n, as if the program
 * had been killed: the next cycle removes what is left, even if it has nothing
 * to write, and only that. */
static void what_a_killed_probe_left_is_removed_by_the_next(void **state)
{
	(void)state;
	for (int n = 2; n <= REQUESTS; n++) {
		server_write(server, FOREIGN, strlen(FOREIGN));
		server->dead_from = n;
		run_anew(0);
		assert_true(meta_holds("probe", ".s3sync/probe-"));
		server->dead_from = 0;
		forget_record();
		request.writes = false;
		run_anew(0);
		request.writes = true;
		assert_non_null(
		    server_find(server, FOREIGN, strlen(FOREIGN)));
		server_find(server, FOREIGN, strlen(FOREIGN))->key[0] = '\0';
		nothing_is_left();
	}
}

/* Else its record would take the place of the other's. */
static void while_something_is_left_no_probe_begins(void **state)
{
	(void)state;
	server->dead_from = 3;
	run_anew(0);
	forget_record();
	server->dead_from = 1;
	run_anew(0);
	assert_int_equal(server->requests, 1);
	assert_true(meta_holds("probe", ".s3sync/probe-"));
	server->dead_from = 0;
	run_anew(0);
	assert_int_equal(server->requests, 2 + REQUESTS);
	nothing_is_left();
}

static void only_a_probes_own_keys_are_removed(void **state)
{
	static const char *const records[] = { FOREIGN, "photo.jpg",
		".s3sync/probe-0123456789abcdef0", ".s3sync/probe-0123",
		"x/.s3sync/probe-0123456789abcdef",
		".s3sync/probe-0123456789ABCDEF", " upload-1" };

	(void)state;
	request.writes = false;
	for (size_t i = 0; i < sizeof(records) / sizeof(*records); i++) {
		assert_int_equal(
		    manifest_meta_set(m, "probe", records[i], &err), 0);
		run(0);
		assert_int_equal(server->requests, 0);
		meta_is("probe", "");
	}
}

static void what_cannot_be_removed_is_told_and_tried_again(void **state)
{
	(void)state;
	assert_int_equal(manifest_meta_set(m, "probe",
	    ".s3sync/probe-0123456789abcdef " SERVER_UPLOAD, &err), 0);
	server->denies[S3_KIND_DELETE] = true;
	request.writes = false;
	run(0);
	says("cannot remove p/.s3sync/probe-0123456789abcdef");
	server->denies[S3_KIND_DELETE] = false;
	run(0);
	nothing_is_left();
}

static void stop_now(struct server *s)
{
	(void)s;
	stop = SIGTERM;
}

static void who_is_stopped_cleans_up(void **state)
{
	(void)state;
	server->before = stop_now;
	run(-1);
	assert_int_equal(err.kind, ERROR_STOPPED);
	nothing_is_left();
	meta_is("capabilities", "");
}

static void refused_credentials_end_the_cycle(void **state)
{
	(void)state;
	for (int n = 1; n <= REQUESTS; n++) {
		server->refuses_at = n;
		run_anew(-1);
		assert_int_equal(err.kind, ERROR_CREDENTIALS);
		server->refuses_at = 0;
		request.writes = false;
		run_anew(0);
		request.writes = true;
		nothing_is_left();
	}
}

#define TRIED ".s3sync/check-0123456789abcdef"

static int try(void)
{
	request.manifest = NULL; /* nothing can be recorded */
	error_clear(&err);
	return probe_try(&request, TRIED, &known, &err);
}

static void who_only_wants_to_know_records_nothing(void **state)
{
	struct capability recorded = { .probed_ns = 0 };

	(void)state;
	server->verdicts[CAPABILITY_COPY][CAPABILITY_NEW] =
	    CAPABILITY_IGNORED;
	assert_int_equal(try(), 0);
	assert_int_equal(known.verdicts[CAPABILITY_PUT][CAPABILITY_NEW],
	    CAPABILITY_HONOURED);
	assert_int_equal(known.verdicts[CAPABILITY_COPY][CAPABILITY_NEW],
	    CAPABILITY_IGNORED);
	assert_true(known.probed_ns > 0);
	assert_non_null(strstr(strbuf_text(&server->log), TRIED));
	assert_null(strstr(strbuf_text(&server->log), "probe-"));
	nothing_is_left();
	assert_int_equal(probe_recall(m, HOME, &recorded, &err), 0);
	assert_int_equal(recorded.probed_ns, 0);
	assert_string_equal(strbuf_text(&said), "");
}

static void a_trial_without_an_answer_says_why(void **state)
{
	(void)state;
	server->dead_from = 1;
	assert_int_equal(try(), 1);
	assert_int_equal(err.kind, ERROR_NETWORK);
}

static void a_trial_that_leaves_something_says_so(void **state)
{
	(void)state;
	server->dead_from = 3; /* when there is an object */
	assert_int_equal(try(), -1);
	assert_int_equal(err.kind, ERROR_NETWORK);
	assert_int_equal(server_count(server), 1);
}

static void a_trial_that_is_late_is_given_up(void **state)
{
	(void)state;
	request.until_ns = 1;
	assert_int_equal(try(), 0);
	assert_int_equal(known.verdicts[CAPABILITY_COMPLETE][CAPABILITY_NEW],
	    CAPABILITY_UNKNOWN);
	assert_true(server->requests < REQUESTS / 2);
	nothing_is_left();
}

static void what_a_cycle_recorded_is_recalled(void **state)
{
	struct capability recorded = { .probed_ns = 0 };

	(void)state;
	run(0);
	assert_int_equal(probe_recall(m, HOME, &recorded, &err), 0);
	assert_memory_equal(recorded.verdicts, known.verdicts,
	    sizeof(known.verdicts));
	assert_int_equal(probe_recall(m, "another/bucket", &recorded, &err),
	    0);
	assert_int_equal(recorded.probed_ns, 0);
}

static void payloads_are_signed_where_they_must_be(void **state)
{
	(void)state;
	server->signs = true;
	run(0);
	nothing_is_left();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define PROBE(name) cmocka_unit_test_setup_teardown(name, begin, end)
		PROBE(eighteen_requests_tell_what_is_honoured),
		PROBE(each_verdict_is_found_by_itself),
		PROBE(a_body_is_checked_where_another_one_is_refused),
		PROBE(a_server_that_ignores_all_is_found_out),
		PROBE(the_warning_names_what_is_not_honoured),
		PROBE(what_cannot_be_deleted_again_is_not_made),
		PROBE(what_may_not_be_put_is_known_after_one_try),
		PROBE(what_cannot_be_tried_stays_unknown),
		PROBE(where_nothing_can_be_put_all_stays_unknown),
		PROBE(a_cycle_that_writes_nothing_asks_nothing),
		PROBE(without_leave_nothing_is_asked_and_all_is_trusted),
		PROBE(one_probe_is_enough),
		PROBE(another_bucket_has_a_probe_of_its_own),
		PROBE(an_old_record_is_renewed),
		PROBE(a_doubted_record_is_renewed),
		PROBE(a_lost_answer_leaves_nothing_behind),
		PROBE(what_a_killed_probe_left_is_removed_by_the_next),
		PROBE(while_something_is_left_no_probe_begins),
		PROBE(only_a_probes_own_keys_are_removed),
		PROBE(what_cannot_be_removed_is_told_and_tried_again),
		PROBE(who_is_stopped_cleans_up),
		PROBE(refused_credentials_end_the_cycle),
		PROBE(who_only_wants_to_know_records_nothing),
		PROBE(a_trial_without_an_answer_says_why),
		PROBE(a_trial_that_leaves_something_says_so),
		PROBE(a_trial_that_is_late_is_given_up),
		PROBE(what_a_cycle_recorded_is_recalled),
		PROBE(payloads_are_signed_where_they_must_be),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	strbuf_release(&said);
	return failed;
}
