// Prediction: x[n] -> rank by the routing table (bucket_table.hpp) -> up to five outputs by rank,
// in one pass. stream_kernel takes contiguous float32 or float64 arrays: a persistent grid, whose
// blocks hold the tables in shared memory or, if these do not fit, read one cell of 16 or 32 bytes
// per input. gather_kernel takes all other types and strides, and few inputs; it reads tables
// through the caches.
#include "cuda_check.hpp"
#include "cuda_router.hpp"
#include "launchers.hpp"
#include "route_table.cuh"

#include <algorithm>
#include <initializer_list>
#include <type_traits>

namespace zcmoe::detail {
namespace {

// ------------------------------------------------------------------ report

/// The inputs that a report counts: NaN, below the range, above it. The number of all others
/// follows.
enum : int { count_nan, count_below, count_above, num_counts };

/// Counts a block's inputs for the report.
template <class T>
struct report_counts {
  zcmoe_report* report;  // null if nothing is to be counted
  bool left_out;         // whether inputs beside the range do not count as used
  T range_begin;
  T range_end;

  /// Counts a warp's inputs; x[k] is an input if bit k of `valid` is set. Every thread of the warp
  /// calls it. If all inputs lie in the range, this costs the comparisons and one vote.
  ///
  /// A lane packs its three counts into one word, ten bits each, so that a single sum over the
  /// lanes adds up all three. Example: one NaN and two inputs above the range are 1 | 2 << 20. No
  /// field overflows, since a warp has at most 32 * 8 = 256 inputs.
  template <int Count>
  __device__ void add(const T (&x)[Count], std::uint32_t valid,
                      unsigned long long (&tally)[num_counts]) const {
    bool any = false;
#pragma unroll
    for (int k = 0; k < Count; ++k) any = any || !(x[k] >= range_begin) || x[k] >= range_end;
    if (__any_sync(0xffffffffu, any) == 0) return;
    std::uint32_t counts = 0;
#pragma unroll
    for (int k = 0; k < Count; ++k) {
      const bool nan = x[k] != x[k];
      const bool below = !nan && !(x[k] >= range_begin);
      const std::uint32_t one = (nan ? 1u << 10 * count_nan : 0u) +
                                (below ? 1u << 10 * count_below : 0u) +
                                (x[k] >= range_end ? 1u << 10 * count_above : 0u);
      counts += (valid >> k & 1u) != 0 ? one : 0u;
    }
    for (int step = 16; step > 0; step /= 2) counts += __shfl_xor_sync(0xffffffffu, counts, step);
    if (threadIdx.x % 32 < num_counts) {
      const std::uint32_t own = counts >> 10 * (threadIdx.x % 32) & 1023u;
      if (own != 0) atomicAdd(&tally[threadIdx.x % 32], static_cast<unsigned long long>(own));
    }
  }

