/* SPDX-License-Identifier: MIT */
/* A pair's options, as the S3 layer wants them. */
#ifndef SYNC_CLIENT_H
#define SYNC_CLIENT_H

#include "base/mime.h"
#include "manifest/manifest.h"
#include "s3/credentials.h"
#include "s3/keyring.h"
#include "s3/s3.h"
#include "sync/conf.h"

/* Who asks; stopped and arg are the caller's to set. Borrows from ${pair}. */
struct s3_credentials_request client_credentials(const struct conf_pair *pair);
/* Where, and how. ${mime} NULL: types by a key's extension are not known.
 * Borrows from all three. */
struct s3_options client_options(const struct conf_pair *pair,
    struct keyring *keyring, const struct mime *mime);

/* What earlier processes have learned spares this one requests that are
 * refused: where the bucket was found, and the server's clock. Before the
 * first request. */
int client_recall(const struct conf_pair *pair, struct s3 *s3,
    struct manifest *manifest, struct error *err);
/* The server's clock minus ours, as remembered; 0: nothing is. */
int client_clock(struct manifest *manifest, int64_t *offset_ns,
    struct error *err);
/* Where the bucket was found last time counts as long as the same region is
 * configured (or none): whoever sets another one wants that tried. */
const char *client_asked_region(const struct conf_pair *pair);

/* In meta. */
#define CLIENT_REGION "region"
#define CLIENT_REGION_ASKED "region_asked"
#define CLIENT_CLOCK "clock_offset_ms"

#endif
