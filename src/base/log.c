/* SPDX-License-Identifier: MIT */
/* Events to lines, and lines to the one target of the process. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/path.h"
#include "base/strbuf.h"

#define MESSAGE_MAX ((size_t)16384)
#define LINE_MAX_BYTES (8 * MESSAGE_MAX) /* escaped */

enum target {
	TARGET_STDERR,
	TARGET_JOURNAL, /* stderr, read by the journal */
	TARGET_SYSLOG,
	TARGET_FILE,
};

static const struct {
	const char *name;
	const char *prefix; /* where no priority shows */
	int priority;
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", "error: ", LOG_ERR },
	[LOG_LEVEL_WARNING] = { "warning", "warning: ", LOG_WARNING },
	[LOG_LEVEL_INFO] = { "info", "", LOG_INFO },
	[LOG_LEVEL_DEBUG] = { "debug", "", LOG_DEBUG },
};
#define LEVELS ((int)(sizeof(levels) / sizeof(levels[0])))

static struct {
	pthread_mutex_t lock; /* of all but wanted */
	_Atomic enum log_level wanted;
	enum log_format format;
	enum target target;
	int fd;     /* of TARGET_FILE, else -1 */
	char *path; /* of TARGET_FILE, else NULL */
	void (*sink)(enum log_level, const char *line, void *arg);
	void *sink_arg;
	void (*before)(void *arg);
	void *before_arg;
} state = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.wanted = LOG_LEVEL_INFO,
	.fd = -1,
};

/* systemd names the device and inode of the journal's end of stderr; they
 * differ where stderr was redirected since. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char actual[64];
	struct stat st;

	if (stream == NULL || fstat(STDERR_FILENO, &st) < 0)
		return false;
	snprintf(actual, sizeof(actual), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	return strcmp(stream, actual) == 0;
}

static int open_file(const char *path, int *fd, struct error *err)
{
	*fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY,
	    0640);
	if (*fd < 0)
		return error_sys(err, ERROR_CONFIG, errno,
		    "cannot open the log file %s", path);
	return 0;
}

static void close_target(void)
{
	if (state.target == TARGET_SYSLOG)
		closelog();
	if (state.fd >= 0)
		close(state.fd);
	free(state.path);
	state.fd = -1;
	state.path = NULL;
	state.target = TARGET_STDERR;
}

int log_open(const char *path, enum log_format format, enum log_level level,
    struct error *err)
{
	enum target target = TARGET_FILE;
	int fd = -1;

	if (path == NULL || strcmp(path, "stderr") == 0)
		target = stderr_is_journal() ? TARGET_JOURNAL : TARGET_STDERR;
	else if (strcmp(path, "syslog") == 0)
		target = TARGET_SYSLOG;
	else if (open_file(path, &fd, err) < 0)
		return -1;

	pthread_mutex_lock(&state.lock);
	close_target();
	state.target = target;
	state.format = format;
	state.wanted = level;
	if (target == TARGET_FILE) {
		state.fd = fd;
		state.path = alloc_string(path);
	} else if (target == TARGET_SYSLOG) {
		openlog("s3sync", LOG_PID, LOG_DAEMON);
	}
	pthread_mutex_unlock(&state.lock);
	return 0;
}

int log_reopen(struct error *err)
{
	int rc = 0;
	int fd;

	pthread_mutex_lock(&state.lock);
	if (state.target == TARGET_FILE) {
		rc = open_file(state.path, &fd, err);
		if (rc == 0) {
			close(state.fd);
			state.fd = fd;
		}
	}
	pthread_mutex_unlock(&state.lock);
	return rc;
}

void log_close(void)
{
	pthread_mutex_lock(&state.lock);
	close_target();
	state.format = LOG_FORMAT_TEXT;
	state.wanted = LOG_LEVEL_INFO;
	pthread_mutex_unlock(&state.lock);
}

bool log_wants(enum log_level level)
{
	return level <= state.wanted;
}

int log_level_parse(const char *name)
{
	int i;

	for (i = 0; i < LEVELS; i++)
		if (strcmp(levels[i].name, name) == 0)
			return i;
	return -1;
}

void log_capture(void (*sink)(enum log_level, const char *line, void *arg),
    void *arg)
{
	pthread_mutex_lock(&state.lock);
	state.sink = sink;
	state.sink_arg = arg;
	pthread_mutex_unlock(&state.lock);
}

void log_before(void (*before)(void *arg), void *arg)
{
	pthread_mutex_lock(&state.lock);
	state.before = before;
	state.before_arg = arg;
	pthread_mutex_unlock(&state.lock);
}

/* One event on its way to a line. */
struct event {
	enum log_level level;
	const char *pair;
	const char *name;
	const char *key;
	const char *message;
};

