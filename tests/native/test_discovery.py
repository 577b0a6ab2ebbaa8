# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices, kvmnet discover and stand-ins for Managers in networks of their own:

    one wire:      Device A ──┬── Device B        a router:   Device ── switch ── router ── switch ── Client
                            Client
"""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import time

import discovery
from case import BUILD, Deadline, Process, check, equal, scratch, seeded
from daemon import PASSWORD, USER, Daemon
from discovery import ANNOUNCE, ANSWER, DEVICE, MANAGER, PORT, PROBE, SECOND_PORT, STANDALONE, UNCLAIMED, fields_of
from netns import Net
from test_web import claim_code

KVMNET = os.path.join(BUILD, "asan", "kvmnet")
ON = "enabled = yes"
HOSTILE = 100000


def discover(space, *words):
    """Exit status, and what each line of JSON says."""
    done = subprocess.run([*space.enter, KVMNET, "discover", "--json", *words], capture_output=True, text=True,
                          check=False, timeout=60)
    print(done.stderr, end="", flush=True)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


@contextlib.contextmanager
def device(space, settings=ON, **options):
    with Daemon(discovery=settings, within=[*space.enter, *options.pop("within", ())], **options) as daemon:
        yield daemon


def hear(link, kind, source=None):
    """The fields of the next message of a kind, and where it came from."""
    limit = Deadline(20, f"a message of type {kind}")
    while True:
        data, peer = link.recvfrom(2048)
        if data.startswith(discovery.HEAD) and fields_of(data)[2] == kind and source in (None, peer[0]):
            return fields_of(data), peer
        limit.left()


def exchange(link, sender, target, by=None):
    """Probes, from another socket if there is one, and returns the fields of the answer."""
    nonce = os.urandom(16)
    probe = sender.probe(nonce)
    (by or link).sendto(probe, target)
    while True:
        data, peer = link.recvfrom(2048)
        if fields_of(data)[2] == ANSWER and fields_of(data)[4] == nonce:
            equal(peer[:2], (target[0], PORT), "where the answer came from")
            check(len(data) <= len(probe), f"{len(data)} bytes answer {len(probe)}")
            return fields_of(data)


def test_devices_on_one_wire():
    """Found by broadcast, with all that they say about themselves; none of it larger than the question."""
    with Net() as net:
        wire = net.switch()
        spaces = [net.space() for _ in range(3)]
        for number, space in enumerate(spaces):
            net.plug(space, wire, "eth0", f"10.1.0.{number + 1}/24")
        client = spaces[2]
        equal(discover(client, "--seconds", "1"), (1, []), "of an empty network")
        with device(spaces[0], "name = left") as left, device(spaces[1], "name = right", claim=False) as right:
            with client.capture("eth0") as capture:
                status, found = discover(client, "--count", "2", "--seconds", "20")
                datagrams = capture.datagrams()
            equal(status, 0)
            for daemon, name, state in ((left, "left", "stand-alone"), (right, "right", "unclaimed")):
                one = next(one for one in found if one["name"] == name)
                check(one.pop("address") in ("10.1.0.1", "10.1.0.2") or "address" not in one, str(one))
                equal(one, {"name": name, "https_port": daemon.https, "model": "KVMnet", "firmware": "0.1",
                            "state": state,
                            "id": discovery.identity(os.path.join(daemon.state, "device.crt"))})
            smallest = min(len(data) for sent, *_, data in datagrams if sent)
            answers = [data for sent, *_, data in datagrams if not sent and fields_of(data)[2] == ANSWER]
            check(answers and all(len(data) <= smallest for data in answers), f"{smallest} bytes were asked")
            # And as a table, by a Client that is satisfied with one.
            table = subprocess.run([*client.enter, KVMNET, "discover", "--count", "1", "--seconds", "20"],
                                   capture_output=True, text=True, check=True).stdout.splitlines()
            equal(len(table), 2, str(table))
            check(table[0].startswith("NAME ") and table[1].startswith(("left ", "right ")), str(table))


def test_client_is_there_first():
    """Either may be switched on before the other."""
    with Net() as net:
        wire, first, second = net.switch(), net.space(), net.space()
        net.plug(first, wire, "eth0", "10.1.0.1/24")
        net.plug(second, wire, "eth0", "10.1.0.2/24")
        with Process([*second.enter, KVMNET, "discover", "--json", "--count", "1", "--seconds", "40"]) as client:
            with second.capture("eth0") as capture, device(first):
                equal(json.loads(client.line())["address"], "10.1.0.1")
                equal(client.wait(), 0)
                kinds = [fields_of(data)[2] for sent, *_, data in capture.datagrams() if not sent]
            check(ANNOUNCE in kinds, f"no announcement at the start: {kinds}")


def test_only_true_answers_are_listed():
    """Not what was recorded earlier, nor what its sender did not sign, nor what nobody asked for."""
    with Net() as net, scratch("sender") as keys:
        wire, first, second = net.switch(), net.space(), net.space()
        net.plug(first, wire, "eth0", "10.1.0.1/24")
        net.plug(second, wire, "eth0", "10.1.0.2/24")
        sender = discovery.Sender(keys)
        with first.udp(PORT) as link, \
                Process([*second.enter, KVMNET, "discover", "--json", "--count", "1", "--seconds", "20"]) as client:
            asked, peer = hear(link, PROBE)

            def say(name, kind=ANSWER, nonce=asked[4], role=DEVICE):
                sender.sequence += 1
                return sender.message({1: 1, 2: kind, 3: role, 4: nonce, 5: sender.key, 6: 1, 7: sender.sequence,
                                       8: "M", 9: "F", 10: name, 11: 443, **({12: 1} if role == DEVICE else {})})

            forged = bytearray(say("forged"))
            forged[-1] ^= 1
            for data in (say("recorded", nonce=bytes(16)), bytes(forged), say("announced", kind=ANNOUNCE),
                         say("a Manager", role=MANAGER), b"", say("caf\u00e9 \u202e")):
                link.sendto(data, (peer[0], PORT))
            line = client.line()
            check(line.isascii(), line)
            equal(json.loads(line)["name"], "caf\u00e9 \u202e")
            equal(client.wait(), 0)


def test_lost_datagrams():
    with Net() as net:
        wire, first, second = net.switch(), net.space(), net.space()
        net.plug(first, wire, "eth0", "10.1.0.1/24")
        net.plug(second, wire, "eth0", "10.1.0.2/24")
        for space in (first, second):
            space.nft("udp dport { 3080, 3081 } numgen random mod 2 0 drop")
        with device(first):
            equal(discover(second, "--count", "1", "--seconds", "40")[0], 0)


def test_ipv6_alone():
    """Link-local addresses are all that there is on a wire without a plan."""
    with Net() as net:
        wire, first, second = net.switch(), net.space(), net.space()
        net.plug(first, wire, "eth0")
        net.plug(second, wire, "eth0")
        with device(first):
            status, found = discover(second, "--count", "1", "--seconds", "20")
            equal(status, 0)
            address, _, interface = found[0]["address"].partition("%")
            check(address.startswith("fe80:") and interface == "eth0", str(found))
            # Asked alone it answers from that address.
            number = json.loads(second.ip("-j link show eth0"))[0]["ifindex"]
            with second.udp(PORT, socket.AF_INET6) as link, scratch("probe") as keys:
                exchange(link, discovery.Sender(keys), (address, PORT, 0, number))


def test_two_interfaces():
    """A Device is found on each, by the address that it has there; and so are Devices on each of a Client's."""
    with Net() as net:
        wires = [net.switch(), net.switch()]
        both, left, right = net.space(), net.space(), net.space()
        for number, wire in enumerate(wires):
            net.plug(both, wire, f"eth{number}", f"10.{number}.0.1/24")
        net.plug(left, wires[0], "eth0", "10.0.0.2/24")
        net.plug(right, wires[1], "eth0", "10.1.0.2/24")
        for space in (left, right):
            space.sysctl("net.ipv6.conf.eth0.disable_ipv6", 1)
        with device(both):
            for number, space in enumerate((left, right)):
                status, found = discover(space, "--count", "1", "--seconds", "20")
                equal((status, found[0]["address"]), (0, f"10.{number}.0.1"))
        with device(left, "name = left"), device(right, "name = right"):
            status, found = discover(both, "--count", "2", "--seconds", "20")
            equal({one["name"]: one["address"] for one in found}, {"left": "10.0.0.2", "right": "10.1.0.2"})


