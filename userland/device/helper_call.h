/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The helper's socket: who may call, one byte in, one byte out (helper.h). */
#ifndef KVMNET_DEVICE_HELPER_CALL_H
#define KVMNET_DEVICE_HELPER_CALL_H

#include <stdint.h>
#include <sys/types.h>

#include "lib/loop.h"

/* Listens on path, for root and for user. answer: 0 or an errno for each call. 0 or -errno, logged. */
int call_listen(struct loop *loop, const char *path, uid_t user, gid_t group,
		uint8_t (*answer)(uint8_t call));
void call_close(struct loop *loop);

#endif
