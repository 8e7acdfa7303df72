// The CUDA engine: jobs (host/engine/jobs.hpp) -> chunks -> launches, whose kernels are in the
// files beside this one. Here are memory, the staging of host arrays and the order of launches.
// Nothing waits for the device but upload, download, summarize and the functions whose names end in
// _sync.
#include "cuda_check.hpp"
#include "cuda_evaluator.hpp"
#include "cuda_passes.hpp"
#include "cuda_router.hpp"
#include "device_buffer.hpp"
#include "launchers.hpp"

#include <cuda/version>

#include <algorithm>
#include <array>
#include <atomic>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

namespace zcmoe::detail {
namespace {

/// The part of an array that begins at row `first`.
template <class Array>
Array rows_from(Array array, std::int64_t first) {
  if (array.data != nullptr) {
    array.data = static_cast<const char*>(array.data) + first * array.stride * size_of(array.dtype);
  }
  return array;
}

/// Copies n elements on the host; strides are in elements.
template <class Element>
void copy_strided(void* to, std::int64_t to_stride, const void* from, std::int64_t from_stride,
                  std::int64_t n) {
  auto* out = static_cast<Element*>(to);
  const auto* in = static_cast<const Element*>(from);
  for (std::int64_t i = 0; i < n; ++i) out[i * to_stride] = in[i * from_stride];
}

/// Copies n elements of 1, 2, 4 or 8 bytes on the host; strides are in elements.
void copy_elements(void* to, std::int64_t to_stride, const void* from, std::int64_t from_stride,
                   std::int64_t n, std::int64_t element_size) {
  if (to_stride == 1 && from_stride == 1) {
    std::memcpy(to, from, static_cast<std::size_t>(n * element_size));
    return;
  }
  switch (element_size) {
    case 1: copy_strided<std::uint8_t>(to, to_stride, from, from_stride, n); break;
    case 2: copy_strided<std::uint16_t>(to, to_stride, from, from_stride, n); break;
    case 4: copy_strided<std::uint32_t>(to, to_stride, from, from_stride, n); break;
    default: copy_strided<std::uint64_t>(to, to_stride, from, from_stride, n);
  }
}

/// How many rows of a host array go to the device at a time: enough to hide the latency of a copy,
/// few enough that the page-locked buffers for them stay small.
constexpr std::int64_t staged_rows = std::int64_t{1} << 20;

/// Bytes of an array, rounded up so that the next one is aligned.
std::size_t bytes_of(std::int64_t rows, std::int64_t element_size) {
  return (static_cast<std::size_t>(rows * element_size) + device_alignment - 1) / device_alignment *
         device_alignment;
}

/// The scratch that CUB's sorts take, for every key type, payload size and power of two of rows.
/// CUB is asked once, when the backend is made, so that a workspace query needs no call of the
/// runtime. An entry is at least as large as those of fewer rows or narrower keys, so that a
/// workspace for many rows is enough for few.
class sort_scratch_table {
 public:
  sort_scratch_table() {
    for (std::size_t p = 0; p < 2; ++p) {
      for (std::size_t k = 0; k < 3; ++k) {
        for (std::size_t r = 0; r < num_steps; ++r) {
          std::size_t bytes = sort_scratch_bytes(1 << k, p == 0 ? 4 : 8, min_chunk_rows << r);
          if (k > 0) bytes = std::max(bytes, bytes_[p][k - 1][r]);
          if (r > 0) bytes = std::max(bytes, bytes_[p][k][r - 1]);
          bytes_[p][k][r] = bytes;
        }
      }
    }
  }
  /// Bytes for at most max_chunk_rows rows, rounded up to the next power of two of rows.
  std::size_t bytes(int key_size, int payload_bytes, std::int64_t num_rows) const {
    std::size_t r = 0;
    while ((min_chunk_rows << r) < num_rows) ++r;
    return bytes_[payload_bytes == 4 ? 0 : 1][key_size / 2][r];  // sizes 1, 2, 4: entries 0, 1, 2
  }

 private:
  static constexpr std::size_t num_steps = 11;
  static_assert(min_chunk_rows << (num_steps - 1) == max_chunk_rows, "one entry per power of two");
  std::size_t bytes_[2][3][num_steps];
};

/// The path of a fit that ZCMOE_CUDA_FIT forces, for tests and tuning. The environment is read when
/// a context is made. "sort" forces a sort; "1", "2" or "4" is the most columns of the sort-free
/// path. No result depends on it.
struct forced_fit {
  bool sort = false;
  int most_column_bits = accumulate_tuning::most_column_bits;

  forced_fit() {
    const char* const given = std::getenv("ZCMOE_CUDA_FIT");
    if (given == nullptr) return;
    sort = std::strcmp(given, "sort") == 0;
    for (int bits = 0; bits < accumulate_tuning::most_column_bits; ++bits) {
      if (given == std::to_string(1 << bits)) most_column_bits = bits;
    }
  }
};

void add_to(zcmoe_report& report, const zcmoe_report& counts) {
  report.rows += counts.rows;
  report.rows_used += counts.rows_used;
  report.nan_inputs += counts.nan_inputs;
  report.below_range += counts.below_range;
  report.above_range += counts.above_range;
}

class cuda_backend final : public backend {
 public:
  /// The caller has made the device current.
  cuda_backend(const owned_device& device, const zcmoe_context_options& options)
      : device_(device), allocator_(device, options) {
    cudaDeviceProp properties;
    ZCMOE_CUDA_TRY(cuda().get_device_properties(&properties, device_.number));
    std::memcpy(name_, properties.name, sizeof name_ - 1);
    limits_ = {properties.multiProcessorCount, properties.maxThreadsPerMultiProcessor,
               properties.sharedMemPerMultiprocessor, properties.sharedMemPerBlockOptin};
    prepare_predict(limits_);
    prepare_points(limits_);
    prepare_accumulate(limits_);
  }
  ~cuda_backend() override = default;

  zcmoe_engine engine() const override { return ZCMOE_ENGINE_CUDA; }
  void describe(zcmoe_context_info& info) const override {
    info.engine = ZCMOE_ENGINE_CUDA;
    info.device = device_.number;
    info.num_threads = 0;
    std::memcpy(info.name, name_, sizeof info.name);
  }

