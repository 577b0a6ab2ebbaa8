# SPDX-License-Identifier: GPL-2.0-or-later
"""What end-to-end tests do with a bench: claim the Device as its owner would, watch
its status, connect Clients, and compare pictures. The bench itself is tests/bench.
"""

import contextlib
import hashlib
import http.client
import json
import os
import re
import secrets
import ssl
import subprocess
import sys
import threading

from case import Deadline, Failure

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "bench"))
PROBE = os.path.join(TOP, "build", "e2e", "probe")
USER = "owner"


class Owner:
    """The person who claims a Device and then talks to its API."""

    def __init__(self, bench):
        self.bench = bench
        self.password = secrets.token_urlsafe(16)
        self.ca = os.path.join(bench.run_dir, "device.pem")
        self.cookie = None
        self._trust()
        self.call("POST", "/api/v1/claim",
                  {"code": bench.claim_code, "user": USER, "password": self.password})
        self.login()

    def _trust(self):
        """Pins the certificate whose fingerprint the console shows."""
        pem = ssl.get_server_certificate(("127.0.0.1", self.bench.ports.https))
        der = ssl.PEM_cert_to_DER_cert(pem)
        digest = hashlib.sha256(der).hexdigest().upper()
        shown = self.bench.fingerprint.replace(":", "")
        if digest != shown:
            raise Failure(f"the Device shows certificate {digest}, its console says {shown}")
        with open(self.ca, "w", encoding="ascii") as out:
            out.write(pem)
        names = subprocess.run(["openssl", "x509", "-in", self.ca, "-noout", "-ext", "subjectAltName"],
                               check=True, capture_output=True, text=True).stdout
        self.name = re.search(r"DNS:([^,\s]+)", names)[1]
        self.tls = ssl.create_default_context(cafile=self.ca)
        self.tls.check_hostname = False

    def request(self, method, path, body=None, headers=None, timeout=60):
        """One HTTPS exchange: (status, headers, body bytes)."""
        port = self.bench.ports.https
        link = http.client.HTTPSConnection("127.0.0.1", port, context=self.tls, timeout=timeout)
        head = {"Origin": f"https://127.0.0.1:{port}"}
        if self.cookie:
            head["Cookie"] = self.cookie
        data = None
        if body is not None:
            data = json.dumps(body)
            head["Content-Type"] = "application/json"
        head.update(headers or {})
        try:
            link.request(method, path, data, head)
            answer = link.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            link.close()

    def call(self, method, path, body=None, timeout=60):
        """An exchange that must succeed; its JSON."""
        status, headers, data = self.request(method, path, body, timeout=timeout)
        if status >= 300:
            raise Failure(f"{method} {path}: {status} {data[:200]!r}")
        for cookie in headers.get_all("Set-Cookie") or []:
            self.cookie = cookie.split(";")[0]
        return json.loads(data) if data else None

    def login(self):
        self.call("POST", "/api/v1/login", {"user": USER, "password": self.password})

    def status(self):
        return self.call("GET", "/api/v1/status")

    def await_current(self, hw_seq, tries=6):
        """Returns the status once every session shows Frame hw_seq or a newer one (each call waits 10 s)."""
        for _ in range(tries):
            code, _, data = self.request("GET", f"/api/v1/status?hw_seq={hw_seq}")
            if code == 200:
                return json.loads(data)
            if code != 504:
                raise Failure(f"status: {code} {data[:200]!r}")
        raise Failure(f"no session reached Frame {hw_seq}: {self.status()}")

    def await_status(self, condition, what, seconds=60):
        """Looks at the status until the condition holds; without a Frame, for there may be none."""
        limit = Deadline(seconds, what)
        while not condition(status := self.status()):
            try:
                limit.left()
            except Failure as failure:
                raise Failure(f"{failure}; it is {status}") from failure
        return status

    def await_signal(self, signal):
        return self.await_status(lambda status: status["capture"]["signal"] == signal, f"signal {signal}")

    def await_usb(self, configured):
        return self.await_status(lambda status: status["target"]["usb_configured"] == configured,
                                 f"USB configured: {configured}")

    def await_sessions(self, count):
        return self.await_status(lambda status: len(status["sessions"]) == count,
                                 f"{count} sessions")


class Probe:
    """A stock Client (libvncclient), driven over pipes: one line asks, one line answers."""

    def __init__(self, owner, encoding="zrle", password=None, user=USER, receive_bytes=0):
        read, write = os.pipe()
        os.write(write, (password or owner.password).encode() + b"\n")
        os.close(write)
        argv = [PROBE, "127.0.0.1", str(owner.bench.ports.video), owner.name, user, str(read), owner.ca,
                encoding, str(receive_bytes)]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, pass_fds=(read,))
        os.close(read)
        self.errors = []
        self.drain = threading.Thread(target=self._stderr, daemon=True)
        self.drain.start()
        self.dump = os.path.join(owner.bench.run_dir, f"probe-{self.process.pid}.raw")
        self.hello = self._line()

    def _stderr(self):
        for line in self.process.stderr:
            self.errors.append(line.rstrip())

    def _line(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.drain.join()
            raise Failure("the Client ended: " + " | ".join(self.errors[-4:]))
        line = line.rstrip("\n")
        if line.startswith("error"):
            self.process.wait()
            self.drain.join()
            raise Failure(f"the Client says: {line}: " + " | ".join(self.errors[-4:]))
        return line

    def _write(self, line):
        with contextlib.suppress(BrokenPipeError):  # it has ended, and its last words say why
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()

    def ask(self, line):
        self._write(line)
        return self._line()

    def picture(self):
        """(width, height, RGB bytes) of the Client's framebuffer."""
        answer = self.ask(f"dump {self.dump}")
        width, height = map(int, answer.split()[-1].split("x"))
        with open(self.dump, "rb") as raw:
            data = raw.read()
        os.unlink(self.dump)
        return width, height, rgb_of_bgrx(data)

    def close(self):
        try:
            if self.process.poll() is None:
                self._write("quit")
                self.process.wait(20)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.drain.join()
            with contextlib.suppress(BrokenPipeError):  # what it did not take any more
                self.process.stdin.close()
            self.process.stdout.close()
            self.process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, failed, *_):
        if failed:  # it may be waiting still, and hears nothing then
            self.process.kill()
            self.process.wait()
        self.close()


def rgb_of_bgrx(data):
    out = bytearray(len(data) // 4 * 3)
    out[0::3], out[1::3], out[2::3] = data[2::4], data[1::4], data[0::4]
    return bytes(out)


def rgb_of_rgba(data):
    out = bytearray(len(data) // 4 * 3)
    out[0::3], out[1::3], out[2::3] = data[0::4], data[1::4], data[2::4]
    return bytes(out)


def same_picture(name, got, want):
    """Compares two (width, height, RGB); says where the first difference is."""
    if got[:2] != want[:2]:
        raise Failure(f"{name}: size {got[0]}x{got[1]}, the Target's is {want[0]}x{want[1]}")
    if got[2] == want[2]:
        return
    width = got[0]
    wrong = [i // 3 for i in range(0, len(want[2]), 3) if got[2][i:i + 3] != want[2][i:i + 3]]
    x, y = wrong[0] % width, wrong[0] // width
    raise Failure(f"{name}: {len(wrong)} pixels differ, the first at {x},{y}")


def frozen(bench, owner):
    """Pauses the Target, awaits a Frame captured after that at every Client, and
    returns the Target's own picture; the caller continues the Target."""
    bench.target.stop()
    hw_seq = bench.engine.control({"do": "grab"})["seq"]
    owner.await_current(hw_seq)
    return bench.target.screendump()
