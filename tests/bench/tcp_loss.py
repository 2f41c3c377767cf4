# SPDX-License-Identifier: BSD-3-Clause
"""Goodput over a bad wire, ours and the kernel's in turn over the same seeded forwarder; the last line is JSON.

nbdcopy reads from and writes to the dataplane, then nbdkit's memory plugin, whose TCP is the kernel's.  Every end uses
CUBIC; each side has a wire and a forwarder of its own, and rests while the other is measured.
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "interop")]
import lossy_wire as lossy  # noqa: E402
from bench import BenchError, paired  # noqa: E402
from harness import Case  # noqa: E402

MIB = 1 << 20
NETWORK = "10.77.0.0/24"
URL = f"nbd://{lossy.SERVER}/disk"
CONDITIONS = {
    "good": [],
    "loss-0.1": ["--loss", "0.001"],
    "loss-1": ["--loss", "0.01"],
    "reorder": ["--reorder", "0.01", "--reorder-us", "500"],
}
COUNTERS = ("tcp_retransmits", "tcp_timeouts", "tcp_recoveries", "tcp_undone", "tcp_tail_probes", "tcp_duplicates",
            "tcp_out_of_order")


def use_cubic(case, netns, device):
    """For everything that the kernel sends there."""
    case.run("ip", "-n", netns, "route", "replace", NETWORK, "dev", device, "congctl", "cubic")


class Kernel:
    """nbdkit at the server's end of a wire."""

    def __init__(self, case, wire, size_mib):
        case.run("ip", "-n", wire.server, "addr", "add", f"{lossy.SERVER}/24", "dev", "srv0")
        use_cubic(case, wire.server, "srv0")
        self.process = case.start("nbdkit", "nbdkit", "--foreground", "--exit-with-parent", "--export-name=disk",
                                  "memory", f"{size_mib}M", netns=wire.server)
        case.wait_for(10, "nbdkit to listen", lambda: case.run("ss", "-Hltn", netns=wire.server).stdout)

    @staticmethod
    def counters():
        return {}


class Ours(lossy.Dataplane):
    def __init__(self, case, wire, size_mib):
        super().__init__(case, wire, size_mib * MIB, lcores="0@(0-1),1@(0-1)")

    def counters(self):
        return dict(zip(COUNTERS, self.total(*COUNTERS)))


class Side:
    """A wire with a server at its end that sleeps until it is asked."""

    def __init__(self, case, name, server, args):
        self.case, self.name, self.args = case, name, args
        self.wire = lossy.Wire(case, name)
        use_cubic(case, self.wire.client, "cli0")
        self.server = server(case, self.wire, args.size)
        self.copy("write", [])  # what holds nothing would travel as holes
        self.sleep(True)

    def sleep(self, yes):
        self.server.process.send_signal(signal.SIGSTOP if yes else signal.SIGCONT)

    def copy(self, direction, options, seed=11):
        """MiB/s of one copy, what the forwarder did and what the server counted."""
        self.wire.condition("--seed", str(seed), "--delay-us", str(self.args.delay_us), *options)
        ends = (URL, "null:") if direction == "read" else (self.args.file, URL)
        before = self.server.counters()
        begin = time.monotonic()
        done = self.case.run("nbdcopy", "--connections=1", *ends, netns=self.wire.client, timeout_s=120)
        seconds = time.monotonic() - begin
        self.case.check(f"{self.name} {direction}", done.returncode == 0)
        after = self.server.counters()
        return {"mib_s": self.args.size / seconds, "wire": self.wire.end(),
                "counters": {name: after[name] - before[name] for name in after}}


def measure(case, args):
    args.file = os.path.join(case.dir, "random")
    with open(args.file, "wb") as file:
        for _ in range(args.size):
            file.write(os.urandom(MIB))
    sides = [Side(case, "ours", Ours, args), Side(case, "kernel", Kernel, args)]
    rows = {}
    for condition in args.conditions:
        for direction in args.directions:
            pairs = []
            for pair in range(args.pairs):
                both = {}
                for side in sides:
                    side.sleep(False)
                    both[side.name] = side.copy(direction, CONDITIONS[condition], args.seed + pair)
                    side.sleep(True)
                pairs.append(both)
                if args.verbose:
                    case.say(f"{condition} {direction}: ratio {both['ours']['mib_s'] / both['kernel']['mib_s']:.2f}\n  "
                             + "\n  ".join(f"{name}: {json.dumps(done)}" for name, done in both.items()))
            rows[f"{condition} {direction}"] = [{name: done["mib_s"] for name, done in both.items()} for both in pairs]
    for side in sides:
        side.sleep(False)
    print(json.dumps(rows))


def pairs(args, condition, direction):
    """For tests/bench/run: the rows of one condition and direction."""
    done = subprocess.run([sys.executable, os.path.abspath(__file__), "--pairs", str(args.pairs), "--conditions", condition,
                           "--directions", direction], env=dict(os.environ, WHERRY_BUILD=args.build),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise BenchError(done.stdout[-2000:])
    both = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))[f"{condition} {direction}"]
    rows = {side: [{"mib_s": pair[side]} for pair in both] for side in ("ours", "kernel")}
    return [paired("goodput", rows, "mib_s", 1, "MiB/s")]


def cases():
    """Name -> (function of args, name of the peer)."""
    return {f"tcp-loss-{condition}-{direction}": (lambda a, c=condition, d=direction: pairs(a, c, d), "nbdkit")
            for condition in CONDITIONS for direction in ("read", "write")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128, metavar="MIB", help="of one copy (default 128)")
    parser.add_argument("--pairs", type=int, default=3, metavar="N", help="copies of each side (default 3)")
    parser.add_argument("--seed", type=int, default=11, metavar="N", help="of the first pair's wire; the next have the next")
    parser.add_argument("--conditions", nargs="+", choices=CONDITIONS, default=list(CONDITIONS), help="of the wire")
    parser.add_argument("--directions", nargs="+", choices=("read", "write"), default=["read", "write"])
    parser.add_argument("--delay-us", type=int, default=0, metavar="US", help="every frame is held so long, each way")
    parser.add_argument("--verbose", action="store_true", help="say what happened in each copy")
    args = parser.parse_args()
    with Case() as case:
        case.need("nbdcopy", "nbdkit", "ethtool", "ss")
        measure(case, args)


if __name__ == "__main__":
    main()
