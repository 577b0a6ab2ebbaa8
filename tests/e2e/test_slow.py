# SPDX-License-Identifier: GPL-2.0-or-later
"""A Client that stops reading for ten seconds: nobody else notices, and once its
socket has drained it has the newest Frame within two Frame times.
"""

import time

from client import Owner, Probe, same_picture
from bench import Bench

FPS = 10
STOPPED_S = 10

bench = owner = None


def setup():
    global bench, owner
    bench = Bench(target=None, fps=FPS)
    bench.start()
    owner = Owner(bench)


def teardown():
    if bench:
        bench.stop()


def session(number):
    return next(s for s in owner.status()["sessions"] if s["id"] == number)


def test_stopped_client():
    control = bench.engine.control
    control({"do": "source", "name": "pattern", "pattern": "noise", "width": 320, "height": 240})
    with Probe(owner, "raw") as stopped, Probe(owner, "raw") as other:
        for client in (stopped, other):
            client.ask("wait 320x240 60")
            client.ask("update 60")
        ids = sorted(s["id"] for s in owner.status()["sessions"])
        stopped.ask("stopreading")
        before = owner.status()
        start = time.monotonic()
        updates = 0
        while time.monotonic() - start < STOPPED_S:
            updates += int(other.ask("update 60").split()[1])
        after = owner.status()
        captured = after["capture"]["frames"] - before["capture"]["frames"]
        assert captured >= FPS * STOPPED_S * 0.9, f"the driver published {captured} Frames only"
        assert after["capture"]["overruns"] == before["capture"]["overruns"], "Frames were lost"
        assert updates >= captured * 0.9, f"the other Client got {updates} of {captured} Frames"
        behind = session(ids[0])["hw_seq"]
        control({"do": "freeze"})
        newest = control({"do": "grab"})["seq"]
        assert behind < newest
        drained = float(stopped.ask("resume 60").split()[-1])
        owner.await_current(newest)
        current = float(stopped.ask("last-update").split()[-1])
        assert current - drained <= 2 / FPS, f"newest Frame {current - drained:.3f} s after the drain"
        same_picture("after the stop", stopped.picture(), other.picture())
        control({"do": "unfreeze"})
    assert not bench.appliance.warnings()
