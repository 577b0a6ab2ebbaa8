/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small private files in STATE_DIR, replaced as a whole: a power cut leaves the old one or the new one. */
#ifndef KVMNET_LIB_STATE_H
#define KVMNET_LIB_STATE_H

#include <stddef.h>

/* Makes dir (mode 0700) when its parent has none; refuses one that others can write to. 0, or -1 after logging. */
int state_prepare(const char *dir);
/* Replaces dir/name, mode 0600. 0, or -1 after logging. */
int state_write(const char *dir, const char *name, const void *data, size_t len);
/* dir/name with a NUL added, to be wiped and freed by the caller; NULL with errno, ENOENT unlogged, others logged.
 * A file longer than max is EFBIG. */
char *state_read(const char *dir, const char *name, size_t max, size_t *len);

/* dir/name is gone, on the disk too; it may have been missing. 0, or -1 after logging. */
int state_remove(const char *dir, const char *name);

#endif
