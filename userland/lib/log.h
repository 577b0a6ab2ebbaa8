/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Levelled logging to standard error, one line a call. Under systemd each line
 * carries its priority ("<3>"), else the level's name.
 */
#ifndef KVMNET_LIB_LOG_H
#define KVMNET_LIB_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level);
/* "error", "warn", "info" or "debug"; false when the name is none of them. */
bool log_parse_level(const char *name, enum log_level *level);

/* Called with each line that is logged, without its end, from any thread; NULL: no more. */
typedef void log_copy_fn(const char *level, const char *line, unsigned long len);
void log_set_copy(log_copy_fn *copy);

/* Thread-safe. Never pass a secret. What came from the network is escaped by the caller: log_clean(). */
void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Copies text to buf with everything outside printable ASCII as '?'; returns buf. */
const char *log_clean(char *buf, unsigned long size, const char *text);

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
