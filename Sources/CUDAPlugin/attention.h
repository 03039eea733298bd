// Softmax attention by streaming, and its gradients without atomic additions: a thread has a query (or, for dk and dv, a
// key) of one head, and the block's threads share tiles of the other side. Scores are never stored; the gradients compute
// them again from the logarithms of their sums.
//
// Four threads together have four rows: each a quarter of the numbers of all four, in registers. What is read of a shared
// row is then used four times, where one thread with a whole row would wait for shared memory most of the time. Their parts
// of dot products are added up so that each thread has the sum of the row that is its own, computes what belongs to it, and
// tells the others.
//
// Source of the streaming softmax: Dao et al., "FlashAttention: Fast and Memory-Efficient Exact Attention with
// IO-Awareness", 2022, algorithm 1.

#pragma once

#include "attention_products.h"

enum { LANES = 64, SHARED = 32, AT_ONCE = 8, PARTS = 4 };

static const float LOG2_E = 1.44269504f, LN_2 = 0.693147181f;

typedef struct ssdf_device_tile Tile;

// This thread's part of PARTS rows: numbers (i·PARTS + part)·4 + 0…3 of each, which neighbours continue.
template <int D>
struct Rows {
    enum { WIDTH = D / PARTS };
    float at[PARTS][WIDTH];

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int r = 0; r < PARTS; r++)
#pragma unroll
            for (int d = 0; d < WIDTH; d++) at[r][d] = 0;
    }

    // Row r = from · factor, zeros beyond the dimension.
    __device__ __forceinline__ void load(int r, const float *from, int dimension, float factor) {
        const int part = threadIdx.x % PARTS;
        const bool whole = dimension == D && ((uintptr_t)from & 15) == 0;
#pragma unroll
        for (int i = 0; i < WIDTH / 4; i++) {
            const int d = (i * PARTS + part) * 4;
            float4 x = make_float4(0, 0, 0, 0);
            if (whole) {
                x = *(const float4 *)(from + d);
            } else {
                if (d < dimension) x.x = from[d];
                if (d + 1 < dimension) x.y = from[d + 1];
                if (d + 2 < dimension) x.z = from[d + 2];
                if (d + 3 < dimension) x.w = from[d + 3];
            }
            at[r][4 * i] = x.x * factor;
            at[r][4 * i + 1] = x.y * factor;
            at[r][4 * i + 2] = x.z * factor;
            at[r][4 * i + 3] = x.w * factor;
        }
    }

    // to = row r · factor, or to += that.
    __device__ __forceinline__ void store(int r, float *to, int dimension, float factor, int adds) const {
        const int part = threadIdx.x % PARTS;
        const bool whole = dimension == D && ((uintptr_t)to & 15) == 0;
#pragma unroll
        for (int i = 0; i < WIDTH / 4; i++) {
            const int d = (i * PARTS + part) * 4;
            float4 x = make_float4(at[r][4 * i] * factor, at[r][4 * i + 1] * factor, at[r][4 * i + 2] * factor,
                                   at[r][4 * i + 3] * factor);
            if (whole) {
                float4 *place = (float4 *)(to + d);
                if (adds) {
                    float4 old = *place;
                    x = make_float4(old.x + x.x, old.y + x.y, old.z + x.z, old.w + x.w);
                }
                *place = x;
                continue;
            }
            if (d < dimension) to[d] = adds ? to[d] + x.x : x.x;
            if (d + 1 < dimension) to[d + 1] = adds ? to[d + 1] + x.y : x.y;
            if (d + 2 < dimension) to[d + 2] = adds ? to[d + 2] + x.z : x.z;
            if (d + 3 < dimension) to[d + 3] = adds ? to[d + 3] + x.w : x.w;
        }
    }
};

// This thread's part of a row in shared memory.
template <int D>
struct Row {
    float at[D / PARTS];

