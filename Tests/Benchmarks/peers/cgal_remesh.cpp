// Remeshes with CGAL: POSITIONS TRIANGLES LENGTH ITERATIONS CREASE OUT-POSITIONS OUT-TRIANGLES; a crease of 180 holds none.
// Prints seconds.
#include <CGAL/Exact_predicates_inexact_constructions_kernel.h>
#include <CGAL/Polygon_mesh_processing/detect_features.h>
#include <CGAL/Polygon_mesh_processing/remesh.h>
#include <CGAL/Surface_mesh.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <vector>

using Kernel = CGAL::Exact_predicates_inexact_constructions_kernel;
using Mesh = CGAL::Surface_mesh<Kernel::Point_3>;
namespace processing = CGAL::Polygon_mesh_processing;
namespace parameters = CGAL::parameters;

template <typename T> static std::vector<T> read(const char* path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    std::vector<T> values(static_cast<size_t>(file.tellg()) / sizeof(T));
    file.seekg(0);
    file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(T)));
    return values;
}

template <typename T> static void write(const char* path, const std::vector<T>& values) {
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(T)));
}

int main(int, char** arguments) {
    const auto positions = read<float>(arguments[1]);
    const auto triangles = read<unsigned>(arguments[2]);
    Mesh mesh;
    for (size_t i = 0; i < positions.size(); i += 3)
        mesh.add_vertex(Kernel::Point_3(positions[i], positions[i + 1], positions[i + 2]));
    for (size_t i = 0; i < triangles.size(); i += 3)
        mesh.add_face(
            Mesh::Vertex_index(triangles[i]), Mesh::Vertex_index(triangles[i + 1]), Mesh::Vertex_index(triangles[i + 2]));
    const double length = std::atof(arguments[3]), crease = std::atof(arguments[5]);
    const auto iterations = static_cast<unsigned>(std::atoi(arguments[4]));
    const auto start = std::chrono::steady_clock::now();
    if (crease < 180) {
        auto is_sharp = mesh.add_property_map<Mesh::Edge_index, bool>("e:sharp", false).first;
        processing::detect_sharp_edges(mesh, crease, is_sharp);
        processing::isotropic_remeshing(
            faces(mesh), length, mesh,
            parameters::number_of_iterations(iterations).edge_is_constrained_map(is_sharp).protect_constraints(false));
    } else {
        processing::isotropic_remeshing(faces(mesh), length, mesh, parameters::number_of_iterations(iterations));
    }
    std::printf("%g\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    mesh.collect_garbage();
    std::vector<float> points;
    std::vector<unsigned> corners;
    for (auto v : mesh.vertices())
        for (int axis = 0; axis < 3; ++axis) points.push_back(static_cast<float>(mesh.point(v)[axis]));
    for (auto face : mesh.faces())
        for (auto v : mesh.vertices_around_face(mesh.halfedge(face))) corners.push_back(static_cast<unsigned>(v));
    write(arguments[6], points);
    write(arguments[7], corners);
}
