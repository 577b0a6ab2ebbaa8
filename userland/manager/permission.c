// SPDX-License-Identifier: GPL-2.0-or-later
/* A table, and the rights of Tickets. */
#include "manager/permission.h"

#include "lib/ticket.h"

#define ANY 1u
#define ADMINISTRATOR (1u << ACCOUNT_ADMINISTRATOR)
#define USER (1u << ACCOUNT_USER)
#define VIEWONLY (1u << ACCOUNT_VIEWONLY)
#define KEEPER (1u << ACCOUNT_KEEPER)
#define GUEST (ADMINISTRATOR | USER | VIEWONLY)
#define PERSON (GUEST | KEEPER)

static const unsigned given[PERMISSIONS] = {
	[PERMISSION_STATE] = ANY | PERSON,
	[PERMISSION_COME] = ANY | PERSON,
	[PERMISSION_LEAVE] = PERSON,
	[PERMISSION_OPEN] = GUEST,
	[PERMISSION_MANAGE] = ADMINISTRATOR | KEEPER,
};

bool permission_given(enum permission permission, enum account_type type)
{
	return given[permission] & 1u << type;
}

unsigned permission_rights(enum account_type type, bool listed)
{
	switch (type) {
	case ACCOUNT_ADMINISTRATOR:
		return TICKET_VIEW | TICKET_CONTROL | TICKET_MEDIA | TICKET_POWER;
	case ACCOUNT_USER:
		return listed ? TICKET_VIEW | TICKET_CONTROL | TICKET_MEDIA | TICKET_POWER : 0;
	case ACCOUNT_VIEWONLY:
		return listed ? TICKET_VIEW : 0;
	default: /* the keeper manages, and opens none */
		break;
	}
	return 0;
}
