// Quadric edge collapse inside a block that fits in the cache.
//
// Sources: Garland, Heckbert, "Surface Simplification Using Quadric Error Metrics", 1997; Dey, Edelsbrunner, Guha,
// Nekhayev, "Topology preserving edge contraction", 1999 (the link condition); Trettner, Kobbelt, "Fast and Robust QEM
// Minimization using Probabilistic Quadrics", 2020 (a small isotropic part, so that every system has one solution).
#include "ssdf_simplify.h"

#include "ssdf_kernels.h"

#include <math.h>
#include <string.h>
#include "vector3.h"


typedef struct ssdf_simplify_vertex vertex;

// Half-edge 4t + i leaves corner i of triangle t: a stride of four makes the steps round a triangle cheap.
#define NONE UINT32_MAX
#define IDLE (UINT32_MAX - 1)

INLINE uint32_t next_of(uint32_t h) { return (h & 3) == 2 ? h - 2 : h + 1; }
INLINE uint32_t previous_of(uint32_t h) { return (h & 3) == 0 ? h + 2 : h - 1; }

// Vectors pass between functions that are always inlined, so that no calling convention is involved.
#pragma clang diagnostic ignored "-Wpsabi"

typedef float floats8 __attribute__((ext_vector_type(8)));
typedef int32_t ints8 __attribute__((ext_vector_type(8)));
typedef uint32_t words8 __attribute__((ext_vector_type(8)));
typedef _Bool bools8 __attribute__((ext_vector_type(8)));

// A bucket holds the costs that share exponent and two bits: a quarter of an octave.
enum { BUCKETS = 1024, BUCKET_SHIFT = 21 };

struct mesh {
    vertex *vertices;
    uint32_t vertex_count, triangle_count;
    uint32_t *corner;   // [4 T] the vertex a half-edge leaves; NONE once its triangle is gone
    uint32_t *twin;     // [4 T] the half-edge of the other side, or NONE
    uint32_t *link;     // [4 T] the next in its bucket, or IDLE
    uint32_t *stamp;    // [4 T] when its cost was found
    uint32_t *mark;     // [V]
    uint32_t head[BUCKETS], tail[BUCKETS];
};

size_t ssdf_simplify_scratch(uint32_t vertex_count, uint32_t triangle_count) {
    return 16 * (size_t)triangle_count + vertex_count + 16;
}

INLINE void multiply(const float *a, const float *v, float *out) {
    out[0] = a[0] * v[0] + a[1] * v[1] + a[2] * v[2];
    out[1] = a[1] * v[0] + a[3] * v[1] + a[4] * v[2];
    out[2] = a[2] * v[0] + a[4] * v[1] + a[5] * v[2];
}

// ---- quadrics

// The isotropic part of a plane's quadric: small against the plane, large against rounding.
static const float isotropy = 1e-5f;

INLINE void add_plane(vertex *v, const float *unit, float weight) {
    const float soft = weight * isotropy;
    v->a[0] += weight * unit[0] * unit[0] + soft;
    v->a[1] += weight * unit[0] * unit[1];
    v->a[2] += weight * unit[0] * unit[2];
    v->a[3] += weight * unit[1] * unit[1] + soft;
    v->a[4] += weight * unit[1] * unit[2];
    v->a[5] += weight * unit[2] * unit[2] + soft;
}

void ssdf_simplify_add_planes(vertex *vertices, const uint32_t *triangles, size_t count) {
    for (size_t t = 0; t < count; t++) {
        vertex *v[3];
        for (int i = 0; i < 3; i++) v[i] = vertices + triangles[3 * t + (size_t)i];
        float e[3], f[3], n[3];
        subtract(v[1]->position, v[0]->position, e);
        subtract(v[2]->position, v[0]->position, f);
        cross(e, f, n);
        float length = sqrtf(dot(n, n));
        if (!(length > 0)) continue;
        for (int x = 0; x < 3; x++) n[x] /= length;
        for (int i = 0; i < 3; i++) add_plane(v[i], n, sqrtf(length));
    }
}

