/* SPDX-License-Identifier: MIT */
/*
 * A bucket from inside. A request waits in a queue, then holds one of a fixed
 * number of slots until it is done; a slot is in exchange with the server,
 * waits for the time of its next attempt, or is held because nobody is served.
 * The window says how many slots may be in exchange.
 *
 *   s3.c            queue, slots and the loop; how a request ends
 *   s3_operation.c  what can be asked: the table of operations
 *   s3_multipart    of them, those of multipart uploads
 *   s3_setting      of them, what is set for the bucket
 *   s3_attempt.c    one attempt: what is sent, and what comes back
 *   s3_failure.c    what a bad reply means
 *   s3_clock.c      what replies say about our clock
 *   s3_signer.c     who signs, and what if those keys are refused
 */
#ifndef S3_S3_INTERNAL_H
#define S3_S3_INTERNAL_H

#include <stdatomic.h>

#include "s3/endpoint.h"
#include "s3/http.h"
#include "s3/keyring.h"
#include "s3/quota.h"
#include "s3/retry.h"
#include "s3/s3.h"
#include "s3/s3_multipart.h"
#include "s3/s3_setting.h"
#include "s3/skew.h"
#include "s3/window.h"
#include "s3/wire.h"
#include "s3/xml.h"
#include "s3/xml_document.h"

struct request {
	struct request *next; /* in the queue */
	enum s3_kind kind;
	union {
		struct s3_list list;
		struct s3_get get;
		struct s3_put put;
		struct s3_delete delete;
		struct s3_copy copy;
		struct s3_multipart_create create;
		struct s3_multipart_complete complete;
		struct s3_multipart_abort abort;
		struct s3_multipart_parts parts;
		struct s3_setting_ask setting;
	} ask;
	char token[S3_MULTIPART_TOKEN_SIZE]; /* of a PUT under a condition */
	struct strbuf body; /* of a completion */
	int attempts;
	int throttled;      /* of them, answered by "ask less" */
	int excused;        /* of the others, made before an outage ended */
	int spent;          /* of the quota */
	int64_t failed_ns;  /* when it first met trouble; 0: not yet */
	/* How it ends if that is its own; in its place the bucket is asked
	 * for, to tell whether anybody is served. NULL: it is itself asked. */
	struct s3_result *own_end;
	bool aborted;
	bool with_md5;      /* content_md5, when it was sent */
	bool with_restore;  /* restore_status, when it was sent */
	bool clock_learned; /* from the answer to this very request */
	bool renewed;       /* it was tried again with other keys */
	bool doubtful;      /* a write that may have been done unheard */
	bool settling;      /* and now we ask what is there */
	int doubt_status;   /* of the reply that made us ask */
	unsigned asked_in;  /* s3->moves as of the last attempt */
	bool relocated;     /* this request met a wrong region before */
	bool locating;      /* and now we ask where the bucket is */
};

/* What a good reply's body is. */
enum reply {
	REPLY_NOTHING,  /* the head says it all */
	REPLY_PAGE,     /* a listing, parsed as it comes */
	REPLY_OBJECT,   /* handed over as it comes */
	REPLY_DOCUMENT, /* a small one, kept */
};

struct slot;

/* One row for each kind of request. */
struct operation {
	enum reply reply;
	/* Writes the request into slot->wire. */
	void (*send)(struct slot *slot, const struct wire_sender *sender,
	    int64_t wall_ns);
	/* A good reply is whole: ends in s3_complete_done or s3_failure_…. */
	void (*take)(struct slot *slot);
	/* ${value} is what s3_complete_done was given, else NULL. */
	void (*done)(const struct request *r, const struct s3_result *result,
	    void *value);
	/* What it does is done once: a reply that was lost leaves a doubt. */
	bool writes;
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
	unsigned signed_with;    /* the number of the keys, see keyring.h */
	struct s3_result *refusal; /* how it ends if there are no others */
	struct wire wire;
	/* of the reply under way */
	struct xml_page *page;   /* LIST */
	struct strbuf body;      /* of what is neither page nor object */
	struct s3_head head;     /* what the reply's head says */
	enum s3_receipt receipt; /* PUT */
	unsigned char etag_room[ETAG_MAX];
	bool begun;              /* GET: begin() was called */
	int64_t received;        /* GET: handed over */
	bool refused;            /* we hung up on it: see garbled and changed */
	const char *garbled;     /* why a 200 is not believed */
	bool changed;            /* GET: the ETag is not what was asked for */
	struct error stop;       /* a callback's, else ERROR_NONE */
};

