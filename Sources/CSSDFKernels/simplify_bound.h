// The part of simplify.c that holds collapses to an error: samples of both surfaces, and which triangles they are nearest
// to. Included there, to be compiled with it for every instruction set.

enum { MOST_FACES = 96, MOST_DIVISIONS = 6 };

// The triangles that a collapse leaves around its vertex.
struct fan {
    float corner[MOST_FACES][3][3];
    uint32_t triangle[MOST_FACES];
    uint32_t count;
};

// The squared distance from p to the triangle abc. Source: Ericson, "Real-Time Collision Detection", 2005, §5.1.5.
INLINE float distance_to_triangle(const float *p, const float *a, const float *b, const float *c) {
    float ab[3], ac[3], ap[3], bp[3], cp[3], off[3];
    subtract(b, a, ab);
    subtract(c, a, ac);
    subtract(p, a, ap);
    float d1 = dot(ab, ap), d2 = dot(ac, ap), v = 0, w = 0;
    subtract(p, b, bp);
    subtract(p, c, cp);
    float d3 = dot(ab, bp), d4 = dot(ac, bp), d5 = dot(ab, cp), d6 = dot(ac, cp);
    float va = d3 * d6 - d5 * d4, vb = d5 * d2 - d1 * d6, vc = d1 * d4 - d3 * d2;
    if (d1 <= 0 && d2 <= 0) {
        v = w = 0;
    } else if (d3 >= 0 && d4 <= d3) {
        v = 1;
    } else if (vc <= 0 && d1 >= 0 && d3 <= 0) {
        v = d1 - d3 > 0 ? d1 / (d1 - d3) : 0;
    } else if (d6 >= 0 && d5 <= d6) {
        w = 1;
    } else if (vb <= 0 && d2 >= 0 && d6 <= 0) {
        w = d2 - d6 > 0 ? d2 / (d2 - d6) : 0;
    } else if (va <= 0 && d4 - d3 >= 0 && d5 - d6 >= 0) {
        float both = d4 - d3 + (d5 - d6);
        w = both > 0 ? (d4 - d3) / both : 0;
        v = 1 - w;
    } else {
        float sum = va + vb + vc;
        v = sum > 0 ? vb / sum : 0;
        w = sum > 0 ? vc / sum : 0;
    }
    for (int k = 0; k < 3; k++) off[k] = ap[k] - v * ab[k] - w * ac[k];
    return dot(off, off);
}

// Adds the triangles around w, at x from now on, but for t0 and t1. Returns 0 when they are too many.
INLINE int add_fan(
    const struct mesh *m, const vertex *w, const float x[3], uint32_t t0, uint32_t t1, struct fan *fan) {
    uint32_t h = w->outgoing;
    do {
        uint32_t t = h >> 2, into = previous_of(h);
        if (t != t0 && t != t1) {
            if (fan->count == MOST_FACES) return 0;
            memcpy(fan->corner[fan->count][0], x, sizeof(float[3]));
            memcpy(fan->corner[fan->count][1], m->vertices[m->corner[next_of(h)]].position, sizeof(float[3]));
            memcpy(fan->corner[fan->count][2], m->vertices[m->corner[into]].position, sizeof(float[3]));
            fan->triangle[fan->count++] = t;
        }
        h = m->twin[into];
    } while (h != NONE && h != w->outgoing);
    return 1;
}

// Whether samples of a triangle lie near enough to the original.
INLINE int triangle_stays_near(
    const struct ssdf_simplify_bound *bound, float most, const float corner[3][3]) {
    float e[3], f[3], n[3], points[3 * MOST_DIVISIONS * MOST_DIVISIONS];
    struct ssdf_bvh_closest results[MOST_DIVISIONS * MOST_DIVISIONS];
    subtract(corner[1], corner[0], e);
    subtract(corner[2], corner[0], f);
    cross(e, f, n);
    float wanted = bound->spacing > 0 ? ceilf(sqrtf(sqrtf(dot(n, n))) / bound->spacing) : 1;
    int divisions = wanted >= MOST_DIVISIONS ? MOST_DIVISIONS : wanted > 1 ? (int)wanted : 1;
    size_t count = 0;
    for (int i = 0; i < divisions; i++) {
        for (int j = 0; j < divisions - i; j++) {
            for (int half = 1; half <= 2 && i + j + half <= divisions; half++) {
                float v = ((float)i + (float)half / 3) / (float)divisions, w = ((float)j + (float)half / 3) / (float)divisions;
                for (int k = 0; k < 3; k++) points[3 * count + (size_t)k] = corner[0][k] + v * e[k] + w * f[k];
                count++;
            }
        }
    }
    ssdf_bvh_closest_points(bound->tree, points, count, most, results);
    for (size_t i = 0; i < count; i++)
        if (results[i].triangle == UINT32_MAX) return 0;
    return 1;
}

