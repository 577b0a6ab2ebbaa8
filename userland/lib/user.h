/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long a person's name and password may be, wherever there are users. */
#ifndef KVMNET_LIB_USER_H
#define KVMNET_LIB_USER_H

#define USER_NAME_MAX 64
#define USER_PASSWORD_MIN 8
#define USER_PASSWORD_MAX 256

#endif
