// SPDX-License-Identifier: GPL-2.0-or-later
/* Echo requests and their answers (RFC 792, RFC 4443 section 4). The kernel sets identifier and checksum, and gives us our own. */
#include "lib/ping.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_V4 8
#define REQUEST_V6 128
#define REPLY_V4 0
#define REPLY_V6 129

struct echo {
	uint8_t type, code;
	uint16_t checksum, id, number;
	uint8_t data[24];
};
_Static_assert(sizeof(struct echo) == 32, "as on the wire");

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t ping_exchange(int fd, int family, uint16_t number, int wait_ms)
{
	bool v6 = family == AF_INET6;
	struct echo echo = { .type = v6 ? REQUEST_V6 : REQUEST_V4, .number = htons(number) };
	int64_t start = now_us();
	struct pollfd wait = { fd, POLLIN, 0 };

	if (send(fd, &echo, sizeof(echo), 0) < 0)
		return -1;
	for (;;) {
		int64_t passed = now_us() - start;
		int left = wait_ms - (int)(passed / 1000);
		ssize_t n;

		if (left <= 0 || !poll(&wait, 1, left)) {
			errno = ETIMEDOUT;
			return -1;
		}
		n = recv(fd, &echo, sizeof(echo), MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			return -1;
		/* A late answer to one before is not this one's. */
		if (n == sizeof(echo) && echo.type == (v6 ? REPLY_V6 : REPLY_V4) &&
		    echo.number == htons(number))
			return now_us() - start;
	}
}

int ping_open(const struct sockaddr *address, socklen_t len)
{
	bool v6 = address->sa_family == AF_INET6;
	int fd = socket(address->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);

	if (fd >= 0 && connect(fd, address, len)) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}
