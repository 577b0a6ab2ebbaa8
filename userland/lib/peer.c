// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Socket addresses. What a connection is for, and how many there may be, is
 * not known here.
 */
#include "lib/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"

static socklen_t parse(struct sockaddr_storage *to, const char *address, uint16_t port)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)to;
	struct sockaddr_in *four = (struct sockaddr_in *)to;

	memset(to, 0, sizeof(*to));
	if (inet_pton(AF_INET6, address, &six->sin6_addr) == 1) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(port);
		return sizeof(*six);
	}
	if (inet_pton(AF_INET, address, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
		return sizeof(*four);
	}
	return 0;
}

int peer_listen(const char *who, const char *address, uint16_t port)
{
	struct sockaddr_storage to;
	socklen_t len = parse(&to, address, port);
	int one = 1, zero = 0, fd;

	if (!len) {
		log_error("%s: %s is not a numeric address", who, address);
		return -1;
	}
	fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* A kernel without IPv6 still serves everyone it can. */
	if (fd < 0 && errno == EAFNOSUPPORT && !strcmp(address, "::"))
		return peer_listen(who, "0.0.0.0", port);
	if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) &&
	    (to.ss_family == AF_INET || !setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero))) &&
	    !bind(fd, (struct sockaddr *)&to, len) && !listen(fd, SOMAXCONN))
		return fd;
	log_error("%s: cannot listen on %s port %u: %s", who, address, port, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* The 16 bytes that tell peers apart; IPv4 as mapped into IPv6. */
static void key_of(const struct sockaddr_storage *address, uint8_t key[16])
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	memset(key, 0, 16);
	if (address->ss_family == AF_INET) {
		memcpy(key, mapped, 12);
		memcpy(key + 12, &((const struct sockaddr_in *)address)->sin_addr, 4);
	} else if (address->ss_family == AF_INET6) {
		memcpy(key, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
		if (memcmp(key, mapped, 12))
			memset(key + 8, 0, 8);
	}
}

bool peer_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	uint8_t left[16], right[16];

	key_of(a, left);
	key_of(b, right);
	return !memcmp(left, right, 16);
}

void peer_text(const struct sockaddr_storage *address, char *buf, size_t size)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
	const struct sockaddr_in *four = (const struct sockaddr_in *)address;
	char text[INET6_ADDRSTRLEN] = "?";

	if (address->ss_family == AF_INET) {
		inet_ntop(AF_INET, &four->sin_addr, text, sizeof(text));
		snprintf(buf, size, "%s:%u", text, ntohs(four->sin_port));
	} else if (address->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
		inet_ntop(AF_INET, six->sin6_addr.s6_addr + 12, text, sizeof(text));
		snprintf(buf, size, "%s:%u", text, ntohs(six->sin6_port));
	} else {
		inet_ntop(AF_INET6, &six->sin6_addr, text, sizeof(text));
		snprintf(buf, size, "[%s]:%u", text, ntohs(six->sin6_port));
	}
}
