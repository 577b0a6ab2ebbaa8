#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Breaks kmod/differ.c and kmod/ring.c in one place at a time and expects their unit tests
to notice. `kmod.py NAME` runs one mutant. A mutant that survives, or whose text is no
longer in the source, is a failure.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = os.path.join(TOP, "build", "mutants")
SOURCES = ("differ", "ring")
TESTS = ("differ", "ring", "ring_model")
CFLAGS = ["cc", "-std=c17", "-D_GNU_SOURCE", f"-I{TOP}/userland", f"-I{TOP}", "-O1", "-g",
          "-fsanitize=address,undefined", "-fno-sanitize-recover"]
LIMIT = 60  # seconds for one test program; a mutant that never ends is caught too

# name: (source, text, replacement, the invariant that it breaks)
MUTANTS = {
    "damage-not-ored": (
        "differ", "to[i] |= from[i];", "to[i] = from[i];",
        "the Damage of an unread Frame is ORed into the next"),
    "damage-or-one-word-short": (
        "differ", "for (i = 0; i < words; i++)", "for (i = 0; i + 1 < words; i++)",
        "the Damage of an unread Frame is ORed into the next"),
    "partial-tile-dropped": (
        "differ", "seen[whole] |= partial_tile(a, b, rest);", "seen[whole] |= 0;",
        "every pixel of an odd width counts"),
    "last-odd-pixel-dropped": (
        "differ", "if (pixels % 2)", "if (0)",
        "every pixel of an odd width counts"),
    "padding-counts": (
        "differ", "seen |= (a[i] ^ b[i]) & FIRST_PIXEL;", "seen |= a[i] ^ b[i];",
        "padding never makes a Tile dirty"),
    "x-byte-counts": (
        "differ", "const __u64 bit = (seen[tile] & COLOUR_BITS) != 0;",
        "const __u64 bit = seen[tile] != 0;",
        "the X byte never makes a Tile dirty"),
    "x-byte-ends-row-early": (
        "differ", "while (tile < tiles && (seen[tile] & COLOUR_BITS))",
        "while (tile < tiles && seen[tile])",
        "rows are skipped only when every Tile is dirty in its colours"),
    "colour-mask-too-narrow": (
        "differ", "0x00ffffff00ffffffULL", "0x00ffffff00fffffeULL",
        "one bit of one colour is a change"),
    "early-exit-without-all-tiles": (
        "differ", "if (clean == tiles)", "if (clean + 1 >= tiles)",
        "rows are skipped only when every Tile is dirty"),
    "bottom-rows-dropped": (
        "differ", "left < KVMCAP_TILE ? left : KVMCAP_TILE", "left < KVMCAP_TILE ? left - 1 : KVMCAP_TILE",
        "every row of an odd height counts"),
    "bottom-rows-too-far": (
        "differ", "left < KVMCAP_TILE ? left : KVMCAP_TILE", "KVMCAP_TILE",
        "nothing is read beyond the Frame"),
    "fill-beyond-last-tile": (
        "differ", "(1ULL << rest) - 1;", "~0ULL;",
        "bits past the last Tile column are zero"),
    "full-forgotten-on-mode-change": (
        "ring", "	memset(ring->slot, 0, sizeof(ring->slot));\n	forget_newest(ring);",
        "	memset(ring->slot, 0, sizeof(ring->slot));\n	ring->has_newest = false;",
        "the first Frame of a Mode is full Damage"),
    "full-forgotten-after-gap": (
        "ring", "		ring->slot[i].posted = false;\n	forget_newest(ring);",
        "		ring->slot[i].posted = false;\n	ring->has_newest = false;",
        "the first Frame after a gap is full Damage"),
    "full-forgotten-at-open": (
        "ring", "			account_fill(&reader->unread);\n			return", "			return",
        "the first Frame of a Reader is full Damage"),
    "full-forgotten-without-previous": (
        "ring", "	else\n		account->full = true;\n", "",
        "a comparison that failed is full Damage"),
    "held-slot-recycled": (
        "ring", "!ring->slot[slot].posted && !ring->slot[slot].holders &&", "!ring->slot[slot].posted &&",
        "a held Slot is never recycled"),
    "newest-slot-recycled": (
        "ring", " &&\n	       !slot_is_newest(ring, slot);", ";",
        "the previous Frame stays until it was compared with"),
    "hold-dropped-across-modes": (
        "ring", "if (reader->holds && reader->generation == ring->generation)", "if (reader->holds)",
        "releasing a Slot of an old Mode touches no Slot of the new one"),
    "release-of-any-slot": (
        "ring", "|| r->generation != generation || r->slot != slot", "",
        "a Reader releases just the Slot that it holds"),
    "slot-index-unchecked": (
        "ring", "return slot < ring->slot_count && ring->slot[slot].posted;", "return ring->slot[slot].posted;",
        "an index from hardware is checked"),
    "reader-number-unchecked": (
        "ring", "if (index >= KVMCAP_MAX_READERS || !ring->reader[index].open)", "if (!ring->reader[index].open)",
        "the number of a Reader is checked"),
    "capture-starved": (
        "ring", "held + KVMCAP_CAPTURE_SLOTS > ring->slot_count", "held + 1 > ring->slot_count",
        "Readers leave three Slots to capture"),
    "account-shared": (
        "ring", "if (ring->reader[i].open)\n			account_add", "if (ring->reader[i].open && !i)\n			account_add",
        "each Reader has its own account"),
    "account-not-emptied": (
        "ring", "	memset(reader->unread.damage, 0, bytes);\n", "",
        "Damage that was handed out is not handed out again"),
    "undo-loses-damage": (
        "ring", "	account_add(ring, &r->unread, r->taken.full ? NULL : r->taken.damage);\n", "",
        "Damage that did not reach its Reader is kept"),
    "undo-across-modes": (
        "ring", "	if (r->unread.base_seq != r->taken_seq)\n		return;\n", "",
        "Damage of a new Mode counts from no Frame of the old one"),
}


