# SPDX-License-Identifier: GPL-2.0-or-later
"""Tickets at a Device: what they open and what not, on ports 443 and 900, once, also while the Manager is away. The
Manager is a stand-in (tests/lib/authority.py) that can also sign what a Manager never would.
"""

import contextlib
import json
import signal
import struct
import time

import rfb
from authority import Authority, Standin
from case import Failure, check, equal, scratch
from daemon import PASSWORD, USER, Daemon
from test_adoption import adopt, await_status, linked, owner_of
from test_web import Ended, Web, frame, handshake, message

A, B = 0x61, 0x62  # keysyms
USAGE = {A: 4, B: 5}  # HID usages


class Office:
    """A Device under a Manager that has told it its keys. `with` it."""

    def __init__(self):
        self.stack = contextlib.ExitStack()
        self.authority = Authority()

    def __enter__(self):
        self.daemon = self.stack.enter_context(Daemon())
        standin = self.stack.enter_context(Standin(self.authority, self.stack.enter_context(scratch("standin"))))
        self.owner = owner_of(self.daemon)
        equal(adopt(self.owner, self.authority.adoption(self.daemon, standin.address))[0], 200)
        self.standin = standin
        self.link = None
        self.take_link()
        equal(self.link.ask(1, "PUT", "/api/v1/ticket-keys", self.authority.ticket_keys()), (204, None))
        return self

    def take_link(self):
        self.link = self.stack.enter_context(self.standin.accept())
        self.link.welcome()
        linked(self.owner, "up")

    def restart(self):
        """Also, the limits forget."""
        self.daemon.stop()
        self.daemon.restart()
        self.owner = owner_of(self.daemon)
        self.take_link()

    def __exit__(self, *failure):
        self.stack.__exit__(*failure)

    def manager_leaves(self):
        """It is switched off."""
        self.standin.close()
        self.link.close()
        await_status(self.owner, lambda status: status["manager"]["link"] != "up", "a link that is down")

    def ticket(self, *rights, **changes):
        return self.authority.ticket(self.daemon, rights or ("view", "control"), **changes)

    def use(self, ticket, caller=None):
        """(its caller, status, answer)."""
        caller = caller or Web(self.daemon)
        return caller, *caller.ask("POST", "/api/v1/ticket", {"ticket": ticket})

    def person(self, *rights):
        """Somebody who came with a Ticket."""
        caller, status, answer = self.use(self.ticket(*rights))
        equal((status, answer), (200, {"user": "ann", "rights": list(rights or ("view", "control"))}))
        return caller

    def refused(self, ticket, words):
        _, got, answer = self.use(ticket)
        equal(got, 403, str(answer))
        check(words in answer["error"], f"{answer}: expected {words!r}")


def console(caller):
    status, link = caller.upgrade("/api/v1/console", "binary")
    equal(status, 101, "console")
    handshake(link)
    return link


def press(link, *keysyms):
    """In a console's WebSocket, each down and up; then a pointer in the corner."""
    for keysym in keysyms:
        link.sendall(frame(struct.pack("!BBxxI", 4, 1, keysym) + struct.pack("!BBxxI", 4, 0, keysym)))
    link.sendall(frame(struct.pack("!BBHH", 5, 1, 0, 0)))


def pressed(daemon):
    """The key of the next report, and that it is let go."""
    key, none = daemon.keyboard.report()[2], daemon.keyboard.report()[2]
    equal(none, 0, "the key is let go")
    return key


def both_end(link, viewer):
    """A console and a session on the video port."""
    with contextlib.suppress(Ended):
        while message(link)[0] != 8:
            pass
    try:
        while True:
            viewer.read(1)
    except rfb.Refused as refused:
        equal(str(refused), "closed")


def test_opens_a_session():
    """A log-in of the Ticket's user that sees and types; nothing that is an owner's."""
    with Office() as office:
        person = office.person()
        status = person.ask("GET", "/api/v1/status")[1]
        equal((status["user"], status["rights"]), ("ann", ["view", "control"]))
        with console(person) as link:
            press(link, A)
            equal(pressed(office.daemon), USAGE[A])
            session = await_status(person, lambda status: status["sessions"], "a session")["sessions"][0]
            equal((session["user"], session["view_only"]), ("ann", False))
            for method, path, body in (("GET", "settings", None), ("PUT", "settings", {}), ("DELETE", "adoption", None),
                                       ("DELETE", f"sessions/{session['id']}", None),
                                       ("PUT", "ticket-keys", office.authority.ticket_keys()),
                                       ("POST", "password", {"old_password": "", "new_password": "x" * 8})):
                equal(person.ask(method, f"/api/v1/{path}", body)[0], 403, path)
            equal(adopt(person, Authority().adoption(office.daemon))[0], 401, "adoption")
            equal(office.link.ask(2, "DELETE", f"/api/v1/sessions/{session['id']}"), (204, None))
            with contextlib.suppress(Ended):
                while (code := message(link))[0] != 8:
                    pass
            equal(struct.unpack(">H", code[1][:2])[0], 1000, "the close code of a session that was ended")
        equal(person.ask("POST", "/api/v1/logout")[0], 204)
        equal(person.ask("GET", "/api/v1/status")[0], 401)


