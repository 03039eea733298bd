// OpenVDB's side of the container comparison.
//
//   vdb_container band MESH.obj RESOLUTION HALF_WIDTH OUT     meshToVolume of a mesh in the default cube, as a band
//   vdb_container time BAND FOLDER [EXPONENT]                 writes and reads the band as .vdb, JSON lines
//
// A band is the count of leaves as i32, then for each, by position: i32 x, y, z in leaves, the mask as eight u64, and
// the active values as f32. EXPONENT rounds the values to multiples of that power of two. Threads are TBB's: limit them
// with taskset. The best of five runs counts; files stay in the page cache, and delayed loading is off.
#include <openvdb/io/Compression.h>
#include <openvdb/openvdb.h>
#include <openvdb/tools/ChangeBackground.h>
#include <openvdb/tools/MeshToVolume.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <time.h>
#include <unistd.h>
#include <vector>

using namespace openvdb;

static double seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

static double processor() {
    timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

static int band(const char *mesh, int resolution, float halfWidth, const char *out) {
    std::vector<Vec3s> points;
    std::vector<Vec3I> triangles;
    FILE *file = fopen(mesh, "r");
    char line[4096];
    while (file && fgets(line, sizeof line, file)) {
        float x, y, z;
        if (sscanf(line, "v %f %f %f", &x, &y, &z) == 3) points.push_back({x, y, z});
        if (line[0] != 'f' || line[1] != ' ') continue;
        std::vector<int> corners;
        for (char *word = strtok(line + 2, " \r\n"); word; word = strtok(nullptr, " \r\n"))
            corners.push_back(atoi(word) - 1);
        for (size_t k = 2; k < corners.size(); k++) triangles.push_back(Vec3I(corners[0], corners[k - 1], corners[k]));
    }
    if (points.empty()) return 1;
    Vec3s low = points[0], high = points[0];
    for (auto &p : points)
        for (int k = 0; k < 3; k++) low[k] = std::min(low[k], p[k]), high[k] = std::max(high[k], p[k]);
    Vec3s size = high - low, middle = (low + high) * 0.5f;
    float side = std::max(size[0], std::max(size[1], size[2]));
    auto transform = math::Transform::createLinearTransform(2.0 / resolution);
    for (auto &p : points) p = transform->worldToIndex((p - middle) * (1.9f / side));
    auto grid = tools::meshToVolume<FloatGrid>(
        tools::QuadAndTriangleDataAdapter<Vec3s, Vec3I>(points, triangles), *transform, halfWidth, halfWidth);
    std::vector<const FloatTree::LeafNodeType *> leaves;
    for (auto leaf = grid->tree().cbeginLeaf(); leaf; ++leaf)
        if (leaf->onVoxelCount()) leaves.push_back(leaf.getLeaf());
    std::sort(leaves.begin(), leaves.end(), [](auto *a, auto *b) { return a->origin() < b->origin(); });
    FILE *target = fopen(out, "wb");
    int count = int(leaves.size());
    fwrite(&count, 4, 1, target);
    for (auto *leaf : leaves) {
        int position[3] = {leaf->origin()[0] >> 3, leaf->origin()[1] >> 3, leaf->origin()[2] >> 3};
        fwrite(position, 12, 1, target);
        for (int x = 0; x < 8; x++) {
            Index64 word = leaf->valueMask().getWord<Index64>(x);
            fwrite(&word, 8, 1, target);
        }
        for (auto value = leaf->cbeginValueOn(); value; ++value) {
            float v = *value;
            fwrite(&v, 4, 1, target);
        }
    }
    return fclose(target);
}

static FloatGrid::Ptr load(const char *path, bool rounds, int exponent) {
    auto grid = FloatGrid::create(0);
    FILE *file = fopen(path, "rb");
    int count = 0;
    float largest = 0;
    if (!file || fread(&count, 4, 1, file) != 1) return grid;
    for (int b = 0; b < count; b++) {
        int p[3];
        Index64 words[8];
        if (fread(p, 12, 1, file) != 1 || fread(words, 64, 1, file) != 1) break;
        auto *leaf = grid->tree().touchLeaf(Coord(p[0] * 8, p[1] * 8, p[2] * 8));
        for (int i = 0; i < 512; i++) {
            if (!(words[i >> 6] >> (i & 63) & 1)) continue;
            float v;
            if (fread(&v, 4, 1, file) != 1) break;
            if (rounds) v = std::ldexp(std::rint(std::ldexp(v, -exponent)), exponent) + 0.0f;
            leaf->setValueOn(i, v);
            largest = std::max(largest, std::abs(v));
        }
    }
    fclose(file);
    // Inactive voxels are what a level set has there: the background, by sign, which .vdb stores in a few bits.
    tools::changeBackground(grid->tree(), largest);
    grid->setGridClass(GRID_LEVEL_SET);
    grid->setName("sdf");
    return grid;
}

static void measure(FloatGrid::Ptr grid, const char *folder, const char *name, uint32_t flags, bool half) {
    std::string path = std::string(folder) + "/container-benchmark.vdb";
    double writing = 1e9, reading = 1e9, writingCPU = 1e9, readingCPU = 1e9;
    grid->setSaveFloatAsHalf(half);
    for (int run = 0; run < 5; run++) {
        unlink(path.c_str());
        double start = seconds(), startCPU = processor();
        {
            io::File file(path);
            file.setCompression(flags);
            file.write({grid});
        }
        writing = std::min(writing, seconds() - start);
        writingCPU = std::min(writingCPU, processor() - startCPU);
        start = seconds(), startCPU = processor();
        io::File file(path);
        file.open(false);
        auto read = file.readGrid("sdf");
        file.close();
        reading = std::min(reading, seconds() - start);
        readingCPU = std::min(readingCPU, processor() - startCPU);
    }
    FILE *file = fopen(path.c_str(), "rb");
    fseek(file, 0, SEEK_END);
    printf(
        "{\"format\": \"vdb %s %s\", \"voxels\": %llu, \"bytes\": %ld, \"write\": %.4f, \"read\": %.4f, "
        "\"write_cpu\": %.4f, \"read_cpu\": %.4f}\n",
        half ? "half" : "f32", name, (unsigned long long)grid->activeVoxelCount(), ftell(file), writing, reading,
        writingCPU, readingCPU);
    fclose(file);
    unlink(path.c_str());
}

int main(int count, char **arguments) {
    initialize();
    if (count == 6 && !strcmp(arguments[1], "band"))
        return band(arguments[2], atoi(arguments[3]), float(atof(arguments[4])), arguments[5]);
    if (count < 4 || strcmp(arguments[1], "time")) return 64;
    auto grid = load(arguments[2], count > 4, count > 4 ? atoi(arguments[4]) : 0);
    const uint32_t mask = io::COMPRESS_ACTIVE_MASK;
    for (bool half : {false, true}) {
        measure(grid, arguments[3], "blosc", io::COMPRESS_BLOSC | mask, half);
        measure(grid, arguments[3], "zip", io::COMPRESS_ZIP | mask, half);
    }
}
