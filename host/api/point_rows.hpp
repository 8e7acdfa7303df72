// What the C functions that take rows of several inputs check of them.
#pragma once

#include "host/api/arguments.hpp"
#include "host/api/handles.hpp"
#include "host/api/options.hpp"

#include <zcmoe/points.h>

#include <cstdint>

namespace zcmoe::detail {

/// The struct of the columns, which are not looked at yet.
inline zcmoe_points read_points_of(const zcmoe_points* x) {
  check_pointer(x, "x");
  return read_options(x, zcmoe_points ZCMOE_POINTS_INIT, "x");
}

/// what: the object that has so many inputs.
inline void check_num_inputs(const zcmoe_points& x, std::int64_t num_inputs, const char* what) {
  ZCMOE_EXPECTS(x.num_inputs == num_inputs, "x->num_inputs=", x.num_inputs, ", but the ", what,
                " has ", num_inputs);
}

/// visit(name, column) for the columns that a model looks at, once they are checked; null: of one
/// input, which every column is. Of the others those with data are visited too.
template <class Visit>
void check_columns(const zcmoe_points& x, std::int64_t n, const points_model* several,
                   const Visit& visit) {
  check_pointer(x.columns, "x->columns");
  for (std::int64_t j = 0; j < x.num_inputs; ++j) {
    const zcmoe_array& column = x.columns[j];
    const bool needed = several == nullptr || several->has_axis(j);
    if (column.data == nullptr && !needed) continue;
    check_input(column_name{j}, column, n);
    visit(column_name{j}, column);
  }
}

/// An array that is read and may not lie where one does that is written.
template <int Capacity, class Name>
void check_apart(const array_list<Capacity>& written, const Name& name, const zcmoe_array& column,
                 std::int64_t n) {
  const named_array read = {nullptr, span_of(name, column.data, column.dtype, column.stride, n),
                            n <= 1 ? 0 : column.stride * size_of(column.dtype),
                            size_of(column.dtype)};
  for (const named_array& a : written) {
    ZCMOE_EXPECTS(!overlap(a, read), a.name, " overlaps ", name);
  }
}

}  // namespace zcmoe::detail
