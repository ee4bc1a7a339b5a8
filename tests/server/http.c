/* SPDX-License-Identifier: MIT */
/* The HTTP server: libmicrohttpd's callbacks, and each request's course. */
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "answer.h"
#include "auth.h"
#include "body.h"
#include "control.h"
#include "list.h"
#include "operation.h"
#include "pause.h"
#include "reply.h"
#include "request.h"
#include "stats.h"
#include "text.h"

/* The library clears it after each request. */
#define CONNECTION_MEMORY (48 << 10)
#define CONNECTIONS_MAX 20000
/* A redirect names a host, too: nobody should follow it there. */
#define ELSEWHERE "<Endpoint>elsewhere.invalid</Endpoint>"

struct http {
	struct server *server;
	struct MHD_Daemon *daemon;
};

/* ---- what a request goes through ---- */

/* What a rule's key= is about. */
static const char *fault_key(const struct request *r)
{
	const struct param *prefix = request_param(r, "prefix");

	return r->key_len == 0 && prefix ? prefix->value : r->key;
}

static bool offers_to_pay(const struct request *r)
{
	const char *payer = request_header(r, "x-amz-request-payer");

	return payer && strcmp(payer, "requester") == 0;
}

static int begin_operation(struct request *r)
{
	struct server *server = r->server;

	r->op = operation_find(r);
	stats_count(server->stats, operation_number(r->op));
	faults_match(server->faults, r->op->kind, fault_key(r),
	    list_page_number(r), &r->fault);
	r->now_ns += r->fault.skew_s * CLOCK_SECOND;
	if (!r->is_identity && auth_check(r) < 0)
		return -1;
	if (*r->bucket_name && !r->bucket && !operation_makes_bucket(r->op))
		return reply_error(r, "NoSuchBucket", NULL);
	if (r->fault.requester_pays && !offers_to_pay(r))
		return reply_error(r, "AccessDenied", NULL);
	return r->op->begin ? r->op->begin(r) : 0;
}

/* The answers that a fault puts in the place of the operation's own. */
static void answer_by_fault(struct request *r)
{
	const struct fault *f = &r->fault;
	const char *code = *f->code ? f->code : "InternalError";

	switch (f->answer) {
	case FAULT_ANSWER_NONE:
	case FAULT_ANSWER_RESET_BEFORE:
	case FAULT_ANSWER_RESET_AFTER:
	case FAULT_ANSWER_HANG:
		break;
	case FAULT_ANSWER_STATUS:
		reply_error_as(r, (unsigned)f->status, code,
		    "As the fault script wants it.",
		    *f->region ? ELSEWHERE : NULL);
		break;
	case FAULT_ANSWER_BODY_ERROR:
		reply_error_as(r, 200, code, "As the fault script wants it.",
		    NULL);
		break;
	case FAULT_ANSWER_HTML:
		reply_text(r, 200, "text/html");
		strbuf_adds(&r->body,
		    "<!DOCTYPE html><html><head><title>Sign "
		    "in</title></head><body><p>Welcome to the network.<br>"
		    "</body></html>\n");
		break;
	}
	if (f->retry_after_s >= 0)
		reply_headerf(r, "Retry-After", "%" PRId64, f->retry_after_s);
	if (*f->region) {
		reply_header(r, "x-amz-bucket-region", f->region);
		reply_header(r, "Location", "http://elsewhere.invalid/");
	}
	if (f->amz_retry_after_ms >= 0)
		reply_headerf(r, "x-amz-retry-after", "%" PRId64,
		    f->amz_retry_after_ms);
}

static bool is_done(const struct request *r)
{
	switch (r->fault.answer) {
	case FAULT_ANSWER_NONE:
	case FAULT_ANSWER_RESET_AFTER:
		return true;
	case FAULT_ANSWER_RESET_BEFORE:
	case FAULT_ANSWER_HANG:
		return false;
	case FAULT_ANSWER_STATUS:
	case FAULT_ANSWER_BODY_ERROR:
	case FAULT_ANSWER_HTML:
		return r->fault.late;
	}
	return true;
}

