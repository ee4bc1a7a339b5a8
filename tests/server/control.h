/* SPDX-License-Identifier: MIT */
/* What a test asks of the server itself, under /_test/: README.md. */
#ifndef SERVER_CONTROL_H
#define SERVER_CONTROL_H

struct request;

void control_begin(struct request *r);
void control_finish(struct request *r);

#endif
