#!/usr/bin/env bash
# RUSTC_WORKSPACE_WRAPPER of CI: clippy is the compiler, and lints what it compiles. The library is compiled twice, for its own
# tests and for the programs that use it; clippy takes a third of that time, and finds the same in both. Its own arguments are in
# CLIPPY_ARGS, which cargo remembers, so that they are set outside.
set -euo pipefail

is_test= is_library=
for argument in "$@"; do
  case $argument in
    --test) is_test=yes ;;
    lib) is_library=yes ;;
  esac
done
if [ -n "$is_library" ] && [ -z "$is_test" ]; then exec "$@" -Dwarnings; fi
exec clippy-driver "$@"
