#!/bin/sh
# Installs the S3 servers that tests run against, and what benchmarks compare with, from the Go and Python
# registries: install-servers.sh NAME... with versitygw, minio, moto or rclone. Prints one line a name: the
# name, a tab and where it is (a program; for moto a folder for PYTHONPATH). Everything else it says is on
# standard error.
#
# Each version has a folder of its own, put in place by one rename, so a killed build leaves nothing that
# counts; two at once: the second waits for the first and finds the work done.
set -eu

versitygw_version=v1.8.0
minio_version=v0.0.0-20260212201848-7aac2a2c5b7c # the last published commit
moto_version=5.2.5
rclone_version=v1.76.0

cache=${LC2_TESTBED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}}/lc2-test-servers

fail() {
  echo "install-servers: $*" >&2
  exit 1
}

[ $# -gt 0 ] || fail "name what to install: versitygw, minio, moto or rclone"
command -v flock >/dev/null 2>&1 || fail "flock is not on the PATH (package util-linux)."
mkdir -p "$cache" || fail "cannot write to $cache. Set LC2_TESTBED_CACHE to a folder that can be written."

# start_scratch NAME: removes what a killed build left, then makes the scratch folder of this one.
scratch=
trap '[ -z "$scratch" ] || { chmod -R u+w "$scratch" 2>/dev/null; rm -rf "$scratch"; }' EXIT
trap 'exit 130' INT TERM
start_scratch() {
  scratch="$cache/.building-$1"
  rm -rf "$scratch"
  mkdir "$scratch"
}

place_scratch() {
  mv "$scratch" "$1"
  scratch=
}

# install_go NAME MODULE VERSION
install_go() {
  home="$cache/$1-$3-$(uname -m)"
  if [ ! -x "$home/$1" ]; then
    command -v go >/dev/null 2>&1 || fail "Go is not on the PATH; $1, a server that tests need, is built with it.
Install Go 1.25 or later (https://go.dev/dl) and run this again."
    echo "install-servers: building $1 $3 (one to three minutes, once)" >&2
    start_scratch "$1"
    GOBIN="$scratch" CGO_ENABLED=0 GOFLAGS='' go install -trimpath -ldflags '-s -w' "$2@$3" >&2 ||
      fail "building $1 failed; the reason is above. Behind a proxy set HTTPS_PROXY or GOPROXY."
    place_scratch "$home"
  fi
  printf '%s\t%s\n' "$1" "$home/$1"
}

install_moto() {
  command -v python3 >/dev/null 2>&1 || fail "python3 is not on the PATH; moto, a server that tests need, is
written in Python. Install python3 with pip and run this again."
  version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  home="$cache/moto-$moto_version-python$version-$(uname -m)"
  if [ ! -d "$home" ]; then
    python3 -m pip --version >/dev/null 2>&1 || fail "python3 has no pip, with which moto is installed
(Debian and Ubuntu: apt-get install python3-pip)."
    echo "install-servers: installing moto $moto_version" >&2
    start_scratch moto
    python3 -m pip install --quiet --disable-pip-version-check --no-input --root-user-action=ignore \
      --no-warn-conflicts --target "$scratch" "moto[s3,server]==$moto_version" >&2 || fail "pip could not install moto; the reason is above."
    place_scratch "$home"
  fi
  printf 'moto\t%s\n' "$home"
}

install() {
  case $1 in
    versitygw) install_go versitygw github.com/versity/versitygw/cmd/versitygw "$versitygw_version" ;;
    minio) install_go minio github.com/minio/minio "$minio_version" ;;
    rclone) install_go rclone github.com/rclone/rclone "$rclone_version" ;;
    moto) install_moto ;;
  esac
}

for name in "$@"; do
  case $name in
    versitygw | minio | rclone | moto) ;;
    *) fail "no such server: $name (there are versitygw, minio, moto and rclone)" ;;
  esac
  exec 9>"$cache/.lock-$name"
  flock -n 9 || {
    echo "install-servers: another process is installing $name; waiting for it" >&2
    flock 9
  }
  install "$name"
  exec 9>&-
done
