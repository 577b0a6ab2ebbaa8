# SPDX-License-Identifier: GPL-2.0-or-later
"""A Device and its Manager: adoption, the link, settings, release. The Manager is a stand-in (tests/lib/authority.py)
that can also do what a Manager never would.
"""

import datetime
import http.client
import json
import os
import signal

from authority import DAY, MANAGER, SERVER, Authority, Standin, now, pem
from case import Deadline, check, equal, scratch
from daemon import PASSWORD, USER, Daemon
from test_web import Web, claim_code, handshake

HOUR = datetime.timedelta(hours=1)


def owner_of(daemon):
    caller = Web(daemon)
    equal(caller.login()[0], 200, "log in")
    return caller


def adopt(caller, body):
    return caller.ask("POST", "/api/v1/adoption", body)


def await_status(caller, condition, what):
    limit = Deadline(60, what)
    while not condition(status := caller.ask("GET", "/api/v1/status")[1]):
        limit.left()
    return status


def linked(caller, phase):
    """The status once the link is so."""
    return await_status(caller, lambda status: status.get("manager", {}).get("link") == phase, f"a link that is {phase}")


def test_adopted_by_owner():
    with Daemon() as daemon:
        authority, owner = Authority(), owner_of(daemon)
        equal(owner.ask("GET", "/api/v1/state")[1]["managed"], False)
        equal(adopt(owner, authority.adoption(daemon)),
              (200, {"manager": {"id": authority.id, "name": "Head office"}}))
        state = owner.ask("GET", "/api/v1/state")[1]
        equal((state["managed"], state["manager"]), (True, {"id": authority.id, "name": "Head office"}))
        # Again, with a new certificate: the same Manager may.
        equal(adopt(owner, authority.adoption(daemon))[0], 200, "again")


def test_unsound_adoptions():
    """Each is refused with its reason, and nothing of it stays."""
    authority, other = Authority(), Authority("Other")
    with Daemon() as daemon, Daemon() as neighbour:
        owner = owner_of(daemon)
        right = authority.adoption(daemon)
        for body, words in (
                (authority.adoption(neighbour), "another key"),
                (authority.adoption(daemon, names=["0" * 32 + ".device.kvmnet.internal"]), "another Device"),
                (authority.adoption(daemon, names=[MANAGER]), "another Device"),
                (authority.adoption(daemon, usages=[SERVER]), "not one to log in"),
                (authority.adoption(daemon, start=now() - 3 * DAY, end=now() - DAY), "expired"),
                (authority.adoption(daemon, start=now() + HOUR), "not valid yet"),
                (dict(right, certificate=other.adoption(daemon)["certificate"]), "not issued"),
                (dict(right, ca=other.adoption(daemon)["ca"]), "not that of its CA"),
                (dict(right, ca=right["certificate"]), "none of a CA"),
                (dict(right, ca="x"), "PEM"),
                (dict(right, addresses=[]), "addresses"),
                (dict(right, addresses=["https://a/"]), "addresses"),
                (dict(right, manager={"id": authority.id}), "manager"),
                (dict(right, sole_owner=True), "members"),
                (b"{", "object")):
            status, answer = adopt(owner, body)
            equal(status, 400, str(answer))
            check(words in answer["error"], f"{answer}: expected {words!r}")
        equal(adopt(owner, b" " * (32 * 1024 + 1))[0], 413)
        equal(owner.ask("GET", "/api/v1/state")[1]["managed"], False)
        equal(os.path.exists(os.path.join(daemon.state, "adoption")), False)


def test_strangers():
    """Without a log-in nobody adopts, not even who has a CA; another Manager must wait for a release."""
    first, second = Authority(), Authority("Branch office")
    with Daemon() as daemon:
        stranger, owner = Web(daemon), owner_of(daemon)
        equal(adopt(stranger, first.adoption(daemon))[0], 401)
        equal(adopt(owner, first.adoption(daemon))[0], 200)
        equal(adopt(stranger, second.adoption(daemon))[0], 401)
        status, answer = adopt(owner, second.adoption(daemon))
        equal(status, 409)
        check("Head office" in answer["error"], answer)
        equal(stranger.ask("DELETE", "/api/v1/adoption")[0], 401)
        equal(stranger.ask("PUT", "/api/v1/settings", {})[0], 401)
        equal(owner.ask("DELETE", "/api/v1/adoption")[0], 204)
        equal(adopt(owner, second.adoption(daemon))[0], 200)