def test_view_only():
    """On both ports keys and pointer of who may only watch go nowhere, whatever he sends; others' do."""
    with Office() as office:
        daemon = office.daemon
        producer = daemon.producer()
        producer.ask("mode 320 240")
        producer.ask("frame full")
        watcher = office.person("view")
        equal(watcher.ask("GET", "/api/v1/status")[1]["rights"], ["view"])
        with console(watcher) as link, rfb.Client(daemon, "ann", office.ticket("view")) as viewer, \
                console(office.person()) as other:
            press(link, A)
            viewer.key(A, True)
            viewer.key(A, False)
            viewer.pointer(3, 3, 1)
            # A picture that was asked for behind them: they were read.
            viewer.request(incremental=False)
            viewer.update()
            link.sendall(frame(struct.pack("!BBHHHH", 3, 0, 0, 0, 320, 240)))
            message(link)
            press(other, B)
            equal(pressed(daemon), USAGE[B], "the first key that arrives")
            sessions = watcher.ask("GET", "/api/v1/status")[1]["sessions"]
            equal(sorted((session["view_only"], session["keys"]) for session in sessions),
                  [(False, 2), (True, 0), (True, 0)])


def test_video_port():
    """A Ticket in a password's place, for Clients with TLS from the first byte and for stock viewers."""
    with Office() as office:
        for stock in (False, True):
            ticket = office.ticket()
            with rfb.Client(office.daemon, "ann", ticket, stock=stock) as client:
                client.key(A, True)
                client.key(A, False)
                equal(pressed(office.daemon), USAGE[A])
            for user, secret, words in (("ann", ticket, "used before"), ("bob", office.ticket(), "another user"),
                                        ("", office.ticket(), "another user"),
                                        ("ann", office.ticket(exp=1, iat=1), "all that a Ticket says"),
                                        ("ann", "x" * 1024, "no Ticket"), ("ann", "x" * 1025, "too long"),
                                        (USER, PASSWORD, "A Manager decides")):
                try:
                    with rfb.Client(office.daemon, user, secret, stock=stock):
                        raise AssertionError(f"{user} is in")
                except rfb.Refused as refused:
                    check(words in str(refused), f"{user}: {refused}, expected {words!r}")
            office.restart()


def test_unsound_tickets():
    """Each is refused with its reason, and one that is right is none the worse for it."""
    with Office() as office:
        now = int(time.time())
        right = office.ticket()
        head, claims, signature = right.split(".")
        other = Authority()
        other.id = office.authority.id
        for ticket, words in (
                (f"{head}.{claims}.{signature[:-2]}AA", "signature"), (f"{head}.{claims}.", "signature"),
                (f"{head}.{claims}", "no Ticket"), ("", "no Ticket"),
                (other.ticket(office.daemon), "does not know")):
            office.refused(ticket, words)
        office.restart()
        for changes, words in (
                ({"iss": "0" * 64}, "another Manager"), ({"aud": "0" * 64}, "another Device"),
                ({"iat": now - 200, "exp": now - 140}, "expired"), ({"iat": now + 100, "exp": now + 160}, "not valid yet"),
                ({"exp": now + 3600}, "all that")):
            office.refused(office.ticket(**changes), words)
        office.restart()
        equal(office.use(right)[1], 200, "one that is right, after all that")
        tries = [office.use("x")[1] for _ in range(20)]
        check(set(tries) == {403, 429}, f"wrong ones without a limit: {tries}")


def test_used_once():
    """Also when the power goes right after."""
    with Office() as office:
        ticket = office.ticket()
        caller, status, _ = office.use(ticket)
        equal(status, 200)
        office.daemon.process.send_signal(signal.SIGKILL)
        office.daemon.process.wait()
        office.daemon.restart()
        equal(caller.ask("GET", "/api/v1/status")[0], 401, "the log-in of before")
        office.refused(ticket, "used before")


def test_manager_is_away():
    """Sessions go on, Tickets still open, after a restart too; and now the owner may as well."""
    with Office() as office:
        owner, daemon = office.owner, office.daemon
        equal(owner.ask("GET", "/api/v1/status")[1]["rights"], [])
        equal(owner.upgrade("/api/v1/console", "binary")[0], 403, "the owner's console under a Manager")
        with console(office.person()) as link:
            office.manager_leaves()
            press(link, A)
            equal(pressed(daemon), USAGE[A])
        daemon.stop()
        daemon.restart()
        office.owner = owner_of(daemon)
        with console(office.person()) as link:
            press(link, A)
            equal(pressed(daemon), USAGE[A])
        equal("control" in office.owner.ask("GET", "/api/v1/status")[1]["rights"], True)
        with console(office.owner) as link, rfb.Client(daemon, USER, PASSWORD):
            press(link, B)
            equal(pressed(daemon), USAGE[B])


