#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What cppcheck finds in userland, the bench and the pure files of the driver.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p build/lint/cppcheck
# Each file alone; calls into other files and into libraries are unknown to it, which is no finding.
tests/lib/files.sh 'userland/*.c' 'tests/bench/*.c' 'tests/e2e/*.c' 'tests/native/*.c' 'tests/perf/*.c' \
	kmod/differ.c kmod/ring.c |
	cppcheck --quiet --std=c11 --language=c -D_GNU_SOURCE -D__STDC_VERSION__=201710L -Iuserland -I. \
		--enable=warning,performance,portability --inline-suppr --error-exitcode=1 -j2 \
		--suppress=missingInclude --suppress=missingIncludeSystem --suppress=unknownMacro \
		--cppcheck-build-dir=build/lint/cppcheck --template='{file}:{line}: {severity}: {message} [{id}]' \
		--file-list=-
