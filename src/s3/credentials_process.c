/* SPDX-License-Identifier: MIT */
/* A program that prints credentials: credential_process. No shell sees it. */
#include "s3/credentials_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"

#define OUTPUT_MAX ((size_t)256 << 10)
#define WORD_MAX ((size_t)64 << 10)
#define LOOK_NS (100 * CLOCK_MS)

/* ---- words, as Python's shlex splits them ------------------------------- */

static const char *add_quoted(const char *p, char quote, struct strbuf *word)
{
	for (; *p != quote; p++) {
		if (*p == '\0')
			return NULL;
		if (quote == '"' && *p == '\\' && (p[1] == '"' || p[1] == '\\'))
			p++;
		strbuf_addc(word, *p);
	}
	return p + 1;
}

/* Past the word's end; NULL: a quote is not closed. */
static const char *add_word(const char *p, struct strbuf *word)
{
	while (p && *p && !strchr(" \t\r\n", *p)) {
		if (*p == '"' || *p == '\'') {
			p = add_quoted(p + 1, *p, word);
		} else if (*p == '\\') {
			if (!p[1])
				return NULL;
			strbuf_addc(word, p[1]);
			p += 2;
		} else {
			strbuf_addc(word, *p++);
		}
	}
	return p;
}

void credentials_process_free_words(char **words)
{
	for (size_t i = 0; words && words[i]; i++)
		free(words[i]);
	free(words);
}

char **credentials_process_words(const char *text)
{
	char **words = alloc_zero(1, sizeof(*words));
	size_t count = 0, room = 1;

	for (;;) {
		struct strbuf word = STRBUF_INIT(WORD_MAX);

		text += strspn(text, " \t\r\n");
		if (!*text)
			return words;
		text = add_word(text, &word);
		ALLOC_GROW(words, count + 2, room);
		words[count++] = strbuf_detach(&word);
		words[count] = NULL;
		if (!text) {
			credentials_process_free_words(words);
			return NULL;
		}
	}
}

/* ---- the program -------------------------------------------------------- */

struct program {
	const struct credentials_search *search;
	pid_t pid;
	int out;          /* of its standard output, to be read */
	int64_t until_ns; /* when our patience ends */
	struct strbuf said;
};

/*
 * In a process group of its own, so that what it starts ends with it; with no
 * signal blocked or ignored, whatever this thread has. Its standard error is
 * ours: what it has to say there is for people, and none of our business.
 */
static int start(struct program *p, char **words, struct error *err)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	sigset_t none, all;
	int ends[2], rc;

	if (pipe2(ends, O_CLOEXEC))
		return error_sys(err, ERROR_CREDENTIALS, errno, "a pipe");
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null",
	    O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
	posix_spawnattr_init(&how);
	posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK |
	    POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setsigmask(&how, &none);
	posix_spawnattr_setsigdefault(&how, &all);
	posix_spawnattr_setpgroup(&how, 0);
	rc = posix_spawnp(&p->pid, words[0], &files, &how, words, environ);
	posix_spawnattr_destroy(&how);
	posix_spawn_file_actions_destroy(&files);
	close(ends[1]);
	p->out = ends[0];
	if (rc == 0)
		return 0;
	close(ends[0]);
	return error_sys(err, ERROR_CREDENTIALS, rc, "cannot run '%s'",
	    words[0]);
}

/* 0: go on. */
static int look(const struct program *p, struct error *err)
{
	const struct s3_credentials_request *r = p->search->request;

	if (r->stopped && r->stopped(r->arg))
		return error_set(err, ERROR_STOPPED, "stopped");
	if (clock_mono_ns() >= p->until_ns)
		return error_set(err, ERROR_CREDENTIALS,
		    "it did not end within %lld ms",
		    (long long)(r->timeout_ns / CLOCK_MS));
	return 0;
}

static int read_output(struct program *p, struct error *err)
{
	struct pollfd fd = { .fd = p->out, .events = POLLIN };
	char chunk[4096];
	ssize_t n = 1;
	int rc = 0;

	while (n != 0 && rc == 0) {
		rc = look(p, err);
		if (rc || poll(&fd, 1, (int)(LOOK_NS / CLOCK_MS)) <= 0)
			continue;
		n = read(p->out, chunk, sizeof(chunk));
		if (n > 0)
			strbuf_add(&p->said, chunk, (size_t)n);
		if (strbuf_overflowed(&p->said))
			rc = error_set(err, ERROR_CREDENTIALS,
			    "it prints more than %zu KiB", OUTPUT_MAX >> 10);
	}
	explicit_bzero(chunk, sizeof(chunk));
	return rc;
}

static int wait_for(struct program *p, struct error *err)
{
	int how = 0, rc = 0;
	pid_t ended;

	while ((ended = waitpid(p->pid, &how, WNOHANG)) == 0 && rc == 0) {
		rc = look(p, err);
		if (rc == 0)
			poll(NULL, 0, 10);
	}
	if (ended == 0)
		return rc;
	p->pid = 0;
	if (WIFSIGNALED(how))
		return error_set(err, ERROR_CREDENTIALS,
		    "it was ended by signal %d", WTERMSIG(how));
	if (WEXITSTATUS(how) != 0)
		return error_set(err, ERROR_CREDENTIALS,
		    "it ended with status %d: run it by hand to see why",
		    WEXITSTATUS(how));
	return 0;
}

static int take_output(const struct program *p, struct s3_credentials *out,
    struct error *err)
{
	static const struct credentials_names names = { "AccessKeyId",
		"SecretAccessKey", "SessionToken", "Expiration" };
	json_t *object = credentials_json(strbuf_text(&p->said), p->said.len,
	    err);
	int rc = -1;

	if (!object)
		return -1;
	if (json_integer_value(json_object_get(object, "Version")) != 1)
		error_set(err, ERROR_CREDENTIALS, "Version is not 1");
	else
		rc = credentials_set_json(out, object, &names, err);
	json_free_secret(object);
	return rc;
}

static int run(struct program *p, char **words, struct s3_credentials *out,
    struct error *err)
{
	int rc;

	if (start(p, words, err))
		return -1;
	rc = read_output(p, err);
	if (rc == 0)
		rc = wait_for(p, err);
	close(p->out);
	if (p->pid > 0) {
		kill(-p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
	}
	if (rc == 0 && (rc = take_output(p, out, err)))
		error_prefix(err, "what it prints is not to be used");
	strbuf_wipe(&p->said);
	return rc;
}

int credentials_process_find(const struct credentials_search *s,
    struct s3_credentials *out, struct error *err)
{
	const char *command = credentials_setting(s, "credential_process");
	struct program p = { .search = s, .said = STRBUF_INIT(OUTPUT_MAX),
		.until_ns = clock_mono_ns() + s->request->timeout_ns };
	char **words;
	int rc;

	if (!command)
		return 0;
	words = credentials_process_words(command);
	if (!words || !words[0])
		rc = error_set(err, ERROR_CREDENTIALS,
		    "a quote in it is not closed");
	else
		rc = run(&p, words, out, err);
	credentials_process_free_words(words);
	if (rc == 0 && out->expires_ns && out->expires_ns <= clock_wall_ns())
		rc = error_set(err, ERROR_CREDENTIALS,
		    "what it prints has expired already");
	if (rc)
		return -1;
	credentials_say(out, "credential_process of profile '%s'", s->profile);
	return 1;
}
