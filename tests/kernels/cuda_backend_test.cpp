// The CUDA engine below the C interface, for what the interface cannot reach in reasonable time.
// The digits of a fit take 2^30 rows before they must be carried; here a state is written that says
// it has met nearly as many. Expected states are computed on the CPU by the functions that both
// engines share.
#include "tests/support.hpp"

#include "host/engine/backend.hpp"
#include "kernels/launchers.hpp"

#include <cuda_runtime_api.h>

#include <functional>

namespace zcmoe::detail {
namespace {

class cuda_backend_test : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::try_context(ZCMOE_ENGINE_CUDA)) GTEST_SKIP() << "no cuda device";
    zcmoe_context_options options = context_options();
    options.engine = ZCMOE_ENGINE_CUDA;
    engine_ = make_cuda_backend(options);
  }
  /// Memory is freed in the order of the stream: without this wait, a leak checker could take what
  /// is still to be freed for a leak.
  void TearDown() override {
    if (engine_) {
      EXPECT_EQ(cudaStreamSynchronize(nullptr), cudaSuccess);
    }
  }
  template <class T>
  engine_buffer on_engine(const std::vector<T>& values) const {
    engine_buffer buffer(engine_, values.size() * sizeof(T), nullptr);
    engine_->upload(buffer.data(), values.data(), values.size() * sizeof(T), nullptr);
    return buffer;
  }
  std::vector<std::int64_t> words_of(const engine_buffer& buffer) const {
    std::vector<std::int64_t> words(buffer.bytes() / sizeof(std::int64_t));
    engine_->download(words.data(), buffer.data(), buffer.bytes(), nullptr);
    return words;
  }
  backend& engine() const { return *engine_; }

 private:
  std::shared_ptr<backend> engine_;
};

constexpr std::int64_t num_segments = 3;
const std::vector<double> edges{0, 1, 2, 3};

/// First plane and number of digits of both sums of an unweighted float32 state.
constexpr int sums[2][2] = {{sum_planes<float, false>::y, digits_of<float>(1)},
                            {sum_planes<float, false>::yy, digits_of<float>(2)}};

/// Carries the digits of every sum, as the engine should.
void carry(std::vector<std::int64_t>& state, std::int64_t num_slots) {
  for (std::int64_t slot = 0; slot < num_slots; ++slot) {
    for (const auto& sum : sums) {
      std::int64_t rest = 0;
      for (int k = 0; k < sum[1]; ++k) {
        auto& digit =
            state[static_cast<std::size_t>(num_row_counters + (sum[0] + k) * num_slots + slot)];
        if (k + 1 < sum[1]) {
          rest = carry_digit(digit, rest);
        } else {
          digit += rest;
        }
      }
    }
  }
}

TEST_F(cuda_backend_test, digits_are_carried_before_they_overflow) {
  const state_layout layout{num_segments, ZCMOE_F32, false};
  const std::int64_t slots = layout.num_slots();
  const std::vector<double> x{0.5, 1.5, 2.5, 0.5, 1.5, 1.5, 7.0, -1.0};
  const std::vector<float> y{1, -2, 3e38f, 1e-45f, -5, 0, 4, 8};
  const auto n = static_cast<std::int64_t>(x.size());
  const auto device_x = on_engine(x);
  const auto device_y = on_engine(y);
  const auto first_bad = on_engine(std::vector<std::int64_t>{INT64_MAX});

  model_view host_view{};
  host_view.edges = edges.data();
  host_view.num_segments = num_segments;
  const auto routes = engine().make_router(host_view, {}, nullptr);
  for (const std::int64_t pending :
       {std::int64_t{0}, max_pending_rows - n, max_pending_rows - n + 1, max_pending_rows}) {
    // The state is as full as `pending` rows can make it, with digits of either sign.
    std::vector<std::int64_t> state(layout.bytes() / sizeof(std::int64_t), 0);
    const std::int64_t full = pending * 0xffffffff + (std::int64_t{1} << 31);
    for (std::size_t k = static_cast<std::size_t>(num_row_counters + slots); k < state.size();
         ++k) {
      state[k] = k % 3 == 0 ? full : -full;
    }
    state[counter_pending] = pending;
    state[counter_rows] = 1000;
    const auto device_state = on_engine(state);

    fit_job job{};
    job.layout = layout;
    job.rules.use_outside_inputs = true;
    job.routes = routes.get();
    job.state = static_cast<std::int64_t*>(device_state.data());
    job.first_bad = static_cast<std::int64_t*>(first_bad.data());
    job.rows = {any({device_x.data(), ZCMOE_F64, 1}), n};
    job.y = {device_y.data(), ZCMOE_F32, 1};
    engine().accumulate(job, nullptr);
    std::vector<std::int64_t> got = words_of(device_state);
    EXPECT_EQ(got[counter_pending], pending + n > max_pending_rows ? n : pending + n);
    EXPECT_EQ(got[counter_rows], 1000 + n);
    EXPECT_EQ(std::exchange(got[counter_chunk_begin], 0), 1000);

    std::vector<std::int64_t> expected = state;
    carry(expected, slots);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const row_verdict verdict =
          judge_row(job.rules, place_of(x[i], edges.front(), edges.back()),
                    static_cast<double>(y[i]), 1.0, host_view.slot_of(x[i]));
      for (int c = 0; c < counter_pending; ++c)
        expected[static_cast<std::size_t>(c)] += verdict.counters >> c & 1u;
      add_sample<float, false>(y[i], 1.0f, [&](int plane, std::int64_t piece) {
        expected[static_cast<std::size_t>(num_row_counters + plane * slots + verdict.slot)] +=
            piece;
      });
    }
    carry(expected, slots);
    carry(got, slots);
    got[counter_pending] = expected[counter_pending];
    EXPECT_EQ(got, expected) << "pending " << pending;

    // Two such states are merged: their digits may not be added before both are carried.
    const auto sum = on_engine(state);
    const auto twin = on_engine(state);
    engine().merge(layout, static_cast<std::int64_t*>(sum.data()),
                   static_cast<const std::int64_t*>(twin.data()), nullptr);
    std::vector<std::int64_t> doubled = state;
    carry(doubled, slots);
    for (auto& word : doubled) word *= 2;
    carry(doubled, slots);
    doubled[counter_pending] = 0;
    EXPECT_EQ(words_of(sum), doubled) << "pending " << pending;
  }
}

