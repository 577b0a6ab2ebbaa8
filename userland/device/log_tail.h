/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The newest lines of the log, in memory, for the owner's page: all of it is in the journal. */
#ifndef KVMNET_DEVICE_LOG_TAIL_H
#define KVMNET_DEVICE_LOG_TAIL_H

#include <jansson.h>

#define LOG_TAIL_LINES 256
#define LOG_TAIL_BYTES \
	61440 /* of JSON: with its frame it goes through the link, whose messages have 64 KiB */

/* Keeps what is logged from now on, by any thread. */
void log_tail_open(void);
/* [{"time", "level", "text"}, ...], the oldest first, and as many of the newest as LOG_TAIL_BYTES hold; NULL: out of
 * memory. */
json_t *log_tail_json(void);

#endif
