// Prediction of the values of a brick from those before it.
//
// A value is predicted by the seven others of the cube it closes (the Lorenzo predictor: exact for sums of functions
// of two coordinates each), arranged as three running sums so that it undoes as additions of whole rows: along z inside
// a row, over y inside a plane, over x from plane to plane. Voxels that are not active take the nearest earlier sum as
// theirs, or the first one when none is earlier, and have no residual. Where only one coordinate has moved so far, the
// step itself is predicted by the step before it.
//
// Expanding and compressing instructions of AVX-512 are no faster here than permutations by table: one vector body.
//
// Source: Ibarria, Lindstrom, Rossignac, Szymczak, "Out-of-core Compression and Decompression of Large n-dimensional
// Scalar Fields", 2003, §3.
#include "ssdf_kernels.h"
#include "ssdf_volume.h"

#include <string.h>

static int32_t plus(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }
static int32_t minus(int32_t a, int32_t b) { return (int32_t)((uint32_t)a - (uint32_t)b); }

// Both directions, value by value: what ssdf(5) says in the words of C. `residuals` is read when `restores`, else
// written; so are the values the other way about.
static void walk_scalar(
    const uint64_t *masks, size_t bricks, int32_t *values, int32_t *heads, int32_t *residuals, int restores) {
    for (size_t b = 0; b < bricks; b++, masks += 8) {
        int32_t plane[8][8] = {{0}}, slope_x = 0, slope_y = 0, slope_z = 0;
        int is_first_plane = 1;
        for (int x = 0; x < 8; x++) {
            if (!masks[x]) continue;
            int32_t rise[8] = {0};
            int is_first_row = 1;
            int y0 = __builtin_ctzll(masks[x]) >> 3;
            for (int y = y0; y < 8; y++) {
                unsigned mask = masks[x] >> (8 * y) & 255;
                int32_t sum[8] = {0}, d = 0;
                int first = -1;
                for (int z = 0; z < 8; z++) {
                    if (mask >> z & 1) {
                        int32_t before = plus(plane[y][z], rise[z]);
                        int32_t *slope = first >= 0 ? (is_first_plane && is_first_row ? &slope_z : 0)
                                         : !is_first_row ? (is_first_plane ? &slope_y : 0)
                                                         : (is_first_plane ? 0 : &slope_x);
                        int32_t *place = is_first_plane && is_first_row && first < 0 ? &heads[b] : residuals++;
                        if (restores) {
                            int32_t step = slope ? (*slope = plus(*slope, *place)) : *place;
                            d = plus(d, step);
                            *values++ = plus(before, d);
                        } else {
                            int32_t now = minus(*values++, before);
                            int32_t step = minus(now, d);
                            *place = slope ? minus(step, *slope) : step;
                            if (slope) *slope = step;
                            d = now;
                        }
                        if (first < 0)
                            for (first = z; first > 0; first--) sum[first - 1] = d;
                        first = z;
                    }
                    sum[z] = first >= 0 ? d : 0;
                }
                for (int z = 0; z < 8; z++) rise[z] = plus(rise[z], sum[z]);
                for (int row = is_first_row ? 0 : y; row <= y; row++)
                    for (int z = 0; z < 8; z++) plane[row][z] = plus(plane[row][z], rise[z]);
                is_first_row = 0;
            }
            is_first_plane = 0;
        }
    }
}

#if defined(__x86_64__)
#include <immintrin.h>

// For each mask: which packed number each lane takes (negative: none), which lane each packed number comes from, and
// which lane stands in for each.
static int8_t expand_from[256][8], compress_from[256][8], spread_from[256][8];

// Runs before main, so that every thread reads constants.
__attribute__((constructor)) static void fill_lane_tables(void) {
    for (int mask = 0; mask < 256; mask++) {
        int count = 0, last = mask ? __builtin_ctz((unsigned)mask) : 0;
        for (int lane = 0; lane < 8; lane++) {
            int on = mask >> lane & 1;
            if (on) last = lane;
            expand_from[mask][lane] = (int8_t)(on ? count : -1);
            spread_from[mask][lane] = (int8_t)last;
            if (on) compress_from[mask][count++] = (int8_t)lane;
        }
    }
}

