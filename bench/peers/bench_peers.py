#!/usr/bin/env python3
"""Times zcmoe beside what people use today, all peers in turn in one process; scripts/bench-peers prepares and calls it.

Every peer answers the same rows from the same table. Before a peer is timed, its answers are compared with the exact
ones. A round times each peer once; the rounds are repeated, each beginning with another peer. Results go to peers.json
after every group, so that an interrupted run can be resumed."""
import argparse
import ctypes
import datetime
import importlib.metadata
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time

# Before any peer is loaded: OpenMP threads that have nothing to do sleep instead of spinning into the next peer's turn.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("POLARS_MAX_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np  # noqa: E402

import python_peers  # noqa: E402
import rows as data  # noqa: E402

DISAGREEMENT = 3  # exit status; 1 is any other failure, 2 a wrong argument
NEAR_THE_LIMIT = ("copy", "read", "zcmoe", "zcmoe_whole", "s_plus_tree", "batched", "batched_gather")
TREES_UP_TO = 65536  # leaves; beyond, a full tree is no longer what these libraries are used for


class Spec:
    """A row of the comparison."""

    def __init__(self, name, label, op, threads, make, max_m=2**24, item_size=4, tolerance=1e-9, scaling=False,
                 place="here"):
        self.name, self.label, self.op, self.threads, self.make = name, label, op, threads, make
        self.max_m, self.item_size, self.tolerance, self.scaling, self.place = max_m, item_size, tolerance, scaling, place

    @property
    def checked(self):
        return self.name not in ("copy", "read")


def specs(all_threads, with_torch):
    """All rows. What is compiled goes by its name in compiled_peers.h, what is Python by its class."""
    both = (1, all_threads) if all_threads > 1 else (1,)
    many = (all_threads,)
    result = []

    def add(name, label, op, threads, make, **more):
        result.extend(Spec(name, label, op, t, make, **more) for t in threads)

    add("copy", "limit: copy past the caches", "predict", both, "copy", scaling=True)
    add("zcmoe", "zcmoe", "predict", both, "zcmoe_predict", scaling=True)
    add("copy", "limit: copy past the caches, float64", "predict", both, "copy", item_size=8)
    add("zcmoe", "zcmoe, float64", "predict", both, "zcmoe_predict", item_size=8)
    add("s_plus_tree", "S+-tree (16-wide nodes, SIMD)", "predict", (1,), "s_plus_tree", scaling=True)
    add("batched_gather", "batched search, vector gathers", "predict", (1,), "batched_gather")
    add("batched", "batched search", "predict", (1,), "batched", scaling=True)
    add("std", "std::upper_bound", "predict", (1,), "std", scaling=True)
    add("boost_histogram", "Boost.Histogram axis + look-up", "predict", (1,), "boost_histogram")
    add("thrust_cpp", "Thrust CPP", "predict", (1,), "thrust_cpp")
    add("thrust_tbb", "Thrust TBB", "predict", many, "thrust_tbb", scaling=True)
    add("thrust_omp", "Thrust OMP", "predict", many, "thrust_omp")
    add("numpy", "numpy searchsorted + take", "predict", (1,), python_peers.Numpy, scaling=True)
    add("numpy_1.24", "numpy 1.24 searchsorted + take", "predict", (1,), "Numpy", place="numpy_1.24")
    add("sklearn_tree", "scikit-learn tree", "predict", (1,), python_peers.SklearnTree, max_m=TREES_UP_TO)
    add("sklearn_bins", "scikit-learn KBinsDiscretizer + take", "predict", (1,), python_peers.SklearnBins)
    add("xgboost", "XGBoost inplace_predict", "predict", both, python_peers.Xgboost, max_m=TREES_UP_TO)
    add("lightgbm", "LightGBM predict", "predict", both, python_peers.Lightgbm, max_m=TREES_UP_TO)
    add("pandas", "pandas cut + take", "predict", (1,), python_peers.PandasPredict)
    add("polars", "polars search_sorted + gather", "predict", (1,), python_peers.PolarsPredict)
    if all_threads > 1:
        add("polars", "polars search_sorted + gather", "predict", many, "PolarsPredict", place="polars")
    if with_torch:
        add("torch", "torch bucketize + take", "predict", both, python_peers.Torch)

    # The exact state is 256 bytes a segment.
    add("read", "limit: read x and y", "fit", both, "read", scaling=True)
    add("zcmoe", "zcmoe", "fit", both, "zcmoe_fit", scaling=True, max_m=2**22)
    add("zcmoe_whole", "zcmoe, from no state to constants", "fit", (1,), "zcmoe_whole_fit", max_m=2**22)
    add("read", "limit: read x and y, float64", "fit", both, "read", item_size=8)
    add("zcmoe", "zcmoe, float64", "fit", both, "zcmoe_fit", item_size=8, max_m=2**20)
    add("std", "std::upper_bound + sums in double", "fit", (1,), "std", scaling=True)
    add("boost_histogram", "Boost.Histogram mean", "fit", (1,), "boost_histogram", scaling=True)
    add("thrust_cpp", "Thrust CPP sort + reduce", "fit", (1,), "thrust_cpp")
    add("thrust_tbb", "Thrust TBB sort + reduce", "fit", many, "thrust_tbb", scaling=True)
    add("thrust_omp", "Thrust OMP sort + reduce", "fit", many, "thrust_omp")
    add("numpy", "numpy searchsorted + 3 bincounts", "fit", (1,), python_peers.NumpyBincount, scaling=True)
    add("numpy_1.24", "numpy 1.24 searchsorted + 3 bincounts", "fit", (1,), "NumpyBincount", place="numpy_1.24")
    add("numpy_sort", "numpy argsort + reduceat", "fit", (1,), python_peers.NumpySort)
    add("scipy", "scipy binned_statistic", "fit", (1,), python_peers.Scipy)
    # These answer means of float32 columns in float32.
    add("pandas", "pandas cut + groupby", "fit", (1,), python_peers.PandasFit, tolerance=1e-6)
    add("polars", "polars search_sorted + group_by", "fit", (1,), python_peers.PolarsFit, tolerance=1e-6)
    if all_threads > 1:
        add("polars", "polars search_sorted + group_by", "fit", many, "PolarsFit", place="polars", tolerance=1e-6)
    return result


