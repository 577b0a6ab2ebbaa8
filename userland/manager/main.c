// SPDX-License-Identifier: GPL-2.0-or-later
/* kvmnet-manager: options, start in order, stop in reverse. */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "lib/boot.h"
#include "lib/claim.h"
#include "lib/log.h"
#include "lib/version.h"
#include "manager/adopt.h"
#include "manager/api.h"
#include "manager/config.h"
#include "manager/directory_link.h"
#include "manager/finder.h"
#include "manager/log_file.h"
#include "manager/pair.h"
#include "manager/replication.h"

#define CONFIG_FILE "/etc/kvmnet/kvmnet-manager.conf"

struct daemon {
	struct config config;
	struct loop *loop;
	struct loop_source signals;
	char name[INI_NAME_SIZE];
	struct ca *ca;
	struct signer *signer;
	struct identity_kind kind;
	struct identity *identity;
	char fingerprint[96]; /* of the certificate at the start */
	struct store *store;
	struct replication replication;
	enum replication_role role;
	bool again;
	struct account_table *accounts;
	struct shell *shell;
	struct api *api;
	struct finder_user finder_user;
	struct finder *finder;
	uint64_t boot;
};

static const char usage[] =
	"Usage: kvmnet-manager [OPTION]... [COMMAND]\n"
	"Finds the KVMnet Devices of a network, adopts them and says who may use them.\n\n"
	"  -c, --config FILE      settings (default " CONFIG_FILE ")\n"
	"  -n, --check-config     only say whether FILE is right\n"
	"  -l, --log-level LEVEL  error, warn, info or debug, instead of FILE's\n"
	"  -h, --help             this text\n"
	"  -V, --version          the version\n\n"
	"Commands of Replication, see kvmnet-manager(8):\n"
	"  pair SELF PEER FILE    make this the first of two; FILE is for the other one\n"
	"  join [FILE]            become the Secondary, with what pair wrote at first\n"
	"  promote                make this Secondary the Primary\n";

struct options {
	const char *config;
	bool check;
	const char *log_level;
	char **words; /* the command, NULL after the last */
	int count;
};

static bool is_command(const struct options *options, const char *name, int least, int most)
{
	return options->count >= least && options->count <= most && !strcmp(options->words[0], name);
}

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
			puts("kvmnet-manager " KVMNET_VERSION);
			return EXIT_SUCCESS;
		default:
			return EXIT_FAILURE;
		}
	}
	options->words = argv + optind;
	options->count = argc - optind;
	if (!options->count || is_command(options, "pair", 4, 4) || is_command(options, "join", 1, 2) ||
	    is_command(options, "promote", 1, 1))
		return -1;
	fprintf(stderr, "kvmnet-manager: %s: what is this? See --help.\n", argv[optind]);
	return EXIT_FAILURE;
}

static int read_config(struct config *config, const struct options *options)
{
	config_defaults(config);
	if (config_read(config, options->config, stderr))
		return -1;
	if (options->log_level && !log_parse_level(options->log_level, &config->log_level)) {
		fprintf(stderr, "kvmnet-manager: --log-level is error, warn, info or debug\n");
		return -1;
	}
	log_set_level(config->log_level);
	return 0;
}

static void signal_ready(struct loop_source *source, uint32_t events)
{
	struct daemon *daemon = (struct daemon *)((char *)source - offsetof(struct daemon, signals));
	struct signalfd_siginfo info;

	(void)events;
	if (read(source->fd, &info, sizeof(info)) != sizeof(info))
		return;
	daemon->again = info.ssi_signo == SIGHUP;
	log_info(daemon->again ? "starting again: %s" : "stopping: %s", strsignal((int)info.ssi_signo));
	loop_stop(daemon->loop);
}

static int open_signals(struct daemon *daemon)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	/* Blocked before any thread starts: all inherit it. */
	if (pthread_sigmask(SIG_BLOCK, &set, NULL))
		return -1;
	daemon->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	daemon->signals.events = EPOLLIN;
	daemon->signals.ready = signal_ready;
	return daemon->signals.fd < 0 ? -1 : loop_watch(daemon->loop, &daemon->signals);
}

static struct store_server server_of(const struct config *config)
{
	return (struct store_server){
		.socket = config->database_socket,
		.host = config->database_host,
		.port = config->database_port,
		.ca = config->database_ca,
		.certificate = config->database_certificate,
		.key = config->database_key,
		.database = config->database_name,
		.user = config->database_user,
	};
}

static int open_store(struct daemon *daemon)
{
	const struct config *config = &daemon->config;
	const struct store_server server = server_of(config);

	daemon->role = REPLICATION_ALONE;
	if (config->database == CONFIG_SQLITE) {
		daemon->store = store_open(config->state_dir);
		return daemon->store ? 0 : -1;
	}
	daemon->store = store_connect(&server);
	if (!daemon->store ||
	    replication_open(&daemon->replication, &server, config->state_dir, config->database_folder) ||
	    replication_role(&daemon->replication, daemon->store, &daemon->role))
		return -1;
	if (daemon->role == REPLICATION_SECONDARY)
		log_info("this is the Secondary of %s", daemon->replication.peer);
	return 0;
}

