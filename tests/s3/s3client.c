/* SPDX-License-Identifier: MIT */
/*
 * Asks an S3 server through src/s3, for tests. Requests are lines of standard
 * input, all submitted at once; each answer is a line of standard output.
 *
 *   put KEY SIZE [new] [same=ETAG] [md5] [lie] [break=OFFSET] [chain=COUNT]
 *   get KEY [same=ETAG] [stop=BYTES] [refuse] [range=OFFSET+LENGTH]
 *   delete KEY [same=ETAG]
 *   copy KEY from=KEY [new] [same=ETAG]
 *   upload KEY      begins an upload in parts: those below are of it
 *   part KEY SIZE number=N [at=OFFSET]
 *   parts KEY [after=N]
 *   complete KEY [new] [same=ETAG]      of the parts that were answered
 *   cancel KEY
 *   list PREFIX [max=N] [after=KEY] [token=TOKEN]
 *   abort           all requests before this line, once one was answered
 *   run             waits for all answers
 *   sleep MS
 *   usage           a line about all requests so far
 *   region          where the bucket is, as far as is known
 *   quit            without waiting
 *
 * A key in %XX form is decoded. The content of an object of SIZE bytes is
 * known, so that a GET can tell whether it got those bytes.
 */
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "s3/s3.h"
#include "s3/s3_multipart.h"

static const char *const outcomes[] = {
	[S3_DONE] = "done",       [S3_EXISTS] = "exists",
	[S3_CHANGED] = "changed", [S3_ABSENT] = "absent",
	[S3_ARCHIVED] = "archived", [S3_DENIED] = "denied",
	[S3_REJECTED] = "rejected",
	[S3_REFUSED] = "refused", [S3_FAILED] = "failed",
	[S3_ABORTED] = "aborted",
};

struct job {
	struct job *next; /* of all jobs: an answer may come any time */
	char verb[12];
	char *name; /* the key as it was asked for */
	char *key;
	size_t key_len;
	int64_t size;
	unsigned char sha256[DIGEST_SHA256_SIZE];
	unsigned char md5[DIGEST_MD5_SIZE];
	bool if_new, with_md5, refuse, lie;
	int64_t break_at; /* of a PUT; -1: not */
	int64_t stop_at;  /* of a GET; -1: not */
	int chain;        /* further puts, from within done */
	char *after, *token;
	char *from;
	int max;
	int number;       /* of a part */
	int64_t at;       /* the content's first byte is the object's at here */
	int64_t length;   /* of a range; 0: all */
	int64_t object_size; /* as the reply to a GET says */
	unsigned char etag_room[ETAG_MAX];
	struct etag etag; /* len 0: none */
	int64_t seen;     /* of a GET */
	bool wrong;       /* a byte was not what it should be */
	int begun;
	int ended;
};

static struct s3 *s3;
static struct job *jobs;
static int pending;
static int answered;
static int64_t clock_offset_ns;

#define PARTS_MAX 100
static struct { /* the upload in parts that is under way */
	char id[2048];
	char token[S3_MULTIPART_TOKEN_SIZE];
	struct s3_part parts[PARTS_MAX + 1]; /* by number; 0: none */
	unsigned char etags[PARTS_MAX + 1][ETAG_MAX];
	struct s3_part named[PARTS_MAX]; /* in a completion */
} upload;

/* ---- content ------------------------------------------------------------ */

static unsigned char byte_at(int64_t offset)
{
	return (unsigned char)(offset * 31 + (offset >> 8) * 7);
}

static void fill(unsigned char *buf, int64_t offset, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = byte_at(offset + (int64_t)i);
}

static void digest_content(struct job *job)
{
	struct digest *sha256 = digest_new(DIGEST_SHA256);
	struct digest *md5 = digest_new(DIGEST_MD5);
	unsigned char buf[65536];

	for (int64_t at = 0; at < job->size; at += (int64_t)sizeof(buf)) {
		size_t len = job->size - at < (int64_t)sizeof(buf) ?
		    (size_t)(job->size - at) : sizeof(buf);

		fill(buf, job->at + at, len);
		digest_update(sha256, buf, len);
		digest_update(md5, buf, len);
	}
	digest_final(sha256, job->sha256);
	digest_final(md5, job->md5);
	job->sha256[0] ^= job->lie;
	job->md5[0] ^= job->lie;
	digest_free(sha256);
	digest_free(md5);
}

/* ---- answers ------------------------------------------------------------ */

