# SPDX-License-Identifier: GPL-2.0-or-later
"""Administrators at a real sshd, with the drop-in, the users and the folders that an install brings: what the right
key may, who else is refused, and every way out that we know of.

    ssh, sftp ──▶ sshd ──▶ kvmnet-manager-shell ──▶ /run/kvmnet-manager/shell ──▶ kvmnet-manager
                    └────▶ internal-sftp in /var/lib/kvmnet-files

All of it lives in a mount and a network namespace: /etc, /run, /usr/lib and /var/lib are the test's own copies.
"""

import contextlib
import os
import re
import subprocess
import sys

import netns
from case import BUILD, TOP, Process, Skip, check, equal, free_ports, scratch
from manager import Manager

ADMIN, FILES = "kvmnet-admin", "kvmnet-files"
PACKAGING = os.path.join(TOP, "packaging")
MACHINE = """set -eu
mount -t tmpfs -o mode=0755 none "$1"
mkdir "$1/up" "$1/work"
cp -a /etc "$1/etc"
mount --bind "$1/etc" /etc
mount -t overlay -o "lowerdir=/usr/lib,upperdir=$1/up,workdir=$1/work" none /usr/lib
mount -t tmpfs -o mode=0755 none /run
mount -t tmpfs -o mode=0755 none /var/lib
mkdir -p /run/sshd /usr/lib/kvmnet /etc/kvmnet /etc/ssh/sshd_config.d
cp "$2/sshd/kvmnet-manager.conf" /etc/ssh/sshd_config.d/
cp "$3" /usr/lib/kvmnet/
systemd-sysusers "$2"/sysusers.d/kvmnet-manager*.conf
systemd-tmpfiles --create "$2"/tmpfiles.d/kvmnet-manager.conf
"""


class Office(Manager):
    """The Manager as its unit runs it: under its own user, with its own folders."""

    def __init__(self, space):
        super().__init__(space, "127.0.0.1", user=("setpriv", "--reuid=kvmnet-manager", "--regid=kvmnet-manager",
                                                "--clear-groups"))
        with open(self.config, encoding="ascii") as text:
            lines = [line for line in text if not line.startswith(("log_dir", "socket"))]
        with open(self.config, "w", encoding="ascii") as out:
            out.writelines(lines)
        os.chmod(self.dir, 0o755)
        space.run("chown", "-R", "kvmnet-manager:", self.state)


