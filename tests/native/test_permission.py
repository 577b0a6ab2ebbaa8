# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may do what at a Manager: users, their types, User Groups and Target Sets, and the sessions that Tickets open at
real Devices on a wire of their own.
"""

import json
import ssl
import struct

import jsonschema

from case import check, equal
from manager import ADMIN, Manager, Person
from test_manager import SPEC, Wire, adopt, adopted, as_the_file_says, named, operations
from test_web import Ended, handshake, message

SECRET = "purple monkey dishwasher"
# What each may: everybody (a), who is logged in (p), administrators (m). And what he is told, whose body is {} and whose
# path leads to nothing.
ACCESS = {
    "getState": ("a", 200), "claim": ("a", 400), "logIn": ("a", 400), "logOut": ("p", 204), "getAccount": ("p", 200),
    "changePassword": ("p", 400), "getTargets": ("p", 200), "openTarget": ("p", 404), "endSessions": ("m", 404),
    "getDevices": ("m", 200), "adopt": ("m", 404), "release": ("m", 404), "getSettings": ("m", 200),
    "setSettings": ("m", 400), "getUsers": ("m", 200), "addUser": ("m", 400), "setUserType": ("m", 400),
    "setUserPassword": ("m", 400), "removeUser": ("m", 404), "getGroups": ("m", 200), "addGroup": ("m", 400),
    "setGroup": ("m", 400), "removeGroup": ("m", 404), "getSets": ("m", 200), "addSet": ("m", 400), "setSet": ("m", 400),
    "removeSet": ("m", 404), "promote": ("m", 409), "getAudit": ("m", 200), "getDirectory": ("m", 200),
    "setDirectory": ("m", 400), "setDirectoryMode": ("m", 400), "previewImport": ("m", 409), "importUsers": ("m", 409), "removeGone": ("m", 200)}


def closed(console):
    """How a WebSocket ends: its code and reason, None and "" without."""
    try:
        while True:
            kind, data = message(console)
            if kind == 8:
                return struct.unpack(">H", data[:2])[0], data[2:].decode()
    except (Ended, ssl.SSLError, ConnectionError):
        return None, ""


def log_in(manager, name, secret=SECRET):
    person = Person(manager)
    status, answer = person.ask("POST", "login", {"user": name, "password": secret})
    equal(status, 200, str(answer))
    return person


def add_user(admin, name, kind):
    equal(admin.ask("POST", "users", {"name": name, "type": kind, "password": SECRET}), (204, None), name)
    return log_in(admin.place, name)


def test_opens_a_target():
    """A Ticket for each session; those that are open, and the last one given, outlive the Manager."""
    with Wire() as wire:
        manager = wire.manager()
        admin, device, other = manager.claimed(), wire.device(), wire.device("right")
        stranger = admin.await_device(named("right"), "the other is found")
        equal(admin.ask("POST", f"targets/{stranger['id']}/ticket")[0], 404, "a Ticket for a Device that is not adopted")
        equal(admin.ask("POST", f"targets/{'0' * 64}/ticket")[0], 404)
        equal(Person(manager).ask("POST", f"targets/{stranger['id']}/ticket")[0], 401)
        found, stranger = adopted(admin), adopted(admin, "right")
        status, first = admin.ask("POST", f"targets/{found['id']}/ticket")
        equal(status, 200)
        jsonschema.validate(first, {"components": SPEC["components"], "$ref": "#/components/schemas/Ticket"})
        equal(first["url"], f"https://{device.address}:{device.https}/")
        person = Person(device)
        status, answer = person.ask("POST", "ticket", {"ticket": first["ticket"]})
        equal((status, answer["user"], "control" in answer["rights"]), (200, ADMIN, True))
        status, answer = Person(other).ask("POST", "ticket", {"ticket": first["ticket"]})
        equal(status, 403)
        check("another Device" in answer["error"], answer)
        second = admin.ask("POST", f"targets/{found['id']}/ticket")[1]
        check(second["ticket"] != first["ticket"], "the same Ticket")
        what = [(event["what"], event["who"], event.get("device")) for event in admin.ask("GET", "audit")[1]["events"]]
        equal(what.count(("open", ADMIN, found["id"])), 2, str(what))
        manager.stop()
        device.stop()
        device.restart()
        equal(Person(device).ask("POST", "ticket", {"ticket": second["ticket"]})[0], 200, "while the Manager is away")
        equal(Person(device).ask("POST", "ticket", {"ticket": second["ticket"]})[0], 403, "twice")


def test_who_may_do_what():
    """Every operation of the file, by everybody: what is refused is refused before anything is looked at."""
    with Wire() as wire:
        admin = wire.manager().claimed()
        callers = {"stranger": (Person(admin.place), "a"), "user": (add_user(admin, "ann", "user"), "ap"),
                   "viewonly": (add_user(admin, "eve", "viewonly"), "ap"), "administrator": (admin, "apm")}
        equal({operation["operationId"] for _, _, operation in operations()}, set(ACCESS), "operations with a rule")
        for person, kind in ((callers["user"][0], "user"), (callers["viewonly"][0], "viewonly"), (admin, "administrator")):
            equal(person.ask("GET", "account")[1]["type"], kind)
        for method, path, operation in sorted(operations(), key=lambda found: found[2]["operationId"] == "logOut"):
            name = operation["operationId"]
            there = path[1:].replace("{id}", "0" * 64 if "devices" in path or "targets" in path else "999")
            for who, (caller, may) in callers.items():
                access, told = ACCESS[name]
                if access not in may:
                    told = 401 if who == "stranger" else 403
                body = {} if "requestBody" in operation else None
                equal(caller.ask(method, there, body)[0], told, f"{name} by {who}")


def test_users_and_their_targets():
    """A user's Targets are those of his groups' sets, with his type's rights; what changes holds at once."""
    with Wire() as wire:
        manager = wire.manager()
        admin, device = manager.claimed(), wire.device()
        wire.device("right")
        left, right = adopted(admin), adopted(admin, "right")
        ann, eve = add_user(admin, "ann", "user"), add_user(admin, "eve", "viewonly")
        for person in ann, eve:
            equal(person.ask("GET", "targets"), (200, {"targets": []}))
            equal(person.ask("POST", f"targets/{left['id']}/ticket")[0], 404)
        status, racks = admin.ask("POST", "sets", {"name": "Rack 1 \u00fc", "targets": [left["id"]]})
        equal(status, 200)
        status, night = admin.ask("POST", "groups", {"name": "Night", "users": ["ann", "eve"], "sets": [racks["id"]]})
        equal(status, 200)
        for person, rights in ((ann, ["view", "control", "media", "power"]), (eve, ["view"])):
            targets = person.ask("GET", "targets")[1]["targets"]
            equal([(target["name"], target["rights"]) for target in targets], [("left", rights)])
            equal(person.ask("POST", f"targets/{right['id']}/ticket")[0], 404)
            status, given = person.ask("POST", f"targets/{left['id']}/ticket")
            equal((status, given["rights"]), (200, rights))
        guest = Person(device)
        equal(guest.ask("POST", "ticket", {"ticket": given["ticket"]}), (200, {"user": "eve", "rights": ["view"]}))
        with guest.console() as console:
            handshake(console)
            sessions = guest.ask("GET", "status")[1]["sessions"]
            equal([(session["user"], session["view_only"]) for session in sessions], [("eve", True)])
        equal(len(admin.ask("GET", "targets")[1]["targets"]), 2, "an administrator's are all")
        as_the_file_says(admin)
        # Another type, another password, another set, no user: each at once.
        equal(admin.ask("PUT", "users/eve/type", {"type": "user"}), (204, None))
        equal(eve.ask("GET", "targets")[0], 401, "who became another")
        equal(log_in(manager, "eve").ask("GET", "targets")[1]["targets"][0]["rights"][1], "control")
        equal(admin.ask("PUT", f"sets/{racks['id']}", {"name": "Rack 1", "targets": [right["id"]]}), (200, racks))
        equal([target["name"] for target in ann.ask("GET", "targets")[1]["targets"]], ["right"])
        equal(admin.ask("PUT", "users/ann/password", {"password": SECRET + "2"}), (204, None))
        equal(ann.ask("GET", "targets")[0], 401, "who has another password")
        ann = log_in(manager, "ann", SECRET + "2")
        equal(admin.ask("DELETE", "users/ann"), (204, None))
        equal(ann.ask("GET", "targets")[0], 401, "who was removed")
        equal(Person(manager).ask("POST", "login", {"user": "ann", "password": SECRET + "2"})[0], 401)
        equal(admin.ask("GET", "groups")[1]["groups"],
              [{"id": night["id"], "name": "Night", "users": ["eve"], "sets": [racks["id"]]}])
        equal(admin.ask("DELETE", f"groups/{night['id']}"), (204, None))
        equal(log_in(manager, "eve").ask("GET", "targets")[1]["targets"], [])
        equal(admin.ask("DELETE", f"sets/{racks['id']}"), (204, None))
        what = {event["what"] for event in admin.ask("GET", "audit")[1]["events"]}
        check({"add user", "change user", "set password", "remove user", "user group", "target set", "remove user group",
               "remove target set"} <= what, str(what))


