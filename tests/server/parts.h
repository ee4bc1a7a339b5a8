/* SPDX-License-Identifier: MIT */
/* Multipart uploads in the making. They live in memory, and end with the
 * server; the bodies of their parts are where those of objects are. */
#ifndef SERVER_PARTS_H
#define SERVER_PARTS_H

#include "store.h"

struct part {
	int number;
	struct object *object;
};

#define PARTS_ID_MAX 40

/* Writes the new upload's id. */
void parts_begin(struct store *s, struct bucket *b, const char *key,
    size_t key_len, const struct strbuf *headers, char id[PARTS_ID_MAX]);
/* Takes ${part} in every case. false: no such upload. */
bool parts_add(struct store *s, struct bucket *b, const char *id,
    const char *key, size_t key_len, int number, struct object *part);
bool parts_abort(struct store *s, struct bucket *b, const char *id,
    const char *key, size_t key_len);
/* The upload's parts by number, each with a reference; *headers (may be
 * NULL) gets what the object shall have. -1: no such upload. */
int parts_get(struct store *s, struct bucket *b, const char *id,
    const char *key, size_t key_len, struct part **parts,
    struct strbuf *headers);
void parts_release(struct part *parts, int count);
/* One staged object of all these parts; NULL: no room. */
struct object *parts_join(struct store *s, const char *key, size_t key_len,
    const struct strbuf *headers, const struct part *parts, int count);
void parts_each_upload(struct store *s, struct bucket *b,
    void (*each)(void *arg, const char *key, size_t key_len, const char *id,
	int64_t begun_ms),
    void *arg);

#endif
