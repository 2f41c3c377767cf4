# SPDX-License-Identifier: BSD-3-Clause
"""A raw-socket AoE client, from the standard library alone.

As a module: Client sends whatever bytes a test wants and parses what comes back.
As a program: aoe.py INTERFACE discover | check SHELF.SLOT | read SHELF.SLOT LBA COUNT, in the namespace it is run in.
"""
import ctypes
import dataclasses
import os
import random
import select
import socket
import struct
import sys
import time

ETHERTYPE = 0x88A2
VLAN_ETHERTYPE = 0x8100
BROADCAST = b"\xff" * 6
SHELF_ANY, SLOT_ANY = 0xFFFF, 0xFF

FLAG_RESPONSE, FLAG_ERROR = 0x08, 0x04
ATA, CONFIG, MASK, RESERVE = 0, 1, 2, 3
ERR_COMMAND, ERR_ARGUMENT, ERR_UNAVAILABLE, ERR_CONFIG_SET, ERR_VERSION, ERR_RESERVED = 1, 2, 3, 4, 5, 6
CONFIG_READ, CONFIG_TEST, CONFIG_PREFIX, CONFIG_SET, CONFIG_FORCE = 0, 1, 2, 3, 4
RESERVE_READ, RESERVE_SET, RESERVE_FORCE = 0, 1, 2
MASK_READ, MASK_EDIT, MASK_ADD, MASK_DELETE = 0, 1, 1, 2

AFLAG_LBA48, AFLAG_WRITE = 0x40, 0x01
READ28, READ48, WRITE28, WRITE48 = 0x20, 0x24, 0x30, 0x34
IDENTIFY, FLUSH28, FLUSH48, VERIFY28, VERIFY48 = 0xEC, 0xE7, 0xEA, 0x40, 0x42
CHECK_POWER, SET_FEATURES, SMART, TRIM = 0xE5, 0xEF, 0xB0, 0x06
ATA_OK, ATA_FAILED = 0x40, 0x41
ATA_ABRT, ATA_IDNF, ATA_UNC = 0x04, 0x10, 0x40

SOL_PACKET, PACKET_AUXDATA, SO_RCVBUFFORCE, CLONE_NEWNET = 263, 8, 33, 0x40000000


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def mac_text(raw):
    return ":".join(f"{b:02x}" for b in raw)


def build(dst, src, shelf, slot, command, tag, argument, *, version=1, flags=0, vlan=None, pad_to=60):
    """A frame.  Everything that a test may want wrong is a parameter."""
    frame = dst + src
    if vlan is not None:
        frame += struct.pack("!HH", VLAN_ETHERTYPE, vlan)
    frame += struct.pack("!HBBHBBI", ETHERTYPE, (version << 4) | flags, 0, shelf, slot, command, tag) + argument
    return frame.ljust(pad_to, b"\0")


def ata_argument(command, lba=0, count=0, data=b"", *, aflags=None, feature=0, device=0):
    if aflags is None:
        aflags = (AFLAG_LBA48 if command in (READ48, WRITE48, FLUSH48, VERIFY48) else 0)
        aflags |= AFLAG_WRITE if command in (WRITE28, WRITE48) else 0
    lba_bytes = bytearray(lba.to_bytes(6, "little"))
    lba_bytes[3] |= device
    return struct.pack("!BBBB", aflags, feature, count & 0xFF, command) + bytes(lba_bytes) + b"\0\0" + data


def config_argument(ccmd, text=b"", *, length=None):
    return struct.pack("!HHBBH", 0, 0, 0, 0x10 | ccmd, len(text) if length is None else length) + text


def mask_argument(mcmd, directives=(), *, count=None):
    body = b"".join(struct.pack("!BB", 0, dcmd) + mac for dcmd, mac in directives)
    return struct.pack("!BBBB", 0, mcmd, 0, len(directives) if count is None else count) + body


def reserve_argument(rcmd, macs=(), *, count=None):
    return struct.pack("!BB", rcmd, len(macs) if count is None else count) + b"".join(macs)


