// Softmax attention streamed over blocks of keys; scores exist for one block of keys and one panel of queries only.
//
// One call is a chunk of query tokens with the query heads of one key/value head. The chunk's queries are transposed
// once into vectors of lanes, which stay in the second cache level with their running softmax; keys come block by
// block, packed into the first; and every panel of the vectors that want a block absorbs it (attention_panel.h).
// What differs between dense, windowed, cross, block-selected and compressed attention is only which vectors want
// which keys.

#pragma clang fp contract(fast)

// The rows of lanes 0 ..< count of a vector.
struct N(rows) {
    size_t count;
    size_t token[LANES], head[LANES];
};

static size_t N(attention_vectors)(const struct ssdf_attention *t) {
    switch (t->order) {
    case SSDF_LANES_OF_TOKEN: return t->queries * ((t->group + LANES - 1) / LANES);
    case SSDF_LANES_OF_HEAD: return (t->queries + LANES - 1) / LANES * t->group;
    default: return (t->queries * t->group + LANES - 1) / LANES;
    }
}

INLINE void N(rows_of)(const struct ssdf_attention *t, size_t vector, struct N(rows) *rows) {
    size_t token, head, count;
    if (t->order == SSDF_LANES_OF_HEAD) {
        token = vector / t->group * LANES, head = vector % t->group;
        count = t->queries - token < LANES ? t->queries - token : LANES;
        for (size_t l = 0; l < count; l++) rows->token[l] = token + l, rows->head[l] = head;
    } else {
        if (t->order == SSDF_LANES_OF_TOKEN) {
            size_t each = (t->group + LANES - 1) / LANES;
            token = vector / each, head = vector % each * LANES;
            count = t->group - head < LANES ? t->group - head : LANES;
        } else {
            size_t row = vector * LANES, left = t->queries * t->group - row;
            token = row / t->group, head = row % t->group;
            count = left < LANES ? left : LANES;
        }
        for (size_t l = 0; l < count; l++) {
            rows->token[l] = token, rows->head[l] = head;
            if (++head == t->group) head = 0, token++;
        }
    }
    rows->count = count;
    if (t->q_rows)
        for (size_t l = 0; l < count; l++) rows->token[l] = (size_t)t->q_rows[rows->token[l]];
}

// Asks for the rows ahead of their use: their lines are strides apart, which no processor foresees.
INLINE void N(fetch_rows)(const struct N(rows) *rows, const float *from, size_t stride, size_t dimension) {
    for (size_t l = 0; l < rows->count; l++) {
        const float *row = from + rows->token[l] * stride + rows->head[l] * dimension;
        for (size_t d = 0; d < dimension; d += 16) __builtin_prefetch(row + d);
    }
}

// to[word, lane] = factor · row of the lane; lanes beyond the rows are zero.
INLINE void N(rows_in)(const struct N(rows) *rows, const float *from, size_t stride, size_t dimension, float factor,
                       float *to) {
    for (size_t d = 0; d < dimension; d += LANES) {
        size_t deep = dimension - d < LANES ? dimension - d : LANES;
        V block[LANES];
        for (size_t l = 0; l < LANES; l++) {
            const float *row = from + rows->token[l] * stride + rows->head[l] * dimension + d;
            block[l] = l >= rows->count ? N(splat)(0)
                       : deep == LANES  ? N(load)(row) * factor
                                        : N(load_some)(row, deep, 0) * factor;
        }
        N(transpose)(block);
#if WORD == 1
        for (size_t i = 0; i < deep; i++) N(store)(to + (d + i) * LANES, block[i]);
#else
        for (size_t i = 0; i < deep; i += 2) N(store)(to + (d + i) / 2 * LANES, N(two)(block[i], block[i + 1]));
#endif
    }
}

