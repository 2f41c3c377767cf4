# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Loses LOSS of the frames in each direction, inside the guest: queue disciplines are
# there whatever the host's kernel lacks.

links_up
check "loads the aoe driver" modprobe aoe
aoe-discover
check "finds e1.0" wait_disk e1.0 20
# Only now: a lost first IDENTIFY alone would cost the driver's initial 16 s.
for m in ifb sch_netem act_mirred cls_matchall sch_ingress; do modprobe $m; done
ip link show ifb0 >/dev/null 2>&1 || ip link add ifb0 type ifb
ip link set ifb0 up
check "loses frames on the way out" tc qdisc add dev eth0 root netem loss "$LOSS"
tc qdisc add dev eth0 ingress
tc filter add dev eth0 ingress matchall action mirred egress redirect dev ifb0
check "loses frames on the way in" tc qdisc add dev ifb0 root netem loss "$LOSS"
for n in 1 2; do
    job=FIO_$n
    # shellcheck disable=SC2086  # a list of options
    check "fio verify: ${!job}" fio_verify "job$n" /dev/etherd/e1.0 ${!job}
done
dropped=$(tc -s qdisc show | awk '/netem/ { n = 1 } n && /dropped/ { gsub(",", "", $7); sum += $7; n = 0 } END { print sum + 0 }')
tc -s qdisc show
mark dropped "$dropped"
exit 0
