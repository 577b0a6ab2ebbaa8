/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The release that all programs of this tree belong to. */
#ifndef KVMNET_LIB_VERSION_H
#define KVMNET_LIB_VERSION_H

#define KVMNET_VERSION "0.1"

#endif
