// Vectors of three floats, as the passes over meshes use them.
#ifndef SSDF_VECTOR3_H
#define SSDF_VECTOR3_H

#define INLINE static inline __attribute__((always_inline))

INLINE float dot(const float *a, const float *b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

INLINE void subtract(const float *a, const float *b, float *out) {
    for (int x = 0; x < 3; x++) out[x] = a[x] - b[x];
}

INLINE void cross(const float *a, const float *b, float *out) {
    out[0] = a[1] * b[2] - a[2] * b[1];
    out[1] = a[2] * b[0] - a[0] * b[2];
    out[2] = a[0] * b[1] - a[1] * b[0];
}

#endif
