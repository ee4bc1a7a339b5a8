/* SPDX-License-Identifier: MIT */
/*
 * JSON objects for output, by jansson. A key may be any bytes, JSON text may
 * not: json_put_key writes "key" with bytes that are not UTF-8 as U+FFFD and
 * then adds "key_base64" with the exact bytes.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

void json_put_text(json_t *object, const char *name, const char *text); /* NULL: null */
void json_put_int(json_t *object, const char *name, int64_t value);
void json_put_bool(json_t *object, const char *name, int value);
void json_put_key(json_t *object, const char *key, size_t len);
/* RFC 3339 UTC; wall_ns 0: null. */
void json_put_time(json_t *object, const char *name, int64_t wall_ns);
/* Overwrites all texts in ${value}, then frees it; NULL: nothing. */
void json_free_secret(json_t *value);
/* One compact line with its newline, keys in insertion order; frees ${object}. */
void json_print(FILE *out, json_t *object);
/* The same line as malloc'ed text without newline; frees ${object}. */
char *json_text(json_t *object);

#endif
