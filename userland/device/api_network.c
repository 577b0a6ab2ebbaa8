// SPDX-License-Identifier: GPL-2.0-or-later
/* The network: from a request to its job, and to its answer. What is done is network.c's. */
#include "device/api_parts.h"

static void submit(struct api *api, struct web_request *request, struct job *job)
{
	job->id = request->id;
	if (!job_submit(api->network_jobs, job))
		web_error(request, 503,
			  "Too many people are asking for the network at this moment: try again.");
}

void api_run_network(struct api *api, struct web_request *request)
{
	struct job job = { .type = JOB_NETWORK };

	submit(api, request, &job);
}

void api_run_network_try(struct api *api, struct web_request *request)
{
	struct job job = { .type = JOB_NETWORK_TRY };
	json_t *body = api_body(request);
	const char *wrong = network_form_parse(body, &job.network);

	json_decref(body);
	if (wrong)
		web_error(request, 400, wrong);
	else
		submit(api, request, &job);
}

void api_run_network_keep(struct api *api, struct web_request *request)
{
	struct job job = { .type = JOB_NETWORK_KEEP };

	submit(api, request, &job);
}

void api_run_network_return(struct api *api, struct web_request *request)
{
	struct job job = { .type = JOB_NETWORK_RETURN };

	submit(api, request, &job);
}

void api_run_reach(struct api *api, struct web_request *request)
{
	struct job job = { .type = JOB_REACH, .settings = api->settings };

	submit(api, request, &job);
}

/* The last step is the link's own. */
static void add_link(struct api *api, json_t *answer)
{
	json_t *manager = api_manager_json(api, true);

	if (manager)
		json_object_set_new(answer, "manager", manager);
}

void api_network_done(struct api *api, struct web_request *request, const struct job *job)
{
	if (job->type == JOB_REACH && job->answer)
		add_link(api, job->answer);
	if (job->why)
		web_error(request, job->status, job->why);
	else
		web_answer(request, job->status, json_incref(job->answer));
}
