// Scores -> segments on the CPU: a score falls into one of many buckets of equal width, whose cell
// holds the one threshold that lies there. Buckets with several are searched.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace zcmoe::detail {

class score_table {
 public:
  score_table() = default;
  /// thresholds increase strictly; all scores lie in [least, greatest].
  score_table(const std::vector<std::int64_t>& thresholds, std::int64_t least,
              std::int64_t greatest) {
    // Thresholds that all scores reach are counted before; those that none reaches do not count.
    const auto begin = std::upper_bound(thresholds.begin(), thresholds.end(), least);
    const auto end = std::upper_bound(begin, thresholds.end(), greatest);
    before_ = static_cast<std::int32_t>(begin - thresholds.begin());
    thresholds_.assign(begin, end);
    first_ = thresholds_.empty() ? 0 : thresholds_.front();
    const std::uint64_t width = thresholds_.empty() ? 0 : distance(thresholds_.back());
    while ((width >> shift_) >= buckets_per_threshold * thresholds_.size() + 64) ++shift_;
    last_ = width >> shift_;
    cells_.resize(static_cast<std::size_t>(last_) + 2);
    std::size_t next = 0;
    for (std::size_t b = 0; b <= last_; ++b) {
      const std::size_t from = next;
      while (next < thresholds_.size() && distance(thresholds_[next]) >> shift_ == b) ++next;
      const auto rank = before_ + static_cast<std::int32_t>(from);
      cells_[b] = {next > from ? thresholds_[from] : std::numeric_limits<std::int64_t>::max(), rank,
                   next > from + 1};
    }
    cells_[static_cast<std::size_t>(last_) + 1] = {0, before_ + static_cast<std::int32_t>(next),
                                                   false};
  }

  template <class Score>
  void route(const Score* scores, int count, std::int32_t* segments) const {
    const cell* const cells = cells_.data();
    for (int k = 0; k < count; ++k) {
      const std::int64_t score = scores[k];
      const std::uint64_t bucket = std::min(score < first_ ? 0 : distance(score) >> shift_, last_);
      const cell& own = cells[bucket];
      segments[k] = own.rank + (own.threshold <= score ? 1 : 0);
      if (__builtin_expect(own.several, 0)) segments[k] = search(own, cells[bucket + 1], score);
    }
  }

  std::size_t bytes() const {
    return cells_.size() * sizeof(cell) + thresholds_.size() * sizeof(std::int64_t);
  }

 private:
  static constexpr std::uint64_t buckets_per_threshold = 8;
  struct cell {
    std::int64_t threshold;  // the first one in the bucket; without one a score that none is
    std::int32_t rank;       // thresholds below the bucket
    bool several;
  };

  std::uint64_t distance(std::int64_t score) const {
    return static_cast<std::uint64_t>(score) - static_cast<std::uint64_t>(first_);
  }
  std::int32_t search(const cell& own, const cell& next, std::int64_t score) const {
    const auto first = thresholds_.begin();
    return before_ +
           static_cast<std::int32_t>(std::upper_bound(first + (own.rank - before_),
                                                      first + (next.rank - before_), score) -
                                     first);
  }

  std::vector<std::int64_t> thresholds_;
  std::vector<cell> cells_;
  std::int64_t first_ = 0;
  std::uint64_t last_ = 0;
  int shift_ = 0;
  std::int32_t before_ = 0;
};

}  // namespace zcmoe::detail
