// The operations of ssdf_device.h on an NVIDIA processor (sm_80 or later); with SSDF_EMULATION, on none.

#include "attention.h"
#include "pointwise.h"
#include "rows.h"
#include "runtime.h"

// Row-major matrices are column-major ones transposed: yᵀ [outputs, rows] = weight · xᵀ.
static void linear(const float *x, const float *weight, const float *bias, float *y, size_t rows, size_t inputs,
                   size_t outputs) {
    if (rows == 0) return;
    gemm(true, false, outputs, rows, inputs, weight, inputs, x, inputs, 0, y, outputs);
    if (bias) add(y, bias, 1, ROW, y, rows, outputs);
}

static void linear_gradients(const float *x, const float *weight, const float *dy, float *dx, float *dweight,
                             float *dbias, size_t rows, size_t inputs, size_t outputs) {
    if (rows == 0) {
        if (dweight) fill(dweight, 0, outputs * inputs);
        if (dbias) fill(dbias, 0, outputs);
        return;
    }
    if (dx) gemm(false, false, inputs, rows, outputs, weight, inputs, dy, outputs, 0, dx, inputs);
    if (dweight) gemm(false, true, inputs, outputs, rows, x, inputs, dy, outputs, 0, dweight, inputs);
    if (dbias) sum(dy, nullptr, ROW, dbias, rows, outputs);
}

extern "C" __attribute__((visibility("default"))) const struct ssdf_device *ssdf_device_open(
    int interface, void (*end)(const char *), char *message, size_t size) {
    if (interface != SSDF_DEVICE_INTERFACE) {
        snprintf(message, size, "the plug-in has interface %d, expected %d", SSDF_DEVICE_INTERFACE, interface);
        return nullptr;
    }
    end_process = end;
    if (table.interface) return &table;
    if (const char *problem = open_device()) {
        snprintf(message, size, "%s", problem);
        return nullptr;
    }
    table.interface = SSDF_DEVICE_INTERFACE;
    table.allocate = allocate;
    table.release = release;
    table.upload = upload;
    table.download = download;
    table.copy = copy_within;
    table.finish = wait_for_all;
    table.set_rounding = set_rounding;
    table.linear = linear;
    table.linear_gradients = linear_gradients;
    table.apply = apply;
    table.apply_gradient = apply_gradient;
    table.add = add;
    table.multiply = multiply;
    table.affine = affine;
    table.fill = fill;
    table.spread = spread;
    table.total = total;
    table.sum = sum;
    table.dot = dot;
    table.element_loss = element_loss;
    table.copy_all = copy_all;
    table.layer_norm = layer_norm;
    table.layer_norm_gradients = layer_norm_gradients;
    table.multiply_segments = multiply_segments;
    table.sum_segments = sum_segments;
    table.rms_norm = rms_norm;
    table.rms_norm_gradients = rms_norm_gradients;
    table.softmax = softmax;
    table.softmax_gradient = softmax_gradient;
    table.gather = gather;
    table.reduce = reduce;
    table.copy_columns = copy_columns;
    table.transpose = transpose;
    table.attention_dimension = 64;
    table.attention = attention;
    table.attention_gradients = attention_gradients;
    table.select_blocks = select_blocks;
    table.gate_gradients = gate_gradients;
    table.adam_step = adam_step;
    set_rounding(1);
    return &table;
}
