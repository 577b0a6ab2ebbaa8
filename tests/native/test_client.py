# SPDX-License-Identifier: GPL-2.0-or-later
"""kvmnet against a real Manager and real Devices: each command, right and wrong, whom it believes, its exit statuses;
and against servers that answer as none should.
"""

import contextlib
import json
import os
import pty
import select
import socket
import ssl
import struct
import subprocess
import sys
import threading

from authority import Authority, hash_of
from case import BUILD, TOP, Deadline, check, equal, scratch
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from daemon import PASSWORD, USER
from manager import ADMIN, ADMIN_PASSWORD, Person
from test_manager import Wire, adopted, named
from test_permission import SECRET, add_user
from test_web import claim_code, handshake

KVMNET = os.path.join(BUILD, "asan", "kvmnet")
COMMANDS = ("claim", "devices", "adopt", "targets", "ticket", "screenshot", "type", "sessions", "users")
DONE, FAILED, USAGE, REFUSED, NO_PEER = range(5)


class Seat:
    """Where somebody sits and types commands: a namespace, and settings of his own. `with` it."""

    def __init__(self, space=None):
        self.enter = space.enter if space else []
        self.stack = contextlib.ExitStack()
        self.home = self.stack.enter_context(scratch("client"))
        self.environment = dict(os.environ, XDG_CONFIG_HOME=os.path.join(self.home, "config"))

    def file(self, name, text):
        path = os.path.join(self.home, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    def run(self, *words, given=""):
        return subprocess.run([*self.enter, KVMNET, *words], input=given, capture_output=True, text=True, check=False,
                              env=self.environment, timeout=100)

    def expect(self, status, *words, given="", says=""):
        """What it printed; says: a part of that, or of the complaint."""
        done = self.run(*words, given=given)
        equal(done.returncode, status, f"{words}: {done.stdout} {done.stderr}")
        check(says in (done.stderr if status else done.stdout), f"{words}: {done}")
        check(status != DONE or not done.stderr, f"{words} complains: {done.stderr}")
        return done.stdout

    def typed(self, answers, *words):
        """(status, all that the terminal showed): at one, with an answer to each question that shows this."""
        pid, terminal = pty.fork()
        if not pid:
            os.execvpe(self.enter[0] if self.enter else KVMNET, [*self.enter, KVMNET, *words], self.environment)
        shown, left = "", list(answers)
        limit = Deadline(100, f"the end of {words}")
        with contextlib.suppress(OSError):  # the other end is closed
            while True:
                select.select([terminal], [], [], limit.left())
                data = os.read(terminal, 65536)
                if not data:
                    break
                shown += data.decode()
                if left and left[0][0] in shown:
                    os.write(terminal, left.pop(0)[1].encode() + b"\n")
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()


class Desk(Seat):
    """A seat where the Manager is, whose administrator knows its key."""

    def __init__(self, manager, user=ADMIN, password=ADMIN_PASSWORD):
        super().__init__(manager.space)
        self.place = f"{manager.address}:{manager.https}"
        self.log_in = ("--pin", pin_of(manager, "manager"), "--user", user, "--password-file", self.file("password", password))

    def ask(self, command, *words, status=DONE, says="", given=""):
        return self.expect(status, command, self.place, *words, *self.log_in, says=says, given=given)

    def json(self, command, *words):
        return json.loads(self.ask(command, *words, "--json"))


def certificate_of(server, stem):
    with open(os.path.join(server.state, f"{stem}.crt"), "rb") as text:
        return x509.load_pem_x509_certificate(text.read())


def pin_of(server, stem="device"):
    return hash_of(certificate_of(server, stem).public_key())


def console(process):
    """(code, fingerprint) that a new one shows."""
    for line in process.stdout:
        if line.startswith(b"Claim code:"):
            code = line.split()[2].decode()
        if line.startswith(b"Certificate:"):
            return code, line.split()[2].decode()
    raise AssertionError("it ended")


def known(seat):
    path = os.path.join(seat.home, "config", "kvmnet", "known")
    with contextlib.suppress(FileNotFoundError), open(path, encoding="ascii") as text:
        return text.read()
    return ""


def test_claims_a_manager():
    with Wire() as wire:
        manager = wire.manager()
        code, fingerprint = console(manager.process)
        with Seat(manager.space) as seat:
            place = f"{manager.address}:{manager.https}"
            words = ("claim", place, "--user", ADMIN, "--password-file", "-")
            pinned = (*words, "--pin", fingerprint)
            seat.expect(NO_PEER, *words, "--code", code, given=ADMIN_PASSWORD, says="is not known")
            seat.expect(NO_PEER, *words, "--code", code, "--pin", "AB:" * 31 + "CD", given=ADMIN_PASSWORD, says="another key")
            seat.expect(REFUSED, *pinned, "--code", "AAAA-AAAA-AAAA", given=ADMIN_PASSWORD, says="not right")
            seat.expect(USAGE, *pinned, given=ADMIN_PASSWORD, says="--code")
            seat.expect(USAGE, *pinned, "--code", code, given="short", says="8 to 256")
            seat.expect(FAILED, *pinned, "--code", code, given="", says="first line")
            seat.expect(DONE, *pinned, "--code", code, given=ADMIN_PASSWORD + "\n", says="yours")
            seat.expect(FAILED, *pinned, "--code", code, given=ADMIN_PASSWORD, says="has an owner")
            seat.expect(DONE, "devices", place, *pinned[2:], given=ADMIN_PASSWORD, says="NAME")
            equal(known(seat), "", "keys that nobody confirmed")


def test_claims_a_device():
    """At a terminal, where the key is confirmed, and remembered until it is another."""
    with Wire() as wire:
        device = wire.device(claim=False)
        code, fingerprint = console(device.process)
        with Seat(device.space) as seat:
            place = f"{device.address}:{device.https}"
            questions = [("(yes/no)", "no")]
            status, shown = seat.typed(questions, "claim", place)
            equal(status, NO_PEER, shown)
            check(fingerprint in shown, shown)
            names = [("Claim code:", code), ("New user name:", USER), ("New password:", PASSWORD)]
            status, shown = seat.typed([("(yes/no)", "yes"), *names, ("again:", PASSWORD[1:])], "claim", place)
            equal(status, FAILED, shown)
            check("two different passwords" in shown and PASSWORD[1:] not in shown, shown)
            status, shown = seat.typed([*names[:2], ("New password:", "x" * 257)], "claim", place)
            equal(status, FAILED, shown)
            check("at most 256 characters" in shown, shown)
            status, shown = seat.typed([*names, ("again:", PASSWORD)], "claim", place)
            equal(status, DONE, shown)
            check(PASSWORD not in shown, shown)
            equal(known(seat), f"[{device.address}]:{device.https} {pin_of(device)}\n")
            status, shown = seat.typed([("User name:", USER), ("Password:", PASSWORD)], "sessions", place)
            equal(status, DONE, shown)
            with open(os.path.join(seat.home, "config", "kvmnet", "known"), "w", encoding="ascii") as out:
                out.write(f"odd\n[{device.address}]:{device.https} {'0' * 64}\n")
            seat.expect(NO_PEER, "sessions", place, says="ANOTHER KEY")


def test_by_ca():
    with Wire() as wire, scratch("ca") as folder:
        manager = wire.manager()
        manager.claimed()
        with Desk(manager) as desk:
            ca = os.path.join(manager.state, "ca.crt")
            log_in = desk.log_in[2:]
            desk.expect(DONE, "targets", desk.place, "--ca", ca, *log_in)
            other = os.path.join(folder, "other.crt")
            with open(other, "wb") as out:
                out.write(certificate_of(wire.device(), "device").public_bytes(Encoding.PEM))
            desk.expect(NO_PEER, "targets", desk.place, "--ca", other, *log_in, says="not this CA's")
            desk.expect(FAILED, "targets", desk.place, "--ca", desk.file("empty", ""), *log_in, says="no certificate")
            desk.expect(USAGE, "targets", desk.place, "--ca", ca, *desk.log_in, says="--pin or --ca")


def test_adopts():
    with Wire() as wire:
        manager = wire.manager()
        admin, new, owned = manager.claimed(), wire.device(claim=False), wire.device("right")
        code = claim_code(new)
        new_id, owned_id = (admin.await_device(named(name), name)["id"] for name in ("left", "right"))
        with Desk(manager) as desk:
            equal(desk.json("devices"), admin.ask("GET", "devices")[1])
            desk.ask("devices", says="unclaimed")
            desk.ask("adopt", "left", "--code", code, status=USAGE, says=new_id)
            desk.ask("adopt", "middle", "--code", code, status=FAILED, says="no such Device")
            desk.ask("adopt", new_id, "--code", "AAAA-AAAA-AAAA", status=REFUSED, says="not right")
            desk.ask("adopt", new_id, status=USAGE, says="--code")
            equal(desk.json("adopt", new_id, "--code", code), {"id": new_id})
            wrong = ("--owner", USER, "--owner-password-file", desk.file("wrong", "wrong password"))
            desk.ask("adopt", owned_id, *wrong, status=REFUSED)
            status, shown = desk.typed([("(yes/no)", "yes"), ("owner:", USER), ("Password of", PASSWORD)],
                                       "adopt", desk.place, "right", *desk.log_in)
            equal(status, DONE, shown)
            check(owned_id in shown and PASSWORD not in shown, shown)
            for name in "left", "right":
                admin.await_device(named(name, link="up", state="adopted"), f"{name} is linked")
            desk.ask("devices", says="adopted")
            # An adopted Device has another certificate, and the same key.
            seat = ("--pin", owned_id, "--user", USER, "--password-file", desk.file("owner", PASSWORD))
            desk.expect(DONE, "sessions", f"{owned.address}:{owned.https}", *seat, says="ID")


def test_tickets_and_sessions():
    with Wire() as wire:
        manager = wire.manager()
        admin, device = manager.claimed(), wire.device()
        found = adopted(admin)
        with Desk(manager) as desk:
            equal(desk.json("targets"), admin.ask("GET", "targets")[1])
            desk.ask("targets", says="control")
            desk.ask("ticket", "nowhere", status=FAILED, says="no such Target")
            desk.ask("ticket", "left", says=f"https://{device.address}:{device.https}/#ticket=")
            given = [desk.json("ticket", name, *more) for name, more in
                     (("left", ()), (found["id"][:12], ("--view-only",)))]
            equal(given[1]["rights"], ["view"])
            guests = [Person(device), Person(device)]
            for guest, ticket in zip(guests, given):
                status, answer = guest.ask("POST", "ticket", {"ticket": ticket["ticket"]})
                equal((status, answer["rights"]), (200, ticket["rights"]))
            equal(admin.ask("POST", f"targets/{found['id']}/ticket?view_only=2")[0], 400)
            at_device = (f"{device.address}:{device.https}", "--pin", found["id"], "--user", USER, "--password-file",
                         desk.file("owner", PASSWORD))
            with guests[0].console() as first, guests[1].console() as second:
                handshake(first)
                handshake(second)
                admin.await_device(lambda it: len(it["status"]["sessions"]) == 2, "the sessions in the Manager's list")
                sessions = desk.json("sessions")["sessions"]
                equal(sorted((session["user"], session["target"], session["view_only"]) for session in sessions),
                      [(ADMIN, "left", False), (ADMIN, "left", True)])
                there = json.loads(desk.expect(DONE, "sessions", *at_device, "--json"))["sessions"]
                equal(sorted(session["id"] for session in there), sorted(session["id"] for session in sessions))
                desk.expect(USAGE, "sessions", at_device[0], "end", "left", *at_device[1:], says="number")
                desk.expect(DONE, "sessions", at_device[0], "end", str(there[0]["id"]), *at_device[1:])
                admin.await_device(lambda it: len(it["status"]["sessions"]) == 1, "the end of one")
                desk.ask("sessions", "end", "nowhere", status=FAILED, says="no such Target")
                desk.ask("sessions", "end", "left")
                admin.await_device(lambda it: not it["status"]["sessions"], "the end of the other")


def usages(keyboard, count):
    """The next so many reports of a keyboard."""
    return [list(keyboard.report()) for _ in range(count)]


def plain(usage):
    return [[0, 0, usage, 0, 0, 0, 0, 0], [0] * 8]


def test_screenshot_and_type():
    with Wire() as wire:
        manager = wire.manager()
        admin, device = manager.claimed(), wire.device()
        found = adopted(admin)
        add_user(admin, "eve", "viewonly")
        status, made = admin.ask("POST", "sets", {"name": "All", "targets": [found["id"]]})
        equal(status, 200)
        equal(admin.ask("POST", "groups", {"name": "All", "users": ["eve"], "sets": [made["id"]]})[0], 200)
        producer = device.producer()
        with Desk(manager) as desk, Desk(manager, "eve", SECRET) as eves:
            port, keyboard = ("--session-port", str(device.port)), device.keyboard
            for width, height in (320, 240), (1366, 768):
                producer.ask(f"mode {width} {height}")
                producer.ask("frame typing 3")
                for seat in desk, eves:
                    path = os.path.join(seat.home, "screen.png")
                    admin.await_device(lambda it: it["status"]["capture"]["width"] == width, "the Mode")
                    equal(seat.json("screenshot", "left", path, *port), {"file": path, "width": width, "height": height})
                    dump = os.path.join(seat.home, "dump")
                    check(producer.ask(f"dump {dump}").startswith("ok"), "no dump")
                    equal(pixels(path), dumped(dump), "the picture")
            desk.ask("type", "left", "aB\n", "--key", "ctrl-Alt-DEL", "--key", "F11", *port)
            equal(usages(keyboard, 2), plain(4))
            shift = [2, 0, 0, 0, 0, 0, 0, 0]
            equal(usages(keyboard, 4), [shift, [2, 0, 5, 0, 0, 0, 0, 0], shift, [0] * 8])
            equal(usages(keyboard, 2), plain(0x28))
            held = [[mask, 0, 0, 0, 0, 0, 0, 0] for mask in (1, 5)]
            equal(usages(keyboard, 6), [*held, [5, 0, 0x4c, 0, 0, 0, 0, 0], *reversed(held), [0] * 8])
            equal(usages(keyboard, 2), plain(0x44))
            desk.ask("type", "left", "-", *port, given="b")
            equal(usages(keyboard, 2), plain(5))
            eves.ask("type", "left", "c", *port, status=REFUSED, says="you may watch")
            for words, says in ((("\u00fc",), "no key"), (("x", "--key", "Any"), "no such key"), ((), "give a text"),
                                (("x" * 4097,), "longer"), (("x", "--session-port", "0"), "--session-port")):
                desk.ask("type", "left", *words, status=USAGE, says=says)
            desk.ask("type", "nowhere", "x", *port, status=FAILED, says="no such Target")
            desk.ask("screenshot", "left", "/no/such/folder/x.png", *port, status=FAILED, says="/no/such")
            desk.ask("screenshot", "left", "x.png", "--session-port", "1", status=NO_PEER, says="session port")
            # Another server on that port has another key.
            desk.ask("screenshot", "left", "x.png", "--session-port", str(device.https + 1), status=NO_PEER)
            keyboard.link.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                raise AssertionError(f"a key that nobody pressed: {keyboard.report()}")


HELLO = b"RFB 003.008\n\1\x13\0\2\0\1" + struct.pack(">I", 256)
OPENED = HELLO + struct.pack(">IHH16xI", 0, 64, 64, 0)
NOTHING = struct.pack(">BxH", 0, 0)


def context_of(folder):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(folder, "device.crt"), os.path.join(folder, "device.key"))
    return context


