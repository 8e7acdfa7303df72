/* zcmoe plan: how many segments to take and where to cut, from samples alone; and what a fitted
 * model says of itself. Part of the C ABI; the rules at the top of zcmoe.h hold.
 *
 * The model of the data is that of theory.h: y = b(x) + noise; a table of m segments learned from N
 * rows has the expected risk sigma^2 + E_app(m) + E_est(m), E_app close to A / m^2, E_est close to
 * sigma^2 m / N. The excess risk is the sum of the last two. Units: errors, variances and risks in
 * (unit of y)^2.
 */
#ifndef ZCMOE_PLAN_H
#define ZCMOE_PLAN_H

#include <zcmoe/theory.h>
#include <zcmoe/zcmoe.h>

#ifdef __cplusplus
extern "C" {
#endif

/* -------------------------------------------------------------------- plan */

/* The segmentations that a plan compares; index of zcmoe_plan_result::candidates. */
enum {
  ZCMOE_PLAN_UNIFORM = 0,  /* zcmoe_segment_uniform over the range */
  ZCMOE_PLAN_QUANTILE = 1, /* zcmoe_segment_quantile */
  ZCMOE_PLAN_OPTIMAL = 2,  /* zcmoe_segment_optimal_from_data */
  ZCMOE_PLAN_SEGMENTATIONS = 3
};

#define ZCMOE_PLAN_MAX_LEVELS 48
#define ZCMOE_PLAN_MAX_SEGMENTS ((int64_t)3 << 20)

/* What to be careful about; bits of `warnings`. */
enum {
  /* n is too small for the fitted form: m is that of the least leave-one-out error */
  ZCMOE_PLAN_FEW_ROWS = 1,
  /* the ratio test fails: E_app does not fall as 1/m^2 near the m recommended */
  ZCMOE_PLAN_NOT_HIGH_RATE = 2,
  /* E_app falls as 1/m: b jumps, or segments are long against its features */
  ZCMOE_PLAN_JUMPS = 4,
  /* at the m recommended more than 1 in 10 segments hold fewer than 5 rows */
  ZCMOE_PLAN_STARVED = 8,
  /* the best m reaches the limit: max_segments, one row a segment, or (UNIFORM) as many equal
     widths as the range has doubles for */
  ZCMOE_PLAN_AT_LIMIT = 16,
  /* the held-out error is more than 3 standard errors from the one predicted */
  ZCMOE_PLAN_HOLDOUT_DISAGREES = 32,
  /* x says nothing of y as far as can be seen: one segment is as good as any */
  ZCMOE_PLAN_NO_SIGNAL = 64,
  /* the inputs have one value only, or the targets have */
  ZCMOE_PLAN_CONSTANT = 128,
  /* x has fewer distinct values than m: most segments are empty or, where equal edges are dropped,
     not built. num_nonempty is how many rows can tell apart */
  ZCMOE_PLAN_TIED = 256
};

typedef struct zcmoe_plan_options {
  size_t struct_size;
  /* Usable rows that the model will be fitted to, if x and y are a sample of them; 0: those of x
     and y. */
  int64_t fit_rows;
  /* Largest m looked at, 1 to ZCMOE_PLAN_MAX_SEGMENTS; default 24 576. */
  int64_t max_segments;
  double holdout; /* share of rows kept out for the cross-check, 0 (none) to 0.5; default 0.2 */
  double lo;      /* range of the segmentations; lo == hi: that of the data. Rows outside it are */
  double hi;      /* left out */
  double uniform_mixture; /* these four: zcmoe_plug_in_options */
  double floor;
  double min_count;
  int64_t pilot_bins; /* at most ZCMOE_MAX_PILOT_BINS */
} zcmoe_plan_options;
#define ZCMOE_PLAN_OPTIONS_INIT \
  { sizeof(zcmoe_plan_options), 0, 24576, 0.2, 0.0, 0.0, 0.1, 0.02, 5.0, 0 }

/* One number of segments on the curve. */
typedef struct zcmoe_plan_level {
  int64_t num_segments; /* m asked for */
  int64_t num_built;    /* distinct segments, those with too few rows merged (OPTIMAL) */
  int64_t num_nonempty; /* of these, with rows */
  int64_t num_starved;  /* of these, with fewer than 5 rows, empty ones included */
  double within;        /* V_m of zcmoe_theory_statistics: mean sigma^2 + E_app(m); NaN if none */
  double risk;          /* direct estimate of the risk: V_m + estimation error; NaN if none */
  double leave_one_out; /* exact leave-one-out error, singletons counted; NaN for one row */
  double holdout;       /* mean squared error on the rows held out, learned from the others; NaN:
                           none */
} zcmoe_plan_level;

/* What is recommended for one segmentation. */
typedef struct zcmoe_plan_candidate {
  int64_t segmentation; /* ZCMOE_PLAN_UNIFORM, _QUANTILE or _OPTIMAL */
  int64_t num_segments; /* m recommended for fit_rows rows, >= 1 */
  int64_t num_nonempty; /* segments that hold rows, at the level nearest to it */
  double lower;         /* 95 % interval of the best m */
  double upper;
  double excess;       /* predicted excess risk at num_segments; NaN for one row */
  double excess_lower; /* its 95 % interval */
  double excess_upper;
  double risk;                    /* predicted risk: noise + excess */
  double approximation;           /* of excess, the part that more segments lower: A / m^2 */
  double estimation;              /* the part that more rows lower */
  zcmoe_theory_fit fit;           /* A and sigma^2 of V_m = sigma^2 + A / m^2, fitted about m */
  zcmoe_theory_ratio test;        /* of the high-rate form; ratio NaN if it could not be made */
  int64_t tested_segments;        /* its m; 0: none */
  int64_t method;                 /* ZCMOE_THEORY_PARAMETRIC or ZCMOE_THEORY_LEAVE_ONE_OUT */
  int64_t leave_one_out_segments; /* the level with the least leave-one-out error */
  int64_t holdout_segments;       /* the level with the least held-out error; 0: none */
  int64_t checked_segments; /* the level nearest to num_segments, at which hold-out was compared */
  double holdout_risk;      /* held-out error there; NaN: none */
  double holdout_expected;  /* risk predicted there for the rows learned from */
  double holdout_error;     /* standard error of holdout_risk */
  int64_t warnings;         /* ZCMOE_PLAN_ bits */
  int64_t num_levels;
  zcmoe_plan_level levels[ZCMOE_PLAN_MAX_LEVELS]; /* 1, 2, 3, 4, 6, 8, 12, ...; [num_levels] */
} zcmoe_plan_candidate;

typedef struct zcmoe_plan_result {
  size_t struct_size;
  int64_t rows;            /* offered */
  int64_t rows_used;       /* x and y finite, x in the range, weight > 0 */
  int64_t fit_rows;        /* rows the recommendation is for, of the kind used */
  double effective_rows;   /* (sum w)^2 / sum w^2 of the rows used; without weights their number */
  int64_t distinct_inputs; /* different values of x in the rows used */
  double lo;               /* range of the segmentations */
  double hi;
  double noise;       /* sigma^2: of the best candidate's fit */
  double noise_error; /* its standard error */
  double rice;        /* sigma^2 by zcmoe_theory_rice, a check; NaN for one row */
  int64_t best;       /* the candidate with the least predicted risk */
  int64_t warnings;   /* of any candidate */
  zcmoe_plan_candidate candidates[ZCMOE_PLAN_SEGMENTATIONS];
} zcmoe_plan_result;

/* How many segments to take, for each segmentation, from n samples in host memory. One fine table
 * of 3 2^k segments is fitted by the context's engine, to the rows learned from and to those held
 * out; every coarser table is the sum of its segments, so the whole curve costs one pass a
 * segmentation.
 *
 * m is chosen from V_m - V_2m = 3/4 A / m^2 over the levels about the m sought (theory.h,
 * zcmoe_theory_recommend); by the least leave-one-out error where the rows are too few for that.
 * The error of the m recommended is second order: half or twice the best m costs 67 or 42 % of the
 * excess risk, a quarter more 5 %.
 *
 * model_options: closed side, and what answers for empty segments (NULL: the defaults; a policy
 * that answers NaN counts as ZCMOE_EMPTY_NEAREST). options NULL: all defaults. weights.data may be
 * NULL; weighted rows: risks are weighted means, and a row counts as (sum w)^2 / sum w^2 does. Rows
 * with a NaN or infinite x or y, weight 0, or x outside the range are left out. 64-bit integers of
 * x are taken as the largest doubles not above them; y and weights have other types.
 * result->struct_size must be set (as sizeof(zcmoe_plan_result); the struct may grow).
 *
 * The intervals are of the scatter of A and sigma^2. Not in them: cuts placed by the same targets,
 * and rows beyond the outermost ones, which make the excess risk come out low where segments are
 * starved (simulated: by up to a third).
 *
 * Answers at the edges: one row, or one value of x: m = 1. All y equal: m = 1, excess 0. Rows fewer
 * than 48: leave-one-out. DATA if no row is left or a weight is negative or not finite;
 * INVALID_ARGUMENT for options out of range.
 *
 * Does not depend on the order of rows, the engine or its threads. Host function: waits. Cost: one
 * sort of n rows and three passes of the engine; 56 bytes a row (weighted 72) and two fit states of
 * at most max_segments segments. Of many millions of rows a sample and fit_rows are enough.
 * Sources: theory.h; Dar 2025, section 6; Allen 1974 (leave-one-out). */
ZCMOE_API zcmoe_status zcmoe_plan(zcmoe_context* context, zcmoe_array x, zcmoe_array y,
                                  zcmoe_array weights, int64_t n,
                                  const zcmoe_model_options* model_options,
                                  const zcmoe_plan_options* options, zcmoe_plan_result* result);

/* --------------------------------------------------- what a model says of itself */

/* Per segment, each array [num_segments] or NULL: not wanted. */
typedef struct zcmoe_diagnosis_segments {
  double* approximation; /* share of E_app: P_i (slope times width)^2 / 12, not below 0 */
  double* estimation; /* share of E_est: P_i times the squared standard error; 0 without rows, NaN
                         with one row */
} zcmoe_diagnosis_segments;
#define ZCMOE_DIAGNOSIS_SEGMENTS_INIT \
  { NULL, NULL }

typedef struct zcmoe_model_diagnosis {
  size_t struct_size;
  int64_t num_rows; /* in the segments of the range */
  int64_t num_segments;
  int64_t num_empty;      /* segments without rows */
  int64_t num_singletons; /* with one */
  int64_t num_starved;    /* with fewer than 5, these included */
  double risk;            /* expected squared error on a new row: the sum of the next three */
  double noise;           /* sigma^2: V - approximation, not below 0 */
  double approximation;   /* E_app, what more segments would lower; not below 0 */
  double estimation;      /* E_est = sum P_i s_i^2 / N_i, what more rows would lower */
  double risk_error;      /* standard errors of risk and approximation */
  double approximation_error;
  double leave_one_out; /* exact leave-one-out error; NaN for a weighted model */
  double equal_error;   /* E_app with the cuts moved to where every segment has the same error, over
                           E_app as it is: 1 = nothing to gain, NaN if E_app cannot be seen */
  double best_segments; /* m that the split asks for at equal cuts: m (2 E_app / E_est)^(1/3) */
} zcmoe_model_diagnosis;

/* The expected risk of a fitted model and its parts, from its counts, constants and variances
 * alone. With V = sum P_i s_i^2 = sigma^2 + E_app: E_app is the sum over the segments of P_i / 12
 * times the squared rise of b across segment i, the rise taken from the constants of its neighbours
 * that have rows and corrected for their standard errors. Valid where the high-rate form is:
 * segments short against the features of b. Rows on which the cuts were placed make E_app come out
 * low where segments are starved. Shrinkage is undone to tell the rises, and counted in E_est.
 * P_i: share of the rows (weighted: of the weight). diagnosis->struct_size must be set. DATA if no
 * segment of the range has two rows, as in a model from known constants. segments may be NULL. Host
 * function. Cost O(m). Sources: theory.h (3.1), (5.1); Dar 2025, theorem 3 (equal errors at the
 * optimum). */
ZCMOE_API zcmoe_status zcmoe_model_diagnose(const zcmoe_model* model,
                                            const zcmoe_diagnosis_segments* segments,
                                            zcmoe_model_diagnosis* diagnosis);

/* Confidence intervals of the segments' true means, E[y | x in segment]: mean -+ t s / sqrt(N), t
 * the quantile of Student's distribution with N - 1 degrees of freedom (weighted: N = (sum w)^2 /
 * sum w^2). They do not hold b(x), which differs from the mean of its segment by up to half the
 * rise across it, and they are not prediction intervals of y. Exact for normal noise of one
 * variance in segments that resolve b; a constant drawn by shrinkage is outside the theory. lower
 * and upper [num_segments + 3], as zcmoe_model_info::constants; NaN with fewer than two rows. 0 <
 * confidence <
 * 1. Host function. Cost: one quantile a different N. Source: Student 1908. */
ZCMOE_API zcmoe_status zcmoe_model_intervals(const zcmoe_model* model, double confidence,
                                             double* lower, double* upper);

#ifdef __cplusplus
}
#endif
#endif
