#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# kmod/kvmcap.yaml and uapi/kvmcap.h give each attribute, command, event and signal the same number, and none is missing.
set -eu
cd "$(dirname "$0")/../.."
[ -e kmod/kvmcap.yaml ] || exit 0
mkdir -p build/lint
/usr/bin/python3 - kmod/kvmcap.yaml kmod/uapi/kvmcap.h >build/lint/netlink.c <<'END'
import re
import sys

contract, header = (open(path, encoding="utf-8").read() for path in sys.argv[1:])
numbers, prefix, number, operation = {}, "", 0, None
for line in contract.splitlines():
    if found := re.match(r" *name-prefix: (\S+)$", line):
        prefix, number = found[1], 0
    elif found := re.match(r" *- \{ name: ([\w-]+)(.*)\}$", line):
        value = re.search(r"\bvalue: (\d+)", found[2])
        number = int(value[1]) if value else number
        numbers[prefix + found[1]] = number
        number += 1
    elif found := re.match(r" {6}name: ([\w-]+)$", line):
        operation = prefix + found[1]
    elif found := re.match(r" {6}value: (\d+)$", line):
        numbers[operation] = int(found[1])
names = {name.upper().replace("-", "_"): value for name, value in numbers.items()}
there = set(re.findall(r"^\t(KVMCAP_(?:A|CMD|EVENT|SIGNAL)_\w+)", header, re.M)) - {"KVMCAP_CMD_UNSPEC"}
missing = sorted(there ^ names.keys())
if missing or len(names) < 40:
    sys.exit(f"kmod/kvmcap.yaml:1: error: not in both it and the header: {missing or names}")
print(f'#include "{sys.argv[2]}"')
for name, value in names.items():
    print(f'_Static_assert({name} == {value}, "error: kvmcap.yaml has another number");')
last = max(value for name, value in names.items() if name.startswith("KVMCAP_A_"))
print(f'_Static_assert(KVMCAP_A_MAX == {last}, "error: kvmcap.yaml ends elsewhere");')
for define, key in (("NAME", "^name: (.*)"), ("MCGRP", "^mcast-groups:\n.*\n *-\n *name: (.*)")):
    text = re.search(key, contract, re.M)[1]
    print(f'_Static_assert(sizeof(KVMCAP_GENL_{define}) == sizeof("{text}"), "error: kvmcap.yaml: {define}");')
    assert f'#define KVMCAP_GENL_{define}\t"{text}"' in header, f"error: {define} is not {text}"
END
gcc -std=c17 -I. -fsyntax-only build/lint/netlink.c
