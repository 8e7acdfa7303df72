/// @file
/// zcmoe compile: the smallest table, of constants or of lines, that predicts a known function
/// within a given error. Part of
/// the C ABI; the rules at the top of zcmoe.h hold. Host function, one thread, same bits
/// everywhere.
#ifndef ZCMOE_COMPILE_H
#define ZCMOE_COMPILE_H

#include <zcmoe/zcmoe.h>

#ifdef __cplusplus
extern "C" {
#endif

/// @defgroup compile Compile
/// The smallest table of a known function.
/// @{

/// What the tolerance bounds, in the unit of the function. One of the two numbers below.
typedef int64_t zcmoe_compile_error;
/// Values of zcmoe_compile_error.
enum {
  /// sqrt of the mean of (prediction - f)^2 over the input density.
  ZCMOE_COMPILE_RMS = 0,
  ZCMOE_COMPILE_MAX = 1  ///< max |prediction - f| over the range
};

/// How a table is looked for.
typedef struct zcmoe_compile_options {
  size_t struct_size;         ///< sizeof(zcmoe_compile_options)
  zcmoe_compile_error error;  ///< default ZCMOE_COMPILE_RMS
  /// 1 to ZCMOE_MAX_SEGMENTS; a function that needs more is refused; default 2^20.
  int64_t max_segments;
  /// 16 to 2^20: parts of equal width the range is scanned in, 15 values of f in each; a part that
  /// a polynomial through 7 of them misses is halved. Features narrower than about a tenth of a
  /// part may pass unseen. Default 1,024.
  int64_t scan_parts;
  /// 0 to ZCMOE_MAX_SEGMENTS: other kinds of experts are looked for too, up to this many segments,
  /// so that the result tells how many each takes; 0, the default: they are not.
  int64_t compared_segments;
} zcmoe_compile_options;
/// All defaults.
#define ZCMOE_COMPILE_OPTIONS_INIT \
  { sizeof(zcmoe_compile_options), ZCMOE_COMPILE_RMS, (int64_t)1 << 20, 1024, 0 }

/// What is known of a compiled table.
typedef struct zcmoe_compile_result {
  size_t struct_size;    ///< sizeof(zcmoe_compile_result), set by the caller
  int64_t num_segments;  ///< m of the table
  /// No table with fewer segments, whatever its cuts and constants, meets the tolerance. MAX: equal
  /// to num_segments unless rounding interferes.
  int64_t least_segments;
  /// Segments of equal width for the same tolerance, one fewer misses it; 0: max_segments of them
  /// still do.
  int64_t uniform_segments;
  int64_t num_evaluations;  ///< of the function
  double error;             ///< of the table, verified: at most the tolerance
  double uniform_error;     ///< of uniform_segments, or of max_segments if that is 0
  /// The largest distance of neighbouring inputs at which the table was compared with the function.
  /// What the function does between two of them, the verification has not seen: a feature that is
  /// narrower may have been missed.
  double gap;
  /// Segments that each kind of experts takes for the same tolerance: num_segments for the kind
  /// asked for; for the others, not verified, 0 where more than compared_segments or not compared.
  int64_t constant_segments;
  int64_t linear_segments;       ///< as constant_segments
  int64_t interpolate_segments;  ///< as constant_segments
} zcmoe_compile_result;
/// A struct to be filled by zcmoe_compile().
#define ZCMOE_COMPILE_RESULT_INIT \
  { sizeof(zcmoe_compile_result), 0, 0, 0, 0, 0.0, 0.0, 0.0, 0, 0, 0 }

/// Makes the smallest table whose error against a function over [lo, hi] is at most a tolerance, as
/// a model of the context's engine, as zcmoe_model_create() makes it.
///
/// The experts are those of model_options: constants, lines (ZCMOE_EXPERTS_LINEAR), or continuous
/// lines (ZCMOE_EXPERTS_INTERPOLATE). For a smooth function the number of constants grows like
/// 1/tolerance and that of lines like 1/sqrt(tolerance): within 1e-6, sin over [0, 2 pi] takes
/// 1,200 lines in place of two million constants.
///
/// MAX: from the left, each segment reaches as far as max - min <= 2 tolerance, found to the last
/// double; constants are (max + min) / 2. No partition into intervals has fewer segments: a segment
/// that begins further left ends no further right. The function is evaluated at lo and hi too.
/// Lines reach as far as one line stays within 127/128 of the tolerance of values of f so dense
/// that their chords tell f to 1/128 of it; their number is told apart from the least by
/// least_segments. Continuous lines begin where the last one ended, with the slopes that leaves
/// open, and break only where f jumps by more than twice the tolerance between neighbouring
/// doubles; each turn of the curvature may cost half a segment.
///
/// RMS: each segment reaches as far as its integral of p (f - mean)^2 stays below one bound, the
/// same for all; constants are the means. The largest bound that meets the tolerance gives the
/// smallest table of this family; m - 1 segments of it do not meet the tolerance. At high rate this
/// is the optimal segment density (p f'^2)^(1/3), theorem 3 of Dar 2025 (arXiv 2510.03151), without
/// needing f'; beyond it, it puts cuts at jumps and none on plateaus. Lines are those of least
/// squares, so that at high rate the density is (p f''^2)^(1/5); continuous lines have cuts of the
/// same rule, the values at them that least squares give together, and a segment of its own, of
/// neighbouring doubles or nearly, over each jump of more than the tolerance. Up to 256 segments,
/// where other cuts can do with fewer, the best of all partitions along several hundred such cuts
/// is taken, by dynamic programming.
///
/// The error is verified on the finished model, through its predictions: RMS by adaptive quadrature
/// over panels that share no end with those of the scan; MAX at both ends of each segment and at 16
/// points or more inside, 2^17 in all at least, elsewhere than those the cuts were chosen by, with
/// a search at every maximum seen. What is found wrong is scanned again finer; a table that still
/// misses the tolerance is not handed out. What lies between the inputs that were compared was not
/// seen: result->gap tells how far apart they are.
///
/// Where f is NaN at one input, its value beside it is taken. Under RMS an infinite value may stand
/// where f^2 still has an integral, as log(x) or x^(-1/4) at 0; where f grows like distance^(-1/2)
/// or faster, the integral diverges, and the error says so. Functions that swing without end, as
/// sin(1/x), take a table where the tolerance lets one ignore the swings: always under RMS.
///
/// @param[in]  context        whose engine the model lives on
/// @param[in]  function       f
/// @param[in]  density        p >= 0, any scale; NULL: uniform; must be NULL under MAX
/// @param[in]  user           passed to both functions
/// @param[in]  lo             lower end of the range, finite
/// @param[in]  hi             upper end of the range, lo < hi, hi and hi - lo finite
/// @param[in]  tolerance      > 0, finite, in the unit of f
/// @param[in]  options        NULL: all defaults
/// @param[in]  model_options  policies of the model; NULL: all defaults. shrinkage has no effect,
///   empty_policy only on NaN and out-of-range segments of their own; experts says what the
///   segments answer with
/// @param[out] model          receives the model, to be freed with zcmoe_model_destroy()
/// @param[in,out] result      struct_size is read, the rest is filled; may be NULL
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also if density is given under MAX
/// @retval ZCMOE_ERR_OUT_OF_MEMORY  of the host or of the context's engine
/// @retval ZCMOE_ERR_NUMERIC  a callback returned NaN, infinity or (p) a negative number; p is zero
///   everywhere; the integral diverges (a pole); more than max_segments segments would be needed
///   (the tolerance is too small, or finer than the rounding of f); the verified error stays above
///   the tolerance
/// @retval ZCMOE_ERR_DEVICE  a CUDA call failed while the model was made or asked
///
/// Cost: RMS about 30 m evaluations a sweep and 10 to 40 sweeps, beside 10^5; MAX about 130 m
/// beside 2 * 10^5 (lines: 100 m); to these about 30 m a trial of the uniform table, of which there
/// are about 10, and the same for each kind of experts that is compared. Lines under MAX keep their
/// values of f, 16 bytes each, about 30 a segment and at most 40 * max_segments.
ZCMOE_API zcmoe_status zcmoe_compile(zcmoe_context* context, zcmoe_function function,
                                     zcmoe_function density, void* user, double lo, double hi,
                                     double tolerance, const zcmoe_compile_options* options,
                                     const zcmoe_model_options* model_options, zcmoe_model** model,
                                     zcmoe_compile_result* result);

/// @}

#ifdef __cplusplus
}
#endif
#endif
