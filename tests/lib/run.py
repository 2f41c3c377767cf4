# SPDX-License-Identifier: BSD-3-Clause
"""tests/run: choose cases, build what they need, run them, count."""
import argparse
import concurrent.futures
import os
import signal
import subprocess
import sys
import time

import cases
import execute

EXAMPLES = """\
A NAME is a suite, a case (suite/case), or a part of case names.

Examples:
  tests/run                         everything, as continuous integration runs it (less than 40 minutes on 2 cores)
  tests/run --list                  the suites and their cases
  tests/run unit lint               two suites
  tests/run interop/aoetools        one case
  tests/run aoe_input               every case with aoe_input in its name, in whichever suite
  tests/run --keep /tmp/logs kill   keep every log and every file of the cases there

The last line is "N passed, N failed". The exit status is 0 when nothing failed and nothing was skipped,
1 when something did, 2 for a wrong command line, 130 when interrupted.
A skipped case is listed; with CI=true in the environment it counts as failed.
"""

NEEDS = {"unit": "asan", "fuzz": "clang", "sim": "gcc", "packetdrill": "gcc", "interop": "gcc", "qemu": "gcc", "kill": "gcc",
         "bench-smoke": "gcc"}
UNIT_ENV = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}


def parse_args():
    parser = argparse.ArgumentParser(prog="tests/run", description="Build wherry and run its tests.", epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to run; everything when absent")
    parser.add_argument("--list", action="store_true", help="name the suites and cases, run nothing")
    parser.add_argument("--long", action="store_true", help="include the cases marked long; more seeds, longer fuzzing")
    parser.add_argument("--keep", metavar="DIR", help="keep logs and case files in DIR (default: build-logs, "
                                                      "where the files of passed cases are removed)")
    parser.add_argument("--allow-skip", action="store_true", help="exit 0 although cases were skipped")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="parallel jobs (default: all cores)")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for each unit test")
    args = parser.parse_args()
    args.ci = os.environ.get("CI", "") not in ("", "0", "false")
    if args.ci and args.allow_skip:
        parser.error("--allow-skip has no meaning with CI=true, where a skip is a failure")
    return args


def list_cases(words):
    for suite, about, _ in cases.SUITES:
        names = ([(name, "") for name in cases.unit_names()] if suite == "unit" else
                 [(case.id, case.about + (" (--long)" if case.long else "")) for case in cases.suite_cases(suite)])
        names = [(name, text) for name, text in names if not words or any(cases.matches(w, name) for w in words)]
        if names or not words:
            print(f"{suite}: {about}")
        for name, text in names:
            print(f"  {name:44} {text}".rstrip())


