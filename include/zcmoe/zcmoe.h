/* zcmoe: regression by many constant experts. The C interface, and the only stable ABI of the
 * library.
 *
 * The input line is cut into m segments [a_{i-1}, a_i); each segment is answered by one constant,
 * the mean of the targets that fell into it. Build a table of edges (zcmoe_segment_*), fit it
 * (zcmoe_fit_*), predict (zcmoe_predict).
 *
 * Rules that hold everywhere
 * - Every function returns a zcmoe_status; 0 is success. zcmoe_last_error() then tells, for the
 * calling thread, function, argument, value and limit. No exception, signal or output leaves the
 * library.
 * - Counts, strides and indices are int64_t; strides count elements, may be 0 or negative.
 * - Option structs begin with struct_size; initialise them with their ZCMOE_..._INIT. A null
 * options pointer means all defaults. Fields a caller's older struct lacks take their defaults; a
 * larger struct is refused unless its extra bytes are zero. A struct_size above
 * ZCMOE_MAX_STRUCT_SIZE, or of a shorter struct that is not a multiple of 8, is refused before any
 * other byte is looked at. Structs with a struct_size that the
 * library fills are filled as far as that size says.
 * - Null where a pointer is needed and pointers that are not aligned to their type are
 * INVALID_ARGUMENT, as are all numbers out of the range given; nothing is written then.
 * - Unless a function says "host function", its array pointers must be readable by the context's
 * engine (CPU: host memory; CUDA: device, managed or pinned memory), the work is ordered on
 * `stream`, and it returns without waiting. Functions whose name ends in _sync take host memory on
 * either engine and return when the work is done.
 * - The CPU engine ignores `stream` (pass NULL) and has finished when the call returns.
 * - zcmoe_model is immutable: any number of threads and streams may use one at once. zcmoe_fit and
 * zcmoe_context belong to one thread at a time. Handles may be destroyed in any order.
 * - Running out of memory or threads is OUT_OF_MEMORY, or costs speed alone: a call that can start
 * no thread is done by its caller. A call that fails leaves fits as they were, and may be repeated.
 * - A thread that calls the library needs a stack of 64 KB (callbacks' needs come on top). Threads
 * that the library starts take no signals.
 * - Results are the same bits for CPU and CUDA, any thread count, chunking, input order and merge
 * order.
 */
#ifndef ZCMOE_ZCMOE_H
#define ZCMOE_ZCMOE_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define ZCMOE_API
#else
#define ZCMOE_API __attribute__((visibility("default")))
#endif

#define ZCMOE_VERSION_MAJOR 0
#define ZCMOE_VERSION_MINOR 1
#define ZCMOE_VERSION_PATCH 0

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------ status */

typedef int32_t zcmoe_status;
enum {
  ZCMOE_OK = 0,
  /* null, out of range, misaligned, overlapping, unknown enum value */
  ZCMOE_ERR_INVALID_ARGUMENT = 1,
  ZCMOE_ERR_OUT_OF_MEMORY = 2, /* host or device memory, or the caller's allocator, ran out */
  ZCMOE_ERR_NO_DEVICE = 3,     /* no CUDA device, no driver, or a library built without CUDA */
  ZCMOE_ERR_DEVICE = 4,        /* a CUDA call or kernel failed */
  ZCMOE_ERR_IO = 5,            /* a file could not be opened, read, written, flushed or renamed */
  ZCMOE_ERR_FORMAT = 6,        /* a file or buffer is not what it claims to be */
  ZCMOE_ERR_VERSION = 7,       /* a file was written by a later major format version */
  ZCMOE_ERR_CHECKSUM = 8,      /* a file's data does not match its checksum */
  /* a row breaks a policy that says error, or a weight is negative or not finite */
  ZCMOE_ERR_DATA = 9,
  /* fit states with different edges, types or policies cannot be merged */
  ZCMOE_ERR_INCOMPATIBLE = 10,
  /* a callback answered NaN, infinity or a negative density; no convergence; a fit would count more
     than ZCMOE_MAX_ROWS rows */
  ZCMOE_ERR_NUMERIC = 11,
  ZCMOE_ERR_WORKSPACE = 12, /* the workspace given is smaller than the call needs */
  /* a defect of the library: please report the text of zcmoe_last_error() */
  ZCMOE_ERR_INTERNAL = 13,
};

/* The four calls that return text never fail; the text is never null and, but for
 * zcmoe_last_error(), static. */
ZCMOE_API const char* zcmoe_version(void);
/* "zcmoe 0.1.0; compiler ...; flags ...; cuda ... architectures ... | without CUDA" */
ZCMOE_API const char* zcmoe_build_info(void);
/* Name of a status, e.g. "ZCMOE_ERR_IO"; "unknown status" for other numbers. */
ZCMOE_API const char* zcmoe_status_string(zcmoe_status status);
/* Why this thread's last failed call failed; valid until this thread's next call. Empty before the
 * first failure. */
