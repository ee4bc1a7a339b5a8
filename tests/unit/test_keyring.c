/* SPDX-License-Identifier: MIT */
/* Credentials are renewed in time, and when they are refused; and it ends. */
#include "s3/keyring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "aws_fixture.h"
#include "base/clock.h"

#define MINUTE (60 * CLOCK_SECOND)
#define PATIENCE_NS (10 * CLOCK_SECOND)

/* Rung by the keyring's thread. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t bell = PTHREAD_COND_INITIALIZER;
static int rings;

static void ring(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&lock);
	rings++;
	pthread_cond_signal(&bell);
	pthread_mutex_unlock(&lock);
}

static void wait_for_ring(void)
{
	int64_t until_ns = clock_wall_ns() + PATIENCE_NS;
	struct timespec until = { .tv_sec = (time_t)(until_ns / CLOCK_SECOND) };
	int rc = 0;

	pthread_mutex_lock(&lock);
	while (rings == 0 && rc == 0)
		rc = pthread_cond_timedwait(&bell, &lock, &until);
	rings = 0;
	pthread_mutex_unlock(&lock);
	assert_int_equal(rc, 0);
}

static struct keyring *open_keyring(void)
{
	const struct s3_credentials_request request = { .env = env,
		.timeout_ns = PATIENCE_NS };
	struct error err = ERROR_INIT;
	struct keyring *k;

	rings = 0;
	if (keyring_open(&k, &request, &err))
		fail_msg("%s", err.text);
	keyring_watch(k, ring, NULL);
	return k;
}

static void put_keys(const char *id)
{
	char text[256];

	snprintf(text, sizeof(text), "[default]\naws_access_key_id = %s\n"
	    "aws_secret_access_key = hush\n", id);
	aws_put(credentials_path, text);
}

static void check_keys(struct keyring *k, const char *id, unsigned number)
{
	struct s3_credentials c;

	assert_int_equal(keyring_get(k, &c), number);
	assert_int_equal(keyring_number(k), number);
	assert_string_equal(c.access_key, id);
	s3_credentials_release(&c);
}

static enum keyring_answer refuse(struct keyring *k, unsigned number,
    struct error *err)
{
	enum keyring_answer answer;

	error_clear(err);
	keyring_refuse(k, number);
	while ((answer = keyring_answer(k, number, err)) == KEYRING_LOOKING)
		wait_for_ring();
	return answer;
}

static void what_is_not_there_is_an_error_at_once(void **state)
{
	const struct s3_credentials_request request = { .env = env,
		.timeout_ns = PATIENCE_NS };
	struct error err = ERROR_INIT;
	struct keyring *k;

	(void)state;
	aws_clear();
	assert_int_equal(keyring_open(&k, &request, &err), -1);
	assert_int_equal(err.kind, ERROR_CREDENTIALS);
	assert_null(k);
	keyring_close(NULL);
}

static void refused_keys_give_way_to_others(void **state)
{
	struct error err = ERROR_INIT;
	struct keyring *k;

	(void)state;
	aws_clear();
	put_keys("one");
	k = open_keyring();
	check_keys(k, "one", 1);
	assert_int_equal(refuse(k, 1, &err), KEYRING_SAME);
	check_keys(k, "one", 1);
	put_keys("two");
	assert_int_equal(refuse(k, 1, &err), KEYRING_CHANGED);
	check_keys(k, "two", 2);
	/* Of those of old nothing more is to be learned. */
	assert_int_equal(refuse(k, 1, &err), KEYRING_CHANGED);
	check_keys(k, "two", 2);
	aws_put(credentials_path, "[default]\naws_access_key_id = three\n");
	assert_int_equal(refuse(k, 2, &err), KEYRING_FAILED);
	assert_non_null(strstr(err.text, "aws_secret_access_key"));
	check_keys(k, "two", 2);
	put_keys("three");
	assert_int_equal(refuse(k, 2, &err), KEYRING_CHANGED);
	check_keys(k, "three", 3);
	keyring_close(k);
}

