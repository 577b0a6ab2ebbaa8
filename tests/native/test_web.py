# SPDX-License-Identifier: GPL-2.0-or-later
"""Port 443 of a native kvmnetd: claim, log-in, limits, what the API refuses, malformed
HTTP and WebSocket, TLS versions. The pages in a browser are test_webconsole.py's.
"""

import base64
import hashlib
import http.client
import json
import os
import re
import socket
import ssl
import struct
import time

from case import Failure, check, equal, seeded
from daemon import PASSWORD, USER, Daemon

LOGGED_IN = {"user": USER, "rights": ["view", "control", "media", "power", "exclusive"]}
SECURITY = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}


class Ended(Failure):
    """The Device has closed the connection."""


class Web:
    """One caller: its cookie, and a connection for each request."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.tls = daemon.trust()
        self.cookie = None
        self.origin = f"https://[::1]:{daemon.https}"

    def connect(self):
        return self.tls.wrap_socket(self.daemon.connect(self.daemon.https), server_hostname="kvmnet")

    def headers(self, **more):
        head = {"Host": self.origin[8:], "Origin": self.origin}
        if self.cookie:
            head["Cookie"] = self.cookie
        head.update({name.replace("_", "-"): value for name, value in more.items()})
        return {name: value for name, value in head.items() if value is not None}

    def ask(self, method, path, body=None, **headers):
        """(status, JSON or None); what every answer must have is checked."""
        link = http.client.HTTPConnection("::1", self.daemon.https)
        link.sock = self.connect()
        head = self.headers(**headers)
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if body is not None:
            head.setdefault("Content-Type", "application/json")
        link.request(method, path, body, head)
        answer = link.getresponse()
        data = answer.read()
        link.close()
        for name, value in SECURITY.items():
            equal(answer.headers[name], value, f"{method} {path}: {name}")
        check("script-src 'self'" in answer.headers["content-security-policy"], "no policy")
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            self.check_cookie(cookie)
        if answer.headers["Content-Type"] == "application/json":
            return answer.status, json.loads(data)
        return answer.status, data

    def check_cookie(self, cookie):
        value, *attributes = cookie.split("; ")
        check(value.startswith("__Host-"), cookie)
        for attribute in ("Path=/", "Secure", "HttpOnly", "SameSite=Strict"):
            check(attribute in attributes, f"{cookie}: no {attribute}")
        self.cookie = None if "Max-Age=0" in attributes else value

    def login(self, password=PASSWORD, user=USER):
        return self.ask("POST", "/api/v1/login", {"user": user, "password": password})

    def raw(self, data, more=True):
        """The head of what comes back for these bytes, b"" when the Device just closes; more=False says that
        there are no more to come."""
        got = b""
        with self.connect() as link:
            try:
                link.sendall(data)
                if not more:
                    end_of_input(link)
                while b"\r\n\r\n" not in got and (part := link.recv(65536)):
                    got += part
            except (ssl.SSLError, ConnectionError):
                pass
        return got

    def upgrade(self, path, protocol, **headers):
        """(status, the open connection or None)."""
        key = base64.b64encode(os.urandom(16)).decode()
        head = self.headers(Connection="Upgrade", Upgrade="websocket", Sec_WebSocket_Version="13",
                            Sec_WebSocket_Key=key, Sec_WebSocket_Protocol=protocol, **headers)
        link = self.connect()
        link.sendall(f"GET {path} HTTP/1.1\r\n".encode()
                     + "".join(f"{name}: {value}\r\n" for name, value in head.items()).encode() + b"\r\n")
        got = b""
        while b"\r\n\r\n" not in got:
            more = link.recv(1)
            if not more:
                break
            got += more
        status = int(got.split()[1]) if got else 0
        if status != 101:
            link.close()
            return status, None
        want = base64.b64encode(hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        check(want in got, "wrong Sec-WebSocket-Accept")
        return status, link


def frame(data, opcode=2):
    """A masked WebSocket frame (RFC 6455 5.2), as a browser sends it."""
    mask = os.urandom(4)
    size = bytes([0x80 | len(data)]) if len(data) < 126 else struct.pack(">BH", 0xfe, len(data))
    return bytes([0x80 | opcode]) + size + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data))


def exactly(link, size):
    data = b""
    while len(data) < size:
        more = link.recv(size - len(data))
        if not more:
            raise Ended("the connection ended")
        data += more
    return data


def message(link):
    """(opcode, payload) of the next frame."""
    first, size = exactly(link, 2)
    if size == 126:
        size = struct.unpack(">H", exactly(link, 2))[0]
    elif size == 127:
        size = struct.unpack(">Q", exactly(link, 8))[0]
    return first & 15, exactly(link, size)


def until_end(link):
    data = b""
    try:
        while more := link.recv(65536):
            data += more
    except (ssl.SSLError, ConnectionError):
        pass
    return data


def end_of_input(link):
    """Ends our direction alone (an SSLSocket's own shutdown() would end TLS for both)."""
    socket.socket.shutdown(link, socket.SHUT_WR)


def refused(link):
    """The code that the Device closes a console with, None when it just ends; it hears no byte of RFB."""
    said = b""
    try:
        while True:
            opcode, data = message(link)
            if opcode == 8:
                return struct.unpack(">H", data[:2])[0]
            said += data
            check(b"RFB 003.008\n".startswith(said), f"answered by {said!r}")
    except (Ended, ssl.SSLError, ConnectionError):
        return None


def handshake(link):
    """RFB (RFC 6143 7.1-7.3) as far as ServerInit; the screen's size."""
    equal(message(link), (2, b"RFB 003.008\n"))
    # A byte a frame: RFB is a stream, frames mean nothing.
    for byte in b"RFB 003.008\n":
        link.sendall(frame(bytes([byte])))
    equal(message(link)[1][:2], b"\1\1", "security types: None alone")
    link.sendall(frame(b"\1"))
    equal(message(link)[1], b"\0\0\0\0", "the security result")
    link.sendall(frame(b"\1"))
    return struct.unpack(">HH", message(link)[1][:4])


def claim_code(daemon):
    for line in daemon.process.stdout:
        if line.startswith(b"Claim code:"):
            return line.split()[2].decode()
    raise AssertionError("no claim code on the console")


def test_claim():
    with Daemon(claim=False) as daemon:
        web, code = Web(daemon), claim_code(daemon)
        equal(web.ask("GET", "/api/v1/state"), (200, {"claimed": False, "managed": False, "product": "kvmnet", "version": "0.1"}))
        for method, path in (("GET", "status"), ("POST", "login"), ("POST", "logout"), ("DELETE", "sessions/1")):
            status, answer = web.ask(method, f"/api/v1/{path}", b"{}" if method == "POST" else None)
            equal(status, 409, f"{path} before the claim")
            check("no owner" in answer["error"], answer)
        equal(web.upgrade("/api/v1/console", "binary")[0], 409, "console before the claim")
        body = {"code": code, "user": USER, "password": "short"}
        equal(web.ask("POST", "/api/v1/claim", body)[0], 400, "a short password")
        equal(web.ask("POST", "/api/v1/claim", dict(body, user="no spaces", password=PASSWORD))[0], 400, "user")
        equal(web.ask("POST", "/api/v1/claim", dict(body, code="AAAA-AAAA-AAAA", password=PASSWORD))[0], 403)
        equal(web.ask("POST", "/api/v1/claim", dict(body, password=PASSWORD)), (200, LOGGED_IN))
        check(web.cookie, "the claimer is not logged in")
        equal(web.ask("GET", "/api/v1/status")[0], 200)
        equal(web.ask("POST", "/api/v1/claim", dict(body, password=PASSWORD))[0], 409, "a second claim")
        equal(oct(os.stat(os.path.join(daemon.state, "accounts")).st_mode & 0o777), "0o600", "accounts' mode")
        equal(oct(os.stat(os.path.join(daemon.state, "device.key")).st_mode & 0o777), "0o600", "key's mode")
        with open(os.path.join(daemon.state, "accounts"), encoding="ascii") as stored:
            check(PASSWORD not in stored.read(), "the password is stored in clear")


def limited(wrong, right, heard):
    """Five wrong ones are free; the sixth is heard and starts a delay of a second, in which none is, not even
    the right one. On a machine that stands still for so long more of them are heard."""
    count = 0
    while count < 12:
        sent = time.monotonic()
        status, answer = wrong()
        if status == 429:
            break
        equal(status, heard, "a wrong one")
        count, begun = count + 1, sent
    check(6 <= count < 12, f"{count} wrong ones were heard")
    check("Wait" in answer["error"], answer)
    status = right()[0]
    check(status == 429 or time.monotonic() >= begun + 1, f"the right one right after: {status}")


def test_wrong_codes_are_limited():
    with Daemon(claim=False) as daemon:
        web, code = Web(daemon), claim_code(daemon)
        body = {"code": "AAAA-AAAA-AAAA", "user": USER, "password": PASSWORD}
        limited(lambda: web.ask("POST", "/api/v1/claim", body),
                lambda: web.ask("POST", "/api/v1/claim", dict(body, code=code)), 403)


def test_login():
    with Daemon() as daemon:
        web = Web(daemon)
        equal(web.ask("GET", "/api/v1/status")[0], 401)
        wrong = web.login("not the password")
        equal(wrong[0], 401)
        equal(web.login(user="nobody"), wrong, "an unknown user")
        equal(web.login(), (200, LOGGED_IN))
        status, answer = web.ask("GET", "/api/v1/status")
        equal((status, answer["user"], answer["sessions"]), (200, USER, []))
        check(answer["capture"]["signal"] != "ok", "a picture from nowhere")
        cookie = web.cookie
        equal(web.ask("POST", "/api/v1/logout")[0], 204)
        equal(web.cookie, None, "the cookie after logging out")
        web.cookie = cookie
        equal(web.ask("GET", "/api/v1/status")[0], 401, "the old cookie")


def test_wrong_passwords_are_limited():
    with Daemon() as daemon:
        web = Web(daemon)
        limited(lambda: web.login("not the password"), web.login, 401)


def test_change_of_password_ends_other_logins():
    with Daemon() as daemon:
        one, other = Web(daemon), Web(daemon)
        equal(one.login()[0], 200)
        equal(other.login()[0], 200)
        status, link = other.upgrade("/api/v1/events", "events")
        equal(status, 101)
        body = {"old_password": "not the password", "new_password": "another password"}
        equal(one.ask("POST", "/api/v1/password", body)[0], 403)
        body["old_password"] = PASSWORD
        equal(one.ask("POST", "/api/v1/password", dict(body, new_password="short"))[0], 400)
        equal(one.ask("POST", "/api/v1/password", body)[0], 200)
        until_end(link)
        link.close()
        equal(other.ask("GET", "/api/v1/status")[0], 401, "the other login")
        equal(one.ask("GET", "/api/v1/status")[0], 200, "one's own login")
        equal(other.login()[0], 401, "the old password")
        equal(other.login("another password")[0], 200)


def test_other_origins_are_refused():
    with Daemon() as daemon:
        web = Web(daemon)
        equal(web.login()[0], 200)
        port = daemon.https
        for origin in (None, "null", "https://evil.example", f"http://[::1]:{port}", f"https://[::1]:{port + 1}",
                       f"https://[::1]:{port}.evil.example"):
            equal(web.ask("POST", "/api/v1/logout", Origin=origin)[0], 403, f"POST from {origin}")
            equal(web.ask("DELETE", "/api/v1/sessions/1", Origin=origin)[0], 403, f"DELETE from {origin}")
            equal(web.upgrade("/api/v1/console", "binary", Origin=origin)[0], 403, f"console from {origin}")
            equal(web.upgrade("/api/v1/events", "events", Origin=origin)[0], 403, f"events from {origin}")
        equal(web.ask("GET", "/api/v1/status")[0], 200, "after all that")


def test_bad_requests():
    with Daemon() as daemon:
        web = Web(daemon)
        login = "/api/v1/login"
        right = {"user": USER, "password": PASSWORD}
        for body in (b"", b"{", b"[]", b"null", b'{"user":"x"}', b'{"user":"x","user":"y","password":"z"}',
                     json.dumps(dict(right, more="x")).encode(), json.dumps(dict(right, user=1)).encode(),
                     b'{"user":"a\\u0000b","password":"12345678"}', b'{"user":"\xff","password":"12345678"}',
                     b"[" * 16000, json.dumps(dict(right, password="x" * 300)).encode()):
            status, answer = web.ask("POST", login, body)
            equal(status, 400, f"body {body[:40]!r}")
            check(answer["error"], "no reason")
        equal(web.ask("POST", login, json.dumps(right), Content_Type="text/plain")[0], 415)
        equal(web.ask("POST", login, json.dumps(right), Content_Type="application/jsonx")[0], 415)
        equal(web.ask("POST", login, b" " * 16385)[0], 413)
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
            equal(web.ask(method, login)[0], 405, method)
        equal(web.ask("GET", login)[0], 405)
        equal(web.ask("POST", "/api/v1/state", b"{}")[0], 405)
        for path in ("/api/", "/api/v1/", "/api/v1/nothing", "/api/v2/state", "/nothing"):
            equal(web.ask("GET", path)[0], 404, path)
        equal(web.login()[0], 200)
        for query in ("hw_seq=", "hw_seq=-1", "hw_seq=x", "hw_seq=99999999999999999999", "other=1", "hw_seq=1&hw_seq=2"):
            equal(web.ask("GET", f"/api/v1/status?{query}")[0], 400, query)
        for number in ("x", "-1", "99999999999", "1/2"):
            equal(web.ask("DELETE", f"/api/v1/sessions/{number}")[0], 404, number)
        equal(web.ask("DELETE", "/api/v1/sessions/7")[0], 204, "a session that is gone already")


def test_paths_stay_inside():
    with Daemon() as daemon:
        web = Web(daemon)
        for path in ("/../state/accounts", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd", "//etc/passwd",
                     "/novnc/../../state/device.key", "/.done", "/" + "x" * 4000):
            answer = web.raw(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            check(not answer or answer.split()[1] in (b"400", b"403", b"404", b"414", b"431"), f"{path}: {answer[:80]!r}")
            check(b"root:" not in answer and b"argon2" not in answer, path)
        equal(web.ask("GET", "/")[0], 200, "after all that")


def test_malformed_http():
    """Clear refusal or an end; the next caller is served."""
    rng = seeded()
    with Daemon() as daemon:
        web = Web(daemon)
        head = b"POST /api/v1/login HTTP/1.1\r\nHost: x\r\nOrigin: https://x\r\nContent-Type: application/json\r\n"
        for data in (b"\0" * 200 + b"\r\n\r\n", b"FOO / HTTP/1.1\r\n\r\n",
                     b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * 70000 + b"\r\n\r\n",
                     head + b"Content-Length: -1\r\n\r\n", head + b"Content-Length: 1x\r\n\r\n{",
                     head + b"Content-Length: 99999999999999999999999\r\n\r\n",
                     head + b"Content-Length: 2000000\r\n\r\n", head + b"\r\n",
                     head + b"Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}",
                     head + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
                     b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"a" * 5000 + b"\r\n\r\n"):
            answer = web.raw(data)
            # The end of a head that never ends comes while its sender is still busy, and takes the answer along.
            check(re.match(rb"HTTP/1\.[01] 4\d\d ", answer) or not answer and len(data) > 65536,
                  f"{data[:60]!r}: {answer[:80]!r}")
        for number in range(50):
            data = bytearray(head + b"Content-Length: 2\r\n\r\n{}")
            for _ in range(rng.randrange(1, 6)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            whole = len(data) if number % 2 else rng.randrange(1, len(data))
            answer = web.raw(bytes(data[:whole]), more=False)
            # One that is cut short, also by a byte that was changed, has no answer.
            check(not answer or re.match(rb"HTTP/1\.[01] 4\d\d ", answer), f"{bytes(data)!r}: {answer[:80]!r}")
        equal(web.login()[0], 200, "after all that")


def test_old_tls_is_refused():
    with Daemon() as daemon:
        web = Web(daemon)
        tls = daemon.trust()
        tls.maximum_version = ssl.TLSVersion.TLSv1_2
        try:
            tls.wrap_socket(socket.create_connection(("::1", daemon.https), timeout=20), server_hostname="x").close()
            check(False, "TLS 1.2 was taken")
        except ssl.SSLError as error:
            check("protocol version" in str(error).lower().replace("_", " "), str(error))
        with socket.create_connection(("::1", daemon.https), timeout=20) as link:
            link.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            check(b"HTTP" not in until_end(link), "an answer without TLS")
        with web.connect() as link:
            equal(link.version(), "TLSv1.3")


def test_files():
    with Daemon() as daemon:
        web = Web(daemon)
        link = http.client.HTTPSConnection("::1", daemon.https, context=web.tls, timeout=30)
        for path, kind in (("/", "text/html"), ("/app.js", "text/javascript"), ("/style.css", "text/css"),
                           ("/novnc/core/rfb.js", "text/javascript")):
            link.request("GET", path)
            answer = link.getresponse()
            size, etag = len(answer.read()), answer.headers["ETag"]
            equal(answer.status, 200, path)
            check(size and answer.headers["Content-Type"].startswith(kind), path)
            link.request("GET", path, headers={"If-None-Match": etag})
            answer = link.getresponse()
            equal((answer.status, answer.read()), (304, b""), f"{path} again")
        link.close()
        equal(web.ask("POST", "/", b"{}")[0], 405)


def test_console_carries_rfb():
    with Daemon() as daemon, daemon.producer() as producer:
        producer.ask("mode 320 240")
        seq = int(producer.ask("frame full").split()[1])
        web = Web(daemon)
        equal(web.upgrade("/api/v1/console", "binary")[0], 401, "without a log-in")
        equal(web.login()[0], 200)
        for path, protocol in (("/api/v1/events", "binary"), ("/api/v1/console", "events"), ("/api/v1/console", "relay"),
                               ("/api/v1/console", "listen"), ("/api/v1/console", "http"), ("/", "binary")):
            status, _ = web.upgrade(path, protocol)
            check(status != 101, f"{path} as {protocol} was taken")
        _, link = web.upgrade("/api/v1/console", "binary")
        _, events = web.upgrade("/api/v1/events", "events")
        equal(handshake(link), (320, 240), "the size")
        link.sendall(frame(struct.pack(">BBHHHH", 3, 0, 0, 0, 320, 240)))
        size, got = 4 + 12 + 320 * 240 * 4, b""
        while len(got) < size:
            got += message(link)[1]
        link.sendall(frame(struct.pack(">BBHHHH", 3, 1, 0, 0, 320, 240)))
        status, answer = web.ask("GET", f"/api/v1/status?hw_seq={seq}")
        equal((status, answer.get("error")), (200, None), "the session is current")
        equal(answer["sessions"][0]["user"], USER)
        while not json.loads(message(events)[1])["sessions"]:
            pass
        number = web.ask("GET", "/api/v1/status")[1]["sessions"][0]["id"]
        equal(web.ask("DELETE", f"/api/v1/sessions/{number}")[0], 204)
        while (last := message(link))[0] != 8:
            pass
        equal(struct.unpack(">H", last[1][:2])[0], 1000, "the close code")
        link.close()
        while json.loads(message(events)[1])["sessions"]:
            pass
        events.close()


def whole_update(link, ask, size=640 * 480 * 4):
    """The pixels of an update of one Raw rectangle."""
    link.sendall(ask)
    stream = b""
    while len(stream) < 4 + 12 + size:
        stream += message(link)[1]
    return stream[16:]


def memory(daemon):
    """Bytes that the daemon has for itself; the ring's Slots are shared."""
    with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"RssAnon:\s+(\d+) kB", status.read())[1]) * 1024


def test_console_that_does_not_read():
    """It costs bounded memory, holds nobody up, and then gets the newest picture."""
    with Daemon() as daemon, daemon.producer() as producer:
        producer.ask("mode 640 480")
        producer.ask("frame full")
        web = Web(daemon)
        equal(web.login()[0], 200)
        _, slow = web.upgrade("/api/v1/console", "binary")
        equal(handshake(slow), (640, 480))
        ask = frame(struct.pack(">BBHHHH", 3, 0, 0, 0, 640, 480))
        slow.sendall(ask)
        before = memory(daemon)
        for _ in range(20):
            seq = int(producer.ask("frame full 5").split()[1])
        while web.ask("GET", "/api/v1/status")[1]["capture"]["hw_seq"] < seq:
            pass
        check(memory(daemon) < before + (8 << 20), f"{before} bytes, then {memory(daemon)}")
        _, other = web.upgrade("/api/v1/console", "binary")
        equal(handshake(other), (640, 480))
        newest = whole_update(other, ask)
        other.close()
        check(whole_update(slow, b"") != newest, "the first picture is the last")
        check(whole_update(slow, ask) == newest, "not the newest picture")
        slow.close()


def test_much_input_at_once():
    """Whatever a browser sends faster than the session takes it waits, in order; nothing is lost."""
    with Daemon() as daemon:
        web = Web(daemon)
        equal(web.login()[0], 200)
        _, link = web.upgrade("/api/v1/console", "binary")
        handshake(link)
        _, events = web.upgrade("/api/v1/events", "events")
        for _ in range(40):
            link.sendall(frame(struct.pack(">BBHH", 5, 0, 1, 1) * 5000))
        link.sendall(frame(struct.pack(">BBHI", 4, 1, 0, 0x61) + struct.pack(">BBHI", 4, 0, 0, 0x61)))
        equal(daemon.keyboard.report()[2], 4, "the key behind it all")
        equal(web.ask("GET", "/api/v1/status")[1]["sessions"][0]["pointers"], 200000)
        link.close()
        events.close()


def test_status_waits_for_a_frame():
    with Daemon() as daemon, daemon.producer() as producer:
        web = Web(daemon)
        equal(web.login()[0], 200)
        producer.ask("mode 320 240")
        seq = int(producer.ask("frame full").split()[1])
        equal(web.ask("GET", f"/api/v1/status?hw_seq={seq}")[0], 200)
        status, answer = web.ask("GET", f"/api/v1/status?hw_seq={seq + 1000}")
        equal(status, 504, "a Frame that does not come")
        check(answer["error"], "no reason")


def test_logging_out_ends_the_console():
    with Daemon() as daemon:
        web = Web(daemon)
        equal(web.login()[0], 200)
        _, link = web.upgrade("/api/v1/console", "binary")
        equal(message(link)[1], b"RFB 003.008\n")
        equal(web.ask("POST", "/api/v1/logout")[0], 204)
        until_end(link)
        link.close()


def test_malformed_websocket():
    rng = seeded()
    with Daemon() as daemon:
        web = Web(daemon)
        equal(web.login()[0], 200)
        # Reserved bits, an unknown opcode, a message that goes on before it began; a length over 2^63 and a Ping that
        # is too long just end.
        for data, code in ((b"\xf2\x80\0\0\0\0", 1002), (b"\x83\x80\0\0\0\0", 1002), (frame(b"RFB", 0), 1002),
                           (b"\x82\xff" + b"\xff" * 8, None), (frame(b"x" * 200, 9), None)):
            status, link = web.upgrade("/api/v1/console", "binary")
            equal(status, 101)
            link.sendall(data)
            equal(refused(link), code, f"close after {data[:12]!r}")
            link.close()
        for _ in range(20):  # whatever these are
            data = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 3000)))
            _, link = web.upgrade("/api/v1/console", "binary")
            try:
                link.sendall(data)
                end_of_input(link)
            except OSError:
                pass
            until_end(link)
            link.close()
        status, link = web.upgrade("/api/v1/events", "events")
        link.sendall(frame(b"hello", 1))
        while (last := message(link))[0] != 8:
            pass
        equal(struct.unpack(">H", last[1][:2])[0], 1003, "close after a message that nobody takes")
        link.close()
        _, link = web.upgrade("/api/v1/console", "binary")
        equal(message(link)[1], b"RFB 003.008\n", "after all that")
        link.close()


def test_descriptors_stay_flat():
    with Daemon() as daemon, daemon.producer() as producer:
        producer.ask("mode 320 240")
        web = Web(daemon)
        equal(web.login()[0], 200)

        def round_trip():  # the Device has seen every end before the next one
            _, link = web.upgrade("/api/v1/console", "binary")
            handshake(link)
            _, events = web.upgrade("/api/v1/events", "events")
            while len(json.loads(message(events)[1])["sessions"]) != 1:
                pass
            link.close()
            while json.loads(message(events)[1])["sessions"]:
                pass
            events.close()

        for _ in range(10):
            round_trip()
        folder = f"/proc/{daemon.process.pid}/fd"
        before = len(os.listdir(folder))
        for _ in range(30):
            round_trip()
        after = len(os.listdir(folder))
        check(after <= before + 2, f"{before} descriptors, then {after}")
