# SPDX-License-Identifier: BSD-3-Clause
"""What every lint stands on: which files there are, C without its comments, functions, and how a finding is told.

A lint is tests/lint/NAME.test [TREE]: it prints "file:line: what is wrong and what to do" for each finding and exits 1
when there is one.  Files are taken from the folders as they are, whatever git knows of them.
"""
import os
import re
import sys

TOP = ["dataplane", "controlplane", "cli", "include", "deploy", "docs", "tests", ".ci"]
SKIPPED = {"__pycache__", "corpus", "regressions", "golden", ".git"}


class Lint:
    """One run over one tree."""

    def __init__(self):
        here = os.path.dirname(os.path.abspath(__file__))
        self.tree = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(here))
        self.data = os.path.join(self.tree, "tests", "lint")
        self.count = 0
        self.looked_at = 0

    def files(self, extensions=None):
        """Relative paths of the tree's own files, sorted."""
        # In a linked work tree, .git is a file: git's, not ours.
        found = [name for name in sorted(os.listdir(self.tree))
                 if name not in SKIPPED and os.path.isfile(os.path.join(self.tree, name))]
        for top in TOP:
            for folder, folders, names in os.walk(os.path.join(self.tree, top)):
                folders[:] = sorted(name for name in folders if name not in SKIPPED)
                found += [os.path.relpath(os.path.join(folder, name), self.tree) for name in sorted(names)]
        chosen = [name for name in found if extensions is None or os.path.splitext(name)[1] in extensions]
        self.looked_at += len(chosen)
        return chosen

    def text(self, name):
        """The file as text; None when it is not text."""
        with open(os.path.join(self.tree, name), "rb") as file:
            raw = file.read()
        if b"\0" in raw:
            return None
        return raw.decode("utf-8", errors="replace")

    def table(self, name):
        """Lines of a data file without comments, as (line number, fields)."""
        with open(os.path.join(self.data, name), encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                line = line.split("#", 1)[0].strip()
                if line:
                    yield number, line

    def found(self, name, line, message):
        print(f"{name}:{line}: {message}")
        self.count += 1

    def finish(self):
        """Exit with the verdict.  A lint that looked at nothing has not passed."""
        if not self.looked_at:
            print(f"no file to look at below {self.tree}")
            sys.exit(1)
        print(f"{self.looked_at} files, {self.count} findings")
        sys.exit(1 if self.count else 0)


def blank(match):
    """Keep the line breaks, so that line numbers stay right."""
    return re.sub(r"[^\n]", " ", match[0])


COMMENT_OR_STRING = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def code_only(text):
    """C without comments, and without what is inside string and character literals."""
    return COMMENT_OR_STRING.sub(blank, text)


def functions(text):
    """(name, first line, last line) of each function.  The tree's format puts a function's braces in column 0."""
    lines = code_only(text).split("\n")
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            # The signature stands above, perhaps over several lines.
            head, at = "", number - 1
            while at > 0 and lines[at - 1].strip() and not lines[at - 1].rstrip().endswith((";", "}")):
                head = lines[at - 1] + " " + head
                at -= 1
            names = re.findall(r"(\w+)\s*\(", head)
            names = [name for name in names if name not in ("__attribute__", "Test", "aligned", "format")] or names
            start = (names[0] if names else "?", number)
        elif line.startswith("}") and start:
            yield start[0], start[1], number
            start = None
