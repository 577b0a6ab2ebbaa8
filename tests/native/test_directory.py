# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Manager and a real directory (slapd): people are imported from it, and it checks their passwords. Whatever is
wrong with its answer, its certificate or its being there, nobody is lost and nobody let in.
"""

import contextlib
import copy
import signal
import socket
import ssl
import threading

import jsonschema

from authority import DAY, Authority, now, pem
from case import check, equal
from directory import GROUPS, PEOPLE, READER, SUFFIX, Directory, group, person
from manager import ADMIN, ADMIN_PASSWORD, Person
from test_manager import SPEC, Wire, adopted, as_the_file_says, operations
from test_permission import ACCESS, SECRET, add_user, closed, log_in
from test_web import handshake

FEW = [person(name) for name in ("ann", "bob", "eve")]


def directory(wire, entries, **options):
    return wire.stack.enter_context(Directory(*wire.space(), entries, **options))


def asked(admin, what):
    """The answer to a preview or an import."""
    status, answer = admin.ask("POST", f"directory/{what}")
    equal(status, 200, str(answer))
    jsonschema.validate(answer, {"components": SPEC["components"], "$ref": "#/components/schemas/Import"})
    return answer


def lists(answer):
    return {name: answer[name] for name in ("added", "changed", "gone", "taken", "odd") if answer[name]}


def set_up(admin, place, **changes):
    equal(admin.ask("PUT", "directory", place.settings(**changes)), (204, None))


def imported(wire, entries=FEW, **options):
    """(administrator, directory) with its people imported."""
    admin, place = wire.manager().claimed(), directory(wire, entries, **options)
    set_up(admin, place)
    equal(lists(asked(admin, "import")), {"added": [fields["uid"] for _, fields in entries]})
    return admin, place


def users(admin):
    return {user["name"]: user for user in admin.ask("GET", "users")[1]["users"]}


def try_login(manager, name, password):
    return Person(manager).ask("POST", "login", {"user": name, "password": password})


def go_external(admin):
    """The keeper, logged in anew."""
    equal(admin.ask("PUT", "directory/mode", {"mode": "external"}), (204, None))
    equal(admin.ask("GET", "account")[0], 401, "a log-in of before")
    return log_in(admin.place, ADMIN, ADMIN_PASSWORD)


def test_imports_a_thousand():
    """By pages, first as a preview, which writes nothing; again, and nothing changes."""
    names = [f"user{number:04}" for number in range(1000)]
    with Wire() as wire:
        admin, place = wire.manager().claimed(), directory(wire, [person(name) for name in names])
        set_up(admin, place)
        seen = asked(admin, "preview")
        equal((seen["found"], seen["partial"], seen["why"], seen["added"]), (1000, False, "", names))
        equal(list(users(admin)), [ADMIN], "users after a preview")
        equal(asked(admin, "import"), seen)
        everybody = users(admin)
        equal(sorted(everybody), sorted([ADMIN, *names]))
        equal(everybody["user0999"],
              {"name": "user0999", "type": "user", "imported": True, "gone": False, "active": False})
        equal(everybody[ADMIN], {"name": ADMIN, "type": "administrator", "imported": False, "gone": False, "active": True})
        equal(lists(asked(admin, "import")), {})
        as_the_file_says(admin)


def test_chooses_by_base_filter_and_group():
    entries = [person("ann", title="boss"), person("bob"), person("eve", title="boss"),
               group("bosses", [f"CN=ANN, {PEOPLE}", f"cn=nobody,{PEOPLE}"]),
               (f"cn=unix,{GROUPS}", {"objectClass": "posixGroup", "cn": "unix", "gidNumber": 7, "memberUid": ["bob", "eve"]})]
    with Wire() as wire:
        admin, place = wire.manager().claimed(), directory(wire, entries)
        for changes, names in (({}, ["ann", "bob", "eve"]), ({"base": SUFFIX}, ["ann", "bob", "eve"]),
                               ({"filter": "(title=boss)"}, ["ann", "eve"]), ({"base": f"cn=bob,{PEOPLE}"}, ["bob"]),
                               ({"group": f"cn=bosses,{GROUPS}"}, ["ann"]), ({"group": f"cn=unix,{GROUPS}"}, ["bob", "eve"]),
                               ({"group": f"cn=unix,{GROUPS}", "filter": "(title=boss)"}, ["eve"])):
            set_up(admin, place, **changes)
            equal(asked(admin, "preview")["added"], names, str(changes))
        for changes, words in (({"base": f"ou=nowhere,{SUFFIX}"}, "no such base"),
                               ({"group": f"cn=none,{GROUPS}"}, "cannot be read"),
                               ({"filter": "(uid=\\zz)"}, "no LDAP filter")):
            set_up(admin, place, **changes)
            status, answer = admin.ask("POST", "directory/import")
            equal(status, 502, str(changes))
            check(words in answer["error"], answer)
        # Nobody at all is more likely a slip than a company without people.
        set_up(admin, place)
        asked(admin, "import")
        set_up(admin, place, filter="(title=king)")
        answer = asked(admin, "import")
        equal((answer["found"], answer["partial"], lists(answer)), (0, True, {}))
        check("check base, filter and group" in answer["why"], answer)


def test_names_that_cannot_be_taken():
    """A user of the Manager's own stays so; who has no name, or another's, is told and left."""
    entries = [person("ann"), person("admin"), person("x y"), person("two", uid=["two", "zwei"]), person("kim"),
               (f"cn=kim,ou=more,{PEOPLE}", dict(person("kim")[1], uid="KIM"))]
    entries.insert(0, (f"ou=more,{PEOPLE}", {"objectClass": "organizationalUnit", "ou": "more"}))
    with Wire() as wire:
        admin, place = wire.manager().claimed(), directory(wire, entries)
        set_up(admin, place)
        equal(lists(asked(admin, "import")), {
            "added": ["ann"], "taken": [ADMIN],
            "odd": [f"cn=kim,ou=more,{PEOPLE}", f"cn=kim,{PEOPLE}", f"cn=two,{PEOPLE}", f"cn=x y,{PEOPLE}"]})
        equal(users(admin)[ADMIN]["imported"], False)
        keeper = go_external(admin)
        log_in(keeper.place, "ann", "ann's secret")
        for name in ("kim", "KIM", "two", "*", "ann)(uid=*"):
            equal(try_login(keeper.place, name, "kim's secret")[0], 401, name)
        equal(try_login(keeper.place, ADMIN, "admin's secret")[0], 401, "the keeper by the directory's password")


def test_groups_become_user_groups():
    entries = [*FEW, group("night", [f"cn=ann,{PEOPLE}", f"cn=bob,{PEOPLE}"]), group("late", [f"cn=eve,{PEOPLE}"])]
    with Wire() as wire:
        admin, place = wire.manager().claimed(), directory(wire, entries)
        add_user(admin, "own", "user")
        night, day = (admin.ask("POST", "groups", {"name": name, "users": ["own"], "sets": []})[1]["id"]
                      for name in ("Night", "Day"))
        mapping = [{"directory": f"cn=night,{GROUPS}", "group": night}, {"directory": f"cn=late,{GROUPS}", "group": night},
                   {"directory": f"cn=late,{GROUPS}", "group": day}]
        set_up(admin, place, groups=mapping)
        asked(admin, "import")
        members = lambda: {found["id"]: found["users"] for found in admin.ask("GET", "groups")[1]["groups"]}  # noqa: E731
        equal(members(), {night: ["ann", "bob", "eve", "own"], day: ["eve", "own"]})
        place.again([*FEW, group("night", [f"cn=ann,{PEOPLE}"]), group("late", [f"cn=bob,{PEOPLE}"])])
        equal(lists(asked(admin, "preview")), {"changed": ["bob", "eve"]})
        equal(members()[day], ["eve", "own"], "after a preview")
        equal(lists(asked(admin, "import")), {"changed": ["bob", "eve"]})
        equal(members(), {night: ["ann", "bob", "own"], day: ["bob", "own"]})
        # What is not there any more is no empty group.
        place.again([*FEW, group("late", [f"cn=bob,{PEOPLE}"])])
        status, answer = admin.ask("POST", "directory/import")
        equal(status, 502, str(answer))
        check("cn=night" in answer["error"], answer)
        place.again(entries)
        equal(admin.ask("DELETE", f"groups/{day}"), (204, None))
        status, answer = admin.ask("POST", "directory/import")
        equal(status, 409, str(answer))
        check("does not exist any more" in answer["error"], answer)
        equal(members(), {night: ["ann", "bob", "own"]})


def test_partial_answer_deactivates_nobody():
    """Ten of thirty by the server's limit: the others stay, and log in once the limit is gone."""
    entries = [person(f"user{number:02}") for number in range(30)]
    with Wire() as wire:
        admin, place = imported(wire, entries)
        place.limits = f'limits dn.exact="{READER}" size.soft=10 size.hard=10 size.prtotal=10'
        place.again([*entries[:20], person("late")])
        answer = asked(admin, "import")
        equal((answer["partial"], answer["gone"], answer["changed"]), (True, [], []))
        check("size limit" in answer["why"] and answer["found"] < 21, answer)
        check(not any(user["gone"] for user in users(admin).values()), "somebody is gone")
        what = [event["text"] for event in admin.ask("GET", "audit")[1]["events"] if event["what"] == "import"]
        check("partial: The directory stopped at its size limit" in what[0], what)
        place.limits = ""
        place.again()
        equal(lists(asked(admin, "import")), {"added": ["late"], "gone": [f"user{number:02}" for number in range(20, 30)]})


