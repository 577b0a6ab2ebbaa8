/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads and atomically replaces small files in STATE_DIR. What they mean is
 * not known here.
 */
#include "lib/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"

int state_prepare(const char *dir)
{
	struct stat st;

	if (mkdir(dir, 0700) && errno != EEXIST) {
		log_error("%s: cannot be made: %s", dir, strerror(errno));
		return -1;
	}
	if (stat(dir, &st)) {
		log_error("%s: %s", dir, strerror(errno));
		return -1;
	}
	if (!S_ISDIR(st.st_mode)) {
		log_error("%s: is not a folder", dir);
		return -1;
	}
	if (st.st_mode & (S_IWGRP | S_IWOTH)) {
		log_error("%s: others can write to it: chmod 700 %s", dir, dir);
		return -1;
	}
	return 0;
}

static bool write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* The name must reach the disk too, or a power cut may bring the old file back: fsync of the folder. */
static bool replace(int dir_fd, const char *temporary, const char *name, const void *data, size_t len)
{
	int fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool ok;

	if (fd < 0)
		return false;
	ok = !fchmod(fd, 0600) && write_all(fd, data, len) && !fsync(fd);
	if (close(fd) || !ok)
		return false;
	return !renameat(dir_fd, temporary, dir_fd, name) && !fsync(dir_fd);
}

int state_write(const char *dir, const char *name, const void *data, size_t len)
{
	char temporary[NAME_MAX + 1];
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = false;

	if (dir_fd >= 0) {
		snprintf(temporary, sizeof(temporary), ".%s.new", name);
		ok = replace(dir_fd, temporary, name, data, len);
	}
	if (!ok)
		log_error("%s/%s: cannot be written: %s", dir, name, strerror(errno));
	if (!ok && dir_fd >= 0)
		unlinkat(dir_fd, temporary, 0);
	if (dir_fd >= 0)
		close(dir_fd);
	return ok ? 0 : -1;
}

static ssize_t read_all(int fd, char *buf, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, buf + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

static char *read_open_file(int fd, size_t max, size_t *len)
{
	char *buf = malloc(max + 2);
	ssize_t n;
	int error;

	if (!buf)
		return NULL;
	n = read_all(fd, buf, max + 1);
	if (n >= 0 && (size_t)n <= max) {
		buf[n] = '\0';
		*len = (size_t)n;
		return buf;
	}
	error = n < 0 ? errno : EFBIG;
	explicit_bzero(buf, max + 2);
	free(buf);
	errno = error;
	return NULL;
}

char *state_read(const char *dir, const char *name, size_t max, size_t *len)
{
	char path[PATH_MAX];
	char *buf = NULL;
	int fd, error;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0) {
		buf = read_open_file(fd, max, len);
		error = errno;
		close(fd);
		errno = error;
	}
	if (!buf && errno != ENOENT) {
		error = errno;
		log_error("%s: cannot be read: %s", path, strerror(error));
		errno = error;
	}
	return buf;
}

int state_remove(const char *dir, const char *name)
{
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = dir_fd >= 0 && (!unlinkat(dir_fd, name, 0) || errno == ENOENT) && !fsync(dir_fd);

	if (!ok)
		log_error("%s/%s: cannot be removed: %s", dir, name, strerror(errno));
	if (dir_fd >= 0)
		close(dir_fd);
	return ok ? 0 : -1;
}
