// Norms over rows and over columns, softmax, and their gradients.

#pragma clang fp contract(fast)

// Rows that are summed side by side: no sum waits for the one before it.
#define ROWS 4

// Mean and 1/√(σ² + ε) of `rows` rows, in two passes so that a large mean costs no precision.
INLINE void N(row_statistics)(const int rows, const float *x, size_t columns, float epsilon, float *mean,
                              float *scale) {
    const size_t whole = columns / LANES * LANES;
    V sum[ROWS], square[ROWS], middle[ROWS];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) sum[r] = square[r] = N(splat)(0);
    for (size_t c = 0; c < whole; c += LANES)
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) sum[r] += N(load)(x + r * columns + c);
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
        double total = N(sum)(sum[r]);
        for (size_t i = whole; i < columns; i++) total += x[r * columns + i];
        mean[r] = (float)(total / columns);
        middle[r] = N(splat)(mean[r]);
    }
    for (size_t c = 0; c < whole; c += LANES)
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) {
            V d = N(load)(x + r * columns + c) - middle[r];
            square[r] += d * d;
        }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
        double variance = N(sum)(square[r]);
        for (size_t i = whole; i < columns; i++) {
            float d = x[r * columns + i] - mean[r];
            variance += (double)d * d;
        }
        scale[r] = (float)(1 / __builtin_sqrt(variance / columns + epsilon));
    }
}

INLINE void N(layer_norm_rows)(const int rows, const float *x, const float *weight, const float *bias, float epsilon,
                               float *y, size_t columns) {
    const size_t whole = columns / LANES * LANES;
    float mean[ROWS], scale[ROWS];
    N(row_statistics)(rows, x, columns, epsilon, mean, scale);
    for (int r = 0; r < rows; r++, x += columns, y += columns) {
        const V m = N(splat)(mean[r]), s = N(splat)(scale[r]);
        for (size_t c = 0; c < whole; c += LANES) {
            V normed = (N(load)(x + c) - m) * s;
            if (weight) normed *= N(load)(weight + c);
            if (bias) normed += N(load)(bias + c);
            N(store)(y + c, normed);
        }
        for (size_t c = whole; c < columns; c++) {
            float normed = (x[c] - mean[r]) * scale[r];
            if (weight) normed *= weight[c];
            y[c] = bias ? normed + bias[c] : normed;
        }
    }
}

static void N(layer_norm)(const float *x, const float *weight, const float *bias, float epsilon, float *y, size_t rows,
                          size_t columns) {
    size_t r = 0;
    for (; r + ROWS <= rows; r += ROWS)
        N(layer_norm_rows)(ROWS, x + r * columns, weight, bias, epsilon, y + r * columns, columns);
    for (; r < rows; r++) N(layer_norm_rows)(1, x + r * columns, weight, bias, epsilon, y + r * columns, columns);
}

