/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Argon2id password hashes, at most a few computed at once: each takes 19 MiB and about 50 ms. */
#ifndef KVMNET_LIB_PASSWORD_H
#define KVMNET_LIB_PASSWORD_H

#include <stdbool.h>

#define PASSWORD_HASH_MAX 128 /* "$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH" and NUL */

/* Wait for, and give back, one of the places for a computation. */
void password_enter(void);
void password_leave(void);

/* These only between enter and leave. */
bool password_hash(const char *password, char hash[PASSWORD_HASH_MAX]);
/* Of a password that nobody has: compared with where there is no such user, which then takes as long. */
bool password_hash_nobody(char hash[PASSWORD_HASH_MAX]);
bool password_matches(const char *hash,
		      const char *password); /* in time that does not depend on where they differ */

/* Is this a hash that password_matches() can take, at a cost like our own? */
bool password_hash_valid(const char *hash);

#endif
