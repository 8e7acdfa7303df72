#!/usr/bin/env python3
"""Runs zcmoe-experiments briefly and holds every figure to its tolerance, and to numbers of other origin. Usage:
experiments_test.py PATH_OF_ZCMOE_EXPERIMENTS SOURCE_FOLDER"""
import collections
import csv
import importlib.util
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import unittest

PROGRAM = None
SOURCE = None
# How many figures each experiment has: none may be lost.
GROUPS = {
    "E1.coefficient": 2, "E1.boundaries": 1, "E1.constants": 2, "E1.exponent": 1, "E2.exact": 126, "E2.factor": 14,
    "E3.risk": 128, "E3.A": 10, "E3.B": 10, "E3.m": 10, "E3.formula": 5, "E3.excess": 10, "E4.law": 2, "E4.exact": 55,
    "E4.unbiased": 11, "E4.biased_to_0": 11, "E4.consistent": 1, "E5.gaps": 14, "E5.break": 14, "E5.estimate": 13,
    "E6.ratio": 27, "E6.worst": 1, "E6.gain": 5, "E6.no_gain": 6, "E7.fresh": 3, "E7.all": 3,
    "E8.best": 1, "E8.known": 20, "E8.law": 16, "E8.price": 18, "E8.noise_raw": 3, "E8.noise_pilot": 3,
    "E9.exact": 72, "E9.factor": 12, "E9.break_even": 6, "E9.crossing": 2, "E9.jump": 8, "E9.risk": 180, "E9.number": 36,
    "E9.slope": 12, "E9.parameters": 12, "E9.shared_over_lines": 9,
    "E10.exact": 15, "E10.bound": 15, "E10.factor": 3, "E10.coefficient": 3, "E10.risk": 30, "E10.m": 3, "E10.formula": 2,
    "E11.exponent": 4, "E11.score_over_level_sets": 1, "E12.tables_over_tree": 2,
}
ROWS = {"settings": 17, "density": 501, "segments": 32, "exponents": 15, "error_against_m": 126, "risk": 128,
        "best_number": 10, "estimation": 55, "gaps": 896, "breaks": 14, "ratios": 27, "automatic": 33,
        "cuts_on_noise": 3, "cut_prices": 20, "kinds_errors": 72, "break_even": 6, "kinds_at_jump": 8, "kinds_risk": 180,
        "kinds_best": 36, "grid_errors": 15, "grid_risk": 30, "grid_best": 3, "geometry": 9, "geometry_exponents": 4,
        "learned_models": 4}
# Where a number may be missing: no estimate exists, cuts were not learned for this many rows, or theory is silent.
MAY_BE_NAN = {("breaks", "estimate"), ("ratios", "from_data"), ("ratios", "from_data_error"),
              ("cut_prices", "expected")}
# m_5% of s1 .. s7, uniform and optimal cells, from errors computed with 34 digits.
BREAKS = {"s1": (1, 1), "s2": (3, 5), "s3": (6, 23), "s4": (9, 15), "s5": (18, 19), "s6": (14, 32), "s7": (6, 68)}


def run(*arguments, timeout=1000):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=timeout)


def mean_reciprocal(n, p):
    """E[1/N; N > 0] for a binomial N, by its recurrence."""
    h, none = 0.0, 1.0
    for k in range(1, n + 1):
        none *= 1 - p
        h = (1 - p) * h + (1 - none) / k
    return h


class ExperimentsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.result = run("--output", cls.folder.name, "--effort", "1")
        with open(os.path.join(cls.folder.name, "figures.json"), encoding="utf-8") as file:
            cls.found = json.load(file)
        cls.figures = {figure["name"]: figure for figure in cls.found["figures"]}
        with open(os.path.join(SOURCE, "tests", "data", "reference_cases.json"), encoding="utf-8") as file:
            cls.cases = {case["id"].split("-")[0]: case for case in json.load(file)["cases"]}

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def table(self, name):
        with open(os.path.join(self.folder.name, name + ".csv"), encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def coefficient(self, name, segmentation):
        return float(self.cases[name]["coef_" + segmentation])

    def test_program_agrees(self):
        self.assertEqual(self.result.returncode, 0, self.result.stderr)
        self.assertEqual(self.found["effort"], 1)
        self.assertEqual(self.found["engine"], "cpu")

    @unittest.skipUnless(os.environ.get("ZCMOE_LONG_TESTS") and os.environ.get("ZCMOE_REQUIRE_BACKEND") == "cuda",
                         "minutes on an emulated device")
    def test_cuda_engine_makes_the_same_tables(self):
        with tempfile.TemporaryDirectory() as folder:
            result = run("--output", folder, "--effort", "1", "--device", "cuda:0", timeout=3600)
            self.assertEqual(result.returncode, 0, result.stderr)
            for name in ROWS:
                with open(os.path.join(folder, name + ".csv"), "rb") as ours, \
                        open(os.path.join(self.folder.name, name + ".csv"), "rb") as theirs:
                    self.assertEqual(ours.read(), theirs.read(), name)

    def test_every_figure_is_there(self):
        self.assertEqual(len(self.figures), len(self.found["figures"]), "a name is used twice")
        groups = collections.Counter(".".join(name.split(".")[:2]) for name in self.figures)
        self.assertEqual(dict(groups), GROUPS)

    def test_every_figure_is_within_its_tolerance_and_far_from_its_rivals(self):
        for name, figure in self.figures.items():
            with self.subTest(name):
                self.assertLessEqual(abs(figure["measured"] - figure["expected"]), figure["tolerance"])
                for rival in figure["rivals"]:
                    self.assertGreater(abs(figure["measured"] - rival["value"]), figure["tolerance"], rival["text"])
                self.assertTrue(figure["holds"])

    def test_factor_is_one_twelfth(self):
        weights = total = 0.0
        for name in BREAKS:
            for segmentation in ("uniform", "optimal"):
                figure = self.figures[f"E2.factor.{name}.{segmentation}"]
                self.assertAlmostEqual(figure["expected"], 1 / 12, delta=1e-12)
                weight = figure["standard_error"] ** -2
                weights += weight
                total += weight * figure["measured"]
        # Together they are a hundred times nearer to 1/12 than 1/10 and 1/14 are.
        self.assertAlmostEqual(total / weights, 1 / 12, delta=4 * weights ** -0.5 + 1e-4)
        self.assertLess(weights ** -0.5, 1.7e-4)

    def test_coefficients_are_those_of_the_reference_cases(self):
        for row in self.table("error_against_m"):
            right = self.coefficient(row["setting"], row["segmentation"])
            self.assertLess(abs(float(row["coefficient"]) / right - 1), 1e-9, row)
        for kind in ("uniform", "optimal"):
            self.assertAlmostEqual(self.figures[f"E1.coefficient.{kind}"]["measured"], self.coefficient("s6", kind),
                                   delta=1e-8)

    def test_best_number_is_the_formula(self):
        for row in self.table("best_number"):
            approximation = self.coefficient("s6", row["segmentation"]) / 12
            formula = (2 * approximation * float(row["n"]) / float(row["sigma"]) ** 2) ** (1 / 3)
            self.assertLess(abs(float(row["predicted"]) / formula - 1), 1e-8, row)

    def test_law_of_estimation(self):
        for n, of_empty_segments in ((80, 3e-4), (800, 1e-9)):
            figure = self.figures[f"E4.law.n{n}"]
            self.assertAlmostEqual(figure["expected"], n * mean_reciprocal(n, 1 / 8), delta=of_empty_segments)

    def test_breaks(self):
        for row in self.table("breaks"):
            right = BREAKS[row["setting"]][row["segmentation"] == "optimal"]
            self.assertEqual(int(row["exact"]), right, row)

    def test_automatic_number(self):
        ratios = [float(row["ratio"]) for row in self.table("automatic")]
        self.assertLessEqual(sum(ratios) / len(ratios), 1.2)

    def test_known_cuts(self):
        rows = {(row["setting"], row["n"], row["m"]): float(row["exact"]) for row in self.table("cut_prices")}
        for (setting, n, m), exact in rows.items():
            if setting == "h1":  # which is s3 in shares of the inputs
                self.assertAlmostEqual(exact / rows["s3", n, m], 1, delta=1e-6)
            if setting == "j1" and int(m) >= 6:  # no approximation error, and rows enough
                self.assertAlmostEqual(exact / (0.09 * int(m) / int(n)), 1, delta=0.03)

    def test_cuts_on_noise(self):
        # Simulated by others with 2,000 rows in 500 bins.
        for row, right in zip(self.table("cuts_on_noise"), (5.64, 5.11, 4.05)):
            self.assertLess(abs(float(row["raw"]) - right), 4 * float(row["raw_error"]) + 0.05 * right, row)

    def test_laws_of_experts_on_a_sine(self):
        u, q, noise = 2 * math.pi ** 2, 8 * math.pi ** 4, 0.09
        laws = {"constants": (u / 12, 2, 1), "lines": (q / 720, 4, 2), "shared values": (q / 720, 4, 1),
                "interpolated means": (q * 49 / 2880, 4, 2 / 3)}
        for row in self.table("kinds_errors"):
            if row["setting"] == "s3":
                coefficient, order, _ = laws[row["experts"]]
                right = coefficient / float(row["m"]) ** order
                self.assertLess(abs(float(row["high_rate"]) / right - 1), 1e-8, row)
        for row in self.table("kinds_best"):
            if row["setting"] == "s3":
                coefficient, order, parameters = laws[row["experts"]]
                formula = (order * coefficient * float(row["n"]) / (parameters * noise)) ** (1 / (order + 1))
                self.assertLess(abs(float(row["predicted"]) / formula - 1), 1e-8, row)
        evens = {row["experts"]: float(row["law"]) for row in self.table("break_even") if row["setting"] == "s3"}
        self.assertAlmostEqual(evens["lines"], math.sqrt(4 * q / (15 * u)), delta=1e-8)
        self.assertAlmostEqual(evens["shared values"], math.sqrt(q / (60 * u)), delta=1e-8)

    def test_grids_are_the_reference_cases(self):
        with open(os.path.join(SOURCE, "tests", "data", "reference_cases.json"), encoding="utf-8") as file:
            cases = {case["id"].split("-")[0]: case for case in json.load(file)["cases_2d"]}
        for row in self.table("grid_errors"):
            case = cases[row["setting"]]
            self.assertLess(abs(float(row["coefficient"]) * 12 / (case["S1"] + case["S2"]) - 1), 1e-8, row)
            if row["setting"] == "s8":  # of which everything is exact at any m
                for name, right in (("exact", 0.25 * 17 / 12), ("high_rate", 0.25 * 17 / 12), ("bound", 0.5 * 17 / 12)):
                    self.assertAlmostEqual(float(row[name]) * float(row["m"]), right, delta=1e-8)

    def test_tables_are_whole(self):
        for name, rows in ROWS.items():
            table = self.table(name)
            self.assertEqual(len(table), rows, name)
            for row in table:
                for key, text in row.items():
                    if re.match(r"-?[\d.]+(e|$)|-?inf|-?nan", text) and (name, key) not in MAY_BE_NAN:
                        self.assertTrue(math.isfinite(float(text)), (name, row))

    @unittest.skipUnless(importlib.util.find_spec("matplotlib"), "matplotlib is not installed")
    def test_drawing(self):
        with tempfile.TemporaryDirectory() as docs:
            subprocess.run([sys.executable, os.path.join(SOURCE, "examples", "experiments", "draw.py"),
                            self.folder.name, docs], check=True, timeout=300)
            with open(os.path.join(docs, "experiments.md"), encoding="utf-8") as file:
                page = file.read()
            self.assertEqual(re.findall(r"\{[A-Z0-9_]+\}", page), [], "a number was not filled in")
            with open(os.path.join(SOURCE, "docs", "experiments.md"), encoding="utf-8") as file:
                committed = file.read()
            drawn = re.findall(r"\(figures/([a-z-]+\.svg)\)", page)
            self.assertEqual(len(drawn), 13)
            self.assertEqual(re.findall(r"\(figures/([a-z-]+\.svg)\)", committed), drawn)
            self.assertEqual(re.findall(r"^#+ .*", committed, re.M), re.findall(r"^#+ .*", page, re.M))
            for name in drawn:
                self.assertLess(os.path.getsize(os.path.join(docs, "figures", name)), 300_000, name)
                self.assertTrue(os.path.exists(os.path.join(SOURCE, "docs", "figures", name)), name)
                self.assertTrue(os.path.exists(os.path.join(self.folder.name, name[:-3] + "png")), name)


class RefusalTest(unittest.TestCase):
    def test_arguments(self):
        for arguments in ([], ["--output", "x", "--device", "gpu"], ["--output", "x", "--device", "cuda:"],
                          ["--output", "x", "--effort", "0"], ["--output", "x", "--effort", "1e9"]):
            result = run(*arguments)
            self.assertEqual(result.returncode, 2, (arguments, result.stdout))
            self.assertNotEqual(result.stderr, "")

    def test_folder(self):
        result = run("--output", "/dev/null/folder", "--effort", "1")
        self.assertEqual(result.returncode, 1)
        self.assertIn("/dev/null/folder", result.stderr)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    SOURCE = os.path.abspath(sys.argv.pop())
    PROGRAM = os.path.abspath(sys.argv.pop())
    unittest.main()
