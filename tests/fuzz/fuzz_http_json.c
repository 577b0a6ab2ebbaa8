// SPDX-License-Identifier: GPL-2.0-or-later
/* What a browser's request may hold: the first byte chooses the parser, the rest is its span. */
/* LINK: userland/lib/body.c | -ljansson */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/body.h"

static void strings(const char *text, size_t len)
{
	static const char *const names[] = { "code", "user", "password" };
	static char fields[BODY_FIELDS_MAX][BODY_FIELD_SIZE];

	memset(fields, 'x', sizeof(fields));
	if (body_strings(text, len, names, 3, fields))
		return;
	for (int i = 0; i < 3; i++)
		if (strnlen(fields[i], BODY_FIELD_SIZE) == BODY_FIELD_SIZE)
			abort();
}

static void cookie(const char *text, size_t len)
{
	size_t value_len;
	const char *value = body_cookie(text, len, "__Host-kvmnet", &value_len);

	if (value && (value < text || value + value_len > text + len || memchr(value, ';', value_len)))
		abort();
}

static void hw_seq(const char *text, size_t len)
{
	uint64_t number;

	if (body_query(text, len, "hw_seq", &number) && number > INT64_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size)
		return 0;
	/* A copy of its own: reading past the span is seen. */
	text = malloc(size);
	memcpy(text, data + 1, size - 1);
	if (data[0] % 3 == 0)
		strings(text, size - 1);
	else if (data[0] % 3 == 1)
		cookie(text, size - 1);
	else
		hw_seq(text, size - 1);
	free(text);
	return 0;
}
