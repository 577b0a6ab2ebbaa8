# SPDX-License-Identifier: GPL-2.0-or-later
"""The Manager on a real MariaDB server: the store's own tests, those of the Manager that together ask everything of it,
a server that dies under writes, and servers that are not to be trusted.
"""

import http.client
import os
import socket
import subprocess
import threading

import mariadb
import test_manager
import test_permission
from authority import CLIENT, SERVER, Authority, pem
from case import BUILD, check, equal, scratch
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from manager import ADMIN, Manager
from test_manager import Wire
from test_permission import SECRET


def test_store():
    """What is asked of the store is answered as by SQLite."""
    with mariadb.Server() as server:
        for program in ("test_store", "test_store_database"):
            done = subprocess.run([os.path.join(BUILD, "unit", program)], check=False, timeout=80,
                                  env=dict(os.environ, STORE_SOCKET=server.socket, STORE_USER=mariadb.USER))
            equal(done.returncode, 0, program)


def on_mariadb(test):
    """A test of the Manager, whose Managers are kept here."""
    with mariadb.Server() as server:
        Manager.database = server.settings
        try:
            test()
        finally:
            Manager.database = None
        check(int(server.sql("SELECT count(*) FROM kvmnet.audit")[0][0]) > 0, "nothing was kept here")


def test_users_and_their_targets():
    on_mariadb(test_permission.test_users_and_their_targets)


def test_unsound_users_groups_and_sets():
    on_mariadb(test_permission.test_unsound_users_groups_and_sets)


def test_settings():
    on_mariadb(test_manager.test_settings)


def test_comes_back():
    on_mariadb(test_manager.test_comes_back)


def test_forgotten():
    on_mariadb(test_manager.test_forgotten)


class Writer(threading.Thread):
    """Adds Target Sets, one after the other, from then on; the names that were answered as kept, and that were not."""

    def __init__(self, person, stem="set"):
        super().__init__(daemon=True)
        self.person, self.stem = person, stem
        self.kept, self.doubtful = [], []
        self.goal, self.reached, self.ending = 0, threading.Event(), False
        self.start()

    def run(self):
        number = 0
        while not self.ending:
            number += 1
            name = f"{self.stem} {number}"
            try:
                status = self.person.ask("POST", "sets", {"name": name, "targets": []})[0]
            except (OSError, http.client.HTTPException):
                status = 0
            (self.kept if status == 200 else self.doubtful).append(name)
            if len(self.kept) >= self.goal:
                self.reached.set()

    def await_more(self, count):
        """Until so many more are kept."""
        self.reached.clear()
        self.goal = len(self.kept) + count
        check(self.reached.wait(60), f"no {count} more are kept: {len(self.kept)}, doubtful {len(self.doubtful)}")

    def end(self):
        self.ending = True
        self.join()


def check_kept(writer, names):
    """What was answered as kept is there; nothing is there twice, or from nowhere."""
    missing = set(writer.kept) - set(names)
    check(not missing, f"{len(missing)} of {len(writer.kept)} acknowledged writes are lost: {sorted(missing)[:5]}")
    equal(len(names), len(set(names)), "names, each once")
    check(set(names) <= set(writer.kept) | set(writer.doubtful), "something that nobody wrote")


def test_server_dies():
    """It is killed under writes, three times: nothing that was acknowledged is lost or doubled, and the Manager goes on."""
    with mariadb.Server() as server, Wire() as wire:
        admin = wire.manager(settings=server.settings()).claimed()
        writer = Writer(admin)
        try:
            for _ in range(3):
                writer.await_more(20)
                server.kill()
                equal(admin.ask("GET", "users")[0], 503, "while there is no server")
                server.start()
            writer.await_more(20)
        finally:
            writer.end()
        check_kept(writer, [found["name"] for found in admin.ask("GET", "sets")[1]["sets"]])


# ---- TLS ----

