/* SPDX-License-Identifier: MIT */
/*
 * An HTTP proxy for tests: CONNECT, and requests in absolute form. It resolves
 * names by its own table only, so that a test has any host it needs on
 * 127.0.0.1. Each request is a line of its log: METHOD TARGET STATUS.
 *
 *   proxytestd --port-file FILE --log FILE [--map GLOB=PORT]...
 *              [--user NAME:PASSWORD] [--refuse STATUS]
 */
#include <arpa/inet.h>
#include <fnmatch.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/strbuf.h"

#define HEADER_MAX 65536
#define MAPS_MAX 16

static struct {
	const char *maps[MAPS_MAX]; /* GLOB=PORT */
	size_t map_count;
	char *login; /* the value of Proxy-Authorization; NULL: anybody may */
	int refuse;  /* the status of every answer; 0: none */
	FILE *log;
} settings;

struct exchange {
	int client, server;
	struct strbuf head; /* as it came, and what came with it */
	size_t head_len;    /* without that */
	char method[32];
	char target[2048];  /* as it came */
	char host[256];
	const char *path;   /* in target; NULL: CONNECT */
};

static int send_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n <= 0)
			return -1;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int read_head(struct exchange *x)
{
	char bytes[4096];

	for (;;) {
		ssize_t n = recv(x->client, bytes, sizeof(bytes), 0);
		const char *end;

		if (n <= 0 || x->head.len + (size_t)n > HEADER_MAX)
			return -1;
		strbuf_add(&x->head, bytes, (size_t)n);
		end = strstr(strbuf_text(&x->head), "\r\n\r\n");
		if (end) {
			x->head_len = (size_t)(end - x->head.buf) + 4;
			return 0;
		}
	}
}

/* "CONNECT host:port HTTP/1.1", "GET http://host[:port]/path HTTP/1.1" */
static int parse_head(struct exchange *x)
{
	static const char http[] = "http://";
	const char *authority = x->target;
	size_t len;

	if (sscanf(strbuf_text(&x->head), "%31s %2047s", x->method,
	    x->target) != 2)
		return -1;
	if (strcmp(x->method, "CONNECT") != 0) {
		if (strncmp(authority, http, strlen(http)) != 0)
			return -1;
		authority += strlen(http);
		x->path = authority + strcspn(authority, "/");
	}
	len = strcspn(authority, ":/");
	if (len == 0 || len >= sizeof(x->host))
		return -1;
	memcpy(x->host, authority, len);
	return 0;
}

/* The value of a header, in ${value}; "" where it is not there. */
static void find_header(const struct exchange *x, const char *name,
    char value[256])
{
	const char *line = strbuf_text(&x->head);
	size_t len = strlen(name);

	*value = '\0';
	while ((line = strstr(line, "\r\n"))) {
		line += 2;
		if (strncasecmp(line, name, len) == 0 && line[len] == ':')
			sscanf(line + len + 1, " %255[^\r]", value);
	}
}

