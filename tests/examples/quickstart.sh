zcmoe fit examples/data/flights.csv --x distance --y air_time --segments 64 \
  --segmentation optimal --output model.safetensors
zcmoe inspect model.safetensors
printf 'distance\n500\n2000\n' | zcmoe predict model.safetensors - --x distance
