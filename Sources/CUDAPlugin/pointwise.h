// Functions of one element, broadcast arithmetic, sums over everything, and the optimiser's step.

#pragma once

#include "runtime.h"

enum { EACH = 4, THREADS = 256 };

// f(i) for every i below count: a block takes 1024 elements, a thread four of them that its neighbours continue.
// Numbers of elements have 32 bits, in which the device divides several times as fast as in 64.
template <class F>
__global__ void elementwise(F f, unsigned count) {
    size_t i = (size_t)blockIdx.x * EACH * blockDim.x + threadIdx.x;
    for (int part = 0; part < EACH; part++, i += blockDim.x)
        if (i < count) f((unsigned)i);
}

template <class F>
static void for_each(size_t elements, const F &f) {
    if (elements > 0xffffffffu) fail("operation", "more than 2^32 elements");
    unsigned count = (unsigned)elements;
    if (count > 0) LAUNCH(blocks_for(count, EACH * THREADS), THREADS, (f, count), elementwise<F>);
}

// ---- functions, by the numbers of ssdf_neural.h

enum { RELU = 0, SILU = 1, SIGMOID = 2, TANH = 3, GELU_TANH = 4, GELU_ERF = 5 };

__device__ __forceinline__ float sigmoid(float x) { return 1 / (1 + expf(-x)); }

template <int FUNCTION>
__device__ __forceinline__ float value_of(float x) {
    switch (FUNCTION) {
    case RELU: return x > 0 ? x : 0;
    case SILU: return x * sigmoid(x);
    case SIGMOID: return sigmoid(x);
    case TANH: return tanhf(x);
    case GELU_TANH: return x * sigmoid(x * (1.59576912f + 0.0713548162f * x * x));
    case GELU_ERF: return 0.5f * x * (1 + erff(x * 0.707106781f));
    default: return expf(x);
    }
}

template <int FUNCTION>
__device__ __forceinline__ float slope_of(float x) {
    switch (FUNCTION) {
    case RELU: return x > 0 ? 1 : 0;
    case SILU: {
        float s = sigmoid(x);
        return s * (1 + x * (1 - s));
    }
    case SIGMOID: {
        float s = sigmoid(x);
        return s * (1 - s);
    }
    case TANH: {
        float t = tanhf(x);
        return 1 - t * t;
    }
    case GELU_TANH: {
        float s = sigmoid(x * (1.59576912f + 0.0713548162f * x * x));
        return s + x * s * (1 - s) * (1.59576912f + 0.214064449f * x * x);
    }
    case GELU_ERF: return 0.5f * (1 + erff(x * 0.707106781f)) + x * 0.398942280f * expf(-0.5f * x * x);
    default: return expf(x);
    }
}

template <int FUNCTION>
struct Apply {
    const float *x;
    float *y;
    __device__ void operator()(unsigned i) const { y[i] = value_of<FUNCTION>(x[i]); }
};

template <int FUNCTION>
struct ApplyGradient {
    const float *x, *dy;
    float *dx;
    __device__ void operator()(unsigned i) const { dx[i] = dy[i] * slope_of<FUNCTION>(x[i]); }
};

#define EACH_FUNCTION(f, DO) \
    switch (f) {             \
    case 0: DO(0); break;    \
    case 1: DO(1); break;    \
    case 2: DO(2); break;    \
    case 3: DO(3); break;    \
    case 4: DO(4); break;    \
    case 5: DO(5); break;    \
    default: DO(6);          \
    }

static void apply(int function, const float *x, float *y, size_t count) {
#define DO(f) for_each(count, Apply<f>{x, y})
    EACH_FUNCTION(function, DO)
#undef DO
}

static void apply_gradient(int function, const float *x, const float *dy, float *dx, size_t count) {
#define DO(f) for_each(count, ApplyGradient<f>{x, dy, dx})
    EACH_FUNCTION(function, DO)
#undef DO
}

