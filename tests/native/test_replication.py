# SPDX-License-Identifier: GPL-2.0-or-later
"""Two Managers, each with a MariaDB server of its own, on a wire with a Device: paired, the first killed under writes,
the second promoted, and the first back as its Secondary.
"""

import contextlib
import getpass
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import threading

import mariadb
from case import Deadline, check, equal, scratch
from manager import ADMIN, ADMIN_PASSWORD, Manager, Person
from test_manager import Wire, adopted, named
from test_managerpage import SHOTS, Page, log_in
from test_mariadb import Writer, check_kept, refused
from test_permission import SECRET, add_user
from test_web import Ended, frame, handshake, message

LIMIT = 200  # two servers, two Managers, a Device, and parts that change every ten seconds


class Office:
    """A Manager that is not started, and its server, which is."""

    def __init__(self, wire, https=None):
        self.space, self.address = wire.space()
        self.server = wire.stack.enter_context(mariadb.Server(within=self.space.enter))
        self.folder = wire.stack.enter_context(scratch("server"))
        self.manager = Manager(self.space, self.address, https=https)
        wire.stack.enter_context(self.manager.stack)
        wire.stack.callback(lambda: self.manager.process and self.manager.stop())

    def use_mariadb(self):
        with open(self.manager.config, "a", encoding="ascii") as out:
            out.write(f"{self.server.settings()}folder = {self.folder}\n[ssh]\nuser = {getpass.getuser()}\n")

    def command(self, *words, status=0):
        """What it prints, to standard error too."""
        done = subprocess.run([*self.space.enter, self.manager.program, "-c", self.manager.config, *words],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=80,
                              env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
        equal(done.returncode, status, f"{words}: {done.stdout}")
        return done.stdout

    def restart_server(self):
        self.server.defaults = f"{self.folder}/mariadb.cnf"
        self.server.restart()

    def log_in(self):
        person = Person(self.manager)
        status, answer = person.ask("POST", "login", {"user": ADMIN, "password": ADMIN_PASSWORD})
        equal(status, 200, str(answer))
        return person

    def role(self):
        try:
            return Person(self.manager).ask("GET", "state")[1]["role"]
        except (OSError, http.client.HTTPException):  # it starts again
            return None

    def await_role(self, role):
        limit = Deadline(60, f"{role} at {self.address}")
        while self.role() != role:
            limit.left()


@contextlib.contextmanager
def pair():
    """(wire, first, second): paired, the second joined, both running, the first claimed with a Device."""
    with Wire() as wire:
        first = Office(wire)
        second = Office(wire, first.manager.https)
        first.manager.start()
        admin = first.manager.claimed()
        equal(admin.ask("POST", "users", {"name": "ann", "type": "user", "password": SECRET})[0], 204)
        equal(first.manager.stop(), 0)
        first.use_mariadb()
        second.use_mariadb()
        bundle = f"{first.folder}/bundle"
        check("systemctl restart" in first.command("pair", first.address, second.address, bundle), "what to do next")
        equal(os.stat(bundle).st_mode & 0o777, 0o600, "the bundle's mode")
        first.restart_server()
        check("Primary now" in first.command("promote"), "promote")
        first.manager.start()
        second.command("join", bundle)
        second.restart_server()
        check(f"Secondary of {first.address} now" in second.command("join"), "join")
        second.manager.start()
        yield wire, first, second


class Sitter(threading.Thread):
    """Sits at a console and answers its pings, as a browser does, until the Device says why it ends."""

    def __init__(self, console):
        super().__init__(daemon=True)
        self.console, self.ended = console, None
        self.start()

    def run(self):
        try:
            while True:
                kind, data = message(self.console)
                if kind == 9:
                    self.console.sendall(frame(data, 10))
                if kind == 8:
                    self.ended = data[2:].decode()
                    return
        except (Ended, OSError) as error:
            self.ended = repr(error)


def sets(server):
    return [name for name, in server.sql("SELECT name FROM kvmnet.sets")]


def await_event(admin, text):
    limit = Deadline(60, f"the audit's word: {text}")
    while not any(text in event["text"] for event in admin.ask("GET", "audit")[1]["events"]):
        limit.left()


def await_same(first, second):
    """Until the second has all that the first had when this was called."""
    position = first.server.sql("SELECT @@gtid_binlog_pos")[0][0]
    equal(second.server.sql(f"SELECT MASTER_GTID_WAIT('{position}', 60)"), [["0"]], "it follows")


def test_primary_is_killed():
    """Under writes, with a session open: none that was acknowledged is lost, the Device and people find the other one, the
    session goes on; and the first comes back as its Secondary."""
    with pair() as (wire, first, second):
        admin = first.log_in()
        device = wire.device()
        found = adopted(admin)
        equal((first.role(), second.role()), ("primary", "secondary"))
        # A Secondary refuses writes, and says where they go.
        other = second.log_in()
        status, answer = other.ask("POST", "sets", {"name": "here", "targets": []})
        equal(status, 409)
        check(f"Secondary of {first.address}" in answer["error"], answer)
        await_same(first, second)
        equal([user["name"] for user in other.ask("GET", "users")[1]["users"]], [ADMIN, "ann"], "what was moved")
        await_event(admin, "The Secondary follows")
        status, given = admin.ask("POST", f"targets/{found['id']}/ticket")
        guest = Person(device)
        equal(guest.ask("POST", "ticket", {"ticket": given["ticket"]})[0], 200)
        with guest.console() as console:
            handshake(console)
            sitter = Sitter(console)
            writer = Writer(admin)
            writer.await_more(100)
            # What the Secondary does not have is not answered as done.
            second.space.nft("tcp sport 3306 drop")
            limit = Deadline(9, "a write that waits for the Secondary")
            while first.server.sql("SHOW STATUS LIKE 'Rpl_semi_sync_master_wait_sessions'")[0][1] == "0":
                limit.left()
            first.manager.kill()
            first.server.kill()
            writer.end()
            check("Primary now" in second.command("promote"), "promote")
            second.await_role("primary")
            check_kept(writer, sets(second.server))
            there = second.log_in()
            equal(second.server.sql("SELECT @@global.rpl_semi_sync_master_enabled"), [["0"]], "nobody is waited for")
            there.await_device(named("left", link="up"), "the Device has found the other one")
            equal(len(guest.ask("GET", "status")[1]["sessions"]), 1, f"the session that was open: {sitter.ended}")
            # The new Primary has a say in what the old one opened.
            equal(there.ask("DELETE", f"targets/{found['id']}/sessions")[0], 204)
            sitter.join()
            check(ADMIN in sitter.ended, sitter.ended)
        equal(there.ask("POST", "sets", {"name": "there", "targets": [found["id"]]})[0], 200)
        # The first comes back, takes no writes, and what it alone had is gone.
        first.server.start()
        first.manager.start()
        equal(first.role(), "secondary")
        equal(first.log_in().ask("POST", "sets", {"name": "here", "targets": []})[0], 409)
        writer = Writer(there, "again")
        try:
            writer.await_more(10)
            first.command("join")
            writer.await_more(10)
        finally:
            writer.end()
        equal(writer.doubtful, [])
        await_same(second, first)
        for table in ("users", "devices", "settings", "sets", "set_devices", "audit"):
            columns = first.server.sql(f"SELECT * FROM kvmnet.{table} ORDER BY 1")
            equal(columns, second.server.sql(f"SELECT * FROM kvmnet.{table} ORDER BY 1"), table)


def test_primary_starts_again():
    """Promoted anew, it waits for the Secondary that follows it as before; one that has less than the other is refused."""
    with pair() as (_, first, second):
        await_event(first.log_in(), "The Secondary follows")
        first.server.restart()
        limit = Deadline(60, "the Secondary, which connects again")
        while first.server.sql("SHOW STATUS LIKE 'Slaves_connected'")[0][1] == "0":
            limit.left()
        first.command("promote")
        first.await_role("primary")
        equal(first.log_in().ask("POST", "sets", {"name": "kept", "targets": []})[0], 200)
        equal(first.server.sql("SELECT variable_value FROM information_schema.global_status WHERE variable_name IN "
                               "('rpl_semi_sync_master_status', 'rpl_semi_sync_master_no_tx') ORDER BY variable_name"),
              [["0"], ["ON"]], "every change waits for it")
        # As after a crash that the first has forgotten the last change by.
        first.server.stop()
        second.server.sql("INSERT INTO kvmnet.sets (name) VALUES ('only there')")
        first.server.start()
        check("has changes that this one does not" in first.command("promote", status=1), "what would be lost")
        first.await_role("secondary")
        second.command("promote")
        check("only there" in sets(second.server), "nothing is lost")


def test_promoted_by_the_page():
    """An administrator's log-in at the Secondary is enough; the one before ends first, so that there are never two."""
    with pair() as (_, first, second):
        add_user(first.log_in(), "eve", "user")
        await_same(first, second)
        admin, eve = second.log_in(), Person(second.manager)
        equal(eve.ask("POST", "login", {"user": "eve", "password": SECRET})[0], 200)
        equal(eve.ask("POST", "promotion")[0], 403)
        equal(first.log_in().ask("POST", "promotion")[0], 409, "of the Primary")
        status, answer = admin.ask("POST", "promotion")
        equal((status, second.role()), (500, "secondary"), "while the Primary answers")
        check("stop its MariaDB first" in second.command("promote", status=1), "likewise")
        first.server.stop()
        equal(admin.ask("POST", "promotion"), (204, None))
        second.await_role("primary")
        equal(second.log_in().ask("POST", "sets", {"name": "here", "targets": []})[0], 200)
        check("read-only" not in second.command("promote"), "once more is nothing")


def test_pages_of_both():
    """The Secondary's says what it is and makes it the Primary; one whose Manager is gone shows the way to the other."""
    os.makedirs(SHOTS, exist_ok=True)
    with pair() as (_, first, second), Page(first.manager) as one, Page(second.manager) as other:
        for page, name in ((one, "pair-primary"), (other, "pair-secondary")):
            log_in(page, ADMIN, ADMIN_PASSWORD)
            page.do("errors")  # that nobody was logged in
            page.shots(name)
        one.do("await-text", id="pair", text="")
        other.do("await-text", id="pair-text", text="This is the Secondary")
        equal(other.do("errors")["errors"], [])
        first.manager.kill()
        first.server.kill()
        one.do("await-text", id="pair-text", text="does not answer")
        one.do("await-text", id="pair-go", text=f"Go to {second.address}")
        one.shots("pair-gone")
        other.do("press", id="promote")
        other.do("await-text", id="ask-text", text=f"Make sure that {first.address} is gone")
        other.shots("pair-promote")
        other.do("press", id="ask-go")
        second.await_role("primary")
        log_in(other, ADMIN, ADMIN_PASSWORD)
        other.do("await-text", id="pair", text="")


def test_slow_database_holds_up_its_own_alone():
    """Of an administrator's questions only that for the database waits for it, and the Manager serves everybody else."""
    with pair() as (_, first, _), scratch("asker") as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asker:
        asker.bind(f"{folder}/asker")
        asker.settimeout(60)

        def ask(line):
            asker.sendto(f"test\nSHA256:test\n{line}".encode(), f"{first.manager.dir}/shell")

        def answered():
            status, descriptors, _, _ = socket.recv_fds(asker, 1, 1)
            with os.fdopen(descriptors[0], "rb") as text:
                return status[0], os.pread(text.fileno(), 65536, 0).decode()

        first.server.process.send_signal(signal.SIGSTOP)
        try:
            ask("replication")
            ask("devices")
            status, text = answered()
            equal(status, 0, text)
            check("Devices" in text, f"the list of Devices first: {text}")
            equal(Person(first.manager).ask("GET", "state")[0], 200)
        finally:
            first.server.process.send_signal(signal.SIGCONT)
        status, text = answered()
        equal(status, 0, text)
        check("Primary" in text, text)


def test_wrong_commands():
    """What cannot be: says why, and changes nothing."""
    with Wire() as wire:
        office = Office(wire)
        check("Replication is MariaDB's" in office.command("pair", "a", "b", "c", status=1), "on SQLite")
        check("what is this?" in office.command("pair", "a", status=1), "too few words")
        office.use_mariadb()
        for one, other in (("a", "a"), ("", "b"), ("a'", "b"), ("a", "b,DNS:c"), ("a", "b" * 65)):
            check("two names or addresses" in office.command("pair", one, other, f"{office.folder}/x", status=1), one)
        check("let the Manager start once" in office.command("pair", "a", "b", f"{office.folder}/x", status=1), "no keys")
        for words in (("join",), ("promote",)):
            check("not in Replication mode" in office.command(*words, status=1), words)
        for text in ("", "{", "[]", '{"self": "a", "peer": "b"}',
                     '{"self": "a", "peer": "b\'", "manager": {}, "server": {}}',
                     '{"self": "a", "peer": "b", "manager": {}, "server": {}}'):
            path = f"{office.folder}/bundle"
            with open(path, "w", encoding="ascii") as out:
                out.write(text)
            check("pair writes" in office.command("join", path, status=1), text)
        # One that would be taken, but for what follows it.
        with open(path, "w", encoding="ascii") as out:
            json.dump({"self": "a", "peer": "b", "manager": {name: "x" for name in ("ca.key", "ca.crt", "ticket.key")},
                       "server": {name: "x" for name in ("authority.crt", "server.crt", "server.key")}}, out)
            out.write(" " * 65536)
        check("pair writes" in office.command("join", path, status=1), "an oversized one")
        check("No such file" in office.command("join", f"{office.folder}/none", status=1), "no file")
        equal(os.listdir(office.manager.state), [], "what was kept of that")
        # A Manager of its own is not made another one's.
        office.manager.start()
        office.manager.stop()
        office.command("pair", "a", "b", f"{office.folder}/x")
        check("cannot be written" in office.command("pair", "a", "b", f"{office.folder}/x", status=1), "a file that is there")
        check("Manager of its own already" in office.command("join", f"{office.folder}/x", status=1), "joins itself")


def test_strangers_at_the_database():
    """Port 3306 opens to the other one's certificate alone: not to none, nor to one that the Manager gave a Device."""
    with pair() as (wire, first, second):
        device = wire.device()
        adopted(first.log_in())
        with open(os.path.join(device.state, "adoption"), encoding="utf-8") as text:
            adoption = json.load(text)
        with scratch("stranger") as folder:
            for name, text in (("crt", adoption["certificate"]), ("ca", adoption["ca"])):
                with open(f"{folder}/device.{name}", "w", encoding="ascii") as out:
                    out.write(text)
            shutil.copy(os.path.join(device.state, "device.key"), f"{folder}/device.key")
            mine = (f"{second.folder}/authority.crt", f"{second.folder}/server.crt", f"{second.folder}/server.key")
            for ca, crt, key in ((mine[0], f"{folder}/device.crt", f"{folder}/device.key"),
                                 (f"{folder}/device.ca", mine[1], mine[2])):
                said = refused(folder, f"[database]\nkind = mariadb\nhost = {first.address}\nuser = kvmnet-replication\n"
                                       f"ca = {ca}\ncertificate = {crt}\nkey = {key}\n", second.space.enter)
                check("are [database] ca, certificate and key" in said, said)
