// SPDX-License-Identifier: GPL-2.0-or-later
/* Which names and passwords may be stored. Whose they are is not known here. */
#include "lib/user.h"

#include <string.h>

bool user_name_valid(const char *name)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	static const char rest[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t len = strlen(name);

	return len >= 1 && len <= USER_NAME_MAX && strchr(first, name[0]) && strspn(name, rest) == len;
}

bool user_password_valid(const char *password)
{
	size_t len = strlen(password);

	return len >= USER_PASSWORD_MIN && len <= USER_PASSWORD_MAX;
}
