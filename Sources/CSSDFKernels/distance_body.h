// The bodies of ssdf_distance.h, included once for each instruction set with BODY(name) giving the function's name.
// Written with vector types: the compiler splits sixteen lanes into what the instruction set has.

#define FRAME_LANES 8

// One instruction each: there are no NaNs here, on which the built-in minimum would spend two more.
static inline __attribute__((always_inline)) vf BODY(least)(vf a, vf b) { return SELECT_F(a < b, a, b); }
static inline __attribute__((always_inline)) vf BODY(greatest)(vf a, vf b) { return SELECT_F(a > b, a, b); }

// Eight triangles at a time: a frame costs two square roots and four divisions, which is what vectors are best at.
static void BODY(frames_of_eight)(const double corners[3][3][FRAME_LANES], float extent, size_t count,
                                  struct ssdf_triangle_frame *frames) {
    vd a[3], b[3], c[3];
    for (int k = 0; k < 3; k++) {
        memcpy(&a[k], corners[0][k], sizeof(vd));
        memcpy(&b[k], corners[1][k], sizeof(vd));
        memcpy(&c[k], corners[2][k], sizeof(vd));
    }
    // Edge 0 is the longest, so that a flat triangle still has one good direction.
    vd lab = 0, lbc = 0, lca = 0;
    for (int k = 0; k < 3; k++) {
        lab += (b[k] - a[k]) * (b[k] - a[k]);
        lbc += (c[k] - b[k]) * (c[k] - b[k]);
        lca += (a[k] - c[k]) * (a[k] - c[k]);
    }
    vl from_b = (lbc > lab) & (lbc >= lca), from_c = ~from_b & (lca > lab);
    for (int k = 0; k < 3; k++) {
        vd na = SELECT_D(from_b, b[k], SELECT_D(from_c, c[k], a[k]));
        vd nb = SELECT_D(from_b, c[k], SELECT_D(from_c, a[k], b[k]));
        vd nc = SELECT_D(from_b, a[k], SELECT_D(from_c, b[k], c[k]));
        a[k] = na;
        b[k] = nb;
        c[k] = nc;
    }
    vd e[3], f[3], u[3], v[3], n[3];
    vd length2 = 0, fu = 0;
    for (int k = 0; k < 3; k++) {
        e[k] = b[k] - a[k];
        f[k] = c[k] - a[k];
        length2 += e[k] * e[k];
    }
    vd length = __builtin_elementwise_sqrt(length2);
    vl is_point = length == 0;
    vd inverse = 1.0 / SELECT_D(is_point, (vd)1.0, length);
    for (int k = 0; k < 3; k++) u[k] = e[k] * inverse;
    u[0] = SELECT_D(is_point, (vd)1.0, u[0]);
    for (int k = 0; k < 3; k++) fu += f[k] * u[k];
    vd height2 = 0;
    for (int k = 0; k < 3; k++) {
        v[k] = f[k] - fu * u[k];
        height2 += v[k] * v[k];
    }
    vd height = __builtin_elementwise_sqrt(height2);
    vl is_segment = height <= 1e-12 * length;
    // A segment has no plane: any direction across it will do, taken from the axis it is least along.
    vd ax = __builtin_elementwise_abs(u[0]), ay = __builtin_elementwise_abs(u[1]), az = __builtin_elementwise_abs(u[2]);
    vl least_x = (ax <= ay) & (ax <= az), least_y = ~least_x & (ay <= az);
    vd axis[3] = {SELECT_D(least_x, (vd)1.0, (vd)0.0), SELECT_D(least_y, (vd)1.0, (vd)0.0),
                  SELECT_D(least_x | least_y, (vd)0.0, (vd)1.0)};
    vd along = axis[0] * u[0] + axis[1] * u[1] + axis[2] * u[2];
    vd across2 = 0;
    for (int k = 0; k < 3; k++) {
        axis[k] -= along * u[k];
        across2 += axis[k] * axis[k];
    }
    vd to_axis = 1.0 / __builtin_elementwise_sqrt(across2);
    vd to_v = 1.0 / SELECT_D(is_segment, (vd)1.0, height);
    for (int k = 0; k < 3; k++) v[k] = SELECT_D(is_segment, axis[k] * to_axis, v[k] * to_v);
    height = SELECT_D(is_segment, (vd)0.0, height);
    n[0] = u[1] * v[2] - u[2] * v[1];
    n[1] = u[2] * v[0] - u[0] * v[2];
    n[2] = u[0] * v[1] - u[1] * v[0];
    // The corners in the plane, seen from the tile's origin.
    vd px = a[0] * u[0] + a[1] * u[1] + a[2] * u[2];
    vd py = a[0] * v[0] + a[1] * v[1] + a[2] * v[2];
    vd plane = -(a[0] * n[0] + a[1] * n[1] + a[2] * n[2]);
    vd qx = px + length, cx = px + fu, cy = py + height;
    vd d1x = fu - length, d1y = height, d2x = -fu, d2y = -height;
    vd l1 = __builtin_elementwise_sqrt(d1x * d1x + d1y * d1y), l2 = __builtin_elementwise_sqrt(d2x * d2x + d2y * d2y);
    vl no1 = l1 == 0, no2 = l2 == 0;
    vd i1 = 1.0 / SELECT_D(no1, (vd)1.0, l1), i2 = 1.0 / SELECT_D(no2, (vd)1.0, l2);
    vd ex1 = SELECT_D(no1, (vd)1.0, d1x * i1), ey1 = d1y * i1;
    vd ex2 = SELECT_D(no2, (vd)1.0, d2x * i2), ey2 = d2y * i2;
    vd low1 = ex1 * qx + ey1 * py, low2 = ex2 * cx + ey2 * cy;
    vd line1 = ey1 * qx - ex1 * py, line2 = ey2 * cx - ex2 * cy;
    vd rows[] = {u[0], u[1], u[2], v[0], v[1], v[2], n[0], n[1], n[2], plane, px, qx, py,
                 ex1, ey1, low1, low1 + l1, line1, ex2, ey2, low2, low2 + l2, line2};
    enum { NUMBERS = sizeof rows / sizeof *rows };
    _Static_assert(sizeof(struct ssdf_triangle_frame) == (NUMBERS + 1) * sizeof(float), "frame of 24 floats");
    for (size_t t = 0; t < count; t++) {
        float numbers[NUMBERS + 1];
        for (int r = 0; r < NUMBERS; r++) numbers[r] = (float)rows[r][t];
        numbers[NUMBERS] = extent * 0x1p-22f;
        memcpy(frames + t, numbers, sizeof numbers);
    }
}

