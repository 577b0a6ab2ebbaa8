// SPDX-License-Identifier: GPL-2.0-or-later
/* Tables of records, and the rules by which they forgive. How a single record counts is limit.c's. */
#include "lib/guess.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "lib/loop.h"
#include "lib/user.h"

#define SOURCES 1024
#define NAMES 256
#define FRIENDS 64

/* Behind one source may sit a company: a few typing errors are free. Then each further guess costs twice the time. */
static const struct limit_rule source_rule = { .free = 5, .max_delay_s = 900, .regain_s = 900 };
/* Many sources against one user, and against all: slower. Where the owner logged in before he is not held up by them;
 * elsewhere he may have to try for a while as long as they go on. */
static const struct limit_rule name_rule = { .free = 10, .max_delay_s = 30, .regain_s = 30 };
static const struct limit_rule total_rule = { .free = 100, .max_delay_s = 2, .regain_s = 2 };

/* A source from which this user logged in before: what strangers do elsewhere does not hold him up. Only a right
 * password makes one or pushes one out. */
struct friend
{
	struct source source;
	char name[USER_NAME_MAX + 1];
	struct limit limit;
	uint64_t used; /* 0: free; else grows with each use */
};

struct guess_table {
	uint8_t key[SOURCE_KEY_SIZE];
	struct limit sources[SOURCES], claim_sources[SOURCES], ticket_sources[SOURCES];
	struct limit names[NAMES], total, claim_total;
	struct friend friends[FRIENDS];
	uint64_t friend_uses;
};

struct guess_table *guess_table_new(void)
{
	struct guess_table *table = calloc(1, sizeof(*table));

	if (table && RAND_bytes(table->key, sizeof(table->key)) == 1)
		return table;
	free(table);
	return NULL;
}

void guess_table_free(struct guess_table *table)
{
	if (table)
		OPENSSL_cleanse(table, sizeof(*table));
	free(table);
}

static void add(struct guess *guess, struct limit *limit, const struct limit_rule *rule)
{
	guess->limits[guess->count] = limit;
	guess->rules[guess->count++] = rule;
}

bool guess_open(const struct guess *guess)
{
	uint64_t now = loop_now_ns();

	for (unsigned i = 0; i < guess->count; i++)
		if (!limit_open(guess->limits[i], guess->rules[i], now))
			return false;
	return true;
}

bool guess_take(struct guess *guess)
{
	uint64_t now = loop_now_ns();

	if (!guess_open(guess))
		return false;
	for (unsigned i = 0; i < guess->count; i++)
		limit_charge(guess->limits[i], guess->rules[i], now);
	return true;
}

void guess_refund(struct guess *guess)
{
	for (unsigned i = 0; i < guess->count; i++)
		limit_refund(guess->limits[i]);
}

static struct limit *source_limit(struct guess_table *table, struct limit *limits,
				  const struct source *source)
{
	return &limits[source_bucket(table->key, source->bytes, sizeof(source->bytes), SOURCES)];
}

static struct friend *find_friend(struct guess_table *table, const struct source *source, const char *name)
{
	for (unsigned i = 0; i < FRIENDS; i++) {
		struct friend *friend = &table->friends[i];

		if (friend->used && !memcmp(&friend->source, source, sizeof(*source)) &&
		    !strcmp(friend->name, name))
			return friend;
	}
	return NULL;
}

void guess_befriend(struct guess_table *table, const struct source *source, const char *name)
{
	struct friend *friend = find_friend(table, source, name);

	if (!friend) {
		friend = &table->friends[0];
		for (unsigned i = 1; i < FRIENDS; i++)
			if (table->friends[i].used < friend->used)
				friend = &table->friends[i];
		memset(friend, 0, sizeof(*friend));
		friend->source = *source;
		snprintf(friend->name, sizeof(friend->name), "%s", name);
	}
	memset(&friend->limit, 0, sizeof(friend->limit));
	friend->used = ++table->friend_uses;
}

void guess_login(struct guess_table *table, struct guess *guess, const struct source *source,
		 const char *name)
{
	struct friend *friend = find_friend(table, source, name);

	memset(guess, 0, sizeof(*guess));
	if (friend) {
		add(guess, &friend->limit, &source_rule);
		return;
	}
	add(guess, source_limit(table, table->sources, source), &source_rule);
	add(guess, &table->names[source_bucket(table->key, name, strlen(name), NAMES)], &name_rule);
	add(guess, &table->total, &total_rule);
}

void guess_claim(struct guess_table *table, struct guess *guess, const struct source *source)
{
	memset(guess, 0, sizeof(*guess));
	add(guess, source_limit(table, table->claim_sources, source), &source_rule);
	add(guess, &table->claim_total, &name_rule);
}

void guess_ticket(struct guess_table *table, struct guess *guess, const struct source *source)
{
	memset(guess, 0, sizeof(*guess));
	add(guess, source_limit(table, table->ticket_sources, source), &source_rule);
}
