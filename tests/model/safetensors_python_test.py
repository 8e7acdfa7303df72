#!/usr/bin/env python3
"""Model files as a user of the PyPI package safetensors sees them.

safetensors_python_test.py FOLDER [ZCMOE]
FOLDER holds the stored models; ZCMOE is the command line, which then also writes one. Exits 77 (skipped) where the
packages safetensors and numpy are not installed.
"""
import math
import pathlib
import struct
import subprocess
import sys
import tempfile

try:
    import numpy as np
    from safetensors import safe_open
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

MODEL_ARRAYS = ("boundaries", "values", "counts", "weights", "variance", "standard_error")


def read(path):
    with safe_open(path, "np") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()


def check_model(path, version="1.0", more=()):
    arrays, metadata = read(path)
    assert set(arrays) == set(MODEL_ARRAYS + more), arrays.keys()
    slots = len(arrays["boundaries"]) + 2
    for name, array in arrays.items():
        assert array.dtype == (np.int64 if name == "counts" else np.float64), (name, array.dtype)
        shape = {"boundaries": (slots - 2,), "lines": (slots, 4)}.get(name, (slots,))
        assert array.shape == shape, (name, array.shape)
    assert np.all(np.diff(arrays["boundaries"]) > 0)
    assert metadata["format"] == "zcmoe-model" and metadata["format_version"] == version
    for name in ("nan_value", "range_value", "empty_value", "shrinkage"):
        float(metadata[name])
    data = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    assert length % 8 == 0, "arrays are aligned to 8 bytes"
    return arrays, metadata


def check_checksums(path):
    """The recipe of docs/model-file.md, in Python."""
    try:
        import xxhash
    except ImportError:
        return "not checked: no package xxhash"
    data = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    prefix = b'{"__metadata__":{"header_xxh3_128":"'
    assert data[8:].startswith(prefix)
    at = 8 + len(prefix)
    _, metadata = read(path)
    head = data[:at] + b"0" * 32 + data[at + 32 : 8 + length]
    assert xxhash.xxh3_128_hexdigest(head) == metadata["header_xxh3_128"]
    assert xxhash.xxh3_128_hexdigest(data[8 + length :]) == metadata["data_xxh3_128"]
    return "checked"


def sums(arrays, metadata, name):
    """The exact sums of a state as Python integers."""
    if name not in arrays:
        return [0] * len(arrays["counts"])
    first = int(metadata[name + "_first_plane"])
    planes = arrays[name].tolist()
    return [sum(plane[i] << (32 * (first + k)) for k, plane in enumerate(planes)) for i in range(len(planes[0]))]


def position(a, b, x):
    """Where an input stands in the segment from a to b."""
    centre = a + (b / 2 - a / 2)
    _, exponent = math.frexp(max(centre - a, b - centre))
    return round((min(max(x, a), b) - centre) * 2.0 ** (31 - exponent))