class Run:
    """One invocation: what was chosen, what came out."""

    def __init__(self, args):
        self.args = args
        self.begin = time.monotonic()
        self.results = []
        self.builds = {}
        folder = args.keep or os.path.join(cases.ROOT, "build-logs")
        self.executor = execute.Executor(os.path.abspath(folder), bool(args.keep))

    def wants(self, case_id):
        return not self.args.names or any(cases.matches(word, case_id) for word in self.args.names)

    def say(self, text):
        print(f"[{time.monotonic() - self.begin:7.1f} s] {text}", flush=True)

    def record(self, result, quiet=False):
        self.results.append(result)
        if quiet and result.status == "pass":
            return
        self.say(f"{result.status.upper():4} {result.id}  {result.seconds:.1f} s" +
                 (f"  {result.note}" if result.note else ""))
        if result.status == "fail" and not quiet:
            self.show_log(result)

    @staticmethod
    def show_log(result):
        for line in execute.tail(result.log):
            print("    | " + line)
        print(f"    log: {result.log}", flush=True)

    def build(self, name):
        """True when the build is there.  Each is made once a run."""
        if name not in self.builds:
            case = next(case for case in cases.build_cases() if case.name == name)
            result = self.executor.run(case, {"WHERRY_JOBS": str(self.args.jobs)})
            self.builds[name] = result.status == "pass"
            self.record(result)
        return self.builds[name]

    def run_suite(self, suite):
        if suite == "unit":
            chosen = [name for name in cases.unit_names() if self.wants(name)]
            if chosen and self.ready(suite):
                self.run_unit(chosen)
            return
        chosen = [case for case in cases.suite_cases(suite) if self.wants(case.id)]
        # A long case runs when asked for, by --long or by its own name.
        chosen = [case for case in chosen if not case.long or self.args.long or case.id in self.args.names]
        if suite == "build":
            for case in chosen:
                self.build(case.name)
        elif chosen and self.ready(suite):
            self.run_cases(chosen)

    def ready(self, suite):
        need = NEEDS.get(suite)
        if need is None or self.build(need):
            return True
        self.record(execute.Result(f"{suite}/*", "fail", 0.0, f"not run: build/{need} failed"), quiet=True)
        return False

    def run_cases(self, chosen):
        env = {"WHERRY_JOBS": str(self.args.jobs), "WHERRY_LONG": "1" if self.args.long else ""}
        waiting = list(chosen)
        with concurrent.futures.ThreadPoolExecutor(max(1, self.args.jobs)) as pool:
            while waiting and not self.executor.stopped:
                batch = [waiting.pop(0)]
                while batch[0].parallel and waiting and waiting[0].parallel:
                    batch.append(waiting.pop(0))
                futures = [pool.submit(self.executor.run, case, env) for case in batch]
                for future in concurrent.futures.as_completed(futures):
                    self.record(future.result())

    def run_unit(self, chosen):
        """Criterion runs the tests of an executable in parallel itself, so one executable at a time."""
        build = os.path.join(cases.ROOT, "build-asan")
        wanted = {name.split("/", 1)[1] for name in chosen}
        for name, argv, env, timeout_s in execute.unit_executables(build):
            tests = execute.criterion_tests(argv)
            mine = [test for test in tests if test in wanted] if self.args.names else tests
            # Criterion's patterns have no room for a long list of names: all tests of an executable, or one at a time.
            whole = not tests or len(mine) == len(tests)
            for label, words in [(name, [])] if whole else [(test, [f"--filter={test.replace('.', '/')}"])
                                                            for test in mine]:
                if not self.executor.stopped:
                    self.run_criterion(label, argv + words, {**UNIT_ENV, **env}, max(120, timeout_s), build)

    def run_criterion(self, label, argv, env, timeout_s, folder):
        report = os.path.join(self.executor.folder, f"unit-{label.replace('/', '-')}.xml")
        argv = argv + [f"--xml={report}", f"-j{self.args.jobs}"]
        whole = self.executor.run(cases.Case("unit", label, argv, timeout_s=timeout_s), env, folder)
        complaint = execute.sanitizer_report(whole.log)
        if complaint and whole.status == "pass":
            whole.status, whole.note = "fail", complaint
        results = execute.criterion_results(report, whole.seconds, whole.log)
        if results and "." in label:
            # Criterion reports the tests that its filter left out as skipped.
            results = [result for result in results if result.id == f"unit/{label}"]
        self.record_unit(whole, results)

    def record_unit(self, whole, results):
        if results is None:
            whole.note = whole.note or "no report"
            self.record(whole)
            return
        failed = [result for result in results if result.status == "fail"]
        for result in results:
            self.record(result, quiet=not self.args.verbose)
        # A failure that the tests do not explain: a leak found at exit, a crash of the runner itself.
        if whole.status == "fail" and not failed:
            self.record(whole)
        elif results:
            verdict = "FAIL" if failed else "PASS"
            self.say(f"{verdict} unit/{whole.id.split('/', 1)[1]}  {len(results)} tests  {whole.seconds:.1f} s")
        if failed:
            self.show_log(whole)

    def finish(self):
        skipped = [result for result in self.results if result.status == "skip"]
        failed = [result for result in self.results if result.status == "fail"]
        passed = [result for result in self.results if result.status == "pass"]
        if self.args.ci:
            failed = failed + skipped
        for result in skipped:
            print(f"skipped: {result.id}: {result.note}")
        for result in failed:
            if result.status == "fail":
                print(f"failed: {result.id}: {result.note}")
        if skipped and self.args.ci:
            print("(CI=true: a skipped case is a failed one)")
        print(f"took {time.monotonic() - self.begin:.0f} s; logs: {self.executor.folder}")
        print(f"{len(passed)} passed, {len(failed)} failed", flush=True)
        if self.executor.stopped:
            return 130
        return 1 if failed or (skipped and not self.args.allow_skip) else 0


def read_hugepages():
    try:
        with open("/proc/sys/vm/nr_hugepages", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return None


def restore_hugepages(before):
    if before is not None and read_hugepages() != before and os.geteuid() == 0:
        with open("/proc/sys/vm/nr_hugepages", "w", encoding="ascii") as file:
            file.write(before)


def main():
    args = parse_args()
    every = [case.id for suite in cases.SUITE_NAMES if suite != "unit" for case in cases.suite_cases(suite)]
    every += cases.unit_names()
    for word in args.names:
        if word not in cases.SUITE_NAMES and not any(cases.matches(word, name) for name in every):
            print(f"tests/run: no suite or case is called '{word}'; tests/run --list names them", file=sys.stderr)
            return 2
    if args.list:
        list_cases(args.names)
        return 0
    run = Run(args)
    hugepages = read_hugepages()

    def interrupted(_number, _frame):
        run.executor.stop_all()

    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)
    try:
        for suite in cases.SUITE_NAMES:
            if not run.executor.stopped:
                run.run_suite(suite)
    except (OSError, subprocess.SubprocessError) as error:
        run.record(execute.Result("runner", "fail", 0.0, str(error)), quiet=True)
    finally:
        restore_hugepages(hugepages)
    return run.finish()


if __name__ == "__main__":
    sys.exit(main())
