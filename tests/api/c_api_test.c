/* The C interface from a C11 program: every function of zcmoe.h and plan.h, and every status that
 * they document for it and that can be had without a device. Each failure must name its function
 * and say what is wrong; `pairs` lists what must have been seen by the end, so that a status nobody
 * provokes any more is a failure too. */
#include <zcmoe/plan.h>
#include <zcmoe/zcmoe.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int checks = 0;
static int failures = 0;

#define CHECK(condition)                                                   \
  do {                                                                     \
    ++checks;                                                              \
    if (!(condition)) {                                                    \
      ++failures;                                                          \
      printf("%s:%d: CHECK(%s) failed\n", __FILE__, __LINE__, #condition); \
    }                                                                      \
  } while (0)

/* ------------------------------------------------------- (function, status) */

struct pair {
  const char* function;
  zcmoe_status status;
  int seen;
};

#define INVALID ZCMOE_ERR_INVALID_ARGUMENT

static struct pair pairs[] = {
    {"zcmoe_context_create", ZCMOE_OK, 0},
    {"zcmoe_context_create", INVALID, 0},
    {"zcmoe_context_create", ZCMOE_ERR_NO_DEVICE, 0},
    {"zcmoe_context_destroy", ZCMOE_OK, 0},
    {"zcmoe_context_get_info", ZCMOE_OK, 0},
    {"zcmoe_context_get_info", INVALID, 0},
    {"zcmoe_segment_uniform", ZCMOE_OK, 0},
    {"zcmoe_segment_uniform", INVALID, 0},
    {"zcmoe_segment_check", ZCMOE_OK, 0},
    {"zcmoe_segment_check", INVALID, 0},
    {"zcmoe_segment_quantile", ZCMOE_OK, 0},
    {"zcmoe_segment_quantile", INVALID, 0},
    {"zcmoe_segment_quantile", ZCMOE_ERR_DATA, 0},
    {"zcmoe_segment_optimal", ZCMOE_OK, 0},
    {"zcmoe_segment_optimal", INVALID, 0},
    {"zcmoe_segment_optimal", ZCMOE_ERR_NUMERIC, 0},
    {"zcmoe_segment_optimal_table", ZCMOE_OK, 0},
    {"zcmoe_segment_optimal_table", INVALID, 0},
    {"zcmoe_segment_density", ZCMOE_OK, 0},
    {"zcmoe_segment_density", INVALID, 0},
    {"zcmoe_segment_density", ZCMOE_ERR_NUMERIC, 0},
    {"zcmoe_segment_density_table", ZCMOE_OK, 0},
    {"zcmoe_segment_density_table", INVALID, 0},
    {"zcmoe_segment_optimal_from_data", ZCMOE_OK, 0},
    {"zcmoe_segment_optimal_from_data", INVALID, 0},
    {"zcmoe_segment_optimal_from_data", ZCMOE_ERR_DATA, 0},
    {"zcmoe_segment_lines_from_data", ZCMOE_OK, 0},
    {"zcmoe_segment_lines_from_data", INVALID, 0},
    {"zcmoe_segment_lines_from_data", ZCMOE_ERR_DATA, 0},
    {"zcmoe_segment_compander_from_data", ZCMOE_OK, 0},
    {"zcmoe_segment_compander_from_data", INVALID, 0},
    {"zcmoe_segment_compander_from_data", ZCMOE_ERR_DATA, 0},
    {"zcmoe_optimal_constants", ZCMOE_OK, 0},
    {"zcmoe_optimal_constants", INVALID, 0},
    {"zcmoe_optimal_constants", ZCMOE_ERR_NUMERIC, 0},
    {"zcmoe_model_create", ZCMOE_OK, 0},
    {"zcmoe_model_create", INVALID, 0},
    {"zcmoe_model_create", ZCMOE_ERR_OUT_OF_MEMORY, 0},
    {"zcmoe_model_create_lines", ZCMOE_OK, 0},
    {"zcmoe_model_create_lines", INVALID, 0},
    {"zcmoe_model_create_lines", ZCMOE_ERR_OUT_OF_MEMORY, 0},
    {"zcmoe_model_interpolate", ZCMOE_OK, 0},
    {"zcmoe_model_interpolate", INVALID, 0},
    {"zcmoe_model_interpolate", ZCMOE_ERR_OUT_OF_MEMORY, 0},
    {"zcmoe_model_destroy", ZCMOE_OK, 0},
    {"zcmoe_model_save", ZCMOE_OK, 0},
    {"zcmoe_model_save", INVALID, 0},
    {"zcmoe_model_save", ZCMOE_ERR_IO, 0},
    {"zcmoe_model_load", ZCMOE_OK, 0},
    {"zcmoe_model_load", INVALID, 0},
    {"zcmoe_model_load", ZCMOE_ERR_OUT_OF_MEMORY, 0},
    {"zcmoe_model_load", ZCMOE_ERR_IO, 0},
    {"zcmoe_model_load", ZCMOE_ERR_FORMAT, 0},
    {"zcmoe_model_load", ZCMOE_ERR_VERSION, 0},
    {"zcmoe_model_load", ZCMOE_ERR_CHECKSUM, 0},
    {"zcmoe_model_get_info", ZCMOE_OK, 0},
    {"zcmoe_model_get_info", INVALID, 0},
    {"zcmoe_model_get_view", ZCMOE_OK, 0},
    {"zcmoe_model_get_view", INVALID, 0},
    {"zcmoe_predict", ZCMOE_OK, 0},
    {"zcmoe_predict", INVALID, 0},
    {"zcmoe_predict_sync", ZCMOE_OK, 0},
    {"zcmoe_predict_sync", INVALID, 0},
    {"zcmoe_group", ZCMOE_OK, 0},
    {"zcmoe_group", INVALID, 0},
    {"zcmoe_group", ZCMOE_ERR_OUT_OF_MEMORY, 0},
    {"zcmoe_group_sync", ZCMOE_OK, 0},
    {"zcmoe_group_sync", INVALID, 0},
    {"zcmoe_group_workspace", ZCMOE_OK, 0},
    {"zcmoe_group_workspace", INVALID, 0},
    {"zcmoe_fit_create", ZCMOE_OK, 0},
    {"zcmoe_fit_create", INVALID, 0},
    {"zcmoe_fit_create", ZCMOE_ERR_OUT_OF_MEMORY, 0},
    {"zcmoe_fit_destroy", ZCMOE_OK, 0},
    {"zcmoe_fit_workspace", ZCMOE_OK, 0},
    {"zcmoe_fit_workspace", INVALID, 0},
    {"zcmoe_fit_add", ZCMOE_OK, 0},
    {"zcmoe_fit_add", INVALID, 0},
    {"zcmoe_fit_add", ZCMOE_ERR_DATA, 0},
    {"zcmoe_fit_add", ZCMOE_ERR_OUT_OF_MEMORY, 0},
    {"zcmoe_fit_add_sync", ZCMOE_OK, 0},
    {"zcmoe_fit_add_sync", INVALID, 0},
    {"zcmoe_fit_add_sync", ZCMOE_ERR_DATA, 0},
    {"zcmoe_fit_merge", ZCMOE_OK, 0},
    {"zcmoe_fit_merge", INVALID, 0},
    {"zcmoe_fit_merge", ZCMOE_ERR_INCOMPATIBLE, 0},
    {"zcmoe_fit_get_report", ZCMOE_OK, 0},
    {"zcmoe_fit_get_report", INVALID, 0},
    {"zcmoe_fit_finish", ZCMOE_OK, 0},
    {"zcmoe_fit_finish", INVALID, 0},
    {"zcmoe_fit_finish", ZCMOE_ERR_OUT_OF_MEMORY, 0},
    {"zcmoe_fit_serialize", ZCMOE_OK, 0},
    {"zcmoe_fit_serialize", INVALID, 0},
    {"zcmoe_fit_serialize", ZCMOE_ERR_WORKSPACE, 0},
    {"zcmoe_fit_deserialize", ZCMOE_OK, 0},
    {"zcmoe_fit_deserialize", INVALID, 0},
    {"zcmoe_fit_deserialize", ZCMOE_ERR_OUT_OF_MEMORY, 0},
    {"zcmoe_fit_deserialize", ZCMOE_ERR_FORMAT, 0},
    {"zcmoe_fit_deserialize", ZCMOE_ERR_VERSION, 0},
    {"zcmoe_fit_deserialize", ZCMOE_ERR_CHECKSUM, 0},
    {"zcmoe_plan", ZCMOE_OK, 0},
    {"zcmoe_plan", INVALID, 0},
    {"zcmoe_plan", ZCMOE_ERR_DATA, 0},
    {"zcmoe_plan", ZCMOE_ERR_OUT_OF_MEMORY, 0},
    {"zcmoe_model_diagnose", ZCMOE_OK, 0},
    {"zcmoe_model_diagnose", INVALID, 0},
    {"zcmoe_model_diagnose", ZCMOE_ERR_DATA, 0},
    {"zcmoe_model_intervals", ZCMOE_OK, 0},
    {"zcmoe_model_intervals", INVALID, 0},
};
enum { num_pairs = sizeof pairs / sizeof pairs[0] };

static void note_seen(const char* function, zcmoe_status status) {
  for (int i = 0; i < num_pairs; ++i) {
    if (pairs[i].status == status && strcmp(pairs[i].function, function) == 0) pairs[i].seen = 1;
  }
}

/* The call as text up to its parenthesis is the function; the message begins with it and contains
 * `part`. */
static void check_call(int line, const char* call, zcmoe_status got, zcmoe_status wanted,
                       const char* part) {
  char function[64] = "";
  const size_t length = strcspn(call, "(");
  if (length < sizeof function) memcpy(function, call, length);
  const char* const message = zcmoe_last_error();
  ++checks;
  int good = got == wanted;
  if (good && wanted != ZCMOE_OK) {
    good = strncmp(message, function, length) == 0 && strncmp(message + length, ": ", 2) == 0 &&
           strstr(message, part) != NULL;
  }
  if (good) {
    note_seen(function, wanted);
    return;
  }
  ++failures;
  printf("%s:%d: %s\n  returned %s, expected %s\n", __FILE__, line, call, zcmoe_status_string(got),
         zcmoe_status_string(wanted));
  if (got != ZCMOE_OK)
    printf("  text:     %s\n  expected: %.*s: ...%s...\n", message, (int)length, call, part);
}
#define OK(call) check_call(__LINE__, #call, call, ZCMOE_OK, "")
#define FAILS(status, part, call) check_call(__LINE__, #call, call, status, part)

/* ------------------------------------------------------------------ helpers */

static const double edges3[] = {0.0, 1.0, 2.0, 4.0};
static const double constants3[] = {10.0, 20.0, 30.0};

static void* misaligned(void* pointer) { return (char*)pointer + 1; }
static zcmoe_array f64_array(const double* data) { return (zcmoe_array){data, ZCMOE_F64, 1}; }
static zcmoe_array no_array(void) { return (zcmoe_array){NULL, ZCMOE_F64, 1}; }
static zcmoe_output f64_output(double* data) { return (zcmoe_output){data, ZCMOE_F64, 1}; }

static double one(void* user, double x) {
  (void)user, (void)x;
  return 1.0;
}
static double twice(void* user, double x) {
  (void)user;
  return 2.0 * x;
}
/* Answers *user. */
static double given(void* user, double x) {
  (void)x;
  return *(const double*)user;
}

/* An allocator that refuses once its allowance is used up. */
struct allowance {
  int left;
  int live;
};
static void* limited_alloc(void* user, size_t bytes, size_t align, zcmoe_stream stream) {
  struct allowance* const own = user;
  CHECK(stream == NULL);
  if (own->left <= 0) return NULL;
  --own->left;
  ++own->live;
  return aligned_alloc(align, (bytes + align - 1) / align * align);
}
static void limited_free(void* user, void* pointer, size_t bytes, size_t align,
                         zcmoe_stream stream) {
  (void)bytes, (void)align, (void)stream;
  --((struct allowance*)user)->live;
  free(pointer);
}

static zcmoe_context* cpu_context(int threads, struct allowance* memory) {
  zcmoe_context_options options = ZCMOE_CONTEXT_OPTIONS_INIT;
  options.engine = ZCMOE_ENGINE_CPU;
  options.num_threads = threads;
  if (memory != NULL) {
    options.alloc = limited_alloc;
    options.free = limited_free;
    options.user = memory;
  }
  zcmoe_context* context = NULL;
  OK(zcmoe_context_create(&options, &context));
  return context;
}

static zcmoe_fit* new_fit(zcmoe_context* context, const zcmoe_fit_options* options) {
  zcmoe_fit* fit = NULL;
  OK(zcmoe_fit_create(context, edges3, 3, NULL, options, &fit));
  return fit;
}

static size_t read_file(const char* path, unsigned char* bytes, size_t capacity) {
  FILE* const file = fopen(path, "rb");
  if (file == NULL) return 0;
  const size_t size = fread(bytes, 1, capacity, file);
  fclose(file);
  return size;
}
static void write_file(const char* path, const unsigned char* bytes, size_t size) {
  FILE* const file = fopen(path, "wb");
  CHECK(file != NULL);
  if (file == NULL) return;
  CHECK(fwrite(bytes, 1, size, file) == size);
  fclose(file);
}
/* Where `text` begins among bytes that may hold zeros, or NULL. */
static unsigned char* find_text(unsigned char* bytes, size_t size, const char* text) {
  const size_t length = strlen(text);
  for (size_t i = 0; i + length <= size; ++i) {
    if (memcmp(bytes + i, text, length) == 0) return bytes + i;
  }
  return NULL;
}

/* --------------------------------------------------------------------- text */

static void test_text(void) {
  CHECK(strcmp(zcmoe_last_error(), "") == 0);
  char version[32];
  snprintf(version, sizeof version, "%d.%d.%d", ZCMOE_VERSION_MAJOR, ZCMOE_VERSION_MINOR,
           ZCMOE_VERSION_PATCH);
  CHECK(strcmp(zcmoe_version(), version) == 0);
  CHECK(strncmp(zcmoe_build_info(), "zcmoe ", 6) == 0);
  CHECK(strncmp(zcmoe_build_info() + 6, version, strlen(version)) == 0);
  CHECK(strstr(zcmoe_build_info(), "compiler ") != NULL);
  CHECK(zcmoe_build_info() == zcmoe_build_info());
  static const char* const names[] = {"ZCMOE_OK",
                                      "ZCMOE_ERR_INVALID_ARGUMENT",
                                      "ZCMOE_ERR_OUT_OF_MEMORY",
                                      "ZCMOE_ERR_NO_DEVICE",
                                      "ZCMOE_ERR_DEVICE",
                                      "ZCMOE_ERR_IO",
                                      "ZCMOE_ERR_FORMAT",
                                      "ZCMOE_ERR_VERSION",
                                      "ZCMOE_ERR_CHECKSUM",
                                      "ZCMOE_ERR_DATA",
                                      "ZCMOE_ERR_INCOMPATIBLE",
                                      "ZCMOE_ERR_NUMERIC",
                                      "ZCMOE_ERR_WORKSPACE",
                                      "ZCMOE_ERR_INTERNAL",
                                      "ZCMOE_ERR_CANCELLED"};
  for (int i = 0; i < 15; ++i) CHECK(strcmp(zcmoe_status_string(i), names[i]) == 0);
  CHECK(strcmp(zcmoe_status_string(15), "unknown status") == 0);
  CHECK(strcmp(zcmoe_status_string(-1), "unknown status") == 0);
}

/* ------------------------------------------------------------------ context */

struct later_context_options {
  zcmoe_context_options known;
  int64_t later;
};

static void test_context(void) {
  zcmoe_context* context = NULL;
  FAILS(INVALID, "context is null", zcmoe_context_create(NULL, NULL));
  {
    static const struct {
      zcmoe_context_options options;
      const char* text;
    } refused[] = {
        {{4, 1, 0, 0, 0, NULL, NULL, NULL, 0}, "options->struct_size=4 is less than 8"},
        {{sizeof(zcmoe_context_options), 3, 0, 0, 0, NULL, NULL, NULL, 0},
         "options->engine=3 is not a ZCMOE_ENGINE_ value"},
        {{sizeof(zcmoe_context_options), -1, 0, 0, 0, NULL, NULL, NULL, 0}, "options->engine=-1"},
        {{sizeof(zcmoe_context_options), 1, -1, 0, 0, NULL, NULL, NULL, 0},
         "options->device=-1 is negative"},
        {{sizeof(zcmoe_context_options), 1, 0, -1, 0, NULL, NULL, NULL, 0},
         "options->num_threads=-1"},
        {{sizeof(zcmoe_context_options), 1, 0, 4097, 0, NULL, NULL, NULL, 0}, "is not in 0..4096"},
        {{sizeof(zcmoe_context_options), 1, 0, 0, 1, NULL, NULL, NULL, 0},
         "options->reserved=1 is not 0"},
        {{sizeof(zcmoe_context_options), 1, 0, 0, 0, limited_alloc, NULL, NULL, 0},
         "both be given or both be null"},
        {{sizeof(zcmoe_context_options), 1, 0, 0, 0, NULL, limited_free, NULL, 0},
         "both be given or both be null"},
        {{sizeof(zcmoe_context_options), 1, 0, 0, 0, NULL, NULL, NULL, -5},
         "options->pool_release_threshold=-5 is negative"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; ++i) {
      FAILS(INVALID, refused[i].text, zcmoe_context_create(&refused[i].options, &context));
    }
  }
  CHECK(context == NULL);

  struct later_context_options later = {ZCMOE_CONTEXT_OPTIONS_INIT, 0};
  later.known.struct_size = sizeof later;
  later.known.engine = ZCMOE_ENGINE_CPU;
  OK(zcmoe_context_create(&later.known, &context));
  OK(zcmoe_context_destroy(context));
  later.later = 1;
  FAILS(INVALID, "is not zero", zcmoe_context_create(&later.known, &context));

  /* A struct of an earlier version: only struct_size, engine and device. */
  zcmoe_context_options earlier = ZCMOE_CONTEXT_OPTIONS_INIT;
  earlier.struct_size = offsetof(zcmoe_context_options, num_threads);
  earlier.engine = ZCMOE_ENGINE_CPU;
  earlier.num_threads = -77;
  OK(zcmoe_context_create(&earlier, &context));
  OK(zcmoe_context_destroy(context));

  earlier.struct_size = offsetof(zcmoe_context_options, device); /* in the middle of 8 bytes */
  FAILS(INVALID, "struct_size=12 ends within a field", zcmoe_context_create(&earlier, &context));

  OK(zcmoe_context_create(NULL, &context)); /* AUTO always finds an engine */
  OK(zcmoe_context_destroy(context));
  OK(zcmoe_context_destroy(NULL));

  context = NULL;
  zcmoe_context_options cuda = ZCMOE_CONTEXT_OPTIONS_INIT;
  cuda.engine = ZCMOE_ENGINE_CUDA;
  cuda.device = 0;
  if (zcmoe_context_create(&cuda, &context) == ZCMOE_OK) {
    printf("a CUDA device answers: ZCMOE_ERR_NO_DEVICE cannot be had here\n");
    note_seen("zcmoe_context_create", ZCMOE_ERR_NO_DEVICE);
    OK(zcmoe_context_destroy(context));
  } else {
    FAILS(ZCMOE_ERR_NO_DEVICE, "CUDA", zcmoe_context_create(&cuda, &context));
    CHECK(context == NULL);
  }

  context = cpu_context(1, NULL);
  zcmoe_context_info info = ZCMOE_CONTEXT_INFO_INIT;
  OK(zcmoe_context_get_info(context, &info));
  CHECK(info.engine == ZCMOE_ENGINE_CPU && info.device == -1 && info.num_threads == 1);
  CHECK(strncmp(info.name, "cpu, 1 thread, ", 15) == 0 && info.name[15] != 0); /* vector code */
  FAILS(INVALID, "context is null", zcmoe_context_get_info(NULL, &info));
  FAILS(INVALID, "info is null", zcmoe_context_get_info(context, NULL));
  info.struct_size = 0;
  FAILS(INVALID, "info->struct_size=0 is less than 8", zcmoe_context_get_info(context, &info));
  OK(zcmoe_context_destroy(context));
}

/* ------------------------------------------------------------- segmentation */

static void test_segment_uniform_and_check(void) {
  double edges[8];
  OK(zcmoe_segment_uniform(-1.0, 1.0, 4, edges));
  CHECK(edges[0] == -1.0 && edges[1] == -0.5 && edges[2] == 0.0 && edges[4] == 1.0);
  static const struct {
    double lo, hi;
    int64_t num_segments;
    const char* text;
  } refused[] = {
      {NAN, 1, 1, "lo=nan is not finite"},
      {0, INFINITY, 1, "hi=inf is not finite"},
      {1, 1, 1, "lo=1 is not less than hi=1"},
      {2, 1, 1, "lo=2 is not less than hi=1"},
      {0, 1, 0, "num_segments=0"},
      {0, 1, -3, "num_segments=-3"},
      {0, 1, ZCMOE_MAX_SEGMENTS + 1, "num_segments=1073741825"},
      {0, 5e-324, 2, "num_segments=2 segments do not fit between"},
  };
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; ++i) {
    FAILS(INVALID, refused[i].text,
          zcmoe_segment_uniform(refused[i].lo, refused[i].hi, refused[i].num_segments, edges));
  }
  FAILS(INVALID, "edges is null", zcmoe_segment_uniform(0, 1, 1, NULL));

  OK(zcmoe_segment_check(edges3, 3));
  FAILS(INVALID, "edges is null", zcmoe_segment_check(NULL, 3));
  FAILS(INVALID, "num_segments=0", zcmoe_segment_check(edges3, 0));
  const double falling[] = {0.0, 2.0, 1.0};
  FAILS(INVALID, "edges[2]=1 is not greater than edges[1]=2", zcmoe_segment_check(falling, 2));
  const double equal[] = {0.0, 0.0};
  FAILS(INVALID, "edges[1]=0 is not greater than edges[0]=0", zcmoe_segment_check(equal, 1));
  const double infinite[] = {0.0, INFINITY};
  FAILS(INVALID, "edges[1]=inf is not finite", zcmoe_segment_check(infinite, 1));
}

static void test_segment_quantile(void) {
  double x[] = {4.0, 1.0, 3.0, 2.0, NAN, INFINITY};
  double weights[] = {1.0, 1.0, 1.0, 1.0, 1.0, 1.0};
  double edges[8];
  int64_t built = -1;
  OK(zcmoe_segment_quantile(f64_array(x), no_array(), 6, 2, edges, &built));
  CHECK(built == 2 && edges[0] == 1.0 && edges[1] == 3.0 &&
        edges[2] >= 4.0); /* {1, 2} and {3, 4} */
  OK(zcmoe_segment_quantile(f64_array(x), f64_array(weights), 6, 4, edges, &built));
  CHECK(built >= 1 && built <= 4);
  FAILS(ZCMOE_ERR_DATA, "x has no finite input",
        zcmoe_segment_quantile(f64_array(x), no_array(), 0, 2, edges, &built));
  FAILS(ZCMOE_ERR_DATA, "x has no finite input",
        zcmoe_segment_quantile(f64_array(x + 4), no_array(), 2, 2, edges, &built));
  weights[2] = -1.0;
  FAILS(ZCMOE_ERR_DATA, "weights[2]=-1",
        zcmoe_segment_quantile(f64_array(x), f64_array(weights), 6, 2, edges, &built));
  weights[2] = NAN;
  FAILS(ZCMOE_ERR_DATA, "weights[2]=nan",
        zcmoe_segment_quantile(f64_array(x), f64_array(weights), 6, 2, edges, &built));
  zcmoe_array bad = f64_array(x);
  bad.dtype = 99;
  FAILS(INVALID, "x.dtype=99", zcmoe_segment_quantile(bad, no_array(), 4, 2, edges, &built));
  bad.dtype = 13;
  FAILS(INVALID, "x.dtype=13", zcmoe_segment_quantile(bad, no_array(), 4, 2, edges, &built));
  bad = f64_array(misaligned(x));
  FAILS(INVALID, "is not aligned to its 8-byte type",
        zcmoe_segment_quantile(bad, no_array(), 4, 2, edges, &built));
  bad = f64_array(x);
  bad.stride = INT64_MAX;
  FAILS(INVALID, "x.stride=9223372036854775807",
        zcmoe_segment_quantile(bad, no_array(), 4, 2, edges, &built));
  FAILS(INVALID, "x.data is null",
        zcmoe_segment_quantile(no_array(), no_array(), 4, 2, edges, &built));
  FAILS(INVALID, "n=-1", zcmoe_segment_quantile(f64_array(x), no_array(), -1, 2, edges, &built));
  FAILS(INVALID, "num_segments=0",
        zcmoe_segment_quantile(f64_array(x), no_array(), 4, 0, edges, &built));
  FAILS(INVALID, "edges is null",
        zcmoe_segment_quantile(f64_array(x), no_array(), 4, 2, NULL, &built));
  FAILS(INVALID, "num_built is null",
        zcmoe_segment_quantile(f64_array(x), no_array(), 4, 2, edges, NULL));
}

static void test_segment_optimal(void) {
  double edges[8];
  int64_t built = -1;
  double answer = 0.0;
  /* p = 1, b' = 2x: lambda ~ x^(2/3), so a_i = (i/m)^(3/5). */
  OK(zcmoe_segment_optimal(one, twice, NULL, 0.0, 1.0, 4, NULL, edges, &built));
  CHECK(built == 4 && edges[0] == 0.0 && edges[4] == 1.0);
  for (int i = 1; i < 4; ++i) CHECK(fabs(edges[i] - pow(i / 4.0, 0.6)) < 1e-9);

  answer = NAN;
  FAILS(ZCMOE_ERR_NUMERIC, "density returned nan at x=",
        zcmoe_segment_optimal(given, one, &answer, 0, 1, 4, NULL, edges, &built));
  FAILS(ZCMOE_ERR_NUMERIC, "slope returned nan at x=",
        zcmoe_segment_optimal(one, given, &answer, 0, 1, 4, NULL, edges, &built));
  answer = INFINITY;
  FAILS(ZCMOE_ERR_NUMERIC, "density returned inf at x=",
        zcmoe_segment_optimal(given, one, &answer, 0, 1, 4, NULL, edges, &built));
  answer = -1.0;
  FAILS(ZCMOE_ERR_NUMERIC, "density returned -1 at x=",
        zcmoe_segment_optimal(given, one, &answer, 0, 1, 4, NULL, edges, &built));

  zcmoe_density_options options = ZCMOE_DENSITY_OPTIONS_INIT;
  FAILS(INVALID, "density is null",
        zcmoe_segment_optimal(NULL, one, NULL, 0, 1, 4, NULL, edges, &built));
  FAILS(INVALID, "slope is null",
        zcmoe_segment_optimal(one, NULL, NULL, 0, 1, 4, NULL, edges, &built));
  FAILS(INVALID, "lo=1 is not less than hi=0",
        zcmoe_segment_optimal(one, one, NULL, 1, 0, 4, NULL, edges, &built));
  FAILS(INVALID, "num_segments=0",
        zcmoe_segment_optimal(one, one, NULL, 0, 1, 0, NULL, edges, &built));
  FAILS(INVALID, "edges is null",
        zcmoe_segment_optimal(one, one, NULL, 0, 1, 4, NULL, NULL, &built));
  FAILS(INVALID, "num_built is null",
        zcmoe_segment_optimal(one, one, NULL, 0, 1, 4, NULL, edges, NULL));
  options.uniform_mixture = 1.5;
  FAILS(INVALID, "options->uniform_mixture=1.5",
        zcmoe_segment_optimal(one, one, NULL, 0, 1, 4, &options, edges, &built));
  options.uniform_mixture = 0.0;
  options.floor = -1.0;
  FAILS(INVALID, "options->floor=-1",
        zcmoe_segment_optimal(one, one, NULL, 0, 1, 4, &options, edges, &built));
  options.struct_size = 1;
  FAILS(INVALID, "options->struct_size=1",
        zcmoe_segment_optimal(one, one, NULL, 0, 1, 4, &options, edges, &built));

  double grid[] = {0.0, 0.5, 1.0};
  double density[] = {1.0, 1.0, 1.0};
  double slope[] = {1.0, -1.0, 1.0};
  OK(zcmoe_segment_optimal_table(grid, density, density, 3, 4, NULL, edges, &built));
  CHECK(built == 4 && fabs(edges[1] - 0.25) < 1e-9 && fabs(edges[3] - 0.75) < 1e-9);
  OK(zcmoe_segment_optimal_table(grid, density, slope, 3, 4, NULL, edges, &built));
  FAILS(INVALID, "grid is null",
        zcmoe_segment_optimal_table(NULL, density, slope, 3, 4, NULL, edges, &built));
  FAILS(INVALID, "density is null",
        zcmoe_segment_optimal_table(grid, NULL, slope, 3, 4, NULL, edges, &built));
  FAILS(INVALID, "slope is null",
        zcmoe_segment_optimal_table(grid, density, NULL, 3, 4, NULL, edges, &built));
  FAILS(INVALID, "num_grid=1",
        zcmoe_segment_optimal_table(grid, density, slope, 1, 4, NULL, edges, &built));
  FAILS(INVALID, "num_segments=0",
        zcmoe_segment_optimal_table(grid, density, slope, 3, 0, NULL, edges, &built));
  FAILS(INVALID, "edges is null",
        zcmoe_segment_optimal_table(grid, density, slope, 3, 4, NULL, NULL, &built));
  FAILS(INVALID, "num_built is null",
        zcmoe_segment_optimal_table(grid, density, slope, 3, 4, NULL, edges, NULL));
  density[1] = -1.0;
  FAILS(INVALID, "density[1]=-1",
        zcmoe_segment_optimal_table(grid, density, slope, 3, 4, NULL, edges, &built));
  density[1] = 1.0;
  slope[2] = NAN;
  FAILS(INVALID, "slope[2]=nan is not finite",
        zcmoe_segment_optimal_table(grid, density, slope, 3, 4, NULL, edges, &built));
  grid[1] = 0.0;
  FAILS(INVALID, "grid[1]=0 is not greater than grid[0]=0",
        zcmoe_segment_optimal_table(grid, density, slope, 3, 4, NULL, edges, &built));
}

static void test_segment_density(void) {
  double edges[8];
  int64_t built = -1;
  double answer = 0.0;
  OK(zcmoe_segment_density(twice, NULL, 0, 1, 4, NULL, edges,
                           &built)); /* lambda ~ x: a_i = sqrt(i/m) */
  CHECK(built == 4);
  for (int i = 1; i < 4; ++i) CHECK(fabs(edges[i] - sqrt(i / 4.0)) < 1e-9);
  OK(zcmoe_segment_density(given, &answer, 0, 1, 4, NULL, edges,
                           &built)); /* zero everywhere: uniform */
  CHECK(built == 4 && edges[1] == 0.25);
  answer = NAN;
  FAILS(ZCMOE_ERR_NUMERIC, "point_density returned nan at x=",
        zcmoe_segment_density(given, &answer, 0, 1, 4, NULL, edges, &built));
  answer = -2.0;
  FAILS(ZCMOE_ERR_NUMERIC, "point_density returned -2 at x=",
        zcmoe_segment_density(given, &answer, 0, 1, 4, NULL, edges, &built));
  FAILS(INVALID, "point_density is null",
        zcmoe_segment_density(NULL, NULL, 0, 1, 4, NULL, edges, &built));
  FAILS(INVALID, "hi=nan is not finite",
        zcmoe_segment_density(one, NULL, 0, NAN, 4, NULL, edges, &built));
  FAILS(INVALID, "num_segments=0", zcmoe_segment_density(one, NULL, 0, 1, 0, NULL, edges, &built));
  FAILS(INVALID, "edges is null", zcmoe_segment_density(one, NULL, 0, 1, 4, NULL, NULL, &built));
  FAILS(INVALID, "num_built is null", zcmoe_segment_density(one, NULL, 0, 1, 4, NULL, edges, NULL));
  zcmoe_density_options options = ZCMOE_DENSITY_OPTIONS_INIT;
  options.uniform_mixture = NAN;
  FAILS(INVALID, "options->uniform_mixture=nan",
        zcmoe_segment_density(one, NULL, 0, 1, 4, &options, edges, &built));

  double grid[] = {0.0, 1.0, 2.0};
  double density[] = {1.0, 1.0, 1.0};
  OK(zcmoe_segment_density_table(grid, density, 3, 4, NULL, edges, &built));
  CHECK(built == 4 && fabs(edges[1] - 0.5) < 1e-9);
  FAILS(INVALID, "grid is null",
        zcmoe_segment_density_table(NULL, density, 3, 4, NULL, edges, &built));
  FAILS(INVALID, "point_density is null",
        zcmoe_segment_density_table(grid, NULL, 3, 4, NULL, edges, &built));
  FAILS(INVALID, "num_grid=0",
        zcmoe_segment_density_table(grid, density, 0, 4, NULL, edges, &built));
  FAILS(INVALID, "num_segments=-1",
        zcmoe_segment_density_table(grid, density, 3, -1, NULL, edges, &built));
  FAILS(INVALID, "options->uniform_mixture=nan",
        zcmoe_segment_density_table(grid, density, 3, 4, &options, edges, &built));
  FAILS(INVALID, "edges is null",
        zcmoe_segment_density_table(grid, density, 3, 4, NULL, NULL, &built));
  FAILS(INVALID, "num_built is null",
        zcmoe_segment_density_table(grid, density, 3, 4, NULL, edges, NULL));
  grid[2] = INFINITY;
  FAILS(INVALID, "grid[2]=inf is not finite",
        zcmoe_segment_density_table(grid, density, 3, 4, NULL, edges, &built));
  grid[2] = 2.0;
  density[0] = -1.0;
  FAILS(INVALID, "point_density[0]=-1",
        zcmoe_segment_density_table(grid, density, 3, 4, NULL, edges, &built));
}

static void test_segment_optimal_from_data(void) {
  enum { n = 1000 };
  static double x[n], y[n], weights[n];
  for (int i = 0; i < n; ++i) {
    x[i] = (i * 7919 % n) / (double)n;
    y[i] = x[i] * x[i];
    weights[i] = 1.0;
  }
  double edges[8];
  int64_t built = -1;
  OK(zcmoe_segment_optimal_from_data(f64_array(x), f64_array(y), no_array(), n, 4, edges, &built));
  CHECK(built >= 1 && built <= 4 && edges[0] == 0.0);
  OK(zcmoe_segment_check(edges, built));
  OK(zcmoe_segment_optimal_from_data(f64_array(x), f64_array(y), f64_array(weights), n, 4, edges,
                                     &built));
  FAILS(
      ZCMOE_ERR_DATA, "no row with finite x and y and positive weight among n=0 rows",
      zcmoe_segment_optimal_from_data(f64_array(x), f64_array(y), no_array(), 0, 4, edges, &built));
  OK(zcmoe_segment_lines_from_data(f64_array(x), f64_array(y), f64_array(weights), n, 4, edges,
                                   &built));
  OK(zcmoe_segment_check(edges, built));
  FAILS(ZCMOE_ERR_DATA, "no row with finite x and y",
        zcmoe_segment_lines_from_data(f64_array(x), f64_array(y), no_array(), 0, 4, edges, &built));
  FAILS(INVALID, "num_segments=0",
        zcmoe_segment_lines_from_data(f64_array(x), f64_array(y), no_array(), n, 0, edges, &built));
  weights[5] = -1.0;
  FAILS(ZCMOE_ERR_DATA, "weights[5]=-1",
        zcmoe_segment_optimal_from_data(f64_array(x), f64_array(y), f64_array(weights), n, 4, edges,
                                        &built));
  FAILS(INVALID, "n=-1",
        zcmoe_segment_optimal_from_data(f64_array(x), f64_array(y), no_array(), -1, 4, edges,
                                        &built));
  FAILS(INVALID, "x.data is null",
        zcmoe_segment_optimal_from_data(no_array(), f64_array(y), no_array(), n, 4, edges, &built));
  FAILS(INVALID, "y.data is null",
        zcmoe_segment_optimal_from_data(f64_array(x), no_array(), no_array(), n, 4, edges, &built));
  FAILS(INVALID, "weights.data=",
        zcmoe_segment_optimal_from_data(f64_array(x), f64_array(y), f64_array(misaligned(weights)),
                                        n, 4, edges, &built));
  FAILS(
      INVALID, "num_segments=0",
      zcmoe_segment_optimal_from_data(f64_array(x), f64_array(y), no_array(), n, 0, edges, &built));
  FAILS(
      INVALID, "edges is null",
      zcmoe_segment_optimal_from_data(f64_array(x), f64_array(y), no_array(), n, 4, NULL, &built));
  FAILS(INVALID, "num_built is null",
        zcmoe_segment_optimal_from_data(f64_array(x), f64_array(y), no_array(), n, 4, edges, NULL));
}

static void test_segment_compander_from_data(void) {
  enum { n = 1000 };
  static double x[n], y[n], weights[n];
  for (int i = 0; i < n; ++i) {
    x[i] = (i * 7919 % n) / (double)n;
    y[i] = x[i] * x[i];
    weights[i] = 1.0;
  }
  double edges[8];
  int64_t built = -1;
  OK(zcmoe_segment_compander_from_data(f64_array(x), f64_array(y), no_array(), n, 4, NULL, edges,
                                       &built));
  CHECK(built >= 1 && built <= 4 && edges[0] == 0.0);
  OK(zcmoe_segment_check(edges, built));
  OK(zcmoe_segment_compander_from_data(f64_array(x), f64_array(y), f64_array(weights), n, 4, NULL,
                                       edges, &built));
  FAILS(ZCMOE_ERR_DATA, "no row with finite x and y and positive weight among n=0 rows",
        zcmoe_segment_compander_from_data(f64_array(x), f64_array(y), no_array(), 0, 4, NULL, edges,
                                          &built));
  weights[5] = -1.0;
  FAILS(ZCMOE_ERR_DATA, "weights[5]=-1",
        zcmoe_segment_compander_from_data(f64_array(x), f64_array(y), f64_array(weights), n, 4,
                                          NULL, edges, &built));
  FAILS(INVALID, "n=-1",
        zcmoe_segment_compander_from_data(f64_array(x), f64_array(y), no_array(), -1, 4, NULL,
                                          edges, &built));
  FAILS(INVALID, "x.data is null",
        zcmoe_segment_compander_from_data(no_array(), f64_array(y), no_array(), n, 4, NULL, edges,
                                          &built));
  FAILS(INVALID, "y.data is null",
        zcmoe_segment_compander_from_data(f64_array(x), no_array(), no_array(), n, 4, NULL, edges,
                                          &built));
  FAILS(INVALID, "weights.data=",
        zcmoe_segment_compander_from_data(
            f64_array(x), f64_array(y), f64_array(misaligned(weights)), n, 4, NULL, edges, &built));
  FAILS(INVALID, "num_segments=0",
        zcmoe_segment_compander_from_data(f64_array(x), f64_array(y), no_array(), n, 0, NULL, edges,
                                          &built));
  FAILS(INVALID, "edges is null",
        zcmoe_segment_compander_from_data(f64_array(x), f64_array(y), no_array(), n, 4, NULL, NULL,
                                          &built));
  FAILS(INVALID, "num_built is null",
        zcmoe_segment_compander_from_data(f64_array(x), f64_array(y), no_array(), n, 4, NULL, edges,
                                          NULL));
  static const struct {
    zcmoe_plug_in_options options;
    const char* text;
  } refused[] = {
      {{0, 0.1, 0.02, 5, 0}, "options->struct_size=0"},
      {{sizeof(zcmoe_plug_in_options), -0.1, 0.02, 5, 0}, "options->uniform_mixture=-0.1"},
      {{sizeof(zcmoe_plug_in_options), 0.1, INFINITY, 5, 0}, "options->floor=inf"},
      {{sizeof(zcmoe_plug_in_options), 0.1, 0.02, NAN, 0}, "options->min_count=nan"},
      {{sizeof(zcmoe_plug_in_options), 0.1, 0.02, 5, -1}, "options->pilot_bins=-1"},
  };
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; ++i) {
    FAILS(INVALID, refused[i].text,
          zcmoe_segment_compander_from_data(f64_array(x), f64_array(y), no_array(), n, 4,
                                            &refused[i].options, edges, &built));
  }
}

