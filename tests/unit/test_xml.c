/* SPDX-License-Identifier: MIT */
/* A listing page is believed whole or not at all; error bodies are read for
 * whatever they hold. */
#include "s3/xml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" \
	"<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
#define LAST "<IsTruncated>false</IsTruncated>"
#define URL "<EncodingType>url</EncodingType>"
#define TAIL "</ListBucketResult>"
#define OBJECT(key)                                                            \
	"<Contents><Key>" key "</Key><Size>1</Size></Contents>"

static const char whole[] = HEAD
    "<Name>bucket</Name><Prefix>p%2F</Prefix><KeyCount>2</KeyCount>"
    "<MaxKeys>2</MaxKeys>" URL "<IsTruncated>true</IsTruncated>"
    "<Contents><Key>p/a+b%2B%C3%BC</Key>"
    "<LastModified>2025-03-01T12:34:56.789Z</LastModified>"
    "<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag>"
    "<Size>0</Size><Owner><ID>1</ID><DisplayName>x</DisplayName></Owner>"
    "<StorageClass>STANDARD</StorageClass></Contents>"
    "<Contents><Key>p/z%0A%00</Key>"
    "<LastModified>2025-03-01T12:34:57Z</LastModified>"
    "<ETag>\"0-17\"</ETag><Size>9223372036854775807</Size>"
    "<StorageClass>DEEP_ARCHIVE</StorageClass></Contents>"
    "<CommonPrefixes><Prefix>p/c/</Prefix></CommonPrefixes>"
    "<NextContinuationToken>1/a&amp;b==</NextContinuationToken>" TAIL;

/* Parses ${text} in pieces of ${step} bytes. */
static enum xml_verdict parse(const char *text, size_t len, size_t step,
    struct s3_page **page, struct xml_error *error, struct error *err)
{
	struct xml_page *p = xml_page_new();
	enum xml_verdict verdict;

	for (size_t at = 0; at < len; at += step)
		if (xml_page_feed(p, text + at,
		    len - at < step ? len - at : step))
			break;
	verdict = xml_page_end(p, page, error, err);
	xml_page_free(p);
	return verdict;
}

static struct s3_page *parse_page(const char *text)
{
	struct error err = ERROR_INIT;
	struct xml_error error;
	struct s3_page *page;

	if (parse(text, strlen(text), strlen(text) + 1, &page, &error, &err) !=
	    XML_SOUND)
		fail_msg("%s: %s", err.text, text);
	return page;
}

static void check_broken(const char *text, const char *why)
{
	struct error err = ERROR_INIT;
	struct xml_error error;
	struct s3_page *page;

	if (parse(text, strlen(text), 7, &page, &error, &err) != XML_BROKEN)
		fail_msg("believed: %s", text);
	assert_null(page);
	assert_int_equal(err.kind, ERROR_BUCKET);
	if (!strstr(err.text, why))
		fail_msg("%s: %s", err.text, text);
}

static void check_key(const struct s3_object *object, const char *key,
    size_t len)
{
	assert_int_equal(object->key_len, len);
	assert_memory_equal(object->key, key, len);
}

static void check_whole(const struct s3_page *page)
{
	char etag[ETAG_MAX + 1];

	assert_int_equal(page->count, 2);
	assert_true(page->truncated);
	assert_string_equal(page->token, "1/a&b==");
	check_key(&page->objects[0], "p/a b+\xc3\xbc", 8);
	assert_int_equal(page->objects[0].sig.size, 0);
	assert_int_equal(page->objects[0].sig.mtime_ms, 1740832496789);
	assert_true(page->objects[0].sig.etag.binary);
	signature_etag_text(&page->objects[0].sig.etag, etag);
	assert_string_equal(etag, "d41d8cd98f00b204e9800998ecf8427e");
	assert_false(page->objects[0].archived);
	check_key(&page->objects[1], "p/z\n\0", 5);
	assert_true(page->objects[1].sig.size == INT64_MAX);
	assert_int_equal(page->objects[1].sig.mtime_ms, 1740832497000);
	signature_etag_text(&page->objects[1].sig.etag, etag);
	assert_string_equal(etag, "0-17");
	assert_true(page->objects[1].archived);
}

