# SPDX-License-Identifier: GPL-2.0-or-later
"""The Client's framebuffer is the Target's own picture, byte for byte, in every Mode
that GRUB goes through by keys, in Raw and in ZRLE. The Target is paused for the comparison.
"""

import functools

import screens
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
    with Probe(owner) as client:
        screens.await_text_memory(client, bench.target, "1920x1080 (9)")


def teardown():
    if bench:
        bench.stop()


def identical(mode, encoding):
    """Comes to the Mode from another one, so that its size tells that GRUB has acted on the key."""
    other = "640x480" if mode == "text" else "text"
    with Probe(owner, encoding) as client:
        for key, width, height in (MODES[other], MODES[mode]):
            client.ask(f"type {key}")
            client.ask(f"wait {width}x{height} 60")
        want = frozen(bench, owner)
        try:
            assert want[:2] == (width, height), f"the Target shows {want[0]}x{want[1]}"
            same_picture(f"{mode} in {encoding}", client.picture(), want)
        finally:
            bench.target.cont()
    warnings = bench.appliance.warnings()
    assert not warnings, warnings


for _mode in MODES:
    for _encoding in ("raw", "zrle"):
        globals()[f"test_{_mode}_{_encoding}"] = functools.partial(identical, _mode, _encoding)
