# SPDX-License-Identifier: GPL-2.0-or-later
"""Stock viewers: TigerVNC's by X509Plain shows the true picture; one without TLS, one with
a wrong password and one that meets an unclaimed Device are told why they are refused.
"""

import os
import socket
import subprocess

from client import USER, Owner, Probe, frozen, same_picture
from bench import Bench
from case import Deadline, Failure

bench = owner = None


def setup():
    global bench
    bench = Bench(target="grub")
    bench.start()


def teardown():
    if bench:
        bench.stop()


def claimed():
    global owner
    if owner is None:
        owner = Owner(bench)
    return owner


def read(link, count):
    data = b""
    while len(data) < count:
        more = link.recv(count - len(data))
        if not more:
            raise Failure(f"closed after {data!r}")
        data += more
    return data


def greeted():
    """A connection in clear that read the greeting and answered it."""
    link = socket.create_connection(("127.0.0.1", bench.ports.video), timeout=30)
    assert read(link, 12) == b"RFB 003.008\n"
    link.sendall(b"RFB 003.008\n")
    return link


def named_host(name):
    """A command's beginning that runs the rest where name means this machine: a viewer checks
    that the certificate is for the name it was given."""
    hosts = os.path.join(bench.run_dir, "hosts")
    with open(hosts, "w", encoding="ascii") as file:
        file.write(f"127.0.0.1 localhost {name}\n")
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", "--mount", *user, "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', hosts]


def test_1_unclaimed_device():
    link = greeted()
    assert read(link, 1) == b"\0", "an unclaimed Device offers a way in"
    reason = read(link, int.from_bytes(read(link, 4), "big")).decode()
    assert "claim" in reason.lower(), reason


def test_2_without_tls():
    claimed()
    link = greeted()
    offered = read(link, read(link, 1)[0])
    assert list(offered) == [19], f"offered in clear: {list(offered)}"
    link.sendall(b"\x01")
    assert read(link, 4) != b"\0\0\0\0", "let in without TLS"
    reason = read(link, int.from_bytes(read(link, 4), "big")).decode()
    assert "VeNCrypt" in reason or "TLS" in reason, reason


def test_3_wrong_password():
    try:
        Probe(claimed(), password="not the password")
    except Failure as failure:
        assert "password" in str(failure).lower(), failure
    else:
        raise Failure("a wrong password was let in")


def on_screen(env, width, height):
    """The middle of an X display, as RGB."""
    screen = os.path.join(bench.run_dir, "screen.xwd")
    subprocess.run(["xwd", "-root", "-silent", "-out", screen], env=env, check=True)
    return subprocess.run(["convert", "xwd:" + screen, "-gravity", "center", "-crop",
                           f"{width}x{height}+0+0", "+repage", "-depth", "8", "rgb:-"],
                          check=True, capture_output=True).stdout


def await_on_screen(viewer, env, want):
    """A viewer that asks for the next update before it has painted this one, and whose window is still
    on its way to fill the screen, shows the picture of a paused Target in the end."""
    limit = Deadline(120, "TigerVNC's viewer shows the Target's picture")
    while True:
        try:
            same_picture("TigerVNC's viewer", (*want[:2], on_screen(env, *want[:2])), want)
            return
        except Failure as failure:
            print(failure, flush=True)
        if viewer.poll() is not None:
            raise Failure(f"TigerVNC's viewer ended with status {viewer.returncode}")
        limit.left()


def test_4_tigervnc():
    claimed()
    read_fd, write_fd = os.pipe()
    x11 = subprocess.Popen(["Xvfb", "-displayfd", str(write_fd), "-screen", "0", "1280x1024x24",
                            "-nolisten", "tcp"], pass_fds=(write_fd,), stderr=subprocess.DEVNULL)
    os.close(write_fd)
    with os.fdopen(read_fd, encoding="ascii") as pipe:  # the number and the end of line come separately
        display = ":" + pipe.readline().strip()
    env = {**os.environ, "DISPLAY": display, "VNC_USERNAME": USER, "VNC_PASSWORD": owner.password,
           "HOME": bench.run_dir}
    viewer = subprocess.Popen([*named_host(owner.name), "xtigervncviewer", "-SecurityTypes", "X509Plain",
                               "-X509CA", owner.ca, "-FullScreen", "-AlertOnFatalError=0",
                               "-ReconnectOnError=0", f"{owner.name}::{bench.ports.video}"],
                              env=env, stderr=subprocess.PIPE, text=True)
    try:
        owner.await_sessions(1)
        want = frozen(bench, owner)
        await_on_screen(viewer, env, want)
    finally:
        bench.target.cont()
        for process in (viewer, x11):
            process.terminate()
            process.wait()
        print(viewer.stderr.read(), flush=True)
        viewer.stderr.close()
