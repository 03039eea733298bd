// Building the hierarchy: top down, binned surface area heuristic, eight children at a time.
//
// Source: Wald, "On fast Construction of SAH-based Bounding Volume Hierarchies", 2007, §3 (binning); Wald, Benthin,
// Boulos, "Getting Rid of Packets", 2008, §3 (opening the largest child until a node is full).
#include "ssdf_triangle_bvh.h"

#include <math.h>
#include <string.h>

typedef float f4 __attribute__((ext_vector_type(4)));

enum { WIDTH = SSDF_BVH_WIDTH, BINS = 16, LEAST = 4 };

// The w lanes of the two halves are a triangle number and nothing; they take part in no comparison that matters.
static inline f4 load(const void *p) {
    f4 v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline f4 least(f4 a, f4 b) { return __builtin_elementwise_min(a, b); }
static inline f4 most(f4 a, f4 b) { return __builtin_elementwise_max(a, b); }

struct box { f4 low, high; };

static const struct box empty = {
    {INFINITY, INFINITY, INFINITY, 0}, {-INFINITY, -INFINITY, -INFINITY, 0}};

static inline float half_area(struct box b) {
    f4 d = b.high - b.low;
    return d.x * d.y + d.y * d.z + d.z * d.x;
}

static inline void store3(float *to, f4 v) {
    to[0] = v.x;
    to[1] = v.y;
    to[2] = v.z;
}

static inline f4 load3(const float *from) { return (f4){from[0], from[1], from[2], 0}; }

struct ssdf_bvh_range ssdf_bvh_prepare(
    const float *positions, const uint32_t *triangles, size_t first, size_t count,
    struct ssdf_bvh_reference *references) {
    struct box bounds = empty, centroids = empty;
    for (size_t i = 0; i < count; i++) {
        const uint32_t *t = triangles + 3 * (first + i);
        f4 a = load3(positions + 3 * (size_t)t[0]);
        f4 b = load3(positions + 3 * (size_t)t[1]);
        f4 c = load3(positions + 3 * (size_t)t[2]);
        f4 low = least(least(a, b), c), high = most(most(a, b), c);
        store3(references[i].low, low);
        store3(references[i].high, high);
        references[i].triangle = (uint32_t)(first + i);
        references[i].unused = 0;
        bounds.low = least(bounds.low, low);
        bounds.high = most(bounds.high, high);
        centroids.low = least(centroids.low, low + high);
        centroids.high = most(centroids.high, low + high);
    }
    struct ssdf_bvh_range range = {0};
    store3(range.low, bounds.low);
    store3(range.high, bounds.high);
    store3(range.centroid_low, centroids.low);
    store3(range.centroid_high, centroids.high);
    return range;
}

struct split {
    int axis, bin;
    f4 origin, scale;
};

// Twice the centroid of a reference, its bin along each axis. The last bin is closed above.
static inline f4 bins_of(f4 centroid, const struct split *s) {
    f4 position = (centroid - s->origin) * s->scale;
    return least(most(position, (f4)(0.0f)), (f4)((float)(BINS - 1)));
}

// The cheapest plane between bins, where each side keeps at least LEAST references; axis -1 when there is none.
static struct split choose(const struct ssdf_bvh_reference *r, size_t count, const struct ssdf_bvh_range *range) {
    struct split s = {.axis = -1};
    s.origin = load3(range->centroid_low);
    f4 extent = load3(range->centroid_high) - s.origin;
    for (int x = 0; x < 3; x++) s.scale[x] = extent[x] > 0 ? (float)BINS * 0.99999f / extent[x] : 0;
    s.scale[3] = 0;

    struct box boxes[3][BINS];
    uint32_t counts[3][BINS] = {{0}};
    for (int x = 0; x < 3; x++)
        for (int b = 0; b < BINS; b++) boxes[x][b] = empty;
    for (size_t i = 0; i < count; i++) {
        f4 low = load(r[i].low), high = load(r[i].high);
        f4 bin = bins_of(low + high, &s);
        for (int x = 0; x < 3; x++) {
            int b = (int)bin[x];
            struct box *box = &boxes[x][b];
            box->low = least(box->low, low);
            box->high = most(box->high, high);
            counts[x][b]++;
        }
    }
    float best = INFINITY;
    for (int x = 0; x < 3; x++) {
        if (!(extent[x] > 0)) continue;
        float right_area[BINS];
        struct box box = empty;
        for (int b = BINS - 1; b > 0; b--) {
            box.low = least(box.low, boxes[x][b].low);
            box.high = most(box.high, boxes[x][b].high);
            right_area[b] = half_area(box);
        }
        box = empty;
        size_t left = 0;
        for (int b = 0; b < BINS - 1; b++) {
            box.low = least(box.low, boxes[x][b].low);
            box.high = most(box.high, boxes[x][b].high);
            left += counts[x][b];
            size_t right = count - left;
            if (left < LEAST || right < LEAST) continue;
            // A leaf costs the same however full it is: count leaves, not triangles.
            float cost = half_area(box) * (float)((left + WIDTH - 1) / WIDTH)
                + right_area[b + 1] * (float)((right + WIDTH - 1) / WIDTH);
            if (cost < best) {
                best = cost;
                s.axis = x;
                s.bin = b;
            }
        }
    }
    return s;
}

static void widen(struct box *bounds, struct box *centroids, f4 low, f4 high) {
    bounds->low = least(bounds->low, low);
    bounds->high = most(bounds->high, high);
    centroids->low = least(centroids->low, low + high);
    centroids->high = most(centroids->high, low + high);
}

static struct ssdf_bvh_range make_range(size_t begin, size_t end, struct box bounds, struct box centroids) {
    struct ssdf_bvh_range range = {.begin = (uint32_t)begin, .end = (uint32_t)end};
    store3(range.low, bounds.low);
    store3(range.high, bounds.high);
    store3(range.centroid_low, centroids.low);
    store3(range.centroid_high, centroids.high);
    return range;
}

static void divide(
    struct ssdf_bvh_reference *all, const struct ssdf_bvh_range *range, struct ssdf_bvh_range out[2]) {
    size_t count = range->end - range->begin;
    struct ssdf_bvh_reference *r = all + range->begin;
    struct split s = choose(r, count, range);
    struct box bounds[2] = {empty, empty}, centroids[2] = {empty, empty};
    size_t i = 0, j = count;
    if (s.axis < 0) {
        // Equal centroids, or all in one bin but a few: halves, in the order they stand in.
        i = count / 2;
        for (size_t k = 0; k < count; k++)
            widen(&bounds[k >= i], &centroids[k >= i], load(r[k].low), load(r[k].high));
    } else {
        while (i < j) {
            f4 low = load(r[i].low), high = load(r[i].high);
            if ((int)bins_of(low + high, &s)[s.axis] <= s.bin) {
                widen(&bounds[0], &centroids[0], low, high);
                i++;
            } else {
                widen(&bounds[1], &centroids[1], low, high);
                struct ssdf_bvh_reference moved = r[i];
                r[i] = r[--j];
                r[j] = moved;
            }
        }
    }
    out[0] = make_range(range->begin, range->begin + i, bounds[0], centroids[0]);
    out[1] = make_range(range->begin + i, range->end, bounds[1], centroids[1]);
}

int ssdf_bvh_expand(
    struct ssdf_bvh_reference *references, struct ssdf_bvh_range range, struct ssdf_bvh_range children[WIDTH]) {
    int count = 1;
    children[0] = range;
    while (count < WIDTH) {
        int largest = -1;
        float area = -1;
        for (int i = 0; i < count; i++) {
            if (children[i].end - children[i].begin <= WIDTH) continue;
            float a = half_area((struct box){load3(children[i].low), load3(children[i].high)});
            if (a > area) {
                area = a;
                largest = i;
            }
        }
        if (largest < 0) break;
        struct ssdf_bvh_range halves[2];
        divide(references, &children[largest], halves);
        children[largest] = halves[0];
        children[count++] = halves[1];
    }
    return count;
}

void ssdf_bvh_write_node(
    const struct ssdf_bvh_range *children, const int32_t *child, int count, struct ssdf_bvh_node *node) {
    memset(node, 0, sizeof *node);
    node->count = (uint32_t)count;
    for (int i = 0; i < WIDTH; i++) {
        int from = i < count ? i : 0;
        for (int x = 0; x < 3; x++) {
            node->low[x][i] = children[from].low[x];
            node->high[x][i] = children[from].high[x];
        }
        node->child[i] = child[from];
    }
}

static void write_leaf(
    const float *positions, const uint32_t *triangles, const struct ssdf_bvh_reference *r, uint32_t count,
    struct ssdf_bvh_leaf *leaf) {
    for (uint32_t i = 0; i < WIDTH; i++) {
        uint32_t triangle = r[i < count ? i : 0].triangle;
        for (int c = 0; c < 3; c++) {
            const float *p = positions + 3 * (size_t)triangles[3 * (size_t)triangle + (size_t)c];
            for (int x = 0; x < 3; x++) leaf->corner[c][x][i] = p[x];
        }
        leaf->triangle[i] = i < count ? triangle : UINT32_MAX;
    }
}

struct builder {
    const float *positions;
    const uint32_t *triangles;
    struct ssdf_bvh_reference *references;
    struct ssdf_bvh_node *nodes;
    struct ssdf_bvh_leaf *leaves;
    uint32_t node_count, leaf_count;
};

// Depth is bounded: a split by bins leaves no side above the whole less four, and boxes shrink with it, so that in
// practice it is below 20; a run of equal centroids is halved.
static int32_t build(struct builder *b, struct ssdf_bvh_range range) {
    if (range.end - range.begin <= WIDTH) {
        write_leaf(b->positions, b->triangles, b->references + range.begin, range.end - range.begin,
                   b->leaves + b->leaf_count);
        return ~(int32_t)b->leaf_count++;
    }
    uint32_t node = b->node_count++;
    struct ssdf_bvh_range children[WIDTH];
    int32_t child[WIDTH];
    int count = ssdf_bvh_expand(b->references, range, children);
    for (int i = 0; i < count; i++) child[i] = build(b, children[i]);
    ssdf_bvh_write_node(children, child, count, b->nodes + node);
    return (int32_t)node;
}

void ssdf_bvh_subtree(
    const float *positions, const uint32_t *triangles, struct ssdf_bvh_reference *references,
    struct ssdf_bvh_range range, struct ssdf_bvh_node *nodes, uint32_t *node_count,
    struct ssdf_bvh_leaf *leaves, uint32_t *leaf_count) {
    struct builder b = {positions, triangles, references, nodes, leaves, 0, 0};
    int32_t root = build(&b, range);
    if (root < 0) {
        // A tree of one leaf still has a node, so that queries start alike.
        ssdf_bvh_write_node(&range, &root, 1, nodes);
        b.node_count = 1;
    }
    *node_count = b.node_count;
    *leaf_count = b.leaf_count;
}
