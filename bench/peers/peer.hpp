// What the compiled peers have in common: one table, two operations. Each source file adds its
// peers under a name; compiled_peers.h is how the driver reaches them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <vector>

namespace zcmoe::bench {

/// m constants between m + 1 edges. Every edge is exact in float32, so that float32 and float64
/// peers route alike.
struct table {
  std::vector<double> edges;
  std::vector<double> constants;
  int threads;

  std::size_t num_segments() const { return constants.size(); }
  /// Edges 1 .. m-1: segment = how many of them are <= x.
  template <class T>
  std::vector<T> cuts() const {
    return {edges.begin() + 1, edges.end() - 1};
  }
  std::vector<float> narrow_constants() const { return {constants.begin(), constants.end()}; }
};

/// A peer does one of the two operations, or both. All rows are finite and inside the range.
class peer {
 public:
  peer() = default;
  peer(const peer&) = delete;
  peer& operator=(const peer&) = delete;
  virtual ~peer() = default;

  virtual void predict(const void* /*x*/, std::int64_t /*n*/, void* /*y*/) { refuse(); }
  /// Adds n rows to the sums of the calls before.
  virtual void fit(const void* /*x*/, const void* /*y*/, std::int64_t /*n*/) { refuse(); }
  /// Writes the counts and means of all rows added, [m] each.
  virtual void moments(double* /*counts*/, double* /*means*/) { refuse(); }

 private:
  [[noreturn]] static void refuse() { throw std::logic_error("the peer does not do this"); }
};

/// Null for a name that the file does not know.
std::unique_ptr<peer> make_thrust_peer(const char* name, const table& shape);

}  // namespace zcmoe::bench
