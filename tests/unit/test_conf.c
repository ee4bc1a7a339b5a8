/* SPDX-License-Identifier: MIT */
/* Configuration: what wins, what is refused, and with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "sync/conf.h"

#define MAX_ITEMS 8

static char here[64]; /* a directory of this test's own */
static struct conf conf;
static struct error err;
static struct conf_flag flags[MAX_ITEMS];
static const char *args[MAX_ITEMS];
static struct conf_request request;

static const char *const variables[] = {
	"AWS_ENDPOINT_URL",
	"AWS_ENDPOINT_URL_S3",
	"AWS_REGION",
	"AWS_DEFAULT_REGION",
	"AWS_CA_BUNDLE",
	"XDG_STATE_HOME",
	"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
	"AWS_USE_DUALSTACK_ENDPOINT",
	"AWS_USE_FIPS_ENDPOINT",
	"AWS_PROFILE",
	"AWS_DEFAULT_PROFILE",
	"AWS_CONFIG_FILE",
	"AWS_SHARED_CREDENTIALS_FILE",
};

static int make_directory(void **state)
{
	(void)state;
	snprintf(here, sizeof(here), "/tmp/s3sync-conf-XXXXXX");
	return mkdtemp(here) == NULL ? -1 : chdir(here);
}

static int remove_directory(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", here);
	return chdir("/") < 0 ? -1 : system(command);
}

static int begin(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	setenv("HOME", here, 1);
	setenv("XDG_CONFIG_HOME", here, 1);
	request = (struct conf_request){ .path = "/dev/null",
		.flags = flags,
		.args = args };
	error_clear(&err);
	return 0;
}

static int end(void **state)
{
	(void)state;
	conf_release(&conf);
	return 0;
}

static void flag(const char *name, const char *value)
{
	flags[request.flag_count++] = (struct conf_flag){ name, value };
}

static void arg(const char *value)
{
	args[request.arg_count++] = value;
}

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(name, 0600), 0);
}

static void file(const char *text)
{
	write_file("t.conf", text);
	request.path = "t.conf";
}

static const struct conf_pair *load(void)
{
	int rc = conf_load(&conf, &request, &err);

	if (rc < 0)
		print_error("%s\n", err.text);
	assert_int_equal(rc, 0);
	assert_true(conf.count > 0);
	return &conf.pairs[0];
}

static void refuse(enum error_kind kind, const char *text)
{
	assert_int_equal(conf_load(&conf, &request, &err), -1);
	if (strstr(err.text, text) == NULL)
		print_error("expected '%s' in '%s'\n", text, err.text);
	assert_non_null(strstr(err.text, text));
	assert_int_equal(err.kind, kind);
	assert_int_equal(conf.count, 0);
}

static void refuse_line(const char *line, const char *text)
{
	char whole[512];

	snprintf(whole, sizeof(whole), "[defaults]\n%s\n", line);
	file(whole);
	refuse(ERROR_CONFIG, text);
	assert_non_null(strstr(err.text, "t.conf:2: "));
}

#define PAIR_A "[pair a]\nlocal = /srv/a\nremote = s3://bucket/a/\n"
#define PAIR_B "[pair b]\nlocal = /srv/b\nremote = s3://bucket/b/\n"

