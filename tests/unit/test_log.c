/* SPDX-License-Identifier: MIT */
/* One event is one line, in each target and format. */
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/strbuf.h"

#define TIME "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}[+-][0-9]{4} "

static const char four_lines[] =
    "S3 bidirectional sync initialized for extracted <-> "
    "s3://contentextract/extract/\n"
    "Downloaded from S3: download/page_0001/image_v5.png\n"
    "Uploaded to S3: download/page_0001/été ⬇️ 😀.png\n"
    "S3 sync completed: ⬇️  5 downloaded, ⬆️  3 uploaded\n";

static void log_the_four_lines(void)
{
	log_info("S3 bidirectional sync initialized for %s <-> %s", "extracted",
	    "s3://contentextract/extract/");
	log_event(LOG_LEVEL_INFO, "extracted", "downloaded",
	    "download/page_0001/image_v5.png", "Downloaded from S3: %s",
	    "download/page_0001/image_v5.png");
	log_event(LOG_LEVEL_INFO, "extracted", "uploaded",
	    "download/page_0001/été ⬇️ 😀.png", "Uploaded to S3: %s",
	    "download/page_0001/été ⬇️ 😀.png");
	log_info(
	    "S3 sync completed: ⬇️  %d downloaded, ⬆️  %d uploaded", 5,
	    3);
}

/* ---- what the sink sees ---------------------------------------------------
 */

static struct strbuf captured = STRBUF_INIT(1000000);

static void keep(enum log_level level, const char *line, void *arg)
{
	strbuf_addf(arg, "%d %s\n", (int)level, line);
}

static void open_log(const char *path, enum log_format format,
    enum log_level level)
{
	struct error err = ERROR_INIT;

	if (log_open(path, format, level, &err) < 0)
		fail_msg("%s", err.text);
}

static void capture(enum log_format format, enum log_level level)
{
	open_log(NULL, format, level);
	strbuf_clear(&captured);
	log_capture(keep, &captured);
}

static int end_test(void **state)
{
	(void)state;
	log_capture(NULL, NULL);
	log_close();
	strbuf_release(&captured);
	return 0;
}

static void only_wanted_levels_are_logged(void **state)
{
	static const char *const expected[] = {
		[LOG_LEVEL_ERROR] = "0 e\n",
		[LOG_LEVEL_WARNING] = "0 e\n1 w\n",
		[LOG_LEVEL_INFO] = "0 e\n1 w\n2 i\n",
		[LOG_LEVEL_DEBUG] = "0 e\n1 w\n2 i\n3 d\n",
	};
	int level;

	(void)state;
	for (level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
		capture(LOG_FORMAT_TEXT, (enum log_level)level);
		log_error("e");
		log_warning("w");
		log_info("i");
		log_debug("d");
		assert_string_equal(strbuf_text(&captured), expected[level]);
		assert_true(log_wants((enum log_level)level));
		assert_int_equal(log_wants(LOG_LEVEL_DEBUG),
		    level == LOG_LEVEL_DEBUG);
	}
}

static void levels_have_names(void **state)
{
	(void)state;
	assert_int_equal(log_level_parse("error"), LOG_LEVEL_ERROR);
	assert_int_equal(log_level_parse("warning"), LOG_LEVEL_WARNING);
	assert_int_equal(log_level_parse("info"), LOG_LEVEL_INFO);
	assert_int_equal(log_level_parse("debug"), LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_parse("INFO"), -1);
	assert_int_equal(log_level_parse("trace"), -1);
	assert_int_equal(log_level_parse(""), -1);
}

