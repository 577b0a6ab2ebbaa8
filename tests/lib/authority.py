# SPDX-License-Identifier: GPL-2.0-or-later
"""A stand-in for a Manager, as far as a Device sees it: a CA, certificates right and wrong, and the other end of
the link. The real one has tests of its own.
"""

import base64
import contextlib
import datetime
import hashlib
import ipaddress
import json
import os
import select
import socket
import ssl
import struct
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from case import Failure, check, equal

MANAGER = "manager.kvmnet.internal"
DAY = datetime.timedelta(days=1)
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


def now():
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)


def name_of(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def hash_of(key):
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def pem(certificate):
    return certificate.public_bytes(Encoding.PEM).decode()


def alternative(name):
    """A name that a certificate is for: an address in numbers, or of DNS."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def usage(certify):
    return x509.KeyUsage(digital_signature=not certify, key_cert_sign=certify, content_commitment=False,
                         key_encipherment=False, data_encipherment=False, key_agreement=False, crl_sign=False,
                         encipher_only=False, decipher_only=False)


class Authority:
    """A Manager's CA."""

    def __init__(self, name="Head office"):
        self.name = name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = hash_of(self.key.public_key())
        self.certificate = self._issue(self.key.public_key(), None, None, now() - DAY, now() + 7300 * DAY)
        self.ticket_key = ed25519.Ed25519PrivateKey.generate()

    def _issue(self, key, names, usages, start, end):
        builder = (x509.CertificateBuilder().subject_name(name_of(self.name if names is None else "left"))
                   .issuer_name(name_of(self.name)).public_key(key).serial_number(x509.random_serial_number())
                   .not_valid_before(start).not_valid_after(end)
                   .add_extension(x509.BasicConstraints(names is None, 0 if names is None else None), critical=True)
                   .add_extension(usage(names is None), critical=True)
                   .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
                   .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                                  critical=False))
        if names is not None:
            builder = (builder.add_extension(x509.SubjectAlternativeName([alternative(n) for n in names]),
                                             critical=False)
                       .add_extension(x509.ExtendedKeyUsage(usages), critical=False))
        return builder.sign(self.key, hashes.SHA256())

    def renew(self, key=None):
        """Another certificate for the same key, or for one that it does not have."""
        self.certificate = self._issue(key or self.key.public_key(), None, None, now() - DAY, now() + 7301 * DAY)

    def issue(self, key, names, usages=(CLIENT, SERVER), start=None, end=None):
        return self._issue(key, names, usages, start or now() - DAY, end or now() + 398 * DAY)

    def device(self, daemon, **changes):
        """A certificate for this Device."""
        with open(os.path.join(daemon.state, "device.crt"), "rb") as text:
            key = x509.load_pem_x509_certificate(text.read()).public_key()
        names = changes.pop("names", [f"{hash_of(key)[:32]}.device.kvmnet.internal"])
        return self.issue(key, names, **changes)

    def _jwk(self):
        x = base64url(self.ticket_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
        jwk = {"crv": "Ed25519", "kty": "OKP", "x": x}
        return dict(jwk, kid=base64url(hashlib.sha256(json.dumps(jwk, separators=(",", ":")).encode()).digest()))

    def ticket_keys(self):
        """The keys to check Tickets with."""
        return {"keys": [self._jwk()]}

    def ticket(self, daemon, rights=("view", "control"), **changes):
        """A Ticket for this Device, as lib/TICKET.md has it."""
        issued = int(time.time())
        with open(os.path.join(daemon.state, "device.crt"), "rb") as text:
            device = hash_of(x509.load_pem_x509_certificate(text.read()).public_key())
        claims = {"iss": self.id, "aud": device, "sub": "ann", "target": "left", "jti": base64url(os.urandom(16)),
                  "iat": issued, "exp": issued + 60, "rights": list(rights), **changes}
        header = {"alg": "EdDSA", "kid": self._jwk()["kid"], "typ": "JWT"}
        text = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
        return f"{text}.{base64url(self.ticket_key.sign(text.encode()))}"

    def adoption(self, daemon, *addresses, **changes):
        """The body of an adoption."""
        return {"manager": {"id": self.id, "name": self.name}, "ca": pem(self.certificate),
                "certificate": pem(self.device(daemon, **changes)), "addresses": list(addresses or ("127.0.0.1:9",))}


class Standin:
    """A port of the Manager's: TLS with its certificate, or one with other names; in a namespace when space= is one.
    `with` it."""

    def __init__(self, authority, folder, names=(MANAGER,), space=None, at=("127.0.0.1", 0), **changes):
        key = ec.generate_private_key(ec.SECP256R1())
        mine = authority.issue(key.public_key(), names, usages=(SERVER,), **changes)
        paths = [os.path.join(folder, hash_of(key.public_key())[:16] + end) for end in (".crt", ".key", ".ca")]
        for path, text in zip(paths, (pem(mine), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8,
                                                                   NoEncryption()).decode(),
                                      pem(authority.certificate))):
            with open(path, "w", encoding="ascii") as out:
                out.write(text)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.minimum_version = ssl.TLSVersion.TLSv1_3
        self.tls.load_cert_chain(paths[0], paths[1])
        self.tls.load_verify_locations(paths[2])
        self.tls.verify_mode = ssl.CERT_REQUIRED
        self.asked = None
        self.tls.sni_callback = self._sni
        self.listener = space.open(socket.AF_INET, socket.SOCK_STREAM) if space else socket.socket()
        self.listener.bind(at)
        self.listener.listen()
        self.listener.settimeout(60)
        self.address = "%s:%d" % self.listener.getsockname()

    def _sni(self, _socket, name, _context):
        self.asked = name

    def accept(self):
        """The Device's next link; a handshake that fails is ssl.SSLError."""
        plain, _ = self.listener.accept()
        plain.settimeout(30)
        try:
            return Link(self.tls.wrap_socket(plain, server_side=True))
        except BaseException:
            plain.close()
            raise

    def refused(self):
        """The Device does not take us for its Manager: what its TLS says."""
        try:
            with self.accept() as link:
                raise Failure(f"it says {link.receive()}")
        except ssl.SSLError as error:
            return str(error)

    def close(self):
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@contextlib.contextmanager
def answering(standin):
    """It shakes hands with whoever comes, and no more."""
    mine, theirs = socket.socketpair()

    def serve():
        while mine not in (ready := select.select([mine, standin.listener], [], [])[0]) and ready:
            with contextlib.suppress(ssl.SSLError, OSError), standin.listener.accept()[0] as plain:
                plain.settimeout(30)
                standin.tls.wrap_socket(plain, server_side=True).close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        theirs.close()
        thread.join()
        mine.close()


