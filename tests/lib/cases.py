# SPDX-License-Identifier: BSD-3-Clause
"""What there is to run: suites, and how the cases of each are found.

A case file is an executable, tests/<folder>/*.test.  Its exit status says it all: 0 passed, 77 skipped, else failed.
Lines "#: key value" in its head tell the runner more:

    #: about    one line for --list
    #: timeout  seconds until it is killed (default 120)
    #: parallel yes: may run beside other such cases
    #: long     yes: runs with --long only
"""
import dataclasses
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# suite, what it is, where its case files are (folder, pattern of names)
SUITES = [
    ("build", "three builds: gcc, gcc with ASan and UBSan, clang with the fuzz targets", None),
    ("lint", "layers, forbidden calls, size, format, scripts; each proven to bite", [("tests/lint", r".*")]),
    ("unit", "Criterion tests of every module, under ASan and UBSan", None),
    ("fuzz", "libFuzzer over every decoder", [("tests/fuzz", r".*")]),
    ("sim", "seeded simulation of clients, faults and crashes against the real target code", [("tests/sim", r".*")]),
    ("packetdrill", "scripts of segments against the stack as a shared object, in virtual time",
     [("tests/packetdrill", r".*")]),
    ("interop", "the whole appliance in network namespaces: Debian's aoetools, hostile frames, faults",
     [("tests/interop", r".*"), ("tests/interop/dataplane", r".*")]),
    ("qemu", "real clients in virtual machines: Linux aoe driver, iPXE diskless boot",
     [("tests/interop/qemu", r"(?!kill).*")]),
    ("kill", "processes killed under load: nothing acknowledged is lost", [("tests/interop/qemu", r"kill.*")]),
    ("bench-smoke", "the benchmarks run, and the instruction counts hold their baseline", [("tests/bench", r".*")]),
]
SUITE_NAMES = [name for name, _, _ in SUITES]


@dataclasses.dataclass
class Case:
    suite: str
    name: str
    argv: list
    about: str = ""
    timeout_s: int = 120
    parallel: bool = False
    long: bool = False

    @property
    def id(self):
        return f"{self.suite}/{self.name}"


def read_keys(path):
    """The "#: key value" lines of a case file."""
    keys = {}
    with open(path, encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file):
            match = re.match(r"#:\s*(\w+)\s+(.*\S)\s*$", line)
            if match:
                keys[match[1]] = match[2]
            if number > 40:
                break
    unknown = set(keys) - {"about", "timeout", "parallel", "long"}
    if unknown:
        raise SystemExit(f"run: {path}: unknown key {sorted(unknown)[0]!r} in a '#:' line")
    return keys


def file_cases(suite, places):
    cases = []
    for folder, pattern in places:
        full = os.path.join(ROOT, folder)
        names = sorted(os.listdir(full)) if os.path.isdir(full) else []
        for name in names:
            stem, extension = os.path.splitext(name)
            if extension != ".test" or not re.fullmatch(pattern, stem):
                continue
            keys = read_keys(os.path.join(full, name))
            cases.append(Case(suite, stem, [os.path.join(full, name)], keys.get("about", ""),
                              int(keys.get("timeout", "120")), keys.get("parallel") == "yes",
                              keys.get("long") == "yes"))
    return cases


def build_cases():
    """Each build is a case: that it compiles without a warning is a result like any other."""
    build = os.path.join(ROOT, "tests/lib/build.sh")
    return [Case("build", name, [build, name], about, 1800) for name, about in (
        ("gcc", "build/: what is shipped; every other suite but unit and fuzz runs it"),
        ("asan", "build-asan/: gcc with AddressSanitizer and UndefinedBehaviorSanitizer"),
        ("clang", "build-clang/: clang, with the fuzz targets"))]


TEST_MACRO = re.compile(r"^Test\(\s*(\w+)\s*,\s*(\w+)", re.M)


def tests_in(path):
    """suite.test of each Criterion test in a source file."""
    with open(path, encoding="utf-8") as file:
        return [f"{m[1]}.{m[2]}" for m in TEST_MACRO.finditer(file.read())]


def unit_sources():
    """Every C file below tests/unit that holds a Criterion test -> its tests."""
    found = {}
    for folder, _, names in sorted(os.walk(os.path.join(ROOT, "tests/unit"))):
        for name in sorted(names):
            if name.endswith(".c"):
                path = os.path.join(folder, name)
                tests = tests_in(path)
                if tests:
                    found[path] = tests
    return found


def unit_names():
    """Every Criterion test, read from the sources, so that --list works without a build."""
    return [f"unit/{test}" for tests in unit_sources().values() for test in tests]


def suite_cases(suite):
    """The cases of a suite other than unit."""
    places = next(places for name, _, places in SUITES if name == suite)
    if suite == "build":
        return build_cases()
    return file_cases(suite, places) if places else []


def matches(word, case_id):
    """A word names a suite, a whole case, or a part of case names."""
    suite = case_id.split("/", 1)[0]
    if word in SUITE_NAMES:
        return word == suite
    return word == case_id or word.lower() in case_id.split("/", 1)[1].lower()
