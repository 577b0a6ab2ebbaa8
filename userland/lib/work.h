/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bounded pool of worker threads for what takes long (encoding, password
 * hashes). Jobs are intrusive; each job's done() runs on the loop's thread.
 */
#ifndef KVMNET_LIB_WORK_H
#define KVMNET_LIB_WORK_H

#include "lib/loop.h"

struct work_pool;

struct work_job {
	void (*run)(struct work_job *job);  /* on a worker */
	void (*done)(struct work_job *job); /* on the loop's thread, once for each submit */
	struct work_job *next;
};

struct work_pool *work_pool_new(struct loop *loop, unsigned threads); /* NULL with errno */
void work_submit(struct work_pool *pool, struct work_job *job); /* the job belongs to the pool until done() */
/* Waits for running jobs, calls done() for each, then frees. */
void work_pool_free(struct work_pool *pool);

#endif
