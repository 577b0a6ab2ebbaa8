# SPDX-License-Identifier: GPL-2.0-or-later
"""The Makefile's promises, on a copy of the tree as it was built: nothing is built twice, a
header's change reaches who includes it, KDIR and DEPS are heeded. And that tests/run can be interrupted.
"""

import os
import select
import shutil
import signal
import subprocess

from case import TOP, check, equal, scratch

PARTS = ("Makefile", "Kbuild", "kmod", "userland", "packaging", "tests")
BUILT = ("obj", "mk", "npm", "web", "web-manager", "kvmnetd", "kvmnet-helper", "kvmnet-manager",
         "kvmnet-manager-shell", "kvmnet", "libkvmnet.a")


def make(folder, *words):
    own = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "KDIR")
    plain = {name: value for name, value in os.environ.items() if name not in own}
    done = subprocess.run(["make", "--no-print-directory", *words], cwd=folder, env=plain, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def copy(folder):
    for part in PARTS:
        subprocess.run(["cp", "-a", os.path.join(TOP, part), folder], check=True)
    os.mkdir(os.path.join(folder, "build"))
    for part in BUILT:
        subprocess.run(["cp", "-a", os.path.join(TOP, "build", part), os.path.join(folder, "build")], check=True)


def built(folder):
    """The steps of a build, as the Makefile says them."""
    code, out = make(folder, "userland", "web")
    equal(code, 0, out)
    return [" ".join(line.split()) for line in out.splitlines() if line.startswith("  ")]


def test_nothing_is_built_twice():
    with scratch("make") as folder:
        copy(folder)
        equal(built(folder), [], "of what is built")
        os.utime(os.path.join(folder, "userland", "device", "report.h"))
        steps = built(folder)
        check("CC userland/device/hid.c" in steps and "LD build/kvmnetd" in steps, f"a new header: {steps}")
        check("CC userland/lib/log.c" not in steps, f"what does not include it: {steps}")
        equal(built(folder), [], "again")


def test_kdir_is_heeded():
    with scratch("make") as folder:
        copy(folder)
        code, out = make(folder, "kmod", f"KDIR={folder}/headers", "V=1")
        check(code, "a build against no kernel")
        check(f"-C '{folder}/headers'" in out, out)


def test_missing_packages_are_named():
    """DEPS=no: named, nothing installed, and no test is run."""
    with scratch("make") as folder:
        copy(folder)
        with open(os.path.join(folder, "tests", "lib", "packages.txt"), "a", encoding="ascii") as packages:
            packages.write("kvmnet-no-such-package\n")
        code, out = make(folder, "test", "DEPS=no")
        check(code, "went on without a package")
        check("kvmnet-no-such-package" in out and "passed" not in out, out)


def test_interrupted_run_leaves_nothing():
    """Whatever a test has started is gone once an interrupted tests/run has ended, however often it was told."""
    with scratch("run") as tree:
        os.makedirs(os.path.join(tree, "tests", "lint"))
        shutil.copy(os.path.join(TOP, "tests", "run"), os.path.join(tree, "tests"))
        alive = os.path.join(tree, "alive")
        for name in ("one", "two"):
            script = os.path.join(tree, "tests", "lint", f"{name}.sh")
            with open(script, "w", encoding="ascii") as out:
                out.write(f"#!/bin/sh\nexec >{alive}\n(trap '' TERM; echo started; exec sleep 1000)\n")
            os.chmod(script, 0o755)
        for count in (1, 1, 1, 2, 20, 200):
            os.mkfifo(alive)
            with subprocess.Popen([os.path.join(tree, "tests", "run"), "lint"], stdout=subprocess.DEVNULL) as run:
                with open(alive, "rb") as there:
                    for _ in range(2):
                        equal(there.readline(), b"started\n", "the test")
                    for _ in range(count):
                        run.send_signal(signal.SIGTERM)
                    check(run.wait(20), "an interrupted run says that all is well")
                    gone = select.select([there], [], [], 20)[0]
                    check(gone, f"after {count} signals what a test had started lives on")
                    equal(there.read(), b"", "its last words")
            os.unlink(alive)
