# SPDX-License-Identifier: GPL-2.0-or-later
"""What is made once and kept outside the tree: under $XDG_CACHE_HOME, by a name that says what it is made from."""

import contextlib
import fcntl
import os
import shutil


def folder():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = os.path.join(base, "kvmnet")
    os.makedirs(path, exist_ok=True)
    return path


@contextlib.contextmanager
def _locked(name):
    with open(os.path.join(folder(), name + ".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def kept(name, make):
    """The path of name, a file or a folder. Where there is none make(path) makes it, one test at a time; one that
    fails leaves nothing."""
    path = os.path.join(folder(), name)
    part = path + ".part"
    with _locked(name):
        if not os.path.exists(path):
            shutil.rmtree(part, ignore_errors=True)  # whoever began it is gone: the lock is ours
            os.mkdir(part)
            try:
                make(os.path.join(part, name))
                os.rename(os.path.join(part, name), path)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    return path
