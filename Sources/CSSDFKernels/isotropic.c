// Split, collapse, flip and relax: the passes of isotropic remeshing.
//
// Sources: Botsch, Kobbelt, "A Remeshing Approach to Multiresolution Modeling", 2004, §4; Dey, Edelsbrunner, Guha,
// Nekhayev, "Topology preserving edge contraction", 1999 (the link condition).
#include "ssdf_isotropic.h"

#include <math.h>
#include "vector3.h"

#define NONE UINT32_MAX

typedef struct ssdf_isotropic mesh;

INLINE uint32_t next_of(uint32_t h) { return (h & 3) == 2 ? h - 2 : h + 1; }
INLINE uint32_t previous_of(uint32_t h) { return (h & 3) == 0 ? h + 2 : h - 1; }

INLINE float *at(const mesh *m, uint32_t v) { return m->positions + 3 * (size_t)v; }
INLINE uint32_t end_of(const mesh *m, uint32_t h) { return m->corner[next_of(h)]; }
INLINE int is_border(const mesh *m, uint32_t v) { return m->twin[m->outgoing[v]] == NONE; }

INLINE float distance_squared(const float *a, const float *b) {
    float d[3];
    subtract(a, b, d);
    return dot(d, d);
}

// Twice the area of the triangle a, b, c, along its normal.
INLINE void normal_of(const float *a, const float *b, const float *c, float *n) {
    float e[3], f[3];
    subtract(b, a, e);
    subtract(c, a, f);
    cross(e, f, n);
}

// ---- connectivity


// Returns whether the mesh is an oriented manifold.
static int pair_half_edges(mesh *m, uint32_t *chain) {
    uint32_t *first = m->mark, end = 4 * m->triangle_count;
    for (uint32_t v = 0; v < m->vertex_count; v++) {
        first[v] = m->outgoing[v] = NONE;
        m->valence[v] = 0;
    }
    for (uint32_t h = 0; h < end; h++) {
        m->crease[h] = 0;
        m->twin[h] = NONE;
        if ((h & 3) == 3) continue;
        uint32_t v = m->corner[h];
        chain[h] = first[v];
        first[v] = h;
        m->valence[v]++;
    }
    for (uint32_t h = 0; h < end; h++) {
        if ((h & 3) == 3) continue;
        uint32_t v = m->corner[h], w = end_of(m, h);
        if (v == w) return 0;
        for (uint32_t g = first[w]; g != NONE; g = chain[g]) {
            if (end_of(m, g) != v) continue;
            if (m->twin[h] != NONE) return 0;
            m->twin[h] = g;
        }
        if (m->twin[h] == NONE || m->outgoing[v] == NONE) m->outgoing[v] = h;
    }
    for (uint32_t v = 0; v < m->vertex_count; v++) {
        uint32_t fan = 0, h = m->outgoing[v];
        while (h != NONE && fan <= m->valence[v]) {
            fan++;
            h = m->twin[previous_of(h)];
            if (h == m->outgoing[v]) break;
        }
        if (fan != m->valence[v]) return 0;
    }
    return 1;
}

// ---- creases

// The far ends of up to two creases at v; returns how many there are.
INLINE uint32_t crease_ends(const mesh *m, uint32_t v, uint32_t ends[2]) {
    uint32_t count = 0, h = m->outgoing[v], start = h;
    if (h == NONE) return 0;
    do {
        if (m->crease[h]) {
            if (count < 2) ends[count] = end_of(m, h);
            count++;
        }
        uint32_t into = previous_of(h);
        h = m->twin[into];
        if (h == NONE) {
            if (count < 2) ends[count] = m->corner[into];
            count++;
        }
    } while (h != NONE && h != start);
    return count;
}

INLINE uint32_t root_of(uint32_t *parent, uint32_t v) {
    while (parent[v] != v) {
        parent[v] = parent[parent[v]];
        v = parent[v];
    }
    return v;
}