TEST_F(cuda_backend_test, a_workspace_query_grows_with_rows) {
  for (const state_layout layout :
       {state_layout{3, ZCMOE_F32, false}, state_layout{1000, ZCMOE_F64, false},
        state_layout{1000000, ZCMOE_F64, true}}) {
    EXPECT_EQ(engine().fit_workspace(layout, false, 0), 0u);
    std::size_t last = 0;
    for (std::int64_t n = 1; n < (std::int64_t{1} << 40); n += n / 5 + 1) {
      const std::size_t bytes = engine().fit_workspace(layout, false, n);
      EXPECT_GE(bytes, last);
      last = bytes;
    }
    EXPECT_EQ(last, engine().fit_workspace(layout, false, max_direct_rows + 1));
  }
}

/// Two axes, and a bank of each kind.
bank_tables two_axes() {
  bank_tables tables{2, {}, {}, {}};
  tables.axes = {{0, {0, 1, 2.5}, ZCMOE_CLOSED_RIGHT, 1, ZCMOE_NAN_SEGMENT, ZCMOE_RANGE_SEGMENTS},
                 {1, {-1, 0, 0.5, 7}, ZCMOE_CLOSED_LEFT, 0, ZCMOE_NAN_PROPAGATE, ZCMOE_RANGE_NAN}};
  bank table;
  table.axes = {{1, {2, 0, 1, 1, 0, 2}}};
  table.constants = {-100, 40, 7};
  bank grid;
  grid.axes = {{0, {0, 3, 3, 0, 3}}, {1, {0, 1, 2, 0, 0, 0}}};
  grid.constants = {1, 2, 4, 8, 16, 32};
  tables.banks = {table, grid};
  tables.head.base = 1000;
  tables.head.exponent = -1;
  return tables;
}

/// Inputs of both columns; some are NaN, on an edge or outside.
std::vector<double> rows_of_two(std::int64_t n) {
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> spread(-3, 9);
  const double special[] = {0, 1, 2.5, -1, 0.5, 7, std::numeric_limits<double>::quiet_NaN()};
  std::vector<double> x(static_cast<std::size_t>(2 * n));
  for (double& value : x) {
    const auto kind = random() % 20;
    value = kind < std::size(special) ? special[kind] : spread(random);
  }
  return x;
}

std::uint8_t code_by_definition(const input_axis& axis, double x) {
  return static_cast<std::uint8_t>(view_of(axis).slot_of(x));
}

TEST_F(cuda_backend_test, codes_are_slots) {
  const bank_tables tables = two_axes();
  const auto prepared = engine().make_evaluator(tables, nullptr);
  EXPECT_GT(prepared->bytes(), 0u);
  // The last takes several chunks.
  for (const std::int64_t n : {0, 1, 33, 1000, (1 << 20) + 77}) {
    const std::vector<double> x = rows_of_two(n);
    // The second column backwards, between numbers of the first.
    const any_array columns[2] = {any({x.data(), ZCMOE_F64, 2}),
                                  any({x.data() + 2 * n - 1, ZCMOE_F64, -2})};
    const std::int64_t stride = n + 5;
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(2 * stride), 99);
    engine().encode_sync({prepared.get(), columns, n, codes.data(), stride}, nullptr);
    std::vector<std::uint8_t> expected(codes.size(), 99);
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t a = 0; a < 2; ++a) {
        expected[static_cast<std::size_t>(a * stride + i)] =
            code_by_definition(tables.axes[static_cast<std::size_t>(a)], columns[a][i]);
      }
    }
    EXPECT_TRUE(codes == expected) << "n " << n;
  }
  int sum = 0;
  engine().share_out(5, [&](std::int64_t part) { sum = 10 * sum + static_cast<int>(part); });
  EXPECT_EQ(sum, 1234);
}

