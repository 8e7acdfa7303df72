/// @file
/// Models of several inputs. The rules of zcmoe.h hold.
///
/// Each input is cut once into segments, exactly as the input of zcmoe.h is; the number of its
/// segment is the input's code. Banks turn codes into whole numbers by look-ups: a table of one
/// axis, a grid of two, a product grid of all, or a tree. Their sum, the score of the row, becomes
/// the answer: scaled and rounded once, where one expert a bank is active; or routed to one of m
/// segments, whose constant is the answer, where one expert is active. Nothing but the comparisons
/// of the cuts touches floating point, so the bits of the answers do not depend on the engine.
///
/// zcmoe_learn_sync() learns such a model from rows, zcmoe_model_create_grid() makes one from
/// edges, zcmoe_fit_create_points() fits the constants of its segments exactly, from any number of
/// chunks; zcmoe_predict_points() predicts, zcmoe_group_points() groups. Such a model is saved,
/// loaded, serialised and destroyed as any other. Functions of models of one input
/// (zcmoe_predict(), zcmoe_group(), zcmoe_model_get_info(), zcmoe_model_get_view(), ...) refuse it
/// with INVALID_ARGUMENT; zcmoe_predict_points() and zcmoe_group_points() take models of one input
/// too.
#ifndef ZCMOE_POINTS_H
#define ZCMOE_POINTS_H

#include <zcmoe/zcmoe.h>

