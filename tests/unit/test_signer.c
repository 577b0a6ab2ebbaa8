// SPDX-License-Identifier: GPL-2.0-or-later
/* The Manager's key for Tickets: the same after a restart, and what it signs is good where its public half is. */
/* LINK: userland/manager/signer.c userland/lib/ticket.c userland/lib/base64.c userland/lib/certificate.c
 * userland/lib/state.c userland/lib/log.c | jansson -lcrypto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/certificate.h"
#include "lib/state.h"
#include "manager/signer.h"

#define ID "abababababababababababababababababababababababababababababababab"

static char dir[] = "/tmp/kvmnet-signer-XXXXXX";

static int open_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int close_dir(void **state)
{
	(void)state;
	return state_remove(dir, "ticket.key") || rmdir(dir) ? -1 : 0;
}

static void test_signs(void **state)
{
	struct signer *signer = signer_open(dir);
	struct ticket ticket = { .manager = ID,
				 .device = ID,
				 .user = "ann",
				 .target = "left",
				 .rights = TICKET_VIEW },
		      other = ticket, read;
	struct ticket_keys keys;
	struct ticket_scope scope = { &keys, ID, ID, time(NULL) };
	char *text, *more;
	json_t *set;

	(void)state;
	assert_non_null(signer);
	set = signer_keys(signer);
	text = signer_sign(signer, &ticket);
	signer_close(signer);
	assert_null(ticket_keys_parse(set, &keys));
	json_decref(set);
	assert_null(ticket_check(text, strlen(text), &scope, &read));
	assert_string_equal(read.user, "ann");
	assert_int_equal(read.expires - read.issued, TICKET_LONGEST_S);
	/* After a restart, and not twice the same. */
	signer = signer_open(dir);
	assert_non_null(signer);
	more = signer_sign(signer, &other);
	assert_null(ticket_check(more, strlen(more), &scope, &read));
	assert_memory_not_equal(ticket.id, other.id, TICKET_ID_BYTES);
	ticket.rights = 0;
	assert_null(signer_sign(signer, &ticket));
	signer_close(signer);
	ticket_keys_clear(&keys);
	free(text);
	free(more);
}

static void test_file(void **state)
{
	EVP_PKEY *key = certificate_new_key();
	char path[sizeof(dir) + 16];
	struct stat stat;

	(void)state;
	strcat(strcpy(path, dir), "/ticket.key");
	assert_int_equal(lstat(path, &stat), 0);
	assert_int_equal(stat.st_mode & 0777, 0600);
	/* Never another key in the place of one that cannot be read: Devices know the old one. */
	assert_int_equal(state_write(dir, "ticket.key", "x", 1), 0);
	assert_null(signer_open(dir));
	assert_int_equal(certificate_write_key(dir, "ticket.key", key), 0);
	assert_null(signer_open(dir));
	EVP_PKEY_free(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signs),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, open_dir, close_dir);
}
