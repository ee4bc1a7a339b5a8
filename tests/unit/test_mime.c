/* SPDX-License-Identifier: MIT */
/* Media types by the extension of a name. */
#include "base/mime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct mime *of(const char *text)
{
	char path[] = "/tmp/test_mime.XXXXXX";
	struct error err = ERROR_INIT;
	struct mime *m = mime_new();
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	assert_int_equal(mime_read_file(m, path, &err), 0);
	unlink(path);
	return m;
}

static const char *type_of(const struct mime *m, const char *name)
{
	return mime_find(m, name, strlen(name));
}

static void extensions_tell_the_type(void **state)
{
	struct mime *m = mime_new();

	(void)state;
	assert_string_equal(type_of(m, "page.html"), "text/html");
	assert_string_equal(type_of(m, "a/b.c/image_v5.png"), "image/png");
	assert_string_equal(type_of(m, "IMAGE.PnG"), "image/png");
	assert_string_equal(type_of(m, "backup.tar.gz"), "application/gzip");
	assert_string_equal(type_of(m, "prompt.txt"), "text/plain");
	mime_free(m);
}

static void what_has_no_known_extension_is_bytes(void **state)
{
	static const char *const names[] = { "", "Makefile", ".png", "a/.txt",
		"a.png/b", "a.", "a..", "prompt.txt.completed", ".", "..", "a/",
		"a.nosuchextension", "a.png/" };
	struct mime *m = mime_new();

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_string_equal(type_of(m, names[i]), MIME_UNKNOWN);
	assert_string_equal(mime_find(m, "a.png", 4), MIME_UNKNOWN);
	mime_free(m);
}

static void a_file_adds_and_wins(void **state)
{
	struct mime *m = of("# a comment\n"
			    "\n"
			    "text/x-own\t\town  OWN2 # and one more\n"
			    "  image/x-png png\r\n"
			    "type-without-extensions/x\n"
			    "no-type other\n"
			    "bad\x01/type bad\n"
			    "application/x-first twice\n"
			    "application/x-second twice");

	(void)state;
	assert_string_equal(type_of(m, "a.own"), "text/x-own");
	assert_string_equal(type_of(m, "a.Own2"), "text/x-own");
	assert_string_equal(type_of(m, "a.and"), MIME_UNKNOWN);
	assert_string_equal(type_of(m, "a.png"), "image/x-png");
	assert_string_equal(type_of(m, "a.other"), MIME_UNKNOWN);
	assert_string_equal(type_of(m, "a.bad"), MIME_UNKNOWN);
	assert_string_equal(type_of(m, "a.twice"), "application/x-second");
	assert_string_equal(type_of(m, "a.gif"), "image/gif");
	mime_free(m);
}

static void the_longest_known_extension_counts(void **state)
{
	struct mime *m = of("application/x-short json\n"
			    "application/x-long cwl.json\n");

	(void)state;
	assert_string_equal(type_of(m, "a.cwl.json"), "application/x-long");
	assert_string_equal(type_of(m, "a.b.cwl.json"), "application/x-long");
	assert_string_equal(type_of(m, "a.other.json"), "application/x-short");
	assert_string_equal(type_of(m, ".cwl.json"), "application/x-short");
	mime_free(m);
}

static void a_file_that_is_not_there_is_an_error(void **state)
{
	struct error err = ERROR_INIT;
	struct mime *m = mime_new();

	(void)state;
	assert_int_equal(mime_read_file(m, "/nonexistent/mime.types", &err),
	    -1);
	assert_string_equal(type_of(m, "a.png"), "image/png");
	mime_free(m);
	mime_free(NULL);
}

static void the_table_of_the_user_wins_over_the_systems(void **state)
{
	char home[] = "/tmp/test_mime.XXXXXX";
	char path[64];
	struct mime *m;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(home));
	snprintf(path, sizeof(path), "%s/.mime.types", home);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("text/x-mine html\n", f);
	fclose(f);
	setenv("HOME", home, 1);
	m = mime_load();
	assert_string_equal(type_of(m, "a.html"), "text/x-mine");
	assert_string_equal(type_of(m, "a.jpeg"), "image/jpeg");
	mime_free(m);
	unlink(path);
	rmdir(home);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(extensions_tell_the_type),
		cmocka_unit_test(what_has_no_known_extension_is_bytes),
		cmocka_unit_test(a_file_adds_and_wins),
		cmocka_unit_test(the_longest_known_extension_counts),
		cmocka_unit_test(a_file_that_is_not_there_is_an_error),
		cmocka_unit_test(the_table_of_the_user_wins_over_the_systems),
	};

	return cmocka_run_group_tests_name("mime", tests, NULL, NULL);
}
