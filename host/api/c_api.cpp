// The C interface but for segmentation: each function checks its arguments and makes one call into
// the library.
#include "host/array.hpp"
#include "host/engine/backend.hpp"
#include "host/api/handles.hpp"
#include "host/model/model_io.hpp"
#include "host/api/options.hpp"
#include "host/segmentation/edges.hpp"

#include <zcmoe/zcmoe.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <string>

namespace detail = zcmoe::detail;

namespace {

using detail::fail;
using detail::guard;
using detail::read_options;
using detail::write_info;

/// Bytes that n elements span, as [first, last) relative to data; refuses what does not fit the
/// address space.
struct byte_span {
  std::uintptr_t first;
  std::uintptr_t last;
};

byte_span span_of(const char* name, const void* data, zcmoe_dtype dtype, std::int64_t stride,
                  std::int64_t n) {
  const std::int64_t size = detail::size_of(dtype);
  constexpr std::int64_t limit = std::numeric_limits<std::int64_t>::max() / 2;
  ZCMOE_EXPECTS(stride >= -limit / size && stride <= limit / size, name, ".stride=", stride,
                " spans more than ", limit, " bytes");
  const std::int64_t distance = stride < 0 ? -stride : stride;
  ZCMOE_EXPECTS(n <= 1 || distance <= limit / size / (n - 1), name, ".stride=", stride,
                " with n=", n, " spans more than ", limit, " bytes");
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  const auto reach = static_cast<std::uintptr_t>((n - 1) * distance * size);
  return stride < 0 ? byte_span{address - reach, address + static_cast<std::uintptr_t>(size)}
                    : byte_span{address, address + reach + static_cast<std::uintptr_t>(size)};
}

void check_data(const char* name, const void* data, zcmoe_dtype dtype, std::int64_t stride,
                std::int64_t n) {
  const auto size = static_cast<std::uintptr_t>(detail::size_of(dtype));
  ZCMOE_EXPECTS(data != nullptr, name, ".data is null");
  ZCMOE_EXPECTS(reinterpret_cast<std::uintptr_t>(data) % size == 0, name, ".data=", data,
                " is not aligned to ", size, " bytes");
  span_of(name, data, dtype, stride, n);
}

void check_rows(std::int64_t n) {
  ZCMOE_EXPECTS(n >= 0, "n=", n, " is negative");
  ZCMOE_EXPECTS(n <= std::numeric_limits<std::int64_t>::max() / 64, "n=", n, " is more than 2^57");
}

void check_input(const char* name, const zcmoe_array& array, std::int64_t n) {
  ZCMOE_EXPECTS(array.dtype >= ZCMOE_F32 && array.dtype <= ZCMOE_U32, name, ".dtype=", array.dtype,
                " is not a type of inputs");
  check_data(name, array.data, array.dtype, array.stride, n);
}

/// Targets and weights: floats that the fit's target type holds exactly.
void check_target(const char* name, const zcmoe_array& array, std::int64_t n,
                  zcmoe_dtype target_dtype) {
  ZCMOE_EXPECTS(array.dtype == ZCMOE_F32 || array.dtype == ZCMOE_F64 || array.dtype == ZCMOE_F16 ||
                    array.dtype == ZCMOE_BF16,
                name, ".dtype=", array.dtype, " is not a float type");
  ZCMOE_EXPECTS(target_dtype == ZCMOE_F64 || array.dtype != ZCMOE_F64, name,
                ".dtype is F64, but the fit's target_dtype is F32");
  check_data(name, array.data, array.dtype, array.stride, n);
}

struct checked_output {
  const char* name;
  const zcmoe_output* output;
};

void check_output(const checked_output& checked, std::int64_t n, zcmoe_dtype first,
                  zcmoe_dtype second, const char* allowed) {
  const zcmoe_output& output = *checked.output;
  if (output.data == nullptr) return;
  ZCMOE_EXPECTS(output.dtype == first || output.dtype == second, checked.name,
                ".dtype=", output.dtype, " is not ", allowed);
  ZCMOE_EXPECTS(output.stride != 0 || n <= 1, checked.name, ".stride=0 with n=", n,
                ": every element would be the same");
  check_data(checked.name, output.data, output.dtype, output.stride, n);
}

/// One array of a call: its name, bytes and steps.
struct named_array {
  const char* name;
  byte_span span;
  std::int64_t step;  // bytes from one element to the next; 0 for a single element
  std::int64_t size;
};

named_array named(const char* name, const void* data, zcmoe_dtype dtype, std::int64_t stride,
                  std::int64_t n) {
  const std::int64_t size = detail::size_of(dtype);
  return {name, span_of(name, data, dtype, stride, n), n <= 1 ? 0 : stride * size, size};
}

/// Whether two strided arrays share a byte. Columns of one table, equal strides and different
/// offsets, do not.
bool overlap(const named_array& a, const named_array& b) {
  if (a.span.last <= b.span.first || b.span.last <= a.span.first) return false;
  if (a.step == 0 || std::abs(a.step) != std::abs(b.step)) return true;
  const auto step = static_cast<std::uintptr_t>(std::abs(a.step));
  const std::uintptr_t distance = a.span.first <= b.span.first
                                      ? (b.span.first - a.span.first) % step
                                      : (step - (a.span.first - b.span.first) % step) % step;
  const bool apart = distance >= static_cast<std::uintptr_t>(a.size) &&
                     distance + static_cast<std::uintptr_t>(b.size) <= step;
  return !apart;
}

void check_predict(const zcmoe_array& x, std::int64_t n, const zcmoe_predict_outputs& outputs) {
  check_input("x", x, n);
  const checked_output all[] = {{"outputs->values", &outputs.values},
                                {"outputs->segments", &outputs.segments},
                                {"outputs->standard_errors", &outputs.standard_errors},
                                {"outputs->variances", &outputs.variances},
                                {"outputs->counts", &outputs.counts}};
  check_output(all[0], n, ZCMOE_F32, ZCMOE_F64, "F32 or F64");
  check_output(all[1], n, ZCMOE_I32, ZCMOE_I64, "I32 or I64");
  check_output(all[2], n, ZCMOE_F32, ZCMOE_F64, "F32 or F64");
  check_output(all[3], n, ZCMOE_F32, ZCMOE_F64, "F32 or F64");
  check_output(all[4], n, ZCMOE_I64, ZCMOE_I64, "I64");
  ZCMOE_EXPECTS(reinterpret_cast<std::uintptr_t>(outputs.report) % alignof(zcmoe_report) == 0,
                "outputs->report is not aligned to ", alignof(zcmoe_report), " bytes");

  const named_array input = named("x", x.data, x.dtype, x.stride, n);
  std::vector<named_array> written;
  if (outputs.report != nullptr) {
    const auto address = reinterpret_cast<std::uintptr_t>(outputs.report);
    written.push_back({"outputs->report", {address, address + sizeof(zcmoe_report)}, 0, 0});
  }
  for (const checked_output& checked : all) {
    const zcmoe_output& output = *checked.output;
    if (output.data == nullptr) continue;
    written.push_back(named(checked.name, output.data, output.dtype, output.stride, n));
  }
  for (std::size_t i = 0; i < written.size(); ++i) {
    const named_array& a = written[i];
    const bool in_place = a.span.first == input.span.first && a.size == input.size &&
                          a.step == input.step && a.span.last == input.span.last;
    ZCMOE_EXPECTS(in_place || !overlap(a, input), a.name,
                  " overlaps x: only the same data, element size and stride may be shared");
    for (std::size_t k = i + 1; k < written.size(); ++k) {
      ZCMOE_EXPECTS(!overlap(a, written[k]), a.name, " overlaps ", written[k].name);
    }
  }
}

zcmoe_predict_outputs read_outputs(const zcmoe_predict_outputs* outputs) {
  ZCMOE_EXPECTS(outputs != nullptr, "outputs is null");
  return read_options(outputs, zcmoe_predict_outputs ZCMOE_PREDICT_OUTPUTS_INIT, "outputs");
}

/// Reads and checks what a grouping writes; no array may be shared, since rows move.
zcmoe_group_outputs read_group(const zcmoe_array& x, std::int64_t n, std::int64_t num_slots,
                               const zcmoe_group_outputs* outputs) {
  ZCMOE_EXPECTS(outputs != nullptr, "outputs is null");
  const auto wanted =
      read_options(outputs, zcmoe_group_outputs ZCMOE_GROUP_OUTPUTS_INIT, "outputs");
  ZCMOE_EXPECTS(wanted.num_columns >= 0 && wanted.num_columns <= ZCMOE_GROUP_MAX_COLUMNS,
                "outputs->num_columns=", wanted.num_columns, " is not in 0..",
                ZCMOE_GROUP_MAX_COLUMNS);
  ZCMOE_EXPECTS(wanted.num_columns == 0 || wanted.columns != nullptr, "outputs->columns is null");
  std::vector<std::string> names{"x", "outputs->offsets", "outputs->rows"};
  for (std::int64_t c = 0; c < wanted.num_columns; ++c) {
    names.push_back(detail::text("outputs->columns[", c, "].from"));
    names.push_back(detail::text("outputs->columns[", c, "].to"));
  }
  std::vector<named_array> read;
  std::vector<named_array> written;
  const auto reads = [&](const char* name, const zcmoe_array& a) {
    read.push_back(named(name, a.data, a.dtype, a.stride, n));
  };
  const auto writes = [&](const char* name, const zcmoe_output& a, std::int64_t length) {
    if (a.data != nullptr) written.push_back(named(name, a.data, a.dtype, a.stride, length));
  };
  check_output({names[1].c_str(), &wanted.offsets}, num_slots + 1, ZCMOE_I64, ZCMOE_I64, "I64");
  writes(names[1].c_str(), wanted.offsets, num_slots + 1);
  if (n > 0) {
    check_input("x", x, n);
    reads("x", x);
    check_output({names[2].c_str(), &wanted.rows}, n, ZCMOE_I32, ZCMOE_I64, "I32 or I64");
    ZCMOE_EXPECTS(wanted.rows.data == nullptr || wanted.rows.dtype == ZCMOE_I64 ||
                      n <= std::numeric_limits<std::int32_t>::max(),
                  "outputs->rows.dtype is I32, but n=", n, " has row numbers above 2^31 - 1");
    writes(names[2].c_str(), wanted.rows, n);
    for (std::int64_t c = 0; c < wanted.num_columns; ++c) {
      const zcmoe_group_column& column = wanted.columns[c];
      const char* const from = names[static_cast<std::size_t>(3 + 2 * c)].c_str();
      const char* const to = names[static_cast<std::size_t>(4 + 2 * c)].c_str();
      ZCMOE_EXPECTS(column.from.dtype >= ZCMOE_F32 && column.from.dtype <= ZCMOE_I64, from,
                    ".dtype=", column.from.dtype, " is not a ZCMOE_ dtype");
      check_data(from, column.from.data, column.from.dtype, column.from.stride, n);
      ZCMOE_EXPECTS(column.to.data != nullptr, to, ".data is null");
      check_output({to, &column.to}, n, column.from.dtype, column.from.dtype,
                   "the dtype of its source");
      reads(from, column.from);
      writes(to, column.to, n);
    }
  }
  for (std::size_t i = 0; i < written.size(); ++i) {
    for (const named_array& input : read) {
      ZCMOE_EXPECTS(!overlap(written[i], input), written[i].name, " overlaps ", input.name);
    }
    for (std::size_t k = i + 1; k < written.size(); ++k) {
      ZCMOE_EXPECTS(!overlap(written[i], written[k]), written[i].name, " overlaps ",
                    written[k].name);
    }
  }
  return wanted;
}

void check_workspace(const void* workspace) {
  ZCMOE_EXPECTS(reinterpret_cast<std::uintptr_t>(workspace) % 256 == 0, "workspace=", workspace,
                " is not aligned to 256 bytes");
}

void check_add(const detail::fit& fit, const zcmoe_array& x, const zcmoe_array& y,
               const zcmoe_array& weights, std::int64_t n) {
  const zcmoe_dtype target_dtype = fit.layout().target_dtype;
  check_input("x", x, n);
  check_target("y", y, n, target_dtype);
  if (fit.layout().weighted) {
    check_target("weights", weights, n, target_dtype);
  } else {
    ZCMOE_EXPECTS(weights.data == nullptr,
                  "weights.data is given, but the fit was created with weighted = 0");
  }
}

std::shared_ptr<detail::backend> make_engine(const zcmoe_context_options& options) {
  if (options.engine == ZCMOE_ENGINE_CPU) return detail::make_cpu_backend(options);
  if (options.engine == ZCMOE_ENGINE_CUDA) return detail::make_cuda_backend(options);
  try {
    return detail::make_cuda_backend(options);
  } catch (const detail::status_error& error) {
    if (error.status() != ZCMOE_ERR_NO_DEVICE) throw;
  }
  return detail::make_cpu_backend(options);
}

}  // namespace

