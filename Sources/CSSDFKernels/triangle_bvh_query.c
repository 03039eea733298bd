// Closest points and rays through the hierarchy, eight boxes or eight triangles at a time.
//
// Each query is written once over eight-lane vectors and compiled twice, for the baseline and for AVX2 with FMA.
// AVX-512 machines run the AVX2 body: the lanes are eight.
//
// Sources: Ericson, "Real-Time Collision Detection", 2005, §5.1.5 (closest point on a triangle); Woop, Benthin, Wald,
// "Watertight Ray/Triangle Intersection", 2013; Ize, "Robust BVH Ray Traversal", 2013 (conservative slabs).
#include "ssdf_kernels.h"
#include "ssdf_triangle_bvh.h"

#include <math.h>
#include <string.h>

// Vectors pass between functions that are always inlined, so that no calling convention is involved.
#pragma clang diagnostic ignored "-Wpsabi"

typedef float f8 __attribute__((ext_vector_type(8)));
typedef int32_t i8 __attribute__((ext_vector_type(8)));
typedef double d8 __attribute__((ext_vector_type(8)));
typedef __typeof__((d8)(0.0) < (d8)(0.0)) l8;

#define INLINE static inline __attribute__((always_inline))

enum { WIDTH = SSDF_BVH_WIDTH, STACK = 2048 };

struct entry {
    float key;
    int32_t child;
};

