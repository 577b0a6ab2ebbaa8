/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cleans text that others chose: a name must not look like another one, nor an answer act on a terminal. */
#include "manager/text.h"

#include <stdbool.h>
#include <string.h>

#include <openssl/asn1.h>

#define SEQUENCE_MAX 6 /* what UTF8_getc() may look at */

static bool shown(unsigned long c)
{
	return c >= 0x20 && (c < 0x7f || c > 0x9f) && c != 0x061c && (c < 0x200e || c > 0x200f) &&
	       (c < 0x2028 || c > 0x202e) && (c < 0x2066 || c > 0x2069);
}

void text_clean(const char *text, char *clean, size_t size)
{
	size_t left = strlen(text), used = 0;

	while (left) {
		unsigned long c;
		int len = UTF8_getc((const unsigned char *)text,
				    left > SEQUENCE_MAX ? SEQUENCE_MAX : (int)left, &c);
		bool good = len > 0 && shown(c);
		size_t from = len > 0 ? (size_t)len : 1, to = good ? from : 1;

		if (used + to >= size)
			break;
		memcpy(clean + used, good ? text : "?", to);
		used += to;
		text += from;
		left -= from;
	}
	clean[used] = '\0';
}
