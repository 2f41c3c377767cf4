# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Debian's nbd-client over four connections: a file system, then fio in rounds while the host kills the dataplane.

disk=/dev/nbd0
links_up
ip addr add 10.9.0.2/24 dev eth0
check "loads the nbd driver" modprobe nbd nbds_max=1
take_program nbd_keep
check "nbd-client connects four times" \
    nbd-client 10.9.0.1 10809 $disk -N disk -b 4096 -persist -connections 4 -timeout 3
check_eq "the size of the disk" "$SIZE" "$(($(cat /sys/block/nbd0/size) * 512))"
# nbd-client leaves the kernel alone with its connections: -persist does nothing when it configures by netlink.
/tmp/nbd_keep 0 10.9.0.1 10809 disk 60 >/tmp/keep.log 2>&1 &
for _ in $(seq 100); do
    grep -q ready /tmp/keep.log && break
    sleep 0.05
done

check "mkfs" mkfs.ext4 -q -F $disk
mkdir -p /mnt/nbd
check "mounts" mount -t ext4 $disk /mnt/nbd
dd if=/dev/urandom of=/tmp/content bs=64k count=64 2>/dev/null
cp /tmp/content /mnt/nbd/before
sync
# Written before the first kill, read after the last.
# shellcheck disable=SC2086  # a list of options
check "fio before the kills" fio_verify base /mnt/nbd/base $FIO
mark running

pattern() { printf -- '--verify=pattern --verify_pattern=0x%08x%%o --randseed=%d' "$1" "$1"; }
round=0
heard=
while [ "$heard" != stop ]; do
    round=$((round + 1))
    last=$(pattern $round)
    # shellcheck disable=SC2086
    if ! fio_verify file /mnt/nbd/file $FIO $last >/tmp/file.log; then
        bad "fio failed in round $round"
        cat /tmp/file.log
        break
    fi
    # Acknowledged, and known to the host before the next kill.
    cp /tmp/content "/mnt/nbd/copy-$((round % 4))"
    sync
    read -r -t 0.01 heard <&3
done
check "fio and the file system saw no error in $round rounds" [ "$heard" = stop ]
# shellcheck disable=SC2086
check "what fio wrote before the kills is there" fio_verify base /mnt/nbd/base $FIO --verify_only
# shellcheck disable=SC2086
check "what fio wrote last is there" fio_verify file /mnt/nbd/file $FIO $last --verify_only
echo 3 >/proc/sys/vm/drop_caches
check "the copy before the kills is whole" cmp /tmp/content /mnt/nbd/before
check "the copy of the last round is whole" cmp /tmp/content "/mnt/nbd/copy-$((round % 4))"
check "unmounts" umount /mnt/nbd
check "e2fsck finds nothing" e2fsck -fn $disk
mark rounds "$round"
mark replaced "$(grep -c replaced /tmp/keep.log)"
grep -v replaced /tmp/keep.log
check_eq "no I/O error in the kernel's log" 0 "$(dmesg | grep -c 'I/O error')"
dmesg | grep nbd0 | tail -n 12
mark sum "$(sha256sum </tmp/content | cut -d' ' -f1)"
kill %1
check "nbd-client disconnects" nbd-client -d $disk
exit 0