def test_renewal():
    """Its own Manager needs no log-in for a later certificate, and cannot bring an earlier one back."""
    authority, other = Authority(), Authority()
    with Daemon() as daemon:
        stranger, owner = Web(daemon), owner_of(daemon)
        first = authority.adoption(daemon, start=now() - 2 * DAY)
        equal(adopt(owner, first)[0], 200)
        second = authority.adoption(daemon, start=now() - DAY)
        equal(adopt(stranger, second)[0], 200, "a renewal")
        for body in (first, second, other.adoption(daemon)):
            equal(adopt(stranger, body)[0], 401)


def test_renewal_with_the_authority():
    """The Manager's CA is known by its key: its later certificate comes with a renewal, and nobody need log in."""
    authority, other = Authority(), Authority()
    with Daemon() as daemon:
        stranger, owner = Web(daemon), owner_of(daemon)
        equal(adopt(owner, authority.adoption(daemon, start=now() - 2 * DAY))[0], 200)
        authority.renew()
        second = authority.adoption(daemon, start=now() - DAY)
        # The right key, in a certificate that it did not sign.
        other.name = authority.name
        other.renew(authority.key.public_key())
        status, answer = adopt(stranger, dict(second, ca=pem(other.certificate)))
        equal(status, 400)
        check("none of a CA" in answer["error"], answer)
        equal(adopt(stranger, second)[0], 200, "a renewal")
        with open(os.path.join(daemon.state, "adoption"), encoding="utf-8") as text:
            equal(json.load(text)["ca"], pem(authority.certificate), "the CA that it keeps")
        equal(owner.ask("DELETE", "/api/v1/adoption")[0], 204)


def test_renewal_over_the_link():
    """The Manager's later certificate is the one that the Device shows from then on; an earlier one is refused."""
    authority, other = Authority(), Authority()
    with Daemon() as daemon, Daemon() as neighbour, scratch("standin") as folder, Standin(authority, folder) as standin:
        owner = owner_of(daemon)
        first = authority.adoption(daemon, standin.address, start=now() - 3 * DAY)
        equal(adopt(owner, first)[0], 200)
        second = authority.adoption(daemon, start=now() - 2 * DAY)["certificate"]
        with standin.accept() as link:
            link.welcome()
            serial = link.peer["serialNumber"]
            for body, status, words in (
                    ({"certificate": first["certificate"]}, 409, "not newer"),
                    ({"certificate": other.adoption(daemon)["certificate"]}, 400, "not issued"),
                    ({"certificate": authority.adoption(neighbour)["certificate"]}, 400, "another key"),
                    ({"certificate": authority.adoption(daemon, start=now() - 2 * DAY, end=now() - DAY)["certificate"]},
                     400, "expired"),
                    ({"certificate": "x"}, 400, "PEM"), ({}, 400, "PEM"), ({"certificate": second, "more": 1}, 400, "PEM")):
                got, answer = link.ask(1, "PUT", "/api/v1/certificate", body)
                equal(got, status, str(answer))
                check(words in answer["error"], f"{answer}: expected {words!r}")
            equal(link.ask(2, "PUT", "/api/v1/certificate", {"certificate": second}),
                  (200, {"manager": {"id": authority.id, "name": "Head office"}}))
        with standin.accept() as link:
            link.welcome()
            check(link.peer["serialNumber"] != serial, "it shows the old certificate")
            equal(linked(owner, "up")["manager"]["why"], "")
        daemon.stop()
        daemon.restart()
        with standin.accept() as link:
            link.welcome()
            check(link.peer["serialNumber"] != serial, "it shows the old certificate after a restart")


