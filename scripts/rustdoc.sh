#!/usr/bin/env bash
# rustdoc for `cargo test --doc`: writes the documentation, whose lints become errors, and runs its examples.
# `cargo doc` would check all dependencies again, because it takes nothing of what the tests are built with.
set -euo pipefail

[ "${1:-}" = -vV ] && exec rustdoc "$@"

documentation=()
takes_value=
for argument in "$@"; do
  if [ -n "$takes_value" ]; then takes_value=; continue; fi
  case $argument in
    --test | --no-run) ;;
    --test-run-directory | --test-args) takes_value=yes ;;
    *) documentation+=("$argument") ;;
  esac
done
rustdoc "${documentation[@]}" -D warnings -o "${CARGO_TARGET_DIR:-target}/doc"
exec rustdoc "$@"
