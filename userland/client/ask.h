/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is asked of a person at the terminal, or read from a file in his place. */
#ifndef KVMNET_CLIENT_ASK_H
#define KVMNET_CLIENT_ASK_H

#include "client/cli.h"
#include "lib/user.h"

#define ASK_SIZE (USER_PASSWORD_MAX + 1)

/* Is there a person to ask? */
bool ask_possible(void);
/* given: what an option said, or NULL: asked. option: its name, for when nobody can be asked. */
enum cli_status ask_text(const char *what, const char *given, const char *option, char text[ASK_SIZE]);
/* Without echo, or the first line of file. twice: a new one. The caller wipes it. */
enum cli_status ask_password(const char *what, const char *file, const char *option, bool twice,
			     char password[ASK_SIZE]);
/* "yes" in full and nothing else is one. */
bool ask_yes(const char *question);

#endif
