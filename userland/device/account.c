/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Device's users, in memory and on the disk. Sessions and cookies are api.c's;
 * hashes are password.c's, the claim code claim.c's, limits on guessing either guess.c's.
 */
#include "device/account.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/crypto.h>

#include "lib/claim.h"
#include "lib/guess.h"
#include "lib/log.h"
#include "lib/password.h"
#include "lib/source.h"
#include "lib/state.h"
#include "lib/user.h"

#define FILE_NAME "accounts"
#define FILE_MAX 65536
#define FILE_VERSION 1
#define USERS_MAX 32

struct user {
	char name[USER_NAME_MAX + 1];
	char hash[PASSWORD_HASH_MAX];
};

struct account_store {
	pthread_mutex_t mutex; /* everything below; never held while a hash is computed */
	char *state_dir;
	struct user users[USERS_MAX];
	unsigned user_count;
	struct claim claim;
	char nobody[PASSWORD_HASH_MAX]; /* what an unknown user's password is compared with */
	struct guess_table *guesses;
};

static bool load_user(struct account_store *store, const json_t *entry)
{
	struct user *user = &store->users[store->user_count];
	const char *name = json_string_value(json_object_get(entry, "name"));
	const char *hash = json_string_value(json_object_get(entry, "hash"));

	if (!name || !hash || !user_name_valid(name) || !password_hash_valid(hash))
		return false;
	for (unsigned i = 0; i < store->user_count; i++)
		if (!strcmp(store->users[i].name, name))
			return false;
	snprintf(user->name, sizeof(user->name), "%s", name);
	snprintf(user->hash, sizeof(user->hash), "%s", hash);
	store->user_count++;
	return true;
}

static bool load_users(struct account_store *store, const json_t *root)
{
	const json_t *users = json_object_get(root, "users"), *entry;
	size_t i;

	if (json_integer_value(json_object_get(root, "version")) != FILE_VERSION || !json_is_array(users) ||
	    !json_array_size(users) || json_array_size(users) > USERS_MAX)
		return false;
	json_array_foreach(users, i, entry) if (!load_user(store, entry)) return false;
	return true;
}

/* A file that cannot be understood is never taken for "no owner yet": that would hand the Device to the next comer. */
static bool load(struct account_store *store)
{
	size_t len;
	char *text = state_read(store->state_dir, FILE_NAME, FILE_MAX, &len);
	json_t *root;
	bool ok;

	if (!text)
		return errno == ENOENT;
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	ok = root && load_users(store, root);
	json_decref(root);
	OPENSSL_cleanse(text, len);
	free(text);
	if (!ok)
		log_error("%s/" FILE_NAME
			  " is damaged: put it back from a backup, or remove it to claim this Device anew",
			  store->state_dir);
	return ok;
}

/* Called with the mutex held: the file is small, and the next login must see it. */
static bool save(struct account_store *store)
{
	json_t *users = json_array(),
	       *root = json_pack("{s:i, s:o}", "version", FILE_VERSION, "users", users);
	char *text = NULL;
	bool ok = root;

	for (unsigned i = 0; ok && i < store->user_count; i++)
		ok = !json_array_append_new(users, json_pack("{s:s, s:s}", "name", store->users[i].name,
							     "hash", store->users[i].hash));
	if (ok)
		text = json_dumps(root, JSON_INDENT(2));
	ok = text && !state_write(store->state_dir, FILE_NAME, text, strlen(text));
	json_decref(root);
	if (text)
		OPENSSL_cleanse(text, strlen(text));
	free(text);
	return ok;
}

static bool set_up(struct account_store *store, const char *state_dir)
{
	bool ok;

	pthread_mutex_init(&store->mutex, NULL);
	store->state_dir = strdup(state_dir);
	store->guesses = guess_table_new();
	if (!store->state_dir || !store->guesses || state_prepare(state_dir) || !load(store))
		return false;
	password_enter();
	ok = password_hash_nobody(store->nobody);
	password_leave();
	return ok && (store->user_count || claim_start(&store->claim));
}

