/* SPDX-License-Identifier: MIT */
/*
 * Connections that wait: for latency, for a fault's delay, for the next drops
 * of a trickle. No thread waits with them but one that keeps the time.
 */
#ifndef SERVER_PAUSE_H
#define SERVER_PAUSE_H

#include <stdbool.h>
#include <stdint.h>

struct MHD_Connection;
struct pause;

struct pause *pause_new(void);
/* Suspends the connection and resumes it after ${ms}; to be called from one
 * of its callbacks. false: no more waiting, the server is about to end. */
bool pause_connection(struct pause *p, struct MHD_Connection *connection,
    int64_t ms);
/* Resumes all; nothing is suspended from now on. */
void pause_finish(struct pause *p);
void pause_free(struct pause *p);

#endif
