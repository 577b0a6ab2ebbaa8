/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvmnet discover: asks who is there, lists who answers. */
#ifndef KVMNET_CLIENT_DISCOVER_H
#define KVMNET_CLIENT_DISCOVER_H

/* argv[0] is the command's name. The exit status: 0 a Device answered, 1 none did or none could be asked, 2 usage. */
int discover(int argc, char **argv);

#endif