struct account_store *account_open(const char *state_dir)
{
	struct account_store *store = calloc(1, sizeof(*store));

	if (store && set_up(store, state_dir))
		return store;
	log_error("the accounts in %s cannot be opened", state_dir);
	account_close(store);
	return NULL;
}

void account_close(struct account_store *store)
{
	if (!store)
		return;
	pthread_mutex_destroy(&store->mutex);
	guess_table_free(store->guesses);
	free(store->state_dir);
	OPENSSL_cleanse(store, sizeof(*store));
	free(store);
}

bool account_claimed(struct account_store *store)
{
	bool claimed;

	pthread_mutex_lock(&store->mutex);
	claimed = store->user_count;
	pthread_mutex_unlock(&store->mutex);
	return claimed;
}

bool account_claim_code(struct account_store *store, char *buf, size_t size)
{
	bool known;

	pthread_mutex_lock(&store->mutex);
	known = !store->user_count;
	if (known)
		snprintf(buf, size, "%s", store->claim.code);
	pthread_mutex_unlock(&store->mutex);
	return known;
}

/* Takes the right to claim, which only one caller at a time can have; false with *result else. */
static bool claim_begin(struct account_store *store, const struct source *source, const char *code,
			enum account_result *result)
{
	static const enum account_result results[] = {
		[CLAIM_RIGHT] = ACCOUNT_OK,
		[CLAIM_WRONG] = ACCOUNT_WRONG,
		[CLAIM_LIMITED] = ACCOUNT_LIMITED,
	};
	char fresh[CLAIM_CODE_SIZE] = "";
	struct guess guess;

	pthread_mutex_lock(&store->mutex);
	guess_claim(store->guesses, &guess, source);
	*result =
		store->user_count ? ACCOUNT_CLAIMED : results[claim_try(&store->claim, &guess, code, fresh)];
	pthread_mutex_unlock(&store->mutex);
	if (*fresh)
		claim_show("Device", fresh);
	return *result == ACCOUNT_OK;
}

enum account_result account_claim(struct account_store *store, const struct sockaddr *peer, const char *code,
				  const char *name, const char *password)
{
	struct source source;
	enum account_result result;
	struct user *user = &store->users[0];
	char hash[PASSWORD_HASH_MAX];
	bool hashed;

	source_of(&source, peer);
	if (!user_name_valid(name) || !user_password_valid(password))
		return account_claimed(store) ? ACCOUNT_CLAIMED : ACCOUNT_INVALID;
	if (!claim_begin(store, &source, code, &result))
		return result;
	password_enter();
	hashed = password_hash(password, hash);
	password_leave();
	result = ACCOUNT_FAILED;
	pthread_mutex_lock(&store->mutex);
	if (hashed) {
		snprintf(user->name, sizeof(user->name), "%s", name);
		memcpy(user->hash, hash, sizeof(hash));
		store->user_count = 1;
		if (save(store)) {
			guess_befriend(store->guesses, &source, name);
			result = ACCOUNT_OK;
		} else {
			store->user_count = 0;
		}
	}
	claim_end(&store->claim, store->user_count);
	pthread_mutex_unlock(&store->mutex);
	OPENSSL_cleanse(hash, sizeof(hash));
	return result;
}

static struct user *find_user(struct account_store *store, const char *name)
{
	for (unsigned i = 0; i < store->user_count; i++)
		if (!strcmp(store->users[i].name, name))
			return &store->users[i];
	return NULL;
}

/* Between password_enter() and _leave(): so tries that wait for a place are not yet counted as wrong. */
static enum account_result verify_inside(struct account_store *store, const struct source *source,
					 const char *name, const char *password)
{
	char hash[PASSWORD_HASH_MAX];
	struct guess guess;
	struct user *user;
	bool open, right;

	pthread_mutex_lock(&store->mutex);
	guess_login(store->guesses, &guess, source, name);
	open = guess_take(&guess);
	user = find_user(store, name);
	memcpy(hash, user ? user->hash : store->nobody, sizeof(hash));
	pthread_mutex_unlock(&store->mutex);
	if (!open)
		return ACCOUNT_LIMITED;
	right = password_matches(hash, password) && user;
	OPENSSL_cleanse(hash, sizeof(hash));
	if (!right)
		return ACCOUNT_WRONG;
	pthread_mutex_lock(&store->mutex);
	guess_refund(&guess);
	guess_befriend(store->guesses, source, name);
	pthread_mutex_unlock(&store->mutex);
	return ACCOUNT_OK;
}

