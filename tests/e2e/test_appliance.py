# SPDX-License-Identifier: GPL-2.0-or-later
"""An appliance whose parts come late: its services say what is missing, and go on as soon as it is there.

And what the daemon has asked of the kernel.
"""

from bench import Bench

GADGETS = "/sys/kernel/config/usb_gadget"
OURS = f"{GADGETS}/kvmnet/UDC"

bench = None


def setup():
    global bench
    bench = Bench(target=None)
    bench.start()


def teardown():
    if bench:
        bench.stop()


def run(*commands):
    code, out = bench.appliance.run("set -e; " + "; ".join(commands))
    assert code == 0, out
    return out.strip()


def test_usb_controller_is_freed_late():
    run("systemctl stop kvmnetd kvmnet-helper",
        "modprobe usb_f_hid", f"mkdir {GADGETS}/other", f"cd {GADGETS}/other",
        "echo 0x1d6b >idVendor; echo 0x0104 >idProduct",
        "mkdir configs/c.1 functions/hid.other",
        "echo 8 >functions/hid.other/report_length; printf '\\006\\000\\377' >functions/hid.other/report_desc",
        "ln -s functions/hid.other configs/c.1/",
        "ls /sys/class/udc >UDC")
    # It is ready, the driver stays, and the daemon may start.
    run("systemctl start kvmnet-helper", "[ -d /sys/module/kvmcap ]", f"[ -z \"$(cat {OURS})\" ]")
    before = run("systemctl show -p MainPID --value kvmnet-helper")
    run(f"cd {GADGETS}/other", "echo >UDC", f"until [ -n \"$(cat {OURS})\" ]; do :; done")
    after = run("systemctl show -p MainPID --value kvmnet-helper")
    assert before == after, "the helper ended in between"
    run("systemctl start kvmnetd", f"cd {GADGETS}/other",
        "rm configs/c.1/hid.other", "rmdir functions/hid.other configs/c.1", f"rmdir {GADGETS}/other")


def test_capture_driver_is_loaded_late():
    # Without the helper nobody else loads it.
    run("systemctl stop kvmnetd kvmnet-helper", "systemctl mask --runtime kvmnet-helper",
        "if grep kvmcap /proc/devices; then exit 1; fi", "systemctl start kvmnetd")
    run("modprobe kvmcap",
        "until ls -l /proc/$(systemctl show -p MainPID --value kvmnetd)/fd | grep -q kvmcap; do :; done")
    run("systemctl unmask --runtime kvmnet-helper", "systemctl start kvmnet-helper")


def test_daemon_gets_no_huge_pages():
    """The kernel could join pages to one of 2 MB whenever it comes by, which is chance: so that it may not is what is asked.

    Of a daemon that is ready, and stays: one that found no driver at its start ends as soon as there is one.
    """
    said = run("systemctl restart kvmnetd", "p=$(systemctl show -p MainPID --value kvmnetd)",
               "grep THP_enabled /proc/$p/status")
    assert said.split() == ["THP_enabled:", "0"], said


def test_keys_come_first():
    """The daemon's thread that has them, and no other."""
    said = run("systemctl restart kvmnetd", "p=$(systemctl show -p MainPID --value kvmnetd)",
               "for t in /proc/$p/task/*; do echo ${t##*/} $p $(cut -d')' -f2 $t/stat | cut -d' ' -f18); done")
    threads = [line.split() for line in said.splitlines()]
    assert len(threads) > 4, said
    for thread, daemon, nice in threads:
        assert nice == ("-10" if thread == daemon else "0"), said
