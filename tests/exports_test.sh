#!/bin/sh
# The shared library exports exactly the functions that zcmoe.h declares, and nothing else.
# usage: exports_test.sh LIBRARY HEADER
set -eu
declared=$(grep -oE '\bzcmoe_[a-z_0-9]+\(' "$2" | tr -d '(' | sort -u |
  while read -r name; do grep -qE "^ZCMOE_API .*\b$name\(" "$2" && echo "$name"; done)
exported=$(nm -D --defined-only "$1" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort -u)
if [ "$declared" != "$exported" ]; then
  echo "declared but not exported, or exported but not declared:"
  printf '%s\n' "$declared" > /tmp/zcmoe-declared.$$
  printf '%s\n' "$exported" | diff /tmp/zcmoe-declared.$$ - || true
  rm -f /tmp/zcmoe-declared.$$
  exit 1
fi
echo "$exported" | wc -l
