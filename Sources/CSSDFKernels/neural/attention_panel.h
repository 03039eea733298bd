// The inner loops of attention: one block of keys against one panel of queries.
//
// Queries lie in the lanes. A vector of queries is LANES rows (a row is one query head of one token), held transposed,
// qᵀ [dimension, LANES]; a panel is 1 to MAX_VECTORS vectors, each wherever it lies. A block of scores, sᵀ [keys, panel],
// is the product of key rows with the panel's qᵀ; maximum, exponential and sum of a query run down a lane; and
// oᵀ [dimension, LANES] gains Σ_key v[key]ᵀ·pᵀ[key]. No number crosses lanes, and every product has its left operand
// broadcast from a key row and its right one in registers or the first cache level.
//
// Running maximum and sum: Milakov & Gimelshein, "Online normalizer calculation for softmax", 2018, alg. 3; blocks of
// keys and the recomputing gradient: Dao, Fu, Ermon, Rudra, Ré, "FlashAttention", 2022, alg. 1 and 4.

#pragma clang fp contract(fast)

// Keys of a block at most: its scores fill two thirds of the first cache level.
#define KEYS 128
// The same for the gradient, a multiple of all tiles; and keys at most of queries whose delta is found on the way.
#define GRADIENT_KEYS 96
#define KEYS_ALONE 512
// Largest number of accumulators of a product tile's side.
#define MOST_ROWS 16

// One vector of queries while keys stream past. Offsets in floats from its start.
struct N(query) {
    size_t q, o;            // qᵀ [words, LANES]; oᵀ, or dqᵀ, [dimension, LANES]
    size_t most, total;     // [LANES] each: maximum and sum; for the gradient lse and delta
    size_t dout;            // doᵀ [dimension, LANES], times the gate
    size_t q_rows, d_rows;  // q, and do times the gate, by rows, [LANES, whole]
    size_t size;
};

// Words of that many numbers.
INLINE size_t N(words)(size_t count) { return (count + WORD - 1) / WORD; }

INLINE size_t N(whole)(size_t dimension) { return (dimension + LANES - 1) / LANES * LANES; }

INLINE struct N(query) N(query_layout)(size_t dimension, int gradient) {
    struct N(query) at = {0};
    size_t block = dimension * LANES;
    at.q = 0, at.o = N(words)(dimension) * LANES, at.most = at.o + block, at.total = at.most + LANES;
    at.size = at.total + LANES;
    if (gradient) {
        at.dout = at.size, at.q_rows = at.dout + block;
        at.d_rows = at.q_rows + N(whole)(dimension) * LANES;
        at.size = at.d_rows + N(whole)(dimension) * LANES;
    }
    return at;
}

// s[r] = Σ_d k[r, d]·q[d] for `rows` key rows and a panel; `top` keeps the largest score of every lane.
INLINE void N(score_tile)(const int rows, const int vectors, const float *k, size_t stride, const float *const *q,
                          size_t words, float *s, V *top) {
    V sum[MOST_ROWS][4];
    const float *row[MOST_ROWS];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
        row[r] = k + (size_t)r * stride;
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) sum[r][v] = N(splat)(0);
    }
    for (size_t d = 0; d < words; d++) {
        V column[4];
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) column[v] = N(load)(q[v] + d * LANES);
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) {
            V factor = N(splat)(row[r][d]);
#pragma clang loop unroll(full)
            for (int v = 0; v < vectors; v++) sum[r][v] = N(gain)(sum[r][v], factor, column[v]);
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) {
            N(store)(s + (r * vectors + v) * LANES, sum[r][v]);
            if (top) top[v] = N(greater)(sum[r][v], top[v]);
        }
}

#undef TILE_KEYS
#undef TILE_SUMS
// Key rows of a tile for panels of 1 to MAX_VECTORS vectors: as many as the registers hold.
#if MAX_VECTORS == 4
#define TILE_KEYS(vectors) ((vectors) == 4 ? 6 : (vectors) == 3 ? 8 : 12)
#define TILE_SUMS(vectors) ((vectors) == 4 ? 4 : (vectors) == 3 ? 8 : (vectors) == 2 ? 8 : 16)
#else
#define TILE_KEYS(vectors) 6
#define TILE_SUMS(vectors) ((vectors) == 2 ? 4 : 8)
#endif

