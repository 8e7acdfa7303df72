#!/usr/bin/env python3
"""The command line from the outside: cli_test.py PATH_TO_ZCMOE [-CLASS ...] [unittest arguments].

A class of tests with a dash before its name is left out: another entry of ctest runs it beside.

Every form that the help shows, what comes out of it, and what happens when something is wrong: one line that begins
with "zcmoe: " and exit status 1 (failure) or 2 (usage). Python's standard library only.
"""

import array
import bz2
import csv
import gzip
import io
import json
import lzma
import math
import os
import pathlib
import pty
import random
import re
import resource
import struct
import subprocess
import sys
import tempfile
import time
import unittest

ZCMOE = ""
QUICK = "ZCMOE_QUICK_TESTS" in os.environ
DATA = pathlib.Path(__file__).resolve().parents[2] / "examples" / "data" / "flights.csv"


def npy(values, code="d", shape=None):
    header = f"{{'descr': '<f{8 if code == 'd' else 4}', 'fortran_order': False, 'shape': {shape or (len(values),)}, }}"
    header = header.ljust(117) + "\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header.encode() + array.array(code, values).tobytes()


def read_npy(data):
    length = struct.unpack("<H", data[8:10])[0]
    header = eval(data[10:10 + length], {})  # written by the program under test
    values = array.array({"<f8": "d", "<f4": "f"}[header["descr"]])
    values.frombytes(data[10 + length:])
    assert header["shape"] == (len(values),) and (10 + length) % 64 == 0 and not header["fortran_order"]
    return values


def files_open_in(pid, folder):
    """What a process has open in a folder, with a name or without."""
    found = []
    try:
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            path = os.readlink(f"/proc/{pid}/fd/{descriptor}")
            found += [path] if path.startswith(f"{folder}/") else []
    except OSError:
        pass  # it has ended, or closed the file meanwhile
    return found


def without_runtime_lines(said):
    """What the program said, without what an emulated CUDA runtime adds (lines that match the variable's pattern)."""
    pattern = os.environ.get("ZCMOE_TEST_RUNTIME_LINES")
    return re.sub(rb"(?m)^" + pattern.encode() + rb"[^\n]*\n", b"", said) if pattern else said


