/* SPDX-License-Identifier: MIT */
/* Where a condition does not protect, the key is looked for first. */
#include "sync/bucket_careful.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "server_fixture.h"

#define KEY "k"

static struct server *server;
static struct bucket *bucket; /* the careful one */
static struct capability known;
static int ended;
static enum s3_outcome outcome;
static struct error error;

static int set_up(void **state)
{
	(void)state;
	known = (struct capability){ .probed_ns = 1 };
	server = server_new();
	bucket = bucket_careful_new(&server->base, &known);
	ended = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	bucket->ops->free(bucket);
	return 0;
}

static void done(void *arg, const struct s3_result *result)
{
	assert_ptr_equal(arg, &known);
	ended++;
	outcome = result->outcome;
	error = result->error;
}

static ssize_t read_one(void *arg, int64_t offset, void *buf, size_t len,
    struct error *err)
{
	(void)err;
	assert_ptr_equal(arg, &known);
	assert_true(offset == 0 && len > 0);
	*(char *)buf = 'x';
	return 1;
}

/* Each kind of write of KEY, under a condition or none. */
static void submit(enum capability_write write, const struct etag *if_match,
    bool if_none_match)
{
	const struct s3_put put = {
		.key = KEY, .key_len = 1, .size = 1, .if_match = if_match,
		.if_none_match = if_none_match, .read = read_one,
		.done = done, .arg = &known,
	};
	const struct s3_multipart_complete complete = {
		.key = KEY, .key_len = 1, .upload_id = SERVER_UPLOAD,
		.if_match = if_match, .if_none_match = if_none_match,
		.done = done, .arg = &known,
	};
	const struct s3_copy copy = {
		.from = "from", .from_len = 4, .key = KEY, .key_len = 1,
		.if_match = if_match, .if_none_match = if_none_match,
		.done = done, .arg = &known,
	};
	const struct s3_delete delete = {
		.key = KEY, .key_len = 1, .if_match = if_match,
		.done = done, .arg = &known,
	};

	switch (write) {
	case CAPABILITY_PUT:
		bucket->ops->put(bucket, &put);
		break;
	case CAPABILITY_COMPLETE:
		bucket->ops->complete(bucket, &complete);
		break;
	case CAPABILITY_COPY:
		bucket->ops->copy(bucket, &copy);
		break;
	case CAPABILITY_DELETE:
		bucket->ops->delete(bucket, &delete);
		break;
	case CAPABILITY_WRITES:
		break;
	}
}

static enum s3_outcome write_as(enum capability_write write,
    const struct etag *if_match, bool if_none_match)
{
	struct error err = ERROR_INIT;

	ended = 0;
	strbuf_clear(&server->log);
	server->upload = true;
	server_write(server, "from", 4);
	submit(write, if_match, if_none_match);
	for (int i = 0; i < 2000 && ended == 0; i++)
		assert_int_equal(bucket->ops->wait(bucket, 0, &err), 0);
	assert_int_equal(ended, 1);
	return outcome;
}

static enum s3_outcome put_new(void)
{
	return write_as(CAPABILITY_PUT, NULL, true);
}

static void asked(const char *log)
{
	assert_string_equal(strbuf_text(&server->log), log);
}

/* What is known, and what the server does. */
static void is(enum capability_write write,
    enum capability_condition condition, enum capability_verdict verdict)
{
	known.verdicts[write][condition] = verdict;
	server->verdicts[write][condition] = verdict;
}

static const char *const names[CAPABILITY_WRITES] = {
	[CAPABILITY_PUT] = "PUT", [CAPABILITY_COMPLETE] = "COMPLETE",
	[CAPABILITY_COPY] = "COPY", [CAPABILITY_DELETE] = "DELETE",
};

static void asked_for(const char *before, enum capability_write write,
    const char *condition)
{
	char log[100];

	snprintf(log, sizeof(log), "%s%s%s " KEY "\n", before, names[write],
	    condition);
	asked(log);
}

static void a_condition_that_is_honoured_goes_alone(void **state)
{
	(void)state;
	is(CAPABILITY_PUT, CAPABILITY_NEW, CAPABILITY_HONOURED);
	assert_int_equal(put_new(), S3_DONE);
	asked("PUT new k\n");
	assert_int_equal(put_new(), S3_EXISTS);
	asked("PUT new k\n");
}

static void where_it_is_ignored_the_key_is_looked_for(void **state)
{
	(void)state;
	for (int w = 0; w < CAPABILITY_DELETE; w++) {
		is(w, CAPABILITY_NEW, CAPABILITY_IGNORED);
		assert_int_equal(write_as(w, NULL, true), S3_DONE);
		asked_for("LIST k\n", w, " new");
		assert_int_equal(write_as(w, NULL, true), S3_EXISTS);
		asked("LIST k\n");
		assert_int_equal(error.kind, ERROR_EXISTS);
		server_find(server, KEY, 1)->key[0] = '\0';
	}
}

