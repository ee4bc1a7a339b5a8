/* SPDX-License-Identifier: MIT */
/*
 * Writing files that nobody sees until they are whole and on the disk, and
 * giving them their names, never over anything.
 */
#include "sync/tree_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"

/* From this size on, room is reserved; less is found out by writing. */
#define RESERVE_MIN (INT64_C(1) << 20)

/* Up to so many directories are synced one by one, more by one syncfs. */
#define SYNC_DIRS_MAX 8

/* How far apart two stamps of different moments are, at least: one tick of
 * any kernel, or the two seconds of FAT where digits of the mtime were lost. */
#define STAMP_TICK (10 * CLOCK_MS)
#define STAMP_COARSE (2 * CLOCK_SECOND)

struct tree_writer {
	struct tree_fs *t;
	int fd;
	char name[TREE_TEMPORARY_SIZE]; /* "": has none */
	bool finished;
	struct local_sig sig; /* as write_finish left it */
	int64_t granule_ns;
};

static bool open_nameless(struct tree_writer *w)
{
	w->fd = tree_beneath_open(w->t, TREE_TEMP, sizeof(TREE_TEMP) - 1,
	    O_TMPFILE | O_RDWR, w->t->file_mode);
	if (w->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
		w->t->named_temp = true;
	return !w->t->named_temp;
}

static void open_by_name(struct tree_writer *w, int flags)
{
	char path[sizeof(TREE_TEMP) + sizeof(w->name)];
	int len = snprintf(path, sizeof(path), TREE_TEMP "/%s", w->name);

	w->fd = tree_beneath_open(w->t, path, (size_t)len, O_RDWR | flags,
	    flags & O_CREAT ? w->t->file_mode : 0);
}

static void open_named(struct tree_writer *w)
{
	snprintf(w->name, sizeof(w->name), TREE_TEMP_FORM, w->t->owner,
	    (uint32_t)clock_random());
	open_by_name(w, O_CREAT | O_EXCL);
}

static void open_temp(struct tree_writer *w)
{
	if (w->t->named_temp || !open_nameless(w))
		open_named(w);
}

/* Who may not make temporary files, or whose root was removed, can no more
 * download than to a full disk. */
static int temp_failed(struct error *err)
{
	if (err->sys == EACCES || err->sys == EPERM || err->sys == ENOENT)
		err->kind = ERROR_NO_SPACE;
	return -1;
}

static int make_temp_dir(const struct tree_fs *t, struct error *err)
{
	int dir, failed;

	if (tree_beneath_make_dir(t, PATH_RESERVED, sizeof(PATH_RESERVED) - 1,
		false, &dir, err) != 0)
		return temp_failed(err);
	failed = mkdirat(dir, strrchr(TREE_TEMP, '/') + 1, 0700) != 0 &&
	    errno != EEXIST;
	if (failed)
		error_sys(err, ERROR_LOCAL, errno, "cannot make %s/%s", t->root,
		    TREE_TEMP);
	close(dir);
	return failed ? temp_failed(err) : 0;
}

/* ext4 reserves until the disk is full before it says that it is too small.
 * What was begun before has its room. */
static bool has_room(int fd, int64_t size)
{
	struct statvfs fs;
	struct stat st;

	if (fstatvfs(fd, &fs) != 0 || fs.f_blocks == 0 || fstat(fd, &st) != 0)
		return true;
	size -= (int64_t)st.st_blocks * 512;
	return size <= 0 || (uint64_t)size / fs.f_frsize < fs.f_bavail;
}

/* Room now is better than ENOSPC after an hour. Where the file system cannot
 * reserve, it will have to be found out by writing. */
static int reserve(int fd, int64_t size, struct error *err)
{
	int sys = ENOSPC;

	if (size < RESERVE_MIN)
		return 0;
	if (has_room(fd, size)) {
		if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, size) == 0 ||
		    errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL ||
		    errno == EINTR || errno == EPERM)
			return 0;
		sys = errno;
	}
	return error_sys(err, ERROR_LOCAL, sys, "no room for %lld bytes",
	    (long long)size);
}

