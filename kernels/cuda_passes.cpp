#include "cuda_passes.hpp"

#include "block_image.hpp"
#include "launchers.hpp"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace zcmoe::detail {
namespace {

/// Device memory, zeroed at first. The default stream is the order of everything here.
class device_block {
 public:
  device_block(backend& engine, std::size_t bytes)
      : engine_(engine), bytes_(bytes), data_(engine.allocate_zeroed(bytes, nullptr)) {}
  ~device_block() { engine_.deallocate(data_, bytes_, nullptr); }
  device_block(const device_block&) = delete;
  device_block& operator=(const device_block&) = delete;

  char* at(std::size_t byte) const { return static_cast<char*>(data_) + byte; }

 private:
  backend& engine_;
  std::size_t bytes_;
  void* data_;
};

/// Where the targets, weights, parts and codes of rows lie in a block, the widest first.
struct row_places {
  std::size_t weights;
  std::size_t part;
  std::size_t codes;
  std::size_t bytes;

  explicit row_places(const pass_rows& rows) {
    const auto n = static_cast<std::size_t>(rows.n);
    weights = n * sizeof(std::int64_t);
    part = weights + (rows.weights == nullptr ? 0 : n * sizeof(std::uint32_t));
    codes = part + n;
    bytes = codes + n * static_cast<std::size_t>(rows.num_axes);
  }
};

class cuda_row_passes final : public row_passes {
 public:
  cuda_row_passes(backend& engine, const owned_device& device, const pass_rows& rows,
                  const run_parts& run)
      : engine_(engine),
        device_(device),
        run_(run),
        rows_(rows),
        at_(rows),
        held_(engine, at_.bytes) {
    engine_.upload(held_.at(0), rows.y, at_.weights, nullptr);
    engine_.upload(held_.at(at_.weights), rows.weights, at_.part - at_.weights, nullptr);
    engine_.upload(held_.at(at_.part), rows.part, at_.codes - at_.part, nullptr);
    engine_.upload(held_.at(at_.codes), rows.codes, at_.bytes - at_.codes, nullptr);
  }

  void count(const map_list& maps, const visit_sums& visit) override {
    sums_of(maps, nullptr, visit);
  }
  void sum(const map_list& maps, const visit_sums& visit) override { sums_of(maps, left(), visit); }

  void count_pairs(const std::vector<axis_pair>& pairs, const visit_counts& visit) override {
    const auto cells_of = [&](std::size_t k) { return pairs[k].cells(); };
    in_batches(
        pairs.size(), cells_of, sizeof(std::uint32_t), [&](std::size_t begin, std::size_t end) {
          std::vector<cell_map> maps;
          map_list list;
          maps.reserve(end - begin);
          for (std::size_t k = begin; k < end; ++k) {
            const axis_pair& pair = pairs[k];
            cell_map map;
            for (int side = 0; side < 2; ++side) map.axes[side] = pair.axes[side];
            for (std::int32_t code = 0; code < pair.slots[0]; ++code)
              map.first.push_back(code * pair.slots[1]);
            map.second.resize(static_cast<std::size_t>(pair.slots[1]));
            std::iota(map.second.begin(), map.second.end(), 0);
            map.cells = static_cast<std::int64_t>(pair.cells());
            maps.push_back(std::move(map));
            list.push_back(&maps.back());
          }
          const batch_of<std::uint32_t> found = added_up<std::uint32_t>(list, nullptr, nullptr);
          run_(static_cast<std::int64_t>(end - begin), [&](std::int64_t part) {
            const auto k = static_cast<std::size_t>(part);
            visit(begin + k, {found.of(k), found.of(k + 1)});
          });
        });
  }

  void subtract(std::int64_t base, const map_list& maps,
                const std::vector<std::vector<std::int64_t>>& amounts) override {
    block_image image;
    std::vector<row_cells> tables = placed(image, maps, 1);
    std::vector<std::int64_t> all;
    for (const std::vector<std::int64_t>& of_map : amounts)
      all.insert(all.end(), of_map.begin(), of_map.end());
    const std::size_t amounts_at = image.add(all.data(), all.size());
    const device_block block(engine_, image.bytes().size());
    send(image, tables, block);
    const device_guard guard(device_);
    launch_subtract_cells(
        {reinterpret_cast<const row_cells*>(block.at(0)), static_cast<std::int32_t>(tables.size()),
         rows_.n, base, reinterpret_cast<const std::int64_t*>(block.at(amounts_at)), left()},
        nullptr);
  }

  sums_of_left totals() override {
    unsigned long long words[num_left_totals] = {};
    const device_block block(engine_, sizeof words);
    {
      const device_guard guard(device_);
      launch_total_left(left(), weights(), rows_.n,
                        reinterpret_cast<unsigned long long*>(block.at(0)), nullptr);
    }
    engine_.download(words, block.at(0), sizeof words, nullptr);
    sums_of_left found{static_cast<std::int64_t>(words[0]), 0};
    for (int digit = 0; digit < 4; ++digit)
      found.squares += static_cast<unsigned __int128>(words[1 + digit]) << (32 * digit);
    return found;
  }

 private:
  /// The sums of some tables, one after the other.
  template <class Sum>
  struct batch_of {
    std::vector<Sum> sums;
    std::vector<std::size_t> begin;  // of each table; and the end

    const Sum* of(std::size_t table) const { return sums.data() + begin[table]; }
  };

