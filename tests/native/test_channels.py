# SPDX-License-Identifier: GPL-2.0-or-later
"""Keys and pointer on connections of their own, ports 901 and 902 and under 443, as userland/device/CHANNELS.md has
them: what opens one, what it may say, and what is left when it ends.
"""

import socket
import ssl
import struct

import rfb
from case import check, equal
from daemon import PASSWORD, USER, Daemon
from test_ticket import Office
from test_web import Web, exactly, frame, message

KINDS = {"keyboard": 1, "mouse": 2}
DOWN, UP = bytes([0, 0, 4, 0, 0, 0, 0, 0]), bytes(8)


def preamble(kind, token, magic=b"KVMC", version=1):
    return magic + bytes([version, KINDS[kind], 0, 0]) + token


def key(keysym, down):
    return struct.pack("!BBxxI", 4, down, keysym)


def pointer(x, y, mask):
    return struct.pack("!BBHH", 5, mask, x, y)


class Channel:
    """One on a port of its own. `with` it."""

    def __init__(self, daemon, port, said, host="::1"):
        self.link = daemon.trust().wrap_socket(socket.create_connection((host, port), 20))
        self.link.sendall(said)

    def opened(self):
        equal(exactly(self.link, 4), bytes(4), "the result")
        return self

    def refused(self):
        """Why."""
        result, size = struct.unpack("!II", exactly(self.link, 8))
        equal(result, 1, "the result")
        why = exactly(self.link, size).decode()
        equal(self.link.recv(1), b"", "nothing follows")
        return why

    def send(self, data):
        self.link.sendall(data)

    def leds(self):
        head, light = exactly(self.link, 16), exactly(self.link, 1)
        equal(head, struct.pack("!BxHHHHHi", 0, 1, 0, 0, 0, 0, rfb.QEMU_LEDS), "an update with the lights alone")
        return light[0]

    def ended(self):
        try:
            return self.link.recv(1) == b""
        except (ssl.SSLError, ConnectionError):
            return True

    def close(self):
        self.link.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def session(daemon, **how):
    """One that has tokens."""
    client = rfb.Client(daemon, USER, PASSWORD, encodings=(rfb.ZRLE, rfb.DESKTOP_SIZE, rfb.CHANNELS), **how)
    client.request()
    client.update()
    equal(client.channels["keyboard"][0], daemon.port + 1, "the keyboard's port")
    equal(client.channels["mouse"][0], daemon.port + 2, "the mouse's port")
    return client


def again(client):
    """Its next tokens."""
    client.set_encodings((rfb.ZRLE, rfb.DESKTOP_SIZE, rfb.CHANNELS))
    client.request()
    client.update()


def channel(daemon, client, kind):
    port, token = client.channels[kind]
    return Channel(daemon, port, preamble(kind, token)).opened()


def test_keys_and_pointer():
    with Daemon() as daemon, session(daemon) as client:
        with channel(daemon, client, "keyboard") as keyboard, channel(daemon, client, "mouse") as mouse:
            equal(keyboard.leds(), 0, "lights at once")
            daemon.keyboard.set_leds(1)
            equal(keyboard.leds(), 2, "Num Lock")
            keyboard.send(key(ord("a"), 1))
            equal(daemon.keyboard.report(), DOWN)
            # A byte at a time; and an extended one.
            for byte in key(ord("a"), 0):
                keyboard.send(bytes([byte]))
            equal(daemon.keyboard.report(), UP)
            keyboard.send(struct.pack("!BBHII", 255, 0, 1, ord("a"), 0x1e))
            equal(daemon.keyboard.report(), DOWN)
            mouse.send(pointer(639, 479, 1))
            equal(daemon.pointer.report(), struct.pack("<BHHbb", 1, 32767, 32767, 0, 0))
            status = Web(daemon)
            status.login()
            sessions = status.ask("GET", "/api/v1/status")[1]["sessions"]
            equal([(one["keys"], one["pointers"]) for one in sessions], [(3, 1)], "all of one session")
        # They end: nothing that they held stays down, and the session itself goes on.
        equal(daemon.keyboard.report(), UP)
        equal(daemon.pointer.report()[0], 0, "buttons")
        client.key(ord("a"), True)
        equal(daemon.keyboard.report(), DOWN)


