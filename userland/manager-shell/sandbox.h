/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the shell gives up before it reads a line. */
#ifndef KVMNET_SHELL_SANDBOX_H
#define KVMNET_SHELL_SANDBOX_H

int sandbox_enter(void); /* 0, or -1 */

#endif