static void test_defaults(void **state)
{
	const struct conf_pair *p;

	(void)state;
	file(PAIR_A);
	p = load();
	assert_string_equal(p->name, "a");
	assert_string_equal(p->local, "/srv/a");
	assert_string_equal(p->remote, "s3://bucket/a/");
	assert_string_equal(p->bucket, "bucket");
	assert_string_equal(p->prefix, "a/");
	assert_int_equal(p->interval_ns, 60 * CLOCK_SECOND);
	assert_int_equal(p->mode, MODE_EXISTENCE);
	assert_int_equal(p->settle_ns, 2 * CLOCK_SECOND);
	assert_int_equal(p->jobs, 32);
	assert_int_equal(p->probe, 1);
	assert_int_equal(p->timeout_ns, 30 * CLOCK_SECOND);
	assert_int_equal(p->attempts, 8);
	assert_null(p->endpoint_url);
	assert_null(p->region);
	assert_null(p->ca_bundle);
	assert_null(p->env_file);
	assert_null(p->storage_class);
	assert_null(p->sse);
	assert_null(p->sse_kms_key_id);
	assert_null(p->acl);
	assert_string_equal(p->content_type, "auto");
	assert_int_equal(p->checksum, S3_CHECKSUM_NONE);
	assert_false(p->requester_pays);
	assert_false(p->etags_opaque);
	assert_int_equal(p->addressing, S3_ADDRESSING_AUTO);
	assert_int_equal(p->sign, S3_SIGNING_AUTO);
	assert_int_equal(p->done_suffixes.count, 0);
	assert_int_equal(p->patterns.count, 1);
	assert_string_equal(p->patterns.items[0].glob, "temp_*");
	assert_true(filter_excludes(p->filter, "temp_1", 6, false));
	assert_string_equal(conf.path, "t.conf");
	assert_null(conf.log_file);
	assert_int_equal(conf.log_format, LOG_FORMAT_TEXT);
	assert_int_equal(conf.log_level, LOG_LEVEL_INFO);
}

static void test_precedence(void **state)
{
	(void)state;
	setenv("AWS_DEFAULT_REGION", "by-default-variable", 1);
	file(PAIR_A);
	assert_string_equal(load()->region, "by-default-variable");
	conf_release(&conf);
	setenv("AWS_REGION", "by-variable", 1);
	assert_string_equal(load()->region, "by-variable");
	conf_release(&conf);
	file("[defaults]\nregion = by-defaults\n" PAIR_A);
	assert_string_equal(load()->region, "by-defaults");
	conf_release(&conf);
	file(PAIR_A "region = by-pair\n[defaults]\nregion = by-defaults\n");
	assert_string_equal(load()->region, "by-pair");
	conf_release(&conf);
	flag("region", "by-flag");
	assert_string_equal(load()->region, "by-flag");
	conf_release(&conf);
	flag("region", "by-last-flag");
	assert_string_equal(load()->region, "by-last-flag");
}

static void test_empty_undoes(void **state)
{
	(void)state;
	setenv("AWS_ENDPOINT_URL", "http://variable:1", 1);
	file("[defaults]\nendpoint_url = http://defaults:1\n"
	     "done_suffixes = .x\n" PAIR_A "endpoint_url =\ndone_suffixes =\n");
	assert_null(load()->endpoint_url);
	assert_int_equal(conf.pairs[0].done_suffixes.count, 0);
}

static void test_endpoint_variables(void **state)
{
	(void)state;
	file(PAIR_A);
	setenv("AWS_ENDPOINT_URL", "http://general:1/", 1);
	assert_string_equal(load()->endpoint_url, "http://general:1");
	conf_release(&conf);
	setenv("AWS_ENDPOINT_URL_S3", "http://s3:1", 1);
	assert_string_equal(load()->endpoint_url, "http://s3:1");
	conf_release(&conf);
	setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "True", 1);
	assert_null(load()->endpoint_url);
	conf_release(&conf);
	flag("endpoint-url", "https://flag");
	assert_string_equal(load()->endpoint_url, "https://flag");
}

static void test_bad_variable(void **state)
{
	(void)state;
	file(PAIR_A);
	setenv("AWS_ENDPOINT_URL", "nowhere", 1);
	refuse(ERROR_CONFIG, "AWS_ENDPOINT_URL: 'nowhere' does not begin");
}

static void test_env_file(void **state)
{
	(void)state;
	write_file("vars", "AWS_REGION=from-file\nAWS_ACCESS_KEY_ID=AK\n");
	file(PAIR_A);
	flag("env-file", "vars");
	assert_string_equal(load()->region, "from-file");
	assert_string_equal(env_get(conf.pairs[0].env, "AWS_ACCESS_KEY_ID"),
	    "AK");
	conf_release(&conf);
	setenv("AWS_REGION", "from-process", 1);
	assert_string_equal(load()->region, "from-process");
}

static void test_env_file_of_others(void **state)
{
	(void)state;
	file("[pair b]\nlocal = /b\nremote = s3://bucket/b\n"
	     "env_file = /absent/vars\n" PAIR_A);
	arg("a");
	load();
	conf_release(&conf);
	args[0] = "b";
	refuse(ERROR_CONFIG, "/absent/vars");
	request.manifests_only = true;
	load();
}

