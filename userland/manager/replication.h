/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How this Manager and others keep in step. */
#ifndef KVMNET_MANAGER_REPLICATION_H
#define KVMNET_MANAGER_REPLICATION_H

#include <stdio.h>

/* Lines for an administrator. */
void replication_print(FILE *out);

#endif
