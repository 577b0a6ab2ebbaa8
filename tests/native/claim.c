// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Gives a Device's state folder an owner before kvmnetd starts, by the calls
 * that the page makes: claim STATE_DIR USER, the password on standard input.
 */
/* LINK: userland/device/account.c userland/lib/claim.c userland/lib/guess.c userland/lib/limit.c
 * userland/lib/password.c userland/lib/state.c userland/lib/user.c userland/lib/log.c userland/lib/loop.c
 * userland/lib/source.c | -largon2 -lcrypto -ljansson -lpthread */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/account.h"
#include "lib/user.h"

int main(int argc, char **argv)
{
	struct account_store *store;
	enum account_result result;
	char code[32], password[USER_PASSWORD_MAX + 2];

	if (argc != 3 || !fgets(password, sizeof(password), stdin)) {
		fputs("usage: claim STATE_DIR USER, the password on standard input\n", stderr);
		return EXIT_FAILURE;
	}
	password[strcspn(password, "\n")] = '\0';
	store = account_open(argv[1]);
	if (!store)
		return EXIT_FAILURE;
	result = account_claim_code(store, code, sizeof(code)) ?
			 account_claim(store, NULL, code, argv[2], password) :
			 ACCOUNT_CLAIMED;
	account_close(store);
	if (result == ACCOUNT_OK)
		return EXIT_SUCCESS;
	fprintf(stderr, "claim: %s\n", account_text(result));
	return EXIT_FAILURE;
}
