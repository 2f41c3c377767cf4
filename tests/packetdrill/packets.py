# SPDX-License-Identifier: BSD-3-Clause
"""Packets as packetdrill writes them, and as they are on the wire."""
import re
import socket
import struct

FLAGS = {"F": 0x01, "S": 0x02, "R": 0x04, "P": 0x08, ".": 0x10, "U": 0x20, "E": 0x40, "W": 0x80}
ECN = {"noecn": 0, "ect1": 1, "ect0": 2, "ce": 3}
ICMP_V4 = {"host_unreachable": (3, 1), "protocol_unreachable": (3, 2), "port_unreachable": (3, 3),
           "frag_needed": (3, 4), "net_prohibited": (3, 9), "host_prohibited": (3, 10)}
ICMP_V6 = {"packet_too_big": (2, 0), "no_route": (1, 0), "admin_prohibited": (1, 1), "address_unreachable": (1, 3),
           "port_unreachable": (1, 4)}
REMOTE_ISN = 0x51000000
MASK = 0xffffffff


class ScriptError(Exception):
    """A line that cannot be read."""


class Packet:
    """One TCP segment, or an ICMP error; numbers as the script counts them."""

    def __init__(self):
        self.flags = self.seq = self.length = self.ack = 0
        self.window = self.options = self.ecn = self.icmp = self.mtu = None

    def __str__(self):
        names = "".join(name for name, bit in FLAGS.items() if name != "." and self.flags & bit)
        text = f"{names}{'.' if self.flags & 0x10 else ''} {self.seq}:{self.seq + self.length}({self.length})"
        if self.flags & 0x10:
            text += f" ack {self.ack}"
        if self.window is not None:
            text += f" win {self.window}"
        if self.options:
            text += " <" + ",".join(" ".join(str(word) for word in option) for option in self.options) + ">"
        return text


def parse_options(text):
    """A list of tuples (name, numbers...); None for <...>, which is not looked at."""
    options = []
    for word in (part.strip() for part in text.split(",")):
        if word == "...":
            return None
        if word in ("nop", "eol", "sackOK"):
            options.append((word,))
        elif match := re.fullmatch(r"(mss|wscale) (\d+)", word):
            options.append((match[1], int(match[2])))
        elif match := re.fullmatch(r"TS val (\d+) ecr (\d+)", word):
            options.append(("TS", int(match[1]), int(match[2])))
        elif match := re.fullmatch(r"sack((?: \d+:\d+)+)", word):
            options.append(("sack", *(int(n) for pair in match[1].split() for n in pair.split(":"))))
        elif word:
            raise ScriptError(f"no such option: {word}")
    return options


SEGMENT = re.compile(r"(?:\[(\w+)\]\s+)?([FSRPUEW.]+)\s+(\d+):(\d+)\((\d+)\)(?:\s+ack\s+(\d+))?(?:\s+win\s+(\d+))?"
                     r"(?:\s+<(.*)>)?")
ICMP = re.compile(r"icmp\s+(\w+)(?:\s+(?!mtu)(\w+))?(?:\s+mtu\s+(\d+))?\s+\[(\d+):(\d+)\((\d+)\)\]")