static void test_patterns_in_order(void **state)
{
	const struct conf_pair *p;
	static const char *const globs[] = { "temp_*", "*.log", "keep.log",
		"/x/", "temp_ok" };
	size_t i;

	(void)state;
	file("[defaults]\nexclude = *.log\ninclude = keep.log\n" PAIR_A
	     "exclude = /x/\n");
	flag("include", "temp_ok");
	p = load();
	assert_int_equal(p->patterns.count, 5);
	for (i = 0; i < 5; i++)
		assert_string_equal(p->patterns.items[i].glob, globs[i]);
	assert_true(p->patterns.items[2].include);
	assert_false(filter_excludes(p->filter, "keep.log", 8, false));
	assert_false(filter_excludes(p->filter, "temp_ok", 7, false));
	assert_true(filter_excludes(p->filter, "temp_no", 7, false));
}

static void test_all_values(void **state)
{
	const struct conf_pair *p;

	(void)state;
	file("[defaults]\nlog_file = /var/log/x\nlog_format = json\n"
	     "log_level = debug\n"
	     "[pair all]\nlocal = ~/tree/\nremote = s3://b.u-c/x/y\n"
	     "interval = 5m\nmode = existence\n"
	     "done_suffixes = .completed   .failed\nsettle = 500ms\n"
	     "jobs = 1024\nendpoint_url = https://h:1/base/\nregion = auto\n"
	     "addressing = virtual\nsign = headers\nca_bundle = /etc/ca\n"
	     "bwlimit_up = 1.5M\nbwlimit_down = off\n"
	     "storage_class = COLD\nsse = aws:kms:dsse\n"
	     "sse_kms_key_id = alias/mine\nacl = bucket-owner-read\n"
	     "content_type = text/x-all;charset=utf-8\nchecksum = crc64nvme\n"
	     "requester_pays = yes\netags = opaque\nprobe = no\n"
	     "multipart_threshold = 5G\npart_size = 5M\n"
	     "timeout = 1m\nattempts = 1\nstate = /var/x.db\n");
	p = load();
	assert_int_equal(strncmp(p->local, here, strlen(here)), 0);
	assert_string_equal(p->local + strlen(here), "/tree");
	assert_string_equal(p->prefix, "x/y/");
	assert_int_equal(p->interval_ns, 300 * CLOCK_SECOND);
	assert_int_equal(p->done_suffixes.count, 2);
	assert_string_equal(p->done_suffixes.items[1], ".failed");
	assert_int_equal(p->settle_ns, 500 * CLOCK_MS);
	assert_int_equal(p->jobs, 1024);
	assert_string_equal(p->endpoint_url, "https://h:1/base");
	assert_int_equal(p->addressing, S3_ADDRESSING_VIRTUAL);
	assert_int_equal(p->sign, S3_SIGNING_HEADERS);
	assert_int_equal(p->probe, 0);
	assert_string_equal(p->ca_bundle, "/etc/ca");
	assert_int_equal(p->bwlimit_up, 1536 * 1024);
	assert_int_equal(p->bwlimit_down, 0);
	assert_string_equal(p->storage_class, "COLD");
	assert_string_equal(p->sse, "aws:kms:dsse");
	assert_string_equal(p->sse_kms_key_id, "alias/mine");
	assert_string_equal(p->acl, "bucket-owner-read");
	assert_string_equal(p->content_type, "text/x-all;charset=utf-8");
	assert_int_equal(p->checksum, S3_CHECKSUM_CRC64NVME);
	assert_true(p->requester_pays);
	assert_true(p->etags_opaque);
	assert_int_equal(p->multipart_threshold, INT64_C(5) << 30);
	assert_int_equal(p->part_size, 5 << 20);
	assert_int_equal(p->timeout_ns, 60 * CLOCK_SECOND);
	assert_int_equal(p->attempts, 1);
	assert_string_equal(p->state, "/var/x.db");
	assert_string_equal(conf.log_file, "/var/log/x");
	assert_int_equal(conf.log_format, LOG_FORMAT_JSON);
	assert_int_equal(conf.log_level, LOG_LEVEL_DEBUG);
}

