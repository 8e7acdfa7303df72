#!/usr/bin/env python3
"""Runs zcmoe-bench briefly: names, JSON fields, the table script, refusals. Usage: bench_test.py PATH_OF_ZCMOE_BENCH"""
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

BENCH = None
TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench", "table.py")
SEGMENTS = [8, 64, 256, 1024, 4096, 65536, 1048576, 16777216]
MOST_SEGMENTS_OF_A_FIT = {"f32": 16777216, "f64": 1048576}
MOST_SEGMENTS_WITH_LINES = 65536
SHAPES = {"grid": [1024, 65536], "sum": [64, 253], "score": [1024], "r0": [253], "tree": [64, 1024, 65536]}
BRIEF = ["--n=4096", "--cuda-n=4096", "--benchmark_repetitions=3", "--benchmark_min_time=0"]


def run(*arguments, **environment):
    return subprocess.run([BENCH, *arguments], capture_output=True, text=True, timeout=600,
                          env={**os.environ, **environment})


def report_of(name_filter, **environment):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "numbers.json")
        result = run(*BRIEF, f"--benchmark_filter={name_filter}", f"--benchmark_out={path}", **environment)
        if result.returncode != 0:
            raise AssertionError(result.stdout + result.stderr)
        with open(path, encoding="utf-8") as file:
            return json.load(file, object_pairs_hook=without_duplicates)


def without_duplicates(pairs):
    keys = [key for key, _ in pairs]
    if len(keys) != len(set(keys)):
        raise AssertionError(f"an object has a key twice: {keys}")
    return dict(pairs)


