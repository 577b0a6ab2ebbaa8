// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kvmnetd: options, start in order, stop in reverse. The rooms that do the work
 * are named in server.h; the page thread is page.c's.
 */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "device/beacon.h"
#include "device/log_tail.h"
#include "device/page.h"
#include "device/sandbox.h"
#include "device/session.h"
#include "lib/claim.h"
#include "lib/boot.h"
#include "lib/log.h"
#include "lib/version.h"

#define FIRST_NICE -10 /* as kvmnetd.service permits */
#define CONFIG_FILE "/etc/kvmnet/kvmnetd.conf"
/* Password checks run one at a time: each takes 19 MiB and 50 ms, and guesses are to be slow. */
#define VERIFIERS 1

struct daemon {
	struct server server;
	struct config config;
	struct identity *identity;
	struct loop_source signals;
	bool page;
};

static const char usage[] =
	"Usage: kvmnetd [OPTION]...\n"
	"Shows a computer's screen and drives its keyboard and mouse over the network.\n\n"
	"  -c, --config FILE      settings (default " CONFIG_FILE ")\n"
	"  -n, --check-config     only say whether FILE is right\n"
	"  -l, --log-level LEVEL  error, warn, info or debug, instead of FILE's\n"
	"  -h, --help             this text\n"
	"  -V, --version          the version\n";

struct options {
	const char *config;
	bool check;
	const char *log_level;
};

/* -1: go on; else exit with that. */
static int parse_options(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {
		{ "config", required_argument, NULL, 'c' },    { "check-config", no_argument, NULL, 'n' },
		{ "log-level", required_argument, NULL, 'l' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },	       { 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:nl:hV", names, NULL)) != -1) {
		switch (c) {
		case 'c':
			options->config = optarg;
			break;
		case 'n':
			options->check = true;
			break;
		case 'l':
			options->log_level = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		case 'V':
			puts("kvmnetd " KVMNET_VERSION);
			return EXIT_SUCCESS;
		default:
			return EXIT_FAILURE;
		}
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "kvmnetd: %s: what is this? See --help.\n", argv[optind]);
	return EXIT_FAILURE;
}

static int read_config(struct config *config, const struct options *options)
{
	config_defaults(config);
	if (config_read(config, options->config, stderr))
		return -1;
	if (options->log_level && !log_parse_level(options->log_level, &config->log_level)) {
		fprintf(stderr, "kvmnetd: --log-level is error, warn, info or debug\n");
		return -1;
	}
	log_set_level(config->log_level);
	log_tail_open();
	return 0;
}

static void on_leds(void *arg, uint8_t leds)
{
	(void)leds;
	session_tell_leds(arg);
}

static void on_configured(void *arg, bool configured)
{
	log_info("usb: %s", configured ? "the Target has taken keyboard and pointer" : "no Target listens");
	status_changed(arg);
}

static void signal_ready(struct loop_source *source, uint32_t events)
{
	struct daemon *daemon = (struct daemon *)((char *)source - offsetof(struct daemon, signals));
	struct signalfd_siginfo info;

	(void)events;
	if (read(source->fd, &info, sizeof(info)) != sizeof(info))
		return;
	log_info("stopping: %s", strsignal((int)info.ssi_signo));
	loop_stop(daemon->server.loop);
}

static int open_signals(struct daemon *daemon)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	signal(SIGPIPE, SIG_IGN);
	/* Blocked before any thread starts: all inherit it. */
	if (pthread_sigmask(SIG_BLOCK, &set, NULL))
		return -1;
	daemon->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	daemon->signals.events = EPOLLIN;
	daemon->signals.ready = signal_ready;
	return daemon->signals.fd < 0 ? -1 : loop_watch(daemon->server.loop, &daemon->signals);
}

/* What a person at the console needs to become the owner, and to know whom the browser talks to. */
static void print_claim(struct daemon *daemon)
{
	char code[32], fingerprint[96];

	identity_fingerprint(daemon->identity, fingerprint);
	if (!account_claim_code(daemon->server.accounts, code, sizeof(code)))
		return;
	claim_print("Device", daemon->server.host, daemon->config.https_port, code, fingerprint);
	explicit_bzero(code, sizeof(code));
}

