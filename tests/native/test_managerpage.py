# SPDX-License-Identifier: GPL-2.0-or-later
"""The Manager's page in a real browser (headless Chromium), beside a real Device: claimed, a Device adopted and
released. Pictures of it at two sizes are left in build/screenshots.
"""

import json
import os

from case import BUILD, TOP, Process, check, equal
from directory import GROUPS, PEOPLE, Directory, group, person
from manager import ADMIN, ADMIN_PASSWORD
from test_manager import Wire, adopted
from test_permission import SECRET, add_user
from test_web import claim_code

SHOTS = os.path.join(BUILD, "screenshots")


class Page(Process):
    """In the Manager's namespace."""

    def __init__(self, manager):
        super().__init__([*manager.space.enter, "node", os.path.join(TOP, "tests", "e2e", "browser.mjs")], timeout=60)
        self.do("goto", url=f"https://127.0.0.1:{manager.https}/")

    def do(self, what, **more):
        answer = json.loads(self.ask(json.dumps(dict(more, do=what))))
        check("error" not in answer, f"{what} {more}: {answer.get('error')}")
        return answer

    def shots(self, name):
        for width, height in ((1280, 800), (400, 800)):
            self.do("window", width=width, height=height)
            self.do("shot", file=os.path.join(SHOTS, f"{name}-{width}.png"))


def code_of(manager):
    for line in manager.process.stdout:
        if line.startswith(b"Claim code:"):
            return line.split()[2].decode()
    raise AssertionError("no claim code")


def opened_by_ticket(page, device):
    """The Target in a tab of its own, on the Device's page; the address is not good for a second time."""
    page.do("follow", name="Open")
    equal(page.do("console", width=640, height=480), {"width": 640, "height": 480})
    page.do("await-bar", text="Connected")
    page.do("window", width=1280, height=800)
    page.do("shot", file=os.path.join(SHOTS, "device-by-ticket.png"))
    page.do("type", text="a")
    equal(device.keyboard.report()[2], 4, "a key")
    equal(page.do("errors")["errors"], [])
    page.do("goto", url=f"https://{device.address}:{device.https}/#ticket=x")
    page.do("await-gate", text="This is no Ticket")
    page.do("shot", file=os.path.join(SHOTS, "device-no-ticket.png"))


def claim(page, manager):
    page.do("await-gate", text="Claim this Manager")
    for field, text in (("code", code_of(manager)), ("user", ADMIN), ("password", ADMIN_PASSWORD),
                        ("again", ADMIN_PASSWORD)):
        page.do("fill", id=field, text=text)
    page.do("press", id="gate-go")
    page.do("await-text", id="who", text=ADMIN)


def log_in(page, user, password):
    page.do("await-gate", text="Log in")
    page.do("fill", id="user", text=user)
    page.do("fill", id="password", text=password)
    page.do("press", id="gate-go")
    page.do("await-text", id="who", text=user)


def test_users_groups_and_sets():
    """An administrator lets a person see one Target and no more, by the page alone."""
    os.makedirs(SHOTS, exist_ok=True)
    with Wire() as wire:
        manager = wire.manager()
        device = wire.device(claim=False)
        with Page(manager) as page:
            claim(page, manager)
            page.do("await-text", id="list", text="left")
            page.do("push", name="Adopt")
            page.do("fill", id="ask-code", text=claim_code(device))
            page.do("press", id="ask-go")
            page.do("await-row", row="left", text="Connected")
            page.do("errors")
            page.do("press", id="go-users")
            page.do("await-text", id="user-list", text=ADMIN)
            page.do("press", id="add-user")
            page.do("fill", id="ask-name", text="ann")
            page.do("choose", id="ask-type", value="viewonly")
            page.do("fill", id="ask-password", text="short")
            page.do("press", id="ask-go")
            page.do("await-text", id="ask-error", text="8 to 256 characters")
            page.do("fill", id="ask-password", text=SECRET)
            page.do("press", id="ask-go")
            page.do("await-row", row="ann", text="View only")
            page.do("press", id="add-set")
            page.do("fill", id="ask-name", text="Rack 1")
            page.do("check", label="left")
            page.do("press", id="ask-go")
            page.do("await-row", row="Rack 1", text="left")
            page.do("press", id="add-group")
            page.do("fill", id="ask-name", text="Night shift")
            page.do("check", label="ann")
            page.do("check", label="Rack 1")
            page.shots("manager-group")
            page.do("press", id="ask-go")
            page.do("await-row", row="Night shift", text="Rack 1")
            page.shots("manager-users")
            page.do("push", row="admin", name="Remove")
            page.do("press", id="ask-go")
            page.do("await-text", id="ask-error", text="last administrator")
            page.do("press", id="ask-cancel")
            page.do("press", id="log-out")
            log_in(page, "ann", SECRET)
            page.do("await-row", row="left", text="See")
            page.do("await-text", id="go-devices", text="")
            page.do("await-text", id="go-users", text="")
            page.shots("manager-targets")


