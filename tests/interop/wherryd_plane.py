#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A dataplane that serves nothing: it speaks include/wherry/ctl.h to wherryd, remembers what it is told, and misbehaves
on demand.

Run by wherryd in place of wherry-dataplane.  $WHERRY_PLANE names a folder:
  mode      what to do at start: a JSON object, see Plane.start
  told      what it has been told so far, as JSON, rewritten after every change
  ask.sock  datagrams with JSON commands, each answered: {"send": "event" | "persist", ...}, {"drop": true}, ...
"""
import array
import ipaddress
import json
import os
import select
import socket
import struct
import sys
import time

MAGIC, VERSION, FROM_PLANE = 0x59524857, 1, 0x80000000
TYPES = {"HELLO": 1, "HELLO_REPLY": 2, "OK": 3, "ERROR": 4, "SYNC_BEGIN": 5, "SYNC_END": 6, "VOLUME_PUT": 10,
         "VOLUME_DELETE": 11, "VOLUME_FD_GET": 12, "VOLUME_FD": 13, "VOLUME_LIST": 14, "VOLUME_ITEM": 15,
         "VOLUME_ONLINE": 16, "FAULT_PUT": 17, "AOE_EXPORT_PUT": 20, "AOE_EXPORT_DELETE": 21, "AOE_STATE_PUT": 22,
         "AOE_PERSIST": 23, "AOE_PERSISTED": 24, "STATS_GET": 30, "PORT_LIST": 35, "LCORE_LIST": 37, "IDLE_PUT": 39,
         "EVENT": 50, "SHUTDOWN": 51, "NET_PUT": 60, "TCP_PUT": 61, "NEIGHBOUR_LIST": 62, "NEIGHBOUR_ITEM": 63,
         "CONNECTION_LIST": 64, "CONNECTION_ITEM": 65, "NBD_PUT": 70, "NBD_EXPORT_PUT": 71, "NBD_EXPORT_DELETE": 72,
         "NBD_SESSION_LIST": 73, "NBD_SESSION_ITEM": 74}
NAMES = {number: name for name, number in TYPES.items()}


class Fields:
    """The fields of a message, one after the other."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, layout):
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values if len(values) > 1 else values[0]

    def bytes(self):
        length = self.take("H")
        value = self.data[self.at:self.at + length]
        assert len(value) == length
        self.at += length
        return value

    def text(self):
        return self.bytes().decode()

    def numbers(self):
        return [self.take("H") for _ in range(self.take("H"))]

    def addresses(self):
        data = self.bytes()
        assert len(data) % 16 == 0
        return [address_text(data[at:at + 16]) for at in range(0, len(data), 16)]

    def macs(self):
        found = []
        for _ in range(self.take("H")):
            found.append(self.data[self.at:self.at + 6].hex(":"))
            self.at += 6
        return found

    def end(self):
        assert self.at == len(self.data), "trailing bytes"


def address_text(data):
    ip = ipaddress.IPv6Address(data)
    return str(ip.ipv4_mapped or ip)


def address(value):
    ip = ipaddress.ip_address(value)
    data = ip.packed if ip.version == 6 else b"\0" * 10 + b"\xff\xff" + ip.packed
    return struct.pack("<H", 16) + data


def text(value):
    value = value.encode()
    return struct.pack("<H", len(value)) + value


def macs(values):
    return struct.pack("<H", len(values)) + b"".join(bytes.fromhex(value.replace(":", "")) for value in values)


def packet(name, request_id, fields=b"", version=VERSION):
    return struct.pack("<IHHII", MAGIC, version, TYPES[name], request_id, len(fields)) + fields


def read_state(fields):
    return {"state_generation": fields.take("Q"), "config": fields.bytes().hex(), "mask": fields.macs(),
            "reserve": fields.macs()}


