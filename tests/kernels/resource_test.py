#!/usr/bin/env python3
"""resource_test.py BUILD_DIR: builds the CUDA engine for every architecture that a release has code for, warnings as
errors, into BUILD_DIR, and checks registers, spills and local memory of the kernels as the assembler reports them. A
hot kernel may use no local memory and no more registers than the table allows; others may not spill.

It builds the whole library several times over, so it is no part of scripts/test; .ci/run calls it.
"""
import pathlib
import re
import subprocess
import sys

# By architecture, the most registers per thread with which a multiprocessor runs all the threads it can hold.
FULL = {"75": 64, "80": 32, "86": 40, "89": 40, "90": 32, "100": 32, "120": 40}

# By a part of a kernel's mangled name, the most registers that a thread may have.
HOT = {
    "stream_kernelIfLb1ELb0": FULL,
    "stream_kernelIdLb1ELb0": FULL,
    "stream_kernelIfLb0ELb0": 64,
    "stream_kernelIdLb0ELb0": 64,
    "stream_kernelIfLb1ELb1": 64,  # lines, whose arithmetic is in float64
    "stream_kernelIdLb1ELb1": 64,
    "stream_kernelIfLb0ELb1": 64,
    "stream_kernelIdLb0ELb1": 64,
    "gather_kernelIf": 48,
    "gather_kernelId": 56,
    "20stream_points_kernel": 64,  # blocks of 1,024 threads
    "13points_kernel": 64,
    "accumulate_kernel": 64,  # blocks of 1,024 threads
    "16sum_cells_kernel": 40,
}

# CUB's kernels, which are tuned by CUB, and what runs once a slot when a fit is finished.
MAY_SPILL = ("3cub", "summarize_kernel")

KERNEL = re.compile(r"Compiling entry function '(\w+)' for 'sm_(\d+)'"
                    r".*?(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads"
                    r".*?Used (\d+) registers", re.DOTALL)


def build(folder):
    """What the build prints, the assembler's reports among it."""
    root = pathlib.Path(__file__).resolve().parents[2]
    off = [f"-DZCMOE_BUILD_{part}=OFF" for part in ("TESTS", "BENCH", "CLI", "EXPERIMENTS")]
    subprocess.run(["cmake", "-S", root, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DZCMOE_CUDA=ON",
                    "-DZCMOE_WARNINGS_AS_ERRORS=ON", "-DCMAKE_CUDA_FLAGS=-Xptxas=-v", "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache",
                    "-DCMAKE_CUDA_COMPILER_LAUNCHER=ccache", *off], check=True, stdout=subprocess.DEVNULL)
    # Everything is compiled anew (or comes from the compiler cache with what was printed then), so that it is reported.
    made = subprocess.run(["cmake", "--build", folder, "--clean-first"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if made.returncode != 0:
        sys.exit(made.stdout + "the build failed")
    return made.stdout


def main():
    failed = 0
    seen = set()
    for name, architecture, stack, stores, loads, registers in KERNEL.findall(build(sys.argv[1])):
        spilled = int(stores) + int(loads)
        for part in (part for part in HOT if part in name):
            limit = HOT[part]
            most = limit[architecture] if limit is FULL else limit
            bad = int(registers) > most or int(stack) > 0
            failed += bad
            seen.add((part, architecture))
            print(f"{'FAILED' if bad else 'ok    '} sm_{architecture} {part}: {registers} registers (at most {most}), "
                  f"{stack} bytes of local memory", flush=True)
        if spilled > 0 and not any(part in name for part in MAY_SPILL):
            print(f"FAILED sm_{architecture} {name}: {spilled} bytes spilled")
            failed += 1
    for part in HOT:
        for architecture in FULL:
            if (part, architecture) not in seen:
                print(f"FAILED sm_{architecture}: no kernel {part}")
                failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
