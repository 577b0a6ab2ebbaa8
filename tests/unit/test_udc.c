// SPDX-License-Identifier: GPL-2.0-or-later
/* Whose state is followed when a USB controller goes and comes back. Files stand for sysfs, and the loop is left out. */
/* LINK: userland/device/udc.c userland/lib/log.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device/udc.h"
#include "lib/log.h"

static char folder[64], path[80];
static struct udc udc;
static struct loop_source *watched;

/* A file of sysfs whose device is gone (kernfs_fop_read_iter). */
ssize_t pread(int fd, void *buf, size_t size, off_t at)
{
	struct stat st;

	if (!fstat(fd, &st) && !st.st_nlink) {
		errno = ENODEV;
		return -1;
	}
	lseek(fd, at, SEEK_SET);
	return read(fd, buf, size);
}

int loop_watch(struct loop *loop, struct loop_source *source)
{
	(void)loop;
	watched = source;
	return 0;
}

void loop_unwatch(struct loop *loop, struct loop_source *source)
{
	(void)loop;
	assert_ptr_equal(watched, source);
	watched = NULL;
}

static void changed(struct udc *of)
{
	assert_ptr_equal(of, &udc);
}

static void state_is(const char *state)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fprintf(file, "%s\n", state);
	fclose(file);
}

static int start(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	snprintf(folder, sizeof(folder), "/tmp/test_udc.XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/state", folder);
	udc_init(&udc, NULL, folder, changed);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	udc_close(&udc);
	assert_null(watched);
	unlink(path);
	rmdir(folder);
	return 0;
}

static void a_notification_tells_the_state(void **state)
{
	(void)state;
	state_is("default");
	udc_look(&udc);
	assert_false(udc.configured);
	state_is("configured");
	watched->ready(watched, 0);
	assert_true(udc.configured);
	state_is("suspended");
	watched->ready(watched, 0);
	assert_true(udc.configured);
	state_is("not attached");
	watched->ready(watched, 0);
	assert_false(udc.configured);
}

static void a_controller_that_came_back_unnoticed_is_followed(void **state)
{
	(void)state;
	state_is("configured");
	udc_look(&udc);
	assert_true(udc.configured);
	unlink(path);
	state_is("default");
	udc_look(&udc);
	assert_false(udc.configured);
	state_is("configured");
	watched->ready(watched, 0);
	assert_true(udc.configured);
}

static void a_controller_that_is_gone_is_let_go_of(void **state)
{
	(void)state;
	state_is("configured");
	udc_look(&udc);
	unlink(path);
	watched->ready(watched, 0);
	assert_false(udc.configured);
	assert_null(watched);
	state_is("configured");
	udc_look(&udc);
	assert_true(udc.configured);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_notification_tells_the_state, start, stop),
		cmocka_unit_test_setup_teardown(a_controller_that_came_back_unnoticed_is_followed, start,
						stop),
		cmocka_unit_test_setup_teardown(a_controller_that_is_gone_is_let_go_of, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
