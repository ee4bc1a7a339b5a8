/* SPDX-License-Identifier: MIT */
/*
 * The decision table. Rows are tried from top to bottom; the first that
 * matches decides, and a hold may then withhold its action. The numbers are
 * those of doc/sync-model.md.
 */
#include "sync/decide.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#define BIT(value) (1U << (value))
#define ANY (~0U)

#define UNKNOWN BIT(SIDE_UNKNOWN)
#define ABSENT BIT(SIDE_ABSENT)
#define SAME BIT(SIDE_SAME)
#define CHANGED BIT(SIDE_CHANGED)
#define PRESENT BIT(SIDE_PRESENT)
#define BASED (BIT(BASE_ASSUMED) | BIT(BASE_SYNCED))
#define BASELESS BIT(BASE_NONE)
#define EXISTENCE BIT(MODE_EXISTENCE)

struct row {
	int number;
	unsigned base, local, remote, content, mode; /* sets: BIT(value)s */
	enum decide_action action;
	enum decide_reason reason;
	enum decide_base adopt_as;
};

static const struct row rows[] = {
	/* Rule 0: what is not known is never acted on. */
	{ 0, ANY, UNKNOWN, ANY, ANY, ANY, ACTION_NONE, REASON_UNKNOWN, 0 },
	{ 0, ANY, ANY, UNKNOWN, ANY, ANY, ACTION_NONE, REASON_UNKNOWN, 0 },

	/* There is a base: which side moved away from it? */
	{ 1, BASED, SAME, SAME, ANY, ANY, ACTION_NONE, REASON_AGREED, 0 },
	{ 2, BASED, SAME, CHANGED, ANY, EXISTENCE, ACTION_NONE,
	    REASON_REMOTE_CHANGED, 0 },
	{ 3, BASED, CHANGED, SAME, ANY, EXISTENCE, ACTION_NONE,
	    REASON_LOCAL_CHANGED, 0 },
	{ 4, BASED, CHANGED, CHANGED, ANY, EXISTENCE, ACTION_NONE,
	    REASON_BOTH_CHANGED, 0 },
	{ 5, BASED, ABSENT, SAME, ANY, EXISTENCE, ACTION_DOWNLOAD,
	    REASON_MISSING_LOCAL, 0 },
	{ 6, BASED, ABSENT, CHANGED, ANY, ANY, ACTION_DOWNLOAD,
	    REASON_MISSING_LOCAL, 0 },
	{ 7, BASED, SAME, ABSENT, ANY, EXISTENCE, ACTION_UPLOAD,
	    REASON_MISSING_REMOTE, 0 },
	{ 8, BASED, CHANGED, ABSENT, ANY, ANY, ACTION_UPLOAD,
	    REASON_MISSING_REMOTE, 0 },
	{ 9, ANY, ABSENT, ABSENT, ANY, ANY, ACTION_FORGET, REASON_GONE, 0 },

	/* No base: a first run, a lost manifest or a new key. A union. */
	{ 10, BASELESS, PRESENT, ABSENT, ANY, ANY, ACTION_UPLOAD,
	    REASON_NEW_LOCAL, 0 },
	{ 11, BASELESS, ABSENT, PRESENT, ANY, ANY, ACTION_DOWNLOAD,
	    REASON_NEW_REMOTE, 0 },
	{ 12, BASELESS, PRESENT, PRESENT, BIT(CONTENT_EQUAL), ANY,
	    ACTION_ADOPT, REASON_BOTH_NEW, BASE_SYNCED },
	{ 13, BASELESS, PRESENT, PRESENT, BIT(CONTENT_SAME_SIZE), EXISTENCE,
	    ACTION_ADOPT, REASON_BOTH_NEW, BASE_ASSUMED },
	{ 14, BASELESS, PRESENT, PRESENT, BIT(CONTENT_DIFFERENT), EXISTENCE,
	    ACTION_NONE, REASON_DIFFERENT, 0 },
};