static void test_optimal_constants(void) {
  double constants[3];
  OK(zcmoe_optimal_constants(one, twice, NULL, edges3, 3, ZCMOE_CONSTANT_MEAN, constants));
  CHECK(fabs(constants[0] - 1.0) < 1e-12 && fabs(constants[1] - 3.0) < 1e-12 &&
        fabs(constants[2] - 6.0) < 1e-12);
  OK(zcmoe_optimal_constants(one, twice, NULL, edges3, 3, ZCMOE_CONSTANT_MIDPOINT, constants));
  CHECK(constants[2] == 6.0);
  double answer = NAN;
  FAILS(ZCMOE_ERR_NUMERIC, "density returned nan",
        zcmoe_optimal_constants(given, one, &answer, edges3, 3, ZCMOE_CONSTANT_MEAN, constants));
  FAILS(ZCMOE_ERR_NUMERIC, "regression returned nan",
        zcmoe_optimal_constants(one, given, &answer, edges3, 3, ZCMOE_CONSTANT_MEAN, constants));
  FAILS(INVALID, "density is null",
        zcmoe_optimal_constants(NULL, one, NULL, edges3, 3, 0, constants));
  FAILS(INVALID, "regression is null",
        zcmoe_optimal_constants(one, NULL, NULL, edges3, 3, 0, constants));
  FAILS(INVALID, "num_segments=0",
        zcmoe_optimal_constants(one, one, NULL, edges3, 0, 0, constants));
  FAILS(INVALID, "edges is null", zcmoe_optimal_constants(one, one, NULL, NULL, 3, 0, constants));
  FAILS(INVALID, "constants is null", zcmoe_optimal_constants(one, one, NULL, edges3, 3, 0, NULL));
  FAILS(INVALID, "rule=7", zcmoe_optimal_constants(one, one, NULL, edges3, 3, 7, constants));
  const double falling[] = {1.0, 0.0};
  FAILS(INVALID, "edges[1]=0 is not greater",
        zcmoe_optimal_constants(one, one, NULL, falling, 1, 0, constants));
}