def refused(admin, words):
    """Neither a preview, nor an import, nor the mode: and each says why."""
    for method, path, body in (("POST", "directory/preview", None), ("POST", "directory/import", None),
                               ("PUT", "directory/mode", {"mode": "external"})):
        status, answer = admin.ask(method, path, body)
        equal(status, 502, f"{path}: {answer}")
        check(words in answer["error"], f"{path}: {answer}")
    equal(admin.ask("GET", "directory")[1]["mode"], "local")


def test_certificates():
    """By StartTLS and by LDAPS: only that of the right authority, for that name, at that time."""
    other = Authority("Somebody else")
    with Wire() as wire:
        admin, place = wire.manager().claimed(), directory(wire, FEW)
        wrong = {"ca": pem(other.certificate)}
        for scheme in ("ldap", "ldaps"):
            url = {"url": f"{scheme}://{place.address}"}
            set_up(admin, place, **url)
            equal(asked(admin, "preview")["added"], ["ann", "bob", "eve"])
            set_up(admin, place, **url, **wrong)
            refused(admin, "an authority that is not in the settings")
            check("Directory's authority" in admin.ask("POST", "directory/preview")[1]["error"], "its name")
            set_up(admin, place, **url, ca=wrong["ca"] + pem(place.authority.certificate))
            equal(asked(admin, "preview")["added"], ["ann", "bob", "eve"])
        for names, changes, words in ((["directory.example.org"], {}, "for other names (directory.example.org)"),
                                      (["10.9.9.9"], {}, "for other names"),
                                      (None, {"end": now() - DAY / 2}, "has expired"),
                                      (None, {"start": now() + DAY}, "not valid yet")):
            place.certify(names or [place.address], **changes)
            place.again()
            for scheme in ("ldap", "ldaps"):
                set_up(admin, place, url=f"{scheme}://{place.address}")
                refused(admin, words)


