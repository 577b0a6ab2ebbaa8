/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What blocks - password hashes, the database, other machines - on threads of its own, for the web thread. */
#ifndef KVMNET_MANAGER_JOB_H
#define KVMNET_MANAGER_JOB_H

#include <stdbool.h>

#define JOBS_MAX 64 /* that wait or run or are not yet taken */

struct job {
	void (*run)(struct job *job); /* on a worker */
	void (*done)(
		struct job *
			job); /* on the web thread, once; it frees the job. Also of a job that never ran: ran */
	bool ran;
	struct job *next;
};

struct job_queue;

/* wake: called on a worker after each job. NULL with errno. */
struct job_queue *job_queue_new(unsigned threads, void (*wake)(void *arg), void *arg);
/* Waits for those that run; then each that is left is done(), with ran as it is. NULL: nothing. */
void job_queue_free(struct job_queue *queue);
/* false: JOBS_MAX. Then the job is still the caller's. */
bool job_submit(struct job_queue *queue, struct job *job);
/* done() of each that ran. */
void job_settle(struct job_queue *queue);

#endif
