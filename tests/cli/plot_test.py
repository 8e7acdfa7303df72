#!/usr/bin/env python3
"""`zcmoe plot`: plot_test.py PATH_TO_ZCMOE [unittest arguments]. What the pictures hold, and what is said when Python or
matplotlib is not there. The pictures are skipped, and shown so, where this Python has no matplotlib.
"""

import importlib.util
import math
import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile
import unittest

ZCMOE = ""
HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parents[1] / "examples" / "data" / "flights.csv"
HAS_MATPLOTLIB = all(importlib.util.find_spec(name) for name in ("matplotlib", "numpy"))


class plot_case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def path(self, name):
        return str(self.folder / name)

    def run_cli(self, *arguments, status=0, env=None):
        environment = {**os.environ, "ZCMOE_PYTHON": sys.executable, **(env or {})}
        done = subprocess.run([ZCMOE, *map(str, arguments)], capture_output=True, text=True, timeout=300,
                              env={k: v for k, v in environment.items() if v is not None})
        # What an emulated CUDA runtime adds is not the program's.
        pattern = os.environ.get("ZCMOE_TEST_RUNTIME_LINES")
        done.stderr = re.sub(rf"(?m)^{pattern}[^\n]*\n", "", done.stderr) if pattern else done.stderr
        self.assertEqual(done.returncode, status, done.stderr)
        if status != 0:
            self.assertRegex(done.stderr, r"\Azcmoe: [^\n]+\n\Z")
        return done

    def table(self, rows=400, seed=1, name="data.csv", y=lambda x, noise: math.sin(x) + 0.1 * noise):
        generator = random.Random(seed)
        lines = ["in,out,w"]
        for _ in range(rows):
            x = 10 * generator.random()
            lines.append(f"{x},{y(x, generator.gauss(0, 1))},{generator.randrange(1, 4)}")
        (self.folder / name).write_text("\n".join(lines) + "\n")
        return self.path(name)

    def fit(self, data, *arguments):
        model = self.path("model.safetensors")
        self.run_cli("fit", data, "--x", "in", "--y", "out", "-q", "-o", model, *arguments)
        return model

    def svg(self, *arguments):
        """The words in the picture."""
        done = self.run_cli("plot", *arguments, "-o", self.path("plot.svg"))
        self.assertEqual(done.stdout, "")
        text = (self.folder / "plot.svg").read_text(encoding="utf-8")
        self.assertEqual(sorted(p.name for p in self.folder.iterdir() if "tmp" in p.name), [])
        return re.findall(r"<text[^>]*>([^<]*)</text>", text), done.stderr


