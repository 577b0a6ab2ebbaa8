/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of logins: tokens come and go, idle and old ones expire. */
#include "lib/login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "lib/loop.h"

#define LOGINS 64
#define SECOND_NS 1000000000ULL

struct login_table {
	struct login logins[LOGINS];
	uint32_t last_id;
};

struct login_table *login_table_new(void)
{
	return calloc(1, sizeof(struct login_table));
}

void login_table_free(struct login_table *table)
{
	if (table)
		OPENSSL_cleanse(table, sizeof(*table));
	free(table);
}

static bool hash_token(const char *token, size_t len, unsigned char hash[32])
{
	return EVP_Digest(token, len, hash, NULL, EVP_sha256(), NULL) == 1;
}

static void end(struct login *login)
{
	OPENSSL_cleanse(login, sizeof(*login));
}

static bool holds(struct login *login)
{
	uint64_t now = loop_now_ns();

	if (!login->id)
		return false;
	if (now - login->since_ns < LOGIN_LONGEST_S * SECOND_NS &&
	    now - login->used_ns < LOGIN_IDLE_S * SECOND_NS)
		return true;
	end(login);
	return false;
}

static unsigned count_of(const struct login_table *table, const char *user)
{
	unsigned count = 0;

	for (unsigned i = 0; i < LOGINS; i++)
		count += table->logins[i].id && !strcmp(table->logins[i].user, user);
	return count;
}

/* Whoever has the most makes room: so nobody logs others out by logging in again and again. */
static struct login *free_place(struct login_table *table)
{
	struct login *oldest = NULL;
	unsigned most = 0;

	for (unsigned i = 0; i < LOGINS; i++) {
		struct login *login = &table->logins[i];
		unsigned count;

		if (!holds(login))
			return login;
		count = count_of(table, login->user);
		if (count > most || (count == most && login->used_ns < oldest->used_ns)) {
			oldest = login;
			most = count;
		}
	}
	return oldest;
}

bool login_begin(struct login_table *table, const char *user, unsigned rights, char token[LOGIN_TOKEN_SIZE])
{
	struct login *login = free_place(table);
	unsigned char bytes[32];

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	for (unsigned i = 0; i < sizeof(bytes); i++)
		snprintf(token + 2 * i, 3, "%02x", bytes[i]);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	end(login);
	if (!hash_token(token, LOGIN_TOKEN_SIZE - 1, login->hash))
		return false;
	login->id = ++table->last_id;
	snprintf(login->user, sizeof(login->user), "%s", user);
	login->rights = rights;
	login->since_ns = login->used_ns = loop_now_ns();
	return true;
}

const struct login *login_find(struct login_table *table, const char *token, size_t len)
{
	unsigned char hash[32];

	if (len != LOGIN_TOKEN_SIZE - 1 || !hash_token(token, len, hash))
		return NULL;
	for (unsigned i = 0; i < LOGINS; i++) {
		struct login *login = &table->logins[i];

		if (!login->id || CRYPTO_memcmp(login->hash, hash, sizeof(hash)) || !holds(login))
			continue;
		login->used_ns = loop_now_ns();
		return login;
	}
	return NULL;
}

static struct login *by_id(struct login_table *table, uint32_t id)
{
	for (unsigned i = 0; i < LOGINS; i++)
		if (id && table->logins[i].id == id)
			return &table->logins[i];
	return NULL;
}

bool login_alive(struct login_table *table, uint32_t id)
{
	struct login *login = by_id(table, id);

	if (!login || !holds(login))
		return false;
	login->used_ns = loop_now_ns();
	return true;
}

void login_end(struct login_table *table, uint32_t id)
{
	struct login *login = by_id(table, id);

	if (login)
		end(login);
}

unsigned login_end_others(struct login_table *table, const char *user, uint32_t keep)
{
	unsigned ended = 0;

	for (unsigned i = 0; i < LOGINS; i++) {
		struct login *login = &table->logins[i];

		if (login->id && login->id != keep && (!user || !strcmp(login->user, user))) {
			end(login);
			ended++;
		}
	}
	return ended;
}

void login_end_without(struct login_table *table, const char *user, unsigned rights)
{
	for (unsigned i = 0; i < LOGINS; i++) {
		struct login *login = &table->logins[i];

		if (login->id && (login->rights & rights) != rights && (!user || !strcmp(login->user, user)))
			end(login);
	}
}
