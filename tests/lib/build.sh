#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Configure, when needed, and compile one of the builds: gcc | asan | clang.
set -eu
cd -- "$(dirname -- "$0")/../.."

CC=gcc
case ${1:-} in
gcc)
    dir=build
    set --
    ;;
asan)
    dir=build-asan
    set -- -Db_sanitize=address,undefined -Db_lundef=false
    ;;
clang)
    dir=build-clang CC=clang
    set -- -Dfuzz=true -Db_lundef=false
    ;;
*)
    echo "usage: build.sh gcc|asan|clang" >&2
    exit 2
    ;;
esac
export CC

# A directory that another version of meson made, or that an interrupted set-up left, is made again.
if [ -d $dir ] && ! meson introspect --buildoptions $dir >/dev/null 2>&1; then
    rm -rf $dir
fi
[ -f $dir/build.ninja ] || meson setup $dir "$@"
exec ninja -C $dir ${WHERRY_JOBS:+-j"$WHERRY_JOBS"}
