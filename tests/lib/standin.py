# SPDX-License-Identifier: GPL-2.0-or-later
"""standin.py FOLDER MODE: an HTTPS server in a Device's place, with FOLDER's device.key and device.crt, for the tests
of adoption. Prints its port, then a line for each connection and each request; ends when it is killed."""

import http.server
import json
import ssl
import sys

FOLDER, MODE = sys.argv[1:]
COOKIE = "__Host-kvmnet=0123"
ODD = {"half": b'{"claimed": true, "product": "kvm', "nested": b"[" * 100000, "list": b"[1, 2]"}


class StandIn(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    logged_in = False

    def setup(self):
        super().setup()
        print("connection", flush=True)

    def log_message(self, *args):
        pass

    def answer(self, status, body, *headers):
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def error(self, status, text):
        self.answer(status, {"error": text})

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        print(self.command, self.path, body, flush=True)
        resource = self.path.removeprefix("/api/v1/")
        if self.command != "GET" and self.headers["Origin"] != f"https://{self.headers['Host']}":
            return self.error(403, "The request comes from a page of another origin.")
        if resource not in ("state", "claim", "login") and self.headers["Cookie"] != COOKIE:
            return self.error(401, "Log in first.")
        return getattr(self, f"{self.command}_{resource}")(json.loads(body) if body else None)

    do_GET = do_POST = do_DELETE = handle_any

    def GET_state(self, _):
        if MODE == "silent":
            self.rfile.read(1)  # until the other side hangs up
            self.close_connection = True
        elif MODE == "endless":
            self.send_response(200)
            self.end_headers()
            self.close_connection = True
            try:
                while True:
                    self.wfile.write(b" " * 4096)
            except OSError:
                return
        elif MODE == "redirect":
            self.answer(302, None, ("Location", f"https://{self.headers['Host']}/elsewhere"))
        elif MODE == "truncated":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"claimed": true, ')
            self.close_connection = True
        elif MODE in ODD:
            self.answer(200, ODD[MODE])
        elif MODE == "page":
            self.answer(200, b"<html>It works!</html>")
        else:
            self.answer(200, {"claimed": MODE == "claimed", "product": "kvmnet", "version": "1"})

    def POST_claim(self, body):
        if body["code"] != "ABCD-EFGH":
            return self.error(403, "That is not the code on the console.\x1b[2J\n")
        return self.answer(200, {"user": body["user"]}, ("Set-Cookie", f"{COOKIE}; Path=/; Secure; HttpOnly"))

    def POST_login(self, body):
        if body != {"user": "ann", "password": "correct horse"}:
            return self.error(401, "The name or the password is wrong.")
        return self.answer(200, {"user": "ann"}, ("Set-Cookie", f"{COOKIE}; Path=/; Secure; HttpOnly"))

    def POST_adoption(self, body):
        if MODE in ("full", "stuck"):
            return self.error(500, "The disk is full.")
        with open(f"{FOLDER}/adoption", "w", encoding="utf-8") as file:
            json.dump(body, file)
        return self.answer(200, {"id": "x", "manager": body["manager"]})

    def DELETE_adoption(self, _):
        return self.error(409, "It is not managed.") if MODE == "stuck" else self.answer(204, None)

    def POST_logout(self, _):
        self.answer(204, None)


def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{FOLDER}/device.crt", f"{FOLDER}/device.key")
    if MODE == "old":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    server.handle_error = lambda *_: None  # a client that hangs up is part of the tests
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_address[1], flush=True)
    server.serve_forever()


main()