class Plane:
    def __init__(self, folder, socket_path):
        self.folder, self.socket_path = folder, socket_path
        with open(os.path.join(folder, "mode"), encoding="utf-8") as file:
            self.mode = json.load(file)
        self.told = {"pid": os.getpid(), "argv": sys.argv[1:], "syncs": 0, "epoch": 0, "volumes": {}, "exports": {},
                     "nbd_exports": {}, "net": None, "tcp": None, "nbd": None, "idle": None, "messages": 0,
                     "order": []}
        self.gate, self.epoch, self.seen = False, 0, None
        self.fds, self.client, self.waiting, self.last_id = {}, None, {}, 0

    # ---- life
    def start(self):
        """mode: {"exit": status, "say": text}: end at once.  {"hello": "version" | "silence" | "garbage" | "close" |
        "foreign"}: what to answer to HELLO.  {"refuse": [type...]}: answer ERROR.  {"silent": [type...]}: answer
        nothing.  {"slow_start": seconds}: before listening."""
        if "say" in self.mode:
            print(self.mode["say"], file=sys.stderr, flush=True)
        if "exit" in self.mode:
            sys.exit(self.mode["exit"])
        time.sleep(self.mode.get("slow_start", 0))
        listener = self.listen(self.socket_path, socket.SOCK_SEQPACKET)
        listener.listen(8)
        asked = self.listen(os.path.join(self.folder, "ask.sock"), socket.SOCK_DGRAM)
        self.write_told()
        while True:
            watched = [listener, asked] + ([self.client] if self.client else [])
            for ready in select.select(watched, [], [])[0]:
                if ready is listener:
                    if self.client:
                        self.client.close()
                    self.client = listener.accept()[0]
                    self.seen = None
                elif ready is asked:
                    command, sender = asked.recvfrom(65536)
                    answer = self.command(json.loads(command))
                    asked.sendto(json.dumps(answer).encode(), sender)
                elif ready is self.client:
                    self.receive()

    @staticmethod
    def listen(path, kind):
        if os.path.exists(path):
            os.unlink(path)
        listener = socket.socket(socket.AF_UNIX, kind)
        listener.bind(path)
        os.chmod(path, 0o777)
        return listener

    def write_told(self):
        path = os.path.join(self.folder, "told")
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(self.told, file)
        os.rename(path + ".new", path)

    # ---- messages
    def drop(self):
        if self.client:
            self.client.close()
        self.client = None

    def send(self, data, fd=None):
        beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))] if fd is not None else []
        if not self.client:
            return
        self.write_told()  # whoever hears of the answer finds it there
        try:
            self.client.sendmsg([data], beside)
        except OSError:
            self.drop()

    def receive(self):
        try:
            data, beside, _, _ = self.client.recvmsg(65536, socket.CMSG_SPACE(16))
        except OSError:
            data, beside = b"", []
        if not data:
            self.drop()
            return
        fd = None
        for _, _, value in beside:
            fd = array.array("i", value[:4])[0]
        magic, version, kind, request_id, length = struct.unpack_from("<IHHII", data)
        assert magic == MAGIC and version == VERSION and length == len(data) - 16
        name, fields = NAMES[kind], Fields(data[16:])
        self.told["messages"] += 1
        if self.seen and name not in self.told["order"]:
            self.told["order"].append(name)  # first of each kind since SYNC_BEGIN
        if name in ("OK", "ERROR", "AOE_PERSISTED") and request_id & FROM_PLANE:
            self.answered(name, request_id, fields)
        elif name in self.mode.get("refuse", []):
            self.send(packet("ERROR", request_id, struct.pack("<I", 28) + text(f"{name} refused on demand")))
        elif name not in self.mode.get("silent", []):
            getattr(self, "on_" + name.lower())(request_id, fields, fd)
            if self.client:
                self.write_told()
            return
        if fd is not None:
            os.close(fd)
        self.write_told()

    def ok(self, request_id):
        self.send(packet("OK", request_id))

    def on_hello(self, request_id, fields, _fd):
        fields.take("H")
        fields.text()
        fields.take("B")
        fields.end()
        kind = self.mode.get("hello")
        if kind == "silence":
            return
        if kind == "close":
            self.drop()
            return
        if kind == "garbage":
            self.send(b"this is no message of the protocol")
            return
        if kind == "version":
            self.send(packet("ERROR", request_id, struct.pack("<I", 93) + text("version 9 is spoken here"), version=9))
            return
        epoch = 0x1234567800000001 if kind == "foreign" else self.epoch
        self.send(packet("HELLO_REPLY", request_id, struct.pack("<H", VERSION) + text("plane of a test") +
                         struct.pack("<QI?Q?", os.getpid(), os.getpid(), self.gate, epoch, False)))

    def on_sync_begin(self, request_id, fields, _fd):
        self.seen = {"epoch": fields.take("Q"), "volumes": set(), "exports": set(), "nbd_exports": set()}
        self.told["order"] = []
        fields.end()
        self.ok(request_id)

    def on_sync_end(self, request_id, fields, _fd):
        self.epoch = fields.take("Q")
        fields.end()
        assert self.seen and self.seen["epoch"] == self.epoch
        for kind in ("exports", "nbd_exports", "volumes"):
            for key in set(self.told[kind]) - self.seen[kind]:
                del self.told[kind][key]
        for key in set(self.fds) - set(self.told["volumes"]):
            os.close(self.fds.pop(key))
        self.seen, self.gate = None, True
        self.told["syncs"] += 1
        self.told["epoch"] = self.epoch
        self.ok(request_id)

    def on_volume_put(self, request_id, fields, fd):
        key, generation = str(fields.take("Q")), fields.take("Q")
        volume = {"generation": generation, "name": fields.text(), "backend": fields.take("B"),
                  "flags": fields.take("I"), "size": fields.take("Q"), "block": fields.take("I"),
                  "align": fields.take("I"), "memory_align": fields.take("I"), "online": True}
        fields.end()
        assert (fd is not None) == (volume["backend"] != 3), "a descriptor for ram and file"
        if fd is not None:
            volume["inode"] = os.fstat(fd).st_ino
        if self.seen:
            self.seen["volumes"].add(key)
        held = self.told["volumes"].get(key)
        if held and held["generation"] >= generation:
            if fd is not None:
                os.close(fd)
        else:
            volume["online"] = held["online"] if held else True
            self.told["volumes"][key] = volume
            if fd is not None:
                if key in self.fds:
                    os.close(self.fds[key])
                self.fds[key] = fd
        self.ok(request_id)

    def on_volume_delete(self, request_id, fields, _fd):
        key = str(fields.take("Q"))
        self.told["volumes"].pop(key, None)
        if key in self.fds:
            os.close(self.fds.pop(key))
        self.ok(request_id)

    def on_volume_fd_get(self, request_id, fields, _fd):
        number = fields.take("Q")
        if str(number) in self.fds:
            self.send(packet("VOLUME_FD", request_id, struct.pack("<Q", number)), self.fds[str(number)])
        else:
            self.send(packet("ERROR", request_id, struct.pack("<I", 2) + text("no such volume")))

    def on_volume_list(self, request_id, _fields, _fd):
        for key, volume in self.told["volumes"].items():
            self.send(packet("VOLUME_ITEM", request_id, struct.pack(
                "<QQQ?H", int(key), volume["generation"], volume["size"], volume["online"], 0) + text("")))
        self.ok(request_id)

    def set_of_volume(self, request_id, key, name, value):
        if key in self.told["volumes"]:
            self.told["volumes"][key][name] = value
            self.ok(request_id)
        else:
            self.send(packet("ERROR", request_id, struct.pack("<I", 2) + text("no such volume")))

    def on_volume_online(self, request_id, fields, _fd):
        self.set_of_volume(request_id, str(fields.take("Q")), "online", fields.take("?"))
        fields.end()

    def on_fault_put(self, request_id, fields, _fd):
        self.set_of_volume(request_id, str(fields.take("Q")), "fault", fields.take("QIIIIIIQQ"))
        fields.end()

    def on_aoe_export_put(self, request_id, fields, _fd):
        key, generation, volume = str(fields.take("Q")), fields.take("Q"), fields.take("Q")
        export = {"generation": generation, "volume": volume, "shelf": fields.take("H"), "slot": fields.take("B"),
                  "flags": fields.take("I"), "buffers": fields.take("H"), "sectors": fields.take("H"),
                  "serial": fields.text(), "model": fields.text(), "ports": fields.numbers(),
                  "vlans": fields.numbers()}
        state = read_state(fields)
        fields.end()
        if str(volume) not in self.told["volumes"]:
            self.send(packet("ERROR", request_id, struct.pack("<I", 2) + text("no such volume")))
            return
        if self.seen:
            self.seen["exports"].add(key)
        held = self.told["exports"].get(key)
        if held and held["state_generation"] >= state["state_generation"]:
            state = {name: held[name] for name in state}
        if held and held["generation"] >= generation:
            held.update(state)
        else:
            self.told["exports"][key] = {**export, **state}
        self.ok(request_id)

    def on_aoe_export_delete(self, request_id, fields, _fd):
        self.told["exports"].pop(str(fields.take("Q")), None)
        self.ok(request_id)

    def on_aoe_state_put(self, request_id, fields, _fd):
        key = str(fields.take("Q"))
        state = read_state(fields)
        fields.end()
        held = self.told["exports"][key]
        if state["state_generation"] > held["state_generation"]:
            held.update(state)
        self.ok(request_id)

    def on_idle_put(self, request_id, fields, _fd):
        self.told["idle"] = fields.take("III")
        self.ok(request_id)

    def on_port_list(self, request_id, _fields, _fd):
        self.ok(request_id)

    on_lcore_list = on_stats_get = on_port_list

    # ---- addresses, TCP, NBD
    def on_net_put(self, request_id, fields, _fd):
        net = {"generation": fields.take("Q"), "ports": fields.numbers(), "vlans": fields.numbers(),
               "addresses": fields.addresses(), "bits": list(fields.bytes()), "routes": fields.addresses(),
               "route_bits": list(fields.bytes()), "gateways": fields.addresses(), "slaac": fields.numbers()}
        fields.end()
        assert len(net["ports"]) == len(net["vlans"]) == len(net["addresses"]) == len(net["bits"])
        assert len(net["routes"]) == len(net["route_bits"]) == len(net["gateways"])
        if not self.told["net"] or net["generation"] > self.told["net"]["generation"]:
            self.told["net"] = net
        self.ok(request_id)

    def on_tcp_put(self, request_id, fields, _fd):
        self.told["tcp"] = fields.take("B?IIII")
        fields.end()
        self.ok(request_id)

    def on_nbd_put(self, request_id, fields, _fd):
        self.told["nbd"] = fields.take("H")
        fields.end()
        self.ok(request_id)

    def on_nbd_export_put(self, request_id, fields, _fd):
        key, generation, volume = str(fields.take("Q")), fields.take("Q"), fields.take("Q")
        export = {"generation": generation, "volume": volume, "name": fields.text(), "description": fields.text(),
                  "flags": fields.take("I"), "allow": fields.addresses(), "allow_bits": list(fields.bytes())}
        fields.end()
        assert len(export["allow"]) == len(export["allow_bits"])
        if str(volume) not in self.told["volumes"]:
            self.send(packet("ERROR", request_id, struct.pack("<I", 2) + text("no such volume")))
            return
        if self.seen:
            self.seen["nbd_exports"].add(key)
        held = self.told["nbd_exports"].get(key)
        if not held or held["generation"] < generation:
            self.told["nbd_exports"][key] = export
        self.ok(request_id)

    def on_nbd_export_delete(self, request_id, fields, _fd):
        self.told["nbd_exports"].pop(str(fields.take("Q")), None)
        self.ok(request_id)

    def on_neighbour_list(self, request_id, _fields, _fd):
        for where, mac, state in (("10.0.0.2", ["02:00:00:00:00:09"], "reachable"), ("fe80::9", [], "incomplete")):
            self.send(packet("NEIGHBOUR_ITEM", request_id, address(where) + macs(mac) +
                             struct.pack("<HHH", 0, 20, 1) + text(state) + struct.pack("<Q", 1500000)))
        self.ok(request_id)

    def on_connection_list(self, request_id, _fields, _fd):
        self.send(packet("CONNECTION_ITEM", request_id, address("2001:db8::1") + struct.pack("<H", 10809) +
                         address("2001:db8::2") + struct.pack("<HHHH", 40000, 0, 20, 1) + text("established") +
                         text("cubic") + struct.pack("<???H" + "I" * 8 + "QI" + "Q" * 11, True, True, False, 1440,
                                                     *range(1, 9), 9, 10, *range(11, 22))))
        self.ok(request_id)

    def on_nbd_session_list(self, request_id, _fields, _fd):
        for export in [0, 1 << 60] + [int(key) for key in self.told["nbd_exports"]]:
            self.send(packet("NBD_SESSION_ITEM", request_id, struct.pack("<Q", export) + address("10.0.0.1") +
                             struct.pack("<H", 10809) + address("10.0.0.2") +
                             struct.pack("<HHQ???I" + "Q" * 6, 40001, 1, 7, True, False, True, *range(2, 9))))
        self.ok(request_id)

    def on_shutdown(self, request_id, _fields, _fd):
        self.ok(request_id)
        sys.exit(0)

    # ---- requests of our own
    def answered(self, name, request_id, fields):
        answer = {"type": name}
        if name == "ERROR":
            answer["error"], answer["message"] = fields.take("I"), fields.text()
        elif name == "AOE_PERSISTED":
            answer["export"], answer["state_generation"] = fields.take("QQ")
        self.waiting[request_id] = answer

    def request(self, name, fields):
        self.last_id += 1
        request_id = FROM_PLANE | self.last_id
        self.send(packet(name, request_id, fields))
        return request_id

    def command(self, command):
        if "mode" in command:
            self.mode = command["mode"]
            return {}
        if "drop" in command:
            self.drop()
            return {}
        if "raw" in command:
            self.send(bytes.fromhex(command["raw"]))
            return {}
        ids = []
        for _ in range(command.get("times", 1)):
            if command["send"] == "event":
                fields = struct.pack("<B", command["severity"]) + text(command["code"]) + \
                    struct.pack("<Q", command["object"]) + text(command["message"])
                ids.append(self.request("EVENT", fields))
            else:
                config = bytes.fromhex(command.get("config", ""))
                fields = struct.pack("<QQB", command["export"], command["base"], command["change"]) + \
                    macs([command.get("requester", "02:00:00:00:00:01")]) + struct.pack("<H", len(config)) + config + \
                    macs(command.get("list", []))
                ids.append(self.request("AOE_PERSIST", fields))
        deadline = time.monotonic() + 8
        while self.client and not all(number in self.waiting for number in ids) and time.monotonic() < deadline:
            if select.select([self.client], [], [], 0.1)[0]:
                self.receive()
        answers = [self.waiting.pop(number, None) for number in ids]
        return answers[0] if len(answers) == 1 else answers


def own():
    """Have the case end this process, however the case itself ends: wherryd's dataplane outlives wherryd."""
    with open("/proc/self/stat", encoding="ascii", errors="replace") as file:
        started = file.read().rsplit(") ", 1)[1].split()[19]
    try:
        with open(os.environ["WHERRY_JOURNAL"], "a", encoding="utf-8") as file:
            file.write(f"pid {os.getpid()} {started}\n")
    except PermissionError:
        pass  # the case runs wherryd as somebody else, and ends what it started itself


if __name__ == "__main__":
    own()
    Plane(os.environ["WHERRY_PLANE"], sys.argv[sys.argv.index("--socket") + 1]).start()
