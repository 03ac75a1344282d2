#!/bin/sh
# usage: compat/lua-headers.sh FOLDER
# Puts the C headers of the executable's Lua (5.5 with our patches) into FOLDER, for Lua modules in C.
set -eu
[ $# -eq 1 ] || { echo "usage: $0 FOLDER" >&2; exit 2; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}/library

# The patched tree lies where cargo let the crate's build script work, and only cargo knows where that is.
tree=$(cargo check --quiet --package skynet-lua --target-dir "$target" --message-format=json |
	sed -n '/"reason":"build-script-executed".*skynet-lua/s/.*"out_dir":"\([^"]*\)".*/\1/p')/lua
for header in lua.h lauxlib.h lualib.h luaconf.h lua.hpp; do
	cp "$tree/$header" "$folder/"
done
