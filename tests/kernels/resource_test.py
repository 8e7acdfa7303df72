#!/usr/bin/env python3
"""resource_test.py NVCC SOURCE_DIR: checks registers, spills and local memory of the CUDA kernels, as the assembler
reports them for each architecture that a release has code for. A hot kernel may use no local memory and no more
registers than the table allows; the other kernels in the same files may not spill. To be quick, only files with hot
kernels are compiled.
"""
import os
import re
import subprocess
import sys
import tempfile

# By architecture, the most registers per thread with which a multiprocessor runs all the threads it can hold.
FULL = {"75": 64, "80": 32, "86": 40, "90": 32, "100": 32, "120": 40}

# By file and kernel (a part of its mangled name), the most registers that a thread may have.
FILES = {
    "kernels/predict.cu": {
        "stream_kernelIfLb1": FULL,
        "stream_kernelIdLb1": FULL,
        "stream_kernelIfLb0": 64,
        "stream_kernelIdLb0": 64,
        "gather_kernelIf": 48,
        "gather_kernelId": 56,
    },
    "kernels/accumulate.cu": {"accumulate_kernel": 64},  # blocks of 1,024 threads
}


def resources(nvcc, source, architecture, folder):
    """{mangled kernel: (registers, stack bytes, spilled bytes)}"""
    root = sys.argv[2]
    command = [nvcc, "-std=c++17", "-O3", "-DNDEBUG", "-I" + root, "-I" + os.path.join(root, "include"),
               "-gencode", f"arch=compute_{architecture},code=sm_{architecture}", "-Xptxas", "-v", "-cubin",
               os.path.join(root, source), "-o", os.path.join(folder, "kernels.cubin")]
    text = subprocess.run(command, check=True, stderr=subprocess.PIPE, text=True).stderr
    found = {}
    for part in text.split("Compiling entry function '")[1:]:
        name = part[:part.index("'")]
        stack, stores, loads = map(int, re.search(
            r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", part).groups())
        found[name] = (int(re.search(r"Used (\d+) registers", part).group(1)), stack, stores + loads)
    return found


def main():
    nvcc = sys.argv[1]
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for source, limits in FILES.items():
            for architecture in FULL:
                found = resources(nvcc, source, architecture, folder)
                for part, limit in limits.items():
                    most = limit[architecture] if limit is FULL else limit
                    named = [name for name in found if part in name]
                    if not named:
                        print(f"FAILED {source} sm_{architecture}: no kernel {part}")
                        failed += 1
                    for name in named:
                        registers, stack, spilled = found.pop(name)
                        bad = registers > most or stack > 0 or spilled > 0
                        failed += bad
                        print(f"{'FAILED' if bad else 'ok    '} sm_{architecture} {part}: {registers} registers "
                              f"(at most {most}), {stack} bytes of local memory, {spilled} spilled", flush=True)
                for name, (_, _, spilled) in found.items():
                    if spilled > 0:
                        print(f"FAILED sm_{architecture} {name}: {spilled} bytes spilled")
                        failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
