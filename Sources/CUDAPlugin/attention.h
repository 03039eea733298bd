// Softmax attention by streaming, and its gradients without atomic additions: a thread has a query (or, for dk and dv, a
// key) of one head with its sums in registers, and the block's threads share tiles of the other side. Scores are never
// stored; the gradients compute them again from the logarithms of their sums.
//
// Source of the streaming softmax: Dao et al., "FlashAttention: Fast and Memory-Efficient Exact Attention with
// IO-Awareness", 2022, algorithm 1.

#pragma once

#include "rows.h"

enum { LANES = 64, SHARED = 32, AT_ONCE = 8 };

static const float LOG2_E = 1.44269504f, LN_2 = 0.693147181f;

typedef struct ssdf_device_attention Attention;
typedef struct ssdf_device_tile Tile;

// to = from · factor, zeros beyond the dimension.
template <int D>
__device__ __forceinline__ void load_row(float (&to)[D], const float *from, int dimension, float factor) {
    if (dimension == D && ((uintptr_t)from & 15) == 0) {
#pragma unroll
        for (int d = 0; d < D; d += 4) {
            float4 part = *(const float4 *)(from + d);
            to[d] = part.x * factor;
            to[d + 1] = part.y * factor;
            to[d + 2] = part.z * factor;
            to[d + 3] = part.w * factor;
        }
        return;
    }
#pragma unroll
    for (int d = 0; d < D; d++) to[d] = d < dimension ? from[d] * factor : 0;
}

template <int D>
__device__ __forceinline__ void store_row(float *to, const float (&from)[D], int dimension, float factor, int adds) {
    if (dimension == D && ((uintptr_t)to & 15) == 0) {
#pragma unroll
        for (int d = 0; d < D; d += 4) {
            float4 part = make_float4(from[d] * factor, from[d + 1] * factor, from[d + 2] * factor,
                                      from[d + 3] * factor);
            float4 *place = (float4 *)(to + d);
            if (adds) {
                float4 old = *place;
                part = make_float4(old.x + part.x, old.y + part.y, old.z + part.z, old.w + part.w);
            }
            *place = part;
        }
        return;
    }
#pragma unroll
    for (int d = 0; d < D; d++)
        if (d < dimension) to[d] = adds ? to[d] + from[d] * factor : from[d] * factor;
}

// Σ a·b with b in shared memory.
template <int D>
__device__ __forceinline__ float dot_row(const float (&a)[D], const float4 *b) {
    float sum = 0;
#pragma unroll
    for (int d = 0; d < D; d += 4) {
        float4 part = b[d / 4];
        sum += a[d] * part.x;
        sum += a[d + 1] * part.y;
        sum += a[d + 2] * part.z;
        sum += a[d + 3] * part.w;
    }
    return sum;
}

// a += factor · b
template <int D>
__device__ __forceinline__ void add_row(float (&a)[D], float factor, const float4 *b) {
#pragma unroll
    for (int d = 0; d < D; d += 4) {
        float4 part = b[d / 4];
        a[d] += factor * part.x;
        a[d + 1] += factor * part.y;
        a[d + 2] += factor * part.z;
        a[d + 3] += factor * part.w;
    }
}

__device__ __forceinline__ int row_at(const int32_t *rows, int place) { return rows ? rows[place] : place; }

// Rows `first ..< first + count` of one head to shared memory, by all threads; zeros up to SHARED.
template <int D>
__device__ __forceinline__ void share_rows(float4 (&to)[SHARED][D / 4], const float *from, const int32_t *rows,
                                           int first, int count, int heads, int head, int dimension, float factor) {
    float *flat = (float *)&to[0][0];
    for (int i = threadIdx.x; i < SHARED * D; i += LANES) {
        int row = i / D, d = i % D;
        float value = 0;
        if (row < count && d < dimension)
            value = from[((size_t)row_at(rows, first + row) * heads + head) * dimension + d] * factor;
        flat[i] = value;
    }
}

// The blocks of keys of a tile of queries: all of the segment as one, or those that a token has chosen.
struct Visit {
    int next = 0;
    const int32_t *chosen;
    __device__ Visit(const Attention &a, int key_head, int token)
        : chosen(a.selected ? a.selected + ((size_t)key_head * a.tokens + token) * a.best : nullptr) {}
    __device__ bool wants(const Attention &a, int block) {
        if (next >= a.best || chosen[next] != block) return false;
        next++;
        return true;
    }
};

