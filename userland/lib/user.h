/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules for a person's name and password, wherever there are users. */
#ifndef KVMNET_LIB_USER_H
#define KVMNET_LIB_USER_H

#include <stdbool.h>

#define USER_NAME_MAX 64
#define USER_PASSWORD_MIN 8
#define USER_PASSWORD_MAX 256

bool user_name_valid(const char *name);
bool user_password_valid(const char *password);

#endif
