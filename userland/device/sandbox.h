/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the process that parses the network gives up before it does. */
#ifndef KVMNET_DEVICE_SANDBOX_H
#define KVMNET_DEVICE_SANDBOX_H

/* No new privileges, no core dumps or tracing of secrets. Before threads start. 0 or -1 after logging why. */
int sandbox_early(void);
/* System calls from now on, in all threads, are those of a server that opens files and sockets and starts
 * no programs. 0 or -1 after logging why. */
int sandbox_late(void);

#endif
