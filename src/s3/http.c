/* SPDX-License-Identifier: MIT */
/* One libcurl multi loop; easy handles and their connections are reused. */
#include "s3/http.h"

#include <assert.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <curl/curl.h>
#include <openssl/crypto.h>
#include <openssl/x509_vfy.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "s3/rate.h"

#define USER_AGENT "s3sync/" PACKAGE_VERSION
/* For TCP and TLS, of all calls at once, on a small machine. */
#define CONNECT_TIMEOUT_MS 10000L
/* S3 hangs up on a connection after about 5 s of quiet. */
#define CONNECTION_MAX_IDLE_S 4L
/* Several addresses stand behind one name, and they change: each connection
 * looks it up and takes one by chance. From libcurl's cache, which it shuffles
 * as it fills it, all that are made at once would get the same. */
#define DNS_CACHE_S 0L
/* Touched only as far as it is filled: small objects cost little. */
#define BUFFER_SIZE 65536L
#define POLL_MAX_NS (60 * CLOCK_SECOND)
#define SWEEPS 4 /* looks for idle calls, in each idle timeout */

/* One way's limit, and the calls that wait for their turn. */
struct line {
	struct rate rate;
	struct http_call *first, *last;
};

struct http {
	CURLM *multi;
	char *ca_bundle;    /* NULL: libcurl's CAPATH */
	char *proxy;        /* may hold a password; NULL: libcurl looks */
	char *proxy_exempt;
	long connections;
	int64_t idle_timeout_ns;
	long connect_timeout_ms;
	int64_t sweep_ns;   /* when calls are next looked at for idleness */
	struct http_call *active; /* those in exchange */
	struct line lines[HTTP_WAYS];
	int64_t traffic[HTTP_WAYS];
};

struct http_call {
	struct http *http;
	CURL *easy;
	const struct http_events *events;
	void *arg;
	struct http_call *next, *prev; /* in http->active */
	struct curl_slist headers[HTTP_HEADERS_MAX];
	int64_t body_size;
	int64_t offset;      /* of the body, next to be read */
	int64_t moved;       /* bytes, as of moved_ns */
	int64_t moved_ns;    /* when that number was last seen to change */
	int own_port;        /* of its connection */
	bool active;
	int requests;        /* that libcurl has made of it */
	bool broken;         /* a callback said stop */
	bool paused[HTTP_WAYS];    /* in that line */
	int64_t granted[HTTP_WAYS]; /* bytes that may pass, taken already */
	struct http_call *behind[HTTP_WAYS];
	char text[CURL_ERROR_SIZE];
};

/* The CA store of a file is kept for all connections; with CAPATH set, as it
 * is by default on Debian, each new connection would parse it again: 20 ms. */
static char *find_ca_bundle(const char *asked)
{
	char *found = NULL;
	struct stat st;
	CURL *easy;

	if (asked)
		return alloc_string(asked);
	easy = curl_easy_init();
	if (easy && !curl_easy_getinfo(easy, CURLINFO_CAINFO, &found) &&
	    found && stat(found, &st) == 0)
		found = alloc_string(found);
	else
		found = NULL;
	curl_easy_cleanup(easy);
	return found;
}

int http_new(struct http **http, const struct http_options *options,
    struct error *err)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct http *h;

	*http = NULL;
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return error_set(err, ERROR_NETWORK, "libcurl cannot start");
	/* With NOSIGNAL libcurl leaves it to us: OpenSSL writes to a closed
	 * connection must fail, not kill. */
	sigaction(SIGPIPE, &ignore, NULL);
	h = alloc_zero(1, sizeof(*h));
	h->multi = curl_multi_init();
	if (!h->multi) {
		free(h);
		curl_global_cleanup();
		return error_set(err, ERROR_NETWORK, "libcurl cannot start");
	}
	h->ca_bundle = find_ca_bundle(options->ca_bundle);
	if (options->proxy) {
		h->proxy = alloc_string(options->proxy);
		h->proxy_exempt = alloc_string(options->proxy_exempt ?
		    options->proxy_exempt : "");
	}
	h->connections = (long)options->connections;
	h->idle_timeout_ns = options->idle_timeout_ns;
	for (int way = 0; way < HTTP_WAYS; way++)
		rate_init(&h->lines[way].rate, options->limits[way],
		    clock_mono_ns());
	h->connect_timeout_ms = options->connect_timeout_ns ?
	    (long)(options->connect_timeout_ns / CLOCK_MS) : CONNECT_TIMEOUT_MS;
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, h->connections);
	*http = h;
	return 0;
}

