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