def check_lines(folder):
    arrays, metadata = check_model(folder / "linear-1.2.safetensors", "1.2", ("lines",))
    assert metadata["experts"] == "linear" and "constants" not in metadata
    begin, end, value, slope = arrays["lines"].T
    assert [begin[0], end[0], value[0], slope[0]] == [0.25, 0.75, 1.0, 4.0]
    np.testing.assert_allclose(arrays["lines"][3], [3.0, 3.75, 3.9, 5.6], rtol=1e-15)
    assert np.all(slope[[1, 2, 4, 5, 6, 7]] == 0)
    # Slots without a line of their own answer with their values.
    np.testing.assert_array_equal(value[[1, 2, 4, 5, 6, 7]], arrays["values"][[1, 2, 4, 5, 6, 7]])

    arrays, metadata = check_model(folder / "interpolate-weighted-1.2.safetensors", "1.2", ("lines",))
    assert metadata["experts"] == "interpolate" and metadata["weighted"] == "true"
    begin, end, value, slope = arrays["lines"][0]
    assert [begin, end] == arrays["boundaries"][:2].tolist()
    np.testing.assert_allclose(arrays["values"][0], value + slope * (0.0 - begin), rtol=1e-9)

    # A state says what a reader of this page computes.
    arrays, metadata = read(folder / "state-linear-1.2.safetensors")
    assert metadata["format_version"] == "1.2" and metadata["experts"] == "linear"
    x = [0.25, 0.5, 0.75, 1.25, 1.75, 3.0, 3.25, 3.5, 3.75, 7.0]  # 7 is clamped to the last segment
    y = [1.0, 2.0, 3.0, 3.0, 2.5, 4.0, 5.0, 7.0, 8.0, 9.0]
    for segment in range(5):
        rows = [i for i in range(10) if min(int(x[i]), 4) == segment]
        t = [position(segment, segment + 1, x[i]) for i in rows]
        assert sums(arrays, metadata, "t")[segment] == sum(t)
        assert sums(arrays, metadata, "tt")[segment] == sum(k * k for k in t)
        assert sums(arrays, metadata, "ty")[segment] == sum(k * int(2 * y[i]) * 2**1073 for i, k in zip(rows, t))
        zero = 2**31 + 1
        assert arrays["lowest"][segment] == (zero - min(t) if t else 0)
        assert arrays["highest"][segment] == (zero + max(t) if t else 0)
    assert position(2, 4, 3.5) == 2**29 and position(2, 4, 5) == 2**30

    arrays, metadata = read(folder / "state-interpolate-f32-weighted-1.2.safetensors")
    p = position(-0.5, 0.5, 0.25)
    unit = 2**149
    assert sums(arrays, metadata, "wt") == [0] * 5  # -p + 2 * 0 + p
    assert sums(arrays, metadata, "wtt")[0] == 2 * p * p * unit
    assert sums(arrays, metadata, "wty")[0] == (-1 + 5) * p * unit**2


def score_of(arrays, codes):
    """The score of a row of codes, as docs/model-file.md says."""
    arrays = {name: array.tolist() for name, array in arrays.items()}
    slots = [axis[1] + 3 for axis in arrays["axes"]]
    addends, offsets = iter(arrays["addends"]), iter(arrays["offsets"])
    oblique, nodes, constants = iter(arrays["oblique"]), iter(arrays["nodes"]), iter(arrays["constants"])

    def take(count, source):
        return [next(source) for _ in range(count)]

    def next_sum(length):
        return sum(take(slots[axis], offsets)[codes[axis]] for axis in take(length, addends))

    score = 0
    for cells, axes, num_nodes, num_oblique in arrays["banks"]:
        at = next_sum(axes)
        features = codes + [next_sum(length) for length in take(num_oblique, oblique)]
        tree = take(num_nodes, nodes)
        if tree:
            at = 0
            while at >= 0:
                feature, threshold, left, right = tree[at]
                at = right if features[feature] >= threshold else left
            at = ~at
        score += take(cells, constants)[at]
    assert not any(list(rest) for rest in (addends, offsets, oblique, nodes, constants))
    return score


def check_points(folder):
    arrays, metadata = read(folder / "points-tables-2.0.safetensors")
    assert metadata["format_version"] == "2.0" and metadata["partition"] == "tables"
    assert arrays["boundaries"].tolist() == [0.0, 1.0, 2.5, -1.0, 0.0, 0.5]
    assert arrays["axes"].tolist() == [[0, 2, 1, 1, 1, 3], [2, 2, 0, 0, 0, 0]]
    assert bytes(arrays["input_names"]).decode().split("\0") == ["distance", "", "Stra\u00dfe", ""]
    assert (metadata["base"], metadata["exponent"]) == ("-12345678901", "-20")
    assert score_of(arrays, [0, 1]) == 5 + 3 + 10 + 7
    assert score_of(arrays, [4, 0]) == 2**31 - 1 + 4 - 2**31 + 9

    arrays, metadata = read(folder / "points-score-2.0.safetensors")
    assert metadata["partition"] == "score" and metadata["noise_variance"] == "nan"
    np.testing.assert_array_equal(arrays["values"], [1.5, np.nan, -2.0, 0.25])
    assert arrays["thresholds"].tolist() == [-5, 0, 1000] and arrays["thresholds"].dtype == np.int64

    for name, score in (("tree", 1), ("grid", 1)):
        arrays, metadata = read(folder / f"points-{name}-2.0.safetensors")
        assert metadata["partition"] == name and "thresholds" not in arrays
        assert score_of(arrays, [0, 1]) == score