@contextlib.contextmanager
def routed():
    """A Device's place, and a Client's or Manager's behind a router."""
    with Net() as net:
        wires = [net.switch(), net.switch()]
        router, near, beyond = net.space(), net.space(), net.space()
        for number, (wire, space) in enumerate(zip(wires, (near, beyond))):
            net.plug(router, wire, f"eth{number}", f"10.{number}.0.254/24", f"2001:db8:{number}::fe/64")
            net.plug(space, wire, "eth0", f"10.{number}.0.1/24", f"2001:db8:{number}::1/64")
            space.ip(f"route add default via 10.{number}.0.254")
            space.ip(f"-6 route add default via 2001:db8:{number}::fe")
        router.sysctl("net.ipv4.ip_forward", 1)
        router.sysctl("net.ipv6.conf.all.forwarding", 1)
        yield near, beyond


def test_behind_a_router():
    """By its address alone: no broadcast comes there."""
    with routed() as (near, beyond), device(near):
        equal(discover(beyond, "--seconds", "2"), (1, []), "by broadcast")
        for address in ("10.0.0.1", "2001:db8::1"):
            status, found = discover(beyond, "--count", "1", "--seconds", "20", address)
            equal((status, found[0]["address"]), (0, address))


def with_files(folder, files):
    """What to put before a command that is to see these files in /etc, by name, in the place of what is there."""
    for name, text in files.items():
        with open(os.path.join(folder, name), "w", encoding="ascii") as out:
            out.write(text)
    return ["unshare", "-m", "sh", "-c",
            f'for file in {" ".join(files)}; do mount --bind "$0/$file" "/etc/$file" || exit 1; done; exec "$@"', folder]


