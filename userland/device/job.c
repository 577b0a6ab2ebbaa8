// SPDX-License-Identifier: GPL-2.0-or-later
/* One thread with a bounded ring of calls. Who asked, and what is answered, is api.c's. */
#include "device/job.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "device/network.h"
#include "device/reach.h"

/* Counters run freely: taken <= done <= submitted <= taken + JOBS_MAX. */
struct job_queue {
	struct job_stores stores;
	void (*wake)(void *arg);
	void *arg;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t submit;
	unsigned submitted, done, taken;
	bool stop;
	struct job jobs[JOBS_MAX];
};

static void name_user(struct job *job, const char *name)
{
	size_t len = strnlen(name, USER_NAME_MAX);

	memcpy(job->user, name, len);
	job->user[len] = '\0';
}

/* The owner first: were it the other way round, a power cut between would leave one whose password nobody knows. */
static enum account_result release(const struct job_stores *stores, bool disown)
{
	struct adoption *adoption = manager_adoption(stores->manager);
	enum account_result result = ACCOUNT_OK;

	if (adoption ? adoption->sole_owner : disown)
		result = account_disown(stores->accounts);
	adoption_free(adoption);
	if (result == ACCOUNT_OK &&
	    (gate_forget_keys(stores->gate) || manager_leave(stores->manager) != MANAGER_OK))
		result = ACCOUNT_FAILED;
	return result;
}

/* The owner last: whatever ends in between, he can ask again. */
static enum account_result reset(const struct job_stores *stores, struct job *job)
{
	enum account_result result = account_verify(stores->accounts, (const struct sockaddr *)&job->peer,
						    job->user, job->fields[0]);

	if (result != ACCOUNT_OK)
		return result;
	settings_defaults(&job->settings, stores->config);
	if (network_reset() || settings_forget(stores->config->state_dir) || gate_forget_keys(stores->gate) ||
	    manager_leave(stores->manager) != MANAGER_OK)
		return ACCOUNT_FAILED;
	return account_disown(stores->accounts);
}

static void admit(struct gate *gate, struct job *job)
{
	job->admitted = gate_admit(gate, (const struct sockaddr *)&job->peer, job->text, strlen(job->text),
				   &job->ticket, &job->why);
	name_user(job, job->ticket.user);
}

static void set_keys(struct gate *gate, struct job *job)
{
	json_t *keys = json_loads(job->text, JSON_REJECT_DUPLICATES, NULL);

	job->why = gate_set_keys(gate, keys);
	json_decref(keys);
}

static void free_text(struct job *job)
{
	if (job->text)
		OPENSSL_cleanse(job->text, strlen(job->text));
	free(job->text);
	job->text = NULL;
}

/* A reset went first: nobody is there any more who could permit what was asked before it. Whether it was so. */
static bool came_late(const struct job_stores *stores, struct job *job)
{
	uint8_t manager[CERTIFICATE_ID_SIZE];
	bool changes = job->type == JOB_ADOPT || job->type == JOB_SETTINGS || job->type == JOB_NETWORK_TRY ||
		       job->type == JOB_NETWORK_KEEP;

	if (!changes || account_claimed(stores->accounts) || manager_id(stores->manager, manager))
		return false;
	if (job->type == JOB_ADOPT) {
		adoption_free(job->adoption);
		job->adopted = MANAGER_STRANGER;
	}
	job->result = ACCOUNT_UNCLAIMED;
	job->status = 409;
	job->why = account_text(ACCOUNT_UNCLAIMED);
	return true;
}

