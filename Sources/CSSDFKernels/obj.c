#include "ssdf_text.h"

#include "text_internal.h"

#include <math.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

// Passes blanks, carriage returns and hidden line ends (a backslash before a line feed) within a statement.
__attribute__((always_inline)) static inline const uint8_t *skip_blanks(const uint8_t *p) {
    for (;;) {
        uint8_t c = *p;
        if (c == ' ' || c == '\t' || c == '\r') {
            p++;
        } else if (__builtin_expect(c == '\\', 0)) {
            const uint8_t *q = p + 1;
            if (*q == '\r') q++;
            if (*q != '\n') return p;
            p = q + 1;
        } else {
            return p;
        }
    }
}

static int ends_token(uint8_t c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\\' || c == '#'; }

// The byte after the statement's last. `end` is one past the text's last byte; a statement that it cuts ends there.
static const uint8_t *next_line(const uint8_t *p, const uint8_t *end, int continues) {
    while (p < end) {
        const uint8_t *feed = memchr(p, '\n', (size_t)(end - p));
        if (!feed) return end;
        const uint8_t *last = feed;
        if (last > p && last[-1] == '\r') last--;
        if (!continues || last == p || last[-1] != '\\') return feed + 1;
        p = feed + 1;
    }
    return end;
}

static const uint8_t *parse_vertex(const uint8_t *p, const uint8_t *end, struct ssdf_obj_chunk *chunk) {
    float *out = chunk->positions + chunk->position_count;
    for (int axis = 0; axis < 3; axis++) {
        p = skip_blanks(p);
        const uint8_t *after = ssdf_scan_float_inline(p, out + axis);
        if (__builtin_expect(!after || !ends_token(*after), 0)) {
            chunk->error = SSDF_OBJ_COORDINATE;
            return p;
        }
        if (__builtin_expect(!(fabsf(out[axis]) <= SSDF_LARGEST_COORDINATE), 0)) {
            chunk->error = SSDF_OBJ_LARGE_COORDINATE;
            return p;
        }
        p = after;
    }
    chunk->position_count += 3;
    // What follows is a weight, which polygons have no use for, or a colour.
    if (*p == '\n') return p + 1;
    if (*p == '\r' && p[1] == '\n') return p + 2;
    return next_line(p, end, 1);
}

// One corner: a vertex's index, relative or not.
struct corner {
    uint32_t index;
    uint32_t is_relative;
};

static void emit(struct ssdf_obj_chunk *chunk, struct corner a, struct corner b, struct corner c) {
    uint32_t *out = chunk->triangles + 3 * chunk->triangle_count++;
    out[0] = a.index;
    out[1] = b.index;
    out[2] = c.index;
    if (__builtin_expect(a.is_relative | b.is_relative | c.is_relative, 0)) {
        uint32_t place = (uint32_t)(out - chunk->triangles);
        if (a.is_relative) chunk->relative[chunk->relative_count++] = place;
        if (b.is_relative) chunk->relative[chunk->relative_count++] = place + 1;
        if (c.is_relative) chunk->relative[chunk->relative_count++] = place + 2;
    }
}

static const uint8_t *parse_face(const uint8_t *p, const uint8_t *end, struct ssdf_obj_chunk *chunk) {
    const uint8_t *start = p;
    struct corner first = {0, 0}, previous = {0, 0};
    const size_t first_triangle = chunk->triangle_count;
    uint32_t corners = 0, largest = chunk->largest_index;
    for (;;) {
        p = skip_blanks(p);
        if (*p == '\n' || *p == '#') break;
        struct corner corner = {0, 0};
        const uint8_t *token = p;
        uint32_t negative = *p == '-';
        p += negative;
        uint64_t digits;
        unsigned n = ssdf_leading_digits(p, &digits);
        if (__builtin_expect(n == 0, 0)) {
            chunk->error = SSDF_OBJ_INDEX;
            return token;
        }
        uint64_t value = ssdf_digits_value(digits, n);
        p += n;
        if (__builtin_expect(n == 8, 0)) {
            while ((unsigned)(*p - '0') < 10) {
                value = value > 0xFFFFFFFFu ? value : value * 10 + (uint64_t)(*p - '0');
                p++;
            }
        }
        if (*p == '/') {
            do p++;
            while ((unsigned)(*p - '0') < 10 || *p == '/' || *p == '-');
        }
        if (__builtin_expect(!ends_token(*p), 0)) {
            chunk->error = SSDF_OBJ_INDEX;
            return token;
        }
        if (__builtin_expect(value - 1 >= 0x7FFFFFFFu, 0)) {
            chunk->error = SSDF_OBJ_INDEX_RANGE;
            return token;
        }
        if (__builtin_expect(negative, 0)) {
            int64_t relative = (int64_t)(chunk->position_count / 3) - (int64_t)value;
            corner.index = (uint32_t)(int32_t)relative;
            corner.is_relative = 1;
            if (relative < chunk->smallest_relative) chunk->smallest_relative = (int32_t)relative;
            if (relative > chunk->largest_relative) chunk->largest_relative = (int32_t)relative;
        } else {
            corner.index = (uint32_t)value - 1;
            if (corner.index > largest) largest = corner.index;
        }
        if (corners == 0) first = corner;
        if (corners >= 2) emit(chunk, first, previous, corner);
        previous = corner;
        corners++;
    }
    chunk->largest_index = largest;
    if (__builtin_expect(corners != 3, 0)) {
        if (corners < 3) {
            chunk->error = SSDF_OBJ_FEW_CORNERS;
            return start;
        }
        uint32_t *polygon = chunk->polygons + 2 * chunk->polygon_count++;
        polygon[0] = (uint32_t)first_triangle;
        polygon[1] = corners;
    }
    return *p == '\n' ? p + 1 : next_line(p, end, 0);
}

#if defined(__SSE2__)

// Bit i is set when byte i of the 64 at `p` is a blank or a control character.
static inline uint64_t blanks_of(const uint8_t *p) {
    const __m128i space = _mm_set1_epi8(' ');
    uint64_t mask = 0;
    for (int part = 0; part < 4; part++) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * part));
        uint64_t blanks = (uint64_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(bytes, space), bytes));
        mask |= blanks << (16 * part);
    }
    return mask;
}

