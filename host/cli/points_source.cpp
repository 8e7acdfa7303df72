// What is missing or too much is told by the names that the user gave or the model keeps.
#include "points_source.hpp"

#include "failure.hpp"
#include "npy_file.hpp"

#include <zcmoe/points.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <system_error>
#include <utility>

namespace zcmoe::cli {
namespace {

const char* plural(std::int64_t number) { return number == 1 ? "" : "s"; }

void check_number(std::int64_t number) {
  if (number > ZCMOE_MAX_INPUTS) fail(number, " inputs; the limit is ", ZCMOE_MAX_INPUTS);
}

/// Fails if the options contradict each other, whatever the table is.
void check_choice(const points_choice& choice) {
  if (!choice.inputs.empty() && !choice.all_but.empty()) {
    fail_usage("--x ", choice.inputs[0], " and --x-all-but ", choice.all_but[0],
               " both say what the inputs are; give one of them");
  }
}

// ---- CSV

/// --x-all-but: every column of the header but those named and the target.
std::vector<column_request> all_but(const points_choice& choice, const csv_reader& reader) {
  const std::vector<std::string>& header = reader.header();
  std::vector<bool> left_out(header.size());
  std::string target = choice.target;
  if (target.empty()) {
    if (choice.all_but.size() > 1) {
      fail_usage("--y is missing: which of ", list_in_words(choice.all_but),
                 " (--x-all-but) is the target?");
    }
    target = choice.all_but[0];
  }
  for (const std::string& name : choice.all_but)
    left_out[reader.find_column({"--x-all-but", name})] = true;
  const std::size_t target_number = reader.find_column({"--y", target}) + 1;
  left_out[target_number - 1] = true;
  if (!choice.weights.empty()) left_out[reader.find_column({"--weights", choice.weights})] = true;
  // A delimiter may stand behind the last column of every row.
  if (header.back().empty()) left_out.back() = true;
  std::vector<column_request> requests;
  for (std::size_t i = 0; i < header.size(); ++i) {
    if (!left_out[i]) requests.push_back({"--x-all-but", header[i], i + 1});
  }
  if (requests.empty()) {
    fail_usage("--x-all-but: none of the ", header.size(), " columns is left as an input");
  }
  requests.push_back({"--y", target, target_number});
  return requests;
}

/// The names that the model keeps.
std::vector<column_request> stored_columns(const points_choice& choice, const csv_reader& reader,
                                           const std::string& file) {
  const std::vector<std::string>& header = reader.header();
  std::vector<column_request> requests;
  std::vector<std::string> missing;
  for (const std::string& name : choice.stored) {
    if (std::find(header.begin(), header.end(), name) == header.end()) missing.push_back(name);
    requests.push_back({"--x (not given: the name that the model keeps)", name});
  }
  if (!missing.empty()) {
    fail(file, " lacks ", missing.size(), " of the model's ", choice.num_inputs,
         " inputs: ", list_in_words(missing), "; it has ", list_in_words(header, 20),
         "; --x, given once for each input in the model's order, takes other columns");
  }
  return requests;
}

void check_csv_choice(const points_choice& choice, const csv_options& csv,
                      const std::string& file) {
  if (!choice.all_but.empty() && !csv.header) {
    fail_usage("--x-all-but ", choice.all_but[0],
               ": without a header inputs are given by number, each with its own --x");
  }
  if (choice.wants_target && choice.target.empty() && choice.all_but.empty()) {
    fail_usage("--y is missing: name the column of ", file, " (its header text or its number)");
  }
  const auto given = static_cast<std::int64_t>(choice.inputs.size());
  if (choice.num_inputs == 0 || (given == 0 && !choice.stored.empty() && csv.header)) return;
  if (given == choice.num_inputs) return;
  const std::string names = choice.stored.empty() ? std::string(", whose names it does not keep")
                                                  : text(": ", list_in_words(choice.stored));
  fail_usage(given == 0 ? text("--x is missing")
                        : text("--x is given ", given, " time", plural(given), " (",
                               list_in_words(choice.inputs), ")"),
             given == 0 ? ": the model has " : ", and the model has ", choice.num_inputs, " input",
             plural(choice.num_inputs), names, "; give one --x for each, in this order");
}

std::unique_ptr<row_source> open_csv(input_file first, const table_choice& table,
                                     const points_choice& choice) {
  const std::string file = first.name();
  check_comes_alone(table, first);
  check_csv_choice(choice, table.csv, file);
  const column_chooser choose = [&](const csv_reader& reader) {
    std::vector<column_request> requests;
    if (!choice.all_but.empty()) {
      requests = all_but(choice, reader);
    } else if (choice.inputs.empty()) {
      requests = stored_columns(choice, reader, file);
      if (choice.wants_target) requests.push_back({"--y", choice.target});
    } else {
      for (const std::string& name : choice.inputs) requests.push_back({"--x", name});
      if (choice.wants_target) requests.push_back({"--y", choice.target});
    }
    check_number(static_cast<std::int64_t>(requests.size()) - (choice.wants_target ? 1 : 0));
    if (!choice.weights.empty()) requests.push_back({"--weights", choice.weights});
    return requests;
  };
  return open_csv_columns(std::move(first), table.inputs[0], table.csv, choose);
}

// ---- NPY

std::unique_ptr<row_source> open_npy(input_file first, const table_choice& table,
                                     const points_choice& choice) {
  const std::string first_name = first.name();
  if (!choice.inputs.empty()) {
    fail_usage("--x ", choice.inputs[0], " names a column of a CSV file; of NPY files (",
               first_name, ") the positional ones are the inputs, in their order");
  }
  if (!choice.all_but.empty()) {
    fail_usage("--x-all-but ", choice.all_but[0], " needs the header of a CSV file; ", first_name,
               " is an NPY file");
  }
  std::vector<npy_column> columns;
  std::vector<std::string> paths = table.inputs;
  std::string target = choice.target;
  std::string weights = choice.weights;
  std::size_t positional = table.inputs.size();
  const auto whole = std::make_shared<const npy_file>(std::move(first), npy_shape::table);
  check_number(whole->columns());
  for (std::int64_t k = 0; k < whole->columns(); ++k) columns.push_back({whole, k, true});
  if (whole->columns() > 1) {
    // Behind a file of all inputs there can only be the target and the weights.
    std::size_t given = 1;
    if (choice.wants_target && target.empty() && positional > given) {
      target = table.inputs[given++];
      if (weights.empty() && positional > given) weights = table.inputs[given++];
    }
    if (positional > given) {
      fail_usage(first_name, " holds all ", whole->columns(), " inputs, and ", table.inputs[given],
                 " is one too many");
    }
    positional = 1;
  }
  check_number(static_cast<std::int64_t>(positional));
  for (std::size_t i = 1; i < positional; ++i) {
    columns.push_back(
        {std::make_shared<const npy_file>(open_further_npy(table.inputs[i], table)), 0, true});
  }
  const auto num_inputs = static_cast<std::int64_t>(columns.size());
  if (choice.num_inputs != 0 && num_inputs != choice.num_inputs) {
    fail("the model has ", choice.num_inputs, " input", plural(choice.num_inputs),
         choice.stored.empty() ? "" : text(" (", list_in_words(choice.stored), ")"), ", and ",
         num_inputs, num_inputs == 1 ? " column is" : " columns are", " given (",
         list_in_words(table.inputs), ")");
  }
  if (choice.wants_target) {
    if (target.empty())
      fail_usage("--y is missing: after ", first_name, " name the NPY file of this column");
    columns.push_back({std::make_shared<const npy_file>(open_further_npy(target, table)), 0, true});
    if (!choice.target.empty()) paths.push_back(target);
  }
  if (!weights.empty()) {
    columns.push_back(
        {std::make_shared<const npy_file>(open_further_npy(weights, table)), 0, true});
    if (!choice.weights.empty()) paths.push_back(weights);
  }
  return open_npy_columns(std::move(columns), std::move(paths));
}

}  // namespace

std::string list_in_words(const std::vector<std::string>& words, std::size_t most) {
  std::string list;
  for (std::size_t i = 0; i < std::min(words.size(), most); ++i)
    list += text(i > 0 ? ", " : "", words[i]);
  return words.size() > most ? text(list, " and ", words.size() - most, " more") : list;
}

std::unique_ptr<row_source> open_points(const table_choice& table, const points_choice& choice) {
  check_choice(choice);
  input_file first = open_first(table);
  return first.is_npy() ? open_npy(std::move(first), table, choice)
                        : open_csv(std::move(first), table, choice);
}

bool is_npy_of_columns(const table_choice& table) {
  // Whoever opens a named pipe takes it from who opens it next.
  std::error_code error;
  if (table.inputs.empty() || table.inputs[0] == "-" ||
      !std::filesystem::is_regular_file(table.inputs[0], error)) {
    return false;
  }
  input_file first(table.inputs[0]);
  if (!first.is_npy()) return false;
  return npy_file(std::move(first), npy_shape::table).columns() > 1;
}

}  // namespace zcmoe::cli