// Unmarks the crease between neighbours a and b.
static void clear_crease(mesh *m, uint32_t a, uint32_t b) {
    uint32_t h = m->outgoing[a], start = h;
    do {
        uint32_t into = previous_of(h);
        if (end_of(m, h) == b || m->corner[into] == b) {
            uint32_t g = end_of(m, h) == b ? h : into;
            m->crease[g] = 0;
            if (m->twin[g] != NONE) m->crease[m->twin[g]] = 0;
            return;
        }
        h = m->twin[into];
    } while (h != NONE && h != start);
}

// Follows the creases from a free end at v to the next end, branching or border and, where that is nearer than `limit`,
// unmarks them. Returns whether it did.
static int prune_twig(mesh *m, uint32_t v, float limit) {
    uint32_t ends[2];
    for (int clearing = 0; clearing < 2; clearing++) {
        float length = 0;
        uint32_t from = NONE, here = v, count = 1;
        crease_ends(m, v, ends);
        uint32_t to = ends[0];
        do {
            length += sqrtf(distance_squared(at(m, here), at(m, to)));
            if (length > limit) return 0;
            // Looked up before the crease behind goes.
            count = crease_ends(m, to, ends);
            uint32_t ahead = ends[0] == here ? ends[1] : ends[0];
            if (clearing) clear_crease(m, here, to);
            from = here;
            here = to;
            to = ahead;
        } while (count == 2 && here != v && from != NONE);
    }
    return 1;
}

// Forgets creases that are the roughness of a scan and not a shape: short ones that end freely, and small sets of
// connected ones that border no hole.
static void drop_short_creases(mesh *m) {
    uint32_t *parent = m->mark, ends[2];
    float limit = 5 * m->length;
    int has_pruned = 1;
    for (int round = 0; round < 8 && has_pruned; round++) {
        has_pruned = 0;
        for (uint32_t v = 0; v < m->vertex_count; v++)
            if (crease_ends(m, v, ends) == 1 && prune_twig(m, v, limit)) has_pruned = 1;
    }
    for (uint32_t v = 0; v < m->vertex_count; v++) {
        parent[v] = v;
        m->scratch[v] = 0;
    }
    for (uint32_t h = 0; h < 4 * m->triangle_count; h++) {
        if ((h & 3) == 3 || !m->crease[h]) continue;
        uint32_t a = root_of(parent, m->corner[h]), b = root_of(parent, end_of(m, h));
        parent[a > b ? a : b] = a > b ? b : a;
    }
    for (uint32_t h = 0; h < 4 * m->triangle_count; h++) {
        if ((h & 3) == 3 || !m->crease[h] || (m->twin[h] != NONE && m->twin[h] < h)) continue;
        float *length = m->scratch + root_of(parent, m->corner[h]);
        *length += m->twin[h] == NONE ? INFINITY : sqrtf(distance_squared(at(m, m->corner[h]), at(m, end_of(m, h))));
    }
    for (uint32_t h = 0; h < 4 * m->triangle_count; h++)
        if ((h & 3) != 3 && m->crease[h] && m->scratch[root_of(parent, m->corner[h])] < limit) m->crease[h] = 0;
}

