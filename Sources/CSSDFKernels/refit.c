// Fitting a mesh of fixed connectivity to samples of a surface.
//
// Source: Hoppe, DeRose, Duchamp, McDonald, Stuetzle, "Mesh Optimization", 1993, §4.1 (the inner problem: vertex positions
// that minimise the squared distances of samples whose barycentric coordinates are held).
#include "ssdf_refit.h"

#include <math.h>
#include <string.h>

#include "ssdf_kernels.h"
#include "vector3.h"

#define NONE UINT32_MAX

// The corner after one, in its triangle.
INLINE uint32_t after(uint32_t corner) { return corner % 3 == 2 ? corner - 2 : corner + 1; }

// The unit normal of a triangle, or zeros when it has no area; returns twice its area.
INLINE float unit_normal(const float *a, const float *b, const float *c, float n[3]) {
    float e[3], f[3];
    subtract(b, a, e);
    subtract(c, a, f);
    cross(e, f, n);
    float length = sqrtf(dot(n, n));
    for (int x = 0; x < 3; x++) n[x] = length > 0 ? n[x] / length : 0;
    return length;
}

// ---- lists

// Counts, then starts, then the places themselves: `list` ordered by `key`. Each start is moved to its end while it is
// filled and moved back in the end.
INLINE void list_by(const uint32_t *keys, size_t count, uint32_t bins, uint32_t *starts, uint32_t *list) {
    memset(starts, 0, sizeof(uint32_t) * ((size_t)bins + 1));
    for (size_t i = 0; i < count; i++)
        if (keys[i] != NONE) starts[keys[i]]++;
    uint32_t sum = 0;
    for (uint32_t b = 0; b <= bins; b++) {
        sum += starts[b];
        starts[b] = sum;
    }
    for (size_t i = count; i-- > 0;)
        if (keys[i] != NONE) list[--starts[keys[i]]] = (uint32_t)i;
}

void ssdf_refit_list_fans(struct ssdf_refit *r) {
    list_by(r->triangles, 3 * (size_t)r->triangle_count, r->vertex_count, r->fan_starts, r->fans);
}

void ssdf_refit_list_samples(struct ssdf_refit *r) {
    list_by(r->homes, (size_t)r->point_count + r->face_count, r->vertex_count, r->sample_starts, r->samples);
}

// ---- matching

// Samples side by side, and the nearest that each has found. Lanes are worked on in groups.
enum { LANES = 64, GROUP = 16, HALVES = 3 };

struct lanes {
    float x[LANES], y[LANES], z[LANES];
    float square[LANES], v[LANES], w[LANES], height[LANES];
    uint32_t corner[LANES];
    uint32_t count;  // rounded up to whole groups
};

INLINE void load(const struct ssdf_refit *r, const uint32_t *samples, uint32_t count, struct lanes *l) {
    l->count = (count + GROUP - 1) / GROUP * GROUP;
    for (uint32_t i = 0; i < l->count; i++) {
        uint32_t s = samples[i < count ? i : 0];
        if (s < r->point_count) {
            const float *p = r->points + 3 * (size_t)s;
            l->x[i] = p[0], l->y[i] = p[1], l->z[i] = p[2];
        } else {
            const uint32_t *f = r->faces + 3 * (size_t)(s - r->point_count);
            const float *a = r->points + 3 * (size_t)f[0], *b = r->points + 3 * (size_t)f[1];
            const float *c = r->points + 3 * (size_t)f[2];
            const float third = 1.0f / 3;
            l->x[i] = (a[0] + b[0] + c[0]) * third;
            l->y[i] = (a[1] + b[1] + c[1]) * third;
            l->z[i] = (a[2] + b[2] + c[2]) * third;
        }
        l->square[i] = INFINITY;
        l->v[i] = l->w[i] = l->height[i] = 0;
        l->corner[i] = 0;
    }
}