INLINE f8 load8(const float *p) {
    f8 v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE f8 select8(i8 mask, f8 yes, f8 no) { return (f8)(((i8)yes & mask) | ((i8)no & ~mask)); }

INLINE f8 dot8(const f8 a[3], const f8 b[3]) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

INLINE void cross8(const f8 a[3], const f8 b[3], f8 out[3]) {
    out[0] = a[1] * b[2] - a[2] * b[1];
    out[1] = a[2] * b[0] - a[0] * b[2];
    out[2] = a[0] * b[1] - a[1] * b[0];
}

// Puts the children with `want` set on the stack, the smallest key on top.
INLINE int push(struct entry *stack, int top, const struct ssdf_bvh_node *node, i8 want, f8 key) {
    int base = top;
    for (uint32_t i = 0; i < node->count; i++) {
        if (!want[i]) continue;
        struct entry e = {key[i], node->child[i]};
        int at = top++;
        while (at > base && stack[at - 1].key < e.key) {
            stack[at] = stack[at - 1];
            at--;
        }
        stack[at] = e;
    }
    return top;
}

// ---- closest point

// Squared distance from p to the segment that starts at `from` (relative to p) and runs along `along`.
INLINE f8 segment_distance(const f8 from[3], const f8 along[3]) {
    f8 length = dot8(along, along);
    f8 t = -dot8(from, along) / length;
    // A segment without length gives 0/0: its start answers.
    t = select8(t > 0.0f, t, (f8)(0.0f));
    t = select8(t < 1.0f, t, (f8)(1.0f));
    t = select8(length > 0.0f, t, (f8)(0.0f));
    f8 d[3];
    for (int x = 0; x < 3; x++) d[x] = from[x] + t * along[x];
    return dot8(d, d);
}

// Squared distances from p to the eight triangles of a leaf. Everything is taken relative to p, so that the error
// scales with the distance and not with the coordinates.
INLINE f8 leaf_distances(const struct ssdf_bvh_leaf *leaf, const float *p) {
    f8 a[3], b[3], c[3], ab[3], bc[3], ca[3], n[3], s[3];
    for (int x = 0; x < 3; x++) {
        a[x] = load8(leaf->corner[0][x]) - p[x];
        b[x] = load8(leaf->corner[1][x]) - p[x];
        c[x] = load8(leaf->corner[2][x]) - p[x];
        ab[x] = b[x] - a[x];
        bc[x] = c[x] - b[x];
        ca[x] = a[x] - c[x];
    }
    cross8(ab, bc, n);
    f8 nn = dot8(n, n);
    i8 inside = nn > 0.0f;
    cross8(a, ab, s);
    inside &= dot8(n, s) >= 0.0f;
    cross8(b, bc, s);
    inside &= dot8(n, s) >= 0.0f;
    cross8(c, ca, s);
    inside &= dot8(n, s) >= 0.0f;
    f8 height = dot8(n, a);
    f8 face = height * height / nn;
    f8 edge = segment_distance(a, ab);
    edge = __builtin_elementwise_min(edge, segment_distance(b, bc));
    edge = __builtin_elementwise_min(edge, segment_distance(c, ca));
    return select8(inside, face, edge);
}

// The exact place on the winning triangle, in double precision.
static void locate(const struct ssdf_bvh_leaf *leaf, int lane, const float *p, struct ssdf_bvh_closest *result) {
    double v[3][3], e[3][3], n[3];
    for (int c = 0; c < 3; c++)
        for (int x = 0; x < 3; x++) v[c][x] = (double)leaf->corner[c][x][lane] - (double)p[x];
    for (int c = 0; c < 3; c++)
        for (int x = 0; x < 3; x++) e[c][x] = v[(c + 1) % 3][x] - v[c][x];
    for (int x = 0; x < 3; x++) {
        int y = (x + 1) % 3, z = (x + 2) % 3;
        n[x] = e[0][y] * e[1][z] - e[0][z] * e[1][y];
    }
    double nn = n[0] * n[0] + n[1] * n[1] + n[2] * n[2];
    double w[3] = {0, 0, 0};
    int inside = nn > 0;
    for (int c = 0; c < 3; c++) {
        double s = 0;
        for (int x = 0; x < 3; x++) {
            int y = (x + 1) % 3, z = (x + 2) % 3;
            s += n[x] * (v[c][y] * e[c][z] - v[c][z] * e[c][y]);
        }
        // The area across edge c belongs to the corner that faces it.
        w[(c + 2) % 3] = s / nn;
        inside = inside && s > 0;
    }
    uint32_t feature = SSDF_FEATURE_FACE;
    double best = INFINITY;
    if (!inside) {
        for (int c = 0; c < 3; c++) {
            double along = 0, length = 0, d = 0;
            for (int x = 0; x < 3; x++) {
                along -= v[c][x] * e[c][x];
                length += e[c][x] * e[c][x];
            }
            double t = length > 0 ? along / length : 0;
            t = t > 0 ? (t < 1 ? t : 1) : 0;
            for (int x = 0; x < 3; x++) {
                double q = v[c][x] + t * e[c][x];
                d += q * q;
            }
            if (d < best) {
                best = d;
                w[c] = 1 - t;
                w[(c + 1) % 3] = t;
                w[(c + 2) % 3] = 0;
                feature = t == 0 ? (uint32_t)(SSDF_FEATURE_VERTEX_A + c)
                    : t == 1     ? (uint32_t)(SSDF_FEATURE_VERTEX_A + (c + 1) % 3)
                                 : (uint32_t)(SSDF_FEATURE_EDGE_AB + c);
            }
        }
    } else {
        double height = n[0] * v[0][0] + n[1] * v[0][1] + n[2] * v[0][2];
        best = height * height / nn;
    }
    result->triangle = leaf->triangle[lane];
    result->feature = feature;
    result->distance_squared = (float)best;
    for (int x = 0; x < 3; x++) {
        result->weights[x] = (float)w[x];
        result->point[x] = (float)((double)p[x] + w[0] * v[0][x] + w[1] * v[1][x] + w[2] * v[2][x]);
    }
}

struct nearest {
    float distance;
    int32_t leaf;
    int lane;
    uint32_t triangle;
};

INLINE void improve(const struct ssdf_bvh *tree, int32_t index, const float *p, struct nearest *best) {
    const struct ssdf_bvh_leaf *leaf = tree->leaves + index;
    f8 d = leaf_distances(leaf, p);
    i8 closer = d <= best->distance;
    if (!__builtin_reduce_or(closer)) return;
    for (int i = 0; i < WIDTH; i++) {
        if (!closer[i] || leaf->triangle[i] == UINT32_MAX) continue;
        if (d[i] < best->distance || (d[i] == best->distance && leaf->triangle[i] < best->triangle))
            *best = (struct nearest){d[i], index, i, leaf->triangle[i]};
    }
}

INLINE void closest_points(
    const struct ssdf_bvh *tree, const float *points, size_t count, float reach_squared,
    struct ssdf_bvh_closest *results) {
    struct entry stack[STACK];
    int32_t previous = -1;
    for (size_t q = 0; q < count; q++) {
        const float *p = points + 3 * q;
        struct nearest best = {reach_squared, -1, 0, UINT32_MAX};
        // The neighbour's answer is a good first guess: most of the tree is then out of reach.
        if (previous >= 0) improve(tree, previous, p, &best);
        int top = 0;
        stack[top++] = (struct entry){0, 0};
        while (top > 0) {
            struct entry e = stack[--top];
            if (e.key > best.distance) continue;
            if (e.child < 0) {
                improve(tree, ~e.child, p, &best);
                continue;
            }
            const struct ssdf_bvh_node *node = tree->nodes + e.child;
            f8 d = (f8)(0.0f);
            for (int x = 0; x < 3; x++) {
                f8 outside = __builtin_elementwise_max(load8(node->low[x]) - p[x], p[x] - load8(node->high[x]));
                outside = __builtin_elementwise_max(outside, (f8)(0.0f));
                d += outside * outside;
            }
            top = push(stack, top, node, d <= best.distance, d);
        }
        if (best.leaf < 0) {
            results[q] = (struct ssdf_bvh_closest){.triangle = UINT32_MAX, .distance_squared = INFINITY};
        } else {
            locate(tree->leaves + best.leaf, best.lane, p, results + q);
            previous = best.leaf;
        }
    }
}

INLINE int all_within(const struct ssdf_bvh *tree, const float *points, size_t count, float reach_squared) {
    struct entry stack[STACK];
    int32_t previous = -1;
    for (size_t q = 0; q < count; q++) {
        const float *p = points + 3 * q;
        struct nearest found = {reach_squared, -1, 0, UINT32_MAX};
        if (previous >= 0) improve(tree, previous, p, &found);
        int top = 0;
        stack[top++] = (struct entry){0, 0};
        // Any triangle within reach will do.
        while (top > 0 && found.leaf < 0) {
            struct entry e = stack[--top];
            if (e.child < 0) {
                improve(tree, ~e.child, p, &found);
                continue;
            }
            const struct ssdf_bvh_node *node = tree->nodes + e.child;
            f8 d = (f8)(0.0f);
            for (int x = 0; x < 3; x++) {
                f8 outside = __builtin_elementwise_max(load8(node->low[x]) - p[x], p[x] - load8(node->high[x]));
                outside = __builtin_elementwise_max(outside, (f8)(0.0f));
                d += outside * outside;
            }
            top = push(stack, top, node, d <= reach_squared, d);
        }
        if (found.leaf < 0) return 0;
        previous = found.leaf;
    }
    return 1;
}

// ---- rays

// A ray turned so that its largest direction component is z and sheared so that it runs along z.
struct sheared {
    int x, y, z;
    float shear_x, shear_y, shear_z;
    float origin[3], inverse[3];
};

static struct sheared shear(const struct ssdf_bvh_ray *ray) {
    struct sheared s;
    const float *d = ray->direction;
    s.z = 0;
    if (fabsf(d[1]) > fabsf(d[s.z])) s.z = 1;
    if (fabsf(d[2]) > fabsf(d[s.z])) s.z = 2;
    s.x = (s.z + 1) % 3;
    s.y = (s.z + 2) % 3;
    s.shear_x = d[s.x] / d[s.z];
    s.shear_y = d[s.y] / d[s.z];
    s.shear_z = 1 / d[s.z];
    for (int x = 0; x < 3; x++) {
        s.origin[x] = ray->origin[x];
        // A direction component of 0 must not meet a slab at distance 0: 0 · ∞ has no value.
        s.inverse[x] = fabsf(d[x]) > 1e-30f ? 1 / d[x] : copysignf(1e30f, d[x]);
    }
    return s;
}

struct crossing {
    i8 hit;
    d8 t, weight[3], sum;
};

INLINE d8 widen8(f8 v) { return __builtin_convertvector(v, d8); }

// Where the eight triangles of a leaf meet the ray. Edge functions are differences of exact products of the sheared
// corners, so that the two triangles of an edge see opposite values and no ray slips between them.
INLINE struct crossing cross_leaf(const struct ssdf_bvh_leaf *leaf, const struct sheared *s, int half_open) {
    f8 px[3], py[3], pz[3];
    for (int c = 0; c < 3; c++) {
        f8 z = load8(leaf->corner[c][s->z]) - s->origin[s->z];
        px[c] = load8(leaf->corner[c][s->x]) - s->origin[s->x] - s->shear_x * z;
        py[c] = load8(leaf->corner[c][s->y]) - s->origin[s->y] - s->shear_y * z;
        pz[c] = z * s->shear_z;
    }
    struct crossing r;
    for (int c = 0; c < 3; c++) {
        int from = (c + 1) % 3, to = (c + 2) % 3;
        r.weight[c] = widen8(px[to]) * widen8(py[from]) - widen8(py[to]) * widen8(px[from]);
    }
    r.sum = r.weight[0] + r.weight[1] + r.weight[2];
    d8 sign = __builtin_elementwise_copysign((d8)(1.0), r.sum);
    l8 hit = r.sum != 0.0;
    for (int c = 0; c < 3; c++) {
        d8 w = r.weight[c] * sign;
        l8 on = w >= 0.0;
        if (half_open) {
            // Exactly on an edge: one of its two directions owns the points of the edge.
            int from = (c + 1) % 3, to = (c + 2) % 3;
            d8 dx = (widen8(px[to]) - widen8(px[from])) * sign;
            d8 dy = (widen8(py[to]) - widen8(py[from])) * sign;
            l8 owns = (dy > 0.0) | ((dy == 0.0) & (dx < 0.0));
            on = (w > 0.0) | ((w == 0.0) & owns);
        }
        hit &= on;
    }
    d8 z = r.weight[0] * widen8(pz[0]) + r.weight[1] * widen8(pz[1]) + r.weight[2] * widen8(pz[2]);
    r.t = z / r.sum;
    r.hit = __builtin_convertvector(hit, i8);
    return r;
}

INLINE void record(
    const struct ssdf_bvh_leaf *leaf, const struct crossing *c, const struct sheared *s, int lane,
    struct ssdf_bvh_hit *hit) {
    hit->triangle = leaf->triangle[lane];
    hit->t = (float)c->t[lane];
    for (int k = 0; k < 3; k++) hit->weights[k] = (float)(c->weight[k][lane] / c->sum[lane]);
    // Along +z a counter-clockwise triangle that faces the origin is seen clockwise in (x, y), which makes the edge
    // functions above positive; a negative z axis mirrors.
    hit->facing = (c->sum[lane] > 0) == (s->shear_z > 0) ? 1 : -1;
}

INLINE i8 slabs(const struct ssdf_bvh_node *node, const struct sheared *s, float near, float far, f8 *entry) {
    f8 t0 = (f8)(near), t1 = (f8)(far);
    for (int x = 0; x < 3; x++) {
        f8 a = (load8(node->low[x]) - s->origin[x]) * s->inverse[x];
        f8 b = (load8(node->high[x]) - s->origin[x]) * s->inverse[x];
        f8 enter = __builtin_elementwise_min(a, b), leave = __builtin_elementwise_max(a, b);
        // Widened by the rounding of the two operations, so that no box is missed that holds a hit.
        enter -= __builtin_elementwise_abs(enter) * 4e-7f;
        leave += __builtin_elementwise_abs(leave) * 4e-7f;
        t0 = __builtin_elementwise_max(t0, enter);
        t1 = __builtin_elementwise_min(t1, leave);
    }
    *entry = t0;
    return t0 <= t1;
}

enum question { FIRST, ANY, ALL };

// One traversal for the three questions; `question` is a constant in every caller, so that each gets its own code.
INLINE size_t trace(
    const struct ssdf_bvh *tree, const struct ssdf_bvh_ray *ray, enum question question,
    struct ssdf_bvh_hit *hits, size_t capacity) {
    struct entry stack[STACK];
    struct sheared s = shear(ray);
    double far = ray->far;
    size_t found = 0;
    int top = 0;
    stack[top++] = (struct entry){ray->near, 0};
    while (top > 0) {
        struct entry e = stack[--top];
        if (question == FIRST && (double)e.key > far) continue;
        if (e.child >= 0) {
            f8 entry;
            const struct ssdf_bvh_node *node = tree->nodes + e.child;
            i8 want = slabs(node, &s, ray->near, (float)far * (1 + 4e-7f), &entry);
            top = push(stack, top, node, want, entry);
            continue;
        }
        const struct ssdf_bvh_leaf *leaf = tree->leaves + ~e.child;
        struct crossing c = cross_leaf(leaf, &s, question == ALL);
        if (!__builtin_reduce_or(c.hit)) continue;
        for (int i = 0; i < WIDTH; i++) {
            if (!c.hit[i] || leaf->triangle[i] == UINT32_MAX) continue;
            if (c.t[i] < (double)ray->near || c.t[i] > far) continue;
            if (question == ANY) return 1;
            if (question == ALL) {
                if (found < capacity) record(leaf, &c, &s, i, hits + found);
                found++;
            } else if (found == 0 || c.t[i] < far || leaf->triangle[i] < hits->triangle) {
                record(leaf, &c, &s, i, hits);
                far = c.t[i];
                found = 1;
            }
        }
    }
    return found;
}

INLINE void first_hits(
    const struct ssdf_bvh *tree, const struct ssdf_bvh_ray *rays, size_t count, struct ssdf_bvh_hit *results) {
    for (size_t i = 0; i < count; i++) {
        results[i] = (struct ssdf_bvh_hit){.triangle = UINT32_MAX, .t = INFINITY};
        trace(tree, rays + i, FIRST, results + i, 1);
    }
}

INLINE void any_hits(const struct ssdf_bvh *tree, const struct ssdf_bvh_ray *rays, size_t count, uint8_t *results) {
    struct ssdf_bvh_hit none;
    for (size_t i = 0; i < count; i++) results[i] = trace(tree, rays + i, ANY, &none, 0) > 0;
}

// ---- bodies

#define BODIES(NAME, ATTRIBUTE)                                                                                     \
    ATTRIBUTE static void closest_points_##NAME(                                                                    \
        const struct ssdf_bvh *tree, const float *points, size_t count, float reach, struct ssdf_bvh_closest *out) { \
        closest_points(tree, points, count, reach, out);                                                            \
    }                                                                                                               \
    ATTRIBUTE static int all_within_##NAME(                                                                         \
        const struct ssdf_bvh *tree, const float *points, size_t count, float reach) {                               \
        return all_within(tree, points, count, reach);                                                              \
    }                                                                                                               \
    ATTRIBUTE static void first_hits_##NAME(                                                                        \
        const struct ssdf_bvh *tree, const struct ssdf_bvh_ray *rays, size_t count, struct ssdf_bvh_hit *out) {      \
        first_hits(tree, rays, count, out);                                                                         \
    }                                                                                                               \
    ATTRIBUTE static void any_hits_##NAME(                                                                          \
        const struct ssdf_bvh *tree, const struct ssdf_bvh_ray *rays, size_t count, uint8_t *out) {                  \
        any_hits(tree, rays, count, out);                                                                           \
    }                                                                                                               \
    ATTRIBUTE static size_t all_hits_##NAME(                                                                        \
        const struct ssdf_bvh *tree, const struct ssdf_bvh_ray *ray, struct ssdf_bvh_hit *hits, size_t capacity) {   \
        return trace(tree, ray, ALL, hits, capacity);                                                               \
    }

