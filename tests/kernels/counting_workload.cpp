// One call of the CUDA engine, whose work counting_test.py counts:
//   counting_workload predict EDGES M INPUTS N DTYPE OUTPUTS
//   counting_workload fit EDGES M INPUTS N f32 PATH TARGETS
//   counting_workload points EDGES M MODEL N
// The table has M segments, or each of four axes has, and the call N rows. Some predictions are
// checked against a search of the edges, and the sums of a fit against those of the CPU engine.
//
// EDGES    uniform
//          smooth: those of a compander, up to five times as dense at one place as at another
//          clustered: nine tenths of them lie in a thousandth of the range
//          geometric: over 20 binades
// INPUTS   random: each segment is as likely as any other
//          sorted: the same, sorted
//          skewed: all in one segment
// DTYPE    f32 or f64, of inputs and predictions
// OUTPUTS  letters: v values, s segments, e standard errors, r variances, c counts, p report
// PATH     free or sort, of the fit
// TARGETS  sine: of the input, with noise
//          linear: the input itself
//          drifting: 2^(60 x - 30)
//          wide: of either sign, evenly spread over 60 binades
//          alternating: 1 and 2^-40 in turn
//          jumping: of another of ten scales in each sixteenth of the rows
// MODEL    of columns of float32, whose segments are equally likely:
//          grid: a product grid of all axes, whose cells are segments
//          tables: a sum of axis tables
//          score: the same routed to 1,024 segments
//          pairs: a sum of axis tables and four pair grids of 16 x 16 cells
#include "tests/model/points_bytes.hpp"
#include "tests/support.hpp"

#include <zcmoe/points.hpp>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <stdexcept>