// Whether some triangle of the fan lies near enough to each of the samples listed at t.
INLINE int samples_stay_near(
    const struct ssdf_simplify_bound *bound, float most, uint32_t t, const struct fan *fan) {
    for (uint32_t s = bound->first[t]; s != NONE; s = bound->next[s]) {
        uint32_t i = 0;
        while (i < fan->count && distance_to_triangle(
                                     bound->samples + 3 * (size_t)s, fan->corner[i][0], fan->corner[i][1],
                                     fan->corner[i][2]) > most)
            i++;
        if (i == fan->count) return 0;
    }
    return 1;
}

INLINE void list_samples(struct ssdf_simplify_bound *bound, uint32_t triangle_count) {
    for (uint32_t t = 0; t < triangle_count; t++) bound->first[t] = NONE;
    for (uint32_t s = 0; s < bound->sample_count; s++) {
        bound->next[s] = bound->first[bound->face[s]];
        bound->first[bound->face[s]] = s;
    }
}

// Calls `body` with each triangle around u, then with those around v that are not around u.
#define FOR_TRIANGLES_AROUND(m, u, v, t0, t1, t, body)                      \
    for (int end_ = 0; end_ < 2; end_++) {                                  \
        const vertex *w_ = end_ ? (v) : (u);                                \
        uint32_t h_ = w_->outgoing;                                         \
        do {                                                                \
            uint32_t t = h_ >> 2;                                           \
            if (end_ == 0 || (t != (t0) && t != (t1))) body                 \
            h_ = (m)->twin[previous_of(h_)];                                \
        } while (h_ != NONE && h_ != w_->outgoing);                         \
    }

// Whether the surfaces stay near each other when u and v become one at x. The fan is left for `move_samples`.
static int stays_near(
    const struct mesh *m, const struct ssdf_simplify_bound *bound, const vertex *u, const vertex *v, const float x[3],
    uint32_t t0, uint32_t t1, struct fan *fan) {
    struct ssdf_bvh_closest nearest;
    float most = bound->most * power_of_half(2 * (stricter(u->marks, v->marks) / SSDF_MARK_CARE));
    ssdf_bvh_closest_points(bound->tree, x, 1, most, &nearest);
    if (nearest.triangle == UINT32_MAX) return 0;
    fan->count = 0;
    if (!add_fan(m, u, x, t0, t1, fan) || !add_fan(m, v, x, t0, t1, fan)) return 0;
    FOR_TRIANGLES_AROUND(m, u, v, t0, t1, t, {
        if (!samples_stay_near(bound, most, t, fan)) return 0;
    })
    for (uint32_t i = 0; i < fan->count; i++)
        if (!triangle_stays_near(bound, most, (const float(*)[3])fan->corner[i])) return 0;
    return 1;
}

// Lists the samples around u and v at the nearest triangle of the fan.
static void move_samples(
    const struct mesh *m, struct ssdf_simplify_bound *bound, const vertex *u, const vertex *v, uint32_t t0, uint32_t t1,
    const struct fan *fan) {
    uint32_t all = NONE;
    FOR_TRIANGLES_AROUND(m, u, v, t0, t1, t, {
        uint32_t s = bound->first[t];
        bound->first[t] = NONE;
        while (s != NONE) {
            uint32_t after = bound->next[s];
            bound->next[s] = all;
            all = s;
            s = after;
        }
    })
    while (all != NONE) {
        uint32_t s = all, best = 0;
        all = bound->next[s];
        float least = INFINITY;
        for (uint32_t i = 0; i < fan->count; i++) {
            float square = distance_to_triangle(
                bound->samples + 3 * (size_t)s, fan->corner[i][0], fan->corner[i][1], fan->corner[i][2]);
            if (square < least) {
                least = square;
                best = fan->triangle[i];
            }
        }
        bound->face[s] = best;
        bound->next[s] = bound->first[best];
        bound->first[best] = s;
    }
}