// The index of the digits at `p`, or 0 when they are not all digits or not 1…8 of them.
static inline uint32_t plain_index(const uint8_t *p, unsigned length) {
    if (__builtin_expect(length - 1 >= 8, 0)) return 0;
    uint64_t x;
    memcpy(&x, p, 8);
    x = (x ^ 0x3030303030303030u) << ((8 - length) * 8);
    if (__builtin_expect((((x + 0x7676767676767676u) | x) & 0x8080808080808080u) != 0, 0)) return 0;
    return (uint32_t)ssdf_digits_value(x, 8);
}

// Takes the statement at `p` when it is written in the plainest way, "v x y z" or "f a b c" with single blanks; returns
// the next one, or NULL when it is not. All word ends of a line are found at once, so that the numbers, and the lines,
// do not wait for each other.
__attribute__((always_inline)) static inline const uint8_t *parse_plain(const uint8_t *p, struct ssdf_obj_chunk *chunk) {
    uint64_t blanks = blanks_of(p) & ~(uint64_t)3;
    uint64_t second = blanks & (blanks - 1), third = second & (second - 1);
    if (__builtin_expect(third == 0, 0)) return NULL;
    unsigned a = (unsigned)__builtin_ctzll(blanks), b = (unsigned)__builtin_ctzll(second);
    unsigned c = (unsigned)__builtin_ctzll(third);
    if (__builtin_expect((p[a] != ' ') | (p[b] != ' ') | (p[c] != '\n'), 0)) return NULL;
    if (*p == 'f') {
        uint32_t i = plain_index(p + 2, a - 2);
        uint32_t j = plain_index(p + a + 1, b - a - 1);
        uint32_t k = plain_index(p + b + 1, c - b - 1);
        if (__builtin_expect((i == 0) | (j == 0) | (k == 0), 0)) return NULL;
        uint32_t *out = chunk->triangles + 3 * chunk->triangle_count;
        out[0] = i - 1;
        out[1] = j - 1;
        out[2] = k - 1;
        chunk->triangle_count++;
        uint32_t most = i > j ? i : j;
        most = (most > k ? most : k) - 1;
        if (most > chunk->largest_index) chunk->largest_index = most;
    } else {
        float *out = chunk->positions + chunk->position_count;
        const uint8_t *ends[3] = {ssdf_scan_float_inline(p + 2, out), ssdf_scan_float_inline(p + a + 1, out + 1),
                                  ssdf_scan_float_inline(p + b + 1, out + 2)};
        if (__builtin_expect((ends[0] != p + a) | (ends[1] != p + b) | (ends[2] != p + c), 0)) return NULL;
        int is_small = (fabsf(out[0]) <= SSDF_LARGEST_COORDINATE) & (fabsf(out[1]) <= SSDF_LARGEST_COORDINATE) &
                       (fabsf(out[2]) <= SSDF_LARGEST_COORDINATE);
        if (__builtin_expect(!is_small, 0)) return NULL;
        chunk->position_count += 3;
    }
    return p + c + 1;
}

#else

static inline const uint8_t *parse_plain(const uint8_t *p, struct ssdf_obj_chunk *chunk) {
    (void)p;
    (void)chunk;
    return NULL;
}

#endif

void ssdf_obj_parse(const uint8_t *text, size_t length, struct ssdf_obj_chunk *chunk) {
    struct ssdf_obj_chunk state = *chunk;
    state.position_count = state.triangle_count = state.relative_count = state.polygon_count = 0;
    state.largest_index = 0;
    state.smallest_relative = 0;
    state.largest_relative = -1;
    state.error = SSDF_OBJ_OK;
    const uint8_t *p = text, *end = text + length;
    while (p < end) {
        uint8_t c = *p;
        if (c == ' ' || c == '\t') {
            p++;
            continue;
        }
        uint8_t next = p[1];
        if ((c == 'f' || c == 'v') && next == ' ') {
            const uint8_t *after = parse_plain(p, &state);
            if (after) {
                p = after;
                continue;
            }
        }
        int is_short = next == ' ' || next == '\t' || next == '\\';
        if (c == 'v' && is_short) {
            p = parse_vertex(p + 1, end, &state);
        } else if (c == 'f' && is_short) {
            p = parse_face(p + 1, end, &state);
        } else {
            p = next_line(p, end, c != '#');
        }
        if (__builtin_expect(state.error != SSDF_OBJ_OK, 0)) {
            state.error_offset = (size_t)(p - text);
            break;
        }
    }
    *chunk = state;
}