    explicit __device__ __forceinline__ Row(const float4 *from) {
#pragma unroll
        for (int i = 0; i < D / PARTS / 4; i++) {
            float4 x = from[i * PARTS + threadIdx.x % PARTS];
            at[4 * i] = x.x;
            at[4 * i + 1] = x.y;
            at[4 * i + 2] = x.z;
            at[4 * i + 3] = x.w;
        }
    }
};

// Σ a·b for the row that is this thread's own.
template <int D>
__device__ __forceinline__ float dot_own(const Rows<D> &a, const Row<D> &b) {
    float sums[PARTS] = {};
#pragma unroll
    for (int r = 0; r < PARTS; r++)
#pragma unroll
        for (int d = 0; d < D / PARTS; d++) sums[r] += a.at[r][d] * b.at[d];
    // The lower bit of a thread's part says which of a pair of rows it keeps, the higher which pair.
    const bool odd = threadIdx.x & 1, upper = threadIdx.x & 2;
    float low = odd ? sums[1] : sums[0], high = odd ? sums[3] : sums[2];
    low += __shfl_xor_sync(0xffffffffu, odd ? sums[0] : sums[1], 1);
    high += __shfl_xor_sync(0xffffffffu, odd ? sums[2] : sums[3], 1);
    return (upper ? high : low) + __shfl_xor_sync(0xffffffffu, upper ? low : high, 2);
}

// What each of the PARTS threads has, by their rows.
struct Quad {
    float at[PARTS];

    explicit __device__ __forceinline__ Quad(float own) {
        const bool odd = threadIdx.x & 1, upper = threadIdx.x & 2;
        const float other = __shfl_xor_sync(0xffffffffu, own, 1);
        const float even_row = odd ? other : own, odd_row = odd ? own : other;
        const float far_even = __shfl_xor_sync(0xffffffffu, even_row, 2);
        const float far_odd = __shfl_xor_sync(0xffffffffu, odd_row, 2);
        at[0] = upper ? far_even : even_row;
        at[1] = upper ? far_odd : odd_row;
        at[2] = upper ? even_row : far_even;
        at[3] = upper ? odd_row : far_odd;
    }
};

// a += factor · b, row by row.
template <int D>
__device__ __forceinline__ void add_rows(Rows<D> &a, const Quad &factor, const Row<D> &b) {
#pragma unroll
    for (int r = 0; r < PARTS; r++)
#pragma unroll
        for (int d = 0; d < D / PARTS; d++) a.at[r][d] += factor.at[r] * b.at[d];
}

__device__ __forceinline__ int row_at(const int32_t *rows, int place) { return rows ? rows[place] : place; }