// s [keys, panel] = key rows · panel
INLINE void N(scores)(const int vectors, const float *k, size_t stride, const float *const *q, size_t words,
                      size_t keys, float *s, V *top) {
    const size_t panel = (size_t)vectors * LANES;
    size_t j = 0;
    for (; j + TILE_KEYS(vectors) <= keys; j += TILE_KEYS(vectors))
        N(score_tile)(TILE_KEYS(vectors), vectors, k + j * stride, stride, q, words, s + j * panel, top);
    for (; j + 4 <= keys; j += 4) N(score_tile)(4, vectors, k + j * stride, stride, q, words, s + j * panel, top);
    for (; j + 2 <= keys; j += 2) N(score_tile)(2, vectors, k + j * stride, stride, q, words, s + j * panel, top);
    if (j < keys) N(score_tile)(1, vectors, k + j * stride, stride, q, words, s + j * panel, top);
}

// o[d] = shrink·o[d] + Σ_key rows[key, d]·p[key] for `columns` numbers d of a row; no shrink is 1. `words` of keys.
INLINE void N(sum_tile)(const int columns, const int vectors, const float *rows, size_t stride, const float *p,
                        size_t words, float *const *o, const V *shrink) {
    V sum[MOST_ROWS][4];
#pragma clang loop unroll(full)
    for (int c = 0; c < columns; c++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) {
            sum[c][v] = N(load)(o[v] + c * LANES);
            if (shrink) sum[c][v] *= shrink[v];
        }
    for (size_t j = 0; j < words; j++) {
        V weight[4];
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) weight[v] = N(load)(p + v * LANES);
#pragma clang loop unroll(full)
        for (int c = 0; c < columns; c++) {
            V factor = N(splat)(rows[c]);
#pragma clang loop unroll(full)
            for (int v = 0; v < vectors; v++) sum[c][v] = N(gain)(sum[c][v], factor, weight[v]);
        }
        p += vectors * LANES;
        rows += stride;
    }
#pragma clang loop unroll(full)
    for (int c = 0; c < columns; c++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) N(store)(o[v] + c * LANES, sum[c][v]);
}

INLINE void N(weighted_sum)(const int vectors, const float *rows, size_t stride, const float *p, size_t dimension,
                            size_t words, float *const *o, const V *shrink) {
    size_t d = 0;
    float *to[4];
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) to[v] = o[v];
    for (; d + TILE_SUMS(vectors) <= dimension; d += TILE_SUMS(vectors)) {
        N(sum_tile)(TILE_SUMS(vectors), vectors, rows + d, stride, p, words, to, shrink);
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) to[v] += TILE_SUMS(vectors) * LANES;
    }
    for (; d < dimension; d++) {
        N(sum_tile)(1, vectors, rows + d, stride, p, words, to, shrink);
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) to[v] += LANES;
    }
}

// One block of keys joins the queries' running softmax. k is [keys, words of dimension]; v is [words of keys,
// dimension]. p [words of keys, panel] is room for the exponentials that multiply v. With a `reference` [panel], which takes
// that of every lane, s [keys, panel] is left holding exp₂(score − reference) in f32; in f32 p is s itself.
#if WORD == 1
INLINE void N(absorb)(const int vectors, const float *k, size_t k_stride, const float *v, size_t v_stride, size_t keys,
                      size_t dimension, float *const *query, float *s, float *p, float *reference) {
    const struct N(query) at = N(query_layout)(dimension, 0);
    const size_t panel = (size_t)vectors * LANES;
    const float *q[4];
    float *o[4];
    V top[4], shrink[4];
#pragma clang loop unroll(full)
    for (int i = 0; i < vectors; i++) q[i] = query[i] + at.q, o[i] = query[i] + at.o, top[i] = N(splat)(-INFINITY);
    N(scores)(vectors, k, k_stride, q, N(words)(dimension), keys, s, top);
#pragma clang loop unroll(full)
    for (int i = 0; i < vectors; i++) {
        V old = N(load)(query[i] + at.most);
        // A finite reference even when every score is −∞, so that no −∞ − −∞ arises.
        V most = N(greater)(N(greater)(top[i], old), N(splat)(-3.0e38f));
        V sum = N(splat)(0);
        for (size_t j = 0; j < keys; j++) {
            V e = N(exp2)(N(load)(s + j * panel + i * LANES) - most);
            N(store)(p + j * panel + i * LANES, e);
            sum += e;
        }
        shrink[i] = N(exp2)(old - most);
        N(store)(query[i] + at.most, most);
        N(store)(query[i] + at.total, N(load)(query[i] + at.total) * shrink[i] + sum);
        if (reference) N(store)(reference + i * LANES, most);
    }
    N(weighted_sum)(vectors, v, v_stride, p, dimension, N(words)(keys), o, shrink);
}
#else
// What becomes of scores: each has its lane's reference taken off already.
struct N(weighing) {
    float *top, *sum;  // [panel]: the largest score and the sum of exponentials of every lane
    float *p;          // [words of keys, panel]
    float *kept;       // [keys, panel]: the exponentials in f32; or null
};

