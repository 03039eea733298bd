// Softmax attention streamed over blocks of keys; scores exist for one block of keys and one panel of queries only.
//
// Queries lie in the lanes: a panel is PANEL query rows (a row is one query head of one token), held transposed,
// qᵀ [dimension, PANEL]. A block of scores, sᵀ [KEYS, PANEL], is then a product of key rows, read where they lie by
// index, with the packed panel; the maximum, exponential and sum of a query run down a lane, and oᵀ [dimension, PANEL]
// gains Σ_key v[key]ᵀ · pᵀ[key]. Query heads that share a key/value head fill the lanes of one panel.
//
// Running maximum and sum: Milakov & Gimelshein, "Online normalizer calculation for softmax", 2018, alg. 3; blocks of
// keys and the recomputing gradient: Dao, Fu, Ermon, Rudra, Ré, "FlashAttention", 2022, alg. 1 and 4.

#pragma clang fp contract(fast)

#define PANEL (MAX_VECTORS * LANES)
// Keys of a block: the block's scores, key rows and the panel's state share the first two cache levels.
#define KEYS 64

static size_t N(attention_scratch)(size_t dimension) {
    size_t whole = (dimension + LANES - 1) / LANES * LANES;
    // qᵀ, doᵀ, oᵀ, and q and do packed by rows; p and ds; maximum, sum, lse, delta, factor.
    return 3 * dimension * PANEL + 2 * PANEL * whole + 2 * KEYS * PANEL + 5 * PANEL;
}

// Lane l of the panel that starts at row `first`: its token and head.
INLINE size_t N(lane_offset)(const int32_t *rows, size_t row, size_t group, size_t stride, size_t dimension) {
    size_t token = row / group, head = row - token * group;
    if (rows) token = (size_t)rows[token];
    return token * stride + head * dimension;
}

// to[d, lane] = factor · from[row first + lane, d], in blocks of LANES × LANES; lanes beyond the rows are zero.
static void N(transpose_in)(const float *from, size_t stride, const int32_t *rows, size_t group, size_t dimension,
                            size_t first, size_t lanes, float factor, float *to) {
    for (size_t start = 0; start < PANEL; start += LANES) {
        const float *row[LANES];
        for (size_t l = 0; l < LANES; l++) {
            size_t lane = start + l;
            row[l] = lane < lanes ? from + N(lane_offset)(rows, first + lane, group, stride, dimension) : 0;
        }
        for (size_t d = 0; d < dimension; d += LANES) {
            size_t deep = dimension - d < LANES ? dimension - d : LANES;
            V block[LANES];
            for (size_t l = 0; l < LANES; l++)
                block[l] = !row[l]          ? N(splat)(0)
                           : deep == LANES ? N(load)(row[l] + d) * factor
                                           : N(load_some)(row[l] + d, deep, 0) * factor;
            N(transpose)(block);
            for (size_t i = 0; i < deep; i++) N(store)(to + (d + i) * PANEL + start, block[i]);
        }
    }
}

// to[row first + lane, d] = factor[lane] · from[d, lane]
static void N(transpose_out)(const float *from, float *to, size_t stride, const int32_t *rows, size_t group,
                             size_t dimension, size_t first, size_t lanes, const float *factor) {
    for (size_t start = 0; start < lanes; start += LANES) {
        size_t some = lanes - start < LANES ? lanes - start : LANES;
        V scale = N(load)(factor + start);
        for (size_t d = 0; d < dimension; d += LANES) {
            size_t deep = dimension - d < LANES ? dimension - d : LANES;
            V block[LANES];
            for (size_t i = 0; i < LANES; i++)
                block[i] = i < deep ? N(load)(from + (d + i) * PANEL + start) * scale : N(splat)(0);
            N(transpose)(block);
            for (size_t l = 0; l < some; l++) {
                float *row = to + N(lane_offset)(rows, first + start + l, group, stride, dimension) + d;
                if (deep == LANES)
                    N(store)(row, block[l]);
                else
                    N(store_some)(row, block[l], deep);
            }
        }
    }
}

