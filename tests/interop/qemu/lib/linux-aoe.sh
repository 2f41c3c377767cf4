# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What the cases around the Linux aoe driver share: four exports and the guest that uses them.
# shellcheck disable=SC2034  # for the cases

MIB=$((1 << 20))
FIO_1="--bs=512 --iodepth=1 --size=256k --randseed=11"
FIO_2="--bs=4k --iodepth=4 --offset=4M --size=4M --randseed=12"
FIO_3="--bs=64k --iodepth=16 --offset=8M --size=16M --randseed=13"

# linux_aoe_setup: e1.0 file system, e1.1 read-only, e1.2 grows and is fenced, e1.3 fio; each on a file.
linux_aoe_setup() {
    net_up 1 1500
    fs=$(target_file fs 64)
    readonly_file=$(target_file readonly 8)
    grows=$(target_file grows 32)
    fio_file=$(target_file fio 32)
    target_start srv0
    target_export 1.0 file "$fs"
    target_export 1.1 file "$readonly_file" ro
    target_export 1.2 file "$grows"
    target_export 1.3 file "$fio_file"
}

# linux_aoe_guest NAME NIC MTU STEPS [kernel=FLAVOUR]
linux_aoe_guest() {
    guest_start "$1" linux-aoe.sh nic="$2" MTU="$3" STEPS="$4" "${@:5}" \
        DISKS="1.0=$((64 * MIB)) 1.1=$((8 * MIB)) 1.2=$(stat -c %s "$grows") 1.3=$((32 * MIB))" \
        HEAD_SUM="$(target_sum "$fs" "$MIB")" RO_SUM="$(target_sum "$readonly_file" "$MIB")" GROWN=$((64 * MIB)) \
        FIO_1="$FIO_1" FIO_2="$FIO_2" FIO_3="$FIO_3"
}

# linux_aoe_check_fio NAME: reads on this side what the guest's fio wrote, then clears it.
linux_aoe_check_fio() {
    local n job
    for n in 1 2 3; do
        job=FIO_$n
        # shellcheck disable=SC2086  # a list of options
        check "$1: backing file holds what fio wrote, job $n" target_check_fio "job$n" "$fio_file" ${!job}
    done
    # The next guest must not find this one's blocks.
    head -c 32M /dev/zero | dd of="$fio_file" conv=notrunc status=none
}
