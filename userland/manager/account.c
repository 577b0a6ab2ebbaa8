// SPDX-License-Identifier: GPL-2.0-or-later
/* The claim and log-ins over the store's users. Limits are guess.c's, the code claim.c's, cookies api.c's. */
#include "manager/account.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "lib/claim.h"
#include "lib/guess.h"
#include "lib/log.h"
#include "lib/password.h"
#include "lib/source.h"
#include "lib/user.h"

struct account_table {
	pthread_mutex_t mutex; /* what follows; never held while a hash is computed or the store works */
	struct store *store;
	struct guess_table *guesses;
	struct claim claim;
	bool claimed;
	char nobody[PASSWORD_HASH_MAX]; /* what an unknown user's password is compared with */
};

static void count(const struct store_user *user, void *arg)
{
	(void)user;
	++*(unsigned *)arg;
}

static bool set_up(struct account_table *table)
{
	unsigned users = 0;
	bool ok;

	if (!table->guesses || store_users(table->store, count, &users))
		return false;
	table->claimed = users;
	password_enter();
	ok = password_hash_nobody(table->nobody);
	password_leave();
	return ok && (users || claim_start(&table->claim));
}

struct account_table *account_open(struct store *store)
{
	struct account_table *table = calloc(1, sizeof(*table));

	if (table) {
		pthread_mutex_init(&table->mutex, NULL);
		table->store = store;
		table->guesses = guess_table_new();
	}
	if (table && set_up(table))
		return table;
	log_error("the accounts cannot be opened");
	account_close(table);
	return NULL;
}

void account_close(struct account_table *table)
{
	if (!table)
		return;
	guess_table_free(table->guesses);
	pthread_mutex_destroy(&table->mutex);
	OPENSSL_cleanse(table, sizeof(*table));
	free(table);
}

bool account_claimed(struct account_table *table)
{
	bool claimed;

	pthread_mutex_lock(&table->mutex);
	claimed = table->claimed;
	pthread_mutex_unlock(&table->mutex);
	return claimed;
}

bool account_claim_code(struct account_table *table, char *buf, size_t size)
{
	bool known;

	pthread_mutex_lock(&table->mutex);
	known = !table->claimed;
	if (known)
		snprintf(buf, size, "%s", table->claim.code);
	pthread_mutex_unlock(&table->mutex);
	return known;
}

/* Takes the right to claim, which only one caller at a time can have. */
static enum account_result claim_begin(struct account_table *table, const struct source *source,
				       const char *code)
{
	static const enum account_result results[] = {
		[CLAIM_RIGHT] = ACCOUNT_OK,
		[CLAIM_WRONG] = ACCOUNT_WRONG,
		[CLAIM_LIMITED] = ACCOUNT_LIMITED,
	};
	char fresh[CLAIM_CODE_SIZE] = "";
	enum account_result result;
	struct guess guess;

	pthread_mutex_lock(&table->mutex);
	guess_claim(table->guesses, &guess, source);
	result = table->claimed ? ACCOUNT_CLAIMED : results[claim_try(&table->claim, &guess, code, fresh)];
	pthread_mutex_unlock(&table->mutex);
	if (*fresh)
		claim_show("Manager", fresh);
	return result;
}

static const char *const type_names[] = {
	[ACCOUNT_ADMINISTRATOR] = "administrator",
	[ACCOUNT_USER] = "user",
	[ACCOUNT_VIEWONLY] = "viewonly",
	[ACCOUNT_KEEPER] = "administrator",
};

enum account_type account_type_of(const char *name)
{
	for (int type = ACCOUNT_ADMINISTRATOR; type <= ACCOUNT_VIEWONLY; type++)
		if (!strcmp(type_names[type], name))
			return (enum account_type)type;
	return 0;
}

const char *account_type_name(enum account_type type)
{
	return type < ACCOUNT_TYPES ? type_names[type] : NULL;
}

static bool hash_of(const char *password, char hash[PASSWORD_HASH_MAX])
{
	bool ok;

	password_enter();
	ok = password_hash(password, hash);
	password_leave();
	return ok;
}

static enum account_result add_first(struct account_table *table, const char *name, const char *password)
{
	char hash[PASSWORD_HASH_MAX];
	const struct store_user user = {
		.name = name,
		.type = account_type_name(ACCOUNT_ADMINISTRATOR),
		.hash = hash,
	};
	bool added = false;
	int error = hash_of(password, hash) ? store_add_first_user(table->store, &user, &added) : -1;
	OPENSSL_cleanse(hash, sizeof(hash));
	if (error)
		return ACCOUNT_FAILED;
	return added ? ACCOUNT_OK : ACCOUNT_CLAIMED;
}

