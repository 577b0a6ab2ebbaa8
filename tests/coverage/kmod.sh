#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Branch coverage of the differ and the ring by their unit tests: prints it, fails below 95 %.
set -eu
cd "$(dirname "$0")/../.."
least=95
out=build/coverage
rm -rf "$out"
mkdir -p "$out"
for source in differ ring; do
	cc -std=c17 -D_GNU_SOURCE -Iuserland -I. -O0 --coverage -c "kmod/$source.c" -o "$out/$source.o"
done
for test in differ ring ring_model; do
	cc -std=c17 -D_GNU_SOURCE -Iuserland -I. -O1 "tests/unit/test_$test.c" "$out/differ.o" "$out/ring.o" \
		-lcmocka --coverage -o "$out/test_$test"
	"$out/test_$test" >"$out/test_$test.log" 2>&1 || {
		cat "$out/test_$test.log"
		exit 1
	}
done
gcovr --root . --object-directory "$out" --branches --fail-under-branch $least \
	--filter 'kmod/differ\.c' --filter 'kmod/ring\.c' "$out"