// Row of the lane = factor[lane] · from[d, lane], or += that.
INLINE void N(rows_out)(const struct N(rows) *rows, const float *from, V factor, size_t dimension, int adds, float *to,
                        size_t stride) {
    for (size_t d = 0; d < dimension; d += LANES) {
        size_t deep = dimension - d < LANES ? dimension - d : LANES;
        V block[LANES];
        for (size_t i = 0; i < LANES; i++)
            block[i] = i < deep ? N(load)(from + (d + i) * LANES) * factor : N(splat)(0);
        N(transpose)(block);
        for (size_t l = 0; l < rows->count; l++) {
            float *row = to + rows->token[l] * stride + rows->head[l] * dimension + d;
            if (deep == LANES) {
                N(store)(row, adds ? N(load)(row) + block[l] : block[l]);
            } else {
                N(store_some)(row, adds ? N(load_some)(row, deep, 0) + block[l] : block[l], deep);
            }
        }
    }
}

// The query vectors of a chunk at `state`, nothing absorbed.
INLINE void N(open)(const struct ssdf_attention *t, size_t vectors, float *state) {
    const struct N(query) at = N(query_layout)(t->dimension, 0);
    struct N(rows) rows = {0}, next = {0};
    N(rows_of)(t, 0, &next);
    for (size_t i = 0; i < vectors; i++, state += at.size) {
        rows = next;
        if (i + 1 < vectors) {
            N(rows_of)(t, i + 1, &next);
            N(fetch_rows)(&next, t->q, t->q_stride, t->dimension);
        }
        N(rows_in)(&rows, t->q, t->q_stride, t->dimension, t->scale * 1.44269504f, state + at.q);
        __builtin_memset(state + at.o, 0, t->dimension * LANES * sizeof(float));
        N(store)(state + at.most, N(splat)(-INFINITY));
        N(store)(state + at.total, N(splat)(0));
    }
}

// Results of the chunk: out = gate · o / total, and ln Σ exp(score).
INLINE void N(close)(const struct ssdf_attention *t, size_t vectors, const float *state, float *out, float *lse) {
    const struct N(query) at = N(query_layout)(t->dimension, 0);
    struct N(rows) rows = {0}, next = {0};
    N(rows_of)(t, 0, &next);
    for (size_t i = 0; i < vectors; i++, state += at.size) {
        rows = next;
        if (i + 1 < vectors) {
            N(rows_of)(t, i + 1, &next);
            N(fetch_rows)(&next, out, t->out_stride, t->dimension);
        }
        float factor[LANES] = {0};
        for (size_t l = 0; l < rows.count; l++) {
            float total = state[at.total + l];
            factor[l] = total != 0 ? (t->gate ? t->gate[rows.token[l] * t->gate_stride] : 1) / total : 0;
            if (lse)
                lse[rows.token[l] * t->lse_stride + rows.head[l]] =
                    total != 0 ? (state[at.most + l] + __builtin_log2f(total)) * 0.693147181f : -INFINITY;
        }
        N(rows_out)(&rows, state + at.o, N(load)(factor), t->dimension, t->adds, out, t->out_stride);
    }
}

// First key of part `part`: parts are even, so that two keys that share a word share a part, as large as one another
// but for the last, and never larger than the even number of keys that `parts` was made for.
INLINE size_t N(part_start)(size_t keys, size_t parts, size_t part) {
    size_t step = ((keys + parts - 1) / parts + 1) / 2 * 2;
    return part * step < keys ? part * step : keys;
}

#if WORD == 1
// Rows first ..< first + count of a list as consecutive rows: where they lie when they do so already, else copies.
INLINE const float *N(gathered)(const float *from, size_t stride, const int32_t *list, size_t first, size_t count,
                                size_t dimension, float *copy) {
    if (!list && stride == dimension) return from + first * stride;
    for (size_t j = 0; j < count; j++) {
        const float *row = from + (list ? (size_t)list[first + j] : first + j) * stride;
        size_t d = 0;
        for (; d + LANES <= dimension; d += LANES) N(store)(copy + j * dimension + d, N(load)(row + d));
        for (; d < dimension; d++) copy[j * dimension + d] = row[d];
    }
    return copy;
}

