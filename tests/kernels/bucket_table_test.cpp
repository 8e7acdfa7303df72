// The CUDA engine's routing table, tested on the CPU: edges -> table -> slots of inputs. The
// functions that the kernels run give the slot that model_view::slot_of gives, for every input,
// whatever the edges, the kind of root and the size of shared memory.
#include "kernels/bucket_table.hpp"
#include "tests/routing/hostile_edges.hpp"

namespace {

using namespace zcmoe::detail;
using namespace zcmoe::test;

/// A view of the table; its lines and words are copied to `image`, which must live as long.
template <class T>
bucket_table_view<T> view_of(const bucket_table<T>& table, std::vector<unsigned char>& image) {
  // The words are put right behind the lines, where kernels expect them.
  image.resize(sizeof table.lines + table.words.size() * 4);
  std::memcpy(image.data(), &table.lines, sizeof table.lines);
  if (!table.words.empty())
    std::memcpy(image.data() + sizeof table.lines, table.words.data(), table.words.size() * 4);
  bucket_table_view<T> view{};
  view.map = table.map;
  view.lines = reinterpret_cast<const piece_lines<T>*>(image.data());
  if (!table.words.empty())
    view.words = reinterpret_cast<const std::uint32_t*>(image.data() + sizeof table.lines);
  if (!table.cells.empty()) view.cells = table.cells.data();
  view.thresholds = table.thresholds.data();
  if (!table.slots.empty()) view.slots = table.slots.data();
  view.range_begin = table.range_begin;
  view.range_end = table.range_end;
  return view;
}

// Bytes of shared memory per block: those of an H100, which give a table words, and none, which
// gives it cells.
constexpr std::size_t a_card = 227 * 1024;
constexpr std::size_t none = 0;

/// Inputs on, beside and between the edges, on and just below the knots of the root, and NaN of
/// both signs.
template <class T>
std::vector<T> hard_inputs(const std::vector<double>& edges, const bucket_table<T>& table,
                           std::mt19937_64& random) {
  std::vector<T> inputs = inputs_for<T>(edges, random);
  inputs.push_back(std::numeric_limits<T>::quiet_NaN());
  inputs.push_back(-std::numeric_limits<T>::quiet_NaN());
  for (const auto& knots :
       {std::vector<T>(std::begin(table.map.knot), std::end(table.map.knot)),
        std::vector<T>(std::begin(table.lines.knot), std::end(table.lines.knot))}) {
    for (const T knot : knots) {
      inputs.push_back(knot);
      inputs.push_back(std::nextafter(knot, -std::numeric_limits<T>::infinity()));
    }
  }
  return inputs;
}

/// Expects the table to give the slots of the view's own scan, in batches as the kernels take them.
template <class T>
void expect_slots(const zcmoe::model_view& view, const bucket_table<T>& table,
                  const std::vector<T>& inputs, const std::string& what) {
  std::vector<unsigned char> image;
  const bucket_table_view<T> routes = view_of(table, image);
  const plain_image<T> plain(routes);
  constexpr int batch = 8;
  for (std::size_t first = 0; first < inputs.size(); first += batch) {
    T x[batch];
    for (std::size_t k = 0; k < batch; ++k) x[k] = inputs[std::min(first + k, inputs.size() - 1)];
    std::uint32_t ranks[batch];
    ranks_of(routes, plain, x, ranks);
    for (int k = 0; k < batch; ++k) {
      ASSERT_LT(ranks[k], routes.num_ranks());
      ASSERT_EQ(routes.slot_of(ranks[k]), view.slot_of(static_cast<double>(x[k])))
          << what << " m=" << view.num_segments << " x=" << x[k];
      const auto wide = static_cast<double>(x[k]);
      ASSERT_EQ(!(x[k] >= routes.range_begin) && !std::isnan(x[k]), view.is_below(wide)) << x[k];
      ASSERT_EQ(x[k] >= routes.range_end, view.is_above(wide)) << x[k];
    }
  }
}

/// Expects the right slots from tables of all kinds for these edges.
template <class T>
void expect_exact(const std::vector<double>& edges, const std::string& what,
                  std::mt19937_64& random) {
  for (const int side : {ZCMOE_CLOSED_LEFT, ZCMOE_CLOSED_RIGHT}) {
    for (const int policy : {ZCMOE_RANGE_CLAMP, ZCMOE_RANGE_SEGMENTS}) {
      const zcmoe::model_view view = zcmoe::test::view_of(edges, side, side, policy);
      for (const root_kind kind : {root_kind::uniform, root_kind::grid, root_kind::pieces}) {
        for (const std::size_t shared : {a_card, none}) {
          const bucket_table<T> table = build_bucket_table<T>(view, nullptr, shared, &kind);
          ASSERT_EQ(table.words.empty(), shared == none) << what;
          expect_slots(view, table, hard_inputs(edges, table, random),
                       what + " root " + std::to_string(static_cast<int>(kind)));
        }
      }
      expect_slots(view, build_bucket_table<T>(view, nullptr, a_card), inputs_for<T>(edges, random),
                   what);
    }
  }
}

TEST(BucketTable, EveryInputFindsTheSlotOfANaiveScan) {
  std::mt19937_64 random(11);
  for (const std::string& kind : kinds) {
    for (const std::int64_t m : {1, 2, 3, 17, 64, 1000}) {
      const std::vector<double> edges = edges_of(kind, m, random);
      expect_exact<float>(edges, kind, random);
      expect_exact<double>(edges, kind, random);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(BucketTable, EveryFloatOfAStretchFindsItsSlot) {
  // 8,192 neighbouring floats around a few of the edges meet every position there, every tie and
  // every carry.
  std::mt19937_64 random(5);
  for (const std::string& kind : kinds) {
    const std::vector<double> edges = edges_of(kind, 300, random);
    const zcmoe::model_view view =
        zcmoe::test::view_of(edges, ZCMOE_CLOSED_LEFT, 1, ZCMOE_RANGE_CLAMP);
    for (const root_kind root : {root_kind::uniform, root_kind::grid, root_kind::pieces}) {
      const bucket_table<float> table = build_bucket_table<float>(view, nullptr, a_card, &root);
      std::vector<float> inputs;
      for (std::size_t e = 1; e < edges.size(); e += edges.size() / 4 + 1) {
        float x = static_cast<float>(edges[e]);
        for (int k = 0; k < 4096; ++k) x = std::nextafterf(x, -INFINITY);
        for (int k = 0; k < 8192; ++k) inputs.push_back(x = std::nextafterf(x, INFINITY));
      }
      expect_slots(view, table, inputs, kind);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(BucketTable, PositionsNeverDecrease) {
  std::mt19937_64 random(13);
  for (const std::string& kind : kinds) {
    const std::vector<double> edges = edges_of(kind, 700, random);
    const zcmoe::model_view view =
        zcmoe::test::view_of(edges, ZCMOE_CLOSED_LEFT, 1, ZCMOE_RANGE_CLAMP);
    for (const root_kind root : {root_kind::uniform, root_kind::grid, root_kind::pieces}) {
      const auto table = build_bucket_table<float>(view, nullptr, a_card, &root);
      std::vector<unsigned char> image;
      const auto routes = view_of(table, image);
      const plain_image<float> plain(routes);
      // All floats from -infinity to infinity, in steps of a prime number of them, to save time.
      std::uint32_t last = 0;
      for (std::int64_t at = -0x7f800000; at <= 0x7f800000; at += 30011) {
        const auto bits = at >= 0 ? static_cast<std::uint32_t>(at)
                                  : 0x80000000u | static_cast<std::uint32_t>(-at);
        float x[1];
        std::memcpy(x, &bits, sizeof bits);
        std::uint32_t position[1];
        positions_of(routes.map, plain, x, position);
        ASSERT_GE(position[0], last) << kind << " x=" << x[0];
        ASSERT_GE(position[0], position_bits + 1);
        ASSERT_LT((position[0] - position_bits) >> routes.map.fraction_bits,
                  routes.map.num_buckets);
        last = position[0];
      }
    }
  }
}

TEST(BucketTable, MillionsOfSegments) {
  std::mt19937_64 random(17);
  std::vector<std::int64_t> sizes = {std::int64_t{1} << 14, std::int64_t{1} << 20};
  if (std::getenv("ZCMOE_LONG_TESTS") != nullptr) sizes.push_back(std::int64_t{1} << 24);
  for (const std::int64_t m : sizes) {
    for (const std::string kind : {"uniform", "random", "one giant", "one ulp apart"}) {
      const std::vector<double> edges = edges_of(kind, m, random);
      const zcmoe::model_view view =
          zcmoe::test::view_of(edges, ZCMOE_CLOSED_LEFT, 1, ZCMOE_RANGE_CLAMP);
      expect_slots(view, build_bucket_table<float>(view, nullptr, a_card),
                   inputs_for<float>(edges, random), kind);
      expect_slots(view, build_bucket_table<double>(view, nullptr, a_card),
                   inputs_for<double>(edges, random), kind);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(BucketTable, CellsHoldTheAnswersOfBothSides) {
  std::mt19937_64 random(19);
  const std::vector<double> edges = edges_of("random", 500, random);
  zcmoe::model_view view = zcmoe::test::view_of(edges, ZCMOE_CLOSED_LEFT, 1, ZCMOE_RANGE_SEGMENTS);
  std::vector<float> constants(503);
  for (std::size_t i = 0; i < constants.size(); ++i) constants[i] = static_cast<float>(i);
  const bucket_table<float> table = build_bucket_table(view, constants.data(), none);
  std::vector<unsigned char> image;
  const auto routes = view_of(table, image);
  int searched = 0;
  for (const float input : inputs_for<float>(edges, random)) {
    const float x[1] = {input};
    std::uint32_t rank[1];
    float answer[1];
    if (ranks_by_cells(routes, plain_image<float>(routes), x, rank, answer) != 0) {
      ++searched;
      continue;
    }
    ASSERT_EQ(answer[0], constants[static_cast<std::size_t>(view.slot_of(input))]) << input;
  }
  // Some inputs are searched for, since two of 499 random edges share one of 3,500 buckets now and
  // then.
  EXPECT_LT(searched, 700);
}

/// The share of inputs, uniform over [lo, hi], whose rank the word alone does not decide.
double share_undecided(const bucket_table<float>& table, double lo, double hi,
                       std::mt19937_64& random) {
  const int shift = table.map.fraction_bits + 1;
  const std::uint32_t undecided_mask = needs_search | ((1u << shift) - 1);
  std::vector<unsigned char> image;
  const auto routes = view_of(table, image);
  const plain_image<float> plain(routes);
  std::uniform_real_distribution<double> within(lo, hi);
  int undecided = 0;
  constexpr int n = 1 << 18;
  for (int i = 0; i < n; ++i) {
    const float x[1] = {static_cast<float>(within(random))};
    std::uint32_t bits[1];
    positions_of(routes.map, plain, x, bits);
    const std::uint32_t sum = 2 * bits[0] + plain.word(bits[0] >> routes.map.fraction_bits);
    if (static_cast<std::int32_t>(sum & undecided_mask) <= 0) ++undecided;
  }
  return static_cast<double>(undecided) / n;
}

TEST(BucketTable, SearchesAreRare) {
  std::mt19937_64 random(23);
  for (const std::int64_t m : {64, 1024, 8192}) {
    const std::vector<double> edges = edges_of("uniform", m, random);
    const auto table = build_bucket_table<float>(
        zcmoe::test::view_of(edges, ZCMOE_CLOSED_LEFT, 1, ZCMOE_RANGE_CLAMP), nullptr, a_card);
    EXPECT_EQ(table.map.kind, root_kind::uniform);
    // The share of ties: of each threshold's position among some 2^22.
    const double limit = 2.0 * static_cast<double>(m) / (1 << 22);
    EXPECT_LE(share_undecided(table, 0.0, 1.0, random), limit + 1e-4) << m;
    // No input beyond all edges is undecided, on either side.
    EXPECT_EQ(share_undecided(table, -2.0, -1.0, random), 0.0);
    EXPECT_EQ(share_undecided(table, 2.0, 3.0, random), 0.0);
  }
}

}  // namespace
