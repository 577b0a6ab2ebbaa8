/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvmnet-manager's configuration file (INI): every setting, its default and its bounds. */
#ifndef KVMNET_MANAGER_CONFIG_H
#define KVMNET_MANAGER_CONFIG_H

#include <limits.h>

#include "lib/ini.h"
#include "lib/log.h"

enum config_database { CONFIG_SQLITE, CONFIG_MARIADB };

struct config {
	/* [manager] */
	char state_dir[PATH_MAX]; /* keys, database; mode 0700, default /var/lib/kvmnet-manager */
	char web_dir[PATH_MAX];	  /* static pages, default /usr/share/kvmnet-manager/web */
	enum log_level log_level; /* default info */
	char name[INI_NAME_SIZE]; /* empty: the host name */
	char log_dir[PATH_MAX];	  /* default /var/lib/kvmnet-files/logs */
	/* [https] */
	char https_address[INI_ADDRESS_SIZE]; /* numeric; default "::" (both families) */
	uint16_t https_port;		      /* default 443 */
	/* [discovery] */
	bool discovery;					/* default yes */
	uint16_t discovery_port, discovery_second_port; /* UDP, default 3080 and 3081 */
	/* [database] */
	enum config_database database;	   /* default CONFIG_SQLITE, a file in state_dir */
	char database_socket[PATH_MAX];	   /* default /run/mysqld/mysqld.sock */
	char database_host[INI_NAME_SIZE]; /* empty: the socket */
	uint16_t database_port;		   /* default 3306 */
	char database_ca[PATH_MAX], database_certificate[PATH_MAX],
		database_key[PATH_MAX];	   /* PEM, for host */
	char database_folder[PATH_MAX];	   /* of the server in Replication; default /etc/mysql/kvmnet */
	char database_name[INI_NAME_SIZE]; /* default kvmnet */
	char database_user[INI_NAME_SIZE]; /* default kvmnet-manager */
	/* [ssh] */
	char shell_socket[PATH_MAX];	/* default /run/kvmnet-manager/shell */
	char shell_user[INI_NAME_SIZE]; /* default kvmnet-admin */
};

void config_defaults(struct config *config);
/* Reads path over the defaults. 0, or -1 after printing what is wrong to err; config is then not to be used. */
int config_read(struct config *config, const char *path, FILE *err);

#endif
