/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A minimal QMP client (QEMU, docs/interop/qmp-spec.txt), one command at a time; events are skipped. */
#include "engine.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_S 60 /* a monitor that is silent for longer is gone, even on a machine that others keep busy */

void qmp_close(struct qmp *q)
{
	if (q->fd >= 0)
		close(q->fd);
	q->fd = -1;
	q->len = 0;
}

/* The next line as JSON; NULL after closing. */
static json_t *read_message(struct qmp *q)
{
	for (;;) {
		char *end = memchr(q->buf, '\n', q->len);

		if (end) {
			size_t line = end - q->buf + 1;
			json_t *message = json_loadb(q->buf, line, 0, NULL);

			memmove(q->buf, q->buf + line, q->len - line);
			q->len -= line;
			if (message)
				return message;
			continue;
		}
		ssize_t got = recv(q->fd, q->buf + q->len, sizeof(q->buf) - q->len, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		q->len += got;
	}
	qmp_close(q);
	return NULL;
}

json_t *qmp_call(struct qmp *q, const char *command, json_t *arguments)
{
	json_t *request = json_pack("{s:s, s:o*}", "execute", command, "arguments", arguments);
	char *text = json_dumps(request, JSON_COMPACT);

	json_decref(request);
	bool sent =
		q->fd >= 0 && text && send(q->fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text);
	free(text);
	if (!sent)
		qmp_close(q);
	while (q->fd >= 0) {
		json_t *message = read_message(q);
		json_t *answer = json_incref(json_object_get(message, "return"));
		bool over = answer || json_object_get(message, "error");

		json_decref(message);
		if (over)
			return answer;
	}
	return NULL;
}

bool qmp_open(struct qmp *q, const char *path, pid_t *peer)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = ANSWER_S };
	struct ucred owner;
	socklen_t len = sizeof(owner);

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	q->len = 0;
	q->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (q->fd < 0)
		return false;
	setsockopt(q->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(q->fd, (struct sockaddr *)&address, sizeof(address)) ||
	    getsockopt(q->fd, SOL_SOCKET, SO_PEERCRED, &owner, &len)) {
		qmp_close(q);
		return false;
	}
	*peer = owner.pid;
	json_decref(read_message(q)); /* the greeting */
	json_decref(qmp_call(q, "qmp_capabilities", NULL));
	return q->fd >= 0;
}

bool qmp_human(struct qmp *q, const char *command, char *buf, size_t size)
{
	json_t *answer = qmp_call(q, "human-monitor-command", json_pack("{s:s}", "command-line", command));
	const char *text = json_string_value(answer);
	bool fits = text && strlen(text) < size;

	if (fits)
		strcpy(buf, text);
	json_decref(answer);
	return fits;
}