int ssdf_isotropic_connect(mesh *m, float crease_cosine, uint32_t *chain) {
    if (!pair_half_edges(m, chain)) return 0;
    m->marker = 0;
    for (uint32_t h = 0; h < 4 * m->triangle_count; h++) {
        if ((h & 3) == 3) continue;
        uint32_t o = m->twin[h];
        if (o == NONE) {
            m->crease[h] = 1;
        } else if (h < o) {
            const float *u = at(m, m->corner[h]), *v = at(m, end_of(m, h));
            float a[3], b[3];
            normal_of(u, v, at(m, m->corner[previous_of(h)]), a);
            normal_of(v, u, at(m, m->corner[previous_of(o)]), b);
            float size = sqrtf(dot(a, a)) * sqrtf(dot(b, b));
            m->crease[h] = m->crease[o] = size > 0 && dot(a, b) < crease_cosine * size;
        }
    }
    drop_short_creases(m);
    for (uint32_t v = 0; v < m->vertex_count; v++) {
        uint32_t ends[2], count = crease_ends(m, v, ends);
        m->mark[v] = 0;
        m->rank[v] = count == 0 ? SSDF_RANK_FREE : SSDF_RANK_FIXED;
        if (count != 2) continue;
        float a[3], b[3];
        subtract(at(m, ends[0]), at(m, v), a);
        subtract(at(m, ends[1]), at(m, v), b);
        // A crease that itself turns by more than 55° has a corner there.
        int is_held = m->locks_borders && is_border(m, v);
        if (!is_held && dot(a, b) < -0.57f * sqrtf(dot(a, a) * dot(b, b))) m->rank[v] = SSDF_RANK_CREASE;
    }
    return 1;
}

// ---- split

INLINE void join(mesh *m, uint32_t a, uint32_t b) {
    if (a != NONE) m->twin[a] = b;
    if (b != NONE) m->twin[b] = a;
}

// Cuts the triangle of h in two: h then ends at v; returns the half-edge from v to its former end.
INLINE uint32_t split_side(mesh *m, uint32_t h, uint32_t v) {
    uint32_t n = next_of(h), p = previous_of(h), base = 4 * m->triangle_count++;
    uint32_t end = m->corner[n], apex = m->corner[p];
    m->corner[base] = v;
    m->corner[base + 1] = end;
    m->corner[base + 2] = apex;
    m->crease[base] = m->crease[h];
    m->crease[base + 1] = m->crease[n];
    m->crease[base + 2] = 0;
    m->twin[base] = NONE;
    m->twin[base + 1] = NONE;
    join(m, base + 1, m->twin[n]);
    m->twin[base + 2] = n;
    m->corner[n] = v;
    m->twin[n] = base + 2;
    m->crease[n] = 0;
    if (m->outgoing[end] == n) m->outgoing[end] = base + 1;
    m->valence[apex]++;
    return base;
}

// Whether the triangle of h has a longer edge. Beside borders that must not be split only the longest edges of triangles
// are: splitting shorter ones would leave edges about as long, again and again.
INLINE int stands_by_longer(const mesh *m, uint32_t h, float length_squared) {
    for (uint32_t g = next_of(h); g != h; g = next_of(g))
        if (distance_squared(at(m, m->corner[g]), at(m, end_of(m, g))) > length_squared) return 1;
    return 0;
}

// Splits the edges longer than a limit once or more. Returns 0 without room.
static int split_longer(mesh *m, float limit) {
    // New half-edges come last and are met in their turn.
    for (uint32_t h = 0; h < 4 * m->triangle_count; h++) {
        if ((h & 3) == 3 || m->corner[h] == NONE) continue;
        for (;;) {
            uint32_t u = m->corner[h], w = end_of(m, h), o = m->twin[h], v = m->vertex_count;
            float length = distance_squared(at(m, u), at(m, w));
            if (length <= limit * limit) break;
            // Two faces back to back: the two halves of a cut through both would be one edge of four faces.
            if (o != NONE && m->corner[previous_of(h)] == m->corner[previous_of(o)]) break;
            if (m->locks_borders && (o == NONE || stands_by_longer(m, h, length) || stands_by_longer(m, o, length))) break;
            if (v + 1 > m->vertex_capacity || m->triangle_count + 2 > m->triangle_capacity) return 0;
            float *p = at(m, v);
            for (int x = 0; x < 3; x++) p[x] = 0.5f * (at(m, u)[x] + at(m, w)[x]);
            // Rounding can leave nothing between the ends of an edge.
            if (distance_squared(p, at(m, u)) == 0 || distance_squared(p, at(m, w)) == 0) break;
            m->vertex_count++;
            m->mark[v] = 0;
            m->rank[v] = m->crease[h] ? SSDF_RANK_CREASE : SSDF_RANK_FREE;
            uint32_t leaving = split_side(m, h, v);
            m->outgoing[v] = leaving;
            m->valence[v] = 2;
            if (o != NONE) {
                uint32_t back = split_side(m, o, v);
                join(m, h, back);
                join(m, leaving, o);
                m->valence[v] = 4;
            }
        }
    }
    return 1;
}

