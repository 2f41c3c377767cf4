#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A second AoE client on a raw socket, for what the guest cannot show.

    aoe.py IFACE probe SHELF.SLOT [--interval-ms N]   asks for the configuration until SIGTERM, then prints the gaps as JSON
    aoe.py IFACE reserve SHELF.SLOT [MAC...]          sets the reserve list (none: release)
"""
import argparse
import json
import select
import signal
import socket
import struct
import sys
import time

ETHERTYPE = 0x88A2
BROADCAST = b"\xff" * 6
COMMAND_CONFIG, COMMAND_RESERVE = 1, 3
FLAG_RESPONSE, FLAG_ERROR = 0x08, 0x04


class Client:
    def __init__(self, iface, target):
        shelf, slot = target.split(".")
        self.shelf, self.slot = int(shelf), int(slot)
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE))
        self.socket.bind((iface, ETHERTYPE))
        self.mac = self.socket.getsockname()[4]

    def send(self, command, tag, body):
        header = struct.pack(">BBHBBI", 0x10, 0, self.shelf, self.slot, command, tag)
        frame = BROADCAST + self.mac + struct.pack(">H", ETHERTYPE) + header + body
        self.socket.send(frame.ljust(60, b"\0"))

    def receive(self, timeout_s):
        """Tag, error code (0: none) and body of the next answer for us; None on time-out."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self.socket], [], [], left)[0]:
                break
            frame = self.socket.recv(16384)
            if len(frame) < 24 or frame[:6] != self.mac:
                continue
            flags, error, shelf, slot, _, tag = struct.unpack_from(">BBHBBI", frame, 14)
            if flags & FLAG_RESPONSE and (shelf, slot) == (self.shelf, self.slot):
                return tag, error if flags & FLAG_ERROR else 0, frame[24:]
        return None


def probe(client, interval_s):
    running = True

    def stop(_signal, _frame):
        nonlocal running
        running = False

    signal.signal(signal.SIGTERM, stop)
    config_read = bytes(8)
    start = last_answer = time.monotonic()
    next_send, sent, answers, gaps = start, 0, 0, []
    while running:
        now = time.monotonic()
        if now >= next_send:
            sent += 1
            try:
                client.send(COMMAND_CONFIG, sent, config_read)
            except OSError:
                pass  # the link may be down for a moment: that is a gap like any other
            next_send = max(next_send + interval_s, now)
        if client.receive(max(next_send - time.monotonic(), 0.0005)):
            now = time.monotonic()
            if answers or now - start > 1:
                gaps.append((now - last_answer, now - start))
            last_answer = now
            answers += 1
    gaps.append((time.monotonic() - last_answer, time.monotonic() - start))
    gaps.sort(reverse=True)
    print(
        json.dumps(
            {
                "sent": sent,
                "answers": answers,
                "longest_gap_ms": round(gaps[0][0] * 1000),
                "gaps_over_100_ms": sorted((round(at, 2), round(gap * 1000)) for gap, at in gaps if gap > 0.1),
            }
        )
    )
    return 0


def reserve(client, macs):
    body = bytes([1, len(macs)]) + b"".join(bytes.fromhex(m.replace(":", "")) for m in macs)
    for attempt in range(5):
        client.send(COMMAND_RESERVE, attempt + 1, body)
        answer = client.receive(1.0)
        if answer:
            _, error, _ = answer
            print(f"reserve: error {error}" if error else "reserve: done")
            return 1 if error else 0
    print("reserve: no answer")
    return 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("iface")
    commands = parser.add_subparsers(dest="command", required=True)
    p = commands.add_parser("probe")
    p.add_argument("target")
    p.add_argument("--interval-ms", type=float, default=5)
    p = commands.add_parser("reserve")
    p.add_argument("target")
    p.add_argument("macs", nargs="*")
    args = parser.parse_args()
    client = Client(args.iface, args.target)
    if args.command == "probe":
        return probe(client, args.interval_ms / 1000)
    return reserve(client, args.macs)


if __name__ == "__main__":
    sys.exit(main())
