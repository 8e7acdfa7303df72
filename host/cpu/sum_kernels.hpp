// The CPU engine's loops that add targets to the sums of their slots, one set an instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

namespace zcmoe::detail {

template <class T>
struct target_window;
template <class T>
struct anchored_sums;
template <class T>
struct plain_rows;
template <class T>
struct weighted_rows;

/// Rows to add, of slots that the caller has found; Rows: plain_rows (anchored_sums.hpp) or
/// weighted_rows (weighted_sums.hpp).
template <class Rows>
struct window_rows {
  const typename Rows::number* targets;
  const typename Rows::number* weights;  // null for plain_rows; 0 only where the slot is ignored
  const std::uint32_t* slots;
  std::size_t n;
  const typename Rows::window& window;
  std::uint32_t ignored_slot;
  std::uint32_t num_segments;
  typename Rows::sums* sums;
  int copies_shift;  // row k is added to copy k % 2^copies_shift
};
constexpr std::size_t max_run_rows = 512;

struct line_words;
struct line_frame;

/// Rows whose positions are to be added: all targets are in the window, but those of ignored slots.
template <class T>
struct position_rows {
  const T* targets;
  const double* inputs;
  const line_frame* frames;  // by slot, of ignored_slot too
  const std::uint32_t* slots;
  std::size_t n;
  const target_window<T>& window;
  std::uint32_t ignored_slot;
  line_words* words;
  int copies_shift;  // as in window_rows
};

struct sum_kernels {
  /// Adds rows to their slots, but those that the window does not hold, whose numbers it writes to
  /// misfits[n] if their slot is not ignored_slot. Returns how many.
  std::size_t (*add_f32)(const window_rows<plain_rows<float>>& rows, std::uint32_t* misfits);
  std::size_t (*add_f64)(const window_rows<plain_rows<double>>& rows, std::uint32_t* misfits);
  /// The same of rows with weights; null where there are no vectors that multiply and add at once.
  std::size_t (*add_weighted_f32)(const window_rows<weighted_rows<float>>& rows,
                                  std::uint32_t* misfits);
  std::size_t (*add_weighted_f64)(const window_rows<weighted_rows<double>>& rows,
                                  std::uint32_t* misfits);
  /// Adds n <= max_run_rows targets to sums, or none of them and returns false if the window may
  /// not hold one.
  bool (*add_run_f32)(const float* y, std::size_t n, const target_window<float>& window,
                      anchored_sums<float>& sums);
  bool (*add_run_f64)(const double* y, std::size_t n, const target_window<double>& window,
                      anchored_sums<double>& sums);
  /// Adds rows to the words of their slots (line_words.hpp); null as add_weighted_f32 is.
  void (*add_positions_f32)(const position_rows<float>& rows);
  void (*add_positions_f64)(const position_rows<double>& rows);
};

/// Those of a Highway target that this build has.
template <std::int64_t Target>
const sum_kernels& sum_kernels_of();

}  // namespace zcmoe::detail
