/* SPDX-License-Identifier: MIT */
/*
 * What was begun and not ended: uploads in parts, with the parts that the
 * server has, and downloads in ranges, with those that are on the disk. Rows
 * are written before what they tell of is begun, and dropped when it has
 * ended; they are no truth about either side, only where to go on. Writes are
 * sticky, as those of manifest.h.
 */
#ifndef MANIFEST_RESUME_H
#define MANIFEST_RESUME_H

#include "manifest/manifest.h"

struct manifest_upload {
	const char *key;
	size_t key_len;
	const char *upload_id;  /* the server's name for it */
	const char *token;      /* in the object's metadata */
	int64_t part_size;      /* bytes; the last part may be smaller */
	const char *checksum;   /* the kind that goes with each part, or "" */
	struct local_sig local; /* of the file that it was begun with */
	int64_t started_ns;
};

struct manifest_part {
	int number;             /* from 1 */
	struct etag etag;       /* as the server named it */
	const unsigned char *checksum; /* that went with it; NULL: none */
	size_t checksum_len;
};

struct manifest_download {
	const char *key;
	size_t key_len;
	struct remote_sig remote; /* of the object that it was begun with */
	int64_t part_size;      /* bytes of each range; the last may be smaller */
	const char *name;       /* of the temporary file */
	const unsigned char *done; /* a bit for each range that is on the disk:
	                         * range i is done[i / 8] >> i % 8 & 1 */
	size_t done_len;        /* bytes */
	int64_t started_ns;
};

/* Each put replaces what is there. The parts of an upload go with it. */
int manifest_resume_upload_put(struct manifest *m,
    const struct manifest_upload *upload);
int manifest_resume_upload_drop(struct manifest *m, const char *key,
    size_t key_len);
int manifest_resume_part_put(struct manifest *m, const char *key,
    size_t key_len, const struct manifest_part *part);
int manifest_resume_download_put(struct manifest *m,
    const struct manifest_download *download);
int manifest_resume_download_drop(struct manifest *m, const char *key,
    size_t key_len);

/* Is there anything that was begun? 1, 0, or -1. */
int manifest_resume_any(struct manifest *m, struct error *err);

/* Point queries: 1 found (borrowed until the next call), 0 not, -1. */
int manifest_resume_upload_find(struct manifest *m, const char *key,
    size_t key_len, struct manifest_upload *out, struct error *err);
int manifest_resume_download_find(struct manifest *m, const char *key,
    size_t key_len, struct manifest_download *out, struct error *err);

/* Calls ${each} for each row, in order; rows are borrowed during the call,
 * which may write nothing. Where there is no row, this costs a look. */
int manifest_resume_uploads(struct manifest *m,
    void (*each)(void *arg, const struct manifest_upload *upload), void *arg,
    struct error *err);
int manifest_resume_parts(struct manifest *m, const char *key, size_t key_len,
    void (*each)(void *arg, const struct manifest_part *part), void *arg,
    struct error *err);
int manifest_resume_downloads(struct manifest *m,
    void (*each)(void *arg, const struct manifest_download *download),
    void *arg, struct error *err);

#endif
