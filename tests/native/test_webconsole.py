# SPDX-License-Identifier: GPL-2.0-or-later
"""The pages in a real browser (headless Chromium), on a native kvmnetd: claim, log in, the
console's picture, keys, pointer, lights, the reasons for no picture, a lost connection.
"""

import contextlib
import json
import os

from case import TOP, Process, check, equal
from daemon import PASSWORD, USER, Daemon
from test_web import Web, claim_code


browser = None


class Browser(Process):
    """One for the whole file: starting it takes longer than any test. Each test opens its Device's page anew."""

    def __init__(self):
        super().__init__(["node", os.path.join(TOP, "tests", "e2e", "browser.mjs")], timeout=60)

    def do(self, what, **more):
        answer = json.loads(self.ask(json.dumps(dict(more, do=what))))
        check("error" not in answer, f"{what}: {answer.get('error')}")
        return answer

    def refused(self, what, words, **more):
        answer = json.loads(self.ask(json.dumps(dict(more, do=what))))
        check(words in answer.get("error", ""), f"{what}: {answer}, expected {words!r}")

    def open(self, daemon):
        self.do("errors")
        return self.do("open", url=f"https://[::1]:{daemon.https}/")["page"]

    def picture(self, daemon):
        path = os.path.join(daemon.dir, "canvas")
        size = self.do("canvas", file=path)
        with open(path, "rb") as data:
            return size["width"], size["height"], data.read()


def setup():
    global browser
    browser = Browser()


def teardown():
    if browser:
        browser.stop()


def rgba(daemon, producer):
    """The producer's image as a canvas has it."""
    path = os.path.join(daemon.dir, "image")
    equal(producer.ask(f"dump {path}"), "ok", "dump")
    with open(path, "rb") as image:
        width, height = map(int, image.readline().split())
        data = image.read()
    out = bytearray(b"\xff") * len(data)
    out[0::4], out[1::4], out[2::4] = data[2::4], data[1::4], data[0::4]
    return width, height, bytes(out)


@contextlib.contextmanager
def console(size="640 480"):
    with Daemon() as daemon, daemon.producer() as producer:
        producer.ask(f"mode {size}")
        producer.ask("frame full")
        equal(browser.open(daemon), "Log in")
        browser.do("login", user=USER, password=PASSWORD)
        width, height = map(int, size.split())
        equal(browser.do("console", width=width, height=height), {"width": width, "height": height})
        yield daemon, producer


def test_claim_and_login():
    with Daemon(claim=False) as daemon, daemon.producer() as producer:
        code = claim_code(daemon)
        producer.ask("mode 320 240")
        producer.ask("frame full")
        equal(browser.open(daemon), "Claim this Device")
        browser.refused("claim", "not right", code="AAAA-AAAA-AAAA", user=USER, password=PASSWORD)
        browser.do("claim", code=code.lower().replace("-", " "), user=USER, password=PASSWORD)
        browser.do("console", width=320, height=240)
        browser.do("press", id="log-out")
        equal(browser.open(daemon), "Log in")
        browser.refused("login", "not right", user=USER, password="not the password")
        browser.do("login", user=USER, password=PASSWORD)
        browser.do("console", width=320, height=240)
        errors = [e for e in browser.do("errors")["errors"] if "Failed to load resource" not in e]
        equal(errors, [], "what the browser complained of")


def test_same_picture_in_every_mode():
    with console() as (daemon, producer):
        web = Web(daemon)
        web.login()
        for size in ("640 480", "1024 768", "801 603", "1920 1080"):
            equal(producer.ask(f"mode {size}"), "ok")
            for scene in ("full", "typing 20", "scroll 3", "video 3"):
                seq = producer.ask(f"frame {scene}").split()[1]
                equal(web.ask("GET", f"/api/v1/status?hw_seq={seq}")[0], 200)
                check(browser.picture(daemon) == rgba(daemon, producer), f"{size}, {scene}: another picture")


