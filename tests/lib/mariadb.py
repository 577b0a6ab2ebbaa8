# SPDX-License-Identifier: GPL-2.0-or-later
"""MariaDB servers of a test's own: Debian's program, from the cache and never installed, with a folder and a socket of
its own, as whoever runs the test. Knows nothing of the product but which database and accounts it wants.
"""

import contextlib
import ctypes
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import sys

import cache
from case import Deadline, Failure, Skip, scratch
from debian import run, unpack

PACKAGES = ("mariadb-server-core", "libaio1", "libnuma1", "liburing2")
DATABASE = "kvmnet"
USER = pwd.getpwuid(os.getuid()).pw_name  # by which the socket knows who asks


def _program(root, defaults=None):
    """argv of the server, as far as it is always the same; the data folder follows."""
    return ["env", f"LD_LIBRARY_PATH={root}/usr/lib/{os.uname().machine}-linux-gnu", f"{root}/usr/sbin/mariadbd",
            f"--defaults-file={defaults}" if defaults else "--no-defaults", f"--user={USER}", f"--basedir={root}/usr", f"--lc-messages-dir={root}/usr/share/mysql/english",
            f"--character-sets-dir={root}/usr/share/mysql/charsets", "--innodb-buffer-pool-size=16M",
            "--innodb-log-file-size=4M", "--innodb-flush-method=nosync", "--performance-schema=OFF", "--log-warnings=2"]


def _make(stage):
    unpack(PACKAGES, stage)
    os.makedirs(stage + "/data/mysql")
    tables = ["CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\n"]
    for part in ("mysql_system_tables", "mysql_performance_tables", "mysql_system_tables_data"):
        with open(f"{stage}/usr/share/mysql/{part}.sql", encoding="utf-8") as text:
            tables.append(text.read())
    run(*_program(stage), f"--datadir={stage}/data", "--bootstrap", input="".join(tables))


def _root():
    """The folder with the program and an empty data folder, made where there is none of this version."""
    found = re.search(r"Candidate: (\S+)", run("apt-cache", "policy", PACKAGES[0]))
    if not found or found[1] == "(none)":
        raise Skip(f"apt knows no {PACKAGES[0]} here: apt-get update")
    return cache.kept("mariadb-" + re.sub(r"[^0-9A-Za-z.+]", "-", found[1]), _make)


class Server:
    """`with` it. within: a command that enters the namespace where it runs; options: more of the server's.
    Whoever runs the test has what the Manager's user has, by the socket; sql() may everything."""

    defaults = None  # a file of settings that it reads when it is started

    def __init__(self, within=(), options=()):
        self.stack = contextlib.ExitStack()
        self.within, self.options = within, options
        self.dir = self.stack.enter_context(scratch("mariadb"))
        self.socket = os.path.join(self.dir, "socket")
        self.root = _root()
        self.password = secrets.token_hex(16)
        shutil.copytree(self.root + "/data", self.dir + "/data")
        with open(self.dir + "/init.sql", "w", encoding="ascii") as out:
            out.write("SET sql_log_bin = 0;\n"
                      f"CREATE OR REPLACE USER tester@localhost IDENTIFIED BY '{self.password}';\n"
                      "GRANT ALL ON *.* TO tester@localhost WITH GRANT OPTION;\n")
        self.process = None

    def make_accounts(self):
        """What the administrator of a real one does, as kvmnet-manager.conf(5) and kvmnet-manager(8) say."""
        for text in (f"CREATE OR REPLACE USER '{USER}'@localhost IDENTIFIED VIA unix_socket",
                     f"GRANT ALL ON {DATABASE}.* TO '{USER}'@localhost",
                     f"CREATE DATABASE {DATABASE}",
                     "CREATE ROLE kvmnet_replication",
                     "GRANT REPLICATION SLAVE, REPLICATION MASTER ADMIN, REPLICATION SLAVE ADMIN, BINLOG ADMIN, "
                     "BINLOG MONITOR, SLAVE MONITOR, READ_ONLY ADMIN, RELOAD, CREATE USER ON *.* "
                     "TO kvmnet_replication WITH GRANT OPTION",
                     f"GRANT ALL ON {DATABASE}.* TO kvmnet_replication WITH GRANT OPTION",
                     f"GRANT kvmnet_replication TO '{USER}'@localhost",
                     f"GRANT SLAVE MONITOR ON *.* TO '{USER}'@localhost"):
            self.sql(text)

    def start(self, *options):
        log = self.dir + "/log"
        with open(log, "ab") as out:
            already = out.tell()
            self.process = subprocess.Popen(
                [*self.within, *_program(self.root, self.defaults), f"--datadir={self.dir}/data", f"--socket={self.socket}",
                 f"--pid-file={self.dir}/pid", f"--init-file={self.dir}/init.sql",
                 *(self.options or ([] if self.defaults else ["--skip-networking"])), *options],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        limit = Deadline(60, "mariadbd's readiness")
        while not self._says(log, already, b"ready for connections"):
            limit.left()
            with contextlib.suppress(subprocess.TimeoutExpired):
                raise Failure(f"mariadbd ended with status {self.process.wait(0.02)}: {self._tail(log)}")
        return self

    @staticmethod
    def _says(log, already, words):
        with open(log, "rb") as text:
            text.seek(already)
            return words in text.read()

    @staticmethod
    def _tail(log):
        with open(log, encoding="utf-8", errors="replace") as text:
            return " | ".join(text.read().splitlines()[-5:])

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            finally:
                self.process.kill()

    def restart(self, *options):
        self.stop()
        return self.start(*options)

    def sql(self, text):
        """A statement's rows, as texts."""
        return _ask(self.socket, self.password, text)

    def settings(self, database=DATABASE):
        """Of kvmnet-manager.conf."""
        return f"[database]\nkind = mariadb\nsocket = {self.socket}\nname = {database}\nuser = {USER}\n"

    def __enter__(self):
        try:
            self.start()
            self.make_accounts()
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *failure):
        with self.stack:
            if self.process:
                self.stop()
            if any(failure) and os.path.exists(self.dir + "/log"):
                with open(self.dir + "/log", encoding="utf-8", errors="replace") as text:
                    print(text.read()[-8000:], file=sys.stderr)


# ---- the library that the Manager uses, for what a test asks a server ----

def _library():
    library = ctypes.CDLL("libmariadb.so.3")
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    for name, result, arguments in (
            ("mysql_init", pointer, [pointer]), ("mysql_error", text, [pointer]),
            ("mysql_real_connect", pointer,
             [pointer, text, text, text, text, ctypes.c_uint, text, ctypes.c_ulong]),
            ("mysql_query", ctypes.c_int, [pointer, text]), ("mysql_store_result", pointer, [pointer]),
            ("mysql_num_fields", ctypes.c_uint, [pointer]), ("mysql_fetch_row", ctypes.POINTER(text), [pointer]),
            ("mysql_free_result", None, [pointer]), ("mysql_close", None, [pointer])):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _ask(path, password, text):
    library = _library()
    link = library.mysql_init(None)
    try:
        rows = []
        if not library.mysql_real_connect(link, None, b"tester", password.encode(), None, 0, path.encode(), 0) or \
                library.mysql_query(link, text.encode()):
            raise Failure(f"{text}: {library.mysql_error(link).decode()}")
        result = library.mysql_store_result(link)
        if result:
            count = library.mysql_num_fields(result)
            while row := library.mysql_fetch_row(result):
                rows.append([row[i].decode() if row[i] is not None else None for i in range(count)])
            library.mysql_free_result(result)
        return rows
    finally:
        library.mysql_close(link)
