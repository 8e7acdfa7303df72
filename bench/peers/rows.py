"""Table and rows of the comparison, the same in every process and on every machine, and the exact answers.

Needs nothing but numpy (1.24 or later): the worker with an old numpy reads this file too."""
import numpy as np

LINE = 64  # bytes; non-temporal stores need the alignment


def scramble(number):
    """64 random bits that depend on a number alone (Steele, Lea & Flood 2014, SplitMix64)."""
    z = (number + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def aligned(n, dtype):
    """n zeros on cache lines of their own; every page is there."""
    dtype = np.dtype(dtype)
    raw = np.zeros(n * dtype.itemsize + LINE, np.uint8)
    first = -raw.ctypes.data % LINE
    array = raw[first:first + n * dtype.itemsize].view(dtype)
    array.fill(0)
    return array


def edges(m):
    """m segments of [0, 1]: widths that grow eightfold from left to right, as a compander gives. Exact in float32, so
    that peers with float32 tables answer the same."""
    result = (np.expm1(np.arange(m + 1) / m * np.log(8.0)) / 7).astype(np.float32).astype(np.float64)
    result[0], result[-1] = 0, 1
    if not np.all(np.diff(result) > 0):
        raise ValueError(f"{m} segments do not have distinct edges in float32")
    return result


def constants(m):
    """A number per segment that no neighbour shares, exact in float32."""
    return (np.arange(m) % 2**20) - 0.25


class Rows:
    """x uniform on [0, 1), one in 128 of them on an edge; y a smooth curve and noise; room for answers. float32 and, where
    asked for, float64."""

    def __init__(self, n, with_f64=False):
        self.n = n
        self.x = aligned(n, np.float32)
        self.y = aligned(n, np.float32)
        self.answers = aligned(n, np.float32)
        part = 1 << 18
        for first in range(0, n, part):
            count = np.arange(first, min(first + part, n), dtype=np.uint64)
            u = (scramble(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53
            noise = (scramble(~count) >> np.uint64(11)).astype(np.float64) * 2.0**-53 - 0.5
            self.x[first:first + part] = np.minimum(u.astype(np.float32), np.nextafter(np.float32(1), np.float32(0)))
            self.y[first:first + part] = np.sin(6 * self.x[first:first + part].astype(np.float64)) + 0.2 * noise
        # Tables of 8, 16, 32 ... segments share edges: on these a comparison the wrong way round shows.
        for number, some in [(0, edges(8)), (1, edges(2**16))]:
            places = np.arange(number, n, 256, dtype=np.uint64)
            chosen = (scramble(places) % np.uint64(len(some) - 1)).astype(np.intp)
            self.x[number::256] = some[chosen]
        if with_f64:
            self.x64, self.y64, self.answers64 = (aligned(n, np.float64) for _ in range(3))
            self.x64[:], self.y64[:] = self.x, self.y

    def of(self, item_size):
        """x, y and answers of a type."""
        if item_size == 8:
            return self.x64, self.y64, self.answers64
        return self.x, self.y, self.answers


class Exact:
    """The right predictions of the first n rows."""

    def __init__(self, rows, m, n):
        self.m, self.n = m, min(n, rows.n)
        self.x = rows.x[:self.n]
        self.y = rows.y
        self.edges = edges(m)
        self.segments = np.searchsorted(self.edges[1:-1], self.x.astype(np.float64), side="right").astype(np.int32)
        self.table = constants(m).astype(np.float32)

    def check_predict(self, answers):
        """(rows compared, wrong answers, how many of these lie within one float32 step of an edge)."""
        n = min(len(answers), self.n)
        wrong = np.flatnonzero(np.asarray(answers[:n], np.float32) != self.table[self.segments[:n]])
        ties = 0
        for x in self.x[wrong[:100000]]:
            above, below = np.nextafter(x, np.float32(2)), np.nextafter(x, np.float32(-1))
            at = np.searchsorted(self.edges, float(below), side="left")
            ties += at <= self.m and self.edges[at] <= above
        return n, len(wrong), int(ties)

    def check_fit(self, counts, means, n):
        """(rows compared, rows too many or too few, largest error of a mean) for sums of the first n rows."""
        n = min(n, self.n)
        expected = np.bincount(self.segments[:n], minlength=self.m)
        sums = np.bincount(self.segments[:n], weights=self.y[:n], minlength=self.m)
        filled = expected > 0
        off = int(np.abs(np.asarray(counts)[filled] - expected[filled]).sum()) + int(np.asarray(counts)[~filled].sum())
        error = float(np.abs(np.asarray(means)[filled] - sums[filled] / expected[filled]).max()) if n else 0.0
        return n, off, error
