// SPDX-License-Identifier: GPL-2.0-or-later
/* A typed claim code, a stored password hash, the accounts file: the first byte chooses, the rest is its span. */
/* LINK: userland/lib/claim.c userland/lib/guess.c userland/lib/limit.c userland/lib/password.c userland/lib/state.c
 * userland/lib/user.c userland/lib/log.c userland/lib/source.c userland/lib/loop.c | -largon2 -lcrypto -ljansson -lpthread */
#include "userland/device/account.c" /* for the parsers that are its own */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool sound)
{
	if (!sound)
		abort();
}

/* Twelve letters, in any case, with blanks and hyphens anywhere: that and nothing else is the code. */
static void claim_code(const char *typed)
{
	static const char code[CLAIM_CODE_SIZE] = "ABCD-EFGH-JK23", plain[] = "ABCDEFGHJK23";
	const char *at = typed;
	size_t letters = 0;

	while (letters < CLAIM_LETTERS) {
		at += strspn(at, "- ");
		if (plain[letters] != (*at >= 'a' && *at <= 'z' ? *at - 'a' + 'A' : *at))
			break;
		letters++, at++;
	}
	at += strspn(at, "- ");
	check(claim_matches(code, typed) == (letters == CLAIM_LETTERS && !*at));
}

static void file(const char *text, size_t len)
{
	static struct account_store store;
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);

	memset(&store, 0, sizeof(store));
	if (root && load_users(&store, root)) {
		check(store.user_count >= 1 && store.user_count <= USERS_MAX);
		for (unsigned i = 0; i < store.user_count; i++)
			check(user_name_valid(store.users[i].name) &&
			      password_hash_valid(store.users[i].hash));
	}
	json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size)
		return 0;
	/* A copy of its own: reading past the span is seen. */
	text = calloc(1, size);
	memcpy(text, data + 1, size - 1);
	if (data[0] % 3 == 0)
		claim_code(text);
	else if (data[0] % 3 == 1)
		password_hash_valid(text);
	else
		file(text, size - 1);
	free(text);
	return 0;
}