#define AVX2 __attribute__((target("avx2")))

AVX2 static inline __m256i lanes(const int8_t *table) {
    return _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)table));
}

// The next numbers at p in the lanes of the mask, 0 elsewhere.
AVX2 static inline __m256i expand(unsigned mask, const int32_t *p) {
    __m256i from = lanes(expand_from[mask]);
    __m256i packed = _mm256_loadu_si256((const __m256i *)p);
    return _mm256_andnot_si256(_mm256_srai_epi32(from, 31), _mm256_permutevar8x32_epi32(packed, from));
}

// The lanes of the mask to p, one after another; writes eight.
AVX2 static inline void compress(unsigned mask, __m256i v, int32_t *p) {
    _mm256_storeu_si256((__m256i *)p, _mm256_permutevar8x32_epi32(v, lanes(compress_from[mask])));
}

// The lanes of the mask; a lane that is not has the last lane before it that is, or else the first.
AVX2 static inline __m256i spread(unsigned mask, __m256i v) {
    return _mm256_permutevar8x32_epi32(v, lanes(spread_from[mask]));
}

AVX2 static inline __m256i shifted(__m256i v) {
    // Lane i takes lane i - 1; lane 0 takes 0.
    return _mm256_alignr_epi8(v, _mm256_permute2x128_si256(v, v, 0x08), 12);
}

AVX2 static inline __m256i running_sum(__m256i v) {
    v = _mm256_add_epi32(v, _mm256_slli_si256(v, 4));
    v = _mm256_add_epi32(v, _mm256_slli_si256(v, 8));
    __m256i low = _mm256_permute2x128_si256(v, v, 0x08);
    return _mm256_add_epi32(v, _mm256_shuffle_epi32(low, 0xff));
}

AVX2 static inline __m256i with_first(__m256i v, int32_t first) {
    return _mm256_blend_epi32(v, _mm256_castsi128_si256(_mm_cvtsi32_si128(first)), 1);
}

AVX2 static inline int32_t first_lane(__m256i v) { return _mm_cvtsi128_si32(_mm256_castsi256_si128(v)); }

AVX2 static void predict_avx2(
    const uint64_t *masks, size_t bricks, const int32_t *values, int32_t *heads, int32_t *residuals) {
    for (size_t b = 0; b < bricks; b++, masks += 8) {
        __m256i plane[8];
        for (int y = 0; y < 8; y++) plane[y] = _mm256_setzero_si256();
        int32_t slope_x = 0, slope_y = 0;
        int is_first_plane = 1;
        for (int x = 0; x < 8; x++) {
            if (!masks[x]) continue;
            uint64_t rest = masks[x];
            int y = __builtin_ctzll(rest) >> 3;
            unsigned mask = rest >> (8 * y) & 255;
            __m256i v = expand(mask, values);
            values += __builtin_popcount(mask);
            __m256i rise = spread(mask, _mm256_sub_epi32(v, plane[y]));
            __m256i r = _mm256_sub_epi32(rise, shifted(rise));
            if (is_first_plane) {
                heads[b] = first_lane(rise);
                int32_t row[8], slope_z = 0;
                _mm256_storeu_si256((__m256i *)row, r);
                for (unsigned bits = mask & (mask - 1); bits; bits &= bits - 1) {
                    int32_t step = row[__builtin_ctz(bits)];
                    *residuals++ = (int32_t)((uint32_t)step - (uint32_t)slope_z);
                    slope_z = step;
                }
            } else {
                int32_t step = first_lane(r);
                r = with_first(r, (int32_t)((uint32_t)step - (uint32_t)slope_x));
                slope_x = step;
                compress((mask & (mask - 1)) | 1, r, residuals);
                residuals += __builtin_popcount(mask);
            }
            for (int before = 0; before <= y; before++) plane[before] = _mm256_add_epi32(plane[before], rise);
            for (y++; y < 8; y++) {
                mask = rest >> (8 * y) & 255;
                plane[y] = _mm256_add_epi32(plane[y], rise);
                if (!mask) continue;
                v = expand(mask, values);
                values += __builtin_popcount(mask);
                __m256i d = spread(mask, _mm256_sub_epi32(v, plane[y]));
                r = _mm256_sub_epi32(d, shifted(d));
                if (is_first_plane) {
                    int32_t step = first_lane(r);
                    r = with_first(r, (int32_t)((uint32_t)step - (uint32_t)slope_y));
                    slope_y = step;
                }
                compress((mask & (mask - 1)) | 1, r, residuals);
                residuals += __builtin_popcount(mask);
                rise = _mm256_add_epi32(rise, d);
                plane[y] = _mm256_add_epi32(plane[y], d);
            }
            is_first_plane = 0;
        }
    }
}

