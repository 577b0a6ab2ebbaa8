# SPDX-License-Identifier: GPL-2.0-or-later
"""The bench's launcher is killed: its parts die with it, the next one removes what it left, and
nothing of one that lives.
"""

import contextlib
import os
import select
import shutil
import signal

from case import Process, check, scratch

# A launcher of one part, which ends in order at the end of its input.
LAUNCHER = """
import sys
import child
folder = child.make_run_dir()
part = child.Child("part", ["sleep", "1000"], folder)
with open(child.memory_file(folder, "ram"), "wb") as ram:
    ram.write(bytes(4096))
print(folder, part.pid, flush=True)
sys.stdin.read()
part.stop()
child.remove_run_dir(folder)
"""


class Launcher:
    def __init__(self, base):
        self.process = Process(["/usr/bin/python3", "-c", LAUNCHER], env={**os.environ, "XDG_RUNTIME_DIR": base})
        self.folder, part = self.process.line().split()
        self.memory = os.path.join("/dev/shm", os.path.basename(self.folder))
        self.part = os.pidfd_open(int(part))

    def part_ends(self, timeout):
        return bool(select.select([self.part], [], [], timeout)[0])

    def left(self):
        return [folder for folder in (self.folder, self.memory) if os.path.exists(folder)]

    def kill(self):
        self.process.signal(signal.SIGKILL)
        self.process.wait()
        check(self.part_ends(20), "a part outlives its launcher")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(BrokenPipeError):
            self.process.process.stdin.close()
        self.process.wait()
        self.process.process.stdout.close()
        os.close(self.part)


def test_what_a_killed_launcher_left_is_removed():
    with scratch() as base, Launcher(base) as living, Launcher(base) as killed:
        killed.kill()
        check(len(killed.left()) == 2, "nothing is left to be removed")
        with Launcher(base) as following:
            check(not killed.left(), f"still there: {killed.left()}")
            for launcher in (living, following):
                check(len(launcher.left()) == 2 and not launcher.part_ends(0), "a living launcher lost something")
        check(not following.left(), f"it left {following.left()}")


def test_memory_without_its_folder_is_removed():
    with scratch() as base, Launcher(base) as killed:
        killed.kill()
        shutil.rmtree(killed.folder)
        with Launcher(base):
            check(not killed.left(), f"still there: {killed.left()}")


def test_what_is_half_made_stays():
    with scratch() as base:
        folder = os.path.join(base, "kvmnet-bench-new")
        os.mkdir(folder)
        with Launcher(base):
            check(os.path.exists(folder), "a folder without a launcher's name was removed")