/// By the definitions; the report is added to.
std::vector<double> values_by_definition(const bank_tables& tables, const any_array* columns,
                                         std::int64_t n, zcmoe_report& report) {
  std::vector<double> values;
  values.reserve(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) {
    const double x[2] = {columns[0][i], columns[1][i]};
    const std::uint8_t codes[2] = {code_by_definition(tables.axes[0], x[0]),
                                   code_by_definition(tables.axes[1], x[1])};
    const bool answered =
        is_answered(tables.axes[0], codes[0]) && is_answered(tables.axes[1], codes[1]);
    report.rows += 1;
    report.rows_used += answered ? 1 : 0;
    report.nan_inputs += x[0] != x[0] || x[1] != x[1] ? 1 : 0;
    report.below_range += x[0] < 0 || x[1] < -1 ? 1 : 0;
    report.above_range += x[0] > 2.5 || x[1] >= 7 ? 1 : 0;
    values.push_back(answered ? static_cast<double>(tables.head.base + score_of(tables, codes)) / 2
                              : std::numeric_limits<double>::quiet_NaN());
  }
  return values;
}

TEST_F(cuda_backend_test, host_rows_of_several_inputs_are_staged_in_chunks) {
  const bank_tables tables = two_axes();
  const auto prepared = engine().make_evaluator(tables, nullptr);
  const std::int64_t n = (std::int64_t{1} << 20) + 77;
  const std::vector<double> x = rows_of_two(n);
  const any_array columns[2] = {any({x.data(), ZCMOE_F64, 2}), any({x.data() + 1, ZCMOE_F64, 2})};
  std::vector<double> got(static_cast<std::size_t>(n));
  zcmoe_report report{};
  report.rows = 7;  // is added to
  zcmoe_report expected_report = report;
  const std::vector<double> expected = values_by_definition(tables, columns, n, expected_report);
  points_job job{};
  job.tables = prepared.get();
  job.columns = columns;
  job.n = n;
  job.values = {got.data() + n - 1, ZCMOE_F64, -1};
  job.report = &report;
  engine().predict_points_sync(job, nullptr);
  std::reverse(got.begin(), got.end());
  EXPECT_TRUE(test::same_bits(got, expected));
  EXPECT_EQ(std::memcmp(&report, &expected_report, sizeof report), 0);
}

/// A prediction captured in a graph, with a stream to launch it on.
class captured_prediction {
 public:
  captured_prediction(const backend& engine, const points_job& job) {
    EXPECT_EQ(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), cudaSuccess);
    EXPECT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeGlobal), cudaSuccess);
    engine.predict_points(job, stream_);
    EXPECT_EQ(cudaStreamEndCapture(stream_, &graph_), cudaSuccess);
    EXPECT_EQ(cudaGraphInstantiateWithFlags(&executable_, graph_, 0), cudaSuccess);
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  }
  captured_prediction(const captured_prediction&) = delete;
  captured_prediction& operator=(const captured_prediction&) = delete;
  ~captured_prediction() {
    EXPECT_EQ(cudaGraphExecDestroy(executable_), cudaSuccess);
    EXPECT_EQ(cudaGraphDestroy(graph_), cudaSuccess);
    EXPECT_EQ(cudaStreamDestroy(stream_), cudaSuccess);
  }

  std::size_t num_nodes() const {
    std::size_t count = 0;
    EXPECT_EQ(cudaGraphGetNodes(graph_, nullptr, &count), cudaSuccess);
    return count;
  }
  void replay() const {
    EXPECT_EQ(cudaGraphLaunch(executable_, stream_), cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
  }

 private:
  cudaStream_t stream_ = nullptr;
  cudaGraph_t graph_ = nullptr;
  cudaGraphExec_t executable_ = nullptr;
};

