// SPDX-License-Identifier: GPL-2.0-or-later
/* Files of log lines, each with its time, of a bounded size and number. Which lines there are is lib/log.c's. */
#include "manager/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"

#define LINE_MOST 1100 /* bytes: one of log.c's with its time and level */

static struct {
	pthread_mutex_t mutex;
	int dir, fd; /* -1: none */
	off_t size;
} files = { PTHREAD_MUTEX_INITIALIZER, -1, -1, 0 };

static void name_of(unsigned age, char name[32])
{
	if (age)
		snprintf(name, 32, LOG_FILE_NAME ".%u", age);
	else
		strcpy(name, LOG_FILE_NAME);
}

/* Its group may read it, whatever the umask is: SFTP's user is in it. */
static void open_newest(void)
{
	struct stat state;

	files.fd = openat(files.dir, LOG_FILE_NAME, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
			  0640);
	files.size = 0;
	if (files.fd >= 0 && !fchmod(files.fd, 0640) && !fstat(files.fd, &state))
		files.size = state.st_size;
}

static void rotate(void)
{
	char from[32], to[32];

	close(files.fd);
	for (unsigned age = LOG_FILES_OLD; age--;) {
		name_of(age, from);
		name_of(age + 1, to);
		renameat(files.dir, from, files.dir, to);
	}
	open_newest();
}

static void copy_line(const char *level, const char *line, unsigned long len)
{
	time_t now = time(NULL);
	char text[LINE_MOST];
	struct tm tm;
	ssize_t put;
	int n;

	gmtime_r(&now, &tm);
	n = snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02dZ %s: %.*s\n", tm.tm_year + 1900,
		     tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, level, (int)len, line);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof(text))
		n = (int)sizeof(text) - 1;
	pthread_mutex_lock(&files.mutex);
	if (files.fd >= 0 && files.size + n > LOG_FILE_MAX)
		rotate();
	/* A full disk is nothing that could be logged here. */
	put = files.fd >= 0 ? write(files.fd, text, (size_t)n) : 0;
	files.size += put > 0 ? put : 0;
	pthread_mutex_unlock(&files.mutex);
}

void log_file_open(const char *dir)
{
	int error = 0;

	pthread_mutex_lock(&files.mutex);
	files.dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (files.dir >= 0)
		open_newest();
	error = files.fd < 0 ? errno : 0;
	pthread_mutex_unlock(&files.mutex);
	if (error)
		log_info("log: no files in %s: %s", dir, strerror(error));
	else
		log_set_copy(copy_line);
}

void log_file_close(void)
{
	log_set_copy(NULL);
	pthread_mutex_lock(&files.mutex);
	if (files.fd >= 0)
		close(files.fd);
	if (files.dir >= 0)
		close(files.dir);
	files.fd = files.dir = -1;
	pthread_mutex_unlock(&files.mutex);
}

/* Up to size bytes from a file's end. */
static size_t read_end(unsigned age, char *buf, size_t size)
{
	char name[32];
	struct stat state;
	ssize_t n = 0;
	int fd;

	name_of(age, name);
	fd = openat(files.dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (!fstat(fd, &state))
		n = pread(fd, buf, size, state.st_size > (off_t)size ? state.st_size - (off_t)size : 0);
	close(fd);
	return n > 0 ? (size_t)n : 0;
}

int log_file_tail(unsigned lines, FILE *out)
{
	size_t size = (size_t)lines * LINE_MOST, newest, before, start;
	char *buf = malloc(2 * size);

	if (!buf)
		return -1;
	pthread_mutex_lock(&files.mutex);
	newest = read_end(0, buf + size, size);
	before = read_end(1, buf, size);
	pthread_mutex_unlock(&files.mutex);
	memmove(buf + before, buf + size, newest);
	start = before + newest;
	/* Before the first of them is the end of another one, or nothing. */
	for (unsigned seen = 0; start && (buf[start - 1] != '\n' || seen++ < lines);)
		start--;
	fwrite(buf + start, 1, before + newest - start, out);
	free(buf);
	return before + newest ? 0 : -1;
}
