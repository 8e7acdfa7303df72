// The private interface of an engine: memory, predict, and the steps of a fit. api and model know
// engines only through it; host/cpu/backend.cpp and kernels/cuda_backend.cu implement it. Arguments
// are checked before they come here.
#pragma once

#include "host/engine/jobs.hpp"
#include "host/engine/row_passes.hpp"
#include "host/error.hpp"
#include "host/experts/constant.hpp"
#include "host/routing/banks.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace zcmoe::detail {

class backend {
 public:
  virtual ~backend() = default;
  virtual zcmoe_engine engine() const = 0;
  virtual void describe(zcmoe_context_info& info) const = 0;

  /// Memory the engine computes in, aligned to 256 bytes, zeroed; throws status_error
  /// OUT_OF_MEMORY.
  virtual void* allocate_zeroed(std::size_t bytes, zcmoe_stream stream) = 0;
  virtual void deallocate(void* pointer, std::size_t bytes, zcmoe_stream stream) noexcept = 0;
  /// Copies between the engine's memory and the host; both wait until the copy is done.
  virtual void upload(void* to, const void* from, std::size_t bytes, zcmoe_stream stream) = 0;
  virtual void download(void* to, const void* from, std::size_t bytes,
                        zcmoe_stream stream) const = 0;

  /// Tables for routing to the segments of `table`, of which only edges, in host memory, and
  /// policies are read; constants that predictions will ask for are held beside them. Done on
  /// return.
  virtual std::unique_ptr<const router> make_router(const model_view& table,
                                                    const slot_constants& constants,
                                                    zcmoe_stream stream) = 0;

  /// All pointers of the job in the engine's memory; ordered on stream.
  virtual void predict(const predict_job& job, zcmoe_stream stream) const = 0;
  /// x, outputs and report of the job in host memory; returns when done.
  virtual void predict_sync(const predict_job& job, zcmoe_stream stream) const = 0;

  /// Tables for a model of several inputs, all in host memory. Done on return.
  virtual std::unique_ptr<const evaluator> make_evaluator(const bank_tables& tables,
                                                          zcmoe_stream stream) = 0;
  /// Arrays of the job in the engine's memory; ordered on stream.
  virtual void predict_points(const points_job& job, zcmoe_stream stream) const = 0;
  /// Arrays and report of the job in host memory; returns when done.
  virtual void predict_points_sync(const points_job& job, zcmoe_stream stream) const = 0;
  /// The number of the device in whose memory an array begins; -1: in that of the host.
  virtual std::int32_t device_of(const void*) const { return -1; }
  /// Copies n elements of an array in the engine's memory to the host, as doubles; returns when
  /// done.
  virtual void read_sync(const any_array& from, std::int64_t n, double* to) const {
    for (std::int64_t i = 0; i < n; ++i) to[i] = from[i];
  }
  /// Codes in host memory, each column there or in the engine's; returns when done.
  virtual void encode_sync(const codes_job& job, zcmoe_stream stream) const = 0;
  /// Passes over rows in host memory, whose work on the host is shared out by `run`. The engine,
  /// the rows and `run` must outlive them. Null: the engine has none but those of the host's
  /// threads.
  virtual std::unique_ptr<row_passes> make_row_passes(const pass_rows&, const run_parts&) {
    return nullptr;
  }
  /// body(part) once for every part in [0, num_parts), shared out among the host's threads that the
  /// engine has; returns when all are done. body must not throw.
  virtual void share_out(std::int64_t num_parts,
                         const std::function<void(std::int64_t)>& body) const = 0;

  virtual std::size_t group_workspace(std::int64_t num_slots, std::int64_t n) const = 0;
  /// All pointers of the job in the engine's memory; ordered on stream.
  virtual void group(const group_job& job, zcmoe_stream stream) = 0;
  /// x, outputs and columns of the job in host memory; returns when done.
  virtual void group_sync(const group_job& job, zcmoe_stream stream) = 0;

  /// several: whether rows are of several inputs.
  virtual std::size_t fit_workspace(const state_layout& layout, bool several,
                                    std::int64_t n) const = 0;
  virtual void accumulate(const fit_job& job, zcmoe_stream stream) = 0;
  /// x, y and weights of the job in host memory; returns when done.
  virtual void accumulate_sync(const fit_job& job, zcmoe_stream stream) = 0;
  /// to += from, states of one layout in the engine's memory; leaves `to` canonical.
  virtual void merge(const state_layout& layout, std::int64_t* to, const std::int64_t* from,
                     zcmoe_stream stream) = 0;
  /// Writes num_slots summaries to host memory; returns when done.
  virtual void summarize(const state_layout& layout, const std::int64_t* state,
                         slot_summary* summaries, zcmoe_stream stream) = 0;
  /// The same of the lines of a state that has them.
  virtual void summarize_lines(const state_layout& layout, const std::int64_t* state,
                               line_summary* summaries, zcmoe_stream stream) = 0;
};

/// An engine's memory block, zeroed; allocated and freed on the stream it was made with.
class engine_buffer {
 public:
  engine_buffer() = default;
  engine_buffer(std::shared_ptr<backend> owner, std::size_t bytes, zcmoe_stream stream)
      : owner_(std::move(owner)),
        bytes_(bytes),
        stream_(stream),
        data_(owner_->allocate_zeroed(bytes, stream)) {}
  engine_buffer(engine_buffer&& other) noexcept { swap(other); }
  engine_buffer& operator=(engine_buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~engine_buffer() {
    if (data_ != nullptr) owner_->deallocate(data_, bytes_, stream_);
  }
  /// For blocks that are kept: the stream may be gone by the time they are freed.
  void outlive_stream() { stream_ = nullptr; }
  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  void swap(engine_buffer& other) noexcept {
    std::swap(owner_, other.owner_);
    std::swap(bytes_, other.bytes_);
    std::swap(stream_, other.stream_);
    std::swap(data_, other.data_);
  }
  std::shared_ptr<backend> owner_;
  std::size_t bytes_ = 0;
  zcmoe_stream stream_ = nullptr;
  void* data_ = nullptr;
};

std::shared_ptr<backend> make_cpu_backend(const zcmoe_context_options& options);
/// Throws status_error NO_DEVICE where there is none; defined in kernels/cuda_backend.cu or
/// cuda_backend_stub.cpp.
std::shared_ptr<backend> make_cuda_backend(const zcmoe_context_options& options);
/// Toolkit, CCCL and architectures, or "without CUDA".
std::string cuda_build_info();

}  // namespace zcmoe::detail
