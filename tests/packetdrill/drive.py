#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Run scripts of packetdrill's language against wherry-packetdrill.so: drive.py [--verbose] STACK.so SCRIPT...

What the scripts here need of the language, no more: options --tolerance_usecs, --ip_version and --so_flags; system
calls, blocking ones too (START...END); TCP segments and ICMP errors; absolute, relative and ranged times.
"""
import ctypes
import errno
import os
import re
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import packets  # noqa: E402
from packets import ScriptError  # noqa: E402

MEMBERS = ("free socket bind listen accept connect read readv recv recvfrom recvmsg write writev send sendto sendmsg "
           "fcntl ioctl close shutdown getsockopt setsockopt poll netdev_send netdev_receive usleep gettimeofday "
           "epoll_create epoll_ctl epoll_wait pipe splice").split()
CONSTANTS = {name: value for module in (socket, os) for name, value in vars(module).items() if isinstance(value, int)}
CONSTANTS |= {"F_GETFL": 3, "F_SETFL": 4, "SIOCINQ": 0x541b, "SIOCOUTQ": 0x5411, "POLLIN": 1, "POLLOUT": 4}
CONSTANTS |= {name: number for number, name in errno.errorcode.items()}


class Stack:
    """The shared object, by the order of its members (interface.h)."""

    def __init__(self, path, flags):
        library = ctypes.CDLL(path, use_errno=True)
        self.table = (ctypes.c_void_p * (1 + len(MEMBERS)))()
        library.packetdrill_interface_init(flags.encode() if flags else None, ctypes.byref(self.table))

    def call(self, name, *args, result=ctypes.c_ssize_t):
        """The result, and errno."""
        function = ctypes.CFUNCTYPE(result, use_errno=True)(self.table[1 + MEMBERS.index(name)])
        ctypes.set_errno(0)
        got = function(ctypes.c_void_p(self.table[0]), *args)
        return ctypes.c_int(got).value if result is ctypes.c_ssize_t else got, ctypes.get_errno()

    def now_us(self):
        value = (ctypes.c_long * 2)()
        self.call("gettimeofday", ctypes.byref(value), None)
        return value[0] * 1000000 + value[1]

    def wait_until(self, us):
        left = us - self.now_us()
        if left > 0:
            self.call("usleep", ctypes.c_uint(left))

    def give(self, data):
        self.call("netdev_send", data, ctypes.c_size_t(len(data)))

    def receive(self):
        """A packet and when it was sent; None: no more will come."""
        data, count, at = ctypes.create_string_buffer(70000), ctypes.c_size_t(70000), ctypes.c_longlong()
        self.call("netdev_receive", data, ctypes.byref(count), ctypes.byref(at))
        return (data.raw[:count.value], at.value) if count.value else None


class Failure(Exception):
    """The stack did something else than the script says."""


def seconds(text):
    return round(float(text) * 1000000)


class Event:
    def __init__(self, number, when, what):
        self.number, self.what = number, what
        self.relative = self.any = False
        self.until = self.end = None
        if match := re.fullmatch(r"(\+?)([\d.]+)\.\.\.\+?([\d.]+)", when):
            self.relative, self.at, self.end = bool(match[1]), seconds(match[2]), seconds(match[3])
        elif match := re.fullmatch(r"(\+?)([\d.]+)~\+?([\d.]+)", when):
            self.relative, self.at, self.until = bool(match[1]), seconds(match[2]), seconds(match[3])
        elif match := re.fullmatch(r"(\+?)([\d.]+)", when):
            self.relative, self.at = bool(match[1]), seconds(match[2])
        elif when == "*":
            self.any, self.relative, self.at = True, True, 0
        else:
            raise ScriptError(f"no time: {when}")


def read_script(path):
    """Its options and its events."""
    with open(path, encoding="ascii") as file:
        text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), file.read(), flags=re.S)
    options, events = {}, []
    for number, line in enumerate(text.splitlines(), 1):
        line = re.sub(r"//.*", "", line).strip()
        if match := re.fullmatch(r"--(\w+)=(.*)", line):
            options[match[1]] = match[2].strip('"')
        elif line:
            try:
                events.append(Event(number, *line.split(None, 1)))
            except (ScriptError, TypeError) as error:
                raise ScriptError(f"{path}:{number}: {error}") from error
    return options, events


CALL = re.compile(r"(\w+)\((.*)\)\s*=\s*(\S+)(?:\s+(E\w+)(?:\s+\(.*\))?)?")


def number_of(text):
    if re.fullmatch(r"-?\d+|0x[0-9a-fA-F]+", text):
        return int(text, 0)
    total = 0
    for word in text.split("|"):
        if word.strip() not in CONSTANTS:
            raise ScriptError(f"no such constant: {word.strip()}")
        total |= CONSTANTS[word.strip()]
    return total


def split_arguments(text):
    return [part.strip() for part in re.findall(r"\[[^\]]*\]|\{[^}]*\}|\"[^\"]*\"|[^,]+", text) if part.strip()]


class Run:
    def __init__(self, path, stack_path, verbose):
        self.options, self.events = read_script(path)
        self.path, self.verbose = path, verbose
        self.family = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}[self.options.get("ip_version", "ipv4")]
        self.tolerance_us = int(self.options.get("tolerance_usecs", "4000"))
        self.flow = packets.Flow(self.family)
        self.fds = {}
        self.stack = Stack(stack_path, self.options.get("so_flags"))
        self.start_us = self.stack.now_us()
        self.blocked = None
        self.failure = None

    def now(self):
        return self.stack.now_us() - self.start_us

    def say(self, text):
        if self.verbose:
            print(f"{self.now() / 1e6:10.6f} {text}", flush=True)

    # ---- system calls

    def address(self, local):
        name, port = (self.flow.local, self.flow.local_port) if local else (self.flow.remote, self.flow.remote_port)
        if self.family == socket.AF_INET:
            return struct.pack("=H", self.family) + struct.pack("!H", port) + name + bytes(8)
        return struct.pack("=H", self.family) + struct.pack("!HI", port, 0) + name + bytes(4)

    def arguments(self, name, words):
        """What the call is given, and where what it gives back is to be compared: (buffer, expected) or None."""
        size = ctypes.c_size_t
        if name == "socket":
            return [self.family if words[0] == "..." else number_of(words[0]), number_of(words[1]), number_of(words[2])], None
        fd = self.fds.get(int(words[0]), int(words[0]))
        if name in ("bind", "connect"):
            if name == "connect":
                self.flow.remote_port = 8080
            data = self.address(name == "bind")
            return [fd, data, len(data)], None
        if name == "accept":
            return [fd, None, None], None
        if name in ("read", "recv"):
            return [fd, ctypes.create_string_buffer(number_of(words[2]) + 1), size(number_of(words[2]))] + [
                number_of(word) for word in words[3:]], None
        if name in ("write", "send"):
            return [fd, bytes(number_of(words[2])), size(number_of(words[2]))] + [
                number_of(word) for word in words[3:]], None
        if name == "ioctl":
            value = ctypes.c_int(-1)
            return [fd, ctypes.c_ulong(number_of(words[1])), ctypes.byref(value)], (value, number_of(words[2].strip("[]")))
        if name in ("setsockopt", "getsockopt"):
            return self.option_arguments(name, fd, words)
        return [fd] + [number_of(word) for word in words[1:]], None

    @staticmethod
    def option_arguments(name, fd, words):
        start = [fd, number_of(words[1]), number_of(words[2])]
        if match := re.fullmatch(r"\{onoff=(\d+), linger=(\d+)\}", words[3]):
            return start + [struct.pack("=ii", int(match[1]), int(match[2])), 8], None
        if words[3].startswith('"'):
            return start + [words[3].strip('"').encode(), len(words[3]) - 2], None
        wanted = number_of(words[3].strip("[]"))
        if name == "setsockopt":
            return start + [struct.pack("=i", wanted), 4], None
        value, room = ctypes.c_int(-1), ctypes.c_uint(4)
        return start + [ctypes.byref(value), ctypes.byref(room)], (value, wanted)

    def do_call(self, name, words, result, error):
        args, compare = self.arguments(name, words)
        got, code = self.stack.call(name, *args)
        done_us = self.now()
        wanted = number_of(result)
        if name in ("socket", "accept") and wanted >= 0:
            if got < 0:
                raise Failure(f"{name} fails: {errno.errorcode.get(code, code)}")
            self.fds[wanted] = got
        elif got != wanted or (wanted == -1 and error and code != CONSTANTS[error]):
            raise Failure(f"{name} is {got} {errno.errorcode.get(code, code) if got < 0 else ''}, expected {result} {error or ''}")
        if compare and compare[0].value != compare[1]:
            raise Failure(f"{name} gives {compare[0].value}, expected {compare[1]}")
        return done_us

    def system_call(self, event):
        match = CALL.fullmatch(event.what)
        if not match:
            raise ScriptError(f"{self.path}:{event.number}: no system call: {event.what}")
        name, words, result, error = match[1], split_arguments(match[2]), match[3], match[4]
        if event.end is None:
            self.join()
            self.do_call(name, words, result, error)
            return
        end_us = event.end + (self.base_us if event.relative else 0)

        def body():
            try:
                done_us = self.do_call(name, words, result, error)
                if abs(done_us - end_us) > self.tolerance(end_us - event.at):
                    raise Failure(f"{name} returns at {done_us / 1e6:.6f}, expected at {end_us / 1e6:.6f}")
            except (Failure, ScriptError) as failure:
                self.failure = f"{self.path}:{event.number}: {failure}"

        self.blocked = threading.Thread(target=body, daemon=True)
        self.blocked.start()
        time.sleep(0.02)  # until it waits; what it finds out does not depend on this

    def join(self):
        if self.blocked:
            self.blocked.join(1)
            if self.blocked.is_alive():
                raise Failure("the blocking call before this does not return")
        self.blocked = None
        if self.failure:
            raise Failure(self.failure)

    # ---- packets

    def tolerance(self, since_us):
        return max(self.tolerance_us, int(since_us * 0.01))

    def expect(self, event, text):
        wanted = packets.parse(text)
        while True:
            received = self.stack.receive()
            if received is None:
                raise Failure(f"no packet, expected {wanted}")
            packet = self.flow.take(received[0])
            if packet:
                break
        at_us = received[1] - self.start_us
        wrong = self.differences(wanted, packet)
        latest = event.until_us if event.until is not None else event.at_us
        slack = self.tolerance(event.at_us - self.base_us)
        if not event.any and not event.at_us - slack <= at_us <= latest + slack:
            wrong.append(f"time {at_us / 1e6:.6f}, expected {event.at_us / 1e6:.6f}")
        if wrong:
            raise Failure(f"{', '.join(wrong)}\n    expected {event.at_us / 1e6:.6f} {wanted}\n"
                          f"    actual   {at_us / 1e6:.6f} {packet}")
        self.say(f"> {packet}")

    def differences(self, wanted, packet):
        names = ["flags", "seq", "length", "ack"]
        names += ["window"] if wanted.window is not None else []
        names += ["ecn"] if wanted.ecn is not None else []
        wrong = [name for name in names if getattr(wanted, name) != getattr(packet, name)]
        stamps = [[o for o in p.options or [] if o[0] == "TS"] for p in (wanted, packet)]
        if all(stamps) and self.flow.ts_base is None:
            self.flow.ts_base = (stamps[0][0][1], stamps[1][0][1])
        packet.options = [("TS", self.flow.script_ts(o[1]), o[2]) if o[0] == "TS" else o for o in packet.options]
        if wanted.options is None:
            return wrong
        plain = [[o[:1] + o[2:] if o[0] == "TS" else o for o in p.options] for p in (wanted, packet)]
        late = [abs(a[1] - b[1]) for a, b in zip(wanted.options, packet.options) if a[0] == b[0] == "TS"]
        if plain[0] != plain[1] or any(ms > 1 + self.tolerance_us // 1000 for ms in late):
            wrong.append("options")
        return wrong

    # ---- the script

    def step(self, event):
        event.at_us = event.at + (self.base_us if event.relative else 0)
        event.until_us = None if event.until is None else event.until + (self.base_us if event.relative else 0)
        if event.what.startswith(">"):
            self.expect(event, event.what[1:].strip())
            return
        self.stack.wait_until(self.start_us + event.at_us)
        self.say(event.what)
        if event.what.startswith("<"):
            self.stack.give(self.flow.emit(packets.parse(event.what[1:].strip())))
        else:
            self.system_call(event)

    def run(self):
        self.base_us = 0
        for event in self.events:
            try:
                self.step(event)
            except (Failure, ScriptError) as error:
                raise Failure(f"{self.path}:{event.number}: {error}") from error
            self.base_us = self.now()
        self.join()


def main():
    words = sys.argv[1:]
    verbose = "--verbose" in words
    stack, *scripts = [word for word in words if word != "--verbose"]
    failed = 0
    for path in scripts:
        # A stack for each: the shared object holds one.
        child = os.fork()
        if child == 0:
            try:
                Run(path, stack, verbose).run()
                os._exit(0)
            except (Failure, ScriptError, OSError) as error:
                print(f"NOT OK: {error}", flush=True)
            os._exit(1)
        good = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        if good:
            print(f"ok: {os.path.basename(path)}", flush=True)
        failed += not good
    sys.exit(1 if failed else 0)


main()
