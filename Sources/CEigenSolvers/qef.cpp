#include "ssdf_eigen.h"

#include <eigen3/Eigen/Eigenvalues>

int ssdf_solve_qef(const double ata[6], const double atb[3], double cutoff, double x[3]) {
    Eigen::Matrix3d m;
    m << ata[0], ata[1], ata[2], ata[1], ata[3], ata[4], ata[2], ata[4], ata[5];
    Eigen::SelfAdjointEigenSolver<Eigen::Matrix3d> solver;
    solver.computeDirect(m);
    const Eigen::Vector3d values = solver.eigenvalues();
    const Eigen::Matrix3d vectors = solver.eigenvectors();
    const Eigen::Vector3d b(atb[0], atb[1], atb[2]);
    Eigen::Vector3d result = Eigen::Vector3d::Zero();
    const double threshold = cutoff * values(2);
    int rank = 0;
    for (int i = 0; i < 3; ++i) {
        if (values(i) > threshold && values(i) > 0) {
            result += vectors.col(i) * (vectors.col(i).dot(b) / values(i));
            ++rank;
        }
    }
    x[0] = result(0);
    x[1] = result(1);
    x[2] = result(2);
    return rank;
}
