/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The only place that knows how kernels differ. Each difference is probed for
 * in Kbuild; no version is compared.
 */
#ifndef KVMCAP_COMPAT_H
#define KVMCAP_COMPAT_H

#include <linux/mm.h>

static inline void kvmcap_vm_flags_clear(struct vm_area_struct *vma, unsigned long flags)
{
#ifdef KVMCAP_HAVE_VM_FLAGS_CLEAR
	vm_flags_clear(vma, flags);
#else
	vma->vm_flags &= ~flags;
#endif
}

static inline void kvmcap_vm_flags_set(struct vm_area_struct *vma, unsigned long flags)
{
#ifdef KVMCAP_HAVE_VM_FLAGS_CLEAR
	vm_flags_set(vma, flags);
#else
	vma->vm_flags |= flags;
#endif
}

#endif