// Tries the triangle of a corner on all lanes: p = a + v e + w f + height n, (v, w) clamped to the triangle.
INLINE void try_triangle(const struct ssdf_refit *r, uint32_t place, struct lanes *l) {
    const uint32_t *t = r->triangles + r->fans[place] / 3 * 3;
    const float *a = r->positions + 3 * (size_t)t[0], *b = r->positions + 3 * (size_t)t[1];
    const float *c = r->positions + 3 * (size_t)t[2];
    float e[3], f[3], g[3], n[3];
    float area = unit_normal(a, b, c, n);
    if (!(area > 0)) return;
    subtract(b, a, e);
    subtract(c, a, f);
    subtract(c, b, g);
    const float ee = dot(e, e), ff = dot(f, f), ef = dot(e, f);
    const float scale = 1 / (area * area), per_e = 1 / ee, per_f = 1 / ff, per_g = 1 / dot(g, g);
    for (uint32_t group = 0; group < l->count; group += GROUP) {
        for (uint32_t i = group; i < group + GROUP; i++) {
            float dx = l->x[i] - a[0], dy = l->y[i] - a[1], dz = l->z[i] - a[2];
            float de = dx * e[0] + dy * e[1] + dz * e[2], df = dx * f[0] + dy * f[1] + dz * f[2];
            float height = dx * n[0] + dy * n[1] + dz * n[2];
            float v = (ff * de - ef * df) * scale, w = (ee * df - ef * de) * scale;
            float s = de * per_e, t = df * per_f, u = (df - de - ef + ee) * per_g;
            s = s < 0 ? 0 : s > 1 ? 1 : s;
            t = t < 0 ? 0 : t > 1 ? 1 : t;
            u = u < 0 ? 0 : u > 1 ? 1 : u;
            // Squared distances within the plane to the nearest points of the three edges.
            float sv = s - v, off_e = ee * sv * sv - 2 * ef * sv * w + ff * w * w;
            float tw = t - w, off_f = ee * v * v - 2 * ef * v * tw + ff * tw * tw;
            float uv = 1 - u - v, uw = u - w, off_g = ee * uv * uv + 2 * ef * uv * uw + ff * uw * uw;
            float off = off_e, nv = s, nw = 0;
            nv = off_f < off ? 0 : nv;
            nw = off_f < off ? t : nw;
            off = off_f < off ? off_f : off;
            nv = off_g < off ? 1 - u : nv;
            nw = off_g < off ? u : nw;
            off = off_g < off ? off_g : off;
            int is_inside = (v >= 0) & (w >= 0) & (v + w <= 1);
            nv = is_inside ? v : nv;
            nw = is_inside ? w : nw;
            float square = (is_inside ? 0 : off) + height * height;
            int is_nearer = square < l->square[i];
            l->square[i] = is_nearer ? square : l->square[i];
            l->v[i] = is_nearer ? nv : l->v[i];
            l->w[i] = is_nearer ? nw : l->w[i];
            l->height[i] = is_nearer ? height : l->height[i];
            l->corner[i] = is_nearer ? place : l->corner[i];
        }
    }
}

// Which corner of the nearest triangle a sample is nearest to.
INLINE uint32_t nearest_corner(const struct ssdf_refit *r, const struct lanes *l, uint32_t i) {
    const uint32_t *t = r->triangles + r->fans[l->corner[i]] / 3 * 3;
    float v = l->v[i], w = l->w[i], u = 1 - v - w;
    return v > u ? (w > v ? t[2] : t[1]) : (w > u ? t[2] : t[0]);
}

// The vertex near a sample for which the fan of `home` holds nothing near enough: goes on to the fans at the corners of the
// nearest triangle while that brings it nearer. What it finds is left in l's first lane.
INLINE uint32_t wander(const struct ssdf_refit *r, uint32_t sample, uint32_t home, struct lanes *l) {
    load(r, &sample, 1, l);
    uint32_t seen = home, start = home;
    for (uint32_t other = r->fan_starts[home]; other < r->fan_starts[home + 1]; other++) try_triangle(r, other, l);
    for (int step = 0; step < 16; step++) {
        float before = l->square[0];
        const uint32_t *t = r->triangles + r->fans[l->corner[0]] / 3 * 3;
        for (int i = 0; i < 3; i++) {
            if (t[i] == seen || t[i] == start) continue;
            for (uint32_t other = r->fan_starts[t[i]]; other < r->fan_starts[t[i] + 1]; other++) try_triangle(r, other, l);
        }
        if (!(l->square[0] < before)) break;
        seen = home;
        home = nearest_corner(r, l, 0);
    }
    return nearest_corner(r, l, 0);
}

