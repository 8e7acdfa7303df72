// Uploads routing tables (cuda_router.hpp): tables in host memory -> one block of bytes with all
// their arrays -> device memory -> pointers into that.
#include "cuda_router.hpp"

#include "block_image.hpp"

namespace zcmoe::detail {

cuda_router::cuda_router(backend& engine, const model_view& table, const slot_constants& constants,
                         std::size_t shared_bytes, zcmoe_stream stream)
    : router(roles_of(table)), engine_(engine) {
  const bucket_table<float> narrow = build_bucket_table(table, constants.f32, shared_bytes);
  const bucket_table<double> wide = build_bucket_table(table, constants.f64, shared_bytes);
  block_image image;
  const table_places narrow_at = place(image, narrow);
  const table_places wide_at = place(image, wide);
  bytes_ = image.bytes().size();
  data_ = engine.allocate_zeroed(bytes_, stream);
  try {
    engine.upload(data_, image.bytes().data(), bytes_, stream);
  } catch (...) {
    engine.deallocate(data_, bytes_, stream);
    throw;
  }
  narrow_ = view_of(narrow, narrow_at, data_);
  wide_ = view_of(wide, wide_at, data_);
}

cuda_router::~cuda_router() { engine_.deallocate(data_, bytes_, nullptr); }

}  // namespace zcmoe::detail
