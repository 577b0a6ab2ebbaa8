// SPDX-License-Identifier: GPL-2.0-or-later
/* A Client's bytes, before and after authentication, in spans of any length. */
/* LINK: userland/device/handshake.c userland/device/rfb.c userland/device/pixel.c | -lcrypto */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "device/handshake.h"
#include "device/rfb.h"

static struct pixel_map map;

/* A copy of its own, so that the sanitizer sees each byte read beyond. */
static uint8_t *copy(const uint8_t *from, size_t len)
{
	uint8_t *span = malloc(len + 1);

	memcpy(span, from, len);
	return span;
}

static size_t handshake(enum handshake_way way, const uint8_t *data, size_t size)
{
	static struct handshake hs;
	size_t start = 0, used;

	handshake_start(&hs, way, size % 7 ? NULL : "Refused.");
	for (;;) {
		uint8_t *span = copy(data + start, size - start);
		enum handshake_event event = handshake_feed(&hs, span, size - start, &used);

		free(span);
		if (used > size - start || hs.out_used > sizeof(hs.out))
			abort();
		start += used;
		if (event == HANDSHAKE_VERIFY)
			handshake_verified(&hs, hs.user_len % 2 ? "Wrong." : NULL);
		else if (event == HANDSHAKE_FAILED || event == HANDSHAKE_DONE || !used)
			return start;
	}
}

static void messages(const uint8_t *data, size_t size)
{
	size_t start = 0, end = 0, step = size ? data[0] % 32 + 1u : 1, used;
	struct rfb_reader reader = { 0 };
	struct rfb_message message;

	for (;;) {
		uint8_t *span = copy(data + start, end - start);
		enum rfb_result result = rfb_read(&reader, span, end - start, &used, &message);

		free(span);
		if (used > end - start || (result == RFB_MORE && end - start - used > 20))
			abort();
		start += used;
		if (result == RFB_ERROR)
			return;
		if (result == RFB_MESSAGE && message.type == RFB_SET_PIXEL_FORMAT)
			pixel_map_init(&map, &message.format);
		if (result == RFB_MESSAGE)
			continue;
		if (end == size)
			return;
		end = end + step < size ? end + step : size;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t start;

	if (!size)
		return 0;
	start = handshake((enum handshake_way)(data[0] % 3), data + 1, size - 1);
	messages(data + 1 + start, size - 1 - start);
	messages(data, size);
	return 0;
}