// The face of the original whose centroid, among the lanes, is nearest to p, when it is nearer than `least` (squared).
INLINE void nearest_face(
    const struct ssdf_refit *r, const uint32_t *samples, const struct lanes *l, uint32_t count, const float *p,
    float *least, uint32_t *face) {
    for (uint32_t i = 0; i < count; i++) {
        float dx = l->x[i] - p[0], dy = l->y[i] - p[1], dz = l->z[i] - p[2], square = dx * dx + dy * dy + dz * dz;
        if (square >= *least || samples[i] < r->point_count) continue;
        *least = square;
        *face = samples[i] - r->point_count;
    }
}

// Adds what a sample says of its nearest triangle to the sums.
INLINE void add_sample(struct ssdf_refit *r, const struct lanes *l, uint32_t i, float tolerated) {
    float v = l->v[i], w = l->w[i], u = 1 - v - w, weight = 1;
    if (l->square[i] > tolerated) {
        float excess = l->square[i] / tolerated;
        weight = excess * excess;
    }
    float *sum = r->sums + SSDF_REFIT_SUMS * (size_t)l->corner[i];
    float wu = weight * u, wv = weight * v, ww = weight * w;
    sum[0] += wu * u;
    sum[1] += wu * v;
    sum[2] += wu * w;
    sum[3] += wv * v;
    sum[4] += wv * w;
    sum[5] += ww * w;
    sum[6] += wu * l->height[i];
    sum[7] += wv * l->height[i];
    sum[8] += ww * l->height[i];
}

// With `only_farthest`, nothing but the distances is found.
INLINE struct ssdf_refit_distances match(
    struct ssdf_refit *r, uint32_t begin, uint32_t end, float tolerated, float searched, int only_farthest) {
    struct ssdf_refit_distances total = {0};
    struct lanes l;
    for (uint32_t vertex = begin; vertex < end; vertex++) {
        uint32_t first = r->fan_starts[vertex], last = r->fan_starts[vertex + 1];
        float nearest = INFINITY, farthest = 0;
        if (!only_farthest) {
            memset(r->sums + SSDF_REFIT_SUMS * (size_t)first, 0, sizeof(float) * SSDF_REFIT_SUMS * (last - first));
            r->nearest_face[vertex] = NONE;
        }
        for (uint32_t at = r->sample_starts[vertex]; at < r->sample_starts[vertex + 1]; at += LANES) {
            uint32_t count = r->sample_starts[vertex + 1] - at;
            if (count > LANES) count = LANES;
            load(r, r->samples + at, count, &l);
            for (uint32_t place = first; place < last; place++) try_triangle(r, place, &l);
            if (!only_farthest)
                nearest_face(
                    r, r->samples + at, &l, count, r->positions + 3 * (size_t)vertex, &nearest, &r->nearest_face[vertex]);
            for (uint32_t i = 0; i < count; i++) {
                if (!(l.square[i] < INFINITY)) continue;
                uint32_t sample = r->samples[at + i];
                if (l.square[i] > searched) {
                    struct lanes found;
                    uint32_t home = wander(r, sample, vertex, &found);
                    if (found.square[0] < l.square[i] * 0.9f) {
                        if (!only_farthest) r->homes[sample] = home;
                        total.squares += (double)found.square[0];
                        total.count++;
                        if (found.square[0] > farthest) farthest = found.square[0];
                        continue;
                    }
                }
                if (!only_farthest) {
                    add_sample(r, &l, i, tolerated);
                    r->homes[sample] = nearest_corner(r, &l, i);
                }
                total.squares += (double)l.square[i];
                total.count++;
                if (l.square[i] > farthest) farthest = l.square[i];
            }
        }
        r->farthest[vertex] = farthest;
        if (farthest > total.largest) total.largest = farthest;
    }
    return total;
}

