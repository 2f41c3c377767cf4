# SPDX-License-Identifier: BSD-3-Clause
"""Running one case: its own session, its own folder and log, a time limit, and nothing left behind."""
import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import time
import xml.etree.ElementTree

import cases

SKIP = 77
CLEANUP = os.path.join(cases.ROOT, "tests/lib/cleanup")


@dataclasses.dataclass
class Result:
    id: str
    status: str  # pass, fail, skip
    seconds: float
    note: str = ""
    log: str = ""


def marked_processes(mark):
    """Pids of the processes that carry WHERRY_CASE=mark in their environment, zombies excluded."""
    wanted = f"WHERRY_CASE={mark}".encode()
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                if wanted in file.read().split(b"\0"):
                    found.append(int(name))
        except OSError:
            pass
    return found


def command_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return "?"


def claim(folder):
    """An empty folder for logs.  Only one that an earlier run made is emptied."""
    marker = os.path.join(folder, ".wherry-test-logs")
    if os.path.isdir(folder) and os.listdir(folder) and not os.path.exists(marker):
        raise SystemExit(f"tests/run: {folder} holds other files: name an empty or a new folder")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    with open(marker, "w", encoding="ascii"):
        pass


class Executor:
    """Owner of the folder that logs and case files go to."""

    def __init__(self, folder, keep):
        self.folder = folder
        self.keep = keep
        self.serial = 0
        self.running = set()
        self.stopped = False
        claim(folder)

    def stop_all(self):
        """Interrupted: end what runs, by force the second time; run() then cleans up after each."""
        number = signal.SIGKILL if self.stopped else signal.SIGTERM
        self.stopped = True
        for process in list(self.running):
            self.signal_group(process, number)

    @staticmethod
    def signal_group(process, number):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass

    def spawn(self, argv, log, timeout_s, env, cwd):
        """Run to the end.  (exit status, or None after a time-out)."""
        with open(log, "ab") as out:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                       start_new_session=True, env=env, cwd=cwd)
            self.running.add(process)
            try:
                return process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.signal_group(process, signal.SIGTERM)
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    pass
                self.signal_group(process, signal.SIGKILL)
                process.wait()
                return None
            finally:
                self.running.discard(process)

    def clean(self, mark, folder, log):
        """Undo what the case's journal says, kill what it left.  What was left behind, as text."""
        journal = os.path.join(folder, "cleanup")
        left = marked_processes(mark)
        if not left:
            # A process in the middle of exec shows no environment: look twice.
            time.sleep(0.03)
            left = marked_processes(mark)
        deadline = time.monotonic() + 2
        while left and time.monotonic() < deadline:
            time.sleep(0.1)
            left = marked_processes(mark)
        note = ""
        if left:
            note = "left processes behind: " + "; ".join(f"{pid} {command_of(pid)[:80]}" for pid in left)
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        if os.path.exists(journal):
            with open(log, "ab") as out:
                subprocess.run([CLEANUP, journal], stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=60,
                               check=False)
        return note

    def run(self, case, extra_env=None, cwd=None):
        """Run a case whose exit status is its verdict."""
        self.serial += 1
        mark = f"{case.id}.{os.getpid()}.{self.serial}"
        safe = case.id.replace("/", "-")
        log = os.path.join(self.folder, safe + ".log")
        folder = os.path.join(self.folder, safe + ".d")
        os.makedirs(folder, exist_ok=True)
        env = dict(os.environ, WHERRY_ROOT=cases.ROOT, WHERRY_BUILD=os.path.join(cases.ROOT, "build"),
                   WHERRY_CASE=mark, WHERRY_CASE_DIR=folder, PYTHONDONTWRITEBYTECODE="1", LC_ALL="C.UTF-8")
        env.update(extra_env or {})
        begin = time.monotonic()
        try:
            status = self.spawn(case.argv, log, case.timeout_s, env, cwd or cases.ROOT)
        except OSError as error:
            return Result(case.id, "fail", 0.0, f"cannot start: {error}", log)
        seconds = time.monotonic() - begin
        left = self.clean(mark, folder, log)
        result = self.judge(case, status, seconds, log)
        if left and result.status == "pass":
            result.status, result.note = "fail", left
        if result.status == "pass" and not self.keep:
            shutil.rmtree(folder, ignore_errors=True)
        return result

    def judge(self, case, status, seconds, log):
        if self.stopped:
            return Result(case.id, "fail", seconds, "interrupted", log)
        if status is None:
            return Result(case.id, "fail", seconds, f"still running after {case.timeout_s} s: killed", log)
        if status == SKIP:
            return Result(case.id, "skip", seconds, last_line(log), log)
        if status == 0:
            return Result(case.id, "pass", seconds, "", log)
        why = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        return Result(case.id, "fail", seconds, why, log)


def tail(path, count=40):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()[-count:]
    except OSError:
        return []


def last_line(path):
    lines = [line for line in tail(path) if line.strip()]
    return lines[-1] if lines else ""


SANITIZER_REPORT = re.compile(r"ERROR: (?:Address|Leak)Sanitizer|: runtime error: ")


def sanitizer_report(path):
    """The first line in which a sanitizer complains, or None.  Criterion runs each test in a process of its own and
    looks at how the test went only: a leak found at the end of that process leaves no other trace than this."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return next((line.strip() for line in file if SANITIZER_REPORT.search(line)), None)
    except OSError:
        return None


def unit_executables(build):
    """The tests that meson knows below tests/unit: (name, argv, env, timeout)."""
    text = subprocess.run(["meson", "introspect", "--tests", build], capture_output=True, text=True, check=True).stdout
    found = []
    for test in json.loads(text):
        if os.sep + "tests" + os.sep + "unit" + os.sep in test["cmd"][0]:
            found.append((test["name"], test["cmd"], test["env"], int(test["timeout"] or 30)))
    return sorted(found)


def criterion_tests(argv):
    """suite.test of each test in an executable; none when it is not Criterion's."""
    text = subprocess.run([*argv, "--list"], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30,
                          check=False).stdout
    tests, suite = [], ""
    for line in text.splitlines():
        head = re.fullmatch(r"(\w+): \d+ tests?", line)
        if head:
            suite = head[1]
        elif line.strip():
            tests.append(f"{suite}.{line.split()[-1]}")
    return tests


def criterion_results(path, seconds, log):
    """The results in Criterion's JUnit file, or None when the executable did not get so far as to write one."""
    try:
        tree = xml.etree.ElementTree.parse(path)
    except (OSError, xml.etree.ElementTree.ParseError):
        return None
    results = []
    for suite in tree.iter("testsuite"):
        for test in suite.iter("testcase"):
            status = {"PASSED": "pass", "SKIPPED": "skip"}.get(test.get("status", ""), "fail")
            note = "" if status == "pass" else test.get("status", "").lower()
            results.append(Result(f"unit/{suite.get('name')}.{test.get('name')}", status, seconds, note, log))
    return results
