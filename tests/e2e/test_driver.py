# SPDX-License-Identifier: GPL-2.0-or-later
"""The driver alone, behind bounce buffers: no pixel changes outside of the Damage, wrong use
is refused, a held Frame outlives its Mode and its card, an engine that hung is let go on only when
it has stopped, netlink tells what there is and what happens; and broken drivers are noticed by the
same checks.
"""

import os
import re
import sys

from bench import Bench
from case import TOP, Failure, equal

sys.path.insert(0, os.path.join(TOP, "tests", "mutants"))
import driver  # noqa: E402

TOOLS = "/usr/lib/kvmnet-bench/"
PATTERN = {"checkreader": "still", "readframes --number": "full", "readframes": "moving"}
# Who notices each, and in which words.
NOTICED = {"no-sync-for-cpu": ("readframes --number", r"pixel \d+,\d+ is "),
           "publish-without-damage": ("readframes", r"pixel \d+,\d+ changed outside of the Damage"),
           "map-writable": ("checkreader", "broken: a map never becomes writable"),
           "stale-generation-mapped": ("checkreader", "broken: another Mode is ESTALE"),
           "fault-loses-damage": ("checkreader", "broken: Damage that did not arrive is kept")}
OOPS = "map-bound-unchecked"

bench = None
modules = {}
oopsed = False


def setup():
    assert {*NOTICED, OOPS} == set(driver.MUTANTS), "each mutant of the driver has its check here"
    modules.update({f"{TOOLS}{name}.ko": driver.build(name) for name in {**driver.MUTANTS, **driver.VARIANTS}})
    modules[f"{TOOLS}sound.ko"] = os.path.join(TOP, "build", "kmod", "kvmcap.ko")
    start()


def start():
    global bench
    bench = Bench(target=None, fps=30, smp=2, mem="4G", append="swiotlb=131072,force", files=modules)
    bench.start()
    # The checks want all eight Readers.
    code, out = bench.appliance.run("systemctl stop kvmnetd")
    assert code == 0, out


def teardown():
    if bench:
        bench.stop()


def source(pattern, width=643, height=481):
    bench.engine.control({"do": "source", "name": "pattern", "pattern": pattern,
                          "width": width, "height": height})


def passes(check, frames=200):
    source(PATTERN[check])
    bench.engine.control({"do": "grab"})
    count = f" --frames {frames} --quiet" if check.startswith("readframes") else ""
    return bench.appliance.run(TOOLS + check + count, timeout=120)


def sound(check, frames=200):
    code, out = passes(check, frames)
    if code:
        raise Failure(f"{check}: {out[-600:]}")
    warnings = bench.appliance.warnings()
    assert not warnings, warnings


def test_1_no_damage_is_under_reported():
    sound("readframes")


def test_2_pixels_are_what_the_engine_wrote():
    sound("readframes --number")


def test_3_wrong_use_is_refused():
    sound("checkreader")


def hold():
    """Leaves a Reader that holds a Frame."""
    bench.appliance.run(f"{TOOLS}holdframe >/run/held 2>&1 & echo $! >/run/holder; "
                        "until grep -q holding /run/held; do kill -0 $! || break; done")


def outlives(end, words):
    source("moving")
    bench.engine.control({"do": "grab"})
    hold()
    end()
    code, out = bench.appliance.run("tail --pid=$(cat /run/holder) -f /dev/null; cat /run/held", timeout=90)
    assert code == 0 and words in out, out


def test_4_held_frame_outlives_its_mode():
    outlives(lambda: source("moving", 800, 600), "kept through a Mode change")


def test_5_held_frame_outlives_its_card():
    # The card that is put back is there a second before its engine.
    bench.engine.control({"do": "late"})
    outlives(bench.card_pull, "kept through removal")
    bench.card_put()
    bench.appliance.run("until [ -e /dev/kvmcap0 ]; do :; done")
    sound("checkreader")


