// SPDX-License-Identifier: GPL-2.0-or-later
/* The bench's USB cable: any bytes for usbip replies, whole and in two pieces. */
/* LINK: tests/bench/cable_usbip.c */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/cable_usbip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads all of the data, for the sanitizer to see. */
static bool reads(const struct usbip_reply *reply)
{
	uint32_t total = 1;

	for (uint32_t i = 0; i < reply->length; i++)
		total |= reply->data[i];
	return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct usbip_reply reply;
	size_t at = 0;
	ssize_t n;

	while ((n = usbip_parse(data + at, size - at, &reply)) > 0) {
		/* One byte less is "more are needed", of a copy that is no longer than it says. */
		uint8_t *piece = malloc((size_t)n - 1);
		struct usbip_reply part;

		if (!piece || (size_t)n > size - at || reply.length > USBIP_MAX_DATA)
			abort();
		memcpy(piece, data + at, (size_t)n - 1);
		if (usbip_parse(piece, (size_t)n - 1, &part) != 0)
			abort();
		free(piece);
		if (!reads(&reply))
			abort();
		at += (size_t)n;
	}
	return 0;
}
