// SPDX-License-Identifier: GPL-2.0-or-later
/* Interfaces, addresses and routes by libnl-route; DNS servers from the resolver's file. Nothing is changed. */
#include "device/network_state.h"

#include <linux/if_arp.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/route.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"

/* systemd-resolved's list of the real ones; resolv.conf may name but itself. */
#define RESOLVED_FILE "/run/systemd/resolve/resolv.conf"
#define RESOLVER_FILE "/etc/resolv.conf"
#define FILE_MAX 4096

static void take_link(struct nl_object *object, void *arg)
{
	struct rtnl_link *link = (struct rtnl_link *)object;
	struct network_state *state = arg;
	struct nl_addr *mac = rtnl_link_get_addr(link);
	struct network_interface *interface = &state->interfaces[state->count];

	if (state->count == HELPER_INTERFACES || rtnl_link_get_arptype(link) != ARPHRD_ETHER || !mac ||
	    nl_addr_get_len(mac) != NETWORK_MAC_SIZE || rtnl_link_get_flags(link) & IFF_LOOPBACK)
		return;
	snprintf(interface->name, sizeof(interface->name), "%s", rtnl_link_get_name(link));
	interface->index = rtnl_link_get_ifindex(link);
	memcpy(interface->mac, nl_addr_get_binary_addr(mac), NETWORK_MAC_SIZE);
	interface->up = rtnl_link_get_flags(link) & IFF_UP;
	interface->carrier = rtnl_link_get_flags(link) & IFF_LOWER_UP;
	state->count++;
}

static struct network_interface *of_index(struct network_state *state, int index)
{
	for (unsigned i = 0; i < state->count; i++)
		if (state->interfaces[i].index == index)
			return &state->interfaces[i];
	return NULL;
}

static void take_address(struct nl_object *object, void *arg)
{
	struct rtnl_addr *from = (struct rtnl_addr *)object;
	struct network_interface *interface = of_index(arg, rtnl_addr_get_ifindex(from));
	struct nl_addr *local = rtnl_addr_get_local(from);
	unsigned flags = rtnl_addr_get_flags(from);
	struct network_address *address;

	if (!interface || !local || interface->address_count == NETWORK_ADDRESSES ||
	    nl_addr_get_len(local) > sizeof(address->address))
		return;
	address = &interface->addresses[interface->address_count++];
	address->v6 = rtnl_addr_get_family(from) == AF_INET6;
	memcpy(address->address, nl_addr_get_binary_addr(local), nl_addr_get_len(local));
	address->prefix = (uint8_t)rtnl_addr_get_prefixlen(from);
	address->lasting = flags & IFA_F_PERMANENT;
	address->link_local = rtnl_addr_get_scope(from) == RT_SCOPE_LINK ||
			      (!address->v6 && address->address[0] == 169 && address->address[1] == 254);
	address->usable = !(flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED));
}

/* Default routes of the main table. */
static void take_route(struct nl_object *object, void *arg)
{
	struct rtnl_route *route = (struct rtnl_route *)object;
	struct nl_addr *to = rtnl_route_get_dst(route);

	if (rtnl_route_get_table(route) != RT_TABLE_MAIN || (to && nl_addr_get_prefixlen(to)))
		return;
	for (int i = 0; i < rtnl_route_get_nnexthops(route); i++) {
		struct rtnl_nexthop *hop = rtnl_route_nexthop_n(route, i);
		struct network_interface *interface = of_index(arg, rtnl_route_nh_get_ifindex(hop));
		struct nl_addr *gateway = rtnl_route_nh_get_gateway(hop);
		int af = gateway ? nl_addr_get_family(gateway) : AF_UNSPEC;

		if (interface && (af == AF_INET || af == AF_INET6) &&
		    interface->gateway_count < NETWORK_GATEWAYS)
			inet_ntop(af, nl_addr_get_binary_addr(gateway),
				  interface->gateways[interface->gateway_count++], INET6_ADDRSTRLEN);
	}
}

/* Each of cache's objects to take; cache is freed. */
static void take_all(struct nl_cache *cache, void (*take)(struct nl_object *object, void *arg),
		     struct network_state *state)
{
	nl_cache_foreach(cache, take, state);
	nl_cache_free(cache);
}

static int ask_kernel(struct nl_sock *socket, struct network_state *state)
{
	struct nl_cache *cache;
	int error = nl_connect(socket, NETLINK_ROUTE);

	if (error || (error = rtnl_link_alloc_cache(socket, AF_UNSPEC, &cache)))
		return error;
	take_all(cache, take_link, state);
	error = rtnl_addr_alloc_cache(socket, &cache);
	if (error)
		return error;
	take_all(cache, take_address, state);
	error = rtnl_route_alloc_cache(socket, AF_UNSPEC, 0, &cache);
	if (!error)
		take_all(cache, take_route, state);
	return error;
}

void network_state_servers(struct network_state *state, const char *text)
{
	while (*text && state->dns_count < NETWORK_DNS) {
		char server[INET6_ADDRSTRLEN] = "";
		uint8_t address[16];

		if (sscanf(text, "nameserver %45s", server) == 1) {
			/* An address of one wire names it. */
			server[strcspn(server, "%")] = '\0';
			if (inet_pton(AF_INET, server, address) == 1 ||
			    inet_pton(AF_INET6, server, address) == 1)
				snprintf(state->dns[state->dns_count++], INET6_ADDRSTRLEN, "%s", server);
		}
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
}

static void read_servers(struct network_state *state)
{
	char text[FILE_MAX + 1];
	FILE *file = fopen(RESOLVED_FILE, "re");
	size_t len;

	if (!file)
		file = fopen(RESOLVER_FILE, "re");
	if (!file)
		return;
	len = fread(text, 1, FILE_MAX, file);
	text[len] = '\0';
	fclose(file);
	network_state_servers(state, text);
}

int network_state_read(struct network_state *state)
{
	struct nl_sock *socket = nl_socket_alloc();
	int error;

	memset(state, 0, sizeof(*state));
	error = socket ? ask_kernel(socket, state) : -NLE_NOMEM;
	nl_socket_free(socket);
	if (error) {
		log_error("network: the kernel does not say how it is: %s", nl_geterror(error));
		return -1;
	}
	if (gethostname(state->host, sizeof(state->host) - 1))
		state->host[0] = '\0';
	read_servers(state);
	return 0;
}

const struct network_interface *network_state_find(const struct network_state *state, const char *name)
{
	for (unsigned i = 0; i < state->count; i++)
		if (!strcmp(state->interfaces[i].name, name))
			return &state->interfaces[i];
	return NULL;
}
