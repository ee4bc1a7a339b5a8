/* SPDX-License-Identifier: MIT */
/*
 * What the files of a check share.
 *
 *   check.c         results in their order, and the exit status
 *   check_local.c   configuration, root, manifest, marker
 *   check_access.c  credentials, and what the first answer tells: endpoint,
 *                   signature, region, clock, bucket
 *   check_bucket.c  the listing, and what is set for the bucket
 *   check_object.c  what may be done with objects, tried on keys of our own
 */
#ifndef SYNC_CHECK_INTERNAL_H
#define SYNC_CHECK_INTERNAL_H

#include <stdint.h>

#include "base/clock.h"
#include "manifest/manifest.h"
#include "s3/keyring.h"
#include "s3/s3_setting.h"
#include "sync/bucket.h"
#include "sync/check.h"
#include "sync/check_policy.h"
#include "sync/tree.h"

/* For credentials; and then for all else together. */
#define CHECK_PATIENCE_NS (10 * CLOCK_SECOND)

#define CHECK_KEY_MAX 64
#define CHECK_TEXT_MAX ((size_t)16384)

/* One question to the server. */
#define CHECK_NOT_ASKED { .done = true }
struct check_answer {
	bool done;
	bool late; /* asked when no time was left: see check_ask */
	enum s3_outcome outcome;
	struct error error;
};

struct check_setting {
	struct check_answer answer;
	char *value; /* NULL unless S3_DONE */
};

struct check {
	const struct check_request *request;
	const struct conf_pair *pair;
	int status;              /* so far */
	enum check_item next;    /* the first that was not told of */
	bool writes;             /* objects may be made */
	int64_t until_ns;        /* mono: what was not answered then is not */
	bool cleaning;           /* all that is left to do: see check_clean */

	struct tree *tree;       /* NULL: the root cannot be read */
	struct manifest *manifest; /* NULL: there is none that can be read */
	struct keyring *keyring; /* NULL: nothing is signed */
	struct s3 *s3;           /* the bucket's */
	struct bucket *bucket;   /* NULL: it cannot be addressed */
	char *endpoint;          /* endpoint_home of it */

	/* of the bucket */
	char *first, *second;    /* its keys, relative; NULL: none */
	size_t first_len, second_len;
	bool listable;
	bool url_encoded;
	char *smallest;          /* of the keys seen that can be read */
	size_t smallest_len;
	int64_t smallest_size;
	struct check_setting settings[S3_SETTING_COUNT];

	/* our own */
	char key[CHECK_KEY_MAX];
	struct check_answer list_left, abort_none, delete_none;
	struct strbuf left;      /* keys of a killed check, each with its NUL */
	bool may_delete, may_abort, may_put;
	bool may_be_there;       /* the object of that key */
	int64_t made;            /* objects and uploads */
	int64_t swept;           /* what a killed check had left */
	struct error stays;      /* why something could not be removed */
};

/* ---- check.c ------------------------------------------------------------- */

/* Items before ${item} that nothing was told of are skipped. ${statement} and
 * ${remedy} may be NULL. */
void check_tell(struct check *c, enum check_item item,
    enum check_verdict verdict, const char *remedy, const char *statement,
    const char *format, ...) __attribute__((format(printf, 6, 7)));
/* What ${err} says, cut into what was found and what to do. */
void check_tell_error(struct check *c, enum check_item item,
    enum check_verdict verdict, const struct error *err,
    const char *statement);
/* The same, of a permission that is missing where the server said "denied". */
void check_tell_answer(struct check *c, enum check_item item,
    enum check_verdict verdict, const struct check_answer *answer,
    const char *action, enum check_policy_scope scope);
/* "what was seen (evidence)" and "do this": malloc'ed; *remedy may be NULL. */
void check_split(const char *text, char **found, char **remedy);

/* ---- asking: together, then one answer after the other is awaited -------- */

/* Before each question: clears its answer. */
void check_ask(const struct check *c, struct check_answer *answer);
void check_answered(struct check_answer *answer,
    const struct s3_result *result);
/* For callbacks: ${arg} is a struct check_answer. */
void check_on_done(void *arg, const struct s3_result *result);
/* Moves all on until this one is answered, one way or the other. */
void check_await(struct check *c, struct check_answer *answer);
bool check_is_over(const struct check *c); /* stopped, or out of time */
/* From here on it is only removed what was made: some time for that is there
 * even for those who are stopped or late. */
void check_clean(struct check *c);

/* ---- the parts ------------------------------------------------------------ */

void check_local(struct check *c);
/* Opens the bucket and asks it once: false where nothing more can be asked. */
bool check_access(struct check *c);
/* Asks for the settings, of which is told last. */
void check_bucket_ask(struct check *c);
/* Asks all that can be asked without making anything; only then comes what
 * makes something. */
void check_object_ask(struct check *c);
/* The listing. */
void check_bucket(struct check *c);
void check_object(struct check *c);
void check_bucket_settings(struct check *c);
void check_object_written(struct check *c);

/* "AKIA…WXYZ": enough to tell which key it is. Pure. */
void check_access_mask(const char *access_key, struct strbuf *out);
/* Of the clock: whole seconds, either sign. Pure. */
enum check_verdict check_access_clock(int64_t offset_ns);

#endif
