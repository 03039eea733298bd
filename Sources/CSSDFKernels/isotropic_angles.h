// The part of isotropic.c that mends the few triangles that the passes over the whole mesh leave with small angles.
//
// Source: Freitag, Ollivier-Gooch, "Tetrahedral mesh improvement using swapping and smoothing", 1997 (a vertex goes where
// the worst element around it is best, flips between), here for triangles on a surface and along its creases.

// Of 25.5°: what a corner between creases is opened to.
static const float open_cosine = 0.9025853f;

// The cosine of the angle at a.
INLINE float cosine_at(const float *a, const float *b, const float *c) {
    float d[3], e[3];
    subtract(b, a, d);
    subtract(c, a, e);
    float size = dot(d, d) * dot(e, e);
    return size > 0 ? dot(d, e) / sqrtf(size) : 1;
}

// Whether the angle at the start of h is a small one that the input gives: a corner of its creases with no room for another
// triangle.
INLINE int is_given(const mesh *m, uint32_t h) {
    uint32_t v = m->corner[h], into = previous_of(h);
    return m->rank[v] == SSDF_RANK_FIXED && m->crease[h] && m->crease[into] &&
           cosine_at(at(m, v), at(m, end_of(m, h)), at(m, m->corner[into])) > open_cosine;
}

// The greatest cosine among the angles of the triangle of h that are not given, with vertex v at x.
INLINE float worst_with(const mesh *m, uint32_t h, uint32_t v, const float *x) {
    float worst = -1;
    const float *p[3];
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t w = m->corner[(h & ~3u) + i];
        p[i] = w == v ? x : at(m, w);
    }
    for (uint32_t i = 0; i < 3; i++)
        if (!is_given(m, (h & ~3u) + i)) worst = fmaxf(worst, cosine_at(p[i], p[(i + 1) % 3], p[(i + 2) % 3]));
    return worst;
}

INLINE float worst_of(const mesh *m, uint32_t h) { return worst_with(m, h, NONE, NULL); }

// How much longer than the mean an edge may become, or its chord may leave its crease, by mending.
static const float most_stretch = 4.0f / 3, most_sag = 0.05f;

// The greatest cosine around v if it were at x, or 2 where that turns a triangle or makes an edge too long.
INLINE float worst_around(const mesh *m, uint32_t v, const float *x) {
    float worst = -1, limit = most_stretch * m->length / 0.9f;
    uint32_t start = m->outgoing[v], h = start;
    do {
        const float *p = at(m, end_of(m, h)), *q = at(m, m->corner[previous_of(h)]);
        float before[3], after[3];
        normal_of(at(m, v), p, q, before);
        normal_of(x, p, q, after);
        float turn = dot(before, after), n0 = dot(before, before), n1 = dot(after, after);
        if (!(n1 > 0) || (n0 > 0 && (!(turn > 0) || turn * turn < 0.9f * n0 * n1))) return 2;
        float length = fmaxf(distance_squared(p, x), distance_squared(q, x));
        if (length > limit * limit && length > fmaxf(distance_squared(p, at(m, v)), distance_squared(q, at(m, v)))) return 2;
        worst = fmaxf(worst, worst_with(m, h, v, x));
        h = m->twin[previous_of(h)];
    } while (h != NONE && h != start);
    return worst;
}

// Puts x on what v lies on, where that is near.
static int put_back(const mesh *m, uint32_t v, const struct ssdf_isotropic_input *input, float reach, float *x) {
    struct ssdf_bvh_closest found;
    ssdf_bvh_closest_points(m->rank[v] == SSDF_RANK_FREE ? input->surface : input->creases, x, 1, reach * reach, &found);
    if (found.triangle == NONE) return 0;
    for (int k = 0; k < 3; k++) x[k] = found.point[k];
    return 1;
}

// How far from its creases the middle of the chord between crease vertices a and b is, squared.
static float sag(const struct ssdf_isotropic_input *input, const float *a, const float *b) {
    float middle[3];
    struct ssdf_bvh_closest found;
    for (int k = 0; k < 3; k++) middle[k] = 0.5f * (a[k] + b[k]);
    ssdf_bvh_closest_points(input->creases, middle, 1, INFINITY, &found);
    return found.distance_squared;
}