static void test_bad_lines(void **state)
{
	(void)state;
	refuse_line("intervall = 5s", "did you mean 'interval'?");
	refuse_line("endpoint-url = http://x", "did you mean 'endpoint_url'?");
	refuse_line("zzz = 1", "there is no key 'zzz'");
	refuse_line("interval = soon", "interval: 'soon' is not a duration");
	refuse_line("interval = 1ms", "'1ms' is not from 100ms to 365d");
	refuse_line("interval = -5", "'-5' is not");
	refuse_line("jobs = 0", "from 1 to 1024");
	refuse_line("jobs = 1025", "from 1 to 1024");
	refuse_line("jobs = 8x", "from 1 to 1024");
	refuse_line("jobs =", "from 1 to 1024");
	refuse_line("attempts = 99999999999999999999", "from 1 to 100");
	refuse_line("bwlimit_up = fast", "neither 'off' nor bytes per second");
	refuse_line("bwlimit_down = 1023", "at least 1K");
	refuse_line("part_size = 4M", "'4M' is not a size like 16M from 5M");
	refuse_line("multipart_threshold = 6G", "from 5M to 5G");
	refuse_line("mode = update", "knows only 'existence'");
	refuse_line("addressing = dns", "none of auto, path, virtual");
	refuse_line("probe = perhaps", "none of no, yes");
	refuse_line("log_level = loud", "none of error, warning, info, debug");
	refuse_line("exclude =", "exclude: ");
	refuse_line("done_suffixes = .a x/y", "'x/y': a suffix has no '/'");
	refuse_line("region = eu west", "'eu west'");
	refuse_line("local = tree", "'tree' is a relative path");
	refuse_line("local =", "a directory is needed");
	refuse_line("state = ../x.db", "is a relative path");
	refuse_line("env_file = ~bob/.env", "only '~/'");
	refuse_line("endpoint_url = example.org", "does not begin with https");
	refuse_line("endpoint_url = http://", "names no host");
	refuse_line("endpoint_url = http://:80", "names no host");
	refuse_line("endpoint_url = http://h/?x", "expected https://HOST");
	refuse_line("storage_class = cold", "like STANDARD_IA");
	refuse_line("sse = aes", "none of AES256, aws:kms, aws:kms:dsse");
	refuse_line("sse_kms_key_id = a b", "'a b' is not the id");
	refuse_line("acl = public", "none of private, public-read, ");
	refuse_line("content_type = text", "neither auto nor none nor a media");
	refuse_line("content_type = text/", "neither auto nor none");
	refuse_line("content_type = text/a b", "neither auto nor none");
	refuse_line("content_type = text/a/b", "neither auto nor none");
	refuse_line("checksum = md5", "none of none, crc32c, sha256, crc64nvme");
	refuse_line("requester_pays = on", "none of no, yes");
	refuse_line("etags = md5", "none of auto, opaque");
}

static void test_what_does_not_go_together(void **state)
{
	const struct conf_pair *p;

	(void)state;
	file(PAIR_A "storage_class = COLD\n");
	refuse(ERROR_CONFIG, "t.conf:1: [pair a]: storage_class: 'COLD' is "
	    "none of STANDARD ");
	file(PAIR_A "sse_kms_key_id = alias/mine\n");
	refuse(ERROR_CONFIG, "needs sse = aws:kms or sse = aws:kms:dsse");
	file(PAIR_A "sse = AES256\nsse_kms_key_id = alias/mine\n");
	refuse(ERROR_CONFIG, "aws:kms:dsse, not AES256");
	file("[defaults]\nsse = aws:kms\nsse_kms_key_id = alias/mine\n"
	     "content_type = none\nacl = private\n"
	     PAIR_A "sse =\nsse_kms_key_id =\ncontent_type =\nacl =\n"
	     "storage_class = GLACIER_IR\n");
	p = load();
	assert_null(p->sse);
	assert_null(p->sse_kms_key_id);
	assert_null(p->acl);
	assert_string_equal(p->content_type, "auto");
	assert_string_equal(p->storage_class, "GLACIER_IR");
}

static void test_secret_in_url_is_not_shown(void **state)
{
	(void)state;
	file("[defaults]\nendpoint_url = http://me:hunter2@host\n");
	refuse(ERROR_CONFIG, "must not hold a user or a password");
	assert_null(strstr(err.text, "hunter2"));
}