static void a_page_is_the_same_in_pieces_of_any_size(void **state)
{
	(void)state;
	for (size_t step = 1; step <= sizeof(whole); step++) {
		struct error err = ERROR_INIT;
		struct xml_error error;
		struct s3_page *page;

		assert_int_equal(parse(whole, sizeof(whole) - 1, step, &page,
		    &error, &err), XML_SOUND);
		check_whole(page);
		s3_page_free(page);
	}
}

static void a_page_cut_short_anywhere_is_not_believed(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		struct error err = ERROR_INIT;
		struct xml_error error;
		struct s3_page *page;

		assert_int_equal(parse(whole, len, 100, &page, &error, &err),
		    XML_BROKEN);
		assert_null(page);
	}
	check_broken("", "it is empty");
	check_broken(" \n", "it is empty");
	check_broken(HEAD LAST, "it is cut short");
}

static void an_empty_page_may_have_more_behind_it(void **state)
{
	struct s3_page *page = parse_page(HEAD
	    "<IsTruncated>true</IsTruncated><NextContinuationToken>t"
	    "</NextContinuationToken>" TAIL);

	(void)state;
	assert_int_equal(page->count, 0);
	assert_true(page->truncated);
	assert_string_equal(page->token, "t");
	s3_page_free(page);

	page = parse_page(HEAD LAST TAIL);
	assert_int_equal(page->count, 0);
	assert_false(page->truncated);
	assert_null(page->token);
	s3_page_free(page);
	s3_page_free(NULL);
}

static void keys_are_decoded_only_where_the_page_says_so(void **state)
{
	struct s3_page *page = parse_page(HEAD LAST OBJECT("a+b%20c") TAIL);

	(void)state;
	check_key(page->objects, "a+b%20c", 7);
	s3_page_free(page);
	page = parse_page(HEAD LAST URL OBJECT("a+b%20c") TAIL);
	check_key(page->objects, "a b c", 5);
	s3_page_free(page);
	/* it may say so after the keys */
	page = parse_page(HEAD LAST OBJECT("a+b%20c%2b%2B") URL TAIL);
	check_key(page->objects, "a b c++", 7);
	s3_page_free(page);
	page = parse_page(HEAD LAST "<EncodingType/>" OBJECT("a+b") TAIL);
	check_key(page->objects, "a+b", 3);
	s3_page_free(page);
	check_broken(HEAD LAST URL OBJECT("a%2") TAIL, "badly encoded");
	check_broken(HEAD LAST URL OBJECT("a%") TAIL, "badly encoded");
	check_broken(HEAD LAST URL OBJECT("%zz") TAIL, "badly encoded");
	check_broken(HEAD LAST "<EncodingType>base64</EncodingType>" TAIL,
	    "holds what it cannot");
}

static void what_servers_do_differently_is_understood(void **state)
{
	/* no namespace, no declaration, blanks, CDATA, references, a prefix */
	struct s3_page *page = parse_page(" \r\n\t<ListBucketResult>\n  " LAST
	    "\n  <Contents>\n    <Key><![CDATA[a&b]]>&lt;&#x20AC;</Key>\n"
	    "    <Size>1</Size>\n  </Contents>\n" TAIL "\n");

	(void)state;
	check_key(page->objects, "a&b<\xe2\x82\xac", 7);
	assert_int_equal(page->objects[0].sig.etag.len, 0);
	assert_true(page->objects[0].sig.mtime_ms == SIGNATURE_MTIME_UNKNOWN);
	s3_page_free(page);
	page = parse_page("<s:ListBucketResult xmlns:s=\"x\">"
	    "<s:IsTruncated>false</s:IsTruncated></s:ListBucketResult>");
	s3_page_free(page);
}

#define ARCHIVED(key, status)                                                  \
	"<Contents><Key>" key "</Key><Size>1</Size>" status                    \
	"<StorageClass>GLACIER</StorageClass></Contents>"
#define RESTORE(text) "<RestoreStatus>" text "</RestoreStatus>"
#define RUNS(flag) "<IsRestoreInProgress>" flag "</IsRestoreInProgress>"
#define UNTIL "<RestoreExpiryDate>2026-12-01T00:00:00.000Z</RestoreExpiryDate>"

