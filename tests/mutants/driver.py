#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds broken versions of the parts of the driver that only a running kernel can test:
`driver.py NAME` writes build/mutants/driver-NAME/kvmcap.ko and prints its path; without a
name the list is shown. An end-to-end test that loads one must fail.
"""

import glob
import os
import shutil
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# name: (source, text, replacement, the invariant that it breaks, what notices it)
MUTANTS = {
    "no-sync-for-cpu": (
        "engine_ring.c", "	kvmcap_slot_for_cpu(eng->slots, slot);\n", "",
        "what the device wrote is visible to the CPU before it is compared",
        "readframes --number, or any comparison of pictures, with swiotlb=131072,force"),
    "publish-without-damage": (
        "engine_ring.c", "damage = eng->damage;",
        "damage = memset(eng->damage, 0, sizeof(eng->damage));",
        "Damage is never under-reported", "readframes with the pattern \"moving\""),
    "map-bound-unchecked": (
        "reader.c", "if (first + vma_pages(vma) <= slots->count * (u64)(slots->bytes >> PAGE_SHIFT))", "",
        "a mapping ends with the last Slot", "checkreader"),
    "map-writable": (
        "reader.c", "kvmcap_vm_flags_clear(vma, VM_MAYWRITE | VM_MAYEXEC);", "kvmcap_vm_flags_clear(vma, VM_MAYEXEC);",
        "no mapping can be made writable", "checkreader"),
    "stale-generation-mapped": (
        "reader.c", "cap->slots && chosen == (cap->ring.generation & 0xff) + 1", "cap->slots",
        "a mapping is of the Mode that was asked for", "checkreader"),
    "fault-loses-damage": (
        "reader.c", "		kvmcap_ring_undo(&cap->ring, reader->id);\n", "",
        "Damage that did not reach its Reader is kept", "checkreader"),
}

# Sound ones, on a platform that is not at hand: all checks must pass.
VARIANTS = {
    "narrow-dma": (
        "engine_pci.c", "int err = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));", "int err = -EIO;",
        "the bus has 32 address bits", None),
}


def build(name):
    source, text, replacement, _, _ = {**MUTANTS, **VARIANTS}[name]
    out = os.path.join(TOP, "build", "mutants", f"driver-{name}")
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(os.path.join(out, "uapi"))
    for file in glob.glob(f"{TOP}/kmod/*.[ch]") + [f"{TOP}/kmod/Kbuild"]:
        shutil.copy(file, out)
    shutil.copy(f"{TOP}/kmod/uapi/kvmcap.h", os.path.join(out, "uapi"))
    path = os.path.join(out, source)
    with open(path, encoding="utf-8") as file:
        sound = file.read()
    if sound.count(text) != 1:
        raise RuntimeError(f"mutant {name}: its text is {sound.count(text)} times in {source}, once is needed")
    with open(path, "w", encoding="utf-8") as file:
        file.write(sound.replace(text, replacement))
    kdir = subprocess.run(["make", "-s", "--no-print-directory", "-C", TOP, "print-kdir"], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()
    subprocess.run(["make", "-s", "-C", kdir, f"M={out}", "modules"], check=True, stdout=sys.stderr)
    return os.path.join(out, "kvmcap.ko")


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in MUTANTS:
        for key, mutant in MUTANTS.items():
            print(f"{key}: {mutant[3]}; noticed by {mutant[4]}")
        sys.exit(len(sys.argv) != 1)
    print(build(sys.argv[1]))