class Site:
    """`with` it: a machine of its own with a Manager, sshd and the keys of one administrator."""

    def __init__(self):
        if os.geteuid():
            raise Skip("sshd changes users: this needs root")
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        with self.stack:
            self.dir = self.stack.enter_context(scratch("ssh"))
            os.chmod(self.dir, 0o711)
            os.mkdir(os.path.join(self.dir, "machine"))
            self.space = netns.Space(["unshare", "-mn", "--propagation", "private"], ["-m"])
            self.stack.callback(self.space.close)
            self.space.run("sh", "-c", MACHINE, "sh", os.path.join(self.dir, "machine"), PACKAGING,
                           os.path.join(BUILD, "kvmnet-manager-shell"))
            self.space.sysctl("net.ipv4.ping_group_range", "0 2147483647")
            self.key, self.other = self.make_key("right"), self.make_key("other")
            self.write("/etc/kvmnet/manager-administrators.keys", open(f"{self.key}.pub", encoding="ascii").read())
            self.manager = self.stack.enter_context(Office(self.space))
            self.start_sshd()
            self.stack = self.stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def make_key(self, name):
        path = os.path.join(self.dir, name)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{name}@office", "-f", path], check=True)
        return path

    def write(self, path, text):
        self.space.run("tee", path, input=text)

    def start_sshd(self):
        self.port = free_ports(1)
        host = self.make_key("host")
        server = Process([*self.space.enter, "/usr/sbin/sshd", "-D", "-e", "-o", f"Port={self.port}",
                          "-o", "ListenAddress=127.0.0.1", "-o", f"HostKey={host}", "-o", "PidFile=none",
                          "-o", "LogLevel=VERBOSE", "-o", "MaxAuthTries=20"],
                         stderr=subprocess.STDOUT)
        self.stack.callback(server.stop)
        server.await_line("Server listening")
        # From now on its lines go nowhere that could fill up.
        self.drain = subprocess.Popen(["cat"], stdin=server.process.stdout, stdout=sys.stderr.fileno())
        self.stack.callback(self.drain.wait)
        self.stack.callback(server.process.kill)
        self.known = os.path.join(self.dir, "known")
        with open(f"{host}.pub", encoding="ascii") as key, open(self.known, "w", encoding="ascii") as known:
            known.write(f"[127.0.0.1]:{self.port} {key.read()}")

    def options(self, key=None, *more):
        chosen = ["-i", key or self.key, *more]
        for option in ("IdentitiesOnly=yes", f"UserKnownHostsFile={self.known}", "StrictHostKeyChecking=yes",
                       "BatchMode=yes", "ConnectTimeout=20"):
            chosen += ["-o", option]
        return ["-F", "none", *chosen]

    def run(self, *argv, given=b"", env=None):
        return subprocess.run([*self.space.enter, *argv], input=given, capture_output=True, check=False, timeout=60,
                              env={**os.environ, **(env or {})})

    def ssh(self, *command, user=ADMIN, key=None, more=(), given=b"", env=None):
        return self.run("ssh", *self.options(key, *more), "-p", str(self.port), f"{user}@127.0.0.1", *command,
                        given=given, env=env)

    def sftp(self, commands, user=FILES, key=None):
        return self.run("sftp", *self.options(key), "-b", "-", "-P", str(self.port), f"{user}@127.0.0.1",
                        given=commands.encode())


_SITE = []


def setup():
    site = Site()
    site.__enter__()
    _SITE.append(site)
    site.admin = site.manager.claimed()


def teardown():
    if _SITE:
        _SITE.pop().__exit__()


def audit(site):
    return [event for event in site.admin.ask("GET", "audit")[1]["events"] if event["what"] == "ssh"]


def test_right_key_sees():
    site = _SITE[0]
    done = site.ssh("status")
    equal(done.returncode, 0, str(done))
    check(b"Head office, kvmnet-manager" in done.stdout and b"0 adopted" in done.stdout, done)
    equal(site.ssh("devices").stdout, b"There are no Devices.\n")
    equal(site.ssh("replication").stdout, b"This Manager is not in Replication mode.\n")
    lines = site.ssh("logs 1").stdout
    check(re.fullmatch(rb"\d{4}-\d\d-\d\dT[\d:]{8}Z \w+: [^\n]+\n", lines), lines)
    check(len(site.ssh("logs").stdout.splitlines()) > 1, "more lines")
    check(b"logs [N]" in site.ssh("help").stdout, "help")


def test_ping():
    site = _SITE[0]
    for host in ("127.0.0.1", "::1", "localhost"):
        done = site.ssh("ping", host)
        equal((done.returncode, done.stdout.count(b"answer from")), (0, 4), str(done))
    done = site.ssh("ping 192.0.2.1")
    check(done.returncode == 1 and b"answer from" not in done.stdout.replace(b"no answer from", b""), done)
    for host in ("-h", "127.0.0.1;id", "$(id)", "a/b", "x" * 300, "127.0.0.1 127.0.0.1"):
        equal(site.ssh("ping", host).returncode, 2, host)


def test_lines_one_by_one():
    site = _SITE[0]
    done = site.ssh(given=b"help\n\nreplication\nid\nexit\nstatus\n")
    equal(done.returncode, 0, str(done))
    check(b"not in Replication" in done.stdout and b"no such command" in done.stderr, done)
    check(b"Head office" not in done.stdout, "what follows exit")


