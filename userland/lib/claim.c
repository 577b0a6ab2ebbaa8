// SPDX-License-Identifier: GPL-2.0-or-later
/* Makes, compares and replaces the code. Who the owner then is, and where he is kept, is its user's. */
#include "lib/claim.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "lib/log.h"

/* No I, O, 0 or 1: they are mistaken for each other. 32 letters: five bits of a random byte each, without bias. */
bool claim_start(struct claim *claim)
{
	static const char letters[] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
	unsigned char bytes[CLAIM_LETTERS];
	char *out = claim->code;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	for (int i = 0; i < CLAIM_LETTERS; i++) {
		if (i && i % 4 == 0)
			*out++ = '-';
		*out++ = letters[bytes[i] % 32];
	}
	*out = '\0';
	OPENSSL_cleanse(bytes, sizeof(bytes));
	claim->wrong = 0;
	return true;
}

bool claim_matches(const char code[CLAIM_CODE_SIZE], const char *typed)
{
	char buf[CLAIM_CODE_SIZE] = "";
	size_t len = 0;
	bool same;

	for (; *typed; typed++) {
		if (*typed == '-' || *typed == ' ')
			continue;
		if (len >= CLAIM_CODE_SIZE - 1)
			break;
		if (len == 4 || len == 9)
			buf[len++] = '-';
		if (len < CLAIM_CODE_SIZE - 1)
			buf[len++] = *typed >= 'a' && *typed <= 'z' ? (char)(*typed - 'a' + 'A') : *typed;
	}
	same = !*typed && !CRYPTO_memcmp(buf, code, CLAIM_CODE_SIZE);
	OPENSSL_cleanse(buf, sizeof(buf));
	return same;
}

enum claim_result claim_try(struct claim *claim, struct guess *guess, const char *typed,
			    char fresh[CLAIM_CODE_SIZE])
{
	*fresh = '\0';
	if (!*claim->code || claim->busy || !guess_take(guess))
		return CLAIM_LIMITED;
	if (claim_matches(claim->code, typed)) {
		guess_refund(guess);
		claim->busy = true;
		return CLAIM_RIGHT;
	}
	if (++claim->wrong >= CLAIM_TRIES && claim_start(claim))
		memcpy(fresh, claim->code, CLAIM_CODE_SIZE);
	return CLAIM_WRONG;
}

void claim_end(struct claim *claim, bool owned)
{
	claim->busy = false;
	if (owned)
		OPENSSL_cleanse(claim->code, sizeof(claim->code));
}

void claim_print(const char *what, const char *host, unsigned port, const char *code, const char *fingerprint)
{
	printf("This %s has no owner yet. Open https://%s:%u/ and enter the claim code.\n"
	       "Claim code:  %s\n"
	       "Certificate: SHA-256 %s\n",
	       what, host, port, code, fingerprint);
	fflush(stdout);
}

void claim_show(const char *what, char code[CLAIM_CODE_SIZE])
{
	log_warn("%d wrong claim codes: the %s's console shows a new one", CLAIM_TRIES, what);
	printf("Claim code:  %s (the one before was guessed at too often)\n", code);
	fflush(stdout);
	OPENSSL_cleanse(code, CLAIM_CODE_SIZE);
}
