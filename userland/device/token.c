// SPDX-License-Identifier: GPL-2.0-or-later
/* Random bytes and their end. */
#include "device/token.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

bool token_issue(struct token *token, uint64_t now_ns)
{
	token->until_ns = 0;
	if (RAND_bytes(token->bytes, TOKEN_SIZE) != 1)
		return false;
	token->until_ns = now_ns + TOKEN_LIFE_NS;
	return true;
}

bool token_take(struct token *token, const uint8_t bytes[TOKEN_SIZE], uint64_t now_ns)
{
	bool same = !CRYPTO_memcmp(token->bytes, bytes, TOKEN_SIZE) && token->until_ns;
	bool good = same && now_ns < token->until_ns;

	if (same)
		OPENSSL_cleanse(token, sizeof(*token));
	return good;
}
