// The face of a plug-in that runs the engine's operations on another processor: a shared library with one function,
// ssdf_device_open, which returns a table. Sources/CUDAPlugin implements it for NVIDIA processors.
//
// Pointers named in operations lie in the device's memory (`allocate`), in f32, row-major, unless said otherwise.
// Operations run in the order they are called in; they return before they have finished, and `download` waits for those
// before it. Operations come from one thread at a time; other threads may ask for memory and transfers meanwhile. What goes
// wrong on the device ends the process through the function given to ssdf_device_open.

#ifndef SSDF_DEVICE_H
#define SSDF_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define _Nonnull
#define _Nullable
extern "C" {
#endif

// Raised with every change of this file: a plug-in of another number is refused.
#define SSDF_DEVICE_INTERFACE 3

// A range of queries (or keys) that one unit of work computes, and the keys (or queries) that they meet.
struct ssdf_device_tile {
    int32_t first, count;              // places of the tile's own side
    int32_t other_first, other_count;  // places of the other side
    int32_t block;                     // block of the keys, counted in their batch item; for tiles of keys
};

// Softmax attention of heads over segments. Query head h uses key/value head h / (heads / key_heads).
struct ssdf_device_attention {
    const float *_Nonnull q;              // [Nq, heads, dimension]
    const float *_Nonnull k;              // [Nk, key_heads, dimension]
    const float *_Nonnull v;              // [Nk, key_heads, dimension]
    const int32_t *_Nullable query_rows;  // token of each place; null: place and token are the same
    const int32_t *_Nullable key_rows;
    // Tiles of at most 64 queries, which meet keys `other`, or, with `selected`, blocks `other` of `block_starts`; and of
    // at most 64 keys, which meet queries `other`.
    const struct ssdf_device_tile *_Nonnull query_tiles;
    const struct ssdf_device_tile *_Nonnull key_tiles;
    size_t query_tile_count, key_tile_count;
    const int32_t *_Nullable selected;  // [key_heads, tokens, best]: blocks of each token, ascending, −1 after the last
    const int32_t *_Nullable block_starts;
    const float *_Nullable gate;  // factor of token t's result at gate[t·gate_stride]
    int32_t gate_stride, best, tokens, heads, key_heads, dimension;
    // Where all segments are as long and follow each other, rows as they are: their number, queries and keys of each; 0
    // where not.
    int32_t segments, segment_queries, segment_keys;
    float scale;
    int32_t adds;  // results are added to y; dq, dk and dv too
};

struct ssdf_device_adam {
    float rate, beta1, beta2, epsilon, decay;
    float correction1, correction2;  // 1 − βᵗ
    float gradient_scale;
};

struct ssdf_device_copy {
    const float *_Nullable from;
    float *_Nonnull to;
    size_t count;
};

// Losses of element_loss.
enum ssdf_device_loss { SSDF_LOSS_HUBER = 0, SSDF_LOSS_CROSS_ENTROPY = 1 };

struct ssdf_device {
    int interface;
    char name[256];
    size_t memory;  // bytes free when it was opened
    // What has been done since: launches, transfers and their bytes.
    size_t launches, uploads, uploaded, downloads, downloaded;

    // ---- memory
    void *_Nonnull (*_Nonnull allocate)(size_t bytes);
    void (*_Nonnull release)(void *_Nonnull, size_t bytes);
    // The host's bytes may be changed as soon as `upload` returns.
    void (*_Nonnull upload)(void *_Nonnull device, const void *_Nonnull host, size_t bytes);
    void (*_Nonnull download)(void *_Nonnull host, const void *_Nonnull device, size_t bytes);
    void (*_Nonnull copy)(void *_Nonnull to, const void *_Nonnull from, size_t bytes);
    void (*_Nonnull finish)(void);
    // Whether products may round their operands to TF32 (10 bits of fraction).
    void (*_Nonnull set_rounding)(int tf32);

    // ---- products: y [rows, outputs] = x [rows, inputs] · weight [outputs, inputs]ᵀ + bias; and the gradients that are
    // not null
    void (*_Nonnull linear)(const float *_Nonnull x, const float *_Nonnull weight, const float *_Nullable bias,
                            float *_Nonnull y, size_t rows, size_t inputs, size_t outputs);
    void (*_Nonnull linear_gradients)(const float *_Nonnull x, const float *_Nonnull weight,
                                      const float *_Nonnull dy, float *_Nullable dx, float *_Nullable dweight,
                                      float *_Nullable dbias, size_t rows, size_t inputs, size_t outputs);

    // ---- pointwise; functions and broadcasts by the numbers of ssdf_neural.h; y may be an operand
    void (*_Nonnull apply)(int function, const float *_Nonnull x, float *_Nonnull y, size_t count);
    void (*_Nonnull apply_gradient)(int function, const float *_Nonnull x, const float *_Nonnull dy,
                                    float *_Nonnull dx, size_t count);
    void (*_Nonnull add)(const float *_Nonnull a, const float *_Nonnull b, float scale, int broadcast,
                         float *_Nonnull y, size_t rows, size_t columns);
    void (*_Nonnull multiply)(const float *_Nonnull a, const float *_Nonnull b, int broadcast, float *_Nonnull y,
                              size_t rows, size_t columns);
    void (*_Nonnull affine)(const float *_Nonnull x, float scale, float shift, float *_Nonnull y, size_t count);
    void (*_Nonnull fill)(float *_Nonnull y, float value, size_t count);
    // y[i] = scale · x[0]
    void (*_Nonnull spread)(const float *_Nonnull x, float scale, float *_Nonnull y, size_t count);
    // y[0] = scale · Σ x
    void (*_Nonnull total)(const float *_Nonnull x, float scale, float *_Nonnull y, size_t count);
    // y [columns] (row broadcast) or [rows] (column broadcast) = Σ x·other; other null: 1
    void (*_Nonnull sum)(const float *_Nonnull x, const float *_Nullable other, int broadcast, float *_Nonnull y,
                         size_t rows, size_t columns);
    double (*_Nonnull dot)(const float *_Nonnull a, const float *_Nonnull b, size_t count);
    void (*_Nonnull element_loss)(int loss, float delta, const float *_Nonnull x, const float *_Nonnull target,
                                  float *_Nonnull values, float *_Nonnull slopes, size_t count);
    // For each of the copies (in host memory): to[i] = from[i], or to[i] += from[i] where `adds`; a null source is 0.
    void (*_Nonnull copy_all)(const struct ssdf_device_copy *_Nonnull copies, size_t count, int adds);

    // ---- norms over rows. Segment s of the rows is starts[s] ..< starts[s + 1] and has a row of weight and bias of its
    // own; starts null: one segment. `longest` is the rows of the longest segment.
    void (*_Nonnull layer_norm)(const float *_Nonnull x, const float *_Nullable weight, const float *_Nullable bias,
                                const int32_t *_Nullable starts, size_t segments, float epsilon, float *_Nonnull y,
                                size_t rows, size_t columns);
    void (*_Nonnull layer_norm_gradients)(const float *_Nonnull x, const float *_Nullable weight,
                                          const float *_Nonnull dy, const int32_t *_Nullable starts,
                                          size_t segments, size_t longest, float epsilon, float *_Nonnull dx,
                                          float *_Nullable dweight, float *_Nullable dbias, size_t rows,
                                          size_t columns);
    // y = x · the row of factors of each row's segment, plus a unless that is null; y may be an operand
    void (*_Nonnull multiply_segments)(const float *_Nonnull x, const float *_Nonnull factors,
                                       const int32_t *_Nullable starts, size_t segments, const float *_Nullable a,
                                       float *_Nonnull y, size_t rows, size_t columns);
    // y [segments, columns] = Σ x·other over the rows of each segment
    void (*_Nonnull sum_segments)(const float *_Nonnull x, const float *_Nonnull other,
                                  const int32_t *_Nullable starts, size_t segments, size_t longest,
                                  float *_Nonnull y, size_t rows, size_t columns);
    void (*_Nonnull rms_norm)(const float *_Nonnull x, const float *_Nonnull gamma, float *_Nonnull y,
                              size_t tokens, size_t heads, size_t dimension);
    void (*_Nonnull rms_norm_gradients)(const float *_Nonnull x, const float *_Nonnull gamma,
                                        const float *_Nonnull dy, float *_Nonnull dx, float *_Nonnull dgamma,
                                        size_t tokens, size_t heads, size_t dimension);
    void (*_Nonnull softmax)(const float *_Nonnull x, float *_Nonnull y, size_t rows, size_t columns);
    void (*_Nonnull softmax_gradient)(const float *_Nonnull y, const float *_Nonnull dy, float *_Nonnull dx,
                                      size_t rows, size_t columns);

    // ---- rows and columns
    void (*_Nonnull gather)(const float *_Nonnull x, const int32_t *_Nonnull index, float *_Nonnull y, size_t count,
                            size_t columns);
    // y[t] = weights[t] · Σ x[members[j]], starts[t] <= j < starts[t + 1]; weights null: 1
    void (*_Nonnull reduce)(const float *_Nonnull x, const int32_t *_Nonnull starts,
                            const int32_t *_Nonnull members, const float *_Nullable weights, float *_Nonnull y,
                            size_t targets, size_t columns, size_t longest);
    void (*_Nonnull copy_columns)(const float *_Nonnull x, size_t x_columns, size_t source, float *_Nonnull y,
                                  size_t y_columns, size_t target, size_t rows, size_t count);
    void (*_Nonnull transpose)(const float *_Nonnull x, float *_Nonnull y, size_t batches, size_t rows,
                               size_t columns);

    // ---- attention, dimension at most `attention_dimension`. lse [Nq, heads] takes ln Σ exp(score).
    int attention_dimension;
    void (*_Nonnull attention)(const struct ssdf_device_attention *_Nonnull, float *_Nonnull y,
                               float *_Nullable lse);
    // delta [Nq, heads] takes Σ y·dy without the gate; with y null it is computed by a pass of its own. Keys that no
    // tile holds keep their dk and dv.
    void (*_Nonnull attention_gradients)(const struct ssdf_device_attention *_Nonnull, const float *_Nullable y,
                                         const float *_Nonnull lse, const float *_Nonnull dy,
                                         float *_Nonnull delta, float *_Nonnull dq, float *_Nonnull dk,
                                         float *_Nonnull dv);
    // Chooses for every token and key/value head the `best` blocks with the largest score, the sum of the softmax over
    // the query heads of the group and the keys of the block, as ssdf_attention's compressed_forward does. Query tiles
    // meet the compressed keys; blocks[i] is the number of blocks of query tile i's batch item; scores
    // [key_heads, tokens, most] takes the scores.
    void (*_Nonnull select_blocks)(const struct ssdf_device_attention *_Nonnull, const float *_Nonnull lse,
                                   const int32_t *_Nonnull block_of_key, const int32_t *_Nonnull blocks,
                                   size_t most, float *_Nonnull scores, int32_t *_Nonnull selected);
    // dgates [tokens, 3]: column c takes Σ over the heads of deltas[c·tokens·heads …]
    void (*_Nonnull gate_gradients)(const float *_Nonnull deltas, float *_Nonnull dgates, size_t tokens,
                                    size_t heads);

    // ---- optimiser
    void (*_Nonnull adam_step)(const struct ssdf_device_adam *_Nonnull, float *_Nonnull weight,
                               const float *_Nonnull gradient, float *_Nonnull first, float *_Nonnull second,
                               size_t count);
};

// The table of the first device, or null with the reason in `message`. `end` is told in one line what went wrong on the
// device, and does not return.
typedef const struct ssdf_device *_Nullable (*ssdf_device_opener)(int interface, void (*_Nonnull end)(const char *_Nonnull),
                                                                  char *_Nonnull message, size_t size);

#ifdef __cplusplus
}
#endif

#endif
