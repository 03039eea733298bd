// OpenVDB's meshToVolume on the placement that ssdf-voxelize gives a mesh: longest side 1.9 in [-1, 1]^3, centred,
// sample i at -1 + 2i/N.
//
//   mesh_to_volume MESH.obj|MESH.ply RESOLUTION HALF_WIDTH THREADS OUT.vdb [SAMPLE.f32]
//
// Reads OBJ (triangles and fans) and binary little-endian PLY whose vertices start with float x, y, z and whose faces
// are lists of three. With a sixth argument, also writes every 97th active voxel as i, j, k, distance in voxels (4 floats).
//
// Build: c++ -O2 -std=c++17 mesh_to_volume.cpp -lopenvdb -ltbb -lImath -o mesh_to_volume
#include <openvdb/openvdb.h>
#include <openvdb/tools/MeshToVolume.h>
#include <tbb/global_control.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

using openvdb::Vec3I;
using openvdb::Vec3s;

static void read_obj(const std::string &bytes, std::vector<Vec3s> &points, std::vector<Vec3I> &triangles) {
    const char *p = bytes.c_str();
    while (*p) {
        if (p[0] == 'v' && p[1] == ' ') {
            char *end = const_cast<char *>(p + 2);
            float xyz[3];
            for (float &value : xyz) value = std::strtof(end, &end);
            points.emplace_back(xyz[0], xyz[1], xyz[2]);
        } else if (p[0] == 'f' && p[1] == ' ') {
            char *end = const_cast<char *>(p + 2);
            std::vector<unsigned> corners;
            while (*end && *end != '\n') {
                char *next;
                long index = std::strtol(end, &next, 10);
                if (next == end) break;
                corners.push_back(unsigned(index - 1));
                end = next;
                while (*end && *end != ' ' && *end != '\n' && *end != '\r') end++;
            }
            for (size_t k = 2; k < corners.size(); k++) triangles.emplace_back(corners[0], corners[k - 1], corners[k]);
        }
        while (*p && *p != '\n') p++;
        if (*p) p++;
    }
}

static void read_ply(const std::string &bytes, std::vector<Vec3s> &points, std::vector<Vec3I> &triangles) {
    size_t body = bytes.find("end_header\n") + 11, vertices = 0, faces = 0, stride = 0;
    bool in_vertex = false;
    for (size_t at = 0; at < body;) {
        size_t end = bytes.find('\n', at);
        std::string line = bytes.substr(at, end - at);
        if (line.rfind("element ", 0) == 0) in_vertex = line.rfind("element vertex", 0) == 0;
        if (line.rfind("element vertex ", 0) == 0) vertices = std::strtoul(line.c_str() + 15, nullptr, 10);
        if (line.rfind("element face ", 0) == 0) faces = std::strtoul(line.c_str() + 13, nullptr, 10);
        if (in_vertex && line.rfind("property uchar", 0) == 0) stride += 1;
        if (in_vertex && line.rfind("property float", 0) == 0) stride += 4;
        at = end + 1;
    }
    for (size_t v = 0; v < vertices; v++) {
        float xyz[3];
        std::memcpy(xyz, bytes.data() + body + v * stride, sizeof xyz);
        points.emplace_back(xyz[0], xyz[1], xyz[2]);
    }
    for (size_t f = 0; f < faces; f++) {
        unsigned corners[3];
        std::memcpy(corners, bytes.data() + body + vertices * stride + f * 13 + 1, sizeof corners);
        triangles.emplace_back(corners[0], corners[1], corners[2]);
    }
}

int main(int argc, char **argv) {
    if (argc < 6) return std::fprintf(stderr, "usage: mesh_to_volume MESH N HALF_WIDTH THREADS OUT.vdb [SAMPLE]\n"), 64;
    tbb::global_control threads(tbb::global_control::max_allowed_parallelism, std::atoi(argv[4]));
    openvdb::initialize();
    std::ifstream file(argv[1], std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    std::vector<Vec3s> points;
    std::vector<Vec3I> triangles;
    (std::strstr(argv[1], ".ply") ? read_ply : read_obj)(bytes, points, triangles);
    const double n = std::atof(argv[2]);
    Vec3s low(1e30f), high(-1e30f);
    for (const Vec3s &p : points) low = openvdb::math::minComponent(low, p), high = openvdb::math::maxComponent(high, p);
    const Vec3s size = high - low;
    const double scale = 1.9 / std::max(size[0], std::max(size[1], size[2])) * n / 2;
    for (Vec3s &p : points) {
        for (int k = 0; k < 3; k++) p[k] = float((p[k] - (low[k] + high[k]) / 2.0) * scale + n / 2);
    }
    const auto transform = openvdb::math::Transform::createLinearTransform(1.0);
    const float width = float(std::atof(argv[3]));
    auto grid = openvdb::tools::meshToLevelSet<openvdb::FloatGrid>(*transform, points, triangles, width);
    openvdb::io::File out(argv[5]);
    out.write({grid});
    out.close();
    std::printf("%llu\n", (unsigned long long)grid->activeVoxelCount());
    if (argc > 6) {
        std::FILE *sample = std::fopen(argv[6], "wb");
        long row = 0;
        for (auto value = grid->cbeginValueOn(); value; ++value) {
            if (row++ % 97) continue;
            const auto c = value.getCoord();
            const float record[4] = {float(c.x()), float(c.y()), float(c.z()), *value};
            std::fwrite(record, sizeof record, 1, sample);
        }
        std::fclose(sample);
    }
}
