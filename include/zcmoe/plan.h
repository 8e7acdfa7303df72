/// @file
/// zcmoe plan: how many segments to take and where to cut, from samples alone; and what a fitted
/// model says of itself. Part of the C ABI; the rules at the top of zcmoe.h hold.
///
/// The model of the data is that of theory.h: y = b(x) + noise; a table of m segments learned from
/// N rows has the expected risk sigma^2 + E_app(m) + E_est(m), E_app close to A / m^2, E_est close
/// to sigma^2 m / N. The excess risk is the sum of the last two. Units: errors, variances and risks
/// in (unit of y)^2.
#ifndef ZCMOE_PLAN_H
#define ZCMOE_PLAN_H

#include <zcmoe/theory.h>
#include <zcmoe/zcmoe.h>

#ifdef __cplusplus
extern "C" {
#endif

/// @defgroup plan Plan
/// How many segments to take and of which kind, from samples.
/// @{

/// The segmentations that a plan compares; index of zcmoe_plan_result::candidates.
enum {
  ZCMOE_PLAN_UNIFORM = 0,       ///< zcmoe_segment_uniform() over the range
  ZCMOE_PLAN_QUANTILE = 1,      ///< zcmoe_segment_quantile()
  ZCMOE_PLAN_OPTIMAL = 2,       ///< zcmoe_segment_optimal_from_data()
  ZCMOE_PLAN_COMPANDER = 3,     ///< zcmoe_segment_compander_from_data()
  ZCMOE_PLAN_SEGMENTATIONS = 4  ///< how many there are
};

/// The most levels of a candidate's curve.
#define ZCMOE_PLAN_MAX_LEVELS 48
/// The largest m that a plan can look at.
#define ZCMOE_PLAN_MAX_SEGMENTS ((int64_t)3 << 20)

/// A method beside those of theory.h.
enum {
  /// The least excess risk on a spline estimate of b, taken for the truth: OPTIMAL.
  ZCMOE_PLAN_PILOT = 2
};

/// What to be careful about; bits of `warnings`.
enum {
  /// n is too small for the fitted form: m is that of the least leave-one-out error.
  ZCMOE_PLAN_FEW_ROWS = 1,
  /// The ratio test fails: E_app does not fall as 1/m^2 near the m recommended.
  ZCMOE_PLAN_NOT_HIGH_RATE = 2,
  /// E_app falls as 1/m: b jumps, or segments are long against its features.
  ZCMOE_PLAN_JUMPS = 4,
  /// At the m recommended more than 1 in 10 segments hold fewer than 5 rows.
  ZCMOE_PLAN_STARVED = 8,
  /// The best m reaches the limit: max_segments, one row a segment, or (UNIFORM) as many equal
  /// widths as the range has doubles for.
  ZCMOE_PLAN_AT_LIMIT = 16,
  /// The held-out error is more than 3 standard errors from the one predicted.
  ZCMOE_PLAN_HOLDOUT_DISAGREES = 32,
  /// x says nothing of y as far as can be seen: one segment is as good as any.
  ZCMOE_PLAN_NO_SIGNAL = 64,
  /// The inputs have one value only, or the targets have.
  ZCMOE_PLAN_CONSTANT = 128,
  /// More segments were asked for than x has distinct values; m is the number of these.
  /// num_nonempty
  /// is how many of them the segments tell apart.
  ZCMOE_PLAN_TIED = 256
};

/// How a plan is made.
typedef struct zcmoe_plan_options {
  size_t struct_size;  ///< sizeof(zcmoe_plan_options)
  /// Usable rows that the model will be fitted to, if x and y are a sample of them; 0, the default:
  /// those of x and y.
  int64_t fit_rows;
  int64_t max_segments;  ///< largest m looked at, 1 to ZCMOE_PLAN_MAX_SEGMENTS; default 24,576
  double holdout;  ///< share of rows kept out for the cross-check, 0 (none) to 0.5; default 0.2
  /// Lower end of the range of the segmentations, finite; lo == hi, the default: the range is that
  /// of the data. Rows outside it are left out.
  double lo;
  double hi;               ///< its upper end, finite, >= lo
  double uniform_mixture;  ///< COMPANDER; this and the three below: as in zcmoe_plug_in_options
  double floor;            ///< see there
  double min_count;        ///< see there
  int64_t pilot_bins;      ///< see there
  /// 1, the default: levels tell the errors of experts that are lines too; 0: these are NaN. They
  /// take longer than all else where rows are millions.
  int64_t lines;
} zcmoe_plan_options;
/// All defaults.
#define ZCMOE_PLAN_OPTIONS_INIT \
  { sizeof(zcmoe_plan_options), 0, 24576, 0.2, 0.0, 0.0, 0.1, 0.02, 5.0, 0, 1 }

/// One number of segments on the curve.
typedef struct zcmoe_plan_level {
  int64_t num_segments;  ///< m asked for
  int64_t num_built;     ///< distinct segments, those with too few rows merged (COMPANDER)
  int64_t num_nonempty;  ///< of these, with rows
  int64_t num_starved;   ///< of these, with fewer than 5 rows, empty ones included
  double within;         ///< V_m of zcmoe_theory_statistics: mean sigma^2 + E_app(m); NaN if none
  double risk;           ///< direct estimate of the risk: V_m + estimation error; NaN if none
  double leave_one_out;  ///< exact leave-one-out error, singletons counted; NaN for one row
  /// Mean squared error on the rows held out, learned from the others; NaN: none.
  double holdout;
  /// Leave-one-out error of experts that are lines of their own (ZCMOE_EXPERTS_LINEAR), where rows
  /// are three times as many as segments; else NaN. The segments are the same, but OPTIMAL cuts
  /// are those of zcmoe_segment_lines_from_data().
  double linear_leave_one_out;
  double interpolate_leave_one_out;  ///< likewise of ZCMOE_EXPERTS_INTERPOLATE
} zcmoe_plan_level;

/// What is recommended for one segmentation.
typedef struct zcmoe_plan_candidate {
  int64_t segmentation;  ///< ZCMOE_PLAN_UNIFORM, _QUANTILE, _OPTIMAL or _COMPANDER
  int64_t num_segments;  ///< m recommended for fit_rows rows, >= 1
  int64_t num_nonempty;  ///< segments that hold rows, at the level nearest to it
  /// Lower end of an interval of the best m. PARAMETRIC: the 95 % interval, from that of A;
  /// LEAVE_ONE_OUT: of the levels whose error is within a standard deviation of the least; PILOT:
  /// NaN.
  double lower;
  double upper;   ///< its upper end
  double excess;  ///< predicted excess risk at num_segments; NaN for one row
  /// Lower end of its 95 % interval; NaN unless PARAMETRIC: elsewhere no interval is known that
  /// would hold it so often.
  double excess_lower;
  double excess_upper;   ///< its upper end
  double risk;           ///< predicted risk: noise + excess
  double approximation;  ///< of excess, the part that more segments lower: A / m^2
  double estimation;     ///< the part that more rows lower
  /// A and sigma^2 of V_m = sigma^2 + A / m^2, fitted about m. OPTIMAL: sigma^2 of the spline
  /// estimate.
  zcmoe_theory_fit fit;
  zcmoe_theory_ratio test;  ///< of the high-rate form; ratio NaN if it could not be made
  int64_t tested_segments;  ///< its m; 0: none
  /// ZCMOE_THEORY_PARAMETRIC, ZCMOE_THEORY_LEAVE_ONE_OUT or ZCMOE_PLAN_PILOT.
  int64_t method;
  int64_t leave_one_out_segments;  ///< the level with the least leave-one-out error
  int64_t holdout_segments;        ///< the level with the least held-out error; 0: none
  int64_t checked_segments;        ///< the level nearest to num_segments, compared on held-out rows
  double holdout_risk;             ///< held-out error there; NaN: none
  double holdout_expected;         ///< risk predicted there for the rows learned from
  double holdout_error;            ///< standard error of holdout_risk
  int64_t warnings;                ///< ZCMOE_PLAN_ bits
  /// The level with the least leave-one-out error of experts that are lines of their own; 0: none.
  int64_t linear_segments;
  int64_t interpolate_segments;                    ///< likewise of ZCMOE_EXPERTS_INTERPOLATE
  int64_t num_levels;                              ///< levels of the curve
  zcmoe_plan_level levels[ZCMOE_PLAN_MAX_LEVELS];  ///< 1, 2, 3, 4, 6, 8, 12, ...; [num_levels]
} zcmoe_plan_candidate;

/// What zcmoe_plan() tells.
typedef struct zcmoe_plan_result {
  size_t struct_size;  ///< sizeof(zcmoe_plan_result), set by the caller
  int64_t rows;        ///< offered
  int64_t rows_used;   ///< x and y finite, x in the range, weight > 0
  int64_t fit_rows;    ///< rows the recommendation is for, of the kind used
  /// (sum w)^2 / sum w^2 of the rows used; without weights, and with precisions, their number.
  double effective_rows;
  int64_t distinct_inputs;   ///< different values of x in the rows used
  double lo;                 ///< lower end of the range of the segmentations
  double hi;                 ///< its upper end
  double noise;              ///< sigma^2: of the best candidate's fit
  double noise_error;        ///< its standard error
  double rice;               ///< sigma^2 by zcmoe_theory_rice(), a check; NaN for one row
  int64_t best;              ///< the candidate with the least leave-one-out error of any level
  int64_t best_linear;       ///< the same for ZCMOE_EXPERTS_LINEAR
  int64_t best_interpolate;  ///< the same for ZCMOE_EXPERTS_INTERPOLATE
  int64_t warnings;          ///< of any candidate
  zcmoe_plan_candidate candidates[ZCMOE_PLAN_SEGMENTATIONS];  ///< by segmentation
} zcmoe_plan_result;

/// Plans how many segments to take, for each segmentation, from n samples in host memory. Host
/// function: waits.
///
/// One fine table is fitted by the context's engine for each segmentation, to the rows learned from
/// and to those held out; the tables of all m are sums of its segments, so the whole curve costs
/// one pass a segmentation. It has 3 2^k segments, or (OPTIMAL) the cuts of all m together.
///
/// m is chosen from V_m - V_2m = 3/4 A / m^2 over the levels about the m sought
/// (zcmoe_theory_recommend()); by the least leave-one-out error where the rows are too few for
/// that. OPTIMAL takes the m with the least sum of the error of its means on the spline estimate
/// and sigma^2 m / N, from all rows, and never more segments than there are distinct inputs. The
/// error of the m recommended is second order: half or twice the best m costs 67 or 42 % of the
/// excess risk, a quarter more 5 %.
///
/// The intervals are of the scatter of A and sigma^2 (OPTIMAL: those of the form above, about its
/// own m). Not in them: cuts placed by the same targets, and rows beyond the outermost ones, which
/// make the excess risk come out low where segments are starved (simulated: by up to a third).
///
/// Results at the edges: one row, or one value of x: m = 1. All y equal: m = 1, excess 0. Fewer
/// than 16 rows: leave-one-out. Rows with a NaN or infinite x or y, weight 0, or x outside the
/// range are left out. The result does not depend on the order of rows, the engine or its threads.
///
/// @param[in] context        whose engine fits
/// @param[in] x              inputs, [n], of any type; 64-bit integers are taken as the largest
///   doubles not above them
/// @param[in] y              targets, [n], of any type but 64-bit integers
/// @param[in] weights        [n], finite, >= 0, of any type but 64-bit integers; data NULL: all 1;
///   given: risks are weighted means, and rows count as (sum w)^2 / sum w^2 does; under
///   model_options->weights_kind = ZCMOE_WEIGHTS_PRECISION they count as their number, and noise is
///   that of a row of the mean weight
/// @param[in] n              number of rows
/// @param[in] model_options  closed side, kind of weights, and what empty segments predict; NULL:
///   the defaults; a policy that gives NaN counts as ZCMOE_EMPTY_NEAREST, and
///   ZCMOE_CONSTANTS_SMOOTH as means
/// @param[in] options        NULL: all defaults
/// @param[in,out] result     struct_size is read, the rest is filled
/// @retval ZCMOE_ERR_DATA  no row is left, or a weight is negative or not finite
///
/// Cost: that of zcmoe_segment_optimal_from_data(), and a pass of the engine for each segmentation;
/// 56 bytes a row (weighted 72) and two fit states of at most max_segments segments, or (OPTIMAL)
/// four times as many; of lines, O(n) for each level of each segmentation. Of many millions of rows
/// a sample and fit_rows are enough. Sources: theory.h; Dar 2025 (arXiv 2510.03151), section 6;
/// Allen 1974 (leave-one-out).
ZCMOE_API zcmoe_status zcmoe_plan(zcmoe_context* context, zcmoe_array x, zcmoe_array y,
                                  zcmoe_array weights, int64_t n,
                                  const zcmoe_model_options* model_options,
                                  const zcmoe_plan_options* options, zcmoe_plan_result* result);

/// @}
/// @defgroup diagnosis Diagnosis
/// What a fitted model says of itself.
/// @{

/// What zcmoe_model_diagnose() tells of each segment. Each array [num_segments] or NULL: not
/// wanted.
typedef struct zcmoe_diagnosis_segments {
  /// Share of E_app: P_i (slope times width)^2 / 12, not below 0 and not above P_i s_i^2, so the
  /// shares may add up to other than E_app; NaN where that is.
  double* approximation;
  /// Share of E_est: P_i times the squared standard error, times N_i / (N_i - 1); 0 without rows,
  /// NaN with one row.
  double* estimation;
} zcmoe_diagnosis_segments;
/// No array is wanted.
#define ZCMOE_DIAGNOSIS_SEGMENTS_INIT \
  { NULL, NULL }

/// The expected risk of a fitted model and its parts.
typedef struct zcmoe_model_diagnosis {
  size_t struct_size;      ///< sizeof(zcmoe_model_diagnosis), set by the caller
  int64_t num_rows;        ///< in the segments of the range
  int64_t num_segments;    ///< m
  int64_t num_empty;       ///< segments without rows
  int64_t num_singletons;  ///< with one
  int64_t num_starved;     ///< with fewer than 5, these included
  double risk;             ///< expected squared error on a new row: the sum of the next three
  double noise;            ///< sigma^2: V - approximation, not below 0; NaN as approximation
  /// E_app, what more segments would lower; not below 0. NaN, as the fields that follow from it,
  /// where the variances within segments refute it: the relation jumps.
  double approximation;
  double estimation;  ///< E_est = sum P_i s_i^2 / (N_i - 1), what more rows would lower
  /// Standard error of risk: that of normal noise, or, if larger, what the spread of the variances
  /// of neighbouring segments tells, whatever the noise's tails.
  double risk_error;
  double approximation_error;  ///< standard error of approximation
  /// Leave-one-out error, exact for means; of smooth constants from their standard errors, within a
  /// few per cent. NaN with weights.
  double leave_one_out;
  /// E_app with the cuts moved to where every segment has the same error, over E_app as it is: 1 =
  /// nothing to gain, NaN if E_app cannot be seen.
  double equal_error;
  /// m that the split asks for at equal cuts: m (2 E_app / E_est)^(1/3); NaN if E_est is 0.
  double best_segments;
} zcmoe_model_diagnosis;

/// Computes the expected risk of a fitted model and its parts, from its counts, constants and
/// variances alone. Host function.
///
/// With V = sum P_i s_i^2 = sigma^2 + E_app: E_app is the sum over the segments of P_i / 12 times
/// the squared rise of b across segment i, the rise taken from the constants of its neighbours that
/// have rows and corrected for their standard errors. P_i: share of the rows (weighted: of the
/// weight). Valid where the high-rate form is: segments short against the features of b. Rows on
/// which the cuts were placed make E_app come out low where segments are starved. Shrinkage is
/// undone to tell the rises, and counted in E_est.
///
/// Where weights are precisions, s_i^2 is the variance of the model times N_i / W_i: that of a row
/// of the mean weight of its segment. So sigma^2 is the noise of a row of the mean weight of all,
/// and the risk what the weighted mean of squared errors is expected to be.
///
/// Smooth constants: rises are not corrected, and E_est is that of the standard errors or, if more
/// and without weights, the error of the rows learned from plus 2 sum P_i error_i^2, less V, which
/// also holds what the fit misses and segments of one row. best_segments is NaN.
///
/// @param[in]     model      the model
/// @param[in]     segments   where to write the share of each segment; may be NULL
/// @param[in,out] diagnosis  struct_size is read, the rest is filled
/// @retval ZCMOE_ERR_DATA  no segment of the range has two rows, as in a model from known constants
///
/// Cost: O(m). Sources: theory.h (3.1), (5.1); Dar 2025, theorem 3 (equal errors at the optimum).
ZCMOE_API zcmoe_status zcmoe_model_diagnose(const zcmoe_model* model,
                                            const zcmoe_diagnosis_segments* segments,
                                            zcmoe_model_diagnosis* diagnosis);

/// Computes confidence intervals of the segments' true means, E[y | x in segment]. Host function.
///
/// They are mean -+ t s / sqrt(N), t the quantile of Student's distribution with N - 1 degrees of
/// freedom (weighted: N = (sum w)^2 / sum w^2; precisions: s / sqrt(N) is sqrt(variance / W), and N
/// the count). They do not hold b(x), which differs from the mean
/// of its segment by up to half the rise across it, and they are not prediction intervals of y.
/// Exact for normal noise of one variance in segments that resolve b. Shrinkage is undone: the
/// intervals are about the means of the rows, not the constants drawn from them. Those of smooth
/// constants are constant -+ t error, t with the degrees of freedom of all rows within segments;
/// they leave out a bias that all splines of the fit share.
///
/// @param[in]  model       the model
/// @param[in]  confidence  between 0 and 1, exclusive
/// @param[out] lower       [num_segments + 3], by slot; NaN with fewer than two rows (smooth: none)
/// @param[out] upper       likewise
/// @return ZCMOE_OK, or what any function may return
///
/// Cost: one quantile a different N. Source: Student 1908.
ZCMOE_API zcmoe_status zcmoe_model_intervals(const zcmoe_model* model, double confidence,
                                             double* lower, double* upper);

/// @}

#ifdef __cplusplus
}
#endif
#endif
