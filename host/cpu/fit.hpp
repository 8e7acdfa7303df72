// Fitting on the CPU: see fit.cpp.
#pragma once

#include "host/cpu/dispatch.hpp"
#include "host/cpu/workers.hpp"
#include "host/engine/backend.hpp"

#include <cstdint>
#include <memory>

namespace zcmoe::detail {

/// Adds the rows of a job to its state, summed by at most num_parts threads, each into a state of
/// its own. All memory comes from the engine before the first row, so that a failure
/// (OUT_OF_MEMORY; DATA for a row that an error policy refuses) leaves the state as it was.
void accumulate_on_cpu(const fit_job& job, const cpu_target& target, workers& crew, int num_parts,
                       const std::shared_ptr<backend>& engine);

/// to += from; never fails. Leaves the digits of `to` canonical.
void merge_on_cpu(const state_layout& layout, std::int64_t* to, const std::int64_t* from,
                  workers& crew);

/// Writes the summaries of all slots; never fails.
void summarize_on_cpu(const state_layout& layout, const std::int64_t* state,
                      slot_summary* summaries, workers& crew);
/// The same of their lines.
void summarize_lines_on_cpu(const state_layout& layout, const std::int64_t* state,
                            line_summary* summaries, workers& crew);

}  // namespace zcmoe::detail
