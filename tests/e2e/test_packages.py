# SPDX-License-Identifier: GPL-2.0-or-later
"""The Debian packages: built on this machine and on the next release, installed where nothing but Debian's own is,
tried as far as a system goes that is not booted, and taken away again.
"""

import glob
import os
import re
import subprocess

from case import BUILD, TOP, check, equal
from debian import OWN, System

NEXT = "trixie"
DEB = os.path.join(BUILD, "deb")
COPY = os.path.join(DEB, "kvmnet")  # what `make deb` works on
NEXT_DEB = os.path.join(BUILD, "deb-" + NEXT)

# The pages stay, since they need the npm registry; all else is made anew.
REBUILD = """
cd kvmnet
dpkg-checkbuilddeps
find build -mindepth 1 -maxdepth 1 ! -name npm ! -name 'web*' -exec rm -r {} +
DEB_RULES_REQUIRES_ROOT=no debian/rules clean binary
mkdir ../out
mv ../*.deb ../out
"""

TRY = """
apt-get -q -y install --no-install-recommends systemd openssh-server man-db
apt-get -q -y install --no-install-recommends ./*.deb
dpkg --verify kvmnet-device kvmnet-manager kvmnet

for unit in kvmnet-helper kvmnetd kvmnet-manager; do
	test "$(systemctl is-enabled $unit)" = enabled
	systemd-analyze verify "$(dpkg -L kvmnet-device kvmnet-manager | grep "/$unit.service$")"
done
for unit in kvmnetd kvmnet-manager; do
	systemd-analyze security --offline=true --threshold=25 $unit.service >/dev/null
done
test "$(stat -c %U:%G /var/lib/kvmnet-files/logs)" = kvmnet-manager:kvmnet-files
test "$(stat -c %u:%a /etc/kvmnet/manager-administrators.keys)" = 0:644
getent passwd kvmnet-admin | grep ':/usr/lib/kvmnet/kvmnet-manager-shell$'
dpkg -L kvmnet-device | grep 'udev/rules.d/.*kvmnet.*rules$'

# Each as the user of its unit, with the configuration and the pages that were installed.
install -d -m 0700 -o kvmnet -g kvmnet /var/lib/kvmnet
install -d -m 0700 -o kvmnet-manager -g kvmnet-manager /var/lib/kvmnet-manager
setpriv --reuid=kvmnet --regid=kvmnet --clear-groups kvmnetd --check-config
setpriv --reuid=kvmnet-manager --regid=kvmnet-manager --clear-groups kvmnet-manager --check-config
test -s /usr/share/kvmnet/web/index.html
test -s /usr/share/kvmnet/web/novnc/core/rfb.js
test -s /usr/share/kvmnet-manager/web/index.html
for program in kvmnetd kvmnet-helper kvmnet-manager kvmnet; do
	$program --version
	$program --help >/dev/null
	if ldd "$(command -v $program)" | grep 'not found'; then exit 1; fi
	man -w $program
done
mkdir -p /run/sshd
ssh-keygen -A
sshd -t
sshd -T -C user=kvmnet-admin | grep -i '^forcecommand /usr/lib/kvmnet/kvmnet-manager-shell$'

apt-get -q -y purge kvmnet-device kvmnet-manager kvmnet
test ! -e /etc/kvmnet
test ! -e /etc/ssh/sshd_config.d/kvmnet-manager.conf
sshd -t
"""


def packages(folder):
    return [path for path in sorted(glob.glob(os.path.join(folder, "*.deb"))) if "dbgsym" not in path]


def installs(suite, folder):
    found = packages(folder)
    equal([os.path.basename(path).split("_")[0] for path in found], ["kvmnet-device", "kvmnet-manager", "kvmnet"],
          "packages")
    print(System(suite).run(TRY, bring=found))


def test_1_are_built():
    done = subprocess.run(["make", "-C", TOP, "deb"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    print(done.stdout)
    equal(done.returncode, 0, "make deb")
    with open(os.path.join(TOP, "userland", "lib", "version.h"), encoding="ascii") as text:
        version = re.search(r'"(.+)"', text.read())[1]
    for path in packages(DEB):
        equal(os.path.basename(path).split("_")[1], version, path)


def test_2_install_on_debian_12():
    installs(OWN, DEB)


def test_3_are_built_on_debian_13():
    with open(os.path.join(TOP, "debian", "control"), encoding="utf-8") as text:
        needed = re.search(r"^Build-Depends:(.*?)^\S", text.read(), re.S | re.M)[1]
    names = ["build-essential", "debhelper", *re.findall(r"\n ([a-z0-9.+-]+)", needed)]
    os.makedirs(NEXT_DEB, exist_ok=True)
    for old in glob.glob(os.path.join(NEXT_DEB, "*.deb")):
        os.remove(old)
    print(System(NEXT, names).run(REBUILD, bring=[COPY], fetch=NEXT_DEB))
    check(packages(NEXT_DEB), "no package came of it")


def test_4_install_on_debian_13():
    installs(NEXT, NEXT_DEB)