enum account_result account_verify(struct account_store *store, const struct sockaddr *peer, const char *name,
				   const char *password)
{
	enum account_result result;
	struct source source;
	struct guess guess;
	bool claimed, open;

	source_of(&source, peer);
	pthread_mutex_lock(&store->mutex);
	claimed = store->user_count;
	guess_login(store->guesses, &guess, &source, name);
	open = guess_open(&guess);
	pthread_mutex_unlock(&store->mutex);
	if (!claimed)
		return ACCOUNT_UNCLAIMED;
	if (!open)
		return ACCOUNT_LIMITED;
	/* Longer than any password can be: not worth a hash, and the length is no secret. */
	if (strlen(name) > USER_NAME_MAX || strlen(password) > USER_PASSWORD_MAX)
		return ACCOUNT_WRONG;
	password_enter();
	result = verify_inside(store, &source, name, password);
	password_leave();
	return result;
}

enum account_result account_set_password(struct account_store *store, const struct sockaddr *peer,
					 const char *name, const char *old_password, const char *new_password)
{
	enum account_result result = account_verify(store, peer, name, old_password);
	char hash[PASSWORD_HASH_MAX], before[PASSWORD_HASH_MAX];
	struct user *user;
	bool hashed;

	if (result != ACCOUNT_OK)
		return result;
	if (!user_password_valid(new_password))
		return ACCOUNT_INVALID;
	password_enter();
	hashed = password_hash(new_password, hash);
	password_leave();
	if (!hashed)
		return ACCOUNT_FAILED;
	pthread_mutex_lock(&store->mutex);
	user = find_user(store, name);
	memcpy(before, user->hash, sizeof(before));
	memcpy(user->hash, hash, sizeof(hash));
	if (!save(store)) {
		memcpy(user->hash, before, sizeof(before));
		result = ACCOUNT_FAILED;
	}
	pthread_mutex_unlock(&store->mutex);
	OPENSSL_cleanse(hash, sizeof(hash));
	OPENSSL_cleanse(before, sizeof(before));
	return result;
}

enum account_result account_disown(struct account_store *store)
{
	char code[CLAIM_CODE_SIZE] = "";
	bool ok;

	pthread_mutex_lock(&store->mutex);
	ok = claim_start(&store->claim) && !state_remove(store->state_dir, FILE_NAME);
	if (ok) {
		OPENSSL_cleanse(store->users, sizeof(store->users));
		store->user_count = 0;
		memcpy(code, store->claim.code, sizeof(code));
	}
	pthread_mutex_unlock(&store->mutex);
	if (!ok)
		return ACCOUNT_FAILED;
	printf("Claim code:  %s (this Device was released and has no owner any more)\n", code);
	fflush(stdout);
	OPENSSL_cleanse(code, sizeof(code));
	return ACCOUNT_OK;
}

const char *account_text(enum account_result result)
{
	switch (result) {
	case ACCOUNT_OK:
		return "Done.";
	case ACCOUNT_WRONG:
		return "The user name, password or code is not right. Check what you typed and try again.";
	case ACCOUNT_LIMITED:
		return "Too many wrong tries. Wait a while, then try again.";
	case ACCOUNT_UNCLAIMED:
		return "This Device has no owner yet. Claim it first, with the code on its console.";
	case ACCOUNT_CLAIMED:
		return "This Device already has an owner.";
	case ACCOUNT_INVALID:
		return "A user name has 1 to 64 letters, digits, dots, hyphens or underscores and starts with a letter or "
		       "digit; a password has 8 to 256 characters.";
	case ACCOUNT_FAILED:
		break;
	}
	return "It could not be stored. The Device's log says why.";
}