// ---- arithmetic

enum { SAME = 0, ROW = 1, COLUMN = 2 };

template <int BROADCAST>
__device__ __forceinline__ unsigned place(unsigned i, unsigned columns) {
    if (BROADCAST == SAME) return i;
    return BROADCAST == ROW ? i % columns : i / columns;
}

template <int BROADCAST>
struct Add {
    const float *a, *b;
    float scale;
    float *y;
    unsigned columns;
    __device__ void operator()(unsigned i) const { y[i] = a[i] + scale * b[place<BROADCAST>(i, columns)]; }
};

template <int BROADCAST>
struct Multiply {
    const float *a, *b;
    float *y;
    unsigned columns;
    __device__ void operator()(unsigned i) const { y[i] = a[i] * b[place<BROADCAST>(i, columns)]; }
};

static void add(const float *a, const float *b, float scale, int broadcast, float *y, size_t rows, size_t columns) {
    size_t count = rows * columns;
    unsigned width = (unsigned)columns;
    if (broadcast == SAME) for_each(count, Add<SAME>{a, b, scale, y, width});
    if (broadcast == ROW) for_each(count, Add<ROW>{a, b, scale, y, width});
    if (broadcast == COLUMN) for_each(count, Add<COLUMN>{a, b, scale, y, width});
}

static void multiply(const float *a, const float *b, int broadcast, float *y, size_t rows, size_t columns) {
    size_t count = rows * columns;
    unsigned width = (unsigned)columns;
    if (broadcast == SAME) for_each(count, Multiply<SAME>{a, b, y, width});
    if (broadcast == ROW) for_each(count, Multiply<ROW>{a, b, y, width});
    if (broadcast == COLUMN) for_each(count, Multiply<COLUMN>{a, b, y, width});
}

struct Affine {
    const float *x;
    float scale, shift;
    float *y;
    __device__ void operator()(unsigned i) const { y[i] = scale * x[i] + shift; }
};

static void affine(const float *x, float scale, float shift, float *y, size_t count) {
    for_each(count, Affine{x, scale, shift, y});
}

struct Fill {
    float *y;
    float value;
    __device__ void operator()(unsigned i) const { y[i] = value; }
};

static void fill(float *y, float value, size_t count) { for_each(count, Fill{y, value}); }

struct Spread {
    const float *x;
    float scale;
    float *y;
    __device__ void operator()(unsigned i) const { y[i] = scale * x[0]; }
};

static void spread(const float *x, float scale, float *y, size_t count) { for_each(count, Spread{x, scale, y}); }

struct ElementLoss {
    int loss;
    float delta;
    const float *x, *target;
    float *values, *slopes;
    __device__ void operator()(unsigned i) const {
        if (loss == SSDF_LOSS_HUBER) {
            float d = x[i] - target[i], a = fabsf(d);
            values[i] = a < delta ? 0.5f * d * d : delta * (a - 0.5f * delta);
            slopes[i] = a < delta ? d : d < 0 ? -delta : delta;
        } else {
            float e = expf(-fabsf(x[i]));
            values[i] = fmaxf(x[i], 0) - x[i] * target[i] + log1pf(e);
            slopes[i] = (x[i] >= 0 ? 1 / (1 + e) : e / (1 + e)) - target[i];
        }
    }
};

static void element_loss(int loss, float delta, const float *x, const float *target, float *values, float *slopes,
                         size_t count) {
    for_each(count, ElementLoss{loss, delta, x, target, values, slopes});
}

// ---- sums over everything: blocks of elements, then the blocks' sums, in double and always in the same order