static void control_characters_do_not_break_the_line(void **state)
{
	(void)state;
	capture(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	log_info("Uploaded to S3: %s", "a\nDownloaded from S3: b\x1b[2J\x7f");
	log_info("%s", "caf\xe9 \xc2\x9b");
	assert_string_equal(strbuf_text(&captured),
	    "2 Uploaded to S3: a\\x0aDownloaded from S3: b\\x1b[2J\\x7f\n"
	    "2 caf\\xe9 \\xc2\\x9b\n");
}

static void a_very_long_message_is_still_one_line(void **state)
{
	char text[100001];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(text) - 1; i++)
		text[i] = i % 2 ? '\n' : '\x01';
	text[i] = '\0';
	capture(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	log_info("%s", text);
	assert_in_range(captured.len, 10000, 200000);
	assert_ptr_equal(strchr(captured.buf, '\n'),
	    captured.buf + captured.len - 1);
	capture(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
	log_info("%s", text);
	json_decref(json_loads(captured.buf + 2, 0, NULL));
	assert_string_equal(captured.buf + captured.len - 3, "\"}\n");
}

static json_t *logged_json(void)
{
	json_t *object = json_loads(captured.buf + 2, 0, NULL);

	assert_non_null(object);
	strbuf_clear(&captured);
	return object;
}

static void assert_member(json_t *object, const char *name, const char *text)
{
	assert_string_equal(json_string_value(json_object_get(object, name)),
	    text);
}

static void json_lines_have_the_parts_of_the_event(void **state)
{
	json_t *object;

	(void)state;
	capture(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
	log_event(LOG_LEVEL_WARNING, "extracted", "downloaded", "a\nb é",
	    "Downloaded from S3: %s", "a\nb é");
	object = logged_json();
	assert_int_equal(json_object_size(object), 6);
	assert_member(object, "level", "warning");
	assert_member(object, "pair", "extracted");
	assert_member(object, "event", "downloaded");
	assert_member(object, "key", "a\nb é");
	assert_member(object, "message", "Downloaded from S3: a\nb é");
	assert_int_equal(
	    strlen(json_string_value(json_object_get(object, "time"))),
	    strlen("2026-11-22T16:38:01.123Z"));
	json_decref(object);
}

static void json_lines_leave_out_what_an_event_lacks(void **state)
{
	json_t *object;

	(void)state;
	capture(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
	log_info("plain");
	object = logged_json();
	assert_int_equal(json_object_size(object), 3);
	assert_member(object, "level", "info");
	assert_member(object, "message", "plain");
	json_decref(object);
	log_event(LOG_LEVEL_INFO, NULL, NULL, "caf\xe9", "x");
	object = logged_json();
	assert_member(object, "key_base64", "Y2Fm6Q==");
	json_decref(object);
}

/* ---- what files and standard error receive --------------------------------
 */

struct place {
	char directory[32];
	char log[64];
	int saved_stderr;
};

static int enter_place(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	snprintf(p->directory, sizeof(p->directory), "/tmp/test_log.XXXXXX");
	if (mkdtemp(p->directory) == NULL)
		return -1;
	snprintf(p->log, sizeof(p->log), "%s/log", p->directory);
	p->saved_stderr = -1;
	*state = p;
	unsetenv("JOURNAL_STREAM");
	return 0;
}

static void restore_stderr(struct place *p)
{
	if (p->saved_stderr < 0)
		return;
	dup2(p->saved_stderr, STDERR_FILENO);
	close(p->saved_stderr);
	p->saved_stderr = -1;
}

static int leave_place(void **state)
{
	struct place *p = *state;
	char command[64];

	end_test(state);
	restore_stderr(p);
	unsetenv("JOURNAL_STREAM");
	snprintf(command, sizeof(command), "rm -r %s", p->directory);
	free(p);
	return system(command) != 0 ? -1 : 0;
}

/* Standard error goes to the log's path until the place is left. */
static void redirect_stderr(struct place *p)
{
	int fd = open(p->log, O_WRONLY | O_CREAT | O_APPEND, 0600);

	assert_true(fd >= 0);
	p->saved_stderr = dup(STDERR_FILENO);
	dup2(fd, STDERR_FILENO);
	close(fd);
}

/* Grows with each descriptor that is left open. */
static int lowest_free_fd(void)
{
	int fd = dup(STDERR_FILENO);

	assert_true(fd >= 0);
	close(fd);
	return fd;
}

static char *contents(const char *path)
{
	struct error err = ERROR_INIT;
	char *text;
	size_t len;

	if (fs_read_file(path, 1 << 20, ERROR_LOCAL, &text, &len, &err) < 0)
		fail_msg("%s", err.text);
	return text;
}

static void assert_contents(const char *path, const char *expected)
{
	char *text = contents(path);

	assert_string_equal(text, expected);
	free(text);
}

static void assert_match(const char *text, const char *pattern)
{
	regex_t regex;

	assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	if (regexec(&regex, text, 0, NULL, 0) != 0)
		fail_msg("'%s' does not match '%s'", text, pattern);
	regfree(&regex);
}

static void standard_error_has_no_time(void **state)
{
	struct place *p = *state;
	char expected[1000];

	redirect_stderr(p);
	open_log("stderr", LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG);
	log_the_four_lines();
	log_debug("considered");
	log_warning("you may act");
	log_error("you must act");
	restore_stderr(p);
	snprintf(expected, sizeof(expected), "%s%s", four_lines,
	    "considered\nwarning: you may act\nerror: you must act\n");
	assert_contents(p->log, expected);
}

static void make_room(void *arg)
{
	ssize_t n = write(STDERR_FILENO, "|", 1);

	*(int *)arg += n == 1;
}

static void whoever_draws_makes_room_on_standard_error_alone(void **state)
{
	struct place *p = *state;
	char other[80];
	int rooms = 0;

	snprintf(other, sizeof(other), "%s/other", p->directory);
	redirect_stderr(p);
	open_log(NULL, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	log_before(make_room, &rooms);
	log_info("one");
	log_debug("unwanted");
	open_log(other, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	log_info("elsewhere");
	open_log(NULL, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	log_before(NULL, NULL);
	log_info("two");
	restore_stderr(p);
	assert_int_equal(rooms, 1);
	assert_contents(p->log, "|one\ntwo\n");
}

static void logging_works_before_it_is_opened(void **state)
{
	struct place *p = *state;

	redirect_stderr(p);
	log_error("early");
	log_debug("unwanted");
	restore_stderr(p);
	assert_contents(p->log, "error: early\n");
}

static void name_the_journal(int delta)
{
	char stream[64];
	struct stat st;

	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino + (uintmax_t)delta);
	setenv("JOURNAL_STREAM", stream, 1);
}

static void the_journal_gets_priorities(void **state)
{
	struct place *p = *state;

	redirect_stderr(p);
	name_the_journal(0);
	open_log(NULL, LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG);
	log_error("e");
	log_warning("w");
	log_info("Downloaded from S3: %s", "k");
	log_debug("d");
	restore_stderr(p);
	assert_contents(p->log, "<3>e\n<4>w\n<6>Downloaded from S3: k\n<7>d\n");
}

static void a_redirected_standard_error_is_no_journal(void **state)
{
	struct place *p = *state;

	redirect_stderr(p);
	name_the_journal(1);
	open_log(NULL, LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG);
	log_info("i");
	setenv("JOURNAL_STREAM", "nonsense", 1);
	open_log(NULL, LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG);
	log_info("j");
	restore_stderr(p);
	assert_contents(p->log, "i\nj\n");
}

static void json_for_the_journal_is_plain_json(void **state)
{
	struct place *p = *state;
	char *text;

	redirect_stderr(p);
	name_the_journal(0);
	open_log(NULL, LOG_FORMAT_JSON, LOG_LEVEL_INFO);
	log_info("i");
	restore_stderr(p);
	text = contents(p->log);
	assert_int_equal(text[0], '{');
	free(text);
}

static void a_file_has_local_times(void **state)
{
	struct place *p = *state;
	char *text, *second;
	struct stat st;

	umask(0);
	open_log(p->log, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	umask(022);
	log_info("Downloaded from S3: %s", "a b");
	log_error("failed");
	text = contents(p->log);
	second = strchr(text, '\n');
	*second++ = '\0';
	assert_match(text, TIME "Downloaded from S3: a b$");
	assert_match(second, TIME "error: failed\n$");
	free(text);
	assert_int_equal(stat(p->log, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
}

static void a_file_is_appended_to(void **state)
{
	struct place *p = *state;
	char *text;
	int i;

	for (i = 0; i < 2; i++) {
		open_log(p->log, LOG_FORMAT_JSON, LOG_LEVEL_INFO);
		log_info("%d", i);
		log_close();
	}
	text = contents(p->log);
	assert_match(text, "\"message\":\"0\"}\n.*\"message\":\"1\"}\n$");
	free(text);
}

static void after_rotation_a_new_file_is_written(void **state)
{
	struct place *p = *state;
	struct error err = ERROR_INIT;
	char rotated[80], *text;
	int free_fd = lowest_free_fd();

	snprintf(rotated, sizeof(rotated), "%s.1", p->log);
	open_log(p->log, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	log_info("one");
	assert_int_equal(rename(p->log, rotated), 0);
	log_info("two");
	assert_int_equal(log_reopen(&err), 0);
	log_info("three");
	text = contents(rotated);
	assert_match(text, TIME "one\n.* two\n$");
	free(text);
	text = contents(p->log);
	assert_match(text, TIME "three\n$");
	free(text);
	log_close();
	assert_int_equal(lowest_free_fd(), free_fd);
}

static void a_failed_reopening_keeps_the_old_file(void **state)
{
	struct place *p = *state;
	struct error err = ERROR_INIT;
	char moved[80], log[100], *text;

	snprintf(moved, sizeof(moved), "%s.moved", p->directory);
	open_log(p->log, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	assert_int_equal(rename(p->directory, moved), 0);
	assert_int_equal(log_reopen(&err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	log_info("still here");
	assert_int_equal(rename(moved, p->directory), 0);
	snprintf(log, sizeof(log), "%s/log", p->directory);
	text = contents(log);
	assert_match(text, TIME "still here\n$");
	free(text);
}

static void a_closed_log_is_standard_error_again(void **state)
{
	struct place *p = *state;
	int free_fd = lowest_free_fd();
	char other[80];

	snprintf(other, sizeof(other), "%s/other", p->directory);
	open_log(other, LOG_FORMAT_JSON, LOG_LEVEL_DEBUG);
	log_close();
	assert_int_equal(lowest_free_fd(), free_fd);
	redirect_stderr(p);
	log_warning("w");
	log_debug("unwanted");
	restore_stderr(p);
	assert_contents(p->log, "warning: w\n");
	assert_contents(other, "");
}

static void a_full_file_system_stops_nobody(void **state)
{
	(void)state;
	open_log("/dev/full", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	errno = EXDEV;
	log_info("lost");
	assert_int_equal(errno, EXDEV);
}

static void only_files_need_reopening(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	open_log(NULL, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	assert_int_equal(log_reopen(&err), 0);
	open_log("syslog", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	assert_int_equal(log_reopen(&err), 0);
}

static void a_failed_opening_keeps_the_old_target(void **state)
{
	struct place *p = *state;
	struct error err = ERROR_INIT;
	char *text;

	open_log(p->log, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	assert_int_equal(
	    log_open("/nowhere/log", LOG_FORMAT_JSON, LOG_LEVEL_ERROR, &err),
	    -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_string_equal(err.text,
	    "cannot open the log file /nowhere/log: "
	    "No such file or directory");
	log_info("kept");
	text = contents(p->log);
	assert_match(text, TIME "kept\n$");
	free(text);
}

/* The C library's syslog, replaced for this program. */
void openlog(const char *ident, int option, int facility);
void closelog(void);
void syslog(int priority, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void __syslog_chk(int priority, int flag, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static struct strbuf logged = STRBUF_INIT(10000);

void openlog(const char *ident, int option, int facility)
{
	(void)option;
	(void)facility;
	strbuf_addf(&logged, "open %s\n", ident);
}

void closelog(void)
{
	strbuf_adds(&logged, "close\n");
}

static void add_logged(int priority, const char *format, va_list ap)
    __attribute__((format(printf, 2, 0)));

static void add_logged(int priority, const char *format, va_list ap)
{
	strbuf_addf(&logged, "%d ", priority);
	strbuf_vaddf(&logged, format, ap);
	strbuf_addc(&logged, '\n');
}

void syslog(int priority, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	add_logged(priority, format, ap);
	va_end(ap);
}

void __syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list ap;

	(void)flag;
	va_start(ap, format);
	add_logged(priority, format, ap);
	va_end(ap);
}

static void syslog_gets_messages_with_priorities(void **state)
{
	(void)state;
	strbuf_clear(&logged);
	open_log("syslog", LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG);
	log_error("100%%s");
	log_info("Downloaded from S3: %s", "⬇️\n");
	open_log(NULL, LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	log_info("unwanted");
	assert_string_equal(strbuf_text(&logged),
	    "open s3sync\n"
	    "3 100%s\n"
	    "6 Downloaded from S3: ⬇️\\x0a\n"
	    "close\n");
	strbuf_release(&logged);
}

#define THREADS 4
#define LINES 500

static void *log_many(void *arg)
{
	int i;

	for (i = 0; i < LINES; i++)
		log_info("thread %s line %d end", (const char *)arg, i);
	return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
	static char names[THREADS][2] = { "a", "b", "c", "d" };
	struct place *p = *state;
	pthread_t threads[THREADS];
	char *text, *line, *rest;
	int i, count = 0;

	open_log(p->log, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, log_many, names[i]), 0);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	text = contents(p->log);
	for (line = strtok_r(text, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest), count++)
		assert_match(line, TIME "thread [a-d] line [0-9]+ end$");
	assert_int_equal(count, THREADS * LINES);
	free(text);
}

#define CAPTURED(test) cmocka_unit_test_teardown(test, end_test)
#define IN_PLACE(test) \
	cmocka_unit_test_setup_teardown(test, enter_place, leave_place)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CAPTURED(only_wanted_levels_are_logged),
		CAPTURED(levels_have_names),
		CAPTURED(control_characters_do_not_break_the_line),
		CAPTURED(a_very_long_message_is_still_one_line),
		CAPTURED(json_lines_have_the_parts_of_the_event),
		CAPTURED(json_lines_leave_out_what_an_event_lacks),
		IN_PLACE(standard_error_has_no_time),
		IN_PLACE(whoever_draws_makes_room_on_standard_error_alone),
		IN_PLACE(logging_works_before_it_is_opened),
		IN_PLACE(the_journal_gets_priorities),
		IN_PLACE(a_redirected_standard_error_is_no_journal),
		IN_PLACE(json_for_the_journal_is_plain_json),
		IN_PLACE(a_file_has_local_times),
		IN_PLACE(a_file_is_appended_to),
		IN_PLACE(after_rotation_a_new_file_is_written),
		IN_PLACE(a_failed_reopening_keeps_the_old_file),
		IN_PLACE(a_closed_log_is_standard_error_again),
		CAPTURED(a_full_file_system_stops_nobody),
		IN_PLACE(only_files_need_reopening),
		IN_PLACE(a_failed_opening_keeps_the_old_target),
		CAPTURED(syslog_gets_messages_with_priorities),
		IN_PLACE(lines_of_threads_do_not_mix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