/* -------------------------------------------------------------------- model */

static void test_model_create(void) {
  struct allowance memory = {1000, 0};
  zcmoe_context* const context = cpu_context(1, &memory);
  zcmoe_model* model = NULL;
  FAILS(INVALID, "context is null", zcmoe_model_create(NULL, edges3, constants3, 3, NULL, &model));
  FAILS(INVALID, "model is null", zcmoe_model_create(context, edges3, constants3, 3, NULL, NULL));
  FAILS(INVALID, "edges is null", zcmoe_model_create(context, NULL, constants3, 3, NULL, &model));
  FAILS(INVALID, "constants is null", zcmoe_model_create(context, edges3, NULL, 3, NULL, &model));
  FAILS(INVALID, "num_segments=0",
        zcmoe_model_create(context, edges3, constants3, 0, NULL, &model));
  const double falling[] = {1.0, 0.0};
  FAILS(INVALID, "edges[1]=0 is not greater",
        zcmoe_model_create(context, falling, constants3, 1, NULL, &model));
  const double infinite[] = {10.0, INFINITY, 30.0};
  FAILS(INVALID, "constants[1]=inf is infinite",
        zcmoe_model_create(context, edges3, infinite, 3, NULL, &model));

  static char long_name[1026];
  memset(long_name, 'x', sizeof long_name - 1);
  struct {
    size_t field; /* offset of an int32_t that is set to value */
    int32_t value;
    const char* text;
  } policies[] = {
      {offsetof(zcmoe_model_options, closed_side), 2, "closed_side=2 is not in 0..1"},
      {offsetof(zcmoe_model_options, include_outer_edge), -1,
       "include_outer_edge=-1 is not in 0..1"},
      {offsetof(zcmoe_model_options, nan_policy), 3, "nan_policy=3 is not in 0..2"},
      {offsetof(zcmoe_model_options, range_policy), 4, "range_policy=4 is not in 0..3"},
      {offsetof(zcmoe_model_options, empty_policy), 5, "empty_policy=5 is not in 0..4"},
      {offsetof(zcmoe_model_options, constants), 2, "constants=2 is not in 0..1"},
      {offsetof(zcmoe_model_options, constants), 1, "is for fits"},
      {offsetof(zcmoe_model_options, experts), 3, "experts=3 is not in 0..2"},
      {offsetof(zcmoe_model_options, experts), 1, "zcmoe_model_create_lines() takes lines"},
      {offsetof(zcmoe_model_options, weights_kind), 2, "weights_kind=2 is not in 0..1"},
  };
  for (size_t i = 0; i < sizeof policies / sizeof policies[0]; ++i) {
    zcmoe_model_options options = ZCMOE_MODEL_OPTIONS_INIT;
    memcpy((char*)&options + policies[i].field, &policies[i].value, sizeof policies[i].value);
    FAILS(INVALID, policies[i].text,
          zcmoe_model_create(context, edges3, constants3, 3, &options, &model));
  }
  zcmoe_model_options options = ZCMOE_MODEL_OPTIONS_INIT;
  options.shrinkage = -1.0;
  FAILS(INVALID, "shrinkage=-1",
        zcmoe_model_create(context, edges3, constants3, 3, &options, &model));
  options.shrinkage = 0.0;
  options.feature_name = "\xff";
  FAILS(INVALID, "feature_name is not UTF-8",
        zcmoe_model_create(context, edges3, constants3, 3, &options, &model));
  options.feature_name = NULL;
  options.target_name = long_name;
  FAILS(INVALID, "target_name has 1025 bytes",
        zcmoe_model_create(context, edges3, constants3, 3, &options, &model));
  options.struct_size = 2;
  FAILS(INVALID, "options->struct_size=2",
        zcmoe_model_create(context, edges3, constants3, 3, &options, &model));
  memory.left = 0;
  FAILS(ZCMOE_ERR_OUT_OF_MEMORY, "out of host memory",
        zcmoe_model_create(context, edges3, constants3, 3, NULL, &model));
  CHECK(model == NULL);
  memory.left = 1000;
  OK(zcmoe_model_create(context, edges3, constants3, 3, NULL, &model));
  OK(zcmoe_context_destroy(context)); /* handles may go in any order */

  zcmoe_model_info info;
  memset(&info, 0, sizeof info);
  info.struct_size = sizeof info;
  OK(zcmoe_model_get_info(model, &info));
  CHECK(info.num_segments == 3 && info.num_slots == 6 && info.num_empty == 3 && info.num_rows == 0);
  CHECK(info.edges[3] == 4.0 && info.constants[1] == 20.0 && info.counts[0] == 0 &&
        isnan(info.variances[0]));
  CHECK(info.target_dtype == 0 && info.weighted == 0 && isnan(info.mean));
  FAILS(INVALID, "model is null", zcmoe_model_get_info(NULL, &info));
  FAILS(INVALID, "info is null", zcmoe_model_get_info(model, NULL));
  info.struct_size = 4;
  FAILS(INVALID, "info->struct_size=", zcmoe_model_get_info(model, &info));

  zcmoe_model_view view = ZCMOE_MODEL_VIEW_INIT;
  OK(zcmoe_model_get_view(model, &view));
  CHECK(view.num_segments == 3 && view.edges[2] == 2.0 && view.constants_f32[2] == 30.0f);
  FAILS(INVALID, "model is null", zcmoe_model_get_view(NULL, &view));
  FAILS(INVALID, "view is null", zcmoe_model_get_view(model, NULL));
  OK(zcmoe_model_destroy(model));
  OK(zcmoe_model_destroy(NULL));
  CHECK(memory.live == 0);
}

