/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a person says that a Device or a Manager is: HOST, HOST:PORT, ADDRESS6 or [ADDRESS6]:PORT. Pure. */
#ifndef KVMNET_CLIENT_ADDRESS_H
#define KVMNET_CLIENT_ADDRESS_H

#include <stdbool.h>

#define ADDRESS_HOST_SIZE 256
#define ADDRESS_URL_SIZE 320

struct address {
	char host[ADDRESS_HOST_SIZE]; /* without brackets, with its zone */
	unsigned port;
	char origin[ADDRESS_URL_SIZE]; /* as RFC 6454: no zone, and no port where it is 443 */
	char base[ADDRESS_URL_SIZE];   /* of URLs: with the zone */
	char name[ADDRESS_URL_SIZE];   /* [HOST]:PORT, one text for each place */
};

bool address_parse(const char *text, struct address *address);

#endif
