#include <cstdio>
#include <zcmoe/zcmoe.hpp>

int main() {
  std::vector<double> x(1000), y(1000);
  for (int i = 0; i < 1000; ++i) {
    x[i] = i / 1000.0;
    y[i] = x[i] * x[i];
  }
  zcmoe::context context;  // the GPU if there is one, else the CPU
  zcmoe::fit fit(context, zcmoe::uniform_edges(0.0, 1.0, 8));
  fit.add_sync(x, y);
  zcmoe::model model = fit.finish();
  std::vector<double> answer = model.predict_sync(std::vector<double>{0.1, 0.5, 0.9});
  std::printf("%.6f %.6f %.6f\n", answer[0], answer[1], answer[2]);
}
