# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's machine protocol (QMP): commands, and waiting for events."""

import json
import os
import socket


class QmpError(RuntimeError):
    pass


class Qmp:
    """QEMU connects to us, so there is nothing to wait for but its connection."""

    def __init__(self, path):
        self.path = path
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1)
        self.events = []
        self.link = self.lines = None

    def argument(self):
        return f"unix:{self.path},server=off"

    def accept(self, machine):
        self.link = machine.accept(self.listener)
        self.listener.close()
        os.unlink(self.path)
        self.link.settimeout(60)
        self.lines = self.link.makefile("r", encoding="utf-8")
        self._read()
        self.command("qmp_capabilities")

    def _read(self):
        line = self.lines.readline()
        if not line:
            raise QmpError("QEMU closed its control connection")
        return json.loads(line)

    def command(self, name, **arguments):
        self.link.sendall(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")
        return self._answer(name)

    def command_with_fd(self, name, fd):
        """A command that hands QEMU a descriptor of ours."""
        socket.send_fds(self.link, [json.dumps({"execute": name}).encode() + b"\n"], [fd])
        return self._answer(name)

    def _answer(self, name):
        while True:
            answer = self._read()
            if "event" in answer:
                self.events.append(answer)
            elif "error" in answer:
                raise QmpError(f"{name}: {answer['error']['desc']}")
            else:
                return answer["return"]

    def monitor(self, line):
        """A command of the human monitor; its text."""
        return self.command("human-monitor-command", **{"command-line": line})

    def await_event(self, name, match=lambda data: True):
        """The first event of that name, also one that came earlier and was not awaited yet."""
        while True:
            for event in self.events:
                if event["event"] == name and match(event.get("data", {})):
                    self.events.remove(event)
                    return event
            self.events.append(self._read())

    def close(self):
        if self.link:
            self.lines.close()
            self.link.close()
        else:
            self.listener.close()
