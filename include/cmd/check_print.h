/* SPDX-License-Identifier: MIT */
/*
 * A check of one pair, written as it goes on: a line for each item, and what
 * to do indented below; or one JSON object at its end. s3sync(1) documents
 * both.
 */
#ifndef CMD_CHECK_PRINT_H
#define CMD_CHECK_PRINT_H

#include <stdbool.h>
#include <stdio.h>

#include "sync/check.h"

/* ${request}: result and arg do not count. Returns check_run's status. */
int check_print_run(const struct check_request *request, bool json, FILE *out);

#endif