static zcmoe_model_options line_options(void) {
  zcmoe_model_options options = ZCMOE_MODEL_OPTIONS_INIT;
  options.experts = ZCMOE_EXPERTS_LINEAR;
  return options;
}

static void test_model_create_lines(void) {
  struct allowance memory = {1000, 0};
  zcmoe_context* const context = cpu_context(1, &memory);
  zcmoe_model* model = NULL;
  const zcmoe_line lines3[] = {{0.0, 1.0, 10.0, 2.0}, {1.5, 1.5, 20.0, 0.0}, {2.0, 3.0, NAN, 1.0}};
  zcmoe_model_options options = line_options();
  FAILS(INVALID, "context is null",
        zcmoe_model_create_lines(NULL, edges3, lines3, 3, &options, &model));
  FAILS(INVALID, "model is null",
        zcmoe_model_create_lines(context, edges3, lines3, 3, &options, NULL));
  FAILS(INVALID, "edges is null",
        zcmoe_model_create_lines(context, NULL, lines3, 3, &options, &model));
  FAILS(INVALID, "lines is null",
        zcmoe_model_create_lines(context, edges3, NULL, 3, &options, &model));
  FAILS(INVALID, "num_segments=0",
        zcmoe_model_create_lines(context, edges3, lines3, 0, &options, &model));
  FAILS(
      INVALID, "num_segments=1073741825",
      zcmoe_model_create_lines(context, edges3, lines3, ZCMOE_MAX_SEGMENTS + 1, &options, &model));
  const double falling[] = {1.0, 0.0};
  FAILS(INVALID, "edges[1]=0 is not greater",
        zcmoe_model_create_lines(context, falling, lines3, 1, &options, &model));
  static const struct {
    zcmoe_line line; /* takes the place of lines[1] */
    const char* text;
  } wrong[] = {
      {{NAN, 2.0, 1.0, 1.0}, "lines[1] from=nan"},
      {{-INFINITY, 2.0, 1.0, 1.0}, "lines[1] from=-inf"},
      {{1.0, NAN, 1.0, 1.0}, "to=nan"},
      {{1.0, INFINITY, 1.0, 1.0}, "to=inf"},
      {{2.0, 1.0, 1.0, 1.0}, "from is greater than to"},
      {{1.0, 2.0, 1.0, NAN}, "slope=nan"},
      {{1.0, 2.0, 1.0, INFINITY}, "slope=inf"},
      {{-1e308, 1e308, 1.0, 0.0}, "lines[1] from=-1e+308 to=1e+308"},
      {{1.0, 2.0, INFINITY, 1.0}, "lines[1] value=inf is infinite"},
      {{1.0, 2.0, -INFINITY, 1.0}, "lines[1] value=-inf is infinite"},
      {{0.0, 4.0, 1.0, 1e308}, "leads to infinity at to=4"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; ++i) {
    const zcmoe_line lines[] = {lines3[0], wrong[i].line, lines3[2]};
    FAILS(INVALID, wrong[i].text,
          zcmoe_model_create_lines(context, edges3, lines, 3, &options, &model));
  }
  FAILS(INVALID, "ZCMOE_EXPERTS_CONSTANT (0), but lines are given",
        zcmoe_model_create_lines(context, edges3, lines3, 3, NULL, &model));
  options.experts = 3;
  FAILS(INVALID, "experts=3 is not in 0..2",
        zcmoe_model_create_lines(context, edges3, lines3, 3, &options, &model));
  options.experts = ZCMOE_EXPERTS_INTERPOLATE; /* no more than a name here */
  options.weights_kind = -1;
  FAILS(INVALID, "weights_kind=-1 is not in 0..1",
        zcmoe_model_create_lines(context, edges3, lines3, 3, &options, &model));
  options.weights_kind = ZCMOE_WEIGHTS_SAMPLING;
  options.shrinkage = 0.5;
  FAILS(INVALID, "nor shrinkage",
        zcmoe_model_create_lines(context, edges3, lines3, 3, &options, &model));
  options.shrinkage = 0.0;
  options.constants = ZCMOE_CONSTANTS_SMOOTH;
  FAILS(INVALID, "neither constants=ZCMOE_CONSTANTS_SMOOTH",
        zcmoe_model_create_lines(context, edges3, lines3, 3, &options, &model));
  options.constants = ZCMOE_CONSTANTS_MEAN;
  options.empty_value = INFINITY;
  FAILS(INVALID, "empty_value=inf is infinite",
        zcmoe_model_create_lines(context, edges3, lines3, 3, &options, &model));
  options.empty_value = 0.0;
  options.struct_size = 3;
  FAILS(INVALID, "options->struct_size=3",
        zcmoe_model_create_lines(context, edges3, lines3, 3, &options, &model));
  /* An earlier version's struct knows no experts: they are constants. */
  options.struct_size = offsetof(zcmoe_model_options, experts);
  FAILS(INVALID, "but lines are given",
        zcmoe_model_create_lines(context, edges3, lines3, 3, &options, &model));
  options.struct_size = sizeof options;
  memory.left = 0;
  FAILS(ZCMOE_ERR_OUT_OF_MEMORY, "out of host memory",
        zcmoe_model_create_lines(context, edges3, lines3, 3, &options, &model));
  CHECK(model == NULL);
  memory.left = 1000;
  OK(zcmoe_model_create_lines(context, edges3, lines3, 3, &options, &model));

  zcmoe_model_info info;
  memset(&info, 0, sizeof info);
  info.struct_size = sizeof info;
  OK(zcmoe_model_get_info(model, &info));
  CHECK(info.num_segments == 3 && info.num_rows == 0 && info.target_dtype == 0);
  CHECK(info.options.experts == ZCMOE_EXPERTS_INTERPOLATE && info.lines != NULL);
  CHECK(memcmp(info.lines, lines3, 2 * sizeof lines3[0]) == 0 && isnan(info.lines[2].value));
  CHECK(info.lines[4].value == 11.0 && info.lines[4].slope == 0.0); /* below the range */
  CHECK(info.constants[0] == 11.0 && info.constants[1] == 20.0 && isnan(info.constants[2]));
  zcmoe_model_view view = ZCMOE_MODEL_VIEW_INIT;
  OK(zcmoe_model_get_view(model, &view));
  CHECK(view.lines != NULL && memcmp(view.lines, lines3, 2 * sizeof lines3[0]) == 0);
  const double x[] = {-3.0, 0.25, 1.0, 1.25, 2.0};
  double values[5] = {0};
  zcmoe_predict_outputs outputs = ZCMOE_PREDICT_OUTPUTS_INIT;
  outputs.values = f64_output(values);
  OK(zcmoe_predict_sync(model, f64_array(x), 5, &outputs, NULL));
  CHECK(values[0] == 10.0 && values[1] == 10.5 && values[2] == 20.0 && values[3] == 20.0 &&
        isnan(values[4]));
  OK(zcmoe_context_destroy(context)); /* handles may go in any order */
  OK(zcmoe_model_destroy(model));
  CHECK(memory.live == 0);
}

static void test_model_interpolate(void) {
  struct allowance memory = {1000, 0};
  zcmoe_context* const context = cpu_context(1, &memory);
  zcmoe_model* model = NULL;
  zcmoe_model* read = NULL;
  zcmoe_model* again = NULL;
  zcmoe_model_options options = ZCMOE_MODEL_OPTIONS_INIT;
  options.feature_name = "distance";
  options.range_policy = ZCMOE_RANGE_NAN;
  OK(zcmoe_model_create(context, edges3, constants3, 3, &options, &model));
  FAILS(INVALID, "model is null", zcmoe_model_interpolate(NULL, &read));
  FAILS(INVALID, "interpolating is null", zcmoe_model_interpolate(model, NULL));
  const int before = memory.live;
  memory.left = 0;
  FAILS(ZCMOE_ERR_OUT_OF_MEMORY, "out of host memory", zcmoe_model_interpolate(model, &read));
  CHECK(read == NULL && memory.live == before);
  memory.left = 1000;
  OK(zcmoe_model_interpolate(model, &read));
  FAILS(INVALID, "experts=2, lines already", zcmoe_model_interpolate(read, &again));
  CHECK(again == NULL);
  OK(zcmoe_model_destroy(model)); /* nothing of it is needed any more */
  OK(zcmoe_context_destroy(context));

  zcmoe_model_info info;
  memset(&info, 0, sizeof info);
  info.struct_size = sizeof info;
  OK(zcmoe_model_get_info(read, &info));
  CHECK(info.num_segments == 2 && info.edges[0] == 0.0 && info.edges[1] == 1.5 &&
        info.edges[2] == 4.0);
  CHECK(info.options.experts == ZCMOE_EXPERTS_INTERPOLATE && info.num_rows == 0 &&
        info.options.feature_name != NULL && strcmp(info.options.feature_name, "distance") == 0);
  /* Centres 0.5, 1.5 and 3; constants 10, 20 and 30. */
  const double x[] = {0.0, 0.5, 1.0, 1.5, 3.0, -1.0};
  double values[6] = {0};
  zcmoe_predict_outputs outputs = ZCMOE_PREDICT_OUTPUTS_INIT;
  outputs.values = f64_output(values);
  OK(zcmoe_predict_sync(read, f64_array(x), 6, &outputs, NULL));
  CHECK(values[0] == 5.0 && values[1] == 10.0 && values[2] == 15.0 && values[3] == 20.0 &&
        values[4] == 30.0 && isnan(values[5]));
  OK(zcmoe_model_destroy(read));
  CHECK(memory.live == 0);
}

static void test_model_file(void) {
  static const char path[] = "c_api_test.safetensors";
  static const char changed[] = "c_api_test.changed.safetensors";
  struct allowance memory = {1000, 0};
  zcmoe_context* const context = cpu_context(1, &memory);
  zcmoe_model* model = NULL;
  zcmoe_model* loaded = NULL;
  OK(zcmoe_model_create(context, edges3, constants3, 3, NULL, &model));
  OK(zcmoe_model_save(model, path));
  FAILS(INVALID, "model is null", zcmoe_model_save(NULL, path));
  FAILS(INVALID, "path is null or empty", zcmoe_model_save(model, NULL));
  FAILS(INVALID, "path is null or empty", zcmoe_model_save(model, ""));
  FAILS(ZCMOE_ERR_IO, "no-such-folder/model.safetensors",
        zcmoe_model_save(model, "no-such-folder/model.safetensors"));
  FAILS(ZCMOE_ERR_IO, "'.': it is a folder", zcmoe_model_save(model, "."));

  OK(zcmoe_model_load(context, path, &loaded));
  zcmoe_model_view view = ZCMOE_MODEL_VIEW_INIT;
  OK(zcmoe_model_get_view(loaded, &view));
  CHECK(view.num_segments == 3 && memcmp(view.constants, constants3, sizeof constants3) == 0);
  OK(zcmoe_model_destroy(loaded));
  loaded = NULL;
  FAILS(INVALID, "context is null", zcmoe_model_load(NULL, path, &loaded));
  FAILS(INVALID, "path is null or empty", zcmoe_model_load(context, NULL, &loaded));
  FAILS(INVALID, "path is null or empty", zcmoe_model_load(context, "", &loaded));
  FAILS(INVALID, "model is null", zcmoe_model_load(context, path, NULL));
  FAILS(ZCMOE_ERR_IO, "cannot open 'no-such-file'",
        zcmoe_model_load(context, "no-such-file", &loaded));
  FAILS(ZCMOE_ERR_IO, "a folder", zcmoe_model_load(context, ".", &loaded));
  memory.left = 0;
  FAILS(ZCMOE_ERR_OUT_OF_MEMORY, "out of host memory", zcmoe_model_load(context, path, &loaded));
  memory.left = 1000;

  static unsigned char bytes[1 << 16];
  const size_t size = read_file(path, bytes, sizeof bytes);
  CHECK(size > 100 && size < sizeof bytes);
  write_file(changed, bytes, 4);
  FAILS(ZCMOE_ERR_FORMAT, "4 bytes are too few", zcmoe_model_load(context, changed, &loaded));
  write_file(changed, bytes, size - 1);
  FAILS(ZCMOE_ERR_FORMAT, changed, zcmoe_model_load(context, changed, &loaded));
  bytes[size - 1] ^= 1;
  write_file(changed, bytes, size);
  FAILS(ZCMOE_ERR_CHECKSUM, "does not match its checksum",
        zcmoe_model_load(context, changed, &loaded));
  bytes[size - 1] ^= 1;
  unsigned char* const version = find_text(bytes, size, "\"format_version\":\"1.");
  CHECK(version != NULL);
  if (version != NULL) {
    version[strlen("\"format_version\":\"")] = '3';
    write_file(changed, bytes, size);
    FAILS(ZCMOE_ERR_VERSION, "format version 3.", zcmoe_model_load(context, changed, &loaded));
  }
  CHECK(loaded == NULL);
  CHECK(remove(path) == 0);
  CHECK(remove(changed) == 0);
  OK(zcmoe_model_destroy(model));
  OK(zcmoe_context_destroy(context));
  CHECK(memory.live == 0);
}

/* ------------------------------------------------------------------ predict */

/* Both predicts have one contract; the name in the text tells which one answered. */
#define TEST_PREDICT(predict)                                                                     \
  static void test_##predict(void) {                                                              \
    zcmoe_context* const context = cpu_context(2, NULL);                                          \
    zcmoe_model* model = NULL;                                                                    \
    OK(zcmoe_model_create(context, edges3, constants3, 3, NULL, &model));                         \
    double x[] = {-5.0, 0.5, 1.0, 3.0, NAN, 0.0, 0.0, 0.0};                                       \
    double values[8];                                                                             \
    int32_t segments[8];                                                                          \
    double errors[8];                                                                             \
    double variances[8];                                                                          \
    int64_t counts[8];                                                                            \
    zcmoe_report report;                                                                          \
    memset(&report, 0, sizeof report);                                                            \
    zcmoe_predict_outputs all = ZCMOE_PREDICT_OUTPUTS_INIT;                                       \
    all.values = f64_output(values);                                                              \
    all.segments = (zcmoe_output){segments, ZCMOE_I32, 1};                                        \
    all.standard_errors = f64_output(errors);                                                     \
    all.variances = f64_output(variances);                                                        \
    all.counts = (zcmoe_output){counts, ZCMOE_I64, 1};                                            \
    all.report = &report;                                                                         \
    OK(predict(model, f64_array(x), 5, &all, NULL));                                              \
    CHECK(values[0] == 10.0 && values[1] == 10.0 && values[2] == 20.0 && values[3] == 30.0 &&     \
          isnan(values[4]));                                                                      \
    CHECK(segments[0] == 0 && segments[2] == 1 && segments[3] == 2 && segments[4] == -1);         \
    CHECK(counts[0] == 0 && isnan(variances[0]) && isnan(errors[0]));                             \
    CHECK(report.rows == 5 && report.rows_used == 4 && report.nan_inputs == 1 &&                  \
          report.below_range == 1);                                                               \
    OK(predict(model, no_array(), 0, &all, NULL));                                                \
                                                                                                  \
    FAILS(INVALID, "model is null", predict(NULL, f64_array(x), 5, &all, NULL));                  \
    FAILS(INVALID, "outputs is null", predict(model, f64_array(x), 5, NULL, NULL));               \
    FAILS(INVALID, "n=-1; expected n >= 0", predict(model, f64_array(x), -1, &all, NULL));        \
    FAILS(INVALID, "expected at most 144115188075855871",                                         \
          predict(model, f64_array(x), INT64_MAX, &all, NULL));                                   \
    FAILS(INVALID, "x.data is null", predict(model, no_array(), 5, &all, NULL));                  \
    FAILS(INVALID, "is not aligned to its 8-byte type",                                           \
          predict(model, f64_array(misaligned(x)), 5, &all, NULL));                               \
    zcmoe_array bad = f64_array(x);                                                               \
    bad.dtype = 13;                                                                               \
    FAILS(INVALID, "x.dtype=13 is not a type of inputs", predict(model, bad, 5, &all, NULL));     \
    bad.dtype = 0;                                                                                \
    FAILS(INVALID, "x.dtype=0", predict(model, bad, 5, &all, NULL));                              \
    bad = f64_array(x);                                                                           \
    bad.stride = INT64_MAX / 4;                                                                   \
    FAILS(INVALID, "x.stride=", predict(model, bad, 5, &all, NULL));                              \
    struct {                                                                                      \
      zcmoe_output* output;                                                                       \
      zcmoe_output value;                                                                         \
      const char* text;                                                                           \
    } refused[] = {                                                                               \
        {&all.values, {values, ZCMOE_I32, 1}, "outputs->values.dtype=9 is not F32 or F64"},       \
        {&all.values, {values, ZCMOE_F64, 0}, "outputs->values.stride=0 with n=5"},               \
        {&all.values, {misaligned(values), ZCMOE_F64, 1}, "outputs->values.data="},               \
        {&all.values, {x + 1, ZCMOE_F64, 1}, "outputs->values overlaps x"},                       \
        {&all.values,                                                                             \
         {errors, ZCMOE_F64, 1},                                                                  \
         "outputs->values overlaps outputs->standard_errors"},                                    \
        {&all.segments, {segments, ZCMOE_F32, 1}, "outputs->segments.dtype=1 is not I32 or I64"}, \
        {&all.standard_errors, {errors, ZCMOE_I64, 1}, "outputs->standard_errors.dtype=11"},      \
        {&all.variances, {variances, 0, 1}, "outputs->variances.dtype=0"},                        \
        {&all.counts, {counts, ZCMOE_I32, 1}, "outputs->counts.dtype=9 is not I64"},              \
    };                                                                                            \
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; ++i) {                             \
      const zcmoe_output kept = *refused[i].output;                                               \
      *refused[i].output = refused[i].value;                                                      \
      FAILS(INVALID, refused[i].text, predict(model, f64_array(x), 5, &all, NULL));               \
      *refused[i].output = kept;                                                                  \
    }                                                                                             \
    all.report = misaligned(&report);                                                             \
    FAILS(INVALID, "is not aligned to 8 bytes", predict(model, f64_array(x), 5, &all, NULL));     \
    all.report = NULL;                                                                            \
    all.struct_size = 3;                                                                          \
    FAILS(INVALID, "outputs->struct_size=3", predict(model, f64_array(x), 5, &all, NULL));        \
                                                                                                  \
    zcmoe_predict_outputs in_place = ZCMOE_PREDICT_OUTPUTS_INIT;                                  \
    in_place.values = f64_output(x);                                                              \
    OK(predict(model, f64_array(x), 5, &in_place, NULL));                                         \
    CHECK(x[0] == 10.0 && x[2] == 20.0 && isnan(x[4]));                                           \
    OK(zcmoe_model_destroy(model));                                                               \
    OK(zcmoe_context_destroy(context));                                                           \
  }
