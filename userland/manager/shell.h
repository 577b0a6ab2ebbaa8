/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The local socket that kvmnet-manager-shell asks on: who may, questions in, answers out. What is answered is
 * api_shell.c's. */
#ifndef KVMNET_MANAGER_SHELL_H
#define KVMNET_MANAGER_SHELL_H

#include <sys/socket.h>
#include <sys/un.h>

#include "lib/shell_query.h"

struct shell;

struct shell_call {
	struct shell_query query;
	struct sockaddr_un from;
	socklen_t from_len;
};

/* Only user and root are heard. NULL after saying why in the log: then there is no shell, and all else works. */
struct shell *shell_open(const char *path, const char *user);
void shell_close(struct shell *shell); /* NULL: nothing */
int shell_descriptor(const struct shell *shell);

/* 1: a question; 0: something that is none, or not from who may ask; -1: nothing waits. */
int shell_receive(struct shell *shell, struct shell_call *call);
void shell_answer(struct shell *shell, const struct shell_call *call, enum shell_status status,
		  const char *text, size_t len);

#endif