namespace zcmoe::test {
namespace {

/// Where the fraction u of the edges lies below.
double edge_at(const std::string& kind, double u) {
  if (kind == "uniform") return u;
  if (kind == "smooth") return u + std::sin(2 * M_PI * u) / (2.5 * M_PI);
  if (kind == "geometric") return std::exp2(20 * u - 10);
  if (kind == "clustered") {
    if (u < 0.05) return u / 0.05 * 0.4995;
    if (u > 0.95) return 0.5005 + (u - 0.95) / 0.05 * 0.4995;
    return 0.4995 + 0.001 * (u - 0.05) / 0.9;
  }
  throw std::invalid_argument("EDGES=" + kind);
}

std::vector<double> edges_of(const std::string& kind, std::int64_t m) {
  std::vector<double> edges;
  for (std::int64_t i = 0; i <= m; ++i) {
    edges.push_back(edge_at(kind, static_cast<double>(i) / static_cast<double>(m)));
  }
  return edges;
}

/// Inputs of which each segment is as likely as any other, so that lanes spread over the whole
/// table; then put in order, or replaced, as `order` says.
template <class T>
std::vector<T> inputs_of(const std::vector<double>& edges, const std::string& order, std::int64_t n,
                         unsigned seed = 1) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> unit(0.0, 1.0);
  const auto m = static_cast<std::int64_t>(edges.size()) - 1;
  std::vector<T> x(static_cast<std::size_t>(n));
  for (T& value : x) {
    const double u = unit(random) * static_cast<double>(m);
    const auto i = static_cast<std::size_t>(std::min(static_cast<std::int64_t>(u), m - 1));
    value = static_cast<T>(edges[i] + (u - static_cast<double>(i)) * (edges[i + 1] - edges[i]));
  }
  if (order == "skewed") {
    std::fill(x.begin(), x.end(), static_cast<T>((edges[0] + edges[1]) / 2));
  } else if (order == "sorted") {
    std::sort(x.begin(), x.end());
  } else if (order != "random") {
    throw std::invalid_argument("INPUTS=" + order);
  }
  return x;
}

/// Predicts the outputs `wanted` once, and checks every 1,009th value.
template <class T>
void predict(const std::string& edge_kind, std::int64_t m, const std::string& order, std::int64_t n,
             const std::string& wanted) {
  const std::vector<double> edges = edges_of(edge_kind, m);
  std::vector<double> constants;
  for (std::int64_t i = 0; i < m; ++i) constants.push_back(static_cast<double>(i) + 0.5);
  const context cuda(ZCMOE_ENGINE_CUDA);
  const model model(cuda, edges, constants);
  const std::vector<T> x = inputs_of<T>(edges, order, n);
  const engine_array<T> input(ZCMOE_ENGINE_CUDA, x);
  const auto room = [&](char output, auto element) {
    using type = decltype(element);
    const std::size_t size = wanted.find(output) != std::string::npos ? x.size() : 0;
    return std::make_unique<engine_array<type>>(ZCMOE_ENGINE_CUDA, std::vector<type>(size));
  };
  const auto values = room('v', T{});
  const auto segments = room('s', std::int32_t{});
  const auto errors = room('e', T{});
  const auto variances = room('r', T{});
  const auto counts = room('c', std::int64_t{});
  const engine_array<zcmoe_report> report(ZCMOE_ENGINE_CUDA, std::vector<zcmoe_report>(1));
  zcmoe_predict_outputs outputs = predict_outputs();
  for (const char output : wanted) {
    switch (output) {
      case 'v': outputs.values = zcmoe::output(values->data()); break;
      case 's': outputs.segments = zcmoe::output(segments->data()); break;
      case 'e': outputs.standard_errors = zcmoe::output(errors->data()); break;
      case 'r': outputs.variances = zcmoe::output(variances->data()); break;
      case 'c': outputs.counts = zcmoe::output(counts->data()); break;
      case 'p': outputs.report = report.data(); break;
      default: throw std::invalid_argument("OUTPUTS=" + wanted);
    }
  }
  model.predict(array(input.data()), n, outputs, nullptr);

  const std::vector<T> answers = values->host();
  for (std::size_t i = 0; i < answers.size(); i += 1009) {
    const auto above =
        std::upper_bound(edges.begin() + 1, edges.end() - 1, static_cast<double>(x[i]));
    const auto segment = static_cast<std::size_t>(above - edges.begin()) - 1;
    if (answers[i] != static_cast<T>(constants[segment])) {
      throw std::runtime_error("wrong answer for input " + std::to_string(i));
    }
  }
}

/// The target of row i of n, whose input is x.
float target_of(const std::string& kind, float x, std::int64_t i, std::int64_t n,
                std::mt19937& random) {
  const float unit = static_cast<float>(random()) * 0x1p-32f;
  if (kind == "sine") return std::sin(9 * x) + 0.1f * (2 * unit - 1);
  if (kind == "linear") return x;
  if (kind == "drifting") return std::exp2(60 * x - 30) * (1 + 0.1f * unit);
  if (kind == "wide") return std::exp2(60 * unit - 30) * (random() % 2 == 0 ? 1.0f : -1.0f);
  if (kind == "alternating") return i % 2 == 0 ? 1 + unit : std::ldexp(1 + unit, -40);
  if (kind == "jumping") {
    return std::ldexp(1 + unit, static_cast<int>(i * 16 / n * 7 % 10) * 12 - 60);
  }
  throw std::invalid_argument("TARGETS=" + kind);
}

/// Fits once on either engine and compares the states' bytes.
void fit_rows(const std::string& edge_kind, std::int64_t m, const std::string& order,
              std::int64_t n, const std::string& path, const std::string& targets) {
  if (path == "sort") {
    setenv("ZCMOE_CUDA_FIT", "sort", 1);
  } else if (path != "free") {
    throw std::invalid_argument("PATH=" + path);
  }
  const std::vector<double> edges = edges_of(edge_kind, m);
  const std::vector<float> x = inputs_of<float>(edges, order, n);
  std::vector<float> y;
  y.reserve(x.size());
  std::mt19937 random(2);
  for (std::int64_t i = 0; i < n; ++i) {
    y.push_back(target_of(targets, x[static_cast<std::size_t>(i)], i, n, random));
  }
  zcmoe_fit_options how = fit_options();
  how.target_dtype = ZCMOE_F32;
  const context cuda(ZCMOE_ENGINE_CUDA);
  fit device_fit(cuda, edges, model_options(), how);
  const engine_array<float> device_x(ZCMOE_ENGINE_CUDA, x);
  const engine_array<float> device_y(ZCMOE_ENGINE_CUDA, y);
  device_fit.add(array(device_x.data()), array(device_y.data()), no_array(), n, nullptr, 0,
                 nullptr);
  const context cpu(ZCMOE_ENGINE_CPU);
  fit host_fit(cpu, edges, model_options(), how);
  host_fit.add_sync(x, y);
  if (device_fit.serialize() != host_fit.serialize()) throw std::runtime_error("wrong sums");
}

constexpr std::int32_t num_axes = 4;

/// The model of this name; constants are random numbers of 20 bits.
points_file points_model_of(const std::string& kind, const std::vector<double>& edges) {
  std::mt19937 random(3);
  const auto constants = [&random](std::size_t count) {
    std::vector<std::int32_t> made;
    made.reserve(count);
    for (std::size_t i = 0; i < count; ++i)
      made.push_back(static_cast<std::int32_t>(random() >> 12));
    return made;
  };
  points_file file;
  file.partition = "tables";
  file.num_rows = 1 << 30;
  file.tables.num_inputs = num_axes;
  for (std::int32_t a = 0; a < num_axes; ++a) {
    file.tables.axes.push_back(
        {a, edges, ZCMOE_CLOSED_LEFT, 0, ZCMOE_NAN_PROPAGATE, ZCMOE_RANGE_CLAMP});
  }
  const auto m = static_cast<std::int32_t>(edges.size()) - 1;
  // Offsets of `groups` groups of segments that lie side by side; NaN is in the first.
  const auto offsets = [&](std::int32_t axis, std::int32_t groups, std::int32_t step) {
    detail::axis_offsets made{axis, {}};
    for (std::int32_t c = 0; c < m + 3; ++c)
      made.offsets.push_back(c < m ? c * groups / m * step : 0);
    return made;
  };
  std::vector<detail::bank>& banks = file.tables.banks;
  detail::head& head = file.tables.head;
  head.exponent = -20;
  const auto add_segments = [&head](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      head.constants.push_back(static_cast<double>(i) + 0.5);
      head.counts.push_back(0);
      head.variances.push_back(not_a_number);
      head.standard_errors.push_back(not_a_number);
    }
  };
  if (kind == "grid") {
    detail::bank grid;
    std::int32_t cells = 1;
    for (std::int32_t a = 0; a < num_axes; ++a, cells *= m)
      grid.axes.push_back(offsets(a, m, cells));
    for (std::int32_t c = 0; c < cells; ++c) grid.constants.push_back(c);
    banks.push_back(grid);
    file.partition = "grid";
    add_segments(static_cast<std::size_t>(cells));
    return file;
  }
  for (std::int32_t a = 0; a < num_axes; ++a)
    banks.push_back({{offsets(a, m, 1)}, {}, {}, constants(static_cast<std::size_t>(m))});
  if (kind == "pairs") {
    for (std::int32_t a = 0; a < num_axes; ++a) {
      const std::int32_t first = std::min(a, (a + 1) % num_axes);
      const std::int32_t second = std::max(a, (a + 1) % num_axes);
      banks.push_back({{offsets(first, 16, 16), offsets(second, 16, 1)}, {}, {}, constants(256)});
    }
  } else if (kind == "score") {
    file.partition = "score";
    // Segments that are equally likely: quantiles of scores of random codes.
    std::vector<std::int64_t> scores;
    for (int i = 0; i < 1 << 20; ++i) {
      std::int64_t score = 0;
      for (const detail::bank& b : banks)
        score += b.constants[random() % static_cast<std::size_t>(m)];
      scores.push_back(score);
    }
    std::sort(scores.begin(), scores.end());
    for (std::size_t i = 1; i < 1024; ++i) head.thresholds.push_back(scores[i << 10]);
    add_segments(1024);
  } else if (kind != "tables") {
    throw std::invalid_argument("MODEL=" + kind);
  }
  return file;
}

