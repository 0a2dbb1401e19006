import { indexMemory } from "../../core/restore/index-memory.ts";
import { connect, type Connection } from "../../postgres/connection.ts";

/** Options of sessions that load a database on this server with so many jobs, as `PGOPTIONS` has them. */
export async function readLoadingSettings(connection: Connection, jobs: number): Promise<string> {
  const client = await connect(connection, { applicationName: "lc2 restore" });
  try {
    const { rows } = await client.query<{ cache: string; maintenance: string }>(
      `SELECT pg_size_bytes(current_setting('shared_buffers')) AS cache,
              pg_size_bytes(current_setting('maintenance_work_mem')) AS maintenance`,
    );
    const [row] = rows;
    if (row === undefined) throw new Error("the server did not say its settings");
    const server = { cacheBytes: Number(row.cache), maintenanceBytes: Number(row.maintenance) };
    return `-c maintenance_work_mem=${Math.floor(indexMemory(server, jobs) / 1024)}kB`;
  } finally {
    await client.end();
  }
}
