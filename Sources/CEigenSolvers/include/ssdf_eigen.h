// The few small solves that Eigen does for ssdf, behind plain C.
#ifndef SSDF_EIGEN_H
#define SSDF_EIGEN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Minimises |A x - b|² for a symmetric positive semi-definite 3×3 `ata` (row-major: xx xy xz yy yz zz) and `atb`.
// Singular values below `cutoff` times the largest are dropped, so that x is the shortest of the minimisers.
// Returns the rank used, 0…3.
int ssdf_solve_qef(const double ata[_Nonnull 6], const double atb[_Nonnull 3], double cutoff, double x[_Nonnull 3]);

// Minimises |A x - b|² for a sparse A [rows, columns] of full column rank, given as `count` entries (entries at one place
// add up), and three right-hand sides at once: b [rows, 3], x [columns, 3]. By the normal equations and LDLᵀ.
// Returns 0, with x unspecified, when the matrix has no such rank.
int ssdf_solve_least_squares(
    int32_t rows, int32_t columns, ptrdiff_t count, const int32_t *_Nonnull row, const int32_t *_Nonnull column,
    const double *_Nonnull value, const double *_Nonnull b, double *_Nonnull x);

#ifdef __cplusplus
}
#endif

#endif