def exchange(name, *settings):
    code, out = bench.appliance.run(f"rmmod kvmcap && insmod {TOOLS}{name}.ko {' '.join(settings)} && "
                                    "until [ -e /dev/kvmcap0 ]; do :; done")
    assert code == 0, f"{name}: {out}"


def test_6_memory_cap_leaves_capture_its_slots():
    source("full", 640, 480)
    exchange("sound", "memory_cap_mb=5")  # four Slots: one for all Readers together
    bench.engine.control({"do": "grab"})
    hold()
    bench.engine.control({"do": "grab"})
    code, out = bench.appliance.run(f"{TOOLS}checkreader --refused")
    assert code == 0, out
    bench.appliance.run("kill $(cat /run/holder)")
    exchange("sound")


def test_7_hung_engine_is_not_let_on():
    source("full")
    bench.engine.control({"do": "grab"})
    bench.engine.control({"do": "hang", "busy": True})
    bench.appliance.run("dmesg --clear")
    exchange("sound")
    # The driver before could not stop it; the new one waits for what it was told to end.
    code, out = bench.appliance.run(
        "n=0; until dmesg | grep -q 'signal 6: does not stop'; do n=$((n + 1)); [ $n = 2000 ] && exit 1; done; "
        "dmesg; ! dmesg | grep 'signal 0'")
    assert code == 0 and "did not stop within 200 ms" in out, out
    bench.engine.control({"do": "resume"})
    sound("readframes --number")
    sound("readframes")


def ask(words):
    code, out = bench.appliance.run(f"{TOOLS}asknetlink {words}")
    return code, out.strip()


def test_8_state_and_events():
    exchange("sound")
    source("still")
    bench.engine.control({"do": "grab"})
    for words, why in (("get", "refused -22: which device? KVMCAP_A_INDEX is missing"),
                       ("get 7", "refused -19: no such capture device"),
                       ("dump 0", "refused -22: a dump is of all devices: it takes no attributes")):
        equal(ask(words), (1, why), words)
    for words in ("get 0", "dump"):
        code, out = ask(words)
        assert code == 0 and re.fullmatch(r"state index 0 signal 0 generation \d+ width 643 height 481 .*", out), out
    tells([(lambda: bench.engine.control({"do": "signal", "state": "no_cable"}), "lost index 0 signal 1 "),
           (lambda: bench.engine.control({"do": "signal", "state": "ok"}), "regained index 0 signal 0 "),
           (lambda: source("still", 800, 600), r"mode_changed .* width 800 height 600 ")])


def tells(changes):
    """Each change is followed by its event, with the state after it."""
    bench.appliance.run(f"{TOOLS}asknetlink events >/run/events 2>&1 & echo $! >/run/listener; "
                        "until grep -q listening /run/events; do kill -0 $! || break; done")
    for change, event in changes:
        change()
        code, out = bench.appliance.run(f"until grep '^event {event}' /run/events; do "
                                        "kill -0 $(cat /run/listener) || { cat /run/events; exit 1; }; done")
        assert code == 0, out
    bench.appliance.run("kill $(cat /run/listener)")


def test_9_narrow_bus_is_enough():
    exchange("narrow-dma")
    sound("readframes --number")
    sound("readframes")


def test_10_broken_drivers_are_noticed():
    exchange("sound")
    for check in {check for check, _ in NOTICED.values()}:
        sound(check, 60)
    for name, (check, words) in NOTICED.items():
        exchange(name)
        code, out = passes(check)
        assert code and re.search(words, out), f"{check} does not notice {name}: {out[-600:]}"
    exchange("sound")


def test_11_unchecked_bound_ends_in_an_oops():
    global oopsed
    if oopsed:  # nothing can be asked of that kernel any more
        bench.stop()
        start()
    exchange(OOPS)
    oopsed = True
    source("still")
    before = len(bench.appliance.console.said)
    bench.appliance.run(TOOLS + "checkreader >/dev/null 2>&1 &")
    bench.appliance.console.wait("BUG:|Oops", 60, before)
