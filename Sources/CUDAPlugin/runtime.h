// What the kernels stand on: memory of the device, transfers, launches and dense products; of CUDA, or of emulation.h.

#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <map>
#include <mutex>
#include <vector>

#include "../CSSDFKernels/include/ssdf_device.h"

#ifdef SSDF_EMULATION
#include "emulation.h"
#else
#include <cublas_v2.h>
#include <cuda_runtime.h>
#endif

static void (*end_process)(const char *);
static struct ssdf_device table;

static void fail(const char *what, const char *why) {
    char line[512];
    snprintf(line, sizeof line, "%s: %s", what, why);
    end_process(line);
    abort();
}

#ifdef SSDF_EMULATION

// Calls the kernel named last with the arguments in parentheses.
#define LAUNCH(grid, block, arguments, ...)                                 \
    do {                                                                    \
        auto *launched = __VA_ARGS__;                                       \
        table.launches++;                                                   \
        emulation::run((grid), (block), [&] { launched arguments; });       \
    } while (0)

static const char *open_device() {
    snprintf(table.name, sizeof table.name, "emulated device");
    table.memory = (size_t)4 << 30;
    return nullptr;
}

static void *raw_allocate(size_t bytes) { return aligned_alloc(256, (bytes + 255) / 256 * 256); }
static void raw_release(void *memory) { free(memory); }
static void poison(void *memory, size_t bytes) { memset(memory, 0xff, bytes); }
static void copy_in(void *device, const void *host, size_t bytes) { memcpy(device, host, bytes); }
static void copy_out(void *host, const void *device, size_t bytes) { memcpy(host, device, bytes); }
static void copy_within(void *to, const void *from, size_t bytes) { memmove(to, from, bytes); }
static void wait_for_all() {}
static void set_rounding(int) {}

