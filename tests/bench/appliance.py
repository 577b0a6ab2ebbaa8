# SPDX-License-Identifier: GPL-2.0-or-later
"""The appliance: a virtual machine with the capture card, its console, and a root shell
on its second serial port that only the bench can reach.
"""

import base64
import os
import re
import subprocess
from types import SimpleNamespace

import child
import image
from qmp import Qmp
from serial import Serial
from target import TIMER_WORKS

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PORTS = {"https": 443, "video": 900, "keyboard": 901, "mouse": 902, "usb": 3240}
WARNING = re.compile(r"BUG:|WARNING:|Oops|Call Trace|KASAN|general protection|possible .* deadlock|leaked|"
                     r"unreferenced object|DMA-API:")

TOOLS = ("vudcd", "readframes", "checkreader", "holdframe", "asknetlink")

# One line in: a base64 command. One line out: its status and its base64 output.
SHELL = b"""#!/bin/sh
stty -F /dev/ttyS1 raw -echo
exec </dev/ttyS1 >/dev/ttyS1 2>/dev/console
echo READY
while read -r line; do
	out=$(sh -c "$(printf %s "$line" | base64 -d)" 2>&1 </dev/null)
	printf '%d %s\\n' $? "$(printf %s "$out" | base64 -w0)"
done
"""
SHELL_UNIT = b"""[Unit]
Description=The test bench's shell
DefaultDependencies=no
After=local-fs.target
[Service]
ExecStart=/usr/lib/kvmnet-bench/shell
"""
# The bench's card has a number of its own, and no driver claims it by itself.
CARD_RULE = b"""ACTION=="add", SUBSYSTEM=="pci", ATTR{vendor}=="0x1af4", ATTR{device}=="0x1110", \
ATTR{driver_override}="kvmcap", RUN+="/bin/sh -c 'echo %k > /sys/bus/pci/drivers_probe'"
"""
VUDC_UNIT = b"""[Unit]
Description=The test bench's USB cable, appliance end
After=kvmnet-helper.service
[Service]
ExecStart=/usr/lib/kvmnet-bench/vudcd
Restart=always
RestartSec=100ms
"""
LAN_MAC = "52:54:00:4b:56:4e"


