/* SPDX-License-Identifier: MIT */
/*
 * SigV4 as a server checks it: written from AWS's description, apart from the
 * client's signer, so that no mistake of one is hidden by the other.
 */
#ifndef SERVER_AUTH_H
#define SERVER_AUTH_H

struct request;

/* 0, or -1 with an error answered. The body's checksum is not yet known: that
 * it is what was signed is checked when it has arrived. */
int auth_check(struct request *r);
/* The same for the stand-in of STS, once the body is there: ${payload} is the
 * hex SHA-256 of it. */
int auth_check_sts(struct request *r, const char *payload);

#endif
