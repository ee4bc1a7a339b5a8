/* SPDX-License-Identifier: MIT */
/*
 * Environment variables, with a file's (`.env`, `.envrc`) behind them: what
 * the process environment sets wins. The file is read, never run.
 */
#ifndef BASE_ENV_H
#define BASE_ENV_H

#include "base/error.h"

struct env;

struct env *env_new(void); /* the process environment alone */
void env_free(struct env *env); /* wipes what it read */

/*
 * Adds a file of `KEY=value`, `export KEY="value"`, '#' comments and blank
 * lines. Values may be bare (ending at white space followed by '#'), 'single'
 * quoted (literal) or "double" quoted (\" \\ \$ \n escapes). A line of any
 * other form, `$` expansion or `$(...)` in an unquoted or double-quoted value
 * included, is an ERROR_CONFIG with file:line that never shows the value.
 * A file that others may read is a warning in the log.
 */
int env_read_file(struct env *env, const char *path, struct error *err);
/* NULL if unset or empty; borrowed until env_free. */
const char *env_get(const struct env *env, const char *name);
/* What "~" means: HOME, else what the user database says. Never NULL;
 * borrowed until the next call. */
const char *env_home(void);

#endif
