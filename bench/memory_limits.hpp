// The limits that predict and fit are held against: moving the same bytes and doing nothing with
// them.
#pragma once

#include <cstddef>

namespace zcmoe::bench {

/// Copies, past the caches where the machine can. Both arrays begin at a cache line of 64 bytes.
void streaming_copy(void* to, const void* from, std::size_t bytes, int threads);

/// Reads all bytes of an array that begins at a cache line of 64 bytes. It returns a meaningless
/// sum, which keeps the compiler from leaving the loads out.
long long streaming_read(const void* from, std::size_t bytes, int threads);

/// How streaming_copy stores on this machine, for the reader of the numbers.
const char* store_kind();

}  // namespace zcmoe::bench