def test_killed_between():
    """Whenever it is killed: adopted or not, and it starts again."""
    authority = Authority()
    with Daemon() as daemon:
        for answered in (True, False):
            body = json.dumps(authority.adoption(daemon))
            caller = owner_of(daemon)
            link = http.client.HTTPSConnection("::1", daemon.https, context=caller.tls, timeout=30)
            link.request("POST", "/api/v1/adoption", body, caller.headers(Content_Type="application/json"))
            if answered:
                equal(link.getresponse().status, 200)
            daemon.process.send_signal(signal.SIGKILL)
            daemon.process.wait()
            link.close()
            daemon.restart()
            state = Web(daemon).ask("GET", "/api/v1/state")[1]
            if answered:
                equal(state["managed"], True, "what was answered")
                equal(owner_of(daemon).ask("DELETE", "/api/v1/adoption")[0], 204)
            check(state["claimed"], "its owner")


def test_link():
    """It comes by itself, says who it is, then its status and what changes of it."""
    authority = Authority()
    with Daemon(discovery="enabled = no\nname = left") as daemon, scratch("standin") as folder, \
            Standin(authority, folder) as standin:
        owner = owner_of(daemon)
        equal(adopt(owner, authority.adoption(daemon, standin.address))[0], 200)
        with standin.accept() as link:
            equal(standin.asked, MANAGER, "the name that is asked for")
            names = [value for kind, value in link.peer["subjectAltName"] if kind == "DNS"]
            hello = link.welcome()
            equal(names, [hello["id"][:32] + ".device.kvmnet.internal"], "the certificate's name")
            equal((hello["name"], hello["settings_revision"]), ("left", 0), "hello")
            check(hello["boot"] > 0 and hello["version"], str(hello))
            status = link.await_message("status")
            equal(status["capture"]["signal"], "no_cable", "signal at first")
            linked(owner, "up")
            producer = daemon.producer()
            producer.ask("mode 320 240")
            while "signal" not in (delta := link.await_message("delta")).get("capture", {}):
                pass
            equal(delta["capture"]["signal"], "ok")
            daemon.keyboard.set_leds(2)
            while "target" not in (delta := link.await_message("delta")):
                pass
            equal(delta["target"], {"leds": {"caps": True}}, "no more than what changed")
        # It comes again by itself, and with it its whole status.
        with standin.accept() as link:
            link.welcome()
            equal(link.await_message("status")["target"]["leds"]["caps"], True)


def test_requests():
    """The Device's own API, with its owner's rights; nothing that belongs to people who log in."""
    authority = Authority()
    with Daemon() as daemon, scratch("standin") as folder, Standin(authority, folder) as standin:
        owner = owner_of(daemon)
        equal(adopt(owner, authority.adoption(daemon, standin.address))[0], 200)
        with standin.accept() as link:
            link.welcome()
            equal(link.ask(1, "GET", "/api/v1/status")[0], 200)
            equal(link.ask(2**53 - 1, "GET", "/api/v1/status?hw_seq=0")[0], 200)
            equal(link.ask(3, "GET", "/api/v1/settings")[1]["revision"], 0)
            equal(link.ask(4, "DELETE", "/api/v1/sessions/7"), (204, None))
            equal(link.ask(5, "GET", "/api/v1/nothing")[0], 404)
            equal(link.ask(6, "PATCH", "/api/v1/settings")[0], 405)
            equal(link.ask(7, "PUT", "/api/v1/settings", {"revision": 1})[0], 400)
            equal(link.ask(8, "PUT", "/api/v1/settings", "x" * 20000)[0], 413)
            equal(link.ask(9, "DELETE", "/api/v1/sessions/7", {})[0], 400)
            equal(link.ask(10, "GET", "/api/v1/status?hw_seq=99999999")[0], 504, "a Frame that never comes")
            for path, body in (("claim", {}), ("login", {"user": USER, "password": PASSWORD}), ("logout", None),
                               ("password", {"old_password": PASSWORD, "new_password": "x" * 20}),
                               ("adoption", authority.adoption(daemon))):
                equal(link.ask(11, "POST", f"/api/v1/{path}", body)[0], 403, path)
            equal(owner.ask("GET", "/api/v1/status")[0], 200, "the owner is still logged in")


