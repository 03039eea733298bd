// Points and triangles out of packed binary records, as mesh files hold them.
#ifndef SSDF_RECORDS_H
#define SSDF_RECORDS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// out[i] = the three f32 at source + i·stride + {x, y, z}, for i in 0..<count; with `swap`, stored big-endian.
// `out` is [count][3]. Returns `count`, or the first i with a coordinate that is NaN or beyond `largest` in size.
size_t ssdf_gather_points(const uint8_t *_Nonnull source, size_t count, size_t stride, size_t x, size_t y, size_t z,
                          int swap, float largest, float *_Nonnull out);

// out[i] = the three u32 at source + i·stride + prefix + 1, as long as the byte before them says 3; with `swap`, stored
// big-endian. `out` is [count][3]. Returns how many records were taken: `count`, or the first i whose byte is not 3.
// *largest becomes the largest of the values taken and itself.
size_t ssdf_gather_triangles(const uint8_t *_Nonnull source, size_t count, size_t stride, size_t prefix, int swap,
                             uint32_t *_Nonnull out, uint32_t *_Nonnull largest);

// The first of `count` floats that is NaN or beyond `largest` in size, or `count`.
size_t ssdf_first_beyond(const float *_Nonnull values, size_t count, float largest);

// out[i] = the byte 3 and the three u32 of triangle i: [count][13] bytes.
void ssdf_scatter_triangles(const uint32_t *_Nonnull triangles, size_t count, uint8_t *_Nonnull out);

// The facets of binary STL: out[i] = the unit normal of triangle i by the right-hand rule (zero when it has no area), its
// three corners, and two zero bytes; f32, little-endian. `out` is [count][50] bytes; positions are [vertices][3], and every
// index must be of a vertex. The normal is computed in double precision.
void ssdf_scatter_facets(const float *_Nonnull positions, const uint32_t *_Nonnull triangles, size_t count,
                         uint8_t *_Nonnull out);

#ifdef __cplusplus
}
#endif

#endif
