/* SPDX-License-Identifier: MIT */
/* One small HTTP exchange that is waited for. */
#include "s3/fetch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <curl/curl.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "s3/http.h"
#include "s3/proxy.h"
#include "s3/retry.h"

#define BODY_MAX ((size_t)256 << 10)
#define LOOK_NS (100 * CLOCK_MS)

struct fetch {
	const struct fetch_request *request;
	struct fetch_reply *reply;
	struct http *http;
	struct http_call *call;
	size_t body_len;
	char *host;   /* for messages */
	char *proxy;  /* the same; NULL: none */
	const char *proxy_variable;
	bool ended;
	struct error error; /* of the last attempt */
};

static ssize_t on_read(void *arg, int64_t offset, void *buf, size_t len)
{
	const struct fetch *f = arg;

	memcpy(buf, f->request->body + offset, len);
	return (ssize_t)len;
}

static int on_body(void *arg, const void *bytes, size_t len)
{
	struct fetch *f = arg;

	strbuf_add(&f->reply->body, bytes, len);
	return strbuf_overflowed(&f->reply->body) ? -1 : 0;
}

static void on_end(void *arg, const struct http_end *end)
{
	struct fetch *f = arg;

	f->ended = true;
	f->reply->connected = http_call_connected(f->call);
	if (strbuf_overflowed(&f->reply->body))
		error_set(&f->error, ERROR_NETWORK,
		    "the reply of %s is larger than %zu KiB", f->host,
		    BODY_MAX >> 10);
	else if (end->sys)
		error_sys(&f->error, ERROR_NETWORK, end->sys,
		    "cannot connect to %s", f->host);
	else if (f->proxy && proxy_is_unreachable(f->proxy, end->curl,
	    end->text))
		error_set(&f->error, ERROR_NETWORK,
		    "the proxy %s cannot be reached (%s): correct %s, or name "
		    "%s in no_proxy", f->proxy, end->text, f->proxy_variable,
		    f->host);
	else if (end->curl)
		error_set(&f->error, ERROR_NETWORK, "%s gave no reply (%s)",
		    f->host, end->text);
	else
		f->reply->status = end->status;
}

static const struct http_events events = {
	.read = on_read,
	.body = on_body,
	.end = on_end,
};

static bool is_stopped(const struct fetch_request *r)
{
	return r->stopped && r->stopped(r->arg);
}

/* Until the exchange has ended (if one is under way) or ${until_ns}. */
static int wait(struct fetch *f, int64_t until_ns, struct error *err)
{
	while (!f->ended) {
		int64_t left = until_ns - clock_mono_ns();

		if (is_stopped(f->request))
			return error_set(err, ERROR_STOPPED, "stopped");
		if (left <= 0)
			return 0;
		if (http_sleep(f->http, left < LOOK_NS ? left : LOOK_NS, err) ||
		    http_turn(f->http, err))
			return -1;
	}
	return 0;
}

static void give_up(struct fetch *f)
{
	f->reply->connected = http_call_connected(f->call);
	http_call_stop(f->call);
	error_set(&f->error, ERROR_NETWORK, "%s did not answer within %lld ms",
	    f->host, (long long)(f->request->timeout_ns / CLOCK_MS));
}

static int attempt(struct fetch *f, struct error *err)
{
	const struct fetch_request *r = f->request;
	struct http_request request = { .method = r->method, .url = r->url,
		.body_size = r->body ? (int64_t)f->body_len : -1 };

	for (size_t i = 0; i < FETCH_HEADERS_MAX && r->headers[i]; i++)
		request.headers[request.header_count++] = r->headers[i];
	request.headers[request.header_count++] = "expect:";
	f->ended = false;
	f->reply->status = 0;
	f->reply->connected = false;
	strbuf_clear(&f->reply->body);
	error_clear(&f->error);
	http_call_start(f->call, &request);
	if (http_turn(f->http, err) ||
	    wait(f, clock_mono_ns() + r->timeout_ns, err))
		return -1;
	if (!f->ended)
		give_up(f);
	return 0;
}

static bool is_no_answer(const struct fetch *f)
{
	if (f->reply->status == 0)
		return true;
	if (f->request->again)
		return f->request->again(f->reply);
	return f->reply->status == 429 || f->reply->status >= 500;
}

/* With the same full jitter as requests to S3. */
static int pause_after(struct fetch *f, int failures, struct error *err)
{
	const struct retry_wish none = { 0 };
	int64_t delay_ns = retry_delay_ns(RETRY_TRANSIENT, failures, &none,
	    clock_random());

	f->ended = false;
	return wait(f, clock_mono_ns() + delay_ns, err);
}

static int run(struct fetch *f, struct error *err)
{
	for (int i = 1;; i++) {
		if (attempt(f, err))
			return -1;
		if (!is_no_answer(f))
			return 0;
		if (i >= f->request->attempts)
			break;
		if (pause_after(f, i, err))
			return -1;
	}
	if (f->reply->status)
		return 0;
	*err = f->error;
	return -1;
}

int fetch_run(const struct fetch_request *request, struct fetch_reply *reply,
    struct error *err)
{
	struct fetch f = { .request = request, .reply = reply,
		.body_len = request->body ? strlen(request->body) : 0 };
	struct http_options options = {
		.ca_bundle = request->ca_bundle,
		.connections = 1,
		.idle_timeout_ns = 2 * request->timeout_ns, /* it is ours */
		.connect_timeout_ns = request->connect_timeout_ns ?
		    request->connect_timeout_ns : request->timeout_ns,
	};
	struct proxy proxy = { 0 };
	int rc = -1;

	assert(request->timeout_ns > 0 && request->attempts > 0);
	*reply = (struct fetch_reply){ .body = STRBUF_INIT(BODY_MAX) };
	f.host = fetch_host(request->url);
	if (!f.host)
		return error_set(err, ERROR_NETWORK, "its URL is none: write "
		    "it as http://HOST[:PORT] or https://HOST[:PORT]");
	if (request->env && proxy_find(request->env,
	    strncmp(request->url, "https:", 6) == 0, &proxy, err))
		goto out;
	options.proxy = proxy.url ? proxy.url : "";
	f.proxy = proxy.url ? proxy_name(proxy.url) : NULL;
	f.proxy_variable = proxy.variable;
	options.proxy_exempt = proxy.exempt;
	if (http_new(&f.http, &options, err) == 0) {
		f.call = http_call_new(f.http, &events, &f);
		rc = run(&f, err);
		http_call_free(f.call);
	}
	http_free(f.http);
out:
	free(f.proxy);
	free(f.host);
	return rc;
}

void fetch_release(struct fetch_reply *reply)
{
	strbuf_wipe(&reply->body);
}

char *fetch_host(const char *url)
{
	struct strbuf host = STRBUF_INIT(512);
	CURLU *handle = curl_url();
	char *name = NULL, *port = NULL;

	if (!handle)
		alloc_failed();
	if (curl_url_set(handle, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME))
		goto out;
	if (curl_url_get(handle, CURLUPART_HOST, &name, 0))
		goto out;
	strbuf_adds(&host, name);
	if (!curl_url_get(handle, CURLUPART_PORT, &port, CURLU_NO_DEFAULT_PORT))
		strbuf_addf(&host, ":%s", port);
	curl_free(name);
	curl_free(port);
out:
	curl_url_cleanup(handle);
	return host.len > 0 ? strbuf_detach(&host) : NULL;
}
