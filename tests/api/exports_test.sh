#!/bin/sh
# The shared library exports exactly the functions that the C headers declare, and nothing else.
# usage: exports_test.sh LIBRARY HEADER...
set -eu
library=$1
shift
declared=$(cat "$@" | grep -oE '\bzcmoe_[a-z_0-9]+\(' | tr -d '(' | sort -u |
  while read -r name; do cat "$@" | grep -qE "^ZCMOE_API .*\b$name\(" && echo "$name"; done)
exported=$(nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort -u)
if [ "$declared" != "$exported" ]; then
  echo "declared but not exported, or exported but not declared:"
  printf '%s\n' "$declared" > /tmp/zcmoe-declared.$$
  printf '%s\n' "$exported" | diff /tmp/zcmoe-declared.$$ - || true
  rm -f /tmp/zcmoe-declared.$$
  exit 1
fi
echo "$exported" | wc -l
