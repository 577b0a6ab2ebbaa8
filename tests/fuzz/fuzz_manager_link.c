// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as a Device's message on the link: refused, or within bounds; its deltas applied one after another. */
/* LINK: userland/manager/link_message.c userland/lib/merge.c userland/lib/log.c | jansson */
#include <stdlib.h>
#include <string.h>

#include "lib/merge.h"
#include "manager/link_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool sound)
{
	if (!sound)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static json_t *status;
	struct link_message message;

	if (!status)
		status = json_object();
	if (!link_message_parse((const char *)data, size, &message)) {
		switch (message.type) {
		case LINK_HELLO:
			check(*message.hello.id && *message.hello.name && *message.hello.version);
			check(message.hello.settings_revision >= 0);
			break;
		case LINK_RESPONSE:
			check(message.id && message.status >= 100 && message.status <= 599);
			break;
		case LINK_STATUS:
			json_decref(status);
			status = json_deep_copy(message.body);
			break;
		case LINK_DELTA:
			check(!merge_apply(status, message.body));
			break;
		}
	}
	link_message_clear(&message);
	return 0;
}