def test_preamble_and_first_key_together():
    with Daemon() as daemon, session(daemon) as client:
        port, token = client.channels["keyboard"]
        with Channel(daemon, port, preamble("keyboard", token) + key(ord("a"), 1)) as keyboard:
            keyboard.opened()
            equal(daemon.keyboard.report(), DOWN)


def test_tokens():
    """Once, for its own channel, from its own address; new ones make the old ones void."""
    with Daemon() as daemon, session(daemon) as client:
        port, token = client.channels["keyboard"]
        with channel(daemon, client, "keyboard"), Channel(daemon, port, preamble("keyboard", token)) as twice:
            check("not good" in (why := twice.refused()), why)
        first = client.channels["mouse"][1]
        again(client)
        with Channel(daemon, daemon.port + 2, preamble("mouse", first)) as late:
            check("not good" in (why := late.refused()), why)
        with Channel(daemon, daemon.port + 1, preamble("keyboard", client.channels["mouse"][1])) as other:
            check("not good" in (why := other.refused()), why)
        with Channel(daemon, daemon.port + 1, preamble("keyboard", bytes(32))) as zero:
            check("not good" in (why := zero.refused()), why)
        with Channel(daemon, port, preamble("keyboard", client.channels["keyboard"][1]), host="127.0.0.1") as elsewhere:
            check("another address" in (why := elsewhere.refused()), why)
        # Somebody else had it: it is used up.
        with Channel(daemon, port, preamble("keyboard", client.channels["keyboard"][1])) as used:
            check("not good" in (why := used.refused()), why)
        with channel(daemon, client, "mouse") as mouse:
            mouse.send(pointer(0, 0, 1))
            equal(daemon.pointer.report()[0], 1)


def test_no_preamble():
    with Daemon() as daemon, session(daemon) as client:
        port, token = client.channels["keyboard"]
        for said in (b"RFB 003.008\n", b"GET / HTTP/1.1\r\n\r\n", preamble("mouse", token),
                     preamble("keyboard", token, magic=b"KVMD"), preamble("keyboard", token, version=2),
                     preamble("keyboard", token)[:6] + b"\1\0" + token):
            with Channel(daemon, port, said) as wrong:
                check("no preamble" in (why := wrong.refused()), why)
        for size in (0, 1, 7, 39):
            Channel(daemon, port, preamble("keyboard", token)[:size]).close()
        # In clear: no byte comes back.
        with socket.create_connection(("::1", port), 20) as clear:
            clear.sendall(preamble("keyboard", token))
            try:
                got = clear.recv(100)
            except ConnectionResetError:
                got = b""
            check(got[:1] in (b"", b"\x15"), f"in clear: {got!r}")
        with channel(daemon, client, "keyboard") as keyboard:
            equal(keyboard.leds(), 0, "after all that")


def test_wrong_messages():
    """What is not its own ends a channel; the session and the other one go on."""
    with Daemon() as daemon, session(daemon) as client, channel(daemon, client, "mouse") as mouse:
        again(client)
        for said in (pointer(0, 0, 0), struct.pack("!BBHHHH", 3, 0, 0, 0, 1, 1), struct.pack("!BxHi", 2, 1, 0),
                     struct.pack("!B3xI", 6, 5) + b"clips" + key(ord("a"), 1) + b"\xfe", b"\xfe"):
            with channel(daemon, client, "keyboard") as keyboard:
                keyboard.leds()
                keyboard.send(said)
                check(keyboard.ended(), f"{said!r} was taken")
            again(client)
        mouse.send(pointer(0, 0, 1))
        equal(daemon.pointer.report()[0], 1)


