# SPDX-License-Identifier: BSD-3-Clause
"""NBD over memif: our own client, our own stack on both sides, no kernel in the way; what a request costs the worker."""
import os
import shutil
import statistics
import tempfile

from bench import Appliance
from nbd_veth import gated

SERVER = "10.77.0.1"
SIZE_MIB = 64


def measure(args, mtu, backend, depth, write):
    directory = tempfile.mkdtemp(prefix="wherry-memif-")
    socket = os.path.join(directory, "m.sock")
    frame = (mtu + 18 + 63) // 64 * 64
    vdev = f"net_memif,role=client,id=0,socket={socket},socket-abstract=no,bsize={frame},rsize=10"
    client = [os.path.join(args.build, "tests/bench/nbd_load_memif"), "-l", "0", "--no-huge", "-m", "512", "--no-shconf",
              "--no-pci", "--file-prefix", f"load{os.getpid()}", "--log-level", "3", "--no-telemetry", "--vdev", vdev, "--",
              "--host", SERVER, "--mtu", str(mtu), "--depth", str(depth), "--span-mib", str(SIZE_MIB), "--seconds",
              str(args.seconds), "--gate", *(["--write"] if write else []), *(["--unmarked"] if backend == "null" else [])]
    target = None
    try:
        target = Appliance(args.build, None, f"memif:{socket},role=server", mtu, backend, size_mib=SIZE_MIB,
                           address=f"{SERVER}/24")
        runs = [gated(target, client) for _ in range(args.pairs)]
        hz = [row["tsc_hz"] for row in target.ctl("lcore", "list") if not row["main"]][0]
    finally:
        if target:
            target.close()
        shutil.rmtree(directory, ignore_errors=True)
    cycles = statistics.median(r["busy_us_per_io"] for r in runs) * hz / 1e6
    return [("iops per lcore", statistics.median(r["iops"] for r in runs), "1/s", None, None),
            ("cycles per I/O", cycles, "cycles", None, None),
            ("latency p50", statistics.median(r["p50_ns"] for r in runs) / 1e3, "us", None, None)]


def cases():
    """Name -> function of args."""
    found = {}
    for mtu in (1500, 9000):
        for backend in ("null", "ram"):
            for write in (False, True):
                name = f"nbd-memif-{mtu}-{backend}-{'write' if write else 'read'}-qd32"
                found[name] = lambda a, m=mtu, b=backend, w=write: measure(a, m, b, 32, w)
    return found
