// SPDX-License-Identifier: GPL-2.0-or-later
/* The boot counter's file. It is never set back: who remembers a higher count would hear nothing more of us. */
#include "lib/boot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/state.h"

#define COUNT_FILE "boots"
#define DIGITS 18 /* of any count: below 2^63 */

static bool parse(const char *text, size_t len, uint64_t *count)
{
	size_t digits = strspn(text, "0123456789");

	*count = strtoull(text, NULL, 10);
	return digits && digits <= DIGITS && !strcmp(text + digits, "\n") && digits + 1 == len;
}

int boot_count(const char *state_dir, uint64_t *count)
{
	char line[DIGITS + 4];
	size_t len = 0;
	char *text = state_read(state_dir, COUNT_FILE, DIGITS + 1, &len);
	bool good = text ? parse(text, len, count) : errno == ENOENT;

	if (!text)
		*count = 0;
	else if (!good)
		log_error("%s/" COUNT_FILE
			  " holds no count: put it back from a backup, or write the last known one, "
			  "in digits and a new line",
			  state_dir);
	free(text);
	if (!good)
		return -1;
	len = (size_t)snprintf(line, sizeof(line), "%" PRIu64 "\n", ++*count);
	return state_write(state_dir, COUNT_FILE, line, len);
}
