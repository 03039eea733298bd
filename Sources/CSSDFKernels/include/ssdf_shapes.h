// Signed distances of shapes that are made of a few primitives, for procedural training data.
#ifndef SSDF_SHAPES_H
#define SSDF_SHAPES_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// Lengths are in the shape's own units. Local axes: a cone, a torus and a round cone stand on y; the corners of a prism
// lie in the plane z = 0.
enum ssdf_primitive_kind {
    SSDF_ROUNDED_BOX = 0,  // size: half sides x, y, z with the rounding; radius of the rounding
    SSDF_ELLIPSOID = 1,    // size: radii x, y, z
    SSDF_CAPPED_CONE = 2,  // size: half height, radius at −y, radius at +y, all without the rounding; the rounding
    SSDF_TORUS = 3,        // size: radius of the circle, radius of the tube
    SSDF_ROUND_CONE = 4,   // size: distance of the two balls, radius at y = 0, radius at y = distance
    SSDF_PRISM = 5,        // size: x, y of four corners in order; half depth without the rounding; the rounding
};

// One primitive in a flat list: SSDF_PRIMITIVE_FLOATS numbers.
//   [0] kind   [1] 1 to subtract, 0 to unite   [2] width of the blend
//   [3 … 5] centre   [6 … 14] rows of the rotation from world to local axes   [15 … 24] size
#define SSDF_PRIMITIVE_FLOATS 25

// distances[i] of the points (x[i], y[i], z[i]) for i in 0 ..< points, negative inside. Primitives are united or
// subtracted one after the other; no primitives: a large distance. Exact near a single primitive but the ellipsoid,
// whose distance is right to first order at its surface; elsewhere a bound.
void ssdf_shape_distances(const float *_Nonnull primitives, size_t count, const float *_Nonnull x,
                          const float *_Nonnull y, const float *_Nonnull z, float *_Nonnull distances, size_t points);

// As above with the instruction set given (enum ssdf_isa), for tests.
void ssdf_shape_distances_with(int isa, const float *_Nonnull primitives, size_t count, const float *_Nonnull x,
                               const float *_Nonnull y, const float *_Nonnull z, float *_Nonnull distances,
                               size_t points);

// Follows rays from one origin to the shape's surface. t[i] is where ray i begins, along its unit direction, and end[i]
// where it ends; t[i] becomes where the ray comes nearer than `tolerance`, or −1 when it does not in `steps` steps. Rays
// next to each other go together, so they should be neighbours in the picture.
void ssdf_shape_trace(const float *_Nonnull primitives, size_t count, const float *_Nonnull origin,
                      const float *_Nonnull x, const float *_Nonnull y, const float *_Nonnull z, float *_Nonnull t,
                      const float *_Nonnull end, size_t rays, int steps, float tolerance);

#ifdef __cplusplus
}
#endif

#endif
