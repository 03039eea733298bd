// Rows and columns: movement, sums over either, norms and softmax.

#pragma once

#include "pointwise.h"

// ---- movement

struct Gather {
    const float *x;
    const int32_t *index;
    float *y;
    unsigned columns;
    __device__ void operator()(unsigned i) const {
        unsigned row = i / columns;
        y[i] = x[(size_t)index[row] * columns + (i - row * columns)];
    }
};

static void gather(const float *x, const int32_t *index, float *y, size_t count, size_t columns) {
    for_each(count * columns, Gather{x, index, y, (unsigned)columns});
}

struct CopyColumns {
    const float *x;
    float *y;
    size_t x_columns, source, y_columns, target;
    unsigned count;
    __device__ void operator()(unsigned i) const {
        unsigned row = i / count, column = i - row * count;
        y[row * y_columns + target + column] = x[row * x_columns + source + column];
    }
};

static void copy_columns(const float *x, size_t x_columns, size_t source, float *y, size_t y_columns, size_t target,
                         size_t rows, size_t count) {
    for_each(rows * count, CopyColumns{x, y, x_columns, source, y_columns, target, (unsigned)count});
}

struct Transpose {
    const float *x;
    float *y;
    unsigned rows, columns;
    __device__ void operator()(unsigned i) const {
        unsigned row = i % rows, column = i / rows % columns, batch = i / (rows * columns);
        y[i] = x[((size_t)batch * rows + row) * columns + column];
    }
};

static void transpose(const float *x, float *y, size_t batches, size_t rows, size_t columns) {
    for_each(batches * rows * columns, Transpose{x, y, (unsigned)rows, (unsigned)columns});
}

// ---- sums over listed rows: 32 columns a block, the rows shared out over eight warps and added up in order

enum { SLICES = 8 };

__device__ __forceinline__ float add_slices(float (&sums)[SLICES][32], float sum) {
    unsigned lane = threadIdx.x % 32, slice = threadIdx.x / 32;
    sums[slice][lane] = sum;
    __syncthreads();
    float result = 0;
    for (int s = 0; s < SLICES; s++) result += sums[s][lane];
    return result;
}

__global__ void reduce_rows(const float *x, const int32_t *starts, const int32_t *members, const float *weights,
                            float *y, unsigned columns) {
    __shared__ float sums[SLICES][32];
    unsigned target = blockIdx.x, column = blockIdx.y * 32 + threadIdx.x % 32;
    float sum = 0;
    if (column < columns)
        for (int j = starts[target] + threadIdx.x / 32; j < starts[target + 1]; j += SLICES)
            sum += x[(size_t)members[j] * columns + column];
    sum = add_slices(sums, sum);
    if (threadIdx.x < 32 && column < columns)
        y[(size_t)target * columns + column] = weights ? weights[target] * sum : sum;
}

// The same where every target has few members: a thread an element.
struct ReduceFew {
    const float *x;
    const int32_t *starts, *members;
    const float *weights;
    float *y;
    unsigned columns;
    __device__ void operator()(unsigned i) const {
        unsigned target = i / columns, column = i - target * columns;
        float sum = 0;
        for (int j = starts[target]; j < starts[target + 1]; j++) sum += x[(size_t)members[j] * columns + column];
        y[i] = weights ? weights[target] * sum : sum;
    }
};

static void reduce(const float *x, const int32_t *starts, const int32_t *members, const float *weights, float *y,
                   size_t targets, size_t columns, size_t longest) {
    if (targets == 0) return;
    if (longest < 16 || targets > 65536) {
        for_each(targets * columns, ReduceFew{x, starts, members, weights, y, (unsigned)columns});
        return;
    }
    LAUNCH(dim3((unsigned)targets, blocks_for(columns, 32)), 32 * SLICES,
           (x, starts, members, weights, y, (unsigned)columns), reduce_rows);
}

// ---- sums over the rows of segments: f gives COUNT numbers for a row and a column. Parts of at least 64 rows are summed
// by a thread a column, the at most 256 parts of a segment then in order.

enum { PART = 64, MOST_PARTS = 256 };

__device__ __forceinline__ int segment_start(const int32_t *starts, size_t rows, unsigned segment) {
    return starts ? starts[segment] : segment == 0 ? 0 : (int)rows;
}

template <class F>
__global__ void column_parts(F f, const int32_t *starts, size_t rows, unsigned columns, unsigned parts, int each,
                             float *partial) {
    unsigned segment = blockIdx.x / parts, part = blockIdx.x % parts;
    unsigned column = blockIdx.y * blockDim.x + threadIdx.x;
    if (column >= columns) return;
    int first = segment_start(starts, rows, segment) + (int)part * each;
    int last = segment_start(starts, rows, segment + 1);
    if (last > first + each) last = first + each;
    float sums[F::COUNT] = {};
    for (int row = first; row < last; row++) f((unsigned)row, column, sums);
    for (int n = 0; n < F::COUNT; n++)
        partial[((size_t)n * gridDim.x + blockIdx.x) * columns + column] = sums[n];
}

