// SPDX-License-Identifier: GPL-2.0-or-later
/* Options and what is printed. What a command does is in its own file, who is asked for secrets in ask.c. */
#include "client/cli.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

#define SESSION_PORT 900
#define TEXT_SIZE 256
#define TEXTS 8

enum {
	OPTION_CA = 256,
	OPTION_PIN,
	OPTION_PASSWORD,
	OPTION_TIMEOUT,
	OPTION_CODE,
	OPTION_OWNER,
	OPTION_OWNER_PASSWORD,
	OPTION_TYPE,
	OPTION_NEW_PASSWORD,
	OPTION_VIEW_ONLY,
	OPTION_SESSION,
	OPTION_KEY
};

static const struct option names[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ "user", required_argument, NULL, 'u' },
	{ "ca", required_argument, NULL, OPTION_CA },
	{ "pin", required_argument, NULL, OPTION_PIN },
	{ "password-file", required_argument, NULL, OPTION_PASSWORD },
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "code", required_argument, NULL, OPTION_CODE },
	{ "owner", required_argument, NULL, OPTION_OWNER },
	{ "owner-password-file", required_argument, NULL, OPTION_OWNER_PASSWORD },
	{ "type", required_argument, NULL, OPTION_TYPE },
	{ "new-password-file", required_argument, NULL, OPTION_NEW_PASSWORD },
	{ "view-only", no_argument, NULL, OPTION_VIEW_ONLY },
	{ "session-port", required_argument, NULL, OPTION_SESSION },
	{ "key", required_argument, NULL, OPTION_KEY },
	{ 0 },
};

static const char common[] =
	"\n  -u, --user NAME          who logs in (else asked at the terminal)\n"
	"      --password-file FILE read the password from FILE, \"-\": standard input\n"
	"      --pin FINGERPRINT    the only key to believe: as the console shows it, or an id of kvmnet discover\n"
	"      --ca FILE            the only CA to believe, in PEM\n"
	"      --timeout SECONDS    for each answer\n"
	"  -j, --json               print one JSON document\n"
	"  -h, --help               this text\n\n"
	"Exit status: 0 done, 1 failed, 2 wrong usage, 3 refused, 4 nobody answers or it is not who it should be.\n";

/* Those that a command may lack. */
static unsigned option_of(int c)
{
	switch (c) {
	case OPTION_CODE:
		return CLI_CODE;
	case OPTION_OWNER:
	case OPTION_OWNER_PASSWORD:
		return CLI_OWNER;
	case OPTION_TYPE:
		return CLI_TYPE;
	case OPTION_NEW_PASSWORD:
		return CLI_NEW_PASSWORD;
	case OPTION_VIEW_ONLY:
		return CLI_VIEW_ONLY;
	case OPTION_SESSION:
		return CLI_SESSION;
	case OPTION_KEY:
		return CLI_KEY;
	default:
		return 0;
	}
}

static enum cli_status wrong(const struct cli *cli, const char *what)
{
	return cli_fail(CLI_USAGE, "kvmnet %s: %s; see --help", cli->command->name, what);
}

static bool number(const char *text, unsigned max, unsigned *to)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	*to = (unsigned)value;
	return *text >= '0' && *text <= '9' && !*end && value >= 1 && value <= max;
}

static const char **text_of(struct cli *cli, int c)
{
	switch (c) {
	case 'u':
		return &cli->user;
	case OPTION_CA:
		return &cli->ca;
	case OPTION_PIN:
		return &cli->pin;
	case OPTION_PASSWORD:
		return &cli->password_file;
	case OPTION_CODE:
		return &cli->code;
	case OPTION_OWNER:
		return &cli->owner;
	case OPTION_OWNER_PASSWORD:
		return &cli->owner_password_file;
	case OPTION_TYPE:
		return &cli->type;
	case OPTION_NEW_PASSWORD:
		return &cli->new_password_file;
	default:
		return NULL;
	}
}

/* NULL, or what is wrong. */
static const char *take(struct cli *cli, int c)
{
	const char **text = text_of(cli, c);

	if (text)
		*text = optarg;
	else if (c == 'j')
		cli->json = true;
	else if (c == OPTION_VIEW_ONLY)
		cli->view_only = true;
	else if (c == OPTION_TIMEOUT && !number(optarg, 3600, &cli->timeout_s))
		return "--timeout is a number from 1 to 3600";
	else if (c == OPTION_SESSION && !number(optarg, UINT16_MAX, &cli->session_port))
		return "--session-port is a number from 1 to 65535";
	else if (c == OPTION_KEY && cli->key_count == CLI_KEYS_MAX)
		return "too many --key";
	else if (c == OPTION_KEY)
		cli->keys[cli->key_count++] = optarg;
	return NULL;
}

static const char *judge(const struct cli *cli)
{
	const char *files[] = { cli->password_file, cli->new_password_file, cli->owner_password_file };
	unsigned from_input = 0;

	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		from_input += files[i] && !strcmp(files[i], "-");
	if (cli->argument_count < cli->command->least)
		return "an argument is missing";
	if (cli->argument_count > cli->command->most)
		return "too many arguments";
	if (cli->pin && cli->ca)
		return "either --pin or --ca";
	if (from_input > 1)
		return "only one password can come from standard input";
	return NULL;
}

enum cli_status cli_run(const struct cli_command *command, int argc, char **argv)
{
	struct cli cli = { .command = command,
			   .timeout_s = command->timeout_s,
			   .session_port = SESSION_PORT };
	const char *why = NULL;
	int c;

	while (!why && (c = getopt_long(argc, argv, "jhu:", names, NULL)) != -1) {
		if (c == '?')
			return CLI_USAGE;
		if (c == 'h') {
			printf("Usage: kvmnet %s%s", command->usage, common);
			return CLI_DONE;
		}
		why = option_of(c) & ~command->options ? "an option that is not this command's" :
							 take(&cli, c);
	}
	cli.arguments = argv + optind;
	cli.argument_count = argc - optind;
	if (!why)
		why = judge(&cli);
	return why ? wrong(&cli, why) : command->run(&cli);
}

enum cli_status cli_fail(enum cli_status status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return status;
}

enum cli_status cli_print(json_t *json)
{
	/* In ASCII: names are strangers', and this may be a terminal. */
	int failed = json ? json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII) : -1;

	json_decref(json);
	if (!failed && putchar('\n') != EOF && !fflush(stdout))
		return CLI_DONE;
	return cli_fail(CLI_FAILED, "kvmnet: the answer cannot be printed: out of memory or space?");
}

enum cli_status cli_did(const struct cli *cli, const char *what)
{
	if (cli->json)
		return cli_print(json_object());
	puts(what);
	return CLI_DONE;
}

const char *cli_text(const json_t *object, const char *member)
{
	static char texts[TEXTS][TEXT_SIZE];
	static unsigned next;
	const char *text = json_string_value(json_object_get(object, member));
	char *to = texts[next++ % TEXTS];

	return log_clean(to, TEXT_SIZE, text ? text : "");
}