static void tell(struct job *job, const struct s3_result *result)
{
	char etag[ETAG_MAX + 1];

	if (job->ended++)
		printf("ANSWERED TWICE: ");
	printf("%s %s %s %d %d", job->verb, job->name,
	    outcomes[result->outcome], result->http_status, result->attempts);
	if (result->outcome != S3_DONE)
		printf(" %s: %s", error_kind_name(result->error.kind),
		    result->error.text);
	else if (result->etag.len > 0) {
		signature_etag_text(&result->etag, etag);
		printf(" %s%s", etag, result->etag_not_md5 ? " not-md5" : "");
	}
	answered++;
	pending--;
}

static void submit(struct job *job);

static void put_done(void *arg, const struct s3_result *result)
{
	struct job *job = arg;

	tell(job, result);
	putchar('\n');
	if (job->chain-- > 0) {
		job->ended = 0;
		submit(job);
	}
}

static ssize_t put_read(void *arg, int64_t offset, void *buf, size_t len,
    struct error *err)
{
	struct job *job = arg;

	if (job->break_at >= 0 && offset >= job->break_at)
		return error_set(err, ERROR_CHANGED, "it changed");
	if (job->break_at >= 0 && (int64_t)len > job->break_at - offset)
		len = (size_t)(job->break_at - offset);
	if ((int64_t)len > job->size - offset)
		abort(); /* more was asked for than there is */
	fill(buf, job->at + offset, len);
	return (ssize_t)len;
}

static int get_begin(void *arg, const struct s3_head *head, struct error *err)
{
	struct job *job = arg;

	job->begun++;
	job->seen = 0;
	job->size = head->length;
	job->at = head->offset;
	job->object_size = head->size;
	if (job->refuse)
		return error_set(err, ERROR_BLOCKED, "not wanted");
	return 0;
}

static int get_data(void *arg, const void *bytes, size_t len, struct error *err)
{
	struct job *job = arg;
	const unsigned char *p = bytes;

	for (size_t i = 0; i < len; i++)
		if (p[i] != byte_at(job->at + job->seen + (int64_t)i))
			job->wrong = true;
	job->seen += (int64_t)len;
	if (job->stop_at >= 0 && job->seen >= job->stop_at)
		return error_set(err, ERROR_NO_SPACE, "the disk is full");
	return 0;
}

static void get_done(void *arg, const struct s3_result *result)
{
	struct job *job = arg;

	tell(job, result);
	printf(" size=%" PRId64 " begun=%d%s", job->seen, job->begun,
	    job->wrong ? " WRONG BYTES" : "");
	if (job->length > 0)
		printf(" at=%" PRId64 " of=%" PRId64, job->at,
		    job->object_size);
	putchar('\n');
	if (result->outcome == S3_DONE && job->seen != job->size)
		printf("NOT WHOLE\n");
}

static void list_done(void *arg, const struct s3_result *result,
    struct s3_page *page)
{
	struct job *job = arg;

	tell(job, result);
	if (page) {
		printf(" count=%zu truncated=%d token=%s", page->count,
		    page->truncated, page->token ? page->token : "-");
		for (size_t i = 0; i < page->count && i < 3; i++)
			printf(" %.*s", (int)page->objects[i].key_len,
			    page->objects[i].key);
	} else if (result->outcome == S3_DONE) {
		printf(" NO PAGE");
	}
	putchar('\n');
	s3_page_free(page);
}

static void part_done(void *arg, const struct s3_result *result)
{
	struct job *job = arg;

	if (result->outcome == S3_DONE) {
		upload.parts[job->number] = (struct s3_part){
			.number = job->number, .size = job->size,
			.etag = result->etag };
		signature_etag_keep(&upload.parts[job->number].etag,
		    upload.etags[job->number]);
	}
	put_done(job, result);
}

static void upload_done(void *arg, const struct s3_result *result,
    const char *id)
{
	snprintf(upload.id, sizeof(upload.id), "%s", id ? id : "none");
	memset(upload.parts, 0, sizeof(upload.parts));
	put_done(arg, result);
}

static void parts_done(void *arg, const struct s3_result *result,
    const struct s3_part *parts, size_t count, int next)
{
	char etag[ETAG_MAX + 1];

	tell(arg, result);
	printf(" count=%zu next=%d", count, next);
	for (size_t i = 0; i < count; i++) {
		signature_etag_text(&parts[i].etag, etag);
		printf(" %d:%" PRId64 ":%s", parts[i].number, parts[i].size,
		    etag);
	}
	putchar('\n');
}

