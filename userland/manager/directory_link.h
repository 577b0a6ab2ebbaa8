/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One connection to the directory (LDAP version 3, RFC 4511): always TLS 1.2 or newer, always with a certificate that
 * was verified, and never without a password. Blocks, for bounded times. */
#ifndef KVMNET_MANAGER_DIRECTORY_LINK_H
#define KVMNET_MANAGER_DIRECTORY_LINK_H

#include <ldap.h>

#include "manager/directory_settings.h"

#define DIRECTORY_WHY_SIZE 1024
#define DIRECTORY_WAIT_S 5 /* for a connection, and for each answer */

enum directory_result {
	DIRECTORY_DONE,
	DIRECTORY_WRONG,  /* the directory does not take that name and password */
	DIRECTORY_FAILED, /* why says why, and what to do, to an administrator */
};

struct directory_link {
	LDAP *ldap;
	const struct directory_settings *settings;
	char why[DIRECTORY_WHY_SIZE];
};

/* Once, while there is one thread: no file and no variable of this machine has a say in what libldap does. */
bool directory_link_prepare(void);

/* Connects, and binds as the Manager itself. ca_file: a file with settings->ca, which is all that is believed.
 * DIRECTORY_DONE or _FAILED; closed in either case by directory_link_close(). */
enum directory_result directory_link_open(struct directory_link *link,
					  const struct directory_settings *settings, const char *ca_file);
void directory_link_close(struct directory_link *link);

/* From now on the link is dn's. A bind with an empty password would succeed as nobody's (RFC 4513 section 5.1.2): it is
 * DIRECTORY_WRONG without being sent. */
enum directory_result directory_link_bind(struct directory_link *link, const char *dn, const char *password);

/* All that there is to answer message number (a negative one is the failure to send it), to be freed by ldap_msgfree(); NULL and why. */
LDAPMessage *directory_link_await(struct directory_link *link, const char *doing, int error, int number);

/* Puts into why that doing failed, with an LDAP result code and what the server said. Returns DIRECTORY_FAILED. */
enum directory_result directory_link_fail(struct directory_link *link, const char *doing, int error);

#endif
