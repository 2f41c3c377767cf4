# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What a case of this folder stands on: the common frame and the parts that only emulated guests need.
QEMU_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR
{
    . "$QEMU_DIR/../../lib/case.sh"
    . "$QEMU_DIR/lib/check.sh"
    . "$QEMU_DIR/lib/net.sh"
    . "$QEMU_DIR/lib/initrd.sh"
    . "$QEMU_DIR/lib/disk.sh"
    . "$QEMU_DIR/lib/guest.sh"
    . "$QEMU_DIR/lib/boot.sh"
    . "$QEMU_DIR/lib/target.sh"
    . "$QEMU_DIR/lib/linux-aoe.sh"
}
