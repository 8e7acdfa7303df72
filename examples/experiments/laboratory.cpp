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

learned engine::learn(const std::vector<double>& edges, const std::vector<double>& x,
                      const std::vector<double>& y, const zcmoe_model_options& options) const {
  zcmoe::fit fit(context_, edges, options);
  fit.add_sync(x, y);
  const zcmoe::model model = fit.finish();
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
  std::vector<double> errors = zcmoe::model(context_, edges, constants).predict_sync(test.x);
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
