/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What somebody may do here: what a Ticket permits (enum ticket_right), and what only this Device's owner or Manager may. */
#ifndef KVMNET_DEVICE_RIGHTS_H
#define KVMNET_DEVICE_RIGHTS_H

#include "lib/ticket.h"

#define RIGHT_VIEW TICKET_VIEW
#define RIGHT_CONTROL TICKET_CONTROL
#define RIGHT_OWNER (1u << 16) /* set it up, end other people's sessions */
#define RIGHTS_SESSION (TICKET_VIEW | TICKET_CONTROL | TICKET_MEDIA | TICKET_POWER | TICKET_EXCLUSIVE)
#define RIGHTS_ALL (RIGHT_OWNER | RIGHTS_SESSION)

#endif
