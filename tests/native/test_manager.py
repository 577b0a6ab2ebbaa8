# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Manager and real Devices on a wire of their own: found, adopted, linked, set up, released; and everyone who
is not who he should be, with the sentence that each side shows.
"""

import contextlib
import datetime
import json
import os
import re
import select
import shutil
import signal
import socket
import sqlite3
import ssl
import struct

import jsonschema
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (Encoding, NoEncryption, PrivateFormat,
                                                          load_pem_private_key)

import discovery
from authority import DAY, MANAGER as MANAGER_NAME, SERVER, Authority, hash_of, now, pem
from case import TOP, Deadline, Failure, check, equal, scratch
from daemon import PASSWORD, USER, Daemon
from manager import ADMIN, ADMIN_PASSWORD, Manager, Person
from netns import Net
from test_web import claim_code, frame, message


MANAGER = os.path.join(TOP, "userland", "manager")

with open(os.path.join(MANAGER, "openapi.yaml"), encoding="utf-8") as _text:
    SPEC = yaml.safe_load(_text)


class Wire:
    """One broadcast domain: the Manager is 10.1.0.1, Devices follow."""

    def __init__(self):
        self.stack = contextlib.ExitStack()
        self.net = self.stack.enter_context(Net())
        self.switch = self.net.switch()
        self.count = 0

    def space(self):
        self.count += 1
        space, address = self.net.space(), f"10.1.0.{self.count}"
        self.net.plug(space, self.switch, "eth0", f"{address}/24")
        return space, address

    def manager(self, **options):
        return self.stack.enter_context(Manager(*self.space(), **options))

    def device(self, name="left", place=None, **options):
        space, address = place or self.space()
        device = self.stack.enter_context(Daemon(discovery=f"enabled = yes\nname = {name}", https_address="::",
                                                 within=space.enter, **options))
        device.space, device.address = space, address
        return device

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.stack.__exit__(*failure)


def named(name, **more):
    return lambda device: device["name"] == name and all(device.get(key) == value for key, value in more.items())


def adopt(admin, device, **authority):
    return admin.ask("POST", f"devices/{device['id']}/adoption", authority)


def adopted(admin, name="left"):
    """Adopted by its owner's password, and linked."""
    found = admin.await_device(named(name), f"{name} is found")
    equal(adopt(admin, found, user=USER, password=PASSWORD), (200, {"id": found["id"]}))
    return admin.await_device(named(name, link="up"), f"{name} is linked")


def owner_of(device):
    owner = Person(device)
    equal(owner.ask("POST", "login", {"user": USER, "password": PASSWORD})[0], 200)
    return owner


def await_why(owner, words):
    """The Device's own status, once it says that of its link."""
    limit = Deadline(60, f"{words!r} of the link")
    while words not in (why := owner.ask("GET", "status")[1]["manager"]["why"]):
        try:
            limit.left()
        except Failure as failure:
            raise Failure(f"{failure}; it says {why!r}") from failure
    return why


def operations():
    """(METHOD, path, operation) of the file."""
    return [(method.upper(), path, operation) for path, item in SPEC["paths"].items()
            for method, operation in item.items() if method != "parameters"]


