/* SPDX-License-Identifier: MIT */
/*
 * The scan: a thread walks the tree depth first and hands over batches of
 * entries. Of each directory on the way down it holds the names; of the
 * deepest ones also a descriptor. A directory's names are all read before the
 * first of them is delivered, so that what cannot be read is said in time.
 */
#include "sync/tree_internal.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/strbuf.h"

#define BATCH_ENTRIES 1024
#define BATCHES 3
#define OPEN_DIRS_MAX 64
#define READ_SIZE (64 * 1024)      /* bytes of one getdents64 */
#define PATH_TEXT_MAX (128 * 1024) /* PATH_KEY_MAX and the longest d_name */

struct batch_entry {
	size_t key_at; /* in keys */
	size_t key_len;
	enum tree_kind kind;
	struct local_sig sig;
	const char *why;
};

struct batch {
	struct batch_entry entry[BATCH_ENTRIES];
	size_t count;
	char *keys;
	size_t keys_len, keys_room;
};

enum name_kind {
	NAME_FILE,
	NAME_DIR,
	NAME_OTHER,
	NAME_LOST, /* its type could not be read */
};

/* One name in a directory on the way down. */
struct name {
	size_t at; /* in text, NUL-terminated */
	uint16_t len;
	uint8_t kind; /* enum name_kind */
	bool is_dir;  /* sorts as if it ended in '/' */
	mode_t mode;  /* NAME_OTHER: its type */
};

/* One directory on the way down; its path is the walk's path, cut. */
struct frame {
	int fd; /* -1: closed for want of descriptors */
	uint64_t dev, ino;
	size_t path_len;  /* with its '/'; 0 for the root */
	size_t next, end; /* of its names */
	size_t names_before, text_before;
	const char *lost; /* why it cannot be opened any more; NULL: it can */
};

struct tree_scan {
	struct tree_fs *t;
	const struct filter *filter;
	void (*wake)(void *arg);
	void *wake_arg;
	pthread_t thread;
	bool has_thread;
	atomic_bool stop;

	pthread_mutex_t lock; /* guards from here … */
	pthread_cond_t room;
	size_t given, taken; /* batches so far */
	bool waiting;        /* the consumer was told TREE_WAIT */
	bool finished;
	struct error error; /* … to here */

	struct batch batch[BATCHES]; /* owned by who may touch it next */

	struct batch *reading; /* the consumer's */
	size_t read_next;

	struct batch *filling; /* from here on the walker's */
	struct strbuf path;
	char *text; /* names of all frames, as a stack */
	size_t text_len, text_room;
	struct name *name;
	size_t name_count, name_room;
	struct frame *frame;
	size_t depth, frame_room;
	size_t first_open; /* frames before have no descriptor */
	char dirents[READ_SIZE]
	    __attribute__((aligned(__alignof__(struct dirent64))));
};

/* Batches. */

/* ${end}: it was the last one, and that is how the walk ended. */
static void give_batch(struct tree_scan *s, const struct error *end)
{
	bool wake;

	pthread_mutex_lock(&s->lock);
	s->given++;
	if (end != NULL) {
		s->finished = true;
		s->error = *end;
	}
	wake = s->waiting;
	s->waiting = false;
	pthread_mutex_unlock(&s->lock);
	if (wake && s->wake != NULL)
		s->wake(s->wake_arg);
}

static void await_batch(struct tree_scan *s)
{
	pthread_mutex_lock(&s->lock);
	while (s->given - s->taken == BATCHES && !s->stop)
		pthread_cond_wait(&s->room, &s->lock);
	s->filling = &s->batch[s->given % BATCHES];
	pthread_mutex_unlock(&s->lock);
	s->filling->count = 0;
	s->filling->keys_len = 0;
}

/* The key is the walk's path. */
static void emit(struct tree_scan *s, enum tree_kind kind,
    const struct local_sig *sig, const char *why)
{
	struct batch *b = s->filling;
	struct batch_entry *e;

	if (b->count == BATCH_ENTRIES) {
		give_batch(s, NULL);
		await_batch(s);
		b = s->filling;
	}
	e = &b->entry[b->count++];
	ALLOC_GROW(b->keys, b->keys_len + s->path.len, b->keys_room);
	memcpy(b->keys + b->keys_len, s->path.buf, s->path.len);
	e->key_at = b->keys_len;
	e->key_len = s->path.len;
	b->keys_len += s->path.len;
	e->kind = kind;
	e->why = why;
	if (sig != NULL)
		e->sig = *sig;
}

