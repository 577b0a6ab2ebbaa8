# SPDX-License-Identifier: GPL-2.0-or-later
"""The Device's API is what userland/device/openapi.yaml says: every operation is walked with right and wrong
calls, every answer's status and body is one that the file has. What single answers mean is test_web.py's.
"""

import contextlib
import json
import os
import re

import jsonschema
import yaml

from authority import Authority, Standin
from case import TOP, Deadline, check, equal, scratch
from daemon import PASSWORD, USER, Daemon
from nethelper import Network
from test_web import Web, claim_code, handshake

DEVICE = os.path.join(TOP, "userland", "device")
BODY_MAX = 16384
AUTHORITY = Authority()
NEW_PASSWORD = "another horse battery"

with open(os.path.join(DEVICE, "openapi.yaml"), encoding="utf-8") as _text:
    SPEC = yaml.safe_load(_text)
BASE = SPEC["servers"][0]["url"]


def resolved(node):
    """The node itself, or what its $ref points to."""
    if "$ref" in node:
        found = SPEC
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return found
    return node


def operations():
    """(METHOD, path, operation) of the file."""
    return [(method.upper(), path, operation) for path, item in SPEC["paths"].items()
            for method, operation in item.items()]


def is_socket(operation):
    return "101" in operation["responses"]