# ----------------------------------------------------------------- peers that run, each with seconds() and results

class CompiledPeer:
    """A peer of the shared library, reached through compiled_peers.h."""

    def __init__(self, library, spec, m, all_rows):
        self.library, self.op, self.m = library, spec.op, m
        self.item_size = spec.item_size
        self.x, self.y, self.answers_ = all_rows.of(spec.item_size)
        edges, constants = data.edges(m), data.constants(m)
        self.handle = library.peers_create(spec.make.encode(), edges.ctypes.data, constants.ctypes.data, m,
                                           spec.item_size, spec.threads)
        if not self.handle:
            raise RuntimeError(library.peers_error().decode())

    def seconds(self, n, calls):
        call = self.library.peers_predict if self.op == "predict" else self.library.peers_fit
        second = self.answers_ if self.op == "predict" else self.y
        result = call(self.handle, self.x.ctypes.data, second.ctypes.data, len(self.x), n, calls)
        if result < 0:
            raise RuntimeError(self.library.peers_error().decode())
        return result

    def answers(self, n):
        return self.answers_[:n]

    def moments(self):
        counts, means = np.zeros(self.m), np.zeros(self.m)
        if self.library.peers_moments(self.handle, counts.ctypes.data, means.ctypes.data):
            raise RuntimeError(self.library.peers_error().decode())
        return counts, means

    def close(self):
        self.library.peers_destroy(self.handle)


