/** Starts a server of major `MAJOR`, prints where it is and waits to be killed. */
import { setTimeout as pause } from "node:timers/promises";
import { ensurePostgresServers, startPostgres } from "../../demo/postgres-servers.ts";

const [installation] = await ensurePostgresServers({ majors: [Number(process.env["MAJOR"])] });
if (installation === undefined) throw new Error("no such major");
const { pid, directory } = await startPostgres(installation);
console.log(JSON.stringify({ pid, directory }));
await pause(600_000);
