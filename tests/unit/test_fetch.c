/* SPDX-License-Identifier: MIT */
/* One exchange is waited for: as long as it takes, and no longer. */
#include "s3/fetch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "reply_fixture.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"
#define BUSY "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nwait"
#define MISSING "HTTP/1.1 404 None\r\nContent-Length: 0\r\n\r\n"
#define TORN "HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\nbody"

static struct fetch_request request_to(const struct replies *r)
{
	return (struct fetch_request){ .method = "GET", .url = r->url,
		.timeout_ns = 5 * CLOCK_SECOND, .attempts = 1 };
}

static void a_reply_comes_whole(void **state)
{
	static const char *const texts[] = { OK, NULL };
	struct error err = ERROR_INIT;
	struct fetch_reply reply;
	struct fetch_request request;
	struct replies r;

	(void)state;
	replies_start(&r, texts);
	request = request_to(&r);
	request.method = "POST";
	request.body = "a=b";
	request.headers[0] = "X-One: two";
	assert_int_equal(fetch_run(&request, &reply, &err), 0);
	assert_int_equal(reply.status, 200);
	assert_true(reply.connected);
	assert_string_equal(strbuf_text(&reply.body), "body");
	assert_int_equal(strncmp(r.request, "POST / HTTP/1.1\r\n", 17), 0);
	assert_non_null(strstr(r.request, "\r\nX-One: two\r\n"));
	assert_null(strcasestr(r.request, "expect"));
	assert_non_null(strstr(r.request, "\r\n\r\na=b"));
	fetch_release(&reply);
	assert_string_equal(strbuf_text(&reply.body), "");
	replies_stop(&r);
}

static void what_is_no_answer_is_asked_for_again(void **state)
{
	static const char *const texts[] = { BUSY, TORN, OK, NULL };
	static const char *const busy[] = { BUSY, NULL };
	static const char *const missing[] = { MISSING, NULL };
	struct error err = ERROR_INIT;
	struct fetch_reply reply;
	struct fetch_request request;
	struct replies r;

	(void)state;
	replies_start(&r, texts);
	request = request_to(&r);
	request.attempts = 3;
	assert_int_equal(fetch_run(&request, &reply, &err), 0);
	assert_int_equal(reply.status, 200);
	assert_string_equal(strbuf_text(&reply.body), "body");
	assert_int_equal(r.count, 3);
	fetch_release(&reply);
	replies_stop(&r);

	replies_start(&r, busy); /* the last one is the answer then */
	request = request_to(&r);
	request.attempts = 2;
	assert_int_equal(fetch_run(&request, &reply, &err), 0);
	assert_int_equal(reply.status, 503);
	assert_int_equal(r.count, 2);
	fetch_release(&reply);
	replies_stop(&r);

	replies_start(&r, missing);
	request = request_to(&r);
	request.attempts = 3;
	assert_int_equal(fetch_run(&request, &reply, &err), 0);
	assert_int_equal(reply.status, 404);
	assert_int_equal(r.count, 1);
	fetch_release(&reply);
	replies_stop(&r);
}

static void silence_is_not_waited_for(void **state)
{
	static const char *const texts[] = { REPLY_SILENT, NULL };
	int64_t began = clock_mono_ns();
	struct error err = ERROR_INIT;
	struct fetch_reply reply;
	struct fetch_request request;
	struct replies r;

	(void)state;
	replies_start(&r, texts);
	request = request_to(&r);
	request.timeout_ns = 200 * CLOCK_MS;
	request.attempts = 2;
	assert_int_equal(fetch_run(&request, &reply, &err), -1);
	assert_int_equal(err.kind, ERROR_NETWORK);
	assert_non_null(strstr(err.text, "did not answer within 200 ms"));
	assert_int_equal(reply.status, 0);
	assert_true(reply.connected); /* but somebody is there */
	assert_int_equal(r.count, 2);
	assert_true(clock_mono_ns() - began < 5 * CLOCK_SECOND);
	fetch_release(&reply);
	replies_stop(&r);
}