ZCMOE_API const char* zcmoe_last_error(void);

/* ------------------------------------------------------------------- types */

typedef struct CUstream_st* zcmoe_stream; /* a cudaStream_t; NULL is the legacy default stream */

typedef int64_t zcmoe_dtype; /* 64 bits: the structs below have no padding */
enum {
  ZCMOE_F32 = 1,
  ZCMOE_F64 = 2,
  ZCMOE_F16 = 3, /* IEEE binary16 */
  ZCMOE_BF16 = 4,
  ZCMOE_I8 = 5,
  ZCMOE_U8 = 6,
  ZCMOE_I16 = 7,
  ZCMOE_U16 = 8,
  ZCMOE_I32 = 9,
  ZCMOE_U32 = 10,
  ZCMOE_I64 = 11,
  ZCMOE_U64 = 12
};

/* The largest struct_size of any struct. */
#define ZCMOE_MAX_STRUCT_SIZE ((size_t)1 << 16)
/* Rows that a fit may count; far beyond any data. */
#define ZCMOE_MAX_ROWS ((int64_t)1 << 61)

/* n elements of an array that the callee reads: element i is data[i * stride]. data must be aligned
 * to its type. */
typedef struct zcmoe_array {
  const void* data;
  zcmoe_dtype dtype;
  int64_t stride;
} zcmoe_array;

/* The same, written by the callee. data == NULL: not wanted. Stride 0 is refused for n > 1. */
typedef struct zcmoe_output {
  void* data;
  zcmoe_dtype dtype;
  int64_t stride;
} zcmoe_output;

/* Rows that a policy touched. On input of zcmoe_predict the counts are added to. */
typedef struct zcmoe_report {
  int64_t rows;        /* rows offered */
  int64_t rows_used;   /* fit: rows accumulated; predict: rows answered by a segment of the range */
  int64_t nan_inputs;  /* x is NaN */
  int64_t below_range; /* x lies below the range (and was clamped, skipped or sent aside, as the
                          policy says) */
  int64_t above_range; /* x lies above the range */
  int64_t nan_targets; /* fit: y is NaN; the row is skipped */
  int64_t infinite_targets; /* fit: y is +-infinity; the row is skipped */
  int64_t zero_weights;     /* fit: weight 0; the row counts as absent */
  int64_t bad_weights;      /* fit: weight negative, NaN or infinite */
  /* fit on the CUDA engine: first row (0-based, counted over all rows of the state before it) that
     an error policy refuses; -1: none. The CPU engine names it in the error text instead. Not part
     of the serialised state. */
  int64_t first_bad_row;
} zcmoe_report;

/* ----------------------------------------------------------------- context */

typedef struct zcmoe_context zcmoe_context;
typedef struct zcmoe_model zcmoe_model;
typedef struct zcmoe_fit zcmoe_fit;

typedef int32_t zcmoe_engine;
enum {
  ZCMOE_ENGINE_AUTO = 0, /* CUDA where a device answers, else CPU */
  ZCMOE_ENGINE_CPU = 1,
  ZCMOE_ENGINE_CUDA = 2
};

/* Memory the context's engine can use: returns NULL when out of memory. bytes > 0; align is a power
 * of two <= 256. CUDA: ordered on stream. CPU: stream is NULL. Called from the thread that calls
 * the library. */
typedef void* (*zcmoe_alloc_fn)(void* user, size_t bytes, size_t align, zcmoe_stream stream);
typedef void (*zcmoe_free_fn)(void* user, void* pointer, size_t bytes, size_t align,
                              zcmoe_stream stream);

typedef struct zcmoe_context_options {
  size_t struct_size;
  zcmoe_engine engine;
  int32_t device;      /* CUDA device number, >= 0 */
  int32_t num_threads; /* CPU engine: worker threads; 0 = all cores. Never changes a result. */
  int32_t reserved;    /* 0 */
  zcmoe_alloc_fn
      alloc; /* NULL: own memory pool (CUDA: a private pool, never the device's default pool) */
  zcmoe_free_fn free;             /* given if and only if alloc is */
  void* user;                     /* passed to alloc and free */
  int64_t pool_release_threshold; /* own CUDA pool: bytes kept for reuse at synchronisation; default
                                     64 MiB */
} zcmoe_context_options;
#define ZCMOE_CONTEXT_OPTIONS_INIT \
  { sizeof(zcmoe_context_options), ZCMOE_ENGINE_AUTO, 0, 0, 0, NULL, NULL, NULL, (int64_t)64 << 20 }

typedef struct zcmoe_context_info {
  size_t struct_size;
  zcmoe_engine engine; /* ZCMOE_ENGINE_CPU or ZCMOE_ENGINE_CUDA: which one it is */
  int32_t device;      /* -1 on the CPU engine */
  int32_t num_threads; /* 0 on the CUDA engine */
  int32_t reserved;
  char name[256]; /* "cpu, 8 threads" or the card's name */
} zcmoe_context_info;
#define ZCMOE_CONTEXT_INFO_INIT                   \
  {                                               \
    sizeof(zcmoe_context_info), 0, 0, 0, 0, { 0 } \
  }

