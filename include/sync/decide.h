/* SPDX-License-Identifier: MIT */
/*
 * What to do about one key: a pure function of how each side compares with
 * the base, of the policy and of what is known to hold. The numbered rows are
 * those of doc/sync-model.md, and the test walks every combination.
 */
#ifndef SYNC_DECIDE_H
#define SYNC_DECIDE_H

#include <stdbool.h>

enum decide_side {
	SIDE_UNKNOWN, /* ? could not be seen: never read as absence */
	SIDE_ABSENT,  /* 0 proven: complete listing, completely read directory */
	SIDE_SAME,    /* = as in the base */
	SIDE_CHANGED, /* ! not as in the base */
	SIDE_PRESENT, /* + there, and there is no base */
	SIDE_COUNT
};

enum decide_base { BASE_NONE, BASE_ASSUMED, BASE_SYNCED, BASE_COUNT };

/* How the two sides' contents compare, as far as no content is read. */
enum decide_content {
	CONTENT_EQUAL,     /* proven, by a checksum that is known already */
	CONTENT_SAME_SIZE, /* not compared */
	CONTENT_DIFFERENT, /* sizes differ */
	CONTENT_COUNT
};

/* For ties only, where both sides changed; design rule 6. */
enum decide_newer { NEWER_NEITHER, NEWER_LOCAL, NEWER_REMOTE };

enum decide_mode { MODE_EXISTENCE, MODE_COUNT };
enum decide_conflict { CONFLICT_MANUAL };
enum decide_delete { DELETE_RESTORE };

struct decide_policy {
	enum decide_mode mode;
	enum decide_conflict conflict;
	enum decide_delete delete;
};

/* Why an action that a row asks for must not happen. */
enum decide_hold {
	HOLD_NONE,
	HOLD_NAME,     /* the key cannot exist on the other side */
	HOLD_TYPE,     /* a file where a directory is needed, or the reverse */
	HOLD_DONE,     /* key + a done suffix exists: finished */
	HOLD_ARCHIVED, /* the object must be restored before it can be read */
	HOLD_DAMAGED,  /* this very object failed its checksum when we wrote it */
	HOLD_COUNT
};

struct decide_input {
	enum decide_side local;
	enum decide_side remote;
	enum decide_base base;
	enum decide_content content; /* counts where both sides are there */
	enum decide_newer newer;
	enum decide_hold hold;
	struct decide_policy policy;
};

enum decide_action {
	ACTION_NONE,
	ACTION_UPLOAD,
	ACTION_DOWNLOAD,
	ACTION_ADOPT,  /* agree without transfer */
	ACTION_FORGET, /* nothing is left on either side: drop the rows */
	ACTION_COUNT
};

enum decide_reason {
	REASON_AGREED,
	REASON_UNKNOWN,
	REASON_NEW_LOCAL,
	REASON_NEW_REMOTE,
	REASON_MISSING_LOCAL,
	REASON_MISSING_REMOTE,
	REASON_LOCAL_CHANGED,
	REASON_REMOTE_CHANGED,
	REASON_BOTH_CHANGED,
	REASON_DIFFERENT,
	REASON_BOTH_NEW,
	REASON_GONE,
	REASON_BLOCKED_NAME,
	REASON_BLOCKED_TYPE,
	REASON_DONE,
	REASON_ARCHIVED,
	REASON_DAMAGED,
	REASON_COUNT
};

/* What a reason means for reports and for the exit status. */
enum decide_class {
	CLASS_AGREED,    /* nothing to tell */
	CLASS_PLANNED,   /* an action will settle it */
	CLASS_WAITING,   /* may settle by itself: seen again next cycle */
	CLASS_DIFFERING, /* left alone by policy */
	CLASS_BLOCKED,   /* cannot be on both sides until somebody renames it */
};

struct decision {
	int row; /* of doc/sync-model.md */
	enum decide_action action;
	enum decide_reason reason;
	enum decide_base adopt_as; /* ACTION_ADOPT: SYNCED or ASSUMED */
};

struct decision decide(const struct decide_input *input);

/* The words of the manifest, of reports and of JSON: "upload", "new-local". */
const char *decide_action_name(enum decide_action action);
const char *decide_reason_name(enum decide_reason reason);
enum decide_class decide_reason_class(enum decide_reason reason);
const char *decide_class_name(enum decide_class class); /* "differing" */
/* -1: no such name (a manifest of a newer program). */
int decide_action_parse(const char *name);
int decide_reason_parse(const char *name);

#endif