// The cost of making one vertex of u and v, and its place relative to u.
INLINE float evaluate(const vertex *u, const vertex *v, float place[3]) {
    float d[3], ad[3], b[3];
    subtract(v->position, u->position, d);
    multiply(v->a, d, ad);
    float c = u->c + v->c;
    for (int x = 0; x < 3; x++) {
        c += d[x] * (ad[x] - 2 * v->b[x]);
        b[x] = u->b[x] + v->b[x] - ad[x];
    }
    float sum[6];
    for (int i = 0; i < 6; i++) sum[i] = u->a[i] + v->a[i];
    // The determinant of a flat neighbourhood is the product of the plane's weight and two soft parts: double precision.
    double m[6];
    for (int i = 0; i < 6; i++) m[i] = sum[i];
    double c00 = m[3] * m[5] - m[4] * m[4], c01 = m[2] * m[4] - m[1] * m[5], c02 = m[1] * m[4] - m[2] * m[3];
    double c11 = m[0] * m[5] - m[2] * m[2], c12 = m[1] * m[2] - m[0] * m[4], c22 = m[0] * m[3] - m[1] * m[1];
    double scale = -1 / (m[0] * c00 + m[1] * c01 + m[2] * c02);
    place[0] = (float)((c00 * b[0] + c01 * b[1] + c02 * b[2]) * scale);
    place[1] = (float)((c01 * b[0] + c11 * b[1] + c12 * b[2]) * scale);
    place[2] = (float)((c02 * b[0] + c12 * b[1] + c22 * b[2]) * scale);
    float cost = c + dot(b, place);
    float off = 0;
    for (int x = 0; x < 3; x++) off += (place[x] - 0.5f * d[x]) * (place[x] - 0.5f * d[x]);
    // Far from its edge, or no number at all: the midpoint instead.
    if (!(off <= 2 * dot(d, d))) {
        float am[3];
        for (int x = 0; x < 3; x++) place[x] = 0.5f * d[x];
        multiply(sum, place, am);
        cost = c + dot(place, am) + 2 * dot(place, b);
    }
    return cost > 1e-36f ? cost : 1e-36f;
}

INLINE float power_of_half(int n) { return 1.0f / (float)(1 << n); }

// Of each level that two vertices have, the greater, beside what else is marked at either.
INLINE uint8_t stricter(uint8_t a, uint8_t b) {
    const uint8_t doubt = 3 * SSDF_MARK_DOUBT, care = 7 * SSDF_MARK_CARE;
    uint8_t flags = (uint8_t)((a | b) & (SSDF_MARK_DOUBT - 1));
    uint8_t most_doubt = (a & doubt) > (b & doubt) ? a & doubt : b & doubt;
    uint8_t most_care = (a & care) > (b & care) ? a & care : b & care;
    return flags | most_doubt | most_care;
}

// Makes v the sum of u and v, at x.
INLINE void merge(const vertex *u, vertex *v, const float x[3]) {
    float du[3], dv[3], au[3], av[3];
    subtract(x, u->position, du);
    subtract(x, v->position, dv);
    multiply(u->a, du, au);
    multiply(v->a, dv, av);
    float c = u->c + v->c;
    for (int i = 0; i < 3; i++) c += du[i] * (au[i] + 2 * u->b[i]) + dv[i] * (av[i] + 2 * v->b[i]);
    for (int i = 0; i < 3; i++) {
        v->b[i] += u->b[i] + au[i] + av[i];
        v->position[i] = x[i];
    }
    for (int i = 0; i < 6; i++) v->a[i] += u->a[i];
    v->c = c > 0 ? c : 0;
    v->marks = stricter(u->marks, v->marks);
    v->flags |= u->flags & (SSDF_VERTEX_BORDER | SSDF_VERTEX_BORDERED);
}

// ---- connectivity

// Lists the half-edges by the vertex that they leave: `half` is them, `far` where they go, and `ends` of a vertex where
// those of the next begin.
INLINE void list_half_edges(const struct mesh *m, uint32_t *ends, uint32_t *far, uint32_t *half) {
    memset(ends, 0, m->vertex_count * sizeof *ends);
    for (size_t t = 0; t < m->triangle_count; t++)
        for (size_t i = 0; i < 3; i++) ends[m->corner[4 * t + i]]++;
    uint32_t sum = 0;
    for (uint32_t v = 0; v < m->vertex_count; v++) {
        uint32_t count = ends[v];
        ends[v] = sum;
        sum += count;
    }
    for (uint32_t t = 0; t < m->triangle_count; t++) {
        for (uint32_t i = 0; i < 3; i++) {
            uint32_t h = 4 * t + i, place = ends[m->corner[h]]++;
            far[place] = m->corner[next_of(h)];
            half[place] = h;
        }
    }
}

