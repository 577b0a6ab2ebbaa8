// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The Device on port 443: what the web server asks, the API, the bus and the
 * account jobs answer. The console and the watchers have files of their own.
 */
#include "device/page.h"

#include <stdlib.h>

#include "device/page_parts.h"
#include "lib/log.h"

static struct page *page;

bool page_may_upgrade(struct lws *wsi, const char *path, struct web_caller *caller, unsigned right,
		      struct login *login)
{
	struct page *where = web_arg(wsi);
	int status;

	if (web_upgrade(wsi, path, caller))
		return false;
	status = api_may_upgrade(&where->api, caller, right, login);
	return !status || !web_refuse(wsi, status, NULL);
}

static int set_up_tls(void *arg, SSL_CTX *ctx)
{
	struct page *where = arg;

	return identity_use(where->identity, ctx);
}

static bool check(void *arg, struct web_request *request)
{
	struct page *where = arg;

	return api_check(&where->api, request);
}

static void run(void *arg, struct web_request *request)
{
	struct page *where = arg;

	api_run(&where->api, request);
}

static void expire(void *arg, struct web_request *request)
{
	struct page *where = arg;

	api_expire(&where->api, request);
}

static void sweep(void *arg)
{
	struct page *where = arg;

	page_console_end_strangers(where);
	page_watch_end_strangers(where);
	if (where->status_outdated)
		page_watch_changed(where);
}

/* A browser's request or the Manager's. */
static struct web_request *find(struct page *where, uint64_t id)
{
	struct web_request *request = web_find(where->web, id);

	return request ? request : page_link_find(where, id);
}

static void answered(struct page *where, struct web_request *request)
{
	if (request == page_link_find(where, request->id))
		page_link_answered(where, request);
	else
		web_answered(where->web, request);
}

static void status_came(struct page *where, const struct bus_answer *answer)
{
	struct web_request *request = find(where, answer->cookie);

	if (!request) {
		page_watch_status(where, answer);
		return;
	}
	api_status(&where->api, request, &answer->status);
	answered(where, request);
}

static void job_done(struct page *where, const struct job *job)
{
	struct web_request *request = find(where, job->id);

	/* Whoever asked may be gone: what was done has its effects all the same. */
	api_job_effects(&where->api, job, request ? request->login : 0);
	if (request) {
		api_job_done(&where->api, request, job);
		answered(where, request);
	} else {
		sweep(where);
	}
	json_decref(job->answer);
}

/* The session thread, the job thread or the link has something. */
static void woken(void *arg)
{
	static struct bus_answer answer;
	struct page *where = arg;
	struct job job;

	while (bus_take_answer(where->api.bus, &answer))
		status_came(where, &answer);
	page_console_take_ends(where);
	while (job_take(where->api.jobs, &job) || job_take(where->api.network_jobs, &job))
		job_done(where, &job);
	if (page_link_woken(where) | bus_take_change(where->api.bus))
		page_watch_changed(where);
}

static const struct lws_protocols protocols[] = {
	{ .name = "binary", .callback = page_console_callback, .tx_packet_size = WEB_CHUNK },
	{ .name = "keyboard",
	  .callback = page_console_callback,
	  .id = BUS_KEYBOARD,
	  .tx_packet_size = WEB_CHUNK },
	{ .name = "mouse", .callback = page_console_callback, .id = BUS_MOUSE, .tx_packet_size = WEB_CHUNK },
	{ .name = "events",
	  .callback = page_watch_callback,
	  .rx_buffer_size = 256,
	  .tx_packet_size = WEB_CHUNK },
	{ .name = "relay", .callback = page_relay_callback }, /* no WebSocket, and refuses to be one */
	{ 0 },
};

/* Connections go before what they use. */
static void release(void)
{
	web_stop(page->web);
	link_stop(page->api.link);
	bus_on_answer(page->api.bus, NULL, NULL);
	job_queue_free(page->api.jobs);
	page->api.jobs = NULL;
	job_queue_free(page->api.network_jobs);
	page->api.network_jobs = NULL;
	page_link_free(page);
	web_free(page->web);
	login_table_free(page->api.logins);
	free(page->status);
	free(page);
	page = NULL;
}

static bool open_web(const struct config *config)
{
	const struct web_settings settings = {
		.address = config->https_address,
		.port = config->https_port,
		.files = config->web_dir,
		.descriptors = 2 * PAGE_CONSOLES, /* relays */
	};

	page->site = (struct web_site){
		.arg = page,
		.set_up_tls = set_up_tls,
		.check = check,
		.run = run,
		.expire = expire,
		.woken = woken,
		.sweep = sweep,
		.protocols = protocols,
	};
	page->web = web_open(&settings, &page->site);
	return page->web;
}

static bool set_up(const struct config *config, const struct page_stores *stores)
{
	const struct job_stores job_stores = {
		.accounts = stores->accounts,
		.manager = stores->manager,
		.gate = stores->gate,
		.config = config,
		.own = identity_key(stores->identity),
	};

	if (!open_web(config))
		return false;
	page->api.logins = login_table_new();
	page->api.jobs = job_queue_new(&job_stores, web_wake, page->web);
	page->api.network_jobs = job_queue_new(&job_stores, web_wake, page->web);
	if (!page->api.logins || !page->api.jobs || !page->api.network_jobs) {
		log_error("https: out of memory");
		return false;
	}
	page->link_host = (struct link_host){
		.own = identity_key(stores->identity),
		.boot = stores->boot,
		.wake = web_wake,
		.arg = page->web,
	};
	page->api.link = link_start(stores->manager, stores->settings, &page->link_host);
	if (!page->api.link)
		return false;
	bus_on_answer(page->api.bus, web_wake, page->web);
	return !web_start(page->web);
}

int page_start(const struct config *config, const struct page_stores *stores)
{
	page = calloc(1, sizeof(*page));
	if (!page) {
		log_error("https: out of memory");
		return -1;
	}
	page->identity = stores->identity;
	page->api.identity = stores->identity;
	page->api.accounts = stores->accounts;
	page->api.bus = stores->bus;
	page->api.manager = stores->manager;
	page->api.settings = *stores->settings;
	if (set_up(config, stores))
		return 0;
	release();
	return -1;
}

void page_stop(void)
{
	if (page)
		release();
}
