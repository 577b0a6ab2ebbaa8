#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Every broken version of the differ and the ring is caught by their unit tests.
exec /usr/bin/python3 "$(dirname "$0")/kmod.py" "$@"