/* 0, or -1 after logging. */
static int run_command(const struct config *config, const struct options *options)
{
	const struct store_server server = server_of(config);
	struct replication replication;

	if (config->database != CONFIG_MARIADB || *config->database_host) {
		log_error(
			"Replication is MariaDB's, asked by its socket: see [database] in kvmnet-manager.conf(5)");
		return -1;
	}
	if (is_command(options, "pair", 4, 4))
		return pair_make(config, &server, options->words[1], options->words[2], options->words[3]);
	if (is_command(options, "join", 2, 2))
		return pair_take(config, options->words[1]);
	if (is_command(options, "join", 1, 1))
		return pair_join(config, &server);
	if (replication_open(&replication, &server, config->state_dir, config->database_folder) ||
	    replication_promote(&replication))
		return -1;
	puts("This is the Primary now.");
	return 0;
}

static int open_state(struct daemon *daemon)
{
	const char *dir = daemon->config.state_dir;

	daemon->loop = loop_new();
	if (!daemon->loop || open_signals(daemon) || adopt_prepare() || !directory_link_prepare()) {
		log_error("out of memory or descriptors");
		return -1;
	}
	daemon->ca = ca_open(dir);
	if (!daemon->ca)
		return -1;
	daemon->signer = signer_open(dir);
	if (!daemon->signer)
		return -1;
	daemon->kind = (struct identity_kind){ "manager", "this Manager", ca_issue_manager, daemon->ca };
	daemon->identity = identity_open(dir, &daemon->kind);
	if (!daemon->identity || boot_count(dir, &daemon->boot))
		return -1;
	if (ca_renewal(identity_certificate(daemon->identity)) < certificate_now() &&
	    identity_renew(daemon->identity))
		return -1;
	identity_fingerprint(daemon->identity, daemon->fingerprint);
	daemon->shell = shell_open(daemon->config.shell_socket, daemon->config.shell_user);
	daemon->accounts = open_store(daemon) ? NULL : account_open(daemon->store);
	return daemon->accounts ? 0 : -1;
}

static void found(void *arg, const struct discovery_message *message, const char *address)
{
	struct daemon *daemon = arg;

	api_heard(daemon->api, message, address);
}

static int open_rooms(struct daemon *daemon)
{
	const struct config *config = &daemon->config;
	const struct web_settings settings = {
		.address = config->https_address,
		.port = config->https_port,
		.files = config->web_dir,
	};
	const struct api_stores stores = {
		.store = daemon->store,
		.accounts = daemon->accounts,
		.ca = daemon->ca,
		.signer = daemon->signer,
		.identity = daemon->identity,
		.shell = daemon->shell,
		.replication = &daemon->replication,
		.role = daemon->role,
		.name = daemon->name,
		.state_dir = config->state_dir,
		.port = config->https_port,
	};

	daemon->api = api_open(&stores, &settings);
	if (!daemon->api || api_start(daemon->api))
		return -1;
	daemon->finder_user = (struct finder_user){ daemon, found };
	if (!config->discovery)
		return 0;
	daemon->finder = finder_open(daemon->loop, config, identity_key(daemon->identity), daemon->boot,
				     &daemon->finder_user);
	if (!daemon->finder)
		log_error("discovery: Devices will not be found by themselves");
	return 0;
}

/* What a person at the console needs to become the administrator, and to know whom the browser talks to. */
static void print_claim(struct daemon *daemon)
{
	char code[CLAIM_CODE_SIZE], host[64] = "";

	if (!account_claim_code(daemon->accounts, code, sizeof(code)))
		return;
	gethostname(host, sizeof(host) - 1);
	claim_print("Manager", host, daemon->config.https_port, code, daemon->fingerprint);
	explicit_bzero(code, sizeof(code));
}

/* In the reverse order; whatever is not open is skipped. */
static void close_all(struct daemon *daemon)
{
	finder_close(daemon->finder);
	api_close(daemon->api);
	shell_close(daemon->shell);
	account_close(daemon->accounts);
	store_close(daemon->store);
	if (daemon->identity)
		identity_close(daemon->identity);
	signer_close(daemon->signer);
	ca_close(daemon->ca);
	if (daemon->signals.fd > 0)
		close(daemon->signals.fd);
	loop_free(daemon->loop);
	log_file_close();
}

static void name_it(struct daemon *daemon)
{
	char host[INI_NAME_SIZE] = "";

	gethostname(host, sizeof(host) - 1);
	snprintf(daemon->name, sizeof(daemon->name), "%s",
		 *daemon->config.name ? daemon->config.name :
		 *host		      ? host :
					"kvmnet-manager");
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
	if (options.count)
		return run_command(&daemon.config, &options) ? EXIT_FAILURE : EXIT_SUCCESS;
	name_it(&daemon);
	log_file_open(daemon.config.log_dir);
	/* As in kvmnetd: what large log-ins take is given back. */
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	result = EXIT_FAILURE;
	if (!open_state(&daemon) && !open_rooms(&daemon)) {
		print_claim(&daemon);
		sd_notify(0, "READY=1");
		error = loop_run(daemon.loop);
		if (error)
			log_error("ending: %s", strerror(-error));
		result = error ? EXIT_FAILURE : EXIT_SUCCESS;
		sd_notify(0, daemon.again ? "RELOADING=1" : "STOPPING=1");
	}
	close_all(&daemon);
	/* All that it keeps in memory is another one's now: what a Secondary has learned is no Primary's. */
	if (daemon.again)
		execv("/proc/self/exe", argv);
	return result;
}
