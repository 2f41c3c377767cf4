# SPDX-License-Identifier: BSD-3-Clause
"""NBD under abuse: what a client that behaves is served while others do not behave, beside what it is served in calm.

A bridge joins the appliance, the client and the attacker.  The worker has the last processor, client and attacker share
the first ones.  A flood costs its sender processor time, which on a small machine is the client's: in calm the same
flood goes to a station that drops it, where the attack needs no answers.
"""
import os
import resource
import subprocess
import sys
import time

from bench import Appliance, BenchError, paired, sh, stop
from nbd_veth import Server, gated

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", "lib"), os.path.join(ROOT, "tests", "interop")]
import abuse_box as box  # noqa: E402

SIZE_MIB, SPAN_MIB = 128, 64
SINK = "02:ba:d0:00:00:02"
# Attacks by tcp_abuse: its options, and whether the same flood can be sent to nobody.
FLOODS = {
    "syn": (["--from", "10.77.128.1", "--count", "30000", "--rate", "20000"], True),
    "half-open": (["--count", "10000", "--rate", "20000"], False),
    "bomb": (["--count", "64", "--rate", "20000"], False),
    "zero-window": (["--count", "256", "--rate", "2000"], False),
    "noise": (["--rate", "20000"], True),
    "arp": (["--rate", "20000"], True),
}
MODES = {"half-open": "half", "zero-window": "zero"}


class Networks:
    """Namespaces server, client, bad and sink on the bridge of a fifth."""

    def __init__(self):
        self.names = {end: f"wherry-abuse-{end}-{os.getpid()}" for end in ("middle", "server", "client", "bad", "sink")}
        try:
            for name in self.names.values():
                sh("ip", "netns", "add", name)
            middle = self.names["middle"]
            sh("ip", "-n", middle, "link", "add", "br0", "type", "bridge", "stp_state", "0", "mcast_snooping", "0",
               "forward_delay", "0")
            sh("ip", "-n", middle, "link", "set", "br0", "up")
            for end, iface, address in (("server", "srv0", None), ("client", "cli0", box.GOOD), ("bad", "bad0", box.BAD),
                                        ("sink", "sink0", None)):
                self.station(end, iface, address)
            sh("ip", "-n", self.names["sink"], "link", "set", "sink0", "address", SINK)
            sh("ip", "netns", "exec", middle, "bridge", "fdb", "replace", SINK, "dev", "sw-sink0", "master", "static")
        except BaseException:
            self.close()
            raise

    def station(self, end, iface, address):
        middle, name = self.names["middle"], self.names[end]
        sh("ip", "-n", middle, "link", "add", f"sw-{iface}", "type", "veth", "peer", "name", iface, "netns", name)
        for netns, link in ((middle, f"sw-{iface}"), (name, iface)):
            sh("ip", "netns", "exec", netns, "sysctl", "-qw", f"net.ipv6.conf.{link}.disable_ipv6=1")
            sh("ip", "netns", "exec", netns, "ethtool", "-K", link, "tx", "off", "rx", "off", "tso", "off", "gso", "off")
            sh("ip", "-n", netns, "link", "set", link, "up")
        sh("ip", "-n", middle, "link", "set", f"sw-{iface}", "master", "br0")
        if address:
            sh("ip", "-n", name, "addr", "add", f"{address}/16", "dev", iface)

    def command(self, *args, end="server"):
        return ["ip", "netns", "exec", self.names[end], *args]

    def close(self):
        for name in self.names.values():
            subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)


