/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which directory people are imported from and checked by, as a JSON document. Parsed in bounds, for API and fuzzer. */
#ifndef KVMNET_MANAGER_DIRECTORY_SETTINGS_H
#define KVMNET_MANAGER_DIRECTORY_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "manager/account.h"

#define DIRECTORY_HOST_SIZE 254 /* RFC 1035 2.3.4, and NUL */
#define DIRECTORY_URL_SIZE 280	/* with scheme and port */
#define DIRECTORY_DN_SIZE 513	/* bytes of UTF-8, and NUL */
#define DIRECTORY_FILTER_SIZE 1025
#define DIRECTORY_ATTRIBUTE_SIZE 65
#define DIRECTORY_SECRET_SIZE 257
#define DIRECTORY_CA_SIZE 32769
#define DIRECTORY_GROUPS_MAX 64

struct directory_group {
	char dn[DIRECTORY_DN_SIZE]; /* a group of the directory, whose members... */
	int64_t group;		    /* ... are in this User Group */
};

struct directory_settings {
	char url[DIRECTORY_URL_SIZE];	/* "ldap://HOST:PORT", always with StartTLS, or "ldaps://HOST:PORT" */
	char host[DIRECTORY_HOST_SIZE]; /* what its certificate is for; an IPv6 address without brackets */
	bool ldaps;
	char ca[DIRECTORY_CA_SIZE]; /* PEM */
	char bind_dn[DIRECTORY_DN_SIZE], bind_password[DIRECTORY_SECRET_SIZE];
	char base[DIRECTORY_DN_SIZE];
	char filter[DIRECTORY_FILTER_SIZE];
	char group[DIRECTORY_DN_SIZE]; /* only its members are imported; "": all */
	char name_attribute[DIRECTORY_ATTRIBUTE_SIZE];
	enum account_type type; /* of those that are new */
	unsigned group_count;
	struct directory_group groups[DIRECTORY_GROUPS_MAX];
};

/* NULL and *wrong, for a person. What is given is freed, and its password wiped, by directory_settings_free(). */
struct directory_settings *directory_settings_new(const json_t *json, const char **wrong);
void directory_settings_free(struct directory_settings *settings);

/* Of fresh, which has no bind_password: may it go on with the one of old? Only where it is sent to whom it was given to:
 * else whoever does not know it could have it sent to himself. */
bool directory_settings_may_keep(const json_t *old, const json_t *fresh);

#endif