static void an_archived_object_may_have_a_copy(void **state)
{
	struct s3_page *page = parse_page(
	    "<ListBucketResult><IsTruncated>false</IsTruncated>"
	    ARCHIVED("a", "")
	    ARCHIVED("b", RESTORE(RUNS("true")))
	    ARCHIVED("c", RESTORE(RUNS("false") UNTIL))
	    ARCHIVED("d", RESTORE(RUNS("false")))
	    "<Contents><Key>e</Key><Size>1</Size>" RESTORE(RUNS("true"))
	    "<Owner><ID>IsRestoreInProgress</ID></Owner></Contents>"
	    "</ListBucketResult>");
	static const bool archived[] = { true, true, false, true, false };
	static const bool restoring[] = { false, true, false, false, false };

	(void)state;
	assert_int_equal(page->count, 5);
	assert_true(page->has_archived);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(page->objects[i].archived, archived[i]);
		assert_int_equal(page->objects[i].restoring, restoring[i]);
	}
	s3_page_free(page);
	check_broken("<ListBucketResult><IsTruncated>false</IsTruncated>"
	    ARCHIVED("a", RESTORE(RUNS("perhaps"))) "</ListBucketResult>",
	    "an element holds what it cannot");
}

static void what_a_page_cannot_say_is_refused(void **state)
{
	(void)state;
	check_broken(HEAD TAIL, "whether it is the last page");
	check_broken(HEAD "<IsTruncated>maybe</IsTruncated>" TAIL,
	    "holds what it cannot");
	check_broken(HEAD "<IsTruncated>true</IsTruncated>" TAIL,
	    "not how to ask for it");
	check_broken(HEAD "<IsTruncated>true</IsTruncated>"
	    "<NextContinuationToken/>" TAIL, "not how to ask for it");
	check_broken(HEAD LAST LAST TAIL, "the same thing twice");
	check_broken(HEAD LAST "<Contents><Key>a</Key><Key>b</Key>"
	    "<Size>1</Size></Contents>" TAIL, "the same thing twice");
	check_broken(HEAD LAST "<Contents><Size>1</Size></Contents>" TAIL,
	    "no key or no size");
	check_broken(HEAD LAST "<Contents><Key>a</Key></Contents>" TAIL,
	    "no key or no size");
	check_broken(HEAD LAST OBJECT("") TAIL, "holds what it cannot");
	check_broken(HEAD LAST OBJECT("a<b/>c") TAIL,
	    "an element where text belongs");
}

static void check_field(const char *field)
{
	struct strbuf text = STRBUF_INIT(100000);

	strbuf_addf(&text, HEAD LAST "<Contents><Key>k</Key>%s</Contents>" TAIL,
	    field);
	check_broken(strbuf_text(&text), "holds what it cannot");
	strbuf_release(&text);
}

static void badly_formed_fields_are_refused(void **state)
{
	(void)state;
	check_field("<Size>-1</Size>");
	check_field("<Size></Size>");
	check_field("<Size> 1</Size>");
	check_field("<Size>1.5</Size>");
	check_field("<Size>9223372036854775808</Size>");
	check_field("<Size>99999999999999999999</Size>");
	check_field("<LastModified>yesterday</LastModified>");
	check_field("<LastModified></LastModified>");
	check_field("<LastModified>2025-03-01T12:34:56.0000000000000000000000"
	    "00000000000000000Z</LastModified>");
	check_field("<ETag>a\r\nx-evil: 1</ETag>");
	check_field("<ETag>a&#10;x-evil: 1</ETag>");
	check_field("<ETag>\xc3\xbc</ETag>");
}

/* ${count} times ${what} between ${before} and ${after}. */
static char *repeat(const char *before, const char *what, size_t count,
    const char *after)
{
	struct strbuf s = STRBUF_INIT((size_t)200 << 20);

	strbuf_adds(&s, before);
	for (size_t i = 0; i < count; i++)
		strbuf_adds(&s, what);
	strbuf_adds(&s, after);
	return strbuf_detach(&s);
}

static void sizes_have_their_limits(void **state)
{
	char *text = repeat(HEAD LAST "<Contents><Size>1</Size><Key>", "a",
	    4400, "</Key></Contents>" TAIL);
	struct s3_page *page = parse_page(text);
	struct error err = ERROR_INIT;
	struct xml_error error;

	(void)state;
	assert_int_equal(page->objects[0].key_len, 4400);
	s3_page_free(page);
	free(text);
	text = repeat(HEAD LAST "<Contents><Size>1</Size><Key>", "a", 4401,
	    "</Key></Contents>" TAIL);
	check_broken(text, "a text that is too long");
	free(text);
	text = repeat(HEAD LAST "<Contents><Key>k</Key><Size>1</Size><ETag>",
	    "a", ETAG_MAX + 1, "</ETag></Contents>" TAIL);
	check_broken(text, "holds what it cannot");
	free(text);
	text = repeat(HEAD LAST, "<x>", 8, TAIL);
	check_broken(text, "nested too deeply");
	free(text);
	text = repeat(HEAD LAST, "          ", 7 << 20, TAIL);
	assert_int_equal(parse(text, strlen(text), 65536, &page, &error, &err),
	    XML_BROKEN);
	assert_non_null(strstr(err.text, "larger than 64 MiB"));
	free(text);
}

