# SPDX-License-Identifier: BSD-3-Clause
"""A dataplane of a case's own that serves NBD, and a client that does what no library would."""
import ctypes
import os
import signal
import socket
import struct
import threading

import ctl_client as ctl
import harness

V4 = "10.77.0.1"
CLIENT_V4 = "10.77.0.2"
CLONE_NEWNET = 0x40000000
READ, WRITE, DISC, FLUSH = 0, 1, 2, 3


def mapped(address):
    """An IPv4 address as the control protocol has it."""
    return b"\0" * 10 + b"\xff\xff" + socket.inet_aton(address)


def addresses(generation, *list_of):
    """NET_PUT's values for (IPv4 address, bits) pairs on port 0, untagged."""
    return {"generation": generation, "address_port": [0] * len(list_of), "address_vlan": [0] * len(list_of),
            "address": b"".join(mapped(a) for a, _ in list_of), "address_bits": bytes(b for _, b in list_of),
            "route": b"", "route_bits": b"", "route_gateway": b""}


class Box:
    """Two workers, one port, NBD at V4; volumes and exports are the case's to make."""

    def __init__(self, case, lcores="0@(0-1),1@(0-1),2@(0-1)"):
        self.case, self.lcores = case, lcores
        self.server, self.client = case.netns("server"), case.netns("client")
        case.veth(self.server, "srv0", self.client, "cli0")
        case.run("ip", "-n", self.client, "addr", "add", f"{CLIENT_V4}/24", "dev", "cli0")
        self.path = os.path.join(case.dir, "dp.sock")
        self.process = self.ctl = None

    def start(self, *volumes):
        """Each volume is exported under its name and number."""
        self.process = self.case.start(
            "dataplane", os.path.join(harness.BUILD, "dataplane", "wherry-dataplane"), "--socket", self.path,
            "--no-huge", "--lcores", self.lcores, "--port", "name=p0,device=af_packet:srv0", netns=self.server)
        self.case.wait_for(20, "the dataplane to listen", self.listens)
        self.ctl = ctl.Client(self.path)
        self.ctl.hello()
        self.ctl.request("SYNC_BEGIN", epoch=1)
        self.ctl.request("NET_PUT", **addresses(1, (V4, 24)))
        self.ctl.request("NBD_PUT", tcp_port=10809)
        for volume in volumes:
            self.ctl.wait(self.ctl.put_volume(volume))
            self.export(volume["id"], volume["id"], volume["name"])
        self.ctl.request("SYNC_END", epoch=1)
        return self

    def listens(self):
        if self.process.poll() is not None:
            raise harness.Failed(f"the dataplane ended with status {self.process.returncode}")
        try:
            ctl.Client(self.path).close()
            return True
        except OSError:
            return False

    def export(self, number, volume, name, generation=1, **values):
        self.ctl.request("NBD_EXPORT_PUT", **{"id": number, "generation": generation, "volume_id": volume,
                                              "name": name, "description": "", "flags": 0, "allow": b"",
                                              "allow_bits": b"", **values})

    def fault(self, volume, **values):
        """A plan for the fault injector; none: away with it."""
        names = ("read_error_ppm", "write_error_ppm", "flush_error_ppm", "no_space_ppm", "delay_ppm", "delay_us",
                 "bad_offset_bytes", "bad_length_bytes")
        self.ctl.request("FAULT_PUT", volume_id=volume, seed=1, **{name: values.get(name, 0) for name in names})

    def connect(self, name, **options):
        return Client(self, name, **options)

    def stop(self, seconds=15):
        """In order; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        self.case.wait_for(seconds, "the dataplane to end", lambda: self.process.poll() is not None)
        self.ctl.close()
        return self.process.returncode


def socket_in(netns):
    """A TCP socket that belongs to a namespace, made by a thread that goes there."""
    made = []

    def make():
        with open(f"/var/run/netns/{netns}", "rb") as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) == 0:
                made.append(socket.socket(socket.AF_INET, socket.SOCK_STREAM))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if not made:
        raise harness.Failed(f"cannot enter the namespace {netns}")
    return made[0]


class Client:
    """A connection in transmission, with simple replies: every byte under the case's control."""

    def __init__(self, box, name, *, address=V4, port=10809, receive_bytes=None, timeout_s=15):
        self.socket = socket_in(box.client)
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(timeout_s)
        self.socket.connect((address, port))
        self.take(18)
        text = name.encode()
        self.socket.sendall(struct.pack(">I", 3) + b"IHAVEOPT" + struct.pack(">III", 7, len(text) + 6, len(text)) +
                            text + b"\0\0")
        reply = None
        while reply != 1:
            _, _, reply, length = struct.unpack(">QIII", self.take(20))
            self.take(length)
            if reply & 1 << 31:
                raise ConnectionRefusedError(f"the export {name} is refused: {reply:#x}")

    def take(self, count):
        """Exactly so many bytes."""
        got = bytearray()
        while len(got) < count:
            more = self.socket.recv(count - len(got))
            if not more:
                raise ConnectionAbortedError(f"the stream ended {count - len(got)} bytes early")
            got += more
        return bytes(got)

    def ask(self, kind, offset=0, length=0, data=b"", flags=0, cookie=0):
        """Send a request, and as much of a payload as there is in data."""
        self.socket.sendall(struct.pack(">IHHQQI", 0x25609513, flags, kind, cookie, offset, length) + data)

    def answer(self, length=0):
        """The next reply: its error, and data unless it is one."""
        magic, error, _ = struct.unpack(">IIQ", self.take(16))
        if magic != 0x67446698:
            raise harness.Failed(f"no simple reply: {magic:#x}")
        return error, b"" if error else self.take(length)

    def read(self, offset, length):
        self.ask(READ, offset, length)
        return self.answer(length)

    def write(self, offset, data, flags=0):
        self.ask(WRITE, offset, len(data), data, flags)
        return self.answer()[0]

    def ended(self):
        """The server ends it, in whatever way, within the socket's time; what still comes is thrown away."""
        try:
            while self.socket.recv(1 << 20):
                pass
        except TimeoutError:
            return False
        except OSError:
            pass
        return True

    def close(self):
        self.socket.close()
