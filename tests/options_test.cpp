// Option structs across versions: older ones are shorter, newer ones longer; both have a defined
// answer.
#include "support.hpp"

#include "host/options.hpp"

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