class Attack:
    """tcp_abuse at the server, or at the sink.  A 'with'."""

    def __init__(self, bench, mode, options, sink):
        to = ["--to", SINK] if sink else []
        self.process = subprocess.Popen(
            bench.net.command(os.path.join(bench.args.build, "tests/interop/tcp_abuse"), *options, *to, "bad0",
                              "10.77.0.1", mode, end="bad"), stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        if self.process.stdout.readline().strip() != "ready":
            raise BenchError("tcp_abuse does not begin")
        time.sleep(0.5)

    def __exit__(self, *_):
        stop(self.process)


class Sockets:
    """Connections of a certain kind, for as long as the 'with' lasts."""

    def __init__(self, bench, count, begin, receive_bytes=0):
        self.sockets = box.connect(bench.net.names["bad"], count, receive_bytes)
        for sock in self.sockets:
            box.enter(sock)
            sock.setblocking(False)
            begin(sock)

    def __enter__(self):
        time.sleep(0.5)

    def __exit__(self, *_):
        for sock in self.sockets:
            sock.close()
        time.sleep(0.5)


class Calm:
    def __enter__(self):
        pass

    def __exit__(self, *_):
        pass


def read_nothing(sock):
    sock.send(b"".join(box.request(box.READ, n, 0, 32 << 20) for n in range(16)))


def write_half(sock):
    sock.send(box.request(box.WRITE, 1, SPAN_MIB << 20, 1 << 20) + b"w" * (1 << 19))


class Bench:
    def __init__(self, args):
        self.args = args
        resource.setrlimit(resource.RLIMIT_NOFILE, (16384, 16384))
        self.net = Networks()
        self.appliance = None
        self.cpus = sorted(os.sched_getaffinity(0))
        try:
            self.appliance = Appliance(args.build, self.net, "af_packet:srv0", 1500, "ram", size_mib=SIZE_MIB,
                                       address="10.77.0.1/16")
            self.appliance.wait(self.answers, "the address")
        except BaseException:
            self.close()
            raise
        self.server = Server(self.appliance)

    def answers(self):
        return subprocess.run(self.net.command("ping", "-c", "1", "-W", "1", "10.77.0.1", end="client"), check=False,
                              stdout=subprocess.DEVNULL).returncode == 0

    def measure(self):
        return gated(self.server, self.net.command(
            "taskset", "-c", str(self.cpus[0]), os.path.join(self.args.build, "tests/bench/nbd_load"), "--host", "10.77.0.1",
            "--port", "10809", "--connections", "1", "--depth", "16", "--block", "4096", "--span-mib", str(SPAN_MIB),
            "--seconds", str(self.args.seconds), "--gate", end="client"))

    def close(self):
        if self.appliance:
            self.appliance.close()
        self.net.close()


def kinds(bench):
    """Name -> what is around the client's window: (abuse, calm)."""
    idle = lambda sock: None  # noqa: E731
    found = {
        "idle-4096": (lambda: Sockets(bench, 4096, idle), lambda: Sockets(bench, 8, idle)),
        "slow-readers": (lambda: Sockets(bench, 64, read_nothing, 4096), Calm),
        "slow-writers": (lambda: Sockets(bench, 64, write_half), Calm),
    }
    for name, (options, to_nobody) in FLOODS.items():
        mode = MODES.get(name, name)
        calm = (lambda m=mode, o=options: Attack(bench, m, o, True)) if to_nobody else Calm
        found[name] = (lambda m=mode, o=options: Attack(bench, m, o, False)), calm
    return found


def pairs(args, name):
    bench = args.shared.get("nbd-abuse")
    if not bench:
        bench = args.shared["nbd-abuse"] = Bench(args)
    rows = {"abuse": [], "calm": []}
    for _ in range(args.pairs):
        for kind, around in zip(rows, kinds(bench)[name]):
            with around():
                rows[kind].append(bench.measure())
    if sum(row["errors"] for both in rows.values() for row in both):
        raise BenchError("requests failed")
    return [paired("iops", rows, "iops", 1, "1/s"), paired("latency p99", rows, "p99_ns", 1e-3, "us"),
            paired("cpu per I/O", rows, "busy_us_per_io", 1, "us")]


def cases():
    """Name -> function of args; the peer is calm."""
    names = ["idle-4096", "slow-readers", "slow-writers", *FLOODS]
    return {f"nbd-abuse-{name}": (lambda a, n=name: pairs(a, n)) for name in names}
