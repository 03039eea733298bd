// The few calls of OpenVDB that exchange volumes with it. OpenVDB's leaf is our brick: 8×8×8 voxels, its mask in the same
// order. Only a build with the trait OpenVDB has them; in any other, ssdf_vdb_version is NULL and the rest fails.
#ifndef SSDF_OPENVDB_H
#define SSDF_OPENVDB_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// The version of the library, or NULL in a build without it.
const char *_Nullable ssdf_vdb_version(void);

// What a grid is to OpenVDB.
enum { SSDF_VDB_UNKNOWN = 0, SSDF_VDB_LEVEL_SET = 1, SSDF_VDB_FOG_VOLUME = 2 };

typedef struct {
    const char *_Nonnull name;
    const int32_t *_Nonnull bricks;   // [brick_count, 3] in bricks
    const uint64_t *_Nonnull masks;   // [brick_count, 8]
    const float *_Nonnull values;     // [active voxels, channels] in mask order
    size_t brick_count;
    int channels;                     // 1, or 3 for vectors
    int grid_class;
    int is_half;                      // stored as f16
    double background;
    double index_to_world[12];        // row-major 3×4
    // Further metadata: texts by name.
    const char *_Nonnull const *_Nonnull keys;
    const char *_Nonnull const *_Nonnull texts;
    size_t text_count;
} ssdf_vdb_grid;

// Collects grids and makes one file of them. A level set gets its background's negative inside.
typedef struct ssdf_vdb_writer ssdf_vdb_writer;
ssdf_vdb_writer *_Nullable ssdf_vdb_writer_make(void);
void ssdf_vdb_writer_free(ssdf_vdb_writer *_Nonnull writer);
// Both return 0, or -1 with a message in ssdf_vdb_writer_error. The file's bytes live as long as the writer; the 36 at
// *identifier are a random UUID, for the caller to replace by what does not change from run to run.
int ssdf_vdb_writer_add(ssdf_vdb_writer *_Nonnull writer, const ssdf_vdb_grid *_Nonnull grid);
int ssdf_vdb_writer_finish(
    ssdf_vdb_writer *_Nonnull writer, int is_compressed, char *_Nonnull *_Nonnull bytes, size_t *_Nonnull count,
    char *_Nonnull *_Nonnull identifier);
const char *_Nonnull ssdf_vdb_writer_error(const ssdf_vdb_writer *_Nonnull writer);

// Reads a file that is in memory, in a child: OpenVDB trusts its input, which can then do no more than end the child. The
// child has at most `memory` further bytes of address space and `seconds` of processor time. Its grids come through
// *descriptor as records, little-endian, each headed by a tag:
//   GRID  text name, u32 channels, u32 class, f64 background, f64 index_to_world[12], u32 n, n × (text key, text value),
//         u64 leaves, then for each leaf i32 brick[3], u64 mask[8], f32 values[active, channels]
//   SKIP  text name, text type: a grid of another kind
//   FAIL  text message: nothing follows
//   DONE  nothing follows
// with a text as u32 bytes and UTF-8. Returns the child's process, or -1 with errno.
enum {
    SSDF_VDB_GRID = 0x44495247,
    SSDF_VDB_SKIP = 0x50494b53,
    SSDF_VDB_FAIL = 0x4c494146,
    SSDF_VDB_DONE = 0x454e4f44
};
int ssdf_vdb_start_reading(
    const void *_Nonnull bytes, size_t count, uint64_t memory, uint64_t seconds, int *_Nonnull descriptor);

#ifdef __cplusplus
}
#endif

#endif
