import { frameSlackBytes } from "./zstd-frames.ts";

/** Below that a buffer may be a slice of the pool that Node keeps for small ones. */
const leastReleasedBytes = 256 << 10;

/**
 * Gives the memory of a large buffer back at once, where it owns all of it but for `unusedBytes`. Only for
 * buffers that nobody else needs: they become empty. The collector alone lets tens of MiB a stream gather, and
 * runs again and again because of them.
 */
export function releaseMemory(bytes: Uint8Array, unusedBytes = frameSlackBytes): void {
  const { buffer } = bytes;
  const ownsIt = buffer.byteLength >= leastReleasedBytes && buffer.byteLength - bytes.length <= unusedBytes;
  if (ownsIt && buffer instanceof ArrayBuffer) buffer.transfer(0);
}
