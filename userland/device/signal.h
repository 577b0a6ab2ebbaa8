/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The driver's generic netlink family "kvmcap": events, and a GET of state and counters. */
#ifndef KVMNET_DEVICE_SIGNAL_H
#define KVMNET_DEVICE_SIGNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/loop.h"

struct signal;

struct signal_state {
	uint32_t signal;
	uint64_t frames, overruns, dma_errors;
	char reason[96]; /* more than the signal says; often empty */
};

/* index: N of /dev/kvmcapN. changed() is called after an event of that device. The family may appear later.
 * NULL after logging why. */
struct signal *signal_open(struct loop *loop, uint32_t index, void (*changed)(void *arg), void *arg);
void signal_close(struct signal *signal);
/* Asks the driver now; 0, or -errno, -ENOENT without the driver. */
int signal_get(struct signal *signal, struct signal_state *state);

#endif
