#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Nothing in the tree is left open, or belongs to the machine it was written on.
set -eu
cd "$(dirname "$0")/../.."
mapfile -t files < <(tests/lib/files.sh '*' | grep -vE '^(LICENSES/|tests/lint/words\.sh$|tests/fuzz/seeds/)')
found=0
absent() {
	local why=$1
	shift
	if grep -nIE "$@" "${files[@]}"; then
		echo "error: above: $why"
		found=1
	fi
}
absent 'left open' '\b(TODO|FIXME|XXX|HACK)\b'
absent 'a path of one machine' '(^|[^a-z.])/(work|home/[a-z]+)/|/root/\.'
absent 'a person or machine by name' -i '\b(localhost\.localdomain|127\.0\.1\.1)\b'
mapfile -t files < <(printf '%s\n' "${files[@]}" | grep -v 'package-lock\.json$')
absent 'a mirror or registry by name' -i '\b(deb\.debian\.org|(registry|www)\.npmjs\.(org|com)|pypi\.org|security\.debian\.org)\b'
exit $found
