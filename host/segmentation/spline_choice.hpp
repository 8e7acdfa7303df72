// Which least-squares spline a piece of bins asks for. Candidates are a constant, splines of degree
// 1 and 3 with ever more knots, spaced evenly in x, in mass or between both, and each bin for
// itself. The risk of a candidate is its weighted squares plus a price for each parameter; at the
// price 2 * charge * scale, where scale is what the squares left over are per degree of freedom,
// its least value is that of generalised cross-validation, n squares / (n - charge parameters)^2.
// Sources: Craven & Wahba 1979; a charge above 1 for choosing among many, Friedman 1991; averages
// weighted by exp(-risk / 4), Leung & Barron 2006; their standard errors, Buckland, Burnham &
// Augustin 1997.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

namespace zcmoe::detail {

/// Means of bins, with weights 1 / (variance of the mean), and places along which knots are even.
struct binned_means {
  static constexpr std::size_t num_coordinates = 3;
  std::vector<double> values;
  std::vector<double> weights;
  std::vector<double> rows;                                      // effective rows of each bin
  std::array<std::vector<double>, num_coordinates> coordinates;  // ascending
  std::size_t size() const { return values.size(); }
};

struct spline_candidate {
  static constexpr int constant = 0;
  static constexpr int each_bin = -1;
  int degree;  // 1 and 3 for splines, or one of the above
  std::size_t intervals;
  std::size_t coordinate;
  double squares;  // weighted squares left over
  double parameters;
};

class spline_chooser {
 public:
  /// Parameters are charged twice, since the best of many candidates flatters itself. Measured on
  /// twenty settings with 200 to 100,000 rows: the excess risk at 1 is 1.5 times that at 2; up to 4
  /// it is the same within a few percent.
  static constexpr double charge = 2;

  explicit spline_chooser(const binned_means& means) : means_(means) {}

  /// What the squares left over are per degree of freedom; 1 if the weights are right.
  double scale = 1.0;
  /// Whether constants are the only candidates.
  bool constants_only = false;

  double risk(const spline_candidate& c) const {
    return c.squares + 2 * charge * scale * c.parameters;
  }
  /// The risk and what it costs to have chosen the candidate among those that are as likely: the
  /// average of all has no more than the least of these.
  double risk_when_chosen(const spline_candidate& c) const;
  /// The candidates for the bins begin .. end - 1 that come near the least risk. Beside the
  /// constant only those are taken whose parameters, times the charge, are fewer than the rows,
  /// since generalised cross-validation says nothing of others.
  std::vector<spline_candidate> candidates(std::size_t begin, std::size_t end) const;
  spline_candidate best(std::size_t begin, std::size_t end) const;
  /// Writes the mean of the candidates' values, weighted by exp(-risk / (4 scale)) and a prior, to
  /// values[begin] .. values[end - 1]. Returns the same mean of their parameters.
  double average(std::size_t begin, std::size_t end, std::vector<double>& values) const;
  /// Writes the standard errors of the means that average() wrote to `values`. Beside the variance
  /// of each candidate its distance from the mean of all counts, since where candidates differ some
  /// of them are biased.
  void average_errors(std::size_t begin, std::size_t end, const std::vector<double>& values,
                      std::vector<double>& errors) const;
  /// The variances of a candidate's values at the bins begin .. end - 1, in units of the scale.
  std::vector<double> variances(std::size_t begin, std::size_t end,
                                const spline_candidate& c) const;

 private:
  void assess(std::size_t begin, std::size_t end, spline_candidate& c) const;
  /// The weights of candidates in the average, the largest about 1.
  std::vector<double> shares_of(const std::vector<spline_candidate>& all) const;
  /// Calls visit(k, value of the fit at bin k) for each bin. Returns the parameters of the fit.
  template <class Visit>
  double fit(std::size_t begin, std::size_t end, const spline_candidate& c,
             const Visit& visit) const;

  const binned_means& means_;
};

}  // namespace zcmoe::detail
