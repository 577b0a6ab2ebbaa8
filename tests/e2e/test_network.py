# SPDX-License-Identifier: GPL-2.0-or-later
"""The appliance in a network that it knows nothing of: a network namespace, with dnsmasq for DHCP and DNS.

    this process, 10.113.7.1 ── tap ── the appliance: 10.113.7.50 by DHCP
"""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
from types import SimpleNamespace

from appliance import LAN_MAC
from authority import Authority, Standin, answering
from bench import Bench
from case import Deadline, Failure, Skip, check, equal, scratch
from manager import Person

TAP = "kvmnetlan"
HERE, HERE6, MOVED = "10.113.7.1", "fd00:113:7::1", "10.113.7.2"
BY_DHCP = "10.113.7.50"
NAME = "kvm-rack7"
MANAGER = "manager.bench.example"
PASSWORD = "correct horse battery"
CLONE_NEWNET = 0x40000000
# The bench's other network, which only serves the bench, has no say.
QUIET = b"""[Match]
MACAddress=52:54:00:4b:56:4d
[Network]
DHCP=ipv4
LinkLocalAddressing=no
[DHCPv4]
UseDNS=no
UseHostname=no
UseGateway=no
"""
OFF = {"mode": "off"}

bench = names = None
stack = contextlib.ExitStack()


def ip(words):
    subprocess.run(["ip", *words.split()], check=True)


class Names:
    """The names that dnsmasq knows, in its file of hosts."""

    def __init__(self, folder):
        self.path = f"{folder}/hosts"
        self.process = None

    def put(self, name, address):
        with open(self.path, "w", encoding="ascii") as hosts:
            hosts.write(f"{address} {name}\n")
        if self.process:
            self.process.send_signal(signal.SIGHUP)


def serve_names(folder):
    """dnsmasq, which knows the appliance by its hardware address."""
    program = shutil.which("dnsmasq", path="/usr/sbin:/usr/bin") or "dnsmasq"
    process = subprocess.Popen(
        [program, "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root",
         f"--interface={TAP}", "--except-interface=lo", "--bind-interfaces", "--pid-file", "--log-facility=-",
         f"--dhcp-leasefile={folder}/leases", "--dhcp-authoritative", "--dhcp-range=10.113.7.50,10.113.7.99,255.255.255.0,1h",
         f"--dhcp-host={LAN_MAC},{BY_DHCP},{NAME}", f"--addn-hosts={folder}/hosts", "--local-ttl=1", "--domain=bench.example"])
    stack.callback(process.wait)
    stack.callback(process.terminate)
    return process


def setup():
    global bench, names
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() or libc.unshare(CLONE_NEWNET):
        raise Skip("it lays a network of its own, which is not permitted here: it needs root")
    ip("link set lo up")
    try:
        ip(f"tuntap add dev {TAP} mode tap")
    except subprocess.CalledProcessError as error:
        raise Skip(f"no TAP device here: {error}") from error
    ip(f"addr add {HERE}/24 dev {TAP}")
    ip(f"addr add {HERE6}/64 dev {TAP} nodad")
    ip(f"link set {TAP} up")
    folder = stack.enter_context(scratch("network"))
    names = Names(folder)
    names.put(MANAGER, HERE)
    names.process = serve_names(folder)
    bench = Bench(target=None, tap=TAP, files={"/etc/systemd/network/04-bench.network": QUIET})
    stack.callback(bench.stop)
    bench.start()
    status, answer = person(BY_DHCP).ask("POST", "claim", {"code": bench.claim_code, "user": "owner", "password": PASSWORD})
    equal(status, 200, answer)


def teardown():
    stack.close()


def run(*commands):
    code, out = bench.appliance.run("set -e; " + "; ".join(commands))
    assert code == 0, out
    return out.strip()


class Here:
    """This process's own network, where a namespace is expected."""

    open = socket.socket


def answers(address):
    """Does the page's port there?"""
    try:
        socket.create_connection((address, 443), timeout=1).close()
    except OSError:
        return False
    return True


def person(address):
    """Somebody at that address of the appliance, once it answers there."""
    limit = Deadline(60, f"an answer from {address}")
    while not answers(address):
        limit.left()
    return Person(SimpleNamespace(space=Here, address=address, https=443))


def owner(address):
    there = person(address)
    status, answer = there.ask("POST", "login", {"user": "owner", "password": PASSWORD})
    equal(status, 200, answer)
    return there


def ask(who, method, path, body=None):
    status, answer = who.ask(method, path, body)
    equal(status, 200, answer)
    return answer


def lan(answer):
    return next(interface for interface in answer["interfaces"] if interface["mac"] == LAN_MAC)


def addresses(answer, *sources):
    return {address["address"] for address in lan(answer)["addresses"] if address["source"] in sources}


def await_network(who, fits, what):
    limit = Deadline(60, what)
    while not fits(answer := ask(who, "GET", "network")):
        try:
            limit.left()
        except Failure as failure:
            raise Failure(f"{failure}; {answer}") from failure
    return answer


def try_settings(who, ipv4, ipv6=None, dns=()):
    name = lan(ask(who, "GET", "network"))["name"]
    ask(who, "PUT", "network", {"interface": name, "ipv4": ipv4, "ipv6": ipv6 or OFF, "dns": list(dns)})


def static(address, gateway=HERE, prefix=24):
    return {"mode": "static", "address": address, "prefix": prefix, "gateway": gateway}


