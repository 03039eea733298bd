#include "include/ssdf_openvdb.h"

#ifdef SSDF_OPENVDB

#include <cstring>
#include <exception>
#include <streambuf>
#include <string>
#include <vector>

#include "openvdb_headers.h"

namespace {

// A file in memory that can be written out of order: the archive goes back to fill in where its grids lie.
class MemoryFile : public std::streambuf {
public:
    std::vector<char> bytes;

protected:
    std::streamsize xsputn(const char *data, std::streamsize count) override {
        if (position + size_t(count) > bytes.size()) bytes.resize(position + size_t(count));
        std::memcpy(bytes.data() + position, data, size_t(count));
        position += size_t(count);
        return count;
    }
    int_type overflow(int_type character) override {
        const char byte = char(character);
        return xsputn(&byte, 1) == 1 ? character : traits_type::eof();
    }
    pos_type seekoff(off_type offset, std::ios_base::seekdir from, std::ios_base::openmode) override {
        const off_type base = from == std::ios_base::beg   ? 0
                              : from == std::ios_base::cur ? off_type(position)
                                                           : off_type(bytes.size());
        if (base + offset < 0) return pos_type(off_type(-1));
        position = size_t(base + offset);
        return pos_type(base + offset);
    }
    pos_type seekpos(pos_type to, std::ios_base::openmode mode) override {
        return seekoff(off_type(to), std::ios_base::beg, mode);
    }

private:
    size_t position = 0;
};

// The archive without a file behind it.
class MemoryArchive : public openvdb::io::Archive {
public:
    void save(std::ostream &out, const openvdb::GridPtrVec &grids) const { write(out, grids, true); }
};

openvdb::math::Transform::Ptr transform(const double *m) {
    // OpenVDB multiplies row vectors from the left.
    return openvdb::math::Transform::createLinearTransform(openvdb::math::Mat4d(
        m[0], m[4], m[8], 0.0, m[1], m[5], m[9], 0.0, m[2], m[6], m[10], 0.0, m[3], m[7], m[11], 1.0));
}

float value(const float *values, float) { return values[0]; }
openvdb::Vec3s value(const float *values, openvdb::Vec3s) { return {values[0], values[1], values[2]}; }

template <typename Grid>
typename Grid::Ptr make(const ssdf_vdb_grid &source, typename Grid::ValueType background) {
    using Leaf = typename Grid::TreeType::LeafNodeType;
    auto grid = Grid::create(background);
    const float *values = source.values;
    for (size_t brick = 0; brick < source.brick_count; brick++) {
        const int32_t *at = source.bricks + brick * 3;
        auto *leaf = new Leaf(openvdb::Coord(at[0] * 8, at[1] * 8, at[2] * 8), background, false);
        typename Leaf::NodeMaskType mask;
        for (int word = 0; word < 8; word++) mask.template getWord<uint64_t>(word) = source.masks[brick * 8 + word];
        for (auto on = mask.beginOn(); on; ++on) {
            leaf->setValueOnly(on.pos(), value(values, background));
            values += source.channels;
        }
        leaf->setValueMask(mask);
        grid->tree().addLeaf(leaf);
    }
    return grid;
}

} // namespace

struct ssdf_vdb_writer {
    openvdb::GridPtrVec grids;
    MemoryFile file;
    std::string error;
};

template <typename Body> static int guarded(ssdf_vdb_writer *writer, Body body) {
    try {
        body();
        return 0;
    } catch (const std::exception &error) {
        writer->error = error.what();
    } catch (...) {
        writer->error = "an unknown exception";
    }
    return -1;
}

const char *ssdf_vdb_version(void) { return OPENVDB_LIBRARY_VERSION_STRING; }

ssdf_vdb_writer *ssdf_vdb_writer_make(void) {
    try {
        openvdb::initialize();
        return new ssdf_vdb_writer;
    } catch (...) {
        return nullptr;
    }
}

void ssdf_vdb_writer_free(ssdf_vdb_writer *writer) { delete writer; }

int ssdf_vdb_writer_add(ssdf_vdb_writer *writer, const ssdf_vdb_grid *source) {
    return guarded(writer, [&] {
        openvdb::GridBase::Ptr base;
        const float background = float(source->background);
        if (source->channels == 3) {
            base = make<openvdb::Vec3SGrid>(*source, openvdb::Vec3s(background));
        } else {
            auto grid = make<openvdb::FloatGrid>(*source, background);
            if (source->grid_class == SSDF_VDB_LEVEL_SET) openvdb::tools::signedFloodFill(grid->tree());
            base = grid;
        }
        const openvdb::GridClass classes[] = {
            openvdb::GRID_UNKNOWN, openvdb::GRID_LEVEL_SET, openvdb::GRID_FOG_VOLUME};
        base->setName(source->name);
        base->setCreator("ssdf");
        base->setGridClass(classes[source->grid_class]);
        base->setTransform(transform(source->index_to_world));
        base->setSaveFloatAsHalf(source->is_half != 0);
        for (size_t i = 0; i < source->text_count; i++) {
            base->insertMeta(source->keys[i], openvdb::StringMetadata(source->texts[i]));
        }
        writer->grids.push_back(base);
    });
}

int ssdf_vdb_writer_finish(
    ssdf_vdb_writer *writer, int is_compressed, char **bytes, size_t *count, char **identifier) {
    return guarded(writer, [&] {
        MemoryArchive archive;
        // Blosc where this OpenVDB has it, zip elsewhere; values of inactive voxels are not stored one by one.
        const uint32_t codec = archive.hasBloscCompression() ? openvdb::io::COMPRESS_BLOSC : openvdb::io::COMPRESS_ZIP;
        archive.setCompression(openvdb::io::COMPRESS_ACTIVE_MASK | (is_compressed ? codec : 0));
        std::ostream out(&writer->file);
        archive.save(out, writer->grids);
        // Magic number, version of the format, that of the library, whether offsets follow; then the identifier.
        const size_t at = 8 + 4 + 4 + 4 + 1;
        if (!out || writer->file.bytes.size() < at + 36) throw std::runtime_error("the file ends in its header");
        *bytes = writer->file.bytes.data();
        *count = writer->file.bytes.size();
        *identifier = *bytes + at;
    });
}

const char *ssdf_vdb_writer_error(const ssdf_vdb_writer *writer) { return writer->error.c_str(); }

#else

const char *ssdf_vdb_version(void) { return NULL; }

ssdf_vdb_writer *ssdf_vdb_writer_make(void) { return NULL; }
void ssdf_vdb_writer_free(ssdf_vdb_writer *) {}
int ssdf_vdb_writer_add(ssdf_vdb_writer *, const ssdf_vdb_grid *) { return -1; }
int ssdf_vdb_writer_finish(ssdf_vdb_writer *, int, char **, size_t *, char **) { return -1; }
const char *ssdf_vdb_writer_error(const ssdf_vdb_writer *) { return "built without OpenVDB"; }

#endif
