#!/usr/bin/env python3
"""counting_test.py WORKLOAD: compares what the CUDA engine's hot kernels move and issue with their limits.

These are counts and not times. WORKLOAD (counting_workload) makes one call under a profiler that counts, and the
figures are compared with the table below. The profiler is named by the environment: ZCMOE_GPU_PROFILER holds the name
of the variable that takes the path of the profile to write, and ZCMOE_GPU_RUNNER, if set, the program that runs another
one on the profiled device. Without ZCMOE_GPU_PROFILER the test is skipped (exit 77).

The profile is JSON, {"launches": [...]}. Of each launch the test reads: kernel (a name), warp_instructions (PTX),
shared_wavefronts, global_load_requests and _sectors, global_store_requests and _sectors (of 32 bytes),
global_atomic_sectors, distinct_read_sectors, distinct_write_sectors, local_bytes.

Figures are per 32 inputs, which is one per lane of a warp; "bytes", "local" and "atomics" are per input. Wavefronts are
those of shared memory, and one for every 128 bytes that the arrays themselves move. "efficiency" is modelled: the share
of the bandwidth of device memory that the launch can reach on a card with 132 multiprocessors, 1.755 GHz and 3.35 TB/s.
There 32 inputs of 8 bytes take 17.7 clocks of a multiprocessor, in which it makes 17.7 wavefronts and issues 71
instructions, so the share is min(1, 17.7 / wavefronts, 71 / instructions). Inputs that move more bytes allow for more.
"""
import json
import os
import subprocess
import sys
import tempfile

# What a launch does once, as staging its table, is spread over its rows. A case has the fewest rows that leave its figures
# within the limits of one row: 2N for a table that takes so long to stage that N rows would show it, N/4 for small ones.
N = 1 << 24
SIZES = {"N/4": N // 4, "N/2": N // 2, "N": N, "2N": 2 * N}

# Limits of the figures. First float32 values from a table in shared memory:
HOT = {"bytes": 8.02, "instructions": 22, "local": 0, "store_sectors": 16}
RANDOM = {**HOT, "wavefronts": 9.5}
SORTED = {**HOT, "wavefronts": 4.1}
# Edges that need a root, which is the first stage of the routing table, of 32 grid cells or of 16 pieces.
GRID = {**HOT, "wavefronts": 13, "instructions": 32}
PIECES = {**HOT, "wavefronts": 13, "instructions": 46}
# A table too large for shared memory: an input costs one sector besides those of x itself.
CELLS = {**HOT, "bytes": 8.1, "wavefronts": 2.1, "instructions": 31, "load_sectors": 37}
F64 = {"bytes": 16.02, "instructions": 44, "local": 0, "store_sectors": 16, "wavefronts": 19}
THREE_OUTPUTS = {"bytes": 16.04, "instructions": 44, "local": 0, "store_sectors": 16, "wavefronts": 19}

# A fit, all its launches together. Without a sort, x and y are read once. With four columns of sums, each of the eight
# additions of 32 rows takes one wavefront, however the rows are spread over segments; the other wavefronts route.
FIT_FREE = {"bytes": 8.02, "wavefronts": 15, "instructions": 125, "local": 0, "atomics": 0.2}
FIT_SKEWED = {**FIT_FREE, "wavefronts": 12.5}
FIT_COLUMN = {**FIT_FREE, "bytes": 8.05, "wavefronts": 33, "instructions": 166}
# Sorted inputs, and targets that fit no window for long. The limits allow for 3.5 times the time of random rows, which
# is set by instructions (125 on four schedulers), or by the second-level cache where it adds many atomics (one sector
# per clock and multiprocessor).
FIT_SORTED = {**FIT_FREE, "wavefronts": 12.5, "instructions": 112, "atomics": 0.01}
FIT_DRIFTING = {**FIT_FREE, "wavefronts": 110, "instructions": 180, "atomics": 0.05}
FIT_HOT = {**FIT_FREE, "wavefronts": 135, "instructions": 215, "atomics": 0.01}
FIT_WIDE = {**FIT_FREE, "wavefronts": 45, "instructions": 250, "atomics": 0.6}
FIT_WIDE_MANY = {**FIT_FREE, "bytes": 8.05, "wavefronts": 46, "instructions": 350, "atomics": 3.6}
# With a sort: 8 bytes per row to read x and y, then 20 (keys of one byte) or 36 (of two), and what the tiles of the sort
# read of each other.
FIT_SORT_1 = {"bytes": 8 + 20.5, "instructions": 430, "local": 0}
FIT_SORT_2 = {"bytes": 8 + 37, "instructions": 585, "local": 0}

# Rows of four columns of float32 and one value: 20 bytes, which leave time for 44 wavefronts and 177 instructions.
POINTS = {"bytes": 20.05, "local": 0, "store_sectors": 16}

# Arguments of counting_workload, where SIZES stand for rows; a part of the counted kernels' names; limits.
STREAM = "stream_kernel"
CASES = [
    ("predict uniform 64 random N/2 f32 v", STREAM, RANDOM),
    ("predict uniform 1024 random N/4 f32 v", STREAM, RANDOM),
    ("predict uniform 8192 random N/2 f32 v", STREAM, RANDOM),
    ("predict smooth 8192 random N f32 v", STREAM, RANDOM),
    ("predict uniform 1024 random N f32 vp", STREAM, {**RANDOM, "instructions": 24}),
    ("predict uniform 64 sorted N/2 f32 v", STREAM, SORTED),
    ("predict uniform 8192 sorted 2N f32 v", STREAM, SORTED),
    ("predict smooth 12000 random N f32 v", STREAM, GRID),
    ("predict clustered 64 random N/4 f32 v", STREAM, PIECES),
    ("predict clustered 8192 random N/2 f32 v", STREAM, PIECES),
    ("predict geometric 8192 random N/2 f32 v", STREAM, PIECES),
    ("predict uniform 65536 random N f32 v", STREAM, CELLS),
    ("predict uniform 1024 random N/4 f64 v", STREAM, F64),
    ("predict uniform 1024 random N/4 f32 vse", STREAM, THREE_OUTPUTS),
    ("points uniform 6 grid N/4", "stream_points", {**POINTS, "wavefronts": 13, "instructions": 126}),
    ("points uniform 64 tables N/4", "stream_points", {**POINTS, "wavefronts": 22, "instructions": 117}),
    ("points smooth 64 tables N/4", "stream_points", {**POINTS, "wavefronts": 27, "instructions": 117}),
    ("points uniform 64 score N/4", "stream_points", {**POINTS, "wavefronts": 29.5, "instructions": 129}),
    ("points uniform 64 pairs N/4", "stream_points", {**POINTS, "wavefronts": 43.5, "instructions": 165}),
    ("points uniform 64 tree N/4", "stream_points", {**POINTS, "wavefronts": 26, "instructions": 126}),
    ("points uniform 64 trees N/4", "stream_points", {**POINTS, "wavefronts": 113, "instructions": 354}),
    ("fit uniform 64 random N/4 f32 free sine", "", FIT_FREE),
    ("fit uniform 512 random N f32 free sine", "", FIT_FREE),
    ("fit uniform 512 skewed N/2 f32 free sine", "", FIT_SKEWED),
    ("fit uniform 4096 random N f32 free sine", "", FIT_COLUMN),
    ("fit uniform 8 sorted N/4 f32 free linear", "", FIT_SORTED),
    ("fit uniform 1024 sorted N f32 free linear", "", FIT_SORTED),
    ("fit uniform 8 sorted N f32 free drifting", "", FIT_DRIFTING),
    ("fit uniform 1024 sorted N f32 free drifting", "", FIT_DRIFTING),
    ("fit uniform 1024 sorted N f32 free jumping", "", FIT_HOT),
    ("fit uniform 8 skewed N/4 f32 free alternating", "", FIT_HOT),
    ("fit uniform 8 random N/4 f32 free wide", "", FIT_WIDE),
    ("fit uniform 256 random N f32 free wide", "", FIT_WIDE),
    ("fit uniform 1024 random N/2 f32 free wide", "", FIT_WIDE_MANY),
    ("fit uniform 4096 random N f32 free wide", "", FIT_WIDE_MANY),
    ("fit uniform 256 random N/4 f32 sort sine", "", FIT_SORT_1),
    ("fit uniform 16384 random N f32 sort sine", "", FIT_SORT_2),
]


def profile(command, variable):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "profile.json")
        subprocess.run(command, check=True, env={**os.environ, variable: path})
        with open(path, encoding="utf-8") as file:
            return json.load(file)["launches"]


