// SPDX-License-Identifier: GPL-2.0-or-later
/* The worker pool: each job runs once, done() is on the loop's thread, freeing finishes what is left. */
/* LINK: userland/lib/work.c userland/lib/loop.c | -lpthread */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/work.h"

#define JOBS 100

struct count {
	struct loop *loop;
	pthread_t loop_thread;
	int done, expected;
};

struct job {
	struct work_job work;
	struct count *count;
	int runs, again;
	struct work_pool *pool;
};

static void run(struct work_job *work)
{
	struct job *job = (struct job *)work;

	assert_false(pthread_equal(pthread_self(), job->count->loop_thread));
	job->runs++;
}

static void done(struct work_job *work)
{
	struct job *job = (struct job *)work;

	assert_true(pthread_equal(pthread_self(), job->count->loop_thread));
	if (job->again-- > 0) {
		work_submit(job->pool, work);
		return;
	}
	if (++job->count->done == job->count->expected)
		loop_stop(job->count->loop);
}

static void submit_all(struct work_pool *pool, struct job *jobs, struct count *count)
{
	for (int i = 0; i < JOBS; i++) {
		jobs[i] = (struct job){ .work = { .run = run, .done = done }, .count = count, .pool = pool };
		work_submit(pool, &jobs[i].work);
	}
}

static void each_job_runs_once_and_is_done_on_the_loop(void **state)
{
	struct count count = { .loop = loop_new(), .loop_thread = pthread_self(), .expected = JOBS };
	struct work_pool *pool = work_pool_new(count.loop, 2);
	struct job jobs[JOBS];

	(void)state;
	submit_all(pool, jobs, &count);
	assert_int_equal(loop_run(count.loop), 0);
	for (int i = 0; i < JOBS; i++)
		assert_int_equal(jobs[i].runs, 1);
	work_pool_free(pool);
	loop_free(count.loop);
}

static void a_job_may_be_submitted_again_by_its_done(void **state)
{
	struct count count = { .loop = loop_new(), .loop_thread = pthread_self(), .expected = 1 };
	struct work_pool *pool = work_pool_new(count.loop, 1);
	struct job job = { .work = { .run = run, .done = done }, .count = &count, .again = 3, .pool = pool };

	(void)state;
	work_submit(pool, &job.work);
	assert_int_equal(loop_run(count.loop), 0);
	assert_int_equal(job.runs, 4);
	work_pool_free(pool);
	loop_free(count.loop);
}

static void freeing_finishes_every_job(void **state)
{
	struct count count = { .loop = loop_new(), .loop_thread = pthread_self(), .expected = -1 };
	struct work_pool *pool = work_pool_new(count.loop, 2);
	struct job jobs[JOBS];

	(void)state;
	submit_all(pool, jobs, &count);
	work_pool_free(pool);
	assert_int_equal(count.done, JOBS);
	loop_free(count.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_job_runs_once_and_is_done_on_the_loop),
		cmocka_unit_test(a_job_may_be_submitted_again_by_its_done),
		cmocka_unit_test(freeing_finishes_every_job),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