// -------------------------------------------------------------------- text

extern "C" const char* zcmoe_version(void) {
#define ZCMOE_TEXT_OF(x) #x
#define ZCMOE_VERSION_TEXT(a, b, c) ZCMOE_TEXT_OF(a) "." ZCMOE_TEXT_OF(b) "." ZCMOE_TEXT_OF(c)
  return ZCMOE_VERSION_TEXT(ZCMOE_VERSION_MAJOR, ZCMOE_VERSION_MINOR, ZCMOE_VERSION_PATCH);
}

extern "C" const char* zcmoe_build_info(void) {
  try {
    static const std::string info = std::string("zcmoe ") + zcmoe_version() + "; compiler " +
                                    ZCMOE_BUILD_COMPILER + "; flags " + ZCMOE_BUILD_FLAGS +
                                    "; " + detail::cuda_build_info();
    return info.c_str();
  } catch (...) {
    return "zcmoe";  // not even memory for the text
  }
}

extern "C" const char* zcmoe_status_string(zcmoe_status status) {
  switch (status) {
    case ZCMOE_OK: return "ZCMOE_OK";
    case ZCMOE_ERR_INVALID_ARGUMENT: return "ZCMOE_ERR_INVALID_ARGUMENT";
    case ZCMOE_ERR_OUT_OF_MEMORY: return "ZCMOE_ERR_OUT_OF_MEMORY";
    case ZCMOE_ERR_NO_DEVICE: return "ZCMOE_ERR_NO_DEVICE";
    case ZCMOE_ERR_DEVICE: return "ZCMOE_ERR_DEVICE";
    case ZCMOE_ERR_IO: return "ZCMOE_ERR_IO";
    case ZCMOE_ERR_FORMAT: return "ZCMOE_ERR_FORMAT";
    case ZCMOE_ERR_VERSION: return "ZCMOE_ERR_VERSION";
    case ZCMOE_ERR_CHECKSUM: return "ZCMOE_ERR_CHECKSUM";
    case ZCMOE_ERR_DATA: return "ZCMOE_ERR_DATA";
    case ZCMOE_ERR_INCOMPATIBLE: return "ZCMOE_ERR_INCOMPATIBLE";
    case ZCMOE_ERR_NUMERIC: return "ZCMOE_ERR_NUMERIC";
    case ZCMOE_ERR_WORKSPACE: return "ZCMOE_ERR_WORKSPACE";
    case ZCMOE_ERR_INTERNAL: return "ZCMOE_ERR_INTERNAL";
    default: return "unknown status";
  }
}

