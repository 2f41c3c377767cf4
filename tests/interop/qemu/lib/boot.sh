# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A guest with no disk that boots over AoE: DHCP server, firmware, and what must be true afterwards.

# boot_dhcp ROOT-PATH: answers iPXE on segment 0.
boot_dhcp() {
    ip -n "$NETNS" addr add 10.9.0.1/24 dev host0
    # iPXE asks for an IPv6 router as well and would wait 13 s for one that never answers.
    net_run sysctl -qw net.ipv6.conf.host0.disable_ipv6=0
    ip -n "$NETNS" -6 addr add fd00:9::1/64 dev host0 nodad
    net_spawn dnsmasq dnsmasq --no-daemon --conf-file=/dev/null --user=root --group=root --port=0 \
        --interface=host0 --bind-interfaces --leasefile-ro --no-ping --dhcp-authoritative --pid-file= --log-dhcp \
        --enable-ra --dhcp-range=fd00:9::,ra-only,64 \
        --dhcp-range=10.9.0.50,10.9.0.60,255.255.255.0,1h "--dhcp-option=option:root-path,$1"
}

# boot_said TEXT KEY
boot_said() { echo "$1" | sed -n "s/^$2 //p"; }

# boot_check NAME IMAGE ROOT-SECTOR ROOT QEMU-ARGUMENT...: boots, waits for power-off and checks the trace that
# the booted system left on IMAGE's partition at ROOT-SECTOR, its root device ROOT.
boot_check() {
    local image=$2 start=$3 root=$4 nic booted
    GUEST_NAME=$1
    GUEST_DIR=$DIR/guest-$1
    mkdir "$GUEST_DIR"
    shift 4
    # The default ROM file holds a BIOS and an EFI image, and QEMU fits its PCI ids only when it is the default.
    mapfile -t nic < <(guest_nic_args 0 tap0 ,bootindex=1)
    guest_launch "$@" -smp 1 -m 768 -vga none "${nic[@]}"
    # shellcheck disable=SC2153  # set by guest_launch
    poll 120 child_gone "$GUEST_PID" || say "the guest still runs"
    end_child "$GUEST_PID" KILL
    booted=$(disk_file "$image" "$start" /booted)
    if [ -z "$booted" ]; then
        guest_show
        tail -n 20 "$DIR/dnsmasq.log"
    fi
    check_eq "$GUEST_NAME: it ran Debian's kernel" "$KERNEL_RELEASE" "$(boot_said "$booted" kernel)"
    check_eq "$GUEST_NAME: its root is the AoE export" "/dev/etherd/$root" "$(boot_said "$booted" root)"
    check_eq "$GUEST_NAME: it has no other disk" 'etherd!e1.0' "$(boot_said "$booted" disks)"
    check_eq "$GUEST_NAME: what it wrote is in the backing file" "$(disk_file "$image" "$start" /random.sum)" \
        "$(disk_file "$image" "$start" /random | sha256sum | cut -d' ' -f1)"
    # A partition at an offset is no file: e2fsck wants one of its own.
    dd if="$image" of="$DIR/part.img" bs=512 skip="$start" count=$((DISK_ROOT_MIB << 11)) conv=sparse status=none
    check "$GUEST_NAME: e2fsck on the backing file" e2fsck -fn "$DIR/part.img"
    say "$GUEST_NAME: answers of iPXE and the kernel:"
    tr -d '\r' <"$DIR/console-$GUEST_NAME.log" | grep -a -E 'AoE|Boot|Registered|etherd|read-only' | sed 's/^/    /' | head -n 10
}
