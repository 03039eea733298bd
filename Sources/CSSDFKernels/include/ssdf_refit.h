// Moving the vertices of a simplified mesh to where they fit the original best.
#ifndef SSDF_REFIT_H
#define SSDF_REFIT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// The numbers kept for a triangle and one of its corners: six of Σ w βᵢβⱼ (00 01 02 11 12 22) and three of Σ w βᵢ h, over
// the samples nearest to it, β their barycentric coordinates and h their height above its plane.
enum { SSDF_REFIT_SUMS = 9 };

// A simplified mesh beside samples of its original: the original's vertices, then the centroids of its faces.
struct ssdf_refit {
    const float *_Nonnull points;         // [point_count, 3]
    const uint32_t *_Nonnull faces;       // [face_count, 3]
    uint32_t point_count, face_count;
    uint32_t *_Nonnull homes;             // [samples] a vertex of the mesh near each sample; UINT32_MAX: the sample is left out
    uint32_t *_Nonnull sample_starts;     // [vertex_count + 1] where the samples of each home begin in `samples`
    uint32_t *_Nonnull samples;           // [samples]
    float *_Nonnull positions;            // [vertex_count, 3]
    const uint32_t *_Nonnull triangles;   // [triangle_count, 3]
    uint32_t vertex_count, triangle_count;
    uint32_t *_Nonnull fan_starts;        // [vertex_count + 1] where each vertex's corners begin in `fans`
    uint32_t *_Nonnull fans;              // [3 · triangle_count] corners 3t + i
    float *_Nonnull sums;                 // [3 · triangle_count, SSDF_REFIT_SUMS] in the order of `fans`
    uint32_t *_Nonnull nearest_face;      // [vertex_count] the face of the original with the nearest centroid, or UINT32_MAX
    float *_Nonnull farthest;             // [vertex_count] the largest squared distance among the samples of each home
    const uint8_t *_Nonnull fixed;        // [vertex_count] whether a vertex stays where it is
};

// What is known of the samples of some vertices.
struct ssdf_refit_distances {
    double squares;   // sum of squared distances
    uint64_t count;   // samples
    float largest;    // the largest squared distance
};

// How far `ssdf_refit_solve` goes.
struct ssdf_refit_limits {
    float softness;     // resistance to moves across the normals, as a share of the weight along them
    float hold;         // resistance of a vertex of the mean weight to any move; of others by the inverse of their weight
    float height;       // no vertex goes farther than this from the original near it
    float least_shape;  // no triangle gets thinner than it was and than this: 0 … 1, equilateral
    int iterations;     // of conjugate gradients
};

// Lists the triangles of every vertex.
void ssdf_refit_list_fans(struct ssdf_refit *_Nonnull r);

// Lists the samples of every vertex, by `homes`.
void ssdf_refit_list_samples(struct ssdf_refit *_Nonnull r);

// Finds the nearest triangle of its home's fan for every sample of the vertices begin ..< end, sums up what
// `ssdf_refit_solve` needs, and makes the nearest corner of that triangle the sample's new home. Squared distances: samples
// farther than `tolerated` weigh more, by the square of the ratio, so that the largest errors fall first; those farther than
// `searched` are looked for around, and are left out of the sums where that leads to another fan.
struct ssdf_refit_distances ssdf_refit_match(
    struct ssdf_refit *_Nonnull r, uint32_t begin, uint32_t end, float tolerated, float searched);

// Finds the distances alone, and `farthest` of the vertices begin ..< end.
struct ssdf_refit_distances ssdf_refit_reach(
    struct ssdf_refit *_Nonnull r, uint32_t begin, uint32_t end, float searched);

// Moves the vertices that are not fixed to the least sum of squared heights, or near it: a Gauss-Newton step by conjugate
// gradients. Where a triangle would turn by more than 45° or get too thin, its corners move less far or not at all.
// scratch [ssdf_refit_scratch] words.
void ssdf_refit_solve(
    struct ssdf_refit *_Nonnull r, const struct ssdf_refit_limits *_Nonnull limits, float *_Nonnull scratch);

// Sets `farthest` of each of `vertices` [count] to how far the surfaces lie apart near it, squared: from its samples to the
// faces around, and from the parts of its faces that are nearest to it to the faces of the original around. Both lists must
// be up to date.
void ssdf_refit_measure(struct ssdf_refit *_Nonnull r, const uint32_t *_Nonnull vertices, size_t count);

// Lays the vertices around a vertex back to where they were in `original` [vertex_count, 3] where `farthest` (squared) is
// above the bound. Returns how many had moved. scratch as for `ssdf_refit_solve`.
uint32_t ssdf_refit_undo(
    struct ssdf_refit *_Nonnull r, const float *_Nonnull original, float bound, float least_shape,
    float *_Nonnull scratch);

// Words of scratch memory for `ssdf_refit_solve`.
size_t ssdf_refit_scratch(uint32_t vertex_count, uint32_t triangle_count);

#ifdef __cplusplus
}
#endif

#endif