int ssdf_isotropic_split(mesh *m) {
    float longest = 0, limit = m->length * (4.0f / 3);
    for (uint32_t h = 0; h < 4 * m->triangle_count; h++)
        if ((h & 3) != 3 && m->corner[h] != NONE)
            longest = fmaxf(longest, distance_squared(at(m, m->corner[h]), at(m, end_of(m, h))));
    longest = sqrtf(longest);
    // The longest first: the median of a triangle is no longer than the mean of the sides beside it, so that splitting
    // the shorter ones first would breed long edges.
    while (longest > limit) {
        longest *= 0.75f;
        if (!split_longer(m, longest > limit ? longest : limit)) return 0;
    }
    return 1;
}

// ---- collapse

// Walks of a border vertex start at the end where nothing comes before.
INLINE void rewind_border(mesh *m, uint32_t v) {
    uint32_t h = m->outgoing[v], start = h;
    while (m->twin[h] != NONE) {
        h = next_of(m->twin[h]);
        if (h == start) break;
    }
    m->outgoing[v] = h;
}

// Whether exactly `expected` vertices are neighbours of both ends.
INLINE int links_agree(mesh *m, uint32_t u, uint32_t v, int expected) {
    uint32_t marker = ++m->marker, start = m->outgoing[u], h = start;
    do {
        m->mark[end_of(m, h)] = marker;
        m->mark[m->corner[previous_of(h)]] = marker;
        h = m->twin[previous_of(h)];
    } while (h != NONE && h != start);
    int common = 0;
    h = start = m->outgoing[v];
    do {
        common += m->mark[end_of(m, h)] == marker;
        uint32_t into = previous_of(h);
        h = m->twin[into];
        if (h == NONE) common += m->mark[m->corner[into]] == marker;
    } while (h != NONE && h != start);
    return common == expected;
}

// Whether moving v to x keeps its triangles, but those at w, upright, and its edges short.
INLINE int fan_survives(const mesh *m, uint32_t v, uint32_t w, const float *x) {
    float limit = m->length * m->length * (16.0f / 9);
    uint32_t start = m->outgoing[v], h = start;
    do {
        uint32_t p = end_of(m, h), q = m->corner[previous_of(h)];
        if (p != w && q != w) {
            float before[3], after[3];
            if (distance_squared(at(m, p), x) > limit || distance_squared(at(m, q), x) > limit) return 0;
            normal_of(at(m, p), at(m, q), at(m, v), before);
            normal_of(at(m, p), at(m, q), x, after);
            float turn = dot(before, after), n0 = dot(before, before), n1 = dot(after, after);
            if (!(n1 > 0)) return 0;
            if (n0 > 0 && (!(turn > 0) || turn * turn < 0.25f * n0 * n1)) return 0;
        } else if (p != w && distance_squared(at(m, p), x) > limit) {
            return 0;
        } else if (q != w && distance_squared(at(m, q), x) > limit) {
            return 0;
        }
        h = m->twin[previous_of(h)];
    } while (h != NONE && h != start);
    return 1;
}

