// Simplifies with meshoptimizer: POSITIONS TRIANGLES SHARE OUT-POSITIONS OUT-TRIANGLES. Prints the fastest of three runs in
// seconds.
#include <meshoptimizer.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

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
    const size_t target = static_cast<size_t>(static_cast<double>(triangles.size() / 3) * std::atof(arguments[3])) * 3;
    double least = 1e9;
    std::vector<unsigned> result;
    for (int run = 0; run < 3; ++run) {
        result.assign(triangles.size(), 0);
        const auto start = std::chrono::steady_clock::now();
        result.resize(meshopt_simplify(
            result.data(), triangles.data(), triangles.size(), positions.data(), positions.size() / 3, 12, target,
            1e30f));
        least = std::min(
            least, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    write(arguments[4], positions);
    write(arguments[5], result);
    std::printf("%g\n", least);
}
