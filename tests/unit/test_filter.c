/* SPDX-License-Identifier: MIT */
/* Globs: by example, and against git itself on generated ones. */
#include "sync/filter.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/strbuf.h"

static struct error err;

static void add(struct filter *f, bool include, const char *glob)
{
	if (filter_add(f, include, glob, &err) != 0)
		fail_msg("%s", err.text);
}

/* Does the one glob exclude ${key}, a directory if it ends in '/'? */
static bool excludes(const char *glob, const char *key)
{
	struct filter *f = filter_new();
	size_t len = strlen(key);
	bool is_dir = key[len - 1] == '/';
	bool result;

	add(f, false, glob);
	result = filter_excludes(f, key, len - is_dir, is_dir);
	filter_free(f);
	return result;
}

static void globs_match_what_gitignore_says(void **state)
{
	static const struct {
		const char *glob, *key;
		bool excluded;
	} cases[] = {
		{ "a", "a", true },
		{ "a", "x/y/a", true },
		{ "a", "a/", true },
		{ "a", "ab", false },
		{ "temp_*", "temp_1", true },
		{ "temp_*", "x/temp_", true },
		{ "temp_*", "x/a_temp_1", false },
		{ "/a", "a", true },
		{ "/a", "x/a", false },
		{ "x/a", "x/a", true },
		{ "x/a", "y/x/a", false },
		{ "x/*", "x/a", true },
		{ "x/*", "x/a/b", false },
		{ "a/", "a/", true },
		{ "a/", "x/a/", true },
		{ "a/", "a", false },
		{ "**/a", "a", true },
		{ "**/a", "x/y/a", true },
		{ "**/x/a", "y/x/a", true },
		{ "x/**", "x/", false },
		{ "x/**", "x/a", true },
		{ "x/**", "x/a/b", true },
		{ "x/**/a", "x/a", true },
		{ "x/**/a", "x/y/z/a", true },
		{ "x/**/a", "x/y/b", false },
		{ "x/**/y/**/a", "x/y/p/y/q/a", true },
		{ "x/**a", "x/ya", true },
		{ "x/**a", "x/y/a", false },
		{ "**", "x/a", true },
		{ "/**", "x/a", true },
		{ "/*", "x", true },
		{ "/*", "x/a", false },
		{ "?", "a", true },
		{ "?", "ab", false },
		{ "x?a", "x/a", false },
		{ "*.c", "x/.c", true },
		{ "*a*b*", "xaxbx", true },
		{ "*a*b*", "xbxax", false },
		{ "[abc]", "b", true },
		{ "[a-c]x", "bx", true },
		{ "[!a-c]x", "bx", false },
		{ "[^a-c]x", "dx", true },
		{ "[]a]", "]", true },
		{ "[!]a]", "]", false },
		{ "[a-]", "-", true },
		{ "[\\]]", "]", true },
		{ "[a\\-c]", "b", false },
		{ "[[:digit:][:upper:]]", "7", true },
		{ "[[:digit:]]", "x", false },
		{ "[[:]", ":", true },
		{ "x[/]a", "x/a", false },
		{ "\\*", "*", true },
		{ "\\*", "a", false },
		{ "\\!a", "!a", true },
		{ "#a", "#a", true },
		{ "a ", "a", true },
		{ "a\\ ", "a ", true },
		{ "a b", "a b", true },
		{ "\xc3\xa4*", "\xc3\xa4x", true },
		{ "?", "\xc3\xa4", false },
		{ "[^a]", "\xff", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (excludes(cases[i].glob, cases[i].key) != cases[i].excluded)
			fail_msg("'%s' on '%s': expected %d", cases[i].glob,
			    cases[i].key, cases[i].excluded);
	}
}

static void broken_globs_are_refused_by_name(void **state)
{
	static const char *const globs[] = { "", " ", "!", "/", "!/", "//",
		"a//b", "[a", "a[", "[!", "[]", "[a-", "a\\", "a\\/", "a\\/b",
		"[a\\", "[[:nothing:]]", "[[::]]" };
	struct filter *f = filter_new();

	(void)state;
	for (size_t i = 0; i < sizeof(globs) / sizeof(globs[0]); i++) {
		char quoted[32];

		error_clear(&err);
		if (filter_add(f, false, globs[i], &err) != -1)
			fail_msg("'%s' was taken", globs[i]);
		snprintf(quoted, sizeof(quoted), "'%s'", globs[i]);
		assert_int_equal(err.kind, ERROR_CONFIG);
		assert_non_null(strstr(err.text, quoted));
	}
	assert_false(filter_excludes(f, "a", 1, false));
	filter_free(f);
}

static void the_last_match_decides(void **state)
{
	struct filter *f = filter_new();

	(void)state;
	add(f, false, "*.log");
	add(f, true, "keep.log");
	add(f, false, "/keep.log");
	assert_true(filter_excludes(f, "a.log", 5, false));
	assert_false(filter_excludes(f, "x/keep.log", 10, false));
	assert_true(filter_excludes(f, "keep.log", 8, false));
	filter_free(f);
}

static void an_exclamation_mark_inverts(void **state)
{
	struct filter *f = filter_new();

	(void)state;
	add(f, false, "*");
	add(f, false, "!a");
	add(f, true, "b");
	add(f, true, "!b");
	assert_false(filter_excludes(f, "a", 1, false));
	assert_true(filter_excludes(f, "b", 1, false));
	filter_free(f);
}

static void an_excluded_directory_excludes_all_below(void **state)
{
	struct filter *f = filter_new();
	struct filter_memo memo = { .valid = false };

	(void)state;
	add(f, false, "x/");
	add(f, true, "a");
	assert_true(filter_excludes_key(f, &memo, "x/a", 3));
	assert_true(filter_excludes_key(f, &memo, "x/b", 3));
	assert_true(filter_excludes_key(f, &memo, "p/x/q/a", 7));
	assert_false(filter_excludes_key(f, &memo, "p/a", 3));
	assert_false(filter_excludes_key(f, &memo, "x", 1));
	filter_free(f);
}

static void a_memo_is_of_one_directory_only(void **state)
{
	static char deep[2100];
	struct filter *f = filter_new();
	struct filter_memo memo = { .valid = false };

	(void)state;
	add(f, false, "xy/");
	add(f, false, "z/");
	assert_true(filter_excludes_key(f, &memo, "xy/a", 4));
	assert_false(filter_excludes_key(f, &memo, "x/a", 3));
	assert_true(filter_excludes_key(f, &memo, "xy/a", 4));
	assert_false(filter_excludes_key(f, &memo, "a", 1));
	/* Longer than a memo is. */
	memset(deep, 'd', sizeof(deep));
	assert_false(filter_excludes_key(f, &memo, deep, sizeof(deep)));
	deep[2050] = '/';
	assert_false(filter_excludes_key(f, &memo, deep, sizeof(deep)));
	memcpy(deep + 100, "/z/", 3);
	assert_true(filter_excludes_key(f, &memo, deep, sizeof(deep)));
	assert_false(filter_excludes_key(f, &memo, "a", 1));
	filter_free(f);
}

static void hostile_globs_take_no_exponential_time(void **state)
{
	static const char *const repeated[] = { "*a", "**/a/", "[a*]*", "*/" };
	struct filter *f = filter_new();
	char key[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(repeated) / sizeof(repeated[0]); i++) {
		struct strbuf glob = STRBUF_INIT(8192);

		while (glob.len < 4096)
			strbuf_adds(&glob, repeated[i]);
		strbuf_adds(&glob, "b");
		add(f, false, strbuf_text(&glob));
		strbuf_release(&glob);
	}
	alarm(20); /* many thousand years would not do */
	memset(key, 'a', sizeof(key));
	assert_false(filter_excludes(f, key, sizeof(key), false));
	for (size_t i = 1; i < sizeof(key); i += 2)
		key[i] = '/';
	assert_false(filter_excludes(f, key, sizeof(key) - 1, false));
	alarm(0);
	filter_free(f);
}

static void the_hash_tells_filters_apart(void **state)
{
	static const struct {
		bool include;
		const char *glob;
	} filters[][2] = {
		{ { false, "a" }, { false, "b" } },
		{ { false, "b" }, { false, "a" } },
		{ { true, "a" }, { false, "b" } },
		{ { false, "ab" }, { false, "b" } },
		{ { false, "a" }, { false, "b/" } },
	};
	enum { COUNT = sizeof(filters) / sizeof(filters[0]) };
	char hash[COUNT][65];

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		struct filter *f = filter_new();

		add(f, filters[i][0].include, filters[i][0].glob);
		add(f, filters[i][1].include, filters[i][1].glob);
		assert_int_equal(strlen(filter_hash(f)), 64);
		memcpy(hash[i], filter_hash(f), 65);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(hash[i], hash[j]);
		filter_free(f);
	}
}