// ---- solving

size_t ssdf_refit_scratch(uint32_t vertex_count, uint32_t triangle_count) {
    return 31 * (size_t)vertex_count + 12 * (size_t)triangle_count;
}

// For a triangle: its unit normal and its sums over all three corners. y += n ⊗ (M (n · x)) is its part in the product.
INLINE void multiply(const struct ssdf_refit *r, const float *parts, const float *soft, const float *x, float *y) {
    for (size_t v = 0; v < r->vertex_count; v++) {
        const float *a = soft + 6 * v, *b = x + 3 * v;
        float *o = y + 3 * v;
        o[0] = a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
        o[1] = a[1] * b[0] + a[3] * b[1] + a[4] * b[2];
        o[2] = a[2] * b[0] + a[4] * b[1] + a[5] * b[2];
    }
    for (size_t t = 0; t < r->triangle_count; t++) {
        const float *n = parts + 12 * t, *m = n + 3;
        size_t a = 3 * (size_t)r->triangles[3 * t], b = 3 * (size_t)r->triangles[3 * t + 1];
        size_t c = 3 * (size_t)r->triangles[3 * t + 2];
        float p = dot(n, x + a), q = dot(n, x + b), s = dot(n, x + c);
        float u = m[0] * p + m[1] * q + m[2] * s, v = m[1] * p + m[3] * q + m[4] * s, w = m[2] * p + m[4] * q + m[5] * s;
        for (size_t k = 0; k < 3; k++) {
            y[a + k] += u * n[k];
            y[b + k] += v * n[k];
            y[c + k] += w * n[k];
        }
    }
}

// The point of a face of the original nearest to p; returns the squared distance.
INLINE float nearest_on_face(const struct ssdf_refit *r, uint32_t face, const float *p, float q[3]) {
    const uint32_t *f = r->faces + 3 * (size_t)face;
    const float *corner[3];
    for (int i = 0; i < 3; i++) corner[i] = r->points + 3 * (size_t)f[i];
    float n[3], d[3];
    float area = unit_normal(corner[0], corner[1], corner[2], n);
    subtract(p, corner[0], d);
    float height = dot(d, n), least = INFINITY;
    int is_inside = area > 0;
    for (int i = 0; i < 3; i++) {
        const float *a = corner[i], *b = corner[(i + 1) % 3];
        float e[3], side[3];
        subtract(b, a, e);
        subtract(p, a, d);
        cross(n, e, side);
        if (dot(side, d) < 0) is_inside = 0;
        float ee = dot(e, e), t = ee > 0 ? dot(d, e) / ee : 0;
        t = t < 0 ? 0 : t > 1 ? 1 : t;
        float square = 0, point[3];
        for (int k = 0; k < 3; k++) {
            point[k] = a[k] + t * e[k];
            square += (p[k] - point[k]) * (p[k] - point[k]);
        }
        if (square >= least) continue;
        least = square;
        memcpy(q, point, 3 * sizeof(float));
    }
    if (!is_inside) return least;
    for (int k = 0; k < 3; k++) q[k] = p[k] - height * n[k];
    return height * height;
}

// Tries the faces whose centroids have v for their home.
INLINE void try_faces(const struct ssdf_refit *r, uint32_t v, const float *p, float *least, float q[3]) {
    for (uint32_t at = r->sample_starts[v]; at < r->sample_starts[v + 1]; at++) {
        if (r->samples[at] < r->point_count) continue;
        float point[3], square = nearest_on_face(r, r->samples[at] - r->point_count, p, point);
        if (square >= *least) continue;
        *least = square;
        memcpy(q, point, 3 * sizeof(float));
    }
}

