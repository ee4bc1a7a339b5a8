/* SPDX-License-Identifier: MIT */
/*
 * The probe: tries once which conditional writes the server honours, on keys
 * of its own below the prefix's `.s3sync/`, and records the answers in the
 * manifest (sync/capability.h) with their date. It begins with a DELETE of a
 * key that never was: where that is refused, nothing could be cleaned up
 * again, and nothing is made. Its keys are recorded before they are made, so
 * that what a killed probe leaves is removed by the next cycle; no other key
 * is ever touched. About 18 small requests, once in 30 days.
 *
 * The one thing that may be left is an upload in parts, without any part,
 * that was begun in the very moment of the kill. In a bucket that keeps
 * versions, versions and delete markers of the probe's keys stay.
 */
#ifndef SYNC_PROBE_H
#define SYNC_PROBE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"
#include "manifest/manifest.h"
#include "sync/bucket.h"
#include "sync/capability.h"

struct probe_request {
	struct bucket *bucket; /* the bare one, without carefulness */
	struct manifest *manifest;
	const char *of;        /* "ENDPOINT/BUCKET" */
	bool writes;           /* the cycle is about to write */
	bool allowed;          /* by the option `probe` */
	enum s3_checksum checksum; /* that goes with uploads */
	const volatile sig_atomic_t *stop; /* NULL: never */
	int64_t until_ns;      /* mono: what is unknown then stays so; 0: never */
};

/*
 * Before a cycle's first write: removes what a killed probe has left; then,
 * if the cycle writes, fills ${capability} from the manifest, or by a probe
 * if one is due. 0: also where the probe found no answer (the log has a
 * warning: what is unknown is not trusted then). -1: manifest, credentials
 * or bucket failed, or it was stopped.
 */
int probe_run(const struct probe_request *request,
    struct capability *capability, struct error *err);
/* After the last write: a record that is doubted is forgotten, so that the
 * next cycle that writes probes again. */
int probe_end(const struct probe_request *request,
    const struct capability *capability, struct error *err);

/* What the manifest has on record; nothing is known if it has none. */
int probe_recall(struct manifest *manifest, const char *of,
    struct capability *capability, struct error *err);
/*
 * The same probe for whoever only wants to know: nothing is recorded or
 * warned of, and of ${request} manifest, writes and allowed do not count. Its
 * keys are ${key} and ${key}.copy. 1: it found no answer, and *err says why;
 * -1: it could not remove what it made, and *err says why.
 */
int probe_try(const struct probe_request *request, const char *key,
    struct capability *capability, struct error *err);

/* What a probe puts, for whoever else tries something: fills size, hashes and
 * read of ${put}, whose hashes are in ${content} until it is done. */
struct probe_content {
	unsigned char sha256[DIGEST_SHA256_SIZE], md5[DIGEST_MD5_SIZE],
	    checksum[DIGEST_MAX];
};
void probe_content_fill(struct probe_content *content, struct bucket *bucket,
    enum s3_checksum checksum, struct s3_put *put);

#endif
