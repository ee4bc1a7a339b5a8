/* SPDX-License-Identifier: MIT */
/* CopyObject within one bucket. */
#ifndef SERVER_COPY_H
#define SERVER_COPY_H

struct request;

void copy_object(struct request *r);

#endif
