#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Every shell script, by its name or its first line, passes shellcheck.
set -eu
cd "$(dirname "$0")/../.."
tests/lib/files.sh '*' | while read -r file; do
	case $file in
	*.sh) echo "$file" ;;
	*.*[a-z]) ;;
	*) if head -n 1 "$file" | grep -qaE '^#!.*(/| )(ba|da)?sh( |$)'; then echo "$file"; fi ;;
	esac
done | xargs shellcheck --format=gcc