/* A program that counts its calls, and gives keys for so many seconds. */
static void put_process(int seconds)
{
	char text[1024];

	snprintf(text, sizeof(text), "[default]\ncredential_process = sh -c '"
	    "echo >>%s/calls; printf \"{\\\"Version\\\":1,\\\"AccessKeyId\\\":"
	    "\\\"%%s\\\",\\\"SecretAccessKey\\\":\\\"hush\\\","
	    "\\\"Expiration\\\":\\\"%%s\\\"}\" $(wc -l <%s/calls) "
	    "$(date -u -d \"%d seconds\" +%%FT%%TZ)'\n", aws_dir, aws_dir,
	    seconds);
	aws_put(config_path, text);
}

static void remove_calls(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/calls", aws_dir);
	unlink(path);
}

static void others_are_found_before_they_expire(void **state)
{
	struct s3_credentials c;
	struct keyring *k;

	(void)state;
	aws_clear();
	put_process(4);
	k = open_keyring();
	check_keys(k, "1", 1);
	wait_for_ring();
	assert_int_equal(keyring_get(k, &c), 2);
	assert_string_equal(c.access_key, "2");
	assert_true(c.expires_ns > clock_wall_ns());
	s3_credentials_release(&c);
	keyring_close(k);
	remove_calls();
}

static void it_is_closed_while_it_looks(void **state)
{
	int64_t began;
	struct keyring *k;

	(void)state;
	aws_clear();
	put_keys("one");
	k = open_keyring();
	unlink(credentials_path);
	aws_put(config_path, "[default]\ncredential_process = sleep 1000\n");
	keyring_refuse(k, 1);
	began = clock_mono_ns();
	keyring_close(k);
	assert_true(clock_mono_ns() - began < 5 * CLOCK_SECOND);
}

static void it_is_time_15_minutes_before_or_at_half(void **state)
{
	const int64_t now = 1000000 * CLOCK_SECOND;

	(void)state;
	assert_int_equal(keyring_due_ns(now, 0), INT64_MAX);
	assert_int_equal(keyring_due_ns(now, now + 60 * MINUTE),
	    now + 45 * MINUTE);
	assert_int_equal(keyring_due_ns(now, now + 720 * MINUTE),
	    now + 705 * MINUTE);
	assert_int_equal(keyring_due_ns(now, now + 30 * MINUTE),
	    now + 15 * MINUTE);
	assert_int_equal(keyring_due_ns(now, now + 20 * MINUTE),
	    now + 10 * MINUTE);
	assert_int_equal(keyring_due_ns(now, now + 4 * CLOCK_SECOND),
	    now + 2 * CLOCK_SECOND);
	assert_int_equal(keyring_due_ns(now, now + CLOCK_SECOND),
	    now + CLOCK_SECOND);
	/* By a clock that is two hours ahead. */
	assert_int_equal(keyring_due_ns(now, now - 60 * MINUTE), now + MINUTE);

	assert_int_equal(keyring_again_ns(now, 0), INT64_MAX);
	assert_int_equal(keyring_again_ns(now, now + 15 * MINUTE),
	    now + MINUTE);
	assert_int_equal(keyring_again_ns(now, now + 2 * MINUTE),
	    now + MINUTE / 2);
	assert_int_equal(keyring_again_ns(now, now + CLOCK_SECOND),
	    now + CLOCK_SECOND);
	assert_int_equal(keyring_again_ns(now, now - MINUTE), now + MINUTE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_there_is_an_error_at_once),
		cmocka_unit_test(refused_keys_give_way_to_others),
		cmocka_unit_test(others_are_found_before_they_expire),
		cmocka_unit_test(it_is_closed_while_it_looks),
		cmocka_unit_test(it_is_time_15_minutes_before_or_at_half),
	};

	return cmocka_run_group_tests(tests, aws_set_up, aws_tear_down);
}
