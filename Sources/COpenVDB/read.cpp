#include "include/ssdf_openvdb.h"

#include <cerrno>

#ifdef SSDF_OPENVDB

#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <streambuf>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "openvdb_headers.h"

namespace {

// Bytes in memory as a stream that can seek.
class MemoryInput : public std::streambuf {
public:
    MemoryInput(const void *bytes, size_t count) {
        char *start = const_cast<char *>(static_cast<const char *>(bytes));
        setg(start, start, start + count);
    }

protected:
    pos_type seekoff(off_type offset, std::ios_base::seekdir from, std::ios_base::openmode) override {
        char *base = from == std::ios_base::beg ? eback() : from == std::ios_base::cur ? gptr() : egptr();
        if (offset < eback() - base || offset > egptr() - base) return pos_type(off_type(-1));
        setg(eback(), base + offset, egptr());
        return pos_type(gptr() - eback());
    }
    pos_type seekpos(pos_type to, std::ios_base::openmode mode) override {
        return seekoff(off_type(to), std::ios_base::beg, mode);
    }
};

// Writes records; ends the process when nobody reads them.
class Records {
public:
    explicit Records(int descriptor) : descriptor(descriptor) { pending.reserve(1 << 17); }

    void bytes(const void *data, size_t count) {
        pending.append(static_cast<const char *>(data), count);
        if (pending.size() >= 1 << 16) flush();
    }
    template <typename Number> void number(Number value) { bytes(&value, sizeof value); }
    void text(const std::string &text) {
        number(uint32_t(text.size()));
        bytes(text.data(), text.size());
    }
    void flush() {
        size_t done = 0;
        while (done < pending.size()) {
            const ssize_t sent = write(descriptor, pending.data() + done, pending.size() - done);
            if (sent < 0 && errno == EINTR) continue;
            if (sent <= 0) _exit(74);
            done += size_t(sent);
        }
        pending.clear();
    }

private:
    int descriptor;
    std::string pending;
};

void put(Records &out, float value) { out.number(value); }
void put(Records &out, double value) { out.number(float(value)); }
template <typename T> void put(Records &out, const openvdb::math::Vec3<T> &value) {
    for (int i = 0; i < 3; i++) out.number(float(value[i]));
}

double scalar(float value) { return value; }
double scalar(double value) { return value; }
template <typename T> double scalar(const openvdb::math::Vec3<T> &value) { return double(value[0]); }

template <typename Grid> void send(Records &out, Grid &grid, uint32_t channels) {
    out.number(uint32_t(SSDF_VDB_GRID));
    out.text(grid.getName());
    out.number(channels);
    const auto kind = grid.getGridClass();
    out.number(uint32_t(
        kind == openvdb::GRID_LEVEL_SET    ? SSDF_VDB_LEVEL_SET
        : kind == openvdb::GRID_FOG_VOLUME ? SSDF_VDB_FOG_VOLUME
                                           : SSDF_VDB_UNKNOWN));
    out.number(scalar(grid.background()));
    const auto matrix = grid.transform().baseMap()->getAffineMap()->getMat4();
    for (int row = 0; row < 3; row++) {
        for (int column = 0; column < 4; column++) out.number(double(matrix(column, row)));
    }
    std::vector<std::pair<std::string, std::string>> texts;
    for (auto item = grid.beginMeta(); item != grid.endMeta(); ++item) {
        if (item->second && item->second->typeName() == "string") texts.emplace_back(item->first, item->second->str());
    }
    out.number(uint32_t(texts.size()));
    for (const auto &[key, value] : texts) {
        out.text(key);
        out.text(value);
    }
    // Active tiles become leaves; there are no others in what goes out. The limit of memory bounds them.
    auto &tree = grid.tree();
    tree.voxelizeActiveTiles(false);
    uint64_t count = 0;
    for (auto leaf = tree.cbeginLeaf(); leaf; ++leaf) count += !leaf->isEmpty();
    out.number(count);
    for (auto leaf = tree.cbeginLeaf(); leaf; ++leaf) {
        if (leaf->isEmpty()) continue;
        const openvdb::Coord origin = leaf->origin();
        for (int axis = 0; axis < 3; axis++) out.number(int32_t(origin[axis] >> 3));
        for (int word = 0; word < 8; word++) out.number(leaf->getValueMask().template getWord<uint64_t>(word));
        for (auto on = leaf->cbeginValueOn(); on; ++on) put(out, on.getValue());
    }
}

void skip(Records &out, const openvdb::GridBase &grid, const std::string &type) {
    out.number(uint32_t(SSDF_VDB_SKIP));
    out.text(grid.getName());
    out.text(type);
}

void sendAll(Records &out, const void *bytes, size_t count) {
    openvdb::initialize();
    MemoryInput memory(bytes, count);
    std::istream in(&memory);
    in.exceptions(std::ios_base::failbit | std::ios_base::badbit);
    openvdb::io::Stream stream(in, false);
    for (auto &base : *stream.getGrids()) {
        if (!base) continue;
        if (!base->transform().isLinear()) {
            skip(out, *base, "with a transform that is not linear");
        } else if (auto grid = openvdb::gridPtrCast<openvdb::FloatGrid>(base)) {
            send(out, *grid, 1);
        } else if (auto grid = openvdb::gridPtrCast<openvdb::DoubleGrid>(base)) {
            send(out, *grid, 1);
        } else if (auto grid = openvdb::gridPtrCast<openvdb::Vec3SGrid>(base)) {
            send(out, *grid, 3);
        } else if (auto grid = openvdb::gridPtrCast<openvdb::Vec3DGrid>(base)) {
            send(out, *grid, 3);
        } else {
            skip(out, *base, "of " + base->valueType());
        }
    }
    out.number(uint32_t(SSDF_VDB_DONE));
}

// Ends this process with its parent, and when it takes more memory or time than it may.
void confine(uint64_t memory, uint64_t seconds, pid_t parent) {
    unsigned long pages = 0;
    if (FILE *file = fopen("/proc/self/statm", "r")) {
        if (fscanf(file, "%lu", &pages) != 1) pages = 0;
        fclose(file);
    }
    const rlim_t bytes = rlim_t(pages) * rlim_t(sysconf(_SC_PAGESIZE));
    const rlim_t most = memory > RLIM_INFINITY - bytes ? RLIM_INFINITY : bytes + memory;
    const struct rlimit space = {most, most}, time = {seconds, seconds + 5}, core = {0, 0};
    setrlimit(RLIMIT_AS, &space);
    setrlimit(RLIMIT_CPU, &time);
    setrlimit(RLIMIT_CORE, &core);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(74);
}

} // namespace

