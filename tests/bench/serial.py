# SPDX-License-Identifier: GPL-2.0-or-later
"""A port of a virtual machine that carries text: everything it ever said, and waiting for
words. QEMU connects to us, so nothing is lost at the start.
"""

import os
import re
import socket
import threading
import time


class Serial:
    """A serial port of a machine: everything it ever said, and waiting for a line."""

    def __init__(self, path, log):
        self.path = path
        self.log = log
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1)
        self.said = ""
        self.link = None
        self.changed = threading.Condition()

    def accept(self, machine):
        self.link = machine.accept(self.listener)
        self.listener.close()
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self):
        with open(self.log, "ab") as log:
            while True:
                try:
                    data = self.link.recv(65536)
                except OSError:
                    data = b""
                log.write(data)
                log.flush()
                with self.changed:
                    self.said = self.said + data.decode(errors="replace") if data else self.said + "\n[end]\n"
                    self.changed.notify_all()
                if not data:
                    return

    def wait(self, pattern, timeout, start=0):
        """The first match of pattern in what was said from start on."""
        regex = re.compile(pattern)
        deadline = time.monotonic() + timeout
        with self.changed:
            while True:
                match = regex.search(self.said, start)
                if match:
                    return match
                left = deadline - time.monotonic()
                if left <= 0 or self.said.endswith("\n[end]\n"):
                    raise RuntimeError(f"{os.path.basename(self.log)} never had {pattern!r}; its end: {self.said[-600:]}")
                self.changed.wait(left)

    def close(self):
        (self.link or self.listener).close()
