/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Argon2id (RFC 9106) by libargon2, with OWASP's smallest parameters. Knows no users and no limits. */
#include "lib/password.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <argon2.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#define MEMORY_KIB 19456
#define PASSES 2
#define LANES 1
#define SALT_SIZE 16
#define HASH_SIZE 32
#define AT_ONCE 2

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t left = PTHREAD_COND_INITIALIZER;
static unsigned inside;

void password_enter(void)
{
	pthread_mutex_lock(&mutex);
	while (inside == AT_ONCE)
		pthread_cond_wait(&left, &mutex);
	inside++;
	pthread_mutex_unlock(&mutex);
}

void password_leave(void)
{
	pthread_mutex_lock(&mutex);
	inside--;
	pthread_cond_signal(&left);
	pthread_mutex_unlock(&mutex);
}

bool password_hash(const char *password, char hash[PASSWORD_HASH_MAX])
{
	unsigned char salt[SALT_SIZE];

	return RAND_bytes(salt, sizeof(salt)) == 1 &&
	       argon2id_hash_encoded(PASSES, MEMORY_KIB, LANES, password, strlen(password), salt,
				     sizeof(salt), HASH_SIZE, hash, PASSWORD_HASH_MAX) == ARGON2_OK;
}

bool password_hash_nobody(char hash[PASSWORD_HASH_MAX])
{
	char random[33] = "";
	unsigned char bytes[16];
	bool ok;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	for (unsigned i = 0; i < sizeof(bytes); i++)
		snprintf(random + 2 * i, 3, "%02x", bytes[i]);
	ok = password_hash(random, hash);
	OPENSSL_cleanse(random, sizeof(random));
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return ok;
}

bool password_matches(const char *hash, const char *password)
{
	return argon2id_verify(hash, password, strlen(password)) == ARGON2_OK;
}

bool password_hash_valid(const char *hash)
{
	unsigned memory, passes, lanes;
	int used = 0;

	return strlen(hash) < PASSWORD_HASH_MAX &&
	       sscanf(hash, "$argon2id$v=19$m=%6u,t=%2u,p=%1u$%n", &memory, &passes, &lanes, &used) == 3 &&
	       used && memory >= 8 && memory <= 262144 && passes >= 1 && lanes >= 1 &&
	       strchr(hash + used, '$');
}