static int open_state(struct daemon *daemon)
{
	static const struct identity_kind identity = { .stem = "device", .whose = "this Device" };
	struct server *server = &daemon->server;

	server->config = &daemon->config;
	screen_look_host(server);
	server->loop = loop_new();
	server->bus = bus_new();
	if (!server->loop || !server->bus || open_signals(daemon)) {
		log_error("out of memory or descriptors");
		return -1;
	}
	daemon->identity = identity_open(daemon->config.state_dir, &identity);
	if (!daemon->identity)
		return -1;
	server->manager = manager_open(daemon->config.state_dir, identity_key(daemon->identity));
	if (server->manager)
		server->gate =
			gate_open(daemon->config.state_dir, server->manager, identity_key(daemon->identity));
	server->accounts = server->gate ? account_open(daemon->config.state_dir) : NULL;
	settings_defaults(&server->settings, &daemon->config);
	if (boot_count(daemon->config.state_dir, &server->boot))
		server->boot = 0;
	if (!server->accounts || settings_load(daemon->config.state_dir, &server->settings))
		return -1;
	return 0;
}

static int open_page(struct daemon *daemon)
{
	struct server *server = &daemon->server;
	const struct page_stores stores = {
		.accounts = server->accounts,
		.manager = server->manager,
		.gate = server->gate,
		.identity = daemon->identity,
		.bus = server->bus,
		.settings = &server->settings,
		.boot = server->boot,
	};

	return page_start(&daemon->config, &stores);
}

static int open_rooms(struct daemon *daemon)
{
	struct server *server = &daemon->server;
	const struct config *config = &daemon->config;
	const struct hid_events hid_events = { .leds = on_leds, .configured = on_configured, .arg = server };

	update_init(server);
	server->encoders = work_pool_new(server->loop, CAPTURE_LANES);
	server->verifiers = work_pool_new(server->loop, VERIFIERS);
	if (!server->encoders || !server->verifiers || status_open(server)) {
		log_error("out of memory or threads");
		return -1;
	}
	server->hid = hid_open(server->loop, config->keyboard, config->pointer, config->udc, &hid_events);
	if (!server->hid)
		return -1;
	input_init(&server->input, server->hid);
	/* Nothing that comes over the network is read before. */
	if (screen_open(server) || sandbox_late() || channel_open(server, daemon->identity) ||
	    input_channel_open(server, daemon->identity))
		return -1;
	daemon->page = !open_page(daemon);
	if (!daemon->page)
		return -1;
	/* Last: whoever hears of us finds all of it open. */
	server->beacon = beacon_open(server, daemon->identity);
	return 0;
}

/* In the reverse order, but for what may take long; whatever is not open is skipped. */
static void close_all(struct daemon *daemon)
{
	struct server *server = &daemon->server;

	while (server->sessions)
		session_end(server->sessions, "the server stops");
	input_channel_close(server);
	channel_close(server);
	work_pool_free(server->verifiers);
	work_pool_free(server->encoders);
	capture_close(server->capture);
	server->capture = NULL;
	if (server->hid)
		hid_close(server->hid);
	server->hid = NULL;
	/* These may wait for a name server, or for a Manager that does not answer: no key stays down meanwhile. */
	if (daemon->page)
		page_stop();
	beacon_close(server->beacon);
	server->beacon = NULL;
	status_close(server);
	if (server->accounts)
		account_close(server->accounts);
	gate_close(server->gate);
	manager_close(server->manager);
	if (daemon->identity)
		identity_close(daemon->identity);
	bus_free(server->bus);
	if (daemon->signals.fd > 0)
		close(daemon->signals.fd);
	loop_free(server->loop);
}

/* The other threads are all there by now, and stay as they were: keys do not wait for encoders, pages and password hashes
 * where processors are short. The unit permits it; without that nothing but time is lost. */
static void come_first(void)
{
	if (setpriority(PRIO_PROCESS, 0, FIRST_NICE))
		log_debug("no priority for keys: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	static struct daemon daemon;
	struct options options = { .config = CONFIG_FILE };
	int result = parse_options(argc, argv, &options), error;

	if (result >= 0)
		return result;
	if (read_config(&daemon.config, &options))
		return EXIT_FAILURE;
	if (options.check) {
		printf("%s: good\n", options.config);
		return EXIT_SUCCESS;
	}
	/* Large blocks come and go with sessions and log-ins. Fixed, this threshold gives each back to the system when it
	 * is freed; glibc would raise it and keep them. */
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	/* Nor may the kernel make 2 MB of what holds a few kB: an appliance is small, and its use of memory is to be flat. */
	if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) < 0)
		log_warn("huge pages stay on: %s", strerror(errno));
	result = EXIT_FAILURE;
	if (!sandbox_early() && !open_state(&daemon) && !open_rooms(&daemon)) {
		print_claim(&daemon);
		come_first();
		sd_notify(0, "READY=1");
		error = loop_run(daemon.server.loop);
		if (error)
			log_error("ending: %s", strerror(-error));
		result = error ? EXIT_FAILURE : EXIT_SUCCESS;
		sd_notify(0, "STOPPING=1");
	}
	close_all(&daemon);
	return result;
}