static void entities_and_document_types_are_refused(void **state)
{
	(void)state;
	check_broken("<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY e SYSTEM "
	    "\"file:///etc/passwd\">]><ListBucketResult>" LAST
	    OBJECT("&e;") TAIL, "a document type");
	check_broken("<!DOCTYPE x [<!ENTITY a \"aaaaaaaa\"><!ENTITY b "
	    "\"&a;&a;&a;&a;\">]><ListBucketResult>" LAST OBJECT("&b;") TAIL,
	    "a document type");
	check_broken("<!DOCTYPE x SYSTEM \"http://127.0.0.1/x.dtd\">"
	    "<ListBucketResult>" LAST TAIL, "a document type");
	check_broken(HEAD LAST OBJECT("&nbsp;") TAIL, "not well-formed");
}

static void what_is_no_xml_is_refused(void **state)
{
	(void)state;
	check_broken(HEAD LAST OBJECT("a\x01") TAIL, "not well-formed");
	check_broken(HEAD LAST OBJECT("a&#1;") TAIL, "not well-formed");
	check_broken(HEAD LAST OBJECT("a\xff") TAIL, "not well-formed");
	check_broken(HEAD LAST "</x>" TAIL, "not well-formed");
	check_broken(HEAD LAST TAIL "<x/>", "");
	check_broken("{\"error\": 1}", "the reply is JSON, not a listing");
	check_broken("words", "the reply is not XML, not a listing");
}

static void a_page_of_someone_else_is_named(void **state)
{
	(void)state;
	check_broken("<!DOCTYPE html>\n<html><body>Login</body></html>",
	    "the reply is an HTML page, not a listing");
	check_broken("<!doctype HTML><html><p>Login<br></html>",
	    "the reply is an HTML page, not a listing");
	check_broken("<html><body>Login</body></html>",
	    "the reply is an HTML page, not a listing");
	check_broken("<HTML><HEAD></HEAD></HTML>",
	    "the reply is an HTML page, not a listing");
	check_broken("<ListAllMyBucketsResult/>",
	    "the reply is XML that S3 does not send, not a listing");
}

static void an_error_after_200_is_an_error(void **state)
{
	static const char body[] = "<?xml version=\"1.0\"?>\n<Error>"
	    "<Code>InternalError</Code><Message>We encountered an internal "
	    "error.</Message><RequestId>656c76696e6727</RequestId></Error>";
	struct error err = ERROR_INIT;
	struct xml_error error;
	struct s3_page *page;

	(void)state;
	assert_int_equal(parse(body, sizeof(body) - 1, 5, &page, &error, &err),
	    XML_ERROR);
	assert_null(page);
	assert_string_equal(error.code, "InternalError");
	assert_string_equal(error.message, "We encountered an internal error.");
	assert_string_equal(error.request_id, "656c76696e6727");
	/* cut short, it is a broken page */
	assert_int_equal(parse(body, sizeof(body) - 3, 5, &page, &error, &err),
	    XML_BROKEN);
}