// Least squares let vertices overshoot where samples near them are few: one that its move would take farther than the
// limit from the faces around is brought back to it.
INLINE void bring_back(const struct ssdf_refit *r, uint32_t v, float limit, float *move) {
    if (r->nearest_face[v] == NONE) return;
    float p[3], q[3];
    for (size_t k = 0; k < 3; k++) p[k] = r->positions[3 * (size_t)v + k] + move[k];
    float least = nearest_on_face(r, r->nearest_face[v], p, q);
    if (least <= limit * limit) return;
    try_faces(r, v, p, &least, q);
    for (uint32_t place = r->fan_starts[v]; place < r->fan_starts[v + 1] && least > limit * limit; place++) {
        uint32_t corner = r->fans[place];
        try_faces(r, r->triangles[after(corner)], p, &least, q);
    }
    if (least <= limit * limit) return;
    float share = limit / sqrtf(least);
    for (size_t k = 0; k < 3; k++) move[k] += (share - 1) * (p[k] - q[k]);
}

// Shortens the moves of vertices that would harm a triangle, by halves and in the end altogether, until none does.
static void shorten(const struct ssdf_refit *r, const float *positions, float least_shape, float *moves) {
    for (int changed = 1, pass = 0; changed; pass++) {
        const float share = pass < HALVES ? 0.5f : 0;
        changed = 0;
        for (size_t t = 0; t < r->triangle_count; t++) {
            float old[3][3], new[3][3];
            int moved = 0;
            for (int i = 0; i < 3; i++) {
                size_t v = 3 * (size_t)r->triangles[3 * t + (size_t)i];
                for (size_t k = 0; k < 3; k++) {
                    old[i][k] = positions[v + k];
                    new[i][k] = old[i][k] + moves[v + k];
                    moved |= moves[v + k] != 0;
                }
            }
            if (!moved) continue;
            float e[3], f[3], g[3], n0[3], n1[3];
            subtract(old[1], old[0], e);
            subtract(old[2], old[0], f);
            subtract(old[2], old[1], g);
            cross(e, f, n0);
            float sides0 = dot(e, e) + dot(f, f) + dot(g, g);
            subtract(new[1], new[0], e);
            subtract(new[2], new[0], f);
            subtract(new[2], new[1], g);
            cross(e, f, n1);
            float sides1 = dot(e, e) + dot(f, f) + dot(g, g);
            float nn0 = dot(n0, n0), nn1 = dot(n1, n1), turn = dot(n0, n1);
            int turns = !(turn > 0) || turn * turn < 0.5f * nn0 * nn1;
            // 2√3 |n| / Σ l² is 1 for the equilateral triangle.
            int thins = !(12 * nn1 >= least_shape * least_shape * sides1 * sides1) &&
                        !(nn1 * sides0 * sides0 >= nn0 * sides1 * sides1);
            if (!turns && !thins) continue;
            for (size_t i = 0; i < 3; i++)
                for (size_t k = 0; k < 3; k++) moves[3 * (size_t)r->triangles[3 * t + i] + k] *= share;
            changed = 1;
        }
    }
}

