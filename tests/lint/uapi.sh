#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The uapi header stands alone in C and C++, and its layout holds for 32 and 64 bits.
set -eu
cd "$(dirname "$0")/../.."
# The kernel's asm/ headers are the same for both word sizes; only their folder is not.
asm=/usr/include/$(gcc -print-multiarch)
for header in kmod/uapi/*.h; do
	for bits in 32 64; do
		gcc -m$bits -isystem "$asm" -std=c11 -Wall -Wextra -Wpedantic -Wpadded -Werror -fsyntax-only -x c "$header"
		g++ -m$bits -isystem "$asm" -std=c++17 -Wall -Wextra -Wpadded -Werror -fsyntax-only -x c++ "$header"
	done
done
