awk 'BEGIN { print "east,north,soil,height"
  for (i = 1; i <= 20000; ++i) { x = i * .7548776662 % 1; y = i * .5698402910 % 1; z = int(i * .8191725134 % 1 * 3)
    printf "%.4f,%.4f,%d,%.3f\n", x, y, z, 40 * sin(3 * x * y) + 5 * z + i * .6180339887 % 1 } }' > hills.csv
zcmoe fit hills.csv --x-all-but height --holdout 0.2 --output hills.safetensors
zcmoe inspect hills.safetensors
printf 'north,east,soil\n.5,.5,1\n1,.5,2\n' | zcmoe predict hills.safetensors -
