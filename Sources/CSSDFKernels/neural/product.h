// Products of indexed rows with a packed matrix: one set of loops for sparse and dense convolution, and for the
// products inside attention.
//
// A tile of `vectors` columns of accumulators by `rows` rows stays in registers over the whole depth. Rows are read
// through pointers, one broadcast number at a time, so they need no gathering; the packed matrix comes from the first
// level cache. After Goto & van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008, §4, without the
// packing of the left operand.
//
// In bf16 a row, and a row of the packed matrix, is of words of two numbers (vector.h); depths and strides count words.

#pragma clang fp contract(fast)

// Depth of one pass: a panel of this depth stays in the first level cache.
#define DEPTH_BLOCK 128

INLINE size_t N(vectors_of)(size_t columns) { return (columns + LANES - 1) / LANES; }

// Vectors of panel p when `vectors` are dealt evenly to panels of at most MAX_VECTORS.
INLINE size_t N(panel_vectors)(size_t vectors, size_t panels, size_t p) {
    return vectors * (p + 1) / panels - vectors * p / panels;
}

#if WORD == 1
static size_t N(packed_count)(size_t depth, size_t columns) { return depth * N(vectors_of)(columns) * LANES; }

// One panel of a matrix whose columns lie one after the other, as those of a weight [outputs, inputs] do: squares of LANES
// columns by LANES rows are transposed in registers.
INLINE void N(pack_columns)(const float *b, size_t column_stride, size_t depth, size_t filled, size_t width,
                            float *packed) {
    for (size_t n = 0; n < width; n += LANES) {
        size_t some = n >= filled ? 0 : filled - n < LANES ? filled - n : LANES;
        for (size_t k = 0; k < depth; k += LANES) {
            size_t deep = depth - k < LANES ? depth - k : LANES;
            V block[LANES];
            for (size_t i = 0; i < LANES; i++) {
                const float *column = b + (n + i) * column_stride + k;
                block[i] = i >= some ? N(splat)(0) : deep == LANES ? N(load)(column) : N(load_some)(column, deep, 0);
            }
            N(transpose)(block);
            for (size_t i = 0; i < deep; i++) N(store)(packed + (k + i) * width + n, block[i]);
        }
    }
}

static void N(pack)(const float *b, size_t row_stride, size_t column_stride, size_t depth, size_t columns,
                    float *packed) {
    size_t vectors = N(vectors_of)(columns), panels = (vectors + MAX_VECTORS - 1) / MAX_VECTORS;
    for (size_t p = 0, column = 0; p < panels; p++) {
        size_t width = N(panel_vectors)(vectors, panels, p) * LANES;
        size_t filled = column + width <= columns ? width : columns - column;
        if (row_stride == 1) {
            N(pack_columns)(b + column * column_stride, column_stride, depth, filled, width, packed);
        } else {
            for (size_t k = 0; k < depth; k++) {
                const float *row = b + k * row_stride + column * column_stride;
                float *to = packed + k * width;
                if (column_stride == 1)
                    __builtin_memcpy(to, row, filled * sizeof(float));
                else
                    for (size_t n = 0; n < filled; n++) to[n] = row[n * column_stride];
                for (size_t n = filled; n < width; n++) to[n] = 0;
            }
        }
        packed += depth * width;
        column += width;
    }
}
#else
static size_t N(packed_count)(size_t depth, size_t columns) {
    return (depth + 1) / 2 * N(vectors_of)(columns) * LANES;
}

static void N(pack)(const float *b, size_t row_stride, size_t column_stride, size_t depth, size_t columns,
                    float *packed) {
    size_t vectors = N(vectors_of)(columns), panels = (vectors + MAX_VECTORS - 1) / MAX_VECTORS;
    for (size_t p = 0, column = 0; p < panels; p++) {
        size_t width = N(panel_vectors)(vectors, panels, p) * LANES;
        size_t filled = column + width <= columns ? width : columns - column;
        for (size_t k = 0; k < depth; k += 2) {
            float row[2][MAX_VECTORS * LANES] = {{0}};
            uint16_t rounded[2][MAX_VECTORS * LANES], *to = (uint16_t *)packed;
            for (size_t i = 0; i < 2 && k + i < depth; i++)
                for (size_t n = 0; n < filled; n++)
                    row[i][n] = b[(k + i) * row_stride + (column + n) * column_stride];
            for (int i = 0; i < 2; i++) ssdf_f32_to_bf16(row[i], rounded[i], width);
            for (size_t n = 0; n < width; n++) {
                to[2 * n] = rounded[0][n];
                to[2 * n + 1] = rounded[1][n];
            }
            packed += width;
        }
        column += width;
    }
}
#endif