static void BODY(triangle_frames)(const float *positions, const uint32_t *triangles, const uint32_t *list, size_t count,
                                  const double affine[12], float extent, struct ssdf_triangle_frame *frames) {
    for (size_t start = 0; start < count; start += FRAME_LANES) {
        size_t lanes = count - start < FRAME_LANES ? count - start : FRAME_LANES;
        double corners[3][3][FRAME_LANES];
        memset(corners, 0, sizeof corners);
        for (size_t t = 0; t < lanes; t++) {
            const uint32_t *triangle = triangles + 3 * (size_t)list[start + t];
            for (int corner = 0; corner < 3; corner++) {
                const float *p = positions + 3 * (size_t)triangle[corner];
                for (int k = 0; k < 3; k++) {
                    const double *row = affine + 4 * k;
                    corners[corner][k][t] = row[0] * p[0] + row[1] * p[1] + row[2] * p[2] + row[3];
                }
            }
        }
        BODY(frames_of_eight)(corners, extent, lanes, frames + start);
    }
}

// In-plane part: squared distance within the triangle's plane, plus z².
static inline __attribute__((always_inline)) vf BODY(flat)(const struct ssdf_triangle_frame *t, vf x, vf y, vf z) {
    const vf zero = 0;
    vf g0 = MAX(MAX(t->low0 - x, x - t->high0), zero);
    vf h0 = t->line0 - y;
    vf s1 = t->ex1 * x + t->ey1 * y;
    vf g1 = MAX(MAX(t->low1 - s1, s1 - t->high1), zero);
    vf h1 = t->ey1 * x - t->ex1 * y - t->line1;
    vf s2 = t->ex2 * x + t->ey2 * y;
    vf g2 = MAX(MAX(t->low2 - s2, s2 - t->high2), zero);
    vf h2 = t->ey2 * x - t->ex2 * y - t->line2;
    vf d = MIN(MIN(h0 * h0 + g0 * g0, h1 * h1 + g1 * g1), h2 * h2 + g2 * g2);
    vi off = MAX(MAX(h0, h1), h2) > -t->margin;
    return z * z + SELECT_F(off, d, zero);
}

static inline __attribute__((always_inline)) vf BODY(distance)(const struct ssdf_triangle_frame *t, vf px, vf py,
                                                               vf pz) {
    vf x = t->u[0] * px + t->u[1] * py + t->u[2] * pz;
    vf y = t->v[0] * px + t->v[1] * py + t->v[2] * pz;
    vf z = t->n[0] * px + t->n[1] * py + t->n[2] * pz + t->plane;
    return BODY(flat)(t, x, y, z);
}

