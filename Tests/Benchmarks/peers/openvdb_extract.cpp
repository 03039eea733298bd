// OpenVDB's volumeToMesh on a band of voxels: openvdb_extract VOXELS VOXEL-SIZE HALF-WIDTH THREADS POSITIONS TRIANGLES
// Prints one line of JSON and writes the mesh (quadrilaterals cut in two) as raw numbers.
#include <openvdb/openvdb.h>
#include <openvdb/tools/SignedFloodFill.h>
#include <openvdb/tools/VolumeToMesh.h>
#include <tbb/global_control.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

static long memory(const char *key) {
    long kilobytes = 0;
    char line[256];
    FILE *file = std::fopen("/proc/self/status", "r");
    while (file && std::fgets(line, sizeof line, file))
        if (!std::strncmp(line, key, std::strlen(key))) kilobytes = std::atol(line + std::strlen(key));
    if (file) std::fclose(file);
    return 1024 * kilobytes;
}

int main(int count, char **argument) {
    if (count != 7) return 64;
    openvdb::initialize();
    const double size = std::atof(argument[2]), halfWidth = std::atof(argument[3]);
    const int threads = std::atoi(argument[4]);
    tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
    auto grid = openvdb::FloatGrid::create(float(size * halfWidth));
    grid->setTransform(openvdb::math::Transform::createLinearTransform(size));
    grid->setGridClass(openvdb::GRID_LEVEL_SET);
    FILE *file = std::fopen(argument[1], "rb");
    if (!file) return 66;
    struct { int x, y, z; float value; } voxel;
    long voxels = 0;
    auto accessor = grid->getAccessor();
    for (; std::fread(&voxel, sizeof voxel, 1, file) == 1; ++voxels)
        accessor.setValue(openvdb::Coord(voxel.x, voxel.y, voxel.z), voxel.value);
    std::fclose(file);
    // The inactive inside is negative, as meshToVolume leaves it.
    openvdb::tools::signedFloodFill(grid->tree());
    const long before = memory("VmRSS:");
    std::vector<double> times;
    std::vector<openvdb::Vec3s> points;
    std::vector<openvdb::Vec3I> triangles;
    std::vector<openvdb::Vec4I> quads;
    for (int run = 0; run < 5; ++run) {
        std::vector<openvdb::Vec3s>().swap(points);
        std::vector<openvdb::Vec3I>().swap(triangles);
        std::vector<openvdb::Vec4I>().swap(quads);
        const auto start = std::chrono::steady_clock::now();
        openvdb::tools::volumeToMesh(*grid, points, triangles, quads, 0.0, 0.0);
        times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    std::sort(times.begin(), times.end());
    std::printf("{\"program\": \"OpenVDB volumeToMesh\", \"threads\": %d, \"voxels\": %ld, \"seconds\": %.4f, "
                "\"fastest\": %.4f, \"peakBytes\": %ld}\n",
                threads, voxels, times[2], times[0], memory("VmHWM:") - before);
    file = std::fopen(argument[5], "wb");
    std::fwrite(points.data(), 12, points.size(), file);
    std::fclose(file);
    file = std::fopen(argument[6], "wb");
    std::fwrite(triangles.data(), 12, triangles.size(), file);
    for (const auto &q : quads) {
        const unsigned halves[6] = {q[0], q[1], q[2], q[0], q[2], q[3]};
        std::fwrite(halves, 4, 6, file);
    }
    std::fclose(file);
}
