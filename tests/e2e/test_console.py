# SPDX-License-Identifier: GPL-2.0-or-later
"""The browser console: the Target's own picture, typing, silence on a still screen."""

import screens
from client import Owner, Probe, frozen, same_picture
from bench import Bench
from browser import Browser

FPS = 10
LIMIT = 600  # the installer itself starts in one or two minutes

bench = owner = None


def setup():
    global bench, owner
    bench = Bench(target="installer", fps=FPS)
    bench.start()
    owner = Owner(bench)
    with Probe(owner) as client:
        screens.await_text(client, "Select a language")


def teardown():
    if bench:
        bench.stop()


def test_same_picture():
    with Browser(owner) as page:
        page.ask(do="console")
        want = frozen(bench, owner)
        try:
            same_picture("browser console", page.picture(), want)
            same_picture("screenshot of the browser console", page.screenshot(), want)
        finally:
            bench.target.cont()


def test_still_screen_is_silent():
    with Browser(owner) as page:
        page.ask(do="console")
        before = owner.await_current(bench.engine.control({"do": "grab"})["seq"])
        after = owner.await_current(before["capture"]["hw_seq"] + 10 * FPS)
        # Frames that the driver finds together count as one: it hands on the newest.
        moved = after["capture"]["frames"] - before["capture"]["frames"]
        assert moved > 5 * FPS, f"only {moved} Frames were captured"
        sent = after["sessions"][0]["video_bytes"] - before["sessions"][0]["video_bytes"]
        assert sent == 0, f"{sent} bytes of video in 10 s of a still screen"


def test_says_why_there_is_no_picture():
    with Browser(owner) as page:
        page.ask(do="console")
        for signal, words in (("no_cable", "cable"), ("no_signal", "signal"), ("no_sync", "sync")):
            bench.engine.control({"do": "signal", "state": signal})
            page.ask(do="await-overlay", text=words)
        bench.engine.control({"do": "signal", "state": "ok"})
        page.ask(do="await-overlay", text="")


def test_types():
    with Browser(owner) as page, Probe(owner) as client:
        screens.first_page(client, owner)
        page.ask(do="console")
        page.ask(do="key", key="Enter")
        screens.await_text(client, "Select your location")