def figures(launches, num_inputs):
    """The figures of all launches together; see the top of this file."""
    total = {}
    for launch in launches:
        for name, value in launch.items():
            if isinstance(value, int):
                total[name] = total.get(name, 0) + value
    warps = num_inputs / 32
    moved = 32 * (total["distinct_read_sectors"] + total["distinct_write_sectors"])
    shared = total["shared_wavefronts"] / warps
    instructions = total["warp_instructions"] / warps
    wavefronts = shared + moved / 128 / warps
    room = moved / num_inputs / 8  # the model's 17.7 and 71 are for 8 bytes per input
    return {
        "bytes": moved / num_inputs,
        "wavefronts": wavefronts,
        "instructions": instructions,
        "local": total["local_bytes"] / num_inputs,
        "store_sectors": total["global_store_sectors"] / max(1, total["global_store_requests"]),
        "load_sectors": total["global_load_sectors"] / warps,
        "atomics": total["global_atomic_sectors"] / num_inputs,
        "efficiency": min(1.0, room * 17.7 / wavefronts, room * 71 / instructions),
    }


def main():
    variable = os.environ.get("ZCMOE_GPU_PROFILER")
    if not variable:
        print("skipped: ZCMOE_GPU_PROFILER is not set")
        return 77
    runner = os.environ.get("ZCMOE_GPU_RUNNER")
    failed = 0
    for case, kernel, limits in CASES:
        arguments = [str(SIZES.get(word, word)) for word in case.split()]
        command = ([runner] if runner else []) + [sys.argv[1], *arguments]
        launches = [l for l in profile(command, variable) if kernel in l["kernel"]]
        if not launches:
            print(f"FAILED {case}: no launch of {kernel}")
            failed += 1
            continue
        seen = figures(launches, int(arguments[4]))
        over = [name for name, limit in limits.items() if seen[name] > limit]
        failed += bool(over)
        print(("FAILED " if over else "ok     ") + case + ": " +
              ", ".join(f"{name} {value:.3f}" + (f" > {limits[name]}" if name in over else "")
                        for name, value in seen.items()), flush=True)
    print("Efficiency is a model, not a measurement.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
