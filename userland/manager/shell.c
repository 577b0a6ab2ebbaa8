// SPDX-License-Identifier: GPL-2.0-or-later
/* Datagrams with the sender's credentials, which the kernel vouches for (unix(7), SCM_CREDENTIALS). */
#include "manager/shell.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"

struct shell {
	struct sockaddr_un address;
	int fd;
	uid_t user;
};

/* The folder's group is the socket's, by the folder's set-group-ID bit: nobody else even gets as far as our check. */
static int bind_to(struct shell *shell)
{
	const int on = 1;

	shell->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (shell->fd < 0 || setsockopt(shell->fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)))
		return -1;
	unlink(shell->address.sun_path);
	return bind(shell->fd, (struct sockaddr *)&shell->address, sizeof(shell->address)) ||
			       chmod(shell->address.sun_path, 0660) ?
		       -1 :
		       0;
}

struct shell *shell_open(const char *path, const char *user)
{
	const struct passwd *entry = getpwnam(user);
	struct shell *shell;

	if (!entry) {
		log_info("shell: there is no user %s, and so no commands over SSH", user);
		return NULL;
	}
	shell = calloc(1, sizeof(*shell));
	if (!shell || strlen(path) >= sizeof(shell->address.sun_path)) {
		log_error("shell: out of memory, or %s is too long for a socket", path);
		free(shell);
		return NULL;
	}
	shell->user = entry->pw_uid;
	shell->address.sun_family = AF_UNIX;
	strcpy(shell->address.sun_path, path);
	if (!bind_to(shell))
		return shell;
	log_error("shell: no commands over SSH: %s: %s", path, strerror(errno));
	if (shell->fd >= 0)
		close(shell->fd);
	free(shell);
	return NULL;
}

void shell_close(struct shell *shell)
{
	if (!shell)
		return;
	unlink(shell->address.sun_path);
	close(shell->fd);
	free(shell);
}

int shell_descriptor(const struct shell *shell)
{
	return shell->fd;
}

/* What else came along is closed; whether the sender may ask. */
static bool judge(const struct shell *shell, struct msghdr *message)
{
	bool may = false;

	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
		struct ucred sender;

		if (part->cmsg_level != SOL_SOCKET)
			continue;
		if (part->cmsg_type == SCM_CREDENTIALS && part->cmsg_len == CMSG_LEN(sizeof(sender))) {
			memcpy(&sender, CMSG_DATA(part), sizeof(sender));
			may = sender.uid == shell->user || sender.uid == 0;
		}
		if (part->cmsg_type == SCM_RIGHTS) {
			for (size_t at = 0; CMSG_LEN(at + sizeof(int)) <= part->cmsg_len; at += sizeof(int)) {
				int fd;

				memcpy(&fd, CMSG_DATA(part) + at, sizeof(fd));
				close(fd);
			}
		}
	}
	return may && !(message->msg_flags & (MSG_TRUNC | MSG_CTRUNC));
}

int shell_receive(struct shell *shell, struct shell_call *call)
{
	char data[SHELL_QUERY_MAX];
	union {
		char space[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec part = { data, sizeof(data) };
	struct msghdr message = {
		.msg_name = &call->from,
		.msg_namelen = sizeof(call->from),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t len = recvmsg(shell->fd, &message, MSG_CMSG_CLOEXEC);

	if (len < 0)
		return errno == EINTR ? 0 : -1;
	call->from_len = message.msg_namelen;
	if (judge(shell, &message) && shell_query_read(data, (size_t)len, &call->query))
		return 1;
	log_warn("shell: a question is refused: another user's, or none that is understood");
	return 0;
}

/* In memory, and nobody changes it any more. */
static int file_of(const char *text, size_t len)
{
	int fd = memfd_create("kvmnet-answer", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, text + done, len - done);

		if (n <= 0) {
			close(fd);
			return -1;
		}
		done += (size_t)n;
	}
	fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	return fd;
}

void shell_answer(struct shell *shell, const struct shell_call *call, enum shell_status status,
		  const char *text, size_t len)
{
	struct sockaddr_un to = call->from;
	unsigned char byte = (unsigned char)status;
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr part;
	} control = { 0 };
	struct iovec part = { &byte, 1 };
	struct msghdr message = {
		.msg_name = &to,
		.msg_namelen = call->from_len,
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fd = file_of(text, len);

	control.part.cmsg_level = SOL_SOCKET;
	control.part.cmsg_type = SCM_RIGHTS;
	control.part.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.part), &fd, sizeof(fd));
	/* Who does not take his answer is not waited for. */
	if (fd < 0 || sendmsg(shell->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_warn("shell: an answer cannot be given: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}