class Link:
    """A WebSocket's server side (RFC 6455), as far as it is needed."""

    def __init__(self, tls):
        self.tls = tls
        self.peer = tls.getpeercert()
        self.ended = None
        head = b""
        while b"\r\n\r\n" not in head:
            more = tls.recv(1)
            check(more, f"the upgrade ended: {head!r}")
            head += more
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if ": " in line)
        fields = {name.lower(): value for name, value in fields.items()}
        check(head.startswith(b"GET /api/v1/link HTTP/1.1\r\n"), head)
        equal(fields["sec-websocket-protocol"], "kvmnet-link-1", "subprotocol")
        accept = hashlib.sha1(fields["sec-websocket-key"].encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        tls.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Accept: " + base64.b64encode(accept.digest()) +
                    b"\r\nSec-WebSocket-Protocol: kvmnet-link-1\r\n\r\n")

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            more = self.tls.recv(size - len(data))
            if not more:
                raise Failure("the link ended without a word")
            data += more
        return data

    def _frame(self):
        first, size = self._exactly(2)
        check(size & 0x80, "a frame that is not masked")
        size &= 0x7f
        if size == 126:
            size = struct.unpack(">H", self._exactly(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self._exactly(8))[0]
        mask = self._exactly(4)
        data = self._exactly(size)
        return first, bytes(b ^ mask[i % 4] for i, b in enumerate(data))

    def receive(self):
        """The next message; Failure with the Device's own words when it closes."""
        text = b""
        while True:
            first, data = self._frame()
            kind = first & 15
            if kind == 8:
                self.ended = struct.unpack(">H", data[:2])[0] if data else None
                raise Failure(f"the Device closed: {self.ended} {data[2:].decode()}")
            if kind == 9:
                self.raw(data, 10)
            if kind in (0, 1):
                text += data
                if first & 0x80:
                    return json.loads(text)

    def await_message(self, kind):
        """The next message of a kind, what it holds."""
        while kind not in (message := self.receive()):
            pass
        return message[kind]

    def raw(self, data, kind=1):
        size = bytes([len(data)]) if len(data) < 126 else struct.pack(">BH", 126, len(data)) \
            if len(data) < 65536 else struct.pack(">BQ", 127, len(data))
        self.tls.sendall(bytes([0x80 | kind]) + size + data)

    def send(self, message):
        self.raw(json.dumps(message).encode())

    def welcome(self):
        """What the Device says of itself."""
        hello = self.receive()["hello"]
        self.send({"welcome": {"time": int(datetime.datetime.now().timestamp())}})
        return hello

    def ask(self, number, method, path, body=None):
        """The status and the body of the response."""
        request = {"id": number, "method": method, "path": path}
        if body is not None:
            request["body"] = body
        self.send({"request": request})
        while True:
            answer = self.await_message("response")
            if answer["id"] == number:
                return answer["status"], answer.get("body")

    def refuse(self, code, why):
        self.raw(struct.pack(">H", code) + why.encode(), 8)

    def closed(self):
        """Why the Device closes: its code and sentence."""
        try:
            while True:
                self.receive()
        except Failure as failure:
            return str(failure)

    def close(self):
        with contextlib.suppress(OSError):
            self.tls.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
