// What an engine is asked to do: the shape of a fit state, and one struct a call. Each keeps three
// things apart: the points, which are a batch of rows of inputs; the router, which finds their
// slots; and what the experts bring, by slot: tables to predict from, or a state to add to. model
// makes jobs, engines do them.
#pragma once

#include "host/array.hpp"
#include "host/engine/fit_row.hpp"
#include "host/experts/exact_sum.hpp"
#include "host/experts/line.hpp"
#include "host/routing/slots.hpp"

#include <zcmoe/zcmoe.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace zcmoe::detail {

/// Shape of a fit state: one int64 array, num_row_counters counters, then num_planes planes of
/// num_slots sums; of a state with lines the last num_extremes planes are no sums.
struct state_layout {
  std::int64_t num_segments;
  zcmoe_dtype target_dtype;  // ZCMOE_F32 or ZCMOE_F64
  bool weighted;
  bool lines = false;  // with the sums of line.hpp

  std::int64_t num_slots() const { return num_slots_of(num_segments); }
  int num_planes() const;
  int num_sum_planes() const { return num_planes() - (lines ? num_extremes : 0); }
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

constexpr int most_planes = line_planes<double, true>::end;

inline int state_layout::num_planes() const {
  return with_layout(*this, [this](auto target, auto is_weighted) {
    constexpr bool with_weights = decltype(is_weighted)::value;
    return lines ? line_planes<decltype(target), with_weights>::end
                 : sum_planes<decltype(target), with_weights>::end;
  });
}

/// Calls body(name, first plane, digits) for each sum of a state, in plane order.
template <class Body>
void for_each_sum(const state_layout& layout, const Body& body) {
  with_layout(layout, [&](auto target, auto is_weighted) {
    constexpr bool with_weights = decltype(is_weighted)::value;
    const kept_sum* sum = kept_sums<with_weights>::list;
    for_each_sum<decltype(target), with_weights>(
        [&](int first, int digits) { body((sum++)->name, first, digits); });
    if (layout.lines) for_each_line_sum<decltype(target), with_weights>(body);
  });
}

class evaluator;

/// A batch of rows: of one input, which a router leads to slots; or of several, whose segments a
/// model's tables tell: these are their slots, and rows without one are as rows of a NaN input.
struct points {
  any_array x;  // of one input
  std::int64_t n;
  const evaluator* tables = nullptr;   // of several inputs, from the same engine; else null
  const any_array* columns = nullptr;  // of these: as in points_job
};

/// One output of predict: out[i * stride] = table[slot of x_i], in elements of 4 or 8 bytes. Where
/// table is null, the output is the segment number itself. Where lines is not null, it is what the
/// slot's line gives for x_i, rounded to a float of that size.
struct gather {
  const void* table;
  const zcmoe_line* lines;
  void* out;
  std::int64_t stride;
  int element_size;
  bool held_by_router;  // the table has the constants that the router was made with
};
constexpr int max_gathers = 5;

/// What an engine prepares once for a table of edges, so as to find slots fast: points -> slots. It
/// may hold the constants of one expert a slot beside them, which saves a look-up. It never
/// changes.
class router {
 public:
  explicit router(const slot_roles& roles) : roles_(roles) {}
  router(const router&) = delete;
  router& operator=(const router&) = delete;
  virtual ~router() = default;
  const slot_roles& roles() const { return roles_; }
  /// Bytes of the engine's memory that it takes.
  virtual std::size_t bytes() const = 0;

 private:
  slot_roles roles_;
};

/// The constants of a table's slots in host memory, in both types; null: none.
struct slot_constants {
  const double* f64 = nullptr;
  const float* f32 = nullptr;
};

struct predict_job {
  const router* routes;  // from the same engine
  points rows;
  gather gathers[max_gathers];
  int num_gathers;
  zcmoe_report* report;  // null where none is wanted
};

struct fit_job {
  state_layout layout;
  row_rules rules;
  /// From the same engine. Of several inputs the CUDA engine alone needs it: it leads from the
  /// numbers of segments, as inputs, to slots.
  const router* routes;
  /// By slot, and of one slot more, in the engine's memory; null unless layout.lines.
  const line_frame* frames;
  /// In the engine's memory: layout.bytes(); and the first refused row, INT64_MAX if there is none.
  std::int64_t* state;
  std::int64_t* first_bad;
  points rows;
  zcmoe_array y;
  zcmoe_array weights;  // its data is null unless layout.weighted
  void* workspace;      // null where the engine's allocator gives it
  std::size_t workspace_bytes;
};

/// What an engine prepares once for a model of several inputs: codes and answers by tables of its
/// own. It never changes.
class evaluator {
 public:
  evaluator() = default;
  evaluator(const evaluator&) = delete;
  evaluator& operator=(const evaluator&) = delete;
  virtual ~evaluator() = default;
  /// Bytes of the engine's memory that it takes.
  virtual std::size_t bytes() const = 0;
};

/// Prediction for rows of several inputs. Outputs whose data is null are not wanted; all but values
/// need a head with segments.
struct points_job {
  const evaluator* tables;   // from the same engine
  const any_array* columns;  // [number of axes], host array: the input of each axis
  std::int64_t n;
  zcmoe_output values;           // F32 or F64
  zcmoe_output segments;         // I32 or I64; -1 where a row has no answer
  zcmoe_output standard_errors;  // F32 or F64
  zcmoe_output variances;        // F32 or F64
  zcmoe_output counts;           // I64
  /// Null where none is wanted. A row is counted once in each of nan_inputs, below_range and
  /// above_range that an axis of it asks for; rows_used are those with an answer.
  zcmoe_report* report;
};

/// The codes of rows of several inputs, in host memory: codes[a * stride + i] of axis a, row i.
struct codes_job {
  const evaluator* tables;
  const any_array* columns;  // [number of axes], host array: the input of each axis
  std::int64_t n;
  std::uint8_t* codes;
  std::int64_t stride;
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
  /// From the same engine; null: of several inputs, or rows.x, of I32, are segments already, below
  /// 0 where there is none.
  const router* routes;
  std::int64_t num_slots;
  points rows;
  zcmoe_output offsets;      // data null: not wanted
  zcmoe_output row_numbers;  // likewise
  group_column columns[max_group_columns];
  int num_columns;
  void* workspace;  // null: from the engine's allocator
  std::size_t workspace_bytes;
};

}  // namespace zcmoe::detail
