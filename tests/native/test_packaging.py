# SPDX-License-Identifier: GPL-2.0-or-later
"""What an install puts on an appliance: units that are sandboxed, and a helper that explains itself."""

import os
import re
import subprocess

from case import Failure

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HELPER = os.path.join(TOP, "build", "kvmnet-helper")


def exposure(unit):
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager",
                           os.path.join(TOP, "packaging", unit)], capture_output=True, text=True, check=False)
    found = re.search(r"exposure level for \S+ ([0-9.]+)", done.stdout)
    if not found:
        raise Failure(f"systemd-analyze says nothing of {unit}: {done.stderr}")
    return float(found[1])


def test_daemon_is_sandboxed():
    level = exposure("kvmnetd.service")
    assert level <= 2.5, f"exposure {level}"


def test_manager_is_sandboxed():
    level = exposure("kvmnet-manager.service")
    assert level <= 2.5, f"exposure {level}"


def test_helper_is_sandboxed():
    level = exposure("kvmnet-helper.service")
    assert level <= 3.0, f"exposure {level}"


def helper(*arguments):
    return subprocess.run([HELPER, *arguments], capture_output=True, text=True, check=False, timeout=20)


def test_helper_explains_itself():
    done = helper("--help")
    assert done.returncode == 0 and "--module" in done.stdout, done
    done = helper("--version")
    assert done.returncode == 0 and done.stdout.startswith("kvmnet-helper "), done


def test_helper_refuses_bad_arguments():
    for arguments in (["--nonsense"], ["more"], ["--udc", "../escape"], ["--udc", ""], ["--module"],
                      ["--socket", "/tmp/socket"]):
        done = helper(*arguments)
        assert done.returncode == 2 and done.stderr, (arguments, done)
