#!/usr/bin/env python3
"""The study of the automatic model: its oracle, its tree, its report, and a run of few rows with whatever this Python
has. Usage: automatic_test.py PATH_OF_ZCMOE"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

try:
    import numpy as np
    import scipy  # noqa: F401
except ImportError:
    print("skipped: no numpy or scipy")
    sys.exit(77)
try:
    import sklearn  # noqa: F401
    has_trees = True
except ImportError:
    has_trees = False

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "bench", "peers"))
import automatic  # noqa: E402

ZCMOE = None


def setting(name):
    return next(s for s in automatic.SETTINGS if s.name == name)


class OracleTest(unittest.TestCase):
    def test_levels_cost_a_mean_each(self):
        for n in (1000, 100_000):
            excess, segments = automatic.best_partition_of_truth(setting("jumps"), n)
            self.assertEqual(segments, 6)
            self.assertAlmostEqual(excess * n / (6 * 0.25), 1, places=7)

    def test_a_line_has_equal_segments(self):
        line = automatic.Setting("line", "", lambda x: x, automatic.steady(0.1))
        for n in (100, 10_000):
            excess, segments = automatic.best_partition_of_truth(line, n)
            best = min(1 / (12 * m * m) + (0.01 + 1 / (12 * m * m)) * m / n for m in range(1, 500))
            self.assertAlmostEqual(excess / best, 1, delta=2e-3)

    def test_noise_that_grows_costs_its_mean(self):
        flat = automatic.Setting("flat", "", np.zeros_like, lambda x: x)
        excess, segments = automatic.best_partition_of_truth(flat, 500)
        self.assertEqual(segments, 1)
        self.assertAlmostEqual(excess * 500, 1 / 3, places=6)


class SettingsTest(unittest.TestCase):
    def test_samples_are_their_own_and_come_again(self):
        self.assertEqual(len({s.name for s in automatic.SETTINGS}), 10)
        for s in automatic.SETTINGS:
            x, y = s.sample(500, 1)
            self.assertTrue(np.all(np.isfinite(x)) and np.all(np.isfinite(y)))
            self.assertTrue(np.array_equal(y, s.sample(500, 1)[1]))
            self.assertFalse(np.array_equal(y, s.sample(500, 2)[1]))

    def test_noise_has_the_deviation_that_is_said(self):
        for s in automatic.SETTINGS:
            x, y = s.sample(40_000, 3)
            scaled = (y - s.truth(x)) / s.deviation(x)
            self.assertAlmostEqual(np.median(np.abs(scaled)), 0.4416 if s.name == "heavy noise" else 0.6745, delta=0.02)


@unittest.skipUnless(has_trees, "no scikit-learn")
class TreeTest(unittest.TestCase):
    def test_it_is_pruned_as_scikit_learn_prunes(self):
        from sklearn.tree import DecisionTreeRegressor
        x, y = setting("step + sine").sample(600, 1)
        fresh = setting("step + sine").fresh(3000)
        truth = setting("step + sine").truth(fresh)
        for smallest_leaf in (1, 5):
            mine = automatic.PrunedTree(x, y, smallest_leaf)
            for price in (0.0, 1e-4, 1e-3, 5e-3, 0.02, 1.0):
                theirs = DecisionTreeRegressor(min_samples_leaf=smallest_leaf, random_state=0, ccp_alpha=price)
                theirs.fit(x[:, None], y)
                predicted = theirs.predict(fresh[:, None])
                self.assertEqual(mine.leaves(price), theirs.get_n_leaves())
                self.assertTrue(np.array_equal(mine.predict(price, fresh), predicted))
                error = mine.errors_at(np.array([price]), fresh, truth)[0]
                self.assertAlmostEqual(error / np.sum((predicted - truth) ** 2), 1, places=9)

    def test_a_run_of_few_rows(self):
        with tempfile.TemporaryDirectory() as folder:
            script = os.path.join(ROOT, "bench", "peers", "automatic.py")
            common = [sys.executable, script, "--output", folder]
            chosen = [*common, "--zcmoe", ZCMOE, "--samples", "2", "--settings", "sine,jumps"]
            for rows in ("200", "300"):
                done = subprocess.run([*chosen, "--rows", rows], capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 0, done.stderr)
            results = automatic.load(folder)
            self.assertEqual([(r["setting"], r["n"], r["sample"]) for r in results["runs"]],
                             [(s, n, k) for n in (200, 300) for s in ("sine", "jumps") for k in (0, 1)])
            for run in results["runs"]:
                self.assertTrue(0 < run["zcmoe"] < 1 and 0 < run["tree"] < 1, run)
            self.assertIn("| sine | 300 | 2 |", done.stdout)
            self.assertEqual(subprocess.run([*common, "--settings", "nobody"], capture_output=True).returncode, 2)


class ReportTest(unittest.TestCase):
    RESULTS = {"date": "", "build": "", "versions": "",
               "oracle": [{"setting": "sine", "n": 10, "excess": 2.5, "segments": 3}],
               "runs": [{"setting": "sine", "n": 10, "sample": k, "zcmoe": z, "tree": t, "segments": 4, "leaves": 5,
                         "constants": "smooth"} for k, (z, t) in enumerate([(1.0, 2.0), (2.0, 4.0), (6.0, 9.0)])]}

    def test_ratios_are_of_means(self):
        row, = automatic.rows_of(self.RESULTS)
        self.assertAlmostEqual(row["to_tree"], 0.6)
        # 1 - .6 * 2, 2 - .6 * 4, 6 - .6 * 9 are -.2, -.4, .6: their deviation over sqrt(3), over the mean 5.
        self.assertAlmostEqual(row["to_tree_error"], np.std([-.2, -.4, .6], ddof=1) / np.sqrt(3) / 5)
        self.assertAlmostEqual(row["to_oracle"], 1.2)
        self.assertEqual(row["smooth"], 3)

    def test_what_is_measured_again_replaces(self):
        again = json.loads(json.dumps(self.RESULTS))
        again["runs"] = again["runs"][:1]
        self.assertEqual(len(automatic.merged(self.RESULTS, again)["runs"]), 1)
        for entry in again["oracle"] + again["runs"]:
            entry["n"] = 5
        both = automatic.merged(self.RESULTS, again)
        self.assertEqual([r["n"] for r in both["runs"]], [5, 10, 10, 10])
        self.assertEqual([r["n"] for r in both["oracle"]], [5, 10])

    def test_readme_is_what_the_report_makes(self):
        block = automatic.block_of(automatic.load(os.path.join(ROOT, "bench", "results")))
        with open(os.path.join(ROOT, "bench", "README.md"), encoding="utf-8") as file:
            self.assertIn(f"{automatic.BEGIN}\n{block}\n{automatic.END}", file.read(),
                          "run scripts/bench-automatic --report")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: automatic_test.py PATH_OF_ZCMOE")
    ZCMOE = os.path.abspath(sys.argv.pop(1))
    unittest.main()
