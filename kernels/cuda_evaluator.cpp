// Uploads models of several inputs (cuda_evaluator.hpp). The image is made twice: once to learn how
// large it is, and again when the address of the block that it goes to is known, with pointers.
#include "cuda_evaluator.hpp"

#include "block_image.hpp"
#include "host/array.hpp"
#include "launchers.hpp"

#include <algorithm>
#include <vector>

namespace zcmoe::detail {
namespace {

/// The routing tables of axes, of both types.
struct axis_routes {
  std::vector<bucket_table<float>> narrow;
  std::vector<bucket_table<double>> wide;
};

/// The routing tables of all axes. Each may take as much of a block's shared memory as leaves room
/// for all the others, but at least what the most thresholds need.
axis_routes routes_of(const bank_tables& tables, std::size_t shared_bytes) {
  constexpr std::size_t least = std::size_t{1} << 13;
  const std::size_t num_axes = std::max<std::size_t>(tables.axes.size(), 1);
  const std::size_t bytes = std::max(least, shared_bytes / 4 / num_axes);
  axis_routes routes;
  routes.narrow.reserve(tables.axes.size());
  routes.wide.reserve(tables.axes.size());
  for (const input_axis& axis : tables.axes) {
    const model_view view = view_of(axis);
    routes.narrow.push_back(build_bucket_table<float>(view, nullptr, bytes));
    routes.wide.push_back(build_bucket_table<double>(view, nullptr, bytes));
  }
  return routes;
}

/// Places the arrays of a model in an image of the block of device memory that begins at `block`.
class points_image {
 public:
  explicit points_image(void* block) : block_(static_cast<char*>(block)) {}

  /// Also sets what `staged` points to.
  points_view place_all(const bank_tables& tables, const axis_routes& routes,
                        const std::vector<unsigned char>& staged_image, staged_model& staged) {
    staged.view.image = placed(staged_image);
    std::vector<axis_view> axes;
    axes.reserve(tables.axes.size());
    for (std::size_t a = 0; a < tables.axes.size(); ++a) {
      const input_axis& axis = tables.axes[a];
      const std::int64_t m = axis.num_segments();
      axes.push_back({routed(routes.narrow[a]),
                      routed(routes.wide[a]),
                      pivot_of(axis.edges.data(), m, axis.closed_side),
                      {static_cast<std::int32_t>(m), axis.nan_policy, axis.range_policy}});
    }
    for (std::size_t a = 0; a < staged.axes.size(); ++a) staged.axes[a].routes = axes[a].narrow;
    std::vector<bank_view> banks;
    banks.reserve(tables.banks.size());
    for (const bank& b : tables.banks) banks.push_back(placed(b));
    return {placed(axes), placed(banks), static_cast<std::int32_t>(axes.size()),
            static_cast<std::int32_t>(banks.size()), placed(tables.head)};
  }
  const std::vector<unsigned char>& bytes() const { return image_.bytes(); }

 private:
  template <class Element>
  const Element* placed(const std::vector<Element>& elements) {
    if (elements.empty()) return nullptr;
    return reinterpret_cast<const Element*>(block_ +
                                            image_.add(elements.data(), elements.size(), 16));
  }
  template <class T>
  bucket_table_view<T> routed(const bucket_table<T>& table) {
    return view_of(table, place(image_, table), block_);
  }
  sum_view placed(const std::vector<axis_offsets>& sum) {
    std::vector<offsets_view> axes;
    axes.reserve(sum.size());
    for (const axis_offsets& a : sum) axes.push_back({placed(a.offsets), a.axis});
    return {placed(axes), static_cast<std::int32_t>(axes.size())};
  }
  bank_view placed(const bank& b) {
    bank_view view{};
    if (!b.is_tree() && b.axes.size() == 1) {
      axis_offsets constants = b.axes.front();
      for (std::int32_t& cell : constants.offsets)
        cell = b.constants[static_cast<std::size_t>(cell)];
      view.cell = placed(std::vector<axis_offsets>{constants});
      return view;
    }
    view.cell = placed(b.axes);
    view.constants = placed(b.constants);
    view.nodes = placed(b.nodes);
    std::vector<sum_view> oblique;
    oblique.reserve(b.oblique.size());
    for (const std::vector<axis_offsets>& sum : b.oblique) oblique.push_back(placed(sum));
    view.oblique = placed(oblique);
    return view;
  }
  head_view placed(const head& h) {
    const auto narrow = [&](const std::vector<double>& wide) {
      std::vector<float> rounded;
      rounded.reserve(wide.size());
      for (const double value : wide) rounded.push_back(static_cast<float>(value));
      return placed(rounded);
    };
    head_view view{};
    view.base = h.base;
    view.exponent = h.exponent;
    view.has_segments = h.has_segments();
    view.num_thresholds = static_cast<std::int64_t>(h.thresholds.size());
    view.thresholds = placed(h.thresholds);
    view.counts = placed(h.counts);
    view.constants = placed(h.constants);
    view.variances = placed(h.variances);
    view.standard_errors = placed(h.standard_errors);
    view.constants_f32 = narrow(h.constants);
    view.variances_f32 = narrow(h.variances);
    view.standard_errors_f32 = narrow(h.standard_errors);
    return view;
  }

  char* block_;
  block_image image_;
};

}  // namespace

cuda_evaluator::cuda_evaluator(backend& engine, const bank_tables& tables, std::size_t shared_bytes,
                               zcmoe_stream stream)
    : engine_(engine) {
  const axis_routes routes = routes_of(tables, shared_bytes);
  std::vector<unsigned char> staged_image;
  const bool few = tables.axes.size() <= staged_model::few_axes;
  using tuning = stream_points_tuning;
  has_staged_ = build_staged_points(
      tables, routes.narrow, shared_bytes,
      tuning::code_bytes(few ? tuning::per_thread_of_few : tuning::per_thread_of_many), staged_,
      staged_image);
  {
    points_image measured(nullptr);
    (void)measured.place_all(tables, routes, staged_image, staged_);
    bytes_ = measured.bytes().size();
  }
  data_ = engine.allocate_zeroed(bytes_, stream);
  try {
    points_image image(data_);
    view_ = image.place_all(tables, routes, staged_image, staged_);
    engine.upload(data_, image.bytes().data(), bytes_, stream);
  } catch (...) {
    engine.deallocate(data_, bytes_, stream);
    throw;
  }
}

cuda_evaluator::~cuda_evaluator() { engine_.deallocate(data_, bytes_, nullptr); }

}  // namespace zcmoe::detail
