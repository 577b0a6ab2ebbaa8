# SPDX-License-Identifier: GPL-2.0-or-later
"""The Client's framebuffer is the Target's own picture, byte for byte, in every Mode
that GRUB goes through by keys, in Raw and in ZRLE. The Target is paused for the comparison.
"""

import functools

from client import Owner, Probe, frozen, same_picture
from bench import Bench

# GRUB's menu: the key of the entry, and the size that follows.
MODES = {"text": ("t", 720, 400), "640x480": ("6", 640, 480),
         "1024x768": ("1", 1024, 768), "1920x1080": ("9", 1920, 1080)}
OPTIONS = {}

bench = owner = None


def setup():
    global bench, owner
    bench = Bench(target="grub", **OPTIONS)
    bench.start()
    owner = Owner(bench)


def teardown():
    if bench:
        bench.stop()


def identical(mode, encoding):
    key, width, height = MODES[mode]
    with Probe(owner, encoding) as client:
        client.ask(f"type {key}")
        client.ask(f"wait {width}x{height} 60")
        want = frozen(bench, owner)
        try:
            same_picture(f"{mode} in {encoding}", client.picture(), want)
        finally:
            bench.target.cont()
    warnings = bench.appliance.warnings()
    assert not warnings, warnings


for _mode in MODES:
    for _encoding in ("raw", "zrle"):
        globals()[f"test_{_mode}_{_encoding}"] = functools.partial(identical, _mode, _encoding)
