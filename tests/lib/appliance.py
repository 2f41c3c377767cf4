# SPDX-License-Identifier: BSD-3-Clause
"""A whole appliance of a case's own: wherryd, its dataplane, a network to serve, clients to serve it to."""
import json
import os
import signal
import socket
import tempfile
import time

import aoe
import harness


class RpcError(Exception):
    """An error reply of wherryd."""

    def __init__(self, error):
        super().__init__(error.get("message", ""))
        self.code = error.get("code")
        self.kind = (error.get("data") or {}).get("kind")


class Rpc:
    """A JSON-RPC connection to wherryd."""

    def __init__(self, path, timeout_s=30):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout_s)
        self.socket.connect(path)
        self.buffer = b""
        self.serial = 0

    def close(self):
        self.socket.close()

    def line(self):
        while b"\n" not in self.buffer:
            more = self.socket.recv(1 << 20)
            if not more:
                raise ConnectionError("wherryd closed the connection")
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def call(self, method, **params):
        self.serial += 1
        request = {"jsonrpc": "2.0", "id": self.serial, "method": method, "params": params}
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        reply = self.line()
        if reply.get("id") != self.serial:
            raise ConnectionError(f"reply to another request: {reply}")
        if "error" in reply:
            raise RpcError(reply["error"])
        return reply["result"]


class Appliance:
    """wherryd in a namespace of its own, 'server', with ports srvN whose peers cliN stand in 'client'."""

    def __init__(self, case, *, ports=1, mtu=1500, kind="af_packet", options=()):
        self.case = case
        self.kind = kind
        self.server, self.client = case.netns("server"), case.netns("client")
        self.mtu = mtu
        for index in range(ports):
            case.veth(self.server, f"srv{index}", self.client, f"cli{index}", mtu)
        self.port_count = ports
        # A case may have several appliances, one after the other.
        folder = tempfile.mkdtemp(prefix="box", dir=case.dir)
        os.chmod(folder, 0o755)
        self.state, self.run_dir = os.path.join(folder, "state"), os.path.join(folder, "run")
        self.volumes = os.path.join(folder, "volumes")
        os.makedirs(self.volumes)
        self.options = list(options)
        self.process = None

    @property
    def socket_path(self):
        return os.path.join(self.run_dir, "wherryd.sock")

    # ---- life
    def argv(self):
        return [self.program("wherryd"), "--state-dir", self.state, "--run-dir", self.run_dir, "--user", "nobody",
                "--group", "nogroup", "--dataplane", self.program("wherry-dataplane"), "--allow-path", self.case.dir,
                *self.options]

    @staticmethod
    def program(name):
        folder = {"wherryd": "controlplane/daemon", "wherryctl": "controlplane/cli", "wherry-dataplane": "dataplane"}
        return os.path.join(harness.BUILD, folder[name], name)

    def start(self, *, wait=True):
        """Start wherryd; with wait, until it answers."""
        self.process = self.case.start("wherryd", *self.argv(), netns=self.server)
        if wait:
            self.case.wait_for(10, "wherryd to answer", self.answers)
        return self

    def answers(self):
        if self.process.poll() is not None:
            raise harness.Failed(f"wherryd ended with status {self.process.returncode}")
        try:
            return self.rpc("daemon.status")
        except OSError:
            return None

    def begin(self):
        """Start, add the ports, wait until it serves."""
        self.start()
        for index in range(self.port_count):
            self.rpc("port.add", name=f"p{index}", device=f"{self.kind}:srv{index}", mtu=self.mtu)
        self.wait_serving()
        return self

    def rpc(self, method, **params):
        connection = Rpc(self.socket_path)
        try:
            return connection.call(method, **params)
        finally:
            connection.close()

    def ctl(self, *words, **options):
        """Run wherryctl; the CompletedProcess."""
        return self.case.run(self.program("wherryctl"), "--socket", self.socket_path, *words, **options)

    def status(self):
        return self.rpc("daemon.status")

    def dataplane_pid(self):
        return self.status()["dataplane"]["pid"]

    def serving(self):
        try:
            return self.status()["dataplane"]["state"] in ("serving", "adopted")
        except OSError:
            return False

    def wait_serving(self, seconds=20):
        self.case.wait_for(seconds, "the dataplane to serve", self.serving)

    def kill_dataplane(self):
        """kill -9.  The pid that was."""
        pid = self.dataplane_pid()
        os.kill(pid, signal.SIGKILL)
        return pid

    def kill_daemon(self):
        """kill -9 of wherryd, monitor and daemon process alike."""
        for pid in self.daemon_pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()

    def daemon_pids(self):
        """Every process of ours that runs the wherryd executable."""
        return pids_of(self.program("wherryd"), self.server, self.case)

    def dataplane_pids(self):
        return pids_of(self.program("wherry-dataplane"), self.server, self.case)

    def stop(self):
        """An orderly end of both; checked to be clean."""
        pids = self.dataplane_pids()
        self.rpc("daemon.shutdown", dataplane=True)
        self.case.wait_for(15, "wherryd to end", lambda: self.process.poll() is not None)
        self.case.equal("wherryd's exit status after shutdown", self.process.returncode, 0)
        for pid in pids:
            self.case.wait_for(15, "the dataplane to end", lambda pid=pid: not harness.alive(pid))

    # ---- objects
    def ram(self, name, size_bytes=16 << 20, **options):
        return self.rpc("volume.create", name=name, backend="ram", size_bytes=size_bytes, **options)

    def file(self, name, size_bytes=16 << 20, folder=None, **options):
        path = os.path.join(folder or self.volumes, name + ".img")
        self.rpc("volume.create", name=name, backend="file", size_bytes=size_bytes, path=path, create_file=True,
                 **options)
        return path

    def export(self, volume, shelf, slot, **options):
        return self.rpc("aoe.export.create", volume=volume, shelf=shelf, slot=slot, **options)

    def connect(self, index=0, **options):
        """A client on the other end of port index."""
        return aoe.Client(f"cli{index}", netns=self.client, **options)

    def counters(self, scope, name):
        """Counters of one object, by name."""
        for item in self.rpc("stats.get", scope=scope, object=name)["objects"]:
            return item["values"]
        raise harness.Failed(f"no statistics of {scope} {name}")

    def lcore_counter(self, name):
        """A counter summed over all lcores."""
        return sum(item["values"].get(name, 0) for item in self.rpc("stats.get", scope="lcore")["objects"])


def pids_of(program, netns, case):
    """Pids inside the namespace whose executable is the program."""
    program = os.path.realpath(program)
    found = []
    for word in case.run("ip", "netns", "pids", netns).stdout.split():
        try:
            if os.path.realpath(f"/proc/{word}/exe") == program and harness.alive(int(word)):
                found.append(int(word))
        except OSError:
            pass
    return found


def measure_gap(client, shelf, slot, seconds, action):
    """Ask Config reads all the time, run action in between.  The longest silence in seconds."""
    begin = last = time.monotonic()
    longest, acted = 0.0, False
    while time.monotonic() - begin < seconds:
        if not acted and time.monotonic() - begin > 0.3:
            action()
            acted = True
        answer = client.ask(shelf, slot, aoe.CONFIG, aoe.config_argument(aoe.CONFIG_READ), timeout_s=0.02)
        now = time.monotonic()
        if answer:
            longest, last = max(longest, now - last), now
    return max(longest, time.monotonic() - last)
