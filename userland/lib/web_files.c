// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads web_dir into memory and finds files by their URL's path. HTTP is web_http.c's. */
#include "lib/web_files.h"

#include <errno.h>
#include <fts.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/evp.h>

#include "lib/log.h"

#define FILES_MAX 512
#define FILE_SIZE_MAX (2 << 20)
#define ALL_SIZE_MAX (16 << 20)

struct web_files {
	unsigned count;
	size_t size;
	struct web_file files[FILES_MAX];
};

/* Other files are not served: with nosniff a browser would not use them anyway. */
static const char *type_of(const char *name)
{
	static const char *const types[][2] = {
		{ ".html", "text/html; charset=utf-8" },
		{ ".js", "text/javascript; charset=utf-8" },
		{ ".css", "text/css; charset=utf-8" },
		{ ".svg", "image/svg+xml" },
		{ ".png", "image/png" },
		{ ".ico", "image/x-icon" },
		{ ".txt", "text/plain; charset=utf-8" },
	};
	const char *dot = strrchr(name, '.');

	for (unsigned i = 0; dot && i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(dot, types[i][0]))
			return types[i][1];
	return NULL;
}

static bool read_file(struct web_file *file, const char *path, size_t len)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	FILE *in = fopen(path, "re");

	if (!in)
		return false;
	file->data = malloc(len + 1);
	file->len = file->data ? fread(file->data, 1, len + 1, in) : 0;
	fclose(in);
	if (!file->data || file->len != len || !EVP_Digest(file->data, len, hash, NULL, EVP_sha256(), NULL))
		return false;
	file->etag[0] = '"';
	for (int i = 0; i < 8; i++)
		snprintf(file->etag + 1 + 2 * i, 3, "%02x", hash[i]);
	strcat(file->etag, "\"");
	return true;
}

static void add(struct web_files *files, const FTSENT *entry, size_t root_len)
{
	struct web_file *file = &files->files[files->count];
	size_t len = (size_t)entry->fts_statp->st_size;

	file->type = type_of(entry->fts_name);
	if (!file->type)
		return;
	if (files->count == FILES_MAX || len > FILE_SIZE_MAX || files->size + len > ALL_SIZE_MAX) {
		log_warn("%s: is not served: too many or too large files", entry->fts_path);
		return;
	}
	file->path = strdup(entry->fts_path + root_len);
	if (file->path && read_file(file, entry->fts_path, len)) {
		files->size += len;
		files->count++;
		return;
	}
	log_warn("%s: cannot be read: %s", entry->fts_path, strerror(errno));
	free(file->path);
	free(file->data);
	memset(file, 0, sizeof(*file));
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct web_file *)a)->path, ((const struct web_file *)b)->path);
}

struct web_files *web_files_load(const char *dir)
{
	char *const roots[] = { (char *)dir, NULL };
	struct web_files *files = calloc(1, sizeof(*files));
	size_t root_len = strlen(dir);
	FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *entry;

	while (root_len && dir[root_len - 1] == '/')
		root_len--;
	while (files && walk && (entry = fts_read(walk))) {
		if (entry->fts_level && entry->fts_name[0] == '.')
			fts_set(walk, entry, FTS_SKIP);
		else if (entry->fts_info == FTS_F)
			add(files, entry, entry->fts_path[root_len] == '/' ? root_len : root_len - 1);
	}
	if (walk)
		fts_close(walk);
	if (files && files->count)
		qsort(files->files, files->count, sizeof(files->files[0]), by_path);
	if (files && !web_files_find(files, "/"))
		log_warn("%s/index.html: is missing: browsers get no page, only the API", dir);
	return files;
}

void web_files_free(struct web_files *files)
{
	for (unsigned i = 0; files && i < files->count; i++) {
		free(files->files[i].path);
		free(files->files[i].data);
	}
	free(files);
}

const struct web_file *web_files_find(const struct web_files *files, const char *path)
{
	struct web_file key = { .path = strcmp(path, "/") ? (char *)path : "/index.html" };

	return bsearch(&key, files->files, files->count, sizeof(key), by_path);
}
