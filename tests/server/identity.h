/* SPDX-License-Identifier: MIT */
/*
 * Stand-ins for those who give out temporary credentials: STS, the portal of
 * IAM Identity Center, a container's and an instance's endpoint. What they
 * give signs requests to this server until it expires: README.md.
 */
#ifndef SERVER_IDENTITY_H
#define SERVER_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"

struct identity;
struct request;

#define IDENTITY_TEXT_MAX 256

struct identity_keys { /* as they were given out */
	char access[IDENTITY_TEXT_MAX];
	char secret[IDENTITY_TEXT_MAX];
	char token[IDENTITY_TEXT_MAX];
	int64_t expires_ns;
};

struct identity *identity_new(void);
void identity_free(struct identity *i);

/* false: nobody gave these out, or they were revoked. */
bool identity_find(struct identity *i, const char *access,
    struct identity_keys *keys);

/* What a test tells them, a command a line; all of it or none. */
int identity_command(struct identity *i, const char *text, struct error *err);
/* How many were given out, and what STS was asked last. */
void identity_print(struct identity *i, struct strbuf *out);

/* ---- operations ---- */

int identity_begin(struct request *r);
void identity_sts(struct request *r);
void identity_sso(struct request *r);
void identity_oidc(struct request *r);
void identity_container(struct request *r);
void identity_imds_token(struct request *r);
void identity_imds(struct request *r);

#endif