  void* allocate_zeroed(std::size_t bytes, zcmoe_stream stream) override {
    const device_guard guard(device_);
    device_buffer buffer(allocator_, bytes, stream);
    ZCMOE_CUDA_TRY(cuda().memset_async(buffer.data(), 0, bytes, stream));
    return buffer.release();
  }
  void deallocate(void* pointer, std::size_t bytes, zcmoe_stream stream) noexcept override {
    try {
      const device_guard guard(device_);
      allocator_.deallocate(pointer, bytes, stream);
    } catch (...) {  // the device is lost, and its memory with it
    }
  }
  void upload(void* to, const void* from, std::size_t bytes, zcmoe_stream stream) override {
    copy(to, from, bytes, cudaMemcpyHostToDevice, stream);
  }
  void download(void* to, const void* from, std::size_t bytes, zcmoe_stream stream) const override {
    copy(to, from, bytes, cudaMemcpyDeviceToHost, stream);
  }

  std::unique_ptr<const router> make_router(const model_view& table,
                                            const slot_constants& constants,
                                            zcmoe_stream stream) override {
    return std::make_unique<cuda_router>(*this, table, constants, limits_.shared_per_block, stream);
  }
  void predict(const predict_job& job, zcmoe_stream stream) const override {
    const device_guard guard(device_);
    launch_predict(job, limits_, stream);
  }
  void predict_sync(const predict_job& job, zcmoe_stream stream) const override;

  std::unique_ptr<const evaluator> make_evaluator(const bank_tables& tables,
                                                  zcmoe_stream stream) override {
    return std::make_unique<cuda_evaluator>(*this, tables, limits_.shared_per_block, stream);
  }
  void predict_points(const points_job& job, zcmoe_stream stream) const override {
    const device_guard guard(device_);
    launch_points(job, limits_, stream);
  }
  void predict_points_sync(const points_job& job, zcmoe_stream stream) const override;
  std::int32_t device_of(const void* data) const override {
    const device_guard guard(device_);
    cudaPointerAttributes attributes{};
    ZCMOE_CUDA_TRY(cuda().pointer_get_attributes(&attributes, data));
    if (attributes.type == cudaMemoryTypeManaged) return device_.number;  // of any that looks
    return attributes.type == cudaMemoryTypeDevice ? attributes.device : -1;
  }
  void read_sync(const any_array& from, std::int64_t n, double* to) const override;
  void encode_sync(const codes_job& job, zcmoe_stream stream) const override;
  std::unique_ptr<row_passes> make_row_passes(const pass_rows& rows,
                                              const run_parts& run) override {
    return make_cuda_passes(*this, device_, rows, run);
  }
  /// The engine has no threads of the host: the caller's does all.
  void share_out(std::int64_t num_parts,
                 const std::function<void(std::int64_t)>& body) const override {
    for (std::int64_t part = 0; part < num_parts; ++part) body(part);
  }

  std::size_t group_workspace(std::int64_t num_slots, std::int64_t n) const override {
    return n <= 0 ? 0 : regions(keys_for(num_slots), std::min(n, max_chunk_rows)).total;
  }
  void group(const group_job& job, zcmoe_stream stream) override;
  void group_sync(const group_job& job, zcmoe_stream stream) override;

  /// The workspace that adds n rows in as few chunks as possible. A workspace for min_chunk_rows
  /// rows adds any number of rows in several chunks: so that it can, whatever is returned for as
  /// many rows or more has room for a spare state, which is small beside a chunk of many rows.
  std::size_t fit_workspace(const state_layout& layout, bool several,
                            std::int64_t n) const override {
    if (n <= 0) return 0;
    const bool in_place = most_chunk_rows(layout, several) == max_direct_rows;
    const std::size_t one_chunk =
        chunk_workspace(layout, several, std::min(n, most_chunk_rows(layout, several)));
    if (n < (in_place ? max_direct_rows + 1 : min_chunk_rows)) return one_chunk;
    return std::max(one_chunk,
                    chunk_workspace(layout, several, min_chunk_rows) + spare_state_bytes(layout));
  }
  void accumulate(const fit_job& job, zcmoe_stream stream) override;
  void accumulate_sync(const fit_job& job, zcmoe_stream stream) override;

  void merge(const state_layout& layout, std::int64_t* to, const std::int64_t* from,
             zcmoe_stream stream) override {
    const device_guard guard(device_);
    launch_merge(layout, {to, nullptr}, {const_cast<std::int64_t*>(from), nullptr}, stream);
  }
  void summarize(const state_layout& layout, const std::int64_t* state, slot_summary* summaries,
                 zcmoe_stream stream) override {
    const device_guard guard(device_);
    const std::size_t bytes = static_cast<std::size_t>(layout.num_slots()) * sizeof(slot_summary);
    const device_buffer buffer(allocator_, bytes, stream);
    launch_summarize(layout, state, static_cast<slot_summary*>(buffer.data()), stream);
    ZCMOE_CUDA_TRY(
        cuda().memcpy_async(summaries, buffer.data(), bytes, cudaMemcpyDeviceToHost, stream));
    ZCMOE_CUDA_TRY(cuda().stream_synchronize(stream));
  }
  void summarize_lines(const state_layout& layout, const std::int64_t* state,
                       line_summary* summaries, zcmoe_stream stream) override;

