# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks of a test's own: namespaces, wires between them, sockets in them. Needs no rights on this
machine where it lets a user make namespaces. Knows nothing of the product.
"""

import array
import contextlib
import json
import os
import socket
import struct
import subprocess
import sys

from case import Failure, Skip

ETH_P_ALL = 0x0003
PACKET_OUTGOING = 4


class Space:
    """A network namespace with loopback up. A process in it keeps it alive and opens sockets for us."""

    def __init__(self, start, options):
        self.options = options
        self.link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.link.settimeout(20)
        with theirs:
            self.holder = subprocess.Popen([*start, sys.executable, os.path.abspath(__file__), str(theirs.fileno())],
                                           pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL,
                                           stderr=subprocess.PIPE)
        try:
            ready = self.link.recv(16)
        except OSError:
            ready = b""
        if ready != b"ready":
            self.close()
            raise Skip(f"no network namespace here: {self.why}")

    @property
    def enter(self):
        """What to put before a command that is to run here."""
        return ["nsenter", *self.options, "-n", "-t", str(self.holder.pid), "--"]

    def run(self, *command, **options):
        """A command's standard output; it must succeed."""
        done = subprocess.run([*self.enter, *command], capture_output=True, text=True, check=False, timeout=20,
                              **options)
        if done.returncode:
            raise Failure(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
        return done.stdout

    def ip(self, words):
        return self.run("ip", *words.split())

    def sysctl(self, name, value):
        self.run("sh", "-c", 'echo "$1" >"/proc/sys/$0"', name.replace(".", "/"), str(value))

    def nft(self, *rules):
        """Filters what comes in here."""
        text = "\n".join(["table inet test {", "chain input {", "type filter hook input priority 0;", *rules, "}", "}"])
        self.run("nft", "-f", "-", input=text)

    def open(self, family, kind, protocol=0):
        """A socket that lives here."""
        self.link.send(json.dumps([family, kind, protocol]).encode())
        _, control, _, _ = self.link.recvmsg(16, socket.CMSG_SPACE(4))
        descriptor = array.array("i", control[0][2][:4])[0]
        opened = socket.socket(family, kind, protocol, fileno=descriptor)
        opened.settimeout(20)
        return opened

    def udp(self, port, family=socket.AF_INET):
        """Bound to that port of every address; hears broadcasts, and may send some."""
        opened = self.open(family, socket.SOCK_DGRAM)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        opened.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))
        return opened

    def capture(self, interface):
        return Capture(self, interface)

    def close(self):
        self.link.close()
        self.why = self.holder.communicate(timeout=20)[1].decode(errors="replace").strip()


class Capture:
    """All UDP datagrams that an interface has seen since."""

    def __init__(self, space, interface):
        self.socket = space.open(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.bind((interface, ETH_P_ALL))
        self.socket.setblocking(False)

    def datagrams(self):
        """(sent, source, source port, destination, destination port, bytes), in order."""
        seen = []
        with contextlib.suppress(BlockingIOError):
            while True:
                packet, address = self.socket.recvfrom(65536)
                found = udp_of(packet)
                if found:
                    seen.append((address[2] == PACKET_OUTGOING, *found))
        return seen

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def udp_of(packet):
    """Of an IPv4 or IPv6 packet in one piece, or None."""
    if packet[0] >> 4 == 4 and packet[9] == socket.IPPROTO_UDP:
        family, start, source, target = socket.AF_INET, (packet[0] & 15) * 4, packet[12:16], packet[16:20]
    elif packet[0] >> 4 == 6 and packet[6] == socket.IPPROTO_UDP:
        family, start, source, target = socket.AF_INET6, 40, packet[8:24], packet[24:40]
    else:
        return None
    ports = struct.unpack_from(">HHH", packet, start)
    return (socket.inet_ntop(family, source), ports[0], socket.inet_ntop(family, target), ports[1],
            packet[start + 8:start + ports[2]])


class Net:
    """The namespaces of one test, in a user namespace of their own; `with` it."""

    def __init__(self):
        self.stack = contextlib.ExitStack()
        self.first = None
        self.wires = 0

    def space(self):
        if not self.first:
            mine = subprocess.run(["unshare", "-Urn", "true"], check=False, stderr=subprocess.DEVNULL)
            own = ["--preserve-credentials", "-U"] if mine.returncode == 0 else []
            space = Space(["unshare", "-Urn"] if own else ["unshare", "-n"], own)
            self.first = space
        else:
            own = self.first.options
            into = ["nsenter", *own, "-t", str(self.first.holder.pid), "--"] if own else []
            space = Space([*into, "unshare", "-n"], own)
        self.stack.callback(space.close)
        return space

    def switch(self):
        """A namespace that is a switch: one broadcast domain."""
        switch = self.space()
        switch.ip("link add name br0 type bridge forward_delay 0")
        switch.ip("link set br0 up")
        return switch

    def plug(self, space, switch, interface, *addresses):
        """A wire from space to the switch."""
        self.wires += 1
        port = f"port{self.wires}"
        switch.ip(f"link add name {port} type veth peer name {interface} netns {space.holder.pid}")
        switch.ip(f"link set {port} master br0 up")
        for address in addresses:
            space.ip(f"addr add {address} dev {interface}")
        space.ip(f"link set {interface} up")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()


def hold(descriptor):
    """In the namespace: opens the sockets that it is asked for, until nobody can ask any more."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    # Addresses serve at once: nobody else has them here.
    for which in ("all", "default"):
        with open(f"/proc/sys/net/ipv6/conf/{which}/accept_dad", "w", encoding="ascii") as setting:
            setting.write("0")
    with socket.socket(fileno=descriptor) as link:
        link.send(b"ready")
        while request := link.recv(4096):
            with socket.socket(*json.loads(request)) as opened:
                socket.send_fds(link, [b"here"], [opened.fileno()])


if __name__ == "__main__":
    hold(int(sys.argv[1]))
