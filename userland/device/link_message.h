/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a Manager says on the link, as lib/LINK.md has it. Pure. */
#ifndef KVMNET_DEVICE_LINK_MESSAGE_H
#define KVMNET_DEVICE_LINK_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "device/adoption.h"
#include "lib/user.h"

#define LINK_MESSAGE_MAX 65536

enum link_message_type { LINK_WELCOME, LINK_REQUEST };

struct link_message {
	enum link_message_type type;
	/* LINK_REQUEST */
	uint64_t id;
	char method[8], path[128];
	char manager[ADOPTION_ID_SIZE]; /* whose link it came on: the link fills this in */
	char by[USER_NAME_MAX + 1];	/* who asks for it there; may be empty */
	char *body;			/* JSON, malloc'd; NULL: none */
};

/* NULL and *message, whose body is to be freed, or what is wrong, for the Manager's log. */
const char *link_message_parse(const char *text, size_t len, struct link_message *message);

#endif
