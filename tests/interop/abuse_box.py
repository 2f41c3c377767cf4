# SPDX-License-Identifier: BSD-3-Clause
"""A switch with four hosts: the dataplane, a client that behaves, one that does not, and one that goes away."""
import json
import os
import signal
import socket
import struct

import aoe
import harness
import lossy_wire as lossy

GOOD, GONE = "10.77.0.2", "10.77.0.4"
BAD = "10.77.0.3"
PORT = 10809
READ, WRITE = 0, 1
HELLO = struct.pack(">I", 3)  # fixed newstyle, no zeroes


class Switch:
    """Namespaces server, good, bad, gone on one bridge; `server` is what lossy_wire.Dataplane asks for."""

    def __init__(self, case):
        self.case = case
        self.middle, self.server, self.good, self.bad, self.gone = (
            case.netns(name) for name in ("switch", "server", "good", "bad", "gone"))
        case.run("ip", "-n", self.middle, "link", "add", "br0", "type", "bridge", "stp_state", "0",
                 "mcast_snooping", "0", "forward_delay", "0")
        for netns, inner, address in ((self.server, "srv0", None), (self.good, "good0", GOOD), (self.bad, "bad0", BAD),
                                      (self.gone, "gone0", GONE)):
            case.veth(netns, inner, self.middle, f"sw-{inner}")
            case.run("ip", "-n", self.middle, "link", "set", f"sw-{inner}", "master", "br0")
            if address:
                case.run("ip", "-n", netns, "addr", "add", f"{address}/16", "dev", inner)
        case.run("ip", "-n", self.middle, "link", "set", "br0", "up")


class Good:
    """abuse_client.py in the background, and what it says."""

    def __init__(self, case, switch, size_bytes):
        self.case, self.netns = case, switch.good
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "abuse_client.py")
        self.process = case.start("good", "/usr/bin/python3", script, f"nbd://{lossy.SERVER}/disk", size_bytes,
                                  netns=switch.good)
        self.log = os.path.join(case.dir, "good.log")
        case.wait_for(10, "the first operations of the client that behaves", lambda: self.said())

    def said(self):
        with open(self.log, encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.startswith("{") and line.endswith("}\n")]

    def check(self, what, seconds=15):
        """It goes on, with nothing wrong."""
        before = self.said()[-1]
        self.case.wait_for(seconds, f"{what}: the other client's next 500 operations",
                           lambda: self.process.poll() is not None or self.said()[-1]["ops"] > before["ops"] + 500)
        now = self.said()
        worst = max(line["worst_ms"] for line in now[-8:])
        self.case.check(f"{what}: another client goes on (longest wait of late {worst} ms)",
                        self.process.poll() is None and now[-1]["wrong"] == 0, now[-1])

    def port(self):
        """The local port of its connection."""
        out = self.case.run("ss", "-Htn", "state", "established", "dport", f"= :{PORT}", netns=self.netns).stdout
        return int(out.split()[2].rsplit(":", 1)[1])

    def end(self):
        for pid in self.case.run("ip", "netns", "pids", self.netns).stdout.split():
            os.kill(int(pid), signal.SIGTERM)
        self.case.wait_for(10, "the client that behaves to end", lambda: self.process.poll() is not None)
        return self.said()[-1]


class Attack:
    """tcp_abuse in the namespace of who does not behave.  A 'with'; .did has its counts behind it."""

    def __init__(self, case, switch, mode, *options):
        self.case, self.did = case, {}
        self.log = os.path.join(case.dir, f"attack-{mode}.log")
        self.process = case.start(
            f"attack-{mode}", os.path.join(harness.BUILD, "tests", "interop", "tcp_abuse"), *options, "bad0",
            lossy.SERVER, mode, netns=switch.bad)

    def __enter__(self):
        self.case.wait_for(10, "the attacker", lambda: "ready" in self.said())
        return self

    def said(self):
        with open(self.log, encoding="utf-8") as file:
            return file.read()

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
        self.did = json.loads(self.said().splitlines()[-1])


# ------------------------------------------------------- clients by hand
def connect(netns, count=1, receive_bytes=0, no_delay=False):
    """TCP connections to the server, established."""
    sockets = []
    with aoe.Namespace(netns):
        for _ in range(count):
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            if receive_bytes:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            if no_delay:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(10)
            sock.connect((lossy.SERVER, PORT))
            sockets.append(sock)
    return sockets


def take(sock, count):
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise ConnectionError("closed")
        data += more
    return data


def option(number, data, length=None):
    return b"IHAVEOPT" + struct.pack(">II", number, len(data) if length is None else length) + data


def enter(sock, export=b"disk"):
    """The handshake by EXPORT_NAME."""
    sock.sendall(HELLO + option(1, export))
    take(sock, 18)
    return take(sock, 10)


def request(kind, cookie, offset, length):
    return struct.pack(">IHHQQI", 0x25609513, 0, kind, cookie, offset, length)


def memory_kib(pid):
    """Resident memory of a process, and the most it ever had."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        words = dict(line.split(":", 1) for line in file)
    return int(words["VmRSS"].split()[0]), int(words["VmHWM"].split()[0])
