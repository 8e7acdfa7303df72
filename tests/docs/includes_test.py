"""Who may include whom: scripts/check-includes finds nothing in the tree, and finds what is wrong in small trees.
Files and functions that a page names exist.

usage: includes_test.py SOURCE_DIR
"""

import pathlib
import re
import runpy
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(sys.argv.pop(1))
FILES = [  # one header a room, and the ground
    "include/zcmoe/zcmoe.h", "host/error.hpp", "host/array.hpp", "host/numbers/a.hpp", "host/experts/a.hpp",
    "host/routing/a.hpp", "host/engine/a.hpp", "host/cpu/a.hpp", "host/segmentation/a.hpp", "host/theory/a.hpp",
    "host/model/a.hpp", "host/planning/a.hpp", "host/api/a.hpp", "host/cli/a.hpp", "kernels/a.cuh", "bench/a.hpp",
    "examples/a.hpp", "tests/a.hpp"]


def check(root):
    return subprocess.run([sys.executable, SOURCE / "scripts/check-includes", root], stdout=subprocess.PIPE, text=True)


class IncludesTest(unittest.TestCase):
    def found(self, extra):
        """What is found in a tree of FILES and one more file with one more include."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name in FILES:
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text("#pragma once\n")
            for name, text in extra.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            done = check(root)
            self.assertEqual(done.returncode, 0 if "every include" in done.stdout else 1)
            return done.stdout

    def test_the_tree(self):
        done = check(SOURCE)
        self.assertEqual((done.returncode, done.stdout), (0, "every include follows the rooms, and no name is defined twice\n"))

    def test_documented(self):
        text = (SOURCE / "docs/architecture.md").read_text().split("## Who may include whom")[1]
        rows = re.findall(r"^\| `(\S+)` \|(.*)\|$", text, re.M)
        documented = {room: re.findall(r"`(\S+)`", uses) for room, uses in rows}
        self.assertEqual(documented, runpy.run_path(str(SOURCE / "scripts/check-includes"))["USES"])

    def test_allowed(self):
        for file, target in [
            ("host/experts/b.hpp", "host/error.hpp"), ("host/routing/b.cpp", "zcmoe/zcmoe.h"),
            ("host/engine/b.hpp", "host/routing/a.hpp"), ("kernels/b.cu", "a.cuh"), ("kernels/b.cu", "host/experts/a.hpp"),
            ("host/theory/b.cpp", "host/numbers/a.hpp"), ("host/model/b.cpp", "host/numbers/a.hpp"),
            ("host/api/b.cpp", "host/planning/a.hpp"), ("tests/cli/b.cpp", "host/cli/a.hpp"), ("host/cpu/b.cpp", "tbb/tbb.h")]:
            self.assertIn("every include", self.found({file: f'#include "{target}"\n'}), (file, target))

    def test_refused(self):
        for file, target in [
            ("host/experts/b.hpp", "host/routing/a.hpp"), ("host/routing/b.hpp", "host/numbers/a.hpp"),
            ("host/numbers/b.hpp", "host/experts/a.hpp"), ("host/engine/b.hpp", "host/model/a.hpp"),
            ("host/cpu/b.cpp", "kernels/a.cuh"), ("kernels/b.cu", "host/cpu/a.hpp"), ("kernels/b.cu", "host/model/a.hpp"),
            ("host/segmentation/b.cpp", "host/engine/a.hpp"), ("host/theory/b.cpp", "host/model/a.hpp"),
            ("host/model/b.cpp", "host/theory/a.hpp"), ("host/planning/b.cpp", "host/cpu/a.hpp"),
            ("host/planning/b.cpp", "host/api/a.hpp"), ("host/cli/b.cpp", "host/numbers/a.hpp"),
            ("bench/peers/b.cpp", "host/engine/a.hpp"), ("examples/b.cpp", "host/array.hpp"),
            ("include/zcmoe/b.hpp", "host/error.hpp"), ("host/array.hpp", "host/numbers/a.hpp")]:
            said = self.found({file: f'// A line.\n#  include "{target}"\n'})
            self.assertRegex(said, rf'^{file}:2: #include "{target}": \S+ may not include \S+\n$')

    def test_slow(self):
        for file in ["host/cli/b.hpp", "host/cli/main.cpp"]:
            said = self.found({file: "#include <CLI/CLI.hpp>\n"})
            self.assertEqual(said, f'{file}:1: #include "CLI/CLI.hpp": slow to read; it stays in host/cli/parser.cpp\n')
        for file in ["host/cli/parser.cpp", "bench/main.cpp", "examples/main.cpp"]:
            self.assertIn("every include", self.found({file: "#include <CLI/CLI.hpp>\n"}), file)

    def test_no_room(self):
        for file in ["host/detail/b.hpp", "host/b.cpp", "host/cpu/detail/b.hpp", "kernels/impl/b.cu", "src/b.cpp"]:
            self.assertEqual(self.found({file: ""}), f"{file}: belongs to no room that scripts/check-includes lists\n")

    def test_names(self):
        for first, second in [("struct knot {", "class knot : other {"), ("template <class T>\nstruct knot {", "enum class knot {"),
                              ("struct alignas(64) knot {", "using knot = int;")]:
            said = self.found({"host/numbers/b.hpp": first + "\n", "host/theory/b.cpp": second + "\n"})
            self.assertRegex(said, r"^host/theory/b.cpp:1: knot is also defined in host/numbers/b.hpp:\d\n$")
        for first, second in [("struct knot {", "struct knot;"), ("struct knot {", "  struct knot {"),
                              ("struct knot {", "struct knot::part {"), ("struct knot {", "knot made(int) {")]:
            said = self.found({"host/numbers/b.hpp": first + "\n", "host/theory/b.cpp": second + "\n"})
            self.assertIn("no name is defined twice", said, second)
        twice = {"host/cli/b.hpp": "struct knot {\n", "host/theory/b.cpp": "struct knot {\n"}
        self.assertIn("no name is defined twice", self.found(twice))  # the command line is no part of the library


class PagesTest(unittest.TestCase):
    """Paths in backquotes or links of every *.md, outside blocks of commands; `{a,b}` and `*` are expanded."""

    def setUp(self):
        self.tops = [f.name for f in SOURCE.iterdir() if f.is_dir() and not re.match(r"\.git$|build", f.name)]
        self.pages = [page for page in SOURCE.rglob("*.md")
                      if (top := page.relative_to(SOURCE).parts[0]) in self.tops or top == page.name]
        self.names = {file.name for top in self.tops for file in (SOURCE / top).rglob("*.*")}

    def exists(self, name, page):
        return any(any(folder.glob(name)) for folder in (SOURCE, page.parent))

    def missing(self, text, page):
        text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
        for quoted, linked in re.findall(r"`([^`\n]+)`|\]\(([^)\s]+)\)", text):
            for word in re.findall(r"[\w.][\w./{},*-]*", quoted or linked):
                if re.fullmatch(r"\w[\w.-]*\.(hpp|cpp|cuh?|h|py)", word):  # a file without its folder
                    if word not in self.names:
                        yield word
                elif word.split("/")[0] in self.tops and "/" in word:
                    head, choices, tail = re.fullmatch(r"([^{]*)(?:\{(.*)\})?(.*)", word).groups()
                    for choice in (choices or "").split(","):
                        if not self.exists((head + choice + tail).rstrip("/."), page):
                            yield head + choice + tail

    def test_paths(self):
        self.assertGreater(len(self.pages), 8)
        for page in self.pages:
            self.assertEqual(list(self.missing(page.read_text(), page)), [], page)
        text = "`host/error.hpp` [a](docs/nothing.md) `tests/engine/*_test.cpp`, `host/error.{hpp,txt}` `sort_.cu` `a/b`"
        self.assertEqual(list(self.missing(text, SOURCE / "README.md")), ["docs/nothing.md", "host/error.txt", "sort_.cu"])

    def test_functions(self):
        """The pages' `path`: `function`, `function` names what the file has."""
        found = 0
        for page in self.pages:
            for path, names in re.findall(r"`([\w./]+\.\w+)`: ((?:`[\w:]+`(?:, (?:else )?)?)+)", page.read_text()):
                for name in re.findall(r"`([\w:]+)`", names):
                    found += 1
                    called = re.search(rf"\b{name.split('::')[-1]}\(", (SOURCE / path).read_text())
                    self.assertTrue(called, f"{page}: {path} has no {name}")
        self.assertGreater(found, 20)


if __name__ == "__main__":
    unittest.main()