/* ${open} sets the descriptor, or errno. */
static int make_temp(struct tree_writer *w, void (*open)(struct tree_writer *),
    struct error *err)
{
	open(w);
	if (w->fd < 0 && errno == ENOENT) {
		if (make_temp_dir(w->t, err) != 0)
			return -1;
		open(w);
	}
	if (w->fd >= 0)
		return 0;
	w->name[0] = '\0';
	error_sys(err, ERROR_LOCAL, errno,
	    "cannot make a temporary file in %s/%s", w->t->root, TREE_TEMP);
	return temp_failed(err);
}

static struct tree_writer *writer_new(struct tree *tree)
{
	struct tree_writer *w = alloc_zero(1, sizeof(*w));

	w->t = (struct tree_fs *)tree;
	w->fd = -1;
	return w;
}

int tree_write_open(struct tree *tree, int64_t size,
    struct tree_writer **writer, struct error *err)
{
	struct tree_writer *w = writer_new(tree);

	*writer = NULL;
	if (make_temp(w, open_temp, err) != 0 ||
	    reserve(w->fd, size, err) != 0) {
		tree_write_abandon(w);
		return -1;
	}
	*writer = w;
	return 0;
}

/* The name comes from a manifest: it may say anything. */
static bool is_temp_name(const char *name)
{
	const size_t prefix = sizeof(TREE_TEMP_PREFIX) - 1;

	return strncmp(name, TREE_TEMP_PREFIX, prefix) == 0 &&
	    strlen(name) < TREE_TEMPORARY_SIZE &&
	    strspn(name + prefix, "0123456789abcdef-") ==
	    strlen(name + prefix);
}

static bool open_kept(struct tree_writer *w, const char *name)
{
	struct stat st;

	if (!is_temp_name(name))
		return false;
	memcpy(w->name, name, strlen(name) + 1);
	open_by_name(w, 0);
	if (w->fd < 0)
		return false;
	if (fstat(w->fd, &st) == 0 && S_ISREG(st.st_mode))
		return true;
	close(w->fd);
	w->fd = -1;
	return false;
}

int tree_write_open_named(struct tree *tree, int64_t size,
    char name[TREE_TEMPORARY_SIZE], struct tree_writer **writer,
    struct error *err)
{
	struct tree_writer *w = writer_new(tree);
	bool kept = open_kept(w, name);

	*writer = NULL;
	if ((!kept && make_temp(w, open_named, err) != 0) ||
	    reserve(w->fd, size, err) != 0) {
		tree_write_abandon(w);
		return -1;
	}
	memcpy(name, w->name, TREE_TEMPORARY_SIZE);
	*writer = w;
	return kept;
}

int tree_write_at(struct tree_writer *w, int64_t offset, const void *buf,
    size_t len, struct error *err)
{
	const char *at = buf;

	while (len > 0) {
		ssize_t put = pwrite(w->fd, at, len, offset);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return error_sys(err, ERROR_LOCAL, errno,
			    "cannot write the file");
		at += put;
		len -= (size_t)put;
		offset += put;
	}
	return 0;
}

