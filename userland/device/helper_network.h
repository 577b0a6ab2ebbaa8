/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses of the appliance: what is kept, what is on trial, and systemd-networkd's files for both. */
#ifndef KVMNET_DEVICE_HELPER_NETWORK_H
#define KVMNET_DEVICE_HELPER_NETWORK_H

#include "device/helper_call.h"
#include "lib/loop.h"

#define NETWORK_STATE_DIR "/var/lib/kvmnet-helper" /* what is kept */
#define NETWORK_RUN_DIR "/run/systemd/network"	   /* what networkd reads: systemd.network(5) */

/* Has systemd-networkd read its files, if it runs. 0 or -errno, logged. */
int networkd_reload(void);

/* Brings what is kept to run_dir, and takes what is left of a trial away. reload: networkd_reload() but in tests.
 * Goes on without what cannot be read: it is logged. */
void network_open(struct loop *loop, const char *state_dir, const char *run_dir, int (*reload)(void));
/* Returns from a trial. */
void network_close(void);

/* A call_answer: those of the network; all else is EINVAL. */
size_t network_call(const uint8_t *message, size_t len, uint8_t answer[CALL_ANSWER_MAX]);
/* What they do: 0 or an errno. */
uint8_t network_try(const struct network_settings *settings);
uint8_t network_keep(void);
uint8_t network_return(void);
uint8_t network_forget(void);
void network_look(struct helper_network *look);
/* systemd.network(5) of settings that are sound. 0, or -1: too long. */
int network_file(const struct network_settings *settings, char *text, size_t size);

#endif