def test_file_has_every_route():
    with open(os.path.join(MANAGER, "api.c"), encoding="utf-8") as text:
        routes = re.findall(r'\{ WEB_(\w+),\s+"/api/v1(/[^"]+)"', text.read())
    ours = {(method.upper(), path) for path, item in SPEC["paths"].items() for method in item if method != "parameters"}
    equal({(method, path.replace("*", "{id}")) for method, path in routes}, ours, "routes")
    names = [operation["operationId"] for _, _, operation in operations()]
    equal(len(set(names)), len(names), "operation names that are used once")
    for schema in SPEC["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def as_the_file_says(admin):
    """What can be read is what the file has."""
    for path in ("state", "account", "targets", "devices", "settings", "users", "groups", "sets", "directory", "audit"):
        schema = SPEC["paths"][f"/{path}"]["get"]["responses"]["200"]
        if "$ref" in schema:
            schema = SPEC["components"]["responses"][schema["$ref"].rsplit("/", 1)[1]]
        status, answer = admin.ask("GET", path)
        equal(status, 200, path)
        jsonschema.validate(answer, {"components": SPEC["components"], **schema["content"]["application/json"]["schema"]})


def test_claim_and_strangers():
    with Wire() as wire:
        manager = wire.manager()
        stranger = Person(manager)
        equal(stranger.ask("GET", "state")[1]["claimed"], False)
        equal(stranger.ask("GET", "devices")[0], 409)
        equal(stranger.ask("POST", "claim", {"code": "AAAA-AAAA-AAAA", "user": ADMIN, "password": ADMIN_PASSWORD})[0], 403)
        admin = manager.claimed()
        equal(admin.ask("GET", "devices")[0], 200)
        for method, path, body in (("GET", "devices", None), ("POST", "devices/1/adoption", {"code": "x"}),
                                   ("DELETE", "devices/1/adoption", None), ("GET", "settings", None),
                                   ("PUT", "settings", {}), ("GET", "audit", None), ("POST", "logout", {})):
            equal(stranger.ask(method, path, body)[0], 401, f"{method} {path}")
            if method != "GET":
                equal(admin.ask(method, path, body, origin=False)[0], 403, f"{method} {path} of another origin")
        equal(stranger.ask("POST", "claim", {"code": "A", "user": "x", "password": "y" * 8})[0], 409)
        login = {"user": ADMIN, "password": ADMIN_PASSWORD}
        equal(stranger.ask("POST", "login", dict(login, password="x"))[0], 401)
        equal(stranger.ask("POST", "login", dict(login, user="nobody"))[0], 401)
        other = Person(manager)
        equal(other.ask("POST", "login", login)[0], 200)
        tries = [Person(manager).ask("POST", "login", dict(login, user="x", password=str(n)))[0] for n in range(9)]
        check(429 in tries, f"guesses without a limit: {tries}")
        equal(other.ask("POST", "logout")[0], 204)
        equal(other.ask("GET", "devices")[0], 401)
        manager.stop()
        manager.start()
        equal(admin.ask("GET", "devices")[0], 401, "after a restart everybody logs in")
        equal(admin.ask("POST", "login", login)[0], 200)
        what = [event["what"] for event in admin.ask("GET", "audit")[1]["events"]]
        check("claim" in what and "log in" in what, str(what))


def test_adopted_by_code():
    """A new Device, from its first announcement to its release, which leaves it new."""
    with Wire() as wire:
        manager = wire.manager()
        admin, device = manager.claimed(), wire.device(claim=False)
        code = claim_code(device)
        found = admin.await_device(named("left", state="unclaimed"), "it is found")
        equal((found["address"], found["https_port"], found["firmware"]), (device.address, device.https, "0.1"))
        status, answer = adopt(admin, found, code="AAAA-AAAA-AAAA")
        equal(status, 403)
        check("not right" in answer["error"], answer)
        equal(adopt(admin, found, code=code)[0], 200)
        linked = admin.await_device(named("left", link="up", state="adopted"), "it is linked")
        equal(linked["why"], "")
        admin.await_device(lambda it: it.get("status"), "its status")
        producer = device.producer()
        producer.ask("mode 320 240")
        admin.await_device(lambda it: it["status"]["capture"]["width"] == 320, "what changed of its status")
        state = Person(device).ask("GET", "state")[1]
        equal((state["claimed"], state["managed"], state["manager"]["name"]), (True, True, "Head office"))
        equal(state["manager"]["id"], admin.ask("GET", "state")[1]["id"], "the Manager's id")
        equal(admin.ask("DELETE", f"devices/{found['id']}/adoption")[0], 204)
        state = Person(device).ask("GET", "state")[1]
        equal((state["claimed"], state["managed"]), (False, False))
        fresh = claim_code(device)
        found = admin.await_device(named("left", state="unclaimed"), "it is new again")
        equal(adopt(admin, found, code=code)[0], 403, "the old code")
        equal(adopt(admin, found, code=fresh)[0], 200)


def test_adopted_by_its_owner():
    with Wire() as wire:
        device = wire.device()  # it was there first
        admin = wire.manager().claimed()
        found = admin.await_device(named("left", state="stand-alone"), "it is found")
        for authority, status in (({"user": USER, "password": "wrong"}, 403), ({"code": "AAAA-AAAA-AAAA"}, 400),
                                  ({"user": USER}, 400), ({}, 400), ({"code": 7}, 400)):
            equal(adopt(admin, found, **authority)[0], status, str(authority))
        equal(admin.ask("POST", "devices/" + "0" * 64 + "/adoption", {"code": "x"})[0], 404)
        adopted(admin)
        equal(owner_of(device).ask("GET", "status")[1]["manager"]["link"], "up")
        as_the_file_says(admin)
        events = [(event["what"], event["who"]) for event in admin.ask("GET", "audit")[1]["events"]]
        check(events.count(("adopt", ADMIN)) >= 2, str(events))


def test_found_on_the_second_port():
    """A Device that was there first and that nothing reaches on 3080 answers what comes to 3081, on 3080."""
    with Wire() as wire:
        space, address = wire.space()
        space.nft("udp dport 3080 drop")
        wire.device(place=(space, address))
        place = wire.space()
        with place[0].capture("eth0") as capture:
            admin = wire.stack.enter_context(Manager(*place)).claimed()
            limit, answers = Deadline(30, "an answer by way of 3081"), []
            while not answers:
                select.select([capture.socket], [], [], limit.left())
                answers = [(source, port, target) for sent, source, port, _, target, data in capture.datagrams()
                           if not sent and source == address and discovery.fields_of(data)[2] == discovery.ANSWER]
        equal(answers[0], (address, 3080, 3080), "the answer's ports")
        admin.await_device(named("left"), "it is found")


def test_found_by_a_link_local_address():
    """It is adopted over that, is told addresses that it can come back to, and people are sent where it came from."""
    with Wire() as wire:
        place = wire.space()
        place[0].nft("ip protocol udp drop")
        admin = wire.stack.enter_context(Manager(*place)).claimed()
        device = wire.device()
        found = admin.await_device(named("left"), "it is found")
        check(found["address"].startswith("fe80:"), found["address"])
        equal(admin.ask("POST", f"targets/{found['id']}/ticket")[0], 404)
        equal(adopted(admin)["address"], device.address)


class Peer:
    """What a Device would be on the Manager's link, with any certificate."""

    def __init__(self, manager, folder, authority=None, key=None, **changes):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
        if authority:
            path = os.path.join(folder, "peer.pem")
            key = key or ec.generate_private_key(ec.SECP256R1())
            self.id = hash_of(key.public_key())
            names = changes.pop("names", [f"{self.id[:32]}.device.kvmnet.internal"])
            with open(path, "w", encoding="ascii") as out:
                out.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode() +
                          pem(authority.issue(key.public_key(), names, **changes)))
            tls.load_cert_chain(path)
        plain = manager.space.open(socket.AF_INET, socket.SOCK_STREAM)
        plain.connect((manager.address, manager.https))
        self.link = tls.wrap_socket(plain, server_hostname=MANAGER_NAME)
        self.link.sendall(f"GET /api/v1/link HTTP/1.1\r\nHost: {MANAGER_NAME}\r\nConnection: Upgrade\r\n"
                          "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: kvmnet-link-1\r\n"
                          "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.link.recv(1)
        check(b" 101 " in head, head)

    def say(self, **what):
        self.link.sendall(frame(json.dumps(what).encode(), 1))

    def closed(self):
        """The code and sentence of the Manager's close; what it says before is passed over."""
        while True:
            kind, data = message(self.link)
            if kind == 8:
                return struct.unpack(">H", data[:2])[0], data[2:].decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.link.close()


def authority_of(manager):
    """The Manager's own CA, as whoever stole its key would have it."""
    authority = Authority()
    with open(os.path.join(manager.state, "ca.key"), "rb") as text:
        authority.key = load_pem_private_key(text.read(), None)
    with open(os.path.join(manager.state, "ca.crt"), "rb") as text:
        authority.name = x509.load_pem_x509_certificate(text.read()).subject.rfc4514_string().removeprefix("CN=")
    return authority


def test_more_devices_than_guests():
    """Links take no place of the people's: 520 from one address, and a person still gets an answer."""
    with Wire() as wire, scratch("peers") as folder:
        manager = wire.manager()
        admin = manager.claimed()
        manager.stop()
        authority = authority_of(manager)
        keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(520)]
        with contextlib.closing(sqlite3.connect(os.path.join(manager.state, "manager.db"))) as store:
            store.executemany("INSERT INTO devices VALUES (?, 'rack', '10.1.0.9', 443, '', '', 'adopted', '', 1, 2, '', '', 0)",
                              [(hash_of(key.public_key()),) for key in keys])
            store.commit()
        manager.start()
        equal(admin.ask("POST", "login", {"user": ADMIN, "password": ADMIN_PASSWORD})[0], 200)
        with contextlib.ExitStack() as links:
            for number, key in enumerate(keys):
                peer = links.enter_context(Peer(manager, folder, authority, key))
                peer.say(hello={"id": peer.id, "boot": 1, "version": "0.1", "name": f"rack {number}", "settings_revision": 0})
                kind, data = message(peer.link)
                equal((kind, "welcome" in json.loads(data)), (1, True), f"link {number}")
            equal(len(admin.ask("GET", "devices")[1]["devices"]), 520)