AVX2 static void unpredict_avx2(
    const uint64_t *masks, size_t bricks, const int32_t *heads, const int32_t *residuals, int32_t *values) {
    for (size_t b = 0; b < bricks; b++, masks += 8) {
        __m256i plane[8];
        for (int y = 0; y < 8; y++) plane[y] = _mm256_setzero_si256();
        int32_t slope_x = 0, slope_y = 0;
        int is_first_plane = 1;
        for (int x = 0; x < 8; x++) {
            if (!masks[x]) continue;
            uint64_t rest = masks[x];
            int y = __builtin_ctzll(rest) >> 3;
            unsigned mask = rest >> (8 * y) & 255;
            __m256i r;
            if (is_first_plane) {
                int32_t row[8] = {heads[b]}, slope_z = 0;
                for (unsigned bits = mask & (mask - 1); bits; bits &= bits - 1) {
                    slope_z = (int32_t)((uint32_t)slope_z + (uint32_t)*residuals++);
                    row[__builtin_ctz(bits)] = slope_z;
                }
                r = _mm256_loadu_si256((const __m256i *)row);
            } else {
                slope_x = (int32_t)((uint32_t)slope_x + (uint32_t)*residuals);
                r = with_first(expand((mask & (mask - 1)) | 1, residuals), slope_x);
                residuals += __builtin_popcount(mask);
            }
            __m256i rise = running_sum(r);
            for (int before = 0; before <= y; before++) plane[before] = _mm256_add_epi32(plane[before], rise);
            compress(mask, plane[y], values);
            values += __builtin_popcount(mask);
            for (y++; y < 8; y++) {
                mask = rest >> (8 * y) & 255;
                if (mask) {
                    r = expand((mask & (mask - 1)) | 1, residuals);
                    if (is_first_plane) {
                        slope_y = (int32_t)((uint32_t)slope_y + (uint32_t)*residuals);
                        r = with_first(r, slope_y);
                    }
                    residuals += __builtin_popcount(mask);
                    rise = _mm256_add_epi32(rise, running_sum(r));
                }
                plane[y] = _mm256_add_epi32(plane[y], rise);
                compress(mask, plane[y], values);
                values += __builtin_popcount(mask);
            }
            is_first_plane = 0;
        }
    }
}
#endif

void ssdf_predict_with(
    int isa, const uint64_t *masks, size_t bricks, const int32_t *values, int32_t *heads, int32_t *residuals) {
#if defined(__x86_64__)
    if (isa >= SSDF_ISA_AVX2) return predict_avx2(masks, bricks, values, heads, residuals);
#endif
    walk_scalar(masks, bricks, (int32_t *)values, heads, residuals, 0);
}

void ssdf_unpredict_with(
    int isa, const uint64_t *masks, size_t bricks, const int32_t *heads, const int32_t *residuals, int32_t *values) {
#if defined(__x86_64__)
    if (isa >= SSDF_ISA_AVX2) return unpredict_avx2(masks, bricks, heads, residuals, values);
#endif
    walk_scalar(masks, bricks, values, (int32_t *)heads, (int32_t *)residuals, 1);
}
