# SPDX-License-Identifier: BSD-3-Clause
"""NBD over veth: the appliance beside nbdkit's memory plugin and qemu-nbd, with the same client.

Two veth pairs of the same shape lead from the namespace of the servers to that of the client: one to the appliance,
which has it for itself, one to the kernel that the peers listen on.  Offloads are off at all four ends, as on a wire,
and congestion control is CUBIC everywhere.  The worker and the peers, all of their threads, have the last processor, the
client has the first.  A frame is received by the kernel in the context, and on the processor, of whoever sends it over a
veth: the worker, which sends with system calls, pays for the client's TCP; a peer's kernel sends much of what it sends
when acknowledgements come in, on the client's processor.  The cases called "apart" steer what the kernel receives (RPS)
to the processor of the end that it is for, as with two machines.

While a peer is measured the appliance's worker sleeps and wakes a hundred times a second; idle
peers cost nothing.
"""
import json
import os
import select
import shutil
import statistics
import subprocess
import tempfile

from bench import Appliance, BenchError, cpu_seconds, paired, sh, stop

SIZE_MIB = 64
OURS, THEIRS = "10.77.0.1", "10.78.0.1"
OFFLOADS = ("tx", "rx", "sg", "tso", "gso", "gro", "lro", "rxvlan", "txvlan")
PEERS = {"nbdkit": 10810, "qemu-nbd": 10811}
# name -> block size, outstanding requests of each connection
SHAPES = {"4k-qd1": (4096, 1), "4k-qd32": (4096, 32), "1m-qd8": (1 << 20, 8)}


class Networks:
    """Namespaces `server` and `client` with the pairs srv0-cli0 (ours) and srv1-cli1 (the kernel's)."""

    def __init__(self, mtu):
        self.names = {end: f"wherry-nbd-{end}-{os.getpid()}" for end in ("server", "client")}
        try:
            for name in self.names.values():
                sh("ip", "netns", "add", name)
            for i, subnet in enumerate((OURS, THEIRS)):
                self.pair(i, subnet.rsplit(".", 1)[0], mtu)
        except BaseException:
            self.close()
            raise

    def pair(self, index, subnet, mtu):
        srv, cli = f"srv{index}", f"cli{index}"
        server, client = self.names["server"], self.names["client"]
        sh("ip", "-n", server, "link", "add", srv, "type", "veth", "peer", "name", cli, "netns", client)
        for end, iface, host in ((server, srv, 1), (client, cli, 2)):
            sh("ip", "netns", "exec", end, "sysctl", "-qw", f"net.ipv6.conf.{iface}.disable_ipv6=1")
            for feature in OFFLOADS:
                # Some a veth does not have, or cannot switch.
                subprocess.run(["ip", "netns", "exec", end, "ethtool", "-K", iface, feature, "off"], check=False,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            sh("ip", "-n", end, "link", "set", iface, "mtu", str(mtu), "up")
            if index or end == client:
                sh("ip", "-n", end, "addr", "add", f"{subnet}.{host}/24", "dev", iface)
                sh("ip", "-n", end, "route", "replace", f"{subnet}.0/24", "dev", iface, "congctl", "cubic")

    def steer(self, server_cpu, client_cpu):
        """The kernel receives for either end on the processor of that end."""
        for end, iface, cpu in (("client", "cli0", client_cpu), ("client", "cli1", client_cpu),
                                ("server", "srv1", server_cpu)):
            sh(*self.command("sh", "-c", f"echo {1 << cpu:x} > /sys/class/net/{iface}/queues/rx-0/rps_cpus", end=end))

    def command(self, *args, end="server"):
        return ["ip", "netns", "exec", self.names[end], *args]

    def close(self):
        for name in self.names.values():
            subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)


class Peer:
    def __init__(self, net, cpu, *command):
        self.process = subprocess.Popen(net.command("taskset", "-c", str(cpu), *command), stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)

    def busy_seconds(self):
        return cpu_seconds(self.process.pid)

    def close(self):
        stop(self.process)


def start_peer(name, net, cpu, path):
    port = str(PEERS[name])
    if name == "nbdkit":
        return Peer(net, cpu, "nbdkit", "-f", "-i", THEIRS, "-p", port, "memory", f"size={SIZE_MIB}M")
    return Peer(net, cpu, "qemu-nbd", "-f", "raw", "-b", THEIRS, "-p", port, "-t", "-e", "16", "--discard=unmap", path)


class Server:
    """The appliance as something to measure."""

    def __init__(self, appliance):
        self.appliance = appliance

    def awake(self, yes):
        idle = ("100000000", "0", "0") if yes else ("0", "0", "10000")
        self.appliance.ctl("lcore", "idle", "--spin-turns", idle[0], "--pause-turns", idle[1], "--sleep-us", idle[2])

    def busy_seconds(self):
        return self.appliance.busy_seconds()