/*
 * git as the judge: a tree of real names, generated .gitignore files, and
 * which of the names `git check-ignore` says are ignored.
 */

#define NAMES_MAX 1024
#define ROUNDS 250

static char judge_dir[] = "/tmp/test_filter.XXXXXX";
static char *name[NAMES_MAX];
static bool is_dir[NAMES_MAX];
static size_t name_count;

static void make_tree(const char *below, int depth)
{
	static const char *const dirs[] = { "a", "b", "ab", "x-" };
	static const char *const files[] = { "f", "aa", "b.c", "x]", "-b" };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s%s", below, dirs[i]);
		assert_int_equal(mkdir(path, 0755), 0);
		is_dir[name_count] = true;
		name[name_count++] = strdup(path);
		snprintf(path, sizeof(path), "%s%s/", below, dirs[i]);
		if (depth > 1)
			make_tree(path, depth - 1);
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char path[64];
		int fd;

		snprintf(path, sizeof(path), "%s%s", below, files[i]);
		fd = open(path, O_CREAT | O_WRONLY, 0644);
		assert_true(fd >= 0);
		close(fd);
		name[name_count++] = strdup(path);
	}
	assert_true(name_count < NAMES_MAX);
}

static void write_names(void)
{
	FILE *out = fopen("names", "w");

	assert_non_null(out);
	for (size_t i = 0; i < name_count; i++)
		fwrite(name[i], 1, strlen(name[i]) + 1, out);
	assert_int_equal(fclose(out), 0);
}

