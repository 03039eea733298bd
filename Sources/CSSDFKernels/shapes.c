// Distances of procedural shapes: shapes_body.h compiled for each instruction set.

#include "ssdf_shapes.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "ssdf_kernels.h"

#define BODY "../shapes_body.h"
#include "neural/each_isa.h"

void ssdf_shape_distances_with(int isa, const float *primitives, size_t count, const float *x, const float *y,
                               const float *z, float *distances, size_t points) {
#if defined(__x86_64__)
    if (isa == SSDF_ISA_AVX512) {
        shape_distances_avx512(primitives, count, x, y, z, distances, points);
        return;
    }
    if (isa == SSDF_ISA_AVX2) {
        shape_distances_avx2(primitives, count, x, y, z, distances, points);
        return;
    }
#endif
    (void)isa;
    shape_distances_scalar(primitives, count, x, y, z, distances, points);
}

void ssdf_shape_distances(const float *primitives, size_t count, const float *x, const float *y, const float *z,
                          float *distances, size_t points) {
    ssdf_shape_distances_with(ssdf_isa(), primitives, count, x, y, z, distances, points);
}

void ssdf_shape_trace(const float *primitives, size_t count, const float *origin, const float *x, const float *y,
                      const float *z, float *t, const float *end, size_t rays, int steps, float tolerance) {
#if defined(__x86_64__)
    int isa = ssdf_isa();
    if (isa == SSDF_ISA_AVX512) {
        shape_trace_avx512(primitives, count, origin, x, y, z, t, end, rays, steps, tolerance);
        return;
    }
    if (isa == SSDF_ISA_AVX2) {
        shape_trace_avx2(primitives, count, origin, x, y, z, t, end, rays, steps, tolerance);
        return;
    }
#endif
    shape_trace_scalar(primitives, count, origin, x, y, z, t, end, rays, steps, tolerance);
}
