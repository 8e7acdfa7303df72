#include "host/learning/smoother.hpp"

#include <algorithm>
#include <cmath>

namespace zcmoe::detail {
namespace {

/// A symmetric, positive definite matrix that is 0 but for a band, and its Cholesky factor.
class band_matrix {
 public:
  band_matrix(std::int64_t size, std::int64_t width)
      : size_(size),
        width_(width),
        stride_(width + 1),
        columns_(static_cast<std::size_t>(size * (width + 1)), 0.0) {}

  /// i >= j
  double& at(std::int64_t i, std::int64_t j) {
    return columns_[static_cast<std::size_t>(j * stride_ + i - j)];
  }

  /// Adds weight (sum of factors[k] t[first + k step])^2 to the quadratic form.
  void add_square(std::int64_t first, std::int64_t step, const double* factors, int count,
                  double weight) {
    for (int k = 0; k < count; ++k) {
      for (int l = 0; l <= k; ++l)
        at(first + k * step, first + l * step) += weight * factors[k] * factors[l];
    }
  }

  void factorize() {
    // Where cells hang on others far away, rounding may leave nothing of what holds them.
    double most = 0.0;
    for (std::int64_t j = 0; j < size_; ++j) most = std::max(most, at(j, j));
    const double least = 1e-15 * most;
    for (std::int64_t j = 0; j < size_; ++j) {
      double* column = &at(j, j);
      const double root = std::sqrt(std::max(column[0], least));
      const std::int64_t below = std::min(width_, size_ - 1 - j);
      for (std::int64_t k = 0; k <= below; ++k) column[k] /= root;
      for (std::int64_t k = 1; k <= below; ++k) {
        const double factor = column[k];
        if (factor == 0.0) continue;
        double* target = &at(j + k, j + k);
        for (std::int64_t l = k; l <= below; ++l) target[l - k] -= factor * column[l];
      }
    }
  }

  void solve(std::vector<double>& x) {
    for (std::int64_t j = 0; j < size_; ++j) {
      const double* column = &at(j, j);
      const std::int64_t below = std::min(width_, size_ - 1 - j);
      double* values = &x[static_cast<std::size_t>(j)];
      values[0] /= column[0];
      for (std::int64_t k = 1; k <= below; ++k) values[k] -= column[k] * values[0];
    }
    for (std::int64_t j = size_ - 1; j >= 0; --j) {
      const double* column = &at(j, j);
      const std::int64_t below = std::min(width_, size_ - 1 - j);
      double* values = &x[static_cast<std::size_t>(j)];
      double value = values[0];
      for (std::int64_t k = 1; k <= below; ++k) value -= column[k] * values[k];
      values[0] = value / column[0];
    }
  }

 private:
  std::int64_t size_;
  std::int64_t width_;
  std::int64_t stride_;
  std::vector<double> columns_;
};

/// The factors of differences, by order.
constexpr double differences[][3] = {{1.0, 0.0, 0.0}, {-1.0, 1.0, 0.0}, {1.0, -2.0, 1.0}};

const double* difference(int order) { return differences[order]; }

/// Cells without rows hang on their neighbours alone; this keeps the matrix definite where even
/// these have none.
constexpr double least_share = 1e-7;

double mean_count(const std::vector<double>& counts) {
  double rows = 0.0;
  for (const double count : counts) rows += count;
  return std::max(rows, 1.0) / static_cast<double>(counts.size());
}

/// What tables take off the sum of squares of rows that they have not seen, and how far noise moves
/// that: sum of t (2 s - N t), of which the noise in s makes 4 N t^2 times its variance.
struct gain_sum {
  double gain = 0.0;
  double squares = 0.0;

