/* SPDX-License-Identifier: MIT */
/*
 * The yardstick of the no-change cycle: the LIST requests alone, one after
 * another over one connection, their bodies thrown away but for the token.
 *
 *   raw_list ENDPOINT BUCKET PREFIX    prints requests and seconds
 *
 * Keys: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/strbuf.h"

#define PAGE_MAX (64 << 20)

static size_t keep(char *bytes, size_t size, size_t count, void *page)
{
	strbuf_add(page, bytes, size * count);
	return size * count;
}

/* The text between ${open} and '<', escaped for a URL; NULL: none. */
static char *token_of(CURL *curl, const struct strbuf *page)
{
	static const char open[] = "<NextContinuationToken>";
	const char *at = strstr(strbuf_text(page), open);

	if (at == NULL)
		return NULL;
	at += sizeof(open) - 1;
	return curl_easy_escape(curl, at, (int)strcspn(at, "<"));
}

static int list(CURL *curl, const char *base, const char *prefix)
{
	struct strbuf page = STRBUF_INIT(PAGE_MAX);
	struct strbuf url = STRBUF_INIT(16 * 1024);
	char *escaped = curl_easy_escape(curl, prefix, 0), *token = NULL;
	long requests = 0, status = 200;
	CURLcode code = CURLE_OK;

	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &page);
	do {
		strbuf_clear(&url);
		strbuf_addf(&url, "%s?%s%s%sencoding-type=url&list-type=2"
		    "&prefix=%s", base, token ? "continuation-token=" : "",
		    token ? token : "", token ? "&" : "", escaped);
		curl_free(token);
		strbuf_clear(&page);
		curl_easy_setopt(curl, CURLOPT_URL, strbuf_text(&url));
		code = curl_easy_perform(curl);
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
		token = token_of(curl, &page);
		requests++;
	} while (code == CURLE_OK && status == 200 && token != NULL);
	curl_free(escaped);
	strbuf_release(&url);
	strbuf_release(&page);
	if (code != CURLE_OK || status != 200) {
		fprintf(stderr, "raw_list: %s, status %ld\n",
		    curl_easy_strerror(code), status);
		return -1;
	}
	printf("%ld ", requests);
	return 0;
}

int main(int argc, char **argv)
{
	struct strbuf base = STRBUF_INIT(4096), user = STRBUF_INIT(4096);
	struct curl_slist *headers = NULL;
	const char *id = getenv("AWS_ACCESS_KEY_ID");
	const char *secret = getenv("AWS_SECRET_ACCESS_KEY");
	int64_t began_ns = clock_mono_ns();
	CURL *curl;
	int status;

	if (argc != 4 || id == NULL || secret == NULL) {
		fputs("usage: raw_list ENDPOINT BUCKET PREFIX\n", stderr);
		return 2;
	}
	curl_global_init(CURL_GLOBAL_ALL);
	curl = curl_easy_init();
	strbuf_addf(&base, "%s/%s", argv[1], argv[2]);
	strbuf_addf(&user, "%s:%s", id, secret);
	headers = curl_slist_append(headers,
	    "x-amz-content-sha256: UNSIGNED-PAYLOAD");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, "aws:amz:us-east-1:s3");
	curl_easy_setopt(curl, CURLOPT_USERPWD, strbuf_text(&user));
	curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 256L * 1024);
	status = list(curl, strbuf_text(&base), argv[3]);
	if (status == 0)
		printf("%.4f\n", (double)(clock_mono_ns() - began_ns) /
		    (double)CLOCK_SECOND);
	curl_easy_cleanup(curl);
	curl_slist_free_all(headers);
	strbuf_wipe(&user);
	strbuf_release(&base);
	return status == 0 ? 0 : 1;
}
