// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel's device events as the root helper reads them: any bytes, ended by a NUL of the helper's own. */
/* LINK: userland/lib/log.c userland/lib/loop.c */
#include <stdlib.h>

#include "userland/device/helper_node.c" /* for the parser that is its own */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const keys[] = { "ACTION", "DEVNAME", "SUBSYSTEM" };
	char *message = calloc(1, size + 1);

	memcpy(message, data, size);
	for (int i = 0; i < 3; i++) {
		const char *value = property(message, size, keys[i]);
		size_t n = strlen(keys[i]);

		if (value &&
		    (value < message + n + 1 || value > message + size || value[-1] != '=' ||
		     memcmp(value - n - 1, keys[i], n) || (value - n - 1 > message && value[-(long)n - 2])))
			abort();
	}
	free(message);
	return 0;
}