TEST_PREDICT(zcmoe_predict)
TEST_PREDICT(zcmoe_predict_sync)

/* -------------------------------------------------------------------- group */

#define TEST_GROUP(name, ...)                                                                    \
  static void test_##name(void) {                                                                \
    zcmoe_context* const context = cpu_context(2, NULL);                                         \
    zcmoe_model* model = NULL;                                                                   \
    OK(zcmoe_model_create(context, edges3, constants3, 3, NULL, &model));                        \
    double x[] = {2.5, NAN, 0.5, 2.5, -5.0, 1.5};                                                \
    double moved[6];                                                                             \
    int64_t offsets[7] = {-1, -1, -1, -1, -1, -1, -1};                                           \
    int32_t rows[6];                                                                             \
    zcmoe_group_column column = {f64_array(x), f64_output(moved)};                               \
    zcmoe_group_outputs all = ZCMOE_GROUP_OUTPUTS_INIT;                                          \
    all.offsets = (zcmoe_output){offsets, ZCMOE_I64, 1};                                         \
    all.rows = (zcmoe_output){rows, ZCMOE_I32, 1};                                               \
    all.num_columns = 1;                                                                         \
    all.columns = &column;                                                                       \
    OK(name(model, f64_array(x), 6, &all, __VA_ARGS__));                                         \
    CHECK(offsets[0] == 0 && offsets[1] == 2 && offsets[2] == 3 && offsets[3] == 5 &&            \
          offsets[4] == 6 && offsets[5] == 6 && offsets[6] == 6);                                \
    CHECK(rows[0] == 2 && rows[1] == 4 && rows[2] == 5 && rows[3] == 0 && rows[4] == 3 &&        \
          rows[5] == 1);                                                                         \
    CHECK(moved[1] == -5.0 && moved[2] == 1.5 && isnan(moved[5]));                               \
    OK(name(model, no_array(), 0, &all, __VA_ARGS__));                                           \
    CHECK(offsets[1] == 0 && offsets[6] == 0);                                                   \
                                                                                                 \
    FAILS(INVALID, "model is null", name(NULL, f64_array(x), 6, &all, __VA_ARGS__));             \
    FAILS(INVALID, "outputs is null", name(model, f64_array(x), 6, NULL, __VA_ARGS__));          \
    FAILS(INVALID, "n=-1; expected n >= 0", name(model, f64_array(x), -1, &all, __VA_ARGS__));   \
    FAILS(INVALID, "x.data is null", name(model, no_array(), 6, &all, __VA_ARGS__));             \
    struct {                                                                                     \
      zcmoe_output* output;                                                                      \
      zcmoe_output value;                                                                        \
      const char* text;                                                                          \
    } refused[] = {                                                                              \
        {&all.offsets, {offsets, ZCMOE_I32, 1}, "outputs->offsets.dtype=9 is not I64"},          \
        {&all.offsets, {offsets, ZCMOE_I64, 0}, "outputs->offsets.stride=0 with n=7"},           \
        {&all.offsets, {x, ZCMOE_I64, 1}, "outputs->offsets overlaps x"},                        \
        {&all.rows, {rows, ZCMOE_F32, 1}, "outputs->rows.dtype=1 is not I32 or I64"},            \
        {&all.rows, {offsets, ZCMOE_I64, 1}, "outputs->offsets overlaps outputs->rows"},         \
        {&all.rows, {misaligned(rows), ZCMOE_I32, 1}, "outputs->rows.data="},                    \
        {&column.to, {x, ZCMOE_F64, 1}, "outputs->columns[0].to overlaps x"},                    \
        {&column.to,                                                                             \
         {moved, ZCMOE_F32, 1},                                                                  \
         "outputs->columns[0].to.dtype=1 is not the dtype of its source"},                       \
        {&column.to, {NULL, ZCMOE_F64, 1}, "outputs->columns[0].to.data is null"},               \
        {&column.to, {moved, ZCMOE_F64, 0}, "outputs->columns[0].to.stride=0"},                  \
    };                                                                                           \
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; ++i) {                            \
      const zcmoe_output kept = *refused[i].output;                                              \
      *refused[i].output = refused[i].value;                                                     \
      FAILS(INVALID, refused[i].text, name(model, f64_array(x), 6, &all, __VA_ARGS__));          \
      *refused[i].output = kept;                                                                 \
    }                                                                                            \
    column.from.dtype = 13;                                                                      \
    FAILS(INVALID, "columns[0].from.dtype=13", name(model, f64_array(x), 6, &all, __VA_ARGS__)); \
    column.from = no_array();                                                                    \
    FAILS(INVALID, "columns[0].from.data is null",                                               \
          name(model, f64_array(x), 6, &all, __VA_ARGS__));                                      \
    all.num_columns = 17;                                                                        \
    FAILS(INVALID, "num_columns=17 is not in 0..16",                                             \
          name(model, f64_array(x), 6, &all, __VA_ARGS__));                                      \
    all.num_columns = 1;                                                                         \
    all.columns = NULL;                                                                          \
    FAILS(INVALID, "outputs->columns is null", name(model, f64_array(x), 6, &all, __VA_ARGS__)); \
    all.struct_size = 3;                                                                         \
    FAILS(INVALID, "outputs->struct_size=3", name(model, f64_array(x), 6, &all, __VA_ARGS__));   \
    OK(zcmoe_model_destroy(model));                                                              \
    OK(zcmoe_context_destroy(context));                                                          \
  }
