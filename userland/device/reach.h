/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether the Manager can be reached, step by step: name, ping, TLS. The link itself is link.c's. */
#ifndef KVMNET_DEVICE_REACH_H
#define KVMNET_DEVICE_REACH_H

#include "device/job.h"

/* Runs a JOB_REACH; takes 8 s and what a name server takes at most. Sets status and answer (openapi.yaml, Reach). */
void reach_run(const struct job_stores *stores, struct job *job);

#endif
