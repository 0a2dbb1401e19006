/** Below that a buffer may be a slice of the pool that Node keeps for small ones. */
const leastBytes = 128 << 10;

/**
 * Gives the memory of a buffer back at once, where it owns all of it but for `unusedBytes`. Only for buffers that
 * nobody else needs: they become empty. The collector alone lets tens of MiB a stream gather, and runs again and
 * again because of them.
 */
export function releaseMemory(bytes: Uint8Array, unusedBytes = 0): void {
  const { buffer } = bytes;
  const ownsIt = buffer.byteLength >= leastBytes && buffer.byteLength - bytes.byteLength <= unusedBytes;
  if (ownsIt && buffer instanceof ArrayBuffer) buffer.transfer(0);
}