def test_strangers_on_the_link():
    """Each is told why it may not be there, and nothing that it says is heard."""
    with Wire() as wire, scratch("peer") as folder:
        manager = wire.manager()
        own, other = authority_of(manager), Authority()
        with Peer(manager, folder) as peer:
            code, why = peer.closed()
            equal(code, 4401)
            check("the certificate that its Manager gave it" in why, why)
        for authority, changes, code, words in (
                (other, {}, 4401, "not issued by this Manager"),
                (own, {"names": [MANAGER_NAME]}, 4401, "not issued"),
                (own, {"names": ["0" * 32 + ".device.kvmnet.internal"]}, 4401, "not issued"),
                (own, {"usages": [SERVER]}, 4401, "not issued"),
                (own, {"start": now() - 9 * DAY, "end": now() - DAY}, 4403, "expired on")):
            with Peer(manager, folder, authority, **changes) as peer:
                peer.say(hello={"id": peer.id, "boot": 1, "version": "1", "name": "x", "settings_revision": 0})
                got, why = peer.closed()
                equal(got, code, why)
                check(words in why, why)
        # A certificate of the CA's for a Device that was never adopted.
        with Peer(manager, folder, own) as peer:
            peer.say(hello={"id": peer.id, "boot": 1, "version": "1", "name": "x", "settings_revision": 0})
            equal(peer.closed()[0], 4404)
        with Peer(manager, folder, own) as peer:
            peer.say(hello={"id": "0" * 64, "boot": 1, "version": "1", "name": "x", "settings_revision": 0})
            equal(peer.closed()[0], 4401, "another's id")
        for said in (b"", b"{", b"[]", b'{"status":{}}', b'{"hello":{}}', b'{"hello":{"id":"a","id":"a"}}',
                     b'{"response":{"id":1,"status":200}}', b" " * 65536):
            with Peer(manager, folder, own) as peer:
                peer.link.sendall(frame(said, 1) if len(said) < 65536 else
                                  struct.pack(">BBQ", 0x81, 0xff, len(said) + 1) + bytes(4) + said + b" ")
                equal(peer.closed()[0], 1008, said[:40])


