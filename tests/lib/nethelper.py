# SPDX-License-Identifier: GPL-2.0-or-later
"""A network of a daemon's own whose addresses it may change: a namespace with eth0, and kvmnet-helper's network part at
its usual socket. In networkd's place a test sets what its files say.
"""

import contextlib
import glob
import os
import re

from case import BUILD, Process, equal, scratch
from netns import Net

# A /run of its own, with the helper's folder.
OWN_RUN = ["unshare", "-m", "sh", "-c",
           'mount -t tmpfs own /run && mkdir /run/kvmnet && mount --bind "$0" /run/kvmnet && exec "$@"']
ADDRESS = "192.0.2.5/24"


class Network:
    """`with` it; eth0 has ADDRESS, as an administrator would have set it."""

    def __init__(self):
        self.stack = contextlib.ExitStack()
        self.helper = None

    def __enter__(self):
        with contextlib.ExitStack() as made:
            net = made.enter_context(Net())
            self.folder = made.enter_context(scratch("nethelper"))
            for name in ("socket", "state", "run"):
                os.mkdir(os.path.join(self.folder, name), 0o700)
            self.space = net.space()
            net.plug(self.space, net.switch(), "eth0", ADDRESS)
            self.within = [*self.space.enter, *OWN_RUN, os.path.join(self.folder, "socket")]
            made.callback(self.kill)
            self.start()
            self.stack = made.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def start(self):
        self.helper = Process([*self.within, os.path.join(BUILD, "tests", "nethelper"), self.folder])
        self.helper.await_line("ready")

    def kill(self):
        if self.helper:
            self.helper.process.kill()
            self.helper.stop()
            self.helper = None

    def files(self):
        """What networkd would read, by name."""
        found = {}
        for path in glob.glob(os.path.join(self.folder, "run", "*.network")):
            with open(path, encoding="ascii") as text:
                found[os.path.basename(path)] = text.read()
        return found

    def reload(self):
        """Waits until the helper tells networkd, and sets the static addresses and gateways of its one file, or ADDRESS."""
        equal(self.helper.line(), "reload", "the helper says")
        text = "".join(self.files().values())
        self.space.ip("addr flush dev eth0")
        for address in re.findall("^Address=(.*)", text, re.M) or [ADDRESS]:
            self.space.ip(f"addr add {address} dev eth0")
        for gateway in re.findall("^Gateway=(.*)", text, re.M):
            self.space.ip(f"route add default via {gateway}")
        return text