// The exponentials of scores of keys j and j + 1, or of key j alone, and vector v of a panel.
INLINE void N(weigh)(const int vectors, const int v, const int both, const int keeps, const float *score, size_t j,
                     const struct N(weighing) *to) {
    V a = N(load)(score + v * LANES), b = both ? N(load)(score + (vectors + v) * LANES) : N(splat)(-INFINITY);
    float *place = to->p + (j / 2 * vectors + v) * LANES, *kept = to->kept + (j * vectors + v) * LANES;
    V top = N(greater)(a, N(load)(to->top + v * LANES)), sum = N(load)(to->sum + v * LANES);
    N(store)(to->top + v * LANES, both ? N(greater)(b, top) : top);
    if (keeps) {
        a = N(exp2_brain)(a), b = both ? N(exp2_brain)(b) : N(splat)(0);
        N(store)(kept, a);
        if (both) N(store)(kept + vectors * LANES, b);
        N(store)(place, N(two)(a, b));
        sum += a + b;
    } else {
        a = N(exp2_cut)(a), b = both ? N(exp2_cut)(b) : N(splat)(0);
        V pair = N(two_cut)(a, b);
        N(store)(place, pair);
        // 1 and 1
        sum = N(gain)(sum, pair, (V)(VI)(0x3f803f80));
    }
    N(store)(to->sum + v * LANES, sum);
}

// score [rows, panel] = key rows · panel − reference, while the exponentials of the scores that were there, of keys
// j − rows ..< j, go where they belong: what one needs of the processor leaves room for the other. Rows beyond the first
// `count` repeat the last.
INLINE void N(weight_tile)(const int rows, const int vectors, const int follows, const int keeps, const float *k,
                           size_t stride, size_t count, const float *const *q, size_t words, const float *reference,
                           float *score, size_t j, const struct N(weighing) *to) {
    V sum[MOST_ROWS][4];
    const float *row[MOST_ROWS];
    const size_t pairs = (size_t)rows / 2 * vectors;
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
        row[r] = k + ((size_t)r < count ? (size_t)r : count - 1) * stride;
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) sum[r][v] = -N(load)(reference + v * LANES);
    }
    size_t d = 0;
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r += 2)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) {
            const size_t end = words * (size_t)(r / 2 * vectors + v + 1) / pairs;
#pragma clang loop unroll_count(2)
            for (; d < end; d++) {
                V column[4];
#pragma clang loop unroll(full)
                for (int i = 0; i < vectors; i++) column[i] = N(load)(q[i] + d * LANES);
#pragma clang loop unroll(full)
                for (int n = 0; n < rows; n++) {
                    V factor = N(splat)(row[n][d]);
#pragma clang loop unroll(full)
                    for (int i = 0; i < vectors; i++) sum[n][i] = N(gain)(sum[n][i], factor, column[i]);
                }
            }
            if (follows) N(weigh)(vectors, v, 1, keeps, score + r * vectors * LANES, j - rows + r, to);
        }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) N(store)(score + (r * vectors + v) * LANES, sum[r][v]);
}

// Key rows of a tile whose sums leave registers for exponentials.
#undef WEIGHT_ROWS
#if MAX_VECTORS == 4
#define WEIGHT_ROWS(vectors) ((vectors) > 2 ? 4 : 8)
#else
#define WEIGHT_ROWS(vectors) ((vectors) > 1 ? 2 : 4)
#endif

