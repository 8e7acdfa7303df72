// Rows are found by an open-addressing table of their numbers. All memory that a call needs is
// taken before the first row is touched.
#include "host/learning/row_sample.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace zcmoe::detail {
namespace {

constexpr std::int64_t rows_ahead = 16;  // whose place in the table is fetched

std::uint64_t bits_of(double value) {
  std::uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

std::size_t table_size(std::int64_t rows) {
  std::size_t size = 64;
  while (2 * size < 3 * static_cast<std::size_t>(rows)) size *= 2;
  return size;
}

/// Moves chosen entries, of ascending numbers, to the front.
template <class T>
void keep(std::vector<T>& all, std::size_t width, std::size_t from, std::size_t to) {
  if (from != to)
    std::memmove(all.data() + to * width, all.data() + from * width, width * sizeof(T));
}

}  // namespace

row_sample::row_sample(std::vector<std::uint8_t> nan_codes, std::int64_t sample_rows, bool weighted)
    : nan_codes_(std::move(nan_codes)),
      width_(static_cast<std::int64_t>(nan_codes_.size()) + (weighted ? 2 : 1)),
      limit_(sample_rows) {
  fill_table();
}

// ---------------------------------------------------------------- growing

void row_sample::check_sum(const row_counts& more) const {
  if (more.rows > ZCMOE_MAX_ROWS - counts_.rows)
    fail(ZCMOE_ERR_NUMERIC, counts_.rows, " rows and ", more.rows, " more are more than ",
         ZCMOE_MAX_ROWS);
}

/// Makes room for so many more rows, or for as many as come together before some are dropped.
void row_sample::reserve(std::int64_t more) {
  const auto size = static_cast<std::int64_t>(hashes_.size());
  const std::int64_t most = room_for_all();
  const std::int64_t needed = std::min(size + more, most);
  if (needed <= capacity_) return;
  // In doubling steps, the last of which starts early: old and new rows are in memory together.
  const std::int64_t rows = 2 * needed >= most ? most : std::max(needed, 2 * capacity_);
  std::vector<row_number> table(table_size(rows), no_row);
  const auto count = static_cast<std::size_t>(rows);
  numbers_.reserve(count * static_cast<std::size_t>(width_));
  hashes_.reserve(count);
  repeated_.reserve(count);
  scratch_.reserve(count);
  table_.swap(table);
  fill_table();
  capacity_ = rows;
}

void row_sample::fill_table() {
  if (table_.empty()) table_.resize(table_size(0));
  std::fill(table_.begin(), table_.end(), no_row);
  const std::size_t mask = table_.size() - 1;
  for (std::size_t i = 0; i < hashes_.size(); ++i) {
    std::size_t at = hashes_[i] & mask;
    while (table_[at] != no_row) at = (at + 1) & mask;
    table_[at] = static_cast<row_number>(i);
  }
}

/// There is room.
void row_sample::insert(std::uint64_t hash, const double* numbers, std::int64_t count) {
  const std::size_t mask = table_.size() - 1;
  std::size_t at = hash & mask;
  for (; table_[at] != no_row; at = (at + 1) & mask) {
    const row_number found = table_[at];
    if (hashes_[found] != hash || std::memcmp(row(found), numbers, bytes_of_row()) != 0) continue;
    repeated_[found] += count;
    return;
  }
  table_[at] = static_cast<row_number>(hashes_.size());
  numbers_.insert(numbers_.end(), numbers, numbers + width_);
  hashes_.push_back(hash);
  repeated_.push_back(count);
  if (static_cast<std::int64_t>(hashes_.size()) == room_for_all()) drop_rows();
}

/// Drops what is beyond the limit, and allocates nothing.
void row_sample::drop_rows() {
  const auto limit = static_cast<std::size_t>(limit_);
  if (hashes_.size() <= limit) return;
  scratch_.assign(hashes_.begin(), hashes_.end());
  std::nth_element(scratch_.begin(), scratch_.begin() + (limit_ - 1), scratch_.end());
  most_hash_ = scratch_[limit - 1];
  // Of rows with just this hash those with the least bits are kept.
  scratch_.clear();
  std::size_t less = 0;
  for (std::size_t i = 0; i < hashes_.size(); ++i) {
    if (hashes_[i] < most_hash_) ++less;
    if (hashes_[i] == most_hash_) scratch_.push_back(i);
  }
  std::sort(scratch_.begin(), scratch_.end(),
            [this](std::uint64_t a, std::uint64_t b) { return is_before(a, b); });
  scratch_.resize(limit - less);
  std::sort(scratch_.begin(), scratch_.end());
  auto last = scratch_.begin();
  std::size_t to = 0;
  for (std::size_t from = 0; from < hashes_.size(); ++from) {
    if (hashes_[from] > most_hash_) continue;
    if (hashes_[from] == most_hash_) {
      if (last == scratch_.end() || *last != from) continue;
      ++last;
    }
    keep(numbers_, static_cast<std::size_t>(width_), from, to);
    keep(hashes_, 1, from, to);
    keep(repeated_, 1, from, to);
    ++to;
  }
  numbers_.resize(to * static_cast<std::size_t>(width_));
  hashes_.resize(to);
  repeated_.resize(to);
  fill_table();
}

void row_sample::add(backend& engine, const zcmoe_points& x, const zcmoe_array& y,
                     const zcmoe_array& weights, std::int64_t n, std::int64_t first_row) {
  if (n == 0) return;
  run_as_part(engine, [&] {
    const any_array targets = any(y);
    const any_array weighing = any(weights);
    host_columns inputs(engine, x, n, first_row);
    usable_rows found = find_usable(inputs, y, weights, n, nan_codes_, parts_on(engine));
    check_sum(found.counts);
    std::int64_t candidates = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (found.used[at] == 0) continue;
      const double target = targets[i];
      hash_inputs(&target, 1, &found.hashes[at]);
      if (weighted()) {
        const double weight = weighing[i];
        hash_inputs(&weight, 1, &found.hashes[at]);
      }
      found.used[at] = found.hashes[at] <= most_hash_ ? 1 : 0;
      candidates += found.used[at];
    }
    reserve(candidates);
    std::vector<any_array> columns;
    columns.reserve(static_cast<std::size_t>(width_));
    for (std::int64_t j = 0; j < num_inputs(); ++j) columns.push_back(any(x.columns[j]));
    columns.push_back(targets);
    if (weighted()) columns.push_back(weighing);
    std::vector<double> numbers(columns.size());
    // From here on nothing throws.
    counts_ += found.counts;
    for (std::int64_t i = 0; i < n; ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (i + rows_ahead < n)
        __builtin_prefetch(&table_[found.hashes[at + rows_ahead] & (table_.size() - 1)]);
      if (found.used[at] == 0 || found.hashes[at] > most_hash_) continue;
      for (std::size_t j = 0; j < columns.size(); ++j) numbers[j] = canonical(columns[j][i]);
      insert(found.hashes[at], numbers.data(), 1);
    }
  });
}