def test_audit_says_who():
    site = _SITE[0]
    print_ = subprocess.run(["ssh-keygen", "-lf", f"{site.key}.pub"], capture_output=True, text=True, check=True)
    fingerprint = print_.stdout.split()[1]
    site.ssh("logs 3")
    site.ssh("status; id")
    last = audit(site)[:2]
    equal([(event["who"], event["text"]) for event in last],
          [("right@office", f"refused: status; id (key {fingerprint})"), ("right@office", f"logs 3 (key {fingerprint})")])


def test_others_are_refused():
    site = _SITE[0]
    for user in (ADMIN, FILES):
        done = site.ssh("status", user=user, key=site.other)
        check(done.returncode == 255 and b"(publickey)" in done.stderr and not done.stdout, done)
        for method in ("password", "keyboard-interactive", "none", "hostbased"):
            done = site.ssh("status", user=user, more=("-o", f"PreferredAuthentications={method}"))
            check(done.returncode == 255 and b"(publickey)" in done.stderr, (method, done))
    done = site.ssh("id", user="root")
    equal(done.returncode, 255, "an administrator's key is for these two users")


def test_no_other_command_runs():
    site = _SITE[0]
    for line in ("id", "/bin/sh", "sh -c id", "status; id", "status && id", "status | sh", "$(id)", "status $(id)",
                 "`id`", "status\nid", "status\rid", "logs 1;id", "logs 0", "logs -1", "logs 99999999999999999999",
                 "logs $((1))", "status > /tmp/x", "STATUS", "./status", "ping", "scp -t /tmp", "x" * 4000,
                 "status " + "y" * 400, "status \x01", "stat\u00fcs", "internal-sftp", "\x1b[2J", "/usr/lib/openssh/sftp-server"):
        done = site.ssh(line)
        check(done.returncode == 2 and not done.stdout and len(done.stderr) < 100, (line[:40], done))
    done = site.ssh(given=bytes(range(256)) + b"\n" + b"z" * 100000 + b"\nexit\n")
    check(done.stderr.count(b"no such command") == 2 and b"too long" in done.stderr, done)


def test_copies_are_refused():
    site = _SITE[0]
    target = os.path.join(site.dir, "fetched")
    check(site.sftp("ls", user=ADMIN).returncode != 0, "sftp of the command user")
    for more in ([], ["-O"]):
        for ends in (f"{ADMIN}@127.0.0.1:/etc/passwd", target), (site.known, f"{ADMIN}@127.0.0.1:/tmp/x"):
            done = site.run("scp", *more, *site.options(), "-P", str(site.port), *ends)
            check(done.returncode != 0 and not os.path.exists(target), done)


def forwards(site, user, *more):
    """Whether a connection through it says sshd's greeting."""
    done = site.run("ssh", *site.options(None, *more), "-p", str(site.port), "-W", f"127.0.0.1:{site.port}", f"{user}@127.0.0.1")
    return b"SSH-2.0" in done.stdout


def test_nothing_is_forwarded():
    site = _SITE[0]
    for user in (ADMIN, FILES):
        check(not forwards(site, user), f"a connection through {user}")
        done = site.ssh("status", user=user, more=("-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1"))
        check(done.returncode == 255 and b"forwarding failed" in done.stderr, done)
        done = site.ssh("status", user=user, more=("-o", "ExitOnForwardFailure=yes", "-R", "/tmp/s:127.0.0.1:1"))
        check(done.returncode == 255, done)
        done = site.ssh("status", user=user, more=("-w", "0:0", "-o", "ExitOnForwardFailure=yes"))
        check(done.returncode == 255, done)


def test_no_terminal_no_environment():
    site = _SITE[0]
    done = site.ssh("status", more=("-tt",))
    check(b"PTY allocation request failed" in done.stderr and not done.stdout, done)
    done = site.ssh("status", more=("-o", "SendEnv=LD_PRELOAD LD_LIBRARY_PATH SSH_USER_AUTH BASH_ENV"),
                    env={"LD_LIBRARY_PATH": "/tmp", "SSH_USER_AUTH": "/etc/shadow", "BASH_ENV": "/etc/passwd"})
    equal((done.returncode, done.stderr), (0, b""), str(done))
    equal((audit(site)[0]["who"], audit(site)[0]["text"][:7]), ("right@office", "status "))