/* The body is there (or refused before it came). */
static void finish_operation(struct request *r)
{
	if (r->status == 0 && body_verify(r) == 0 && is_done(r))
		r->op->finish(r);
	answer_by_fault(r);
}

/* ---- libmicrohttpd's callbacks ---- */

/* Each connection has a bool: did it carry a request that counts? */
static void count_connection(const struct request *r)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
	    r->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	bool *counted = info->socket_context;

	if (!*counted)
		stats_connection(r->server->stats);
	*counted = true;
}

static void begin(struct request *r, struct MHD_Connection *connection,
    const char *method)
{
	const char *length;

	r->connection = connection;
	r->method = method;
	r->now_ns = clock_wall_ns();
	length = request_header(r, "Content-Length");
	r->length = length ? text_number(length, INT64_MAX / 16) : -1;
	request_route(r);
	if (r->is_control) {
		control_begin(r);
	} else {
		count_connection(r);
		begin_operation(r);
	}
	body_begin(r);
}

static enum MHD_Result answer(struct request *r)
{
	int64_t wait_ms = answer_wait_ms(r);

	r->phase = PHASE_ANSWER;
	if (wait_ms > 0 &&
	    pause_connection(r->server->pause, r->connection, wait_ms))
		return MHD_YES;
	return answer_send(r);
}

/* Leaves the body on its way for a while. */
static bool delay_body(struct request *r)
{
	return r->status == 0 && r->length > 0 && r->fault.upload_wait_ms > 0 &&
	    pause_connection(r->server->pause, r->connection,
		r->fault.upload_wait_ms);
}

/* Takes a piece of the body, and after it nothing for as long as so many bytes
 * shall take. */
static void take_body(struct request *r, const char *bytes, size_t len)
{
	int64_t rate = r->fault.upload_bytes_per_s;

	body_append(r, bytes, len);
	r->received += (int64_t)len;
	if (rate > 0)
		pause_connection(r->server->pause, r->connection,
		    (int64_t)len * 1000 / rate);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection,
    const char *url, const char *method, const char *version, const char *bytes,
    size_t *len, void **request)
{
	struct request *r = *request;
	const char *expect;

	(void)arg;
	(void)url;
	(void)version;
	if (r->phase == PHASE_ANSWER)
		return answer_send(r);
	if (r->phase == PHASE_HEADERS) {
		begin(r, connection, method);
		r->phase = delay_body(r) ? PHASE_DELAY : PHASE_BODY;
		expect = request_header(r, "Expect");
		if (r->status == 0 || !expect)
			return MHD_YES;
	} else if (*len > 0) {
		r->phase = PHASE_BODY;
		take_body(r, bytes, *len);
		*len = 0;
		if (r->fault.cut_upload_at < 0 ||
		    r->received < r->fault.cut_upload_at)
			return MHD_YES;
		return answer_cut(r);
	} else if (r->phase == PHASE_DELAY) {
		r->phase = PHASE_BODY; /* resumed, before the first bytes */
		return MHD_YES;
	}
	if (r->is_control)
		control_finish(r);
	else
		finish_operation(r);
	return answer(r);
}

static void *on_target(void *arg, const char *target,
    struct MHD_Connection *connection)
{
	struct http *h = arg;
	struct request *r;

	(void)connection;
	r = request_new(h->server, target);
	if (!r->is_control)
		stats_begin(h->server->stats);
	return r;
}

static void on_completed(void *arg, struct MHD_Connection *connection,
    void **request, enum MHD_RequestTerminationCode code)
{
	struct http *h = arg;
	struct request *r = *request;

	(void)connection;
	(void)code;
	if (!r)
		return;
	if (!r->is_control)
		stats_end(h->server->stats);
	if (r->ends_server)
		kill(getpid(), SIGTERM);
	request_free(r);
	*request = NULL;
}

