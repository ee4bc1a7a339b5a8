/* SPDX-License-Identifier: MIT */
/* Sends what a request's handler answered, or what its fault makes of it. */
#include "answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "operation.h"
#include "pause.h"
#include "request.h"
#include "stats.h"
#include "text.h"

#define TRICKLE_MS 100

static bool is_head(const struct request *r)
{
	return strcmp(r->method, "HEAD") == 0;
}

static int64_t body_len(const struct request *r)
{
	if (r->status == 304 || r->status == 204)
		return 0;
	return r->object ? r->object_len : (int64_t)r->body.len;
}

int64_t answer_wait_ms(const struct request *r)
{
	return r->is_control ? 0 : r->server->latency_ms + r->fault.wait_ms;
}

/* ---- cutting the connection ---- */

static int connection_fd(struct request *r)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
	    r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info->connect_fd;
}

static void reset_at_end(struct request *r)
{
	struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(connection_fd(r), SOL_SOCKET, SO_LINGER, &at_once,
	    sizeof(at_once));
}

static void add_headers(struct strbuf *out, const struct request *r)
{
	const char *name, *value;
	size_t at = 0;

	while ((name = text_next_pair(strbuf_text(&r->headers), r->headers.len,
		    &at, &value)))
		strbuf_addf(out, "%s: %s\r\n", name, value);
}

/* The library sends whole headers only, so a part of them is sent past it. */
static void send_part_of_header(struct request *r)
{
	struct strbuf head = STRBUF_INIT(128 << 10);
	size_t len;

	strbuf_addf(&head,
	    "HTTP/1.1 %u Status\r\nContent-Length: %" PRId64 "\r\n", r->status,
	    body_len(r));
	add_headers(&head, r);
	strbuf_adds(&head, "\r\n");
	len = head.len < (size_t)r->fault.cut_header_at
	    ? head.len
	    : (size_t)r->fault.cut_header_at;
	if (send(connection_fd(r), strbuf_text(&head), len, MSG_NOSIGNAL) < 0)
		reset_at_end(r);
	strbuf_release(&head);
}

/* ---- a body that is not sent as it is ---- */

struct bent_body {
	struct MHD_Connection *connection;
	struct pause *pause;
	/* Where the bytes are, one of these; owned: */
	struct object *object;
	char *text;
	int fd;
	int64_t from, len;   /* of them */
	int64_t corrupt_at;  /* -1: none */
	int64_t bytes_per_s; /* 0: unlimited */
	int64_t start_ns;
};

static void free_bent(void *arg)
{
	struct bent_body *b = arg;

	object_unref(b->object);
	free(b->text);
	if (b->fd >= 0)
		close(b->fd);
	free(b);
}

/* As many as lie together, of ${most}. */
static ssize_t copy_bytes(const struct bent_body *b, int64_t from, char *out,
    int64_t most)
{
	const unsigned char *bytes;
	int64_t n;

	if (b->fd >= 0)
		return pread(b->fd, out, (size_t)most, from);
	if (!b->object) {
		memcpy(out, b->text + from, (size_t)most);
		return (ssize_t)most;
	}
	n = (int64_t)object_bytes(b->object, from, &bytes);
	if (n > most)
		n = most;
	memcpy(out, bytes, (size_t)n);
	return (ssize_t)n;
}

/* How much of a trickle may be out by now. */
static int64_t allowance(const struct bent_body *b)
{
	int64_t ms = (clock_mono_ns() - b->start_ns) / CLOCK_MS;

	return b->bytes_per_s * (ms + TRICKLE_MS) / 1000 + 1;
}