 private:
  void copy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
            zcmoe_stream stream) const {
    const device_guard guard(device_);
    if (bytes == 0) return;
    ZCMOE_CUDA_TRY(cuda().memcpy_async(to, from, bytes, kind, stream));
    ZCMOE_CUDA_TRY(cuda().stream_synchronize(stream));
  }
  fit_regions regions(const state_layout& layout, const row_keys& keys,
                      std::int64_t num_rows) const {
    const int payload_bytes = payload_size(layout);
    return fit_regions_for(num_rows, keys, payload_bytes,
                           sort_scratch_.bytes(keys.size, payload_bytes, num_rows));
  }
  group_regions regions(const row_keys& keys, std::int64_t num_rows) const {
    return group_regions_for(num_rows, keys,
                             sort_scratch_.bytes(keys.size, sizeof(std::uint32_t), num_rows));
  }
  bool sorts(const state_layout& layout) const {
    return forced_.sort || !is_sort_free(layout, limits_);
  }
  /// several: rows are of several inputs, and the numbers of their segments in the workspace.
  std::int64_t most_chunk_rows(const state_layout& layout, bool several) const {
    return sorts(layout) || several ? max_chunk_rows : max_direct_rows;
  }
  /// Bytes that one chunk of so many rows takes, without a spare state. This is for keys of all
  /// slots; a fit whose policies use fewer takes less. Where rows are sorted, the numbers of
  /// segments lie in a region that the sort needs later.
  std::size_t chunk_workspace(const state_layout& layout, bool several,
                              std::int64_t num_rows) const {
    if (!sorts(layout)) return several ? bytes_of(num_rows, sizeof(float)) : 0;
    return regions(layout, keys_for(layout.num_slots()), num_rows).total;
  }
  /// Rows of several inputs as rows of one: the number of each row's segment, as the tables of a
  /// fit have it for their constant, NaN without one. They go to `to`, 4 bytes a row.
  points numbered(const points& rows, void* to, zcmoe_stream stream) const {
    points_job job = job_of(rows);
    job.values = {to, ZCMOE_F32, 1};
    launch_points(job, limits_, stream);
    return {any({to, ZCMOE_F32, 1}), rows.n};
  }
  /// The same for a grouping: their segments as I32, -1 without one.
  points with_segments(const points& rows, void* to, zcmoe_stream stream) const {
    points_job job = job_of(rows);
    job.segments = {to, ZCMOE_I32, 1};
    launch_points(job, limits_, stream);
    return {any({to, ZCMOE_I32, 1}), rows.n};
  }
  static points_job job_of(const points& rows) {
    points_job job{};
    job.tables = rows.tables;
    job.columns = rows.columns;
    job.n = rows.n;
    return job;
  }
  template <class Visit>
  void over_columns(const points& rows, zcmoe_stream stream, const Visit& visit) const;
  /// Enqueues the launches that add one chunk to chunk.state.
  void add_chunk(const fit_job& given, zcmoe_stream stream) const;

  owned_device device_;
  forced_fit forced_;
  device_allocator allocator_;
  sort_scratch_table sort_scratch_;
  device_limits limits_;
  char name_[sizeof(zcmoe_context_info::name)] = {};
};

[[noreturn]] void fail_workspace(std::size_t given, std::size_t least) {
  fail(ZCMOE_ERR_WORKSPACE, "workspace_bytes=", given, " is less than the ", least,
       " bytes that min(n, ", min_chunk_rows, ") rows need");
}

/// The most rows, at most n, that a chunk may have in a workspace of so many bytes, found by
/// bisection: bytes_for(rows) is what rows need, and grows with them.
template <class BytesFor>
std::int64_t rows_that_fit(std::int64_t n, std::size_t workspace_bytes, const BytesFor& bytes_for) {
  std::int64_t rows = std::min(n, min_chunk_rows);
  if (workspace_bytes < bytes_for(rows)) fail_workspace(workspace_bytes, bytes_for(rows));
  for (std::int64_t too_many = std::min(n, max_chunk_rows) + 1; too_many - rows > 1;) {
    const std::int64_t middle = rows + (too_many - rows) / 2;
    (bytes_for(middle) <= workspace_bytes ? rows : too_many) = middle;
  }
  return rows;
}

// --------------------------------------------------------------------- fit

/// The host makes the summaries: their integers are so wide that a kernel would hold them in local
/// memory, and lines are for few segments. The planes come in pieces of so many slots.
void cuda_backend::summarize_lines(const state_layout& layout, const std::int64_t* state,
                                   line_summary* summaries, zcmoe_stream stream) {
  const device_guard guard(device_);
  constexpr std::int64_t slots_at_once = std::int64_t{1} << 12;
  const std::int64_t num_slots = layout.num_slots();
  const std::int64_t most = std::min(num_slots, slots_at_once);
  std::vector<std::int64_t> planes(static_cast<std::size_t>(layout.num_planes() * most));
  for (std::int64_t first = 0; first < num_slots; first += most) {
    const std::int64_t count = std::min(most, num_slots - first);
    for (int plane = 0; plane < layout.num_planes(); ++plane) {
      const std::int64_t* const from = state + num_row_counters + plane * num_slots + first;
      ZCMOE_CUDA_TRY(cuda().memcpy_async(planes.data() + plane * count, from,
                                         static_cast<std::size_t>(count) * sizeof *from,
                                         cudaMemcpyDeviceToHost, stream));
    }
    ZCMOE_CUDA_TRY(cuda().stream_synchronize(stream));
    with_layout(layout, [&](auto target, auto weighted) {
      for (std::int64_t slot = 0; slot < count; ++slot) {
        summaries[first + slot] =
            summarize_line<decltype(target), decltype(weighted)::value>(planes.data(), count, slot);
      }
    });
  }
}

/// The n rows from row `first` on; `columns` keeps those of several inputs.
points chunk_of(const points& rows, std::int64_t first, std::int64_t n,
                std::vector<any_array>& columns) {
  if (rows.tables == nullptr) return {rows_from(rows.x, first), n};
  columns.assign(rows.columns, rows.columns + tables_of(*rows.tables).view().num_axes);
  for (any_array& column : columns) column = rows_from(column, first);
  return {{}, n, rows.tables, columns.data()};
}
fit_job chunk_of(const fit_job& job, std::int64_t first, std::int64_t n,
                 std::vector<any_array>& columns) {
  fit_job chunk = job;
  chunk.rows = chunk_of(job.rows, first, n, columns);
  chunk.y = rows_from(job.y, first);
  chunk.weights = rows_from(job.weights, first);
  return chunk;
}

/// A second state, in the workspace of one call, that begins without rows. If the rows of a call
/// take several chunks, these are added here, and one last launch merges it into the fit's own
/// state: a call that fails before has changed nothing.
class spare_state {
 public:
  spare_state(const state_layout& layout, void* memory, zcmoe_stream stream)
      : layout_(layout), at_(static_cast<char*>(memory)) {
    ZCMOE_CUDA_TRY(cuda().memset_async(at_, 0, layout.bytes(), stream));
    ZCMOE_CUDA_TRY(
        cuda().memset_async(place().first_bad, no_row_byte, sizeof(std::int64_t), stream));
  }
  /// The chunk, with this as the state that its rows are added to.
  fit_job redirected(fit_job chunk) const {
    chunk.state = place().state;
    chunk.first_bad = place().first_bad;
    return chunk;
  }
  void merge_into(const fit_job& job, zcmoe_stream stream) const {
    launch_merge(layout_, {job.state, job.first_bad}, place(), stream);
  }

