// States at the limits: what may be merged, that what was merged can be read again, and that every
// state that is read can be finished, soon.
#include "tests/model/container_bytes.hpp"
#include "tests/support.hpp"

#include <array>
#include <chrono>
#include <random>

namespace zcmoe::test {
namespace {

constexpr std::int64_t most_rows = ZCMOE_MAX_ROWS;

/// A state of one segment without samples, float32, and what to write into it.
struct hostile_state {
  std::string bytes;
  std::size_t counters;
  std::size_t counts;

  explicit hostile_state(bool weighted, const std::vector<double>& edges = {0, 1}) {
    const context cpu(ZCMOE_ENGINE_CPU);
    zcmoe_fit_options options = fit_options();
    options.target_dtype = ZCMOE_F32;
    options.weighted = weighted ? 1 : 0;
    zcmoe::fit state(cpu, edges, model_options(), options);
    const std::vector<float> one{0.5f};
    if (weighted) {
      state.add_sync(one, one, std::vector<float>{1.0f});
    } else {
      state.add_sync(one, one);
    }
    const auto made = state.serialize();
    bytes.assign(made.begin(), made.end());
    const container_parts parts = split(bytes);
    counters = edges.size() * sizeof(double);
    counts = counters + 16 * sizeof(std::int64_t);
  }
  std::string with_rows(std::int64_t rows, std::int64_t used, std::int64_t count) const {
    container_parts parts = split(bytes);
    put(parts, counters, rows);
    put(parts, counters + 8, used);
    put(parts, counts, count);
    return sealed(parts);
  }
  static void put(container_parts& parts, std::size_t at, std::int64_t value) {
    parts.data.replace(at, sizeof value, little_endian(value));
  }
};

/// Rows without samples: skipped ones, so that the sums stay as they are.
std::string state_of(std::int64_t rows) { return hostile_state(false).with_rows(rows, 1, 1); }

zcmoe_report report_of(const scoped_fit& fit) {
  zcmoe_report report{};
  EXPECT_EQ(zcmoe_fit_get_report(fit.handle, &report, nullptr), ZCMOE_OK);
  return report;
}

TEST(state_limits_test, states_of_more_rows_than_the_limit_are_not_read) {
  for (const std::int64_t rows : {std::int64_t{1}, most_rows - 1, most_rows}) {
    scoped_fit fit;
    EXPECT_EQ(load(state_of(rows), fit), ZCMOE_OK) << zcmoe_last_error();
  }
  for (const std::int64_t rows : {std::int64_t{0}, std::int64_t{-1}, most_rows + 1,
                                  std::int64_t{1} << 62, INT64_MAX, INT64_MIN}) {
    scoped_fit fit;
    EXPECT_EQ(load(state_of(rows), fit), ZCMOE_ERR_FORMAT) << rows;
  }
  const hostile_state state(false);
  for (const auto& [used, count] :
       {std::pair<std::int64_t, std::int64_t>{6, 1}, {1, 6}, {6, 6}, {-1, -1}, {0, 1}, {1, 0}}) {
    scoped_fit fit;
    EXPECT_EQ(load(state.with_rows(5, used, count), fit), ZCMOE_ERR_FORMAT) << used << count;
  }
}

TEST(state_limits_test, merges_beyond_the_limit_are_refused_and_change_nothing) {
  for (const auto& [first, second] : {std::pair<std::int64_t, std::int64_t>{most_rows, 1},
                                      {1, most_rows},
                                      {most_rows, most_rows},
                                      {most_rows / 2 + 1, most_rows / 2}}) {
    scoped_fit fit;
    scoped_fit source;
    ASSERT_EQ(load(state_of(first), fit), ZCMOE_OK) << zcmoe_last_error();
    ASSERT_EQ(load(state_of(second), source), ZCMOE_OK) << zcmoe_last_error();
    const std::string before = bytes_of(fit.handle);
    EXPECT_EQ(zcmoe_fit_merge(fit.handle, source.handle, nullptr), ZCMOE_ERR_NUMERIC);
    EXPECT_THAT(zcmoe_last_error(),
                testing::HasSubstr("source has " + std::to_string(second) +
                                   " rows, and the fit counts " + std::to_string(first)));
    EXPECT_EQ(bytes_of(fit.handle), before);
  }
  scoped_fit fit;
  scoped_fit source;
  ASSERT_EQ(load(state_of(most_rows / 2), fit), ZCMOE_OK);
  ASSERT_EQ(load(state_of(most_rows / 2), source), ZCMOE_OK);
  EXPECT_EQ(zcmoe_fit_merge(fit.handle, source.handle, nullptr), ZCMOE_OK) << zcmoe_last_error();
  EXPECT_EQ(report_of(fit).rows, most_rows);
  scoped_fit again;
  EXPECT_EQ(load(bytes_of(fit.handle), again), ZCMOE_OK) << zcmoe_last_error();
  // Rows can be added up to the limit as well, and no further.
  const std::vector<float> one{0.5f};
  const zcmoe_array x = array(one.data());
  const std::string before = bytes_of(fit.handle);
  for (const auto add : {true, false}) {
    EXPECT_EQ(add ? zcmoe_fit_add(fit.handle, x, x, no_array(), 1, nullptr, 0, nullptr)
                  : zcmoe_fit_add_sync(fit.handle, x, x, no_array(), 1, nullptr),
              ZCMOE_ERR_NUMERIC);
    EXPECT_THAT(zcmoe_last_error(), testing::HasSubstr("the call adds 1 rows"));
  }
  EXPECT_EQ(bytes_of(fit.handle), before);
}

TEST(state_limits_test, a_state_merged_with_itself_again_and_again_stops_at_the_limit) {
  scoped_fit fit;
  ASSERT_EQ(load(state_of(std::int64_t{1} << 50), fit), ZCMOE_OK);
  for (int doubling = 50; doubling < 61; ++doubling) {
    ASSERT_EQ(zcmoe_fit_merge(fit.handle, fit.handle, nullptr), ZCMOE_OK) << zcmoe_last_error();
  }
  for (int k = 0; k < 20; ++k) {
    EXPECT_EQ(zcmoe_fit_merge(fit.handle, fit.handle, nullptr), ZCMOE_ERR_NUMERIC);
  }
  EXPECT_EQ(report_of(fit).rows, most_rows);
}

TEST(state_limits_test, lines_of_a_state_merged_with_itself_again_and_again_stay) {
  const context cpu(ZCMOE_ENGINE_CPU);
  const std::vector<double> x{0.25, 0.5, 0.75};
  const auto start = std::chrono::steady_clock::now();
  for (const std::int32_t experts : {ZCMOE_EXPERTS_LINEAR, ZCMOE_EXPERTS_INTERPOLATE}) {
    for (const zcmoe_dtype dtype : {ZCMOE_F32, ZCMOE_F64}) {
      for (const float weight : {0.0f, 2.0f, 3e38f}) {  // 0: no weights
        zcmoe_model_options options = model_options();
        options.experts = experts;
        zcmoe_fit_options how = fit_options();
        how.target_dtype = dtype;
        how.weighted = weight > 0 ? 1 : 0;
        zcmoe::fit state(cpu, {0, 1}, options, how);
        const std::vector<float> y{1, 2, 6};
        const std::vector<float> w(3, weight);
        const zcmoe_array weights = weight > 0 ? array(w.data()) : no_array();
        state.add_sync(array(x.data()), array(y.data()), weights, 3);
        double rows = 3;
        for (int doubling = 0; doubling < 60; ++doubling, rows *= 2) {
          SCOPED_TRACE(std::to_string(doubling) + " doublings, weight " + std::to_string(weight));
          const zcmoe::model model = state.finish();
          const zcmoe_model_info info = model.info();
          const zcmoe_line& line = info.lines[0];
          if (experts == ZCMOE_EXPERTS_LINEAR) {
            ASSERT_EQ(line.from, 0.25);
            ASSERT_EQ(line.to, 0.75);
            ASSERT_EQ(line.value, 0.5);
            ASSERT_EQ(line.slope, 10.0);
          } else {
            ASSERT_NEAR(line.value, -2, 1e-6);
            ASSERT_NEAR(line.slope, 10, 1e-6);
          }
          // Squared distances 0.25, 1 and 0.25, and two parameters; where values are shared those
          // of few rows are half as many as these.
          const bool few = experts == ZCMOE_EXPERTS_INTERPOLATE && rows == 3;
          const double parameters = few ? rows / 2 : 2;
          const double variance = 0.5 * rows / (rows - parameters);
          const double error = std::sqrt(variance * parameters / rows);
          ASSERT_NEAR(info.variances[0], variance, 1e-6 * variance);
          ASSERT_NEAR(info.standard_errors[0], error, 1e-6 * error);
          const zcmoe_status merged = zcmoe_fit_merge(state.get(), state.get(), nullptr);
          ASSERT_EQ(merged, doubling < 59 ? ZCMOE_OK : ZCMOE_ERR_NUMERIC) << zcmoe_last_error();
          scoped_fit again;
          ASSERT_EQ(load(bytes_of(state.get()), again), ZCMOE_OK) << zcmoe_last_error();
        }
      }
    }
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::minutes(1));
}

/// A state in which all of n rows are counted, with random digits within bounds that a random
/// choice of samples could have given.
std::string random_state(std::mt19937_64& random, bool weighted, std::int32_t experts) {
  const context cpu(ZCMOE_ENGINE_CPU);
  zcmoe_fit_options options = fit_options();
  options.target_dtype = ZCMOE_F32;
  options.weighted = weighted ? 1 : 0;
  zcmoe_model_options of_model = model_options();
  of_model.experts = experts;
  zcmoe::fit state(cpu, {0, 1, 2, 3}, of_model, options);
  std::vector<float> x;
  std::vector<float> y;
  std::vector<float> w;
  const auto extreme = [&] {
    const float values[] = {0.0f, 1e-45f, -1e-45f, 1.0f, -1.0f, 3.4e38f, -3.4e38f, 1e20f};
    return values[random() % 8];
  };
  for (int i = 0; i < 12; ++i) {
    x.push_back(static_cast<float>(random() % 40) / 10.0f - 0.5f);
    y.push_back(extreme());
    w.push_back(std::max(1e-45f, std::abs(extreme())));
  }
  if (weighted) {
    state.add_sync(x, y, w);
  } else {
    state.add_sync(x, y);
  }
  const auto bytes = state.serialize();
  return {bytes.begin(), bytes.end()};
}

TEST(state_limits_test, whatever_is_read_can_be_merged_finished_and_read_again) {
  std::mt19937_64 random(7);
  int accepted[3] = {};  // of each kind of experts
  const auto start = std::chrono::steady_clock::now();
  const int runs = std::getenv("ZCMOE_QUICK_TESTS") != nullptr ? 1000 : 4000;
  for (int run = 0; run < runs; ++run) {
    const bool weighted = run % 2 == 0;
    const std::int32_t experts = run % 3;
    container_parts parts = split(random_state(random, weighted, experts));
    // Some integers of the data section replaced: by neighbours, powers of two, anything.
    for (auto changes = random() % 3; changes > 0; --changes) {
      const std::size_t integers = parts.data.size() / 8;
      const std::size_t at = (4 + random() % (integers - 4)) * 8;
      std::int64_t value;
      std::memcpy(&value, parts.data.data() + at, sizeof value);
      const int kind = static_cast<int>(random() % 3);
      const auto power = std::int64_t{1} << random() % 62;
      value = kind == 0 ? value + 1 : kind == 1 ? power : -power;
      hostile_state::put(parts, at, value);
    }
    const std::string bytes = sealed(parts);
    scoped_fit fit;
    scoped_fit other;
    if (load(bytes, fit) != ZCMOE_OK) continue;
    ASSERT_EQ(load(bytes, other), ZCMOE_OK);
    ++accepted[experts];
    for (int k = 0; k < 61; ++k) {
      scoped_model model;
      ASSERT_EQ(zcmoe_fit_finish(fit.handle, &model.handle, nullptr),
                report_of(fit).bad_weights > 0 ? ZCMOE_ERR_DATA : ZCMOE_OK)
          << zcmoe_last_error();
      const zcmoe_status merged = zcmoe_fit_merge(fit.handle, fit.handle, nullptr);
      ASSERT_TRUE(merged == ZCMOE_OK || merged == ZCMOE_ERR_NUMERIC) << zcmoe_last_error();
      scoped_fit again;
      ASSERT_EQ(load(bytes_of(fit.handle), again), ZCMOE_OK) << zcmoe_last_error();
      if (merged == ZCMOE_ERR_NUMERIC) break;
      if (k % 16 != 15) continue;
      ASSERT_EQ(zcmoe_fit_merge(fit.handle, other.handle, nullptr), ZCMOE_OK);
    }
  }
  for (const int count : accepted) EXPECT_GE(count, runs / 24) << "of " << runs;
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::minutes(5));
}

TEST(state_limits_test, empty_segments_with_far_parents_are_filled_soon) {
  // One segment of 2^18 has samples, so every block is looked at for every other one.
  constexpr std::int64_t m = 1 << 18;
  const context cpu(ZCMOE_ENGINE_CPU);
  zcmoe_model_options options = model_options();
  options.empty_policy = ZCMOE_EMPTY_PARENT;
  zcmoe_fit_options floats = fit_options();
  floats.target_dtype = ZCMOE_F32;
  zcmoe::fit state(cpu, uniform_edges(0, static_cast<double>(m), m), options, floats);
  state.add_sync(std::vector<double>{0.5, 1.5, 3.5}, std::vector<float>{1.0f, 2.0f, 6.0f});
  const auto start = std::chrono::steady_clock::now();
  const zcmoe::model model = state.finish();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
  const double* const constants = model.info().constants;
  EXPECT_EQ(constants[2], 6.0);  // the block of 2
  for (const std::int64_t i : {std::int64_t{4}, std::int64_t{1000}, m / 2, m - 1}) {
    EXPECT_EQ(constants[i], 3.0) << i;
  }
}

}  // namespace
}  // namespace zcmoe::test