def test_manual_mode():
    """Announcements to the Managers that are named, by address and by name, and to nobody else."""
    with routed() as (near, beyond), scratch("names") as folder:
        named = with_files(folder, {"hosts": "2001:db8:1::1 manager.example\n", "resolv.conf": "nameserver 127.0.0.1\n",
                                    "nsswitch.conf": "hosts: files dns\n"})
        with beyond.udp(PORT) as four, beyond.udp(PORT, socket.AF_INET6) as six, near.capture("eth0") as capture:
            settings = "mode = manual\nmanagers = nobody.invalid, 10.1.0.1, manager.example\nname = far"
            with device(near, settings, within=named):
                for link, address in ((four, "10.0.0.1"), (six, "2001:db8::1")):
                    said, peer = hear(link, ANNOUNCE)
                    equal((peer[0], peer[1], said[10]), (address, PORT, "far"))
                # It answers all the same.
                with scratch("probe") as keys:
                    exchange(four, discovery.Sender(keys), ("10.0.0.1", PORT))
            to = {target for sent, _, source, target, _, _ in capture.datagrams() if sent and source == PORT}
            equal(to, {"10.1.0.1", "2001:db8:1::1"}, "to whom it was sent")


def test_addresses_that_change():
    """A new address is announced from, without a restart; each message says more than the one before."""
    with Net() as net:
        wire, first, second = net.switch(), net.space(), net.space()
        net.plug(first, wire, "eth0", "10.1.0.1/24")
        net.plug(second, wire, "eth0", "10.1.0.2/24", "10.2.0.2/24")
        with second.udp(PORT) as link, device(first) as daemon:
            first_of_all, _ = hear(link, ANNOUNCE, "10.1.0.1")
            before, _ = hear(link, ANNOUNCE, "10.1.0.1")
            check(first_of_all[7] < before[7], "the second announcement is the first")
            first.ip("addr add 10.2.0.1/24 dev eth0")
            after, _ = hear(link, ANNOUNCE, "10.2.0.1")
            equal((before[6], after[6]), (1, 1), "boot counters")
            check(before[7] < after[7], "the sequence does not grow")
            equal(daemon.stop(), 0)
            daemon.start()
            while (again := hear(link, ANNOUNCE)[0])[6] == 1:
                pass  # one that was still on its way
            equal(again[6], 2, "boot counter after a restart")


