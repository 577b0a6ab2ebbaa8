/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which failed tries at passwords and claim codes count together, and how long
 * each must then wait. Takes no lock: who shares a table has one.
 */
#ifndef KVMNET_LIB_GUESS_H
#define KVMNET_LIB_GUESS_H

#include <stdbool.h>

#include "lib/limit.h"
#include "lib/source.h"

#define GUESS_LIMITS 3

struct guess_table;

/* The records that one try counts against: inside the table, and valid as long. */
struct guess {
	struct limit *limits[GUESS_LIMITS];
	const struct limit_rule *rules[GUESS_LIMITS];
	unsigned count;
};

struct guess_table *guess_table_new(void); /* NULL: no memory, or no randomness */
void guess_table_free(struct guess_table *table);

/* A try at the password of name, or at the claim code, from source. name need not be anybody's. */
void guess_login(struct guess_table *table, struct guess *guess, const struct source *source,
		 const char *name);
void guess_claim(struct guess_table *table, struct guess *guess, const struct source *source);
/* Likewise with what nobody can guess: it may cost those work that are asked, and holds nobody else up. */
void guess_ticket(struct guess_table *table, struct guess *guess, const struct source *source);

/* May it be made now? Changes nothing. */
bool guess_open(const struct guess *guess);
/* Likewise, and then counts it as a failure. Done before the try, so that tries at once do not slip through... */
bool guess_take(struct guess *guess);
/* ... and taken back when it was right. */
void guess_refund(struct guess *guess);
/* name's password came from source: what strangers do elsewhere will not hold name up there. */
void guess_befriend(struct guess_table *table, const struct source *source, const char *name);

#endif
