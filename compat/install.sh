#!/bin/sh
# usage: compat/install.sh PREFIX
# Builds the library without Lua and installs it with its headers, pkg-config and CMake files. The headers of the
# executable's own Lua have a folder of their own: a project with another Lua must not find them.
set -eu
[ $# -eq 1 ] || { echo "usage: $0 PREFIX" >&2; exit 2; }
mkdir -p "$1"
prefix=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
target=${CARGO_TARGET_DIR:-$root/target}/library

cargo build --release --lib --package skynet --no-default-features --target-dir "$target"
version=$(cargo pkgid --package skynet | sed 's/.*[#@]//')

mkdir -p "$prefix/include/skynet" "$prefix/lib/pkgconfig" "$prefix/lib/cmake/skynet"
cp include/*.h "$prefix/include/skynet/"
compat/lua-headers.sh "$prefix/include/skynet-lua"
compat/archive.sh "$target/release/libskynet.a" "$prefix/lib/libskynet.a"
# The file has the full version, the name that programs ask for the number of the interface, and the linker's name none.
soname=$(objdump -p "$target/release/libskynet.so" | awk '$1 == "SONAME" { print $2 }')
rm -f "$prefix/lib/libskynet.so" "$prefix/lib/$soname"
cp "$target/release/libskynet.so" "$prefix/lib/libskynet.so.$version"
ln -s "libskynet.so.$version" "$prefix/lib/$soname"
ln -s "$soname" "$prefix/lib/libskynet.so"
fill() { sed -e "s|@PREFIX@|$prefix|g" -e "s|@VERSION@|$version|g" -e "s|@SONAME@|$soname|g" "$1" >"$2"; }
fill compat/skynet.pc.in "$prefix/lib/pkgconfig/skynet.pc"
fill compat/skynet-static.pc.in "$prefix/lib/pkgconfig/skynet-static.pc"
fill compat/cmake/skynet-config-version.cmake.in "$prefix/lib/cmake/skynet/skynet-config-version.cmake"
fill compat/cmake/skynet-config.cmake.in "$prefix/lib/cmake/skynet/skynet-config.cmake"
echo "installed skynet $version into $prefix"
