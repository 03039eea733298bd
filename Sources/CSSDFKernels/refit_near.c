// How far a fitted mesh and its original lie apart near some vertices.
//
// The homes of the samples list, at every vertex, the faces of the original around it: nearest faces are looked for among
// few, without a tree. One that is not among them makes a distance too large, never too small.
#include "ssdf_refit.h"

#include <math.h>

#include "ssdf_kernels.h"
#include "vector3.h"

enum { LANES = 64, GROUP = 16 };

// Points side by side, and the squared distance of each to the nearest triangle so far. All lanes of a group are worked on;
// those beyond `count` repeat the first.
struct points {
    float x[LANES], y[LANES], z[LANES], square[LANES];
    uint32_t count;
};

INLINE uint32_t after(uint32_t corner) { return corner % 3 == 2 ? corner - 2 : corner + 1; }
INLINE uint32_t before(uint32_t corner) { return corner % 3 == 0 ? corner + 2 : corner - 1; }

INLINE void add(struct points *p, float x, float y, float z) {
    p->x[p->count] = x, p->y[p->count] = y, p->z[p->count] = z;
    p->square[p->count++] = INFINITY;
}

INLINE void fill_group(struct points *p) {
    for (uint32_t i = p->count; i % GROUP != 0; i++) {
        p->x[i] = p->x[0], p->y[i] = p->y[0], p->z[i] = p->z[0];
        p->square[i] = INFINITY;
    }
}

// Tries the triangle a, b, c on all points: p = a + v (b - a) + w (c - a) + height n, with (v, w) clamped to the triangle.
INLINE void approach(struct points *p, const float *a, const float *b, const float *c) {
    float e[3], f[3], g[3], n[3];
    subtract(b, a, e);
    subtract(c, a, f);
    subtract(c, b, g);
    cross(e, f, n);
    const float nn = dot(n, n);
    if (!(nn > 0)) return;
    const float ee = dot(e, e), ff = dot(f, f), ef = dot(e, f);
    const float scale = 1 / nn, per_e = 1 / ee, per_f = 1 / ff, per_g = 1 / dot(g, g);
    for (uint32_t group = 0; group < p->count; group += GROUP) {
        for (uint32_t i = group; i < group + GROUP; i++) {
            float dx = p->x[i] - a[0], dy = p->y[i] - a[1], dz = p->z[i] - a[2];
            float de = dx * e[0] + dy * e[1] + dz * e[2], df = dx * f[0] + dy * f[1] + dz * f[2];
            float dn = dx * n[0] + dy * n[1] + dz * n[2];
            float v = (ff * de - ef * df) * scale, w = (ee * df - ef * de) * scale;
            float s = de * per_e, t = df * per_f, u = (df - de - ef + ee) * per_g;
            s = s < 0 ? 0 : s > 1 ? 1 : s;
            t = t < 0 ? 0 : t > 1 ? 1 : t;
            u = u < 0 ? 0 : u > 1 ? 1 : u;
            // Squared distances within the plane to the nearest points of the three edges.
            float sv = s - v, off = ee * sv * sv - 2 * ef * sv * w + ff * w * w;
            float tw = t - w, off_f = ee * v * v - 2 * ef * v * tw + ff * tw * tw;
            float uv = 1 - u - v, uw = u - w, off_g = ee * uv * uv + 2 * ef * uv * uw + ff * uw * uw;
            off = off_f < off ? off_f : off;
            off = off_g < off ? off_g : off;
            off = ((v >= 0) & (w >= 0) & (v + w <= 1)) ? 0 : off;
            float square = off + dn * dn * scale;
            p->square[i] = square < p->square[i] ? square : p->square[i];
        }
    }
}

INLINE float farthest_of(const struct points *p) {
    float farthest = 0;
    for (uint32_t i = 0; i < p->count; i++)
        if (p->square[i] > farthest && p->square[i] < INFINITY) farthest = p->square[i];
    return farthest;
}

// Tries the fitted faces at v and at its neighbours.
INLINE void approach_fitted(const struct ssdf_refit *r, uint32_t v, struct points *p) {
    fill_group(p);
    for (uint32_t place = r->fan_starts[v]; place < r->fan_starts[v + 1]; place++) {
        uint32_t corner = r->fans[place], neighbour = r->triangles[after(corner)];
        const uint32_t *own = r->triangles + corner / 3 * 3;
        approach(
            p, r->positions + 3 * (size_t)own[0], r->positions + 3 * (size_t)own[1], r->positions + 3 * (size_t)own[2]);
        for (uint32_t other = r->fan_starts[neighbour]; other < r->fan_starts[neighbour + 1]; other++) {
            const uint32_t *t = r->triangles + r->fans[other] / 3 * 3;
            if (t[0] == v || t[1] == v || t[2] == v) continue;
            approach(p, r->positions + 3 * (size_t)t[0], r->positions + 3 * (size_t)t[1], r->positions + 3 * (size_t)t[2]);
        }
    }
}