// c[r] += a[r] · b for `rows` rows and `vectors` vectors of columns; b is [depth, vectors · LANES]. The sum over the
// depth starts from 0 and joins c at its end: long sums come in parts, which keeps their rounding errors small.
INLINE void N(product_tile)(const int rows, const int vectors, const float *const *a, const float *b, size_t depth,
                            float *const *c) {
    V sum[12][4];
    const float *row[12];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
        row[r] = a[r];
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) sum[r][v] = N(splat)(0);
    }
    for (size_t k = 0; k < depth; k++) {
        V column[4];
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) column[v] = N(load)(b + v * LANES);
        b += vectors * LANES;
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) {
            V factor = N(splat)(row[r][k]);
#pragma clang loop unroll(full)
            for (int v = 0; v < vectors; v++) sum[r][v] = N(gain)(sum[r][v], factor, column[v]);
        }
    }
    // All are loaded before any is stored: a row may be there twice.
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) sum[r][v] += N(load)(c[r] + v * LANES);
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) N(store)(c[r] + v * LANES, sum[r][v]);
}

// The rows of c in `tail` columns only, through a copy with whole vectors.
INLINE void N(product_tail)(const int rows, const int vectors, const float *const *a, const float *b, size_t depth,
                            float *const *c, size_t columns) {
    float copy[12][4 * LANES];
    float *to[12];
    for (int r = 0; r < rows; r++) {
        __builtin_memcpy(copy[r], c[r], columns * sizeof(float));
        for (size_t n = columns; n < (size_t)(vectors * LANES); n++) copy[r][n] = 0;
        to[r] = copy[r];
    }
    N(product_tile)(rows, vectors, a, b, depth, to);
    for (int r = 0; r < rows; r++) __builtin_memcpy(c[r], copy[r], columns * sizeof(float));
}

// All rows of one panel. A last group that is not full repeats its last row: it loads, computes and stores
// the same numbers.
INLINE void N(product_panel)(const int rows, const int vectors, const float *a, const int32_t *a_rows,
                             size_t a_stride, const float *b, size_t depth, float *c, const uint16_t *c_rows,
                             size_t c_stride, size_t count, size_t columns) {
    for (size_t first = 0; first < count; first += rows) {
        const float *from[12];
        float *to[12];
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) {
            size_t p = first + r < count ? first + r : count - 1;
            from[r] = a + (a_rows ? (size_t)a_rows[p] : p) * a_stride;
            to[r] = c + (c_rows ? (size_t)c_rows[p] : p) * c_stride;
        }
        if (columns == (size_t)(vectors * LANES))
            N(product_tile)(rows, vectors, from, b, depth, to);
        else
            N(product_tail)(rows, vectors, from, b, depth, to, columns);
    }
}

static void N(product_rows)(const float *a, const int32_t *a_rows, size_t a_stride, const float *packed, size_t depth,
                            size_t columns, float *c, const uint16_t *c_rows, size_t c_stride, size_t count) {
    if (!count) return;
    size_t vectors = N(vectors_of)(columns), panels = (vectors + MAX_VECTORS - 1) / MAX_VECTORS;
    for (size_t p = 0, column = 0; p < panels; p++) {
        size_t wide = N(panel_vectors)(vectors, panels, p), width = wide * LANES;
        size_t filled = column + width <= columns ? width : columns - column;
        for (size_t k = 0; k < depth; k += DEPTH_BLOCK) {
            size_t deep = depth - k < DEPTH_BLOCK ? depth - k : DEPTH_BLOCK;
            const float *b = packed + k * width;
#define PANEL(rows, vectors) \
    N(product_panel)(rows, vectors, a + k, a_rows, a_stride, b, deep, c + column, c_rows, c_stride, count, filled)
#if MAX_VECTORS == 4
            if (wide == 4) PANEL(6, 4);
            if (wide == 3) PANEL(8, 3);
            if (wide == 2) PANEL(12, 2);
            if (wide == 1) PANEL(12, 1);
#else
            if (wide == 2) PANEL(6, 2);
            if (wide == 1) PANEL(6, 1);
#endif
#undef PANEL
        }
        packed += depth * width;
        column += width;
    }
}

