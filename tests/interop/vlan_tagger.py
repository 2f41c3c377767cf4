#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A VLAN interface for kernels that have none: vlan_tagger.py NETNS DEVICE VLAN TAP_NETNS TAP

Makes a tap in one namespace, tags what comes out of it and sends that by a device in another one; frames of the VLAN
that arrive there go the other way.  Ends with a signal; the tap ends with it.
"""
import fcntl
import os
import select
import socket
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import aoe  # noqa: E402

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000


def open_tap(netns, name):
    with aoe.Namespace(netns):
        tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return tap


def main():
    netns, device, vlan, tap_netns, name = sys.argv[1:]
    tag = struct.pack("!HH", aoe.VLAN_ETHERTYPE, int(vlan))
    tap = open_tap(tap_netns, name)
    with aoe.Client(device, netns=netns, promiscuous=True) as wire:
        print("ready", flush=True)
        while True:
            readable = select.select([tap, wire.socket], [], [])[0]
            if tap in readable:
                try:
                    frame = os.read(tap, 65536)
                    wire.send(frame[:12] + tag + frame[12:])
                except (BlockingIOError, OSError):
                    pass  # the wire is down, or full: it is Ethernet
            if wire.socket in readable:
                try:
                    frame = wire.receive(0.001)
                except OSError:
                    continue
                if frame and frame[12:14] == tag[:2] and frame[14] & 0xF == tag[2] & 0xF and frame[15] == tag[3]:
                    try:
                        os.write(tap, frame[:12] + frame[16:])
                    except OSError:
                        pass


main()
