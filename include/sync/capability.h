/* SPDX-License-Identifier: MIT */
/*
 * What a server does with conditional writes (If-None-Match: *, If-Match, and
 * the body's SHA-256), as far as it is known: by a probe (sync/probe.h), from
 * which on it is recorded in the manifest with its date, or by what writes
 * taught since. The rules that follow from it are here;
 * sync/bucket_careful.h keeps them. Pure.
 */
#ifndef SYNC_CAPABILITY_H
#define SYNC_CAPABILITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"

enum capability_write {
	CAPABILITY_PUT, CAPABILITY_COMPLETE, CAPABILITY_COPY,
	CAPABILITY_DELETE, CAPABILITY_WRITES
};

enum capability_condition {
	CAPABILITY_NEW,  /* If-None-Match: *; a DELETE has none */
	CAPABILITY_SAME, /* If-Match */
	CAPABILITY_BODY, /* x-amz-content-sha256; of a PUT, or of a part */
	CAPABILITY_CONDITIONS
};

enum capability_verdict {
	CAPABILITY_UNKNOWN,
	CAPABILITY_HONOURED,
	CAPABILITY_IGNORED,
	CAPABILITY_REJECTED, /* refused even where the condition holds */
	CAPABILITY_VERDICTS
};

struct capability {
	enum capability_verdict
	    verdicts[CAPABILITY_WRITES][CAPABILITY_CONDITIONS];
	int64_t probed_ns;   /* wall time; 0: never */
	const char *missing; /* the permission for want of which nothing could
	                      * be probed, "s3:DeleteObject"; NULL: none */
	bool trusting;       /* what is unknown is taken for honoured */
	bool doubted;        /* a write has shown that it is otherwise */
};

/* "put_new", in records and JSON; NULL: there is no such condition. */
const char *capability_word(enum capability_write write,
    enum capability_condition condition);

/* May the condition be sent? Without it the write would be rejected. */
bool capability_sends(const struct capability *c, enum capability_write write,
    enum capability_condition condition);
/* Does the condition alone protect what is there? If not, the key is listed
 * just before the write. */
bool capability_protects(const struct capability *c,
    enum capability_write write, enum capability_condition condition);

/* A write was rejected for its condition: that is news, and the record is
 * doubted. */
void capability_learn_rejected(struct capability *c,
    enum capability_write write, enum capability_condition condition);

/* Is it time for a probe: never done, 30 days ago (1 day where something is
 * unknown, say for want of a permission), or doubted? */
bool capability_is_due(const struct capability *c, int64_t now_ns);

/* One line for the manifest. ${of}: whose it is, "ENDPOINT/BUCKET". */
void capability_print(const struct capability *c, const char *of,
    struct strbuf *out);
/* False, and nothing known, where ${text} is another's or not understood.
 * ${of} NULL: whoever's. ${c->trusting} stays as it is. */
bool capability_parse(const char *text, const char *of, struct capability *c);

/* "PUT If-None-Match, PUT If-Match": all with this verdict, for people;
 * nothing where there is none. */
void capability_list(const struct capability *c,
    enum capability_verdict verdict, struct strbuf *out);
const char *capability_verdict_name(enum capability_verdict verdict);

#endif
