/* SPDX-License-Identifier: MIT */
/* Small documents: what S3 sends is read, and nothing else is believed. */
#include "s3/xml_document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define CREATED                                                             \
	HEAD "<InitiateMultipartUploadResult "                              \
	     "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"           \
	     "<Bucket>b</Bucket><Key>a&amp;b</Key><UploadId>x&lt;1</UploadId>" \
	     "</InitiateMultipartUploadResult>"

static struct xml_error said;
static struct error why;

static enum xml_verdict parse(const char *root, const char *body,
    struct xml_document **d)
{
	/* of exactly its size, so that a read past it is seen */
	size_t len = strlen(body);
	char *copy = malloc(len + 1);
	enum xml_verdict verdict;

	memcpy(copy, body, len);
	error_clear(&why);
	verdict = xml_document_parse(d, root, copy, len, &said, &why);
	free(copy);
	return verdict;
}

static void texts_of_the_root_are_found(void **state)
{
	struct xml_document *d;

	(void)state;
	assert_int_equal(parse("InitiateMultipartUploadResult", CREATED, &d),
	    XML_SOUND);
	assert_string_equal(xml_document_text(d, "UploadId"), "x<1");
	assert_string_equal(xml_document_text(d, "Key"), "a&b");
	assert_string_equal(xml_document_text(d, "Nothing"), "");
	xml_document_free(d);
}

static void rows_come_in_order(void **state)
{
	const char *body = HEAD "<R><P><N>1</N><E>&quot;e1&quot;</E></P>\n"
	    "<Other><N>9</N></Other> <P><N>2</N><E/></P><T>true</T></R>";
	struct xml_document *d;

	(void)state;
	assert_int_equal(parse("R", body, &d), XML_SOUND);
	assert_true(xml_document_next(d, "P"));
	assert_string_equal(xml_document_field(d, "N"), "1");
	assert_string_equal(xml_document_field(d, "E"), "\"e1\"");
	assert_true(xml_document_next(d, "P"));
	assert_string_equal(xml_document_field(d, "N"), "2");
	assert_string_equal(xml_document_field(d, "E"), "");
	assert_string_equal(xml_document_text(d, "T"), "true");
	assert_false(xml_document_next(d, "P"));
	xml_document_free(d);
}

static void texts_may_lie_deeper(void **state)
{
	const char *body = HEAD "<R><A><B><C>1</C></B></A>"
	    "<P><F><N>2</N><E/></F></P><P><F/></P></R>";
	struct xml_document *d;

	(void)state;
	assert_int_equal(parse("R", body, &d), XML_SOUND);
	assert_string_equal(xml_document_text(d, "A/B/C"), "1");
	assert_string_equal(xml_document_text(d, "A/B"), "");
	assert_string_equal(xml_document_text(d, "A/C"), "");
	assert_string_equal(xml_document_text(d, "A/B/C/D"), "");
	assert_true(xml_document_next(d, "P"));
	assert_string_equal(xml_document_field(d, "F/N"), "2");
	assert_true(xml_document_has(d, "F/E"));
	assert_false(xml_document_has(d, "F/X"));
	assert_true(xml_document_next(d, "P"));
	assert_string_equal(xml_document_field(d, "F/N"), "");
	assert_true(xml_document_has(d, "F"));
	assert_false(xml_document_has(d, "F/E"));
	xml_document_free(d);
}

static void blanks_that_keep_a_line_open_are_skipped(void **state)
{
	struct xml_document *d;

	(void)state;
	assert_int_equal(parse("R", "\n \r\n\t" HEAD "<R><A>1</A></R>\n", &d),
	    XML_SOUND);
	assert_string_equal(xml_document_text(d, "A"), "1");
	xml_document_free(d);
}

static void an_error_after_200_is_an_error(void **state)
{
	struct xml_document *d;

	(void)state;
	assert_int_equal(parse("CompleteMultipartUploadResult", "  " HEAD
	    "<Error><Code>InternalError</Code><Message>m</Message></Error>",
	    &d), XML_ERROR);
	assert_null(d);
	assert_string_equal(said.code, "InternalError");
}

static void what_is_not_the_document_is_not_believed(void **state)
{
	static const char *const bodies[] = {
		"", " \n", "<R>", "<R><A>1</A>", "<S><A>1</A></S>",
		"<html><body>Sign in</body></html>", "{\"a\":1}", "R",
		"<R><A>1</B></R>", "<R>\x01</R>",
		"<!DOCTYPE R><R><A>1</A></R>",
		"<!DOCTYPE R [<!ENTITY a \"b\">]><R><A>&a;</A></R>",
		("<!DOCTYPE R [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>"
		    "<R><A>&a;</A></R>"),
		"<Error><Message>no code</Message></Error>",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		struct xml_document *d;

		if (parse("R", bodies[i], &d) != XML_BROKEN || d)
			fail_msg("believed: %s", bodies[i]);
		assert_int_not_equal(why.kind, ERROR_NONE);
	}
}

static void a_page_of_html_is_called_by_its_name(void **state)
{
	struct xml_document *d;

	(void)state;
	parse("R", "<html><body>Sign in</body></html>", &d);
	assert_string_equal(why.text, "the reply is an HTML page, not a <R>");
}

/* What holds elements, or an entity of its own, is no text. */
static void a_text_is_only_text(void **state)
{
	struct xml_document *d;

	(void)state;
	assert_int_equal(parse("R", "<R><A>1<B>2</B></A>"
	    "<C><![CDATA[<3>]]></C></R>", &d), XML_SOUND);
	assert_string_equal(xml_document_text(d, "A"), "");
	assert_string_equal(xml_document_text(d, "C"), "<3>");
	xml_document_free(d);
}

static void a_child_may_take_the_roots_place(void **state)
{
	struct xml_document *d;

	(void)state;
	assert_int_equal(parse("R", "<R><A>0</A><X><A>1</A><Y><A>2</A></Y></X>"
	    "</R>", &d), XML_SOUND);
	assert_false(xml_document_enter(d, "Y"));
	assert_string_equal(xml_document_text(d, "A"), "0");
	assert_true(xml_document_enter(d, "X"));
	assert_string_equal(xml_document_text(d, "A"), "1");
	assert_true(xml_document_enter(d, "Y"));
	assert_string_equal(xml_document_text(d, "A"), "2");
	assert_true(xml_document_next(d, "A"));
	xml_document_free(d);
}

static void no_document_is_freed(void **state)
{
	(void)state;
	xml_document_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_of_the_root_are_found),
		cmocka_unit_test(rows_come_in_order),
		cmocka_unit_test(texts_may_lie_deeper),
		cmocka_unit_test(blanks_that_keep_a_line_open_are_skipped),
		cmocka_unit_test(an_error_after_200_is_an_error),
		cmocka_unit_test(what_is_not_the_document_is_not_believed),
		cmocka_unit_test(a_page_of_html_is_called_by_its_name),
		cmocka_unit_test(a_text_is_only_text),
		cmocka_unit_test(a_child_may_take_the_roots_place),
		cmocka_unit_test(no_document_is_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
