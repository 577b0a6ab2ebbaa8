/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a Device says on its link, as lib/LINK.md has it. Pure. */
#ifndef KVMNET_MANAGER_LINK_MESSAGE_H
#define KVMNET_MANAGER_LINK_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "lib/discovery.h"
#include "manager/ca.h"

#define LINK_MESSAGE_MAX 65536

enum link_message_type { LINK_HELLO, LINK_STATUS, LINK_DELTA, LINK_RESPONSE };

struct link_hello {
	char id[CA_ID_SIZE];
	char name[DISCOVERY_TEXT_SIZE], version[DISCOVERY_TEXT_SIZE]; /* printable ASCII */
	int64_t settings_revision;
};

struct link_message {
	enum link_message_type type;
	struct link_hello hello;
	uint64_t id; /* LINK_RESPONSE */
	int status;
	json_t *body; /* LINK_STATUS and LINK_DELTA: an object; LINK_RESPONSE: may be NULL */
};

/* NULL and *message, or what is wrong, for the Device's log. Either way link_message_clear() it. */
const char *link_message_parse(const char *text, size_t len, struct link_message *message);
void link_message_clear(struct link_message *message);

#endif