@unittest.skipUnless(HAS_MATPLOTLIB, "this Python has no matplotlib")
class picture_test(plot_case):
    def test_every_panel_of_a_model_over_its_data(self):
        data = self.table(rows=5000)
        words, said = self.svg(self.fit(data, "--segments", 16, "--segmentation", "uniform"), "--data", data)
        self.assertIn("constants of the segments", words)
        self.assertTrue(any(re.fullmatch(r"16 segments from .* to .*, over 5,000 rows", w) for w in words), words)
        for label in ("in", "out", "out − answer", "rows", "segments", "rms error of out",
                      "Rows in each segment, when fitted", "Error for other numbers of segments",
                      "leave-one-out, optimal cuts"):
            self.assertIn(label, words)
        self.assertEqual(words.count("in"), 3)  # under segments, residuals and counts
        # sin over [0, 10] in 16 pieces of 0.625: rms sqrt(0.1^2 + 0.625^2 <cos^2> / 12), about 0.16.
        rms = [float(w.split("rms ")[1]) for w in words if w.startswith("Residuals, rms")]
        self.assertEqual(len(rms), 1)
        self.assertAlmostEqual(rms[0], 0.163, delta=0.012)
        best = [re.fullmatch(r"m\* ≈ ([\d,]+), error ([\d.]+)", w) for w in words]
        best = [b for b in best if b]
        self.assertEqual(len(best), 1)
        m = int(best[0][1].replace(",", ""))
        # A = U (b - a)^2 / 12 = 4.3: m* = (2 A n / sigma^2)^(1/3) = 163, flat around it.
        self.assertTrue(60 <= m <= 400, m)
        self.assertTrue(0.1 < float(best[0][2]) < 0.115, best[0][2])
        self.assertRegex(said, rf"least leave-one-out error {best[0][2]} with {m} segments")

    def test_the_ends_of_the_range_can_be_told_apart(self):
        for x, words in (([1357020000 + 60 * i for i in range(12)], "1,357,020,000 to 1,357,020,660"),
                         ([100000000 + i / 1000 for i in range(4)], "100000000 to 100000000.003"),
                         ([i / 7 for i in range(7)], "0 to 0.857")):
            (self.folder / "t.csv").write_text("t,y\n" + "".join(f"{v!r},{k % 3}\n" for k, v in enumerate(x)))
            model = self.path("t.safetensors")
            self.run_cli("fit", self.path("t.csv"), "--x", "t", "--y", "y", "--segments", 1, "-q", "-o", model)
            shown, _ = self.svg(model)
            self.assertIn(f"1 segment from {words}", shown)

    def test_columns_by_the_names_that_the_model_keeps(self):
        data = self.table()
        model = self.fit(data, "--segments", 4)
        _, said = self.svg(model, "--data", data)
        self.assertNotIn("learned from", said)
        _, said = self.svg(model, "--data", data, "--x", "w", "--y", "in")
        self.assertIn("warning: --x is 'w', but the model was learned from 'in'\n", said)
        self.assertIn("warning: --y is 'in', but the model was learned from 'out'\n", said)

    def test_a_planted_link_is_not_followed(self):
        model = self.fit(self.table(), "--segments", 4)
        (self.folder / "victim").write_text("precious")
        for k in range(1, 2000):
            os.symlink("victim", self.path(f"out.svg.tmp-{os.getpid() + k}"))
        self.run_cli("plot", model, "-o", self.path("out.svg"), "-q")
        self.assertEqual((self.folder / "victim").read_text(), "precious")
        self.assertTrue((self.folder / "out.svg").read_text().startswith("<?xml"))

    def test_what_python_says_does_not_act_on_a_terminal(self):
        model = self.fit(self.table(), "--segments", 4)
        (self.folder / "snake").write_text("#!/bin/sh\nprintf 'one\\nbad \\033[2J\\342\\200\\256' >&2\nexit 1\n")
        (self.folder / "snake").chmod(0o755)
        said = self.run_cli("plot", model, "-o", self.path("p.svg"), status=1, env={"ZCMOE_PYTHON": self.path("snake")})
        self.assertIn("snake failed: bad \\x1b[2J\\u202e", said.stderr)

    def test_models_without_data_or_rows(self):
        data = self.table()
        words, _ = self.svg(self.fit(data, "--segments", 8, "--segmentation", "quantile"))
        self.assertIn("needs --data", words)
        self.assertIn("standard deviation of out", words)
        model = self.path("known.safetensors")
        self.run_cli("compile", "x^2", "--range", "0:1", "--tolerance", "0.1", "-q", "-o", model)
        words, _ = self.svg(model)
        self.assertIn("x^2", words)
        self.assertIn("a model of known constants", words)
        (self.folder / "p.csv").write_text("x,y\n" + "".join(f"{i / 50},{i * i / 2500}\n" for i in range(50)))
        words, _ = self.svg(model, "--data", self.path("p.csv"), "--y", "y")
        self.assertIn("Rows in each segment, of the data", words)

    def test_one_and_many_segments_gaps_weights_outliers(self):
        data = self.table()
        words, _ = self.svg(self.fit(data, "--segments", 1), "--data", data)
        self.assertTrue(any(w.startswith("1 segment from") for w in words), words)
        words, _ = self.svg(self.fit(data, "--segments", 2000, "--segmentation", "uniform"), "--data", data)
        self.assertTrue(any(w.startswith("2,000 segments from") for w in words))
        self.assertTrue(any(re.fullmatch(r"1,\d\d\d empty", w) for w in words))
        model = self.fit(data, "--segments", 9, "--segmentation", "uniform", "--range", "0:20", "--weights", "w",
                         "--empty-policy", "nan", "--range-policy", "nan")
        words, _ = self.svg(model, "--data", data, "--weights", "w")
        self.assertIn("no answer (NaN)", words)
        far = self.table(rows=2000, name="far.csv", y=lambda x, noise: x + noise + (1e6 if noise > 3 else 0))
        words, _ = self.svg(self.fit(far, "--segments", 10, "--segmentation", "quantile"), "--data", far)
        self.assertTrue(any(re.fullmatch(r"\d of 2,000 rows( and \d+ constants)? beyond the axes", w) for w in words),
                        words)
        self.assertTrue(any(w.startswith("a sample") or "sample of" in w for w in self.svg(
            self.path("model.safetensors"), "--data", far, "--sample-rows", 500)[0]))

    def test_lines_of_segments(self):
        data = self.table()
        for kind in ("linear", "interpolate"):
            words, _ = self.svg(self.fit(data, "--segments", 5, "--experts", kind), "--data", data)
            self.assertIn("lines of the segments", words)
            self.assertIn("line ± 2 standard errors, on average over its rows", words)
            # A sine of amplitude 1 with noise of .1: five lines leave little more than the noise, constants .2 and more.
            rms = next(float(w.rsplit(" ", 1)[1]) for w in words if w.startswith("Residuals, rms"))
            self.assertLess(rms, 0.2)
        words, _ = self.svg(self.fit(data, "--segments", 1, "--experts", "linear", "--range-policy", "nan"))
        self.assertIn("line", words)

    def test_formats_and_the_example(self):
        model = self.path("f.safetensors")
        self.run_cli("fit", DATA, "--x", "distance", "--y", "air_time", "-q", "-o", model)
        for name, start in (("f.png", b"\x89PNG"), ("f.pdf", b"%PDF"), ("f.svg", b"<?xml")):
            self.run_cli("plot", model, "--data", DATA, "-o", self.path(name), "-q")
            self.assertTrue((self.folder / name).read_bytes().startswith(start))
        width, height = struct.unpack(">II", (self.folder / "f.png").read_bytes()[16:24])
        self.assertEqual((width, height), (1430, 1040))
        first = (self.folder / "f.svg").read_bytes()
        self.run_cli("plot", model, "--data", DATA, "-o", self.path("f.svg"), "-q")
        self.assertEqual((self.folder / "f.svg").read_bytes(), first)  # the same picture, the same bytes