def test_second_manager():
    """It sees whose the Device is, cannot take it, and the Device does not link to it."""
    with Wire() as wire:
        first = wire.manager().claimed()
        second = wire.manager(name="Branch office").claimed()
        wire.device()
        adopted(first)
        found = second.await_device(named("left", state="managed by another"), "it is another's")
        status, answer = adopt(second, found, user=USER, password=PASSWORD)
        equal(status, 409)
        check("Head office" in answer["error"], answer)
        equal(first.ask("DELETE", f"devices/{found['id']}/adoption")[0], 204)
        second.await_device(named("left", state="stand-alone"), "it is its owner's")
        adopted(second)


def test_comes_back():
    """After either was killed; what was adopted and wanted is known still."""
    with Wire() as wire:
        manager = wire.manager()
        admin, device = manager.claimed(), wire.device()
        adopted(admin)
        manager.kill()
        manager.start()
        equal(admin.ask("POST", "login", {"user": ADMIN, "password": ADMIN_PASSWORD})[0], 200)
        admin.await_device(named("left", link="up"), "it came back to the Manager")
        device.process.send_signal(signal.SIGKILL)
        device.process.wait()
        admin.await_device(named("left", link="down"), "it is gone")
        device.restart()
        admin.await_device(named("left", link="up"), "it came back after its own end")