def test_view_only_and_disconnected():
    """Who may only watch opens the Target and cannot press anything; an administrator elsewhere ends it."""
    os.makedirs(SHOTS, exist_ok=True)
    with Wire() as wire:
        manager = wire.manager()
        admin, device = manager.claimed(), wire.device()
        producer = device.producer()
        producer.ask("mode 640 480")
        producer.ask("frame full")
        found = adopted(admin)
        add_user(admin, "ann", "viewonly")
        racks = admin.ask("POST", "sets", {"name": "Racks", "targets": [found["id"]]})[1]
        equal(admin.ask("POST", "groups", {"name": "Night", "users": ["ann"], "sets": [racks["id"]]})[0], 200)
        with Page(manager) as page, Page(manager) as other:
            log_in(page, "ann", SECRET)
            page.do("await-row", row="left", text="Idle")
            page.do("errors")
            page.do("follow", name="Open")
            page.do("console", width=640, height=480)
            page.do("await-bar", text="Connected")
            page.do("shot", file=os.path.join(SHOTS, "device-view-only.png"))
            equal(page.do("disabled", id="ctrl-alt-del"), {"disabled": True})
            equal(page.do("disabled", id="view-only"), {"disabled": True})
            equal(page.do("errors")["errors"], [])
            log_in(other, ADMIN, ADMIN_PASSWORD)
            other.do("press", id="go-targets")
            other.do("await-row", row="left", text="In use")
            other.shots("manager-in-use")
            other.do("push", row="left", name="Disconnect")
            other.do("press", id="ask-go")
            page.do("await-overlay", text=f"disconnected by {ADMIN}")
            page.do("shot", file=os.path.join(SHOTS, "device-disconnected.png"))
            other.do("await-row", row="left", text="Idle")


def test_a_directory():
    """Set up, previewed, imported, and made to check passwords, by the page alone; and back."""
    os.makedirs(SHOTS, exist_ok=True)
    names = [f"user{number:03}" for number in range(120)]
    with Wire() as wire:
        manager = wire.manager()
        admin = manager.claimed()
        equal(admin.ask("POST", "groups", {"name": "Night shift", "users": [], "sets": []})[0], 200)
        people = [f"cn={name},{PEOPLE}" for name in names]
        place = wire.stack.enter_context(Directory(*wire.space(), [*map(person, names), group("night", people[:7])]))
        settings = place.settings()
        with Page(manager) as page:
            log_in(page, ADMIN, ADMIN_PASSWORD)
            page.do("errors")
            page.do("press", id="go-directory")
            page.do("await-text", id="directory-mode", text="This Manager checks passwords")
            equal(page.do("disabled", id="directory-go"), {"disabled": True})
            for name in ("url", "bind_dn", "bind_password", "base", "filter", "name_attribute", "ca"):
                page.do("fill", id=f"directory-{name}", text=settings[name] if name != "filter" else "uid=*")
            page.do("push", name="Save")
            page.do("await-text", id="directory-said", text="must be one LDAP filter")
            page.do("errors")
            page.do("fill", id="directory-filter", text=settings["filter"])
            page.do("press", id="directory-add")
            page.do("fill-labelled", label="Group of the directory", text=f"cn=night,{GROUPS}")
            page.do("push", name="Save")
            page.do("await-text", id="directory-said", text="Saved.")
            equal(page.do("axe")["wrong"], [], "the directory's page")
            page.do("press", id="directory-preview")
            page.do("await-text", id="directory-answer", text="nothing is changed yet")
            page.do("await-text", id="directory-answer", text="New: 120")
            page.shots("manager-directory")
            page.do("press", id="directory-import")
            page.do("await-text", id="directory-answer", text="120 found, imported")
            page.do("await-text", id="directory-count", text="120 imported, 0 of them gone")
            equal(admin.ask("GET", "groups")[1]["groups"][0]["users"], names[:7])
            page.do("press", id="directory-go")
            page.do("press", id="ask-go")
            log_in(page, names[0], f"{names[0]}'s secret")
            page.do("await-text", id="go-directory", text="")
            page.do("press", id="log-out")
            log_in(page, ADMIN, ADMIN_PASSWORD)
            page.do("errors")
            page.do("await-text", id="go-targets", text="")
            page.do("press", id="go-directory")
            page.do("await-text", id="directory-mode", text=f"{ADMIN} alone logs in by one of this Manager")
            place.again([person(name) for name in names[:100]] + [group("night", people[:7])])
            page.do("press", id="directory-import")
            page.do("await-text", id="directory-answer", text="Gone: 20")
            page.do("press", id="directory-clean")
            page.do("press", id="ask-go")
            page.do("await-text", id="directory-count", text="100 imported, 0 of them gone")
            equal(page.do("errors")["errors"], [])
            place.stop()
            page.do("press", id="directory-preview")
            page.do("await-text", id="directory-answer", text="it cannot be reached")
            page.do("press", id="directory-go")
            page.do("press", id="ask-go")
            log_in(page, ADMIN, ADMIN_PASSWORD)
            page.do("press", id="go-users")
            page.do("await-row", row=names[0], text="cannot log in now")


