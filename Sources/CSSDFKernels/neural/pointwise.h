// Pointwise functions, their gradients, and broadcast arithmetic.

#pragma clang fp contract(fast)

INLINE V N(sigmoid)(V x) {
    // 1 / (1 + e^−x); e^−x is bounded, so no ∞/∞ arises.
    return N(splat)(1.0f) / (N(splat)(1.0f) + N(exp)(-x));
}

// tanh x with absolute error below 2e-7; a polynomial near 0 keeps small values relative.
INLINE V N(tanh)(V x) {
    V large = N(splat)(1.0f) - N(splat)(2.0f) / (N(splat)(1.0f) + N(exp)(x + x));
    V s = x * x;
    // x − x³/3 + 2x⁵/15 − 17x⁷/315 + 62x⁹/2835
    V p = N(splat)(0.0218694885f);
    p = p * s - N(splat)(0.0539682540f);
    p = p * s + N(splat)(0.133333333f);
    p = p * s - N(splat)(0.333333333f);
    V small = x + x * s * p;
    return N(select)(N(abs)(x) < N(splat)(0.3f), small, large);
}

// erf x with absolute error below 3e-7: Abramowitz & Stegun, "Handbook of Mathematical Functions", 1964, 7.1.26.
INLINE V N(erf)(V x) {
    V a = N(abs)(x);
    V t = N(splat)(1.0f) / (N(splat)(1.0f) + N(splat)(0.3275911f) * a);
    V p = N(splat)(1.061405429f);
    p = p * t - N(splat)(1.453152027f);
    p = p * t + N(splat)(1.421413741f);
    p = p * t - N(splat)(0.284496736f);
    p = p * t + N(splat)(0.254829592f);
    V y = N(splat)(1.0f) - p * t * N(exp)(-(a * a));
    // The formula loses relative precision near 0: 2/√π·(x − x³/3 + x⁵/10 − x⁷/42 + x⁹/216).
    V s = x * x;
    V q = N(splat)(0.00522397762f);
    q = q * s - N(splat)(0.0268661706f);
    q = q * s + N(splat)(0.112837917f);
    q = q * s - N(splat)(0.376126389f);
    V small = x * (N(splat)(1.12837917f) + s * q);
    V large = N(select)(x < N(splat)(0.0f), -y, y);
    return N(select)(a < N(splat)(0.4f), small, large);
}

// √(2/π)·(x + 0.044715x³)·2, the argument of the sigmoid that equals the tanh form of GELU.
INLINE V N(gelu_argument)(V x) {
    return x * (N(splat)(1.59576912f) + N(splat)(0.0713548162f) * x * x);
}

INLINE V N(function)(const int f, V x) {
    switch (f) {
    case SSDF_RELU: return N(max)(x, N(splat)(0));
    case SSDF_SILU: return x * N(sigmoid)(x);
    case SSDF_SIGMOID: return N(sigmoid)(x);
    case SSDF_TANH: return N(tanh)(x);
    case SSDF_GELU_TANH: return x * N(sigmoid)(N(gelu_argument)(x));
    case SSDF_GELU_ERF: return N(splat)(0.5f) * x * (N(splat)(1.0f) + N(erf)(x * N(splat)(0.707106781f)));
    default: return N(exp)(x);
    }
}

INLINE V N(derivative)(const int f, V x) {
    V one = N(splat)(1.0f);
    switch (f) {
    case SSDF_RELU: return N(select)(x > N(splat)(0), one, N(splat)(0));
    case SSDF_SILU: {
        V s = N(sigmoid)(x);
        return s * (one + x * (one - s));
    }
    case SSDF_SIGMOID: {
        V s = N(sigmoid)(x);
        return s * (one - s);
    }
    case SSDF_TANH: {
        V t = N(tanh)(x);
        return one - t * t;
    }
    case SSDF_GELU_TANH: {
        V s = N(sigmoid)(N(gelu_argument)(x));
        V slope = N(splat)(1.59576912f) + N(splat)(0.214064449f) * x * x;
        return s + x * s * (one - s) * slope;
    }
    case SSDF_GELU_ERF: {
        V phi = N(splat)(0.398942280f) * N(exp)(N(splat)(-0.5f) * x * x);
        return N(splat)(0.5f) * (one + N(erf)(x * N(splat)(0.707106781f))) + x * phi;
    }
    default: return N(exp)(x);
    }
}

INLINE void N(apply_one)(const int f, const float *x, float *y, size_t count) {
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) N(store)(y + i, N(function)(f, N(load)(x + i)));
    if (i < count) N(store_some)(y + i, N(function)(f, N(load_some)(x + i, count - i, 0)), count - i);
}

