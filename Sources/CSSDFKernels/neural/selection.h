// Which blocks of keys each query token attends to: scores against one compressed key a cell, added over the query
// heads of the group and over the cells of a block, and the best few blocks of every token.
//
// Tokens lie in the lanes; heads are gone through one by one, so adding over heads needs no sums across lanes, and the
// selection keeps the best scores of all lanes in registers-wide arrays, smallest last.

#pragma clang fp contract(fast)

// Floats of scratch for block_select.
static size_t N(select_scratch)(size_t dimension, size_t blocks, size_t best) {
    return dimension * PANEL + KEYS * PANEL + blocks * PANEL + 2 * best * PANEL + 2 * PANEL;
}

// Inserts a score where it is larger than one of the best; equal scores keep the earlier block first.
INLINE void N(insert)(V score, VI block, float *values, int32_t *indices, size_t best, size_t l) {
    for (size_t i = 0; i < best; i++) {
        V value = N(load)(values + i * PANEL + l);
        VI index = *(const VI *)(indices + i * PANEL + l);
        VI larger = (VI)(score > value);
        N(store)(values + i * PANEL + l, N(select)(larger, score, value));
        *(VI *)(indices + i * PANEL + l) = (larger & block) | (~larger & index);
        score = N(select)(larger, value, score);
        block = (larger & index) | (~larger & block);
    }
}

static void N(block_select)(const struct ssdf_attention *t, const float *lse, size_t tokens, size_t keys,
                            const int32_t *block_of_key, size_t blocks, size_t best, int32_t *selected, float *scores,
                            float *scratch) {
    const size_t dimension = t->dimension;
    float *q = scratch, *s = q + dimension * PANEL, *sums = s + KEYS * PANEL;
    float *values = sums + blocks * PANEL, *norm = values + best * PANEL;
    int32_t *indices = (int32_t *)(norm + PANEL);
    for (size_t first = 0; first < tokens; first += PANEL) {
        size_t lanes = tokens - first < PANEL ? tokens - first : PANEL;
        __builtin_memset(sums, 0, blocks * PANEL * sizeof(float));
        for (size_t head = 0; head < t->group; head++) {
            N(transpose_in)(PANEL, t->q + head * dimension, t->q_stride, 0, 1, dimension, first, lanes, t->scale, q);
            for (size_t l = 0; l < PANEL; l++) {
                float e = l < lanes ? lse[(first + l) * t->lse_stride + head] : INFINITY;
                // The reference takes log2(exp(lse)) in f32, which is ∞ from here on.
                norm[l] = e > 88.72284f ? INFINITY : e;
            }
            for (size_t key = 0; key < keys; key += KEYS) {
                size_t n = keys - key < KEYS ? keys - key : KEYS;
                N(scores)(MAX_VECTORS, t->k + key * t->k_stride, 0, t->k_stride, q, dimension, s, n);
                for (size_t j = 0; j < n; j++) {
                    float *sum = sums + (size_t)block_of_key[key + j] * PANEL;
                    for (size_t l = 0; l < PANEL; l += LANES)
                        N(store)(sum + l, N(load)(sum + l) + N(exp)(N(load)(s + j * PANEL + l) - N(load)(norm + l)));
                }
            }
        }
        for (size_t i = 0; i < best * PANEL; i++) values[i] = -1, indices[i] = -1;
        for (size_t b = 0; b < blocks; b++)
            for (size_t l = 0; l < PANEL; l += LANES) {
                V score = N(load)(sums + b * PANEL + l);
                V least = N(load)(values + (best - 1) * PANEL + l);
                if (__builtin_reduce_or((VI)(score > least)))
                    N(insert)(score, (VI)((int32_t)b), values, indices, best, l);
            }
        for (size_t l = 0; l < lanes; l++) {
            int32_t *to = selected + (first + l) * best;
            size_t count = 0;
            // Ascending, absent ones last.
            for (size_t i = 0; i < best; i++) {
                int32_t b = indices[i * PANEL + l];
                if (b < 0) continue;
                size_t at = count++;
                for (; at > 0 && to[at - 1] > b; at--) to[at] = to[at - 1];
                to[at] = b;
            }
            for (; count < best; count++) to[count] = -1;
            if (scores)
                for (size_t b = 0; b < blocks; b++) scores[(first + l) * blocks + b] = sums[b * PANEL + l];
        }
    }
}
