// The rows of a table of several inputs: which columns of a CSV file, or which NPY files or columns
// of one, are the inputs and the target.
#pragma once

#include "row_source.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace zcmoe::cli {

/// How a command was told which columns it reads.
struct points_choice {
  std::vector<std::string> inputs;   // --x, as given
  std::vector<std::string> all_but;  // --x-all-but
  std::string target;                // --y
  bool wants_target = false;
  std::string weights;              // --weights
  std::int64_t num_inputs = 0;      // of the model that reads them; 0: any number
  std::vector<std::string> stored;  // the names that the model keeps; none: it keeps none
};

/// Opens the table: column k of every block is input k; the target, if it is wanted, comes behind
/// them, and then the weights, if there are any. Missing or contradictory arguments are usage
/// errors.
std::unique_ptr<row_source> open_points(const table_choice& table, const points_choice& choice);

/// Whether the first input of a table is a file of shape (n, d) with d > 1: several inputs that no
/// option names. A pipe is not looked at, since it can be read only once.
bool is_npy_of_columns(const table_choice& table);

/// "a, b and 3 more"
std::string list_in_words(const std::vector<std::string>& words, std::size_t most = 12);

}  // namespace zcmoe::cli
