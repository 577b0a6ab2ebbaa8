// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as kvmnetd.conf: refused with a line number, or within the bounds that kvmnetd relies on. */
/* LINK: userland/device/config.c userland/lib/ini.c userland/lib/log.c | -linih */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "device/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config config;
	char said[512] = "";
	FILE *err = fmemopen(said, sizeof(said) - 1, "w");
	int result;

	config_defaults(&config);
	result = config_parse(&config, (const char *)data, size, "f", err);
	fclose(err);
	if (result ? strncmp(said, "f:", 2) : said[0])
		abort();
	if (!result && (!config.first_port || config.first_port > 65533 || !config.https_port ||
			config.state_dir[0] != '/' || config.idle_timeout_s > 604800))
		abort();
	if (!result && (config.managers.count > CONFIG_MANAGERS ||
			config.discovery_port == config.discovery_second_port ||
			strlen(config.discovery_name) >= CONFIG_NAME_SIZE))
		abort();
	for (unsigned i = 0; !result && i < config.managers.count; i++)
		if (!config.managers.name[i][0])
			abort();
	return 0;
}
