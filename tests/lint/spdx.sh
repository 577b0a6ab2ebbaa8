#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every source says its licence in its first lines, the one that its folder has.
set -eu
cd "$(dirname "$0")/../.."
bad=0
while read -r file; do
	want='GPL-2.0-or-later'
	case $file in
	kmod/uapi/*) want='GPL-2.0 WITH Linux-syscall-note' ;;
	kmod/differ* | kmod/ring* | kmod/engine_regs.h) want='GPL-2.0-or-later' ;;
	kmod/* | Kbuild) want='GPL-2.0-only' ;;
	esac
	if ! head -n 3 "$file" | grep -qF "SPDX-License-Identifier: $want"; then
		echo "$file:1: error: no 'SPDX-License-Identifier: $want'"
		bad=1
	fi
done < <(tests/lib/files.sh '*.[ch]' '*.py' '*.sh' '*.js' '*.mjs' '*.css' Makefile Kbuild kmod/Kbuild tests/run .ci/run)
exit $bad