// c [keys, PANEL] = key rows · panel
INLINE void N(scores)(const float *rows, const int32_t *index, size_t stride, const float *panel, size_t dimension,
                      float *c, size_t keys) {
    __builtin_memset(c, 0, keys * PANEL * sizeof(float));
    for (size_t k = 0; k < dimension; k += DEPTH_BLOCK) {
        size_t deep = dimension - k < DEPTH_BLOCK ? dimension - k : DEPTH_BLOCK;
        N(product_panel)(6, MAX_VECTORS, rows + k, index, stride, panel + k * PANEL, deep, c, 0, 0, PANEL, keys,
                         PANEL);
    }
}

// c [dimension, PANEL] += key rowsᵀ · p [keys, PANEL]
INLINE void N(weighted_sum)(const float *rows, const int32_t *index, size_t stride, const float *p, size_t dimension,
                            float *c, size_t keys) {
    N(outer_panel)(4, MAX_VECTORS, rows, index, stride, p, 0, PANEL, 0, dimension, PANEL, c, keys);
}

static void N(attention_forward)(const struct ssdf_attention *t, const int32_t *q_rows, size_t queries,
                                 const int32_t *k_rows, size_t keys, float *out, float *lse, float *scratch) {
    const size_t dimension = t->dimension, group = t->group, rows = queries * group;
    float *q = scratch, *o = q + dimension * PANEL, *p = o + dimension * PANEL;
    float *most = p + KEYS * PANEL, *total = most + PANEL, *factor = total + PANEL;
    for (size_t first = 0; first < rows; first += PANEL) {
        size_t lanes = rows - first < PANEL ? rows - first : PANEL;
        N(transpose_in)(t->q, t->q_stride, q_rows, group, dimension, first, lanes, t->scale, q);
        __builtin_memset(o, 0, dimension * PANEL * sizeof(float));
        for (int l = 0; l < PANEL; l++) most[l] = -INFINITY, total[l] = 0;
        for (size_t key = 0; key < keys; key += KEYS) {
            size_t n = keys - key < KEYS ? keys - key : KEYS;
            const int32_t *index = k_rows ? k_rows + key : 0;
            N(scores)(k_rows ? t->k : t->k + key * t->k_stride, index, t->k_stride, q, dimension, p, n);
            int moved = 0;
            for (int l = 0; l < PANEL; l += LANES) {
                V top = N(load)(most + l), old = top;
                for (size_t j = 0; j < n; j++) top = N(max)(top, N(load)(p + j * PANEL + l));
                // A finite reference even when every score is −∞, so that no −∞ − −∞ arises.
                V reference = N(max)(top, N(splat)(-3.0e38f));
                V sum = N(splat)(0);
                for (size_t j = 0; j < n; j++) {
                    V e = N(exp)(N(load)(p + j * PANEL + l) - reference);
                    N(store)(p + j * PANEL + l, e);
                    sum += e;
                }
                V shrink = N(exp)(old - reference);
                N(store)(most + l, reference);
                N(store)(total + l, N(load)(total + l) * shrink + sum);
                N(store)(factor + l, shrink);
                moved |= __builtin_reduce_or((VI)(shrink != N(splat)(1.0f)));
            }
            if (moved && key)
                for (size_t d = 0; d < dimension; d++)
                    for (int l = 0; l < PANEL; l += LANES)
                        N(store)(o + d * PANEL + l, N(load)(o + d * PANEL + l) * N(load)(factor + l));
            N(weighted_sum)(k_rows ? t->v : t->v + key * t->v_stride, index, t->v_stride, p, dimension, o, n);
        }
        for (size_t l = 0; l < lanes; l++) {
            factor[l] = total[l] > 0 ? 1 / total[l] : 0;
            if (lse) {
                size_t row = first + l, token = row / group;
                lse[(q_rows ? (size_t)q_rows[token] : token) * t->lse_stride + row % group] =
                    keys ? most[l] + __builtin_logf(total[l]) : -INFINITY;
            }
        }
        N(transpose_out)(o, out, t->out_stride, q_rows, group, dimension, first, lanes, factor);
    }
}

