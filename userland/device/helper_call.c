// SPDX-License-Identifier: GPL-2.0-or-later
/* Takes calls from the daemon. What they do is helper.c's. */
#include "device/helper_call.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/log.h"

#define CALLERS 4
#define MESSAGE_MAX (1 + sizeof(struct network_settings)) /* what is longer is seen to be so */

struct caller {
	struct loop_source source; /* fd -1: free */
};

static struct {
	struct loop *loop;
	struct loop_source listener;
	struct caller callers[CALLERS];
	struct sockaddr_un address;
	uid_t user;
	call_answer *answer;
} calls;

static void caller_close(struct caller *caller)
{
	loop_unwatch(calls.loop, &caller->source);
	close(caller->source.fd);
	caller->source.fd = -1;
}

static void caller_ready(struct loop_source *source, uint32_t events)
{
	struct caller *caller = (struct caller *)((char *)source - offsetof(struct caller, source));
	uint8_t message[MESSAGE_MAX + 1], answer[CALL_ANSWER_MAX];
	ssize_t n;
	size_t len;

	(void)events;
	n = recv(source->fd, message, sizeof(message), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		caller_close(caller);
		return;
	}
	len = calls.answer(message, (size_t)n, answer);
	/* A caller that does not take its answers is not waited for. */
	if (send(source->fd, answer, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		caller_close(caller);
}

static bool may_call(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) &&
	       (peer.uid == 0 || peer.uid == calls.user);
}

static void listener_ready(struct loop_source *source, uint32_t events)
{
	int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct caller *caller = NULL;

	(void)events;
	if (fd < 0)
		return;
	for (unsigned i = 0; i < CALLERS && !caller; i++) {
		if (calls.callers[i].source.fd < 0)
			caller = &calls.callers[i];
	}
	if (!caller || !may_call(fd)) {
		log_warn("calls: a caller is refused: %s", caller ? "another user" : "too many");
		close(fd);
		return;
	}
	caller->source = (struct loop_source){ .fd = fd, .events = EPOLLIN, .ready = caller_ready };
	if (loop_watch(calls.loop, &caller->source)) {
		close(fd);
		caller->source.fd = -1;
	}
}

static int listen_at(gid_t group)
{
	const char *path = calls.address.sun_path;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mode_t mask = umask(0177);

	if (fd < 0) {
		umask(mask);
		return -errno;
	}
	unlink(path);
	if (bind(fd, (struct sockaddr *)&calls.address, sizeof(calls.address)) < 0 ||
	    chown(path, 0, group) < 0 || chmod(path, 0660) < 0 || listen(fd, CALLERS) < 0) {
		int error = -errno;

		umask(mask);
		close(fd);
		return error;
	}
	umask(mask);
	return fd;
}

int call_listen(struct loop *loop, const char *path, uid_t user, gid_t group, call_answer *answer)
{
	int error, fd;

	calls.loop = loop;
	calls.user = user;
	calls.answer = answer;
	for (unsigned i = 0; i < CALLERS; i++)
		calls.callers[i].source.fd = -1;
	calls.address.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(calls.address.sun_path)) {
		log_error("calls: %s is too long for a socket", path);
		return -ENAMETOOLONG;
	}
	strcpy(calls.address.sun_path, path);
	fd = listen_at(group);
	calls.listener = (struct loop_source){ .fd = fd, .events = EPOLLIN, .ready = listener_ready };
	error = fd < 0 ? fd : loop_watch(loop, &calls.listener);
	if (error < 0)
		log_error("calls: listening on %s: %s", path, strerror(-error));
	return error < 0 ? error : 0;
}

void call_close(struct loop *loop)
{
	for (unsigned i = 0; i < CALLERS; i++) {
		if (calls.callers[i].source.fd >= 0)
			caller_close(&calls.callers[i]);
	}
	loop_unwatch(loop, &calls.listener);
	close(calls.listener.fd);
	unlink(calls.address.sun_path);
}
