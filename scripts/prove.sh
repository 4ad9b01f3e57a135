#!/usr/bin/env bash
# Runs the proofs of isolation against one Chrome and writes the verdict: `make prove`.
#
#   BROWSER=path        another Chrome than the first that is found
#   SWEEP_ARGS, TAINT_ARGS   more arguments for these, such as "--seconds 60"
#
# Everything is left in target/prove: the logs, what each proof found, and verdict.txt. It ends with 0 if all passed.
set -uo pipefail
cd "$(dirname "$0")/.."

out=${CARGO_TARGET_DIR:-target}/prove
mkdir -p "$out"
rm -f "$out"/*.json "$out"/attacks.log "$out"/verdict.txt
say() { printf '==> %s\n' "$*"; }

with=()
if [ -n "${BROWSER:-}" ]; then
  [ -x "$BROWSER" ] || { say "BROWSER=$BROWSER is no program" >&2; exit 2; }
  with=(--browser "$BROWSER")
  # The attacks find their browser in PATH.
  export GHOSTMUX_TEST_BROWSER_PATH=$BROWSER
fi

say "attacks, and what is left after hundreds of sessions (log: $out/attacks.log)"
# Greedy clients are as greedy as in every test here: at full size they are measured by `make bench-neighbour`.
{
  GHOSTMUX_TEST_LONG=1 cargo test --locked --test it -- attacks:: lifecycle:: sessions:: --skip greed &&
    cargo test --locked --test it -- attacks::greed
} >"$out/attacks.log" 2>&1 || say "some failed"
say "sweep: every method of the protocol; some minutes"
# shellcheck disable=SC2086
cargo test --locked --quiet --test prove -- sweep "${with[@]}" ${SWEEP_ARGS:-} 2>"$out/sweep.log" | tail -n 60 || true
say "taint: a million messages, unless TAINT_ARGS says otherwise"
# shellcheck disable=SC2086
cargo test --locked --quiet --test prove -- taint "${with[@]}" ${TAINT_ARGS:-} 2>"$out/taint.log" | tail -n 60 || true
cargo test --locked --quiet --test prove -- verdict 2>/dev/null
status=$?
say "written to $out/verdict.txt"
exit "$status"
