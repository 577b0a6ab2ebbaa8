/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device nodes of the daemon: who may open them, and the kernel's word that there is a new one. Where udev
 * runs its rules say the same; an appliance without udev has only this.
 */
#ifndef KVMNET_DEVICE_HELPER_NODE_H
#define KVMNET_DEVICE_HELPER_NODE_H

#include <sys/types.h>

#include "lib/loop.h"

/* Follows uevents: nodes get their group, and udc_changed() runs for each USB controller that is new, or
 * whose gadget came or went. 0 or -errno, logged. */
int node_watch(struct loop *loop, gid_t group, void (*udc_changed)(void));
/* The devices that are there already. */
void node_permit_all(void);

#endif