/* Chooses an engine. Host function. Errors: NO_DEVICE if CUDA was asked for and there is none
 * (AUTO: never); INVALID_ARGUMENT; OUT_OF_MEMORY; DEVICE. Takes no device memory up front and
 * leaves the current device as it was. num_threads: at most 4,096; the CPU engine starts them, no
 * more than there are cores, in the first call that has work for them.
 *
 * fork: on the CPU engine a child process may go on using every context, model and fit that no
 * other thread of the parent was changing at that moment, also while other threads predict (as
 * Python's multiprocessing does); calls in contexts made before the fork then use one thread, those
 * in contexts that the child makes as many as they say. A CUDA context belongs to the parent alone:
 * in the child every call that reaches its device answers DEVICE, destroying is safe and frees no
 * device memory, and a new context there is of the CPU engine or NO_DEVICE.
 *
 * A kernel that crashes (by a pointer that is not the device's, say) makes the device unusable for
 * the whole process: from then on every call answers DEVICE. Any other failure leaves a fit as it
 * was before the call. */
ZCMOE_API zcmoe_status zcmoe_context_create(const zcmoe_context_options* options,
                                            zcmoe_context** context);
/* NULL is allowed. Models and fits made in the context stay usable. */
ZCMOE_API zcmoe_status zcmoe_context_destroy(zcmoe_context* context);
ZCMOE_API zcmoe_status zcmoe_context_get_info(const zcmoe_context* context,
                                              zcmoe_context_info* info);

/* ------------------------------------------------- segmentation (host functions)
 * All write edges a_0 < a_1 < ... < a_m, float64, finite, into a caller's buffer of num_segments +
 * 1 doubles. Where distinct edges may be fewer than asked for (ties, adjacent doubles), *num_built
 * tells how many segments the table has (1 <= *num_built <= num_segments); only edges[0 ..
 * *num_built] are then written. 1 <= num_segments <= ZCMOE_MAX_SEGMENTS. Host memory, no engine, no
 * threads: same bits everywhere. */

#define ZCMOE_MAX_SEGMENTS ((int64_t)1 << 30)

/* Segments of equal width: a_i = lo + (hi - lo) * i / m, each edge correctly rounded. lo < hi,
 * finite. INVALID_ARGUMENT if m segments do not fit between lo and hi as distinct doubles. Cost
 * O(m). */
ZCMOE_API zcmoe_status zcmoe_segment_uniform(double lo, double hi, int64_t num_segments,
                                             double* edges);

/* Checks edges given by the user: finite, strictly increasing, m >= 1. The error names the first
 * bad index. O(m). */
ZCMOE_API zcmoe_status zcmoe_segment_check(const double* edges, int64_t num_segments);

/* Segments of equal mass from data (host memory): a_i is the sample value with the weight of
 * samples < a_i nearest to (i/m) of all weight (the lower one if two are equally near), for 0 < i <
 * m; a_0 = min, a_m = max, or the next double above max where max itself is a cut and so has a
 * segment of its own. NaN and infinite inputs are left out, as are rows of weight 0; weights.data
 * may be NULL; sums of weights are compared in twice double's precision. Repeated edges are
 * removed, hence *num_built. All samples equal to v: one segment [v, next double above v]. DATA if
 * no finite input is left, or a weight is negative or not finite. Does not depend on the order of
 * rows. 64-bit integers of x are taken as the largest doubles not above them; weights have other
 * types. Cost: one sort of n doubles; extra memory 8 (weighted: 16) bytes a row. */
ZCMOE_API zcmoe_status zcmoe_segment_quantile(zcmoe_array x, zcmoe_array weights, int64_t n,
                                              int64_t num_segments, double* edges,
                                              int64_t* num_built);

/* A function of the input. Called on the calling thread, only inside [lo, hi], any number of times;
 * must be pure, and must not throw (zcmoe.hpp carries exceptions across). */
typedef double (*zcmoe_function)(void* user, double x);

typedef struct zcmoe_density_options {
  size_t struct_size;
  double uniform_mixture; /* eta in [0, 1]: lambda <- (1 - eta) lambda + eta / (hi - lo); default 0.
                             theory: (a) */
  double floor; /* delta >= 0: (p b'^2 + delta * mean(p b'^2))^(1/3), unit free; default 0. (b) */
} zcmoe_density_options;
#define ZCMOE_DENSITY_OPTIONS_INIT \
  { sizeof(zcmoe_density_options), 0.0, 0.0 }

