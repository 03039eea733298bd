// Block-sparse attention: attention to compressed keys that also chooses blocks, and attention to the chosen blocks.

#pragma clang fp contract(fast)

// ---- attention to compressed keys, with the choice
//
// Tokens lie in the lanes, one head a vector, so that adding probabilities over the heads of the group needs no sum
// across lanes. A panel's exponentials are kept, [keys, panel], until its softmax is complete; then they are scaled and
// added to the scores of their blocks, [blocks, LANES].

static size_t N(compressed_scratch)(const struct ssdf_attention *t, size_t keys, size_t blocks, size_t best) {
    size_t parts = (keys + N(block_keys)(t->dimension) - 1) / N(block_keys)(t->dimension);
    size_t panel = MAX_VECTORS * LANES;
    size_t copies = WORD == 1 ? 0 : 2 * (keys + 1) * t->dimension + KEYS / WORD * panel;
    return t->group * N(query_layout)(t->dimension, 0).size + (keys + parts) * panel + (blocks + 2 * best) * LANES +
           copies;
}

// Inserts scores where they are larger than one of the best; equal scores keep the earlier block first.
INLINE void N(insert)(V score, VI block, float *values, int32_t *indices, size_t best) {
    for (size_t i = 0; i < best; i++) {
        V value = N(load)(values + i * LANES);
        VI index = *(const VI *)(indices + i * LANES);
        VI larger = (VI)(score > value);
        N(store)(values + i * LANES, N(select)(larger, score, value));
        *(VI *)(indices + i * LANES) = (larger & block) | (~larger & index);
        score = N(select)(larger, value, score);
        block = (larger & index) | (~larger & block);
    }
}

// One panel's probabilities, added to the scores of blocks. p [keys, panel], reference [parts, panel].
INLINE void N(add_scores)(const int vectors, size_t dimension, float *const *query, const float *p,
                          const float *reference, size_t keys, const int32_t *block_of_key, float *sums) {
    const struct N(query) at = N(query_layout)(dimension, 0);
    const size_t most = N(block_keys)(dimension), parts = (keys + most - 1) / most, panel = (size_t)vectors * LANES;
    V top[4], factor[4];
    float inverse[4][LANES];
#pragma clang loop unroll(full)
    for (int i = 0; i < vectors; i++) {
        top[i] = N(load)(query[i] + at.most);
        for (size_t l = 0; l < LANES; l++) {
            float total = query[i][at.total + l];
            float lse = (query[i][at.most + l] + __builtin_log2f(total)) * 0.693147181f;
            // The reference takes log2(exp(lse)) in f32, which is ∞ from here on.
            inverse[i][l] = lse > 88.72284f ? 0 : 1 / total;
        }
    }
    for (size_t part = 0; part < parts; part++) {
#pragma clang loop unroll(full)
        for (int i = 0; i < vectors; i++)
            factor[i] = N(exp2)(N(load)(reference + part * panel + i * LANES) - top[i]) * N(load)(inverse[i]);
        for (size_t j = N(part_start)(keys, parts, part); j < N(part_start)(keys, parts, part + 1); j++) {
            float *sum = sums + (size_t)block_of_key[j] * LANES;
            V total = N(load)(sum);
#pragma clang loop unroll(full)
            for (int i = 0; i < vectors; i++) total += N(load)(p + j * panel + i * LANES) * factor[i];
            N(store)(sum, total);
        }
    }
}

static void N(compressed_forward)(const struct ssdf_attention *chunk, size_t keys, const int32_t *block_of_key,
                                  size_t blocks, size_t best, float *out, float *lse, int32_t *selected,
                                  float *scores, float *scratch) {
    const size_t dimension = chunk->dimension, size = N(query_layout)(dimension, 0).size;
    const size_t most = N(block_keys)(dimension), parts = (keys + most - 1) / most;
    float *p = scratch + chunk->group * size, *reference = p + keys * MAX_VECTORS * LANES;
    float *sums = reference + parts * MAX_VECTORS * LANES, *values = sums + blocks * LANES;
    int32_t *indices = (int32_t *)(values + best * LANES);
#if WORD == 1
#define P_ROOM(same) (same)
    const float *keys_at = chunk->k, *values_at = chunk->v;
    const size_t k_stride = chunk->k_stride, v_stride = chunk->v_stride;
#else
#define P_ROOM(same) words
    float *copy = values + 2 * best * LANES, *words = copy + 2 * (keys + 1) * dimension;
    const size_t k_stride = N(words)(dimension), v_stride = dimension;
    const float *keys_at = KEYS_OF(chunk, 0, 0, keys, copy);
    const float *values_at = VALUES_OF(chunk, 0, 0, keys, copy + (keys + 1) * dimension);
#endif
    struct ssdf_attention t = *chunk;
    t.order = SSDF_LANES_OF_HEAD;
    for (size_t first = 0; first < chunk->queries; first += LANES) {
        t.queries = chunk->queries - first < LANES ? chunk->queries - first : LANES;
        t.q = chunk->q + first * t.q_stride;
        t.gate = chunk->gate ? chunk->gate + first * t.gate_stride : 0;
        N(open)(&t, t.group, scratch);
        __builtin_memset(sums, 0, blocks * LANES * sizeof(float));
        for (size_t at = 0; at < t.group; at += MAX_VECTORS) {
            float *query[4];
            size_t width = N(panel_of)(scratch, size, 0, 1, at, t.group, query);
            for (size_t part = 0; part < parts; part++) {
                size_t start = N(part_start)(keys, parts, part), n = N(part_start)(keys, parts, part + 1) - start;
                const float *k = keys_at + start * k_stride, *v = values_at + start / WORD * v_stride;
#define ABSORB(w) \
    N(absorb)(w, k, k_stride, v, v_stride, n, dimension, query, p + start * w * LANES, \
              P_ROOM(p + start * w * LANES), reference + part * w * LANES)
                EACH_WIDTH(width, ABSORB)
#undef ABSORB
            }
#define SCORES(w) N(add_scores)(w, dimension, query, p, reference, keys, block_of_key, sums)
            EACH_WIDTH(width, SCORES)
#undef SCORES
        }
        N(close)(&t, t.group, scratch, out + first * t.out_stride, lse ? lse + first * t.lse_stride : 0);
        for (size_t i = 0; i < best * LANES; i++) values[i] = -1, indices[i] = -1;
        for (size_t b = 0; b < blocks; b++) {
            V score = N(load)(sums + b * LANES);
            if (__builtin_reduce_or((VI)(score > N(load)(values + (best - 1) * LANES))))
                N(insert)(score, (VI)((int32_t)b), values, indices, best);
        }
        for (size_t l = 0; l < t.queries; l++) {
            int32_t *to = selected + (first + l) * best;
            size_t count = 0;
            // Ascending, absent ones last.
            for (size_t i = 0; i < best; i++) {
                int32_t b = indices[i * LANES + l];
                if (b < 0) continue;
                size_t at = count++;
                for (; at > 0 && to[at - 1] > b; at--) to[at] = to[at - 1];
                to[at] = b;
            }
            for (; count < best; count++) to[count] = -1;
            if (scores)
                for (size_t b = 0; b < blocks; b++) scores[(first + l) * blocks + b] = sums[b * LANES + l];
        }
    }
}

