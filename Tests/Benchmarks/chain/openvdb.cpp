// The peer of the chain: an OBJ to a narrow band and back to a mesh with OpenVDB, in one process.
//
// usage: peer MESH RESOLUTION HALF_WIDTH THREADS OUT.ply

#include <openvdb/openvdb.h>
#include <openvdb/tools/MeshToVolume.h>
#include <openvdb/tools/VolumeToMesh.h>
#include <tbb/global_control.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

using openvdb::Vec3I;
using openvdb::Vec3s;
using openvdb::Vec4I;

static std::string contents(const char *path) {
    std::FILE *file = std::fopen(path, "rb");
    if (!file) std::exit(66);
    std::string text;
    char chunk[1 << 16];
    for (size_t count; (count = std::fread(chunk, 1, sizeof chunk, file)) > 0;) text.append(chunk, count);
    std::fclose(file);
    return text;
}

int main(int argc, char **argv) {
    if (argc != 6) return 64;
    const double resolution = std::atof(argv[2]), halfWidth = std::atof(argv[3]);
    tbb::global_control control(tbb::global_control::max_allowed_parallelism, std::atoi(argv[4]));
    openvdb::initialize();

    std::vector<Vec3s> points;
    std::vector<Vec3I> triangles;
    const std::string text = contents(argv[1]);
    for (const char *c = text.c_str(); *c;) {
        char *end;
        if (c[0] == 'v' && c[1] == ' ') {
            float x = std::strtof(c + 2, &end), y = std::strtof(end, &end), z = std::strtof(end, &end);
            points.emplace_back(x, y, z);
            c = end;
        } else if (c[0] == 'f' && c[1] == ' ') {
            std::vector<unsigned> corners;
            c += 2;
            while (*c && *c != '\n') {
                long index = std::strtol(c, &end, 10);
                if (end == c) break;
                corners.push_back(unsigned(index - 1));
                for (c = end; *c && *c != ' ' && *c != '\n'; c++) {}
            }
            for (size_t i = 2; i < corners.size(); i++) triangles.emplace_back(corners[0], corners[i - 1], corners[i]);
        }
        while (*c && *c != '\n') c++;
        if (*c) c++;
    }

    // The longest side becomes 1.9 in the cube [-1, 1]³, as ssdf-voxelize does.
    Vec3s low(1e30f), high(-1e30f);
    for (const Vec3s &p : points)
        for (int axis = 0; axis < 3; axis++) {
            low[axis] = std::min(low[axis], p[axis]);
            high[axis] = std::max(high[axis], p[axis]);
        }
    const float scale = 1.9f / std::max({high[0] - low[0], high[1] - low[1], high[2] - low[2]});
    for (Vec3s &p : points) p = (p - (low + high) * 0.5f) * scale;

    auto transform = openvdb::math::Transform::createLinearTransform(2 / resolution);
    auto grid = openvdb::tools::meshToSignedDistanceField<openvdb::FloatGrid>(
        *transform, points, triangles, std::vector<Vec4I>(), float(halfWidth), float(halfWidth));

    std::vector<Vec3s> outPoints;
    std::vector<Vec3I> outTriangles;
    std::vector<Vec4I> outQuads;
    openvdb::tools::volumeToMesh(*grid, outPoints, outTriangles, outQuads, 0.0, 0.0);

    std::FILE *file = std::fopen(argv[5], "wb");
    if (!file) return 73;
    std::fprintf(file,
                 "ply\nformat binary_little_endian 1.0\nelement vertex %zu\nproperty float x\nproperty float y\n"
                 "property float z\nelement face %zu\nproperty list uchar int vertex_indices\nend_header\n",
                 outPoints.size(), outTriangles.size() + 2 * outQuads.size());
    std::fwrite(outPoints.data(), sizeof(Vec3s), outPoints.size(), file);
    std::vector<char> faces;
    faces.reserve(13 * (outTriangles.size() + 2 * outQuads.size()));
    auto face = [&](unsigned a, unsigned b, unsigned c) {
        char row[13] = {3};
        unsigned corners[3] = {a, b, c};
        std::memcpy(row + 1, corners, 12);
        faces.insert(faces.end(), row, row + 13);
    };
    for (const Vec3I &t : outTriangles) face(t[0], t[1], t[2]);
    for (const Vec4I &q : outQuads) {
        face(q[0], q[1], q[2]);
        face(q[0], q[2], q[3]);
    }
    std::fwrite(faces.data(), 1, faces.size(), file);
    return std::fclose(file) == 0 ? 0 : 74;
}