static void error_bodies_are_read_as_far_as_they_go(void **state)
{
	static const struct {
		const char *body, *code, *message, *region, *time, *foreign;
	} cases[] = {
		{ "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>"
		  "AuthorizationHeaderMalformed</Code><Message>the region is "
		  "wrong</Message><Region>eu-west-1</Region></Error>",
		  "AuthorizationHeaderMalformed", "the region is wrong",
		  "eu-west-1", "", NULL },
		{ "<Error><Code>RequestTimeTooSkewed</Code><RequestTime>1"
		  "</RequestTime><ServerTime>2026-11-22T16:38:01Z</ServerTime>"
		  "</Error>", "RequestTimeTooSkewed", "", "",
		  "2026-11-22T16:38:01Z", NULL },
		{ "<Error><Code>SlowDown</Code><Message>Please red",
		  "SlowDown", "", "", "", NULL },
		{ "  <Error><Code>A</Code><Code>B</Code></Error>", "A", "", "",
		  "", NULL },
		{ "<Error><Code>A</Code><a><b><c><d><e><f><g><h><i/>", "A", "",
		  "", "", NULL },
		{ "", "", "", "", "", NULL },
		{ "   ", "", "", "", "", NULL },
		{ "<!DOCTYPE html><html><h1>502 Bad Gateway</h1>", "", "", "",
		  "", "an HTML page" },
		{ "<html><head><title>x</title></head><body><hr></body></html>",
		  "", "", "", "", "an HTML page" },
		{ "{\"message\": \"no\"}", "", "", "", "", "JSON" },
		{ "Bad Request", "", "", "", "", "not XML" },
		{ "<x><Code>A</Code></x>", "", "", "", "",
		  "XML that S3 does not send" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct xml_error error;

		xml_error_parse(cases[i].body, strlen(cases[i].body), &error);
		assert_string_equal(error.code, cases[i].code);
		assert_string_equal(error.message, cases[i].message);
		assert_string_equal(error.region, cases[i].region);
		assert_string_equal(error.server_time, cases[i].time);
		if (cases[i].foreign)
			assert_string_equal(error.foreign, cases[i].foreign);
		else
			assert_null(error.foreign);
	}
}

static void an_error_names_the_header_it_minds(void **state)
{
	static const char *const bodies[] = {
		"<Error><Code>NotImplemented</Code>"
		"<Header>If-None-Match</Header></Error>",
		"<Error><Code>InvalidArgument</Code>"
		"<ArgumentName>If-None-Match</ArgumentName></Error>",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		struct xml_error error;

		xml_error_parse(bodies[i], strlen(bodies[i]), &error);
		assert_string_equal(error.header, "If-None-Match");
	}
}

static void long_texts_of_an_error_are_cut(void **state)
{
	char *body = repeat("<Error><Code>", "C", 1000,
	    "</Code><Message>m</Message></Error>");
	struct xml_error error;

	(void)state;
	xml_error_parse(body, strlen(body), &error);
	assert_int_equal(strlen(error.code), sizeof(error.code) - 1);
	assert_string_equal(error.message, "m");
	free(body);
}

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

/* Whatever comes, the parser ends, and what it believes is well-formed. */
static void damaged_pages_do_no_harm(void **state)
{
	uint64_t seed = 42;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		char text[sizeof(whole)];
		struct error err = ERROR_INIT;
		struct xml_error error;
		struct s3_page *page;
		size_t step = 1 + next_random(&seed) % 300;

		memcpy(text, whole, sizeof(whole));
		for (int i = 0; i < 1 + round % 4; i++)
			text[next_random(&seed) % (sizeof(whole) - 1)] =
			    (char)next_random(&seed);
		if (parse(text, sizeof(text) - 1, step, &page, &error, &err) ==
		    XML_SOUND)
			for (size_t i = 0; i < page->count; i++) {
				assert_true(page->objects[i].key_len > 0);
				assert_true(page->objects[i].sig.size >= 0);
			}
		s3_page_free(page);
		xml_error_parse(text, sizeof(text) - 1, &error);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_is_the_same_in_pieces_of_any_size),
		cmocka_unit_test(a_page_cut_short_anywhere_is_not_believed),
		cmocka_unit_test(an_empty_page_may_have_more_behind_it),
		cmocka_unit_test(keys_are_decoded_only_where_the_page_says_so),
		cmocka_unit_test(what_servers_do_differently_is_understood),
		cmocka_unit_test(an_archived_object_may_have_a_copy),
		cmocka_unit_test(what_a_page_cannot_say_is_refused),
		cmocka_unit_test(badly_formed_fields_are_refused),
		cmocka_unit_test(sizes_have_their_limits),
		cmocka_unit_test(entities_and_document_types_are_refused),
		cmocka_unit_test(what_is_no_xml_is_refused),
		cmocka_unit_test(a_page_of_someone_else_is_named),
		cmocka_unit_test(an_error_after_200_is_an_error),
		cmocka_unit_test(error_bodies_are_read_as_far_as_they_go),
		cmocka_unit_test(an_error_names_the_header_it_minds),
		cmocka_unit_test(long_texts_of_an_error_are_cut),
		cmocka_unit_test(damaged_pages_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
