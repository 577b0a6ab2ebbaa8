/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What kvmnetd may ask of the root helper, over a SOCK_SEQPACKET socket: a call is one byte, and with
 * HELPER_TRY the bytes of one struct that are checked again there. Each is answered by one byte, and
 * HELPER_LOOK by one struct more. Nothing of it has a length of its own, and no text goes along.
 */
#ifndef KVMNET_DEVICE_HELPER_H
#define KVMNET_DEVICE_HELPER_H

#include <stdint.h>

#include "lib/network.h"

#define HELPER_SOCKET "/run/kvmnet/helper.sock"
#define HELPER_INTERFACES 8
#define HELPER_TRIAL_S 60

enum helper_call {
	HELPER_WAKE = 'W', /* the Target's USB host sleeps: remote wake-up */
	HELPER_LOOK = 'L', /* at the network settings that are kept, and at the trial */
	/* struct network_settings follows: it holds after a second, and for HELPER_TRIAL_S. Then what was before comes
	 * back, also when helper, daemon or appliance end meanwhile. Another trial takes this one's place. */
	HELPER_TRY = 'T',
	HELPER_KEEP =
		'K', /* the trial's settings, for good; EAGAIN: they do not hold yet, ENOENT: there is no trial */
	HELPER_RETURN = 'R', /* to what was before the trial */
	HELPER_FORGET =
		'F', /* everything that is kept: each interface gets its addresses by itself, in a second */
};

/* The answer: 0, or the errno of what failed (EINVAL: not a call, or what came with it is not sound). */

/* Behind the answer to HELPER_LOOK. */
struct helper_network {
	uint8_t trial_left_s; /* 0: there is no trial */
	uint8_t trial_holds;  /* the network was told of it */
	struct network_settings trial;
	uint8_t count; /* of interfaces whose settings are kept; the others get addresses by themselves */
	struct network_settings kept[HELPER_INTERFACES];
};

#endif