static ssize_t read_bent(void *arg, uint64_t pos, char *out, size_t room)
{
	struct bent_body *b = arg;
	int64_t at = (int64_t)pos, n = b->len - at;

	if (n <= 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (b->bytes_per_s && n > allowance(b) - at)
		n = allowance(b) - at;
	if (n <= 0) {
		if (!pause_connection(b->pause, b->connection, TRICKLE_MS))
			return MHD_CONTENT_READER_END_WITH_ERROR;
		return 0;
	}
	if (n > (int64_t)room)
		n = (int64_t)room;
	n = copy_bytes(b, b->from + at, out, n);
	if (n <= 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (b->corrupt_at >= at && b->corrupt_at < at + n)
		out[b->corrupt_at - at] ^= 1;
	return (ssize_t)n;
}

static bool is_bent(const struct request *r)
{
	const struct fault *f = &r->fault;

	return !is_head(r) &&
	    (f->cut_at >= 0 || f->short_by || f->long_by || f->bytes_per_s ||
		f->corrupt);
}

static struct MHD_Response *bent_response(struct request *r)
{
	const struct fault *f = &r->fault;
	struct bent_body *b = alloc_zero(1, sizeof(*b));
	int64_t promised;

	b->len = body_len(r);
	b->len -= f->short_by < b->len ? f->short_by : b->len;
	promised = b->len + f->long_by;
	if (f->cut_at >= 0 && f->cut_at < b->len)
		b->len = f->cut_at;
	b->connection = r->connection;
	b->pause = r->server->pause;
	b->object = r->object;
	b->text = r->object ? NULL : strbuf_detach(&r->body);
	b->fd = r->object_fd;
	b->from = r->object ? r->object_from : 0;
	b->corrupt_at = f->corrupt ? b->len / 2 : -1;
	b->bytes_per_s = f->bytes_per_s;
	b->start_ns = clock_mono_ns();
	r->object = NULL;
	r->object_fd = -1;
	return MHD_create_response_from_callback((uint64_t)promised, 32 << 10,
	    read_bent, b, free_bent);
}

/* ---- a body as it is ---- */

static ssize_t read_nothing(void *arg, uint64_t pos, char *out, size_t room)
{
	(void)arg;
	(void)pos;
	(void)out;
	(void)room;
	return MHD_CONTENT_READER_END_WITH_ERROR;
}

static void unref_object(void *arg)
{
	object_unref(arg);
}

/* Sent from where they are; ${o} is taken over. */
static struct MHD_Response *pieces_response(struct object *o, int64_t from,
    int64_t len)
{
	struct MHD_IoVec *pieces = alloc_zero(o->part_count + (size_t)1,
	    sizeof(*pieces));
	struct MHD_Response *response;
	unsigned count = 0;

	while (len > 0) {
		const unsigned char *bytes;
		size_t n = object_bytes(o, from, &bytes);

		if ((int64_t)n > len)
			n = (size_t)len;
		pieces[count++] = (struct MHD_IoVec){ bytes, n };
		from += (int64_t)n;
		len -= (int64_t)n;
	}
	response = MHD_create_response_from_iovec(pieces, count, unref_object,
	    o);
	free(pieces);
	return response;
}

static struct MHD_Response *object_response(struct request *r)
{
	struct object *o = r->object;
	int fd = r->object_fd;

	if (fd >= 0) {
		r->object_fd = -1;
		return MHD_create_response_from_fd_at_offset64(
		    (uint64_t)r->object_len, fd, (uint64_t)r->object_from);
	}
	r->object = NULL;
	return pieces_response(o, r->object_from, r->object_len);
}

static struct MHD_Response *make_response(struct request *r)
{
	size_t len = r->body.len;

	if (is_bent(r))
		return bent_response(r);
	if (is_head(r))
		return MHD_create_response_from_callback((uint64_t)body_len(r),
		    1, read_nothing, NULL, NULL);
	if (body_len(r) == 0)
		return MHD_create_response_from_buffer(0, NULL,
		    MHD_RESPMEM_PERSISTENT);
	if (r->object)
		return object_response(r);
	return MHD_create_response_from_buffer(len, strbuf_detach(&r->body),
	    MHD_RESPMEM_MUST_FREE);
}

static enum MHD_Result send_response(struct request *r)
{
	struct MHD_Response *response = make_response(r);
	const char *name, *value;
	enum MHD_Result result;
	char date[TEXT_DATE_MAX];
	size_t at = 0;

	text_http_date(r->now_ns, date);
	MHD_add_response_header(response, "Date", date);
	MHD_add_response_header(response, "Server", "s3testd");
	MHD_add_response_header(response, "x-amz-request-id", r->id);
	while ((name = text_next_pair(strbuf_text(&r->headers), r->headers.len,
		    &at, &value)))
		MHD_add_response_header(response, name, value);
	result = MHD_queue_response(r->connection, r->status, response);
	MHD_destroy_response(response);
	return result;
}

/* ---- the log's line ---- */

static void log_request(const struct request *r, const char *status)
{
	static const char *const shown[] = { "If-Match", "If-None-Match",
		"Range" };
	struct strbuf line = STRBUF_INIT(16 << 10);

	strbuf_addf(&line, "%s %s %s/", r->method, r->op->kind, r->bucket_name);
	text_escape(&line, TEXT_PATH, r->key, r->key_len);
	strbuf_addf(&line, " %s", status);
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		const char *value = request_header(r, shown[i]);

		if (value)
			strbuf_addf(&line, " %s=%s", shown[i], value);
	}
	for (size_t i = 0; i < r->n_params; i++) {
		strbuf_addc(&line, ' ');
		text_escape(&line, TEXT_PATH, r->params[i].name,
		    r->params[i].name_len);
		strbuf_addc(&line, '=');
		text_escape(&line, TEXT_PATH, r->params[i].value,
		    r->params[i].value_len);
	}
	stats_log(r->server->stats, strbuf_text(&line));
	strbuf_release(&line);
}

enum MHD_Result answer_cut(struct request *r)
{
	log_request(r, "cut");
	stats_bytes(r->server->stats, r->received, 0);
	reset_at_end(r);
	return MHD_NO;
}

enum MHD_Result answer_send(struct request *r)
{
	char status[16];

	if (r->is_control)
		return send_response(r);
	if (r->fault.answer == FAULT_ANSWER_RESET_BEFORE ||
	    r->fault.answer == FAULT_ANSWER_RESET_AFTER ||
	    r->fault.answer == FAULT_ANSWER_HANG)
		return answer_cut(r);
	snprintf(status, sizeof(status), "%u", r->status);
	log_request(r, status);
	stats_bytes(r->server->stats, r->received,
	    is_head(r) ? 0 : body_len(r));
	if (r->fault.cut_header_at < 0)
		return send_response(r);
	send_part_of_header(r);
	return MHD_NO;
}
