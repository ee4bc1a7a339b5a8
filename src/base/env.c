/* SPDX-License-Identifier: MIT */
/* Environment variables, with those of a file behind them. */
#include "base/env.h"

#include <ctype.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/strbuf.h"

#define FILE_MAX ((size_t)1 << 20)
#define BLANK " \t"

struct variable {
	char *name;
	char *value;
};

struct env {
	struct variable *file; /* in the order read; the last one counts */
	size_t count;
	size_t room;
};

struct env *env_new(void)
{
	return alloc_zero(1, sizeof(struct env));
}

void env_free(struct env *env)
{
	if (!env)
		return;
	for (size_t i = 0; i < env->count; i++) {
		free(env->file[i].name);
		secret_free(&env->file[i].value);
	}
	free(env->file);
	free(env);
}

const char *env_get(const struct env *env, const char *name)
{
	const char *value = getenv(name);

	if (value && *value)
		return value;
	for (size_t i = env->count; i-- > 0;)
		if (strcmp(env->file[i].name, name) == 0)
			return *env->file[i].value ? env->file[i].value : NULL;
	return NULL;
}

const char *env_home(void)
{
	const char *home = getenv("HOME");
	const struct passwd *user;

	if (home && *home)
		return home;
	user = getpwuid(geteuid());
	return user ? user->pw_dir : "/";
}

static bool is_rest(const char *p)
{
	p += strspn(p, BLANK);
	return *p == '\0' || *p == '#';
}

/* The three forms of a value: each appends to ${out} and returns NULL, or
 * says what is wrong with the line. */
static const char *single_quoted(const char *p, struct strbuf *out)
{
	const char *end = strchr(p, '\'');

	if (!end)
		return "a ' is not closed on its line";
	if (!is_rest(end + 1))
		return "there is text after the closing '";
	strbuf_add(out, p, (size_t)(end - p));
	return NULL;
}

static const char *double_quoted(const char *p, struct strbuf *out)
{
	for (; *p != '"'; p++) {
		if (*p == '\0')
			return "a \" is not closed on its line";
		if (*p == '$' || *p == '`')
			return "nothing is expanded here: write $ as \\$, or "
			       "use '...'";
		if (*p != '\\') {
			strbuf_addc(out, *p);
			continue;
		}
		p++;
		if (*p == 'n')
			strbuf_addc(out, '\n');
		else if (*p == '"' || *p == '\\' || *p == '$')
			strbuf_addc(out, *p);
		else
			return "only \\\" \\\\ \\$ and \\n are known: use "
			       "'...'";
	}
	return is_rest(p + 1) ? NULL : "there is text after the closing \"";
}

static const char *bare(const char *p, struct strbuf *out)
{
	size_t len = 0;

	if (strchr(BLANK, *p) && !is_rest(p))
		return "there is a blank before the value";
	for (size_t i = 0; p[i]; i++) {
		if (p[i] == '#' && (i == 0 || strchr(BLANK, p[i - 1])))
			break;
		if (strchr("$`\\\"'", p[i]))
			return "$ ` \\ and quotes need '...' around the value";
		if (!strchr(BLANK, p[i]))
			len = i + 1;
	}
	strbuf_add(out, p, len);
	return NULL;
}

/* Reads `[export] NAME=VALUE` into ${name} and ${value}; NULL, or what is
 * wrong. A blank line or a comment leaves ${name} empty. */
static const char *parse_line(const char *p, struct strbuf *name,
    struct strbuf *value)
{
	size_t len;

	p += strspn(p, BLANK);
	if (*p == '\0' || *p == '#')
		return NULL;
	if (strncmp(p, "export", 6) == 0 && strspn(p + 6, BLANK) > 0)
		p += 6 + strspn(p + 6, BLANK);
	for (len = 0; isalnum((unsigned char)p[len]) || p[len] == '_'; len++)
		;
	if (len == 0 || isdigit((unsigned char)*p) || p[len] != '=')
		return "only KEY=value, export KEY=value and # comments are "
		       "read";
	strbuf_add(name, p, len);
	p += len + 1;
	if (*p == '\'')
		return single_quoted(p + 1, value);
	if (*p == '"')
		return double_quoted(p + 1, value);
	return bare(p, value);
}

static int read_line(void *arg, char *line, struct error *err)
{
	struct env *env = arg;
	struct strbuf name = STRBUF_INIT(FILE_MAX);
	struct strbuf value = STRBUF_INIT(FILE_MAX);
	const char *wrong = parse_line(line, &name, &value);
	int rc = 0;

	if (wrong) {
		rc = error_set(err, ERROR_CONFIG, "%s", wrong);
	} else if (name.len > 0) {
		ALLOC_GROW(env->file, env->count + 1, env->room);
		env->file[env->count].name = alloc_string(strbuf_text(&name));
		env->file[env->count].value = alloc_string(strbuf_text(&value));
		env->count++;
	}
	strbuf_release(&name);
	strbuf_wipe(&value);
	return rc;
}

static void warn_if_readable(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_mode & S_IROTH))
		log_warning("%s: any user may read it: chmod o-r it", path);
}

int env_read_file(struct env *env, const char *path, struct error *err)
{
	warn_if_readable(path);
	return fs_each_line(path, FILE_MAX, ERROR_CONFIG, read_line, env, err);
}
