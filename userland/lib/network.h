/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How one network interface gets its addresses, in a shape that has bytes alone: what the daemon asks of the
 * root helper, and what that keeps. Both check it here; JSON is network_form.c's.
 */
#ifndef KVMNET_LIB_NETWORK_H
#define KVMNET_LIB_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NETWORK_DNS 3 /* as many as a resolver asks (resolv.conf(5)) */
#define NETWORK_MAC_SIZE 6
#define NETWORK_MAC_TEXT_SIZE 18 /* "52:54:00:12:34:56" */

enum network_way {
	NETWORK_AUTO,	/* IPv4: DHCP; IPv6: router advertisements, and DHCPv6 when they say so */
	NETWORK_STATIC, /* what follows */
	NETWORK_OFF,
};

/* In the network's order; of IPv4 the first four bytes. All but way is 0 unless it is NETWORK_STATIC. */
struct network_family {
	uint8_t way; /* enum network_way */
	uint8_t prefix;
	uint8_t address[16];
	uint8_t gateway[16]; /* 0: none */
};

struct network_server {
	uint8_t version; /* 4 or 6 */
	uint8_t address[16];
};

struct network_settings {
	uint8_t mac[NETWORK_MAC_SIZE]; /* the interface */
	struct network_family v4, v6;
	uint8_t dns_count; /* 0: those that DHCP or router advertisements name */
	struct network_server dns[NETWORK_DNS];
};

/* NULL: sound; else what is wrong and what is right, for a person. */
const char *network_check(const struct network_settings *settings);
/* Is address within the network of family's address? Of IPv4 with v6 false. */
bool network_holds(const struct network_family *family, bool v6, const uint8_t address[16]);
bool network_is_zero(const uint8_t *bytes, size_t len);
void network_mac_text(const uint8_t mac[NETWORK_MAC_SIZE], char text[NETWORK_MAC_TEXT_SIZE]);

#endif