static void nobody_there_is_told_apart(void **state)
{
	static const char *const texts[] = { OK, NULL };
	struct error err = ERROR_INIT;
	struct fetch_reply reply;
	struct fetch_request request;
	struct replies r;

	(void)state;
	replies_start(&r, texts);
	replies_stop(&r);
	request = request_to(&r);
	assert_int_equal(fetch_run(&request, &reply, &err), -1);
	assert_int_equal(err.kind, ERROR_NETWORK);
	assert_non_null(strstr(err.text, "cannot connect to 127.0.0.1:"));
	assert_false(reply.connected);
	fetch_release(&reply);
}

static void too_much_is_refused(void **state)
{
	size_t len = 300000;
	char *text = alloc_bytes(len + 100);
	const char *texts[] = { text, NULL };
	struct error err = ERROR_INIT;
	struct fetch_reply reply;
	struct fetch_request request;
	struct replies r;
	int head = snprintf(text, 100,
	    "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", len);

	(void)state;
	memset(text + head, 'x', len);
	text[(size_t)head + len] = '\0';
	replies_start(&r, texts);
	request = request_to(&r);
	assert_int_equal(fetch_run(&request, &reply, &err), -1);
	assert_non_null(strstr(err.text, "is larger than 256 KiB"));
	fetch_release(&reply);
	replies_stop(&r);
	free(text);
}

static bool say_stop(void *arg)
{
	return ++*(int *)arg > 2;
}

static void it_stops_when_it_is_told(void **state)
{
	static const char *const texts[] = { REPLY_SILENT, NULL };
	int64_t began = clock_mono_ns();
	struct error err = ERROR_INIT;
	struct fetch_reply reply;
	struct fetch_request request;
	struct replies r;
	int asked = 0;

	(void)state;
	replies_start(&r, texts);
	request = request_to(&r);
	request.timeout_ns = 3600 * CLOCK_SECOND;
	request.stopped = say_stop;
	request.arg = &asked;
	assert_int_equal(fetch_run(&request, &reply, &err), -1);
	assert_int_equal(err.kind, ERROR_STOPPED);
	assert_true(clock_mono_ns() - began < 5 * CLOCK_SECOND);
	fetch_release(&reply);
	replies_stop(&r);
}

static void a_proxy_is_used_where_the_environment_counts(void **state)
{
	static const char *const texts[] = { OK, NULL };
	struct env *env = env_new();
	struct error err = ERROR_INIT;
	struct fetch_reply reply;
	struct fetch_request request;
	struct replies r;

	(void)state;
	setenv("http_proxy", "http://127.0.0.1:9", 1);
	replies_start(&r, texts);
	request = request_to(&r);
	request.env = env;
	assert_int_equal(fetch_run(&request, &reply, &err), -1);
	assert_non_null(strstr(err.text, "the proxy 127.0.0.1:9 cannot be "
	    "reached (Failed to connect"));
	assert_non_null(strstr(err.text, "correct http_proxy, or name "));
	fetch_release(&reply);
	request.env = NULL;
	assert_int_equal(fetch_run(&request, &reply, &err), 0);
	fetch_release(&reply);
	replies_stop(&r);
	unsetenv("http_proxy");
	env_free(env);
}

static void a_host_is_what_its_header_says(void **state)
{
	static const struct {
		const char *url, *host; /* NULL: none */
	} rows[] = {
		{ "http://a.example", "a.example" },
		{ "http://a.example:80/x", "a.example" },
		{ "http://a.example:81/x", "a.example:81" },
		{ "https://a.example:443", "a.example" },
		{ "https://a.example:80", "a.example:80" },
		{ "http://[fd00:ec2::254]/x", "[fd00:ec2::254]" },
		{ "http://", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *host = fetch_host(rows[i].url);

		if (rows[i].host)
			assert_string_equal(host, rows[i].host);
		else
			assert_null(host);
		free(host);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reply_comes_whole),
		cmocka_unit_test(what_is_no_answer_is_asked_for_again),
		cmocka_unit_test(silence_is_not_waited_for),
		cmocka_unit_test(nobody_there_is_told_apart),
		cmocka_unit_test(too_much_is_refused),
		cmocka_unit_test(it_stops_when_it_is_told),
		cmocka_unit_test(a_proxy_is_used_where_the_environment_counts),
		cmocka_unit_test(a_host_is_what_its_header_says),
	};

	unsetenv("http_proxy");
	unsetenv("no_proxy");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