int ssdf_vdb_start_reading(const void *bytes, size_t count, uint64_t memory, uint64_t seconds, int *descriptor) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC)) return -1;
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child < 0) {
        close(ends[0]);
        close(ends[1]);
        return -1;
    }
    if (child > 0) {
        close(ends[1]);
        *descriptor = ends[0];
        return child;
    }
    // The parent's handlers would remove its outputs; what a crashing library says would come between its lines.
    const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXCPU, SIGBUS, SIGSEGV, SIGABRT, SIGFPE, SIGILL};
    for (const int signal : signals) std::signal(signal, SIG_DFL);
    const int nowhere = open("/dev/null", O_RDWR);
    if (nowhere >= 0) {
        dup2(nowhere, 0);
        dup2(nowhere, 1);
        dup2(nowhere, 2);
    }
    confine(memory, seconds, parent);
    Records out(ends[1]);
    try {
        sendAll(out, bytes, count);
    } catch (const std::bad_alloc &) {
        out.number(uint32_t(SSDF_VDB_FAIL));
        out.text("it needs more memory than --max-memory allows, or is damaged");
    } catch (const std::exception &error) {
        out.number(uint32_t(SSDF_VDB_FAIL));
        out.text(error.what());
    } catch (...) {
        out.number(uint32_t(SSDF_VDB_FAIL));
        out.text("an unknown exception");
    }
    out.flush();
    _exit(0);
}

#else

int ssdf_vdb_start_reading(const void *, size_t, uint64_t, uint64_t, int *) {
    errno = ENOSYS;
    return -1;
}

#endif
