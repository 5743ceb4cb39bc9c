#!/usr/bin/env bash
# prepare.sh - installs the Debian packages that a real node needs (see node.ts) when they are missing, root asks and apt can be reached.
# Says in one line what it did. Never fails: without them the tests that need a node are skipped, and say why.
set -u
missing=
for program in containerd runc iptables ip nsenter unshare openssl; do
  type -P "$program" >/dev/null || missing="$missing $program"
done
[ -e /usr/lib/cni/bridge ] || missing="$missing cni-plugins"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! type -P apt-get >/dev/null; then
  echo "the real node is left out: missing$missing, and only root on Debian can install them here"
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
packages="containerd runc containernetworking-plugins iptables iproute2 util-linux openssl"
if apt-get update -qq >/dev/null 2>&1 && apt-get install -y -qq --no-install-recommends $packages >/dev/null 2>&1; then
  echo "installed for the real node:$missing"
else
  echo "the real node is left out: missing$missing, and apt-get could not install $packages"
fi
exit 0
