/**
 * How workers are started so that their peak memory stays low without collecting all the time.
 *
 * - They make much short-lived garbage beside buffers outside of the heap; the default young generation (16 MiB and
 *   more) collects both late. How often V8 collects the young generation goes by its largest size.
 * - The heap may grow by 60 % between two collections of all of it. V8's own way for little memory
 *   (`--optimize-for-size`, 30 %, and a young generation of 1 MiB whatever else is asked for) takes 35 % more processor
 *   time for a bucket of small objects and saves 10 MiB; its ordinary one takes no less and needs 60 MiB more.
 * - glibc gives each thread of the pool an arena of its own, which keeps what was freed.
 */
export const workerNodeOptions: readonly string[] = ["--max-semi-space-size=2", "--heap-growing-percent=60"];

export const workerMemoryVariables: Readonly<Record<string, string>> = { MALLOC_ARENA_MAX: "2" };
