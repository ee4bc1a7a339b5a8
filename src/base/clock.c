/* SPDX-License-Identifier: MIT */
/* The real clock and randomness unless others are installed; text forms of
 * time, written and read without the locale. */
#include "base/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec * CLOCK_SECOND + now.tv_nsec;
}

static int64_t real_wall_ns(void *arg)
{
	(void)arg;
	return read_clock(CLOCK_REALTIME);
}

static int64_t real_mono_ns(void *arg)
{
	(void)arg;
	return read_clock(CLOCK_MONOTONIC);
}

static uint64_t real_random(void *arg)
{
	uint64_t value;

	(void)arg;
	while (getrandom(&value, sizeof(value), 0) != (ssize_t)sizeof(value))
		if (errno != EINTR)
			abort();
	return value;
}

static const struct clock_source real = {
	.wall_ns = real_wall_ns,
	.mono_ns = real_mono_ns,
	.random = real_random,
};

static const struct clock_source *current = &real;

void clock_install(const struct clock_source *source)
{
	current = source != NULL ? source : &real;
}

int64_t clock_wall_ns(void)
{
	return current->wall_ns(current->arg);
}

int64_t clock_mono_ns(void)
{
	return current->mono_ns(current->arg);
}

uint64_t clock_random(void)
{
	return current->random(current->arg);
}

int64_t clock_coarse_ns(void)
{
	if (current == &real)
		return read_clock(CLOCK_REALTIME_COARSE);
	return clock_wall_ns();
}

/* Whole seconds, rounded down also before 1970; the rest in *ns. */
static time_t split(int64_t wall_ns, int64_t *ns)
{
	int64_t seconds = wall_ns / CLOCK_SECOND;

	*ns = wall_ns % CLOCK_SECOND;
	if (*ns < 0) {
		*ns += CLOCK_SECOND;
		seconds--;
	}
	return (time_t)seconds;
}

void clock_format_utc(int64_t wall_ns, char out[CLOCK_ISO_MAX])
{
	int64_t ns;
	time_t seconds = split(wall_ns, &ns);
	struct tm tm;
	size_t len;

	gmtime_r(&seconds, &tm);
	len = strftime(out, CLOCK_ISO_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + len, CLOCK_ISO_MAX - len, ".%03dZ",
	    (int)(ns / CLOCK_MS));
}

void clock_format_local(int64_t wall_ns, char out[CLOCK_ISO_MAX])
{
	int64_t ns;
	time_t seconds = split(wall_ns, &ns);
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(out, CLOCK_ISO_MAX, "%Y-%m-%dT%H:%M:%S%z", &tm);
}

void clock_format_basic(int64_t wall_ns, char out[CLOCK_ISO_MAX])
{
	int64_t ns;
	time_t seconds = split(wall_ns, &ns);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(out, CLOCK_ISO_MAX, "%Y%m%dT%H%M%SZ", &tm);
}

struct civil {
	int year, month, day; /* 1 to 12, 1 to 31 */
	int hour, minute, second;
};

