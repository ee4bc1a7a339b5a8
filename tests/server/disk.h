/* SPDX-License-Identifier: MIT */
/*
 * The form of a stored object in a directory. DIR/BUCKET/HH/HASH, named by
 * the SHA-256 of its key, is the body followed by a trailer of lines that
 * tell the rest; DIR/.staged/ holds what is being received.
 */
#ifndef SERVER_DISK_H
#define SERVER_DISK_H

#include "base/error.h"
#include "object.h"

int disk_make_bucket(const char *dir, const char *bucket, struct error *err);
/* Calls ${each_bucket} for every bucket, then ${each_object} (which takes the
 * reference) for its objects. What was staged is removed. */
int disk_load(const char *dir,
    void (*each_bucket)(void *arg, const char *bucket, int64_t created_ms),
    void (*each_object)(void *arg, struct object *o), void *arg,
    struct error *err);

/* A file for the body: o->fd and o->staged_path. Like all below: 0 or -1
 * with errno. */
int disk_stage(const char *dir, struct object *o);
int disk_append(struct object *o, const void *bytes, size_t len);
/* Writes the trailer; the object is whole. */
int disk_seal(struct object *o);
/* Moves the file to its place and closes it. */
int disk_publish(const char *dir, const char *bucket, struct object *o);
int disk_remove(const char *dir, const char *bucket, const struct object *o);
/* Opens the body's file for reading: a descriptor or -1. */
int disk_open(const char *dir, const char *bucket, const struct object *o);

#endif