BODIES(scalar, )
#if defined(__x86_64__)
BODIES(avx2, __attribute__((target("avx2,fma"))))
#define CHOOSE(ISA, NAME) ((ISA) >= SSDF_ISA_AVX2 ? NAME##_avx2 : NAME##_scalar)
#else
#define CHOOSE(ISA, NAME) (NAME##_scalar)
#endif

void ssdf_bvh_closest_points_isa(
    int isa, const struct ssdf_bvh *tree, const float *points, size_t count, float reach_squared,
    struct ssdf_bvh_closest *results) {
    (void)isa;
    CHOOSE(isa, closest_points)(tree, points, count, reach_squared, results);
}

void ssdf_bvh_first_hits_isa(
    int isa, const struct ssdf_bvh *tree, const struct ssdf_bvh_ray *rays, size_t count,
    struct ssdf_bvh_hit *results) {
    (void)isa;
    CHOOSE(isa, first_hits)(tree, rays, count, results);
}

void ssdf_bvh_closest_points(
    const struct ssdf_bvh *tree, const float *points, size_t count, float reach_squared,
    struct ssdf_bvh_closest *results) {
    ssdf_bvh_closest_points_isa(ssdf_isa(), tree, points, count, reach_squared, results);
}

int ssdf_bvh_all_within(const struct ssdf_bvh *tree, const float *points, size_t count, float reach_squared) {
    return CHOOSE(ssdf_isa(), all_within)(tree, points, count, reach_squared);
}

void ssdf_bvh_first_hits(
    const struct ssdf_bvh *tree, const struct ssdf_bvh_ray *rays, size_t count, struct ssdf_bvh_hit *results) {
    ssdf_bvh_first_hits_isa(ssdf_isa(), tree, rays, count, results);
}

void ssdf_bvh_any_hits(
    const struct ssdf_bvh *tree, const struct ssdf_bvh_ray *rays, size_t count, uint8_t *results) {
    CHOOSE(ssdf_isa(), any_hits)(tree, rays, count, results);
}

size_t ssdf_bvh_all_hits(
    const struct ssdf_bvh *tree, const struct ssdf_bvh_ray *ray, struct ssdf_bvh_hit *hits, size_t capacity) {
    return CHOOSE(ssdf_isa(), all_hits)(tree, ray, hits, capacity);
}
