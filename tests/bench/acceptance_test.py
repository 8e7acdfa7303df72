#!/usr/bin/env python3
"""scripts/gpu-acceptance: what it refuses, and its report on a card that is played by stand-ins for the tools.

    acceptance_test.py SCRIPT                     no device is needed
    acceptance_test.py SCRIPT --emulated BUILD    the quick run under the emulated runtime of ZCMOE_GPU_RUNNER; 77 where
                                                  there is none"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

SCRIPT = None
TOOLS = ["memcheck", "racecheck", "initcheck", "synccheck"]

# A card that copies 1,000 GB/s and has memory for 2^22 rows. predict takes (2 + m / 1024) times as long as the copy, a
# fit twice that; nothing happens below.
STANDINS = {
    "nvidia-smi": """print("Card X, 9.0, 580.1, 81559 MiB")""",
    "nvcc": """
if "--version" in sys.argv:
    print("Cuda compilation tools, release 13.0, V13.0.1")
else:
    print("ptxas info    : Compiling entry function 'void zcmoe::detail::(anonymous namespace)::stream_kernel<float, true, false>"
          "(int)' for 'sm_90'\\\\n    8 bytes stack frame, 0 bytes spill stores, 4 bytes spill loads\\\\n"
          "ptxas info    : Used 33 registers, used 1 barriers, 40 bytes smem", file=sys.stderr)""",
    "ctest": """
print('{"tests": [{"name": "a_test.cuda", "command": ["a_test", "--gtest_filter=*/cuda*"]}]}'
      if "--show-only=json-v1" in sys.argv else
      "1/1 Test #2: a_test.cuda .......   " + os.environ.get("CTEST_SAYS", "Passed") + "    0.1 sec")""",
    "compute-sanitizer": """
print("Version 2025.3")
tool = sys.argv[sys.argv.index("--tool") + 1] if "--tool" in sys.argv else ""
sys.exit(86 if tool and tool == os.environ.get("SANITIZER_FINDS") else 0)""",
    "build/tests/device_test": """
assert os.environ["ZCMOE_REQUIRE_BACKEND"] == "cuda"
print("\\\\n".join(f"[       OK ] device_test.t{k} (1 ms)" for k in range(3)))""",
    "build/zcmoe-bench": """
import json, re
options = dict(each.lstrip("-").split("=", 1) for each in sys.argv[1:])
rows = min(int(options["cuda-n"]), 2**22)
names = ["cuda/copy/f32", "cuda/copy/f64"] + [
    f"cuda/{op}/{kind}/{place}/m:{m}" for op in ("predict", "fit") for kind in ("f32", "f64")
    for place in ("random", "sorted", "clustered", "hot") for m in (8, 256, 1024, 65536)]
runs = []
for name in names:
    if not re.search(options["benchmark_filter"], name):
        continue
    times = 1 if "copy" in name else (2 + int(name.rsplit(":")[-1]) / 1024) * (2 if "fit" in name else 1)
    size = 4 if "f32" in name else 8
    runs += [{"name": name, "run_name": name, "run_type": "iteration", "items_per_second": 1e12 / (2 * size) / times,
              "bytes_per_second": 1e12 / times, "percent_of_copy": 100 / times, "threads": 1}]
if "BENCH_ERROR" in os.environ:
    runs[-1] = {"name": name, "run_name": runs[-1]["name"], "run_type": "iteration", "error_occurred": True,
                "error_message": "row 3 has a wrong answer"}