// The last place in begin ..< end at which `far` is v, or NONE. Up to eight words behind the end are read.
INLINE uint32_t last_place(const uint32_t *far, uint32_t begin, uint32_t end, uint32_t v) {
    while (end > begin) {
        uint32_t count = end - begin < 8 ? end - begin : 8, found = 0;
        end -= count;
        words8 words;
        memcpy(&words, far + end, sizeof words);
        bools8 same = __builtin_convertvector(words == v, bools8);
        uint8_t bits;
        memcpy(&bits, &same, 1);
        found = bits & (0xffu >> (8 - count));
        if (found) return end + 31 - (uint32_t)__builtin_clz(found);
    }
    return NONE;
}

// Pairs half-edges, finds borders, and locks what is not a manifold: there, a third triangle or a second fan is left
// over after pairing, and the walk round the vertex does not meet all its triangles.
INLINE void connect(struct mesh *m) {
    uint32_t end = 4 * m->triangle_count;
    for (uint32_t v = 0; v < m->vertex_count; v++) {
        m->vertices[v].outgoing = NONE;
        m->vertices[v].changed = 0;
        m->vertices[v].flags &= SSDF_VERTEX_LOCKED | SSDF_VERTEX_BORDERED | SSDF_VERTEX_SOUND;
    }
    memset(m->twin, 0xff, end * sizeof *m->twin);
    uint32_t *ends = m->mark, *far = m->link, *half = m->stamp;
    list_half_edges(m, ends, far, half);
    for (uint32_t h = 0; h < end; h++) {
        if ((h & 3) == 3) continue;
        uint32_t v = m->corner[h], w = m->corner[next_of(h)];
        if (v > w) continue;
        uint32_t place = last_place(far, w > 0 ? ends[w - 1] : 0, ends[w], v);
        if (place == NONE) continue;
        uint32_t other = half[place];
        if (m->twin[other] == NONE && v != w) {
            m->twin[h] = other;
            m->twin[other] = h;
        } else {
            m->vertices[v].flags |= SSDF_VERTEX_LOCKED;
            m->vertices[w].flags |= SSDF_VERTEX_LOCKED;
        }
    }
    uint32_t *first = m->mark;
    for (uint32_t h = 0; h < end; h++) {
        if ((h & 3) == 3) continue;
        m->link[h] = IDLE;
        m->stamp[h] = 0;
        vertex *v = m->vertices + m->corner[h];
        if (m->twin[h] == NONE) {
            v->outgoing = h;
            v->flags |= SSDF_VERTEX_BORDER;
            m->vertices[m->corner[next_of(h)]].flags |= SSDF_VERTEX_BORDER;
        } else if (v->outgoing == NONE) {
            v->outgoing = h;
        }
    }
    for (uint32_t i = 0; i < m->vertex_count; i++) {
        vertex *v = m->vertices + i;
        first[i] = 0;
        if (v->flags & SSDF_VERTEX_LOCKED) continue;
        if ((v->flags & SSDF_VERTEX_SOUND) && v->valence < UINT16_MAX) continue;
        uint32_t h = v->outgoing, fan = 0;
        while (h != NONE) {
            fan++;
            h = m->twin[previous_of(h)];
            if (h == v->outgoing || fan > v->valence) break;
        }
        int is_open = h == NONE;
        if (fan == 0 || fan != v->valence || is_open != ((v->flags & SSDF_VERTEX_BORDER) != 0))
            v->flags |= SSDF_VERTEX_LOCKED;
        else
            v->flags |= SSDF_VERTEX_SOUND;
    }
}

