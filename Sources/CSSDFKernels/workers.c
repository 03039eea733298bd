#include "ssdf_workers.h"

#include <pthread.h>

// A call of ssdf_run_workers, on its caller's stack. It is listed while it has workers to give away.
struct job {
    ssdf_task task;
    void *context;
    size_t next, workers, running;
    struct job *newer, *older;
    pthread_cond_t done;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER;
// Newest first: a loop inside another one is finished before more of the outer one is begun.
static struct job *jobs;
static size_t threads, idle;

// The frames of the engine and of the libraries beneath it are small; a limit on memory counts all of a stack.
enum { STACK_BYTES = 4 << 20 };

static void list(struct job *job) {
    job->older = jobs;
    if (jobs) jobs->newer = job;
    jobs = job;
}

static void withdraw(struct job *job) {
    if (job->newer) job->newer->older = job->older;
    if (job->older) job->older->newer = job->newer;
    if (jobs == job) jobs = job->older;
    job->newer = job->older = NULL;
}

static void *serve(void *unused) {
    (void)unused;
    pthread_mutex_lock(&lock);
    for (;;) {
        struct job *job = jobs;
        if (!job) {
            idle++;
            pthread_cond_wait(&work, &lock);
            idle--;
            continue;
        }
        size_t worker = job->next++;
        if (job->next == job->workers) withdraw(job);
        job->running++;
        pthread_mutex_unlock(&lock);
        job->task(job->context, worker);
        pthread_mutex_lock(&lock);
        if (--job->running == 0) pthread_cond_signal(&job->done);
    }
    return NULL;
}

// With the lock held: makes the pool `count` threads large, or as large as the system lets it.
static void start(size_t count) {
    if (threads >= count) return;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes)) return;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_t thread;
    while (threads < count && pthread_create(&thread, &attributes, serve, NULL) == 0) threads++;
    pthread_attr_destroy(&attributes);
}

void ssdf_start_workers(size_t workers) {
    pthread_mutex_lock(&lock);
    if (workers > 1) start(workers - 1);
    pthread_mutex_unlock(&lock);
}

size_t ssdf_worker_count(void) {
    pthread_mutex_lock(&lock);
    size_t count = threads + 1;
    pthread_mutex_unlock(&lock);
    return count;
}

void ssdf_run_workers(size_t workers, ssdf_task task, void *context) {
    if (workers < 2) {
        task(context, 0);
        return;
    }
    struct job job = {.task = task, .context = context, .next = 1, .workers = workers};
    pthread_cond_init(&job.done, NULL);
    pthread_mutex_lock(&lock);
    start(workers - 1);
    list(&job);
    for (size_t woken = 0; woken < idle && woken < workers - 1; woken++) pthread_cond_signal(&work);
    pthread_mutex_unlock(&lock);
    task(context, 0);
    pthread_mutex_lock(&lock);
    if (job.next < job.workers) withdraw(&job);
    while (job.running > 0) pthread_cond_wait(&job.done, &lock);
    pthread_mutex_unlock(&lock);
    pthread_cond_destroy(&job.done);
}