/* The optimal segmentation for a known input density p >= 0 (any scale) and slope b' of the
 * regression function: point density lambda* = (p b'^2)^(1/3), normalised; a_i = G^-1(i/m), G the
 * integral of lambda*, G^-1(u) = inf{x : G(x) >= u}; a_0 = lo, a_m = hi. Plateaus (b' = 0) and gaps
 * (p = 0) get no edges inside. If p b'^2 is zero everywhere the table is uniform. Accurate to 1e-9
 * (hi - lo) for smooth functions, also where lambda* has zeros. NUMERIC if a function answers NaN,
 * infinity or (p) a negative number, or the integral does not converge. The functions are not
 * evaluated at lo and hi themselves, unless the range is two neighbouring doubles. Source: Panter &
 * Dite 1951; Dar 2025, theorem 3. Cost: about 10^4 evaluations of each function, more at zeros and
 * jumps (at most about 10^6), 15 for each panel that holds an edge, and a root finding without
 * evaluations an edge. */
ZCMOE_API zcmoe_status zcmoe_segment_optimal(zcmoe_function density, zcmoe_function slope,
                                             void* user, double lo, double hi, int64_t num_segments,
                                             const zcmoe_density_options* options, double* edges,
                                             int64_t* num_built);

/* The same from tables: grid[num_grid] strictly increasing and finite, num_grid >= 2,
 * density[num_grid] >= 0, slope[num_grid]; between grid points shape-preserving cubic interpolation
 * (straight lines for two or three points). The range is [grid[0], grid[last]]. */
ZCMOE_API zcmoe_status zcmoe_segment_optimal_table(const double* grid, const double* density,
                                                   const double* slope, int64_t num_grid,
                                                   int64_t num_segments,
                                                   const zcmoe_density_options* options,
                                                   double* edges, int64_t* num_built);

/* Any point density lambda >= 0 (any scale): a_i = G^-1(i/m) as above. Only uniform_mixture of the
 * options is used. */
ZCMOE_API zcmoe_status zcmoe_segment_density(zcmoe_function point_density, void* user, double lo,
                                             double hi, int64_t num_segments,
                                             const zcmoe_density_options* options, double* edges,
                                             int64_t* num_built);
ZCMOE_API zcmoe_status zcmoe_segment_density_table(const double* grid, const double* point_density,
                                                   int64_t num_grid, int64_t num_segments,
                                                   const zcmoe_density_options* options,
                                                   double* edges, int64_t* num_built);

typedef struct zcmoe_plug_in_options {
  size_t struct_size;
  double uniform_mixture; /* eta in [0, 1]; default 0.1 */
  double floor;           /* delta >= 0, relative to the mean of p b'^2; default 0.02 */
  double min_count;       /* mass floor: segments with fewer rows are merged; default 5; 0 = none */
  int64_t pilot_bins;     /* 1 to ZCMOE_MAX_PILOT_BINS; 0 = chosen from n */
} zcmoe_plug_in_options;
#define ZCMOE_MAX_PILOT_BINS ((int64_t)1 << 20)
#define ZCMOE_PLUG_IN_OPTIONS_INIT \
  { sizeof(zcmoe_plug_in_options), 0.1, 0.02, 5.0, 0 }

/* The optimal segmentation from samples alone (host memory): a pilot of about 2 n^(1/4) equal-mass
 * bins, each halved, estimates p and b'^2 (bias-corrected half differences, smoothed 1-2-1); lambda
 * = (p b'^2 + delta)^(1/3) mixed with the uniform density; the compander of its piecewise linear
 * integral; then segments that hold fewer than min_count rows are merged with a neighbour, hence
 * *num_built. If the slope estimate is zero everywhere, the uniform table, so merged. Rows with a
 * NaN or infinite x or y, or weight 0, are left out. 64-bit integers of x as at
 * zcmoe_segment_quantile; y and weights have other types. Does not depend on the order of rows.
 * DATA if no row is left. Cost: one sort of n doubles; extra memory 24 bytes a row. */
ZCMOE_API zcmoe_status zcmoe_segment_optimal_from_data(zcmoe_array x, zcmoe_array y,
                                                       zcmoe_array weights, int64_t n,
                                                       int64_t num_segments,
                                                       const zcmoe_plug_in_options* options,
                                                       double* edges, int64_t* num_built);

typedef int32_t zcmoe_constant_rule;
enum {
  ZCMOE_CONSTANT_MEAN = 0,    /* integral of p b over the segment / integral of p: least squares */
  ZCMOE_CONSTANT_MIDPOINT = 1 /* b at the segment's centre */
};

/* The constants of known p and b on given edges: constants[num_segments]. A segment of probability
 * 0 gets b at its centre. NUMERIC as above. Cost about 30 evaluations of each function a segment,
 * more where they are not smooth. */
ZCMOE_API zcmoe_status zcmoe_optimal_constants(zcmoe_function density, zcmoe_function regression,
                                               void* user, const double* edges,
                                               int64_t num_segments, zcmoe_constant_rule rule,
                                               double* constants);

/* ------------------------------------------------------------------- model */