def test_sessions_are_ended():
    """By an administrator, whose name the person is told; and with the user, whose unused Tickets are taken back."""
    with Wire() as wire:
        manager = wire.manager()
        admin, device = manager.claimed(), wire.device()
        found, ann = adopted(admin), add_user(admin, "ann", "user")
        status, racks = admin.ask("POST", "sets", {"name": "Racks", "targets": [found["id"]]})
        equal(admin.ask("POST", "groups", {"name": "Night", "users": ["ann"], "sets": [racks["id"]]})[0], 200)
        ticket = lambda: ann.ask("POST", f"targets/{found['id']}/ticket")[1]["ticket"]  # noqa: E731
        guest = Person(device)
        equal(guest.ask("POST", "ticket", {"ticket": ticket()})[0], 200)
        for ended in (False, True):
            with guest.console() as console:
                handshake(console)
                admin.await_device(lambda it: len(it["status"]["sessions"]) == 1, "the session in the Manager's list")
                target = ann.ask("GET", "targets")[1]["targets"][0]
                equal((target["state"], target["users"]), ("active", ["ann"]))
                unused = ticket()
                if ended:
                    equal(admin.ask("DELETE", "users/ann"), (204, None))
                    equal(closed(console)[0], None, "a log-in that ended")
                else:
                    equal(admin.ask("DELETE", f"targets/{found['id']}/sessions"), (204, None))
                    equal(closed(console), (1000, f"disconnected by {ADMIN}"))
                    equal(Person(device).ask("POST", "ticket", {"ticket": unused})[0], 200)
        equal(guest.ask("GET", "status")[0], 401)
        status, answer = Person(device).ask("POST", "ticket", {"ticket": unused})
        equal(status, 403)
        check("taken back" in answer["error"], answer)
        equal(admin.ask("DELETE", f"targets/{'0' * 64}/sessions")[0], 404)