/* ---- requests ----------------------------------------------------------- */

static void ask_put(struct job *job)
{
	bool is_part = strcmp(job->verb, "part") == 0;
	struct s3_put put = { .key = job->key, .key_len = job->key_len,
		.size = job->size,
		.sha256 = s3_signs_payload(s3) ? job->sha256 : NULL,
		.md5 = job->with_md5 ? job->md5 : NULL,
		.if_match = job->etag.len ? &job->etag : NULL,
		.if_none_match = job->if_new, .mtime_ns = INT64_MIN,
		.upload_id = is_part ? upload.id : NULL,
		.part_number = job->number, .read = put_read,
		.done = is_part ? part_done : put_done, .arg = job };

	s3_put(s3, &put);
}

static void ask_get(struct job *job)
{
	struct s3_get get = { .key = job->key, .key_len = job->key_len,
		.if_match = &job->etag, .offset = job->at,
		.length = job->length, .begin = get_begin, .data = get_data,
		.done = get_done, .arg = job };

	s3_get(s3, &get);
}

static void ask_list(struct job *job)
{
	struct s3_list list = { .prefix = job->key,
		.prefix_len = job->key_len, .start_after = job->after,
		.start_after_len = job->after ? strlen(job->after) : 0,
		.token = job->token, .max_keys = job->max, .done = list_done,
		.arg = job };

	s3_list(s3, &list);
}

static void ask_delete(struct job *job)
{
	struct s3_delete delete = { .key = job->key, .key_len = job->key_len,
		.if_match = job->etag.len ? &job->etag : NULL,
		.done = put_done, .arg = job };

	s3_delete(s3, &delete);
}

static void ask_copy(struct job *job)
{
	struct s3_copy copy = { .from = job->from,
		.from_len = strlen(job->from), .key = job->key,
		.key_len = job->key_len,
		.if_match = job->etag.len ? &job->etag : NULL,
		.if_none_match = job->if_new, .done = put_done, .arg = job };

	s3_copy(s3, &copy);
}

static void ask_upload(struct job *job)
{
	struct s3_multipart_create create = { .key = job->key,
		.key_len = job->key_len, .token = upload.token,
		.mtime_ns = INT64_MIN, .done = upload_done, .arg = job };

	s3_multipart_token(upload.token);
	s3_multipart_create(s3, &create);
}

static void ask_parts(struct job *job)
{
	struct s3_multipart_parts parts = { .key = job->key,
		.key_len = job->key_len, .upload_id = upload.id,
		.after = job->after ? (int)strtol(job->after, NULL, 10) : 0,
		.done = parts_done, .arg = job };

	s3_multipart_parts(s3, &parts);
}

static void ask_complete(struct job *job)
{
	struct s3_multipart_complete complete = { .key = job->key,
		.key_len = job->key_len, .upload_id = upload.id,
		.token = upload.token, .parts = upload.named,
		.if_match = job->etag.len ? &job->etag : NULL,
		.if_none_match = job->if_new, .done = put_done, .arg = job };

	for (int i = 1; i <= PARTS_MAX; i++)
		if (upload.parts[i].number)
			upload.named[complete.count++] = upload.parts[i];
	s3_multipart_complete(s3, &complete);
}

static void ask_cancel(struct job *job)
{
	struct s3_multipart_abort abort = { .key = job->key,
		.key_len = job->key_len, .upload_id = upload.id,
		.done = put_done, .arg = job };

	s3_multipart_abort(s3, &abort);
}

static const struct {
	const char *verb;
	void (*ask)(struct job *job);
} verbs[] = {
	{ "put", ask_put }, { "part", ask_put }, { "get", ask_get },
	{ "list", ask_list }, { "delete", ask_delete }, { "copy", ask_copy },
	{ "upload", ask_upload }, { "parts", ask_parts },
	{ "complete", ask_complete }, { "cancel", ask_cancel },
};

static void submit(struct job *job)
{
	size_t i = 0;

	while (strcmp(verbs[i].verb, job->verb) != 0)
		if (++i == sizeof(verbs) / sizeof(*verbs)) {
			printf("NO SUCH VERB: %s\n", job->verb);
			return;
		}
	pending++;
	verbs[i].ask(job);
}

