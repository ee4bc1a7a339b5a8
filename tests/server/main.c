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
#include "identity.h"
#include "operation.h"
#include "pause.h"
#include "setting.h"
#include "request.h"
#include "stats.h"
#include "text.h"

#define PEM_MAX (1 << 20)

#define BUCKETS_MAX 64

struct settings {
	struct server server;
	struct http_options http;
	const char *port_file, *pid_file, *dir;
	const char *cert_file, *key_file;
	const char *buckets[BUCKETS_MAX]; /* NAME or NAME:SPEC */
	size_t n_buckets;
	const char *names, *tree;
	int64_t log_lines;
	bool help;
};

enum form { FORM_SWITCH, FORM_TEXT, FORM_NUMBER, FORM_BUCKET };

#define FIELD(name) offsetof(struct settings, name)

static const struct flag {
	const char *name;
	const char *argument; /* NULL: takes none */
	const char *help;
	enum form form;
	size_t field; /* a bool, a const char *, an int64_t */
	int64_t max;
} flags[] = {
	{ "port", "N", "listen on that port (0, the default: a free one)",
	    FORM_NUMBER, FIELD(http.port), UINT16_MAX },
	{ "address", "IP", "of this machine; default 127.0.0.1", FORM_TEXT,
	    FIELD(http.address), 0 },
	{ "port-file", "FILE", "write the port there", FORM_TEXT,
	    FIELD(port_file), 0 },
	{ "pid-file", "FILE", "write the process id there", FORM_TEXT,
	    FIELD(pid_file), 0 },
	{ "dir", "DIR", "keep objects there, not in memory", FORM_TEXT,
	    FIELD(dir), 0 },
	{ "access-key", "KEY", "default testkey", FORM_TEXT,
	    FIELD(server.access_key), 0 },
	{ "secret-key", "KEY", "default testsecret", FORM_TEXT,
	    FIELD(server.secret_key), 0 },
	{ "session-token", "TOKEN", "ask for this one", FORM_TEXT,
	    FIELD(server.session_token), 0 },
	{ "region", "NAME", "default us-east-1", FORM_TEXT,
	    FIELD(server.region), 0 },
	{ "anonymous", NULL, "serve unsigned requests too", FORM_SWITCH,
	    FIELD(server.anonymous), 0 },
	{ "bucket", "NAME", "make it; may repeat", FORM_BUCKET, 0, 0 },
	{ "synthetic", "BUCKET:COUNT[:KEYLEN[:SIZE]]",
	    "a bucket of generated keys; may repeat", FORM_BUCKET, 0, 0 },
	{ "synthetic-names", "COUNT[:KEYLEN[:SIZE]]",
	    "print those keys and sizes, and exit", FORM_TEXT, FIELD(names),
	    0 },
	{ "synthetic-tree", "DIR",
	    "with --synthetic-names: make them as files there", FORM_TEXT,
	    FIELD(tree), 0 },
	{ "latency-ms", "N", "hold every answer back", FORM_NUMBER,
	    FIELD(server.latency_ms), INT32_MAX },
	{ "idle-s", "N", "close connections idle for N seconds", FORM_NUMBER,
	    FIELD(http.idle_s), INT32_MAX },
	{ "threads", "N", "default 2", FORM_NUMBER, FIELD(http.threads), 64 },
	{ "log", "N", "requests to remember; default 10000", FORM_NUMBER,
	    FIELD(log_lines), 10000000 },
	{ "part-size-min", "BYTES", "default 5 MiB", FORM_NUMBER,
	    FIELD(server.part_size_min), INT32_MAX },
	{ "tls-cert", "FILE", "speak https; PEM", FORM_TEXT, FIELD(cert_file),
	    0 },
	{ "tls-key", "FILE", "its key; PEM", FORM_TEXT, FIELD(key_file), 0 },
	{ "help", NULL, "this", FORM_SWITCH, FIELD(help), 0 },
};

#define FLAG_COUNT (sizeof(flags) / sizeof(flags[0]))

static void print_help(void)
{
	printf("Usage: s3testd [OPTION...]\n");
	for (size_t i = 0; i < FLAG_COUNT; i++) {
		const char *argument = flags[i].argument;

		printf("  --%s%s%s\n\t%s\n", flags[i].name, argument ? " " : "",
		    argument ? argument : "", flags[i].help);
	}
}

static int set_flag(struct settings *s, const struct flag *flag,
    const char *value, struct error *err)
{
	char *field = (char *)s + flag->field;

	switch (flag->form) {
	case FORM_SWITCH:
		*(bool *)field = true;
		break;
	case FORM_TEXT:
		*(const char **)field = value;
		break;
	case FORM_NUMBER:
		*(int64_t *)field = text_number(value, flag->max);
		if (*(int64_t *)field < 0)
			return error_set(err, ERROR_USAGE,
			    "--%s %s: not a number from 0 to %" PRId64,
			    flag->name, value, flag->max);
		break;
	case FORM_BUCKET:
		if (s->n_buckets == BUCKETS_MAX)
			return error_set(err, ERROR_USAGE, "too many buckets");
		s->buckets[s->n_buckets++] = value;
		break;
	}
	return 0;
}

static int parse_options(int argc, char **argv, struct settings *s,
    struct error *err)
{
	struct option longs[FLAG_COUNT + 1];
	int c, at;

	memset(longs, 0, sizeof(longs));
	for (size_t i = 0; i < FLAG_COUNT; i++) {
		longs[i].name = flags[i].name;
		longs[i].has_arg = flags[i].argument != NULL;
	}
	while ((c = getopt_long(argc, argv, "", longs, &at)) != -1) {
		if (c == '?')
			return error_set(err, ERROR_USAGE, "try --help");
		if (set_flag(s, &flags[at], optarg, err) < 0)
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
		result =
		    error_set(err, ERROR_USAGE, "'%s' is no bucket name", name);
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

	return path ? fs_read_file(path, PEM_MAX, ERROR_USAGE, text, &len, err)
		    : 0;
}

static int serve(struct settings *s, const sigset_t *ends, struct error *err)
{
	struct server *server = &s->server;
	struct http *http = NULL;
	char *cert = NULL, *key = NULL;
	int result = -1, got;

	server->pause = pause_new();
	server->identity = identity_new();
	server->settings = settings_new();
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
	printf("S3 at %s://%s:%u\n", cert ? "https" : "http",
	    s->http.address, http_port(http));
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
	identity_free(server->identity);
	settings_free(server->settings);
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
		.server = { .access_key = "testkey",
		    .secret_key = "testsecret",
		    .region = "us-east-1",
		    .part_size_min = 5 << 20 },
		.http = { .address = "127.0.0.1", .threads = 2 },
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
	if (result == 0 && s.help)
		print_help();
	else if (result == 0)
		result =
		    s.names ? show_names(&s, &err) : serve(&s, &ends, &err);
	if (result == 0)
		return 0;
	fprintf(stderr, "s3testd: %s\n", err.text);
	return err.kind == ERROR_USAGE ? 2 : 1;
}
