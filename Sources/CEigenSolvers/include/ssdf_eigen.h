// The few small solves that Eigen does for ssdf, behind plain C.
#ifndef SSDF_EIGEN_H
#define SSDF_EIGEN_H

#ifdef __cplusplus
extern "C" {
#endif

// Minimises |A x - b|² for a symmetric positive semi-definite 3×3 `ata` (row-major: xx xy xz yy yz zz) and `atb`.
// Singular values below `cutoff` times the largest are dropped, so that x is the shortest of the minimisers.
// Returns the rank used, 0…3.
int ssdf_solve_qef(const double ata[_Nonnull 6], const double atb[_Nonnull 3], double cutoff, double x[_Nonnull 3]);

#ifdef __cplusplus
}
#endif

#endif
