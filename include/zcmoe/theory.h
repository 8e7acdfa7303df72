/// @file
/// zcmoe theory: how wrong many constant experts are, how many to take and where to cut, as
/// functions. Part of the C ABI; the rules at the top of zcmoe.h hold. All are host functions: host
/// memory, no engine, one thread, same bits everywhere.
///
/// y = b(x) + noise, x in [lo, hi] with density p, noise variance sigma^2(x). A table of m segments
/// A_i predicts one constant a segment (other experts: zcmoe_theory_expert_law()). With P_i = P(x
/// in A_i), c_i = E[b | A_i] and v_i = Var(y | A_i):
/// @verbatim
///   risk = sigma^2 + E_app + E_est,   E_app = sum_i integral over A_i of p (b - c_i)^2,
///                                     E_est = sum_i P_i E(learned constant - c_i)^2
/// @endverbatim
///
/// Units: errors, variances and risks in (unit of y)^2; coefficients of a power r in (unit of y)^r.
/// They do not depend on the unit of x, nor on the scale of p or of a point density lambda.
///
/// Sources: Dar 2025, arXiv 2510.03151 (the model, theorems 3 and 11); Bennett 1948; Panter & Dite
/// 1951; others are named at the functions. Formula numbers in brackets are used across this file.
#ifndef ZCMOE_THEORY_H
#define ZCMOE_THEORY_H

#include <zcmoe/zcmoe.h>

