# SPDX-License-Identifier: GPL-2.0-or-later
"""Child processes that never outlive their launcher, and the run folder they live in."""

import ctypes
import functools
import glob
import os
import resource
import select
import shutil
import signal
import subprocess
import tempfile

PREFIX = "kvmnet-bench-"
MEMORY = "/dev/shm"
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def _prepare(parent, nice):
    """Runs in the new process, which ends with its launcher; that may have died by now."""
    os.nice(nice)
    # Every card that was pulled costs QEMU some (appliance.py, _occupy_descriptors).
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


class Child:
    """A program under our control; its output goes to a log in the run folder."""

    def __init__(self, name, argv, run_dir, nice=0):
        self.name = name
        self.log = os.path.join(run_dir, name + ".log")
        with open(self.log, "ab") as log:
            # A group of its own: Ctrl-C is for the launcher, which then ends its parts in order.
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                                            process_group=0,
                                            preexec_fn=functools.partial(_prepare, os.getpid(), nice))
        self.pid = self.process.pid

    def await_ready(self):
        """Returns once the program has said "ready" on its standard output."""
        line = self.process.stdout.readline()
        if line != b"ready\n":
            self.process.wait()
            raise RuntimeError(f"{self.name} did not start:\n{self.tail()}")

    def accept(self, listener, timeout=60):
        """The program's connection to a socket of ours; its end comes as an error."""
        ended = os.pidfd_open(self.pid)
        try:
            ready, _, _ = select.select([listener, ended], [], [], timeout)
        finally:
            os.close(ended)
        if listener not in ready:
            raise RuntimeError(f"{self.name} {'ended' if ready else 'is silent'}:\n{self.tail()}")
        return listener.accept()[0]

    def running(self):
        return self.process.poll() is None

    def tail(self):
        with open(self.log, "rb") as log:
            return log.read()[-1500:].decode(errors="replace")

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()


def _start_time(pid):
    """When a process started, in clock ticks since boot (proc(5)): with the pid it names one process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rsplit(")", 1)[1].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return None


def make_run_dir():
    """A new run folder, after those of launchers that died have been removed."""
    clean()
    run_dir = tempfile.mkdtemp(prefix=PREFIX, dir=_base())
    os.mkdir(_memory(run_dir), mode=0o700)
    for folder in (run_dir, _memory(run_dir)):
        with open(os.path.join(folder, "launcher"), "w", encoding="ascii") as file:
            file.write(f"{os.getpid()} {_start_time(os.getpid())}")
    return run_dir


def _base():
    return os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()


def _memory(run_dir):
    """The folder of a run that is memory."""
    return os.path.join(MEMORY, os.path.basename(run_dir))


def memory_file(run_dir, name):
    """A file that is memory: the appliance's, shared with the capture engine, or a screendump."""
    return os.path.join(_memory(run_dir), name)


def remove_run_dir(run_dir):
    for folder in (_memory(run_dir), run_dir):
        shutil.rmtree(folder, ignore_errors=True)


def clean():
    """Removes what dead launchers left, each folder by itself; their children died with them."""
    for folder in glob.glob(os.path.join(_base(), PREFIX + "*")) + glob.glob(os.path.join(MEMORY, PREFIX + "*")):
        try:
            with open(os.path.join(folder, "launcher"), encoding="ascii") as file:
                pid, started = file.read().split()
        except (OSError, ValueError):
            continue  # somebody else's, or half made
        if _start_time(pid) != started:
            shutil.rmtree(folder, ignore_errors=True)
