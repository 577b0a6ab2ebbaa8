// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * UDP sockets that know by which interface a datagram came and goes. What is
 * in the datagrams is discovery.c's.
 */
#include "lib/discovery_socket.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static int set(int fd, int level, int name)
{
	int one = 1;

	return setsockopt(fd, level, name, &one, sizeof(one));
}

static int set_up(int fd, int family, uint16_t port)
{
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	if (family == AF_INET)
		return set(fd, SOL_SOCKET, SO_BROADCAST) || set(fd, IPPROTO_IP, IP_PKTINFO) ||
		       bind(fd, (struct sockaddr *)&four, sizeof(four));
	return set(fd, IPPROTO_IPV6, IPV6_V6ONLY) || set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO) ||
	       bind(fd, (struct sockaddr *)&six, sizeof(six));
}

int discovery_socket(int family, uint16_t port)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err;

	if (fd < 0)
		return -errno;
	if (!set_up(fd, family, port))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

void discovery_set_port(struct discovery_path *path, uint16_t port)
{
	if (path->peer.ss_family == AF_INET)
		((struct sockaddr_in *)&path->peer)->sin_port = htons(port);
	else
		((struct sockaddr_in6 *)&path->peer)->sin6_port = htons(port);
}

/* ---- everyone ---- */

/* Whether there is a broadcast address, and not two hosts or one (RFC 3021). */
static bool four_to(struct discovery_path *path, const struct ifaddrs *at)
{
	struct sockaddr_in *to = (struct sockaddr_in *)&path->peer;
	uint32_t local = ((const struct sockaddr_in *)at->ifa_addr)->sin_addr.s_addr, mask;

	if (!(at->ifa_flags & IFF_BROADCAST) || !at->ifa_netmask)
		return false;
	mask = ((const struct sockaddr_in *)at->ifa_netmask)->sin_addr.s_addr;
	to->sin_family = AF_INET;
	to->sin_addr.s_addr = local | ~mask;
	path->local.four.s_addr = local;
	return ntohl(~mask) > 1;
}

static bool six_to(struct discovery_path *path, const struct ifaddrs *at)
{
	struct sockaddr_in6 *to = (struct sockaddr_in6 *)&path->peer;

	to->sin6_family = AF_INET6;
	to->sin6_addr = (struct in6_addr){ .s6_addr = { 0xff, 0x02, [15] = 1 } };
	to->sin6_scope_id = path->interface;
	return at->ifa_flags & IFF_MULTICAST;
}

/* A second address in the same net reaches nobody else. */
static bool is_new(const struct discovery_paths *paths, const struct discovery_path *path)
{
	for (unsigned i = 0; i < paths->count; i++)
		if (paths->path[i].interface == path->interface &&
		    !memcmp(&paths->path[i].peer, &path->peer, sizeof(path->peer)))
			return false;
	return true;
}

/* FNV-1a: what is asked is only whether something changed. */
static void mix(uint64_t *sum, const void *data, size_t len)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < len; i++)
		*sum = (*sum ^ bytes[i]) * 0x100000001b3ULL;
}

static void add(struct discovery_paths *paths, const struct ifaddrs *at, uint16_t port)
{
	struct discovery_path path = { .interface = if_nametoindex(at->ifa_name) };
	bool four = at->ifa_addr->sa_family == AF_INET;

	mix(&paths->addresses, &path.interface, sizeof(path.interface));
	if (four)
		mix(&paths->addresses, &((const struct sockaddr_in *)at->ifa_addr)->sin_addr, 4);
	else
		mix(&paths->addresses, &((const struct sockaddr_in6 *)at->ifa_addr)->sin6_addr, 16);
	if (!path.interface || !(four ? four_to(&path, at) : six_to(&path, at)))
		return;
	discovery_set_port(&path, port);
	/* A Device has a handful of interfaces. */
	if (paths->count < DISCOVERY_PATHS && is_new(paths, &path))
		paths->path[paths->count++] = path;
}

int discovery_everyone(struct discovery_paths *paths, uint16_t port)
{
	struct ifaddrs *all;

	memset(paths, 0, sizeof(*paths));
	paths->addresses = 0xcbf29ce484222325ULL;
	if (getifaddrs(&all))
		return -errno;
	for (const struct ifaddrs *at = all; at; at = at->ifa_next)
		if (at->ifa_addr && at->ifa_flags & IFF_UP && !(at->ifa_flags & IFF_LOOPBACK) &&
		    (at->ifa_addr->sa_family == AF_INET || at->ifa_addr->sa_family == AF_INET6))
			add(paths, at, port);
	freeifaddrs(all);
	return 0;
}

/* ---- datagrams ---- */

union control {
	struct cmsghdr header;
	char four[CMSG_SPACE(sizeof(struct in_pktinfo))];
	char six[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

/* What was sent to us alone goes back from the address that it was sent to, as the routes say; what was sent to
 * everyone goes back by the interface that it came from. */
static void way_back(struct discovery_path *path, struct msghdr *message)
{
	for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
		if (at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(at), sizeof(info));
			path->local.four = info.ipi_spec_dst;
			if (info.ipi_addr.s_addr != info.ipi_spec_dst.s_addr)
				path->interface = (unsigned)info.ipi_ifindex;
		} else if (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(at), sizeof(info));
			if (IN6_IS_ADDR_MULTICAST(&info.ipi6_addr))
				path->interface = info.ipi6_ifindex;
			else
				path->local.six = info.ipi6_addr;
		}
	}
}

ssize_t discovery_receive(int fd, uint8_t data[DISCOVERY_MAX + 1], struct discovery_path *path)
{
	struct iovec vector = { data, DISCOVERY_MAX + 1 };
	union control control;
	struct msghdr message = {
		.msg_name = &path->peer,
		.msg_namelen = sizeof(path->peer),
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;

	memset(path, 0, sizeof(*path));
	n = recvmsg(fd, &message, 0);
	if (n < 0)
		return -errno;
	way_back(path, &message);
	return n;
}

static size_t put_control(union control *control, const struct discovery_path *path)
{
	struct in_pktinfo four = { .ipi_ifindex = (int)path->interface, .ipi_spec_dst = path->local.four };
	struct in6_pktinfo six = { .ipi6_ifindex = path->interface, .ipi6_addr = path->local.six };
	bool is_four = path->peer.ss_family == AF_INET;
	size_t len = is_four ? sizeof(four) : sizeof(six);

	memset(control, 0, sizeof(*control));
	control->header.cmsg_level = is_four ? IPPROTO_IP : IPPROTO_IPV6;
	control->header.cmsg_type = is_four ? IP_PKTINFO : IPV6_PKTINFO;
	control->header.cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(&control->header), is_four ? (void *)&four : (void *)&six, len);
	return CMSG_SPACE(len);
}

int discovery_send(int fd, const uint8_t *data, size_t len, const struct discovery_path *path)
{
	struct iovec vector = { (void *)data, len };
	union control control;
	struct msghdr message = {
		.msg_name = (void *)&path->peer,
		.msg_namelen = path->peer.ss_family == AF_INET ? sizeof(struct sockaddr_in) :
								 sizeof(struct sockaddr_in6),
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = put_control(&control, path),
	};

	return sendmsg(fd, &message, 0) < 0 ? -errno : 0;
}
