/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may do what on this Device: the claim code before there is an owner,
 * user names with Argon2id hashes after. All calls are thread-safe and may
 * take long (a password hash): never on the frame or input path.
 */
#ifndef KVMNET_DEVICE_ACCOUNT_H
#define KVMNET_DEVICE_ACCOUNT_H

#include <stddef.h>
#include <stdbool.h>
#include <sys/socket.h>

struct account_store;

enum account_result {
	ACCOUNT_OK,
	ACCOUNT_WRONG,	   /* user, password or code: not said which */
	ACCOUNT_LIMITED,   /* too many wrong tries from there, or on that user: wait */
	ACCOUNT_UNCLAIMED, /* the Device has no owner yet: claim it first */
	ACCOUNT_CLAIMED,   /* it has one already */
	ACCOUNT_INVALID,   /* name or password outside the rules */
	ACCOUNT_FAILED,	   /* could not be stored: see the log */
};

/* Opens STATE_DIR's store; makes the claim code when there is no owner. NULL after logging why. */
struct account_store *account_open(const char *state_dir);
void account_close(struct account_store *store);

bool account_claimed(struct account_store *store);
/* The claim code for the console ("ABCD-EFGH-JKLM"), or false when claimed. Wipe buf after use. */
bool account_claim_code(struct account_store *store, char *buf, size_t size);

/* peer: where the try comes from, for the limits (IPv6 by /64); NULL only for calls from this machine's console. */
enum account_result account_claim(struct account_store *store, const struct sockaddr *peer, const char *code,
				  const char *user, const char *password);
enum account_result account_verify(struct account_store *store, const struct sockaddr *peer, const char *user,
				   const char *password);
enum account_result account_set_password(struct account_store *store, const struct sockaddr *peer,
					 const char *user, const char *old_password,
					 const char *new_password);
/* Nobody owns this Device any more: all users go, and there is a new claim code, which is shown. */
enum account_result account_disown(struct account_store *store);
/* A sentence a person can act on. */
const char *account_text(enum account_result result);

#endif