TEST_GROUP(zcmoe_group, NULL, 0, NULL)
TEST_GROUP(zcmoe_group_sync, NULL)

static void test_group_memory(void) {
  struct allowance memory = {1000, 0};
  zcmoe_context* const context = cpu_context(2, &memory);
  zcmoe_model* model = NULL;
  OK(zcmoe_model_create(context, edges3, constants3, 3, NULL, &model));
  size_t bytes = 1;
  OK(zcmoe_group_workspace(model, 1000, &bytes));
  CHECK(bytes == 0);
  FAILS(INVALID, "model is null", zcmoe_group_workspace(NULL, 1000, &bytes));
  FAILS(INVALID, "bytes is null", zcmoe_group_workspace(model, 1000, NULL));
  FAILS(INVALID, "n=-1; expected n >= 0", zcmoe_group_workspace(model, -1, &bytes));
  double x[4] = {0.5, 1.5, 0.5, 2.5};
  int64_t rows[4] = {-1, -1, -1, -1};
  zcmoe_group_outputs outputs = ZCMOE_GROUP_OUTPUTS_INIT;
  outputs.rows = (zcmoe_output){rows, ZCMOE_I64, 1};
  memory.left = 1;
  FAILS(ZCMOE_ERR_OUT_OF_MEMORY, "out of host memory",
        zcmoe_group(model, f64_array(x), 4, &outputs, NULL, 0, NULL));
  CHECK(rows[0] == -1 && rows[3] == -1);
  memory.left = 1000;
  FAILS(INVALID, "is not aligned to 256 bytes",
        zcmoe_group(model, f64_array(x), 4, &outputs, misaligned(x), 8, NULL));
  outputs.rows.dtype = ZCMOE_I32;
  FAILS(INVALID, "outputs->rows.dtype is I32, but n=2147483648",
        zcmoe_group(model, (zcmoe_array){x, ZCMOE_F64, 0}, (int64_t)1 << 31, &outputs, NULL, 0,
                    NULL));
  outputs.rows.dtype = ZCMOE_I64;
  OK(zcmoe_group(model, f64_array(x), 4, &outputs, NULL, 0, NULL));
  CHECK(rows[0] == 0 && rows[1] == 2 && rows[2] == 1 && rows[3] == 3);
  OK(zcmoe_model_destroy(model));
  OK(zcmoe_context_destroy(context));
  CHECK(memory.live == 0);
}

/* ---------------------------------------------------------------------- fit */

