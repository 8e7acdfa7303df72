// The C functions of models: they make them of known constants, save, load and serialise them, and
// tell what they hold.
#include "host/api/arguments.hpp"
#include "host/api/buffer.hpp"
#include "host/api/handles.hpp"
#include "host/api/options.hpp"
#include "host/model/lines.hpp"
#include "host/model/model_io.hpp"
#include "host/segmentation/edges.hpp"

#include <zcmoe/zcmoe.h>

#include <memory>

namespace {

using namespace zcmoe::detail;

/// Hands out what a file holds.
void hand_out_any(any_model made, zcmoe_model** to) {
  if (made.one != nullptr) {
    hand_out(std::move(made.one), to);
  } else {
    hand_out(std::move(made.several), to);
  }
}

}  // namespace

extern "C" zcmoe_status zcmoe_model_create(zcmoe_context* context, const double* edges,
                                           const double* constants, int64_t num_segments,
                                           const zcmoe_model_options* options,
                                           zcmoe_model** model) {
  return guard("zcmoe_model_create", [&] {
    check_handle(context, "context");
    check_pointer(model, "model");
    check_pointer(edges, "edges");
    check_pointer(constants, "constants");
    check_num_segments(num_segments);
    const model_policies policies(
        read_options(options, zcmoe_model_options ZCMOE_MODEL_OPTIONS_INIT, "options"));
    hand_out(std::make_unique<zcmoe::detail::model>(
                 context->engine, model_data_of(edges, constants, num_segments, policies), policies,
                 nullptr),
             model);
  });
}

extern "C" zcmoe_status zcmoe_model_create_lines(zcmoe_context* context, const double* edges,
                                                 const zcmoe_line* lines, int64_t num_segments,
                                                 const zcmoe_model_options* options,
                                                 zcmoe_model** model) {
  return guard("zcmoe_model_create_lines", [&] {
    check_handle(context, "context");
    check_pointer(model, "model");
    check_pointer(edges, "edges");
    check_pointer(lines, "lines");
    check_num_segments(num_segments);
    const model_policies policies(
        read_options(options, zcmoe_model_options ZCMOE_MODEL_OPTIONS_INIT, "options"));
    check_edges(edges, num_segments);
    hand_out(std::make_unique<zcmoe::detail::model>(
                 context->engine, model_data_of(edges, lines, num_segments, policies), policies,
                 nullptr),
             model);
  });
}

extern "C" zcmoe_status zcmoe_model_interpolate(const zcmoe_model* model,
                                                zcmoe_model** interpolating) {
  return guard("zcmoe_model_interpolate", [&] {
    const zcmoe::detail::model& from = table_of(model);
    check_pointer(interpolating, "interpolating");
    hand_out(interpolated(from), interpolating);
  });
}

extern "C" zcmoe_status zcmoe_model_destroy(zcmoe_model* model) {
  return guard("zcmoe_model_destroy", [&] { delete model; });
}

extern "C" zcmoe_status zcmoe_model_save(const zcmoe_model* model, const char* path) {
  return guard("zcmoe_model_save", [&] {
    check_handle(model, "model");
    check_path(path);
    if (model->points != nullptr) {
      save_model(*model->points, path);
    } else {
      save_model(*model->model, path);
    }
  });
}

extern "C" zcmoe_status zcmoe_model_load(zcmoe_context* context, const char* path,
                                         zcmoe_model** model) {
  return guard("zcmoe_model_load", [&] {
    check_handle(context, "context");
    check_path(path);
    check_pointer(model, "model");
    hand_out_any(load_model(context->engine, path), model);
  });
}

extern "C" zcmoe_status zcmoe_model_serialize(const zcmoe_model* model, void* buffer,
                                              size_t capacity, size_t* bytes) {
  return guard("zcmoe_model_serialize", [&] {
    check_handle(model, "model");
    check_pointer(bytes, "bytes");
    give_bytes(
        model->points != nullptr ? serialize_model(*model->points) : serialize_model(*model->model),
        "model", buffer, capacity, bytes);
  });
}

extern "C" zcmoe_status zcmoe_model_deserialize(zcmoe_context* context, const void* buffer,
                                                size_t bytes, zcmoe_model** model) {
  return guard("zcmoe_model_deserialize", [&] {
    check_handle(context, "context");
    check_pointer(buffer, "buffer");
    check_pointer(model, "model");
    hand_out_any(deserialize_model(context->engine, buffer, bytes), model);
  });
}

extern "C" zcmoe_status zcmoe_model_get_info(const zcmoe_model* model, zcmoe_model_info* info) {
  return guard("zcmoe_model_get_info", [&] {
    const zcmoe::detail::model& from = table_of(model);
    zcmoe_model_info found{};
    from.get_info(found);
    write_info(info, found, "info");
  });
}

extern "C" zcmoe_status zcmoe_model_get_view(const zcmoe_model* model, zcmoe_model_view* view) {
  return guard("zcmoe_model_get_view",
               [&] { write_info<zcmoe_model_view>(view, table_of(model).view(), "view"); });
}
