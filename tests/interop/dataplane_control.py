# SPDX-License-Identifier: BSD-3-Clause
"""The control plane's end of the dataplane socket, as much of it as a test of the dataplane alone needs."""
import socket
import struct

MAGIC, VERSION = 0x59524857, 1
HELLO, HELLO_REPLY, OK, ERROR, SYNC_BEGIN, SYNC_END = 1, 2, 3, 4, 5, 6
VOLUME_PUT, FAULT_PUT, AOE_EXPORT_PUT = 10, 17, 20
STATS_GET, STATS_ITEM, PORT_LIST, PORT_ITEM, LCORE_LIST, LCORE_ITEM = 30, 31, 35, 36, 37, 38
EVENT, SHUTDOWN = 50, 51
BACKEND_RAM, BACKEND_FILE, BACKEND_NULL = 1, 2, 3
SCOPE_PORT, SCOPE_LCORE, SCOPE_EXPORT = 0, 1, 2


def text(value):
    raw = value.encode()
    return struct.pack("<H", len(raw)) + raw


class Fields:
    """A cursor over the fields of one message."""

    def __init__(self, raw):
        self.raw, self.at = raw, 0

    def take(self, form):
        value, = struct.unpack_from("<" + form, self.raw, self.at)
        self.at += struct.calcsize("<" + form)
        return value

    def bytes(self, count):
        self.at += count
        return self.raw[self.at - count:self.at]

    def text(self):
        return self.bytes(self.take("H")).decode()

    def macs(self):
        return [":".join(f"{byte:02x}" for byte in self.bytes(6)) for _ in range(self.take("H"))]

    def numbers(self):
        return [self.take("Q") for _ in range(self.take("H"))]


class Control:
    """A controller's connection."""

    def __init__(self, path, timeout_s=10):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(timeout_s)
        self.socket.connect(path)
        self.request_id = 0
        self.events = []
        self.call(HELLO, struct.pack("<H", VERSION) + text("test") + b"\x01")

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _send(self, kind, request_id, fields, fds=()):
        message = struct.pack("<IHHII", MAGIC, VERSION, kind, request_id, len(fields)) + fields
        socket.send_fds(self.socket, [message], fds)

    def _receive(self):
        raw = self.socket.recv(65536)
        if not raw:
            raise ConnectionError("the dataplane closed the connection")
        _, _, kind, request_id, _ = struct.unpack_from("<IHHII", raw)
        return kind, request_id, Fields(raw[16:])

    def call(self, kind, fields=b"", fds=()):
        """Send a request.  The items that came back, as (type, fields), without the final reply."""
        self.request_id += 1
        self._send(kind, self.request_id, fields, fds)
        items = []
        while True:
            got, request_id, reply = self._receive()
            if request_id & 0x80000000:
                self.events.append((got, reply))
                self._send(OK, request_id, b"")
            elif got == ERROR:
                raise OSError(reply.take("I"), reply.text())
            elif got in (OK, HELLO_REPLY):
                return items
            else:
                items.append(reply)

    # ---- what tests do
    def volume(self, number, backend=BACKEND_NULL, size_bytes=16 << 20, fd=None):
        self.call(VOLUME_PUT, struct.pack("<QQ", number, 1) + text(f"v{number}") +
                  struct.pack("<BIQIII", backend, 0, size_bytes, 512, 1, 1), () if fd is None else (fd,))

    def slow_down(self, number, delay_us):
        """Every request of the volume takes this long."""
        self.call(FAULT_PUT, struct.pack("<QQIIIIIIQQ", number, 1, 0, 0, 0, 0, 1000000, delay_us, 0, 0))

    def export(self, number, volume, shelf, slot, vlans=()):
        self.call(AOE_EXPORT_PUT, struct.pack("<QQQHBIHH", number, 1, volume, shelf, slot, 0, 64, 0) + text("serial") +
                  text("wherry") + struct.pack("<H", 0) + struct.pack(f"<H{len(vlans)}H", len(vlans), *vlans) +
                  struct.pack("<Q", 1) + struct.pack("<HHH", 0, 0, 0))

    def serve(self, exports, vlans=(0,)):
        """Open the gate on null volumes at shelf 1, slots 0 ... exports - 1."""
        self.call(SYNC_BEGIN, struct.pack("<Q", 1))
        for slot in range(exports):
            self.volume(slot + 1)
            self.export(slot + 1, slot + 1, 1, slot, vlans)
        self.call(SYNC_END, struct.pack("<Q", 1))

    def ports(self):
        found = []
        for item in self.call(PORT_LIST):
            found.append({"index": item.take("H"), "name": item.text(), "device": item.text(), "driver": item.text(),
                          "mac": item.macs()[0], "mtu": item.take("H"), "link_up": bool(item.take("B")),
                          "link_mbps": item.take("I"), "rx_queues": item.take("H"), "tx_queues": item.take("H"),
                          "numa_node": item.take("H"), "detail": item.text()})
        return found

    def lcores(self):
        found = []
        for item in self.call(LCORE_LIST):
            found.append({"index": item.take("H"), "lcore_id": item.take("H"), "main": bool(item.take("B")),
                          "numa_node": item.take("H"), "tsc_hz": item.take("Q"), "exports": item.take("I"),
                          "volumes": item.take("I"), "cpus": item.text()})
        return found

    def stats(self, scope, number=0):
        """{object id: values}"""
        found = {}
        for item in self.call(STATS_GET, struct.pack("<BQB", scope, number, 0)):
            item.take("B")
            key = item.take("Q")
            item.take("Q")
            found[key] = item.numbers()
        return found

    def shut_down(self):
        self.call(SHUTDOWN)
