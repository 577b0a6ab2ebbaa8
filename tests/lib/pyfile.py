# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the tests of one Python file in this process, for tests/run:
pyfile.py SUITE FILE REPORT-FD LIMIT PATTERN... Reports one JSON line at the start and at
the end of each test; what a test prints goes to its own log.
"""

import fnmatch
import importlib.util
import json
import os
import signal
import sys
import time
import traceback

from case import BUILD, Failure, Skip

LOGS = os.path.join(BUILD, "test-logs")


class Stopped(BaseException):
    """The runner wants this process to end: tear down and go."""


def reason(error):
    """One line of why: the text, and where it was if the text alone does not tell."""
    text = str(error).strip().splitlines()
    text = text[0] if text else ""
    if isinstance(error, (Failure, Skip)):
        return text
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if f.filename.startswith(os.path.dirname(BUILD))] or frames
    place = f"{os.path.basename(ours[-1].filename)}:{ours[-1].lineno}" if ours else "?"
    if isinstance(error, AssertionError):
        return f"{place}: {ours[-1].line if ours else ''} {text}".strip()
    return f"{place}: {type(error).__name__}: {text}"


class File:
    def __init__(self, suite, path, report, limit, patterns):
        self.suite, self.path, self.limit, self.patterns = suite, path, limit, patterns
        self.key = os.path.basename(path)[len("test_"):-len(".py")]
        self.report = os.fdopen(report, "w", buffering=1)

    def say(self, **event):
        self.report.write(json.dumps(event) + "\n")

    def log_to(self, name):
        sys.stdout.flush()
        sys.stderr.flush()
        log = os.open(os.path.join(LOGS, f"{self.suite}-{name}.log"),
                      os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)

    def run(self, call, limit):
        """Calls it, against the clock: None, or why not."""
        def expired(*_):
            raise Failure(f"not done within {limit:g} s")
        signal.signal(signal.SIGALRM, expired)
        signal.setitimer(signal.ITIMER_REAL, limit)
        try:
            call()
            return None
        except Skip as error:
            signal.setitimer(signal.ITIMER_REAL, 0)
            return {"skip": reason(error)}
        except Exception as error:  # whatever a test raises is its failure
            signal.setitimer(signal.ITIMER_REAL, 0)
            traceback.print_exc()
            return {"why": reason(error)}
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def main(self):
        self.log_to(self.key)
        module = {}

        def load():
            spec = importlib.util.spec_from_file_location(f"test_{self.key}", self.path)
            loaded = importlib.util.module_from_spec(spec)
            sys.modules[spec.name] = loaded
            spec.loader.exec_module(loaded)
            module.update(vars(loaded))

        broken = self.run(load, 60)
        if broken:
            self.say(name=self.key, seconds=0, **broken)
            return
        tests = [(f"{self.key}_{name[len('test_'):]}", call) for name, call in module.items()
                 if name.startswith("test_") and callable(call)]
        tests = [(name, call) for name, call in tests
                 if any(fnmatch.fnmatchcase(f"{self.suite}/{name}", p) for p in self.patterns)]
        if not tests:
            return
        limit = module.get("LIMIT", self.limit)
        self.say(tests=[name for name, _ in tests], limit=limit)
        broken = self.run(module.get("setup", lambda: None), limit)
        if broken and "why" in broken:
            broken["why"] = f"setup: {broken['why']}"
        for name, call in tests:
            self.say(start=name)
            started = time.monotonic()
            result = broken
            if not broken:
                self.log_to(name)
                for _ in range(int(os.environ.get("REPEAT") or 1)):
                    result = self.run(call, limit)
                    if result:
                        break
            self.say(name=name, seconds=time.monotonic() - started, **(result or {}))
        self.log_to(f"{self.key}-teardown")
        down = self.run(module.get("teardown", lambda: None), limit)
        if down:
            self.say(name=f"{self.key}_teardown", seconds=0, **down)


def stop(*_):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped


def main():
    suite, path, report, limit, *patterns = sys.argv[1:]
    sys.path.insert(0, os.path.dirname(path))
    sys.dont_write_bytecode = True
    signal.signal(signal.SIGTERM, stop)
    case = File(suite, path, int(report), float(limit), patterns)
    os.set_inheritable(int(report), False)
    try:
        case.main()
    except Stopped:
        module = sys.modules.get(f"test_{case.key}")
        if hasattr(module, "teardown"):
            module.teardown()
        sys.exit(1)


main()