/* Which actions a hold withholds, and the row and reason that say so. */
static const struct {
	int number;
	unsigned actions;
	enum decide_reason reason;
} holds[HOLD_COUNT] = {
	[HOLD_NONE] = { 0, 0, REASON_AGREED },
	[HOLD_NAME] = { 20, BIT(ACTION_UPLOAD) | BIT(ACTION_DOWNLOAD) |
	    BIT(ACTION_ADOPT), REASON_BLOCKED_NAME },
	[HOLD_TYPE] = { 21, BIT(ACTION_UPLOAD) | BIT(ACTION_DOWNLOAD) |
	    BIT(ACTION_ADOPT),
	    REASON_BLOCKED_TYPE },
	[HOLD_DONE] = { 22, BIT(ACTION_UPLOAD) | BIT(ACTION_DOWNLOAD),
	    REASON_DONE },
	[HOLD_ARCHIVED] = { 23, BIT(ACTION_DOWNLOAD), REASON_ARCHIVED },
	[HOLD_DAMAGED] = { 24, BIT(ACTION_ADOPT), REASON_DAMAGED },
};

static const struct row *row_for(const struct decide_input *in)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];

		if (r->base & BIT(in->base) && r->local & BIT(in->local) &&
		    r->remote & BIT(in->remote) &&
		    r->content & BIT(in->content) &&
		    r->mode & BIT(in->policy.mode))
			return r;
	}
	return NULL;
}

struct decision decide(const struct decide_input *in)
{
	const struct row *row = row_for(in);
	struct decision decision;

	/* SIDE_PRESENT goes with no base, = and ! with one. */
	assert(row != NULL);
	decision = (struct decision){ row->number, row->action, row->reason,
		row->adopt_as };
	if (holds[in->hold].actions & BIT(row->action)) {
		decision.row = holds[in->hold].number;
		decision.action = ACTION_NONE;
		decision.reason = holds[in->hold].reason;
	}
	return decision;
}

static const char *const action_names[ACTION_COUNT] = {
	[ACTION_NONE] = "none",
	[ACTION_UPLOAD] = "upload",
	[ACTION_DOWNLOAD] = "download",
	[ACTION_ADOPT] = "adopt",
	[ACTION_FORGET] = "forget",
};

static const struct {
	const char *name;
	enum decide_class class;
} reasons[REASON_COUNT] = {
	[REASON_AGREED] = { "agreed", CLASS_AGREED },
	[REASON_UNKNOWN] = { "unknown", CLASS_WAITING },
	[REASON_NEW_LOCAL] = { "new-local", CLASS_PLANNED },
	[REASON_NEW_REMOTE] = { "new-remote", CLASS_PLANNED },
	[REASON_MISSING_LOCAL] = { "missing-local", CLASS_PLANNED },
	[REASON_MISSING_REMOTE] = { "missing-remote", CLASS_PLANNED },
	[REASON_LOCAL_CHANGED] = { "local-changed", CLASS_DIFFERING },
	[REASON_REMOTE_CHANGED] = { "remote-changed", CLASS_DIFFERING },
	[REASON_BOTH_CHANGED] = { "both-changed", CLASS_DIFFERING },
	[REASON_DIFFERENT] = { "different", CLASS_DIFFERING },
	[REASON_BOTH_NEW] = { "both-new", CLASS_AGREED },
	[REASON_GONE] = { "gone", CLASS_AGREED },
	[REASON_BLOCKED_NAME] = { "blocked-name", CLASS_BLOCKED },
	[REASON_BLOCKED_TYPE] = { "blocked-type", CLASS_BLOCKED },
	[REASON_DONE] = { "done", CLASS_AGREED },
	[REASON_ARCHIVED] = { "archived", CLASS_WAITING },
	[REASON_DAMAGED] = { "damaged", CLASS_WAITING },
};

const char *decide_action_name(enum decide_action action)
{
	return action_names[action];
}

const char *decide_reason_name(enum decide_reason reason)
{
	return reasons[reason].name;
}

enum decide_class decide_reason_class(enum decide_reason reason)
{
	return reasons[reason].class;
}

const char *decide_class_name(enum decide_class class)
{
	static const char *const names[] = {
		[CLASS_AGREED] = "agreed",
		[CLASS_PLANNED] = "planned",
		[CLASS_WAITING] = "waiting",
		[CLASS_DIFFERING] = "differing",
		[CLASS_BLOCKED] = "blocked",
	};

	return names[class];
}

int decide_action_parse(const char *name)
{
	for (int i = 0; i < ACTION_COUNT; i++)
		if (strcmp(action_names[i], name) == 0)
			return i;
	return -1;
}

int decide_reason_parse(const char *name)
{
	for (int i = 0; i < REASON_COUNT; i++)
		if (strcmp(reasons[i].name, name) == 0)
			return i;
	return -1;
}
