# SPDX-License-Identifier: GPL-2.0-or-later
"""A Client that stops reading for ten seconds, in the midst of an update that no buffer on the
way can take whole: nobody else notices, and once its socket has drained it has the newest
Frame within two Frame times.
"""

from client import Owner, Probe, same_picture
from bench import Bench

FPS = 5
STOPPED_S = 10
WIDTH, HEIGHT = 1920, 1080
NOISE_BYTES = WIDTH * HEIGHT * 3  # of ZRLE that nothing makes smaller

bench = owner = None


def setup():
    global bench, owner
    bench = Bench(target=None, fps=FPS)
    bench.start()
    owner = Owner(bench)


def teardown():
    if bench:
        bench.stop()


def pattern(name):
    bench.engine.control({"do": "source", "name": "pattern", "pattern": name, "width": WIDTH, "height": HEIGHT})


def grab():
    """A Frame from now on: its number."""
    return bench.engine.control({"do": "grab"})["seq"]


def engine():
    return bench.engine.control({"do": "status"})


def session(number, status=None):
    return next(s for s in (status or owner.status())["sessions"] if s["id"] == number)


def true_picture():
    """What the engine's pattern "full" shows now (engine_pattern.c)."""
    colour = engine()["number"] * 0x10307 & 0xffffff
    return WIDTH, HEIGHT, colour.to_bytes(3, "big") * (WIDTH * HEIGHT)


def follows(client, number):
    """The Client gets a Frame that is captured from now on; its number."""
    seq = grab()
    while session(number)["hw_seq"] < seq:
        client.ask("update 60")
    return seq


def test_stopped_client():
    control = bench.engine.control
    pattern("noise")
    with Probe(owner, receive_bytes=4096) as stopped, Probe(owner) as other:
        ids = sorted(s["id"] for s in owner.status()["sessions"])
        for client in (stopped, other):
            client.ask(f"wait {WIDTH}x{HEIGHT} 60")
        control({"do": "freeze"})
        idle = owner.await_current(grab())
        stopped.ask("stopreading")
        control({"do": "unfreeze"})
        sent = session(ids[0], idle)["video_bytes"]
        owner.await_status(lambda status: session(ids[0], status)["video_bytes"] > sent,
                           "bytes for the Client that does not read")
        pattern("full")
        follows(other, ids[1])
        before, made = owner.status(), engine()
        while engine()["frames"] < made["frames"] + FPS * STOPPED_S:
            follows(other, ids[1])
        after, now = owner.status(), engine()
        in_flight = session(ids[0], after)["video_bytes"] - sent
        assert 0 < in_flight < NOISE_BYTES, f"the stopped Client was sent {in_flight} bytes: it held nobody up"
        assert session(ids[0], after)["hw_seq"] == session(ids[0], before)["hw_seq"], "it is current nevertheless"
        for name in ("overruns", "abandoned", "dma_faults"):
            assert now[name] == made[name], f"{name} of the engine: {made[name]}, then {now[name]}"
        assert after["capture"]["overruns"] == before["capture"]["overruns"], "Frames were lost"
        control({"do": "freeze"})
        newest = follows(other, ids[1])
        drained = float(stopped.ask("resume 60").split()[-1])
        owner.await_current(newest)
        current = float(stopped.ask("last-update").split()[-1])
        print(f"{in_flight} bytes in flight, the newest Frame {current - drained:.3f} s after the drain", flush=True)
        assert current - drained <= 2 / FPS, f"newest Frame {current - drained:.3f} s after the drain"
        for name, client in (("the stopped Client", stopped), ("the other Client", other)):
            same_picture(name, client.picture(), true_picture())
        control({"do": "unfreeze"})
    assert not bench.appliance.warnings()