  std::int64_t* left() const { return reinterpret_cast<std::int64_t*>(held_.at(0)); }
  const std::uint32_t* weights() const {
    return rows_.weights == nullptr ? nullptr
                                    : reinterpret_cast<const std::uint32_t*>(held_.at(at_.weights));
  }
  const std::uint8_t* part() const {
    return reinterpret_cast<const std::uint8_t*>(held_.at(at_.part));
  }
  const std::uint8_t* codes_of(int axis) const {
    return axis < 0 ? nullptr
                    : reinterpret_cast<const std::uint8_t*>(held_.at(at_.codes)) + axis * rows_.n;
  }

  /// body(begin, end) for as many tables at a time as the sums of which are no more bytes than a
  /// batch may have, but at least one.
  template <class Cells, class Body>
  static void in_batches(std::size_t count, const Cells& cells_of, std::size_t sum_bytes,
                         const Body& body) {
    for (std::size_t begin = 0; begin < count;) {
      std::size_t end = begin + 1;
      std::size_t bytes = cells_of(begin) * sum_bytes;
      for (; end < count && end - begin < learn_tuning::most_tables; ++end) {
        bytes += cells_of(end) * sum_bytes;
        if (bytes > learn_tuning::most_bytes) break;
      }
      body(begin, end);
      begin = end;
    }
  }

  void sums_of(const map_list& maps, const std::int64_t* values, const visit_sums& visit) {
    const auto cells_of = [&](std::size_t k) {
      return static_cast<std::size_t>(num_row_parts * maps[k]->cells);
    };
    in_batches(maps.size(), cells_of, sizeof(std::int64_t),
               [&](std::size_t begin, std::size_t end) {
                 const map_list list(maps.begin() + static_cast<std::ptrdiff_t>(begin),
                                     maps.begin() + static_cast<std::ptrdiff_t>(end));
                 const auto found = added_up<unsigned long long>(list, part(), values);
                 run_(static_cast<std::int64_t>(list.size()), [&](std::int64_t k) {
                   const auto at = static_cast<std::size_t>(k);
                   visit(begin + at, {found.of(at), found.of(at + 1)});
                 });
               });
  }

  /// Puts a place for the tables and their offsets into the image. Pointers to offsets are bytes of
  /// the image until send() makes them addresses. parts: of each cell.
  std::vector<row_cells> placed(block_image& image, const map_list& maps, int parts) const {
    std::vector<row_cells> tables(maps.size());
    image.add(tables.data(), tables.size());
    std::int64_t first = 0;
    for (std::size_t k = 0; k < maps.size(); ++k) {
      const cell_map& map = *maps[k];
      row_cells& table = tables[k];
      table.first = first;
      table.cells = static_cast<std::int32_t>(map.cells);
      first += parts * map.cells;
      const std::vector<std::int32_t>* const offsets[2] = {&map.first, &map.second};
      for (int side = 0; side < 2; ++side) {
        table.codes[side] = codes_of(map.axes[side]);
        table.offsets_at[side] = image.append(offsets[side]->data(), offsets[side]->size());
      }
    }
    return tables;
  }
  void send(block_image& image, std::vector<row_cells>& tables, const device_block& block) const {
    for (row_cells& table : tables) {
      for (int side = 0; side < 2; ++side)
        table.offsets[side] =
            reinterpret_cast<const std::int32_t*>(block.at(table.offsets_at[side]));
    }
    image.replace(0, tables.data(), tables.size());
    engine_.upload(block.at(0), image.bytes().data(), image.bytes().size(), nullptr);
  }

  /// By part and cell, or by cell alone where `parts` is null; of weight times values, or of
  /// weights.
  template <class Sum>
  batch_of<Sum> added_up(const map_list& maps, const std::uint8_t* parts,
                         const std::int64_t* values) const {
    const int num_parts = parts == nullptr ? 1 : num_row_parts;
    const auto most_staged = static_cast<std::int32_t>(
        learn_tuning::most_shared / (values == nullptr ? 1 : 2) / sizeof(std::uint32_t));
    block_image image;
    std::vector<row_cells> tables = placed(image, maps, num_parts);
    batch_of<Sum> found;
    cell_sums_work<Sum> work{};
    for (const row_cells& table : tables) {
      found.begin.push_back(static_cast<std::size_t>(table.first));
      const std::int32_t cells = num_parts * table.cells;
      if (cells <= most_staged) work.staged_cells = std::max(work.staged_cells, cells);
    }
    found.begin.push_back(static_cast<std::size_t>(tables.back().first) +
                          static_cast<std::size_t>(num_parts * tables.back().cells));
    found.sums.resize(found.begin.back());
    const std::size_t sums_at =
        (image.bytes().size() + device_alignment - 1) / device_alignment * device_alignment;
    const std::size_t bytes = found.sums.size() * sizeof(Sum);
    const device_block block(engine_, sums_at + bytes);
    send(image, tables, block);
    work.tables = reinterpret_cast<const row_cells*>(block.at(0));
    work.num_tables = static_cast<std::int32_t>(tables.size());
    work.n = rows_.n;
    work.part = parts;
    work.weights = weights();
    work.left = values;
    work.sums = reinterpret_cast<Sum*>(block.at(sums_at));
    {
      const device_guard guard(device_);
      launch_sum_cells(work, nullptr);
    }
    engine_.download(found.sums.data(), block.at(sums_at), bytes, nullptr);
    return found;
  }

  backend& engine_;  // outlives this
  const owned_device device_;
  const run_parts& run_;
  const pass_rows rows_;
  const row_places at_;
  const device_block held_;
};

}  // namespace

std::unique_ptr<row_passes> make_cuda_passes(backend& engine, const owned_device& device,
                                             const pass_rows& rows, const run_parts& run) {
  return std::make_unique<cuda_row_passes>(engine, device, rows, run);
}

}  // namespace zcmoe::detail