/* Thread-safe, unlike strerror; static, unlike strerror_r. */
static const char *reason(int sys)
{
	const char *text = strerrordesc_np(sys);

	if (sys == ENOENT)
		return "it vanished while it was looked at";
	if (sys == ENOTDIR || sys == ELOOP)
		return "it was replaced while it was looked at";
	return text != NULL ? text : "unknown error";
}

/* A directory that could not be entered; path ends in '/'. */
static void emit_closed(struct tree_scan *s, int sys)
{
	if (sys == EXDEV)
		emit(s, TREE_BLOCKED, NULL, "on another file system");
	else
		emit(s, TREE_UNKNOWN, NULL, reason(sys));
}

static void emit_unknown(struct tree_scan *s, bool is_dir, const char *why)
{
	if (is_dir)
		strbuf_addc(&s->path, '/');
	emit(s, TREE_UNKNOWN, NULL, why);
}

/* Names of one directory. */

static void push_name(struct tree_scan *s, const char *text, size_t len,
    enum name_kind kind, bool is_dir, mode_t mode)
{
	struct name *n;

	ALLOC_GROW(s->text, s->text_len + len + 1, s->text_room);
	ALLOC_GROW(s->name, s->name_count + 1, s->name_room);
	n = &s->name[s->name_count++];
	n->at = s->text_len;
	n->len = (uint16_t)len;
	n->kind = (uint8_t)kind;
	n->is_dir = is_dir;
	n->mode = mode;
	memcpy(s->text + s->text_len, text, len + 1);
	s->text_len += len + 1;
}

static void push_by_mode(struct tree_scan *s, const char *text, size_t len,
    mode_t mode)
{
	enum name_kind kind = NAME_OTHER;

	if (S_ISREG(mode))
		kind = NAME_FILE;
	else if (S_ISDIR(mode))
		kind = NAME_DIR;
	push_name(s, text, len, kind, kind == NAME_DIR, mode);
}

/* Where readdir does not tell types. If nothing else does, the name may be
 * that of a file and that of a directory. */
