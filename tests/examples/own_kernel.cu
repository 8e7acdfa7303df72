#include <zcmoe/model_view.hpp>
#include <zcmoe/zcmoe.hpp>

__global__ void residuals(zcmoe::model_view model, const float* x, const float* y, double* out,
                          int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = y[i] - model.value_at(x[i]);
}

void launch_residuals(const zcmoe::model& model, const float* x, const float* y, double* out, int n,
                      cudaStream_t stream) {
  residuals<<<(n + 255) / 256, 256, 0, stream>>>(zcmoe::model_view{model.view()}, x, y, out, n);
}
