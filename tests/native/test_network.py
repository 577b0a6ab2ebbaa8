# SPDX-License-Identifier: GPL-2.0-or-later
"""The Device's network by its API, in a namespace: what it shows, a trial, keeping it, and what is refused. That the
appliance takes such settings is e2e/network's.
"""

import contextlib
import http.client
import json
import os
import signal

from authority import Authority, Standin, answering
from case import Deadline, check, equal, scratch
from daemon import PASSWORD, USER, Daemon
from nethelper import ADDRESS, Network
from test_web import Web, claim_code

OFF = {"mode": "off"}
AUTHORITY = Authority()


def static(address="192.0.2.6", **more):
    return {"mode": "static", "address": address, "prefix": 24, "gateway": "192.0.2.1", **more}


def body(ipv4=None, ipv6=None, dns=(), interface="eth0"):
    return {"interface": interface, "ipv4": ipv4 or static(), "ipv6": ipv6 or OFF, "dns": list(dns)}


@contextlib.contextmanager
def device(**options):
    with Network() as network, Daemon(within=network.within, space=network.space, **options) as daemon:
        owner = Web(daemon)
        if options.get("claim", True):
            equal(owner.login()[0], 200)
        yield network, daemon, owner


def shown(owner):
    status, answer = owner.ask("GET", "/api/v1/network")
    equal(status, 200, answer)
    return answer


def await_holding(owner):
    limit = Deadline(20, "new settings that hold")
    while not shown(owner)["trial"]["holds"]:
        limit.left()


def change(owner, wanted, status=200):
    got, answer = owner.ask("PUT", "/api/v1/network", wanted)
    equal(got, status, answer)
    return answer


def post(owner, what, status=200):
    got, answer = owner.ask("POST", f"/api/v1/network/{what}")
    equal(got, status, answer)
    return answer


def test_shows_the_network():
    with device() as (network, _, owner):
        network.space.ip("route add default via 192.0.2.1")
        network.space.ip("addr add 2001:db8::5/64 dev eth0")
        network.space.ip("addr add 192.0.2.77/24 dev eth0 valid_lft 3600 preferred_lft 3600")
        seen = shown(owner)
        check(seen["changeable"] and "trial" not in seen, seen)
        eth0, = seen["interfaces"]
        check(eth0["up"] and eth0["carrier"] and "settings" not in eth0, eth0)
        equal(eth0["gateways"], ["192.0.2.1"])
        sources = {f"{at['address']}/{at['prefix']}": at["source"] for at in eth0["addresses"]}
        equal(sources.pop(ADDRESS), "static")
        equal(sources.pop("192.0.2.77/24"), "dhcp")
        equal(sources.pop("2001:db8::5/64"), "static")
        equal(set(sources.values()), {"link_local"})
        # It is as the kernel has it at each question.
        network.space.ip("link set eth0 down")
        eth0, = shown(owner)["interfaces"]
        check(not eth0["up"] and not eth0["carrier"], eth0)


def test_trial_that_is_kept():
    with device() as (network, daemon, owner):
        answer = change(owner, body(dns=["192.0.2.53"]))
        check(0 < answer["trial"]["left_s"] <= 61 and not answer["trial"]["holds"], answer)
        # Whoever is too quick has shown nothing.
        post(owner, "keep", 409)
        text = network.reload()
        check("Address=192.0.2.6/24\nGateway=192.0.2.1\nDNS=192.0.2.53\n" in text, text)
        await_holding(owner)
        answer = post(owner, "keep")
        check("trial" not in answer, answer)
        equal(answer["interfaces"][0]["settings"], {"ipv4": static(), "ipv6": OFF, "dns": ["192.0.2.53"]})
        post(owner, "keep", 409)
        # It outlives daemon and helper.
        equal(daemon.stop(), 0)
        network.kill()
        network.start()
        daemon.restart()
        owner = Web(daemon)
        owner.login()
        equal(shown(owner)["interfaces"][0]["settings"]["ipv4"], static())
        check("Address=192.0.2.6/24\n" in "".join(network.files().values()), network.files())


