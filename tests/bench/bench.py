#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual bench: a Target, an appliance, and between them a capture card and a USB
cable. A module for tests (class Bench) and a command: `bench.py demo`, `clean`.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import sys
import time

import child
import image
from appliance import LAN_MAC, TOP, Appliance
from target import Target

BUILD = os.path.join(TOP, "build", "bench")
LOGS_KEPT = 20
ENDS = {signal.SIGINT, signal.SIGTERM, signal.SIGCHLD}


class Control:
    """A program's control socket: one JSON object a packet, each answered when it has taken effect."""

    def __init__(self, path):
        self.link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.link.connect(path)
        self.link.settimeout(60)

    def __call__(self, command):
        self.link.send(json.dumps(command).encode())
        packet = self.link.recv(65536)
        if not packet:
            raise RuntimeError(f"no answer to {command}")
        answer = json.loads(packet)
        if "error" in answer:
            raise RuntimeError(f"{command}: {answer['error']}")
        return answer

    def close(self):
        self.link.close()


class Engine:
    """The capture card's hardware, in a process of its own."""

    def __init__(self, run_dir, appliance, target, fps):
        self.card = os.path.join(run_dir, "card.sock")
        path = os.path.join(run_dir, "engine.sock")
        argv = [os.path.join(BUILD, "engine"), "--card", self.card, "--ram", appliance.ram,
                "--ram-bytes", str(appliance.ram_bytes), "--control", path, "--fps", str(fps),
                "--scratch", child.memory_file(run_dir, "screen.ppm")]
        if target:
            argv += ["--target", target.screen]
        self.child = child.Child("engine", argv, run_dir)
        try:
            self.child.await_ready()
            self.control = Control(path)
        except BaseException:
            self.child.stop()
            raise

    def end(self):
        self.control.close()
        self.child.stop()


class Cable:
    """The USB cable between the appliance's gadget port and the Target."""

    def __init__(self, run_dir):
        self.run_dir = run_dir
        self.plug_path = os.path.join(run_dir, "cable.sock")
        self.child = self.control = None

    def start(self, port):
        path = os.path.join(self.run_dir, "cable-control.sock")
        self.child = child.Child("cable", [os.path.join(BUILD, "cable"), "--appliance", f"127.0.0.1:{port}",
                                           "--target", self.plug_path, "--control", path], self.run_dir)
        self.child.await_ready()
        self.control = Control(path)

    def unplug(self):
        self.control({"do": "unplug"})

    def plug(self):
        self.control({"do": "plug"})

    def end(self):
        if self.control:
            self.control.close()
        if self.child:
            self.child.stop()


class Bench:
    """target: "installer", "grub", "seabios" or None; fps: Frames a second that the card captures;
    files: {path in the appliance: file here} beside our own; tap: an interface here that its second one is wired to."""

    def __init__(self, target="grub", smp=1, mem="512M", append="", fps=10, files=None, progress=None, tap=None):
        self.run_dir = child.make_run_dir()
        self.progress = progress or (lambda text: None)
        self.fps = fps
        self.cable = Cable(self.run_dir)
        self.target = Target(target, self.run_dir, self.cable.plug_path) if target else None
        self.appliance = Appliance(self.run_dir, mem, smp, append, os.path.join(self.run_dir, "card.sock"),
                                   files or {}, tap)
        self.engine = None
        self.keep_logs = True
        self.stopped = False

    def start(self):
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self):
        built = image.build(self.progress)
        self.engine = Engine(self.run_dir, self.appliance, self.target, self.fps)
        self.progress("starting the appliance")
        self.appliance.start(built)
        self.ports = self.appliance.ports
        console = self.appliance.console
        self.claim_code = console.wait(r"Claim code:\s+((?:[A-Z0-9]{4}-){2}[A-Z0-9]{4})", 120)[1]
        self.fingerprint = console.wait(r"SHA-256\s+((?:[0-9A-F]{2}:){31}[0-9A-F]{2})", 30)[1]
        self.progress("plugging the USB cable")
        self.cable.start(self.ports.usb)
        if self.target:
            self.progress("switching the Target on")
            self.target.start()
            self.cable.control({"do": "attached"})
            self.target.restart_with_keyboard()

    def ended(self):
        """A part that is not running any more."""
        parts = [self.appliance, self.engine, self.cable] + ([self.target] if self.target else [])
        return next((part.child for part in parts if not part.child.running()), None)

    def card_pull(self):
        self.appliance.card_pull()

    def card_put(self):
        self.appliance.card_put()

    def stop(self):
        """Ends every part; the logs stay unless keep_logs is cleared. Again does nothing."""
        if self.stopped:
            return
        self.stopped = True
        with contextlib.ExitStack() as rest:  # each is ended, whatever the one before says
            rest.callback(child.remove_run_dir, self.run_dir)
            if self.keep_logs:
                rest.callback(self._save_logs)
            for part in (self.appliance, self.engine, self.cable, self.target):
                if part:
                    rest.callback(part.end)

    def _save_logs(self):
        base = os.path.join(TOP, "build", "bench-logs")
        logs = os.path.join(base, os.path.basename(self.run_dir))
        os.makedirs(logs, exist_ok=True)
        for name in os.listdir(self.run_dir):
            if name.endswith(".log"):
                shutil.copy(os.path.join(self.run_dir, name), logs)
        for old in sorted(os.scandir(base), key=_age)[:-LOGS_KEPT]:
            shutil.rmtree(old, ignore_errors=True)
        print(f"logs of this bench: {os.path.relpath(logs, TOP)}", flush=True)