extern "C" const char* zcmoe_last_error(void) { return detail::last_error(); }

// ----------------------------------------------------------------- context

extern "C" zcmoe_status zcmoe_context_create(const zcmoe_context_options* options,
                                             zcmoe_context** context) {
  return guard("zcmoe_context_create", [&] {
    ZCMOE_EXPECTS(context != nullptr, "context is null");
    const auto given =
        read_options(options, zcmoe_context_options ZCMOE_CONTEXT_OPTIONS_INIT, "options");
    ZCMOE_EXPECTS(given.engine >= ZCMOE_ENGINE_AUTO && given.engine <= ZCMOE_ENGINE_CUDA,
                  "options->engine=", given.engine, " is not a ZCMOE_ENGINE_ value");
    ZCMOE_EXPECTS(given.device >= 0, "options->device=", given.device, " is negative");
    ZCMOE_EXPECTS(given.num_threads >= 0 && given.num_threads <= 4096,
                  "options->num_threads=", given.num_threads, " is not in 0..4096");
    ZCMOE_EXPECTS(given.reserved == 0, "options->reserved=", given.reserved, " is not 0");
    ZCMOE_EXPECTS((given.alloc == nullptr) == (given.free == nullptr),
                  "options->alloc and options->free must both be given or both be null");
    ZCMOE_EXPECTS(given.pool_release_threshold >= 0,
                  "options->pool_release_threshold=", given.pool_release_threshold, " is negative");
    *context = new zcmoe_context{make_engine(given)};
  });
}

