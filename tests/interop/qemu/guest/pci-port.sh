# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The appliance on this guest's only NIC.  The host says when to go on.

export WHERRY_SOCKET=/run/wherryd.sock
serves() { wherryctl --json daemon status 2>/dev/null | tr -d '\n' | grep -q '"state": *"serving"'; }
until_serving() {
    for _ in $(seq 300); do
        serves && return 0
        sleep 0.2
    done
    return 1
}
port() { wherryctl --json port show nic | tr -d '\n' | tr -s ' '; }

for device in /sys/bus/pci/devices/*; do
    [ "$(cat "$device/class")" = 0x020000 ] && break
done
address=${device##*/}
modprobe vfio-pci
echo vfio-pci >"$device/driver_override"
echo "$address" >/sys/bus/pci/drivers_probe
check_eq "$address is bound to vfio-pci, in an IOMMU group" vfio-pci "$(basename "$(readlink "$device/driver")")"
echo 200 >/proc/sys/vm/nr_hugepages
note "$(grep HugePages_Free /proc/meminfo)"

mkdir -p /state
chown 900:900 /state
chmod 755 /run
wherryd --state-dir /state --run-dir /run --user wherry --dataplane /bin/wherry-dataplane --stop-dataplane-on-exit \
    >/tmp/wherryd.log 2>&1 &
daemon=$!
for _ in $(seq 300); do
    wherryctl daemon status >/dev/null 2>&1 && break
    [ -d "/proc/$daemon" ] || break
    sleep 0.1
done
if ! wherryctl daemon status; then
    cat /tmp/wherryd.log
    bad "wherryd does not answer: $(tail -n 1 /tmp/wherryd.log)"
    exit 1
fi
check "takes the NIC" wherryctl port add nic "pci:$address"
for slot in 0 1; do
    check "makes volume $slot" wherryctl volume create "v$slot" --backend ram --size 4M
    check "exports it" wherryctl export aoe create "1.$slot" "v$slot"
done
if ! until_serving; then
    bad "does not serve"
    cat /tmp/wherryd.log
    exit 1
fi
mark "serving $(port)"
if [ "$(hear)" = jumbo ]; then
    check "takes MTU 9000" wherryctl port set nic --mtu 9000
    check "serves again" until_serving
    mark "serving-jumbo $(port)"
    hear
fi
note "port: $(wherryctl --json stats port nic 2>&1 | tr -d '\n' | tr -s ' ' | cut -c1-700)"
kill "$daemon"
wait "$daemon"
check_eq "wherryd ends with 0" 0 $?
check "the dataplane ran in hugepages, without root, and lost no buffer" \
    sh -c '! grep -q -e "without hugepages" -e "were lost" -e "running as root" /tmp/wherryd.log'
cat /tmp/wherryd.log
exit 0
