# SPDX-License-Identifier: GPL-2.0-or-later
"""The video port of a native kvmnetd on the user-space ring: identity of pictures, zero
bytes while nothing changes, Clients that stop, refusals, input.
"""

import http.client
import json
import os
import select
import socket
import ssl
import struct
import subprocess

import rfb
from case import BUILD, check, equal, seeded
from daemon import PASSWORD, USER, Daemon

ODD_SIZES = ((64, 64), (65, 67), (641, 479), (800, 601))


def dump(daemon, producer):
    path = os.path.join(daemon.dir, "image")
    equal(producer.ask(f"dump {path}"), "ok", "dump")
    with open(path, "rb") as image:
        width, height = map(int, image.readline().split())
        return width, height, image.read()


def same(client, daemon, producer):
    got, want = client.picture(), dump(daemon, producer)
    equal(got[:2], want[:2], "size")
    check(got[2] == want[2], "the pictures differ")


def await_size(client, width, height):
    """Takes updates until the new size and a picture of it are here."""
    while (client.width, client.height) != (width, height):
        client.request()
        client.update()
    client.request()
    client.update()


def settle(client, daemon, producer):
    """Takes updates until the picture is the newest; fails by its time-out."""
    want = dump(daemon, producer)
    while client.picture() != want:
        client.request()
        client.update()


def test_identity():
    """Every scene at odd sizes, in both encodings, with dirt in padding and X bytes."""
    seed = seeded().randrange(1, 1 << 31)
    with Daemon() as daemon:
        producer = daemon.producer(seed)
        for encoding in (rfb.RAW, rfb.ZRLE):
            with rfb.Client(daemon, USER, PASSWORD, encodings=(encoding, rfb.EXT_DESKTOP_SIZE)) as client:
                for width, height in ODD_SIZES:
                    equal(producer.ask(f"mode {width} {height}"), "ok", "mode")
                    check(producer.ask("frame still").startswith("ok"), "no Frame")
                    await_size(client, width, height)
                    same(client, daemon, producer)
                    for scene in ("typing", "scroll", "video", "full"):
                        client.request()
                        check(producer.ask(f"frame {scene}").startswith("ok"), "no Frame")
                        client.update()
                        same(client, daemon, producer)


def test_no_picture_beyond_the_framebuffer():
    """A Client that takes back its word about new sizes, while one is on its way, still gets it first."""
    with Daemon() as daemon:
        producer = daemon.producer()
        for encoding in (rfb.DESKTOP_SIZE, rfb.EXT_DESKTOP_SIZE):
            producer.ask("mode 640 480")
            producer.ask("frame full")
            with rfb.Client(daemon, USER, PASSWORD, encodings=(rfb.RAW, encoding)) as client:
                equal((client.width, client.height), (640, 480), "size")
                producer.ask("mode 1920 1080")
                producer.ask("frame full")
                client.set_encodings((rfb.RAW,))
                client.request(incremental=False)
                await_size(client, 1920, 1080)
                settle(client, daemon, producer)


def test_pointer_of_a_client_that_cannot_resize():
    """It sees the Target's pixels in its old framebuffer: where it points is where it looks."""
    with Daemon() as daemon:
        producer = daemon.producer()
        producer.ask("mode 1024 768")
        producer.ask("frame full")
        with rfb.Client(daemon, USER, PASSWORD, encodings=(rfb.RAW,)) as client:
            producer.ask("mode 640 480")
            producer.ask("frame full")
            client.pointer(320, 240, 0)
            _, x, y, *_ = struct.unpack_from("<BHH", daemon.pointer.report())
            check(abs(x - 16384) < 32 and abs(y - 16384) < 40, f"the middle became {x},{y} of 32767")


def test_stock_viewer():
    """VeNCrypt X509Plain by TLS 1.2 and 1.3."""
    with Daemon() as daemon:
        producer = daemon.producer()
        producer.ask("mode 320 200")
        producer.ask("frame full")
        for limit in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with rfb.Client(daemon, USER, PASSWORD, stock=True, connect=False) as client:
                client.tls.minimum_version = client.tls.maximum_version = limit
                client.handshake()
                client.set_encodings((rfb.ZRLE, rfb.DESKTOP_SIZE, rfb.LAST_RECT))
                settle(client, daemon, producer)