// Rows `first ..< first + count` of one head to shared memory, by all threads; zeros up to SHARED.
template <int D>
__device__ __forceinline__ void share_rows(float4 (&to)[SHARED][D / 4], const float *from, const int32_t *rows,
                                           int first, int count, int heads, int head, int dimension, float factor) {
    if (dimension == D && ((uintptr_t)from & 15) == 0) {
#pragma unroll
        for (int i = threadIdx.x; i < SHARED * D / 4; i += LANES) {
            const int row = i / (D / 4), d = i % (D / 4);
            float4 x = make_float4(0, 0, 0, 0);
            if (row < count) {
                x = ((const float4 *)(from + ((size_t)row_at(rows, first + row) * heads + head) * D))[d];
                x = make_float4(x.x * factor, x.y * factor, x.z * factor, x.w * factor);
            }
            to[row][d] = x;
        }
        return;
    }
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

// Rows of a tile: that of this thread, those that it shares with its neighbours, and whether its warp has any.
struct Place {
    int first;
    bool active, works;

    explicit __device__ Place(const Tile &tile)
        : first(threadIdx.x / PARTS * PARTS), active((int)threadIdx.x < tile.count),
          works((int)(threadIdx.x / 32 * 32) < tile.count) {}

    // Token of row `row` of the tile; of its first row where there is none.
    __device__ __forceinline__ int token(const Tile &tile, const int32_t *rows, int row) const {
        return row_at(rows, tile.first + (row < tile.count ? row : 0));
    }
};

template <int D, bool SELECTED>
__global__ void __launch_bounds__(LANES) attention_rows(const Attention a, float *y, float *lse) {
    __shared__ float4 keys[SHARED][D / 4], values[SHARED][D / 4];
    const Tile tile = a.query_tiles[blockIdx.x];
    const int head = blockIdx.y, key_head = head / (a.heads / a.key_heads);
    const Place place(tile);
    const int token = place.token(tile, a.query_rows, threadIdx.x);
    Rows<D> q, o;
    size_t rows[PARTS];
#pragma unroll
    for (int r = 0; r < PARTS; r++) {
        rows[r] = (size_t)place.token(tile, a.query_rows, place.first + r) * a.heads + head;
        q.load(r, a.q + rows[r] * a.dimension, a.dimension, a.scale * LOG2_E);
    }
    o.clear();
    float most = -INFINITY, total = 0;

    auto absorb = [&](int first, int count, bool want) {
        for (int start = 0; start < count; start += SHARED) {
            int n = count - start < SHARED ? count - start : SHARED;
            __syncthreads();
            share_rows<D>(keys, a.k, a.key_rows, first + start, n, a.key_heads, key_head, a.dimension, 1);
            share_rows<D>(values, a.v, a.key_rows, first + start, n, a.key_heads, key_head, a.dimension, 1);
            __syncthreads();
            if (!place.works) continue;
            for (int j = 0; j < n; j += AT_ONCE) {
                float s[AT_ONCE], peak = most;
#pragma unroll
                for (int u = 0; u < AT_ONCE; u++) {
                    s[u] = dot_own(q, Row<D>(keys[j + u]));
                    if (j + u >= n || !want) s[u] = -INFINITY;
                    peak = fmaxf(peak, s[u]);
                }
                // Nothing yet: −∞ − (−∞) is no number.
                const float base = peak == -INFINITY ? 0 : peak;
                const float factor = exp2f(most - base);
                total *= factor;
                const Quad factors(factor);
#pragma unroll
                for (int r = 0; r < PARTS; r++)
#pragma unroll
                    for (int d = 0; d < D / PARTS; d++) o.at[r][d] *= factors.at[r];
#pragma unroll
                for (int u = 0; u < AT_ONCE; u++) {
                    float p = exp2f(s[u] - base);
                    total += p;
                    add_rows(o, Quad(p), Row<D>(values[j + u]));
                }
                most = peak;
            }
        }
    };
    Visit visit(a, key_head, token);
    FOR_KEYS(a, tile, place.active, visit, absorb)

    if (!place.works) return;
    float factor = total > 0 ? 1 / total : 0;
    if (a.gate) factor *= a.gate[(size_t)token * a.gate_stride];
    const Quad factors(factor);
#pragma unroll
    for (int r = 0; r < PARTS; r++)
        if (place.first + r < tile.count)
            o.store(r, y + rows[r] * a.dimension, a.dimension, factors.at[r], a.adds);
    if (lse && place.active)
        lse[(size_t)token * a.heads + head] = total > 0 ? (most + log2f(total)) * LN_2 : -INFINITY;
}

// ---- gradients: δ and dq

template <int D, bool SELECTED>
__global__ void __launch_bounds__(LANES) attention_query_gradients(const Attention a, const float *y,
                                                                   const float *lse, const float *dy, float *delta,
                                                                   float *dq) {
    __shared__ float4 keys[SHARED][D / 4], values[SHARED][D / 4];
    const Tile tile = a.query_tiles[blockIdx.x];
    const int head = blockIdx.y, key_head = head / (a.heads / a.key_heads);
    const Place place(tile);
    const int token = place.token(tile, a.query_rows, threadIdx.x);
    const size_t row = (size_t)token * a.heads + head;
    Rows<D> q, g, sums;
    size_t rows[PARTS];
#pragma unroll
    for (int r = 0; r < PARTS; r++) {
        rows[r] = (size_t)place.token(tile, a.query_rows, place.first + r) * a.heads + head;
        q.load(r, a.q + rows[r] * a.dimension, a.dimension, a.scale * LOG2_E);
        g.load(r, dy + rows[r] * a.dimension, a.dimension, 1);
    }
    sums.clear();
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
            if (!place.works) continue;
            if (only_delta) {
#pragma unroll 4
                for (int j = 0; j < n; j++) {
                    float p = exp2f(dot_own(q, Row<D>(keys[j])) - stat), slope = dot_own(g, Row<D>(values[j]));
                    if (want) along += p * slope;
                }
            } else {
#pragma unroll 2
                for (int j = 0; j < n; j++) {
                    const Row<D> key(keys[j]);
                    float p = exp2f(dot_own(q, key) - stat), slope = dot_own(g, Row<D>(values[j])) - along;
                    add_rows(sums, Quad(want ? p * slope : 0), key);
                }
            }
        }
    };
    if (only_delta) {
        Visit visit(a, key_head, token);
        FOR_KEYS(a, tile, place.active, visit, absorb)
        only_delta = false;
    } else {
        const float *result = y + row * a.dimension;
        for (int d = 0; d < a.dimension; d++) along += result[d] * dy[row * a.dimension + d];
    }
    Visit visit(a, key_head, token);
    FOR_KEYS(a, tile, place.active, visit, absorb)

    if (!place.works) return;
    const Quad factors(a.scale * gate);
