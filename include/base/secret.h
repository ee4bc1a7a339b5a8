/* SPDX-License-Identifier: MIT */
/* What nobody shall see: wiped when it is done with, and in no core file. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

/* Overwrites and frees the text, and leaves NULL. */
void secret_free(char **text);
/*
 * From here on this process leaves no core file, and no other process of its
 * user may look into it. The environment holds secrets as well as the heap,
 * and libraries keep copies: so it is the process that is closed, not pages.
 */
void secret_close_process(void);

#endif