// The directions in which v may go; returns how many.
INLINE int ways_of(const mesh *m, uint32_t v, const uint32_t ends[2], float ways[8][3]) {
    const float *p = at(m, v);
    if (m->rank[v] == SSDF_RANK_CREASE) {
        for (int k = 0; k < 2; k++) {
            float length = sqrtf(distance_squared(at(m, ends[k]), p));
            if (!(length > 0)) return 0;
            for (int x = 0; x < 3; x++) ways[k][x] = (at(m, ends[k])[x] - p[x]) / length;
        }
        return 2;
    }
    float normal[3] = {0, 0, 0}, along[3], across[3];
    uint32_t start = m->outgoing[v], h = start;
    do {
        float n[3];
        normal_of(p, at(m, end_of(m, h)), at(m, m->corner[previous_of(h)]), n);
        for (int x = 0; x < 3; x++) normal[x] += n[x];
        h = m->twin[previous_of(h)];
    } while (h != NONE && h != start);
    subtract(at(m, end_of(m, start)), p, along);
    cross(normal, along, across);
    cross(across, normal, along);
    float a = sqrtf(dot(along, along)), b = sqrtf(dot(across, across));
    if (!(a > 0 && b > 0)) return 0;
    for (int k = 0; k < 8; k++) {
        static const float cosines[8] = {1, 0.70710678f, 0, -0.70710678f, -1, -0.70710678f, 0, 0.70710678f};
        for (int x = 0; x < 3; x++) ways[k][x] = cosines[k] * along[x] / a + cosines[(k + 6) % 8] * across[x] / b;
    }
    return 8;
}

// Moves v, by ever shorter steps, to where the worst angle around it is best. Returns whether it moved.
static int mend_vertex(mesh *m, uint32_t v, const struct ssdf_isotropic_input *input) {
    if (m->rank[v] == SSDF_RANK_FIXED) return 0;
    uint32_t ends[2] = {NONE, NONE};
    if (m->rank[v] == SSDF_RANK_CREASE && crease_ends(m, v, ends) != 2) return 0;
    float worst = worst_around(m, v, at(m, v)), least = most_sag * m->length;
    int moved = 0;
    for (float step = 0.32f; step > 0.03f; step *= 0.5f) {
        for (int turn = 0; turn < 3; turn++) {
            float ways[8][3], best[3] = {0, 0, 0}, promise = worst;
            int count = ways_of(m, v, ends, ways);
            for (int k = 0; k < count; k++) {
                float x[3];
                for (int i = 0; i < 3; i++) x[i] = at(m, v)[i] + step * m->length * ways[k][i];
                float then = worst_around(m, v, x);
                if (!(then < promise)) continue;
                promise = then;
                for (int i = 0; i < 3; i++) best[i] = x[i];
            }
            if (!(promise < worst - 1e-3f) || !put_back(m, v, input, step * m->length, best)) break;
            float then = worst_around(m, v, best);
            if (!(then < worst - 1e-3f)) break;
            int strays = 0;
            for (int k = 0; m->rank[v] == SSDF_RANK_CREASE && k < 2; k++) {
                float now = sag(input, at(m, v), at(m, ends[k])), after = sag(input, best, at(m, ends[k]));
                strays |= after > now && after > least * least;
            }
            if (strays) break;
            for (int i = 0; i < 3; i++) at(m, v)[i] = best[i];
            worst = then;
            moved = 1;
        }
    }
    return moved;
}

// Flips the edge of h where that makes the worst angle of its triangles better. Returns whether it did.
static int mend_edge(mesh *m, uint32_t h) {
    uint32_t o = m->twin[h];
    if (o == NONE || m->crease[h]) return 0;
    uint32_t u = m->corner[h], v = m->corner[o], a = m->corner[previous_of(h)], b = m->corner[previous_of(o)];
    if (m->valence[u] <= 3 || m->valence[v] <= 3 || a == b) return 0;
    const float *pu = at(m, u), *pv = at(m, v), *pa = at(m, a), *pb = at(m, b);
    float now = fmaxf(worst_of(m, h), worst_of(m, o));
    float then = fmaxf(sharpest(pb, pa, pu), sharpest(pa, pb, pv));
    if (!(then < now - 1e-4f) || !stays_upright(pu, pv, pa, pb) || are_joined(m, a, b)) return 0;
    flip(m, h);
    return 1;
}