def speak(listener, context, first, then):
    """The next one who comes hears that, within TLS."""
    plain, _ = listener.accept()
    with plain, contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as tls:
        tls.sendall(first)
        while then:
            tls.sendall(then)
        while tls.recv(4096):
            pass


def test_hostile_sessions():
    """Who holds the Device's key, and answers as no Device does: it ends in time, and says why."""
    with Wire() as wire:
        manager = wire.manager()
        admin, device = manager.claimed(), wire.device()
        adopted(admin)
        own = context_of(device.state)
        with Desk(manager) as desk, scratch("stranger") as folder, device.space.open(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.bind((device.address, 0))
            listener.listen(1)
            port = str(listener.getsockname()[1])
            identity(folder)
            stranger, old = context_of(folder), context_of(device.state)
            old.maximum_version = ssl.TLSVersion.TLSv1_2
            for first, then, status, says in (
                    (stranger, b"", NO_PEER, "another key"), (old, b"", NO_PEER, "TLS 1.3"), (b"", b"", NO_PEER, "in time"), (b"RFB 003", b"", NO_PEER, "in time"),
                    (b"HTTP/1.1 400 Bad", b"", FAILED, "no Device of ours"), (OPENED, b"\1", FAILED, "not asked for"),
                    (HELLO + struct.pack(">II", 1, 9) + b"No \x1b[2J.\n", b"", REFUSED, "No ?[2J.?"),
                    (OPENED, NOTHING * 1000, NO_PEER, "in time"), (OPENED, b"", NO_PEER, "in time")):
                context, first = (own, first) if isinstance(first, bytes) else (first, b"")
                server = threading.Thread(target=speak, args=(listener, context, first, then))
                server.start()
                try:
                    desk.ask("screenshot", "left", "x.png", "--session-port", port, "--timeout", "3", status=status, says=says)
                finally:
                    server.join()


def pixels(path):
    """(width, height, RGB bytes) of a PNG, by ImageMagick."""
    done = subprocess.run(["convert", path, "-depth", "8", "ppm:-"], capture_output=True, check=True)
    kind, width, height, _ = done.stdout.split(maxsplit=4)[:4]
    equal(kind, b"P6")
    return int(width), int(height), done.stdout[-3 * int(width) * int(height):]


def dumped(path):
    """The same of the producer's dump."""
    with open(path, "rb") as data:
        width, height = map(int, data.readline().split())
        frame = data.read()
    rgb = bytearray(3 * width * height)
    rgb[0::3], rgb[1::3], rgb[2::3] = frame[2::4], frame[1::4], frame[0::4]
    return width, height, bytes(rgb)


def test_users():
    with Wire() as wire:
        manager = wire.manager()
        admin = manager.claimed()
        with Desk(manager) as desk:
            new = ("--new-password-file", desk.file("new", SECRET))
            desk.ask("users", "add", "ann", "--type", "viewonly", *new)
            desk.ask("users", "add", "ann", *new, status=FAILED)
            desk.ask("users", "add", "bob", "--type", "king", *new, status=FAILED, says="administrator")
            desk.ask("users", "add", "bob", status=USAGE, says="--new-password-file")
            equal(desk.json("users"), admin.ask("GET", "users")[1])
            desk.ask("users", "list", says="viewonly")
            with Desk(manager, "ann", SECRET) as anns:
                equal(anns.json("targets"), {"targets": []})
                anns.ask("users", status=REFUSED, says="administrators")
                anns.ask("devices", status=REFUSED)
                desk.ask("users", "set-type", "ann", "administrator")
                anns.ask("users", says="ann")
                desk.ask("users", "password", "ann", "--new-password-file", desk.file("newer", SECRET + "2"))
                anns.ask("users", status=REFUSED)
            desk.ask("users", "remove", "ann")
            desk.ask("users", "remove", "ann", status=FAILED)
            desk.ask("users", "remove", ADMIN, status=FAILED, says="last administrator")
            for words in (("remove",), ("set-type", "ann"), ("what",), ("remove", "../ann"), ("list", "ann")):
                desk.ask("users", *words, status=USAGE)
            wrong = (*desk.log_in[:4], "--password-file", desk.file("wrong", "not the password"))
            desk.expect(REFUSED, "users", desk.place, *wrong)
            desk.expect(FAILED, "users", desk.place, *desk.log_in[:4], "--password-file", "/no/such/file", says="No such file")
            # Each command has logged out at its end.
            what = [event["what"] for event in admin.ask("GET", "audit")[1]["events"]]
            check(what.count("log in") >= 10, str(what))
            manager.stop()
            desk.ask("users", status=NO_PEER, says="cannot be spoken to")
            desk.ask("ticket", "left", status=NO_PEER)
            manager.start()


def identity(folder):
    """device.key and device.crt of a stranger; the key's id."""
    key = ec.generate_private_key(ec.SECP256R1())
    with open(os.path.join(folder, "device.key"), "wb") as out:
        out.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with open(os.path.join(folder, "device.crt"), "wb") as out:
        out.write(Authority().issue(key.public_key(), ["x.example"]).public_bytes(Encoding.PEM))
    return hash_of(key.public_key())


@contextlib.contextmanager
def hostile(mode):
    """(address, its key's id) of a server in a Device's place that answers as the mode says."""
    with scratch("hostile") as folder:
        pin = identity(folder)
        server = subprocess.Popen([sys.executable, os.path.join(TOP, "tests", "lib", "standin.py"), folder, mode],
                                  stdout=subprocess.PIPE)
        try:
            yield f"127.0.0.1:{int(server.stdout.readline())}", pin
        finally:
            server.kill()
            server.wait()
            server.stdout.close()


def test_hostile_servers():
    """Nothing of theirs hangs it, fills it or gets to the terminal."""
    with Seat() as seat:
        password = seat.file("password", "correct horse")
        for mode, command, status, says in (
                ("silent", "sessions", NO_PEER, "in time"), ("endless", "sessions", FAILED, "sends more"),
                ("redirect", "sessions", FAILED, "another version"), ("page", "sessions", FAILED, "another version"),
                ("truncated", "sessions", NO_PEER, "broke off"), ("half", "sessions", FAILED, "another version"),
                ("nested", "sessions", FAILED, "another version"), ("list", "sessions", FAILED, "another version"),
                ("old", "sessions", NO_PEER, "cannot be spoken to"), ("new", "targets", FAILED, "is a Device"),
                ("claimed", "sessions", REFUSED, "wrong"), ("new", "claim", REFUSED, "not the code on the console.?[2J?")):
            with hostile(mode) as (place, pin):
                seat.expect(status, command, place, "--pin", pin, "--user", "eve", "--password-file", password, "--timeout", "3",
                            *(("--code", "X") if command == "claim" else ()), says=says)


def test_explains_itself():
    with Seat() as seat:
        everything = seat.expect(DONE, "--help", says="discover")
        for command in COMMANDS:
            check(f"  {command} " in everything, everything)
            seat.expect(DONE, command, "--help", says=f"Usage: kvmnet {command} ")
            seat.expect(USAGE, command, says="argument is missing")
            seat.expect(USAGE, command, *"abcdef", says="too many")
            seat.expect(USAGE, command, "--what")
            seat.expect(USAGE, command, "x", "--timeout", "0", says="--timeout")
        for place in ("", ":", "a:0", "a:65536", "[::1", "a b", "http://a", "a/", "::1%", "[::1]x", "x" * 300):
            seat.expect(USAGE, "targets", place, says="no address")
        for pin in ("", "AB", "x" * 64, "0" * 63, "0" * 65, "AB:" * 32, ":" + "AB:" * 31 + "AB"):
            seat.expect(USAGE, "targets", "127.0.0.1:1", "--pin", pin, says="--pin")
        seat.expect(USAGE, "targets", "a", "--code", "x", says="not this command's")
        seat.expect(USAGE, "users", "a", "--password-file", "-", "--new-password-file", "-", says="only one")
        seat.expect(NO_PEER, "targets", "127.0.0.1:1", "--user", "a", says="cannot be spoken to")
        with open(os.path.join(TOP, "userland", "client", "kvmnet.1"), encoding="utf-8") as text:
            page = text.read()
        with open(os.path.join(TOP, "packaging", "bash-completion", "kvmnet"), encoding="utf-8") as text:
            completion = text.read()
        for command in COMMANDS:
            check(f".Ss kvmnet {command}" in page, f"{command} in the manual page")
            check(f" {command} " in completion, f"{command} completed")