def test_nothing_keeps_people_out():
    """What axe-core finds serious on each page and in each dialogue: nothing."""
    with Wire() as wire:
        manager = wire.manager()
        admin, device = manager.claimed(), wire.device()
        wire.device("right")
        producer = device.producer()
        producer.ask("mode 640 480")
        producer.ask("frame full")
        adopted(admin)
        admin.ask("POST", "sets", {"name": "Racks", "targets": []})
        admin.ask("POST", "groups", {"name": "Night", "users": [ADMIN], "sets": []})
        with Page(manager) as page:

            def look(where):
                equal(page.do("axe")["wrong"], [], where)

            page.do("await-gate", text="Log in")
            look("the log-in")
            log_in(page, ADMIN, ADMIN_PASSWORD)
            page.do("await-row", row="left", text="Connected")
            page.do("await-row", row="right", text="Stand-alone")
            look("Devices")
            page.do("push", row="right", name="Adopt")
            look("adopting")
            page.do("press", id="ask-cancel")
            page.do("press", id="go-users")
            page.do("await-row", row="Night", text=ADMIN)
            look("Users")
            page.do("push", row="Night", name="Edit")
            look("a group")
            page.do("press", id="ask-cancel")
            page.do("press", id="go-targets")
            page.do("await-row", row="left", text="Idle")
            look("Targets")
            page.do("follow", name="Open")
            page.do("console", width=640, height=480)
            page.do("await-bar", text="Connected")
            look("the console")
            page.do("press", id="log-out")
            page.do("await-gate", text="Log in")
            look("the Device's log-in")


def test_a_device_is_adopted():
    os.makedirs(SHOTS, exist_ok=True)
    with Wire() as wire:
        manager = wire.manager()
        code = code_of(manager)
        with Page(manager) as page:
            page.do("await-gate", text="Claim this Manager")
            page.shots("manager-claim")
            for field, text in (("code", "AAAA-AAAA-AAAA"), ("user", ADMIN), ("password", ADMIN_PASSWORD),
                                ("again", ADMIN_PASSWORD)):
                page.do("fill", id=field, text=text)
            page.do("press", id="gate-go")
            page.do("await-text", id="gate-error", text="not right")
            equal(page.do("errors")["errors"],
                  ["Failed to load resource: the server responded with a status of 409 (Conflict)",
                   "Failed to load resource: the server responded with a status of 403 (Forbidden)"])
            page.do("fill", id="code", text=code.lower())
            page.do("fill", id="password", text=ADMIN_PASSWORD)
            page.do("press", id="gate-go")
            page.do("await-text", id="nothing", text="No Device has been found yet")
            device = wire.device(claim=False)
            wire.device("right")
            page.do("await-text", id="list", text="right")
            page.do("await-text", id="list", text="New")
            page.do("press", id="log-out")
            page.do("await-gate", text="Log in")
            page.do("fill", id="user", text=ADMIN)
            page.do("fill", id="password", text=ADMIN_PASSWORD)
            page.do("press", id="gate-go")
            page.do("await-text", id="list", text="left")
            page.do("push", name="Adopt")
            page.do("await-text", id="ask-title", text="Adopt left")
            page.shots("manager-adopt")
            page.do("fill", id="ask-code", text="AAAA-AAAA-AAAA")
            page.do("press", id="ask-go")
            page.do("await-text", id="ask-error", text="not right")
            page.do("fill", id="ask-code", text=claim_code(device))
            page.do("press", id="ask-go")
            page.do("await-text", id="list", text="Connected")
            page.do("await-text", id="count", text="1 of 1")
            page.shots("manager-devices")
            producer = device.producer()
            producer.ask("mode 640 480")
            producer.ask("frame full")
            page.do("await-text", id="list", text="640 × 480")
            page.do("errors")
            opened_by_ticket(page, device)
            page.do("goto", url=f"https://127.0.0.1:{manager.https}/")
            page.do("await-text", id="count", text="1 of 1")
            page.do("push", name="Release")
            page.do("await-text", id="ask-title", text="Release left")
            page.do("press", id="ask-go")
            page.do("await-text", id="count", text="0 of 0")
