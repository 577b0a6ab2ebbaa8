# SPDX-License-Identifier: GPL-2.0-or-later
"""A real directory: OpenLDAP's slapd with the people that a test wants, in a namespace of the test's. It is not
installed: its service would run on this machine. Its packages are unpacked into a cache, once for each version.
"""

import contextlib
import functools
import glob
import os
import re
import shutil
import socket
import subprocess
import sys

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import cache
from authority import SERVER, Authority, pem
from case import Deadline, Failure, Process, scratch
from debian import run, unpack

SUFFIX = "dc=example,dc=org"
PEOPLE = f"ou=people,{SUFFIX}"
GROUPS = f"ou=groups,{SUFFIX}"
READER, READER_PASSWORD = f"cn=reader,{SUFFIX}", "only to read with"


def packages():
    """slapd, and the libraries that it needs and this machine has not."""
    wanted, left = [], ["slapd"]
    while left:
        name = left.pop()
        wanted.append(name)
        for line in run("apt-cache", "depends", "-i", name).splitlines():
            found = re.fullmatch(r"\s*(?:Pre)?Depends: (lib[a-z0-9.+-]+)", line)
            if found and found[1] not in wanted + left and subprocess.run(
                    ["dpkg-query", "-W", "-f", "${db:Status-Status}", found[1]], check=False,
                    capture_output=True, text=True).stdout != "installed":
                left.append(found[1])
    return wanted


@functools.cache
def unpacked():
    """The folder that slapd and its libraries are unpacked in."""
    version = re.search(r"Candidate: (\S+)", run("apt-cache", "policy", "slapd"))
    if not version:
        raise Failure("apt knows no slapd: apt-get update brings its list")
    return cache.kept("slapd-" + re.sub(r"[^0-9A-Za-z.+-]", "_", version[1]), lambda path: unpack(packages(), path))


def person(name, password=None, **more):
    """An entry of the directory's."""
    fields = {"objectClass": "inetOrgPerson", "cn": name, "sn": name, "uid": name,
              "userPassword": password or f"{name}'s secret", **more}
    return f"cn={name},{PEOPLE}", fields


def group(name, members, kind="groupOfNames"):
    """kind: of its members' names."""
    return f"cn={name},{GROUPS}", {"objectClass": kind, "cn": name, "member": members}


def ldif(dn, fields):
    lines = [f"dn: {dn}"]
    for name, values in fields.items():
        lines += [f"{name}: {value}" for value in (values if isinstance(values, list) else [values])]
    return "\n".join(lines) + "\n\n"


class Directory:
    """`with` it. names: that its certificate, from authority, is for, instead of its address; changes: of that. limits, tls:
    lines of its configuration."""

    def __init__(self, space, address, entries, authority=None, names=None, limits="", tls="", **changes):
        self.root = unpacked()
        self.stack = contextlib.ExitStack()
        self.space, self.address = space, address
        self.dir = self.stack.enter_context(scratch("slapd"))
        self.authority = authority or Authority("Directory's authority")
        self.limits, self.tls = limits, tls
        self.process = None
        self.certify(names or [address], **changes)
        self.load(entries)

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def certify(self, names, **changes):
        key = ec.generate_private_key(ec.SECP256R1())
        for name, text in (("key", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()),
                           ("crt", pem(self.authority.issue(key.public_key(), names, usages=(SERVER,), **changes)))):
            with open(self.path(f"slapd.{name}"), "w", encoding="ascii") as out:
                out.write(text)

    def configure(self):
        schemas = "".join(f"include {self.root}/etc/ldap/schema/{name}.schema\n"
                          for name in ("core", "cosine", "inetorgperson", "nis"))
        with open(self.path("slapd.conf"), "w", encoding="ascii") as out:
            out.write(f"{schemas}modulepath {self.root}/usr/lib/ldap\nmoduleload back_mdb\n"
                      f"pidfile {self.dir}/pid\n"
                      f"TLSCertificateFile {self.dir}/slapd.crt\nTLSCertificateKeyFile {self.dir}/slapd.key\n{self.tls}\n"
                      f"sizelimit unlimited\n"
                      # A bind without a password succeeds, as with servers that are too kind (RFC 4513 section 5.1.2).
                      f"allow bind_anon_dn\n"
                      f"database mdb\nsuffix {SUFFIX}\nrootdn cn=root,{SUFFIX}\ndirectory {self.dir}/db\n"
                      f"index uid,objectClass eq\n{self.limits}\n"
                      # Without TLS nobody is let in, and nobody reads without a name.
                      f"security simple_bind=128\n"
                      f"access to attrs=userPassword by anonymous auth by * none\n"
                      f"access to * by dn.exact=\"{READER}\" read by * none\n")

    def tool(self, name, *options):
        environment = dict(os.environ, LD_LIBRARY_PATH=":".join(glob.glob(f"{self.root}/usr/lib/*-linux-gnu*")))
        return ["env", f"LD_LIBRARY_PATH={environment['LD_LIBRARY_PATH']}", "LDAPNOINIT=1",
                f"{self.root}/usr/sbin/{name}", "-f", self.path("slapd.conf"), *options]

    def load(self, entries):
        """It has these people and groups, and no others. It must not run."""
        shutil.rmtree(self.path("db"), ignore_errors=True)
        os.mkdir(self.path("db"))
        self.configure()
        text = ldif(SUFFIX, {"objectClass": ["organization", "dcObject"], "o": "example", "dc": "example"})
        for name in ("people", "groups"):
            text += ldif(f"ou={name},{SUFFIX}", {"objectClass": "organizationalUnit", "ou": name})
        text += ldif(READER, {"objectClass": ["organizationalRole", "simpleSecurityObject"], "cn": "reader",
                              "userPassword": READER_PASSWORD})
        with open(self.path("all.ldif"), "w", encoding="utf-8") as out:
            out.write(text + "".join(ldif(*entry) for entry in entries))
        run(*self.tool("slapadd", "-q", "-l", self.path("all.ldif")))

    def start(self):
        self.configure()
        urls = f"ldap://{self.address}:389/ ldaps://{self.address}:636/"
        self.process = Process([*self.space.enter, *self.tool("slapd", "-h", urls, "-d", "none")],
                               stderr=subprocess.STDOUT)
        self.process.await_line("slapd starting")
        # It says so a moment before it listens.
        limit = Deadline(20, "slapd's ports")
        for port in 389, 636:
            while not self.answers(port):
                limit.left()
        return self

    def answers(self, port):
        with self.space.open(socket.AF_INET, socket.SOCK_STREAM) as link:
            return not link.connect_ex((self.address, port))

    def stop(self):
        if self.process:
            self.process.stop()
            for line in self.process.buffer.decode(errors="replace").splitlines():
                print(f"slapd: {line}", file=sys.stderr)
        self.process = None

    def again(self, entries=None):
        """After what was changed; with other people when they are given."""
        self.stop()
        if entries is not None:
            self.load(entries)
        return self.start()

    def settings(self, **changes):
        """What a Manager is to be told of it."""
        return {"url": f"ldap://{self.address}", "ca": pem(self.authority.certificate), "bind_dn": READER,
                "bind_password": READER_PASSWORD, "base": PEOPLE, "filter": "(objectClass=inetOrgPerson)", "group": "",
                "name_attribute": "uid", "type": "user", "groups": [], **changes}

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        with self.stack:
            self.stop()
