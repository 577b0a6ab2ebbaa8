// SPDX-License-Identifier: GPL-2.0-or-later
/* A person's "ping": four echo requests, and a line for each. The requests themselves are lib/ping.c's. */
#include "manager-shell/ping.h"

#include <errno.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/ping.h"

#define WAIT_MS 1000
#define PAUSE_NS 200000000

static enum shell_status run(int fd, int family, const char *address)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	enum shell_status status = SHELL_FAILED;

	for (uint16_t number = 1; number <= PING_COUNT; number++) {
		int64_t took = ping_exchange(fd, family, number, WAIT_MS);

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
	fd = ping_open(found->ai_addr, found->ai_addrlen);
	if (fd < 0)
		fprintf(stderr, "ping: %s: %s%s\n", address, strerror(errno),
			errno == EACCES ? ": net.ipv4.ping_group_range must have this group" : "");
	else
		status = run(fd, found->ai_family, address);
	if (fd >= 0)
		close(fd);
	freeaddrinfo(found);
	return status;
}