INLINE void N(weights)(const int vectors, const int keeps, const float *k, size_t stride, const float *const *q,
                       size_t words, size_t keys, const float *reference, const struct N(weighing) *to) {
    const int rows = WEIGHT_ROWS(vectors);
    float score[8 * 4 * LANES];
    size_t j = 0;
    N(weight_tile)(rows, vectors, 0, keeps, k, stride, keys, q, words, reference, score, 0, to);
    for (j = (size_t)rows; j < keys; j += (size_t)rows)
        N(weight_tile)(rows, vectors, 1, keeps, k + j * stride, stride, keys - j, q, words, reference, score, j, to);
    j -= (size_t)rows;
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r += 2) {
        const float *at = score + r * vectors * LANES;
        if (j + r + 1 < keys) {
#pragma clang loop unroll(full)
            for (int v = 0; v < vectors; v++) N(weigh)(vectors, v, 1, keeps, at, j + r, to);
        } else if (j + r < keys) {
#pragma clang loop unroll(full)
            for (int v = 0; v < vectors; v++) N(weigh)(vectors, v, 0, keeps, at, j + r, to);
        }
    }
}

// The reference of a lane need not be its largest score: it is that of the first two keys until a score exceeds it by 2^60,
// which leaves room on both sides. So exponentials need not wait for the scores of the whole block.
INLINE void N(absorb)(const int vectors, const float *k, size_t k_stride, const float *v, size_t v_stride, size_t keys,
                      size_t dimension, float *const *query, float *s, float *p, float *reference) {
    const struct N(query) at = N(query_layout)(dimension, 0);
    const float *q[4];
    float *o[4], most[4 * LANES], top[4 * LANES], sum[4 * LANES];
    // The exponential is of ½ more.
    const V half = N(splat)(reference ? 0 : 0.5f);
    VI fresh = (VI)(0);
#pragma clang loop unroll(full)
    for (int i = 0; i < vectors; i++) {
        q[i] = query[i] + at.q, o[i] = query[i] + at.o;
        fresh |= (VI)(N(load)(query[i] + at.most) == N(splat)(-INFINITY));
    }
    if (__builtin_reduce_or(fresh)) {
        V first[4];
#pragma clang loop unroll(full)
        for (int i = 0; i < vectors; i++) first[i] = N(splat)(-3.0e38f);
        if (keys > 1)
            N(score_tile)(2, vectors, k, k_stride, q, N(words)(dimension), s, first);
        else
            N(score_tile)(1, vectors, k, k_stride, q, N(words)(dimension), s, first);
#pragma clang loop unroll(full)
        for (int i = 0; i < vectors; i++) {
            V old = N(load)(query[i] + at.most);
            N(store)(query[i] + at.most, N(select)((VI)(old == N(splat)(-INFINITY)), first[i], old));
        }
    }
    for (;;) {
#pragma clang loop unroll(full)
        for (int i = 0; i < vectors; i++) {
            N(store)(most + i * LANES, N(load)(query[i] + at.most) + half);
            N(store)(top + i * LANES, N(splat)(-INFINITY));
            N(store)(sum + i * LANES, N(splat)(0));
        }
        const struct N(weighing) to = {top, sum, p, s};
        if (reference)
            N(weights)(vectors, 1, k, k_stride, q, N(words)(dimension), keys, most, &to);
        else if (k_stride == 16 && dimension == 32)
            N(weights)(vectors, 0, k, 16, q, 16, keys, most, &to);
        else
            N(weights)(vectors, 0, k, k_stride, q, N(words)(dimension), keys, most, &to);
        VI steep = (VI)(0);
#pragma clang loop unroll(full)
        for (int i = 0; i < vectors; i++) steep |= (VI)(N(load)(top + i * LANES) > N(splat)(60));
        if (!__builtin_reduce_or(steep)) break;
        for (int i = 0; i < vectors; i++) {
            V old = N(load)(query[i] + at.most);
            V larger = N(greater)(N(load)(top + i * LANES) + N(load)(most + i * LANES), old);
            V shrink = N(exp2)(old - larger);
            N(store)(query[i] + at.most, larger);
            N(store)(query[i] + at.total, N(load)(query[i] + at.total) * shrink);
            for (size_t d = 0; d < dimension; d++) N(store)(o[i] + d * LANES, N(load)(o[i] + d * LANES) * shrink);
        }
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < vectors; i++) {
        N(store)(query[i] + at.total, N(load)(query[i] + at.total) + N(load)(sum + i * LANES));
        if (reference) N(store)(reference + i * LANES, N(load)(query[i] + at.most));
    }
    N(weighted_sum)(vectors, v, v_stride, p, dimension, N(words)(keys), o, 0);
}
#endif

