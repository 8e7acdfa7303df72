// Uploads routing tables (cuda_router.hpp): tables in host memory -> one block of bytes with all
// their arrays -> device memory -> pointers into that.
#include "cuda_router.hpp"

#include <cstring>

namespace zcmoe::detail {
namespace {

/// A block of bytes into which arrays are copied one after the other. Each function that adds one
/// returns its byte offset in the block.
class block_image {
 public:
  /// Adds an array at the next multiple of 256 bytes.
  template <class Element>
  std::size_t add(const Element* elements, std::size_t count) {
    constexpr std::size_t alignment = 256;
    const std::size_t at = (bytes_.size() + alignment - 1) / alignment * alignment;
    bytes_.resize(at + count * sizeof(Element));
    if (count > 0) std::memcpy(bytes_.data() + at, elements, count * sizeof(Element));
    return at;
  }
  /// Adds an array right behind the last one.
  template <class Element>
  std::size_t append(const Element* elements, std::size_t count) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + count * sizeof(Element));
    if (count > 0) std::memcpy(bytes_.data() + at, elements, count * sizeof(Element));
    return at;
  }
  /// Pads the block to whole words of 16 bytes, in which kernels copy the image.
  void pad() { bytes_.resize((bytes_.size() + 15) / 16 * 16); }
  const std::vector<unsigned char>& bytes() const { return bytes_; }

 private:
  std::vector<unsigned char> bytes_;
};

/// Byte offsets of a table's arrays in the block.
struct table_places {
  std::size_t lines, words, cells, thresholds, slots;
};

/// Copies a table's arrays into the block. Lines, words and padding are the table's image.
template <class T>
table_places place(block_image& image, const bucket_table<T>& table) {
  table_places at;
  at.lines = image.add(&table.lines, 1);
  at.words = image.append(table.words.data(), table.words.size());
  image.pad();
  at.cells = image.add(table.cells.data(), table.cells.size());
  at.thresholds = image.add(table.thresholds.data(), table.thresholds.size());
  at.slots = image.add(table.slots.data(), table.slots.size());
  return at;
}

/// The view of a table whose arrays lie in device memory at `block`.
template <class T>
bucket_table_view<T> view_of(const bucket_table<T>& table, const table_places& at, void* block) {
  const auto pointer = [&](const auto& elements, std::size_t offset) {
    using element = typename std::remove_reference_t<decltype(elements)>::value_type;
    return elements.empty() ? nullptr
                            : reinterpret_cast<const element*>(static_cast<char*>(block) + offset);
  };
  bucket_table_view<T> view{};
  view.map = table.map;
  view.lines = reinterpret_cast<const piece_lines<T>*>(static_cast<char*>(block) + at.lines);
  view.words = pointer(table.words, at.words);
  view.cells = pointer(table.cells, at.cells);
  view.thresholds = pointer(table.thresholds, at.thresholds);
  view.slots = pointer(table.slots, at.slots);
  view.range_begin = table.range_begin;
  view.range_end = table.range_end;
  return view;
}

}  // namespace

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