def put_key(authority, folder, name, names, usages=(CLIENT, SERVER)):
    """NAME.crt and NAME.key there, by that authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    for end, text in (("crt", pem(authority.issue(key.public_key(), names, usages=usages))),
                      ("key", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())):
        with open(f"{folder}/{name}.{end}", "w", encoding="ascii") as out:
            out.write(text)


def refused(folder, settings, within=()):
    """What kvmnet-manager says that cannot start."""
    with open(f"{folder}/conf", "w", encoding="ascii") as out:
        out.write(f"[manager]\nstate_dir = {folder}\n{settings}")
    done = subprocess.run([*within, os.path.join(BUILD, "asan", "kvmnet-manager"), "-c", f"{folder}/conf"], capture_output=True,
                          text=True, check=False, timeout=60, env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
    equal(done.returncode, 1, done.stderr)
    return done.stderr


def test_tls():
    """Over TCP each proves itself to the other; whoever does not is told what is wrong."""
    with scratch("tls") as folder:
        ours, theirs = Authority(), Authority("Somebody else")
        for name, authority in (("ours", ours), ("theirs", theirs)):
            with open(f"{folder}/{name}.ca", "w", encoding="ascii") as out:
                out.write(pem(authority.certificate))
        put_key(ours, folder, "server", ["localhost"])
        put_key(ours, folder, "client", ["client"])
        put_key(theirs, folder, "stranger", ["client"])
        tls = [f"--ssl-ca={folder}/ours.ca", f"--ssl-cert={folder}/server.crt", f"--ssl-key={folder}/server.key"]

        def settings(ca="ours", client="client", host="localhost"):
            return (f"[database]\nkind = mariadb\nhost = {host}\nuser = over-tls\nca = {folder}/{ca}.ca\n"
                    f"certificate = {folder}/{client}.crt\nkey = {folder}/{client}.key\n")

        with Wire() as wire:
            space, address = wire.space()
            with mariadb.Server(within=space.enter, options=["--bind-address=127.0.0.1"]) as server:
                server.sql("CREATE USER 'over-tls'@'%' REQUIRE X509")
                server.sql("GRANT ALL ON kvmnet.* TO 'over-tls'@'%'")
                words = "are [database] ca, certificate and key"
                said = refused(folder, settings(), space.enter)
                check(words in said, f"a server without TLS: {said}")
                server.restart(*tls)
                with Manager(space, address, settings=settings()) as manager:
                    admin = manager.claimed()
                    equal(admin.ask("POST", "users", {"name": "ann", "type": "user", "password": SECRET})[0], 204)
                    equal(server.sql("SELECT name FROM kvmnet.users ORDER BY name"), [[ADMIN], ["ann"]])
                for wrong in ({"ca": "theirs"}, {"client": "stranger"}, {"host": "127.0.0.1"}):
                    said = refused(folder, settings(**wrong), space.enter)
                    check(words in said, f"{wrong}: {said}")


def test_what_is_missing():
    """A database or a right that is not there, and settings that are no settings: each with what to do."""
    with mariadb.Server() as server, scratch("missing") as folder:
        said = refused(folder, server.settings(database="other"))
        check("kvmnet-manager.conf(5) shows" in said, said)
        said = refused(folder, server.settings().replace("user = ", "user = not-"))
        check("kvmnet-manager.conf(5) shows" in said, said)
        server.stop()
        said = refused(folder, server.settings())
        check("does MariaDB run there?" in said, said)
        for text, words in (("kind = oracle", "sqlite or mariadb"), ("kind = mariadb\nhost = a", "needs ca, certificate and key"),
                            ("socket = s", "an absolute path"), ("port = 0", "a number from 1 to 65535")):
            said = refused(folder, f"[database]\n{text}\n")
            check(words in said, said)


def test_damaged_answers():
    """A server that hangs up, says nothing sensible, or wants a password: no start, and a sentence."""
    with scratch("odd") as folder:
        path = f"{folder}/socket"
        for answer in (b"", b"\x00" * 200, b"\xff" * 4000, b"HTTP/1.1 400 Bad Request\r\n\r\n"):
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(path)
                listener.listen(1)

                def serve(listener=listener, answer=answer):
                    link = listener.accept()[0]
                    link.sendall(answer)
                    link.close()

                thread = threading.Thread(target=serve)
                thread.start()
                said = refused(folder, f"[database]\nkind = mariadb\nsocket = {path}\n")
                thread.join()
            os.unlink(path)
            check("cannot be opened" in said, said)