class cli_case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def path(self, name):
        return str(self.folder / name)

    def write(self, name, content):
        (self.folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return self.path(name)

    def read(self, name):
        return (self.folder / name).read_bytes()

    def rows_of(self, path):
        return list(csv.DictReader(io.StringIO(pathlib.Path(path).read_text())))

    def run_cli(self, *arguments, status=0, **options):
        words = [a if isinstance(a, bytes) else str(a) for a in arguments]
        done = subprocess.run([ZCMOE, *words], capture_output=True, timeout=300, **options)
        done.stderr = without_runtime_lines(done.stderr)
        self.assertEqual(done.returncode, status, (arguments, done.stderr))
        if status != 0:
            self.assertRegex(done.stderr.decode(), r"\Azcmoe: [^\x00-\x1f\x7f]+\n\Z")
        return done

    def fails(self, *arguments, status=1, says="", **options):
        done = self.run_cli(*arguments, status=status, **options)
        self.assertIn(says, done.stderr.decode())
        return done

    def answers(self, *arguments, **options):
        """Predictions of a CSV on standard output."""
        lines = self.run_cli("predict", *arguments, **options).stdout.decode().splitlines()
        self.assertEqual(lines[0], "prediction")
        return [float(line) for line in lines[1:]]

    def table(self, name="data.csv", rows=500, seed=1):
        """x in [0, 10), y = x^2 + noise."""
        generator = random.Random(seed)
        lines = ["x,y,w"]
        for _ in range(rows):
            x = generator.random() * 10
            lines.append(f"{x},{x * x + generator.gauss(0, 0.1)},{generator.randrange(1, 4)}")
        return self.write(name, "\n".join(lines) + "\n")

    def model(self, *arguments):
        path = self.path("model.safetensors")
        self.run_cli("fit", self.table(), "--x", "x", "--y", "y", "--segments", 8, "-o", path, *arguments)
        return path


class general_test(cli_case):
    def test_version_and_help(self):
        self.assertRegex(self.run_cli("--version").stdout.decode(), r"\Azcmoe \d+\.\d+\.\d+; .*\n\Z")
        self.assertIn("zcmoe fit data.csv", self.run_cli("--help").stdout.decode())
        for command in ("fit", "predict", "plan", "segment", "compile", "plot", "inspect"):
            text = self.run_cli(command, "--help").stdout.decode()
            self.assertIn(f"Usage: zcmoe {command}", text)
            self.assertIn("Examples:", text)
            self.assertIn(f"  zcmoe {command} ", text)

    def test_wrong_usage(self):
        data = self.table()
        model = self.model()
        for arguments, says in [
            ([], "subcommand"),
            (["bogus"], "bogus"),
            (["bo\x1b[2J\rgus\x7f"], r"bo\x1b[2J\x0dgus\x7f"),
            (["fit"], "input"),
            (["fit", data, "--x", "x", "--y", "y"], "--output"),
            (["fit", data, "--x", "x", "-o", "m"], "--y is missing"),
            (["fit", data, "--x", "x", "--y", "y", "-o", "m", "--segments", "many"], "--segments"),
            (["fit", data, "--x", "x", "--y", "y", "-o", "m", "--segments", "0"], "--segments 0"),
            (["fit", data, "--x", "x", "--y", "y", "-o", "m", "--segments", "8x"], "neither a number nor auto"),
            (["fit", data, "--x", "x", "--y", "y", "-o", "m", "--segments", "9" * 30], "not between 1 and"),
            (["segment", "--segmentation", "uniform", "--range", "0:1", "--segments", "auto"], "from data only"),
            (["segment", data, "--x", "x", "--segmentation", "uniform", "--segments", "auto"], "--y"),
            (["plan", data, "--x", "x"], "--y"),
            (["plan", data, "--x", "x", "--y", "y", "--holdout", "0.7"], "--holdout"),
            (["plan", data, "--x", "x", "--y", "y", "--max-segments", "0"], "--max-segments"),
            (["plan", data, "--x", "x", "--y", "y", "--csv", "--json"], "--csv"),
            (["predict", model, data, "--x", "x", "--interval", "1"], "--interval"),
            (["predict", model, data, "--x", "x", "-o", "y.npy", "--interval", "0.9"], "--interval"),
            (["inspect", model, "--confidence", "0"], "--confidence"),
            (["fit", data, "--x", "x", "--y", "y", "-o", "m", "--segmentation", "best"],
             "uniform|quantile|optimal|compander"),
            (["fit", data, "--x", "x", "--y", "y", "-o", "m", "--min-count", "3"],
             "--min-count: goes with --segmentation compander, not with optimal"),
            (["segment", data, "--x", "x", "--segmentation", "quantile", "--pilot-bins", "3"],
             "--pilot-bins: goes with --segmentation compander, not with quantile"),
            (["fit", data, "--x", "x", "--y", "y", "-o", "m", "--range", "1"], "--range 1"),
            (["fit", data, "--x", "x", "--y", "y", "-o", "m", "--range", "2:1"], "--range 2:1"),
            (["fit", data, "--x", "x", "--y", "y", "-o", "m", "--holdout", "1"], "--holdout"),
            (["fit", data, "--x", "x", "--y", "y", "-o", "m", "--device", "gpu"], "--device gpu"),
            (["fit", data, "--x", "x", "--y", "y", "-o", "m", "--device", "cuda:-1"], "--device cuda:-1"),
            (["fit", data, "--x", "x", "--y", "y", "-o", "m", "--edges", "e", "--segments", "4"], "--edges"),
            (["fit", data, "--x", "x", "--y", "y", "-o", "m", "--delimiter", "ab"], "--delimiter"),
            (["fit", data, "--x", "x", "--y", "y", "-o", "-", "--json"], "--json"),
            (["fit", data, data, "--x", "x", "--y", "y", "-o", "m"], "comes alone"),
            (["fit", data, "--x", "x", "--y", "y", "-o", ""], "--output"),
            (["fit", data, "--x", "x", "--y", "y", "-o", "m", "--threads", "100000"], "--threads"),
            (["fit", data, "--x", "x", "--y", "y", "-o", "m", "--feature-name", "n" * 1025], "--feature-name"),
            (["fit", data, "--x", "x", "--y", "y", "-o", "m", "--target-name", b"\xff"], "--target-name"),
            (["predict", model, data, "--x", "x", "-o", ""], "--output"),
            (["segment", data, "--x", "x", "-o", ""], "--output"),
            (["predict", model], "input"),
            (["predict", model, data, "--no-header"], "--x is missing"),
            (["predict", model, data, "--x", "x", "--json"], "--json needs --output"),
            (["predict", model, data, "--x", "x", "-o", "y.npy", "--segments-column"], "--segments-column"),
            (["predict", "-", data, "--x", "x"], "model -"),
            (["segment"], "no input"),
            (["segment", "--segmentation", "uniform"], "no input"),
            (["segment", data, "--x", "x", "--density", "y"], "go together"),
            (["compile"], "expression"),
            (["compile", "x", "--tolerance", "1"], "--range"),
            (["compile", "x", "--range", "0:1"], "--tolerance"),
            (["compile", "x", "--range", "1:0", "--tolerance", "1"], "--range 1:0"),
            (["compile", "x", "--range", "-1e308:1e308", "--tolerance", "1"], "--range -1e308:1e308"),
            (["compile", "x", "--range", "0:1", "--tolerance", "0"], "--tolerance 0"),
            (["compile", "x", "--range", "0:1", "--tolerance", "-1e-3"], "--tolerance -0.001"),
            (["compile", "x", "--range", "0:1", "--tolerance", "nan"], "--tolerance"),
            (["compile", "x", "--range", "0:1", "--tolerance", "1", "--error", "mean"], "rms|max"),
            (["compile", "x", "--range", "0:1", "--tolerance", "1", "--max-segments", "0"], "--max-segments 0"),
            (["compile", "x", "--range", "0:1", "--tolerance", "1", "--scan-parts", "3"], "--scan-parts"),
            (["compile", "x", "--range", "0:1", "--tolerance", "1", "--error", "max", "--density", "x"], "--density"),
            (["compile", "x", "--range", "0:1", "--tolerance", "1", "-o", "-", "--json"], "--json"),
            (["compile", "", "--range", "0:1", "--tolerance", "1"], "empty"),
            (["compile", "sin(", "--range", "0:1", "--tolerance", "1"], "at character 5"),
            (["compile", "x+*2", "--range", "0:1", "--tolerance", "1"], "at character 3"),
            (["compile", "2*y", "--range", "0:1", "--tolerance", "1"], "'2*y': Unexpected token \"y\", at character 3"),
            (["compile", "x = 3", "--range", "0:1", "--tolerance", "1"], "at character 3"),
            (["compile", "x, 3", "--range", "0:1", "--tolerance", "1"], "2 values"),
            (["compile", "x", "--range", "0:1", "--tolerance", "1", "--density", "1+"], "--density '1+'"),
            (["inspect"], "model"),
            (["inspect", model, "--json", "--csv"], "--csv"),
        ]:
            with self.subTest(arguments=arguments):
                self.fails(*arguments, status=2, says=says, cwd=self.folder)

    def test_full_disk_and_closed_output(self):
        model = self.model()
        data = self.table()
        with open("/dev/full", "wb") as full:
            for arguments in (["--version"], ["--help"], ["inspect", model], ["predict", model, data, "--x", "x"],
                              ["segment", "--segmentation", "uniform", "--range", "0:1"],
                              ["fit", data, "--x", "x", "--y", "y", "-o", self.path("m2"), "--json"]):
                done = subprocess.run([ZCMOE, *arguments], stdout=full, stderr=subprocess.PIPE, timeout=60)
                self.assertEqual(done.returncode, 1, arguments)
                self.assertIn(b"No space left", done.stderr)
        self.fails("predict", model, data, "--x", "x", "-o", "/dev/full", says="No space left")
        self.fails("fit", data, "--x", "x", "--y", "y", "-o", "/dev/full", says="No space left")
        self.assertTrue(pathlib.Path("/dev/full").is_char_device())
        done = subprocess.run(["sh", "-c", '"$0" inspect "$1" >&-', ZCMOE, model], stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"zcmoe: standard output", done.stderr)
        for path in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
            for arguments in (["predict", model, data], ["fit", data, "--x", "x", "--y", "y"],
                              ["segment", "--segmentation", "uniform", "--range", "0:1"]):
                done = subprocess.run(["sh", "-c", '"$@" >&- 2>"$0"', self.path("said"), ZCMOE, *arguments, "-o", path])
                self.assertEqual(done.returncode, 1, (path, arguments))
                self.assertIn(f"zcmoe: {path}".encode(), self.read("said"))
        big = self.write("big.npy", npy([0.5] * 200000))
        pipe = subprocess.Popen([ZCMOE, "predict", model, big], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        pipe.stdout.read(10)
        pipe.stdout.close()
        self.assertIn(b"zcmoe: standard output: Broken pipe", pipe.stderr.read())
        pipe.stderr.close()
        self.assertEqual(pipe.wait(), 1)

    def test_nothing_partial_is_left(self):
        model = self.model()
        data = self.table()
        (self.folder / "out").mkdir()
        self.write("bad.csv", "x\n1\n\"2\n")
        old = self.write("out/answers.csv", "old")
        self.fails("predict", model, self.path("bad.csv"), "--x", "x", "-o", old, says="not closed")
        self.fails("predict", model, data, "--x", "z", "-o", old, says="no such column")
        self.fails("predict", model, data, "--x", "x", "-o", self.path("none/answers.csv"), says="No such file")
        self.assertEqual(self.read("out/answers.csv"), b"old")
        self.assertEqual(os.listdir(self.folder / "out"), ["answers.csv"])

    def test_an_interrupt_removes_the_temporary_file(self):
        model = self.model()
        (self.folder / "out").mkdir()
        running = subprocess.Popen([ZCMOE, "predict", model, "-", "--x", "1", "-o", self.path("out/y.csv")],
                                   stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        running.stdin.write(b"x\n1\n")
        running.stdin.flush()
        deadline = time.monotonic() + 60
        while not files_open_in(running.pid, self.folder / "out") and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertNotEqual(files_open_in(running.pid, self.folder / "out"), [])
        running.terminate()
        self.assertEqual(running.wait(), -15)
        running.stdin.close()
        self.assertEqual(os.listdir(self.folder / "out"), [])

    def test_nothing_is_left_by_whatever_ends_the_program(self):
        model = self.model()
        (self.folder / "out").mkdir()
        old = self.write("out/y.csv", "old")
        running = subprocess.Popen([ZCMOE, "predict", model, "-", "--x", "1", "-o", old],
                                   stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        running.stdin.write(b"x\n1\n")
        running.stdin.flush()
        deadline = time.monotonic() + 60
        while not files_open_in(running.pid, self.folder / "out") and time.monotonic() < deadline:
            time.sleep(0.01)
        if any(self.folder.glob("out/.zcmoe*")):
            self.skipTest("this file system has no files without a name")
        running.kill()
        running.wait()
        running.stdin.close()
        self.assertEqual(os.listdir(self.folder / "out"), ["y.csv"])
        self.assertEqual(self.read("out/y.csv"), b"old")

    def test_an_interrupt_waits_for_the_model_to_be_whole(self):
        values = self.write("x.npy", npy([0.5] * 10, "f"))
        for _ in range(5):
            out = self.folder / "out"
            out.mkdir(exist_ok=True)
            running = subprocess.Popen([ZCMOE, "fit", values, values, "--segmentation", "uniform", "--range", "0:1",
                                        "--segments", str(1 << 20), "-o", str(out / "m"), "--device", "cpu"],
                                       stderr=subprocess.PIPE)
            seen = []
            while not seen and running.poll() is None:
                seen = files_open_in(running.pid, out)
            running.terminate()
            running.stderr.read()
            running.stderr.close()
            status = running.wait()
            self.assertEqual(os.listdir(out), ["m"])
            self.run_cli("predict", out / "m", values)
            if status == -15 and seen:
                return
            (out / "m").unlink()
        self.skipTest("the model was written before it could be interrupted")

    def test_no_output_is_an_input(self):
        data = self.table()
        model = self.model()
        x = self.write("x.npy", npy([1.0, 2.0]))
        edges = self.write("edges", "0\n5\n10\n")
        for name in ("data.csv", "model.safetensors", "x.npy", "edges"):
            os.symlink(name, self.path("link-" + name + ".svg"))
            os.link(self.path(name), self.path("hard-" + name + ".svg"))
        os.symlink(".", self.path("here"))
        before = {name: self.read(name) for name in os.listdir(self.folder) if name != "here"}
        xy = ["--x", "x", "--y", "y"]
        for arguments, file in (
                (["fit", data, *xy], "data.csv"), (["fit", "-", *xy], "data.csv"), (["fit", x, x], "x.npy"),
                (["fit", x, "--y", x], "x.npy"), (["fit", data, *xy, "--edges", edges], "edges"),
                (["predict", model, data], "data.csv"), (["predict", model, data], "model.safetensors"),
                (["predict", model, x], "x.npy"), (["plan", data, *xy], "data.csv"), (["segment", data, *xy], "data.csv"),
                (["segment", data, "--x", "x", "--density", "x", "--slope", "y"], "data.csv"),
                (["plot", model], "model.safetensors"), (["plot", model, "--data", data], "data.csv")):
            for output in (file, "link-" + file + ".svg", "hard-" + file + ".svg", "here/" + file):
                if arguments[0] == "plot" and not output.endswith(".svg"):
                    continue
                with self.subTest(arguments=arguments, output=output), open(data, "rb") as stdin:
                    done = self.fails(*arguments, "-o", output, status=2, says=f"--output {output} is the input",
                                      cwd=self.folder, stdin=stdin)
                    self.assertEqual({name: self.read(name) for name in before}, before)
        # Standard output is an output too: appending to what is read would not end.
        with open(data, "ab") as out:
            done = subprocess.run([ZCMOE, "predict", model, data], stdout=out, stderr=subprocess.PIPE, timeout=60)
            self.assertEqual((done.returncode, self.read("data.csv")), (2, before["data.csv"]))
            self.assertIn(f"--output (standard output) is the input {data}", done.stderr.decode())
        with open(model, "ab") as out:
            self.assertEqual(subprocess.run([ZCMOE, "inspect", model], stdout=out, stderr=subprocess.PIPE).returncode, 2)
        # A column is no file, though a file may have its name.
        self.write("x", "old")
        self.run_cli("predict", model, data, "--x", "x", "-o", "x", cwd=self.folder)
        # Two outputs in one file.
        for output in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
            self.fails("predict", model, data, "-o", output, "--json", status=2, says="are the same file")
            self.fails("fit", data, *xy, "-o", output, "--json", status=2, says="are the same file")
        with open(self.path("both"), "wb") as out:
            done = subprocess.run([ZCMOE, "predict", model, data, "-o", self.path("both"), "--json"], stdout=out,
                                  stderr=subprocess.PIPE)
            self.assertEqual(done.returncode, 2)

    def test_streams_that_have_a_path(self):
        model = self.model()
        data = self.table()
        expected = self.run_cli("predict", model, data).stdout
        self.run_cli("fit", data, "--x", "x", "--y", "y", "--segments", 8, "-o", self.path("again"), "-q")
        for path in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/proc/thread-self/fd/1"):
            for mode in (">", ">>"):
                self.write("all", "" if mode == ">" else "before\n")
                script = f'(echo first; "$0" predict "$1" "$2" -q -o {path}; echo last) {mode} "$3"'
                subprocess.run(["sh", "-c", script, ZCMOE, model, data, self.path("all")], check=True)
                head = b"" if mode == ">" else b"before\n"
                self.assertEqual(self.read("all"), head + b"first\n" + expected + b"last\n")
            self.assertEqual(self.run_cli("predict", model, data, "-o", path).stdout, expected)
            whole = self.run_cli("fit", data, "--x", "x", "--y", "y", "--segments", 8, "-o", path).stdout
            self.assertEqual(whole, self.read("again"))
        os.mkfifo(self.path("pipe"))
        reader = subprocess.Popen(["cat", self.path("pipe")], stdout=subprocess.PIPE)
        self.run_cli("predict", model, data, "-o", self.path("pipe"))
        self.assertEqual(reader.communicate()[0], expected)
        self.assertTrue(pathlib.Path(self.path("pipe")).is_fifo())
        self.run_cli("predict", model, data, "-o", "/dev/null")
        self.assertTrue(pathlib.Path("/dev/null").is_char_device())

    def test_nothing_acts_on_a_terminal(self):
        hostile = "\x1b[2J\u202ea\x9b31m\u2066\u2028\u200f\u061c\x7f"
        acts = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
        quoted = hostile.replace('"', '""')
        data = self.write(f"d{hostile}.csv", f'"{quoted}","y{quoted}"\n' + "".join(f"{i},{i}\n" for i in range(40)))
        bad = self.write(f"b{hostile}.csv", f'x,y\n"{quoted}",1\n1,1\n2,2\n')
        model = self.path(f"m{hostile}.st")
        runs = [(["fit", data, "--x", 1, "--y", 2, "-o", model], 0), (["inspect", model], 0),
                (["inspect", model, "--json"], 0), (["predict", model, data, "--x", 2], 0),
                (["predict", model, data, "--json", "-o", self.path("y")], 0), (["inspect", data], 1),
                (["predict", model, bad], 1), (["fit", bad, "--x", "x", "--y", "y", "-o", self.path("n")], 0),
                (["fit", bad, "--x", "x", "--y", "y", "-o", self.path("n"), "--json"], 0),
                (["fit", bad, "--x", "x", "--y", "y", "-o", self.path("n"), "--strict"], 1),
                (["plan", bad, "--x", "x", "--y", "y"], 0), (["segment", bad, "--x", "x", "--y", "y"], 0),
                (["inspect", self.path(f"none{hostile}")], 1), (["inspect", hostile, hostile], 1), (["plot", hostile, hostile], 2),
                (["fit", hostile.encode() + b"\xff\xc2", "-o", "m"], 1), (["compile", hostile, "--range", "0:1", "--tolerance", 1], 2)]
        for arguments, status in runs:
            with self.subTest(arguments=arguments):
                done = subprocess.run([ZCMOE, *map(lambda a: a if isinstance(a, bytes) else str(a), arguments)],
                                      capture_output=True, timeout=60)
                self.assertEqual(done.returncode, status, done.stderr)
                for out in (done.stdout, without_runtime_lines(done.stderr)):
                    self.assertNotRegex(out.decode(), acts)  # valid UTF-8 too
        self.assertIn("\\x1b[2J\\u202ea\\u009b31m\\u2066\\u2028\\u200f\\u061c\\x7f",
                      self.run_cli("inspect", model).stdout.decode())
        self.assertEqual(json.loads(self.run_cli("inspect", model, "--json").stdout)["feature_name"], hostile)

    def test_no_names_of_c_in_what_is_said(self):
        data = self.table()
        for arguments in (["fit", data, "--x", "x", "--y", "y", "--range", "0.5:0.500000000000001", "--segmentation",
                           "uniform", "-o", self.path("m")],
                          ["fit", data, "--x", "x", "--y", "y", "--edges", self.write("e", "1\n1\n"), "-o", self.path("m")],
                          ["segment", data, "--x", "y", "--density", "x", "--slope", "y"],
                          ["compile", "1/x", "--range", "0:1", "--tolerance", "1"],
                          ["fit", data, "--x", "x", "--y", "y", "-o", self.path("m"), "--device", "cuda:4096"]):
            self.assertNotRegex(self.run_cli(*arguments, status=1).stderr.decode(), "ZCMOE_|zcmoe_")

    def test_ranges_are_told_with_digits_enough(self):
        # A table in which both of two neighbouring doubles have a segment ends at the next one.
        for x, words, last in (([1732579200 + 60 * i for i in range(12)], "1732579200 to 1732579860", ""),
                               ([100000000 + i / 1000 for i in range(4)], "100000000 to 100000000.003", ""),
                               ([0.5, math.nextafter(0.5, 1)], "0.5 to 0.5000000000000001", "0.5 to 0.5000000000000002")):
            data = self.write("t.csv", "t,y\n" + "".join(f"{v!r},{k % 3}\n" for k, v in enumerate(x)))
            said = self.run_cli("fit", data, "--x", "t", "--y", "y", "--segments", 2, "-o", self.path("m")).stderr
            self.assertRegex(said.decode(), rf"(?m)inputs {re.escape(last or words)}$")
            text = self.run_cli("inspect", self.path("m")).stdout.decode()
            self.assertRegex(text, rf"(?m) {re.escape(last or words)}$")
            self.assertNotIn("about 0 segments", text)
            self.assertIn(words, self.run_cli("plan", data, "--x", "t", "--y", "y").stdout.decode())
            for row in re.findall(r"(?m)^ {7}\d .*$", text):
                self.assertNotEqual(row.split()[1], row.split()[2])

    def test_a_file_beyond_the_limit_of_its_size_is_a_failure(self):
        model = self.model()
        data = self.table()
        (self.folder / "out").mkdir()
        limits = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))}
        for arguments in (["predict", model, data, "--x", "x", "-o", self.path("out/y.csv")],
                          ["fit", data, "--x", "x", "--y", "y", "-o", self.path("out/m")],
                          ["segment", data, "--x", "x", "--segmentation", "quantile", "-o", self.path("out/e")]):
            self.fails(*arguments, says="File too large", **limits)
            self.assertEqual(os.listdir(self.folder / "out"), [])

    def test_an_output_that_cannot_be_written_is_told_first(self):
        bad = self.write("bad.csv", "x,y\nabc,1\n")
        model = self.model()
        for arguments in (["fit", bad, "--x", "x", "--y", "y"], ["segment", bad, "--x", "x", "--y", "y"],
                          ["predict", model, bad, "--x", "x"]):
            self.fails(*arguments, "-o", self.path("none/m"), says="No such file")
            self.fails(*arguments, "-o", self.folder, says="Is a directory")
            self.fails(*arguments, "-o", self.path("n" * 256), says="File name too long")
        self.fails("fit", bad, "--x", "x", "--y", "y", "-o", self.path("m"), says="no usable row")
        self.assertEqual(sorted(os.listdir(self.folder)), ["bad.csv", "data.csv", "model.safetensors"])

    def test_long_names_and_links(self):
        data = self.table()
        name = self.path("n" * 255)
        self.run_cli("fit", data, "--x", "x", "--y", "y", "-o", name)
        os.symlink("there", self.path("link"))
        self.run_cli("predict", name, data, "--x", "x", "-o", self.path("link"))
        self.assertTrue(os.path.islink(self.path("link")))
        self.assertIn(b"prediction", self.read("there"))
        os.symlink("model", self.path("to-model"))
        self.run_cli("fit", data, "--x", "x", "--y", "y", "-o", self.path("to-model"))
        self.assertTrue(os.path.islink(self.path("to-model")))
        self.assertEqual(self.read("model"), pathlib.Path(name).read_bytes())

    def test_model_files_that_are_none(self):
        data = self.table()
        good = pathlib.Path(self.model()).read_bytes()
        damaged = bytearray(good)
        damaged[-1] ^= 1
        state = (pathlib.Path(__file__).parents[1] / "data" / "models" / "state-f64-1.0.safetensors").read_bytes()
        other = b'{"__metadata__":{"format":"pt"},"w":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}'
        for name, content, says in [
                ("cut", good[:-1], "lie outside the"), ("damaged", bytes(damaged), "does not match its checksum"),
                ("state", state, "it is a fit state, not a model"),
                ("other", struct.pack("<Q", len(other)) + other + bytes(8), "a safetensors file of another program"),
                *((name, content, f"{name} is not a model file ({look})") for name, content, look in [
                    ("empty", b"", "it is empty"), ("text", b"hello", "it looks like text"),
                    ("t.csv", b"x,y\n1,2\n", "it looks like text"), ("u", "x,ä\n".encode(), "it looks like text"),
                    ("u16", "x,y\n".encode("utf-16"), "it looks like UTF-16 text"),
                    ("x.npy", npy([1.0]), "it looks like an NPY file"),
                    ("x.npz", b"PK\x03\x04" + bytes(40), "it looks like a zip archive"),
                    ("gz", gzip.compress(good), "it looks like gzip data"),
                    ("pq", b"PAR1" + bytes(40), "it looks like a Parquet file")])]:
            with self.subTest(name=name):
                path = self.write(name, content)
                for command in (["predict", path, data, "--x", "x"], ["inspect", path],
                                ["plot", path, "-o", self.path("p.svg")]):
                    done = self.fails(*command, says=says)
                    self.assertNotRegex(done.stderr.decode(), "ZCMOE_|zcmoe_|bytes announced")
        for command in ("predict", "inspect"):
            rest = [data] if command == "predict" else []
            self.fails(command, self.path("none"), *rest, says=f"zcmoe: cannot open '{self.path('none')}': No such file")

    def test_device(self):
        data = self.table()
        for more in ([], ["--x", "w"]):
            for device in ("auto", "cpu"):
                self.run_cli("fit", data, "--x", "x", *more, "--y", "y", "-o", self.path(device), "--device", device)
            self.assertEqual(self.read("auto"), self.read("cpu"))
        self.fails("fit", data, "--x", "x", "--y", "y", "-o", self.path("m"), "--device", "cuda:4096")

    def test_progress_only_on_a_terminal(self):
        model = self.model()
        values = self.write("x.npy", npy([0.5] * 1000))
        try:
            main, terminal = pty.openpty()
        except OSError as error:
            self.skipTest(f"this machine has no terminals: {error}")
        done = subprocess.run([ZCMOE, "predict", model, values, "-q"], stdout=subprocess.DEVNULL, stderr=terminal)
        os.close(terminal)
        self.assertEqual(done.returncode, 0)
        os.set_blocking(main, False)
        try:
            said = os.read(main, 1000)
        except OSError:
            said = b""
        os.close(main)
        said = without_runtime_lines(said.replace(b"\r\n", b"\n"))
        self.assertEqual(said, b"", "--quiet says nothing")
        said = self.run_cli("predict", model, values).stderr
        self.assertNotIn(b"\r", said)
        self.assertIn(b"1,000 rows predicted", said)


class fit_test(cli_case):
    def test_flights(self):
        done = self.run_cli("fit", DATA, "--x", "distance", "--y", "air_time", "--segments", 64, "--segmentation",
                            "optimal", "--holdout", "0.2", "--output", self.path("model.safetensors"))
        self.assertEqual(done.stdout, b"")
        for words in ("rows read        336,776", "missing target 9,430", "held-out RMSE", "straight line",
                      "best constant", "engine", "segments", "empty", "rows/s", "noise estimate"):
            self.assertIn(words, done.stderr.decode())
        done = self.run_cli("fit", DATA, "--x", "1", "--y", "2", "--segments", 64, "--holdout", "0.2", "--json",
                            "--output", self.path("again.safetensors"))
        self.assertEqual(done.stderr, b"")
        summary = json.loads(done.stdout)
        self.assertEqual(summary["rows_read"], 336776)
        self.assertEqual(summary["rows_skipped"], 9430)
        self.assertEqual(summary["skipped"]["missing_target"], 9430)
        self.assertEqual(summary["rows_fitted"] + summary["rows_held_out"], 327346)
        self.assertLess(abs(summary["rows_held_out"] / 327346 - 0.2), 0.01)
        holdout = summary["holdout"]
        self.assertEqual(holdout["rows"], summary["rows_held_out"])
        self.assertLess(holdout["rmse"], holdout["rmse_line"])
        self.assertLess(holdout["rmse_line"], holdout["rmse_constant"])
        self.assertEqual(self.read("model.safetensors"), self.read("again.safetensors"), "same rows, same bytes")

    def test_held_out_errors_are_right(self):
        """Against a computation from the model's segments and the rows it leaves out."""
        data = self.table(rows=400)
        model = self.path("m")
        summary = json.loads(self.run_cli("fit", data, "--x", "x", "--y", "y", "--segments", 4, "--range", "0:10",
                                          "--segmentation", "uniform", "--holdout", "0.25", "--seed", 7, "--json",
                                          "-o", model).stdout)
        rows = [(float(row["x"]), float(row["y"])) for row in self.rows_of(data)]
        counts = json.loads(self.run_cli("inspect", model, "--json").stdout)["counts"][:4]
        self.assertEqual(sum(counts), summary["rows_fitted"])
        answers = self.answers(model, data, "--x", "x")
        # Which rows were held out shows in the constants: dropping row i moves the mean of its segment.
        constants = json.loads(self.run_cli("inspect", model, "--json").stdout)["constants"]
        for k in range(4):
            self.assertIn(constants[k], answers)
        everything = math.sqrt(sum((y - a) ** 2 for (_, y), a in zip(rows, answers)) / len(rows))
        self.assertLess(abs(summary["holdout"]["rmse"] / everything - 1), 0.2)
        line = summary["holdout"]
        fitted = math.sqrt(sum((y - line["line_intercept"] - line["line_slope"] * x) ** 2 for x, y in rows) / len(rows))
        self.assertLess(abs(line["rmse_line"] / fitted - 1), 0.2)

    def test_all_sources_give_the_same_model(self):
        data = self.table()
        rows = [list(row.values()) for row in self.rows_of(data)]
        columns = [[float(row[k]) for row in rows] for k in range(3)]
        names = [self.write(f"{name}.npy", npy(column)) for name, column in zip("xyw", columns)]
        common = ["--segments", 8, "--feature-name", "x", "--target-name", "y", "--holdout", "0.1"]
        self.run_cli("fit", data, "--x", "x", "--y", "y", "--weights", "w", "-o", self.path("csv"), *common)
        self.run_cli("fit", *names, "-o", self.path("npy"), *common)
        self.run_cli("fit", names[0], "--y", names[1], "--weights", names[2], "-o", self.path("named"), *common)
        with open(data, "rb") as source:
            self.run_cli("fit", "-", "--x", 1, "--y", 2, "--weights", 3, "-o", self.path("file"), *common, stdin=source)
        self.run_cli("fit", "-", "--x", 1, "--y", 2, "--weights", 3, "-o", self.path("pipe"), *common,
                     input=pathlib.Path(data).read_bytes())
        self.run_cli("fit", "-", *names[1:], "-o", self.path("npy-pipe"), *common,
                     input=pathlib.Path(names[0]).read_bytes())
        stdout = self.run_cli("fit", *names, "-o", "-", *common).stdout
        for threads in (1, 2, 5):
            self.run_cli("fit", *names, "-o", self.path(f"threads{threads}"), "--threads", threads, *common)
        expected = self.read("csv")
        for name in ("npy", "named", "file", "pipe", "npy-pipe", "threads1", "threads2", "threads5"):
            self.assertEqual(self.read(name), expected, name)
        self.assertEqual(stdout, expected)

    def test_single_pass_from_a_pipe(self):
        edges = self.write("edges", "# from somewhere\n0\n\n5\n10\n")
        data = pathlib.Path(self.table()).read_bytes()
        self.run_cli("fit", "-", "--x", "x", "--y", "y", "--edges", edges, "-o", self.path("a"), input=data)
        self.run_cli("fit", "-", "--x", "x", "--y", "y", "--segmentation", "uniform", "--range", "0:10", "--segments",
                     2, "-o", self.path("b"), input=data)
        self.assertEqual(self.read("a"), self.read("b"))
        for content, says in [("0\n", "at least 2"), ("0\n1\n1\n", "edge"), ("0\nx\n", "line 2"), ("", "at least 2")]:
            self.fails("fit", "-", "--x", "x", "--y", "y", "--edges", self.write("bad", content), "-o", self.path("c"),
                       input=data, says=says)

    def test_float32_columns_keep_a_small_state(self):
        x = self.write("x.npy", npy([i / 100 for i in range(100)], "f"))
        y = self.write("y.npy", npy([i for i in range(100)], "f"))
        wide = self.write("wide.npy", npy([i for i in range(100)]))
        for target, extra, dtype in [(y, [], "f32"), (wide, [], "f64"), (y, ["--target-dtype", "f64"], "f64"),
                                     (wide, ["--target-dtype", "f32"], "f32")]:
            summary = json.loads(self.run_cli("fit", x, target, "-o", self.path("m"), "--json", *extra).stdout)
            self.assertEqual(summary["target_dtype"], dtype)
            self.assertAlmostEqual(summary["mean"], 49.5)

    def test_rows_are_skipped_for_one_reason_each(self):
        data = self.write("data.csv", "x,y,w\n1,1,1\n2,,1\nNA,3,1\n4,abc,1\n5,inf,1\n6,6,0\n7,7,\n8,8,1\n,,\n99,9,1\n")
        done = self.run_cli("fit", data, "--x", "x", "--y", "y", "--weights", "w", "--segments", 2, "--segmentation",
                            "uniform", "--range", "0:10", "--range-policy", "nan", "-o", self.path("m"), "--json")
        summary = json.loads(done.stdout)
        self.assertEqual(summary["rows_read"], 10)
        self.assertEqual(summary["rows_fitted"], 2)
        self.assertEqual(summary["skipped"], {"unparsable": 1, "missing_weight": 2, "missing_target": 1,
                                              "infinite_target": 1, "zero_weight": 1, "missing_input": 1,
                                              "out_of_range": 1})
        self.assertEqual(summary["first_unparsable"], "line 5, column 'y': 'abc'")
        common = ["fit", data, "--x", "x", "--y", "y", "-o", self.path("n")]
        self.fails(*common, "--strict", says="line 5, column 'y': 'abc' is not a number")
        self.fails(*common, "--nan-inputs", "error", says="data.csv, line 4, column 'x': the input is missing")
        self.fails(*common, "--nonfinite-targets", "error", says="data.csv, line 3, column 'y': the target is missing")
        self.assertFalse((self.folder / "n").exists())

    def test_rows_out_of_range_are_told(self):
        data = self.write("data.csv", "x,y\n" + "".join(f"{x},1\n" for x in (-5, -4, 1, 2, 3, 11, 12, 13, "inf", "")))
        common = ["fit", data, "--x", "x", "--y", "y", "--segmentation", "uniform", "--range", "0:10", "--segments", 2,
                  "--nan-policy", "segment", "-o", self.path("m")]
        for policy, words, fitted in (("clamp", "clamped", 10), ("nan", "skipped", 4), ("value", "skipped", 4),
                                      ("segments", "in segments of their own", 10)):
            done = self.run_cli(*common, "--range-policy", policy)
            self.assertIn(f"out of range     2 below, 4 above: {words}\n", done.stderr.decode())
            self.assertIn("missing input    1 in a segment of their own\n", done.stderr.decode())
            seen = json.loads(self.run_cli(*common, "--range-policy", policy, "--json").stdout)
            self.assertEqual([seen[key] for key in ("range_policy", "below_range", "above_range", "nan_inputs",
                                                    "rows_fitted", "rows_skipped")],
                             [policy, 2, 4, 1, fitted, 10 - fitted])
            self.assertEqual(seen["skipped"]["out_of_range"], 10 - fitted)
        done = self.run_cli("fit", self.table(), "--x", "x", "--y", "y", "-o", self.path("m"))
        self.assertNotIn("out of range", done.stderr.decode())
        self.assertNotIn("missing input", done.stderr.decode())

    def test_headers_that_cannot_be_names(self):
        rows = b"".join(b"%d,%d\n" % (i, i) for i in range(50))
        for header, words in ((b"\xe4\xff", "not UTF-8"), (b"n" * 1025, "longer than 1024 bytes")):
            data = self.write("data.csv", header + b",y\n" + rows)
            done = self.run_cli("fit", data, "--x", 1, "--y", "y", "-o", self.path("m"))
            self.assertIn(f"the header of --x 1 is {words}: the model keeps no name for it\n", done.stderr.decode())
            seen = json.loads(self.run_cli("inspect", self.path("m"), "--json").stdout)
            self.assertEqual((seen["feature_name"] or "", seen["target_name"]), ("", "y"))
            quiet = self.run_cli("fit", data, "--x", 1, "--y", "y", "-o", self.path("m"), "--quiet")
            self.assertEqual(quiet.stderr, b"")
            done = self.run_cli("fit", data, "--x", 1, "--y", "y", "--feature-name", "x", "-o", self.path("m"))
            self.assertNotIn(b"keeps no name", done.stderr)
        # Such bytes in a field must not fail the summary of a fit that has been saved.
        data = self.write("data.csv", b"x,y\n\xe4,1\n" + rows)
        seen = json.loads(self.run_cli("fit", data, "--x", "x", "--y", "y", "-o", self.path("m"), "--json").stdout)
        self.assertIn("line 2", seen["first_unparsable"])

    def test_why_no_row_is_usable(self):
        data = self.write("data.csv", "x,y\nabc,1\n1:30,2\n,3\n4,\n")
        common = ["--x", "x", "--y", "y", "-o", self.path("m")]
        why = "4 rows read, 2 not a number (first: line 2, column 'x': 'abc'), 1 missing target, 1 missing input"
        self.fails("fit", data, *common, says="to choose the cuts from: " + why)
        self.fails("segment", data, *common, says="to choose the cuts from: " + why)
        self.fails("fit", data, *common, "--segmentation", "uniform", "--range", "0:1", "--segments", 4,
                   says="to learn from: " + why)
        data = self.write("data.csv", "x,y\n5,1\n6,1\n")
        self.fails("fit", data, *common, "--range", "0:1", says="2 rows read, 2 outside --range")

    def test_bad_weights(self):
        for weight in ("-1", "inf"):
            data = self.write("data.csv", f"x,y,w\n1,1,1\n\n2,2,{weight}\n")
            self.fails("fit", data, "--x", "x", "--y", "y", "--weights", "w", "-o", self.path("m"),
                       says=f"data.csv, line 4, column 'w': the weight is {weight}; weights are finite")
        x = self.write("x.npy", npy([1, 2]))
        self.fails("fit", x, x, self.write("w.npy", npy([1, math.nan])), "-o", self.path("m"), says="w.npy, row 2: the weight")

    def test_tables_with_nothing_in_them(self):
        common = ["--x", "x", "--y", "y", "-o", self.path("m")]
        self.fails("fit", self.write("a.csv", ""), *common, says="the file is empty")
        self.fails("fit", self.write("b.csv", "x,y\n"), *common, says="no usable row")
        self.fails("fit", self.write("c.csv", "x,y\n1,\n2,\n"), *common, says="no usable row")
        self.fails("fit", self.path("b.csv"), "--segmentation", "uniform", "--range", "0:1", "--segments", 4,
                   *common, says="no usable row to learn from: 0 rows read")
        empty = self.write("e.npy", npy([]))
        self.fails("fit", empty, empty, "-o", self.path("m"), says="no usable row")
        self.fails("fit", self.path("none.csv"), *common, says="No such file")
        self.fails("fit", self.folder, *common, says="Is a directory")
        self.fails("fit", self.write("x.npy", "x,y\n1,2\n"), *common, says="not an NPY file")
        self.assertFalse((self.folder / "m").exists())

    def test_one_row_and_equal_inputs(self):
        for content in ("x,y\n3,7\n", "x,y\n3,6\n3,8\n"):
            data = self.write("data.csv", content)
            for segmentation in ("uniform", "quantile", "optimal", "compander"):
                self.run_cli("fit", data, "--x", "x", "--y", "y", "--segmentation", segmentation, "-o", self.path("m"))
                self.assertEqual(self.answers(self.path("m"), data, "--x", "x")[0], 7)

    def test_policies_reach_the_model(self):
        model = self.model("--closed-side", "right", "--open-outer-edge", "--nan-policy", "value", "--nan-value", "-5",
                           "--range-policy", "value", "--range-value", "-6", "--empty-policy", "value", "--empty-value",
                           "-7", "--shrinkage", "0.5", "--target-name", "area")
        seen = json.loads(self.run_cli("inspect", model, "--json").stdout)
        expected = {"closed_side": "right", "include_outer_edge": False, "nan_policy": "value", "nan_value": -5,
                    "range_policy": "value", "range_value": -6, "empty_policy": "value", "empty_value": -7,
                    "shrinkage": 0.5, "feature_name": "x", "target_name": "area"}
        self.assertEqual({key: seen[key] for key in expected}, expected)
        data = self.write("new.csv", "x\n-1\n\n,\n99\n")
        self.assertEqual(self.answers(model, data, "--x", "x"), [-6, -5, -5, -6])

    def test_missing_inputs_can_have_a_segment_of_their_own(self):
        data = self.write("data.csv", "x,y\n1,10\n,20\n2,30\nNA,40\nabc,1000\n")
        summary = json.loads(self.run_cli("fit", data, "--x", "x", "--y", "y", "--nan-policy", "segment", "--segments",
                                          1, "--segmentation", "uniform", "--range", "0:10", "-o", self.path("m"),
                                          "--json").stdout)
        self.assertEqual(summary["rows_fitted"], 4)
        self.assertEqual(self.answers(self.path("m"), data, "--x", "x"), [20, 30, 20, 30, 30])

    def test_constants_that_share(self):
        # 4,000 rows of a sine: what is predicted is three times as many smooth constants, nearer to it than the means.
        generator = random.Random(5)
        inputs = [generator.random() for _ in range(4000)]
        table = "x,y\n" + "".join(f"{x},{math.sin(6 * x) + generator.gauss(0, 0.3)}\n" for x in inputs)
        data = self.write("sine.csv", table)
        grid = self.write("grid.csv", "x\n" + "".join(f"{(i + 0.5) / 1000}\n" for i in range(1000)))
        error, summary = {}, {}
        for kind in ("mean", "smooth"):
            model = self.path(kind)
            done = self.run_cli("fit", data, "--x", "x", "--y", "y", "--constants", kind, "-o", model, "--json")
            summary[kind] = json.loads(done.stdout)
            self.assertEqual(summary[kind]["constants_kind"], kind)
            predictions = self.answers(model, grid, "--x", "x")
            error[kind] = sum((p - math.sin(6 * (i + 0.5) / 1000)) ** 2 for i, p in enumerate(predictions)) / 1000
        self.assertEqual(summary["smooth"]["segments_asked"], 3 * summary["mean"]["segments_asked"])
        self.assertLess(error["smooth"], 0.6 * error["mean"])
        seen = json.loads(self.run_cli("inspect", model, "--json").stdout)
        self.assertEqual(seen["constants_kind"], "smooth")
        self.assertEqual(seen["rows"], 4000)
        apart = [abs(m - c) for m, c in zip(seen["means"], seen["constants"]) if m is not None]
        self.assertGreater(max(apart), 0)
        self.assertLess(abs(seen["diagnosis"]["leave_one_out"] / 0.09 - 1), 0.1)
        self.assertNotIn("means", json.loads(self.run_cli("inspect", self.path("mean"), "--json").stdout))
        self.assertIn("smooth: a fit to the means", self.run_cli("inspect", model).stdout.decode())
        rows = list(csv.DictReader(io.StringIO(self.run_cli("inspect", model, "--csv").stdout.decode())))
        self.assertEqual([float(row["mean"]) for row in rows], seen["means"][:len(rows)])
        said = self.run_cli("fit", data, "--x", "x", "--y", "y", "--constants", "smooth", "-o", self.path("m"))
        self.assertIn("smooth: a fit to the means", said.stderr.decode())
        common = ["fit", data, "--x", "x", "--y", "y", "-o", self.path("m"), "--constants", "smooth"]
        self.fails(*common, "--shrinkage", 1, status=2, says="--shrinkage")
        self.fails(*common, "--segments", 16385, "--segmentation", "uniform", says="at most 16,384 segments")

    def test_experts_that_are_lines(self):
        # 1,000 rows of a sine: lines need a third of the segments, and are nearer to it than means.
        generator = random.Random(6)
        inputs = [generator.random() for _ in range(1000)]
        table = "x,y\n" + "".join(f"{x},{math.sin(6 * x) + generator.gauss(0, 0.3)}\n" for x in inputs)
        data = self.write("sine.csv", table)
        grid = self.write("grid.csv", "x\n" + "".join(f"{(i + 0.5) / 1000}\n" for i in range(1000)))
        columns = ["--x", "x", "--y", "y"]

        def error_of(model, *reading):
            predictions = self.answers(model, grid, "--x", "x", *reading)
            return sum((p - math.sin(6 * (i + 0.5) / 1000)) ** 2 for i, p in enumerate(predictions)) / 1000

        error, summary = {}, {}
        for kind in ("constant", "linear", "interpolate"):
            done = self.run_cli("fit", data, *columns, "--experts", kind, "--constants", "mean", "-o", self.path(kind),
                                "--json")
            summary[kind] = json.loads(done.stdout)
            self.assertEqual(summary[kind]["experts"], kind)
            error[kind] = error_of(self.path(kind))
        for kind in ("linear", "interpolate"):
            self.assertLess(summary[kind]["segments"], summary["constant"]["segments"] / 2)
            self.assertLess(error[kind], 0.8 * error["constant"])
            seen = json.loads(self.run_cli("inspect", self.path(kind), "--json").stdout)
            self.assertEqual(seen["experts"], kind)
            self.assertEqual(len(seen["line_slope"]), summary[kind]["segments"] + 3)
            self.assertLess(abs(seen["diagnosis"]["risk"] / 0.09 - 1), 0.2)
            rows = list(csv.DictReader(io.StringIO(self.run_cli("inspect", self.path(kind), "--csv").stdout.decode())))
            self.assertEqual([float(row["line_value"]) for row in rows], seen["line_value"][:len(rows)])
            self.assertRegex(self.run_cli("inspect", self.path(kind)).stdout.decode(), r"experts +(a least-squares|lines)")
        # Constants read by interpolation, without fitting anew.
        self.assertLess(error_of(self.path("constant"), "--experts", "interpolate"), 0.8 * error["constant"])
        self.assertEqual(error_of(self.path("interpolate"), "--experts", "interpolate"), error["interpolate"])
        self.fails("predict", self.path("linear"), grid, "--experts", "interpolate", says="segments have lines")
        self.fails("predict", self.path("constant"), grid, "--experts", "interpolate", "--segments-column", status=2,
                   says="--segments-column")
        # The kind with the least leave-one-out error.
        auto = json.loads(self.run_cli("fit", data, *columns, "--experts", "auto", "-o", self.path("auto"), "--json").stdout)
        errors = auto["leave_one_out"]
        self.assertEqual(set(errors), {"mean", "smooth", "linear", "interpolate"})
        best = min(errors, key=errors.get)
        self.assertEqual(auto["experts"], best if best in ("linear", "interpolate") else "constant")
        said = self.run_cli("fit", data, *columns, "--experts", "linear", "-o", self.path("m")).stderr.decode()
        self.assertRegex(said, r"\d+ for lines, by their leave-one-out error")
        self.run_cli("fit", data, *columns, "--experts", "linear", "--segments", 5, "-o", self.path("five"))
        self.assertEqual(json.loads(self.run_cli("inspect", self.path("five"), "--json").stdout)["segments"], 5)
        # Of a sample the number of lines grows with the fifth root of the rows that it stands for.
        sampled = [data, *columns, "--sample-rows", 130]
        plan = json.loads(self.run_cli("plan", *sampled, "--json").stdout)
        known = next(c for c in plan["candidates"] if c["segmentation"] == "optimal")["linear_segments"]
        asked = json.loads(self.run_cli("fit", *sampled, "--experts", "linear", "-o", self.path("m"),
                                        "--json").stdout)["segments_asked"]
        self.assertEqual(asked, round(known * (plan["planned_rows"] / plan["rows_sampled"]) ** 0.2))
        # Cuts for lines alone, which a fit takes as they are.
        cuts = self.run_cli("segment", data, *columns, "--experts", "linear", "--segments", 5).stdout.decode()
        self.run_cli("fit", data, *columns, "--experts", "linear", "--edges", self.write("cuts.txt", cuts), "-o",
                     self.path("cut"))
        self.assertEqual(self.read("cut"), self.read("five"))
        self.assertNotEqual(cuts, self.run_cli("segment", data, *columns, "--segments", 5).stdout.decode())
        self.fails("segment", data, *columns, "--experts", "linear", "--segmentation", "uniform", "--segments", 5,
                   status=2, says="only the number depends on it")
        # A plan tells the best table of each kind.
        kinds = {k["experts"]: k for k in json.loads(self.run_cli("plan", data, *columns, "--json").stdout)["experts"]}
        self.assertEqual(set(kinds), {"constant", "linear", "interpolate"})
        self.assertLess(kinds["linear"]["leave_one_out"], kinds["constant"]["leave_one_out"])
        self.assertLess(kinds["linear"]["segments"], kinds["constant"]["segments"])
        self.assertRegex(self.run_cli("plan", data, *columns).stdout.decode(),
                         r"experts +segments +leave-one-out error +segmentation\n +constant +[0-9]+")
        one = self.write("one.csv", "x,y\n1,5\n")
        self.assertNotIn("experts", self.run_cli("plan", one, *columns).stdout.decode())
        header = self.run_cli("plan", data, *columns, "--csv").stdout.decode().splitlines()[0]
        self.assertTrue(header.endswith(",linear_leave_one_out,interpolate_leave_one_out"))
        common = ["fit", data, *columns, "-o", self.path("m"), "--experts", "linear"]
        self.fails(*common, "--shrinkage", 1, status=2, says="--shrinkage")
        self.fails(*common, "--constants", "smooth", status=2, says="--constants smooth")

    def test_weights_that_say_how_precise_rows_are(self):
        generator = random.Random(9)
        rows = []
        for i in range(600):
            x, w = generator.random(), math.exp(generator.uniform(-2, 2))
            rows.append((x, math.sin(6 * x) + generator.gauss(0, 0.3) / math.sqrt(w), w))
        data = self.write("data.csv", "x,y,w\n" + "".join(f"{x!r},{y!r},{w!r}\n" for x, y, w in rows))
        columns = ["--x", "x", "--y", "y", "--weights", "w"]
        precise = ["--weights-kind", "precision"]
        two = [*columns, "--segmentation", "uniform", "--range", "0:1", "--segments", 2]
        seen = {}
        for kind in ("sampling", "precision"):
            summary = json.loads(self.run_cli("fit", data, *two, "--weights-kind", kind, "-o", self.path(kind),
                                              "--json").stdout)
            self.assertEqual(summary["weights_kind"], kind)
            seen[kind] = json.loads(self.run_cli("inspect", self.path(kind), "--json").stdout)
            self.assertEqual(seen[kind]["weights_kind"], kind)
            self.assertRegex(self.run_cli("inspect", self.path(kind)).stdout.decode(), rf"weights +{kind}: ")
        self.run_cli("fit", data, *two, "-o", self.path("default"))
        self.assertEqual(self.read("default"), self.read("sampling"))
        for i in range(2):
            own = [(y, w) for x, y, w in rows if i <= 2 * x < i + 1]
            total = math.fsum(w for _, w in own)
            mean = math.fsum(w * y for y, w in own) / total
            variance = math.fsum(w * (y - mean) ** 2 for y, w in own) / (len(own) - 1)
            effective = total ** 2 / math.fsum(w * w for _, w in own)
            self.assertAlmostEqual(seen["precision"]["constants"][i], mean, delta=1e-14)
            self.assertEqual(seen["precision"]["constants"][i], seen["sampling"]["constants"][i])
            self.assertAlmostEqual(seen["precision"]["variances"][i], variance, delta=1e-13 * variance)
            self.assertAlmostEqual(seen["precision"]["standard_errors"][i], math.sqrt(variance / total), delta=1e-13)
            ratio = seen["sampling"]["standard_errors"][i] / seen["precision"]["standard_errors"][i]
            self.assertAlmostEqual(ratio, math.sqrt((len(own) - 1) / (effective - 1)), delta=1e-12)
        answers = list(csv.DictReader(io.StringIO(self.run_cli(
            "predict", self.path("precision"), data, "--x", "x", "--standard-error").stdout.decode())))
        self.assertEqual(float(answers[0]["standard_error"]),
                         seen["precision"]["standard_errors"][int(2 * rows[0][0])])
        for command in (["inspect", self.path("precision")], ["fit", data, *two, *precise, "-o", self.path("m")]):
            done = self.run_cli(*command)
            self.assertIn("within segments, of a row of weight 1)", (done.stdout + done.stderr).decode())
        # What fit, plan and segment choose depends on the kind, and they agree.
        plan = json.loads(self.run_cli("plan", data, *columns, *precise, "--json").stdout)
        self.assertEqual(plan["effective_rows"], 600)
        self.assertLess(json.loads(self.run_cli("plan", data, *columns, "--json").stdout)["effective_rows"], 400)
        total = math.fsum(w for _, _, w in rows)
        self.assertLess(abs(plan["noise_variance"] / (0.09 * 600 / total) - 1), 0.25)
        self.assertIn("(standard deviation of a row of the mean weight)",
                      self.run_cli("plan", data, *columns, *precise).stdout.decode())
        chosen = next(c for c in plan["candidates"] if c["segmentation"] == "optimal")["segments"]
        cuts = self.run_cli("segment", data, *columns, *precise, "--segments", "auto").stdout.decode()
        self.assertEqual(len(cuts.split()), chosen + 1)
        done = self.run_cli("fit", data, *columns, *precise, "-o", self.path("m"), "--json")
        self.assertEqual(json.loads(done.stdout)["segments"], chosen)
        for command in (["fit", data, "-o", self.path("m")], ["plan", data], ["segment", data]):
            self.fails(*command, *columns[:4], *precise, status=2, says="--weights-kind precision: the rows have no weights")
            self.fails(*command, *columns, "--weights-kind", "frequency", status=2,
                       says="'frequency' is none of sampling|precision")

    def test_a_sample_chooses_the_cuts_of_a_large_table(self):
        data = self.table(rows=5000)
        summary = json.loads(self.run_cli("fit", data, "--x", "x", "--y", "y", "--segmentation", "quantile",
                                          "--segments", 4, "--sample-rows", 1000, "-o", self.path("m"), "--json").stdout)
        self.assertTrue(500 <= summary["rows_sampled"] <= 1000)
        x = sorted(float(row["x"]) for row in self.rows_of(data))
        self.assertEqual(summary["range"], [x[0], x[-1]], "the range is that of all rows")
        counts = json.loads(self.run_cli("inspect", self.path("m"), "--json").stdout)["counts"][:4]
        for count in counts:
            self.assertLess(abs(count - 1250), 500)


class predict_test(cli_case):
    def test_csv_and_npy_agree(self):
        model = self.model()
        data = self.table()
        x = [float(row["x"]) for row in self.rows_of(data)]
        values = self.write("x.npy", npy(x))
        expected = self.answers(model, data, "--x", "x")
        self.assertEqual(len(expected), len(x))
        self.assertEqual(self.answers(model, values), expected)
        self.run_cli("predict", model, values, "--output", self.path("y.npy"))
        self.assertEqual(list(read_npy(self.read("y.npy"))), expected)
        self.run_cli("predict", model, data, "--x", "x", "--output", self.path("z.npy"))
        self.assertEqual(self.read("z.npy"), self.read("y.npy"))
        text = pathlib.Path(data).read_bytes()
        stream = self.run_cli("predict", model, "-", "--x", "x", "--output-format", "npy", input=text).stdout
        self.assertEqual(stream, self.read("y.npy"))
        stream = self.run_cli("predict", model, "-", "--output-format", "npy",
                              input=pathlib.Path(values).read_bytes()).stdout
        self.assertEqual(stream, self.read("y.npy"))
        self.run_cli("predict", model, values, "-o", self.path("narrow.npy"), "--output-dtype", "f4")
        self.assertEqual(read_npy(self.read("narrow.npy")), array.array("f", expected))
        self.run_cli("predict", model, values, "-o", self.path("out.csv"))
        self.assertEqual(self.read("out.csv"), self.run_cli("predict", model, data, "--x", "x").stdout)

    def test_columns_by_the_name_that_the_model_keeps(self):
        model = self.model()
        data = self.write("new.csv", "a,x\n1,5\n2,9\n")
        expected = self.answers(model, data, "--x", "x")
        self.assertNotEqual(self.answers(model, data, "--x", "a"), expected)
        self.assertEqual(self.answers(model, data), expected)
        for column in ("x", "2"):
            self.assertNotIn(b"learned from", self.run_cli("predict", model, data, "--x", column).stderr)
        for column in ("a", "1"):
            done = self.run_cli("predict", model, data, "--x", column, "-q")
            self.assertEqual(done.stderr, b"warning: --x is 'a', but the model was learned from 'x'\n")
        done = self.run_cli("predict", model, data, "--x", 1, "--json", "-o", self.path("y"))
        seen = json.loads(done.stdout)
        self.assertEqual((seen["input_name"], seen["model_input_name"]), ("a", "x"))
        self.assertIn(b"learned from 'x'", done.stderr)
        self.fails("predict", model, self.write("other.csv", "a,b\n1,5\n"), says="has no such column; it has a, b")
        # Without names there is nothing to compare: no header, an NPY file, a model without a name or of no data.
        bare = self.write("bare.csv", "1,5\n2,9\n")
        self.assertEqual(self.run_cli("predict", model, bare, "--x", 1, "--no-header", "-q").stderr, b"")
        done = self.run_cli("predict", model, self.write("x.npy", npy([5.0, 9.0])), "--json", "-o", self.path("y"))
        self.assertEqual(done.stderr, b"")
        self.assertIsNone(json.loads(done.stdout)["input_name"])
        unnamed = self.path("unnamed")
        self.run_cli("fit", self.path("x.npy"), self.path("x.npy"), "-o", unnamed, "-q")
        self.fails("predict", unnamed, data, status=2, says="--x is missing")
        self.assertEqual(self.run_cli("predict", unnamed, data, "--x", "a", "-q").stderr, b"")
        compiled = self.path("compiled")
        self.run_cli("compile", "x^2", "--range", "0:9", "--tolerance", "1", "-o", compiled, "-q")
        self.assertEqual(self.run_cli("predict", compiled, data, "--x", "a", "-q").stderr, b"")
        self.assertEqual(self.answers(compiled, data), self.answers(compiled, data, "--x", "x"))

    def test_every_type_of_npy(self):
        model = self.model("--segmentation", "uniform", "--range", "0:10")
        numbers = [0, 1, 5, 9, 7, 3, 3, 1]
        expected = self.answers(model, self.write("x.npy", npy([float(v) for v in numbers])))
        codes = {"b": "|i1", "B": "|u1", "h": "<i2", "H": "<u2", "i": "<i4", "I": "<u4", "q": "<i8", "Q": "<u8",
                 "f": "<f4", "e": "<f2"}
        self.run_cli("fit", self.path("x.npy"), self.path("x.npy"), "-o", self.path("wide"), "-q", "--segments", 4)
        for code, descr in codes.items():
            with self.subTest(descr=descr):
                header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': (8,), }}".ljust(117) + "\n"
                data = b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header.encode()
                path = self.write("typed.npy", data + struct.pack(f"<8{code}", *numbers))
                self.assertEqual(self.answers(model, path), expected)
                # As inputs, targets and weights; in a table of edges; without the rows held out.
                common = ["--segments", 4, "--target-dtype", "f64", "-q"]
                self.run_cli("fit", path, path, "-o", self.path("typed"), *common)
                self.assertEqual(self.read("typed"), self.read("wide"))
                self.run_cli("fit", path, path, path, "-o", self.path("weighted"), *common)
                self.run_cli("fit", path, path, "-o", self.path("judged"), "--holdout", "0.4", *common)
                edges = self.run_cli("segment", path, "--segmentation", "quantile", "--segments", 3).stdout
                self.assertEqual(edges, self.run_cli("segment", self.path("x.npy"), "--segmentation", "quantile",
                                                     "--segments", 3).stdout)
        bools = struct.pack("<8?", *(v > 2 for v in numbers))
        header = "{'descr': '|b1', 'fortran_order': False, 'shape': (8,), }".ljust(117) + "\n"
        path = self.write("b.npy", b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header.encode() + bools)
        self.assertEqual(self.answers(model, path), [expected[1 if v > 2 else 0] for v in numbers])
        large = self.write("large.npy", data.replace(b"<f2", b"<i8").replace(b"(8,)", b"(2,)") +
                           struct.pack("<2q", 2 ** 53 + 1, 2 ** 53))
        said = self.run_cli("predict", model, large).stderr.decode()
        self.assertIn("large.npy: integers beyond 2^53, rounded to the nearest float64: 1\n", said)

    def test_a_file_cut_short_while_it_is_read(self):
        model = self.model("--segmentation", "uniform", "--range", "0:10")
        values = npy([5.0] * 3_000_400)
        for cut in (3200, 8 * 1_000_000):
            for _ in range(3):
                path = self.write("x.npy", values)
                running = subprocess.Popen([ZCMOE, "predict", model, path, "-o", self.path("y.npy"), "--output-dtype",
                                            "f8"], stderr=subprocess.PIPE)
                while not files_open_in(running.pid, self.folder) and running.poll() is None:
                    pass
                os.truncate(path, len(values) - cut)
                said = without_runtime_lines(running.communicate()[1]).decode()
                if running.returncode == 0:  # read before it was cut
                    self.assertEqual(len(set(read_npy(self.read("y.npy")))), 1)
                else:
                    self.assertEqual(running.returncode, 1, said)
                    self.assertRegex(said, r"\Azcmoe: .*(became shorter|was changed|bytes of data|needs?) ?.*\n\Z")

    def test_rows_stay_aligned(self):
        model = self.model()
        data = self.write("new.csv", "id,x\n1,5\n2,\n3,NA\n4,abc\n5,5\n6\n7,inf\n")
        done = self.run_cli("predict", model, data, "--x", "x")
        lines = done.stdout.decode().splitlines()
        self.assertEqual(len(lines), 8)
        self.assertEqual([k for k, line in enumerate(lines) if line == "nan"], [2, 3, 4, 6])
        self.assertEqual(lines[1], lines[5])
        self.assertIn("1 of them not a number (first: line 5, column 'x': 'abc')", done.stderr.decode())
        self.fails("predict", model, data, "--x", "x", "--strict", says="line 5")

    def test_further_columns(self):
        model = self.model("--segmentation", "uniform", "--range", "0:10")
        data = self.write("new.csv", "1.3\n9.9\n")
        out = self.run_cli("predict", model, data, "--x", 1, "--no-header", "--segments-column", "--standard-error")
        rows = list(csv.DictReader(io.StringIO(out.stdout.decode())))
        self.assertEqual(list(rows[0]), ["prediction", "segment", "standard_error"])
        self.assertEqual([row["segment"] for row in rows], ["1", "7"])
        seen = json.loads(self.run_cli("inspect", model, "--json").stdout)
        for row in rows:
            segment = int(row["segment"])
            self.assertEqual(float(row["prediction"]), seen["constants"][segment])
            self.assertEqual(float(row["standard_error"]), seen["standard_errors"][segment])
        bare = self.run_cli("predict", model, data, "--x", 1, "--no-header", "--no-output-header").stdout
        self.assertEqual(bare.decode().splitlines(), [row["prediction"] for row in rows])

    def test_summary(self):
        model = self.model("--range", "0:10")
        data = self.write("new.csv", "x\n-1\n5\n\n,\n11\n12\n")
        summary = json.loads(self.run_cli("predict", model, data, "--x", "x", "-o", self.path("y"), "--json").stdout)
        self.assertEqual([summary[key] for key in ("rows", "missing_inputs", "below_range", "above_range")],
                         [6, 2, 1, 2])

    def test_tables_with_nothing_in_them(self):
        model = self.model()
        self.assertEqual(self.answers(model, self.write("a.csv", "x\n"), "--x", "x"), [])
        self.assertEqual(self.answers(model, self.write("b.csv", ""), "--x", "1", "--no-header"), [])
        self.fails("predict", model, self.path("b.csv"), "--x", "x", says="the file is empty")
        self.run_cli("predict", model, self.write("e.npy", npy([])), "-o", self.path("y.npy"))
        self.assertEqual(list(read_npy(self.read("y.npy"))), [])
        self.assertTrue(all(map(math.isnan, self.answers(model, self.write("c.csv", "a,x\n1,\n2,\n"), "--x", "x"))))


class table_test(cli_case):
    """What every command that reads a CSV file does with it."""

    def commands(self, model, data, x="x", y="y"):
        """Each command on a table; the last word of its kind is what it wrote."""
        out = self.path("out")
        return [["fit", data, "--x", x, "--y", y, "--segments", 4, "--feature-name", "x", "--target-name", "y", "-o", out],
                ["predict", model, data, "--x", x, "-o", out],
                ["plan", data, "--x", x, "--y", y, "-o", out],
                ["segment", data, "--x", x, "--y", y, "--segments", 4, "-o", out],
                ["plot", model, "--data", data, "--x", x, "--y", y, "-o", self.path("out.svg")]]

    def outcome(self, arguments, **options):
        """What a command wrote; plot's Python is a program that does nothing."""
        environment = dict(os.environ, ZCMOE_PYTHON="true")
        done = self.run_cli(*arguments, env=environment, **options)
        return done, b"" if arguments[0] == "plot" else self.read("out")

    def refused(self, model, data, says, *more, x="x", y="y", **options):
        for arguments in self.commands(model, data, x, y):
            with self.subTest(command=arguments[0], says=says):
                self.fails(*arguments, *more, says=says, env=dict(os.environ, ZCMOE_PYTHON="true"), **options)

    def test_every_option_on_every_command(self):
        model = self.model()
        generator = random.Random(5)
        rows = [(generator.randrange(10 ** 7) / 8, generator.randrange(10 ** 9) / 4) for _ in range(60)]
        plain = self.write("plain.csv", "x,y\n" + "".join(f"{x},{y}\n" for x, y in rows))

        def german(v):
            return f"{v:,.3f}".translate(str.maketrans(",.", ".,"))

        text = "Logger;7\n\"quote\n% header follows\nx;y;\n"
        for i, (x, y) in enumerate(rows):
            text += ("% note; with \"quote\n" if i % 7 == 0 else "") + f"{german(x)};{german(y)};\n"
        options = ["--delimiter", ";", "--decimal", ",", "--thousands", ".", "--comment", "%", "--skip-lines", 2]
        for end in ("\n", "\r\n", "\r"):
            table = self.write("german.csv", text.replace("\n", end).encode())
            for one, other in zip(self.commands(model, plain), self.commands(model, table)):
                with self.subTest(command=one[0], end=end):
                    expected = self.outcome(one)[1]
                    done, seen = self.outcome([*other, *options])
                    self.assertEqual(seen, expected)
                    self.assertNotIn(b"warning", done.stderr)
        self.refused(model, self.write("bad.csv", text + "1;2;x;3\n"), "line 74: the row has 4 fields, the header has 3",
                     *options)
        for words, says in ((["--decimal", ","], "--decimal and --delimiter are both ','"),
                            (["--thousands", "."], "--decimal and --thousands are both '.'"),
                            (["--comment", ","], "--comment and --delimiter are both ','"),
                            (["--decimal", "5"], "--decimal"), (["--decimal", "ab"], "--decimal"),
                            (["--thousands", "ab"], "--thousands"), (["--thousands", "-"], "--thousands"),
                            (["--comment", "1"], "--comment"), (["--comment", ""], "--comment"),
                            (["--skip-lines", "-1"], "--skip-lines"), (["--skip-lines", "x"], "--skip-lines")):
            self.refused(model, plain, says, *words, status=2)

    def test_doubtful_rows_are_refused_by_every_command(self):
        model = self.model()
        for text, says in (
                ("part,x,y\nbolt,1,2\n\"2\" pipe,2,3\n\"a, b\",4,5\n",
                 "data.csv, line 3, column 'part': text behind the closing quote"),
                ("part,x,y\nbolt,1,2\n\"2 pipe,2,3\nbolt,4,5\n",
                 "data.csv, line 3, column 'part': a quoted field is not closed"),
                ("x,y\n\"1\",0,2\n", "data.csv, line 2: the row has 3 fields, the header has 2"),
                ("x,y\n0,5,1,5\n", "decimal commas?")):
            self.refused(model, self.write("data.csv", text), says)
        self.refused(model, self.write("data.csv", "part,x,y\n5\" pipe,1,2\n"), "line 2, column 'part': a quote inside",
                     "--strict")

    def test_what_is_no_text_is_named_by_every_command(self):
        model = self.model()
        for content, says in ((gzip.compress(b"x,y\n1,2\n"), "gzip data, not CSV text: gunzip -c"),
                              (bz2.compress(b"x,y\n1,2\n"), "bzip2 data"), (lzma.compress(b"x,y\n1,2\n"), "xz data"),
                              (b"PAR1\x15\0", "a Parquet file"), ("x,y\n1,2\n".encode("utf-16"), "UTF-16 text"),
                              ("x,y\n1,2\n".encode("utf-16-be"), "UTF-16 text"),
                              ("x,y\n1,2\n".encode("utf-32"), "UTF-32 text"),
                              (pathlib.Path(model).read_bytes(), "a model file"), (b"x,y\0\n1,2\n", "a null byte")):
            self.refused(model, self.write("data.csv", content), says)
            self.fails("predict", model, "-", "--x", "1", "-o", self.path("out"), input=content, says=says)
            self.fails("fit", self.table("rows.csv"), "--x", "x", "--y", "y", "--edges", self.path("data.csv"), "-o",
                       self.path("out"), says=says)
        self.assertFalse((self.folder / "out").exists())

    def test_rows_are_not_lost_without_a_word(self):
        model = self.model()
        numbers = self.write("numbers.csv", "".join(f"{i / 4},{i}\n" for i in range(30)))
        prices = self.write("prices.csv", "x,y\n" + "".join(f'"{n:,}",{n}\n' for n in range(500, 2000, 50)))
        for arguments in self.commands(model, numbers, "1", "2"):
            done = self.outcome(arguments)[0]
            self.assertIn(b"numbers.csv, line 1 is taken for the header, but looks like data: 0.0, 0; --no-header if it is\n",
                          done.stderr)
            self.assertNotIn(b"warning", self.outcome([*arguments, "--no-header"])[0].stderr)
        for arguments in self.commands(model, prices):
            done = self.outcome(arguments)[0]
            self.assertIn(b"warning: 20 of 30 fields of column 'x' are not a number (first: line 12: '1,000'); --thousands "
                          b"',' reads 20 of them, column 'x' from 1000 to 1950\n", done.stderr)
            self.assertNotIn(b"warning", self.outcome([*arguments, "--thousands", ","])[0].stderr)

    def test_no_input_is_a_number(self):
        model = self.model()
        data = self.write("data.csv", "x,y\n\"0,5\",1\n\"0,25\",2\n,3\n")
        self.fails("predict", model, data, "--x", "x", "-o", self.path("out"),
                   says="data.csv: no input is a number (first: line 2, column 'x': '0,5'); --decimal ',' reads 2 of them")
        self.assertFalse((self.folder / "out").exists())
        self.fails("fit", data, "--x", "x", "--y", "y", "-o", self.path("out"), says="--decimal ',' reads 2 of them")

    def test_tables_of_python_come_back(self):
        """Random tables written by Python's csv module; whole numbers go through a staircase unchanged."""
        staircase = self.path("staircase")
        self.run_cli("compile", "floor(x+0.5)", "--range", "-0.5:999.5", "--tolerance", "1e-9", "--error", "max", "-q",
                     "-o", staircase)
        generator = random.Random(11)
        letters = ["a", "Zü", " ", '"', '""', ",", ";", "\t", "|", "\n", "\r\n", "\r", "#", "'", "1.5", ""]
        for i in range(30 if QUICK else 120):
            delimiter = generator.choice(",;\t|")
            quoting = generator.choice([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC, csv.QUOTE_NONE])
            plain = ["a", "Zü", " x", "#", "'", "1.5", ""]  # what needs no quotes
            width = generator.randrange(1, 6)
            place = generator.randrange(width)
            numbers = [generator.randrange(1000) for _ in range(generator.choice([1, 5, 300, 3000]))]

            def text():
                if quoting == csv.QUOTE_NONE:
                    return generator.choice(plain)
                return "".join(generator.choice(letters_now) for _ in range(generator.randrange(4)))

            out = io.StringIO()
            end = generator.choice(["\n", "\r\n", "\r"])
            if quoting != csv.QUOTE_ALL:  # the module before Python 3.13 quotes no line breaks but those of the table
                letters_now = [letter for letter in letters if set(letter) & set("\r\n") <= set(end)]
            else:
                letters_now = letters
            writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=end)
            writer.writerow(["number" if k == place else f"{k}text" for k in range(width)])
            for number in numbers:
                writer.writerow([number if k == place else text() for k in range(width)])
            data = out.getvalue().encode()
            if i % 3 == 0:
                data = b"\xef\xbb\xbf" + data
            with self.subTest(i=i):
                for column in ("number", place + 1):
                    seen = self.answers(staircase, self.write("data.csv", data), "--x", column, "--delimiter", delimiter)
                    self.assertEqual(seen, numbers)

    def test_hostile_tables_take_little_memory(self):
        # AddressSanitizer keeps 256 MB of what was freed, if it is not told otherwise.
        asan = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "quarantine_size_mb=16"]))

        def run(content, *more):
            reading, writing = os.pipe()
            child = subprocess.Popen([ZCMOE, "segment", "-", "--x", "x", "--segmentation", "uniform", *more],
                                     stdin=reading, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                     env=dict(os.environ, ASAN_OPTIONS=asan))
            os.close(reading)
            try:
                with open(writing, "wb") as pipe:
                    for piece in content:
                        pipe.write(piece)
            except BrokenPipeError:
                pass
            said = child.stderr.read().decode()
            child.stderr.close()
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            self.assertEqual(child.returncode, 1, said)
            self.assertLess(usage.ru_maxrss, 200 << 10)
            return said

        commas = [b"," * (1 << 20)] * 50
        letters = [b"a" * (1 << 20)] * 50
        self.assertIn("line 1: more than 1048576 columns", run(commas))
        self.assertIn("line 2: the row has more than 1 fields", run([b"x\n", *commas]))
        self.assertIn("line 1, column 1: a field is longer than", run(letters))
        self.assertIn("line 2, column 'x': a field is longer than", run([b"x,y\n1", *letters]))
        self.assertIn("line 2, column 't': a quoted field is not closed", run([b"t,x\n\"", *letters]))
        self.assertIn("no usable row", run([b"t,x\n", *letters, b",a\n"]))


