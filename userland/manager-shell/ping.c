// SPDX-License-Identifier: GPL-2.0-or-later
/* ICMP and ICMPv6 echo (RFC 792, RFC 4443 section 4). The kernel sets identifier and checksum, and gives us our own. */
#include "manager-shell/ping.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 1000
#define PAUSE_NS 200000000
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

/* Microseconds until the answer to that number; -1 with errno, ETIMEDOUT: none. */
static int64_t exchange(int fd, bool v6, uint16_t number)
{
	struct echo echo = { .type = v6 ? REQUEST_V6 : REQUEST_V4, .number = htons(number) };
	int64_t start = now_us();
	struct pollfd wait = { fd, POLLIN, 0 };

	if (send(fd, &echo, sizeof(echo), 0) < 0)
		return -1;
	for (;;) {
		int64_t passed = now_us() - start;
		int left = WAIT_MS - (int)(passed / 1000);
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

static int open_to(const struct addrinfo *to)
{
	bool v6 = to->ai_family == AF_INET6;
	int fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);

	if (fd >= 0 && connect(fd, to->ai_addr, to->ai_addrlen)) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static enum shell_status run(int fd, bool v6, const char *address)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	enum shell_status status = SHELL_FAILED;

	for (uint16_t number = 1; number <= PING_COUNT; number++) {
		int64_t took = exchange(fd, v6, number);

		if (took >= 0) {
			printf("%d of %d: answer from %s after %lld.%03lld ms\n", number, PING_COUNT, address,
			       (long long)took / 1000, (long long)took % 1000);
			status = SHELL_DONE;
		} else {
			printf("%d of %d: no answer from %s: %s\n", number, PING_COUNT, address,
			       strerror(errno));
		}
		fflush(stdout);
		if (took >= 0 && number < PING_COUNT)
			nanosleep(&pause, NULL);
	}
	return status;
}

enum shell_status ping(const char *host)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_ADDRCONFIG };
	enum shell_status status = SHELL_FAILED;
	char address[NI_MAXHOST] = "?";
	struct addrinfo *found;
	int error = getaddrinfo(host, NULL, &hints, &found), fd;

	if (error) {
		fprintf(stderr, "ping: %s: %s\n", host, gai_strerror(error));
		return SHELL_FAILED;
	}
	getnameinfo(found->ai_addr, found->ai_addrlen, address, sizeof(address), NULL, 0, NI_NUMERICHOST);
	fd = open_to(found);
	if (fd < 0)
		fprintf(stderr, "ping: %s: %s%s\n", address, strerror(errno),
			errno == EACCES ? ": net.ipv4.ping_group_range must have this group" : "");
	else
		status = run(fd, found->ai_family == AF_INET6, address);
	if (fd >= 0)
		close(fd);
	freeaddrinfo(found);
	return status;
}