void http_free(struct http *http)
{
	if (!http)
		return;
	assert(!http->active);
	curl_multi_cleanup(http->multi);
	free(http->ca_bundle);
	if (http->proxy)
		OPENSSL_cleanse(http->proxy, strlen(http->proxy));
	free(http->proxy);
	free(http->proxy_exempt);
	free(http);
	curl_global_cleanup();
}

/* ---- limits -------------------------------------------------------------- */

/* How much of ${len} may pass now; 0: the call waits in line, and is to be
 * paused until its turn comes. */
static size_t pass(struct http_call *call, enum http_way way, size_t len)
{
	struct line *line = &call->http->lines[way];

	if (line->rate.per_second == 0)
		return len;
	if (call->granted[way] == 0 &&
	    (line->first || !rate_open(&line->rate, clock_mono_ns()))) {
		call->paused[way] = true;
		call->behind[way] = NULL;
		*(line->first ? &line->last->behind[way] : &line->first) = call;
		line->last = call;
		return 0;
	}
	return rate_chunk(&line->rate, len);
}

/* So many did, or none of what was granted. */
static void passed(struct http_call *call, enum http_way way, int64_t bytes)
{
	rate_take(&call->http->lines[way].rate, bytes - call->granted[way]);
	call->granted[way] = 0;
}

static void leave_line(struct http_call *call, enum http_way way)
{
	struct line *line = &call->http->lines[way];
	struct http_call *before = NULL, *at = line->first;

	if (!call->paused[way])
		return;
	call->paused[way] = false;
	for (; at != call; at = at->behind[way])
		before = at;
	*(before ? &before->behind[way] : &line->first) = call->behind[way];
	if (line->last == call)
		line->last = before;
}

static CURLcode resume(struct http_call *call)
{
	return curl_easy_pause(call->easy,
	    (call->paused[HTTP_UP] ? CURLPAUSE_SEND : 0) |
	    (call->paused[HTTP_DOWN] ? CURLPAUSE_RECV : 0));
}

static void end_call(struct http_call *call, CURLcode code, const char *text);

/* Those whose turn it is may pass so much as takes a moment, and then stand
 * at the end of the line again. */
static void take_turns(struct http *h, enum http_way way)
{
	struct line *line = &h->lines[way];

	while (line->first && rate_open(&line->rate, clock_mono_ns())) {
		struct http_call *call = line->first;
		CURLcode code;

		leave_line(call, way);
		call->granted[way] = (int64_t)rate_chunk(&line->rate,
		    (size_t)BUFFER_SIZE);
		rate_take(&line->rate, call->granted[way]);
		code = resume(call); /* hands over what had come already */
		if (code)
			end_call(call, call->broken ?
			    CURLE_ABORTED_BY_CALLBACK : code,
			    curl_easy_strerror(code));
	}
}

/* When a call's turn comes, or ${until_ns} if that is before. */
static int64_t next_turn(const struct http *h, int64_t until_ns)
{
	for (int way = 0; way < HTTP_WAYS; way++)
		if (h->lines[way].first &&
		    h->lines[way].rate.next_ns < until_ns)
			until_ns = h->lines[way].rate.next_ns;
	return until_ns;
}

/* ---- callbacks ----------------------------------------------------------- */

static size_t on_read(char *buf, size_t size, size_t count, void *arg)
{
	struct http_call *call = arg;
	int64_t left = call->body_size - call->offset;
	size_t len = size * count;
	ssize_t n;

	if ((int64_t)len > left)
		len = (size_t)left;
	if (len == 0)
		return 0;
	len = pass(call, HTTP_UP, len);
	if (len == 0)
		return CURL_READFUNC_PAUSE;
	n = call->events->read(call->arg, call->offset, buf, len);
	if (n <= 0 || (size_t)n > len) {
		call->broken = true;
		return CURL_READFUNC_ABORT;
	}
	call->offset += n;
	passed(call, HTTP_UP, n);
	return (size_t)n;
}

