# SPDX-License-Identifier: GPL-2.0-or-later
"""What one caller can cost others on a native kvmnetd: places, sessions, processor time, keys
left down, and what a stolen password is worth once it is changed.
"""

import http.client
import os
import socket
import ssl
import time

import rfb
from case import check, equal
from daemon import PASSWORD, USER, Daemon
from test_web import Web, message

SESSIONS = 32       # BUS_SESSIONS
FROM_ONE_SOURCE = 128  # web_guests.c


class Late(rfb.Client):
    """Is let in, and sends ClientInit only when it begins."""

    def send(self, form, *values):
        if (form, values) != ("B", (1,)):
            super().send(form, *values)

    def server_init(self):
        pass

    def set_encodings(self, encodings):
        pass

    def begin(self):
        rfb.Client.send(self, "B", 1)
        rfb.Client.server_init(self)


def test_sessions_are_bounded():
    """Also when many are let in before the first of them begins; and each can be seen and ended."""
    with Daemon() as daemon:
        web = Web(daemon)
        equal(web.login()[0], 200)
        clients = [rfb.Client(daemon, USER, PASSWORD) for _ in range(SESSIONS - 12)]
        late = [Late(daemon, USER, PASSWORD) for _ in range(14)]
        refused = 0
        for client in late:
            try:
                client.begin()
            except (rfb.Refused, ConnectionError, ssl.SSLError):
                refused += 1
        equal(refused, 2, "sessions beyond the limit")
        _, status = web.ask("GET", "/api/v1/status")
        equal(len(status["sessions"]), SESSIONS, "sessions listed")
        for client in clients + late:
            client.close()


def test_one_source_cannot_take_every_place():
    with Daemon(https_address="::") as daemon:
        crowd = [socket.create_connection(("::1", daemon.https), 20) for _ in range(FROM_ONE_SOURCE)]
        with socket.create_connection(("::1", daemon.https), 20) as one_more:
            equal(one_more.recv(1), b"", "one more from there")
        crowd[0].setblocking(False)
        try:
            equal(crowd[0].recv(1), None, "the first, that says nothing yet")
        except BlockingIOError:
            pass
        link = http.client.HTTPSConnection("127.0.0.1", daemon.https, context=daemon.trust(), timeout=20)
        link.request("GET", "/api/v1/state")
        equal(link.getresponse().status, 200, "another source")
        link.close()
        for one in crowd:
            one.close()
        # They are let go as their ends are seen; then there is room again.
        web, answer = Web(daemon), None
        while not answer:
            try:
                answer = web.ask("GET", "/api/v1/state")
            except (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected):
                pass
        equal(answer[0], 200)


def test_changed_password_ends_sessions():
    with Daemon() as daemon, rfb.Client(daemon, USER, PASSWORD) as thief, \
            Late(daemon, USER, PASSWORD) as lurker:
        web = Web(daemon)
        equal(web.login()[0], 200)
        status, console = web.upgrade("/api/v1/console", "binary")
        equal(status, 101)
        equal(message(console)[1], b"RFB 003.008\n")
        body = {"old_password": PASSWORD, "new_password": "another password"}
        equal(web.ask("POST", "/api/v1/password", body)[0], 200)
        try:
            while True:
                thief.read(1)
        except rfb.Refused:
            pass
        try:
            lurker.begin()
            check(False, "a session by the old password")
        except (rfb.Refused, ConnectionError, ssl.SSLError):
            pass
        # Whoever changed it goes on.
        console.sendall(b"\x8c\x84\0\0\0\0RFB ")
        equal(web.ask("GET", "/api/v1/status")[0], 200)
        console.close()


def processor_time(pid):
    """Of all its threads, in clock ticks."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def test_waiting_costs_nothing():
    """A caller that waits for a Frame and meanwhile says it is done: nobody looks at it again and again."""
    with Daemon() as daemon, daemon.producer() as producer:
        web = Web(daemon)
        equal(web.login()[0], 200)
        producer.ask("mode 320 240")
        seq = int(producer.ask("frame full").split()[1])
        before = processor_time(daemon.process.pid)
        with web.connect() as link:
            head = "".join(f"{name}: {value}\r\n" for name, value in web.headers().items())
            link.sendall(f"GET /api/v1/status?hw_seq={seq + 1000} HTTP/1.1\r\n{head}\r\n".encode())
            link.sendall(b"G")
            socket.socket.shutdown(link, socket.SHUT_WR)
            check(link.recv(65536).startswith(b"HTTP/1.1 504"), "no answer")
        spent = processor_time(daemon.process.pid) - before
        check(spent < os.sysconf("SC_CLK_TCK"), f"{spent} ticks of processor time in 10 s of waiting")


def test_every_change_reaches_who_watches():
    """However many there were while the page was busy."""
    with Daemon() as daemon:
        web = Web(daemon)
        equal(web.login()[0], 200)
        status, link = web.upgrade("/api/v1/events", "events")
        equal(status, 101)
        message(link)
        for number in range(2000):
            daemon.keyboard.set_leds(number & 1)
        daemon.keyboard.set_leds(2)
        while b'"caps":true' not in message(link)[1].replace(b" ", b""):
            pass
        link.close()


def keepalive(port, peer):
    """Seconds until the kernel looks whether the other end of a quiet connection is still there."""
    with open("/proc/net/tcp6", encoding="ascii") as table:
        for row in table.readlines()[1:]:
            fields = row.split()
            if fields[1].endswith(f":{port:04X}") and fields[2].endswith(f":{peer:04X}"):
                active, when = fields[5].split(":")
                return int(when, 16) / os.sysconf("SC_CLK_TCK") if active == "02" else None
    return None


def test_vanished_client_is_noticed():
    """A Client whose network is gone cannot say so; it may have a key down."""
    with Daemon() as daemon, rfb.Client(daemon, USER, PASSWORD) as client:
        port = client.socket.getsockname()[1]
        while (wait := keepalive(daemon.port, port)) is None:
            time.sleep(0)  # what was sent last is being acknowledged
        check(wait <= 10, f"{wait} s")
