#include "laboratory.hpp"

#include <cstdio>
#include <fstream>
#include <stdexcept>

namespace experiments {

std::vector<double> edges_of(const setting& given, zcmoe_theory_segmentation segmentation,
                             std::int64_t num_segments) {
  const theory::problem& f = given.problem;
  return segmentation == ZCMOE_THEORY_UNIFORM
             ? zcmoe::uniform_edges(f.lo, f.hi, num_segments)
             : zcmoe::optimal_edges(f.density, f.slope, f.lo, f.hi, num_segments);
}

std::vector<double> sample::targets(double sigma) const {
  std::vector<double> y(b);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] += sigma * noise[i];
  return y;
}

sample draw(const setting& given, std::int64_t n, bool with_noise, generator& random) {
  sample rows;
  for (std::int64_t i = 0; i < n; ++i) {
    rows.x.push_back(given.draw(random));
    rows.b.push_back(given.problem.regression(rows.x.back()));
    if (with_noise) rows.noise.push_back(random.normal());
  }
  return rows;
}

ratio ratio_of(const std::vector<double>& a, const std::vector<double>& b) {
  const double value = mean_of(a).mean() / mean_of(b).mean();
  std::vector<double> off(a);
  for (std::size_t i = 0; i < off.size(); ++i) off[i] -= value * b[i];
  return {value, mean_of(off).standard_error() / mean_of(b).mean()};
}

zcmoe::model engine::fit(const std::vector<double>& edges, const std::vector<double>& x,
                         const std::vector<double>& y, const zcmoe_model_options& options) const {
  zcmoe::fit rows(context_, edges, options);
  rows.add_sync(x, y);
  return rows.finish();
}

learned engine::learn(const std::vector<double>& edges, const std::vector<double>& x,
                      const std::vector<double>& y, const zcmoe_model_options& options) const {
  const zcmoe::model model = fit(edges, x, y, options);
  std::vector<double> centres;
  for (std::size_t i = 0; i + 1 < edges.size(); ++i) {
    centres.push_back(0.5 * (edges[i] + edges[i + 1]));
  }
  const std::int64_t* const counts = model.info().counts;
  return {model.predict_sync(centres), {counts, counts + centres.size()}};
}

std::vector<double> engine::squared_errors(const std::vector<double>& edges,
                                           const std::vector<double>& constants,
                                           const sample& test) const {
  return experiments::squared_errors(zcmoe::model(context_, edges, constants), test);
}

std::vector<double> squared_errors(const zcmoe::model& model, const sample& test) {
  std::vector<double> errors = model.predict_sync(test.x);
  for (std::size_t i = 0; i < errors.size(); ++i) {
    errors[i] = (errors[i] - test.b[i]) * (errors[i] - test.b[i]);
  }
  return errors;
}

double excess_of(const theory::cells& exact, const std::vector<double>& constants) {
  double excess = exact.totals.error;
  for (std::size_t i = 0; i < constants.size(); ++i) {
    const double off = constants[i] - exact.means[i];
    excess += exact.probabilities[i] * off * off;
  }
  return excess;
}

double excess_on_learned_cuts(const engine& machine, const theory::problem& f,
                              std::vector<double> edges, const std::vector<double>& x,
                              const std::vector<double>& y) {
  const learned table = machine.learn(edges, x, y);
  edges.front() = f.lo;  // the outer segments also predict inputs beyond the samples
  edges.back() = f.hi;
  return f.approximation(edges, table.constants).totals.error;
}

power_law fit_power_law(const std::vector<double>& u, const std::vector<double>& v,
                        const std::vector<double>& excess, const std::vector<double>& scale) {
  double aa = 0.0, ab = 0.0, bb = 0.0, a = 0.0, b = 0.0;
  for (std::size_t k = 0; k < u.size(); ++k) {
    const double relative_u = u[k] / scale[k];
    const double relative_v = v[k] / scale[k];
    const double w = excess[k] / scale[k];
    aa += relative_u * relative_u;
    ab += relative_u * relative_v;
    bb += relative_v * relative_v;
    a += relative_u * w;
    b += relative_v * w;
  }
  const double determinant = aa * bb - ab * ab;
  return {(a * bb - b * ab) / determinant, (b * aa - a * ab) / determinant};
}

// ------------------------------------------------------------------ report

void table::add(std::vector<value> row) {
  if (row.size() != columns_.size()) throw std::logic_error("a row and its columns differ");
  rows_.push_back(std::move(row));
}

std::string table::text() const {
  std::string out;
  for (std::size_t i = 0; i < columns_.size(); ++i) out += (i > 0 ? "," : "") + columns_[i];
  out += '\n';
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) out += ',';
      if (const auto* const text = std::get_if<std::string>(&row[i])) {
        out += '"' + *text + '"';  // a comma may be in it; a quotation mark never is
      } else {
        char digits[32];
        std::snprintf(digits, sizeof digits, "%.10g", std::get<double>(row[i]));
        out += digits;
      }
    }
    out += '\n';
  }
  return out;
}

void report::expect(const std::string& name, double measured, double standard_error,
                    double expected, double slack, const std::vector<rival>& rivals) {
  const double tolerance = 4 * standard_error + slack;
  bool holds = std::abs(measured - expected) <= tolerance;  // false for NaN
  nlohmann::ordered_json others = nlohmann::ordered_json::array();
  for (const rival& other : rivals) {
    holds = holds && std::abs(measured - other.value) > tolerance;
    others.push_back({{"text", other.text}, {"value", other.value}});
  }
  figures_.push_back({{"name", name},
                      {"measured", measured},
                      {"standard_error", standard_error},
                      {"expected", expected},
                      {"slack", slack},
                      {"tolerance", tolerance},
                      {"rivals", others},
                      {"holds", holds}});
  if (!holds) {
    ++failed_;
    std::fprintf(stderr, "%s: measured %.6g +- %.2g, expected %.6g, tolerance %.2g\n", name.c_str(),
                 measured, standard_error, expected, tolerance);
  }
}

namespace {
void write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}
}  // namespace

void report::write(const std::string& name, const table& rows) const {
  write_file(folder_ + "/" + name + ".csv", rows.text());
}

int report::finish(const std::string& engine, int effort) const {
  const nlohmann::ordered_json all = {
      {"engine", engine}, {"effort", effort}, {"notes", notes_}, {"figures", figures_}};
  write_file(folder_ + "/figures.json", all.dump(1) + "\n");
  return failed_;
}

}  // namespace experiments