def test_old_tls_and_none():
    with Wire() as wire:
        admin, place = wire.manager().claimed(), directory(wire, FEW, tls="TLSCipherSuite NORMAL:-VERS-ALL:+VERS-TLS1.1")
        for scheme in ("ldap", "ldaps"):
            set_up(admin, place, url=f"{scheme}://{place.address}")
            refused(admin, "TLS 1.2 or newer cannot be agreed")
        place.tls = ""
        place.again()
        # LDAPS at the port of StartTLS, and the other way round.
        for url in (f"ldaps://{place.address}:389", f"ldap://{place.address}:636"):
            set_up(admin, place, url=url)
            refused(admin, "it cannot be reached")
        set_up(admin, place, url=f"ldap://{place.address}:390")
        refused(admin, "it cannot be reached")
        for change in ({"bind_password": "wrong"}, {"bind_dn": f"cn=none,{SUFFIX}"}):
            set_up(admin, place, **change)
            refused(admin, "does not take this Manager's own name and password")


class Hostile:
    """In the place of a directory: answers the first message of each connection with this, and no other. `with` it.
    tls: the key and certificate that it has, for ldaps; of its answer's only record then half is sent."""

    def __init__(self, space, answer, tls=None):
        self.answer, self.heard = answer, []
        self.tls = None
        if tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*tls)
        self.listener = space.open(socket.AF_INET, socket.SOCK_STREAM)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen()
        self.listener.settimeout(None)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                link, _ = self.listener.accept()
                with link, contextlib.suppress(ConnectionError):
                    if self.tls:
                        self.half_a_record(link)
                    else:
                        self.heard.append(link.recv(4096))
                        link.sendall(self.answer)
                    while more := link.recv(4096):
                        self.heard.append(more)

    def half_a_record(self, link):
        coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.tls.wrap_bio(coming, going, server_side=True)
        for act in tls.do_handshake, lambda: self.heard.append(tls.read(4096)), lambda: tls.write(self.answer):
            while True:
                try:
                    act()
                    break
                except ssl.SSLWantReadError:
                    link.sendall(going.read())
                    if not (more := link.recv(4096)):
                        return
                    coming.write(more)
        record = going.read()
        link.sendall(record[:len(record) // 2])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()


class Scripted(Hostile):
    """One that speaks TLS, and answers a message of this number and kind (RFC 4511's tag) with answer(number, kind), which
    gives parts until it is heard no more."""

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                link, _ = self.listener.accept()
                with contextlib.suppress(OSError), self.tls.wrap_socket(link, server_side=True) as talk:
                    while message := talk.recv(65536):
                        self.heard.append(message)
                        at = 2 + (message[1] & 0x7f if message[1] & 0x80 else 0)
                        at += 2
                        number = message[at:at + message[at - 1]]
                        for part in self.answer(number, message[at + len(number)]):
                            talk.sendall(part)


def ber(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    return bytes([tag]) + (bytes([size]) if size < 128 else bytes([0x82]) + size.to_bytes(2, "big")) + body


BIND, SEARCH = 0x60, 0x63
SUCCESS = ber(0x0a, b"\0"), ber(0x04), ber(0x04)


def one_page(number, kind):
    """A bind succeeds; a search finds nobody."""
    if kind in (BIND, SEARCH):
        yield ber(0x30, ber(0x02, number), ber(kind + (1 if kind == BIND else 2), *SUCCESS))


def endless(number, kind):
    """A bind succeeds; a search's first page has people without end."""
    if kind == SEARCH:
        for count in range(1000000):
            name = f"user{count}".encode()
            uid = ber(0x30, ber(0x04, b"uid"), ber(0x31, ber(0x04, name)))
            yield ber(0x30, ber(0x02, number), ber(0x64, ber(0x04, b"cn=" + name + b"," + PEOPLE.encode()), ber(0x30, uid)))
    yield from one_page(number, kind)


START_TLS = b"1.3.6.1.4.1.1466.20037"


def test_hostile_directory():
    """No StartTLS, half an answer, one of 2 GiB, none that is LDAP: it is said soon, and no password was sent. And half a
    record of TLS."""
    with Wire() as wire:
        admin, place = wire.manager().claimed(), directory(wire, FEW)
        refusal = bytes.fromhex("300c02010178070a010204000400")
        for answer, words in ((refusal, "StartTLS"), (refusal[:9], "Timed out"), (b"0\x84\x7f\xff\xff\xff" + refusal[2:], "Can't contact"),
                              (b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9, "cannot be reached")):
            with Hostile(admin.place.space, answer) as hostile:
                set_up(admin, place, url=f"ldap://127.0.0.1:{hostile.port}")
                status, said = admin.ask("POST", "directory/preview")
                equal(status, 502, str(said))
                check(words in said["error"], said)
                heard = b"".join(hostile.heard)
                check(START_TLS in heard and READER.encode() not in heard, heard)
        place.certify(["127.0.0.1"])
        with Hostile(admin.place.space, bytes(1000), (place.path("slapd.crt"), place.path("slapd.key"))) as hostile:
            set_up(admin, place, url=f"ldaps://127.0.0.1:{hostile.port}")
            status, said = admin.ask("POST", "directory/preview")
            equal(status, 502, str(said))
            check("it does not answer a bind: Timed out" in said["error"], said)
            check(READER.encode() in hostile.heard[0], hostile.heard)
        # It is there again, for what comes after.
        set_up(admin, place)
        equal(asked(admin, "preview")["added"], ["ann", "bob", "eve"])


def scripted(wire, admin, place, answer):
    place.certify(["127.0.0.1"])
    there = wire.stack.enter_context(Scripted(admin.place.space, answer, (place.path("slapd.crt"), place.path("slapd.key"))))
    set_up(admin, place, url=f"ldaps://127.0.0.1:{there.port}")
    return there


def test_more_than_are_taken():
    """Of one that has no end, and cares for no pages."""
    with Wire() as wire:
        admin, place = wire.manager().claimed(), directory(wire, FEW)
        scripted(wire, admin, place, endless)
        answer = asked(admin, "preview")
        equal((answer["partial"], answer["found"]), (True, 20001))
        check("more people than this Manager takes" in answer["why"], answer["why"])


def test_directory_hears_of_its_own_alone():
    """Whoever was not imported, or is a user of the Manager's own, is not looked for there: nobody's password is guessed by
    way of a Manager that would not let him in."""
    with Wire() as wire:
        admin, place = imported(wire)
        add_user(admin, "localonly", "user")
        there = scripted(wire, admin, place, one_page)
        keeper = go_external(admin)
        for name in ("localonly", "ANN", "stranger", "ann"):
            equal(try_login(keeper.place, name, "some password")[0], 401, name)
        heard = b"".join(there.heard)
        for name, whether in ((b"localonly", False), (b"ANN", False), (b"stranger", False), (b"ann", True)):
            equal(name in heard, whether, name)


def test_external_mode():
    """Who may log in and do what, in each mode; it holds over a restart; and the way back."""
    with Wire() as wire:
        admin, place = imported(wire)
        manager = admin.place
        device = wire.device()
        found = adopted(admin)
        racks = admin.ask("POST", "sets", {"name": "Racks", "targets": [found["id"]]})[1]["id"]
        equal(admin.ask("POST", "groups", {"name": "All", "users": ["ann"], "sets": [racks]})[0], 200)
        own = add_user(admin, "own", "administrator")
        used, unused = (admin.ask("POST", f"targets/{found['id']}/ticket")[1]["ticket"] for _ in range(2))
        guest = Person(device)
        equal(guest.ask("POST", "ticket", {"ticket": used})[0], 200)
        equal(try_login(manager, "ann", "ann's secret")[0], 401, "in Local mode")
        equal(admin.ask("PUT", "directory/mode", {"mode": "local"})[0], 409, "what it is already")
        with guest.console() as console:
            handshake(console)
            keeper = go_external(admin)
            closed(console)
        equal(Person(device).ask("POST", "ticket", {"ticket": unused})[0], 403, "the keeper's unused Ticket")
        equal(own.ask("GET", "account")[0], 401, "another's log-in of before")
        for _ in range(2):
            equal(keeper.ask("GET", "account"), (200, {"user": ADMIN, "type": "administrator", "opens": False}))
            equal({name: user["active"] for name, user in users(keeper).items()},
                  {ADMIN: True, "own": False, "ann": True, "bob": True, "eve": True})
            status, answer = keeper.ask("POST", f"targets/{found['id']}/ticket")
            equal(status, 403, str(answer))
            check("open no Targets" in answer["error"], answer)
            equal(keeper.ask("GET", "targets")[0], 403)
            equal(keeper.ask("GET", "devices")[0], 200)
            ann = log_in(manager, "ann", "ann's secret")
            equal(ann.ask("GET", "account"), (200, {"user": "ann", "type": "user", "opens": True}))
            equal(ann.ask("POST", f"targets/{found['id']}/ticket")[0], 200)
            equal(ann.ask("GET", "directory")[0], 403)
            equal(ann.ask("POST", "password", {"old_password": "ann's secret", "new_password": SECRET})[0], 409)
            for name, password in (("own", SECRET), ("ann", SECRET), ("ann", ""), ("bob", "ann's secret")):
                status, answer = try_login(manager, name, password)
                equal(status, 401, f"{name} {password!r} {answer}")
            manager.stop()
            manager.start()
            keeper = log_in(manager, ADMIN, ADMIN_PASSWORD)
        # The keeper stays what he is; and there is one.
        for method, path, body in (("DELETE", f"users/{ADMIN}", None), ("PUT", f"users/{ADMIN}/type", {"type": "user"})):
            status, answer = keeper.ask(method, path, body)
            equal(status, 409, path)
            check("go back to Local mode first" in answer["error"], answer)
        equal(keeper.ask("PUT", "directory/mode", {"mode": "external"})[0], 409, "twice")
        # An imported administrator takes it from nobody, also with a password of his own.
        equal(keeper.ask("PUT", "users/eve/type", {"type": "administrator"}), (204, None))
        equal(keeper.ask("PUT", "users/eve/password", {"password": SECRET}), (204, None))
        eve = log_in(manager, "eve", "eve's secret")
        equal(eve.ask("GET", "users")[0], 200)
        equal(eve.ask("PUT", "directory/mode", {"mode": "external"})[0], 409)
        equal(eve.ask("GET", "directory")[1]["keeper"], ADMIN)
        # The way back, also while the directory is away; an imported user with a password of his own logs in by that.
        place.stop()
        equal(keeper.ask("PUT", "users/bob/password", {"password": SECRET}), (204, None))
        equal(keeper.ask("PUT", "directory/mode", {"mode": "local"}), (204, None))
        for person_of_before in keeper, ann, eve:
            equal(person_of_before.ask("GET", "account")[0], 401, "a log-in of before")
        admin = log_in(manager, ADMIN, ADMIN_PASSWORD)
        log_in(manager, "own")
        log_in(manager, "bob")
        equal(try_login(manager, "ann", "ann's secret")[0], 401)
        equal(admin.ask("POST", f"targets/{found['id']}/ticket")[0], 200)
        what = [event["text"] for event in admin.ask("GET", "audit")[1]["events"] if event["what"] == "mode"]
        equal(what, ["local", "external"])


def test_keeper_may_all_but_open():
    """Every operation of the file, as an administrator, but for Targets."""
    told = {**{name: status for name, (_, status) in ACCESS.items()}, "getTargets": 403, "openTarget": 403,
            "previewImport": 200, "importUsers": 200}
    with Wire() as wire:
        keeper = go_external(imported(wire)[0])
        for method, path, operation in sorted(operations(), key=lambda found: found[2]["operationId"] == "logOut"):
            name = operation["operationId"]
            there = path[1:].replace("{id}", "0" * 64 if "devices" in path or "targets" in path else "999")
            equal(keeper.ask(method, there, {} if "requestBody" in operation else None)[0], told[name], name)


def test_directory_is_away():
    """Nobody is let in, it is said why, and it is no guess; the keeper logs in meanwhile."""
    with Wire() as wire:
        admin, place = imported(wire)
        keeper = go_external(admin)
        manager = keeper.place
        place.process.signal(signal.SIGSTOP)
        link = Person(manager).begin("POST", "login", len(b'{"user": "ann", "password": "x"}'))
        link.send(b'{"user": "ann", "password": "x"}')
        log_in(manager, ADMIN, ADMIN_PASSWORD)
        status, answer = Person(manager).end(link)
        equal(status, 503, str(answer))
        check("cannot be asked" in answer["error"], answer)
        status, answer = keeper.ask("POST", "directory/import")
        equal(status, 502, str(answer))
        place.process.signal(signal.SIGCONT)
        log_in(manager, "ann", "ann's secret")
        place.stop()
        for name in ["ann", "nobody"] * 8:
            equal(try_login(manager, name, "ann's secret")[0], 503, name)
        # So strangers may try as often as they like; and push nothing out of the audit.
        for _ in range(20):
            equal(try_login(manager, "stranger", "some password")[0], 503)
        noted = [event for event in keeper.ask("GET", "audit")[1]["events"] if "cannot be asked" in event["text"]]
        check(16 < len(noted) <= 30, f"{len(noted)} of them in the audit")
        check(not any(user["gone"] for user in users(keeper).values()), "somebody is gone")
        place.start()
        log_in(manager, "ann", "ann's secret")


def test_guesses_are_limited():
    with Wire() as wire:
        admin, _ = imported(wire)
        manager = go_external(admin).place
        for name in ("bob", "nobody"):
            check(429 in [try_login(manager, name, f"guess {number}")[0] for number in range(9)], f"{name} without a limit")


def test_who_is_gone():
    """He is out at once, though he would be let in by a directory that had him back; and is cleaned out, or comes back."""
    with Wire() as wire:
        admin, place = imported(wire)
        keeper = go_external(admin)
        manager = keeper.place
        ann, bob = log_in(manager, "ann", "ann's secret"), log_in(manager, "bob", "bob's secret")
        place.again(FEW[:1])
        equal(try_login(manager, "bob", "bob's secret")[0], 401, "before the import that says so")
        equal(bob.ask("GET", "account")[0], 200)
        equal(lists(asked(keeper, "import")), {"gone": ["bob", "eve"]})
        equal((ann.ask("GET", "account")[0], bob.ask("GET", "account")[0]), (200, 401))
        equal(keeper.ask("GET", "directory")[1]["gone"], ["bob", "eve"])
        place.again(FEW[:2])
        equal(try_login(manager, "bob", "bob's secret")[0], 401, "until he is imported again")
        equal(lists(asked(keeper, "import")), {"changed": ["bob"]})
        log_in(manager, "bob", "bob's secret")
        equal(keeper.ask("DELETE", "directory/gone"), (200, {"removed": ["eve"]}))
        equal(sorted(users(keeper)), [ADMIN, "ann", "bob"])
        equal(keeper.ask("DELETE", "directory/gone"), (200, {"removed": []}))


def test_password_of_the_settings():
    """It is never shown, and goes to nobody but whom it was given for."""
    with Wire() as wire:
        admin, place = wire.manager().claimed(), directory(wire, FEW)
        for path in ("preview", "import"):
            status, answer = admin.ask("POST", f"directory/{path}")
            equal((status, answer["error"]), (409, "There are no settings of a directory yet."))
        for mode in ("external", "local"):
            equal(admin.ask("PUT", "directory/mode", {"mode": mode})[0], 409)
        settings = place.settings()
        equal(admin.ask("PUT", "directory", settings), (204, None))
        shown = {name: value for name, value in settings.items() if name != "bind_password"}
        equal(admin.ask("GET", "directory")[1]["settings"], shown)
        check(settings["bind_password"] not in str(admin.ask("GET", "audit")), "the password in the audit")
        equal(admin.ask("PUT", "directory", dict(shown, filter="(uid=ann)")), (204, None))
        equal(asked(admin, "preview")["added"], ["ann"])
        for change in ({"url": "ldap://10.1.0.99"}, {"bind_dn": f"cn=other,{SUFFIX}"},
                       {"ca": pem(Authority("x").certificate)}):
            status, answer = admin.ask("PUT", "directory", dict(shown, **change))
            equal(status, 400, str(change))
            check("bind_password" in answer["error"], answer)
        as_the_file_says(admin)
        unsound = [("url", "http://x"), ("url", "ldap://"), ("url", "ldap://x:0"), ("url", "ldap://x/dc=org"), ("url", 7),
                   ("ca", ""), ("ca", "x"), ("ca", shown["ca"].replace("A", "?", 40)), ("bind_dn", ""), ("bind_dn", "x"),
                   ("bind_password", ""), ("bind_password", "x\0y"), ("bind_password", "x" * 257), ("base", ""), ("base", "dc"),
                   ("filter", "uid=x"), ("filter", "(uid=x))(uid=*"), ("filter", "((uid=x)"), ("filter", "(" * 1024),
                   ("group", "x"), ("name_attribute", "uid)"), ("name_attribute", "1"), ("type", "administrator"),
                   ("groups", {}), ("groups", [{"directory": "x", "group": 1}]), ("groups", [{"directory": PEOPLE, "group": 0}]),
                   ("groups", [{"directory": PEOPLE, "group": 1}] * 65), ("more", 1)]
        for name, value in unsound:
            wrong = dict(copy.deepcopy(settings), **{name: value})
            equal(admin.ask("PUT", "directory", wrong)[0], 400, f"{name}: {value!r}")
        equal(admin.ask("PUT", "directory", ["x"])[0], 400)
        equal(admin.ask("PUT", "directory", dict(settings, ca="x" * 70000))[0], 413)
        for mode in ("", "External", "both"):
            equal(admin.ask("PUT", "directory/mode", {"mode": mode})[0], 400)
