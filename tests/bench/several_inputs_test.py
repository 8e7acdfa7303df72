#!/usr/bin/env python3
"""Runs bench/peers/several_inputs.py briefly with whatever peers this Python has: what is measured, what is kept, what the
report says. Usage: several_inputs_test.py PATH_OF_LIBZCMOE"""
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

try:
    import numpy as np
except ImportError:
    print("skipped: no numpy")
    sys.exit(77)

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench" / "peers"))
import several_inputs  # noqa: E402

LIBRARY = None


def run(*arguments):
    return subprocess.run([sys.executable, ROOT / "bench" / "peers" / "several_inputs.py", *arguments],
                          capture_output=True, text=True, timeout=300)


def result(table, model, error, nanoseconds, **more):
    return {"table": table, "rows": 10, "inputs": 2, "model": model, "error": error, "learn_seconds": 1.0,
            "predict_ns": nanoseconds, **more}


class SeveralInputsTest(unittest.TestCase):
    def measured(self, folder, *models):
        made = run("--library", LIBRARY, "--output", folder, "--tables", "ring of 2", "--rows", "2000", "--fresh", "3000",
                   "--repetitions", "1", "--models", *models)
        self.assertEqual(made.returncode, 0, made.stderr)
        with open(os.path.join(folder, "several.json"), encoding="utf-8") as file:
            return {r["model"]: r for r in json.load(file)["results"]}

    def test_measuring(self):
        with tempfile.TemporaryDirectory() as folder:
            first = self.measured(folder, "zcmoe tree", "Boost", "scipy")
            self.assertIn("zcmoe tree 1,024", first)
            for r in first.values():
                self.assertEqual((r["rows"], r["inputs"]), (2000, 2))
                self.assertTrue(0 < r["error"] < 0.5, r)
                self.assertGreater(r["predict_ns"], 0)
            if {"Boost.Histogram", "scipy binned"} <= set(first):
                self.assertIs(first["scipy binned"]["agrees"], True)
            again = self.measured(folder, "zcmoe tree 1,024")
            self.assertEqual(set(again), set(first))
            self.assertEqual(again["zcmoe tree"], first["zcmoe tree"], "it was not to be measured again")
            self.assertEqual(again["zcmoe tree 1,024"]["error"], first["zcmoe tree 1,024"]["error"])

    def test_tables(self):
        names = [t[0] for t in several_inputs.tables_of([], [1000, 100_000], 10)]
        self.assertEqual(len(names), len(set(names)))
        for wanted in ["Friedman, 1,000 rows", "diagonal step, 100,000 rows", "ring of 16, 100,000 rows",
                       "flights, air time, 1,000 rows", "flights, arrival delay"]:
            self.assertIn(wanted, names)
        x, y, fresh, truth = several_inputs.function_table("ring of 4", 1000, 20_000)
        self.assertEqual((x.shape, y.shape, fresh.shape, truth.shape), ((1000, 4), (1000,), (20_000, 4), (20_000,)))
        # Of each input: the variances of a product and of half a sine, and what these share with each other.
        each = 7 / 144 + 1 / 8 - 4 * (1 / 2) * (1 / (2 * math.pi)) / 2 + 2 * (1 / 4) * (1 / 12)
        self.assertAlmostEqual(truth.var() / (4 * each), 1, delta=0.05)

    def test_front_and_ratios(self):
        rows = [result("t", "a", .5, 1), result("t", "b", .4, 2), result("t", "c", .45, 3), result("t", "d", .1, 9)]
        self.assertEqual([r["model"] for r in several_inputs.front_of(rows[::-1])], ["a", "b", "d"])
        table = {r["model"]: r for r in (result("r", "zcmoe tables", .1, 2.0), result("r", "EBM", .1, 100.0),
                                         result("r", "LightGBM 100", .1, 300.0))}
        lines = several_inputs.ratios_of({"ring of 8, 9 rows": table})
        self.assertIn("| ring of 8, 9 rows | zcmoe tables | EBM | 50 x | ≥ 60 x | no |", lines)
        self.assertIn("| ring of 8, 9 rows | zcmoe tables | LightGBM 100 | 150 x | ≥ 100 x | yes |", lines)

    def test_report(self):
        found = {"cpu": "some processor", "date": "2000-01-02", "threads": 2, "load": 3.0,
                 "peers": {"lightgbm": "4.7.0"}, "results": [
                     result("Friedman, 10 rows", "zcmoe", .25, 3.0), result("Friedman, 10 rows", "LightGBM 1", .5, 30.0),
                     result("Friedman, 10 rows", "lleaves 1", .5, 20.0, agrees=False),
                     result("Friedman, 5 rows", "zcmoe", .5, 3.0)]}
        with tempfile.TemporaryDirectory() as folder:
            readme = pathlib.Path(folder) / "README.md"
            readme.write_text(f"above\n{several_inputs.BEGIN}\nstale text\n{several_inputs.END}\nbelow\n", encoding="utf-8")
            (pathlib.Path(folder) / "several.json").write_text(json.dumps(found), encoding="utf-8")
            made = run("--output", folder, "--readme", readme)
            self.assertEqual(made.returncode, 0, made.stderr)
            text = readme.read_text(encoding="utf-8")
        self.assertTrue(text.startswith("above\n") and text.endswith("below\n"))
        self.assertNotIn("stale", text)
        for wanted in ["| zcmoe | **0.2500; 3 ns; 1 s** |", "| LightGBM 1 | 0.5000; 30 ns; 1 s |", "Load average 3.0",
                       "lleaves 1 on Friedman, 10 rows", "catboost", "lightgbm 4.7.0"]:
            self.assertIn(wanted, text)
        self.assertNotIn("Friedman, 5 rows", text, "a table of a series over n is none of the report's")

    def test_refusal(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(run("--output", folder).returncode, 2)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: several_inputs_test.py PATH_OF_LIBZCMOE")
    LIBRARY = os.path.abspath(sys.argv.pop(1))
    unittest.main()
