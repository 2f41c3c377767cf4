# SPDX-License-Identifier: BSD-3-Clause
"""wherryd with the dataplane of wherryd_plane.py: no network, every misbehaviour at will."""
import json
import os
import signal
import socket
import subprocess
import time

import harness
from appliance import Appliance, Rpc, RpcError

HERE = os.path.dirname(os.path.abspath(__file__))


class Box:
    def __init__(self, case, name="box", *, options=(), user="nobody"):
        self.case, self.name = case, name
        self.folder = os.path.join(case.dir, name)
        self.plane = os.path.join(self.folder, "plane")
        self.volumes = os.path.join(self.folder, "volumes")
        self.state, self.run_dir = os.path.join(self.folder, "state"), os.path.join(self.folder, "run")
        os.makedirs(self.plane)
        os.makedirs(self.volumes)
        os.chmod(self.plane, 0o777)
        self.options, self.user, self.process, self.count = list(options), user, None, 0
        self.env = {**os.environ, "WHERRY_PLANE": self.plane, "WHERRY_JOURNAL": case.journal_path}
        self.mode()

    # ---- the dataplane
    def mode(self, **mode):
        """For dataplanes started from now on."""
        with open(os.path.join(self.plane, "mode"), "w", encoding="utf-8") as file:
            json.dump(mode, file)

    def told(self):
        with open(os.path.join(self.plane, "told"), encoding="utf-8") as file:
            return json.load(file)

    def ask(self, **command):
        """Have the running dataplane do something."""
        path = os.path.join(self.plane, "answer.sock")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:
            if os.path.exists(path):
                os.unlink(path)
            asking.bind(path)
            os.chmod(path, 0o777)
            asking.settimeout(15)
            asking.sendto(json.dumps(command).encode(), os.path.join(self.plane, "ask.sock"))
            return json.loads(asking.recv(1 << 20))

    # ---- wherryd
    def argv(self):
        user = ["--user", self.user] if self.user else []
        return [Appliance.program("wherryd"), "--state-dir", self.state, "--run-dir", self.run_dir, *user,
                "--dataplane", os.path.join(HERE, "wherryd_plane.py"), "--allow-path", self.folder, *self.options]

    def start(self, wait=True):
        self.process = self.case.start(self.name, *self.argv(), env=self.env)
        if wait:
            self.case.wait_for(20, "wherryd to answer", self.answers)
        return self

    def answers(self):
        if self.process.poll() is not None:
            raise harness.Failed(f"wherryd ended with status {self.process.returncode}")
        try:
            return self.rpc("daemon.status")
        except OSError:
            return None

    def serving(self, seconds=20):
        self.case.wait_for(seconds, "the dataplane to serve",
                           lambda: self.rpc("daemon.status")["dataplane"]["state"] in ("serving", "adopted"))
        return self

    @property
    def socket_path(self):
        return os.path.join(self.run_dir, "wherryd.sock")

    def rpc(self, method, **params):
        connection = Rpc(self.socket_path)
        try:
            return connection.call(method, **params)
        finally:
            connection.close()

    def refused(self, kind, method, **params):
        """The message of a call that must be refused with this kind; None (and a failed check) when it is not."""
        try:
            self.rpc(method, **params)
        except RpcError as error:
            self.case.equal(f"{method} is refused as {kind}: {error}", error.kind, kind)
            return str(error)
        self.case.check(f"{method} is refused", False, str(params))
        return None

    def halves(self):
        """Pids of monitor and daemon."""
        monitor = self.process.pid
        found = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(monitor)], capture_output=True, text=True,
                               check=False).stdout.split("\n")
        for line in found:
            words = line.split()
            if len(words) == 2 and words[1] == "wherryd":
                return [monitor, int(words[0])]
        return [monitor]

    def kill(self, which=(0, 1), pids=None):
        """kill -9 of monitor (0), daemon (1) or both; returns when both are gone.  pids: halves(), when it is known."""
        pids = pids or self.halves()
        for index in which:
            if index < len(pids):
                os.kill(pids[index], signal.SIGKILL)
        self.process.wait(timeout=20)
        for pid in pids:
            self.case.wait_for(10, f"process {pid} to end too", lambda pid=pid: not harness.alive(pid))

    def stop(self, dataplane=True):
        self.rpc("daemon.shutdown", dataplane=dataplane)
        self.case.equal("wherryd's exit status", self.process.wait(timeout=20), 0)

    def log(self):
        with open(os.path.join(self.case.dir, self.name + ".log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def end_plane(self):
        """A dataplane that outlived its wherryd."""
        try:
            os.kill(self.told()["pid"], signal.SIGKILL)
        except (OSError, ValueError):
            pass


def until(seconds, predicate):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = predicate()
        if value:
            return value
        time.sleep(0.02)
    return None