#pragma unroll
    for (int r = 0; r < PARTS; r++)
        if (place.first + r < tile.count)
            sums.store(r, dq + rows[r] * a.dimension, a.dimension, factors.at[r], a.adds);
    if (place.active) delta[row] = along;
}

// ---- gradients: dk and dv

template <int D, bool SELECTED>
__global__ void __launch_bounds__(LANES) attention_key_gradients(const Attention a, const float *lse, const float *dy,
                                                                 const float *delta, float *dk, float *dv) {
    __shared__ float4 queries[SHARED][D / 4], slopes[SHARED][D / 4];
    __shared__ float stats[SHARED], deltas[SHARED], gates[SHARED];
    const Tile tile = a.key_tiles[blockIdx.x];
    const int key_head = blockIdx.y, group = a.heads / a.key_heads;
    const Place place(tile);
    Rows<D> k, v, key_sums, value_sums;
    size_t rows[PARTS];
#pragma unroll
    for (int r = 0; r < PARTS; r++) {
        rows[r] = ((size_t)place.token(tile, a.key_rows, place.first + r) * a.key_heads + key_head) * a.dimension;
        k.load(r, a.k + rows[r], a.dimension, 1);
        v.load(r, a.v + rows[r], a.dimension, 1);
    }
    key_sums.clear();
    value_sums.clear();

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
            if (!place.works) continue;
#pragma unroll 2
            for (int r = 0; r < n; r++) {
                const float gate = gates[r];
                if (SELECTED && gate != gate) continue;
                const Row<D> query(queries[r]), slope(slopes[r]);
                float p = exp2f(dot_own(k, query) - stats[r]) * gate;
                float change = p * (dot_own(v, slope) - deltas[r]);
                add_rows(value_sums, Quad(p), slope);
                add_rows(key_sums, Quad(change), query);
            }
        }
    }
    if (!place.works) return;
#pragma unroll
    for (int r = 0; r < PARTS; r++) {
        if (place.first + r >= tile.count) continue;
        // The queries were multiplied by scale · log₂e.
        key_sums.store(r, dk + rows[r], a.dimension, LN_2, a.adds);
        value_sums.store(r, dv + rows[r], a.dimension, 1, a.adds);
    }
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
        const float *query = a.q + ((size_t)token * a.heads + head) * a.dimension;
        float q[D];
#pragma unroll
        for (int d = 0; d < D; d++) q[d] = d < a.dimension ? query[d] * a.scale : 0;
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
    if (is_product(a)) return attention_by_products(a, y, lse);
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
    if (y && is_product(a)) return attention_gradients_by_products(a, y, lse, dy, delta, dq, dk, dv);
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