def test_new_owner():
    """Told at once, not when the next announcement is due."""
    with Net() as net:
        wire, first, second = net.switch(), net.space(), net.space()
        net.plug(first, wire, "eth0", "10.1.0.1/24")
        net.plug(second, wire, "eth0", "10.1.0.2/24")
        with second.udp(PORT) as link, device(first, claim=False) as daemon:
            equal(hear(link, ANNOUNCE)[0][12], UNCLAIMED, "state")
            claim = {"code": claim_code(daemon), "user": USER, "password": PASSWORD}
            # By then the intervals are long enough to tell.
            while hear(link, ANNOUNCE)[0][7] < 4:
                pass
            page(first, daemon, "POST", "/api/v1/claim", json.dumps(claim))
            claimed = time.monotonic()
            while (said := hear(link, ANNOUNCE)[0])[12] == UNCLAIMED:
                pass  # it was sent before
            equal(said[12], STANDALONE, "state")
            check(time.monotonic() - claimed < 3, "it took as long as the next one that was due")


def test_first_port_blocked():
    """Found by a question to the second port; the answer goes from the first to the first, and nothing
    ever leaves the second or goes to one."""
    with Net() as net:
        wire, first, second = net.switch(), net.space(), net.space()
        net.plug(first, wire, "eth0", "10.1.0.1/24")
        net.plug(second, wire, "eth0", "10.1.0.2/24")
        first.nft("udp dport 3080 drop")
        with first.capture("eth0") as capture, device(first):
            equal(discover(second, "--count", "1", "--seconds", "20")[0], 0)
            with second.udp(PORT) as link, second.udp(0) as other, scratch("probe") as keys:
                exchange(link, discovery.Sender(keys), ("10.1.0.1", SECOND_PORT), by=other)
            datagrams = capture.datagrams()
        asked = {port for sent, _, _, _, port, _ in datagrams if not sent}
        equal(asked, {PORT, SECOND_PORT}, "ports that were asked on")
        left = {(source, target) for sent, _, source, _, target, _ in datagrams if sent}
        equal(left, {(PORT, PORT)}, "ports from and to which the Device sent")
        check(any(sent and fields_of(data)[2] == ANSWER for sent, *_, data in datagrams), "no answer was seen")


def test_answers_are_earned():
    """A question smaller than its answer gets none, nor does one that was asked before, or by nobody."""
    with Net() as net, scratch("probe") as keys:
        wire, first, second = net.switch(), net.space(), net.space()
        net.plug(first, wire, "eth0", "10.1.0.1/24")
        net.plug(second, wire, "eth0", "10.1.0.2/24")
        with device(first), second.udp(PORT) as link:
            sender = discovery.Sender(keys)
            early = sender.probe(b"past" * 4)
            exchange(link, sender, ("10.1.0.1", PORT))
            forged = bytearray(sender.probe(b"fake" * 4))
            forged[-1] ^= 1
            small = sender.probe(b"less" * 4, padding=0)
            nonces = []
            for probe in (early, bytes(forged), small, sender.probe(b"last" * 4)):
                link.sendto(probe, ("10.1.0.1", PORT))
            while b"last" * 4 not in nonces:
                said, _ = hear(link, ANSWER)
                nonces.append(said[4])
            equal(nonces, [b"last" * 4], "nonces that were answered")


def queued(pid):
    """Bytes that wait in its sockets of UDP, and datagrams that found no room there."""
    waiting = dropped = 0
    for table in ("udp", "udp6"):
        with open(f"/proc/{pid}/net/{table}", encoding="ascii") as rows:
            for row in rows.readlines()[1:]:
                fields = row.split()
                waiting += int(fields[4].split(":")[1], 16)
                dropped += int(fields[-1])
    return waiting, dropped


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def state_of(daemon):
    """Everything that it keeps."""
    kept = {}
    for name in sorted(os.listdir(daemon.state)):
        with open(os.path.join(daemon.state, name), "rb") as content:
            kept[name] = content.read()
    return kept


def page(space, daemon, method="GET", path="/api/v1/state", body=None):
    """What the page says to anybody in that place."""
    link = http.client.HTTPSConnection("::1", daemon.https, context=daemon.trust(), timeout=20)
    raw = space.open(socket.AF_INET6, socket.SOCK_STREAM)
    raw.connect(("::1", daemon.https))
    link.sock = daemon.trust().wrap_socket(raw)
    origin = f"[::1]:{daemon.https}"
    link.request(method, path, body, {"Host": origin, "Origin": f"https://{origin}", "Content-Type": "application/json"})
    answer = link.getresponse().read()
    link.close()
    return answer