def test_helper_is_killed_in_a_trial():
    with device() as (network, _, owner):
        change(owner, body())
        network.reload()
        network.kill()
        for _ in range(3):
            check(not shown(owner)["changeable"], "the helper is away")
        # A page that asks again and again does not fill the log.
        lines = owner.ask("GET", "/api/v1/log")[1]["lines"]
        equal(len([line for line in lines if "network: asking" in line["text"]]), 1, lines)
        change(owner, body(), 503)
        post(owner, "keep", 503)
        network.start()
        equal(network.files(), {})
        check("trial" not in shown(owner), "a trial")
        post(owner, "keep", 409)


def test_going_back():
    with device() as (network, _, owner):
        change(owner, body())
        network.reload()
        post(owner, "return")
        equal(network.reload(), "")
        post(owner, "return", 409)
        post(owner, "keep", 409)


def test_addresses_that_do_not_hold():
    """networkd could not set them, or somebody else has them: there is nothing to keep."""
    with device() as (network, _, owner):
        change(owner, body(static("192.0.2.6")))
        network.reload()
        network.space.ip("addr flush dev eth0")
        post(owner, "keep", 409)


def test_wrong_settings():
    wrong = {
        "no Ethernet interface": body(interface="eth1"),
        "of that name": body(interface="lo"),
        "broadcast": body(static("192.0.2.255")),
        "an address that no host": body(dns=["224.0.0.1"]),
        "is no host of the network": body(static(gateway="192.0.3.1")),
        "from 1 to 31": body(static(prefix=33)),
        "looks like 192.0.2.5": body(static("192.0.2.6\nDNS=192.0.2.1")),
        "leave one of them on": body(OFF, OFF),
        "there twice": body(dns=["192.0.2.53", "192.0.2.53"]),
    }
    with device() as (network, _, owner):
        for words, wanted in wrong.items():
            answer = change(owner, wanted, 400)
            check(words in answer["error"], f"{wanted}: {answer}")
        check("trial" not in shown(owner), "a trial")
        equal(network.files(), {})


def steps(owner):
    """{address: {step: (good, text)}}, and what the link says."""
    status, answer = owner.ask("GET", "/api/v1/network/managers")
    equal(status, 200, answer)
    return ({one["address"]: {step["step"]: (step["good"], step["text"]) for step in one["steps"]}
             for one in answer["addresses"]}, answer.get("manager", {}).get("link"))


def test_way_to_the_manager():
    """Each step where it ends, and all of them to one that is there."""
    with device(discovery="mode = manual\nmanagers = 192.0.2.5, nowhere.invalid") as (network, daemon, owner), \
            scratch("standin") as folder, Standin(AUTHORITY, folder, space=network.space) as right:
        network.space.sysctl("net.ipv4.ping_group_range", "0 0")
        # A name server that answers nobody is none: nothing listens there.
        found, link = steps(owner)
        equal((found["192.0.2.5:443"].keys(), link), ({"dns", "ping"}, None))
        check(found["192.0.2.5:443"]["ping"][0], found)
        equal(found["nowhere.invalid:443"].keys(), {"dns"})
        check(not found["nowhere.invalid:443"]["dns"][0], found)
        status, answer = owner.ask("POST", "/api/v1/adoption", AUTHORITY.adoption(daemon, right.address, "192.0.2.77:443",
                                                                                 "192.0.2.5:9", "203.0.113.1:443"))
        equal(status, 200, answer)
        with right.accept() as up:
            up.welcome()
            with answering(right):
                found, link = steps(owner)
        equal(link, "up")
        equal([good for good, _ in found[right.address].values()], [True, True, True], found)
        check("is this Device's Manager" in found[right.address]["tls"][1], found)
        check("does not answer" in found["192.0.2.77:443"]["ping"][1], found)
        check(not found["192.0.2.77:443"]["tls"][0], found)
        check("nothing listens at port 9" in found["192.0.2.5:9"]["tls"][1], found)
        check("There is no way" in found["203.0.113.1:443"]["ping"][1], found)


def test_another_one_in_the_managers_place():
    other = Authority()
    with device() as (network, daemon, owner), scratch("standin") as folder, \
            Standin(other, folder, space=network.space) as rogue:
        equal(owner.ask("POST", "/api/v1/adoption", AUTHORITY.adoption(daemon, rogue.address))[0], 200)
        with answering(rogue):
            found, _ = steps(owner)
        good, text = found[rogue.address]["tls"]
        check(not good and "is not the Manager that adopted this Device" in text, text)