enum account_result account_claim(struct account_table *table, const struct sockaddr *peer, const char *code,
				  const char *name, const char *password)
{
	enum account_result result;
	struct source source;

	source_of(&source, peer);
	if (!user_name_valid(name) || !user_password_valid(password))
		return account_claimed(table) ? ACCOUNT_CLAIMED : ACCOUNT_INVALID;
	result = claim_begin(table, &source, code);
	if (result != ACCOUNT_OK)
		return result;
	result = add_first(table, name, password);
	pthread_mutex_lock(&table->mutex);
	table->claimed = result != ACCOUNT_FAILED;
	if (result == ACCOUNT_OK)
		guess_befriend(table->guesses, &source, name);
	claim_end(&table->claim, table->claimed);
	pthread_mutex_unlock(&table->mutex);
	return result;
}

struct found {
	char hash[PASSWORD_HASH_MAX], *keeper;
	bool known, external;
	enum account_type type, standing;
};

enum account_type account_standing(const struct store_user *user, const char *keeper)
{
	enum account_type type = account_type_of(user->type);

	if (!*keeper)
		return *user->hash ? type : 0;
	if (!strcmp(user->name, keeper))
		return ACCOUNT_KEEPER;
	return *user->entry && !user->gone ? type : 0;
}

static void take_user(const struct store_user *user, void *arg)
{
	struct found *found = arg;

	snprintf(found->hash, sizeof(found->hash), "%s", user->hash);
	found->known = true;
	found->type = account_type_of(user->type);
	found->standing = account_standing(user, found->keeper);
}

/* found: its hash is to be wiped. */
static int find(struct account_table *table, const char *name, struct found *found)
{
	char *settings;
	int error;

	memset(found, 0, sizeof(*found));
	error = store_directory(table->store, &settings, &found->keeper);
	if (error)
		return error;
	found->external = *found->keeper;
	error = store_user(table->store, name, take_user, found);
	OPENSSL_cleanse(settings, strlen(settings));
	free(settings);
	free(found->keeper);
	found->keeper = NULL;
	return error;
}

static void welcome(struct account_table *table, struct guess *guess, const struct source *source,
		    const char *name)
{
	pthread_mutex_lock(&table->mutex);
	guess_refund(guess);
	guess_befriend(table->guesses, source, name);
	pthread_mutex_unlock(&table->mutex);
}

/* Between password_enter() and _leave(): so tries that wait for a place are not yet counted as wrong. */
static enum account_result verify_inside(struct account_table *table, struct account_try *try,
					 const char *name, const char *password, enum account_type *type)
{
	struct found found;
	bool open, right;

	if (find(table, name, &found))
		return ACCOUNT_FAILED;
	try->known = found.standing;
	*type = found.standing;
	pthread_mutex_lock(&table->mutex);
	guess_login(table->guesses, &try->guess, &try->source, name);
	open = guess_take(&try->guess);
	pthread_mutex_unlock(&table->mutex);
	if (!open || (found.external && found.standing != ACCOUNT_KEEPER)) {
		OPENSSL_cleanse(found.hash, sizeof(found.hash));
		return open ? ACCOUNT_ASK : ACCOUNT_LIMITED;
	}
	right = password_matches(try->known ? found.hash : table->nobody, password) && try->known;
	OPENSSL_cleanse(&found, sizeof(found));
	if (!right)
		return ACCOUNT_WRONG;
	welcome(table, &try->guess, &try->source, name);
	return ACCOUNT_OK;
}

enum account_result account_verify(struct account_table *table, const struct sockaddr *peer, const char *name,
				   const char *password, enum account_type *type, struct account_try *try)
{
	enum account_result result;
	bool claimed, open;

	source_of(&try->source, peer);
	pthread_mutex_lock(&table->mutex);
	claimed = table->claimed;
	guess_login(table->guesses, &try->guess, &try->source, name);
	open = guess_open(&try->guess);
	pthread_mutex_unlock(&table->mutex);
	if (!claimed)
		return ACCOUNT_UNCLAIMED;
	if (!open)
		return ACCOUNT_LIMITED;
	/* Longer than any can be: not worth a hash, and the length is no secret. */
	if (strlen(name) > USER_NAME_MAX || strlen(password) > USER_PASSWORD_MAX)
		return ACCOUNT_WRONG;
	password_enter();
	result = verify_inside(table, try, name, password, type);
	password_leave();
	return result;
}

/* Whoever was changed while the directory was asked is what he is now. One that could not be asked was no guess. */
enum account_result account_conclude(struct account_table *table, struct account_try *try, const char *name,
				     enum account_result said, enum account_type *type)
{
	struct found found;
	bool stands;