INLINE void solve(struct ssdf_refit *r, const struct ssdf_refit_limits *limits, float *scratch) {
    const size_t count = r->vertex_count, n3 = 3 * count;
    float *soft = scratch, *inverse = soft + 6 * count, *x = inverse + 6 * count, *residual = x + n3, *z = residual + n3;
    float *p = z + n3, *product = p + n3, *parts = product + n3;
    memset(scratch, 0, sizeof(float) * (18 * count));
    memset(parts, 0, sizeof(float) * 12 * r->triangle_count);
    for (size_t place = 0; place < 3 * (size_t)r->triangle_count; place++) {
        float *part = parts + 12 * (size_t)(r->fans[place] / 3) + 3;
        for (int k = 0; k < SSDF_REFIT_SUMS; k++) part[k] += r->sums[SSDF_REFIT_SUMS * place + (size_t)k];
    }
    for (size_t t = 0; t < r->triangle_count; t++) {
        const uint32_t *corner = r->triangles + 3 * t;
        float *n = parts + 12 * t, *m = n + 3;
        unit_normal(
            r->positions + 3 * (size_t)corner[0], r->positions + 3 * (size_t)corner[1],
            r->positions + 3 * (size_t)corner[2], n);
        const float diagonal[3] = {m[0], m[3], m[5]};
        for (int i = 0; i < 3; i++) {
            float *a = inverse + 6 * (size_t)corner[i], g = diagonal[i];
            a[0] += g * n[0] * n[0];
            a[1] += g * n[0] * n[1];
            a[2] += g * n[0] * n[2];
            a[3] += g * n[1] * n[1];
            a[4] += g * n[1] * n[2];
            a[5] += g * n[2] * n[2];
            for (int k = 0; k < 3; k++) residual[3 * (size_t)corner[i] + (size_t)k] += m[6 + i] * n[k];
        }
    }
    double weight = 0;
    for (size_t v = 0; v < count; v++) weight += (double)(inverse[6 * v] + inverse[6 * v + 3] + inverse[6 * v + 5]);
    const float mean = (float)(weight / (double)count);
    // The preconditioner: the inverse of every vertex's own 3×3 block; zeros hold a vertex where it is.
    for (size_t v = 0; v < count; v++) {
        float *a = inverse + 6 * v, *b = soft + 6 * v;
        // tr(A) I - A: nothing along the normal of a flat fan, the whole weight across it.
        const float trace = a[0] + a[3] + a[5];
        const float along = limits->softness * trace + limits->hold * mean * (trace > 0 ? mean / trace : 1);
        for (int k = 0; k < 6; k++) b[k] = -limits->softness * a[k];
        b[0] += along;
        b[3] += along;
        b[5] += along;
        double d[6];
        for (int k = 0; k < 6; k++) d[k] = (double)a[k] + (double)b[k];
        double c00 = d[3] * d[5] - d[4] * d[4], c01 = d[2] * d[4] - d[1] * d[5], c02 = d[1] * d[4] - d[2] * d[3];
        double determinant = d[0] * c00 + d[1] * c01 + d[2] * c02;
        if (r->fixed[v] || !(determinant > 0)) {
            memset(a, 0, 6 * sizeof(float));
            continue;
        }
        a[0] = (float)(c00 / determinant);
        a[1] = (float)(c01 / determinant);
        a[2] = (float)(c02 / determinant);
        a[3] = (float)((d[0] * d[5] - d[2] * d[2]) / determinant);
        a[4] = (float)((d[1] * d[2] - d[0] * d[4]) / determinant);
        a[5] = (float)((d[0] * d[3] - d[1] * d[1]) / determinant);
    }
    double before = 0;
    for (int iteration = 0; iteration < limits->iterations; iteration++) {
        double now = 0;
        for (size_t v = 0; v < count; v++) {
            const float *a = inverse + 6 * v, *b = residual + 3 * v;
            float *o = z + 3 * v;
            o[0] = a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
            o[1] = a[1] * b[0] + a[3] * b[1] + a[4] * b[2];
            o[2] = a[2] * b[0] + a[4] * b[1] + a[5] * b[2];
            now += (double)dot(o, b);
        }
        if (!(now > 0)) break;
        float beta = iteration > 0 ? (float)(now / before) : 0;
        before = now;
        for (size_t i = 0; i < n3; i++) p[i] = iteration > 0 ? z[i] + beta * p[i] : z[i];
        multiply(r, parts, soft, p, product);
        double curvature = 0;
        for (size_t v = 0; v < count; v++) curvature += (double)dot(p + 3 * v, product + 3 * v);
        if (!(curvature > 0)) break;
        float step = (float)(now / curvature);
        for (size_t i = 0; i < n3; i++) {
            x[i] += step * p[i];
            residual[i] -= step * product[i];
        }
    }
    for (uint32_t v = 0; v < count; v++)
        if (!r->fixed[v]) bring_back(r, v, limits->height, x + 3 * (size_t)v);
    shorten(r, r->positions, limits->least_shape, x);
    for (size_t i = 0; i < n3; i++) r->positions[i] += x[i];
}

