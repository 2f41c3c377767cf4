# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The kernel's aoe driver against the exports of linux-aoe.test:
#   e1.0 file system, e1.1 read-only, e1.2 grows and is fenced, e1.3 fio
# STEPS names the steps to run, in order.
#
# shellcheck disable=SC2317  # the steps are called by name

step_discover() {
    local disk bytes shown
    check "loads the aoe driver" modprobe aoe
    aoe-discover
    for disk in $DISKS; do
        check "finds e${disk%=*}" wait_disk "e${disk%=*}" 20
    done
    shown=$(aoe-stat)
    echo "$shown"
    for disk in $DISKS; do
        bytes=$(disk_bytes "e${disk%=*}")
        check_eq "size of e${disk%=*}" "${disk#*=}" "$bytes"
        check_eq "aoe-stat shows e${disk%=*} up" up "$(echo "$shown" | awk -v d="e${disk%=*}" '$1 == d { print $NF }')"
    done
    check_eq "sectors per frame fit the MTU" "$(((MTU - 36) / 512 * 512))" "$(disk_attr e1.0 payload)"
}

step_content() {
    check_eq "reads what the host put there" "$HEAD_SUM" "$(sum /dev/etherd/e1.0 $((1 << 20)))"
    dd if=/dev/urandom of=/tmp/random bs=1M count=4 2>/dev/null
    check "writes 4 MiB" dd if=/tmp/random of=/dev/etherd/e1.2 bs=64k seek=$((8 << 4)) oflag=direct
    check_eq "reads them back" "$(sha256sum </tmp/random | cut -d' ' -f1)" "$(sum /dev/etherd/e1.2 $((4 << 20)) $((8 << 20)))"
    mark content "$(sha256sum </tmp/random | cut -d' ' -f1)"
}

step_fs() {
    check "mkfs.ext4" mkfs.ext4 -q -F /dev/etherd/e1.0
    check "mount" mount -t ext4 /dev/etherd/e1.0 /mnt
    check "copy" cp /tmp/random /mnt/copy
    mkdir /mnt/many
    for n in $(seq 200); do echo "file $n" >"/mnt/many/$n"; done
    check "umount" umount /mnt
    check "e2fsck finds nothing" e2fsck -fn /dev/etherd/e1.0
    check "mount again" mount -t ext4 /dev/etherd/e1.0 /mnt
    check "copy is unchanged" cmp /tmp/random /mnt/copy
    check_eq "all small files are there" 200 "$(cat /mnt/many/* | sort -u | wc -l)"
    umount /mnt
}

step_fio() {
    local n job
    for n in 1 2 3; do
        job=FIO_$n
        # shellcheck disable=SC2086  # a list of options
        check "fio verify: ${!job}" fio_verify "job$n" /dev/etherd/e1.3 ${!job}
    done
}

step_grow() {
    mark grow
    hear
    check "aoe-revalidate" aoe-revalidate e1.2
    local n
    for n in $(seq 50); do
        [ "$(disk_bytes e1.2)" = "$GROWN" ] && break
        sleep 0.1
    done
    check_eq "sees the new size" "$GROWN" "$(disk_bytes e1.2)"
    check "writes the last MiB" dd if=/tmp/random of=/dev/etherd/e1.2 bs=1M count=1 seek=$(((GROWN >> 20) - 1)) oflag=direct
    check_eq "reads the last MiB" "$(head -c $((1 << 20)) /tmp/random | sha256sum | cut -d' ' -f1)" "$(sum /dev/etherd/e1.2 $((1 << 20)) $((GROWN - (1 << 20))))"
}

step_readonly() {
    check "a write to the read-only export fails" not dd if=/tmp/random of=/dev/etherd/e1.1 bs=4k count=1 oflag=direct
    check_eq "it can be read" "$RO_SUM" "$(sum /dev/etherd/e1.1 $((1 << 20)))"
}

step_reserve() {
    # The driver repeats a refused request until its deadline: make that short.
    local param=/sys/module/aoe/parameters/aoe_deadsecs before
    before=$(cat "$param")
    mark reserve
    hear
    echo 4 >"$param"
    check "a read of the reserved export fails" not dd if=/dev/etherd/e1.2 of=/dev/null bs=4k count=1 iflag=direct
    check "another export is not touched" dd if=/dev/etherd/e1.0 of=/dev/null bs=4k count=1 iflag=direct
    echo "$before" >"$param"
    mark release
    hear
    aoe-discover
    wait_disk_up e1.2 20
    check "after the release it can be read" dd if=/dev/etherd/e1.2 of=/dev/null bs=4k count=1 iflag=direct
}

wait_disk_up() {
    local n
    for ((n = 0; n < $2 * 10; n++)); do
        [ "$(disk_attr "$1" state)" = up ] && return 0
        [ $((n % 10)) = 9 ] && aoe-discover
        sleep 0.1
    done
    return 1
}

step_mask() {
    mark mask
    hear
    check "the driver unloads" rmmod aoe
    check "and loads" modprobe aoe
    aoe-discover
    check "finds the unmasked export" wait_disk e1.0 20
    check "does not find the masked one" not wait_disk e1.2 4
    mark unmask
    hear
    aoe-discover
    check "finds it when the mask is gone" wait_disk e1.2 20
}

links_up
for step in $STEPS; do
    echo "--- $step, $(cut -d' ' -f1 /proc/uptime) s"
    "step_$step"
done
dmesg | grep aoe | tail -n 20
exit 0
