// Numbers and mesh statements as text.
#ifndef SSDF_FORMAT_H
#define SSDF_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// The most bytes that ssdf_format_float() writes.
enum { SSDF_FLOAT_TEXT = 16 };

// The shortest decimal text that reads back as `value`; of several, the nearest to it. Plain between 1e-5 and 1e9, with
// an exponent otherwise; "inf", "nan". Returns the end of what it wrote, at most SSDF_FLOAT_TEXT bytes.
// Source: Giulietti, "The Schubfach way to render doubles", 2021, §9, with 64-bit powers as floats need.
char *_Nonnull ssdf_format_float(float value, char *_Nonnull out);

// `count` lines "<prefix>x y z"; returns the bytes written, at most (strlen(prefix) + 51) a line.
size_t ssdf_format_points(const float *_Nonnull points, size_t count, const char *_Nonnull prefix, char *_Nonnull out);

// `count` lines "x y z nx ny nz"; returns the bytes written, at most 102 a line.
size_t ssdf_format_points_with_normals(const float *_Nonnull points, const float *_Nonnull normals, size_t count,
                                       char *_Nonnull out);

// `count` lines "<prefix>a b c", or "<prefix>a//a b//b c//c" when `doubled`; `first` is the number of vertex 0. Returns the
// bytes written, at most strlen(prefix) + 33, or + 69 when doubled, a line.
size_t ssdf_format_triangles(const uint32_t *_Nonnull triangles, size_t count, const char *_Nonnull prefix,
                             uint32_t first, int doubled, char *_Nonnull out);

#ifdef __cplusplus
}
#endif

#endif