@dataclasses.dataclass
class Answer:
    """A received AoE frame, taken apart.  argument starts at offset 24 of the untagged frame."""
    raw: bytes
    dst: bytes
    src: bytes
    vlan: object
    version: int
    flags: int
    error: int
    shelf: int
    slot: int
    command: int
    tag: int
    argument: bytes

    @property
    def failed(self):
        return bool(self.flags & FLAG_ERROR)

    @property
    def address(self):
        return f"{self.shelf}.{self.slot}"

    # ATA
    @property
    def ata_error(self):
        return self.argument[1]

    @property
    def ata_count(self):
        return self.argument[2]

    @property
    def ata_status(self):
        return self.argument[3]

    @property
    def data(self):
        return self.argument[12:]

    # Query Config
    @property
    def buffer_count(self):
        return struct.unpack_from("!H", self.argument, 0)[0]

    @property
    def sectors(self):
        return self.argument[4]

    @property
    def config(self):
        length = struct.unpack_from("!H", self.argument, 6)[0]
        return self.argument[8:8 + length]

    # MAC mask: directives; reserve: list
    @property
    def mask(self):
        count = self.argument[3]
        return [self.argument[4 + 8 * i + 2:4 + 8 * i + 8] for i in range(count)]

    @property
    def reserve(self):
        return [self.argument[2 + 6 * i:8 + 6 * i] for i in range(self.argument[1])]


def parse(raw):
    """An Answer, or None when the frame is not AoE or is too short to be."""
    vlan, at = None, 12
    if len(raw) >= 18 and struct.unpack_from("!H", raw, 12)[0] == VLAN_ETHERTYPE:
        vlan, at = struct.unpack_from("!H", raw, 14)[0] & 0xFFF, 16
    if len(raw) < at + 12 or struct.unpack_from("!H", raw, at)[0] != ETHERTYPE:
        return None
    verflags, error, shelf, slot, command, tag = struct.unpack_from("!BBHBBI", raw, at + 2)
    return Answer(raw, raw[0:6], raw[6:12], vlan, verflags >> 4, verflags & 0xF, error, shelf, slot, command, tag,
                  raw[at + 12:])