def test_another_takes_its_place():
    with Daemon() as daemon, session(daemon) as client, channel(daemon, client, "keyboard") as first:
        first.leds()
        first.send(key(ord("a"), 1))
        equal(daemon.keyboard.report(), DOWN)
        again(client)
        with channel(daemon, client, "keyboard") as second:
            equal(daemon.keyboard.report(), UP, "what the first one held")
            check(first.ended(), "the first one is still open")
            second.send(key(ord("a"), 1))
            equal(daemon.keyboard.report(), DOWN)


def test_session_ends():
    """So do its channels, and nobody else's."""
    with Daemon() as daemon, session(daemon) as other, channel(daemon, other, "keyboard") as theirs:
        theirs.leds()
        with session(daemon) as client, channel(daemon, client, "keyboard") as keyboard, \
                channel(daemon, client, "mouse") as mouse:
            keyboard.leds()
            keyboard.send(key(ord("a"), 1))
            equal(daemon.keyboard.report(), DOWN)
            unused = again(client) or client.channels["mouse"][1]
            client.socket.close()
            equal(daemon.keyboard.report(), UP)
            check(keyboard.ended() and mouse.ended(), "they outlive their session")
        with Channel(daemon, daemon.port + 2, preamble("mouse", unused)) as late:
            check("not good" in (why := late.refused()), why)
        theirs.send(key(ord("a"), 1))
        equal(daemon.keyboard.report(), DOWN)


def test_view_only_gets_no_tokens():
    with Office() as office, rfb.Client(office.daemon, "ann", office.ticket("view"),
                                        encodings=(rfb.ZRLE, rfb.CHANNELS, rfb.QEMU_LEDS)) as viewer:
        viewer.request()
        viewer.update()
        equal((viewer.leds, viewer.channels), (0, {}))


def test_under_443():
    """The same as WebSockets, for who is logged in and may control."""
    with Office() as office:
        daemon, person = office.daemon, office.person()
        with rfb.Client(daemon, "ann", office.ticket(), encodings=(rfb.ZRLE, rfb.CHANNELS)) as client:
            client.request()
            client.update()
            for kind in KINDS:
                status, link = person.upgrade(f"/api/v1/{kind}", kind)
                equal(status, 101, kind)
                with link:
                    link.sendall(frame(preamble(kind, client.channels[kind][1])))
                    kept, said = message(link)
                    equal((kept, said[:4]), (2, bytes(4)), "the result")
                    if kind == "keyboard":
                        link.sendall(frame(key(ord("a"), 1)))
                        equal(daemon.keyboard.report(), DOWN)
                    else:
                        link.sendall(frame(pointer(0, 0, 1)))
                        equal(daemon.pointer.report()[0], 1)
            again_and_again = person.upgrade("/api/v1/keyboard", "keyboard")[1]
            with again_and_again as link:
                link.sendall(frame(preamble("keyboard", client.channels["keyboard"][1])))
                check(b"not good" in message(link)[1], "a token for the second time")
        for caller, status in ((Web(daemon), 401), (office.person("view"), 403), (office.owner, 403)):
            equal(caller.upgrade("/api/v1/keyboard", "keyboard")[0], status)
        equal(person.upgrade("/api/v1/mouse", "keyboard")[0], 404)
        equal(person.upgrade("/api/v1/keyboard", "keyboard", Origin="https://evil.example")[0], 403)


def test_limits():
    """Wrong tokens cost their source time; connections that never show one are bounded."""
    with Daemon() as daemon, session(daemon) as client:
        reasons = set()
        for _ in range(8):
            with Channel(daemon, daemon.port + 1, preamble("keyboard", bytes(32))) as wrong:
                reasons.add(wrong.refused().split(":")[0].split(".")[0])
        check("Too many wrong tries" in reasons, str(reasons))
        again(client)
        idle = [socket.create_connection(("::1", daemon.port + 2), 20) for _ in range(16)]
        with socket.create_connection(("::1", daemon.port + 2), 20) as more:
            try:
                equal(more.recv(1), b"", "one more")
            except ConnectionResetError:
                pass
        for link in idle:
            link.close()
        client.request()