 private:
  state_place place() const {
    return {reinterpret_cast<std::int64_t*>(at_),
            reinterpret_cast<std::int64_t*>(at_ + spare_state_bytes(layout_) - 256)};
  }
  state_layout layout_;
  char* at_;
};

/// Without a sort there are two launchers. With one, keys and payloads are written, sorted and
/// added up, in the order in which the calls stand here. Before either, rows of several inputs
/// become rows of one.
void cuda_backend::add_chunk(const fit_job& given, zcmoe_stream stream) const {
  fit_job chunk = given;
  const bool several = chunk.rows.tables != nullptr;
  if (!sorts(chunk.layout)) {
    if (several) chunk.rows = numbered(chunk.rows, chunk.workspace, stream);
    launch_begin_chunk(chunk.layout, chunk.state, chunk.rows.n, nullptr, stream);
    launch_accumulate(chunk, limits_, forced_.most_column_bits, stream);
    return;
  }
  const row_keys keys = keys_for(chunk.routes->roles());
  const fit_regions at = regions(chunk.layout, keys, chunk.rows.n);
  char* const base = static_cast<char*>(chunk.workspace);
  const keyed_rows rows{base + at.sort.keys[0], base + at.sort.payload[0]};
  const keyed_rows spare{base + at.sort.keys[1], base + at.sort.payload[1]};
  auto* const ends = reinterpret_cast<std::uint32_t*>(base + at.sort.segment_ends);
  auto& counts = *reinterpret_cast<chunk_counts*>(base + at.counts);

  if (several) chunk.rows = numbered(chunk.rows, spare.payload, stream);
  launch_begin_chunk(chunk.layout, chunk.state, chunk.rows.n, &counts, stream);
  launch_route(chunk, keys, rows, counts, stream);
  const keyed_rows sorted =
      launch_sort(keys, payload_size(chunk.layout), rows, spare, chunk.rows.n,
                  base + at.sort.sort_scratch, at.counts - at.sort.sort_scratch, stream);
  launch_segment_ends(keys, sorted.keys, chunk.rows.n, ends, stream);
  launch_reduce(chunk, keys, sorted, ends, counts, stream);
}

/// Adds all rows of the job or, if something fails, none. If the job has no workspace, one is
/// allocated for the call, which then calls itself.
void cuda_backend::accumulate(const fit_job& job, zcmoe_stream stream) {
  if (job.rows.n == 0) return;
  const device_guard guard(device_);
  const bool several = job.rows.tables != nullptr;
  const bool is_one_chunk = job.rows.n <= most_chunk_rows(job.layout, several);
  const std::size_t wanted = is_one_chunk ? chunk_workspace(job.layout, several, job.rows.n)
                                          : fit_workspace(job.layout, several, job.rows.n);
  if (job.workspace == nullptr && wanted != 0) {
    fit_job with_workspace = job;
    with_workspace.workspace_bytes = wanted;
    const device_buffer buffer(allocator_, with_workspace.workspace_bytes, stream);
    with_workspace.workspace = buffer.data();
    accumulate(with_workspace, stream);
    return;
  }
  if (is_one_chunk && job.workspace_bytes >= wanted) {
    add_chunk(job, stream);
    return;
  }
  const std::int64_t least_rows = std::min(job.rows.n, min_chunk_rows);
  const std::size_t spare_bytes = job.rows.n > least_rows ? spare_state_bytes(job.layout) : 0;
  const std::size_t least = spare_bytes + chunk_workspace(job.layout, several, least_rows);
  if (job.workspace_bytes < least) fail_workspace(job.workspace_bytes, least);
  const std::int64_t chunk_rows =
      rows_that_fit(job.rows.n, job.workspace_bytes - spare_bytes,
                    [&](std::int64_t n) { return chunk_workspace(job.layout, several, n); });
  const spare_state spare(job.layout, job.workspace, stream);
  fit_job rest = job;
  rest.workspace = static_cast<char*>(job.workspace) + spare_bytes;
  rest.workspace_bytes = job.workspace_bytes - spare_bytes;
  std::vector<any_array> columns;
  for (std::int64_t first = 0; first < job.rows.n; first += chunk_rows) {
    const std::int64_t n = std::min(chunk_rows, job.rows.n - first);
    add_chunk(spare.redirected(chunk_of(rest, first, n, columns)), stream);
  }
  spare.merge_into(job, stream);
}

// ------------------------------------------------------------------- group

/// If there is a single chunk, its sorted rows are the result. If there are more, every chunk is
/// sorted to count its rows per slot, then sorted again and its rows are placed: where a row goes
/// depends on the counts of all chunks.
void cuda_backend::group(const group_job& job, zcmoe_stream stream) {
  const device_guard guard(device_);
  if (job.rows.n == 0) {
    launch_write_offsets(job, nullptr, stream);
    return;
  }
  if (job.workspace == nullptr) {
    group_job with_workspace = job;
    with_workspace.workspace_bytes = group_workspace(job.num_slots, job.rows.n);
    const device_buffer buffer(allocator_, with_workspace.workspace_bytes, stream);
    with_workspace.workspace = buffer.data();
    group(with_workspace, stream);
    return;
  }
  const row_keys keys = keys_for(job.num_slots);
  const std::int64_t chunk_rows =
      rows_that_fit(job.rows.n, job.workspace_bytes,
                    [&](std::int64_t n) { return group_workspace(job.num_slots, n); });
  const group_regions at = regions(keys, chunk_rows);
  char* const base = static_cast<char*>(job.workspace);
  const keyed_rows rows{base + at.sort.keys[0], base + at.sort.payload[0]};
  const keyed_rows spare{base + at.sort.keys[1], base + at.sort.payload[1]};
  auto* const ends = reinterpret_cast<std::uint32_t*>(base + at.sort.segment_ends);
  auto* const begin = reinterpret_cast<std::int64_t*>(base + at.begin);
  std::vector<any_array> columns;
  const auto sorted_chunk = [&](std::int64_t first, std::int64_t n) {
    group_job chunk = job;
    chunk.rows = chunk_of(job.rows, first, n, columns);
    if (job.rows.tables != nullptr) chunk.rows = with_segments(chunk.rows, spare.payload, stream);
    launch_slot_keys(chunk, keys, rows, stream);
    const keyed_rows sorted =
        launch_sort(keys, sizeof(std::uint32_t), rows, spare, n, base + at.sort.sort_scratch,
                    at.begin - at.sort.sort_scratch, stream);
    launch_segment_ends(keys, sorted.keys, n, ends, stream);
    return sorted;
  };
  ZCMOE_CUDA_TRY(cuda().memset_async(
      begin, 0, static_cast<std::size_t>(keys.count + 1) * sizeof(std::int64_t), stream));
  keyed_rows sorted{};
  for (std::int64_t first = 0; first < job.rows.n; first += chunk_rows) {
    sorted = sorted_chunk(first, std::min(chunk_rows, job.rows.n - first));
    launch_add_offsets(ends, keys.count, begin, stream);
  }
  launch_write_offsets(job, begin, stream);
  if (job.row_numbers.data == nullptr && job.num_columns == 0) return;
  for (std::int64_t first = 0; first < job.rows.n; first += chunk_rows) {
    const std::int64_t n = std::min(chunk_rows, job.rows.n - first);
    if (n != job.rows.n) sorted = sorted_chunk(first, n);
    launch_place_rows(job, keys, sorted, ends, first, n, begin, stream);
  }
}

// ----------------------------------------------------------- host memory

/// Host arrays of rows on their way through device memory, a chunk at a time: arrays that are read
/// are packed into a page-locked buffer and sent while the device works on the chunk before, and
/// arrays that are written come back likewise. An array that is written may be one that is read: a
/// row is written only after it has been read.
class staged_arrays {
 public:
  /// The most bytes of a chunk, unless its rows are wider than that.
  static constexpr std::int64_t most_bytes = std::int64_t{1} << 26;

