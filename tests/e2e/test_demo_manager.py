# SPDX-License-Identifier: GPL-2.0-or-later
"""`make demo-manager` as a person uses it: a Manager that finds three simulated Devices and a real appliance, in a
browser: claimed, all adopted, one opened, and Ctrl-Alt-Del there starts its Target anew.
"""

import json
import os
import re
import signal
import subprocess

from case import BUILD, TOP, Process, Skip, check, equal, scratch

DEMO = [os.path.join(TOP, "tests", "bench", "bench.py"), "demo-manager", "--target", "seabios"]
NAMES = ("rack-1", "rack-2", "rack-3", "kvmnet")
SHOTS = os.path.join(BUILD, "screenshots")
PASSWORD = "correct horse battery"


class Browser(Process):
    """Where the demonstration's network is."""

    def __init__(self, pid):
        super().__init__(["nsenter", "-n", "-t", str(pid), "node", os.path.join(TOP, "tests", "e2e", "browser.mjs")],
                         timeout=150)

    def do(self, what, **more):
        answer = json.loads(self.ask(json.dumps(dict(more, do=what))))
        check("error" not in answer, f"{what} {more}: {answer.get('error')}")
        return answer

    def shot(self, name):
        self.do("shot", file=os.path.join(SHOTS, f"{name}.png"))


def claim(browser, url, code):
    browser.do("goto", url=url)
    browser.do("await-gate", text="Claim this Manager")
    for field, text in (("code", code), ("user", "admin"), ("password", PASSWORD), ("again", PASSWORD)):
        browser.do("fill", id=field, text=text)
    browser.do("press", id="gate-go")


def adopt(browser, name, code):
    browser.do("await-text", id="list", text=name)
    browser.do("push", row=name, name="Adopt")
    browser.do("await-text", id="ask-title", text=f"Adopt {name}")
    browser.do("fill", id="ask-code", text=code)
    browser.do("press", id="ask-go")
    browser.do("await-row", row=name, text="Connected")


def picture(browser, folder):
    path = os.path.join(folder, "canvas")
    browser.do("canvas", file=path)
    with open(path, "rb") as image:
        return image.read()


def test_adopt_and_open():
    may = subprocess.run(["unshare", "-n", "sh", "-c", "ip link add br0 type bridge && ip tuntap add dev tap0 mode tap"],
                         capture_output=True, text=True, check=False)
    if os.geteuid() or may.returncode:
        raise Skip(f"the demonstration lays a network of its own, which is not permitted here: {may.stderr.strip() or 'no root'}")
    os.makedirs(SHOTS, exist_ok=True)
    # Its own loopback is up: the cable of the bench goes over it.
    start = ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *DEMO]
    with Process(start, timeout=60) as demo:
        url = re.search(r"https://\S+", demo.await_line("https://", 250))[0]
        demo.await_line("this code")
        code = demo.line().strip()
        demo.await_line("their claim codes")
        codes = dict(demo.line().split() for _ in NAMES)
        equal(tuple(codes), NAMES, "the Devices")
        demo.await_line("Ctrl-C")
        with Browser(demo.process.pid) as browser:
            claim(browser, url, code)
            for name in NAMES:
                adopt(browser, name, codes[name])
            browser.do("await-text", id="count", text="4 of 4")
            browser.do("await-text", id="list", text="720 × 400")
            browser.shot("demo-manager-devices")
            browser.do("follow", row="kvmnet", name="Open")
            browser.do("console", width=720, height=400)
            browser.do("await-bar", text="Connected")
            with scratch("demo") as folder:
                before = picture(browser, folder)
                browser.do("press", id="ctrl-alt-del")
                while picture(browser, folder) == before:
                    pass
            browser.shot("demo-manager-target")
        demo.signal(signal.SIGINT)
        equal(demo.wait(), 0, "the demonstration's end")
