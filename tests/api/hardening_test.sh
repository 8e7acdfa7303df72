#!/bin/sh
# Nothing built or installed looks for libraries in the current folder or one below it, and the library and the command
# line are built to resist: read-only relocations, no executable stack, stack protector, checked libc calls.
# usage: hardening_test.sh BUILD_DIR SOURCE_DIR CMAKE LIBRARY [PROGRAM]
set -eu
build=$1 source=$2 cmake=$3 library=$4 program=${5:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
complain() {
  echo "$*"
  failures=$((failures + 1))
}

is_elf() { [ "$(head -c 4 "$1" | od -An -c | tr -d ' ')" = '177ELF' ]; }

# Every entry of a search path: absolute, or relative to the file itself.
check_search_path() {
  path=$(readelf -dW "$1" 2>/dev/null | sed -n 's/.*(R\(UN\)\{0,1\}PATH).*\[\(.*\)\].*/\2/p')
  [ -n "$path" ] || return 0
  case ":$path:" in *::*) complain "$1: an empty entry in the search path '$path'" ;; esac
  printf '%s\n' "$path" | tr ':' '\n' | while read -r entry; do
    case $entry in '' | /* | '$ORIGIN' | '$ORIGIN'/*) ;; *) echo "$entry" ;; esac
  done > "$work/relative"
  [ ! -s "$work/relative" ] || complain "$1: relative entries in the search path '$path'"
}

check_hardened() {
  readelf -dW "$1" | grep -qE 'BIND_NOW|FLAGS_1.*NOW' || complain "$1: symbols are not bound at start"
  readelf -lW "$1" | grep -q GNU_RELRO || complain "$1: relocations stay writable"
  readelf -lW "$1" | grep GNU_STACK | grep -q 'RWE' && complain "$1: the stack is executable"
  readelf -lW "$1" | grep -q GNU_STACK || complain "$1: says nothing of the stack"
  readelf -sW --dyn-syms "$1" | grep -q __stack_chk_fail || complain "$1: no stack protector"
  readelf -sW --dyn-syms "$1" | grep -q '_chk@' || complain "$1: libc calls are not checked"
}

"$cmake" --install "$build" --prefix "$work/prefix" >/dev/null
"$cmake" -S "$source/tests/consumer" -B "$work/consumer" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" \
  -DEXAMPLES="$source/tests/examples" >/dev/null
"$cmake" --build "$work/consumer" >/dev/null
checked=0
find "$build" "$work/prefix" "$work/consumer" -path '*/CMakeFiles/*' -prune -o -type f \
  \( -perm -u+x -o -name '*.so*' \) -print > "$work/files"
while read -r file; do
  is_elf "$file" || continue
  check_search_path "$file"
  checked=$((checked + 1))
done < "$work/files"
[ "$checked" -ge 4 ] || complain "only $checked files found"

installed=$(find "$work/prefix" -name 'libzcmoe.so.*.*' -type f)
for file in "$library" "$installed"; do
  check_hardened "$file"
  readelf -dW "$file" | grep -q NODELETE || complain "$file: may be unmapped while its threads run"
done
if [ -n "$program" ]; then
  for file in "$program" "$work/prefix/bin/zcmoe"; do
    check_hardened "$file"
    readelf -hW "$file" | grep -q 'Type:.*DYN' || complain "$file: not position-independent"
  done

  # A folder that someone else filled: false libraries of every name that is asked for.
  cat > "$work/planted.c" <<'END'
#include <stdio.h>
#include <unistd.h>
__attribute__((constructor)) static void planted(void) {
  puts("code of the current folder runs");
  fflush(stdout);
  _exit(66);
}
END
  mkdir "$work/folder"
  for name in $(readelf -dW "$program" "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p' | sort -u); do
    case $name in ld-linux*) continue ;; esac
    cc -shared -fPIC "$work/planted.c" -o "$work/folder/$name" -Wl,-soname,"$name"
  done
  [ -e "$work/folder/libmuparser.so.2" ] || complain "libmuparser.so.2 is no longer asked for"
  unset LD_LIBRARY_PATH
  for file in "$program" "$work/prefix/bin/zcmoe"; do
    (cd "$work/folder" && "$file" --version) > "$work/said" 2>&1 || complain "$file: $(cat "$work/said")"
    ! grep -q 'current folder' "$work/said" || complain "$file: runs a planted library"
  done
fi
echo "$checked files, $failures failures"
[ "$failures" -eq 0 ]
