// Passes 0 to 3 of surface extraction: neighbours, inside masks, cells and edges, all as bits.
//
// A voxel is one bit, so a comparison with the neighbour along an axis is a shift and an exclusive or of 64 voxels at
// once; only the cells and edges that the surface crosses are ever visited one by one.
#include "extract_bricks.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static int before(const int32_t *a, int64_t x, int64_t y, int64_t z) {
    return a[0] != x ? a[0] < x : a[1] != y ? a[1] < y : a[2] < z;
}

void ssdf_extract_neighbors(const extract_grid *grid, size_t first, size_t last) {
    const int32_t *position = grid->position;
    for (size_t b = first; b < last; ++b) grid->next[8 * b] = grid->previous[8 * b] = (int32_t)b;
    for (int n = 1; n < 8; ++n) {
        // Bricks shifted by a constant keep their order: one walk finds all of them.
        size_t found = 0;
        for (size_t b = first; b < last; ++b) {
            const int32_t *p = position + 3 * b;
            int64_t x = (int64_t)p[0] + (n >> 2), y = (int64_t)p[1] + (n >> 1 & 1), z = (int64_t)p[2] + (n & 1);
            if (b == first) {
                size_t high = grid->count;
                while (found < high) {
                    size_t middle = found + (high - found) / 2;
                    if (before(position + 3 * middle, x, y, z))
                        found = middle + 1;
                    else
                        high = middle;
                }
            }
            while (found < grid->count && before(position + 3 * found, x, y, z)) ++found;
            const int32_t *q = position + 3 * found;
            int is_there = found < grid->count && q[0] == x && q[1] == y && q[2] == z;
            grid->next[8 * b + (size_t)n] = is_there ? (int32_t)found : -1;
            if (is_there) grid->previous[8 * found + (size_t)n] = (int32_t)b;
        }
    }
}

// The smallest float that is not below the level, or the largest that is not above it: comparing values with it
// decides exactly as comparing with the level in double precision would.
static float threshold(const extract_grid *grid) {
    float level = (float)grid->iso;
    if (grid->above) {
        if ((double)level > grid->iso) level = __builtin_nextafterf(level, -__builtin_inff());
    } else {
        if ((double)level < grid->iso) level = __builtin_nextafterf(level, __builtin_inff());
    }
    return level;
}

static intptr_t first_not_finite(const extract_grid *grid, size_t brick) {
    for (intptr_t row = grid->offset[brick]; row < grid->offset[brick + 1]; ++row)
        if (grid->values[row] - grid->values[row] != 0) return row;
    return -1;
}

static intptr_t classify_scalar(const extract_grid *grid, size_t first, size_t last) {
    float level = threshold(grid);
    for (size_t b = first; b < last; ++b) {
        const float *value = grid->values + grid->offset[b];
        for (int w = 0; w < 8; ++w) {
            uint64_t inside = 0;
            for (uint64_t bits = grid->active[8 * b + (size_t)w]; bits; bits &= bits - 1) {
                float v = *value++;
                if (v - v != 0) return first_not_finite(grid, b);
                if (grid->above ? v > level : v < level) inside |= bits & -bits;
            }
            grid->inside[8 * b + (size_t)w] = inside;
        }
    }
    return -1;
}

#if defined(__x86_64__)
SSDF_AVX2 static intptr_t classify_avx2(const extract_grid *grid, size_t first, size_t last) {
    float level = threshold(grid);
    __m256 limit = _mm256_set1_ps(level);
    __m256 huge = _mm256_set1_ps(__FLT_MAX__);
    __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    for (size_t b = first; b < last; ++b) {
        const float *value = grid->values + grid->offset[b];
        int wrong = 0;
        for (int w = 0; w < 8; ++w) {
            uint64_t active = grid->active[8 * b + (size_t)w];
            int n = __builtin_popcountll(active);
            uint64_t packed = 0;
            int i = 0;
            for (; i + 8 <= n; i += 8) {
                __m256 v = _mm256_loadu_ps(value + i);
                __m256 in = grid->above ? _mm256_cmp_ps(v, limit, _CMP_GT_OQ) : _mm256_cmp_ps(v, limit, _CMP_LT_OQ);
                packed |= (uint64_t)(unsigned)_mm256_movemask_ps(in) << i;
                wrong |= _mm256_movemask_ps(_mm256_cmp_ps(_mm256_and_ps(v, magnitude), huge, _CMP_NLE_UQ));
            }
            for (; i < n; ++i) {
                float v = value[i];
                packed |= (uint64_t)(grid->above ? v > level : v < level) << i;
                wrong |= v - v != 0;
            }
            grid->inside[8 * b + (size_t)w] = _pdep_u64(packed, active);
            value += n;
        }
        if (wrong) return first_not_finite(grid, b);
    }
    return -1;
}

