/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which discovery messages are worth a signature check, and which were heard
 * before. Bounded in memory and time whatever strangers send; the clock is the caller's.
 */
#ifndef KVMNET_LIB_DISCOVERY_GATE_H
#define KVMNET_LIB_DISCOVERY_GATE_H

#include <sys/socket.h>

#include "lib/discovery.h"

#define DISCOVERY_CHECKS 50	 /* signatures a second, and at once */
#define DISCOVERY_SENDERS 256	 /* ids whose counters are remembered */
#define DISCOVERY_SOURCE_BURST 8 /* messages of one source at once; then one each half second */

struct discovery_gate;

enum discovery_verdict {
	DISCOVERY_GOOD,
	DISCOVERY_REPLAYED, /* its id has sent this one, or a later one, before */
	DISCOVERY_LIMITED,  /* its source, or all together, sent too many: not looked at */
	DISCOVERY_FORGED,   /* its key did not sign it */
};

struct discovery_gate *discovery_gate_new(void); /* NULL: no memory, or no random numbers */
void discovery_gate_free(struct discovery_gate *gate);
/* A parsed message, from that address, at that time (nanoseconds, any start). Only a good one is remembered. */
enum discovery_verdict discovery_gate_pass(struct discovery_gate *gate, const struct sockaddr *from,
					   const struct discovery_message *message, uint64_t now_ns);

#endif
