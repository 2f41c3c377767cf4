# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Put before every guest script.  Descriptor 3 is the line to the host.

ok() { echo "ok $*" | tee /dev/fd/3; }
bad() { echo "bad $*" | tee /dev/fd/3; }
note() { echo "note $*" | tee /dev/fd/3; }
mark() { echo "mark $*" | tee /dev/fd/3; }

# hear: waits for the host's next line, printed to stdout.
hear() {
    local line
    read -r line <&3
    echo "$line"
}

# check TEXT COMMAND...
check() {
    local text=$1
    shift
    if "$@"; then ok "$text"; else bad "$text"; fi
}

# check_eq TEXT EXPECTED ACTUAL
check_eq() {
    if [ "$2" = "$3" ]; then ok "$1"; else bad "$1: expected '$2', got '$3'"; fi
}

# take_program NAME: one that guest_start was given.
take_program() {
    cat "/sys/firmware/qemu_fw_cfg/by_name/opt/wherry/$1/raw" >"/tmp/$1"
    chmod +x "/tmp/$1"
}

not() { ! "$@"; }

links_up() {
    local dev n
    for dev in /sys/class/net/eth*; do
        dev=${dev##*/}
        ip link set "$dev" mtu "${MTU:-1500}" up
        for n in $(seq 80); do
            [ "$(cat "/sys/class/net/$dev/carrier")" = 1 ] && break
            sleep 0.1
        done
        echo "$dev up after $n"
    done
}

# wait_disk NAME SECONDS: a discovered target, e.g. e1.0.
wait_disk() {
    local n
    for ((n = 0; n < $2 * 10; n++)); do
        [ -b "/dev/etherd/$1" ] && [ "$(disk_bytes "$1")" != 0 ] && return 0
        # The driver asks on its own once a minute only.
        [ $((n % 10)) = 9 ] && aoe-discover
        sleep 0.1
    done
    return 1
}

disk_attr() { cat "/sys/block/etherd!$1/$2" 2>/dev/null; }
disk_bytes() { echo $(($(disk_attr "$1" size || echo 0) * 512)); }

# sum FILE BYTES [OFFSET]: SHA-256 read past the page cache, in whole MiB.
sum() { dd if="$1" bs=1M iflag=direct count=$(($2 >> 20)) skip=$((${3:-0} >> 20)) 2>/dev/null | sha256sum | cut -d' ' -f1; }

# fio_verify NAME FILE ARGUMENTS...: writes and reads back with a checksum in every block.
fio_verify() {
    local name=$1 file=$2
    shift 2
    fio --name="$name" --filename="$file" --ioengine=libaio --direct=1 --rw=randwrite --verify=crc32c \
        --verify_fatal=1 --verify_state_save=0 --output="/tmp/fio-$name" "$@"
    local rc=$?
    [ $rc = 0 ] || cat "/tmp/fio-$name"
    grep -E 'IOPS=|err=' "/tmp/fio-$name"
    return $rc
}
