// SPDX-License-Identifier: GPL-2.0-or-later
/* The form of network settings. Whether addresses make sense is lib/network.c's. */
#include "device/network_form.h"

#include <arpa/inet.h>
#include <string.h>

#define MEMBERS 4

static const char *const ways4[] = {
	[NETWORK_AUTO] = "dhcp", [NETWORK_STATIC] = "static", [NETWORK_OFF] = "off"
};
static const char *const ways6[] = {
	[NETWORK_AUTO] = "auto", [NETWORK_STATIC] = "static", [NETWORK_OFF] = "off"
};

/* The text of a JSON string that has no NUL within; NULL: it is none. */
static const char *text_of(const json_t *value)
{
	const char *text = json_string_value(value);

	return text && strlen(text) == json_string_length(value) ? text : NULL;
}

static bool take_address(const json_t *value, bool v6, uint8_t address[16])
{
	const char *text = text_of(value);

	return text && inet_pton(v6 ? AF_INET6 : AF_INET, text, address) == 1;
}

static const char *take_static(const json_t *json, bool v6, struct network_family *family)
{
	const json_t *prefix = json_object_get(json, "prefix"), *gateway = json_object_get(json, "gateway");

	if (json_object_size(json) != (gateway ? 4 : 3))
		return v6 ? "The member ipv6 has too many or too few members: static takes address, prefix and perhaps gateway." :
			    "The member ipv4 has too many or too few members: static takes address, prefix and perhaps gateway.";
	if (!take_address(json_object_get(json, "address"), v6, family->address))
		return v6 ? "The IPv6 address is none: one looks like 2001:db8::5." :
			    "The IPv4 address is none: one looks like 192.0.2.5.";
	if (!json_is_integer(prefix) || json_integer_value(prefix) < 1 || json_integer_value(prefix) > 128)
		return v6 ? "The IPv6 prefix must be a number from 1 to 128; most networks have 64." :
			    "The IPv4 prefix must be a number from 1 to 31, as 24 is for a mask of 255.255.255.0.";
	family->prefix = (uint8_t)json_integer_value(prefix);
	if (gateway && !json_is_null(gateway) && !take_address(gateway, v6, family->gateway))
		return v6 ? "The IPv6 gateway is no address: one looks like fe80::1; null: there is none." :
			    "The IPv4 gateway is no address: one looks like 192.0.2.1; null: there is none.";
	return NULL;
}

static const char *take_family(const json_t *json, bool v6, struct network_family *family)
{
	const char *mode = text_of(json_object_get(json, "mode"));
	uint8_t way = NETWORK_AUTO;

	while (mode && way <= NETWORK_OFF && strcmp(mode, (v6 ? ways6 : ways4)[way]))
		way++;
	if (!mode || way > NETWORK_OFF)
		return v6 ? "The member mode of ipv6 must be auto, static or off." :
			    "The member mode of ipv4 must be dhcp, static or off.";
	family->way = way;
	if (way == NETWORK_STATIC)
		return take_static(json, v6, family);
	if (json_object_size(json) != 1)
		return v6 ? "In the member ipv6, auto and off stand alone." :
			    "In the member ipv4, dhcp and off stand alone.";
	return NULL;
}

static const char *take_servers(const json_t *list, struct network_settings *settings)
{
	const json_t *entry;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > NETWORK_DNS)
		return "The member dns must be a list of up to 3 addresses; empty: those that the network names.";
	json_array_foreach(list, i, entry)
	{
		struct network_server *server = &settings->dns[i];
		bool v6 = text_of(entry) && strchr(text_of(entry), ':');

		if (!take_address(entry, v6, server->address))
			return "One of the members of dns is no address: a DNS server has no name.";
		server->version = v6 ? 6 : 4;
		settings->dns_count++;
	}
	return NULL;
}

const char *network_form_parse(const json_t *json, struct network_form *form)
{
	const char *interface = text_of(json_object_get(json, "interface"));
	const char *wrong;

	memset(form, 0, sizeof(*form));
	if (!json_is_object(json))
		return "The body must be one JSON object.";
	if (json_object_size(json) != MEMBERS)
		return "The object has too many or too few members.";
	if (!interface || !*interface || strlen(interface) >= sizeof(form->interface))
		return "The member interface must be the name of one of this Device's interfaces.";
	strcpy(form->interface, interface);
	wrong = take_family(json_object_get(json, "ipv4"), false, &form->settings.v4);
	if (!wrong)
		wrong = take_family(json_object_get(json, "ipv6"), true, &form->settings.v6);
	return wrong ? wrong : take_servers(json_object_get(json, "dns"), &form->settings);
}

static json_t *family_json(const struct network_family *family, bool v6)
{
	json_t *json = json_pack("{s:s}", "mode", (v6 ? ways6 : ways4)[family->way]);
	int af = v6 ? AF_INET6 : AF_INET;
	char text[INET6_ADDRSTRLEN];

	if (family->way != NETWORK_STATIC)
		return json;
	json_object_set_new(json, "address", json_string(inet_ntop(af, family->address, text, sizeof(text))));
	json_object_set_new(json, "prefix", json_integer(family->prefix));
	if (!network_is_zero(family->gateway, sizeof(family->gateway)))
		json_object_set_new(json, "gateway",
				    json_string(inet_ntop(af, family->gateway, text, sizeof(text))));
	return json;
}

json_t *network_form_json(const struct network_settings *settings)
{
	json_t *dns = json_array();
	char text[INET6_ADDRSTRLEN];

	for (unsigned i = 0; i < settings->dns_count; i++)
		json_array_append_new(
			dns, json_string(inet_ntop(settings->dns[i].version == 6 ? AF_INET6 : AF_INET,
						   settings->dns[i].address, text, sizeof(text))));
	return json_pack("{s:o, s:o, s:o}", "ipv4", family_json(&settings->v4, false), "ipv6",
			 family_json(&settings->v6, true), "dns", dns);
}