TEST_F(cuda_backend_test, rows_of_several_inputs_replay_in_a_graph) {
  const bank_tables tables = two_axes();
  const auto prepared = engine().make_evaluator(tables, nullptr);
  constexpr std::int64_t n = 4099;
  std::vector<double> x = rows_of_two(n);
  const auto there = on_engine(x);
  const auto values = on_engine(std::vector<double>(n));
  const auto report = on_engine(std::vector<zcmoe_report>(1));
  const auto* const data = static_cast<const double*>(there.data());
  std::vector<any_array> columns{any({data, ZCMOE_F64, 1}), any({data + n, ZCMOE_F64, 1})};
  points_job job{};
  job.tables = prepared.get();
  job.columns = columns.data();
  job.n = n;
  job.values = {values.data(), ZCMOE_F64, 1};
  job.report = static_cast<zcmoe_report*>(report.data());

  const captured_prediction captured(engine(), job);
  columns.clear();  // were read before the call returned
  columns.shrink_to_fit();

  zcmoe_report expected_report{};
  for (int turn = 0; turn < 2; ++turn) {
    std::reverse(x.begin(), x.end());
    engine().upload(there.data(), x.data(), x.size() * sizeof(double), nullptr);
    captured.replay();
    const any_array here[2] = {any({x.data(), ZCMOE_F64, 1}), any({x.data() + n, ZCMOE_F64, 1})};
    const std::vector<double> expected = values_by_definition(tables, here, n, expected_report);
    std::vector<double> got(n);
    engine().download(got.data(), values.data(), values.bytes(), nullptr);
    EXPECT_TRUE(test::same_bits(got, expected)) << "turn " << turn;
  }
  zcmoe_report got{};
  engine().download(&got, report.data(), sizeof got, nullptr);
  EXPECT_EQ(std::memcmp(&got, &expected_report, sizeof got), 0);
}

/// A tree of two axes of 128 segments, whose cuts make more cells than a grid stands for.
bank_tables deep_tree() {
  bank_tables tables{2, {}, {}, {}};
  std::vector<double> even(129);
  for (std::size_t i = 0; i < even.size(); ++i) even[i] = static_cast<double>(i) - 60.0;
  for (const std::int32_t input : {0, 1}) {
    tables.axes.push_back(
        {input, even, ZCMOE_CLOSED_LEFT, 0, ZCMOE_NAN_PROPAGATE, ZCMOE_RANGE_SEGMENTS});
  }
  bank tree;
  struct box {
    std::int32_t from[2], to[2];
  };
  const std::function<std::int32_t(const box&, int)> grow = [&](const box& of, int depth) {
    const std::int32_t axis = depth % 2;
    const std::int32_t middle = (of.from[axis] + of.to[axis]) / 2;
    if (depth == 13 || middle == of.from[axis]) {
      tree.constants.push_back(static_cast<std::int32_t>(tree.constants.size() * 37 % 10007));
      return ~(static_cast<std::int32_t>(tree.constants.size()) - 1);
    }
    const auto node = static_cast<std::int32_t>(tree.nodes.size());
    tree.nodes.push_back({axis, middle, 0, 0});
    box left = of, right = of;
    left.to[axis] = right.from[axis] = middle;
    const std::int32_t children[2] = {grow(left, depth + 1), grow(right, depth + 1)};
    tree.nodes[static_cast<std::size_t>(node)].left = children[0];
    tree.nodes[static_cast<std::size_t>(node)].right = children[1];
    return node;
  };
  (void)grow({{0, 0}, {128, 128}}, 0);
  tables.banks = {tree, {{{0, std::vector<std::int32_t>(131, 1)}}, {}, {}, {4, -9}}};
  tables.head.exponent = -1;
  return tables;
}

TEST_F(cuda_backend_test, floats_of_several_inputs_are_one_kernel_of_a_graph) {
  for (const bank_tables& tables : {two_axes(), deep_tree()}) {
    const auto prepared = engine().make_evaluator(tables, nullptr);
    constexpr std::int64_t n = 60001;
    const std::vector<double> spread = rows_of_two(n);
    std::vector<float> x;
    for (const double value : spread) x.push_back(static_cast<float>(value * 5));
    const auto there = on_engine(x);
    const auto values = on_engine(std::vector<float>(n));
    const auto* const data = static_cast<const float*>(there.data());
    const any_array columns[2] = {any({data, ZCMOE_F32, 1}), any({data + n, ZCMOE_F32, 1})};
    points_job job{};
    job.tables = prepared.get();
    job.columns = columns;
    job.n = n;
    job.values = {values.data(), ZCMOE_F32, 1};

    const captured_prediction captured(engine(), job);
    EXPECT_EQ(captured.num_nodes(), 1u);
    captured.replay();
    const any_array here[2] = {any({x.data(), ZCMOE_F32, 1}), any({x.data() + n, ZCMOE_F32, 1})};
    zcmoe_report report{};
    std::vector<float> expected;
    for (const double value : values_by_definition(tables, here, n, report))
      expected.push_back(static_cast<float>(value));
    std::vector<float> got(n);
    engine().download(got.data(), values.data(), values.bytes(), nullptr);
    EXPECT_TRUE(test::same_bits(got, expected));
  }
}

}  // namespace
}  // namespace zcmoe::detail
