/* SPDX-License-Identifier: MIT */
/* s3testd: an S3 server for tests and for the quick start. Options, start,
 * end. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "bucket.h"
#include "http.h"
#include "operation.h"
#include "pause.h"
#include "request.h"
#include "stats.h"
#include "text.h"

#define PEM_MAX (1 << 20)

enum flag {
	FLAG_PORT = 256,
	FLAG_PORT_FILE,
	FLAG_PID_FILE,
	FLAG_DIR,
	FLAG_ACCESS_KEY,
	FLAG_SECRET_KEY,
	FLAG_SESSION_TOKEN,
	FLAG_REGION,
	FLAG_BUCKET,
	FLAG_SYNTHETIC,
	FLAG_SYNTHETIC_NAMES,
	FLAG_SYNTHETIC_TREE,
	FLAG_ANONYMOUS,
	FLAG_LATENCY,
	FLAG_THREADS,
	FLAG_IDLE,
	FLAG_LOG,
	FLAG_PART_SIZE_MIN,
	FLAG_TLS_CERT,
	FLAG_TLS_KEY,
	FLAG_HELP,
};

static const struct {
	const char *name;
	enum flag flag;
	const char *argument; /* NULL: takes none */
	const char *help;
} flags[] = {
	{ "port", FLAG_PORT, "N", "listen on 127.0.0.1:N (0: a free one)" },
	{ "port-file", FLAG_PORT_FILE, "FILE", "write the port there" },
	{ "pid-file", FLAG_PID_FILE, "FILE", "write the process id there" },
	{ "dir", FLAG_DIR, "DIR", "keep objects there, not in memory" },
	{ "access-key", FLAG_ACCESS_KEY, "KEY", "default testkey" },
	{ "secret-key", FLAG_SECRET_KEY, "KEY", "default testsecret" },
	{ "session-token", FLAG_SESSION_TOKEN, "TOKEN", "ask for this one" },
	{ "region", FLAG_REGION, "NAME", "default us-east-1" },
	{ "bucket", FLAG_BUCKET, "NAME", "make it; may repeat" },
	{ "synthetic", FLAG_SYNTHETIC, "BUCKET:COUNT[:KEYLEN[:SIZE]]",
	    "a bucket of generated keys; may repeat" },
	{ "synthetic-names", FLAG_SYNTHETIC_NAMES, "COUNT[:KEYLEN[:SIZE]]",
	    "print those keys and sizes, and exit" },
	{ "synthetic-tree", FLAG_SYNTHETIC_TREE, "DIR",
	    "with --synthetic-names: make them as files there" },
	{ "anonymous", FLAG_ANONYMOUS, NULL, "serve unsigned requests too" },
	{ "latency-ms", FLAG_LATENCY, "N", "hold every answer back" },
	{ "idle-s", FLAG_IDLE, "N", "close idle connections after N seconds" },
	{ "threads", FLAG_THREADS, "N", "default 2" },
	{ "log", FLAG_LOG, "N", "requests to remember; default 10000" },
	{ "part-size-min", FLAG_PART_SIZE_MIN, "BYTES", "default 5 MiB" },
	{ "tls-cert", FLAG_TLS_CERT, "FILE", "speak https; PEM" },
	{ "tls-key", FLAG_TLS_KEY, "FILE", "its key; PEM" },
	{ "help", FLAG_HELP, NULL, "this" },
};

#define FLAG_COUNT (sizeof(flags) / sizeof(flags[0]))
#define BUCKETS_MAX 64

struct settings {
	struct server server;
	struct http_options http;
	const char *port_file, *pid_file, *dir;
	const char *cert_file, *key_file;
	const char *buckets[BUCKETS_MAX];   /* NAME or NAME:SPEC */
	size_t n_buckets;
	const char *names, *tree;
	int64_t log_lines;
};

