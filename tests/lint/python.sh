#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Every Python file compiles, without a warning of the compiler.
set -eu
cd "$(dirname "$0")/../.."
{
	tests/lib/files.sh '*.py'
	tests/lib/files.sh '*' | xargs grep -lE --max-count=1 '^#!.*python3' || true
} | sort -u | /usr/bin/python3 -W error -c '
import sys
bad = 0
for name in map(str.rstrip, sys.stdin):
    try:
        compile(open(name, encoding="utf-8").read(), name, "exec")
    except (SyntaxError, ValueError) as error:
        print(f"{name}: error: {error}")
        bad = 1
sys.exit(bad)'
