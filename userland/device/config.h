/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvmnetd's configuration file (INI): every setting, its default and its bounds. */
#ifndef KVMNET_DEVICE_CONFIG_H
#define KVMNET_DEVICE_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/ini.h"
#include "lib/log.h"

#define CONFIG_MANAGERS 8
#define CONFIG_MANAGER_SIZE 192 /* a line is not longer */
#define CONFIG_NAME_SIZE INI_NAME_SIZE

struct config_managers {
	unsigned count;
	char name[CONFIG_MANAGERS][CONFIG_MANAGER_SIZE]; /* or address in numbers */
};

struct config {
	/* [device] */
	char state_dir[PATH_MAX]; /* identity, accounts; mode 0700, default /var/lib/kvmnet */
	char web_dir[PATH_MAX];	  /* static pages, default /usr/share/kvmnet/web */
	enum log_level log_level; /* default info */
	/* [capture] */
	char capture[PATH_MAX]; /* "/dev/kvmcap0", or "unix:PATH" for the user-space ring */
	/* [hid] */
	char keyboard[PATH_MAX]; /* "/dev/hidg0", or "unix:PATH" (SOCK_SEQPACKET) for development */
	char pointer[PATH_MAX];	 /* "/dev/hidg1", likewise */
	char udc[PATH_MAX];	 /* UDC's sysfs folder, empty: the only one there is, "none": without */
	/* [session] */
	char address[INI_ADDRESS_SIZE]; /* numeric; default "::" (both families) */
	uint16_t first_port;		/* video channel, default 900; keyboard and mouse are the next two */
	bool stock_viewers;		/* VeNCrypt X509Plain on the video port, also TLS 1.2; default yes */
	uint32_t idle_timeout_s;	/* 0: never; default 0 */
	/* [https] */
	char https_address[INI_ADDRESS_SIZE];
	uint16_t https_port; /* default 443 */
	/* [discovery] */
	bool discovery;		  /* default yes */
	bool discovery_broadcast; /* mode = auto, the default; else only to managers */
	struct config_managers managers;
	uint16_t discovery_port, discovery_second_port; /* UDP, default 3080 and 3081 */
	char discovery_name[CONFIG_NAME_SIZE];		/* empty: the host name */
};

void config_defaults(struct config *config);
/* Reads path over the defaults. On error prints "FILE:LINE: what is wrong, what is right" for each
 * to err and returns -1; config is then not to be used. */
int config_read(struct config *config, const char *path, FILE *err);
/* The same from memory, for tests and the fuzzer; name is what messages call it. */
int config_parse(struct config *config, const char *text, size_t len, const char *name, FILE *err);

#endif
