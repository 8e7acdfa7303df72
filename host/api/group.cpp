// The C functions that group rows by segment: they check every array and hand a job to the engine.
#include "host/api/arguments.hpp"
#include "host/api/handles.hpp"
#include "host/api/options.hpp"

#include <zcmoe/zcmoe.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace {

using namespace zcmoe::detail;

constexpr int most_arrays = 3 + 2 * static_cast<int>(ZCMOE_GROUP_MAX_COLUMNS);

/// Reads and checks the outputs of a grouping. No array may overlap another, since rows are moved.
zcmoe_group_outputs read_group(const zcmoe_array& x, std::int64_t n, std::int64_t num_slots,
                               const zcmoe_group_outputs* outputs) {
  check_pointer(outputs, "outputs");
  const auto wanted =
      read_options(outputs, zcmoe_group_outputs ZCMOE_GROUP_OUTPUTS_INIT, "outputs");
  ZCMOE_EXPECTS(wanted.num_columns >= 0 && wanted.num_columns <= ZCMOE_GROUP_MAX_COLUMNS,
                "outputs->num_columns=", wanted.num_columns, " is not in 0..",
                ZCMOE_GROUP_MAX_COLUMNS);
  if (wanted.num_columns > 0) check_pointer(wanted.columns, "outputs->columns");
  std::vector<std::string> names;
  for (std::int64_t c = 0; c < wanted.num_columns; ++c) {
    names.push_back(text("outputs->columns[", c, "].from"));
    names.push_back(text("outputs->columns[", c, "].to"));
  }
  array_list<most_arrays> read;
  array_list<most_arrays> written;
  const auto reads = [&](const char* name, const zcmoe_array& a) {
    read.add(named(name, a.data, a.dtype, a.stride, n));
  };
  const auto writes = [&](const char* name, const zcmoe_output& a, std::int64_t length) {
    if (a.data != nullptr) written.add(named(name, a.data, a.dtype, a.stride, length));
  };
  check_output("outputs->offsets", wanted.offsets, num_slots + 1, ZCMOE_I64, ZCMOE_I64, "I64");
  writes("outputs->offsets", wanted.offsets, num_slots + 1);
  if (n > 0) {
    check_input("x", x, n);
    reads("x", x);
    check_output("outputs->rows", wanted.rows, n, ZCMOE_I32, ZCMOE_I64, "I32 or I64");
    ZCMOE_EXPECTS(wanted.rows.data == nullptr || wanted.rows.dtype == ZCMOE_I64 ||
                      n <= std::numeric_limits<std::int32_t>::max(),
                  "outputs->rows.dtype is I32, but n=", n, " has row numbers above 2^31 - 1");
    writes("outputs->rows", wanted.rows, n);
    for (std::int64_t c = 0; c < wanted.num_columns; ++c) {
      const zcmoe_group_column& column = wanted.columns[c];
      const char* const from = names[static_cast<std::size_t>(2 * c)].c_str();
      const char* const to = names[static_cast<std::size_t>(2 * c + 1)].c_str();
      ZCMOE_EXPECTS(size_of(column.from.dtype) > 0, from, ".dtype=", column.from.dtype,
                    " is not a ZCMOE_ dtype");
      check_data(from, column.from.data, column.from.dtype, column.from.stride, n);
      ZCMOE_EXPECTS(column.to.data != nullptr, to, ".data is null");
      check_output(to, column.to, n, column.from.dtype, column.from.dtype,
                   "the dtype of its source");
      reads(from, column.from);
      writes(to, column.to, n);
    }
  }
  for (const named_array& a : written) {
    for (const named_array& input : read) {
      ZCMOE_EXPECTS(!overlap(a, input), a.name, " overlaps ", input.name);
    }
    for (const named_array* b = &a + 1; b != written.end(); ++b) {
      ZCMOE_EXPECTS(!overlap(a, *b), a.name, " overlaps ", b->name);
    }
  }
  return wanted;
}

}  // namespace

extern "C" zcmoe_status zcmoe_group(const zcmoe_model* model, zcmoe_array x, int64_t n,
                                    const zcmoe_group_outputs* outputs, void* workspace,
                                    size_t workspace_bytes, zcmoe_stream stream) {
  return guard("zcmoe_group", [&] {
    const zcmoe::detail::model& from = table_of(model);
    check_num_rows(n);
    check_workspace(workspace);
    const auto wanted = read_group(x, n, zcmoe::num_slots_of(from.view().num_segments), outputs);
    group_job job = from.job(x, n, wanted);
    job.workspace = workspace;
    job.workspace_bytes = workspace_bytes;
    from.engine().group(job, stream);
  });
}

extern "C" zcmoe_status zcmoe_group_sync(const zcmoe_model* model, zcmoe_array x, int64_t n,
                                         const zcmoe_group_outputs* outputs, zcmoe_stream stream) {
  return guard("zcmoe_group_sync", [&] {
    const zcmoe::detail::model& from = table_of(model);
    check_num_rows(n);
    const auto wanted = read_group(x, n, zcmoe::num_slots_of(from.view().num_segments), outputs);
    from.engine().group_sync(from.job(x, n, wanted), stream);
  });
}

extern "C" zcmoe_status zcmoe_group_workspace(const zcmoe_model* model, int64_t n, size_t* bytes) {
  return guard("zcmoe_group_workspace", [&] {
    const zcmoe::detail::model& from = table_of(model);
    check_pointer(bytes, "bytes");
    check_num_rows(n);
    *bytes = from.engine().group_workspace(zcmoe::num_slots_of(from.view().num_segments), n);
  });
}