extern "C" zcmoe_status zcmoe_context_destroy(zcmoe_context* context) {
  return guard("zcmoe_context_destroy", [&] { delete context; });
}

extern "C" zcmoe_status zcmoe_context_get_info(const zcmoe_context* context,
                                               zcmoe_context_info* info) {
  return guard("zcmoe_context_get_info", [&] {
    ZCMOE_EXPECTS(context != nullptr, "context is null");
    zcmoe_context_info found = ZCMOE_CONTEXT_INFO_INIT;
    context->engine->describe(found);
    write_info(info, found, "info");
  });
}

// ------------------------------------------------------------------- model

extern "C" zcmoe_status zcmoe_model_create(zcmoe_context* context, const double* edges,
                                           const double* constants, int64_t num_segments,
                                           const zcmoe_model_options* options,
                                           zcmoe_model** model) {
  return guard("zcmoe_model_create", [&] {
    ZCMOE_EXPECTS(context != nullptr, "context is null");
    ZCMOE_EXPECTS(model != nullptr, "model is null");
    ZCMOE_EXPECTS(edges != nullptr, "edges is null");
    ZCMOE_EXPECTS(constants != nullptr, "constants is null");
    ZCMOE_EXPECTS(num_segments >= 1 && num_segments <= ZCMOE_MAX_SEGMENTS,
                  "num_segments=", num_segments, " is not in 1..", ZCMOE_MAX_SEGMENTS);
    const detail::model_policies policies(
        read_options(options, zcmoe_model_options ZCMOE_MODEL_OPTIONS_INIT, "options"));
    auto made = std::make_unique<zcmoe_model>();
    made->model = std::make_unique<detail::model>(
        context->engine, detail::model_data_of(edges, constants, num_segments, policies), policies,
        nullptr);
    *model = made.release();
  });
}

