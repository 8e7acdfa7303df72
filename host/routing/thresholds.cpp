// Turns edges into thresholds of the type of the inputs: see thresholds.hpp. Each threshold is the
// smallest number of that type that lies on the right side of its edge.
#include "host/routing/thresholds.hpp"

#include "host/routing/slots.hpp"

#include <cmath>
#include <cstddef>
#include <limits>

namespace zcmoe::detail {
namespace {

/// The smallest T that is >= value, or, if `strictly`, > value; +infinity where there is none.
template <class T>
T at_least(double value, bool strictly) {
  constexpr T infinity = std::numeric_limits<T>::infinity();
  const T nearest = static_cast<T>(value);
  const double back = static_cast<double>(nearest);
  if (back > value || (back == value && !strictly)) return nearest;
  return std::nextafter(nearest, infinity);
}

}  // namespace

template <class T>
threshold_list<T> thresholds_of(const model_view& view) {
  const std::int64_t m = view.num_segments;
  const bool left_closed = view.closed_side == ZCMOE_CLOSED_LEFT;
  const bool outer = view.include_outer_edge != 0;
  const bool has_outer_slots = view.range_policy != ZCMOE_RANGE_CLAMP;
  threshold_list<T> list;
  list.nan_slot = static_cast<std::int32_t>(nan_slot_of(m));
  list.thresholds.reserve(static_cast<std::size_t>(m) + 1);
  list.slot_of_rank.reserve(static_cast<std::size_t>(m) + 2);
  list.slot_of_rank.push_back(has_outer_slots ? static_cast<std::int32_t>(below_slot_of(m)) : 0);
  const auto add = [&](T threshold, std::int64_t slot) {
    if (!list.thresholds.empty() && list.thresholds.back() == threshold) {
      list.slot_of_rank.back() = static_cast<std::int32_t>(slot);
    } else {
      list.thresholds.push_back(threshold);
      list.slot_of_rank.push_back(static_cast<std::int32_t>(slot));
    }
  };
  // These agree with is_below and is_above of the model_view: x is not below the range where x >=
  // a_0 or x > a_0, and it is above the range where x >= a_m or x > a_m.
  list.from = at_least<T>(view.edges[0], !(left_closed || outer));
  list.before = at_least<T>(view.edges[m], !left_closed || outer);
  if (has_outer_slots) add(list.from, 0);
  for (std::int64_t i = 1; i < m; ++i) add(at_least<T>(view.edges[i], !left_closed), i);
  if (has_outer_slots) add(list.before, above_slot_of(m));
  list.slots_are_ranks = true;
  for (std::size_t r = 0; r < list.slot_of_rank.size(); ++r) {
    list.slots_are_ranks =
        list.slots_are_ranks && list.slot_of_rank[r] == static_cast<std::int32_t>(r);
  }
  return list;
}

template threshold_list<float> thresholds_of<float>(const model_view&);
template threshold_list<double> thresholds_of<double>(const model_view&);

}  // namespace zcmoe::detail
