// A bounding volume hierarchy over triangles: eight boxes to a node, up to eight triangles to a leaf.
//
// All coordinates are in one unit, the mesh's own; distances are in that unit, squared where the name says so.
#ifndef SSDF_TRIANGLE_BVH_H
#define SSDF_TRIANGLE_BVH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { SSDF_BVH_WIDTH = 8 };

// The box of one triangle, while the tree is built. 32 bytes, so that each half is one vector load.
struct ssdf_bvh_reference {
    float low[3];
    uint32_t triangle;
    float high[3];
    uint32_t unused;
};

// Children 0 ..< count; the other lanes repeat child 0. child ≥ 0 is a node, child < 0 the leaf ~child.
struct ssdf_bvh_node {
    float low[3][SSDF_BVH_WIDTH];
    float high[3][SSDF_BVH_WIDTH];
    int32_t child[SSDF_BVH_WIDTH];
    uint32_t count;
    uint32_t unused[7];
};

// Corner c, axis x, lane i of a leaf is corner[c][x][i]. Lanes beyond the leaf's triangles repeat lane 0 and carry the
// triangle number UINT32_MAX.
struct ssdf_bvh_leaf {
    float corner[3][3][SSDF_BVH_WIDTH];
    uint32_t triangle[SSDF_BVH_WIDTH];
};

// Node 0 is the root. Both arrays have at least one element.
struct ssdf_bvh {
    const struct ssdf_bvh_node *_Nonnull nodes;
    const struct ssdf_bvh_leaf *_Nonnull leaves;
};

// References begin ..< end, with the box of twice their centroids and their own box.
struct ssdf_bvh_range {
    uint32_t begin, end;
    float low[3], high[3];
    float centroid_low[3], centroid_high[3];
};

// Fills `references` [count] for triangles first ..< first + count and returns their range, begin and end left 0.
// positions [vertices, 3] and triangles [all, 3] are packed.
struct ssdf_bvh_range ssdf_bvh_prepare(
    const float *_Nonnull positions, const uint32_t *_Nonnull triangles, size_t first, size_t count,
    struct ssdf_bvh_reference *_Nonnull references);

// Splits a range of more than eight references into two to eight children, by binned surface area heuristic, the
// largest first; permutes the references. Every child has at least four. Returns the number of children.
int ssdf_bvh_expand(
    struct ssdf_bvh_reference *_Nonnull references, struct ssdf_bvh_range range,
    struct ssdf_bvh_range children[_Nonnull SSDF_BVH_WIDTH]);

// Writes the node over `count` children that are at `child[i]`.
void ssdf_bvh_write_node(
    const struct ssdf_bvh_range *_Nonnull children, const int32_t *_Nonnull child, int count,
    struct ssdf_bvh_node *_Nonnull node);

// Builds the whole tree over a range into nodes and leaves, each with room for (range length) / 4 + 1; node 0 is its
// root. node_count and leaf_count receive what was used.
void ssdf_bvh_subtree(
    const float *_Nonnull positions, const uint32_t *_Nonnull triangles,
    struct ssdf_bvh_reference *_Nonnull references, struct ssdf_bvh_range range,
    struct ssdf_bvh_node *_Nonnull nodes, uint32_t *_Nonnull node_count,
    struct ssdf_bvh_leaf *_Nonnull leaves, uint32_t *_Nonnull leaf_count);

// Where on a triangle a point lies.
enum ssdf_bvh_feature {
    SSDF_FEATURE_FACE = 0,
    SSDF_FEATURE_EDGE_AB = 1, SSDF_FEATURE_EDGE_BC = 2, SSDF_FEATURE_EDGE_CA = 3,
    SSDF_FEATURE_VERTEX_A = 4, SSDF_FEATURE_VERTEX_B = 5, SSDF_FEATURE_VERTEX_C = 6,
};

struct ssdf_bvh_closest {
    uint32_t triangle;  // UINT32_MAX when nothing is within reach
    uint32_t feature;   // enum ssdf_bvh_feature
    float weights[3];   // barycentric, of the corners in the triangle's order
    float point[3];
    float distance_squared;
};

// The closest points of the tree to points [count, 3], no farther than sqrt(reach_squared).
// Of triangles at exactly the same distance the lowest numbered answers. Queries near one another in the list are
// answered faster.
void ssdf_bvh_closest_points(
    const struct ssdf_bvh *_Nonnull tree, const float *_Nonnull points, size_t count, float reach_squared,
    struct ssdf_bvh_closest *_Nonnull results);

// Whether each of points [count, 3] has a triangle no farther than sqrt(reach_squared): faster than finding the closest.
int ssdf_bvh_all_within(
    const struct ssdf_bvh *_Nonnull tree, const float *_Nonnull points, size_t count, float reach_squared);

// origin + t · direction for t in [near, far]; the direction has any length but 0.
struct ssdf_bvh_ray {
    float origin[3];
    float direction[3];
    float near, far;
};

struct ssdf_bvh_hit {
    uint32_t triangle;  // UINT32_MAX when nothing is hit
    int32_t facing;     // +1: the ray enters (meets the counter-clockwise side), -1: it leaves
    float t;
    float weights[3];   // barycentric, of the corners in the triangle's order
};

// The first hits of rays [count]. Triangles are closed: a ray through an edge or a corner hits.
// A triangle seen exactly edge-on is not hit. Equal t: the lowest numbered triangle.
void ssdf_bvh_first_hits(
    const struct ssdf_bvh *_Nonnull tree, const struct ssdf_bvh_ray *_Nonnull rays, size_t count,
    struct ssdf_bvh_hit *_Nonnull results);

// Whether each of rays [count] hits anything: results [count] are 0 or 1.
void ssdf_bvh_any_hits(
    const struct ssdf_bvh *_Nonnull tree, const struct ssdf_bvh_ray *_Nonnull rays, size_t count,
    uint8_t *_Nonnull results);

// All hits of one ray, in no particular order, the first `capacity` of them stored; returns how many there are.
// Triangles are half open: of the triangles around an edge or a corner that the ray passes exactly through, those
// count that would cover the ray after an infinitesimal move, so that parity and winding along a ray are exact.
size_t ssdf_bvh_all_hits(
    const struct ssdf_bvh *_Nonnull tree, const struct ssdf_bvh_ray *_Nonnull ray,
    struct ssdf_bvh_hit *_Nullable hits, size_t capacity);

// The bodies of ssdf_bvh_closest_points and ssdf_bvh_first_hits for one instruction set, for tests.
void ssdf_bvh_closest_points_isa(
    int isa, const struct ssdf_bvh *_Nonnull tree, const float *_Nonnull points, size_t count, float reach_squared,
    struct ssdf_bvh_closest *_Nonnull results);
void ssdf_bvh_first_hits_isa(
    int isa, const struct ssdf_bvh *_Nonnull tree, const struct ssdf_bvh_ray *_Nonnull rays, size_t count,
    struct ssdf_bvh_hit *_Nonnull results);

#ifdef __cplusplus
}
#endif

#endif