static void test_fit_create(void) {
  struct allowance memory = {1000, 0};
  zcmoe_context* const context = cpu_context(1, &memory);
  zcmoe_fit* fit = NULL;
  FAILS(INVALID, "context is null", zcmoe_fit_create(NULL, edges3, 3, NULL, NULL, &fit));
  FAILS(INVALID, "fit is null", zcmoe_fit_create(context, edges3, 3, NULL, NULL, NULL));
  FAILS(INVALID, "edges is null", zcmoe_fit_create(context, NULL, 3, NULL, NULL, &fit));
  FAILS(INVALID, "num_segments=0", zcmoe_fit_create(context, edges3, 0, NULL, NULL, &fit));
  const double not_finite[] = {0.0, NAN};
  FAILS(INVALID, "edges[1]=nan is not finite",
        zcmoe_fit_create(context, not_finite, 1, NULL, NULL, &fit));
  zcmoe_model_options model_options = ZCMOE_MODEL_OPTIONS_INIT;
  model_options.range_policy = 9;
  FAILS(INVALID, "range_policy=9",
        zcmoe_fit_create(context, edges3, 3, &model_options, NULL, &fit));
  zcmoe_model_options of_lines = line_options();
  of_lines.experts = -1;
  FAILS(INVALID, "experts=-1 is not in 0..2",
        zcmoe_fit_create(context, edges3, 3, &of_lines, NULL, &fit));
  of_lines = line_options();
  of_lines.shrinkage = 1.0;
  FAILS(INVALID, "nor shrinkage", zcmoe_fit_create(context, edges3, 3, &of_lines, NULL, &fit));
  of_lines = line_options();
  static const struct {
    zcmoe_fit_options options;
    const char* text;
  } refused[] = {
      {{7, ZCMOE_F64, 0, 0, 0, 1, 0}, "fit_options->struct_size=7"},
      {{sizeof(zcmoe_fit_options), ZCMOE_F16, 0, 0, 0, 1, 0},
       "target_dtype=3 is neither ZCMOE_F32 nor ZCMOE_F64"},
      {{sizeof(zcmoe_fit_options), ZCMOE_F64, 2, 0, 0, 1, 0}, "weighted=2 is neither 0 nor 1"},
      {{sizeof(zcmoe_fit_options), ZCMOE_F64, 0, 2, 0, 1, 0},
       "nan_inputs=2 is not a ZCMOE_ROWS_ value"},
      {{sizeof(zcmoe_fit_options), ZCMOE_F64, 0, 0, -1, 1, 0},
       "nonfinite_targets=-1 is not a ZCMOE_ROWS_ value"},
      {{sizeof(zcmoe_fit_options), ZCMOE_F64, 0, 0, 0, 3, 0},
       "determinism=3 is not a ZCMOE_DETERMINISM_ value"},
      {{sizeof(zcmoe_fit_options), ZCMOE_F64, 0, 0, 0, 1, 1}, "reserved=1 is not 0"},
  };
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; ++i) {
    FAILS(INVALID, refused[i].text,
          zcmoe_fit_create(context, edges3, 3, NULL, &refused[i].options, &fit));
  }
  for (int left = 0; left < 2; ++left) { /* each allocation of the two */
    memory.left = left;
    FAILS(ZCMOE_ERR_OUT_OF_MEMORY, "out of host memory",
          zcmoe_fit_create(context, edges3, 3, NULL, NULL, &fit));
    CHECK(fit == NULL && memory.live == 0);
  }
  for (int left = 0; left < 3; ++left) { /* with lines there is one more */
    memory.left = left;
    FAILS(ZCMOE_ERR_OUT_OF_MEMORY, "out of host memory",
          zcmoe_fit_create(context, edges3, 3, &of_lines, NULL, &fit));
    CHECK(fit == NULL && memory.live == 0);
  }
  memory.left = 1000;
  OK(zcmoe_fit_create(context, edges3, 3, NULL, NULL, &fit));
  size_t workspace = 99;
  OK(zcmoe_fit_workspace(fit, 1000, &workspace));
  CHECK(workspace == 0);
  FAILS(INVALID, "fit is null", zcmoe_fit_workspace(NULL, 1000, &workspace));
  FAILS(INVALID, "bytes is null", zcmoe_fit_workspace(fit, 1000, NULL));
  FAILS(INVALID, "n=-7; expected n >= 0", zcmoe_fit_workspace(fit, -7, &workspace));
  OK(zcmoe_fit_destroy(fit));
  OK(zcmoe_fit_destroy(NULL));
  OK(zcmoe_context_destroy(context));
  CHECK(memory.live == 0);
}

static void test_fit_add(void) {
  zcmoe_context* const context = cpu_context(1, NULL);
  zcmoe_fit* const fit = new_fit(context, NULL);
  double x[] = {0.5, 0.25, 1.5, NAN, 9.0};
  double y[] = {1.0, 2.0, 3.0, 4.0, INFINITY};
  const double weights[] = {1.0, 1.0, 1.0, 1.0, 1.0};
  void* const workspace = aligned_alloc(256, 256);
  OK(zcmoe_fit_add(fit, f64_array(x), f64_array(y), no_array(), 5, workspace, 256, NULL));
  OK(zcmoe_fit_add(fit, no_array(), no_array(), no_array(), 0, NULL, 0, NULL));
  OK(zcmoe_fit_add_sync(fit, f64_array(x), f64_array(y), no_array(), 5, NULL));
  OK(zcmoe_fit_add_sync(fit, no_array(), no_array(), no_array(), 0, NULL));

  zcmoe_report report;
  OK(zcmoe_fit_get_report(fit, &report, NULL));
  CHECK(report.rows == 10 && report.rows_used == 6 && report.nan_inputs == 2 &&
        report.infinite_targets == 2);
  CHECK(report.above_range == 2 && report.first_bad_row == -1);
  FAILS(INVALID, "fit is null", zcmoe_fit_get_report(NULL, &report, NULL));
  FAILS(INVALID, "report is null", zcmoe_fit_get_report(fit, NULL, NULL));

  FAILS(INVALID, "is not aligned to 256 bytes",
        zcmoe_fit_add(fit, f64_array(x), f64_array(y), no_array(), 5, misaligned(workspace), 255,
                      NULL));
  free(workspace);
#define REFUSED_ADD(text, fit, x, y, weights, n)                               \
  do {                                                                         \
    FAILS(INVALID, text, zcmoe_fit_add(fit, x, y, weights, n, NULL, 0, NULL)); \
    FAILS(INVALID, text, zcmoe_fit_add_sync(fit, x, y, weights, n, NULL));     \
  } while (0)
  REFUSED_ADD("fit is null", NULL, f64_array(x), f64_array(y), no_array(), 5);
  REFUSED_ADD("n=-1; expected n >= 0", fit, f64_array(x), f64_array(y), no_array(), -1);
  REFUSED_ADD("x.data is null", fit, no_array(), f64_array(y), no_array(), 5);
  REFUSED_ADD("y.data is null", fit, f64_array(x), no_array(), no_array(), 5);
  REFUSED_ADD("x.data=", fit, f64_array(misaligned(x)), f64_array(y), no_array(), 5);
  REFUSED_ADD("weighted = 0", fit, f64_array(x), f64_array(y), f64_array(weights), 5);
  zcmoe_array integers = f64_array(y);
  integers.dtype = ZCMOE_I32;
  REFUSED_ADD("y.dtype=9 is not a float type", fit, f64_array(x), integers, no_array(), 5);
  zcmoe_array far = f64_array(y);
  far.stride = INT64_MIN;
  REFUSED_ADD("y.stride=", fit, f64_array(x), far, no_array(), 5);

  zcmoe_fit_options options = ZCMOE_FIT_OPTIONS_INIT;
  options.target_dtype = ZCMOE_F32;
  zcmoe_fit* const narrow = new_fit(context, &options);
  REFUSED_ADD("y.dtype is F64, but the fit's target_dtype is F32", narrow, f64_array(x),
              f64_array(y), no_array(), 5);
  OK(zcmoe_fit_destroy(narrow));

  zcmoe_fit_options weighted = ZCMOE_FIT_OPTIONS_INIT;
  weighted.weighted = 1;
  zcmoe_fit* const with_weights = new_fit(context, &weighted);
  REFUSED_ADD("weights.data is null", with_weights, f64_array(x), f64_array(y), no_array(), 5);
  OK(zcmoe_fit_add(with_weights, f64_array(x), f64_array(y), f64_array(weights), 5, NULL, 0, NULL));
  const double bad_weights[] = {1.0, 0.0, -2.0, 1.0, 1.0};
  FAILS(ZCMOE_ERR_DATA, "row 2 is refused: x[2]=1.5, y[2]=3, weights[2]=-2",
        zcmoe_fit_add(with_weights, f64_array(x), f64_array(y), f64_array(bad_weights), 5, NULL, 0,
                      NULL));
  OK(zcmoe_fit_get_report(with_weights, &report, NULL));
  CHECK(report.rows == 5); /* the refused call added nothing */
  OK(zcmoe_fit_destroy(with_weights));

  zcmoe_fit_options strict = ZCMOE_FIT_OPTIONS_INIT;
  strict.nan_inputs = ZCMOE_ROWS_ERROR;
  strict.nonfinite_targets = ZCMOE_ROWS_ERROR;
  zcmoe_fit* const strict_fit = new_fit(context, &strict);
  FAILS(ZCMOE_ERR_DATA, "row 3 is refused: x[3]=nan",
        zcmoe_fit_add_sync(strict_fit, f64_array(x), f64_array(y), no_array(), 5, NULL));
  FAILS(ZCMOE_ERR_DATA, "row 0 is refused: x[0]=9, y[0]=inf",
        zcmoe_fit_add_sync(strict_fit, f64_array(x + 4), f64_array(y + 4), no_array(), 1, NULL));
  OK(zcmoe_fit_destroy(strict_fit));

  zcmoe_model* model = NULL;
  OK(zcmoe_fit_finish(fit, &model, NULL));
  zcmoe_model_info info;
  memset(&info, 0, sizeof info);
  info.struct_size = sizeof info;
  OK(zcmoe_model_get_info(model, &info));
  CHECK(info.num_rows == 6 && info.counts[0] == 4 && info.constants[0] == 1.5 &&
        info.constants[1] == 3.0);
  CHECK(info.num_empty == 1 && info.constants[2] == 3.0);
  FAILS(INVALID, "fit is null", zcmoe_fit_finish(NULL, &model, NULL));
  FAILS(INVALID, "model is null", zcmoe_fit_finish(fit, NULL, NULL));
  OK(zcmoe_model_destroy(model));
  OK(zcmoe_fit_destroy(fit));
  OK(zcmoe_context_destroy(context));
}

/* A second thread's sums need memory of their own; if there is none, the fit stays as it was. */
static void test_fit_out_of_memory(void) {
  enum { n = 300000 };
  struct allowance memory = {1000, 0};
  zcmoe_context* const context = cpu_context(2, &memory);
  zcmoe_fit* const fit = new_fit(context, NULL);
  double* const rows = calloc(n, sizeof *rows);
  CHECK(rows != NULL);
  memory.left = 0;
  FAILS(ZCMOE_ERR_OUT_OF_MEMORY, "out of host memory",
        zcmoe_fit_add(fit, f64_array(rows), f64_array(rows), no_array(), n, NULL, 0, NULL));
  zcmoe_report report;
  OK(zcmoe_fit_get_report(fit, &report, NULL));
  CHECK(report.rows == 0);
  zcmoe_model* model = NULL;
  FAILS(ZCMOE_ERR_OUT_OF_MEMORY, "out of host memory", zcmoe_fit_finish(fit, &model, NULL));
  CHECK(model == NULL);
  memory.left = 1000;
  OK(zcmoe_fit_add(fit, f64_array(rows), f64_array(rows), no_array(), n, NULL, 0, NULL));
  OK(zcmoe_fit_get_report(fit, &report, NULL));
  CHECK(report.rows == n);
  free(rows);
  OK(zcmoe_fit_destroy(fit));
  OK(zcmoe_context_destroy(context));
  CHECK(memory.live == 0);
}

static void test_fit_merge(void) {
  zcmoe_context* const context = cpu_context(1, NULL);
  zcmoe_fit* const fit = new_fit(context, NULL);
  zcmoe_fit* const same = new_fit(context, NULL);
  OK(zcmoe_fit_merge(fit, same, NULL));
  FAILS(INVALID, "fit is null", zcmoe_fit_merge(NULL, same, NULL));
  FAILS(INVALID, "source is null", zcmoe_fit_merge(fit, NULL, NULL));

  zcmoe_fit* other = NULL;
  OK(zcmoe_fit_create(context, edges3, 2, NULL, NULL, &other));
  FAILS(ZCMOE_ERR_INCOMPATIBLE, "source has 2 segments, fit has 3",
        zcmoe_fit_merge(fit, other, NULL));
  OK(zcmoe_fit_destroy(other));
  const double shifted[] = {0.0, 1.5, 2.0, 4.0};
  OK(zcmoe_fit_create(context, shifted, 3, NULL, NULL, &other));
  FAILS(ZCMOE_ERR_INCOMPATIBLE, "source edges[1]=1.5, fit edges[1]=1",
        zcmoe_fit_merge(fit, other, NULL));
  OK(zcmoe_fit_destroy(other));
  zcmoe_fit_options options = ZCMOE_FIT_OPTIONS_INIT;
  options.target_dtype = ZCMOE_F32;
  other = new_fit(context, &options);
  FAILS(ZCMOE_ERR_INCOMPATIBLE, "source target_dtype=F32, fit target_dtype=F64",
        zcmoe_fit_merge(fit, other, NULL));
  OK(zcmoe_fit_destroy(other));
  options.target_dtype = ZCMOE_F64;
  options.weighted = 1;
  other = new_fit(context, &options);
  FAILS(ZCMOE_ERR_INCOMPATIBLE, "source weighted=1, fit weighted=0",
        zcmoe_fit_merge(fit, other, NULL));
  OK(zcmoe_fit_destroy(other));
  zcmoe_model_options policies = ZCMOE_MODEL_OPTIONS_INIT;
  policies.closed_side = ZCMOE_CLOSED_RIGHT;
  OK(zcmoe_fit_create(context, edges3, 3, &policies, NULL, &other));
  FAILS(ZCMOE_ERR_INCOMPATIBLE, "closed_side", zcmoe_fit_merge(fit, other, NULL));
  OK(zcmoe_fit_destroy(other));
  OK(zcmoe_fit_destroy(same));
  OK(zcmoe_fit_destroy(fit));
  OK(zcmoe_context_destroy(context));
}

