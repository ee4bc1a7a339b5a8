/* SPDX-License-Identifier: MIT */
/*
 * A bucket in memory. The store holds the objects, and is shared; a client
 * (struct sim_bucket) answers one machine's requests, a little at each wait,
 * in no order, and watches what the program asks for.
 */
#ifndef SIM_BUCKET_H
#define SIM_BUCKET_H

#include "sim_condition.h"
#include "sim_content.h"
#include "sim_core.h"
#include "sync/bucket.h"

enum sim_etags {
	SIM_ETAGS_MD5,
	SIM_ETAGS_KMS,    /* 32 hex digits that are no MD5; replies say so */
	SIM_ETAGS_OPAQUE, /* not 32 hex digits */
	SIM_ETAGS_COUNT,  /* of those that worlds have */
	SIM_ETAGS_SILENT  /* as KMS, and no reply says so */
};

struct sim_object {
	char *key; /* relative to the prefix; see outside */
	size_t len;
	struct sim_content *content;
	unsigned char etag[ETAG_MAX];
	struct remote_sig sig;
	int64_t meta_mtime_ns;
	bool archived;
	bool etag_not_md5;
	uint64_t born; /* the store's n-th write */
	const struct sim_bucket *by; /* NULL: others */
	bool stray; /* a probe's, and no record can tell of it any more */
};

/* An upload in parts, until it is completed or aborted. */
struct sim_upload {
	char *id;
	char *key;
	size_t len;
	const struct sim_bucket *by;
	bool stray; /* as above; or its program never heard of it */
	int64_t mtime_ns;
	struct sim_part {
		int number;
		struct sim_content *content;
		unsigned char etag[ETAG_MAX];
		struct etag named; /* its bytes are in ${etag} */
	} *parts; /* in order */
	size_t count, room;
};

struct sim_store {
	struct sim *sim;
	const char *prefix;
	enum sim_etags etags;
	bool parts_made_up;         /* ETags of parts are of nothing */
	bool signs;                 /* wants SHA-256 of payloads */
	struct sim_conditions conditions;
	bool spoils;        /* uploads whose completion it did not do */
	bool silent_copies; /* no reply tells the ETag of a copy */
	uint64_t writes;    /* of objects, so far */
	int64_t losses[SIM_LOSS_COUNT]; /* of others' objects */
	struct sim_object *objects; /* in key order */
	size_t count, room;
	struct sim_upload **uploads;
	size_t upload_count, upload_room;
	struct sim_history history;
	int64_t written_by_program;
	struct sim_keys corrupted;  /* of them, not as they were sent */
	int64_t damages;            /* GETs that arrived damaged, and … */
	int64_t damaged_parts;      /* … those of objects in parts */
};

void sim_store_init(struct sim_store *store, struct sim *sim,
    const char *prefix);
void sim_store_release(struct sim_store *store);
struct sim_object *sim_store_find(struct sim_store *store, const char *key,
    size_t len);
/* What others do. */
struct sim_object *sim_store_put(struct sim_store *store, const char *key,
    size_t len, struct sim_content *content);
struct sim_object *sim_store_put_parts(struct sim_store *store,
    const char *key, size_t len, struct sim_content *content,
    int64_t part_size);
void sim_store_remove(struct sim_store *store, const char *key, size_t len);

struct sim_request;

/* When a key was listed alone, and was not there. */
struct sim_look {
	char *key;
	size_t len;
	uint64_t writes; /* of the store until then */
};

struct sim_bucket {
	struct bucket base;
	struct sim *sim;
	struct sim_store *store;
	struct sim_shown *shown;         /* may be NULL */
	const struct sim_history *files; /* what may be sent; or NULL */
	int page_keys;                   /* at most so many; 0: 1 to 4 */
	unsigned steps;                  /* taken in one wait; 0: 1 to 4 */
	/* What the program knows of conditions; NULL: that all are honoured. */
	const struct capability *capability;
	struct sim_look *looks;
	size_t look_count, look_room;
	struct sim_keys rejected; /* not to be sent under a condition again */
	/* The program knows that ETags are MD5s, and cuts its parts so; 0: it
	 * does not know. */
	int64_t judges_parts;
	struct sim_request **requests;
	size_t count, room;
	bool woken;
	uint64_t tokens;
	struct s3_usage usage;
};

void sim_bucket_init(struct sim_bucket *b, struct sim_store *store);
void sim_bucket_release(struct sim_bucket *b);
/* Is the ${i}-th request that is under way a LIST? */
bool sim_bucket_is_listing(const struct sim_bucket *b, size_t i);

#endif
