/* SPDX-License-Identifier: MIT */
/* The texts of errors, and what each kind means for names and exit status. */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int exit_status;
} kinds[] = {
	[ERROR_NONE] = { "none", 0 },
	[ERROR_USAGE] = { "usage", 2 },
	[ERROR_CONFIG] = { "config", 2 },
	[ERROR_ROOT] = { "root", 3 },
	[ERROR_MANIFEST] = { "manifest", 3 },
	[ERROR_CREDENTIALS] = { "credentials", 3 },
	[ERROR_BUCKET] = { "bucket", 3 },
	[ERROR_NETWORK] = { "network", 1 },
	[ERROR_LOCAL] = { "local", 1 },
	[ERROR_NO_SPACE] = { "no-space", 1 },
	[ERROR_CHANGED] = { "changed", 1 },
	[ERROR_EXISTS] = { "exists", 1 },
	[ERROR_BLOCKED] = { "blocked", 1 },
	[ERROR_DENIED] = { "denied", 1 },
	[ERROR_REMOTE] = { "remote", 1 },
	[ERROR_INTEGRITY] = { "integrity", 1 },
	[ERROR_STOPPED] = { "stopped", 1 },
};

/* A text in the making; apart from err->text, which may be an argument. */
struct draft {
	size_t len; /* what the whole text needs: may exceed the room */
	char text[sizeof(((struct error *)0)->text)];
};

static void draft_vadd(struct draft *d, const char *format, va_list ap)
    __attribute__((format(printf, 2, 0)));
static void draft_add(struct draft *d, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void draft_vadd(struct draft *d, const char *format, va_list ap)
{
	size_t at = d->len < sizeof(d->text) ? d->len : sizeof(d->text);
	int more = vsnprintf(d->text + at, sizeof(d->text) - at, format, ap);

	if (more > 0)
		d->len += (size_t)more;
}

static void draft_add(struct draft *d, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	draft_vadd(d, format, ap);
	va_end(ap);
}

/* Ends a text that was too long with "...", after a whole UTF-8 character. */
static void mark_cut(struct draft *d)
{
	static const char dots[] = "...";
	size_t at = sizeof(d->text) - sizeof(dots);

	while (at > 0 && ((unsigned char)d->text[at] & 0xc0) == 0x80)
		at--;
	memcpy(d->text + at, dots, sizeof(dots));
}

static int finish(struct draft *d, struct error *err)
{
	char *p;

	if (d->len >= sizeof(d->text))
		mark_cut(d);
	/* Texts of libraries may have several lines; ours is one. */
	for (p = d->text; *p != '\0'; p++)
		if (*p == '\n' || *p == '\r' || *p == '\t')
			*p = ' ';
	memcpy(err->text, d->text, (size_t)(p - d->text) + 1);
	return -1;
}

int error_set(struct error *err, enum error_kind kind, const char *format, ...)
{
	struct draft d = { .len = 0 };
	va_list ap;

	va_start(ap, format);
	draft_vadd(&d, format, ap);
	va_end(ap);
	err->kind = kind;
	err->sys = 0;
	return finish(&d, err);
}

static enum error_kind kind_for(enum error_kind kind, int sys)
{
	if (kind == ERROR_LOCAL &&
	    (sys == ENOSPC || sys == EDQUOT || sys == EROFS))
		return ERROR_NO_SPACE;
	return kind;
}

int error_sys(struct error *err, enum error_kind kind, int sys,
    const char *format, ...)
{
	struct draft d = { .len = 0 };
	va_list ap;

	va_start(ap, format);
	draft_vadd(&d, format, ap);
	va_end(ap);
	draft_add(&d, ": %s", strerror(sys));
	err->kind = kind_for(kind, sys);
	err->sys = sys;
	return finish(&d, err);
}

int error_prefix(struct error *err, const char *format, ...)
{
	struct draft d = { .len = 0 };
	va_list ap;

	va_start(ap, format);
	draft_vadd(&d, format, ap);
	va_end(ap);
	draft_add(&d, ": %s", err->text);
	return finish(&d, err);
}

void error_clear(struct error *err)
{
	err->kind = ERROR_NONE;
	err->sys = 0;
	err->text[0] = '\0';
}

const char *error_kind_name(enum error_kind kind)
{
	return kinds[kind].name;
}

int error_exit_status(enum error_kind kind)
{
	return kinds[kind].exit_status;
}