#undef P_ROOM

// ---- attention to the chosen blocks
//
// The chunk's tokens are grouped by the block they chose: each block's keys are packed once and meet all of them, so
// products are as large as tokens of the chunk agree. A token's vectors wait in memory between its blocks.

static size_t N(selected_scratch)(const struct ssdf_attention *t, const struct ssdf_block_choice *choice,
                                  int gradient) {
    return N(attention_scratch)(t, gradient) + choice->blocks + 1 + t->queries * choice->best;
}

// Tokens of the chunk by block: those of block b are list[ends[b − 1] ..< ends[b]], ascending; returns ends.
INLINE const int32_t *N(by_block)(const struct ssdf_attention *t, const struct ssdf_block_choice *choice,
                                  int32_t *ends, int32_t *list) {
    const size_t places = t->queries * choice->best;
    __builtin_memset(ends, 0, (choice->blocks + 1) * sizeof(int32_t));
    for (size_t i = 0; i < places; i++)
        if (choice->selected[i] >= 0) ends[choice->selected[i] + 1]++;
    for (size_t b = 0; b < choice->blocks; b++) ends[b + 1] += ends[b];
    for (size_t i = 0; i < places; i++)
        if (choice->selected[i] >= 0) list[ends[choice->selected[i]]++] = (int32_t)(i / choice->best);
    return ends;
}

static void N(selected_forward)(const struct ssdf_attention *t, const struct ssdf_block_choice *choice, float *out,
                                float *lse, float *scratch) {
    const size_t vectors = N(attention_vectors)(t), size = N(query_layout)(t->dimension, 0).size;
    const size_t each = (t->group + LANES - 1) / LANES;
    float *work = scratch + vectors * size;
    int32_t *list = (int32_t *)(scratch + N(attention_scratch)(t, 0)), *ends = list + t->queries * choice->best;
    N(by_block)(t, choice, ends, list);
    N(open)(t, vectors, scratch);
    for (size_t b = 0, start = 0; b < choice->blocks; start = (size_t)ends[b++]) {
        size_t first = (size_t)choice->starts[b], keys = (size_t)choice->starts[b + 1] - first;
        N(absorb_keys)(t, 0, first, keys, scratch, list + start, each, ((size_t)ends[b] - start) * each, work);
    }
    N(close)(t, vectors, scratch, out, lse);
}

#if WORD == 1
static void N(selected_backward)(const struct ssdf_attention *t, const struct ssdf_attention_gradient *g,
                                 const struct ssdf_block_choice *choice, float *scratch) {
    const size_t vectors = N(attention_vectors)(t), size = N(query_layout)(t->dimension, 1).size;
    const size_t each = (t->group + LANES - 1) / LANES;
    float *work = scratch + vectors * size;
    int32_t *list = (int32_t *)(scratch + N(attention_scratch)(t, 1)), *ends = list + t->queries * choice->best;
    N(by_block)(t, choice, ends, list);
    N(open_gradient)(t, g, vectors, scratch);
    for (int pass = g->out || g->delta_is_known ? N(GRADIENT) : N(DELTA); pass <= N(GRADIENT); pass++)
        for (size_t b = 0, start = 0; b < choice->blocks; start = (size_t)ends[b++]) {
            size_t first = (size_t)choice->starts[b], keys = (size_t)choice->starts[b + 1] - first;
            if ((size_t)ends[b] > start)
                N(absorb_keys_gradient)(t, g, 0, first, keys, scratch, list + start, each,
                                        ((size_t)ends[b] - start) * each, (enum N(pass))pass, work);
        }
    N(close_gradient)(t, g, vectors, scratch);
}
#endif
