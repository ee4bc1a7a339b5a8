/* SPDX-License-Identifier: MIT */
/*
 * A bucket from inside. A request waits in a queue, then holds one of a fixed
 * number of slots until it is done; a slot is in exchange with the server,
 * waits for the time of its next attempt, or is held because nobody is served.
 * The window says how many slots may be in exchange.
 *
 *   s3.c          queue, slots and the loop; how a request ends
 *   s3_attempt.c  one attempt, and what a good reply gives
 *   s3_failure.c  what a bad one means
 *   s3_clock.c    what they say about our clock
 */
#ifndef S3_S3_INTERNAL_H
#define S3_S3_INTERNAL_H

#include <stdatomic.h>

#include "s3/endpoint.h"
#include "s3/http.h"
#include "s3/quota.h"
#include "s3/retry.h"
#include "s3/s3.h"
#include "s3/skew.h"
#include "s3/window.h"
#include "s3/wire.h"
#include "s3/xml.h"

struct request {
	struct request *next; /* in the queue */
	enum s3_kind kind;
	union {
		struct s3_list list;
		struct s3_get get;
		struct s3_put put;
	} ask;
	int attempts;
	int throttled;      /* of them, answered by "ask less" */
	int spent;          /* of the quota */
	bool aborted;
	bool clock_learned; /* from the answer to this very request */
	bool doubtful;      /* a PUT that may have been done unheard */
	bool settling;      /* and now we ask what is there */
};

struct slot {
	struct s3 *s3;
	struct request *request; /* NULL: free */
	struct slot *next_free;
	struct http_call *call;  /* NULL until first used */
	bool waiting;            /* for due_ns, then tries again */
	int64_t due_ns;
	int64_t sent_ns;         /* when this attempt began */
	int64_t sent_wall_ns;    /* by our clock */
	struct s3_result *held;  /* how it ends if the outage does not */
	struct wire wire;
	/* of the reply under way */
	struct xml_page *page;   /* LIST */
	struct strbuf body;      /* of what is neither page nor object */
	bool begun;              /* GET: begin() was called */
	struct etag etag;        /* GET: of the object that began */
	bool etag_not_md5;
	unsigned char etag_room[ETAG_MAX];
	int64_t received;        /* GET: handed over */
	bool refused;            /* we hung up on it: see garbled and changed */
	const char *garbled;     /* why a 200 is not believed */
	bool changed;            /* GET: the ETag is not what was asked for */
	struct error stop;       /* a callback's, else ERROR_NONE */
};

struct s3 {
	struct endpoint endpoint;
	struct sigv4 *signer;
	char *bucket;
	char *session_token;
	enum s3_signing signing;
	int attempts;
	struct http *http;

	struct slot *slots;
	struct slot *free_slots;
	size_t slot_count;
	size_t busy;
	size_t waiting;          /* of the busy ones */
	size_t held;             /* of the busy ones, and none waits, too */
	size_t probe;            /* the slot after the last that probed */
	struct request *queue;
	struct request **queue_end;

	struct window window;
	struct quota quota;

	struct skew skew;
	bool clock_warned;
	bool aborting;           /* some requests are marked aborted */
	bool called;             /* a callback ran in this s3_wait */
	bool in_wait;
	atomic_bool woken;
	struct s3_usage usage;
};

/* ---- s3.c: how a request ends; its slot is free before done() runs ------- */

/* The reply was good: the window may widen. */
void s3_complete_done(struct slot *slot, const struct etag *etag,
    bool etag_not_md5, struct s3_page *page);
/* A callback said stop. */
void s3_complete_stopped(struct slot *slot);
void s3_complete(struct slot *slot, struct s3_result *result,
    struct s3_page *page);
/* Not yet: ${delay_ns} from now it is tried again. */
void s3_try_again(struct slot *slot, int64_t delay_ns);
/* Nobody is served: it is tried again when somebody is, or ends as ${result}
 * says. */
void s3_hold(struct slot *slot, const struct s3_result *result);
/* The server has answered this request, well or for good. */
void s3_served(struct slot *slot);

/* ---- s3_attempt.c ------------------------------------------------------- */

extern const struct http_events s3_attempt_events;
/* Signs the request anew and hands it to libcurl. */
void s3_attempt_start(struct slot *slot);

/* ---- s3_clock.c --------------------------------------------------------- */

/* The server's time, as far as we know. */
int64_t s3_clock_now_ns(const struct s3 *s3);
/* Our time was refused. False: the server does not say what its own is, or
 * has refused that, too. */
bool s3_clock_learn(struct slot *slot, const struct xml_error *error);
/* The reply is to a request that was taken: is our time still right? */
void s3_clock_check(struct slot *slot);

/* ---- s3_failure.c: each ends in s3_try_again or s3_complete -------------- */

/* ${reply}'s curl or status, and error, say what the server said. */
void s3_failure_reply(struct slot *slot, struct retry_reply *reply);
/* A status that is no success, with the body that came with it. */
void s3_failure_status(struct slot *slot, int status);
/* A 200 that S3 cannot have meant. */
void s3_failure_garbled(struct slot *slot, const char *why);
/* No whole reply. */
void s3_failure_exchange(struct slot *slot, const struct http_end *end);

#endif