/* libcurl sends again by itself where a kept connection turns out dead. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
	struct http_call *call = arg;

	if (origin != SEEK_SET || offset < 0 || offset > call->body_size)
		return CURL_SEEKFUNC_FAIL;
	call->offset = offset;
	return CURL_SEEKFUNC_OK;
}

static int on_request(void *arg, char *ip, char *own_ip, int port, int own_port)
{
	struct http_call *call = arg;

	(void)ip;
	(void)own_ip;
	(void)port;
	call->own_port = own_port;
	call->requests++;
	return CURL_PREREQFUNC_OK;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
	struct http_call *call = arg;
	size_t len = size * count;

	if (len > 0 && pass(call, HTTP_DOWN, len) == 0)
		return CURL_WRITEFUNC_PAUSE;
	passed(call, HTTP_DOWN, (int64_t)len);
	if (call->events->body(call->arg, bytes, len)) {
		call->broken = true;
		return len ? 0 : 1;
	}
	return len;
}

/* What is the same for every exchange is set once. */
static void set_constants(CURL *easy, struct http_call *call)
{
	const struct http *h = call->http;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->text);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, USER_AGENT);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
	    (long)CURL_HTTP_VERSION_1_1);
	/* "/./" and "/../" are part of keys. */
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	/* The Host header is signed: another host is another request. */
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
	    h->connect_timeout_ms);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, CONNECTION_MAX_IDLE_S);
	curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, DNS_CACHE_S);
	curl_easy_setopt(easy, CURLOPT_DNS_SHUFFLE_ADDRESSES, 1L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE,
	    (long)rate_chunk(&h->lines[HTTP_DOWN].rate, BUFFER_SIZE));
	curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, BUFFER_SIZE);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION,
	    (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, call);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(easy, CURLOPT_READDATA, call);
	curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
	curl_easy_setopt(easy, CURLOPT_SEEKDATA, call);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	if (h->ca_bundle) { /* of an https proxy, too */
		curl_easy_setopt(easy, CURLOPT_CAINFO, h->ca_bundle);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
		curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, h->ca_bundle);
		curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
	}
	if (h->proxy) {
		curl_easy_setopt(easy, CURLOPT_PROXY, h->proxy);
		curl_easy_setopt(easy, CURLOPT_NOPROXY, h->proxy_exempt);
	}
}

struct http_call *http_call_new(struct http *http,
    const struct http_events *events, void *arg)
{
	struct http_call *call = alloc_zero(1, sizeof(*call));

	call->http = http;
	call->events = events;
	call->arg = arg;
	call->easy = curl_easy_init();
	if (!call->easy)
		alloc_failed();
	set_constants(call->easy, call);
	return call;
}

void http_call_free(struct http_call *call)
{
	if (!call)
		return;
	http_call_stop(call);
	curl_easy_cleanup(call->easy);
	free(call);
}

static void set_request(struct http_call *call, const struct http_request *r)
{
	CURL *easy = call->easy;

	assert(r->header_count <= HTTP_HEADERS_MAX);
	for (size_t i = 0; i < r->header_count; i++) {
		call->headers[i].data = (char *)r->headers[i];
		call->headers[i].next = i + 1 < r->header_count ?
		    &call->headers[i + 1] : NULL;
	}
	curl_easy_setopt(easy, CURLOPT_URL, r->url);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER,
	    r->header_count ? call->headers : NULL);
	/* HTTPGET undoes UPLOAD and NOBODY; the method's name is set for all. */
	curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	if (r->body_size >= 0)
		curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	else if (strcmp(r->method, "HEAD") == 0)
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE,
	    (curl_off_t)r->body_size);
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, r->method);
}

void http_call_start(struct http_call *call, const struct http_request *r)
{
	struct http *h = call->http;
	CURLMcode code;

	assert(!call->active);
	set_request(call, r);
	call->body_size = r->body_size;
	call->offset = 0;
	call->moved = 0;
	call->own_port = 0;
	call->moved_ns = clock_mono_ns();
	call->requests = 0;
	call->broken = false;
	call->text[0] = '\0';
	call->active = true;
	call->prev = NULL;
	call->next = h->active;
	if (h->active)
		h->active->prev = call;
	else
		h->sweep_ns = call->moved_ns + h->idle_timeout_ns / SWEEPS;
	h->active = call;
	code = curl_multi_add_handle(h->multi, call->easy);
	if (code == CURLM_OUT_OF_MEMORY)
		alloc_failed();
	assert(code == CURLM_OK);
}

