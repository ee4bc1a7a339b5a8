/* SPDX-License-Identifier: MIT */
/* A server on this machine that gives the replies it is told, one to each
 * request, the last one over and over; and keeps the last request. Include
 * after cmocka.h. */
#ifndef UNIT_REPLY_FIXTURE_H
#define UNIT_REPLY_FIXTURE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLY_SILENT "" /* the connection stays open, and nothing comes */

struct replies {
	const char *const *texts; /* NULL ends */
	int count;                /* requests so far */
	int listener;
	pthread_t thread;
	char url[64];
	char request[65536];      /* the last one; read it when it was answered */
};

/* A whole request: its body, too. */
static inline void replies_read(struct replies *r, int fd)
{
	size_t len = 0, want = sizeof(r->request) - 1;
	ssize_t n = 1;

	while (n > 0 && len < want) {
		const char *end, *length;

		n = recv(fd, r->request + len, want - len, 0);
		len += n > 0 ? (size_t)n : 0;
		r->request[len] = '\0';
		end = strstr(r->request, "\r\n\r\n");
		length = strcasestr(r->request, "content-length:");
		if (end && want == sizeof(r->request) - 1)
			want = (size_t)(end + 4 - r->request) +
			    (length ? strtoul(length + 15, NULL, 10) : 0);
	}
}

static inline void *replies_run(void *arg)
{
	struct replies *r = arg;
	const char *const *text = r->texts;
	int held[64], n = 0, fd;

	while ((fd = accept(r->listener, NULL, NULL)) >= 0) {
		replies_read(r, fd);
		r->count++;
		if (**text == '\0' && n < 64) {
			held[n++] = fd;
		} else {
			send(fd, *text, strlen(*text), MSG_NOSIGNAL);
			close(fd);
		}
		if (text[1])
			text++;
	}
	while (n > 0)
		close(held[--n]);
	return NULL;
}

static inline void replies_start(struct replies *r, const char *const *texts)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);

	memset(r, 0, sizeof(*r));
	r->texts = texts;
	r->listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(r->listener, (struct sockaddr *)&address, len),
	    0);
	assert_int_equal(listen(r->listener, 16), 0);
	assert_int_equal(getsockname(r->listener,
	    (struct sockaddr *)&address, &len), 0);
	snprintf(r->url, sizeof(r->url), "http://127.0.0.1:%u",
	    ntohs(address.sin_port));
	assert_int_equal(pthread_create(&r->thread, NULL, replies_run, r), 0);
}

static inline void replies_stop(struct replies *r)
{
	shutdown(r->listener, SHUT_RDWR);
	pthread_join(r->thread, NULL);
	close(r->listener);
}

#endif