def test_pixel_formats():
    """16 and 8 bits, both byte orders, 32 bits with the colours elsewhere."""
    formats = ((16, 16, False, 31, 63, 31, 11, 5, 0), (16, 16, True, 31, 63, 31, 11, 5, 0),
               (8, 8, False, 7, 7, 3, 0, 3, 6), (32, 24, True, 255, 255, 255, 16, 8, 0),
               (32, 32, False, 255, 255, 255, 24, 12, 0))
    with Daemon() as daemon:
        producer = daemon.producer()
        producer.ask("mode 131 97")
        producer.ask("frame full")
        _, _, image = dump(daemon, producer)
        for form in formats:
            with rfb.Client(daemon, USER, PASSWORD, encodings=(rfb.RAW, rfb.EXT_DESKTOP_SIZE)) as client:
                client.set_format(*form)
                client.request(incremental=False)
                client.update()
                client.request(incremental=False)
                client.update()
                _, _, got = client.picture()
                for i in range(0, len(image), 4):
                    value = int.from_bytes(got[i:i + 4], "big" if form[0] == 32 and form[2] else "little")
                    colours = client.native(value)
                    for colour, top, eight in zip(colours, form[3:6], (image[i + 2], image[i + 1], image[i])):
                        equal(colour, (eight * top + 127) // 255, f"colour at byte {i} in {form}")


def test_colour_map_is_refused():
    with Daemon() as daemon, rfb.Client(daemon, USER, PASSWORD) as client:
        client.send("B3xBBBBHHHBBB3x", 0, 8, 8, 0, 0, 0, 0, 0, 0, 0, 0)
        try:
            client.read(1)
        except rfb.Refused:
            return
        raise AssertionError("a colour map was accepted")


def test_still_screen():
    """Frames without a change cost no byte."""
    with Daemon() as daemon:
        producer = daemon.producer()
        producer.ask("mode 640 480")
        producer.ask("frame full")
        with rfb.Client(daemon, USER, PASSWORD) as client:
            settle(client, daemon, producer)
            client.request()
            equal(producer.ask("frame still 600"), "ok 601", "600 Frames")
            check(not select.select([client.socket], [], [], 0.5)[0], "bytes came while nothing changed")
            producer.ask("frame typing")
            client.update()
            same(client, daemon, producer)


def test_stopped_client():
    """One Client stops reading; another has every picture, and the first the newest when it is back. It is back before
    it counts as gone (25 s): both take Raw, which is soon read.
    """
    with Daemon() as daemon:
        producer = daemon.producer()
        producer.ask("mode 800 600")
        producer.ask("frame full")
        with rfb.Client(daemon, USER, PASSWORD, encodings=(rfb.RAW, rfb.EXT_DESKTOP_SIZE)) as stopped, \
                rfb.Client(daemon, USER, PASSWORD, encodings=(rfb.RAW, rfb.EXT_DESKTOP_SIZE)) as other:
            for client in (stopped, other):
                settle(client, daemon, producer)
            stopped.request()
            for _ in range(20):
                other.request()
                check(producer.ask("frame full").startswith("ok"), "the ring stopped")
                other.update()
                same(other, daemon, producer)
            stopped.update()
            stopped.request()
            stopped.update()
            same(stopped, daemon, producer)


def test_host_name_that_comes_later():
    """DHCP gives it when the daemon runs already; also where nothing is announced."""
    with Daemon(within=["unshare", "--map-root-user", "--uts"]) as daemon:
        with rfb.Client(daemon, USER, PASSWORD) as client:
            check(not client.name.startswith("rack-7"), client.name)
            subprocess.run(["nsenter", "--user", "--preserve-credentials", "--uts", "-t", str(daemon.process.pid), "--",
                            "sh", "-c", "echo rack-7 >/proc/sys/kernel/hostname"], check=True, timeout=20)
            with rfb.Client(daemon, USER, PASSWORD) as other:
                check(other.name.startswith("rack-7"), other.name)
            while not client.name.startswith("rack-7"):
                client.request()
                client.update()


def test_no_picture():
    """The reason is the desktop's name, the picture black, and the session lives on."""
    with Daemon() as daemon:
        with rfb.Client(daemon, USER, PASSWORD) as client:
            equal((client.width, client.height), (640, 480), "first size")
            check(client.name.endswith(": no cable"), client.name)
            client.request()
            client.update()
            producer = daemon.producer()
            producer.ask("mode 300 200")
            producer.ask("frame full")
            await_size(client, 300, 200)
            settle(client, daemon, producer)
            for signal, text in (("no-sync", "without sync"), ("protected", "copy-protected"),
                                 ("no-signal", "no signal")):
                equal(producer.ask(f"signal {signal}"), "ok", "signal")
                while text not in client.name or any(map(any, client.pixels)):
                    client.request()
                    client.update()
            producer.ask("mode 300 200")
            producer.ask("frame full")
            settle(client, daemon, producer)
            producer.stop()
            while "no signal" not in client.name:
                client.request()
                client.update()
            client.key(ord("a"), True)
            equal(daemon.keyboard.report(), bytes([0, 0, 4, 0, 0, 0, 0, 0]), "report without a picture")


def test_input():
    with Daemon() as daemon, rfb.Client(daemon, USER, PASSWORD,
                                        encodings=(rfb.ZRLE, rfb.QEMU_KEYS, rfb.QEMU_LEDS)) as client:
        client.request()
        client.update()
        check(client.qemu_keys, "QEMU key events were not announced")
        equal(client.leds, 0, "LEDs")
        client.qemu_key(0x1e, ord("a"), True)
        equal(daemon.keyboard.report(), bytes([0, 0, 4, 0, 0, 0, 0, 0]), "key down")
        client.qemu_key(0x1e, ord("a"), False)
        equal(daemon.keyboard.report(), bytes(8), "key up")
        client.pointer(639, 479, 1)
        equal(daemon.pointer.report(), struct.pack("<BHHbb", 1, 32767, 32767, 0, 0), "pointer")
        client.request()
        client.update()
        daemon.keyboard.set_leds(2)
        client.request()
        client.update()
        equal(client.leds, 4, "Caps Lock")


def test_held_keys_go_up_with_their_client():
    with Daemon() as daemon:
        with rfb.Client(daemon, USER, PASSWORD) as client:
            client.key(0xffe3, True)
            equal(daemon.keyboard.report(), bytes([1, 0, 0, 0, 0, 0, 0, 0]), "control down")
        equal(daemon.keyboard.report(), bytes(8), "control up")


def test_resize_request_is_prohibited():
    with Daemon() as daemon, rfb.Client(daemon, USER, PASSWORD) as client:
        client.request()
        client.update()
        client.send("BxHHBxIHHHHI", 251, 100, 100, 1, 0, 0, 0, 100, 100, 0)
        client.request()
        client.update()
        equal(client.refused, 1, "status")


def refusal(daemon, **how):
    try:
        with rfb.Client(daemon, **how):
            pass
    except rfb.Refused as refused:
        return str(refused)
    raise AssertionError("nobody was refused")


def test_wrong_password():
    with Daemon() as daemon:
        for stock in (False, True):
            text = refusal(daemon, user=USER, password="wrong horse battery", stock=stock)
            check("not right" in text, text)
        with rfb.Client(daemon, USER, PASSWORD, stock=True):
            pass


def test_unclaimed():
    with Daemon(claim=False) as daemon:
        for stock in (False, True):
            text = refusal(daemon, user=USER, password=PASSWORD, stock=stock)
            check("claim" in text.lower(), text)


def test_stock_viewers_can_be_switched_off():
    with Daemon(settings="stock_viewers = no\n") as daemon:
        check("switched off" in refusal(daemon, user=USER, password=PASSWORD, stock=True), "reason")
        with rfb.Client(daemon, USER, PASSWORD):
            pass


def test_viewer_without_tls():
    with Daemon() as daemon, rfb.Client(daemon, USER, PASSWORD, stock=True, connect=False) as client:
        equal(client.offer(), bytes([rfb.VENCRYPT]), "security types")
        client.send("B", 2)
        equal(client.unpack("I")[0], 1, "SecurityResult")
        check("TLS" in client.reason(), "reason")
        equal(client.socket.recv(1), b"", "end")


def test_old_viewer():
    with Daemon() as daemon, rfb.Client(daemon, USER, PASSWORD, stock=True, connect=False) as client:
        client.read(12)
        client.socket.sendall(b"RFB 003.003\n")
        equal(client.unpack("I")[0], 0, "security type")
        check("3.8" in client.reason(), "reason")


def test_bytes_in_clear_before_tls():
    """What was sent in clear never counts as sent under TLS."""
    with Daemon() as daemon, rfb.Client(daemon, USER, PASSWORD, stock=True, connect=False) as client:
        client.offer()
        client.send("B", rfb.VENCRYPT)
        client.read(2)
        client.send("BB", 0, 2)
        client.read(6)
        name, secret = USER.encode(), PASSWORD.encode()
        client.socket.sendall(struct.pack("!III", rfb.X509PLAIN, len(name), len(secret)) + name + secret)
        equal(client.read(1), b"\1", "go-ahead")
        equal(client.socket.recv(1), b"", "end")


def test_other_protocols():
    with Daemon() as daemon:
        for text in (b"GET / HTTP/1.1\r\n\r\n", b"SSH-2.0-x\r\n", b"\0" * 64):
            with socket.create_connection(("::1", daemon.port), 20) as link:
                link.sendall(text)
                answer = b""
                while part := link.recv(1000):
                    answer += part
                check(b"TLS" in answer, answer)
        with rfb.Client(daemon, USER, PASSWORD):
            pass


def test_tls12_is_for_stock_viewers_only():
    with Daemon() as daemon, rfb.Client(daemon, USER, PASSWORD, connect=False) as client:
        client.tls.maximum_version = ssl.TLSVersion.TLSv1_2
        try:
            client.start_tls()
        except ssl.SSLError:
            return
        raise AssertionError("implicit TLS took TLS 1.2")


def test_slow_handshake_ends():
    """Ten seconds for all of it, however the bytes trickle."""
    with Daemon() as daemon, rfb.Client(daemon, USER, PASSWORD, connect=False) as client:
        client.start_tls()
        client.read(12)
        client.socket.settimeout(20)
        equal(client.socket.recv(1), b"", "end")


def test_unauthenticated_connections_are_bounded():
    """One peer cannot take all the room: the seventeenth is closed, others are let in again later."""
    with Daemon() as daemon:
        links = [socket.create_connection(("::1", daemon.port), 20) for _ in range(17)]
        with links[16] as last:
            try:
                equal(last.recv(1), b"", "answer to one too many")
            except ConnectionResetError:
                pass
        with rfb.Client(daemon, USER, PASSWORD, host="127.0.0.1"):
            pass
        for link in links[:16]:
            link.close()


def test_hostile_messages():
    """A session that breaks the protocol ends; the daemon serves on."""
    hostile = (b"\x07" * 64, b"\xff\x01" + bytes(32), struct.pack("!BxxxI", 6, 0xffffffff),
               struct.pack("!B3xBBBBHHHBBB3x", 0, 32, 24, 0, 1, 254, 255, 255, 16, 8, 0),
               struct.pack("!B3xBBBBHHHBBB3x", 0, 24, 24, 0, 1, 255, 255, 255, 16, 8, 0))
    with Daemon() as daemon:
        for data in hostile:
            with rfb.Client(daemon, USER, PASSWORD) as client:
                client.socket.sendall(data)
                try:
                    client.read(1)
                except rfb.Refused:
                    continue
                raise AssertionError(f"{data[:8]!r} was taken")
        with rfb.Client(daemon, USER, PASSWORD) as client:
            client.socket.sendall(struct.pack("!BxxxI", 6, 1 << 20) + bytes(1 << 20))
            client.request()
            client.update()


def test_broken_producer():
    """Every breach of the producer's protocol ends it, and the next one is taken."""
    with Daemon() as daemon:
        for breach in ("raw 1 0 0", "raw 9 0 1", "raw 5 77 1", "raw 5 5 1", "raw 6 0 0", "raw 2 0 0"):
            producer = daemon.producer()
            equal(producer.ask("mode 64 64"), "ok", "mode")
            equal(producer.ask(breach), "ok", breach)
            producer.stop()
        producer = daemon.producer()
        producer.ask("mode 64 64")
        producer.ask("frame full")
        with rfb.Client(daemon, USER, PASSWORD) as client:
            settle(client, daemon, producer)


def page(daemon, path="/api/v1/login", body=None, method="POST", cookie=None):
    """An exchange with the page, whose answer is read later: (connection, its cookie)."""
    link = http.client.HTTPSConnection("::1", daemon.https, context=daemon.trust(), timeout=20)
    head = {"Origin": f"https://[::1]:{daemon.https}", "Content-Type": "application/json"}
    if cookie:
        head["Cookie"] = cookie
    link.request(method, path, json.dumps(body) if body else None, head)
    return link


def log_in(daemon):
    answer = page(daemon, body={"user": USER, "password": PASSWORD}).getresponse()
    equal(answer.status, 200, "login")
    return answer.headers["Set-Cookie"].split(";")[0]


def status(daemon, cookie, query=""):
    return page(daemon, "/api/v1/status" + query, method="GET", cookie=cookie)


def test_status_says_when_a_client_is_current():
    """The answer comes when the Client has the Frame and waits for the next, no sooner."""
    with Daemon() as daemon, rfb.Client(daemon, USER, PASSWORD) as client:
        cookie = log_in(daemon)
        producer = daemon.producer()
        producer.ask("mode 320 240")
        producer.ask("frame full")
        settle(client, daemon, producer)
        client.request()
        newest = int(producer.ask("frame typing").split()[1])
        waiting = status(daemon, cookie, f"?hw_seq={newest}")
        client.update()
        behind = json.load(status(daemon, cookie).getresponse())
        equal(behind["capture"]["hw_seq"], newest, "Frame captured")
        waiting.sock.settimeout(0.3)
        try:
            raise AssertionError(f"answered before the Client asked again: {waiting.sock.recv(1)!r}")
        except TimeoutError:
            waiting.sock.settimeout(20)
        client.request()
        current = json.load(waiting.getresponse())
        equal(current["sessions"][0]["hw_seq"], newest, "Frame that the Client has")
        same(client, daemon, producer)


def test_disconnect():
    with Daemon() as daemon, rfb.Client(daemon, USER, PASSWORD) as client:
        cookie = log_in(daemon)
        number = json.load(status(daemon, cookie).getresponse())["sessions"][0]["id"]
        answer = page(daemon, f"/api/v1/sessions/{number}", method="DELETE", cookie=cookie).getresponse()
        check(answer.status < 300, answer.status)
        try:
            while True:
                client.read(1)
        except rfb.Refused:
            pass


def test_idle_session_ends():
    with Daemon(settings="idle_timeout = 1\n") as daemon, rfb.Client(daemon, USER, PASSWORD) as client:
        equal(client.socket.recv(1), b"", "end")


def test_stops_cleanly():
    daemon = Daemon()
    with daemon:
        with rfb.Client(daemon, USER, PASSWORD):
            equal(daemon.stop(), 0, "exit status")
        check(not os.path.exists(daemon.ring), "the producer's socket is left behind")


def test_command_line():
    program = os.environ.get("KVMNETD", os.path.join(BUILD, "kvmnetd"))
    for option, text in (("--help", "--check-config"), ("--version", "kvmnetd 0.")):
        done = subprocess.run([program, option], capture_output=True, text=True, check=True)
        check(text in done.stdout, done.stdout)
    check(subprocess.run([program, "extra"], capture_output=True).returncode != 0, "an extra word was taken")