static void where_it_is_rejected_the_write_goes_without_it(void **state)
{
	(void)state;
	for (int w = 0; w < CAPABILITY_DELETE; w++) {
		is(w, CAPABILITY_NEW, CAPABILITY_REJECTED);
		assert_int_equal(write_as(w, NULL, true), S3_DONE);
		asked_for("LIST k\n", w, "");
		assert_int_equal(write_as(w, NULL, true), S3_EXISTS);
		asked("LIST k\n");
		server_find(server, KEY, 1)->key[0] = '\0';
	}
}

static void an_object_is_replaced_only_if_it_is_the_same(void **state)
{
	static const enum capability_verdict verdicts[] = {
		CAPABILITY_IGNORED, CAPABILITY_REJECTED };
	static const struct etag other = {
		.bytes = (const unsigned char *)"other", .len = 5 };

	(void)state;
	for (int i = 0; i < 2 * CAPABILITY_WRITES; i++) {
		enum capability_write w = (enum capability_write)(i / 2);
		struct server_object *o = server_write(server, KEY, 1);
		char etag_text[16];
		struct etag etag;

		is(w, CAPABILITY_SAME, verdicts[i % 2]);
		assert_int_equal(write_as(w, &other, false), S3_CHANGED);
		asked("LIST k\n");
		snprintf(etag_text, sizeof(etag_text), "%s", o->etag);
		etag = (struct etag){ (const unsigned char *)etag_text,
			(uint16_t)strlen(etag_text), false };
		assert_int_equal(write_as(w, &etag, false), S3_DONE);
		asked_for("LIST k\n", w, i % 2 == 0 ? " same" : "");
		o = server_find(server, KEY, 1);
		if (o != NULL)
			o->key[0] = '\0';
		assert_int_equal(write_as(w, &etag, false), S3_ABSENT);
		asked("LIST k\n");
	}
}

static void a_key_that_only_begins_like_it_is_not_in_the_way(void **state)
{
	(void)state;
	is(CAPABILITY_PUT, CAPABILITY_NEW, CAPABILITY_IGNORED);
	server_write(server, "k.txt", 5);
	server_write(server, "k/a", 3);
	assert_int_equal(put_new(), S3_DONE);
	asked("LIST k\nPUT new k\n");
	assert_int_equal(put_new(), S3_EXISTS);
}

static void what_is_unknown_is_trusted_only_if_so_told(void **state)
{
	(void)state;
	assert_int_equal(put_new(), S3_DONE);
	asked("LIST k\nPUT new k\n");
	known.trusting = true;
	assert_int_equal(put_new(), S3_EXISTS);
	asked("PUT new k\n");
}

static void a_rejection_is_learned_and_the_write_done_after_a_look(void **state)
{
	(void)state;
	is(CAPABILITY_PUT, CAPABILITY_NEW, CAPABILITY_REJECTED);
	known.verdicts[CAPABILITY_PUT][CAPABILITY_NEW] = CAPABILITY_HONOURED;
	assert_int_equal(put_new(), S3_DONE);
	asked("PUT new k\nLIST k\nPUT k\n");
	assert_true(known.doubted);
	assert_int_equal(put_new(), S3_EXISTS);
	asked("LIST k\n");
}

/* What the server has not may be another header. */
static void a_rejection_for_another_reason_is_not_learned(void **state)
{
	(void)state;
	is(CAPABILITY_PUT, CAPABILITY_NEW, CAPABILITY_REJECTED);
	known.verdicts[CAPABILITY_PUT][CAPABILITY_NEW] = CAPABILITY_HONOURED;
	server->wants_none = true;
	assert_int_equal(put_new(), S3_FAILED);
	asked("PUT new k\nLIST k\nPUT k\n");
	assert_true(
	    capability_protects(&known, CAPABILITY_PUT, CAPABILITY_NEW));
	assert_false(known.doubted);
}

static void a_rejection_does_not_replace_what_is_there(void **state)
{
	(void)state;
	is(CAPABILITY_PUT, CAPABILITY_NEW, CAPABILITY_REJECTED);
	known.verdicts[CAPABILITY_PUT][CAPABILITY_NEW] = CAPABILITY_HONOURED;
	server_write(server, KEY, 1);
	assert_int_equal(put_new(), S3_EXISTS);
	asked("PUT new k\nLIST k\n");
}

static void write_after_the_look(struct server *s)
{
	server_write(s, KEY, 1);
}

/* The look came before; now the condition is ignored no more. */
static void look_again(struct server *s)
{
	s->before = write_after_the_look;
}

static void a_condition_that_works_after_all_raises_doubt(void **state)
{
	(void)state;
	is(CAPABILITY_PUT, CAPABILITY_NEW, CAPABILITY_IGNORED);
	server->verdicts[CAPABILITY_PUT][CAPABILITY_NEW] = CAPABILITY_HONOURED;
	server->before = look_again;
	assert_int_equal(put_new(), S3_EXISTS);
	asked("LIST k\nPUT new k\n");
	assert_true(known.doubted);
}