enum { ZCMOE_CLOSED_LEFT = 0 /* [a, b) */, ZCMOE_CLOSED_RIGHT = 1 /* (a, b] */ };
enum {
  ZCMOE_NAN_PROPAGATE = 0, /* NaN input: NaN output, segment -1 */
  ZCMOE_NAN_SEGMENT = 1,   /* a segment of its own, number m, learned from rows with NaN input */
  ZCMOE_NAN_VALUE = 2      /* nan_value, segment -1 */
};
enum {
  ZCMOE_RANGE_CLAMP = 0, /* x outside [a_0, a_m] belongs to the first or last segment */
  ZCMOE_RANGE_NAN = 1,   /* NaN output, segment -1; a fit skips the row */
  ZCMOE_RANGE_VALUE = 2, /* range_value, segment -1; a fit skips the row */
  /* an underflow segment, number m + 1, and an overflow segment, number m + 2 */
  ZCMOE_RANGE_SEGMENTS = 3,
};
enum {
  ZCMOE_EMPTY_NEAREST = 0, /* constant of the nearest segment that has samples (by distance of the
                              empty segment's centre to that segment; the left one if equal) */
  ZCMOE_EMPTY_NAN = 1,
  ZCMOE_EMPTY_GLOBAL_MEAN = 2, /* mean of all targets accumulated */
  ZCMOE_EMPTY_VALUE = 3,       /* empty_value */
  /* mean over the smallest aligned block of 2, 4, 8 ... segments that has samples */
  ZCMOE_EMPTY_PARENT = 4,
};

/* What a model answers. Decided once, when a fit or a model is created, and stored in the model
 * file. */
typedef struct zcmoe_model_options {
  size_t struct_size;
  int32_t closed_side;        /* ZCMOE_CLOSED_LEFT */
  int32_t include_outer_edge; /* 1: the open end of the range is closed too, i.e. x = a_m
                                 (left-closed) is in range */
  int32_t nan_policy;         /* ZCMOE_NAN_PROPAGATE */
  int32_t range_policy;       /* ZCMOE_RANGE_CLAMP */
  int32_t empty_policy;       /* ZCMOE_EMPTY_NEAREST */
  int32_t reserved;           /* 0 */
  double nan_value;
  double range_value;
  double empty_value;
  double shrinkage; /* kappa >= 0: constants (W mean + kappa g) / (W + kappa), g = global mean or,
                       under ZCMOE_EMPTY_VALUE, empty_value; > 0: empty segments get g. 0 = none */
  const char* feature_name; /* UTF-8, kept in the model file; NULL: none */
  const char* target_name;
} zcmoe_model_options;
#define ZCMOE_MODEL_OPTIONS_INIT \
  { sizeof(zcmoe_model_options), 0, 1, 0, 0, 0, 0, 0.0, 0.0, 0.0, 0.0, NULL, NULL }

/* A model from known constants[num_segments] (NaN allowed, infinity not) on edges[num_segments +
 * 1]; host arrays, copied. Host function; on the CUDA engine it copies the tables to the device and
 * waits for that. Counts are 0, variances NaN. The NaN and out-of-range segments of their own, if
 * asked for, are empty and follow empty_policy. */
ZCMOE_API zcmoe_status zcmoe_model_create(zcmoe_context* context, const double* edges,
                                          const double* constants, int64_t num_segments,
                                          const zcmoe_model_options* options, zcmoe_model** model);
/* NULL is allowed. Work that uses the model must be done: its device memory is freed at once. */
ZCMOE_API zcmoe_status zcmoe_model_destroy(zcmoe_model* model);

/* The model file is a safetensors container (docs/model-file.md). save: temporary file beside path,
 * fsync, rename, links followed by the kernel alone; the same model gives the same bytes. load
 * treats the file as hostile. Host functions. Errors: IO; load also FORMAT, VERSION, CHECKSUM. A
 * failed save leaves an existing file as it was. */
ZCMOE_API zcmoe_status zcmoe_model_save(const zcmoe_model* model, const char* path);
ZCMOE_API zcmoe_status zcmoe_model_load(zcmoe_context* context, const char* path,
                                        zcmoe_model** model);

/* The bytes of a model's file, to and from memory. buffer NULL: only *bytes is set. WORKSPACE if
 * capacity is too small (*bytes is set). deserialize treats the bytes as hostile, as load does:
 * FORMAT, VERSION, CHECKSUM. Host functions. */
ZCMOE_API zcmoe_status zcmoe_model_serialize(const zcmoe_model* model, void* buffer,
                                             size_t capacity, size_t* bytes);
ZCMOE_API zcmoe_status zcmoe_model_deserialize(zcmoe_context* context, const void* buffer,
                                               size_t bytes, zcmoe_model** model);

/* What a model holds. Pointers are host memory, valid as long as the model. Per-segment arrays have
 * num_slots = num_segments + 3 entries: the segments, then the NaN, underflow and overflow segments
 * (count 0 where unused). */