static void perform(const struct job_stores *stores, struct job *job)
{
	struct account_store *accounts = stores->accounts;
	const struct sockaddr *peer = (const struct sockaddr *)&job->peer;
	char(*fields)[BODY_FIELD_SIZE] = job->fields;

	switch (job->type) {
	case JOB_CLAIM:
		job->result = account_claim(accounts, peer, fields[0], fields[1], fields[2]);
		name_user(job, fields[1]);
		break;
	case JOB_LOGIN:
		job->result = account_verify(accounts, peer, fields[0], fields[1]);
		name_user(job, fields[0]);
		break;
	case JOB_PASSWORD:
		job->result = account_set_password(accounts, peer, job->user, fields[0], fields[1]);
		break;
	case JOB_RESET:
		job->result = reset(stores, job);
		break;
	case JOB_TICKET:
		admit(stores->gate, job);
		break;
	case JOB_TICKET_KEYS:
		set_keys(stores->gate, job);
		break;
	case JOB_REVOKE:
		job->why = gate_revoke(stores->gate, job->issued);
		break;
	case JOB_ADOPT:
		job->adopted = manager_adopt(stores->manager, job->adoption, job->logged_in, &job->why);
		break;
	case JOB_RELEASE:
		job->result = release(stores, job->disown);
		break;
	case JOB_SETTINGS:
		job->result = settings_store(stores->config->state_dir, &job->settings) ? ACCOUNT_FAILED :
											  ACCOUNT_OK;
		break;
	case JOB_NETWORK:
	case JOB_NETWORK_TRY:
	case JOB_NETWORK_KEEP:
	case JOB_NETWORK_RETURN:
		network_run(job);
		break;
	case JOB_REACH:
		reach_run(stores, job);
		break;
	}
}

static void run(const struct job_stores *stores, struct job *job)
{
	if (!came_late(stores, job))
		perform(stores, job);
	free_text(job);
	OPENSSL_cleanse(job->fields, sizeof(job->fields));
}

/* The job that runs is nobody else's: it is neither free to be submitted over nor done. */
static void *work(void *arg)
{
	struct job_queue *queue = arg;

	pthread_mutex_lock(&queue->mutex);
	while (!queue->stop) {
		if (queue->done == queue->submitted) {
			pthread_cond_wait(&queue->submit, &queue->mutex);
			continue;
		}
		pthread_mutex_unlock(&queue->mutex);
		run(&queue->stores, &queue->jobs[queue->done % JOBS_MAX]);
		pthread_mutex_lock(&queue->mutex);
		queue->done++;
		pthread_mutex_unlock(&queue->mutex);
		queue->wake(queue->arg);
		pthread_mutex_lock(&queue->mutex);
	}
	pthread_mutex_unlock(&queue->mutex);
	return NULL;
}

struct job_queue *job_queue_new(const struct job_stores *stores, void (*wake)(void *arg), void *arg)
{
	struct job_queue *queue = calloc(1, sizeof(*queue));
	int error;

	if (!queue)
		return NULL;
	queue->stores = *stores;
	queue->wake = wake;
	queue->arg = arg;
	pthread_mutex_init(&queue->mutex, NULL);
	pthread_cond_init(&queue->submit, NULL);
	error = pthread_create(&queue->thread, NULL, work, queue);
	if (!error)
		return queue;
	free(queue);
	errno = error;
	return NULL;
}

void job_queue_free(struct job_queue *queue)
{
	if (!queue)
		return;
	pthread_mutex_lock(&queue->mutex);
	queue->stop = true;
	pthread_cond_signal(&queue->submit);
	pthread_mutex_unlock(&queue->mutex);
	pthread_join(queue->thread, NULL);
	for (; queue->taken != queue->done; queue->taken++)
		json_decref(queue->jobs[queue->taken % JOBS_MAX].answer);
	for (; queue->done != queue->submitted; queue->done++) {
		struct job *job = &queue->jobs[queue->done % JOBS_MAX];

		free_text(job);
		if (job->type == JOB_ADOPT)
			adoption_free(job->adoption);
	}
	pthread_cond_destroy(&queue->submit);
	pthread_mutex_destroy(&queue->mutex);
	OPENSSL_cleanse(queue, sizeof(*queue));
	free(queue);
}

bool job_submit(struct job_queue *queue, const struct job *job)
{
	bool room;

	pthread_mutex_lock(&queue->mutex);
	room = queue->submitted - queue->taken < JOBS_MAX;
	if (room)
		queue->jobs[queue->submitted++ % JOBS_MAX] = *job;
	pthread_cond_signal(&queue->submit);
	pthread_mutex_unlock(&queue->mutex);
	return room;
}

bool job_take(struct job_queue *queue, struct job *job)
{
	bool any;

	pthread_mutex_lock(&queue->mutex);
	any = queue->taken != queue->done;
	if (any)
		*job = queue->jobs[queue->taken++ % JOBS_MAX];
	pthread_mutex_unlock(&queue->mutex);
	return any;
}