void row_sample::merge(const row_sample& from) {
  check_sum(from.counts_);
  reserve(static_cast<std::int64_t>(from.hashes_.size()));
  counts_ += from.counts_;
  most_hash_ = std::min(most_hash_, from.most_hash_);
  for (std::size_t i = 0; i < from.hashes_.size(); ++i) {
    if (from.hashes_[i] <= most_hash_) insert(from.hashes_[i], from.row(i), from.repeated_[i]);
  }
}

// ------------------------------------------------------------------ order

bool row_sample::is_before(std::size_t a, std::size_t b) const {
  if (hashes_[a] != hashes_[b]) return hashes_[a] < hashes_[b];
  return std::memcmp(row(a), row(b), bytes_of_row()) < 0;
}

std::vector<row_sample::row_number> row_sample::in_order() const {
  std::vector<row_number> order(hashes_.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<row_number>(i);
  std::sort(order.begin(), order.end(),
            [this](row_number a, row_number b) { return is_before(a, b); });
  return order;
}

std::int64_t row_sample::repeated_rows() const {
  std::int64_t total = 0;
  for (const std::int64_t count : repeated_) total += count;
  return total;
}

double row_sample::share() {
  drop_rows();
  if (repeated_rows() == counts_.used()) return 1.0;
  // Hashes of distinct rows are spread evenly.
  const std::uint64_t greatest = *std::max_element(hashes_.begin(), hashes_.end());
  return std::ldexp(static_cast<double>(greatest), -64);
}

sampled_rows row_sample::rows() {
  drop_rows();
  const auto distinct = static_cast<std::int64_t>(hashes_.size());
  std::int64_t total = repeated_rows();
  if (total == distinct) return {numbers_.data(), width_, distinct, {}};

  std::vector<std::int64_t> copies = repeated_;
  if (total > limit_) {
    std::vector<std::int64_t> rest(copies.size());
    std::int64_t left = limit_;
    for (std::size_t i = 0; i < copies.size(); ++i) {
      const auto share = static_cast<__int128>(repeated_[i]) * limit_;
      copies[i] = static_cast<std::int64_t>(share / total);
      rest[i] = static_cast<std::int64_t>(share % total);
      left -= copies[i];
    }
    std::vector<row_number> order = in_order();
    std::stable_sort(order.begin(), order.end(),
                     [&](row_number a, row_number b) { return rest[a] > rest[b]; });
    for (std::int64_t k = 0; k < left; ++k) ++copies[order[static_cast<std::size_t>(k)]];
    total = limit_;
  }
  sampled_rows made{nullptr, width_, total, {}};
  made.own.reserve(static_cast<std::size_t>(total) * static_cast<std::size_t>(width_));
  for (std::size_t i = 0; i < copies.size(); ++i) {
    const double* const numbers = row(i);
    for (std::int64_t k = 0; k < copies[i]; ++k)
      made.own.insert(made.own.end(), numbers, numbers + width_);
  }
  made.numbers = made.own.data();
  return made;
}

// ------------------------------------------------------------------ files

sample_parts row_sample::parts() {
  drop_rows();
  sample_parts made;
  made.inputs.reserve(hashes_.size() * static_cast<std::size_t>(num_inputs()));
  made.targets.reserve(hashes_.size());
  made.counts.reserve(hashes_.size());
  for (const row_number i : in_order()) {
    made.inputs.insert(made.inputs.end(), row(i), row(i) + num_inputs());
    made.targets.push_back(row(i)[num_inputs()]);
    if (weighted()) made.weights.push_back(row(i)[num_inputs() + 1]);
    made.counts.push_back(repeated_[i]);
  }
  return made;
}

void row_sample::restore(const row_counts& counts, const sample_parts& parts) {
  const auto d = static_cast<std::size_t>(num_inputs());
  row_sample made(nan_codes_, limit_, weighted());
  made.counts_ = counts;
  made.reserve(static_cast<std::int64_t>(parts.targets.size()));
  std::vector<double> numbers(static_cast<std::size_t>(width_));
  std::int64_t total = 0;
  for (std::size_t i = 0; i < parts.targets.size(); ++i) {
    std::copy_n(parts.inputs.data() + i * d, d, numbers.begin());
    numbers[d] = parts.targets[i];
    if (weighted()) numbers[d + 1] = parts.weights[i];
    std::uint64_t hash = 0;
    for (std::size_t j = 0; j < numbers.size(); ++j) {
      const double number = numbers[j];
      const bool is_fit = j < d ? nan_codes_[j] != 0 || !std::isnan(number)
                                : std::isfinite(number) && (j == d || number > 0.0);
      if (!is_fit || bits_of(number) != bits_of(canonical(number)))
        fail(ZCMOE_ERR_FORMAT,
             j < d    ? "inputs"
             : j == d ? "targets"
                      : "weights",
             ": row ", i, " holds ", number, std::signbit(number) ? " with a sign" : "",
             ", which no row that is kept does");
      hash_inputs(&number, 1, &hash);
    }
    const std::int64_t count = parts.counts[i];
    if (count < 1 || count > counts.used() - total)
      fail(ZCMOE_ERR_FORMAT, "counts[", i, "]=", count, ", where ", counts.used() - total,
           " of the rows are left");
    total += count;
    made.insert(hash, numbers.data(), count);
    if (made.hashes_.size() != i + 1 || (i > 0 && !made.is_before(i - 1, i)))
      fail(ZCMOE_ERR_FORMAT, "row ", i, " is not behind row ", i - 1, " in their order");
  }
  if (total < counts.used()) {
    if (static_cast<std::int64_t>(made.hashes_.size()) < limit_)
      fail(ZCMOE_ERR_FORMAT, "tensor counts has ", made.hashes_.size(), " rows, which occurred ",
           total, " times, of ", counts.used(), " rows and of sample_rows=", limit_);
    made.most_hash_ = made.hashes_.back();
  }
  *this = std::move(made);
}

}  // namespace zcmoe::detail