def test_settings():
    """Pushed to who is there and to who comes, and confirmed."""
    wanted = {"session_timeout_s": 900, "managers": []}
    with Wire() as wire:
        admin = wire.manager().claimed()
        left = wire.device("left")
        adopted(admin)
        equal(admin.ask("GET", "settings"), (200, {"revision": 0}))
        for wrong in ({}, {"session_timeout_s": -1, "managers": []}, {"session_timeout_s": 1, "managers": [7]},
                      dict(wanted, more=1)):
            equal(admin.ask("PUT", "settings", wrong)[0], 400, str(wrong))
        equal(admin.ask("PUT", "settings", wanted), (200, dict(wanted, revision=1)))
        admin.await_device(named("left", settings_revision=1), "left has confirmed")
        equal(owner_of(left).ask("GET", "settings")[1], dict(wanted, revision=1, name="left"))
        right = wire.device("right")
        adopted(admin, "right")
        admin.await_device(named("right", settings_revision=1), "right has confirmed")
        equal(owner_of(right).ask("GET", "settings")[1]["session_timeout_s"], 900)
        # What a Device does not take, it says.
        equal(admin.ask("PUT", "settings", dict(wanted, managers=["a b"]))[0], 200)
        admin.await_device(lambda it: "neither HOST" in it["why"], "the Device's own sentence")


def test_another_key():
    """Another Device where the found one was: nothing secret is told to it."""
    with Wire() as wire:
        admin = wire.manager().claimed()
        place = wire.space()
        first = wire.device(place=place)
        found = admin.await_device(named("left"), "it is found")
        first.stop()
        other = wire.device("other", place=place)
        admin.await_device(named("other"), "the other one")
        with open(other.config, encoding="ascii") as text:
            config = text.read().replace(f"port = {other.https}", f"port = {first.https}")
        other.stop()
        with open(other.config, "w", encoding="ascii") as out:
            out.write(config.replace("enabled = yes", "enabled = no"))
        other.restart()
        status, answer = adopt(admin, found, user=USER, password=PASSWORD)
        equal(status, 409)
        check("another key" in answer["error"], answer)


def test_clone():
    """A copy of a Device's state elsewhere: the newcomer is refused, both sides say why, the first goes on."""
    with Wire() as wire:
        admin = wire.manager().claimed()
        device = wire.device()
        adopted(admin)
        clone = Daemon(discovery="enabled = no\nname = clone", https_address="::", within=(place := wire.space())[0].enter)
        shutil.rmtree(clone.state)
        shutil.copytree(device.state, clone.state)
        wire.stack.enter_context(clone)
        clone.space, clone.address = place
        check("is a clone" in await_why(owner_of(clone), "clone"), "the clone")
        equal(owner_of(device).ask("GET", "status")[1]["manager"]["link"], "up")
        check("clone" in admin.await_device(named("left", link="up"), "the first")["why"], "the Manager's list")
        texts = [event["text"] for event in admin.ask("GET", "audit")[1]["events"] if event["what"] == "link refused"]
        check(texts and "clone" in texts[0], str(texts))


def test_clone_that_holds_on():
    """One that is refused and does not hang up is not taken for the Device when the Manager has waited for it."""
    with Wire() as wire, scratch("clone") as folder:
        manager = wire.manager()
        admin, device = manager.claimed(), wire.device()
        adopted(admin)
        with open(os.path.join(device.state, "device.key"), "rb") as text:
            key = load_pem_private_key(text.read(), None)
        with contextlib.ExitStack() as open_still:
            for _ in range(2):
                clone = open_still.enter_context(Peer(manager, folder, authority_of(manager), key))
                clone.say(hello={"id": clone.id, "boot": 9, "version": "0.1", "name": "clone", "settings_revision": 0})
                equal(clone.closed()[0], 4409)
                # Longer than the Manager waits for a rival's answer: as long as it waits for a hello.
                with Peer(manager, folder, authority_of(manager), key) as silent:
                    equal(silent.closed()[0], 1008)
        equal(admin.await_device(named("left"), "the first")["link"], "up")
        equal(owner_of(device).ask("GET", "status")[1]["manager"]["link"], "up")
        equal(admin.ask("DELETE", f"devices/{clone.id}/adoption"), (204, None), "the first is asked, and answers")


