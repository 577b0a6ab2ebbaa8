/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A TCP port of the session thread: accepts, tunes, and rests when there are no descriptors. Who may come is its user's. */
#ifndef KVMNET_DEVICE_LISTENER_H
#define KVMNET_DEVICE_LISTENER_H

#include <sys/socket.h>

#include "lib/loop.h"

struct listener {
	struct loop *loop;
	struct loop_source source;
	struct loop_timer backoff;
	/* fd, non-blocking, is the callee's now. */
	void (*accepted)(struct listener *listener, int fd, const struct sockaddr_storage *address);
};

/* address: numeric. 0, or -1 after logging why; listener_close() either way, also of one that is all zero. */
int listener_open(struct listener *listener, struct loop *loop, const char *address, uint16_t port);
void listener_close(struct listener *listener);

#endif
