/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses: listening sockets, names of peers for logs, who counts as the same peer. */
#ifndef KVMNET_LIB_PEER_H
#define KVMNET_LIB_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* address: numeric; "::" takes IPv4 too. The descriptor, or -1 after logging why, in the name of who. */
int peer_listen(const char *who, const char *address, uint16_t port);
#define PEER_TEXT_MAX 64

/* "192.0.2.1:5000" or "[2001:db8::1]:5000". */
void peer_text(const struct sockaddr_storage *address, char *buf, size_t size);
/* The same IPv4 address (also when mapped into IPv6), or the same IPv6 /64: one customer's line. */
bool peer_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

#endif
