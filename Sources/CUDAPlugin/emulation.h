// Runs the plug-in's kernels on the processor, so that they can be tested where there is no GPU: blocks one after the
// other, the threads of a block as coroutines that change places where they wait for each other. Memory of the "device"
// is apart from the host's and starts as NaN, so that a forgotten copy shows.

#pragma once

#include <cblas.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

#define __global__ static
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

struct alignas(16) float4 {
    float x, y, z, w;
};

static inline float4 make_float4(float x, float y, float z, float w) { return float4{x, y, z, w}; }

static dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace emulation {

enum { MOST = 1024, STACK = 64 << 10 };

static char *stacks;
static unsigned current, width;
static bool ended[MOST];
static float lanes[MOST];
// Waiting places: one of the whole block, and one for each of its warps.
struct Barrier {
    unsigned waiting, generation;
};
static Barrier barriers[1 + MOST / 32];
static int votes;
static void (*body)(const void *);
static const void *body_context;

#if defined(__x86_64__)
static void *threads[MOST], *scheduler;
extern "C" void ssdf_emulation_switch(void **from, void *to);
__asm__(
    ".text\n.type ssdf_emulation_switch,@function\nssdf_emulation_switch:\n"
    "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
    "movq %rsp,(%rdi)\nmovq %rsi,%rsp\n"
    "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n");
static void yield() { ssdf_emulation_switch(&threads[current], scheduler); }
#else
static ucontext_t threads[MOST], scheduler;
static void yield() { swapcontext(&threads[current], &scheduler); }
#endif

static void start() {
    body(body_context);
    ended[current] = true;
    for (;;) yield();
}

static void prepare(unsigned thread) {
    ended[thread] = false;
    char *top = stacks + (size_t)(thread + 1) * STACK;
#if defined(__x86_64__)
    // As if `start` had been called: the stack is one word off a multiple of 16.
    void **at = (void **)top - 1;
    *--at = (void *)start;
    for (int i = 0; i < 6; i++) *--at = nullptr;
    threads[thread] = at;
#else
    getcontext(&threads[thread]);
    threads[thread].uc_stack.ss_sp = top - STACK;
    threads[thread].uc_stack.ss_size = STACK;
    makecontext(&threads[thread], start, 0);
#endif
}

static void wait(Barrier &barrier, unsigned count) {
    unsigned generation = barrier.generation;
    if (++barrier.waiting == count) {
        barrier.waiting = 0;
        barrier.generation++;
        return;
    }
    while (barrier.generation == generation) yield();
}

static Barrier &warp_barrier(unsigned &count) {
    unsigned warp = current / 32;
    count = width - warp * 32 < 32 ? width - warp * 32 : 32;
    return barriers[1 + warp];
}

template <class Body>
static void run(dim3 grid, dim3 block, const Body &one) {
    if (!stacks) stacks = (char *)malloc((size_t)MOST * STACK);
    width = block.x;
    gridDim = grid;
    blockDim = block;
    body = [](const void *context) { (*(const Body *)context)(); };
    body_context = (const void *)&one;
    for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++)
            for (unsigned x = 0; x < grid.x; x++) {
                blockIdx = dim3(x, y, z);
                memset(barriers, 0, sizeof barriers);
                for (unsigned t = 0; t < width; t++) prepare(t);
                for (unsigned left = width; left > 0;)
                    for (current = 0; current < width; current++) {
                        if (ended[current]) continue;
                        threadIdx = dim3(current, 0, 0);
#if defined(__x86_64__)
                        ssdf_emulation_switch(&scheduler, threads[current]);
#else
                        swapcontext(&scheduler, &threads[current]);
#endif
                        if (ended[current]) left--;
                    }
            }
}

}  // namespace emulation

static inline void __syncthreads() {
    emulation::wait(emulation::barriers[0], emulation::width);
}

static inline int __syncthreads_or(int vote) {
    if (vote) emulation::votes = 1;
    __syncthreads();
    int result = emulation::votes;
    __syncthreads();
    emulation::votes = 0;
    __syncthreads();
    return result;
}

static inline float __shfl_xor_sync(unsigned, float value, int mask) {
    unsigned count, me = emulation::current;
    emulation::Barrier &barrier = emulation::warp_barrier(count);
    emulation::lanes[me] = value;
    emulation::wait(barrier, count);
    float other = emulation::lanes[me ^ (unsigned)mask];
    emulation::wait(barrier, count);
    return other;
}

static inline float rsqrtf(float x) { return 1 / sqrtf(x); }
