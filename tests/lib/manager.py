# SPDX-License-Identifier: GPL-2.0-or-later
"""kvmnet-manager on this machine itself, under sanitizers, with a state folder of its own, in a namespace of a test's."""

import contextlib
import http.client
import json
import os
import select
import socket
import ssl
import subprocess
import sys

from case import BUILD, Deadline, Failure, check, equal, free_ports, scratch
from daemon import SANITIZER

ADMIN, ADMIN_PASSWORD = "admin", "staple battery horse"
TOP = os.path.dirname(BUILD)


class Manager:
    """`with` it. space: the namespace that it runs in, address: its own there, user: a command that becomes who it
    runs as, settings: further lines of its file,
    https: its port."""

    database = None  # where those keep what they know that say nothing of it: lines of their files

    def __init__(self, space, address, name="Head office", program="asan/kvmnet-manager",
                 user=(), settings="", https=None):
        self.stack = contextlib.ExitStack()
        self.space, self.address, self.user = space, address, user
        self.program = os.path.join(BUILD, program)
        self.dir = self.stack.enter_context(scratch("manager"))
        self.state = os.path.join(self.dir, "state")
        os.mkdir(self.state, 0o700)
        self.https = https or free_ports(1)
        self.config = os.path.join(self.dir, "kvmnet-manager.conf")
        with open(self.config, "w", encoding="ascii") as out:
            out.write(f"[manager]\nstate_dir = {self.state}\nweb_dir = {TOP}/build/web-manager\nlog_level = debug\n"
                      f"name = {name}\nlog_dir = {self.dir}\n[ssh]\nsocket = {self.dir}/shell\n[https]\naddress = ::\nport = {self.https}\n"
                      f"{settings or (Manager.database() if Manager.database else '')}")
        self.process = None

    def start(self):
        ready = os.path.join(self.dir, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(ready)
            os.chmod(ready, 0o666)  # whoever it runs as
            self.process = subprocess.Popen(
                [*self.space.enter, *self.user, self.program, "--config", self.config],
                stdout=subprocess.PIPE, stderr=sys.stderr.fileno(),
                env=dict(os.environ, NOTIFY_SOCKET=ready, ASAN_OPTIONS=SANITIZER))
            limit = Deadline(20, "kvmnet-manager's READY")
            while not select.select([notify], [], [], 0.1)[0]:
                limit.left()
                if self.process.poll() is not None:
                    raise Failure(f"kvmnet-manager ended with status {self.process.returncode}")
            os.unlink(ready)
        return self

    def stop(self):
        """Its exit status after SIGTERM."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()
            self.process.stdout.close()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def claimed(self):
        """Its administrator, who has just claimed it."""
        for line in self.process.stdout:
            if line.startswith(b"Claim code:"):
                code = line.split()[2].decode()
                break
        admin = Person(self)
        status, answer = admin.ask("POST", "claim", {"code": code, "user": ADMIN, "password": ADMIN_PASSWORD})
        equal(status, 200, str(answer))
        return admin

    def administrator(self):
        """Its administrator once more, who logs in."""
        admin = Person(self)
        equal(admin.ask("POST", "login", {"user": ADMIN, "password": ADMIN_PASSWORD})[0], 200)
        return admin

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        with self.stack:
            if self.process:
                equal(self.stop(), 0, "the Manager's end")


class Person:
    """One who talks to an API in a namespace: a cookie, and a connection for each request."""

    def __init__(self, place):
        self.place = place
        self.cookie = None

    def connect(self):
        place = self.place
        plain = place.space.open(socket.AF_INET, socket.SOCK_STREAM)
        plain.settimeout(90)
        plain.connect((place.address, place.https))
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
        return tls.wrap_socket(plain)

    def begin(self, method, path, size=0, origin=True):
        """A connection with the headers of a request on it, whose body of that size is still to come."""
        place = self.place
        link = http.client.HTTPConnection(place.address, place.https)
        link.sock = self.connect()
        link.putrequest(method, f"/api/v1/{path}", skip_accept_encoding=True)
        if origin:
            link.putheader("Origin", f"https://{place.address}:{place.https}")
        if self.cookie:
            link.putheader("Cookie", self.cookie)
        if size:
            link.putheader("Content-Type", "application/json")
        if size or method in ("POST", "PUT"):
            link.putheader("Content-Length", str(size))
        link.endheaders()
        return link

    def end(self, link):
        """(status, JSON or None) of the answer."""
        answer = link.getresponse()
        data = answer.read()
        link.close()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            self.cookie = cookie.split(";")[0]
        return answer.status, json.loads(data) if data else None

    def ask(self, method, path, body=None, origin=True):
        """(status, JSON or None)."""
        data = b"" if body is None else json.dumps(body).encode()
        link = self.begin(method, path, len(data), origin)
        link.send(data)
        return self.end(link)

    def console(self):
        """A session at a Device, by WebSocket, as far as RFB's ServerInit."""
        place, link = self.place, self.connect()
        host = f"{place.address}:{place.https}"
        link.sendall((f"GET /api/v1/console HTTP/1.1\r\nHost: {host}\r\nOrigin: https://{host}\r\nCookie: {self.cookie}\r\n"
                      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                      "Sec-WebSocket-Protocol: binary\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n").encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += link.recv(1)
        check(b" 101 " in head, head)
        return link

    def await_device(self, fits, what):
        """The first Device in the list that fits."""
        limit = Deadline(60, what)
        while not (found := [device for device in self.ask("GET", "devices")[1]["devices"] if fits(device)]):
            try:
                limit.left()
            except Failure as failure:
                raise Failure(f"{failure}; {self.ask('GET', 'devices')[1]}") from failure
        return found[0]
