// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvmcap.ko: starts and stops the parts of the driver, in this order: netlink,
 * capture devices, cards.
 */
#include <linux/module.h>

#include "driver.h"

static int __init kvmcap_init(void)
{
	int err = kvmcap_genl_init();

	if (err)
		return err;
	err = kvmcap_device_init();
	if (err)
		goto genl;
	err = kvmcap_pci_init();
	if (err)
		goto device;
	return 0;

device:
	kvmcap_device_exit();
genl:
	kvmcap_genl_exit();
	return err;
}

static void __exit kvmcap_exit(void)
{
	kvmcap_pci_exit();
	kvmcap_device_exit();
	kvmcap_genl_exit();
}

module_init(kvmcap_init);
module_exit(kvmcap_exit);

MODULE_DESCRIPTION("Capture of a computer's screen, with exact Damage");
MODULE_AUTHOR("kvmnet developers");
MODULE_LICENSE("GPL");
