// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kvmnet: the command line. Which command is meant is decided here; each has
 * a file of its own.
 */
#include <stdio.h>
#include <string.h>

#include "client/discover.h"
#include "lib/version.h"

static const char usage[] = "Usage: kvmnet COMMAND [OPTION]...\n"
			    "Works with KVMnet Devices from the command line.\n\n"
			    "  discover    list the Devices that answer in this network\n\n"
			    "  -h, --help     this text; kvmnet COMMAND --help tells of one command\n"
			    "  -V, --version  the version\n";

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	if (!strcmp(command, "discover"))
		return discover(argc - 1, argv + 1);
	if (!strcmp(command, "-h") || !strcmp(command, "--help")) {
		fputs(usage, stdout);
		return 0;
	}
	if (!strcmp(command, "-V") || !strcmp(command, "--version")) {
		puts("kvmnet " KVMNET_VERSION);
		return 0;
	}
	if (*command)
		fprintf(stderr, "kvmnet: %s: no such command; see --help\n", command);
	else
		fputs(usage, stderr);
	return 2;
}
