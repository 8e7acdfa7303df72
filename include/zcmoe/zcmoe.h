/// @file
/// zcmoe: regression by many constant experts. The C interface, and the only stable ABI of the
/// library.
///
/// The input line is cut into m segments [a_{i-1}, a_i); each segment predicts one constant, the
/// mean of the targets that fell into it, or what a fit to the means of all segments says of it.
/// Build a table of edges (zcmoe_segment_*), fit it (zcmoe_fit_*), predict (zcmoe_predict).
///
/// Rules that hold everywhere:
/// - Every function returns a zcmoe_status, except for four that return text and two of theory.h
///   that return a number; 0 is success. After a failure zcmoe_last_error() tells, for the calling
///   thread, function, argument, value and limit. No exception, signal or output leaves the
///   library.
/// - Null where a pointer is needed and pointers that are not aligned to their type are
///   INVALID_ARGUMENT, as are all numbers out of the range given; nothing is written then, except
///   that zcmoe_theory_curve_create() sets its curve to NULL. Any function may also return
///   OUT_OF_MEMORY, DEVICE if its context is a CUDA context, and INTERNAL. Each function says what
///   else it returns, and when.
/// - Counts, strides and indices are int64_t; strides count elements, may be 0 or negative. A
///   number of rows n is 0 to 2^57 - 1 unless a function says otherwise.
/// - Option structs begin with struct_size; initialise them with their ZCMOE_..._INIT, or with
///   zeros and their sizeof where there is none. A null options pointer means all defaults. Fields
///   a caller's older struct lacks take their defaults; a larger struct is refused unless its extra
///   bytes are zero. A struct_size above ZCMOE_MAX_STRUCT_SIZE, or of a shorter struct that is not
///   a multiple of 8, is refused before any other byte is looked at. Structs with a struct_size
///   that the library fills are filled as far as that size says.
/// - Unless a function says "host function", its array pointers must be readable by the context's
///   engine (CPU: host memory; CUDA: device, managed or pinned memory), the work is ordered on
///   `stream`, and it returns without waiting. Functions whose name ends in _sync take host memory
///   on either engine and return when the work is done.
/// - The CPU engine ignores `stream` (pass NULL) and has finished when the call returns.
/// - zcmoe_model is immutable: any number of threads and streams may use one at once. zcmoe_fit and
///   zcmoe_context belong to one thread at a time. Functions without one of these may be called by
///   any number of threads. Handles may be destroyed in any order.
/// - Running out of memory or threads is OUT_OF_MEMORY, or costs speed alone: a call that can start
///   no thread is done by its caller. A call that fails leaves fits as they were, and may be
///   repeated.
/// - A thread that calls the library needs a stack of 64 KB (callbacks' needs come on top). Threads
///   that the library starts take no signals.
/// - Results are the same bits for CPU and CUDA, any thread count, chunking, input order and merge
///   order.
#ifndef ZCMOE_ZCMOE_H
#define ZCMOE_ZCMOE_H

#include <stddef.h>
#include <stdint.h>

/// Marks the functions that the shared library exports.
#if defined(_WIN32)
#define ZCMOE_API
#else
#define ZCMOE_API __attribute__((visibility("default")))
#endif

#define ZCMOE_VERSION_MAJOR 0  ///< Changes when the C interface breaks, once it has reached 1.
#define ZCMOE_VERSION_MINOR 1  ///< Changes when the interface grows; before 1.0 it may break too.
#define ZCMOE_VERSION_PATCH 0  ///< Changes when only faults are mended.

