/**
 * How workers are started so that their peak memory stays low; measured with 200,000 small files and one large
 * one, together 277 → 220 MiB, at the same speed.
 *
 * - They make much short-lived garbage; the default young generation (16 MiB and more) collects it late.
 * - glibc gives each thread of the pool an arena of its own, which keeps what was freed.
 */
export const workerNodeOptions: readonly string[] = ["--max-semi-space-size=4"];

export const workerMemoryVariables: Readonly<Record<string, string>> = { MALLOC_ARENA_MAX: "2" };
