/* SPDX-License-Identifier: MIT */
/*
 * What each failure means: whether to ask again and when, how the request
 * ends if not, and what to tell. One table answers all of it. Pure.
 */
#ifndef S3_RETRY_H
#define S3_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "s3/s3.h"
#include "s3/xml.h"

enum retry_class {
	RETRY_TRANSIENT,   /* ask again after a short while */
	RETRY_THROTTLE,    /* ask again after a longer while, and ask less */
	RETRY_CLOCK,       /* learn the server's time, ask again at once */
	RETRY_CREDENTIALS, /* other keys might do; these do not */
	RETRY_REGION,      /* another region might do */
	RETRY_CONFLICT,    /* a condition did not hold */
	RETRY_KEY,         /* this key has no other answer */
	RETRY_FATAL,       /* no key has another answer */
};

/* What was asked for, as far as it decides what an answer means. A completion
 * has its condition's bit, too. */
enum retry_asked {
	RETRY_LIST = 1,
	RETRY_GET = 2,
	RETRY_HEAD = 4,
	RETRY_PUT = 8,       /* whatever is there */
	RETRY_PUT_NEW = 16,  /* If-None-Match: * */
	RETRY_PUT_SAME = 32, /* If-Match */
	RETRY_DELETE = 64,
	RETRY_COMPLETE = 128,
	RETRY_ABORT = 256,
	RETRY_PARTS = 512,   /* ListParts */
	RETRY_DELETE_SAME = 1024, /* If-Match; with RETRY_DELETE */
};

/* A 2xx reply that S3 cannot have meant, in the place of a CURLcode. */
#define RETRY_GARBLED (-1)
/* A proxy did not connect us to the server, and said ${status}, or 0 if it
 * does not speak HTTP. */
#define RETRY_PROXY (-2)
/* The proxy itself cannot be reached. */
#define RETRY_NO_PROXY (-3)

struct retry_reply {
	unsigned asked;          /* enum retry_asked, or'ed */
	int curl;               /* CURLcode, RETRY_…, or 0: see status */
	int status;             /* HTTP */
	int sys;                /* errno of a failed connect, or 0 */
	long verify;            /* X509_V_ERR_… of a certificate, or 0 */
	const char *detail;     /* libcurl's words, or what is garbled */
	struct xml_error error; /* what the body said */
	const char *own_region; /* and where we asked */
	const char *bucket;
	const char *endpoint;   /* "http://127.0.0.1:9000" */
	const char *server;     /* "127.0.0.1:9000" */
	const char *proxy;      /* "127.0.0.1:3128"; NULL: not known */
	const char *proxy_variable; /* that named it; NULL: the same */
	bool is_public;         /* it was asked without a signature */
	int attempts;
};

struct retry_rule {
	int curl;                /* 0: any */
	long verify;             /* 0: any */
	int status;              /* 0: any */
	const char *code;        /* NULL: any */
	unsigned asked;           /* 0: any; else enum retry_asked, or'ed */
	bool names_condition;    /* only where it names the header */
	enum retry_class class;
	enum s3_outcome outcome; /* if not asked again */
	enum error_kind kind;
	int attempts;            /* at most; 0: as many as are allowed */
	int first_attempts;      /* the same, of a server never heard yet */
	const char *what;        /* the message: what failed … */
	const char *remedy;      /* … what to do; NULL: the server's words */
};

/* What the server says about the wait; 0: nothing. */
struct retry_wish {
	int64_t least_ns; /* Retry-After: no sooner, within reason */
	int64_t about_ns; /* x-amz-retry-after: its choice, within 5 s of ours */
};

/* The rule for ${reply}; there is always one. */
const struct retry_rule *retry_find(const struct retry_reply *reply);

/* Does it tell of trouble at the server or on the way to it, and nothing of
 * what was asked for? */
bool retry_is_trouble(const struct retry_rule *rule);

/* How long to wait before the next attempt, after ${failures} (1 or more):
 * full jitter by ${random}, and what the server wishes. */
int64_t retry_delay_ns(enum retry_class class, int failures,
    const struct retry_wish *wish, uint64_t random);

/* Fills *err by ${rule}: one line, no secret, whatever the server wrote. */
void retry_explain(const struct retry_rule *rule,
    const struct retry_reply *reply, struct error *err);

#endif