#if WORD == 1
// d[r] += Σ_lane w[r, lane]·rows[lane] for `keys` rows r and `columns` vectors of a row: dk or dv of some keys.
INLINE void N(spread_tile)(const int keys, const int columns, const int vectors, const float *w,
                           const float *const *rows, size_t row_stride, float *d, size_t d_stride) {
    V sum[MOST_ROWS][4];
#pragma clang loop unroll(full)
    for (int r = 0; r < keys; r++)
#pragma clang loop unroll(full)
        for (int c = 0; c < columns; c++) sum[r][c] = N(load)(d + r * d_stride + c * LANES);
    for (int v = 0; v < vectors; v++) {
        const float *row = rows[v], *weight = w + v * LANES;
        for (size_t l = 0; l < LANES; l++) {
            V column[4];
#pragma clang loop unroll(full)
            for (int c = 0; c < columns; c++) column[c] = N(load)(row + c * LANES);
            row += row_stride;
#pragma clang loop unroll(full)
            for (int r = 0; r < keys; r++) {
                V factor = N(splat)(weight[(size_t)r * vectors * LANES + l]);
#pragma clang loop unroll(full)
                for (int c = 0; c < columns; c++) sum[r][c] += factor * column[c];
            }
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < keys; r++)
#pragma clang loop unroll(full)
        for (int c = 0; c < columns; c++) N(store)(d + r * d_stride + c * LANES, sum[r][c]);
}

// d [keys, whole] += wᵀ [keys, panel] · rows [panel, whole]
INLINE void N(spread)(const int vectors, const float *w, const float *const *rows, size_t whole, size_t keys,
                      float *d) {
    const size_t panel = (size_t)vectors * LANES;
    for (size_t c = 0; c < whole;) {
        size_t left = (whole - c) / LANES;
        const float *at[4];
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) at[v] = rows[v] + c;
        size_t j = 0;
#define SPREAD(some, columns) \
    for (; j + some <= keys; j += some) \
        N(spread_tile)(some, columns, vectors, w + j * panel, at, whole, d + j * whole + c, whole)
#if MAX_VECTORS == 4
        if (left >= 4) {
            SPREAD(6, 4);
            SPREAD(2, 4);
            SPREAD(1, 4);
            c += 4 * LANES;
            continue;
        }
        if (left >= 2) {
            SPREAD(12, 2);
            SPREAD(4, 2);
            SPREAD(1, 2);
            c += 2 * LANES;
            continue;
        }
        SPREAD(12, 1);
#else
        if (left >= 2) {
            SPREAD(6, 2);
            SPREAD(2, 2);
            SPREAD(1, 2);
            c += 2 * LANES;
            continue;
        }
        SPREAD(6, 1);
#endif
        SPREAD(1, 1);
#undef SPREAD
        c += LANES;
    }
}

// Key rows times a panel, finished while the sums are in registers: p = exp₂(k·q − shift), or with `dp` what the scores
// gain, ds = p·(v·do − shift), of `rows` rows.
INLINE void N(gradient_tile)(const int rows, const int vectors, const int dp, const float *k, size_t stride,
                             const float *const *q, size_t dimension, const float *const *shift, float *p,
                             float *ds) {
    V sum[MOST_ROWS][4];
    const float *row[MOST_ROWS];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
        row[r] = k + (size_t)r * stride;
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) sum[r][v] = N(splat)(0);
    }
    for (size_t d = 0; d < dimension; d++) {
        V column[4];
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) column[v] = N(load)(q[v] + d * LANES);
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) {
            V factor = N(splat)(row[r][d]);
#pragma clang loop unroll(full)
            for (int v = 0; v < vectors; v++) sum[r][v] += factor * column[v];
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) {
            const size_t place = (size_t)(r * vectors + v) * LANES;
            V x = sum[r][v] - N(load)(shift[v]);
            if (dp)
                N(store)(ds + place, N(load)(p + place) * x);
            else
                N(store)(p + place, N(exp2)(x));
        }
}

