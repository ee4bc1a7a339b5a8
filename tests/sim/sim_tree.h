/* SPDX-License-Identifier: MIT */
/*
 * A local tree in memory: files with inodes and stamps, directories, things
 * that are neither, and what cannot be read. It behaves as sync/tree_fs.h
 * does, in slower motion, and watches what the program does to it.
 */
#ifndef SIM_TREE_H
#define SIM_TREE_H

#include "sim_content.h"
#include "sim_core.h"
#include "sync/tree.h"

struct sim_inode {
	int refs;
	struct sim_content *content;
	struct local_sig sig;
	int64_t whole_at_ns;       /* > 0: a slow writer ends then, with … */
	struct sim_content *whole; /* … this */
};

/* A temporary file; what was not synced may be lost with the power. */
struct sim_temp {
	char name[TREE_TEMPORARY_SIZE]; /* "": it is gone with its writer */
	unsigned char *bytes, *synced;  /* ${room} of each */
	int64_t size, synced_size, room;
};

enum sim_kind { SIM_FILE, SIM_DIR, SIM_OTHER };

struct sim_node {
	char *key;
	size_t len;
	enum sim_kind kind;
	struct sim_inode *inode; /* SIM_FILE */
	bool locked;             /* cannot be looked at, nor below */
};

struct sim_tree {
	struct tree base;
	struct sim *sim;
	struct sim_shown *shown;           /* may be NULL */
	const struct sim_history *objects; /* what may be published; or NULL */
	struct sim_node *nodes;            /* in the order of bytes */
	size_t count, room;
	struct sim_temp **temps; /* those that have a name */
	size_t temp_count, temp_room;
	struct sim_history history;
	int64_t slow_ns; /* so long do slow writers take; 0: there are none */
	uint64_t next_ino;
	int open_readers, open_writers;
	int64_t published;
};

void sim_tree_init(struct sim_tree *t, struct sim *sim);
void sim_tree_release(struct sim_tree *t);
struct sim_node *sim_tree_find(struct sim_tree *t, const char *key, size_t len);
bool sim_tree_is_directory(struct sim_tree *t, const char *key, size_t len);

/*
 * What users do. Parents are made. Each is false where it cannot be done: the
 * name is none, a parent is no directory, the name is taken by a directory.
 */
bool sim_tree_write(struct sim_tree *t, const char *key, size_t len,
    struct sim_content *content); /* a new inode, in place of any old one */
bool sim_tree_write_slowly(struct sim_tree *t, const char *key, size_t len,
    struct sim_content *content, int64_t takes_ns);
bool sim_tree_edit(struct sim_tree *t, const char *key, size_t len,
    struct sim_content *content); /* the same inode */
bool sim_tree_set_mtime(struct sim_tree *t, const char *key, size_t len,
    int64_t mtime_ns);
bool sim_tree_make_dir(struct sim_tree *t, const char *key, size_t len);
bool sim_tree_make_other(struct sim_tree *t, const char *key, size_t len);
bool sim_tree_rename(struct sim_tree *t, const char *from, size_t from_len,
    const char *to, size_t to_len); /* a file */
void sim_tree_remove(struct sim_tree *t, const char *key, size_t len);
void sim_tree_lock(struct sim_tree *t, const char *key, size_t len, bool lock);
/* What a killed run left is removed, but for what ${keep} names. */
void sim_tree_sweep(struct sim_tree *t, bool (*keep)(void *arg,
    const char *name), void *arg);
/* What was not synced is as if it had never been written. */
void sim_tree_lose_power(struct sim_tree *t);
/* Slow writers whose time has come end. */
void sim_tree_settle(struct sim_tree *t);

#endif