static void BODY(frame_distances)(const struct ssdf_triangle_frame *frame, const float *points, float *squared) {
    vf p[3];
    memcpy(p, points, sizeof p);
    vf d = BODY(distance)(frame, p[0], p[1], p[2]);
    memcpy(squared, &d, sizeof d);
}

static size_t BODY(tile_pairs)(const struct ssdf_triangle_frame *frames, size_t count, float limit, size_t capacity,
                               uint16_t *pair_brick, uint32_t *pair_frame, float *pair_squared, float *nearest) {
    // Sixteen centres at a time: two neighbours in y, eight bricks in z.
    const vf lane_y = {0, 0, 0, 0, 0, 0, 0, 0, 8, 8, 8, 8, 8, 8, 8, 8};
    const vf lane_z = {0, 8, 16, 24, 32, 40, 48, 56, 0, 8, 16, 24, 32, 40, 48, 56};
    const vf pz = lane_z + (TILE_Z + 3.5f);
    const float reach = (limit + BRICK_RADIUS) * (1 + 1e-6f);
    const float reach2 = reach * reach;
    size_t pairs = 0;
    for (int first = 0; first < SSDF_TILE_BRICKS; first += 16) {
        vf py = lane_y + (TILE_Y + 8 * (first >> 3 & 3) + 3.5f);
        vf px = TILE_X + 8 * (first >> 5) + 3.5f;
        vf near = __builtin_inff();
        for (size_t t = 0; t < count; t++) {
            // The plane alone rules most triangles out, and it is a third of the work.
            vf z = frames[t].n[0] * px + frames[t].n[1] * py + frames[t].n[2] * pz + frames[t].plane;
            if (!BITS(z * z <= reach2)) continue;
            vf fx = frames[t].u[0] * px + frames[t].u[1] * py + frames[t].u[2] * pz;
            vf fy = frames[t].v[0] * px + frames[t].v[1] * py + frames[t].v[2] * pz;
            vf d = BODY(flat)(frames + t, fx, fy, z);
            near = MIN(near, d);
            unsigned hits = BITS(d <= reach2);
            float values[16];
            memcpy(values, &d, sizeof values);
            while (hits) {
                int lane = __builtin_ctz(hits);
                hits &= hits - 1;
                if (pairs < capacity) {
                    pair_brick[pairs] = (uint16_t)(first + lane);
                    pair_frame[pairs] = (uint32_t)t;
                    pair_squared[pairs] = values[lane];
                }
                pairs++;
            }
        }
        memcpy(nearest + first, &near, sizeof near);
    }
    return pairs;
}