// Gives the border edges of free vertices planes that stand on their triangles, so that borders keep their course.
INLINE void add_borders(struct mesh *m) {
    uint32_t end = 4 * m->triangle_count;
    for (uint32_t h = 0; h < end; h++) {
        if ((h & 3) == 3 || m->twin[h] != NONE) continue;
        vertex *u = m->vertices + m->corner[h], *v = m->vertices + m->corner[next_of(h)];
        if (u->flags & v->flags & SSDF_VERTEX_LOCKED) continue;
        float e[3], f[3], n[3], side[3];
        subtract(v->position, u->position, e);
        subtract(m->vertices[m->corner[previous_of(h)]].position, u->position, f);
        cross(e, f, n);
        cross(e, n, side);
        float length = sqrtf(dot(side, side)), edge = sqrtf(dot(e, e));
        if (!(length > 0)) continue;
        for (int x = 0; x < 3; x++) side[x] /= length;
        for (int k = 0; k < 2; k++) {
            vertex *w = k ? v : u;
            if (!(w->flags & (SSDF_VERTEX_LOCKED | SSDF_VERTEX_BORDERED))) add_plane(w, side, 4 * edge);
        }
    }
    for (uint32_t v = 0; v < m->vertex_count; v++) {
        uint8_t flags = m->vertices[v].flags;
        if ((flags & SSDF_VERTEX_BORDER) && !(flags & SSDF_VERTEX_LOCKED)) m->vertices[v].flags |= SSDF_VERTEX_BORDERED;
    }
}

// Whether exactly `expected` vertices are neighbours of both u and v: those across from their edge and no other.
INLINE int links_agree(struct mesh *m, const vertex *u, const vertex *v, uint32_t marker, int expected) {
    uint32_t h = u->outgoing;
    do {
        m->mark[m->corner[next_of(h)]] = marker;
        m->mark[m->corner[previous_of(h)]] = marker;
        h = m->twin[previous_of(h)];
    } while (h != NONE && h != u->outgoing);
    int common = 0;
    h = v->outgoing;
    do {
        common += m->mark[m->corner[next_of(h)]] == marker;
        uint32_t into = previous_of(h);
        h = m->twin[into];
        if (h == NONE) common += m->mark[m->corner[into]] == marker;
    } while (h != NONE && h != v->outgoing);
    return common == expected;
}

// Whether moving w to x turns over or thins any of its triangles but the two at the edge.
INLINE int fan_survives(
    const struct mesh *m, const vertex *w, const float x[3], uint32_t t0, uint32_t t1, float least_shape) {
    uint32_t h = w->outgoing;
    do {
        uint32_t t = h >> 2, into = previous_of(h);
        if (t != t0 && t != t1) {
            const float *p = m->vertices[m->corner[next_of(h)]].position;
            const float *q = m->vertices[m->corner[into]].position;
            float e1[3], e2[3], f1[3], f2[3], side[3], before[3], after[3];
            subtract(p, w->position, e1);
            subtract(q, w->position, e2);
            subtract(p, x, f1);
            subtract(q, x, f2);
            subtract(q, p, side);
            cross(e1, e2, before);
            cross(f1, f2, after);
            float n0 = dot(before, before), n1 = dot(after, after), turn = dot(before, after), s = dot(side, side);
            float sides0 = dot(e1, e1) + dot(e2, e2) + s, sides1 = dot(f1, f1) + dot(f2, f2) + s;
            if (!(n1 > 1e-12f * sides1 * sides1)) return 0;
            // A turn of more than 75° counts as turning over, unless there was no area to speak of.
            int had_area = n0 > 1e-12f * sides0 * sides0;
            if (had_area && (!(turn > 0) || turn * turn < 0.067f * n0 * n1)) return 0;
            // 2√3 |n| / Σ l² is 1 for the equilateral triangle.
            float shape1 = 12 * n1 / (sides1 * sides1);
            if (shape1 < least_shape * least_shape && shape1 * sides0 * sides0 < 12 * n0) return 0;
        }
        h = m->twin[into];
    } while (h != NONE && h != w->outgoing);
    return 1;
}

// Joins the two half-edges that a vanished triangle was between.
INLINE void glue(struct mesh *m, uint32_t x, uint32_t y) {
    if (x != NONE) m->twin[x] = y;
    if (y != NONE) m->twin[y] = x;
}

// Walks of a border vertex start at the end where nothing comes before.
INLINE void rewind_border(struct mesh *m, vertex *v) {
    if (!(v->flags & SSDF_VERTEX_BORDER) || (v->flags & SSDF_VERTEX_LOCKED)) return;
    uint32_t h = v->outgoing;
    while (m->twin[h] != NONE) {
        h = next_of(m->twin[h]);
        if (h == v->outgoing) break;
    }
    v->outgoing = h;
}