static void without_a_look_nothing_is_written(void **state)
{
	(void)state;
	is(CAPABILITY_PUT, CAPABILITY_NEW, CAPABILITY_IGNORED);
	server->fails_at = 1;
	assert_int_equal(put_new(), S3_FAILED);
	asked("LIST k\n");
	assert_int_equal(error.kind, ERROR_NETWORK);
	assert_non_null(strstr(error.text, "before the write"));
	server->denies[S3_KIND_LIST] = true;
	assert_int_equal(put_new(), S3_DENIED);
	asked("LIST k\n");
}

static void empty_pages_are_no_answer(void **state)
{
	(void)state;
	is(CAPABILITY_PUT, CAPABILITY_NEW, CAPABILITY_IGNORED);
	server_write(server, KEY, 1);
	server->empty_pages = 2;
	assert_int_equal(put_new(), S3_EXISTS);
	asked("LIST k\nLIST k\nLIST k\n");
	server->empty_pages = 1500;
	assert_int_equal(put_new(), S3_FAILED);
}

static void what_was_not_asked_for_is_no_answer(void **state)
{
	(void)state;
	is(CAPABILITY_PUT, CAPABILITY_NEW, CAPABILITY_IGNORED);
	server_write(server, "a", 1);
	server->lists_all = true;
	assert_int_equal(put_new(), S3_FAILED);
	asked("LIST k\n");
	assert_non_null(strstr(error.text, "lists something else"));
}

/* The MD5 comes with parts where nobody looks at their SHA-256, and takes its
 * place where that need not be signed. */
static void parts_are_checked_with_what_the_server_looks_at(void **state)
{
	static const struct {
		enum capability_verdict verdict;
		bool signs;
		enum s3_digests wanted, digests;
	} cases[] = {
		{ CAPABILITY_HONOURED, true, S3_DIGESTS_SHA256,
		    S3_DIGESTS_SHA256 },
		{ CAPABILITY_IGNORED, true, S3_DIGESTS_SHA256,
		    S3_DIGESTS_BOTH },
		{ CAPABILITY_UNKNOWN, true, S3_DIGESTS_SHA256,
		    S3_DIGESTS_BOTH },
		{ CAPABILITY_HONOURED, false, S3_DIGESTS_SHA256,
		    S3_DIGESTS_SHA256 },
		{ CAPABILITY_IGNORED, false, S3_DIGESTS_SHA256,
		    S3_DIGESTS_MD5 },
		{ CAPABILITY_IGNORED, false, S3_DIGESTS_MD5, S3_DIGESTS_MD5 },
		{ CAPABILITY_IGNORED, false, S3_DIGESTS_NONE,
		    S3_DIGESTS_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		is(CAPABILITY_PUT, CAPABILITY_BODY, cases[i].verdict);
		server->signs = cases[i].signs;
		server->part_digests = cases[i].wanted;
		assert_int_equal(bucket->ops->part_digests(bucket),
		    cases[i].digests);
	}
}

static void writes_without_a_condition_are_not_held_up(void **state)
{
	(void)state;
	for (int w = 0; w < CAPABILITY_WRITES; w++) {
		assert_int_equal(write_as(w, NULL, false), S3_DONE);
		asked_for("", w, "");
	}
}

static void all_ends_when_it_is_told_to(void **state)
{
	(void)state;
	submit(CAPABILITY_PUT, NULL, true);
	bucket->ops->abort_all(bucket);
	assert_int_equal(ended, 1);
	assert_int_equal(outcome, S3_ABORTED);
	submit(CAPABILITY_DELETE, NULL, false);
	submit(CAPABILITY_PUT, NULL, true);
	/* and what is left ends with the bucket: see tear_down */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(a_condition_that_is_honoured_goes_alone),
		TEST(where_it_is_ignored_the_key_is_looked_for),
		TEST(where_it_is_rejected_the_write_goes_without_it),
		TEST(an_object_is_replaced_only_if_it_is_the_same),
		TEST(a_key_that_only_begins_like_it_is_not_in_the_way),
		TEST(what_is_unknown_is_trusted_only_if_so_told),
		TEST(a_rejection_is_learned_and_the_write_done_after_a_look),
		TEST(a_rejection_for_another_reason_is_not_learned),
		TEST(a_rejection_does_not_replace_what_is_there),
		TEST(a_condition_that_works_after_all_raises_doubt),
		TEST(without_a_look_nothing_is_written),
		TEST(empty_pages_are_no_answer),
		TEST(what_was_not_asked_for_is_no_answer),
		TEST(parts_are_checked_with_what_the_server_looks_at),
		TEST(writes_without_a_condition_are_not_held_up),
		TEST(all_ends_when_it_is_told_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