// Makes u part of v, at x, where that is allowed.
INLINE int collapse(mesh *m, uint32_t h, const float *x) {
    uint32_t u = m->corner[h], v = end_of(m, h), sides[2] = {h, m->twin[h]}, wings[2];
    int count = sides[1] == NONE ? 1 : 2;
    // An inner edge between two borders would pinch the surface.
    if (count == 2 && is_border(m, u) && is_border(m, v)) return 0;
    for (int k = 0; k < count; k++) {
        uint32_t n = next_of(sides[k]), p = previous_of(sides[k]);
        if (m->twin[n] == NONE && m->twin[p] == NONE) return 0;
        // Two creases would become one.
        if (m->crease[n] && m->crease[p]) return 0;
        wings[k] = m->corner[p];
        if (!is_border(m, wings[k]) && m->valence[wings[k]] <= 3) return 0;
    }
    if (!fan_survives(m, u, v, x) || !fan_survives(m, v, u, x) || !links_agree(m, u, v, count)) return 0;
    uint32_t g = m->outgoing[u];
    do {
        m->corner[g] = v;
        g = m->twin[previous_of(g)];
    } while (g != NONE && g != m->outgoing[u]);
    for (int k = 0; k < count; k++) {
        uint32_t n = next_of(sides[k]), p = previous_of(sides[k]), ahead = m->twin[n], behind = m->twin[p];
        uint8_t crease = m->crease[n] | m->crease[p];
        join(m, ahead, behind);
        if (ahead != NONE) m->crease[ahead] = crease;
        if (behind != NONE) m->crease[behind] = crease;
        m->outgoing[wings[k]] = ahead != NONE ? ahead : next_of(behind);
        if (k == 0) m->outgoing[v] = behind != NONE ? behind : next_of(ahead);
        m->valence[wings[k]]--;
    }
    for (int k = 0; k < count; k++)
        for (uint32_t i = 0; i < 3; i++) m->corner[(sides[k] & ~3u) + i] = NONE;
    m->valence[v] += m->valence[u] - 2 * (uint32_t)count;
    m->valence[u] = 0;
    m->outgoing[u] = NONE;
    for (int i = 0; i < 3; i++) at(m, v)[i] = x[i];
    rewind_border(m, v);
    for (int k = 0; k < count; k++) rewind_border(m, wings[k]);
    return 1;
}

uint32_t ssdf_isotropic_collapse(mesh *m) {
    float limit = m->length * m->length * (16.0f / 25);
    uint32_t done = 0;
    for (uint32_t h = 0; h < 4 * m->triangle_count; h++) {
        if ((h & 3) == 3 || m->corner[h] == NONE) continue;
        uint32_t u = m->corner[h], v = end_of(m, h);
        if (!(distance_squared(at(m, u), at(m, v)) < limit)) continue;
        // Who has more to keep stays; what lies on a crease moves along it.
        if (m->rank[u] > m->rank[v] || (m->rank[u] >= SSDF_RANK_CREASE && !m->crease[h])) continue;
        // Corners nearer to each other than anything the mesh can show become one, those of locked borders excepted.
        int is_close = distance_squared(at(m, u), at(m, v)) < 0.09f * m->length * m->length;
        if (m->rank[u] == SSDF_RANK_FIXED && (!is_close || (m->locks_borders && is_border(m, u)))) continue;
        float x[3];
        for (int i = 0; i < 3; i++)
            x[i] = m->rank[v] == SSDF_RANK_FREE ? 0.5f * (at(m, u)[i] + at(m, v)[i]) : at(m, v)[i];
        done += (uint32_t)collapse(m, h, x);
    }
    return done;
}

// ---- flip

INLINE int excess(const mesh *m, uint32_t v, int change) {
    int d = (int)m->valence[v] + change - (is_border(m, v) ? 3 : 6);
    return d * d;
}

// The greatest cosine among the angles of a triangle: that of its smallest.
INLINE float sharpest(const float *a, const float *b, const float *c) {
    float d[3], e[3], f[3];
    subtract(b, a, d);
    subtract(c, b, e);
    subtract(a, c, f);
    float dd = dot(d, d), ee = dot(e, e), ff = dot(f, f);
    float s = -dot(d, f) / sqrtf(dd * ff), t = -dot(d, e) / sqrtf(dd * ee), u = -dot(e, f) / sqrtf(ee * ff);
    return fmaxf(fmaxf(s, t), u);
}