static void print_help(void)
{
	printf("Usage: s3testd [OPTION...]\n");
	for (size_t i = 0; i < FLAG_COUNT; i++) {
		const char *argument = flags[i].argument;

		printf("  --%s%s%s\n\t%s\n", flags[i].name,
		    argument ? " " : "", argument ? argument : "",
		    flags[i].help);
	}
}

static int parse_number(const char *text, int64_t max, int64_t *number,
    struct error *err)
{
	*number = text_number(text, max);
	return *number >= 0 ? 0 : error_set(err, ERROR_USAGE,
	    "'%s' is no number from 0 to %" PRId64, text, max);
}

static int set_option(struct settings *s, enum flag flag, const char *value,
    struct error *err)
{
	int64_t number = 0;
	int result = 0;

	switch (flag) {
	case FLAG_PORT:
		result = parse_number(value, UINT16_MAX, &number, err);
		s->http.port = (uint16_t)number;
		break;
	case FLAG_PORT_FILE:
		s->port_file = value;
		break;
	case FLAG_PID_FILE:
		s->pid_file = value;
		break;
	case FLAG_DIR:
		s->dir = value;
		break;
	case FLAG_ACCESS_KEY:
		s->server.access_key = value;
		break;
	case FLAG_SECRET_KEY:
		s->server.secret_key = value;
		break;
	case FLAG_SESSION_TOKEN:
		s->server.session_token = value;
		break;
	case FLAG_REGION:
		s->server.region = value;
		break;
	case FLAG_BUCKET:
	case FLAG_SYNTHETIC:
		if (s->n_buckets == BUCKETS_MAX)
			return error_set(err, ERROR_USAGE, "too many buckets");
		s->buckets[s->n_buckets++] = value;
		break;
	case FLAG_SYNTHETIC_NAMES:
		s->names = value;
		break;
	case FLAG_SYNTHETIC_TREE:
		s->tree = value;
		break;
	case FLAG_ANONYMOUS:
		s->server.anonymous = true;
		break;
	case FLAG_LATENCY:
		result = parse_number(value, INT32_MAX,
		    &s->server.latency_ms, err);
		break;
	case FLAG_THREADS:
		result = parse_number(value, 64, &number, err);
		s->http.threads = (unsigned)number;
		break;
	case FLAG_IDLE:
		result = parse_number(value, 86400, &number, err);
		s->http.idle_s = (unsigned)number;
		break;
	case FLAG_LOG:
		result = parse_number(value, 10000000, &s->log_lines, err);
		break;
	case FLAG_PART_SIZE_MIN:
		result = parse_number(value, INT32_MAX,
		    &s->server.part_size_min, err);
		break;
	case FLAG_TLS_CERT:
		s->cert_file = value;
		break;
	case FLAG_TLS_KEY:
		s->key_file = value;
		break;
	case FLAG_HELP:
		print_help();
		exit(0);
	}
	return result;
}

static int parse_options(int argc, char **argv, struct settings *s,
    struct error *err)
{
	struct option longs[FLAG_COUNT + 1];
	int c;

	memset(longs, 0, sizeof(longs));
	for (size_t i = 0; i < FLAG_COUNT; i++) {
		longs[i].name = flags[i].name;
		longs[i].val = (int)flags[i].flag;
		longs[i].has_arg = flags[i].argument != NULL;
	}
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == '?')
			return error_set(err, ERROR_USAGE, "try --help");
		if (set_option(s, (enum flag)c, optarg, err) < 0)
			return -1;
	}
	if (optind < argc)
		return error_set(err, ERROR_USAGE, "'%s' is no option",
		    argv[optind]);
	if (!s->cert_file != !s->key_file)
		return error_set(err, ERROR_USAGE,
		    "--tls-cert and --tls-key go together");
	if (s->http.threads == 0 || s->log_lines == 0)
		return error_set(err, ERROR_USAGE,
		    "--threads and --log must be at least 1");
	return 0;
}

