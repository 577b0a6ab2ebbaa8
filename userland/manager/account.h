/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may log in to the Manager: the claim code before there is an administrator,
 * users of the store after. Calls are thread-safe and may take long (a password hash).
 * What each may do is permission.h's.
 */
#ifndef KVMNET_MANAGER_ACCOUNT_H
#define KVMNET_MANAGER_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "lib/guess.h"
#include "manager/store.h"

struct account_table;

enum account_type {
	ACCOUNT_ADMINISTRATOR = 1,
	ACCOUNT_USER,
	ACCOUNT_VIEWONLY,
	ACCOUNT_KEEPER, /* the administrator who is checked here while the directory checks all others */
	ACCOUNT_TYPES,
};

enum account_result {
	ACCOUNT_OK,
	ACCOUNT_WRONG,	   /* user, password or code: not said which */
	ACCOUNT_LIMITED,   /* too many wrong tries from there, or on that user: wait */
	ACCOUNT_UNCLAIMED, /* the Manager has no administrator yet: claim it first */
	ACCOUNT_CLAIMED,   /* it has one already */
	ACCOUNT_INVALID,   /* name or password outside the rules */
	ACCOUNT_TAKEN,	   /* there is a user of that name */
	ACCOUNT_MISSING,   /* there is none */
	ACCOUNT_LAST,	   /* the last administrator stays */
	ACCOUNT_KEPT,	   /* the keeper stays */
	ACCOUNT_ASK,	   /* the directory knows: it is asked, and account_conclude() told */
	ACCOUNT_AWAY,	   /* the directory cannot be asked */
	ACCOUNT_ELSEWHERE, /* his password is the directory's */
	ACCOUNT_FAILED,	   /* could not be stored: see the log */
};

/* A log-in that waits for the directory. */
struct account_try {
	struct source source;
	struct guess guess;
	bool known; /* else the directory is asked about nobody: whom it does not check here, none guesses at by this Manager */
};

/* Makes the claim code when the store has no user. NULL after logging why. */
struct account_table *account_open(struct store *store);
void account_close(struct account_table *table);

bool account_claimed(struct account_table *table);
/* The claim code for the console, or false when claimed. Wipe buf after use. */
bool account_claim_code(struct account_table *table, char *buf, size_t size);

/* peer: where the try comes from, for the limits. */
enum account_result account_claim(struct account_table *table, const struct sockaddr *peer, const char *code,
				  const char *user, const char *password);
/* ACCOUNT_ASK: *try is what account_conclude() is to be given. */
enum account_result account_verify(struct account_table *table, const struct sockaddr *peer, const char *user,
				   const char *password, enum account_type *type, struct account_try *try);
/* said: what the directory said of user: ACCOUNT_OK, _WRONG or _AWAY. It was counted as wrong until now. */
enum account_result account_conclude(struct account_table *table, struct account_try *try, const char *user,
				     enum account_result said, enum account_type *type);
/* Whether his password is not here to be changed. */
bool account_elsewhere(struct account_table *table, const char *user);

/* What a user is at this moment, keeper being External Authentication mode's, or "" in Local mode; 0: he cannot log in. */
enum account_type account_standing(const struct store_user *user, const char *keeper);

/* "administrator", "user" or "viewonly"; 0, or NULL: none of these. The keeper is an administrator. */
enum account_type account_type_of(const char *name);
const char *account_type_name(enum account_type type);

/* Is there such a user, and is he that at this moment? ACCOUNT_MISSING: not any more; ACCOUNT_FAILED: the store does not
 * know. */
enum account_result account_is(struct account_table *table, const char *user, enum account_type type);
enum account_result account_add(struct account_table *table, const char *user, enum account_type type,
				const char *password);
enum account_result account_set_type(struct account_table *table, const char *user, enum account_type type);
enum account_result account_set_password(struct account_table *table, const char *user, const char *password);
enum account_result account_remove(struct account_table *table, const char *user);
/* A sentence a person can act on. */
const char *account_text(enum account_result result);

#endif