def test_strangers_fill_no_audit():
    """A line each for some; all are in the log."""
    with Wire() as wire, scratch("peers") as folder:
        manager = wire.manager()
        admin = manager.claimed()
        for _ in range(40):
            with Peer(manager, folder) as stranger:
                equal(stranger.closed()[0], 4401)
        events = [event for event in admin.ask("GET", "audit")[1]["events"] if event["what"] == "link refused"]
        equal(len(events), 30)
        # A name that is no text, and one that is cut within a letter, leave a line all the same.
        for name in ("\u202e\x1b[2J", "x" * 63 + "\u00fc"):
            equal(Person(manager).ask("POST", "login", {"user": name, "password": "x"})[0], 401)
        equal(len([event for event in admin.ask("GET", "audit")[1]["events"] if event["what"] == "log in"]), 2)


def reissued(manager, old, **times):
    """That certificate of the Manager's CA with other times."""
    with open(os.path.join(manager.state, "ca.key"), "rb") as text:
        key = load_pem_private_key(text.read(), None)
    builder = (x509.CertificateBuilder().subject_name(old.subject).issuer_name(old.issuer).public_key(old.public_key())
               .serial_number(old.serial_number).not_valid_before(times["start"]).not_valid_after(times["end"]))
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(key, hashes.SHA256())


def changed_certificate(manager, device, **times):
    """Puts another certificate of the Manager's CA in the place of the Device's."""
    path = os.path.join(device.state, "adoption")
    with open(path, encoding="utf-8") as text:
        adoption = json.load(text)
    old = x509.load_pem_x509_certificate(adoption["certificate"].encode())
    adoption["certificate"] = pem(reissued(manager, old, **times))
    with open(path, "w", encoding="utf-8") as out:
        json.dump(adoption, out)


def test_expired():
    """A Device that was in a drawer for too long: refused with the date, and mended by adopting it again."""
    with Wire() as wire:
        manager = wire.manager()
        admin, device = manager.claimed(), wire.device()
        found = adopted(admin)
        device.stop()
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        end = now - datetime.timedelta(days=1)
        changed_certificate(manager, device, start=now - datetime.timedelta(days=9), end=end)
        device.restart()
        words = f"expired on {end:%Y-%m-%d}"
        await_why(owner_of(device), words)
        admin.await_device(lambda it: words in it["why"], "the Manager's sentence")
        equal(adopt(admin, found, user=USER, password=PASSWORD)[0], 200)
        admin.await_device(named("left", link="up"), "it is linked again")


def test_certificate_is_renewed():
    """In the last third of its time, over the link, and kept on both sides."""
    with Wire() as wire:
        manager = wire.manager()
        admin, device = manager.claimed(), wire.device()
        found = adopted(admin)
        device.stop()
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        changed_certificate(manager, device, start=now - datetime.timedelta(days=9), end=now + datetime.timedelta(days=4))
        device.restart()
        limit = Deadline(60, "the audit's word of a renewal")
        while ("renew certificate", "Done.", found["id"]) not in [
                (event["what"], event["text"], event.get("device")) for event in admin.ask("GET", "audit")[1]["events"]]:
            limit.left()
        admin.await_device(named("left", link="up"), "it is linked again")
        with open(os.path.join(device.state, "adoption"), encoding="utf-8") as text:
            fresh = x509.load_pem_x509_certificate(json.load(text)["certificate"].encode())
        check(fresh.not_valid_after > now + datetime.timedelta(days=300), f"it ends {fresh.not_valid_after}")
        with contextlib.closing(sqlite3.connect(os.path.join(manager.state, "manager.db"))) as store:
            kept = store.execute("SELECT serial FROM devices").fetchone()[0]
        equal(int(kept, 16), fresh.serial_number, "the serial number that the Manager keeps")


def test_forgotten():
    """Released here alone, while it was away: refused when it comes, and to be adopted again."""
    with Wire() as wire:
        admin = wire.manager().claimed()
        device = wire.device()
        found = adopted(admin)
        device.stop()
        admin.await_device(named("left", link="down"), "it is gone")
        path = f"devices/{found['id']}/adoption"
        equal(admin.ask("DELETE", path)[0], 409)
        equal(admin.ask("DELETE", f"{path}?without=2")[0], 400)
        equal(admin.ask("DELETE", f"{path}?without=1")[0], 204)
        device.restart()
        await_why(owner_of(device), "has released it")
        adopted(admin)
