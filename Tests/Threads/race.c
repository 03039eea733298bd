// Two threads write the same number: what Tests/Threads/run expects ThreadSanitizer to find before it believes it.
#include <pthread.h>

static int number;

static void *count(void *unused) {
    (void)unused;
    for (int i = 0; i < 1000; i++) number++;
    return 0;
}

int main(void) {
    pthread_t other;
    if (pthread_create(&other, 0, count, 0) != 0) return 1;
    count(0);
    pthread_join(other, 0);
    return 0;
}
