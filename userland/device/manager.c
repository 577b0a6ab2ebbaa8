// SPDX-License-Identifier: GPL-2.0-or-later
/* One adoption under a mutex. What makes it sound, and its file, is adoption.c's. */
#include "device/manager.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

struct manager {
	pthread_mutex_t change; /* one change at a time, which waits for the disk */
	pthread_mutex_t mutex;	/* adoption; held for moments only, also by who has change */
	char *state_dir;
	EVP_PKEY *own;
	struct adoption *adoption; /* NULL: none */
	bool linked;
};

struct manager *manager_open(const char *state_dir, EVP_PKEY *own)
{
	struct manager *manager = calloc(1, sizeof(*manager));

	if (!manager) {
		log_error("manager: out of memory");
		return NULL;
	}
	pthread_mutex_init(&manager->change, NULL);
	pthread_mutex_init(&manager->mutex, NULL);
	manager->own = own;
	manager->state_dir = strdup(state_dir);
	if (manager->state_dir && !adoption_load(state_dir, &manager->adoption))
		return manager;
	manager_close(manager);
	return NULL;
}

void manager_close(struct manager *manager)
{
	if (!manager)
		return;
	adoption_free(manager->adoption);
	pthread_mutex_destroy(&manager->mutex);
	pthread_mutex_destroy(&manager->change);
	free(manager->state_dir);
	free(manager);
}

bool manager_id(struct manager *manager, uint8_t id[CERTIFICATE_ID_SIZE])
{
	bool managed;

	pthread_mutex_lock(&manager->mutex);
	managed = manager->adoption;
	if (managed)
		managed = certificate_id(X509_get0_pubkey(manager->adoption->ca), id);
	pthread_mutex_unlock(&manager->mutex);
	return managed;
}

struct adoption *manager_adoption(struct manager *manager)
{
	struct adoption *copy = NULL;

	pthread_mutex_lock(&manager->mutex);
	if (manager->adoption)
		copy = malloc(sizeof(*copy));
	if (copy) {
		*copy = *manager->adoption;
		X509_up_ref(copy->ca);
		X509_up_ref(copy->certificate);
	}
	pthread_mutex_unlock(&manager->mutex);
	return copy;
}

void manager_set_linked(struct manager *manager, bool linked)
{
	pthread_mutex_lock(&manager->mutex);
	manager->linked = linked;
	pthread_mutex_unlock(&manager->mutex);
}

bool manager_decides(struct manager *manager)
{
	bool decides;

	pthread_mutex_lock(&manager->mutex);
	decides = manager->adoption && manager->linked;
	pthread_mutex_unlock(&manager->mutex);
	return decides;
}

/* With the right to change: may it take the place of what is there? */
static enum manager_result judge(const struct manager *manager, struct adoption *adoption, bool logged_in,
				 const char **why)
{
	const struct adoption *before = manager->adoption;

	*why = NULL;
	/* Strangers are not worth the signatures that they bring. */
	if (!logged_in && !adoption_same_authority(adoption, before))
		return MANAGER_STRANGER;
	*why = adoption_judge(adoption, manager->own, time(NULL));
	if (*why)
		return MANAGER_INVALID;
	/* A renewal leaves all but the certificates, the name and the addresses as it was. */
	if (adoption_same_authority(adoption, before))
		adoption->sole_owner = before->sole_owner;
	if (adoption_renews(adoption, before))
		return MANAGER_OK;
	if (!logged_in)
		return MANAGER_STRANGER;
	return before && strcmp(before->id, adoption->id) ? MANAGER_OTHER : MANAGER_OK;
}

/* With the right to change; takes adoption. */
static void put(struct manager *manager, struct adoption *adoption)
{
	struct adoption *before;

	pthread_mutex_lock(&manager->mutex);
	before = manager->adoption;
	manager->adoption = adoption;
	pthread_mutex_unlock(&manager->mutex);
	adoption_free(before);
}

enum manager_result manager_adopt(struct manager *manager, struct adoption *adoption, bool logged_in,
				  const char **why)
{
	enum manager_result result;

	pthread_mutex_lock(&manager->change);
	result = judge(manager, adoption, logged_in, why);
	if (result == MANAGER_OK && adoption_store(manager->state_dir, adoption))
		result = MANAGER_FAILED;
	if (result == MANAGER_OK)
		put(manager, adoption);
	else
		adoption_free(adoption);
	pthread_mutex_unlock(&manager->change);
	return result;
}

enum manager_result manager_leave(struct manager *manager)
{
	enum manager_result result = MANAGER_OK;

	pthread_mutex_lock(&manager->change);
	if (adoption_forget(manager->state_dir))
		result = MANAGER_FAILED;
	else
		put(manager, NULL);
	pthread_mutex_unlock(&manager->change);
	return result;
}

const char *manager_text(enum manager_result result)
{
	switch (result) {
	case MANAGER_OK:
		return "Done.";
	case MANAGER_INVALID:
		return "What the Manager brought is not sound.";
	case MANAGER_OTHER:
		return "This Device belongs to another Manager: it must be released there first.";
	case MANAGER_STRANGER:
		return "Log in first.";
	case MANAGER_FAILED:
		break;
	}
	return "It could not be stored. The Device's log says why.";
}