static void N(apply)(int f, const float *x, float *y, size_t count) {
    switch (f) {
    case SSDF_RELU: N(apply_one)(SSDF_RELU, x, y, count); break;
    case SSDF_SILU: N(apply_one)(SSDF_SILU, x, y, count); break;
    case SSDF_SIGMOID: N(apply_one)(SSDF_SIGMOID, x, y, count); break;
    case SSDF_TANH: N(apply_one)(SSDF_TANH, x, y, count); break;
    case SSDF_GELU_TANH: N(apply_one)(SSDF_GELU_TANH, x, y, count); break;
    case SSDF_GELU_ERF: N(apply_one)(SSDF_GELU_ERF, x, y, count); break;
    default: N(apply_one)(SSDF_EXP, x, y, count); break;
    }
}

INLINE void N(gradient_one)(const int f, const float *x, const float *dy, float *dx, size_t count) {
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        N(store)(dx + i, N(load)(dy + i) * N(derivative)(f, N(load)(x + i)));
    if (i < count) {
        size_t n = count - i;
        N(store_some)(dx + i, N(load_some)(dy + i, n, 0) * N(derivative)(f, N(load_some)(x + i, n, 0)), n);
    }
}

static void N(apply_gradient)(int f, const float *x, const float *dy, float *dx, size_t count) {
    switch (f) {
    case SSDF_RELU: N(gradient_one)(SSDF_RELU, x, dy, dx, count); break;
    case SSDF_SILU: N(gradient_one)(SSDF_SILU, x, dy, dx, count); break;
    case SSDF_SIGMOID: N(gradient_one)(SSDF_SIGMOID, x, dy, dx, count); break;
    case SSDF_TANH: N(gradient_one)(SSDF_TANH, x, dy, dx, count); break;
    case SSDF_GELU_TANH: N(gradient_one)(SSDF_GELU_TANH, x, dy, dx, count); break;
    case SSDF_GELU_ERF: N(gradient_one)(SSDF_GELU_ERF, x, dy, dx, count); break;
    default: N(gradient_one)(SSDF_EXP, x, dy, dx, count); break;
    }
}

// The three loops are plain: the compiler makes vectors of them.
static void N(add)(const float *a, const float *b, float s, int broadcast, float *y, size_t rows, size_t columns) {
    if (broadcast == SSDF_SAME) {
        for (size_t i = 0; i < rows * columns; i++) y[i] = a[i] + s * b[i];
        return;
    }
    for (size_t r = 0; r < rows; r++) {
        const float *from = a + r * columns;
        float *to = y + r * columns;
        if (broadcast == SSDF_ROW)
            for (size_t c = 0; c < columns; c++) to[c] = from[c] + s * b[c];
        else
            for (size_t c = 0; c < columns; c++) to[c] = from[c] + s * b[r];
    }
}

static void N(multiply)(const float *a, const float *b, int broadcast, float *y, size_t rows, size_t columns) {
    if (broadcast == SSDF_SAME) {
        for (size_t i = 0; i < rows * columns; i++) y[i] = a[i] * b[i];
        return;
    }
    for (size_t r = 0; r < rows; r++) {
        const float *from = a + r * columns;
        float *to = y + r * columns;
        if (broadcast == SSDF_ROW)
            for (size_t c = 0; c < columns; c++) to[c] = from[c] * b[c];
        else
            for (size_t c = 0; c < columns; c++) to[c] = from[c] * b[r];
    }
}

static void N(multiply_add)(const float *a, const float *b, int broadcast, float *y, size_t rows, size_t columns) {
    if (broadcast == SSDF_SAME) {
        for (size_t i = 0; i < rows * columns; i++) y[i] += a[i] * b[i];
        return;
    }
    for (size_t r = 0; r < rows; r++) {
        const float *from = a + r * columns;
        float *to = y + r * columns;
        if (broadcast == SSDF_ROW)
            for (size_t c = 0; c < columns; c++) to[c] += from[c] * b[c];
        else
            for (size_t c = 0; c < columns; c++) to[c] += from[c] * b[r];
    }
}

static void N(affine)(const float *x, float s, float t, float *y, size_t count) {
    for (size_t i = 0; i < count; i++) y[i] = s * x[i] + t;
}

// Lanes are drained into double every 16 vectors, so that long sums keep their precision.
static double N(dot)(const float *a, const float *b, size_t count) {
    double total = 0;
    size_t i = 0;
    while (i + LANES <= count) {
        V sum = N(splat)(0);
        for (int block = 0; block < 16 && i + LANES <= count; block++, i += LANES)
            sum += N(load)(a + i) * N(load)(b + i);
        total += N(sum)(sum);
    }
    for (; i < count; i++) total += (double)a[i] * b[i];
    return total;
}

static void N(row_dots)(const float *a, const float *b, float *out, size_t rows, size_t columns) {
    for (size_t r = 0; r < rows; r++) out[r] = (float)N(dot)(a + r * columns, b + r * columns, columns);
}