class segment_test(cli_case):
    def edges(self, *arguments, **options):
        return [float(line) for line in self.run_cli("segment", *arguments, **options).stdout.decode().splitlines()]

    def test_uniform(self):
        done = self.run_cli("segment", "--segmentation", "uniform", "--range", "0:1", "--segments", "8")
        self.assertEqual(done.stdout.decode().split(), "0 0.125 0.25 0.375 0.5 0.625 0.75 0.875 1".split())
        self.assertEqual(self.edges("--segmentation", "uniform", "--range", "-1:1", "--segments", 3),
                         [-1, -1 / 3, 1 / 3, 1])
        self.assertIn(b"0.33333333333333331\n",
                      self.run_cli("segment", "--segmentation", "uniform", "--range", "0:1", "--segments", 3).stdout)

    def test_table(self):
        grid = [i / 1000 for i in range(1001)]
        table = self.write("table.csv", "x,p,dbeta,one\n" + "".join(f"{x},1,{2 * x},1\n" for x in grid))
        edges = self.edges(table, "--x", "x", "--density", "p", "--slope", "dbeta", "--segmentation", "optimal",
                           "--segments", 8)
        for i, edge in enumerate(edges):  # slope 2x, uniform density: a_i = (i / 8)^(3/5)
            self.assertAlmostEqual(edge, (i / 8) ** 0.6, delta=1e-4)
        edges = self.edges(table, "--x", "x", "--point-density", "one", "--segments", 4)
        for i, edge in enumerate(edges):
            self.assertAlmostEqual(edge, i / 4, delta=1e-9)
        for wanted in (["--point-density", "one"], ["--density", "p", "--slope", "dbeta", "--segmentation", "optimal"]):
            said = json.loads(self.run_cli("segment", table, "--x", "x", *wanted, "--segments", 8, "--json").stdout)
            self.assertEqual((said["segments_asked"], said["segments"]), (8, 8))
        holed = self.write("holed.csv", "x,p,dbeta\n0,1,1\n0.5,,1\n1,1,1\n")
        self.fails("segment", holed, "--x", "x", "--density", "p", "--slope", "dbeta", says="line 3, column 'p': no value (--density)")
        self.fails("segment", holed, "--x", "p", "--density", "x", "--slope", "dbeta")

    def test_data(self):
        data = self.table()
        x = sorted(float(row["x"]) for row in self.rows_of(data))
        for arguments in (["--segmentation", "uniform"], ["--segmentation", "quantile"],
                          ["--y", "y", "--segmentation", "optimal"], ["--y", "y", "--segmentation", "compander"]):
            edges = self.edges(data, "--x", "x", "--segments", 5, *arguments)
            self.assertEqual((edges[0], edges[-1]), (x[0], x[-1]))
            self.assertEqual(edges, sorted(set(edges)))
        self.assertIn(self.edges(data, "--x", "x", "--segments", 4, "--segmentation", "quantile")[2], x[249:251])
        values = self.write("x.npy", npy(x))
        self.assertIn(self.edges(values, "--segments", 4, "--segmentation", "quantile")[2], x[249:251])
        self.fails("segment", data, "--x", "x", "--segmentation", "optimal", status=2, says="--y is missing")

    def test_rows_left_out_are_told(self):
        data = self.write("data.csv", "x,y\n1,1\nabc,2\n,3\n2,\n3,3\n40,4\n")
        common = ["segment", data, "--x", "x", "--y", "y", "--segments", 2, "--segmentation", "quantile", "--range",
                  "0:10"]
        done = self.run_cli(*common)
        for words in ("rows skipped 2: not a number 1, missing input 1\n",
                      "not a number, first: line 3, column 'x': 'abc'\n", "rows left out 1: outside --range\n"):
            self.assertIn(words, done.stderr.decode())
        warning = b"warning: 1 of 6 fields of column 'x' is not a number (first: line 3: 'abc')\n"
        self.assertEqual(self.run_cli(*common, "--quiet").stderr, warning)
        done = self.run_cli(*common, "--json")
        self.assertEqual(done.stderr, warning)
        seen = json.loads(done.stdout)
        self.assertEqual((seen["rows_read"], seen["rows_skipped"], seen["rows_outside"], seen["rows"]), (6, 2, 1, 3))
        self.assertEqual((seen["skipped"]["unparsable"], seen["skipped"]["missing_input"]), (1, 1))
        self.assertEqual(seen["first_unparsable"], "line 3, column 'x': 'abc'")
        self.assertEqual(self.run_cli("segment", self.table(), "--x", "x", "--segmentation", "uniform").stderr, b"")

    def test_edges_come_back_exactly(self):
        data = self.table()
        self.run_cli("segment", data, "--x", "x", "--y", "y", "--segments", 8, "-o", self.path("edges"))
        self.run_cli("fit", data, "--x", "x", "--y", "y", "--edges", self.path("edges"), "-o", self.path("a"))
        self.run_cli("fit", data, "--x", "x", "--y", "y", "--segments", 8, "-o", self.path("b"))
        self.assertEqual(self.read("a"), self.read("b"))

    def test_json(self):
        seen = json.loads(self.run_cli("segment", "--segmentation", "uniform", "--range", "0:1", "--segments", 2,
                                       "--json").stdout)
        self.assertEqual((seen["segments"], seen["edges"]), (2, [0, 0.5, 1]))


