# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes "newc" cpio archives (the kernel's initramfs format, Documentation/driver-api/
early-userspace/buffer-format.rst): every file owned by root, so that no privilege is needed.
"""

import os
import stat


class Archive:
    """An archive under construction; several may be concatenated."""

    def __init__(self, out):
        self.out = out
        self.inode = 0
        self.folders = {""}

    def _entry(self, name, mode, data):
        self.inode += 1
        path = name.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields)
        for part in (head + path, data):
            self.out.write(part + b"\0" * (-len(part) % 4))

    def folder(self, name):
        name = name.strip("/")
        if name in self.folders:
            return
        self.folder(os.path.dirname(name))
        self.folders.add(name)
        self._entry(name, stat.S_IFDIR | 0o755, b"")

    def data(self, name, data, mode=0o644):
        name = name.strip("/")
        self.folder(os.path.dirname(name))
        self._entry(name, stat.S_IFREG | mode, data)

    def file(self, name, source):
        """A file with the source's permission bits, or a whole tree."""
        if os.path.isdir(source):
            for entry in sorted(os.listdir(source)):
                self.file(f"{name}/{entry}", os.path.join(source, entry))
            return
        with open(source, "rb") as file:
            executable = os.stat(source).st_mode & 0o111
            self.data(name, file.read(), 0o755 if executable else 0o644)

    def link(self, name, target):
        name = name.strip("/")
        self.folder(os.path.dirname(name))
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def end(self):
        self._entry("TRAILER!!!", 0, b"")
