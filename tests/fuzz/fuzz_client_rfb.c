// SPDX-License-Identifier: GPL-2.0-or-later
/* A server's bytes, from its version on, in spans of any length. */
/* LINK: userland/client/rfb.c */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/rfb.h"

/* A copy of its own, so that the sanitizer sees each byte read beyond. */
static uint8_t *copy(const uint8_t *from, size_t len)
{
	uint8_t *span = malloc(len + 1);

	memcpy(span, from, len);
	return span;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t start = 0, end = 0, step = size ? data[0] % 64 + 1u : 1, used;
	enum rfb_event event = RFB_MORE;
	struct rfb rfb;

	rfb_start(&rfb, "ann", "secret");
	while (event != RFB_ODD && event != RFB_REFUSED) {
		uint8_t *span = copy(data + start, end - start);

		event = rfb_feed(&rfb, span, end - start, &used);
		free(span);
		if (used > end - start || rfb.out_used > sizeof(rfb.out) ||
		    (event == RFB_MORE && !used && end - start >= RFB_NEEDS_MAX))
			abort();
		start += used;
		if (event == RFB_UPDATED && rfb.width * rfb.height < 4096)
			rfb_ask(&rfb, rfb_whole(&rfb));
		rfb.out_used = 0;
		if (event == RFB_MORE && !used && end == size)
			break;
		if (event == RFB_MORE && !used)
			end = end + step < size ? end + step : size;
	}
	rfb_clear(&rfb);
	return 0;
}
