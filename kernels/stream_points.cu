// Models of several inputs from contiguous float32 columns to float32 values, in one pass: the
// tables of staged_points.hpp in the shared memory of a persistent grid's blocks. A thread takes
// four rows at a time, axis after axis: x -> rank -> what the axis adds to the score and to the
// packs of cell numbers; then banks -> score -> value.
#include "cuda_check.hpp"
#include "cuda_evaluator.hpp"
#include "launchers.hpp"
#include "route_table.cuh"

#include <algorithm>
#include <cstring>

namespace zcmoe::detail {
namespace {

/// What stream_points_kernel takes as its parameter.
struct stream_points_job {
  staged_view tables;
  const float* columns[staged_view::most_axes];
  float* values;
  std::int64_t n;
  // Rows [body_begin, body_begin + 4 * num_vectors) are taken four at a time.
  std::int64_t body_begin;
  std::int64_t num_vectors;
  std::uint32_t aligned;  // bit a: the vectors of column a are
  bool wide;              // whether those of values are
};

/// The inputs of Count rows in column a.
template <int Count>
__device__ void load(const stream_points_job& job, int a, std::int64_t row, float (&x)[Count]) {
  const float* const from = job.columns[a] + row;
  if (Count == 4 && (job.aligned >> a & 1u) != 0) {
    const float4 loaded = __ldcs(reinterpret_cast<const float4*>(from));
    memcpy(x, &loaded, sizeof x);
  } else {
#pragma unroll
    for (int k = 0; k < Count; ++k) x[k] = __ldcs(from + k);
  }
}

/// Adds to each total what a table in shared memory has for its rank.
template <int Count>
__device__ void add_by(std::uint32_t table, const std::uint32_t (&ranks)[Count],
                       std::uint32_t (&totals)[Count]) {
#pragma unroll
  for (int k = 0; k < Count; ++k) {
    std::uint32_t added;
    load_shared(added, table, ranks[k]);
    totals[k] += added;
  }
}

/// The value of the segment of a score.
__device__ float routed_value(const staged_view& tables, std::uint32_t memory,
                              std::uint32_t score) {
  const std::uint32_t drawn = min(max(score, tables.least), tables.greatest) - tables.least;
  std::uint32_t word;
  load_shared(word, memory + tables.words, drawn >> tables.shift);
  const std::uint32_t sum = word + drawn;
  std::uint32_t segment = sum >> tables.shift;
  if (sum >= needs_search) {
    const auto* const thresholds =
        reinterpret_cast<const std::uint32_t*>(tables.image + tables.thresholds);
    segment = 0;
    for (std::uint32_t end = tables.num_thresholds; segment < end;) {
      const std::uint32_t middle = (segment + end) / 2;
      if (thresholds[middle] <= drawn) {
        segment = middle + 1;
      } else {
        end = middle;
      }
    }
  }
  float value;
  load_shared(value, memory + tables.values, segment);
  return value;
}

/// Predicts Count rows from `row` on; packs is how many of the packs are there.
template <int packs, int Count>
__device__ void predict_rows(const stream_points_job& job, std::uint32_t memory, std::int64_t row) {
  const staged_view& tables = job.tables;
  std::uint32_t scores[Count] = {};
  std::uint32_t cells[packs > 0 ? packs : 1][Count] = {};
  std::uint32_t refused = 0;
  float x[Count];
  load(job, 0, row, x);
  for (int a = 0; a < tables.num_axes; ++a) {
    const staged_axis& axis = tables.axes[a];
    float next[Count] = {};
    if (a + 1 < tables.num_axes) load(job, a + 1, row, next);
    std::uint32_t ranks[Count];
    ranks_by_words(axis.routes, shared_image<float>(axis.routes, memory + axis.image), x, ranks);
    if (axis.constants != no_table) add_by(memory + axis.constants, ranks, scores);
#pragma unroll
    for (int p = 0; p < packs; ++p) {
      if (axis.parts[p] != no_table) add_by(memory + axis.parts[p], ranks, cells[p]);
    }
    if (axis.refuses_nan && any_nan(x)) {
#pragma unroll
      for (int k = 0; k < Count; ++k) refused |= x[k] != x[k] ? 1u << k : 0u;
    }
    if (axis.refuses_outside) {
#pragma unroll
      for (int k = 0; k < Count; ++k) {
        const bool outside = x[k] < axis.routes.range_begin || x[k] >= axis.routes.range_end;
        refused |= outside ? 1u << k : 0u;
      }
    }
#pragma unroll
    for (int k = 0; k < Count; ++k) x[k] = next[k];
  }
#pragma unroll
  for (int p = 0; p < packs; ++p) {
    for (int b = tables.bank_begin[p]; b < tables.bank_begin[p + 1]; ++b) {
      const staged_bank& bank = tables.banks[b];
      std::uint32_t own[Count];
#pragma unroll
      for (int k = 0; k < Count; ++k) own[k] = cells[p][k] >> bank.shift & bank.mask;
      if (bank.constants < tables.staged_bytes) {
        add_by(memory + bank.constants, own, scores);
      } else {
        const auto* const constants =
            reinterpret_cast<const std::uint32_t*>(tables.image + bank.constants);
#pragma unroll
        for (int k = 0; k < Count; ++k) scores[k] += __ldg(constants + own[k]);
      }
    }
  }
  float values[Count];
  if (tables.head == staged_head::values) {
#pragma unroll
    for (int k = 0; k < Count; ++k) values[k] = __uint_as_float(scores[k]);
  } else if (tables.head == staged_head::score) {
#pragma unroll
    for (int k = 0; k < Count; ++k) values[k] = routed_value(tables, memory, scores[k]);
  } else if (tables.head == staged_head::narrow_sum) {
    const auto base = static_cast<std::int32_t>(tables.base);
#pragma unroll
    for (int k = 0; k < Count; ++k) {
      values[k] = __int2float_rn(base + static_cast<std::int32_t>(scores[k])) * tables.scale;
    }
  } else {
#pragma unroll
    for (int k = 0; k < Count; ++k) {
      values[k] = __ll2float_rn(tables.base + static_cast<long long>(scores[k])) * tables.scale;
    }
  }
  if (refused != 0) {
#pragma unroll
    for (int k = 0; k < Count; ++k) {
      if ((refused >> k & 1u) != 0) values[k] = __uint_as_float(0x7fc00000u);
    }
  }
  float* const to = job.values + row;
  if (Count == 4 && job.wide) {
    float4 packed;
    memcpy(&packed, values, sizeof packed);
    __stcs(reinterpret_cast<float4*>(to), packed);
  } else {
#pragma unroll
    for (int k = 0; k < Count; ++k) __stcs(to + k, values[k]);
  }
}

template <int packs>
__global__ __launch_bounds__(stream_points_tuning::most_threads, 1) void stream_points_kernel(
    const __grid_constant__ stream_points_job job) {
  extern __shared__ __align__(16) unsigned char points_memory[];
  stage(points_memory, job.tables.image, job.tables.staged_bytes);
  __syncthreads();
  const std::uint32_t memory = shared_address(points_memory);
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t v = first; v < job.num_vectors; v += step)
    predict_rows<packs, stream_points_tuning::per_thread>(
        job, memory, job.body_begin + v * stream_points_tuning::per_thread);
  // The rows before the body and behind it are taken one per thread.
  const std::int64_t body = job.num_vectors * stream_points_tuning::per_thread;
  for (std::int64_t other = first; other < job.n - body; other += step)
    predict_rows<packs, 1>(job, memory, other < job.body_begin ? other : other + body);
}

/// How many floats lie between an address and the multiple of 16 bytes before it.
std::int64_t skew_of(const void* pointer) {
  return static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(pointer) % 16 / sizeof(float));
}

}  // namespace

