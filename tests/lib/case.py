# SPDX-License-Identifier: GPL-2.0-or-later
"""What Python tests share: failing, skipping, seeds, ports, folders, processes that are
driven by lines. Knows nothing of the product; the runner is tests/run.
"""

import contextlib
import fcntl
import os
import random
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, "build")
SOAK = bool(os.environ.get("SOAK"))


class Failure(Exception):
    """The test failed; the text is the reason, for a person."""


class Skip(Exception):
    """The test cannot run here; the text says what it would need."""


def check(condition, why):
    if not condition:
        raise Failure(why)


def equal(got, want, what="value"):
    if got != want:
        raise Failure(f"{what}: {got!r}, expected {want!r}")


def seeded(name="seed"):
    """A random.Random whose seed is in the log; SEED= in the environment repeats a run."""
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"{name}: SEED={seed}", flush=True)
    return random.Random(seed)


class Deadline:
    """A point in time that a wait must not pass."""

    def __init__(self, seconds, what):
        self.end = time.monotonic() + seconds
        self.seconds, self.what = seconds, what

    def left(self):
        left = self.end - time.monotonic()
        if left <= 0:
            raise Failure(f"{self.what}: not within {self.seconds:g} s")
        return left


@contextlib.contextmanager
def scratch(name="test"):
    """A folder of the test's own, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=f"kvmnet-{name}-") as folder:
        yield folder


_held = []


def free_ports(count=1, address="127.0.0.1"):
    """The first of `count` consecutive free TCP ports. They stay this process's own among
    all tests on the machine: a lock file for each block of ports says who has it."""
    locks = os.path.join(tempfile.gettempdir(), f"kvmnet-ports-{os.getuid()}")
    os.makedirs(locks, mode=0o700, exist_ok=True)
    for base in random.sample(range(20000, 32000, 16), 750):
        lock = os.open(os.path.join(locks, str(base)), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for port in range(base, base + count):
                with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind((address, port))
        except OSError:
            os.close(lock)
            continue
        _held.append(lock)
        return base
    raise Failure(f"no {count} free ports in a row")


class Process:
    """A program driven by lines: ask() writes one and returns its answer. Its standard
    error goes to the test's log. Ends with the `with` block, at the latest."""

    def __init__(self, argv, timeout=20, **options):
        self.name = os.path.basename(argv[0])
        self.timeout = timeout
        self.buffer = b""
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=options.pop("stderr", sys.stderr.fileno()), **options)

    @property
    def pid(self):
        return self.process.pid

    def send(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def line(self, timeout=None):
        """The next line it writes."""
        limit = Deadline(timeout or self.timeout, f"a line from {self.name}")
        while b"\n" not in self.buffer:
            if not select.select([self.process.stdout], [], [], limit.left())[0]:
                continue
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise Failure(f"{self.name} ended with status {self.process.wait()}, "
                              f"last wrote {self.buffer[-200:]!r}")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode()

    def await_line(self, part, timeout=None):
        """Reads on until a line contains part; that line."""
        limit = Deadline(timeout or self.timeout, f"{part!r} from {self.name}")
        while True:
            line = self.line(limit.left())
            if part in line:
                return line

    def ask(self, line, timeout=None):
        self.send(line)
        return self.line(timeout)

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=None):
        """Its exit status."""
        try:
            return self.process.wait(timeout or self.timeout)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} did not end within {timeout or self.timeout} s") from None

    def stop(self, timeout=10):
        """Asks it to end, then ends it; its status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