@unittest.skipUnless(HAS_MATPLOTLIB, "this Python has no matplotlib")
class several_inputs_test(plot_case):
    def several(self, inputs=3, rows=3000, name="several.csv"):
        """y = 4 x0 x1 + x2 + noise, a few of x1 missing."""
        generator = random.Random(7)
        lines = [",".join([f"x{k}" for k in range(inputs)] + ["y"])]
        for i in range(rows):
            x = [round(generator.random(), 3) for _ in range(inputs)]
            y = 4 * x[0] * x[1] + x[2] + 0.1 * generator.gauss(0, 1)
            lines.append(",".join(["" if k == 1 and i % 50 == 0 else str(v) for k, v in enumerate(x)] + [f"{y:.4f}"]))
        (self.folder / name).write_text("\n".join(lines) + "\n")
        return self.path(name)

    def learn(self, data, *arguments):
        model = self.path("several.safetensors")
        self.run_cli("fit", data, "--x-all-but", "y", "-q", "-o", model, "--nan-policy", "segment", *arguments)
        return model

    def test_every_panel(self):
        data = self.several()
        model = self.learn(data, "--partition", "tables")
        words, said = self.svg(model, "--data", data)
        for label in ("y: sum of tables of 3 inputs, over 3,000 rows", "What matters", "Where it errs",
                      "adds to y", "x2", "± 2 standard errors of the rows there"):
            self.assertIn(label, words)
        self.assertTrue({"x0 × x1", "x1 × x0"} & set(words), words)
        rms = [float(w.rsplit(" ", 1)[1]) for w in words if w.startswith("Answers, R² 0.9")]
        self.assertEqual(len(rms), 1)
        self.assertTrue(0.08 < rms[0] < 0.2, rms)
        self.assertTrue(any(w.startswith("missing: ") for w in words), words)
        self.assertRegex(said, r"rms error 0\.1\d+, 9\d\.\d % of the variance explained; x[01] matters most")
        first = (self.folder / "plot.svg").read_bytes()
        self.svg(model, "--data", data)
        self.assertEqual((self.folder / "plot.svg").read_bytes(), first)
        words, _ = self.svg(model)
        self.assertIn("y: sum of tables of 3 inputs, every segment of each taken as equally frequent", words)
        self.assertEqual(words.count("needs --data"), 2)

    def test_segments_and_odd_models(self):
        data = self.several(rows=1500)
        for kind in ("score", "tree", "grid"):
            words, _ = self.svg(self.learn(data, "--partition", kind, "--segments", 20), "--data", data)
            self.assertTrue(any(re.fullmatch(r"\d+ constants, sorted", w) for w in words), words)
            self.assertTrue(any(w.startswith("m* ≈ ") for w in words), words)
            self.assertNotIn("that matter most", words[-1])
        generator = random.Random(3)
        rows = [[generator.random() for _ in range(30)] for _ in range(800)]
        (self.folder / "many.csv").write_text(",".join(f"x{k}" for k in range(30)) + ",y\n" + "".join(
            ",".join(f"{v:.3f}" for v in [*row, sum(row)]) + "\n" for row in rows))
        words, _ = self.svg(self.learn(self.path("many.csv"), "--partition", "tables"), "--data", self.path("many.csv"))
        self.assertTrue(any(w.endswith("; shown are the 6 that matter most") for w in words), words)
        self.assertTrue(any(re.fullmatch(r"\d+ inputs that matter less are not shown", w) for w in words), words)
        # No input is looked at, or one; constants of one segment; a name that means something to matplotlib.
        (self.folder / "equal.csv").write_text("x0,x1,y\n" + "1,2,3\n" * 100)
        (self.folder / "one.csv").write_text("x0,$x1_$,y\n" + "".join(f"1,{i % 9},{i % 9}\n" for i in range(300)))
        for name, kind, shown in (("equal", "tables", True), ("equal", "tree", False), ("one", "score", False), ("one", "grid", True)):
            data = self.path(f"{name}.csv")
            model = self.learn(data, "--partition", kind)
            words, _ = self.svg(model, *(("--data", data) if shown else ()))
            self.assertEqual("the answers depend on no input" in words, name == "equal")

    def test_wrong_usage(self):
        data = self.several(rows=300)
        model = self.learn(data)
        for arguments, status, says in (
                ([model, "--data", data, "--weights", "x0"], 2, "--weights: not for models of several inputs yet"),
                ([model, "--data", data, "--x", "x0"], 2, "--x is given 1 time (x0), and the model has 3 inputs"),
                ([model, "--data", data, "--y", "no"], 1, "no such column"),
                ([model, "--y", "y"], 2, "--y: there is no --data")):
            with self.subTest(arguments=arguments):
                self.assertIn(says, self.run_cli("plot", *arguments, "-o", self.path("p.svg"), status=status).stderr)
        one = self.fit(self.table(), "--segments", 4)
        said = self.run_cli("plot", one, "--data", data, "--x", "x0", "--x", "x1", "-o", self.path("p.svg"), status=2).stderr
        self.assertIn("--x is given 2 times (x0, x1)", said)