// Column-major c [m, n] = op(a) · op(b) + beta · c.
static void gemm(bool ta, bool tb, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                 size_t ldb, float beta, float *c, size_t ldc) {
    table.launches++;
    cblas_sgemm(CblasColMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, (int)m, (int)n,
                (int)k, 1, a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
}

// The same for `count` products, each so many numbers after the one before.
static void gemm_batch(bool ta, bool tb, size_t m, size_t n, size_t k, const float *a, size_t lda, size_t a_step,
                       const float *b, size_t ldb, size_t b_step, float beta, float *c, size_t ldc, size_t c_step,
                       size_t count) {
    for (size_t i = 0; i < count; i++)
        gemm(ta, tb, m, n, k, a + i * a_step, lda, b + i * b_step, ldb, beta, c + i * c_step, ldc);
    table.launches -= count - 1;
}

#else

static cudaStream_t stream;
static cublasHandle_t products;

static void check(cudaError_t status, const char *what) {
    if (status != cudaSuccess) fail(what, cudaGetErrorString(status));
}

static void check(cublasStatus_t status, const char *what) {
    if (status != CUBLAS_STATUS_SUCCESS) fail(what, cublasGetStatusString(status));
}

#define LAUNCH(grid, block, arguments, ...)                                 \
    do {                                                                    \
        auto *launched = __VA_ARGS__;                                       \
        table.launches++;                                                   \
        launched<<<(grid), (block), 0, stream>>> arguments;                 \
        check(cudaGetLastError(), "launch of " #__VA_ARGS__);               \
        if (waits_after_launches) check(cudaStreamSynchronize(stream), #__VA_ARGS__); \
    } while (0)

static bool waits_after_launches;

// Where uploads wait for their turn: memory that the device reads itself, written round and round in parts; a part is
// written again when the device has read all of it.
enum { STAGING_PARTS = 8 };
static char *staging;
static const size_t staging_part = (size_t)32 << 20;
static size_t staging_at;
static cudaEvent_t staging_read[STAGING_PARTS];
static std::mutex staging_mutex;

static const char *open_device() {
    static char message[256];
#define TRY(call)                                                                                    \
    if (cudaError_t status = call) {                                                                 \
        snprintf(message, sizeof message, "%s: %s", #call, cudaGetErrorString(status));              \
        return message;                                                                              \
    }
    int count = 0;
    TRY(cudaGetDeviceCount(&count));
    if (count == 0) return "no NVIDIA device";
    TRY(cudaSetDevice(0));
    cudaDeviceProp properties;
    TRY(cudaGetDeviceProperties(&properties, 0));
    snprintf(table.name, sizeof table.name, "%s", properties.name);
    size_t all;
    TRY(cudaMemGetInfo(&table.memory, &all));
    TRY(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    TRY(cudaMallocHost(&staging, STAGING_PARTS * staging_part));
    for (cudaEvent_t &event : staging_read) TRY(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
#undef TRY
    if (cublasStatus_t status = cublasCreate(&products)) return cublasGetStatusString(status);
    if (cublasStatus_t status = cublasSetStream(products, stream)) return cublasGetStatusString(status);
    waits_after_launches = getenv("SSDF_CUDA_SYNCHRONOUS") != nullptr;
    return nullptr;
}

static void wait_for_all() { check(cudaStreamSynchronize(stream), "waiting for the device"); }

static void *raw_allocate(size_t bytes) {
    void *memory = nullptr;
    cudaError_t status = cudaMalloc(&memory, bytes);
    if (status == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        return nullptr;
    }
    check(status, "allocation");
    return memory;
}

static void raw_release(void *memory) { check(cudaFree(memory), "release"); }
static void poison(void *, size_t) {}

// Of any thread.
static void copy_in(void *device, const void *host, size_t bytes) {
    std::lock_guard<std::mutex> lock(staging_mutex);
    for (size_t done = 0; done < bytes;) {
        size_t part = staging_at / staging_part, room = (part + 1) * staging_part - staging_at;
        size_t now = bytes - done < room ? bytes - done : room;
        memcpy(staging + staging_at, (const char *)host + done, now);
        check(cudaMemcpyAsync((char *)device + done, staging + staging_at, now, cudaMemcpyHostToDevice, stream),
              "upload");
        done += now;
        staging_at = (staging_at + now + 255) / 256 * 256;
        if (staging_at < (part + 1) * staging_part) continue;
        check(cudaEventRecord(staging_read[part], stream), "upload");
        part = (part + 1) % STAGING_PARTS;
        staging_at = part * staging_part;
        check(cudaEventSynchronize(staging_read[part]), "upload");
    }
}

static void copy_out(void *host, const void *device, size_t bytes) {
    check(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream), "download");
    check(cudaStreamSynchronize(stream), "download");
}

static void copy_within(void *to, const void *from, size_t bytes) {
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream), "copy");
}

static void set_rounding(int tf32) {
    check(cublasSetMathMode(products, tf32 ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_DEFAULT_MATH), "math mode");
}

static void gemm(bool ta, bool tb, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                 size_t ldb, float beta, float *c, size_t ldc) {
    const float one = 1;
    table.launches++;
    check(cublasSgemm(products, ta ? CUBLAS_OP_T : CUBLAS_OP_N, tb ? CUBLAS_OP_T : CUBLAS_OP_N, (int)m, (int)n,
                      (int)k, &one, a, (int)lda, b, (int)ldb, &beta, c, (int)ldc),
          "matrix product");
}

static void gemm_batch(bool ta, bool tb, size_t m, size_t n, size_t k, const float *a, size_t lda, size_t a_step,
                       const float *b, size_t ldb, size_t b_step, float beta, float *c, size_t ldc, size_t c_step,
                       size_t count) {
    const float one = 1;
    table.launches++;
    check(cublasSgemmStridedBatched(products, ta ? CUBLAS_OP_T : CUBLAS_OP_N, tb ? CUBLAS_OP_T : CUBLAS_OP_N, (int)m,
                                    (int)n, (int)k, &one, a, (int)lda, (long long)a_step, b, (int)ldb,
                                    (long long)b_step, &beta, c, (int)ldc, (long long)c_step, (int)count),
          "matrix products");
}

#endif

// ---- memory, kept for requests of the same size

static std::map<size_t, std::vector<void *>> idle;
static std::mutex idle_mutex;

static void give_idle_back() {
    wait_for_all();
    for (auto &entry : idle)
        for (void *memory : entry.second) raw_release(memory);
    for (auto &entry : idle) entry.second.clear();
}

// Sizes are rounded up to eighths of a power of two.
static size_t rounded(size_t bytes) {
    size_t step = 512;
    while (step * 16 < bytes) step *= 2;
    return (bytes + step - 1) / step * step + (bytes == 0 ? step : 0);
}

static void *allocate(size_t bytes) {
    std::lock_guard<std::mutex> lock(idle_mutex);
    size_t size = rounded(bytes);
    auto &list = idle[size];
    void *memory;
    if (!list.empty()) {
        memory = list.back();
        list.pop_back();
    } else {
        memory = raw_allocate(size);
        if (!memory) {
            give_idle_back();
            memory = raw_allocate(size);
        }
        if (!memory) {
            char text[64];
            snprintf(text, sizeof text, "%zu bytes could not be had", size);
            fail("out of device memory", text);
        }
    }
    poison(memory, size);
    return memory;
}

// The device works in order, so memory may be lent again while its last use is still to come.
static void release(void *memory, size_t bytes) {
    std::lock_guard<std::mutex> lock(idle_mutex);
    idle[rounded(bytes)].push_back(memory);
}

// Memory for intermediate sums, gone at the end of the scope.
struct Scratch {
    size_t bytes;
    void *memory;
    explicit Scratch(size_t bytes) : bytes(bytes), memory(allocate(bytes)) {}
    ~Scratch() { release(memory, bytes); }
    Scratch(const Scratch &) = delete;
    float *floats() const { return (float *)memory; }
    double *doubles() const { return (double *)memory; }
};

// The transfers of the host's asking.
static void upload(void *device, const void *host, size_t bytes) {
    table.uploads++;
    table.uploaded += bytes;
    copy_in(device, host, bytes);
}

static void download(void *host, const void *device, size_t bytes) {
    table.downloads++;
    table.downloaded += bytes;
    copy_out(host, device, bytes);
}

static unsigned blocks_for(size_t count, size_t each) { return (unsigned)((count + each - 1) / each); }
