# SPDX-License-Identifier: GPL-2.0-or-later
"""kvmnetd on this machine itself, under sanitizers: a state folder of its own, the user-space ring as its
capture hardware, sockets as its USB keyboard and pointer.
"""

import contextlib
import os
import select
import socket
import ssl
import subprocess
import sys

from case import BUILD, Deadline, Failure, Process, free_ports, scratch

# Its leak check needs system calls that the daemon has given up by its end.
SANITIZER = "detect_leaks=0:abort_on_error=1:handle_abort=1"
USER, PASSWORD = "owner", "correct horse battery"
TOP = os.path.dirname(BUILD)


class Usb:
    """One HID function: takes reports, gives LEDs."""

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(path)
        self.listener.listen(1)
        self.listener.settimeout(20)
        self.link = None

    def accept(self):
        self.link, _ = self.listener.accept()
        self.link.settimeout(20)
        if any(self.report()):
            raise Failure("the first report is not all up")

    def report(self):
        return self.link.recv(64)

    def set_leds(self, leds):
        self.link.send(bytes([leds]))

    def close(self):
        if self.link:
            self.link.close()
        self.listener.close()


class Daemon:
    """Claimed unless claim=False, found by nobody unless discovery= has other settings; `with` it. It runs
    in a namespace when within= is a command that enters one, and is met there when space= is that one."""

    def __init__(self, claim=True, settings="", https_address="::1", discovery="enabled = no", within=(),
                 program="asan/kvmnetd", space=None):
        self.space = space
        self.stack = contextlib.ExitStack()
        self.command = [*within, os.environ.get("KVMNETD", os.path.join(BUILD, program))]
        self.dir = self.stack.enter_context(scratch("kvmnetd"))
        self.state = os.path.join(self.dir, "state")
        os.mkdir(self.state, 0o700)
        self.ring = os.path.join(self.dir, "ring")
        self.port, self.https = free_ports(3), free_ports(1)
        self.keyboard = Usb(os.path.join(self.dir, "keyboard"))
        self.pointer = Usb(os.path.join(self.dir, "pointer"))
        if claim:
            subprocess.run([os.path.join(BUILD, "tests", "claim"), self.state, USER],
                           input=PASSWORD.encode(), check=True)
        self.config = os.path.join(self.dir, "kvmnetd.conf")
        with open(self.config, "w", encoding="ascii") as out:
            out.write(f"[device]\nstate_dir = {self.state}\nlog_level = debug\n"
                      f"web_dir = {TOP}/build/web\n"
                      f"[capture]\nsource = unix:{self.ring}\n"
                      f"[hid]\nkeyboard = unix:{self.dir}/keyboard\npointer = unix:{self.dir}/pointer\n"
                      f"udc = none\n"
                      f"[https]\naddress = {https_address}\nport = {self.https}\n"
                      f"[discovery]\n{discovery}\n"
                      f"[session]\naddress = ::\nfirst_port = {self.port}\n{settings}")
        self.process = None

    def start(self):
        ready = os.path.join(self.dir, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(ready)
            self.process = subprocess.Popen([*self.command, "--config", self.config],
                                            stdout=subprocess.PIPE, stderr=sys.stderr.fileno(),
                                            env=dict(os.environ, NOTIFY_SOCKET=ready, ASAN_OPTIONS=SANITIZER))
            limit = Deadline(20, "kvmnetd's READY")
            while not select.select([notify], [], [], 0.1)[0]:
                limit.left()
                if self.process.poll() is not None:
                    raise Failure(f"kvmnetd ended with status {self.process.returncode}")
            os.unlink(ready)
        self.keyboard.accept()
        self.pointer.accept()
        return self

    def connect(self, port):
        """A connection to one of its ports."""
        if not self.space:
            return socket.create_connection(("::1", port), timeout=20)
        link = self.space.open(socket.AF_INET6, socket.SOCK_STREAM)
        link.connect(("::1", port))
        return link

    def trust(self):
        """A TLS context that believes this Device's own certificate and nothing else."""
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.load_verify_locations(os.path.join(self.state, "device.crt"))
        tls.check_hostname = False
        return tls

    def producer(self, seed=1):
        producer = Process([os.path.join(BUILD, "tests", "producer"), self.ring, str(seed)])
        self.stack.callback(producer.stop)
        if not producer.line().startswith("ok"):
            raise Failure("the producer could not connect")
        return producer

    def restart(self):
        """Once more, on the same state, after it has ended."""
        for usb in self.keyboard, self.pointer:
            usb.link.close()
        return self.start()

    def stop(self):
        """Its exit status after SIGTERM."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()
            self.process.stdout.close()

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            finally:
                self.process.kill()
        self.keyboard.close()
        self.pointer.close()
        self.stack.close()