def closed(node):
    """The same without room for members that the file does not have: answers have none."""
    if isinstance(node, list):
        return [closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {name: closed(item) for name, item in node.items()}
    if node.get("type") == "object" and "properties" in node:
        node["additionalProperties"] = False
    return node


def schema_of(content):
    """A JSON Schema that stands by itself."""
    return closed({"$schema": "https://json-schema.org/draft/2020-12/schema", "components": SPEC["components"],
                   **content["application/json"]["schema"]})


def of_manager(operation):
    """It comes over the link alone."""
    return operation.get("security") == [{"link": []}]


def body_of(operation):
    """The schema of its body, its references resolved one step; None: it takes none."""
    body = operation.get("requestBody")
    return resolved(body["content"]["application/json"]["schema"]) if body else None


class Caller(Web):
    """Calls operations; an answer that the file does not have is a failure."""

    def call(self, method, path, operation, body=None, query="", **headers):
        what = f"{method} {path}{query}"
        status, answer = self.ask(method, BASE + path + query, body, **headers)
        check(str(status) in operation["responses"], f"{what}: {status} is not in the file: {answer}")
        content = resolved(operation["responses"][str(status)]).get("content")
        if content:
            try:
                jsonschema.validate(answer, schema_of(content))
            except jsonschema.ValidationError as error:
                raise AssertionError(f"{what}: {status}: {error.message} in {answer}") from error
        else:
            equal(answer, b"", f"{what}: body of {status}")
        return status

    def open(self, path, **headers):
        protocol = "binary" if path == "/console" else path[1:]
        status, link = self.upgrade(BASE + path, protocol, **headers)
        if link:
            link.close()
        check(str(status) in SPEC["paths"][path]["get"]["responses"], f"{path}: {status} is not in the file")
        return status


def test_file_has_every_route():
    with open(os.path.join(DEVICE, "api.c"), encoding="utf-8") as text:
        routes = re.findall(r'\{ WEB_(\w+),\s+"/api/v1(/[^"]+)"', text.read())
    ours = {(method, path) for method, path, operation in operations() if not is_socket(operation)}
    equal({(method, path.replace("*", "{id}")) for method, path in routes}, ours, "routes")
    names = [operation["operationId"] for _, _, operation in operations()]
    equal(len(set(names)), len(names), "operation names that are used once")


def references(node):
    """Everything that a $ref below the node points to."""
    if isinstance(node, dict):
        if "$ref" in node:
            yield resolved(node)
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from references(item)


def test_schemas_are_schemas():
    schemas = SPEC["components"]["schemas"].values()
    for schema in schemas:
        jsonschema.Draft202012Validator.check_schema(schema)
    pointed = [id(schema) for schema in references(SPEC)]
    equal([schema for schema in schemas if id(schema) not in pointed], [], "schemas that nothing uses")


@contextlib.contextmanager
def person(caller):
    """Somebody at the browser console; the number of the session."""
    status, link = caller.upgrade("/api/v1/console", "binary")
    equal(status, 101, "console")
    with link:
        handshake(link)
        limit = Deadline(20, "a session in the status")
        while not (sessions := caller.ask("GET", "/api/v1/status")[1]["sessions"]):
            limit.left()
        yield sessions[0]["id"]


def right_body(operation, daemon, code=""):
    values = {"ticket": "x", "keys": [{}], "code": code, "user": USER, "password": PASSWORD, "old_password": PASSWORD,
              "new_password": NEW_PASSWORD, "revision": 1, "session_timeout_s": 60, "name": "left", "managers": [],
              "interface": "eth0", "ipv4": {"mode": "static", "address": "192.0.2.6", "prefix": 24, "gateway": "192.0.2.1"},
              "ipv6": {"mode": "off"}, "dns": ["192.0.2.53"],
              **AUTHORITY.adoption(daemon)}
    schema = body_of(operation)
    return {name: values[name] for name in schema["required"]} if schema else None


def test_right_calls():
    """In the order of a Device's life; the status once with a picture and a session to show."""
    by_name = {operation["operationId"]: (method, path, operation) for method, path, operation in operations()}
    worked = set()

    def walk(name, status, body=None, number=None, query=""):
        method, path, operation = by_name[name]
        if status < 400:
            worked.add(name)
        if is_socket(operation):
            equal(caller.open(path), status, name)
        elif of_manager(operation):
            path = path.replace("{id}", str(number))
            equal(caller.call(method, path, operation, right_body(operation, daemon)), 403 if status < 400 else status, name)
        else:
            path = path.replace("{id}", str(number))
            equal(caller.call(method, path, operation, body or right_body(operation, daemon, code), query), status, name)

    with contextlib.ExitStack() as stack:
        network = stack.enter_context(Network())
        daemon = stack.enter_context(Daemon(claim=False, within=network.within, space=network.space))
        standin = stack.enter_context(Standin(AUTHORITY, stack.enter_context(scratch("standin")), space=network.space))
        caller, code = Caller(daemon), claim_code(daemon)
        walk("getState", 200)
        for name in by_name:
            if name not in ("getState", "claim"):
                walk(name, 409, number=1)
        walk("claim", 200)
        walk("claim", 409)
        walk("getState", 200)
        producer = daemon.producer()
        producer.ask("mode 320 240")
        seq = int(producer.ask("frame full").split()[1])
        walk("getStatus", 200, query=f"?hw_seq={seq}")
        walk("openConsole", 101)
        walk("openKeyboard", 101)
        walk("openMouse", 101)
        walk("watch", 101)
        with person(caller) as session:
            walk("getStatus", 200)
            walk("endSession", 204, number=session)
        walk("getSettings", 200)
        walk("setSettings", 200)
        walk("getNetwork", 200)
        walk("keepNetwork", 409)
        walk("tryNetwork", 200)
        network.reload()
        walk("getNetwork", 200)
        walk("keepNetwork", 200)
        walk("tryNetwork", 200)
        walk("returnNetwork", 200)
        walk("returnNetwork", 409)
        walk("getNetwork", 200)
        walk("reachManagers", 200)
        walk("getIdentity", 200)
        walk("getLog", 200)
        walk("adopt", 200, AUTHORITY.adoption(daemon, standin.address))
        walk("getState", 200)
        walk("getStatus", 200)
        walk("setTicketKeys", 204)
        walk("renewCertificate", 200)
        with standin.accept() as link:
            link.welcome()
            equal(link.ask(1, "PUT", "/api/v1/ticket-keys", AUTHORITY.ticket_keys()), (204, None))
        walk("reachManagers", 200)
        owner, caller = caller, Caller(daemon)
        walk("useTicket", 200, {"ticket": AUTHORITY.ticket(daemon)})
        walk("getStatus", 200)
        walk("revoke", 204, number=1, query="?issued=1")
        for name in ("endSession", "getSettings", "setSettings", "release", "changePassword", "reset", "getNetwork",
                     "tryNetwork", "keepNetwork", "returnNetwork", "reachManagers", "getIdentity", "getLog"):
            walk(name, 403, number=1)
        caller = owner
        walk("release", 204)
        walk("changePassword", 200)
        walk("logOut", 204)
        walk("logIn", 401)
        walk("logIn", 200, {"user": USER, "password": NEW_PASSWORD})
        walk("reset", 403)
        walk("reset", 204, {"password": NEW_PASSWORD})
        walk("logIn", 409)
        equal(by_name.keys() - worked, set(), "operations that never worked")


def test_wrong_types():
    with Daemon() as daemon:
        caller = Caller(daemon)
        equal(caller.login()[0], 200)
        for method, path, operation in operations():
            if of_manager(operation):
                continue
            wrong_bodies(caller, daemon, method, path, operation)
            for parameter in operation.get("parameters", []):
                for value in ("", "x", "-1", "1.5", "99999999999999999999"):
                    if parameter["in"] == "query":
                        equal(caller.call(method, path, operation, query=f"?{parameter['name']}={value}"), 400)
                    else:
                        there = path.replace("{" + parameter["name"] + "}", value)
                        equal(caller.call(method, there, operation), 404, f"{method} {there}")
        equal(caller.ask("GET", "/api/v1/status")[0], 200, "after all that")


def fits(schema, value):
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": SPEC["components"], **schema}
    return not list(jsonschema.Draft202012Validator(whole).iter_errors(value))


def wrong_bodies(caller, daemon, method, path, operation):
    schema = body_of(operation)
    if not schema:
        if method == "POST":
            equal(caller.call(method, path, operation, b"{}"), 400, f"{path}: a body where there is none")
        return
    right = right_body(operation, daemon)
    for name in schema["properties"]:
        for value in (None, 1, True, [], {}, "x" * 257):
            if fits(schema["properties"][name], value):
                continue
            equal(caller.call(method, path, operation, dict(right, **{name: value})), 400, f"{path}: {name}={value!r}")
        less = {key: value for key, value in right.items() if key != name}
        equal(caller.call(method, path, operation, less), 400, f"{path} without {name}")
        twice = json.dumps(right)[:-1] + f', "{name}": "x"}}'
        equal(caller.call(method, path, operation, twice), 400, f"{path}: {name} twice")
    equal(caller.call(method, path, operation, dict(right, more="x")), 400, f"{path}: one more")
    for body in (b"", b"{", b"[]", b"null", b"\xff"):
        equal(caller.call(method, path, operation, body), 400, f"{path}: {body!r}")
    equal(caller.call(method, path, operation, right, Content_Type="text/plain"), 415, path)


def test_wrong_user():
    with Daemon() as daemon:
        owner = Caller(daemon)
        equal(owner.login()[0], 200)
        cookie = owner.cookie
        forged = cookie[:-1] + ("A" if cookie[-1] != "A" else "B")
        for method, path, operation in operations():
            there = path.replace("{id}", "1")
            for stranger in (None, forged, "__Host-kvmnet=", cookie.replace("__Host-", "")):
                caller = Caller(daemon)
                caller.cookie = stranger
                if is_socket(operation):
                    equal(caller.open(path), 401, f"{path} as {stranger}")
                elif of_manager(operation):
                    equal(caller.call(method, there, operation, right_body(operation, daemon)), 403, path)
                elif operation.get("security") != []:
                    equal(caller.call(method, there, operation, right_body(operation, daemon)), 401, f"{path} as {stranger}")
            if is_socket(operation):
                equal(owner.open(path, Origin="https://evil.example"), 403, path)
            elif method != "GET":
                for origin in (None, "null", "https://evil.example"):
                    equal(owner.call(method, there, operation, right_body(operation, daemon), Origin=origin), 403, path)
        equal(owner.ask("GET", "/api/v1/status")[0], 200, "the owner's log-in after all that")


def test_too_large():
    with Daemon() as daemon:
        caller = Caller(daemon)
        equal(caller.login()[0], 200)
        for method, path, operation in operations():
            if of_manager(operation):
                continue
            if body_of(operation):
                more = 2 * BODY_MAX if operation["operationId"] == "adopt" else BODY_MAX
                equal(caller.call(method, path, operation, b" " * (more + 1)), 413, path)
            elif method == "POST":
                equal(caller.call(method, path, operation, b" " * (BODY_MAX + 1)), 400, path)
        equal(caller.ask("GET", "/api/v1/status")[0], 200, "after all that")


def test_length_is_told():
    with Daemon() as daemon:
        caller = Caller(daemon)
        equal(caller.login()[0], 200)
        for method, path, operation in operations():
            if method in ("POST", "PUT") and not of_manager(operation):
                head = "".join(f"{name}: {value}\r\n" for name, value in caller.headers().items())
                answer = caller.raw(f"{method} {BASE}{path} HTTP/1.1\r\n{head}\r\n".encode())
                equal(answer.split()[1:2], [b"411"], path)
                check("411" in operation["responses"], f"{path}: 411 is not in the file")
