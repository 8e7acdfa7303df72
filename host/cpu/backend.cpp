// The CPU engine: what an engine must do (host/engine/backend.hpp), in host memory.
#include "host/cpu/dispatch.hpp"
#include "host/cpu/fit.hpp"
#include "host/cpu/group.hpp"
#include "host/cpu/points.hpp"
#include "host/cpu/predict.hpp"
#include "host/cpu/rows.hpp"
#include "host/engine/backend.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace zcmoe::detail {
namespace {

constexpr std::size_t alignment = 256;

/// Blocks of so many bytes are mapped. Fresh pages are zero, and those that no value reaches never
/// become resident, where calloc would clear all of a block that it had given out before: a second
/// thread's own state, of which it mostly uses little. With calloc, fits of 16,384 and 65,536
/// segments on two threads take up to 15 % longer.
constexpr std::size_t least_mapped = std::size_t{1} << 22;

/// Cores that this process may use; 1 where the system does not say.
int num_cores() { return static_cast<int>(std::max(1u, std::thread::hardware_concurrency())); }

/// Asks the kernel for pages of 2 MiB where a block is so large that its planes of digits span
/// several of them: threads that touch fresh memory then meet 512 times less often in the kernel,
/// and planes that no value reaches still stay out of memory. A kernel that refuses costs nothing.
void prefer_huge_pages(void* block, std::size_t bytes) noexcept {
#ifdef MADV_HUGEPAGE
  constexpr std::size_t huge_page = std::size_t{1} << 21;
  constexpr std::size_t least_bytes = 16 * huge_page;
  if (bytes < least_bytes) return;
  const int kept = errno;
  std::size_t space = bytes;
  void* const first = std::align(huge_page, huge_page, block, space);
  (void)madvise(first, space / huge_page * huge_page, MADV_HUGEPAGE);
  errno = kept;
#else
  (void)block;
  (void)bytes;
#endif
}

class cpu_backend final : public backend, public std::enable_shared_from_this<cpu_backend> {
 public:
  explicit cpu_backend(const zcmoe_context_options& options)
      : alloc_(options.alloc),
        free_(options.free),
        user_(options.user),
        num_parts_(options.num_threads != 0 ? options.num_threads : num_cores()),
        target_(chosen_target()),
        crew_(std::min(num_parts_, num_cores())) {}

  zcmoe_engine engine() const override { return ZCMOE_ENGINE_CPU; }

  void describe(zcmoe_context_info& info) const override {
    info.engine = ZCMOE_ENGINE_CPU;
    info.device = -1;
    info.num_threads = crew_.num_threads();
    std::snprintf(info.name, sizeof info.name, "cpu, %d thread%s, %s", crew_.num_threads(),
                  crew_.num_threads() == 1 ? "" : "s", target_.name);
  }

  void* allocate_zeroed(std::size_t bytes, zcmoe_stream) override {
    void* pointer = nullptr;
    if (alloc_ != nullptr) {
      pointer = alloc_(user_, bytes, alignment, nullptr);
      if (reinterpret_cast<std::uintptr_t>(pointer) % alignment != 0) {
        free_(user_, pointer, bytes, alignment, nullptr);
        fail(ZCMOE_ERR_INVALID_ARGUMENT, "options->alloc returned ", pointer,
             ", which is not aligned to ", alignment, " bytes");
      }
      if (pointer != nullptr) std::memset(pointer, 0, bytes);
    } else if (bytes >= least_mapped) {
      void* const mapped =
          mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (mapped != MAP_FAILED) {
        prefer_huge_pages(mapped, bytes);
        pointer = mapped;
      }
    } else {
      // The block's own address is kept below the aligned one.
      void* block = std::calloc(bytes + 2 * alignment, 1);
      if (block != nullptr) {
        std::size_t space = bytes + alignment;
        pointer = static_cast<char*>(block) + alignment;
        pointer = std::align(alignment, bytes, pointer, space);
        std::memcpy(static_cast<char*>(pointer) - sizeof block, &block, sizeof block);
      }
    }
    if (pointer == nullptr) fail(ZCMOE_ERR_OUT_OF_MEMORY, "out of host memory: ", bytes, " bytes");
    return pointer;
  }