def test_unsound_messages():
    """The Device closes with a sentence, and comes again."""
    authority = Authority()
    with Daemon() as daemon, scratch("standin") as folder, Standin(authority, folder) as standin:
        owner = owner_of(daemon)
        equal(adopt(owner, authority.adoption(daemon, standin.address))[0], 200)
        request = {"id": 1, "method": "GET", "path": "/api/v1/status"}
        for message in (b"", b"{", b"[]", b'{"welcome":{},"request":{}}', b'{"hello":{}}', b'{"welcome":{"a":1,"a":2}}',
                        json.dumps({"request": dict(request, id=-1)}).encode(),
                        json.dumps({"request": dict(request, id=2**53)}).encode(),
                        json.dumps({"request": dict(request, more=1)}).encode(),
                        json.dumps({"request": dict(request, path="/" * 200)}).encode(),
                        json.dumps({"request": {"id": 1}}).encode(),
                        json.dumps({"welcome": {}}).encode(), b" " * 65537):
            with standin.accept() as link:
                link.welcome()
                link.raw(message)
                check("closed: 1008 " in (why := link.closed()), f"{message[:80]!r}: {why}")
        with standin.accept() as link:
            link.receive()
            link.send({"request": request})
            check("before the welcome" in (why := link.closed()), why)
        with standin.accept() as link:
            link.welcome()
            link.raw(b"{}", 2)
            check("closed: 1008 " in (why := link.closed()), why)
        with standin.accept() as link:
            link.welcome()
            for number in range(17):
                link.send({"request": dict(request, id=number, path="/api/v1/status?hw_seq=99999999")})
            check("More than 16 requests" in (why := link.closed()), why)
        with standin.accept() as link:
            link.welcome()
            equal(link.ask(1, "GET", "/api/v1/status")[0], 200, "after all that")


def test_rogue_manager():
    """Whoever answers there without the CA's word is refused before anything is said; both sides learn why."""
    authority, rogue = Authority(), Authority()
    with Daemon() as daemon, scratch("standin") as folder:
        owner = owner_of(daemon)
        with Standin(rogue, folder) as standin:
            equal(adopt(owner, authority.adoption(daemon, standin.address))[0], 200)
            check("ALERT_UNKNOWN_CA" in (why := standin.refused()), why)
            check("is not the Manager that adopted" in (why := linked(owner, "refused")["manager"]["why"]), why)
        # A Device of the same Manager's, and a name of the Manager's that is none.
        for changes in ({"names": ["0" * 32 + ".device.kvmnet.internal"]}, {"names": ["*.kvmnet.internal"]},
                        {"start": now() - 3 * DAY, "end": now() - DAY}):
            with Standin(authority, folder, **changes) as standin:
                equal(adopt(owner, authority.adoption(daemon, standin.address))[0], 200)
                check("ALERT" in (why := standin.refused()), f"{changes}: {why}")
        check("has expired" in (why := linked(owner, "refused")["manager"]["why"]), why)


def test_refused_by_the_manager():
    """The Manager's sentence is shown, and it is tried again."""
    authority = Authority()
    with Daemon() as daemon, scratch("standin") as folder, Standin(authority, folder) as standin:
        owner = owner_of(daemon)
        equal(adopt(owner, authority.adoption(daemon, standin.address))[0], 200)
        for code, why in ((4403, "The certificate expired on 1 May: adopt this Device again."), (4409, "A clone.")):
            with standin.accept() as link:
                link.receive()
                link.refuse(code, why)
                status = await_status(owner, lambda status: why in status["manager"]["why"], why)
                equal(status["manager"]["link"], "refused")
        with standin.accept() as link:
            link.welcome()
            equal(linked(owner, "up")["manager"]["why"], "")


def test_addresses_in_turn():
    """Where nobody listens it goes on to the next."""
    authority = Authority()
    with Daemon() as daemon, scratch("standin") as folder, Standin(authority, folder) as standin:
        owner = owner_of(daemon)
        equal(adopt(owner, authority.adoption(daemon, "127.0.0.1:9", standin.address))[0], 200)
        with standin.accept() as link:
            link.welcome()
            linked(owner, "up")


