// SPDX-License-Identifier: GPL-2.0-or-later
/* Merge patches: the object cases of RFC 7396 appendix A, and patches that are made lead where they should. */
/* LINK: userland/lib/merge.c | jansson */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/merge.h"

static void applied(const char *target_text, const char *patch_text, const char *want_text)
{
	json_t *target = json_loads(target_text, 0, NULL), *patch = json_loads(patch_text, 0, NULL);
	json_t *want = json_loads(want_text, 0, NULL);

	assert_true(target && patch && want);
	assert_int_equal(merge_apply(target, patch), 0);
	assert_true(json_equal(target, want));
	json_decref(target);
	json_decref(patch);
	json_decref(want);
}

static void test_rfc(void **state)
{
	(void)state;
	applied("{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}");
	applied("{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}");
	applied("{\"a\":\"b\"}", "{\"a\":null}", "{}");
	applied("{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}");
	applied("{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}");
	applied("{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}");
	applied("{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}");
	applied("{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}");
	applied("{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}");
	applied("{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}");
	applied("{\"a\":7}", "{\"a\":{\"b\":null,\"c\":1}}", "{\"a\":{\"c\":1}}");
}

static void leads(const char *from_text, const char *to_text, const char *patch_text)
{
	json_t *from = json_loads(from_text, 0, NULL), *to = json_loads(to_text, 0, NULL);
	json_t *want = json_loads(patch_text, 0, NULL), *patch = merge_diff(from, to);

	assert_true(from && to && want && patch);
	assert_true(json_equal(patch, want));
	assert_int_equal(merge_apply(from, patch), 0);
	assert_true(json_equal(from, to));
	json_decref(from);
	json_decref(to);
	json_decref(want);
	json_decref(patch);
}

static void test_diff(void **state)
{
	(void)state;
	leads("{}", "{}", "{}");
	leads("{\"a\":1,\"b\":{\"c\":[1]}}", "{\"a\":1,\"b\":{\"c\":[1]}}", "{}");
	leads("{\"a\":1}", "{\"a\":2}", "{\"a\":2}");
	leads("{\"a\":1}", "{}", "{\"a\":null}");
	leads("{}", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}");
	leads("{\"a\":{\"b\":1,\"c\":2,\"d\":3}}", "{\"a\":{\"b\":1,\"c\":4}}",
	      "{\"a\":{\"c\":4,\"d\":null}}");
	leads("{\"a\":[1,2]}", "{\"a\":[1]}", "{\"a\":[1]}");
	leads("{\"a\":{\"b\":1}}", "{\"a\":5}", "{\"a\":5}");
	leads("{\"a\":5}", "{\"a\":{\"b\":1}}", "{\"a\":{\"b\":1}}");
	leads("{\"a\":{\"b\":1}}", "{\"a\":{}}", "{\"a\":{\"b\":null}}");
}

/* What is applied is a copy: a patch that lives on changes nothing. */
static void test_copies(void **state)
{
	json_t *target = json_object(), *patch = json_loads("{\"a\":[1]}", 0, NULL);

	(void)state;
	assert_int_equal(merge_apply(target, patch), 0);
	json_array_clear(json_object_get(patch, "a"));
	assert_int_equal(json_array_size(json_object_get(target, "a")), 1);
	json_decref(target);
	json_decref(patch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
