#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A client of the dataplane's control socket, for tests of the dataplane alone.

The messages are read from include/wherry/ctl.h, so that this file knows as much as the two processes do:

    with Client(path) as ctl:
        ctl.hello()
        ctl.sync([ram_volume(1, "disk", fd, size)], [aoe_export(1, 1, 1, 0)])
        ctl.stats("export", 1)["read_ops"]

By hand:  ctl_client.py SOCKET list | stats SCOPE [ID] | capture FILE SECONDS | shutdown
"""
import array
import json
import os
import re
import socket
import struct
import sys
import time

ROOT = os.environ.get("WHERRY_ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HEADER = struct.Struct("<IHHII")
MAGIC = 0x59524857
VERSION = 1
FROM_DATAPLANE = 0x80000000
MESSAGE_BYTES_MAX = 16384
CONTROLLER, OBSERVER = 1, 2
RAM, FILE, NULL = 1, 2, 3
SCOPES = {"port": 0, "lcore": 1, "export": 2, "client": 3, "volume": 4, "nbd_export": 5}
SCOPE_LISTS = {"nbd_export": "export"}  # which list of names a scope has, when it is not its own


# ------------------------------------------------------------------ schema
def read_header(name):
    with open(os.path.join(ROOT, "include/wherry", name), encoding="utf-8") as file:
        text = file.read()
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S).replace("\\\n", " ")


def read_schema():
    """{name: (number, [(kind, field, max expression)])} and {number: name}."""
    text = read_header("ctl.h")
    fields = {}
    for name, body in re.findall(r"#define WHERRY_CTL_F_(\w+)\([^)]*\)(.*)", text):
        fields[name] = re.findall(r"\b(U8|U16|U32|U64|BOOL|STR|BYTES|MACS|U16S|U64S)\((\w+)", body)
    messages = {}
    for number, name in re.findall(r"\bMSG\((\d+), (\w+), \w+\)", text):
        messages[name] = (int(number), fields[name])
    return messages, {number: name for name, (number, _) in messages.items()}


def read_stats():
    """{scope: [names in order]}"""
    stats = {}
    for scope, name in re.findall(r"\bSTAT\((\w+),\s*(\w+),\s*[CG],", read_header("stats.h")):
        stats.setdefault(scope.lower(), []).append(name)
    return stats


MESSAGES, NAMES = read_schema()
STATS = read_stats()
INTEGERS = {"U8": "<B", "U16": "<H", "U32": "<I", "U64": "<Q", "BOOL": "<B"}


def encode_field(kind, value):
    if kind in INTEGERS:
        return struct.pack(INTEGERS[kind], int(value or 0))
    if kind == "STR":
        raw = (value or "").encode()
        return struct.pack("<H", len(raw)) + raw
    if kind == "BYTES":
        return struct.pack("<H", len(value or b"")) + (value or b"")
    if kind == "MACS":
        macs = [bytes.fromhex(mac.replace(":", "")) for mac in value or []]
        return struct.pack("<H", len(macs)) + b"".join(macs)
    values = list(value or [])
    return struct.pack(f"<H{len(values)}{'H' if kind == 'U16S' else 'Q'}", len(values), *values)


def encode(name, request_id, values):
    number, fields = MESSAGES[name]
    unknown = set(values) - {field for _, field in fields}
    if unknown:
        raise KeyError(f"{name} has no {unknown}")
    body = b"".join(encode_field(kind, values.get(field)) for kind, field in fields)
    return HEADER.pack(MAGIC, VERSION, number, request_id, len(body)) + body


def decode(packet):
    """(name, request id, {field: value})"""
    magic, version, number, request_id, length = HEADER.unpack_from(packet)
    if magic != MAGIC or version != VERSION or length != len(packet) - HEADER.size:
        raise ValueError("malformed header")
    at, values = HEADER.size, {}
    name = NAMES[number]
    for kind, field in MESSAGES[name][1]:
        if kind in INTEGERS:
            layout = struct.Struct(INTEGERS[kind])
            values[field] = layout.unpack_from(packet, at)[0]
            at += layout.size
            continue
        count = struct.unpack_from("<H", packet, at)[0]
        size = {"STR": 1, "BYTES": 1, "MACS": 6, "U16S": 2, "U64S": 8}[kind]
        raw = packet[at + 2:at + 2 + count * size]
        if len(raw) != count * size:
            raise ValueError(f"{name}.{field} is short")
        at += 2 + len(raw)
        if kind == "STR":
            values[field] = raw.decode()
        elif kind == "BYTES":
            values[field] = raw
        elif kind == "MACS":
            values[field] = [raw[i:i + 6].hex(":") for i in range(0, len(raw), 6)]
        else:
            values[field] = list(struct.unpack(f"<{count}{'H' if kind == 'U16S' else 'Q'}", raw))
    if at != len(packet):
        raise ValueError(f"{name} has {len(packet) - at} trailing bytes")
    return name, request_id, values


HELLO_OBSERVER = encode("HELLO", 1, {"version": VERSION, "software": "ctl_client", "role": OBSERVER})


# ------------------------------------------------------------------ client
class CtlError(Exception):
    """The dataplane answered ERROR."""

    def __init__(self, values):
        super().__init__(values["message"])
        self.errno = values["error"]


class Client:
    """One connection.  What the dataplane asks (AOE_PERSIST, EVENT) is answered while a reply is awaited."""

    def __init__(self, path, timeout_s=10):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(timeout_s)
        self.socket.connect(path)
        self.serial = 0
        self.events = []
        self.persisted = []
        self.state_generation = 1
        self.on_persist = self.accept_persist
        self.early = {}
        self.fds = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for fd in self.fds:
            os.close(fd)
        self.fds = []
        self.socket.close()

    # ---- packets
    def send_raw(self, packet, fds=()):
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.socket.sendmsg([packet], ancillary)

    def receive(self):
        """(name, request id, values); descriptors that came are kept in self.fds.  ConnectionError at the end."""
        packet, ancillary, _flags, _ = self.socket.recvmsg(MESSAGE_BYTES_MAX, socket.CMSG_SPACE(4))
        for _level, _kind, data in ancillary:
            got = array.array("i")
            got.frombytes(data[:len(data) - len(data) % 4])
            self.fds.extend(got)
        if not packet:
            raise ConnectionError("the dataplane closed the connection")
        return decode(packet)

    def send(self, message, fds=(), **values):
        """Send a request; its id."""
        self.serial += 1
        self.send_raw(encode(message, self.serial, values), fds)
        return self.serial

    # ---- what the dataplane asks
    def accept_persist(self, values):
        """As a control plane that stores everything at once."""
        self.state_generation += 1
        return "AOE_PERSISTED", {"export_id": values["export_id"], "state_generation": self.state_generation}

    def answer(self, name, request_id, values):
        if name == "EVENT":
            self.events.append(values)
            self.send_raw(encode("OK", request_id, {}))
        else:
            self.persisted.append(values)
            reply = self.on_persist(values)
            if reply:
                self.send_raw(encode(reply[0], request_id, reply[1]))

    def poll(self, seconds):
        """Answer what comes meanwhile."""
        deadline = time.monotonic() + seconds
        before = self.socket.gettimeout()
        try:
            while True:
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                self.socket.settimeout(left)
                try:
                    name, request_id, values = self.receive()
                except socket.timeout:
                    return
                self.take(name, request_id, values)
        finally:
            self.socket.settimeout(before)

    def take(self, name, request_id, values):
        if request_id & FROM_DATAPLANE:
            self.answer(name, request_id, values)
        else:
            self.early.setdefault(request_id, []).append((name, values))

    # ---- requests
    def wait(self, request_id):
        """(reply's name, its values, the items before it).  CtlError for ERROR."""
        items = []
        while True:
            queue = self.early.get(request_id)
            while not queue:
                self.take(*self.receive())
                queue = self.early.get(request_id)
            name, values = queue.pop(0)
            if name.endswith("_ITEM") and name != "CAPTURE_ITEM":
                items.append((name, values))
                continue
            del self.early[request_id]
            if name == "ERROR":
                raise CtlError(values)
            return name, values, items

    def request(self, message, fds=(), **values):
        return self.wait(self.send(message, fds, **values))

    def hello(self, role=CONTROLLER):
        return self.request("HELLO", version=VERSION, software="ctl_client", role=role)[1]

    def put_volume(self, volume):
        fd = volume.get("fd")
        values = {key: value for key, value in volume.items() if key != "fd"}
        return self.send("VOLUME_PUT", [fd] if fd is not None else (), **values)

    def sync(self, volumes, exports, epoch=1):
        """A whole configuration, pipelined."""
        self.request("SYNC_BEGIN", epoch=epoch)
        waiting = []
        for item in [*volumes, *exports]:
            waiting.append(self.put_volume(item) if "backend" in item else self.send("AOE_EXPORT_PUT", **item))
            if len(waiting) >= 64:
                self.wait(waiting.pop(0))
        for request_id in waiting:
            self.wait(request_id)
        self.request("SYNC_END", epoch=epoch)

    def list(self, what):
        return [values for _, values in self.request(what)[2]]

    def stats(self, scope, object_id=0, histograms=False):
        """{name: value} of one object, or {id: {name: value}} of all."""
        objects, hists = {}, {}
        for name, values in self.request("STATS_GET", scope=SCOPES[scope], id=object_id, histograms=histograms)[2]:
            if name == "STATS_ITEM":
                objects[values["id"]] = dict(zip(STATS[SCOPE_LISTS.get(scope, scope)], values["values"]))
            else:
                hists[(values["id"], values["kind"])] = values
        if histograms:
            return objects, hists
        return objects[object_id] if object_id else objects

    def volume_fd(self, volume_id):
        self.request("VOLUME_FD_GET", id=volume_id)
        return self.fds.pop()


def volume(number, name, backend, size_bytes, fd=None, **options):
    return {"id": number, "generation": 1, "name": name, "backend": backend, "size_bytes": size_bytes,
            "block_bytes": 512, "align_bytes": 1, "memory_align_bytes": 1, "fd": fd, **options}


def make_memfd(size_bytes):
    """Memory as the control plane makes it: allocated, and sealable."""
    fd = os.memfd_create("volume", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.posix_fallocate(fd, 0, size_bytes)
    return fd


def aoe_export(number, volume_id, shelf, slot, **options):
    return {"id": number, "generation": 1, "volume_id": volume_id, "shelf": shelf, "slot": slot, "buffer_count": 16,
            "serial": f"W{number:08d}", "model": "wherry", "state_generation": 1, **options}


def main(args):
    if len(args) < 2:
        print(__doc__)
        return 2
    with Client(args[0]) as ctl:
        verb = args[1]
        reply = ctl.hello(CONTROLLER if verb in ("capture", "shutdown") else OBSERVER)
        if verb == "list":
            print(json.dumps({"hello": reply, **{what.lower(): ctl.list(what) for what in
                                                 ("PORT_LIST", "LCORE_LIST", "VOLUME_LIST", "CLIENT_LIST")}}, indent=1))
        elif verb == "stats":
            print(json.dumps(ctl.stats(args[2], int(args[3]) if len(args) > 3 else 0), indent=1))
        elif verb == "capture":
            with open(args[2], "wb") as file:
                started = ctl.request("CAPTURE_START", [file.fileno()], port=0xffff, seconds=int(args[3]))[1]
            ctl.poll(float(args[3]))
            print(ctl.request("CAPTURE_STOP", capture=started["capture"])[1])
        elif verb == "shutdown":
            ctl.request("SHUTDOWN")
        else:
            print(__doc__)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
