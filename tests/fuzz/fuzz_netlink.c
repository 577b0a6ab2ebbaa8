// SPDX-License-Identifier: GPL-2.0-or-later
/* The driver's answers and events: the first byte chooses which, the rest is the message behind its netlink header. */
/* LINK: userland/lib/loop.c | libnl-3.0 libnl-genl-3.0 */
#include <netlink/msg.h>
#include <stdarg.h>
#include <stdio.h>

#include "userland/device/signal.c" /* for the callbacks that are its own */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FAMILY 0x20

static unsigned int changes;

/* Formats as the daemon's log does: a string without an end is seen. */
void log_write(enum log_level level, const char *fmt, ...)
{
	char text[512];
	va_list args;

	(void)level;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
}

static void changed(void *arg)
{
	(void)arg;
	changes++;
}

static struct nl_msg *message(const uint8_t *data, size_t size)
{
	struct nlmsghdr *header = calloc(1, NLMSG_HDRLEN + size);
	struct nl_msg *msg;

	header->nlmsg_len = (uint32_t)(NLMSG_HDRLEN + size);
	header->nlmsg_type = FAMILY;
	memcpy(nlmsg_data(header), data, size);
	msg = nlmsg_convert(header); /* a copy of just that size */
	free(header);
	return msg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct signal signal = { .family = FAMILY, .index = 0, .changed = changed };
	struct signal_state state = { 0 };
	struct nl_msg *msg;

	if (!size)
		return 0;
	msg = message(data + 1, size - 1);
	changes = 0;
	if (data[0] & 1) {
		if ((on_event(msg, &signal) == NL_OK) != changes)
			abort();
	} else {
		on_state(msg, &state);
		if (strnlen(state.reason, sizeof(state.reason)) == sizeof(state.reason))
			abort();
	}
	nlmsg_free(msg);
	return 0;
}