INLINE int are_joined(const mesh *m, uint32_t a, uint32_t b) {
    uint32_t start = m->outgoing[a], h = start;
    do {
        if (end_of(m, h) == b || m->corner[previous_of(h)] == b) return 1;
        h = m->twin[previous_of(h)];
    } while (h != NONE && h != start);
    return 0;
}

// Turns the edge of h inside its two triangles.
INLINE void flip(mesh *m, uint32_t h) {
    uint32_t o = m->twin[h], hn = next_of(h), hp = previous_of(h), on = next_of(o), op = previous_of(o);
    uint32_t u = m->corner[h], v = m->corner[o], a = m->corner[hp], b = m->corner[op];
    uint32_t va = m->twin[hn], au = m->twin[hp], ub = m->twin[on], bv = m->twin[op];
    uint8_t cva = m->crease[hn], cau = m->crease[hp], cub = m->crease[on], cbv = m->crease[op];
    // h becomes b → a in the triangle (b, a, u), o becomes a → b in (a, b, v).
    m->corner[h] = b;
    m->corner[hn] = a;
    m->corner[hp] = u;
    m->corner[o] = a;
    m->corner[on] = b;
    m->corner[op] = v;
    m->twin[hn] = m->twin[hp] = m->twin[on] = m->twin[op] = NONE;
    join(m, hn, au);
    join(m, hp, ub);
    join(m, on, bv);
    join(m, op, va);
    m->crease[hn] = cau;
    m->crease[hp] = cub;
    m->crease[on] = cbv;
    m->crease[op] = cva;
    m->outgoing[u] = hp;
    m->outgoing[v] = op;
    m->outgoing[a] = hn;
    m->outgoing[b] = on;
    rewind_border(m, u);
    rewind_border(m, v);
    rewind_border(m, a);
    rewind_border(m, b);
    m->valence[u]--;
    m->valence[v]--;
    m->valence[a]++;
    m->valence[b]++;
}

// Whether the two triangles after the flip face the way those before it do.
INLINE int stays_upright(const float *u, const float *v, const float *a, const float *b) {
    float before[3], other[3], first[3], second[3];
    normal_of(u, v, a, before);
    normal_of(v, u, b, other);
    for (int x = 0; x < 3; x++) before[x] += other[x];
    normal_of(b, a, u, first);
    normal_of(a, b, v, second);
    float n = dot(before, before), s = dot(before, first), t = dot(before, second);
    return s > 0 && t > 0 && s * s > 0.5f * n * dot(first, first) && t * t > 0.5f * n * dot(second, second);
}

uint32_t ssdf_isotropic_flip(mesh *m, int by_angle) {
    uint32_t done = 0;
    for (uint32_t h = 0; h < 4 * m->triangle_count; h++) {
        if ((h & 3) == 3 || m->corner[h] == NONE || m->crease[h]) continue;
        uint32_t o = m->twin[h];
        if (o < h) continue;
        uint32_t u = m->corner[h], v = m->corner[o], a = m->corner[previous_of(h)], b = m->corner[previous_of(o)];
        if (m->valence[u] <= 3 || m->valence[v] <= 3 || a == b) continue;
        const float *pu = at(m, u), *pv = at(m, v), *pa = at(m, a), *pb = at(m, b);
        if (by_angle) {
            float now = fmaxf(sharpest(pu, pv, pa), sharpest(pv, pu, pb));
            float then = fmaxf(sharpest(pb, pa, pu), sharpest(pa, pb, pv));
            if (!(then < now - 1e-4f)) continue;
        } else {
            int now = excess(m, u, 0) + excess(m, v, 0) + excess(m, a, 0) + excess(m, b, 0);
            int then = excess(m, u, -1) + excess(m, v, -1) + excess(m, a, 1) + excess(m, b, 1);
            if (then >= now) continue;
        }
        if (!stays_upright(pu, pv, pa, pb) || are_joined(m, a, b)) continue;
        flip(m, h);
        done++;
    }
    return done;
}

