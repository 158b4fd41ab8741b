# shellcheck shell=bash
# Sourced by tests/peers/install.sh and benchmarks/peers.sh.

# Install the packages named by apt, as root or with sudo; nothing is started or enabled. No effect for what is there.
install_system_packages() {
  local missing=() package
  for package in "$@"; do
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
  # Debian starts services when they are installed, unless this file says no. Ours are started by who needs them.
  local policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | ${as_root[@]+"${as_root[@]}"} tee "$policy" >/dev/null
    ${as_root[@]+"${as_root[@]}"} chmod 755 "$policy"
    # shellcheck disable=SC2064
    trap "${as_root[*]-} rm -f $policy" EXIT
  fi
  local log
  log="$(mktemp)"
  if ! {
    ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get update -q &&
      ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends "${missing[@]}"
  } >"$log" 2>&1 </dev/null; then
    tail -n 40 "$log" >&2
    echo "peers: apt failed; the whole log is $log" >&2
    exit 1
  fi
  rm -f "$log"
}
