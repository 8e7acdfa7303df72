/* The compiled peers behind one small C interface, which bench_peers.py calls through ctypes so
 * that one process can time all peers in turn. Not part of the library. */
#ifndef ZCMOE_COMPILED_PEERS_H
#define ZCMOE_COMPILED_PEERS_H

#include <stdint.h>

#define PEERS_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

typedef struct peers_handle peers_handle;

/* "a b c": the names that peers_create knows. */
PEERS_API const char* peers_names(void);
/* Compiler, flags, versions of Thrust and Boost, and of the zcmoe library that is loaded. */
PEERS_API const char* peers_build_info(void);
/* Why this thread's last call failed. */
PEERS_API const char* peers_error(void);

/* A peer for edges[num_segments + 1], strictly increasing, each exact in float32, and
 * constants[num_segments]. item_size: 4 (float32 rows) or 8 (float64; limits and zcmoe only).
 * NULL if it fails. */
PEERS_API peers_handle* peers_create(const char* name, const double* edges, const double* constants,
                                     int64_t num_segments, int64_t item_size, int64_t threads);
PEERS_API void peers_destroy(peers_handle* handle);

/* Seconds that num_calls calls of n rows take; negative if one fails. Call k works on the k-th
 * slice of the arrays, which hold num_rows >= n rows on 64-byte lines, and begins again where they
 * end. y: predict: written; fit: read. */
PEERS_API double peers_predict(peers_handle* handle, const void* x, void* y, int64_t num_rows,
                               int64_t n, int64_t num_calls);
PEERS_API double peers_fit(peers_handle* handle, const void* x, const void* y, int64_t num_rows,
                           int64_t n, int64_t num_calls);

/* Counts and means of all rows that peers_fit added; 0 if it worked. */
PEERS_API int peers_moments(peers_handle* handle, double* counts, double* means);

#ifdef __cplusplus
}
#endif
#endif