static int BODY(brick_distances)(const struct ssdf_triangle_frame *frames, const uint32_t *list, size_t count,
                                 int brick, float limit, float tolerance, void *scratch, float *squared,
                                 uint64_t *active, uint64_t *doubtful) {
    const float origin[3] = {TILE_X + 8 * (brick >> 5), TILE_Y + 8 * (brick >> 3 & 3), TILE_Z + 8 * (brick & 7)};
    const vf infinite = __builtin_inff();
    // 64 blocks of 2×2×2 voxels, in four layers along x. A triangle matters in a block only when its distance from the
    // block's centre is within twice the block's radius of the nearest one's: both distances change by at most the
    // radius from the centre to any voxel.
    const vf block_y = {0, 0, 0, 0, 2, 2, 2, 2, 4, 4, 4, 4, 6, 6, 6, 6};
    const vf block_z = {0, 2, 4, 6, 0, 2, 4, 6, 0, 2, 4, 6, 0, 2, 4, 6};
    const vf cx = origin[0] + 0.5f, cy = block_y + (origin[1] + 0.5f), cz = block_z + (origin[2] + 0.5f);
    float *centre = scratch;
    uint32_t *picked = (uint32_t *)(centre + 64 * count);
    vf nearest[4] = {infinite, infinite, infinite, infinite};
    for (size_t t = 0; t < count; t++) {
        const struct ssdf_triangle_frame *f = frames + list[t];
        vf x = f->u[0] * cx + f->u[1] * cy + f->u[2] * cz;
        vf y = f->v[0] * cx + f->v[1] * cy + f->v[2] * cz;
        vf z = f->n[0] * cx + f->n[1] * cy + f->n[2] * cz + f->plane;
        for (int layer = 0; layer < 4; layer++) {
            float step = 2 * layer;
            vf d = BODY(flat)(f, x + step * f->u[0], y + step * f->v[0], z + step * f->n[0]);
            nearest[layer] = MIN(nearest[layer], d);
            memcpy(centre + 64 * t + 16 * layer, &d, sizeof d);
        }
    }
    const float slack = 1e-4f;
    vf reach2[4];
    for (int layer = 0; layer < 4; layer++) {
        vf near = __builtin_elementwise_sqrt(nearest[layer]);
        vf reach = MIN(near + (2 * BLOCK_RADIUS + slack), (vf)(limit + BLOCK_RADIUS + slack));
        // A block whose nearest triangle is out of reach keeps none at all.
        reach2[layer] = SELECT_F(near > limit + BLOCK_RADIUS + slack, (vf)-1.0f, reach * reach);
    }
    // Two blocks that are neighbours in z make a slab of 2×2×4 voxels: sixteen lanes, and a list of its own.
    uint32_t counts[32] = {0};
    for (size_t t = 0; t < count; t++) {
        uint32_t slabs = 0;
        for (int layer = 0; layer < 4; layer++) {
            vf d;
            memcpy(&d, centre + 64 * t + 16 * layer, sizeof d);
            unsigned keep = BITS(d <= reach2[layer]);
            keep = (keep | keep >> 1) & 0x5555;
            keep = (keep | keep >> 1) & 0x3333;
            keep = (keep | keep >> 2) & 0x0f0f;
            slabs |= ((keep | keep >> 4) & 0xff) << (8 * layer);
        }
        while (slabs) {
            int slab = __builtin_ctz(slabs);
            slabs &= slabs - 1;
            picked[(size_t)slab * count + counts[slab]++] = list[t];
        }
    }
    const vf lane_x = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1};
    const vf lane_y = {0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1};
    const vf lane_z = {0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3};
    for (int slab = 0; slab < 32; slab++) {
        vf low = infinite;
        const uint32_t *mine = picked + (size_t)slab * count;
        vf px = lane_x + (origin[0] + 2 * (slab >> 3)), py = lane_y + (origin[1] + 2 * (slab >> 1 & 3));
        vf pz = lane_z + (origin[2] + 4 * (slab & 1));
        for (size_t n = 0; n < counts[slab]; n++) low = MIN(low, BODY(distance)(frames + mine[n], px, py, pz));
        float *out = squared + (slab >> 3) * 128 + (slab >> 1 & 3) * 16 + (slab & 1) * 4;
        for (int row = 0; row < 4; row++) memcpy(out + (row >> 1) * 64 + (row & 1) * 8, (const float *)&low + row * 4, 16);
    }
    const float limit2 = limit * limit;
    const float sure = limit2 * (1 - tolerance), possible = limit2 * (1 + tolerance);
    uint64_t any = 0;
    for (int word = 0; word < 8; word++) {
        uint64_t on = 0, doubt = 0;
        for (int part = 0; part < 4; part++) {
            vf d;
            memcpy(&d, squared + word * 64 + part * 16, sizeof d);
            on |= (uint64_t)BITS(d <= limit2) << (16 * part);
            doubt |= (uint64_t)(BITS(d <= possible) & ~BITS(d <= sure)) << (16 * part);
        }
        active[word] = on;
        doubtful[word] = doubt;
        any |= on | doubt;
    }
    return any != 0;
}

static size_t BODY(pack_distances)(const float *squared, const uint64_t *active, const uint64_t *inside, float scale,
                                   float quantum, float most, float *values) {
    const float factor = scale / quantum;
    size_t count = 0;
    for (int word = 0; word < 8; word++) {
        for (int part = 0; part < 4; part++) {
            unsigned on = active[word] >> (16 * part) & 0xffff;
            if (!on) continue;
            unsigned in = inside[word] >> (16 * part) & 0xffff;
            vf d;
            memcpy(&d, squared + word * 64 + part * 16, sizeof d);
            vf steps = __builtin_elementwise_roundeven(__builtin_elementwise_sqrt(d) * factor);
            vf value = SELECT_F(d > 0, MIN(MAX(steps, (vf)1.0f), (vf)most), (vf)0.0f) * quantum;
            vi flip = (((int)in >> LANE_NUMBERS) & 1) << 31;
            // Zero stays +0: it is on the surface, on neither side.
            value = (vf)((vi)value ^ (flip & (value > 0)));
            COMPRESS(values + count, value, on);
            count += (size_t)__builtin_popcount(on);
        }
    }
    return count;
}

#undef FRAME_LANES
