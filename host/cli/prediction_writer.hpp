// Predictions on their way out, block by block: as CSV text or as an NPY array.
#pragma once

#include "output_file.hpp"

#include <zcmoe/zcmoe.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace zcmoe::cli {

/// Predictions of one block of rows. values holds numbers of the writer's dtype; the others are
/// empty unless they are wanted.
struct prediction_block {
  std::int64_t rows = 0;
  std::vector<float> values_f32;
  std::vector<double> values_f64;
  std::vector<std::int64_t> segments;
  std::vector<double> standard_errors;
  std::vector<double> lower;
  std::vector<double> upper;
};

struct writer_options {
  zcmoe_dtype dtype = ZCMOE_F64;  // of the predictions
  bool segments = false;          // further columns, CSV only
  bool standard_errors = false;
  bool intervals = false;
  bool header = true;  // CSV: names of the columns
};

class prediction_writer {
 public:
  virtual ~prediction_writer() = default;
  virtual void write(const prediction_block& predictions) = 0;
  /// Completes the output; without it nothing appears under the output's name.
  virtual void commit() = 0;
};

/// CSV: a line per row, the shortest digits that read back as the same number.
std::unique_ptr<prediction_writer> make_csv_writer(const std::string& path,
                                                   const writer_options& options);

/// NPY: rows is their number if it is known beforehand, else -1; a stream then gets the array from
/// a temporary file.
std::unique_ptr<prediction_writer> make_npy_writer(const std::string& path,
                                                   const writer_options& options,
                                                   std::int64_t rows);

}  // namespace zcmoe::cli
