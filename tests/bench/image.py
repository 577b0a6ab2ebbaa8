# SPDX-License-Identifier: GPL-2.0-or-later
"""The appliance's image: a small Debian root (squashfs), Debian's kernel and an initramfs,
cached by a hash of what they are made from. Our own programs are not in it: overlay()
appends them to the initramfs at each start, so a code change rebuilds no image.
"""

import fcntl
import glob
import hashlib
import lzma
import os
import shutil
import subprocess
import tempfile

import cpio

HERE = os.path.dirname(os.path.abspath(__file__))
# networkd tells the host name that DHCP gives to hostnamed, through dbus, and polkit lets it; resolved takes DNS servers.
PACKAGES = """systemd systemd-sysv systemd-resolved udev kmod dbus polkitd iproute2 libssl3 libnl-3-200 libnl-genl-3-200 libnl-route-3-200 libkmod2
 libwebsockets17 libjansson4 libinih1 libargon2-1 libseccomp2 libcap-ng0 zlib1g libwslay1 libcbor0.8 libsystemd0""".split()
# In the initramfs, to reach the root; and in the root, for what an appliance does.
EARLY = ["virtio_pci", "virtio_blk", "squashfs", "overlay"]
MODULES = EARLY + ["virtio_net", "virtio_rng", "usbip-core", "usbip-vudc", "libcomposite", "usb_f_hid", "af_packet",
                   "autofs4"]
INIT = """#!/bin/sh
mount -t devtmpfs d /dev; mount -t proc p /proc; mount -t sysfs s /sys
exec >/dev/console 2>&1
while read -r m; do insmod "/m/$m" || echo "initramfs: insmod $m failed"; done < /m/order
n=0; until [ -b /dev/vda ] || [ $n = 50 ]; do usleep 100000; n=$((n + 1)); done
mount -t squashfs -o ro /dev/vda /lower && mount -t tmpfs -o mode=755 rw /rw || exec sh
mkdir /rw/upper /rw/work
mount -t overlay -o lowerdir=/lower,upperdir=/rw/upper,workdir=/rw/work root /root || exec sh
cp -a /overlay/. /root/
chroot /root /sbin/depmod
mount --move /dev /root/dev; mount --move /proc /root/proc; mount --move /sys /root/sys
exec switch_root /root /lib/systemd/systemd
"""


class Image:
    """Paths of a finished image."""

    def __init__(self, folder):
        self.kernel = os.path.join(folder, "vmlinux")
        self.initrd = os.path.join(folder, "initrd.cpio")
        self.root = os.path.join(folder, "root.sqfs")


def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "kvmnet")


def kernel_release():
    """The kernel that our module is built for, as the module says itself."""
    module = os.path.join(HERE, "..", "..", "build", "kmod", "kvmcap.ko")
    return _run(["/sbin/modinfo", "-F", "vermagic", module]).split()[0]


def key(release):
    digest = hashlib.sha256()
    for name in ("image.py", "cpio.py", "image-root.sh"):
        with open(os.path.join(HERE, name), "rb") as file:
            digest.update(file.read())
    version = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", f"linux-headers-{release}"], check=True,
                             capture_output=True, text=True).stdout
    digest.update(f"{release} {version}".encode())
    return digest.hexdigest()[:16]