static void test_bad_sections(void **state)
{
	(void)state;
	file("jobs = 1\n");
	refuse(ERROR_CONFIG, "t.conf:1: 'jobs' stands before");
	file("[Pair x]\n");
	refuse(ERROR_CONFIG, "t.conf:1: there is no section [Pair x]");
	file("[pair]\n");
	refuse(ERROR_CONFIG, "there is no section [pair]");
	file("[pair a/b]\n");
	refuse(ERROR_CONFIG, "'a/b' is no name for a pair");
	file("[pair -x]\n");
	refuse(ERROR_CONFIG, "'-x' is no name for a pair");
	file(PAIR_A "[pair a]\n");
	refuse(ERROR_CONFIG, "t.conf:4: [pair a] is there already, in line 1");
	file("[defaults]\n\n[defaults]\n");
	refuse(ERROR_CONFIG, "t.conf:3: [defaults] is there already");
	file("[pair a]\nlog_level = info\n");
	refuse(ERROR_CONFIG, "t.conf:2: 'log_level' is for all pairs");
	file("[defaults]\njobs = 1\njobs = 2\n");
	refuse(ERROR_CONFIG, "t.conf:3: 'jobs' is given twice");
	file("[pair a]\nlocal\n");
	refuse(ERROR_CONFIG, "t.conf:2: ");
	file(PAIR_A "[pair c]\nlocal = /srv/c\n");
	refuse(ERROR_CONFIG, "t.conf:4: [pair c]: 'remote' is not set");
}

static void test_bad_file(void **state)
{
	(void)state;
	request.path = "absent.conf";
	refuse(ERROR_CONFIG, "absent.conf");
	request.path = here;
	refuse(ERROR_CONFIG, here);
}

static void test_bad_flags(void **state)
{
	(void)state;
	file(PAIR_A);
	flag("jobs", "many");
	refuse(ERROR_USAGE, "--jobs: 'many' is not a whole number");
	flags[0] = (struct conf_flag){ "job", "1" };
	refuse(ERROR_USAGE, "--job");
	flags[0] = (struct conf_flag){ "endpoint_url", "x" };
	refuse(ERROR_USAGE, "--endpoint_url: 'x'");
}

static void test_which_pairs(void **state)
{
	(void)state;
	file(PAIR_A PAIR_B);
	load();
	assert_int_equal(conf.count, 2);
	conf_release(&conf);
	arg("b");
	flag("jobs", "3");
	assert_string_equal(load()->name, "b");
	assert_int_equal(conf.count, 1);
	assert_int_equal(conf.pairs[0].jobs, 3);
	conf_release(&conf);
	arg("nobody");
	refuse(ERROR_USAGE,
	    "there is no pair 'nobody': "
	    "t.conf has these pairs: a, b");
	file("[defaults]\n");
	refuse(ERROR_USAGE, "t.conf has no pairs");
	request.arg_count = 0;
	refuse(ERROR_USAGE, "t.conf has no [pair NAME]");
}

static void test_pair_of_the_command_line(void **state)
{
	const struct conf_pair *p;
	char name[128], path[128];

	(void)state;
	assert_int_equal(mkdir("the tree", 0700), 0);
	file("[defaults]\njobs = 5\n" PAIR_A);
	arg("./the tree/");
	arg("s3://bucket/a");
	p = load();
	assert_int_equal(conf.count, 1);
	assert_string_equal(p->local, "./the tree");
	assert_string_equal(p->remote, "s3://bucket/a/");
	assert_int_equal(p->jobs, 5);
	assert_int_equal(strncmp(p->name, "the_tree-", 9), 0);
	assert_int_equal(strlen(p->name), 9 + 8);
	snprintf(name, sizeof(name), "%s", p->name);
	conf_release(&conf);

	/* The same ends have the same name, however they are written. */
	snprintf(path, sizeof(path), "%s/./the tree", here);
	args[0] = path;
	args[1] = "s3://bucket/a/";
	assert_string_equal(load()->name, name);
	conf_release(&conf);
	args[1] = "s3://bucket/other";
	assert_string_not_equal(load()->name, name);
	conf_release(&conf);
	args[1] = "s3://bucket/a";
	flag("endpoint-url", "http://elsewhere");
	assert_string_not_equal(load()->name, name);
}

