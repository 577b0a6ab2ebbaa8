/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is logged in on the pages: random tokens, kept only as hashes. Belongs to
 * one thread. Passwords are password.c's; cookies on the wire are their user's.
 */
#ifndef KVMNET_LIB_LOGIN_H
#define KVMNET_LIB_LOGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/user.h"

#define LOGIN_TOKEN_SIZE 65 /* 256 random bits as hex, and NUL */
#define LOGIN_IDLE_S (60 * 60)
#define LOGIN_LONGEST_S (12 * 60 * 60)

struct login {
	uint32_t id; /* never used twice; 0: free */
	char user[USER_NAME_MAX + 1];
	unsigned rights; /* what they mean is their user's */
	unsigned char hash[32];
	uint64_t since_ns, used_ns;
};

struct login_table;

struct login_table *login_table_new(void);
void login_table_free(struct login_table *table);

/* When the table is full, of the user who has the most logins the one that rested longest ends. false: no randomness. */
bool login_begin(struct login_table *table, const char *user, unsigned rights, char token[LOGIN_TOKEN_SIZE]);
/* NULL: no such login, or it expired. Valid until the table changes. Counts as use. */
const struct login *login_find(struct login_table *table, const char *token, size_t len);
/* Does it still hold? For connections that outlive the request that opened them; counts as use. */
bool login_alive(struct login_table *table, uint32_t id);
void login_end(struct login_table *table, uint32_t id);
/* All of user's logins but keep, or with user NULL everybody's: after a change of password, or of the owner. How many. */
unsigned login_end_others(struct login_table *table, const char *user, uint32_t keep);
/* Those of user, or with NULL of everybody, that lack one of rights. */
void login_end_without(struct login_table *table, const char *user, unsigned rights);

#endif