__global__ void column_ends(const float *partial, unsigned columns, unsigned parts, float *y) {
    __shared__ float sums[SLICES][32];
    unsigned segment = blockIdx.x, column = blockIdx.y * 32 + threadIdx.x % 32;
    float sum = 0;
    if (column < columns)
        for (unsigned part = threadIdx.x / 32; part < parts; part += SLICES)
            sum += partial[((size_t)segment * parts + part) * columns + column];
    sum = add_slices(sums, sum);
    if (threadIdx.x < 32 && column < columns) y[(size_t)segment * columns + column] = sum;
}

// targets[n] [segments, columns] takes the sums of the n-th number; null: not wanted.
template <class F>
static void column_sums(const F &f, const int32_t *starts, size_t segments, size_t longest, size_t rows,
                        size_t columns, float *const (&targets)[F::COUNT]) {
    size_t each = PART;
    while (each * MOST_PARTS < longest) each *= 2;
    unsigned parts = longest ? blocks_for(longest, each) : 1;
    size_t chunks = segments * parts;
    Scratch partial(F::COUNT * chunks * columns * sizeof(float));
    LAUNCH(dim3((unsigned)chunks, blocks_for(columns, 128)), 128,
           (f, starts, rows, (unsigned)columns, parts, (int)each, partial.floats()), column_parts<F>);
    for (int n = 0; n < F::COUNT; n++)
        if (targets[n])
            LAUNCH(dim3((unsigned)segments, blocks_for(columns, 32)), 32 * SLICES,
                   (partial.floats() + n * chunks * columns, (unsigned)columns, parts, targets[n]), column_ends);
}

struct ColumnProduct {
    enum { COUNT = 1 };
    const float *x, *other;
    unsigned columns;
    __device__ void operator()(unsigned row, unsigned column, float *sums) const {
        size_t i = (size_t)row * columns + column;
        sums[0] += other ? x[i] * other[i] : x[i];
    }
};

// ---- sums over columns: a warp a row

enum { WARPS = 4 };

__device__ __forceinline__ float warp_sum(float x) {
    for (int mask = 16; mask > 0; mask /= 2) x += __shfl_xor_sync(0xffffffffu, x, mask);
    return x;
}

__device__ __forceinline__ float warp_max(float x) {
    for (int mask = 16; mask > 0; mask /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, mask));
    return x;
}

// The warp's row; those beyond the last do the last one's work again and write nothing.
__device__ __forceinline__ bool warp_row(size_t rows, size_t &row) {
    row = (size_t)blockIdx.x * WARPS + threadIdx.x / 32;
    if (row < rows) return true;
    row = rows - 1;
    return false;
}

#define FOR_COLUMNS(c, columns) for (unsigned c = threadIdx.x % 32; c < (columns); c += 32)

__global__ void row_dots(const float *x, const float *other, float *y, size_t rows, unsigned columns) {
    size_t row;
    bool writes = warp_row(rows, row);
    float sum = 0;
    FOR_COLUMNS(c, columns) sum += x[row * columns + c] * (other ? other[row * columns + c] : 1);
    sum = warp_sum(sum);
    if (writes && threadIdx.x % 32 == 0) y[row] = sum;
}

static void sum(const float *x, const float *other, int broadcast, float *y, size_t rows, size_t columns) {
    if (broadcast == ROW) {
        float *const targets[1] = {y};
        column_sums(ColumnProduct{x, other, (unsigned)columns}, nullptr, 1, rows, rows, columns, targets);
    } else if (rows > 0) {
        LAUNCH(blocks_for(rows, WARPS), 32 * WARPS, (x, other, y, rows, (unsigned)columns), row_dots);
    }
}

// ---- layer norm

__device__ __forceinline__ void row_statistics(const float *x, unsigned columns, float epsilon, float &mean,
                                               float &scale) {
    float sum = 0;
    FOR_COLUMNS(c, columns) sum += x[c];
    mean = warp_sum(sum) / (float)columns;
    float square = 0;
    FOR_COLUMNS(c, columns) square += (x[c] - mean) * (x[c] - mean);
    scale = 1 / sqrtf(warp_sum(square) / (float)columns + epsilon);
}

// The segment that holds a row: the last whose start is not after it and that is not empty.
__device__ __forceinline__ unsigned segment_of(const int32_t *starts, unsigned segments, size_t row) {
    if (!starts) return 0;
    unsigned low = 0, high = segments;
    while (high - low > 1) {
        unsigned middle = (low + high) / 2;
        if ((size_t)starts[middle] <= row) low = middle;
        else high = middle;
    }
    return low;
}