def hostile(chance, probe, answer):
    """Replayed, broken and made-up datagrams, without end."""
    while True:
        kind = chance.randrange(6)
        if kind == 0:
            yield probe
        elif kind == 1:
            broken = bytearray(probe)
            broken[chance.randrange(len(probe))] ^= 1 << chance.randrange(8)
            yield bytes(broken)
        elif kind == 2:
            yield probe[:chance.randrange(len(probe))]
        elif kind == 3:
            yield chance.randbytes(chance.randrange(1400))
        elif kind == 4:
            yield answer
        else:
            yield discovery.HEAD + chance.randbytes(chance.randrange(600))


def flood(daemon, link, datagrams, count):
    """Sends so many, none faster than they are read."""
    limit = Deadline(60, f"{count} datagrams read")
    for number in range(count):
        link.sendto(next(datagrams), ("10.1.0.1", SECOND_PORT if number % 7 == 0 else PORT))
        while number % 64 == 63 and queued(daemon.process.pid)[0]:
            limit.left()


def besiege(program, count):
    with Net() as net, scratch("probe") as keys:
        wire, first, second = net.switch(), net.space(), net.space()
        net.plug(first, wire, "eth0", "10.1.0.1/24")
        net.plug(second, wire, "eth0", "10.1.0.2/24")
        with device(first, program=program) as daemon, second.udp(PORT) as link, second.udp(0) as other:
            sender = discovery.Sender(keys)
            probe = sender.probe(os.urandom(16))
            link.sendto(probe, ("10.1.0.1", PORT))
            while fields_of(answer := link.recv(2048))[2] != ANSWER:
                pass
            before, said = state_of(daemon), page(first, daemon)
            datagrams = hostile(seeded(), probe, answer)
            flood(daemon, other, datagrams, count // 10)
            memory = resident(daemon.process.pid)
            flood(daemon, other, datagrams, count - count // 10)
            grown = resident(daemon.process.pid) - memory
            print(f"{count} datagrams, {grown} KiB more resident", flush=True)
            equal(queued(daemon.process.pid)[1], 0, "datagrams that found no room")
            equal(state_of(daemon), before, "what the Device keeps")
            equal(page(first, daemon), said, "what its page says")
            link.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    equal(fields_of(link.recv(2048))[2], ANNOUNCE, "type of what the Device sent meanwhile")
            link.close()
            equal(discover(second, "--count", "1", "--seconds", "20")[0], 0, "status of a search afterwards")
            return grown


def test_hostile_datagrams_change_nothing():
    grown = besiege("kvmnetd", HOSTILE)
    check(grown < 512, f"{grown} KiB of memory more")


def test_hostile_datagrams_break_nothing():
    """Fewer of them, and no memory error passes."""
    besiege("asan/kvmnetd", HOSTILE // 5)


def test_port_in_use():
    """A Device that cannot be found serves all the same, and kvmnet says what is in its way."""
    with Net() as net:
        space = net.space()
        with space.udp(PORT):
            with device(space) as daemon:
                check(page(space, daemon), "no page")
            done = subprocess.run([*space.enter, KVMNET, "discover"], capture_output=True, text=True, check=False)
            equal(done.returncode, 1)
            check("UDP port 3080" in done.stderr and "Address already in use" in done.stderr, done.stderr)


def test_kvmnet_explains_itself():
    for words, status, part in ((["--help"], 0, "discover"), (["discover", "--help"], 0, "--json"),
                                (["--version"], 0, "kvmnet "), ([], 2, "Usage"), (["what"], 2, "what: no such"),
                                (["discover", "--what"], 2, "what"), (["discover", "--count", "0"], 2, "--count"),
                                (["discover", "--seconds", "x"], 2, "--seconds"),
                                (["discover", "--port", "65536"], 2, "--port")):
        done = subprocess.run([KVMNET, *words], capture_output=True, text=True, check=False)
        equal(done.returncode, status, str(words))
        check(part in (done.stderr if status else done.stdout), f"{words}: {done}")
