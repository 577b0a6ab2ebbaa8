// SPDX-License-Identifier: GPL-2.0-or-later
/* Loads the kernel modules that the appliance needs. Which ones is helper.c's. */
#include "device/helper_module.h"

#include <errno.h>
#include <fcntl.h>
#include <libkmod.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "lib/log.h"

#define MODULES 8

static struct {
	struct kmod_ctx *ctx;
	struct kmod_module *loaded[MODULES];
	unsigned count;
} modules;

static bool is_loaded(const struct kmod_module *module)
{
	int state = kmod_module_get_initstate(module);

	return state == KMOD_MODULE_LIVE || state == KMOD_MODULE_BUILTIN;
}

static int look_up(const char *name, struct kmod_module **module)
{
	struct kmod_list *list = NULL;
	int error;

	if (strchr(name, '/'))
		return kmod_module_new_from_path(modules.ctx, name, module);
	error = kmod_module_new_from_lookup(modules.ctx, name, &list);
	if (error < 0)
		return error;
	if (!list)
		return -ENOENT;
	*module = kmod_module_get_module(list);
	kmod_module_unref_list(list);
	return 0;
}

int module_load(const char *name)
{
	struct kmod_module *module;
	int error;

	if (!modules.ctx)
		modules.ctx = kmod_new(NULL, NULL);
	if (!modules.ctx) {
		log_error("modules: libkmod does not start");
		return -ENOMEM;
	}
	kmod_set_log_priority(modules.ctx, 0); /* what goes wrong is told below */
	error = look_up(name, &module);
	if (error < 0) {
		log_error("modules: %s: %s", name, error == -ENOENT ? "no such module" : strerror(-error));
		return error;
	}
	if (is_loaded(module)) {
		kmod_module_unref(module);
		return 0;
	}
	error = kmod_module_probe_insert_module(module, KMOD_PROBE_IGNORE_COMMAND, NULL, NULL, NULL, NULL);
	if (error < 0 && error != -EEXIST) {
		log_error("modules: loading %s: %s", name, strerror(-error));
		kmod_module_unref(module);
		return error;
	}
	log_info("modules: loaded %s", name);
	if (modules.count < MODULES)
		modules.loaded[modules.count++] = module;
	else
		kmod_module_unref(module);
	return 0;
}

void module_unload_all(void)
{
	while (modules.count) {
		struct kmod_module *module = modules.loaded[--modules.count];
		int error = kmod_module_remove_module(module, O_NONBLOCK);

		if (error < 0)
			log_info("modules: %s stays: %s", kmod_module_get_name(module), strerror(-error));
		kmod_module_unref(module);
	}
	if (modules.ctx)
		modules.ctx = kmod_unref(modules.ctx);
}
