#include "host/learning/usable_rows.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>

namespace zcmoe::detail {
namespace {

constexpr std::int64_t rows_per_part = 1 << 16;
constexpr std::int64_t values_at_a_time = 512;

/// What a part of shared work has thrown, which must not leave its thread: memory may run out.
class first_failure {
 public:
  void keep() noexcept {
    if (!is_kept_.test_and_set()) thrown_ = std::current_exception();
  }
  /// Once all parts are done.
  void rethrow() const {
    if (thrown_ != nullptr) std::rethrow_exception(thrown_);
  }

 private:
  std::atomic_flag is_kept_ = ATOMIC_FLAG_INIT;
  std::exception_ptr thrown_;
};

}  // namespace

std::shared_ptr<backend> host_of(const std::shared_ptr<backend>& engine) {
  if (engine->engine() == ZCMOE_ENGINE_CPU) return engine;
  zcmoe_context_options host = ZCMOE_CONTEXT_OPTIONS_INIT;
  host.engine = ZCMOE_ENGINE_CPU;
  return make_cpu_backend(host);
}

run_parts parts_on(backend& engine) {
  return [&engine](std::int64_t parts, const std::function<void(std::int64_t)>& body) {
    first_failure failure;
    engine.share_out(parts, [&](std::int64_t part) {
      try {
        body(part);
      } catch (...) {
        failure.keep();
      }
    });
    failure.rethrow();
  };
}

void run_as_part(backend& engine, const std::function<void()>& body) {
  parts_on(engine)(1, [&](std::int64_t) { body(); });
}

void row_counts::check_used() const {
  if (used() > 0) return;
  fail(ZCMOE_ERR_DATA, "no row is left of ", rows, ": ", nan_inputs, " have a NaN input, ",
       nan_targets + infinite_targets, " a target that is not finite",
       zero_weights > 0 ? text(", ", zero_weights, " the weight 0") : "");
}

row_counts& row_counts::operator+=(const row_counts& more) {
  rows += more.rows;
  nan_inputs += more.nan_inputs;
  nan_targets += more.nan_targets;
  infinite_targets += more.infinite_targets;
  zero_weights += more.zero_weights;
  return *this;
}

void row_counts::tell(zcmoe_learn_report& report) const {
  report.rows = rows;
  report.rows_used = used();
  report.nan_inputs = nan_inputs;
  report.nan_targets = nan_targets;
  report.infinite_targets = infinite_targets;
  report.zero_weights = zero_weights;
}

std::vector<std::uint8_t> nan_codes_of(const zcmoe_learn_options& options,
                                       std::int64_t num_inputs) {
  std::vector<std::uint8_t> codes;
  codes.reserve(static_cast<std::size_t>(num_inputs));
  for (std::int64_t j = 0; j < num_inputs; ++j) {
    const std::int32_t policy =
        options.axes != nullptr ? options.axes[j].nan_policy : options.nan_policy;
    codes.push_back(policy == ZCMOE_NAN_SEGMENT ? 1 : 0);
  }
  return codes;
}

any_array host_columns::read(std::int64_t j) {
  const any_array column = any(x_.columns[j]);
  if (is_in_place(j)) return column;
  copy_.resize(static_cast<std::size_t>(n_));
  engine_.read_sync(column, n_, copy_.data());
  return any({copy_.data(), ZCMOE_F64, 1});
}

usable_rows find_usable(host_columns& x, const zcmoe_array& y, const zcmoe_array& weights,
                        std::int64_t n, const std::vector<std::uint8_t>& nan_codes,
                        const run_parts& run) {
  usable_rows found;
  found.used.resize(static_cast<std::size_t>(n), 1);
  found.hashes.resize(static_cast<std::size_t>(n), 0);
  std::vector<std::uint8_t>& used = found.used;
  const std::int64_t parts = (n + rows_per_part - 1) / rows_per_part;
  std::vector<any_array> columns;
  for (std::int64_t j = 0; j < x.count(); j += static_cast<std::int64_t>(columns.size())) {
    // All that lie here together; copies one by one.
    columns.assign(1, x.read(j));
    for (std::int64_t k = j + 1; x.is_in_place(j) && k < x.count() && x.is_in_place(k); ++k)
      columns.push_back(x.read(k));
    run(parts, [&](std::int64_t part) {
      const std::int64_t first = part * rows_per_part;
      const std::int64_t last = std::min(n, first + rows_per_part);
      for (std::size_t c = 0; c < columns.size(); ++c) {
        const any_array from = columns[c];
        const bool nan_is_code = nan_codes[static_cast<std::size_t>(j) + c] != 0;
        double values[values_at_a_time];
        for (std::int64_t i = first; i < last; i += values_at_a_time) {
          const std::int64_t some = std::min(last - i, values_at_a_time);
          for (std::int64_t k = 0; k < some; ++k) {
            values[k] = from[i + k];
            if (!nan_is_code && std::isnan(values[k])) used[static_cast<std::size_t>(i + k)] = 2;
          }
          hash_inputs(values, some, found.hashes.data() + i);
        }
      }
    });
  }
  const any_array targets = any(y);
  const any_array weighing = any(weights);
  std::vector<row_counts> counts(static_cast<std::size_t>(parts));
  std::vector<std::int64_t> first_bad(counts.size(), n);
  run(parts, [&](std::int64_t part) {
    row_counts& count = counts[static_cast<std::size_t>(part)];
    const std::int64_t last = std::min(n, (part + 1) * rows_per_part);
    for (std::int64_t i = part * rows_per_part; i < last; ++i) {
      const double value = targets[i];
      const double weight = weights.data != nullptr ? weighing[i] : 1.0;
      auto& mark = used[static_cast<std::size_t>(i)];
      if (weight == 0.0) {
        mark = 0;
        ++count.zero_weights;
      } else if (!(weight > 0.0 && std::isfinite(weight))) {
        first_bad[static_cast<std::size_t>(part)] = i;
        return;
      } else if (std::isnan(value)) {
        mark = 0;
        ++count.nan_targets;
      } else if (std::isinf(value)) {
        mark = 0;
        ++count.infinite_targets;
      } else if (mark == 2) {
        mark = 0;
        ++count.nan_inputs;
      }
    }
  });
  for (const std::int64_t i : first_bad) {
    if (i < n)
      fail(ZCMOE_ERR_DATA, "weights[", x.first_row() + i, "]=", weighing[i],
           " is not finite and >= 0");
  }
  found.counts.rows = n;
  for (const row_counts& of_part : counts) found.counts += of_part;
  return found;
}

}  // namespace zcmoe::detail