class compile_test(cli_case):
    def compiled(self, expression, *arguments):
        done = self.run_cli("compile", expression, *arguments, "--json")
        self.assertEqual(done.stderr, b"")
        return json.loads(done.stdout)

    def test_a_table_within_an_error(self):
        model = self.path("sine.safetensors")
        points = [(i + 0.5) / 20000 for i in range(20000)]
        inputs = self.write("x.npy", npy(points))
        for error, segments, least in (("rms", 45, 1), ("max", 90, 90)):
            summary = self.compiled("exp(-3*x)*sin(9*x)", "--range", "0:1", "--tolerance", "0.01", "--error", error,
                                    "-o", model)
            self.assertLessEqual(summary["segments"], segments)
            self.assertGreaterEqual(summary["least_segments"], least)
            self.assertLess(summary["segments"], summary["uniform"]["segments"])
            self.assertEqual(summary["bytes"], 8 * (2 * summary["segments"] + 1))
            self.assertLessEqual(summary["error"], 0.01)
            self.run_cli("predict", model, inputs, "-o", self.path("y.npy"))
            off = [y - math.exp(-3 * x) * math.sin(9 * x) for x, y in zip(points, read_npy(self.read("y.npy")))]
            measured = max(map(abs, off)) if error == "max" else math.sqrt(sum(d * d for d in off) / len(off))
            self.assertAlmostEqual(measured / summary["error"], 1, delta=1e-3)
            known = json.loads(self.run_cli("inspect", model, "--json").stdout)
            self.assertEqual((known["segments"], known["rows"], known["range"]), (summary["segments"], 0, [0, 1]))
            self.assertEqual((known["feature_name"], known["target_name"]), ("x", "exp(-3*x)*sin(9*x)"))

    def test_summary_in_words(self):
        done = self.run_cli("compile", "x<0.3 ? 1 : 2", "--range", "0:1", "--tolerance", "1e-3", "--error", "max")
        self.assertEqual(done.stdout, b"")
        said = done.stderr.decode()
        self.assertIn("x<0.3 ? 1 : 2, x from 0 to 1", said)
        self.assertIn("max 0, at most 0.001 asked for", said)
        self.assertRegex(said, r"verified +at inputs at most 7\.6\d*e-06 apart")
        self.assertRegex(said, r"for this error +2 constants, 2 lines of 2 values, 3 shared values\n")
        self.assertIn("2, 40 bytes of edges and constants; no table of fewer", said)
        self.assertIn("10 segments, 168 bytes (80 without edges), for the same error: 5 times as many", said)
        self.assertEqual(self.run_cli("compile", "x", "--range", "0:1", "--tolerance", "1", "-q").stderr, b"")
        self.assertEqual(os.listdir(self.folder), [])

    def test_a_density_moves_the_segments(self):
        even = self.compiled("tanh(x)", "--range", "-6:6", "--tolerance", "1e-3")
        bell = self.compiled("tanh(x)", "--range", "-6:6", "--tolerance", "1e-3", "--density", "exp(-x^2/2)")
        self.assertLess(even["segments"], 650)
        self.assertLess(bell["segments"], 650)
        self.assertNotEqual(even["segments"], bell["segments"])
        self.assertEqual(bell["density"], "exp(-x^2/2)")

    def test_every_function_means_what_the_help_says(self):
        values = {"pi": math.pi, "e": math.e, "x + 2*3 - 4/8": 6, "2^3^2": 512, "-2^2": -4, "sin(x)": math.sin(0.5),
                  "atan2(x, 2)": math.atan2(0.5, 2), "log(x)": math.log(0.5), "ln(x)": math.log(0.5),
                  "log2(x)": -1, "log10(x)": math.log10(0.5), "sqrt(x)": math.sqrt(0.5), "cbrt(x)": 0.5 ** (1 / 3),
                  "pow(x, 3)": 0.125, "abs(-x)": 0.5, "sign(-x)": -1, "floor(-x)": -1, "ceil(x)": 1, "rint(1.9)": 2,
                  "mod(7, 3)": 1, "min(x, 1, 2)": 0.5, "max(x, 1, 2)": 2, "sum(x, 1, 2)": 3.5, "avg(x, 1)": 0.75,
                  "erf(x)": math.erf(0.5), "erfc(x)": math.erfc(0.5), "gamma(x)": math.gamma(0.5),
                  "x > 0.4 && x < 0.6": 1, "x == 1 || x != 0.2": 1, "x <= 0.6 ? 3 : 4": 3, "tanh(x)": math.tanh(0.5),
                  "asinh(x)": math.asinh(0.5), "acosh(x+1)": math.acosh(1.5), "atanh(x)": math.atanh(0.5)}
        for expression, value in values.items():
            with self.subTest(expression=expression):
                model = self.path("m.safetensors")
                end = math.nextafter(0.5, 1)
                self.run_cli("compile", "--range", f"0.5:{end!r}", "--tolerance", "1e-9", "-q", "-o", model, "--",
                             expression)
                self.assertAlmostEqual(self.answers(model, self.write("x.csv", "x\n0.5\n"), "--x", "x")[0], value, 12)

    def test_lines(self):
        def sizes(experts, *arguments):
            summary = self.compiled("sin(x)", "--range", "0:6.3", "--experts", experts, "-o", self.path("m"), *arguments)
            self.assertEqual(summary["experts"], experts)
            seen = json.loads(self.run_cli("inspect", self.path("m"), "--json").stdout)
            self.assertEqual((seen["segments"], seen["experts"]), (summary["segments"], experts))
            self.assertEqual(summary["kinds"][experts]["segments"], summary["segments"])
            self.assertEqual(summary["kinds"][experts]["bytes"], summary["bytes"])
            return summary

        rows = self.write("rows.csv", "x\n" + "".join(f"{k / 10}\n" for k in range(64)))
        for error in ("rms", "max"):
            for experts in ("linear", "interpolate"):
                summary = sizes(experts, "--tolerance", "1e-6", "--error", error)
                self.assertLess(summary["segments"], 1300)
                self.assertEqual(summary["kinds"]["constant"], {"segments": 0, "values": 0, "bytes": 0})
                self.assertLess(abs(summary["kinds"]["linear"]["segments"] / summary["segments"] - 1), 0.01)
                answers = self.run_cli("predict", self.path("m"), rows, "-q").stdout.split()[1:]
                self.assertLess(max(abs(float(y) - math.sin(k / 10)) for k, y in enumerate(answers)), 5e-6)
        # m + 1 edges with m constants, m lines of two values, or m + 1 values.
        kinds = sizes("constant", "--tolerance", "0.01")["kinds"]
        for experts, values in (("constant", lambda m: m), ("linear", lambda m: 2 * m), ("interpolate", lambda m: m + 1)):
            m = kinds[experts]["segments"]
            self.assertEqual(kinds[experts], {"segments": m, "values": values(m), "bytes": 8 * (m + 1 + values(m))})
        self.assertGreater(kinds["constant"]["segments"], 3 * kinds["linear"]["segments"])

    def test_what_cannot_be_compiled(self):
        old = self.write("old.safetensors", "old")
        for expression, arguments, says in [
            ("log(x)", ["--range", "-1:1"], "function returned"),
            ("sqrt(0.5-x)", ["--range", "0:1"], "at x=0.5"),
            ("1/(x-0.5)", ["--range", "0:1"], "function returned inf at x=0.5"),
            ("1/(x-0.5)", ["--range", "0:1", "--error", "max"], "function returned inf at x=0.5"),
            ("1/sqrt(x)", ["--range", "0:1"], "grows there like distance^-0.5: the integral of its square diverges"),
            ("x", ["--range", "0:1", "--max-segments", "5"], "tolerance=0.01 needs more than max_segments=5 segments"),
            ("x", ["--range", "0:1e9"], "more than max_segments=1048576"),
            ("x", ["--range", "0:1", "--density", "0"], "density returned 0 everywhere"),
            ("x", ["--range", "0:1", "--density", "x-0.5"], "density returned -0."),
        ]:
            with self.subTest(expression=expression, arguments=arguments):
                self.fails("compile", expression, "--tolerance", "0.01", *arguments, "-o", old, says=says)
                self.assertEqual(self.read("old.safetensors"), b"old")
        self.fails("compile", "x", "--range", "0:1", "--tolerance", "0.1", "-o", self.path("no/m"), says="No such file")
        stream = self.run_cli("compile", "x", "--range", "0:1", "--tolerance", "0.1", "-o", "-").stdout
        self.run_cli("compile", "x", "--range", "0:1", "--tolerance", "0.1", "-o", self.path("m"))
        self.assertEqual(stream, self.read("m"))


