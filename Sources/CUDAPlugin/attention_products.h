// Attention as dense products where all segments are as long: scores are stored, on the units that multiply matrices
// several times as fast as threads do. Scores of a head are [segments, queries, width], the width of a whole number of
// lines.

#pragma once

#include "rows.h"

typedef struct ssdf_device_attention Attention;

// Shorter segments are streamed, which is as fast, and those with more bytes of scores.
enum { LEAST_SEGMENT = 128 };
static const size_t MOST_SCORES = (size_t)1 << 30;

static size_t score_width(const Attention &a) { return ((size_t)a.segment_keys + 7) / 8 * 8; }

static size_t score_rows(const Attention &a) { return (size_t)a.heads * a.segments * a.segment_queries; }

static bool is_product(const Attention &a) {
    return a.segments > 0 && a.segment_queries >= LEAST_SEGMENT && a.segment_keys >= LEAST_SEGMENT && !a.gate &&
           !a.adds && !a.selected && score_rows(a) * score_width(a) * sizeof(float) <= MOST_SCORES;
}

// Calls BODY with a head, what it has of scores, and the head of its keys.
template <class Body>
static void each_head(const Attention &a, float *scores, const Body &body) {
    size_t size = (size_t)a.segments * a.segment_queries * score_width(a);
    for (int head = 0; head < a.heads; head++)
        body((size_t)head * a.dimension, scores + head * size,
             (size_t)(head / (a.heads / a.key_heads)) * a.dimension, head % (a.heads / a.key_heads) ? 1.f : 0.f);
}

// Column-major products of one head in every segment. Operands are rows of heads: `wide` of queries, `narrow` of keys.
struct HeadProducts {
    int queries, keys, dimension, segments;
    size_t width, query_stride, key_stride;

    explicit HeadProducts(const Attention &a)
        : queries(a.segment_queries), keys(a.segment_keys), dimension(a.dimension), segments(a.segments),
          width(score_width(a)), query_stride((size_t)a.heads * a.dimension),
          key_stride((size_t)a.key_heads * a.dimension) {}

    size_t query_step() const { return query_stride * queries; }
    size_t key_step() const { return key_stride * keys; }
    size_t score_step() const { return width * queries; }

    // scores [queries, keys] = x · yᵀ, x of queries, y of keys
    void scores(const float *x, const float *y, float *to) const {
        gemm_batch(true, false, keys, queries, dimension, y, key_stride, key_step(), x, query_stride, query_step(), 0,
                   to, width, score_step(), segments);
    }
    // to, of queries, = scores · y, y of keys
    void to_queries(const float *scores, const float *y, float *to) const {
        gemm_batch(false, false, dimension, queries, keys, y, key_stride, key_step(), scores, width, score_step(), 0,
                   to, query_stride, query_step(), segments);
    }
    // to, of keys, = scoresᵀ · x + beta · to, x of queries
    void to_keys(const float *scores, const float *x, float beta, float *to) const {
        gemm_batch(false, true, dimension, keys, queries, x, query_stride, query_step(), scores, width, score_step(),
                   beta, to, key_stride, key_step(), segments);
    }
};

// Row `row` of the scores belongs to this token and head.
__device__ __forceinline__ size_t place_of_scores(const Attention &a, size_t row) {
    size_t tokens = (size_t)a.segments * a.segment_queries;
    return row % tokens * a.heads + row / tokens;
}

// The softmax of every row of scores, in place.
__global__ void softmax_scores(const Attention a, float *scores, float *lse, size_t rows, unsigned width) {
    size_t row;
    bool writes = warp_row(rows, row);
    float *own = scores + row * width;
    const unsigned columns = (unsigned)a.segment_keys;
    float most = -INFINITY;
    FOR_COLUMNS(c, columns) most = fmaxf(most, own[c]);
    most = warp_max(most);
    float total = 0;
    FOR_COLUMNS(c, columns) total += expf((own[c] - most) * a.scale);
    total = warp_sum(total);
    if (!writes) return;
    FOR_COLUMNS(c, columns) own[c] = expf((own[c] - most) * a.scale) / total;
    if (lse && threadIdx.x % 32 == 0) lse[place_of_scores(a, row)] = most * a.scale + logf(total);
}

// Scores become the softmax P, slopes, which are dy·vᵀ, become the scores' gradient P∘(slopes − Σ y·dy)·scale.
__global__ void score_gradients(const Attention a, const float *y, const float *lse, const float *dy, float *scores,
                                float *slopes, float *delta, size_t rows, unsigned width) {
    size_t row;
    bool writes = warp_row(rows, row);
    const size_t place = place_of_scores(a, row);
    float along = 0;
    FOR_COLUMNS(d, (unsigned)a.dimension) along += y[place * a.dimension + d] * dy[place * a.dimension + d];
    along = warp_sum(along);
    if (!writes) return;
    float *own = scores + row * width, *slope = slopes + row * width;
    const float stat = lse[place];
    FOR_COLUMNS(c, (unsigned)a.segment_keys) {
        float p = expf(own[c] * a.scale - stat);
        own[c] = p;
        slope[c] = p * (slope[c] - along) * a.scale;
    }
    if (threadIdx.x % 32 == 0) delta[place] = along;
}

static void attention_by_products(const Attention &a, float *y, float *lse) {
    size_t rows = score_rows(a);
    Scratch memory(rows * score_width(a) * sizeof(float));
    HeadProducts products(a);
    each_head(a, memory.floats(), [&](size_t q, float *scores, size_t k, float) {
        products.scores(a.q + q, a.k + k, scores);
    });
    LAUNCH(blocks_for(rows, WARPS), 32 * WARPS, (a, memory.floats(), lse, rows, (unsigned)score_width(a)),
           softmax_scores);
    each_head(a, memory.floats(), [&](size_t q, float *scores, size_t k, float) {
        products.to_queries(scores, a.v + k, y + q);
    });
}

static void attention_gradients_by_products(const Attention &a, const float *y, const float *lse, const float *dy,
                                            float *delta, float *dq, float *dk, float *dv) {
    size_t rows = score_rows(a), bytes = rows * score_width(a) * sizeof(float);
    Scratch memory(bytes), other(bytes);
    HeadProducts products(a);
    each_head(a, memory.floats(), [&](size_t q, float *scores, size_t k, float) {
        products.scores(a.q + q, a.k + k, scores);
    });
    each_head(a, other.floats(), [&](size_t q, float *slopes, size_t k, float) {
        products.scores(dy + q, a.v + k, slopes);
    });
    LAUNCH(blocks_for(rows, WARPS), 32 * WARPS,
           (a, y, lse, dy, memory.floats(), other.floats(), delta, rows, (unsigned)score_width(a)), score_gradients);
    each_head(a, memory.floats(), [&](size_t q, float *scores, size_t k, float beta) {
        products.to_keys(scores, dy + q, beta, dv + k);
    });
    each_head(a, other.floats(), [&](size_t q, float *slopes, size_t k, float beta) {
        products.to_queries(slopes, a.k + k, dq + q);
        products.to_keys(slopes, a.q + q, beta, dk + k);
    });
}
