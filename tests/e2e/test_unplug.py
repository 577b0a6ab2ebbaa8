# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever can be pulled is pulled, again and again: the next picture is equal, memory
and descriptors stay flat, the kernel never warns. Ten rounds each, 200 with SOAK=1.
"""

import os

from client import Owner, Probe, frozen, same_picture
from bench import Bench

ROUNDS = 200 if os.environ.get("SOAK") else 10
WARM_UP = 10
SLACK = 0.01
# The kernel adds up open files in steps of 32 on each processor (lib/percpu_counter.c, percpu_counter_batch).
STEP = {"files": 32 * 2, "descriptors": 2}
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


def equal_again(name):
    """A new Client sees what the paused Target shows."""
    with Probe(owner) as client:
        client.ask("wait 720x400 60")
        want = frozen(bench, owner)
        try:
            same_picture(name, client.picture(), want)
        finally:
            bench.target.cont()


def usage():
    """What must not grow: unreclaimable slab, vmalloc, open files, the daemon's descriptors and memory (kB).
    What the kernel would give back when asked is given back first: the cgroup of a daemon that ended
    stays, unreclaimable, as long as a cached page or name is charged to it. The descriptions of vmalloc's
    areas are left out: those that were freed stay until there are many (mm/vmalloc.c, lazy_max_pages),
    48 kB sooner or later; what is allocated is in VmallocUsed.
    """
    owner.await_sessions(0)
    code, out = bench.appliance.run(
        "echo 3 >/proc/sys/vm/drop_caches; "
        "areas=$(awk '/^vmap_area / {print $15 * $6 * 4}' /proc/slabinfo); "
        "awk -v areas=$areas '/^SUnreclaim/ {print $2 - areas}' /proc/meminfo; "
        "awk '/^VmallocUsed/ {print $2}' /proc/meminfo; cut -f1 /proc/sys/fs/file-nr; "
        "p=$(systemctl show -p MainPID --value kvmnetd); ls /proc/$p/fd | wc -l; "
        "awk '/^Pss(_Anon|_File|_Shmem)?:/ {print $2}' /proc/$p/smaps_rollup")
    assert code == 0, out
    slab, vmalloc, files, descriptors, memory, *parts = map(int, out.split())
    print(f"slab {slab} kB, vmalloc {vmalloc} kB", flush=True)
    print("memory {} kB: anonymous {}, files {}, shared {}".format(memory, *parts), flush=True)
    return {"slab": slab, "vmalloc": vmalloc, "files": files, "descriptors": descriptors, "memory": memory}


def rounds(name, pull, put):
    for number in range(WARM_UP + ROUNDS):
        if number == WARM_UP:
            before = usage()
        pull()
        put()
        equal_again(f"{name}, round {number}")
    after = usage()
    grown = {k: (before[k], after[k]) for k in before
             if after[k] > before[k] * (1 + SLACK) + STEP.get(k, 0)}
    assert not grown, f"grew over {ROUNDS} rounds: {grown}"
    warnings = bench.appliance.warnings()
    assert not warnings, warnings


def test_picture_cable():
    def signal(state):
        bench.engine.control({"do": "signal", "state": state})
        owner.await_signal(state)
    rounds("picture cable", lambda: signal("no_cable"), lambda: signal("ok"))


def test_card():
    rounds("card", bench.card_pull, bench.card_put)


def test_engine_process():
    rounds("engine process", lambda: bench.engine.control({"do": "die"}), lambda: None)


def test_hung_engine():
    def hang():
        bench.engine.control({"do": "hang"})
        owner.await_signal("stalled")

    def resume():
        bench.engine.control({"do": "resume"})
        owner.await_signal("ok")
    rounds("hung engine", hang, resume)


def test_usb_cable():
    def unplugged():
        bench.cable.unplug()
        owner.await_usb(False)

    def plugged():
        bench.cable.plug()
        # SeaBIOS looks for keyboards at power-on only.
        bench.cable.control({"do": "attached"})
        bench.target.restart()
        bench.target.await_firmware("USB keyboard initialized")
        owner.await_usb(True)
    rounds("USB cable", unplugged, plugged)


def test_daemon():
    def kill():
        code, out = bench.appliance.run(
            "p=$(systemctl show -p MainPID --value kvmnetd); kill -9 $p; "
            "tail --pid=$p -f /dev/null; systemctl start kvmnetd")
        assert code == 0, out
    rounds("daemon", kill, owner.login)


def test_client():
    rounds("Client", lambda: Probe(owner).process.kill(), lambda: None)