  /// Rows of a chunk, of n.
  std::int64_t rows_of_chunk(std::int64_t n) const {
    std::int64_t row_bytes = 1;
    for (const std::vector<array>* const list : {&read_, &written_}) {
      for (const array& a : *list) row_bytes += a.element_size;
    }
    const std::int64_t most = std::min(staged_rows, most_bytes / row_bytes);
    return std::min(n, std::max<std::int64_t>(most, 256));
  }
  void reads(const void* data, std::int64_t stride, std::int64_t element_size) {
    read_.push_back({const_cast<void*>(data), stride, element_size, 0});
  }
  void writes(void* data, std::int64_t stride, std::int64_t element_size) {
    written_.push_back({data, stride, element_size, 0});
  }
  /// What a chunk has on the device: the place of each array, and room that keeps its bytes from
  /// chunk to chunk, zeroed at first.
  struct chunk {
    std::int64_t first;  // row
    std::int64_t n;
    const std::vector<void*>& read;
    const std::vector<void*>& written;
    void* kept;
  };

  /// launch(chunk) for all n > 0 rows. Waits; the bytes that are kept come back into `kept`.
  template <class Launch>
  void run(std::int64_t n, const device_allocator& allocator, void* kept, std::size_t kept_bytes,
           zcmoe_stream stream, const Launch& launch) {
    const std::int64_t rows = rows_of_chunk(n);
    std::size_t bytes = 0;
    for (std::vector<array>* const list : {&read_, &written_}) {
      for (array& a : *list) {
        a.at = bytes;
        bytes += bytes_of(rows, a.element_size);
      }
    }
    const std::size_t kept_at = bytes;
    bytes += kept_bytes;
    const device_buffer device(allocator, bytes, stream);
    const pinned_buffer staging[2] = {pinned_buffer(bytes), pinned_buffer(bytes)};
    device_event done[2];
    stream_drain drain(stream);
    char* const base = static_cast<char*>(device.data());
    std::vector<void*> read, written;
    for (const array& a : read_) read.push_back(base + a.at);
    for (const array& a : written_) written.push_back(base + a.at);
    if (kept_bytes > 0) ZCMOE_CUDA_TRY(cuda().memset_async(base + kept_at, 0, kept_bytes, stream));

    const auto unpack = [&](std::int64_t first, int turn) {
      done[turn].wait();
      over_tiles(first, std::min(rows, n - first), written_,
                 [&](const array& a, auto row, auto to, auto count) {
                   copy_elements(a.row(row), a.stride,
                                 staging[turn].data() + a.at + to * a.element_size, 1, count,
                                 a.element_size);
                 });
    };
    // Where nothing comes back the launches are the last calls that can fail.
    const bool comes_back = !written_.empty() || kept_bytes > 0;
    int turn = 0;
    for (std::int64_t first = 0; first < n; first += rows, turn ^= 1) {
      const std::int64_t count = std::min(rows, n - first);
      if (!comes_back && first >= 2 * rows) done[turn].wait();
      over_tiles(first, count, read_, [&](const array& a, auto row, auto to, auto tile) {
        copy_elements(staging[turn].data() + a.at + to * a.element_size, 1, a.row(row), a.stride,
                      tile, a.element_size);
      });
      for (const array& a : read_) {
        ZCMOE_CUDA_TRY(cuda().memcpy_async(base + a.at, staging[turn].data() + a.at,
                                           static_cast<std::size_t>(count * a.element_size),
                                           cudaMemcpyHostToDevice, stream));
      }
      if (!comes_back) done[turn].record(stream);
      launch(chunk{first, count, read, written, base + kept_at});
      if (!comes_back) continue;
      for (const array& a : written_) {
        ZCMOE_CUDA_TRY(cuda().memcpy_async(staging[turn].data() + a.at, base + a.at,
                                           static_cast<std::size_t>(count * a.element_size),
                                           cudaMemcpyDeviceToHost, stream));
      }
      done[turn].record(stream);
      if (first > 0) unpack(first - rows, turn ^ 1);
    }
    if (comes_back) unpack((n - 1) / rows * rows, turn ^ 1);
    if (kept_bytes > 0) {
      ZCMOE_CUDA_TRY(cuda().memcpy_async(staging[0].data() + kept_at, base + kept_at, kept_bytes,
                                         cudaMemcpyDeviceToHost, stream));
    }
    drain.finish();
    if (kept_bytes > 0) std::memcpy(kept, staging[0].data() + kept_at, kept_bytes);
  }

