/**
 * Calls `work` for each item, begun in the items' order, at most `limit` at once; 1: one after another. After a
 * failure nothing new is begun, what is under way is waited for, and the first failure is thrown.
 */
export async function forEachAtOnce<T>(
  items: Iterable<T> | AsyncIterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  const failures: unknown[] = [];
  const workOff = async (): Promise<void> => {
    try {
      while (failures.length === 0) {
        const coming = iterator.next();
        const next = coming instanceof Promise ? await coming : coming;
        if (next.done === true) return;
        await work(next.value);
      }
    } catch (error) {
      failures.push(error);
    }
  };
  await Promise.all(Array.from({ length: limit }, workOff));
  if (failures.length === 0) return;
  await iterator.return?.();
  throw failures[0];
}

/**
 * The results of `work` for each item, in the items' order, at most `limit` on their way. After a failure nothing new
 * is begun; it is thrown in its turn.
 */
export async function* mapAtOnce<T, R>(
  items: AsyncIterable<T>,
  limit: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R, void, undefined> {
  const ahead: Promise<R>[] = [];
  try {
    for await (const item of items) {
      const result = work(item);
      // Thrown in its turn.
      result.catch(() => undefined);
      ahead.push(result);
      if (ahead.length >= limit) yield await (ahead.shift() as Promise<R>);
    }
    while (ahead.length > 0) yield await (ahead.shift() as Promise<R>);
  } finally {
    await Promise.allSettled(ahead);
  }
}
