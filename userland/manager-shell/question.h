/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One question to the Manager on this machine. */
#ifndef KVMNET_SHELL_QUESTION_H
#define KVMNET_SHELL_QUESTION_H

#include "lib/shell_query.h"

/* Prints the answer: what was done to standard output, else to standard error. The Manager has written the question
 * down, or it is SHELL_FAILED. */
enum shell_status question_ask(const struct shell_query *query);

#endif
