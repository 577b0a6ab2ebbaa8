/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What kvmnetd may ask of the root helper: calls of one byte over a SOCK_SEQPACKET socket, each
 * answered by one byte. No data goes with them, so nothing from the network can.
 */
#ifndef KVMNET_DEVICE_HELPER_H
#define KVMNET_DEVICE_HELPER_H

#define HELPER_SOCKET "/run/kvmnet/helper.sock"

enum helper_call {
	HELPER_WAKE = 'W', /* the Target's USB host sleeps: remote wake-up */
};

/* The answer: 0, or the errno of what failed (EINVAL: not a call). */

#endif
