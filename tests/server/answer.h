/* SPDX-License-Identifier: MIT */
/* Sends what a request's handler answered, or what its fault makes of it. */
#ifndef SERVER_ANSWER_H
#define SERVER_ANSWER_H

#include <microhttpd.h>

struct request;

/* For how long the answer has to wait; 0: not at all. */
int64_t answer_wait_ms(const struct request *r);
/* What the connection's callback returns: MHD_NO closes it. */
enum MHD_Result answer_send(struct request *r);
/* No answer at all: the connection is reset, as by a server that died. */
enum MHD_Result answer_cut(struct request *r);

#endif