struct s3 {
	struct endpoint_options where; /* its texts are ours */
	char *prefix;            /* before every key; "" if none */
	struct endpoint endpoint;
	unsigned moves;          /* how often the region turned out another */
	bool unproven;           /* no request was done since the last move */
	struct keyring *keyring; /* NULL: the keys are what they are */
	struct s3_credentials credentials; /* empty: nothing is signed */
	struct sigv4 *signer;    /* of these; NULL: none */
	unsigned signer_number;  /* of these */
	unsigned refused_number; /* of those that are to be renewed */
	bool renewing;           /* nothing starts until they are */
	enum s3_signing signing;
	struct s3_properties properties;
	bool content_md5;        /* the server insists on it */
	bool restore_status;     /* there are archives: LIST asks for it … */
	bool restore_refused;    /* … but not of this server */
	int attempts;
	struct http *http;
	char *proxy_name;        /* for messages; NULL: none */
	const char *proxy_variable;

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
	int64_t told_outage_ns;  /* the last outage that was told of; 0: none */

	struct skew skew;
	bool clock_told;         /* by a reply: its time was ours plus … */
	int64_t told_ns;
	bool clock_warned;
	bool aborting;           /* some requests are marked aborted */
	bool called;             /* a callback ran in this s3_wait */
	bool in_wait;
	atomic_bool woken;
	struct s3_usage usage;
};

/* ---- s3.c: how a request ends; its slot is free before done() runs ------- */

/* The reply was good: the window may widen. ${value} is for the operation's
 * done(). */
void s3_complete_done(struct slot *slot, const struct etag *etag,
    bool etag_not_md5, void *value);
/* A callback said stop. */
void s3_complete_stopped(struct slot *slot);
void s3_complete(struct slot *slot, struct s3_result *result, void *value);
/* Not yet: ${delay_ns} from now it is tried again. */
void s3_try_again(struct slot *slot, int64_t delay_ns);
/* Nobody is served: it is tried again when somebody is, or ends as ${result}
 * says. */
void s3_hold(struct slot *slot, const struct s3_result *result);
/* The server has answered this request, well or for good. */
void s3_served(struct slot *slot);
/* From here on in ${region}. False: it is no region, or the same one. */
bool s3_move(struct s3 *s3, const char *region);

/* A new request at the end of the queue. */
struct request *s3_enqueue(struct s3 *s3, enum s3_kind kind);

/* ---- s3_operation.c ------------------------------------------------------ */

/* A HEAD where it settles a doubt or locates the bucket, whatever was asked
 * for. */
enum s3_kind s3_operation_kind(const struct request *r);
const struct operation *s3_operation_of(const struct request *r);
/* Tells the caller, once the request has left its slot. */
void s3_operation_done(const struct request *r, const struct s3_result *result,
    void *value);
/* Reads it into slot->head: false if it is not S3's, and why in
 * slot->garbled. */
bool s3_operation_head(struct slot *slot);
/* The document in a reply, or NULL: then the request has ended, or is tried
 * again. */
struct xml_document *s3_operation_document(struct slot *slot, const char *root);

/* ---- s3_multipart.c ------------------------------------------------------ */

extern const struct operation s3_multipart_create_operation,
    s3_multipart_complete_operation, s3_multipart_abort_operation,
    s3_multipart_parts_operation;

/* ---- s3_setting.c ------------------------------------------------------- */

extern const struct operation s3_setting_operation;

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
/* A reply ends, whatever it says. */
void s3_clock_note(struct slot *slot);
/* The reply is to a request that was taken: is our time still right? */
void s3_clock_check(struct slot *slot);

/* ---- s3_signer.c -------------------------------------------------------- */

void s3_signer_init(struct s3 *s3, const struct s3_options *options);
void s3_signer_release(struct s3 *s3);
/* Signs for the endpoint's region from now on. */
void s3_signer_make(struct s3 *s3);
/* Takes over what the keyring has found. */
void s3_signer_turn(struct s3 *s3);
/* The server refused the keys of ${slot}'s request. Whether the request has
 * another chance with others: then it is tried again once they are there,
 * and ends with ${refusal} if there are none. */
bool s3_signer_renews(struct slot *slot, const struct s3_result *refusal);

/* ---- s3_failure.c: each ends in s3_try_again or s3_complete -------------- */

/* ${reply}'s curl or status, and error, say what the server said. */
void s3_failure_reply(struct slot *slot, struct retry_reply *reply);
/* A status that is no success, with the body that came with it. */
void s3_failure_status(struct slot *slot, int status);
/* A write may have been done: one HEAD tells, by our token. If it was not,
 * the request ends as by a reply of ${status}: 412 or 404. */
void s3_failure_settle(struct slot *slot, int status);
/* It was not. */
void s3_failure_not_ours(struct slot *slot);
/* The answer to the question whether anybody is served. */
void s3_failure_own(struct slot *slot, const struct http_end *end);
/* The answer to the question where the bucket is. */
void s3_failure_located(struct slot *slot, int status);
/* A 200 that S3 cannot have meant. */
void s3_failure_garbled(struct slot *slot, const char *why);
/* No whole reply. */
void s3_failure_exchange(struct slot *slot, const struct http_end *end);

#endif
