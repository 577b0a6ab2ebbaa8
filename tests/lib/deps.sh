#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Names the Debian packages of packages.txt that are missing, and installs them as root or by sudo.
# DEPS=no only names them and fails. Needs nothing but a shell and apt.
set -eu
cd "$(dirname "$0")"

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	echo "this is not a Debian system: tests/lib/packages.txt lists what it needs" >&2
	exit 1
fi

wanted=
while read -r package if no command; do
	case $package in
	'' | '#'*) continue ;;
	esac
	if [ "$if $no" = "if no" ] && command -v "${command%%[!a-z0-9]*}" >/dev/null; then
		continue
	fi
	wanted="$wanted $package"
done <packages.txt

# shellcheck disable=SC2086 # a list of package names
installed=" $(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $wanted 2>/dev/null |
	sed -n 's/ installed$//p' | tr '\n' ' ') "
missing=
for package in $wanted; do
	case $installed in
	*" $package "*) ;;
	*) missing="$missing $package" ;;
	esac
done
[ -n "$missing" ] || exit 0

echo "missing packages:$missing"
if [ "${DEPS-}" = no ]; then
	echo "DEPS=no: nothing is installed; apt-get install with these names does it" >&2
	exit 1
fi

root=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || {
		echo "neither root nor sudo here: as root, apt-get install with these names" >&2
		exit 1
	}
	sudo -v
	root=sudo
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Runs apt-get; shows its newest line: in place on a terminal, else one each 5 s.
apt() {
	$root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 "$@" >"$log" 2>&1 </dev/null &
	pid=$! seconds=0
	while kill -0 "$pid" 2>/dev/null; do
		sleep 1
		seconds=$((seconds + 1))
		if [ -t 1 ]; then
			printf '\r\033[K  apt-get %s, %d s: %.60s' "$1" "$seconds" "$(tail -n 1 "$log")"
		elif [ $((seconds % 5)) = 0 ]; then
			printf '  apt-get %s, %d s: %.60s\n' "$1" "$seconds" "$(tail -n 1 "$log")"
		fi
	done
	[ ! -t 1 ] || printf '\r\033[K'
	wait "$pid" || {
		tail -n 20 "$log" >&2
		echo "apt-get $1 failed: the reason is above" >&2
		exit 1
	}
	printf '  apt-get %s: done in %d s\n' "$1" "$seconds"
}

# The SSH server is here for tests, which start their own: one that comes with this does not serve the machine.
case " $missing " in
*' openssh-server '*)
	$root mkdir -p /etc/ssh
	$root touch /etc/ssh/sshd_not_to_be_run
	echo '  openssh-server: kept from starting by /etc/ssh/sshd_not_to_be_run; remove that to have it serve'
	;;
esac
apt update
# shellcheck disable=SC2086
apt install --no-install-recommends $missing