// ---- flips

// The greatest cosine among the angles of a triangle: that of its smallest. 1 for a triangle without area.
INLINE float sharpest(const float *a, const float *b, const float *c) {
    float d[3], e[3], f[3];
    subtract(b, a, d);
    subtract(c, b, e);
    subtract(a, c, f);
    float dd = dot(d, d), ee = dot(e, e), ff = dot(f, f);
    if (!(dd > 0 && ee > 0 && ff > 0)) return 1;
    float s = -dot(d, f) / sqrtf(dd * ff), t = -dot(d, e) / sqrtf(dd * ee), u = -dot(e, f) / sqrtf(ee * ff);
    return fminf(fmaxf(fmaxf(s, t), u), 1);
}

INLINE int are_joined(const struct mesh *m, uint32_t a, uint32_t b) {
    uint32_t start = m->vertices[a].outgoing, h = start;
    do {
        if (m->corner[next_of(h)] == b || m->corner[previous_of(h)] == b) return 1;
        h = m->twin[previous_of(h)];
    } while (h != NONE && h != start);
    return 0;
}

// The squared distance that the surface has come from its planes at a vertex, as its quadric remembers it.
INLINE float strayed(const vertex *v) {
    float weight = v->a[0] + v->a[3] + v->a[5];
    return weight > 0 ? v->c / weight : 0;
}

// Turns the edge of h where that makes the smallest angle larger and moves the surface no farther than it has moved
// already. Returns whether it did.
INLINE int flip(struct mesh *m, uint32_t h, float sharp_cosine) {
    uint32_t o = m->twin[h];
    uint32_t hn = next_of(h), hp = previous_of(h), on = next_of(o), op = previous_of(o);
    uint32_t ui = m->corner[h], vi = m->corner[o], ai = m->corner[hp], bi = m->corner[op];
    vertex *u = m->vertices + ui, *v = m->vertices + vi, *a = m->vertices + ai, *b = m->vertices + bi;
    const float *pu = u->position, *pv = v->position, *pa = a->position, *pb = b->position;
    float now = fmaxf(sharpest(pu, pv, pa), sharpest(pv, pu, pb));
    if (!(now > sharp_cosine)) return 0;
    if (((u->flags | v->flags | a->flags | b->flags) & SSDF_VERTEX_LOCKED) || ai == bi) return 0;
    if (u->valence <= 3 || v->valence <= 3 || a->valence == UINT16_MAX || b->valence == UINT16_MAX) return 0;
    float then = fmaxf(sharpest(pb, pa, pu), sharpest(pa, pb, pv));
    if (!(then < now - 0.002f) && !(now > 0.9999999f && then < now)) return 0;
    float d[3], e[3], f[3], n[3], first[3], second[3];
    subtract(pv, pu, d);
    subtract(pb, pa, e);
    subtract(pa, pu, f);
    cross(d, e, n);
    // How far the two diagonals pass from each other is how far the surface moves.
    float off = dot(f, n), nn = dot(n, n), shorter = fminf(dot(d, d), dot(e, e));
    float most = fmaxf(fmaxf(strayed(u), strayed(v)), fmaxf(strayed(a), strayed(b)));
    if (!(off * off <= 1.6f * most * nn + 1e-6f * shorter * nn)) return 0;
    float before[3], other[3];
    cross(d, f, before);
    subtract(pb, pu, f);
    cross(f, d, other);
    for (int x = 0; x < 3; x++) before[x] += other[x];
    subtract(pu, pb, f);
    cross(e, f, first);
    for (int x = 0; x < 3; x++) first[x] = -first[x];
    subtract(pv, pb, f);
    cross(e, f, second);
    float s = dot(before, first), t = dot(before, second), bb = dot(before, before);
    // No face may turn by more than 45° against the two it takes the place of.
    if (!(s > 0 && t > 0 && s * s > 0.5f * bb * dot(first, first) && t * t > 0.5f * bb * dot(second, second))) return 0;
    if (are_joined(m, ai, bi)) return 0;
    uint32_t va = m->twin[hn], au = m->twin[hp], ub = m->twin[on], bv = m->twin[op];
    // h becomes b → a in the triangle (b, a, u), o becomes a → b in (a, b, v).
    m->corner[h] = bi;
    m->corner[hn] = ai;
    m->corner[hp] = ui;
    m->corner[o] = ai;
    m->corner[on] = bi;
    m->corner[op] = vi;
    m->twin[hn] = m->twin[hp] = m->twin[on] = m->twin[op] = NONE;
    glue(m, hn, au);
    glue(m, hp, ub);
    glue(m, on, bv);
    glue(m, op, va);
    u->outgoing = hp;
    v->outgoing = op;
    a->outgoing = hn;
    b->outgoing = on;
    rewind_border(m, u);
    rewind_border(m, v);
    rewind_border(m, a);
    rewind_border(m, b);
    u->valence--;
    v->valence--;
    a->valence++;
    b->valence++;
    return 1;
}

