# SPDX-License-Identifier: GPL-2.0-or-later
"""Small Debian systems of any release, to build and install packages in: made by mmdebstrap from this machine's own
sources, kept as tar files in the cache by a hash of what is in them. Knows nothing of the product.
"""

import glob
import hashlib
import os
import subprocess

import cache
from case import Failure, scratch

OWN = "bookworm"  # the release whose sources this machine has


def _sources(suite):
    """This machine's package sources, of another release."""
    done = subprocess.run(["apt-get", "indextargets", "--format", "deb $(SITE) $(RELEASE) $(COMPONENT)",
                           "Identifier: Packages"], capture_output=True, text=True, check=True)
    return "".join(f"{line.replace(OWN, suite)}\n" for line in sorted(set(done.stdout.splitlines()))
                   if line.split()[2].startswith(OWN) and line.split()[3] == "main")


def _mmdebstrap(suite, out, *options):
    argv = ["mmdebstrap", "--aptopt=Apt::Install-Recommends \"false\"", "--aptopt=Acquire::Languages \"none\"",
            "--dpkgopt=force-unsafe-io", *options, suite, out, "-"]
    done = subprocess.run(argv, input=_sources(suite), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, env={**os.environ, "LC_ALL": "C"})
    if done.returncode:
        raise Failure(f"mmdebstrap failed ({done.returncode}):\n{done.stdout[-6000:]}")
    return done.stdout


def run(*argv, **options):
    """What it prints; it must succeed."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    if done.returncode:
        raise Failure(f"{argv[0]} failed ({done.returncode}): {done.stdout[-2000:]}")
    return done.stdout


def unpack(names, path):
    """This machine's packages of these names into a new folder; nothing is installed."""
    os.mkdir(path)
    with scratch("packages") as folder:
        run("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *names, cwd=folder)
        for package in glob.glob(os.path.join(folder, "*.deb")):
            run("dpkg", "-x", package, path)


class System:
    """A release with some packages in it. Each run() starts from the same state."""

    def __init__(self, suite, packages=()):
        self.suite = suite
        with open(__file__, "rb") as own:
            text = own.read() + " ".join([suite, *packages]).encode()
        self.tar = cache.kept(f"{suite}-{hashlib.sha256(text).hexdigest()[:16]}.tar", lambda path: _mmdebstrap(
            suite, path, "--variant=minbase", f"--include={','.join(['ca-certificates', *packages])}"))

    def run(self, script, bring=(), fetch=None):
        """What a shell script (its text) says in it, in /root; it must succeed. bring: files and folders that it finds
        there. fetch: a folder here that gets what it leaves in /root/out."""
        with scratch("debian") as folder:
            path = os.path.join(folder, "script")
            with open(path, "w", encoding="utf-8") as out:
                out.write(script)
            brought = [f"--customize-hook=copy-in {one} /root" for one in [path, *bring]]
            fetched = [f"--customize-hook=sync-out /root/out {fetch}"] if fetch else []
            # The lists of an older system name packages that are gone.
            return _mmdebstrap(self.suite, "/dev/null", "--variant=custom", "--skip=update",
                               f"--setup-hook=tar-in {self.tar} /", *brought,
                               '--customize-hook=chroot "$1" apt-get -q update',
                               '--customize-hook=chroot "$1" sh -euxc "cd /root; . ./script"', *fetched)
