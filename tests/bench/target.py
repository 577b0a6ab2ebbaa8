# SPDX-License-Identifier: GPL-2.0-or-later
"""Target machines: stock QEMU with software that nobody here wrote. The only way in is
the USB cable, the only way out the screen.
"""

import os

import iso
from child import Child
from qmp import Qmp
from serial import Serial

# Linux tests its timer at its start, against a loop. On a busy machine the emulated one comes late: three of some thirty
# starts found it wanting and tried the next way; when no way is left, Linux panics, and the screen is still dark.
TIMER_WORKS = "no_timer_check"
INSTALLER = "/usr/lib/debian-installer/images/12/amd64/gtk/debian-installer/amd64"


class Target:
    """One computer under control. screen is a second control socket, for the capture engine."""

    def __init__(self, kind, run_dir, cable):
        self.run_dir = run_dir
        self.screen = os.path.join(run_dir, "target-screen.qmp")
        self.qmp = Qmp(os.path.join(run_dir, "target.qmp"))
        self.argv = ["qemu-system-x86_64", "-name", f"kvmnet-target-{kind}", "-accel", "tcg,thread=multi",
                     "-cpu", "qemu64", "-M", "q35", "-nodefaults", "-vga", "std", "-display", "none",
                     "-qmp", self.qmp.argument(), "-qmp", f"unix:{self.screen},server=on,wait=off",
                     "-device", "qemu-xhci,id=xhci",
                     "-chardev", f"socket,id=usb,path={cable},reconnect=1",
                     "-device", "usb-redir,id=cable,chardev=usb,bus=xhci.0"]
        # SeaBIOS writes its log to this port: the one thing that is read here besides the screen.
        self.firmware = Serial(os.path.join(run_dir, "firmware.sock"), os.path.join(run_dir, "firmware.log"))
        self.argv += ["-chardev", f"socket,id=firmware,path={self.firmware.path}",
                      "-device", "isa-debugcon,iobase=0x402,chardev=firmware"]
        self.power_on = 0
        self.argv += getattr(self, "_" + kind)()
        self.child = None

    def _installer(self):
        return ["-m", "1G", "-kernel", INSTALLER + "/linux", "-initrd", INSTALLER + "/initrd.gz",
                "-append", f"vga=788 {TIMER_WORKS} --- quiet"]

    def _grub(self):
        return ["-m", "256M", "-cdrom", iso.build(self.run_dir)]

    def _seabios(self):
        disks = []
        for name in ("disk0", "disk1"):  # with a single one there is nothing to choose, and no menu
            disks += ["-blockdev", f"null-co,node-name={name},size=1048576,read-zeroes=on",
                      "-device", f"ide-hd,drive={name},bus=ide.{name[-1]}"]
        return ["-m", "128M", "-boot", "menu=on,splash-time=20000", *disks]

    def start(self):
        # GRUB and SeaBIOS never rest: without a processor to spare, the appliance goes first.
        self.child = Child("target", self.argv, self.run_dir, nice=10)
        self.firmware.accept(self.child)
        self.qmp.accept(self.child)

    def await_firmware(self, pattern, timeout=60):
        """Waits for words of the firmware since the last power-on."""
        self.firmware.wait(pattern, timeout, self.power_on)

    def restart_with_keyboard(self):
        """Firmware looks for keyboards once, at power-on: another power-on, now that the cable is in.
        Never in the midst of the first one, whose memory SeaBIOS is then still moving about."""
        self.await_firmware(r"Press ESC|Booting from")
        self.restart()
        self.await_firmware("USB keyboard initialized")

    def stop(self):
        """Pauses the Target: its picture stands still."""
        self.qmp.command("stop")

    def cont(self):
        self.qmp.command("cont")

    def restart(self):
        self.power_on = len(self.firmware.said)
        self.qmp.command("system_reset")

    def screendump(self):
        """The Target's own picture: (width, height, RGB bytes)."""
        path = os.path.join(self.run_dir, "screendump.ppm")
        self.qmp.command("screendump", filename=path)
        with open(path, "rb") as file:
            data = file.read()
        os.unlink(path)
        kind, width, height, depth, pixels = _split_ppm(data)
        if kind != b"P6" or depth != 255:
            raise RuntimeError("screendump is not a 24-bit PPM")
        return width, height, pixels

    def memory(self, address, size):
        """Guest-physical memory, as bytes."""
        path = os.path.join(self.run_dir, "memory.raw")
        self.qmp.command("pmemsave", val=address, size=size, filename=path)
        with open(path, "rb") as file:
            data = file.read()
        os.unlink(path)
        return data

    def end(self):
        if self.child:
            self.child.stop()
        self.firmware.close()
        self.qmp.close()


def _split_ppm(data):
    fields, at = [], 0
    while len(fields) < 4:
        end = at
        while not data[end:end + 1].isspace():
            end += 1
        fields.append(data[at:end])
        at = end + 1
    return fields[0], int(fields[1]), int(fields[2]), int(fields[3]), data[at:]
