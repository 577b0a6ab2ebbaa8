/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel and the resolver say of the network at this moment. */
#ifndef KVMNET_DEVICE_NETWORK_STATE_H
#define KVMNET_DEVICE_NETWORK_STATE_H

#include <arpa/inet.h>
#include <net/if.h>

#include "device/helper.h"
#include "lib/network.h"

#define NETWORK_ADDRESSES 8 /* of one interface */
#define NETWORK_GATEWAYS 4

struct network_address {
	bool v6;
	uint8_t address[16]; /* of IPv4 the first four bytes */
	uint8_t prefix;
	bool lasting;	 /* nobody has to renew it: it was set, not given */
	bool link_local; /* of this wire alone */
	bool usable;	 /* not still being looked for in the network (RFC 4862 5.4), and no one else's */
};

struct network_interface {
	char name[IFNAMSIZ];
	int index;
	uint8_t mac[NETWORK_MAC_SIZE];
	bool up, carrier; /* switched on; and there is something at the other end of the cable */
	unsigned address_count, gateway_count;
	struct network_address addresses[NETWORK_ADDRESSES];
	char gateways[NETWORK_GATEWAYS][INET6_ADDRSTRLEN];
};

struct network_state {
	char host[64];
	unsigned count, dns_count;
	struct network_interface interfaces[HELPER_INTERFACES]; /* of Ethernet */
	char dns[NETWORK_DNS][INET6_ADDRSTRLEN];
};

/* Asks the kernel (rtnetlink(7)) and reads the resolver's file; a few ms. 0, or -1 after logging. */
int network_state_read(struct network_state *state);
/* Lines of resolv.conf(5): its servers to state. */
void network_state_servers(struct network_state *state, const char *text);
/* NULL: there is none of that name. */
const struct network_interface *network_state_find(const struct network_state *state, const char *name);

#endif
