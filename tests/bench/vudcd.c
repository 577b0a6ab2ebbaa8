// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The appliance's end of the bench's USB cable: takes a TCP connection and hands it to usbip-vudc, which
 * speaks usbip on it. The newest connection wins, as the newest plug does.
 */
/* LINK: */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TCP_PORT 3240
#define VUDC "/sys/devices/platform/usbip-vudc.0/"
#define STATE "/sys/class/udc/usbip-vudc.0/state"
#define HAND_OVER_MS 2000
#define STEP_MS 50

/* drivers/usb/usbip/vudc_sysfs.c: a descriptor's number takes a connection, -1 ends the one there is. */
static int hand_over(int number)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", number), error = 0;
	int fd = open(VUDC "usbip_sockfd", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (write(fd, text, (size_t)n) != n)
		error = -errno;
	close(fd);
	return error;
}

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Waits for the controller to change its state, which is notified; its last step after an unplug
 * (vudc_device_reset) comes a moment after its notification, hence the short wait in steps. */
static void await_change(int state)
{
	struct pollfd changed = { .fd = state, .events = POLLPRI };
	char text[32];

	poll(&changed, 1, STEP_MS);
	if (pread(state, text, sizeof(text), 0) < 0)
		perror("vudcd: " STATE);
}

static int replace(int connection)
{
	long deadline = now_ms() + HAND_OVER_MS;
	int state = open(STATE, O_RDONLY | O_CLOEXEC), error = hand_over(connection);

	if (error && error != -ENODEV && state >= 0) {
		hand_over(-1);
		do {
			await_change(state);
			error = hand_over(connection);
		} while (error && error != -ENODEV && now_ms() < deadline);
	}
	if (state >= 0)
		close(state);
	return error;
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int one = 1, fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 4) < 0) {
		perror("vudcd: listening");
		exit(EXIT_FAILURE);
	}
	return fd;
}

int main(void)
{
	int listener = listen_on(TCP_PORT);

	for (;;) {
		int one = 1, error, fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0) {
			perror("vudcd: accept4");
			return EXIT_FAILURE;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		error = replace(fd);
		if (error)
			fprintf(stderr, "vudcd: %s\n",
				error == -ENODEV ? "no gadget is bound" : strerror(-error));
		close(fd); /* the kernel has its own reference */
	}
}
