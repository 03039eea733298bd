// The part of simplify.c that holds collapses to an error: samples of both surfaces, and which triangles they are nearest
// to. Included there, to be compiled with it for every instruction set.

enum { MOST_FACES = 96, MOST_DIVISIONS = 6 };

// The triangles that a collapse leaves around its vertex.
struct fan {
    float corner[MOST_FACES][3][3];
    uint32_t triangle[MOST_FACES];
    uint32_t count;
};

// Eight samples side by side; those beyond `count` repeat the last.
struct samples8 {
    floats8 at[3];
    uint32_t number[8];
    uint32_t count;
};

// Takes up to eight samples off a list; returns what is left of it.
INLINE uint32_t take_samples(const struct ssdf_simplify_bound *bound, uint32_t s, struct samples8 *samples) {
    samples->count = 0;
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t number = s != NONE ? s : samples->number[i - 1];
        const float *p = bound->samples + 3 * (size_t)number;
        for (int x = 0; x < 3; x++) samples->at[x][i] = p[x];
        samples->number[i] = number;
        if (s == NONE) continue;
        samples->count++;
        s = bound->next[s];
    }
    return s;
}

INLINE floats8 choose8(ints8 mask, floats8 yes, floats8 no) { return (floats8)(((ints8)yes & mask) | ((ints8)no & ~mask)); }

INLINE floats8 dot8(const floats8 a[3], const float b[3]) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

// The squared distances from eight points to a triangle. Source: Ericson, "Real-Time Collision Detection", 2005, §5.1.5.
INLINE floats8 distances_to_triangle(const floats8 at[3], const float corner[3][3]) {
    float edges[3][3], n[3];
    for (int i = 0; i < 3; i++) subtract(corner[(i + 1) % 3], corner[i], edges[i]);
    cross(edges[0], edges[1], n);
    const float nn = dot(n, n);
    floats8 least = (floats8)(INFINITY), height = (floats8)(0.0f);
    ints8 is_over = (ints8)(nn > 0 ? -1 : 0);
    for (int i = 0; i < 3; i++) {
        const float *e = edges[i];
        float side[3], ee = dot(e, e), per_ee = ee > 0 ? 1 / ee : 0;
        cross(n, e, side);
        floats8 d[3], off[3];
        for (int x = 0; x < 3; x++) d[x] = at[x] - corner[i][x];
        is_over &= dot8(d, side) >= 0.0f;
        if (i == 0) height = dot8(d, n);
        floats8 t = dot8(d, e) * per_ee;
        t = __builtin_elementwise_min(__builtin_elementwise_max(t, (floats8)(0.0f)), (floats8)(1.0f));
        for (int x = 0; x < 3; x++) off[x] = d[x] - t * e[x];
        least = __builtin_elementwise_min(least, off[0] * off[0] + off[1] * off[1] + off[2] * off[2]);
    }
    return choose8(is_over, height * height * (nn > 0 ? 1 / nn : 0), least);
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
    return ssdf_bvh_all_within(bound->tree, points, count, most);
}

// Whether some triangle of the fan lies near enough to each of the samples listed at t.
INLINE int samples_stay_near(
    const struct ssdf_simplify_bound *bound, float most, uint32_t t, const struct fan *fan) {
    for (uint32_t s = bound->first[t]; s != NONE;) {
        struct samples8 samples;
        s = take_samples(bound, s, &samples);
        ints8 far = (ints8)(-1);
        for (uint32_t i = 0; i < fan->count && __builtin_reduce_or(far); i++)
            far &= distances_to_triangle(samples.at, (const float(*)[3])fan->corner[i]) > most;
        if (__builtin_reduce_or(far)) return 0;
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
INLINE int stays_near(
    const struct mesh *m, const struct ssdf_simplify_bound *bound, const vertex *u, const vertex *v, const float x[3],
    uint32_t t0, uint32_t t1, struct fan *fan) {
    float most = bound->most * power_of_half(2 * (stricter(u->marks, v->marks) / SSDF_MARK_CARE));
    if (!ssdf_bvh_all_within(bound->tree, x, 1, most)) return 0;
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
INLINE void move_samples(
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
        struct samples8 samples;
        all = take_samples(bound, all, &samples);
        floats8 least = (floats8)(INFINITY);
        ints8 best = (ints8)(0);
        for (uint32_t i = 0; i < fan->count; i++) {
            floats8 square = distances_to_triangle(samples.at, (const float(*)[3])fan->corner[i]);
            ints8 is_nearer = square < least;
            least = choose8(is_nearer, square, least);
            best = (best & ~is_nearer) | ((ints8)((int32_t)i) & is_nearer);
        }
        for (uint32_t k = 0; k < samples.count; k++) {
            uint32_t s = samples.number[k], t = fan->triangle[best[k]];
            bound->face[s] = t;
            bound->next[s] = bound->first[t];
            bound->first[t] = s;
        }
    }
}