def test_log_in_ends_under_a_request():
    """A request that begins while its sender may, and has its turn when he may not any more, changes nothing."""
    with Wire() as wire:
        admin = wire.manager().claimed()
        mallory = add_user(admin, "mallory", "administrator")
        add_user(admin, "ann", "user")
        types = {ADMIN: "administrator", "ann": "user", "mallory": "user"}
        demote, promote = (json.dumps({"type": kind}).encode() for kind in ("user", "administrator"))
        # Its body comes after.
        link = mallory.begin("PUT", "users/mallory/type", len(promote))
        equal(admin.ask("PUT", "users/mallory/type", {"type": "user"})[0], 204)
        link.send(promote)
        equal(mallory.end(link)[0], 401)
        equal({user["name"]: user["type"] for user in admin.ask("GET", "users")[1]["users"]}, types)
        # It waits behind the change, and both behind a password, which takes a while.
        equal(admin.ask("PUT", "users/mallory/type", {"type": "administrator"})[0], 204)
        mallory = log_in(admin.place, "mallory")
        requests = [(who, who.begin("PUT", path, len(body)), body) for who, path, body in (
            (admin, "users/ann/password", json.dumps({"password": SECRET}).encode()),
            (admin, "users/mallory/type", demote), (mallory, "users/mallory/type", promote))]
        for _, link, body in requests:
            link.send(body)
        equal([who.end(link)[0] for who, link, _ in requests][:2], [204, 204])
        equal({user["name"]: user["type"] for user in admin.ask("GET", "users")[1]["users"]}, types)


def test_longest_name_is_revoked():
    """The time that Tickets are taken back by is told in whole, whatever the name's length."""
    with Wire() as wire:
        admin, device = wire.manager().claimed(), wire.device()
        found, name = adopted(admin), "x" * 64
        longest = add_user(admin, name, "administrator")
        used, unused = (longest.ask("POST", f"targets/{found['id']}/ticket")[1]["ticket"] for _ in range(2))
        guest = Person(device)
        equal(guest.ask("POST", "ticket", {"ticket": used})[0], 200)
        with guest.console() as console:
            handshake(console)
            equal(admin.ask("DELETE", f"users/{name}"), (204, None))
            closed(console)
        status, answer = Person(device).ask("POST", "ticket", {"ticket": unused})
        equal(status, 403)
        check("taken back" in answer["error"], answer)


