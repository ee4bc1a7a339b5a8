/* SPDX-License-Identifier: MIT */
/* The root of the real tree: opening it, knowing it again, its operations. */
#include "sync/tree_fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/crc.h"
#include "sync/tree_internal.h"

#define FORGOTTEN_S (7 * 24 * 3600) /* temporary files of other pairs */

int tree_fs_check_key(const char *key, size_t len, struct error *err)
{
	enum path_verdict verdict = path_check(key, len, 0);

	if (verdict == PATH_OK)
		return 0;
	return error_set(err, ERROR_BLOCKED, "%s", path_verdict_text(verdict));
}

/* Times beyond the range (the year 2262) become its end. */
static int64_t stamp_ns(struct timespec stamp)
{
	const int64_t last = INT64_MAX / CLOCK_SECOND - 1;

	if (stamp.tv_sec > last)
		return last * CLOCK_SECOND;
	if (stamp.tv_sec < -last)
		return -last * CLOCK_SECOND;
	return stamp.tv_sec * CLOCK_SECOND + stamp.tv_nsec;
}

void tree_fs_sig(const struct stat *st, struct local_sig *sig)
{
	sig->size = st->st_size;
	sig->mtime_ns = stamp_ns(st->st_mtim);
	sig->ctime_ns = stamp_ns(st->st_ctim);
	sig->ino = st->st_ino;
}

const char *tree_fs_type_text(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "a file";
	case S_IFDIR:
		return "a directory";
	case S_IFLNK:
		return "a symlink";
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	case S_IFCHR:
	case S_IFBLK:
		return "a device";
	default:
		return "of an unknown type";
	}
}

static enum tree_probe fs_probe(struct tree *tree, const char *key, size_t len)
{
	const struct tree_fs *t = (const struct tree_fs *)tree;
	struct stat st;

	if (path_check(key, len, 0) != PATH_OK)
		return TREE_CANNOT_TELL;
	if (tree_beneath_stat(t, key, len, &st) == 0)
		return S_ISDIR(st.st_mode) ? TREE_HAS_DIRECTORY : TREE_HAS_FILE;
	if (errno == ENOENT)
		return TREE_FREE;
	if (errno == ENOTDIR || errno == ELOOP)
		return TREE_PARENT_IN_WAY;
	return TREE_CANNOT_TELL;
}

static void fs_free(struct tree *tree)
{
	struct tree_fs *t = (struct tree_fs *)tree;

	if (t == NULL)
		return;
	if (t->fd >= 0)
		close(t->fd);
	free(t->root);
	free(t);
}

static const struct tree_ops fs_ops = {
	.scan_start = tree_scan_start,
	.scan_next = tree_scan_next,
	.scan_free = tree_scan_free,
	.probe = fs_probe,
	.read_open = tree_read_open,
	.read_at = tree_read_at,
	.read_check = tree_read_check,
	.read_close = tree_read_close,
	.write_open = tree_write_open,
	.write_at = tree_write_at,
	.write_read_at = tree_write_read_at,
	.write_finish = tree_write_finish,
	.write_abandon = tree_write_abandon,
	.write_open_named = tree_write_open_named,
	.write_sync = tree_write_sync,
	.write_keep = tree_write_keep,
	.write_forget = tree_write_forget,
	.publish = tree_write_publish,
	.free = fs_free,
};

/* Setting it to learn it would show in what other threads make meanwhile: only
 * for where there is no /proc. */
static mode_t current_umask(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	bool found = false;
	unsigned mask;
	char line[256];

	while (status != NULL && !found &&
	    fgets(line, sizeof(line), status) != NULL)
		found = sscanf(line, "Umask: %o", &mask) == 1;
	if (status != NULL)
		fclose(status);
	if (!found) {
		mask = umask(077);
		umask(mask);
	}
	return mask;
}

static int open_failed(const char *root, int sys, struct error *err)
{
	struct stat st;

	switch (sys) {
	case ENOENT:
		if (lstat(root, &st) == 0)
			return error_set(err, ERROR_ROOT,
			    "%s: a symbolic link that leads nowhere: is its "
			    "disk not mounted? Mount it or correct the local "
			    "path",
			    root);
		return error_set(err, ERROR_ROOT,
		    "%s: no such directory; create it or correct the local "
		    "path",
		    root);
	case ENOTDIR:
		return error_set(err, ERROR_ROOT,
		    "%s: not a directory; correct the local path", root);
	case EACCES:
		return error_set(err, ERROR_ROOT,
		    "%s: permission denied; let this user read, write and "
		    "search the directory, or run as one that may",
		    root);
	default:
		return error_sys(err, ERROR_ROOT, sys, "%s", root);
	}
}

