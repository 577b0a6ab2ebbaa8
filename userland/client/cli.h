/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all commands but discover share: their options, their exit statuses, how they speak to a person. */
#ifndef KVMNET_CLIENT_CLI_H
#define KVMNET_CLIENT_CLI_H

#include <stdbool.h>

#include <jansson.h>

enum cli_status {
	CLI_DONE,
	CLI_FAILED,
	CLI_USAGE,
	CLI_REFUSED, /* log-in, claim code or permission */
	CLI_NO_PEER, /* nobody answers there, or who answers is not proved */
};

#define CLI_KEYS_MAX 64

/* Options that not every command takes. */
enum cli_option {
	CLI_CODE = 1 << 0,
	CLI_OWNER = 1 << 1, /* and --owner-password-file */
	CLI_TYPE = 1 << 2,
	CLI_NEW_PASSWORD = 1 << 3,
	CLI_VIEW_ONLY = 1 << 4,
	CLI_SESSION = 1 << 5, /* --session-port */
	CLI_KEY = 1 << 6,
};

struct cli;

struct cli_command {
	const char *name;
	unsigned options;   /* of enum cli_option */
	int least, most;    /* arguments */
	const char *usage;  /* its first line is its form */
	unsigned timeout_s; /* for one answer */
	enum cli_status (*run)(const struct cli *cli);
};

struct cli {
	const struct cli_command *command;
	bool json, view_only;
	unsigned timeout_s, session_port;
	/* NULL: not given */
	const char *ca, *pin, *user, *password_file, *code, *owner, *owner_password_file, *type;
	const char *new_password_file;
	const char *keys[CLI_KEYS_MAX];
	unsigned key_count;
	char **arguments; /* up to a NULL */
	int argument_count;
};

enum cli_status cli_run(const struct cli_command *command, int argc, char **argv);

/* Says it on standard error and returns status. What came from the network is cleaned before. */
enum cli_status cli_fail(enum cli_status status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* As one JSON document, in ASCII; takes json. CLI_DONE, or CLI_FAILED after saying why. */
enum cli_status cli_print(json_t *json);
/* For a command that has nothing to tell: what it did, or {} as JSON. */
enum cli_status cli_did(const struct cli *cli, const char *what);
/* A member of what came from the network, for a terminal: printable ASCII; "" where there is none. In a buffer that is
 * used again after seven more calls. */
const char *cli_text(const json_t *object, const char *member);

#endif