def test_revoked():
    """What a person's Tickets opened ends on both ports, others' goes on; Tickets that are not used are taken back."""
    with Office() as office:
        now = int(time.time())
        person, other, later = office.person(), Web(office.daemon), office.ticket()
        equal(office.use(office.ticket(sub="bob"), other)[1], 200)
        with console(person) as link, rfb.Client(office.daemon, "ann", office.ticket()) as viewer, console(other) as theirs:
            for path, status in (("guests/ann", 400), ("guests/ann?issued=0", 400), ("guests/ann?issued=x", 400),
                                 (f"guests/ann?issued={now + 3600}", 400), (f"guests/{'x' * 65}?issued=1", 404),
                                 (f"guests/ann?issued={int(time.time())}", 204)):
                equal(office.link.ask(2, "DELETE", f"/api/v1/{path}")[0], status, path)
            both_end(link, viewer)
            press(theirs, A)
            equal(pressed(office.daemon), USAGE[A], "somebody else's key")
        equal(person.ask("GET", "/api/v1/status")[0], 401)
        equal(other.ask("GET", "/api/v1/status")[0], 200)
        office.refused(later, "taken back")
        office.restart()
        office.refused(later, "taken back")


def test_body_after_the_login():
    """What was begun with a log-in that ended before the body came changes nothing."""
    body = json.dumps({"revision": 7, "session_timeout_s": 5, "name": "mine", "managers": []}).encode()
    with Daemon() as daemon:
        first, second = owner_of(daemon), owner_of(daemon)
        before = second.ask("GET", "/api/v1/settings")
        head = first.headers(Content_Type="application/json", Content_Length=str(len(body)))
        adoption = json.dumps(Authority().adoption(daemon)).encode()
        links = []
        for method, path, data in (("PUT", "settings", body), ("POST", "adoption", adoption)):
            head["Content-Length"] = str(len(data))
            link = first.connect()
            link.sendall(f"{method} /api/v1/{path} HTTP/1.1\r\n".encode() +
                         "".join(f"{name}: {value}\r\n" for name, value in head.items()).encode() + b"\r\n" + data[:1])
            links.append((link, data))
        # Those are read before what the second one asks on a later connection is answered.
        equal(second.ask("GET", "/api/v1/status")[0], 200)
        equal(second.ask("POST", "/api/v1/password", {"old_password": PASSWORD, "new_password": "x" * 20})[0], 200)
        for link, data in links:
            with link:
                link.sendall(data[1:])
                equal(link.recv(100).split()[1], b"401")
        equal(second.ask("GET", "/api/v1/settings"), before)
        equal(second.ask("GET", "/api/v1/state")[1]["managed"], False)


def test_released_manager_asks_on():
    """One that keeps a request open when it is released has no say any more: not over the next Manager's Tickets either."""
    other = Authority("Other")
    with Office() as office:
        office.link.send({"request": {"id": 9, "method": "GET", "path": "/api/v1/status?hw_seq=9223372036854775807"}})
        equal(office.link.ask(10, "GET", "/api/v1/status")[0], 200, "behind that")
        equal(office.owner.ask("DELETE", "/api/v1/adoption")[0], 204)
        equal(adopt(office.owner, other.adoption(office.daemon))[0], 200)
        for number, method, path, body in ((11, "PUT", "ticket-keys", office.authority.ticket_keys()),
                                           (12, "DELETE", "adoption", None)):
            office.link.send({"request": {"id": number, "method": method, "path": f"/api/v1/{path}", **({"body": body} if body else {})}})
        with contextlib.suppress(Failure, OSError):
            while True:
                answer = office.link.receive().get("response", {"id": 9})
                check(answer["id"] == 9 or answer["status"] == 403, str(answer))
        state = office.owner.ask("GET", "/api/v1/state")[1]
        equal(state["manager"]["id"], other.id, "whose it is")
        forged = Authority()
        forged.id, forged.ticket_key = other.id, office.authority.ticket_key
        office.refused(forged.ticket(office.daemon), "has not told")


def test_release_ends_them():
    """Whoever the Manager let in goes with it, on both ports, and its Tickets with them."""
    with Office() as office:
        person, later = office.person(), office.ticket()
        with console(person) as link, rfb.Client(office.daemon, "ann", office.ticket()) as viewer:
            equal(office.link.ask(2, "DELETE", "/api/v1/adoption"), (204, None))
            both_end(link, viewer)
        equal(person.ask("GET", "/api/v1/status")[0], 401)
        office.refused(later, "no Manager")
        equal(office.owner.ask("GET", "/api/v1/status")[1]["sessions"], [])