#define KEYS_OF(t, list, first, count, copy) \
    N(gathered)((t)->k, (t)->k_stride, list, first, count, (t)->dimension, copy)
#define VALUES_OF(t, list, first, count, copy) \
    N(gathered)((t)->v, (t)->v_stride, list, first, count, (t)->dimension, copy)
#else
INLINE uint32_t N(brain)(float x) {
    uint32_t bits;
    __builtin_memcpy(&bits, &x, 4);
    return (bits + 0x8000) >> 16;
}

// Rows of keys with their numbers two to a word.
INLINE const float *N(keys_of)(const struct ssdf_attention *t, const int32_t *list, size_t first, size_t count,
                               float *copy) {
    const size_t dimension = t->dimension, words = N(words)(dimension);
    for (size_t j = 0; j < count; j++) {
        const float *row = t->k + (list ? (size_t)list[first + j] : first + j) * t->k_stride;
        uint16_t *to = (uint16_t *)(copy + j * words);
        size_t d = 0;
#if BRAIN_FLOAT == NATIVE
        for (; d + 2 * LANES <= dimension; d += 2 * LANES) {
            __m512bh pairs = _mm512_cvtne2ps_pbh((__m512)N(load)(row + d + LANES), (__m512)N(load)(row + d));
            __builtin_memcpy(to + d, &pairs, sizeof pairs);
        }
#endif
        for (; d < dimension; d++) to[d] = (uint16_t)N(brain)(row[d]);
        if (dimension % 2) to[dimension] = 0;
    }
    return copy;
}

// Rows of values, the same number of two rows to a word.
INLINE const float *N(values_of)(const struct ssdf_attention *t, const int32_t *list, size_t first, size_t count,
                                 float *copy) {
    for (size_t j = 0; j < count; j += 2) {
        const float *a = t->v + (list ? (size_t)list[first + j] : first + j) * t->v_stride;
        const float *b = t->v + (list && j + 1 < count ? (size_t)list[first + j + 1] : first + j + 1) * t->v_stride;
        uint32_t *to = (uint32_t *)(copy + j / 2 * t->dimension);
        size_t d = 0;
        for (; d + LANES <= t->dimension; d += LANES)
            N(store)((float *)to + d, N(two)(N(load)(a + d), j + 1 < count ? N(load)(b + d) : N(splat)(0)));
        for (; d < t->dimension; d++)
            to[d] = N(brain)(a[d]) | (j + 1 < count ? N(brain)(b[d]) << 16 : 0);
    }
    return copy;
}

#define KEYS_OF(t, list, first, count, copy) N(keys_of)(t, list, first, count, copy)
#define VALUES_OF(t, list, first, count, copy) N(values_of)(t, list, first, count, copy)
#endif

// Most keys of a block for heads of this dimension: scores, keys and a panel's state share the first cache levels.
INLINE size_t N(block_keys)(size_t dimension) { return dimension <= 32 ? KEYS : KEYS / 2; }

#undef EACH_WIDTH
#if MAX_VECTORS == 4
#define EACH_WIDTH(width, call) \
    switch (width) { \
    case 1: call(1); break; \
    case 2: call(2); break; \
    case 3: call(3); break; \
    default: call(4); \
    }
#else
#define EACH_WIDTH(width, call) \
    switch (width) { \
    case 1: call(1); break; \
    default: call(2); \
    }
#endif

// Pointers to vectors n ..< n + width of those that want a block: all, or those of the listed tokens.
INLINE size_t N(panel_of)(float *state, size_t size, const int32_t *tokens, size_t each, size_t n, size_t count,
                          float **query) {
    size_t width = count - n < MAX_VECTORS ? count - n : MAX_VECTORS;
    for (size_t i = 0; i < width; i++) {
        size_t vector = tokens ? (size_t)tokens[(n + i) / each] * each + (n + i) % each : n + i;
        query[i] = state + vector * size;
    }
    return width;
}

