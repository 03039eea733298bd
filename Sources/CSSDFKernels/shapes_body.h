// The loops of shapes.c for one instruction set.
//
// Distances of the primitives follow Quilez, "Distance functions" (iquilezles.org, 2008 on), and Hart, "Sphere Tracing",
// 1996, whose rule for unions, intersections and complements holds the whole together.

#include "neural/vector.h"

#pragma clang fp contract(fast)

INLINE V N(root)(V x) { return __builtin_elementwise_sqrt(x); }
INLINE V N(unit)(V x) { return N(min)(N(max)(x, N(splat)(0)), N(splat)(1)); }

INLINE V N(rounded_box)(const float *s, V x, V y, V z) {
    V zero = N(splat)(0);
    V qx = N(abs)(x) - N(splat)(s[0] - s[3]), qy = N(abs)(y) - N(splat)(s[1] - s[3]);
    V qz = N(abs)(z) - N(splat)(s[2] - s[3]);
    V ox = N(max)(qx, zero), oy = N(max)(qy, zero), oz = N(max)(qz, zero);
    V inside = N(min)(N(max)(qx, N(max)(qy, qz)), zero);
    return N(root)(ox * ox + oy * oy + oz * oz) + inside - N(splat)(s[3]);
}

// (k − 1)·k/‖∇k²/2‖ with k the scaled length: exact to first order where k is 1.
INLINE V N(ellipsoid)(const float *s, V x, V y, V z) {
    V ux = x / N(splat)(s[0]), uy = y / N(splat)(s[1]), uz = z / N(splat)(s[2]);
    V gx = ux / N(splat)(s[0]), gy = uy / N(splat)(s[1]), gz = uz / N(splat)(s[2]);
    V k = N(root)(ux * ux + uy * uy + uz * uz), g = N(root)(gx * gx + gy * gy + gz * gz);
    float least = s[0] < s[1] ? s[0] : s[1];
    least = s[2] < least ? s[2] : least;
    return N(select)(g < N(splat)(1e-6f), N(splat)(-least), k * (k - N(splat)(1)) / g);
}

// The nearer of the caps and the slanted side, in the half plane of radius and height.
INLINE V N(capped_cone)(const float *s, V x, V y, V z) {
    V r = N(root)(x * x + z * z);
    V half = N(splat)(s[0]), low = N(splat)(s[1]), high = N(splat)(s[2]);
    V cap_x = r - N(min)(r, N(select)(y < N(splat)(0), low, high)), cap_y = N(abs)(y) - half;
    float ex = s[2] - s[1], ey = 2 * s[0], square = ex * ex + ey * ey;
    V t = N(unit)(((high - r) * N(splat)(ex) + (half - y) * N(splat)(ey)) / N(splat)(square));
    V side_x = r - high + N(splat)(ex) * t, side_y = y - half + N(splat)(ey) * t;
    V near = N(root)(N(min)(cap_x * cap_x + cap_y * cap_y, side_x * side_x + side_y * side_y));
    VI inside = (side_x < N(splat)(0)) & (cap_y < N(splat)(0));
    return N(select)(inside, -near, near) - N(splat)(s[3]);
}

INLINE V N(torus)(const float *s, V x, V y, V z) {
    V r = N(root)(x * x + z * z) - N(splat)(s[0]);
    return N(root)(r * r + y * y) - N(splat)(s[1]);
}

// Two balls and the cone that touches both.
INLINE V N(round_cone)(const float *s, V x, V y, V z) {
    V r = N(root)(x * x + z * z);
    float sine = (s[1] - s[2]) / s[0];
    sine = sine > 0.99f ? 0.99f : sine < -0.99f ? -0.99f : sine;
    float cosine = __builtin_sqrtf(1 - sine * sine);
    V along = y * N(splat)(cosine) - r * N(splat)(sine), top = y - N(splat)(s[0]);
    V low = N(root)(r * r + y * y) - N(splat)(s[1]), high = N(root)(r * r + top * top) - N(splat)(s[2]);
    V side = r * N(splat)(cosine) + y * N(splat)(sine) - N(splat)(s[1]);
    V d = N(select)(along > N(splat)(cosine * s[0]), high, side);
    return N(select)(along < N(splat)(0), low, d);
}

