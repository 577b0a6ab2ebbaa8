#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# files.sh PATTERN...: the project's own files whose path fits a find -path pattern, one a line.
cd "$(dirname "$0")/../.." || exit 1
for pattern; do
	find . \( -path ./.git -o -path ./build -o -name node_modules -o -name __pycache__ \) -prune -o \
		-type f -path "./$pattern" -print
done | sed 's|^\./||' | sort -u