// Calls BODY(first, count, want) for the keys of each block that some thread wants.
#define FOR_KEYS(a, tile, active, visit, BODY)                                                    \
    if (!SELECTED) {                                                                              \
        BODY(tile.other_first, tile.other_count, active);                                         \
    } else {                                                                                      \
        for (int block = 0; block < tile.other_count; block++) {                                  \
            bool want = active && visit.wants(a, block);                                          \
            if (!__syncthreads_or(want)) continue;                                                \
            int start = a.block_starts[tile.other_first + block];                                 \
            BODY(start, a.block_starts[tile.other_first + block + 1] - start, want);              \
        }                                                                                         \
    }

// ---- forward

template <int D, bool SELECTED>
__global__ void __launch_bounds__(LANES) attention_rows(const Attention a, float *y, float *lse) {
    __shared__ float4 keys[SHARED][D / 4], values[SHARED][D / 4];
    const Tile tile = a.query_tiles[blockIdx.x];
    const int head = blockIdx.y, key_head = head / (a.heads / a.key_heads);
    const bool active = (int)threadIdx.x < tile.count;
    const int token = row_at(a.query_rows, tile.first + (active ? threadIdx.x : 0));
    const size_t row = (size_t)token * a.heads + head;
    float q[D], o[D];
    load_row(q, a.q + row * a.dimension, a.dimension, a.scale * LOG2_E);
#pragma unroll
    for (int d = 0; d < D; d++) o[d] = 0;
    float most = -INFINITY, total = 0;

    auto absorb = [&](int first, int count, bool want) {
        for (int start = 0; start < count; start += SHARED) {
            int n = count - start < SHARED ? count - start : SHARED;
            __syncthreads();
            share_rows<D>(keys, a.k, a.key_rows, first + start, n, a.key_heads, key_head, a.dimension, 1);
            share_rows<D>(values, a.v, a.key_rows, first + start, n, a.key_heads, key_head, a.dimension, 1);
            __syncthreads();
            if (!want) continue;
            for (int j = 0; j < n; j += AT_ONCE) {
                float s[AT_ONCE], peak = most;
#pragma unroll
                for (int u = 0; u < AT_ONCE; u++) {
                    s[u] = j + u < n ? dot_row<D>(q, keys[j + u]) : -INFINITY;
                    peak = fmaxf(peak, s[u]);
                }
                float factor = exp2f(most - peak);
                total *= factor;
#pragma unroll
                for (int d = 0; d < D; d++) o[d] *= factor;
#pragma unroll
                for (int u = 0; u < AT_ONCE; u++) {
                    float p = exp2f(s[u] - peak);
                    total += p;
                    add_row<D>(o, p, values[j + u]);
                }
                most = peak;
            }
        }
    };
    Visit visit(a, key_head, token);
    FOR_KEYS(a, tile, active, visit, absorb)

    if (!active) return;
    float factor = total > 0 ? 1 / total : 0;
    if (a.gate) factor *= a.gate[(size_t)token * a.gate_stride];
    store_row(y + row * a.dimension, o, a.dimension, factor, a.adds);
    if (lse) lse[row] = total > 0 ? (most + log2f(total)) * LN_2 : -INFINITY;
}

// ---- gradients: δ and dq

template <int D, bool SELECTED>
__global__ void __launch_bounds__(LANES) attention_query_gradients(const Attention a, const float *y,
                                                                   const float *lse, const float *dy, float *delta,
                                                                   float *dq) {
    __shared__ float4 keys[SHARED][D / 4], values[SHARED][D / 4];
    const Tile tile = a.query_tiles[blockIdx.x];
    const int head = blockIdx.y, key_head = head / (a.heads / a.key_heads);
    const bool active = (int)threadIdx.x < tile.count;
    const int token = row_at(a.query_rows, tile.first + (active ? threadIdx.x : 0));
    const size_t row = (size_t)token * a.heads + head;
    float q[D], g[D], sums[D];
    load_row(q, a.q + row * a.dimension, a.dimension, a.scale * LOG2_E);
    load_row(g, dy + row * a.dimension, a.dimension, 1);
#pragma unroll
    for (int d = 0; d < D; d++) sums[d] = 0;
    const float stat = lse[row] * LOG2_E, gate = a.gate ? a.gate[(size_t)token * a.gate_stride] : 1;
    float along = 0;

    bool only_delta = !y;
    auto absorb = [&](int first, int count, bool want) {
        for (int start = 0; start < count; start += SHARED) {
            int n = count - start < SHARED ? count - start : SHARED;
            __syncthreads();
            share_rows<D>(keys, a.k, a.key_rows, first + start, n, a.key_heads, key_head, a.dimension, 1);
            share_rows<D>(values, a.v, a.key_rows, first + start, n, a.key_heads, key_head, a.dimension, 1);
            __syncthreads();
            if (!want) continue;
            if (only_delta) {
                for (int j = 0; j < n; j++)
                    along += exp2f(dot_row<D>(q, keys[j]) - stat) * dot_row<D>(g, values[j]);
            } else {
                for (int j = 0; j < n; j++) {
                    float p = exp2f(dot_row<D>(q, keys[j]) - stat);
                    add_row<D>(sums, p * (dot_row<D>(g, values[j]) - along), keys[j]);
                }
            }
        }
    };
    if (only_delta) {
        Visit visit(a, key_head, token);
        FOR_KEYS(a, tile, active, visit, absorb)
        only_delta = false;
    } else {
        const float *result = y + row * a.dimension;
        for (int d = 0; d < a.dimension; d++) along += result[d] * dy[row * a.dimension + d];
    }
    Visit visit(a, key_head, token);
    FOR_KEYS(a, tile, active, visit, absorb)

    if (!active) return;
    delta[row] = along;
    store_row(dq + row * a.dimension, sums, a.dimension, a.scale * gate, a.adds);
}