// ---- mend

#include "isotropic_angles.h"

// ---- compact and relax

void ssdf_isotropic_compact(mesh *m) {
    uint32_t *number = m->mark, vertices = 0, triangles = 0;
    for (uint32_t v = 0; v < m->vertex_count; v++) {
        if (m->outgoing[v] == NONE) continue;
        number[v] = vertices;
        for (int x = 0; x < 3; x++) m->positions[3 * (size_t)vertices + (size_t)x] = at(m, v)[x];
        m->outgoing[vertices] = m->outgoing[v];
        m->valence[vertices] = m->valence[v];
        m->rank[vertices] = m->rank[v];
        vertices++;
    }
    // A triangle's fourth place, otherwise unused, holds its new number.
    for (uint32_t t = 0; t < m->triangle_count; t++)
        if (m->corner[4 * (size_t)t] != NONE) m->twin[4 * (size_t)t + 3] = triangles++;
    for (uint32_t v = 0; v < vertices; v++)
        m->outgoing[v] = 4 * m->twin[m->outgoing[v] | 3] + (m->outgoing[v] & 3);
    for (uint32_t t = 0; t < m->triangle_count; t++) {
        if (m->corner[4 * (size_t)t] == NONE) continue;
        uint32_t to = 4 * m->twin[4 * (size_t)t + 3];
        for (uint32_t i = 0; i < 3; i++) {
            uint32_t h = 4 * t + i, o = m->twin[h];
            // Those before have moved already, and their fourth places may have been written over: the lower half of a
            // pair tells the higher one.
            if (o != NONE && o > h) {
                uint32_t moved = 4 * m->twin[o | 3] + (o & 3);
                m->twin[o] = to + i;
                o = moved;
            }
            m->corner[to + i] = number[m->corner[h]];
            m->crease[to + i] = m->crease[h];
            m->twin[to + i] = o;
        }
    }
    m->vertex_count = vertices;
    m->triangle_count = triangles;
    for (uint32_t v = 0; v < vertices; v++) m->mark[v] = 0;
    m->marker = 0;
}

void ssdf_isotropic_relax(const mesh *m, uint32_t begin, uint32_t end, float *targets) {
    for (uint32_t v = begin; v < end; v++) {
        const float *p = at(m, v);
        float *target = targets + 3 * (size_t)(v - begin);
        for (int x = 0; x < 3; x++) target[x] = p[x];
        if (m->outgoing[v] == NONE || m->rank[v] == SSDF_RANK_FIXED) continue;
        if (m->rank[v] == SSDF_RANK_CREASE) {
            uint32_t ends[2];
            if (crease_ends(m, v, ends) != 2) continue;
            for (int x = 0; x < 3; x++)
                target[x] = 0.25f * (at(m, ends[0])[x] + at(m, ends[1])[x]) + 0.5f * p[x];
            continue;
        }
        float sum[3] = {0, 0, 0}, normal[3] = {0, 0, 0}, weight = 0;
        uint32_t h = m->outgoing[v];
        do {
            const float *a = at(m, end_of(m, h)), *b = at(m, m->corner[previous_of(h)]);
            float n[3];
            normal_of(p, a, b, n);
            float area = sqrtf(dot(n, n));
            weight += area;
            for (int x = 0; x < 3; x++) {
                sum[x] += area * (a[x] + b[x] - 2 * p[x]);
                normal[x] += n[x];
            }
            h = m->twin[previous_of(h)];
        } while (h != NONE && h != m->outgoing[v]);
        float nn = dot(normal, normal);
        if (!(weight > 0) || !(nn > 0)) continue;
        float step[3];
        for (int x = 0; x < 3; x++) step[x] = sum[x] / (3 * weight);
        float off = dot(step, normal) / nn;
        for (int x = 0; x < 3; x++) target[x] = p[x] + step[x] - off * normal[x];
    }
}
