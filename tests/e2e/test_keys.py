# SPDX-License-Identifier: GPL-2.0-or-later
"""A key held down while something fails ends released at the Target: the reports on the USB cable say so. And it is
not pressed again with the next key.
"""

import contextlib

from bench import Bench
from client import Owner, Probe

RELEASED = "0000000000000000"
A = "0000040000000000"
B = "0000050000000000"

bench = owner = None


def setup():
    global bench, owner
    bench = Bench(target="grub")
    bench.start()
    owner = Owner(bench)


def teardown():
    if bench:
        bench.stop()


def cable(what):
    return bench.cable.control({"do": what})["keys"]


@contextlib.contextmanager
def held():
    """A Client that holds A down, as the Target knows."""
    client = Probe(owner)
    try:
        client.ask("key a down")
        assert cable("pressed") == A
        yield client
    finally:
        client.process.kill()
        client.process.wait()
        client.close()


def presses_b_alone(client):
    assert cable("released") == RELEASED
    client.ask("key b down")
    assert cable("pressed") == B
    client.ask("key b up")
    assert cable("released") == RELEASED


def test_client_is_killed():
    with held() as client:
        client.process.kill()
        with Probe(owner) as other:
            presses_b_alone(other)


def test_daemon_is_killed():
    with held():
        code, out = bench.appliance.run(
            "p=$(systemctl show -p MainPID --value kvmnetd); kill -9 $p; "
            "tail --pid=$p -f /dev/null; systemctl start kvmnetd")
        assert code == 0, out
        with Probe(owner) as other:
            presses_b_alone(other)


def test_usb_is_unplugged():
    with held() as client:
        bench.cable.unplug()
        bench.cable.plug()
        # SeaBIOS looks for keyboards at power-on only.
        bench.cable.control({"do": "attached"})
        bench.target.restart()
        bench.target.await_firmware("USB keyboard initialized")
        presses_b_alone(client)  # while it still holds A, for all that it knows
