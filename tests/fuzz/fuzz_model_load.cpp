// Fuzz target: any bytes as a model file and as a fit state, as they come and with right checksums
// put in (otherwise hardly a changed byte would pass them). A refusal must be one of the documented
// ones; what is accepted must work.
//   libFuzzer:  clang++ -fsanitize=fuzzer,address,undefined ... fuzz_model_load.cpp, then a.out
//   corpus/ elsewhere:  linked with fuzz_driver.cpp, see there
#include "tests/model/container_bytes.hpp"

#include <zcmoe/points.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace zcmoe::test {
namespace {

[[noreturn]] void finding(const char* what) {
  std::fprintf(stderr, "finding: %s; last error: %s\n", what, zcmoe_last_error());
  std::abort();
}

void expect(bool condition, const char* what) {
  if (!condition) finding(what);
}

bool is_refusal(zcmoe_status status) {
  return status == ZCMOE_ERR_FORMAT || status == ZCMOE_ERR_VERSION || status == ZCMOE_ERR_CHECKSUM;
}

void use_points(const scoped_model& model) {
  zcmoe_points_info info = ZCMOE_POINTS_INFO_INIT;
  expect(zcmoe_model_get_points_info(model.handle, &info) == ZCMOE_OK, "info of a loaded model");
  const std::vector<double> x{0.0, -1e308, 1e308, HUGE_VAL, -HUGE_VAL, std::nan("")};
  const std::vector<zcmoe_array> columns(static_cast<std::size_t>(info.num_inputs),
                                         {x.data(), ZCMOE_F64, 1});
  zcmoe_points points = ZCMOE_POINTS_INIT;
  points.num_inputs = info.num_inputs;
  points.columns = columns.data();
  std::vector<double> values(x.size());
  std::vector<std::int64_t> segments(x.size());
  zcmoe_predict_outputs outputs = ZCMOE_PREDICT_OUTPUTS_INIT;
  outputs.values = {values.data(), ZCMOE_F64, 1};
  if (info.num_segments > 0) outputs.segments = {segments.data(), ZCMOE_I64, 1};
  expect(zcmoe_predict_points_sync(model.handle, &points, static_cast<std::int64_t>(x.size()),
                                   &outputs, nullptr) == ZCMOE_OK,
         "predict with a loaded model");
  for (const std::int64_t segment : segments) {
    expect(info.num_segments == 0 || (segment >= -1 && segment < info.num_segments),
           "a segment outside the model");
  }
}

void use(const scoped_model& model) {
  zcmoe_points_info points = ZCMOE_POINTS_INFO_INIT;
  expect(zcmoe_model_get_points_info(model.handle, &points) == ZCMOE_OK,
         "what kind of model it is");
  if (points.partition != 0) return use_points(model);
  zcmoe_model_info info{};
  info.struct_size = sizeof info;
  expect(zcmoe_model_get_info(model.handle, &info) == ZCMOE_OK, "info of a loaded model");
  expect(info.num_segments >= 1 && info.num_slots == info.num_segments + 3,
         "sizes of a loaded model");
  const std::vector<double> x{
      0.0,       -1e308,       1e308,         HUGE_VAL,
      -HUGE_VAL, std::nan(""), info.edges[0], info.edges[info.num_segments]};
  std::vector<double> values(x.size());
  std::vector<std::int64_t> segments(x.size());
  zcmoe_predict_outputs outputs = ZCMOE_PREDICT_OUTPUTS_INIT;
  outputs.values = {values.data(), ZCMOE_F64, 1};
  outputs.segments = {segments.data(), ZCMOE_I64, 1};
  expect(zcmoe_predict_sync(model.handle, {x.data(), ZCMOE_F64, 1},
                            static_cast<std::int64_t>(x.size()), &outputs, nullptr) == ZCMOE_OK,
         "predict with a loaded model");
  for (const std::int64_t segment : segments) {
    expect(segment >= -1 && segment < info.num_slots, "a segment outside the model");
  }
}

void use(const scoped_fit& fit) {
  const std::string bytes = bytes_of(fit.handle);
  scoped_fit again;
  expect(load(bytes, again) == ZCMOE_OK, "a state's own bytes are refused");
  expect(bytes_of(again.handle) == bytes, "a state changes when written and read");
  scoped_model model;
  const zcmoe_status status = zcmoe_fit_finish(fit.handle, &model.handle, nullptr);
  // Rows refused, or policies that make a constant infinite: both are answers.
  expect(status == ZCMOE_OK || status == ZCMOE_ERR_DATA || status == ZCMOE_ERR_INVALID_ARGUMENT,
         "finish of a state");
  if (status == ZCMOE_OK) use(model);
  // Sums stay in their bounds when states are merged, up to the rows that a state may hold.
  zcmoe_report report{};
  expect(zcmoe_fit_get_report(fit.handle, &report, nullptr) == ZCMOE_OK, "report of a state");
  const bool too_many = report.rows > ZCMOE_MAX_ROWS / 2;
  expect(zcmoe_fit_merge(fit.handle, again.handle, nullptr) ==
             (too_many ? ZCMOE_ERR_NUMERIC : ZCMOE_OK),
         "merge of a state with itself");
  scoped_fit merged;
  expect(load(bytes_of(fit.handle), merged) == ZCMOE_OK, "a merged state is refused");
}

template <class Handle>
void try_load(const std::string& bytes) {
  Handle object;
  const zcmoe_status status = load(bytes, object);
  if (status == ZCMOE_OK) {
    use(object);
  } else {
    expect(is_refusal(status) && object.handle == nullptr, "a refusal that is none");
  }
}

}  // namespace
}  // namespace zcmoe::test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace zcmoe::test;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  try_load<scoped_model>(bytes);
  try_load<scoped_fit>(bytes);
  if (can_split(bytes)) {
    const std::string with_seal = sealed(split(bytes));
    try_load<scoped_model>(with_seal);
    try_load<scoped_fit>(with_seal);
  }
  return 0;
}