#ifdef __cplusplus
extern "C" {
#endif

/// @defgroup points Several inputs
/// Models of rows with several columns.
/// @{

/// The most inputs of a model.
#define ZCMOE_MAX_INPUTS ((int64_t)1024)
/// The most segments of an axis of a model of several inputs: a code is one byte.
#define ZCMOE_MAX_AXIS_SEGMENTS ((int64_t)253)
/// The most segments into which ZCMOE_PARTITION_SCORE and _OBLIQUE cut an input, by several axes.
#define ZCMOE_MAX_FINE_SEGMENTS ((int64_t)4033)

/// n rows of several inputs, one array a column: row-major, column-major and mixed types are all
/// views of this kind.
typedef struct zcmoe_points {
  size_t struct_size;          ///< sizeof(zcmoe_points)
  int64_t num_inputs;          ///< d, 1 to ZCMOE_MAX_INPUTS
  const zcmoe_array* columns;  ///< [d], host array, read before the call returns; each [n]
} zcmoe_points;
/// No columns yet.
#define ZCMOE_POINTS_INIT \
  { sizeof(zcmoe_points), 0, NULL }

/// The kinds of models of several inputs: zcmoe_learn_options::partition.
enum {
  ZCMOE_PARTITION_AUTO = 0,    ///< the one with the least error on rows held out
  ZCMOE_PARTITION_TABLES = 1,  ///< a sum of axis tables, pair grids and a few trees
  /// The same sum routed to m segments: one expert is active. Asked for by itself, also a sum of
  /// axis tables of which the target is a function (ridges, hills, products), if that errs less.
  ZCMOE_PARTITION_SCORE = 2,
  /// A tree of cuts, whose leaves are the segments. Source: Breiman, Friedman, Olshen & Stone 1984;
  /// Agarwal et al. 2022 (shrinkage).
  ZCMOE_PARTITION_TREE = 3,
  ZCMOE_PARTITION_GRID = 4,  ///< a product grid, whose cells are the segments
  /// A tree whose nodes may compare a whole number for each input, added up: cuts across the slope
  /// of a plane that is fitted to a node's rows. Its cells are long where the target is level, so
  /// that errors fall as m^(-4/(d+1)) and not as m^(-2/d). Learning takes several times as long as
  /// of TREE, and so do answers: AUTO does not try it.
  ZCMOE_PARTITION_OBLIQUE = 5
};
/// How many of these there are, ZCMOE_PARTITION_AUTO not counted.
#define ZCMOE_NUM_PARTITIONS 5

/// Told how far a long call has come. Called from the thread that called the library.
/// @param user  zcmoe_learn_options::user
/// @param done  the share that is done, 0 to 1, never falling
/// @return 0 to go on; anything else stops the call, which returns ZCMOE_ERR_CANCELLED
typedef int32_t (*zcmoe_progress_fn)(void* user, double done);

/// How one input is cut. An element of an array: this struct does not grow.
typedef struct zcmoe_axis_options {
  int64_t axis_segments;  ///< the most, as in zcmoe_learn_options; 0: as said of all inputs
  int32_t nan_policy;     ///< as in zcmoe_learn_options
  int32_t range_policy;   ///< likewise
} zcmoe_axis_options;

/// How a model of several inputs is learned.
typedef struct zcmoe_learn_options {
  size_t struct_size;    ///< sizeof(zcmoe_learn_options)
  int32_t partition;     ///< default ZCMOE_PARTITION_AUTO
  int32_t nan_policy;    ///< ZCMOE_NAN_PROPAGATE, the default, or ZCMOE_NAN_SEGMENT: a code
  int32_t range_policy;  ///< ZCMOE_RANGE_CLAMP, the default, ZCMOE_RANGE_NAN or _SEGMENTS
  int32_t reserved;      ///< 0
  /// Of SCORE, TREE, GRID and OBLIQUE: m, 1 to 2^20; 0 = chosen, the default. With AUTO one of the
  /// first three is taken where it is not 0. Sums of OBLIQUE may have 2^18 offsets of axes in all:
  /// it has at most 2^18 / (1 + axes) segments.
  int64_t num_segments;
  /// The most segments that an input is cut into, 2 to ZCMOE_MAX_AXIS_SEGMENTS; 0: as many. With
  /// ZCMOE_PARTITION_SCORE and _OBLIQUE up to ZCMOE_MAX_FINE_SEGMENTS: an input with more than 253
  /// has an axis for every 252 cuts, as long as there are at most 1,024 axes in all, and each of
  /// them costs what an input does: time, and a byte a row while learning. Functions without noise
  /// may want that.
  int64_t axis_segments;
  const char* const* input_names;  ///< [num_inputs], UTF-8, at most 1,024 bytes each; NULL: none
  const char* target_name;         ///< likewise
  zcmoe_progress_fn progress;      ///< NULL: none
  void* user;                      ///< passed to progress
  /// The most that the model may cost, each 0 for no limit, the default: the estimated time of a
  /// row (zcmoe_learn_candidate::ns), and bytes. What fits is judged as anything else is: fewer or
  /// smaller trees, fewer or coarser grids, tables of fewer inputs, axes of fewer segments. A
  /// budget that does not bind changes nothing.
  double budget_ns;
  int64_t budget_bytes;  ///< likewise
  /// [num_inputs], in place of nan_policy, range_policy and axis_segments; NULL: all inputs are
  /// alike.
  const zcmoe_axis_options* axes;
  /// The most rows to learn from, 1 to 2^31; of more a sample is taken, as zcmoe_learner says. 0,
  /// the default: zcmoe_learn_sync() learns from all, a zcmoe_learner from 2^22 or as many as take
  /// 1 GiB, if these are fewer.
  int64_t sample_rows;
  int32_t weighted;      ///< 1: zcmoe_learner_add_sync() takes weights; default 0
  int32_t weights_kind;  ///< ZCMOE_WEIGHTS_SAMPLING, the default, or ZCMOE_WEIGHTS_PRECISION
} zcmoe_learn_options;
/// All defaults.
#define ZCMOE_LEARN_OPTIONS_INIT \
  { sizeof(zcmoe_learn_options), 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, 0.0, 0, NULL, 0, 0, 0 }

/// What was tried for one kind of model. The sizes of the chosen kind are those of the model; of
/// others those of the one that was judged, from the rows that are not held out.
typedef struct zcmoe_learn_candidate {
  int32_t partition;  ///< ZCMOE_PARTITION_TABLES ...
  int32_t chosen;     ///< 1: the model is of this kind
  /// Mean squared error on the rows held out; NaN: not tried, or none is within the budget.
  double held_out_error;
  int64_t num_banks;     ///< look-ups; 0: not made
  int64_t num_segments;  ///< 0 where answers are sums
  int64_t bytes;         ///< of constants, offsets, nodes, edges and thresholds
  /// Nanoseconds a row of float32 columns on one thread of the CPU engine, estimated from what the
  /// model is made of: the same on every machine, and measured on one (bench/README.md). On others
  /// its ratios say more than its amount.
  double ns;
} zcmoe_learn_candidate;

/// What learning saw and chose.
typedef struct zcmoe_learn_report {
  size_t struct_size;        ///< sizeof(zcmoe_learn_report), set by the caller
  int64_t rows;              ///< rows offered
  int64_t rows_used;         ///< rows that can be learned from
  int64_t nan_inputs;        ///< rows left out for a NaN input; 0 under ZCMOE_NAN_SEGMENT
  int64_t nan_targets;       ///< rows left out: y is NaN
  int64_t infinite_targets;  ///< rows left out: y is +-infinity
  int64_t
      rows_held_out;  ///< of rows_kept, those that judged kinds; all are learned from in the end
  double held_out_variance;  ///< of their targets, about the mean of the others
  zcmoe_learn_candidate candidates[ZCMOE_NUM_PARTITIONS];  ///< in the order of their numbers
  int64_t rows_kept;    ///< rows learned from: rows_used, or a sample of them
  double sample_share;  ///< the share of the distinct rows that is in the sample: 1, or an estimate
  int64_t zero_weights;  ///< rows left out: of weight 0, whatever else they are
} zcmoe_learn_report;

/// Learns a model of several inputs; returns when it is done.
///
/// With a context of the CUDA engine each column, y and weights may lie in host memory or in that
/// of the context's device (managed memory counts as such); what writes it must have been waited
/// for.
/// The CUDA engine makes the codes of rows, and the passes of which tables and pair grids are
/// learned, on the device: counts of codes and pairs, sums by code and cell, what is left of the
/// targets. All else is done by the host's threads: cuts, trees, scores, errors on rows held out.
/// For these a column in device memory is copied to the host, one at a time. The work on the device
/// is ordered on the default stream.
///
/// The same rows give the same model, bit for bit, in any order, on any engine and any number of
/// threads. Everything that is learned is a sum of whole numbers: cuts from counts, tables from
/// counts of pairs and sums of targets. A fifth of the rows, chosen by a hash of their contents, is
/// held out to judge kinds and sizes; then the chosen kind is learned from all rows. Equal rows are
/// taken for independent ones: some are held out, and others not.
///
/// Rows with a NaN or infinite target, and with a NaN input unless nan_policy is
/// ZCMOE_NAN_SEGMENT, are left out and counted. A column with one value has no axis, unless
/// others are missing in it and have a code. Memory: 2 d + 64 bytes a row, and 256 KiB a pair of
/// inputs. CUDA: on the device d + 9 bytes a row, with weights 4 more, and at most 74 MiB; 128 MiB
/// of page-locked memory of the host while codes are made; and on the host 8 bytes a row more each
/// for a column, for targets and for weights in device memory.
///
/// With weights every sum over rows is one of weight, and so are errors; where rows are counted
/// (of leaves, of rows held out) they count for one of the mean weight. Inputs are cut by rows,
/// whatever they weigh. Weights enter as whole numbers: whole weights whose sum is at most 2^30 as
/// they are, others rounded to multiples of a unit that the sum has between 2^29 and 2^30 of, at
/// least to 1. Weights that are all equal are as none, but for what a precision is.
///
/// @param[in]     context  whose engine the model lives on
/// @param[in]     x        inputs, d columns of [n], of any type
/// @param[in]     y        targets, [n], of any type but 64-bit integers
/// @param[in]     weights  [n], finite, >= 0, of any type but 64-bit integers; data NULL: all 1
/// @param[in]     n        number of rows, 1 to 2^31; with weights to 2^30
/// @param[in]     options  NULL: all defaults
/// @param[in,out] report   struct_size is read, the rest is filled; NULL: none
/// @param[out]    model    receives the model, to be freed with zcmoe_model_destroy()
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also if no model is within the budget, or an array lies in
///   the memory of another device
/// @retval ZCMOE_ERR_DATA       no row is left, or a weight is negative or not finite
/// @retval ZCMOE_ERR_CANCELLED  progress said to stop
ZCMOE_API zcmoe_status zcmoe_learn_sync(zcmoe_context* context, const zcmoe_points* x,
                                        zcmoe_array y, zcmoe_array weights, int64_t n,
                                        const zcmoe_learn_options* options,
                                        zcmoe_learn_report* report, zcmoe_model** model);

/// Learns a model of several inputs from rows that come in chunks and are not held in memory: more
/// of them than memory has room for, or on several machines. Its state is a sample of the rows. It
/// is the same, to the bit, for the same rows, in any order, chunks and merge tree, on any engine
/// and number of threads.
///
/// Equal rows, of equal weight, count as one that occurred so many times. While there are at most
/// sample_rows distinct rows all are kept; of more, those whose hashes are least. A row is kept
/// with all its occurrences or not at all. zcmoe_learner_finish() learns from the rows kept; where
/// they occurred more than sample_rows times, each is taken in proportion. So of up to sample_rows
/// rows the model has the very bytes that zcmoe_learn_sync() gives for all of them, and beyond it
/// is what zcmoe_learn_sync() gives with options->sample_rows. Its counts, num_rows, variances and
/// standard errors are then those of the sample.
///
/// Inputs are kept as doubles; -0.0 is 0.0. 64-bit integers that no double holds become the largest
/// below them. Memory: 8 d + 60 bytes a row kept, with weights 8 more. A learner belongs to one
/// thread at a time.
typedef struct zcmoe_learner zcmoe_learner;

/// Starts a learner, which has seen no rows.
///
/// @param[in]  context     whose engine models will live on, and learns; the host looks at rows as
///   they are added
/// @param[in]  num_inputs  d, 1 to ZCMOE_MAX_INPUTS
/// @param[in]  options     nan_policy, sample_rows and weighted belong to the state, and nothing
///   else is kept: zcmoe_learner_finish() takes the rest. NULL: all defaults
/// @param[out] learner     receives the learner, to be freed with zcmoe_learner_destroy()
/// @return ZCMOE_OK, or what any function may return
ZCMOE_API zcmoe_status zcmoe_learner_create(zcmoe_context* context, int64_t num_inputs,
                                            const zcmoe_learn_options* options,
                                            zcmoe_learner** learner);
/// Frees a learner.
/// @param[in] learner  NULL does nothing
/// @return ZCMOE_OK
ZCMOE_API zcmoe_status zcmoe_learner_destroy(zcmoe_learner* learner);

/// Adds rows in host memory, on either engine; returns when done. After an error the learner is as
/// it was.
///
/// @param[in,out] learner  the learner
/// @param[in]     x        inputs, d columns of [n], of any type
/// @param[in]     y        targets, [n], of any type but 64-bit integers
/// @param[in]     weights  [n], as zcmoe_learn_sync(); data NULL if and only if the learner was
///   created with weighted = 0
/// @param[in]     n        number of rows, 0 to 2^31; 0 does nothing
/// @retval ZCMOE_ERR_DATA     a weight is negative or not finite
/// @retval ZCMOE_ERR_NUMERIC  the learner would count more than ZCMOE_MAX_ROWS rows
///
/// Cost: a hash of each row, and a look-up for each that may be kept. 9 bytes a row while it runs.
ZCMOE_API zcmoe_status zcmoe_learner_add_sync(zcmoe_learner* learner, const zcmoe_points* x,
                                              zcmoe_array y, zcmoe_array weights, int64_t n);

/// Adds the rows of source to learner; source is unchanged. Any merge tree gives the same bits; an
/// empty source changes nothing. After an error the learner is as it was.
///
/// @param[in,out] learner  the learner
/// @param[in]     source   another one, of any context
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also if source is learner
/// @retval ZCMOE_ERR_INCOMPATIBLE      num_inputs, a nan_policy, sample_rows or weighted differ
/// @retval ZCMOE_ERR_NUMERIC           the two count more than ZCMOE_MAX_ROWS rows together
ZCMOE_API zcmoe_status zcmoe_learner_merge(zcmoe_learner* learner, const zcmoe_learner* source);

/// Makes a model of the rows so far; the learner stays usable, whatever comes out.
///
/// @param[in]     learner  the learner
/// @param[in]     options  as zcmoe_learn_sync(); the nan_policy of each input, and sample_rows
///   unless it is 0, are those of the learner; weighted is not looked at. NULL: all defaults
/// @param[in,out] report   struct_size is read, the rest is filled: rows are counted that were
///   added; NULL: none
/// @param[out]    model    receives the model, to be freed with zcmoe_model_destroy()
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also if the learner has another nan_policy or sample_rows
/// @retval ZCMOE_ERR_DATA              no row is left
/// @retval ZCMOE_ERR_CANCELLED         progress said to stop
ZCMOE_API zcmoe_status zcmoe_learner_finish(const zcmoe_learner* learner,
                                            const zcmoe_learn_options* options,
                                            zcmoe_learn_report* report, zcmoe_model** model);

/// Writes the state of a learner: a safetensors container of the rows kept, in an order of their
/// own; the same rows give the same bytes. Host function.
///
/// @param[in]  learner   the learner
/// @param[out] buffer    host memory; NULL: only *bytes is set
/// @param[in]  capacity  bytes that the buffer holds
/// @param[out] bytes     bytes of the state
/// @retval ZCMOE_ERR_WORKSPACE  capacity is too small; *bytes is set
ZCMOE_API zcmoe_status zcmoe_learner_serialize(const zcmoe_learner* learner, void* buffer,
                                               size_t capacity, size_t* bytes);
/// Makes a learner of a written state, which is treated as hostile: rows and counts that no rows
/// give are refused. Host function.
///
/// @param[in]  context  whose engine models will live on
/// @param[in]  buffer   host memory, of any alignment
/// @param[in]  bytes    size of the buffer
/// @param[out] learner  receives the learner, to be freed with zcmoe_learner_destroy()
/// @retval ZCMOE_ERR_FORMAT    it is not a state, or breaks a rule of docs/model-file.md
/// @retval ZCMOE_ERR_VERSION   it was written by a later major format version
/// @retval ZCMOE_ERR_CHECKSUM  its data does not match its checksums
ZCMOE_API zcmoe_status zcmoe_learner_deserialize(zcmoe_context* context, const void* buffer,
                                                 size_t bytes, zcmoe_learner** learner);

/// Predicts for n rows of several inputs.
///
/// An axis compares its column exactly, whatever the column's type, as zcmoe_predict() does. Of
/// outputs a model whose answers are sums gives values alone. The report counts a row once in each
/// of nan_inputs, below_range and above_range that one of its columns asks for; rows_used are those
/// that have an answer. n = 0 does nothing.
///
/// @param[in] model    the model; any number of threads may use it
/// @param[in] x        inputs; num_inputs is that of the model; columns that the model does not
///   look at may have null data
/// @param[in] n        number of rows
/// @param[in] outputs  what to write, and where; none may overlap a column or another output
/// @param[in] stream   the work is ordered on it; the call returns without waiting
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also if x has other columns than the model, or an output has
///   a type it cannot have, overlaps, or is one that the model does not give
///
/// It allocates nothing on the device, needs no workspace, and can be captured in a CUDA graph.
ZCMOE_API zcmoe_status zcmoe_predict_points(const zcmoe_model* model, const zcmoe_points* x,
                                            int64_t n, const zcmoe_predict_outputs* outputs,
                                            zcmoe_stream stream);
/// Predicts as zcmoe_predict_points() does, in host memory on either engine; returns when done.
/// CUDA: the arrays are staged through device memory in chunks.
///
/// @param[in] model    the model
/// @param[in] x        inputs, as zcmoe_predict_points()
/// @param[in] n        number of rows
/// @param[in] outputs  what to write, and where
/// @param[in] stream   CUDA: does the work
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  as zcmoe_predict_points()
ZCMOE_API zcmoe_status zcmoe_predict_points_sync(const zcmoe_model* model, const zcmoe_points* x,
                                                 int64_t n, const zcmoe_predict_outputs* outputs,
                                                 zcmoe_stream stream);

/// The most cells of zcmoe_model_create_grid(), and the most segments of zcmoe_fit_create_points().
#define ZCMOE_MAX_CELLS ((int64_t)1 << 24)

/// How a grid cuts one input. The policies are those of zcmoe_model_options. It never grows.
typedef struct zcmoe_grid_axis {
  int64_t num_segments;        ///< m, 1 to ZCMOE_MAX_AXIS_SEGMENTS
  const double* edges;         ///< [num_segments + 1], finite, strictly increasing; copied
  int32_t closed_side;         ///< ZCMOE_CLOSED_LEFT, the default, or _RIGHT
  int32_t include_outer_edge;  ///< default 1
  int32_t nan_policy;          ///< ZCMOE_NAN_PROPAGATE, the default, or ZCMOE_NAN_SEGMENT
  int32_t range_policy;        ///< ZCMOE_RANGE_CLAMP, the default, ZCMOE_RANGE_NAN or _SEGMENTS
} zcmoe_grid_axis;
/// An axis without edges yet.
#define ZCMOE_GRID_AXIS_INIT \
  { 0, NULL, ZCMOE_CLOSED_LEFT, 1, ZCMOE_NAN_PROPAGATE, ZCMOE_RANGE_CLAMP }

/// A product grid: each input is cut, and every combination of their segments is a cell.
typedef struct zcmoe_grid {
  size_t struct_size;              ///< sizeof(zcmoe_grid)
  int64_t num_inputs;              ///< d, 1 to ZCMOE_MAX_INPUTS
  const zcmoe_grid_axis* axes;     ///< [num_inputs]
  const double* constants;         ///< [cells], NaN allowed; NULL: all are NaN
  const char* const* input_names;  ///< as in zcmoe_learn_options
  const char* target_name;         ///< likewise
} zcmoe_grid;
/// No inputs yet.
#define ZCMOE_GRID_INIT \
  { sizeof(zcmoe_grid), 0, NULL, NULL, NULL, NULL }

/// Makes a model of several inputs from edges of one's own: a product grid, whose cells are its
/// segments. zcmoe_fit_create_points() fits their constants. Host function: on the CUDA engine it
/// works on the legacy default stream and waits for it.
///
/// An axis has one place for each of its segments, then one for NaN under ZCMOE_NAN_SEGMENT, then
/// two for inputs below and above under ZCMOE_RANGE_SEGMENTS. Cells are numbered with the place on
/// the last axis running fastest: with two axes of m places on the second, cell i m + j.
///
/// @param[in]  context  whose engine the model lives on
/// @param[in]  grid     the axes, host memory; copied
/// @param[out] model    receives the model, to be freed with zcmoe_model_destroy()
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also for wrong edges, and for more cells than
///   ZCMOE_MAX_CELLS: the error says how many bytes they would take
///
/// Memory: 36 bytes a cell on the host and up to 64 on the engine; a fit takes the bytes a slot
/// beside that zcmoe_fit_create() names.
ZCMOE_API zcmoe_status zcmoe_model_create_grid(zcmoe_context* context, const zcmoe_grid* grid,
                                               zcmoe_model** model);

/// A segment without rows predicts what it did before the fit: zcmoe_points_fit_options.
enum { ZCMOE_EMPTY_KEEP = 5 };

/// What a fit of several inputs makes of its sums.
typedef struct zcmoe_points_fit_options {
  size_t struct_size;  ///< sizeof(zcmoe_points_fit_options)
  /// Of segments without rows: ZCMOE_EMPTY_KEEP, the default, ZCMOE_EMPTY_NAN,
  /// ZCMOE_EMPTY_GLOBAL_MEAN or ZCMOE_EMPTY_VALUE. Their counts stay 0.
  int32_t empty_policy;
  int32_t weights_kind;  ///< ZCMOE_WEIGHTS_SAMPLING, the default, or ZCMOE_WEIGHTS_PRECISION
  double empty_value;    ///< of ZCMOE_EMPTY_VALUE; not infinite
} zcmoe_points_fit_options;
/// All defaults.
#define ZCMOE_POINTS_FIT_OPTIONS_INIT \
  { sizeof(zcmoe_points_fit_options), ZCMOE_EMPTY_KEEP, ZCMOE_WEIGHTS_SAMPLING, 0.0 }

/// Starts a fit over the segments of a model of several inputs: a grid, a tree or a score. Its
/// segments stay as they are; their constants, counts, variances and standard errors become those
/// of the rows that are added, from exact sums. Host function: on the CUDA engine it works on the
/// legacy default stream and waits for it.
///
/// The other functions of a fit do with it what they do with a fit of one input: zcmoe_fit_merge()
/// (of fits over equal segments, with equal constants before), zcmoe_fit_finish(), which makes a
/// model of the same axes, look-ups and names, zcmoe_fit_serialize(), whose state holds the
/// segments too, zcmoe_fit_deserialize(), zcmoe_fit_get_report(), zcmoe_fit_workspace(). The same
/// rows give the same bits on any engine and any number of threads, in any chunks, order and merge
/// tree.
///
/// @param[in]  context      whose engine the fit lives on; the model may live on another
/// @param[in]  partition    the model; copied, so that it may be freed
/// @param[in]  options      NULL: all defaults
/// @param[in]  fit_options  how rows are added; NULL: all defaults. nan_inputs says what becomes of
///   rows without a segment, which are those that the model does not answer
/// @param[out] fit          receives the fit, to be freed with zcmoe_fit_destroy()
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also for a model of one input, for one whose answers are
///   sums, and for more segments than ZCMOE_MAX_CELLS
///
/// Memory: of the model, and of the state that zcmoe_fit_create() names.
ZCMOE_API zcmoe_status zcmoe_fit_create_points(zcmoe_context* context, const zcmoe_model* partition,
                                               const zcmoe_points_fit_options* options,
                                               const zcmoe_fit_options* fit_options,
                                               zcmoe_fit** fit);
/// Adds n rows of several inputs: each target is counted in the segment of its row.
///
/// Everything is as zcmoe_fit_add() says, also of refused rows. Rows without a segment are skipped
/// and counted as nan_inputs, whatever their inputs are; below_range and above_range stay 0.
///
/// @param[in,out] fit          the fit; one of one input is given one column
/// @param[in] x                inputs; num_inputs is that of the fit; columns that its segments do
///   not depend on may have null data
/// @param[in] y                targets, [n], as zcmoe_fit_add()
/// @param[in] weights          [n], as zcmoe_fit_add()
/// @param[in] n                number of rows
/// @param[in] workspace        engine memory, 256-byte aligned; NULL: taken from the allocator
/// @param[in] workspace_bytes  at least zcmoe_fit_workspace() bytes for min(n, 65,536) rows
/// @param[in] stream           the work is ordered on it; the call returns without waiting
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also if x has another number of columns than the fit
/// @retval ZCMOE_ERR_DATA       CPU engine: a row is refused
/// @retval ZCMOE_ERR_NUMERIC    the fit would count more than ZCMOE_MAX_ROWS rows
/// @note CUDA engine: ZCMOE_ERR_WORKSPACE if the workspace is too small
///
/// With a workspace the CUDA engine allocates nothing on the device and the call can be captured in
/// a CUDA graph. Cost: a prediction, and what a fit of one input costs. CUDA: the numbers of
/// segments, 4 bytes a row, pass through the workspace.
ZCMOE_API zcmoe_status zcmoe_fit_add_points(zcmoe_fit* fit, const zcmoe_points* x, zcmoe_array y,
                                            zcmoe_array weights, int64_t n, void* workspace,
                                            size_t workspace_bytes, zcmoe_stream stream);
/// Adds rows as zcmoe_fit_add_points() does, from host memory on either engine; returns when done.
/// CUDA: the arrays are staged through device memory in chunks.
///
/// @param[in,out] fit  the fit
/// @param[in] x        inputs, as zcmoe_fit_add_points()
/// @param[in] y        targets, [n], as zcmoe_fit_add()
/// @param[in] weights  [n], as zcmoe_fit_add()
/// @param[in] n        number of rows
/// @param[in] stream   CUDA: does the work
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  as zcmoe_fit_add_points()
/// @retval ZCMOE_ERR_DATA     CPU engine: a row is refused
/// @retval ZCMOE_ERR_NUMERIC  the fit would count more than ZCMOE_MAX_ROWS rows
ZCMOE_API zcmoe_status zcmoe_fit_add_points_sync(zcmoe_fit* fit, const zcmoe_points* x,
                                                 zcmoe_array y, zcmoe_array weights, int64_t n,
                                                 zcmoe_stream stream);

/// Makes the rows of each segment of a model of several inputs contiguous, as zcmoe_group() does:
/// first the segments 0 .. m - 1, then slot m, the rows without an answer; slots m + 1 and m + 2
/// are empty, and there so that offsets are as those of zcmoe_group().
///
/// @param[in] model            the model, of one input or of several with segments
/// @param[in] x                inputs, as zcmoe_predict_points()
/// @param[in] n                number of rows
/// @param[in] outputs          what to write, and where; no output may overlap an input or another
///   output
/// @param[in] workspace        engine memory, 256-byte aligned; NULL: taken from the allocator
/// @param[in] workspace_bytes  at least zcmoe_group_points_workspace() bytes for min(n, 65,536)
/// rows
/// @param[in] stream           the work is ordered on it; the call returns without waiting
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also if x has other columns than the model, if its answers
///   are sums, or if an output has a type it cannot have, or overlaps
/// @note CUDA engine: ZCMOE_ERR_WORKSPACE if the workspace is too small
///
/// Memory, capture and cost are those of zcmoe_group(), and of a prediction.
ZCMOE_API zcmoe_status zcmoe_group_points(const zcmoe_model* model, const zcmoe_points* x,
                                          int64_t n, const zcmoe_group_outputs* outputs,
                                          void* workspace, size_t workspace_bytes,
                                          zcmoe_stream stream);
/// Groups as zcmoe_group_points() does, in host memory on either engine; returns when done. CUDA:
/// grouped columns are copied to device memory as a whole, inputs in chunks.
///
/// @param[in] model    the model
/// @param[in] x        inputs, as zcmoe_predict_points()
/// @param[in] n        number of rows
/// @param[in] outputs  what to write, and where; no output may overlap an input or another output
/// @param[in] stream   CUDA: does the work
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  as zcmoe_group_points()
ZCMOE_API zcmoe_status zcmoe_group_points_sync(const zcmoe_model* model, const zcmoe_points* x,
                                               int64_t n, const zcmoe_group_outputs* outputs,
                                               zcmoe_stream stream);
/// Tells the workspace of zcmoe_group_points(), as zcmoe_group_workspace() does. Host function: no
/// device call.
///
/// @param[in]  model  the model
/// @param[in]  n      number of rows
/// @param[out] bytes  the workspace, monotone in n; 0 on the CPU engine
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also if the model's answers are sums
ZCMOE_API zcmoe_status zcmoe_group_points_workspace(const zcmoe_model* model, int64_t n,
                                                    size_t* bytes);

/// What a model of one or several inputs is made of. Pointers are valid as long as the model.
typedef struct zcmoe_points_info {
  size_t struct_size;  ///< sizeof(zcmoe_points_info), set by the caller
  int64_t num_inputs;  ///< d, columns of a row
  /// Cuts of columns, of one that it looks at mostly one; 0 of a model of one input of zcmoe.h.
  int64_t num_axes;
  int64_t num_banks;      ///< look-ups of a row
  int64_t num_segments;   ///< m; 0 where answers are sums
  int64_t bytes;          ///< of constants, offsets, nodes and edges
  int64_t num_rows;       ///< rows that it was learned from
  double noise_variance;  ///< mean squared distance of these rows from their answers
  int32_t partition;      ///< ZCMOE_PARTITION_TABLES ...; 0 of a model of one input of zcmoe.h
  int32_t exponent;       ///< where answers are sums: (base + score) 2^exponent
  int64_t base;           ///< likewise
  const char* const* input_names;  ///< [num_inputs]; NULL: none
  const char* target_name;         ///< NULL: none
  /// [num_segments], NULL where answers are sums: the mean of the rows of each, whose targets are
  /// rounded to 2^-40 of their deviation or, if that is coarser, to max |y| n 2^-61; of trees drawn
  /// towards the means of the branches above where that errs less on rows held out; of cells of a
  /// grid without rows the mean of the nearest that have some. Where a fit has made the model, the
  /// exact means, rounded once.
  const double* constants;
  const int64_t* counts;          ///< [num_segments], rows; likewise
  const double* variances;        ///< [num_segments], NaN below two rows; likewise
  const double* standard_errors;  ///< [num_segments], of the means; likewise
} zcmoe_points_info;
/// A struct to be filled by zcmoe_model_get_points_info().
#define ZCMOE_POINTS_INFO_INIT \
  { sizeof(zcmoe_points_info), 0, 0, 0, 0, 0, 0, 0.0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL }
/// Tells what a model of one or several inputs is made of. Host function.
/// @param[in]     model  the model
/// @param[in,out] info   struct_size is read, the rest is filled
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also if struct_size is none of this struct
ZCMOE_API zcmoe_status zcmoe_model_get_points_info(const zcmoe_model* model,
                                                   zcmoe_points_info* info);

/// How a model cuts an input. Pointers are valid as long as the model.
typedef struct zcmoe_axis_info {
  size_t struct_size;          ///< sizeof(zcmoe_axis_info), set by the caller
  int64_t input;               ///< which column, 0 to num_inputs - 1; not below that before it
  int64_t num_segments;        ///< m of this axis; codes are 0 to m + 2, as the slots of zcmoe.h
  const double* edges;         ///< [num_segments + 1]
  int32_t closed_side;         ///< as in zcmoe_model_options
  int32_t include_outer_edge;  ///< likewise
  int32_t nan_policy;          ///< ZCMOE_NAN_PROPAGATE or ZCMOE_NAN_SEGMENT
  int32_t range_policy;        ///< ZCMOE_RANGE_CLAMP, ZCMOE_RANGE_NAN or ZCMOE_RANGE_SEGMENTS
} zcmoe_axis_info;
/// A struct to be filled by zcmoe_model_get_axis().
#define ZCMOE_AXIS_INFO_INIT \
  { sizeof(zcmoe_axis_info), 0, 0, NULL, 0, 0, 0, 0 }
/// Tells how a model of several inputs cuts one of them. Host function.
/// @param[in]     model  the model
/// @param[in]     axis   0 to num_axes - 1
/// @param[in,out] info   struct_size is read, the rest is filled
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also if there is no such axis
ZCMOE_API zcmoe_status zcmoe_model_get_axis(const zcmoe_model* model, int64_t axis,
                                            zcmoe_axis_info* info);

/// What one axis adds to a cell number.
typedef struct zcmoe_axis_offsets {
  int64_t axis;            ///< 0 to num_axes - 1
  const int32_t* offsets;  ///< [slots of the axis, its num_segments + 3], by code
} zcmoe_axis_offsets;
/// A sum that nodes of an oblique tree compare.
typedef struct zcmoe_axis_sum {
  int64_t num_axes;                ///< whose offsets are added
  const zcmoe_axis_offsets* axes;  ///< [num_axes]
} zcmoe_axis_sum;
/// A branch of a tree.
typedef struct zcmoe_tree_node {
  int32_t feature;    ///< the axis whose code is compared; from num_axes on a sum (oblique trees)
  int32_t threshold;  ///< at least this: right, else left
  int32_t left;       ///< >= 0: a node, after this one; < 0: the leaf ~left
  int32_t right;      ///< likewise
} zcmoe_tree_node;

/// A look-up of a model of several inputs. Pointers are valid as long as the model.
typedef struct zcmoe_bank_info {
  size_t struct_size;              ///< sizeof(zcmoe_bank_info), set by the caller
  int64_t num_cells;               ///< constants
  const int32_t* constants;        ///< [num_cells], summed to the score of a row
  int64_t num_axes;                ///< of a table, whose cell is the sum of these offsets
  const zcmoe_axis_offsets* axes;  ///< [num_axes]
  int64_t num_nodes;               ///< of a tree; 0: it is a table
  const zcmoe_tree_node* nodes;    ///< [num_nodes], the root first
  int64_t num_sums;                ///< of an oblique tree
  const zcmoe_axis_sum* sums;      ///< [num_sums]; the first is the feature num_axes of the model
} zcmoe_bank_info;
/// A struct to be filled by zcmoe_model_get_bank().
#define ZCMOE_BANK_INFO_INIT \
  { sizeof(zcmoe_bank_info), 0, NULL, 0, NULL, 0, NULL, 0, NULL }
/// Tells what one look-up of a model of several inputs does. Host function.
/// @param[in]     model  the model
/// @param[in]     bank   0 to num_banks - 1
/// @param[in,out] info   struct_size is read, the rest is filled
/// @retval ZCMOE_ERR_INVALID_ARGUMENT  also if there is no such bank
ZCMOE_API zcmoe_status zcmoe_model_get_bank(const zcmoe_model* model, int64_t bank,
                                            zcmoe_bank_info* info);

/// Tells where the segments of a model's score begin. Host function.
/// @param[in]  model       the model
/// @param[out] thresholds  [num_thresholds], increasing: a row belongs to the segment whose number
///   is how many of them its score reaches; NULL: the score is the segment, or there are none
/// @param[out] num_thresholds  num_segments - 1, or 0
/// @return ZCMOE_OK, or what any function may return
ZCMOE_API zcmoe_status zcmoe_model_get_thresholds(const zcmoe_model* model,
                                                  const int64_t** thresholds,
                                                  int64_t* num_thresholds);

/// @}

#ifdef __cplusplus
}
#endif
#endif
