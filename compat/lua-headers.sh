#!/bin/sh
# usage: compat/lua-headers.sh [--internal] FOLDER
# Puts the C headers of the executable's Lua (5.5 with our patches) into FOLDER, for Lua modules in C; with --internal also
# those of its insides (lobject.h, lstate.h and so on), which differ between builds of Lua: see compat/SWAP.md.
set -eu
usage() { echo "usage: $0 [--internal] FOLDER" >&2; exit 2; }
headers='lua.h lauxlib.h lualib.h luaconf.h lua.hpp'
if [ "${1-}" = --internal ]; then
	headers='*.h lua.hpp'
	shift
fi
[ $# -eq 1 ] || usage
case $1 in -*) usage ;; esac
mkdir -p "$1"
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}/library

# The patched tree lies where cargo let the crate's build script work, and only cargo knows where that is.
tree=$(cargo check --quiet --package skynet-lua --target-dir "$target" --message-format=json |
	sed -n '/"reason":"build-script-executed".*skynet-lua/s/.*"out_dir":"\([^"]*\)".*/\1/p')/lua
cd "$tree"
# shellcheck disable=SC2086 # the patterns are meant
cp $headers "$folder/"