class refusal_test(plot_case):
    def test_what_is_missing_and_how_to_get_it(self):
        model = self.fit(self.table(), "--segments", 4)
        output = self.path("plot.svg")
        (self.folder / "plot.svg").write_text("old")
        (self.folder / "fake").mkdir()
        (self.folder / "fake" / "matplotlib.py").write_text("raise ImportError('gone', name='matplotlib')\n")
        (self.folder / "fake" / "numpy.py").write_text("")
        for environment, reason in (
                ({"PYTHONPATH": self.path("fake")}, "has no matplotlib"),
                ({"ZCMOE_PYTHON": None, "PATH": self.path("none")}, "cannot run python3 (No such file or directory)"),
                ({"ZCMOE_PYTHON": self.path("snake")}, "snake (No such file or directory)")):
            with self.subTest(environment=environment):
                said = self.run_cli("plot", model, "-o", output, status=1, env=environment).stderr
                self.assertIn(reason, said)
                self.assertIn("apt install python3-matplotlib", said)
                self.assertIn("pip install matplotlib", said)
                self.assertIn("ZCMOE_PYTHON", said)
                self.assertEqual((self.folder / "plot.svg").read_text(), "old")
        said = self.run_cli("plot", model, "-o", output, status=1, env={"ZCMOE_PYTHON": "/bin/false"}).stderr
        self.assertIn("/bin/false failed", said)

    def test_wrong_usage_and_bad_files(self):
        data = self.table()
        model = self.fit(data, "--segments", 4)
        for arguments, status, says in (
                ([model, "-o", self.path("plot.jpg")], 2, "does not end in .svg, .png or .pdf"),
                (["-"], 2, "model -"),
                ([], 2, "model"),
                ([model, "--x", "in", "-o", self.path("p.svg")], 2, "--x: there is no --data"),
                ([data, "-o", self.path("p.svg")], 1, "is not a model file (it looks like text)"),
                ([self.path("none"), "-o", self.path("p.svg")], 1, "No such file"),
                ([model, "--data", self.path("none"), "-o", self.path("p.svg")], 1, "No such file"),
                ([model, "--data", data, "--x", "no", "-o", self.path("p.svg")], 1, "no such column"),
                ([model, "-o", self.path("none/p.svg")], 1, "No such file")):
            with self.subTest(arguments=arguments):
                self.assertIn(says, self.run_cli("plot", *arguments, status=status).stderr)
        (self.folder / "empty.csv").write_text("in,out\n1,\n")
        said = self.run_cli("plot", model, "--data", self.path("empty.csv"), "-o", self.path("p.svg"), status=1).stderr
        self.assertIn("no usable row to draw: 1 rows read", said)


if __name__ == "__main__":
    ZCMOE = os.path.abspath(sys.argv.pop(1))
    unittest.main()