static int days_in_month(int year, int month)
{
	static const signed char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30,
		31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* Since 1970-01-01. A year that begins in March has its odd day last. */
static int64_t days_since_epoch(const struct civil *t)
{
	int64_t year = t->month > 2 ? t->year : t->year - 1;
	int64_t month = (t->month + 9) % 12; /* since March */
	int64_t leap_days = year / 4 - year / 100 + year / 400;

	return year * 365 + leap_days + (month * 153 + 2) / 5 + t->day - 719469;
}

static int civil_to_wall(const struct civil *t, int64_t *wall_ns)
{
	int64_t seconds;

	if (t->month < 1 || t->month > 12 || t->day < 1 ||
	    t->day > days_in_month(t->year, t->month) || t->hour > 23 ||
	    t->minute > 59 || t->second > 60 /* a leap second */)
		return -1;
	seconds = ((days_since_epoch(t) * 24 + t->hour) * 60 + t->minute) * 60 +
	    t->second;
	return __builtin_mul_overflow(seconds, CLOCK_SECOND, wall_ns) ? -1 : 0;
}

/* Each take_* steps over what it finds; -1 if that is not there. */
static int take_number(const char **p, int digits, int *value)
{
	for (*value = 0; digits > 0; digits--, (*p)++) {
		if (**p < '0' || **p > '9')
			return -1;
		*value = *value * 10 + (**p - '0');
	}
	return 0;
}

static int take_text(const char **p, const char *text)
{
	size_t len = strlen(text);

	if (strncmp(*p, text, len) != 0)
		return -1;
	*p += len;
	return 0;
}

static int take_name(const char **p, const char *const *names, int count,
    int *number)
{
	for (*number = 1; *number <= count; (*number)++)
		if (take_text(p, names[*number - 1]) == 0)
			return 0;
	return -1;
}

static int take_time_of_day(const char **p, struct civil *t)
{
	if (take_number(p, 2, &t->hour) || take_text(p, ":") ||
	    take_number(p, 2, &t->minute) || take_text(p, ":") ||
	    take_number(p, 2, &t->second))
		return -1;
	return 0;
}

/* ".123", or nothing; digits beyond ns are dropped. */
static int take_fraction(const char **p, int64_t *ns)
{
	int64_t unit = CLOCK_SECOND / 10;

	*ns = 0;
	if (take_text(p, ".") < 0)
		return 0;
	if (**p < '0' || **p > '9')
		return -1;
	for (; **p >= '0' && **p <= '9'; (*p)++, unit /= 10)
		*ns += (**p - '0') * unit;
	return 0;
}

int clock_parse_iso(const char *text, int64_t *wall_ns)
{
	struct civil t;
	int64_t ns, whole;

	if (take_number(&text, 4, &t.year) || take_text(&text, "-") ||
	    take_number(&text, 2, &t.month) || take_text(&text, "-") ||
	    take_number(&text, 2, &t.day) || take_text(&text, "T") ||
	    take_time_of_day(&text, &t) || take_fraction(&text, &ns) ||
	    take_text(&text, "Z") || *text != '\0')
		return -1;
	if (civil_to_wall(&t, &whole) < 0)
		return -1;
	return __builtin_add_overflow(whole, ns, wall_ns) ? -1 : 0;
}

int clock_parse_http(const char *text, int64_t *wall_ns)
{
	static const char *const weekdays[] = { "Mon", "Tue", "Wed", "Thu",
		"Fri", "Sat", "Sun" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	struct civil t;
	int weekday; /* unused: the date implies it */

	if (take_name(&text, weekdays, 7, &weekday) || take_text(&text, ", ") ||
	    take_number(&text, 2, &t.day) || take_text(&text, " ") ||
	    take_name(&text, months, 12, &t.month) || take_text(&text, " ") ||
	    take_number(&text, 4, &t.year) || take_text(&text, " ") ||
	    take_time_of_day(&text, &t) || take_text(&text, " GMT") ||
	    *text != '\0')
		return -1;
	return civil_to_wall(&t, wall_ns);
}

int clock_parse_duration(const char *text, int64_t *ns)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = {
		{ "", CLOCK_SECOND },
		{ "ms", CLOCK_MS },
		{ "s", CLOCK_SECOND },
		{ "m", 60 * CLOCK_SECOND },
		{ "h", 3600 * CLOCK_SECOND },
		{ "d", 86400 * CLOCK_SECOND },
	};
	int64_t count = 0;
	const char *p = text;
	size_t i;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(count, 10, &count) ||
		    __builtin_add_overflow(count, *p - '0', &count))
			return -1;
	if (p == text)
		return -1;
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(p, units[i].name) == 0)
			break;
	if (i == sizeof(units) / sizeof(units[0]))
		return -1;
	return __builtin_mul_overflow(count, units[i].ns, ns) ? -1 : 0;
}