static void on_connection(void *arg, struct MHD_Connection *connection,
    void **socket, enum MHD_ConnectionNotificationCode code)
{
	(void)arg;
	(void)connection;
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		*socket = alloc_zero(1, sizeof(bool));
	else
		free(*socket);
}

/* Paths are compared, signed and stored as they came. */
static size_t leave_escaped(void *arg, struct MHD_Connection *connection,
    char *text)
{
	(void)arg;
	(void)connection;
	return strlen(text);
}

/* ---- start and stop ---- */

#define POINTER(option, pointer)             \
	{                                    \
		option, 0, (void *)(pointer) \
	}
#define NUMBER(option, number)                   \
	{                                        \
		option, (intptr_t)(number), NULL \
	}
#define CALLBACK(option, function, arg)           \
	{                                         \
		option, (intptr_t)(function), arg \
	}

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static int parse_address(const struct http_options *options,
    union address *out)
{
	in_port_t port = htons((uint16_t)options->port);

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, options->address, &out->v4.sin_addr) == 1) {
		out->v4.sin_family = AF_INET;
		out->v4.sin_port = port;
		return 0;
	}
	out->v6.sin6_family = AF_INET6;
	out->v6.sin6_port = port;
	return inet_pton(AF_INET6, options->address, &out->v6.sin6_addr) == 1
	    ? 0
	    : -1;
}

struct http *http_start(struct server *server,
    const struct http_options *options, struct error *err)
{
	struct http *h = alloc_zero(1, sizeof(*h));
	union address address;
	struct MHD_OptionItem common[] = {
		POINTER(MHD_OPTION_SOCK_ADDR, &address),
		CALLBACK(MHD_OPTION_URI_LOG_CALLBACK, on_target, h),
		CALLBACK(MHD_OPTION_NOTIFY_COMPLETED, on_completed, h),
		CALLBACK(MHD_OPTION_NOTIFY_CONNECTION, on_connection, h),
		CALLBACK(MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, h),
		NUMBER(MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY),
		NUMBER(MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX),
		NUMBER(MHD_OPTION_CONNECTION_TIMEOUT, options->idle_s),
		NUMBER(MHD_OPTION_THREAD_POOL_SIZE, options->threads),
		{ MHD_OPTION_END, 0, NULL },
	};
	struct MHD_OptionItem tls[] = {
		POINTER(MHD_OPTION_HTTPS_MEM_CERT, options->tls_cert),
		POINTER(MHD_OPTION_HTTPS_MEM_KEY, options->tls_key),
		{ MHD_OPTION_END, 0, NULL },
	};
	uint16_t port = (uint16_t)options->port;
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TURBO |
	    MHD_ALLOW_SUSPEND_RESUME | MHD_USE_SUPPRESS_DATE_NO_CLOCK;

	h->server = server;
	errno = EINVAL;
	if (parse_address(options, &address) < 0)
		goto out;
	if (address.any.sa_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	if (options->tls_cert)
		h->daemon = MHD_start_daemon(flags | MHD_USE_TLS, port, NULL,
		    NULL, on_request, h, MHD_OPTION_ARRAY, common,
		    MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
	else
		h->daemon = MHD_start_daemon(flags, port, NULL, NULL,
		    on_request, h, MHD_OPTION_ARRAY, common, MHD_OPTION_END);
	if (h->daemon)
		return h;
out:
	error_sys(err, ERROR_USAGE, errno, "cannot listen on %s:%" PRId64,
	    options->address, options->port);
	free(h);
	return NULL;
}

uint16_t http_port(const struct http *h)
{
	return MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

void http_stop(struct http *h)
{
	if (!h)
		return;
	pause_finish(h->server->pause);
	MHD_stop_daemon(h->daemon);
	free(h);
}
