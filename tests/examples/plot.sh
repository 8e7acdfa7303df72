zcmoe fit examples/data/flights.csv --x distance --y air_time --segments 64 --output model.safetensors
zcmoe plot model.safetensors --data examples/data/flights.csv --output flights.png