// ---- gradients: dk and dv

template <int D, bool SELECTED>
__global__ void __launch_bounds__(LANES) attention_key_gradients(const Attention a, const float *lse, const float *dy,
                                                                 const float *delta, float *dk, float *dv) {
    __shared__ float4 queries[SHARED][D / 4], slopes[SHARED][D / 4];
    __shared__ float stats[SHARED], deltas[SHARED], gates[SHARED];
    const Tile tile = a.key_tiles[blockIdx.x];
    const int key_head = blockIdx.y, group = a.heads / a.key_heads;
    const bool active = (int)threadIdx.x < tile.count;
    const int token = row_at(a.key_rows, tile.first + (active ? threadIdx.x : 0));
    const size_t row = ((size_t)token * a.key_heads + key_head) * a.dimension;
    float k[D], v[D], key_sums[D], value_sums[D];
    load_row(k, a.k + row, a.dimension, 1);
    load_row(v, a.v + row, a.dimension, 1);
#pragma unroll
    for (int d = 0; d < D; d++) key_sums[d] = value_sums[d] = 0;

    for (int start = 0; start < tile.other_count; start += SHARED) {
        const int n = tile.other_count - start < SHARED ? tile.other_count - start : SHARED;
        const int first = tile.other_first + start;
        // Whether this thread's query looks at the keys of this tile.
        bool wanted = false;
        if ((int)threadIdx.x < n) {
            wanted = true;
            if (SELECTED) {
                const int32_t *chosen = a.selected + ((size_t)key_head * a.tokens + first + threadIdx.x) * a.best;
                wanted = false;
                for (int i = 0; i < a.best; i++) wanted = wanted || chosen[i] == tile.block;
            }
        }
        if (SELECTED && !__syncthreads_or(wanted)) continue;
        for (int head = key_head * group; head < (key_head + 1) * group; head++) {
            __syncthreads();
            share_rows<D>(queries, a.q, a.query_rows, first, n, a.heads, head, a.dimension, a.scale * LOG2_E);
            share_rows<D>(slopes, dy, a.query_rows, first, n, a.heads, head, a.dimension, 1);
            if ((int)threadIdx.x < n) {
                const int query = row_at(a.query_rows, first + threadIdx.x);
                stats[threadIdx.x] = lse[(size_t)query * a.heads + head] * LOG2_E;
                deltas[threadIdx.x] = delta[(size_t)query * a.heads + head];
                // A gate of NaN marks a query that does not look here.
                gates[threadIdx.x] = !wanted ? NAN : a.gate ? a.gate[(size_t)query * a.gate_stride] : 1;
            }
            __syncthreads();
            if (!active) continue;
            for (int r = 0; r < n; r++) {
                const float gate = gates[r];
                if (SELECTED && gate != gate) continue;
                float p = exp2f(dot_row<D>(k, queries[r]) - stats[r]) * gate;
                float slope = p * (dot_row<D>(v, slopes[r]) - deltas[r]);
                add_row<D>(value_sums, p, slopes[r]);
                add_row<D>(key_sums, slope, queries[r]);
            }
        }
    }
    if (!active) return;
    // The queries were multiplied by scale · log₂e.
    store_row(dk + row, key_sums, a.dimension, LN_2, a.adds);
    store_row(dv + row, value_sums, a.dimension, 1, a.adds);
}

// ---- selection

