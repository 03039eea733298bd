#include "ssdf_eigen.h"

#include <eigen3/Eigen/Sparse>
#include <eigen3/Eigen/SparseCholesky>
#include <vector>

int ssdf_solve_least_squares(
    int32_t rows, int32_t columns, ptrdiff_t count, const int32_t *row, const int32_t *column, const double *value,
    const double *b, double *x) {
    using Matrix = Eigen::SparseMatrix<double>;
    using Dense = Eigen::Matrix<double, Eigen::Dynamic, 3, Eigen::RowMajor>;
    std::vector<Eigen::Triplet<double>> entries;
    entries.reserve(static_cast<size_t>(count));
    for (ptrdiff_t i = 0; i < count; ++i) entries.emplace_back(row[i], column[i], value[i]);
    Matrix a(rows, columns);
    a.setFromTriplets(entries.begin(), entries.end());
    const Matrix normal = a.transpose() * a;
    const Eigen::SimplicialLDLT<Matrix> solver(normal);
    if (solver.info() != Eigen::Success) return 0;
    const Dense right = a.transpose() * Eigen::Map<const Dense>(b, rows, 3);
    Eigen::Map<Dense> result(x, columns, 3);
    result = solver.solve(right);
    return solver.info() == Eigen::Success && result.allFinite();
}
