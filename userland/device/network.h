/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network as the API shows and changes it: what the kernel says, and what the root helper keeps and tries. */
#ifndef KVMNET_DEVICE_NETWORK_H
#define KVMNET_DEVICE_NETWORK_H

#include "device/helper.h"
#include "device/job.h"
#include "device/network_state.h"

/* Runs a JOB_NETWORK or one of those that follow it: status, why and answer are set. */
void network_run(struct job *job);

/* The helper is to forget what it keeps. 0, or -1 after logging why. On a system without one nothing was ever kept. */
int network_reset(void);

/* Whether interface has what settings say: each static address with its gateway, and of what comes by itself one at
 * least; and nothing any more of what was before, as far as that is kept (NULL: it is not). */
bool network_has(const struct network_interface *interface, const struct network_settings *settings,
		 const struct network_settings *kept);
/* openapi.yaml, Network. helper: NULL when it does not answer. NULL: out of memory. */
json_t *network_json(const struct network_state *state, const struct helper_network *helper);

#endif
