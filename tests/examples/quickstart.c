#include <stdio.h>
#include <zcmoe/zcmoe.h>

int main(void) {
  double x[1000], y[1000], edges[9], query[3] = {0.1, 0.5, 0.9}, answer[3];
  for (int i = 0; i < 1000; ++i) {
    x[i] = i / 1000.0;
    y[i] = x[i] * x[i];
  }
  zcmoe_context* context = NULL;
  zcmoe_fit* fit = NULL;
  zcmoe_model* model = NULL;
  zcmoe_array xs = {x, ZCMOE_F64, 1}, ys = {y, ZCMOE_F64, 1}, queries = {query, ZCMOE_F64, 1};
  zcmoe_array no_weights = {NULL, ZCMOE_F64, 1};
  zcmoe_predict_outputs outputs = ZCMOE_PREDICT_OUTPUTS_INIT;
  outputs.values = (zcmoe_output){answer, ZCMOE_F64, 1};
  if (zcmoe_context_create(NULL, &context) || zcmoe_segment_uniform(0.0, 1.0, 8, edges) ||
      zcmoe_fit_create(context, edges, 8, NULL, NULL, &fit) ||
      zcmoe_fit_add_sync(fit, xs, ys, no_weights, 1000, NULL) ||
      zcmoe_fit_finish(fit, &model, NULL) ||
      zcmoe_predict_sync(model, queries, 3, &outputs, NULL)) {
    fprintf(stderr, "%s\n", zcmoe_last_error());
    return 1;
  }
  printf("%.6f %.6f %.6f\n", answer[0], answer[1], answer[2]);
  zcmoe_model_destroy(model);
  zcmoe_fit_destroy(fit);
  zcmoe_context_destroy(context);
  return 0;
}
