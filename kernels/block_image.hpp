// What an engine keeps in device memory as one block: arrays are copied into an image of it in host
// memory, one after the other, and the image is uploaded. Routing tables (bucket_table.hpp) are
// placed by functions of their own, which also give the pointers into the block.
#pragma once

#include "bucket_table.hpp"

#include <cstddef>
#include <cstring>
#include <type_traits>
#include <vector>

namespace zcmoe::detail {

/// A block of bytes into which arrays are copied one after the other. Each function that adds one
/// returns its byte offset in the block.
class block_image {
 public:
  /// Adds an array at the next multiple of so many bytes.
  template <class Element>
  std::size_t add(const Element* elements, std::size_t count, std::size_t alignment = 256) {
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

}  // namespace zcmoe::detail
