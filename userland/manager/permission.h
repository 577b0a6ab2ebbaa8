/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one place where it is decided who may do what. Which Targets are whose is the store's (store_permitted()). */
#ifndef KVMNET_MANAGER_PERMISSION_H
#define KVMNET_MANAGER_PERMISSION_H

#include <stdbool.h>

#include "manager/account.h"

/* What a request asks for. */
enum permission {
	PERMISSION_STATE,  /* what everybody may know, before the claim too */
	PERMISSION_COME,   /* log in */
	PERMISSION_LEAVE,  /* one's own log-in and password */
	PERMISSION_OPEN,   /* see and open Targets that are one's own to open */
	PERMISSION_MANAGE, /* Devices, settings, users, groups, sets, the audit */
	PERMISSIONS,
};

/* type: 0 for who is not logged in. */
bool permission_given(enum permission permission, enum account_type type);
/* What a Ticket for a Target says that its person may; of lib/ticket.h. listed: it is in a set of one of his groups. */
unsigned permission_rights(enum account_type type, bool listed);

#endif