__global__ void layer_norm_rows(const float *x, const float *weight, const float *bias, const int32_t *starts,
                                unsigned segments, float epsilon, float *y, size_t rows, unsigned columns) {
    size_t row;
    bool writes = warp_row(rows, row);
    const float *from = x + row * columns;
    float mean, scale;
    row_statistics(from, columns, epsilon, mean, scale);
    if (!writes) return;
    size_t own = (size_t)segment_of(starts, segments, row) * columns;
    FOR_COLUMNS(c, columns) {
        float value = (from[c] - mean) * scale;
        if (weight) value *= weight[own + c];
        if (bias) value += bias[own + c];
        y[row * columns + c] = value;
    }
}

static void layer_norm(const float *x, const float *weight, const float *bias, const int32_t *starts,
                       size_t segments, float epsilon, float *y, size_t rows, size_t columns) {
    if (rows > 0)
        LAUNCH(blocks_for(rows, WARPS), 32 * WARPS,
               (x, weight, bias, starts, (unsigned)segments, epsilon, y, rows, (unsigned)columns), layer_norm_rows);
}

__global__ void layer_norm_gradient_rows(const float *x, const float *weight, const float *dy,
                                         const int32_t *starts, unsigned segments, float epsilon, float *dx,
                                         float *statistics, size_t rows, unsigned columns) {
    size_t row;
    bool writes = warp_row(rows, row);
    const float *from = x + row * columns, *slope = dy + row * columns;
    float mean, scale;
    row_statistics(from, columns, epsilon, mean, scale);
    const float *w = weight ? weight + (size_t)segment_of(starts, segments, row) * columns : nullptr;
    float total = 0, along = 0;
    FOR_COLUMNS(c, columns) {
        float g = w ? slope[c] * w[c] : slope[c];
        total += g;
        along += g * ((from[c] - mean) * scale);
    }
    total = warp_sum(total) / (float)columns;
    along = warp_sum(along) / (float)columns;
    if (!writes) return;
    FOR_COLUMNS(c, columns) {
        float g = w ? slope[c] * w[c] : slope[c];
        dx[row * columns + c] = scale * (g - total - (from[c] - mean) * scale * along);
    }
    if (threadIdx.x % 32 == 0) {
        statistics[2 * row] = mean;
        statistics[2 * row + 1] = scale;
    }
}

struct LayerNormSums {
    enum { COUNT = 2 };
    const float *x, *dy, *statistics;
    unsigned columns;
    __device__ void operator()(unsigned row, unsigned column, float *sums) const {
        size_t i = (size_t)row * columns + column;
        sums[0] += dy[i] * ((x[i] - statistics[2 * row]) * statistics[2 * row + 1]);
        sums[1] += dy[i];
    }
};

static void layer_norm_gradients(const float *x, const float *weight, const float *dy, const int32_t *starts,
                                 size_t segments, size_t longest, float epsilon, float *dx, float *dweight,
                                 float *dbias, size_t rows, size_t columns) {
    Scratch statistics(2 * rows * sizeof(float));
    if (rows > 0)
        LAUNCH(blocks_for(rows, WARPS), 32 * WARPS,
               (x, weight, dy, starts, (unsigned)segments, epsilon, dx, statistics.floats(), rows, (unsigned)columns),
               layer_norm_gradient_rows);
    if (!dweight && !dbias) return;
    float *const targets[2] = {dweight, dbias};
    column_sums(LayerNormSums{x, dy, statistics.floats(), (unsigned)columns}, starts, segments, longest, rows,
                columns, targets);
}

// ---- RMS norm: rows are heads of tokens

__device__ __forceinline__ float row_length(const float *x, unsigned dimension) {
    float sum = 0;
    FOR_COLUMNS(d, dimension) sum += x[d] * x[d];
    return sqrtf(warp_sum(sum));
}

__global__ void rms_norm_rows(const float *x, const float *gamma, float *y, size_t rows, unsigned heads,
                              unsigned dimension) {
    size_t row;
    bool writes = warp_row(rows, row);
    const float *weight = gamma + row % heads * dimension;
    float scale = sqrtf((float)dimension) / fmaxf(row_length(x + row * dimension, dimension), 1e-12f);
    if (!writes) return;
    FOR_COLUMNS(d, dimension) y[row * dimension + d] = x[row * dimension + d] * scale * weight[d];
}

static void rms_norm(const float *x, const float *gamma, float *y, size_t tokens, size_t heads, size_t dimension) {
    size_t rows = tokens * heads;
    if (rows > 0)
        LAUNCH(blocks_for(rows, WARPS), 32 * WARPS, (x, gamma, y, rows, (unsigned)heads, (unsigned)dimension),
               rms_norm_rows);
}