#ifdef __cplusplus
extern "C" {
#endif

/// @defgroup status Status
/// What a call returns, and texts about it and about the library.
/// @{

/// One of the ZCMOE_OK and ZCMOE_ERR_ numbers, which never change their meaning.
typedef int32_t zcmoe_status;
/// Values of zcmoe_status.
enum {
  ZCMOE_OK = 0,  ///< The call has done, or ordered on its stream, all it was asked for.
  /// An argument is null, out of range, misaligned, overlapping, or an unknown enum value.
  ZCMOE_ERR_INVALID_ARGUMENT = 1,
  /// Host or device memory, or the caller's allocator, ran out.
  ZCMOE_ERR_OUT_OF_MEMORY = 2,
  /// There is no CUDA device, no driver, or the library was built without CUDA.
  ZCMOE_ERR_NO_DEVICE = 3,
  ZCMOE_ERR_DEVICE = 4,  ///< A CUDA call or kernel failed.
  /// A file could not be opened, read, written, flushed or renamed.
  ZCMOE_ERR_IO = 5,
  ZCMOE_ERR_FORMAT = 6,    ///< A file or buffer is not what it claims to be.
  ZCMOE_ERR_VERSION = 7,   ///< A file was written by a later major format version.
  ZCMOE_ERR_CHECKSUM = 8,  ///< A file's data does not match its checksum.
  /// A row breaks a policy that says error, a weight is negative or not finite, or too few rows are
  /// left.
  ZCMOE_ERR_DATA = 9,
  /// Fit states with different edges, types or policies cannot be merged.
  ZCMOE_ERR_INCOMPATIBLE = 10,
  /// A callback returned NaN, infinity or a negative density; a computation does not converge; a
  /// fit would count more than ZCMOE_MAX_ROWS rows.
  ZCMOE_ERR_NUMERIC = 11,
  /// The workspace or buffer given is smaller than the call needs.
  ZCMOE_ERR_WORKSPACE = 12,
  /// A defect of the library: please report the text of zcmoe_last_error().
  ZCMOE_ERR_INTERNAL = 13,
  ZCMOE_ERR_CANCELLED = 14,  ///< A progress function said to stop; nothing was made.
};

/// The version of the library that runs, which may be later than that of this header.
/// @return "MAJOR.MINOR.PATCH", static
ZCMOE_API const char* zcmoe_version(void);
/// How the library was built.
/// @return "zcmoe 0.1.0; compiler ...; flags ...; cuda ..., CCCL ... (architectures ...)", or
///   "without CUDA" in place of the last part; static
ZCMOE_API const char* zcmoe_build_info(void);
/// The name of a status.
/// @param status  any number
/// @return for example "ZCMOE_ERR_IO"; "unknown status" for numbers that are none; static
ZCMOE_API const char* zcmoe_status_string(zcmoe_status status);
/// Why this thread's last failed call failed.
/// @return a text that is valid until this thread's next call, at most 511 bytes, never null, empty
///   before the first failure; a terminal shows it and does not act on it
ZCMOE_API const char* zcmoe_last_error(void);

/// @}
/// @defgroup arrays Arrays
/// Types of numbers, and arrays that calls read and write.
/// @{

/// A cudaStream_t; NULL is the legacy default stream.
typedef struct CUstream_st* zcmoe_stream;

/// The type of an array's elements; 64 bits, so that the structs below have no padding.
typedef int64_t zcmoe_dtype;
/// Values of zcmoe_dtype.
enum {
  ZCMOE_F32 = 1,   ///< float, IEEE binary32
  ZCMOE_F64 = 2,   ///< double, IEEE binary64
  ZCMOE_F16 = 3,   ///< IEEE binary16
  ZCMOE_BF16 = 4,  ///< the upper 16 bits of a binary32
  ZCMOE_I8 = 5,    ///< int8_t
  ZCMOE_U8 = 6,    ///< uint8_t
  ZCMOE_I16 = 7,   ///< int16_t
  ZCMOE_U16 = 8,   ///< uint16_t
  ZCMOE_I32 = 9,   ///< int32_t
  ZCMOE_U32 = 10,  ///< uint32_t
  ZCMOE_I64 = 11,  ///< int64_t; compared with edges exactly, beyond 2^53 too
  ZCMOE_U64 = 12   ///< uint64_t; likewise
};

/// The largest struct_size of any struct, in bytes.
#define ZCMOE_MAX_STRUCT_SIZE ((size_t)1 << 16)
/// Rows that a fit may count; far beyond any data.
#define ZCMOE_MAX_ROWS ((int64_t)1 << 61)

/// n elements of an array that the callee reads: element i is data[i * stride].
typedef struct zcmoe_array {
  const void* data;   ///< element 0, aligned to its type; may be null if n is 0
  zcmoe_dtype dtype;  ///< type of the elements
  int64_t stride;     ///< in elements; 0 and negative ones are allowed
} zcmoe_array;

/// n elements of an array that the callee writes.
typedef struct zcmoe_output {
  void* data;         ///< element 0, aligned to its type; NULL: not wanted
  zcmoe_dtype dtype;  ///< type of the elements; not looked at if data is null
  int64_t stride;     ///< in elements; 0 is refused for n > 1
} zcmoe_output;

/// Rows that a policy touched. A row of weight 0 or of a bad weight counts for nothing else.
typedef struct zcmoe_report {
  int64_t rows;  ///< rows offered
  /// Fit: rows accumulated; predict: rows that a segment of the range predicts.
  int64_t rows_used;
  int64_t nan_inputs;  ///< x is NaN
  /// x lies below the range (and was clamped, skipped or sent aside, as the policy says).
  int64_t below_range;
  int64_t above_range;       ///< x lies above the range
  int64_t nan_targets;       ///< fit: y is NaN; the row is skipped
  int64_t infinite_targets;  ///< fit: y is +-infinity; the row is skipped
  int64_t zero_weights;      ///< fit: weight 0; the row counts as absent
  int64_t bad_weights;       ///< fit: weight negative, NaN or infinite
  /// Fit on the CUDA engine: first row (0-based, counted over all rows of the state before it) that
  /// an error policy refuses; -1: none. The CPU engine names it in the error text instead. Not part
  /// of the serialised state.
  int64_t first_bad_row;
} zcmoe_report;

/// @}
/// @defgroup context Context
/// The engine that models and fits live on: the CPU's threads or a CUDA device, and their memory.
/// @{

/// An engine and its memory. Belongs to one thread at a time.
typedef struct zcmoe_context zcmoe_context;
/// A table of edges and constants. Immutable: any number of threads and streams may use it at once.
typedef struct zcmoe_model zcmoe_model;
/// The sums of a fit, from which a model is made. Belongs to one thread at a time.
typedef struct zcmoe_fit zcmoe_fit;

/// One of the ZCMOE_ENGINE_ numbers.
typedef int32_t zcmoe_engine;
/// Values of zcmoe_engine.
enum {
  ZCMOE_ENGINE_AUTO = 0,  ///< CUDA where a device answers, else CPU
  ZCMOE_ENGINE_CPU = 1,   ///< the processor's threads
  ZCMOE_ENGINE_CUDA = 2   ///< one CUDA device
};

/// Takes memory that the context's engine can use. It is called from the thread that calls the
/// library; on the CUDA engine the memory is ordered on the stream.
/// @param user    zcmoe_context_options::user
/// @param bytes   size, > 0
/// @param align   a power of two, at most 256; a pointer that is not aligned to it makes the call
///   of the library return INVALID_ARGUMENT
/// @param stream  CUDA: the stream on which the memory is used first; CPU: NULL
/// @return the memory, or NULL when out of memory
typedef void* (*zcmoe_alloc_fn)(void* user, size_t bytes, size_t align, zcmoe_stream stream);
/// Gives memory of a zcmoe_alloc_fn back.
/// @param user     zcmoe_context_options::user
/// @param pointer  the memory
/// @param bytes    size it was asked for with
/// @param align    alignment it was asked for with
/// @param stream   CUDA: the stream behind whose work the memory is free; CPU: NULL
typedef void (*zcmoe_free_fn)(void* user, void* pointer, size_t bytes, size_t align,
                              zcmoe_stream stream);

/// What a context is made of.
typedef struct zcmoe_context_options {
  size_t struct_size;   ///< sizeof(zcmoe_context_options)
  zcmoe_engine engine;  ///< default ZCMOE_ENGINE_AUTO
  int32_t device;       ///< CUDA device number, from 0 up; default 0
  /// CPU engine: worker threads, 0 to 4,096; 0 = all cores, the default. Never changes a result.
  int32_t num_threads;
  int32_t reserved;      ///< 0
  zcmoe_alloc_fn alloc;  ///< NULL: own memory (CUDA: a private pool, never the device's default)
  zcmoe_free_fn free;    ///< given if and only if alloc is
  void* user;            ///< passed to alloc and free
  /// Own CUDA pool: bytes kept for reuse at synchronisation, >= 0; default 64 MiB.
  int64_t pool_release_threshold;
} zcmoe_context_options;
/// All defaults.
#define ZCMOE_CONTEXT_OPTIONS_INIT \
  { sizeof(zcmoe_context_options), ZCMOE_ENGINE_AUTO, 0, 0, 0, NULL, NULL, NULL, (int64_t)64 << 20 }

/// What a context is.
typedef struct zcmoe_context_info {
  size_t struct_size;   ///< sizeof(zcmoe_context_info), set by the caller
  zcmoe_engine engine;  ///< ZCMOE_ENGINE_CPU or ZCMOE_ENGINE_CUDA: which one it is
  int32_t device;       ///< CUDA device number; -1 on the CPU engine
  int32_t num_threads;  ///< threads that share the work, at most the cores; 0 on the CUDA engine
  int32_t reserved;     ///< 0
  char name[256];  ///< "cpu, 8 threads, avx2", the last its instruction set; or the card's name
} zcmoe_context_info;
/// A struct to be filled by zcmoe_context_get_info().
#define ZCMOE_CONTEXT_INFO_INIT                   \
  {                                               \
    sizeof(zcmoe_context_info), 0, 0, 0, 0, { 0 } \
  }

/// Chooses an engine. Host function.
///
/// It takes no device memory up front and leaves the current device as it was. The CPU engine
/// starts its threads, no more than there are cores, in the first call that has work for them.
///
/// fork: on the CPU engine a child process may go on using every context, model and fit that no
/// other thread of the parent was changing at that moment, also while other threads predict (as
/// Python's multiprocessing does); calls in contexts made before the fork then use one thread,
/// those in contexts that the child makes as many as they say. A CUDA context belongs to the parent
/// alone: in the child every call that reaches its device returns DEVICE, destroying is safe and
/// frees no device memory, and a new context there is of the CPU engine or NO_DEVICE.
///
/// A kernel that crashes (by a pointer that is not the device's, say) makes the device unusable for
/// the whole process: from then on every call returns DEVICE. Any other failure leaves a fit as it
/// was before the call.
///
/// @param[in]  options  NULL: all defaults
/// @param[out] context  receives the context, to be freed with zcmoe_context_destroy()
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also if there is no device of that number, or the
/// environment
///   variable ZCMOE_CPU_TARGET names an instruction set that the processor lacks
/// @retval ZCMOE_ERR_NO_DEVICE  CUDA was asked for and there is none that the library has code for;
///   its device has no memory pools and alloc is null; the parent process had used CUDA when it
///   forked. AUTO: never
/// @retval ZCMOE_ERR_DEVICE  a CUDA call failed
ZCMOE_API zcmoe_status zcmoe_context_create(const zcmoe_context_options* options,
                                            zcmoe_context** context);
/// Frees a context. Models and fits made in it stay usable.
/// @param[in] context  NULL is allowed
/// @return ZCMOE_OK
ZCMOE_API zcmoe_status zcmoe_context_destroy(zcmoe_context* context);
/// Tells which engine a context is. Host function.
/// @param[in]     context  the context
/// @param[in,out] info     struct_size is read, the rest is filled
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also if struct_size is none of this struct
ZCMOE_API zcmoe_status zcmoe_context_get_info(const zcmoe_context* context,
                                              zcmoe_context_info* info);

/// @}

/// @defgroup segmentation Segmentation
/// Where the cuts go. All are host functions: host memory, no engine, no threads, the same bits
/// everywhere. They write edges a_0 < a_1 < ... < a_m, float64, finite, into a caller's buffer.
/// Where distinct edges may be fewer than asked for (ties, adjacent doubles), num_built tells how
/// many segments the table has; only edges[0 .. *num_built] are then written.
/// @{

/// The most segments of a table.
#define ZCMOE_MAX_SEGMENTS ((int64_t)1 << 30)

/// Builds segments of equal width: a_i = lo + (hi - lo) * i / m, each edge correctly rounded.
///
/// @param[in]  lo            lower end of the range, finite
/// @param[in]  hi            upper end of the range, finite, lo < hi
/// @param[in]  num_segments  m, 1 to ZCMOE_MAX_SEGMENTS
/// @param[out] edges         buffer of m + 1 doubles, all of them written
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also if m segments do not fit between lo and hi as distinct
///   doubles
///
/// Cost: O(m).
ZCMOE_API zcmoe_status zcmoe_segment_uniform(double lo, double hi, int64_t num_segments,
                                             double* edges);

/// Checks edges given by the user: they must be finite and strictly increasing.
///
/// @param[in] edges         [num_segments + 1]
/// @param[in] num_segments  m, 1 to ZCMOE_MAX_SEGMENTS
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also for wrong edges; the error names the first bad index
///
/// Cost: O(m).
ZCMOE_API zcmoe_status zcmoe_segment_check(const double* edges, int64_t num_segments);

/// Builds segments of equal mass from data.
///
/// For 0 < i < m, a_i is the sample value with the weight of samples < a_i nearest to (i/m) of all
/// weight (the lower one if two are equally near); a_0 = min; a_m = max, or the next double above
/// max where max itself is a cut and so has a segment of its own. Repeated edges are removed, hence
/// num_built. All samples equal to v: one segment [v, next double above v], of the largest double
/// the one that ends there. NaN and infinite inputs are left out, as are rows of weight 0. Sums of
/// weights are compared in twice double's precision, and the result does not depend on the order of
/// rows.
///
/// @param[in]  x             inputs, [n], of any type; 64-bit integers are taken as the largest
///   doubles not above them
/// @param[in]  weights       [n], finite, >= 0, of any type but 64-bit integers; data NULL: all 1
/// @param[in]  n             number of rows
/// @param[in]  num_segments  m, 1 to ZCMOE_MAX_SEGMENTS
/// @param[out] edges         buffer of m + 1 doubles
/// @param[out] num_built     segments built, 1 to m
/// @retval ZCMOE_ERR_DATA  no finite input of positive weight is left, or a weight is negative or
///   not finite
///
/// Cost: one sort of n doubles; extra memory 8 (weighted: 16) bytes a row.
ZCMOE_API zcmoe_status zcmoe_segment_quantile(zcmoe_array x, zcmoe_array weights, int64_t n,
                                              int64_t num_segments, double* edges,
                                              int64_t* num_built);

/// A function of the input. It is called on the calling thread, only inside the range of the call,
/// any number of times; it must be pure, and must not throw (zcmoe.hpp carries exceptions across).
/// @param user  what the caller gave beside the function
/// @param x     the input
/// @return the function's value; NaN and infinity make the call return NUMERIC
typedef double (*zcmoe_function)(void* user, double x);

/// How a point density is kept away from zero. (p density of the inputs, b' slope.)
typedef struct zcmoe_density_options {
  size_t struct_size;  ///< sizeof(zcmoe_density_options)
  /// eta in [0, 1]: lambda becomes (1 - eta) lambda + eta / (hi - lo); default 0.
  double uniform_mixture;
  /// delta >= 0: lambda is (p b'^2 + delta * mean(p b'^2))^(1/3), unit free; default 0.
  double floor;
} zcmoe_density_options;
/// All defaults.
#define ZCMOE_DENSITY_OPTIONS_INIT \
  { sizeof(zcmoe_density_options), 0.0, 0.0 }

/// Builds the optimal segmentation for a known input density p and slope b' of the regression
/// function.
///
/// The point density is lambda* = (p b'^2)^(1/3), normalised; a_i = G^-1(i/m), G the integral of
/// lambda*, G^-1(u) = inf{x : G(x) >= u}; a_0 = lo, a_m = hi. Plateaus (b' = 0) and gaps (p = 0)
/// get no edges inside. If p b'^2 is zero everywhere the table is uniform. Edges are accurate to
/// 1e-9 (hi - lo) for smooth functions, also where lambda* has zeros. The functions are not
/// evaluated at lo and hi themselves, unless the range is two neighbouring doubles.
///
/// @param[in]  density       p >= 0, of any scale
/// @param[in]  slope         b'
/// @param[in]  user          passed to both functions
/// @param[in]  lo            lower end of the range, finite
/// @param[in]  hi            upper end of the range, finite, lo < hi
/// @param[in]  num_segments  m, 1 to ZCMOE_MAX_SEGMENTS
/// @param[in]  options       NULL: all defaults
/// @param[out] edges         buffer of m + 1 doubles
/// @param[out] num_built     segments built, 1 to m
/// @retval ZCMOE_ERR_NUMERIC  a function returned NaN, infinity or (p) a negative number, or the
///   integral does not converge
///
/// Cost: about 10^4 evaluations of each function, more at zeros and jumps (at most about 10^6), 15
/// for each panel that holds an edge, and a root finding without evaluations an edge. Source:
/// Panter & Dite 1951; Dar 2025 (arXiv 2510.03151), theorem 3.
ZCMOE_API zcmoe_status zcmoe_segment_optimal(zcmoe_function density, zcmoe_function slope,
                                             void* user, double lo, double hi, int64_t num_segments,
                                             const zcmoe_density_options* options, double* edges,
                                             int64_t* num_built);

/// Builds the table of zcmoe_segment_optimal() from p and b' known on a grid: between grid points
/// they are shape-preserving cubics (straight lines for two or three points). The range is
/// [grid[0], grid[num_grid - 1]].
///
/// @param[in]  grid          [num_grid], finite, strictly increasing
/// @param[in]  density       p on the grid, [num_grid], finite, >= 0, of any scale
/// @param[in]  slope         b' on the grid, [num_grid], finite
/// @param[in]  num_grid      number of grid points, >= 2
/// @param[in]  num_segments  m, 1 to ZCMOE_MAX_SEGMENTS
/// @param[in]  options       NULL: all defaults
/// @param[out] edges         buffer of m + 1 doubles
/// @param[out] num_built     segments built, 1 to m
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also for wrong entries; the error names the first bad index
/// @retval ZCMOE_ERR_NUMERIC  the integral does not converge
ZCMOE_API zcmoe_status zcmoe_segment_optimal_table(const double* grid, const double* density,
                                                   const double* slope, int64_t num_grid,
                                                   int64_t num_segments,
                                                   const zcmoe_density_options* options,
                                                   double* edges, int64_t* num_built);

/// Builds the table of any point density lambda: a_i = G^-1(i/m) as zcmoe_segment_optimal() does.
///
/// @param[in]  point_density  lambda >= 0, of any scale
/// @param[in]  user           passed to it
/// @param[in]  lo             lower end of the range, finite
/// @param[in]  hi             upper end of the range, finite, lo < hi
/// @param[in]  num_segments   m, 1 to ZCMOE_MAX_SEGMENTS
/// @param[in]  options        of which uniform_mixture alone is used; NULL: all defaults
/// @param[out] edges          buffer of m + 1 doubles
/// @param[out] num_built      segments built, 1 to m
/// @retval ZCMOE_ERR_NUMERIC  lambda is NaN, infinite or negative somewhere, or its integral does
///   not converge
///
/// Cost: as zcmoe_segment_optimal().
ZCMOE_API zcmoe_status zcmoe_segment_density(zcmoe_function point_density, void* user, double lo,
                                             double hi, int64_t num_segments,
                                             const zcmoe_density_options* options, double* edges,
                                             int64_t* num_built);
/// Builds the table of a point density known on a grid, as zcmoe_segment_optimal_table() does.
///
/// @param[in]  grid           [num_grid], finite, strictly increasing
/// @param[in]  point_density  lambda on the grid, [num_grid], finite, >= 0, of any scale
/// @param[in]  num_grid       number of grid points, >= 2
/// @param[in]  num_segments   m, 1 to ZCMOE_MAX_SEGMENTS
/// @param[in]  options        of which uniform_mixture alone is used; NULL: all defaults
/// @param[out] edges          buffer of m + 1 doubles
/// @param[out] num_built      segments built, 1 to m
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also for wrong entries; the error names the first bad index
/// @retval ZCMOE_ERR_NUMERIC  the integral does not converge
ZCMOE_API zcmoe_status zcmoe_segment_density_table(const double* grid, const double* point_density,
                                                   int64_t num_grid, int64_t num_segments,
                                                   const zcmoe_density_options* options,
                                                   double* edges, int64_t* num_built);

/// Builds the segments with the least expected error that can be learned from samples: narrow where
/// the target changes fast, and cut at its jumps.
///
/// Rows are put in bins: a bin a distinct input if there are at most 4096 of these, or else some
/// 2048 to 4096 bins of about equal weight. Least-squares splines between detected jumps, or
/// constants if these do as well, estimate the regression with little noise; their values are cut
/// into m intervals of least squared error, exactly for m up to 256, and by the point density of
/// zcmoe_segment_optimal() above that. Cuts at jumps are moved to where the rows themselves change.
/// Each segment holds rows; with fewer distinct inputs than m each is a segment, hence num_built.
/// An edge lies in the middle between two inputs, or at the upper one where no double is between
/// them. The outer edges are the outermost inputs, but where the last input has no double below it
/// that could part it from the next to last, the last edge is the next double above. Rows with a
/// NaN or infinite x or y, or weight 0, are left out. The result does not depend on the order of
/// rows.
///
/// @param[in]  x             inputs, [n], of any type; 64-bit integers as at
///   zcmoe_segment_quantile()
/// @param[in]  y             targets, [n], of any type but 64-bit integers
/// @param[in]  weights       [n], finite, >= 0, of any type but 64-bit integers; data NULL: all 1
/// @param[in]  n             number of rows
/// @param[in]  num_segments  m, 1 to ZCMOE_MAX_SEGMENTS
/// @param[out] edges         buffer of m + 1 doubles
/// @param[out] num_built     segments built, 1 to m
/// @retval ZCMOE_ERR_DATA  no row is left, or a weight is negative or not finite
///
/// Cost: one sort of n rows, and some tenths of a second where there are thousands of distinct
/// inputs; extra memory 32 bytes a row, and 20 MiB. Sources: Bellman 1961; Craven & Wahba 1979; Dar
/// 2025 (arXiv 2510.03151), section 6.
ZCMOE_API zcmoe_status zcmoe_segment_optimal_from_data(zcmoe_array x, zcmoe_array y,
                                                       zcmoe_array weights, int64_t n,
                                                       int64_t num_segments, double* edges,
                                                       int64_t* num_built);

/// Builds the segments with the least expected error for experts that are lines: narrow where the
/// target bends, and cut at its jumps. As zcmoe_segment_optimal_from_data(), with the best
/// partition of the splines into lines, exact for m up to 32 and up to an eighth of the bins;
/// beyond, the best of these numbers with its segments divided.
///
/// @param[in]  x             as zcmoe_segment_optimal_from_data()
/// @param[in]  y             likewise
/// @param[in]  weights       likewise
/// @param[in]  n             likewise
/// @param[in]  num_segments  m, 1 to ZCMOE_MAX_SEGMENTS
/// @param[out] edges         buffer of m + 1 doubles
/// @param[out] num_built     segments built, 1 to m
/// @retval ZCMOE_ERR_DATA  no row is left, or a weight is negative or not finite
///
/// Cost: as zcmoe_segment_optimal_from_data().
ZCMOE_API zcmoe_status zcmoe_segment_lines_from_data(zcmoe_array x, zcmoe_array y,
                                                     zcmoe_array weights, int64_t n,
                                                     int64_t num_segments, double* edges,
                                                     int64_t* num_built);

/// How zcmoe_segment_compander_from_data() estimates.
typedef struct zcmoe_plug_in_options {
  size_t struct_size;      ///< sizeof(zcmoe_plug_in_options)
  double uniform_mixture;  ///< eta in [0, 1], as in zcmoe_density_options; default 0.1
  double floor;            ///< delta >= 0, relative to the mean of p b'^2; default 0.02
  double min_count;        ///< segments with fewer rows are merged, >= 0; default 5; 0 = none
  int64_t pilot_bins;      ///< 1 to ZCMOE_MAX_PILOT_BINS; 0 = chosen from n, the default
} zcmoe_plug_in_options;
/// The most bins of a pilot estimate.
#define ZCMOE_MAX_PILOT_BINS ((int64_t)1 << 20)
/// All defaults.
#define ZCMOE_PLUG_IN_OPTIONS_INIT \
  { sizeof(zcmoe_plug_in_options), 0.1, 0.02, 5.0, 0 }

/// Builds the table of zcmoe_segment_optimal() from samples, by a crude estimate of p and b'.
///
/// A pilot of about 2 n^(1/4) equal-mass bins, each halved, estimates p and b'^2 (bias-corrected
/// half differences, smoothed 1-2-1); lambda = (p b'^2 + delta)^(1/3), mixed with the uniform
/// density; edges are those of its piecewise linear integral. Then segments that hold fewer than
/// min_count rows are merged with a neighbour, hence num_built. All of this is done over x and over
/// the share of rows below x, which heavy tails need; the latter is taken where the leave-one-out
/// error of its means is smaller by more than the standard error of the difference. If the slope
/// estimate is zero everywhere, it is the uniform table, so merged. Rows with a NaN or infinite x
/// or y, or weight 0, are left out. The result does not depend on the order of rows.
///
/// @param[in]  x             inputs, [n], of any type; 64-bit integers as at
///   zcmoe_segment_quantile()
/// @param[in]  y             targets, [n], of any type but 64-bit integers
/// @param[in]  weights       [n], finite, >= 0, of any type but 64-bit integers; data NULL: all 1
/// @param[in]  n             number of rows
/// @param[in]  num_segments  m, 1 to ZCMOE_MAX_SEGMENTS
/// @param[in]  options       NULL: all defaults
/// @param[out] edges         buffer of m + 1 doubles
/// @param[out] num_built     segments built, 1 to m
/// @retval ZCMOE_ERR_DATA  no row is left, or a weight is negative or not finite
///
/// Cost: one sort of n rows; extra memory 24 bytes a row.
ZCMOE_API zcmoe_status zcmoe_segment_compander_from_data(zcmoe_array x, zcmoe_array y,
                                                         zcmoe_array weights, int64_t n,
                                                         int64_t num_segments,
                                                         const zcmoe_plug_in_options* options,
                                                         double* edges, int64_t* num_built);

/// One of the ZCMOE_CONSTANT_ numbers.
typedef int32_t zcmoe_constant_rule;
/// Values of zcmoe_constant_rule.
enum {
  ZCMOE_CONSTANT_MEAN = 0,     ///< integral of p b over the segment / integral of p: least squares
  ZCMOE_CONSTANT_MIDPOINT = 1  ///< b at the segment's centre
};

/// Computes the constants of known p and b on given edges. A segment of probability 0 gets b at its
/// centre.
///
/// @param[in]  density       p >= 0, of any scale
/// @param[in]  regression    b
/// @param[in]  user          passed to both functions
/// @param[in]  edges         [num_segments + 1], finite, strictly increasing
/// @param[in]  num_segments  m, 1 to ZCMOE_MAX_SEGMENTS
/// @param[in]  rule          ZCMOE_CONSTANT_MEAN or ZCMOE_CONSTANT_MIDPOINT
/// @param[out] constants     buffer of m doubles
/// @retval ZCMOE_ERR_NUMERIC  a function returned NaN, infinity or (p) a negative number, or an
///   integral does not converge
///
/// Cost: about 30 evaluations of each function a segment, more where they are not smooth; MIDPOINT
/// one of b.
ZCMOE_API zcmoe_status zcmoe_optimal_constants(zcmoe_function density, zcmoe_function regression,
                                               void* user, const double* edges,
                                               int64_t num_segments, zcmoe_constant_rule rule,
                                               double* constants);

/// @}
/// @defgroup model Model
/// Tables of edges and constants, their policies, files and contents.
/// @{

/// Which end belongs to a segment: zcmoe_model_options::closed_side.
enum {
  ZCMOE_CLOSED_LEFT = 0,  ///< [a, b)
  ZCMOE_CLOSED_RIGHT = 1  ///< (a, b]
};
/// What a NaN input gives: zcmoe_model_options::nan_policy.
enum {
  ZCMOE_NAN_PROPAGATE = 0,  ///< NaN, segment -1
  ZCMOE_NAN_SEGMENT = 1,    ///< a segment of its own, number m, learned from rows with NaN input
  ZCMOE_NAN_VALUE = 2       ///< nan_value, segment -1
};
/// What an input outside the range gives: zcmoe_model_options::range_policy.
enum {
  ZCMOE_RANGE_CLAMP = 0,  ///< x outside [a_0, a_m] belongs to the first or last segment
  ZCMOE_RANGE_NAN = 1,    ///< NaN, segment -1; a fit skips the row
  ZCMOE_RANGE_VALUE = 2,  ///< range_value, segment -1; a fit skips the row
  /// An underflow segment, number m + 1, and an overflow segment, number m + 2.
  ZCMOE_RANGE_SEGMENTS = 3,
};
/// What a segment without samples predicts: zcmoe_model_options::empty_policy.
enum {
  /// The constant of the nearest segment that has samples (by distance of the empty segment's
  /// centre to that segment; the left one if equal).
  ZCMOE_EMPTY_NEAREST = 0,
  ZCMOE_EMPTY_NAN = 1,          ///< NaN
  ZCMOE_EMPTY_GLOBAL_MEAN = 2,  ///< mean of all targets accumulated
  ZCMOE_EMPTY_VALUE = 3,        ///< empty_value
  /// The mean over the smallest aligned block of 2, 4, 8 ... segments that has samples.
  ZCMOE_EMPTY_PARENT = 4,
};
/// Where the constants of segments with samples come from: zcmoe_model_options::constants.
enum {
  ZCMOE_CONSTANTS_MEAN = 0,  ///< each is the mean of the samples of its segment
  /// All come from one fit of splines between jumps to the means of all segments, so that
  /// neighbours share their samples: for tables of about three times as many segments as means
  /// bear, where it halves the excess risk of a smooth relation. See zcmoe_fit_finish().
  ZCMOE_CONSTANTS_SMOOTH = 1
};
/// What a segment answers with: zcmoe_model_options::experts.
enum {
  ZCMOE_EXPERTS_CONSTANT = 0,  ///< its constant
  /// A line of its own, the least-squares line of its samples. It is level beyond the first and the
  /// last of them; where fewer than three samples, or inputs too close to each other, give no line,
  /// it is the constant.
  ZCMOE_EXPERTS_LINEAR = 1,
  /// A line between two values at its edges, which it shares with its neighbours, so that the
  /// answers of the model are continuous: mixing of the two nearest of m + 1 experts (top-2) with
  /// linear weights. The values are those of least squares.
  ZCMOE_EXPERTS_INTERPOLATE = 2
};
/// What the weights of a fit say, and so what its variances and standard errors are:
/// zcmoe_model_options::weights_kind. Means do not depend on it, nor do cuts; how much smooth
/// constants follow each of them does, and whether a few rows of unequal weight give a line.
enum {
  /// How much a row counts for, as one that stands for w others: rows have one variance, whatever
  /// they weigh.
  ZCMOE_WEIGHTS_SAMPLING = 0,
  /// How precise a row is: the variance of its target is s^2 / w. s^2, that of a row of weight 1,
  /// is what variances are, and the weight is the reciprocal of a known variance where s^2 = 1.
  ZCMOE_WEIGHTS_PRECISION = 1
};

/// The line of a segment: its answer is value + slope * (x - from), x drawn to [from, to] first,
/// in float64: one subtraction, then one fused multiply-add. Both engines, and model_view.hpp, give
/// these bits.
typedef struct zcmoe_line {
  double from;   ///< where the line begins; x below it is taken as it
  double to;     ///< where it ends, not below from; x above it is taken as it
  double value;  ///< the answer at from; NaN allowed
  double slope;  ///< finite; 0 in slots beside the segments
} zcmoe_line;

/// The most segments of a fit with ZCMOE_CONSTANTS_SMOOTH.
#define ZCMOE_MAX_SMOOTH_SEGMENTS ((int64_t)1 << 14)

/// What a model predicts. Decided once, when a fit or a model is created, and stored in the model
/// file.
typedef struct zcmoe_model_options {
  size_t struct_size;   ///< sizeof(zcmoe_model_options)
  int32_t closed_side;  ///< default ZCMOE_CLOSED_LEFT
  /// 1, the default: the open end of the range is closed too, so that x = a_m (left-closed; x = a_0
  /// if right-closed) is in range. 0: it is not.
  int32_t include_outer_edge;
  int32_t nan_policy;    ///< default ZCMOE_NAN_PROPAGATE
  int32_t range_policy;  ///< default ZCMOE_RANGE_CLAMP
  int32_t empty_policy;  ///< default ZCMOE_EMPTY_NEAREST
  /// Default ZCMOE_CONSTANTS_MEAN. ZCMOE_CONSTANTS_SMOOTH is for fits without shrinkage; models
  /// from known constants refuse it, plans judge means in its place.
  int32_t constants;
  double nan_value;    ///< of ZCMOE_NAN_VALUE; any double
  double range_value;  ///< of ZCMOE_RANGE_VALUE; any double
  double empty_value;  ///< of ZCMOE_EMPTY_VALUE; not infinite
  /// kappa >= 0, finite: constants are (W mean + kappa g) / (W + kappa), W the weight of the
  /// segment, g the global mean or, under ZCMOE_EMPTY_VALUE, empty_value; > 0: empty segments get
  /// g. 0 = none, the default.
  double shrinkage;
  const char* feature_name;  ///< UTF-8, at most 1,024 bytes, kept in the model file; NULL: none
  const char* target_name;   ///< likewise
  /// Default ZCMOE_EXPERTS_CONSTANT. The others are for fits without shrinkage, with constants that
  /// are means; zcmoe_model_create() refuses them.
  int32_t experts;
  int32_t weights_kind;  ///< default ZCMOE_WEIGHTS_SAMPLING; without weights both are one
} zcmoe_model_options;
/// All defaults.
#define ZCMOE_MODEL_OPTIONS_INIT \
  { sizeof(zcmoe_model_options), 0, 1, 0, 0, 0, 0, 0.0, 0.0, 0.0, 0.0, NULL, NULL, 0, 0 }

/// Makes a model from known constants. Host function; on the CUDA engine it copies the tables to
/// the device, on the legacy default stream, and waits for that.
///
/// Counts are 0, variances NaN. The NaN and out-of-range segments of their own, if asked for, are
/// empty and follow empty_policy.
///
/// @param[in]  context       whose engine the model lives on
/// @param[in]  edges         [num_segments + 1], host memory, finite, strictly increasing; copied
/// @param[in]  constants     [num_segments], host memory, NaN allowed, infinity not; copied
/// @param[in]  num_segments  m, 1 to ZCMOE_MAX_SEGMENTS
/// @param[in]  options       NULL: all defaults
/// @param[out] model         receives the model, to be freed with zcmoe_model_destroy()
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also for wrong entries; the error names the first bad index
///
/// Memory: see zcmoe_model_info::routing_bytes.
ZCMOE_API zcmoe_status zcmoe_model_create(zcmoe_context* context, const double* edges,
                                          const double* constants, int64_t num_segments,
                                          const zcmoe_model_options* options, zcmoe_model** model);
/// Makes a model from known lines, one a segment, which answer as zcmoe_line says. As
/// zcmoe_model_create(); constants are what the lines give in the middle of their segments.
///
/// @param[in]  context       whose engine the model lives on
/// @param[in]  edges         [num_segments + 1], host memory, finite, strictly increasing; copied
/// @param[in]  lines         [num_segments], host memory; from, to and slope finite, from <= to,
///   value not infinite; copied
/// @param[in]  num_segments  m, 1 to ZCMOE_MAX_SEGMENTS
/// @param[in]  options       experts must be ZCMOE_EXPERTS_LINEAR or ZCMOE_EXPERTS_INTERPOLATE,
///   which here are but names
/// @param[out] model         receives the model, to be freed with zcmoe_model_destroy()
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also for wrong entries; the error names the first bad index
ZCMOE_API zcmoe_status zcmoe_model_create_lines(zcmoe_context* context, const double* edges,
                                                const zcmoe_line* lines, int64_t num_segments,
                                                const zcmoe_model_options* options,
                                                zcmoe_model** model);
/// Makes a model that reads the constants of another by interpolation: between the centres of two
/// neighbouring segments it answers with the line through their constants, and continues the
/// outermost lines to the ends of the range. Nothing is learned anew, and for a smooth relation the
/// error falls from 1/m^2 to 1/m^4 (Scott 1985; theory.h).
///
/// Its segments lie between the centres: one fewer than those of `model`, or one where that has
/// one. Its counts are 0 and its variances NaN, as of known constants; its constants are those in
/// the middle of its segments. Policies, names and what is answered to NaN are kept, as are
/// constants of their own outside the range. A NaN constant makes the lines on both sides NaN.
///
/// @param[in]  model          with ZCMOE_EXPERTS_CONSTANT
/// @param[out] interpolating  receives the model, on the same engine, to be freed with
///   zcmoe_model_destroy()
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also where the experts of `model` are lines already
ZCMOE_API zcmoe_status zcmoe_model_interpolate(const zcmoe_model* model,
                                               zcmoe_model** interpolating);
/// Frees a model. Work that uses it must be done: its device memory is freed at once.
/// @param[in] model  NULL is allowed
/// @return ZCMOE_OK
ZCMOE_API zcmoe_status zcmoe_model_destroy(zcmoe_model* model);

/// Writes a model's file, a safetensors container (docs/model-file.md). Host function.
///
/// A temporary file beside path is written, flushed with fsync and renamed, links are followed by
/// the kernel alone; a failed save leaves an existing file as it was. The same model gives the same
/// bytes.
///
/// @param[in] model  the model
/// @param[in] path   where to, not empty
/// @retval ZCMOE_ERR_IO  the file cannot be written
ZCMOE_API zcmoe_status zcmoe_model_save(const zcmoe_model* model, const char* path);
/// Reads a model's file, which is treated as hostile. Host function; waits as zcmoe_model_create()
/// does.
///
/// @param[in]  context  whose engine the model lives on
/// @param[in]  path     where from, not empty
/// @param[out] model    receives the model, to be freed with zcmoe_model_destroy()
/// @retval ZCMOE_ERR_IO        the file cannot be opened or read
/// @retval ZCMOE_ERR_FORMAT    it is not a model's file, or breaks a rule of docs/model-file.md
/// @retval ZCMOE_ERR_VERSION   it was written by a later major format version
/// @retval ZCMOE_ERR_CHECKSUM  its data does not match its checksums
ZCMOE_API zcmoe_status zcmoe_model_load(zcmoe_context* context, const char* path,
                                        zcmoe_model** model);

/// Writes the bytes of a model's file to memory. Host function.
///
/// @param[in]  model     the model
/// @param[out] buffer    host memory; NULL: only *bytes is set
/// @param[in]  capacity  bytes that the buffer holds
/// @param[out] bytes     bytes of the file
/// @retval ZCMOE_ERR_WORKSPACE  capacity is too small; *bytes is set
ZCMOE_API zcmoe_status zcmoe_model_serialize(const zcmoe_model* model, void* buffer,
                                             size_t capacity, size_t* bytes);
/// Makes a model of the bytes of its file, which are treated as hostile. Host function; waits as
/// zcmoe_model_create() does.
///
/// @param[in]  context  whose engine the model lives on
/// @param[in]  buffer   host memory, of any alignment
/// @param[in]  bytes    size of the buffer
/// @param[out] model    receives the model, to be freed with zcmoe_model_destroy()
/// @retval ZCMOE_ERR_FORMAT    as zcmoe_model_load()
/// @retval ZCMOE_ERR_VERSION   as zcmoe_model_load()
/// @retval ZCMOE_ERR_CHECKSUM  as zcmoe_model_load()
ZCMOE_API zcmoe_status zcmoe_model_deserialize(zcmoe_context* context, const void* buffer,
                                               size_t bytes, zcmoe_model** model);

/// What a model holds. Pointers are host memory, valid as long as the model. Per-segment arrays
/// have num_slots = num_segments + 3 entries: the segments, then the NaN, underflow and overflow
/// segments (count 0 where unused).
typedef struct zcmoe_model_info {
  size_t struct_size;    ///< sizeof(zcmoe_model_info), set by the caller
  int64_t num_segments;  ///< m
  int64_t num_slots;     ///< m + 3
  int64_t num_empty;     ///< segments of the range without samples
  int64_t num_rows;      ///< rows accumulated, all slots
  /// Weighted mean of what is predicted for all rows accumulated; where constants are means without
  /// shrinkage that of their targets.
  double mean;
  /// Within-segment variance, sum (count - 1) variance / sum (count - 1); NaN if none. Where
  /// weights are precisions, of a row of weight 1.
  double noise_variance;
  const double* edges;  ///< [num_segments + 1]
  /// [num_slots], what is predicted; where experts are lines what they give at the mean input of
  /// their samples.
  const double* constants;
  const int64_t* counts;  ///< [num_slots], rows
  const double* weights;  ///< [num_slots], sum of weights (= counts without weights)
  /// [num_slots], NaN below two samples. Weighted: sum w (y - mean)^2 / (W - W2 / W), with
  /// W = sum w, W2 = sum w^2; under ZCMOE_WEIGHTS_PRECISION sum w (y - mean)^2 / (count - 1), of a
  /// row of weight 1. Where experts are lines, about the line: with k parameters in the segment (2
  /// of a line of its own, or what the segment takes of the shared values, at most half the
  /// samples) the mean squared distance times N / (N - k), N = W^2 / W2; precisions: times
  /// W / (count - k).
  const double* variances;
  /// [num_slots], of the constant: sqrt(variance * W2 / W^2), precisions: sqrt(variance / W); NaN
  /// below two samples; times W / (W + kappa) under shrinkage. Of a smooth constant that of the
  /// fit, NaN without samples. Of a line the root mean square over the samples:
  /// sqrt(variance * k / N), precisions: sqrt(variance * k / W).
  const double* standard_errors;
  /// [num_slots], of the targets, NaN without samples; NULL unless constants are smooth.
  const double* means;
  zcmoe_dtype target_dtype;  ///< ZCMOE_F32 or ZCMOE_F64; 0 for a model from known constants
  int64_t weighted;          ///< 1: the fit took weights
  /// Of the engine's memory: tables that route in constant time, at most 416 bytes a segment and
  /// 8 KB; of models of more than 2^20 segments 128 bytes a segment and 8 KB. Beside these a model
  /// takes 52 bytes a segment of the engine's memory and 48 of the host's; with lines 32 more of
  /// each.
  int64_t routing_bytes;
  const zcmoe_line* lines;  ///< [num_slots], what is predicted; NULL where experts are constants
  zcmoe_model_options options;  ///< names point into the model; last, so that it can grow
} zcmoe_model_info;
/// Tells what a model holds. Host function.
/// @param[in]     model  the model
/// @param[in,out] info   struct_size is read, the rest is filled
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also if struct_size is none of this struct
///
/// Cost: O(m).
ZCMOE_API zcmoe_status zcmoe_model_get_info(const zcmoe_model* model, zcmoe_model_info* info);

/// Tables in the memory of the model's engine, for the caller's own kernels: see model_view.hpp,
/// which adds segment_of(x) and value_at(x). Valid as long as the model.
typedef struct zcmoe_model_view {
  size_t struct_size;                ///< sizeof(zcmoe_model_view), set by the caller
  const double* edges;               ///< [num_segments + 1]
  const double* constants;           ///< [num_segments + 3], by slot
  const float* constants_f32;        ///< the same, rounded to float32
  const double* standard_errors;     ///< [num_segments + 3], by slot
  const float* standard_errors_f32;  ///< the same, rounded to float32
  int64_t num_segments;              ///< m
  int32_t closed_side;               ///< as in zcmoe_model_options
  int32_t include_outer_edge;        ///< likewise
  int32_t nan_policy;                ///< likewise
  int32_t range_policy;              ///< likewise
  const zcmoe_line* lines;  ///< [num_segments + 3], by slot; NULL where experts are constants
} zcmoe_model_view;
/// A struct to be filled by zcmoe_model_get_view().
#define ZCMOE_MODEL_VIEW_INIT \
  { sizeof(zcmoe_model_view), NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, NULL }
/// Tells where a model's tables are. Host function: no device call.
/// @param[in]     model  the model
/// @param[in,out] view   struct_size is read, the rest is filled
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also if struct_size is none of this struct
ZCMOE_API zcmoe_status zcmoe_model_get_view(const zcmoe_model* model, zcmoe_model_view* view);

/// @}
/// @defgroup predict Predict
/// What a model says of inputs.
/// @{

/// What zcmoe_predict() writes, [n] each. Each output may be left out (data NULL). An output may be
/// x itself when data, element size and stride are equal; any other overlap is refused.
typedef struct zcmoe_predict_outputs {
  size_t struct_size;   ///< sizeof(zcmoe_predict_outputs)
  zcmoe_output values;  ///< constants; F32 or F64
  /// I32 or I64: 0 .. m-1; -1: none; own segments m (NaN), m+1 (underflow), m+2 (overflow).
  zcmoe_output segments;
  zcmoe_output standard_errors;  ///< of the constants; F32 or F64
  zcmoe_output variances;        ///< within the segments; F32 or F64
  zcmoe_output counts;           ///< rows that the segments were learned from; I64
  /// Memory the engine can write. rows, rows_used, nan_inputs, below_range and above_range are
  /// added to; NULL: none.
  zcmoe_report* report;
} zcmoe_predict_outputs;
/// An output that is not wanted.
#define ZCMOE_OUTPUT_NONE \
  { NULL, 0, 0 }
/// No output is wanted.
#define ZCMOE_PREDICT_OUTPUTS_INIT                                                          \
  {                                                                                         \
    sizeof(zcmoe_predict_outputs), ZCMOE_OUTPUT_NONE, ZCMOE_OUTPUT_NONE, ZCMOE_OUTPUT_NONE, \
        ZCMOE_OUTPUT_NONE, ZCMOE_OUTPUT_NONE, NULL                                          \
  }

/// Predicts for n inputs of any type.
///
/// Comparisons are exact: inputs are widened, edges never rounded; I64 and U64 inputs are compared
/// as the integers they are, beyond 2^53 too. n = 0 does nothing.
///
/// @param[in] model    the model; any number of threads may use it
/// @param[in] x        inputs, [n], of any type; memory that the engine can read
/// @param[in] n        number of rows
/// @param[in] outputs  what to write, and where; read before the call returns
/// @param[in] stream   the work is ordered on it; the call returns without waiting
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also if an output has a type it cannot have, or overlaps x
/// or
///   another output in a way that is not allowed
///
/// It allocates nothing, needs no workspace, and can be captured in a CUDA graph. Cost: one look-up
/// in the routing table an input.
ZCMOE_API zcmoe_status zcmoe_predict(const zcmoe_model* model, zcmoe_array x, int64_t n,
                                     const zcmoe_predict_outputs* outputs, zcmoe_stream stream);
/// Predicts as zcmoe_predict() does, in host memory on either engine; returns when done. CUDA: the
/// arrays are staged through device memory in chunks.
///
/// @param[in] model    the model
/// @param[in] x        inputs, [n], of any type
/// @param[in] n        number of rows
/// @param[in] outputs  what to write, and where
/// @param[in] stream   CUDA: does the work
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  as zcmoe_predict()
ZCMOE_API zcmoe_status zcmoe_predict_sync(const zcmoe_model* model, zcmoe_array x, int64_t n,
                                          const zcmoe_predict_outputs* outputs,
                                          zcmoe_stream stream);

/// @}
/// @defgroup group Group
/// The samples of each expert made contiguous.
/// @{

/// An array carried along with the rows: to[k] = from[rows[k]], bit for bit. Any type, the same on
/// both sides.
typedef struct zcmoe_group_column {
  zcmoe_array from;  ///< [n]
  zcmoe_output to;   ///< [n]; its data must not be null
} zcmoe_group_column;

/// The most columns of a call.
#define ZCMOE_GROUP_MAX_COLUMNS ((int64_t)16)

/// What zcmoe_group() writes. Each output may be left out (data NULL). With num_slots =
/// num_segments + 3: slot s holds the rows offsets[s] .. offsets[s + 1] - 1 of every grouped array.
typedef struct zcmoe_group_outputs {
  size_t struct_size;    ///< sizeof(zcmoe_group_outputs)
  zcmoe_output offsets;  ///< I64, [num_slots + 1]; offsets[0] = 0, offsets[num_slots] = n
  zcmoe_output rows;     ///< I64, or I32 if n < 2^31: [n] row numbers, ascending within a slot
  int64_t num_columns;   ///< 0 to ZCMOE_GROUP_MAX_COLUMNS
  const zcmoe_group_column* columns;  ///< [num_columns], host array, read before the call returns
} zcmoe_group_outputs;
/// No output is wanted.
#define ZCMOE_GROUP_OUTPUTS_INIT \
  { sizeof(zcmoe_group_outputs), ZCMOE_OUTPUT_NONE, ZCMOE_OUTPUT_NONE, 0, NULL }

/// Makes the samples of each expert contiguous: orders the n rows by the slot of their input, equal
/// slots by row number, so that the result is the same on both engines.
///
/// Every row is somewhere: first the segments 0 .. m-1, then slot m (x is NaN, whatever the NaN
/// policy), m + 1 (below the range) and m + 2 (above it); under ZCMOE_RANGE_CLAMP the last two are
/// empty, since the first and last segment take their rows. n = 0: all offsets are 0.
///
/// @param[in] model            the model
/// @param[in] x                inputs, [n], of any type
/// @param[in] n                number of rows
/// @param[in] outputs          what to write, and where; no output may overlap an input or another
///   output
/// @param[in] workspace        engine memory, 256-byte aligned; NULL: taken from the allocator
/// @param[in] workspace_bytes  at least zcmoe_group_workspace() bytes for min(n, 65,536) rows
/// @param[in] stream           the work is ordered on it; the call returns without waiting
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also if an output has a type it cannot have, or overlaps
/// @retval ZCMOE_ERR_WORKSPACE  the workspace is too small
///
/// With a workspace the CUDA engine allocates nothing and the call can be captured in a CUDA graph.
/// The CPU engine takes no workspace but 4 bytes a row and, for each thread that shares in, 8 bytes
/// a slot (1 GiB in all at the most beyond the first) from the allocator. Cost, CPU: a counting
/// sort, one search and two passes. CUDA: a radix sort of n slot numbers by ceil(log2(m + 3)) bits
/// in chunks of what the workspace holds, done twice if there is more than one chunk.
ZCMOE_API zcmoe_status zcmoe_group(const zcmoe_model* model, zcmoe_array x, int64_t n,
                                   const zcmoe_group_outputs* outputs, void* workspace,
                                   size_t workspace_bytes, zcmoe_stream stream);
/// Groups as zcmoe_group() does, in host memory on either engine; returns when done. CUDA: all
/// arrays of the call are copied to device memory, which must hold them beside the workspace.
///
/// @param[in] model    the model
/// @param[in] x        inputs, [n], of any type
/// @param[in] n        number of rows
/// @param[in] outputs  what to write, and where; no output may overlap an input or another output
/// @param[in] stream   CUDA: does the work
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  as zcmoe_group()
ZCMOE_API zcmoe_status zcmoe_group_sync(const zcmoe_model* model, zcmoe_array x, int64_t n,
                                        const zcmoe_group_outputs* outputs, zcmoe_stream stream);
/// Tells the workspace with which zcmoe_group() does n rows in one go, or above 2^26 rows in chunks
/// of as many. Host function: no device call.
///
/// @param[in]  model  the model
/// @param[in]  n      number of rows
/// @param[out] bytes  the workspace, monotone in n; 0 on the CPU engine
/// @return ZCMOE_OK, or what any function may return
ZCMOE_API zcmoe_status zcmoe_group_workspace(const zcmoe_model* model, int64_t n, size_t* bytes);

/// @}
/// @defgroup fit Fit
/// Constants learned from samples.
/// @{

/// What becomes of rows that cannot be used: nan_inputs and nonfinite_targets of zcmoe_fit_options.
enum {
  ZCMOE_ROWS_SKIP = 0,  ///< they are left out and counted
  ZCMOE_ROWS_ERROR = 1  ///< they are refused, see zcmoe_fit_add()
};
/// The least determinism the caller asks for: zcmoe_fit_options::determinism. Every level gets the
/// strongest: sums are exact integers.
enum {
  ZCMOE_DETERMINISM_FAST = 0,         ///< bits may vary
  ZCMOE_DETERMINISM_RUN_TO_RUN = 1,   ///< the same call gives the same bits
  ZCMOE_DETERMINISM_REPRODUCIBLE = 2  ///< the same rows give the same bits, whatever adds them
};

/// How rows are added.
typedef struct zcmoe_fit_options {
  size_t struct_size;  ///< sizeof(zcmoe_fit_options)
  /// ZCMOE_F64, the default: targets and weights of any float type; ZCMOE_F32: of at most 32-bit
  /// floats (a sixth of the state's memory).
  zcmoe_dtype target_dtype;
  int32_t weighted;           ///< 1: zcmoe_fit_add() takes weights; default 0
  int32_t nan_inputs;         ///< ZCMOE_ROWS_SKIP or _ERROR; not looked at under ZCMOE_NAN_SEGMENT
  int32_t nonfinite_targets;  ///< ZCMOE_ROWS_SKIP or _ERROR: y NaN or infinite
  int32_t determinism;        ///< default ZCMOE_DETERMINISM_RUN_TO_RUN
  int32_t reserved;           ///< 0
} zcmoe_fit_options;
/// All defaults.
#define ZCMOE_FIT_OPTIONS_INIT \
  { sizeof(zcmoe_fit_options), ZCMOE_F64, 0, 0, 0, ZCMOE_DETERMINISM_RUN_TO_RUN, 0 }

/// Starts a fit of num_segments constants on edges. Host function: on the CUDA engine it works on
/// the legacy default stream and waits for it.
///
/// @param[in]  context        whose engine the fit lives on
/// @param[in]  edges          [num_segments + 1], host memory, finite, strictly increasing; copied
/// @param[in]  num_segments   m, 1 to ZCMOE_MAX_SEGMENTS
/// @param[in]  model_options  policies of the fit and of its models; NULL: all defaults
/// @param[in]  fit_options    NULL: all defaults
/// @param[out] fit            receives the fit, to be freed with zcmoe_fit_destroy()
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also for wrong edges, where the error names the first bad
///   index, and for more than ZCMOE_MAX_SMOOTH_SEGMENTS with ZCMOE_CONSTANTS_SMOOTH
///
/// Memory: the state holds exact integer sums. Bytes a slot (there are m + 3 slots): float32
/// targets 256, weighted 640; float64 1,624, weighted 4,288. On the CPU engine only the pages that
/// data reaches become resident; of a state of 32 MiB and more these may be pages of 2 MiB.
ZCMOE_API zcmoe_status zcmoe_fit_create(zcmoe_context* context, const double* edges,
                                        int64_t num_segments,
                                        const zcmoe_model_options* model_options,
                                        const zcmoe_fit_options* fit_options, zcmoe_fit** fit);
/// Frees a fit. Work that uses it must be done.
/// @param[in] fit  NULL is allowed
/// @return ZCMOE_OK
ZCMOE_API zcmoe_status zcmoe_fit_destroy(zcmoe_fit* fit);

/// Tells the workspace with which zcmoe_fit_add() does n rows at full speed. Host function: no
/// device call.
///
/// @param[in]  fit    the fit
/// @param[in]  n      number of rows
/// @param[out] bytes  the workspace, monotone in n and constant above 2^26 rows: the call works in
///   chunks of what fits, at least 65,536 rows. 0 on the CPU engine, and on the CUDA engine where
///   it need not sort the rows (float32 targets without weights and as many segments as fit a
///   block's shared memory, some 7,000 on an H100; up to 2^30 rows)
/// @return ZCMOE_OK, or what any function may return
ZCMOE_API zcmoe_status zcmoe_fit_workspace(const zcmoe_fit* fit, int64_t n, size_t* bytes);

/// Adds n samples: each target is counted in the segment of its input.
///
/// Rows with NaN input, NaN or infinite target, or weight 0 are skipped and counted, unless a
/// policy says otherwise. A refused row (error policy, bad weight): the CPU engine returns DATA and
/// adds nothing of this call; the CUDA engine leaves the row out and zcmoe_fit_finish() returns
/// DATA. A call that fails has added nothing. n = 0 does nothing.
///
/// @param[in,out] fit          the fit
/// @param[in] x                inputs, [n], of any type
/// @param[in] y                targets, [n], of a float type; F64 only if target_dtype is F64
/// @param[in] weights          [n], finite, >= 0, of the types of y; data NULL if and only if the
///   fit is not weighted
/// @param[in] n                number of rows
/// @param[in] workspace        engine memory, 256-byte aligned; NULL: taken from the allocator
/// @param[in] workspace_bytes  at least zcmoe_fit_workspace() bytes for min(n, 65,536) rows (beyond
///   2^30 rows: for n)
/// @param[in] stream           the work is ordered on it; the call returns without waiting
/// @retval ZCMOE_ERR_DATA       CPU engine: a row is refused
/// @retval ZCMOE_ERR_NUMERIC    the fit would count more than ZCMOE_MAX_ROWS rows
/// @retval ZCMOE_ERR_WORKSPACE  the workspace is too small
///
/// With a workspace the CUDA engine allocates nothing and the call can be captured in a CUDA graph.
/// The CPU engine takes no workspace; where it shares rows out it takes a state for each further
/// thread and a few words a slot for every thread from the allocator, 1 GiB in all at the most.
/// Cost, CPU: search and about ten integer additions a row. CUDA: one pass over x and y with the
/// sums in shared memory, or one sort of n ids by ceil(log2 m) bits and one pass. Source: the
/// least-squares constant of a segment is its mean.
ZCMOE_API zcmoe_status zcmoe_fit_add(zcmoe_fit* fit, zcmoe_array x, zcmoe_array y,
                                     zcmoe_array weights, int64_t n, void* workspace,
                                     size_t workspace_bytes, zcmoe_stream stream);
/// Adds samples as zcmoe_fit_add() does, from host memory on either engine; returns when done.
/// CUDA: the arrays are staged through device memory in chunks.
///
/// @param[in,out] fit  the fit
/// @param[in] x        inputs, [n], of any type
/// @param[in] y        targets, [n], as zcmoe_fit_add()
/// @param[in] weights  [n], as zcmoe_fit_add()
/// @param[in] n        number of rows
/// @param[in] stream   CUDA: does the work
/// @retval ZCMOE_ERR_DATA     CPU engine: a row is refused
/// @retval ZCMOE_ERR_NUMERIC  the fit would count more than ZCMOE_MAX_ROWS rows
ZCMOE_API zcmoe_status zcmoe_fit_add_sync(zcmoe_fit* fit, zcmoe_array x, zcmoe_array y,
                                          zcmoe_array weights, int64_t n, zcmoe_stream stream);

/// Adds the samples of source to fit; source is unchanged. Exact: any merge tree gives the same
/// bits; an empty source changes nothing.
///
/// @param[in,out] fit  the fit
/// @param[in] source   another fit, or the same
/// @param[in] stream   the work is ordered on it. On the CUDA engine the counters are looked at
///   first: the call waits for the stream, and cannot be captured in a graph. Fits of two contexts,
///   unless both are CPU contexts: it is a stream of fit's device, and work on source must be done
/// @retval ZCMOE_ERR_INCOMPATIBLE  edges, types, weights or policies differ (names may)
/// @retval ZCMOE_ERR_NUMERIC  the two count more than ZCMOE_MAX_ROWS rows together; fit is as it
/// was
///
/// Cost: one pass over both states.
ZCMOE_API zcmoe_status zcmoe_fit_merge(zcmoe_fit* fit, const zcmoe_fit* source,
                                       zcmoe_stream stream);

/// Tells which rows policies touched so far. Host function: waits for stream.
///
/// @param[in]  fit     the fit
/// @param[out] report  counts of all rows added, host memory
/// @param[in]  stream  the stream that rows were added on
/// @return ZCMOE_OK, or what any function may return
ZCMOE_API zcmoe_status zcmoe_fit_get_report(const zcmoe_fit* fit, zcmoe_report* report,
                                            zcmoe_stream stream);

/// Makes the model of the samples so far; the fit stays usable. Host function: waits for stream.
///
/// Constants are the exact means, rounded to nearest (error below 0.51 ulp); variances likewise, of
/// precisions to within 4 ulp.
///
/// With ZCMOE_CONSTANTS_SMOOTH a segment with samples predicts what a fit to the exact means of all
/// segments says, within the range of these: least-squares splines between jumps, by place and by
/// mass, averaged by how well they do under generalised cross-validation. It keeps its own mean if
/// it holds both sides of a jump. Standard errors are those of the averaged splines, with the
/// distance of each from the average; they do not tell of a bias that all splines share. The
/// segments of ZCMOE_NAN_SEGMENT and ZCMOE_RANGE_SEGMENTS predict means. Cost: some tenths of a
/// second for thousands of segments. Sources: Craven & Wahba 1979; Leung & Barron 2006; Buckland,
/// Burnham & Augustin 1997.
///
/// @param[in]  fit     the fit
/// @param[out] model   receives the model, to be freed with zcmoe_model_destroy()
/// @param[in]  stream  the stream that rows were added on
/// @retval ZCMOE_ERR_DATA  rows were refused, as said at zcmoe_fit_add(); the error counts them
ZCMOE_API zcmoe_status zcmoe_fit_finish(const zcmoe_fit* fit, zcmoe_model** model,
                                        zcmoe_stream stream);

/// Writes the state of a fit: a safetensors container of the edges and the exact sums in canonical
/// form; the same samples give the same bytes. Host function: waits for stream.
///
/// @param[in]  fit       the fit
/// @param[out] buffer    host memory; NULL: only *bytes is set
/// @param[in]  capacity  bytes that the buffer holds
/// @param[out] bytes     bytes of the state
/// @param[in]  stream    the stream that rows were added on
/// @retval ZCMOE_ERR_WORKSPACE  capacity is too small; *bytes is set
ZCMOE_API zcmoe_status zcmoe_fit_serialize(const zcmoe_fit* fit, void* buffer, size_t capacity,
                                           size_t* bytes, zcmoe_stream stream);
/// Makes a fit of a written state, which is treated as hostile: counters and sums that no samples
/// give are refused. Host function; waits as zcmoe_fit_create() does.
///
/// @param[in]  context  whose engine the fit lives on
/// @param[in]  buffer   host memory, of any alignment
/// @param[in]  bytes    size of the buffer
/// @param[out] fit      receives the fit, to be freed with zcmoe_fit_destroy()
/// @retval ZCMOE_ERR_FORMAT    it is not a state, or breaks a rule of docs/model-file.md
/// @retval ZCMOE_ERR_VERSION   it was written by a later major format version
/// @retval ZCMOE_ERR_CHECKSUM  its data does not match its checksums
ZCMOE_API zcmoe_status zcmoe_fit_deserialize(zcmoe_context* context, const void* buffer,
                                             size_t bytes, zcmoe_fit** fit);

/// @}

#ifdef __cplusplus
}
#endif
#endif