class plan_test(cli_case):
    def sine(self, rows=4000, seed=3, name="sine.csv"):
        generator = random.Random(seed)
        lines = ["x,y,w"]
        for _ in range(rows):
            x = generator.random()
            lines.append(f"{x},{math.sin(6 * x) + generator.gauss(0, 0.3)},2")
        return self.write(name, "\n".join(lines) + "\n")

    def plan(self, *arguments, **options):
        return json.loads(self.run_cli("plan", *arguments, "--json", **options).stdout)

    def test_numbers(self):
        data = self.sine()
        plan = self.plan(data, "--x", "x", "--y", "y")
        self.assertEqual((plan["rows"], plan["rows_sampled"], plan["planned_rows"]), (4000, 4000, 4000))
        self.assertLess(abs(plan["noise_variance"] / 0.09 - 1), 0.1)
        self.assertLess(abs(plan["noise_variance_of_neighbours"] / 0.09 - 1), 0.1)
        self.assertEqual([c["segmentation"] for c in plan["candidates"]], ["uniform", "quantile", "optimal", "compander"])
        # b' = 6 cos 6x: A = 1.43 for equal widths, and m = (2 A n / sigma^2)^(1/3) = 50.
        uniform = plan["candidates"][0]
        self.assertEqual(uniform["method"], "parametric")
        self.assertLess(abs(uniform["segments"] / 50 - 1), 0.15)
        self.assertLess(abs(uniform["excess_risk"] / (1.5 * 0.09 * 50 / 4000) - 1), 0.15)
        low, high = uniform["excess_risk_interval"]
        self.assertTrue(low < uniform["excess_risk"] < high)
        self.assertEqual([level["segments"] for level in uniform["levels"]][:9], [1, 2, 3, 4, 6, 8, 12, 16, 24])
        best = min(plan["candidates"], key=lambda c: min(level["leave_one_out"] for level in c["levels"]))
        self.assertEqual((plan["segmentation"], plan["segments"]), (best["segmentation"], best["segments"]))
        more = self.plan(data, "--x", "x", "--y", "y", "--rows", 4000 * 8)
        self.assertLess(abs(more["candidates"][0]["segments"] / uniform["segments"] - 2), 0.05)
        # Equal weights are none.
        weighted = self.plan(data, "--x", "x", "--y", "y", "--weights", "w")
        self.assertEqual([c["segments"] for c in weighted["candidates"]], [c["segments"] for c in plan["candidates"]])

    def test_text_and_csv(self):
        data = self.sine()
        done = self.run_cli("plan", data, "--x", "x", "--y", "y")
        text = done.stdout.decode()
        for words in ("rows read         4,000", "noise", "recommended", "--segments", "uniform", "quantile", "optimal",
                      "held-out error at"):
            self.assertIn(words, text)
        self.assertEqual(self.run_cli("plan", data, "--x", "x", "--y", "y", "-q").stderr, b"")
        self.run_cli("plan", data, "--x", "x", "--y", "y", "--csv", "-o", self.path("curve.csv"))
        rows = self.rows_of(self.path("curve.csv"))
        self.assertEqual({row["segmentation"] for row in rows}, {"uniform", "quantile", "optimal", "compander"})
        risks = {int(r["segments"]): float(r["leave_one_out"]) for r in rows if r["segmentation"] == "uniform"}
        self.assertGreater(risks[1], 1.5 * risks[32])
        self.assertGreater(risks[3072], 1.5 * risks[32])

    def test_ties_are_told(self):
        columns = [DATA, "--x", "distance", "--y", "air_time"]
        plan = self.plan(*columns)
        self.assertEqual(plan["distinct_inputs"], 213)
        for candidate in plan["candidates"]:
            # Optimal cuts are never more than it takes to part the inputs.
            self.assertEqual("tied" in candidate["warnings"], candidate["segmentation"] != "optimal")
            self.assertLessEqual(candidate["segments_with_rows"], 213)
            self.assertLessEqual(candidate["segments"], 213)
            if candidate["segmentation"] == "optimal":
                self.assertEqual(candidate["segments_interval"], [None, None])
        self.assertRegex(self.run_cli("plan", *columns).stdout.decode(), r"fewer distinct values .*: \d+ hold rows")

    def test_options_of_companders(self):
        def edges(*arguments):
            return self.run_cli("segment", *arguments).stdout.split()

        data = self.sine()
        common = ["--x", "x", "--y", "y", "--segmentation", "compander", "--segments", 300]
        plain = edges(data, *common)
        self.assertLess(len(plain), 301)  # segments of fewer than 5 rows are merged
        for option in (["--min-count", 0], ["--floor", 1], ["--uniform-mixture", 1], ["--pilot-bins", 4]):
            self.assertNotEqual(edges(data, *common, *option), plain)
        self.assertEqual(len(edges(data, *common, "--min-count", 0)), 301)
        self.run_cli("plan", data, "--x", "x", "--y", "y", "--min-count", 20)

    def test_fit_takes_the_kind_of_constants_with_the_least_error(self):
        smooth = self.sine(rows=1000)
        def rows_of(relation, rows):
            return "x,y,w\n" + "".join(f"{i / 997 % 1},{relation(i / 997 % 1) + ((i * 7919) % 1000 / 1000 - 0.5) / 5},1\n"
                                       for i in range(rows))

        ramp = self.write("ramp.csv", rows_of(lambda x: min(max((x - 0.3) / 0.02, 0), 1), 1000))
        jumps = self.write("jumps.csv", rows_of(lambda x: math.floor(6 * x) * 1.3 % 2.9, 3000))
        for data, kind in ((smooth, "smooth"), (ramp, "mean")):
            common = ["fit", data, "--x", "x", "--y", "y"]
            fitted = json.loads(self.run_cli(*common, "--json", "-o", self.path("auto")).stdout)
            self.assertEqual(fitted["constants_kind"], kind)
            errors = fitted["leave_one_out"]
            self.assertEqual(min(errors, key=errors.get), kind)
            self.run_cli(*common, "--constants", kind, "-o", self.path("given"))
            self.assertEqual(self.read("auto"), self.read("given"))
            seen = json.loads(self.run_cli("inspect", self.path("auto"), "--json").stdout)
            self.assertEqual(seen["diagnosis"]["leave_one_out"], errors[kind])
            said = self.run_cli(*common, "-o", self.path("m")).stderr.decode()
            self.assertRegex(said, r"constants +(smooth|means).*leave-one-out error [0-9.e-]+, of (means|smooth ones) [0-9.e-]+\n")
            self.assertEqual("for smooth constants" in said, kind == "smooth")
        # Six levels: constants between jumps have nothing to share.
        fitted = json.loads(self.run_cli("fit", jumps, "--x", "x", "--y", "y", "--json", "-o", self.path("m")).stdout)
        self.assertEqual((fitted["segments"], fitted["constants_kind"]), (6, "mean"))
        self.assertNotIn("leave_one_out", fitted)
        fitted = json.loads(self.run_cli("fit", jumps, "--x", "x", "--y", "y", "--constants", "smooth", "--json", "-o",
                                         self.path("m")).stdout)
        self.assertEqual((fitted["segments"], fitted["constants_kind"]), (6, "smooth"))
        # Where they are not compared: a number that is given, weights, another segmentation, shrinkage.
        uncompared = (["--segments", 64], ["--weights", "w"], ["--segmentation", "uniform"], ["--shrinkage", 1])
        for more in uncompared[:1] if QUICK else uncompared:
            data = jumps if "--weights" in more else smooth
            fitted = json.loads(self.run_cli("fit", data, "--x", "x", "--y", "y", *more, "--json", "-o",
                                             self.path("m")).stdout)
            self.assertEqual(fitted["constants_kind"], "mean")
            self.assertNotIn("leave_one_out", fitted)

    def test_fit_takes_what_is_planned(self):
        def of_constants(candidate):  # fit plans lines only where it may fit them
            return json.loads(json.dumps(candidate), object_hook=lambda fields: {
                name: value for name, value in fields.items() if not name.startswith(("linear_", "interpolate_"))})

        data = self.sine(rows=1000)
        plan = self.plan(data, "--x", "x", "--y", "y")
        # Each kind takes six runs.
        kinds = ("uniform", "optimal") if QUICK else ("uniform", "quantile", "optimal", "compander")
        for kind in kinds:
            wanted = next(c for c in plan["candidates"] if c["segmentation"] == kind)
            common = [data, "--x", "x", "--y", "y", "--segmentation", kind]
            means = [*common, "--constants", "mean"]
            fitted = json.loads(self.run_cli("fit", *means, "--segments", "auto", "-o", self.path("auto"),
                                             "--json").stdout)
            self.assertEqual(fitted["segments_asked"], wanted["segments"])
            self.assertEqual(of_constants(fitted["plan"]), of_constants(wanted))
            self.run_cli("fit", *common, "--segments", wanted["segments"], "-o", self.path("given"))
            self.assertEqual(self.read("auto"), self.read("given"))
            self.run_cli("fit", *means, "-o", self.path("default"))
            self.assertEqual(self.read("default"), self.read("auto"))
            edges = self.run_cli("segment", *common, "--segments", "auto").stdout
            self.assertEqual(edges, self.run_cli("segment", *common, "--segments", wanted["segments"]).stdout)
        said = self.run_cli("fit", data, "--x", "x", "--y", "y", "--segments", "auto", "-o", self.path("m"))
        self.assertRegex(said.stderr.decode(), r"segments chosen +\d+; excess risk [0-9.e-]+ expected")
        # A given range, and rows held out, which the plan must not see.
        ranged = json.loads(self.run_cli("fit", self.sine(name="more.csv"), "--x", "x", "--y", "y", "--segmentation",
                                         "uniform", "--range", "0:2", "--segments", "auto", "--holdout", "0.5", "-o",
                                         self.path("m"), "--json").stdout)
        self.assertEqual(ranged["range"], [0, 2])
        self.assertGreater(ranged["empty_segments"], ranged["segments"] / 3)
        self.assertLess(abs(ranged["segments"] / (2 * 50 / 2 ** (1 / 3)) - 1), 0.3)

    def test_a_sample_stands_for_the_table(self):
        data = self.sine(rows=20000)
        whole = self.plan(data, "--x", "x", "--y", "y")["candidates"][0]
        plan = self.plan(data, "--x", "x", "--y", "y", "--sample-rows", 5000)
        self.assertEqual((plan["rows"], plan["planned_rows"]), (20000, 20000))
        self.assertLessEqual(plan["rows_sampled"], 5000)
        self.assertLess(abs(plan["candidates"][0]["segments"] / whole["segments"] - 1), 0.25)
        with open(data, "rb") as source:
            self.assertEqual(self.plan("-", "--x", "x", "--y", "y", stdin=source)["candidates"][0], whole)

    def test_the_smallest_tables(self):
        for rows, segments in (("1,2\n", 1), ("1,2\n2,3\n", 1), ("1,1\n1,2\n1,9\n", 1), ("1,5\n2,5\n3,5\n4,5\n", 1)):
            plan = self.plan(self.write("d.csv", "x,y\n" + rows), "--x", "x", "--y", "y")
            self.assertEqual({c["segments"] for c in plan["candidates"]}, {segments}, rows)
            self.run_cli("fit", self.path("d.csv"), "--x", "x", "--y", "y", "--segments", "auto", "-o", self.path("m"))
            self.run_cli("plan", self.path("d.csv"), "--x", "x", "--y", "y")
        self.fails("plan", self.write("d.csv", "x,y\n,2\nnan,3\n1,inf\n"), "--x", "x", "--y", "y",
                   says="no usable row to choose the cuts from: 3 rows read, 1 infinite target, 2 missing input")
        plan = self.plan(self.write("d.csv", "x,y\n,2\n1,3\n2,abc\n3,4\n"), "--x", "x", "--y", "y")
        self.assertEqual((plan["rows"], plan["skipped"]["missing_input"], plan["skipped"]["unparsable"]), (2, 1, 1))