def _age(entry):
    try:
        return entry.stat().st_mtime
    except FileNotFoundError:  # another bench was quicker
        return 0


class Progress:
    """A line for each step, with its time."""

    def __init__(self):
        self.start = time.monotonic()

    def __call__(self, text):
        print(f"  {time.monotonic() - self.start:5.1f} s  {text}", flush=True)


def demo(target, fps):
    bench = Bench(target=target, fps=fps, progress=Progress())
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    bench.start()
    print(f"""
  The Target is running ({target}). Open this address in a browser:

      https://127.0.0.1:{bench.ports.https}/

  The certificate is the Device's own; it is the right one if its SHA-256 fingerprint is
      {bench.fingerprint}
  Claim the Device with this code and choose a user and a password:
      {bench.claim_code}
  A stock VNC viewer connects to 127.0.0.1::{bench.ports.video} (VeNCrypt, X509Plain).

  Ctrl-C ends everything.""", flush=True)
    try:
        await_end(bench)
    finally:
        bench.stop()


def await_end(bench):
    """Until a person ends it; RuntimeError when a part of it ends by itself."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    while not (ended := bench.ended()):
        if signal.sigwait(ENDS) != signal.SIGCHLD:
            print("\n  ending", flush=True)
            bench.keep_logs = False
            return
    raise RuntimeError(f"{ended.name} ended:\n{ended.tail()}")


def demo_manager(target, fps):
    from office import APPLIANCE, TAP, Office  # pylint: disable=import-outside-toplevel

    network = (f"[Match]\nMACAddress={LAN_MAC}\n[Network]\nAddress={APPLIANCE}/24\nLinkLocalAddressing=ipv6\n"
               "IPv6AcceptRA=no\n")
    bench = Bench(target=target, fps=fps, progress=Progress(), tap=TAP,
                  files={"/etc/systemd/network/05-lan.network": network.encode()})
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    log = os.path.join(bench.run_dir, "office.log")
    try:
        with open(log, "w", encoding="utf-8") as said, Office(("rack-1", "rack-2", "rack-3"), said) as office, \
                contextlib.ExitStack() as first:
            first.callback(bench.stop)  # before the network that it is plugged into
            bench.start()
            codes = "\n".join(f"      {name:8} {code}" for name, code in [*office.codes.items(), ("kvmnet", bench.claim_code)])
            print(f"""
  A Manager, three simulated Devices and one real one, kvmnet, whose Target runs ({target}). Open this address:

      {office.url}

  Claim the Manager with this code and choose a user and a password:
      {office.code}
  The Devices appear in its list by themselves. Adopt them with their claim codes:
{codes}
  then Open one. Your browser asks about each certificate: the Device's is its own.

  Ctrl-C ends everything.""", flush=True)
            await_end(bench)
    finally:
        bench.stop()


def main():
    parser = argparse.ArgumentParser(description="Run the virtual bench.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("demo", help="bring everything up and print where to look; ends with Ctrl-C")
    manager = commands.add_parser("demo-manager", help="likewise, with a Manager and more Devices; needs root")
    for one in command, manager:
        one.add_argument("--target", choices=("installer", "grub", "seabios"), default="installer",
                         help="what the computer under control runs (default: the Debian installer)")
        one.add_argument("--fps", type=int, default=15, help="Frames a second (default 15)")
    commands.add_parser("clean", help="remove what launchers that died left behind")
    arguments = parser.parse_args()
    if arguments.command == "clean":
        child.clean()
        return 0
    try:
        (demo if arguments.command == "demo" else demo_manager)(arguments.target, arguments.fps)
    except (RuntimeError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
