// SPDX-License-Identifier: GPL-2.0-or-later
/* Who may do what, written down a second time. */
/* LINK: userland/manager/permission.c | */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/ticket.h"
#include "manager/permission.h"

#define ALL (TICKET_VIEW | TICKET_CONTROL | TICKET_MEDIA | TICKET_POWER)

static void test_permissions(void **state)
{
	/* By nobody in particular, administrator, user, view only, keeper. */
	static const bool want[PERMISSIONS][ACCOUNT_TYPES] = {
		[PERMISSION_STATE] = { true, true, true, true, true },
		[PERMISSION_COME] = { true, true, true, true, true },
		[PERMISSION_LEAVE] = { false, true, true, true, true },
		[PERMISSION_OPEN] = { false, true, true, true, false },
		[PERMISSION_MANAGE] = { false, true, false, false, true },
	};

	(void)state;
	for (int permission = 0; permission < PERMISSIONS; permission++)
		for (int type = 0; type < ACCOUNT_TYPES; type++)
			assert_int_equal(
				permission_given((enum permission)permission, (enum account_type)type),
				want[permission][type]);
}

static void test_rights(void **state)
{
	(void)state;
	assert_int_equal(permission_rights(ACCOUNT_ADMINISTRATOR, false), ALL);
	assert_int_equal(permission_rights(ACCOUNT_ADMINISTRATOR, true), ALL);
	assert_int_equal(permission_rights(ACCOUNT_USER, false), 0);
	assert_int_equal(permission_rights(ACCOUNT_USER, true), ALL);
	assert_int_equal(permission_rights(ACCOUNT_VIEWONLY, false), 0);
	assert_int_equal(permission_rights(ACCOUNT_VIEWONLY, true), TICKET_VIEW);
	assert_int_equal(permission_rights(ACCOUNT_KEEPER, true), 0);
	assert_int_equal(permission_rights(0, true), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_permissions),
		cmocka_unit_test(test_rights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
