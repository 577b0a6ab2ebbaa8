#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# image-root.sh ROOT: what makes a minimal Debian root an appliance that boots in seconds.
# Nothing of ours is installed here, and nobody can log in: root has no password.
set -eu
root=$1
units=$root/etc/systemd/system

depmod -b "$root" "$(ls "$root/usr/lib/modules")"
# Its name until DHCP gives one: a name in /etc/hostname would stay.
rm -f "$root/etc/hostname"
echo DEFAULT_HOSTNAME=kvmnet >> "$root/usr/lib/os-release"
# The servers themselves, as they change: what looks names up has its own patience.
ln -sf /run/systemd/resolve/resolv.conf "$root/etc/resolv.conf"
: > "$root/etc/machine-id"
: > "$root/etc/fstab"
rm -rf "$root"/var/cache/* "$root"/var/lib/apt/lists "$root"/var/log/* "$root"/usr/lib/udev/hwdb.d \
	"$root"/usr/share/bash-completion "$root"/usr/share/info "$root"/usr/share/lintian
mkdir -p "$root/var/cache" "$root/var/log/journal" "$root/etc/systemd/network" "$root/etc/systemd/journald.conf.d"
printf '[Match]\nName=en* eth*\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=ipv6\n' \
	> "$root/etc/systemd/network/10-wired.network"
printf '[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\n' > "$root/etc/systemd/journald.conf.d/appliance.conf"

# What an appliance without users, disks to check or displays does not need.
for unit in getty@tty1.service serial-getty@ttyS0.service getty.target console-getty.service \
	systemd-hwdb-update.service systemd-update-utmp.service systemd-update-utmp-runlevel.service \
	systemd-journal-flush.service systemd-binfmt.service systemd-firstboot.service systemd-random-seed.service \
	systemd-machine-id-commit.service systemd-pcrphase.service systemd-pcrphase-sysinit.service \
	systemd-networkd-wait-online.service systemd-network-generator.service systemd-timesyncd.service \
	systemd-ask-password-console.path systemd-ask-password-wall.path ldconfig.service e2scrub_reap.service \
	e2scrub_all.timer fstrim.timer apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer motd-news.timer \
	dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
	sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount modprobe@drm.service \
	modprobe@efi_pstore.service modprobe@fuse.service modprobe@dm_mod.service modprobe@loop.service systemd-logind.service \
	systemd-user-sessions.service systemd-pstore.service systemd-repart.service; do
	ln -sf /dev/null "$units/$unit"
done
mkdir -p "$units/multi-user.target.wants"
for unit in systemd-networkd systemd-resolved; do
	ln -sf "/lib/systemd/system/$unit.service" "$units/multi-user.target.wants/"
done
ln -sf /lib/systemd/system/multi-user.target "$units/default.target"
