# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Manager's own certificate when its time is over, or nearly: test_manager.py has its Devices'."""

import datetime
import json
import os
import select

from cryptography import x509

from authority import DAY, hash_of, now, pem
from case import Deadline, check, equal
from manager import Person
from test_manager import Wire, adopted, named, reissued


def shown(manager):
    """The certificate that a new connection is shown."""
    with Person(manager).connect() as link:
        return x509.load_der_x509_certificate(link.getpeercert(binary_form=True))


def own_certificate(manager, **times):
    """Puts another certificate of the Manager's CA in the place of its own."""
    path = os.path.join(manager.state, "manager.crt")
    with open(path, "rb") as text:
        old = x509.load_pem_x509_certificate(text.read())
    changed = reissued(manager, old, **times)
    with open(path, "w", encoding="ascii") as out:
        out.write(pem(changed))
    return changed


def nearly_due(manager):
    """A certificate of its own whose last third begins after whatever time a start may take."""
    due = now() + datetime.timedelta(seconds=20)
    return own_certificate(manager, start=due - 2 * DAY, end=due + DAY)


def renewal_of_its_own(admin):
    """What the audit says of it, asked on one connection, which stays."""
    link, limit, said = admin.begin("GET", "audit"), Deadline(60, "the audit's word of a renewal"), []
    while not said:
        events = json.loads(link.getresponse().read())["events"]
        said = [event["text"] for event in events if event["what"] == "renew certificate"]
        check(not select.select([link.sock], [], [], 0.2)[0], "the connection ended")
        link.request("GET", "/api/v1/audit", headers={"Cookie": admin.cookie})
        limit.left()
    equal(link.getresponse().status, 200, "of the connection from before")
    link.close()
    equal(len(said), 1, str(said))
    return said[0]


def test_own_certificate_is_renewed():
    """While it runs: who is connected stays, and who comes is shown the new one, which its Devices take."""
    with Wire() as wire:
        manager = wire.manager()
        admin, device = manager.claimed(), wire.device()
        adopted(admin)
        manager.stop()
        old = nearly_due(manager)
        manager.start()
        equal(shown(manager).not_valid_after, old.not_valid_after, "the end of what is shown first")
        admin = manager.administrator()
        admin.await_device(named("left", link="up"), "it came back")
        equal(renewal_of_its_own(admin), "This Manager has a new one.")
        fresh = shown(manager)
        check(fresh.not_valid_after > now() + 300 * DAY, f"it ends {fresh.not_valid_after}")
        equal(hash_of(fresh.public_key()), hash_of(old.public_key()), "its key")
        device.stop()
        admin.await_device(named("left", link="down"), "it is gone")
        device.restart()
        admin.await_device(named("left", link="up"), "it takes the new one")
        manager.stop()
        manager.start()
        equal(shown(manager).serial_number, fresh.serial_number, "what is shown after a restart")


def test_own_certificate_that_cannot_be_stored():
    """It is not renewed, which the audit says, and the old one serves on."""
    with Wire() as wire:
        manager = wire.manager()
        manager.claimed()
        manager.stop()
        old = nearly_due(manager)
        os.mkdir(os.path.join(manager.state, ".manager.crt.new"))
        manager.start()
        check("could not be renewed" in renewal_of_its_own(manager.administrator()), "it was renewed")
        equal(shown(manager).not_valid_after, old.not_valid_after, "the end of what is shown")


def test_own_certificate_that_ended():
    """A Manager that was off for too long has another before anybody comes."""
    with Wire() as wire:
        manager = wire.manager()
        manager.stop()
        own_certificate(manager, start=now() - 9 * DAY, end=now() - DAY)
        manager.start()
        check(shown(manager).not_valid_after > now() + 300 * DAY, "it was not renewed")