#if WORD == 1
// c[j] += Σ_p a[p][j] · b[p] for `rows` columns j of a and `vectors` vectors of columns of b.
INLINE void N(outer_tile)(const int rows, const int vectors, const float *a, const int32_t *a_rows, size_t a_stride,
                          const int *shift, const float *b, const uint16_t *b_rows, size_t b_stride, size_t count,
                          float *const *c) {
    V sum[12][4];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) sum[r][v] = N(load)(c[r] + v * LANES);
    for (size_t p = 0; p < count; p++) {
        const float *from = a + (a_rows ? (size_t)a_rows[p] : p) * a_stride;
        const float *row = b + (b_rows ? (size_t)b_rows[p] : p) * b_stride;
        V column[4];
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) column[v] = N(load)(row + v * LANES);
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) {
            V factor = N(splat)(shift ? from[shift[r]] : from[r]);
#pragma clang loop unroll(full)
            for (int v = 0; v < vectors; v++) sum[r][v] += factor * column[v];
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) N(store)(c[r] + v * LANES, sum[r][v]);
}

// One panel of columns; `some` of its columns exist.
INLINE void N(outer_panel)(const int rows, const int vectors, const float *a, const int32_t *a_rows, size_t a_stride,
                           const float *b, const uint16_t *b_rows, size_t b_stride, size_t first, size_t last,
                           size_t columns, float *c, size_t count) {
    for (size_t j = first; j < last; j += rows) {
        float *to[12];
        int shift[12];
        int whole = j + rows <= last;
        for (int r = 0; r < rows; r++) {
            shift[r] = j + r < last ? r : (int)(last - 1 - j);
            to[r] = c + (j + shift[r]) * columns;
        }
        if (whole)
            N(outer_tile)(rows, vectors, a + j, a_rows, a_stride, 0, b, b_rows, b_stride, count, to);
        else
            N(outer_tile)(rows, vectors, a + j, a_rows, a_stride, shift, b, b_rows, b_stride, count, to);
    }
}

static void N(outer_rows)(const float *a, const int32_t *a_rows, size_t a_stride, const float *b,
                          const uint16_t *b_rows, size_t b_stride, size_t first, size_t last, size_t columns,
                          float *c, size_t count) {
    size_t whole = columns / LANES, panels = (whole + MAX_VECTORS - 1) / MAX_VECTORS;
    size_t column = 0;
    for (size_t p = 0; p < panels; p++) {
        size_t wide = N(panel_vectors)(whole, panels, p);
#define PANEL(rows, vectors) \
    N(outer_panel)(rows, vectors, a, a_rows, a_stride, b + column, b_rows, b_stride, first, last, columns, \
                   c + column, count)
#if MAX_VECTORS == 4
        if (wide == 4) PANEL(6, 4);
        if (wide == 3) PANEL(8, 3);
        if (wide == 2) PANEL(8, 2);
        if (wide == 1) PANEL(8, 1);
#else
        if (wide == 2) PANEL(4, 2);
        if (wide == 1) PANEL(8, 1);
#endif
#undef PANEL
        column += wide * LANES;
    }
    // The columns that do not fill a vector, one by one: the engine's widths are multiples of 16 or tiny.
    if (column == columns) return;
    for (size_t p = 0; p < count; p++) {
        const float *from = a + (a_rows ? (size_t)a_rows[p] : p) * a_stride;
        const float *row = b + (b_rows ? (size_t)b_rows[p] : p) * b_stride;
        for (size_t j = first; j < last; j++)
            for (size_t n = column; n < columns; n++) c[j * columns + n] += from[j] * row[n];
    }
}
#endif
