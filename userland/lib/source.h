/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who counts as one sender where limits are kept, and a bucket for it. The limits themselves are their users'. */
#ifndef KVMNET_LIB_SOURCE_H
#define KVMNET_LIB_SOURCE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* IPv4 (also mapped into IPv6) by address, IPv6 by /64: one customer's line. */
struct source {
	uint8_t bytes[9]; /* family, then 4 or 8 bytes of address; all zero: this machine's console */
};

void source_of(struct source *source, const struct sockaddr *peer); /* peer may be NULL */

#define SOURCE_KEY_SIZE 32

/* A bucket below count for data; key is random and secret, or collisions could be chosen. */
uint32_t source_bucket(const uint8_t key[SOURCE_KEY_SIZE], const void *data, size_t len, uint32_t count);

#endif
