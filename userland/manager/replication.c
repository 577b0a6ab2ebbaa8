// SPDX-License-Identifier: GPL-2.0-or-later
/* This Manager is alone: there is no Replication yet. */
#include "manager/replication.h"

void replication_print(FILE *out)
{
	fputs("This Manager is not in Replication mode.\n", out);
}