// The squared distance from p to the triangles around v, with v at x.
static float distance_to_fan(const mesh *m, uint32_t v, const float *x, const float *p) {
    float least = INFINITY;
    uint32_t start = m->outgoing[v], h = start;
    do {
        const float *corner[3] = {x, at(m, end_of(m, h)), at(m, m->corner[previous_of(h)])};
        float n[3], d[3];
        normal_of(corner[0], corner[1], corner[2], n);
        int is_over = 1;
        for (int i = 0; i < 3; i++) {
            float e[3], side[3], off[3];
            subtract(corner[(i + 1) % 3], corner[i], e);
            subtract(p, corner[i], d);
            cross(n, e, side);
            is_over &= dot(side, d) >= 0;
            float ee = dot(e, e), t = ee > 0 ? fminf(fmaxf(dot(d, e) / ee, 0), 1) : 0;
            for (int k = 0; k < 3; k++) off[k] = d[k] - t * e[k];
            least = fminf(least, dot(off, off));
        }
        float nn = dot(n, n), height = dot(d, n);
        if (is_over && nn > 0) least = fminf(least, height * height / nn);
        h = m->twin[previous_of(h)];
    } while (h != NONE && h != start);
    return least;
}

// Opens the corner at the start of h, where two creases begin at a small angle: moves it on between them, where they are
// nearer to each other than the mesh can show, as long as nothing leaves its place by more than `most_sag`. Returns whether
// it did.
static int open_corner(mesh *m, uint32_t h, const struct ssdf_isotropic_input *input) {
    uint32_t v = m->corner[h];
    const float *p = at(m, v), *a = at(m, end_of(m, h)), *b = at(m, m->corner[previous_of(h)]);
    float to_a[3], to_b[3], between[3], most = most_sag * m->length;
    subtract(a, p, to_a);
    subtract(b, p, to_b);
    float aa = sqrtf(dot(to_a, to_a)), bb = sqrtf(dot(to_b, to_b));
    for (int k = 0; k < 3; k++) between[k] = to_a[k] / aa + to_b[k] / bb;
    float size = sqrtf(dot(between, between));
    for (float step = 0.05f; step < 0.6f; step += 0.05f) {
        float x[3];
        for (int k = 0; k < 3; k++) x[k] = p[k] + step * m->length * between[k] / size;
        struct ssdf_bvh_closest found;
        ssdf_bvh_closest_points(input->surface, x, 1, most * most, &found);
        if (found.triangle == NONE) return 0;
        for (int k = 0; k < 3; k++) x[k] = found.point[k];
        if (cosine_at(x, a, b) > open_cosine) continue;
        ssdf_bvh_closest_points(input->creases, x, 1, most * most, &found);
        // Another angle that is smaller by then may be mended, but not one that is as small as this was.
        if (found.triangle == NONE || worst_around(m, v, x) > cosine_at(p, a, b)) return 0;
        if (distance_to_fan(m, v, x, p) > most * most) return 0;
        for (int k = 0; k < 3; k++) at(m, v)[k] = x[k];
        return 1;
    }
    return 0;
}

// Mends what it can. Returns how many triangles are left.
static uint32_t mend_all(mesh *m, float sharp_cosine, const struct ssdf_isotropic_input *input) {
    uint32_t small = 0;
    int changed = 1;
    for (int sweep = 0; sweep < 12 && changed; sweep++) {
        changed = 0;
        small = 0;
        for (uint32_t t = 0; t < m->triangle_count; t++) {
            if (!(worst_of(m, 4 * t) > sharp_cosine)) continue;
            for (uint32_t i = 0; i < 3; i++) changed |= mend_edge(m, 4 * t + i);
            for (uint32_t i = 0; i < 3; i++) {
                if (!(worst_of(m, 4 * t) > sharp_cosine)) break;
                changed |= mend_vertex(m, m->corner[4 * t + i], input);
            }
            small += worst_of(m, 4 * t) > sharp_cosine;
        }
    }
    return small;
}

uint32_t ssdf_isotropic_mend(mesh *m, float sharp_cosine, const struct ssdf_isotropic_input *input) {
    uint32_t small = mend_all(m, sharp_cosine, input);
    int opened = 0;
    for (uint32_t h = 0; h < 4 * m->triangle_count; h++)
        if ((h & 3) != 3 && is_given(m, h)) opened |= open_corner(m, h, input);
    return opened ? mend_all(m, sharp_cosine, input) : small;
}