void prepare_points(const device_limits& device) {
  const auto bytes = static_cast<int>(device.shared_per_block);
  for (const void* const kernel : {reinterpret_cast<const void*>(&stream_points_kernel<0>),
                                   reinterpret_cast<const void*>(&stream_points_kernel<1>),
                                   reinterpret_cast<const void*>(&stream_points_kernel<2>),
                                   reinterpret_cast<const void*>(&stream_points_kernel<4>)}) {
    ZCMOE_CUDA_TRY(
        cuda().func_set_attribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
  }
}

bool launch_stream_points(const points_job& job, const device_limits& device, zcmoe_stream stream) {
  const staged_view* const tables = tables_of(*job.tables).staged();
  if (tables == nullptr || job.n == 0 || job.report != nullptr || job.segments.data != nullptr ||
      job.standard_errors.data != nullptr || job.variances.data != nullptr ||
      job.counts.data != nullptr || job.values.data == nullptr || job.values.dtype != ZCMOE_F32 ||
      job.values.stride != 1) {
    return false;
  }
  for (int a = 0; a < tables->num_axes; ++a) {
    if (job.columns[a].dtype != ZCMOE_F32 || job.columns[a].stride != 1) return false;
  }
  // With fewer inputs than 32-bit words to stage, the other kernel is done sooner.
  if (static_cast<std::int64_t>(tables->staged_bytes / 4) > job.n * tables->num_axes) return false;
  stream_points_job work{};
  work.tables = *tables;
  work.values = static_cast<float*>(job.values.data);
  work.n = job.n;
  // Vectors begin where those of the first column do; other columns may be read a float at a time.
  constexpr std::int64_t per_thread = stream_points_tuning::per_thread;
  const std::int64_t skew = skew_of(job.columns[0].data);
  work.body_begin = std::min((per_thread - skew) % per_thread, job.n);
  work.num_vectors = (job.n - work.body_begin) / per_thread;
  for (int a = 0; a < tables->num_axes; ++a) {
    work.columns[a] = static_cast<const float*>(job.columns[a].data);
    if (skew_of(work.columns[a]) == skew) work.aligned |= 1u << a;
  }
  work.wide = skew_of(work.values) == skew;
  const launch_shape shape =
      stream_points_shape(device, tables->staged_bytes, job.n, tables->num_axes);
  const auto kernel = tables->num_packs == 0   ? stream_points_kernel<0>
                      : tables->num_packs == 1 ? stream_points_kernel<1>
                      : tables->num_packs == 2 ? stream_points_kernel<2>
                                               : stream_points_kernel<4>;
  launch(kernel, shape.blocks, shape.threads, tables->staged_bytes, stream, work);
  return true;
}

}  // namespace zcmoe::detail
