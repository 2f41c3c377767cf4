# SPDX-License-Identifier: BSD-3-Clause
"""What a python case file stands on: checks, namespaces and processes that are undone at exit.

    from harness import Case
    with Case() as case:
        case.check("the answer has the R flag", answer.flags & 8)

The python twin of case.sh; both write the same journal, which tests/lib/cleanup replays.
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.environ.get("WHERRY_ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("WHERRY_BUILD") or os.path.join(ROOT, "build")
LONG = bool(os.environ.get("WHERRY_LONG"))


class Failed(Exception):
    """A check did not hold; the text says which."""


class Skipped(Exception):
    """Something that the case needs is not here."""


def start_time(pid):
    """Field 22 of /proc/PID/stat: with the pid it names a process for good."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return file.read().rsplit(") ", 1)[1].split()[19]


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rsplit(") ", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Case:
    """One run of one case file.  Leaving the 'with' ends the program with the case's verdict."""

    def __init__(self):
        self.begin = time.monotonic()
        self.checks = 0
        self.failures = []
        self.dir = os.environ.get("WHERRY_CASE_DIR") or tempfile.mkdtemp(prefix="wherry-case.")
        self.remove_dir = "WHERRY_CASE_DIR" not in os.environ
        # The appliance gives up its rights and must still reach its own directories.
        os.chmod(self.dir, 0o711)
        self.journal_path = os.path.join(self.dir, "cleanup")
        self.logs = []
        self.netns_count = 0
        os.environ["PATH"] += ":/usr/sbin:/sbin"

    def __enter__(self):
        signal.signal(signal.SIGTERM, self._on_signal)
        if os.geteuid() != 0:
            self._end(Skipped("needs root for network namespaces"))
        return self

    @staticmethod
    def _on_signal(number, _frame):
        raise KeyboardInterrupt(f"signal {number}")

    def __exit__(self, _kind, error, _trace):
        if error is not None and not isinstance(error, (Failed, Skipped, KeyboardInterrupt)):
            import traceback
            traceback.print_exc(file=sys.stdout)
        self._end(error)

    def _end(self, error):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.stdout.flush()
        subprocess.run([os.path.join(ROOT, "tests/lib/cleanup"), self.journal_path], stdin=subprocess.DEVNULL,
                       check=False)
        status = 0
        if isinstance(error, Skipped):
            print(f"skipped: {error}")
            status = 77
        elif error is not None or self.failures:
            self._show_logs()
            for text in self.failures:
                print(f"NOT OK: {text}")
            if error is not None:
                print(f"FAILED: {error}")
            status = 1
        elif not self.checks:
            print("FAILED: no check ran")
            status = 1
        else:
            print(f"{self.checks} checks passed")
        sys.stdout.flush()
        if self.remove_dir:
            shutil.rmtree(self.dir, ignore_errors=True)
        os._exit(status)

    def _show_logs(self):
        for path in self.logs:
            if os.path.exists(path) and os.path.getsize(path):
                print(f"--- {os.path.basename(path)}")
                with open(path, encoding="utf-8", errors="replace") as file:
                    print("".join(file.readlines()[-12:]), end="")

    # ---- checks
    def say(self, text):
        print(f"[{time.monotonic() - self.begin:6.2f}] {text}", flush=True)

    def check(self, text, good, detail=""):
        """Record whether something holds; the case goes on, so that one run shows all failures."""
        self.checks += 1
        if good:
            self.say(f"ok: {text}")
        else:
            text += f" ({detail})" if detail != "" else ""
            self.failures.append(text)
            self.say(f"NOT OK: {text}")
        return bool(good)

    def equal(self, text, got, wanted):
        return self.check(text, got == wanted, f"got {got!r}, expected {wanted!r}")

    def must(self, text, good, detail=""):
        """A check without which the rest would show nothing."""
        if not self.check(text, good, detail):
            raise Failed(text)

    @staticmethod
    def skip(text):
        raise Skipped(text)

    def need(self, *commands):
        for command in commands:
            if shutil.which(command) is None:
                self.skip(f"needs {command} (deploy/install-deps --test)")

    def wait_for(self, seconds, what, predicate, every_s=0.02):
        """The predicate's first true value; fails the case when there is none in time."""
        deadline = time.monotonic() + seconds
        while True:
            value = predicate()
            if value:
                return value
            if time.monotonic() > deadline:
                raise Failed(f"waited {seconds} s for: {what}")
            time.sleep(every_s)

    # ---- processes
    def journal(self, line):
        with open(self.journal_path, "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def own(self, pid):
        self.journal(f"pid {pid} {start_time(pid)}")

    def run(self, *argv, netns=None, ok=True, timeout_s=60, input_text=None):
        """Run to the end.  The CompletedProcess with text output; a bad exit status fails the case unless ok is False."""
        argv = self.within(netns, argv)
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace", timeout=timeout_s, check=False,
                              input=input_text, stdin=subprocess.DEVNULL if input_text is None else None)
        if ok and done.returncode != 0:
            raise Failed(f"{' '.join(argv)}: exit status {done.returncode}: {done.stdout}{done.stderr}")
        return done

    @staticmethod
    def within(netns, argv):
        argv = [str(word) for word in argv]
        return ["ip", "netns", "exec", netns, *argv] if netns else argv

    def start(self, name, *argv, netns=None, env=None):
        """Start in the background, output to NAME.log.  The Popen."""
        log = os.path.join(self.dir, name + ".log")
        if log not in self.logs:
            self.logs.append(log)
        with open(log, "ab") as out:
            process = subprocess.Popen(self.within(netns, argv), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                       env=dict(os.environ, **(env or {})))
        self.own(process.pid)
        return process

    # ---- networks
    def netns(self, name):
        """A namespace; its name is unique on the machine."""
        self.netns_count += 1
        full = f"wt{os.getpid()}-{self.netns_count}-{name}"
        self.run("ip", "netns", "add", full)
        self.journal(f"netns {full}")
        self.run("ip", "-n", full, "link", "set", "lo", "up")
        # Nothing but the test's own frames on the wire.
        self.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1",
                 netns=full, ok=False)
        return full

    def veth(self, netns_a, name_a, netns_b, name_b, mtu=1500):
        self.run("ip", "link", "add", name_a, "netns", netns_a, "mtu", mtu, "type", "veth",
                 "peer", "name", name_b, "netns", netns_b, "mtu", mtu)
        for netns, name in ((netns_a, name_a), (netns_b, name_b)):
            self.run("ethtool", "-K", name, "tx", "off", "rx", "off", "gso", "off", "tso", "off", netns=netns, ok=False)
            self.run("ip", "-n", netns, "link", "set", name, "up")