/* What the system and this file system can do; nothing is written. */
static void learn_abilities(struct tree_fs *t)
{
	struct statfs fs;
	struct stat st;
	int fd;

	t->have_openat2 = true;
	fd = tree_beneath_open(t, "", 0, O_PATH, 0);
	if (fd >= 0)
		close(fd);
	else
		t->have_openat2 = false;
	t->sync_each =
	    fstatfs(t->fd, &fs) == 0 && (uint32_t)fs.f_type == FUSE_SUPER_MAGIC;
	t->named_temp = stat("/proc/self/fd", &st) != 0;
	t->file_mode = 0666 & ~current_umask();
}

int tree_fs_open(struct tree **tree, const char *root, struct error *err)
{
	struct tree_fs *t = alloc_zero(1, sizeof(*t));
	struct stat st;

	*tree = NULL;
	t->tree.ops = &fs_ops;
	t->root = alloc_string(root);
	t->fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* The name "." is found only by those who may search the directory. */
	if (t->fd < 0 || fstatat(t->fd, ".", &st, 0) != 0) {
		open_failed(root, errno, err);
		fs_free(&t->tree);
		return -1;
	}
	t->device = st.st_dev;
	learn_abilities(t);
	*tree = &t->tree;
	return 0;
}

void tree_fs_own(struct tree *tree, const char *owner)
{
	struct tree_fs *t = (struct tree_fs *)tree;

	t->owner = (uint32_t)crc_update(CRC_32C, 0, owner, strlen(owner));
}

static bool is_uuid(const char *text)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	for (size_t i = 0; i < sizeof(form) - 1; i++) {
		bool digit = text[i] != '\0' &&
		    strchr("0123456789abcdef", text[i]) != NULL;

		if (form[i] == 'x' ? !digit : text[i] != form[i])
			return false;
	}
	return true;
}

int tree_fs_identity(struct tree *tree, struct tree_fs_identity *out,
    struct error *err)
{
	const struct tree_fs *t = (const struct tree_fs *)tree;
	char text[TREE_FS_ID_SIZE + 1];
	ssize_t got;
	int fd;

	out->marker[0] = '\0';
	out->device = t->device;
	fd = tree_beneath_open(t, TREE_MARKER, sizeof(TREE_MARKER) - 1,
	    O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0 && errno == ENOENT)
		return 0;
	got = fd < 0 ? -1 : read(fd, text, sizeof(text));
	if (got < 0 && errno != EISDIR)
		error_sys(err, ERROR_ROOT, errno,
		    "%s/%s: cannot be read; let this user read it", t->root,
		    TREE_MARKER);
	else if (got != TREE_FS_ID_SIZE || text[got - 1] != '\n' ||
	    !is_uuid(text))
		got = error_set(err, ERROR_ROOT,
		    "%s/%s: not a marker of this program (a UUID); remove it "
		    "if the directory is the right one",
		    t->root, TREE_MARKER);
	else
		memcpy(out->marker, text, TREE_FS_ID_SIZE - 1);
	out->marker[got > 0 ? TREE_FS_ID_SIZE - 1 : 0] = '\0';
	if (fd >= 0)
		close(fd);
	return got < 0 ? -1 : 0;
}

/* A random UUID: version 4, variant 1. */
static void choose_marker(char marker[TREE_FS_ID_SIZE])
{
	uint64_t high = (clock_random() & ~UINT64_C(0xf000)) | 0x4000;
	uint64_t low = clock_random() >> 2 | UINT64_C(1) << 63;

	snprintf(marker, TREE_FS_ID_SIZE,
	    "%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64
	    "-%012" PRIx64,
	    high >> 32, high >> 16 & 0xffff, high & 0xffff, low >> 48,
	    low & UINT64_C(0xffffffffffff));
}

