/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernel modules through libkmod. */
#ifndef KVMNET_DEVICE_HELPER_MODULE_H
#define KVMNET_DEVICE_HELPER_MODULE_H

/* Loads a module and what it needs: by name, or from a file when name holds a '/'. 0 or -errno, logged;
 * one that is loaded or built in already is no error. */
int module_load(const char *name);
/* Unloads what module_load() loaded itself, in reverse; what is in use stays. */
void module_unload_all(void);

#endif