typedef struct zcmoe_model_info {
  size_t struct_size;
  int64_t num_segments;
  int64_t num_slots;
  int64_t num_empty; /* segments of the range without samples */
  int64_t num_rows;  /* rows accumulated, all slots */
  double mean; /* of the answers to all rows accumulated; without shrinkage, of their targets */
  /* Within-segment variance, sum (count - 1) variance / sum (count - 1); NaN if none. */
  double noise_variance;
  const double* edges;     /* [num_segments + 1] */
  const double* constants; /* [num_slots], what is answered */
  const int64_t* counts;   /* [num_slots] */
  const double* weights;   /* [num_slots], sum of weights (= counts without weights) */
  /* [num_slots], NaN below two samples. Weighted: sum w (y - mean)^2 / (W - W2 / W), with
     W = sum w, W2 = sum w^2: weights say how precise a row is, not how often it was seen. */
  const double* variances;
  /* [num_slots], of the constant: sqrt(variance * W2 / W^2). */
  const double* standard_errors;
  zcmoe_dtype target_dtype; /* ZCMOE_F32 or ZCMOE_F64; 0 for a model from known constants */
  int64_t weighted;
  /* Of the engine's memory: tables that route in constant time, at most 416 bytes a segment and
   * 8 KB; of models of more than 2^20 segments 128 bytes a segment and 8 KB. The rest of a model
   * takes 48 bytes a segment. */
  int64_t routing_bytes;
  zcmoe_model_options options; /* names point into the model; last, so that it can grow */
} zcmoe_model_info;
ZCMOE_API zcmoe_status zcmoe_model_get_info(const zcmoe_model* model, zcmoe_model_info* info);

/* Tables in the memory of the model's engine, for the caller's own kernels: see model_view.hpp,
 * which adds segment_of(x) and value_at(x). Valid as long as the model. */
typedef struct zcmoe_model_view {
  size_t struct_size;
  const double* edges;           /* [num_segments + 1] */
  const double* constants;       /* [num_segments + 3] */
  const float* constants_f32;    /* the same, rounded to float32 */
  const double* standard_errors; /* [num_segments + 3] */
  const float* standard_errors_f32;
  int64_t num_segments;
  int32_t closed_side;
  int32_t include_outer_edge;
  int32_t nan_policy;
  int32_t range_policy;
} zcmoe_model_view;
#define ZCMOE_MODEL_VIEW_INIT \
  { sizeof(zcmoe_model_view), NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0 }
ZCMOE_API zcmoe_status zcmoe_model_get_view(const zcmoe_model* model, zcmoe_model_view* view);

/* ----------------------------------------------------------------- predict */

/* Each output may be left out (data NULL). values and standard_errors, variances: F32 or F64;
 * segments: I32 or I64; counts: I64. An output may be x itself when data, element size and stride
 * are equal; any other overlap is refused. */
typedef struct zcmoe_predict_outputs {
  size_t struct_size;
  zcmoe_output values;
  /* 0 .. m-1; -1: none; own segments m (NaN), m+1 (underflow), m+2 (overflow) */
  zcmoe_output segments;
  zcmoe_output standard_errors;
  zcmoe_output variances;
  zcmoe_output counts;
  zcmoe_report* report; /* memory the engine can write; counts are added to it; NULL: none */
} zcmoe_predict_outputs;
#define ZCMOE_OUTPUT_NONE \
  { NULL, 0, 0 }
#define ZCMOE_PREDICT_OUTPUTS_INIT                                                          \
  {                                                                                         \
    sizeof(zcmoe_predict_outputs), ZCMOE_OUTPUT_NONE, ZCMOE_OUTPUT_NONE, ZCMOE_OUTPUT_NONE, \
        ZCMOE_OUTPUT_NONE, ZCMOE_OUTPUT_NONE, NULL                                          \
  }

/* Answers n inputs of any dtype. Comparisons are exact: inputs are widened, edges never rounded;
 * I64 and U64 inputs are compared as the integers they are, beyond 2^53 too. n = 0 does nothing.
 * Allocates nothing, needs no workspace, can be captured in a CUDA graph. Cost: one look-up in the
 * routing table an input. */
ZCMOE_API zcmoe_status zcmoe_predict(const zcmoe_model* model, zcmoe_array x, int64_t n,
                                     const zcmoe_predict_outputs* outputs, zcmoe_stream stream);
/* The same for host memory on either engine; CUDA: staged through device memory in chunks. */
ZCMOE_API zcmoe_status zcmoe_predict_sync(const zcmoe_model* model, zcmoe_array x, int64_t n,
                                          const zcmoe_predict_outputs* outputs,
                                          zcmoe_stream stream);

/* ------------------------------------------------------------------- group */

/* An array carried along with the rows: to[k] = from[rows[k]], bit for bit. Any dtype, the same on
 * both sides. */
typedef struct zcmoe_group_column {
  zcmoe_array from; /* [n] */
  zcmoe_output to;  /* [n] */
} zcmoe_group_column;

#define ZCMOE_GROUP_MAX_COLUMNS ((int64_t)16)