template <int D>
__global__ void __launch_bounds__(LANES) choose_blocks(const Attention a, const float *lse,
                                                       const int32_t *block_of_key, const int32_t *blocks,
                                                       size_t most, float *scores, int32_t *selected) {
    const Tile tile = a.query_tiles[blockIdx.x];
    const int key_head = blockIdx.y, group = a.heads / a.key_heads;
    if ((int)threadIdx.x >= tile.count) return;
    const int token = tile.first + threadIdx.x, count = blocks[blockIdx.x];
    float *sums = scores + ((size_t)key_head * a.tokens + token) * most;
    for (int b = 0; b < count; b++) sums[b] = 0;
    for (int head = key_head * group; head < (key_head + 1) * group; head++) {
        const float stat = lse[(size_t)token * a.heads + head];
        // Released networks were trained with scores of 0 from here on.
        if (stat > 88.72284f) continue;
        float q[D];
        load_row(q, a.q + ((size_t)token * a.heads + head) * a.dimension, a.dimension, a.scale);
        for (int j = tile.other_first; j < tile.other_first + tile.other_count; j++) {
            const float *key = a.k + ((size_t)j * a.key_heads + key_head) * a.dimension;
            float s = 0;
#pragma unroll
            for (int d = 0; d < D; d++)
                if (d < a.dimension) s += q[d] * key[d];
            sums[block_of_key[j]] += expf(s - stat);
        }
    }
    // The chosen are those not after the last of them in the order of falling score, then of block.
    int32_t *to = selected + ((size_t)key_head * a.tokens + token) * a.best;
    float last_score = INFINITY;
    int last = -1, found = 0;
    for (; found < a.best && found < count; found++) {
        float score = -1;
        int which = -1;
        for (int b = 0; b < count; b++)
            if (sums[b] > score && (sums[b] < last_score || (sums[b] == last_score && b > last))) {
                score = sums[b];
                which = b;
            }
        if (which < 0) break;
        last_score = score;
        last = which;
    }
    int at = 0;
    for (int b = 0; b < count && at < found; b++)
        if (sums[b] > last_score || (sums[b] == last_score && b <= last)) to[at++] = b;
    for (; at < a.best; at++) to[at] = -1;
}

// ---- host

#define EACH_DIMENSION(dimension, DO) \
    if ((dimension) <= 32) {          \
        DO(32);                       \
    } else {                          \
        DO(64);                       \
    }

static void attention(const Attention *given, float *y, float *lse) {
    const Attention a = *given;
    if (a.query_tile_count == 0) return;
    dim3 grid((unsigned)a.query_tile_count, (unsigned)a.heads);
#define DO(D)                                                              \
    if (a.selected)                                                        \
        LAUNCH(grid, LANES, (a, y, lse), attention_rows<D, true>);         \
    else                                                                   \
        LAUNCH(grid, LANES, (a, y, lse), attention_rows<D, false>)
    EACH_DIMENSION(a.dimension, DO)
#undef DO
}

static void attention_gradients(const Attention *given, const float *y, const float *lse, const float *dy,
                                float *delta, float *dq, float *dk, float *dv) {
    const Attention a = *given;
    dim3 queries((unsigned)a.query_tile_count, (unsigned)a.heads);
    dim3 keys((unsigned)a.key_tile_count, (unsigned)a.key_heads);
#define DO(D)                                                                                             \
    if (a.selected) {                                                                                     \
        if (queries.x)                                                                                    \
            LAUNCH(queries, LANES, (a, y, lse, dy, delta, dq), attention_query_gradients<D, true>);       \
        if (keys.x) LAUNCH(keys, LANES, (a, lse, dy, delta, dk, dv), attention_key_gradients<D, true>);   \
    } else {                                                                                              \
        if (queries.x)                                                                                    \
            LAUNCH(queries, LANES, (a, y, lse, dy, delta, dq), attention_query_gradients<D, false>);      \
        if (keys.x) LAUNCH(keys, LANES, (a, lse, dy, delta, dk, dv), attention_key_gradients<D, false>);  \
    }
    EACH_DIMENSION(a.dimension, DO)
#undef DO
}

static void select_blocks(const Attention *given, const float *lse, const int32_t *block_of_key,
                          const int32_t *blocks, size_t most, float *scores, int32_t *selected) {
    const Attention a = *given;
    if (a.query_tile_count == 0) return;
    dim3 grid((unsigned)a.query_tile_count, (unsigned)a.key_heads);
#define DO(D) LAUNCH(grid, LANES, (a, lse, block_of_key, blocks, most, scores, selected), choose_blocks<D>)
    EACH_DIMENSION(a.dimension, DO)
#undef DO
}

struct GateGradients {
    const float *deltas;
    float *dgates;
    unsigned tokens, heads;
    __device__ void operator()(unsigned i) const {
        unsigned token = i / 3, column = i % 3;
        const float *from = deltas + ((size_t)column * tokens + token) * heads;
        float sum = 0;
        for (unsigned h = 0; h < heads; h++) sum += from[h];
        dgates[i] = sum;
    }
};

static void gate_gradients(const float *deltas, float *dgates, size_t tokens, size_t heads) {
    for_each(3 * tokens, GateGradients{deltas, dgates, (unsigned)tokens, (unsigned)heads});
}
