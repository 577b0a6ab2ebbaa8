/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the link's two files share: link.c has the thread and what others may touch, link_attempt.c one connection. */
#ifndef KVMNET_DEVICE_LINK_PARTS_H
#define KVMNET_DEVICE_LINK_PARTS_H

#include <jansson.h>

#include "device/link.h"

struct lws_context;

/* link_attempt.c: connects, and stays until the connection ends or link_wanted() says no. Whether the Manager has taken
 * us. */
bool link_attempt(struct link *link, const struct adoption *adoption, const struct adoption_address *address);

/* link.c, for that thread: */
void link_set_state(struct link *link, enum link_phase phase, const char *why);
/* Neither to be stopped nor to begin anew. */
bool link_wanted(struct link *link);
/* The library's context of the attempt, so that others can wake it; NULL: none. */
void link_publish(struct link *link, struct lws_context *context);
const struct link_host *link_host(const struct link *link);
void link_settings(struct link *link, struct settings *settings);
/* The newest status when it is another than the last that was taken, or with any; a new reference, or NULL. */
json_t *link_take_status(struct link *link, bool any);
/* The next {"response": ...}; NULL: none. */
json_t *link_take_response(struct link *link);
/* Takes request's body. false: too many are open. Once the link is to begin anew it is dropped: nobody waits for that
 * answer. */
bool link_put_request(struct link *link, struct link_message *request);

#endif