/* git answers in the order in which it is asked. */
static void ask_git(bool ignored[NAMES_MAX])
{
	FILE *git = popen("env -i PATH=\"$PATH\" git check-ignore --no-index "
			  "--stdin -z <names",
	    "r");
	char *line = NULL;
	size_t room = 0, i = 0;

	assert_non_null(git);
	memset(ignored, 0, NAMES_MAX * sizeof(bool));
	while (getdelim(&line, &room, '\0', git) > 0) {
		for (; strcmp(name[i], line) != 0; i++)
			assert_true(i + 1 < name_count);
		ignored[i++] = true;
	}
	free(line);
	/* 1: none is ignored */
	assert_true(WEXITSTATUS(pclose(git)) <= 1);
}

static bool ask_filter(const struct filter *f, struct filter_memo *memo,
    size_t i)
{
	const char *key = name[i];

	if (!is_dir[i])
		return filter_excludes_key(f, memo, key, strlen(key));
	for (size_t end = 0; key[end] != '\0'; end++) {
		end += strcspn(key + end, "/");
		if (filter_excludes(f, key, end, true))
			return true;
		if (key[end] == '\0')
			break;
	}
	return false;
}

static unsigned roll(unsigned sides)
{
	static uint64_t seed = 20261122;

	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned)(seed >> 33) % sides;
}

/*
 * git's manual calls the stars of "x**" ordinary ones; git takes what follows
 * the first literal bytes for a glob of its own, where they may be a "**".
 * Here the manual is followed.
 */
static bool git_differs_from_its_manual(const char *glob)
{
	const char *literal = glob + strcspn(glob, "*?[\\");

	return strncmp(literal, "**", 2) == 0 && literal > glob &&
	    strchr("/!", literal[-1]) == NULL;
}

