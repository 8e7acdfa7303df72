// More rows than 32 bits count, in little memory: one small file in memory is mapped again and
// again, so that x, y and the outputs span gigabytes of addresses and a few megabytes of pages. The
// last rows lie beyond 2^32 on a page of their own.
//   many_rows [--rows N]     default 2^32 + 11
#include "tests/release/options.hpp"

#include <zcmoe/zcmoe.hpp>

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace zcmoe::test {
namespace {

/// A period of elements, repeated for `rows` elements of address space; what follows the last whole
/// period is memory of its own.
template <class T>
class repeated {
 public:
  repeated(std::int64_t period, std::int64_t rows) {
    const auto step = static_cast<std::size_t>(period) * sizeof(T);
    const auto whole = static_cast<std::size_t>(rows / period);
    size_ = (whole + 1) * step;
    const int file = ::memfd_create("zcmoe-many-rows", MFD_CLOEXEC);
    expect(file >= 0 && ::ftruncate(file, static_cast<off_t>(step)) == 0, "memfd_create");
    void* const room = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    expect(room != MAP_FAILED, "no address space");
    for (std::size_t k = 0; k < whole; ++k) {
      void* const place = static_cast<char*>(room) + k * step;
      expect(::mmap(place, step, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) == place,
             "mapping a period");
    }
    ::close(file);
    data_ = static_cast<T*>(room);
  }
  repeated(const repeated&) = delete;
  repeated& operator=(const repeated&) = delete;
  ~repeated() { ::munmap(data_, size_); }
  T* data() const { return data_; }

 private:
  T* data_;
  std::size_t size_;
};

constexpr std::int64_t period = std::int64_t{1} << 26;
constexpr std::int64_t num_segments = 16;

/// Rows 0 .. period - 1 repeat; inputs 0 .. 255 in an order that no block of rows repeats, in 16
/// segments of width 16.
std::uint8_t input_of(std::int64_t row) {
  return static_cast<std::uint8_t>((static_cast<std::uint64_t>(row % period) * 2654435761u) >> 24);
}
float target_of(std::int64_t row) { return static_cast<float>(row % period % 7); }

void check(std::int64_t rows) {
  const context cpu(ZCMOE_ENGINE_CPU);
  const std::int64_t whole = std::min(rows, period);
  repeated<std::uint8_t> x(period, rows);
  repeated<float> y(period, rows);
  const auto fill = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      x.data()[i] = input_of(i);
      y.data()[i] = target_of(i);
    }
  };
  fill(0, whole);
  fill(rows / period * period, rows);  // behind the last whole period

  // Counts and sums by hand: periods times those of one, and the rest.
  std::vector<std::int64_t> counts(num_segments);
  std::vector<std::int64_t> sums(num_segments);
  const auto tally = [&](std::int64_t first, std::int64_t last, std::int64_t times) {
    for (std::int64_t i = first; i < last; ++i) {
      const auto segment = static_cast<std::size_t>(input_of(i) / 16);
      counts[segment] += times;
      sums[segment] += times * static_cast<std::int64_t>(target_of(i));
    }
  };
  if (rows >= period) tally(0, period, rows / period);
  tally(rows / period * period, rows, 1);

  zcmoe_fit_options options = fit_options();
  options.target_dtype = ZCMOE_F32;
  fit state(cpu, uniform_edges(0, 256, num_segments), model_options(), options);
  expect(zcmoe_fit_add_sync(state.get(), {x.data(), ZCMOE_U8, 1}, {y.data(), ZCMOE_F32, 1},
                            {nullptr, 0, 1}, rows, nullptr) == ZCMOE_OK,
         zcmoe_last_error());
  const model answers = state.finish();
  const zcmoe_model_info info = answers.info();
  expect(info.num_rows == rows, "num_rows");
  for (std::size_t s = 0; s < static_cast<std::size_t>(num_segments); ++s) {
    expect(info.counts[s] == counts[s], "counts[" + std::to_string(s) + "]");
    const double mean = counts[s] == 0
                            ? info.constants[s]
                            : static_cast<double>(sums[s]) / static_cast<double>(counts[s]);
    expect(std::abs(info.constants[s] - mean) <= std::abs(mean) * 0x1p-52,
           "constants[" + std::to_string(s) + "]");
  }
  std::printf("fit of %lld rows: counts and means are right\n", static_cast<long long>(rows));

  repeated<float> values(period, rows);
  repeated<std::int32_t> segments(period, rows);
  for (std::int64_t i = rows / period * period; i < rows; ++i) segments.data()[i] = -7;
  zcmoe_report report{};
  zcmoe_predict_outputs outputs = ZCMOE_PREDICT_OUTPUTS_INIT;
  outputs.values = {values.data(), ZCMOE_F32, 1};
  outputs.segments = {segments.data(), ZCMOE_I32, 1};
  outputs.report = &report;
  expect(zcmoe_predict_sync(answers.get(), {x.data(), ZCMOE_U8, 1}, rows, &outputs, nullptr) ==
             ZCMOE_OK,
         zcmoe_last_error());
  expect(report.rows == rows && report.rows_used == rows, "the report of the prediction");
  const auto check_rows = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const int segment = input_of(i) / 16;
      expect(segments.data()[i] == segment &&
                 values.data()[i] == static_cast<float>(info.constants[segment]),
             "row " + std::to_string(i));
    }
  };
  check_rows(0, whole);
  check_rows(rows / period * period, rows);
  std::printf("predict of %lld rows: report, one period and the rows behind the last are right\n",
              static_cast<long long>(rows));
}

}  // namespace
}  // namespace zcmoe::test

int main(int argc, char** argv) {
  zcmoe::test::check(zcmoe::test::number_of(argc, argv, "rows", (1LL << 32) + 11));
  return 0;
}