  /// Adds the block's counts to the report. Every thread of the block calls it, after the last
  /// input. The first block also adds the number of all rows.
  __device__ void finish(const unsigned long long (&tally)[num_counts], std::int64_t n) const {
    __syncthreads();
    if (threadIdx.x != 0) return;
    const auto nan = static_cast<std::int64_t>(tally[count_nan]);
    const auto below = static_cast<std::int64_t>(tally[count_below]);
    const auto above = static_cast<std::int64_t>(tally[count_above]);
    const std::int64_t rows = blockIdx.x == 0 ? n : 0;
    const std::int64_t unused = nan + (left_out ? below + above : 0);
    const auto add_to_field = [](std::int64_t& field, std::int64_t gain) {
      if (gain == 0) return;
      atomicAdd(reinterpret_cast<unsigned long long*>(&field),
                static_cast<unsigned long long>(gain));
    };
    add_to_field(report->rows, rows);
    add_to_field(report->rows_used, rows - unused);
    add_to_field(report->nan_inputs, nan);
    add_to_field(report->below_range, below);
    add_to_field(report->above_range, above);
  }
};

template <class T>
report_counts<T> counts_for(const predict_job& job, const bucket_table_view<T>& routes) {
  return {job.report, job.routes->roles().range_policy != ZCMOE_RANGE_CLAMP, routes.range_begin,
          routes.range_end};
}

// ----------------------------------------------------------------- outputs

/// One output of an input in this slot: the table's entry or, if there is no table, the segment
/// number.
template <class Element>
__device__ Element looked_up(const void* table, const slot_roles& roles, std::int32_t slot) {
  if (table == nullptr) {  // -1 is widened first, so that all bits are set in 8 bytes too
    return static_cast<Element>(static_cast<std::int64_t>(roles.segment_of(slot)));
  }
  return static_cast<const Element*>(table)[slot];
}

/// What a line gives for an input, as the bits of a float or a double.
template <class Element, class T>
__device__ Element line_value(const zcmoe_line& line, T x) {
  const double value = value_of(line, static_cast<double>(x));
  Element bits;
  if constexpr (sizeof(Element) == sizeof(float)) {
    // Devices make another NaN of NaN than processors do.
    bits = value == value ? __float_as_uint(static_cast<float>(value)) : 0x7fc00000u;
  } else {
    memcpy(&bits, &value, sizeof bits);
  }
  return bits;
}

/// Two loads of 16 bytes.
__device__ zcmoe_line load_line(const zcmoe_line* lines, std::int32_t slot) {
  const auto* const halves = reinterpret_cast<const double2*>(lines + slot);
  const double2 first = __ldg(halves);
  const double2 second = __ldg(halves + 1);
  return {first.x, first.y, second.x, second.y};
}

// --------------------------------------------------------- streaming kernel

template <class T>
using vector_of = std::conditional_t<sizeof(T) == sizeof(float), float4, double2>;

/// One output of a streaming launch.
struct stream_output {
  void* out;                // place of the first input's output
  const void* table;        // its values by slot; null if the output is segment numbers
  const zcmoe_line* lines;  // by slot; null unless it is what lines give: of the first output alone
  std::uint32_t staged;     // byte offset, in shared memory, of its values or lines by rank
  std::int16_t element_size;
  bool wide;       // whether a vector of inputs has outputs aligned for one wide store
  bool from_cell;  // whether the routing table's cells hold its values
};

/// What stream_kernel takes as its parameter.
template <class T>
struct stream_job {
  bucket_table_view<T> routes;
  slot_roles roles;
  report_counts<T> counts;
  const T* x;
  std::int64_t n;
  // Inputs [body_begin, body_end) begin at a 16-byte boundary and are whole rounds of a block.
  std::int64_t body_begin;
  std::int64_t body_end;
  std::int32_t num_outputs;
  stream_output outputs[max_gathers];
};

/// The inputs that a thread takes in one round: `loads` vectors of 16 bytes, `apart` inputs from
/// each other, so that the 32 lanes of a warp read 512 contiguous bytes at each load. Example:
/// float32, two loads. Lane 1 takes inputs 4 .. 7 and 132 .. 135 of its warp's 256.
template <class T>
struct round_of {
  static constexpr int per_vector = 16 / sizeof(T);
  static constexpr int count = per_vector * stream_tuning::loads;
  static constexpr int apart = 32 * per_vector;
};

/// Stores one output of a thread's inputs, the first of which is number `first`; value_of(k) is the
/// output of its input k.
template <class T, int Count, class Element, class ValueOf>
__device__ void store(const stream_output& to, std::int64_t first, const ValueOf& value_of) {
  constexpr int per_vector = round_of<T>::per_vector;
  constexpr int loads = Count / per_vector;
  auto* const out = static_cast<Element*>(to.out) + first;
  if (loads > 0 && to.wide) {
    using wide = std::conditional_t<sizeof(Element) * per_vector == 8, uint2, uint4>;
    constexpr int per_store = sizeof(wide) / sizeof(Element);
#pragma unroll
    for (int k = 0; k < loads * per_vector; k += per_store) {
      Element outputs[per_store];
#pragma unroll
      for (int e = 0; e < per_store; ++e) outputs[e] = value_of(k + e);
      wide packed;
      memcpy(&packed, outputs, sizeof packed);
      __stcs(reinterpret_cast<wide*>(out + k / per_vector * round_of<T>::apart + k % per_vector),
             packed);
    }
  } else {
#pragma unroll
    for (int k = 0; k < Count; ++k) {
      __stcs(out + k / per_vector * round_of<T>::apart + k % per_vector, value_of(k));
    }
  }
}

/// Calls store_as(Element{}) with an unsigned integer as wide as the output's elements.
template <class StoreAs>
__device__ void with_width(const stream_output& to, const StoreAs& store_as) {
  if (to.element_size == 4) {
    store_as(std::uint32_t{});
  } else {
    store_as(std::uint64_t{});
  }
}

/// Predicts for a thread's inputs: routes them and stores all their outputs. `tables` is the
/// address of the tables in shared memory, `first` the number of the first input.
template <bool by_words, bool lines, class T, int Count>
__device__ void predict_inputs(const stream_job<T>& job, const shared_image<T>& image,
                               std::uint32_t tables, std::int64_t first, const T (&x)[Count]) {
  std::uint32_t ranks[Count];
  T in_cells[Count];
  std::uint32_t to_look_up = 0;
  if constexpr (by_words) {
    ranks_by_words(job.routes, image, x, ranks);
  } else {
    to_look_up = ranks_by_cells(job.routes, image, x, ranks, in_cells);
  }
  // Lanes that had to search come later; together again, a warp stores whole sectors.
  if constexpr (Count > 1) __syncwarp();
  const auto store_one = [&](const stream_output& to) {
    with_width(to, [&](auto element) {
      using type = decltype(element);
      store<T, Count, type>(to, first, [&](int k) {
        type value;
        if constexpr (by_words) {
          load_shared(value, tables + to.staged, ranks[k]);
        } else if (sizeof(type) == sizeof(T) && to.from_cell && (to_look_up >> k & 1u) == 0) {
          memcpy(&value, &in_cells[k], sizeof(type) < sizeof(T) ? sizeof(type) : sizeof(T));
        } else {
          value = looked_up<type>(to.table, job.roles, job.routes.slot_of(ranks[k]));
        }
        return value;
      });
    });
  };
  // Mostly there is a single output. Outside of the loop over outputs, the compiler computes its
  // address and width before the loop over rounds.
  if constexpr (lines) {
    const stream_output& to = job.outputs[0];
    with_width(to, [&](auto element) {
      using type = decltype(element);
      store<T, Count, type>(to, first, [&](int k) {
        if constexpr (by_words) {
          const auto* const staged = reinterpret_cast<const zcmoe_line*>(
              __cvta_shared_to_generic(static_cast<std::size_t>(tables + to.staged)));
          return line_value<type>(staged[ranks[k]], x[k]);
        } else {
          return line_value<type>(load_line(to.lines, job.routes.slot_of(ranks[k])), x[k]);
        }
      });
    });
  } else if (job.num_outputs > 0) {
    store_one(job.outputs[0]);
  }
  for (int g = 1; g < job.num_outputs; ++g) store_one(job.outputs[g]);
}

// The most registers with which a multiprocessor runs all the threads it can hold: 32 for 2,048
// threads, 40 for 1,536, 64 for 1,024. Tables with cells get 64: they take more registers, and
// fewer threads do no harm, since these wait for the second-level cache. So do lines, whose
// arithmetic is in float64.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#define ZCMOE_STREAM_BOUNDS __launch_bounds__(stream_tuning::most_threads)
#elif defined(__CUDA_ARCH__) && \
    (__CUDA_ARCH__ == 860 || __CUDA_ARCH__ == 890 || __CUDA_ARCH__ >= 1100)
#define ZCMOE_STREAM_BOUNDS __maxnreg__(by_words && !lines ? 40 : 64)
#else
#define ZCMOE_STREAM_BOUNDS \
  __launch_bounds__(stream_tuning::most_threads, by_words && !lines ? 2 : 1)
#endif

/// Predicts for contiguous inputs of T. by_words: the routing table has words, which are staged in
/// shared memory together with the outputs by rank; else it has cells, of which only the lines of
/// its first stage are staged. lines: the first output is what the lines of slots give.
template <class T, bool by_words, bool lines>
__global__ ZCMOE_STREAM_BOUNDS void stream_kernel(const __grid_constant__ stream_job<T> job) {
  extern __shared__ __align__(16) unsigned char memory[];
  __shared__ unsigned long long tally[num_counts];
  constexpr int per_vector = round_of<T>::per_vector;
  constexpr int count = round_of<T>::count;

  const shared_image<T> image(job.routes, memory);
  if (by_words) {
    for (int g = 0; g < job.num_outputs; ++g) {
      const stream_output& to = job.outputs[g];
      if (lines && g == 0) {
        for (std::uint32_t r = threadIdx.x; r < job.routes.num_ranks(); r += blockDim.x) {
          reinterpret_cast<zcmoe_line*>(memory + to.staged)[r] =
              load_line(to.lines, job.routes.slot_of(r));
        }
        continue;
      }
      with_width(to, [&](auto element) {
        using type = decltype(element);
        for (std::uint32_t r = threadIdx.x; r < job.routes.num_ranks(); r += blockDim.x) {
          reinterpret_cast<type*>(memory + to.staged)[r] =
              looked_up<type>(to.table, job.roles, job.routes.slot_of(r));
        }
      });
    }
  }
  if (threadIdx.x < num_counts) tally[threadIdx.x] = 0;
  __syncthreads();
  const std::uint32_t tables = shared_address(memory);

  // The body is whole rounds of whole blocks, so no input has to be checked for being there.
  const std::uint32_t inputs_a_round = blockDim.x * count;
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * inputs_a_round;
  std::int64_t first = job.body_begin + static_cast<std::int64_t>(blockIdx.x) * inputs_a_round +
                       threadIdx.x / 32 * 32 * count + threadIdx.x % 32 * per_vector;
  for (; first < job.body_end; first += step) {
    T x[count];
#pragma unroll
    for (int v = 0; v < stream_tuning::loads; ++v) {
      const auto loaded =
          __ldcs(reinterpret_cast<const vector_of<T>*>(job.x + first + v * round_of<T>::apart));
      memcpy(&x[v * per_vector], &loaded, sizeof loaded);
    }
    if (job.counts.report != nullptr) job.counts.add(x, (1u << count) - 1, tally);
    predict_inputs<by_words, lines>(job, image, tables, first, x);
  }

  // The inputs before the body and behind it are taken one per thread.
  const std::int64_t others = job.n - (job.body_end - job.body_begin);
  for (std::int64_t turn = static_cast<std::int64_t>(blockIdx.x) * blockDim.x; turn < others;
       turn += static_cast<std::int64_t>(gridDim.x) * blockDim.x) {
    const std::int64_t other = turn + threadIdx.x;
    const std::int64_t i = other < job.body_begin ? other : other + (job.body_end - job.body_begin);
    const bool is_input = other < others;
    const T x[1] = {is_input ? __ldcs(job.x + i) : T{0}};
    if (job.counts.report != nullptr) job.counts.add(x, is_input ? 1u : 0u, tally);
    if (is_input) predict_inputs<by_words, lines>(job, image, tables, i, x);
  }
  if (job.counts.report != nullptr) job.counts.finish(tally, job.n);
}

// --------------------------------------------------------- gathering kernel

struct gather_list {
  gather item[max_gathers];
  int count;
};

/// Stores all outputs of row i.
template <class T>
__device__ void predict_row(const gather_list& gathers, const slot_roles& roles, std::int64_t i,
                            T x, std::int32_t slot) {
#pragma unroll
  for (int g = 0; g < max_gathers; ++g) {
    if (g >= gathers.count) return;
    const gather& to = gathers.item[g];
    const std::int64_t at = i * to.stride;
    if (to.lines != nullptr) {
      const zcmoe_line line = load_line(to.lines, slot);
      if (to.element_size == 4) {
        static_cast<std::uint32_t*>(to.out)[at] = line_value<std::uint32_t>(line, x);
      } else {
        static_cast<std::uint64_t*>(to.out)[at] = line_value<std::uint64_t>(line, x);
      }
    } else if (to.element_size == 4) {
      static_cast<std::uint32_t*>(to.out)[at] = looked_up<std::uint32_t>(to.table, roles, slot);
    } else {
      static_cast<std::uint64_t*>(to.out)[at] = looked_up<std::uint64_t>(to.table, roles, slot);
    }
  }
}

/// Predicts for inputs of any type and stride, which are widened to T, the type of the routing
/// table.
template <class T, class Input>
__global__ __launch_bounds__(gather_tuning::threads,
                             4) void gather_kernel(bucket_table_view<T> routes, slot_roles roles,
                                                   Input x, std::int64_t n, gather_list gathers,
                                                   report_counts<T> counts) {
  constexpr int threads = gather_tuning::threads;
  constexpr int per_thread = gather_tuning::per_thread;
  __shared__ unsigned long long tally[num_counts];
  if (threadIdx.x < num_counts) tally[threadIdx.x] = 0;
  __syncthreads();
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * threads * per_thread;
  for (std::int64_t tile = static_cast<std::int64_t>(blockIdx.x) * threads * per_thread; tile < n;
       tile += stride) {
    // A thread reads all its inputs before it writes its first output, and writes only to rows that
    // it has read. So an output may be x itself, and several loads are in flight.
    T input[per_thread];
    std::uint32_t valid = 0;
#pragma unroll
    for (int k = 0; k < per_thread; ++k) {
      const std::int64_t i = tile + k * threads + threadIdx.x;
      input[k] = i < n ? static_cast<T>(x[i]) : T{0};
      valid |= i < n ? 1u << k : 0u;
    }
    std::uint32_t ranks[per_thread];
    ranks_of(routes, plain_image<T>(routes), input, ranks);
#pragma unroll
    for (int k = 0; k < per_thread; ++k) {
      if ((valid >> k & 1u) == 0) break;
      predict_row(gathers, roles, tile + k * threads + threadIdx.x, input[k],
                  routes.slot_of(ranks[k]));
    }
    if (counts.report != nullptr) counts.add(input, valid, tally);
  }
  if (counts.report != nullptr) counts.finish(tally, n);
}

// --------------------------------------------------------------- launching

/// Whether the pointer is a multiple of so many bytes.
bool aligned(const void* pointer, std::uintptr_t bytes) {
  return reinterpret_cast<std::uintptr_t>(pointer) % bytes == 0;
}

/// Launches stream_kernel and returns true, if the job's arrays and tables allow it.
template <class T>
bool launch_stream(const predict_job& job, const device_limits& device, zcmoe_stream stream) {
  const points& rows = job.rows;
  if (rows.x.stride != 1) return false;
  const bucket_table_view<T>& routes = routes_of(*job.routes).table<T>();
  const bool by_words = routes.words != nullptr;
  stream_job<T> work{};
  work.routes = routes;
  work.roles = job.routes->roles();
  work.counts = counts_for(job, routes);
  work.x = static_cast<const T*>(rows.x.data);
  work.n = rows.n;
  work.num_outputs = job.num_gathers;
  constexpr std::int64_t per_vector = round_of<T>::per_vector;
  const auto skew =
      static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(work.x) % 16 / sizeof(T));
  work.body_begin = std::min((per_vector - skew) % per_vector, rows.n);
  std::size_t shared = routes.image_bytes();
  for (int g = 0; g < job.num_gathers; ++g) {
    const gather& from = job.gathers[g];
    if (from.stride != 1) return false;
    const auto size = static_cast<std::uintptr_t>(from.element_size);
    const std::uintptr_t vector = size * static_cast<std::uintptr_t>(per_vector);
    stream_output& to = work.outputs[g];
    to.out = from.out;
    to.table = from.table;
    to.lines = from.lines;
    to.element_size = static_cast<std::int16_t>(from.element_size);
    to.wide = aligned(static_cast<const char*>(from.out) + work.body_begin * from.element_size,
                      vector < 16 ? vector : 16);
    to.from_cell = !by_words && from.held_by_router && size == sizeof(T);
    if (by_words) {
      to.staged = static_cast<std::uint32_t>(shared);
      const std::size_t entry = from.lines != nullptr ? sizeof(zcmoe_line) : size;
      shared += (routes.num_ranks() * entry + 15) / 16 * 16;
    }
  }
  if (shared + stream_tuning::own_shared > device.shared_per_block) return false;
  // With fewer inputs than 32-bit words to stage, gather_kernel is done sooner.
  if (static_cast<std::int64_t>(shared / 4) > rows.n) return false;
  device_limits room = device;
  // With cells or lines, 64 registers per thread let a multiprocessor run 1,024 threads.
  const bool lines = job.num_gathers > 0 && job.gathers[0].lines != nullptr;
  if (!by_words || lines) room.threads_per_sm = std::min(room.threads_per_sm, 1024);
  const launch_shape shape = stream_shape(room, shared, rows.n, sizeof(T));
  const std::int64_t inputs_a_round = std::int64_t{shape.threads} * round_of<T>::count;
  work.body_end = work.body_begin + (rows.n - work.body_begin) / inputs_a_round * inputs_a_round;
  const auto kernel =
      lines ? (by_words ? stream_kernel<T, true, true> : stream_kernel<T, false, true>)
            : (by_words ? stream_kernel<T, true, false> : stream_kernel<T, false, false>);
  launch(kernel, shape.blocks, shape.threads, shared, stream, work);
  return true;
}

/// Launches gather_kernel.
template <class T, class Input>
void launch_gather(const predict_job& job, const Input& x, zcmoe_stream stream) {
  gather_list gathers{};
  gathers.count = job.num_gathers;
  for (int g = 0; g < job.num_gathers; ++g) gathers.item[g] = job.gathers[g];
  const bucket_table_view<T>& routes = routes_of(*job.routes).table<T>();
  launch(&gather_kernel<T, Input>, gather_blocks(job.rows.n), gather_tuning::threads, 0, stream,
         routes, job.routes->roles(), x, job.rows.n, gathers, counts_for(job, routes));
}

}  // namespace

