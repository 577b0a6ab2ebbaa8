/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Users, the claim code and the limits on guessing either. Sessions and cookies
 * are api.c's; how passwords are hashed is password.c's.
 */
#include "device/account.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "lib/limit.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/password.h"
#include "lib/source.h"
#include "lib/state.h"
#include "lib/user.h"

#define FILE_NAME "accounts"
#define FILE_MAX 65536
#define FILE_VERSION 1
#define USERS_MAX 32
#define SOURCES 1024
#define NAMES 256
#define FRIENDS 64
#define CODE_LETTERS 12 /* of 32: 60 bits */
#define CODE_SIZE (CODE_LETTERS + 3)
#define CODE_TRIES 20 /* wrong ones in all, then there is a new code */

/* Behind one source may sit a company: a few typing errors are free. Then each further guess costs twice the time. */
static const struct limit_rule source_rule = { .free = 5, .max_delay_s = 900, .regain_s = 900 };
/* Many sources against one user, and against all: slower. Where the owner logged in before he is not held up by them;
 * elsewhere he may have to try for a while as long as they go on. */
static const struct limit_rule name_rule = { .free = 10, .max_delay_s = 30, .regain_s = 30 };
static const struct limit_rule total_rule = { .free = 100, .max_delay_s = 2, .regain_s = 2 };

struct user {
	char name[USER_NAME_MAX + 1];
	char hash[PASSWORD_HASH_MAX];
};

/* A source from which this user logged in before: what strangers do elsewhere does not hold him up. Only a right
 * password makes one or pushes one out. */
struct friend
{
	struct source source;
	char name[USER_NAME_MAX + 1];
	struct limit limit;
	uint64_t used; /* 0: free; else grows with each use */
};

struct account_store {
	pthread_mutex_t mutex; /* everything below; never held while a hash is computed */
	char *state_dir;
	struct user users[USERS_MAX];
	unsigned user_count;
	char code[CODE_SIZE];
	unsigned code_tries;
	bool claiming;			/* one claim at a time has the code right and is being stored */
	char nobody[PASSWORD_HASH_MAX]; /* what an unknown user's password is compared with */
	uint8_t key[SOURCE_KEY_SIZE];
	struct limit sources[SOURCES], claim_sources[SOURCES], names[NAMES], total, claim_total;
	struct friend friends[FRIENDS];
	uint64_t friend_uses;
};

/* The records that one try counts against. */
struct charge {
	struct limit *limits[3];
	const struct limit_rule *rules[3];
	unsigned count;
};

static void charge_add(struct charge *charge, struct limit *limit, const struct limit_rule *rule)
{
	charge->limits[charge->count] = limit;
	charge->rules[charge->count++] = rule;
}

static bool charge_open(struct charge *charge)
{
	uint64_t now = loop_now_ns();

	for (unsigned i = 0; i < charge->count; i++)
		if (!limit_open(charge->limits[i], charge->rules[i], now))
			return false;
	return true;
}

static bool charge_take(struct charge *charge)
{
	uint64_t now = loop_now_ns();

	if (!charge_open(charge))
		return false;
	for (unsigned i = 0; i < charge->count; i++)
		limit_charge(charge->limits[i], charge->rules[i], now);
	return true;
}

static void charge_refund(struct charge *charge)
{
	for (unsigned i = 0; i < charge->count; i++)
		limit_refund(charge->limits[i]);
}

static struct limit *source_limit(struct account_store *store, struct limit *table,
				  const struct source *source)
{
	return &table[source_bucket(store->key, source->bytes, sizeof(source->bytes), SOURCES)];
}

static struct friend *find_friend(struct account_store *store, const struct source *source, const char *name)
{
	for (unsigned i = 0; i < FRIENDS; i++) {
		struct friend *friend = &store->friends[i];

		if (friend->used && !memcmp(&friend->source, source, sizeof(*source)) &&
		    !strcmp(friend->name, name))
			return friend;
	}
	return NULL;
}

static void make_friend(struct account_store *store, const struct source *source, const char *name)
{
	struct friend *friend = find_friend(store, source, name);

	if (!friend) {
		friend = &store->friends[0];
		for (unsigned i = 1; i < FRIENDS; i++)
			if (store->friends[i].used < friend->used)
				friend = &store->friends[i];
		memset(friend, 0, sizeof(*friend));
		friend->source = *source;
		snprintf(friend->name, sizeof(friend->name), "%s", name);
	}
	memset(&friend->limit, 0, sizeof(friend->limit));
	friend->used = ++store->friend_uses;
}

static void charge_of_login(struct account_store *store, struct charge *charge, const struct source *source,
			    const char *name)
{
	struct friend *friend = find_friend(store, source, name);

	memset(charge, 0, sizeof(*charge));
	if (friend) {
		charge_add(charge, &friend->limit, &source_rule);
		return;
	}
	charge_add(charge, source_limit(store, store->sources, source), &source_rule);
	charge_add(charge, &store->names[source_bucket(store->key, name, strlen(name), NAMES)], &name_rule);
	charge_add(charge, &store->total, &total_rule);
}

static bool name_valid(const char *name)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	static const char rest[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t len = strlen(name);

	return len >= 1 && len <= USER_NAME_MAX && strchr(first, name[0]) && strspn(name, rest) == len;
}

static bool password_valid(const char *password)
{
	size_t len = strlen(password);

	return len >= USER_PASSWORD_MIN && len <= USER_PASSWORD_MAX;
}

