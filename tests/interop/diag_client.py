#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every command of the diagnostic service by the kernel's own sockets: diag_client.py ADDRESS LOCAL-ADDRESS

Prints a line for each thing that holds; ends with status 1 at the first that does not.
"""
import hashlib
import random
import socket
import sys
import threading
import time

PATTERN = bytes(0x80 | ((i * 7 + (i >> 7)) & 0x7f) for i in range(65536))
TIMEOUT_S = 20


def pattern(count):
    return (PATTERN * (count // 65536 + 1))[:count]


class Peer:
    def __init__(self, host, sock=None, receive_buffer=0):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = sock or socket.socket(family, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if sock is None:
            self.sock.connect((host, 7))

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data.encode() if isinstance(data, str) else data)

    def read(self, count):
        got = bytearray()
        while len(got) < count:
            more = self.sock.recv(min(count - len(got), 1 << 20))
            if not more:
                break
            got += more
        return bytes(got)

    def line(self):
        got = b""
        while not got.endswith(b"\n"):
            byte = self.sock.recv(1)
            if not byte:
                break
            got += byte
        return got


def check(text, good, detail=""):
    if not good:
        print(f"NOT OK: {text} {detail}", flush=True)
        sys.exit(1)
    print(f"ok: {text}", flush=True)


def check_echo(host):
    with Peer(host) as peer:
        data = random.Random(3).randbytes(300000).replace(b"\n!", b"\n?")
        writer = threading.Thread(target=peer.send, args=(b"." + data,))
        writer.start()
        got = peer.read(len(data) + 1)
        writer.join()
        check("binary bytes come back", got == b"." + data)
        peer.send("\n")
        peer.read(1)
        for piece in "x!SEND 9\n!SEN", "D 3\n", "!SEND 2\r\n.\n":
            peer.send(piece)
            time.sleep(0.05)
        wanted = b"x!SEND 9\n" + pattern(3) + pattern(2) + b".\n"
        check("a command may come in pieces, and begins a line", peer.read(len(wanted)) == wanted)
        peer.sock.shutdown(socket.SHUT_WR)
        check("it ends when the peer does", peer.sock.recv(1) == b"")


def check_send(host):
    with Peer(host) as peer:
        for count in 0, 1, 65536, 65537, 5000000:
            peer.send(f"!SEND {count}\n!SEND 1\n")
            check(f"!SEND {count}", peer.read(count + 1) == pattern(count) + b"\x80")
        peer.send(f"!SEND {2 ** 64 - 1}\n")
        seen, turn = hashlib.sha256(), hashlib.sha256()
        for _ in range(512):
            seen.update(peer.read(65536))
            turn.update(PATTERN)
        check("!SEND 2^64 - 1: the first 32 MiB", seen.digest() == turn.digest())


def check_close(host):
    with Peer(host) as peer:
        peer.send("before\n!CLOSE\nafter\n!SEND 4\n")
        check("!CLOSE ends sending", peer.read(100) == b"before\n")
        for _ in range(100):
            peer.send(b"x" * 10000)
        peer.sock.shutdown(socket.SHUT_WR)
        check("and goes on reading", peer.sock.recv(1) == b"")
    with Peer(host) as peer:
        peer.send("before\n!QUIT\n")
        check("!QUIT closes", peer.read(100) == b"before\n")
        try:
            for _ in range(100):
                peer.send("more")
                time.sleep(0.02)
            check("what comes after !QUIT is answered by a reset", False)
        except (ConnectionResetError, BrokenPipeError):
            check("what comes after !QUIT is answered by a reset", True)


def check_open(host, local):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((local, 0), family=family, backlog=16) as server:
        server.settimeout(TIMEOUT_S)
        port = server.getsockname()[1]
        # Whichever worker serves a connection, what it opens comes back to it.
        for _ in range(8):
            with Peer(host) as peer:
                for _ in range(2):
                    peer.send(f"!OPEN {port}\n")
                    sock, remote = server.accept()
                    check("!OPEN connects from the same address", remote[0] == host, remote)
                    with Peer(host, sock) as other:
                        other.send("there\n!SEND 3\n")
                        check("and serves there", other.read(9) == b"there\n" + pattern(3))
                peer.send("still here\n")
                check("and here, with nothing said of it", peer.line() == b"still here\n")
    with Peer(host) as peer:
        peer.send(f"!OPEN {port}\nrefused\n")
        check("a refusal is the peer's to know", peer.line() == b"refused\n")
        time.sleep(0.2)
        peer.send("!CLOSE\n")
        check("nor is it told later", peer.read(10) == b"")


def check_pause(host):
    with Peer(host) as peer:
        begin = time.monotonic()
        peer.send("!PAUSE 700\nlater\n")
        check("!PAUSE stops reading", peer.line() == b"later\n" and time.monotonic() - begin >= 0.7)
        peer.send("\n!PAUSE 1500\n")
        peer.line()
        begin = time.monotonic()
        peer.sock.settimeout(0.3)
        # More than both ends have room for.
        data = bytes(32 << 20)
        sent = 0
        try:
            while sent < len(data):
                sent += peer.sock.send(data[sent:sent + 65536])
        except (socket.timeout, BlockingIOError):
            pass
        check("the window closes", sent < len(data), sent)
        peer.sock.settimeout(TIMEOUT_S)
        check("and opens again, with every byte", peer.read(sent) == data[:sent] and time.monotonic() - begin >= 1.4)


def check_pressure(host):
    with Peer(host, receive_buffer=65536) as peer:
        peer.sock.settimeout(0.5)
        chunk, sent = b"y" * 65536, 0
        try:
            while sent < 64 << 20:
                sent += peer.sock.send(chunk)
        except (socket.timeout, BlockingIOError):
            pass
        check("a peer that does not read is not read", sent < 64 << 20, sent)
        peer.sock.settimeout(TIMEOUT_S)
        check("and gets every byte when it does", peer.read(sent) == b"y" * sent)


def check_errors(host):
    with Peer(host) as peer:
        for bad in "!", "!SEND", "!SEND x", "!SEND 18446744073709551616", "!OPEN 0", "!OPEN 65536", "!PAUSE -1", \
                "!CLOSE 1", "!FROBNICATE", "!" + "z" * 100000:
            peer.send(bad + "\n")
            answer = peer.line()
            check(f"{bad[:30]} is refused", answer.startswith(b"!ERROR ") and len(answer) > 12, answer)
        peer.send("on\n")
        check("and the connection goes on", peer.line() == b"on\n")


def main():
    host, local = sys.argv[1:]
    check_echo(host)
    check_send(host)
    check_close(host)
    check_open(host, local)
    check_pause(host)
    check_pressure(host)
    check_errors(host)


main()
