# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# e1.0 is served in VLAN 100 only, e1.1 without a tag only.

links_up
modprobe 8021q
check "makes VLAN 100" ip link add link eth0 name eth0.100 type vlan id 100
ip link add link eth0 name eth0.200 type vlan id 200
check "loads the aoe driver" modprobe aoe
aoe-discover
check "finds the untagged export" wait_disk e1.1 20
check "does not find the tagged one without its VLAN" not wait_disk e1.0 2
ip link set eth0.200 up
aoe-discover
check "nor in another VLAN" not wait_disk e1.0 2
ip link set eth0.100 up
aoe-discover
check "finds it in VLAN 100" wait_disk e1.0 20
check_eq "through VLAN 100 only" eth0.100 "$(disk_attr e1.0 netif)"
check_eq "the other one without a tag only" eth0 "$(disk_attr e1.1 netif)"
# shellcheck disable=SC2086  # a list of options
check "fio verify in the VLAN" fio_verify vlan /dev/etherd/e1.0 $FIO_VLAN
exit 0