// `count` vectors absorb keys first ..< first + keys.
static __attribute__((noinline)) void N(absorb_keys)(const struct ssdf_attention *t, const int32_t *k_rows,
                                                     size_t first, size_t keys, float *state, const int32_t *tokens,
                                                     size_t each, size_t count, float *work) {
    const size_t dimension = t->dimension, size = N(query_layout)(dimension, 0).size;
    const size_t most = N(block_keys)(dimension), parts = (keys + most - 1) / most;
    float *s = work, *k_copy = s + KEYS * MAX_VECTORS * LANES, *v_copy = k_copy + KEYS * dimension;
    for (size_t part = 0; part < parts; part++) {
        size_t start = first + N(part_start)(keys, parts, part);
        size_t n = first + N(part_start)(keys, parts, part + 1) - start;
        const float *k = KEYS_OF(t, k_rows, start, n, k_copy), *v = VALUES_OF(t, k_rows, start, n, v_copy);
        for (size_t at = 0; at < count; at += MAX_VECTORS) {
            float *query[4];
            size_t width = N(panel_of)(state, size, tokens, each, at, count, query);
#define ABSORB(w) N(absorb)(w, k, N(words)(dimension), v, dimension, n, dimension, query, s, s, 0)
            EACH_WIDTH(width, ABSORB)
#undef ABSORB
        }
    }
}

static size_t N(attention_scratch)(const struct ssdf_attention *t, int gradient) {
    size_t work = KEYS * MAX_VECTORS * LANES + 2 * KEYS * t->dimension;
    if (gradient) work = 2 * KEYS_ALONE * (MAX_VECTORS * LANES + t->dimension + N(whole)(t->dimension));
    return N(attention_vectors)(t) * N(query_layout)(t->dimension, gradient).size + work;
}

static void N(attention_forward)(const struct ssdf_attention *t, const int32_t *k_rows, size_t keys, float *out,
                                 float *lse, float *scratch) {
    const size_t vectors = N(attention_vectors)(t), size = N(query_layout)(t->dimension, 0).size;
    N(open)(t, vectors, scratch);
    N(absorb_keys)(t, k_rows, 0, keys, scratch, 0, 1, vectors, scratch + vectors * size);
    N(close)(t, vectors, scratch, out, lse);
}

#if WORD == 1
// ---- the gradient

// Adds up the lanes of each of LANES vectors: sum l to lane l.
INLINE V N(lane_sums)(V *rows) {
    N(transpose)(rows);
#pragma clang loop unroll(full)
    for (int half = LANES / 2; half > 0; half /= 2)
#pragma clang loop unroll(full)
        for (int i = 0; i < half; i++) rows[i] += rows[i + half];
    return rows[0];
}

