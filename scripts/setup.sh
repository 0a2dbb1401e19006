#!/bin/sh
# Installs this checkout's dependencies where they are not in step with package-lock.json, and does
# nothing where they are. Called by bin/lc2 and by every npm script. Needs Node 20 or later and npm;
# everything after it runs on the Node 26 that is one of the dependencies.
#
# Everything it says is on standard error: standard output belongs to the command that called it.
# Two first uses at once: the second waits for the first and finds the work done.
set -eu
root=$(CDPATH='' cd -P "$(dirname "$0")/.." && pwd -P)
cd "$root"
# The stamp is a copy of the lockfile that was installed, so it is right however the file times are.
stamp=node_modules/.lc2-lockfile

fail() {
  echo "lc2: $*" >&2
  exit 1
}

in_step() {
  [ -x node_modules/node/bin/node ] && [ -f "$stamp" ] && cmp -s package-lock.json "$stamp"
}

if in_step; then
  # The lockfile is newer but the same (a fresh checkout of it): say so for the next start's file test.
  [ "$stamp" -nt package-lock.json ] || touch "$stamp" 2>/dev/null || true
  exit 0
fi

command -v node >/dev/null 2>&1 || fail "Node.js is not installed (or not on the PATH). Install Node.js 20 or
later, with npm, from https://nodejs.org or your system's packages, and run this again."
command -v npm >/dev/null 2>&1 || fail "npm is not installed (or not on the PATH); Node.js is. Install npm
(Debian: apt install npm) and run this again."
major=$(node -p 'process.versions.node.split(".")[0]')
[ "$major" -ge 20 ] || fail "Node.js $(node --version) is too old. Install Node.js 20 or later and run this again."

mkdir -p .cache 2>/dev/null || fail "cannot set up: $root is not writable. Run 'npm ci' there once as its owner."
if command -v flock >/dev/null 2>&1; then
  # npm inherits the descriptor: should this shell be killed, the lock ends with the last writer.
  exec 9>.cache/setup.lock
  flock -n 9 || {
    echo "lc2: another process is setting up $root; waiting for it" >&2
    flock 9
  }
else
  until mkdir .cache/setup.lock.d 2>/dev/null; do
    holder=$(cat .cache/setup.lock.d/pid 2>/dev/null || echo "")
    if [ -n "$holder" ] && ! kill -0 "$holder" 2>/dev/null; then
      fail "an earlier set-up was killed. Remove $root/.cache/setup.lock.d and run this again."
    fi
    sleep 1
  done
  echo $$ >.cache/setup.lock.d/pid
  trap 'rm -rf "$root/.cache/setup.lock.d"' EXIT
  trap 'exit 130' INT TERM
fi
in_step && exit 0

echo "lc2: first use: installing dependencies into $root/node_modules (npm ci)" >&2
# Stated here because a user's own npm settings may say otherwise: development tools are wanted, and
# the Node 26 binary arrives through its package's install script.
if ! npm ci --include=dev --ignore-scripts=false --no-audit --no-fund --loglevel=error >&2; then
  fail "npm ci failed; its reason is above. Behind a proxy set HTTPS_PROXY, or point npm's 'registry'
setting at a mirror, and run this again."
fi
node_modules/node/bin/node --version >/dev/null 2>&1 || fail "the Node 26 binary does not start on this machine
($(uname -s) $(uname -m)). Look at node_modules/node/bin/node."
mkdir -p node_modules/.cache/lc2 # bin/lc2 keeps compiled code there
cp package-lock.json "$stamp"
echo "lc2: set up" >&2
