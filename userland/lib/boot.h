/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How often this appliance was started: what its discovery messages are ordered by, as there may be no clock. */
#ifndef KVMNET_LIB_BOOT_H
#define KVMNET_LIB_BOOT_H

#include <stdint.h>

/* Counts one more start in STATE_DIR/boots, on the disk when this returns. 0, or -1 after logging why. */
int boot_count(const char *state_dir, uint64_t *count);

#endif
