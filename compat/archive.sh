#!/bin/sh
# usage: compat/archive.sh FROM TO
# Makes the archive that projects link out of the one that cargo builds: one object, whose only global symbols are the
# functions of the C interface. Whatever else is inside cannot collide with what the project defines, nor with the Rust of
# another library. LD, OBJCOPY and AR name the tools of another target.
set -eu
[ $# -eq 2 ] || { echo "usage: $0 FROM TO" >&2; exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
grep -hv '^#' "$root/compat/exports/core.txt" "$root/compat/exports/older.txt" >"$work/keep"
# Groups are resolved: one that another object has as well would be left out, with local symbols of ours in it.
"${LD:-ld}" -r --force-group-allocation --whole-archive "$1" -o "$work/all.o"
# The compiler's own representation of the code is of no use to other compilers, and their tools stumble over it.
"${OBJCOPY:-objcopy}" --remove-section .llvmbc --remove-section .llvmcmd --keep-global-symbols="$work/keep" \
	"$work/all.o" "$work/skynet.o"
rm -f "$2"
"${AR:-ar}" rcs "$2" "$work/skynet.o"