  void add(const std::vector<double>& table, const double* counts, const double* sums) {
    for (std::size_t c = 0; c < table.size(); ++c) {
      const double square = counts[c] * table[c] * table[c];
      gain += 2.0 * table[c] * sums[c] - square;
      squares += square;
    }
  }
  bool is_beyond(double deviations, double noise) const {
    return gain > 2.0 * deviations * std::sqrt(noise * squares);
  }
};

/// How far a choice must be better than chance, in standard deviations.
constexpr double sure_table = 2.5;
constexpr double sure_grid = 2.5;

/// Differences that are large in the mean count for less, again and again, so that the sum of their
/// sizes is penalised and not that of their squares: one jump costs no more than a slope.
std::vector<double> jump_shares(const std::vector<double>& counts, const std::vector<double>& sums,
                                std::int64_t ordered, double ridge, axis_smoothing how) {
  const double* factors = difference(how.order);
  constexpr int num_steps = 3;
  constexpr double rounding = 0.3;  // of the tip of |x|, in mean sizes
  for (int step = 0; step < num_steps; ++step) {
    const std::vector<double> table = smooth_table(counts, sums, ordered, ridge, how);
    how.shares.assign(static_cast<std::size_t>(ordered - how.order), 0.0);
    double mean = 0.0;
    for (std::size_t c = 0; c < how.shares.size(); ++c) {
      for (int k = 0; k <= how.order; ++k)
        how.shares[c] += factors[k] * table[c + static_cast<std::size_t>(k)];
      mean += std::abs(how.shares[c]) / static_cast<double>(how.shares.size());
    }
    for (double& share : how.shares) {
      const double size = mean > 0.0 ? share / mean : 1.0;
      share = 1.0 / std::sqrt(rounding * rounding + size * size);
    }
  }
  return how.shares;
}

/// The parts that have rows, each with the sums of the others.
struct fold {
  cell_sums others;
  const double* counts;
  const double* sums;
};

std::vector<fold> folds_of(const cell_sums& sums) {
  std::vector<fold> folds;
  for (int part = 0; part < sums.num_parts(); ++part) {
    const auto first = static_cast<std::size_t>(part * sums.cells);
    const double* counts = sums.counts.data() + first;
    if (std::all_of(counts, counts + sums.cells, [](double count) { return count == 0.0; }))
      continue;
    folds.push_back({sums.total(part), counts, sums.sums.data() + first});
  }
  return folds;
}

}  // namespace

cell_sums cell_sums::total(int without) const {
  cell_sums all;
  all.cells = cells;
  all.counts.assign(static_cast<std::size_t>(cells), 0.0);
  all.sums.assign(static_cast<std::size_t>(cells), 0.0);
  for (int part = 0; part < num_parts(); ++part) {
    if (part == without) continue;
    const auto first = static_cast<std::size_t>(part * cells);
    for (std::size_t c = 0; c < all.counts.size(); ++c) {
      all.counts[c] += counts[first + c];
      all.sums[c] += sums[first + c];
    }
  }
  return all;
}

std::vector<double> smooth_table(const std::vector<double>& counts, const std::vector<double>& sums,
                                 std::int64_t ordered, double ridge, const axis_smoothing& how) {
  std::vector<double> table(counts.size(), 0.0);
  if (how.order < 0) return table;
  const auto along = static_cast<std::size_t>(ordered);
  if (how.order == 0) {
    for (std::size_t c = 0; c < along; ++c) table[c] = sums[c] / (counts[c] + how.lambda);
  } else {
    const double least = least_share * mean_count(counts);
    band_matrix matrix(ordered, how.order);
    std::vector<double> values(sums.begin(), sums.begin() + ordered);
    for (std::int64_t c = 0; c < ordered; ++c) {
      matrix.at(c, c) += counts[static_cast<std::size_t>(c)] + least;
      if (c + how.order < ordered)
        matrix.add_square(
            c, 1, difference(how.order), how.order + 1,
            how.shares.empty() ? how.lambda : how.lambda * how.shares[static_cast<std::size_t>(c)]);
    }
    matrix.factorize();
    matrix.solve(values);
    std::copy(values.begin(), values.end(), table.begin());
  }
  for (std::size_t c = along; c < table.size(); ++c) table[c] = sums[c] / (counts[c] + ridge);
  return table;
}

axis_smoothing choose_smoothing(const cell_sums& sums, std::int64_t ordered, double ridge,
                                double noise) {
  const std::vector<fold> folds = folds_of(sums);
  const cell_sums all = sums.total();
  const double unit = mean_count(all.counts);
  axis_smoothing best;
  const auto consider = [&](int order, double lambda, bool sharp) {
    axis_smoothing how{order, lambda, {}, 0.0};
    gain_sum sum;
    for (const fold& f : folds) {
      if (sharp) {
        how.shares.clear();
        how.shares = jump_shares(f.others.counts, f.others.sums, ordered, ridge, how);
      }
      sum.add(smooth_table(f.others.counts, f.others.sums, ordered, ridge, how), f.counts, f.sums);
    }
    how.gain = sum.gain;
    if (how.gain > best.gain && sum.is_beyond(sure_table, noise)) best = how;
  };
  struct range {
    int order, first, last;  // powers of 4 of lambda
  };
  for (const bool sharp : {false, true}) {
    for (const range& r : {range{0, -4, 5}, range{1, -4, 9}, range{2, -3, 15}}) {
      if (r.order >= ordered || (sharp && r.order == 0)) continue;
      for (int power = r.first; power <= r.last; ++power)
        consider(r.order, unit * std::ldexp(1.0, 2 * power), sharp);
    }
  }
  if (best.order < 0) return best;
  const axis_smoothing coarse = best;
  const bool sharp = !best.shares.empty();
  consider(coarse.order, 0.5 * coarse.lambda, sharp);
  consider(coarse.order, 2.0 * coarse.lambda, sharp);
  if (sharp) {
    best.shares.clear();
    best.shares = jump_shares(all.counts, all.sums, ordered, ridge, best);
  }
  return best;
}

std::vector<double> smooth_grid(const std::vector<double>& counts, const std::vector<double>& sums,
                                const grid_cells& cells, const grid_smoothing& how) {
  std::vector<double> table = sums;
  const std::int64_t across = cells.sizes[1];
  band_matrix matrix(cells.count(), std::min(how.order * across, cells.count() - 1));
  // Where there are no rows, a grid is nothing after a while.
  const double least = 1e-3 * mean_count(counts);
  for (std::int64_t c = 0; c < cells.count(); ++c)
    matrix.at(c, c) += counts[static_cast<std::size_t>(c)] + least;
  for (std::int64_t a = 0; a < cells.sizes[0]; ++a) {
    for (std::int64_t b = 0; b < across; ++b) {
      const std::int64_t c = a * across + b;
      if (a + how.order < cells.ordered[0])
        matrix.add_square(c, across, difference(how.order), how.order + 1, how.lambda[0]);
      if (b + how.order < cells.ordered[1])
        matrix.add_square(c, 1, difference(how.order), how.order + 1, how.lambda[1]);
    }
  }
  matrix.factorize();
  matrix.solve(table);
  return table;
}

namespace {

/// The best way of those that are tried to make a grid smooth.
class grid_search {
 public:
  grid_search(const cell_sums& sums, const grid_cells& cells, double deviations, double noise)
      : cells_(cells), folds_(folds_of(sums)), deviations_(deviations), noise_(noise) {}