// With x̂ the normalised row and g = dy·weight: dx = (g − mean g − x̂·mean(g·x̂))/√(σ² + ε), or dx += that.
INLINE void N(layer_norm_gradient_rows)(const int rows, const float *x, const float *weight, const float *dy,
                                        float epsilon, float *dx, int adds, float *dweight, float *dbias,
                                        size_t columns) {
    const size_t whole = columns / LANES * LANES;
    float mean[ROWS], scale[ROWS];
    V sum[ROWS], product[ROWS], middle[ROWS], factor[ROWS];
    N(row_statistics)(rows, x, columns, epsilon, mean, scale);
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
        sum[r] = product[r] = N(splat)(0);
        middle[r] = N(splat)(mean[r]), factor[r] = N(splat)(scale[r]);
    }
    for (size_t c = 0; c < whole; c += LANES) {
        V slope = N(splat)(0), shift = N(splat)(0), by = weight ? N(load)(weight + c) : N(splat)(1);
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) {
            V g = N(load)(dy + r * columns + c), normed = (N(load)(x + r * columns + c) - middle[r]) * factor[r];
            slope += g * normed;
            shift += g;
            g *= by;
            sum[r] += g;
            product[r] += g * normed;
        }
        if (dweight) N(store)(dweight + c, N(load)(dweight + c) + slope);
        if (dbias) N(store)(dbias + c, N(load)(dbias + c) + shift);
    }
    for (int r = 0; r < rows; r++, x += columns, dy += columns, dx += columns) {
        double total = N(sum)(sum[r]), along = N(sum)(product[r]);
        for (size_t c = whole; c < columns; c++) {
            float g = dy[c], normed = (x[c] - mean[r]) * scale[r];
            if (dweight) dweight[c] += g * normed;
            if (dbias) dbias[c] += g;
            if (weight) g *= weight[c];
            total += g;
            along += (double)g * normed;
        }
        const float mean_g = (float)(total / columns), mean_gx = (float)(along / columns);
        for (size_t c = 0; c < whole; c += LANES) {
            V g = N(load)(dy + c);
            if (weight) g *= N(load)(weight + c);
            V along_x = (N(load)(x + c) - middle[r]) * factor[r] * N(splat)(mean_gx);
            V slope = factor[r] * (g - N(splat)(mean_g) - along_x);
            N(store)(dx + c, adds ? N(load)(dx + c) + slope : slope);
        }
        for (size_t c = whole; c < columns; c++) {
            float g = weight ? dy[c] * weight[c] : dy[c];
            float slope = scale[r] * (g - mean_g - (x[c] - mean[r]) * scale[r] * mean_gx);
            dx[c] = adds ? dx[c] + slope : slope;
        }
    }
}

static void N(layer_norm_gradient)(const float *x, const float *weight, const float *dy, float epsilon, float *dx,
                                   int adds, float *dweight, float *dbias, size_t rows, size_t columns) {
    size_t r = 0;
    for (; r + ROWS <= rows; r += ROWS, x += ROWS * columns, dy += ROWS * columns, dx += ROWS * columns)
        N(layer_norm_gradient_rows)(ROWS, x, weight, dy, epsilon, dx, adds, dweight, dbias, columns);
    for (; r < rows; r++, x += columns, dy += columns, dx += columns)
        N(layer_norm_gradient_rows)(1, x, weight, dy, epsilon, dx, adds, dweight, dbias, columns);
}

#undef ROWS

static void N(rms_norm)(const float *x, const float *gamma, float *y, size_t rows, size_t heads, size_t dimension) {
    float root = __builtin_sqrtf((float)dimension);
    const size_t whole = dimension / LANES * LANES;
    for (size_t r = 0, head = 0; r < rows; r++, x += dimension, y += dimension) {
        const float *weight = gamma + head * dimension;
        if (++head == heads) head = 0;
        float length = (float)__builtin_sqrt(N(dot)(x, x, dimension));
        float s = root / (length > 1e-12f ? length : 1e-12f);
        for (size_t d = 0; d < whole; d += LANES)
            N(store)(y + d, N(load)(x + d) * N(splat)(s) * N(load)(weight + d));
        for (size_t d = whole; d < dimension; d++) y[d] = x[d] * s * weight[d];
    }
}

