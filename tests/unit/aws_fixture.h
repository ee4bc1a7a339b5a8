/* SPDX-License-Identifier: MIT */
/* The files of the AWS tools for each test, and an environment without any
 * of their variables. Include after cmocka.h. */
#ifndef UNIT_AWS_FIXTURE_H
#define UNIT_AWS_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/env.h"

static char aws_dir[] = "/tmp/test_aws.XXXXXX";
static char config_path[64], credentials_path[64];
static struct env *env;

static inline void aws_clear(void)
{
	extern char **environ;
	char name[256];

	for (size_t i = 0; environ[i];) {
		snprintf(name, sizeof(name), "%.*s",
		    (int)strcspn(environ[i], "="), environ[i]);
		if (strncmp(name, "AWS_", 4) == 0)
			unsetenv(name);
		else
			i++;
	}
	setenv("AWS_CONFIG_FILE", config_path, 1);
	setenv("AWS_SHARED_CREDENTIALS_FILE", credentials_path, 1);
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	unlink(config_path);
	unlink(credentials_path);
}

static inline int aws_set_up(void **state)
{
	(void)state;
	if (!mkdtemp(aws_dir))
		return -1;
	snprintf(config_path, sizeof(config_path), "%s/config", aws_dir);
	snprintf(credentials_path, sizeof(credentials_path), "%s/credentials",
	    aws_dir);
	aws_clear();
	env = env_new();
	return 0;
}

static inline int aws_tear_down(void **state)
{
	(void)state;
	aws_clear();
	env_free(env);
	return rmdir(aws_dir);
}

static inline void aws_put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

#endif