/* No I, O, 0 or 1: they are mistaken for each other. 32 letters: five bits of a random byte each, without bias. */
static bool make_code(struct account_store *store)
{
	static const char letters[] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
	unsigned char bytes[CODE_LETTERS];
	char *out = store->code;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	for (int i = 0; i < CODE_LETTERS; i++) {
		if (i && i % 4 == 0)
			*out++ = '-';
		*out++ = letters[bytes[i] % 32];
	}
	*out = '\0';
	OPENSSL_cleanse(bytes, sizeof(bytes));
	store->code_tries = 0;
	return true;
}

/* Where the first one was shown: on the Device's own console. */
static void show_new_code(char code[CODE_SIZE])
{
	log_warn("%d wrong claim codes: the Device's console shows a new one", CODE_TRIES);
	printf("Claim code:  %s (the one before was guessed at too often)\n", code);
	fflush(stdout);
	OPENSSL_cleanse(code, CODE_SIZE);
}

/* As people type it: small letters, without hyphens or with blanks. */
static bool code_matches(const char *code, const char *typed)
{
	char buf[CODE_SIZE] = "";
	size_t len = 0;
	bool same;

	for (; *typed; typed++) {
		if (*typed == '-' || *typed == ' ')
			continue;
		if (len >= CODE_SIZE - 1)
			break;
		if (len == 4 || len == 9)
			buf[len++] = '-';
		if (len < CODE_SIZE - 1)
			buf[len++] = *typed >= 'a' && *typed <= 'z' ? (char)(*typed - 'a' + 'A') : *typed;
	}
	same = !*typed && !CRYPTO_memcmp(buf, code, CODE_SIZE);
	OPENSSL_cleanse(buf, sizeof(buf));
	return same;
}

static bool load_user(struct account_store *store, const json_t *entry)
{
	struct user *user = &store->users[store->user_count];
	const char *name = json_string_value(json_object_get(entry, "name"));
	const char *hash = json_string_value(json_object_get(entry, "hash"));

	if (!name || !hash || !name_valid(name) || !password_hash_valid(hash))
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
	char random[33] = "";
	unsigned char bytes[16];
	bool ok;

	pthread_mutex_init(&store->mutex, NULL);
	store->state_dir = strdup(state_dir);
	if (!store->state_dir || state_prepare(state_dir) || !load(store))
		return false;
	if (RAND_bytes(store->key, sizeof(store->key)) != 1 || RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	for (unsigned i = 0; i < sizeof(bytes); i++)
		snprintf(random + 2 * i, 3, "%02x", bytes[i]);
	password_enter();
	ok = password_hash(random, store->nobody);
	password_leave();
	OPENSSL_cleanse(random, sizeof(random));
	return ok && (store->user_count || make_code(store));
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
		snprintf(buf, size, "%s", store->code);
	pthread_mutex_unlock(&store->mutex);
	return known;
}

/* Takes the right to claim, which only one caller at a time can have; false with *result else. */
static bool claim_begin(struct account_store *store, const struct source *source, const char *code,
			enum account_result *result)
{
	struct charge charge = { .count = 0 };
	char fresh[CODE_SIZE] = "";
	bool ok = false;

	pthread_mutex_lock(&store->mutex);
	charge_add(&charge, source_limit(store, store->claim_sources, source), &source_rule);
	charge_add(&charge, &store->claim_total, &name_rule);
	if (store->user_count) {
		*result = ACCOUNT_CLAIMED;
	} else if (store->claiming || !charge_take(&charge)) {
		*result = ACCOUNT_LIMITED;
	} else if (code_matches(store->code, code)) {
		charge_refund(&charge);
		store->claiming = ok = true;
	} else {
		*result = ACCOUNT_WRONG;
		if (++store->code_tries >= CODE_TRIES && make_code(store))
			memcpy(fresh, store->code, sizeof(fresh));
	}
	pthread_mutex_unlock(&store->mutex);
	if (*fresh)
		show_new_code(fresh);
	return ok;
}

enum account_result account_claim(struct account_store *store, const struct sockaddr *peer, const char *code,
				  const char *name, const char *password)
{
	struct source source;
	enum account_result result = ACCOUNT_FAILED;
	struct user *user = &store->users[0];
	char hash[PASSWORD_HASH_MAX];
	bool hashed;

	source_of(&source, peer);
	if (!name_valid(name) || !password_valid(password))
		return account_claimed(store) ? ACCOUNT_CLAIMED : ACCOUNT_INVALID;
	if (!claim_begin(store, &source, code, &result))
		return result;
	password_enter();
	hashed = password_hash(password, hash);
	password_leave();
	pthread_mutex_lock(&store->mutex);
	store->claiming = false;
	if (hashed) {
		snprintf(user->name, sizeof(user->name), "%s", name);
		memcpy(user->hash, hash, sizeof(hash));
		store->user_count = 1;
		if (save(store)) {
			OPENSSL_cleanse(store->code, sizeof(store->code));
			make_friend(store, &source, name);
			result = ACCOUNT_OK;
		} else {
			store->user_count = 0;
		}
	}
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
	struct charge charge;
	struct user *user;
	bool open, right;

	pthread_mutex_lock(&store->mutex);
	charge_of_login(store, &charge, source, name);
	open = charge_take(&charge);
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
	charge_refund(&charge);
	make_friend(store, source, name);
	pthread_mutex_unlock(&store->mutex);
	return ACCOUNT_OK;
}

enum account_result account_verify(struct account_store *store, const struct sockaddr *peer, const char *name,
				   const char *password)
{
	enum account_result result;
	struct source source;
	struct charge charge;
	bool claimed, open;

	source_of(&source, peer);
	pthread_mutex_lock(&store->mutex);
	claimed = store->user_count;
	charge_of_login(store, &charge, &source, name);
	open = charge_open(&charge);
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
	if (!password_valid(new_password))
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