static void add_json(struct strbuf *line, const struct event *e)
{
	json_t *object = json_object();
	char *text;

	json_put_time(object, "time", clock_wall_ns());
	json_put_text(object, "level", levels[e->level].name);
	if (e->pair != NULL)
		json_put_text(object, "pair", e->pair);
	if (e->name != NULL)
		json_put_text(object, "event", e->name);
	if (e->key != NULL)
		json_put_key(object, e->key, strlen(e->key));
	json_put_text(object, "message", e->message);
	text = json_text(object);
	strbuf_adds(line, text);
	free(text);
}

static void add_text_head(struct strbuf *line, enum log_level level)
{
	char now[CLOCK_ISO_MAX];

	if (state.sink != NULL)
		return;
	switch (state.target) {
	case TARGET_FILE:
		clock_format_local(clock_wall_ns(), now);
		strbuf_addf(line, "%s %s", now, levels[level].prefix);
		break;
	case TARGET_STDERR:
		strbuf_adds(line, levels[level].prefix);
		break;
	case TARGET_JOURNAL:
		strbuf_addf(line, "<%d>", levels[level].priority);
		break;
	case TARGET_SYSLOG:
		break;
	}
}

static void add_text(struct strbuf *line, const struct event *e)
{
	char *text = path_printable(e->message, strlen(e->message));

	add_text_head(line, e->level);
	strbuf_adds(line, text);
	free(text);
}

/* A line that cannot be written is lost: there is nobody left to tell. */
static void write_line(int fd, struct strbuf *line)
{
	const char *p;
	ssize_t n;

	strbuf_addc(line, '\n');
	for (p = line->buf; p < line->buf + line->len; p += n) {
		n = write(fd, p, (size_t)(line->buf + line->len - p));
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			return;
	}
}

static void write_target(enum log_level level, struct strbuf *line)
{
	if (state.sink != NULL) {
		state.sink(level, strbuf_text(line), state.sink_arg);
	} else if (state.target == TARGET_SYSLOG) {
		syslog(levels[level].priority, "%s", strbuf_text(line));
	} else if (state.fd >= 0) {
		write_line(state.fd, line);
	} else {
		if (state.before != NULL)
			state.before(state.before_arg);
		write_line(STDERR_FILENO, line);
	}
}

static void deliver(const struct event *e)
{
	struct strbuf line = STRBUF_INIT(LINE_MAX_BYTES);

	pthread_mutex_lock(&state.lock);
	if (state.format == LOG_FORMAT_JSON)
		add_json(&line, e);
	else
		add_text(&line, e);
	write_target(e->level, &line);
	pthread_mutex_unlock(&state.lock);
	strbuf_release(&line);
}

void log_event(enum log_level level, const char *pair, const char *event,
    const char *key, const char *format, ...)
{
	struct strbuf message = STRBUF_INIT(MESSAGE_MAX);
	int saved = errno;
	va_list ap;

	if (!log_wants(level))
		return;
	va_start(ap, format);
	strbuf_vaddf(&message, format, ap);
	va_end(ap);
	deliver(&(struct event){
	    .level = level,
	    .pair = pair,
	    .name = event,
	    .key = key,
	    .message = strbuf_text(&message),
	});
	strbuf_release(&message);
	errno = saved;
}