def test_settings():
    """They hold at once, everywhere, and after a restart."""
    authority = Authority()
    wanted = {"revision": 7, "session_timeout_s": 1, "name": "rack 3", "managers": []}
    with Daemon() as daemon, scratch("standin") as folder, Standin(authority, folder) as standin:
        owner = owner_of(daemon)
        equal(adopt(owner, authority.adoption(daemon, standin.address))[0], 200)
        with standin.accept() as link:
            link.welcome()
            equal(link.ask(7, "PUT", "/api/v1/ticket-keys", authority.ticket_keys()), (204, None))
            person = Web(daemon)
            equal(person.ask("POST", "/api/v1/ticket", {"ticket": authority.ticket(daemon)})[0], 200)
            status, console = person.upgrade("/api/v1/console", "binary")
            equal(status, 101)
            with console:
                handshake(console)
                equal(link.ask(1, "PUT", "/api/v1/settings", wanted), (200, wanted))
                await_status(owner, lambda status: not status["sessions"], "the idle session's end")
            equal(owner.ask("GET", "/api/v1/settings"), (200, wanted))
            with Standin(authority, folder) as other:
                moved = dict(wanted, revision=8, managers=[other.address])
                equal(owner.ask("PUT", "/api/v1/settings", moved), (200, moved))
                with other.accept() as there:
                    hello = there.welcome()
                    equal((hello["name"], hello["settings_revision"]), ("rack 3", 8))
                    daemon.stop()
                daemon.restart()
                with other.accept() as there:
                    equal(there.welcome()["settings_revision"], 8, "after a restart")


def test_release():
    """The owner's own again; nothing of the Manager is left."""
    authority = Authority()
    with Daemon() as daemon, scratch("standin") as folder, Standin(authority, folder) as standin:
        owner = owner_of(daemon)
        equal(adopt(owner, authority.adoption(daemon, standin.address))[0], 200)
        with standin.accept() as link:
            link.welcome()
            equal(link.ask(1, "DELETE", "/api/v1/adoption"), (204, None))
            link.closed()
        state = owner.ask("GET", "/api/v1/state")[1]
        equal((state["claimed"], state["managed"]), (True, False))
        equal("manager" in owner.ask("GET", "/api/v1/status")[1], False)
        equal(os.path.exists(os.path.join(daemon.state, "adoption")), False)
        equal(owner.ask("DELETE", "/api/v1/adoption")[0], 204, "again")


def test_claimed_in_vain():
    """A Manager whose adoption fails behind its claim gives the Device back: its account is nobody's to know."""
    authority, other = Authority(), Authority()
    with Daemon(claim=False) as daemon:
        manager = Web(daemon)
        code, user = claim_code(daemon), f"manager-{authority.id[:8]}"
        equal(manager.ask("POST", "/api/v1/claim", {"code": code, "user": user, "password": PASSWORD})[0], 200)
        equal(adopt(manager, dict(authority.adoption(daemon), ca=other.adoption(daemon)["ca"]))[0], 400)
        equal(manager.ask("DELETE", "/api/v1/adoption")[0], 204)
        equal(Web(daemon).ask("GET", "/api/v1/state")[1]["claimed"], False)
        check(claim_code(daemon) != code, "the old code")
    with Daemon() as daemon:
        owner = owner_of(daemon)
        equal(owner.ask("DELETE", "/api/v1/adoption")[0], 204)
        equal(owner.ask("GET", "/api/v1/state")[1]["claimed"], True, "an owner of its own")


def test_released_without_an_owner():
    """A Device that its Manager claimed for itself is nobody's then: a new code, and no log-in that still works."""
    authority = Authority()
    with Daemon(claim=False) as daemon, scratch("standin") as folder, Standin(authority, folder) as standin:
        manager = Web(daemon)
        code, user = claim_code(daemon), f"manager-{authority.id[:8]}"
        equal(manager.ask("POST", "/api/v1/claim", {"code": code, "user": user, "password": PASSWORD})[0], 200)
        equal(adopt(manager, authority.adoption(daemon, standin.address))[0], 200)
        with standin.accept() as link:
            link.welcome()
            equal(link.ask(1, "DELETE", "/api/v1/adoption"), (204, None))
        equal(manager.ask("GET", "/api/v1/status")[0], 409, "the Manager's own log-in")
        equal(Web(daemon).ask("GET", "/api/v1/state")[1]["claimed"], False)
        fresh = claim_code(daemon)
        check(fresh != code, "the old code")
        body = {"user": USER, "password": PASSWORD}
        equal(manager.ask("POST", "/api/v1/claim", dict(body, code=code))[0], 403)
        equal(manager.ask("POST", "/api/v1/claim", dict(body, code=fresh))[0], 200)
