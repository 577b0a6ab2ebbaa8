// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Worker threads: jobs in submit order to whichever thread is free, finished
 * jobs back to the loop through an eventfd. What a job does is its owner's.
 */
#include "lib/work.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct queue {
	struct work_job *first, **last;
};

struct work_pool {
	struct loop *loop;
	struct loop_source finished;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct queue waiting, done; /* under lock */
	bool stopping;		    /* under lock */
	unsigned threads;
	pthread_t thread[];
};

static void queue_init(struct queue *queue)
{
	queue->first = NULL;
	queue->last = &queue->first;
}

static void queue_put(struct queue *queue, struct work_job *job)
{
	job->next = NULL;
	*queue->last = job;
	queue->last = &job->next;
}

static struct work_job *queue_take(struct queue *queue)
{
	struct work_job *job = queue->first;

	if (job) {
		queue->first = job->next;
		if (!queue->first)
			queue->last = &queue->first;
	}
	return job;
}

static void *worker(void *arg)
{
	struct work_pool *pool = arg;
	struct work_job *job;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		while (!(job = queue_take(&pool->waiting)) && !pool->stopping)
			pthread_cond_wait(&pool->work, &pool->lock);
		if (!job)
			break;
		pthread_mutex_unlock(&pool->lock);
		job->run(job);
		pthread_mutex_lock(&pool->lock);
		queue_put(&pool->done, job);
		/* Cannot fail: the counter is far from its end. */
		eventfd_write(pool->finished.fd, 1);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

static void run_done(struct work_pool *pool)
{
	struct work_job *job;

	for (;;) {
		pthread_mutex_lock(&pool->lock);
		job = queue_take(&pool->done);
		pthread_mutex_unlock(&pool->lock);
		if (!job)
			return;
		job->done(job);
	}
}

static struct work_pool *pool_of(struct loop_source *source)
{
	return (struct work_pool *)((char *)source - offsetof(struct work_pool, finished));
}

static void finished_ready(struct loop_source *source, uint32_t events)
{
	eventfd_t count;

	(void)events;
	eventfd_read(source->fd, &count);
	run_done(pool_of(source));
}

/* Signals belong to the loop's thread. */
static int start_threads(struct work_pool *pool, unsigned threads)
{
	sigset_t all, old;
	int err = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (!err && pool->threads < threads) {
		err = pthread_create(&pool->thread[pool->threads], NULL, worker, pool);
		if (!err)
			pool->threads++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err;
}

static void stop_threads(struct work_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->threads; i++)
		pthread_join(pool->thread[i], NULL);
}

static void destroy(struct work_pool *pool)
{
	if (pool->finished.fd >= 0)
		close(pool->finished.fd);
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

struct work_pool *work_pool_new(struct loop *loop, unsigned threads)
{
	struct work_pool *pool = calloc(1, sizeof(*pool) + threads * sizeof(pool->thread[0]));
	int err;

	if (!pool)
		return NULL;
	pool->loop = loop;
	queue_init(&pool->waiting);
	queue_init(&pool->done);
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->work, NULL);
	pool->finished.events = EPOLLIN;
	pool->finished.ready = finished_ready;
	pool->finished.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = pool->finished.fd < 0 ? errno : -loop_watch(loop, &pool->finished);
	if (err)
		goto destroy;
	err = start_threads(pool, threads);
	if (err) {
		stop_threads(pool);
		loop_unwatch(loop, &pool->finished);
		goto destroy;
	}
	return pool;
destroy:
	destroy(pool);
	errno = err;
	return NULL;
}

void work_submit(struct work_pool *pool, struct work_job *job)
{
	pthread_mutex_lock(&pool->lock);
	queue_put(&pool->waiting, job);
	pthread_cond_signal(&pool->work);
	pthread_mutex_unlock(&pool->lock);
}

void work_pool_free(struct work_pool *pool)
{
	if (!pool)
		return;
	stop_threads(pool);
	run_done(pool);
	loop_unwatch(pool->loop, &pool->finished);
	destroy(pool);
}