uint32_t ssdf_refit_undo(
    struct ssdf_refit *r, const float *original, float bound, float least_shape, float *scratch) {
    const size_t n3 = 3 * (size_t)r->vertex_count;
    float *moves = scratch;
    uint32_t undone = 0;
    for (size_t i = 0; i < n3; i++) moves[i] = r->positions[i] - original[i];
    for (uint32_t v = 0; v < r->vertex_count; v++) {
        if (!(r->farthest[v] > bound)) continue;
        for (uint32_t place = r->fan_starts[v]; place < r->fan_starts[v + 1]; place++) {
            for (size_t i = 0; i < 3; i++) {
                float *move = moves + 3 * (size_t)r->triangles[r->fans[place] / 3 * 3 + i];
                undone += move[0] != 0 || move[1] != 0 || move[2] != 0;
                memset(move, 0, 3 * sizeof(float));
            }
        }
    }
    if (undone == 0) return 0;
    shorten(r, original, least_shape, moves);
    for (size_t i = 0; i < n3; i++) r->positions[i] = original[i] + moves[i];
    return undone;
}

// ---- instruction sets

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))

AVX512 static struct ssdf_refit_distances match_avx512(
    struct ssdf_refit *r, uint32_t begin, uint32_t end, float tolerated, float searched) {
    return match(r, begin, end, tolerated, searched, 0);
}
AVX512 static struct ssdf_refit_distances reach_avx512(
    struct ssdf_refit *r, uint32_t begin, uint32_t end, float searched) {
    return match(r, begin, end, INFINITY, searched, 1);
}
AVX2 static struct ssdf_refit_distances match_avx2(
    struct ssdf_refit *r, uint32_t begin, uint32_t end, float tolerated, float searched) {
    return match(r, begin, end, tolerated, searched, 0);
}
AVX2 static struct ssdf_refit_distances reach_avx2(struct ssdf_refit *r, uint32_t begin, uint32_t end, float searched) {
    return match(r, begin, end, INFINITY, searched, 1);
}
AVX2 static void solve_avx2(struct ssdf_refit *r, const struct ssdf_refit_limits *limits, float *scratch) {
    solve(r, limits, scratch);
}
#endif

static struct ssdf_refit_distances match_scalar(
    struct ssdf_refit *r, uint32_t begin, uint32_t end, float tolerated, float searched) {
    return match(r, begin, end, tolerated, searched, 0);
}
static struct ssdf_refit_distances reach_scalar(struct ssdf_refit *r, uint32_t begin, uint32_t end, float searched) {
    return match(r, begin, end, INFINITY, searched, 1);
}
static void solve_scalar(struct ssdf_refit *r, const struct ssdf_refit_limits *limits, float *scratch) {
    solve(r, limits, scratch);
}

struct ssdf_refit_distances ssdf_refit_match(
    struct ssdf_refit *r, uint32_t begin, uint32_t end, float tolerated, float searched) {
#if defined(__x86_64__)
    if (ssdf_isa() >= SSDF_ISA_AVX512) return match_avx512(r, begin, end, tolerated, searched);
    if (ssdf_isa() >= SSDF_ISA_AVX2) return match_avx2(r, begin, end, tolerated, searched);
#endif
    return match_scalar(r, begin, end, tolerated, searched);
}

struct ssdf_refit_distances ssdf_refit_reach(struct ssdf_refit *r, uint32_t begin, uint32_t end, float searched) {
#if defined(__x86_64__)
    if (ssdf_isa() >= SSDF_ISA_AVX512) return reach_avx512(r, begin, end, searched);
    if (ssdf_isa() >= SSDF_ISA_AVX2) return reach_avx2(r, begin, end, searched);
#endif
    return reach_scalar(r, begin, end, searched);
}

void ssdf_refit_solve(struct ssdf_refit *r, const struct ssdf_refit_limits *limits, float *scratch) {
#if defined(__x86_64__)
    if (ssdf_isa() >= SSDF_ISA_AVX2) {
        solve_avx2(r, limits, scratch);
        return;
    }
#endif
    solve_scalar(r, limits, scratch);
}
