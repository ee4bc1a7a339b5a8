/* SPDX-License-Identifier: MIT */
/* The files that the AWS tools share. */
#include "s3/aws_config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/secret.h"
#include "base/strbuf.h"

#define FILE_MAX ((size_t)4 << 20)
#define PATH_TEXT_MAX ((size_t)8192)
#define KEY_MAX ((size_t)1024)
#define BLANK " \t"

struct setting {
	enum aws_config_file file;
	enum aws_config_section section;
	char *name;
	char *key;   /* in lower case; NULL: the [section] line itself */
	char *value;
};

struct aws_config {
	struct setting *settings; /* in the order read; the last one counts */
	size_t count, room;
	char *credentials_path;
	char *config_path;
};

/* ---- one file ----------------------------------------------------------- */

struct reader {
	struct aws_config *config;
	enum aws_config_file file;
	bool in_section; /* some [section] line came */
	bool ignored;    /* of a section that nobody asks for */
	enum aws_config_section section;
	char *name;
	/* The key that an indented line goes on with. */
	bool in_key;
	size_t indent;   /* of its line */
	bool nested;     /* it had no value, so keys are below it */
	size_t at;       /* its setting */
};

/* By index: more settings may move them. */
static size_t add_setting(struct reader *r, char *key, char *value)
{
	struct aws_config *c = r->config;

	ALLOC_GROW(c->settings, c->count + 1, c->room);
	c->settings[c->count] = (struct setting){ .file = r->file,
		.section = r->section, .name = alloc_string(r->name),
		.key = key, .value = value };
	return c->count++;
}

