#include "host/learning/pair_counts.hpp"

#include <algorithm>
#include <utility>

namespace zcmoe::detail {
namespace {

void multiply(const std::vector<std::uint32_t>& counts, const std::vector<double>& table,
              std::vector<double>& out) {
  constexpr std::size_t lanes = 8;  // sums in a fixed order that vectors can follow
  const std::size_t columns = table.size();
  for (std::size_t c = 0; c < out.size(); ++c) {
    const std::uint32_t* row = &counts[c * columns];
    double sums[lanes] = {};
    std::size_t other = 0;
    for (; other + lanes <= columns; other += lanes) {
      for (std::size_t lane = 0; lane < lanes; ++lane)
        sums[lane] += static_cast<double>(row[other + lane]) * table[other + lane];
    }
    for (; other < columns; ++other) sums[0] += static_cast<double>(row[other]) * table[other];
    double sum = 0.0;
    for (const double lane : sums) sum += lane;
    out[c] = sum;
  }
}

void multiply_transposed(const std::vector<std::uint32_t>& counts, const std::vector<double>& table,
                         std::vector<double>& out) {
  for (double& value : out) value = 0.0;
  const std::size_t columns = out.size();
  for (std::size_t c = 0; c < table.size(); ++c) {
    const double value = table[c];
    if (value == 0.0) continue;
    const std::uint32_t* row = &counts[c * columns];
    for (std::size_t other = 0; other < columns; ++other)
      out[other] += static_cast<double>(row[other]) * value;
  }
}

// Looking a code up takes as long as this many counts in their order do.
constexpr std::size_t sparse_cost = 6;

/// Those of a pair, if they are few; else none.
sparse_counts sparse(const std::vector<std::uint32_t>& counts, std::size_t columns) {
  sparse_counts made;
  const std::size_t zeros =
      static_cast<std::size_t>(std::count(counts.begin(), counts.end(), std::uint32_t{0}));
  const std::size_t others = counts.size() - zeros;
  if (others * sparse_cost > counts.size()) return made;
  made.second.reserve(others);
  made.counts.reserve(others);
  for (std::size_t at = 0; at < counts.size(); ++at) {
    if (at % columns == 0) made.first.push_back(static_cast<std::uint32_t>(made.counts.size()));
    if (counts[at] == 0) continue;
    made.second.push_back(static_cast<std::uint8_t>(at % columns));
    made.counts.push_back(counts[at]);
  }
  made.first.push_back(static_cast<std::uint32_t>(others));
  return made;
}

void multiply(const sparse_counts& pair, const std::vector<double>& table,
              std::vector<double>& out) {
  for (std::size_t c = 0; c < out.size(); ++c) {
    double sum = 0.0;
    for (std::uint32_t at = pair.first[c]; at < pair.first[c + 1]; ++at)
      sum += static_cast<double>(pair.counts[at]) * table[pair.second[at]];
    out[c] = sum;
  }
}

void multiply_transposed(const sparse_counts& pair, const std::vector<double>& table,
                         std::vector<double>& out) {
  for (double& value : out) value = 0.0;
  for (std::size_t c = 0; c < table.size(); ++c) {
    for (std::uint32_t at = pair.first[c]; at < pair.first[c + 1]; ++at)
      out[pair.second[at]] += static_cast<double>(pair.counts[at]) * table[c];
  }
}

}  // namespace

pair_counts::pair_counts(const coded_rows& rows, std::vector<int> axes, row_passes& passes)
    : axes_(std::move(axes)) {
  const std::size_t d = axes_.size();
  slots_.reserve(d);
  for (const int a : axes_)
    slots_.push_back(static_cast<std::size_t>(rows.num_slots[static_cast<std::size_t>(a)]));
  const std::size_t num_pairs = d * (d - (d > 0 ? 1 : 0)) / 2;
  counts_.resize(num_pairs);
  sparse_.resize(num_pairs);
  std::vector<axis_pair> pairs(num_pairs);
  for (std::size_t k = 0; k < d; ++k) {
    for (std::size_t j = 0; j < k; ++j) {
      pairs[place(j, k)] = {
          {axes_[j], axes_[k]},
          {static_cast<std::int32_t>(slots_[j]), static_cast<std::int32_t>(slots_[k])}};
    }
  }
  passes.count_pairs(pairs, [&](std::size_t at, std::vector<std::uint32_t> counts) {
    sparse_[at] = sparse(counts, static_cast<std::size_t>(pairs[at].slots[1]));
    if (sparse_[at].first.empty()) counts_[at] = std::move(counts);
  });
}

void pair_counts::sums_of(std::size_t j, std::size_t k, const std::vector<double>& table,
                          std::vector<double>& out) const {
  out.resize(slots_[j]);
  const std::size_t at = j < k ? place(j, k) : place(k, j);
  const auto with = [&](const auto& counts) {
    j < k ? multiply(counts, table, out) : multiply_transposed(counts, table, out);
  };
  if (counts_[at].empty()) {
    with(sparse_[at]);
  } else {
    with(counts_[at]);
  }
}

}  // namespace zcmoe::detail
