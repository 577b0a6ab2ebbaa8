/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices as the Manager knows them at this moment: found, adopted, linked. Belongs to the web thread. */
#ifndef KVMNET_MANAGER_FLEET_H
#define KVMNET_MANAGER_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "lib/discovery.h"
#include "manager/ca.h"

#define FLEET_ADDRESS_SIZE 64
#define FLEET_WHY_SIZE 256
#define FLEET_FOUND_MAX 4096 /* that are not adopted; then the one not heard of for longest makes room */

struct link;

struct fleet_device {
	struct fleet_device *next;
	char id[CA_ID_SIZE];
	char name[DISCOVERY_TEXT_SIZE], model[DISCOVERY_TEXT_SIZE], firmware[DISCOVERY_TEXT_SIZE];
	/* Where people are sent, numeric and without a port: of one that is adopted it is where its adoption was, then
	 * where its link comes from, and never what a datagram says. */
	char address[FLEET_ADDRESS_SIZE];
	uint16_t port;
	char heard_address
		[FLEET_ADDRESS_SIZE]; /* where discovery last heard it, for adoption, which proves its key */
	uint16_t heard_port;	      /* 0: it did not */
	enum discovery_state state;   /* as it says of itself; 0: not heard of */
	char manager[CA_ID_SIZE];     /* DISCOVERY_MANAGED */
	bool adopted;		      /* by us */
	uint64_t heard;		      /* grows with each time that one is heard of */
	int64_t starts;		      /* its certificate, since 1970 */
	int64_t renew;		      /* when its certificate is next to be renewed; while it is linked */
	int64_t settings_revision;    /* confirmed */
	struct link *link;	      /* accepted; NULL: none */
	bool ready;		      /* it has been told over that link how Tickets are signed */
	char why[FLEET_WHY_SIZE];     /* it is not linked, for people */
	json_t *status;		      /* as the link last told; NULL: not linked */
};

struct fleet {
	const struct ca *ca;
	struct fleet_device *devices;
	unsigned found; /* that are not adopted */
	uint64_t hearings;
};

void fleet_clear(struct fleet *fleet);
struct fleet_device *fleet_find(const struct fleet *fleet, const char *id);
/* Also one that is new. It may push another out that is neither adopted nor linked: keep ids, not pointers, of those.
 * NULL: out of memory. */
struct fleet_device *fleet_get(struct fleet *fleet, const char *id);
/* Adopted, or not any more. */
void fleet_set_adopted(struct fleet *fleet, struct fleet_device *device, bool adopted);
/* What a Device said of itself in discovery, and from where: a hint, which no more than the list is made of. */
void fleet_heard(struct fleet *fleet, const struct discovery_message *message, const char *address);
void fleet_say(struct fleet_device *device, const char *why);
json_t *fleet_json(const struct fleet *fleet);
/* What a person with those rights sees of its Target. */
json_t *fleet_target_json(const struct fleet_device *device, unsigned rights);

#endif