// Flips until nothing changes, four sweeps at most.
INLINE void flip_all(struct mesh *m, float sharp_cosine) {
    for (int sweep = 0; sweep < 4; sweep++) {
        uint32_t flips = 0;
        for (uint32_t h = 0; h < 4 * m->triangle_count; h++) {
            if ((h & 3) == 3 || m->corner[h] == NONE || m->twin[h] == NONE || m->twin[h] < h) continue;
            flips += (uint32_t)flip(m, h, sharp_cosine);
        }
        if (flips == 0) break;
    }
}

// ---- distance

#include "simplify_bound.h"

// ---- queue

INLINE uint32_t bucket_of(float cost) {
    uint32_t bits;
    memcpy(&bits, &cost, sizeof bits);
    return bits >> BUCKET_SHIFT;
}

INLINE void enqueue(struct mesh *m, uint32_t h, uint32_t bucket) {
    m->link[h] = NONE;
    if (m->head[bucket] == NONE)
        m->head[bucket] = h;
    else
        m->link[m->tail[bucket]] = h;
    m->tail[bucket] = h;
}

// Marks v and its neighbours: what was refused around them may do now.
INLINE void mark_around(const struct mesh *m, vertex *v) {
    v->marks |= SSDF_MARK_CHANGED;
    uint32_t h = v->outgoing;
    do {
        m->vertices[m->corner[next_of(h)]].marks |= SSDF_MARK_CHANGED;
        m->vertices[m->corner[previous_of(h)]].marks |= SSDF_MARK_CHANGED;
        h = m->twin[previous_of(h)];
    } while (h != NONE && h != v->outgoing);
}

INLINE int is_free(const vertex *u, const vertex *v) { return !((u->flags | v->flags) & SSDF_VERTEX_LOCKED); }

enum outcome { DONE, TOPOLOGY, SHAPE, DISTANCE };