static void push_untyped(struct tree_scan *s, int fd, const char *text,
    size_t len)
{
	struct stat st;

	if (fstatat(fd, text, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		push_by_mode(s, text, len, st.st_mode);
	} else if (errno != ENOENT) {
		push_name(s, text, len, NAME_LOST, false, 0);
		push_name(s, text, len, NAME_LOST, true, 0);
	}
}

static void push_dirent(struct tree_scan *s, int fd, const struct dirent64 *e)
{
	const char *text = e->d_name;

	if (text[0] == '.' &&
	    (strcmp(text, ".") == 0 || strcmp(text, "..") == 0 ||
		strcmp(text, PATH_RESERVED) == 0))
		return;
	if (e->d_type == DT_UNKNOWN)
		push_untyped(s, fd, text, strlen(text));
	else
		push_by_mode(s, text, strlen(text), DTTOIF(e->d_type));
}

/* 0 or an errno. */
static int read_names(struct tree_scan *s, int fd)
{
	ssize_t got = 0;

	while (!s->stop &&
	    (got = getdents64(fd, s->dirents, sizeof(s->dirents))) > 0) {
		for (ssize_t at = 0; at < got;) {
			const struct dirent64 *e =
			    (const struct dirent64 *)(s->dirents + at);

			push_dirent(s, fd, e);
			at += e->d_reclen;
		}
	}
	return got < 0 ? errno : 0;
}

/* What follows the first ${at} bytes; a directory's name goes on with '/'. */
static int byte_at(const struct name *n, const char *text, size_t at)
{
	if (at < n->len)
		return (unsigned char)text[n->at + at];
	return n->is_dir ? '/' : -1;
}

/* The order of S3's listings. */
static int compare_names(const void *a, const void *b, void *text)
{
	const struct name *p = a, *q = b;
	const char *names = text;
	size_t common = p->len < q->len ? p->len : q->len;
	int order = memcmp(names + p->at, names + q->at, common);

	if (order != 0)
		return order;
	return byte_at(p, names, common) - byte_at(q, names, common);
}

/* Frames. */

static void close_frame(struct frame *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

static void limit_open_frames(struct tree_scan *s)
{
	if (s->first_open > s->depth)
		s->first_open = s->depth;
	if (s->depth - s->first_open >= OPEN_DIRS_MAX)
		close_frame(&s->frame[s->first_open++]);
}

static void drop_names(struct tree_scan *s, size_t names, size_t text)
{
	s->name_count = names;
	s->text_len = text;
}

/* Takes ${fd}, whose path is the walk's (with its '/'). 0 or an errno, and
 * then nothing of it is left. */
static int push_frame(struct tree_scan *s, int fd)
{
	struct frame f = { .fd = fd,
		.path_len = s->path.len,
		.names_before = s->name_count,
		.text_before = s->text_len };
	struct stat st;
	int sys;

	if (fstat(fd, &st) != 0)
		sys = errno;
	else if (st.st_dev != s->t->device)
		sys = EXDEV;
	else
		sys = read_names(s, fd);
	if (sys != 0) {
		drop_names(s, f.names_before, f.text_before);
		close(fd);
		return sys;
	}
	f.dev = st.st_dev;
	f.ino = st.st_ino;
	f.next = f.names_before;
	f.end = s->name_count;
	if (f.end > f.next) /* else there may be no array */
		qsort_r(s->name + f.next, f.end - f.next, sizeof(*s->name),
		    compare_names, s->text);
	limit_open_frames(s);
	ALLOC_GROW(s->frame, s->depth + 1, s->frame_room);
	s->frame[s->depth++] = f;
	return 0;
}

static void pop_frame(struct tree_scan *s)
{
	struct frame *f = &s->frame[--s->depth];

	close_frame(f);
	drop_names(s, f->names_before, f->text_before);
}

/* Opens the top frame's directory again, if it is still the same one. */
static const char *reopen_frame(struct tree_scan *s, struct frame *f)
{
	size_t len = f->path_len > 0 ? f->path_len - 1 : 0;
	struct stat st;

	f->fd = tree_beneath_open(s->t, s->path.buf, len,
	    O_RDONLY | O_DIRECTORY, 0);
	if (f->fd < 0)
		return reason(errno);
	if (fstat(f->fd, &st) == 0 && st.st_dev == f->dev &&
	    st.st_ino == f->ino) {
		s->first_open = s->depth - 1;
		return NULL;
	}
	close_frame(f);
	return "a directory above it was replaced";
}

/* The walk. */

static void enter(struct tree_scan *s, struct frame *f, const char *name)
{
	enum path_verdict verdict = path_check(s->path.buf, s->path.len, 0);
	int fd, sys;

	strbuf_addc(&s->path, '/');
	if (verdict != PATH_OK) {
		emit(s, TREE_BLOCKED, NULL, path_verdict_text(verdict));
		return;
	}
	fd = tree_beneath_open_in(s->t, f->fd, name,
	    O_RDONLY | O_DIRECTORY | O_NONBLOCK);
	sys = fd < 0 ? errno : push_frame(s, fd);
	if (sys != 0)
		emit_closed(s, sys);
}

/* What was a file has become a directory: its place is further on. */
static void postpone(struct tree_scan *s, struct frame *f)
{
	size_t i = --f->next;

	s->name[i].kind = NAME_DIR;
	s->name[i].is_dir = true;
	for (; i + 1 < f->end; i++) {
		struct name this = s->name[i];

		if (compare_names(&this, &s->name[i + 1], s->text) < 0)
			break;
		s->name[i] = s->name[i + 1];
		s->name[i + 1] = this;
	}
}

static void look_at(struct tree_scan *s, struct frame *f, const char *name)
{
	struct local_sig sig;
	struct stat st;

	if (fstatat(f->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		if (errno != ENOENT)
			emit_unknown(s, false, reason(errno));
	} else if (S_ISREG(st.st_mode)) {
		tree_fs_sig(&st, &sig);
		emit(s, TREE_FILE, &sig, NULL);
	} else if (S_ISDIR(st.st_mode)) {
		postpone(s, f);
	} else {
		emit(s, TREE_OTHER, NULL, tree_fs_type_text(st.st_mode));
	}
}

/* A file system may read out a name twice that was made anew meanwhile. */
static bool is_repeated(const struct tree_scan *s, const struct frame *f)
{
	size_t i = f->next;

	return i > f->names_before &&
	    compare_names(&s->name[i - 1], &s->name[i], s->text) == 0;
}

static void visit(struct tree_scan *s, struct frame *f)
{
	bool repeated = is_repeated(s, f);
	const struct name *n = &s->name[f->next++];
	const char *name = s->text + n->at;

	if (repeated)
		return;
	strbuf_truncate(&s->path, f->path_len);
	if (f->fd < 0 && f->lost == NULL)
		f->lost = reopen_frame(s, f);
	strbuf_add(&s->path, name, n->len);
	if (filter_excludes(s->filter, s->path.buf, s->path.len, n->is_dir))
		return;
	if (f->lost != NULL) {
		emit_unknown(s, n->is_dir, f->lost);
		return;
	}
	switch ((enum name_kind)n->kind) {
	case NAME_FILE:
		look_at(s, f, name);
		break;
	case NAME_DIR:
		enter(s, f, name);
		break;
	case NAME_OTHER:
		emit(s, TREE_OTHER, NULL, tree_fs_type_text(n->mode));
		break;
	case NAME_LOST:
		emit_unknown(s, n->is_dir, "its type could not be read");
		break;
	}
}

/* All of a root that was removed is absent: that must not be said. */
static void check_root(const struct tree_fs *t, struct error *err)
{
	struct stat st;

	if (fstat(t->fd, &st) != 0)
		error_sys(err, ERROR_ROOT, errno, "%s", t->root);
	else if (st.st_nlink == 0)
		error_set(err, ERROR_ROOT, "%s: the directory was removed",
		    t->root);
}

static void walk(struct tree_scan *s, struct error *err)
{
	int fd = tree_beneath_open(s->t, "", 0, O_RDONLY | O_DIRECTORY, 0);
	int sys = fd < 0 ? errno : push_frame(s, fd);

	if (sys != 0) {
		error_sys(err, ERROR_ROOT, sys, "%s: cannot be read",
		    s->t->root);
		return;
	}
	while (s->depth > 0 && !s->stop) {
		struct frame *f = &s->frame[s->depth - 1];

		if (f->next < f->end)
			visit(s, f);
		else
			pop_frame(s);
	}
	while (s->depth > 0)
		pop_frame(s);
	check_root(s->t, err);
}

static void *run(void *arg)
{
	struct tree_scan *s = arg;
	struct error err = ERROR_INIT;

	await_batch(s);
	walk(s, &err);
	give_batch(s, &err);
	return NULL;
}

/* The consumer's side. */

/* Signals belong to the threads that wait for them. */
static int start_thread(struct tree_scan *s)
{
	sigset_t all, before;
	int sys;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	sys = pthread_create(&s->thread, NULL, run, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return sys;
}

struct tree_scan *tree_scan_start(struct tree *tree,
    const struct filter *filter, void (*wake)(void *arg), void *arg)
{
	struct tree_scan *s = alloc_zero(1, sizeof(*s));
	int sys;

	s->t = (struct tree_fs *)tree;
	s->filter = filter;
	s->wake = wake;
	s->wake_arg = arg;
	strbuf_init(&s->path, PATH_TEXT_MAX);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->room, NULL);
	sys = start_thread(s);
	s->has_thread = sys == 0;
	if (sys != 0) {
		error_sys(&s->error, ERROR_ROOT, sys,
		    "%s: cannot start a thread for the scan", s->t->root);
		s->finished = true;
	}
	return s;
}

/* Gives back the batch that was read and takes the next one, if any. */
static enum tree_step next_batch(struct tree_scan *s, struct error *err)
{
	enum tree_step step = TREE_ENTRY;

	pthread_mutex_lock(&s->lock);
	if (s->reading != NULL) {
		s->taken++;
		s->reading = NULL;
		pthread_cond_signal(&s->room);
	}
	if (s->taken < s->given) {
		s->reading = &s->batch[s->taken % BATCHES];
		s->read_next = 0;
	} else if (!s->finished) {
		s->waiting = true;
		step = TREE_WAIT;
	} else if (s->error.kind != ERROR_NONE) {
		*err = s->error;
		step = TREE_FAILED;
	} else {
		step = TREE_END;
	}
	pthread_mutex_unlock(&s->lock);
	return step;
}

enum tree_step tree_scan_next(struct tree_scan *s, struct tree_entry *out,
    struct error *err)
{
	const struct batch_entry *e;

	while (s->reading == NULL || s->read_next == s->reading->count) {
		enum tree_step step = next_batch(s, err);

		if (step != TREE_ENTRY)
			return step;
	}
	e = &s->reading->entry[s->read_next++];
	out->key = s->reading->keys + e->key_at;
	out->key_len = e->key_len;
	out->kind = e->kind;
	out->sig = e->sig;
	out->why = e->why;
	return TREE_ENTRY;
}

void tree_scan_free(struct tree_scan *s)
{
	if (s == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->room);
	pthread_mutex_unlock(&s->lock);
	if (s->has_thread)
		pthread_join(s->thread, NULL);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->room);
	for (size_t i = 0; i < BATCHES; i++)
		free(s->batch[i].keys);
	strbuf_release(&s->path);
	free(s->text);
	free(s->name);
	free(s->frame);
	free(s);
}
