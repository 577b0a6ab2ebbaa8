// SPDX-License-Identifier: GPL-2.0-or-later
/* A bounded queue of jobs and the list of those that ran. What they do is their submitters'. */
#include "manager/job.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#define THREADS_MAX 4

struct job_list {
	struct job *first, **end;
};

struct job_queue {
	void (*wake)(void *arg);
	void *arg;
	pthread_t threads[THREADS_MAX];
	unsigned thread_count;
	pthread_mutex_t mutex;
	pthread_cond_t submit;
	struct job_list waiting, ran;
	unsigned count;
	bool stop;
};

static void put(struct job_list *list, struct job *job)
{
	job->next = NULL;
	*list->end = job;
	list->end = &job->next;
}

static struct job *take(struct job_list *list)
{
	struct job *job = list->first;

	if (job)
		list->first = job->next;
	if (!list->first)
		list->end = &list->first;
	return job;
}

static void *work(void *arg)
{
	struct job_queue *queue = arg;

	pthread_mutex_lock(&queue->mutex);
	while (!queue->stop) {
		struct job *job = take(&queue->waiting);

		if (!job) {
			pthread_cond_wait(&queue->submit, &queue->mutex);
			continue;
		}
		pthread_mutex_unlock(&queue->mutex);
		job->run(job);
		job->ran = true;
		pthread_mutex_lock(&queue->mutex);
		put(&queue->ran, job);
		pthread_mutex_unlock(&queue->mutex);
		queue->wake(queue->arg);
		pthread_mutex_lock(&queue->mutex);
	}
	pthread_mutex_unlock(&queue->mutex);
	return NULL;
}

struct job_queue *job_queue_new(unsigned threads, void (*wake)(void *arg), void *arg)
{
	struct job_queue *queue = calloc(1, sizeof(*queue));
	sigset_t all, old;
	int error = 0;

	if (!queue)
		return NULL;
	queue->wake = wake;
	queue->arg = arg;
	queue->waiting.end = &queue->waiting.first;
	queue->ran.end = &queue->ran.first;
	pthread_mutex_init(&queue->mutex, NULL);
	pthread_cond_init(&queue->submit, NULL);
	/* Signals are for the thread that waits for them. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	for (; !error && queue->thread_count < threads && queue->thread_count < THREADS_MAX;
	     queue->thread_count++)
		error = pthread_create(&queue->threads[queue->thread_count], NULL, work, queue);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!error)
		return queue;
	queue->thread_count--;
	job_queue_free(queue);
	errno = error;
	return NULL;
}

void job_queue_free(struct job_queue *queue)
{
	struct job *job;

	if (!queue)
		return;
	pthread_mutex_lock(&queue->mutex);
	queue->stop = true;
	pthread_cond_broadcast(&queue->submit);
	pthread_mutex_unlock(&queue->mutex);
	for (unsigned i = 0; i < queue->thread_count; i++)
		pthread_join(queue->threads[i], NULL);
	while ((job = take(&queue->ran)) || (job = take(&queue->waiting)))
		job->done(job);
	pthread_cond_destroy(&queue->submit);
	pthread_mutex_destroy(&queue->mutex);
	free(queue);
}

bool job_submit(struct job_queue *queue, struct job *job)
{
	bool room;

	pthread_mutex_lock(&queue->mutex);
	room = queue->count < JOBS_MAX;
	if (room) {
		queue->count++;
		put(&queue->waiting, job);
		pthread_cond_signal(&queue->submit);
	}
	pthread_mutex_unlock(&queue->mutex);
	return room;
}

void job_settle(struct job_queue *queue)
{
	struct job *job;

	do {
		pthread_mutex_lock(&queue->mutex);
		job = take(&queue->ran);
		queue->count -= !!job;
		pthread_mutex_unlock(&queue->mutex);
		if (job)
			job->done(job);
	} while (job);
}