#ifdef __cplusplus
extern "C" {
#endif

/// @defgroup theory_problem Theory: what is known
/// The functions that a table is to predict, and where its segments are.
/// @{

/// p, b and what derives from them. Each function names the members it reads beside lo, hi and
/// breaks; the others may be NULL. The functions are evaluated inside [lo, hi] only.
///
/// Every function that takes a problem returns INVALID_ARGUMENT for a member that is missing or out
/// of range; NUMERIC if a callback returns NaN, infinity or (p, lambda, sigma^2) a negative number,
/// if p or lambda is zero everywhere, or if an integral diverges or does not converge.
typedef struct zcmoe_theory_problem {
  size_t struct_size;                  ///< sizeof(zcmoe_theory_problem)
  zcmoe_function density;              ///< p >= 0; any scale, divided by its integral
  zcmoe_function regression;           ///< b
  zcmoe_function slope;                ///< b'
  zcmoe_function curvature;            ///< b''
  zcmoe_function density_slope;        ///< p', of the same scale as p
  zcmoe_function noise_variance;       ///< sigma^2(x) >= 0; NULL: `noise` everywhere
  zcmoe_function point_density;        ///< lambda >= 0, any scale, for ..._POINT_DENSITY
  zcmoe_function point_density_slope;  ///< lambda', of the same scale as lambda
  void* user;                          ///< passed to every function
  double noise;                        ///< sigma^2, >= 0; default 0
  double lo;                           ///< lo < hi, finite, as is hi - lo; default 0
  double hi;                           ///< default 1
  /// Points strictly between lo and hi, increasing, where a function jumps or has a kink: integrals
  /// are cut there. NULL if num_breaks is 0.
  const double* breaks;
  int64_t num_breaks;  ///< >= 0
} zcmoe_theory_problem;
/// No function, no noise, the range [0, 1].
#define ZCMOE_THEORY_PROBLEM_INIT                                                                 \
  {                                                                                               \
    sizeof(zcmoe_theory_problem), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0.0, 0.0, \
        1.0, NULL, 0                                                                              \
  }

/// A function known at points only: shape-preserving cubic interpolation (Fritsch & Butland 1984;
/// straight lines for two or three points), constant beyond the ends. Immutable, any number of
/// threads.
///
/// zcmoe_theory_curve_value() and zcmoe_theory_curve_slope() have the signature of zcmoe_function,
/// the curve is their user: with one curve pass them as they are, with several from functions of
/// your own. The slope has kinks at the grid's inner points: give them as breaks where integrals of
/// it must be exact.
typedef struct zcmoe_theory_curve zcmoe_theory_curve;
/// Makes a curve through points.
///
/// @param[in]  grid      [num_grid], finite, strictly increasing; copied
/// @param[in]  values    [num_grid], finite; copied
/// @param[in]  num_grid  number of points, >= 2
/// @param[out] curve     receives the curve, to be freed with zcmoe_theory_curve_destroy(); NULL
///   after a failure
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also for wrong entries; the error names the first bad index
///
/// Cost: O(num_grid).
ZCMOE_API zcmoe_status zcmoe_theory_curve_create(const double* grid, const double* values,
                                                 int64_t num_grid, zcmoe_theory_curve** curve);
/// Interpolates. Cost: O(log num_grid).
/// @param[in] curve  a zcmoe_theory_curve
/// @param[in] x      the input
/// @return the curve's value; NaN for NaN, or if the curve is null
ZCMOE_API double zcmoe_theory_curve_value(void* curve, double x);
/// Interpolates the slope. Cost: O(log num_grid).
/// @param[in] curve  a zcmoe_theory_curve
/// @param[in] x      the input
/// @return the curve's slope, 0 beyond the ends; NaN for NaN, or if the curve is null
ZCMOE_API double zcmoe_theory_curve_slope(void* curve, double x);
/// Frees a curve.
/// @param[in] curve  NULL is allowed
/// @return ZCMOE_OK
ZCMOE_API zcmoe_status zcmoe_theory_curve_destroy(zcmoe_theory_curve* curve);

/// Where the m segments are: lambda = segments per unit length, divided by its integral. One of the
/// three numbers below.
typedef int32_t zcmoe_theory_segmentation;
/// Values of zcmoe_theory_segmentation.
enum {
  ZCMOE_THEORY_UNIFORM = 0,  ///< equal widths
  /// lambda* = (p |b'|^r)^(1/(r+1)), r = 2 unless a function's power says else; for experts that
  /// are lines as zcmoe_theory_expert_law() says.
  ZCMOE_THEORY_OPTIMAL = 1,
  ZCMOE_THEORY_POINT_DENSITY = 2  ///< zcmoe_theory_problem::point_density
};

/// @}
/// @defgroup theory_high_rate Theory: high rate
/// Errors of many short segments, and how many are many.
/// @{

/// Computes the coefficient of the error at high rate: the integral of p |b'|^r / lambda^r (3.1),
/// lambda normalised.
///
/// For uniform segments it is U = (hi - lo)^r integral of p |b'|^r; for optimal ones the least
/// possible value O = (integral of (p |b'|^r)^(1/(r+1)))^(r+1) (3.2). Relative accuracy 1e-12, also
/// where p b' has zeros or algebraic kinks.
///
/// @param[in]  problem       of which density, slope and, if asked for, point_density are read
/// @param[in]  segmentation  where the segments are
/// @param[in]  power         r of the loss |y - b|^r, > 0, at most 64; squared error is r = 2
/// @param[out] coefficient   the coefficient, >= 0
/// @retval ZCMOE_ERR_NUMERIC  as zcmoe_theory_problem says; also if lambda is zero where p b' is
/// not
///
/// Cost: about 10^3 evaluations of each function, more at zeros and jumps (at most about 10^6).
/// Source: Bennett 1948; Panter & Dite 1951; Dar 2025, theorem 3.
ZCMOE_API zcmoe_status zcmoe_theory_coefficient(const zcmoe_theory_problem* problem,
                                                zcmoe_theory_segmentation segmentation,
                                                double power, double* coefficient);

/// Computes the error that a coefficient means: coefficient / ((r + 1) 2^r m^r); for r = 2,
/// coefficient / (12 m^2). Noise-free; valid when segments are small against the scale on which b'
/// and p change, see zcmoe_theory_breakdown().
///
/// @param[in]  coefficient   >= 0, finite
/// @param[in]  power         r, > 0, at most 64
/// @param[in]  num_segments  m, 1 to ZCMOE_MAX_SEGMENTS
/// @param[out] error         the error
/// @return ZCMOE_OK, or what any function may return
///
/// Cost: O(1).
ZCMOE_API zcmoe_status zcmoe_theory_error(double coefficient, double power, int64_t num_segments,
                                          double* error);

/// Computes the next order: c4 of E_app = coefficient / (12 m^2) + c4 / m^4 + O(m^-6) (3.3).
///
/// For uniform segments on [0, 1]:
/// @verbatim
///   c4 = [p' b'^2 - p b' b''] / 360 between the ends
///        - integral of p b''^2 / 360 + p' b' b'' / 90 + p'^2 b'^2 / (144 p)
/// @endverbatim
/// Any other lambda is a uniform grid in s = G(x), so the same with b(G^-1(s)), p / lambda. Valid
/// for p and b that are smooth (a kink adds a term of order m^-4 that moves with its place in its
/// segment) and lambda > 0.
///
/// @param[in]  problem       of which density, density_slope, slope, curvature and, for
///   POINT_DENSITY, point_density and point_density_slope are read; at lo and hi too
/// @param[in]  segmentation  where the segments are
/// @param[out] c4            the coefficient of m^-4, of either sign
/// @retval ZCMOE_ERR_NUMERIC  as zcmoe_theory_problem says; also where the term does not exist:
/// zeros
///   of lambda, p'^2 / p not integrable
///
/// Cost: as zcmoe_theory_coefficient(). Source: Euler-Maclaurin applied to the midpoint sum.
ZCMOE_API zcmoe_status zcmoe_theory_next_order(const zcmoe_theory_problem* problem,
                                               zcmoe_theory_segmentation segmentation, double* c4);

/// Computes what a zero of lambda* adds to the error.
///
/// Near such a zero the optimal segments repeat themselves at every m: with p ~ |x - x0|^j and
/// b - b(x0) ~ |x - x0|^k on one side of x0, that side adds kappa / m to
/// gap(m) = 12 m^2 E_app / coefficient - 1. This is exact when an edge is at x0 (by symmetry, or an
/// end of the range); zeros inside a segment add an amount of this order that varies with m.
/// Relative accuracy 1e-6.
///
/// @param[in]  density_order     j, 0 to 64
/// @param[in]  regression_order  k, > 0, at most 64
/// @param[out] kappa             what that side adds, times m
/// @return ZCMOE_OK, or what any function may return
///
/// Cost: about 10^5 evaluations of a power. Source: sum of the errors of the segments of the
/// self-similar compander x = u^(3/(j + 2k + 1)).
ZCMOE_API zcmoe_status zcmoe_theory_zero_gap(double density_order, double regression_order,
                                             double* kappa);

/// Finds the smallest m such that |gap(m')| < tolerance for every m' >= m, from exact errors:
/// gap(m) = 12 m^2 E_app(m) / coefficient - 1. Every m' up to 4 m + 32 is looked at.
///
/// @param[in]  problem       of which density, regression, slope and, if asked for, point_density
///   are read
/// @param[in]  segmentation  where the segments are
/// @param[in]  tolerance     between 0 and 1, exclusive; 0.05 is the usual convention (m_5%)
/// @param[in]  max_segments  1 to 65,536
/// @param[out] num_segments  m; 0 if it passes max_segments (a jump of b: never); 1 if b is
/// constant
/// @retval ZCMOE_ERR_NUMERIC  as zcmoe_theory_problem says; also if lambda is zero where p b' is
/// not
///
/// Cost: about 8 m^2 segments, each 15 evaluations or more, and for other than uniform segments 4 m
/// companders of 10^4 evaluations.
ZCMOE_API zcmoe_status zcmoe_theory_breakdown(const zcmoe_theory_problem* problem,
                                              zcmoe_theory_segmentation segmentation,
                                              double tolerance, int64_t max_segments,
                                              int64_t* num_segments);

/// Estimates the m of zcmoe_theory_breakdown() before any exact error is computed, typically within
/// a factor of 2: |kappa| / tolerance; kappa = 0 (no zeros): sqrt(12 |c4| / (tolerance
/// coefficient)).
///
/// @param[in]  coefficient   of zcmoe_theory_coefficient() with power 2, > 0, finite
/// @param[in]  c4            of zcmoe_theory_next_order(), finite
/// @param[in]  kappa         sum of zcmoe_theory_zero_gap() over the sides of zeros, finite
/// @param[in]  tolerance     between 0 and 1, exclusive
/// @param[out] num_segments  m, a real number, at least 1
/// @return ZCMOE_OK, or what any function may return
ZCMOE_API zcmoe_status zcmoe_theory_breakdown_estimate(double coefficient, double c4, double kappa,
                                                       double tolerance, double* num_segments);

/// Computes what a lambda that is not the optimal one costs at equal m.
///
/// Guaranteed without any integral: a mixture of lambda* with share eta of uniform costs at most
/// (1 - eta)^-2.
///
/// @param[in]  problem       of which density, slope and point_density are read
/// @param[out] ratio         E / E* = integral of lambda*^3 / lambda^2; may be NULL
/// @param[out] second_order  1 + 3 integral of lambda* e^2, e = lambda / lambda* - 1, its
/// expansion:
///   errors of an estimated density are of second order. Infinite (and no error) where lambda*
///   vanishes and lambda does not so fast that the integral diverges. May be NULL
/// @retval ZCMOE_ERR_NUMERIC  as zcmoe_theory_problem says; for ratio also if lambda is zero where
///   p b' is not
///
/// Cost: as zcmoe_theory_coefficient(), for each output.
ZCMOE_API zcmoe_status zcmoe_theory_robustness(const zcmoe_theory_problem* problem, double* ratio,
                                               double* second_order);

/// @}
/// @defgroup theory_exact Theory: exact errors of a table
/// No asymptotics: errors of given edges and constants.
/// @{

/// What zcmoe_theory_approximation() tells of each segment. Each array [num_segments] or NULL: not
/// wanted.
typedef struct zcmoe_theory_cells {
  double* probabilities;  ///< P_i, sum 1 over the table
  double* means;          ///< c_i = E[b | A_i]; b at the centre where P_i = 0
  double* variances;      ///< v_i = Var(y | A_i) = mean of sigma^2 + Var(b | A_i); 0 where P_i = 0
  double* errors;         ///< integral over A_i of p (b - constant)^2
} zcmoe_theory_cells;
/// No array is wanted.
#define ZCMOE_THEORY_CELLS_INIT \
  { NULL, NULL, NULL, NULL }

/// What zcmoe_theory_approximation() tells of the whole table.
typedef struct zcmoe_theory_totals {
  double error;     ///< E_app: sum of errors
  double mean;      ///< E b
  double variance;  ///< Var b = error of the conditional means + variance of the means
  double noise;     ///< E sigma^2(x)
} zcmoe_theory_totals;

/// Computes the exact approximation error of a table, sum_i integral over A_i of
/// p (b - constant_i)^2.
///
/// It is computed in the centred form, which keeps its digits where differences of integrals of b^2
/// lose them (relative 1e-13, or 1e-16 |b| / (range of b in a segment) if that is more). p is
/// normalised over the table: inputs outside are taken not to occur. Segments with P_i = 0 add 0.
///
/// @param[in]  problem       of which density, regression and noise_variance are read
/// @param[in]  edges         [num_segments + 1], inside [lo, hi], strictly increasing
/// @param[in]  num_segments  m, 1 to ZCMOE_MAX_SEGMENTS
/// @param[in]  rule          what the constants are if none are given: the conditional means, or b
///   at the centres
/// @param[in]  constants     [num_segments], finite; then rule is ZCMOE_CONSTANT_MEAN. NULL: by
/// rule
/// @param[in]  cells         where to write numbers of each segment; may be NULL
/// @param[out] totals        numbers of the table; may be NULL
/// @retval ZCMOE_ERR_NUMERIC  as zcmoe_theory_problem says, p over the table
///
/// Cost: 15 evaluations of each function a segment, more in segments that do not resolve b or p.
/// Source: law of total variance; Gauss-Kronrod quadrature.
ZCMOE_API zcmoe_status zcmoe_theory_approximation(const zcmoe_theory_problem* problem,
                                                  const double* edges, int64_t num_segments,
                                                  zcmoe_constant_rule rule, const double* constants,
                                                  const zcmoe_theory_cells* cells,
                                                  zcmoe_theory_totals* totals);

/// @}
/// @defgroup theory_estimation Theory: learning the constants
/// What constants learned from n samples add to the error.
/// @{

/// Computes h(n, P) = E[1/N; N > 0], N ~ Binomial(n, P): what the variance of a learned mean is
/// multiplied by.
///
/// Relative error below 1e-12 for every n and P (P taken as the double it is). n P < 200: the
/// binomial sum, normalised, outwards from its mode, at most about 500 terms; the Poisson limit is
/// its limit and needs no case of its own. Above: the factorial series
/// sum_k (k-1)! / ((n+1) ... (n+k) P^k), whose remainder is below e^-200.
///
/// @param[in]  n            samples, >= 0
/// @param[in]  probability  P, 0 to 1
/// @param[out] value        h(n, P); 0 if n or P is 0
/// @return ZCMOE_OK, or what any function may return
///
/// Source: Gyorfi, Kohler, Krzyzak & Walk 2002, lemma 4.1, gives the bound 2 / (n P); the sharp one
/// is 1.2953 / (n P).
ZCMOE_API zcmoe_status zcmoe_theory_mean_reciprocal(int64_t n, double probability, double* value);

/// What zcmoe_theory_estimation() tells.
typedef struct zcmoe_theory_estimation_result {
  double error;        ///< E_est = variance + fallback
  double variance;     ///< sum_i P_i v_i h(n, P_i); under shrinkage the part with N_i > 0
  double fallback;     ///< sum_i P_i (1 - P_i)^n b_i, b_i = E (fallback - c_i)^2 given N_i = 0
  double empty_share;  ///< sum_i P_i (1 - P_i)^n: chance that an input lands in an empty segment
  double leading;      ///< (1/n) sum_i v_i: the law m/n, reached when every n P_i is large
} zcmoe_theory_estimation_result;

/// Computes the expected estimation error of constants learned from n independent samples, exactly:
/// E_est = sum_i P_i { v_i h(n, P_i) + (1 - P_i)^n b_i } (5.1).
///
/// b_i is the squared error of what zcmoe_fit_finish() lets empty segments predict:
/// - VALUE g: b_i = (g - c_i)^2.
/// - GLOBAL_MEAN: b_i = (mean of the others - c_i)^2 + their variance / n.
/// - NEAREST: the sum over the segment j that is nearest of those with samples, of P(all nearer
///   ones are empty, N_j > 0) and E[(c^_j - c_i)^2 | ...]; reads edges.
/// - PARENT: likewise over the growing aligned blocks.
///
/// Shrinkage k: E over N_i of the error of (N mean + k g) / (N + k), g = empty_value under VALUE,
/// else the mean of all samples, whose dependence on the segment's own is counted.
///
/// Relative accuracy 1e-11. Valid for any n, m and P; assumes the table was not learned from the
/// same samples.
///
/// @param[in]  n               samples, >= 1
/// @param[in]  edges           [num_segments + 1], strictly increasing; may be NULL unless the
///   policy is NEAREST without shrinkage
/// @param[in]  probabilities   P_i, [num_segments], 0 to 1, with the sum 1 within 1e-6
/// @param[in]  means           c_i, [num_segments], finite
/// @param[in]  variances       v_i, [num_segments], >= 0, finite
/// @param[in]  num_segments    m, 1 to ZCMOE_MAX_SEGMENTS
/// @param[in]  options         of which empty_policy, empty_value and shrinkage are read; NULL: the
///   nearest segment
/// @param[out] segment_errors  [num_segments], E(learned - c_i)^2; NULL: not wanted
/// @param[out] result          the error and its parts
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also for ZCMOE_EMPTY_NAN without shrinkage: a NaN has no
/// error
///
/// Cost: O(m), NEAREST O(m (1 + segments that hold 32/n of the mass)), PARENT O(m log m).
ZCMOE_API zcmoe_status zcmoe_theory_estimation(int64_t n, const double* edges,
                                               const double* probabilities, const double* means,
                                               const double* variances, int64_t num_segments,
                                               const zcmoe_model_options* options,
                                               double* segment_errors,
                                               zcmoe_theory_estimation_result* result);

/// One point of the curve risk(m).
typedef struct zcmoe_theory_risk_point {
  int64_t num_segments;  ///< asked for
  int64_t num_built;     ///< distinct segments
  double noise;          ///< E sigma^2
  double approximation;  ///< E_app, exact
  double estimation;     ///< E_est, exact
  double risk;           ///< their sum: expected squared error on a new sample
  double empty_share;    ///< as in zcmoe_theory_estimation_result
} zcmoe_theory_risk_point;

/// Computes the exact expected risk of tables of several sizes learned from n samples.
///
/// @param[in]  problem       of which density, regression, noise, slope for OPTIMAL, and
///   point_density if asked for are read
/// @param[in]  segmentation  where the segments are
/// @param[in]  n             samples, >= 1
/// @param[in]  options       policies, as zcmoe_theory_estimation()
/// @param[in]  num_segments  [num_points], 1 to ZCMOE_MAX_SEGMENTS each
/// @param[in]  num_points    number of tables, >= 0
/// @param[out] points        [num_points]
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also for ZCMOE_EMPTY_NAN without shrinkage
/// @retval ZCMOE_ERR_NUMERIC  as zcmoe_theory_problem says
///
/// Cost: each point a compander, zcmoe_theory_approximation() and zcmoe_theory_estimation().
ZCMOE_API zcmoe_status zcmoe_theory_risk_curve(const zcmoe_theory_problem* problem,
                                               zcmoe_theory_segmentation segmentation, int64_t n,
                                               const zcmoe_model_options* options,
                                               const int64_t* num_segments, int64_t num_points,
                                               zcmoe_theory_risk_point* points);

/// Bounds the estimation error of bounded targets: with probability >= 1 - delta,
/// sum_i P_i (learned - c_i)^2 <= bound = (4 B^2 m / n) ln(4 m / delta), once
/// n >= samples_needed = 8 ln(2 m / delta) / min P (then no segment is likely to hold fewer than
/// half its share).
///
/// @param[in]  n                samples, >= 1
/// @param[in]  num_segments     m, 1 to ZCMOE_MAX_SEGMENTS
/// @param[in]  min_probability  the least P_i, > 0, at most 1/m
/// @param[in]  max_abs_target   B >= |y|, >= 0, finite
/// @param[in]  delta            between 0 and 1, exclusive
/// @param[out] bound            infinity if n is below samples_needed; may be NULL
/// @param[out] samples_needed   a real number; may be NULL
/// @return ZCMOE_OK, or what any function may return
///
/// Cost: O(1). Source: Chernoff, Hoeffding and union bounds; conservative by an order of magnitude.
ZCMOE_API zcmoe_status zcmoe_theory_bounded_tail(int64_t n, int64_t num_segments,
                                                 double min_probability, double max_abs_target,
                                                 double delta, double* bound,
                                                 double* samples_needed);

/// Bounds the estimation error under Gaussian scatter inside the segments: with probability
/// >= 1 - delta, given the counts N_i, sum_i P_i (learned - c_i)^2 <= bound = S1 + 2 sqrt(t S2) +
/// 2 t max w_i; w_i = P_i v_i / N_i, S1 and S2 the sums of w_i and w_i^2, t = ln(1/delta).
///
/// @param[in]  probabilities  P_i, [num_segments], 0 to 1
/// @param[in]  variances      v_i, [num_segments], >= 0, finite
/// @param[in]  counts         N_i, [num_segments], >= 0, and >= 1 wherever P_i v_i > 0
/// @param[in]  num_segments   m, 1 to ZCMOE_MAX_SEGMENTS
/// @param[in]  delta          between 0 and 1, exclusive
/// @param[out] bound          the bound
/// @return ZCMOE_OK, or what any function may return
///
/// Cost: O(m). Source: Laurent & Massart 2000, lemma 1.
ZCMOE_API zcmoe_status zcmoe_theory_gaussian_tail(const double* probabilities,
                                                  const double* variances, const int64_t* counts,
                                                  int64_t num_segments, double delta,
                                                  double* bound);
/// @}
/// @defgroup theory_choice Theory: choosing m
/// How many segments minimise the risk where p, b and the noise are known.
/// @{

/// Computes the m that minimises A m^(-2/d) + B m / n: m = (2 A n / (d B))^(d/(d+2)).
///
/// d = 1: m = (2 A n / sigma^2)^(1/3). A better lambda divides both outputs by (U / O)^(1/3). Valid
/// where the high-rate form is, and n / m is at least about 10.
///
/// @param[in]  approximation  A, >= 0, finite (one dimension: coefficient / 12)
/// @param[in]  variance       B, > 0, finite (about sigma^2)
/// @param[in]  n              samples, > 0, finite
/// @param[in]  dimension      d, >= 1
/// @param[out] num_segments   m, a real number; may be NULL
/// @param[out] excess         (1 + d/2) B m / n, the excess risk there; may be NULL
/// @return ZCMOE_OK, or what any function may return
///
/// Cost: O(1). Source: Dar 2025, section 6; rate as Stone 1982.
ZCMOE_API zcmoe_status zcmoe_theory_optimum(double approximation, double variance, double n,
                                            int32_t dimension, double* num_segments,
                                            double* excess);

/// Computes by what the excess risk is multiplied with r times the best number of segments:
/// (d/2 r^(-2/d) + r) / (d/2 + 1); d = 1: (r^-2 + 2 r) / 3. Too many is the cheaper mistake.
///
/// @param[in]  ratio      r, > 0, finite
/// @param[in]  dimension  d, >= 1
/// @param[out] factor     the factor, >= 1
/// @return ZCMOE_OK, or what any function may return
///
/// Cost: O(1).
ZCMOE_API zcmoe_status zcmoe_theory_flatness(double ratio, int32_t dimension, double* factor);

/// Computes the segments per unit length that minimise approximation and estimation error together
/// when the noise varies: Lambda*(x) = (n p b'^2 / (6 sigma^2(x)))^(1/3). High-rate form.
///
/// @param[in]  problem       of which density, slope and noise are read
/// @param[in]  n             samples, >= 1
/// @param[out] num_segments  integral of Lambda*, a real number; may be NULL
/// @param[out] excess        3/(2n) integral of sigma^2 Lambda*; may be NULL
/// @retval ZCMOE_ERR_NUMERIC  as zcmoe_theory_problem says; also if sigma^2 is zero where p b' is
/// not
///
/// Cost: as zcmoe_theory_coefficient(). Source: pointwise minimum of p b'^2 / (12 Lambda^2) +
/// sigma^2 Lambda / n.
ZCMOE_API zcmoe_status zcmoe_theory_noise_adaptive(const zcmoe_theory_problem* problem, int64_t n,
                                                   double* num_segments, double* excess);

/// Builds the table with lambda = (p b'^2 / sigma^2)^(1/3), normalised.
///
/// @param[in]  problem       of which density, slope and noise are read
/// @param[in]  num_segments  m, 1 to ZCMOE_MAX_SEGMENTS
/// @param[out] edges         buffer of m + 1 doubles, as at zcmoe_segment_density()
/// @param[out] num_built     segments built, 1 to m
/// @retval ZCMOE_ERR_NUMERIC  as zcmoe_theory_problem says; also if sigma^2 is zero where p b' is
/// not
///
/// Cost: as zcmoe_segment_density().
ZCMOE_API zcmoe_status zcmoe_theory_noise_adaptive_edges(const zcmoe_theory_problem* problem,
                                                         int64_t num_segments, double* edges,
                                                         int64_t* num_built);

/// @}
/// @defgroup theory_experts Theory: kinds of experts
/// Constants, lines and interpolation: errors, the best m, and which is better when.
/// @{

/// Kinds of experts beside those of zcmoe_model_options::experts.
enum {
  /// The line between the means of the segments, at their centres: what zcmoe_model_interpolate()
  /// makes of learned constants.
  ZCMOE_THEORY_INTERPOLATED_MEANS = 64,
  /// The line between the values of b at the edges, which are known, not learned.
  ZCMOE_THEORY_EDGE_VALUES = 65
};

/// The errors of a kind of experts, when segments are many and samples are more:
/// E_app = approximation / m^order, E_est = estimation m / n.
typedef struct zcmoe_theory_law {
  double approximation;  ///< A
  double order;          ///< 2 or 4
  double estimation;     ///< B: parameters a segment, times the mean of sigma^2 over the segments
  /// Values that a table stores, a segment: M = values m. Splines store one more in all.
  double values;
  /// What it adds, times m^-3, if INTERPOLATED_MEANS are constant in the outer halves of the
  /// outermost segments, where zcmoe_model_interpolate() continues the lines. 0 for other kinds.
  double ends;
} zcmoe_theory_law;

/// Computes the law of a kind of experts. With k = b''/24 + p' b' / (12 p), lambda normalised:
/// @verbatim
///   experts              approximation A                                       estimation   values
///   EXPERTS_CONSTANT     1/12 integral of p b'^2 / lambda^2 (3.1)                S            1
///   EXPERTS_LINEAR       1/720 integral of p b''^2 / lambda^4                    2 S          2
///   EXPERTS_INTERPOLATE  1/720 integral of p b''^2 / lambda^4                    S            1
///   INTERPOLATED_MEANS   integral of p (b''^2/120 + b'' k/6 + k^2) / lambda^4    2/3 S        1
///   EDGE_VALUES          1/120 integral of p b''^2 / lambda^4                    0            1
/// @endverbatim
/// S = integral of sigma^2 lambda: sigma^2 if the noise does not vary. INTERPOLATE and
/// INTERPOLATED_MEANS have about sigma^2 / n more, at the ends of the range. Means that lines read
/// vary with b inside their segments too, so that where segments are few the sigma^2 of
/// INTERPOLATED_MEANS is sigma^2 + (slope times width)^2 / 12. For uniform p the fourth row is
/// 49/2880 integral of b''^2 / lambda^4.
///
/// OPTIMAL segments have the least A: where A = integral of p q / lambda^4, lambda* = (p q)^(1/5)
/// and A = (integral of (p q)^(1/5))^5. zcmoe_segment_density() makes their edges.
///
/// INTERPOLATED_MEANS that are constant at the ends have the error ends / m^3 more, which is of
/// lower order and dominates: ends = (p b'^2 / lambda^3 at lo + the same at hi) / 24, infinite
/// where lambda is 0 at an end and p b' is not.
///
/// INTERPOLATE has the error of LINEAR with half the values: least squares moves the value at an
/// edge by -b'' / (12 m^2 lambda^2), which takes the mean out of the residual of interpolation.
/// Valid for smooth b and p and for lambda > 0; a jump of b is an error of order 1/m for all kinds.
/// Relative accuracy 1e-12, also where b'' has zeros.
///
/// @param[in]  problem       of which density and noise are read; slope for CONSTANT, curvature for
///   the others, slope and density_slope too for INTERPOLATED_MEANS, at lo and hi as well; and, if
///   asked for, point_density
/// @param[in]  experts       one of ZCMOE_EXPERTS_CONSTANT, LINEAR, INTERPOLATE, or of
///   ZCMOE_THEORY_INTERPOLATED_MEANS, EDGE_VALUES
/// @param[in]  segmentation  where the segments are
/// @param[out] law           the law
/// @retval ZCMOE_ERR_NUMERIC  as zcmoe_theory_problem says, p'^2 b'^2 / p of INTERPOLATED_MEANS
///   included; also if lambda is zero where p q is not
///
/// Cost: as zcmoe_theory_coefficient(), for A and for S. Source: Barrow & Smith 1978 (1/720); Scott
/// 1985 (49/2880, the frequency polygon); the residual b''/2 (u^2 - width^2 / 12) of the best line.
ZCMOE_API zcmoe_status zcmoe_theory_expert_law(const zcmoe_theory_problem* problem, int32_t experts,
                                               zcmoe_theory_segmentation segmentation,
                                               zcmoe_theory_law* law);

/// Computes the m that minimises A m^-order + B m / n: m = (order A n / B)^(1/(order + 1)).
///
/// LINEAR: m = (2 A n / sigma^2)^(1/5), excess 5/2 sigma^2 m / n. INTERPOLATE:
/// m = (4 A n / sigma^2)^(1/5), excess 5/4 sigma^2 m / n, which is 2^(-4/5) of that of LINEAR.
/// Valid where the law is, and n / m is at least about 10.
///
/// @param[in]  law           of which approximation >= 0, order (more than 0, at most 64) and
///   estimation > 0 are read, finite
/// @param[in]  n             samples, > 0, finite
/// @param[out] num_segments  m, a real number; may be NULL
/// @param[out] excess        (1 + 1/order) B m / n, the excess risk there; may be NULL
/// @return ZCMOE_OK, or what any function may return
///
/// Cost: O(1). Source: as zcmoe_theory_optimum(), which is this with the order 2 / d.
ZCMOE_API zcmoe_status zcmoe_theory_law_optimum(const zcmoe_theory_law* law, double n,
                                                double* num_segments, double* excess);

/// Computes at how many stored values M two kinds of experts have the same approximation error:
/// with more, the kind of the higher order is better. Estimation errors, about sigma^2 M / n of
/// constants, lines and splines alike, do not decide.
///
/// With uniform segments of [0, 1], U = integral of p b'^2 and Q = integral of p b''^2, lines beat
/// constants from M = sqrt(4 Q / (15 U)) on, INTERPOLATE does from sqrt(Q / (60 U)) on. Valid where
/// both laws are.
///
/// @param[in]  law         of which approximation >= 0, order (more than 0, at most 64) and
///   values > 0 are read, finite
/// @param[in]  other       likewise, of another order; the approximation of the lower order > 0
/// @param[out] num_values  M, a real number; 0 if the higher order has no error at all
/// @return ZCMOE_OK, or what any function may return
///
/// Cost: O(1).
ZCMOE_API zcmoe_status zcmoe_theory_break_even(const zcmoe_theory_law* law,
                                               const zcmoe_theory_law* other, double* num_values);

/// Computes the price of cuts that are chosen by the same noisy rows as the constants, as the best
/// of all partitions into m segments. zcmoe_segment_optimal_from_data() does not cut so.
///
/// On pure noise a given table lowers the sum of squared residuals by sigma^2 a segment, the best
/// partition by `parameters` sigma^2 a segment; this much is estimation error too. Statistics that
/// count one parameter a segment (mallows, gcv, leave_one_out) are wrong by this factor there. The
/// law 1 + 4/3 (1 - 1/m) ln(K / m) is fitted to simulations with K from 20 to 4,000, whose numbers
/// it meets within 6 % where m >= 8 and within 13 % at m = 3 to 7; at m = 2 it says 11 to 65 % too
/// much. It is exact at m = 1 and m = K. At K = 500:
/// @verbatim
///   m            2     3     5     10    20    50    100   250
///   simulated    3.16  5.26  5.73  5.64  5.11  4.05  3.13  1.85
///   the law      4.68  5.55  5.91  5.69  5.08  4.01  3.12  1.92
/// @endverbatim
///
/// @param[in]  num_segments  m, 1 to ZCMOE_MAX_SEGMENTS
/// @param[in]  num_places    K: distinct inputs, or the bins between which cuts are chosen; >= m
/// @param[in]  noise         sigma^2, >= 0, finite
/// @param[out] parameters    effective parameters a segment; may be NULL
/// @param[out] penalty       sigma^2 m (2 ln(K / m) + 5): the m that minimises rss + penalty is a
///   choice for functions with jumps, too small for smooth ones; may be NULL
/// @return ZCMOE_OK, or what any function may return
///
/// Cost: O(1). Source: Lebarbier 2005 (the penalty, near 2 sigma^2 m parameters).
ZCMOE_API zcmoe_status zcmoe_theory_learned_cuts(int64_t num_segments, int64_t num_places,
                                                 double noise, double* parameters, double* penalty);

/// @}
/// @defgroup theory_data Theory: from data alone
/// Noise, error and m from per-segment statistics of fitted tables.
/// @{

/// A fitted table, as zcmoe_model_info gives it (of a model without weights and shrinkage, whose
/// constants are the means). num_segments entries an array but for edges.
typedef struct zcmoe_theory_table {
  const int64_t* counts;    ///< rows, >= 0
  const double* means;      ///< finite; means[i] is not read where counts[i] is 0
  const double* variances;  ///< of the samples, divisor N - 1; not read where counts[i] is below 2
  const double* edges;      ///< [num_segments + 1]; NULL where the empty policy is not NEAREST
  int64_t num_segments;     ///< m, 1 to ZCMOE_MAX_SEGMENTS
} zcmoe_theory_table;

/// The statistics by which a number of segments is chosen.
typedef struct zcmoe_theory_statistics {
  int64_t num_rows;        ///< n
  int64_t num_nonempty;    ///< m+, segments with rows
  int64_t num_singletons;  ///< segments with one row
  double rss;              ///< sum of squared residuals
  /// V = sum N_i s_i^2 / sum N_i over N_i >= 2: mean sigma^2 + E_app(m); exactly if no segment has
  /// one row. NaN if none has two.
  double within;
  double risk;  ///< V + (1/n) sum s_i^2 N_i / (N_i - 1) over N_i >= 2: direct estimate of the risk
  /// Mean squared error when each row is predicted from the others, singletons by the empty policy:
  /// mean = exact risk with n - 1 rows. NaN if n < 2.
  double leave_one_out;
  double gcv;      ///< n rss / (n - m+)^2 (Craven & Wahba 1979); infinity if n = m+
  double mallows;  ///< rss / n + 2 sigma^2 m+ / n (Mallows 1973)
} zcmoe_theory_statistics;

/// Computes the statistics of a table. Exact closed forms, no refit: sum of (N/(N-1))^2 SSE_i over
/// N_i >= 2, (y - fallback)^2 over singletons. They assume a segmentation that was not learned from
/// the same targets.
///
/// @param[in]  table       the table
/// @param[in]  options     of which empty_policy, empty_value and shrinkage are read: what predicts
///   a row that is alone in its segment; NULL: the nearest other segment
/// @param[in]  noise       sigma^2, >= 0, finite; used by mallows alone
/// @param[out] statistics  the statistics
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also for counts < 0, NaN where a number is needed, edges
/// that
///   are needed and null, and ZCMOE_EMPTY_NAN when a singleton needs a prediction
/// @retval ZCMOE_ERR_DATA  there is no row
///
/// Cost: O(m), under PARENT O(m log m). Source: Allen 1974.
ZCMOE_API zcmoe_status zcmoe_theory_table_statistics(const zcmoe_theory_table* table,
                                                     const zcmoe_model_options* options,
                                                     double noise,
                                                     zcmoe_theory_statistics* statistics);

/// Estimates the noise variance from first differences: sum (y_{i+1} - y_i)^2 / (2 (n - 1)). Its
/// excess over sigma^2 is of order (range of b / n)^2.
///
/// @param[in]  targets  [n] in order of their inputs, finite
/// @param[in]  n        number of rows, >= 2
/// @param[out] noise    the estimate
/// @return ZCMOE_OK, or what any function may return
///
/// Cost: O(n). Source: Rice 1984.
ZCMOE_API zcmoe_status zcmoe_theory_rice(const double* targets, int64_t n, double* noise);

/// sigma^2 and A of V_m = sigma^2 + A / m^2, with standard errors.
typedef struct zcmoe_theory_fit {
  double approximation;        ///< A; may come out negative
  double noise;                ///< sigma^2; likewise
  double approximation_error;  ///< standard error of A, from the noise and n
  double noise_error;          ///< standard error of sigma^2
  int64_t num_levels;          ///< tables used
} zcmoe_theory_fit;

/// Estimates A and sigma^2 from two nested tables of m and 2m segments: A = 4/3 m^2 (V_m - V_2m),
/// sigma^2 = (4 V_2m - V_m) / 3.
///
/// The standard error of A is 4/3 m^2 sqrt(3 sigma^2 A / (m^2 n) + 2 sigma^4 m / n^2), which grows
/// with m: use the smallest m that passes the ratio test.
///
/// @param[in]  m          segments of the coarser table, 1 to ZCMOE_MAX_SEGMENTS
/// @param[in]  within_m   V_m, zcmoe_theory_statistics::within of that table, >= 0, finite
/// @param[in]  within_2m  V_2m, of the finer table, >= 0, finite
/// @param[in]  n          rows of both, >= 1
/// @param[out] fit        the estimates
/// @return ZCMOE_OK, or what any function may return
///
/// Cost: O(1).
ZCMOE_API zcmoe_status zcmoe_theory_richardson(int64_t m, double within_m, double within_2m,
                                               int64_t n, zcmoe_theory_fit* fit);

/// Estimates A and sigma^2 by least squares of V on 1 and m^-2 over the tables with 6 <= m <= n / 8
/// (all are of equal weight).
///
/// Standard errors: the noise of V_m, sqrt(2 sigma^4 / n), common to nested tables, for sigma^2;
/// that of the differences of V for A.
///
/// @param[in]  num_segments  m of each table, [num_levels], 1 to ZCMOE_MAX_SEGMENTS
/// @param[in]  within        V of each table, [num_levels], >= 0, finite
/// @param[in]  num_levels    number of tables, >= 2
/// @param[in]  n             rows of each, >= 1
/// @param[out] fit           the estimates
/// @retval ZCMOE_ERR_DATA  fewer than two distinct m are left
///
/// Cost: O(num_levels^2).
ZCMOE_API zcmoe_status zcmoe_theory_parametric_fit(const int64_t* num_segments,
                                                   const double* within, int64_t num_levels,
                                                   int64_t n, zcmoe_theory_fit* fit);

/// What a ratio test says; one of the three numbers below.
typedef int32_t zcmoe_theory_verdict;
/// Values of zcmoe_theory_verdict.
enum {
  ZCMOE_THEORY_UNINFORMATIVE = 0,  ///< too few samples to tell at this m
  ZCMOE_THEORY_HOLDS = 1,          ///< the high-rate form holds within 5 % as far as can be seen
  ZCMOE_THEORY_FAILS = 2           ///< it does not: m too small, or b jumps (ratio near 2)
};
/// What zcmoe_theory_ratio_test() tells.
typedef struct zcmoe_theory_ratio {
  double ratio;           ///< rho = (V_m - V_2m) / (V_2m - V_4m): 4 at high rate, 2 at a jump
  double standard_error;  ///< of rho; infinity if it cannot be told
  double gap;             ///< gap(m) that rho means: (rho / 4 - 1) 16/15
  /// |rho/4 - 1| against 0.047 (gap 5 %), 2 standard errors allowed; informative if the relative
  /// standard error of rho is at most 0.15.
  zcmoe_theory_verdict verdict;
  int32_t reserved;  ///< 0
} zcmoe_theory_ratio;

/// Tests whether the high-rate form may be used at m, from nested tables of m, 2m, 4m segments.
///
/// The standard error of rho / 4 is about 5 m sigma / sqrt(A n): informative for n of
/// 10^3 m^2 sigma^2 / A and more.
///
/// @param[in]  m          segments of the coarsest table, 1 to ZCMOE_MAX_SEGMENTS
/// @param[in]  within_m   V_m, zcmoe_theory_statistics::within of that table, >= 0, finite
/// @param[in]  within_2m  V_2m, >= 0, finite
/// @param[in]  within_4m  V_4m, >= 0, finite
/// @param[in]  n          rows of each table, >= 1
/// @param[out] ratio      the ratio and the verdict
/// @return ZCMOE_OK, or what any function may return
///
/// Cost: O(1).
ZCMOE_API zcmoe_status zcmoe_theory_ratio_test(int64_t m, double within_m, double within_2m,
                                               double within_4m, int64_t n,
                                               zcmoe_theory_ratio* ratio);

/// What an m was recommended by; one of the two numbers below.
typedef int32_t zcmoe_theory_method;
/// Values of zcmoe_theory_method.
enum {
  ZCMOE_THEORY_PARAMETRIC = 0,    ///< m from A and sigma^2
  ZCMOE_THEORY_LEAVE_ONE_OUT = 1  ///< the table with the least leave-one-out error
};
/// What zcmoe_theory_recommend() tells.
typedef struct zcmoe_theory_recommendation {
  int64_t num_segments;  ///< recommended m
  /// Lower end of the 95 % interval of the best m, from that of A; LEAVE_ONE_OUT: of the tables
  /// within one standard error of the least.
  double lower;
  double upper;          ///< its upper end
  double excess;         ///< predicted excess risk at num_segments: approximation + estimation
  double excess_lower;   ///< lower end of its 95 % interval
  double excess_upper;   ///< its upper end
  double approximation;  ///< A / m^2; LEAVE_ONE_OUT: V_m - sigma^2
  double estimation;     ///< sigma^2 m / n, m counting the segments that hold rows
  double risk;           ///< predicted risk there: sigma^2 + excess
  /// A and sigma^2 at the scale of m; LEAVE_ONE_OUT: A is NaN if no two pairs of tables tell it.
  zcmoe_theory_fit fit;
  /// The ratio test at the finest tables that can tell; ratio NaN if no three tables nest.
  zcmoe_theory_ratio test;
  int64_t tested_segments;     ///< its m; 0: none
  int64_t best_level;          ///< index of the table with the least leave-one-out error
  zcmoe_theory_method method;  ///< by what m was recommended
  int32_t reserved;            ///< 0
} zcmoe_theory_recommendation;

/// Recommends how many segments to take, from tables of one sample at several m (m, 2m, 4m, ... of
/// one family: one fine fit merged gives them all).
///
/// Each pair of tables of k and 2k <= n / 4 segments estimates A = 4/3 k^2 (V_k - V_2k); their
/// mean, weighted by noise and by an allowance of a quarter of A for each octave between k and m,
/// puts m = (2 A n / sigma^2)^(1/3), starting from the table with the least leave-one-out error and
/// repeated until m settles; sigma^2 = V_k - A / k^2 at the finest k <= n / 8. A need not be known
/// well: twice A is a quarter more m, which costs 5 % of the excess risk.
///
/// LEAVE_ONE_OUT, the table with the least such error, if fewer than two pairs can be used, if
/// sigma^2 comes out as 0, if the ratio test is off by more than a quarter with significance
/// (jumps), or if the fitted m has a leave-one-out error that is 3 standard errors above the least.
///
/// @param[in]  tables          [num_tables], num_segments strictly rising, all of the same number
/// of
///   rows
/// @param[in]  num_tables      number of tables, >= 1
/// @param[in]  options         as zcmoe_theory_table_statistics()
/// @param[out] recommendation  m and what it rests on
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also if tables differ in their number of rows, and as
///   zcmoe_theory_table_statistics()
/// @retval ZCMOE_ERR_DATA  the tables have fewer than two rows
///
/// Cost: the statistics of each table.
ZCMOE_API zcmoe_status zcmoe_theory_recommend(const zcmoe_theory_table* tables, int64_t num_tables,
                                              const zcmoe_model_options* options,
                                              zcmoe_theory_recommendation* recommendation);

/// @}
/// @defgroup theory_several Theory: several inputs
/// Constant experts on cells of d inputs: errors at high rate and exactly, shapes, product grids.
/// @{

/// The most inputs that integrals are computed over.
#define ZCMOE_THEORY_MAX_INPUTS 6

/// A function of a point x [d], and a user pointer.
typedef double (*zcmoe_theory_point_function)(void* user, const double* x);
/// Writes the gradient of b at x [d] to gradient [d].
typedef void (*zcmoe_theory_gradient)(void* user, const double* x, double* gradient);

/// Known functions of d inputs on a box. Functions are asked inside it, must return finite numbers
/// (else NUMERIC, naming the function) and the same for the same x. Members that a call does not
/// read may be NULL.
typedef struct zcmoe_theory_field {
  size_t struct_size;                      ///< sizeof(zcmoe_theory_field)
  int64_t num_inputs;                      ///< d, 1 to ZCMOE_THEORY_MAX_INPUTS
  const double* lo;                        ///< [d], finite
  const double* hi;                        ///< [d], finite, above lo
  zcmoe_theory_point_function density;     ///< p >= 0, of any scale; NULL: uniform
  zcmoe_theory_point_function regression;  ///< b
  zcmoe_theory_gradient gradient;          ///< of b
  void* user;                              ///< passed to all
} zcmoe_theory_field;
/// No function is given yet.
#define ZCMOE_THEORY_FIELD_INIT \
  { sizeof(zcmoe_theory_field), 0, NULL, NULL, NULL, NULL, NULL, NULL }

/// Shapes of cells. One of the numbers below.
typedef int32_t zcmoe_cell_shape;
/// Values of zcmoe_cell_shape.
enum {
  ZCMOE_CELL_CUBE = 0,                  ///< interval, square, cube: any d
  ZCMOE_CELL_BALL = 1,                  ///< any d; no cell of that volume has a smaller moment
  ZCMOE_CELL_LIMIT = 2,                 ///< of balls as d grows, 1 / (2 pi e)
  ZCMOE_CELL_HEXAGON = 3,               ///< regular, d = 2
  ZCMOE_CELL_TRIANGLE = 4,              ///< regular, d = 2
  ZCMOE_CELL_TRUNCATED_OCTAHEDRON = 5,  ///< of the body-centred cubic lattice, d = 3
  ZCMOE_CELL_D4 = 6,                    ///< Voronoi cell of the lattice D4, d = 4
  ZCMOE_CELL_E8 = 7                     ///< Voronoi cell of the lattice E8, d = 8
};

/// Computes the normalised second moment of a shape, a dimension: M = integral of |x - centre|^2 /
/// (d V^(1 + 2/d)).
///
/// @param[in]  shape       the shape
/// @param[in]  num_inputs  d, 1 to 64
/// @param[out] moment      M, between that of the ball and 1/12 for shapes that tile
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also where the shape does not exist in d dimensions
///
/// Cost: O(1). Source: Conway & Sloane 1982.
ZCMOE_API zcmoe_status zcmoe_theory_moment(zcmoe_cell_shape shape, int64_t num_inputs,
                                           double* moment);

/// Computes the error of given cells at high rate, sum_i p_i g_i^T T_i g_i, and the bound
/// sum_i p_i |g_i|^2 trace(T_i) that holds for cells of any direction, where T_i is the integral
/// over the cell of (x - centre)(x - centre)^T. For cubes the bound is d times the error.
///
/// @param[in]  num_inputs  d, 1 to 64
/// @param[in]  num_cells   m, >= 1
/// @param[in]  densities   [m], p at the centres, normalised, >= 0, finite
/// @param[in]  gradients   [m d], of b at the centres, finite
/// @param[in]  moments     [m d d], T_i, finite
/// @param[out] error       the high-rate error
/// @param[out] bound       the bound; may be NULL
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also for wrong entries; the error names the first bad index
///
/// Cost: O(m d^2). Source: Dar 2025 (bound); exact value by expansion of b about the centres.
ZCMOE_API zcmoe_status zcmoe_theory_cells_error(int64_t num_inputs, int64_t num_cells,
                                                const double* densities, const double* gradients,
                                                const double* moments, double* error,
                                                double* bound);

/// Computes the coefficient of each axis of a product grid: at high rate its error is
/// 1/12 sum_j coefficient_j / m_j^2. UNIFORM: S_j = width_j^2 E (d_j b)^2. OPTIMAL: of companders
/// of their own, C_j = (integral of q_j^(1/3))^3, q_j(x_j) the integral of p (d_j b)^2 over the
/// others.
///
/// @param[in]  field         of which density and gradient are read
/// @param[in]  segmentation  ZCMOE_THEORY_UNIFORM or ZCMOE_THEORY_OPTIMAL
/// @param[out] coefficients  [d]
/// @retval ZCMOE_ERR_NUMERIC  as zcmoe_theory_field says; an integral diverges or is not resolved
/// to
///   1e-8 by 2^26 evaluations
///
/// Cost: 15^d evaluations a box of the quadrature; OPTIMAL: 15^(d-1) for each of about 10^4 values
/// of each q_j. Relative accuracy 1e-10 where functions are smooth.
ZCMOE_API zcmoe_status zcmoe_theory_axis_coefficients(const zcmoe_theory_field* field,
                                                      zcmoe_theory_segmentation segmentation,
                                                      double* coefficients);

/// Computes the best numbers of segments of the axes of a product grid, as real numbers,
/// m_j = sqrt(c_j) (m / prod sqrt(c_k))^(1/d) over axes of positive coefficient, and what the error
/// is then: d/12 m^(-2/d) (prod c_k)^(1/d). Axes of coefficient 0 get 1 and do not count in d.
///
/// @param[in]  coefficients  [num_inputs], >= 0, finite
/// @param[in]  num_inputs    d, 1 to 1,024
/// @param[in]  num_cells     m, >= 1, finite
/// @param[out] counts        [num_inputs]; may be NULL
/// @param[out] error         may be NULL
/// @return ZCMOE_OK, or what any function may return
///
/// Cost: O(d).
ZCMOE_API zcmoe_status zcmoe_theory_aspect(const double* coefficients, int64_t num_inputs,
                                           double num_cells, double* counts, double* error);

/// Allocates whole numbers of segments to the axes of a product grid: from 1 each, the axis whose
/// next segment takes most error away for what it multiplies the number of cells by, as long as
/// there are at most m cells.
///
/// @param[in]  coefficients  [num_inputs], >= 0, finite
/// @param[in]  num_inputs    d, 1 to 1,024
/// @param[in]  num_cells     m, 1 to ZCMOE_MAX_SEGMENTS
/// @param[out] counts        [num_inputs], of product at most m; 1 where the coefficient is 0
/// @return ZCMOE_OK, or what any function may return
///
/// Cost: O(d sum of counts).
ZCMOE_API zcmoe_status zcmoe_theory_allocate(const double* coefficients, int64_t num_inputs,
                                             int64_t num_cells, int64_t* counts);

/// Builds the compander's edges of an axis: point density proportional to q_j^(1/3), see
/// zcmoe_theory_axis_coefficients().
///
/// @param[in]  field            of which density and gradient are read
/// @param[in]  axis             j, 0 to d - 1
/// @param[in]  num_segments     m_j, 1 to ZCMOE_MAX_SEGMENTS
/// @param[in]  uniform_mixture  share of the uniform density, 0 to 1
/// @param[out] edges            buffer of m_j + 1 doubles
/// @param[out] num_built        segments built, 1 to m_j
/// @retval ZCMOE_ERR_NUMERIC  as zcmoe_theory_axis_coefficients()
///
/// Cost: 15^(d-1) evaluations for each of about 10^4 values of q_j.
ZCMOE_API zcmoe_status zcmoe_theory_axis_edges(const zcmoe_theory_field* field, int64_t axis,
                                               int64_t num_segments, double uniform_mixture,
                                               double* edges, int64_t* num_built);

/// Cells that follow the optimal density. One of the numbers below.
typedef int32_t zcmoe_theory_cell_family;
/// Values of zcmoe_theory_cell_family.
enum {
  /// As long in every direction: error M m^(-2/d) coefficient, M of zcmoe_theory_moment().
  ZCMOE_CELLS_ISOTROPIC = 0,
  ZCMOE_CELLS_BOXES = 1,      ///< sides 1 / |d_j b|: error d/12 m^(-2/d) coefficient
  ZCMOE_CELLS_LEVEL_SETS = 2  ///< of b: error 1/12 m^(-2) coefficient, in any d
};

/// Computes the coefficient of the least error of a family of cells at high rate.
///
/// ISOTROPIC: (integral of f^(d/(d+2)))^((d+2)/d), f = p |grad b|^2. BOXES: the same with
/// f = p prod_j |d_j b|^(2/d). LEVEL_SETS: (integral of f_Z^(1/3))^3, f_Z the density of b(X), from
/// 2^22 values of b in 64 MiB, to about 1e-3.
///
/// @param[in]  field        of which density and gradient are read; LEVEL_SETS: density, regression
/// @param[in]  family       the family
/// @param[out] coefficient  the coefficient, >= 0
/// @retval ZCMOE_ERR_NUMERIC  as zcmoe_theory_axis_coefficients()
///
/// Source: Zador 1982, Gersho 1979; for level sets scalar quantization of b(X).
ZCMOE_API zcmoe_status zcmoe_theory_cells_coefficient(const zcmoe_theory_field* field,
                                                      zcmoe_theory_cell_family family,
                                                      double* coefficient);

/// Computes the best cell of a volume where the level surfaces of b have a curvature: a box of
/// width w along the gradient and length L along each other direction, L^(2(d+1)) = 30 V^2 /
/// curvature^2, and the mean squared error in it, |grad b|^2 (d+1)/24 30^(-(d-1)/(d+1))
/// curvature^(2(d-1)/(d+1)) V^(4/(d+1)). So rotated cells err like m^(-4/(d+1)) where cubes err
/// like m^(-2/d).
///
/// @param[in]  num_inputs  d, 2 to 64
/// @param[in]  slope       |grad b| >= 0, finite
/// @param[in]  curvature   of the level surface, > 0, finite
/// @param[in]  volume      V > 0, finite
/// @param[out] length      L; may be NULL
/// @param[out] variance    the mean squared error in the cell; may be NULL
/// @return ZCMOE_OK, or what any function may return
///
/// Cost: O(1).
ZCMOE_API zcmoe_status zcmoe_theory_rotated_cell(int64_t num_inputs, double slope, double curvature,
                                                 double volume, double* length, double* variance);

/// Computes the exact error of a table on boxes, sum of the integrals of p (b - constant)^2, p
/// normalised over the boxes, which must not overlap.
///
/// @param[in]  field          of which density and regression are read
/// @param[in]  boxes          [num_boxes 2 d]: lo and hi of each box, inside the field's
/// @param[in]  num_boxes      m, 1 to ZCMOE_MAX_SEGMENTS
/// @param[in]  constants      [num_boxes], finite; NULL: the conditional means
/// @param[out] probabilities  [num_boxes]; may be NULL
/// @param[out] means          [num_boxes], E[b | box], b at the centre where p is 0; may be NULL
/// @param[out] errors         [num_boxes], of each box; may be NULL
/// @param[out] error          of the table; may be NULL
/// @retval ZCMOE_ERR_NUMERIC  as zcmoe_theory_axis_coefficients()
///
/// Cost: 2 * 15^d evaluations a box, more where a box does not resolve b or p.
ZCMOE_API zcmoe_status zcmoe_theory_box_errors(const zcmoe_theory_field* field, const double* boxes,
                                               int64_t num_boxes, const double* constants,
                                               double* probabilities, double* means, double* errors,
                                               double* error);

/// Builds boxes by halving the range, best first: the box with the largest error is cut in its
/// middle, across the axis with the largest h_j^2 E (d_j b)^2. Not the axis with the largest gain
/// of one cut, which stalls where a cut gains nothing by symmetry. In one dimension dyadic tables
/// err by at most 13 % more than the compander.
///
/// @param[in]  field      of which density, regression and gradient are read
/// @param[in]  num_boxes  m, 1 to 2^20
/// @param[out] boxes      [num_boxes 2 d]: lo and hi of each, in descending order of their errors
/// @param[out] num_built  boxes built, fewer than m where doubles end
/// @retval ZCMOE_ERR_NUMERIC  as zcmoe_theory_axis_coefficients()
///
/// Cost: (1 + d) 15^d evaluations for each of 2 m boxes.
ZCMOE_API zcmoe_status zcmoe_theory_halving_tree(const zcmoe_theory_field* field, int64_t num_boxes,
                                                 double* boxes, int64_t* num_built);

/// @}

#ifdef __cplusplus
}
#endif
#endif
