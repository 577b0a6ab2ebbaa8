/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket of the user-space ring: a producer plays the capture hardware.
 *
 * kvmnetd listens on a UNIX SOCK_SEQPACKET socket; there is one producer at a
 * time, a second is closed at once. Every message is one struct
 * producer_message, host byte order; fields that a type does not use are 0.
 *
 *   producer  HELLO   signal = PRODUCER_VERSION, first
 *   producer  MODE    width, height, refresh_mhz: a stable signal of this Mode from now on
 *   daemon    SLOTS   generation, width, height, stride, slot_count, slot_bytes, and one memfd
 *                     with all Slots one behind the other; those of older generations are void
 *   daemon    FREE    generation, slot: the producer may write XRGB8888 rows there
 *   producer  DONE    generation, slot, hw_seq: the Slot holds a whole Frame; hw_seq grows
 *   producer  SIGNAL  signal: no picture any more (not OK; MODE says that). FREE Slots are taken back
 *   daemon    TAKEN   hw_seq: the Frame is compared and published
 *
 * Whatever breaks these rules ends the connection; that, and the producer's
 * death, is KVMCAP_SIGNAL_NO_SIGNAL.
 */
#ifndef KVMNET_DEVICE_PRODUCER_H
#define KVMNET_DEVICE_PRODUCER_H

#include <stdint.h>

#define PRODUCER_VERSION 1

enum producer_type {
	PRODUCER_HELLO = 1,
	PRODUCER_MODE,
	PRODUCER_SLOTS,
	PRODUCER_FREE,
	PRODUCER_DONE,
	PRODUCER_SIGNAL,
	PRODUCER_TAKEN,
};

struct producer_message {
	uint32_t type; /* enum producer_type */
	uint32_t signal;
	uint32_t generation, slot;
	uint32_t width, height, stride, refresh_mhz;
	uint32_t slot_count, reserved;
	uint64_t slot_bytes, hw_seq;
};

_Static_assert(sizeof(struct producer_message) == 56, "producer_message");

#endif