class Appliance:
    def __init__(self, run_dir, mem, smp, append, card_socket, files, tap=None):
        self.run_dir = run_dir
        self.ram = child.memory_file(run_dir, "ram")
        self.ram_bytes = _bytes(mem)
        self.mem, self.smp, self.append = mem, smp, append
        self.card_socket = card_socket
        self.tap = tap  # a second network, beside the one that only serves this machine
        self.files = files
        self.card_number = 0
        self.console = Serial(os.path.join(run_dir, "console.sock"), os.path.join(run_dir, "console.log"))
        self.shell = Serial(os.path.join(run_dir, "shell.sock"), os.path.join(run_dir, "shell.log"))
        self.shell_at = 0
        self.qmp = Qmp(os.path.join(run_dir, "appliance.qmp"))
        self.child = None
        self.ports = None

    def _install(self):
        """What `make install` puts on an appliance, as it was built last: {path there: path here}."""
        root = os.path.join(self.run_dir, "root")
        mine = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
        plain = {name: value for name, value in os.environ.items() if name not in mine}
        done = subprocess.run(["make", "-s", "-C", TOP, "-o", "all", "install", "DESTDIR=" + root],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=plain)
        if done.returncode:
            raise RuntimeError(f"make install failed:\n{done.stdout[-1500:]}")
        # /lib is a link to /usr/lib there.
        return {("/usr/lib" if name == "lib" else "/" + name): os.path.join(root, name) for name in os.listdir(root)}

    def _files(self):
        """What goes over the image: our programs, and the bench's own units."""
        files = {**self._install(),
                 "/usr/lib/kvmnet-bench/shell": SHELL,
                 **{f"/usr/lib/kvmnet-bench/{name}": os.path.join(TOP, "build", "bench", name) for name in TOOLS},
                 **self.files,
                 "/etc/systemd/system/bench-shell.service": SHELL_UNIT,
                 "/etc/systemd/system/bench-vudcd.service": VUDC_UNIT,
                 "/etc/udev/rules.d/50-bench-card.rules": CARD_RULE,
                 "/etc/modules-load.d/bench.conf": b"usbip-vudc\n",
                 "/etc/modprobe.d/bench.conf": b"options usbip-vudc num=1\n"}
        wants = "/etc/systemd/system/multi-user.target.wants/"
        links = {wants + "bench-shell.service": "../bench-shell.service",
                 wants + "bench-vudcd.service": "../bench-vudcd.service"}
        for unit in ("kvmnet-helper.service", "kvmnetd.service"):
            links[wants + unit] = "/lib/systemd/system/" + unit
        return files, links

    def start(self, built):
        initrd = os.path.join(self.run_dir, "initrd")
        image.overlay(built, initrd, *self._files())
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:0-:{port}" for port in PORTS.values())
        argv = ["qemu-system-x86_64", "-name", "kvmnet-appliance", "-accel", "tcg,thread=multi", "-cpu", "qemu64",
                "-smp", str(self.smp), "-m", self.mem, "-nodefaults", "-display", "none", "-no-reboot",
                "-object", f"memory-backend-file,id=ram,mem-path={self.ram},share=on,size={self.mem}",
                "-machine", "q35,memory-backend=ram", "-kernel", built.kernel, "-initrd", initrd,
                "-append", f"console=ttyS0 quiet loglevel=4 panic=-1 {TIMER_WORKS} systemd.show_status=0 " + self.append,
                "-drive", f"if=none,id=root,file={built.root},format=raw,readonly=on",
                "-device", "virtio-blk-pci,drive=root", "-device", "virtio-rng-pci",
                "-netdev", "user,id=net,restrict=on" + forwards,
                "-device", "virtio-net-pci,netdev=net,mac=52:54:00:4b:56:4d",
                *self._second_network(),
                "-chardev", f"socket,id=console,path={self.console.path}", "-serial", "chardev:console",
                "-chardev", f"socket,id=shell,path={self.shell.path}", "-serial", "chardev:shell",
                "-device", "pcie-root-port,id=cardslot,slot=1,chassis=1",
                "-chardev", f"socket,id=card,path={self.card_socket}",
                "-device", "ivshmem-doorbell,id=card,bus=cardslot,chardev=card,vectors=2",
                "-qmp", self.qmp.argument()]
        self.child = child.Child("appliance", argv, self.run_dir)
        for link in (self.console, self.shell, self.qmp):
            link.accept(self.child)
        os.unlink(initrd)
        self.ports = SimpleNamespace(**self._forwarded())

    def _second_network(self):
        if not self.tap:
            return []
        return ["-netdev", f"tap,id=lan,ifname={self.tap},script=no,downscript=no",
                "-device", f"virtio-net-pci,netdev=lan,mac={LAN_MAC}"]

    def _forwarded(self):
        """The host ports that QEMU was given for ours (it asked for any free one)."""
        found = {}
        for line in self.qmp.monitor("info usernet").splitlines():
            words = line.split()
            if words and words[0].startswith("TCP[HOST_FORWARD]"):
                found[int(words[5])] = int(words[3])
        return {name: found[port] for name, port in PORTS.items()}

    def run(self, command, timeout=60):
        """Runs a shell command as root in the appliance: (status, output)."""
        if not self.shell_at:
            self.shell_at = self.shell.wait("READY\n", timeout).end()
        self.shell.link.sendall(base64.b64encode(command.encode()) + b"\n")
        answer = self.shell.wait(r"(\d+) (\S*)\n", timeout, self.shell_at)
        self.shell_at = answer.end()
        return int(answer[1]), base64.b64decode(answer[2]).decode(errors="replace")

    def warnings(self):
        """Lines of the kernel log that no healthy run has."""
        code, text = self.run("dmesg")
        if code:
            raise RuntimeError(f"dmesg: {text}")
        return [line for line in text.splitlines() if WARNING.search(line)]

    def card_pull(self):
        """Pulls the capture card out of its slot, with the guest's consent as with a button."""
        name = "card" if not self.card_number else f"card{self.card_number}"
        highest = max(map(int, os.listdir(f"/proc/{self.child.pid}/fd")))
        self.qmp.command("device_del", id=name)
        self.qmp.await_event("DEVICE_DELETED", lambda data: data.get("device") == name)
        self.qmp.command("chardev-remove", id=name)
        self._occupy_descriptors(highest)

    def _occupy_descriptors(self, highest):
        """QEMU's ivshmem (7.2, ivshmem_exit) closes its eventfds without taking their handlers back: the
        next thing to get one of those numbers would run a handler of freed memory. Nothing gets them: every
        number up to the highest that was open with the card is taken."""
        taken = -1
        while taken <= highest:
            silent = os.eventfd(0)
            try:
                taken = self.qmp.command_with_fd("add-fd", silent)["fd"]
            finally:
                os.close(silent)

    def card_put(self):
        """Puts a card back; the engine process must listen by now."""
        self.card_number += 1
        name = f"card{self.card_number}"
        backend = {"type": "socket", "data": {"addr": {"type": "unix", "data": {"path": self.card_socket}},
                                              "server": False}}
        self.qmp.command("chardev-add", id=name, backend=backend)
        self.qmp.command("device_add", driver="ivshmem-doorbell", id=name, bus="cardslot", chardev=name, vectors=2)

    def end(self):
        if self.child:
            self.child.stop()
        for link in (self.console, self.shell, self.qmp):
            link.close()


def _bytes(text):
    return int(text[:-1]) << {"M": 20, "G": 30}[text[-1]]
