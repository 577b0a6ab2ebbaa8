#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The driver passes the kernel's own checkpatch --strict, taken once from Debian's kernel source.
set -eu -o pipefail
cd "$(dirname "$0")/../.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/kvmnet/checkpatch-6.1
tarball=/usr/src/linux-source-6.1.tar.xz
if [ ! -e "$cache/checkpatch.pl" ]; then
	echo "unpacking checkpatch.pl from $tarball into $cache" >&2
	mkdir -p "$cache.$$"
	tar -xJf "$tarball" -C "$cache.$$" --strip-components=2 --occurrence=1 \
		linux-source-6.1/scripts/{checkpatch.pl,const_structs.checkpatch,spelling.txt}
	rm -rf "$cache"
	mv "$cache.$$" "$cache"
fi

# Not asked: who maintains which file. It runs in a folder of its own, where it leaves a file.
mkdir -p build/lint
cd build/lint
check() {
	sed 's|^|../../|' | xargs perl "$cache/checkpatch.pl" --no-tree --strict --quiet --terse --show-types \
		--no-summary --max-line-length=100 --ignore "FILE_PATH_CHANGES,LINUX_VERSION_CODE$1" --file |
		sed 's|^\.\./\.\./||'
}
bad=0
../../tests/lib/files.sh 'kmod/*.[ch]' | grep -v -e '^kmod/uapi/' -e '^kmod/engine_regs' | check '' || bad=1
# Headers that user space or hardware shares have neither BIT() nor static_assert().
../../tests/lib/files.sh 'kmod/uapi/*.h' 'kmod/engine_regs.h' | check ,BIT_MACRO,CAMELCASE || bad=1
exit $bad
