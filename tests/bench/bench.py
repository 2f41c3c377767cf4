# SPDX-License-Identifier: BSD-3-Clause
"""What the benchmarks share: a network, the appliance and its peers, measuring in pairs."""
import json
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import time

FILE_MIB = 256


class BenchError(Exception):
    pass


def sh(*args, **kw):
    return subprocess.run(args, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kw).stdout


class Network:
    """A namespace with a veth pair: `srv` is the target's end, `cli` the client's."""

    def __init__(self, mtu):
        self.name = f"wherry-bench-{os.getpid()}"
        sh("ip", "netns", "add", self.name)
        try:
            sh("ip", "-n", self.name, "link", "add", "srv", "type", "veth", "peer", "name", "cli")
            for end in ("srv", "cli"):
                self.exec("sysctl", "-qw", f"net.ipv6.conf.{end}.disable_ipv6=1")
                sh("ip", "-n", self.name, "link", "set", end, "mtu", str(mtu), "up")
        except BaseException:
            self.close()
            raise

    def command(self, *args):
        return ["ip", "netns", "exec", self.name, *args]

    def exec(self, *args):
        return sh(*self.command(*args))

    def close(self):
        subprocess.run(["ip", "netns", "del", self.name], check=False)


def stop(process, wait_s=10):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(wait_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Appliance:
    """wherryd and its dataplane with one volume in a network namespace: AoE export 0.0, or with an address NBD's default."""

    def __init__(self, build, net, device, mtu, volume, path=None, size_mib=FILE_MIB, address=None):
        self.dir = tempfile.mkdtemp(prefix="wherry-bench-")
        os.chmod(self.dir, 0o711)  # the daemon is not root
        self.socket = os.path.join(self.dir, "run", "wherryd.sock")
        self.ctl_path = os.path.join(build, "controlplane/cli/wherryctl")
        allow = os.path.dirname(path) if path else self.dir
        command = [os.path.join(build, "controlplane/daemon/wherryd"), "--state-dir", os.path.join(self.dir, "state"),
                   "--run-dir", os.path.join(self.dir, "run"), "--user", "nobody",
                   "--dataplane", os.path.join(build, "dataplane/wherry-dataplane"), "--allow-path", allow]
        self.log = open(os.path.join(self.dir, "log"), "wb")
        self.process = subprocess.Popen(net.command(*command) if net else command, stdout=self.log, stderr=self.log)
        try:
            self.wait(lambda: self.state() is not None, "wherryd")
            self.ctl("lcore", "idle", "--spin-turns", "100000000", "--pause-turns", "0", "--sleep-us", "0")
            self.ctl("port", "add", "p0", device, "--mtu", str(mtu))
            options = ["--size", f"{size_mib}M"] if not path else ["--path", path]
            self.ctl("volume", "create", "v0", "--backend", volume, *options)
            if address:
                self.ctl("address", "add", "p0", address)
                self.ctl("export", "nbd", "create", "disk", "v0", "--default")
            else:
                self.ctl("export", "aoe", "create", "0.0", "v0")
            self.wait(lambda: self.state() in ("serving", "adopted"), "the dataplane")
        except BaseException:
            self.close()
            raise

    def wait(self, condition, what):
        until = time.monotonic() + 20
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            if condition():
                return
            time.sleep(0.02)
        with open(os.path.join(self.dir, "log"), encoding="utf-8", errors="replace") as f:
            raise BenchError(f"{what} did not come up:\n{f.read()[-2000:]}")

    def ctl(self, *args):
        done = subprocess.run([self.ctl_path, "--socket", self.socket, "--json", *args], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise BenchError(f"wherryctl {' '.join(args)}: {done.stderr.strip()}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def state(self):
        """Of the dataplane; None while wherryd does not answer."""
        try:
            return self.ctl("daemon", "status")["dataplane"]["state"]
        except BenchError:
            return None

    def busy_seconds(self):
        return sum(row["busy_cycles"] / row["tsc_hz"] for row in self.ctl("lcore", "list") if not row["main"])

    def close(self):
        if self.process.poll() is None:
            subprocess.run([self.ctl_path, "--socket", self.socket, "daemon", "shutdown", "--dataplane"],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        stop(self.process)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def tmpfs_file():
    path = f"/dev/shm/wherry-bench-{os.getpid()}.img"
    with open(path, "wb") as f:
        for _ in range(FILE_MIB):
            f.write(os.urandom(1 << 20))
    return path


def measure(target, command):
    """Run the load generator; its JSON, with the target's busy seconds per million I/Os."""
    before = target.busy_seconds()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    after = target.busy_seconds()
    if done.returncode:
        raise BenchError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    result = json.loads(done.stdout.strip().splitlines()[-1])
    # warm-up included on both sides of the division: busy covers it, so scale the I/Os by the same time
    total = result["completed"] * (result["seconds"] + 0.5) / result["seconds"]
    result["busy_us_per_io"] = (after - before) / total * 1e6
    return result


def paired(figure, rows, key, scale, unit):
    """Medians of both sides, ours first, and the median of the ratios of each pair."""
    ours, peers = ([row[key] * scale for row in both] for both in rows.values())
    ratios = [a / b for a, b in zip(ours, peers) if b]
    return (figure, statistics.median(ours), unit, statistics.median(peers), statistics.median(ratios) if ratios else None)
