// A column of rows that are chosen from blocks, in the type that it comes in.
#pragma once

#include "dtype.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace zcmoe::cli {

class kept_column {
 public:
  /// Adds rows of a block. All blocks of a column have one type.
  void add(const zcmoe_array& from, const std::vector<std::int64_t>& chosen) {
    dtype_ = from.dtype;
    switch (element_size(from.dtype)) {
      case 1: copy<std::uint8_t>(from, chosen); break;
      case 2: copy<std::uint16_t>(from, chosen); break;
      case 4: copy<std::uint32_t>(from, chosen); break;
      default: copy<std::uint64_t>(from, chosen);
    }
  }

  /// Forgets all rows; the memory stays for others.
  void clear() { size_ = 0; }

  zcmoe_array view() const { return {words_.data(), dtype_, 1}; }

 private:
  template <class T>
  void copy(const zcmoe_array& from, const std::vector<std::int64_t>& chosen) {
    words_.resize(((size_ + chosen.size()) * sizeof(T) + sizeof(double) - 1) / sizeof(double));
    auto* to = reinterpret_cast<unsigned char*>(words_.data()) + size_ * sizeof(T);
    const T* const data = static_cast<const T*>(from.data);
    for (const std::int64_t row : chosen) {
      std::memcpy(to, data + row * from.stride, sizeof(T));
      to += sizeof(T);
    }
    size_ += chosen.size();
  }

  zcmoe_dtype dtype_ = ZCMOE_F64;
  std::size_t size_ = 0;
  std::vector<double> words_;  // aligned for every type
};

}  // namespace zcmoe::cli
