// Models of several inputs: columns -> codes by the routing table of each axis (bucket_table.hpp)
// -> cells and constants of banks -> scores -> answers, in one pass. points_kernel takes columns of
// any type and stride, any banks, and gives all outputs; a thread has one row at a time and reads
// tables through the caches.
#include "cuda_check.hpp"
#include "cuda_evaluator.hpp"
#include "host/routing/answers.hpp"
#include "launchers.hpp"

#include <cstring>

namespace zcmoe::detail {
namespace {

/// The columns of axes, as a kernel takes them: in its parameters, so that a launch needs no memory
/// of its own and can be captured.
template <int Most>
struct point_columns {
  zcmoe_array item[Most];
};

/// What points_kernel takes beside the columns.
struct points_work {
  points_view tables;
  std::int64_t n;
  zcmoe_output values;
  zcmoe_output segments;
  zcmoe_output standard_errors;
  zcmoe_output variances;
  zcmoe_output counts;
  zcmoe_report* report;
  // Codes alone are wanted, and go to codes[a * code_stride + i]; null: outputs are.
  std::uint8_t* codes;
  std::int64_t code_stride;
};

// All versions of CUDA since 12.1 let a kernel have so many bytes of parameters.
static_assert(sizeof(point_columns<ZCMOE_MAX_INPUTS>) + sizeof(points_work) <= 32764,
              "a kernel takes all columns as a parameter");

/// What is to be said of a row, one bit each. The first three are the report's, in its order.
enum : std::uint32_t { saw_nan = 1, saw_below = 2, saw_above = 4, is_refused = 8 };

/// Whether every value of this type is a float.
__device__ bool widens_to_float(std::int32_t dtype) {
  switch (dtype) {
    case ZCMOE_F32:
    case ZCMOE_F16:
    case ZCMOE_BF16:
    case ZCMOE_I8:
    case ZCMOE_U8:
    case ZCMOE_I16:
    case ZCMOE_U16: return true;
    default: return false;
  }
}

struct coded_input {
  std::uint32_t marks;
  std::int32_t slot;
};

template <class T>
__device__ coded_input code_of(const bucket_table_view<T>& routes, const slot_roles& roles, T x) {
  const T inputs[1] = {x};
  std::uint32_t ranks[1];
  ranks_of(routes, plain_image<T>(routes), inputs, ranks);
  coded_input coded{0, routes.slot_of(ranks[0])};
  if (x != x) {
    coded.marks = saw_nan;
  } else if (!(x >= routes.range_begin)) {
    coded.marks = saw_below;
  } else if (x >= routes.range_end) {
    coded.marks = saw_above;
  }
  if (roles.segment_of(coded.slot) < 0) coded.marks |= is_refused;
  return coded;
}

/// A row's codes, which only its own thread reads: code a lies at first[a * stride].
struct row_codes {
  std::uint8_t* first;
  std::int32_t stride;