static int connect_by_map(const char *host)
{
	for (size_t i = 0; i < settings.map_count; i++) {
		const char *equals = strchr(settings.maps[i], '=');
		char glob[256];
		struct sockaddr_in to = { .sin_family = AF_INET,
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		int fd;

		snprintf(glob, sizeof(glob), "%.*s",
		    (int)(equals - settings.maps[i]), settings.maps[i]);
		if (fnmatch(glob, host, 0) != 0)
			continue;
		to.sin_port = htons((uint16_t)strtol(equals + 1, NULL, 10));
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
			return fd;
		close(fd);
	}
	return -1;
}

static int status_of(struct exchange *x)
{
	char login[256];

	find_header(x, "Proxy-Authorization", login);
	if (settings.login && strcmp(login, settings.login) != 0)
		return 407;
	if (settings.refuse)
		return settings.refuse;
	x->server = connect_by_map(x->host);
	return x->server < 0 ? 502 : 200;
}

static void answer(struct exchange *x, int status)
{
	struct strbuf text = STRBUF_INIT(HEADER_MAX);

	fprintf(settings.log, "%s %s %d\n", x->method, x->target, status);
	fflush(settings.log);
	strbuf_addf(&text, "HTTP/1.1 %d Status\r\n", status);
	if (status == 407)
		strbuf_adds(&text, "Proxy-Authenticate: Basic realm=\"x\"\r\n");
	if (status != 200)
		strbuf_adds(&text, "Content-Length: 0\r\nConnection: close\r\n");
	strbuf_adds(&text, "\r\n");
	if (status != 200 || !x->path)
		send_all(x->client, text.buf, text.len);
	strbuf_release(&text);
}

/* In origin form, without what was meant for the proxy, and as the only one on
 * its connection. */
static int forward_head(struct exchange *x)
{
	struct strbuf text = STRBUF_INIT(2 * HEADER_MAX);
	const char *line = strstr(strbuf_text(&x->head), "\r\n") + 2;
	const char *end = x->head.buf + x->head_len - 2;
	int rc;

	strbuf_addf(&text, "%s %s HTTP/1.1\r\nConnection: close\r\n",
	    x->method, x->path);
	for (const char *next; line < end; line = next) {
		next = strstr(line, "\r\n") + 2;
		if (strncasecmp(line, "Proxy-", 6) != 0 &&
		    strncasecmp(line, "Connection:", 11) != 0)
			strbuf_add(&text, line, (size_t)(next - line));
	}
	strbuf_adds(&text, "\r\n");
	strbuf_add(&text, x->head.buf + x->head_len,
	    x->head.len - x->head_len);
	rc = send_all(x->server, text.buf, text.len);
	strbuf_release(&text);
	return rc;
}

static void splice_both(struct exchange *x)
{
	struct pollfd ends[2] = { { .fd = x->client, .events = POLLIN },
		{ .fd = x->server, .events = POLLIN } };
	char bytes[65536];

	while (poll(ends, 2, -1) > 0) {
		for (int i = 0; i < 2; i++) {
			ssize_t n;

			if (!ends[i].revents)
				continue;
			n = recv(ends[i].fd, bytes, sizeof(bytes), 0);
			if (n <= 0 ||
			    send_all(ends[1 - i].fd, bytes, (size_t)n))
				return;
		}
	}
}

static void *serve(void *arg)
{
	struct exchange x = { .client = (int)(intptr_t)arg, .server = -1 };
	int status;

	strbuf_init(&x.head, 2 * HEADER_MAX);
	if (read_head(&x) == 0) {
		status = parse_head(&x) ? 400 : status_of(&x);
		answer(&x, status);
		if (status == 200 && (!x.path || forward_head(&x) == 0))
			splice_both(&x);
	}
	if (x.server >= 0)
		close(x.server);
	close(x.client);
	strbuf_release(&x.head);
	return NULL;
}

static int listen_anywhere(const char *port_file)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FILE *f = fopen(port_file, "we");

	if (!f || bind(fd, (struct sockaddr *)&at, len) || listen(fd, 128) ||
	    getsockname(fd, (struct sockaddr *)&at, &len))
		return -1;
	fprintf(f, "%u\n", ntohs(at.sin_port));
	fclose(f);
	return fd;
}

static char *login_of(const char *user)
{
	struct strbuf text = STRBUF_INIT(1024);
	char code[512];

	digest_base64((const unsigned char *)user, strlen(user), code);
	strbuf_addf(&text, "Basic %s", code);
	return strbuf_detach(&text);
}

static void accept_all(int fd)
{
	for (;;) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		pthread_t thread;

		if (client < 0)
			continue;
		if (pthread_create(&thread, NULL, serve,
		    (void *)(intptr_t)client) == 0)
			pthread_detach(thread);
		else
			close(client);
	}
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "port-file", required_argument, NULL, 'p' },
		{ "log", required_argument, NULL, 'l' },
		{ "map", required_argument, NULL, 'm' },
		{ "user", required_argument, NULL, 'u' },
		{ "refuse", required_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 },
	};
	const char *port_file = "/dev/null";
	int c, fd;

	signal(SIGPIPE, SIG_IGN);
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'p': port_file = optarg; break;
		case 'l': settings.log = fopen(optarg, "ae"); break;
		case 'u': settings.login = login_of(optarg); break;
		case 'r': settings.refuse = (int)strtol(optarg, NULL, 10); break;
		case 'm':
			if (settings.map_count == MAPS_MAX ||
			    !strchr(optarg, '='))
				return 2;
			settings.maps[settings.map_count++] = optarg;
			break;
		default: return 2;
		}
	}
	fd = settings.log ? listen_anywhere(port_file) : -1;
	if (fd < 0) {
		fprintf(stderr, "proxytestd: cannot start\n");
		return 1;
	}
	accept_all(fd);
	return 0;
}
