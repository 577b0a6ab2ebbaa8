// SPDX-License-Identifier: GPL-2.0-or-later
/* Answers the questions of kvmnet-manager-shell, which change nothing, and writes each down. Web thread. */
#include "manager/api_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/version.h"
#include "manager/log_file.h"
#include "manager/replication.h"

#define AT_ONCE 16
#define AUDITED_MAX 170 /* bytes of a line: the key after it is never cut */

static void print_status(const struct api *api, FILE *out)
{
	unsigned adopted = 0, linked = 0;
	size_t sessions = 0;

	for (const struct fleet_device *device = api->fleet.devices; device; device = device->next) {
		adopted += device->adopted;
		linked += device->link && device->ready;
		sessions += json_array_size(json_object_get(device->status, "sessions"));
	}
	fprintf(out, "Manager      %s, kvmnet-manager " KVMNET_VERSION "\n", api->stores.name);
	fprintf(out, "Identity     %s\n", ca_id(api->stores.ca));
	fprintf(out, "Claimed      %s\n", account_claimed(api->stores.accounts) ? "yes" : "no");
	fprintf(out, "Devices      %u adopted, %u of them connected; %u others found\n", adopted, linked,
		api->fleet.found);
	fprintf(out, "Sessions     %zu\n", sessions);
	fputs("Replication  ", out);
}

/* Names of one that is not adopted are what a stranger sent: fleet.c keeps printable ASCII alone. */
static void print_devices(const struct api *api, FILE *out)
{
	for (const struct fleet_device *device = api->fleet.devices; device; device = device->next)
		fprintf(out, "%.16s  %-9s  %-39s  %s%s%s\n", device->id,
			!device->adopted	      ? "found" :
			device->link && device->ready ? "connected" :
							"missing",
			*device->address ? device->address : "-", *device->name ? device->name : "-",
			*device->why ? ": " : "", device->why);
	if (!api->fleet.devices)
		fputs("There are no Devices.\n", out);
}

static enum shell_status print_answer(const struct api *api, const struct shell_command *command, FILE *out)
{
	switch (command->verb) {
	case SHELL_HELP:
		fputs(shell_help, out);
		break;
	case SHELL_STATUS:
		print_status(api, out);
		break;
	case SHELL_DEVICES:
		print_devices(api, out);
		break;
	case SHELL_LOGS:
		if (!log_file_tail(command->lines, out))
			break;
		fputs("This Manager keeps no log files: see log_dir in kvmnet-manager.conf(5).\n", out);
		return SHELL_FAILED;
	default: /* what the shell does by itself, once it is written down */
		break;
	}
	return SHELL_DONE;
}

static void audit(struct api *api, const struct shell_query *query, const char *wrong)
{
	char text[BODY_FIELD_SIZE];

	snprintf(text, sizeof(text), "%s%.*s (key %s)", wrong ? "refused: " : "", AUDITED_MAX, query->line,
		 query->key);
	api_event(api, query->who, "ssh", NULL, text);
}

struct question {
	struct job job;
	struct api *api;
	struct shell_call call;
	enum shell_status status;
	FILE *out; /* to text */
	char *text;
	size_t len;
};

static void answer(struct question *question)
{
	if (!fclose(question->out))
		shell_answer(question->api->stores.shell, &question->call, question->status, question->text,
			     question->len);
	free(question->text);
	free(question);
}

/* The database may be slow: on a worker. */
static void look_at_replication(struct job *job)
{
	struct question *question = (struct question *)job;

	replication_print(question->api->stores.replication, question->api->stores.store, question->out);
}

static void looked(struct job *job)
{
	struct question *question = (struct question *)job;

	if (!job->ran) {
		fputs("the Manager stops.\n", question->out);
		question->status = SHELL_FAILED;
	}
	answer(question);
}

/* SHELL_STATUS and SHELL_REPLICATION end with what the database says. */
static void add_replication(struct question *question)
{
	question->job.run = look_at_replication;
	question->job.done = looked;
	if (job_submit(question->api->quick, &question->job))
		return;
	fputs(API_BUSY "\n", question->out);
	question->status = SHELL_FAILED;
	answer(question);
}

static void ask(struct api *api, const struct shell_call *call)
{
	struct shell_command command;
	const char *wrong = shell_command_parse(call->query.line, strlen(call->query.line), &command);
	struct question *question = calloc(1, sizeof(*question));

	audit(api, &call->query, wrong);
	if (question)
		question->out = open_memstream(&question->text, &question->len);
	if (!question || !question->out) {
		log_error("shell: out of memory");
		free(question);
		return;
	}
	question->api = api;
	question->call = *call;
	question->status = SHELL_REFUSED;
	if (wrong)
		fprintf(question->out, "%s\n", wrong);
	else
		question->status = print_answer(api, &command, question->out);
	if (!wrong && (command.verb == SHELL_STATUS || command.verb == SHELL_REPLICATION))
		add_replication(question);
	else
		answer(question);
}

int api_shell_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct shell_call call;
	int got = 0;

	(void)user, (void)in, (void)len;
	if (reason == LWS_CALLBACK_RAW_RX_FILE) {
		struct api *api = web_arg(wsi);

		for (int i = 0; i < AT_ONCE && got >= 0; i++) {
			got = shell_receive(api->stores.shell, &call);
			if (got > 0)
				ask(api, &call);
		}
	}
	return reason == LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION; /* no browser's to ask for */
}

/* The library closes what it watches: it is given a descriptor of its own. */
bool api_watch_shell(struct api *api)
{
	lws_sock_file_fd_type watched;

	if (!api->stores.shell)
		return true;
	watched.filefd = dup(shell_descriptor(api->stores.shell));
	if (watched.filefd >= 0 && lws_adopt_descriptor_vhost(web_vhost(api->web), LWS_ADOPT_RAW_FILE_DESC,
							      watched, API_SHELL_PROTOCOL, NULL))
		return true;
	log_error("shell: it cannot be watched");
	return false;
}
