#!/usr/bin/env bash
# Runs the proofs of isolation against one Chrome and writes the verdict: `make prove`.
#
#   BROWSER=path             the Chrome to use, instead of the first that is found
#   BROWSERS=N               the number of browsers of each server; the default is one
#   TENANTS=N                the number of tenants over which taint proof and sweep spread their clients; the default is
#                            none, where the server needs no tokens
#   DEDICATED=N              the number of users of the taint proof whose sessions have a Chrome of their own; none by default
#   SWEEP_ARGS, TAINT_ARGS   further arguments, such as "--seconds 60"
#
# target/prove has the logs, the outcome of each proof, and verdict.txt. The exit code is 0 if all passed.
set -uo pipefail
cd "$(dirname "$0")/.."

out=${CARGO_TARGET_DIR:-target}/prove
mkdir -p "$out"
rm -f "$out"/*.json "$out"/attacks.log "$out"/verdict.txt
say() { printf '==> %s\n' "$*"; }

with=()
if [ -n "${BROWSER:-}" ]; then
  [ -x "$BROWSER" ] || { say "BROWSER=$BROWSER is not a program" >&2; exit 2; }
  with=(--browser "$BROWSER")
  # The attack tests read this variable.
  export GHOSTMUX_TEST_BROWSER_PATH=$BROWSER
fi

browsers=${BROWSERS:-1}
export GHOSTMUX_TEST_BROWSERS=$browsers
with+=(--browsers "$browsers" --tenants "${TENANTS:-0}" --dedicated "${DEDICATED:-0}")

say "attacks, and leaks after hundreds of sessions (log: $out/attacks.log)"
# The tests of greedy clients keep their normal size; `make bench-neighbour` measures the full size. What one session costs
# another one, and what is left of a session, does not depend on the number of browsers.
if [ "$browsers" -gt 1 ]; then
  cargo test --locked --test it -- attacks:: --skip greed
else
  GHOSTMUX_TEST_LONG=1 cargo test --locked --test it -- attacks:: lifecycle:: sessions:: --skip greed &&
    cargo test --locked --test it -- attacks::greed
fi >"$out/attacks.log" 2>&1 || say "some failed"
say "sweep: every method of the protocol; takes some minutes"
# shellcheck disable=SC2086
cargo test --locked --quiet --test prove -- sweep "${with[@]}" ${SWEEP_ARGS:-} 2>"$out/sweep.log" | tail -n 60 || true
say "taint: a million messages, unless TAINT_ARGS says otherwise"
# shellcheck disable=SC2086
cargo test --locked --quiet --test prove -- taint "${with[@]}" ${TAINT_ARGS:-} 2>"$out/taint.log" | tail -n 60 || true
cargo test --locked --quiet --test prove -- verdict 2>/dev/null
status=$?
say "written to $out/verdict.txt"
exit "$status"