static char *trimmed(const char *text, size_t len)
{
	char *copy;

	while (len > 0 && strchr(BLANK, *text)) {
		text++;
		len--;
	}
	while (len > 0 && strchr(BLANK, text[len - 1]))
		len--;
	copy = alloc_bytes(len + 1);
	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

static char *lower(char *text)
{
	for (char *p = text; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return text;
}

/* Names may stand in quotes, as in [profile "my name"]. */
static char *unquoted(const char *text, size_t len)
{
	char *name = trimmed(text, len);
	size_t n = strlen(name);

	if (n >= 2 && (*name == '"' || *name == '\'') && name[n - 1] == *name) {
		memmove(name, name + 1, n - 2);
		name[n - 2] = '\0';
	}
	return name;
}

/* What [${text}] is: in the config file, only "default" needs no word before
 * it; in the credentials file all are profiles. */
static void begin_section(struct reader *r, const char *text, size_t len)
{
	static const struct {
		const char *word;
		enum aws_config_section section;
	} words[] = {
		{ "profile", AWS_CONFIG_PROFILE },
		{ "sso-session", AWS_CONFIG_SSO_SESSION },
		{ "services", AWS_CONFIG_SERVICES },
	};
	char *title = trimmed(text, len);
	size_t word = strcspn(title, BLANK);

	free(r->name);
	r->name = NULL;
	r->in_section = true;
	r->in_key = false;
	r->section = AWS_CONFIG_PROFILE;
	if (r->file == AWS_CONFIG_CREDENTIALS || strcmp(title, "default") == 0)
		r->name = unquoted(title, strlen(title));
	for (size_t i = 0; !r->name && i < sizeof(words) / sizeof(*words); i++)
		if (strlen(words[i].word) == word && title[word] &&
		    strncmp(words[i].word, title, word) == 0) {
			r->section = words[i].section;
			r->name = unquoted(title + word, strlen(title + word));
		}
	r->ignored = r->name == NULL;
	if (!r->ignored)
		add_setting(r, NULL, NULL);
	free(title);
}

/* NULL, or what is wrong with the line. */
static const char *read_section(struct reader *r, const char *text)
{
	const char *end = strrchr(text, ']');

	if (!end)
		return "a [ is not closed";
	begin_section(r, text + 1, (size_t)(end - text - 1));
	return NULL;
}

static const char *read_key(struct reader *r, const char *text, size_t indent)
{
	size_t len = strcspn(text, "=:");
	char *value;

	if (!r->in_section)
		return "there is no [section] before it";
	if (!text[len] || len == 0)
		return "it is no [section], KEY = VALUE or # comment";
	if (len > KEY_MAX)
		return "the key is too long";
	r->in_key = true;
	r->indent = indent;
	value = trimmed(text + len + 1, strlen(text + len + 1));
	r->nested = *value == '\0';
	if (r->ignored)
		secret_free(&value);
	else
		r->at = add_setting(r, lower(trimmed(text, len)), value);
	return NULL;
}

/* An indented line: a key below a key, or one more line of a value. */
static const char *read_more(struct reader *r, const char *text)
{
	struct strbuf joined = STRBUF_INIT(FILE_MAX);
	size_t len = strcspn(text, "=:");
	char *key;

	if (r->ignored)
		return NULL;
	if (r->nested) {
		if (!text[len] || len == 0)
			return "below a key without a value, only KEY = VALUE "
			       "is read";
		key = lower(trimmed(text, len));
		strbuf_addf(&joined, "%s.%s", r->config->settings[r->at].key,
		    key);
		free(key);
		add_setting(r, strbuf_detach(&joined),
		    trimmed(text + len + 1, strlen(text + len + 1)));
		return NULL;
	}
	strbuf_addf(&joined, "%s\n%s", r->config->settings[r->at].value, text);
	secret_free(&r->config->settings[r->at].value);
	r->config->settings[r->at].value = strbuf_detach(&joined);
	return NULL;
}

static const char *take_line(struct reader *r, char *line)
{
	size_t indent = strspn(line, BLANK);
	size_t len = strlen(line);
	char *text = line + indent;

	while (len > indent && strchr(BLANK, line[len - 1]))
		line[--len] = '\0';
	if (!*text || *text == '#' || *text == ';')
		return NULL;
	if (r->in_key && indent > r->indent)
		return read_more(r, text);
	if (*text == '[')
		return read_section(r, text);
	return read_key(r, text, indent);
}

static int read_line(void *arg, char *line, struct error *err)
{
	const char *wrong = take_line(arg, line);

	return wrong ? error_set(err, ERROR_CONFIG, "%s", wrong) : 0;
}

/* As os.path.isfile() sees it: what lies in a directory that this user may not
 * enter, as another's home, is not there. */
static bool is_there(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

static int read_file(struct aws_config *c, enum aws_config_file file,
    struct error *err)
{
	struct reader r = { .config = c, .file = file };
	int rc = fs_each_line(aws_config_path(c, file), FILE_MAX, ERROR_CONFIG,
	    read_line, &r, err);

	free(r.name);
	if (rc == 0 || is_there(aws_config_path(c, file)))
		return rc;
	error_clear(err);
	return 0;
}

/* ---- both of them ------------------------------------------------------- */

/* What ${variable} names, where "~/" is the home directory. */
static char *path_of(const struct env *env, const char *variable,
    const char *fallback)
{
	struct strbuf path = STRBUF_INIT(PATH_TEXT_MAX);
	const char *named = env_get(env, variable);

	if (!named)
		named = fallback;
	if (named[0] == '~' && (named[1] == '/' || named[1] == '\0'))
		strbuf_addf(&path, "%s%s", env_home(), named + 1);
	else
		strbuf_adds(&path, named);
	return strbuf_detach(&path);
}

int aws_config_load(struct aws_config **config, const struct env *env,
    struct error *err)
{
	struct aws_config *c = alloc_zero(1, sizeof(*c));

	*config = NULL;
	c->credentials_path = path_of(env, "AWS_SHARED_CREDENTIALS_FILE",
	    "~/.aws/credentials");
	c->config_path = path_of(env, "AWS_CONFIG_FILE", "~/.aws/config");
	if (read_file(c, AWS_CONFIG_CONFIG, err) ||
	    read_file(c, AWS_CONFIG_CREDENTIALS, err)) {
		aws_config_free(c);
		return -1;
	}
	*config = c;
	return 0;
}

void aws_config_free(struct aws_config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->count; i++) {
		free(c->settings[i].name);
		free(c->settings[i].key);
		secret_free(&c->settings[i].value);
	}
	free(c->settings);
	free(c->credentials_path);
	free(c->config_path);
	free(c);
}

const char *aws_config_path(const struct aws_config *c,
    enum aws_config_file file)
{
	return file == AWS_CONFIG_CREDENTIALS ? c->credentials_path :
	    c->config_path;
}

const char *aws_config_profile(const struct env *env, const char *asked)
{
	if (!asked)
		asked = env_get(env, "AWS_PROFILE");
	if (!asked)
		asked = env_get(env, "AWS_DEFAULT_PROFILE");
	return asked ? asked : "default";
}

/* The last such setting; ${key} NULL: the section's own line. */
static const struct setting *find(const struct aws_config *c,
    enum aws_config_file files, enum aws_config_section section,
    const char *name, const char *key)
{
	for (size_t i = c->count; i-- > 0;) {
		const struct setting *s = &c->settings[i];

		if ((s->file & files) && s->section == section &&
		    !s->key == !key && strcmp(s->name, name) == 0 &&
		    (!key || strcmp(s->key, key) == 0))
			return s;
	}
	return NULL;
}

bool aws_config_has(const struct aws_config *c,
    enum aws_config_section section, const char *name)
{
	return find(c, AWS_CONFIG_BOTH, section, name, NULL) != NULL;
}

/* The credentials file was read last, so it wins. */
const char *aws_config_get_from(const struct aws_config *c,
    enum aws_config_file files, enum aws_config_section section,
    const char *name, const char *key)
{
	const struct setting *s =
	    c ? find(c, files, section, name, key) : NULL;

	return s && *s->value ? s->value : NULL;
}

const char *aws_config_get(const struct aws_config *c,
    enum aws_config_section section, const char *name, const char *key)
{
	return aws_config_get_from(c, AWS_CONFIG_BOTH, section, name, key);
}

bool aws_config_is_true(const char *value)
{
	return value && strcasecmp(value, "true") == 0;
}

static bool ignores_endpoints(const struct aws_config *c,
    const struct env *env, const char *profile)
{
	const char *said = env_get(env, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");

	if (!said)
		said = aws_config_get(c, AWS_CONFIG_PROFILE, profile,
		    "ignore_configured_endpoint_urls");
	return aws_config_is_true(said);
}

const char *aws_config_endpoint(const struct aws_config *c,
    const struct env *env, const char *profile, const char *service,
    const char **from)
{
	static const struct {
		const char *service, *variable;
	} own[] = {
		{ "s3", "AWS_ENDPOINT_URL_S3" },
		{ "sts", "AWS_ENDPOINT_URL_STS" },
		{ "sso", "AWS_ENDPOINT_URL_SSO" },
		{ "sso_oidc", "AWS_ENDPOINT_URL_SSO_OIDC" },
	};
	const char *variables[2] = { NULL, "AWS_ENDPOINT_URL" };
	const char *services, *url = NULL, *source = NULL;
	struct strbuf key = STRBUF_INIT(KEY_MAX);

	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		if (strcmp(own[i].service, service) == 0)
			variables[0] = own[i].variable;
	if (ignores_endpoints(c, env, profile))
		return NULL;
	for (size_t i = 0; i < 2 && !url; i++) {
		source = variables[i];
		url = source ? env_get(env, source) : NULL;
	}
	services = aws_config_get(c, AWS_CONFIG_PROFILE, profile, "services");
	if (!url && services) {
		strbuf_addf(&key, "%s.endpoint_url", service);
		source = "services";
		url = aws_config_get(c, AWS_CONFIG_SERVICES, services,
		    strbuf_text(&key));
		strbuf_release(&key);
	}
	if (!url) {
		source = "endpoint_url";
		url = aws_config_get(c, AWS_CONFIG_PROFILE, profile, source);
	}
	if (url && from)
		*from = source;
	return url;
}
