#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A well-behaved NBD client: writes and reads back with verification until SIGTERM.

    abuse_client.py URI SIZE

Prints a line of JSON four times a second: operations so far, bytes that were wrong, the longest of them since the last
line in ms.  Needs python3-libnbd, so Debian's own Python.
"""
import json
import random
import signal
import struct
import sys
import time

import nbd

BLOCK, DEPTH = 4096, 8
stopped = False


def on_signal(_number, _frame):
    global stopped
    stopped = True


def content(block, version):
    return struct.pack("<QQ", block, version) * (BLOCK // 16)


def finish(handle, cookies):
    for cookie in cookies:
        while not handle.aio_command_completed(cookie):
            handle.poll(-1)


def main():
    signal.signal(signal.SIGTERM, on_signal)
    handle = nbd.NBD()
    handle.connect_uri(sys.argv[1])
    blocks = int(sys.argv[2]) // BLOCK
    dice, versions, written = random.Random(3), {}, []
    ops = wrong = 0
    worst = 0.0
    shown = time.monotonic()
    while not stopped:
        chosen = dice.sample(range(blocks), DEPTH)
        begin = time.monotonic()
        cookies = []
        for block in chosen:
            written.append(block)
            versions[block] = versions.get(block, 0) + 1
            cookies.append(handle.aio_pwrite(nbd.Buffer.from_bytearray(bytearray(content(block, versions[block]))),
                                             block * BLOCK))
        finish(handle, cookies)
        known = chosen[: DEPTH // 2] + [written[dice.randrange(len(written))] for _ in range(DEPTH // 2)]
        buffers = [nbd.Buffer(BLOCK) for _ in known]
        finish(handle, [handle.aio_pread(buffer, block * BLOCK) for buffer, block in zip(buffers, known)])
        worst = max(worst, time.monotonic() - begin)
        wrong += sum(bytes(buffer.to_bytearray()) != content(block, versions[block])
                     for buffer, block in zip(buffers, known))
        ops += 2 * DEPTH
        if time.monotonic() - shown > 0.25:
            shown = time.monotonic()
            print(json.dumps({"ops": ops, "wrong": wrong, "worst_ms": round(worst * 1000)}), flush=True)
            worst = 0.0
    handle.shutdown()
    print(json.dumps({"ops": ops, "wrong": wrong, "worst_ms": 0, "ended": True}), flush=True)


main()
