// Pass 4 of surface extraction: where the surface crosses the edges of the grid, and its normals there.
#include "extract_bricks.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// The same bytes from every body: no product is fused with a sum.
#pragma clang fp contract(off)

#if defined(__x86_64__)
SSDF_AVX512 static void spread_avx512(const extract_grid *grid, size_t brick, float *dense) {
    const float *value = grid->values + grid->offset[brick];
    for (int w = 0; w < 8; ++w) {
        uint64_t active = grid->active[8 * brick + (size_t)w];
        for (int i = 0; i < 64; i += 16) {
            __mmask16 lanes = (__mmask16)(active >> i);
            _mm512_storeu_ps(dense + 64 * w + i, _mm512_maskz_expandloadu_ps(lanes, value));
            value += __builtin_popcount(lanes);
        }
    }
}
#endif

void ssdf_extract_spread(const extract_grid *grid, size_t brick, float *dense) {
#if defined(__x86_64__)
    if (grid->isa == SSDF_ISA_AVX512) {
        spread_avx512(grid, brick, dense);
        return;
    }
#endif
    const float *value = grid->values + grid->offset[brick];
    for (int w = 0; w < 8; ++w)
        for (uint64_t bits = grid->active[8 * brick + (size_t)w]; bits; bits &= bits - 1)
            dense[64 * w + __builtin_ctzll(bits)] = *value++;
}

// Offset in a brick's bits, and the bit that is the last along the direction.
static const int step_of[3] = {64, 8, 1};

// Value at the upper end of the edge in direction d from (x, bit).
SSDF_INLINE float upper_value(const extract_grid *grid, size_t brick, const float *dense, int d, int x, int bit) {
    int local = d == 0 ? x : d == 1 ? bit >> 3 : bit & 7;
    if (local != 7) return dense[64 * x + bit + step_of[d]];
    size_t home = (size_t)grid->next[8 * brick + (size_t)(4 >> d)];
    return grid->values[extract_row(grid, home, d == 0 ? 0 : x, d == 1 ? bit & 7 : d == 2 ? bit & 56 : bit)];
}

// Where between two ends of different sign the level lies, 0…1, kept away from both by the margin.
SSDF_INLINE double crossing(const extract_grid *grid, float low, float high, double margin) {
    double t = (grid->iso - (double)low) / ((double)high - (double)low);
    t = t < margin ? margin : t;
    return t > 1 - margin ? 1 - margin : t;
}

SSDF_INLINE void ssdf_extract_points_body(const extract_grid *grid, size_t first, size_t last, const double *map,
                                          double margin, float *points) {
    double yz[64][3];
    for (int bit = 0; bit < 64; ++bit)
        for (int c = 0; c < 3; ++c) yz[bit][c] = map[4 * c + 1] * (bit >> 3) + map[4 * c + 2] * (bit & 7);
    float dense[512] __attribute__((aligned(64)));
    for (size_t b = first; b < last; ++b) {
        if (grid->edge_base[b] == grid->edge_base[b + 1]) continue;
        ssdf_extract_spread(grid, b, dense);
        const int32_t *p = grid->position + 3 * b;
        double origin[3];
        for (int c = 0; c < 3; ++c) {
            const double *row = map + 4 * c;
            origin[c] = row[0] * (8.0 * p[0]) + row[1] * (8.0 * p[1]) + row[2] * (8.0 * p[2]) + row[3];
        }
        float *out = points + 3 * (size_t)grid->edge_base[b];
        for (int d = 0; d < 3; ++d) {
            double along[3] = {map[d], map[4 + d], map[8 + d]};
            for (int x = 0; x < 8; ++x) {
                double corner[3];
                for (int c = 0; c < 3; ++c) corner[c] = origin[c] + map[4 * c] * x;
                for (uint64_t bits = grid->edges[24 * b + (size_t)(8 * d + x)]; bits; bits &= bits - 1) {
                    int bit = __builtin_ctzll(bits);
                    double t = crossing(grid, dense[64 * x + bit], upper_value(grid, b, dense, d, x, bit), margin);
                    for (int c = 0; c < 3; ++c) out[c] = (float)(corner[c] + yz[bit][c] + along[c] * t);
                    out += 3;
                }
            }
        }
    }
}
SSDF_EXTRACT_PASS(ssdf_extract_points,
                  (const extract_grid *grid, size_t first, size_t last, const double *map, double margin, float *points),
                  (grid, first, last, map, margin, points))

// Gradient at an active voxel, per voxel: central differences, one-sided where one neighbour is missing.
SSDF_INLINE void gradient(const extract_grid *grid, size_t brick, int x, int y, int z, double *g) {
    intptr_t here = extract_row_near(grid, brick, x, y, z);
    double value = extract_level(grid, grid->values[here]);
    for (int d = 0; d < 3; ++d) {
        int dx = d == 0, dy = d == 1, dz = d == 2;
        intptr_t low = extract_row_near(grid, brick, x - dx, y - dy, z - dz);
        intptr_t high = extract_row_near(grid, brick, x + dx, y + dy, z + dz);
        double below = low >= 0 ? extract_level(grid, grid->values[low]) : value;
        double above = high >= 0 ? extract_level(grid, grid->values[high]) : value;
        g[d] = (above - below) / (low >= 0 && high >= 0 ? 2 : 1);
    }
}

SSDF_INLINE void ssdf_extract_normals_body(const extract_grid *grid, size_t first, size_t last, const double *map,
                                           double margin, float *normals) {
    float dense[512] __attribute__((aligned(64)));
    for (size_t b = first; b < last; ++b) {
        if (grid->edge_base[b] == grid->edge_base[b + 1]) continue;
        ssdf_extract_spread(grid, b, dense);
        float *out = normals + 3 * (size_t)grid->edge_base[b];
        for (int d = 0; d < 3; ++d)
            for (int x = 0; x < 8; ++x)
                for (uint64_t bits = grid->edges[24 * b + (size_t)(8 * d + x)]; bits; bits &= bits - 1) {
                    int bit = __builtin_ctzll(bits), y = bit >> 3, z = bit & 7;
                    double t = crossing(grid, dense[64 * x + bit], upper_value(grid, b, dense, d, x, bit), margin);
                    double low[3], high[3], normal[3], length = 0;
                    gradient(grid, b, x, y, z, low);
                    gradient(grid, b, x + (d == 0), y + (d == 1), z + (d == 2), high);
                    for (int c = 0; c < 3; ++c) low[c] += (high[c] - low[c]) * t;
                    for (int c = 0; c < 3; ++c) {
                        normal[c] = map[3 * c] * low[0] + map[3 * c + 1] * low[1] + map[3 * c + 2] * low[2];
                        length += normal[c] * normal[c];
                    }
                    length = __builtin_sqrt(length);
                    for (int c = 0; c < 3; ++c) out[c] = length > 0 ? (float)(normal[c] / length) : 0;
                    out += 3;
                }
    }
}
SSDF_EXTRACT_PASS(ssdf_extract_normals,
                  (const extract_grid *grid, size_t first, size_t last, const double *map, double margin, float *normals),
                  (grid, first, last, map, margin, normals))
