/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Discovery's datagrams on their way: sockets, interfaces to broadcast on, and which way an answer goes back. */
#ifndef KVMNET_LIB_DISCOVERY_SOCKET_H
#define KVMNET_LIB_DISCOVERY_SOCKET_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "lib/discovery.h"

/* From whom, or to whom; and by which of our interfaces and addresses, where that is not left to the routes. */
struct discovery_path {
	struct sockaddr_storage peer;
	unsigned interface; /* 0: any */
	union {
		struct in_addr four;
		struct in6_addr six;
	} local; /* all zero: any */
};

#define DISCOVERY_PATHS 64

struct discovery_paths {
	struct discovery_path path[DISCOVERY_PATHS];
	unsigned count;
	uint64_t addresses; /* another number when an address or interface has come or gone */
};

/* AF_INET or AF_INET6, which then takes no IPv4; does not block. The descriptor, or -errno. */
int discovery_socket(int family, uint16_t port);
/* Everyone on each interface that is up and not loopback. 0 or -errno. */
int discovery_everyone(struct discovery_paths *paths, uint16_t port);
/* data has room for one byte more than a message, so that what is longer is seen to be. The length, or -errno;
 * path is then the way back to where it came from. */
ssize_t discovery_receive(int fd, uint8_t data[DISCOVERY_MAX + 1], struct discovery_path *path);
int discovery_send(int fd, const uint8_t *data, size_t len,
		   const struct discovery_path *path); /* 0 or -errno */
void discovery_set_port(struct discovery_path *path, uint16_t port);

#endif