static void test_fit_serialize(void) {
  struct allowance memory = {1000, 0};
  zcmoe_context* const context = cpu_context(1, &memory);
  zcmoe_fit* const fit = new_fit(context, NULL);
  const double x[] = {0.5, 1.5, 3.0};
  OK(zcmoe_fit_add(fit, f64_array(x), f64_array(x), no_array(), 3, NULL, 0, NULL));
  size_t size = 0;
  OK(zcmoe_fit_serialize(fit, NULL, 0, &size, NULL));
  CHECK(size > 0);
  unsigned char* const bytes = malloc(size);
  unsigned char* const again = malloc(size);
  size_t needed = 0;
  FAILS(ZCMOE_ERR_WORKSPACE, "is less than the",
        zcmoe_fit_serialize(fit, bytes, size - 1, &needed, NULL));
  CHECK(needed == size);
  OK(zcmoe_fit_serialize(fit, bytes, size, &needed, NULL));
  FAILS(INVALID, "fit is null", zcmoe_fit_serialize(NULL, bytes, size, &needed, NULL));
  FAILS(INVALID, "bytes is null", zcmoe_fit_serialize(fit, bytes, size, NULL, NULL));

  zcmoe_fit* back = NULL;
  OK(zcmoe_fit_deserialize(context, bytes, size, &back));
  OK(zcmoe_fit_serialize(back, again, size, &needed, NULL));
  CHECK(needed == size && memcmp(bytes, again, size) == 0);
  OK(zcmoe_fit_destroy(back));
  back = NULL;
  FAILS(INVALID, "context is null", zcmoe_fit_deserialize(NULL, bytes, size, &back));
  FAILS(INVALID, "buffer is null", zcmoe_fit_deserialize(context, NULL, size, &back));
  FAILS(INVALID, "fit is null", zcmoe_fit_deserialize(context, bytes, size, NULL));
  memory.left = 0;
  FAILS(ZCMOE_ERR_OUT_OF_MEMORY, "out of host memory",
        zcmoe_fit_deserialize(context, bytes, size, &back));
  memory.left = 1000;
  FAILS(ZCMOE_ERR_FORMAT, "0 bytes are too few", zcmoe_fit_deserialize(context, bytes, 0, &back));
  FAILS(ZCMOE_ERR_FORMAT, "lie outside the",
        zcmoe_fit_deserialize(context, bytes, size - 1, &back));
  bytes[size - 1] ^= 1;
  FAILS(ZCMOE_ERR_CHECKSUM, "does not match its checksum",
        zcmoe_fit_deserialize(context, bytes, size, &back));
  bytes[size - 1] ^= 1;
  unsigned char* const version = find_text(bytes, size, "\"format_version\":\"1.");
  CHECK(version != NULL);
  if (version != NULL) {
    version[strlen("\"format_version\":\"")] = '3';
    FAILS(ZCMOE_ERR_VERSION, "format version 3.",
          zcmoe_fit_deserialize(context, bytes, size, &back));
  }
  CHECK(back == NULL);
  free(bytes);
  free(again);
  OK(zcmoe_fit_destroy(fit));
  OK(zcmoe_context_destroy(context));
  CHECK(memory.live == 0);
}

/* -------------------------------------------------------------------- plan */

static void test_plan(void) {
  struct allowance memory = {1000, 0};
  zcmoe_context* const context = cpu_context(1, &memory);
  enum { n = 400 };
  double x[n], y[n], weights[n];
  for (int i = 0; i < n; ++i) {
    x[i] = i / (double)n;
    y[i] = x[i] * x[i] + 0.1 * ((i * 7919) % 13 - 6) / 6.0;
    weights[i] = 1.0;
  }
  const zcmoe_array xs = f64_array(x), ys = f64_array(y), none = no_array();
  zcmoe_plan_result plan;
  plan.struct_size = sizeof plan;
  OK(zcmoe_plan(context, xs, ys, none, n, NULL, NULL, &plan));
  CHECK(plan.rows == n && plan.rows_used == n && plan.fit_rows == n);
  CHECK(plan.lo == 0.0 && plan.hi == x[n - 1]);
  CHECK(plan.noise > 0.001 && plan.noise < 0.01);
  for (int k = 0; k < ZCMOE_PLAN_SEGMENTATIONS; ++k) {
    CHECK(plan.candidates[k].segmentation == k);
    CHECK(plan.candidates[k].num_segments >= 3 && plan.candidates[k].num_segments <= 30);
  }
  CHECK(memory.live == 0);
  /* An earlier struct gets the part it knows, and not a byte more. */
  zcmoe_plan_result earlier;
  memset(&earlier, 0x5a, sizeof earlier);
  earlier.struct_size = offsetof(zcmoe_plan_result, fit_rows);
  OK(zcmoe_plan(context, xs, ys, f64_array(weights), n, NULL, NULL, &earlier));
  CHECK(earlier.rows_used == n && earlier.fit_rows == 0x5a5a5a5a5a5a5a5a);

  FAILS(INVALID, "context is null", zcmoe_plan(NULL, xs, ys, none, n, NULL, NULL, &plan));
  FAILS(INVALID, "result is null", zcmoe_plan(context, xs, ys, none, n, NULL, NULL, NULL));
  FAILS(INVALID, "n=-1", zcmoe_plan(context, xs, ys, none, -1, NULL, NULL, &plan));
  FAILS(INVALID, "x.data is null", zcmoe_plan(context, none, ys, none, n, NULL, NULL, &plan));
  FAILS(INVALID, "y.data is null", zcmoe_plan(context, xs, none, none, n, NULL, NULL, &plan));
  FAILS(INVALID, "weights.data=",
        zcmoe_plan(context, xs, ys, f64_array(misaligned(weights)), n, NULL, NULL, &plan));
  plan.struct_size = 3;
  FAILS(INVALID, "result->struct_size=3", zcmoe_plan(context, xs, ys, none, n, NULL, NULL, &plan));
  plan.struct_size = sizeof plan;
  zcmoe_model_options model_options = ZCMOE_MODEL_OPTIONS_INIT;
  model_options.empty_policy = 9;
  FAILS(INVALID, "empty_policy=9",
        zcmoe_plan(context, xs, ys, none, n, &model_options, NULL, &plan));
  static const struct {
    zcmoe_plan_options options;
    const char* text;
  } refused[] = {
      {{5, 0, 64, 0.2, 0, 0, 0.1, 0.02, 5, 0, 1}, "options->struct_size=5"},
      {{sizeof(zcmoe_plan_options), -1, 64, 0.2, 0, 0, 0.1, 0.02, 5, 0, 1}, "options->fit_rows=-1"},
      {{sizeof(zcmoe_plan_options), 0, 0, 0.2, 0, 0, 0.1, 0.02, 5, 0, 1},
       "options->max_segments=0"},
      {{sizeof(zcmoe_plan_options), 0, 64, 0.75, 0, 0, 0.1, 0.02, 5, 0, 1},
       "options->holdout=0.75"},
      {{sizeof(zcmoe_plan_options), 0, 64, 0.2, INFINITY, 0, 0.1, 0.02, 5, 0, 1},
       "options->lo=inf"},
      {{sizeof(zcmoe_plan_options), 0, 64, 0.2, 0, NAN, 0.1, 0.02, 5, 0, 1}, "options->hi=nan"},
      {{sizeof(zcmoe_plan_options), 0, 64, 0.2, 2, 1, 0.1, 0.02, 5, 0, 1}, "options->lo=2"},
      {{sizeof(zcmoe_plan_options), 0, 64, 0.2, 0, 0, 2, 0.02, 5, 0, 1},
       "options->uniform_mixture=2"},
      {{sizeof(zcmoe_plan_options), 0, 64, 0.2, 0, 0, 0.1, -1, 5, 0, 1}, "options->floor=-1"},
      {{sizeof(zcmoe_plan_options), 0, 64, 0.2, 0, 0, 0.1, 0.02, NAN, 0, 1},
       "options->min_count=nan"},
      {{sizeof(zcmoe_plan_options), 0, 64, 0.2, 0, 0, 0.1, 0.02, 5, -2, 1},
       "options->pilot_bins=-2"},
      {{sizeof(zcmoe_plan_options), 0, 64, 0.2, 0, 0, 0.1, 0.02, 5, 0, 2}, "options->lines=2"},
  };
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; ++i) {
    FAILS(INVALID, refused[i].text,
          zcmoe_plan(context, xs, ys, none, n, NULL, &refused[i].options, &plan));
  }
  FAILS(ZCMOE_ERR_DATA, "among n=0 rows", zcmoe_plan(context, xs, ys, none, 0, NULL, NULL, &plan));
  weights[5] = NAN;
  FAILS(ZCMOE_ERR_DATA, "weights[5]=nan",
        zcmoe_plan(context, xs, ys, f64_array(weights), n, NULL, NULL, &plan));
  memory.left = 3;
  FAILS(ZCMOE_ERR_OUT_OF_MEMORY, "out of host memory",
        zcmoe_plan(context, xs, ys, none, n, NULL, NULL, &plan));
  memory.left = 1000;
  CHECK(memory.live == 0);

  const double edges[] = {0.0, 0.5, 1.0}, constants[] = {1.0, 2.0};
  zcmoe_model *known = NULL, *model = NULL;
  zcmoe_fit* fit = NULL;
  OK(zcmoe_model_create(context, edges, constants, 2, NULL, &known));
  OK(zcmoe_fit_create(context, edges, 2, NULL, NULL, &fit));
  OK(zcmoe_fit_add_sync(fit, xs, ys, none, n, NULL));
  OK(zcmoe_fit_finish(fit, &model, NULL));
  zcmoe_model_diagnosis diagnosis;
  diagnosis.struct_size = sizeof diagnosis;
  double approximation[2], estimation[2], lower[5], upper[5];
  const zcmoe_diagnosis_segments segments = {approximation, estimation};
  OK(zcmoe_model_diagnose(model, NULL, &diagnosis));
  OK(zcmoe_model_diagnose(model, &segments, &diagnosis));
  CHECK(diagnosis.num_rows == n && diagnosis.num_segments == 2 && diagnosis.num_starved == 0);
  CHECK(approximation[0] + approximation[1] < diagnosis.approximation + 1e-15);
  CHECK(fabs(estimation[0] + estimation[1] - diagnosis.estimation) < 1e-15);
  CHECK(diagnosis.leave_one_out > 0.01 && diagnosis.leave_one_out < 0.2);
  FAILS(INVALID, "model is null", zcmoe_model_diagnose(NULL, NULL, &diagnosis));
  FAILS(INVALID, "diagnosis is null", zcmoe_model_diagnose(model, NULL, NULL));
  FAILS(ZCMOE_ERR_DATA, "none of the 2 segments", zcmoe_model_diagnose(known, NULL, &diagnosis));
  diagnosis.struct_size = 2;
  FAILS(INVALID, "diagnosis->struct_size=2", zcmoe_model_diagnose(model, NULL, &diagnosis));
  OK(zcmoe_model_intervals(model, 0.95, lower, upper));
  CHECK(lower[0] < upper[0] && lower[1] > upper[0] && isnan(lower[2]));
  OK(zcmoe_model_intervals(known, 0.95, lower, upper));
  CHECK(isnan(lower[0]) && isnan(upper[4]));
  FAILS(INVALID, "model is null", zcmoe_model_intervals(NULL, 0.95, lower, upper));
  FAILS(INVALID, "confidence=0", zcmoe_model_intervals(model, 0.0, lower, upper));
  FAILS(INVALID, "confidence=nan", zcmoe_model_intervals(model, NAN, lower, upper));
  FAILS(INVALID, "lower is null", zcmoe_model_intervals(model, 0.95, NULL, upper));
  FAILS(INVALID, "upper is null", zcmoe_model_intervals(model, 0.95, lower, NULL));
  OK(zcmoe_model_destroy(known));
  OK(zcmoe_model_destroy(model));
  OK(zcmoe_fit_destroy(fit));
  OK(zcmoe_context_destroy(context));
}

int main(void) {
  test_text();
  test_context();
  test_segment_uniform_and_check();
  test_segment_quantile();
  test_segment_optimal();
  test_segment_density();
  test_segment_optimal_from_data();
  test_segment_compander_from_data();
  test_optimal_constants();
  test_model_create();
  test_model_create_lines();
  test_model_interpolate();
  test_model_file();
  test_zcmoe_predict();
  test_zcmoe_predict_sync();
  test_zcmoe_group();
  test_zcmoe_group_sync();
  test_group_memory();
  test_fit_create();
  test_fit_add();
  test_fit_out_of_memory();
  test_fit_merge();
  test_fit_serialize();
  test_plan();
  int unseen = 0;
  for (int i = 0; i < num_pairs; ++i) {
    if (pairs[i].seen) continue;
    ++unseen;
    printf("%s never answered %s\n", pairs[i].function, zcmoe_status_string(pairs[i].status));
  }
  printf("%d checks, %d failures; %d of %d (function, status) pairs seen\n", checks, failures,
         num_pairs - unseen, (int)num_pairs);
  return failures == 0 && unseen == 0 ? 0 : 1;
}
