/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The USB gadget that the Target sees: a boot keyboard and an absolute pointer, made in configfs
 * (Documentation/usb/gadget_configfs.rst). Root only; part of the helper.
 */
#ifndef KVMNET_DEVICE_GADGET_H
#define KVMNET_DEVICE_GADGET_H

#include <limits.h>
#include <stdbool.h>

struct gadget {
	const char *wanted;	/* UDC to use, NULL: the first there is */
	char udc[NAME_MAX + 1]; /* the one it is bound to, "": none */
	bool made;
};

/* Makes the gadget, or takes over one that an earlier helper left, if it is the same. 0 or -errno, logged. */
int gadget_make(struct gadget *gadget);
/* Binds it. -ENODEV when there is no UDC (yet); 0 when it is bound already. */
int gadget_bind(struct gadget *gadget);
/* Unbinds and removes it, everything in reverse. */
void gadget_remove(struct gadget *gadget);
/* Remote wake-up of a Target that sleeps: 0 or -errno. */
int gadget_wake(const struct gadget *gadget);

#endif
