/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server side of QEMU's ivshmem protocol, version 0 (QEMU,
 * docs/specs/ivshmem-spec.rst): one peer, the device, and one client, the guest.
 */
#include "engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DEVICE_ID 0
#define GUEST_ID 1

int ivshmem_listen(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
		fail("%s: no such socket can be", path);
	strcpy(address.sun_path, path);
	unlink(path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 4))
		fail("%s: %s", path, strerror(errno));
	return fd;
}

/* One message: a number, little endian, with a descriptor unless that is -1. */
static void say(int conn, int64_t number, int fd)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec data = { &number, sizeof(number) };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };

	if (fd >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	}
	if (sendmsg(conn, &message, MSG_NOSIGNAL) != sizeof(number))
		fprintf(stderr, "engine: card: %s\n", strerror(errno));
}

void ivshmem_hello(const struct engine *e, int conn)
{
	say(conn, 0, -1); /* protocol version */
	say(conn, GUEST_ID, -1);
	say(conn, -1, e->window_fd);
	for (int i = 0; i < ENG_VECTORS; i++)
		say(conn, DEVICE_ID, e->doorbell[i]);
	for (int i = 0; i < ENG_VECTORS; i++)
		say(conn, GUEST_ID, e->vector[i]);
}
