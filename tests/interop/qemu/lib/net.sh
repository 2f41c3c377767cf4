# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# One network namespace per test:
#
#   target port srvN ── veth ── brN ── tapN ── guest NIC N
#                                └──── veth ── hostN   (prober, second client, DHCP)
#
# Bridges, taps and veths live inside the namespace, so only its own name must
# be unique on the machine.

# net_run COMMAND...: runs it inside the namespace.
net_run() { ip netns exec "$NETNS" "$@"; }

# net_spawn NAME COMMAND...: in the background, output to $DIR/NAME.log, its pid in $STARTED.
net_spawn() { spawn "$1" ip netns exec "$NETNS" "${@:2}"; }

# net_up SEGMENTS MTU
net_up() {
    local count=$1 mtu=$2 n
    make_netns qemu
    # Nothing but the test's own frames on the wire: no IPv6 chatter.
    net_run sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    for ((n = 0; n < count; n++)); do
        ip -n "$NETNS" link add "br$n" type bridge stp_state 0 forward_delay 0 mcast_snooping 0
        net_run ip tuntap add "tap$n" mode tap
        ip -n "$NETNS" link add "srv$n" type veth peer name "srv$n-br"
        ip -n "$NETNS" link add "host$n" type veth peer name "host$n-br"
        for port in "tap$n" "srv$n-br" "host$n-br"; do
            ip -n "$NETNS" link set "$port" master "br$n"
        done
    done
    net_mtu "$count" "$mtu"
}

# net_mtu SEGMENTS MTU: every link of the namespace, and up.
net_mtu() {
    local count=$1 mtu=$2 n port
    for ((n = 0; n < count; n++)); do
        for port in "tap$n" "srv$n-br" "srv$n" "host$n-br" "host$n" "br$n"; do
            ip -n "$NETNS" link set "$port" mtu "$mtu" up
        done
    done
}

# net_mac IFACE
net_mac() { ip -n "$NETNS" -json link show "$1" | jq -r '.[0].address'; }

# net_rx_frames IFACE: frames the kernel delivered to the interface.
net_rx_frames() { ip -n "$NETNS" -s -json link show "$1" | jq -r '.[0].stats64.rx.packets'; }