static void N(rms_norm_gradient)(const float *x, const float *gamma, const float *dy, float *dx, float *dgamma,
                                 size_t rows, size_t heads, size_t dimension) {
    float root = __builtin_sqrtf((float)dimension);
    const size_t whole = dimension / LANES * LANES;
    for (size_t r = 0, head = 0; r < rows; r++, x += dimension, dy += dimension, dx += dimension) {
        const float *weight = gamma + head * dimension;
        float *dweight = dgamma + head * dimension;
        if (++head == heads) head = 0;
        float length = (float)__builtin_sqrt(N(dot)(x, x, dimension));
        // Below the floor the divisor is a constant.
        int floored = !(length > 1e-12f);
        float inverse = 1 / (floored ? 1e-12f : length), s = root * inverse;
        V part = N(splat)(0);
        for (size_t d = 0; d < whole; d += LANES) {
            V slope = N(load)(dy + d) * N(load)(x + d);
            N(store)(dweight + d, N(load)(dweight + d) + slope * N(splat)(s));
            part += slope * N(load)(weight + d);
        }
        double along = N(sum)(part);
        for (size_t d = whole; d < dimension; d++) {
            dweight[d] += dy[d] * x[d] * s;
            along += (double)dy[d] * weight[d] * x[d];
        }
        float pull = floored ? 0 : (float)(along * inverse) * inverse;
        for (size_t d = 0; d < whole; d += LANES) {
            V from = N(load)(x + d) * N(splat)(pull);
            N(store)(dx + d, N(splat)(s) * (N(load)(dy + d) * N(load)(weight + d) - from));
        }
        for (size_t d = whole; d < dimension; d++) dx[d] = s * (dy[d] * weight[d] - x[d] * pull);
    }
}

static void N(column_sums)(const float *x, const float *mean, float *sums, size_t rows, size_t columns) {
    for (size_t c = 0; c < columns; c++) sums[c] = 0;
    for (size_t r = 0; r < rows; r++, x += columns) {
        if (mean)
            for (size_t c = 0; c < columns; c++) sums[c] += (x[c] - mean[c]) * (x[c] - mean[c]);
        else
            for (size_t c = 0; c < columns; c++) sums[c] += x[c];
    }
}

static void N(column_products)(const float *dy, const float *x, const float *mean, float *sums, size_t rows,
                               size_t columns) {
    for (size_t c = 0; c < columns; c++) sums[c] = 0;
    for (size_t r = 0; r < rows; r++, x += columns, dy += columns) {
        if (mean)
            for (size_t c = 0; c < columns; c++) sums[c] += dy[c] * (x[c] - mean[c]);
        else
            for (size_t c = 0; c < columns; c++) sums[c] += dy[c] * x[c];
    }
}

static void N(column_affine)(const float *x, const float *scale, const float *shift, float *y, size_t rows,
                             size_t columns) {
    for (size_t r = 0; r < rows; r++, x += columns, y += columns)
        for (size_t c = 0; c < columns; c++) y[c] = x[c] * scale[c] + shift[c];
}

static void N(column_blend)(const float *a, const float *p, const float *b, const float *q, const float *s, float *y,
                            size_t rows, size_t columns) {
    for (size_t r = 0; r < rows; r++, a += columns, b += columns, y += columns)
        for (size_t c = 0; c < columns; c++) y[c] = a[c] * p[c] + b[c] * q[c] + s[c];
}

static void N(softmax)(const float *x, float *y, size_t rows, size_t columns) {
    for (size_t r = 0; r < rows; r++, x += columns, y += columns) {
        float most = -INFINITY;
        for (size_t c = 0; c < columns; c++) most = x[c] > most ? x[c] : most;
        if (most == -INFINITY) most = 0;
        double total = 0;
        size_t c = 0;
        for (; c + LANES <= columns; c += LANES) {
            V e = N(exp)(N(load)(x + c) - N(splat)(most));
            N(store)(y + c, e);
            total += N(sum)(e);
        }
        if (c < columns) {
            V e = N(exp)(N(load_some)(x + c, columns - c, -INFINITY) - N(splat)(most));
            N(store_some)(y + c, e, columns - c);
            total += N(sum)(e);
        }
        float s = total > 0 ? (float)(1 / total) : 0;
        for (c = 0; c < columns; c++) y[c] *= s;
    }
}

static void N(softmax_gradient)(const float *y, const float *dy, float *dx, size_t rows, size_t columns) {
    for (size_t r = 0; r < rows; r++, y += columns, dy += columns, dx += columns) {
        float along = (float)N(dot)(y, dy, columns);
        for (size_t c = 0; c < columns; c++) dx[c] = y[c] * (dy[c] - along);
    }
}