with open(options["benchmark_out"], "w") as file:
    json.dump({"context": {"cuda_rows": str(rows)}, "benchmarks": runs}, file)""",
}


def run(*arguments, path, **environment):
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ZCMOE_", "CTEST_"))}
    return subprocess.run([sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True, timeout=1000,
                          env={**kept, "PATH": path, **environment})


class WithoutDevice(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.report = self.folder / "report.md"

    def refused(self, **environment):
        result = run("--output", self.report, path=str(self.folder), **environment)
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertFalse(self.report.exists())
        return result.stderr

    def stand_in(self):
        for name, body in STANDINS.items():
            file = self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"#!{sys.executable}\nimport os, sys\n" + body.replace("\\\\n", "\\n") + "\n")
            file.chmod(0o755)
        for tool in ["c++filt", "git"]:
            os.symlink(shutil.which(tool), self.folder / tool)

    def accept(self, *arguments, **environment):
        self.stand_in()
        result = run("--build", self.folder / "build", "--output", self.report, *arguments, path=str(self.folder),
                     **environment)
        return result, self.report.read_text(encoding="utf-8")

    def test_refusals(self):
        self.assertIn("no card (nvidia-smi names none) and no emulated runtime", self.refused())
        self.assertIn("ZCMOE_GPU_RUNNER: no-such-command is no command",
                      self.refused(ZCMOE_GPU_RUNNER="no-such-command"))
        (self.folder / "runner").write_text("#!/bin/sh\n")
        (self.folder / "runner").chmod(0o755)
        self.assertIn("nvcc is not on the path", self.refused(ZCMOE_GPU_RUNNER=f"{self.folder}/runner -x"))

    def test_a_card(self):
        result, text = self.accept()
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        for line in ["| result | passed |", "| card | Card X |", "| driver | 580.1 |",
                     "| toolkit | CUDA 13.0, compute-sanitizer 2025.3 |"]:
            self.assertIn(line, text.splitlines())
        self.assertRegex(text, r"\| commit \| [0-9a-f]{40}")
        for tool in TOOLS:
            self.assertRegex(text, rf"\| compute-sanitizer {tool} \| passed \| \d+ \| 1 programs, 0 errors \|")
            log = (self.folder / "report.logs" / f"compute-sanitizer-{tool}.log").read_text()
            self.assertEqual("--track-stream-ordered-races all" in log, tool == "memcheck")
        self.assertNotIn("emulated", text)
        # 2^24 was asked for, memory ends at 2^22: the last column.
        self.assertIn("| m | 2^10 | 2^14 | 2^18 | 2^20 | 2^22 |", text)
        self.assertNotIn("2^24 |", text)
        # m = 1,024: three times the copy's 8 ps a row, a third of its rate; a fit six times.
        self.assertEqual(text.count("\n| 1,024 | 0.024" + " | 0.024" * 4 + " |"), 1)
        self.assertEqual(text.count("\n| 1,024 | 333" + " | 333" * 4 + " |"), 1)
        self.assertEqual(text.count("\n| 1,024 | 33.3" + " | 33.3" * 4 + " |"), 1)
        self.assertEqual(text.count("\n| 1,024 | 16.7" + " | 16.7" * 4 + " |"), 1)
        self.assertIn("| `cuda/predict/f64/random/m:1024` | 0.048 | 333 | 33.3 |", text)
        self.assertIn("12 bytes of stack and spills (sm_90) | not met |", text)
        self.assertIn("33 registers (sm_90) | not met |", text)
        self.assertIn("| `stream_kernel<float, true, false>` | 33 | 8 | 4 | 40 |", text)
        self.assertIn("m = 256: 1.00 |", text)
        self.assertRegex(text, r"\| 16: .* on this card \| met \|")

    def test_a_failure_does_not_stop_the_next_step(self):
        result, text = self.accept("--quick", CTEST_SAYS="***Skipped", SANITIZER_FINDS="racecheck")
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        self.assertIn("| result | FAILED: tests of the CUDA engine, compute-sanitizer racecheck |", text)
        self.assertIn("a_test.cuda: skipped", text)
        self.assertIn("a_test.cuda: errors found", text)
        self.assertRegex(text, r"\| 16: .* \| not met \|")
        self.assertRegex(text, r"\| benchmark \| passed \|")
        log = (self.folder / "report.logs" / "tests-of-the-cuda-engine.log").read_text()
        self.assertIn("$ ctest --test-dir", log)
        self.assertIn("***Skipped", log)

    def test_wrong_answers_of_the_benchmark_are_a_failure(self):
        result, text = self.accept("--quick", BENCH_ERROR="1")
        self.assertEqual(result.returncode, 1)
        self.assertIn("| result | FAILED: benchmark |", text)
        self.assertIn("row 3 has a wrong answer", text)
        self.assertIn("the benchmark failed", text)

    def test_a_missing_tool_is_a_failure(self):
        self.stand_in()
        (self.folder / "compute-sanitizer").unlink()
        result = run("--quick", "--build", self.folder / "build", "--output", self.report, path=str(self.folder))
        self.assertEqual(result.returncode, 1)
        self.assertEqual(self.report.read_text().count("compute-sanitizer is not installed"), 4)


class Emulated(unittest.TestCase):
    build = None

    def test_the_quick_run_ends_and_tells_no_times(self):
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder) / "report.md"
            result = run("--quick", "--build", self.build, "--output", report, path=os.environ["PATH"],
                         ZCMOE_GPU_RUNNER=os.environ["ZCMOE_GPU_RUNNER"])
            text = report.read_text(encoding="utf-8")
            logs = "".join(file.read_text() for file in (pathlib.Path(folder) / "report.logs").glob("*.log"))
        self.assertEqual(result.returncode, 0, text + logs)
        self.assertIn("| result | passed |", text)
        self.assertIn("| card | none: an emulated runtime,", text)
        for tool in TOOLS:
            self.assertIn(f"| compute-sanitizer {tool} | not run: emulated | – |  |", text)
        self.assertIn("No times: emulated.", text)
        self.assertIsNone(re.search(r"[0-9] ns|GB/s|passed \| [0-9]+ \|", text))
        self.assertRegex(text, r"\| `stream_kernel<float, true, false>` \| \d+ \|")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 4):
        sys.exit("usage: acceptance_test.py SCRIPT [--emulated BUILD]")
    SCRIPT = os.path.abspath(sys.argv[1])
    emulated = len(sys.argv) == 4
    if emulated:
        if not os.environ.get("ZCMOE_GPU_RUNNER") or shutil.which("nvcc") is None:
            print("no emulated runtime (ZCMOE_GPU_RUNNER), or no nvcc")
            sys.exit(77)
        Emulated.build = sys.argv[3]
    unittest.main(argv=sys.argv[:1], defaultTest="Emulated" if emulated else "WithoutDevice")
