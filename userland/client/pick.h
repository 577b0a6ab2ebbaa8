/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which of a list of Devices or Targets a person means. Pure. */
#ifndef KVMNET_CLIENT_PICK_H
#define KVMNET_CLIENT_PICK_H

#include <stdbool.h>

#include <jansson.h>

#define PICK_ID_DIGITS 64
#define PICK_SHORT 8 /* digits of an id that are enough */

/* By its whole id, by the start of its id or by its name; NULL: none, or several, as *several says. Every member with
 * an "id" that is none is passed over. */
const json_t *pick(const json_t *list, const char *text, bool *several);
/* The id of what was picked. */
const char *pick_id(const json_t *item);

#endif