 private:
  struct array {
    void* data;
    std::int64_t stride;
    std::int64_t element_size;
    std::size_t at;  // byte in the buffers

    void* row(std::int64_t i) const { return static_cast<char*>(data) + i * stride * element_size; }
  };

  /// visit(array, row, row within the chunk, count) for tiles of so few rows that rows which lie
  /// side by side in memory stay in a cache from array to array.
  template <class Visit>
  static void over_tiles(std::int64_t first, std::int64_t count, const std::vector<array>& arrays,
                         const Visit& visit) {
    const std::int64_t tile = arrays.size() < 2 ? count : 256;
    for (std::int64_t to = 0; to < count; to += tile) {
      for (const array& a : arrays) visit(a, first + to, to, std::min(tile, count - to));
    }
  }

  std::vector<array> read_;
  std::vector<array> written_;
};

/// The columns of rows of several inputs, to be read; `columns` has them as the device will.
void read_columns(const points& rows, staged_arrays& arrays, std::vector<any_array>& columns) {
  columns.assign(rows.columns, rows.columns + tables_of(*rows.tables).view().num_axes);
  for (const any_array& c : columns) arrays.reads(c.data, c.stride, size_of(c.dtype));
}

/// The rows of a chunk, whose columns are the first arrays that are read.
points rows_of(const points& rows, const staged_arrays::chunk& chunk,
               std::vector<any_array>& columns) {
  for (std::size_t a = 0; a < columns.size(); ++a) {
    columns[a].data = chunk.read[a];
    columns[a].stride = 1;
  }
  return {{}, chunk.n, rows.tables, columns.data()};
}

/// visit(chunk) for rows of several inputs in host memory, a chunk on the device at a time.
template <class Visit>
void cuda_backend::over_columns(const points& rows, zcmoe_stream stream, const Visit& visit) const {
  staged_arrays arrays;
  std::vector<any_array> columns;
  read_columns(rows, arrays, columns);
  arrays.run(rows.n, allocator_, nullptr, 0, stream,
             [&](const staged_arrays::chunk& chunk) { visit(rows_of(rows, chunk, columns)); });
}

/// Copies x and the columns to the device as a whole, since the place of a row may be anywhere, and
/// the outputs back, through one page-locked buffer of staged_rows elements.
void cuda_backend::group_sync(const group_job& job, zcmoe_stream stream) {
  const device_guard guard(device_);
  const std::int64_t num_offsets = job.num_slots + 1;
  std::size_t bytes = 0;
  const auto reserve = [&bytes](bool wanted, std::int64_t n, std::int64_t size) {
    const std::size_t at = bytes;
    if (wanted) bytes += bytes_of(n, size);
    return at;
  };
  const bool wants_rows = job.row_numbers.data != nullptr && job.rows.n > 0;
  const int num_columns = job.rows.n > 0 ? job.num_columns : 0;
  const bool several = job.rows.tables != nullptr;
  const std::int64_t x_size = several ? sizeof(std::int32_t) : size_of(job.rows.x.dtype);
  const std::int64_t row_size = size_of(job.row_numbers.dtype);
  const std::size_t x_at = reserve(job.rows.n > 0, job.rows.n, x_size);
  const std::size_t offsets_at = reserve(job.offsets.data != nullptr, num_offsets, 8);
  const std::size_t rows_at = reserve(wants_rows, job.rows.n, row_size);
  std::size_t from_at[max_group_columns];
  std::size_t to_at[max_group_columns];
  for (int c = 0; c < num_columns; ++c) {
    from_at[c] = reserve(true, job.rows.n, job.columns[c].element_size);
    to_at[c] = reserve(true, job.rows.n, job.columns[c].element_size);
  }
  const std::size_t workspace_at = bytes;
  const std::size_t workspace_bytes = group_workspace(job.num_slots, job.rows.n);
  const device_buffer device(allocator_, bytes + workspace_bytes, stream);
  const pinned_buffer staging(static_cast<std::size_t>(staged_rows) * 8);
  stream_drain drain(stream);
  char* const base = static_cast<char*>(device.data());

  const auto send = [&](std::size_t at, const void* from, std::int64_t stride, std::int64_t size) {
    for (std::int64_t first = 0; first < job.rows.n; first += staged_rows) {
      const std::int64_t n = std::min(staged_rows, job.rows.n - first);
      copy_elements(staging.data(), 1, static_cast<const char*>(from) + first * stride * size,
                    stride, n, size);
      copy(base + at + first * size, staging.data(), static_cast<std::size_t>(n * size),
           cudaMemcpyHostToDevice, stream);
    }
  };
  const auto fetch = [&](std::size_t at, void* to, std::int64_t stride, std::int64_t count,
                         std::int64_t size) {
    for (std::int64_t first = 0; first < count; first += staged_rows) {
      const std::int64_t n = std::min(staged_rows, count - first);
      copy(staging.data(), base + at + first * size, static_cast<std::size_t>(n * size),
           cudaMemcpyDeviceToHost, stream);
      copy_elements(static_cast<char*>(to) + first * stride * size, stride, staging.data(), 1, n,
                    size);
    }
  };

  group_job there = job;
  if (several && job.rows.n > 0) {
    std::int64_t first = 0;
    over_columns(job.rows, stream, [&](const points& chunk) {
      with_segments(chunk, base + x_at + first * x_size, stream);
      first += chunk.n;
    });
    there.rows = {any({base + x_at, ZCMOE_I32, 1}), job.rows.n};
  } else {
    if (job.rows.n > 0) send(x_at, job.rows.x.data, job.rows.x.stride, x_size);
    there.rows.x.data = base + x_at;
    there.rows.x.stride = 1;
  }
  if (job.offsets.data != nullptr) there.offsets = {base + offsets_at, job.offsets.dtype, 1};
  if (wants_rows) there.row_numbers = {base + rows_at, job.row_numbers.dtype, 1};
  for (int c = 0; c < num_columns; ++c) {
    const group_column& column = job.columns[c];
    send(from_at[c], column.from, column.from_stride, column.element_size);
    there.columns[c] = {base + from_at[c], 1, base + to_at[c], 1, column.element_size};
  }
  there.workspace = base + workspace_at;
  there.workspace_bytes = workspace_bytes;
  group(there, stream);
  if (job.offsets.data != nullptr)
    fetch(offsets_at, job.offsets.data, job.offsets.stride, num_offsets, 8);
  if (wants_rows)
    fetch(rows_at, job.row_numbers.data, job.row_numbers.stride, job.rows.n, row_size);
  for (int c = 0; c < num_columns; ++c) {
    const group_column& column = job.columns[c];
    fetch(to_at[c], column.to, column.to_stride, job.rows.n, column.element_size);
  }
  drain.finish();
}

/// If there is more than one chunk, they are added to a spare state, so that a call that fails has
/// added nothing.
void cuda_backend::accumulate_sync(const fit_job& job, zcmoe_stream stream) {
  if (job.rows.n == 0) return;
  const device_guard guard(device_);
  const bool several = job.rows.tables != nullptr;
  staged_arrays arrays;
  std::vector<any_array> columns;
  if (several) {
    read_columns(job.rows, arrays, columns);
  } else {
    arrays.reads(job.rows.x.data, job.rows.x.stride, size_of(job.rows.x.dtype));
  }
  for (const zcmoe_array& a : {job.y, job.weights}) {
    if (a.data != nullptr) arrays.reads(a.data, a.stride, size_of(a.dtype));
  }
  const std::int64_t rows = arrays.rows_of_chunk(job.rows.n);
  const bool is_one_chunk = job.rows.n <= rows;
  const std::size_t spare_bytes = is_one_chunk ? 0 : spare_state_bytes(job.layout);
  const std::size_t workspace_bytes = chunk_workspace(job.layout, several, rows);
  const device_buffer workspace(allocator_, spare_bytes + workspace_bytes, stream);
  stream_drain drain(stream);

  std::optional<spare_state> spare;
  if (!is_one_chunk) spare.emplace(job.layout, workspace.data(), stream);
  arrays.run(job.rows.n, allocator_, nullptr, 0, stream, [&](const staged_arrays::chunk& staged) {
    fit_job chunk = job;
    std::size_t k = several ? columns.size() : 1;
    if (several) {
      chunk.rows = rows_of(job.rows, staged, columns);
    } else {
      chunk.rows.x.data = staged.read[0];
      chunk.rows.x.stride = 1;
      chunk.rows.n = staged.n;
    }
    for (zcmoe_array* const a : {&chunk.y, &chunk.weights}) {
      if (a->data != nullptr) *a = {staged.read[k++], a->dtype, 1};
    }
    chunk.workspace = static_cast<char*>(workspace.data()) + spare_bytes;
    chunk.workspace_bytes = workspace_bytes;
    add_chunk(spare ? spare->redirected(chunk) : chunk, stream);
  });
  if (spare) spare->merge_into(job, stream);
  drain.finish();
}

void cuda_backend::predict_sync(const predict_job& job, zcmoe_stream stream) const {
  if (job.rows.n == 0) return;
  const device_guard guard(device_);
  const std::int64_t rows = std::min(job.rows.n, staged_rows);
  const std::int64_t input_size = size_of(job.rows.x.dtype);
  std::size_t at[max_gathers + 1];  // offsets of the outputs; x lies at 0
  at[0] = bytes_of(rows, input_size);
  for (int g = 0; g < job.num_gathers; ++g)
    at[g + 1] = at[g] + bytes_of(rows, job.gathers[g].element_size);
  const std::size_t report_at = at[job.num_gathers];
  const std::size_t bytes = report_at + bytes_of(1, sizeof(zcmoe_report));
  const device_buffer device(allocator_, bytes, stream);
  const pinned_buffer staging[2] = {pinned_buffer(bytes), pinned_buffer(bytes)};
  device_event done[2];
  stream_drain drain(stream);

  char* const on_device = static_cast<char*>(device.data());
  auto* const report = reinterpret_cast<zcmoe_report*>(on_device + report_at);
  if (job.report != nullptr) ZCMOE_CUDA_TRY(cuda().memset_async(report, 0, sizeof *report, stream));

  const auto unpack = [&](std::int64_t first, int turn) {
    done[turn].wait();
    const std::int64_t n = std::min(rows, job.rows.n - first);
    for (int g = 0; g < job.num_gathers; ++g) {
      const gather& to = job.gathers[g];
      copy_elements(static_cast<char*>(to.out) + first * to.stride * to.element_size, to.stride,
                    staging[turn].data() + at[g], 1, n, to.element_size);
    }
  };

  // Chunk c is packed and sent while the device works on chunk c - 1, which is unpacked afterwards.
  // x may share its memory with an output: a row of the output is written only after the same row
  // of x has been read.
  int turn = 0;
  for (std::int64_t first = 0; first < job.rows.n; first += rows, turn ^= 1) {
    const std::int64_t n = std::min(rows, job.rows.n - first);
    copy_elements(staging[turn].data(), 1, rows_from(job.rows.x, first).data, job.rows.x.stride, n,
                  input_size);
    ZCMOE_CUDA_TRY(cuda().memcpy_async(on_device, staging[turn].data(),
                                       static_cast<std::size_t>(n * input_size),
                                       cudaMemcpyHostToDevice, stream));
    predict_job chunk = job;
    chunk.rows.x.data = on_device;
    chunk.rows.x.stride = 1;
    chunk.rows.n = n;
    chunk.report = job.report != nullptr ? report : nullptr;
    for (int g = 0; g < job.num_gathers; ++g) {
      chunk.gathers[g].out = on_device + at[g];
      chunk.gathers[g].stride = 1;
    }
    launch_predict(chunk, limits_, stream);
    for (int g = 0; g < job.num_gathers; ++g) {
      const auto written = static_cast<std::size_t>(n * job.gathers[g].element_size);
      ZCMOE_CUDA_TRY(cuda().memcpy_async(staging[turn].data() + at[g], on_device + at[g], written,
                                         cudaMemcpyDeviceToHost, stream));
    }
    done[turn].record(stream);
    if (first > 0) unpack(first - rows, turn ^ 1);
  }
  unpack((job.rows.n - 1) / rows * rows, turn ^ 1);

  if (job.report == nullptr) {
    drain.finish();
    return;
  }
  ZCMOE_CUDA_TRY(cuda().memcpy_async(staging[0].data(), report, sizeof *report,
                                     cudaMemcpyDeviceToHost, stream));
  drain.finish();
  zcmoe_report counts;
  std::memcpy(&counts, staging[0].data(), sizeof counts);
  add_to(*job.report, counts);
}

void cuda_backend::predict_points_sync(const points_job& job, zcmoe_stream stream) const {
  if (job.n == 0) return;
  const device_guard guard(device_);
  staged_arrays arrays;
  std::vector<any_array> columns;
  const points rows{{}, job.n, job.tables, job.columns};
  read_columns(rows, arrays, columns);
  points_job there = job;
  zcmoe_output* const outputs[] = {&there.values, &there.segments, &there.standard_errors,
                                   &there.variances, &there.counts};
  for (const zcmoe_output* const o : outputs) {
    if (o->data != nullptr) arrays.writes(o->data, o->stride, size_of(o->dtype));
  }
  zcmoe_report counts{};
  arrays.run(job.n, allocator_, &counts, job.report != nullptr ? sizeof counts : 0, stream,
             [&](const staged_arrays::chunk& chunk) {
               there.columns = rows_of(rows, chunk, columns).columns;
               std::size_t k = 0;
               for (zcmoe_output* const o : outputs) {
                 if (o->data == nullptr) continue;
                 o->data = chunk.written[k++];
                 o->stride = 1;
               }
               there.n = chunk.n;
               there.report =
                   job.report != nullptr ? static_cast<zcmoe_report*>(chunk.kept) : nullptr;
               launch_points(there, limits_, stream);
             });
  if (job.report != nullptr) add_to(*job.report, counts);
}

void cuda_backend::encode_sync(const codes_job& job, zcmoe_stream stream) const {
  const int num_axes = tables_of(*job.tables).view().num_axes;
  if (job.n == 0 || num_axes == 0) return;
  const device_guard guard(device_);
  staged_arrays arrays;
  std::vector<bool> staged;
  for (int a = 0; a < num_axes; ++a) {
    const any_array& c = job.columns[a];
    staged.push_back(device_of(c.data) < 0);
    if (staged.back()) arrays.reads(c.data, c.stride, size_of(c.dtype));
    arrays.writes(job.codes + a * job.stride, 1, 1);
  }
  arrays.run(job.n, allocator_, nullptr, 0, stream, [&](const staged_arrays::chunk& chunk) {
    std::vector<any_array> columns;
    std::size_t k = 0;
    for (int a = 0; a < num_axes; ++a) {
      columns.push_back(rows_from(job.columns[a], chunk.first));
      if (!staged[static_cast<std::size_t>(a)]) continue;
      columns.back().data = chunk.read[k++];
      columns.back().stride = 1;
    }
    auto* const codes = static_cast<std::uint8_t*>(chunk.written[0]);
    // The arrays of codes lie at equal distances.
    const std::int64_t stride =
        num_axes == 1 ? 0 : static_cast<std::uint8_t*>(chunk.written[1]) - codes;
    launch_encode({job.tables, columns.data(), chunk.n, codes, stride}, stream);
  });
}

void cuda_backend::read_sync(const any_array& from, std::int64_t n, double* to) const {
  if (n == 0) return;
  const device_guard guard(device_);
  staged_arrays arrays;
  arrays.writes(to, 1, sizeof *to);
  arrays.run(n, allocator_, nullptr, 0, nullptr, [&](const staged_arrays::chunk& chunk) {
    launch_widen(rows_from(from, chunk.first), chunk.n, static_cast<double*>(chunk.written[0]),
                 nullptr);
  });
}

}  // namespace

