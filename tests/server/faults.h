/* SPDX-License-Identifier: MIT */
/*
 * Faults by script. A rule says which requests it meets and what happens to
 * them; README.md has the grammar. All rules that fire on one request are
 * laid over one another, the later over the earlier.
 */
#ifndef SERVER_FAULTS_H
#define SERVER_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"

/* How the listing of a page goes wrong. */
enum fault_page {
	FAULT_PAGE_NONE,
	FAULT_PAGE_TRUNCATE_XML,
	FAULT_PAGE_UNORDERED,
	FAULT_PAGE_LOOP,
	FAULT_PAGE_NO_TOKEN,
	FAULT_PAGE_OUTSIDE_PREFIX,
	FAULT_PAGE_DUPLICATE_KEY,
	FAULT_PAGE_EMPTY,
	FAULT_PAGE_NO_ENCODING,
};

/* What becomes of the answer. */
enum fault_answer {
	FAULT_ANSWER_NONE,
	FAULT_ANSWER_RESET_BEFORE, /* nothing is done */
	FAULT_ANSWER_RESET_AFTER,  /* it is done, nobody hears of it */
	FAULT_ANSWER_STATUS,       /* fault.status and fault.code */
	FAULT_ANSWER_BODY_ERROR,   /* 200, and fault.code in the body */
	FAULT_ANSWER_HTML,
	FAULT_ANSWER_HANG, /* nothing is done, closed after wait_ms */
};

#define FAULT_CODE_MAX 64

/* What one request suffers; all zero (and -1): nothing. */
struct fault {
	enum fault_answer answer;
	int64_t status;
	char code[FAULT_CODE_MAX];
	char region[FAULT_CODE_MAX];      /* x-amz-bucket-region; "": none */
	int64_t retry_after_s; /* -1: no such header */
	int64_t amz_retry_after_ms; /* the same */
	bool late;             /* the operation is done all the same */
	enum fault_page page;
	int64_t page_max;       /* keys on one page; 0: as asked */
	int64_t cut_at;         /* bytes of the reply's body; -1: whole */
	int64_t cut_header_at;  /* bytes of its header; -1: whole */
	int64_t cut_upload_at;  /* bytes of the request's body; -1: whole */
	int64_t short_by;       /* so many bytes less, in a sound reply */
	int64_t long_by;        /* Content-Length promises so much more */
	int64_t wait_ms;        /* before the answer */
	int64_t upload_wait_ms; /* before the request's body is taken */
	int64_t upload_bytes_per_s; /* of which it is taken; 0: unlimited */
	int64_t bytes_per_s;    /* 0: as fast as it goes */
	int64_t skew_s;         /* the server's clock is off by this */
	bool wrong_etag;
	bool no_etag;
	bool ignore_conditions;
	bool reject_conditions;
	bool corrupt;
	bool damage;
	bool unchecked;
	bool kms;
	bool opaque_etag;
	bool wrong_checksum;
	bool object_lock;
	bool requester_pays;
	bool reject_attributes;
	bool archived;
	bool no_ranges;
};

#define FAULT_NONE                                                      \
	{                                                               \
		.retry_after_s = -1, .amz_retry_after_ms = -1, .cut_at = -1, .cut_header_at = -1, \
		.cut_upload_at = -1                                     \
	}

struct faults;

/* ${is_kind}: which kinds of request there are. */
struct faults *faults_new(bool (*is_kind)(const char *name));
void faults_free(struct faults *f);
/* Adds rules, one a line; none of them if one is wrong. */
int faults_add(struct faults *f, const char *text, struct error *err);
void faults_clear(struct faults *f);
/* The rules as they were given, each with how often it fired. */
void faults_print(struct faults *f, struct strbuf *out);

/* Which rules fire on this request; counts it. ${page}: of a LIST, else 0. */
void faults_match(struct faults *f, const char *kind, const char *key,
    int64_t page, struct fault *fault);
/* Does an `archived` rule name this key? For listings; counts nothing. */
bool faults_archived(struct faults *f, const char *key);
bool faults_any(struct faults *f); /* cheap */

#endif
