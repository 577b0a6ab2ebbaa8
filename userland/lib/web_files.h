/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The static files of web_dir, read once: no request ever becomes a path on the disk. */
#ifndef KVMNET_LIB_WEB_FILES_H
#define KVMNET_LIB_WEB_FILES_H

#include <stddef.h>

struct web_file {
	char *path; /* as in a URL, "/app.js" */
	const char *type;
	char etag[20]; /* quoted, from the content's hash */
	char *data;
	size_t len;
};

struct web_files;

/* NULL: out of memory. A folder that cannot be read gives an empty table and a line in the log. */
struct web_files *web_files_load(const char *dir);
void web_files_free(struct web_files *files);
/* "/" is "/index.html". NULL: there is none. */
const struct web_file *web_files_find(const struct web_files *files, const char *path);

#endif