ssize_t tree_write_read_at(struct tree_writer *w, int64_t offset, void *buf,
    size_t len, struct error *err)
{
	ssize_t got;

	do {
		got = pread(w->fd, buf, len, offset);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return error_sys(err, ERROR_LOCAL, errno,
		    "cannot read back what was written");
	return got;
}

static struct timespec stamp_of(int64_t ns)
{
	struct timespec stamp = { ns / CLOCK_SECOND, ns % CLOCK_SECOND };

	if (stamp.tv_nsec < 0) {
		stamp.tv_sec--;
		stamp.tv_nsec += CLOCK_SECOND;
	}
	return stamp;
}

int tree_write_finish(struct tree_writer *w, int64_t mtime_ns,
    struct error *err)
{
	struct timespec times[2] = { { 0, UTIME_OMIT }, stamp_of(mtime_ns) };
	struct stat st;

	if (futimens(w->fd, times) != 0)
		return error_sys(err, ERROR_LOCAL, errno,
		    "cannot set the time of the file");
	if (fstat(w->fd, &st) != 0)
		return error_sys(err, ERROR_LOCAL, errno,
		    "cannot look at the file");
	tree_fs_sig(&st, &w->sig);
	w->granule_ns = w->sig.mtime_ns == mtime_ns ? STAMP_TICK : STAMP_COARSE;
	w->finished = true;
	return 0;
}

void tree_write_keep(struct tree_writer *w)
{
	if (w == NULL)
		return;
	if (w->fd >= 0)
		close(w->fd);
	free(w);
}

void tree_write_forget(struct tree *tree, const char *name)
{
	int dir;

	if (!is_temp_name(name))
		return;
	dir = tree_beneath_open((struct tree_fs *)tree, TREE_TEMP,
	    sizeof(TREE_TEMP) - 1, O_PATH | O_DIRECTORY, 0);
	if (dir >= 0) {
		unlinkat(dir, name, 0);
		close(dir);
	}
}

void tree_write_abandon(struct tree_writer *w)
{
	if (w != NULL)
		tree_write_forget(&w->t->tree, w->name);
	tree_write_keep(w);
}

/* Publishing. The functions that name a file return 0 or an errno. */

static int name_nameless(struct tree_writer *w, int dir, const char *name)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", w->fd);
	if (linkat(AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	/* Should that be refused for good, the next files do without. */
	if (errno == EPERM || errno == EOPNOTSUPP || errno == EXDEV)
		w->t->named_temp = true;
	return errno;
}

static int rename_named(struct tree_writer *w, int dir, const char *name)
{
	int temp = tree_beneath_open(w->t, TREE_TEMP, sizeof(TREE_TEMP) - 1,
	    O_PATH | O_DIRECTORY, 0);
	int sys = 0;

	if (temp < 0)
		return errno;
	if (renameat2(temp, w->name, dir, name, RENAME_NOREPLACE) == 0)
		w->name[0] = '\0';
	else if (errno != EINVAL && errno != ENOSYS)
		sys = errno;
	/* Refuses an existing name too. abandon unlinks the other one. */
	else if (linkat(temp, w->name, dir, name, 0) != 0)
		sys = errno;
	close(temp);
	return sys;
}

static int give_name(struct tree_writer *w, int dir, const char *name,
    struct error *err)
{
	int sys = w->name[0] == '\0' ? name_nameless(w, dir, name)
				     : rename_named(w, dir, name);

	switch (sys) {
	case 0:
		return 0;
	case EEXIST:
		error_set(err, ERROR_EXISTS, "something has the name already");
		break;
	case EINVAL:
	case EILSEQ:
	case ENAMETOOLONG:
		error_sys(err, ERROR_BLOCKED, sys,
		    "this file system cannot have such a name");
		break;
	case EPERM:
	case EOPNOTSUPP:
		return error_sys(err, ERROR_LOCAL, sys,
		    "cannot give the file its name without overwriting");
	default:
		return error_sys(err, ERROR_LOCAL, sys,
		    "cannot give the file its name");
	}
	err->sys = sys;
	return -1;
}

/* A device that fails to write is as unfit for more as one that is full. */
static int sync_failed(int sys, struct error *err)
{
	return error_sys(err, sys == EIO ? ERROR_NO_SPACE : ERROR_LOCAL, sys,
	    "cannot bring the data to the disk");
}

int tree_write_sync(struct tree_writer *w, struct error *err)
{
	return fdatasync(w->fd) == 0 ? 0 : sync_failed(errno, err);
}

int tree_write_place(struct tree_writer *w, int dir, const char *name,
    struct error *err)
{
	if (fsync(w->fd) != 0)
		return sync_failed(errno, err);
	return give_name(w, dir, name, err);
}

/* The publications of one call. Those that failed have their error set and
 * are passed over. */
struct batch {
	struct tree_fs *t;
	struct tree_publication **item; /* by directory, then name */
	size_t count;
	bool sync_each_dir;
	int64_t before_ns;
};

static void fail_from(struct batch *b, size_t from, size_t to,
    const struct error *err)
{
	for (size_t i = from; i < to; i++) {
		if (b->item[i]->error.kind == ERROR_NONE)
			b->item[i]->error = *err;
	}
}

static int compare_items(const void *a, const void *b)
{
	const struct tree_publication *p = *(struct tree_publication *const *)a;
	const struct tree_publication *q = *(struct tree_publication *const *)b;
	size_t p_dir = path_parent_len(p->key, p->key_len);
	size_t q_dir = path_parent_len(q->key, q->key_len);
	int order = path_compare(p->key, p_dir, q->key, q_dir);

	if (order != 0)
		return order;
	return path_compare(p->key, p->key_len, q->key, q->key_len);
}

static bool same_dir(const struct tree_publication *p,
    const struct tree_publication *q)
{
	size_t dir_len = path_parent_len(p->key, p->key_len);

	return dir_len == path_parent_len(q->key, q->key_len) &&
	    memcmp(p->key, q->key, dir_len) == 0;
}

/* The index past the last item of the directory that ${from} is in. */
static size_t dir_end(const struct batch *b, size_t from)
{
	size_t to = from + 1;

	while (to < b->count && same_dir(b->item[from], b->item[to]))
		to++;
	return to;
}

static size_t count_dirs(const struct batch *b)
{
	size_t dirs = 0;

	for (size_t i = 0; i < b->count; i = dir_end(b, i))
		dirs++;
	return dirs;
}

static void sync_data(struct batch *b)
{
	struct error err = ERROR_INIT;

	if (b->count > 1 && !b->t->sync_each) {
		if (syncfs(b->t->fd) != 0) {
			sync_failed(errno, &err);
			fail_from(b, 0, b->count, &err);
		}
		return;
	}
	for (size_t i = 0; i < b->count; i++) {
		struct tree_publication *p = b->item[i];

		if (fsync(p->writer->fd) != 0)
			sync_failed(errno, &p->error);
	}
}

static void publish_item(const struct batch *b, struct tree_publication *p,
    int dir)
{
	const struct tree_writer *w = p->writer;
	size_t dir_len = path_parent_len(p->key, p->key_len);
	size_t skip = dir_len > 0 ? dir_len + 1 : 0;
	char name[PATH_NAME_MAX + 1];
	struct stat st;

	memcpy(name, p->key + skip, p->key_len - skip);
	name[p->key_len - skip] = '\0';
	if (give_name(p->writer, dir, name, &p->error) != 0)
		return;
	if (fstat(w->fd, &st) != 0) {
		error_sys(&p->error, ERROR_LOCAL, errno,
		    "cannot look at the file");
		return;
	}
	tree_fs_sig(&st, &p->sig);
	/* An edit shows, unless its stamp is the one that was set. */
	p->racy = p->sig.size != w->sig.size ||
	    p->sig.mtime_ns != w->sig.mtime_ns ||
	    p->sig.mtime_ns >= b->before_ns - w->granule_ns;
}

/* The items of one directory. */
static void publish_dir(struct batch *b, size_t from, size_t to)
{
	const struct tree_publication *first = b->item[from];
	struct error err = ERROR_INIT;
	int dir;

	if (tree_beneath_make_dir(b->t, first->key,
		path_parent_len(first->key, first->key_len), b->sync_each_dir,
		&dir, &err) != 0) {
		fail_from(b, from, to, &err);
		return;
	}
	for (size_t i = from; i < to; i++) {
		if (b->item[i]->error.kind == ERROR_NONE)
			publish_item(b, b->item[i], dir);
	}
	if (b->sync_each_dir && fsync(dir) != 0) {
		sync_failed(errno, &err);
		fail_from(b, from, to, &err);
	}
	close(dir);
}

static void publish_all(struct batch *b)
{
	struct error err = ERROR_INIT;

	qsort(b->item, b->count, sizeof(*b->item), compare_items);
	sync_data(b);
	b->sync_each_dir = b->t->sync_each || count_dirs(b) <= SYNC_DIRS_MAX;
	b->before_ns = clock_coarse_ns();
	for (size_t from = 0, to; from < b->count; from = to) {
		to = dir_end(b, from);
		publish_dir(b, from, to);
	}
	if (!b->sync_each_dir && syncfs(b->t->fd) != 0) {
		sync_failed(errno, &err);
		fail_from(b, 0, b->count, &err);
	}
}

void tree_write_publish(struct tree *tree, struct tree_publication *batch,
    size_t count)
{
	struct batch b = { .t = (struct tree_fs *)tree };

	b.item = alloc_zero(count, sizeof(*b.item));
	for (size_t i = 0; i < count; i++) {
		struct tree_publication *p = &batch[i];

		assert(p->writer->finished);
		error_clear(&p->error);
		p->racy = false;
		if (tree_fs_check_key(p->key, p->key_len, &p->error) == 0)
			b.item[b.count++] = p;
	}
	if (b.count > 0)
		publish_all(&b);
	free(b.item);
	for (size_t i = 0; i < count; i++) {
		tree_write_abandon(batch[i].writer);
		batch[i].writer = NULL;
	}
}
