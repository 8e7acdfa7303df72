zcmoe compile 'exp(-3*x)*sin(9*x)' --range 0:1 --tolerance 1e-4 --output sine.safetensors
printf 'x\n0.25\n0.5\n' | zcmoe predict sine.safetensors - --x x