static void test_name_of_a_root_to_be(void **state)
{
	char name[128];

	(void)state;
	arg("to/be");
	arg("s3://bucket/a");
	snprintf(name, sizeof(name), "%s", load()->name);
	assert_int_equal(strncmp(name, "be-", 3), 0);
	conf_release(&conf);
	assert_int_equal(mkdir("to", 0700), 0);
	assert_int_equal(mkdir("to/be", 0700), 0);
	assert_string_equal(load()->name, name);
	conf_release(&conf);
	args[0] = "/";
	flag("state", "/dev/shm/x.db");
	refuse(ERROR_CONFIG, "lies inside the local root /");
}

static void test_pair_of_flags(void **state)
{
	(void)state;
	file(PAIR_A);
	flag("local", "x");
	flag("remote", "s3://bucket");
	assert_string_equal(load()->remote, "s3://bucket/");
	assert_string_equal(conf.pairs[0].prefix, "");
	assert_int_equal(conf.count, 1);
}

static void test_access_points(void **state)
{
#define AP "arn:aws:s3:eu-west-1:123456789012:accesspoint"
	static const struct {
		const char *address, *bucket, *prefix;
	} cases[] = {
		{ "s3://" AP "/ap", AP "/ap", "" },
		{ "s3://" AP "/ap/", AP "/ap", "" },
		{ "s3://" AP "/ap/a/b", AP "/ap", "a/b/" },
		{ "s3://" AP ":ap/a", AP ":ap", "a/" },
		{ "s3://" AP ":ap", AP ":ap", "" },
		{ "s3://arn:aws:s3:::x/y", "arn:aws:s3:::x", "y/" },
		{ "s3://accesspoint/x/y", "accesspoint", "x/y/" },
	};
#undef AP

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error error = ERROR_INIT;
		char *bucket, *prefix;

		assert_int_equal(conf_remote_parse(cases[i].address, &bucket,
		    &prefix, &error), 0);
		assert_string_equal(bucket, cases[i].bucket);
		assert_string_equal(prefix, cases[i].prefix);
		free(bucket);
		free(prefix);
	}
}

static void test_the_profile_of_the_aws_tools(void **state)
{
	const struct conf_pair *p;

	(void)state;
	assert_true(mkdir(".aws", 0700) == 0);
	write_file(".aws/config",
	    "[default]\nregion = eu-west-1\n"
	    "use_fips_endpoint = true\nca_bundle = /x/ca.pem\n"
	    "s3 =\n  addressing_style = path\n"
	    "  use_accelerate_endpoint = true\n"
	    "[profile other]\nregion = eu-west-2\nservices = mine\n"
	    "endpoint_url = http://any:1\n"
	    "[services mine]\ns3 =\n  endpoint_url = http://s3:1/\n"
	    "[profile third]\nendpoint_url = http://any:1\n"
	    "ignore_configured_endpoint_urls = true\n"
	    "[profile bad]\nuse_fips_endpoint = maybe\n");
	file(PAIR_A);
	p = load();
	assert_string_equal(p->region, "eu-west-1");
	assert_string_equal(p->ca_bundle, "/x/ca.pem");
	assert_true(p->fips && p->accelerate && !p->dualstack);
	assert_int_equal(p->addressing, S3_ADDRESSING_PATH);
	assert_null(p->endpoint_url);
	conf_release(&conf);

	/* behind the environment, before the default */
	setenv("AWS_REGION", "by-variable", 1);
	setenv("AWS_USE_FIPS_ENDPOINT", "false", 1);
	p = load();
	assert_string_equal(p->region, "by-variable");
	assert_false(p->fips);
	conf_release(&conf);
	unsetenv("AWS_REGION");

	setenv("AWS_PROFILE", "other", 1);
	p = load();
	assert_string_equal(p->region, "eu-west-2");
	assert_string_equal(p->endpoint_url, "http://s3:1");
	assert_int_equal(p->addressing, S3_ADDRESSING_AUTO);
	conf_release(&conf);
	setenv("AWS_ENDPOINT_URL", "http://variable:1", 1);
	assert_string_equal(load()->endpoint_url, "http://variable:1");
	conf_release(&conf);
	setenv("AWS_PROFILE", "third", 1);
	assert_null(load()->endpoint_url);
	conf_release(&conf);
	unsetenv("AWS_ENDPOINT_URL");

	/* asked for by name */
	flag("profile", "bad");
	unsetenv("AWS_USE_FIPS_ENDPOINT");
	refuse(ERROR_CONFIG, "/.aws/config: profile 'bad': use_fips_endpoint: "
	    "'maybe' is none of");
	flag("profile", "other");
	assert_string_equal(load()->region, "eu-west-2");
	conf_release(&conf);

	/* reports of a named pair need none of it */
	write_file(".aws/config", "what is this\n");
	refuse(ERROR_CONFIG, ".aws/config:1");
	request.manifests_only = true;
	assert_null(load()->region);
	assert_int_equal(unlink(".aws/config"), 0);
	assert_int_equal(rmdir(".aws"), 0);
}

