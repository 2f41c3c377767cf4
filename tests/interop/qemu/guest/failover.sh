# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Two NICs, two paths to e1.0; the host takes one away while fio runs.

links_up
check "loads the aoe driver" modprobe aoe
aoe-discover
check "finds e1.0" wait_disk e1.0 20
sleep 0.5
aoe-stat
check_eq "both interfaces lead to e1.0" "eth0,eth1" "$(disk_attr e1.0 netif | tr , '\n' | sort | paste -sd,)"
# shellcheck disable=SC2086  # a list of options
check "fio verify over both paths" fio_verify both /dev/etherd/e1.0 $FIO_BOTH
mark cut
hear
# shellcheck disable=SC2086
fio_verify cut /dev/etherd/e1.0 $FIO_CUT &
fio=$!
mark running
hear
check "fio verify goes on when a link goes down" wait $fio
note "longest I/O:$(grep -E '^ +lat ' /tmp/fio-cut | head -n 1)"
mark after
# shellcheck disable=SC2086
check "fio verify over the path that is left" fio_verify left /dev/etherd/e1.0 $FIO_LEFT
dmesg | grep aoe | tail -n 20
exit 0
