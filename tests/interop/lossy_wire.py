# SPDX-License-Identifier: BSD-3-Clause
"""A client's namespace, a bad wire (lossy_forwarder) and a server's namespace; and a dataplane to put there."""
import ipaddress
import json
import os
import signal

import ctl_client as ctl
import harness

SERVER, CLIENT = "10.77.0.1", "10.77.0.2"


class Wire:
    """client ns [cli0] -- [fa] wire ns [fb] -- [srv0] server ns; the client is direction "fa" of the forwarder."""

    def __init__(self, case, name):
        self.case, self.name = case, name
        self.client, self.middle, self.server = (case.netns(f"{name}-{end}") for end in ("cli", "mid", "srv"))
        case.veth(self.client, "cli0", self.middle, "fa")
        case.veth(self.middle, "fb", self.server, "srv0")
        case.run("ip", "-n", self.client, "addr", "add", f"{CLIENT}/24", "dev", "cli0")
        self.forwarder = None
        self.log = os.path.join(case.dir, f"forwarder-{name}.log")

    def condition(self, *options):
        """From now on the wire is like this; what the forwarder before did, by direction."""
        counts = self.end()
        if os.path.exists(self.log):
            os.unlink(self.log)
        self.forwarder = self.case.start(
            f"forwarder-{self.name}", os.path.join(harness.BUILD, "tests", "interop", "lossy_forwarder"), *options,
            "fa", "fb", netns=self.middle)
        self.case.wait_for(10, "the forwarder", lambda: "ready" in self.said())
        return counts

    def said(self):
        with open(self.log, encoding="utf-8") as file:
            return file.read()

    def end(self):
        if self.forwarder is None:
            return {}
        self.forwarder.send_signal(signal.SIGTERM)
        self.forwarder.wait(10)
        self.forwarder = None
        return json.loads(self.said().splitlines()[-1])


class Dataplane:
    """wherry-dataplane at the server's end: the NBD export "disk", a RAM volume."""

    def __init__(self, case, wire, size_bytes, lcores="0@(0-1),1@(0-1),2@(0-1)", prefix_bits=24):
        self.case = case
        self.path = os.path.join(case.dir, "dp.sock")
        self.process = case.start(
            "dataplane", os.path.join(harness.BUILD, "dataplane", "wherry-dataplane"), "--socket", self.path,
            "--no-huge", "--lcores", lcores, "--port", "name=p0,device=af_packet:srv0",
            netns=wire.server)
        case.wait_for(20, "the dataplane to listen", self.listens)
        self.ctl = ctl.Client(self.path)
        self.ctl.hello()
        self.ctl.request("SYNC_BEGIN", epoch=1)
        address = b"\0" * 10 + b"\xff\xff" + ipaddress.ip_address(SERVER).packed
        self.ctl.request("NET_PUT", generation=1, address_port=[0], address_vlan=[0], address=address,
                         address_bits=bytes([prefix_bits]), route=b"", route_bits=b"", route_gateway=b"")
        self.ctl.request("NBD_PUT", tcp_port=10809)
        self.ctl.wait(self.ctl.put_volume(ctl.volume(1, "ram", ctl.RAM, size_bytes, ctl.make_memfd(size_bytes))))
        self.ctl.request("NBD_EXPORT_PUT", id=1, generation=1, volume_id=1, name="disk", description="", flags=2,
                         allow=b"", allow_bits=b"")
        self.ctl.request("SYNC_END", epoch=1)

    def listens(self):
        if self.process.poll() is not None:
            raise harness.Failed(f"the dataplane ended with status {self.process.returncode}")
        try:
            ctl.Client(self.path).close()
            return True
        except OSError:
            return False

    def total(self, *names):
        """Sums of counters over all lcores."""
        lcores = self.ctl.stats("lcore").values()
        return [sum(lcore[name] for lcore in lcores) for name in names]

    def moved_bytes(self):
        return sum(c["bytes_in"] + c["bytes_out"] for c in self.ctl.list("CONNECTION_LIST"))

    def stop(self):
        self.ctl.close()
        self.process.send_signal(signal.SIGTERM)
        self.case.wait_for(15, "the dataplane to end", lambda: self.process.poll() is not None)
        return self.process.returncode