class PythonPeer:
    """A peer of python_peers.py, in this process."""

    def __init__(self, make, op, threads, m, all_rows):
        self.x, self.y, self.answers_ = all_rows.of(4)
        self.op = op
        self.peer = make(data.edges(m), data.constants(m), threads)
        assert make.predicts == (op == "predict")

    def seconds(self, n, calls):
        stride = -(-n // 16) * 16
        work = self.peer.predict if self.op == "predict" else self.peer.fit
        second = self.answers_ if self.op == "predict" else self.y
        first = 0
        start = time.perf_counter()
        for _ in range(calls):
            if first + n > len(self.x):
                first = 0
            work(self.x[first:first + n], second[first:first + n])
            first += stride
        return time.perf_counter() - start

    def answers(self, n):
        return self.answers_[:n]

    def moments(self):
        return self.peer.moments()

    def close(self):
        self.peer = None


class Worker:
    """A process with another numpy or another environment, which waits while others have their turn."""

    def __init__(self, python, environment, num_rows, folder):
        self.file = os.path.join(folder, f"worker-{os.getpid()}-{id(self)}.npy")
        self.process = subprocess.Popen(
            [python, os.path.abspath(__file__), "--serve", str(num_rows), self.file], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
        self.about = self.ask()

    def ask(self, **question):
        if question:
            self.process.stdin.write(json.dumps(question) + "\n")
            self.process.stdin.flush()
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"error": "the process ended"}
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def stop(self):
        self.process.stdin.close()
        self.process.wait()
        if os.path.exists(self.file):
            os.remove(self.file)


class WorkerPeer:
    """A peer of python_peers.py in a worker."""

    def __init__(self, worker, spec, m):
        self.worker = worker
        self.number = worker.ask(do="open", make=spec.make, op=spec.op, threads=spec.threads, m=m)["number"]

    def seconds(self, n, calls):
        return self.worker.ask(do="seconds", number=self.number, n=n, calls=calls)["seconds"]

    def answers(self, n):
        self.worker.ask(do="answers", number=self.number, n=n)
        return np.load(self.worker.file)

    def moments(self):
        self.worker.ask(do="moments", number=self.number)
        return np.load(self.worker.file)

    def close(self):
        self.worker.ask(do="close", number=self.number)


def serve(num_rows, file):
    """The worker's side."""
    talk = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what packages print must not get between the answers
    all_rows = data.Rows(num_rows)
    peers = {}
    print(json.dumps({"numpy": np.__version__}), file=talk, flush=True)
    for line in sys.stdin:
        question = json.loads(line)
        answer = {}
        try:
            number = question.get("number")
            if question["do"] == "open":
                number = max(peers, default=0) + 1
                peers[number] = PythonPeer(getattr(python_peers, question["make"]), question["op"],
                                           question["threads"], question["m"], all_rows)
                answer["number"] = number
            elif question["do"] == "seconds":
                answer["seconds"] = peers[number].seconds(question["n"], question["calls"])
            elif question["do"] == "answers":
                np.save(file, peers[number].answers(question["n"]))
            elif question["do"] == "moments":
                np.save(file, np.array(peers[number].moments()))
            elif question["do"] == "close":
                peers.pop(number).close()
        except Exception as failure:  # whatever it is, the other process must hear of it
            answer = {"error": f"{type(failure).__name__}: {failure}"}
        print(json.dumps(answer), file=talk, flush=True)


# ------------------------------------------------------------------------------------------------ measuring

def last_level_cache():
    """The size of the last-level cache in bytes, or 32 MiB where the machine does not tell."""
    sizes = []
    folder = "/sys/devices/system/cpu/cpu0/cache"
    for entry in os.listdir(folder) if os.path.isdir(folder) else []:
        try:
            with open(os.path.join(folder, entry, "size"), encoding="ascii") as file:
                text = file.read().strip()
            sizes.append(int(text[:-1]) * {"K": 2**10, "M": 2**20}[text[-1]])
        except (OSError, ValueError, KeyError):
            pass
    return max(sizes, default=32 * 2**20)


def short(value):
    """The number with five digits, which are more than a time has."""
    return float(f"{value:.5g}")


class Bench:
    def __init__(self, options):
        self.options = options
        quick = options.quick
        self.rounds = options.rounds or (2 if quick else 11)
        llc = last_level_cache()
        # x and the answers, or x and y, take twice the last-level cache.
        self.full_rows = 4096 if quick else 2**math.ceil(math.log2(2 * llc / 8))
        self.least_rows = 1024 if quick else 2**18
        self.chunk = 4096 if quick else 10**7
        self.sample_seconds = 0 if quick else 0.05
        self.rows = data.Rows(max(self.full_rows, self.chunk), with_f64=True)
        self.library = self.load(options.library)
        self.all_threads = min(2, len(os.sched_getaffinity(0)))
        self.sampled = 0.0  # seconds
        self.workers = {}
        self.skipped = {}
        self.path = os.path.join(options.output, "peers.json")
        self.run = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.report = {"context": self.context(llc), "results": [], "skipped": []}
        if (options.only or options.resume) and os.path.exists(self.path):
            with open(self.path, encoding="utf-8") as file:
                before = json.load(file)
            self.report["results"] = before["results"]
            self.report["context"]["versions"] = {**before["context"]["versions"], **self.report["context"]["versions"]}

    @staticmethod
    def load(path):
        library = ctypes.CDLL(path)
        pointer, integer, text = ctypes.c_void_p, ctypes.c_int64, ctypes.c_char_p
        for name, result, arguments in [
                ("names", text, []), ("build_info", text, []), ("error", text, []),
                ("create", pointer, [text, pointer, pointer, integer, integer, integer]), ("destroy", None, [pointer]),
                ("predict", ctypes.c_double, [pointer, pointer, pointer, integer, integer, integer]),
                ("fit", ctypes.c_double, [pointer, pointer, pointer, integer, integer, integer]),
                ("moments", ctypes.c_int, [pointer, pointer, pointer])]:
            function = getattr(library, "peers_" + name)
            function.restype, function.argtypes = result, arguments
        return library

    def context(self, llc):
        versions = {}
        for package in ["numpy", "scipy", "pandas", "polars", "scikit-learn", "xgboost-cpu", "xgboost", "lightgbm",
                        "torch"]:
            try:
                versions[package] = importlib.metadata.version(package)
            except importlib.metadata.PackageNotFoundError:
                pass
        cpu = platform.processor()
        try:
            with open("/proc/cpuinfo", encoding="utf-8") as file:
                cpu = next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
        except (OSError, StopIteration):
            pass
        return {"date": self.run, "cpu": cpu, "cores": len(os.sched_getaffinity(0)), "last_level_cache": llc,
                "load_average": os.getloadavg()[0], "python": platform.python_version(), "versions": versions,
                "build": self.library.peers_build_info().decode(), "rounds": self.rounds, "quick": self.options.quick,
                "full_rows": self.full_rows}

    def skip(self, spec, reason):
        self.skipped.setdefault((spec.op, spec.name, spec.threads), reason)

    def wanted(self, op, m, scaling=False):
        result = []
        for spec in specs(self.all_threads, self.options.with_torch):
            if spec.op != op or (scaling and not spec.scaling):
                continue
            if self.options.only and spec.name not in self.options.only:
                continue
            if m > spec.max_m:
                continue
            result.append(spec)
        return result

    def open(self, spec, m):
        """The peer, or None and a note why it is left out."""
        try:
            if spec.place == "here":
                if isinstance(spec.make, str):
                    if spec.make not in self.library.peers_names().decode().split():
                        raise RuntimeError("not compiled in")
                    return CompiledPeer(self.library, spec, m, self.rows)
                return PythonPeer(spec.make, spec.op, spec.threads, m, self.rows)
            return WorkerPeer(self.worker(spec), spec, m)
        except Exception as failure:  # a peer that does not work is reported and does not end the run
            self.skip(spec, f"{type(failure).__name__}: {failure}".split("\n")[0][:200])
            return None

    def worker(self, spec):
        if spec.place not in self.workers:
            if spec.place == "numpy_1.24":
                if not self.options.old_numpy:
                    raise RuntimeError("no Python with numpy 1.24 was named")
                worker = Worker(self.options.old_numpy, {}, self.rows.n, self.options.output)
                self.report["context"]["versions"]["numpy_1.24"] = worker.about["numpy"]
            else:
                worker = Worker(sys.executable, {"POLARS_MAX_THREADS": str(spec.threads)}, self.rows.n,
                                self.options.output)
            self.workers[spec.place] = worker
        return self.workers[spec.place]

    def prepare(self, spec, m, exact):
        """A peer that is checked and warm: {spec, peer, ns (first estimate), check}; None if there is no such."""
        peer = self.open(spec, m)
        if peer is None:
            return None
        n = self.least_rows
        try:
            if spec.op == "predict":
                self.rows.of(spec.item_size)[2][:] = np.nan
                peer.seconds(n, 1)
                check = exact.check_predict(peer.answers(n)) if spec.checked else None
            else:
                peer.seconds(n, 1)
                check = exact.check_fit(*peer.moments(), n) if spec.checked else None
            ns = peer.seconds(n, 1) / n * 1e9
        except Exception as failure:
            self.skip(spec, f"{type(failure).__name__}: {failure}".split("\n")[0][:200])
            peer.close()
            return None
        return {"spec": spec, "peer": peer, "ns": ns, "check": check}

    def fixed_rows(self, ready, m):
        """Rows for one sample: all for whoever comes near memory's speed, fewer for the slow."""
        spec = ready["spec"]
        if ready["ns"] < 10 or spec.name == "zcmoe_whole":
            return self.full_rows
        # A row a segment at least, where a call has work to do for every segment.
        least = max(self.least_rows, min(m, 2**20) if spec.op == "fit" else 0)
        seconds = self.sample_seconds * (10 if spec.name in NEAR_THE_LIMIT else 1)
        fitting = int(seconds / (ready["ns"] * 1e-9))
        return min(self.full_rows, max(least, 2 ** max(fitting, 1).bit_length() // 2))

    def group(self, study, op, m, num_rows=None):
        """All peers of one table in turn. num_rows: rows of a sample, streamed in chunks; None: chosen by peer."""
        key = {"study": study, "op": op, "m": m, **({"n": num_rows} if num_rows else {})}
        if self.options.resume and any(all(old[k] == key[k] for k in key) and old["rounds"] >= 1
                                       for old in self.report["results"]):
            return
        exact = data.Exact(self.rows, m, self.full_rows if study == "peers" else self.least_rows)
        runs = []
        for spec in self.wanted(op, m, scaling=study != "peers"):
            ready = self.prepare(spec, m, exact)
            if ready is None:
                continue
            if num_rows is None:
                n, calls = self.fixed_rows(ready, m), 1
            elif num_rows <= self.chunk:
                # Short calls are repeated, on slice after slice, until the clock can tell.
                n = num_rows
                calls = 1 if self.options.quick else max(1, math.ceil(2e-3 / (ready["ns"] * 1e-9 * n)))
            else:
                n, calls = self.chunk, num_rows // self.chunk
            if num_rows and ready["ns"] * 1e-9 * n * calls > 5:
                ready["peer"].close()
                continue  # a point beyond five seconds is left out of the scaling plots
            ready.update(n=n, calls=calls, samples=[])
            ready["peer"].seconds(n, 1)
            if num_rows is None and op == "predict" and spec.checked:
                ready["check"] = exact.check_predict(ready["peer"].answers(n))
            runs.append(ready)
        most = self.rounds if study == "peers" else 5 if not num_rows or num_rows <= 10**7 else 3
        rounds = min(self.rounds, most)
        for number in range(rounds):
            first = number % max(len(runs), 1)
            for ready in runs[first:] + runs[:first]:
                ready["samples"].append(ready["peer"].seconds(ready["n"], ready["calls"]))
                self.sampled += ready["samples"][-1]
        for ready in runs:
            self.record(key, ready)
            ready["peer"].close()
        self.write()

    def record(self, key, ready):
        spec = ready["spec"]
        total = ready["n"] * ready["calls"]
        ns = sorted(sample / total * 1e9 for sample in ready["samples"])
        median = statistics.median(ns)
        entry = {"n": ready["n"], **key, "peer": spec.name, "label": spec.label, "threads": spec.threads,
                 "type": "f32" if spec.item_size == 4 else "f64", "rows_a_call": ready["n"], "calls": ready["calls"],
                 "rounds": len(ns), "run": self.run, "ns": short(median), "min": short(ns[0]), "max": short(ns[-1]),
                 "spread": short((ns[-1 - len(ns) // 4] - ns[len(ns) // 4]) / median),
                 "samples": [short(sample / total * 1e9) for sample in ready["samples"]]}
        if ready["check"]:
            entry["compared"], entry["wrong"] = ready["check"][:2]
            if spec.op == "predict":
                entry["wrong_on_edges"] = ready["check"][2]
                entry["agrees"] = entry["wrong"] == 0
            else:
                entry["largest_error"] = ready["check"][2]
                entry["agrees"] = entry["wrong"] == 0 and entry["largest_error"] <= spec.tolerance
        same = ["study", "op", "m", "peer", "threads", "type"] + (["n"] if key["study"] == "scaling_n" else [])
        self.report["results"] = [old for old in self.report["results"] if any(old[k] != entry[k] for k in same)]
        self.report["results"].append(entry)
        if self.options.verbose:
            print(f"{key['study']:9} {spec.op:7} m {key['m']:8} {spec.name:16} {spec.threads} "
                  f"{entry['type']} n {entry['n']:10} {median:9.3f} ns  {entry.get('wrong', '-')} wrong", flush=True)

    def write(self):
        self.report["skipped"] = [{"op": op, "peer": name, "threads": threads, "reason": reason}
                                  for (op, name, threads), reason in self.skipped.items()]
        with open(self.path + ".part", "w", encoding="utf-8") as file:
            # One result a line.
            context, skipped = (json.dumps(self.report[key]) for key in ["context", "skipped"])
            results = ",\n".join(map(json.dumps, self.report["results"]))
            file.write(f'{{"context": {context},\n"skipped": {skipped},\n"results": [\n{results}\n]}}\n')
        os.replace(self.path + ".part", self.path)

    def measure(self):
        quick = self.options.quick
        studies = self.options.studies
        segments = [8, 64, 1024] if quick else [8, 64, 256, 1024, 4096, 65536, 2**20]
        if "peers" in studies:
            for op in ["predict", "fit"]:
                for m in segments:
                    self.group("peers", op, m)
        if "scaling_m" in studies:
            for op in ["predict", "fit"]:
                for m in [8, 1024] if quick else [2**k for k in range(3, 25 if op == "predict" else 23)]:
                    self.group("scaling_m", op, m)
        if "scaling_n" in studies:
            for op in ["predict", "fit"]:
                for n in [1000, 2000] if quick else [10**k for k in range(3, 10)]:
                    self.group("scaling_n", op, 1024, n)
        for worker in self.workers.values():
            worker.stop()
        self.write()


def main():
    if sys.argv[1:2] == ["--serve"]:
        serve(int(sys.argv[2]), sys.argv[3])
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", required=True, help="libzcmoe_peers.so")
    parser.add_argument("--output", required=True, help="folder of the results")
    parser.add_argument("--old-numpy", help="a Python with numpy 1.24")
    parser.add_argument("--rounds", type=int, help="samples of each peer (11)")
    parser.add_argument("--only", type=lambda text: text.split(","), metavar="PEER,...",
                        help="measure these again and keep the other results")
    parser.add_argument("--studies", type=lambda text: text.split(","), default=["peers", "scaling_m", "scaling_n"],
                        metavar="STUDY,...", help="peers, scaling_m, scaling_n; default all")
    parser.add_argument("--resume", action="store_true", help="go on where a run was interrupted")
    parser.add_argument("--quick", action="store_true", help="few rows, two rounds: a test, not a measurement")
    parser.add_argument("--with-torch", action="store_true", help="torch too")
    parser.add_argument("--verbose", action="store_true", help="a line for each result")
    options = parser.parse_args()
    known = {spec.name for spec in specs(2, True)}
    for name in options.only or []:
        if name not in known:
            parser.error(f"--only {name}: the peers are {', '.join(sorted(known))}")
    for study in options.studies:
        if study not in ("peers", "scaling_m", "scaling_n"):
            parser.error(f"--studies {study}: the studies are peers, scaling_m, scaling_n")
    os.makedirs(options.output, exist_ok=True)
    start = time.perf_counter()
    bench = Bench(options)
    bench.measure()
    if options.verbose:
        print(f"{time.perf_counter() - start:.0f} s, of which {bench.sampled:.0f} s were samples")
    disagreeing = [entry for entry in bench.report["results"] if entry.get("agrees") is False]
    for entry in disagreeing:
        print(f"{entry['op']} m={entry['m']}: {entry['peer']} answers {entry['wrong']} of {entry['compared']} rows "
              f"otherwise", file=sys.stderr)
    return DISAGREEMENT if disagreeing else 0


if __name__ == "__main__":
    sys.exit(main())
