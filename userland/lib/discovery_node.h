/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One who takes part in discovery: its sockets, the interfaces as they come and go,
 * what it hears that is sound. What it says, and when, is its user's. Belongs to its loop's thread.
 */
#ifndef KVMNET_LIB_DISCOVERY_NODE_H
#define KVMNET_LIB_DISCOVERY_NODE_H

#include <stdbool.h>

#include "lib/discovery_gate.h"
#include "lib/discovery_socket.h"
#include "lib/loop.h"

struct discovery_node;

struct discovery_counts {
	uint64_t malformed, unwanted, replayed, limited, forged;
};

struct discovery_user {
	void *arg;
	/* Is it of use, before anything is spent on it? */
	bool (*wants)(void *arg, const struct discovery_message *message);
	/* A message whose sender signed it, for the first time; size: of its datagram. from is the way back. */
	void (*heard)(void *arg, const struct discovery_message *message, size_t size,
		      struct discovery_path *from);
	/* Addresses or interfaces are others than before. */
	void (*moved)(void *arg);
};

/* Listens on port, and on second for receiving alone (0: not). user lives as long. NULL after logging why. */
struct discovery_node *discovery_node_open(struct loop *loop, uint16_t port, uint16_t second,
					   const struct discovery_user *user);
void discovery_node_close(struct discovery_node *node); /* NULL: nothing */

/* From the first port, along path or to everyone there is, on that port. 0, or -errno of what could not be sent. */
int discovery_node_send(struct discovery_node *node, const uint8_t *data, size_t len,
			const struct discovery_path *path);
void discovery_node_send_all(struct discovery_node *node, const uint8_t *data, size_t len, uint16_t port);
const struct discovery_counts *discovery_node_counts(const struct discovery_node *node);

/* Three quarters of the interval to five, in nanoseconds: a rack that was switched on at once does not stay in step. */
uint64_t discovery_with_jitter(unsigned interval_s);

#endif