def test_files_can_be_fetched():
    site = _SITE[0]
    site.write("/var/lib/kvmnet-files/backups/one.backup", "kept")
    target = os.path.join(site.dir, "got")
    done = site.sftp(f"ls -1 /\nget logs/manager.log {target}.log\nget backups/one.backup {target}")
    equal(done.returncode, 0, str(done))
    check(b"logs" in done.stdout and b"backups" in done.stdout, done)
    with open(target, encoding="ascii") as text:
        equal(text.read(), "kept")
    with open(f"{target}.log", encoding="utf-8") as text:
        check("info:" in text.read(), "its log")


def test_files_are_all_that_is_there():
    site = _SITE[0]
    site.space.run("ln", "-sf", "/etc/passwd", "/var/lib/kvmnet-files/logs/way-out")
    site.space.run("ln", "-sf", "../../../../etc/passwd", "/var/lib/kvmnet-files/logs/way-up")
    site.space.run("chown", "kvmnet-files", "/var/lib/kvmnet-files/backups")
    target = os.path.join(site.dir, "stolen")
    for command in (f"get /etc/passwd {target}", f"get ../../../../etc/passwd {target}", f"get logs/way-out {target}",
                    f"get logs/way-up {target}", f"get /proc/self/environ {target}", "ls /proc", "cd /etc",
                    f"put {site.known} backups/new", "rename logs/manager.log logs/gone", "rm logs/manager.log",
                    "chmod 777 backups", "chown 0 backups", "mkdir backups/new", "rmdir backups",
                    "symlink /etc backups/new", "ln logs/manager.log backups/new"):
        done = site.sftp(command)
        check(done.returncode == 1 and not os.path.exists(target), (command, done))
    equal(site.ssh("id", user=FILES).returncode != 0, True, "a command of the file user")
    equal(site.space.run("ls", "/var/lib/kvmnet-files/backups").replace("one.backup\n", ""), "")


def test_others_on_this_machine_cannot_ask():
    site = _SITE[0]
    ask = ("import socket,sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind('');"
           "s.settimeout(20); s.sendto(b'a\\nb\\nstatus', '/run/kvmnet-manager/shell'); print(s.recv(9))")

    def as_user(user, group):
        return site.run("setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", sys.executable, "-c", ask)
    check(b"PermissionError" in as_user(FILES, FILES).stderr, "the file user")
    check(b"PermissionError" in as_user("nobody", "nogroup").stderr, "a stranger")
    equal(as_user(ADMIN, ADMIN).stdout, b"b'\\x00'\n")
    before = len(audit(site))
    one_way = ask.split("print", maxsplit=1)[0]
    site.run("setpriv", "--reuid=nobody", f"--regid={ADMIN}", "--clear-groups", sys.executable, "-c", one_way)
    site.ssh("replication")
    equal(len(audit(site)), before + 1, "one of the group who is another user is not heard")


def test_without_manager():
    with Site() as site:
        site.manager.stop()
        done = site.ssh("status")
        check(done.returncode == 1 and b"does not answer" in done.stderr, done)
        site.manager.start()
        equal(site.ssh("status").returncode, 0)


def test_other_users_stay_as_they_were():
    site = _SITE[0]
    said = site.run("/usr/sbin/sshd", "-T", "-C", "user=root,host=x,addr=127.0.0.1").stdout.decode()
    for line in ("forcecommand none", "chrootdirectory none", "permittty yes", "disableforwarding no"):
        check(line in said, line)
    for user in (ADMIN, FILES):
        said = site.run("/usr/sbin/sshd", "-T", "-C", f"user={user},host=x,addr=127.0.0.1").stdout.decode()
        for line in ("authenticationmethods publickey", "permittty no", "disableforwarding yes", "permituserrc no",
                     "authorizedkeysfile /etc/kvmnet/manager-administrators.keys"):
            check(line in said, (user, line))
