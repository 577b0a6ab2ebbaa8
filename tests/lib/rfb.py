# SPDX-License-Identifier: GPL-2.0-or-later
"""A small RFB 3.8 Client (RFC 6143) that trusts nothing: every byte of what the server
sends must be accounted for. Implicit TLS, or VeNCrypt X509Plain as stock viewers do.
"""

import socket
import ssl
import struct
import zlib

from case import Failure, equal

RAW, ZRLE = 0, 16
DESKTOP_SIZE, LAST_RECT, QEMU_KEYS, QEMU_LEDS = -223, -224, -258, -261
DESKTOP_NAME, EXT_DESKTOP_SIZE = -307, -308
CHANNELS = 0x4b564d43  # ours: userland/device/CHANNELS.md
VENCRYPT, PLAIN, X509PLAIN = 19, 256, 262
AGAIN = 3  # what our own Clients try: a Device that hears nothing for 250 ms takes them for stock viewers


class Refused(Exception):
    """The server said no; the text is its reason."""


class Client:
    def __init__(self, daemon, user, password, stock=False, encodings=(ZRLE, EXT_DESKTOP_SIZE, DESKTOP_NAME),
                 host="::1", connect=True):
        self.tls = daemon.trust()
        self.address = (host, daemon.port)
        # Implicit TLS must speak at once: it connects when it has its first bytes (start_tls).
        self.socket = socket.create_connection(self.address, 20) if stock else None
        self.user, self.password, self.stock = user, password, stock
        self.leds = self.qemu_keys = self.refused = None
        self.channels = {}  # name: (port, token)
        self.bytes = self.updates = 0
        self.format = (32, 24, False, 255, 255, 255, 16, 8, 0)
        self.inflate = zlib.decompressobj()
        if connect:
            self.handshake()
            self.set_encodings(encodings)

    # ---- bytes ----
    def read(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(min(count - len(data), 1 << 20))
            if not part:
                raise Refused("closed")
            data += part
        self.bytes += count
        return data

    def unpack(self, form):
        return struct.unpack("!" + form, self.read(struct.calcsize("!" + form)))

    def send(self, form, *values):
        self.socket.sendall(struct.pack("!" + form, *values))

    def reason(self):
        return self.read(self.unpack("I")[0]).decode()

    # ---- handshake ----
    def start_tls(self):
        if self.stock:
            self.socket = self.tls.wrap_socket(self.socket)
            return
        for left in range(AGAIN, -1, -1):
            with socket.create_connection(self.address, 20) as link:
                try:
                    self.socket = self.tls.wrap_socket(link)
                    return
                except ssl.SSLError as error:
                    # The greeting in clear instead of a record: the ClientHello came too late for the sniff.
                    if error.reason != "WRONG_VERSION_NUMBER" or not left:
                        raise

    def offer(self):
        """Up to the list of security types."""
        if not self.stock:
            self.start_tls()
        equal(self.read(12), b"RFB 003.008\n", "version")
        self.socket.sendall(b"RFB 003.008\n")
        types = self.read(self.unpack("B")[0])
        if not types:
            raise Refused(self.reason())
        return types

    def handshake(self):
        subtype = X509PLAIN if self.stock else PLAIN
        equal(self.offer(), bytes([VENCRYPT]), "security types")
        self.send("B", VENCRYPT)
        equal(self.read(2), b"\0\2", "VeNCrypt version")
        self.send("BB", 0, 2)
        equal(self.read(2), b"\0\1", "VeNCrypt answer")
        equal(self.unpack("I")[0], subtype, "VeNCrypt subtype")
        self.send("I", subtype)
        if self.stock:
            equal(self.read(1), b"\1", "go-ahead for TLS")
            self.start_tls()
        name, secret = self.user.encode(), self.password.encode()
        self.socket.sendall(struct.pack("!II", len(name), len(secret)) + name + secret)
        if self.unpack("I")[0]:
            raise Refused(self.reason())
        self.send("B", 1)
        self.server_init()

    def server_init(self):
        self.width, self.height = self.unpack("HH")
        equal(self.read(16), struct.pack("!BBBBHHHBBB3x", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0), "pixel format")
        self.name = self.read(self.unpack("I")[0]).decode()
        self.blank()

    def blank(self):
        self.pixels = [bytearray(4 * self.width) for _ in range(self.height)]

    # ---- messages ----
    def set_encodings(self, encodings):
        self.send(f"BxH{len(encodings)}i", 2, len(encodings), *encodings)

    def set_format(self, bits, depth, big, red, green, blue, rshift, gshift, bshift):
        self.format = (bits, depth, big, red, green, blue, rshift, gshift, bshift)
        self.send("B3xBBBBHHHBBB3x", 0, bits, depth, big, 1, red, green, blue, rshift, gshift, bshift)

    def request(self, incremental=True):
        self.send("BBHHHH", 3, incremental, 0, 0, self.width, self.height)

    def key(self, keysym, down):
        self.send("BBxxI", 4, down, keysym)

    def qemu_key(self, scancode, keysym, down):
        self.send("BBHII", 255, 0, down, keysym, scancode)

    def pointer(self, x, y, mask):
        self.send("BBHH", 5, mask, x, y)

    def update(self):
        """Reads one FramebufferUpdate."""
        kind, count = self.unpack("BxH")
        equal(kind, 0, "message type")
        while count:
            x, y, width, height, encoding = self.unpack("HHHHi")
            if encoding == LAST_RECT:
                break
            self.rect(x, y, width, height, encoding)
            if count != 0xffff:
                count -= 1
        self.updates += 1

    def rect(self, x, y, width, height, encoding):
        if encoding == RAW:
            self.raw(x, y, width, height)
        elif encoding == ZRLE:
            self.zrle(x, y, width, height)
        elif encoding == DESKTOP_NAME:
            self.name = self.read(self.unpack("I")[0]).decode()
        elif encoding == QEMU_LEDS:
            self.leds = self.read(1)[0]
        elif encoding == QEMU_KEYS:
            self.qemu_keys = True
        elif encoding == CHANNELS:
            self.channels = {name: self.unpack("H32s") for name in ("keyboard", "mouse")}
        elif encoding == DESKTOP_SIZE:
            self.width, self.height = width, height
            self.blank()
        elif encoding == EXT_DESKTOP_SIZE:
            self.ext_size(x, y, width, height)
        else:
            raise Failure(f"encoding {encoding} was not asked for")

    def ext_size(self, reason, status, width, height):
        equal(self.unpack("B3x")[0], 1, "screens")
        equal(self.unpack("IHHHHI"), (1, 0, 0, width, height, 0), "screen")
        if reason == 1:
            self.refused = status
        if (width, height) != (self.width, self.height):
            self.width, self.height = width, height
            self.blank()

    # ---- pixels: stored as XRGB8888, little endian, X = 0 ----
    def native(self, value):
        """A pixel in the agreed format, as 8 bits a colour: rounded as the server does it."""
        _, _, _, red, green, blue, rshift, gshift, bshift = self.format
        return (value >> rshift & red, value >> gshift & green, value >> bshift & blue)

    def put(self, x, y, row):
        self.check_inside(x, y, len(row) // 4, 1)
        self.pixels[y][4 * x:4 * x + len(row)] = row

    def check_inside(self, x, y, width, height):
        if x + width > self.width or y + height > self.height:
            raise Failure(f"rectangle {x},{y} {width}x{height} leaves the {self.width}x{self.height} screen")

    def raw(self, x, y, width, height):
        size = self.format[0] // 8
        data = self.read(width * height * size)
        for row in range(height):
            line = data[row * width * size:(row + 1) * width * size]
            self.put(x, y + row, self.widen(line, size))

    def widen(self, line, size):
        if size == 4:
            return line
        order = "big" if self.format[2] else "little"
        return b"".join(int.from_bytes(line[i:i + size], order).to_bytes(4, "little")
                        for i in range(0, len(line), size))

    def zrle(self, x, y, width, height):
        data = self.inflate.decompress(self.read(self.unpack("I")[0]))
        at = 0
        for top in range(0, height, 64):
            for left in range(0, width, 64):
                w, h = min(64, width - left), min(64, height - top)
                pixels, at = self.zrle_tile(data, at, w, h)
                for row in range(h):
                    self.put(x + left, y + top + row, b"".join(pixels[row * w:(row + 1) * w]))
        equal(at, len(data), "bytes of ZRLE data used")

    def zrle_tile(self, data, at, width, height):
        """RFC 6143 7.7.6, by the book."""
        size = 3 if self.format[0] == 32 else self.format[0] // 8
        count = width * height

        def cpixel(at):
            return self.widen(data[at:at + size] + (b"\0" if size == 3 else b""), 4 if size == 3 else size), at + size

        def length(at):
            run = 1
            while data[at] == 255:
                run, at = run + 255, at + 1
            return run + data[at], at + 1

        kind, at = data[at], at + 1
        palette = []
        for _ in range(kind & 127 if kind != 128 else 0):
            pixel, at = cpixel(at)
            palette.append(pixel)
        pixels = []
        if kind == 0:
            for _ in range(count):
                pixel, at = cpixel(at)
                pixels.append(pixel)
        elif kind == 1:
            pixels = palette * count
        elif kind <= 16:
            bits = 1 if kind <= 2 else 2 if kind <= 4 else 4
            for _ in range(height):
                row_bytes = (width * bits + 7) // 8
                for i in range(width):
                    byte = data[at + i * bits // 8]
                    pixels.append(palette[byte >> 8 - bits - i * bits % 8 & (1 << bits) - 1])
                at += row_bytes
        elif kind == 128:
            while len(pixels) < count:
                pixel, at = cpixel(at)
                run, at = length(at)
                pixels += [pixel] * run
        elif kind >= 130:
            while len(pixels) < count:
                index, at = data[at], at + 1
                run = 1
                if index & 128:
                    run, at = length(at)
                pixels += [palette[index & 127]] * run
        else:
            raise Failure(f"ZRLE subencoding {kind}")
        equal(len(pixels), count, "pixels of a ZRLE tile")
        return pixels, at

    def picture(self):
        return self.width, self.height, b"".join(self.pixels)

    def close(self):
        if self.socket:
            self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def tls12_viewer(context):
    """Limits a context to what libvncclient and others can do."""
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context