void prepare_predict(const device_limits& device) {
  const auto bytes = static_cast<int>(device.shared_per_block - stream_tuning::own_shared);
  const auto prepare = [bytes](std::initializer_list<const void*> kernels) {
    for (const void* const kernel : kernels) {
      ZCMOE_CUDA_TRY(
          cuda().func_set_attribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
    }
  };
  const auto prepare_for = [&prepare](auto number) {
    using T = decltype(number);
    prepare({reinterpret_cast<const void*>(&stream_kernel<T, true, false>),
             reinterpret_cast<const void*>(&stream_kernel<T, false, false>),
             reinterpret_cast<const void*>(&stream_kernel<T, true, true>),
             reinterpret_cast<const void*>(&stream_kernel<T, false, true>)});
  };
  prepare_for(float{});
  prepare_for(double{});
}

void launch_predict(const predict_job& job, const device_limits& device, zcmoe_stream stream) {
  if (job.rows.n == 0) return;
  const any_array& x = job.rows.x;
  if (x.dtype == ZCMOE_F32) {
    if (launch_stream<float>(job, device, stream)) return;
    launch_gather<float>(job, typed_array<float>{static_cast<const float*>(x.data), x.stride},
                         stream);
  } else {
    if (x.dtype == ZCMOE_F64 && launch_stream<double>(job, device, stream)) return;
    launch_gather<double>(job, x, stream);
  }
}

}  // namespace zcmoe::detail