/// Predicts once and checks every 1,009th value.
void predict_points(const std::string& edge_kind, std::int64_t m, const std::string& kind,
                    std::int64_t n) {
  const std::vector<double> edges = edges_of(edge_kind, m);
  const points_file file = points_model_of(kind, edges);
  const context cuda(ZCMOE_ENGINE_CUDA);
  const std::string bytes = written(parts_of(file));
  zcmoe_model* handle = nullptr;
  if (zcmoe_model_deserialize(cuda.get(), bytes.data(), bytes.size(), &handle) != ZCMOE_OK)
    throw std::runtime_error(zcmoe_last_error());
  const std::unique_ptr<zcmoe_model, zcmoe_status (*)(zcmoe_model*)> owner(handle,
                                                                           zcmoe_model_destroy);
  std::vector<std::vector<float>> inputs;
  std::vector<std::unique_ptr<engine_array<float>>> there;
  points x;
  for (unsigned a = 0; a < num_axes; ++a) {
    inputs.push_back(inputs_of<float>(edges, "random", n, a + 1));
    there.push_back(std::make_unique<engine_array<float>>(ZCMOE_ENGINE_CUDA, inputs.back()));
    x.add(array(there.back()->data()), n);
  }
  const engine_array<float> values(ZCMOE_ENGINE_CUDA,
                                   std::vector<float>(static_cast<std::size_t>(n)));
  zcmoe_predict_outputs outputs = predict_outputs();
  outputs.values = output(values.data());
  const zcmoe_points view = x.view();
  if (zcmoe_predict_points(handle, &view, n, &outputs, nullptr) != ZCMOE_OK)
    throw std::runtime_error(zcmoe_last_error());

  const std::vector<float> answers = values.host();
  for (std::size_t i = 0; i < answers.size(); i += 1009) {
    std::uint8_t codes[num_axes];
    for (std::size_t a = 0; a < num_axes; ++a) {
      const auto above =
          std::upper_bound(edges.begin() + 1, edges.end() - 1, static_cast<double>(inputs[a][i]));
      codes[a] = static_cast<std::uint8_t>(above - edges.begin() - 1);
    }
    const std::int64_t score = detail::score_of(file.tables, codes);
    const detail::head& head = file.tables.head;
    const auto above = std::upper_bound(head.thresholds.begin(), head.thresholds.end(), score);
    const std::int64_t segment = head.thresholds.empty() ? score : above - head.thresholds.begin();
    const double expected = head.has_segments() ? head.constants[static_cast<std::size_t>(segment)]
                                                : std::ldexp(static_cast<double>(score), -20);
    if (answers[i] != static_cast<float>(expected))
      throw std::runtime_error("wrong answer for row " + std::to_string(i));
  }
}

int run(const std::vector<std::string>& words) {
  if (words.size() == 5 && words[0] == "points") {
    predict_points(words[1], std::stoll(words[2]), words[3], std::stoll(words[4]));
    return 0;
  }
  if (words.size() == 8 && words[0] == "fit" && words[5] == "f32") {
    fit_rows(words[1], std::stoll(words[2]), words[3], std::stoll(words[4]), words[6], words[7]);
    return 0;
  }
  if (words.size() == 7 && words[0] == "predict") {
    const std::int64_t m = std::stoll(words[2]);
    const std::int64_t n = std::stoll(words[4]);
    if (words[5] == "f32") {
      predict<float>(words[1], m, words[3], n, words[6]);
    } else {
      predict<double>(words[1], m, words[3], n, words[6]);
    }
    return 0;
  }
  std::fprintf(stderr, "usage: see counting_workload.cpp\n");
  return 2;
}

}  // namespace
}  // namespace zcmoe::test

int main(int argc, char** argv) {
  try {
    return zcmoe::test::run({argv + 1, argv + argc});
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "counting_workload: %s\n", failure.what());
    return 1;
  }
}