def test_keys_pointer_and_lights():
    with console() as (daemon, _):
        browser.do("key", key="a")
        equal(daemon.keyboard.report()[2], 0x04, "a")
        check(not any(daemon.keyboard.report()), "a stays down")
        browser.do("press", id="ctrl-alt-del")
        reports = [daemon.keyboard.report() for _ in range(6)]
        check(any(r[0] == 0x05 and 0x4c in r for r in reports), f"no Ctrl-Alt-Del: {reports}")
        check(not any(reports[-1]), "Ctrl-Alt-Del stays down")
        browser.do("click", x=320, y=240)
        down = up = daemon.pointer.report()
        while not down[0]:
            down = up = daemon.pointer.report()
        while up[0]:
            up = daemon.pointer.report()
        x, y = int.from_bytes(down[1:3], "little"), int.from_bytes(down[3:5], "little")
        check(abs(x - 32767 * 320 / 639) < 60 and abs(y - 32767 * 240 / 479) < 80, f"clicked at {x}, {y}")
        daemon.keyboard.set_leds(2)
        browser.do("await-led", led="caps", on=True)
        daemon.keyboard.set_leds(0)
        browser.do("await-led", led="caps", on=False)


def test_view_only_sends_nothing():
    with console() as (daemon, _):
        web = Web(daemon)
        web.login()
        browser.do("press", id="view-only")
        before = web.ask("GET", "/api/v1/status")[1]["sessions"][0]
        browser.do("key", key="a")
        browser.do("click", x=10, y=10)
        browser.do("press", id="view-only")
        browser.do("key", key="b")
        # The first report after the pointer's and keyboard's rest is b's: a was never sent.
        equal(daemon.keyboard.report()[2], 0x05, "the first key that arrives")
        after = web.ask("GET", "/api/v1/status")[1]["sessions"][0]
        check(before["keys"] == 0 and after["keys"] <= 2, f"{before} {after}")


def let_go(daemon):
    """Until a report says that no key is down; what the keyboard sent before it."""
    reports = [daemon.keyboard.report()]
    while any(reports[-1]):
        reports.append(daemon.keyboard.report())
    return reports[:-1]


def test_a_button_lets_go_of_the_keys():
    with console() as (daemon, _):
        browser.do("down", key="a")
        equal(daemon.keyboard.report()[2], 0x04, "a")
        browser.do("press", id="view-only")
        let_go(daemon)
        browser.do("up", key="a")


def test_view_only_lets_go_of_the_keys():
    with console() as (daemon, _):
        browser.do("down", key="a")
        equal(daemon.keyboard.report()[2], 0x04, "a")
        browser.do("activate", id="view-only")
        let_go(daemon)
        browser.do("up", key="a")


def test_the_key_out_of_the_screen_lets_go_of_itself():
    with console() as (daemon, _):
        keys = ("Control", "Alt", "Shift", "KeyB")
        for key in keys:
            browser.do("down", key=key)
        equal([report[0] for report in let_go(daemon)][:3], [1, 5, 7], "Ctrl, Alt and Shift")
        for key in keys:
            browser.do("up", key=key)


def test_says_why_there_is_no_picture():
    with console() as (_, producer):
        for signal, words in (("no-cable", "No cable"), ("no-signal", "No signal"), ("no-sync", "No sync"),
                              ("unsupported", "640 × 480"), ("protected", "Copy protected"),
                              ("stalled", "hardware stopped"), ("quarantined", "shut off"), ("gone", "hardware missing")):
            equal(producer.ask(f"signal {signal}"), "ok")
            browser.do("await-overlay", text=words)
        producer.ask("mode 800 600")
        producer.ask("frame full")
        browser.do("await-overlay", text="")
        browser.do("console", width=800, height=600)


def test_connects_again_by_itself():
    with console() as (daemon, producer):
        daemon.process.kill()
        daemon.process.wait()
        browser.do("await-overlay", text="Connection lost")
        daemon.keyboard.link.close()
        daemon.pointer.link.close()
        producer.stop()
        daemon.start()
        # Its log-ins were in its memory.
        browser.do("await-gate", text="Log in")
        with daemon.producer() as again:
            again.ask("mode 320 240")
            again.ask("frame full")
            browser.do("login", user=USER, password=PASSWORD)
            browser.do("console", width=320, height=240)


def test_disconnected_by_another():
    with console() as (daemon, _):
        web = Web(daemon)
        web.login()
        number = web.ask("GET", "/api/v1/status")[1]["sessions"][0]["id"]
        equal(web.ask("DELETE", f"/api/v1/sessions/{number}")[0], 204)
        browser.do("await-overlay", text="The session ended")
        browser.do("await-overlay", text=f"disconnected by {USER}")
        browser.do("press", id="again-now")
        browser.do("console", width=640, height=480)
