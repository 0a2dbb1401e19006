/**
 * `lc2 worker [KIND]`: one task of the engine, in a process of its own. Started by
 * `processes/launch-worker.ts`, with the kind of task when the task itself is still to come.
 */
import { fileURLToPath } from "node:url";
import { loadTask, runTask } from "../worker/run-task.ts";
import { runWorkerProcess } from "../worker/worker-process.ts";
import { readEnvironment } from "./config.ts";

const expectedKind = process.argv[2];
if (expectedKind !== undefined) {
  await Promise.all([
    loadTask(expectedKind),
    import("../stores/filesystem/filesystem-store.ts"),
    import("../keys/keyfile/keyfile-service.ts"),
  ]);
}

await runWorkerProcess({
  runTask,
  openStore: async (url) => {
    const { openFilesystemStore } = await import("../stores/filesystem/filesystem-store.ts");
    return openFilesystemStore(fileURLToPath(url));
  },
  openKeys: async (directory, onNotice) => {
    const { KeyfileService } = await import("../keys/keyfile/keyfile-service.ts");
    return new KeyfileService(directory, { onNotice });
  },
  env: readEnvironment(),
});