static int64_t number(struct http_call *call, CURLINFO info)
{
	curl_off_t n = 0;

	curl_easy_getinfo(call->easy, info, &n);
	return n;
}

static int64_t short_number(struct http_call *call, CURLINFO info)
{
	long n = 0;

	curl_easy_getinfo(call->easy, info, &n);
	return n;
}

static void count_traffic(struct http_call *call)
{
	call->http->traffic[HTTP_UP] +=
	    short_number(call, CURLINFO_REQUEST_SIZE) +
	    number(call, CURLINFO_SIZE_UPLOAD_T);
	call->http->traffic[HTTP_DOWN] +=
	    short_number(call, CURLINFO_HEADER_SIZE) +
	    number(call, CURLINFO_SIZE_DOWNLOAD_T);
}

int64_t http_traffic(const struct http *http, enum http_way way)
{
	return http->traffic[way];
}

static void leave(struct http_call *call)
{
	struct http *h = call->http;

	count_traffic(call);
	for (int way = 0; way < HTTP_WAYS; way++) {
		leave_line(call, (enum http_way)way);
		passed(call, (enum http_way)way, 0);
	}
	curl_multi_remove_handle(h->multi, call->easy);
	if (call->prev)
		call->prev->next = call->next;
	else
		h->active = call->next;
	if (call->next)
		call->next->prev = call->prev;
	call->active = false;
}

void http_call_stop(struct http_call *call)
{
	if (call->active)
		leave(call);
}

int http_call_status(const struct http_call *call)
{
	long status = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	return (int)status;
}

int64_t http_call_length(const struct http_call *call)
{
	curl_off_t length = -1;

	curl_easy_getinfo(call->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T,
	    &length);
	return length;
}

const char *http_call_header(const struct http_call *call, const char *name)
{
	struct curl_header *header;

	if (curl_easy_header(call->easy, name, 0, CURLH_HEADER, -1, &header))
		return NULL;
	return header->value;
}

bool http_call_connected(const struct http_call *call)
{
	curl_off_t connect_us = 0;

	curl_easy_getinfo(call->easy, CURLINFO_CONNECT_TIME_T, &connect_us);
	return connect_us > 0;
}

/* libcurl compares the names itself, after OpenSSL was content; until then
 * the result stands at "unspecified". */
static long verify_result(CURL *easy)
{
	long result = X509_V_OK;

	curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &result);
	return result == X509_V_OK || result == X509_V_ERR_UNSPECIFIED ?
	    X509_V_ERR_HOSTNAME_MISMATCH : result;
}

static int proxy_status(CURL *easy)
{
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &status);
	return status >= 300 ? (int)status : 0;
}

static void end_call(struct http_call *call, CURLcode code, const char *text)
{
	struct http_end end = { .curl = (int)code, .text = text,
		.requests = call->requests };
	long sys = 0;

	end.status = http_call_status(call);
	/* Through a proxy libcurl's words are better: they say to whom. */
	if (code == CURLE_COULDNT_CONNECT &&
	    !(call->http->proxy && *call->http->proxy) &&
	    !curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &sys))
		end.sys = (int)sys;
	if (code == CURLE_PEER_FAILED_VERIFICATION)
		end.verify = verify_result(call->easy);
	if (code)
		end.proxy = proxy_status(call->easy);
	if (end.proxy)
		end.status = 0; /* none of the server's */
	leave(call);
	call->events->end(call->arg, &end);
}

static void end_finished(struct http *h)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(h->multi, &left))) {
		CURLcode code = message->data.result;
		struct http_call *call;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE,
		    &call);
		if (call->broken)
			code = CURLE_ABORTED_BY_CALLBACK;
		end_call(call, code, call->text[0] ? call->text :
		    curl_easy_strerror(code));
	}
}

/* ---- calls that stand still ----------------------------------------------- */

