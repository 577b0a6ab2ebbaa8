# SPDX-License-Identifier: GPL-2.0-or-later
"""The Device's own settings in a real browser (headless Chromium), in a namespace: a network trial from the first click
to keeping it at the new address, the Manager, sessions. Pictures at two sizes are left in build/screenshots.
"""

import contextlib
import hashlib
import os
import re
import ssl

from authority import Authority, Standin, answering
from case import check, equal, scratch
from daemon import PASSWORD, USER, Daemon
from nethelper import Network
from test_api import NEW_PASSWORD, person
from test_managerpage import SHOTS, Page
from test_web import Web


@contextlib.contextmanager
def settings():
    """(network, daemon, page), where an owner has the settings open."""
    os.makedirs(SHOTS, exist_ok=True)
    with Network() as network, Daemon(within=network.within, space=network.space, https_address="::") as daemon, \
            Page(daemon) as page:
        log_in(page)
        page.do("press", id="go-settings")
        page.do("await-text", id="interfaces", text="192.0.2.5/24, static")
        yield network, daemon, page
        equal([error for error in page.do("errors")["errors"] if "Failed to load resource" not in error], [])


def log_in(page, password=PASSWORD):
    page.do("await-gate", text="Log in")
    page.do("fill", id="user", text=USER)
    page.do("fill", id="password", text=password)
    page.do("press", id="gate-go")


def try_address(page, address):
    page.do("push", row="eth0", name="Change")
    page.do("await-text", id="ask-title", text="Addresses of eth0")
    page.do("choose", id="ask-ipv4", value="static")
    page.do("choose", id="ask-ipv6", value="off")
    page.do("fill", id="ask-ipv4-address", text=address)
    page.do("fill", id="ask-ipv4-gateway", text="192.0.2.1")
    page.do("fill", id="ask-dns", text="192.0.2.53, 192.0.2.54")
    page.do("press", id="ask-go")


def test_new_address_is_kept_there():
    with settings() as (network, daemon, page):
        page.shots("device-settings")
        equal(page.do("axe")["wrong"], [])
        try_address(page, "192.0.2.255")
        page.do("await-text", id="ask-error", text="broadcast address")
        page.shots("device-network")
        equal(page.do("axe")["wrong"], [])
        page.do("press", id="ask-cancel")
        try_address(page, "192.0.2.6")
        page.do("await-text", id="trial", text="are on trial")
        check(page.do("disabled", id="trial-keep")["disabled"], "it can be kept before it holds")
        page.do("await-text", id="trial-link", text=f"https://192.0.2.6:{daemon.https}/")
        text = network.reload()
        check("Address=192.0.2.6/24\nGateway=192.0.2.1\nDNS=192.0.2.53\nDNS=192.0.2.54\n" in text, text)
        page.do("await-text", id="interfaces", text="192.0.2.6/24")
        page.shots("device-trial")
        # Whoever comes to the new address is asked first of all.
        page.do("goto", url=f"https://192.0.2.6:{daemon.https}/")
        log_in(page)
        page.do("await-text", id="trial", text="are on trial")
        page.do("await-text", id="trial-way", text="")
        page.do("press", id="trial-keep")
        page.do("await-text", id="trial", text="")
        # What is kept stands in the dialogue.
        page.do("push", row="eth0", name="Change")
        page.do("await-text", id="ask-title", text="Addresses of eth0")
        page.do("press", id="ask-go")
        page.do("await-text", id="trial", text="are on trial")
        page.do("press", id="trial-return")
        page.do("await-text", id="trial", text="")


def test_manager_and_way_to_it():
    authority = Authority()
    with settings() as (network, daemon, page), scratch("standin") as folder, \
            Standin(authority, folder, space=network.space) as standin:
        network.space.sysctl("net.ipv4.ping_group_range", "0 0")
        page.do("press", id="try-way")
        page.do("await-text", id="no-way", text="nothing to try")
        owner = Web(daemon)
        owner.login()
        equal(owner.ask("POST", "/api/v1/adoption", authority.adoption(daemon, standin.address, "nowhere.invalid:443"))[0], 200)
        with standin.accept() as link:
            link.welcome()
            page.do("await-text", id="managed", text=f"managed by {authority.name}")
            page.do("await-text", id="link", text="Connected")
            with answering(standin):
                page.do("press", id="try-way")
                page.do("await-text", id="way", text="is this Device's Manager")
            page.do("await-text", id="way", text="nowhere.invalid")
            page.do("await-text", id="change-own", text="")
            page.shots("device-managed")
            equal(page.do("axe")["wrong"], [])
            page.do("press", id="release")
            page.do("await-text", id="ask-title", text="Release this Device")
            page.do("press", id="ask-go")
            page.do("await-text", id="managed", text="")


def daemon_certificate(daemon):
    with open(os.path.join(daemon.state, "device.crt"), encoding="ascii") as text:
        return text.read()


def test_sessions_and_own_settings():
    with settings() as (_, daemon, page):
        page.do("await-text", id="no-session", text="Nobody")
        caller = Web(daemon)
        caller.login()
        with person(caller):
            page.do("await-row", row=USER, text="in control")
            page.do("push", row=USER, name="End")
            page.do("await-text", id="no-session", text="Nobody")
        page.do("press", id="show-log")
        page.do("await-text", id="log", text="info: session 1")
        equal(page.do("axe")["wrong"], [])
        fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(daemon_certificate(daemon))).hexdigest().upper()
        page.do("await-text", id="fingerprint", text=":".join(re.findall("..", fingerprint)))
        page.do("press", id="change-own")
        page.do("fill", id="ask-name", text="rack 7")
        page.do("fill", id="ask-timeout", text="1.5")
        page.do("press", id="ask-go")
        page.do("await-text", id="own-name", text="rack 7")
        page.do("await-text", id="own-timeout", text="after 1.5 min")
        equal(caller.ask("GET", "/api/v1/settings")[1]["session_timeout_s"], 90)
        page.do("press", id="change-password")
        page.do("fill", id="ask-old", text="not the password")
        page.do("fill", id="ask-fresh", text=NEW_PASSWORD)
        page.do("press", id="ask-go")
        page.do("await-text", id="ask-error", text="not right")
        page.do("fill", id="ask-old", text=PASSWORD)
        page.do("press", id="ask-go")
        page.do("press", id="go-console")
        page.do("await-bar", text="Log out")
        page.do("press", id="go-settings")
        page.do("await-text", id="settings", text="Nobody")
        page.do("press", id="leave")
        # Whoever was here comes back here.
        log_in(page, NEW_PASSWORD)
        page.do("press", id="reset")
        page.shots("device-reset")
        page.do("fill", id="ask-password", text=PASSWORD)
        page.do("press", id="ask-go")
        page.do("await-text", id="ask-error", text="not right")
        page.do("fill", id="ask-password", text=NEW_PASSWORD)
        page.do("press", id="ask-go")
        page.do("await-gate", text="Claim this Device")