__device__ __forceinline__ void add_up(double (&sums)[THREADS]) {
    for (unsigned half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    __syncthreads();
}

__global__ void dot_parts(const float *a, const float *b, double *parts, size_t count, size_t each) {
    __shared__ double sums[THREADS];
    size_t first = blockIdx.x * each, last = first + each < count ? first + each : count;
    double sum = 0;
    for (size_t i = first + threadIdx.x; i < last; i += THREADS) sum += (double)a[i] * (b ? (double)b[i] : 1.0);
    sums[threadIdx.x] = sum;
    add_up(sums);
    if (threadIdx.x == 0) parts[blockIdx.x] = sums[0];
}

__global__ void dot_end(const double *parts, size_t count, double *total, float scale, float *scaled) {
    __shared__ double sums[THREADS];
    double sum = 0;
    for (size_t i = threadIdx.x; i < count; i += THREADS) sum += parts[i];
    sums[threadIdx.x] = sum;
    add_up(sums);
    if (threadIdx.x != 0) return;
    if (total) *total = sums[0];
    if (scaled) *scaled = (float)(sums[0] * scale);
}

static void dot_into(const float *a, const float *b, size_t count, double *total, float scale, float *scaled) {
    size_t each = 8192;
    while (each * 1024 < count) each *= 2;
    unsigned blocks = count ? blocks_for(count, each) : 1;
    Scratch parts(blocks * sizeof(double));
    LAUNCH(blocks, THREADS, (a, b, parts.doubles(), count, each), dot_parts);
    LAUNCH(1, THREADS, (parts.doubles(), (size_t)blocks, total, scale, scaled), dot_end);
}

static double dot(const float *a, const float *b, size_t count) {
    Scratch total(sizeof(double));
    dot_into(a, b, count, total.doubles(), 1, nullptr);
    double result;
    download(&result, total.memory, sizeof result);
    return result;
}

static void total(const float *x, float scale, float *y, size_t count) {
    dot_into(x, nullptr, count, nullptr, scale, y);
}

// ---- many small tensors at once

enum { PIECE = 8192 };

struct Piece {
    const float *from;
    float *to;
    unsigned count;
};

__global__ void copy_pieces(const Piece *pieces, int adds) {
    const Piece piece = pieces[blockIdx.x];
    for (unsigned i = threadIdx.x; i < piece.count; i += THREADS) {
        float value = piece.from ? piece.from[i] : 0;
        piece.to[i] = adds ? piece.to[i] + value : value;
    }
}

static void copy_all(const struct ssdf_device_copy *copies, size_t count, int adds) {
    std::vector<Piece> pieces;
    for (size_t i = 0; i < count; i++)
        for (size_t at = 0; at < copies[i].count; at += PIECE) {
            size_t left = copies[i].count - at;
            pieces.push_back(Piece{copies[i].from ? copies[i].from + at : nullptr, copies[i].to + at,
                                   (unsigned)(left < PIECE ? left : PIECE)});
        }
    if (pieces.empty()) return;
    Scratch list(pieces.size() * sizeof(Piece));
    copy_in(list.memory, pieces.data(), pieces.size() * sizeof(Piece));
    LAUNCH((unsigned)pieces.size(), THREADS, ((const Piece *)list.memory, adds), copy_pieces);
}

// ---- optimiser. Source: Loshchilov & Hutter, "Decoupled Weight Decay Regularization", 2019, algorithm 2.

struct AdamStep {
    ssdf_device_adam t;
    float *weight;
    const float *gradient;
    float *first, *second;
    __device__ void operator()(unsigned i) const {
        float g = gradient[i] * t.gradient_scale;
        float m = t.beta1 * first[i] + (1 - t.beta1) * g;
        float v = t.beta2 * second[i] + (1 - t.beta2) * g * g;
        first[i] = m;
        second[i] = v;
        weight[i] = weight[i] * (1 - t.rate * t.decay) -
                    t.rate / t.correction1 * m / (sqrtf(v) / sqrtf(t.correction2) + t.epsilon);
    }
};

static void adam_step(const struct ssdf_device_adam *step, float *weight, const float *gradient, float *first,
                      float *second, size_t count) {
    for_each(count, AdamStep{*step, weight, gradient, first, second});
}
