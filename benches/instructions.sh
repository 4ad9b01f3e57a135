#!/usr/bin/env bash
# Counts the instructions that one message costs in the pure layers, with callgrind, which no noise moves, and compares
# them with benches/instructions.json. Fails when one grew by more than 5 %.
#
#   benches/instructions.sh            compare
#   benches/instructions.sh --write    make what is measured now the new baseline
#
# The figures depend on the compiler, which rust-toolchain.toml pins, and slightly on libc and the CPU's vector units.
# Where there is no valgrind it says so, and passes.
set -euo pipefail
cd "$(dirname "$0")/.."

BASELINE=benches/instructions.json
GROWTH=5 # per cent

if ! command -v valgrind >/dev/null 2>&1; then
  echo '==> instructions: there is no valgrind here (Debian: apt-get install valgrind); nothing was counted'
  exit 0
fi

echo '==> instructions per message, by callgrind'
built=$(cargo bench --locked --bench hotpath --no-run 2>&1) || { printf '%s\n' "$built" >&2; exit 1; }
hotpath=$(sed -n 's/.*Executable .*(\(.*\))$/\1/p' <<<"$built")

count() { # CASE N: instructions of a whole run
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$hotpath" "$1" "$2" 2>&1 | sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

measured=
failed=
for case in $("$hotpath"); do
  case $case in *1mb*) few=2 many=6 ;; *) few=1000 many=5000 ;; esac
  per=$((($(count "$case" "$many") - $(count "$case" "$few")) / (many - few)))
  measured+=$(printf '  "%s": %d,\n_' "$case" "$per")
  measured=${measured%_}
  before=$(sed -n "s/.*\"$case\": \([0-9]*\).*/\1/p" "$BASELINE" 2>/dev/null || true)
  if [ -z "$before" ]; then
    printf '    %-22s %9d  (no baseline)\n' "$case" "$per"
  else
    change=$(awk -v new="$per" -v old="$before" 'BEGIN { printf "%+.1f", (new - old) * 100 / old }')
    verdict=
    if [ $((per * 100)) -gt $((before * (100 + GROWTH))) ]; then verdict="  grew by more than $GROWTH %" failed=yes; fi
    printf '    %-22s %9d  %s %% of %d%s\n' "$case" "$per" "$change" "$before" "$verdict"
  fi
done

if [ "${1:-}" = --write ]; then
  printf '{\n%s\n}\n' "${measured%,$'\n'}" > "$BASELINE"
  echo "==> written to $BASELINE"
elif [ -n "$failed" ]; then
  echo '==> a message costs more than it did. If that is worth it: benches/instructions.sh --write, and say why in the commit' >&2
  exit 1
fi