static int make_bucket(struct settings *s, const char *name_and_spec,
    struct error *err)
{
	char *name = alloc_string(name_and_spec), *spec = name;
	struct synthetic synthetic;
	int result = 0;

	strsep(&spec, ":");
	if (!bucket_is_name(name))
		result = error_set(err, ERROR_USAGE, "'%s' is no bucket name",
		    name);
	else if (spec)
		result = synthetic_parse(spec, &synthetic, err);
	if (result == 0)
		result = store_make_bucket(s->server.store, name,
		    spec ? &synthetic : NULL, err);
	free(name);
	return result < 0 ? -1 : 0;
}

static int write_number(const char *path, long number, struct error *err)
{
	FILE *f;

	if (!path)
		return 0;
	f = fopen(path, "we");
	if (!f)
		return error_sys(err, ERROR_LOCAL, errno, "%s", path);
	fprintf(f, "%ld\n", number);
	if (fclose(f) != 0)
		return error_sys(err, ERROR_LOCAL, errno, "%s", path);
	return 0;
}

/* Every part of an upload to a directory is an open file. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int read_pem(const char *path, char **text, struct error *err)
{
	size_t len;

	return path ? fs_read_file(path, PEM_MAX, ERROR_USAGE, text, &len,
	    err) : 0;
}

static int serve(struct settings *s, const sigset_t *ends, struct error *err)
{
	struct server *server = &s->server;
	struct http *http = NULL;
	char *cert = NULL, *key = NULL;
	int result = -1, got;

	server->pause = pause_new();
	server->faults = faults_new(operation_is_kind);
	server->stats = stats_new(operation_count(), (size_t)s->log_lines);
	server->store = store_open(s->dir, err);
	if (!server->store)
		goto out;
	for (size_t i = 0; i < s->n_buckets; i++)
		if (make_bucket(s, s->buckets[i], err) < 0)
			goto out;
	if (read_pem(s->cert_file, &cert, err) < 0 ||
	    read_pem(s->key_file, &key, err) < 0)
		goto out;
	s->http.tls_cert = cert;
	s->http.tls_key = key;
	http = http_start(server, &s->http, err);
	if (!http || write_number(s->pid_file, (long)getpid(), err) < 0 ||
	    write_number(s->port_file, http_port(http), err) < 0)
		goto out;
	printf("S3 at %s://127.0.0.1:%u\n", cert ? "https" : "http",
	    http_port(http));
	fflush(stdout);
	sigwait(ends, &got);
	result = 0;
out:
	if (http)
		http_stop(http);
	else
		pause_finish(server->pause);
	store_close(server->store);
	stats_free(server->stats);
	faults_free(server->faults);
	pause_free(server->pause);
	free(cert);
	free(key);
	return result;
}

static int show_names(const struct settings *s, struct error *err)
{
	struct synthetic synthetic;
	int result = 0;

	if (synthetic_parse(s->names, &synthetic, err) < 0)
		return -1;
	if (s->tree)
		result = synthetic_make_tree(&synthetic, s->tree, err);
	else
		synthetic_print(&synthetic);
	synthetic_release(&synthetic);
	return result;
}

int main(int argc, char **argv)
{
	struct settings s = {
		.server = { .access_key = "testkey", .secret_key = "testsecret",
		    .region = "us-east-1", .part_size_min = 5 << 20 },
		.http = { .threads = 2 },
		.log_lines = 10000,
	};
	struct error err = ERROR_INIT;
	sigset_t ends;
	int result;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	signal(SIGPIPE, SIG_IGN);
	raise_file_limit();
	result = parse_options(argc, argv, &s, &err);
	if (result == 0)
		result = s.names ? show_names(&s, &err) :
		    serve(&s, &ends, &err);
	if (result == 0)
		return 0;
	fprintf(stderr, "s3testd: %s\n", err.text);
	return err.kind == ERROR_USAGE ? 2 : 1;
}
