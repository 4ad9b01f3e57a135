#!/usr/bin/env bash
# Counts the instructions per message in the pure layers with callgrind, whose counts do not depend on other load, and
# compares them with benches/instructions.json. Fails if a count grew by more than 5 %, or if an event of the mirror of
# targets costs more than 1.3 times as much with ten times as many targets, CDP sessions and leases (`mirror-…-x10`).
#
#   benches/instructions.sh            compare
#   benches/instructions.sh --write    replace the baseline by the new counts
#
# A release build would take minutes, so only the pure layers are built with full optimisation, and their dependencies
# with a little. The figures are for comparison only. They depend on Cargo.lock, on the compiler, which
# rust-toolchain.toml pins, on libc, which allocates and copies memory, and on valgrind, which emulates the same
# processor everywhere if the real one has AVX2. If libc, valgrind or AVX2 differ from the baseline's, growth is
# reported, but the script does not fail.
set -euo pipefail
cd "$(dirname "$0")/.."

BASELINE=benches/instructions.json
GROWTH=5 # per cent

command -v valgrind >/dev/null || { echo '==> instructions: valgrind is missing; scripts/setup.sh test installs it' >&2; exit 1; }

environment="$(uname -m)$(grep -qw avx2 /proc/cpuinfo && echo ' with AVX2'), glibc $(getconf GNU_LIBC_VERSION | cut -d' ' -f2), $(valgrind --version)"
# One codegen unit, so that inlining does not depend on the other code of the crate.
crate=profile.dev.package.ghostmux
built=$(CARGO_INCREMENTAL=0 cargo bench --config 'profile.dev.package."*".opt-level=1' --config "$crate.opt-level=3" --config "$crate.codegen-units=1" --config "$crate.debug=0" \
    --locked --profile dev --no-default-features --bench hotpath --no-run 2>&1) \
  || { printf '%s\n' "$built" >&2; exit 1; }
hotpath=$(sed -n 's/.*Executable .*(\(.*\))$/\1/p' <<<"$built")

count() { # CASE N: instructions of a whole run
  local said
  said=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null "$hotpath" "$1" "$2" 2>&1) || { printf '%s\n' "$said" >&2; return 1; }
  sed -n 's/.*Collected : \([0-9]*\).*/\1/p' <<<"$said"
}

measured="  \"environment\": \"$environment\""
grown=
steep=
for case in $("$hotpath"); do
  case $case in *1mb*) few=1 many=3 ;; *) few=200 many=1200 ;; esac
  runs=($( (count "$case" "$few" & count "$case" "$many"; wait) | sort -n))
  [ ${#runs[@]} = 2 ] || { echo "==> instructions: $case could not be counted" >&2; exit 1; }
  per=$(((runs[1] - runs[0]) / (many - few)))
  case $case in
    mirror-*-x10)
      if [ $((per * 10)) -gt $((small * 13)) ]; then
        echo "==> instructions: ${case%-x10} costs $per instructions in the larger mirror, $small in the smaller: the code scans unrelated entries" >&2
        steep=yes
      fi ;;
    mirror-*) small=$per ;;
  esac
  measured+=$(printf ',\n  "%s": %d' "$case" "$per")
  before=$(sed -n "s/.*\"$case\": \([0-9]*\).*/\1/p" "$BASELINE" 2>/dev/null || true)
  if [ -z "$before" ]; then
    printf '    %-22s %9d  (no baseline)\n' "$case" "$per"
    grown=yes
  else
    change=$(awk -v new="$per" -v old="$before" 'BEGIN { printf "%+.1f", (new - old) * 100 / old }')
    verdict=
    if [ $((per * 100)) -gt $((before * (100 + GROWTH))) ]; then verdict="  grew by more than $GROWTH %" grown=yes; fi
    printf '    %-22s %9d  %s %% of %d%s\n' "$case" "$per" "$change" "$before" "$verdict"
  fi
done

[ -z "$steep" ] || exit 1
if [ "${1:-}" = --write ]; then
  printf '{\n%s\n}\n' "$measured" > "$BASELINE"
  echo "==> written to $BASELINE"
elif [ -n "$grown" ] && ! grep -qF "\"environment\": \"$environment\"" "$BASELINE"; then
  echo "==> counted on $environment, and $BASELINE on another one: not comparable, so this is not a failure"
elif [ -n "$grown" ]; then
  echo "==> a message costs more than before, or $BASELINE has no entry for it. If that is justified: benches/instructions.sh --write," >&2
  echo '    and give the reason in the commit' >&2
  exit 1
fi