	if (said == ACCOUNT_AWAY) {
		pthread_mutex_lock(&table->mutex);
		guess_refund(&try->guess);
		pthread_mutex_unlock(&table->mutex);
	}
	if (said != ACCOUNT_OK)
		return said;
	if (find(table, name, &found))
		return ACCOUNT_FAILED;
	stands = found.external && found.standing && found.standing != ACCOUNT_KEEPER;
	*type = found.standing;
	OPENSSL_cleanse(&found, sizeof(found));
	if (!stands)
		return ACCOUNT_WRONG;
	welcome(table, &try->guess, &try->source, name);
	return ACCOUNT_OK;
}

bool account_elsewhere(struct account_table *table, const char *name)
{
	struct found found;
	bool elsewhere = !find(table, name, &found) && found.external && found.standing != ACCOUNT_KEEPER;

	OPENSSL_cleanse(&found, sizeof(found));
	return elsewhere;
}

/* ---- changes ---- */

enum account_result account_is(struct account_table *table, const char *name, enum account_type type)
{
	struct found found;
	bool error = find(table, name, &found);

	OPENSSL_cleanse(found.hash, sizeof(found.hash));
	if (error)
		return ACCOUNT_FAILED;
	return found.standing == type ? ACCOUNT_OK : ACCOUNT_MISSING;
}

enum account_result account_add(struct account_table *table, const char *name, enum account_type type,
				const char *password)
{
	char hash[PASSWORD_HASH_MAX];
	const struct store_user user = { .name = name, .type = account_type_name(type), .hash = hash };
	bool added;
	int error;

	if (!user_name_valid(name) || !user_password_valid(password))
		return ACCOUNT_INVALID;
	error = hash_of(password, hash) ? store_add_user(table->store, &user, &added) : -1;
	OPENSSL_cleanse(hash, sizeof(hash));
	if (error)
		return ACCOUNT_FAILED;
	return added ? ACCOUNT_OK : ACCOUNT_TAKEN;
}

/* Why nothing was changed. */
static enum account_result why_not(struct account_table *table, const char *name)
{
	struct found found;
	int error = find(table, name, &found);

	OPENSSL_cleanse(found.hash, sizeof(found.hash));
	if (error)
		return ACCOUNT_FAILED;
	if (!found.known)
		return ACCOUNT_MISSING;
	return found.standing == ACCOUNT_KEEPER ? ACCOUNT_KEPT : ACCOUNT_LAST;
}

enum account_result account_set_type(struct account_table *table, const char *name, enum account_type type)
{
	bool changed;

	if (store_set_user_type(table->store, name, account_type_name(type), &changed))
		return ACCOUNT_FAILED;
	return changed ? ACCOUNT_OK : why_not(table, name);
}

enum account_result account_set_password(struct account_table *table, const char *name, const char *password)
{
	char hash[PASSWORD_HASH_MAX];
	bool changed;
	int error;

	if (!user_password_valid(password))
		return ACCOUNT_INVALID;
	error = hash_of(password, hash) ? store_set_user_hash(table->store, name, hash, &changed) : -1;
	OPENSSL_cleanse(hash, sizeof(hash));
	if (error)
		return ACCOUNT_FAILED;
	return changed ? ACCOUNT_OK : ACCOUNT_MISSING;
}

enum account_result account_remove(struct account_table *table, const char *name)
{
	bool removed;

	if (store_remove_user(table->store, name, &removed))
		return ACCOUNT_FAILED;
	return removed ? ACCOUNT_OK : why_not(table, name);
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
		return "This Manager has no administrator yet. Claim it first, with the code on its console.";
	case ACCOUNT_CLAIMED:
		return "This Manager already has an administrator.";
	case ACCOUNT_INVALID:
		return "A user name has 1 to 64 letters, digits, dots, hyphens or underscores and starts with a letter or "
		       "digit; a password has 8 to 256 characters.";
	case ACCOUNT_TAKEN:
		return "There is a user of that name already.";
	case ACCOUNT_MISSING:
		return "There is no user of that name.";
	case ACCOUNT_LAST:
		return "This is the last administrator: make another one first.";
	case ACCOUNT_KEPT:
		return "This administrator is the one who logs in without the directory: go back to Local mode first.";
	case ACCOUNT_ASK:
		return "The directory is asked.";
	case ACCOUNT_AWAY:
		return "The directory that checks your password cannot be asked at this moment. Try again later, or tell an "
		       "administrator: the Manager's log says why.";
	case ACCOUNT_ELSEWHERE:
		return "Your password is the directory's: change it there.";
	case ACCOUNT_FAILED:
		break;
	}
	return "It could not be stored. The Manager's log says why.";
}
