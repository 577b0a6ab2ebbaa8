# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Manager and real Devices that find each other where it is not easy: a router between, a name that a DNS server
has or has not yet, datagrams that are lost, two interfaces, strangers; whichever was switched on first.
"""

import contextlib
import os
import select
import shutil

import discovery
from case import Deadline, Process, check, equal, scratch, seeded
from daemon import Daemon
from discovery import ANNOUNCE, ANSWER, DEVICE, PORT, UNCLAIMED, fields_of
from manager import Manager
from netns import Net
from test_discovery import HOSTILE, flood, hear, hostile, queued, resident, routed, state_of, with_files
from test_manager import Wire, adopted, named

NAME = "manager.example"


def to_manager(managers):
    return f"mode = manual\nmanagers = {managers}"


@contextlib.contextmanager
def device(space, settings="", name="left", within=()):
    with Daemon(discovery=f"enabled = yes\nname = {name}\n{settings}", https_address="::",
                within=[*space.enter, *within]) as daemon:
        yield daemon


def announcements(capture, sent):
    """Where they went, of those that were captured since."""
    return [target for out, _, _, target, port, data in capture.datagrams()
            if out == sent and port == PORT and fields_of(data)[2] == ANNOUNCE]


def await_announcement(capture):
    limit = Deadline(20, "an announcement")
    while not announcements(capture, True):
        select.select([capture.socket], [], [], limit.left())


def test_manager_behind_a_router():
    """It is named by its address, and there first; once they know each other the Device is."""
    with routed() as (near, beyond), Manager(beyond, "10.1.0.1") as manager:
        admin = manager.claimed()
        with near.capture("eth0") as capture, device(near, to_manager("10.1.0.1")) as left:
            equal(adopted(admin)["address"], "10.0.0.1")
            equal(set(announcements(capture, True)), {"10.1.0.1"}, "to whom it was announced")
            left.stop()
            manager.stop()
            left.restart()
            manager.start()
            admin = manager.administrator()
            admin.await_device(named("left", link="up"), "they are linked again")


def test_device_behind_a_router():
    """It is there first; once they know each other the Manager is."""
    with routed() as (near, beyond), near.capture("eth0") as capture, \
            device(near, to_manager("2001:db8:1::1")) as left:
        await_announcement(capture)
        with Manager(beyond, "10.1.0.1") as manager:
            equal(adopted(manager.claimed())["address"], "2001:db8::1")
            left.stop()
            manager.stop()
            manager.start()
            left.restart()
            manager.administrator().await_device(named("left", link="up"), "they are linked again")


def test_manager_by_name():
    """Its name is looked up until a DNS server has it."""
    program = shutil.which("dnsmasq", path="/usr/sbin:/usr/bin") or "dnsmasq"
    with routed() as (near, beyond), scratch("names") as folder, near.capture("eth0") as capture:
        within = with_files(folder, {"resolv.conf": "nameserver 10.1.0.1\n", "nsswitch.conf": "hosts: dns\n"})
        with device(near, to_manager(NAME), within=within), Manager(beyond, "10.1.0.1") as manager:
            admin = manager.claimed()
            limit = Deadline(20, "two questions for its name")
            asked = 0
            while asked < 2:
                select.select([capture.socket], [], [], limit.left())
                seen = capture.datagrams()
                asked += sum(sent and port == 53 for sent, _, _, _, port, _ in seen)
                check(not any(sent and port == PORT for sent, _, _, _, port, _ in seen), "it was found without a server")
            equal(admin.ask("GET", "devices")[1]["devices"], [], "Devices before there is a name")
            with Process([*beyond.enter, program, "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
                          "--bind-interfaces", "--listen-address=10.1.0.1", f"--host-record={NAME},10.1.0.1"]):
                equal(adopted(admin)["address"], "10.0.0.1")


def lossy(space, source):
    """Two of three datagrams of discovery that come from there do not come in."""
    space.nft(f"ip saddr {source} udp dport {{ 3080, 3081 }} numgen inc mod 3 < 2 drop")


def test_lost_datagrams_behind_a_router():
    """The third announcement is the first that comes through."""
    with routed() as (near, beyond), beyond.capture("eth0") as capture, Manager(beyond, "10.1.0.1") as manager:
        lossy(beyond, "10.0.0.1")
        admin = manager.claimed()
        with device(near, to_manager("10.1.0.1")):
            admin.await_device(named("left"), "it is found")
            heard = announcements(capture, False)
            check(len(heard) >= 3, f"it was found after {len(heard)} announcements")
            adopted(admin)


def test_lost_datagrams_on_one_wire():
    with Wire() as wire:
        first, second = wire.space(), wire.space()
        for space, _ in (first, second):
            space.sysctl("net.ipv6.conf.eth0.disable_ipv6", 1)
            lossy(space, "10.1.0.0/24")
        with Manager(*first) as manager, device(second[0]):
            adopted(manager.claimed())


@contextlib.contextmanager
def two_wires():
    """(both, one, other): a space on two wires, as 10.0.0.1 and 10.1.0.1, and one on each, as 10.0.0.2 and 10.1.0.2."""
    with Net() as net:
        both, *ends = net.space(), net.space(), net.space()
        for number, space in enumerate(ends):
            wire = net.switch()
            net.plug(both, wire, f"eth{number}", f"10.{number}.0.1/24")
            net.plug(space, wire, "eth0", f"10.{number}.0.2/24")
            space.sysctl("net.ipv6.conf.eth0.disable_ipv6", 1)
        yield both, *ends


def test_manager_with_two_interfaces():
    """Devices on each find it, by the address that it has there, and their links come by both."""
    with two_wires() as (both, left, right):
        with device(left, name="left"), Manager(both, "10.0.0.1") as manager, device(right, name="right"):
            admin = manager.claimed()
            equal({name: adopted(admin, name)["address"] for name in ("left", "right")},
                  {"left": "10.0.0.2", "right": "10.1.0.2"})


def test_device_with_two_interfaces():
    """Managers on each find it, by the address that it has there."""
    with two_wires() as (both, near, beyond):
        with Manager(near, "10.0.0.2") as first, device(both), Manager(beyond, "10.1.0.2", name="Branch") as second:
            equal(adopted(first.claimed())["address"], "10.0.0.1")
            found = second.claimed().await_device(named("left", state="managed by another"), "it is another's")
            equal(found["address"], "10.1.0.1")


def besiege(program, count):
    """The Manager's growth in KiB while strangers send so much to it."""
    with Wire() as wire, scratch("sender") as keys:
        manager, (space, _) = wire.manager(program=program), wire.space()
        admin, sender = manager.claimed(), discovery.Sender(keys)
        with space.udp(PORT) as link, space.udp(0) as other:
            announcement = sender.message({1: 1, 2: ANNOUNCE, 3: DEVICE, 4: os.urandom(16), 5: sender.key, 6: 1, 7: 1, 8: "M",
                                           9: "F", 10: "made up", 11: 443, 12: UNCLAIMED})
            link.sendto(announcement, (manager.address, PORT))
            admin.await_device(named("made up"), "one that may be true is found")
            sender.sequence = 1
            probe = sender.probe(os.urandom(16))
            link.sendto(probe, (manager.address, PORT))
            hear(link, ANSWER)
            before, listed = state_of(manager), admin.ask("GET", "devices")
            datagrams = hostile(seeded(), announcement, probe)
            flood(manager, other, datagrams, count // 10)
            memory = resident(manager.process.pid)
            flood(manager, other, datagrams, count - count // 10)
            grown = resident(manager.process.pid) - memory
            print(f"{count} datagrams, {grown} KiB more resident", flush=True)
            equal(queued(manager.process.pid)[1], 0, "datagrams that found no room")
            equal(state_of(manager), before, "what the Manager keeps")
            equal(admin.ask("GET", "devices"), listed, "the Devices that it lists")
            link.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    check(fields_of(link.recv(2048))[2] != ANSWER, "it answered")
        wire.device()
        adopted(admin)
        return grown


def test_hostile_datagrams_change_nothing():
    grown = besiege("kvmnet-manager", HOSTILE)
    check(grown < 512, f"{grown} KiB of memory more")


def test_hostile_datagrams_break_nothing():
    """Fewer of them, and no memory error passes."""
    besiege("asan/kvmnet-manager", HOSTILE // 5)