  void deallocate(void* pointer, std::size_t bytes, zcmoe_stream) noexcept override {
    if (free_ != nullptr) {
      free_(user_, pointer, bytes, alignment, nullptr);
      return;
    }
    if (bytes >= least_mapped) {
      (void)munmap(pointer, bytes);
      return;
    }
    void* block = nullptr;
    std::memcpy(&block, static_cast<char*>(pointer) - sizeof block, sizeof block);
    std::free(block);
  }

  void upload(void* to, const void* from, std::size_t bytes, zcmoe_stream) override {
    std::memcpy(to, from, bytes);
  }
  void download(void* to, const void* from, std::size_t bytes, zcmoe_stream) const override {
    std::memcpy(to, from, bytes);
  }

  std::unique_ptr<const router> make_router(const model_view& table,
                                            const slot_constants& constants,
                                            zcmoe_stream) override {
    const default_arithmetic scope;
    return std::make_unique<cpu_router>(table, constants, target_);
  }

  void predict(const predict_job& job, zcmoe_stream) const override {
    predict_on_cpu(job, *target_.routes, crew_);
  }

  void predict_sync(const predict_job& job, zcmoe_stream stream) const override {
    predict(job, stream);
  }

  std::unique_ptr<const evaluator> make_evaluator(const bank_tables& tables,
                                                  zcmoe_stream) override {
    const default_arithmetic scope;
    return make_cpu_evaluator(tables, target_);
  }
  void predict_points(const points_job& job, zcmoe_stream) const override {
    predict_points_on_cpu(job, *target_.routes, crew_);
  }
  void predict_points_sync(const points_job& job, zcmoe_stream stream) const override {
    predict_points(job, stream);
  }
  void encode_sync(const codes_job& job, zcmoe_stream) const override {
    encode_on_cpu(job, *target_.routes, crew_);
  }
  void share_out(std::int64_t num_parts,
                 const std::function<void(std::int64_t)>& body) const override {
    crew_.run(num_parts, [&body](std::int64_t part) {
      const default_arithmetic scope;
      body(part);
    });
  }

  std::size_t group_workspace(std::int64_t, std::int64_t) const override { return 0; }
  void group(const group_job& job, zcmoe_stream) override {
    group_on_cpu(job, shared_from_this(), *target_.routes, crew_, num_parts_);
  }
  void group_sync(const group_job& job, zcmoe_stream stream) override { group(job, stream); }

  std::size_t fit_workspace(const state_layout&, bool, std::int64_t) const override { return 0; }

  void accumulate(const fit_job& job, zcmoe_stream) override {
    accumulate_on_cpu(job, target_, crew_, num_parts_, shared_from_this());
  }

  void accumulate_sync(const fit_job& job, zcmoe_stream stream) override {
    accumulate(job, stream);
  }

  void merge(const state_layout& layout, std::int64_t* to, const std::int64_t* from,
             zcmoe_stream) override {
    merge_on_cpu(layout, to, from, crew_);
  }

  void summarize(const state_layout& layout, const std::int64_t* state, slot_summary* summaries,
                 zcmoe_stream) override {
    summarize_on_cpu(layout, state, summaries, crew_);
  }
  void summarize_lines(const state_layout& layout, const std::int64_t* state,
                       line_summary* summaries, zcmoe_stream) override {
    summarize_lines_on_cpu(layout, state, summaries, crew_);
  }

 private:
  zcmoe_alloc_fn alloc_;
  zcmoe_free_fn free_;
  void* user_;
  int num_parts_;  // states that rows are summed into: as many as threads were asked for
  const cpu_target target_;
  mutable workers crew_;  // no more than there are cores
};

}  // namespace

std::shared_ptr<backend> make_cpu_backend(const zcmoe_context_options& options) {
  return std::make_shared<cpu_backend>(options);
}

}  // namespace zcmoe::detail
