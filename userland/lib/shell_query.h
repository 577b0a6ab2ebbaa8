/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What kvmnet-manager-shell asks kvmnet-manager: one datagram on a local socket that only the SSH user may write to;
 * the kernel says who sent it. The answer is one byte, enum shell_status, and with it a descriptor of a file in
 * memory that has the text for the administrator. Pure.
 */
#ifndef KVMNET_LIB_SHELL_QUERY_H
#define KVMNET_LIB_SHELL_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/shell_command.h"

#define SHELL_SOCKET "/run/kvmnet-manager/shell"
#define SHELL_WHO_SIZE 65
#define SHELL_KEY_SIZE 65						       /* "SHA256:" and base64 */
#define SHELL_QUERY_MAX (SHELL_WHO_SIZE + SHELL_KEY_SIZE + SHELL_LINE_MAX + 2) /* with NUL */

enum shell_status { SHELL_DONE, SHELL_FAILED, SHELL_REFUSED };

/* Printable ASCII, all three. */
struct shell_query {
	char who[SHELL_WHO_SIZE]; /* as the list of keys calls this one; else key */
	char key[SHELL_KEY_SIZE]; /* its fingerprint */
	char line[SHELL_LINE_MAX +
		  2]; /* as it was typed; one that is too long is cut where it is seen to be so */
};

/* The length of what goes into buf: lines of who, key, and what was typed. */
size_t shell_query_write(const struct shell_query *query, char buf[SHELL_QUERY_MAX]);
/* false: no query. */
bool shell_query_read(const char *data, size_t len, struct shell_query *query);

#endif