def load_table():
    spec = importlib.util.spec_from_file_location("table", TABLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class BenchTest(unittest.TestCase):
    def names(self):
        result = run("--benchmark_list_tests=true")
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout.split()

    def test_names(self):
        names = self.names()
        self.assertEqual(len(names), len(set(names)))
        for name in names:
            self.assertRegex(name, r"^(cuda/copy|copy1?|read1?)/f(32|64)$"
                                   r"|^(cpu1?|std|cuda)/predict/f(32|64)/(random|sorted|clustered)/m:\d+$"
                                   r"|^(cpu1?|plain|double|cuda)/fit/f(32|64)/(random|sorted|clustered|hot)/m:\d+$"
                                   r"|^(cpu1?|apart)/fit(-default|-weighted)?/f32/random/m:\d+$"
                                   r"|^(cpu1?|cuda)/(predict|fit)-lines/f32/random/m:\d+$"
                                   r"|^cpu1?/fit-lines/f32/sorted/m:\d+$"
                                   r"|^(cpu1?|cuda)/predict-(grid|sum|score|r0|tree)/f32/random/m:\d+/d:\d+$"
                                   r"|^cpu1?/latency/f32/random/m:\d+/n:\d+$")
        engines = {"predict": ["cpu", "cpu1", "std"], "fit": ["cpu", "cpu1", "plain", "double"]}
        places = {"predict": ["random", "sorted", "clustered"], "fit": ["random", "sorted", "clustered", "hot"]}
        for op in engines:
            for engine in engines[op]:
                for kind in ["f32", "f64"]:
                    for place in places[op]:
                        for m in SEGMENTS:
                            wanted = op == "predict" or m <= MOST_SEGMENTS_OF_A_FIT[kind]
                            self.assertEqual(f"{engine}/{op}/{kind}/{place}/m:{m}" in names, wanted)
        for m in SEGMENTS:
            for engine in ["cpu", "cpu1", "apart"]:
                for op in ["fit-default", "fit-weighted"]:
                    self.assertEqual(f"{engine}/{op}/f32/random/m:{m}" in names, m <= MOST_SEGMENTS_OF_A_FIT["f64"])
            for engine in ["cpu", "cpu1"]:
                for op in ["predict-lines", "fit-lines"]:
                    self.assertEqual(f"{engine}/{op}/f32/random/m:{m}" in names, m <= MOST_SEGMENTS_WITH_LINES)
                self.assertEqual(f"{engine}/fit-lines/f32/sorted/m:{m}" in names, m <= MOST_SEGMENTS_WITH_LINES)
            self.assertIn(f"apart/fit/f32/random/m:{m}", names)
            for n in [1, 32, 1024]:
                self.assertIn(f"cpu/latency/f32/random/m:{m}/n:{n}", names)
                self.assertIn(f"cpu1/latency/f32/random/m:{m}/n:{n}", names)
        for name in ["copy/f32", "copy/f64", "read/f32", "read/f64"]:
            self.assertIn(name, names)
        several = {f"{engine}/predict-{op}/f32/random/m:{m}/d:{d}" for engine in ["cpu", "cpu1"]
                   for op, sizes in SHAPES.items() for m in sizes for d in [2, 4, 8, 16]
                   if d > 2 or m < 65536}
        self.assertEqual({name for name in names if "/d:" in name and not name.startswith("cuda/")}, several)

    def test_fields(self):
        wanted = ["copy/f32", "read/f64", "cpu/predict/f32/random/m:1024", "cpu1/predict/f64/sorted/m:8",
                  "std/predict/f32/clustered/m:64", "cpu/fit/f32/hot/m:8", "cpu1/fit/f64/random/m:256",
                  "plain/fit/f32/random/m:64", "double/fit/f32/hot/m:64", "apart/fit/f32/random/m:64",
                  "cpu1/fit-default/f32/random/m:64", "apart/fit-weighted/f32/random/m:64",
                  "cpu1/predict-lines/f32/random/m:64", "cpu/fit-lines/f32/random/m:64"]
        report = report_of("^(" + "|".join(wanted) + ")$")
        context = report["context"]
        for key in ["zcmoe", "engines", "cpu_model", "cpu_engine", "cpu_rows", "copy_stores", "num_cpus", "date"]:
            self.assertIn(key, context)
        self.assertEqual(context["cpu_rows"], "4096")
        self.assertTrue(context["zcmoe"].startswith("zcmoe "))
        runs = [entry for entry in report["benchmarks"] if entry["run_type"] == "iteration"]
        self.assertEqual(sorted({entry["name"] for entry in runs}), sorted(wanted))
        self.assertEqual(len(runs), 3 * len(wanted))
        for entry in runs:
            self.assertNotIn("error_occurred", entry, entry)
            for key in ["items_per_second", "bytes_per_second", "percent_of_copy", "real_time"]:
                self.assertGreater(entry[key], 0, entry["name"])
            size = 4 if "/f32" in entry["name"] else 8
            arrays = 3 if "weighted" in entry["name"] else 2
            self.assertAlmostEqual(entry["bytes_per_second"] / entry["items_per_second"], arrays * size, places=6)
            one_thread = re.match(r"(cpu1|std|plain|double)/", entry["name"])
            if one_thread:
                self.assertEqual(entry["threads"], 1, entry["name"])
            else:
                threads = f"cpu, {entry['threads']} thread" + ("s" if entry["threads"] > 1 else "")
                self.assertRegex(context["cpu_engine"], f"^{threads}, [a-z0-9]+$")
        aggregates = {entry["aggregate_name"] for entry in report["benchmarks"] if entry["run_type"] == "aggregate"}
        self.assertLessEqual({"median", "stddev"}, aggregates)

        lines = load_table().table(report).splitlines()
        self.assertEqual(len([line for line in lines if line.startswith("| `")]), len(wanted))
        self.assertTrue(all("| CPU |" in line for line in lines if line.startswith("| `")))

    def test_several_inputs(self):
        wanted = [f"cpu1/predict-{op}/f32/random/m:{m}/d:{d}" for op, sizes in SHAPES.items() for m in sizes
                  for d in [2, 16] if d > 2 or m < 65536] + ["cpu/predict-grid/f32/random/m:1024/d:4"]
        report = report_of("^(" + "|".join(wanted) + ")$")
        runs = [entry for entry in report["benchmarks"] if entry["run_type"] == "iteration"]
        self.assertEqual(sorted({entry["name"] for entry in runs}), sorted(wanted))
        for entry in runs:  # an answer that is not that of the plain tables is an error
            self.assertNotIn("error_occurred", entry, entry)
            self.assertGreater(entry["percent_of_copy"], 0, entry["name"])
            columns = int(entry["name"].rsplit(":", 1)[1]) + 1
            self.assertAlmostEqual(entry["bytes_per_second"] / entry["items_per_second"], 4 * columns, places=6)

    def test_latency_is_the_time_of_a_call(self):
        wanted = [f"cpu1/latency/f32/random/m:1024/n:{n}" for n in [1, 32, 1024]]
        wanted.append("cpu/latency/f32/random/m:8/n:1")
        report = report_of("^(" + "|".join(wanted) + ")$")
        runs = [entry for entry in report["benchmarks"] if entry["run_type"] == "iteration"]
        self.assertEqual(sorted({entry["name"] for entry in runs}), sorted(wanted))
        for entry in runs:
            self.assertNotIn("error_occurred", entry, entry)
            self.assertEqual(entry["time_unit"], "ns")
            rows = int(entry["name"].rsplit(":", 1)[1])
            self.assertAlmostEqual(entry["items_per_second"] * entry["real_time"] * 1e-9 / rows, 1, places=3)
            self.assertNotIn("percent_of_copy", entry)
        rows = load_table().table(report).splitlines()
        self.assertNotIn("| benchmark | engine | threads | ns a row | GB/s | % of the limit | spread |", rows)
        for entry in load_table().medians(report).items():
            name, (row, share, _, rate, threads) = entry
            self.assertIsNone(share)
            self.assertIsNone(rate)
            call = row * int(name.rsplit(":", 1)[1])
            self.assertTrue(any(line.startswith(f"| `{name}` | CPU | {threads} | {call:.3g} | {row:.3g} |")
                                for line in rows), name)

    def test_numbers_of_the_cpu_are_never_called_cuda(self):
        names = self.names()
        report = report_of("^copy/f32$")
        has_cuda = "cuda_device" in report["context"]
        self.assertEqual(any(name.startswith("cuda/") for name in names), has_cuda)
        self.assertEqual(report["context"]["engines"], "cpu, cuda" if has_cuda else "cpu")
        if not has_cuda:
            result = run("--benchmark_filter=^cuda/")
            self.assertEqual(result.returncode, 1)
            self.assertIn("there are no cuda/ benchmarks: " + report["context"]["no_cuda"], result.stderr)
            self.assertNotIn("emulated", report_of("^copy/f32$", ZCMOE_EMULATED_DEVICE="1")["context"])
            return
        emulated = report_of("^(copy/f32|cuda/predict/f32/random/m:8|cuda/(predict|fit)-lines/f32/random/m:64"
                             "|cuda/predict-(grid|r0|score|tree)/f32/random/m:(253|1024)/d:4)$",
                             ZCMOE_EMULATED_DEVICE="1")
        self.assertIs(emulated["context"]["emulated"], True)
        for entry in emulated["benchmarks"]:
            if entry["name"].startswith("cuda/"):
                self.assertNotIn("error_occurred", entry, entry)
                self.assertEqual(entry["real_time"], 0)
                self.assertNotIn("items_per_second", entry)
        for op in ["predict/f32/random/m:8", "predict-lines/f32/random/m:64", "fit-lines/f32/random/m:64",
                   "predict-grid/f32/random/m:1024/d:4", "predict-r0/f32/random/m:253/d:4",
                   "predict-score/f32/random/m:1024/d:4", "predict-tree/f32/random/m:1024/d:4"]:
            self.assertIn(f"| `cuda/{op}` | CUDA | – | – | – | – | – |", load_table().table(emulated))

    def test_table_drops_emulated_times(self):
        report = {"context": {"date": "2000-01-02T03:04:05", "cpu_model": "a", "num_cpus": 1, "cpu_rows": "8",
                              "cuda_rows": "8", "cuda_device": "b", "zcmoe": "c", "emulated": True, "load_avg": [0]},
                  "benchmarks": [{"name": "cuda/copy/f32", "run_name": "cuda/copy/f32", "run_type": "iteration",
                                  "items_per_second": 1.0, "bytes_per_second": 8.0, "percent_of_copy": 100.0,
                                  "threads": 1}]}
        self.assertIn("| `cuda/copy/f32` | CUDA | – | – | – | – | – |", load_table().table(report))
        report["context"]["emulated"] = False
        self.assertIn("| `cuda/copy/f32` | CUDA | – | 1e+09 |", load_table().table(report))

    def test_wrong_arguments(self):
        for arguments in [["--n=0"], ["--n=x"], ["--bogus"], ["--benchmark_format=xml"]]:
            self.assertEqual(run(*arguments).returncode, 2, arguments)
        self.assertEqual(run("--benchmark_filter=no-such-benchmark").returncode, 1)
        self.assertIn("engine/op/type/distribution/m:M", run("--help").stdout)
        self.assertTrue(run("--version").stdout.startswith("zcmoe "))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: bench_test.py PATH_OF_ZCMOE_BENCH")
    BENCH = os.path.abspath(sys.argv.pop(1))
    unittest.main()
