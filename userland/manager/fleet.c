// SPDX-License-Identifier: GPL-2.0-or-later
/* A list of Devices. What is stored of them is store.h's, their links are link.c's. */
#include "manager/fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/ticket.h"

struct fleet_device *fleet_find(const struct fleet *fleet, const char *id)
{
	struct fleet_device *device = fleet->devices;

	while (device && strcmp(device->id, id))
		device = device->next;
	return device;
}

static void remove_device(struct fleet *fleet, struct fleet_device **at)
{
	struct fleet_device *device = *at;

	*at = device->next;
	fleet->found -= !device->adopted;
	json_decref(device->status);
	free(device);
}

void fleet_clear(struct fleet *fleet)
{
	while (fleet->devices)
		remove_device(fleet, &fleet->devices);
}

/* Whoever makes keys in bulk fills the list with them; who is really there is heard of again. */
static void make_room(struct fleet *fleet)
{
	struct fleet_device **oldest = NULL;

	for (struct fleet_device **at = &fleet->devices; *at; at = &(*at)->next)
		if (!(*at)->adopted && !(*at)->link && (!oldest || (*at)->heard < (*oldest)->heard))
			oldest = at;
	if (oldest)
		remove_device(fleet, oldest);
}

struct fleet_device *fleet_get(struct fleet *fleet, const char *id)
{
	struct fleet_device *device = fleet_find(fleet, id);

	if (device || strlen(id) >= CA_ID_SIZE)
		return device;
	if (fleet->found >= FLEET_FOUND_MAX)
		make_room(fleet);
	device = calloc(1, sizeof(*device));
	if (!device)
		return NULL;
	strcpy(device->id, id);
	device->next = fleet->devices;
	fleet->devices = device;
	fleet->found++;
	return device;
}

void fleet_set_adopted(struct fleet *fleet, struct fleet_device *device, bool adopted)
{
	if (device->adopted == adopted)
		return;
	device->adopted = adopted;
	if (adopted)
		fleet->found--;
	else
		fleet->found++;
}

static void hex(const uint8_t hash[DISCOVERY_ID_SIZE], char text[CA_ID_SIZE])
{
	for (unsigned i = 0; i < DISCOVERY_ID_SIZE; i++)
		sprintf(text + 2 * i, "%02x", hash[i]);
}

/* An address that is good on one link only does not take the place of another. */
static void take_address(struct fleet_device *device, const struct discovery_message *message,
			 const char *address)
{
	if (device->heard_port && strchr(address, '%') && !strchr(device->heard_address, '%'))
		return;
	snprintf(device->heard_address, sizeof(device->heard_address), "%s", address);
	device->heard_port = message->https_port;
	if (device->adopted)
		return;
	memcpy(device->address, device->heard_address, sizeof(device->address));
	device->port = device->heard_port;
}

void fleet_heard(struct fleet *fleet, const struct discovery_message *message, const char *address)
{
	struct fleet_device *device;
	char id[CA_ID_SIZE];

	hex(message->id, id);
	device = fleet_get(fleet, id);
	if (!device)
		return;
	device->heard = ++fleet->hearings;
	/* What is adopted tells its name over the link, which nobody else can. */
	if (!device->link)
		log_clean(device->name, sizeof(device->name), message->name);
	log_clean(device->model, sizeof(device->model), message->model);
	log_clean(device->firmware, sizeof(device->firmware), message->firmware);
	take_address(device, message, address);
	device->state = message->state;
	device->manager[0] = '\0';
	if (message->state == DISCOVERY_MANAGED)
		hex(message->manager, device->manager);
}

void fleet_say(struct fleet_device *device, const char *why)
{
	snprintf(device->why, sizeof(device->why), "%s", why);
}

/* One that still calls us its Manager, but was released here, is its owner's to adopt again. */
static const char *state_of(const struct fleet *fleet, const struct fleet_device *device)
{
	if (device->adopted)
		return "adopted";
	if (device->state == DISCOVERY_UNCLAIMED)
		return "unclaimed";
	if (device->state == DISCOVERY_MANAGED && strcmp(device->manager, ca_id(fleet->ca)))
		return "managed by another";
	return "stand-alone";
}

static json_t *device_json(const struct fleet *fleet, const struct fleet_device *device)
{
	json_t *json =
		json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:I}", "id", device->id, "name",
			  device->name, "address", device->address, "https_port", device->port, "model",
			  device->model, "firmware", device->firmware, "state", state_of(fleet, device),
			  "why", device->why, "settings_revision", (json_int_t)device->settings_revision);

	if (json && device->adopted)
		json_object_set_new(json, "link", json_string(device->link && device->ready ? "up" : "down"));
	if (json && device->status)
		json_object_set(json, "status", device->status);
	return json;
}

json_t *fleet_json(const struct fleet *fleet)
{
	json_t *list = json_array();

	for (const struct fleet_device *device = fleet->devices; device; device = device->next)
		json_array_append_new(list, device_json(fleet, device));
	return json_pack("{s:o}", "devices", list);
}

/* Whose sessions there are. */
static json_t *users_of(const json_t *status)
{
	const json_t *sessions = json_object_get(status, "sessions"), *session;
	json_t *users = json_array();
	size_t i;

	json_array_foreach(sessions, i, session)
	{
		const char *user = json_string_value(json_object_get(session, "user"));

		if (user)
			json_array_append_new(users, json_string(user));
	}
	return users;
}

json_t *fleet_target_json(const struct fleet_device *device, unsigned rights)
{
	json_t *users = users_of(device->status);
	const char *state = !device->link || !device->ready ? "unavailable" :
			    json_array_size(users)	    ? "active" :
							      "idle";
	json_t *json = json_pack("{s:s, s:s, s:s, s:o, s:o}", "id", device->id, "name", device->name, "state",
				 state, "users", users, "rights", ticket_rights_json(rights));

	if (json && json_object_get(device->status, "capture"))
		json_object_set(json, "capture", json_object_get(device->status, "capture"));
	return json;
}