  const grid_smoothing& best() const { return best_; }

  /// Whether it is the best so far.
  bool consider(grid_smoothing how) {
    gain_sum sum;
    for (const fold& f : folds_)
      sum.add(smooth_grid(f.others.counts, f.others.sums, cells_, how), f.counts, f.sums);
    how.gain = sum.gain;
    if (!(how.gain > best_.gain && sum.is_beyond(deviations_, noise_))) return false;
    best_ = how;
    return true;
  }

  /// More or less of the best, along the axes of which factors say so.
  bool move(double first, double second) {
    const auto times = [&](double power) {
      grid_smoothing how = best_;
      how.lambda[0] *= std::pow(first, power);
      how.lambda[1] *= std::pow(second, power);
      return consider(how);
    };
    return times(1.0) || times(-1.0);
  }

  /// One axis may be smoother than the other.
  void move_along_axes(double step, int most) {
    for (int moves = 0, stuck = 0; moves < most && stuck < 2; ++moves)
      stuck = (moves % 2 == 0 ? move(step, 1.0) : move(1.0, step)) ? 0 : stuck + 1;
  }

 private:
  const grid_cells& cells_;
  std::vector<fold> folds_;
  double deviations_;
  double noise_;
  grid_smoothing best_;
};

}  // namespace

grid_smoothing choose_smoothing(const cell_sums& sums, const grid_cells& cells, double noise,
                                bool thorough) {
  const double unit = mean_count(sums.total().counts);
  grid_search search(sums, cells, thorough ? sure_grid : 0.0, noise);
  const auto start = [&](int order, double lambda) {
    search.consider({order, {unit * lambda, unit * lambda}, 0.0});
  };
  if (!thorough) {
    for (const double lambda : {1.0, 8.0}) start(1, lambda);
    for (const double lambda : {1.0, 32.0}) start(2, lambda);
    return search.best();
  }
  for (const double lambda : {0.25, 1.0, 4.0, 16.0, 64.0}) start(1, lambda);
  for (const double lambda : {0.25, 2.0, 16.0, 128.0, 1024.0, 8192.0}) start(2, lambda);
  const int order = search.best().order;
  if (order == 0) return search.best();
  search.move_along_axes(order == 1 ? 4.0 : 8.0, 12);
  search.move_along_axes(order == 1 ? 2.0 : 3.0, 12);
  return search.best();
}

grid_smoothing improved(const grid_smoothing& how, const cell_sums& sums, const grid_cells& cells) {
  grid_search search(sums, cells, 0.0, 0.0);
  if (!search.consider(how)) return how;
  while (search.move(4.0, 4.0)) {
  }
  search.move_along_axes(4.0, 6);
  return search.best();
}

grid_smoothing refined(grid_smoothing how, double times_first, double times_second) {
  // Of differences of this order the squares fall with the power 2 order of the width of a segment,
  // and there are as many more of them as there are cells.
  const double power = 2.0 * how.order - 1.0;
  how.lambda[0] *= std::pow(times_first, power) / times_second;
  how.lambda[1] *= std::pow(times_second, power) / times_first;
  return how;
}

}  // namespace zcmoe::detail