static void N(attention_backward)(const struct ssdf_attention *t, const struct ssdf_attention_gradient *g,
                                  const int32_t *q_rows, size_t queries, const int32_t *k_rows, size_t keys,
                                  float *scratch) {
    const size_t dimension = t->dimension, group = t->group, rows = queries * group;
    const size_t whole = (dimension + LANES - 1) / LANES * LANES;
    float *q = scratch, *dout = q + dimension * PANEL, *dq = dout + dimension * PANEL;
    float *q_panel = dq + dimension * PANEL, *dout_panel = q_panel + PANEL * whole;
    float *p = dout_panel + PANEL * whole, *ds = p + KEYS * PANEL;
    float *lse = ds + KEYS * PANEL, *delta = lse + PANEL, *one = delta + PANEL;
    for (size_t first = 0; first < rows; first += PANEL) {
        size_t lanes = rows - first < PANEL ? rows - first : PANEL;
        N(transpose_in)(t->q, t->q_stride, q_rows, group, dimension, first, lanes, t->scale, q);
        N(transpose_in)(g->dout, t->out_stride, q_rows, group, dimension, first, lanes, 1, dout);
        N(pack)(q, 1, PANEL, PANEL, dimension, q_panel);
        N(pack)(dout, 1, PANEL, PANEL, dimension, dout_panel);
        __builtin_memset(dq, 0, dimension * PANEL * sizeof(float));
        for (size_t l = 0; l < PANEL; l++) {
            // Lanes without a query: exp(0 − ∞) = 0.
            lse[l] = INFINITY, delta[l] = 0, one[l] = t->scale;
            if (l >= lanes) continue;
            size_t row = first + l, token = row / group;
            lse[l] = g->lse[(q_rows ? (size_t)q_rows[token] : token) * t->lse_stride + row % group];
            size_t at = N(lane_offset)(q_rows, row, group, t->out_stride, dimension);
            for (size_t d = 0; d < dimension; d++) delta[l] += g->out[at + d] * g->dout[at + d];
        }
        for (size_t key = 0; key < keys; key += KEYS) {
            size_t n = keys - key < KEYS ? keys - key : KEYS;
            const int32_t *index = k_rows ? k_rows + key : 0;
            const float *k = k_rows ? t->k : t->k + key * t->k_stride;
            const float *v = k_rows ? t->v : t->v + key * t->v_stride;
            N(scores)(k, index, t->k_stride, q, dimension, p, n);
            N(scores)(v, index, t->v_stride, dout, dimension, ds, n);
            for (int l = 0; l < PANEL; l += LANES) {
                V norm = N(load)(lse + l), shift = N(load)(delta + l);
                for (size_t j = 0; j < n; j++) {
                    V e = N(exp)(N(load)(p + j * PANEL + l) - norm);
                    N(store)(p + j * PANEL + l, e);
                    N(store)(ds + j * PANEL + l, e * (N(load)(ds + j * PANEL + l) - shift));
                }
            }
            N(weighted_sum)(k, index, t->k_stride, ds, dimension, dq, n);
            // Each key row of dk and dv gains a product of its lanes with the packed panel; q carries the scale.
            size_t at = k_rows ? 0 : key;
            N(product_rows_wide)(p, dout_panel, PANEL, PANEL, dimension, g->dv + at * g->dv_stride, index,
                                 g->dv_stride, n);
            N(product_rows_wide)(ds, q_panel, PANEL, PANEL, dimension, g->dk + at * g->dk_stride, index,
                                 g->dk_stride, n);
        }
        N(transpose_out)(dq, g->dq, g->dq_stride, q_rows, group, dimension, first, lanes, one);
    }
}
