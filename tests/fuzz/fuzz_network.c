// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Network settings as JSON, and as the bytes that the root helper is given. What is found sound has a form of its
 * own, and makes a file for networkd whose every line is one that we write.
 */
/* LINK: userland/lib/network.c userland/device/network_form.c userland/device/helper_network.c userland/lib/state.c
 *	 userland/lib/loop.c userland/lib/log.c | jansson */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "device/helper_network.h"
#include "device/network_form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool sound)
{
	if (!sound)
		abort();
}

static void check_file(const struct network_settings *settings)
{
	static const char *const starts[] = {
		"# ",	    "[",	"MACAddress=", "DHCP=",	 "IPv6AcceptRA=", "LinkLocalAddressing=",
		"Address=", "Gateway=", "DNS=",	       "UseDNS="
	};
	char text[1024];

	check(!network_file(settings, text, sizeof(text)));
	for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
		bool known = false;

		for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
			known |= !strncmp(line, starts[i], strlen(starts[i]));
		check(known && strchr(line, '\n'));
	}
}

/* What is shown is what is taken. */
static void check_form(const struct network_settings *settings)
{
	json_t *json = network_form_json(settings);
	struct network_form again;

	check(json);
	json_object_set_new(json, "interface", json_string("eth0"));
	check(!network_form_parse(json, &again));
	memcpy(again.settings.mac, settings->mac, sizeof(settings->mac));
	check(!memcmp(&again.settings, settings, sizeof(*settings)));
	json_decref(json);
}

static void one(const struct network_settings *settings)
{
	if (network_check(settings))
		return;
	check_file(settings);
	check_form(settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t mac[] = { 0x52, 0x54, 0, 1, 2, 3 };
	json_t *json = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	struct network_settings settings;
	struct network_form form;

	if (json && !network_form_parse(json, &form)) {
		memcpy(form.settings.mac, mac, sizeof(mac));
		one(&form.settings);
	}
	json_decref(json);
	if (size == sizeof(settings)) {
		memcpy(&settings, data, size);
		one(&settings);
	}
	return 0;
}