std::shared_ptr<backend> make_cuda_backend(const zcmoe_context_options& options) {
  static std::atomic<pid_t> cuda_process{0};  // the first that found a device; 0: none has yet
  const pid_t process = cuda_process.load();
  if (process != 0 && process != getpid()) {
    fail(ZCMOE_ERR_NO_DEVICE,
         "the process has forked from one that has used CUDA, which the child cannot use");
  }
  int num_devices = 0;
  ZCMOE_CUDA_TRY(cuda().get_device_count(&num_devices));
  if (num_devices == 0) fail(ZCMOE_ERR_NO_DEVICE, "there is no CUDA device");
  cuda_process = getpid();
  ZCMOE_EXPECTS(options.device >= 0 && options.device < num_devices,
                "options->device=", options.device, " is not in [0, ", num_devices, ")");
  const owned_device device{options.device};
  const device_guard guard(device);
  return std::make_shared<cuda_backend>(device, options);
}

std::string cuda_build_info() {
  std::ostringstream out;
  out << "cuda " << CUDART_VERSION / 1000 << '.' << CUDART_VERSION % 1000 / 10 << ", CCCL "
      << CCCL_MAJOR_VERSION << '.' << CCCL_MINOR_VERSION << '.' << CCCL_PATCH_VERSION
      << " (architectures";
  for (const int architecture : {__CUDA_ARCH_LIST__}) out << ' ' << architecture / 10;
  out << ')';
  return out.str();
}

}  // namespace zcmoe::detail
