# SPDX-License-Identifier: GPL-2.0-or-later
"""A real browser (headless Chromium through browser.mjs), driven by JSON lines."""

import json
import os
import subprocess

from client import TOP, USER, rgb_of_rgba
from case import Failure


class Browser:
    def __init__(self, owner):
        self.folder = owner.bench.run_dir
        self.process = subprocess.Popen(["node", os.path.join(TOP, "tests", "e2e", "browser.mjs")],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ask(do="open", url=f"https://127.0.0.1:{owner.bench.ports.https}/")
        self.ask(do="login", user=USER, password=owner.password)

    def ask(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise Failure("the browser ended")
        answer = json.loads(line)
        if "error" in answer:
            raise Failure(f"the browser says: {answer['error']}")
        return answer

    def picture(self):
        path = os.path.join(self.folder, "canvas.rgba")
        answer = self.ask(do="canvas", file=path)
        with open(path, "rb") as raw:
            return answer["width"], answer["height"], rgb_of_rgba(raw.read())

    def screenshot(self):
        """What the page shows of the Target's screen, as a person sees it."""
        path = os.path.join(self.folder, "page.png")
        answer = self.ask(do="screenshot", file=path)
        rgb = subprocess.run(["convert", path, "-depth", "8", "rgb:-"], check=True, capture_output=True).stdout
        return answer["width"], answer["height"], rgb

    def close(self):
        try:
            self.process.stdin.close()
            self.process.wait(20)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
