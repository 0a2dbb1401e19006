const mib = 1 << 20;
/** PostgreSQL sorts no faster with more. */
const mostBytes = 1024 * mib;

/**
 * What the making of one index may take on the target server (`maintenance_work_mem`), in bytes: all that are made
 * at once together no more than the server's own cache. Never less than the server is set to.
 */
export function indexMemory(
  server: { readonly cacheBytes: number; readonly maintenanceBytes: number },
  jobs: number,
): number {
  const share = Math.floor(server.cacheBytes / Math.max(1, jobs));
  return Math.max(server.maintenanceBytes, Math.min(mostBytes, share));
}
