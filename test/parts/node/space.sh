#!/usr/bin/env bash
# space.sh FOLDER ADDRESS SERVICES - becomes the process that holds the namespaces of one real node; run it under `unshare --mount --net`.
# ADDRESS is the node's own address and that of the bridge of its pods, SERVICES the network of its services. Writes FOLDER/space when all is made.
set -eu
folder=$1 address=$2 services=$3

# containerd and the kubelet mount below /; all of it goes with the last process in here.
mount --make-rshared /
# These paths are fixed in the programs: in here they are folders of this node alone.
for path in /run/netns /run/containerd /var/lib/cni /var/lib/kubelet /var/log/containers /tmp/hostpath_pv; do
  [ -d "$path" ] || { mkdir -p "$path" && echo "$path" >>"$folder/made"; }
  mkdir -p "$folder/fixed$path"
  mount --bind "$folder/fixed$path" "$path"
done

sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1
ip link set lo up
ip link add cni0 type bridge
ip addr add "$address/24" dev cni0
ip link set cni0 up
# A service address that nothing serves stays inside.
ip route add "$services" dev cni0 src "$address"

touch "$folder/space"
exec sleep infinity
