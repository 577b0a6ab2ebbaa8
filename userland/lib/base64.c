// SPDX-License-Identifier: GPL-2.0-or-later
/* OpenSSL's own decoder wants the other alphabet and padding, and takes more than one text for a value. */
#include "lib/base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64_encode(const uint8_t *data, size_t len, char *text)
{
	uint32_t bits = 0;
	unsigned count = 0;

	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | data[i];
		for (count += 8; count >= 6; count -= 6)
			*text++ = alphabet[bits >> (count - 6) & 63];
	}
	if (count)
		*text++ = alphabet[bits << (6 - count) & 63];
	*text = '\0';
}

bool base64_decode(const char *text, size_t text_len, uint8_t *data, size_t size, size_t *len)
{
	uint32_t bits = 0;
	unsigned count = 0;

	*len = 0;
	for (size_t i = 0; i < text_len; i++) {
		const char *letter = text[i] ? strchr(alphabet, text[i]) : NULL;

		if (!letter)
			return false;
		bits = bits << 6 | (uint32_t)(letter - alphabet);
		count += 6;
		if (count < 8)
			continue;
		if (*len == size)
			return false;
		count -= 8;
		data[(*len)++] = (uint8_t)(bits >> count);
	}
	/* A last letter that brings no byte, or bits that say nothing. */
	return count < 6 && !(bits & ((1U << count) - 1));
}