extern "C" zcmoe_status zcmoe_model_destroy(zcmoe_model* model) {
  return guard("zcmoe_model_destroy", [&] { delete model; });
}

extern "C" zcmoe_status zcmoe_model_save(const zcmoe_model* model, const char* path) {
  return guard("zcmoe_model_save", [&] {
    ZCMOE_EXPECTS(model != nullptr, "model is null");
    ZCMOE_EXPECTS(path != nullptr && *path != '\0', "path is null or empty");
    detail::save_model(*model->model, path);
  });
}

extern "C" zcmoe_status zcmoe_model_load(zcmoe_context* context, const char* path,
                                         zcmoe_model** model) {
  return guard("zcmoe_model_load", [&] {
    ZCMOE_EXPECTS(context != nullptr, "context is null");
    ZCMOE_EXPECTS(path != nullptr && *path != '\0', "path is null or empty");
    ZCMOE_EXPECTS(model != nullptr, "model is null");
    auto made = std::make_unique<zcmoe_model>();
    made->model = detail::load_model(context->engine, path);
    *model = made.release();
  });
}

extern "C" zcmoe_status zcmoe_model_get_info(const zcmoe_model* model, zcmoe_model_info* info) {
  return guard("zcmoe_model_get_info", [&] {
    ZCMOE_EXPECTS(model != nullptr, "model is null");
    zcmoe_model_info found{};
    model->model->get_info(found);
    write_info(info, found, "info");
  });
}

extern "C" zcmoe_status zcmoe_model_get_view(const zcmoe_model* model, zcmoe_model_view* view) {
  return guard("zcmoe_model_get_view", [&] {
    ZCMOE_EXPECTS(model != nullptr, "model is null");
    ZCMOE_EXPECTS(view != nullptr, "view is null");
    *view = model->model->view();
  });
}

// ----------------------------------------------------------------- predict

extern "C" zcmoe_status zcmoe_predict(const zcmoe_model* model, zcmoe_array x, int64_t n,
                                      const zcmoe_predict_outputs* outputs, zcmoe_stream stream) {
  return guard("zcmoe_predict", [&] {
    ZCMOE_EXPECTS(model != nullptr, "model is null");
    check_rows(n);
    const auto wanted = read_outputs(outputs);
    if (n == 0) return;
    check_predict(x, n, wanted);
    model->model->engine().predict(model->model->job(x, n, wanted), stream);
  });
}

