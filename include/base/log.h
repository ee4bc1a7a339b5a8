/* SPDX-License-Identifier: MIT */
/*
 * One event, one line. error: you must act; warning: you may; info: what
 * changed; debug: what was considered. Thread-safe: a line is one write.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/*
 * ${path} NULL or "stderr": standard error; "syslog": syslog(3); else a file,
 * appended to, made with mode 0640. Text lines in a file carry an ISO 8601
 * local time with offset; under the journal (JOURNAL_STREAM) they carry a
 * <N> priority instead; on stderr otherwise neither. Where no priority shows,
 * "error: " or "warning: " comes before the message. JSON lines are objects
 * with "time" (RFC 3339 UTC), "level", "message" and, where the event has
 * them, "pair", "event" and "key".
 */
int log_open(const char *path, enum log_format format, enum log_level level,
    struct error *err);
int log_reopen(struct error *err); /* after rotation (SIGHUP) */
void log_close(void);

bool log_wants(enum log_level level);
int log_level_parse(const char *name); /* -1: no such level */

/*
 * An event with its machine-readable parts; any of ${pair}, ${event}, ${key}
 * may be NULL. In text only the message shows. What path_printable escapes
 * in a message (a key may hold any byte) is written as \xNN, so that one
 * event stays one line.
 */
void log_event(enum log_level level, const char *pair, const char *event,
    const char *key, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Events that have no parts. */
#define log_error(...) log_event(LOG_LEVEL_ERROR, NULL, NULL, NULL, __VA_ARGS__)
#define log_warning(...)                                                       \
	log_event(LOG_LEVEL_WARNING, NULL, NULL, NULL, __VA_ARGS__)
#define log_info(...) log_event(LOG_LEVEL_INFO, NULL, NULL, NULL, __VA_ARGS__)
#define log_debug(...) log_event(LOG_LEVEL_DEBUG, NULL, NULL, NULL, __VA_ARGS__)

/* Called, under the log's lock, before a line goes to standard error: whoever
 * draws on the terminal makes room. NULL: nobody. */
void log_before(void (*before)(void *arg), void *arg);

/* Tests see the lines (text: without time and level) instead of a target.
 * NULL: back to normal. */
void log_capture(void (*sink)(enum log_level, const char *line, void *arg),
    void *arg);

#endif
