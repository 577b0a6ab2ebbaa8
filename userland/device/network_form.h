/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An interface's settings as JSON (openapi.yaml, NetworkSettings), both ways. Nothing is set here. */
#ifndef KVMNET_DEVICE_NETWORK_FORM_H
#define KVMNET_DEVICE_NETWORK_FORM_H

#include <jansson.h>
#include <net/if.h>

#include "lib/network.h"

struct network_form {
	char interface[IFNAMSIZ];	  /* by its name */
	struct network_settings settings; /* without the hardware address: that is not known yet */
};

/* NULL and *form, or what is wrong, for a person. network_check() is still to be asked. */
const char *network_form_parse(const json_t *json, struct network_form *form);
/* Without the interface. NULL: out of memory. */
json_t *network_form_json(const struct network_settings *settings);

#endif