def main():
    folder = pathlib.Path(sys.argv[1])

    arrays, metadata = check_model(folder / "known-1.0.safetensors")
    assert arrays["boundaries"].tolist() == [-1.0, 0.0, 0.5, 2.0]
    np.testing.assert_array_equal(arrays["values"], [1.5, np.nan, -2.0, 0.1, -np.inf, -np.inf])
    assert arrays["counts"].tolist() == [0] * 6
    assert metadata["target_name"] == 'air "time" \u00e4\n'
    assert metadata["closed_side"] == "right" and metadata["target_dtype"] == "none"
    assert float(metadata["nan_value"]) == 0.1 and float(metadata["range_value"]) == -np.inf

    arrays, metadata = check_model(folder / "fitted-1.0.safetensors")
    assert arrays["counts"].tolist() == [3, 3, 0, 0, 1, 0, 0, 0]
    assert arrays["values"][0] == 0.5 / 3 and arrays["values"][4] == 4.0
    assert arrays["variance"][0] == 67 / 12
    assert metadata["feature_name"] == "distance"

    arrays, metadata = check_model(folder / "weighted-1.0.safetensors")
    assert arrays["weights"].tolist() == [4.5, 0.0, 2.0, 1.0, 0.375]
    assert metadata["weighted"] == "true" and float(metadata["shrinkage"]) == 0.75

    arrays, metadata = check_model(folder / "precision-1.3.safetensors", "1.3")
    assert metadata["weights_kind"] == "precision" and metadata["weighted"] == "true"
    # Of a row of weight 1; shrinkage draws the standard error by W / (W + kappa).
    np.testing.assert_allclose(arrays["variance"][0], (1 + 0.5 * 3.5**2 - 0.75**2 / 4.5) / 2, rtol=1e-14)
    np.testing.assert_allclose(arrays["standard_error"][0] ** 2 * 5.25**2 / 4.5, arrays["variance"][0], rtol=1e-14)

    arrays, metadata = read(folder / "state-f64-1.0.safetensors")
    assert metadata["format"] == "zcmoe-fit" and arrays["counters"].dtype == np.int64
    assert arrays["counters"][:2].tolist() == [9, 7]
    unit = 2**1074
    assert sums(arrays, metadata, "y")[0] == unit // 2  # 1 - 2.5 + 2
    assert sums(arrays, metadata, "yy")[4] == 16 * unit**2

    check_lines(folder)
    check_points(folder)

    for path in sorted(folder.glob("*.safetensors")):
        print(path.name, "checksums:", check_checksums(path))

    if len(sys.argv) > 2:
        with tempfile.TemporaryDirectory() as scratch:
            table = pathlib.Path(scratch) / "table.csv"
            model = pathlib.Path(scratch) / "model.safetensors"
            table.write_text("x,y\n" + "".join(f"{i / 8},{i * i}\n" for i in range(33)))
            subprocess.run(
                [sys.argv[2], "fit", str(table), "--x", "x", "--y", "y", "--segments", "4", "--segmentation",
                 "uniform", "--output", str(model)],
                check=True, stdout=subprocess.DEVNULL)
            arrays, metadata = check_model(model)
            assert arrays["boundaries"].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
            expected = [np.mean(np.arange(a, b) ** 2) for a, b in ((0, 8), (8, 16), (16, 24), (24, 33))]
            np.testing.assert_allclose(arrays["values"][:4], expected, rtol=1e-15)
            assert arrays["counts"][:4].tolist() == [8, 8, 8, 9]
            assert metadata["feature_name"] == "x" and metadata["target_name"] == "y"
            print("command line: checksums:", check_checksums(model))


main()