// Collapses half-edge h, u → v, to x; returns what stood in the way. `removed` counts triangles.
INLINE enum outcome collapse(
    struct mesh *m, uint32_t h, const float x[3], uint32_t clock, uint32_t marker, float least_shape,
    struct ssdf_simplify_bound *bound, uint32_t *parent, uint32_t *removed, uint32_t glued[4]) {
    uint32_t ui = m->corner[h], vi = m->corner[next_of(h)], other = m->twin[h];
    vertex *u = m->vertices + ui, *v = m->vertices + vi;
    int is_border_edge = other == NONE;
    // An inner edge between two borders would pinch the surface.
    if (!is_border_edge && (u->flags & v->flags & SSDF_VERTEX_BORDER)) return TOPOLOGY;
    uint32_t sides[2] = {h, other}, wings[2] = {NONE, NONE};
    for (int k = 0; k < 2 - is_border_edge; k++) {
        uint32_t x0 = m->twin[next_of(sides[k])], x1 = m->twin[previous_of(sides[k])];
        if (x0 == NONE && x1 == NONE) return TOPOLOGY;
        wings[k] = m->corner[previous_of(sides[k])];
        const vertex *w = m->vertices + wings[k];
        // A closed fan of three around a wing would become two triangles back to back.
        if (!(w->flags & SSDF_VERTEX_BORDER) && w->valence <= 3) return TOPOLOGY;
    }
    if (!links_agree(m, u, v, marker, is_border_edge ? 1 : 2)) return TOPOLOGY;
    uint32_t t0 = h >> 2, t1 = is_border_edge ? NONE : other >> 2;
    // Ends at one place become one without any face moving, which must not fail for the faces without area around them.
    int moves = 0;
    for (int i = 0; i < 3; i++) moves |= u->position[i] != x[i] || v->position[i] != x[i];
    if (moves && (!fan_survives(m, u, x, t0, t1, least_shape) || !fan_survives(m, v, x, t0, t1, least_shape)))
        return SHAPE;
    if (bound) {
        struct fan fan;
        if (!stays_near(m, bound, u, v, x, t0, t1, &fan)) return DISTANCE;
        move_samples(m, bound, u, v, t0, t1, &fan);
    }

    uint32_t g = u->outgoing;
    do {
        m->corner[g] = vi;
        g = m->twin[previous_of(g)];
    } while (g != NONE && g != u->outgoing);
    glued[0] = glued[1] = glued[2] = glued[3] = NONE;
    for (int k = 0; k < 2 - is_border_edge; k++) {
        uint32_t ahead = m->twin[next_of(sides[k])], behind = m->twin[previous_of(sides[k])];
        glue(m, ahead, behind);
        glued[2 * k] = ahead;
        glued[2 * k + 1] = behind;
        // Before the collapse: side 0 runs u → v, so `ahead` runs wing → v and `behind` u → wing; side 1 the reverse.
        vertex *w = m->vertices + wings[k];
        w->outgoing = ahead != NONE ? ahead : next_of(behind);
        if (k == 0) v->outgoing = behind != NONE ? behind : next_of(ahead);
        w->valence--;
    }
    for (uint32_t i = 0; i < 4; i++) {
        m->corner[4 * t0 + i] = NONE;
        if (t1 != NONE) m->corner[4 * t1 + i] = NONE;
    }
    v->valence = (uint16_t)(u->valence + v->valence - (is_border_edge ? 2 : 4));
    merge(u, v, x);
    u->flags |= SSDF_VERTEX_REMOVED;
    parent[ui] = vi;
    v->changed = clock;
    *removed += is_border_edge ? 1 : 2;
    rewind_border(m, v);
    for (int k = 0; k < 2 - is_border_edge; k++) rewind_border(m, m->vertices + wings[k]);
    return DONE;
}

// Puts the edges a collapse has glued back in the queue where neither half stands in it.
INLINE void requeue(struct mesh *m, const uint32_t glued[4], uint32_t clock, uint32_t from, uint32_t last) {
    for (int k = 0; k < 4; k += 2) {
        uint32_t h = glued[k] != NONE ? glued[k] : glued[k + 1];
        if (h == NONE || m->link[h] != IDLE) continue;
        if (m->twin[h] != NONE && m->link[m->twin[h]] != IDLE) continue;
        const vertex *u = m->vertices + m->corner[h], *v = m->vertices + m->corner[next_of(h)];
        if (!is_free(u, v)) continue;
        float place[3];
        uint32_t bucket = bucket_of(evaluate(u, v, place));
        m->stamp[h] = clock;
        if (bucket <= last) enqueue(m, h, bucket < from ? from : bucket);
    }
}

