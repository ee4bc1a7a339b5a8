/* SPDX-License-Identifier: MIT */
/* Multipart uploads. */
#ifndef SERVER_UPLOAD_H
#define SERVER_UPLOAD_H

struct request;

void upload_create(struct request *r);
int upload_part_begin(struct request *r);
void upload_part(struct request *r);
int upload_complete_begin(struct request *r);
void upload_complete(struct request *r);
void upload_abort(struct request *r);
void upload_list_parts(struct request *r);
void upload_list(struct request *r);

#endif
