// SPDX-License-Identifier: GPL-2.0-or-later
/* Taking the address of a server apart, and writing it as URLs have it (RFC 3986 section 3.2.2, RFC 6874). */
#include "client/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

static bool port_of(const char *text, unsigned *port)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	*port = (unsigned)value;
	return *text >= '0' && *text <= '9' && !*end && value >= 1 && value <= 65535;
}

/* Where the host ends, and behind it nothing or a colon and the port; NULL: nowhere. */
static bool split(const char *text, struct address *address)
{
	const char *end = *text == '[' ? strchr(text, ']') : strchr(text, ':');
	size_t len;

	address->port = 443;
	if (*text == '[') {
		text++;
		if (!end || (end[1] && (end[1] != ':' || !port_of(end + 2, &address->port))))
			return false;
	} else if (end && !strchr(end + 1, ':')) {
		if (!port_of(end + 1, &address->port))
			return false;
	} else {
		end = text + strlen(text); /* no colon, or an IPv6 address without brackets */
	}
	len = (size_t)(end - text);
	if (!len || len >= sizeof(address->host))
		return false;
	memcpy(address->host, text, len);
	address->host[len] = '\0';
	return true;
}

bool address_parse(const char *text, struct address *address)
{
	char *host = address->host, port[16] = "";
	const char *zone;
	size_t len;
	bool six;

	memset(address, 0, sizeof(*address));
	if (!split(text, address))
		return false;
	for (char *at = host; *at && *at != '%'; at++)
		*at = *at >= 'A' && *at <= 'Z' ? (char)(*at - 'A' + 'a') : *at;
	zone = strchr(host, '%');
	len = zone ? (size_t)(zone - host) : strlen(host);
	six = strchr(host, ':') != NULL;
	if (!len || strspn(host, six ? "0123456789abcdef:." : letters) != len ||
	    (zone && (!six || !zone[1] || strlen(zone) > 32 || zone[1 + strspn(zone + 1, letters)])))
		return false;
	if (address->port != 443)
		snprintf(port, sizeof(port), ":%u", address->port);
	snprintf(address->origin, ADDRESS_URL_SIZE, six ? "https://[%.*s]%s" : "https://%.*s%s", (int)len,
		 host, port);
	if (zone)
		snprintf(address->base, ADDRESS_URL_SIZE, "https://[%.*s%%25%s]%s", (int)len, host, zone + 1,
			 port);
	else
		strcpy(address->base, address->origin);
	snprintf(address->name, ADDRESS_URL_SIZE, "[%s]:%u", host, address->port);
	return true;
}
