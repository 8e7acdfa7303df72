// What an engine is asked to do: the shape of a fit state, and one struct a call with the arrays it
// reads, the tables it routes with and the outputs it writes. model makes jobs, engines do them.
#pragma once

#include "host/array.hpp"
#include "host/engine/fit_row.hpp"
#include "host/experts/exact_sum.hpp"
#include "host/routing/slots.hpp"

#include <zcmoe/zcmoe.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace zcmoe::detail {

/// Shape of a fit state: one int64 array, num_row_counters counters, then num_planes planes of
/// num_slots sums.
struct state_layout {
  std::int64_t num_segments;
  zcmoe_dtype target_dtype;  // ZCMOE_F32 or ZCMOE_F64
  bool weighted;

  std::int64_t num_slots() const { return num_slots_of(num_segments); }
  int num_planes() const;
  std::size_t bytes() const {
    return (num_row_counters +
            static_cast<std::size_t>(num_planes()) * static_cast<std::size_t>(num_slots())) *
           sizeof(std::int64_t);
  }
};

/// Calls body(T{}, std::bool_constant<Weighted>{}) for the layout's types.
template <class Body>
decltype(auto) with_layout(const state_layout& layout, Body&& body) {
  if (layout.target_dtype == ZCMOE_F32) {
    return layout.weighted ? body(float{}, std::true_type{}) : body(float{}, std::false_type{});
  }
  return layout.weighted ? body(double{}, std::true_type{}) : body(double{}, std::false_type{});
}

inline int state_layout::num_planes() const {
  return with_layout(*this, [](auto target, auto is_weighted) {
    return sum_planes<decltype(target), decltype(is_weighted)::value>::end;
  });
}

/// One output of predict: out[i * stride] = table[slot of x_i], in elements of 4 or 8 bytes. Where
/// table is null, the output is the segment number itself.
struct gather {
  const void* table;
  void* out;
  std::int64_t stride;
  int element_size;
};
constexpr int max_gathers = 5;

/// What an engine prepares once for a table of edges, so as to route fast. It never changes.
class router {
 public:
  router() = default;
  router(const router&) = delete;
  router& operator=(const router&) = delete;
  virtual ~router() = default;
  /// Bytes of the engine's memory that it takes.
  virtual std::size_t bytes() const = 0;
};

struct predict_job {
  model_view view;       // tables in the engine's memory
  const router* routes;  // of the same table, from the same engine
  any_array x;
  std::int64_t n;
  gather gathers[max_gathers];
  int num_gathers;
  zcmoe_report* report;  // null where none is wanted
};

struct fit_job {
  state_layout layout;
  row_rules rules;
  const router* routes;  // of the same table, from the same engine
  std::int64_t* state;   // engine memory, layout.bytes()
  std::int64_t*
      first_bad;  // in the engine's memory: the first refused row, INT64_MAX if there is none
  any_array x;
  zcmoe_array y;
  zcmoe_array weights;  // its data is null unless layout.weighted
  std::int64_t n;
  void* workspace;  // null where the engine's allocator gives it
  std::size_t workspace_bytes;
};

struct group_column {
  const void* from;
  std::int64_t from_stride;
  void* to;
  std::int64_t to_stride;
  int element_size;
};
constexpr int max_group_columns = ZCMOE_GROUP_MAX_COLUMNS;

struct group_job {
  model_view view;       // edges and policies in the engine's memory
  const router* routes;  // of the same table, from the same engine
  any_array x;
  std::int64_t n;
  zcmoe_output offsets;  // data null: not wanted
  zcmoe_output rows;
  group_column columns[max_group_columns];
  int num_columns;
  void* workspace;  // null: from the engine's allocator
  std::size_t workspace_bytes;

  std::int64_t num_slots() const { return num_slots_of(view.num_segments); }
};

}  // namespace zcmoe::detail