__global__ void rms_norm_gradient_rows(const float *x, const float *gamma, const float *dy, float *dx,
                                       float *scales, size_t rows, unsigned heads, unsigned dimension) {
    size_t row;
    bool writes = warp_row(rows, row);
    const float *weight = gamma + row % heads * dimension, *from = x + row * dimension;
    float length = row_length(from, dimension);
    bool floored = !(length > 1e-12f);
    float inverse = 1 / (floored ? 1e-12f : length), scale = sqrtf((float)dimension) * inverse;
    float along = 0;
    FOR_COLUMNS(d, dimension) along += dy[row * dimension + d] * weight[d] * (from[d] * inverse);
    along = warp_sum(along);
    if (floored) along = 0;
    if (!writes) return;
    FOR_COLUMNS(d, dimension)
    dx[row * dimension + d] = scale * (dy[row * dimension + d] * weight[d] - from[d] * inverse * along);
    if (threadIdx.x % 32 == 0) scales[row] = scale;
}

struct RMSNormSums {
    enum { COUNT = 1 };
    const float *x, *dy, *scales;
    unsigned columns, heads, dimension;
    __device__ void operator()(unsigned row, unsigned column, float *sums) const {
        size_t i = (size_t)row * columns + column;
        sums[0] += dy[i] * x[i] * scales[(size_t)row * heads + column / dimension];
    }
};

static void rms_norm_gradients(const float *x, const float *gamma, const float *dy, float *dx, float *dgamma,
                               size_t tokens, size_t heads, size_t dimension) {
    size_t rows = tokens * heads, columns = heads * dimension;
    Scratch scales(rows * sizeof(float));
    if (rows > 0)
        LAUNCH(blocks_for(rows, WARPS), 32 * WARPS,
               (x, gamma, dy, dx, scales.floats(), rows, (unsigned)heads, (unsigned)dimension),
               rms_norm_gradient_rows);
    float *const targets[1] = {dgamma};
    column_sums(RMSNormSums{x, dy, scales.floats(), (unsigned)columns, (unsigned)heads, (unsigned)dimension}, nullptr,
                1, tokens, tokens, columns, targets);
}

// ---- rows of segments and a row of factors for each

struct MultiplySegments {
    const float *x, *factors;
    const int32_t *starts;
    unsigned segments;
    const float *a;
    float *y;
    unsigned columns;
    __device__ void operator()(unsigned i) const {
        unsigned row = i / columns;
        float value = x[i] * factors[(size_t)segment_of(starts, segments, row) * columns + (i - row * columns)];
        y[i] = a ? a[i] + value : value;
    }
};

static void multiply_segments(const float *x, const float *factors, const int32_t *starts, size_t segments,
                              const float *a, float *y, size_t rows, size_t columns) {
    for_each(rows * columns,
             MultiplySegments{x, factors, starts, (unsigned)segments, a, y, (unsigned)columns});
}

static void sum_segments(const float *x, const float *other, const int32_t *starts, size_t segments, size_t longest,
                         float *y, size_t rows, size_t columns) {
    float *const targets[1] = {y};
    column_sums(ColumnProduct{x, other, (unsigned)columns}, starts, segments, longest, rows, columns, targets);
}

// ---- softmax

__global__ void softmax_rows(const float *x, float *y, size_t rows, unsigned columns) {
    size_t row;
    bool writes = warp_row(rows, row);
    const float *from = x + row * columns;
    float most = -INFINITY;
    FOR_COLUMNS(c, columns) most = fmaxf(most, from[c]);
    most = warp_max(most);
    if (most == -INFINITY) most = 0;
    float total = 0;
    FOR_COLUMNS(c, columns) total += expf(from[c] - most);
    total = warp_sum(total);
    float scale = total > 0 ? 1 / total : 0;
    if (!writes) return;
    FOR_COLUMNS(c, columns) y[row * columns + c] = expf(from[c] - most) * scale;
}

static void softmax(const float *x, float *y, size_t rows, size_t columns) {
    if (rows > 0)
        LAUNCH(blocks_for(rows, WARPS), 32 * WARPS, (x, y, rows, (unsigned)columns), softmax_rows);
}

__global__ void softmax_gradient_rows(const float *y, const float *dy, float *dx, size_t rows, unsigned columns) {
    size_t row;
    bool writes = warp_row(rows, row);
    float along = 0;
    FOR_COLUMNS(c, columns) along += y[row * columns + c] * dy[row * columns + c];
    along = warp_sum(along);
    if (!writes) return;
    FOR_COLUMNS(c, columns) dx[row * columns + c] = y[row * columns + c] * (dy[row * columns + c] - along);
}

static void softmax_gradient(const float *y, const float *dy, float *dx, size_t rows, size_t columns) {
    if (rows > 0)
        LAUNCH(blocks_for(rows, WARPS), 32 * WARPS, (y, dy, dx, rows, (unsigned)columns), softmax_gradient_rows);
}