def keep(address):
    """By somebody who logs in there."""
    there = owner(address)
    await_network(there, lambda answer: answer["trial"]["holds"], "settings that hold")
    return ask(there, "POST", "network/keep")


def ping(address):
    """Does it answer an ICMP echo request (RFC 792)?"""
    head = struct.pack(">BBHHH", 8, 0, 0, 7, 1)
    total = sum(struct.unpack(">4H", head))
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as link:
        link.settimeout(10)
        link.sendto(struct.pack(">BBHHH", 8, 0, ~total & 0xffff, 7, 1), (address, 0))
        while True:
            packet, source = link.recvfrom(1024)
            if source[0] == address and packet[20] == 0:
                return packet[24:28] == struct.pack(">HH", 7, 1)


def test_all_by_dhcp():
    who = owner(BY_DHCP)
    answer = await_network(who, lambda answer: answer["host_name"] == NAME, "the host name that DHCP gives")
    equal(addresses(answer, "dhcp"), {BY_DHCP})
    equal(lan(answer)["gateways"], [HERE])
    equal(answer["dns"], [HERE])
    check(lan(answer)["carrier"] and answer["changeable"], answer)
    check(run(f"getent hosts {MANAGER}").startswith(HERE), "the name server is asked")
    # It calls itself so, too.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
        heard.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        heard.settimeout(90)
        heard.bind(("", 3080))
        limit = Deadline(90, "an announcement with the new name")
        while NAME.encode() not in heard.recv(2048):
            limit.left()


def test_answers_ping():
    check(ping(person(BY_DHCP).place.address), "another answer")


def test_static_is_kept():
    address, address6 = "10.113.7.60", "fd00:113:7::60"
    try_settings(owner(BY_DHCP), static(address), {"mode": "static", "address": address6, "prefix": 64}, [HERE])
    answer = keep(address)
    equal(addresses(answer, "static", "dhcp"), {address, address6})
    check(not answers(BY_DHCP), "the old address answers still")
    check(answers(address6), "the IPv6 address does not")
    # What was kept is there whatever starts anew.
    run("systemctl restart kvmnet-helper systemd-networkd kvmnetd")
    answer = await_network(owner(address), lambda answer: addresses(answer, "static") == {address, address6}, "them again")
    equal(lan(answer)["settings"]["ipv4"], static(address))
    equal((lan(answer)["gateways"], answer["dns"]), ([HERE], [HERE]))
    # And the other way round.
    try_settings(owner(address), {"mode": "dhcp"})
    answer = keep(BY_DHCP)
    equal(addresses(answer, "static", "dhcp"), {BY_DHCP})


def test_cut_off():
    """Nobody can confirm: after its time the old address is back by itself."""
    who = owner(BY_DHCP)
    kept = lan(ask(who, "GET", "network")).get("settings")
    before = time.monotonic()
    try_settings(who, static("192.0.2.9", "192.0.2.1"))
    while answers(BY_DHCP):
        pass
    owner(BY_DHCP)
    passed = time.monotonic() - before
    check(55 <= passed <= 90, f"back after {passed:.0f} s")
    answer = ask(owner(BY_DHCP), "GET", "network")
    check("trial" not in answer and lan(answer).get("settings") == kept, answer)


def test_killed_in_a_trial():
    try_settings(owner(BY_DHCP), static("192.0.2.9", "192.0.2.1"))
    while answers(BY_DHCP):
        pass
    before = time.monotonic()
    run("systemctl kill -s KILL kvmnet-helper")
    answer = ask(owner(BY_DHCP), "GET", "network")
    check("trial" not in answer and time.monotonic() - before < 45, answer)


def way(who):
    """Of each step on the way to the Manager's one address, whether it is good; and its link."""
    answer = ask(who, "GET", "network/managers")
    only, = answer["addresses"]
    return {step["step"]: step["good"] for step in only["steps"]}, answer["manager"]["link"], only


def test_follows_its_managers_name():
    """It is looked up at each attempt: a Manager that moves, and its name with it, is found again."""
    authority, who = Authority(), owner(BY_DHCP)
    names.put(MANAGER, HERE)
    ip(f"addr add {MOVED}/24 dev {TAP}")
    with scratch("manager") as folder, contextlib.ExitStack() as managers:
        with open(f"{folder}/device.crt", "w", encoding="ascii") as text:
            text.write(run("cat /var/lib/kvmnet/device.crt") + "\n")
        before = managers.enter_context(Standin(authority, folder, at=(HERE, 0)))
        port = before.listener.getsockname()[1]
        adoption = authority.adoption(SimpleNamespace(state=folder), f"{MANAGER}:{port}")
        equal(who.ask("POST", "adoption", adoption)[0], 200)
        after = managers.enter_context(Standin(authority, folder, at=(MOVED, port)))
        with before.accept() as link:
            link.welcome()
            with answering(before):
                equal(way(who)[:2], ({"dns": True, "ping": True, "tls": True}, "up"))
            names.put(MANAGER, MOVED)
            before.close()
        with after.accept() as link:
            link.welcome()
            with answering(after):
                steps, up, seen = way(who)
            equal((steps, up), ({"dns": True, "ping": True, "tls": True}, "up"))
            check(MOVED in seen["steps"][0]["text"], seen)
            # And one whose name is gone is said to have none.
            names.put("other.bench.example", HERE)
            limit = Deadline(60, "a name that is gone")
            while way(who)[0] != {"dns": False}:
                limit.left()
        equal(who.ask("DELETE", "adoption")[0], 204)