extern "C" zcmoe_status zcmoe_predict_sync(const zcmoe_model* model, zcmoe_array x, int64_t n,
                                           const zcmoe_predict_outputs* outputs,
                                           zcmoe_stream stream) {
  return guard("zcmoe_predict_sync", [&] {
    ZCMOE_EXPECTS(model != nullptr, "model is null");
    check_rows(n);
    const auto wanted = read_outputs(outputs);
    if (n == 0) return;
    check_predict(x, n, wanted);
    model->model->engine().predict_sync(model->model->job(x, n, wanted), stream);
  });
}

// ------------------------------------------------------------------- group

extern "C" zcmoe_status zcmoe_group(const zcmoe_model* model, zcmoe_array x, int64_t n,
                                    const zcmoe_group_outputs* outputs, void* workspace,
                                    size_t workspace_bytes, zcmoe_stream stream) {
  return guard("zcmoe_group", [&] {
    ZCMOE_EXPECTS(model != nullptr, "model is null");
    check_rows(n);
    check_workspace(workspace);
    const detail::model& from = *model->model;
    const auto wanted = read_group(x, n, from.view().num_segments + 3, outputs);
    detail::group_job job = from.job(x, n, wanted);
    job.workspace = workspace;
    job.workspace_bytes = workspace_bytes;
    from.engine().group(job, stream);
  });
}

extern "C" zcmoe_status zcmoe_group_sync(const zcmoe_model* model, zcmoe_array x, int64_t n,
                                         const zcmoe_group_outputs* outputs, zcmoe_stream stream) {
  return guard("zcmoe_group_sync", [&] {
    ZCMOE_EXPECTS(model != nullptr, "model is null");
    check_rows(n);
    const detail::model& from = *model->model;
    const auto wanted = read_group(x, n, from.view().num_segments + 3, outputs);
    from.engine().group_sync(from.job(x, n, wanted), stream);
  });
}

extern "C" zcmoe_status zcmoe_group_workspace(const zcmoe_model* model, int64_t n, size_t* bytes) {
  return guard("zcmoe_group_workspace", [&] {
    ZCMOE_EXPECTS(model != nullptr, "model is null");
    ZCMOE_EXPECTS(bytes != nullptr, "bytes is null");
    check_rows(n);
    *bytes = model->model->engine().group_workspace(model->model->view().num_segments + 3, n);
  });
}

// --------------------------------------------------------------------- fit

extern "C" zcmoe_status zcmoe_fit_create(zcmoe_context* context, const double* edges,
                                         int64_t num_segments,
                                         const zcmoe_model_options* model_options,
                                         const zcmoe_fit_options* fit_options, zcmoe_fit** fit) {
  return guard("zcmoe_fit_create", [&] {
    ZCMOE_EXPECTS(context != nullptr, "context is null");
    ZCMOE_EXPECTS(fit != nullptr, "fit is null");
    ZCMOE_EXPECTS(edges != nullptr, "edges is null");
    ZCMOE_EXPECTS(num_segments >= 1 && num_segments <= ZCMOE_MAX_SEGMENTS,
                  "num_segments=", num_segments, " is not in 1..", ZCMOE_MAX_SEGMENTS);
    detail::model_policies policies(
        read_options(model_options, zcmoe_model_options ZCMOE_MODEL_OPTIONS_INIT, "model_options"));
    const auto options =
        read_options(fit_options, zcmoe_fit_options ZCMOE_FIT_OPTIONS_INIT, "fit_options");
    auto made = std::make_unique<zcmoe_fit>();
    made->fit = std::make_unique<detail::fit>(context->engine,
                                              std::vector<double>(edges, edges + num_segments + 1),
                                              std::move(policies), options);
    *fit = made.release();
  });
}

extern "C" zcmoe_status zcmoe_fit_destroy(zcmoe_fit* fit) {
  return guard("zcmoe_fit_destroy", [&] { delete fit; });
}

extern "C" zcmoe_status zcmoe_fit_workspace(const zcmoe_fit* fit, int64_t n, size_t* bytes) {
  return guard("zcmoe_fit_workspace", [&] {
    ZCMOE_EXPECTS(fit != nullptr, "fit is null");
    ZCMOE_EXPECTS(bytes != nullptr, "bytes is null");
    check_rows(n);
    *bytes = fit->fit->engine().fit_workspace(fit->fit->layout(), n);
  });
}

