/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A one-time token (CHANNELS.md): given to one Client, good for one connection, soon. Pure. */
#ifndef KVMNET_DEVICE_TOKEN_H
#define KVMNET_DEVICE_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#define TOKEN_SIZE 32
#define TOKEN_LIFE_NS 10000000000ull

struct token {
	uint64_t until_ns;	   /* 0: there is none */
	uint8_t bytes[TOKEN_SIZE]; /* random */
};

/* A new one in the place of what was there. false: no randomness, and there is none. */
bool token_issue(struct token *token, uint64_t now_ns);
/* Is it that one? It is used up then, too late or not. */
bool token_take(struct token *token, const uint8_t bytes[TOKEN_SIZE], uint64_t now_ns);

#endif
