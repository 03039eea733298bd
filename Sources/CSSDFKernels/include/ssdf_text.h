// Numbers and OBJ statements out of text.
//
// Every function here reads padded text: at least SSDF_TEXT_PADDING readable bytes follow the last byte, and a line feed
// stands at or before the first of them. Inner loops then need no end checks, and eight digits are taken at once.
#ifndef SSDF_TEXT_H
#define SSDF_TEXT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { SSDF_TEXT_PADDING = 64 };

// The largest coordinate that is taken for one: squared distances between such points stay finite in f32.
#define SSDF_LARGEST_COORDINATE 1e18f

// The decimal number at `p`, rounded to the nearest float (ties to even), as strtof(3) does in the C locale; the words
// inf, infinity and nan are numbers too. Returns the byte after it, or NULL when there is no number at `p`.
//
// The fast path takes up to 19 digits as an integer and one multiplication or division in double precision, which is off
// by less than 4 units of its last place; when that is too close to a tie between two floats, or out of range, the exact
// conversion is made from the digits.
// Source: Clinger, "How to Read Floating Point Numbers Accurately", 1990, for the shape of it; Lemire, "Number Parsing at
// a Gigabyte per Second", 2021, §3 for eight digits at once.
const uint8_t *_Nullable ssdf_scan_float(const uint8_t *_Nonnull p, float *_Nonnull value);

// The decimal integer at `p` (a sign and digits); values beyond ±2^62 come out as ±2^62. Returns the byte after it, or
// NULL when there is none.
const uint8_t *_Nullable ssdf_scan_integer(const uint8_t *_Nonnull p, int64_t *_Nonnull value);

enum ssdf_obj_error {
    SSDF_OBJ_OK = 0,
    SSDF_OBJ_COORDINATE = 1,       // not a number where a coordinate was expected
    SSDF_OBJ_LARGE_COORDINATE = 2, // NaN, infinite or beyond SSDF_LARGEST_COORDINATE
    SSDF_OBJ_INDEX = 3,            // not an index where one was expected
    SSDF_OBJ_INDEX_RANGE = 4,      // zero, or beyond 2^31
    SSDF_OBJ_FEW_CORNERS = 5,      // a face with fewer than three corners
};

// What ssdf_obj_parse() found in one piece of an OBJ file. The caller provides the arrays; for `n` bytes of text they need
// positions 3n/8+3, triangles 3n/2+3, relative 3n/2+3, polygons n/4+2 elements.
struct ssdf_obj_chunk {
    float *_Nonnull positions;     // [position_count], three for each vertex
    uint32_t *_Nonnull triangles;  // [triangle_count][3]; a polygon as a fan about its first corner
    uint32_t *_Nonnull relative;   // [relative_count]: places in `triangles` that count from the chunk's first vertex
    uint32_t *_Nonnull polygons;   // [polygon_count][2]: first triangle and corners of each face with more than three
    size_t position_count;
    size_t triangle_count;
    size_t relative_count;
    size_t polygon_count;
    uint32_t largest_index;        // of those that are not relative; zero-based
    int32_t smallest_relative;     // of those that are
    int32_t largest_relative;
    enum ssdf_obj_error error;
    size_t error_offset;           // from the start of the text
};

// Parses whole lines of an OBJ file: `v` and `f` statements; everything else is passed over. Indices come out zero-based;
// negative ones relative to the chunk's first vertex, as signed numbers. Stops at the first error.
void ssdf_obj_parse(const uint8_t *_Nonnull text, size_t length, struct ssdf_obj_chunk *_Nonnull chunk);

#ifdef __cplusplus
}
#endif

#endif
