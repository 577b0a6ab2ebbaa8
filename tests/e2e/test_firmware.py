# SPDX-License-Identifier: GPL-2.0-or-later
"""Firmware: SeaBIOS sees a real USB keyboard, a key opens its boot menu."""

import screens
from client import Owner, Probe
from bench import Bench

bench = owner = None


def setup():
    global bench, owner
    bench = Bench(target="seabios")
    bench.start()
    owner = Owner(bench)


def teardown():
    if bench:
        bench.stop()


def test_boot_menu_by_key():
    with Probe(owner) as client:
        bench.target.restart()
        screens.await_text_memory(client, bench.target, "Press ESC for boot menu")
        client.ask("key Escape")
        screens.await_text_memory(client, bench.target, "Select boot device:")
