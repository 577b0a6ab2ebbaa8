# SPDX-License-Identifier: GPL-2.0-or-later
"""A network on this machine with a Manager and simulated Devices: kvmnetd on frames that a program draws, each in a
network namespace of its own. The appliance of the bench can be plugged in as one more.
"""

import contextlib
import os
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from daemon import Daemon  # noqa: E402
from manager import Manager  # noqa: E402
from netns import Space  # noqa: E402

NETWORK = "10.113.0"
APPLIANCE = f"{NETWORK}.10"
MANAGER = f"{NETWORK}.1"
BRIDGE = "kvmnetdemo"
TAP = f"{BRIDGE}-vm"
SCENES = ("typing", "scroll")
SECONDS = 1.0  # between two pictures
WITH_US = ["setpriv", "--pdeathsig", "KILL"]  # none outlives a launcher that is killed


class Here:
    """This machine's own network, where a namespace is expected."""

    enter = WITH_US


def ip(words):
    done = subprocess.run(["ip", *words.split()], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ip {words}: {done.stderr.strip()}")


def code_of(process):
    """The claim code, which is the first thing that a new one says."""
    for line in process.stdout:
        if line.startswith(b"Claim code:"):
            return line.split()[2].decode()
    raise RuntimeError("it ended without a claim code")


class Office:
    """`with` it; needs root. names: of simulated Devices; log: a file for what all of them say."""

    def __init__(self, names, log):
        self.names = names
        self.log = log
        self.stack = contextlib.ExitStack()
        self.ended = threading.Event()
        self.codes = {}

    def __enter__(self):
        if os.geteuid():
            raise RuntimeError("it lays a network of its own: run it as root (sudo make demo-manager)")
        with contextlib.ExitStack() as made, contextlib.redirect_stderr(self.log):
            self._lay(made)
            self.manager = made.enter_context(Manager(Here, MANAGER, program="kvmnet-manager"))
            self.url = f"https://{MANAGER}:{self.manager.https}/"
            self.code = code_of(self.manager.process)
            producers = [self._device(made, number, name) for number, name in enumerate(self.names, 11)]
            painter = threading.Thread(target=self._paint, args=(producers,))
            painter.start()
            made.callback(painter.join)
            made.callback(self.ended.set)
            self.stack = made.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    @staticmethod
    def _lay(made):
        """One at a time in each network; what one that was killed left there goes."""
        name = made.enter_context(socket.socket(socket.AF_UNIX))  # abstract ones belong to a network, and go with us
        try:
            name.bind(f"\0{BRIDGE}")
        except OSError:
            raise RuntimeError("another demonstration with a Manager is running: end that one first") from None
        for left in TAP, BRIDGE:
            if left in (name for _, name in socket.if_nameindex()):
                ip(f"link del {left}")
        ip(f"link add name {BRIDGE} type bridge forward_delay 0")
        made.callback(ip, f"link del {BRIDGE}")
        ip(f"addr add {MANAGER}/24 brd + dev {BRIDGE}")
        ip(f"link set {BRIDGE} up")
        ip(f"tuntap add dev {TAP} mode tap")
        made.callback(ip, f"tuntap del dev {TAP} mode tap")
        ip(f"link set {TAP} master {BRIDGE} up")

    def _device(self, made, number, name):
        space = Space(["unshare", "-n"], [])
        made.callback(space.close)
        ip(f"link add name {BRIDGE}{number} type veth peer name eth0 netns {space.holder.pid}")
        ip(f"link set {BRIDGE}{number} master {BRIDGE} up")
        space.ip(f"addr add {NETWORK}.{number}/24 brd + dev eth0")
        space.ip("link set eth0 up")
        device = made.enter_context(Daemon(claim=False, discovery=f"enabled = yes\nname = {name}", https_address="::",
                                           within=[*space.enter, *WITH_US], program="kvmnetd"))
        self.codes[name] = code_of(device.process)
        producer = device.producer(number)
        producer.ask("mode 1024 768")
        producer.ask("frame still")
        return producer

    def _paint(self, producers):
        """Something moves on the simulated Targets."""
        turn = 0
        while not self.ended.wait(SECONDS):
            for producer in producers:
                producer.ask(f"frame {SCENES[turn % len(SCENES)]}")
            turn += 1
