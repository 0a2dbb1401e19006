/**
 * The product's engine with kill points around its calls of the catalog, of workers and of processes. Takes one
 * operation to its end as `lc2 serve` does, tending what a dead one left; started again, it goes on. Ends with 0, or
 * with 3 and the failure on standard error.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { BackupSpec, RestoreSpec } from "../../src/contract/operations.ts";
import type { Lc2Service } from "../../src/contract/service.ts";
import { Failure } from "../../src/core/failure.ts";
import type { Catalog } from "../../src/core/ports/catalog.ts";
import { readConfig } from "../../src/main/config.ts";
import { loadCatalog } from "../../src/main/open-catalog.ts";
import { openEngine, type Engine } from "../../src/main/service.ts";
import { KillPoints, readKillOrder } from "./kill-points.ts";

export type EngineCall =
  | { readonly verb: "backup"; readonly id: string; readonly spec: BackupSpec }
  | { readonly verb: "restore"; readonly id: string; readonly spec: RestoreSpec }
  | { readonly verb: "undo"; readonly id: string }
  | { readonly verb: "delete"; readonly id: string };

/** These look, or renew a lease; timers call them, so that their number is another in every run. */
const isRepeated = (method: string): boolean => /^(?:get|list|find|count|observe|renew|close)/.test(method);

const call = JSON.parse(process.argv[2] ?? "") as EngineCall;
const points = new KillPoints("engine", readKillOrder());
const config = readConfig();
const openCatalog = await loadCatalog(config.catalog);
const engine = openEngine(
  config,
  () => points.wrap<Catalog>("catalog", openCatalog(), (method) => !isRepeated(method)),
  {
    isTended: true,
    onNotice: () => undefined,
    workerCommand: [process.execPath, fileURLToPath(new URL("worker-program.ts", import.meta.url))],
    wrapLauncher: (launcher) => points.wrap("launcher", launcher, (method) => method === "launch"),
  },
);

try {
  await engine.tend(new AbortController().signal);
  await carryOut(engine, engine.service);
} catch (error) {
  const failure = Failure.from(error);
  process.stderr.write(`${failure.code}: ${failure.message}\n`);
  process.exitCode = 3;
}
await engine.service.close();

async function carryOut(engine: Engine, service: Lc2Service): Promise<void> {
  const waiting = { signal: new AbortController().signal, onEvent: () => undefined };
  switch (call.verb) {
    case "backup":
      await service.submitBackup(call.spec, { operationId: call.id });
      return await runUntil(engine, async () => (await service.getBackup({ backupId: call.id })).status);
    case "restore":
      await service.submitRestore(call.spec, { operationId: call.id });
      return await runUntil(engine, async () => (await service.getRestore(call.id)).status);
    case "undo":
      // What the dead process had done whole was recorded by `tend`.
      if ((await service.getRestore(call.id)).undone === undefined)
        await service.undoRestore(call.id, waiting);
      return;
    case "delete":
      await service.deleteBackup({ backupId: call.id }, { dryRun: false }, waiting).catch(acceptGone);
  }
}

/** Another one has deleted it, up to its last step. */
function acceptGone(error: unknown): void {
  if (Failure.from(error).code !== "backup-not-found") throw error;
}

async function runUntil(engine: Engine, status: () => Promise<string>): Promise<void> {
  const stopping = new AbortController();
  const running = engine.runQueue(stopping.signal);
  while (!["Completed", "Failed", "Cancelled"].includes(await status())) await sleep(50);
  stopping.abort();
  await running;
  while (engine.unfinished() > 0) await sleep(20);
}
