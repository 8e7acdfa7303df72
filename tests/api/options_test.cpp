// Option structs across versions: older ones are shorter, newer ones longer; both have a defined
// answer.
#include "tests/support.hpp"

#include "host/api/options.hpp"

#include <cstddef>
#include <locale>

namespace zcmoe::test {
namespace {

TEST(options_test, an_older_struct_gets_defaults_for_what_it_lacks) {
  zcmoe_context_options options = context_options();
  options.struct_size = offsetof(zcmoe_context_options, num_threads);
  options.engine = ZCMOE_ENGINE_CPU;
  options.num_threads = -1;  // beyond what struct_size covers: not looked at
  EXPECT_EQ(context(options).info().engine, ZCMOE_ENGINE_CPU);
  options.struct_size = sizeof options;
  std::string text;
  EXPECT_EQ(status_of([&] { context{options}; }, &text), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(text, testing::HasSubstr("num_threads=-1"));
}

TEST(options_test, a_newer_struct_is_refused_unless_its_extra_bytes_are_zero) {
  struct newer {
    zcmoe_context_options known;
    std::int64_t extra;
  } options{context_options(), 0};
  options.known.struct_size = sizeof options;
  options.known.engine = ZCMOE_ENGINE_CPU;
  zcmoe_context* context = nullptr;
  EXPECT_EQ(zcmoe_context_create(&options.known, &context), ZCMOE_OK);
  zcmoe_context_destroy(context);
  options.extra = 256;
  EXPECT_EQ(zcmoe_context_create(&options.known, &context), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(zcmoe_last_error(), testing::HasSubstr("is not zero"));
  options.known.struct_size = 0;
  EXPECT_EQ(zcmoe_context_create(&options.known, &context), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(zcmoe_last_error(), testing::HasSubstr("struct_size=0"));
}

TEST(options_test, an_unwanted_output_is_all_zero_bytes) {
  // So a later version's struct with one more output, unused, is accepted by this one.
  struct newer {
    zcmoe_predict_outputs known;
    zcmoe_output extra;
  } outputs;
  std::memset(static_cast<void*>(&outputs), 0xa5, sizeof outputs);
  outputs.known = predict_outputs();
  outputs.known.struct_size = sizeof outputs;
  outputs.extra = ZCMOE_OUTPUT_NONE;
  const context cpu(ZCMOE_ENGINE_CPU);
  const model model(cpu, {0, 1}, {7});
  const double x = 0.5;
  double value = 0;
  outputs.known.values = output(&value);
  EXPECT_EQ(zcmoe_predict(model.get(), array(&x), 1, &outputs.known, nullptr), ZCMOE_OK);
  EXPECT_EQ(value, 7);
  EXPECT_EQ(sizeof(zcmoe_array), 24u);
  EXPECT_EQ(sizeof(zcmoe_output), 24u);
}

TEST(options_test, info_structs_of_other_versions_are_filled_as_far_as_both_know) {
  const context cpu(ZCMOE_ENGINE_CPU);
  const model model(cpu, {0, 1}, {7});
  struct newer {
    zcmoe_model_info known;
    std::int64_t extra;
  } info{};
  info.known.struct_size = sizeof info;
  info.extra = 5;
  EXPECT_EQ(zcmoe_model_get_info(model.get(), &info.known), ZCMOE_OK);
  EXPECT_EQ(info.known.num_segments, 1);
  EXPECT_EQ(info.extra, 5);
  info = {};
  info.known.struct_size = offsetof(zcmoe_model_info, num_slots);
  EXPECT_EQ(zcmoe_model_get_info(model.get(), &info.known), ZCMOE_OK);
  EXPECT_EQ(info.known.num_segments, 1);
  EXPECT_EQ(info.known.num_slots, 0);
}

TEST(options_test, structs_from_before_lines_mean_constants) {
  const context cpu(ZCMOE_ENGINE_CPU);
  zcmoe_model_options options = model_options();
  options.struct_size = offsetof(zcmoe_model_options, experts);
  options.experts = 77;  // beyond what struct_size covers: not looked at
  options.weights_kind = -1;
  const model constant(cpu, {0, 1}, {7}, options);
  EXPECT_EQ(constant.info().options.experts, ZCMOE_EXPERTS_CONSTANT);
  EXPECT_EQ(constant.info().lines, nullptr);
  const model lines = model(cpu, {0, 1, 2}, {7, 8}).interpolated();
  zcmoe_model_info info{};
  info.struct_size = offsetof(zcmoe_model_info, lines);
  EXPECT_EQ(zcmoe_model_get_info(lines.get(), &info), ZCMOE_OK);
  EXPECT_EQ(info.num_segments, 1);
  EXPECT_EQ(info.lines, nullptr);  // beyond struct_size: left as it was
}

TEST(options_test, an_allocator_must_answer_aligned_memory) {
  zcmoe_context_options options = context_options();
  options.engine = ZCMOE_ENGINE_CPU;
  options.alloc = [](void*, std::size_t bytes, std::size_t, zcmoe_stream) -> void* {
    return static_cast<char*>(std::aligned_alloc(256, (bytes + 511) / 256 * 256)) + 8;
  };
  options.free = [](void*, void* pointer, std::size_t, std::size_t, zcmoe_stream) {
    std::free(static_cast<char*>(pointer) - 8);
  };
  const context context(options);
  std::string text;
  EXPECT_EQ(status_of([&] { fit(context, {0, 1}); }, &text), ZCMOE_ERR_INVALID_ARGUMENT);
  EXPECT_THAT(text, testing::HasSubstr("not aligned to 256"));
}

TEST(options_test, texts_do_not_follow_the_global_locale) {
  struct comma : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
  };
  const std::locale before = std::locale::global(std::locale(std::locale(), new comma));
  std::string text;
  status_of([] { check_edges({1234567.5, 0}); }, &text);
  std::locale::global(before);
  EXPECT_THAT(text, testing::HasSubstr("1234567.5"));
}

TEST(options_test, null_options_are_the_defaults) {
  zcmoe_context* context = nullptr;
  ASSERT_EQ(zcmoe_context_create(nullptr, &context), ZCMOE_OK);
  zcmoe_fit* fit = nullptr;
  const double edges[] = {0, 1};
  EXPECT_EQ(zcmoe_fit_create(context, edges, 1, nullptr, nullptr, &fit), ZCMOE_OK);
  EXPECT_EQ(zcmoe_context_destroy(context), ZCMOE_OK);  // the fit goes on without it
  zcmoe_model* model = nullptr;
  EXPECT_EQ(zcmoe_fit_finish(fit, &model, nullptr), ZCMOE_OK);
  zcmoe_model_destroy(model);
  zcmoe_fit_destroy(fit);
}

}  // namespace
}  // namespace zcmoe::test
