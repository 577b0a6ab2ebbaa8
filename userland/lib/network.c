// SPDX-License-Identifier: GPL-2.0-or-later
/* Which settings of an interface are sound. Nothing is set here. */
#include "lib/network.h"

#include <stdio.h>
#include <string.h>

#define PREFIX4_MAX 31 /* two hosts on a wire: RFC 3021 */

bool network_is_zero(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i])
			return false;
	return true;
}

/* Do the first bits of a and b agree? */
static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return !memcmp(a, b, whole) && (!rest || !((a[whole] ^ b[whole]) >> (8 - rest)));
}

bool network_holds(const struct network_family *family, bool v6, const uint8_t address[16])
{
	return family->prefix <= (v6 ? 128 : 32) && same_bits(family->address, address, family->prefix);
}

/* ---- IPv4 ---- */

/* RFC 6890: addresses that are nobody's in any network. */
static bool is_host4(const uint8_t *address)
{
	return address[0] && address[0] != 127 && address[0] < 224 &&
	       !(address[0] == 169 && address[1] == 254);
}

/* The bits behind the prefix: are all of them 0, or 1? A wire of two hosts has no such addresses. */
static bool is_edge4(const uint8_t *address, unsigned prefix)
{
	uint32_t host = (uint32_t)address[0] << 24 | (uint32_t)address[1] << 16 | (uint32_t)address[2] << 8 |
			address[3];
	uint32_t mask = UINT32_MAX >> prefix;

	return prefix < PREFIX4_MAX && (!(host & mask) || (host & mask) == mask);
}

static const char *check_static4(const struct network_family *family)
{
	const uint8_t *gateway = family->gateway;

	if (family->prefix < 1 || family->prefix > PREFIX4_MAX)
		return "The IPv4 prefix must be a number from 1 to 31, as 24 is for a mask of 255.255.255.0.";
	if (!is_host4(family->address))
		return "The IPv4 address must be one that a host can have: not of 0, 127, 169.254, or 224 and above.";
	if (is_edge4(family->address, family->prefix))
		return "The IPv4 address is its network's own or its broadcast address: take one between them.";
	if (network_is_zero(gateway, 4))
		return NULL;
	if (!memcmp(gateway, family->address, 4))
		return "The IPv4 gateway is this Device's own address: it must be the router's.";
	if (!network_holds(family, false, gateway) || !is_host4(gateway) || is_edge4(gateway, family->prefix))
		return "The IPv4 gateway is no host of the network that address and prefix make.";
	return NULL;
}

/* ---- IPv6 ---- */

static bool is_link_local6(const uint8_t *address)
{
	return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}

/* RFC 4291: neither unspecified, loopback, IPv4 in disguise nor multicast. */
static bool is_host6(const uint8_t *address)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return address[0] != 0xff && memcmp(address, mapped, sizeof(mapped)) && !network_is_zero(address, 12);
}

/* With nothing behind the prefix it is all routers' of that network (RFC 4291 2.6.1); a wire of two has none (RFC 6164). */
static bool is_routers6(const struct network_family *family)
{
	uint8_t network[16] = { 0 };

	memcpy(network, family->address, family->prefix / 8);
	if (family->prefix % 8)
		network[family->prefix / 8] =
			(uint8_t)(family->address[family->prefix / 8] & ~(0xff >> family->prefix % 8));
	return family->prefix < 127 && !memcmp(network, family->address, 16);
}

static const char *check_static6(const struct network_family *family)
{
	const uint8_t *gateway = family->gateway;

	if (family->prefix < 1 || family->prefix > 128)
		return "The IPv6 prefix must be a number from 1 to 128; most networks have 64.";
	if (!is_host6(family->address) || is_link_local6(family->address))
		return "The IPv6 address must be one that a host can have in a network: not ::, ::1, fe80::, ff00:: or IPv4's.";
	if (is_routers6(family))
		return "The IPv6 address has nothing behind its prefix: that one belongs to routers.";
	if (network_is_zero(gateway, 16))
		return NULL;
	if (!memcmp(gateway, family->address, 16))
		return "The IPv6 gateway is this Device's own address: it must be the router's.";
	if (!is_host6(gateway) || !(is_link_local6(gateway) || network_holds(family, true, gateway)))
		return "The IPv6 gateway is neither in the network that address and prefix make nor of fe80::.";
	return NULL;
}

/* ---- all of it ---- */

static const char *check_family(const struct network_family *family, bool v6)
{
	struct network_family rest = *family;
	size_t used = v6 ? 16 : 4;

	if (family->way > NETWORK_OFF)
		return "There is no such way to an address.";
	rest.way = 0;
	if (family->way != NETWORK_STATIC)
		return network_is_zero((const uint8_t *)&rest, sizeof(rest)) ?
			       NULL :
			       "Address, prefix and gateway belong to static addresses alone.";
	if (!network_is_zero(family->address + used, 16 - used) ||
	    !network_is_zero(family->gateway + used, 16 - used))
		return "An IPv4 address has four bytes.";
	return v6 ? check_static6(family) : check_static4(family);
}

static const char *check_servers(const struct network_settings *settings)
{
	if (settings->dns_count > NETWORK_DNS)
		return "There may be up to 3 DNS servers.";
	for (unsigned i = 0; i < settings->dns_count; i++) {
		const struct network_server *server = &settings->dns[i];
		bool v6 = server->version == 6;

		if (!v6 && server->version != 4)
			return "A DNS server has an IPv4 or an IPv6 address.";
		if (v6 ? !is_host6(server->address) || is_link_local6(server->address) :
			 !is_host4(server->address) || !network_is_zero(server->address + 4, 12))
			return "One of the DNS servers has an address that no host can have.";
		for (unsigned other = 0; other < i; other++)
			if (!memcmp(server, &settings->dns[other], sizeof(*server)))
				return "One of the DNS servers is there twice.";
	}
	for (unsigned i = settings->dns_count; i < NETWORK_DNS; i++)
		if (!network_is_zero((const uint8_t *)&settings->dns[i], sizeof(settings->dns[i])))
			return "There are more DNS servers than are counted.";
	return NULL;
}

const char *network_check(const struct network_settings *settings)
{
	const char *wrong;

	if (network_is_zero(settings->mac, NETWORK_MAC_SIZE) || settings->mac[0] & 1)
		return "The interface has no hardware address of its own.";
	wrong = check_family(&settings->v4, false);
	if (!wrong)
		wrong = check_family(&settings->v6, true);
	if (!wrong && settings->v4.way == NETWORK_OFF && settings->v6.way == NETWORK_OFF)
		wrong = "With IPv4 and IPv6 off nobody could reach this Device: leave one of them on.";
	return wrong ? wrong : check_servers(settings);
}

void network_mac_text(const uint8_t mac[NETWORK_MAC_SIZE], char text[NETWORK_MAC_TEXT_SIZE])
{
	snprintf(text, NETWORK_MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		 mac[4], mac[5]);
}
