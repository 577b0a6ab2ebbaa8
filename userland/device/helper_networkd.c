// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Has systemd-networkd read its files anew. Asked of systemd itself, on its own socket, which is there with or
 * without a D-Bus daemon, and which takes root as it is.
 */
#include "device/helper_network.h"

#include <stdio.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "lib/log.h"

#define ADDRESS "unix:path=/run/systemd/private"
#define UNIT "systemd-networkd.service"
#define PATIENCE_US 5000000 /* with each of two calls: network.c waits longer than for both */

static int ask(sd_bus *bus, const char *method, const char *types, const char *mode, const char **why)
{
	static char text[256];
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int result = sd_bus_call_method(bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
					"org.freedesktop.systemd1.Manager", method, &error, NULL, types, UNIT,
					mode);

	snprintf(text, sizeof(text), "%s",
		 error.message ? error.message : strerror(result < 0 ? -result : 0));
	*why = text;
	sd_bus_error_free(&error);
	return result;
}

int networkd_reload(void)
{
	sd_bus *bus = NULL;
	const char *why = NULL;
	int error = sd_bus_new(&bus);

	if (error >= 0)
		error = sd_bus_set_address(bus, ADDRESS);
	if (error >= 0)
		error = sd_bus_set_method_call_timeout(bus, PATIENCE_US);
	if (error >= 0)
		error = sd_bus_start(bus);
	/* Many changes in a row would otherwise count as starts that fail. That it is not known yet is no matter. */
	if (error >= 0)
		ask(bus, "ResetFailedUnit", "s", NULL, &why);
	/* It reads its files at a reload where it can do that by itself, else when it is started anew; and before its first
	 * start there is nothing to do. */
	if (error >= 0)
		error = ask(bus, "ReloadOrTryRestartUnit", "ss", "replace", &why);
	if (error < 0)
		log_error("network: " UNIT " cannot be told of new settings: %s",
			  why ? why : strerror(-error));
	sd_bus_flush_close_unref(bus);
	return error < 0 ? error : 0;
}
