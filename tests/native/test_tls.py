# SPDX-License-Identifier: GPL-2.0-or-later
"""What is not TLS, and TLS that is cut short or damaged, on both ports of a native kvmnetd:
every such connection is ended, and the next one is served.
"""

import socket
import ssl

import rfb
from case import check, equal, seeded
from daemon import PASSWORD, USER, Daemon

RECORDS = {21: "alert", 22: "handshake"}  # RFC 8446 5.1


def client_hello(daemon):
    sent = ssl.MemoryBIO()
    try:
        daemon.trust().wrap_bio(ssl.MemoryBIO(), sent, server_hostname="kvmnet").do_handshake()
    except ssl.SSLWantReadError:
        pass
    return sent.read()


def broken_hellos(hello, rng):
    yield b"\x16\x03\x01garbage"
    yield b"\x16\x03\x01\xff\xff" + bytes(70000)
    yield b"\x16\x03\x01\0\0"
    yield b"\x16\x02\x00\0\x05hello"
    for size in (1, 3, 5, 6, 9, len(hello) - 1):
        yield hello[:size]
    for _ in range(30):
        damaged = bytearray(hello)
        for _ in range(rng.randrange(1, 9)):
            damaged[rng.randrange(1, len(damaged))] = rng.randrange(256)
        yield bytes(damaged[:rng.randrange(1, len(damaged))])


def answer(port, data):
    """All that comes back for data and the end of the input."""
    got = b""
    with socket.create_connection(("::1", port), timeout=20) as link:
        try:
            link.sendall(data)
            link.shutdown(socket.SHUT_WR)
            while part := link.recv(65536):
                got += part
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
    return got


def ends(port_of):
    rng = seeded()
    with Daemon() as daemon:
        port = port_of(daemon)
        hello = client_hello(daemon)
        equal(answer(port, hello)[:1], b"\x16", "the answer to a sound ClientHello")
        for data in broken_hellos(hello, rng):
            got = answer(port, data)
            check(not got or got[0] == 21, f"{data[:40]!r} was answered by {got[:40]!r}")
        with socket.create_connection(("::1", daemon.https), timeout=20) as link:
            equal(daemon.trust().wrap_socket(link, server_hostname="kvmnet").version(), "TLSv1.3", "the page after that")
        with rfb.Client(daemon, USER, PASSWORD):
            pass


def test_broken_on_the_video_port():
    ends(lambda daemon: daemon.port)


def test_broken_on_the_page():
    ends(lambda daemon: daemon.https)
