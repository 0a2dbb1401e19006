/**
 * A process that people talk to, for tests that kill it: runs one call of the service with fake workers and
 * prints what happens as JSON lines, the last one `result` or `failure`. SIGINT cancels, as in the command line.
 */
import { readConfig } from "../../src/main/config.ts";
import { loadCatalog } from "../../src/main/open-catalog.ts";
import { openService } from "../../src/main/service.ts";
import { Failure } from "../../src/core/failure.ts";
import { fakeWorkerCommand, type EngineCall } from "./fake-engine.ts";

const { dataDirectory, call, leaseSeconds } = JSON.parse(process.argv[2] ?? "") as EngineCall;
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const config = { ...readConfig({ dataDirectory }), leaseSeconds };
const service = openService(config, await loadCatalog(config.catalog), {
  workerCommand: fakeWorkerCommand,
  onNotice: (line) => say({ type: "notice", line }),
});
const abort = new AbortController();
process.once("SIGINT", () => abort.abort());
const waiting = { signal: abort.signal, onEvent: say };

try {
  say({ type: "result", result: await run() });
} catch (error) {
  say({ type: "failure", failure: Failure.from(error).toRecord() });
}
await service.close();

async function run(): Promise<unknown> {
  switch (call.verb) {
    case "create-backup":
      return await service.createBackup(call.spec, { repository: call.repository }, waiting);
    case "create-restore":
      return await service.createRestore(call.spec, {}, waiting);
    case "undo-restore":
      return await service.undoRestore(call.restoreId, waiting);
    case "list-backups":
      return await service.listBackups({ limit: 100 });
  }
}
