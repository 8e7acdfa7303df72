#!/bin/sh
# Installs the build into an empty prefix and builds the quick starts against it: CMake shared and static, pkg-config.
# usage: consumer_test.sh BUILD_DIR SOURCE_DIR CMAKE
set -eu
build=$1 source=$2 cmake=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$cmake" --install "$build" --prefix "$work/prefix" >/dev/null
# The package must not know where it was built.
mv "$work/prefix" "$work/moved"
"$cmake" -S "$source/tests/consumer" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$work/moved" \
  -DEXAMPLES="$source/tests/examples" >/dev/null
"$cmake" --build "$work/build" >/dev/null
shared=$("$work/build/consumer_shared")
static=$("$work/build/consumer_static")
echo "shared: $shared"
echo "static: $static"
test "$shared" = "$static"
library=$(dirname "$(find "$work/moved" -name libzcmoe.so)")
export PKG_CONFIG_PATH="$library/pkgconfig"
cc -std=c11 "$source/tests/examples/quickstart.c" -o "$work/by_pc" \
  $(pkg-config --cflags --libs zcmoe) -lm
by_pc=$(LD_LIBRARY_PATH="$library${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" "$work/by_pc")
echo "pkg-config: $by_pc"
test "$by_pc" = "$shared"
# Stripped, the library stays small.
cp "$library/libzcmoe.so" "$work/stripped.so"
strip "$work/stripped.so"
size=$(stat -c %s "$work/stripped.so")
echo "stripped library: $size bytes"
test "$size" -le 20971520
