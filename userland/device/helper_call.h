/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The helper's socket: who may call, and messages as whole packets. What they mean is helper.c's (helper.h). */
#ifndef KVMNET_DEVICE_HELPER_CALL_H
#define KVMNET_DEVICE_HELPER_CALL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "device/helper.h"
#include "lib/loop.h"

/* Bytes: a status, and what HELPER_LOOK has behind it. */
#define CALL_ANSWER_MAX (1 + sizeof(struct helper_network))

/* Writes the answer to a message of len bytes; returns the answer's length, at least 1. */
typedef size_t call_answer(const uint8_t *message, size_t len, uint8_t answer[CALL_ANSWER_MAX]);

/* Listens on path, for root and for user. 0 or -errno, logged. */
int call_listen(struct loop *loop, const char *path, uid_t user, gid_t group, call_answer *answer);
void call_close(struct loop *loop);

#endif
