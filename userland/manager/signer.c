// SPDX-License-Identifier: GPL-2.0-or-later
/* An Ed25519 key in a file of its own. What a Ticket looks like is lib/ticket.c's. */
#include "manager/signer.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "lib/certificate.h"
#include "lib/log.h"

#define FILE_NAME "ticket.key"

struct signer {
	EVP_PKEY *key;
};

static EVP_PKEY *make_key(const char *state_dir)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

	if (!key)
		certificate_log("no key for Tickets can be made");
	if (key && !certificate_write_key(state_dir, FILE_NAME, key))
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

struct signer *signer_open(const char *state_dir)
{
	static const char advice[] =
		"put it back from a backup, or remove it and a new one is made, which Devices "
		"learn when they connect";
	struct signer *signer = calloc(1, sizeof(*signer));
	bool missing;

	if (!signer) {
		log_error("tickets: out of memory");
		return NULL;
	}
	signer->key = certificate_read_key(state_dir, FILE_NAME, "ED25519", advice, &missing);
	if (missing)
		signer->key = make_key(state_dir);
	if (signer->key)
		return signer;
	signer_close(signer);
	return NULL;
}

void signer_close(struct signer *signer)
{
	if (signer)
		EVP_PKEY_free(signer->key);
	free(signer);
}

json_t *signer_keys(const struct signer *signer)
{
	return ticket_keys_json(signer->key);
}

char *signer_sign(const struct signer *signer, struct ticket *ticket)
{
	char *text = NULL;

	ticket->issued = time(NULL);
	ticket->expires = ticket->issued + TICKET_LONGEST_S;
	if (RAND_bytes(ticket->id, sizeof(ticket->id)) == 1)
		text = ticket_sign(ticket, signer->key);
	if (!text)
		log_error("tickets: none can be signed for %s at \"%s\"", ticket->user, ticket->target);
	return text;
}
