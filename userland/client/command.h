/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands but discover, which main.c's table has; each noun has its file. */
#ifndef KVMNET_CLIENT_COMMAND_H
#define KVMNET_CLIENT_COMMAND_H

#include "client/cli.h"

enum cli_status command_claim(const struct cli *cli);	   /* claim.c */
enum cli_status command_devices(const struct cli *cli);	   /* devices.c */
enum cli_status command_adopt(const struct cli *cli);	   /* devices.c */
enum cli_status command_targets(const struct cli *cli);	   /* targets.c */
enum cli_status command_ticket(const struct cli *cli);	   /* targets.c */
enum cli_status command_sessions(const struct cli *cli);   /* sessions.c */
enum cli_status command_users(const struct cli *cli);	   /* users.c */
enum cli_status command_screenshot(const struct cli *cli); /* screenshot.c */
enum cli_status command_type(const struct cli *cli);	   /* type.c */

#endif