class inspect_test(cli_case):
    def test_what_the_model_says_of_itself(self):
        model = self.model("--segmentation", "uniform", "--range", "0:10")
        seen = json.loads(self.run_cli("inspect", model, "--json").stdout)
        said = seen["diagnosis"]
        self.assertLess(abs(said["risk"] - said["noise"] - said["approximation"] - said["estimation"]), 1e-9)
        # y = x^2 on [0, 10), 8 segments: E_app = mean of (2x)^2 (10/8)^2 / 12 = 17.4.
        self.assertLess(abs(said["approximation"] / 17.4 - 1), 0.15)
        self.assertLess(abs(said["leave_one_out"] / said["risk"] - 1), 0.02)
        self.assertEqual(said["worst_segments"][0], 7)
        self.assertLess(said["equal_error"], 0.8)  # O / U = 0.648 of x^2
        for k in range(8):
            self.assertTrue(seen["means_lower"][k] < seen["constants"][k] < seen["means_upper"][k])
        narrow = json.loads(self.run_cli("inspect", model, "--json", "--confidence", "0.5").stdout)
        self.assertGreater(narrow["means_lower"][3], seen["means_lower"][3])
        rows = list(csv.DictReader(io.StringIO(self.run_cli("inspect", model, "--csv").stdout.decode())))
        self.assertEqual([float(row["mean_lower"]) for row in rows], seen["means_lower"][:8])
        self.assertEqual([float(row["approximation"]) for row in rows], said["segment_approximation"])
        text = self.run_cli("inspect", model).stdout.decode()
        for words in ("expected error", "noise", "worst segments", "95 % interval of the mean"):
            self.assertIn(words, text)
        out = self.run_cli("predict", model, self.write("new.csv", "x\n9.9\n\n5\n"), "--x", "x", "--interval", "0.95")
        rows = list(csv.DictReader(io.StringIO(out.stdout.decode())))
        self.assertEqual([float(row["mean_upper"]) for row in rows if row["prediction"] != "nan"],
                         [seen["means_upper"][7], seen["means_upper"][4]])
        single = self.path("single")
        self.run_cli("fit", self.write("one.csv", "1,2\n"), "--x", 1, "--y", 2, "--no-header", "-o", single)
        self.assertIn("unknown: no segment has two rows", self.run_cli("inspect", single).stdout.decode())
        self.assertIsNone(json.loads(self.run_cli("inspect", single, "--json").stdout)["diagnosis"])

    def test_text_json_and_csv(self):
        model = self.model("--segmentation", "uniform", "--range", "0:20")
        seen = json.loads(self.run_cli("inspect", model, "--json").stdout)
        self.assertEqual((seen["segments"], seen["rows"], seen["range"]), (8, 500, [0, 20]))
        self.assertEqual(len(seen["edges"]), 9)
        self.assertEqual(sum(seen["counts"]), 500)
        self.assertGreater(seen["empty_segments"], 0)
        rows = list(csv.DictReader(io.StringIO(self.run_cli("inspect", model, "--csv").stdout.decode())))
        self.assertEqual([int(row["count"]) for row in rows], seen["counts"][:8])
        self.assertEqual([float(row["constant"]) for row in rows], seen["constants"][:8])
        text = self.run_cli("inspect", model).stdout.decode()
        for words in ("segments          8", "input             x", "target            y", "rows              500"):
            self.assertIn(words, text)

    def test_own_segments_are_shown(self):
        model = self.model("--nan-policy", "segment", "--range-policy", "segments", "--range", "2:5")
        rows = list(csv.DictReader(io.StringIO(self.run_cli("inspect", model, "--csv").stdout.decode())))
        self.assertEqual([(row["lower"], row["upper"]) for row in rows[-3:]],
                         [("nan", "nan"), ("-inf", "2"), ("5", "inf")])
        self.assertIn("missing", self.run_cli("inspect", model).stdout.decode())

    def test_long_models_are_cut_short(self):
        model = self.path("long")
        self.run_cli("fit", self.table(), "--x", "x", "--y", "y", "--segmentation", "uniform", "--segments", 1000, "-o",
                     model)
        self.assertLess(len(self.run_cli("inspect", model).stdout.splitlines()), 60)
        self.assertIn(b"976 more", self.run_cli("inspect", model).stdout)