class Bench:
    """Everything that is started once for all points of one MTU."""

    def __init__(self, args, mtu, device, apart):
        self.args = args
        self.net = Networks(mtu)
        self.dir = tempfile.mkdtemp(prefix="wherry-nbd-", dir="/dev/shm")
        self.appliance, self.peers = None, {}
        self.cpus = sorted(os.sched_getaffinity(0))
        try:
            if apart:
                self.net.steer(self.cpus[-1], self.cpus[0])
            path = os.path.join(self.dir, "disk")
            with open(path, "wb") as f:
                f.truncate(SIZE_MIB << 20)
            for name in PEERS:
                self.peers[name] = start_peer(name, self.net, self.cpus[-1], path)
            self.appliance = Appliance(args.build, self.net, f"{device}:srv0", mtu, "ram", size_mib=SIZE_MIB,
                                       address=f"{OURS}/24")
            # Five seconds: it is looked for on the network first.
            self.appliance.wait(self.answers, "the address")
            self.server = Server(self.appliance)
        except BaseException:
            self.close()
            raise

    def answers(self):
        return subprocess.run(self.net.command("ping", "-c", "1", "-W", "1", OURS, end="client"), check=False,
                              stdout=subprocess.DEVNULL).returncode == 0

    def client(self, name, shape, connections, write):
        """The command that measures one server at one point."""
        block, depth = SHAPES[shape]
        host, port = (OURS, 10809) if name == "wherry" else (THEIRS, PEERS[name])
        return self.net.command("taskset", "-c", str(self.cpus[0]), os.path.join(self.args.build, "tests/bench/nbd_load"),
                                "--host", host, "--port", str(port), "--connections", str(connections), "--depth",
                                str(depth), "--block", str(block), "--span-mib", str(SIZE_MIB), "--seconds",
                                str(self.args.seconds), "--gate", *(["--write"] if write else []), end="client")

    def measure(self, name, shape, connections, write):
        ours = name == "wherry"
        target = self.server if ours else self.peers[name]
        self.server.awake(ours)
        return gated(target, self.client(name, shape, connections, write))

    def close(self):
        if self.appliance:
            self.appliance.close()
        for peer in self.peers.values():
            peer.close()
        self.net.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def gated(target, command):
    """Run a client that says when it is ready to measure; its JSON, with the server's busy time for each I/O."""
    client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        waiter = select.poll()  # select has no place for descriptors above 1,023
        waiter.register(client.stdout, select.POLLIN)
        ready = waiter.poll(120000) and client.stdout.readline().strip() == "ready"
        before = target.busy_seconds() if ready else 0
        out, err = client.communicate("go\n" if ready else "", timeout=120)
    except BaseException:
        client.kill()
        client.wait()
        raise
    if client.returncode or not ready:
        raise BenchError(f"{' '.join(command)}: {err.strip() or out.strip()}")
    result = json.loads(out.strip().splitlines()[-1])
    result["busy_us_per_io"] = (target.busy_seconds() - before) / result["completed"] * 1e6
    result["client_us_per_io"] = result["client_cpu_s"] / result["completed"] * 1e6
    return result


def pairs(args, shape_of_wire, point, peer):
    shape, connections, write = point
    bench = args.shared.get(shape_of_wire)
    if not bench:
        bench = args.shared[shape_of_wire] = Bench(args, *shape_of_wire)
    rows = {"wherry": [], peer: []}
    for _ in range(args.pairs):
        for name in rows:
            rows[name].append(bench.measure(name, shape, connections, write))
    errors = sum(row["errors"] for both in rows.values() for row in both)
    if errors:
        raise BenchError(f"{errors} requests failed")
    return [paired("iops", rows, "iops", 1, "1/s"), paired("throughput", rows, "bytes_per_s", 1e-6, "MB/s"),
            paired("latency p50", rows, "p50_ns", 1e-3, "us"), paired("latency p99", rows, "p99_ns", 1e-3, "us"),
            paired("cpu per I/O", rows, "busy_us_per_io", 1, "us"),
            ("client cpu per I/O", statistics.median(r["client_us_per_io"] for r in rows["wherry"]), "us",
             statistics.median(r["client_us_per_io"] for r in rows[peer]), None)]


def cases():
    """Name -> (function of args, name of the peer)."""
    found = {}
    for wire in ((1500, "af_xdp", False), (1500, "af_xdp", True), (9000, "af_packet", False)):
        prefix = f"nbd-veth-{'apart-' if wire[2] else ''}{wire[0]}"
        for shape in SHAPES:
            for connections in (1, 4):
                for write in (False, True):
                    for peer in PEERS:
                        name = f"{prefix}-{shape}-c{connections}-{'write' if write else 'read'}-{peer}"
                        point = (shape, connections, write)
                        found[name] = (lambda a, w=wire, p=point, n=peer: pairs(a, w, p, n), peer)
    return found
