// SPDX-License-Identifier: GPL-2.0-or-later
/* Asks, and copies the answer out. */
#include "manager-shell/question.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_S 10

/* Connected before it has a name: nobody but the Manager can ever send to it (unix(7)). */
static int open_socket(void)
{
	const struct sockaddr_un manager = { .sun_family = AF_UNIX, .sun_path = SHELL_SOCKET };
	const sa_family_t any = AF_UNIX; /* a name of the kernel's choice */
	const struct timeval limit = { .tv_sec = ANSWER_S };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)&manager, sizeof(manager)) ||
	    bind(fd, (const struct sockaddr *)&any, sizeof(any)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The descriptor that came with it; -1: no answer. */
static int receive(int fd, enum shell_status *status)
{
	unsigned char byte = SHELL_FAILED;
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr part;
	} control = { 0 };
	struct iovec data = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	const struct cmsghdr *part;
	int answer;

	if (recvmsg(fd, &message, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	part = CMSG_FIRSTHDR(&message);
	if (!part || part->cmsg_type != SCM_RIGHTS || part->cmsg_len != CMSG_LEN(sizeof(int)))
		return -1;
	memcpy(&answer, CMSG_DATA(part), sizeof(answer));
	*status = byte <= SHELL_REFUSED ? (enum shell_status)byte : SHELL_FAILED;
	return answer;
}

static void copy_out(int from, FILE *out)
{
	char data[16384];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(from, data, sizeof(data), at)) > 0) {
		if (fwrite(data, 1, (size_t)n, out) != (size_t)n)
			return;
		at += n;
	}
}

enum shell_status question_ask(const struct shell_query *query)
{
	enum shell_status status = SHELL_FAILED;
	char text[SHELL_QUERY_MAX];
	size_t len = shell_query_write(query, text);
	int fd = open_socket(), answer = -1;

	if (fd >= 0 && send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len)
		answer = receive(fd, &status);
	if (fd >= 0)
		close(fd);
	if (answer < 0) {
		fputs("The Manager does not answer: is kvmnet-manager running?\n", stderr);
		return SHELL_FAILED;
	}
	copy_out(answer, status == SHELL_DONE ? stdout : stderr);
	close(answer);
	return status;
}
