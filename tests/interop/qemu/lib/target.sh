# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The AoE target under test.  TARGET=wherry (default) is the appliance; TARGET=vblade
# runs Debian's vblade instead, which checks the tests themselves against a peer:
# what vblade cannot do is passed over.

TARGET=${TARGET:-wherry}
# shellcheck source-path=SCRIPTDIR source=target-wherry.sh
case $TARGET in
wherry | vblade) . "$QEMU_DIR/lib/target-$TARGET.sh" ;;
*) fail "TARGET is '$TARGET': expected wherry or vblade" ;;
esac

target_is_wherry() { [ "$TARGET" = wherry ]; }

# target_file NAME MIB: an image of random bytes for the first MiB, a hole behind; prints its path.
target_file() {
    local path=$DIR/$1.img
    head -c 1M /dev/urandom >"$path"
    truncate -s "$2M" "$path"
    echo "$path"
}

# target_sum FILE BYTES [OFFSET]: SHA-256 of a part of a backing file, in whole MiB.
target_sum() { dd if="$1" bs=1M count=$(($2 >> 20)) skip=$((${3:-0} >> 20)) status=none | sha256sum | cut -d' ' -f1; }

# target_check_fio NAME FILE ARGUMENTS...: the blocks that the guest's fio_verify wrote, read again on this side.
target_check_fio() {
    local name=$1 file=$2
    shift 2
    fio --name="$name" --filename="$file" --ioengine=psync --rw=randwrite --verify=crc32c --verify_only \
        --verify_fatal=1 --verify_state_save=0 --output="$DIR/fio-$name" "$@" && return 0
    tail -n 20 "$DIR/fio-$name"
    return 1
}
