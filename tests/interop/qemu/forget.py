#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""forget.py FILE OFFSET SIZE BLOCK COMMAND...: make a target forget writes, to see whether the tests find out.

Waits until fio is in the middle of a round over the range, runs the command (which kills the target), and puts back what
the blocks written until then held before.  Only the last few of those were not acknowledged yet.
"""
import os
import subprocess
import sys
import time

path, offset, size, block = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
deadline = time.monotonic() + 60


def now(file):
    os.posix_fadvise(file, offset, size, os.POSIX_FADV_DONTNEED)
    data = os.pread(file, size, offset)
    return [data[at:at + block] for at in range(0, size, block)]


def changed(file, before):
    return [index for index, data in enumerate(now(file)) if data != before[index]]


file = os.open(path, os.O_RDWR)
total = size // block
while True:
    # Nothing written for a moment: fio verifies, and what comes next is a new round.
    before = now(file)
    time.sleep(0.05)
    if changed(file, before):
        continue
    written = []
    while len(written) < total // 8 and time.monotonic() < deadline:
        time.sleep(0.005)
        written = changed(file, before)
    if len(written) < total // 8:
        sys.exit("no round of fio seen")
    if len(written) <= total // 2:
        break
subprocess.run(sys.argv[5:], check=True)
for index in written:
    os.pwrite(file, before[index], offset + index * block)
os.fsync(file)
print(len(written))
