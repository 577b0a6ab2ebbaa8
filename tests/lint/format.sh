#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# C outside of the driver is as .clang-format says; `clang-format-14 -i FILE` makes it so.
set -eu
cd "$(dirname "$0")/../.."
tests/lib/files.sh 'userland/*.[ch]' 'tests/*.[ch]' | xargs clang-format-14 --dry-run -Werror --ferror-limit=3
