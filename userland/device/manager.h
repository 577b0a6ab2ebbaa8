/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Manager that this Device has, if it has one: asked and changed by every thread. */
#ifndef KVMNET_DEVICE_MANAGER_H
#define KVMNET_DEVICE_MANAGER_H

#include "device/adoption.h"

struct manager;

enum manager_result {
	MANAGER_OK,
	MANAGER_INVALID,  /* what was brought is not sound */
	MANAGER_OTHER,	  /* this Device belongs to another one */
	MANAGER_STRANGER, /* only an owner who is logged in may do this */
	MANAGER_FAILED,	  /* could not be stored: see the log */
};

/* Reads STATE_DIR/adoption; own is this Device's key, borrowed. NULL after logging why. */
struct manager *manager_open(const char *state_dir, EVP_PKEY *own);
void manager_close(struct manager *manager);

/* false: it has none. */
bool manager_id(struct manager *manager, uint8_t id[CERTIFICATE_ID_SIZE]);
/* What was agreed, to be freed; NULL: it has none, or out of memory. */
struct adoption *manager_adoption(struct manager *manager);

/* Whether the link to it is up, as the link says. */
void manager_set_linked(struct manager *manager, bool linked);
/* It decides who opens a session here. Not while it is away: then the owner may, as from behind broken glass. */
bool manager_decides(struct manager *manager);

/* Takes adoption, whatever the result. logged_in: an owner asks; without one only a renewal is taken. why: NULL, or a
 * sentence that says more than manager_text(). On the disk when this returns. */
enum manager_result manager_adopt(struct manager *manager, struct adoption *adoption, bool logged_in,
				  const char **why);
enum manager_result manager_leave(struct manager *manager); /* having none is as good */
/* A sentence a person can act on. */
const char *manager_text(enum manager_result result);

#endif
