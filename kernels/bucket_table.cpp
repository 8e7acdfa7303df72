// Builds the CUDA engine's routing table (bucket_table.hpp has its layout and its source): a
// model's edges -> thresholds -> a root -> scales and offsets of the pieces -> words or cells of
// the buckets. Compiled by the host compiler. It sorts thresholds into buckets by the functions
// that the kernels run, bit for bit; the table is exact for that reason.
#include "bucket_table.hpp"

#include <algorithm>
#include <limits>
#include <type_traits>

namespace zcmoe::detail {
namespace {

/// What a table of words costs, in instructions of a warp per 32 inputs, as counted in
/// kernels/README.md: 0, 5 or 20 for a root of each kind, and 60 for each input in a crowded
/// bucket, times 32 because hardly two such inputs share a warp. A table that fills shared memory
/// costs 4, since it leaves room for fewer threads.
constexpr root_costs word_costs(std::size_t shared_bytes) {
  return {{0.0, 5.0, 20.0}, 32 * 60.0, 4.0, shared_bytes, sizeof(std::uint32_t)};
}
/// What a table of cells costs, in the same unit. Cells are read from the second-level cache, taken
/// to be 32 MiB, or from device memory where they exceed it; that is what the 200 stand for.
template <class T>
constexpr root_costs cell_costs() {
  return {{0.0, 5.0, 20.0}, 32 * 60.0, 200.0, std::size_t{1} << 25, sizeof(bucket_cell<T>)};
}
constexpr std::size_t max_cell_bytes = std::size_t{1} << 26;

/// The least number of bits that can number `count` things.
int bits_for(std::uint64_t count) {
  int bits = 0;
  while ((std::uint64_t{1} << bits) < count) ++bits;
  return bits;
}

/// The smallest T that lies in this piece or a later one, by bisecting the floats as ordered
/// integers (monotone_root.hpp). The caller has seen that +infinity lies in such a piece.
template <class T>
T first_of_piece(const bucket_map<T>& map, const plain_image<T>& image, std::uint32_t piece) {
  ordered<T> below = ordered_of(-std::numeric_limits<T>::infinity());
  ordered<T> reached = ordered_of(std::numeric_limits<T>::infinity());
  if (piece_of(map, image, float_of<T>(below)) >= piece) return float_of<T>(below);
  while (reached - 1 != below) {
    const ordered<T> middle = below / 2 + reached / 2 + (below % 2 + reached % 2) / 2;
    (piece_of(map, image, float_of<T>(middle)) >= piece ? reached : below) = middle;
  }
  return float_of<T>(reached);
}

/// Sets a line x * scale + offset of the given slope that takes the value `place` at origin. The
/// slope is limited first: to at least the least normal T, and to so little that origin * slope is
/// at most a sixteenth of the greatest T.
template <class T>
void set_line(T& scale, T& offset, long double origin, long double slope, long double place) {
  constexpr long double most = std::numeric_limits<T>::max() / 16;
  const long double far = std::max(std::abs(origin), 1.0L);
  const long double tame = std::min(
      std::max(slope, static_cast<long double>(std::numeric_limits<T>::min())), most / far);
  scale = static_cast<T>(tame);
  offset = static_cast<T>(place - origin * static_cast<long double>(scale));
}

/// Sets scales and offsets such that bucket b of a root with n buckets gets the places b / n ..
/// (b + 1) / n. The root rounds to the nearest bucket, a position is cut down to its bucket, so
/// half a bucket is added: with n = 10, input 3.0 of the root's scale goes to place 0.35 and not to
/// 0.3. Evenly spaced thresholds then lie in the middle of their buckets, where rounding cannot
/// move them to a neighbour, and inputs beyond all thresholds, which get the first and the last
/// position, do not share a position with one. Rounding may let a piece begin below the place where
/// the piece before it ended; its offset is then raised until it does not, which keeps the map
/// monotone.
template <class T>
void set_lines(bucket_map<T>& map, piece_lines<T>& lines, const root<T>& made) {
  const auto width = static_cast<long double>(made.num_buckets);
  for (int p = 0; p < root<T>::max_grid; ++p) {
    set_line(lines.scale[p], lines.offset[p], static_cast<long double>(made.origin[p]),
             static_cast<long double>(made.scale[p]) / width,
             (static_cast<long double>(made.first[p]) + 0.5L) / width);
  }
  for (int k = 0; k < root<T>::max_pieces / 2; ++k) {
    lines.knot[k] = made.knot[2 * k + 1];
    if (k < bucket_map<T>::num_knots) map.knot[k] = made.knot[2 * k + 2];
  }
  map.scale = lines.scale[0];
  map.offset = lines.offset[0];
  if (made.kind == root_kind::uniform) return;
  if (made.kind == root_kind::grid) {
    set_line(map.scale, map.offset, static_cast<long double>(made.lo),
             static_cast<long double>(made.grid_scale) / root<T>::max_grid,
             0.5L / root<T>::max_grid);
  }
  bucket_table_view<T> view{};
  view.lines = &lines;
  const plain_image<T> image(view);
  const auto place_of = [&](T x, std::uint32_t piece) {
    return saturated_fma(x, lines.scale[piece], lines.offset[piece]);
  };
  const std::uint32_t last = piece_of(map, image, std::numeric_limits<T>::infinity());
  std::uint32_t piece = piece_of(map, image, -std::numeric_limits<T>::infinity());
  while (piece < last) {
    const T first = first_of_piece(map, image, piece + 1);
    const std::uint32_t next = piece_of(map, image, first);
    const float end = place_of(std::nextafter(first, -std::numeric_limits<T>::infinity()), piece);
    T& offset = lines.offset[next];
    for (T step = std::max(std::abs(offset), std::numeric_limits<T>::min()) *
                  std::numeric_limits<T>::epsilon();
         place_of(first, next) < end; step *= 2) {
      offset = std::nextafter(offset + step, std::numeric_limits<T>::infinity());
    }
    piece = next;
  }
}

/// position_bits + position of one input, as the kernels compute it.
template <class T>
std::uint32_t bits_of_position(const bucket_table<T>& table, T x) {
  bucket_table_view<T> view{};
  view.map = table.map;
  view.lines = &table.lines;
  const T one[1] = {x};
  std::uint32_t bits[1];
  positions_of(table.map, plain_image<T>(view), one, bits);
  return bits[0];
}

/// Fills in the words; bucket b holds the thresholds starts[b] .. starts[b + 1] - 1. The word
/// behind the last bucket holds the number of all thresholds, where a search of the last bucket
/// ends.
template <class T>
void set_words(bucket_table<T>& table, const std::vector<std::uint32_t>& starts) {
  const int f = table.map.fraction_bits;
  table.words.resize(starts.size());
  for (std::uint32_t b = 0; b < table.words.size(); ++b) {
    const std::uint32_t begin = starts[b];
    const std::uint32_t count = b + 1 < starts.size() ? starts[b + 1] - begin : 0;
    std::uint32_t rest = 1;
    if (count == 1) {
      const T threshold = table.thresholds[begin];
      const std::uint32_t bits = bits_of_position(table, threshold);
      const T below = std::nextafter(threshold, -std::numeric_limits<T>::infinity());
      rest = (2u << f) - 2 * (bits & ((1u << f) - 1));
      if (bits_of_position(table, below) != bits) ++rest;
    } else if (count > 1) {
      rest |= needs_search;
    }
    table.words[b] = (begin << (f + 1)) + rest - 2 * (position_bits + (b << f));
  }
}

/// Fills in the cells, likewise.
template <class T>
void set_cells(bucket_table<T>& table, const std::vector<std::uint32_t>& starts,
               const T* constants) {
  const auto constant = [&](std::uint32_t rank) {
    if (constants == nullptr) return T{0};
    const auto slot = static_cast<std::size_t>(table.slots.empty() ? static_cast<std::int32_t>(rank)
                                                                   : table.slots[rank]);
    return constants[slot];
  };
  table.cells.resize(starts.size());
  for (std::size_t b = 0; b < starts.size(); ++b) {
    const std::uint32_t begin = starts[b];
    const std::uint32_t count = b + 1 < starts.size() ? starts[b + 1] - begin : 0;
    bucket_cell<T>& cell = table.cells[b];
    cell.threshold = count == 1 ? table.thresholds[begin] : std::numeric_limits<T>::quiet_NaN();
    cell.rank = begin | (count > 1 ? needs_search : 0);
    cell.left = constant(begin);
    cell.right = constant(begin + (count == 1 ? 1 : 0));
  }
}

}  // namespace

template <class T>
bucket_table<T> build_bucket_table(const model_view& edges, const T* constants,
                                   std::size_t shared_bytes, const root_kind* kind) {
  threshold_list<T> list = thresholds_of<T>(edges);
  bucket_table<T> table{};
  table.thresholds = std::move(list.thresholds);
  const auto count = static_cast<std::uint32_t>(table.thresholds.size());
  list.slot_of_rank.push_back(list.nan_slot);
  if (!list.slots_are_ranks || list.nan_slot != static_cast<std::int32_t>(count) + 1) {
    table.slots = std::move(list.slot_of_rank);
  }

  table.range_begin = list.from;
  table.range_end = list.before;

  // `room` is the number of words that fit beside one constant per rank, the pieces' lines and
  // 1,024 bytes for the kernel itself. Words take at most three quarters of shared memory, because
  // every block copies all of them. make_root may give one bucket per piece more than it is asked
  // for.
  constexpr std::size_t beside = sizeof(piece_lines<T>) + 1024;
  constexpr std::int64_t more = root<T>::max_grid + 3;
  const std::size_t constant_bytes = (static_cast<std::size_t>(count) + 2) * sizeof(T);
  const std::size_t left =
      shared_bytes > beside + constant_bytes ? shared_bytes - beside - constant_bytes : 0;
  const std::int64_t room =
      static_cast<std::int64_t>(std::min(left, shared_bytes / 4 * 3) / 4) - more;
  const bool by_words = room >= 2 * static_cast<std::int64_t>(count) + 1;
  const std::int64_t most_cells =
      static_cast<std::int64_t>(max_cell_bytes / sizeof(bucket_cell<T>)) - more;
  const std::int64_t most = by_words ? room : most_cells;
  root<T> made;
  if (kind != nullptr) {
    made = make_root(*kind, table.thresholds,
                     std::min<std::int64_t>(4 * std::max<std::int64_t>(count, 1), most));
  } else {
    made =
        choose_root(table.thresholds, by_words ? word_costs(shared_bytes) : cell_costs<T>(), most);
  }

  bucket_map<T>& map = table.map;
  map.kind = made.kind;
  map.num_thresholds = count;
  map.num_buckets = static_cast<std::uint32_t>(made.num_buckets);
  map.fraction_bits = position_width - bits_for(map.num_buckets);
  if (by_words) map.fraction_bits = std::min(map.fraction_bits, 30 - bits_for(count + 2));
  map.first_word = position_bits >> map.fraction_bits;
  map.undecided_mask = needs_search | ((2u << map.fraction_bits) - 1);
  map.range = static_cast<float>((map.num_buckets << map.fraction_bits) - 2);
  set_lines(map, table.lines, made);
  const auto bucket_of = [&](T x) {
    return static_cast<std::int64_t>((bits_of_position(table, x) - position_bits) >>
                                     map.fraction_bits);
  };
  const std::vector<std::uint32_t> starts =
      bucket_starts(table.thresholds, static_cast<std::int64_t>(map.num_buckets), bucket_of);
  if (by_words) {
    set_words(table, starts);
  } else {
    set_cells(table, starts, constants);
  }
  return table;
}

template bucket_table<float> build_bucket_table(const model_view&, const float*, std::size_t,
                                                const root_kind*);
template bucket_table<double> build_bucket_table(const model_view&, const double*, std::size_t,
                                                 const root_kind*);

}  // namespace zcmoe::detail