extern "C" zcmoe_status zcmoe_fit_add(zcmoe_fit* fit, zcmoe_array x, zcmoe_array y,
                                      zcmoe_array weights, int64_t n, void* workspace,
                                      size_t workspace_bytes, zcmoe_stream stream) {
  return guard("zcmoe_fit_add", [&] {
    ZCMOE_EXPECTS(fit != nullptr, "fit is null");
    check_rows(n);
    check_workspace(workspace);
    if (n == 0) return;
    check_add(*fit->fit, x, y, weights, n);
    detail::fit_job job = fit->fit->job(x, y, weights, n);
    job.workspace = workspace;
    job.workspace_bytes = workspace_bytes;
    fit->fit->engine().accumulate(job, stream);
  });
}

extern "C" zcmoe_status zcmoe_fit_add_sync(zcmoe_fit* fit, zcmoe_array x, zcmoe_array y,
                                           zcmoe_array weights, int64_t n, zcmoe_stream stream) {
  return guard("zcmoe_fit_add_sync", [&] {
    ZCMOE_EXPECTS(fit != nullptr, "fit is null");
    check_rows(n);
    if (n == 0) return;
    check_add(*fit->fit, x, y, weights, n);
    fit->fit->engine().accumulate_sync(fit->fit->job(x, y, weights, n), stream);
  });
}

extern "C" zcmoe_status zcmoe_fit_merge(zcmoe_fit* fit, const zcmoe_fit* source,
                                        zcmoe_stream stream) {
  return guard("zcmoe_fit_merge", [&] {
    ZCMOE_EXPECTS(fit != nullptr, "fit is null");
    ZCMOE_EXPECTS(source != nullptr, "source is null");
    fit->fit->merge(*source->fit, stream);
  });
}

extern "C" zcmoe_status zcmoe_fit_get_report(const zcmoe_fit* fit, zcmoe_report* report,
                                             zcmoe_stream stream) {
  return guard("zcmoe_fit_get_report", [&] {
    ZCMOE_EXPECTS(fit != nullptr, "fit is null");
    ZCMOE_EXPECTS(report != nullptr, "report is null");
    *report = fit->fit->report(stream);
  });
}

extern "C" zcmoe_status zcmoe_fit_finish(const zcmoe_fit* fit, zcmoe_model** model,
                                         zcmoe_stream stream) {
  return guard("zcmoe_fit_finish", [&] {
    ZCMOE_EXPECTS(fit != nullptr, "fit is null");
    ZCMOE_EXPECTS(model != nullptr, "model is null");
    auto made = std::make_unique<zcmoe_model>();
    made->model = fit->fit->finish(stream);
    *model = made.release();
  });
}

extern "C" zcmoe_status zcmoe_fit_serialize(const zcmoe_fit* fit, void* buffer, size_t capacity,
                                            size_t* bytes, zcmoe_stream stream) {
  return guard("zcmoe_fit_serialize", [&] {
    ZCMOE_EXPECTS(fit != nullptr, "fit is null");
    ZCMOE_EXPECTS(bytes != nullptr, "bytes is null");
    const std::vector<std::uint8_t> state = detail::serialize_fit(*fit->fit, stream);
    *bytes = state.size();
    if (buffer == nullptr) return;
    if (capacity < state.size()) {
      fail(ZCMOE_ERR_WORKSPACE, "capacity=", capacity, " is less than the ", state.size(),
           " bytes of the state");
    }
    std::memcpy(buffer, state.data(), state.size());
  });
}

extern "C" zcmoe_status zcmoe_fit_deserialize(zcmoe_context* context, const void* buffer,
                                              size_t bytes, zcmoe_fit** fit) {
  return guard("zcmoe_fit_deserialize", [&] {
    ZCMOE_EXPECTS(context != nullptr, "context is null");
    ZCMOE_EXPECTS(buffer != nullptr, "buffer is null");
    ZCMOE_EXPECTS(fit != nullptr, "fit is null");
    auto made = std::make_unique<zcmoe_fit>();
    made->fit = detail::deserialize_fit(context->engine, buffer, bytes);
    *fit = made.release();
  });
}
