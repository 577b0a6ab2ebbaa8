// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kvmnet: the command line. Which command is meant is decided here; each noun
 * has a file of its own.
 */
#include <stdio.h>
#include <string.h>

#include "client/command.h"
#include "client/discover.h"
#include "lib/version.h"

#define SECONDS 30
#define ADOPT_SECONDS 120 /* the Manager itself gives a Device 60 */

static const char usage[] = "Usage: kvmnet COMMAND [OPTION]... [ARGUMENT]...\n"
			    "Works with KVMnet Devices and Managers from the command line.\n\n"
			    "  discover    list the Devices that answer in this network\n"
			    "  claim       become the owner of a new Device or Manager\n"
			    "  devices     list the Devices that a Manager knows\n"
			    "  adopt       have a Manager take a Device over\n"
			    "  targets     list the Targets that you may open\n"
			    "  ticket      get the permission to open a Target once\n"
			    "  screenshot  write a Target's screen to a PNG file\n"
			    "  type        type text and keys at a Target\n"
			    "  sessions    list sessions, or end some\n"
			    "  users       list and change a Manager's users\n\n"
			    "  -h, --help     this text; kvmnet COMMAND --help tells of one command\n"
			    "  -V, --version  the version\n";

static const struct cli_command commands[] = {
	{ "claim", CLI_CODE, 1, 1,
	  "claim HOST\n"
	  "Makes you the owner of a new Device, or the first administrator of a new Manager.\n\n"
	  "      --code CODE          the claim code on its console (else asked)\n"
	  "The user name and the password are the new owner's.\n",
	  SECONDS, command_claim },
	{ "devices", 0, 1, 1,
	  "devices MANAGER\n"
	  "Lists the Devices that were found, and those that were adopted. For administrators.\n",
	  SECONDS, command_devices },
	{ "adopt", CLI_CODE | CLI_OWNER, 2, 2,
	  "adopt MANAGER DEVICE\n"
	  "Has a Manager take a Device over, by its id or name. For administrators. You are asked to confirm its key,\n"
	  "unless DEVICE is the whole id.\n\n"
	  "      --code CODE          of a new Device: the claim code on its console (else asked)\n"
	  "      --owner NAME         of one that has an owner: his name (else asked)\n"
	  "      --owner-password-file FILE  and his password (else asked)\n",
	  ADOPT_SECONDS, command_adopt },
	{ "targets", 0, 1, 1,
	  "targets MANAGER\n"
	  "Lists the Targets that you may open.\n",
	  SECONDS, command_targets },
	{ "ticket", CLI_VIEW_ONLY, 2, 2,
	  "ticket MANAGER TARGET\n"
	  "Prints a Ticket, which opens a Target once within a minute, and where to use it.\n\n"
	  "      --view-only          one that is good for watching alone\n",
	  SECONDS, command_ticket },
	{ "screenshot", CLI_SESSION, 3, 3,
	  "screenshot MANAGER TARGET FILE\n"
	  "Writes what a Target's screen shows now to a PNG file.\n\n"
	  "      --session-port N     the Device's first session port (900)\n",
	  SECONDS, command_screenshot },
	{ "type", CLI_SESSION | CLI_KEY, 2, 3,
	  "type MANAGER TARGET [TEXT | -]\n"
	  "Types ASCII at a Target that has a US keyboard layout: TEXT, or all of standard input, then each --key.\n\n"
	  "      --key KEYS           keys that are pressed at once, as Ctrl-Alt-Del, F11 or Enter; may be repeated\n"
	  "      --session-port N     the Device's first session port (900)\n",
	  SECONDS, command_type },
	{ "sessions", 0, 1, 3,
	  "sessions HOST [end ID]\n"
	  "Lists the sessions at a Device, or at all of a Manager's, or ends some: at a Device the one with that\n"
	  "number, at a Manager all at the Target with that id or name. For owners and administrators.\n",
	  SECONDS, command_sessions },
	{ "users", CLI_TYPE | CLI_NEW_PASSWORD, 1, 4,
	  "users MANAGER [list | add NAME | remove NAME | set-type NAME TYPE | password NAME]\n"
	  "Lists and changes a Manager's users. TYPE is administrator, user or viewonly. For administrators.\n\n"
	  "      --type TYPE          of a user that is added (user)\n"
	  "      --new-password-file FILE  the password of the user that is added or changed (else asked)\n",
	  SECONDS, command_users },
};

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	if (!strcmp(command, "discover"))
		return discover(argc - 1, argv + 1);
	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(command, commands[i].name))
			return (int)cli_run(&commands[i], argc - 1, argv + 1);
	if (!strcmp(command, "-h") || !strcmp(command, "--help")) {
		fputs(usage, stdout);
		return CLI_DONE;
	}
	if (!strcmp(command, "-V") || !strcmp(command, "--version")) {
		puts("kvmnet " KVMNET_VERSION);
		return CLI_DONE;
	}
	if (*command)
		return (int)cli_fail(CLI_USAGE, "kvmnet: %s: no such command; see --help", command);
	fputs(usage, stderr);
	return CLI_USAGE;
}