static char *decode(const char *text, size_t *len)
{
	char *out = alloc_string(text), *to = out;

	for (; *text; text++) {
		unsigned byte;

		if (*text == '%' && sscanf(text + 1, "%2x", &byte) == 1) {
			*to++ = (char)byte;
			text += 2;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
	*len = (size_t)(to - out);
	return out;
}

static void replace(char **text, const char *by)
{
	free(*text);
	*text = alloc_string(by);
}

static void set_word(struct job *job, const char *word)
{
	const char *value = strchr(word, '=');

	value = value ? value + 1 : "";
	if (strcmp(word, "new") == 0)
		job->if_new = true;
	else if (strcmp(word, "refuse") == 0)
		job->refuse = true;
	else if (strcmp(word, "lie") == 0)
		job->lie = true; /* about the checksums */
	else if (strcmp(word, "md5") == 0)
		job->with_md5 = true;
	else if (strncmp(word, "same=", 5) == 0)
		signature_etag_parse(value, strlen(value), job->etag_room,
		    &job->etag);
	else if (strncmp(word, "break=", 6) == 0)
		job->break_at = strtoll(value, NULL, 10);
	else if (strncmp(word, "stop=", 5) == 0)
		job->stop_at = strtoll(value, NULL, 10);
	else if (strncmp(word, "chain=", 6) == 0)
		job->chain = (int)strtol(value, NULL, 10);
	else if (strncmp(word, "max=", 4) == 0)
		job->max = (int)strtol(value, NULL, 10);
	else if (strncmp(word, "after=", 6) == 0)
		replace(&job->after, value);
	else if (strncmp(word, "token=", 6) == 0)
		replace(&job->token, value);
	else if (strncmp(word, "from=", 5) == 0)
		replace(&job->from, value);
	else if (strncmp(word, "number=", 7) == 0)
		job->number = (int)strtol(value, NULL, 10);
	else if (strncmp(word, "at=", 3) == 0)
		job->at = strtoll(value, NULL, 10);
	else if (strncmp(word, "range=", 6) == 0)
		sscanf(value, "%" SCNd64 "+%" SCNd64, &job->at, &job->length);
	else
		job->size = strtoll(word, NULL, 10);
}

static void free_jobs(void)
{
	while (jobs) {
		struct job *job = jobs;

		jobs = job->next;
		free(job->name);
		free(job->key);
		free(job->after);
		free(job->token);
		free(job->from);
		free(job);
	}
}

static void start(const char *verb, char *words)
{
	struct job *job = alloc_zero(1, sizeof(*job));
	const char *word;

	job->next = jobs;
	jobs = job;
	snprintf(job->verb, sizeof(job->verb), "%s", verb);
	word = strsep(&words, " ");
	job->name = alloc_string(word ? word : "");
	job->key = decode(job->name, &job->key_len);
	job->break_at = job->stop_at = -1;
	while ((word = strsep(&words, " ")))
		set_word(job, word);
	digest_content(job);
	submit(job);
}

/* ${answers} of them, or all. */
static void wait_for(int answers)
{
	struct error err = ERROR_INIT;
	int64_t end = clock_mono_ns() + 60 * CLOCK_SECOND;

	while (pending > 0 && answered < answers) {
		if (s3_wait(s3, CLOCK_SECOND, &err) ||
		    clock_mono_ns() > end) {
			printf("STUCK %s\n", err.text);
			exit(1);
		}
	}
}

static void tell_usage(void)
{
	const struct s3_usage *u = s3_usage(s3);

	printf("usage list=%" PRId64 " get=%" PRId64 " head=%" PRId64
	    " put=%" PRId64 " retries=%" PRId64 "\n",
	    u->requests[S3_KIND_LIST], u->requests[S3_KIND_GET],
	    u->requests[S3_KIND_HEAD], u->requests[S3_KIND_PUT], u->retries);
}

static void sleep_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static void obey(char *line)
{
	const char *verb = strsep(&line, " ");

	if (strcmp(verb, "run") == 0) {
		wait_for(INT_MAX);
	} else if (strcmp(verb, "abort") == 0) {
		wait_for(answered + 1);
		s3_abort_all(s3);
	} else if (strcmp(verb, "sleep") == 0) {
		sleep_ms(strtol(line, NULL, 10));
	} else if (strcmp(verb, "usage") == 0) {
		tell_usage();
	} else if (strcmp(verb, "region") == 0) {
		printf("region %s, asked %" PRId64 " times\n", s3_region(s3),
		    s3_usage(s3)->requests[S3_KIND_HEAD_BUCKET]);
	} else {
		start(verb, line);
	}
	fflush(stdout);
}

static void obey_all(void)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t len;

	while ((len = getline(&line, &room, stdin)) > 0) {
		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		if (strcmp(line, "quit") == 0)
			break;
		if (*line)
			obey(line);
	}
	if (len <= 0)
		wait_for(INT_MAX);
	free(line);
}

/* ---- a clock that is off ------------------------------------------------ */

static int64_t off_wall_ns(void *arg)
{
	struct timespec t;

	(void)arg;
	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * CLOCK_SECOND + t.tv_nsec + clock_offset_ns;
}

static int64_t real_mono_ns(void *arg)
{
	struct timespec t;

	(void)arg;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * CLOCK_SECOND + t.tv_nsec;
}

static uint64_t real_random(void *arg)
{
	static uint64_t state;

	(void)arg;
	if (state == 0) /* tokens must differ from those of other runs */
		state = (uint64_t)time(NULL) << 32 | (uint64_t)getpid();
	state = state * 6364136223846793005u + 1442695040888963407u;
	return state ^ state >> 32;
}

static const struct clock_source clock_off = {
	.wall_ns = off_wall_ns,
	.mono_ns = real_mono_ns,
	.random = real_random,
};

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "endpoint", required_argument, NULL, 'e' },
		{ "bucket", required_argument, NULL, 'b' },
		{ "region", required_argument, NULL, 'r' },
		{ "secret", required_argument, NULL, 's' },
		{ "in-flight", required_argument, NULL, 'n' },
		{ "attempts", required_argument, NULL, 'a' },
		{ "idle-ms", required_argument, NULL, 'i' },
		{ "patience-ms", required_argument, NULL, 'p' },
		{ "clock-off", required_argument, NULL, 'c' },
		{ "ca-bundle", required_argument, NULL, 'C' },
		{ "session-token", required_argument, NULL, 't' },
		{ "virtual", no_argument, NULL, 'v' },
		{ "dualstack", no_argument, NULL, 'D' },
		{ "fips", no_argument, NULL, 'F' },
		{ "begin-in", required_argument, NULL, 'B' },
		{ "aws", no_argument, NULL, 'A' },
		{ "debug", no_argument, NULL, 'd' },
		{ NULL, 0, NULL, 0 },
	};
	struct s3_credentials credentials = {
		.access_key = alloc_string("testkey"),
		.secret_key = alloc_string("testsecret"),
	};
	struct s3_options options = { .credentials = &credentials,
		.bucket = "test", .in_flight = 8, .attempts = 4,
		.idle_timeout_ns = 10 * CLOCK_SECOND,
		.patience_ns = 30 * CLOCK_SECOND };
	const char *begin_in = NULL;
	struct env *env = env_new();
	struct error err = ERROR_INIT;
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		long number = optarg ? strtol(optarg, NULL, 10) : 0;

		switch (c) {
		case 'e': options.endpoint_url = optarg; break;
		case 'b': options.bucket = optarg; break;
		case 'r': options.region = optarg; break;
		case 's': replace(&credentials.secret_key, optarg); break;
		case 'n': options.in_flight = (size_t)number; break;
		case 'a': options.attempts = (int)number; break;
		case 'i': options.idle_timeout_ns = number * CLOCK_MS; break;
		case 'p': options.patience_ns = number * CLOCK_MS; break;
		case 'c': clock_offset_ns = number * CLOCK_SECOND; break;
		case 'C': options.ca_bundle = optarg; break;
		case 'B': begin_in = optarg; break;
		case 't':
			credentials.session_token = alloc_string(optarg);
			break;
		case 'D': options.dualstack = true; break;
		case 'F': options.fips = true; break;
		case 'A': options.endpoint_url = NULL; break;
		case 'v':
			options.addressing = S3_ADDRESSING_VIRTUAL;
			break;
		case 'd':
			log_open(NULL, LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG, &err);
			break;
		default: return 2;
		}
	}
	clock_install(&clock_off);
	options.env = env;
	if (s3_new(&s3, &options, &err)) {
		printf("%s\n", err.text);
	} else {
		if (begin_in)
			s3_begin_in(s3, begin_in);
		obey_all();
	}
	s3_free(s3);
	if (pending > 0)
		printf("NOT ANSWERED: %d\n", pending);
	s3_credentials_release(&credentials);
	env_free(env);
	free_jobs();
	return 0;
}