static void test_the_kinds_of_endpoints_of_aws(void **state)
{
	(void)state;
	file(PAIR_A);
	assert_false(load()->dualstack);
	assert_false(conf.pairs[0].fips || conf.pairs[0].accelerate);
	conf_release(&conf);
	setenv("AWS_USE_FIPS_ENDPOINT", "true", 1);
	setenv("AWS_USE_DUALSTACK_ENDPOINT", "true", 1);
	assert_true(load()->fips && conf.pairs[0].dualstack);
	conf_release(&conf);
	flag("use-fips-endpoint", "no");
	flag("use-accelerate-endpoint", "yes");
	assert_false(load()->fips);
	assert_true(conf.pairs[0].accelerate);
	conf_release(&conf);
	setenv("AWS_USE_DUALSTACK_ENDPOINT", "maybe", 1);
	refuse(ERROR_CONFIG, "AWS_USE_DUALSTACK_ENDPOINT: 'maybe' is none of");
}

static void test_bad_addresses(void **state)
{
	static const struct {
		const char *address, *says;
	} cases[] = {
		{ "s3://", "names no bucket" },
		{ "s3:///x", "names no bucket" },
		{ "s3:/bucket/x", "does not begin with s3://" },
		{ "S3://bucket/x", "does not begin with s3://" },
		{ "http://host/bucket", "name the server with endpoint_url" },
		{ "s3://ab", "3 to 63" },
		{ "s3://bu cket", "characters other than" },
		{ "s3://-bucket", "begins or ends with" },
		{ "s3://bucket.", "begins or ends with" },
		{ "s3://buc..ket", "IP address" },
		{ "s3://192.168.1.1/x", "IP address" },
		{ "s3://data--use1-az4--x-s3", "directory bucket" },
		{ "s3://bucket//x", "must not begin with '/'" },
		{ "s3://bucket//", "must not begin with '/'" },
		{ "s3://bucket/x//y", "must not contain '//'" },
		{ "s3://bucket/../x", "'.' or '..'" },
	};
	size_t i;

	(void)state;
	arg("tree");
	arg(NULL);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		args[1] = cases[i].address;
		refuse(ERROR_USAGE, cases[i].says);
		assert_non_null(strstr(err.text, cases[i].address));
	}
	args[0] = "s3://bucket";
	refuse(ERROR_USAGE, "LOCAL s3://BUCKET/PREFIX");
	request.arg_count = 1;
	refuse(ERROR_USAGE, "LOCAL s3://BUCKET/PREFIX");
}

