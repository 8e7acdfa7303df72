// Models of several inputs from columns, all of whose numbers are floats, to float32 values, in one
// pass: the tables of staged_points.hpp in the shared memory of a persistent grid's blocks. A
// thread takes four or eight rows at a time, axis after axis: x -> rank -> what the axis adds to
// the score and to the packs of cell numbers; then banks -> score -> value.
#include "cuda_check.hpp"
#include "cuda_evaluator.hpp"
#include "launchers.hpp"
#include "route_table.cuh"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <type_traits>

namespace zcmoe::detail {
namespace {

/// What stream_points_kernel takes as its parameter.
template <int Most>
struct stream_points_job {
  staged_view tables;
  float* values;
  std::int64_t n;
  // So many rows from body_begin on are whole rounds of warps.
  std::int64_t body_begin;
  std::int64_t body;
  bool vectors;  // whether columns are read as vectors of four floats
  bool wide;     // whether values are stored as such
  std::int32_t bank_begin[staged_axis::most_packs + 1];
  staged_bank banks[staged_model::most_banks];
  staged_axis axes[Most];
  const void* columns[Most];
  std::int64_t strides[Most];
  std::int8_t dtypes[Most];
};
static_assert(sizeof(stream_points_job<staged_model::most_axes>) <= 32764,
              "a kernel takes it as a parameter");

/// The place of row k of a thread, counted from its first. A thread takes one row or whole groups
/// of four, 128 rows apart. As vectors these lie side by side, so that a warp reads 512 contiguous
/// bytes at each load; else 32 rows apart, so that the lanes of a warp read neighbours.
template <bool vectors>
__device__ constexpr int place_of_row(int k) {
  return k / 4 * 128 + k % 4 * (vectors ? 1 : 32);
}

__device__ inline float float_of_f16(std::uint16_t bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}

/// The inputs of Count rows in column a.
template <bool vectors, int Count, int Most>
__device__ void load(const stream_points_job<Most>& job, int a, std::int64_t row,
                     float (&x)[Count]) {
  if constexpr (vectors) {
    const float* const from = static_cast<const float*>(job.columns[a]) + row;
#pragma unroll
    for (int k = 0; k < Count; k += 4) {
      const float4 loaded = __ldcs(reinterpret_cast<const float4*>(from + place_of_row<true>(k)));
      memcpy(x + k, &loaded, sizeof loaded);
    }
    return;
  }
  const std::int64_t stride = job.strides[a];
  const auto load_as = [&](auto element, const auto& widened) {
    const auto* const from = static_cast<const decltype(element)*>(job.columns[a]) + row * stride;
#pragma unroll
    for (int k = 0; k < Count; ++k) x[k] = widened(__ldg(from + place_of_row<false>(k) * stride));
  };
  const auto convert = [](auto value) { return static_cast<float>(value); };
  switch (job.dtypes[a]) {
    case ZCMOE_F16: return load_as(std::uint16_t{}, [](auto bits) { return float_of_f16(bits); });
    case ZCMOE_BF16:
      return load_as(std::uint16_t{}, [](auto bits) {
        return __uint_as_float(static_cast<std::uint32_t>(bits) << 16);
      });
    case ZCMOE_I8: return load_as(static_cast<signed char>(0), convert);
    case ZCMOE_U8: return load_as(std::uint8_t{}, convert);
    case ZCMOE_I16: return load_as(std::int16_t{}, convert);
    case ZCMOE_U16: return load_as(std::uint16_t{}, convert);
    default: return load_as(float{}, convert);
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

/// What a bank has for the cells of rows, of those side by side in `cells`.
template <int Count>
__device__ void look_up(const staged_view& tables, std::uint32_t memory, const staged_bank& bank,
                        const std::uint32_t (&cells)[Count], std::uint32_t (&found)[Count]) {
  if (bank.constants < tables.staged_bytes) {
#pragma unroll
    for (int k = 0; k < Count; ++k)
      load_shared(found[k], memory + bank.constants, cells[k] >> bank.shift & bank.mask);
  } else {
    const auto* const constants =
        reinterpret_cast<const std::uint32_t*>(tables.image + bank.constants);
#pragma unroll
    for (int k = 0; k < Count; ++k)
      found[k] = __ldg(constants + (cells[k] >> bank.shift & bank.mask));
  }
}

/// The element of a list in shared memory, one load wide.
template <class Element>
__device__ Element listed(std::uint32_t list, std::uint32_t index) {
  using wide = std::conditional_t<sizeof(Element) == sizeof(uint2), uint2, uint4>;
  static_assert(sizeof(Element) == sizeof(wide));
  const auto loaded = reinterpret_cast<const wide*>(
      __cvta_shared_to_generic(static_cast<std::size_t>(list)))[index];
  Element element;
  memcpy(&element, &loaded, sizeof element);
  return element;
}

/// The codes of four rows that a thread has in hand, which no other reads: an axis has a word,
/// whose bytes are rows. All accesses are written as PTX, in whose order they then stay.
struct thread_codes {
  std::uint32_t first;   // address in shared memory of the word of axis 0
  std::uint32_t stride;  // from axis to axis

  __device__ void keep(std::uint32_t axis, std::uint32_t codes) const {
    asm volatile("st.shared.u32 [%0], %1;" ::"r"(first + axis * stride), "r"(codes));
  }
  __device__ std::uint32_t word(std::uint32_t axis) const {
    std::uint32_t codes;
    load_shared(codes, first + axis * stride, 0);
    return codes;
  }
  __device__ std::uint32_t of_row(std::uint32_t axis, int k) const {
    std::uint32_t code;
    asm volatile("ld.shared.u8 %0, [%1];"
                 : "=r"(code)
                 : "r"(first + axis * stride + static_cast<std::uint32_t>(k)));
    return code;
  }
};

/// Leads all rows down a tree together, each from a node on, until the last has arrived; these
/// become what their leaves have.
template <int Count>
__device__ void descend(const staged_tree& tree, std::uint32_t memory, const thread_codes& codes,
                        std::uint32_t (&at)[Count]) {
  constexpr int levels = 2;
  constexpr std::uint32_t leaf = staged_tree::never << 16;
  const std::uint32_t table = memory + tree.nodes;
  std::uint32_t nodes[Count];
#pragma unroll
  for (int k = 0; k < Count; ++k) load_shared(nodes[k], table, at[k]);
  const auto have_arrived = [&nodes] {
    std::uint32_t common = nodes[0];
#pragma unroll
    for (int k = 1; k < Count; ++k) common &= nodes[k];
    return (common & leaf) == leaf;
  };
  while (!have_arrived()) {
#pragma unroll
    for (int level = 0; level < levels; ++level) {
#pragma unroll
      for (int k = 0; k < Count; ++k) {
        const std::uint32_t last_left = nodes[k] >> 16 & 255u;
        at[k] = (nodes[k] & 0xffffu) + (codes.of_row(nodes[k] >> 24, k) > last_left ? 1u : 0u);
        load_shared(nodes[k], table, at[k]);
      }
    }
  }
#pragma unroll
  for (int k = 0; k < Count; ++k) load_shared(at[k], memory + tree.constants, at[k]);
}

/// Forms the cells of a pack from codes, and adds what its banks have for them.
template <int Count>
__device__ void add_pack(const staged_view& tables, std::uint32_t memory, const thread_codes& codes,
                         const staged_pack& pack, std::uint32_t (&scores)[Count]) {
  std::uint32_t cells[Count] = {};
  for (std::uint32_t p = 0; p < pack.num_parts; ++p) {
    const auto part = listed<coded_part>(memory + pack.parts, p);
    const std::uint32_t word = codes.word(part.axis);
    std::uint32_t own[Count];
#pragma unroll
    for (int k = 0; k < Count; ++k) own[k] = word >> 8 * k & 255u;
    add_by(memory + part.offsets, own, cells);
  }
  for (std::uint32_t b = 0; b < pack.num_banks; ++b) {
    const auto bank = listed<staged_bank>(memory + pack.banks, b);
    std::uint32_t found[Count];
    look_up(tables, memory, bank, cells, found);
    if (bank.tree != no_table)
      descend(listed<staged_tree>(memory + bank.tree, 0), memory, codes, found);
#pragma unroll
    for (int k = 0; k < Count; ++k) scores[k] += found[k];
  }
}

/// In place of a number of packs: the model is coded.
constexpr int coded = -1;

/// Rows that a thread has in hand.
ZCMOE_HOST_DEVICE constexpr int rows_of(int packs, int most_axes) {
  const bool few = packs == coded ? most_axes <= staged_model::few_axes
                                  : packs <= stream_points_tuning::few_packs;
  return few ? stream_points_tuning::per_thread_of_few : stream_points_tuning::per_thread_of_many;
}

/// Those of vector `number` of the thread's rows, of so many; `memory` is where codes begin.
__device__ thread_codes codes_of(std::uint32_t memory, int rows, int number) {
  const std::uint32_t apart = 4 * blockDim.x;
  return {memory + 4 * threadIdx.x + static_cast<std::uint32_t>(number) * apart,
          apart * static_cast<std::uint32_t>((rows + 3) / 4)};
}

/// Predicts Count rows from `row` on; packs is how many of the packs are there.
template <int packs, int Count, bool vectors, int Most>
__device__ void predict_rows(const stream_points_job<Most>& job, std::uint32_t memory,
                             std::int64_t row) {
  const staged_view& tables = job.tables;
  std::uint32_t scores[Count] = {};
  std::uint32_t cells[packs > 0 ? packs : 1][Count] = {};
  std::uint32_t refused = 0;
  float x[Count];
  load<vectors>(job, 0, row, x);
  for (int a = 0; a < tables.num_axes; ++a) {
    const staged_axis& axis = job.axes[a];
    float next[Count] = {};
    if (a + 1 < tables.num_axes) load<vectors>(job, a + 1, row, next);
    std::uint32_t ranks[Count];
    ranks_by_words(axis.routes, shared_image<float>(axis.routes, memory + axis.image), x, ranks);
    if (axis.constants != no_table) add_by(memory + axis.constants, ranks, scores);
    if constexpr (packs == coded) {
      std::uint32_t slots[Count];
#pragma unroll
      for (int k = 0; k < Count; ++k) {
        slots[k] = ranks[k];
        if (axis.codes != no_table) load_shared(slots[k], memory + axis.codes, ranks[k]);
      }
#pragma unroll
      for (int v = 0; v < Count; v += 4) {
        std::uint32_t word = 0;
#pragma unroll
        for (int k = v; k < Count && k < v + 4; ++k) word |= slots[k] << 8 * (k - v);
        codes_of(memory + tables.staged_bytes, Count, v / 4)
            .keep(static_cast<std::uint32_t>(a), word);
      }
    }
#pragma unroll
    for (int p = 0; p < packs; ++p) {
      const staged_part& part = axis.parts[p];
      if (part.step != 0) {
#pragma unroll
        for (int k = 0; k < Count; ++k)
          cells[p][k] += part.start + min(ranks[k], axis.last_rank) * part.step;
      } else if (part.table != no_table) {
        add_by(memory + part.table, ranks, cells[p]);
      }
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
    for (int b = job.bank_begin[p]; b < job.bank_begin[p + 1]; ++b) {
      std::uint32_t found[Count];
      look_up(tables, memory, job.banks[b], cells[p], found);
#pragma unroll
      for (int k = 0; k < Count; ++k) scores[k] += found[k];
    }
  }
  if constexpr (packs == coded) {
    constexpr int together = Count < 4 ? Count : 4;
#pragma unroll
    for (int v = 0; v < Count; v += together) {
      std::uint32_t found[together] = {};
      const thread_codes codes = codes_of(memory + tables.staged_bytes, Count, v / 4);
      for (std::int32_t p = 0; p < tables.num_packs; ++p) {
        add_pack(tables, memory, codes,
                 listed<staged_pack>(memory + tables.packs, static_cast<std::uint32_t>(p)), found);
      }
#pragma unroll
      for (int k = 0; k < together; ++k) scores[v + k] += found[k];
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
  if (vectors && job.wide) {
#pragma unroll
    for (int k = 0; k < Count; k += 4) {
      float4 vector;
      memcpy(&vector, values + k, sizeof vector);
      __stcs(reinterpret_cast<float4*>(to + place_of_row<true>(k)), vector);
    }
  } else {
#pragma unroll
    for (int k = 0; k < Count; ++k) __stcs(to + place_of_row<vectors>(k), values[k]);
  }
}

/// Its shared memory holds the tables, and behind them the codes of a coded model's rows.
template <int packs, int Most>
__global__ __launch_bounds__(stream_points_tuning::most_threads, 1) void stream_points_kernel(
    const __grid_constant__ stream_points_job<Most> job) {
  extern __shared__ __align__(16) unsigned char points_memory[];
  stage(points_memory, job.tables.image, job.tables.staged_bytes);
  __syncthreads();
  const std::uint32_t memory = shared_address(points_memory);
  constexpr int per_thread = rows_of(packs, Most);
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  const std::int64_t body_end = job.body_begin + job.body;
  const std::int64_t warp = job.body_begin + first / 32 * 32 * per_thread;
  if (job.vectors) {
    for (std::int64_t row = warp + first % 32 * 4; row < body_end; row += step * per_thread)
      predict_rows<packs, per_thread, true>(job, memory, row);
  } else {
    for (std::int64_t row = warp + first % 32; row < body_end; row += step * per_thread)
      predict_rows<packs, per_thread, false>(job, memory, row);
  }
  // The rows before the body and behind it are taken one per thread.
  for (std::int64_t other = first; other < job.n - job.body; other += step) {
    predict_rows<packs, 1, false>(job, memory, other < job.body_begin ? other : other + job.body);
  }
}

/// How many floats lie between an address and the multiple of 16 bytes before it.
std::int64_t skew_of(const void* pointer) {
  return static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(pointer) % 16 / sizeof(float));
}

/// Whether the kernel takes a column: every number of its type is a float, and rows that lie apart
/// lie so near that those which threads have in hand stay in the cache until all columns are read.
bool can_stream(const any_array& column) {
  constexpr std::int64_t most_bytes_apart = 16;
  switch (column.dtype) {
    case ZCMOE_F32:
    case ZCMOE_F16:
    case ZCMOE_BF16:
    case ZCMOE_I8:
    case ZCMOE_U8:
    case ZCMOE_I16:
    case ZCMOE_U16: break;
    default: return false;
  }
  const std::int64_t most = most_bytes_apart / size_of(column.dtype);
  return column.stride >= -most && column.stride <= most;
}

template <int packs, int Most>
void launch_packs(const points_job& job, const staged_model& model, const device_limits& device,
                  zcmoe_stream stream) {
  const staged_view& tables = model.view;
  stream_points_job<Most> work{};
  work.tables = tables;
  work.values = static_cast<float*>(job.values.data);
  work.n = job.n;
  if constexpr (packs != coded) {
    std::copy(std::begin(model.bank_begin), std::end(model.bank_begin), work.bank_begin);
    std::copy(model.banks.begin(), model.banks.end(), work.banks);
  }
  constexpr int per_thread = rows_of(packs, Most);
  constexpr std::int64_t round = std::int64_t{32} * per_thread;
  const std::int64_t skew = skew_of(job.columns[0].data);
  work.vectors = true;
  for (int a = 0; a < tables.num_axes; ++a) {
    const any_array& column = job.columns[a];
    work.axes[a] = model.axes[static_cast<std::size_t>(a)];
    work.columns[a] = column.data;
    work.strides[a] = column.stride;
    work.dtypes[a] = static_cast<std::int8_t>(column.dtype);
    work.vectors = work.vectors && column.dtype == ZCMOE_F32 && column.stride == 1 &&
                   skew_of(column.data) == skew;
  }
  work.wide = work.vectors && skew_of(work.values) == skew;
  work.body_begin = work.vectors ? std::min((4 - skew) % 4, job.n) : 0;
  work.body = (job.n - work.body_begin) / round * round;
  const std::size_t thread_bytes = model.code_bytes(per_thread);
  const launch_shape shape = stream_points_shape(device, tables.staged_bytes, thread_bytes, job.n,
                                                 tables.num_axes, per_thread);
  launch(&stream_points_kernel<packs, Most>, shape.blocks, shape.threads,
         tables.staged_bytes + thread_bytes * static_cast<std::size_t>(shape.threads), stream,
         work);
}

/// Calls body(kernel's packs, kernel's columns), both as types, for each kernel that there is.
template <class Body>
void for_each_kernel(const Body& body) {
  using few = std::integral_constant<int, staged_model::few_axes>;
  body(std::integral_constant<int, 0>{}, few{});
  body(std::integral_constant<int, 1>{}, few{});
  body(std::integral_constant<int, 2>{}, few{});
  body(std::integral_constant<int, 4>{}, few{});
  body(std::integral_constant<int, coded>{}, few{});
  body(std::integral_constant<int, coded>{},
       std::integral_constant<int, staged_model::most_axes>{});
}

}  // namespace

void prepare_points(const device_limits& device) {
  const auto bytes = static_cast<int>(device.shared_per_block);
  for_each_kernel([bytes](auto packs, auto most) {
    const void* const kernel = reinterpret_cast<const void*>(
        &stream_points_kernel<decltype(packs)::value, decltype(most)::value>);
    ZCMOE_CUDA_TRY(
        cuda().func_set_attribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
  });
}

bool launch_stream_points(const points_job& job, const device_limits& device, zcmoe_stream stream) {
  const staged_model* const model = tables_of(*job.tables).staged();
  if (model == nullptr || job.n == 0 || job.report != nullptr || job.segments.data != nullptr ||
      job.standard_errors.data != nullptr || job.variances.data != nullptr ||
      job.counts.data != nullptr || job.values.data == nullptr || job.values.dtype != ZCMOE_F32 ||
      job.values.stride != 1) {
    return false;
  }
  const staged_view& tables = model->view;
  for (int a = 0; a < tables.num_axes; ++a) {
    if (!can_stream(job.columns[a])) return false;
  }
  // With fewer inputs than 32-bit words to stage, the other kernel is done sooner.
  if (static_cast<std::int64_t>(tables.staged_bytes / 4) > job.n * tables.num_axes) return false;
  const int packs = tables.is_coded ? coded : tables.num_packs == 3 ? 4 : tables.num_packs;
  bool launched = false;
  for_each_kernel([&](auto its_packs, auto its_most) {
    constexpr int most = decltype(its_most)::value;
    if (launched || packs != decltype(its_packs)::value || tables.num_axes > most) return;
    launch_packs<decltype(its_packs)::value, most>(job, *model, device, stream);
    launched = true;
  });
  return launched;
}

}  // namespace zcmoe::detail
