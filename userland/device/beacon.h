/* SPDX-License-Identifier: GPL-2.0-or-later */
/* This Device in discovery: it announces itself and answers who asks. Nothing that it hears changes anything here. */
#ifndef KVMNET_DEVICE_BEACON_H
#define KVMNET_DEVICE_BEACON_H

#include "device/server.h"

struct beacon;

/* NULL when [discovery] says no, or after logging why it cannot be: a Device that is not found still serves. */
struct beacon *beacon_open(struct server *server, const struct identity *identity);
void beacon_close(struct beacon *beacon);
/* What this Device says of itself is other than before: it announces again. beacon may be NULL. */
void beacon_changed(struct beacon *beacon);

#endif
