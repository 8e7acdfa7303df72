zcmoe plan examples/data/flights.csv --x distance --y air_time
zcmoe fit examples/data/flights.csv --x distance --y air_time --segments auto \
  --output planned.safetensors
zcmoe inspect planned.safetensors
