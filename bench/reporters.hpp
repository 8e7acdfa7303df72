// Reporters of Google Benchmark that tell names as they are registered. Google Benchmark appends
// "/manual_time" and the like to them, which scripts that look for engine/op/type/distribution/m:M
// should not have to know.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace zcmoe::bench {

/// Lets a regular expression that ends a name with $ match the name that Google Benchmark makes of
/// it.
inline std::string filter_of(const std::string& given) {
  std::string filter;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const bool escaped = i > 0 && given[i - 1] == '\\';
    if (given[i] == '$' && !escaped) filter += "(/(iterations|repeats|manual_time|real_time).*)?";
    filter += given[i];
  }
  return filter;
}

/// The label of runs on an emulated device.
constexpr const char* no_times = "emulated device: no times";

/// The registered name with which a line of --benchmark_list_tests begins.
inline std::string without_suffix(const std::string& name) {
  std::size_t end = name.size();
  for (const char* suffix : {"/iterations:", "/repeats:", "/manual_time", "/real_time"})
    end = std::min(end, name.find(suffix));
  return name.substr(0, end);
}

template <class Base>
class plain_names : public Base {
 public:
  using Base::Base;
  void ReportRuns(const std::vector<benchmark::BenchmarkReporter::Run>& runs) override {
    auto renamed = runs;
    for (auto& run : renamed) {
      run.run_name.iterations.clear();
      run.run_name.repetitions.clear();
      run.run_name.time_type.clear();
      if (run.report_label == no_times) run.cpu_accumulated_time = 0;  // it is the emulator's time
      // Tells the threads of the engine, not those that Google Benchmark calls the benchmark from.
      // The mean, which comes first, and the median of a constant are that constant; the other
      // aggregates are not.
      const auto counter = run.counters.find("threads");
      if (counter == run.counters.end()) continue;
      const bool is_value = run.run_type == benchmark::BenchmarkReporter::Run::RT_Iteration ||
                            run.aggregate_name == "mean" || run.aggregate_name == "median";
      if (is_value) threads_ = static_cast<std::int64_t>(counter->second.value);
      run.threads = threads_;
      run.counters.erase(counter);
    }
    Base::ReportRuns(renamed);
  }

 private:
  std::int64_t threads_ = 1;
};

/// Writes JSON in which "emulated" is a boolean, not a text, as custom context would make it.
class json_reporter : public plain_names<benchmark::JSONReporter> {
 public:
  bool ReportContext(const Context& context) override {
    std::ostream& out = GetOutputStream();
    std::ostringstream written;
    SetOutputStream(&written);
    const bool go_on = plain_names::ReportContext(context);
    SetOutputStream(&out);
    std::string text = written.str();
    const std::string quoted = "\"emulated\": \"true\"";
    const std::size_t at = text.find(quoted);
    if (at != std::string::npos) text.replace(at, quoted.size(), "\"emulated\": true");
    out << text;
    return go_on;
  }
};

}  // namespace zcmoe::bench