SSDF_AVX512 static intptr_t classify_avx512(const extract_grid *grid, size_t first, size_t last) {
    __m512 limit = _mm512_set1_ps(threshold(grid));
    for (size_t b = first; b < last; ++b) {
        const float *value = grid->values + grid->offset[b];
        unsigned wrong = 0;
        for (int w = 0; w < 8; ++w) {
            uint64_t active = grid->active[8 * b + (size_t)w];
            int n = __builtin_popcountll(active);
            uint64_t packed = 0;
            for (int i = 0; i < n; i += 16) {
                __mmask16 lanes = n - i >= 16 ? 0xffff : (__mmask16)((1u << (n - i)) - 1);
                __m512 v = _mm512_maskz_loadu_ps(lanes, value + i);
                __mmask16 in = grid->above ? _mm512_mask_cmp_ps_mask(lanes, v, limit, _CMP_GT_OQ)
                                           : _mm512_mask_cmp_ps_mask(lanes, v, limit, _CMP_LT_OQ);
                packed |= (uint64_t)in << i;
                wrong |= _mm512_fpclass_ps_mask(v, 0x99);  // NaN of both kinds and both infinities
            }
            grid->inside[8 * b + (size_t)w] = _pdep_u64(packed, active);
            value += n;
        }
        if (wrong) return first_not_finite(grid, b);
    }
    return -1;
}
#endif

intptr_t ssdf_extract_classify(const extract_grid *grid, size_t first, size_t last) {
#if defined(__x86_64__)
    if (grid->isa == SSDF_ISA_AVX512) return classify_avx512(grid, first, last);
    if (grid->isa == SSDF_ISA_AVX2) return classify_avx2(grid, first, last);
#endif
    return classify_scalar(grid, first, last);
}

SSDF_INLINE void ssdf_extract_cells_body(const extract_grid *grid, size_t first, size_t last) {
    for (size_t b = first; b < last; ++b) {
        const int32_t *next = grid->next + 8 * b;
        extract_planes active, inside;
        extract_planes_of(&active, grid->active, next);
        extract_planes_of(&inside, grid->inside, next);
        uint32_t count = 0;
        for (int x = 0; x < 8; ++x) {
            uint64_t whole = ~0ULL, all = ~0ULL, any = 0;
            for (int k = 0; k < 8; ++k) {
                whole &= active.at[k & 3][x + (k >> 2)];
                all &= inside.at[k & 3][x + (k >> 2)];
                any |= inside.at[k & 3][x + (k >> 2)];
            }
            uint64_t crossed = whole & any & ~all;
            grid->complete[8 * b + (size_t)x] = whole;
            grid->crossed[8 * b + (size_t)x] = crossed;
            count += (uint32_t)__builtin_popcountll(crossed);
        }
        grid->cell_count[b] = count;
    }
}
SSDF_EXTRACT_PASS(ssdf_extract_cells, (const extract_grid *grid, size_t first, size_t last), (grid, first, last))

SSDF_INLINE void ssdf_extract_edges_body(const extract_grid *grid, size_t first, size_t last) {
    for (size_t b = first; b < last; ++b) {
        extract_planes inside, cell;
        extract_planes_of(&inside, grid->inside, grid->next + 8 * b);
        extract_planes_before(&cell, grid->complete, grid->previous + 8 * b);
        uint32_t count = 0;
        for (int d = 0; d < 3; ++d) {
            uint64_t *edges = grid->edges + 24 * b + 8 * (size_t)d;
            uint16_t *rank = grid->edge_rank + 24 * b + 8 * (size_t)d;
            for (int x = 0; x < 8; ++x) {
                uint64_t here = inside.at[0][x];
                uint64_t crossing, used;
                if (d == 0) {
                    crossing = here ^ inside.at[0][x + 1];
                    used = cell.at[0][1 + x] | cell.at[1][1 + x] | cell.at[2][1 + x] | cell.at[3][1 + x];
                } else if (d == 1) {
                    crossing = here ^ inside.at[2][x];
                    used = cell.at[0][1 + x] | cell.at[1][1 + x] | cell.at[0][x] | cell.at[1][x];
                } else {
                    crossing = here ^ inside.at[1][x];
                    used = cell.at[0][1 + x] | cell.at[2][1 + x] | cell.at[0][x] | cell.at[2][x];
                }
                edges[x] = crossing & used;
                rank[x] = (uint16_t)count;
                count += (uint32_t)__builtin_popcountll(crossing & used);
            }
        }
        grid->edge_count[b] = count;
    }
}
SSDF_EXTRACT_PASS(ssdf_extract_edges, (const extract_grid *grid, size_t first, size_t last), (grid, first, last))
