#include "ssdf_distance.h"

#include "ssdf_kernels.h"

#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#pragma clang fp contract(fast)
// Functions that take or return vectors are always inlined here, so that no calling convention is involved.
#pragma clang diagnostic ignored "-Wpsabi"

typedef float vf __attribute__((ext_vector_type(16)));
typedef int vi __attribute__((ext_vector_type(16)));
typedef _Bool vb __attribute__((ext_vector_type(16)));
typedef double vd __attribute__((ext_vector_type(8)));
typedef long vl __attribute__((ext_vector_type(8)));

// Half the diagonal of the voxel centres of a brick (8³), and of a block (2³).
#define BRICK_RADIUS 6.0621779f
#define BLOCK_RADIUS 0.8660254f

// A tile's first voxel, seen from its middle.
#define TILE_X -15.5f
#define TILE_Y -15.5f
#define TILE_Z -31.5f

#define MIN(a, b) BODY(least)(a, b)
#define MAX(a, b) BODY(greatest)(a, b)
#define SELECT_F(mask, a, b) ((vf)(((vi)(a) & (mask)) | ((vi)(b) & ~(mask))))
#define SELECT_D(mask, a, b) ((vd)(((vl)(a) & (mask)) | ((vl)(b) & ~(mask))))
#define LANE_NUMBERS ((vi){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
#define BITS(comparison) lanes_set(__builtin_convertvector(comparison, vb))

static inline __attribute__((always_inline)) unsigned lanes_set(vb mask) {
    uint16_t bits;
    memcpy(&bits, &mask, sizeof bits);
    return bits;
}

static inline void compress_portable(float *out, vf value, unsigned on) {
    while (on) {
        *out++ = value[__builtin_ctz(on)];
        on &= on - 1;
    }
}

#define BODY(name) name##_scalar
#define COMPRESS(out, value, on) compress_portable(out, value, on)
#include "distance_body.h"
#undef BODY
#undef COMPRESS

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define BODY(name) name##_avx2
#define COMPRESS(out, value, on) compress_portable(out, value, on)
#include "distance_body.h"
#undef BODY
#undef COMPRESS
#pragma clang attribute pop

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)
#define BODY(name) name##_avx512
#define COMPRESS(out, value, on) _mm512_storeu_ps(out, _mm512_maskz_compress_ps((__mmask16)(on), (__m512)(value)))
#include "distance_body.h"
#undef BODY
#undef COMPRESS
#pragma clang attribute pop

#define CHOOSE(isa, name, ...)                                                                                          \
    switch (isa) {                                                                                                      \
    case SSDF_ISA_AVX512: return name##_avx512(__VA_ARGS__);                                                             \
    case SSDF_ISA_AVX2: return name##_avx2(__VA_ARGS__);                                                                 \
    default: return name##_scalar(__VA_ARGS__);                                                                         \
    }
#else
#define CHOOSE(isa, name, ...)                                                                                          \
    (void)(isa);                                                                                                        \
    return name##_scalar(__VA_ARGS__);
#endif

void ssdf_triangle_frames_isa(int isa, const float *positions, const uint32_t *triangles, const uint32_t *list,
                              size_t count, const double affine[12], float extent, struct ssdf_triangle_frame *frames) {
    CHOOSE(isa, triangle_frames, positions, triangles, list, count, affine, extent, frames)
}

void ssdf_triangle_frames(const float *positions, const uint32_t *triangles, const uint32_t *list, size_t count,
                          const double affine[12], float extent, struct ssdf_triangle_frame *frames) {
    ssdf_triangle_frames_isa(ssdf_isa(), positions, triangles, list, count, affine, extent, frames);
}

void ssdf_frame_distances(const struct ssdf_triangle_frame *frame, const float *points, float *squared) {
    CHOOSE(ssdf_isa(), frame_distances, frame, points, squared)
}

size_t ssdf_tile_pairs_isa(int isa, const struct ssdf_triangle_frame *frames, size_t count, float limit, size_t capacity, uint16_t *pair_brick,
                           uint32_t *pair_frame, float *pair_squared, float *nearest) {
    CHOOSE(isa, tile_pairs, frames, count, limit, capacity, pair_brick, pair_frame, pair_squared, nearest)
}

size_t ssdf_tile_pairs(const struct ssdf_triangle_frame *frames, size_t count, float limit, size_t capacity, uint16_t *pair_brick, uint32_t *pair_frame,
                       float *pair_squared, float *nearest) {
    return ssdf_tile_pairs_isa(ssdf_isa(), frames, count, limit, capacity, pair_brick, pair_frame,
                               pair_squared, nearest);
}

size_t ssdf_brick_scratch(size_t count) { return count * (64 * sizeof(float) + 32 * sizeof(uint32_t)) + 64; }

int ssdf_brick_distances_isa(int isa, const struct ssdf_triangle_frame *frames, const uint32_t *list, size_t count,
                             int brick, float limit, float tolerance, void *scratch, float *squared,
                             uint64_t *active, uint64_t *doubtful) {
    CHOOSE(isa, brick_distances, frames, list, count, brick, limit, tolerance, scratch, squared, active, doubtful)
}

int ssdf_brick_distances(const struct ssdf_triangle_frame *frames, const uint32_t *list, size_t count,
                         int brick, float limit, float tolerance, void *scratch, float *squared,
                         uint64_t *active, uint64_t *doubtful) {
    return ssdf_brick_distances_isa(ssdf_isa(), frames, list, count, brick, limit, tolerance, scratch, squared, active,
                                    doubtful);
}

size_t ssdf_pack_distances_isa(int isa, const float *squared, const uint64_t *active, const uint64_t *inside,
                               float scale, float quantum, float most, float *values) {
    CHOOSE(isa, pack_distances, squared, active, inside, scale, quantum, most, values)
}

size_t ssdf_pack_distances(const float *squared, const uint64_t *active, const uint64_t *inside, float scale,
                           float quantum, float most, float *values) {
    return ssdf_pack_distances_isa(ssdf_isa(), squared, active, inside, scale, quantum, most, values);
}
