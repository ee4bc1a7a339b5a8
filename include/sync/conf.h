/* SPDX-License-Identifier: MIT */
/*
 * Configuration: an INI file ([defaults], then one [pair NAME] for each pair),
 * the environment and flags. One table (conf_option) holds every option: its
 * name is both the key in the file and the flag on the command line. The most
 * specific wins: flag, [pair NAME], [defaults], environment, the profile of the
 * AWS tools, built-in default.
 */
#ifndef SYNC_CONF_H
#define SYNC_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/env.h"
#include "base/error.h"
#include "base/log.h"
#include "s3/s3.h"
#include "sync/decide.h"
#include "sync/filter.h"

struct conf_pattern {
	bool include;
	char *glob;
};

struct conf_patterns { /* in the order that counts */
	struct conf_pattern *items;
	size_t count, room;
};

struct conf_words {
	char **items;
	size_t count, room;
};

/* One pair, complete: defaults filled in, values checked. */
struct conf_pair {
	char *name;
	char *local;  /* as given, without trailing '/' */
	char *remote; /* "s3://BUCKET/PREFIX/", for people */
	char *bucket;
	char *prefix; /* ends in '/' or is empty */
	int64_t interval_ns;
	int mode; /* enum decide_mode */
	struct conf_patterns patterns;
	struct filter *filter; /* built from patterns */
	struct conf_words done_suffixes;
	int64_t settle_ns;
	int64_t jobs;
	int64_t multipart_threshold, part_size; /* bytes */
	char *endpoint_url; /* NULL: AWS */
	char *region;       /* NULL: the default */
	char *profile;      /* NULL: the environment's */
	int addressing;     /* enum s3_addressing */
	int dualstack, fips, accelerate; /* AWS's endpoints of these kinds */
	int sign;           /* enum s3_signing */
	int probe;          /* bool: may the server be probed? */
	char *ca_bundle;    /* NULL: the system's */
	/* Of each upload; NULL: not sent. */
	char *storage_class;
	char *sse;
	char *sse_kms_key_id;
	char *acl;
	char *content_type; /* "auto", "none" or the type of all */
	int checksum;       /* enum s3_checksum */
	int etags_opaque;   /* bool: none is taken for an MD5 */
	int requester_pays; /* bool */
	int64_t timeout_ns;
	int64_t attempts;
	int64_t bwlimit_up, bwlimit_down; /* bytes a second; 0: none */
	char *state;     /* path of the manifest */
	char *env_file;  /* NULL: none */
	struct env *env; /* process environment and env_file */
};

struct conf {
	struct conf_pair *pairs; /* those that were asked for, in file order */
	size_t count;
	char *path;     /* of the file read; NULL: none */
	char *log_file; /* NULL: stderr */
	int log_format; /* enum log_format */
	int log_level;  /* enum log_level */
};

/* What the command line says, as it says it. */
struct conf_flag {
	const char *name; /* without "--"; '-' may stand for '_' */
	const char *value;
};
struct conf_request {
	const char *path;              /* --config; NULL: the usual places */
	const struct conf_flag *flags; /* in order; they win over the file */
	size_t flag_count;
	const char *const *args; /* PAIR... or LOCAL s3://… ; none: all */
	size_t arg_count;
	bool manifests_only; /* a named pair's env_file is not read */
};

/*
 * Reads everything and checks it, all pairs of the file and what they share
 * included. All failures are ERROR_CONFIG (with file:line) or ERROR_USAGE.
 * Whether the root is there is not looked at, nor the network.
 */
int conf_load(struct conf *conf, const struct conf_request *request,
    struct error *err);
void conf_release(struct conf *conf);

/* "s3://BUCKET[/PREFIX[/]]" → bucket and prefix (malloc'ed, '/' added). */
int conf_remote_parse(const char *text, char **bucket, char **prefix,
    struct error *err);

/* The table, for --help, for completion and for the test of the documents. */
#define CONF_VARIABLES 2
struct conf_option {
	const char *name;
	const char *argument; /* "DURATION", "GLOB", … */
	const char *fallback; /* the default as text; NULL: none */
	const char *help;
	const char *environment[CONF_VARIABLES]; /* that stand in; first wins */
	const char *aws_key;  /* of a profile of the AWS tools, behind those */
	bool global;                             /* [defaults] only */
	bool repeatable;
};
/* By name, where '-' may stand for '_'; NULL: there is none. */
const struct conf_option *conf_option_find(const char *name);
const struct conf_option *conf_option_at(size_t index); /* NULL: past the end */

#endif