INLINE void N(open_gradient)(const struct ssdf_attention *t, const struct ssdf_attention_gradient *g, size_t vectors,
                             float *state) {
    const size_t dimension = t->dimension, whole = N(whole)(dimension);
    const struct N(query) at = N(query_layout)(dimension, 1);
    struct N(rows) rows = {0}, next = {0};
    N(rows_of)(t, 0, &next);
    for (size_t i = 0; i < vectors; i++, state += at.size) {
        rows = next;
        if (i + 1 < vectors) {
            N(rows_of)(t, i + 1, &next);
            N(fetch_rows)(&next, t->q, t->q_stride, dimension);
            N(fetch_rows)(&next, g->dout, t->out_stride, dimension);
        }
        // Lanes without a query: 2^(0 − ∞) = 0.
        float lse[LANES], gate[LANES], delta[LANES];
        for (size_t l = 0; l < LANES; l++) lse[l] = INFINITY, gate[l] = 1, delta[l] = 0;
        for (size_t l = 0; l < rows.count; l++) {
            size_t place = rows.token[l] * t->lse_stride + rows.head[l];
            lse[l] = g->lse[place] * 1.44269504f;
            if (t->gate) gate[l] = t->gate[rows.token[l] * t->gate_stride];
            if (g->delta_is_known) delta[l] = g->delta[place];
        }
        V sums[LANES];
        for (size_t l = 0; l < LANES; l++) sums[l] = N(splat)(0);
        for (size_t d = 0; d < dimension; d += LANES) {
            size_t deep = dimension - d < LANES ? dimension - d : LANES;
            V q[LANES], dout[LANES];
            for (size_t l = 0; l < LANES; l++) {
                const size_t token = rows.token[l], shift = rows.head[l] * dimension + d;
                const float *from_q = t->q + token * t->q_stride + shift;
                const float *from_d = g->dout + token * t->out_stride + shift;
                if (l >= rows.count) {
                    q[l] = dout[l] = N(splat)(0);
                } else if (deep == LANES) {
                    q[l] = N(load)(from_q), dout[l] = N(load)(from_d);
                } else {
                    q[l] = N(load_some)(from_q, deep, 0), dout[l] = N(load_some)(from_d, deep, 0);
                }
                if (g->out && l < rows.count) {
                    const float *out = g->out + token * t->out_stride + shift;
                    sums[l] += dout[l] * (deep == LANES ? N(load)(out) : N(load_some)(out, deep, 0));
                }
                dout[l] *= N(splat)(gate[l]);
                N(store)(state + at.q_rows + l * whole + d, q[l]);
                N(store)(state + at.d_rows + l * whole + d, dout[l]);
                q[l] *= N(splat)(t->scale * 1.44269504f);
            }
            N(transpose)(q);
            N(transpose)(dout);
            for (size_t e = 0; e < deep; e++) {
                N(store)(state + at.q + (d + e) * LANES, q[e]);
                N(store)(state + at.dout + (d + e) * LANES, dout[e]);
            }
        }
        __builtin_memset(state + at.o, 0, dimension * LANES * sizeof(float));
        N(store)(state + at.most, N(load)(lse));
        N(store)(state + at.total, (g->out ? N(lane_sums)(sums) : N(load)(delta)) * N(load)(gate));
    }
}

INLINE void N(close_gradient)(const struct ssdf_attention *t, const struct ssdf_attention_gradient *g, size_t vectors,
                              const float *state) {
    const struct N(query) at = N(query_layout)(t->dimension, 1);
    struct N(rows) rows = {0}, next = {0};
    N(rows_of)(t, 0, &next);
    for (size_t i = 0; i < vectors; i++, state += at.size) {
        rows = next;
        if (i + 1 < vectors) {
            N(rows_of)(t, i + 1, &next);
            N(fetch_rows)(&next, g->dq, g->dq_stride, t->dimension);
        }
        N(rows_out)(&rows, state + at.o, N(splat)(t->scale), t->dimension, t->adds, g->dq, g->dq_stride);
        if (!g->delta || g->delta_is_known) continue;
        for (size_t l = 0; l < rows.count; l++) {
            // A gate that is exactly 0 has no slope either, so that nothing asks for its delta.
            float gate = t->gate ? t->gate[rows.token[l] * t->gate_stride] : 1;
            g->delta[rows.token[l] * t->lse_stride + rows.head[l]] = gate != 0 ? state[at.total + l] / gate : 0;
        }
    }
}

// The passes of a gradient over keys: to delta; to dq, dk and dv; or to all of them, over all keys of the queries at once.
enum N(pass) { N(DELTA), N(GRADIENT), N(ALONE) };

