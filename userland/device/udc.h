/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of the USB device controller (UDC), as the kernel tells it: whether the Target's host has
 * configured us.
 */
#ifndef KVMNET_DEVICE_UDC_H
#define KVMNET_DEVICE_UDC_H

#include <limits.h>
#include <stdbool.h>

#include "lib/loop.h"

struct udc {
	struct loop *loop;
	const char *path; /* sysfs folder, "" for the one in use */
	struct loop_source source;
	bool configured;
	void (*changed)(struct udc *udc); /* after every notification, also when the state is the same again */
};

/* Until udc_look() finds it the state is "not configured". path outlives udc. */
void udc_init(struct udc *udc, struct loop *loop, const char *path, void (*changed)(struct udc *udc));
/* Follows the UDC if it is there and not followed yet; then configured is its state. */
void udc_look(struct udc *udc);
void udc_close(struct udc *udc);

#endif
