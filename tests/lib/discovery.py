# SPDX-License-Identifier: GPL-2.0-or-later
"""Discovery's messages as userland/lib/DISCOVERY.md has them, written a second time: probes that kvmnet would
not send, and what is in an answer. Signatures are openssl's.
"""

import hashlib
import os
import struct
import subprocess

HEAD = bytes.fromhex("d28443a10126a0")
ANNOUNCE, PROBE, ANSWER = 1, 2, 3
DEVICE, MANAGER, CLIENT = 1, 2, 3
UNCLAIMED, STANDALONE = 1, 2
PORT, SECOND_PORT = 3080, 3081


def head(major, value):
    for info, size, form in ((24, 1, ">B"), (25, 2, ">H"), (26, 4, ">I"), (27, 8, ">Q")):
        if value < 24:
            return bytes([major << 5 | value])
        if value < 1 << 8 * size:
            return bytes([major << 5 | info]) + struct.pack(form, value)
    raise ValueError(value)


def write(value):
    if isinstance(value, dict):
        return head(5, len(value)) + b"".join(write(key) + write(value[key]) for key in value)
    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    return head(3, len(value.encode())) + value.encode()


def read(data, at=0):
    """A value and where it ends; the kinds that messages have."""
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    size = {24: 1, 25: 2, 26: 4, 27: 8}.get(info, 0)
    value = int.from_bytes(data[at:at + size], "big") if size else info
    at += size
    if major == 0:
        return value, at
    if major in (2, 3):
        raw = data[at:at + value]
        return (raw if major == 2 else raw.decode()), at + value
    fields = {}
    for _ in range(value):
        key, at = read(data, at)
        fields[key], at = read(data, at)
    return fields, at


def fields_of(message):
    """A message's fields by number."""
    assert message.startswith(HEAD), message[:16]
    return read(read(message, len(HEAD))[0])[0]


def identity(certificate):
    """The id of whoever has this certificate."""
    key = subprocess.run(["openssl", "x509", "-in", certificate, "-pubkey", "-noout"], capture_output=True, check=True)
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key.stdout, capture_output=True,
                         check=True)
    return hashlib.sha256(der.stdout).hexdigest()


class Sender:
    """A key, and messages that it signs."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "sender.key")
        subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.path],
                       check=True)
        der = subprocess.run(["openssl", "pkey", "-in", self.path, "-pubout", "-outform", "DER"], capture_output=True,
                             check=True)
        self.key = der.stdout[-65:]
        self.sequence = 0

    def probe(self, nonce, padding=512):
        self.sequence += 1
        return self.message({1: 1, 2: PROBE, 3: CLIENT, 4: nonce, 5: self.key, 6: 1, 7: self.sequence,
                             **({14: bytes(padding)} if padding else {})})

    def message(self, fields):
        payload = write(fields)
        signed = head(4, 4) + write("Signature1") + write(HEAD[3:6]) + write(b"kvmnet discovery 1") + write(payload)
        done = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.path], input=signed, capture_output=True,
                              check=True)
        return HEAD + write(payload) + write(raw_signature(done.stdout))


def raw_signature(der):
    """r and s, 32 bytes each, of SEQUENCE { INTEGER, INTEGER }."""
    at, numbers = 2, b""
    for _ in range(2):
        size = der[at + 1]
        numbers += int.from_bytes(der[at + 2:at + 2 + size], "big").to_bytes(32, "big")
        at += 2 + size
    return numbers