static void test_what_pairs_must_not_share(void **state)
{
	(void)state;
	file(PAIR_A "state = /x/1.db\n" PAIR_B "state = /x/y/../1.db\n");
	assert_int_equal(conf_load(&conf, &request, &err), 0);
	conf_release(&conf);
	file(PAIR_A "state = /x/1.db\n" PAIR_B "state = /x/1.db\n");
	refuse(ERROR_CONFIG,
	    "t.conf:5: [pair b]: its state /x/1.db is also "
	    "that of pair a");
	file(PAIR_A "[pair c]\nlocal = /srv/a/sub\nremote = s3://bucket/a/z\n");
	refuse(ERROR_CONFIG, "[pair c]: both its ends overlap");
	file(PAIR_A "[pair c]\nlocal = /srv/a\nremote = s3://bucket\n");
	refuse(ERROR_CONFIG, "[pair c]: both its ends overlap");
	/* One end alone may be shared, and a name is no prefix of another. */
	file(PAIR_A "[pair c]\nlocal = /srv/a\nremote = s3://bucket/c\n"
		    "[pair d]\nlocal = /srv/d\nremote = s3://bucket/a\n"
		    "[pair e]\nlocal = /srv/ab\nremote = s3://bucket/a\n"
		    "[pair f]\nlocal = /srv/a\nremote = s3://bucket/a\n"
		    "endpoint_url = http://elsewhere\n"
		    "[pair g]\nlocal = /srv/a\nremote = s3://bucket/ab\n");
	load();
	assert_int_equal(conf.count, 6);
}

static void test_state_outside_of_root(void **state)
{
	(void)state;
	file(PAIR_A "state = /srv/a/.s3sync/state.db\n");
	refuse(ERROR_CONFIG, "lies inside the local root");
	assert_int_equal(symlink(here, "link"), 0);
	request.path = "/dev/null";
	arg(here);
	arg("s3://bucket/x");
	flag("state", "link/new/state.db");
	refuse(ERROR_CONFIG, "lies inside the local root");
}

static void test_log_outside_of_root(void **state)
{
	(void)state;
	file("[defaults]\nlog_file = /srv/a/logs/s3sync.log\n" PAIR_A);
	refuse(ERROR_CONFIG, "the log /srv/a/logs/s3sync.log lies inside the "
	    "local root /srv/a: choose another place for it (log_file, "
	    "--log-file), or exclude it");
	flag("log-file", "/srv/a/.s3sync/s3sync.log");
	load();
	flag("exclude", "*.log");
	flags[0].value = "/srv/a/s3sync.log";
	conf_release(&conf);
	load();
	flags[0].value = "syslog";
	conf_release(&conf);
	load();
}

static void test_default_state(void **state)
{
	char expected[128];

	(void)state;
	file(PAIR_A);
	setenv("XDG_STATE_HOME", "/xdg", 1);
	if (geteuid() == 0) {
		assert_string_equal(load()->state, "/var/lib/s3sync/a.db");
		return;
	}
	assert_string_equal(load()->state, "/xdg/s3sync/a.db");
	conf_release(&conf);
	setenv("XDG_STATE_HOME", "relative", 1);
	snprintf(expected, sizeof(expected), "%s/.local/state/s3sync/a.db",
	    here);
	assert_string_equal(load()->state, expected);
}

static void test_table(void **state)
{
	const struct conf_option *option;
	size_t i;

	(void)state;
	for (i = 0; (option = conf_option_at(i)) != NULL; i++) {
		assert_ptr_equal(conf_option_find(option->name), option);
		assert_non_null(option->argument);
		assert_non_null(option->help);
	}
	assert_ptr_equal(conf_option_find("done-suffixes"),
	    conf_option_find("done_suffixes"));
	assert_null(conf_option_find("done"));
	assert_null(conf_option_find("done_suffixes_"));
	assert_null(conf_option_find(""));
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_defaults),
		TEST(test_precedence),
		TEST(test_empty_undoes),
		TEST(test_endpoint_variables),
		TEST(test_bad_variable),
		TEST(test_env_file),
		TEST(test_env_file_of_others),
		TEST(test_patterns_in_order),
		TEST(test_all_values),
		TEST(test_bad_lines),
		TEST(test_what_does_not_go_together),
		TEST(test_secret_in_url_is_not_shown),
		TEST(test_bad_sections),
		TEST(test_bad_file),
		TEST(test_bad_flags),
		TEST(test_which_pairs),
		TEST(test_pair_of_the_command_line),
		TEST(test_name_of_a_root_to_be),
		TEST(test_pair_of_flags),
		TEST(test_access_points),
		TEST(test_the_profile_of_the_aws_tools),
		TEST(test_the_kinds_of_endpoints_of_aws),
		TEST(test_bad_addresses),
		TEST(test_what_pairs_must_not_share),
		TEST(test_state_outside_of_root),
		TEST(test_log_outside_of_root),
		TEST(test_default_state),
		TEST(test_table),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
