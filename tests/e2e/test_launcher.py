# SPDX-License-Identifier: GPL-2.0-or-later
"""Two benches that are started at once, as a person does it: each has ports of its own and works;
one is killed, which ends its parts and leaves the other alone.
"""

import os
import re
import signal
import socket
from types import SimpleNamespace

from client import TOP, Owner, Probe
from case import Deadline, Failure, Process, check, equal, scratch

DEMO = [os.path.join(TOP, "tests", "bench", "bench.py"), "demo", "--target", "seabios"]


def described(launcher, folder):
    """What the launcher tells a person of its bench, as far as an Owner needs it."""
    page = re.search(r"https://127\.0\.0\.1:(\d+)/", launcher.await_line("https://", 250))[1]
    launcher.await_line("SHA-256")
    fingerprint = launcher.line().strip()
    launcher.await_line("this code")
    code = launcher.line().strip()
    video = re.search(r"127\.0\.0\.1::(\d+)", launcher.await_line("VNC viewer"))[1]
    return SimpleNamespace(run_dir=folder, claim_code=code, fingerprint=fingerprint,
                           ports=SimpleNamespace(https=int(page), video=int(video)))


def await_end(client, port):
    """The Client loses its connection, and there is no other."""
    try:
        while True:
            client.ask("update 60")
    except Failure as failure:
        check("connection lost" in str(failure), failure)
    limit = Deadline(20, f"port {port} of the bench that was killed is free")
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=limit.left()).close()
        except ConnectionResetError:
            pass  # its last listener went away while we came
        except ConnectionRefusedError:
            return


def test_side_by_side():
    with scratch("one") as one, scratch("two") as two, Process(DEMO) as killed, Process(DEMO) as living:
        benches = [described(killed, one), described(living, two)]
        ports = [port for bench in benches for port in vars(bench.ports).values()]
        equal(len(set(ports)), 4, "different ports")
        owners = [Owner(bench) for bench in benches]
        with Probe(owners[0]) as first, Probe(owners[1]) as second:
            for client in first, second:
                client.ask("wait 720x400 60")
            killed.signal(signal.SIGKILL)
            equal(killed.wait(), -signal.SIGKILL, "the launcher's end")
            await_end(first, benches[0].ports.video)
            second.ask("key Escape")
            status = owners[1].await_status(lambda status: status["sessions"][0]["keys"], "a key at the other bench")
            equal(status["capture"]["signal"], "ok", "signal there")
