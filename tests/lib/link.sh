#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# link.sh TARGET OBJDIR SOURCE: the make fragment of a program that is not the product.
# SOURCE's comment "LINK: kmod/differ.c userland/lib/*.c | -lz libvncclient" names what else is linked:
# sources (a pattern is widened by make), then libraries (-lNAME, or a pkg-config name). The comment may
# span lines. A bench program NAME.c takes its NAME_*.c and NAME-*.c along by itself.
set -eu
target=$1 objdir=$2 source=$3

link=$(awk '
	/LINK:/ && !on { on = 1; sub(/.*LINK:/, "") }
	on { end = sub(/\*\/.*/, ""); sub(/^[ \t]*\*/, ""); printf "%s ", $0; if (end) exit }' "$source")
libs=
case $link in
*'|'*) libs=${link#*|} link=${link%%|*} ;;
esac

set -f
objects=
case $source in
tests/bench/*) link="$link ${source%.c}_*.c ${source%.c}-*.c" ;;
esac
for file in $source $link; do
	case $file in
	*'*'*) objects="$objects \$(patsubst %.c,build/$objdir/%.o,\$(wildcard $file))" ;;
	*.c) objects="$objects build/$objdir/${file%.c}.o" ;;
	*) echo "$source: LINK names '$file', which is no C file" >&2 && exit 1 ;;
	esac
done
flags=
for lib in $libs; do
	case $lib in
	-*) flags="$flags $lib" ;;
	*) flags="$flags \$(call pkg-libs,$lib)" ;;
	esac
done
echo "$target: $objects"
echo "$target: private LIBS =$flags"