/* Each output may be left out (data NULL). With num_slots = num_segments + 3: slot s holds the rows
 * offsets[s] .. offsets[s + 1] - 1 of every grouped array. */
typedef struct zcmoe_group_outputs {
  size_t struct_size;
  zcmoe_output offsets; /* I64, [num_slots + 1]; offsets[0] = 0, offsets[num_slots] = n */
  zcmoe_output rows;    /* I64, or I32 if n < 2^31: [n] row numbers, ascending within a slot */
  int64_t num_columns;  /* 0 .. ZCMOE_GROUP_MAX_COLUMNS */
  const zcmoe_group_column* columns; /* [num_columns], host array, read before the call returns */
} zcmoe_group_outputs;
#define ZCMOE_GROUP_OUTPUTS_INIT \
  { sizeof(zcmoe_group_outputs), ZCMOE_OUTPUT_NONE, ZCMOE_OUTPUT_NONE, 0, NULL }

/* Makes the samples of each expert contiguous: orders the n rows by the slot of their input, equal
 * slots by row number, so that the result is the same on both engines. Every row is somewhere:
 * first the segments 0 .. m-1, then slot m (x is NaN, whatever the NaN policy), m + 1 (below the
 * range) and m + 2 (above it); under ZCMOE_RANGE_CLAMP the last two are empty, since the first and
 * last segment answer. x of any dtype. No output may overlap an input or another output. n
 * = 0: all offsets are 0. workspace: engine memory, 256-byte aligned, at least
 * zcmoe_group_workspace() bytes for min(n, 65 536) rows, else WORKSPACE; NULL: taken from the
 * allocator. With a workspace the CUDA engine allocates nothing and the call can be captured in a
 * CUDA graph. The CPU engine takes no workspace but 4 bytes a row and, for each thread that shares
 * in, 8 bytes a slot (1 GiB in all at the most beyond the first) from the allocator. Cost, CPU: a
 * counting sort, one search and two passes. CUDA: a radix sort of n slot numbers by ceil(log2(m +
 * 3)) bits in chunks of what the workspace holds, done twice if there is more than one chunk. */
ZCMOE_API zcmoe_status zcmoe_group(const zcmoe_model* model, zcmoe_array x, int64_t n,
                                   const zcmoe_group_outputs* outputs, void* workspace,
                                   size_t workspace_bytes, zcmoe_stream stream);
/* The same for host memory on either engine; CUDA: all arrays of the call are copied to device
 * memory, which must hold them beside the workspace. */
ZCMOE_API zcmoe_status zcmoe_group_sync(const zcmoe_model* model, zcmoe_array x, int64_t n,
                                        const zcmoe_group_outputs* outputs, zcmoe_stream stream);
/* Workspace with which zcmoe_group does n rows in one go, or above 2^26 rows in chunks of as many;
 * 0 on the CPU engine. Monotone in n. Host only: no device call. */
ZCMOE_API zcmoe_status zcmoe_group_workspace(const zcmoe_model* model, int64_t n, size_t* bytes);

/* --------------------------------------------------------------------- fit */

enum { ZCMOE_ROWS_SKIP = 0, ZCMOE_ROWS_ERROR = 1 };
/* The least determinism the caller asks for. Every level is answered by the strongest: sums are
 * exact integers. */
enum {
  ZCMOE_DETERMINISM_FAST = 0,
  ZCMOE_DETERMINISM_RUN_TO_RUN = 1,
  ZCMOE_DETERMINISM_REPRODUCIBLE = 2
};

typedef struct zcmoe_fit_options {
  size_t struct_size;
  /* ZCMOE_F64: targets and weights of any float type; ZCMOE_F32: of at most 32-bit floats (an
     eighth of the state's memory) */
  zcmoe_dtype target_dtype;
  int32_t weighted;          /* 1: zcmoe_fit_add takes weights */
  int32_t nan_inputs;        /* ZCMOE_ROWS_SKIP | _ERROR; not looked at under ZCMOE_NAN_SEGMENT */
  int32_t nonfinite_targets; /* ZCMOE_ROWS_SKIP | _ERROR: y NaN or infinite */
  int32_t determinism;       /* ZCMOE_DETERMINISM_RUN_TO_RUN */
  int32_t reserved;
} zcmoe_fit_options;
#define ZCMOE_FIT_OPTIONS_INIT \
  { sizeof(zcmoe_fit_options), ZCMOE_F64, 0, 0, 0, ZCMOE_DETERMINISM_RUN_TO_RUN, 0 }

/* Starts a fit of num_segments constants on edges (host array, copied). Host function: on the CUDA
 * engine it works on the legacy default stream and waits for it, as zcmoe_model_create, _load and
 * zcmoe_fit_deserialize do.
 * The state holds exact integer sums: bytes per slot, (num_segments + 3 slots): float32 targets
 * 256, weighted 640; float64 1 624, weighted 4 288. On the CPU engine only the part that data
 * reaches becomes resident. */