INLINE void run(struct ssdf_simplify_block *block) {
    uint32_t count = block->triangle_count;
    struct mesh m = {.vertices = block->vertices, .vertex_count = block->vertex_count, .triangle_count = count};
    uint32_t *words = block->scratch;
    m.corner = words;
    m.twin = m.corner + 4 * (size_t)count;
    m.link = m.twin + 4 * (size_t)count;
    m.stamp = m.link + 4 * (size_t)count;
    m.mark = m.stamp + 4 * (size_t)count;
    for (uint32_t t = 0; t < count; t++)
        for (uint32_t i = 0; i < 3; i++) m.corner[4 * t + i] = block->triangles[3 * (size_t)t + i];
    for (uint32_t v = 0; v < m.vertex_count; v++) block->parent[v] = v;
    connect(&m);
    add_borders(&m);

    // Faces without area let no edge near them be collapsed.
    if (block->sharp_cosine < 1) flip_all(&m, 0.9999999f);
    for (int i = 0; i < BUCKETS; i++) m.head[i] = NONE;
    uint32_t last = bucket_of(block->threshold), bucket = last + 1;
    float place[3];
    for (uint32_t h = 0; h < 4 * count; h++) {
        if ((h & 3) == 3 || (m.twin[h] != NONE && m.twin[h] < h)) continue;
        const vertex *u = m.vertices + m.corner[h], *v = m.vertices + m.corner[next_of(h)];
        if (!is_free(u, v)) continue;
        // What was refused in the last round is refused again where nothing has changed.
        if (block->bound && !((u->marks | v->marks) & SSDF_MARK_DUE)) continue;
        uint32_t k = bucket_of(evaluate(u, v, place));
        if (k > last) continue;
        enqueue(&m, h, k);
        if (k < bucket) bucket = k;
    }
    if (block->bound) {
        list_samples(block->bound, count);
        for (uint32_t v = 0; v < m.vertex_count; v++) m.vertices[v].marks &= (uint8_t)~SSDF_MARK_DUE;
    }
    uint32_t clock = 0, marker = 0, removed = 0;
    float highest = 0;
    while (bucket <= last && count - removed > block->least_triangles) {
        uint32_t h = m.head[bucket];
        if (h == NONE) {
            bucket++;
            continue;
        }
        m.head[bucket] = m.link[h];
        m.link[h] = IDLE;
        if (m.corner[h] == NONE) continue;
        vertex *u = m.vertices + m.corner[h], *v = m.vertices + m.corner[next_of(h)];
        float cost = evaluate(u, v, place);
        if (u->changed > m.stamp[h] || v->changed > m.stamp[h]) {
            m.stamp[h] = clock;
            uint32_t now = bucket_of(cost);
            if (now > bucket) {
                if (now <= last) enqueue(&m, h, now);
                continue;
            }
        }
        float farthest = block->farthest * power_of_half(2 * (stricter(u->marks, v->marks) / SSDF_MARK_DOUBT & 3));
        if (cost > farthest * (u->a[0] + u->a[3] + u->a[5] + v->a[0] + v->a[3] + v->a[5])) continue;
        // The place of least cost, then the ends.
        float places[3][3];
        for (int i = 0; i < 3; i++) {
            places[0][i] = u->position[i] + place[i];
            places[1][i] = u->position[i];
            places[2][i] = v->position[i];
        }
        uint32_t glued[4];
        enum outcome outcome = SHAPE;
        int is_thin = 0;
        for (int i = 0; i < (block->bound ? 3 : 1) && (outcome == DISTANCE || outcome == SHAPE); i++) {
            outcome = collapse(
                &m, h, places[i], clock + 1, ++marker, block->least_shape, block->bound, block->parent, &removed, glued);
            is_thin |= outcome == SHAPE;
        }
        if (block->bound) {
            if (outcome == DONE)
                mark_around(&m, v);
            else if (is_thin)
                u->marks |= SSDF_MARK_THIN;
        }
        switch (outcome) {
        case TOPOLOGY:
            block->refused_topology++;
            break;
        case SHAPE:
            block->refused_shape++;
            break;
        case DISTANCE:
            block->refused_distance++;
            break;
        case DONE:
            clock++;
            if (cost > highest) highest = cost;
            requeue(&m, glued, clock, bucket, last);
        }
    }
    block->highest = highest;
    if (block->sharp_cosine < 1) flip_all(&m, block->sharp_cosine);
    for (uint32_t v = 0; v < m.vertex_count; v++) {
        uint32_t root = v;
        while (block->parent[root] != root) root = block->parent[root];
        for (uint32_t w = v; w != root;) {
            uint32_t up = block->parent[w];
            block->parent[w] = root;
            w = up;
        }
    }
    uint32_t kept = 0;
    for (uint32_t t = 0; t < count; t++) {
        if (m.corner[4 * t] == NONE) continue;
        for (uint32_t i = 0; i < 3; i++) block->triangles[3 * (size_t)kept + i] = m.corner[4 * t + i];
        if (block->bound)
            for (uint32_t s = block->bound->first[t]; s != NONE; s = block->bound->next[s]) block->bound->face[s] = kept;
        kept++;
    }
    block->triangle_count = kept;
}

static void run_scalar(struct ssdf_simplify_block *block) { run(block); }

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static void run_avx2(struct ssdf_simplify_block *block) { run(block); }
#endif

void ssdf_simplify_block(struct ssdf_simplify_block *block) {
#if defined(__x86_64__)
    if (ssdf_isa() >= SSDF_ISA_AVX2) {
        run_avx2(block);
        return;
    }
#endif
    run_scalar(block);
}
