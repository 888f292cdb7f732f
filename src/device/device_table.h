/* SPDX-License-Identifier: Apache-2.0 */
/* The table of functions of a kind of device, in plain C: no C++ object, exception or type crosses it, so that a module may be built by another
 * compiler and loaded with dlopen. A module exports
 *     const flx_device_table *flx_device_module(int32_t version);
 * which returns its table, or NULL if it cannot serve that version (then flx_device_module_error() says why, if it is exported).
 *
 * Every function that returns int32_t returns FLX_DEVICE_OK or what went wrong; last_error() then has the text, per thread. All functions may be
 * called from any thread; calls on one queue are made by one thread at a time. Only event_wait blocks (and the frees may). Work in one queue runs
 * in order; queues are independent of each other except through events. */
#ifndef FLEXOR_DEVICE_TABLE_H_
#define FLEXOR_DEVICE_TABLE_H_
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FLX_DEVICE_TABLE_VERSION 2

enum {
  FLX_DEVICE_OK = 0,
  FLX_DEVICE_NOT_READY = 1,  /* event_query: the work before the event is not done yet */
  FLX_DEVICE_MEMORY = 2,     /* out of memory: caches may be freed and the call tried again */
  FLX_DEVICE_ERROR = 3,      /* this call failed and did nothing; the device is well */
  FLX_DEVICE_LOST = 4,       /* work that was accepted failed: what is on the device is not to be trusted any more */
  FLX_DEVICE_NO_KERNEL = 5,  /* a kernel does not serve these dtypes or shapes; nothing was done */
  FLX_DEVICE_NOT_DETERMINISTIC = 6 /* a kernel serves them, but not with the same bits each time, as it was asked to; nothing was done */
};
/* The device is the queue's. To a peer: from it to another one of its kind (peer_access). */
enum { FLX_COPY_TO_DEVICE = 0, FLX_COPY_TO_HOST = 1, FLX_COPY_ON_DEVICE = 2, FLX_COPY_TO_PEER = 3 };

/* every to[] becomes the sum of all from[]; to[root] becomes it, and the others' are not looked at; every to[] becomes from[root], likewise */
enum { FLX_COLLECTIVE_ALL_REDUCE = 0, FLX_COLLECTIVE_REDUCE = 1, FLX_COLLECTIVE_BROADCAST = 2 };
typedef struct flx_collective_part {
  const void *const *from; /* one of each device */
  void *const *to;
  int64_t count;
  int32_t dtype, root;
} flx_collective_part;

typedef struct flx_device_queue flx_device_queue;
typedef struct flx_device_event flx_device_event;
typedef void (*flx_device_function)(void); /* cast to the type that name and signature stand for */

/* Kernels: the framework looks up (name, signature hash), so that a module of another build is refused per kernel, not believed. */
typedef struct flx_device_kernel {
  const char *name;
  uint64_t signature;
  flx_device_function function;
} flx_device_kernel;

typedef struct flx_device_table {
  uint32_t size;          /* sizeof(flx_device_table) as the module saw it: entries beyond it are absent */
  int32_t version;        /* FLX_DEVICE_TABLE_VERSION */
  const char *kind;       /* "cpu", "gpu", "fake" */

  int32_t (*count)(void); /* devices there are; 0 is legal, and last_error() then says why */
  /* Lines of `key value` (name, memory bytes, cores, compute capability ...), at most `capacity` bytes with the final 0. */
  int32_t (*properties)(int32_t device, char *text, int64_t capacity);
  int32_t (*memory_info)(int32_t device, int64_t *free_bytes, int64_t *total_bytes);
  const char *(*last_error)(void);

  int32_t (*alloc)(int32_t device, int64_t bytes, void **out); /* raw memory, at least 64-byte aligned */
  int32_t (*free)(int32_t device, void *p, int64_t bytes);     /* no work that uses it is under way */
  int32_t (*pinned_alloc)(int32_t device, int64_t bytes, void **out); /* host memory that copies overlap with */
  int32_t (*pinned_free)(int32_t device, void *p, int64_t bytes);

  int32_t (*queue_create)(int32_t device, int32_t priority, flx_device_queue **out);
  int32_t (*queue_destroy)(flx_device_queue *q);
  int32_t (*copy)(flx_device_queue *q, void *to, const void *from, int64_t bytes, int32_t direction);
  int32_t (*fill)(flx_device_queue *q, void *to, const void *pattern, int32_t pattern_bytes, int64_t count); /* pattern_bytes 1, 2, 4 or 8 */

  int32_t (*event_create)(int32_t device, flx_device_event **out);
  int32_t (*event_record)(flx_device_event *e, flx_device_queue *q);     /* marks the work issued to q so far */
  int32_t (*event_query)(flx_device_event *e);                           /* OK, NOT_READY, or how that work failed */
  int32_t (*event_wait)(flx_device_event *e);                            /* the calling thread waits */
  int32_t (*queue_wait)(flx_device_queue *q, flx_device_event *e);       /* later work of q waits; the caller does not */
  int32_t (*event_destroy)(flx_device_event *e);

  const flx_device_kernel *kernels;
  int32_t kernel_count;

  /* Optional: null where a device cannot. */
  int32_t (*capture_begin)(flx_device_queue *q);
  int32_t (*capture_end)(flx_device_queue *q, void **graph);
  int32_t (*graph_launch)(flx_device_queue *q, void *graph);
  int32_t (*graph_destroy)(void *graph);
  /* Programs from source, CUDA C++. compiler: what a binary depends on besides its source (the compiler, its version and options, the architecture).
   * compile gives the binary to `keep`, in this call; program_load takes it on any device of which compiler says the same. A program is one kernel
   * that takes one argument by value, `bytes` long, which is gone when program_launch returns. */
  int32_t (*compiler)(int32_t device, char *text, int64_t capacity);
  int32_t (*compile)(int32_t device, const char *source, int32_t (*keep)(void *context, const void *binary, int64_t bytes), void *context);
  int32_t (*program_load)(int32_t device, const void *binary, int64_t bytes, const char *name, void **program);
  int32_t (*program_launch)(flx_device_queue *q, void *program, int64_t grid, int64_t block, const void *argument, int64_t bytes);
  int32_t (*program_destroy)(void *program);
  /* Whether queues of `device` can copy to memory of `peer` (FLX_COPY_TO_PEER), of the same kind; the first call opens the way. Else such copies go by
   * way of the host. */
  int32_t (*peer_access)(int32_t device, int32_t peer);
  /* Sums and copies over several devices at once: all of these, or none. A group is of different devices; queues[i], from[i] and to[i] are of the i-th, and
   * its to[i] may be its from[i]. All dtypes but bool and the 16-bit integers are served; sums may have another order than the devices'. `n` of them, one or
   * more, are done in any order, or at once: no part writes what another one uses. */
  int32_t (*group_create)(int32_t n, const int32_t *devices, void **out);
  int32_t (*group_destroy)(void *group);
  int32_t (*collective)(void *group, int32_t what, flx_device_queue *const *queues, const flx_collective_part *parts, int32_t n);
} flx_device_table;

typedef const flx_device_table *(*flx_device_module_function)(int32_t version);

#ifdef __cplusplus
}
#endif
#endif