INLINE void N(gradient_tiles)(const int vectors, const int dp, const float *k, size_t stride, const float *const *q,
                              size_t dimension, const float *const *shift, size_t keys, float *p, float *ds) {
    const size_t panel = (size_t)vectors * LANES;
    size_t j = 0;
#define TILES(some) \
    for (; j + some <= keys; j += some) \
        N(gradient_tile)(some, vectors, dp, k + j * stride, stride, q, dimension, shift, p + j * panel, ds + j * panel)
    TILES(TILE_KEYS(vectors));
    TILES(4);
    TILES(2);
    TILES(1);
#undef TILES
}

// Adds Σ_key p·dp, which is Σ o·do, to the queries' delta. p and dp are left in s and ds.
INLINE void N(absorb_delta)(const int vectors, const float *k, size_t k_stride, const float *v, size_t v_stride,
                            size_t keys, size_t dimension, float *const *query, float *s, float *ds) {
    const struct N(query) at = N(query_layout)(dimension, 1);
    const size_t panel = (size_t)vectors * LANES;
    const float *q[4], *dout[4], *lse[4];
#pragma clang loop unroll(full)
    for (int i = 0; i < vectors; i++)
        q[i] = query[i] + at.q, dout[i] = query[i] + at.dout, lse[i] = query[i] + at.most;
    N(gradient_tiles)(vectors, 0, k, k_stride, q, dimension, lse, keys, s, ds);
    N(scores)(vectors, v, v_stride, dout, dimension, keys, ds, 0);
#pragma clang loop unroll(full)
    for (int i = 0; i < vectors; i++) {
        V sum = N(splat)(0);
        for (size_t j = 0; j < keys; j++)
            sum += N(load)(s + j * panel + i * LANES) * N(load)(ds + j * panel + i * LANES);
        N(store)(query[i] + at.total, N(load)(query[i] + at.total) + sum);
    }
}

// dq of the queries, and dk and dv [keys, whole] of the block, gain what this block and these queries give each other.
// With `alone` the block holds all keys of the queries, and their delta comes from it on the way.
INLINE void N(absorb_gradient)(const int vectors, const int alone, const float *k, size_t k_stride, const float *v,
                               size_t v_stride, size_t keys, size_t dimension, float *const *query, float *dk,
                               float *dv, float *s, float *ds) {
    const struct N(query) at = N(query_layout)(dimension, 1);
    const size_t panel = (size_t)vectors * LANES, whole = N(whole)(dimension);
    float *dq[4];
    const float *q[4], *dout[4], *lse[4], *delta[4], *q_rows[4], *d_rows[4];
#pragma clang loop unroll(full)
    for (int i = 0; i < vectors; i++) {
        q[i] = query[i] + at.q, dout[i] = query[i] + at.dout, lse[i] = query[i] + at.most;
        dq[i] = query[i] + at.o, delta[i] = query[i] + at.total;
        q_rows[i] = query[i] + at.q_rows, d_rows[i] = query[i] + at.d_rows;
    }
    if (alone) {
        N(absorb_delta)(vectors, k, k_stride, v, v_stride, keys, dimension, query, s, ds);
#pragma clang loop unroll(full)
        for (int i = 0; i < vectors; i++) {
            V shift = N(load)(delta[i]);
            for (size_t j = 0; j < keys; j++) {
                float *to = ds + j * panel + i * LANES;
                N(store)(to, N(load)(s + j * panel + i * LANES) * (N(load)(to) - shift));
            }
        }
    } else {
        N(gradient_tiles)(vectors, 0, k, k_stride, q, dimension, lse, keys, s, ds);
        N(gradient_tiles)(vectors, 1, v, v_stride, dout, dimension, delta, keys, s, ds);
    }
    for (size_t j = 0; j < keys; j += GRADIENT_KEYS) {
        const size_t some = keys - j < GRADIENT_KEYS ? keys - j : GRADIENT_KEYS;
        N(weighted_sum)(vectors, k + j * k_stride, k_stride, ds + j * panel, dimension, some, dq, 0);
        N(spread)(vectors, s + j * panel, d_rows, whole, some, dv + j * whole);
        N(spread)(vectors, ds + j * panel, q_rows, whole, some, dk + j * whole);
    }
}
#endif