class several_inputs_test(cli_case):
    """Tables of several inputs: learned, predicted and looked at."""

    def several(self, name="several.csv", rows=3000, seed=5):
        """a, b, c in [0, 1); y = 4 a b + (c - 1/2)^2 + noise; an id, and a column of words."""
        generator = random.Random(seed)
        lines = ["id,a,b,c,kind,y"]
        for i in range(rows):
            a, b, c = (round(generator.random(), 4) for _ in range(3))
            y = 4 * a * b + (c - 0.5) ** 2 + 0.1 * generator.random()
            lines.append(f"{i},{a},{b},{c},{'uv'[i % 2]},{y:.5f}")
        return self.write(name, "\n".join(lines) + "\n")

    def learn(self, data, *arguments, name="several.model"):
        self.run_cli("fit", data, *arguments, "-q", "-o", self.path(name))
        return self.path(name)

    def columns(self, data):
        rows = self.rows_of(data)
        return {name: [float(row[name]) for row in rows] for name in ("a", "b", "c", "y")}

    xs = ("--x", "a", "--x", "b", "--x", "c", "--y", "y")

    def test_what_is_said_of_learning(self):
        data = self.several()
        done = self.run_cli("fit", data, *self.xs, "--holdout", "0.2", "-o", self.path("m"))
        self.assertEqual(done.stdout, b"")
        for words in ("rows read        3,000", "rows learned", "inputs           3: a, b, c", "target           y",
                      "1 - R^2", "chosen", "noise estimate", "held-out RMSE", "straight line", "best constant", "learn  "):
            self.assertIn(words, done.stderr.decode())
        summary = json.loads(self.run_cli("fit", data, *self.xs, "--holdout", "0.2", "--json", "-o",
                                          self.path("n")).stdout)
        self.assertEqual(self.read("m"), self.read("n"), "same rows, same bytes")
        self.assertEqual(summary["rows_read"], 3000)
        self.assertEqual(summary["rows_fitted"] + summary["rows_held_out"], 3000)
        self.assertEqual(summary["input_names"], ["a", "b", "c"])
        self.assertEqual(summary["target_name"], "y")
        self.assertEqual([c["partition"] for c in summary["candidates"] if c["chosen"]], [summary["partition"]])
        for candidate in summary["candidates"]:
            self.assertGreater(candidate["unexplained"], 0)
            self.assertLess(candidate["unexplained"], 1)
        holdout = summary["holdout"]
        self.assertEqual(holdout["rows"], summary["rows_held_out"])
        self.assertLess(holdout["rmse"], holdout["rmse_line"])
        self.assertLess(holdout["rmse_line"], holdout["rmse_constant"])

    def test_rows_that_are_refused(self):
        """The file, the row and the column are named; rows that are not refused are left out and counted."""
        fit = ["--x", "a", "--x", "b", "--y", "y", "-o", self.path("m")]
        text = "a,b,y\n" + "".join(f"{i},{i % 7},{i % 5}\n" for i in range(60))
        for line, option, says in (("1,,2", "--nan-inputs", "line 62, column 'b': the input is missing (--nan-inputs error)"),
                                   ("1,2,", "--nonfinite-targets",
                                    "line 62, column 'y': the target is missing (--nonfinite-targets error)"),
                                   ("1,,inf", "--nonfinite-targets",
                                    "line 62, column 'y': the target is infinite (--nonfinite-targets error)")):
            data = self.write("refused.csv", text + line + "\n")
            other = {"--nan-inputs": "--nonfinite-targets"}.get(option, "--nan-inputs")
            self.fails("fit", data, *fit, option, "error", says=f"refused.csv, {says}")
            self.run_cli("fit", data, *fit, other, "error", "-q")
            self.run_cli("fit", data, *fit, option, "skip", "-q")
        self.run_cli("fit", self.write("coded.csv", text + "1,,2\n"), *fit, "--nan-inputs", "error", "--nan-policy",
                     "segment", "-q")
        a, b, y = ([float(i % k) for i in range(60)] for k in (60, 7, 5))
        b[41] = math.nan
        files = [self.write(f"{name}.npy", npy(values)) for name, values in (("a", a), ("b", b), ("y", y))]
        self.fails("fit", *files[:2], "--y", files[2], "-o", self.path("m"), "--nan-inputs", "error",
                   says="b.npy, row 42: the input is missing (--nan-inputs error)")

    def test_options_of_one_input(self):
        lines = ["a=b,c,y"] + [f"{'' if i % 9 == 0 else i % 50},{i * 7 % 300},{i % 50 + i * 7 % 300}" for i in range(2000)]
        data = self.write("axes.csv", "\n".join(lines) + "\n")
        fit = ["fit", data, "--x", "a=b", "--x", "c", "--y", "y", "--partition", "tables", "-o", self.path("m")]
        summary = json.loads(self.run_cli(*fit, "--axis", "a=b=nan:segment,range:nan,segments:8", "--axis",
                                          "c=segments:16", "--nan-inputs", "error", "--json").stdout)
        self.assertEqual(summary["rows_fitted"], 2000)
        axes = json.loads(self.run_cli("inspect", self.path("m"), "--json").stdout)["axes"]
        self.assertEqual([a["nan_policy"] for a in axes], ["segment", "propagate"])
        self.assertEqual([a["range_policy"] for a in axes], ["nan", "clamp"])
        self.assertEqual([a["segments"] for a in axes], [8, 16])
        for axis, says in (("a", "NAME=KEY:VALUE"), ("=nan:segment", "NAME=KEY:VALUE"), ("c=nan:value", "nan:propagate or"),
                           ("c=segments:254", "segments:2 to segments:253"), ("c=segments:2.5", "segments:2 to"),
                           ("c=range:value", "expected range:clamp"), ("c=depth:3", "'depth:3': expected"),
                           ("c=", "'': expected"), ("d=nan:segment", "--axis d: no such input; there are a=b, c")):
            self.fails(*fit, "--axis", axis, status=2, says=says)

    def test_budgets(self):
        data = self.several(rows=500)
        free = self.learn(data, *self.xs, name="free")
        done = self.run_cli("fit", data, *self.xs, "--budget-ns", 1000, "--budget-bytes", 10**9, "-o", self.path("m"))
        self.assertEqual(pathlib.Path(free).read_bytes(), pathlib.Path(self.path("m")).read_bytes())
        self.assertIn("ns a row", done.stderr.decode())
        summary = json.loads(self.run_cli("fit", data, *self.xs, "--budget-ns", 1.5, "--budget-bytes", 3000, "--json",
                                          "-o", self.path("m")).stdout)
        self.assertEqual((summary["budget_ns"], summary["budget_bytes"]), (1.5, 3000))
        self.assertTrue(any(c["chosen"] for c in summary["candidates"]))
        for candidate in summary["candidates"]:
            self.assertLessEqual(candidate["ns_estimate"], 1.5)
            self.assertLessEqual(candidate["bytes"], 3000)
            self.assertGreater(candidate["look_ups"], 0)
        self.fails("fit", data, *self.xs, "--budget-ns", 0.125, "-o", self.path("m"),
                   says="zcmoe: no model that was tried is within --budget-ns 0.125 and --budget-bytes 0 (0: no limit): the least that looks at an input takes 0.53")

    def test_held_out_errors_are_right(self):
        """The errors told are those of the rows that were held out, whose predictions can be asked for."""
        data = self.several()
        summary = json.loads(self.run_cli("fit", data, *self.xs, "--holdout", "0.3", "--seed", "7", "--json", "-o",
                                          self.path("m")).stdout)
        answers = self.answers(self.path("m"), data)
        columns = self.columns(data)
        # The rows held out are not told: their mean squared error is that of all rows less that of the rest, which
        # the model gives as its noise.
        all_rows = sum((p - y) ** 2 for p, y in zip(answers, columns["y"]))
        learned = summary["rows_fitted"] * summary["noise_standard_deviation"] ** 2
        held_out = (all_rows - learned) / summary["rows_held_out"]
        self.assertAlmostEqual(math.sqrt(held_out), summary["holdout"]["rmse"], places=6)

    def test_inputs_are_chosen_alike_in_every_way(self):
        tree = ("--partition", "tree")  # the quickest
        data = self.several(rows=500)
        columns = self.columns(data)
        by_name = self.learn(data, *self.xs, *tree, name="by_name")
        for arguments in (("--x", 2, "--x", 3, "--x", "c", "--y", 6),
                          ("--x-all-but", "id", "--x-all-but", "kind", "--y", "y"),
                          ("--x-all-but", "id", "--x-all-but", 5, "--x-all-but", "y", "--y", "y")):
            other = self.learn(data, *arguments, *tree, name="other")
            self.assertEqual(pathlib.Path(by_name).read_bytes(), pathlib.Path(other).read_bytes(), arguments)
        narrow = self.write("narrow.csv", "".join(",".join(line.split(",")[1:4] + line.split(",")[5:]) + "\n"
                                                  for line in pathlib.Path(data).read_text().splitlines()))
        other = self.learn(narrow, "--x-all-but", "y", *tree, name="other")
        self.assertEqual(pathlib.Path(by_name).read_bytes(), pathlib.Path(other).read_bytes(), "one name is the target")

        # NPY files, one a column or one of all, in either order, have no names but the same answers.
        rows = len(columns["y"])
        files = [self.write(f"{name}.npy", npy(columns[name])) for name in "abc"]
        y = self.write("y.npy", npy(columns["y"]))
        matrix = self.write("abc.npy", npy([columns[k][i] for i in range(rows) for k in "abc"], shape=(rows, 3)))
        answers = self.answers(by_name, data)
        models = []
        for inputs in ((*files, "--y", y), (matrix, "--y", y), (matrix, y)):
            models.append(pathlib.Path(self.learn(*inputs, *tree, name="npy")).read_bytes())
            self.assertEqual(self.answers(self.path("npy"), *files), answers)
            self.assertEqual(self.answers(self.path("npy"), matrix), answers)
            self.assertEqual(self.answers(self.path("npy"), data, "--x", "a", "--x", "b", "--x", "c"), answers)
            self.assertEqual(self.answers(by_name, matrix), answers)
        self.assertEqual(len(set(models)), 1)
        self.run_cli("predict", by_name, matrix, "-o", self.path("out.npy"), "-q")
        self.assertEqual(list(read_npy(self.read("out.npy"))), answers)
        summaries = [json.loads(self.run_cli("fit", *inputs, *tree, "--holdout", "0.2", "--json", "-o", self.path("m")).stdout)
                     for inputs in ((data, *self.xs), (*files, "--y", y), (matrix, y))]
        for summary in summaries[1:]:
            self.assertEqual(summary["holdout"], summaries[0]["holdout"])
            self.assertIsNone(summary["input_names"])

    def test_order_and_threads_do_not_matter(self):
        data = self.several(rows=800)
        lines = pathlib.Path(data).read_text().splitlines()
        model = pathlib.Path(self.learn(data, *self.xs)).read_bytes()
        shuffled = lines[1:]
        random.Random(3).shuffle(shuffled)
        other = self.write("shuffled.csv", "\n".join([lines[0], *shuffled]) + "\n")
        self.assertEqual(pathlib.Path(self.learn(other, *self.xs)).read_bytes(), model)
        self.assertEqual(pathlib.Path(self.learn(data, *self.xs, "--threads", 3)).read_bytes(), model)
        stdin = subprocess.run([ZCMOE, "fit", "-", *self.xs, "-q", "-o", self.path("piped")], check=True,
                               input=pathlib.Path(data).read_bytes())
        self.assertEqual(stdin.returncode, 0)
        self.assertEqual(self.read("piped"), model)

    def test_predictions_find_their_columns(self):
        data = self.several(rows=500)
        model = self.learn(data, *self.xs)
        answers = self.answers(model, data)
        rows = self.rows_of(data)
        moved = self.write("moved.csv", "c,z,a,b\n" + "".join(f"{r['c']},9,{r['a']},{r['b']}\n" for r in rows))
        self.assertEqual(self.answers(model, moved), answers)
        bare = self.write("bare.csv", "".join(f"{r['c']},9,{r['a']},{r['b']}\n" for r in rows))
        self.assertEqual(self.answers(model, bare, "--no-header", "--x", 3, "--x", 4, "--x", 1), answers)
        done = self.run_cli("predict", model, moved, "--x", "b", "--x", "a", "--x", "c")
        self.assertIn("--x number 1 is 'b', but the model was learned from 'a'", done.stderr.decode())
        self.assertNotIn("number 3", done.stderr.decode())
        self.fails("predict", model, self.write("less.csv", "a,q\n1,2\n"),
                   says="lacks 2 of the model's 3 inputs: b, c; it has a, q")
        self.fails("predict", model, moved, "--x", "b", status=2, says="--x is given 1 time (b)")
        self.fails("predict", model, bare, "--no-header", status=2, says="--x is missing: the model has 3 inputs: a, b, c")
        one = self.model()
        self.fails("predict", one, data, "--x", "a", "--x", "b", status=2, says="is a model of one input")
        gaps = self.write("gaps.csv", "a,b,c\n,0.5,0.5\nword,0.5,0.5\n0.5,0.5,0.5\n0.5\n")
        done = self.run_cli("predict", model, gaps)
        values = done.stdout.decode().splitlines()[1:]
        self.assertEqual([value == "nan" for value in values], [True, True, False, True])
        self.assertIn("3 missing inputs, 1 of them not a number (first: line 3, column 'a': 'word')", done.stderr.decode())
        self.fails("predict", model, self.write("words.csv", "a,b,c\nx,y,z\nu,v,w\n"), says="no input is a number")
        summary = json.loads(self.run_cli("predict", model, moved, "--json", "-o", self.path("p")).stdout)
        self.assertEqual((summary["num_inputs"], summary["input_names"]), (3, ["a", "b", "c"]))

    def test_segments(self):
        data = self.several()
        for kind in ("score", "tree", "grid", "oblique"):
            model = self.learn(data, *self.xs, "--partition", kind, "--segments", 30)
            seen = json.loads(self.run_cli("inspect", model, "--json").stdout)
            self.assertEqual(seen["partition"], kind)
            self.assertGreater(seen["segments"], 1)
            self.assertLessEqual(seen["segments"], 30)
            self.assertEqual(sum(seen["counts"]), 3000)
            lines = self.run_cli("predict", model, data, "--segments-column", "--standard-error").stdout.decode()
            rows = list(csv.DictReader(io.StringIO(lines)))
            counts = [0] * seen["segments"]
            for row in rows:
                segment = int(row["segment"])
                counts[segment] += 1
                self.assertEqual(float(row["prediction"]), seen["constants"][segment])
                self.assertEqual(float(row["standard_error"]), seen["standard_errors"][segment])
            self.assertEqual(counts, seen["counts"])
            table = list(csv.DictReader(io.StringIO(self.run_cli("inspect", model, "--csv").stdout.decode())))
            self.assertEqual([int(row["count"]) for row in table], counts)
            self.assertIn(f"segments          {seen['segments']}", self.run_cli("inspect", model).stdout.decode())

    def test_what_the_model_holds(self):
        data = self.several()
        model = self.learn(data, *self.xs, "--partition", "tables", "--axis-segments", 20, "--nan-policy", "segment",
                           "--range-policy", "nan", "--target-name", "height")
        seen = json.loads(self.run_cli("inspect", model, "--json").stdout)
        self.assertEqual((seen["partition"], seen["segments"], seen["target_name"]), ("tables", 0, "height"))
        self.assertEqual([axis["name"] for axis in seen["axes"]], ["a", "b", "c"])
        for axis in seen["axes"]:
            self.assertLessEqual(axis["segments"], 20)
            self.assertEqual(len(axis["edges"]), axis["segments"] + 1)
            self.assertEqual((axis["nan_policy"], axis["range_policy"]), ("segment", "nan"))
        self.assertEqual(len(seen["banks"]), seen["look_ups"])
        # y = 4 a b + (c - 1/2)^2: a table of a goes from about 0 to 2, that of c by 1/4.
        ranges = {bank["inputs"][0]: bank["range"] for bank in seen["banks"] if bank["kind"] == "table"}
        self.assertAlmostEqual(ranges["a"], 2, delta=0.4)
        self.assertLess(ranges["c"], 0.5)
        text = self.run_cli("inspect", model).stdout.decode()
        for words in ("sum of tables", "target            height", "look-ups", " table    a", " pair     a, b", "share"):
            self.assertIn(words, text)
        self.assertNotRegex(text, r"(?m)^segments")
        self.fails("inspect", model, "--csv", says="has no segments")
        self.fails("inspect", model, "--confidence", "0.9", status=2, says="--confidence")

    def test_what_rows_tell_of_a_model(self):
        data = self.several()
        fresh = self.several("fresh.csv", rows=8000, seed=6)
        for kind, delta in (("tables", 0.04), ("tree", 0.12)):
            model = self.learn(data, *self.xs, "--partition", kind)
            seen = json.loads(self.run_cli("inspect", model, fresh, "--json").stdout)["by_rows"]
            self.assertEqual((seen["rows"], seen["rows_in_all"], seen["unanswered"]), (8000, 8000, 0))
            # Of 4 a b: the variance is 7/9, 4/9 goes with a, and 1/9 with both together; (c - 1/2)^2 has 1/180.
            shares = {one["input"]: one["share"] for one in seen["importance"]}
            self.assertAlmostEqual(shares["a"], 0.567, delta=delta)
            self.assertAlmostEqual(shares["b"], 0.567, delta=delta)
            self.assertAlmostEqual(shares["c"], 0.007, delta=delta)
            self.assertEqual(sorted(seen["pairs"][0]["inputs"]), ["a", "b"])
            self.assertAlmostEqual(seen["pairs"][0]["share"], 0.142, delta=delta)
            self.assertGreater(seen["r_squared"], 0.95)
            self.assertAlmostEqual(seen["straight_line"]["r_squared"], 0.85, delta=0.02)
            effect = next(one for one in seen["effects"] if one["input"] == "a")
            m = len(effect["edges"]) - 1
            self.assertEqual(len(effect["parts"]), m + 3)
            self.assertEqual(effect["parts"][m:], [None] * 3)
            self.assertEqual(sum(effect["counts"]), 8000)
            self.assertAlmostEqual(sum(n * part for n, part in zip(effect["counts"], effect["parts"]) if n), 0, delta=1e-6)
            self.assertAlmostEqual(effect["parts"][m - 1] - effect["parts"][0], 2, delta=0.3)  # 4 a E(b)
            # a adds least where b is small.
            self.assertLess(effect["upper"][m - 1] - effect["upper"][0], 4.4)
            self.assertGreater(effect["upper"][m - 1], effect["parts"][m - 1] + 0.2)
            grid = next(one for one in seen["pair_effects"] if sorted(one["inputs"]) == ["a", "b"])
            self.assertEqual(len(grid["parts"]), (len(grid["edges_first"]) - 1) * (len(grid["edges_second"]) - 1))
            self.assertAlmostEqual(grid["parts"][0], 1, delta=0.35)  # 4 (a - 1/2) (b - 1/2) at (0, 0)
            for name in "abc":
                self.assertEqual(sum(one["rows"] for one in seen["regions"] if one["input"] == name), 8000)
            squares = sum(one["rows"] * one["rmse"] ** 2 for one in seen["regions"] if one["input"] == "b")
            self.assertAlmostEqual(squares / 8000, seen["rmse"] ** 2, delta=1e-9)
        text = self.run_cli("inspect", model, fresh).stdout.decode()
        for words in ("rows seen         8,000", "explained", "straight line", " matters ", " a with b ", "errs most where"):
            self.assertIn(words, text)
        some = json.loads(self.run_cli("inspect", model, fresh, "--json", "--sample-rows", 2000).stdout)["by_rows"]
        self.assertEqual(some["rows_in_all"], 8000)
        self.assertLessEqual(some["rows"], 2000)
        # Missing inputs have a slot of their own, or no answer.
        gaps = self.write("gaps.csv", "a,b,c,y\n.5,.5,.5,1\n,.5,.5,1\n.1,.2,.3,\n")
        seen = json.loads(self.run_cli("inspect", model, gaps, "--json").stdout)["by_rows"]
        self.assertEqual((seen["rows"], seen["unanswered"]), (1, 1))
        coded = self.learn(data, *self.xs, "--partition", "tables", "--nan-policy", "segment")
        seen = json.loads(self.run_cli("inspect", coded, gaps, "--json").stdout)["by_rows"]
        self.assertEqual((seen["rows"], seen["unanswered"]), (2, 0))
        self.assertIn(("a", "missing", 1), [(r["input"], r["what"], r["rows"]) for r in seen["regions"]])
        self.fails("inspect", model, "--y", "y", status=2, says="--y: there are no rows")
        self.fails("inspect", model, data, "--csv", status=2, says="--csv")
        self.fails("inspect", model, self.write("none.csv", "a,b,c,y\n1,2,3,\n"), says="no usable row to look at")
        self.fails("inspect", model, self.write("no.csv", "a,b,c\n1,2,3\n"), says="y")

    def test_how_other_numbers_of_segments_would_err(self):
        data = self.several()
        ys = self.columns(data)["y"]
        mean = sum(ys) / len(ys)
        alone = sum((y - mean) ** 2 for y in ys) / len(ys) * (len(ys) / (len(ys) - 1)) ** 2
        for kind in ("tree", "grid") if QUICK else ("score", "tree", "grid"):
            model = self.learn(data, *self.xs, "--partition", kind, "--segments", 30)
            seen = json.loads(self.run_cli("inspect", model, "--json").stdout)
            risk = seen["risk"]
            self.assertEqual((risk["segments"][0], risk["segments"][-1], risk["rows"]), (1, seen["segments"], 3000))
            self.assertEqual(risk["segments"], sorted(set(risk["segments"])))
            # One segment is the mean; of all, each row is answered by the others of its segment.
            self.assertAlmostEqual(risk["leave_one_out"][0], alone, delta=0.02 * alone)
            own = sum(v * (n - 1) * (n / (n - 1)) ** 2 for v, n in zip(seen["variances"], seen["counts"]) if n > 1) / 3000
            self.assertAlmostEqual(risk["leave_one_out"][-1], own, delta=0.02 * own)
            self.assertEqual(risk["leave_one_out"], sorted(risk["leave_one_out"], reverse=True))
            self.assertGreaterEqual(risk["best_segments"], seen["segments"])  # 30 are too few for 3,000 rows
            self.assertIn("m*", self.run_cli("inspect", model).stdout.decode())
        self.assertNotIn("risk", json.loads(self.run_cli("inspect", self.learn(data, *self.xs, "--partition", "tables"),
                                                         "--json").stdout))

    def test_rows_left_out_are_told(self):
        data = self.write("gaps.csv", "a,b,y\n" + "".join(f"{i % 7},{i % 5},{i % 7 + i % 5}\n" for i in range(300)) +
                          ",1,2\n1,2,\n1,2,inf\nword,2,3\n")
        summary = json.loads(self.run_cli("fit", data, "--x", "a", "--x", "b", "--y", "y", "--json", "-o",
                                          self.path("m")).stdout)
        self.assertEqual({key: n for key, n in summary["skipped"].items() if n},
                         {"missing_input": 1, "missing_target": 1, "infinite_target": 1, "unparsable": 1})
        self.assertEqual(summary["rows_fitted"], 300)
        summary = json.loads(self.run_cli("fit", data, "--x", "a", "--x", "b", "--y", "y", "--nan-policy", "segment",
                                          "--json", "-o", self.path("m")).stdout)
        self.assertEqual(summary["rows_fitted"], 301)
        nan = math.nan
        a, b = self.write("a.npy", npy([1, 2, nan, 4, 5])), self.write("b.npy", npy([1, 2, 3, 4, 5]))
        y = self.write("y.npy", npy([1, nan, 3, math.inf, 5]))
        summary = json.loads(self.run_cli("fit", a, b, "--y", y, "--json", "-o", self.path("m")).stdout)
        self.assertEqual({key: n for key, n in summary["skipped"].items() if n},
                         {"missing_input": 1, "missing_target": 1, "infinite_target": 1})
        self.fails("fit", a, b, "--y", self.write("none.npy", npy([nan] * 5)), "-o", self.path("m"),
                   says="no usable row to learn from: 5 rows read, 5 missing target")

    def test_columns_without_names(self):
        data = self.several(rows=300)
        lines = pathlib.Path(data).read_text().splitlines()
        bare = self.write("bare.csv", "\n".join(lines[1:]) + "\n")
        named = self.learn(data, *self.xs)
        model = self.learn(bare, "--no-header", "--x", 2, "--x", 3, "--x", 4, "--y", 6, name="bare.model")
        self.assertIsNone(json.loads(self.run_cli("inspect", model, "--json").stdout)["input_names"])
        self.assertIn(" input 2  ", self.run_cli("inspect", model).stdout.decode())
        self.assertEqual(self.answers(model, bare, "--no-header", "--x", 2, "--x", 3, "--x", 4), self.answers(named, data))
        self.fails("predict", model, data, status=2, says="--x is missing: the model has 3 inputs, whose names it does not keep")
        self.fails("fit", bare, "--no-header", "--x-all-but", 1, "--y", 6, "-o", "m", status=2,
                   says="--x-all-but 1: without a header")
        latin = self.write("latin.csv", b"h\xf6he,b,y\n" + b"".join(b"%d,%d,%d\n" % (i, i % 7, i) for i in range(50)))
        done = self.run_cli("fit", latin, "--x", 1, "--x", 2, "--y", "y", "-o", self.path("m"))
        self.assertIn(r"the header of column h\xf6he is not UTF-8: the model keeps no names of its inputs",
                      done.stderr.decode())
        hostile = self.write("hostile.csv", "\x1b[2Ja,\u202eb,y\n" + "".join(f"{i},{i % 7},{i}\n" for i in range(50)))
        done = self.run_cli("fit", hostile, "--x", 1, "--x", 2, "--y", "y", "-o", self.path("m"))
        seen = self.run_cli("inspect", self.path("m")).stdout + self.run_cli("inspect", self.path("m"), "--json").stdout
        for out in (done.stderr, seen):
            self.assertNotRegex(out.decode(), "[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]")
        nan = math.nan
        matrix = self.write("nan.npy", npy([1, nan, 2, nan, 3, nan], shape=(3, 2)))
        self.fails("fit", matrix, "--y", self.write("y.npy", npy([1, 2, 3])), "--holdout", "0.1", "-o", "m",
                   says="nan.npy, every row, column 2: no number, nothing but NaN")

    def test_what_several_inputs_do_not_take(self):
        data = self.several(rows=50)
        model = self.learn(data, *self.xs, "--partition", "tables")
        fit = ["fit", data, *self.xs, "-o", self.path("m")]
        for option in ("--segmentation optimal", "--edges e", "--range 0:1", "--constants mean", "--experts linear",
                       "--shrinkage 1", "--feature-name f", "--closed-side left", "--min-count 3",
                       "--empty-policy nan", "--target-dtype f32"):
            name = option.split()[0]
            self.fails(*fit, *option.split(), status=2,
                       says=f"{name}: goes with one input, not with several (--x a, --x b, --x c)")
        for arguments, says in (
                ([*fit, "--sample-rows", 2**31 + 1], "--sample-rows 2147483649: with several inputs"),
                ([*fit, "--weights-kind", "precision"], "--weights-kind precision: the rows have no weights"),
                ([*fit, "--nan-policy", "value"], "--nan-policy value: with several inputs"),
                ([*fit, "--range-policy", "value"], "--range-policy value: with several inputs"),
                ([*fit, "--partition", "tables", "--segments", 5], "--segments 5: goes with --partition score, tree, grid or oblique"),
                ([*fit, "--segments", 2000000], "--segments 2000000: with several inputs"),
                ([*fit, "--axis-segments", 254], "--axis-segments"),
                ([*fit, "--budget-ns", 0], "--budget-ns"),
                (["fit", data, "--x", "a", "--y", "y", "-o", "m", "--budget-bytes", 9], "--budget-bytes: goes with several"),
                ([*fit, "--partition", "forest"], "auto|tables|score|tree|grid|oblique"),
                ([*fit, "--x-all-but", "id"], "--x a and --x-all-but id"),
                (["fit", data, "--x", "a", "--y", "y", "-o", "m", "--partition", "tree"],
                 "--partition: goes with several inputs, and --x a is one"),
                (["plan", data, "--x", "a", "--x", "b", "--y", "y"], "given twice, as 'a' and 'b'"),
                (["segment", data, "--x", "a", "--x", "b", "--y", "y"], "given twice, as 'a' and 'b'")):
            self.fails(*arguments, status=2, says=says)
        for arguments, says in (
                (["fit", data, "--x-all-but", "id", "--y", "y", "-o", "m"],
                 "column 'kind' holds no numbers: leave it out with --x-all-but kind or give codes"),
                (["fit", data, "--x", "a", "--x", "b", "--y", "kind", "-o", "m"], "it cannot be the target"),
                (["fit", data, "--x", "a", "--x", "a", "--y", "y", "-o", "m"], "column 'a' is asked for twice"),
                (["predict", model, data, "--interval", "0.9"], "--interval: not for models of several inputs yet"),
                (["predict", model, data, "--segments-column"], "and has no segments"),
                (["predict", model, data, "--standard-error"], "and has no segments"),
                (["predict", model, data, "--experts", "interpolate"], "--experts interpolate")):
            self.fails(*arguments, says=says, cwd=self.folder)

    def test_weights(self):
        data = self.several(rows=1500)
        columns = self.columns(data)
        rows = [[columns[k][i] for k in "abcy"] for i in range(1500)]
        weights = [(0, 1, 2.5)[i % 3] for i in range(1500)]

        def table(name, rows, weights):
            lines = [",".join(map(repr, [*row, w])) for row, w in zip(rows, weights)]
            return self.write(name, "a,b,c,y,w\n" + "\n".join(lines) + "\n")

        def model(*arguments):
            self.run_cli("fit", *arguments, "-q", "-o", self.path("weighted.model"))
            return self.read("weighted.model")

        weighted = table("weighted.csv", rows, weights)
        everything = model(weighted, "--x-all-but", "w", "--weights", "w", "--y", "y")
        self.assertEqual(model(weighted, *self.xs, "--weights", "w"), everything)
        # Rows of weight 0 are none, equal weights too; unequal ones are not.
        used = [i for i in range(1500) if weights[i] > 0]
        self.assertEqual(model(table("used.csv", [rows[i] for i in used], [weights[i] for i in used]),
                               "--x-all-but", "y", "--weights", "w", "--y", "y"), everything)
        equal = table("equal.csv", rows, [3] * 1500)
        without = model(equal, *self.xs)
        self.assertEqual(model(equal, *self.xs, "--weights", "w"), without)
        self.assertNotEqual(everything, without)
        summary = json.loads(self.run_cli("fit", weighted, *self.xs, "--weights", "w", "--holdout", "0.3", "--json",
                                          "--weights-kind", "precision", "-o", self.path("m")).stdout)
        self.assertEqual(summary["skipped"]["zero_weight"], 500)
        self.assertEqual(summary["weighted"], True)
        self.assertEqual(summary["weights_kind"], "precision")
        self.assertLess(summary["holdout"]["rmse"], summary["holdout"]["rmse_line"])
        # NPY: behind the matrix the target and the weights, or by name.
        matrix = self.write("abc.npy", npy([row[k] for row in rows for k in range(3)], shape=(1500, 3)))
        y = self.write("y.npy", npy([row[3] for row in rows]))
        w = self.write("w.npy", npy(weights))
        by_place = model(matrix, y, w)
        self.assertEqual(model(matrix, "--y", y, "--weights", w), by_place)
        answers = self.answers(self.path("weighted.model"), matrix)
        pathlib.Path(self.path("csv.model")).write_bytes(everything)
        self.assertEqual(self.answers(self.path("csv.model"), weighted), answers)
        for bad, says in ((-1, "line 3, column 'w': the weight is -1"), ("inf", "line 3, column 'w': the weight is inf")):
            lines = pathlib.Path(weighted).read_text().splitlines()
            lines[2] = ",".join([*lines[2].split(",")[:-1], str(bad)])
            self.fails("fit", self.write("bad.csv", "\n".join(lines) + "\n"), *self.xs, "--weights", "w", "-o", "m", says=says)
        bad = self.write("bad.npy", npy([1.0] * 1499 + [float("nan")]))
        self.fails("fit", matrix, y, bad, "-o", "m", says="bad.npy, row 1500: the weight is nan")

    def test_smallest_tables(self):
        for rows, says in (("", "no usable row to learn from: 0 rows read"), ("1,2,\n,2,3\n", "1 missing target, 1 missing input"),
                           (",2,3\n", "column 'a' holds no numbers: leave out its --x or give codes"), ("1,2,3\n", "")):
            data = self.write("small.csv", "a,b,y\n" + rows)
            if says:
                self.fails("fit", data, "--x", "a", "--x", "b", "--y", "y", "-o", self.path("m"), says=says)
                continue
            model = self.learn(data, "--x", "a", "--x", "b", "--y", "y")
            self.assertEqual(self.answers(model, data), [3])
        data = self.write("equal.csv", "a,b,y\n" + "1,2,3\n" * 100)
        model = self.learn(data, "--x-all-but", "y")
        self.assertEqual(self.answers(model, data), [3] * 100)
        self.run_cli("inspect", model)
        self.run_cli("fit", data, "--x-all-but", "y", "--holdout", "0.5", "-o", self.path("m"))

    def test_a_sample_of_more_rows(self):
        tree = ("--partition", "tree")  # the quickest
        data = self.several(rows=1200)
        columns = self.columns(data)
        lines = pathlib.Path(data).read_text().splitlines()
        shuffled = self.write("shuffled.csv", "\n".join([lines[0], *reversed(lines[1:])]) + "\n")
        matrix = self.write("abc.npy", npy([columns[k][i] for i in range(1200) for k in "abc"], shape=(1200, 3)))
        y = self.write("y.npy", npy(columns["y"]))
        few = ("--sample-rows", 300, *tree)
        model = pathlib.Path(self.learn(data, *self.xs, *few)).read_bytes()
        self.assertEqual(pathlib.Path(self.learn(shuffled, *self.xs, *few)).read_bytes(), model)
        answers = self.answers(self.path("several.model"), data)
        self.assertEqual(self.answers(self.learn(matrix, y, *few), matrix), answers)
        # As many rows as there are make no sample.
        everything = pathlib.Path(self.learn(data, *self.xs, *tree)).read_bytes()
        self.assertEqual(pathlib.Path(self.learn(data, *self.xs, *tree, "--sample-rows", 1200)).read_bytes(), everything)
        self.assertNotEqual(model, everything)
        for table in ((data, *self.xs), (matrix, y)):
            arguments = ("fit", *table, *few, "--holdout", "0.25", "-o", self.path("m"))
            summary = json.loads(self.run_cli(*arguments, "--json").stdout)
            self.assertEqual(summary["rows_fitted"], 300)
            self.assertEqual(summary["rows_sampled_from"] + summary["rows_held_out"], 1200)
            self.assertEqual(summary["holdout"]["rows"], summary["rows_held_out"])
            self.assertLess(summary["holdout"]["rmse"], summary["holdout"]["rmse_line"])
            self.assertIn(f"300, a sample of {summary['rows_sampled_from']:,}", self.run_cli(*arguments).stderr.decode())
        done = subprocess.run([ZCMOE, "fit", "-", *self.xs, *map(str, few), "--holdout", "0.25", "-q", "-o",
                               self.path("piped")], check=True, input=pathlib.Path(data).read_bytes())
        self.assertEqual(done.returncode, 0)
        self.run_cli("fit", data, *self.xs, *few, "--holdout", "0.25", "-q", "-o", self.path("m"))
        self.assertEqual(self.read("piped"), self.read("m"))

    def test_an_interrupt_leaves_nothing(self):
        data = self.several(rows=60000)
        before = sorted(os.listdir(self.folder))
        running = subprocess.Popen([ZCMOE, "fit", data, *self.xs, "-o", self.path("m")], stderr=subprocess.PIPE)
        time.sleep(0.3)
        running.send_signal(2)
        running.communicate()
        if running.returncode == 0:
            self.skipTest("it was faster than the interrupt")
        self.assertEqual(running.returncode, -2)
        self.assertEqual(sorted(os.listdir(self.folder)), before)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    ZCMOE = str(pathlib.Path(sys.argv.pop(1)).resolve())
    for left_out in [word for word in sys.argv[1:] if word.endswith("_test") and word.startswith("-")]:
        del globals()[left_out[1:]]
        sys.argv.remove(left_out)
    unittest.main()
