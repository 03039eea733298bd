// Movement of rows: gather, scatter, mean of listed rows.

static void N(gather)(const float *x, const int32_t *index, float *y, size_t count, size_t columns) {
    for (size_t i = 0; i < count; i++, y += columns) {
        const float *row = x + (size_t)index[i] * columns;
        for (size_t c = 0; c < columns; c++) y[c] = row[c];
    }
}

static void N(scatter_add)(const float *x, const int32_t *index, float *y, size_t count, size_t columns) {
    for (size_t i = 0; i < count; i++, x += columns) {
        float *row = y + (size_t)index[i] * columns;
        for (size_t c = 0; c < columns; c++) row[c] += x[c];
    }
}

static void N(gather_mean)(const float *x, const int32_t *members, const int32_t *starts, const float *weight,
                           float *y, size_t count, size_t columns) {
    for (size_t i = 0; i < count; i++, y += columns) {
        size_t first = (size_t)starts[i], last = (size_t)starts[i + 1];
        // 64 columns at a time, so that the sums in double stay in registers or the first cache level.
        for (size_t c = 0; c < columns; c += 64) {
            size_t n = columns - c < 64 ? columns - c : 64;
            double sum[64];
            for (size_t j = 0; j < n; j++) sum[j] = 0;
            for (size_t m = first; m < last; m++) {
                const float *row = x + (size_t)members[m] * columns + c;
                for (size_t j = 0; j < n; j++) sum[j] += row[j];
            }
            for (size_t j = 0; j < n; j++) y[c + j] = (float)(sum[j] * weight[i]);
        }
    }
}
