#!/usr/bin/env python3
"""Runs scripts/bench-peers --quick with whatever peers this Python has: structure, agreement of every peer, what --only,
--resume and the report do. Usage: bench_peers_test.py PATH_OF_LIBZCMOE_PEERS"""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

try:
    import numpy as np
except ImportError:
    print("skipped: no numpy")
    sys.exit(77)

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "bench", "peers"))
import report  # noqa: E402
import rows  # noqa: E402

LIBRARY = None


def run(*arguments):
    return subprocess.run([os.path.join(ROOT, "scripts", "bench-peers"), *arguments], capture_output=True, text=True,
                          timeout=900, env={**os.environ, "ZCMOE_PEERS_LIBRARY": LIBRARY,
                                            "ZCMOE_PEERS_PYTHON": sys.executable})


def load(folder):
    with open(os.path.join(folder, "peers.json"), encoding="utf-8") as file:
        return json.load(file)


def group_of(entry):
    return entry["study"], entry["op"], entry["m"], entry["n"] if entry["study"] == "scaling_n" else None


class BenchPeersTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.result = run("--quick", "--output", cls.folder.name)
        if cls.result.returncode != 0:
            raise AssertionError(cls.result.stdout + cls.result.stderr)
        cls.numbers = load(cls.folder.name)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_every_peer_agrees(self):
        checked = [entry for entry in self.numbers["results"] if entry["peer"] not in ("copy", "read")]
        self.assertGreater(len(checked), 50)
        for entry in checked:
            self.assertIs(entry["agrees"], True, entry)
            self.assertEqual(entry["wrong"], 0, entry)
            self.assertGreaterEqual(entry["compared"], 1024)

    def test_structure(self):
        numbers = self.numbers
        for key in ["date", "cpu", "cores", "last_level_cache", "load_average", "versions", "build", "full_rows"]:
            self.assertIn(key, numbers["context"])
        self.assertIn("zcmoe ", numbers["context"]["build"])
        for entry in numbers["results"]:
            self.assertEqual((entry["rounds"], len(entry["samples"])), (2, 2))
            self.assertGreater(entry["min"], 0)
            self.assertLessEqual(entry["min"], entry["ns"])
            self.assertLessEqual(entry["ns"], entry["max"])
            self.assertGreaterEqual(entry["n"], 1000)
            self.assertIn(entry["n"], [entry["rows_a_call"], entry["rows_a_call"] * entry["calls"]])
        rows_of = [(group_of(entry), entry["peer"], entry["threads"], entry["type"]) for entry in numbers["results"]]
        self.assertEqual(len(rows_of), len(set(rows_of)))
        compiled = {"predict": {"copy", "zcmoe", "std", "batched", "batched_gather", "s_plus_tree", "boost_histogram"},
                    "fit": {"read", "zcmoe", "zcmoe_whole", "std", "boost_histogram"}}
        for op, m in [(op, m) for op in compiled for m in [8, 64, 1024]]:
            found = {entry["peer"] for entry in numbers["results"] if group_of(entry)[:3] == ("peers", op, m)}
            self.assertLessEqual(compiled[op] | {"numpy"}, found)
        studies = {entry["study"] for entry in numbers["results"]}
        self.assertEqual(studies, {"peers", "scaling_n", "scaling_m"})
        kinds = {(entry["peer"], entry["type"]) for entry in numbers["results"]}
        self.assertLessEqual({("copy", "f64"), ("read", "f64"), ("zcmoe", "f64")}, kinds)
        for entry in numbers["skipped"]:
            self.assertTrue(entry["reason"], entry)

    def test_report(self):
        with open(os.path.join(self.folder.name, "peers.md"), encoding="utf-8") as file:
            text = file.read()
        self.assertIn("the times mean nothing", text)
        self.assertIn("all agree", text)
        lines = {(entry["op"], entry["peer"], entry["threads"], entry["type"])
                 for entry in self.numbers["results"] if entry["study"] == "peers"}
        self.assertEqual(len(re.findall(r"^\| [^|]+ \| \d \| [^|]*\d", text, re.M)), len(lines))
        self.assertIn("| 5 | predict, 1 thread | ≥ 70 × std::upper_bound |", self.result.stdout)

    def test_ratios_and_goals(self):
        def entry(peer, samples, m, run="a"):
            return {"study": "peers", "op": "predict", "peer": peer, "label": peer, "threads": 1, "type": "f32", "m": m,
                    "samples": samples, "ns": sorted(samples)[1], "run": run}
        results = []
        for m in report.GOAL_SEGMENTS:
            results += [entry("zcmoe", [1, 2, 4], m), entry("std", [80, 160, 400], m),
                        entry("batched", [9, 18, 36], m)]
        made = report.Report({"context": {}, "results": results, "skipped": []})
        goals = {goal["peer"]: goal for goal in made.goals() if goal["op"] == "predict"}
        self.assertEqual(goals["std"]["ratios"], {m: 80 for m in report.GOAL_SEGMENTS})
        self.assertIs(goals["std"]["met"], True)
        self.assertIs(goals["batched"]["met"], False)
        self.assertIsNone(goals["numpy"]["met"])
        results[0]["samples"] = [100, 200, 400]  # one m that misses
        self.assertIs({goal["peer"]: goal for goal in made.goals()}["std"]["met"], False)
        other = entry("std", [1, 50, 70], 64, run="b")
        self.assertEqual(made.ratio(other, entry("zcmoe", [1, 2, 4], 64)), 25)

    def test_wrong_answers_are_found(self):
        some = rows.Rows(4096)
        exact = rows.Exact(some, 64, 4096)
        answers = exact.table[exact.segments].copy()
        self.assertEqual(exact.check_predict(answers), (4096, 0, 0))
        answers[[1, 7, 4095]] += 1
        self.assertEqual(exact.check_predict(answers), (4096, 3, 0))
        # On an edge: told apart from plain errors.
        some.x[5] = exact.edges[9]
        exact = rows.Exact(some, 64, 4096)
        answers = exact.table[exact.segments].copy()
        self.assertEqual(exact.segments[5], 9)
        answers[5] -= 1
        self.assertEqual(exact.check_predict(answers), (4096, 1, 1))
        counts = np.bincount(exact.segments, minlength=64)
        means = np.bincount(exact.segments, weights=some.y, minlength=64) / counts
        self.assertEqual(exact.check_fit(counts, means, 4096), (4096, 0, 0.0))
        counts[3] += 1
        means[4] += 0.25
        found = exact.check_fit(counts, means, 4096)
        self.assertEqual(found[1], 1)
        self.assertAlmostEqual(found[2], 0.25)

    def test_edges_are_exact_in_float32(self):
        for m in [1, 8, 2**20]:
            edges = rows.edges(m)
            self.assertEqual(len(edges), m + 1)
            self.assertTrue(np.all(edges == edges.astype(np.float32)))

    def test_only_and_resume(self):
        with tempfile.TemporaryDirectory() as folder:
            numbers = json.loads(json.dumps(self.numbers))
            for entry in numbers["results"]:
                entry["run"] = "before"
            gone = ("peers", "fit", 64, None)
            numbers["results"] = [entry for entry in numbers["results"] if group_of(entry) != gone]
            path = os.path.join(folder, "peers.json")

            def write():
                with open(path, "w", encoding="utf-8") as file:
                    json.dump(numbers, file)
            write()
            result = run("--quick", "--resume", "--output", folder)
            self.assertEqual(result.returncode, 0, result.stderr)
            fresh = [entry for entry in load(folder)["results"] if entry["run"] != "before"]
            self.assertEqual({group_of(entry) for entry in fresh}, {gone})
            self.assertEqual(len(load(folder)["results"]), len(self.numbers["results"]))

            write()
            result = run("--quick", "--only", "std", "--studies", "peers", "--output", folder)
            self.assertEqual(result.returncode, 0, result.stderr)
            fresh = [entry for entry in load(folder)["results"] if entry["run"] != "before"]
            self.assertEqual({(entry["peer"], entry["study"]) for entry in fresh}, {("std", "peers")})
            self.assertEqual({entry["m"] for entry in fresh if entry["op"] == "fit"}, {8, 64, 1024})

    def test_wrong_arguments(self):
        for arguments in [["--only", "nobody"], ["--studies", "nothing"], ["--bogus"]]:
            with tempfile.TemporaryDirectory() as folder:
                result = run("--quick", "--output", folder, *arguments)
                self.assertEqual(result.returncode, 2, arguments)

    def test_readme_is_what_the_report_makes(self):
        results = os.path.join(ROOT, "bench", "results")
        made = report.Report(load(results))
        for name, block in [("README.md", made.readme_block()), ("bench/README.md", made.bench_block())]:
            with open(os.path.join(ROOT, name), encoding="utf-8") as file:
                self.assertIn(f"{report.BEGIN}\n{block}\n{report.END}", file.read(),
                              f"{name} differs from bench/results; run scripts/bench-peers --report")
        with open(os.path.join(results, "peers.md"), encoding="utf-8") as file:
            self.assertEqual(file.read(), made.markdown())
        for name in re.findall(r"\((\w+\.svg)\)", made.markdown()):
            self.assertTrue(os.path.exists(os.path.join(results, name)), name)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: bench_peers_test.py PATH_OF_LIBZCMOE_PEERS")
    LIBRARY = os.path.abspath(sys.argv.pop(1))
    unittest.main()
