/* SPDX-License-Identifier: MIT */
/*
 * The simulator's core: one seed decides everything. Randomness, a clock that
 * only the simulation moves, faults, the moments at which the world may move
 * on or the program may be killed, and the first promise that was broken.
 */
#ifndef SIM_CORE_H
#define SIM_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

/* What can go wrong, each with a dial of its own. */
enum sim_fault {
	/* listings */
	FAULT_PAGE_FAILED,
	FAULT_PAGE_DENIED,
	FAULT_PAGE_UNORDERED,
	FAULT_PAGE_DUPLICATE,
	FAULT_PAGE_OUTSIDE,  /* holds a key outside the prefix */
	FAULT_PAGE_LOOPS,    /* its token leads back */
	FAULT_PAGE_NO_TOKEN, /* truncated, without saying how to go on */
	FAULT_PAGE_EMPTY,    /* legal: no keys, and more to come */
	/* GET and PUT alike */
	FAULT_FAILED,
	FAULT_DENIED,
	FAULT_REFUSED,
	FAULT_RETRIED, /* the attempt breaks, the next one begins anew */
	FAULT_GET_CUT,
	FAULT_GET_SIZE, /* another size than was listed */
	FAULT_GET_CORRUPT,
	FAULT_GET_CORRUPT_PARTS, /* the same of what was sent in parts */
	FAULT_GET_RIVAL,      /* another object takes its place just before */
	FAULT_PUT_CONFLICT,   /* 409: another writer is at it */
	FAULT_PUT_RIVAL,      /* somebody else was a moment faster */
	FAULT_LOOK_RIVAL,     /* … just before it is looked what is there */
	FAULT_PUT_LOST_REPLY, /* stored, reported as failed */
	FAULT_PUT_SELF_412,   /* stored, reply lost, the retry finds it there */
	FAULT_PUT_CORRUPT,    /* the server stores something else */
	FAULT_WAIT,           /* the event loop itself fails */
	/* the tree */
	FAULT_SCAN_FAILED,
	FAULT_READ,
	FAULT_READ_EDITED,   /* edited in place while it is read */
	FAULT_READ_REPLACED, /* its name is given to another file */
	FAULT_READ_OPEN,
	FAULT_READ_REWRITTEN, /* a slow writer begins just before the open */
	FAULT_WRITE_OPEN,
	FAULT_WRITE,
	FAULT_NO_SPACE, /* while writing */
	FAULT_REREAD,   /* reading back for the checksum */
	FAULT_PUBLISH,
	FAULT_PUBLISH_EXISTS, /* somebody takes the name at the last moment */
	FAULT_PUBLISH_UNSURE, /* linked, then the directory could not be synced
			       */
	FAULT_SYNC,           /* of what a download has so far */
	FAULT_GET_NO_RANGES,  /* the whole object comes instead */
	FAULT_PUBLISH_EDITED, /* edited between the link and the look at it */
	SIM_FAULT_COUNT
};

/* Fires by chance, or (times > 0) for certain at the calls after ${skip}. */
struct sim_dial {
	unsigned per_mille;
	unsigned skip, times;
};

struct sim {
	struct clock_source clock;
	uint64_t random_state;
	int64_t wall_ns, mono_ns;
	uint64_t hash; /* of all that happened */
	struct sim_dial dials[SIM_FAULT_COUNT];

	/* At every step the world may move on. Not while ${still} is set. */
	void (*world)(void *arg);
	/* The program is killed at this step; 0: never. */
	uint64_t steps, kill_at;
	void (*killed)(void *arg);
	void *arg;
	bool still;
	bool dead; /* killed: nothing has an effect any more */

	bool verbose;
	char broken[1024]; /* the first broken promise; "": none */
};

void sim_init(struct sim *sim, uint64_t seed); /* and installs the clock */
void sim_release(struct sim *sim);             /* and removes the clock */

uint64_t sim_random(struct sim *sim);
uint64_t sim_below(struct sim *sim, uint64_t limit); /* 0 … limit - 1 */
bool sim_chance(struct sim *sim, unsigned per_mille);
bool sim_fault(struct sim *sim, enum sim_fault fault);
/* Makes ${fault} happen for certain, ${times} times after ${skip}. */
void sim_script(struct sim *sim, enum sim_fault fault, unsigned skip,
    unsigned times);

/* The program has called out: time passes, others act, it may be killed. */
void sim_step(struct sim *sim);
void sim_pass(struct sim *sim, int64_t ns);

/* Adds to the history. */
void sim_event(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A promise is broken; only the first is kept. */
void sim_broken(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A key for messages, in one of a few static buffers. */
const char *sim_text(const char *key, size_t len);

/* A set of keys. */
struct sim_keys {
	struct sim_key {
		char *bytes;
		size_t len;
	} * items;
	size_t count, room;
};
void sim_keys_add(struct sim_keys *keys, const char *key, size_t len);
bool sim_keys_has(const struct sim_keys *keys, const char *key, size_t len);
/* Is ${key} below, or itself, one of ${keys}? "d/" counts as "d". */
bool sim_keys_covers(const struct sim_keys *keys, const char *key, size_t len);
void sim_keys_release(struct sim_keys *keys);

/*
 * What the program was shown in this cycle: it must not act on what it was
 * not. Shared by the tree and the bucket of one machine.
 */
struct sim_shown {
	bool scanned, listed; /* whole, and believable */
	struct sim_keys local, unknown, remote;
};
void sim_shown_reset(struct sim_shown *shown);

#endif