def test_own_password():
    with Wire() as wire:
        manager = wire.manager()
        admin = manager.claimed()
        ann, elsewhere = add_user(admin, "ann", "user"), log_in(manager, "ann")
        new = {"old_password": SECRET, "new_password": SECRET + "2"}
        equal(ann.ask("POST", "password", dict(new, old_password="wrong"))[0], 403)
        equal(ann.ask("POST", "password", dict(new, new_password="short"))[0], 400)
        equal(elsewhere.ask("GET", "account")[0], 200)
        equal(ann.ask("POST", "password", new), (204, None))
        equal(ann.ask("GET", "account")[0], 200, "where it was changed")
        equal(elsewhere.ask("GET", "account")[0], 401, "elsewhere")
        equal(Person(manager).ask("POST", "login", {"user": "ann", "password": SECRET})[0], 401)
        log_in(manager, "ann", SECRET + "2")


def test_unsound_users_groups_and_sets():
    with Wire() as wire:
        admin = wire.manager().claimed()
        user = {"name": "ann", "type": "user", "password": SECRET}
        for body, status in ((dict(user, name=""), 400), (dict(user, name="a b"), 400), (dict(user, name="x" * 65), 400),
                             (dict(user, type="king"), 400), (dict(user, password="short"), 400), (dict(user, more="x"), 400),
                             ({"name": "ann"}, 400), (dict(user, name=7), 400), (dict(user, name=ADMIN), 409)):
            equal(admin.ask("POST", "users", body)[0], status, str(body))
        equal(admin.ask("POST", "users", user), (204, None))
        equal(admin.ask("POST", "users", user)[0], 409, "twice")
        # The last administrator stays, and stays one.
        for method, path, body in (("DELETE", f"users/{ADMIN}", None), ("PUT", f"users/{ADMIN}/type", {"type": "user"})):
            status, answer = admin.ask(method, path, body)
            equal(status, 409, path)
            check("last administrator" in answer["error"], answer)
        for method, path, body in (("DELETE", "users/nobody", None), ("DELETE", "users/" + "x" * 100, None),
                                   ("PUT", "users/nobody/type", {"type": "user"}),
                                   ("PUT", "users/nobody/password", {"password": SECRET}),
                                   ("DELETE", "groups/1", None), ("DELETE", "groups/x", None), ("DELETE", "groups/0", None),
                                   ("PUT", "groups/7", {"name": "x", "users": [], "sets": []}), ("DELETE", "sets/-1", None),
                                   ("PUT", "sets/99999999999999999999", {"name": "x", "targets": []})):
            equal(admin.ask(method, path, body)[0], 404, path)
        equal(admin.ask("PUT", "users/ann/type", {"type": ""})[0], 400)
        equal(admin.ask("PUT", "users/ann/password", {"password": "x"})[0], 400)
        group, targets = {"name": "g", "users": ["ann"], "sets": []}, {"name": "s", "targets": []}
        for path, right, wrong in (
                ("groups", group, ({"name": ""}, {"name": "x" * 65}, {"name": "\u00fc" * 33}, {"name": "a\nb"}, {"name": "a\0b"},
                                   {"name": "a\u0085b"}, {"name": "a\u202eb"}, {"name": 1}, {"users": None}, {"users": [1]},
                                   {"sets": ["1"]}, {"sets": {}}, {"sets": [1.5]}, {"more": 1})),
                ("sets", targets, ({"name": ""}, {"targets": [1]}, {"targets": "x"}, {"targets": None}, {"more": 1}))):
            for change in wrong:
                equal(admin.ask("POST", path, dict(right, **change))[0], 400, f"{path} {change}")
            status, made = admin.ask("POST", path, right)
            equal(status, 200, path)
            equal(admin.ask("POST", path, right)[0], 409, f"{path} twice")
            equal(admin.ask("PUT", f"{path}/{made['id']}", dict(right, name="another")), (200, made))
        for path, body in (("groups", dict(group, name="h", users=["nobody"])), ("groups", dict(group, name="h", sets=[99])),
                           ("sets", dict(targets, name="h", targets=["0" * 64]))):
            status, answer = admin.ask("POST", path, body)
            equal(status, 409, path)
            check("does not exist" in answer["error"], answer)
        equal(admin.ask("POST", "sets", {"name": "x", "targets": ["x" * 20000]})[0], 413)