class Namespace:
    """Opens sockets in a named network namespace; a plain 'with'."""

    def __init__(self, name):
        self.name = name
        self.libc = ctypes.CDLL(None, use_errno=True)

    def enter(self, path):
        with open(path, "rb") as file:
            if self.libc.setns(file.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns", path)

    def __enter__(self):
        if self.name:
            self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
            self.enter(f"/run/netns/{self.name}")

    def __exit__(self, *_):
        if self.name:
            self.enter(f"/proc/self/fd/{self.home}")
            os.close(self.home)


class Client:
    """One station: an interface, and a source MAC that may be any."""

    def __init__(self, interface, *, netns=None, mac=None, vlan=None, promiscuous=False):
        with Namespace(netns):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
            self.socket.bind((interface, 0x0003))
            if promiscuous or mac:
                index = socket.if_nametoindex(interface)
                self.socket.setsockopt(SOL_PACKET, 1, struct.pack("iHH8s", index, 1, 0, b""))  # PACKET_MR_PROMISC
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        self.mac = mac or self.socket.getsockname()[4]
        self.vlan = vlan
        self.tag = random.randrange(1, 1 << 30)
        self.server = BROADCAST

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- frames
    def next_tag(self):
        self.tag = (self.tag % 0x7FFFFFFF) + 1
        return self.tag

    def send(self, frame):
        self.socket.send(frame)

    def receive(self, timeout_s):
        """The next frame that was not sent by this machine, or None."""
        deadline = time.monotonic() + timeout_s
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return None
            raw, extra, _, address = self.socket.recvmsg(65536, 256)
            if address[2] == socket.PACKET_OUTGOING:
                continue
            for level, kind, data in extra:
                if level == SOL_PACKET and kind == PACKET_AUXDATA:
                    status, _, _, _, _, tci = struct.unpack_from("IIIHHH", data)
                    if status & 0x10:  # TP_STATUS_VLAN_VALID: the kernel took the tag out of the frame
                        raw = raw[:12] + struct.pack("!HH", VLAN_ETHERTYPE, tci) + raw[12:]
            return raw

    def receive_aoe(self, timeout_s, tag=None):
        """The next AoE frame (with this tag) for this station or for all; None when there is none in time."""
        deadline = time.monotonic() + timeout_s
        while True:
            left = deadline - time.monotonic()
            raw = self.receive(left) if left > 0 else None
            if raw is None:
                return None
            answer = parse(raw)
            if answer and answer.dst in (self.mac, BROADCAST) and (tag is None or answer.tag == tag):
                return answer

    def drain(self, quiet_s=0.2):
        """Throw away what comes until it is quiet; how much it was."""
        count = 0
        while self.receive(quiet_s) is not None:
            count += 1
        return count

    # ---- requests
    def ask(self, shelf, slot, command, argument, *, timeout_s=2.0, tries=1, dst=None, tag=None, **frame):
        """One request and its answer (None: silence).  A retry carries a new tag, as Linux does."""
        frame.setdefault("vlan", self.vlan)
        for _ in range(tries):
            used = self.next_tag() if tag is None else tag
            self.send(build(dst or self.server, self.mac, shelf, slot, command, used, argument, **frame))
            answer = self.receive_aoe(timeout_s, used)
            if answer:
                return answer
        return None

    def ask_all(self, shelf, slot, command, argument, *, quiet_s=0.5, dst=BROADCAST, **frame):
        """Every answer to one request, until none came for quiet_s."""
        frame.setdefault("vlan", self.vlan)
        tag = self.next_tag()
        self.send(build(dst, self.mac, shelf, slot, command, tag, argument, **frame))
        answers = []
        while True:
            answer = self.receive_aoe(quiet_s, tag)
            if answer is None:
                return answers
            answers.append(answer)

    def discover(self, shelf=SHELF_ANY, slot=SLOT_ANY, **options):
        return self.ask_all(shelf, slot, CONFIG, config_argument(CONFIG_READ), **options)

    def find(self, shelf, slot, timeout_s=5.0):
        """Wait until the export answers and learn the server's MAC.  The Config answer; raises when it stays silent."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            answer = self.ask(shelf, slot, CONFIG, config_argument(CONFIG_READ), dst=BROADCAST, timeout_s=0.2)
            if answer:
                self.server = answer.src
                return answer
        raise TimeoutError(f"{shelf}.{slot} does not answer a Config read within {timeout_s} s")

    def ata(self, shelf, slot, command, lba=0, count=0, data=b"", *, timeout_s=2.0, tries=3, dst=None, tag=None,
            frame=None, **argument):
        return self.ask(shelf, slot, ATA, ata_argument(command, lba, count, data, **argument), timeout_s=timeout_s,
                        tries=tries, dst=dst, tag=tag, **(frame or {}))

    def identify(self, shelf, slot):
        """The 256 words."""
        answer = self.ata(shelf, slot, IDENTIFY, count=1)
        if answer is None or answer.failed or answer.ata_status != ATA_OK:
            raise OSError(f"IDENTIFY of {shelf}.{slot} failed: {answer}")
        return struct.unpack("<256H", answer.data[:512])

    def sector_count(self, shelf, slot):
        words = self.identify(shelf, slot)
        return words[100] | words[101] << 16 | words[102] << 32 | words[103] << 48

    def write(self, shelf, slot, lba, data, **options):
        answer = self.ata(shelf, slot, WRITE48, lba, len(data) // 512, data, **options)
        if answer is None or answer.failed or answer.ata_status != ATA_OK:
            raise OSError(f"write of {shelf}.{slot} lba {lba} failed: {answer}")

    def read(self, shelf, slot, lba, count, **options):
        answer = self.ata(shelf, slot, READ48, lba, count, **options)
        if answer is None or answer.failed or answer.ata_status != ATA_OK:
            raise OSError(f"read of {shelf}.{slot} lba {lba} failed: {answer}")
        return answer.data[:512 * count]


def pattern(lba, count, seed=0):
    """Sectors that tell which they are."""
    return b"".join(random.Random((seed << 48) ^ (lba + i)).randbytes(512) for i in range(count))


def check(client, shelf, slot):
    """Write and read back at the start, the middle and the end; the content that was there is put back."""
    config = client.find(shelf, slot)
    sectors = client.sector_count(shelf, slot)
    count = max(1, min(config.sectors, 2, sectors))
    for lba in sorted({0, sectors // 2, sectors - count}):
        before = client.read(shelf, slot, lba, count)
        wanted = pattern(lba, count, seed=random.randrange(1 << 16))
        client.write(shelf, slot, lba, wanted)
        got = client.read(shelf, slot, lba, count)
        client.write(shelf, slot, lba, before)
        if got != wanted:
            raise OSError(f"{shelf}.{slot} lba {lba}: read back something else than was written")
    print(f"{shelf}.{slot} at {mac_text(client.server)}: {sectors} sectors, {config.sectors} a frame, "
          f"{config.buffer_count} buffers; wrote and read back the start, the middle and the end")


def main(args):
    if len(args) < 2 or args[1] not in ("discover", "check", "read"):
        print(__doc__, file=sys.stderr)
        return 2
    with Client(args[0]) as client:
        if args[1] == "discover":
            for answer in sorted(client.discover(), key=lambda a: (a.shelf, a.slot)):
                print(f"{answer.address} {mac_text(answer.src)} sectors {answer.sectors} buffers {answer.buffer_count}")
            return 0
        shelf, slot = (int(part) for part in args[2].split("."))
        if args[1] == "check":
            check(client, shelf, slot)
        else:
            client.find(shelf, slot)
            sys.stdout.buffer.write(client.read(shelf, slot, int(args[3]), int(args[4])))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (OSError, ValueError, IndexError) as error:
        print(f"aoe.py: {error}", file=sys.stderr)
        sys.exit(1)