// Tries the faces of the original whose centroids have v for their home.
INLINE void approach_homed(const struct ssdf_refit *r, uint32_t v, struct points *p) {
    for (uint32_t at = r->sample_starts[v]; at < r->sample_starts[v + 1]; at++) {
        if (r->samples[at] < r->point_count) continue;
        const uint32_t *f = r->faces + 3 * (size_t)(r->samples[at] - r->point_count);
        approach(p, r->points + 3 * (size_t)f[0], r->points + 3 * (size_t)f[1], r->points + 3 * (size_t)f[2]);
    }
}

// Tries the faces of the original around v.
INLINE void approach_original(const struct ssdf_refit *r, uint32_t v, struct points *p) {
    fill_group(p);
    approach_homed(r, v, p);
    for (uint32_t place = r->fan_starts[v]; place < r->fan_starts[v + 1]; place++)
        approach_homed(r, r->triangles[after(r->fans[place])], p);
}

// From the samples whose home is v to the fitted mesh.
INLINE float farthest_sample(const struct ssdf_refit *r, uint32_t v) {
    float farthest = 0;
    struct points p;
    for (uint32_t at = r->sample_starts[v]; at < r->sample_starts[v + 1]; at += LANES) {
        p.count = 0;
        for (uint32_t i = at; i < r->sample_starts[v + 1] && p.count < LANES; i++) {
            uint32_t s = r->samples[i];
            if (s < r->point_count) {
                const float *q = r->points + 3 * (size_t)s;
                add(&p, q[0], q[1], q[2]);
                continue;
            }
            const uint32_t *f = r->faces + 3 * (size_t)(s - r->point_count);
            const float *a = r->points + 3 * (size_t)f[0], *b = r->points + 3 * (size_t)f[1];
            const float *c = r->points + 3 * (size_t)f[2];
            const float third = 1.0f / 3;
            add(&p, (a[0] + b[0] + c[0]) * third, (a[1] + b[1] + c[1]) * third, (a[2] + b[2] + c[2]) * third);
        }
        approach_fitted(r, v, &p);
        farthest = fmaxf(farthest, farthest_of(&p));
    }
    return farthest;
}

// Of the centres of sixteen equal parts of a triangle, the weights (in twelfths) of those nearest to its first corner.
static const float parts[][3] = {{10, 1, 1}, {7, 1, 4}, {7, 4, 1}, {4, 4, 4}, {8, 2, 2}, {5, 2, 5}, {5, 5, 2}};
enum { PARTS = sizeof parts / sizeof *parts };

// From v and the thirds of its faces that are nearest to it to the original.
INLINE float farthest_place(const struct ssdf_refit *r, uint32_t v) {
    const float *o = r->positions + 3 * (size_t)v;
    struct points p = {.count = 0};
    float farthest = 0;
    add(&p, o[0], o[1], o[2]);
    for (uint32_t place = r->fan_starts[v]; place < r->fan_starts[v + 1]; place++) {
        if (p.count + PARTS > LANES) {
            approach_original(r, v, &p);
            farthest = fmaxf(farthest, farthest_of(&p));
            p.count = 0;
        }
        const float *a = r->positions + 3 * (size_t)r->triangles[after(r->fans[place])];
        const float *b = r->positions + 3 * (size_t)r->triangles[before(r->fans[place])];
        for (int k = 0; k < PARTS; k++) {
            float q[3];
            for (int x = 0; x < 3; x++) q[x] = (parts[k][0] * o[x] + parts[k][1] * a[x] + parts[k][2] * b[x]) * (1.0f / 12);
            add(&p, q[0], q[1], q[2]);
        }
    }
    approach_original(r, v, &p);
    return fmaxf(farthest, farthest_of(&p));
}

INLINE void measure(struct ssdf_refit *r, const uint32_t *vertices, size_t count) {
    for (size_t i = 0; i < count; i++)
        r->farthest[vertices[i]] = fmaxf(farthest_sample(r, vertices[i]), farthest_place(r, vertices[i]));
}

static void measure_scalar(struct ssdf_refit *r, const uint32_t *vertices, size_t count) { measure(r, vertices, count); }

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))) static void measure_avx512(
    struct ssdf_refit *r, const uint32_t *vertices, size_t count) {
    measure(r, vertices, count);
}
__attribute__((target("avx2,fma"))) static void measure_avx2(
    struct ssdf_refit *r, const uint32_t *vertices, size_t count) {
    measure(r, vertices, count);
}
#endif

void ssdf_refit_measure(struct ssdf_refit *r, const uint32_t *vertices, size_t count) {
#if defined(__x86_64__)
    if (ssdf_isa() >= SSDF_ISA_AVX512) {
        measure_avx512(r, vertices, count);
        return;
    }
    if (ssdf_isa() >= SSDF_ISA_AVX2) {
        measure_avx2(r, vertices, count);
        return;
    }
#endif
    measure_scalar(r, vertices, count);
}