def run(argv, **options):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **options)


def compile_c(source, target):
    done = run(CFLAGS + ["-c", source, "-o", target])
    if done.returncode:
        sys.exit(f"{source} does not compile:\n{done.stdout.decode()}")


def prepare():
    """What all mutants share: the tests, and the sound half of the sources."""
    os.makedirs(OUT, exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        for name in TESTS:
            pool.submit(compile_c, f"{TOP}/tests/unit/test_{name}.c", f"{OUT}/test_{name}.o")
        for name in SOURCES:
            pool.submit(compile_c, f"{TOP}/kmod/{name}.c", f"{OUT}/{name}.o")


def passes(objects, prefix, test):
    program = f"{prefix}-{test}"
    linked = run(CFLAGS + [f"{OUT}/test_{test}.o", *objects, "-lcmocka", "-o", program])
    if linked.returncode:
        sys.exit(linked.stdout.decode())
    try:
        # A fixed seed: whether a mutant is caught must not depend on luck.
        return run([program], env={"SEED": "1", "ASAN_OPTIONS": "detect_leaks=0"}, timeout=LIMIT).returncode == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        os.unlink(program)


def survives(name):
    """None if a test notices the mutant, else what is wrong."""
    source, text, replacement, invariant = MUTANTS[name]
    with open(f"{TOP}/kmod/{source}.c", encoding="utf-8") as file:
        sound = file.read()
    if sound.count(text) != 1:
        return f"its text is {sound.count(text)} times in {source}.c, once is needed"
    broken = f"{OUT}/{name}.c"
    with open(broken, "w", encoding="utf-8") as file:
        file.write(sound.replace(text, replacement))
    done = run(CFLAGS + ["-w", f"-I{TOP}/kmod", "-c", broken, "-o", f"{OUT}/{name}.o"])
    if done.returncode:
        return f"does not compile: {done.stdout.decode()[:300]}"
    objects = [f"{OUT}/{name if part == source else part}.o" for part in SOURCES]
    if all(passes(objects, f"{OUT}/{name}", test) for test in TESTS):
        return f"no test noticed that it breaks: {invariant}"
    return None


def main():
    names = sys.argv[1:] or list(MUTANTS)
    prepare()
    sound = [f"{OUT}/{part}.o" for part in SOURCES]
    if not all(passes(sound, f"{OUT}/sound", test) for test in TESTS):
        sys.exit("error: the tests fail on the sound source")
    with ThreadPoolExecutor(2) as pool:
        results = list(zip(names, pool.map(survives, names)))
    for name, why in results:
        print(f"error: mutant {name}: {why}" if why else f"caught {name}: {MUTANTS[name][3]}")
    print(f"{sum(not why for _, why in results)} of {len(results)} mutants caught")
    sys.exit(any(why for _, why in results))


if __name__ == "__main__":
    main()
