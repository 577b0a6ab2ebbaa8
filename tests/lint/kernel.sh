#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The driver compiles without a warning under W=1 and sparse, in a folder of its own.
set -eu
cd "$(dirname "$0")/../.."
[ -e kmod/Kbuild ] || exit 0
kdir=${KDIR:-$(${MAKE:-make} -s --no-print-directory print-kdir)}
work=build/lint/kmod
rm -rf "$work"
mkdir -p "$work"
cp -R kmod/. "$work/"
find "$work" -name '*.o' -delete
unset MAKEFLAGS MFLAGS MAKELEVEL
make -C "$kdir" M="$PWD/$work" W=1 C=2 CF='-D__CHECK_ENDIAN__ -Wsparse-error' -j2 modules >"$work/log" 2>&1 || {
	cat "$work/log"
	exit 1
}
if grep -E 'warning:|error:' "$work/log"; then
	exit 1
fi