def parse(text):
    packet = Packet()
    if match := ICMP.fullmatch(text):
        packet.icmp = match[2] or match[1]
        packet.mtu = int(match[3] or 0)
        packet.seq, packet.length = int(match[4]), int(match[6])
        return packet
    match = SEGMENT.fullmatch(text)
    if not match:
        raise ScriptError(f"no packet: {text}")
    packet.ecn = ECN[match[1]] if match[1] else None
    packet.flags = sum(FLAGS[flag] for flag in match[2])
    packet.seq, packet.length, packet.ack = int(match[3]), int(match[5]), int(match[6] or 0)
    packet.window = None if match[7] is None else int(match[7])
    packet.options = [] if match[8] is None else parse_options(match[8])
    return packet


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Flow:
    """Addresses and ports of the connection, and what turns the script's numbers into those of the wire."""

    def __init__(self, family):
        self.family = family
        v4 = family == socket.AF_INET
        self.local_name, self.remote_name = ("192.168.0.1", "192.0.2.1") if v4 else ("fd3d:fa7b:d17d::1", "2001:db8::1")
        self.local, self.remote = (socket.inet_pton(family, name) for name in (self.local_name, self.remote_name))
        self.local_port, self.remote_port = 8080, 40000
        self.local_isn = None  # until it is seen
        self.ts_base = None  # the script's first timestamp of the stack, and the real one

    def pseudo(self, source, target, protocol, length):
        if self.family == socket.AF_INET:
            return source + target + struct.pack("!BBH", 0, protocol, length)
        return source + target + struct.pack("!IxxxB", length, protocol)

    def ip(self, source, target, protocol, payload, ecn=0):
        if self.family == socket.AF_INET6:
            return struct.pack("!IHBB", 6 << 28 | ecn << 20, len(payload), protocol, 64) + source + target + payload
        header = struct.pack("!BBHHHBBH", 0x45, ecn, 20 + len(payload), 0, 0x4000, 64, protocol, 0) + source + target
        return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload

    def real_ts(self, value):
        return value if self.ts_base is None or value == 0 else (value - self.ts_base[0] + self.ts_base[1]) & MASK

    def script_ts(self, value):
        return value if self.ts_base is None else (value - self.ts_base[1] + self.ts_base[0]) & MASK

    def emit_options(self, options):
        data = b""
        for option in options or []:
            name, *numbers = option
            if name in ("nop", "eol"):
                data += bytes([1 if name == "nop" else 0])
            elif name == "sackOK":
                data += bytes([4, 2])
            elif name == "mss":
                data += struct.pack("!BBH", 2, 4, numbers[0])
            elif name == "wscale":
                data += bytes([3, 3, numbers[0]])
            elif name == "TS":
                data += struct.pack("!BBII", 8, 10, numbers[0], self.real_ts(numbers[1]))
            else:
                data += bytes([5, 2 + 4 * len(numbers)]) + b"".join(
                    struct.pack("!I", (n + (self.local_isn or 0)) & MASK) for n in numbers)
        return data + b"\0" * (-len(data) % 4)

    def emit(self, packet):
        """An inbound packet's bytes, from its IP header on."""
        if packet.icmp:
            return self.emit_icmp(packet)
        options = self.emit_options(packet.options)
        ack = (packet.ack + (self.local_isn or 0)) & MASK if packet.flags & 0x10 else 0
        header = struct.pack("!HHIIBBHHH", self.remote_port, self.local_port, (packet.seq + REMOTE_ISN) & MASK, ack,
                             (20 + len(options)) // 4 << 4, packet.flags, packet.window or 0, 0, 0)
        data = header + options + bytes(packet.length)
        total = checksum(self.pseudo(self.remote, self.local, 6, len(data)) + data)
        data = data[:16] + struct.pack("!H", total) + data[18:]
        return self.ip(self.remote, self.local, 6, data, packet.ecn or 0)

    def emit_icmp(self, packet):
        v4 = self.family == socket.AF_INET
        kind, code = (ICMP_V4 if v4 else ICMP_V6)[packet.icmp]
        tcp = struct.pack("!HHIIBBHHH", self.local_port, self.remote_port, (packet.seq + self.local_isn) & MASK, 0,
                          5 << 4, 0x10, 0, 0, 0)
        quoted = self.ip(self.local, self.remote, 6, tcp + bytes(packet.length))[:28 if v4 else 60]
        data = struct.pack("!BBHI", kind, code, 0, packet.mtu) + quoted
        total = checksum(data if v4 else self.pseudo(self.remote, self.local, 58, len(data)) + data)
        return self.ip(self.remote, self.local, 1 if v4 else 58, data[:2] + struct.pack("!H", total) + data[4:])

    def take_options(self, data):
        options, at = [], 0
        while at < len(data):
            kind = data[at]
            size = 1 if kind < 2 else data[at + 1]
            body = data[at + 2:at + size]
            at += size
            if kind < 2:
                options.append(("eol" if kind == 0 else "nop",))
            elif kind == 2:
                options.append(("mss", *struct.unpack("!H", body)))
            elif kind == 3:
                options.append(("wscale", body[0]))
            elif kind == 4:
                options.append(("sackOK",))
            elif kind == 5:
                options.append(("sack", *((n - REMOTE_ISN) & MASK for n in struct.unpack(f"!{len(body) // 4}I", body))))
            elif kind == 8:
                options.append(("TS", *struct.unpack("!II", body)))
        return options

    def take(self, data):
        """An outbound segment as the script counts, its timestamp still the wire's; None: of another connection."""
        v4 = self.family == socket.AF_INET
        head = (data[0] & 15) * 4 if v4 else 40
        protocol = data[9] if v4 else data[6]
        source, target = (data[12:16], data[16:20]) if v4 else (data[8:24], data[24:40])
        if protocol != 6 or source != self.local or target != self.remote:
            return None
        tcp = data[head:]
        if checksum(self.pseudo(source, target, 6, len(tcp)) + tcp):
            raise ScriptError("a packet of the stack has a wrong checksum")
        local_port, remote_port, seq, ack, offset, flags, window = struct.unpack("!HHIIBBH", tcp[:16])
        if remote_port != self.remote_port:
            return None
        packet = Packet()
        if flags & 0x02:
            self.local_isn, self.local_port = seq, local_port
        packet.flags, packet.window = flags, window
        packet.seq = (seq - (self.local_isn or 0)) & MASK
        packet.ack = (ack - REMOTE_ISN) & MASK if flags & 0x10 else 0
        packet.length = len(tcp) - (offset >> 4) * 4
        packet.options = self.take_options(tcp[20:(offset >> 4) * 4])
        packet.ecn = (data[1] if v4 else data[1] >> 4) & 3
        return packet