// Distance to the four edges, the sign from the parity of crossings; then extruded along z.
INLINE V N(prism)(const float *s, V x, V y, V z) {
    V zero = N(splat)(0), nearest = N(splat)(1e30f);
    VI inside = x != x;
    for (int i = 0; i < 4; i++) {
        const float *a = s + 2 * i, *b = s + 2 * ((i + 3) & 3);
        float ex = b[0] - a[0], ey = b[1] - a[1];
        V wx = x - N(splat)(a[0]), wy = y - N(splat)(a[1]);
        V t = N(unit)((wx * N(splat)(ex) + wy * N(splat)(ey)) / N(splat)(ex * ex + ey * ey + 1e-20f));
        V dx = wx - N(splat)(ex) * t, dy = wy - N(splat)(ey) * t;
        nearest = N(min)(nearest, dx * dx + dy * dy);
        VI above = y >= N(splat)(a[1]), below = y < N(splat)(b[1]), left = N(splat)(ex) * wy > N(splat)(ey) * wx;
        inside ^= (above & below & left) | (~above & ~below & ~left);
    }
    V flat = N(root)(nearest);
    flat = N(select)(inside, -flat, flat);
    V deep = N(abs)(z) - N(splat)(s[8]);
    V ox = N(max)(flat, zero), oz = N(max)(deep, zero);
    return N(root)(ox * ox + oz * oz) + N(min)(N(max)(flat, deep), zero) - N(splat)(s[9]);
}

INLINE V N(primitive)(const float *p, V x, V y, V z) {
    const float *m = p + 6, *s = p + 15;
    x -= N(splat)(p[3]);
    y -= N(splat)(p[4]);
    z -= N(splat)(p[5]);
    V u = x * N(splat)(m[0]) + y * N(splat)(m[1]) + z * N(splat)(m[2]);
    V v = x * N(splat)(m[3]) + y * N(splat)(m[4]) + z * N(splat)(m[5]);
    V w = x * N(splat)(m[6]) + y * N(splat)(m[7]) + z * N(splat)(m[8]);
    switch ((int)p[0]) {
    case SSDF_ROUNDED_BOX: return N(rounded_box)(s, u, v, w);
    case SSDF_ELLIPSOID: return N(ellipsoid)(s, u, v, w);
    case SSDF_CAPPED_CONE: return N(capped_cone)(s, u, v, w);
    case SSDF_TORUS: return N(torus)(s, u, v, w);
    case SSDF_ROUND_CONE: return N(round_cone)(s, u, v, w);
    default: return N(prism)(s, u, v, w);
    }
}

// min(a, b), rounded where they differ by less than the width.
INLINE V N(blended)(V a, V b, float width) {
    if (width <= 0) return N(min)(a, b);
    V h = N(max)(N(splat)(width) - N(abs)(a - b), N(splat)(0));
    return N(min)(a, b) - h * h * N(splat)(0.25f / width);
}

INLINE V N(shape)(const float *primitives, size_t count, V x, V y, V z) {
    V d = N(splat)(1e9f);
    for (size_t i = 0; i < count; i++) {
        const float *p = primitives + i * SSDF_PRIMITIVE_FLOATS;
        V next = N(primitive)(p, x, y, z);
        d = p[1] != 0 ? -N(blended)(-d, next, p[2]) : N(blended)(d, next, p[2]);
    }
    return d;
}

static void N(shape_distances)(const float *primitives, size_t count, const float *x, const float *y, const float *z,
                               float *distances, size_t points) {
    size_t i = 0;
    for (; i + LANES <= points; i += LANES)
        N(store)(distances + i, N(shape)(primitives, count, N(load)(x + i), N(load)(y + i), N(load)(z + i)));
    if (i == points) return;
    size_t n = points - i;
    V d = N(shape)(primitives, count, N(load_some)(x + i, n, 0), N(load_some)(y + i, n, 0), N(load_some)(z + i, n, 0));
    N(store_some)(distances + i, d, n);
}

// Sphere tracing (Hart, 1996): a packet goes on until each of its rays is near the surface or past its end.
static void N(shape_trace)(const float *primitives, size_t count, const float *origin, const float *x, const float *y,
                           const float *z, float *t, const float *end, size_t rays, int steps, float tolerance) {
    for (size_t i = 0; i < rays; i += LANES) {
        size_t n = rays - i < LANES ? rays - i : LANES;
        V dx = N(load_some)(x + i, n, 0), dy = N(load_some)(y + i, n, 0), dz = N(load_some)(z + i, n, 0);
        V at = N(load_some)(t + i, n, 1), last = N(load_some)(end + i, n, 0);
        VI open = at <= last, hit = at != at;
        for (int step = 0; step < steps && __builtin_reduce_or(open); step++) {
            V d = N(shape)(primitives, count, N(splat)(origin[0]) + at * dx, N(splat)(origin[1]) + at * dy,
                           N(splat)(origin[2]) + at * dz);
            at = N(select)(open, at + d, at);
            VI met = open & (d < N(splat)(tolerance));
            hit |= met;
            open &= ~met & (at <= last);
        }
        N(store_some)(t + i, N(select)(hit, at, N(splat)(-1)), n);
    }
}

#undef JOIN2
#undef JOIN
#undef N
#undef INLINE
#undef V
#undef VI