static const char *any_of(const char *const words[], size_t count)
{
	return words[roll((unsigned)count)];
}
#define ANY_OF(words) any_of(words, sizeof(words) / sizeof((words)[0]))

static void make_glob(struct strbuf *glob)
{
	static const char *const starts[] = { "", "", "", "", "!", "/", "**/",
		"!/", "a/", "*/" };
	static const char *const parts[] = { "a", "b", "f", "x", "-", ".c", "a",
		"b", "ab", "*", "*", "?", "/", "/", "/", "/**/", "[ab]", "[!b]",
		"[^a-f]", "[]x]", "[a-]", "[x-a]", "\\a", "\\-", "[[:alpha:]]",
		"[![:alpha:]]", "[a", "[\\]]", "[--b]", "[a-b-x]", "[a/]" };
	static const char *const ends[] = { "", "", "", "", "/", "/**", "/*",
		" ", "*" };

	do {
		strbuf_clear(glob);
		strbuf_adds(glob, ANY_OF(starts));
		for (unsigned n = 1 + roll(4); n > 0; n--)
			strbuf_adds(glob, ANY_OF(parts));
		strbuf_adds(glob, ANY_OF(ends));
	} while (git_differs_from_its_manual(strbuf_text(glob)));
}

/* Up to four globs; those that are refused are for git, too, as good as not
 * there. */
static struct filter *make_filter(struct strbuf *globs)
{
	struct filter *f = filter_new();
	struct strbuf glob = STRBUF_INIT(256);
	struct error refused;
	FILE *out = fopen(".gitignore", "w");

	assert_non_null(out);
	strbuf_clear(globs);
	for (unsigned n = 1 + roll(4); n > 0; n--) {
		make_glob(&glob);
		filter_add(f, false, strbuf_text(&glob), &refused);
		strbuf_addf(globs, "%s\n", strbuf_text(&glob));
	}
	fputs(strbuf_text(globs), out);
	assert_int_equal(fclose(out), 0);
	strbuf_release(&glob);
	return f;
}

static void generated_globs_match_as_git_matches_them(void **state)
{
	struct strbuf globs = STRBUF_INIT(1024);
	size_t excluded = 0, asked = 0;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct filter *f = make_filter(&globs);
		struct filter_memo memo = { .valid = false };
		bool ignored[NAMES_MAX];

		ask_git(ignored);
		for (size_t i = 0; i < name_count; i++, asked++) {
			bool ours = ask_filter(f, &memo, i);

			excluded += ours;
			if (ours != ignored[i])
				fail_msg("git says %d for %s:\n%s", ignored[i],
				    name[i], strbuf_text(&globs));
		}
		filter_free(f);
	}
	/* The globs are of a kind to find a difference with. */
	assert_in_range(excluded, asked / 10, asked * 9 / 10);
	strbuf_release(&globs);
}

static int set_up_judge(void **state)
{
	(void)state;
	if (mkdtemp(judge_dir) == NULL || chdir(judge_dir) != 0 ||
	    system("env -i PATH=\"$PATH\" git init -q .") != 0)
		return -1;
	make_tree("", 3);
	write_names();
	return 0;
}

static int tear_down_judge(void **state)
{
	char command[64];

	(void)state;
	for (size_t i = 0; i < name_count; i++)
		free(name[i]);
	snprintf(command, sizeof(command), "rm -r %s", judge_dir);
	return chdir("/") != 0 || system(command) != 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(globs_match_what_gitignore_says),
		cmocka_unit_test(broken_globs_are_refused_by_name),
		cmocka_unit_test(the_last_match_decides),
		cmocka_unit_test(an_exclamation_mark_inverts),
		cmocka_unit_test(an_excluded_directory_excludes_all_below),
		cmocka_unit_test(a_memo_is_of_one_directory_only),
		cmocka_unit_test(hostile_globs_take_no_exponential_time),
		cmocka_unit_test(the_hash_tells_filters_apart),
		cmocka_unit_test_setup_teardown(
		    generated_globs_match_as_git_matches_them, set_up_judge,
		    tear_down_judge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