def test_reset_without_the_helper():
    """What it keeps would stay: it is said, nothing is lost, and it can be asked again."""
    with device() as (network, _, owner):
        change(owner, body())
        network.reload()
        await_holding(owner)
        post(owner, "keep")
        network.kill()
        equal(owner.ask("POST", "/api/v1/reset", {"password": PASSWORD})[0], 500)
        equal(owner.ask("GET", "/api/v1/state")[1]["claimed"], True)
        network.start()
        equal(owner.ask("POST", "/api/v1/reset", {"password": PASSWORD})[0], 204)
        equal(network.reload(), "")


def begin(owner, method, path, wanted):
    """A request, whose answer is waited for later."""
    link = http.client.HTTPConnection("::1", owner.daemon.https)
    link.sock = owner.connect()
    link.request(method, path, json.dumps(wanted), owner.headers(Content_Type="application/json"))
    return link


def test_what_comes_behind_a_reset():
    """Permitted by the owner of before, and done when there is none any more: it would be the next owner's surprise."""
    with device() as (network, daemon, owner):
        settings = owner.ask("GET", "/api/v1/settings")[1]
        helper = network.helper.process.pid
        os.kill(helper, signal.SIGSTOP)
        os.waitid(os.P_PID, helper, os.WSTOPPED | os.WNOWAIT)
        reset = begin(owner, "POST", "/api/v1/reset", {"password": PASSWORD})
        limit = Deadline(20, "the reset at the helper")
        while " 1 " not in network.space.run("sh", "-c", "ss -xlHn | grep helper.sock"):
            limit.left()
        late = [begin(owner, "PUT", "/api/v1/settings", dict(settings, name="rack 7")),
                begin(owner, "POST", "/api/v1/adoption", AUTHORITY.adoption(daemon))]
        equal(owner.ask("GET", "/api/v1/state")[1]["claimed"], True)
        os.kill(helper, signal.SIGCONT)
        equal(reset.getresponse().status, 204)
        equal([link.getresponse().status for link in late], [409, 409])
        state = owner.ask("GET", "/api/v1/state")[1]
        check(not state["claimed"] and not state["managed"], state)
        for link in (reset, *late):
            link.close()


def test_reset():
    """As new, but for who it is: nothing that was kept comes back, and nobody is logged in."""
    with device(claim=False) as (network, daemon, owner):
        code = claim_code(daemon)
        equal(owner.ask("POST", "/api/v1/claim", {"code": code, "user": USER, "password": PASSWORD})[0], 200)
        fingerprint = owner.ask("GET", "/api/v1/identity")[1]["fingerprint"]
        before = owner.ask("GET", "/api/v1/settings")[1]
        changed = dict(before, name="rack 7", session_timeout_s=90, revision=3)
        equal(owner.ask("PUT", "/api/v1/settings", changed), (200, changed))
        change(owner, body())
        network.reload()
        await_holding(owner)
        post(owner, "keep")
        equal(owner.ask("POST", "/api/v1/adoption", AUTHORITY.adoption(daemon))[0], 200)
        status, link = owner.upgrade("/api/v1/events", "events")
        equal(status, 101)
        equal(owner.ask("POST", "/api/v1/reset", {"password": "not the password"})[0], 403)
        equal(owner.ask("GET", "/api/v1/settings"), (200, changed))
        stranger = Web(daemon)
        stranger.cookie = owner.cookie
        equal(owner.ask("POST", "/api/v1/reset", {"password": PASSWORD})[0], 204)
        equal(network.reload(), "")
        with link:
            while link.recv(4096):
                pass
        equal(stranger.ask("GET", "/api/v1/status")[0], 409)
        equal(owner.ask("GET", "/api/v1/state")[1]["managed"], False)
        again = claim_code(daemon)
        check(again != code, "the old claim code")
        equal(owner.ask("POST", "/api/v1/claim", {"code": again, "user": USER, "password": PASSWORD})[0], 200)
        equal(owner.ask("GET", "/api/v1/settings")[1], before)
        equal(owner.ask("GET", "/api/v1/identity")[1]["fingerprint"], fingerprint)
        check("settings" not in shown(owner)["interfaces"][0], shown(owner))