def build(progress=lambda text: None):
    """The image, from the cache or made anew; progress is told each step."""
    release = kernel_release()
    folder = os.path.join(cache_dir(), "image-" + key(release))
    os.makedirs(cache_dir(), exist_ok=True)
    with open(os.path.join(cache_dir(), "image.lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for old in glob.glob(os.path.join(cache_dir(), "stage-*")):  # whoever made it is gone: the lock is ours
            shutil.rmtree(old)
        if not os.path.isdir(folder):
            stage = tempfile.mkdtemp(prefix="stage-", dir=cache_dir())
            try:
                _make(stage, release, progress)
                os.rename(stage, folder)
            finally:
                shutil.rmtree(stage, ignore_errors=True)
    return Image(folder)


def _make(stage, release, progress):
    work = os.path.join(stage, "work")
    os.mkdir(work)
    progress(f"fetching Debian's kernel {release}")
    _run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", f"linux-image-{release}"], cwd=work)
    _run(["dpkg", "-x", *glob.glob(work + "/*.deb"), work + "/kernel"])
    _extract_kernel(f"{work}/kernel/boot/vmlinuz-{release}", stage + "/vmlinux")
    _copy_modules(work, release)
    progress("making the appliance's root from Debian's packages (about half a minute)")
    _make_root(work, stage + "/root.sqfs")
    _make_initrd(work, release, stage + "/initrd.cpio")
    shutil.rmtree(work)


def _run(argv, **options):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    if done.returncode:
        raise RuntimeError(f"{argv[0]} failed ({done.returncode}):\n{done.stdout[-2000:]}")
    return done.stdout


def _extract_kernel(compressed, out):
    """Unpacks the bzImage's ELF: started directly (PVH) it saves the guest two seconds."""
    with open(compressed, "rb") as file:
        data = file.read()
    at = data.find(b"\xfd7zXZ\0")
    while at >= 0:
        try:
            plain = lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(data[at:])
        except lzma.LZMAError:
            plain = b""
        if plain.startswith(b"\x7fELF"):
            with open(out, "wb") as file:
                file.write(plain)
            return
        at = data.find(b"\xfd7zXZ\0", at + 1)
    raise RuntimeError(f"no kernel found in {compressed}")


def _dependencies(work, release, names):
    """Module files that names need, in the order of loading."""
    order = []
    for name in names:
        for line in _run(["/sbin/modprobe", "-d", work + "/kernel", "-S", release, "--show-depends", name]).splitlines():
            words = line.split()
            if words[0] == "insmod" and words[1] not in order and "crc32c-intel" not in words[1]:
                order.append(words[1])
    return order


def _copy_modules(work, release):
    source = f"{work}/kernel/lib/modules/{release}"
    _run(["/sbin/depmod", "-b", work + "/kernel", release])
    base = f"{work}/modules/{release}"
    for path in _dependencies(work, release, MODULES):
        target = base + path.removeprefix(source)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(path, target)
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        shutil.copy(f"{source}/{name}", base)


def _sources():
    """This machine's own package sources, as it has them."""
    with open("/etc/os-release", encoding="utf-8") as file:
        suite = next(line.split("=")[1].strip().strip('"') for line in file if line.startswith("VERSION_CODENAME"))
    listed = _run(["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)", "Identifier: Packages"])
    lines = {line for line in listed.splitlines() if line.split()[1].split("-")[0] == suite}
    return suite, "".join(f"deb {line}\n" for line in sorted(lines) if line.split()[2] == "main")


def _make_root(work, out):
    suite, sources = _sources()
    tar = work + "/root.tar"
    hook = os.path.join(HERE, "image-root.sh")
    # merged-usr: minbase does not ask for it by itself before Debian 13.
    argv = ["mmdebstrap", "--variant=minbase", "--include=usr-is-merged," + ",".join(PACKAGES),
            "--aptopt=Apt::Install-Recommends \"false\"", "--aptopt=Acquire::Languages \"none\"",
            "--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
            "--dpkgopt=path-exclude=/usr/share/zoneinfo/*",
            "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
            "--customize-hook=mkdir -p \"$1/usr/lib/modules\"",
            f"--customize-hook=copy-in {work}/modules /usr/lib",
            f"--customize-hook=sh {hook} \"$1\"", suite, tar, "-"]
    done = subprocess.run(argv, input=sources, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, env={**os.environ, "LC_ALL": "C"})
    if done.returncode:
        raise RuntimeError(f"mmdebstrap failed ({done.returncode}):\n{done.stdout[-2000:]}")
    with open(tar, "rb") as source:
        _run(["sqfstar", "-comp", "lz4", "-quiet", "-no-progress", out], stdin=source)


def _make_initrd(work, release, out):
    with open(out, "wb") as file:
        archive = cpio.Archive(file)
        for name in ("dev", "proc", "sys", "lower", "rw", "root", "overlay"):
            archive.folder(name)
        archive.file("bin/busybox", shutil.which("busybox") or "/bin/busybox")
        for name in ("sh", "mount", "insmod", "usleep", "mkdir", "cp", "chroot", "switch_root"):
            archive.link("bin/" + name, "busybox")
        order = _dependencies(work, release, EARLY)
        for path in order:
            archive.file("m/" + os.path.basename(path), path)
        archive.data("m/order", "".join(os.path.basename(path) + "\n" for path in order).encode())
        archive.data("init", INIT.encode(), 0o755)
        archive.end()


def overlay(image, out, files, links=()):
    """Writes to out an initramfs that also carries files ({path in the appliance: bytes, or
    path of a file or folder here}) and links ({path: target}) over the root."""
    shutil.copyfile(image.initrd, out)
    with open(out, "ab") as file:
        file.write(b"\0" * (-file.tell() % 512))
        archive = cpio.Archive(file)
        for name, source in sorted(files.items()):
            if isinstance(source, bytes):
                archive.data("overlay/" + name.strip("/"), source, 0o755 if source.startswith(b"#!") else 0o644)
            else:
                archive.file("overlay/" + name.strip("/"), source)
        for name, target in sorted(dict(links).items()):
            archive.link("overlay/" + name.strip("/"), target)
        archive.end()