struct sockets { /* of all calls */
	fd_set set;
	int last; /* -1: there are none */
};

static bool has_port(int fd, int own_port)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} own;
	socklen_t len = sizeof(own);

	if (getsockname(fd, &own.any, &len))
		return false;
	return (own.any.sa_family == AF_INET &&
	           ntohs(own.v4.sin_port) == own_port) ||
	    (own.any.sa_family == AF_INET6 &&
	        ntohs(own.v6.sin6_port) == own_port);
}

/* What was sent and waits in this machine's kernel: some megabytes at most,
 * which on a slow line take longer than the timeout. libcurl does not tell
 * whose socket is whose before a transfer has ended. */
static int64_t bytes_queued(const struct http_call *call,
    const struct sockets *sockets)
{
	int bytes = 0;

	for (int fd = 0; call->body_size > 0 && fd <= sockets->last; fd++)
		if (FD_ISSET(fd, &sockets->set) &&
		    has_port(fd, call->own_port) &&
		    ioctl(fd, SIOCOUTQ, &bytes) == 0)
			break;
	return bytes;
}

static int64_t bytes_moved(struct http_call *call,
    const struct sockets *sockets)
{
	return number(call, CURLINFO_SIZE_UPLOAD_T) +
	    number(call, CURLINFO_SIZE_DOWNLOAD_T) +
	    short_number(call, CURLINFO_HEADER_SIZE) -
	    bytes_queued(call, sockets);
}

static void find_sockets(struct http *h, struct sockets *sockets)
{
	fd_set write, except;

	FD_ZERO(&sockets->set);
	FD_ZERO(&write);
	FD_ZERO(&except);
	sockets->last = -1;
	curl_multi_fdset(h->multi, &sockets->set, &write, &except,
	    &sockets->last);
	for (int fd = 0; fd <= sockets->last; fd++)
		if (FD_ISSET(fd, &write))
			FD_SET(fd, &sockets->set);
}

/* libcurl's own low-speed limit averages over seconds; here a call ends when
 * nothing has moved for the timeout. */
static void end_idle(struct http *h, int64_t now)
{
	struct http_call *next;
	struct sockets sockets;

	if (!h->active || now < h->sweep_ns)
		return;
	h->sweep_ns = now + h->idle_timeout_ns / SWEEPS;
	find_sockets(h, &sockets);
	for (struct http_call *call = h->active; call; call = next) {
		int64_t moved = bytes_moved(call, &sockets);

		next = call->next;
		if (moved != call->moved || call->paused[HTTP_UP] ||
		    call->paused[HTTP_DOWN]) {
			call->moved = moved;
			call->moved_ns = now;
		} else if (now - call->moved_ns >= h->idle_timeout_ns) {
			end_call(call, CURLE_OPERATION_TIMEDOUT,
			    "the server fell silent");
		}
	}
}

/* ---- the loop ------------------------------------------------------------ */

static int multi_failed(CURLMcode code, struct error *err)
{
	return error_set(err, ERROR_NETWORK, "libcurl: %s",
	    curl_multi_strerror(code));
}

int http_turn(struct http *http, struct error *err)
{
	int running;
	CURLMcode code;

	take_turns(http, HTTP_UP);
	take_turns(http, HTTP_DOWN);
	code = curl_multi_perform(http->multi, &running);
	if (code)
		return multi_failed(code, err);
	end_finished(http);
	end_idle(http, clock_mono_ns());
	return 0;
}

int http_sleep(struct http *http, int64_t timeout_ns, struct error *err)
{
	CURLMcode code;

	if (http->active) {
		int64_t turn = next_turn(http, http->sweep_ns) -
		    clock_mono_ns();

		if (turn < timeout_ns)
			timeout_ns = turn;
	}
	if (timeout_ns < 0)
		timeout_ns = 0;
	if (timeout_ns > POLL_MAX_NS)
		timeout_ns = POLL_MAX_NS;
	code = curl_multi_poll(http->multi, NULL, 0,
	    (int)((timeout_ns + CLOCK_MS - 1) / CLOCK_MS), NULL);
	return code ? multi_failed(code, err) : 0;
}

void http_wake(struct http *http)
{
	curl_multi_wakeup(http->multi);
}
