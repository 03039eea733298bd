// Norms over rows and over columns, softmax, and their gradients.

#pragma clang fp contract(fast)

// Mean and 1/√(σ² + ε) of a row, in two passes so that a large mean costs no precision.
INLINE void N(row_statistics)(const float *x, size_t columns, float epsilon, float *mean, float *scale) {
    V sum = N(splat)(0);
    size_t c = 0;
    for (; c + LANES <= columns; c += LANES) sum += N(load)(x + c);
    double total = N(sum)(sum);
    for (size_t i = c; i < columns; i++) total += x[i];
    float m = (float)(total / columns);
    V square = N(splat)(0);
    for (c = 0; c + LANES <= columns; c += LANES) {
        V d = N(load)(x + c) - N(splat)(m);
        square += d * d;
    }
    double variance = N(sum)(square);
    for (size_t i = c; i < columns; i++) variance += (double)(x[i] - m) * (x[i] - m);
    *mean = m;
    *scale = (float)(1 / __builtin_sqrt(variance / columns + epsilon));
}

static void N(layer_norm)(const float *x, const float *weight, const float *bias, float epsilon, float *y, size_t rows,
                          size_t columns) {
    for (size_t r = 0; r < rows; r++, x += columns, y += columns) {
        float m, s;
        N(row_statistics)(x, columns, epsilon, &m, &s);
        for (size_t c = 0; c < columns; c++) y[c] = (x[c] - m) * s;
        if (weight)
            for (size_t c = 0; c < columns; c++) y[c] *= weight[c];
        if (bias)
            for (size_t c = 0; c < columns; c++) y[c] += bias[c];
    }
}

// With x̂ the normalised row and g = dy·weight: dx = (g − mean g − x̂·mean(g·x̂))/√(σ² + ε).
static void N(layer_norm_gradient)(const float *x, const float *weight, const float *dy, float epsilon, float *dx,
                                   float *dweight, float *dbias, size_t rows, size_t columns) {
    for (size_t r = 0; r < rows; r++, x += columns, dy += columns, dx += columns) {
        float m, s;
        N(row_statistics)(x, columns, epsilon, &m, &s);
        if (dweight)
            for (size_t c = 0; c < columns; c++) dweight[c] += dy[c] * ((x[c] - m) * s);
        if (dbias)
            for (size_t c = 0; c < columns; c++) dbias[c] += dy[c];
        V sum = N(splat)(0), product = N(splat)(0);
        size_t c = 0;
        for (; c + LANES <= columns; c += LANES) {
            V g = N(load)(dy + c);
            if (weight) g *= N(load)(weight + c);
            sum += g;
            product += g * ((N(load)(x + c) - N(splat)(m)) * N(splat)(s));
        }
        double total = N(sum)(sum), along = N(sum)(product);
        for (; c < columns; c++) {
            float g = weight ? dy[c] * weight[c] : dy[c];
            total += g;
            along += (double)g * ((x[c] - m) * s);
        }
        float mean_g = (float)(total / columns), mean_gx = (float)(along / columns);
        for (c = 0; c < columns; c++) {
            float g = weight ? dy[c] * weight[c] : dy[c];
            dx[c] = s * (g - mean_g - (x[c] - m) * s * mean_gx);
        }
    }
}

static void N(rms_norm)(const float *x, const float *gamma, float *y, size_t rows, size_t heads, size_t dimension) {
    float root = __builtin_sqrtf((float)dimension);
    for (size_t r = 0; r < rows; r++, x += dimension, y += dimension) {
        const float *weight = gamma + r % heads * dimension;
        float length = (float)__builtin_sqrt(N(dot)(x, x, dimension));
        float s = root / (length > 1e-12f ? length : 1e-12f);
        for (size_t d = 0; d < dimension; d++) y[d] = x[d] * s * weight[d];
    }
}

static void N(rms_norm_gradient)(const float *x, const float *gamma, const float *dy, float *dx, float *dgamma,
                                 size_t rows, size_t heads, size_t dimension) {
    float root = __builtin_sqrtf((float)dimension);
    for (size_t r = 0; r < rows; r++, x += dimension, dy += dimension, dx += dimension) {
        const float *weight = gamma + r % heads * dimension;
        float *dweight = dgamma + r % heads * dimension;
        float length = (float)__builtin_sqrt(N(dot)(x, x, dimension));
        // Below the floor the divisor is a constant.
        int floored = !(length > 1e-12f);
        float inverse = 1 / (floored ? 1e-12f : length), s = root * inverse;
        double along = 0;
        for (size_t d = 0; d < dimension; d++) {
            dweight[d] += dy[d] * x[d] * s;
            along += (double)dy[d] * weight[d] * (x[d] * inverse);
        }
        float pull = floored ? 0 : (float)along;
        for (size_t d = 0; d < dimension; d++) dx[d] = s * (dy[d] * weight[d] - x[d] * inverse * pull);
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