static int place_marker(struct tree_fs *t, const char *marker, int dir,
    struct error *err)
{
	struct tree_writer *w;
	char line[TREE_FS_ID_SIZE + 1];
	int result = -1;

	snprintf(line, sizeof(line), "%s\n", marker);
	if (tree_write_open(&t->tree, 0, &w, err) != 0)
		return -1;
	if (tree_write_at(w, 0, line, TREE_FS_ID_SIZE, err) == 0 &&
	    tree_write_place(w, dir, strrchr(TREE_MARKER, '/') + 1, err) == 0)
		result = 0;
	tree_write_abandon(w);
	if (result == 0 && (fsync(dir) != 0 || fsync(t->fd) != 0))
		result = error_sys(err, ERROR_LOCAL, errno, "cannot be synced");
	return result;
}

/* Another pair with this root was faster: its marker does, unless it has to be
 * a certain one. */
static bool is_marked(struct tree *tree, char marker[TREE_FS_ID_SIZE],
    bool any)
{
	struct error ignored = ERROR_INIT;
	struct tree_fs_identity found;

	if (tree_fs_identity(tree, &found, &ignored) != 0 ||
	    found.marker[0] == '\0' ||
	    (!any && strcmp(found.marker, marker) != 0))
		return false;
	memcpy(marker, found.marker, TREE_FS_ID_SIZE);
	return true;
}

int tree_fs_mark(struct tree *tree, char marker[TREE_FS_ID_SIZE],
    struct error *err)
{
	struct tree_fs *t = (struct tree_fs *)tree;
	bool any = marker[0] == '\0';
	int dir = -1, result;

	if (any)
		choose_marker(marker);
	result = tree_beneath_make_dir(t, PATH_RESERVED,
	    sizeof(PATH_RESERVED) - 1, true, &dir, err);
	if (result == 0)
		result = place_marker(t, marker, dir, err);
	if (dir >= 0)
		close(dir);
	if (result != 0 && err->kind == ERROR_EXISTS &&
	    is_marked(tree, marker, any)) {
		error_clear(err);
		return 0;
	}
	if (result != 0) {
		error_prefix(err, "%s/%s: cannot be made; %s", t->root,
		    TREE_MARKER,
		    err->sys == ENOSPC ? "make room"
				       : "let this user write to the root");
		err->kind = ERROR_ROOT;
	}
	return result;
}

/* Another pair with this root is at it, or will go on with it. */
static bool is_of_another(const struct tree_fs *t, int dir, const char *name)
{
	uint32_t owner, number;
	struct stat st;
	int end = 0;

	if (sscanf(name, TREE_TEMP_PREFIX "%8" SCNx32 "-%8" SCNx32 "%n", &owner,
		&number, &end) < 2 || name[end] != '\0' || owner == t->owner)
		return false;
	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    clock_wall_ns() / CLOCK_SECOND - st.st_mtim.tv_sec < FORGOTTEN_S;
}

int tree_fs_sweep(struct tree *tree, bool (*keep)(void *arg, const char *name),
    void *arg, struct error *err)
{
	const struct tree_fs *t = (const struct tree_fs *)tree;
	const size_t prefix = sizeof(TREE_TEMP_PREFIX) - 1;
	int fd = tree_beneath_open(t, TREE_TEMP, sizeof(TREE_TEMP) - 1,
	    O_RDONLY | O_DIRECTORY, 0);
	int result = 0;
	struct dirent *e;
	DIR *dir;

	if (fd < 0 && errno == ENOENT)
		return 0;
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL) {
		error_sys(err, ERROR_ROOT, errno, "%s/%s: cannot be read; let "
		    "this user read and write it", t->root, TREE_TEMP);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while (result == 0 && (errno = 0, e = readdir(dir)) != NULL) {
		if (strncmp(e->d_name, TREE_TEMP_PREFIX, prefix) == 0 &&
		    (keep == NULL || !keep(arg, e->d_name)) &&
		    !is_of_another(t, fd, e->d_name) &&
		    unlinkat(fd, e->d_name, 0) != 0 && errno != ENOENT)
			break;
	}
	if (errno != 0 && errno != ENOENT)
		result = error_sys(err, ERROR_ROOT, errno,
		    "%s/%s: cannot be swept; let this user read and write it",
		    t->root, TREE_TEMP);
	closedir(dir);
	return result;
}