// As absorb_keys.
static __attribute__((noinline)) void N(absorb_keys_gradient)(const struct ssdf_attention *t,
                                                              const struct ssdf_attention_gradient *g,
                                                              const int32_t *k_rows, size_t first, size_t keys,
                                                              float *state, const int32_t *tokens, size_t each,
                                                              size_t count, enum N(pass) pass, float *work) {
    const size_t dimension = t->dimension, whole = N(whole)(dimension), size = N(query_layout)(dimension, 1).size;
    const size_t most = pass == N(ALONE) ? KEYS_ALONE : dimension <= 32 ? GRADIENT_KEYS : GRADIENT_KEYS / 2;
    const size_t parts = (keys + most - 1) / most, step = parts ? ((keys + parts - 1) / parts + 11) / 12 * 12 : 0;
    float *s = work, *ds = s + KEYS_ALONE * MAX_VECTORS * LANES;
    float *k_copy = ds + KEYS_ALONE * MAX_VECTORS * LANES, *v_copy = k_copy + KEYS_ALONE * dimension;
    float *dk = v_copy + KEYS_ALONE * dimension, *dv = dk + KEYS_ALONE * whole;
    for (size_t done = 0; done < keys; done += step) {
        const size_t start = first + done, n = keys - done < step ? keys - done : step;
        const float *k = KEYS_OF(t, k_rows, start, n, k_copy), *v = VALUES_OF(t, k_rows, start, n, v_copy);
        if (pass != N(DELTA)) __builtin_memset(dk, 0, n * whole * 4), __builtin_memset(dv, 0, n * whole * 4);
        for (size_t at = 0; at < count; at += MAX_VECTORS) {
            float *query[4];
            size_t width = N(panel_of)(state, size, tokens, each, at, count, query);
#define DELTA(w) N(absorb_delta)(w, k, dimension, v, dimension, n, dimension, query, s, ds)
#define GRADIENT(w) N(absorb_gradient)(w, 0, k, dimension, v, dimension, n, dimension, query, dk, dv, s, ds)
#define ALONE(w) N(absorb_gradient)(w, 1, k, dimension, v, dimension, n, dimension, query, dk, dv, s, ds)
            if (pass == N(DELTA)) {
                EACH_WIDTH(width, DELTA)
            } else if (pass == N(GRADIENT)) {
                EACH_WIDTH(width, GRADIENT)
            } else {
                EACH_WIDTH(width, ALONE)
            }
#undef DELTA
#undef GRADIENT
#undef ALONE
        }
        if (pass == N(DELTA)) continue;
        for (size_t j = 0; j < n; j++) {
            size_t row = k_rows ? (size_t)k_rows[start + j] : start + j;
            float *to_k = g->dk + row * g->dk_stride, *to_v = g->dv + row * g->dv_stride;
            size_t d = 0;
            for (; d + LANES <= dimension; d += LANES) {
                N(store)(to_k + d, N(load)(to_k + d) + N(load)(dk + j * whole + d) * N(splat)(t->scale));
                N(store)(to_v + d, N(load)(to_v + d) + N(load)(dv + j * whole + d));
            }
            for (; d < dimension; d++) {
                to_k[d] += t->scale * dk[j * whole + d];
                to_v[d] += dv[j * whole + d];
            }
        }
    }
}

static void N(attention_backward)(const struct ssdf_attention *t, const struct ssdf_attention_gradient *g,
                                  const int32_t *k_rows, size_t keys, float *scratch) {
    const size_t vectors = N(attention_vectors)(t), size = N(query_layout)(t->dimension, 1).size;
    float *work = scratch + vectors * size;
    N(open_gradient)(t, g, vectors, scratch);
    enum N(pass) pass = N(GRADIENT);
    if (!g->out && !g->delta_is_known) {
        if (keys <= KEYS_ALONE)
            pass = N(ALONE);
        else
            N(absorb_keys_gradient)(t, g, k_rows, 0, keys, scratch, 0, 1, vectors, N(DELTA), work);
    }
    N(absorb_keys_gradient)(t, g, k_rows, 0, keys, scratch, 0, 1, vectors, pass, work);
    N(close_gradient)(t, g, vectors, scratch);
}
#endif