ZCMOE_API zcmoe_status zcmoe_fit_create(zcmoe_context* context, const double* edges,
                                        int64_t num_segments,
                                        const zcmoe_model_options* model_options,
                                        const zcmoe_fit_options* fit_options, zcmoe_fit** fit);
/* NULL is allowed. Work that uses the fit must be done. */
ZCMOE_API zcmoe_status zcmoe_fit_destroy(zcmoe_fit* fit);

/* Workspace with which zcmoe_fit_add does n rows at full speed; 0 on the CPU engine, and on the
 * CUDA engine where it need not sort the rows (float32 targets without weights and as many segments
 * as fit a block's shared memory, some 7 000 on an H100). Monotone in n, constant above 2^26 rows:
 * the call works in chunks of what fits, at least 65 536 rows. Host only: no device call. */
ZCMOE_API zcmoe_status zcmoe_fit_workspace(const zcmoe_fit* fit, int64_t n, size_t* bytes);

/* Adds n samples: each target is counted in the segment of its input. x: any dtype. y: F32, or F64
 * if target_dtype is F64; weights likewise, data NULL if and only if the fit is not weighted. Rows
 * with NaN input, NaN or infinite target, weight 0 are skipped and counted. workspace: engine
 * memory, 256-byte aligned, at least zcmoe_fit_workspace() bytes for min(n, 65 536) rows (beyond
 * 2^30 rows: for n), else WORKSPACE; NULL: taken from the allocator. A call that fails has added
 * nothing. With a workspace the CUDA engine allocates nothing and
 * the call can be captured in a CUDA graph. The CPU engine takes no workspace; where it shares rows
 * out it takes a state for each further thread and a few words a slot for every thread from the
 * allocator, 1 GiB in all at the most. A refused
 * row (error policy, bad weight): the CPU engine answers ZCMOE_ERR_DATA and adds nothing of this
 * call; the CUDA engine leaves the row out and zcmoe_fit_finish answers ZCMOE_ERR_DATA. NUMERIC if
 * the fit would count more than ZCMOE_MAX_ROWS rows; nothing is added then. Cost, CPU:
 * search and about ten integer additions a row. CUDA: one pass over x and y with the sums in shared
 * memory, or one sort of n ids by ceil(log2 m) bits and one pass. Source: the least-squares
 * constant of a segment is its mean. */
ZCMOE_API zcmoe_status zcmoe_fit_add(zcmoe_fit* fit, zcmoe_array x, zcmoe_array y,
                                     zcmoe_array weights, int64_t n, void* workspace,
                                     size_t workspace_bytes, zcmoe_stream stream);
/* The same for host memory on either engine; CUDA: staged through device memory in chunks. */
ZCMOE_API zcmoe_status zcmoe_fit_add_sync(zcmoe_fit* fit, zcmoe_array x, zcmoe_array y,
                                          zcmoe_array weights, int64_t n, zcmoe_stream stream);

/* Adds the samples of source to fit; source is unchanged. Exact: any merge tree gives the same
 * bits; an empty source changes nothing. INCOMPATIBLE if edges, types, weights or policies
 * differ (names may). NUMERIC if the two count more than ZCMOE_MAX_ROWS rows together; fit is then
 * as it was. On the CUDA engine the counters are looked at first: the call waits for stream, and
 * cannot be captured in a graph. Fits of two contexts, unless both are CPU contexts: stream is one
 * of fit's device, and work on source must be done. */
ZCMOE_API zcmoe_status zcmoe_fit_merge(zcmoe_fit* fit, const zcmoe_fit* source,
                                       zcmoe_stream stream);

/* Rows that policies touched so far. Host function: waits for stream. */
ZCMOE_API zcmoe_status zcmoe_fit_get_report(const zcmoe_fit* fit, zcmoe_report* report,
                                            zcmoe_stream stream);

/* The model of the samples so far; the fit stays usable. Host function: waits for stream. Constants
 * are the exact means, rounded to nearest (error below 0.51 ulp); variances likewise. DATA as said
 * at zcmoe_fit_add. */
ZCMOE_API zcmoe_status zcmoe_fit_finish(const zcmoe_fit* fit, zcmoe_model** model,
                                        zcmoe_stream stream);

/* The state as bytes: a safetensors container of the edges and the exact sums in canonical form;
 * the same samples give the same bytes. buffer NULL: only *bytes is set. WORKSPACE if capacity is
 * too small (*bytes is set). Host functions: wait for stream. deserialize treats the bytes as
 * hostile: FORMAT, VERSION, CHECKSUM; it refuses counters and sums that no samples give. */
ZCMOE_API zcmoe_status zcmoe_fit_serialize(const zcmoe_fit* fit, void* buffer, size_t capacity,
                                           size_t* bytes, zcmoe_stream stream);
ZCMOE_API zcmoe_status zcmoe_fit_deserialize(zcmoe_context* context, const void* buffer,
                                             size_t bytes, zcmoe_fit** fit);

#ifdef __cplusplus
}
#endif
#endif
