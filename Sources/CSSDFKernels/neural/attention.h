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
INLINE void N(transpose_in)(const size_t panel, const float *from, size_t stride, const int32_t *rows, size_t group,
                            size_t dimension, size_t first, size_t lanes, float factor, float *to) {
    for (size_t start = 0; start < panel; start += LANES) {
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
            for (size_t i = 0; i < deep; i++) N(store)(to + (d + i) * panel + start, block[i]);
        }
    }
}

// to[row first + lane, d] = factor[lane] · from[d, lane]
INLINE void N(transpose_out)(const size_t panel, const float *from, float *to, size_t stride, const int32_t *rows,
                             size_t group, size_t dimension, size_t first, size_t lanes, const float *factor) {
    for (size_t start = 0; start < lanes; start += LANES) {
        size_t some = lanes - start < LANES ? lanes - start : LANES;
        V scale = N(load)(factor + start);
        for (size_t d = 0; d < dimension; d += LANES) {
            size_t deep = dimension - d < LANES ? dimension - d : LANES;
            V block[LANES];
            for (size_t i = 0; i < LANES; i++)
                block[i] = i < deep ? N(load)(from + (d + i) * panel + start) * scale : N(splat)(0);
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

// Rows of a product tile and columns of a sum tile, for panels of 1 to MAX_VECTORS vectors.
#define TILE_ROWS(vectors) ((vectors) == 4 ? 6 : (vectors) == 3 ? 8 : MAX_VECTORS == 4 ? 12 : 6)
#define TILE_COLUMNS(vectors) ((vectors) == 4 || MAX_VECTORS == 2 ? 4 : 8)

// c [keys, panel] = key rows · panel
INLINE void N(scores)(const int vectors, const float *rows, const int32_t *index, size_t stride, const float *q,
                      size_t dimension, float *c, size_t keys) {
    const size_t panel = (size_t)vectors * LANES;
    __builtin_memset(c, 0, keys * panel * sizeof(float));
    for (size_t k = 0; k < dimension; k += DEPTH_BLOCK) {
        size_t deep = dimension - k < DEPTH_BLOCK ? dimension - k : DEPTH_BLOCK;
        N(product_panel)(TILE_ROWS(vectors), vectors, rows + k, index, stride, q + k * panel, deep, c, 0, 0, panel,
                         keys, panel);
    }
}

// c [dimension, panel] += key rowsᵀ · p [keys, panel]
INLINE void N(weighted_sum)(const int vectors, const float *rows, const int32_t *index, size_t stride, const float *p,
                            size_t dimension, float *c, size_t keys) {
    const size_t panel = (size_t)vectors * LANES;
    N(outer_panel)(TILE_COLUMNS(vectors), vectors, rows, index, stride, p, 0, panel, 0, dimension, panel, c, keys);
}

// One panel: query rows first ..< first + lanes.
INLINE void N(forward_panel)(const int vectors, const struct ssdf_attention *t, const int32_t *q_rows, size_t first,
                             size_t lanes, const int32_t *k_rows, size_t keys, float *out, float *lse,
                             float *scratch) {
    const size_t panel = (size_t)vectors * LANES, dimension = t->dimension, group = t->group;
    float *q = scratch, *o = q + dimension * panel, *p = o + dimension * panel;
    float *most = p + KEYS * panel, *total = most + panel, *factor = total + panel;
    N(transpose_in)(panel, t->q, t->q_stride, q_rows, group, dimension, first, lanes, t->scale, q);
    __builtin_memset(o, 0, dimension * panel * sizeof(float));
    for (size_t l = 0; l < panel; l++) most[l] = -INFINITY, total[l] = 0;
    for (size_t key = 0; key < keys; key += KEYS) {
        size_t n = keys - key < KEYS ? keys - key : KEYS;
        const int32_t *index = k_rows ? k_rows + key : 0;
        N(scores)(vectors, k_rows ? t->k : t->k + key * t->k_stride, index, t->k_stride, q, dimension, p, n);
        int moved = 0;
        for (size_t l = 0; l < panel; l += LANES) {
            V top = N(load)(most + l), old = top;
            for (size_t j = 0; j < n; j++) top = N(max)(top, N(load)(p + j * panel + l));
            // A finite reference even when every score is −∞, so that no −∞ − −∞ arises.
            V reference = N(max)(top, N(splat)(-3.0e38f));
            V sum = N(splat)(0);
            for (size_t j = 0; j < n; j++) {
                V e = N(exp)(N(load)(p + j * panel + l) - reference);
                N(store)(p + j * panel + l, e);
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
                for (size_t l = 0; l < panel; l += LANES)
                    N(store)(o + d * panel + l, N(load)(o + d * panel + l) * N(load)(factor + l));
        N(weighted_sum)(vectors, k_rows ? t->v : t->v + key * t->v_stride, index, t->v_stride, p, dimension, o, n);
    }
    for (size_t l = 0; l < lanes; l++) {
        factor[l] = total[l] > 0 ? 1 / total[l] : 0;
        if (lse) {
            size_t row = first + l, token = row / group;
            lse[(q_rows ? (size_t)q_rows[token] : token) * t->lse_stride + row % group] =
                keys ? most[l] + __builtin_logf(total[l]) : -INFINITY;
        }
    }
    N(transpose_out)(panel, o, out, t->out_stride, q_rows, group, dimension, first, lanes, factor);
}

static void N(attention_forward)(const struct ssdf_attention *t, const int32_t *q_rows, size_t queries,
                                 const int32_t *k_rows, size_t keys, float *out, float *lse, float *scratch) {
    const size_t rows = queries * t->group;
    for (size_t first = 0; first < rows; first += PANEL) {
        size_t lanes = rows - first < PANEL ? rows - first : PANEL;
        // A panel that is not full uses as few vectors as hold it.
        switch ((lanes + LANES - 1) / LANES) {
        case 1: N(forward_panel)(1, t, q_rows, first, lanes, k_rows, keys, out, lse, scratch); break;
#if MAX_VECTORS == 4
        case 2: N(forward_panel)(2, t, q_rows, first, lanes, k_rows, keys, out, lse, scratch); break;
        case 3: N(forward_panel)(3, t, q_rows, first, lanes, k_rows, keys, out, lse, scratch); break;
#endif
        default: N(forward_panel)(MAX_VECTORS, t, q_rows, first, lanes, k_rows, keys, out, lse, scratch);
        }
    }
}

// One panel of the gradient.
INLINE void N(backward_panel)(const int vectors, const struct ssdf_attention *t,
                              const struct ssdf_attention_gradient *g, const int32_t *q_rows, size_t first,
                              size_t lanes, const int32_t *k_rows, size_t keys, float *scratch) {
    const size_t panel = (size_t)vectors * LANES, dimension = t->dimension, group = t->group;
    const size_t whole = (dimension + LANES - 1) / LANES * LANES;
    float *q = scratch, *dout = q + dimension * panel, *dq = dout + dimension * panel;
    float *q_panel = dq + dimension * panel, *dout_panel = q_panel + panel * whole;
    float *p = dout_panel + panel * whole, *ds = p + KEYS * panel;
    float *lse = ds + KEYS * panel, *delta = lse + panel, *one = delta + panel;
    N(transpose_in)(panel, t->q, t->q_stride, q_rows, group, dimension, first, lanes, t->scale, q);
    N(transpose_in)(panel, g->dout, t->out_stride, q_rows, group, dimension, first, lanes, 1, dout);
    N(pack)(q, 1, panel, panel, dimension, q_panel);
    N(pack)(dout, 1, panel, panel, dimension, dout_panel);
    __builtin_memset(dq, 0, dimension * panel * sizeof(float));
    for (size_t l = 0; l < panel; l++) {
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
        N(scores)(vectors, k, index, t->k_stride, q, dimension, p, n);
        N(scores)(vectors, v, index, t->v_stride, dout, dimension, ds, n);
        for (size_t l = 0; l < panel; l += LANES) {
            V norm = N(load)(lse + l), shift = N(load)(delta + l);
            for (size_t j = 0; j < n; j++) {
                V e = N(exp)(N(load)(p + j * panel + l) - norm);
                N(store)(p + j * panel + l, e);
                N(store)(ds + j * panel + l, e * (N(load)(ds + j * panel + l) - shift));
            }
        }
        N(weighted_sum)(vectors, k, index, t->k_stride, ds, dimension, dq, n);
        // Each key row of dk and dv gains a product of its lanes with the packed panel; q carries the scale.
        size_t at = k_rows ? 0 : key;
        N(product_rows_wide)(p, dout_panel, panel, panel, dimension, g->dv + at * g->dv_stride, index, g->dv_stride,
                             n);
        N(product_rows_wide)(ds, q_panel, panel, panel, dimension, g->dk + at * g->dk_stride, index, g->dk_stride, n);
    }
    N(transpose_out)(panel, dq, g->dq, g->dq_stride, q_rows, group, dimension, first, lanes, one);
}

static void N(attention_backward)(const struct ssdf_attention *t, const struct ssdf_attention_gradient *g,
                                  const int32_t *q_rows, size_t queries, const int32_t *k_rows, size_t keys,
                                  float *scratch) {
    const size_t rows = queries * t->group;
    for (size_t first = 0; first < rows; first += PANEL) {
        size_t lanes = rows - first < PANEL ? rows - first : PANEL;
        switch ((lanes + LANES - 1) / LANES) {
        case 1: N(backward_panel)(1, t, g, q_rows, first, lanes, k_rows, keys, scratch); break;
#if MAX_VECTORS == 4
        case 2: N(backward_panel)(2, t, g, q_rows, first, lanes, k_rows, keys, scratch); break;
        case 3: N(backward_panel)(3, t, g, q_rows, first, lanes, k_rows, keys, scratch); break;
#endif
        default: N(backward_panel)(MAX_VECTORS, t, g, q_rows, first, lanes, k_rows, keys, scratch);
        }
    }
}
