# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Writes and verifies in rounds while the host kills the target: e1.0 is a file, e1.1 memory.

links_up
check "loads the aoe driver" modprobe aoe
aoe-discover
check "finds e1.0" wait_disk e1.0 20
check "finds e1.1" wait_disk e1.1 20
# Written before the first kill, read after the last.
# shellcheck disable=SC2086  # lists of options
for disk in e1.0 e1.1; do check "$disk: fio before the kills" fio_verify "base-$disk" /dev/etherd/$disk $FIO_BASE; done
mark running
# Every round has a pattern of its own: a block that an earlier round left behind, or a write that lands late, is found.
# (fio's crc32c would take an old block for good.)
pattern() { printf -- '--verify=pattern --verify_pattern=0x%08x%%o --randseed=%d' "$1" "$1"; }

round=0
heard=
while [ -z "$heard" ]; do
    round=$((round + 1))
    last=$(pattern $round)
    # shellcheck disable=SC2086  # lists of options
    fio_verify file /dev/etherd/e1.0 $FIO_FILE $last >/tmp/file.log &
    file=$!
    # shellcheck disable=SC2086
    fio_verify ram /dev/etherd/e1.1 $FIO_RAM $last >/tmp/ram.log &
    ram=$!
    wait $file
    file_rc=$?
    wait $ram
    ram_rc=$?
    if [ -n "${PLANTED:-}" ] && [ $file_rc != 0 ]; then
        # 84 (EILSEQ) is what fio ends with when verification fails; an I/O error does not count.
        if [ $ram_rc = 0 ] && grep -q err=84 /tmp/file.log; then mark lost "$round"; fi
        cat /tmp/file.log
        exit 0
    fi
    if [ $file_rc != 0 ] || [ $ram_rc != 0 ]; then
        bad "fio failed in round $round"
        cat /tmp/file.log /tmp/ram.log
        break
    fi
    read -r -t 0.01 heard <&3
done
check "fio saw no error in $round rounds" [ -n "$heard" ]
# shellcheck disable=SC2086
for disk in e1.0 e1.1; do
    check "$disk: what was written before the kills is there" \
        fio_verify "base-$disk" /dev/etherd/$disk $FIO_BASE --verify_only
done
# shellcheck disable=SC2086
check "e1.1: the last round is there" fio_verify ram /dev/etherd/e1.1 $FIO_RAM $last --verify_only
mark rounds "$round"
mark last "$last"
dmesg | grep aoe | tail -n 20
exit 0
