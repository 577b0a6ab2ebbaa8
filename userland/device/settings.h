/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can be changed while kvmnetd runs, by its owner or its Manager: laid over kvmnetd.conf, kept in STATE_DIR/settings. */
#ifndef KVMNET_DEVICE_SETTINGS_H
#define KVMNET_DEVICE_SETTINGS_H

#include <stdint.h>

#include <jansson.h>

#include "device/adoption.h"
#include "device/config.h"

#define SETTINGS_TEXT_MAX 4096 /* bytes of JSON */

struct settings {
	uint64_t revision;	     /* whoever sets them counts them; 0: nobody did yet */
	uint32_t session_timeout_s;  /* 0: never */
	char name[CONFIG_NAME_SIZE]; /* in the network; empty: the host name */
	unsigned manager_count;	     /* 0: the addresses that came with the adoption */
	struct adoption_address managers[ADOPTION_ADDRESSES];
};

/* What kvmnetd.conf says. */
void settings_defaults(struct settings *settings, const struct config *config);
/* The object must have all members and no others. NULL and *settings, or what is wrong, for a person. */
const char *settings_parse(const json_t *json, struct settings *settings);
json_t *settings_json(const struct settings *settings); /* NULL: out of memory */

/* Over what settings holds; none stored changes nothing. 0, or -1 after logging why. */
int settings_load(const char *state_dir, struct settings *settings);
int settings_store(const char *state_dir, const struct settings *settings); /* 0, or -1 after logging */
int settings_forget(const char *state_dir);				    /* likewise */

#endif
