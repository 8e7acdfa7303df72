# A fifth of the flights, by a hash of the number of the row, is not learned from.
gzip -dc examples/data/delays.csv.gz | awk '
  NR == 1 { print > "seen.csv"; print > "unseen.csv" }
  NR > 1 { print > (NR * 2654435761 % 4294967296 < 858993459 ? "unseen.csv" : "seen.csv") }'
zcmoe fit seen.csv --x-all-but arr_delay --nan-policy segment --output delays.safetensors
zcmoe fit seen.csv --x-all-but arr_delay --nan-policy segment --partition tables --budget-ns 20 --output quick.safetensors
zcmoe inspect delays.safetensors unseen.csv
zcmoe predict delays.safetensors unseen.csv --output answers.csv