  __device__ std::uint8_t& operator[](std::int32_t a) const { return first[a * stride]; }
};

__device__ std::int32_t sum_of(const sum_view& sum, const row_codes& codes) {
  std::uint32_t total = 0;
  for (std::int32_t k = 0; k < sum.num_axes; ++k) {
    const offsets_view a = sum.axes[k];
    total += static_cast<std::uint32_t>(__ldg(a.offsets + codes[a.axis]));
  }
  return static_cast<std::int32_t>(total);
}

__device__ std::int64_t score_of(const points_view& tables, const row_codes& codes) {
  std::int64_t score = 0;
  for (std::int32_t b = 0; b < tables.num_banks; ++b) {
    const bank_view& bank = tables.banks[b];
    std::int32_t cell;
    if (bank.nodes == nullptr) {
      cell = sum_of(bank.cell, codes);
    } else {
      std::int32_t at = 0;
      do {
        const int4 node = __ldg(reinterpret_cast<const int4*>(bank.nodes) + at);
        const std::int32_t feature = node.x < tables.num_axes
                                         ? codes[node.x]
                                         : sum_of(bank.oblique[node.x - tables.num_axes], codes);
        at = feature >= node.y ? node.w : node.z;
      } while (at >= 0);
      cell = ~at;
    }
    score += bank.constants != nullptr ? __ldg(bank.constants + cell) : cell;
  }
  return score;
}
static_assert(sizeof(zcmoe_tree_node) == sizeof(int4), "a node is one load");

/// How many thresholds the score reaches, or itself where there are none.
__device__ std::int64_t segment_of(const head_view& head, std::int64_t score) {
  if (head.num_thresholds == 0) return head.thresholds == nullptr ? score : 0;
  std::int64_t begin = 0;
  std::int64_t end = head.num_thresholds;
  while (begin < end) {
    const std::int64_t middle = (begin + end) / 2;
    if (__ldg(reinterpret_cast<const long long*>(head.thresholds) + middle) <= score) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin;
}

// NaN as processors make it: devices make another.
__device__ float nan_of(float) { return __uint_as_float(0x7fc00000u); }
__device__ double nan_of(double) { return __longlong_as_double(0x7ff8000000000000ll); }

/// Stores an output of a real type: of(T{}) gives the answer in T.
template <class Of>
__device__ void store_real(const zcmoe_output& to, std::int64_t i, bool refused, const Of& of) {
  if (to.data == nullptr) return;
  if (to.dtype == ZCMOE_F32) {
    static_cast<float*>(to.data)[i * to.stride] = refused ? nan_of(float{}) : of(float{});
  } else {
    static_cast<double*>(to.data)[i * to.stride] = refused ? nan_of(double{}) : of(double{});
  }
}

/// Stores what the segment has, in either type.
__device__ void store_held(const zcmoe_output& to, std::int64_t i, bool refused,
                           std::int64_t segment, const double* f64, const float* f32) {
  store_real(to, i, refused, [&](auto real) {
    if constexpr (sizeof real == sizeof(float)) {
      return f32[segment];
    } else {
      return f64[segment];
    }
  });
}

__device__ void store_answers(const points_work& work, std::int64_t i, bool refused,
                              std::int64_t score) {
  const head_view& head = work.tables.head;
  if (!head.has_segments) {
    store_real(work.values, i, refused, [&](auto real) {
      return answer_of<decltype(real)>(head.base + score, head.exponent);
    });
    return;
  }
  const std::int64_t segment = segment_of(head, score);
  store_held(work.values, i, refused, segment, head.constants, head.constants_f32);
  store_held(work.variances, i, refused, segment, head.variances, head.variances_f32);
  store_held(work.standard_errors, i, refused, segment, head.standard_errors,
             head.standard_errors_f32);
  if (work.counts.data != nullptr) {
    static_cast<std::int64_t*>(work.counts.data)[i * work.counts.stride] =
        refused ? 0 : head.counts[segment];
  }
  if (work.segments.data != nullptr) {
    const std::int64_t shown = refused ? -1 : segment;
    const std::int64_t at = i * work.segments.stride;
    if (work.segments.dtype == ZCMOE_I64) {
      static_cast<std::int64_t*>(work.segments.data)[at] = shown;
    } else {
      static_cast<std::int32_t*>(work.segments.data)[at] = static_cast<std::int32_t>(shown);
    }
  }
}

/// The counts of a report: the three marks, and rows without an answer.
constexpr int num_tallies = 4;

/// Predicts for columns of any type and stride, or writes their codes. Its shared memory holds one
/// byte a thread and axis.
template <int Most>
__global__ __launch_bounds__(points_tuning::most_threads, 4) void points_kernel(
    const __grid_constant__ points_work work, const __grid_constant__ point_columns<Most> columns) {
  extern __shared__ std::uint8_t block_codes[];
  __shared__ unsigned long long tally[num_tallies];
  if (threadIdx.x < num_tallies) tally[threadIdx.x] = 0;
  __syncthreads();
  const row_codes codes{block_codes + threadIdx.x, static_cast<std::int32_t>(blockDim.x)};
  std::uint32_t seen[num_tallies] = {};
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
       i < work.n; i += step) {
    std::uint32_t marks = 0;
    for (std::int32_t a = 0; a < work.tables.num_axes; ++a) {
      const axis_view& axis = work.tables.axes[a];
      const any_array column{columns.item[a], axis.pivot};
      const double x = column[i];
      const coded_input coded = widens_to_float(column.dtype)
                                    ? code_of(axis.narrow, axis.roles, static_cast<float>(x))
                                    : code_of(axis.wide, axis.roles, x);
      marks |= coded.marks;
      codes[a] = static_cast<std::uint8_t>(coded.slot);
    }
    if (work.codes != nullptr) {
      for (std::int32_t a = 0; a < work.tables.num_axes; ++a)
        work.codes[a * work.code_stride + i] = codes[a];
      continue;
    }
#pragma unroll
    for (int t = 0; t < num_tallies; ++t) seen[t] += marks >> t & 1u;
    store_answers(work, i, (marks & is_refused) != 0, score_of(work.tables, codes));
  }
  if (work.report == nullptr) return;
#pragma unroll
  for (int t = 0; t < num_tallies; ++t) {
    if (seen[t] != 0) atomicAdd(&tally[t], static_cast<unsigned long long>(seen[t]));
  }
  __syncthreads();
  if (threadIdx.x != 0) return;
  const auto add_to_field = [](std::int64_t& field, std::int64_t gain) {
    if (gain == 0) return;
    atomicAdd(reinterpret_cast<unsigned long long*>(&field), static_cast<unsigned long long>(gain));
  };
  const std::int64_t rows = blockIdx.x == 0 ? work.n : 0;
  add_to_field(work.report->rows, rows);
  add_to_field(work.report->rows_used, rows - static_cast<std::int64_t>(tally[3]));
  add_to_field(work.report->nan_inputs, static_cast<std::int64_t>(tally[0]));
  add_to_field(work.report->below_range, static_cast<std::int64_t>(tally[1]));
  add_to_field(work.report->above_range, static_cast<std::int64_t>(tally[2]));
}

template <int Most>
void launch_rows(const points_work& work, const any_array* columns, zcmoe_stream stream) {
  const int num_axes = work.tables.num_axes;
  point_columns<Most> list{};
  for (int a = 0; a < num_axes; ++a) list.item[a] = columns[a];
  const int threads = points_threads(num_axes);
  launch(&points_kernel<Most>, points_blocks(work.n, threads), threads,
         static_cast<std::size_t>(threads) * static_cast<std::size_t>(num_axes), stream, work,
         list);
}

void launch_rows(const points_work& work, const any_array* columns, zcmoe_stream stream) {
  if (work.n == 0) return;
  if (work.tables.num_axes <= points_tuning::few_columns) {
    launch_rows<points_tuning::few_columns>(work, columns, stream);
  } else {
    launch_rows<ZCMOE_MAX_INPUTS>(work, columns, stream);
  }
}

}  // namespace

void launch_points(const points_job& job, const device_limits& device, zcmoe_stream stream) {
  if (launch_stream_points(job, device, stream)) return;
  launch_rows({tables_of(*job.tables).view(), job.n, job.values, job.segments, job.standard_errors,
               job.variances, job.counts, job.report, nullptr, 0},
              job.columns, stream);
}

void launch_encode(const codes_job& job, zcmoe_stream stream) {
  points_work work{};
  work.tables = tables_of(*job.tables).view();
  work.n = job.n;
  work.codes = job.codes;
  work.code_stride = job.stride;
  launch_rows(work, job.columns, stream);
}

}  // namespace zcmoe::detail
