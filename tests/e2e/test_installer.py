# SPDX-License-Identifier: GPL-2.0-or-later
"""The graphical Debian installer, driven through its first screens: once by keys,
once by pointer. Its words are read off the Client's picture.
"""

import screens
from case import Failure
from client import Owner, Probe, frozen, same_picture
from bench import Bench

CAPS_LOCK = 1 << 2  # RFB registry, QEMU LED State
OPTIONS = {}
LIMIT = 600  # the installer itself starts in one or two minutes

bench = owner = None


def setup():
    global bench, owner
    bench = Bench(target="installer", **OPTIONS)
    bench.start()
    owner = Owner(bench)
    with Probe(owner) as client:
        try:
            screens.await_text(client, "Select a language")
        except Failure as failure:  # is it the Target that stands still, or what we show of it?
            own = screens.text_of(screens.words(bench.target.screendump()))
            raise Failure(f"{failure}; the Target itself shows {own[:600]!r}") from failure


def teardown():
    if bench:
        bench.stop()


def test_identity_raw():
    identical("raw")


def test_identity_zrle():
    identical("zrle")


def identical(encoding):
    with Probe(owner, encoding) as client:
        screens.first_page(client, owner)
        want = frozen(bench, owner)
        try:
            same_picture(f"installer in {encoding}", client.picture(), want)
        finally:
            bench.target.cont()


def test_caps_lock_led():
    with Probe(owner) as client:
        screens.first_page(client, owner)
        client.ask("await-led 0 30")
        client.ask("key Caps_Lock")
        client.ask(f"await-led {CAPS_LOCK} 30")
        client.ask("key Caps_Lock")
        client.ask("await-led 0 30")


def test_by_keyboard():
    with Probe(owner) as client:
        screens.first_page(client, owner)
        client.ask("key Return")
        screens.await_text(client, "Select your location")
        client.ask("key Return")
        screens.await_text(client, "Configure the keyboard")


def test_by_pointer():
    with Probe(owner) as client:
        screens.first_page(client, owner)
        client.ask("click 640 40")  # the banner: on the button the pointer hides letters
        x, y = screens.find(screens.await_text(client, "Continue"), "Continue")
        client.ask(f"click {x} {y}")
        # The button stays where it is; under the pointer its letters are hard to read.
        screens.await_text(client, "Select your location")
        client.ask(f"click {x} {y}")
        screens.await_text(client, "Configure the keyboard")
